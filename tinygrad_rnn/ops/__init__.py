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

from . import complex_parts, matrix_names, numpy_reductions  # noqa: F401  # they register functions
from .arithmetic import (
    add,
    divide,
    fabs,
    float_power,
    lerp,
    maximum,
    minimum,
    multiply,
    negative,
    positive,
    power,
    reciprocal,
    subtract,
)
from .averages import average, ptp
from .cumulative import cumprod, cumulative_prod, cumulative_sum, nancumprod, nancumsum
from .decompositions import eigh, eigvalsh, svd, svdvals
from .differences import diff, ediff1d, gradient, trapezoid
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
from .hyperbolic import arccosh, arcsinh, arctanh, cosh, sinh
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
from .logarithms import cbrt, exp2, log2, log10, logaddexp, logaddexp2
from .missing_values import (
    fmax,
    fmin,
    nan_to_num,
    nanmax,
    nanmean,
    nanmin,
    nanprod,
    nanstd,
    nansum,
    nanvar,
)
from .norms import cond, matrix_norm, norm, vector_norm
from .ordering import median, partition, percentile, quantile, sort
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
from .rounding import (
    ceil,
    divmod,
    fix,
    floor,
    floor_divide,
    fmod,
    modf,
    remainder,
    rint,
    round,
    trunc,
)
from .selecting import choose, compress, delete, extract, piecewise, select, take
from .shapes import (
    broadcast_arrays,
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
from .trigonometry import arccos, arcsin, arctan, arctan2, deg2rad, hypot, rad2deg, sinc, tan

__all__ = [
    "abs", "add", "all", "any", "append", "arccos", "arccosh", "arcsin", "arcsinh", "arctan",
    "arctan2", "arctanh", "array_split", "astype", "atleast_1d", "atleast_2d", "atleast_3d",
    "average", "block", "broadcast_arrays", "broadcast_to", "cbrt", "ceil", "cholesky", "choose",
    "clip", "column_stack", "compress", "concatenate", "cond", "copy", "cos", "cosh", "cross",
    "cumprod", "cumsum", "cumulative_prod", "cumulative_sum", "deg2rad", "delete", "det", "diag",
    "diagflat", "diagonal", "diff", "divide", "divmod", "dot", "dsplit", "dstack", "ediff1d",
    "eigh", "eigvalsh", "einsum", "exp", "exp2", "expand_dims", "expm1", "extract", "fabs", "fix",
    "flip", "fliplr", "flipud", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod",
    "gather", "geomspace", "getitem", "gradient", "hsplit", "hstack", "hypot", "inner", "insert",
    "inv", "kron", "lerp", "linear", "linspace", "log", "log1p", "log2", "log10", "log_softmax",
    "logaddexp", "logaddexp2", "logspace", "logsumexp", "matmul", "matrix_norm", "matrix_power",
    "max", "maximum", "mean", "median", "min", "minimum", "modf", "moveaxis", "multi_dot",
    "multiply", "nan_to_num", "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmin", "nanprod",
    "nanstd", "nansum", "nanvar", "negative", "norm", "outer", "pad", "partition", "percentile",
    "piecewise", "pinv", "positive", "power", "prod", "ptp", "quantile", "rad2deg", "ravel",
    "reciprocal", "relu", "remainder", "repeat", "reshape", "resize", "rint", "roll", "rollaxis",
    "rot90", "round", "scatter", "scatter_rows", "select", "sigmoid", "sign", "sin", "sinc", "sinh",
    "slogdet", "softmax", "softplus", "solve", "sort", "split", "sqrt", "square", "squeeze",
    "stack", "std", "subtract", "sum", "svd", "svdvals", "swapaxes", "take", "take_along_axis",
    "tan", "tanh", "tensordot", "tile", "trace", "transpose", "trapezoid", "tril", "triu", "trunc",
    "unstack", "var", "vdot", "vecdot", "vector_norm", "vsplit", "vstack", "where",
]  # fmt: skip

install_help()  # now `help(tg.tanh)` shows the formula, the shapes and the rules


def __dir__() -> list[str]:
    return __all__
