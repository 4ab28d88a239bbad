"""The errors for names that this library does not have: they say what to write instead."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from .methods_elsewhere import TENSOR


def missing(owner: str, name: str, table: dict[str, str], of: Any = None) -> AttributeError:
    """Return the error for a name that `owner` does not have. It says what to write instead."""
    text = f"{owner} has no attribute {name!r}"
    if name not in table:
        return AttributeError(text, name=name, obj=of)
    hint = table[name]
    is_sentence = hint.startswith(("leave it out", "it has no"))
    return AttributeError(
        f"{text}; {hint}" if is_sentence else f"{text}; write {hint}, for example"
    )


def module_names(
    name: str, table: dict[str, str]
) -> tuple[Callable[[], list[str]], Callable[[str], Any]]:
    """Return the functions `__dir__` and `__getattr__` of a module.

    The first lists the public names. The second raises the error for any other name.
    """
    module = sys.modules[name]

    def get(attribute: str) -> Any:
        raise missing(f"module {name!r}", attribute, table, module)

    return lambda: module.__all__, get


# -- Tensor ----------------------------------------------------------------------------------------
# With a method `__getattr__`, every attribute of a Tensor would be slower to read, and a training
# step would take an eighth longer. So each name in `TENSOR` is an attribute that raises the error.


class NameElsewhere:
    """An attribute that raises AttributeError, which says what to write instead."""

    def __init__(self, name: str):
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        raise missing("Tensor", self.name, TENSOR)


class WithoutNamesElsewhere(type):
    """The type of `Tensor`: `dir` leaves the names in `TENSOR` out."""

    def __dir__(cls) -> list[str]:
        return [name for name in super().__dir__() if name not in TENSOR]


class NamesElsewhere(metaclass=WithoutNamesElsewhere):
    """A base of `Tensor`, which raises the errors for the names in `TENSOR`."""

    __slots__ = ()

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in TENSOR]


for each in TENSOR:
    setattr(NamesElsewhere, each, NameElsewhere(each))
