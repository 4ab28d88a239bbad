"""The types of the ops. To write this file again, run:

PYTHONPATH=tests python tests/stubs/write_stubs.py
"""

from collections.abc import Sequence
from types import EllipsisType
from typing import Any, Literal, TypeAlias, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..op import Op
from ..tensor import Tensor
from .decompositions import EighResult
from .decompositions import SVDResult
from .linear_algebra import SlogdetResult

Plain: TypeAlias = float | np.number[Any] | np.bool | NDArray[Any] | list[Plain] | tuple[Plain, ...]
Plains: TypeAlias = Plain | Sequence[Plains]
Tensors: TypeAlias = Tensor | Plain | Sequence[Tensors]
Indices: TypeAlias = str | Sequence[int | EllipsisType]
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

class Op_a_decimals(Op):
    @overload
    def __call__(self, a: Tensor, decimals: int = 0) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, decimals: int = 0) -> NDArray[Any]: ...

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
    def __call__(self, a: Tensor, axes: Axis | Sequence[int | Sequence[int]] = None) -> Tensor: ...
    @overload
    def __call__(self, a: Plain, axes: Axis | Sequence[int | Sequence[int]] = None) -> NDArray[Any]: ...

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

@overload
def append(arr: Tensor, values: Tensor | Plain, axis: int | None = None) -> Tensor: ...
@overload
def append(arr: Plain, values: Tensor, axis: int | None = None) -> Tensor: ...
@overload
def append(arr: Plain, values: Plain, axis: int | None = None) -> NDArray[Any]: ...

arccos: Op_a
"""Return the angle in [0, π] whose cosine is `a`. It is NaN outside of [−1, 1], with NumPy's warning. Its derivative is −inf at −1 and 1."""

arccosh: Op_a
"""Return the number y ≥ 0 whose hyperbolic cosine is `a`. It is NaN below 1, with NumPy's warning. Its derivative is inf at 1."""

arcsin: Op_a
"""Return the angle in [−π/2, π/2] whose sine is `a`. It is NaN outside of [−1, 1], with NumPy's warning. Its derivative is inf at −1 and 1."""

arcsinh: Op_a
"""Return the number whose hyperbolic sine is `a`."""

arctan: Op_a
"""Return the angle in [−π/2, π/2] whose tangent is `a`. At inf it is π/2 and its derivative is 0."""

arctan2: Op_a_b
"""Return the angle in [−π, π] of the vector with the coordinates x = b and y = a. Where `a` and `b` are both 0, both derivatives are taken to be 0."""

arctanh: Op_a
"""Return the number whose hyperbolic tangent is `a`. It is infinite at −1 and 1, and NaN outside of [−1, 1], with NumPy's warning."""

@overload
def array_split(ary: Tensor, indices_or_sections: Tensor | Plain, axis: int = 0) -> list[Tensor]: ...
@overload
def array_split(ary: Plain, indices_or_sections: Tensor, axis: int = 0) -> list[Tensor]: ...
@overload
def array_split(ary: Plain, indices_or_sections: Plain, axis: int = 0) -> list[NDArray[Any]]: ...

astype: Op_a_dtype
"""Return `a` in another dtype. The gradient is cast back to the dtype of `a`. A number too large for a floating dtype becomes inf, with NumPy's warning."""

@overload
def atleast_1d(ary: Tensor, /) -> Tensor: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def atleast_1d(ary: Plain, /) -> NDArray[Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def atleast_1d(*arys: Tensors) -> tuple[Any, ...]: ...

@overload
def atleast_2d(ary: Tensor, /) -> Tensor: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def atleast_2d(ary: Plain, /) -> NDArray[Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def atleast_2d(*arys: Tensors) -> tuple[Any, ...]: ...

@overload
def atleast_3d(ary: Tensor, /) -> Tensor: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def atleast_3d(ary: Plain, /) -> NDArray[Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def atleast_3d(*arys: Tensors) -> tuple[Any, ...]: ...

@overload
def average(a: Tensor, axis: Axis = None, weights: Any = None, returned: Literal[False] = False, *, keepdims: bool = False) -> Tensor: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def average(a: Plain, axis: Axis = None, weights: Plain | None = None, returned: Literal[False] = False, *, keepdims: bool = False) -> NDArray[Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def average(a: Tensor, axis: Axis = None, weights: Any = None, *, returned: Literal[True], keepdims: bool = False) -> tuple[Tensor, Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def average(a: Plain | Tensor, axis: Axis = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any: ...

def block(arrays: Any) -> Any: ...

@overload
def broadcast_arrays(*args: Plains | Indices) -> tuple[NDArray[Any], ...]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def broadcast_arrays(*args: Tensors | Indices) -> tuple[Tensor, ...]: ...

broadcast_to: Op_a_shape
"""Return `a` repeated along axes of size 1, and along new leading axes, so that it has `shape`. The result is a read-only view, not a copy."""

cbrt: Op_a
"""Return the cube root of `a`, which is negative for negative numbers. Its derivative is inf at 0."""

ceil: Op_a
"""Return the smallest integer that is not smaller than `a`. The derivative is taken to be 0 everywhere, even at a jump."""

@overload
def cholesky(a: Tensor, *, upper: bool = False) -> Tensor: ...
@overload
def cholesky(a: Plain, *, upper: bool = False) -> NDArray[Any]: ...

@overload
def choose(a: Sequence[Tensor], choices: Sequence[Tensor], mode: Any = 'raise') -> Tensor: ...
@overload
def choose(a: Plains, choices: Plains, mode: Any = 'raise') -> NDArray[Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def choose(a: Tensors, choices: Tensors, mode: Any = 'raise') -> Tensor: ...

clip: Op_a_min_max
"""Return `a` with its entries limited to the interval from `min` to `max`. The bounds are constants: numbers or arrays. The derivative is 0 where `a` is outside the interval."""

@overload
def column_stack(tup: Sequence[Tensor]) -> Tensor: ...
@overload
def column_stack(tup: Plains) -> NDArray[Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def column_stack(tup: Tensors) -> Tensor: ...

@overload
def compress(condition: Tensor, a: Tensor | Plain, axis: int | None = None) -> Tensor: ...
@overload
def compress(condition: Plain, a: Tensor, axis: int | None = None) -> Tensor: ...
@overload
def compress(condition: Plain, a: Plain, axis: int | None = None) -> NDArray[Any]: ...

concatenate: Op_arrays_axis
"""Join arrays one after another along an existing axis. The result is an exact copy."""

@overload
def cond(x: Tensor, p: Any = None) -> Tensor: ...
@overload
def cond(x: Plain, p: Any = None) -> NDArray[Any]: ...

copy: Op_a
"""Return a copy of `a` in new memory. Gradients flow back through the copy, as through any op."""

cos: Op_a
"""Return the cosine of `a`, an angle in radians. The cosine of inf is NaN, with NumPy's warning."""

cosh: Op_a
"""Return the hyperbolic cosine (exp(a) + exp(−a)) / 2. If `a` is beyond ±89.4 in float32, the result is inf, with NumPy's warning."""

@overload
def cross(a: Tensor, b: Tensor | Plain, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Tensor: ...
@overload
def cross(a: Plain, b: Tensor, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Tensor: ...
@overload
def cross(a: Plain, b: Plain, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> NDArray[Any]: ...

@overload
def cumprod(a: Tensor, axis: int | None = None, dtype: DTypeLike | None = None) -> Tensor: ...
@overload
def cumprod(a: Plain, axis: int | None = None, dtype: DTypeLike | None = None) -> NDArray[Any]: ...

cumsum: Op_a_axis
"""Return the running sums along `axis`, or over the flattened array if `axis` is None. Entries are added one by one, so rounding errors grow with the number of entries."""

@overload
def cumulative_prod(x: Tensor, axis: int | None = None, include_initial: bool = False) -> Tensor: ...
@overload
def cumulative_prod(x: Plain, axis: int | None = None, include_initial: bool = False) -> NDArray[Any]: ...

@overload
def cumulative_sum(x: Tensor, axis: int | None = None, include_initial: bool = False) -> Tensor: ...
@overload
def cumulative_sum(x: Plain, axis: int | None = None, include_initial: bool = False) -> NDArray[Any]: ...

@overload
def deg2rad(x: Tensor) -> Tensor: ...
@overload
def deg2rad(x: Plain) -> NDArray[Any]: ...

@overload
def delete(arr: Tensor, obj: Any, axis: int | None = None) -> Tensor: ...
@overload
def delete(arr: Plain, obj: Any, axis: int | None = None) -> NDArray[Any]: ...

@overload
def det(a: Tensor) -> Tensor: ...
@overload
def det(a: Plain) -> NDArray[Any]: ...

@overload
def diag(v: Tensor, k: int = 0) -> Tensor: ...
@overload
def diag(v: Plain, k: int = 0) -> NDArray[Any]: ...

@overload
def diagflat(v: Tensor, k: int = 0) -> Tensor: ...
@overload
def diagflat(v: Plain, k: int = 0) -> NDArray[Any]: ...

@overload
def diagonal(a: Tensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor: ...
@overload
def diagonal(a: Plain, offset: int = 0, axis1: int = 0, axis2: int = 1) -> NDArray[Any]: ...

@overload
def diff(a: Tensor, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Tensor: ...
@overload
def diff(a: Plain, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> NDArray[Any]: ...

divide: Op_a_b
"""Return the quotient a / b. Division by zero gives inf or NaN, with NumPy's warning."""

@overload
def divmod(a: Tensor, b: Tensor | Plain) -> tuple[Tensor, Tensor]: ...
@overload
def divmod(a: Plain, b: Tensor) -> tuple[Tensor, Tensor]: ...
@overload
def divmod(a: Plain, b: Plain) -> tuple[NDArray[Any], NDArray[Any]]: ...

@overload
def dot(a: Tensor, b: Tensor | Plain) -> Tensor: ...
@overload
def dot(a: Plain, b: Tensor) -> Tensor: ...
@overload
def dot(a: Plain, b: Plain) -> NDArray[Any]: ...

@overload
def dsplit(ary: Tensor, indices_or_sections: Tensor | Plain) -> list[Tensor]: ...
@overload
def dsplit(ary: Plain, indices_or_sections: Tensor) -> list[Tensor]: ...
@overload
def dsplit(ary: Plain, indices_or_sections: Plain) -> list[NDArray[Any]]: ...

@overload
def dstack(tup: Sequence[Tensor]) -> Tensor: ...
@overload
def dstack(tup: Plains) -> NDArray[Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def dstack(tup: Tensors) -> Tensor: ...

@overload
def ediff1d(ary: Tensor, to_end: Any = None, to_begin: Any = None) -> Tensor: ...
@overload
def ediff1d(ary: Plain, to_end: Any = None, to_begin: Any = None) -> NDArray[Any]: ...

def eigh(a: Tensors, UPLO: str = 'L') -> EighResult: ...

@overload
def eigvalsh(a: Tensor, UPLO: str = 'L') -> Tensor: ...
@overload
def eigvalsh(a: Plain, UPLO: str = 'L') -> NDArray[Any]: ...

@overload
def einsum(*operands: Plains | Indices, optimize: Any = False) -> NDArray[Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def einsum(*operands: Tensors | Indices, optimize: Any = False) -> Tensor: ...

exp: Op_a
"""Return e to the power `a`. If `a` is above 88.7 in float32 (709.7 in float64), the result is inf, with NumPy's warning. A result too small for the dtype is 0, without a warning."""

exp2: Op_a
"""Return 2 to the power `a`. If `a` is 128 or more in float32 (1024 in float64), the result is inf, with NumPy's warning."""

expand_dims: Op_a_axis_2
"""Return `a` with new axes of size 1 at `axis`. The result is a view."""

expm1: Op_a
"""Return exp(a) − 1. It is accurate near a = 0, where the subtraction would lose all digits. It overflows to inf where `exp` does."""

@overload
def extract(condition: Tensor, arr: Tensor | Plain) -> Tensor: ...
@overload
def extract(condition: Plain, arr: Tensor) -> Tensor: ...
@overload
def extract(condition: Plain, arr: Plain) -> NDArray[Any]: ...

@overload
def fabs(x: Tensor) -> Tensor: ...
@overload
def fabs(x: Plain) -> NDArray[Any]: ...

@overload
def fix(x: Tensor) -> Tensor: ...
@overload
def fix(x: Plain) -> NDArray[Any]: ...

flip: Op_a_axis_3
"""Return `a` in reverse order along `axis`, or along all axes if it is None. The result is a view."""

@overload
def fliplr(m: Tensor) -> Tensor: ...
@overload
def fliplr(m: Plain) -> NDArray[Any]: ...

@overload
def flipud(m: Tensor) -> Tensor: ...
@overload
def flipud(m: Plain) -> NDArray[Any]: ...

@overload
def float_power(a: Tensor, b: Tensor | Plain) -> Tensor: ...
@overload
def float_power(a: Plain, b: Tensor) -> Tensor: ...
@overload
def float_power(a: Plain, b: Plain) -> NDArray[Any]: ...

floor: Op_a
"""Return the largest integer that is not larger than `a`. The derivative is taken to be 0 everywhere, even at a jump."""

floor_divide: Op_a_b
"""Return a / b, rounded down to an integer: ``a // b``. The exact quotient is rounded down, so 1 // 0.1 is 9 in float64, where 0.1 is a little more than 1/10 and 1 / 0.1 is rounded to 10. Division of a float by zero gives inf or NaN, with NumPy's warning. The derivatives are taken to be 0 everywhere, even at a jump."""

@overload
def fmax(a: Tensor, b: Tensor | Plain) -> Tensor: ...
@overload
def fmax(a: Plain, b: Tensor) -> Tensor: ...
@overload
def fmax(a: Plain, b: Plain) -> NDArray[Any]: ...

@overload
def fmin(a: Tensor, b: Tensor | Plain) -> Tensor: ...
@overload
def fmin(a: Plain, b: Tensor) -> Tensor: ...
@overload
def fmin(a: Plain, b: Plain) -> NDArray[Any]: ...

fmod: Op_a_b
"""Return the remainder a − b q, where q is a / b rounded toward 0. The remainder has the sign of `a`. The derivative with respect to `b` is −q, even at a jump."""

gather: Op_a_index
"""Return one entry of each row of `a`: y[…] = a[…, index[…]]. The rows lie along the last axis. The result is exact. A negative index raises IndexError, because −1 would silently mean the last entry."""

@overload
def geomspace(start: Tensor, stop: Tensor | Plain, num: int = 50, endpoint: bool = True, axis: int = 0) -> Tensor: ...
@overload
def geomspace(start: Plain, stop: Tensor, num: int = 50, endpoint: bool = True, axis: int = 0) -> Tensor: ...
@overload
def geomspace(start: Plain, stop: Plain, num: int = 50, endpoint: bool = True, axis: int = 0) -> NDArray[Any]: ...

getitem: Op_a_index
"""Return a[index], for every index that NumPy accepts. The result is exact. An entry that is selected several times gets the sum of the gradients."""

@overload
def gradient(f: Tensor, *varargs: Tensors, axis: int, edge_order: int = 1) -> Tensor: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def gradient(f: Plain | Tensor, *varargs: Tensors, axis: Axis = None, edge_order: int = 1) -> Any: ...

@overload
def hsplit(ary: Tensor, indices_or_sections: Tensor | Plain) -> list[Tensor]: ...
@overload
def hsplit(ary: Plain, indices_or_sections: Tensor) -> list[Tensor]: ...
@overload
def hsplit(ary: Plain, indices_or_sections: Plain) -> list[NDArray[Any]]: ...

@overload
def hstack(tup: Sequence[Tensor]) -> Tensor: ...
@overload
def hstack(tup: Plains) -> NDArray[Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def hstack(tup: Tensors) -> Tensor: ...

hypot: Op_a_b
"""Return the length √(a² + b²) of the vector (a, b). The squares cannot overflow. Where `a` and `b` are both 0, the length has a kink, and both derivatives are taken to be 0."""

@overload
def inner(a: Tensor, b: Tensor | Plain) -> Tensor: ...
@overload
def inner(a: Plain, b: Tensor) -> Tensor: ...
@overload
def inner(a: Plain, b: Plain) -> NDArray[Any]: ...

@overload
def insert(arr: Tensor, obj: Any, values: Tensor | Plain, axis: int | None = None) -> Tensor: ...
@overload
def insert(arr: Plain, obj: Any, values: Tensor, axis: int | None = None) -> Tensor: ...
@overload
def insert(arr: Plain, obj: Any, values: Plain, axis: int | None = None) -> NDArray[Any]: ...

@overload
def inv(a: Tensor) -> Tensor: ...
@overload
def inv(a: Plain) -> NDArray[Any]: ...

@overload
def kron(a: Tensor, b: Tensor | Plain) -> Tensor: ...
@overload
def kron(a: Plain, b: Tensor) -> Tensor: ...
@overload
def kron(a: Plain, b: Plain) -> NDArray[Any]: ...

lerp: Op_a_b_w
"""Return the linear interpolation (1 − w) ⊙ a + w ⊙ b, from `a` at w = 0 to `b` at w = 1. At w = 1, the result equals `b` up to rounding. Where w is 0 and b − a is infinite, the result is NaN, because 0 · inf is NaN; to choose between `a` and `b`, use `where`."""

@overload
def linear(x: Tensor, weight: Tensor | Plain, bias: Any = None) -> Tensor: ...
@overload
def linear(x: Plain, weight: Tensor, bias: Any = None) -> Tensor: ...
@overload
def linear(x: Plain, weight: Plain, bias: Any = None) -> NDArray[Any]: ...

@overload
def linspace(start: Tensor, stop: Tensor | Plain, num: int = 50, endpoint: bool = True, retstep: Literal[False] = False, axis: int = 0) -> Tensor: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def linspace(start: Plain, stop: Tensor, num: int = 50, endpoint: bool = True, retstep: Literal[False] = False, axis: int = 0) -> Tensor: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def linspace(start: Plain, stop: Plain, num: int = 50, endpoint: bool = True, retstep: Literal[False] = False, axis: int = 0) -> NDArray[Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def linspace(start: Tensor, stop: Tensor | Plain, num: int = 50, endpoint: bool = True, *, retstep: Literal[True], axis: int = 0) -> tuple[Tensor, Tensor]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def linspace(start: Plain, stop: Tensor, num: int = 50, endpoint: bool = True, *, retstep: Literal[True], axis: int = 0) -> tuple[Tensor, Tensor]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def linspace(start: Plain, stop: Plain, num: int = 50, endpoint: bool = True, *, retstep: Literal[True], axis: int = 0) -> tuple[NDArray[Any], NDArray[Any]]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def linspace(start: Tensor, stop: Tensor | Plain, num: int = 50, endpoint: bool = True, retstep: bool = False, axis: int = 0) -> Any: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def linspace(start: Plain, stop: Tensor, num: int = 50, endpoint: bool = True, retstep: bool = False, axis: int = 0) -> Any: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def linspace(start: Plain, stop: Plain, num: int = 50, endpoint: bool = True, retstep: bool = False, axis: int = 0) -> Any: ...

log: Op_a
"""Return the natural logarithm of `a`. It is −inf at 0 and NaN for negative numbers, with NumPy's warning."""

log1p: Op_a
"""Return log(1 + a). It is accurate near a = 0, where the sum 1 + a would lose the digits of `a`. It is −inf at −1 and NaN below −1, with NumPy's warning."""

log2: Op_a
"""Return the logarithm of `a` to base 2. It is −inf at 0 and NaN for negative numbers, with NumPy's warning."""

log10: Op_a
"""Return the logarithm of `a` to base 10. It is −inf at 0 and NaN for negative numbers, with NumPy's warning."""

log_softmax: Op_a_axis_4
"""Return log softmax(a) = a − log Σ exp(a) along `axis`. It is accurate even where softmax itself would round to 0, because the largest entry is subtracted first."""

logaddexp: Op_a_b
"""Return log(exp(a) + exp(b)), which cannot overflow. It is accurate near 0 too, because it is computed as max(a, b) + log1p(exp(−|a − b|)). Where `a` and `b` are equal, even if infinite, each gets half of the gradient."""

logaddexp2: Op_a_b
"""Return log₂(2ᵃ + 2ᵇ), which cannot overflow. Where `a` and `b` are equal, even if infinite, each gets half of the gradient."""

@overload
def logspace(start: Tensor, stop: Tensor | Plain, num: int = 50, endpoint: bool = True, base: Any = 10.0, axis: int = 0) -> Tensor: ...
@overload
def logspace(start: Plain, stop: Tensor, num: int = 50, endpoint: bool = True, base: Any = 10.0, axis: int = 0) -> Tensor: ...
@overload
def logspace(start: Plain, stop: Plain, num: int = 50, endpoint: bool = True, base: Any = 10.0, axis: int = 0) -> NDArray[Any]: ...

logsumexp: Op_a_axis_keepdims
"""Return log Σ exp(a) over `axis`. It cannot overflow, because the largest entry is subtracted first. Where every entry is −inf, the result is −inf too."""

@overload
def matmul(a: Tensor, b: Tensor | Plain) -> Tensor: ...
@overload
def matmul(a: Plain, b: Tensor) -> Tensor: ...
@overload
def matmul(a: Plain, b: Plain) -> NDArray[Any]: ...

@overload
def matrix_norm(x: Tensor, *, keepdims: bool = False, ord: Any = 'fro') -> Tensor: ...
@overload
def matrix_norm(x: Plain, *, keepdims: bool = False, ord: Any = 'fro') -> NDArray[Any]: ...

@overload
def matrix_power(a: Tensor, n: int) -> Tensor: ...
@overload
def matrix_power(a: Plain, n: int) -> NDArray[Any]: ...

max: Op_a_axis_keepdims
"""Return the largest entry over `axis`. If several entries are the largest, they share the gradient equally. NaN counts as the largest."""

maximum: Op_a_b
"""Return the elementwise maximum of `a` and `b`. Where `a` and `b` are equal, each gets half of the gradient."""

mean: Op_a_axis_keepdims
"""Return the arithmetic mean over `axis`, computed from the sum as in `sum`. The mean of no entries is NaN, with NumPy's warning."""

@overload
def median(a: Tensor, axis: Axis = None, *, keepdims: bool = False) -> Tensor: ...
@overload
def median(a: Plain, axis: Axis = None, *, keepdims: bool = False) -> NDArray[Any]: ...

min: Op_a_axis_keepdims
"""Return the smallest entry over `axis`. If several entries are the smallest, they share the gradient equally. NaN counts as the smallest."""

minimum: Op_a_b
"""Return the elementwise minimum of `a` and `b`. Where `a` and `b` are equal, each gets half of the gradient."""

@overload
def modf(x: Tensor) -> tuple[Tensor, Tensor]: ...
@overload
def modf(x: Plain) -> tuple[NDArray[Any], NDArray[Any]]: ...

@overload
def moveaxis(a: Tensor, source: Axis, destination: Axis) -> Tensor: ...
@overload
def moveaxis(a: Plain, source: Axis, destination: Axis) -> NDArray[Any]: ...

@overload
def multi_dot(arrays: Sequence[Tensor]) -> Tensor: ...
@overload
def multi_dot(arrays: Plains) -> NDArray[Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def multi_dot(arrays: Tensors) -> Tensor: ...

multiply: Op_a_b
"""Return the elementwise product a ⊙ b. The result is rounded once; 0 times inf is NaN."""

@overload
def nan_to_num(x: Tensor, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Tensor: ...
@overload
def nan_to_num(x: Plain, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> NDArray[Any]: ...

@overload
def nancumprod(a: Tensor, axis: int | None = None) -> Tensor: ...
@overload
def nancumprod(a: Plain, axis: int | None = None) -> NDArray[Any]: ...

@overload
def nancumsum(a: Tensor, axis: int | None = None) -> Tensor: ...
@overload
def nancumsum(a: Plain, axis: int | None = None) -> NDArray[Any]: ...

@overload
def nanmax(a: Tensor, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Tensor: ...
@overload
def nanmax(a: Plain, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> NDArray[Any]: ...

@overload
def nanmean(a: Tensor, axis: Axis = None, keepdims: bool = False, *, where: Any = True) -> Tensor: ...
@overload
def nanmean(a: Plain, axis: Axis = None, keepdims: bool = False, *, where: Any = True) -> NDArray[Any]: ...

@overload
def nanmin(a: Tensor, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Tensor: ...
@overload
def nanmin(a: Plain, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> NDArray[Any]: ...

@overload
def nanprod(a: Tensor, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Tensor: ...
@overload
def nanprod(a: Plain, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> NDArray[Any]: ...

@overload
def nanstd(a: Tensor, axis: Axis = None, ddof: float = 0, keepdims: bool = False, *, where: Any = True, correction: float | None = None) -> Tensor: ...
@overload
def nanstd(a: Plain, axis: Axis = None, ddof: float = 0, keepdims: bool = False, *, where: Any = True, correction: float | None = None) -> NDArray[Any]: ...

@overload
def nansum(a: Tensor, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Tensor: ...
@overload
def nansum(a: Plain, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> NDArray[Any]: ...

@overload
def nanvar(a: Tensor, axis: Axis = None, ddof: float = 0, keepdims: bool = False, *, where: Any = True, correction: float | None = None) -> Tensor: ...
@overload
def nanvar(a: Plain, axis: Axis = None, ddof: float = 0, keepdims: bool = False, *, where: Any = True, correction: float | None = None) -> NDArray[Any]: ...

negative: Op_a
"""Return −a. The result is exact."""

@overload
def norm(x: Tensor, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Tensor: ...
@overload
def norm(x: Plain, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> NDArray[Any]: ...

@overload
def outer(a: Tensor, b: Tensor | Plain) -> Tensor: ...
@overload
def outer(a: Plain, b: Tensor) -> Tensor: ...
@overload
def outer(a: Plain, b: Plain) -> NDArray[Any]: ...

@overload
def pad(array: Tensor, pad_width: Tensor | Plain, mode: str = 'constant', **kwargs: Tensor | Plain | str) -> Tensor: ...
@overload
def pad(array: Plain, pad_width: Tensor, mode: str = 'constant', **kwargs: Tensor | Plain | str) -> Tensor: ...
@overload
def pad(array: Plain, pad_width: Plain, mode: str = 'constant', **kwargs: Tensor) -> Tensor: ...
@overload
def pad(array: Plain, pad_width: Plain, mode: str = 'constant', **kwargs: Plain | str) -> NDArray[Any]: ...

@overload
def partition(a: Tensor, kth: Tensor | Plain, axis: int | None = -1, kind: str = 'introselect') -> Tensor: ...
@overload
def partition(a: Plain, kth: Tensor, axis: int | None = -1, kind: str = 'introselect') -> Tensor: ...
@overload
def partition(a: Plain, kth: Plain, axis: int | None = -1, kind: str = 'introselect') -> NDArray[Any]: ...

@overload
def percentile(a: Tensor, q: Tensor | Plain, axis: Axis = None, *, method: Any = 'linear', keepdims: bool = False) -> Tensor: ...
@overload
def percentile(a: Plain, q: Tensor, axis: Axis = None, *, method: Any = 'linear', keepdims: bool = False) -> Tensor: ...
@overload
def percentile(a: Plain, q: Plain, axis: Axis = None, *, method: Any = 'linear', keepdims: bool = False) -> NDArray[Any]: ...

@overload
def piecewise(x: Plains | Indices, condlist: Plains | Indices, funclist: Any, *args: Plains | Indices, **kw: Plains | Indices | str) -> NDArray[Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def piecewise(x: Tensors | Indices, condlist: Tensors | Indices, funclist: Any, *args: Tensors | Indices, **kw: Tensors | Indices | str) -> Tensor: ...

@overload
def pinv(a: Tensor, rcond: Any = None, *, rtol: Any = None) -> Tensor: ...
@overload
def pinv(a: Plain, rcond: Any = None, *, rtol: Any = None) -> NDArray[Any]: ...

@overload
def positive(x: Tensor) -> Tensor: ...
@overload
def positive(x: Plain) -> NDArray[Any]: ...

power: Op_a_b
"""Return `a` to the power `b`. The derivative with respect to `a` is b a^(b−1); it is taken to be 0 where `a` and `b` are both 0. The derivative with respect to `b` is a^b log a; it is taken to be 0 where `a` is 0 and `b` is not negative, although log 0 is −inf. Where `a` is 0 and `b` is negative, a^b is inf, and both derivatives are −inf."""

prod: Op_a_axis_keepdims
"""Return the product over `axis`. The derivative with respect to an entry is the product of the other entries, which is correct even where some entries are 0."""

@overload
def ptp(a: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor: ...
@overload
def ptp(a: Plain, axis: Axis = None, keepdims: bool = False) -> NDArray[Any]: ...

@overload
def quantile(a: Tensor, q: Tensor | Plain, axis: Axis = None, *, method: Any = 'linear', keepdims: bool = False) -> Tensor: ...
@overload
def quantile(a: Plain, q: Tensor, axis: Axis = None, *, method: Any = 'linear', keepdims: bool = False) -> Tensor: ...
@overload
def quantile(a: Plain, q: Plain, axis: Axis = None, *, method: Any = 'linear', keepdims: bool = False) -> NDArray[Any]: ...

@overload
def rad2deg(x: Tensor) -> Tensor: ...
@overload
def rad2deg(x: Plain) -> NDArray[Any]: ...

@overload
def ravel(a: Tensor, order: str = 'C') -> Tensor: ...
@overload
def ravel(a: Plain, order: str = 'C') -> NDArray[Any]: ...

@overload
def reciprocal(x: Tensor) -> Tensor: ...
@overload
def reciprocal(x: Plain) -> NDArray[Any]: ...

relu: Op_a
"""Return `a` where `a` is positive, and 0 elsewhere. At 0 its derivative is taken to be 0."""

remainder: Op_a_b
"""Return the remainder a − b ⌊a / b⌋, which has the sign of `b`: ``a % b``. The derivative with respect to `a` is 1, and with respect to `b` it is −⌊a / b⌋, even at a jump."""

repeat: Op_a_repeats_axis
"""Repeat each entry `repeats` times along `axis`. The result is exact. Each entry gets the sum of the gradients of its copies."""

reshape: Op_a_shape
"""Return the entries of `a` in another shape, in row-major order. One size may be −1; it is then computed from the other sizes. The result is exact, and it is a view if NumPy can make one."""

@overload
def resize(a: Tensor, new_shape: Tensor | Plain) -> Tensor: ...
@overload
def resize(a: Plain, new_shape: Tensor) -> Tensor: ...
@overload
def resize(a: Plain, new_shape: Plain) -> NDArray[Any]: ...

rint: Op_a
"""Return the integer nearest to `a`, the even one of two that are equally near. The derivative is taken to be 0 everywhere, even at a jump."""

@overload
def roll(a: Tensor, shift: Tensor | Plain, axis: Axis = None) -> Tensor: ...
@overload
def roll(a: Plain, shift: Tensor, axis: Axis = None) -> Tensor: ...
@overload
def roll(a: Plain, shift: Plain, axis: Axis = None) -> NDArray[Any]: ...

@overload
def rollaxis(a: Tensor, axis: int, start: int = 0) -> Tensor: ...
@overload
def rollaxis(a: Plain, axis: int, start: int = 0) -> NDArray[Any]: ...

@overload
def rot90(m: Tensor, k: int = 1, axes: Axis | Sequence[int | Sequence[int]] = (0, 1)) -> Tensor: ...
@overload
def rot90(m: Plain, k: int = 1, axes: Axis | Sequence[int | Sequence[int]] = (0, 1)) -> NDArray[Any]: ...

round: Op_a_decimals
"""Return `a` rounded to `decimals` digits after the point. A negative `decimals` counts digits before the point. Of two numbers that are equally near, the result is the one with an even last digit. The derivative is taken to be 0 everywhere, even at a jump."""

scatter: Op_parts_indices_shape
"""Return zeros of `shape`, with each array in `parts` added at its index in `indices`. Parts at the same index are added in the given order. This is the adjoint of `getitem`."""

scatter_rows: Op_a_index_size
"""Return a row of `size` zeros for each entry of `a`, with the entry put at its index. This is the adjoint of `gather`. The result is exact. A negative index raises IndexError."""

@overload
def select(condlist: Sequence[Tensor], choicelist: Sequence[Tensor], default: Any = 0) -> Tensor: ...
@overload
def select(condlist: Plains, choicelist: Plains, default: Any = 0) -> NDArray[Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def select(condlist: Tensors, choicelist: Tensors, default: Any = 0) -> Tensor: ...

sigmoid: Op_a
"""Return the logistic function y = 1 / (1 + exp(−a)), between 0 and 1. Its derivative is y (1 − y)."""

sign: Op_a
"""Return the sign of `a`: −1, 0 or 1. Its derivative is taken to be 0 everywhere, even at 0, where the sign jumps."""

sin: Op_a
"""Return the sine of `a`, an angle in radians. The sine of inf is NaN, with NumPy's warning."""

sinc: Op_a
"""Return sin(π a) / (π a), as `numpy.sinc` does. It is 1 at 0, and its derivative there is 0."""

sinh: Op_a
"""Return the hyperbolic sine (exp(a) − exp(−a)) / 2. If `a` is beyond ±89.4 in float32, the result is infinite, with NumPy's warning."""

def slogdet(a: Tensors) -> SlogdetResult: ...

softmax: Op_a_axis_4
"""Return exp(a) / Σ exp(a) along `axis`: numbers from 0 to 1 whose sum is 1. The largest entry is subtracted first, so exp cannot overflow."""

softplus: Op_a
"""Return log(1 + exp(a)). It cannot overflow: the result is `a` for large `a`, and 0 for very negative `a`. The logarithm of σ(a) is −softplus(−a)."""

@overload
def solve(a: Tensor, b: Tensor | Plain) -> Tensor: ...
@overload
def solve(a: Plain, b: Tensor) -> Tensor: ...
@overload
def solve(a: Plain, b: Plain) -> NDArray[Any]: ...

@overload
def sort(a: Tensor, axis: int | None = -1, kind: Any = None, *, stable: bool | None = None) -> Tensor: ...
@overload
def sort(a: Plain, axis: int | None = -1, kind: Any = None, *, stable: bool | None = None) -> NDArray[Any]: ...

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
"""Return `a` without its axes of size 1. If `axis` is given, only these axes are removed. The result is a view."""

stack: Op_arrays_axis
"""Join arrays of one shape along a new axis. The result is an exact copy."""

@overload
def std(a: Tensor, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Tensor: ...
@overload
def std(a: Plain, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> NDArray[Any]: ...

subtract: Op_a_b
"""Return the difference a − b. The result is rounded once. Where `a` and `b` are nearly equal, cancellation loses their common digits."""

sum: Op_a_axis_keepdims
"""Return the sum over `axis` (an integer, a tuple, or None for all). NumPy uses pairwise summation along a contiguous axis, so for n entries the rounding error grows only with log n. float16 is summed in float32."""

@overload
def svd(a: Tensors, full_matrices: bool = True, compute_uv: Literal[True] = True) -> SVDResult: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def svd(a: Tensor, full_matrices: bool = True, *, compute_uv: Literal[False]) -> Tensor: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def svd(a: Plain, full_matrices: bool = True, *, compute_uv: Literal[False]) -> NDArray[Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def svd(a: Plain | Tensor, full_matrices: bool = True, compute_uv: bool = True) -> Any: ...

@overload
def svdvals(x: Tensor) -> Tensor: ...
@overload
def svdvals(x: Plain) -> NDArray[Any]: ...

@overload
def swapaxes(a: Tensor, axis1: int, axis2: int) -> Tensor: ...
@overload
def swapaxes(a: Plain, axis1: int, axis2: int) -> NDArray[Any]: ...

@overload
def take(a: Tensor, indices: Any, axis: int | None = None, mode: str = 'raise') -> Tensor: ...
@overload
def take(a: Plain, indices: Any, axis: int | None = None, mode: str = 'raise') -> NDArray[Any]: ...

@overload
def take_along_axis(arr: Tensor, indices: Any, axis: int | None = -1) -> Tensor: ...
@overload
def take_along_axis(arr: Plain, indices: Any, axis: int | None = -1) -> NDArray[Any]: ...

tan: Op_a
"""Return the tangent y of `a`, an angle in radians. Its derivative is 1 + y²."""

tanh: Op_a
"""Return the hyperbolic tangent y of `a`, between −1 and 1. Its derivative is 1 − y². If `a` is beyond ±10 in float32 (±20 in float64), y rounds to ±1, so the derivative is 0."""

@overload
def tensordot(a: Tensor, b: Tensor | Plain, axes: Axis | Sequence[int | Sequence[int]] = 2) -> Tensor: ...
@overload
def tensordot(a: Plain, b: Tensor, axes: Axis | Sequence[int | Sequence[int]] = 2) -> Tensor: ...
@overload
def tensordot(a: Plain, b: Plain, axes: Axis | Sequence[int | Sequence[int]] = 2) -> NDArray[Any]: ...

@overload
def tile(A: Tensor, reps: Tensor | Plain) -> Tensor: ...
@overload
def tile(A: Plain, reps: Tensor) -> Tensor: ...
@overload
def tile(A: Plain, reps: Plain) -> NDArray[Any]: ...

@overload
def trace(a: Tensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor: ...
@overload
def trace(a: Plain, offset: int = 0, axis1: int = 0, axis2: int = 1) -> NDArray[Any]: ...

transpose: Op_a_axes
"""Return `a` with its axes in reverse order, or in the order `axes`. The result is a view."""

@overload
def trapezoid(y: Tensor, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Tensor: ...
@overload
def trapezoid(y: Plain, x: Any = None, dx: Any = 1.0, axis: int = -1) -> NDArray[Any]: ...

@overload
def tril(m: Tensor, k: int = 0) -> Tensor: ...
@overload
def tril(m: Plain, k: int = 0) -> NDArray[Any]: ...

@overload
def triu(m: Tensor, k: int = 0) -> Tensor: ...
@overload
def triu(m: Plain, k: int = 0) -> NDArray[Any]: ...

trunc: Op_a
"""Return `a` without its digits after the point. The derivative is taken to be 0 everywhere, even at a jump."""

@overload
def unstack(x: Tensor, *, axis: int = 0) -> tuple[Tensor, ...]: ...
@overload
def unstack(x: Plain, *, axis: int = 0) -> tuple[NDArray[Any], ...]: ...

var: Op_a_axis_ddof_keepdims
"""Return the variance over `axis`, Σ (a − mean)² / (n − ddof), as `numpy.var` does. The mean is subtracted before squaring, so a large mean costs no digits."""

@overload
def vdot(a: Tensor, b: Tensor | Plain) -> Tensor: ...
@overload
def vdot(a: Plain, b: Tensor) -> Tensor: ...
@overload
def vdot(a: Plain, b: Plain) -> NDArray[Any]: ...

@overload
def vecdot(x1: Tensor, x2: Tensor | Plain, *, axis: int = -1) -> Tensor: ...
@overload
def vecdot(x1: Plain, x2: Tensor, *, axis: int = -1) -> Tensor: ...
@overload
def vecdot(x1: Plain, x2: Plain, *, axis: int = -1) -> NDArray[Any]: ...

@overload
def vector_norm(x: Tensor, *, axis: Axis = None, keepdims: bool = False, ord: Any = 2) -> Tensor: ...
@overload
def vector_norm(x: Plain, *, axis: Axis = None, keepdims: bool = False, ord: Any = 2) -> NDArray[Any]: ...

@overload
def vsplit(ary: Tensor, indices_or_sections: Tensor | Plain) -> list[Tensor]: ...
@overload
def vsplit(ary: Plain, indices_or_sections: Tensor) -> list[Tensor]: ...
@overload
def vsplit(ary: Plain, indices_or_sections: Plain) -> list[NDArray[Any]]: ...

@overload
def vstack(tup: Sequence[Tensor]) -> Tensor: ...
@overload
def vstack(tup: Plains) -> NDArray[Any]: ...  # type: ignore[overload-overlap, unused-ignore]  # pyright: ignore[reportOverlappingOverload]
@overload
def vstack(tup: Tensors) -> Tensor: ...

where: Op_condition_a_b
"""Return `a` where `condition` is True, and `b` elsewhere. The three arguments broadcast. `condition` is a constant."""

__all__ = [
    "abs",
    "add",
    "all",
    "any",
    "append",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "array_split",
    "astype",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "average",
    "block",
    "broadcast_arrays",
    "broadcast_to",
    "cbrt",
    "ceil",
    "cholesky",
    "choose",
    "clip",
    "column_stack",
    "compress",
    "concatenate",
    "cond",
    "copy",
    "cos",
    "cosh",
    "cross",
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
    "deg2rad",
    "delete",
    "det",
    "diag",
    "diagflat",
    "diagonal",
    "diff",
    "divide",
    "divmod",
    "dot",
    "dsplit",
    "dstack",
    "ediff1d",
    "eigh",
    "eigvalsh",
    "einsum",
    "exp",
    "exp2",
    "expand_dims",
    "expm1",
    "extract",
    "fabs",
    "fix",
    "flip",
    "fliplr",
    "flipud",
    "float_power",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "gather",
    "geomspace",
    "getitem",
    "gradient",
    "hsplit",
    "hstack",
    "hypot",
    "inner",
    "insert",
    "inv",
    "kron",
    "lerp",
    "linear",
    "linspace",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_softmax",
    "logaddexp",
    "logaddexp2",
    "logspace",
    "logsumexp",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "max",
    "maximum",
    "mean",
    "median",
    "min",
    "minimum",
    "modf",
    "moveaxis",
    "multi_dot",
    "multiply",
    "nan_to_num",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
    "negative",
    "norm",
    "outer",
    "pad",
    "partition",
    "percentile",
    "piecewise",
    "pinv",
    "positive",
    "power",
    "prod",
    "ptp",
    "quantile",
    "rad2deg",
    "ravel",
    "reciprocal",
    "relu",
    "remainder",
    "repeat",
    "reshape",
    "resize",
    "rint",
    "roll",
    "rollaxis",
    "rot90",
    "round",
    "scatter",
    "scatter_rows",
    "select",
    "sigmoid",
    "sign",
    "sin",
    "sinc",
    "sinh",
    "slogdet",
    "softmax",
    "softplus",
    "solve",
    "sort",
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
    "tan",
    "tanh",
    "tensordot",
    "tile",
    "trace",
    "transpose",
    "trapezoid",
    "tril",
    "triu",
    "trunc",
    "unstack",
    "var",
    "vdot",
    "vecdot",
    "vector_norm",
    "vsplit",
    "vstack",
    "where",
]
