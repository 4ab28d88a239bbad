"""The Tensor: a value with operators. `ArrayMethods` of `ops` has the methods that call an op."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from . import ops
from .backward import accumulate, backward_pass
from .dtypes import as_array, as_ndarray
from .errors import argument_error, describe, messages
from .graph import Value, clock, recorder, see, toposort, unwrap
from .op import IMMUTABLE, apply
from .ops import numpy_protocol
from .ops.collector import collector_paused
from .ops.indexing import frozen_index
from .ops.operators import EntryCount, MoreOperators, no_modulo

NONE: dict[str, Any] = {}  # the settings of an op that has none


def _comparison(compare: Any) -> Any:
    """Return a comparison method, which reads the values and returns a plain array."""
    return lambda self, other: compare(unwrap(self), unwrap(other))


def _read_grad(value: Any) -> np.ndarray | None:
    return recorder().gradient(value)


def _store_grad(value: Any, grad: np.ndarray | None) -> None:
    """Set the gradient of a value, or of what stands for it."""
    messages.store_grad(see(value), grad)


class Tensor(MoreOperators, Value):
    """An array that remembers how it was computed, so that gradients can flow back.

    Parameters
    ----------
    data : array_like
        Real numbers. An ndarray is wrapped, not copied, and keeps its dtype. Python floats take
        the default dtype (float32), and Python integers take int64. The Tensor never writes into
        `data`.
    requires_grad : bool, keyword-only
        If True, `backward` adds the gradient to ``.grad``. The dtype must then be floating.
    dtype : numpy.dtype, keyword-only, optional
        The dtype that `data` is converted to.
    name : str, keyword-only, optional
        The name that drawings and error messages show.

    Raises
    ------
    TypeError
        If `data` is not a rectangular array of real numbers, or is a Tensor that requires
        gradients. If `requires_grad` is True and the dtype is not floating.
    ValueError
        If an integer `dtype` cannot hold an entry of `data`.

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
    >>> x.name = "x"
    >>> x
    Tensor([0.5, 1. ], name='x', requires_grad=True)
    >>> m = tg.Tensor([[1, 5, 3], [4, 2, 6]])
    >>> m.shape, m.ndim, m.size, m.dtype, m.numpy()[0]
    ((2, 3), 2, 6, dtype('int64'), array([1, 5, 3]))
    >>> m.T.shape, m.mT.shape, m.argmax(), m.argmin(axis=1)
    ((3, 2), (3, 2), array(5), array([0, 1]))
    """

    __slots__ = ()

    def __init__(
        self, data: Any, *, requires_grad: bool = False, dtype: Any = None, name: str | None = None
    ):
        if isinstance(data, Value):
            data = messages.check_untracked("Tensor", "data", see(data)).array
        self.array = as_array(data, dtype)
        if requires_grad is not False and messages.flag("Tensor", "requires_grad", requires_grad):
            messages.floating("Tensor", "requires_grad", self.array)
        self.name, self.tracked = name, bool(requires_grad)
        self.node, self._grad, self.changed = None, None, 0

    # -- attributes and conversions ----------------------------------------------------------------

    @property
    def data(self) -> np.ndarray:
        """The NumPy array. To replace a leaf's array, assign one of the same shape and dtype."""
        return see(self).array

    @data.setter
    def data(self, new: Any) -> None:
        leaf = messages.check_leaf("Tensor.data", see(self))
        old = leaf.array
        array = as_ndarray(new) if isinstance(new, np.ndarray) else as_array(new)
        if array is not new and np.can_cast(array.dtype, old.dtype, "same_kind"):
            array = as_array(new, old.dtype)
        if array.shape != old.shape or array.dtype != old.dtype:
            name, fix = self.name or "new value", "make a new Tensor, or use reshape and astype"
            raise argument_error("Tensor.data", name, describe(self), describe(array), fix)
        leaf.array, leaf.changed = array, next(clock)

    @property
    def requires_grad(self) -> bool:
        """True if gradients flow back to this Tensor. It can be set on a leaf."""
        return self.tracked

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if messages.flag("Tensor", "requires_grad", wanted):
            messages.floating("requires_grad", self.name or "tensor", self.array)
        else:
            messages.check_leaf("requires_grad", self, RuntimeError)
        recorder().change(self, "requires_grad")
        if wanted and not self.tracked:  # earlier ops on it may not have been recorded
            self.changed = next(clock)
        self.tracked = bool(wanted)

    grad = property(_read_grad, _store_grad, doc="The gradient, or None.")
    name = property(lambda self: self._name, messages.store_name, doc="The name in pictures.")
    shape = property(lambda self: self.array.shape, doc="Sizes of the axes, as a tuple.")
    ndim = property(lambda self: self.array.ndim, doc="Number of axes.")
    size = property(lambda self: EntryCount(self.array.size), doc="Number of entries.")
    dtype = property(lambda self: self.array.dtype, doc="The dtype of data and of grad.")

    def numpy(self) -> np.ndarray:
        """Return the numbers as a plain array that shares memory with the Tensor.

        If the Tensor requires gradients, this raises TypeError; write ``t.detach().numpy()``.
        """
        return np.asarray(messages.check_untracked("numpy", "t", see(self)).array)

    def item(self) -> float | int | bool:
        """Return the only entry as a Python number."""
        return messages.single_entry("item", see(self)).array.item()

    def tolist(self) -> Any:
        """Return the entries as nested lists of Python numbers."""
        return see(self).array.tolist()

    def detach(self) -> Self:
        """Return a leaf that shares the array but requires no gradients, for truncated BPTT."""
        return type(self)(see(self).array, name=self.name)

    def __repr__(self) -> str:
        body = np.array2string(self.array, separator=", ", prefix="Tensor(", threshold=60)
        plain = self.array.dtype in (np.float32, np.int64, np.bool_)
        parts = [body, "" if plain else f"dtype={self.array.dtype}"]
        parts.append(f"name={self.name!r}" if self.name else "")
        leaf = "requires_grad=True" if self.tracked else ""
        parts.append(f"has graph: {self.node.op.name}" if self.node else leaf)
        return f"Tensor({', '.join(filter(None, parts))})"

    def __len__(self) -> int:
        return len(messages.has_axes("len", self).array)

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(messages.has_axes("iter", self).array)))

    def __bool__(self) -> bool:
        return bool(messages.single_entry("bool", see(self)).array)

    # -- gradients ---------------------------------------------------------------------------------

    def backward(
        self,
        gradient: Any = None,
        *,
        retain_graph: bool = False,
        retain_grads: bool = False,
        **more: Any,
    ) -> None:
        """Add the gradient of this tensor to the ``.grad`` of every leaf that requires gradients.

        Several threads may call this method at the same time, each on its own graph, even if the
        graphs share leaves.

        Parameters
        ----------
        gradient : array_like of this shape, optional
            The cotangent of this tensor: the gradient of a final result with respect to it. The
            default is 1, which requires a tensor of one entry. The vector-Jacobian product of this
            cotangent is added to each ``.grad``.
        retain_graph : bool
            If True, allow another backward pass through this graph. If False, the graph can still
            be drawn.
        retain_grads : bool
            If True, add the gradients of intermediate tensors to their ``.grad`` too.
        **more
            An argument with any other name raises TypeError.

        Raises
        ------
        TypeError
            If `retain_graph` is not True or False.
        RuntimeError
            If this tensor does not require gradients, or an earlier backward pass used this graph
            without ``retain_graph=True``. If a leaf has changed since an op used it.
        ValueError
            If `gradient` is missing and this tensor does not have exactly one entry. If `gradient`
            does not have the shape of this tensor. In that case no ``.grad`` is changed.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).backward([1.0, 10.0])
        >>> x.grad
        array([ 2., 40.], dtype=float32)
        """
        if more:
            names = ["gradient", "retain_graph", "retain_grads"]
            raise messages.name_error("backward", next(iter(more)), names)
        used = 1 if messages.flag("backward", "retain_graph", retain_graph) else 2
        root = see(self)
        with collector_paused():
            seed, order = messages.check_seed("backward", root, gradient), toposort(root)
            accumulate(backward_pass({root: seed}, order, interior=retain_grads))
        for value in order:  # the pass has visited all of them, and none had been used up
            value.node.used = used
        recorder().end_backward(order)

    # -- copies ------------------------------------------------------------------------------------

    def __deepcopy__(self, memo: Any) -> Self:
        messages.check_leaf("copy.deepcopy", self)
        grad = None if self.grad is None else self.grad.copy()
        return _rebuild(type(self), self.array.copy(), grad, self.tracked, self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        messages.check_leaf("pickle", self)
        return _rebuild, (type(self), self.array, self.grad, self.tracked, self.name)

    # -- operators ---------------------------------------------------------------------------------

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

    def __pow__(self, other: Any, modulo: Any = None) -> Self:
        return apply(ops.power, (self, other) if modulo is None else no_modulo(modulo), NONE)

    def __rpow__(self, other: Any) -> Self:
        return apply(ops.power, (other, self), NONE)

    def __matmul__(self, other: Any) -> Self:
        return ops.matmul(self, other)  # pyright: ignore  # (stub)

    def __rmatmul__(self, other: Any) -> Self:
        return ops.matmul(other, self)  # pyright: ignore  # (stub)

    def __neg__(self) -> Self:
        return apply(ops.negative, (self,), NONE)

    def __abs__(self) -> Self:
        return apply(ops.abs, (self,), NONE)

    def __getitem__(self, index: Any) -> Self:
        index = index if type(index) in IMMUTABLE else frozen_index(index)
        return apply(ops.getitem, (self,), {"index": index})

    __eq__, __ne__ = _comparison(operator.eq), _comparison(operator.ne)
    __lt__, __le__ = _comparison(operator.lt), _comparison(operator.le)
    __gt__, __ge__ = _comparison(operator.gt), _comparison(operator.ge)
    __hash__ = Value.__hash__

    # -- NumPy's functions -------------------------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = messages.check_untracked("np.asarray", "t", see(self)).array
        return np.array(array, dtype=dtype, copy=copy)

    __array_ufunc__, __array_function__ = numpy_protocol.array_ufunc, numpy_protocol.array_function


def _rebuild(kind: Any, array: np.ndarray, grad: Any, tracked: bool, name: str | None) -> Any:
    """Return a leaf with these attributes: the copy of another leaf."""
    leaf = kind(array, requires_grad=tracked, name=name)
    leaf.grad = grad
    return leaf
