"""Text for character models: vocabulary, batches for truncated BPTT, sampling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from .dtypes import as_numbers, check_classes, get_default_dtype, real, require_callable, require_count
from .errors import complaint, describe
from .graph import no_grad
from .nn.functional import cross_entropy
from .nn.masks import same_masks
from .ops import concatenate
from .sampling import sample as sample
from .scan import detach

__all__ = ["CharVocab", "batches", "bptt", "columns", "count_batches", "one_hot", "sample"]


class CharVocab:
    """The characters of a text, in a fixed order, and their indices.

    Parameters
    ----------
    characters : iterable of str
        A text, or its characters. Each is kept once.
    order : {"sorted", "given"}
        Sorted by code point, so that the order does not depend on the text; or in the order of first occurrence.

    Attributes
    ----------
    characters : str
        Those of the vocabulary, in order.
    index : dict of str to int
        The place of each.

    Raises
    ------
    ValueError
        If there are no characters, or `order` is neither.
    TypeError
        If `characters` are no text, bytes for example.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> vocab = tg.text.CharVocab("MathMath")
    >>> vocab.characters
    'Maht'
    >>> vocab.encode("Math")
    array([0, 1, 3, 2])
    >>> vocab.decode([0, 1])
    'Ma'
    """

    def __init__(self, characters: Iterable[str], *, order: str = "sorted"):
        try:
            unique = dict.fromkeys("".join(characters))
        except TypeError as error:
            got, remedy = describe(characters), "decode bytes to a str"
            raise TypeError(complaint("CharVocab", "characters", expected="a text, or its characters", got=got, remedy=remedy)) from error
        if not unique:
            raise ValueError(complaint("CharVocab", "characters", expected="at least one character", got="none", remedy="pass a text"))
        if order not in ("sorted", "given"):
            raise ValueError(complaint("CharVocab", "order", expected="'sorted' or 'given'", got=repr(order), remedy="use one of these"))
        self.characters = "".join(sorted(unique) if order == "sorted" else unique)
        self.index = {c: i for i, c in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def __contains__(self, character: str) -> bool:
        return character in self.index

    def encode(self, text: str) -> np.ndarray:
        """The indices of the characters of `text`, int64 of shape (len(text),).

        Raises
        ------
        ValueError
            If a character is unknown; the message names it and its position.
        TypeError
            If `text` is no str.
        """
        if not isinstance(text, str):
            raise TypeError(complaint("CharVocab.encode", "text", expected="a str", got=describe(text), remedy="decode bytes to one"))
        try:
            return np.array([self.index[c] for c in text], dtype=np.int64)
        except KeyError as error:
            position = next(i for i, c in enumerate(text) if c not in self.index)
            raise ValueError(
                complaint(
                    "CharVocab.encode",
                    "text",
                    expected=f"characters of the vocabulary {_shortened(self.characters)}",
                    got=f"{text[position]!r} at position {position}",
                    remedy="leave it out, or build the vocabulary from a text that has it",
                )
            ) from error

    def decode(self, indices: Iterable[int]) -> str:
        """The text of a sequence of indices.

        Raises
        ------
        ValueError
            If an index is not in [0, len(vocab)) (the message names it and its position), or there is more than one axis.
        TypeError
            If there are other things than integers.
        """
        several = isinstance(indices, Iterable) and getattr(indices, "shape", None) != ()
        array = np.asarray(list(indices)) if several else np.array(None)
        if array.ndim != 1:
            raise ValueError(
                complaint("CharVocab.decode", "indices", expected="a sequence of integers", got=describe(indices), remedy="use ravel()")
            )
        check_classes("CharVocab.decode", "indices", array, len(self))
        return "".join(self.characters[i] for i in array.tolist())

    def __repr__(self) -> str:
        return f"CharVocab({self.characters!r})"


def one_hot(indices: Any, classes: int, dtype: Any = None) -> np.ndarray:
    """Rows of zeros with a one at the index: shape (..., classes), of the default dtype unless told otherwise.

    Parameters
    ----------
    indices : integers of shape (...)
    classes : int
    dtype : numpy.dtype, optional
        The default dtype if missing.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If an index is not in [0, classes): −1 never means the last.
    TypeError
        If there are other things than integers.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.text.one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    indices, classes = as_numbers("one_hot", "indices", indices), require_count("one_hot", "classes", classes)
    indices = check_classes("one_hot", "indices", indices, classes)
    return np.eye(classes, dtype=real(dtype or get_default_dtype(), "one_hot"))[indices]


def columns(indices: Sequence[int] | np.ndarray, batch_size: int) -> np.ndarray:
    """A text as `batch_size` streams that run side by side: shape (length, batch_size), time first.

    Stream b is the b-th stretch of the text, so that a state carried from one batch to the next
    continues where that stream stopped. What does not fill all streams is left out at the end.

    Parameters
    ----------
    indices : sequence of int
        An encoded text.
    batch_size : int
        How many streams.

    Returns
    -------
    ndarray
        Integers of shape (len(indices) // batch_size, batch_size).

    Raises
    ------
    ValueError
        If `indices` are not integers along one axis, or a stream would have less than two characters.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.text.columns([0, 1, 2, 3, 4, 5, 6], 2)
    array([[0, 3],
           [1, 4],
           [2, 5]])
    """
    indices, batch_size = np.asarray(indices), require_count("columns", "batch_size", batch_size)
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        wanted = "an encoded text, integers of shape (length,)"
        raise ValueError(complaint("columns", "indices", expected=wanted, got=describe(indices), remedy="use vocab.encode(text)"))
    length = len(indices) // batch_size
    if length < 2:
        raise ValueError(
            complaint(
                "columns",
                "batch_size",
                expected=f"at most {len(indices) // 2}, so that each stream has two characters",
                got=str(batch_size),
                remedy="use a smaller batch or a longer text",
            )
        )
    return np.ascontiguousarray(indices[: length * batch_size].reshape(batch_size, length).T)


def batches(indices: Sequence[int] | np.ndarray, batch_size: int, steps: int, *, start: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches for truncated BPTT: inputs and targets of shape (steps, batch_size), one pass through the text.

    The target of a character is the one after it. Consecutive batches continue each other, so carry
    the state over, detached. The last batch may have fewer steps.

    Parameters
    ----------
    indices : sequence of int
        An encoded text.
    batch_size : int
        Streams that are read side by side.
    steps : int
        Characters of each stream in one batch.
    start : int
        How many batches to pass over: where to go on after an interruption.

    Returns
    -------
    iterator of (ndarray, ndarray)

    Raises
    ------
    ValueError
        When the first is asked for: if the text is too short for the streams, or `start` is beyond its end.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> for x, y in tg.text.batches([0, 1, 2, 3, 4, 5, 6, 7], batch_size=2, steps=2):
    ...     print(x.tolist(), y.tolist())
    [[0, 4], [1, 5]] [[1, 5], [2, 6]]
    [[2, 6]] [[3, 7]]
    """
    steps, start = require_count("batches", "steps", steps), require_count("batches", "start", start, low=0)
    streams = columns(indices, batch_size)
    most = -(-(len(streams) - 1) // steps)
    if start > most:
        expected = f"at most {most}, the number of batches"
        raise ValueError(complaint("batches", "start", expected=expected, got=str(start), remedy="give the steps that it was counted with"))
    for first in range(start * steps, len(streams) - 1, steps):
        last = min(first + steps, len(streams) - 1)
        yield streams[first:last], streams[first + 1 : last + 1]


def count_batches(characters: int, batch_size: int, steps: int) -> int:
    """How many batches `batches` yields for a text of so many characters.

    Parameters
    ----------
    characters, batch_size, steps : int
        The length of the text, and the settings of `batches`.

    Returns
    -------
    int
        0 for a text that is too short for one.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.text.count_batches(8, batch_size=2, steps=2)
    2
    """
    characters = require_count("count_batches", "characters", characters, low=0)
    batch_size, steps = require_count("count_batches", "batch_size", batch_size), require_count("count_batches", "steps", steps)
    return max(-(-(characters // batch_size - 1) // steps), 0)


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
    k1 = require_count("text.bptt", "k1", k1)
    k2 = k1 if k2 is None else require_count("text.bptt", "k2", k2)
    if not callable(model):
        wanted, remedy = "a function of (x, state) that returns (logits, state)", "pass the Module itself"
        raise TypeError(complaint("text.bptt", "model", expected=wanted, got=describe(model), remedy=remedy))
    require_callable("text.bptt", "loss", loss, "a function of (logits, targets)", "tg.nn.functional.cross_entropy is usual")
    return _windows(model, columns(indices, batch_size), k1, k2, loss)


def _windows(model: Any, streams: np.ndarray, k1: int, k2: int, loss: Callable[[Any, np.ndarray], Any]) -> Iterator[Any]:
    """The losses of `bptt`, one window after another."""
    steps = len(streams) - 1
    start, state, done = 0, None, 0  # where the state that was kept stands, and how far losses have come
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
    with same_masks(masks):
        result = model(x, state)
    if not (isinstance(result, tuple) and len(result) == 2):
        wanted, remedy = "a function that returns (logits, state)", "hand on the state of the recurrent layer"
        raise TypeError(complaint("text.bptt", "model", expected=wanted, got=describe(result).replace("\n", " "), remedy=remedy))
    return result


def _shortened(characters: str) -> str:
    return repr(characters) if len(characters) <= 40 else repr(characters[:37]) + "…"
