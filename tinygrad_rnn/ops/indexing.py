"""Picking entries out of arrays and putting them back."""

from __future__ import annotations

from types import EllipsisType
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..backward import SparseGrad
from ..errors import argument_error, describe
from ..graph import Value
from ..op import op


@op(
    "{a}[{index}]",
    shapes="any → that of a[index]",
    sample=lambda r: [
        (r(4, 3), {"index": 2}),
        (r(4, 3), {"index": (slice(None, None, -2), 1)}),
        (r(4, 3), {"index": np.array([[0, 0], [3, 0]])}),
        (r(4, 3), {"index": (Ellipsis, None, slice(0, 2))}),
        (r(4, 3), {"index": np.arange(12).reshape(4, 3) % 2 == 0}),
    ],
    fix="an index is an integer, a slice, None, ..., or an array of integers or booleans, or a tuple of these",
)
def getitem(a: Any, *, index: Any) -> Any:
    """a[index], with everything that NumPy indexing takes. Exact; an entry picked twice gets both gradients.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.Tensor([[1.0, 2.0], [3.0, 4.0]])[[1, 0], 1]
    Tensor([4., 2.])
    """
    return a[index]


getitem.vjps(a=lambda g, y, a, index: SparseGrad(scatter, g, index))


@op(
    "scatter({parts})",
    shapes="those of x[index] → shape",
    sample=lambda r: (
        (r(2), r(2, 2), r(2)),
        {"indices": [0, np.array([1, 1]), 0], "shape": (3, 2)},
    ),
)
def scatter(*parts: Any, indices: Any, shape: Any) -> Any:
    """An array of zeros of `shape`, with each part added at its index: the reverse of `getitem`. Where indices repeat,
    parts add up in the order given.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.scatter([np.array([1.0, 2.0]), 5.0], indices=[[0, 0], 2], shape=(3,))
    array([3., 0., 5.])
    """
    whole = np.zeros(
        shape, dtype=parts[0].dtype if isinstance(parts[0], np.ndarray) else np.result_type(*parts)
    )
    for part, index in zip(parts, indices, strict=True):
        index = index.array if isinstance(index, Value) else index
        if _may_repeat(index):
            np.add.at(whole, index, part)
        else:
            whole[index] += part
    return whole


scatter.vjps(parts=lambda g, y, *parts, indices, shape: [g[index] for index in indices])


@op(
    "where({condition}, {a}, {b})",
    shapes="(…), (…), (…) → (…)",
    sample=lambda r: (r(3, 4) > 0, r(3, 4), r(4)),
)
def where(condition: Any, a: Any, b: Any) -> Any:
    """a where `condition` holds, else b; the three broadcast. `condition` is a constant.

    A nan in what is not chosen goes no further, and its gradient is 0; but what lies behind it may make nan of that 0, as
    the rule of ``log(0)`` does (0 / 0). Put the `where`, or a `clip`, before such a function too.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> x = tg.Tensor([2.0, -3.0])
    >>> tg.where(x > 0, x, 0.5)
    Tensor([2. , 0.5])
    """
    return np.where(condition, a, b)


where.vjps(
    a=lambda g, y, condition, a, b: where(condition, g, 0),
    b=lambda g, y, condition, a, b: where(condition, 0, g),
)


@op(
    "{a}[…, {index}]",
    shapes="(…, n) → (…)",
    sample=lambda r: [
        (r(3, 4), {"index": np.array([0, 2, 2])}),
        (r(2, 3, 4), {"index": np.array([[0, 1, 3], [3, 3, 1]])}),
    ],
    fix="index has an integer in [0, n) for each row of a, whose last axis has n entries",
)
def pick(a: Any, *, index: Any) -> Any:
    """Of each row of `a`, its last axis, the entry that `index` says: y[…] = a[…, index[…]], the log-probability of a class for example.

    Exact. A negative place is refused: −1 is not the last one.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.pick(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), index=np.array([1, 0]))
    Tensor([2., 3.])
    """
    index = np.asarray(index)
    if not np.ndim(a) or index.shape != a.shape[:-1]:
        raise ValueError(
            f"expected rows, and an index of the shape of a without its last axis, got shape {index.shape}"
        )
    _require_places(index, a.shape[-1])
    rows = a.reshape(index.size, a.shape[-1])
    return rows[np.arange(index.size), index.reshape(-1)].reshape(index.shape)


@op(
    "unpick({a}, {index}, {size})",
    shapes="(…) → (…, size)",
    sample=lambda r: (r(3), {"index": np.array([0, 2, 2]), "size": 4}),
    fix="index has an integer in [0, size) for each entry of a",
)
def unpick(a: Any, *, index: Any, size: int) -> Any:
    """Rows of `size` zeros, in each the entry of `a` at the place that `index` says: the reverse of `pick`.

    Exact. A negative place is refused.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.unpick(np.array([5.0, 6.0]), index=np.array([1, 0]), size=3)
    array([[0., 5., 0.],
           [6., 0., 0.]])
    """
    index, a = np.asarray(index), np.asarray(a)
    if index.shape != a.shape:
        raise ValueError(f"expected an index of the shape of a, got shape {index.shape}")
    _require_places(index, size)
    rows = np.zeros((index.size, size), dtype=a.dtype)
    rows[np.arange(index.size), index.reshape(-1)] = a.reshape(-1)
    return rows.reshape(*index.shape, size)


def _require_places(index: np.ndarray, size: int) -> None:
    """Refuse what is no place in a row: −1 never means the last one."""
    if index.size and (index.dtype.kind not in "iu" or index.min() < 0):
        got = f"{index.min()}" if index.dtype.kind in "iu" else f"dtype {index.dtype}"
        raise IndexError(f"expected integers in [0, {size}) in index, got {got}")


pick.vjps(a=lambda g, y, a, index: unpick(g, index=index, size=a.shape[-1]))
unpick.vjps(a=lambda g, y, a, index, size: pick(g, index=index))


def take_along_axis(a: Any, indices: Any, axis: int) -> Any:
    """For each position in `indices`, the entry of `a` that lies that far along `axis`; see `numpy.take_along_axis`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.take_along_axis(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), [[1], [0]], axis=1)
    Tensor([[2.],
            [3.]])
    """
    a, indices = a if isinstance(a, Value) else np.asarray(a), np.asarray(indices)
    if indices.ndim != len(a.shape) or indices.dtype.kind not in "iu":
        raise argument_error(
            "take_along_axis",
            "indices",
            expected=f"integers, with {len(a.shape)} axes as a has",
            got=describe(indices),
            fix="use expand_dims, or a[indices]",
        )
    index: list[Any] = list(np.ogrid[tuple(slice(n) for n in a.shape)])
    index[normalize_axis_index(axis, len(a.shape), "take_along_axis")] = indices
    return a[tuple(index)]


@op(
    "repeat({a}, {repeats})",
    shapes="(…, n, …) → (…, Σ repeats, …)",
    sample=lambda r: [
        (r(3, 2), {"repeats": 2}),
        (r(3, 2), {"repeats": [1, 0, 2], "axis": 0}),
        (r(2, 3), {"repeats": 3, "axis": -1}),
    ],
    fix="repeats is an integer, or one for each entry along axis",
)
def repeat(a: Any, *, repeats: Any, axis: int | None = None) -> Any:
    """Each entry along `axis`, or of all entries in order, `repeats` times: an integer, or one for each. Exact; the gradients of
    the copies add up.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.repeat(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), 2, axis=0)
    Tensor([[1., 2.],
            [1., 2.],
            [3., 4.],
            [3., 4.]])
    """
    return np.repeat(a, _counts(repeats), axis)


repeat.vjps(
    a=lambda g, y, a, repeats, axis: scatter(
        [g], [copied(a, repeats, axis)], (a.size,) if axis is None else a.shape
    ).reshape(a.shape)
)


def copied(a: Any, repeats: Any, axis: int | None) -> Any:
    """The index of the entry that each entry of ``repeat(a)`` is a copy of: in `a`, or without an axis in ``ravel(a)``."""
    picked = np.repeat(np.arange(a.size if axis is None else a.shape[axis]), _counts(repeats))
    return picked if axis is None else (*(slice(None),) * (axis % a.ndim), picked)


def _counts(repeats: Any) -> np.ndarray:
    """How often to repeat, as an array; an empty list is one of integers too, for an axis without entries."""
    counts = np.asarray(repeats)
    return counts if counts.size else counts.astype(np.intp)


def _may_repeat(index: Any) -> bool:
    """Whether an index can name the same entry twice: only several integers can, an array of them, a list, a range."""
    if type(index) is int or type(index) is slice:
        return False
    entries = index if isinstance(index, tuple) else (index,)
    return any(
        np.ndim(i) and np.asarray(i).dtype.kind in "iu"
        for i in entries
        if not isinstance(i, int | slice | None | EllipsisType)
    )
