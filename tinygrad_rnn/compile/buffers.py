"""The memory that every value of a program is written into.

A loop allocates before it starts, and its steps write into the same few arrays. Memory is used
again as soon as nothing reads its value any more. A value of which all steps are kept is written
into its entry of the array over time. Nothing here is text: every backend may follow a schedule.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .instructions import UFUNCS, Instruction, Loop, Program, State, Variable
from .schedule import FOREVER, INTO, Memory, MemoryPlan, Spot

LASTING = 1 << 20
"""Arrays of at least this many bytes are kept from call to call: fresh ones cost page faults.

To keep smaller ones, too, was not faster in steps of training.
"""


def schedule_of(program: Program, in_order: bool = True) -> MemoryPlan:
    """Return the memory of every value of a program.

    If the lines outside of loops will not run in their order, no array of one loop is used again
    by another.
    """
    schedule = MemoryPlan(program)
    schedule.in_order = in_order
    Body(schedule, program.lines, None, kept=program.outputs)
    return schedule


class Body:
    """The memory of the values of one list of lines: a program's, or the body of a loop."""

    def __init__(
        self,
        schedule: MemoryPlan,
        lines: list[Any],
        loop: Loop | None,
        kept: Iterable[Variable] = (),
        outer: Body | None = None,
    ):
        self.schedule, self.lines, self.loop = schedule, lines, loop
        self.spots, self.roots = schedule.spots, schedule.roots
        self.at = {y: i for i, line in enumerate(lines) for y in line.results}
        self.maker = {line.out: line for line in lines if isinstance(line, Instruction)}
        self.last = self._last_reads(kept)
        self.living: dict[Variable, Memory] = {}
        self.free: list[Memory] = []
        if loop:
            self._give_states(loop)
            self._give_stacks(loop, outer)
        self._reach_back()
        self._share()

    def _last_reads(self, kept: Iterable[Variable]) -> dict[Variable, int]:
        """Return the line that reads the memory of each value for the last time."""
        when: dict[Variable, int] = {}
        last: dict[Variable, int] = {}
        for i, line in reversed(list(enumerate(self.lines))):
            y = line.results[0] if line.results else None
            now = when.get(y, i) if y in self.schedule.inline else i
            for x in line.uses:
                when.setdefault(x, now)
                for root in self.roots[x]:
                    last[root] = max(last.get(root, -1), now)
        return last | {root: FOREVER for x in kept for root in self.roots[x]}

    def _may_write(self, x: Variable) -> bool:
        """Return True if a line of this body makes x and can write it into a given array."""
        line = self.maker.get(x)
        known = line is not None and line.function in INTO and bool(x.shape)
        return known and x not in self.spots and x not in self.schedule.inline

    # -- values that have their place --------------------------------------------------------------

    def _give_states(self, loop: Loop) -> None:
        carried = self.schedule.carried
        plain = [s for s in loop.states if s not in carried]
        passed = [root for s in plain for root in self.roots[s.next]]
        for s in loop.states:
            if s in carried:
                if self._may_write(s.next):
                    self.spots[s.next] = Spot(carried[s], 0 if loop.reverse else 1)
                else:
                    self.last |= dict.fromkeys(self.roots[s.next], FOREVER)
        self.last |= dict.fromkeys(passed, FOREVER)
        for s in plain:
            same = (s.inside.shape, s.inside.dtype) == (s.next.shape, s.next.dtype)
            own = same and passed.count(s.next) == 1 and s.inside not in passed
            if own and self._may_write(s.next):
                self._give_one_array(loop, s)

    def _give_one_array(self, loop: Loop, s: State) -> None:
        """Give a state one array for all steps, if its last value is not read any more."""
        busy, made = self.last.get(s.inside, -1), self.at[s.next]
        line = self.maker[s.next]
        if busy < made or (busy == made and self._in_place(line, s.inside)):
            memory = Memory(s.next.shape, s.next.dtype, s.next, busy=busy)
            self.spots[s.next] = Spot(memory)
            self.schedule.buffers[loop].append(memory)

    def _give_stacks(self, loop: Loop, outer: Body | None) -> None:
        carried = [self.schedule.carried.get(state) for state in loop.states]
        for x, whole in loop.stacks:
            memory, _ = self.schedule.over_time[whole]
            if memory in carried:
                if outer and not outer.loop and memory not in self.schedule.lasting:
                    outer.make(memory)
                continue
            if outer and not outer.loop:
                memory = outer.find(memory) or outer.make(memory)
                self.schedule.over_time[whole] = memory, 0
            if self._may_write(x) and x.dtype == whole.dtype:
                self.spots[x] = Spot(memory, 0)

    def _reach_back(self) -> None:
        """Let a value that leads to a result be written where the result will be."""
        for line in reversed(self.lines if self.loop else []):
            if isinstance(line, Loop) or line.out not in self.spots:
                continue
            spot = self.spots[line.out]
            for x in line.uses:
                if (
                    line.function in UFUNCS
                    and self._may_write(x)
                    and self._in_place(line, x)
                    and self.last[x] == self.at[line.out]
                    and spot.memory.busy < self.at[x]
                ):
                    self.spots[x] = spot
                    break

    def _in_place(self, line: Instruction, x: Variable) -> bool:
        """Return True if the result of a line may be written over its argument x."""
        y, mine = line.out, self.roots[x]
        others = [a for a in line.uses if a is not x]
        return (
            line.function in UFUNCS
            and x in line.uses
            and mine == {x}
            and (x.shape, x.dtype) == (y.shape, y.dtype)
            and not any(self.roots[a] & mine for a in others)
        )

    def pinned(self, x: Variable) -> bool:
        """Return True if a later step may still read x."""
        return self.last.get(x, -1) == FOREVER

    # -- values that share memory ------------------------------------------------------------------

    def _share(self) -> None:
        """Give memory to all other values, and use it again when its value is dead."""
        living = self.living
        for i, line in enumerate(self.lines):
            if isinstance(line, Loop):
                Body(self.schedule, line.body, line, outer=self)
                if not self.loop:
                    living |= self._results(line)
            elif self._wants_memory(line):
                living[line.out] = self.schedule.memory[line.out] = self._give(line, i)
            for x in [x for x in living if self.last.get(x, self.at[x]) <= i]:
                self.free.append(living.pop(x))

    def _give(self, line: Instruction, i: int) -> Memory:
        """Return the memory of a value: of a dead argument, of another dead value, or its own."""
        own = Memory(line.out.shape, line.out.dtype, line.out)
        memory = self._over(line, i) or self.find(own) or self.make(own)
        self.spots[line.out] = Spot(memory)
        return memory

    def make(self, memory: Memory) -> Memory:
        """Allocate memory before the loop or, if it is large, once for this call and later ones."""
        if self.loop:
            self.schedule.buffers[self.loop].append(memory)
        elif memory.nbytes >= LASTING and not self.pinned(memory.owner):
            self.schedule.lasting.append(memory)
        return memory

    def find(self, wanted: Memory) -> Memory | None:
        """Return dead memory of this shape and dtype, and take it; outputs take none."""
        if not (self.loop or self.schedule.in_order):
            return None
        same = [m for m in self.free if m.key == wanted.key and not self.pinned(wanted.owner)]
        if same:
            self.free.remove(same[-1])
        return same[-1] if same else None

    def _wants_memory(self, line: Instruction) -> bool:
        y = line.out
        large = self.loop is not None or y.nbytes >= LASTING
        return large and self._may_write(y) and not self.pinned(y)

    def _over(self, line: Instruction, i: int) -> Memory | None:
        """Return the memory of an argument that is dead after the line."""
        for x in dict.fromkeys(line.uses):
            if x in self.living and self.last[x] == i and self._in_place(line, x):
                return self.living.pop(x)
        return None

    def _results(self, loop: Loop) -> dict[Variable, Memory]:
        """Return the memory that a loop leaves behind for others."""
        memories = {w: self.schedule.over_time[w][0] for _, w in loop.stacks}
        return {w: memory for w, memory in memories.items() if memory.shape == w.shape}
