"""Batches of encoded text, for truncated backpropagation through time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .. import check
from ..errors import describe


def columns(indices: Sequence[int] | np.ndarray, batch_size: int) -> np.ndarray:
    """Cut encoded text into `batch_size` parallel streams, the columns of the result.

    The streams are consecutive pieces of the text, all of the same length. In each stream the next
    batch continues where the last batch ended, so the state can be carried over. Characters that
    are left over at the end of the text are dropped.

    Parameters
    ----------
    indices : sequence of int
        Encoded text, the result of `CharVocab.encode` for example.
    batch_size : int
        The number of streams.

    Returns
    -------
    ndarray
        Integers of shape (len(indices) // batch_size, batch_size).

    Raises
    ------
    ValueError
        If `indices` is not a one-dimensional sequence of integers, or a stream would have fewer
        than two characters.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.text.columns([0, 1, 2, 3, 4, 5, 6], 2)
    array([[0, 3],
           [1, 4],
           [2, 5]])
    """
    indices, batch_size = np.asarray(indices), check.count("columns", "batch_size", batch_size)
    is_encoded = indices.ndim == 1 and indices.dtype.kind in "iu"
    expected, fix = "encoded text, integers of shape (length,)", "pass vocab.encode(text)"
    check.require(is_encoded, "columns", "indices", expected, describe(indices), fix)
    length = len(indices) // batch_size
    expected = f"at most {len(indices) // 2}, so that each stream has at least two characters"
    got, fix = str(batch_size), "use fewer streams, or more text"
    check.require(length >= 2, "columns", "batch_size", expected, got, fix)
    return np.ascontiguousarray(indices[: length * batch_size].reshape(batch_size, length).T)


def batches(
    indices: Sequence[int] | np.ndarray, batch_size: int, steps: int, *, start: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pairs (inputs, targets) of shape (steps, batch_size), in one pass over the text.

    The target of a character is the next character. Each batch starts where the previous batch
    ended, so detach the last state and pass it to the model with the next batch. The last batch
    may have fewer steps.

    Parameters
    ----------
    indices : sequence of int
        Encoded text.
    batch_size : int
        The number of parallel streams; see `columns`.
    steps : int
        The number of characters of each stream in one batch.
    start : int
        The number of batches to skip, for example to continue an interrupted run.

    Returns
    -------
    iterator of (ndarray, ndarray)

    Raises
    ------
    ValueError
        If the text is too short for the streams, or `start` is greater than the number of batches.
        The iterator raises the error when the first batch is requested.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> for x, y in tg.text.batches([0, 1, 2, 3, 4, 5, 6, 7], batch_size=2, steps=2):
    ...     print(x.tolist(), y.tolist())
    [[0, 4], [1, 5]] [[1, 5], [2, 6]]
    [[2, 6]] [[3, 7]]
    """
    steps = check.count("batches", "steps", steps)
    start = check.count("batches", "start", start, low=0)
    streams = columns(indices, batch_size)
    total = -(-(len(streams) - 1) // steps)
    expected = f"at most {total}, the number of batches"
    fix = "use the batch_size and steps of the interrupted run"
    check.require(start <= total, "batches", "start", expected, str(start), fix)
    for first in range(start * steps, len(streams) - 1, steps):
        last = min(first + steps, len(streams) - 1)
        yield streams[first:last], streams[first + 1 : last + 1]


def count_batches(characters: int, batch_size: int, steps: int) -> int:
    """Return the number of batches that `batches` yields for this many characters.

    Parameters
    ----------
    characters, batch_size, steps : int
        The length of the text, and the arguments of `batches`.

    Returns
    -------
    int
        0 if the text is too short for one batch.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.text.count_batches(8, batch_size=2, steps=2)
    2
    """
    characters = check.count("count_batches", "characters", characters, low=0)
    batch_size = check.count("count_batches", "batch_size", batch_size)
    steps = check.count("count_batches", "steps", steps)
    return max(-(-(characters // batch_size - 1) // steps), 0)
