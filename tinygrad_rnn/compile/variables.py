"""Variables: what the code of a function reads from outside, and what is in the user's modules."""

from __future__ import annotations

import builtins
import dis
from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import pairwise
from sys import modules as loaded_modules
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

from .reads import MISSING, Unsearched, is_a, is_library, try_read

GENERATORS = ("random", "numpy.random")
"""The modules whose functions are methods of a hidden random generator."""

GLOBALS = ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL")
INSIDE = ("LOAD_ATTR", "LOAD_METHOD")
"""The steps of code that read or set a global name, and that read what is in an object."""


def find_variables(function: FunctionType) -> Iterator[Any]:
    """Yield the variables that a function and the functions in it read from outside.

    Those that it reads from the user's own modules, as in ``helpers.scale``, are among them. A
    module that it only reads by name is not searched any further.
    """
    name, space = function.__qualname__, function.__globals__
    outside, names, handed = _read_names(function.__code__)

    def call_place(text: str, key: str, x: Any) -> str:
        return Unsearched(text) if is_a(x, ModuleType) and key not in handed else text

    found = []
    for key, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        read = partial(getattr, cell, "cell_contents")
        found.append(x := try_read(read))
        read = partial(try_read, read) if x is MISSING else read  # it may get a value later
        yield read, "", [call_place(f"{key} in the closure of {name}", key, x)]
    if is_library(str(space.get("__name__"))):
        return
    for key in outside:
        if key in space or not hasattr(builtins, key):
            found.append(x := space.get(key, MISSING))
            place = partial(space.get, key, MISSING)
            yield place, "", [call_place(f"the global {key}", key, x)]
    found += [loaded_modules.get(key) for key in names if not is_library(key)]  # imported inside
    modules = [*dict.fromkeys(x for x in found if is_a(x, ModuleType))]
    for module in modules:  # the list grows
        inside = {key: vars(module)[key] for key in names if key in vars(module)}
        if module.__name__ in GENERATORS:
            yield tuple(inside.values()), "", [f"{module.__name__}.{key}" for key in inside]
            continue
        if is_library(module.__name__):
            inside = {key: x for key, x in inside.items() if key == "random"}
        else:
            for key, x in inside.items():
                place = partial(vars(module).get, key, MISSING)
                yield place, "", [call_place(f"{module.__name__}.{key}", key, x)]
        modules += [x for x in inside.values() if is_a(x, ModuleType) and x not in modules]


@lru_cache(maxsize=1024)
def _read_names(code: CodeType) -> tuple[list[str], list[str], set[str]]:
    """Return the global names that code and its inner code use, and all names in them.

    The third part has the names of what is not only read by the names of its attributes: it is
    passed to another function, for example.
    """
    outside: list[str] = []
    names: list[str] = []
    handed: set[str] = set()
    codes = [code]
    for code in codes:  # the list grows
        for step, after in pairwise(dis.get_instructions(code)):  # the last one reads no name
            if step.opname in GLOBALS:
                outside.append(step.argval)
            is_read = step.opname.startswith("LOAD_") and step.opname != "LOAD_CLOSURE"
            if is_read and isinstance(step.argval, str) and after.opname not in INSIDE:
                handed.add(step.argval)
        names += code.co_names
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return [*dict.fromkeys(outside)], [*dict.fromkeys(names)], handed


def find_entries(module: ModuleType) -> Iterator[Any]:
    """Yield the values in a user's module that an attribute, a list or an argument holds.

    The functions and classes in it are compared, but not searched, and other modules are neither.
    """
    name, entries = str(vars(module).get("__name__")), vars(module)
    if name in GENERATORS:
        drawn = [x for x in entries.values() if getattr(x, "__self__", None) is not None]
        yield tuple(drawn), "", [f"a function of {name}"] * len(drawn)
    elif not (is_library(name) or _is_installed(module)):
        yield entries, name, [_name_value(name, key, x) for key, x in entries.items()]


def _name_value(module: str, key: str, x: Any) -> str | None:
    """Return the name of an entry of a module, or None if it is not compared."""
    if is_a(x, ModuleType) or (key.startswith("__") and key.endswith("__")):
        return None
    is_code = is_a(x, FunctionType | BuiltinFunctionType | type)
    return Unsearched(f"{module}.{key}") if is_code else f"{module}.{key}"


def _is_installed(module: ModuleType) -> bool:
    """Return True for a module of a package that pip installed."""
    path = str(vars(module).get("__file__"))
    return "site-packages" in path or "dist-packages" in path
