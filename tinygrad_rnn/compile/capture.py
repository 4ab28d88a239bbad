"""What a cell holds: the parameters that its program is handed, and all else that the program was written for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..dtypes import get_default_dtype
from ..graph import Value
from .parts import ALIKE, PLAIN, bytes_of, can_change, draws, parts_of

LARGE = 1 << 16
"""An array of more bytes than this counts by identity, a smaller one by its numbers."""


@dataclass(slots=True)
class Held:
    """What a cell holds.

    Attributes
    ----------
    key : tuple
        What tells one cell from another: two with equal keys do the same with Tensors in the same places, so that a closure that is
        made anew in every call needs no new program. Numbers, settings and code are part of it, and the default dtype.
    tensors : list of Value
        Each once, in the order in which they are found.
    by_identity : list
        What the key names by its place in memory: it must live as long as the key.
    generators : list
        What draws random numbers.
    closed : list
        What can change and cannot be looked into.
    """

    key: tuple[Any, ...] = ()
    tensors: list[Value] = field(default_factory=list)
    by_identity: list[Any] = field(default_factory=list)
    generators: list[Any] = field(default_factory=list)
    closed: list[Any] = field(default_factory=list)


def captured(cell: Any) -> Held:
    """What a cell holds: in its closure, its attributes, and under the names that its code finds around it."""
    key: list[Any] = []
    found = Held()
    seen: dict[int, int] = {}
    waiting: list[Any] = [cell]
    alive: list[
        Any
    ] = []  # lists that are made on the way must not go: another one would have the same place in memory
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
    """What tells one array from another."""
    if array.nbytes > LARGE:
        found.by_identity.append(array)
        return id(array), array.shape, array.dtype
    return array.tobytes(), array.shape, array.dtype


def _whole(x: Any, found: Held) -> tuple[Any, ...]:
    """What tells one object that is not looked into from another: its bytes if it shows them, or its place in memory."""
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
