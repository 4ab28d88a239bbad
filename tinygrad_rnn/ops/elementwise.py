"""Functions of one array, element by element: each with its local derivative, written in y where that is cheaper."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import check
from ..graph import Value
from ..op import op


@op("exp({a})", shapes="(…) → (…)", sample=lambda r: (r(3, 4),))
@np.errstate(under="ignore")
def exp(a: Any) -> Any:
    """e to the power a. Above 88.7 in float32 (709.7 in float64) it is inf, with NumPy's warning; what underflows is 0, without.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.exp(tg.Tensor([0.0, -np.inf]))
    Tensor([1., 0.])
    """
    return np.exp(a)


exp.vjps(a=lambda g, y, a: g * y)


@op("expm1({a})", shapes="(…) → (…)", sample=lambda r: (r(3, 4),))
def expm1(a: Any) -> Any:
    """exp(a) − 1. Accurate near a = 0, where the subtraction would lose every digit; inf where `exp` is.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.expm1(tg.Tensor([0.0, 1e-8]))
    Tensor([0.e+00, 1.e-08])
    """
    return np.expm1(a)


expm1.vjps(a=lambda g, y, a: g * (y + 1))


@op("log({a})", shapes="(…) → (…)", sample=lambda r: (r.positive(3, 4),))
def log(a: Any) -> Any:
    """The natural logarithm. 0 gives −inf and a negative number nan, with NumPy's warning.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.log(tg.Tensor([1.0, np.inf]))
    Tensor([ 0., inf])
    """
    return np.log(a)


log.vjps(a=lambda g, y, a: g / a)


@op("log1p({a})", shapes="(…) → (…)", sample=lambda r: (r.positive(3, 4),))
def log1p(a: Any) -> Any:
    """log(1 + a). Accurate near a = 0, where the sum would lose a's digits; at −1 it is −inf, below nan, with NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.log1p(tg.Tensor([0.0, 1e-8]))
    Tensor([0.e+00, 1.e-08])
    """
    return np.log1p(a)


log1p.vjps(a=lambda g, y, a: g / (1 + a))


@op("√{a}", shapes="(…) → (…)", sample=lambda r: (r.positive(3, 4),))
def sqrt(a: Any) -> Any:
    """The square root. At 0 its derivative is inf; a negative number gives nan, with NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.sqrt(tg.Tensor([4.0, 9.0]))
    Tensor([2., 3.])
    """
    return np.sqrt(a)


sqrt.vjps(a=lambda g, y, a: g * (0.5 / y))


@op("{a}²", shapes="(…) → (…)", sample=lambda r: (r(3, 4),))
def square(a: Any) -> Any:
    """a ⊙ a. Above 1.8e19 in float32 it is inf, with NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.square(tg.Tensor([2.0, -3.0]))
    Tensor([4., 9.])
    """
    return np.square(a)


square.vjps(a=lambda g, y, a: g * (2 * a))


@op("sign({a})", shapes="(…) → (…)", sample=lambda r: (r(3, 4),))
def sign(a: Any) -> Any:
    """−1, 0 or 1. Its derivative is 0 everywhere, at the jump too.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.sign(tg.Tensor([2.0, 0.0, -3.0]))
    Tensor([ 1.,  0., -1.])
    """
    return np.sign(a)


sign.vjps(a=lambda g, y, a: g * 0)


@op("|{a}|", shapes="(…) → (…)", sample=lambda r: (r(3, 4),))
def abs(a: Any) -> Any:
    """The absolute value. At 0 its derivative is taken to be 0.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.abs(tg.Tensor([2.0, -3.0]))
    Tensor([2., 3.])
    """
    return np.abs(a)


abs.vjps(a=lambda g, y, a: g * sign(a))


@op("sin({a})", shapes="(…) → (…)", sample=lambda r: (r(3, 4),))
def sin(a: Any) -> Any:
    """The sine of a in radians. Of inf it is nan, with NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.sin(tg.Tensor([0.0]))
    Tensor([0.])
    """
    return np.sin(a)


sin.vjps(a=lambda g, y, a: g * cos(a))


@op("cos({a})", shapes="(…) → (…)", sample=lambda r: (r(3, 4),))
def cos(a: Any) -> Any:
    """The cosine of a in radians. Of inf it is nan, with NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.cos(tg.Tensor([0.0]))
    Tensor([1.])
    """
    return np.cos(a)


cos.vjps(a=lambda g, y, a: g * -sin(a))


@op("tanh({a})", shapes="(…) → (…)", sample=lambda r: (r(3, 4),))
def tanh(a: Any) -> Any:
    """The hyperbolic tangent, between −1 and 1. Its derivative is 1 − y², and 0 where y has
    rounded to ±1: beyond 10 in float32, 20 in float64.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.tanh(tg.Tensor([0.0, 50.0]))
    Tensor([0., 1.])
    """
    return np.tanh(a)


tanh.vjps(a=lambda g, y, a: g * (1 - y * y))


@op("σ({a})", shapes="(…) → (…)", sample=lambda r: (r(3, 4),))
@np.errstate(over="ignore", under="ignore")
def sigmoid(a: Any) -> Any:
    """The logistic function 1 / (1 + exp(−a)), between 0 and 1. Its derivative is y (1 − y).

    Right at any a: where exp(−a) overflows to inf, 1 / (1 + inf) is the 0 that is wanted. The derivative is 0 where y has rounded to 1:
    above 17 in float32, 37 in float64.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.sigmoid(tg.Tensor([0.0, -1e4, 1e4]))
    Tensor([0.5, 0. , 1. ])
    """
    return np.reciprocal(1 + np.exp(-a))


sigmoid.vjps(a=lambda g, y, a: g * (y * (1 - y)))


@op("relu({a})", shapes="(…) → (…)", sample=lambda r: (r(3, 4),))
def relu(a: Any) -> Any:
    """a where it is positive, else 0. At 0 its derivative is taken to be 0.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.relu(tg.Tensor([2.0, -3.0]))
    Tensor([2., 0.])
    """
    return np.maximum(a, 0)


relu.vjps(a=lambda g, y, a: g * (y > 0))


@op("softplus({a})", shapes="(…) → (…)", sample=lambda r: (r(3, 4),))
@np.errstate(under="ignore", invalid="ignore")  # of nan it is nan, which logaddexp would warn of
def softplus(a: Any) -> Any:
    """log(1 + exp(a)). Without overflow: it is a where a is large, and goes to 0 where it is not; −softplus(−a) is log σ(a).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.softplus(tg.Tensor([1e4, -1e4]))
    Tensor([10000.,     0.])
    """
    return np.logaddexp(a, 0)


softplus.vjps(a=lambda g, y, a: g * sigmoid(a))


@op(
    "clip({a}, {min}, {max})",
    shapes="(…) → (…)",
    sample=lambda r: [(r(3, 4), {"min": -0.5, "max": 0.7}), (r(5), {"max": 0.1})],
)
def clip(a: Any, *, min: Any = None, max: Any = None) -> Any:
    """a, but at least `min` and at most `max` (numbers or arrays, constants). Where it cuts, the derivative is 0.

    For bounds that have gradients themselves compose `maximum` and `minimum`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.clip(tg.Tensor([2.0, -3.0]), -1, 1)
    Tensor([ 1., -1.])
    """
    return np.clip(
        a, *(np.asarray(bound) if isinstance(bound, Value) else bound for bound in (min, max))
    )


clip.vjps(a=lambda g, y, a, min, max: g * (y == a))


@op("{a}", shapes="(…) → (…)", sample=lambda r: (r(3, 4),))
def copy(a: Any) -> Any:
    """The same numbers in memory of their own. Gradients flow back through it, as through any op.

    For a copy without gradients use ``t.detach().copy()``, for a parameter of its own `copy.deepcopy`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.copy(tg.Tensor([1.0, 2.0], requires_grad=True))
    Tensor([1., 2.], has graph: copy)
    """
    return np.array(a)


copy.vjps(a=lambda g, y, a: g)


@op("{a}", shapes="(…) → (…)", sample=lambda r: (r(3, 4), {"dtype": np.dtype(np.float64)}))
def astype(a: Any, *, dtype: Any) -> Any:
    """`a` in another dtype. The gradient comes back in the dtype of `a`. What is too large for it is inf, with NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.astype(tg.Tensor([1.0, 2.0]), "float64").dtype
    dtype('float64')
    """
    return np.asarray(a).astype(check.real_dtype(dtype))


astype.vjps(a=lambda g, y, a, dtype: g)
