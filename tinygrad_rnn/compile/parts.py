"""Inspection of objects: the parts of an object that can change what a cell computes."""

from __future__ import annotations

import dis
import sys
from collections import deque
from contextvars import ContextVar, copy_context
from functools import lru_cache, partial
from threading import Lock, RLock
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from ..nn.module import Module
from ..op import Op

PLAIN = frozenset({int, float, complex, str, bytes, bool, type(None), CodeType})
ALIKE = (np.dtype, np.generic)
"""Types, and base classes, whose objects are compared by value."""

FIXED = (
    type(...), type(NotImplemented), ModuleType, np.ufunc, type(Lock()), type(RLock()),
    WrapperDescriptorType, MethodDescriptorType, ClassMethodDescriptorType, GetSetDescriptorType,
    MemberDescriptorType,
)  # fmt: skip
"""Types whose objects have no value that could change."""

BOUND = (MethodType, BuiltinFunctionType, MethodWrapperType)
OTHERS = frozenset({"numpy", "tinygrad_rnn", *sys.stdlib_module_names})
"""Packages whose functions and classes do not change."""

HIDDEN = frozenset({"_parameters", "_modules", "_buffers", "_scope"})
"""Attributes of a Module that repeat other attributes, or have no effect."""


def parts_of(x: Any) -> list[Any] | None:
    """Return the parts of an object, or None if it cannot be inspected or need not be."""
    inside: Any = None
    if isinstance(x, ModuleType):  # `_around` finds the names that a function uses of it
        return None
    if isinstance(x, tuple | list | set | frozenset | deque):
        inside = x
    elif isinstance(x, dict | MappingProxyType):
        inside = [part for item in x.items() for part in item]
    elif isinstance(x, FunctionType):
        return None if unchanging(x) else _of_function(x)
    elif isinstance(x, type):
        return (
            None
            if unchanging(x)
            else [part for base in x.__mro__ if not unchanging(base) for part in _of_class(base)]
        )
    elif isinstance(x, BuiltinFunctionType | MethodWrapperType):
        return (
            None if isinstance(x.__self__, ModuleType | type | None) else [x.__name__, x.__self__]
        )
    elif isinstance(x, MethodType):
        return [x.__func__, x.__self__]
    elif isinstance(x, partial):
        inside = [x.func, x.args, x.keywords]
    elif isinstance(x, classmethod | staticmethod):
        return [x.__func__]
    elif isinstance(x, property):
        return [x.fget]
    elif isinstance(x, slice):
        return [x.start, x.stop, x.step]
    elif isinstance(x, ref):
        return [x()]
    elif isinstance(x, ContextVar):
        return [x.get(None), x in copy_context()]
    elif isinstance(x, np.ndarray):
        return [x.shape, *x.ravel().tolist()]
    elif isinstance(x, Op) and not unchanging(x):
        return [x.forward, x.rules]
    slots, written, whole = _form(x)
    attributes = getattr(x, "__dict__", None)
    known = inside is not None or slots or isinstance(attributes, dict)
    if not known or whole or unchanging(x):
        return None
    hidden = HIDDEN if isinstance(x, Module) else ()
    own = (
        [part for name, value in attributes.items() if name not in hidden for part in (name, value)]
        if attributes
        else []
    )
    return [
        *(inside or ()),
        *own,
        *[getattr(x, name, None) for name in slots],
        *([type(x)] if written else []),
    ]


forms: WeakKeyDictionary[type, tuple[list[str], bool, bool]] = WeakKeyDictionary()


def _form(x: Any) -> tuple[list[str], bool, bool]:
    """Return (slot names, is a user-defined type, is opaque) for the type of an object.

    The attributes of a user-defined type count as parts. An opaque object has no parts.
    """
    kind = type(x)
    found = forms.get(kind)
    if found is None:
        own = [base for base in kind.__mro__ if not unchanging(base)]
        slots = [
            name
            for base in own
            for name, slot in vars(base).items()
            if isinstance(slot, MemberDescriptorType)
        ]
        found = forms[kind] = slots, bool(own), draws(x) or bytes_of(x) is not None
    return found


def bytes_of(x: Any) -> np.ndarray | None:
    """Return the buffer of an object as an array, or None if it has none."""
    try:
        return np.asarray(memoryview(x))
    except (TypeError, ValueError, BufferError):
        return None


def unchanging(x: Any) -> bool:
    """Return True for a function or class of this library, NumPy or the standard library.

    Methods and closures are not: they depend on their object, or on the values that they capture.
    """
    if isinstance(x, BOUND) or "<locals>" in getattr(x, "__qualname__", "<locals>"):
        return False
    module = getattr(x, "__module__", None)
    return isinstance(module, str) and _of_others(module)


@lru_cache(maxsize=1024)
def _of_others(module: str) -> bool:
    return module.partition(".")[0] in OTHERS


def draws(x: Any) -> bool:
    """Return True for a random number generator of NumPy or Python, of the old or the new kind."""
    kind = type(x)  # not the object: ctypes.cdll would search for a library of that name
    return hasattr(kind, "bit_generator") or hasattr(kind, "get_state") or hasattr(kind, "getstate")


def position(generator: Any) -> Any:
    """Return the state of a generator."""
    if hasattr(generator, "bit_generator"):
        return generator.bit_generator.state
    return generator.get_state() if hasattr(generator, "get_state") else generator.getstate()


def put_back(generator: Any, where: Any) -> None:
    """Reset a generator to an earlier state."""
    if hasattr(generator, "bit_generator"):
        generator.bit_generator.state = where
    else:
        (generator.set_state if hasattr(generator, "set_state") else generator.setstate)(where)


def can_change(x: Any) -> bool:
    """Return True if an opaque object may change: unless its type is known or has its own hash."""
    known = type(x) is object or isinstance(x, FIXED) or unchanging(x)
    return not known and (type(x).__hash__ in (None, object.__hash__) or isinstance(x, memoryview))


def _of_class(kind: type) -> list[Any]:
    """Return the methods and attributes of a user-defined class."""
    found = vars(kind).items()
    return [
        x
        for name, x in found
        if isinstance(x, FunctionType) or not (name.startswith("__") or name == "_abc_impl")
    ]


def _of_function(function: FunctionType) -> list[Any]:
    """Return the code, closure, globals in use, defaults and attributes of a function."""
    inside = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
    given = [
        function.__defaults__,
        function.__kwdefaults__,
        *([function.__dict__] if function.__dict__ else []),
    ]
    return [function.__code__, inside, _around(function, inside), *given]


def _around(function: FunctionType, inside: list[Any]) -> list[Any]:
    """Return the global values that a function and its inner functions use.

    They include the values that they use from user-defined modules.
    """
    outside, names = _names(function.__code__)
    known = function.__globals__
    found = [known[name] for name in outside if name in known]
    modules = [x for x in (*found, *inside) if isinstance(x, ModuleType)]
    for module in modules:
        space = vars(module)
        if module.__name__ in ("random", "numpy.random"):  # functions are methods of a generator
            found += [
                x
                for x in (getattr(space.get(name), "__self__", None) for name in names)
                if draws(x)
            ]
            continue
        others = _of_others(module.__name__)
        if others and "random" not in names:
            continue
        within = [space[name] for name in (("random",) if others else names) if name in space]
        modules += [x for x in within if isinstance(x, ModuleType) and x not in modules]
        found += [] if others else within
    return [x for x in found if not isinstance(x, ModuleType) and not unchanging(x)]


@lru_cache(maxsize=1024)
def _names(code: CodeType) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the global names that code and its inner code read, and all names in it.

    The latter include attribute names.
    """
    outside: list[str] = []
    names: list[str] = []
    codes = [code]
    while codes:
        code = codes.pop()
        outside += [
            step.argval
            for step in dis.get_instructions(code)
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")
        ]
        names += code.co_names
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return tuple(dict.fromkeys(outside)), tuple(dict.fromkeys(names))


def _filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:  # a name that is not bound yet
        return False
    return True
