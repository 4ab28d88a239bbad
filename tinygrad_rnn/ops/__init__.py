"""The maths: one paragraph an op. Forward, formula, derivative rules and a sample to check them with stand together."""

from .arithmetic import add, divide, lerp, maximum, minimum, multiply, negative, power, subtract
from .elementwise import abs, astype, clip, copy, cos, exp, expm1, log, log1p, relu, sigmoid, sign, sin, softplus, sqrt, square, tanh
from .index import getitem, pick, repeat, scatter, take_along_axis, unpick, where
from .linear import einsum, linear, matmul, outer
from .reduce import all, any, cumsum, log_softmax, logsumexp, max, mean, min, prod, softmax, std, sum, var
from .shape import (
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
