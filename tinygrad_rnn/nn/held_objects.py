"""Search for weights and modules in the value of an attribute.

The entries of lists, tuples, dicts and dataclasses have names, so a weight there can be saved under
a name. In all other places, for example in a set or a closure, a weight has no name.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import numpy as np

from ..tensor import Tensor

MOST = 1000
"""The largest number of objects that `find_referents` looks at, which limits its time."""

PLAIN = frozenset({int, float, bool, str, bytes, type(None)})
"""Types whose objects hold no other object."""

METHODS = frozenset({FunctionType, property, classmethod, staticmethod, str, type(None)})
"""The usual types of class attributes. Objects of these types are not weights."""

HELD_BY_CLASSES = Tensor | list | tuple | dict | set
"""The types of class attributes that may be or hold a weight."""

WITHOUT_REFERENTS = (ModuleType, CodeType, FrameType)
"""Types whose objects lead to the whole program, and not to what an attribute holds."""


def may_hold(value: Any) -> bool:
    """Return False for numbers, strings, arrays of numbers and the like, which hold no object."""
    if gc.is_tracked(value):  # a random generator of NumPy holds nothing of ours
        return not type(value).__module__.startswith("numpy.")
    return isinstance(value, np.ndarray) and value.dtype.hasobject


def find_entries(
    name: str, value: Any, is_module: Callable[[Any], bool]
) -> Iterator[tuple[str, Any]]:
    """Yield (name, entry) for each entry of nested lists, tuples, dicts and dataclasses.

    A name has the form ``name.0.key``. A value of another type is its own only entry. Entries that
    hold no object are left out.
    """
    waiting, seen = [(name, value)], set()
    while waiting:
        name, x = waiting.pop()
        parts = None if is_module(x) else _name_parts(x)
        if parts is None:
            yield name, x
        elif id(x) not in seen:  # a list may contain itself
            seen.add(id(x))
            named = [(f"{name}.{key}", part) for key, part in parts if may_hold(part)]
            waiting.extend(reversed(named))


def _name_parts(x: Any) -> Iterable[tuple[Any, Any]] | None:
    """Return the parts of a container with their names, or None if they have no stable names."""
    values = x.values() if isinstance(x, dict) else x
    # This is quick for a long list, and weights are listed in every step of a training.
    if isinstance(x, dict | list | tuple) and PLAIN.issuperset(map(type, values)):
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
        for part in _list_referents(x, is_module):
            if id(part) not in seen and may_hold(part):
                seen.add(id(part))
                waiting.append(part)


def find_in_class(kind: type, is_module: Callable[[Any], bool]) -> dict[str, Any]:
    """Return the class attributes that may be or hold a weight, but no inherited attributes."""
    return {
        name: value
        for name, value in vars(kind).items()
        if type(value) not in METHODS
        and not name.startswith("__")
        and (is_module(value) or isinstance(value, HELD_BY_CLASSES))
    }


def _list_referents(x: Any, is_module: Callable[[Any], bool]) -> list[Any]:
    """Return the objects that `x` refers to directly."""
    if isinstance(x, WITHOUT_REFERENTS):
        return []
    if isinstance(x, type):
        return [*find_in_class(x, is_module).values(), *x.__bases__]
    if isinstance(x, np.ndarray):
        return x.ravel().tolist()  # only an array of objects gets here
    if isinstance(x, FunctionType):  # not its globals, which are the whole module around it
        return [x.__closure__, x.__defaults__, x.__kwdefaults__, x.__dict__]
    return gc.get_referents(x)
