"""Truncated backpropagation through time over encoded text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import check
from ..blocks import no_grad
from ..nn.dropout import reuse_masks
from ..nn.functional import cross_entropy
from ..ops import concatenate
from ..scan import detach
from .batches import columns
from .call_model import call_model, require_model


def bptt(
    model: Any,
    indices: Sequence[int] | np.ndarray,
    batch_size: int,
    k1: int,
    k2: int | None = None,
    *,
    loss: Callable[[Any, np.ndarray], Any] = cross_entropy,
) -> Iterator[Any]:
    """Yield the losses of truncated backpropagation through time, TBPTT(k1, k2).

    There is one loss for every k1 steps. Its gradient goes back through a window of the last k2
    steps, or fewer at an end of the text. A step counts if its prediction enters a loss. No step
    counts twice.

    - k2 = k1: the windows follow each other, and every step counts.
    - k2 > k1: the windows overlap, and every step counts. Each window after the first begins with
      steps that counted in an earlier loss, and starts from the state that was saved there. The
      gradient of every loss therefore goes back at least k2 − k1 steps before the first step that
      counts in it, except at the start of the text.
    - k2 < k1: only the last k2 of every k1 steps count. The earlier steps only update the state.

    Only the state passes from one window to the next, without its graph. In variational dropout,
    all steps of one window share the same masks.

    Parameters
    ----------
    model : callable
        ``model(x, state) -> (logits, state)``, with integers x of shape (T, B). The first state is
        None.
    indices : sequence of int
        Encoded text, which is read as `batch_size` parallel streams; see `columns`.
    batch_size, k1 : int
        The number of streams, and the number of steps for each loss.
    k2 : int, optional
        The number of steps that a gradient goes back through; k1 by default.
    loss : callable
        ``loss(logits, targets)``. It gets the logits and targets of the steps that count.

    Returns
    -------
    iterator of Tensor
        The losses. Call `backward` on each loss, and step the optimizer, before you take the
        next loss.

    Raises
    ------
    ValueError, TypeError
        If an argument is of the wrong type or out of range, or the text is too short. The iterator
        raises TypeError if the model does not return (logits, state).

    Notes
    -----
    The algorithm is that of Williams and Peng (1990); the name TBPTT(k1, k2) is from Sutskever's
    thesis (2013).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> vocab = tg.text.CharVocab("Math")
    >>> class Model(tg.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.embedding, self.gru = tg.nn.Embedding(4, 8, rng=0), tg.nn.GRU(8, 4, rng=0)
    ...     def forward(self, x, state):
    ...         return self.gru(self.embedding(x), state)
    >>> model = Model()
    >>> optimizer = tg.optim.Adam(model.parameters(), lr=0.01)
    >>> for loss in tg.text.bptt(model, vocab.encode("Math" * 20), batch_size=2, k1=4, k2=8):
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    """
    k1 = check.count("text.bptt", "k1", k1)
    k2 = k1 if k2 is None else check.count("text.bptt", "k2", k2)
    require_model("text.bptt", model)
    expected, fix = "a function of (logits, targets)", "pass tg.nn.functional.cross_entropy"
    check.callable("text.bptt", "loss", loss, expected, fix)
    return _window_losses(model, columns(indices, batch_size), k1, k2, loss)


def _window_losses(
    model: Any, streams: np.ndarray, k1: int, k2: int, loss: Callable[[Any, np.ndarray], Any]
) -> Iterator[Any]:
    """Yield the losses of `bptt`, one for each window.

    `saved` is the state before step `saved_at`. No step before `done` counts in a later loss. The
    current window runs from `first` to `end`, and the next window starts at `next_first`.
    """
    steps = len(streams) - 1
    saved, saved_at, done = None, 0, 0
    while done < steps:
        masks: list[np.ndarray] = []
        end = min(done + k1, steps)
        first = max(saved_at, end - k2)
        if saved_at < first:
            with no_grad():
                _, state = _run_steps(model, streams[saved_at:first], saved, masks)
            saved = detach(state)
        next_first = min(max(first, min(end + k1, steps) - k2), end)
        logits, state = [], saved
        for begin, stop in ((first, next_first), (next_first, end)):
            if begin < stop:
                output, state = _run_steps(model, streams[begin:stop], state, masks)
                logits.append(output)
            if stop == next_first:
                saved = detach(state)
        counted = max(done, first)
        joined = concatenate(logits) if len(logits) > 1 else logits[0]
        yield loss(joined[counted - first :], streams[counted + 1 : end + 1])
        saved_at, done = next_first, end


def _run_steps(model: Any, x: np.ndarray, state: Any, masks: list[np.ndarray]) -> tuple[Any, Any]:
    """Run the model on some steps of a window, with the dropout masks of that window."""
    with reuse_masks(masks):
        return call_model("text.bptt", model, x, state)
