"""Places: where the objects that a function can reach keep other objects.

A place is an entry of a dict or a list, an attribute, a variable of a closure, or a global name in
the code of a function. Functions and classes of this library, of NumPy and of Python do not change,
so they have no places.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import lru_cache, partial
from gc import get_referents
from random import Random
from reprlib import repr as shorten
from threading import local
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import Any
from weakref import ProxyTypes, WeakKeyDictionary, WeakValueDictionary, ref

import numpy as np

from ..dtypes import StandIn
from ..graph import Value
from ..nn.module import Module
from ..op import Op
from ..optim import Optimizer
from ..optim.schedules import ResumableSchedule
from .reads import (
    MISSING,
    STANDARD,
    count_attributes,
    is_a,
    is_library,
    read_attributes,
    read_slot,
    try_read,
)
from .variables import find_entries, find_variables

PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})
"""Types whose objects are as good as each other if they are equal."""

COMPARED = frozenset({int, float, complex, bool, tuple})
"""Types of keys that may be equal and yet not the same."""

PARTS: dict[type, tuple[str, ...]] = {
    FunctionType: ("__code__", "__defaults__", "__kwdefaults__"),
    MethodType: ("__func__", "__self__"),
    BuiltinFunctionType: ("__self__",),
    MethodWrapperType: ("__self__",),
    partial: ("func", "args", "keywords"),
    property: ("fget",),
    classmethod: ("__func__",),
    staticmethod: ("__func__",),
    slice: ("start", "stop", "step"),
}
"""The attributes of Python's own objects that lead to other objects."""

WITHOUT_PARTS = (Value, StandIn, CodeType, np.generic, np.dtype)
"""Types whose objects are not searched."""

CACHE = type(lru_cache(len))

DATA = frozenset(
    {"tinygrad_rnn", "argparse", "builtins", "collections", "configparser", "functools", "types"}
)
"""The packages among `LIBRARIES` whose objects hold what a user stores in them."""

IGNORED: dict[type, set[str]] = {
    Module: {"_parameters", "_modules", "_buffers", "_scope", "_runs"},
    Optimizer: {"name", "defaults", "_steps", "_state", "group", "_checked"},
    ResumableSchedule: {"epoch", "best", "waited"},
}
"""Attributes that repeat others, count steps, or are guarded in another way."""

RATES = frozenset({"lr", "initial_lr"})
"""The entries of a parameter group that schedules set. A program reads the rate at each call."""

# -- the places in one object ----------------------------------------------------------------------

Source = tuple[Any, str, Sequence[str | None]]
"""A container, what it is called, and what each of its places is called; None if it is ignored.

A `partial` is not a container, but returns what is in one place.
"""


def find_sources(x: Any, name: str) -> Iterator[Source]:
    """Yield where `x` keeps the objects that it consists of."""
    kind = type(x)
    if is_a(x, ModuleType):
        yield from find_entries(x)
        return
    if is_a(x, WITHOUT_PARTS) or draws(x) or is_unchanging(x):
        return
    if is_a(x, Module) and x._original is not x:  # a compiled module, with its own caches
        yield (x._original,), name, [name]
        return
    for part in PARTS.get(kind, ()):
        if getattr(x, part) is not None:  # defaults that a function lacks do not appear later
            yield partial(getattr, x, part), "", [f"{name}.{part}"]
    if is_a(x, FunctionType):
        yield from find_variables(x)
    elif is_a(x, type):
        yield from _find_members(x)
        return
    yield from _find_referents(x, name)
    yield from _find_contents(x, name)
    if is_a(x, Optimizer):
        for i, group in enumerate(x.param_groups):
            names = [None if key in RATES else f"{kind.__name__}.{key}" for key in group]
            yield group, f"group {i} of {kind.__name__}", names
    module = str(kind.__module__)
    if not is_library(module) or module.partition(".")[0] in DATA:
        yield from _find_attributes(x, name)


def _find_referents(x: Any, name: str) -> Iterator[Source]:
    """Yield what Python's own objects lead to that is no attribute of them."""
    if is_a(x, ContextVar):
        read = partial(x.get, MISSING) if try_read(x.get) is MISSING else partial(x.get)
        yield read, "", [f"the value of {x.name}"]
    elif is_a(x, local):
        yield partial(count_attributes, x), "", [f"the number of attributes of {name}"]
        for key in x.__dict__:  # those of the thread that calls
            yield partial(getattr, x, key, MISSING), "", [f"self.{key} of {name}"]
    elif is_a(x, CACHE):
        found = find_cached(x)
        yield found, "", [f"a result of {name}"] * len(found)
    elif is_a(x, WeakKeyDictionary | WeakValueDictionary):
        for key in [*x.data]:  # new entries are no change: it may be a cache
            yield partial(x.data.get, key, MISSING), "", [name_entry(name, key)]
    elif is_a(x, ProxyTypes):
        with suppress(ReferenceError):
            yield (getattr(x.__repr__, "__self__", None),), "", [name]
    elif is_a(x, ref):
        yield partial(x), "", [f"{name}()"]


def _find_contents(x: Any, name: str) -> Iterator[Source]:
    """Yield the entries of a container."""
    if is_a(x, bytearray | memoryview | array):
        yield partial(bytes, x), "", [name]
    elif is_a(x, np.ndarray) and x.dtype.hasobject:
        entries = tuple(x.ravel().tolist())
        yield entries, name, [name_entry(name, i) for i in range(x.size)]
    elif is_a(x, dict | MappingProxyType):
        if is_a(x, MappingProxyType) and is_a(inner := get_referents(x)[0], dict):
            x = inner
        kinds = [*map(type, x)]
        if not COMPARED.isdisjoint(kinds):  # 1, 1.0 and True are equal, and so are 0.0 and -0.0
            yield x.keys(), name, [f"a key of {name}" if t in COMPARED else None for t in kinds]
        yield x, name, [name_entry(name, key) for key in x]
    elif is_a(x, tuple | list | set | frozenset | deque):
        yield x, name, [name_entry(name, i) for i in range(len(x))]


def _find_attributes(x: Any, name: str) -> Iterator[Source]:
    """Yield the attributes of an object, and its class if it is the user's."""
    kind, own = type(x), read_attributes(x)
    module = str(kind.__module__)
    ignored = {key for base, keys in IGNORED.items() if is_a(x, base) for key in keys}
    if own is not None:
        title = own.get("__qualname__", kind.__name__)
        owner = f" of {x.__qualname__ if is_a(x, FunctionType) else title}"
        names = [None if key in ignored else f"self.{key}{owner}" for key in own]
        if is_a(x, Optimizer | ResumableSchedule):  # it counts its steps, and what is read
            kept = [key for key in own if key not in ignored]  # at each call should rarely change
            yield from (
                (partial(own.get, key, MISSING), "", [f"self.{key}{owner}"]) for key in kept
            )
        elif own and not module.startswith("tinygrad_rnn."):
            yield own, owner[4:], names
        else:  # the names of these attributes stay the same
            yield own.values(), owner[4:], names
    for base in kind.__mro__:
        for key, slot in vars(base).items():
            if isinstance(slot, MemberDescriptorType) and base.__module__ not in STANDARD:
                yield partial(read_slot, slot, x), "", [f"self.{key} of {kind.__name__}"]
    if is_a(x, Module | Optimizer) or not is_unchanging(kind):
        yield partial(type, x), "", [f"the class of {name}"]


def _find_members(kind: type) -> Iterator[Source]:
    """Yield what is in a user's class, its bases, and the class of the class."""
    yield vars(kind), kind.__name__, _name_members(kind)
    if kind.__bases__ != (object,):  # Python keeps others from taking the place of this one
        yield partial(getattr, kind, "__bases__"), "", [f"the bases of {kind.__name__}"]
    if not is_unchanging(type(kind)):
        yield partial(type, kind), "", [f"the class of {kind.__name__}"]


def find_cached(function: Any) -> tuple[Any, ...]:
    """Return what is in the cache of a function with `functools.lru_cache`."""
    parts = [x for x in get_referents(function) if x is not function.__dict__]
    found = [x for cache in parts if type(cache) is dict for x in cache.values()]
    return (*found, *[x for x in parts if type(x) is not dict])


def _name_members(kind: type) -> list[str | None]:
    """Return the names of what is in a class, without what Python puts there."""
    return [
        None if key == "_abc_impl" or _is_pythons(key, x) else f"{kind.__name__}.{key}"
        for key, x in vars(kind).items()
    ]


def _is_pythons(key: str, x: Any) -> bool:
    """Return True for a member of a class that Python puts there, such as the docstring."""
    if not key.startswith("__"):
        return False
    is_method = callable(x) or hasattr(type(x), "__get__")
    return not is_method or is_a(x, GetSetDescriptorType)


def name_entry(name: str | None, key: Any) -> str:
    """Return the name of an entry: ``self.cells[0] of GRU`` for one of ``self.cells of GRU``."""
    start, of, owner = str(name).partition(" of ")
    return f"{start}[{shorten(key)}]{of}{owner}"


# -- what objects are ------------------------------------------------------------------------------


def values(container: Any) -> Any:
    """Return the view of the values of a dict, which follows the dict."""
    return dict.values(container) if isinstance(container, dict) else container.values()


def is_unchanging(x: Any) -> bool:
    """Return True for a function or class of a library, unless it has a closure."""
    if is_a(x, BuiltinFunctionType):
        return isinstance(x.__self__, ModuleType | type | None)
    is_known = is_a(x, type | FunctionType | Op) and "<locals>" not in getattr(
        x, "__qualname__", ""
    )
    return is_known and is_library(str(x.__module__))


def draws(x: Any) -> bool:
    """Return True for a random generator."""
    return is_a(x, np.random.Generator | np.random.RandomState | Random)


def read_kind(x: Value) -> tuple[Any, ...]:
    """Return what a Tensor must have in common with the one whose place it takes."""
    return type(x), x.tracked, x.array.dtype, x.array.shape, x._name  # type: ignore[attr-defined]


def read_forms(state: dict[str, np.ndarray]) -> dict[str, tuple[Any, ...]]:
    """Return the dtypes and shapes of the arrays in the state of one parameter, by name."""
    return {key: (x.dtype, x.shape) for key, x in state.items()}


def is_same(x: Any, y: Any) -> bool:
    """Return True for the same object, and for equal numbers, texts and tuples of them."""
    if x is y or type(x) is not type(y):
        return x is y
    if is_a(x, tuple):
        return len(x) == len(y) and all(map(is_same, x, y))
    if type(x) in (float, complex):  # 0.0 and -0.0 are equal
        return x == y and repr(x) == repr(y)
    return type(x) in PLAIN and x == y


def describe_kind(x: Any) -> str:
    """Return the kind of a Tensor in words, and a short text of anything else."""
    if not is_a(x, Value):
        return shorten(x)
    tracked = "tracked" if x.tracked else "untracked"
    called = f" called {x.name!r}" if x.name else ""
    return f"{tracked} {type(x).__name__} of {x.array.dtype}{[*x.array.shape]}{called}"
