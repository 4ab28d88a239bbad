"""Functions that leave NaN out, where other functions return NaN.

An entry that is NaN gets the gradient 0.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from math import nan as not_a_number
from typing import Any

import numpy as np

from ..dtypes import widen
from .arithmetic import maximum, minimum
from .averages import mean_where, var_where
from .composition import composition
from .indexing import where
from .operands import as_operand, as_operands, in_dtype_of
from .reductions import max, min, prod, root_of_variance, sample_reduction, sum


@composition(np.nan_to_num, sample=lambda r: [(r(3, 4),), (r(3), {"nan": 1.0, "posinf": 2.0})])
def nan_to_num(x: Any, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """Return `x` with other numbers in place of NaN, inf and −inf. By default these are 0 and the
    largest and smallest number of the dtype. The derivative is 0 at the replaced entries.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.nan_to_num(tg.Tensor([1.0, np.nan, np.inf]), posinf=9.0)
    Tensor([1., 0., 9.])
    """
    x = as_operand("nan_to_num", "x", x)
    if x.dtype.kind != "f":
        return x
    limits = np.finfo(x.dtype)
    x = where(x == inf, float(limits.max) if posinf is None else posinf, x)
    x = where(x == -inf, float(limits.min) if neginf is None else neginf, x)
    return where(x == x, x, nan)


@composition(np.fmax, sample=lambda r: [(r(3, 4), r(3, 4)), (r(3, 4), r(4)), (r(3), 0.0)])
def fmax(a: Any, b: Any) -> Any:
    """Return the elementwise maximum of `a` and `b`, or the other number where one of them is NaN.
    Where `a` and `b` are equal, each gets half of the gradient.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.fmax(tg.Tensor([1.0, np.nan]), 0)
    Tensor([1., 0.])
    """
    a, b = as_operands("fmax", a=a, b=b)
    return where(b != b, a, where(a != a, b, maximum(a, b)))  # only NaN is not equal to itself


@composition(np.fmin, sample=lambda r: [(r(3, 4), r(3, 4)), (r(3, 4), r(4)), (r(3), 0.0)])
def fmin(a: Any, b: Any) -> Any:
    """Return the elementwise minimum of `a` and `b`, or the other number where one of them is NaN.
    Where `a` and `b` are equal, each gets half of the gradient.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.fmin(tg.Tensor([1.0, np.nan]), 0)
    Tensor([0., 0.])
    """
    a, b = as_operands("fmin", a=a, b=b)
    return where(b != b, a, where(a != a, b, minimum(a, b)))


@composition(np.nansum, sample=sample_reduction)
def nansum(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the sum over `axis` of the entries that are not NaN; see `sum`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.nansum(tg.Tensor([1.0, np.nan, 3.0]))
    Tensor(4.)
    """
    a = as_operand("nansum", "a", a)
    return sum(where(a == a, a, 0), axis=axis, keepdims=keepdims)


@composition(np.nanprod, sample=sample_reduction)
def nanprod(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the product over `axis` of the entries that are not NaN; see `prod`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.nanprod(tg.Tensor([2.0, np.nan, 3.0]))
    Tensor(6.)
    """
    a = as_operand("nanprod", "a", a)
    return prod(where(a == a, a, 1), axis=axis, keepdims=keepdims)


@composition(np.nanmax, sample=sample_reduction)
def nanmax(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the largest entry over `axis` that is not NaN, or NaN if all are; see `max`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.nanmax(tg.Tensor([1.0, np.nan, 3.0]))
    Tensor(3.)
    """
    return _extreme(max, -inf, as_operand("nanmax", "a", a), axis, keepdims)


@composition(np.nanmin, sample=sample_reduction)
def nanmin(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the smallest entry over `axis` that is not NaN, or NaN if all are; see `min`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.nanmin(tg.Tensor([1.0, np.nan, 3.0]))
    Tensor(1.)
    """
    return _extreme(min, inf, as_operand("nanmin", "a", a), axis, keepdims)


def _extreme(reduce: Callable[..., Any], limit: float, a: Any, axis: Any, keepdims: bool) -> Any:
    """Return the largest or smallest entry over `axis`, with `limit` in place of NaN."""
    if a.dtype.kind != "f":
        return reduce(a, axis=axis, keepdims=keepdims)
    found = reduce(where(a == a, a, limit), axis=axis, keepdims=keepdims)
    return where(np.all(a != a, axis=axis, keepdims=keepdims), not_a_number, found)


@composition(np.nanmean, sample=sample_reduction)
def nanmean(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the mean over `axis` of the entries that are not NaN. If all entries are NaN,
    the mean is NaN, with NumPy's warning.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.nanmean(tg.Tensor([1.0, np.nan, 3.0]))
    Tensor(2.)
    """
    a = as_operand("nanmean", "a", a)
    return mean_where(a, a == a, axis, keepdims)


def sample_nanvar(r: Any) -> list[Any]:
    """Return sample calls of a variance, one of them with another divisor."""
    return [*sample_reduction(r), (r(3, 4), {"axis": 0, "ddof": 1})]


@composition(np.nanvar, sample=sample_nanvar)
def nanvar(a: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """Return the variance over `axis` of the entries that are not NaN; see `var`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.nanvar(tg.Tensor([1.0, np.nan, 3.0]))
    Tensor(1.)
    """
    a = as_operand("nanvar", "a", a)
    return var_where(a, a == a, axis, ddof, keepdims)


@composition(np.nanstd, sample=sample_nanvar)
def nanstd(a: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """Return the standard deviation over `axis` of the entries that are not NaN; see `std`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.nanstd(tg.Tensor([1.0, np.nan, 3.0]))
    Tensor(1.)
    """
    a = as_operand("nanstd", "a", a)
    return in_dtype_of(a, root_of_variance(nanvar(widen(a), axis, ddof, keepdims)))
