"""What a cell holds: the parameters that its program is handed, and all else that the program was written for."""

from __future__ import annotations

from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

from ..graph import Value
from ..nn.module import Module

PLAIN = frozenset({int, float, complex, str, bytes, bool, type(None), CodeType, BuiltinFunctionType})
ALIKE = (np.dtype, np.generic, type)
"""Types, and bases of types, of what is part of the key as it is."""


def captured(cell: Any) -> tuple[tuple[Any, ...], list[Value]]:
    """What tells one cell from another, and the Tensors that it holds, each once.

    Two cells with equal keys do the same with Tensors in the same places: so a program is written once for a closure
    that is made anew in every call. What is no Tensor, a number or a setting, is part of the key; an array counts by identity.
    """
    key: list[Any] = []
    tensors: dict[int, Value] = {}
    places: dict[int, int] = {}
    seen: set[int] = set()
    waiting: list[Any] = [cell]
    while waiting:
        x = waiting.pop()
        kind = type(x)
        if kind in PLAIN or isinstance(x, ALIKE):
            key.append((kind, x))
        elif isinstance(x, Value):
            tensors[id(x)] = x
            place = places.setdefault(id(x), len(places))
            array = x.array
            key.append((place, x.tracked, array.shape, array.dtype, None if x.tracked else id(array)))
        elif id(x) not in seen:
            seen.add(id(x))
            key.append(kind)
            waiting.extend(reversed(list(_parts(x, key))))
        else:
            key.append(None)
    return tuple(key), list(tensors.values())


def _parts(x: Any, key: list[Any]) -> Any:
    """What an object is made of; one that cannot be looked into counts by identity."""
    if isinstance(x, tuple | list | set | frozenset):
        return x
    if isinstance(x, dict):
        return [part for item in x.items() for part in item]
    if isinstance(x, Module):
        return [part for name, value in x.__dict__.items() if name not in HIDDEN for part in (name, value)]
    if isinstance(x, partial):
        return x.func, x.args, x.keywords
    if isinstance(x, MethodType):
        return x.__func__, x.__self__
    if isinstance(x, FunctionType):
        inside = tuple(cell.cell_contents for cell in x.__closure__ or () if _filled(cell))
        around = tuple(x.__globals__[name] for name in x.__code__.co_names if isinstance(x.__globals__.get(name), GLOBAL))
        return x.__code__, inside, around, x.__defaults__, x.__kwdefaults__
    key.append(id(x))
    return ()


HIDDEN = frozenset({"_parameters", "_modules", "_scope", "rng"})
"""Attributes of a Module that are its attributes once more, or do not matter."""

GLOBAL = (Value, Module, np.ndarray, int, float, str, FunctionType)
"""Of the names that a function finds around it, what can change what it computes."""


def _filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:  # a name that is not bound yet
        return False
    return True
