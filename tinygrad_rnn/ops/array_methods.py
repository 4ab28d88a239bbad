"""Methods that a NumPy array has and `Tensor` inherits: ``x.exp()`` is ``tg.exp(x)``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..dtypes import as_dtype
from ..errors.named_calls import explain_names
from ..graph import unwrap
from ..op import apply
from . import (
    cumulative,
    elementwise,
    indexing,
    inner_products,
    products,
    rearranging,
    reductions,
    rounding,
    selecting,
    shapes,
)
from .composition import compositions


class ArrayMethods:
    """Methods that call the function of the same name; `flatten` calls `ravel`."""

    __slots__ = ()

    abs, square, sqrt = elementwise.abs, elementwise.square, elementwise.sqrt
    exp, expm1, log = elementwise.exp, elementwise.expm1, elementwise.log
    log1p, sin, cos = elementwise.log1p, elementwise.sin, elementwise.cos
    tanh, sigmoid, relu = elementwise.tanh, elementwise.sigmoid, elementwise.relu
    softplus, clip, copy = elementwise.softplus, elementwise.clip, elementwise.copy
    logsumexp, softmax = reductions.logsumexp, reductions.softmax
    log_softmax, any, all = reductions.log_softmax, reductions.any, reductions.all
    prod, max, min = (compositions[name].function for name in ("prod", "max", "min"))
    var, std, cumsum = (compositions[name].function for name in ("var", "std", "cumsum"))
    argmax, argmin = reductions.argmax, reductions.argmin
    round, cumprod, repeat = rounding.round, cumulative.cumprod, indexing.repeat
    trace, diagonal = rearranging.trace, rearranging.diagonal
    take, choose = selecting.take, selecting.choose
    squeeze, expand_dims, swapaxes = shapes.squeeze, shapes.expand_dims, shapes.swapaxes
    broadcast_to, flip, split = shapes.broadcast_to, shapes.flip, shapes.split
    flatten = ravel = shapes.ravel
    matmul, outer, dot = products.matmul, products.outer, inner_products.dot

    T = property(shapes.transpose, doc="The axes in reverse order.")
    mT = property(lambda self: self.swapaxes(-2, -1), doc="The last two axes exchanged.")

    # In a call with the arguments of its op alone, each of the five methods below calls `apply`,
    # which is faster than a call of the op. The op raises the error for an unknown argument.

    def sum(
        self,
        axis: Any = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = True,
        *,
        dtype: Any = None,
        **more: Any,
    ) -> Any:
        """Return the sum over `axis`, or over all entries if it is None."""
        if initial is None and where is True and dtype is None and not more:
            return apply(reductions.sum, (self,), {"axis": axis, "keepdims": keepdims})
        more |= {"initial": initial, "where": where, "dtype": dtype}
        return compositions["sum"].function(self, axis, keepdims, **more)

    def mean(
        self,
        axis: Any = None,
        keepdims: bool = False,
        *,
        where: Any = True,
        dtype: Any = None,
        **more: Any,
    ) -> Any:
        """Return the mean over `axis`, or over all entries if it is None."""
        if where is True and dtype is None and not more:
            return apply(reductions.mean, (self,), {"axis": axis, "keepdims": keepdims})
        return compositions["mean"].function(self, axis, keepdims, where=where, dtype=dtype, **more)

    def reshape(self, *shape: Any, **more: Any) -> Any:
        """Return the entries in another shape: ``t.reshape(2, -1)`` or ``t.reshape((2, -1))``."""
        if more:
            given = () if "shape" in more else (shape[0] if len(shape) == 1 else shape,)
            return compositions["reshape"].function(self, *given, **more)
        return apply(shapes.reshape, (self,), {"shape": shape[0] if len(shape) == 1 else shape})

    def transpose(self, *axes: Any, **more: Any) -> Any:
        """Return the Tensor with its axes in reverse order, or in the order given."""
        if more:
            return shapes.transpose(self, *axes, **more)
        order = axes[0] if len(axes) == 1 else axes or None
        return apply(shapes.transpose, (self,), {"axes": order})

    def astype(self, dtype: DTypeLike, **more: Any) -> Any:
        """Return the numbers in another dtype. Gradients flow back if both dtypes are floating."""
        if more:
            return elementwise.astype(self, dtype, **more)
        return elementwise.astype(self, dtype=as_dtype("astype", dtype))

    @explain_names
    def compress(self, condition: Any, axis: int | None = None) -> Any:
        """Return the entries along `axis` for which `condition` is True."""
        return selecting.compress(condition, self, axis)

    @explain_names
    def argsort(self, axis: int = -1) -> np.ndarray:
        """Return the indices that sort the entries along `axis`. They have no derivative.

        Parameters
        ----------
        axis : int
            The axis along which to sort; the last one by default.

        Returns
        -------
        ndarray
            Integers, of the shape of the Tensor. Equal entries keep their order.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> tg.Tensor([3.0, 1.0, 2.0]).argsort()
        array([1, 2, 0])
        """
        return np.argsort(unwrap(self), axis, "stable")

    def __round__(self, ndigits: int = 0) -> Any:
        return rounding.round(self, decimals=ndigits)
