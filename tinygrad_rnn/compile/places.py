"""Places: where the objects that a function can reach keep other objects.

A place is an entry of a dict or a list, an attribute, a variable of a closure, or a global name in
the code of a function. Functions and classes of this library, of NumPy and of Python do not change,
so they have no places.
"""

from __future__ import annotations

import dis
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from functools import lru_cache, partial
from random import Random
from reprlib import repr as shorten
from sys import modules as loaded_modules
from sys import stdlib_module_names
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import Any
from weakref import ref

import numpy as np

from ..graph import Value
from ..nn.module import Module
from ..op import Op
from ..optim import Optimizer
from ..optim.schedules import ResumableSchedule

PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})
"""Types whose objects are as good as each other if they are equal."""

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

WITHOUT_PARTS = (Value, ModuleType, CodeType, np.generic, np.dtype)
"""Types whose objects are not searched. Only the names that a function uses of a module are."""

STANDARD = stdlib_module_names
LIBRARIES = frozenset({"numpy", "tinygrad_rnn", *STANDARD})
"""Packages whose functions and classes do not change."""

DATA = frozenset({"tinygrad_rnn", "argparse", "builtins", "collections", "functools", "types"})
"""The packages among `LIBRARIES` whose objects hold what a user stores in them."""

IGNORED: dict[type, set[str]] = {
    Module: {"_parameters", "_modules", "_buffers", "_scope", "_runs"},
    Optimizer: {"name", "defaults", "_steps", "_state", "group", "_checked"},
    ResumableSchedule: {"epoch", "best", "waited"},
}
"""Attributes that repeat others, count steps, or are guarded in another way."""

RATES = frozenset({"lr", "initial_lr"})
"""The entries of a parameter group that schedules set. A program reads the rate at each call."""

MISSING = "no value"
UNBOUND = (ValueError, LookupError)
"""What reading a variable raises that is not bound: one of a closure, or a context variable."""

# -- the places in one object ----------------------------------------------------------------------

Source = tuple[Any, str, Sequence[str | None]]
"""A container, what it is called, and what each of its places is called; None if it is ignored.

A `partial` is not a container, but returns what is in one place.
"""


def find_sources(x: Any, name: str) -> Iterator[Source]:
    """Yield where `x` keeps the objects that it consists of."""
    kind = type(x)
    if isinstance(x, WITHOUT_PARTS) or draws(x) or _is_unchanging(x):
        return
    if isinstance(x, Module) and x._original is not x:  # a compiled module, with its own caches
        yield (x._original,), name, [name]
        return
    for part in PARTS.get(kind, ()):
        if getattr(x, part) is not None:  # defaults that a function lacks do not appear later
            yield partial(getattr, x, part), "", [f"{name}.{part}"]
    if isinstance(x, FunctionType):
        yield from _find_variables(x)
    elif isinstance(x, type):
        for base in x.__mro__:
            if not _is_unchanging(base):
                yield vars(base).values(), base.__name__, _name_members(base)
        return
    elif isinstance(x, ContextVar):
        if try_read(x.get) is not MISSING:
            yield partial(x.get), "", [f"the value of {x.name}"]
    elif isinstance(x, ref):
        yield partial(x), "", [f"{name}()"]
    elif isinstance(x, bytearray | memoryview | array):
        yield partial(bytes, x), "", [name]
    elif isinstance(x, np.ndarray) and x.dtype.hasobject:
        entries = tuple(x.ravel().tolist())
        yield entries, name, [name_entry(name, i) for i in range(x.size)]
    elif isinstance(x, dict | MappingProxyType):
        yield x, name, [name_entry(name, key) for key in x]
    elif isinstance(x, tuple | list | set | frozenset | deque):
        yield x, name, [name_entry(name, i) for i in range(len(x))]
    if isinstance(x, Optimizer):
        for i, group in enumerate(x.param_groups):
            names = [None if key in RATES else f"{kind.__name__}.{key}" for key in group]
            yield group, f"group {i} of {kind.__name__}", names
    if not is_library(kind.__module__) or kind.__module__.partition(".")[0] in DATA:
        yield from _find_attributes(x)


def _find_attributes(x: Any) -> Iterator[Source]:
    """Yield the attributes of an object, and its class if it is the user's."""
    kind, own = type(x), getattr(x, "__dict__", None)
    ignored = {key for base, keys in IGNORED.items() if isinstance(x, base) for key in keys}
    if isinstance(own, dict) and (own or not isinstance(x, FunctionType)):
        owner = f" of {getattr(x, '__qualname__', kind.__name__)}"
        names = [None if key in ignored else f"self.{key}{owner}" for key in own]
        if not isinstance(x, Optimizer | ResumableSchedule):
            yield own.values(), owner[4:], names
        else:  # it counts its steps, and what is read at each call should rarely change
            kept = [key for key in own if key not in ignored]
            yield from (
                (partial(own.get, key, MISSING), "", [f"self.{key}{owner}"]) for key in kept
            )
    for base in kind.__mro__:
        for key, slot in vars(base).items():
            if isinstance(slot, MemberDescriptorType) and base.__module__ not in STANDARD:
                where = f"self.{key} of {kind.__name__}"
                yield partial(getattr, x, slot.__name__, MISSING), "", [where]
    if not _is_unchanging(kind):
        yield (kind,), "", [kind.__name__]


def _find_variables(function: FunctionType) -> Iterator[Source]:
    """Yield the variables that a function and the functions in it read from outside.

    Those that it reads from the user's own modules, as in ``helpers.scale``, are among them.
    """
    name, space = function.__qualname__, function.__globals__
    closure = [partial(getattr, cell, "cell_contents") for cell in function.__closure__ or ()]
    for key, read in zip(function.__code__.co_freevars, closure, strict=True):
        if try_read(read) is not MISSING:
            yield read, "", [f"{key} in the closure of {name}"]
    if is_library(str(space.get("__name__"))):
        return
    outside, names = _read_names(function.__code__)
    known = [key for key in outside if key in space]
    for key in known:
        yield partial(space.get, key, MISSING), "", [f"the global {key}"]
    found = [*map(space.get, known), *map(try_read, closure)]
    found += [loaded_modules.get(key) for key in names if not is_library(key)]  # imported inside
    modules = [*dict.fromkeys(x for x in found if isinstance(x, ModuleType))]
    for module in modules:  # the list grows
        inside = {key: vars(module)[key] for key in names if key in vars(module)}
        if module.__name__ in ("random", "numpy.random"):  # methods of a hidden generator
            yield tuple(inside.values()), "", [f"{module.__name__}.{key}" for key in inside]
            continue
        if is_library(module.__name__):
            inside = {key: x for key, x in inside.items() if key == "random"}
        else:
            for key in inside:
                place = partial(vars(module).get, key, MISSING)
                yield place, "", [f"{module.__name__}.{key}"]
        modules += [x for x in inside.values() if isinstance(x, ModuleType) and x not in modules]


@lru_cache(maxsize=1024)
def _read_names(code: CodeType) -> tuple[list[str], list[str]]:
    """Return the global names that code and its inner code read, and all names in them."""
    outside: list[str] = []
    names: list[str] = []
    codes = [code]
    for code in codes:  # the list grows
        steps = [step for step in dis.get_instructions(code) if isinstance(step.argval, str)]
        outside += [x.argval for x in steps if x.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
        names += code.co_names
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return [*dict.fromkeys(outside)], [*dict.fromkeys(names)]


def _name_members(kind: type) -> list[str | None]:
    """Return the names of what is in a class, without what Python puts there."""
    return [
        None
        if key == "_abc_impl" or (key.startswith("__") and not isinstance(x, FunctionType))
        else f"{kind.__name__}.{key}"
        for key, x in vars(kind).items()
    ]


def name_entry(name: str | None, key: Any) -> str:
    """Return the name of an entry: ``self.cells[0] of GRU`` for one of ``self.cells of GRU``."""
    start, of, owner = str(name).partition(" of ")
    return f"{start}[{shorten(key)}]{of}{owner}"


# -- what objects are ------------------------------------------------------------------------------


def values(container: Any) -> Any:
    """Return the view of the values of a dict, which follows the dict."""
    return dict.values(container) if isinstance(container, dict) else container.values()


def try_read(read: Callable[[], Any]) -> Any:
    """Return what is in a place, or `MISSING` if it is a variable that is not bound."""
    try:
        return read()
    except UNBOUND:
        return MISSING


def is_library(module: str) -> bool:
    """Return True for the name of a module that does not change."""
    return module.partition(".")[0] in LIBRARIES


def _is_unchanging(x: Any) -> bool:
    """Return True for a function or class of a library, unless it has a closure."""
    if isinstance(x, BuiltinFunctionType):
        return isinstance(x.__self__, ModuleType | type | None)
    is_known = isinstance(x, type | FunctionType | Op) and "<locals>" not in getattr(
        x, "__qualname__", ""
    )
    return is_known and is_library(str(x.__module__))


def draws(x: Any) -> bool:
    """Return True for a random generator."""
    return isinstance(x, np.random.Generator | np.random.RandomState | Random)


def read_kind(x: Value) -> tuple[Any, ...]:
    """Return what a Tensor must have in common with the one whose place it takes."""
    return type(x), x.tracked, x.array.dtype, x.array.shape


def read_forms(state: dict[str, np.ndarray]) -> dict[str, tuple[Any, ...]]:
    """Return the dtypes and shapes of the arrays in the state of one parameter, by name."""
    return {key: (x.dtype, x.shape) for key, x in state.items()}


def is_same(x: Any, y: Any) -> bool:
    """Return True for the same object, and for equal numbers, texts and tuples of them."""
    if x is y or type(x) is not type(y):
        return x is y
    if isinstance(x, tuple):
        return len(x) == len(y) and all(map(is_same, x, y))
    return type(x) in PLAIN and x == y


def describe_kind(x: Any) -> str:
    """Return the kind of a Tensor in words, and a short text of anything else."""
    if not isinstance(x, Value):
        return shorten(x)
    tracked = "tracked" if x.tracked else "untracked"
    return f"{tracked} {type(x).__name__} of {x.array.dtype}{[*x.array.shape]}"
