"""The maths: one paragraph an op. Forward, formula, derivative rules and a sample to check them with stand together.

Nan and inf are numbers like others: an op gives what NumPy gives, and replaces nothing. A nan in an entry that is read is nan in
the result, of `max`, `relu` and `clip` too, and a gradient of nan goes on through every rule. Only what is not read stops it: the
other branch of `where`, an entry that an index leaves out. Integers have no nan: ``tg.Tensor([nan], dtype=int)`` is refused.
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
from .indexing import getitem, pick, repeat, scatter, take_along_axis, unpick, where
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
    "abs", "add", "all", "any", "astype", "broadcast_to", "clip", "concatenate", "copy", "cos", "cumsum", "divide", "einsum",
    "exp", "expand_dims", "expm1", "flip", "getitem", "lerp", "linear", "log", "log1p", "log_softmax", "logsumexp", "matmul",
    "max", "maximum", "mean", "min", "minimum", "moveaxis", "multiply", "negative", "outer", "pick", "power", "prod", "ravel",
    "relu", "repeat", "reshape", "scatter", "sigmoid", "sign", "sin", "softmax", "softplus", "split", "sqrt", "square", "squeeze",
    "stack", "std", "subtract", "sum", "swapaxes", "take_along_axis", "tanh", "transpose", "unpick", "var", "where",
]  # fmt: skip
