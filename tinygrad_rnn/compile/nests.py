"""Lines as nests of loops over entries: the text of functions that Numba compiles.

NumPy passes over an array once for each call. A nest computes many lines in one pass, entry by
entry, and a value that is read only within its nest needs no array. Views cost nothing: they only
change the index to read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .entries import REDUCED, StepOf, cast, scalar, start_of
from .instructions import REDUCTIONS, Instruction, Loop, State, Variable
from .lowered import pick_entries
from .native_lines import in_groups, is_entrywise, is_view, work
from .nest_values import NestValues, Place, at

SMALL_PRODUCT = 512
"""Below this many multiply-adds, loops are faster than the start of BLAS."""

AXES = ("j", "k", "m", "p", "q", "s", "u", "v", "w")
"""The names of loop indices."""


class Nests(NestValues):
    """Writes some lines of a program as blocks of text: nests, calls of BLAS, loops over time."""

    def __init__(self, text: Any, lines: list[Any]):
        super().__init__(text, lines)
        self.blocks: list[list[str]] = []

    def write(self, lines: list[Any], kept: list[Variable], depth: int = 0) -> None:
        """Write lines. The values that `kept` show have arrays."""
        self.views |= {line.out: line for line in lines if is_view(line)}
        groups = in_groups([line for line in lines if not is_view(line)], self.source)
        stored = {self.source(x) for x in kept}
        for group in groups:
            mine = {line.out for line in group} if is_entrywise(group[0]) else set()
            stored |= {self.source(x) for line in group for x in line.uses} - mine
        for group in groups:
            line = group[0]
            if isinstance(line, Loop):
                self._loop(line, depth)
                continue
            for x in group:
                if x.out not in self.places and (x.out in stored or not is_entrywise(x)):
                    wish = f"{self.name(x.out, x.function)}_now"
                    self.places[x.out] = (self.array(wish, x.out.shape, x.out.dtype),)
            if is_entrywise(line):
                self._nest(group)
            elif line.function in REDUCTIONS:
                self._reduction(line)
            elif line.function == "matmul":
                self._product(line)
            else:
                self._join(line)

    # -- nests -------------------------------------------------------------------------------------

    def _add(self, block: list[str]) -> None:
        """Add a nest, after the arrays that it reads in another shape."""
        rows = [f"{name} = {self.whole(x)}" for x, name in self.rows.items()]
        self.blocks.append([*rows, *block])
        self.rows.clear()

    def _nest(self, lines: list[Instruction]) -> None:
        """Write a nest that computes lines of one shape, and stores some of their results."""
        stored = [line.out for line in lines if line.out in self.places]
        extents = self.extents((stored or [lines[0].out])[0])
        index = [*AXES[: len(extents)]]
        block, margin = heads(zip(index, extents, strict=True))
        for line in lines:
            y, name = line.out, self.name(line.out, line.function)
            note = f"  # {y.note}" if y.note and len(y.note) < 60 else ""
            block.append(f"{margin}{name} = {self._value(line, index)}{note}")
            if y in self.places:
                block.append(f"{margin}{at(self.places[y], index)} = {name}")
            self.local.add(y)
        self.local.clear()
        self._add(block)

    def _value(self, line: Instruction, index: list[str]) -> str:
        """Return the expression for the entry of an elementwise line at `index`."""
        zero = cast("0", int, line.out.dtype)
        if line.function == "zeros":
            return zero
        if line.function != "call":
            return scalar(line, [self.entry(x, index) for x in line.args])
        a, classes = line.args
        if line.settings["function"] is pick_entries:  # in bounds, whatever the class is
            last = f"min(max({self.entry(classes, index)}, 0), {self.extents(a)[-1]} - 1)"
            return self.entry(a, [*index, last])
        *row, i = index
        return f"{self.entry(a, row)} if {i} == {self.entry(classes, row)} else {zero}"

    def assign(
        self, x: Variable, to: Place, sign: str = "=", shift: tuple[int, int] = (0, 0)
    ) -> None:
        """Write a copy of a value to a place, or add it to what is there.

        `shift` is an axis of the place, and the entry along it where the value starts.
        """
        index = [*AXES[: len(x.shape)]]
        block, margin = heads(zip(index, self.extents(x), strict=True))
        entry, (axis, start) = self.entry(x, index), shift
        if start:
            index[axis] += f" + {start}"
        self._add([*block, f"{margin}{at(to, index)} {sign} {entry}"])

    def _accumulate(self, to: str, outer: Any, inner: Any, first: str, step: str) -> None:
        """Write a reduction: a loop over its entries and, in it, one over what each adds up."""
        block, margin = heads(outer)
        more, deep = heads(inner, margin)
        block += [f"{margin}entry = {first}", *more, f"{deep}entry = {step}"]
        self._add([*block, f"{margin}{to} = entry"])

    def _reduction(self, line: Instruction) -> None:
        (x,), y, s = line.args, line.out, line.settings
        index, axes = [*AXES[: len(x.shape)]], s["axis"]
        loops = list(zip(index, self.extents(x), strict=True))
        inner = [loops[axis] for axis in axes]
        outer = [loops[axis] for axis in range(len(loops)) if axis not in axes]
        kept = [i if (i, n) in outer else "0" for i, n in loops]
        to = at(self.places[y], kept if s["keepdims"] else [i for i, _ in outer])
        step = REDUCED[line.function][1].format("entry", self.entry(x, index))
        self._accumulate(to, outer, inner, start_of(line.function, y.dtype), step)

    def _product(self, line: Instruction) -> None:
        """Write a matrix product as loops, or by BLAS."""
        (a, b), y = line.args, line.out
        if len(a.shape) > 1 and len(b.shape) == 2 and work(line) >= SMALL_PRODUCT:
            first, second, out = self.in_order(a), self.in_order(b), self.whole(y)
            if len(a.shape) > 2:
                first += f".reshape((-1, {self.extents(a)[-1]}))"
                out += f".reshape((-1, {self.extents(y)[-1]}))"
            self.blocks.append([f"np.dot({first}, {second}, {out})"])
            return
        index, k = [*AXES[: len(y.shape)]], AXES[len(y.shape)]
        rows, columns = (index[:-1], index[-1:]) if len(b.shape) > 1 else (index, [])
        stack = rows[: len(b.shape) - 2] if len(b.shape) > 2 else []
        terms = f"{self.entry(a, [*rows, k])} * {self.entry(b, [*stack, k, *columns])}"
        outer, inner = zip(index, self.extents(y), strict=True), [(k, self.extents(a)[-1])]
        zero = cast("0", int, y.dtype)
        self._accumulate(at(self.places[y], index), outer, inner, zero, f"entry + {terms}")

    def _join(self, line: Instruction) -> None:
        """Write the parts of a concatenation to their places in it."""
        start, axis = 0, line.settings["axis"] % len(line.out.shape)
        for x in line.args:
            self.assign(x, self.places[line.out], "=", (axis, start))
            start += x.shape[axis]

    # -- loops over time ---------------------------------------------------------------------------

    def _loop(self, loop: Loop, depth: int) -> None:
        """Write a loop over time that is in `depth` others."""
        t = f"t{depth + 1}" if depth else "t"
        n = "T" if self.text.steps else str(loop.steps)
        wanted = [*self._states(loop, t, n), *self._stacks(loop, t)]
        outer, self.blocks = self.blocks, []
        for inside, whole in loop.slices:
            self.views[inside] = Instruction("index", (whole,), {"index": StepOf(t)}, inside)
        makers = {line.out: line for line in loop.body if isinstance(line, Instruction)}
        later = [(x, self.places[total], "+=") for x, total in loop.sums]
        for x, to in wanted:
            if x in self.places or x not in makers or is_view(makers[x]):
                later.append((x, to, "="))
            else:
                self.places[x] = to
        self.write(loop.body, [x for x, _, _ in later], depth + 1)
        for x, to, sign in later:
            self.assign(x, to, sign)
        head = f"for {t} in range({f'{n} - 1, -1, -1' if loop.reverse else n}):"
        lines = self.text.joined(self.blocks, self) or ["pass"]
        self.blocks = [*outer, [head, *(f"    {line}" for line in lines)]]

    def _states(self, loop: Loop, t: str, n: str) -> list[tuple[Variable, Place]]:
        """Give the states their places and first values, and return where the next ones belong."""
        first, last = (n, "0") if loop.reverse else ("0", n)
        before, after = (f"{t} + 1", t) if loop.reverse else (t, f"{t} + 1")
        found = []
        for state in loop.states:
            place = self._places_of(state)
            self.assign(state.start, place(first))
            self.places[state.inside], self.places[state.last] = place(before), place(last)
            found.append((state.next, place(after)))
        return found

    def _places_of(self, state: State) -> Any:
        """Return a function from the number of a step to a place: one of all steps, or of two."""
        memory, x = self.text.schedule.carried.get(state), state.inside
        if memory:
            array = self.memory(memory)
            return lambda step: (array, step)
        array = self.array(f"{state.next.name or x.name or 'h'}_pair", (2, *x.shape), x.dtype)
        return lambda step: (array, f"{step} % 2" if step.isalnum() else f"({step}) % 2")

    def _stacks(self, loop: Loop, t: str) -> list[tuple[Variable, Place]]:
        """Make the arrays that a loop keeps, and return where the steps of values belong."""
        carried = [self.text.schedule.carried.get(state) for state in loop.states]
        found = []
        for x, whole in loop.stacks:
            memory, step = self.text.schedule.over_time[whole]
            array = self.memory(memory)
            if memory in carried:
                base = Variable("", memory.shape, memory.dtype)
                self.places[base] = (array,)
                part = slice(1, None) if step else slice(None, -1)
                self.views[whole] = Instruction("index", (base,), {"index": (part,)}, whole)
            else:
                self.places[whole] = (array,)
                found.append((x, (array, t)))
        for _, total in loop.sums:
            array = self.array(self.names.of[total], total.shape, total.dtype)
            self.places[total] = (array,)
            self.blocks.append([f"{array}[...] = 0"])
        return found


def heads(loops: Iterable[tuple[str, str]], margin: str = "") -> tuple[list[str], str]:
    """Return the first lines of loops over entries, and the margin of the lines inside.

    `loops` are pairs of an index and a length.
    """
    lines = []
    for i, n in loops:
        lines.append(f"{margin}for {i} in range({n}):")
        margin += "    "
    return lines, margin
