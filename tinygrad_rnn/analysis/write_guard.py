"""Write protection for the arrays of live graphs, which a backward pass may still need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from zlib import crc32

import numpy as np

from ..errors import WrittenError, argument_error, describe
from ..errors.user_warning import PACKAGE
from .source_location import find_written_arrays, format_location


@dataclass
class GuardedArray:
    """An array that live graphs need, or the base of such an array.

    Each op that uses or makes the array has a hold on it: the array must stay unchanged until the
    hold is released.

    Attributes
    ----------
    array : ndarray
        The array.
    holds : int
        The number of holds on the array and on views of it.
    own_holds : int
        The number of holds on the array itself.
    use : str
        The first op that used or made the array or a view of it, and the line that called the op.
    checksum : int
        The checksum of the entries after that op ran.
    is_locked : bool
        True if the array was writable and the guard made it read-only.
    """

    array: np.ndarray
    holds: int
    own_holds: int
    use: str
    checksum: int
    is_locked: bool

    def needs(self, array: np.ndarray) -> bool:
        """Return whether a write to `array` can change entries of this array that a graph needs.

        It can if `array` is this array or a view of it, and a graph needs this array itself, not
        only a view of it.
        """
        return self.own_holds > 0 and any(a is self.array for a in list_bases(array))


class Guard:
    """Makes arrays read-only for as long as a graph needs them.

    NumPy can make a view writable only if its base is writable. So a view without holds stays
    locked as long as its base is locked.

    Attributes
    ----------
    held : dict of int to GuardedArray
        By `id`, all arrays that graphs need and the bases of these arrays.
    idle : set of int
        The ids of arrays without holds that still wait for their base to be unlocked.
    """

    def __init__(self) -> None:
        self.held: dict[int, GuardedArray] = {}
        self.idle: set[int] = set()

    def hold(self, array: np.ndarray, use: str) -> list[GuardedArray]:
        """Make an array and its bases read-only; return the hold, to pass it to `release` later."""
        arrays = list_bases(array)
        for a in reversed(arrays):
            held = self.held.get(id(a))
            if held is None:
                is_locked = a.flags.writeable and _can_unlock(a)
                held = self.held[id(a)] = GuardedArray(a, 0, 0, use, _checksum(a), is_locked)
                if is_locked:
                    a.flags.writeable = False
            held.holds += 1
            self.idle.discard(id(a))
        self.held[id(array)].own_holds += 1
        return [self.held[id(a)] for a in arrays]

    def release(self, holds: Iterable[list[GuardedArray]]) -> None:
        """End several holds, each as returned by `hold`; unlock arrays that have no holds left."""
        for arrays in holds:
            arrays[0].own_holds -= 1
            for held in arrays:
                held.holds -= 1
                if held.holds == 0 and self.held.get(id(held.array)) is held:
                    self.idle.add(id(held.array))
        freed = True
        while freed:  # once a base is unlocked, its views can follow in the next round
            freed = {key for key in self.idle if id(self.held[key].array.base) not in self.held}
            for key in freed:
                _unlock(self.held.pop(key))
            self.idle -= freed

    def release_all(self) -> None:
        """End all holds; unlock bases before their views."""
        for held in sorted(self.held.values(), key=lambda held: len(list_bases(held.array))):
            _unlock(held)
        self.held.clear()
        self.idle.clear()

    def require_unchanged(self, arrays: Iterable[object], where: str) -> None:
        """Raise WrittenError if the program wrote to one of these arrays in spite of the lock."""
        for array in arrays:
            held = self.held.get(id(array))
            if held is not None and held.checksum != _checksum(held.array):
                got = f"other numbers at {where}, because the program wrote through a view that "
                got += "was made before the op ran, or to an array that NumPy cannot lock"
                raise WrittenError(_format_write(held.array, held, got))

    def explain_write(self, trace: TracebackType | None) -> str | None:
        """Return the message for a write that NumPy rejected; None if the array is not guarded."""
        steps = []
        while trace is not None:
            if not trace.tb_frame.f_code.co_filename.startswith(PACKAGE):
                steps.append(trace)
            trace = trace.tb_next
        for step in reversed(steps):
            arrays, is_certain = find_written_arrays(step)
            locked = {
                name: array
                for name, array in arrays.items()
                if not array.flags.writeable and self._overlapping(array)
            }
            if locked:
                names, array = " or ".join(locked), next(iter(locked.values()))
                where = format_location(step.tb_frame.f_code.co_filename, step.tb_lineno)
                target = f" to {names}" if is_certain else f", perhaps to {names},"
                got = f"a write{target} at {where}"
                return _format_write(array, self._overlapping(array)[0], got)
        return None

    def _overlapping(self, array: np.ndarray) -> list[GuardedArray]:
        """Return the guarded arrays that may share memory with `array`.

        First come those in which a write to `array` can change entries that a graph needs.
        """
        sharing = [held for held in self.held.values() if np.may_share_memory(array, held.array)]
        return sorted(sharing, key=lambda held: not held.needs(array))


def _format_write(array: np.ndarray, held: GuardedArray, got: str) -> str:
    """Return the message for a write to `array`, which overlaps with a guarded array."""
    expected = f"the numbers that {held.use} was computed with, because a live graph needs them"
    fix = "write to a copy, or write after backward"
    if not held.needs(array):
        expected = f"no write to this array, because {held.use} used a part of it, a live graph "
        expected += "needs that part, and NumPy locks the whole array"
        fix += "; or compute with a copy of the part"
    return str(argument_error("debug", f"array {describe(array)}", expected, got, fix))


def _unlock(held: GuardedArray) -> None:
    if held.is_locked:
        held.array.flags.writeable = True


def _can_unlock(array: np.ndarray) -> bool:
    """Return whether NumPy lets a locked array become writable again.

    NumPy lets it if the memory belongs to an array. If the memory belongs to another object, NumPy
    lets it only if that object declares the memory writable.
    """
    if array.base is None or isinstance(array.base, np.ndarray):
        return True
    try:
        return np.ndarray((0,), np.uint8, buffer=array.base).flags.writeable
    except (TypeError, ValueError, BufferError):
        return False


def list_bases(array: np.ndarray) -> list[np.ndarray]:
    """Return an array, its base, the base of that base and so on, as far as they are arrays."""
    bases = [array]
    while isinstance(bases[-1].base, np.ndarray):
        bases.append(bases[-1].base)
    return bases


def _checksum(array: np.ndarray) -> int:
    return crc32(array.tobytes())
