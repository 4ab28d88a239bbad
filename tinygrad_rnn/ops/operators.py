"""More operators and conversions of a Tensor: ``%``, ``//``, `float`, and what raises TypeError."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NoReturn

from ..errors import argument_error, describe, messages
from ..graph import unwrap
from .array_methods import ArrayMethods
from .missing_names import NamesElsewhere
from .rounding import floor_divide, remainder


def _no_bits(symbol: str, fix: str) -> Callable[..., NoReturn]:
    """Return a method that raises TypeError for a bitwise operator."""

    def method(self: Any, other: Any = None) -> NoReturn:
        expected = "plain arrays, because bits have no derivative"
        raise argument_error(f"operator {symbol}", "self", expected, "a Tensor", fix, TypeError)

    return method


def no_modulo(modulo: Any) -> NoReturn:
    """Raise TypeError for the third argument of `pow`."""
    expected, fix = "two arguments, x and y", "use x**y % m"
    raise argument_error("pow", "modulo", expected, describe(modulo), fix, TypeError)


class MoreOperators(ArrayMethods, NamesElsewhere):
    """The operators that `Tensor` inherits."""

    __slots__ = ()

    def __pos__(self) -> Any:
        return self

    __mod__, __floordiv__ = remainder, floor_divide

    def __rmod__(self, other: Any) -> Any:
        return remainder(other, self)

    def __rfloordiv__(self, other: Any) -> Any:
        return floor_divide(other, self)

    def __divmod__(self, other: Any) -> tuple[Any, Any]:
        return floor_divide(self, other), remainder(self, other)

    def __rdivmod__(self, other: Any) -> tuple[Any, Any]:
        return floor_divide(other, self), remainder(other, self)

    __and__ = __rand__ = _no_bits("&", "use np.logical_and(a, b), or a.data & b.data for bits")
    __or__ = __ror__ = _no_bits("|", "use np.logical_or(a, b), or a.data | b.data for bits")
    __xor__ = __rxor__ = _no_bits(
        "^", "use a ** b for a power, np.logical_xor(a, b), or a.data ^ b.data for bits"
    )
    __lshift__ = __rlshift__ = _no_bits("<<", "use a * 2**b")
    __rshift__ = __rrshift__ = _no_bits(">>", "use a // 2**b")
    __invert__ = _no_bits("~", "use np.logical_not(a), or ~a.data for bits")

    # NumPy calls these methods to store a Tensor in an array, and math.exp calls `__float__`. Both
    # would lose gradients, so these methods raise an error if the Tensor requires gradients.
    def __float__(self) -> float:
        return float(messages.check_untracked("float", "t", self).item())

    def __int__(self) -> int:
        return int(messages.check_untracked("int", "t", self).item())

    def __format__(self, spec: str) -> str:
        return format(self.item() if spec else str(self), spec)  # pyright: ignore

    def __index__(self) -> int:
        try:
            return operator.index(unwrap(self))
        except TypeError as error:
            expected, fix = "a Tensor of one integer", "use int(t.item()), or t.tolist()"
            raise argument_error("index", "t", expected, describe(self), fix, TypeError) from error

    def __delitem__(self, index: Any) -> NoReturn:
        got, fix = "a Tensor, whose entries cannot be deleted", "use np.delete(x, index, axis)"
        raise argument_error("del Tensor[...]", "self", "an ndarray", got, fix, TypeError)

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        got = "a Tensor, which does not support assignment to its entries"
        fix = "use tg.where or tg.concatenate, or assign t.data outside of a graph"
        raise argument_error("Tensor[...] = value", "self", "an ndarray", got, fix, TypeError)


class EntryCount(int):
    """The number of entries. To call it, as in PyTorch's ``x.size()``, raises AttributeError."""

    def __call__(self, *axis: int) -> Any:
        raise AttributeError("Tensor.size is a number, not a method; write x.shape or x.shape[0]")
