"""The schedule of a program: the memory that every value is written into.

A loop allocates before it starts, and its steps write into the same few arrays. Memory is used
again as soon as nothing reads its value any more. A value of which all steps are kept is written
into its entry of the array over time. Nothing here is text: every backend may follow a schedule.
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

FLAT = frozenset({"matmul", "zeros", "scatter"})
"""Functions whose results are in C order, whatever the order of the arguments."""

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
    over_time : bool
        True if it holds an entry for every step of a loop.
    busy : int
        The line up to which another value may be in it, inside of one step of a loop.
    flat : bool
        True if its entries are in C order, as `np.dot` requires.
    over : Memory or None
        Memory that is dead, whose bytes this takes over.
    """

    shape: tuple[int, ...]
    dtype: Any
    owner: Variable
    over_time: bool = False
    busy: int = -1
    flat: bool = True
    over: Memory | None = None

    @property
    def key(self) -> Any:
        """The shape and dtype."""
        return self.shape, self.dtype

    @property
    def size(self) -> Any:
        """The number of entries, and the dtype."""
        return prod(self.shape), self.dtype


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a value is written: an array, its entry ``[t + step]``, or a part of that.

    Attributes
    ----------
    memory : Memory
    step : int or None
    whole : Variable or None
        The concatenation that the value is a part of.
    part : tuple of slice
        Its place there.
    """

    memory: Memory
    step: int | None = None
    whole: Variable | None = None
    part: tuple[int, int, int] = (0, 0, 0)


class Schedule:
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
    swapped : dict of State to (Memory, Memory)
        For states whose next value is written while the last one is read: the two take turns.
    new : set of Variable
        Arrays that the program makes, and views of them that may be written.
    roots : dict of Variable to set of Variable
        The values whose memory a value may refer to.
    """

    def __init__(self, program: Program):
        self.spots: dict[Variable, Spot] = {}
        self.buffers: dict[Loop, list[Memory]] = defaultdict(list)
        self.over_time: dict[Variable, tuple[Memory, int]] = {}
        self.carried: dict[State, Memory] = {}
        self.swapped: dict[State, tuple[Memory, Memory]] = {}
        self.roots: dict[Variable, frozenset[Variable]] = {}
        self.uses = Counter(x for line in walk(program.lines) for x in _reads(line))
        self.uses.update(dict.fromkeys(program.outputs, 2))
        self.memory: dict[Variable, Memory] = {}
        self.new: set[Variable] = set()
        self.inline = set(self._single(program.lines, None))
        for x in program.inputs:
            self.roots[x] = frozenset({x})
        self._find_roots(program.lines)
        _Body(self, program.lines, None, kept=program.outputs)

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
                memory = Memory(whole.shape, whole.dtype, whole, over_time=True)
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
        memory = Memory((loop.steps + 1, *x.shape), x.dtype, owner, over_time=True)
        self.carried[state] = memory
        for a, b in kept:
            self.over_time[b] = memory, int((a is y) != loop.reverse)
            self.roots[b] = frozenset({owner})
        self.roots[state.last] = frozenset({owner})


def _reads(line: Instruction | Loop) -> list[Variable]:
    """Return what a line reads, not counting the lines of a loop: once for each time."""
    if isinstance(line, Instruction):
        return line.uses
    pairs = (*line.stacks, *line.sums)
    found = [x for x, _ in pairs] + [x for s in line.states for x in (s.start, s.next)]
    return [x for x in found for _ in range(2)] + [whole for _, whole in line.slices]


class _Body:
    """The memory of the values of one list of lines: a program's, or the body of a loop."""

    def __init__(
        self,
        schedule: Schedule,
        lines: list[Any],
        loop: Loop | None,
        kept: Iterable[Variable] = (),
        outer: _Body | None = None,
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
        self._join()
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
                self._take_turns(loop, s)

    def _take_turns(self, loop: Loop, s: State) -> None:
        """Give a state one array, or two if its next value is made while the last one is read."""
        busy, made = self.last.get(s.inside, -1), self.at[s.next]
        line = self.maker[s.next]
        memory = Memory(s.next.shape, s.next.dtype, s.next, busy=busy)
        self.spots[s.next] = Spot(memory)
        if busy < made or (busy == made and self._in_place(line, s.inside)):
            self.schedule.buffers[loop].append(memory)
        else:
            memory.busy = -1
            self.schedule.swapped[s] = memory, Memory(memory.shape, memory.dtype, s.next)

    def _give_stacks(self, loop: Loop, outer: _Body | None) -> None:
        carried = [self.schedule.carried.get(state) for state in loop.states]
        for x, whole in loop.stacks:
            memory, _ = self.schedule.over_time[whole]
            if memory in carried:
                continue
            direct = self._may_write(x) and x.dtype == whole.dtype
            if outer and not outer.loop:
                memory = (direct and self._entry_by_entry(loop, x, outer)) or memory
                memory.over = memory.over or outer.find(memory)
                memory.owner, memory.over_time = whole, True
                memory.flat = memory.over is None or memory.over.flat
                self.schedule.over_time[whole] = memory, 0
            if direct and (memory.flat or self.maker[x].function != "matmul"):
                self.spots[x] = Spot(memory, 0)

    def _entry_by_entry(self, loop: Loop, x: Variable, outer: _Body) -> Memory | None:
        """Return memory over an array that dies step by step, just before x is written."""
        line, made, shape = self.maker[x], self.at[x], (loop.steps, *x.shape)
        reads = Counter(y for part in (loop, *walk(loop.body)) for y in _reads(part))
        for inside, whole in loop.slices if line.function != "concatenate" else ():
            old, read = outer.living.get(whole), self.last.get(whole, -1)
            if not old or old.key != (shape, x.dtype) or outer.last[whole] != outer.at_loop(loop):
                continue
            alone = reads[whole] == sum(whole in self.roots[y] for y in loop.uses) == 1
            if alone and (read < made or (read == made and self._in_place(line, inside, {whole}))):
                del outer.living[whole]
                return Memory(shape, x.dtype, x, busy=read, over=old)
        return None

    def at_loop(self, loop: Loop) -> int:
        """Return the position of a loop among the lines."""
        return self.lines.index(loop)

    def _join(self) -> None:
        """Let the parts of a concatenation be written into their places there."""
        for line in reversed(self.lines if self.loop else []):
            if isinstance(line, Loop) or line.function != "concatenate":
                continue
            y, axis, start = line.out, line.settings["axis"], 0
            spot = self.spots.get(y)
            parts = []
            for x in line.args:
                stop = start + x.shape[axis]
                if self._may_write(x) and x.dtype == y.dtype and line.args.count(x) == 1:
                    parts.append((x, (axis, start, stop)))
                start = stop
            if (spot and (spot.whole or spot.memory.busy >= 0)) or not parts:
                continue
            if spot is None and self._pinned(y):
                continue
            if spot is None:
                spot = self.spots[y] = Spot(Memory(y.shape, y.dtype, y))
                self.schedule.buffers[self.loop].append(spot.memory)
            for x, part in parts:
                if not self._pinned(x) and x.shape[axis]:
                    self.spots[x] = Spot(spot.memory, spot.step, y, part)

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
                    and (spot.memory.flat or self.maker[x].function != "matmul")
                ):
                    self.spots[x] = spot
                    break

    def _in_place(self, line: Instruction, x: Variable, own: Any = None) -> bool:
        """Return True if the result of a line may be written over its argument x."""
        y, mine = line.out, self.roots[x]
        others = [a for a in line.uses if a is not x]
        return (
            line.function in UFUNCS
            and x in line.uses
            and mine == (own or {x})
            and (x.shape, x.dtype) == (y.shape, y.dtype)
            and not any(self.roots[a] & mine for a in others)
        )

    def _pinned(self, x: Variable) -> bool:
        """Return True if a later step may still read x."""
        return self.last.get(x, -1) == FOREVER

    # -- values that share memory ------------------------------------------------------------------

    def _share(self) -> None:
        """Give memory to all other values, and use it again when its value is dead."""
        living = self.living
        for i, line in enumerate(self.lines):
            if isinstance(line, Loop):
                _Body(self.schedule, line.body, line, outer=self)
                if not self.loop:
                    living |= self._results(line)
            elif self._wants_memory(line):
                living[line.out] = self.schedule.memory[line.out] = self._give(line, i)
            for x in [x for x in living if self.last.get(x, self.at[x]) <= i]:
                self.free.append(living.pop(x))

    def _give(self, line: Instruction, i: int) -> Memory:
        """Return the memory of a value: of a dead argument, of another dead value, or its own."""
        y = line.out
        memory = self._over(line, i)
        own = Memory(y.shape, y.dtype, y)
        if not memory and line.function in INTO:
            old = self.find(own, flat=line.function == "matmul")
            if old:
                own.over, own.flat = old, old.flat
            memory = old if old and old.key == own.key else own if old else None
        if memory or self.loop:
            self.spots[y] = Spot(memory or own)
        if self.loop and memory in (None, own) and not own.over:
            self.schedule.buffers[self.loop].append(own)
        own.flat = own.flat and (bool(self.loop) or bool(memory) or line.function in FLAT)
        return memory or own

    def find(self, wanted: Memory, flat: bool = False) -> Memory | None:
        """Return dead memory of this size, and take it."""
        same = [m for m in self.free if m.key == wanted.key and (m.flat or not flat)]
        if not same and not self.loop:
            same = [m for m in self.free if m.size == wanted.size and m.flat]
        if same:
            self.free.remove(same[-1])
        return same[-1] if same else None

    def _wants_memory(self, line: Instruction) -> bool:
        y = line.out
        if self.loop:
            return self._may_write(y) and not self._pinned(y)
        large = bool(y.shape) and line.function in NEW and y.nbytes >= SMALL
        return large and y not in self.schedule.inline

    def _over(self, line: Instruction, i: int) -> Memory | None:
        """Return the memory of an argument that is dead after the line."""
        for x in dict.fromkeys(line.uses):
            if x in self.living and self.last[x] == i and self._in_place(line, x):
                return self.living.pop(x)
        return None

    def _results(self, loop: Loop) -> dict[Variable, Memory]:
        """Return the memory that a loop leaves behind for others."""
        own = [w for _, w in loop.stacks if self.schedule.over_time[w][0].owner is w]
        own = [w for w in own if self.schedule.over_time[w][0].shape == w.shape]
        return {w: self.schedule.over_time[w][0] for w in own}
