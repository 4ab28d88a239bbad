"""The mathematics: one paragraph an op.

Forward, formula, derivative rules, and what its tests need stand together: a reference function
that computes the same in another way, the domain of the inputs, and samples.

NaN and inf are numbers like any other: an op gives what NumPy gives, and replaces nothing. NaN in
an entry that is read makes NaN in the result (of `max`, `relu` and `clip` too), and every rule
passes on a gradient of NaN. Only an entry that is not read has no effect: in the branch of `where`
that is not taken, for example, or where an index leaves it out. Integers have no NaN:
``tg.Tensor([nan], dtype=int)`` raises an error.
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
    "abs", "add", "all", "any", "astype", "broadcast_to", "clip", "concatenate", "copy", "cos",
    "cumsum", "divide", "einsum", "exp", "expand_dims", "expm1", "flip", "gather", "getitem",
    "lerp", "linear", "log", "log1p", "log_softmax", "logsumexp", "matmul", "max", "maximum",
    "mean", "min", "minimum", "moveaxis", "multiply", "negative", "outer", "power", "prod",
    "ravel", "relu", "repeat", "reshape", "scatter", "scatter_rows", "sigmoid", "sign", "sin",
    "softmax", "softplus", "split", "sqrt", "square", "squeeze", "stack", "std", "subtract",
    "sum", "swapaxes", "take_along_axis", "tanh", "transpose", "var", "where",
]  # fmt: skip
