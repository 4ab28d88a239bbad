"""The Tensor: a value, and the node that made it. Operators and methods are the ops, one line each."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, NoReturn, Self

import numpy as np
from numpy.typing import DTypeLike

from . import check, ops
from .backward import accumulate, backward_pass
from .dtypes import as_array
from .errors import argument_error, describe
from .graph import IMMUTABLE, Value, clock, frozen_index, node_of, notify, read, read_hook, toposort
from .op import apply
from .ops import numpy_protocol as protocol

NONE: dict[str, Any] = {}  # the settings of an op that has none
_NO_GRADIENT = "make the tensors it is computed from with requires_grad=True, and compute it outside of tg.no_grad()"


class Tensor(Value):
    """An array that remembers how it was computed, so that gradients can flow back.

    Parameters
    ----------
    data : array_like
        Real numbers. An ndarray is wrapped, not copied, and keeps its dtype; Python floats take
        the default dtype (float32), integers int64. Nothing here ever writes into it.
    requires_grad : bool, keyword-only
        Whether `backward` should leave the gradient in ``.grad``. Floating dtypes only.
    dtype : numpy.dtype, keyword-only, optional
    name : str, keyword-only, optional
        What drawings and error messages call it.

    Raises
    ------
    TypeError
        If the numbers are not real, or an integer Tensor is asked for gradients.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> loss = (x * x).sum()
    >>> loss.backward()
    >>> x.grad
    array([2., 4.], dtype=float32)
    >>> loss.item(), x.tolist(), loss.requires_grad, loss.detach().requires_grad
    (5.0, [1.0, 2.0], True, False)
    >>> x.data = x.data - 0.25 * x.grad
    >>> x
    Tensor([0.5, 1. ], requires_grad=True)
    >>> m = tg.Tensor([[1, 5, 3], [4, 2, 6]])
    >>> m.shape, m.ndim, m.size, m.dtype, m.numpy()[0]
    ((2, 3), 2, 6, dtype('int64'), array([1, 5, 3]))
    >>> m.T.shape, m.mT.shape, m.argmax(), m.argmin(axis=1)
    ((3, 2), (3, 2), array(5), array([0, 1]))
    """

    __slots__ = ()

    def __init__(
        self,
        data: Any,
        *,
        requires_grad: bool = False,
        dtype: DTypeLike | None = None,
        name: str | None = None,
    ):
        if isinstance(data, Value):
            if data.tracked:
                fix = (
                    "use data.detach() to leave the graph behind, data.astype(dtype) to stay in it"
                )
                raise argument_error(
                    "Tensor",
                    "data",
                    expected="an array",
                    got="a Tensor that requires gradients",
                    fix=fix,
                    kind=TypeError,
                )
            data = data.array
        self.array = as_array(data, dtype)
        if requires_grad is not False and check.flag("Tensor", "requires_grad", requires_grad):
            check.floating("Tensor", "requires_grad", self.array)
        self.node = None
        self.tracked = bool(requires_grad)
        self.changed = 0
        self.grad = None
        self.name = check.instance(
            "Tensor", "name", name, str | None, "text, or None", "use str(...)"
        )

    # -- what it is ---------------------------------------------------------------------------------

    @property
    def data(self) -> np.ndarray:
        """The numbers. Assign an array of the same shape and dtype to replace those of a leaf."""
        return self.array if read_hook.get() is None else read(np.asarray, self)

    @data.setter
    def data(self, new: Any) -> None:
        self._leaf("Tensor.data")
        old, array = (
            self.array,
            np.asarray(new, dtype=None if isinstance(new, np.ndarray) else self.array.dtype),
        )
        if array.shape != old.shape or array.dtype != old.dtype:
            raise argument_error(
                "Tensor.data",
                self.name or "new value",
                expected=describe(self),
                got=describe(array),
                fix="make a new Tensor, or use reshape and astype",
            )
        self.array = array
        self.changed = next(clock)

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow back to it. Can be set on a leaf."""
        return self.tracked

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if check.flag("Tensor", "requires_grad", wanted):
            check.floating("requires_grad", self.name or "tensor", self.array)
        elif self.node is not None:
            raise RuntimeError(
                "requires_grad: argument tensor: expected a leaf, got the result of an op; use tensor.detach()"
            )
        if (
            wanted and not self.tracked
        ):  # what was computed with it until now has not recorded every use of it
            self.changed = next(clock)
        self.tracked = bool(wanted)

    shape = property(lambda self: self.array.shape, doc="Sizes of the axes, a tuple.")
    ndim = property(lambda self: self.array.ndim, doc="Number of axes.")
    size = property(lambda self: self.array.size, doc="Number of entries.")
    dtype = property(lambda self: self.array.dtype, doc="The dtype of data and of grad.")

    def numpy(self) -> np.ndarray:
        """The numbers as a plain array, which shares memory; for a Tensor with gradients say ``t.detach().numpy()``."""
        return np.asarray(self)

    def item(self) -> float | int | bool:
        """The only entry, as a Python number."""
        return read(np.ndarray.item, check.single_entry("item", self))

    def tolist(self) -> Any:
        """The entries as nested lists of Python numbers."""
        return read(np.ndarray.tolist, self)

    def detach(self) -> Self:
        """The same numbers as a leaf without gradients: what to carry from batch to batch in truncated BPTT."""
        return (
            type(self)(self.array, name=self.name)
            if read_hook.get() is None
            else read(Tensor.detach, self)
        )

    def __repr__(self) -> str:
        body = np.array2string(self.array, separator=", ", prefix="Tensor(", threshold=60)
        extras = (
            [f"dtype={self.dtype}"] if self.dtype not in (np.float32, np.int64, np.bool_) else []
        )
        if self.name:
            extras.append(f"name={self.name!r}")
        if self.node:
            extras.append(f"has graph: {self.node.op.name}")
        elif self.tracked:
            extras.append("requires_grad=True")
        return f"Tensor({', '.join([body, *extras])})"

    def __len__(self) -> int:
        return len(check.has_axes("len", self).array)

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(check.has_axes("iter", self).array)))

    def __bool__(self) -> bool:
        return read(bool, check.single_entry("bool", self))

    # NumPy calls these to put a Tensor into an array, and math.exp to leave the graph.
    def __float__(self) -> float:
        return float(_untracked("float", self).item())

    def __int__(self) -> int:
        return int(_untracked("int", self).item())

    def __index__(self) -> int:
        return read(operator.index, self)

    def __format__(self, spec: str) -> str:
        return format(self.item() if spec else str(self), spec)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copy = type(self)(
            self._leaf("copy.deepcopy").array.copy(), requires_grad=self.tracked, name=self.name
        )
        copy.grad = None if self.grad is None else self.grad.copy()
        memo[id(self)] = copy
        return copy

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (
            type(self),
            self._leaf("pickle").array,
            self.grad,
            self.tracked,
            self.name,
        )

    def _leaf(self, operation: str) -> Self:
        if self.node is not None:
            raise TypeError(
                f"{operation}: argument tensor: expected a leaf, got the result of {self.node.op.name}; use tensor.detach()"
            )
        return self

    # -- gradients ----------------------------------------------------------------------------------

    def backward(
        self, gradient: Any = None, *, retain_graph: bool = False, retain_grads: bool = False
    ) -> None:
        """Add to ``.grad`` of every leaf that requires it the gradient of this tensor with respect to it.

        Threads may do so at once, each on a graph of its own, also if these share leaves.

        Parameters
        ----------
        gradient : array_like of this shape, optional
            What arrives here; 1 for a tensor of one entry. The result is the vector-Jacobian product.
        retain_graph : bool
            Allow another backward pass through this graph. Without it the graph can still be looked at.
        retain_grads : bool
            Leave every interior tensor its gradient too, in ``.grad``.

        Raises
        ------
        RuntimeError
            If nothing here requires gradients, or a backward pass went through this graph before.
        ValueError
            If `gradient` is missing or of another shape. No ``.grad`` has changed then.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).backward([1.0, 10.0])
        >>> x.grad
        array([ 2., 40.], dtype=float32)
        """
        retain_graph = check.flag("backward", "retain_graph", retain_graph)
        order = toposort(self)
        accumulate(
            backward_pass(
                {self: seed_cotangent(self, gradient, "backward")}, order, interior=retain_grads
            )
        )
        for value in order:
            node_of(value).used = max(node_of(value).used, 1 if retain_graph else 2)
        notify("used", order)

    # -- operators ----------------------------------------------------------------------------------

    def __add__(self, other: Any) -> Self:
        return apply(ops.add, (self, other), NONE)

    def __radd__(self, other: Any) -> Self:
        return apply(ops.add, (other, self), NONE)

    def __sub__(self, other: Any) -> Self:
        return apply(ops.subtract, (self, other), NONE)

    def __rsub__(self, other: Any) -> Self:
        return apply(ops.subtract, (other, self), NONE)

    def __mul__(self, other: Any) -> Self:
        return apply(ops.multiply, (self, other), NONE)

    def __rmul__(self, other: Any) -> Self:
        return apply(ops.multiply, (other, self), NONE)

    def __truediv__(self, other: Any) -> Self:
        return apply(ops.divide, (self, other), NONE)

    def __rtruediv__(self, other: Any) -> Self:
        return apply(ops.divide, (other, self), NONE)

    def __pow__(self, other: Any) -> Self:
        return apply(ops.power, (self, other), NONE)

    def __rpow__(self, other: Any) -> Self:
        return apply(ops.power, (other, self), NONE)

    def __matmul__(self, other: Any) -> Self:
        return ops.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Self:
        return ops.matmul(other, self)

    def __neg__(self) -> Self:
        return apply(ops.negative, (self,), NONE)

    def __pos__(self) -> Self:
        return self

    def __abs__(self) -> Self:
        return apply(ops.abs, (self,), NONE)

    def __getitem__(self, index: Any) -> Self:
        return apply(
            ops.getitem,
            (self,),
            {"index": index if type(index) in IMMUTABLE else frozen_index(index)},
        )

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise TypeError(
            "Tensor[...] = value: argument self: expected an ndarray, got a Tensor, whose numbers its graph needs as they are; "
            "use tg.where or tg.concatenate, or assign t.data outside of a graph"
        )

    def __eq__(self, other: Any) -> Any:
        return read(operator.eq, self, other)

    def __ne__(self, other: Any) -> Any:
        return read(operator.ne, self, other)

    def __lt__(self, other: Any) -> Any:
        return read(operator.lt, self, other)

    def __le__(self, other: Any) -> Any:
        return read(operator.le, self, other)

    def __gt__(self, other: Any) -> Any:
        return read(operator.gt, self, other)

    def __ge__(self, other: Any) -> Any:
        return read(operator.ge, self, other)

    __hash__ = Value.__hash__

    # -- NumPy's functions --------------------------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.tracked:
            raise TypeError(
                "np.asarray: argument t: expected a Tensor without gradients, got one whose gradients would be lost; "
                "use t.detach().numpy(), or a function of tinygrad_rnn"
            )
        return np.array(self.array, dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return protocol.array_ufunc(ufunc, method, *inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return protocol.array_function(func, args, kwargs)

    # -- methods: the functions of the same name ----------------------------------------------------

    T = property(ops.transpose, doc="The axes in reverse order.")
    mT = property(
        lambda self: ops.swapaxes(self, -2, -1),
        doc="The matrix transpose, with the last two axes exchanged.",
    )

    abs, sqrt, square, exp, expm1, log, log1p = (
        ops.abs,
        ops.sqrt,
        ops.square,
        ops.exp,
        ops.expm1,
        ops.log,
        ops.log1p,
    )
    sin, cos, tanh, sigmoid, relu, softplus = (
        ops.sin,
        ops.cos,
        ops.tanh,
        ops.sigmoid,
        ops.relu,
        ops.softplus,
    )
    max, min, var, std, cumsum = ops.max, ops.min, ops.var, ops.std, ops.cumsum
    logsumexp, softmax, log_softmax = ops.logsumexp, ops.softmax, ops.log_softmax
    squeeze, swapaxes, split, broadcast_to, expand_dims = (
        ops.squeeze,
        ops.swapaxes,
        ops.split,
        ops.broadcast_to,
        ops.expand_dims,
    )
    clip, matmul, dot, outer, flip = ops.clip, ops.matmul, ops.matmul, ops.outer, ops.flip
    prod, any, all, copy, repeat, flatten, ravel = (
        ops.prod,
        ops.any,
        ops.all,
        ops.copy,
        ops.repeat,
        ops.ravel,
        ops.ravel,
    )

    def sum(self, axis: Any = None, keepdims: bool = False) -> Self:
        """The sum over `axis`, or of all entries."""
        return apply(ops.sum, (self,), {"axis": axis, "keepdims": keepdims})

    def mean(self, axis: Any = None, keepdims: bool = False) -> Self:
        """The mean over `axis`, or of all entries."""
        return apply(ops.mean, (self,), {"axis": axis, "keepdims": keepdims})

    def reshape(self, *shape: Any) -> Self:
        """The same entries in another shape: ``t.reshape(2, -1)`` or ``t.reshape((2, -1))``."""
        return apply(ops.reshape, (self,), {"shape": shape[0] if len(shape) == 1 else shape})

    def transpose(self, *axes: Any) -> Self:
        """The axes in reverse order, or in the order given: ``t.transpose(1, 0)`` or ``t.transpose((1, 0))``."""
        order = axes[0] if len(axes) == 1 else axes or None
        return apply(ops.transpose, (self,), {"axes": order})

    def astype(self, dtype: DTypeLike) -> Self:
        """The numbers in another dtype; between floating dtypes gradients flow through."""
        return ops.astype(self, dtype=check.dtype("astype", dtype))

    def argmax(self, axis: int | None = None) -> np.ndarray:
        """Where the largest entry is: a plain array of integers; `axis` None looks through all entries, flattened."""
        return np.asarray(read(np.argmax, check.has_entries("argmax", self, axis), axis))

    def argmin(self, axis: int | None = None) -> np.ndarray:
        """Where the smallest entry is: a plain array of integers; `axis` None looks through all entries, flattened."""
        return np.asarray(read(np.argmin, check.has_entries("argmin", self, axis), axis))


def seed_cotangent(output: Value, gradient: Any, operation: str) -> np.ndarray:
    """The gradient that arrives at `output`, checked: an array of its shape and dtype."""
    if not isinstance(output, Value):
        raise argument_error(
            operation,
            "output",
            expected="a Tensor",
            got=describe(output),
            fix=_NO_GRADIENT,
            kind=TypeError,
        )
    array = output.array
    if not output.tracked:
        wanted = "a Tensor that requires gradients"
        raise argument_error(
            operation,
            output.name or "output",
            expected=wanted,
            got=repr(output),
            fix=_NO_GRADIENT,
            kind=RuntimeError,
        )
    if gradient is None:
        if array.size != 1:
            wanted = f"an array of shape {array.shape}, for the output is not one number"
            fix = (
                "reduce the output with .sum() or .mean(), or pass the gradient that arrives at it"
            )
            raise argument_error(operation, "gradient", expected=wanted, got="none", fix=fix)
        return np.ones_like(array)
    given = np.asarray(gradient.array if isinstance(gradient, Value) else gradient)
    if given.shape != array.shape or given.dtype.kind not in "biuf":
        wanted, fix = f"{array.dtype} {array.shape}", "give it the shape of the output"
        raise argument_error(operation, "gradient", expected=wanted, got=describe(given), fix=fix)
    return given.astype(array.dtype, copy=False)


def _untracked(operation: str, t: Tensor) -> Tensor:
    if t.tracked:
        wanted, got = "a Tensor without gradients", "one whose gradients would be lost"
        raise argument_error(
            operation,
            "t",
            expected=wanted,
            got=got,
            fix="use t.item(), or a function of tinygrad_rnn",
            kind=TypeError,
        )
    return t


def _rebuilt(
    kind: type[Tensor], array: np.ndarray, grad: np.ndarray | None, tracked: bool, name: str | None
) -> Tensor:
    tensor = kind(array, requires_grad=tracked, name=name)
    tensor.grad = grad
    return tensor
