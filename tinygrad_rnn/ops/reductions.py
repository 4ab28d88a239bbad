"""Reductions over one axis, several axes, or all axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..dtypes import as_ndarray, widen
from ..errors import argument_error, describe
from ..errors.named_calls import explain_names
from ..graph import Value, unwrap
from .definition import op
from .elementwise import exp, sqrt
from .half_precision import HALF, compute_in_float32
from .indexing import keep_where, where
from .operands import as_operand
from .shapes import concatenate, flip, invert_permutation, transpose

REDUCED = "any shape → that shape without axis, or with size 1 at axis if keepdims"


def sample_reduction(r: Any) -> list[Any]:
    """Return sample calls over all axes, one axis, the last axis and two axes."""
    return [
        (r(3, 4),),
        (r(3, 4), {"axis": 0}),
        (r(2, 3), {"axis": -1, "keepdims": True}),
        (r(2, 3, 2), {"axis": (0, -1), "keepdims": True}),
    ]


def restore_axes(g: Any, a: Any, axis: Any) -> Any:
    """Return `g` with the reduced axes of `a` put back with size 1, so that it broadcasts."""
    if axis is None or not a.ndim:
        return g.reshape((1,) * a.ndim)
    shape = list(a.shape)
    for i in axis if isinstance(axis, tuple) else (axis,):
        shape[i] = 1
    return g.reshape(shape)


def add_up(a: Any, axis: Any, keepdims: bool) -> Any:
    """Return the sum of `a` over `axis`; float16 gives float32."""
    return np.add.reduce(a, axis, np.float32 if a.dtype is HALF else None, keepdims=keepdims)


def reduction_factor(y: Any, a: Any) -> float:
    """Return the number of entries of `a` that were reduced to one entry of `y`."""
    return a.size / y.size if y.size else 0.0


@op("Σ({a})", shapes=REDUCED, sample=sample_reduction, reference=np.sum)
def sum(a: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the sum over `axis` (an integer, a tuple, or None for all). NumPy uses pairwise
    summation along a contiguous axis, so for n entries the rounding error grows only with log n.
    float16 is summed in float32.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.sum(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Tensor([4., 6.])
    """
    total = add_up(a, axis, keepdims)
    return total.astype(HALF) if a.dtype is HALF else total


sum.vjps(a=lambda g, y, a, axis, keepdims: restore_axes(g, a, axis))


@op("mean({a})", shapes=REDUCED, sample=sample_reduction, reference=np.mean)
def mean(a: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the arithmetic mean over `axis`, computed from the sum as in `sum`. The mean of no
    entries is NaN, with NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.mean(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Tensor([2., 3.])
    """
    total = add_up(a, axis, keepdims)
    result = total / reduction_factor(total, a)
    return result.astype(HALF) if a.dtype is HALF else result


mean.vjps(
    a=lambda g, y, a, axis, keepdims: restore_axes(widen(g), a, axis) / reduction_factor(y, a)
)


@op("Π({a})", shapes=REDUCED, sample=sample_reduction, reference=np.prod)
@compute_in_float32
def prod(a: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the product over `axis`. The derivative with respect to an entry is the product of the
    other entries, which is correct even where some entries are 0.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.prod(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Tensor([3., 8.])
    """
    return np.multiply.reduce(a, axis, keepdims=keepdims)


prod.vjps(
    a=lambda g, y, a, axis, keepdims: product_rule(
        restore_axes(g, a, axis), multiply_others(widen(a), axis)
    )
)


def product_rule(g: Any, others: Any) -> Any:
    """Return ``g * others``, with 0 where `others` is 0, even if `g` is infinite or NaN."""
    return keep_where((others != 0) | np.isfinite(g), g) * others


def multiply_others(a: Any, axis: Any) -> Any:
    """Return, for each entry, the product of all other entries along `axis`.

    The result is the product of all earlier entries, times the product of all later entries. The
    quotient y / a is not used, because it may be 0 / 0.
    """
    along = range(a.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    along = tuple(i % a.ndim for i in along) if a.ndim else ()
    order = (*along, *(i for i in range(a.ndim) if i not in along))
    moved = transpose(a, order)
    flat = moved.reshape((math.prod(moved.shape[: len(along)]), *moved.shape[len(along) :]))
    others = exclusive_cumprod(flat) * flip(exclusive_cumprod(flip(flat, 0)), 0)
    return transpose(others.reshape(moved.shape), invert_permutation(order))


def exclusive_cumprod(a: Any) -> Any:
    """Return 1, a₀, a₀ a₁, … along the first axis: for each entry, the product of those before."""
    return running_product(concatenate([np.ones(a[:1].shape, a.dtype), a[:-1]]))


def running_product(x: Any) -> Any:
    """Return x₀, x₀ x₁, … along the first axis, by log₂ n multiplications of whole arrays."""
    factors = 1  # x[i] is the product of the `factors` entries up to i, or of all up to i
    while factors < len(x):
        x = concatenate([x[:factors], x[factors:] * x[:-factors]])
        factors *= 2
    return x


@op(
    "var({a})",
    shapes=REDUCED,
    sample=lambda r: [*sample_reduction(r), (r(3, 4), {"axis": 0, "ddof": 1})],
    reference=np.var,
)
@compute_in_float32
def var(a: Any, *, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """Return the variance over `axis`, Σ (a − mean)² / (n − ddof), as `numpy.var` does. The mean
    is subtracted before squaring, so a large mean costs no digits.

    PyTorch divides by n − 1 by default; use ``ddof=1`` for that.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.var(tg.Tensor([1.0, 3.0]))
    Tensor(1.)
    """
    return np.var(a, axis, ddof=ddof, keepdims=keepdims)


var.vjps(
    a=lambda g, y, a, axis, ddof, keepdims: (
        restore_axes(widen(g), a, axis)
        * ((a - mean(widen(a), axis=axis, keepdims=True)) / ((reduction_factor(y, a) - ddof) / 2))
    )
)


@explain_names
def std(a: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """Return the standard deviation, the square root of the variance; see `var`.

    Where all entries are equal, the standard deviation has a kink, because the square root has an
    infinite slope at 0. There, its gradient is taken to be 0.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.std(tg.Tensor([1.0, 3.0]))
    Tensor(1.)
    """
    a = as_operand("std", "a", a)
    # In float16, the variance may overflow although its square root does not.
    y = root_of_variance(var(widen(a), axis=axis, ddof=ddof, keepdims=keepdims))
    return y.astype(a.dtype) if a.dtype == np.float16 else y


def root_of_variance(v: Any) -> Any:
    """Return √v, with the derivative 0 where `v` is 0."""
    is_zero = v == 0
    return where(is_zero, 0, sqrt(where(is_zero, 1, v)))


@op("max({a})", shapes=REDUCED, sample=sample_reduction, reference=np.max)
def max(a: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the largest entry over `axis`. If several entries are the largest, they share the
    gradient equally. NaN counts as the largest.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.max(tg.Tensor([[1.0, 2.0], [3.0, 0.0]]), axis=1)
    Tensor([2., 3.])
    """
    return np.maximum.reduce(a, axis, keepdims=keepdims)


max.vjps(
    a=lambda g, y, a, axis, keepdims: share_among_equal(
        restore_axes(g, a, axis), restore_axes(y, a, axis), a, axis
    )
)


@op("min({a})", shapes=REDUCED, sample=sample_reduction, reference=np.min)
def min(a: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the smallest entry over `axis`. If several entries are the smallest, they share the
    gradient equally. NaN counts as the smallest.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.min(tg.Tensor([[1.0, 2.0], [3.0, 0.0]]), axis=1)
    Tensor([1., 0.])
    """
    return np.minimum.reduce(a, axis, keepdims=keepdims)


min.vjps(
    a=lambda g, y, a, axis, keepdims: share_among_equal(
        restore_axes(g, a, axis), restore_axes(y, a, axis), a, axis
    )
)


def share_among_equal(g: Any, y: Any, a: Any, axis: Any) -> Any:
    """Share `g` equally among the entries of `a` that equal `y`; the other entries get 0.

    If `y` is NaN, the entries that are NaN share `g`.
    """
    chosen = (a == y) | (a != a)
    part = g / chosen.sum(axis=axis, keepdims=True)
    return keep_where(chosen, part.astype(g.dtype))


@op(
    "cumsum({a})",
    shapes="(…) → (…), or (size,) if axis is None",
    sample=lambda r: [(r(3, 4),), (r(3, 4), {"axis": 0}), (r(3, 4), {"axis": -1})],
    reference=np.cumsum,
)
@compute_in_float32
def cumsum(a: Any, *, axis: int | None = None) -> Any:
    """Return the running sums along `axis`, or over the flattened array if `axis` is None. Entries
    are added one by one, so rounding errors grow with the number of entries.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.cumsum(tg.Tensor([1.0, 2.0, 3.0]))
    Tensor([1., 3., 6.])
    """
    return np.cumsum(a, axis)


cumsum.vjps(a=lambda g, y, a, axis: flip(cumsum(flip(g, axis), axis), axis).reshape(a.shape))


@op(
    "logsumexp({a})",
    shapes=REDUCED,
    sample=sample_reduction,
    reference=lambda a, axis, keepdims=False: np.log(np.exp(a).sum(axis, keepdims=keepdims)),
)
@compute_in_float32
@np.errstate(under="ignore")
def logsumexp(a: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Return log Σ exp(a) over `axis`. It cannot overflow, because the largest entry is subtracted
    first. Where every entry is −inf, the result is −inf too.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.logsumexp(tg.Tensor([1e4, 1e4]))
    Tensor(10000.693)
    """
    top = np.maximum.reduce(a, axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):  # where every entry is −inf, log(0) = −inf is correct
        y = np.log(np.add.reduce(np.exp(a - top), axis, keepdims=True)) + top
    return y if keepdims else np.squeeze(y, tuple(range(np.ndim(a))) if axis is None else axis)


logsumexp.vjps(
    a=lambda g, y, a, axis, keepdims: scale(
        restore_axes(g, a, axis), exp(a - replace_minus_inf(restore_axes(y, a, axis)))
    )
)


def scale(g: Any, p: Any) -> Any:
    """Return ``g * p`` for probabilities `p`, with 0 where p is 0, even if g is infinite or NaN."""
    chosen = p != 0
    product = keep_where(chosen, g) * p
    return keep_where(chosen, product) if isinstance(product, Value) else product


def replace_minus_inf(y: Any) -> Any:
    """Return `y` with 0 in place of −inf.

    Where y = logsumexp(a) is −inf, every entry of `a` in that sum is −inf too. Then exp(a − y)
    would be NaN, but exp(a − 0) is 0.
    """
    return where(y == -math.inf, 0, y)


@op(
    "softmax({a})",
    shapes="(…) → (…)",
    sample=lambda r: [(r(3, 4),), (r(3, 4), {"axis": 0})],
    reference=lambda a, axis: np.exp(a) / np.exp(a).sum(axis, keepdims=True),
)
@compute_in_float32
@np.errstate(under="ignore")
def softmax(a: Any, *, axis: int = -1) -> Any:
    """Return exp(a) / Σ exp(a) along `axis`: numbers from 0 to 1 whose sum is 1. The largest entry
    is subtracted first, so exp cannot overflow.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.softmax(tg.Tensor([1e4, 1e4, 0.0]))
    Tensor([0.5, 0.5, 0. ])
    """
    y = np.exp(a - np.maximum.reduce(a, axis, keepdims=True))
    return y / np.add.reduce(y, axis, keepdims=True)


softmax.vjps(a=lambda g, y, a, axis: softmax_rule(widen(g), y, axis))


def softmax_rule(g: Any, y: Any, axis: int) -> Any:
    """Return y (g − Σ g y), with 0 where y is 0, even if g is infinite or NaN there."""
    chosen = y != 0
    g = keep_where(chosen, g)
    return keep_where(chosen, y * (g - (g * y).sum(axis=axis, keepdims=True)))


@op(
    "log_softmax({a})",
    shapes="(…) → (…)",
    sample=lambda r: [(r(3, 4),), (r(3, 4), {"axis": 0})],
    reference=lambda a, axis: a - np.log(np.exp(a).sum(axis, keepdims=True)),
)
@compute_in_float32
@np.errstate(under="ignore")
def log_softmax(a: Any, *, axis: int = -1) -> Any:
    """Return log softmax(a) = a − log Σ exp(a) along `axis`. It is accurate even where
    softmax itself would round to 0, because the largest entry is subtracted first.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.log_softmax(tg.Tensor([1e4, 0.0]))
    Tensor([     0., -10000.])
    """
    shifted = a - np.maximum.reduce(a, axis, keepdims=True)
    return shifted - np.log(np.add.reduce(np.exp(shifted), axis, keepdims=True))


log_softmax.vjps(
    a=lambda g, y, a, axis: g - scale(widen(g).sum(axis=axis, keepdims=True), exp(widen(y)))
)


@explain_names
def any(a: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray | np.bool:
    """Return whether any entry along `axis` is nonzero, as a boolean or array of booleans.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.any(tg.Tensor([[0.0, 2.0], [0.0, 0.0]]), axis=1)
    array([ True, False])
    """
    return np.any(_as_array("any", a, axis), axis, keepdims=keepdims)


@explain_names
def all(a: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray | np.bool:
    """Return whether every entry along `axis` is nonzero, as a boolean or array of booleans.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.all(tg.Tensor([[0.0, 2.0], [1.0, 3.0]]), axis=1)
    array([False,  True])
    """
    return np.all(_as_array("all", a, axis), axis, keepdims=keepdims)


@explain_names
def argmax(a: Any, axis: int | None = None, keepdims: bool = False) -> np.ndarray:
    """Return the index of the largest entry. The index has no derivative.

    Parameters
    ----------
    a : Tensor
    axis : int, optional
        By default, the flattened Tensor is searched.
    keepdims : bool
        Whether the result keeps `axis`, with size 1.

    Returns
    -------
    ndarray
        Integers, of the shape of `a` without `axis`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.Tensor([[1.0, 5.0, 3.0]]).argmax(), tg.Tensor([[1.0, 5.0, 3.0]]).argmax(axis=1)
    (array(1), array([1]))
    """
    return _index_of(np.argmax, a, axis, keepdims)


@explain_names
def argmin(a: Any, axis: int | None = None, keepdims: bool = False) -> np.ndarray:
    """Return the index of the smallest entry. The index has no derivative.

    Parameters
    ----------
    a : Tensor
    axis : int, optional
        By default, the flattened Tensor is searched.
    keepdims : bool
        Whether the result keeps `axis`, with size 1.

    Returns
    -------
    ndarray
        Integers, of the shape of `a` without `axis`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.Tensor([[1.0, 5.0, 3.0]]).argmin()
    array(0)
    """
    return _index_of(np.argmin, a, axis, keepdims)


def _index_of(find: Callable[..., Any], a: Any, axis: int | None, keepdims: bool) -> np.ndarray:
    """Return the index that NumPy's function `find` returns."""
    index = as_ndarray(find(unwrap(_check_entries(find.__name__, a, axis)), axis))
    if not keepdims:
        return index
    return index.reshape((1,) * a.ndim) if axis is None else np.expand_dims(index, axis)


def _check_entries(operation: str, t: Any, axis: int | None) -> Any:
    """Return the Tensor `t`; raise ValueError if it has no entries (along `axis`, if given)."""
    if axis is not None:
        axis = normalize_axis_index(axis, t.array.ndim, f"{operation}: axis")
    if not (t.array.size if axis is None else t.array.shape[axis]):
        fix = "test t.size first, because an empty Tensor has no largest or smallest entry"
        raise argument_error(operation, "t", "at least one entry", describe(t), fix)
    return t


def _as_array(operation: str, a: Any, axis: Any) -> np.ndarray:
    """Return `a` as an array; raise AxisError if it does not have the axes in `axis`."""
    array = unwrap(as_operand(operation, "a", a))
    if axis is not None:
        normalize_axis_tuple(axis, array.ndim, f"{operation}: axis")
    return array
