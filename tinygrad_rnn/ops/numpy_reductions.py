"""NumPy's reductions with arguments that the ops do not have: `where` and `initial`.

With no such argument, each of these functions calls the op of its name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import widen
from ..graph import unwrap
from ..op import registry
from . import reductions, ufunc_methods
from .averages import mean_where, var_where
from .composition import composition
from .operands import as_operand, in_dtype_of

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


def sample_both(r: Any) -> list[Any]:
    """Return the calls of `sample_masked` and of `sample_initial`."""
    return [*sample_masked(r), *sample_initial(r)]


def reduce_where(
    name: str, ufunc: np.ufunc, a: Any, axis: Any, keepdims: bool, initial: Any, where: Any
) -> Any:
    """Return what the op `name` returns, or with `initial` or `where` the reduction of `ufunc`."""
    a = as_operand(name, "a", a)
    if initial is None and where is True:
        return registry[name](a, axis=axis, keepdims=keepdims)
    op = registry[ufunc.__name__]
    return ufunc_methods.reduce(ufunc, op, a, axis, keepdims, initial, where)


@composition(np.sum, sample=sample_both)
def _sum(
    a: Any, axis: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """Return the sum over `axis` of the entries where `where` is True, plus `initial`."""
    return reduce_where("sum", np.add, a, axis, keepdims, initial, where)


@composition(np.prod, sample=sample_both)
def _prod(
    a: Any, axis: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """Return the product over `axis` of the entries where `where` is True, times `initial`."""
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
def _mean(a: Any, axis: Any = None, keepdims: bool = False, *, where: Any = True) -> Any:
    """Return the mean over `axis` of the entries where `where` is True."""
    a = as_operand("mean", "a", a)
    if where is True:
        return reductions.mean(a, axis=axis, keepdims=keepdims)
    return mean_where(a, unwrap(where), axis, keepdims)


@composition(np.var, sample=sample_spread)
def _var(
    a: Any,
    axis: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    correction: float | None = None,
) -> Any:
    """Return the variance over `axis` of the entries where `where` is True. `correction` is another
    name of `ddof`."""
    ddof = ddof if correction is None else correction
    a = as_operand("var", "a", a)
    if where is True:
        return reductions.var(a, axis=axis, ddof=ddof, keepdims=keepdims)
    return var_where(a, unwrap(where), axis, ddof, keepdims)


@composition(np.std, sample=sample_spread)
def _std(
    a: Any,
    axis: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    correction: float | None = None,
) -> Any:
    """Return the standard deviation over `axis` of the entries where `where` is True."""
    a = as_operand("std", "a", a)
    v = _var(widen(a), axis, ddof, keepdims, where=where, correction=correction)
    return in_dtype_of(a, reductions.root_of_variance(v))
