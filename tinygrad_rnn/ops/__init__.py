"""Functions of arrays: the ops, each with its derivative, and functions composed of them.

Each op is defined in one place: its forward function, formula and derivative rules, with the data
that its tests need: a reference function that computes the same result in another way, the domain
of the inputs, and sample calls.

NaN and inf get no special treatment: an op returns what NumPy returns. NaN in an entry that is used
makes the result NaN, also in `max`, `relu` and `clip`, and every rule propagates a gradient of NaN.
NaN has no effect only in an entry that is not used, for example in the branch that `where` does not
take, or outside the index of `getitem`. Integers have no NaN: ``tg.Tensor([nan], dtype=int)``
raises ValueError.
"""

from .arithmetic import add, divide, lerp, maximum, minimum, multiply, negative, power, subtract
from .elementwise import (
    abs,
    astype,
    clip,
    copy,
    cos,
    exp,
    expm1,
    log,
    log1p,
    relu,
    sigmoid,
    sign,
    sin,
    softplus,
    sqrt,
    square,
    tanh,
)
from .indexing import gather, getitem, repeat, scatter, scatter_rows, take_along_axis, where
from .products import einsum, linear, matmul, outer
from .reductions import (
    all,
    any,
    cumsum,
    log_softmax,
    logsumexp,
    max,
    mean,
    min,
    prod,
    softmax,
    std,
    sum,
    var,
)
from .shapes import (
    broadcast_to,
    concatenate,
    expand_dims,
    flip,
    moveaxis,
    ravel,
    reshape,
    split,
    squeeze,
    stack,
    swapaxes,
    transpose,
)

__all__ = [
    "abs",
    "add",
    "all",
    "any",
    "astype",
    "broadcast_to",
    "clip",
    "concatenate",
    "copy",
    "cos",
    "cumsum",
    "divide",
    "einsum",
    "exp",
    "expand_dims",
    "expm1",
    "flip",
    "gather",
    "getitem",
    "lerp",
    "linear",
    "log",
    "log1p",
    "log_softmax",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moveaxis",
    "multiply",
    "negative",
    "outer",
    "power",
    "prod",
    "ravel",
    "relu",
    "repeat",
    "reshape",
    "scatter",
    "scatter_rows",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "swapaxes",
    "take_along_axis",
    "tanh",
    "transpose",
    "var",
    "where",
]
