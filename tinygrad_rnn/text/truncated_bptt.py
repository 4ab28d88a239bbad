"""Truncated backpropagation through time over an encoded text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import check
from ..errors import argument_error, describe
from ..graph import no_grad
from ..nn.functional import cross_entropy
from ..nn.sequence_masks import reuse_masks
from ..ops import concatenate
from ..scan import detach
from .batches import columns


def bptt(
    model: Any,
    indices: Sequence[int] | np.ndarray,
    batch_size: int,
    k1: int,
    k2: int | None = None,
    *,
    loss: Callable[[Any, np.ndarray], Any] = cross_entropy,
) -> Iterator[Any]:
    """Truncated backpropagation through time, TBPTT(k1, k2): every k1 steps a loss, whose gradient goes back through k2 steps.

    Each character counts in one loss. With k2 above k1 windows overlap: the steps before those that count are run again from the
    state that was kept there, so that the gradient of every loss goes back through at least k2 − k1 steps more.
    With k2 below k1 only the last k2 steps of each stretch count; the others carry the state along. Nothing of an
    earlier window is kept but its state, without its graph. All steps of one window see one mask of variational dropout.

    Parameters
    ----------
    model : callable
        ``model(x, state) -> (logits, state)``, where x is integers of shape (T, B), and the first state is None.
    indices : sequence of int
        An encoded text; read as `batch_size` streams side by side, see `columns`.
    batch_size, k1 : int
    k2 : int, optional
        k1 if missing: then the windows lie one behind the other.
    loss : callable
        ``loss(logits, targets)`` of the steps that count.

    Returns
    -------
    iterator of Tensor
        Each is a loss to call `backward` on, and then to step the optimizer, before the next one is asked for.

    Raises
    ------
    ValueError, TypeError
        If k1, k2 or the text does not fit, or `model` is no function; and when a loss is asked for, if it does not return (logits, state).

    Notes
    -----
    TBPTT(k1, k2) is the algorithm of Williams and Peng (1990) by the name that Sutskever's thesis (2013) gave it.

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
    if not callable(model):
        wanted, fix = (
            "a function of (x, state) that returns (logits, state)",
            "pass the Module itself",
        )
        raise argument_error(
            "text.bptt", "model", expected=wanted, got=describe(model), fix=fix, kind=TypeError
        )
    check.callable(
        "text.bptt",
        "loss",
        loss,
        "a function of (logits, targets)",
        "tg.nn.functional.cross_entropy is usual",
    )
    return _windows(model, columns(indices, batch_size), k1, k2, loss)


def _windows(
    model: Any, streams: np.ndarray, k1: int, k2: int, loss: Callable[[Any, np.ndarray], Any]
) -> Iterator[Any]:
    """The losses of `bptt`, one window after another."""
    steps = len(streams) - 1
    start, state, done = (
        0,
        None,
        0,
    )  # where the state that was kept stands, and how far losses have come
    while done < steps:
        masks: list[np.ndarray] = []
        end = min(done + k1, steps)
        first = max(start, end - k2)
        if start < first:
            with no_grad():
                state = detach(_run(model, streams[start:first], state, masks)[1])
        follow = min(max(first, min(end + k1, steps) - k2), end)  # where the next window begins
        logits, now, kept = [], state, state
        for a, b in ((first, follow), (follow, end)):
            if a < b:
                output, now = _run(model, streams[a:b], now, masks)
                logits.append(output)
            kept = detach(now) if b == follow else kept
        counted = max(done, first)
        whole = concatenate(logits) if len(logits) > 1 else logits[0]
        yield loss(whole[counted - first :], streams[counted + 1 : end + 1])
        start, state, done = follow, kept, end


def _run(model: Any, x: np.ndarray, state: Any, masks: list[np.ndarray]) -> tuple[Any, Any]:
    """The model on some steps of a window, with the masks that were drawn for it."""
    with reuse_masks(masks):
        result = model(x, state)
    if not (isinstance(result, tuple) and len(result) == 2):
        wanted, fix = (
            "a function that returns (logits, state)",
            "hand on the state of the recurrent layer",
        )
        raise argument_error(
            "text.bptt",
            "model",
            expected=wanted,
            got=describe(result).replace("\n", " "),
            fix=fix,
            kind=TypeError,
        )
    return result
