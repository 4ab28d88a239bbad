"""Many entries to one: along an axis, several axes, or all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..graph import Value
from ..op import op
from .elementwise import exp, sqrt
from .indexing import where
from .shapes import concatenate, flip, inverse, transpose

REDUCED = "any → that without axis, or of size 1 there with keepdims"


def kept(g: Any, a: Any, axis: Any) -> Any:
    """`g` with the axes of `a` that were reduced put back with size 1, so that it broadcasts against `a`."""
    if axis is None or not a.ndim:
        return g.reshape((1,) * a.ndim)
    shape = list(a.shape)
    for i in axis if isinstance(axis, tuple) else (axis,):
        shape[i] = 1
    return g.reshape(shape)


def share(y: Any, a: Any) -> float:
    """How many entries of `a` went into one of `y`."""
    return a.size / y.size if y.size else 0.0


@op(
    "Σ({a})",
    shapes=REDUCED,
    sample=lambda r: [
        (r(3, 4),),
        (r(3, 4), {"axis": 0}),
        (r(2, 3, 2), {"axis": (0, -1), "keepdims": True}),
    ],
)
def sum(a: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """The sum over `axis` (an integer, a tuple, or None for all). NumPy adds in pairs along what is contiguous, which keeps errors
    near those of log n additions.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.sum(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Tensor([4., 6.])
    """
    return np.add.reduce(a, axis, keepdims=keepdims)


sum.vjps(a=lambda g, y, a, axis, keepdims: kept(g, a, axis))


@op(
    "mean({a})",
    shapes=REDUCED,
    sample=lambda r: [
        (r(3, 4),),
        (r(3, 4), {"axis": 0}),
        (r(2, 3, 2), {"axis": (0, -1), "keepdims": True}),
    ],
)
def mean(a: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """The arithmetic mean over `axis`. Summed as `sum`, and float16 in float32. Of no entries it is nan, with NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.mean(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Tensor([2., 3.])
    """
    if a.dtype == np.float16:
        return np.mean(a, axis, keepdims=keepdims)  # which adds them up in float32
    total = np.add.reduce(a, axis, keepdims=keepdims)
    return total / share(total, a)


mean.vjps(a=lambda g, y, a, axis, keepdims: kept(g, a, axis) / share(y, a))


@op(
    "Π({a})",
    shapes=REDUCED,
    sample=lambda r: [
        (r(3, 4),),
        (r(3, 4), {"axis": 0}),
        (r(2, 3, 2), {"axis": (0, -1), "keepdims": True}),
    ],
)
def prod(a: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """The product over `axis`. Its derivative with respect to an entry is the product of the others, zeros among them or not.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.prod(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Tensor([3., 8.])
    """
    return np.multiply.reduce(a, axis, keepdims=keepdims)


prod.vjps(a=lambda g, y, a, axis, keepdims: kept(g, a, axis) * others(a, axis))


def others(a: Any, axis: Any) -> Any:
    """For each entry the product of all others along `axis`: of those before it and those after it, for y / a may be 0 / 0."""
    along = (
        ()
        if not a.ndim
        else range(a.ndim)
        if axis is None
        else axis
        if isinstance(axis, tuple)
        else (axis,)
    )
    along = tuple(i % a.ndim for i in along)
    order = (*along, *(i for i in range(a.ndim) if i not in along))
    moved = transpose(a, order)
    flat = moved.reshape((math.prod(moved.shape[: len(along)]), *moved.shape[len(along) :]))
    found = preceding(flat) * flip(preceding(flip(flat, 0)), 0)
    return transpose(found.reshape(moved.shape), inverse(order))


def preceding(a: Any) -> Any:
    """For each entry the product of all before it on the first axis, 1, a₀, a₀ a₁, …, in log₂ n multiplications of arrays."""
    x, reach = (
        concatenate([np.ones(a[:1].shape, a.dtype), a[:-1]]),
        1,
    )  # in x so far: the product of the last `reach` before it
    while reach < len(a):
        x = concatenate([x[:reach], x[reach:] * x[:-reach]])
        reach *= 2
    return x


@op(
    "var({a})",
    shapes=REDUCED,
    sample=lambda r: [
        (r(3, 4),),
        (r(3, 4), {"axis": 0, "ddof": 1}),
        (r(2, 3), {"axis": -1, "keepdims": True}),
    ],
)
def var(a: Any, *, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """The mean squared distance from the mean over `axis`: Σ (a − mean)² / (n − ddof), as `numpy.var`. In two
    passes, so that a large mean costs no digits.

    PyTorch divides by n − 1 unless told otherwise: that is ``ddof=1`` here.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.var(tg.Tensor([1.0, 3.0]))
    Tensor(1.)
    """
    return np.var(a, axis, ddof=ddof, keepdims=keepdims)


var.vjps(
    a=lambda g, y, a, axis, ddof, keepdims: (
        kept(g, a, axis) * ((a - mean(a, axis=axis, keepdims=True)) / ((share(y, a) - ddof) / 2))
    )
)


def std(a: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """The square root of the variance; see `var`. Where all entries are equal its gradient is 0: it has a kink there, and the root an
    infinite slope.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.std(tg.Tensor([1.0, 3.0]))
    Tensor(1.)
    """
    v = var(a, axis=axis, ddof=ddof, keepdims=keepdims)
    none = v == 0
    return where(none, 0, sqrt(where(none, 1, v)))


@op(
    "max({a})",
    shapes=REDUCED,
    sample=lambda r: [
        (r(3, 4),),
        (r(3, 4), {"axis": 0}),
        (r(2, 3), {"axis": -1, "keepdims": True}),
    ],
)
def max(a: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest entry over `axis`. Equal ones share the gradient; a nan is larger than all.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.max(tg.Tensor([[1.0, 2.0], [3.0, 0.0]]), axis=1)
    Tensor([2., 3.])
    """
    return np.maximum.reduce(a, axis, keepdims=keepdims)


max.vjps(
    a=lambda g, y, a, axis, keepdims: (
        kept(g, a, axis) * evenly(a == kept(y, a, axis), axis, g.dtype)
    )
)


@op(
    "min({a})",
    shapes=REDUCED,
    sample=lambda r: [
        (r(3, 4),),
        (r(3, 4), {"axis": 0}),
        (r(2, 3), {"axis": -1, "keepdims": True}),
    ],
)
def min(a: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """The smallest entry over `axis`. Equal ones share the gradient; a nan is smaller than all.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.min(tg.Tensor([[1.0, 2.0], [3.0, 0.0]]), axis=1)
    Tensor([1., 0.])
    """
    return np.minimum.reduce(a, axis, keepdims=keepdims)


min.vjps(
    a=lambda g, y, a, axis, keepdims: (
        kept(g, a, axis) * evenly(a == kept(y, a, axis), axis, g.dtype)
    )
)


def evenly(chosen: Any, axis: Any, dtype: Any) -> Any:
    """One, shared out among the entries that are `chosen` (booleans) along `axis`."""
    return (chosen / chosen.sum(axis=axis, keepdims=True)).astype(dtype)


@op(
    "cumsum({a})",
    shapes="(…) → (…), without axis (size,)",
    sample=lambda r: [(r(3, 4),), (r(3, 4), {"axis": 0}), (r(3, 4), {"axis": -1})],
)
def cumsum(a: Any, *, axis: int | None = None) -> Any:
    """Running sums along `axis`, or over all entries in order. Added one by one: errors grow with n.

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
    sample=lambda r: [
        (r(3, 4),),
        (r(3, 4), {"axis": 0}),
        (r(2, 3), {"axis": -1, "keepdims": True}),
    ],
)
@np.errstate(under="ignore")
def logsumexp(a: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """log Σ exp(a) over `axis`. Without overflow: the largest entry is taken out first; where every entry is −inf so is the result.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.logsumexp(tg.Tensor([1e4, 1e4]))
    Tensor(10000.693)
    """
    top = np.maximum.reduce(a, axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(
        divide="ignore"
    ):  # the log of 0, where every entry is -inf, is the -inf that is wanted
        y = np.log(np.add.reduce(np.exp(a - top), axis, keepdims=True)) + top
    return y if keepdims else np.squeeze(y, tuple(range(np.ndim(a))) if axis is None else axis)


logsumexp.vjps(
    a=lambda g, y, a, axis, keepdims: kept(g, a, axis) * exp(a - finite(kept(y, a, axis)))
)


def finite(y: Any) -> Any:
    """`y`, but 0 where it is −inf: there every entry a was −inf, and exp(a − 0) is the 0 that exp(a − y) has as its limit."""
    return where(y == -math.inf, 0, y)


@op("softmax({a})", shapes="(…) → (…)", sample=lambda r: [(r(3, 4),), (r(3, 4), {"axis": 0})])
@np.errstate(under="ignore")
def softmax(a: Any, *, axis: int = -1) -> Any:
    """exp(a) / Σ exp(a) along `axis`: positive, and one in sum. Shifted by the largest entry, so exp cannot overflow.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.softmax(tg.Tensor([1e4, 1e4, 0.0]))
    Tensor([0.5, 0.5, 0. ])
    """
    y = np.exp(a - np.maximum.reduce(a, axis, keepdims=True))
    return y / np.add.reduce(y, axis, keepdims=True)


softmax.vjps(a=lambda g, y, a, axis: y * (g - (g * y).sum(axis=axis, keepdims=True)))


@op("log_softmax({a})", shapes="(…) → (…)", sample=lambda r: [(r(3, 4),), (r(3, 4), {"axis": 0})])
@np.errstate(under="ignore")
def log_softmax(a: Any, *, axis: int = -1) -> Any:
    """log softmax(a) = a − log Σ exp(a) along `axis`. Right where softmax itself would round to 0: the largest entry is taken out first.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.log_softmax(tg.Tensor([1e4, 0.0]))
    Tensor([     0., -10000.])
    """
    shifted = a - np.maximum.reduce(a, axis, keepdims=True)
    return shifted - np.log(np.add.reduce(np.exp(shifted), axis, keepdims=True))


log_softmax.vjps(a=lambda g, y, a, axis: g - exp(y) * g.sum(axis=axis, keepdims=True))


def any(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether some entry over `axis` is not zero: a plain array of booleans, or one.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.any(tg.Tensor([[0.0, 2.0], [0.0, 0.0]]), axis=1)
    array([ True, False])
    """
    return np.any(_looked_at("any", a, axis), axis, keepdims=keepdims)


def all(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether every entry over `axis` is not zero: a plain array of booleans, or one.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.all(tg.Tensor([[0.0, 2.0], [1.0, 3.0]]), axis=1)
    array([False,  True])
    """
    return np.all(_looked_at("all", a, axis), axis, keepdims=keepdims)


def _looked_at(operation: str, a: Any, axis: Any) -> np.ndarray:
    """`a` as an array, refused if it has not these axes."""
    array = np.asarray(a.array if isinstance(a, Value) else a)
    if axis is not None:
        normalize_axis_tuple(axis, array.ndim, f"{operation}: axis")
    return array
