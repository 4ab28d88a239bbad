"""Arrays that live graphs need, kept from being written to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from zlib import crc32

import numpy as np

from .errors import WrittenError, complaint, describe
from .places import HERE, line, named_in


@dataclass
class Held:
    """An array that live graphs need.

    Attributes
    ----------
    array : ndarray
    count : int
        By how many values it is needed.
    use : str
        The op that used or made it first, and where.
    check : int
        A checksum of its numbers then.
    locked : bool
        Whether it could be written to before.
    """

    array: np.ndarray
    count: int
    use: str
    check: int
    locked: bool


class Guard:
    """Makes arrays read-only for as long as somebody needs them.

    Attributes
    ----------
    held : dict of int to Held
        By their place in memory: what is needed, and what it is a view of.
    idle : set of int
        Views that nobody needs any more, of arrays of which somebody needs another part: NumPy opens a view not before what it shows.
    """

    def __init__(self) -> None:
        self.held: dict[int, Held] = {}
        self.idle: set[int] = set()

    def hold(self, array: np.ndarray, use: str) -> list[int]:
        """Somebody needs an array, and so what it is a view of; returns what to let go later."""
        for a in reversed(chain(array)):
            held = self.held.get(id(a))
            if held is None:
                held = self.held[id(a)] = Held(a, 0, use, _checksum(a), a.flags.writeable)
                a.flags.writeable = False
            held.count += 1
            self.idle.discard(id(a))
        return [id(a) for a in chain(array)]

    def let_go(self, ids: list[int]) -> None:
        """Arrays can be written to again, if no other needs them."""
        for key in ids:
            held = self.held.get(key)
            if held is not None:
                held.count -= 1
                if held.count == 0:
                    self.idle.add(key)
        freed = True
        while freed:
            freed = {key for key in self.idle if not isinstance(self.held[key].array.base, np.ndarray) or self._open(key)}
            for key in freed:
                _unlock(self.held.pop(key))
            self.idle -= freed

    def _open(self, key: int) -> bool:
        """Whether what a view shows can be written to, or could not before."""
        return id(self.held[key].array.base) not in self.held

    def end(self) -> None:
        """All can be written to again."""
        for held in sorted(self.held.values(), key=lambda held: len(chain(held.array))):
            _unlock(held)
        self.held.clear()
        self.idle.clear()

    def require_unchanged(self, arrays: Iterable[object], where: str) -> None:
        """Refuse numbers that were written to nevertheless."""
        for array in arrays:
            held = self.held.get(id(array))
            if held is not None and held.check != _checksum(held.array):
                got = f"others at {where}, for somebody wrote to its memory through a view that was made before"
                raise WrittenError(_complaint(held.array, held, got))

    def written(self, trace: TracebackType | None) -> str | None:
        """What to say of a write that NumPy refused; None if it was to another array than ours."""
        frames = []
        while trace is not None:
            frames.append((trace.tb_frame, trace.tb_lineno))
            trace = trace.tb_next
        theirs = [(frame, at) for frame, at in frames if not frame.f_code.co_filename.startswith(HERE)]
        for frame, at in reversed(theirs):
            for label, array in named_in(frame, at):
                for held in self.held.values():
                    if not array.flags.writeable and np.may_share_memory(array, held.array):
                        return _complaint(array, held, f"a write to {label} at {line(frame.f_code.co_filename, at)}")
        return None


def _complaint(array: np.ndarray, held: Held, got: str) -> str:
    wanted = f"the numbers that {held.use} was computed with, for a live graph needs them"
    return complaint("debug", f"array {describe(array)}", expected=wanted, got=got, remedy="write to a copy, or after backward")


def _unlock(held: Held) -> None:
    if held.locked:
        held.array.flags.writeable = True


def chain(array: np.ndarray) -> list[np.ndarray]:
    """An array, and those whose memory it shows, up to the one that owns it."""
    found = [array]
    while isinstance(found[-1].base, np.ndarray):
        found.append(found[-1].base)
    return found


def _checksum(array: np.ndarray) -> int:
    return crc32(array.tobytes())
