"""The memory of a program: what is kept of every step of a loop, and where each step writes it.

A loop allocates its arrays over time before it starts, and its steps write into their entries. All
other values are new arrays. They cost little, because malloc keeps the memory that is free. A value
that only one line reads has no name: it stands inside of the expression that reads it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .formulas import INLINE, INTO
from .instructions import Instruction, Loop, Program, State, Variable, walk

MOST = 7
"""The maximum number of functions in an expression."""


@dataclass(eq=False, slots=True)
class Memory:
    """An array over time, named after its owner."""

    shape: tuple[int, ...]
    dtype: Any
    owner: Variable


class MemoryPlan:
    """The memory of the values of a program.

    Attributes
    ----------
    uses : Counter of Variable
        How often each value is read; at least 2 for what a loop keeps and for outputs.
    inline : set of Variable
        Values that are written inside of the expression that reads them.
    over_time : dict of Variable to (Memory, int)
        For every stack of a loop: the array over time that it is, from which entry on.
    carried : dict of State to Memory
        For states of which all steps are kept: the array of T + 1 entries.
    spots : dict of Variable to (Memory, int)
        For every value that step t writes into the entry ``[t + int]`` of an array over time.
    """

    def __init__(self, program: Program):
        self.uses = Counter(x for line in walk(program.lines) for x in _reads(line))
        self.uses.update(dict.fromkeys(program.outputs, 2))
        self.inline = set(self._single(program.lines))
        self.over_time: dict[Variable, tuple[Memory, int]] = {}
        self.carried: dict[State, Memory] = {}
        self.spots: dict[Variable, tuple[Memory, int]] = {}
        for loop in (line for line in walk(program.lines) if isinstance(line, Loop)):
            self._keep_over_time(loop)
            self._write_into_entries(loop)

    def _single(self, lines: list[Any]) -> Iterable[Variable]:
        """Yield the values that may stand inside of the expression that reads them."""
        size: dict[Variable, int] = {}
        for line in lines:
            if isinstance(line, Loop):
                yield from self._single(line.body)
                continue
            n, y = 1, line.out
            for x in line.uses:
                named = x.name not in ("", y.name)
                if x in size and self.uses[x] == 1 and not named and n + size[x] <= MOST:
                    n += size[x]
                    yield x
            if line.function in INLINE and not y.note:
                size[y] = n

    def _keep_over_time(self, loop: Loop) -> None:
        """Give an array to each stack; one of T + 1 entries to a state whose steps are kept."""
        for state in loop.states:
            x, y = state.inside, state.next
            kept = [(a, b) for a, b in loop.stacks if a in (x, y) and b not in self.over_time]
            alike = {(a.shape, a.dtype) for a in (x, y, state.start)}
            alike |= {(b.shape[1:], b.dtype) for _, b in kept}
            if not kept or not x.shape or x.is_number or len(alike) > 1:
                continue
            owner = next((b for a, b in kept if a is y), kept[0][1])
            self.carried[state] = Memory((loop.steps + 1, *x.shape), x.dtype, owner)
            for a, b in kept:
                self.over_time[b] = self.carried[state], int((a is y) != loop.reverse)
        for _, b in loop.stacks:
            self.over_time.setdefault(b, (Memory(b.shape, b.dtype, b), 0))

    def _write_into_entries(self, loop: Loop) -> None:
        """Let the lines of a loop write what it keeps where it is kept."""
        makers = {line.out: line for line in loop.body if isinstance(line, Instruction)}
        carried = [(s, self.carried[s]) for s in loop.states if s in self.carried]
        ends = [(s.next, memory, int(not loop.reverse)) for s, memory in carried]
        stacks = [(x, self.over_time[b][0]) for x, b in loop.stacks]
        ends += [(x, memory, 0) for x, memory in stacks if memory not in self.carried.values()]
        for x, memory, step in ends:
            writes = x in makers and makers[x].function in INTO
            if writes and x.shape and x.dtype == memory.dtype:
                self.spots.setdefault(x, (memory, step))


def _reads(line: Instruction | Loop) -> list[Variable]:
    """Return what a line reads, not counting the lines of a loop: once for each time."""
    if isinstance(line, Instruction):
        return line.uses
    found = [x for x, _ in (*line.stacks, *line.sums)]
    found += [x for s in line.states for x in (s.start, s.next)]
    return found * 2 + [whole for _, whole in line.slices]
