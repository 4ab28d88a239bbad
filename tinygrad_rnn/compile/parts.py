"""What an object is made of, as far as it can change what a cell computes."""

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
"""Types, and bases of types, of what counts by its value."""

FIXED = (
    type(...), type(NotImplemented), ModuleType, np.ufunc, type(Lock()), type(RLock()), WrapperDescriptorType,
    MethodDescriptorType, ClassMethodDescriptorType, GetSetDescriptorType, MemberDescriptorType,
)  # fmt: skip
"""Types of what has no value that could change."""

BOUND = (MethodType, BuiltinFunctionType, MethodWrapperType)
OTHERS = frozenset({"numpy", "tinygrad_rnn", *sys.stdlib_module_names})
"""Packages whose functions and classes do not change."""

HIDDEN = frozenset({"_parameters", "_modules", "_scope"})
"""Attributes of a Module that are its attributes once more, or do not matter."""


def parts_of(x: Any) -> list[Any] | None:
    """What an object is made of; None if it cannot be looked into, or need not be."""
    inside: Any = None
    if isinstance(x, ModuleType):  # what a function uses of it, `_around` finds
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
    """Of an object's type the names of its slots; whether somebody wrote it, so that its attributes count; whether it is taken whole."""
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
    """The memory of an object as an array, if it shows it."""
    try:
        return np.asarray(memoryview(x))
    except (TypeError, ValueError, BufferError):
        return None


def unchanging(x: Any) -> bool:
    """Whether it is a function or a class of this library, NumPy or Python; a method is as what it is of, a closure as what is in it."""
    if isinstance(x, BOUND) or "<locals>" in getattr(x, "__qualname__", "<locals>"):
        return False
    module = getattr(x, "__module__", None)
    return isinstance(module, str) and _of_others(module)


@lru_cache(maxsize=1024)
def _of_others(module: str) -> bool:
    return module.partition(".")[0] in OTHERS


def draws(x: Any) -> bool:
    """Whether it draws random numbers: a generator of NumPy's or Python's, old or new."""
    kind = type(x)  # asked itself, ctypes.cdll would look for a library of that name
    return hasattr(kind, "bit_generator") or hasattr(kind, "get_state") or hasattr(kind, "getstate")


def position(generator: Any) -> Any:
    """Where a generator is."""
    if hasattr(generator, "bit_generator"):
        return generator.bit_generator.state
    return generator.get_state() if hasattr(generator, "get_state") else generator.getstate()


def put_back(generator: Any, where: Any) -> None:
    """A generator to where it was."""
    if hasattr(generator, "bit_generator"):
        generator.bit_generator.state = where
    else:
        (generator.set_state if hasattr(generator, "set_state") else generator.setstate)(where)


def can_change(x: Any) -> bool:
    """Whether an object of unknown kind may become another: not if it has a hash of its own."""
    known = type(x) is object or isinstance(x, FIXED) or unchanging(x)
    return not known and (type(x).__hash__ in (None, object.__hash__) or isinstance(x, memoryview))


def _of_class(kind: type) -> list[Any]:
    """The methods and the attributes of a class that somebody wrote."""
    found = vars(kind).items()
    return [
        x
        for name, x in found
        if isinstance(x, FunctionType) or not (name.startswith("__") or name == "_abc_impl")
    ]


def _of_function(function: FunctionType) -> list[Any]:
    """Code, what it finds around it, and what it was given."""
    inside = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
    given = [
        function.__defaults__,
        function.__kwdefaults__,
        *([function.__dict__] if function.__dict__ else []),
    ]
    return [function.__code__, inside, _around(function, inside), *given]


def _around(function: FunctionType, inside: list[Any]) -> list[Any]:
    """What a function finds under the names in its code, and in the code within it, outside of itself; in modules too."""
    outside, names = _names(function.__code__)
    known = function.__globals__
    found = [known[name] for name in outside if name in known]
    modules = [x for x in (*found, *inside) if isinstance(x, ModuleType)]
    for module in modules:
        space = vars(module)
        if module.__name__ in (
            "random",
            "numpy.random",
        ):  # their functions are methods of a generator
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
    """The names that code, and the code within it, looks up among the globals; and all of its names, those of attributes too."""
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
