"""The contents of a cell: the arguments of its program, and the values that it was written for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..dtypes import get_default_dtype
from ..graph import Value
from .parts import ALIKE, PLAIN, bytes_of, can_change, draws, parts_of

LARGE = 1 << 16
"""Arrays of more bytes than this are compared by identity, smaller ones by their entries."""


@dataclass(slots=True)
class Held:
    """The contents of a cell.

    Attributes
    ----------
    key : tuple
        Two cells with equal keys do the same with Tensors in the same places, so a closure that
        is created anew in every call needs no new program. The key holds numbers, settings, code
        and the default dtype.
    tensors : list of Value
        The Tensors, each once, in the order in which they are found.
    by_identity : list
        Objects whose ``id`` is in the key: they must live as long as the key.
    generators : list
        Generators of random numbers.
    closed : list
        Objects that can change and cannot be inspected.
    """

    key: tuple[Any, ...] = ()
    tensors: list[Value] = field(default_factory=list)
    by_identity: list[Any] = field(default_factory=list)
    generators: list[Any] = field(default_factory=list)
    closed: list[Any] = field(default_factory=list)


def captured(cell: Any) -> Held:
    """Return the contents of a cell: its closure, its attributes, and the globals its code uses."""
    key: list[Any] = []
    found = Held()
    seen: dict[int, int] = {}
    waiting: list[Any] = [cell]
    alive: list[Any] = []  # keeps temporary lists alive, so that no id is used twice
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
            found.tensors.append(x)
            key.append((kind, x.tracked, x.array.shape, x.array.dtype))
            if x.array.dtype.kind != "f":
                key.append(_numbers(x.array, found))
        elif isinstance(x, np.ndarray) and not x.dtype.hasobject:
            seen[id(x)] = len(seen)
            key.append(_numbers(x, found))
        else:
            seen[id(x)] = len(seen)
            parts = parts_of(x)
            if parts is None:
                key.append(_whole(x, found))
            else:
                key.append((kind, len(parts)))
                waiting.extend(reversed(parts))
    found.key = (*key, get_default_dtype())
    return found


def _numbers(array: np.ndarray, found: Held) -> tuple[Any, ...]:
    """Return the part of a key that identifies an array."""
    if array.nbytes > LARGE:
        found.by_identity.append(array)
        return id(array), array.shape, array.dtype
    return array.tobytes(), array.shape, array.dtype


def _whole(x: Any, found: Held) -> tuple[Any, ...]:
    """Return the part of a key that identifies an object which is not inspected.

    That is its bytes if it has a buffer, else its ``id``.
    """
    if draws(x):
        found.generators.append(x)
    elif can_change(x):
        array = bytes_of(x)
        if array is not None and array.nbytes <= LARGE:
            return type(x), array.tobytes(), array.shape, array.dtype
        if array is None:
            found.closed.append(x)
    found.by_identity.append(x)
    return type(x), id(x)
