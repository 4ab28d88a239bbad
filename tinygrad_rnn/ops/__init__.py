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

from . import matrix_names  # noqa: F401, because it registers names of numpy.linalg
from .arithmetic import add, divide, lerp, maximum, minimum, multiply, negative, power, subtract
from .decompositions import eigh, eigvalsh, svd, svdvals
from .einsum import einsum
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
from .help_text import install_help
from .indexing import gather, getitem, repeat, scatter, scatter_rows, take_along_axis, where
from .inner_products import cross, dot, inner, kron, tensordot, vdot, vecdot
from .joining import (
    append,
    atleast_1d,
    atleast_2d,
    atleast_3d,
    block,
    column_stack,
    dstack,
    hstack,
    insert,
    vstack,
)
from .linear_algebra import cholesky, det, inv, matrix_power, multi_dot, pinv, slogdet, solve
from .norms import cond, matrix_norm, norm, vector_norm
from .padding import pad
from .products import linear, matmul, outer
from .ranges import geomspace, linspace, logspace
from .rearranging import (
    diag,
    diagflat,
    diagonal,
    fliplr,
    flipud,
    resize,
    roll,
    rot90,
    tile,
    trace,
    tril,
    triu,
)
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
from .selecting import choose, compress, delete, extract, piecewise, select, take
from .shapes import (
    broadcast_to,
    concatenate,
    expand_dims,
    flip,
    moveaxis,
    ravel,
    reshape,
    rollaxis,
    split,
    squeeze,
    stack,
    swapaxes,
    transpose,
)
from .splitting import array_split, dsplit, hsplit, unstack, vsplit

__all__ = [
    "abs",
    "add",
    "all",
    "any",
    "append",
    "array_split",
    "astype",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "block",
    "broadcast_to",
    "cholesky",
    "choose",
    "clip",
    "column_stack",
    "compress",
    "concatenate",
    "cond",
    "copy",
    "cos",
    "cross",
    "cumsum",
    "delete",
    "det",
    "diag",
    "diagflat",
    "diagonal",
    "divide",
    "dot",
    "dsplit",
    "dstack",
    "eigh",
    "eigvalsh",
    "einsum",
    "exp",
    "expand_dims",
    "expm1",
    "extract",
    "flip",
    "fliplr",
    "flipud",
    "floor_divide",
    "gather",
    "geomspace",
    "getitem",
    "hsplit",
    "hstack",
    "inner",
    "insert",
    "inv",
    "kron",
    "lerp",
    "linear",
    "linspace",
    "log",
    "log1p",
    "log_softmax",
    "logspace",
    "logsumexp",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moveaxis",
    "multi_dot",
    "multiply",
    "negative",
    "norm",
    "outer",
    "pad",
    "piecewise",
    "pinv",
    "power",
    "prod",
    "ravel",
    "relu",
    "remainder",
    "repeat",
    "reshape",
    "resize",
    "roll",
    "rollaxis",
    "rot90",
    "scatter",
    "scatter_rows",
    "select",
    "sigmoid",
    "sign",
    "sin",
    "slogdet",
    "softmax",
    "softplus",
    "solve",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "svd",
    "svdvals",
    "swapaxes",
    "take",
    "take_along_axis",
    "tanh",
    "tensordot",
    "tile",
    "trace",
    "transpose",
    "tril",
    "triu",
    "unstack",
    "var",
    "vdot",
    "vecdot",
    "vector_norm",
    "vsplit",
    "vstack",
    "where",
]

install_help()  # now `help(tg.tanh)` shows the formula, the shapes and the rules


def __dir__() -> list[str]:
    return __all__
