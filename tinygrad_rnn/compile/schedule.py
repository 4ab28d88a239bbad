"""The schedule of a program as data, and what follows from the program alone.

That is: which values are views of which memory, which states are kept over time, and which values
may be written inside of the expression that reads them. `buffers` fills in the memory of each.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

from .formulas import has_symbol
from .instructions import (
    REDUCTIONS,
    UFUNCS,
    VIEWS,
    Instruction,
    Loop,
    Program,
    State,
    Variable,
    walk,
)  # fmt: skip

INTO = frozenset({*UFUNCS, *REDUCTIONS, "matmul", "concatenate"})
"""Functions that can write their result into a given array."""

NEW = INTO | {"where", "astype", "copy", "zeros", "scatter", "index_arrays", "draw"}
"""Functions whose result is a new array that nothing else refers to."""

SMALL = 1 << 15
"""Outside of loops, arrays of fewer bytes than this are cheap to allocate."""

FOREVER = 1 << 60


@dataclass(eq=False, slots=True)
class Memory:
    """An array that values are written into, one after the other.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
    owner : Variable
        The first value in it, after which it is named.
    busy : int
        The line up to which another value may be in it, inside of one step of a loop.
    """

    shape: tuple[int, ...]
    dtype: Any
    owner: Variable
    busy: int = -1

    @property
    def key(self) -> Any:
        """The shape and dtype."""
        return self.shape, self.dtype

    @property
    def nbytes(self) -> int:
        """The memory in bytes."""
        return prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Spot:
    """The place where a value is written: an array, or its entry ``[t + step]``."""

    memory: Memory
    step: int | None = None


class MemoryPlan:
    """The memory of every value of a program.

    Attributes
    ----------
    spots : dict of Variable to Spot
        For every value that is written into memory that exists already. All others are new arrays.
    inline : set of Variable
        Values that are written inside of the expression that reads them.
    buffers : dict of Loop to list of Memory
        The memory that is allocated before each loop.
    over_time : dict of Variable to (Memory, int)
        For every stack: the array over time that it is, from which entry on.
    memory : dict of Variable to Memory
        For every value that shares memory, or may: what it is in.
    carried : dict of State to Memory
        For states of which all steps are kept: the array of T + 1 entries.
    lasting : list of Memory
        The memory that is kept for the next call. No output is in it.
    new : set of Variable
        Arrays that the program makes, and views of them that may be written.
    roots : dict of Variable to set of Variable
        The values whose memory a value may refer to.
    """

    def __init__(self, program: Program):
        self.spots: dict[Variable, Spot] = {}
        self.buffers: dict[Loop, list[Memory]] = defaultdict(list)
        self.over_time: dict[Variable, tuple[Memory, int]] = {}
        self.lasting: list[Memory] = []
        self.in_order = True
        self.carried: dict[State, Memory] = {}
        self.roots: dict[Variable, frozenset[Variable]] = {}
        self.uses = Counter(x for line in walk(program.lines) for x in reads(line))
        self.uses.update(dict.fromkeys(program.outputs, 2))
        self.memory: dict[Variable, Memory] = {}
        self.new: set[Variable] = set()
        self.inline = set(self._single(program.lines, None))
        for x in program.inputs:
            self.roots[x] = frozenset({x})
        self._find_roots(program.lines)

    # -- expressions inside of others --------------------------------------------------------------

    def _single(self, lines: list[Any], loop: Loop | None) -> Iterable[Variable]:
        """Yield the values that may stand inside of the expression that reads them."""
        size: dict[Variable, int] = {}
        here = {x for line in lines if isinstance(line, Instruction) for x in line.uses}
        for line in lines:
            if isinstance(line, Loop):
                yield from self._single(line.body, line)
                continue
            size[line.out] = 1 + sum(size.get(x, 0) for x in line.uses)
            if line.out in here and self._fits(line, loop) and size[line.out] < 4:
                yield line.out
            else:
                size[line.out] = 0

    def _fits(self, line: Instruction, loop: Loop | None) -> bool:
        if line.out.name or line.out.note or self.uses[line.out] != 1:
            return False
        small = line.out.is_number or not line.out.shape or (not loop and line.out.nbytes < SMALL)
        return line.function in VIEWS or (small and has_symbol(line))

    # -- what refers to the memory of what ---------------------------------------------------------

    def _find_roots(self, lines: list[Any]) -> None:
        for line in lines:
            if isinstance(line, Loop):
                self._loop_roots(line)
                continue
            from_new = line.function in VIEWS and bool(set(line.uses) & self.new)
            if line.function in NEW or (from_new and line.function != "broadcast_to"):
                self.new.add(line.out)
            below = frozenset[Variable]().union(*(self.roots[x] for x in line.uses))
            if line.function in VIEWS:
                self.roots[line.out] = below or frozenset({line.out})
            else:
                may_be_view = line.function in ("call", "part")
                self.roots[line.out] = frozenset({line.out}) | (below if may_be_view else set())

    def _loop_roots(self, loop: Loop) -> None:
        for inside, whole in loop.slices:
            self.roots[inside] = self.roots[whole]
        for state in loop.states:
            self.roots[state.inside] = frozenset({state.inside})
        self._find_roots(loop.body)
        for _, total in (*loop.stacks, *loop.sums):
            self.roots[total] = frozenset({total})
            self.new.add(total)
        for state in loop.states:
            self._keep_all_steps(loop, state)
        for _, whole in loop.stacks:
            if whole not in self.over_time:
                memory = Memory(whole.shape, whole.dtype, whole)
                self.over_time[whole] = memory, 0
        for state in loop.states:
            if state not in self.carried:
                self.roots[state.last] = self._last_roots(loop, state)
            if state in self.carried or state.next in self.new:
                self.new.add(state.last)

    def _last_roots(self, loop: Loop, state: State) -> frozenset[Variable]:
        """Return what the last value of a state may refer to, outside of its loop."""
        mine, read = set(loop.inside), self.roots[state.next]
        found = {state.last} | (read - mine)
        if any(other.inside in read for other in loop.states):
            ends = [self.roots[y] for s in loop.states for y in (s.start, s.next)]
            found = found.union(*(roots - mine for roots in ends))
            read = read.union(*(self.roots[s.next] for s in loop.states))
        for x, whole in loop.stacks:
            found |= self.roots[whole] if self.roots[x] & read else set()
        for other in loop.states:
            if self.roots[other.next] & read:
                found |= self.roots.get(other.last, {other.last})
        return frozenset(found)

    def _keep_all_steps(self, loop: Loop, state: State) -> None:
        """Make an array of T + 1 entries if the steps of a state are kept."""
        x, y = state.inside, state.next
        kept = [(a, b) for a, b in loop.stacks if a in (x, y) and b not in self.over_time]
        same = {(a.shape, a.dtype) for a in (x, y, state.start)} | {
            (b.shape[1:], b.dtype) for _, b in kept
        }
        if not kept or not x.shape or x.is_number or len(same) > 1:
            return
        owner = next((b for a, b in kept if a is y), kept[0][1])
        memory = Memory((loop.steps + 1, *x.shape), x.dtype, owner)
        self.carried[state] = memory
        for a, b in kept:
            self.over_time[b] = memory, int((a is y) != loop.reverse)
            self.roots[b] = frozenset({owner})
        self.roots[state.last] = frozenset({owner})


def reads(line: Instruction | Loop) -> list[Variable]:
    """Return what a line reads, not counting the lines of a loop: once for each time."""
    if isinstance(line, Instruction):
        return line.uses
    pairs = (*line.stacks, *line.sums)
    found = [x for x, _ in pairs] + [x for s in line.states for x in (s.start, s.next)]
    return [x for x in found for _ in range(2)] + [whole for _, whole in line.slices]
