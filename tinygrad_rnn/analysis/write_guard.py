"""Arrays that live graphs need, kept from being written to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from zlib import crc32

import numpy as np

from ..errors import WrittenError, argument_error, describe
from .source_location import HERE, arrays_named_in, format_location


@dataclass
class GuardedArray:
    """An array that live graphs need.

    Attributes
    ----------
    array : ndarray
    count, itself : int
        By how many values it is needed; and by how many not only because what they need is a view of it.
    use : str
        The op that used or made it, or a view of it, first, and where.
    check : int
        A checksum of its numbers then.
    locked : bool
        Whether it could be written to before, and now cannot.
    """

    array: np.ndarray
    count: int
    itself: int
    use: str
    check: int
    locked: bool

    def needs(self, array: np.ndarray) -> bool:
        """Whether somebody needs this, and so all of an array that is this one or a view of it."""
        return self.itself > 0 and any(a is self.array for a in chain(array))


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
        self.held: dict[int, GuardedArray] = {}
        self.idle: set[int] = set()

    def hold(self, array: np.ndarray, use: str) -> list[GuardedArray]:
        """Somebody needs an array, and so what it is a view of; returns what to let go later."""
        arrays = chain(array)
        for a in reversed(arrays):
            held = self.held.get(id(a))
            if held is None:
                held = self.held[id(a)] = GuardedArray(
                    a, 0, 0, use, _checksum(a), a.flags.writeable and _can_be_opened(a)
                )
                if held.locked:
                    a.flags.writeable = False
            held.count += 1
            self.idle.discard(id(a))
        self.held[id(array)].itself += 1
        return [self.held[id(a)] for a in arrays]

    def let_go(self, several: Iterable[list[GuardedArray]]) -> None:
        """What `hold` returned, several times: arrays can be written to again, if no other needs them."""
        for those in several:
            those[0].itself -= 1
            for held in those:
                held.count -= 1
                if held.count == 0 and self.held.get(id(held.array)) is held:
                    self.idle.add(id(held.array))
        freed = True
        while freed:
            freed = {
                key
                for key in self.idle
                if not isinstance(self.held[key].array.base, np.ndarray) or self._open(key)
            }
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
                got = f"others at {where}, for somebody wrote through a view that was made before, or that NumPy cannot lock"
                raise WrittenError(_complaint(held.array, held, got))

    def written(self, trace: TracebackType | None) -> str | None:
        """What to say of a write that NumPy refused; None if it was to another array than ours."""
        steps = []
        while trace is not None:
            steps.append(trace)
            trace = trace.tb_next
        for step in reversed(
            [step for step in steps if not step.tb_frame.f_code.co_filename.startswith(HERE)]
        ):
            named, sure = arrays_named_in(step)
            found = {
                label: array
                for label, array in named
                if not array.flags.writeable and self._near(array)
            }
            if found:
                array, where = (
                    next(iter(found.values())),
                    format_location(step.tb_frame.f_code.co_filename, step.tb_lineno),
                )
                got = (
                    f"a write to {next(iter(found))} at {where}"
                    if sure
                    else f"a write, perhaps to {' or '.join(found)}, at {where}"
                )
                return _complaint(array, self._near(array)[0], got)
        return None

    def _near(self, array: np.ndarray) -> list[GuardedArray]:
        """What is held in the memory of an array; first what somebody needs that it is, or is a view of."""
        near = [held for held in self.held.values() if np.may_share_memory(array, held.array)]
        return sorted(near, key=lambda held: not held.needs(array))


def _complaint(array: np.ndarray, held: GuardedArray, got: str) -> str:
    wanted, fix = (
        f"the numbers that {held.use} was computed with, for a live graph needs them",
        "write to a copy, or after backward",
    )
    if not held.needs(array):
        wanted = f"no write to an array of which {held.use} took a part, for a live graph needs that and NumPy locks the whole"
        fix += "; or compute with a copy of the part"
    return str(
        argument_error("debug", f"array {describe(array)}", expected=wanted, got=got, fix=fix)
    )


def _unlock(held: GuardedArray) -> None:
    if held.locked:
        held.array.flags.writeable = True


def _can_be_opened(array: np.ndarray) -> bool:
    """Whether NumPy makes an array writeable again: not if its memory is that of an object which does not say that it is."""
    if array.base is None or isinstance(array.base, np.ndarray):
        return True
    try:
        return np.ndarray((0,), np.uint8, buffer=array.base).flags.writeable
    except (TypeError, ValueError, BufferError):
        return False


def chain(array: np.ndarray) -> list[np.ndarray]:
    """An array, and those whose memory it shows, up to the one that owns it."""
    found = [array]
    while isinstance(found[-1].base, np.ndarray):
        found.append(found[-1].base)
    return found


def _checksum(array: np.ndarray) -> int:
    return crc32(array.tobytes())
