"""Search for weights and modules in the value of an attribute.

The entries of lists, tuples, dicts and dataclasses have names, so a weight there can be saved under
a name. In all other places, for example in a set or a closure, a weight has no name.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from functools import cached_property
from itertools import chain
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any
from weakref import ref

import numpy as np

from ..tensor import Tensor

MOST = 1000
"""The largest number of objects that `find_referents` looks at, which limits its time."""

PLAIN = frozenset({int, float, bool, str, bytes, type(None)})
"""Types whose objects hold no other object."""

METHODS = frozenset({FunctionType, property, classmethod, staticmethod, cached_property})
"""The types of methods."""

WITHOUT_REFERENTS = (ModuleType, CodeType, FrameType)
"""Types whose objects lead to the whole program, and not to what an attribute holds."""


def may_hold(value: Any) -> bool:
    """Return False for numbers, strings, arrays of numbers and the like, which hold no object."""
    if gc.is_tracked(value):  # a random generator of NumPy holds nothing of ours
        return not type(value).__module__.startswith("numpy.")
    if isinstance(value, np.ndarray):
        return value.dtype.hasobject
    return isinstance(value, ContextVar)


def find_entries(
    name: str, value: Any, is_module: Callable[[Any], bool]
) -> Iterator[tuple[str, Any]]:
    """Yield (name, entry) for each entry of nested lists, tuples, dicts and dataclasses.

    A name has the form ``name.0.key``. A value of any other type is yielded itself, as the only
    entry. Entries that hold no object are left out. A container that is not a plain list, tuple or
    dict is an entry too, because its class and its attributes may hold more than its named parts.
    """
    waiting, seen = [(name, value)], set()
    while waiting:
        name, x = waiting.pop()
        parts = None if is_module(x) else _name_parts(x)
        if parts is None:
            yield name, x
        elif id(x) not in seen:  # a list may contain itself
            seen.add(id(x))
            if type(x) not in (list, tuple, dict):
                yield name, x
            named = [(f"{name}.{key}", part) for key, part in parts if may_hold(part)]
            waiting.extend(reversed(named))


def _name_parts(x: Any) -> Iterable[tuple[Any, Any]] | None:
    """Return the parts of a container with their names, or None if they have no stable names."""
    values = x.values() if isinstance(x, dict) else x
    # A fast path for long lists of plain values, because each training step collects the weights.
    is_plain = isinstance(x, dict | list | tuple) and PLAIN.issuperset(map(type, values))
    if is_plain and (values is x or _are_plain(x)):
        return ()
    if isinstance(x, dict):
        keys = {str(key) for key in x if isinstance(key, str | int)}
        has_names = len(keys) == len(x) and not any("." in key or not key for key in keys)
        return x.items() if has_names else None
    if isinstance(x, list | tuple):
        names = getattr(x, "_fields", None)  # of a namedtuple
        return enumerate(x) if names is None else zip(names, x, strict=True)
    if is_dataclass(x) and not isinstance(x, type):
        return [(field.name, getattr(x, field.name, None)) for field in fields(x)]
    return None


def _are_plain(keys: Iterable[Any]) -> bool:
    """Return True if keys are plain, or tuples of plain objects, so that none is a weight."""
    kinds = set(map(type, keys))
    return PLAIN.issuperset(map(type, chain.from_iterable(keys)) if kinds == {tuple} else kinds)


def find_referents(value: Any, is_module: Callable[[Any], bool]) -> Iterator[Any]:
    """Yield the Tensors and modules that `value` refers to, directly or not, the nearest first.

    The garbage collector knows what an object refers to: the attributes of an object, the entries
    of a set, the closure of a function, the object of a bound method, and so on.
    """
    waiting, seen = deque([value]), {id(value)}
    for _ in range(MOST):
        if not waiting:
            return
        x = waiting.popleft()
        if isinstance(x, Tensor) or is_module(x):
            yield x
            continue
        for part in _list_referents(x):
            if len(seen) > MOST:
                break
            if id(part) not in seen and may_hold(part):
                seen.add(id(part))
                waiting.append(part)


def find_in_class(kind: type) -> dict[str, Any]:
    """Return the class attributes that may be or hold a weight, but no inherited attributes."""
    found: dict[str, Any] = {}
    if kind.__module__ == "typing":  # Generic, whose methods lead to the caches of typing
        return found
    for name, value in vars(kind).items():
        if is_method(value):
            may_be_found = _method_holds_object(value, kind)
        elif type(value) in PLAIN or name.startswith(("__", "_abc_")):
            continue
        else:  # Python's descriptors of slots and methods hold nothing
            may_be_found = may_hold(value) and not hasattr(type(value), "__objclass__")
        if may_be_found:
            found[name] = value
    return found


def is_method(value: Any) -> bool:
    """Return True for a method, which holds a weight if its closure or a default value does."""
    return type(value) in METHODS


def _method_holds_object(method: Any, kind: type) -> bool:
    """Return True if a closure or a default value of a method may hold a weight.

    `kind` is the class of the method. It is in the closure of each method that uses ``super()``.
    """
    if isinstance(method, property):
        functions = [method.fget, method.fset, method.fdel]
    else:
        functions = [getattr(method, "__func__", getattr(method, "func", method))]
    held = [
        part
        for f in functions
        if isinstance(f, FunctionType)
        for part in (f.__defaults__, f.__kwdefaults__, f.__dict__, *(f.__closure__ or ()))
    ]
    return any(may_hold(x) and x is not kind for x in gc.get_referents(*held))


def _list_referents(x: Any) -> list[Any]:
    """Return the objects that `x` refers to directly."""
    if isinstance(x, WITHOUT_REFERENTS):
        return []
    if isinstance(x, type):
        return [*find_in_class(x).values(), *x.__bases__]
    if isinstance(x, np.ndarray):  # of objects, or of a subclass with attributes
        entries = x.ravel().tolist() if x.dtype.hasobject else []
        return [*entries, getattr(x, "__dict__", None), type(x)]
    if isinstance(x, ref):
        return [x()]
    if isinstance(x, ContextVar):
        return [x.get(None), *gc.get_referents(x)]
    if isinstance(x, FunctionType):  # not its globals, which are the whole module around it
        return [x.__closure__, x.__defaults__, x.__kwdefaults__, x.__dict__]
    return gc.get_referents(x)
