"""What a cell holds: the parameters that its program is handed, and all else that the program was written for."""

from __future__ import annotations

import dis
from dataclasses import dataclass
from functools import lru_cache, partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..graph import Value
from ..nn.module import Module
from ..op import Op

PLAIN = frozenset({int, float, complex, str, bytes, bool, type(None), CodeType, BuiltinFunctionType})
ALIKE = (np.dtype, np.generic, type)
"""Types, and bases of types, of what is part of the key as it is."""

LARGE = 1 << 16
"""An array of more bytes than this counts by identity, a smaller one by its numbers."""

HIDDEN = frozenset({"_parameters", "_modules", "_scope", "rng"})
"""Attributes of a Module that are its attributes once more, or do not matter."""


@dataclass(slots=True)
class Held:
    """What a cell holds.

    Attributes
    ----------
    key : tuple
        What tells one cell from another: two with equal keys do the same with Tensors in the same places, so that a closure that is
        made anew in every call needs no new program. Numbers, settings and code are part of it.
    tensors : list of Value
        Each once, in the order in which they are found.
    by_identity : list
        What the key names by its place in memory: it must live as long as the key.
    """

    key: tuple[Any, ...]
    tensors: list[Value]
    by_identity: list[Any]


def captured(cell: Any) -> Held:
    """What a cell holds: in its closure, its attributes, and under the names that its code finds around it."""
    key: list[Any] = []
    tensors: dict[int, Value] = {}
    found = Held((), [], [])
    seen: dict[int, int] = {}
    waiting: list[Any] = [cell]
    alive: list[Any] = []  # lists that are made on the way must not go: another one would have the same place in memory
    while waiting:
        x = waiting.pop()
        alive.append(x)
        kind = type(x)
        if kind in PLAIN or isinstance(x, ALIKE):
            key.append((kind, x))
        elif id(x) in seen:
            key.append(("again", seen[id(x)]))
        elif isinstance(x, Value):
            seen[id(x)] = len(seen)
            tensors[id(x)] = x
            key.append((kind, x.tracked, x.array.shape, x.array.dtype))
            if x.array.dtype.kind != "f":
                key.append(_numbers(x.array, found))
        elif isinstance(x, np.ndarray):
            seen[id(x)] = len(seen)
            key.append(_numbers(x, found))
        else:
            seen[id(x)] = len(seen)
            parts = _parts(x)
            if parts is None:
                found.by_identity.append(x)
                parts = [id(x)]
            key.append((kind, len(parts)))
            waiting.extend(reversed(parts))
    found.key, found.tensors = tuple(key), list(tensors.values())
    return found


def _numbers(array: np.ndarray, found: Held) -> tuple[Any, ...]:
    """What tells one array from another."""
    if array.nbytes > LARGE or array.dtype.kind == "O":
        found.by_identity.append(array)
        return id(array), array.shape, array.dtype
    return array.tobytes(), array.shape, array.dtype


def _parts(x: Any) -> list[Any] | None:
    """What an object is made of; None if it cannot be looked into."""
    if isinstance(x, tuple | list | set | frozenset):
        return list(x)
    if isinstance(x, dict):
        return [part for item in x.items() for part in item]
    if isinstance(x, partial):
        return [x.func, x.args, x.keywords]
    if isinstance(x, MethodType):
        return [x.__func__, x.__self__]
    if isinstance(x, FunctionType):
        inside = [cell.cell_contents for cell in x.__closure__ or () if _filled(cell)]
        return [x.__code__, inside, _around(x), x.__defaults__, x.__kwdefaults__]
    if isinstance(getattr(x, "__dict__", None), dict) and not isinstance(x, ModuleType):
        own = [part for name, value in vars(x).items() if name not in HIDDEN for part in (name, value)]
        return [*own, *_of_class(type(x))]
    return None


def _of_class(kind: type) -> list[Any]:
    """Methods, numbers and Tensors of a class that somebody wrote, and of its bases."""
    written = [base for base in kind.__mro__ if not base.__module__.startswith(("tinygrad_rnn", "builtins", "typing", "abc"))]
    return [value for base in written for value in vars(base).values() if isinstance(value, LOOKED_INTO)]


def _around(function: FunctionType) -> list[Any]:
    """What a function finds under the names in its code, and in the code within it, outside of itself."""
    outside, names = _names(function.__code__)
    known = function.__globals__
    found = [known[name] for name in outside if _can_change(known.get(name))]
    spaces = [x for x in found if isinstance(x, ModuleType | type) and not x.__name__.startswith(("numpy", "tinygrad_rnn", "math"))]
    within = [getattr(space, name) for space in spaces if not _ours(space) for name in names if _can_change(getattr(space, name, None))]
    return [x for x in (*found, *within) if not isinstance(x, ModuleType | type | Op) and not _ours(x)]


def _can_change(x: Any) -> bool:
    """Whether what stands under a name can change what a cell computes."""
    return isinstance(x, LOOKED_INTO) or hasattr(x, "__dict__")


@lru_cache(maxsize=1024)
def _names(code: CodeType) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names that code, and the code within it, looks up among the globals; and all of its names, those of attributes too."""
    outside: list[str] = []
    names: list[str] = []
    codes = [code]
    while codes:
        code = codes.pop()
        outside += [step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
        names += code.co_names
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return tuple(dict.fromkeys(outside)), tuple(dict.fromkeys(names))


def _ours(x: Any) -> bool:
    """Whether it is a function of this library or of NumPy, which does not change."""
    return (getattr(x, "__module__", None) or "").startswith(("tinygrad_rnn", "numpy")) and not isinstance(x, Value | Module)


LOOKED_INTO = (Value, np.ndarray, np.generic, int, float, str, tuple, list, dict, set, FunctionType, partial, Module)
"""Of what stands outside of a cell, what can change what it computes."""


def _filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:  # a name that is not bound yet
        return False
    return True
