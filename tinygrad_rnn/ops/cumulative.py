"""Running products and sums that NumPy has besides `cumsum`, which is in `reductions`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..errors import argument_error
from .composition import composition
from .indexing import where
from .operands import as_operand, with_dtype
from .reductions import cumsum, running_product
from .shapes import concatenate, moveaxis, ravel


def sample_cumulative(r: Any) -> list[Any]:
    """Return sample calls on a flattened array, along an axis, on one number, and on no entries."""
    return [(r(3, 4),), (r(3, 4), {"axis": 0}), (r(2, 3), -1), (r(),), (r(0, 2), 0)]


def sample_array_api(r: Any) -> list[Any]:
    """Return sample calls of the cumulative functions that the array API standard names."""
    return [(r(4),), (r(3, 4), {"axis": 0}), (r(3, 4), {"axis": 1, "include_initial": True})]


@composition(np.cumprod, sample=sample_cumulative)
def cumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Return the running products along `axis`, or over the flattened array if `axis` is None. The
    derivative is correct even where some entries are 0.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.cumprod(tg.Tensor([2.0, 3.0, 4.0]))
    Tensor([ 2.,  6., 24.])
    """
    a = with_dtype("cumprod", "a", a, dtype)
    if a.dtype.kind != "f":  # NumPy multiplies small integers in the widest integer dtype
        a = a.astype(np.cumprod(np.ones(1, a.dtype)).dtype)
    if axis is None:
        return running_product(ravel(a))
    axis = normalize_axis_index(axis, a.ndim, "cumprod: axis")
    return moveaxis(running_product(moveaxis(a, axis, 0)), 0, axis)


@composition(np.nancumsum, sample=sample_cumulative)
def nancumsum(a: Any, axis: int | None = None) -> Any:
    """Return the running sums along `axis`, as `cumsum` does, with 0 in place of NaN.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.nancumsum(tg.Tensor([1.0, np.nan, 3.0]))
    Tensor([1., 1., 4.])
    """
    a = as_operand("nancumsum", "a", a)
    return cumsum(where(a != a, 0, a), axis=axis)


@composition(np.nancumprod, sample=sample_cumulative)
def nancumprod(a: Any, axis: int | None = None) -> Any:
    """Return the running products along `axis`, as `cumprod` does, with 1 in place of NaN.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.nancumprod(tg.Tensor([2.0, np.nan, 3.0]))
    Tensor([2., 2., 6.])
    """
    a = as_operand("nancumprod", "a", a)
    return cumprod(where(a != a, 1, a), axis=axis)


@composition(np.cumulative_sum, sample=sample_array_api)
def cumulative_sum(x: Any, axis: int | None = None, include_initial: bool = False) -> Any:
    """Return the running sums along `axis`; if `include_initial` is True, put a 0 before them.

    Raises
    ------
    ValueError
        If `x` has several axes and `axis` is None.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.cumulative_sum(tg.Tensor([1.0, 2.0, 3.0]), include_initial=True)
    Tensor([0., 1., 3., 6.])
    """
    return _cumulative("cumulative_sum", cumsum, 0, x, axis, include_initial)


@composition(np.cumulative_prod, sample=sample_array_api)
def cumulative_prod(x: Any, axis: int | None = None, include_initial: bool = False) -> Any:
    """Return the running products along `axis`; if `include_initial` is True, put a 1 before them.

    Raises
    ------
    ValueError
        If `x` has several axes and `axis` is None.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.cumulative_prod(tg.Tensor([2.0, 3.0, 4.0]), include_initial=True)
    Tensor([ 1.,  2.,  6., 24.])
    """
    return _cumulative("cumulative_prod", cumprod, 1, x, axis, include_initial)


def _cumulative(
    name: str, run: Callable[..., Any], initial: int, x: Any, axis: int | None, has_initial: bool
) -> Any:
    """Return ``run(x, axis)``; if `has_initial` is True, put the number `initial` before it."""
    a = as_operand(name, "x", x)
    if axis is None and a.ndim != 1:
        fix = "pass axis="
        raise argument_error(name, "axis", "an integer, because x is not a vector", "None", fix)
    axis = normalize_axis_index(axis or 0, a.ndim, f"{name}: axis")
    result = run(a, axis=axis)
    if not has_initial:
        return result
    shape = [1 if i == axis else n for i, n in enumerate(a.shape)]
    return concatenate([np.full(shape, initial, a.dtype), result], axis=axis)
