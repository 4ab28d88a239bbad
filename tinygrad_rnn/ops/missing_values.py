"""Functions that leave NaN out, where other functions return NaN.

An entry that is NaN gets the gradient 0.
"""

from __future__ import annotations

from math import inf
from math import nan as not_a_number
from typing import Any

import numpy as np

from ..dtypes import widen
from ..graph import unwrap
from .arithmetic import maximum, minimum
from .averages import mean_where, var_where
from .composition import composition
from .indexing import where as choose
from .numpy_reductions import (
    reduce_where,
    sample_both,
    sample_initial,
    sample_masked,
    sample_spread,
)
from .operands import as_operand, as_operands, in_dtype_of
from .reductions import root_of_variance


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
    x = choose(x == inf, float(limits.max) if posinf is None else posinf, x)
    x = choose(x == -inf, float(limits.min) if neginf is None else neginf, x)
    return choose(x == x, x, nan)


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
    return choose(b != b, a, choose(a != a, b, maximum(a, b)))  # only NaN is not equal to itself


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
    return choose(b != b, a, choose(a != a, b, minimum(a, b)))


@composition(np.nansum, sample=sample_both)
def nansum(
    a: Any, axis: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """Return the sum over `axis` of the entries that are not NaN; see `sum`. Entries where `where`
    is False are left out, and `initial` is added.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.nansum(tg.Tensor([1.0, np.nan, 3.0]))
    Tensor(4.)
    """
    a = as_operand("nansum", "a", a)
    return reduce_where("sum", np.add, choose(a == a, a, 0), axis, keepdims, initial, where)


@composition(np.nanprod, sample=sample_both)
def nanprod(
    a: Any, axis: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """Return the product over `axis` of the entries that are not NaN; see `prod`. Entries where
    `where` is False are left out, and `initial` is one more factor.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.nanprod(tg.Tensor([2.0, np.nan, 3.0]))
    Tensor(6.)
    """
    a = as_operand("nanprod", "a", a)
    return reduce_where("prod", np.multiply, choose(a == a, a, 1), axis, keepdims, initial, where)


@composition(np.nanmax, sample=sample_initial)
def nanmax(
    a: Any, axis: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """Return the largest entry over `axis` that is not NaN, or NaN if all are; see `max`. Entries
    where `where` is False are left out, and `initial` counts as one more entry.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.nanmax(tg.Tensor([1.0, np.nan, 3.0]))
    Tensor(3.)
    """
    a = as_operand("nanmax", "a", a)
    return _extreme("max", np.maximum, -inf, a, axis, keepdims, initial, where)


@composition(np.nanmin, sample=sample_initial)
def nanmin(
    a: Any, axis: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """Return the smallest entry over `axis` that is not NaN, or NaN if all are; see `min`. Entries
    where `where` is False are left out, and `initial` counts as one more entry.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.nanmin(tg.Tensor([1.0, np.nan, 3.0]))
    Tensor(1.)
    """
    a = as_operand("nanmin", "a", a)
    return _extreme("min", np.minimum, inf, a, axis, keepdims, initial, where)


def _extreme(
    name: str,
    ufunc: np.ufunc,
    limit: float,
    a: Any,
    axis: Any,
    keepdims: bool,
    initial: Any,
    where: Any,
) -> Any:
    """Return the largest or smallest entry over `axis`, with `limit` in place of NaN."""
    if a.dtype.kind != "f":
        return reduce_where(name, ufunc, a, axis, keepdims, initial, where)
    is_nan, known = a != a, choose(a == a, a, limit)
    found = reduce_where(name, ufunc, known, axis, keepdims, initial, where)
    if initial is not None:
        return found
    return choose(np.all(is_nan, axis=axis, keepdims=keepdims), not_a_number, found)


@composition(np.nanmean, sample=sample_masked)
def nanmean(a: Any, axis: Any = None, keepdims: bool = False, *, where: Any = True) -> Any:
    """Return the mean over `axis` of the entries that are not NaN, and where `where` is True. If
    there is no such entry, the mean is NaN, with NumPy's warning.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.nanmean(tg.Tensor([1.0, np.nan, 3.0]))
    Tensor(2.)
    """
    a = as_operand("nanmean", "a", a)
    return mean_where(a, (a == a) & unwrap(where), axis, keepdims)


@composition(np.nanvar, sample=sample_spread)
def nanvar(
    a: Any,
    axis: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    correction: float | None = None,
) -> Any:
    """Return the variance over `axis` of the entries that are not NaN, and where `where` is True;
    see `var`. `correction` is another name of `ddof`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.nanvar(tg.Tensor([1.0, np.nan, 3.0]))
    Tensor(1.)
    """
    a = as_operand("nanvar", "a", a)
    ddof = ddof if correction is None else correction
    return var_where(a, (a == a) & unwrap(where), axis, ddof, keepdims)


@composition(np.nanstd, sample=sample_spread)
def nanstd(
    a: Any,
    axis: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    correction: float | None = None,
) -> Any:
    """Return the standard deviation over `axis` of the entries that are not NaN, and where `where`
    is True; see `std`. `correction` is another name of `ddof`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.nanstd(tg.Tensor([1.0, np.nan, 3.0]))
    Tensor(1.)
    """
    a = as_operand("nanstd", "a", a)
    v = nanvar(widen(a), axis, ddof, keepdims, where=where, correction=correction)
    return in_dtype_of(a, root_of_variance(v))
