"""Functions of arrays: the ops, each with its derivative, and functions composed of ops.

Each op is defined in one place, with its forward function, its formula and its derivative rules.
The data for its tests is in the same place: a reference function that computes the same result in
another way, the domain of the inputs, and sample calls.

NaN and inf get no special treatment: an op returns what NumPy returns. If an op uses an entry that
is NaN, the result is NaN, even in `max`, `relu` and `clip`. Every derivative rule propagates NaN in
the incoming gradient to the entries that the result depends on. NaN in an entry that is not used
has no effect: for example in the branch that `where` does not take, or in an entry that
``x[index]`` does not select. Integers cannot be NaN: ``tg.Tensor([nan], dtype=int)`` raises
ValueError.

An op that chooses, such as `relu`, `clip`, `max` or `where`, gives the gradient 0 to an entry that
it does not choose, even if the incoming gradient is inf or NaN.
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
from .rounding import floor_divide, remainder
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
    "floor_divide",
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
    "remainder",
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


def __dir__() -> list[str]:
    return __all__
