"""NumPy's reductions with arguments that the ops do not have: `dtype`, `where` and `initial`.

With no such argument, each of these functions calls the op of its name.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import check
from ..dtypes import widen
from ..graph import unwrap
from ..op import registry
from . import reductions, ufunc_methods
from .averages import mean_where, var_where
from .composition import composition
from .operands import as_operand, in_dtype_of, with_dtype

MASK = np.array([[True, False, True, True], [True, True, False, False], [True, True, True, False]])


def sample_masked(r: Any) -> list[Any]:
    """Return a sample call without a mask, and two with a mask: over all axes, and over one."""
    return [
        (r(3, 4), {"axis": 1}),
        (r(3, 4), {"where": MASK}),
        (r(3, 4), {"where": MASK, "axis": 0, "keepdims": True}),
    ]


def sample_initial(r: Any) -> list[Any]:
    """Return sample calls with `initial`: alone, with a mask, and for an array without entries."""
    return [
        (r(3, 4), {"initial": 0.1, "axis": 1}),
        (r(3, 4), {"where": MASK, "initial": 0.1, "axis": 0, "keepdims": True}),
        (r(0, 2), {"initial": 0.1, "axis": 0}),
    ]


def sample_spread(r: Any) -> list[Any]:
    """Return the calls of `sample_masked`, and calls with another divisor."""
    return [*sample_masked(r), (r(3, 4), 0, {"correction": 1}), (r(5), {"ddof": 1})]


def sample_with_mean(r: Any) -> list[Any]:
    """Return the calls of `sample_spread`, and one with a mean that is known."""
    return [*sample_spread(r), (r(3, 4), {"axis": 1, "mean": r(3, 1), "where": MASK})]


def sample_both(r: Any) -> list[Any]:
    """Return the calls of `sample_masked` and of `sample_initial`."""
    return [*sample_masked(r), *sample_initial(r)]


def reduce_where(
    name: str, ufunc: np.ufunc, a: Any, axis: Any, keepdims: bool, initial: Any, where: Any
) -> Any:
    """Return what the op `name` returns, or with `initial` or `where` the reduction of `ufunc`."""
    if initial is None and where is True:
        return registry[name](a, axis=axis, keepdims=keepdims)
    op = registry[ufunc.__name__]
    return ufunc_methods.reduce(ufunc, op, a, axis, keepdims, initial, where)


@composition(np.sum, sample=sample_both)
def _sum(
    a: Any,
    axis: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
    *,
    dtype: Any = None,
) -> Any:
    """Return the sum over `axis` of the entries where `where` is True, plus `initial`."""
    a = with_dtype("sum", "a", a, dtype)
    return reduce_where("sum", np.add, a, axis, keepdims, initial, where)


@composition(np.prod, sample=sample_both)
def _prod(
    a: Any,
    axis: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
    *,
    dtype: Any = None,
) -> Any:
    """Return the product over `axis` of the entries where `where` is True, times `initial`."""
    a = with_dtype("prod", "a", a, dtype)
    return reduce_where("prod", np.multiply, a, axis, keepdims, initial, where)


@composition(np.max, np.amax, sample=sample_initial)
def _max(
    a: Any, axis: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """Return the largest of `initial` and the entries over `axis` where `where` is True."""
    return reduce_where("max", np.maximum, a, axis, keepdims, initial, where)


@composition(np.min, np.amin, sample=sample_initial)
def _min(
    a: Any, axis: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """Return the smallest of `initial` and the entries over `axis` where `where` is True."""
    return reduce_where("min", np.minimum, a, axis, keepdims, initial, where)


@composition(np.mean, sample=sample_masked)
def _mean(
    a: Any, axis: Any = None, keepdims: bool = False, *, where: Any = True, dtype: Any = None
) -> Any:
    """Return the mean over `axis` of the entries where `where` is True."""
    a = with_dtype("mean", "a", a, dtype)
    if where is True:
        return reductions.mean(a, axis=axis, keepdims=keepdims)
    return mean_where(a, unwrap(where), axis, keepdims)


@composition(np.var, sample=sample_with_mean)
def _var(
    a: Any,
    axis: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: float | None = None,
    dtype: Any = None,
) -> Any:
    """Return the variance over `axis` of the entries where `where` is True. `correction` is another
    name of `ddof`, and `mean` is the mean if it is known."""
    ddof, fix = ddof if correction is None else correction, "write ddof=1, for example"
    ddof = check.number("var", "ddof", ddof, "a number", low=-math.inf, fix=fix)
    a = with_dtype("var", "a", a, dtype)
    if where is True and mean is None:
        return reductions.var(a, axis=axis, ddof=ddof, keepdims=keepdims)
    mean = None if mean is None else as_operand("var", "mean", mean, a)
    return var_where(a, unwrap(where), axis, ddof, keepdims, mean)


@composition(np.std, sample=sample_with_mean)
def _std(
    a: Any,
    axis: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: float | None = None,
    dtype: Any = None,
) -> Any:
    """Return the standard deviation over `axis` of the entries where `where` is True; the arguments
    are those of the variance."""
    a = with_dtype("std", "a", a, dtype)
    mean = None if mean is None else as_operand("std", "mean", mean, a)
    more = {"where": where, "mean": mean, "correction": correction}
    return in_dtype_of(a, reductions.root_of_variance(_var(widen(a), axis, ddof, keepdims, **more)))


@composition(np.cumsum, sample=lambda r: [(r(3, 4),), (r(3, 4), 1)])
def _cumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Return the running sums along `axis`, or over the flattened array if `axis` is None."""
    return reductions.cumsum(with_dtype("cumsum", "a", a, dtype), axis=axis)
