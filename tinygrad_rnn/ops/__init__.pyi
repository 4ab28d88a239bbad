"""The types of the ops. To write this file again, run:

PYTHONPATH=tests python tests/stubs/write_stubs.py
"""

from collections.abc import Sequence
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..op import Op
from ..tensor import Tensor

Plain: TypeAlias = float | np.number[Any] | np.bool | NDArray[Any] | list[Plain] | tuple[Plain, ...]
Plains: TypeAlias = Plain | Sequence[Plains]
Tensors: TypeAlias = Tensor | Plain | Sequence[Tensors]
Axis: TypeAlias = int | Sequence[int] | None


class Op_a(Op):
    @overload
    def __call__(self, a: Tensor) -> Tensor: ...
    @overload
    def __call__(self, a: Plain) -> NDArray[Any]: ...

class Op_a_b(Op):
    @overload
    def __call__(self, a: Tensor, b: Tensor | Plain) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, b: Tensor) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, b: Plain) -> NDArray[Any]: ...

class Op_a_dtype(Op):
    @overload
    def __call__(self, a: Tensor, dtype: DTypeLike | None) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, dtype: DTypeLike | None) -> NDArray[Any]: ...

class Op_a_shape(Op):
    @overload
    def __call__(self, a: Tensor, shape: int | Sequence[int]) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, shape: int | Sequence[int]) -> NDArray[Any]: ...

class Op_a_min_max(Op):
    @overload
    def __call__(self, a: Tensor, min: Any = None, max: Any = None) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, min: Any = None, max: Any = None) -> NDArray[Any]: ...

class Op_arrays_axis(Op):
    @overload
    def __call__(self, arrays: Sequence[Tensor], axis: int = 0) -> Tensor: ...
    @overload
    def __call__(self, arrays: Plains, axis: int = 0) -> NDArray[Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __call__(self, arrays: Tensors, axis: int = 0) -> Tensor: ...

class Op_a_axis(Op):
    @overload
    def __call__(self, a: Tensor, axis: int | None = None) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, axis: int | None = None) -> NDArray[Any]: ...

class Op_a_axis_2(Op):
    @overload
    def __call__(self, a: Tensor, axis: Axis) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, axis: Axis) -> NDArray[Any]: ...

class Op_a_axis_3(Op):
    @overload
    def __call__(self, a: Tensor, axis: Axis = None) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, axis: Axis = None) -> NDArray[Any]: ...

class Op_a_index(Op):
    @overload
    def __call__(self, a: Tensor, index: Any) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, index: Any) -> NDArray[Any]: ...

class Op_a_b_w(Op):
    @overload
    def __call__(self, a: Tensor, b: Tensor | Plain, w: Tensor | Plain) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, b: Tensor, w: Tensor | Plain) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, b: Plain, w: Tensor) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, b: Plain, w: Plain) -> NDArray[Any]: ...

class Op_a_axis_4(Op):
    @overload
    def __call__(self, a: Tensor, axis: int = -1) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, axis: int = -1) -> NDArray[Any]: ...

class Op_a_axis_keepdims(Op):
    @overload
    def __call__(self, a: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, axis: Axis = None, keepdims: bool = False) -> NDArray[Any]: ...

class Op_a_repeats_axis(Op):
    @overload
    def __call__(self, a: Tensor, repeats: Any, axis: int | None = None) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, repeats: Any, axis: int | None = None) -> NDArray[Any]: ...

class Op_parts_indices_shape(Op):
    @overload
    def __call__(self, parts: Sequence[Tensor], indices: Any, shape: int | Sequence[int]) -> Tensor: ...
    @overload
    def __call__(self, parts: Plains, indices: Any, shape: int | Sequence[int]) -> NDArray[Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __call__(self, parts: Tensors, indices: Any, shape: int | Sequence[int]) -> Tensor: ...

class Op_a_index_size(Op):
    @overload
    def __call__(self, a: Tensor, index: Any, size: int) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, index: Any, size: int) -> NDArray[Any]: ...

class Op_a_axes(Op):
    @overload
    def __call__(self, a: Tensor, axes: Axis = None) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, axes: Axis = None) -> NDArray[Any]: ...

class Op_a_axis_ddof_keepdims(Op):
    @overload
    def __call__(self, a: Tensor, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> NDArray[Any]: ...

class Op_condition_a_b(Op):
    @overload
    def __call__(self, condition: Tensor, a: Tensor | Plain, b: Tensor | Plain) -> Tensor: ...
    @overload
    def __call__(self, condition: Plain, a: Tensor, b: Tensor | Plain) -> Tensor: ...
    @overload
    def __call__(self, condition: Plain, a: Plain, b: Tensor) -> Tensor: ...
    @overload
    def __call__(self, condition: Plain, a: Plain, b: Plain) -> NDArray[Any]: ...

abs: Op_a
"""Return the absolute value of `a`. At 0 its derivative is taken to be 0."""

add: Op_a_b
"""Return the sum a + b. The result is rounded once; the sum of inf and −inf is NaN."""

def all(a: Tensors, axis: Axis = None, keepdims: bool = False) -> NDArray[Any] | np.bool: ...

def any(a: Tensors, axis: Axis = None, keepdims: bool = False) -> NDArray[Any] | np.bool: ...

astype: Op_a_dtype
"""Return `a` in another dtype. The gradient is cast back to the dtype of `a`. A number too large for a floating dtype becomes inf, with NumPy's warning."""

broadcast_to: Op_a_shape
"""Return `a` repeated along axes of size 1, and along new leading axes, so that it has `shape`. The result is a read-only view, not a copy."""

clip: Op_a_min_max
"""Return `a` with its entries limited to the interval from `min` to `max`. The bounds are constants: numbers or arrays. The derivative is 0 where `a` is outside the interval."""

concatenate: Op_arrays_axis
"""Join arrays one after another along an existing axis. The result is an exact copy."""

copy: Op_a
"""Return a copy of `a` in new memory. Gradients flow back through the copy, as through any op."""

cos: Op_a
"""Return the cosine of `a`, an angle in radians. The cosine of inf is NaN, with NumPy's warning."""

cumsum: Op_a_axis
"""Return the running sums along `axis`, or over the flattened array if `axis` is None. Entries are added one by one, so rounding errors grow with the number of entries."""

divide: Op_a_b
"""Return the quotient a / b. Division by zero gives inf or NaN, with NumPy's warning."""

@overload
def einsum(subscripts: str, *operands: Sequence[Tensor]) -> Tensor: ...
@overload
def einsum(subscripts: str, *operands: Plains) -> NDArray[Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def einsum(subscripts: str, *operands: Tensors) -> Tensor: ...

exp: Op_a
"""Return e to the power `a`. If `a` is above 88.7 in float32 (709.7 in float64), the result is inf, with NumPy's warning. A result too small for the dtype is 0, without a warning."""

expand_dims: Op_a_axis_2
"""Return `a` with new axes of size 1 at `axis`. The result is a view."""

expm1: Op_a
"""Return exp(a) − 1. It is accurate near a = 0, where the subtraction would lose all digits. It overflows to inf where `exp` does."""

flip: Op_a_axis_3
"""Return `a` in reverse order along `axis`, or along all axes if it is None. The result is a view."""

floor_divide: Op_a_b
"""Return a / b, rounded down to an integer: ``a // b``. Division of a float by zero gives inf or NaN, with NumPy's warning. The derivatives are taken to be 0 everywhere, even at a jump."""

gather: Op_a_index
"""Return one entry of each row of `a`: y[…] = a[…, index[…]]. The rows lie along the last axis. The result is exact. A negative index raises IndexError, because −1 would silently mean the last entry."""

getitem: Op_a_index
"""Return a[index], for every index that NumPy accepts. The result is exact. An entry that is selected several times gets the sum of the gradients."""

lerp: Op_a_b_w
"""Return the linear interpolation (1 − w) ⊙ a + w ⊙ b, from `a` at w = 0 to `b` at w = 1. At w = 1, the result equals `b` up to rounding."""

@overload
def linear(x: Tensor, weight: Tensor | Plain, bias: Any = None) -> Tensor: ...
@overload
def linear(x: Plain, weight: Tensor, bias: Any = None) -> Tensor: ...
@overload
def linear(x: Plain, weight: Plain, bias: Any = None) -> NDArray[Any]: ...

log: Op_a
"""Return the natural logarithm of `a`. It is −inf at 0 and NaN for negative numbers, with NumPy's warning."""

log1p: Op_a
"""Return log(1 + a). It is accurate near a = 0, where the sum 1 + a would lose the digits of `a`. It is −inf at −1 and NaN below −1, with NumPy's warning."""

log_softmax: Op_a_axis_4
"""Return log softmax(a) = a − log Σ exp(a) along `axis`. It is accurate even where softmax itself would round to 0, because the largest entry is subtracted first."""

logsumexp: Op_a_axis_keepdims
"""Return log Σ exp(a) over `axis`. It cannot overflow, because the largest entry is subtracted first. Where every entry is −inf, the result is −inf too."""

@overload
def matmul(a: Tensor, b: Tensor | Plain) -> Tensor: ...
@overload
def matmul(a: Plain, b: Tensor) -> Tensor: ...
@overload
def matmul(a: Plain, b: Plain) -> NDArray[Any]: ...

max: Op_a_axis_keepdims
"""Return the largest entry over `axis`. If several entries are the largest, they share the gradient equally. NaN counts as the largest."""

maximum: Op_a_b
"""Return the elementwise maximum of `a` and `b`. Where `a` and `b` are equal, each gets half of the gradient."""

mean: Op_a_axis_keepdims
"""Return the arithmetic mean over `axis`. The sum is computed as in `sum`, except that float16 is summed in float32. The mean of no entries is NaN, with NumPy's warning."""

min: Op_a_axis_keepdims
"""Return the smallest entry over `axis`. If several entries are the smallest, they share the gradient equally. NaN counts as the smallest."""

minimum: Op_a_b
"""Return the elementwise minimum of `a` and `b`. Where `a` and `b` are equal, each gets half of the gradient."""

@overload
def moveaxis(a: Tensor, source: Axis, destination: Axis) -> Tensor: ...
@overload
def moveaxis(a: Plain, source: Axis, destination: Axis) -> NDArray[Any]: ...

multiply: Op_a_b
"""Return the elementwise product a ⊙ b. The result is rounded once; 0 times inf is NaN."""

negative: Op_a
"""Return −a. The result is exact."""

@overload
def outer(a: Tensor, b: Tensor | Plain) -> Tensor: ...
@overload
def outer(a: Plain, b: Tensor) -> Tensor: ...
@overload
def outer(a: Plain, b: Plain) -> NDArray[Any]: ...

power: Op_a_b
"""Return `a` to the power `b`. The derivative with respect to `a` is b a^(b−1); it is taken to be 0 where `a` and `b` are both 0. The derivative with respect to `b` is a^b log a; it is taken to be 0 where `a` is 0 and `b` is not negative, although log 0 is −inf."""

prod: Op_a_axis_keepdims
"""Return the product over `axis`. The derivative with respect to an entry is the product of the other entries, which is correct even where some entries are 0."""

@overload
def ravel(a: Tensor) -> Tensor: ...
@overload
def ravel(a: Plain) -> NDArray[Any]: ...

relu: Op_a
"""Return `a` where `a` is positive, and 0 elsewhere. At 0 its derivative is taken to be 0."""

remainder: Op_a_b
"""Return the remainder a − b ⌊a / b⌋, which has the sign of `b`: ``a % b``. The derivative with respect to `a` is 1, and with respect to `b` it is −⌊a / b⌋, even at a jump."""

repeat: Op_a_repeats_axis
"""Repeat each entry `repeats` times along `axis`. The result is exact. Each entry gets the sum of the gradients of its copies."""

reshape: Op_a_shape
"""Return the entries of `a` in another shape, in row-major order. One size may be −1; it is then computed from the other sizes. The result is exact, and it is a view if NumPy can make one."""

scatter: Op_parts_indices_shape
"""Return zeros of `shape`, with each array in `parts` added at its index in `indices`. Parts at the same index are added in the given order. This is the adjoint of `getitem`."""

scatter_rows: Op_a_index_size
"""Return a row of `size` zeros for each entry of `a`, with the entry put at its index. This is the adjoint of `gather`. The result is exact. A negative index raises IndexError."""

sigmoid: Op_a
"""Return the logistic function y = 1 / (1 + exp(−a)), between 0 and 1. Its derivative is y (1 − y)."""

sign: Op_a
"""Return the sign of `a`: −1, 0 or 1. Its derivative is taken to be 0 everywhere, even at 0, where the sign jumps."""

sin: Op_a
"""Return the sine of `a`, an angle in radians. The sine of inf is NaN, with NumPy's warning."""

softmax: Op_a_axis_4
"""Return exp(a) / Σ exp(a) along `axis`: numbers from 0 to 1 whose sum is 1. The largest entry is subtracted first, so exp cannot overflow."""

softplus: Op_a
"""Return log(1 + exp(a)). It cannot overflow: the result is `a` for large `a`, and 0 for very negative `a`. The logarithm of σ(a) is −softplus(−a)."""

@overload
def split(ary: Tensor, indices_or_sections: Tensor | Plain, axis: int = 0) -> list[Tensor]: ...
@overload
def split(ary: Plain, indices_or_sections: Tensor, axis: int = 0) -> list[Tensor]: ...
@overload
def split(ary: Plain, indices_or_sections: Plain, axis: int = 0) -> list[NDArray[Any]]: ...

sqrt: Op_a
"""Return the square root of `a`. It is NaN for negative numbers, with NumPy's warning. Its derivative is inf at 0."""

square: Op_a
"""Return the elementwise square a ⊙ a. If `a` is beyond ±1.8e19 in float32, the result is inf, with NumPy's warning."""

squeeze: Op_a_axis_3
"""Return `a` without its axes of size 1, or only without those that `axis` names. The result is a view."""

stack: Op_arrays_axis
"""Join arrays of one shape along a new axis. The result is an exact copy."""

@overload
def std(a: Tensor, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Tensor: ...
@overload
def std(a: Plain, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> NDArray[Any]: ...

subtract: Op_a_b
"""Return the difference a − b. The result is rounded once. Where `a` and `b` are nearly equal, cancellation loses their common digits."""

sum: Op_a_axis_keepdims
"""Return the sum over `axis` (an integer, a tuple, or None for all). NumPy uses pairwise summation along a contiguous axis, so for n entries the rounding error grows only with log n."""

@overload
def swapaxes(a: Tensor, axis1: int, axis2: int) -> Tensor: ...
@overload
def swapaxes(a: Plain, axis1: int, axis2: int) -> NDArray[Any]: ...

@overload
def take_along_axis(arr: Tensor, indices: Any, axis: int = -1) -> Tensor: ...
@overload
def take_along_axis(arr: Plain, indices: Any, axis: int = -1) -> NDArray[Any]: ...

tanh: Op_a
"""Return the hyperbolic tangent y of `a`, between −1 and 1. Its derivative is 1 − y². If `a` is beyond ±10 in float32 (±20 in float64), y rounds to ±1, so the derivative is 0."""

transpose: Op_a_axes
"""Return `a` with its axes in reverse order, or in the order `axes`. The result is a view."""

var: Op_a_axis_ddof_keepdims
"""Return the variance over `axis`, Σ (a − mean)² / (n − ddof), as `numpy.var` does. The mean is subtracted before squaring, so a large mean costs no digits."""

where: Op_condition_a_b
"""Return `a` where `condition` is True, and `b` elsewhere. The three arguments broadcast. `condition` is a constant."""

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
