"""NumPy's reductions with arguments that the ops do not have: `where` and `initial`.

With no such argument, each of these functions calls the op of its name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import widen
from ..graph import unwrap
from . import arithmetic, reductions, ufunc_methods
from .averages import mean_where, var_where
from .composition import as_operand, composition, in_dtype_of

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


@composition(np.sum, sample=sample_both)
def _sum(
    a: Any, axis: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """Return the sum over `axis` of the entries where `where` is True, plus `initial`."""
    if initial is None and where is True:
        return reductions.sum(a, axis=axis, keepdims=keepdims)
    return ufunc_methods.reduce(np.add, arithmetic.add, a, axis, keepdims, initial, where)


@composition(np.prod, sample=sample_both)
def _prod(
    a: Any, axis: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """Return the product over `axis` of the entries where `where` is True, times `initial`."""
    if initial is None and where is True:
        return reductions.prod(a, axis=axis, keepdims=keepdims)
    return ufunc_methods.reduce(np.multiply, arithmetic.multiply, a, axis, keepdims, initial, where)


@composition(np.max, np.amax, sample=sample_initial)
def _max(
    a: Any, axis: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """Return the largest of `initial` and the entries over `axis` where `where` is True."""
    if initial is None and where is True:
        return reductions.max(a, axis=axis, keepdims=keepdims)
    return ufunc_methods.reduce(np.maximum, arithmetic.maximum, a, axis, keepdims, initial, where)


@composition(np.min, np.amin, sample=sample_initial)
def _min(
    a: Any, axis: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """Return the smallest of `initial` and the entries over `axis` where `where` is True."""
    if initial is None and where is True:
        return reductions.min(a, axis=axis, keepdims=keepdims)
    return ufunc_methods.reduce(np.minimum, arithmetic.minimum, a, axis, keepdims, initial, where)


@composition(np.mean, sample=sample_masked)
def _mean(a: Any, axis: Any = None, keepdims: bool = False, *, where: Any = True) -> Any:
    """Return the mean over `axis` of the entries where `where` is True."""
    if where is True:
        return reductions.mean(a, axis=axis, keepdims=keepdims)
    return mean_where(as_operand(a), unwrap(where), axis, keepdims)


@composition(
    np.var,
    sample=lambda r: [*sample_masked(r), (r(3, 4), 0, {"correction": 1}), (r(5), {"ddof": 1})],
)
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
    if where is True:
        return reductions.var(a, axis=axis, ddof=ddof, keepdims=keepdims)
    return var_where(as_operand(a), unwrap(where), axis, ddof, keepdims)


@composition(
    np.std,
    sample=lambda r: [*sample_masked(r), (r(3, 4), 0, {"correction": 1}), (r(5), {"ddof": 1})],
)
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
    ddof = ddof if correction is None else correction
    if where is True:
        return reductions.std(a, axis=axis, ddof=ddof, keepdims=keepdims)
    a = as_operand(a)
    v = var_where(widen(a), unwrap(where), axis, ddof, keepdims)
    return in_dtype_of(a, reductions.root_of_variance(v))
