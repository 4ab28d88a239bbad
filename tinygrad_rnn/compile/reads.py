"""Reads: how to read a place that is in no container, and how to put an object back into it.

Each read is a `functools.partial` that returns what is in one place.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from sys import stdlib_module_names
from typing import Any

STANDARD = stdlib_module_names
LIBRARIES = frozenset({"numpy", "tinygrad_rnn", *STANDARD})
"""Packages whose functions and classes do not change."""

MISSING = "no value"
UNBOUND = (ValueError, LookupError)
"""What reading a variable raises that is not bound: one of a closure, or a context variable."""


class Unsearched(str):
    """The name of a place that is compared, while the object in it is not searched."""

    __slots__ = ()


def is_library(module: str) -> bool:
    """Return True for the name of a module that does not change."""
    return module.partition(".")[0] in LIBRARIES


def is_a(x: Any, kinds: Any) -> bool:
    """Return True for an object of certain types.

    Unlike `isinstance`, it does not ask the object, which may be one that stands for another.
    """
    return issubclass(type(x), kinds)


def try_read(read: Callable[[], Any]) -> Any:
    """Return what is in a place, or `MISSING` if it is a variable that is not bound."""
    try:
        return read()
    except UNBOUND:
        return MISSING


def read_slot(slot: Any, x: Any) -> Any:
    """Return what is in a slot of an object, without the methods of the object."""
    try:
        return slot.__get__(x)
    except (AttributeError, TypeError):  # it is empty, or the object has another class now
        return MISSING


def read_attributes(x: Any) -> dict[str, Any] | None:
    """Return the dict of the attributes of an object, without the methods of the object."""
    try:
        found = object.__getattribute__(x, "__dict__")
    except AttributeError:
        return None
    return found if isinstance(found, dict) else None


def count_attributes(x: Any) -> int:
    """Return how many attributes the calling thread has in a `threading.local`."""
    return len(x.__dict__)


def put_back(read: partial[Any], old: Any) -> None:
    """Put an object back into the place of a read; `MISSING` empties the place."""
    function, space = read.func, getattr(read.func, "__self__", None)
    if isinstance(space, dict):
        if old is MISSING:
            space.pop(read.args[0], None)
        else:
            space[read.args[0]] = old
    elif isinstance(space, ContextVar):
        space.set(old)
    elif function is try_read:
        put_back(read.args[0], old)
    else:
        with suppress(AttributeError, TypeError, ValueError):  # Python's own have fixed parts
            _put_into(function, read.args, old)


def _put_into(function: Any, args: Any, old: Any) -> None:
    """Set or delete a slot or an attribute, or write the bytes of an object."""
    if function is read_slot:
        slot, x = args
        slot.__delete__(x) if old is MISSING else slot.__set__(x, old)
    elif function is getattr:
        x, key = args[:2]
        delattr(x, key) if old is MISSING else setattr(x, key, old)
    elif function is bytes:
        memoryview(args[0]).cast("B")[:] = old
