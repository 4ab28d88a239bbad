"""Indexing: taking entries out of arrays and putting them back."""

from __future__ import annotations

from types import EllipsisType
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..backward import SparseGrad
from ..dtypes import as_ndarray
from ..errors import argument_error, describe
from ..graph import Value, expect, unwrap
from ..op import IMMUTABLE, frozen_copy
from .composition import composition
from .definition import op
from .operands import as_operand


@op(
    "{a}[{index}]",
    shapes="any → the shape of a[index]",
    sample=lambda r: [
        (r(4, 3), {"index": 2}),
        (r(4, 3), {"index": (slice(None, None, -2), 1)}),
        (r(4, 3), {"index": np.array([[0, 0], [3, 0]])}),
        (r(4, 3), {"index": (Ellipsis, None, slice(0, 2))}),
        (r(4, 3), {"index": np.arange(12).reshape(4, 3) % 2 == 0}),
    ],
    fix=(
        "use an integer, a slice, None, ..., an array of integers or booleans, or a tuple of these"
    ),
    reference=lambda a, index: np.take(a, np.arange(a.size).reshape(a.shape)[index]),
)
def getitem(a: Any, *, index: Any) -> Any:
    """Return a[index], for every index that NumPy accepts. The result is exact. An entry that is
    selected several times gets the sum of the gradients.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.Tensor([[1.0, 2.0], [3.0, 4.0]])[[1, 0], 1]
    Tensor([4., 2.])
    """
    return a[index]


getitem.vjps(a=lambda g, y, a, index: SparseGrad(scatter, g, index))


def _add_one_by_one(*parts: Any, indices: Any, shape: Any) -> np.ndarray:
    """Compute `scatter` with `numpy.add.at` for every part, as the reference for its tests."""
    whole = np.zeros(shape, parts[0].dtype)
    for part, index in zip(parts, indices, strict=True):
        np.add.at(whole, index, part)
    return whole


@op(
    "scatter({parts})",
    shapes="the shapes of x[index] → shape",
    sample=lambda r: (
        (r(2), r(2, 2), r(2)),
        {"indices": [0, np.array([1, 1]), 0], "shape": (3, 2)},
    ),
    reference=_add_one_by_one,
)
def scatter(*parts: Any, indices: Any, shape: Any) -> Any:
    """Return zeros of `shape`, with each array in `parts` added at its index in `indices`. Parts
    at the same index are added in the given order. This is the adjoint of `getitem`.

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
    """Return True if an index contains an array of integers, which may select an entry twice."""
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
    """Return `a` where `condition` is True, and `b` elsewhere. The three arguments broadcast.
    `condition` is a constant.

    NaN in the branch that is not taken does not reach the result, and the gradient there is 0. The
    derivative rule of an earlier op may still turn this 0 into NaN: at 0, for example, the rule of
    `log` computes 0 / 0. Therefore put a `where` or `clip` before such an op too.

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


def keep_where(condition: Any, g: Any) -> Any:
    """Return `g` where `condition`, an array of booleans, is True, and 0 elsewhere.

    Derivative rules use it and not ``g * condition``, because 0 · inf is NaN. On an array, it
    multiplies the bits of `g` by 1 or 0, as integers. This takes as long as ``g * condition``;
    `numpy.where` takes up to 30 times longer for a random condition.
    """
    if type(g) is np.ndarray and g.itemsize <= 8:
        return (g.view(f"i{g.itemsize}") * condition).view(g.dtype)
    return where(condition, g, 0)


@op(
    "gather({a}, {index})",
    shapes="(…, n) → (…)",
    sample=lambda r: [
        (r(3, 4), {"index": np.array([0, 2, 2])}),
        (r(2, 3, 4), {"index": np.array([[0, 1, 3], [3, 3, 1]])}),
    ],
    fix="give index one integer in [0, n) for each row of a, where n is the length of a row",
    reference=lambda a, index: np.take_along_axis(a, index[..., None].astype(int), -1)[..., 0],
)
def gather(a: Any, *, index: Any) -> Any:
    """Return one entry of each row of `a`: y[…] = a[…, index[…]]. The rows lie along the last axis.
    The result is exact. A negative index raises IndexError, because −1 would silently mean the last
    entry.

    For example, `gather` picks the log-probability of each target class.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.gather(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), index=np.array([1, 0]))
    Tensor([2., 3.])
    """
    index = as_ndarray(index)
    if not np.ndim(a) or index.shape != a.shape[:-1]:
        expected = "an array a with at least one axis, and index of shape a.shape[:-1]"
        raise ValueError(f"expected {expected}, got index of shape {index.shape}")
    _require_indices_within(index, a.shape[-1])
    rows = a.reshape(index.size, a.shape[-1])
    return rows[np.arange(index.size), index.reshape(-1)].reshape(index.shape)


@op(
    "scatter_rows({a}, {index}, {size})",
    shapes="(…) → (…, size)",
    sample=lambda r: (r(3), {"index": np.array([0, 2, 2]), "size": 4}),
    fix="give index one integer in [0, size) for each entry of a",
    reference=lambda a, index, size: (
        a[..., None] * np.eye(size, dtype=a.dtype)[index.reshape(a.shape)]
    ),
)
def scatter_rows(a: Any, *, index: Any, size: int) -> Any:
    """Return a row of `size` zeros for each entry of `a`, with the entry put at its index. This is
    the adjoint of `gather`. The result is exact. A negative index raises IndexError.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.scatter_rows(np.array([5.0, 6.0]), index=np.array([1, 0]), size=3)
    array([[0., 5., 0.],
           [6., 0., 0.]])
    """
    index, a = as_ndarray(index), as_ndarray(a)
    if index.shape != a.shape:
        raise ValueError(f"expected index of the shape of a, got index of shape {index.shape}")
    _require_indices_within(index, size)
    rows = np.zeros((index.size, size), dtype=a.dtype)
    rows[np.arange(index.size), index.reshape(-1)] = a.reshape(-1)
    return rows.reshape(*index.shape, size)


def _require_indices_within(index: np.ndarray, size: int) -> None:
    """Raise IndexError for a negative or non-integer index; NumPy checks the upper bound."""
    if index.size and (index.dtype.kind not in "iu" or not expect(index.min() >= 0)):
        got = f"{index.min()}" if index.dtype.kind in "iu" else f"dtype {index.dtype}"
        raise IndexError(f"expected integers in [0, {size}) in index, got {got}")


gather.vjps(a=lambda g, y, a, index: scatter_rows(g, index=index, size=a.shape[-1]))
scatter_rows.vjps(a=lambda g, y, a, index, size: gather(g, index=index))


@composition(
    np.take_along_axis,
    sample=lambda r: [
        (r(2, 3), np.array([[2, 2], [0, 1]]), 1),
        (r(4, 3), np.array([[2, 0]]), -1),
        (r(3, 2, 2), np.array([[[1]], [[-1]]]), 0),
        (r(2, 3), np.array([5, 0, 0]), None),
    ],
)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """Return the entries of `arr` at the given indices along `axis`, like `numpy.take_along_axis`.
    If `axis` is None, `arr` is flattened first.

    Raises
    ------
    ValueError
        If `indices` is not an array of integers with as many axes as `arr`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.take_along_axis(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), [[1], [0]], axis=1)
    Tensor([[2.],
            [3.]])
    """
    a = as_operand("take_along_axis", "arr", arr)
    if axis is None:
        a, axis = a.reshape(-1), 0
    indices = as_ndarray(unwrap(indices))
    if indices.ndim != len(a.shape) or indices.dtype.kind not in "iu":
        expected, fix = (
            f"an array of integers with {len(a.shape)} axes, as many as the argument arr has",
            "add axes with expand_dims, or use arr[indices]",
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
    fix="give repeats an integer, or one integer for each entry along axis",
    reference=lambda a, repeats, axis: np.repeat(a, np.asarray(repeats, int), axis),
)
def repeat(a: Any, *, repeats: Any, axis: int | None = None) -> Any:
    """Repeat each entry `repeats` times along `axis`. The result is exact. Each entry gets the sum
    of the gradients of its copies.

    `repeats` is an integer, or one integer for each entry along `axis`. If `axis` is
    None, `a` is flattened first.

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
    """Return the index for which ``a[index]`` equals ``repeat(a, repeats, axis)``.

    If `axis` is None or `a` has no axes, the result is an index into ``ravel(a)`` instead.
    """
    if axis is None or not a.ndim:
        return np.repeat(np.arange(a.size), _as_counts(repeats))
    source = np.repeat(np.arange(a.shape[axis]), _as_counts(repeats))
    return (*(slice(None),) * (axis % a.ndim), source)


def _as_counts(repeats: Any) -> np.ndarray:
    """Return `repeats` as an array. An empty array gets an integer dtype, not float64."""
    counts = np.asarray(repeats)
    return counts if counts.size else counts.astype(np.intp)


def frozen_index(index: Any) -> Any:
    """Return the index to store on a node of the graph.

    Arrays, lists and Tensors in the index are copied, because the caller may change them before
    the backward pass.
    """
    if type(index) in IMMUTABLE:
        return index
    if type(index) is slice:
        start, stop, step = index.start, index.stop, index.step
        if type(start) in IMMUTABLE and type(stop) in IMMUTABLE and type(step) in IMMUTABLE:
            return index
        return slice(frozen_index(start), frozen_index(stop), frozen_index(step))
    if isinstance(index, tuple):
        return tuple([frozen_index(part) for part in index])
    if isinstance(index, list):
        return np.array(index, dtype=None if index else np.intp)
    return frozen_copy(unwrap(index))
