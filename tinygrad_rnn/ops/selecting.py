"""Functions that select entries: by number, by a condition, or from one of several arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .. import check
from ..errors import argument_error, describe, format_count
from .composition import composition
from .elementwise import astype
from .indexing import scatter, where
from .operands import as_index, as_operand, as_sequence
from .rearranging import rearrange
from .shapes import broadcast_to, ravel


@composition(
    np.take,
    sample=lambda r: [
        (r(3, 4), [0, 0, 5, -1]),
        (r(3, 4), [[2, 0]], 0),
        (r(3, 4), 2, {"axis": -1}),
        (r(3), [7, -5], {"mode": "wrap"}),
        (r(3), [7, -5], 0, {"mode": "clip"}),
    ],
)
def take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
    """Return the entries, or the parts along `axis`, at the positions `indices`.

    Without `axis`, `a` is flattened first. An entry that is taken several times gets the sum of the
    gradients. If an index is out of range, `mode` decides: "raise" raises IndexError, "wrap" takes
    the index modulo the size, and "clip" takes the nearest index from 0 to size − 1.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.take(tg.Tensor([1.0, 2.0]), [1, 0, 1])
    Tensor([2., 1., 2.])
    """
    a, index = as_operand("take", "a", a), as_index("take", "indices", indices)
    check.one_of("take", "mode", mode, ("raise", "wrap", "clip"))
    if index.dtype.kind not in "iu" and index.size:
        got, fix = describe(index), "pass integers, or use a[mask] with booleans"
        raise argument_error("take", "indices", "integers", got, fix, TypeError)
    axis = None if axis is None else normalize_axis_index(axis, max(a.ndim, 1), "take: axis")
    if axis is None or not a.ndim:
        a, axis = ravel(a), 0
    size = a.shape[axis]
    if mode != "raise":
        index = np.take(np.arange(size), index, mode=mode)  # pyright: ignore  # any text
    return a[(slice(None),) * axis + (index.astype(np.intp),)]


@composition(
    np.compress,
    sample=lambda r: [
        ([True, False, True], r(3, 4), 0),
        ([0, 1, 1, 0, 1], r(2, 3)),
        (np.array([False, True]), r(2, 3), {"axis": -1}),
    ],
)
def compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    """Return the parts of `a` along `axis` for which the vector `condition` is true.

    Without `axis`, `a` is flattened first. `condition` is a constant.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.compress([True, False], tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    Tensor([[1.],
            [3.]])
    """
    a = as_operand("compress", "a", a)
    return take(a, np.flatnonzero(_constant_vector("compress", condition)), axis)


@composition(np.extract, sample=lambda r: [([[1, 0], [0, 1]], r(2, 2)), ([True, False], r(2))])
def extract(condition: Any, arr: Any) -> Any:
    """Return the entries of `arr` for which `condition` is true, as a vector.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> x = tg.Tensor([1.0, -2.0, 3.0])
    >>> tg.extract(x > 0, x)
    Tensor([1., 3.])
    """
    arr = as_operand("extract", "arr", arr)
    return take(arr, np.flatnonzero(np.ravel(condition)))


def _constant_vector(operation: str, condition: Any) -> np.ndarray:
    """Return a condition as an array; raise ValueError unless it has one axis."""
    vector = np.asarray(condition)
    if vector.ndim != 1:
        expected, fix = "a vector of booleans", "use a[condition] for a condition with more axes"
        raise argument_error(operation, "condition", expected, describe(vector), fix)
    return vector


@composition(
    np.delete,
    sample=lambda r: [
        (r(3, 4), 1, 0),
        (r(3, 4), [0, -1], 1),
        (r(2, 3), slice(0, 6, 2)),
        (r(3), np.array([True, False, True])),
        (r(3), []),
    ],
)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """Return `arr` without the parts along `axis` that the index `obj` selects.

    Without `axis`, `arr` is flattened first.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.delete(tg.Tensor([1.0, 2.0, 3.0]), 1)
    Tensor([1., 3.])
    """
    arr, obj = as_operand("delete", "arr", arr), as_index("delete", "obj", obj)
    obj = obj if isinstance(obj, slice) or obj.size else []  # np.array([]) has dtype float
    return rearrange("delete", lambda arr: np.delete(arr, obj, axis), arr)


@composition(
    np.choose,
    sample=lambda r: [
        ([0, 1, 0], [r(3), r(3)]),
        (np.array([[1], [0]]), [r(3), r(2, 1)]),
        ([-1, 5], [r(2), r(2)], {"mode": "clip"}),
        (1, r(2, 3), {"mode": "wrap"}),
    ],
)
def choose(a: Any, choices: Any, mode: Any = "raise") -> Any:
    """Take each entry from one of the `choices`; `a` holds the number of the choice for each entry.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.choose([1, 0], [tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])])
    Tensor([3., 2.])
    """
    a, choices = as_index("choose", "a", a), as_sequence("choose", "choices", choices)
    return rearrange("choose", lambda *choices: np.choose(a, choices, mode=mode), *choices)


@composition(
    np.select,
    sample=lambda r: [
        ([np.array([True, False]), np.array([True, True])], [r(2), r(2)]),
        ([np.array([[True], [False]])], [r(3)], {"default": r()}),
        ([np.array([False, True])], [r()], 1.5),
    ],
)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """Return the entries of the first choice whose condition is true, or else `default`.

    A choice gets no gradient at the places where it is not selected.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> x = tg.Tensor([-3.0, 0.5, 3.0])
    >>> tg.select([x < -1, x > 1], [-x, x * x])
    Tensor([3., 0., 9.])
    """
    condlist = [as_index("select", "condlist", condition) for condition in condlist]
    choices = as_sequence("select", "choicelist", choicelist)
    if isinstance(default, bool | int):  # beside integers, it takes their dtype
        dtype = np.result_type(*[choice.dtype for choice in choices], default)
        default = np.asarray(default, dtype)
    default = as_operand("select", "default", default, *choices)
    return rearrange(
        "select", lambda *parts: np.select(condlist, parts[:-1], parts[-1]), *choices, default
    )


@composition(
    np.piecewise,
    sample=lambda r: [
        (np.array([-2.0, -1.0, 1.0, 2.0]), np.array([True, True, False, False]), [np.sin, np.cos]),
        (r(3), [[True, False, False], [True, True, False]], [np.exp, 2.0]),
        (r(2, 2), [np.eye(2) == 1], [lambda x, p: x**p, 0], 3),
        (np.array(0.5), True, [np.square]),
    ],
)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """Apply to each entry of `x` the function of the condition that holds there, or return 0.

    Each function gets the entries of `x` for which its condition holds, and then `args` and `kw`.
    A number may stand for a function. If there is one function more than conditions, the last
    function is for the other entries. If several conditions hold, the last of them counts.

    Raises
    ------
    TypeError
        If `x` holds integers and a function returns floats, because they would be rounded.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> x = tg.Tensor([-1.0, 4.0])
    >>> tg.piecewise(x, [x < 0], [np.negative, np.sqrt])
    Tensor([1., 2.])
    """
    x = as_operand("piecewise", "x", x)
    is_single = np.ndim(condlist) == 0 or (
        not isinstance(condlist[0], list | np.ndarray) and x.ndim
    )
    conditions = [np.asarray(c, bool) for c in ([condlist] if is_single else condlist)]
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.logical_or.reduce(conditions))
    if len(funclist) != len(conditions):
        n = len(conditions)
        expected, got = f"{format_count(n, 'function')}, or one more", str(len(funclist))
        fix = "give one function for each condition, and one for the rest"
        raise argument_error("piecewise", "funclist", expected, got, fix)
    y = where(np.zeros(x.shape, bool), x, 0)  # zeros, as a Tensor if x is one
    for condition, function in zip(conditions, funclist, strict=True):
        part = x[condition]
        if part.size:
            value = function(part, *args, **kw) if callable(function) else function
            value = _in_dtype(as_operand("piecewise", "funclist", value, x), x)
            value = broadcast_to(value, part.shape)
            y = where(condition, scatter([value], [condition], x.shape), y)
    return y


def _in_dtype(value: Any, x: Any) -> Any:
    """Return what a function returned, in the dtype of `x` if `x` holds integers."""
    if x.dtype.kind == "f" or value.dtype == x.dtype:
        return value
    if value.dtype.kind == "f":
        expected, fix = "a floating dtype, as the results have", "use x.astype(float)"
        raise argument_error("piecewise", "x", expected, describe(x), fix, TypeError)
    return astype(value, dtype=x.dtype)
