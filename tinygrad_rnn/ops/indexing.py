"""Taking entries out of arrays and putting them back."""

from __future__ import annotations

from types import EllipsisType
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..backward import SparseGrad
from ..copying import frozen_copy
from ..errors import argument_error, describe
from ..graph import IMMUTABLE, Value
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
    fix=(
        "an index is an integer, a slice, None, ..., or an array of integers or booleans, "
        "or a tuple of these"
    ),
    reference=lambda a, index: np.take(a, np.arange(a.size).reshape(a.shape)[index]),
)
def getitem(a: Any, *, index: Any) -> Any:
    """Return a[index], for everything that NumPy indexing takes. It is exact; an entry taken twice
    gets both gradients.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.Tensor([[1.0, 2.0], [3.0, 4.0]])[[1, 0], 1]
    Tensor([4., 2.])
    """
    return a[index]


getitem.vjps(a=lambda g, y, a, index: SparseGrad(scatter, g, index))


def _add_one_by_one(*parts: Any, indices: Any, shape: Any) -> np.ndarray:
    """Return what `scatter` does, entry by entry: the reference for its tests."""
    whole = np.zeros(shape, parts[0].dtype)
    for part, index in zip(parts, indices, strict=True):
        np.add.at(whole, index, part)
    return whole


@op(
    "scatter({parts})",
    shapes="those of x[index] → shape",
    sample=lambda r: (
        (r(2), r(2, 2), r(2)),
        {"indices": [0, np.array([1, 1]), 0], "shape": (3, 2)},
    ),
    reference=_add_one_by_one,
)
def scatter(*parts: Any, indices: Any, shape: Any) -> Any:
    """Return zeros of `shape`, with each part added at its index: the adjoint of `getitem`. Where
    indices repeat, parts are added in the order given.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.scatter([np.array([1.0, 2.0]), 5.0], indices=[[0, 0], 2], shape=(3,))
    array([3., 0., 5.])
    """
    first = parts[0]
    dtype = first.dtype if isinstance(first, np.ndarray) else np.result_type(*parts)
    whole = np.zeros(shape, dtype=dtype)
    for part, index in zip(parts, indices, strict=True):
        index = index.array if isinstance(index, Value) else index
        if _has_integer_array(index):
            np.add.at(whole, index, part)
        else:
            whole[index] += part
    return whole


scatter.vjps(parts=lambda g, y, *parts, indices, shape: [g[index] for index in indices])


def _has_integer_array(index: Any) -> bool:
    """Return whether several integers are in an index: only then can it name an entry twice."""
    if type(index) is int or type(index) is slice:
        return False
    entries = index if isinstance(index, tuple) else (index,)
    return any(
        np.ndim(i) and np.asarray(i).dtype.kind in "iu"
        for i in entries
        if not isinstance(i, int | slice | None | EllipsisType)
    )


@op(
    "where({condition}, {a}, {b})",
    shapes="(…), (…), (…) → (…)",
    reference=lambda condition, a, b: np.choose(condition, np.broadcast_arrays(b, a)),
    domain={"condition": bool},
)
def where(condition: Any, a: Any, b: Any) -> Any:
    """Return a where `condition` holds, else b; the three broadcast. `condition` is a constant.

    A NaN in the branch not taken does not reach the result, and its gradient is 0. A rule further
    back may still make NaN of that 0, as the rule of ``log(0)`` does (0 / 0). Therefore put the
    `where`, or a `clip`, before such a function too.

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
    reference=lambda a, index: np.take_along_axis(a, index[..., None].astype(int), -1)[..., 0],
)
def gather(a: Any, *, index: Any) -> Any:
    """Return one entry of each row of `a`, its last axis: y[…] = a[…, index[…]]. It is exact. A
    negative index raises IndexError, because −1 would silently mean the last entry.

    It takes the log-probability of each target class, for example.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.gather(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), index=np.array([1, 0]))
    Tensor([2., 3.])
    """
    index = np.asarray(index)
    if not np.ndim(a) or index.shape != a.shape[:-1]:
        expected = "rows, and an index of the shape of a without its last axis"
        raise ValueError(f"expected {expected}, got shape {index.shape}")
    _require_indices_within(index, a.shape[-1])
    rows = a.reshape(index.size, a.shape[-1])
    return rows[np.arange(index.size), index.reshape(-1)].reshape(index.shape)


@op(
    "scatter_rows({a}, {index}, {size})",
    shapes="(…) → (…, size)",
    sample=lambda r: (r(3), {"index": np.array([0, 2, 2]), "size": 4}),
    fix="index has an integer in [0, size) for each entry of a",
    reference=lambda a, index, size: (
        a[..., None] * np.eye(size, dtype=a.dtype)[index.reshape(a.shape)]
    ),
)
def scatter_rows(a: Any, *, index: Any, size: int) -> Any:
    """Return rows of `size` zeros, each with one entry of `a` at its index: the adjoint of
    `gather`. It is exact. A negative index raises IndexError.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.scatter_rows(np.array([5.0, 6.0]), index=np.array([1, 0]), size=3)
    array([[0., 5., 0.],
           [6., 0., 0.]])
    """
    index, a = np.asarray(index), np.asarray(a)
    if index.shape != a.shape:
        raise ValueError(f"expected an index of the shape of a, got shape {index.shape}")
    _require_indices_within(index, size)
    rows = np.zeros((index.size, size), dtype=a.dtype)
    rows[np.arange(index.size), index.reshape(-1)] = a.reshape(-1)
    return rows.reshape(*index.shape, size)


def _require_indices_within(index: np.ndarray, size: int) -> None:
    """Raise IndexError unless all entries are integers, and not negative; NumPy checks the rest."""
    if index.size and (index.dtype.kind not in "iu" or index.min() < 0):
        got = f"{index.min()}" if index.dtype.kind in "iu" else f"dtype {index.dtype}"
        raise IndexError(f"expected integers in [0, {size}) in index, got {got}")


gather.vjps(a=lambda g, y, a, index: scatter_rows(g, index=index, size=a.shape[-1]))
scatter_rows.vjps(a=lambda g, y, a, index, size: gather(g, index=index))


def take_along_axis(a: Any, indices: Any, axis: int) -> Any:
    """Return, for each index, the entry of `a` at this place along `axis`, as NumPy's function.

    Raises
    ------
    ValueError
        If `indices` are not integers with as many axes as `a`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.take_along_axis(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), [[1], [0]], axis=1)
    Tensor([[2.],
            [3.]])
    """
    a, indices = a if isinstance(a, Value) else np.asarray(a), np.asarray(indices)
    if indices.ndim != len(a.shape) or indices.dtype.kind not in "iu":
        expected, fix = (
            f"integers, with {len(a.shape)} axes as a has",
            "use expand_dims, or a[indices]",
        )
        raise argument_error("take_along_axis", "indices", expected, describe(indices), fix)
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
    reference=lambda a, repeats, axis: np.repeat(a, np.asarray(repeats, int), axis),
)
def repeat(a: Any, *, repeats: Any, axis: int | None = None) -> Any:
    """Return each entry along `axis`, or of all entries in order, `repeats` times. It is exact; the
    gradients of the copies add up.

    `repeats` is an integer, or one for each entry.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.repeat(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), 2, axis=0)
    Tensor([[1., 2.],
            [1., 2.],
            [3., 4.],
            [3., 4.]])
    """
    return np.repeat(a, _as_counts(repeats), axis)


repeat.vjps(
    a=lambda g, y, a, repeats, axis: scatter(
        [g],
        [index_of_source(a, repeats, axis)],
        a.shape if axis is not None and a.ndim else (a.size,),
    ).reshape(a.shape)
)


def index_of_source(a: Any, repeats: Any, axis: int | None) -> Any:
    """Return the index of the entry that each entry of ``repeat(a)`` is a copy of.

    It is an index of `a`, or of ``ravel(a)`` if `axis` is None or `a` has no axes.
    """
    if axis is None or not a.ndim:
        return np.repeat(np.arange(a.size), _as_counts(repeats))
    source = np.repeat(np.arange(a.shape[axis]), _as_counts(repeats))
    return (*(slice(None),) * (axis % a.ndim), source)


def _as_counts(repeats: Any) -> np.ndarray:
    """Return `repeats` as an array of integers; an empty list would be one of floats."""
    counts = np.asarray(repeats)
    return counts if counts.size else counts.astype(np.intp)


def frozen_index(index: Any) -> Any:
    """Return an index to store on a node: with copies of arrays, for Tensors and lists too."""
    if type(index) in IMMUTABLE:
        return index
    if isinstance(index, tuple):
        return tuple([frozen_index(part) for part in index])
    if isinstance(index, list):
        return np.array(index, dtype=None if index else np.intp)
    return frozen_copy(index.array if isinstance(index, Value) else index)
