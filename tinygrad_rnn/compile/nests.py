"""Lines as nests of loops over entries: the text of functions that Numba compiles.

NumPy passes over an array once for each call. A nest computes many lines in one pass, entry by
entry, and a value that is read only within its nest needs no array. Views cost nothing: they only
change the index to read.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from .entries import REDUCED, aligned, cast, indexed, inner_index, scalar, start_of
from .formulas import Text, expression, literal
from .instructions import REDUCTIONS, Instruction, Loop, State, Variable, walk
from .lowered import pick_entries
from .names import WORDS
from .native_lines import in_groups, is_entrywise, is_view, work
from .schedule import Memory

if TYPE_CHECKING:
    from .numba_text import NumbaText

SMALL_PRODUCT = 512
"""Below this many multiply-adds, loops are faster than the start of BLAS."""

AXES = ("i", "j", "k", "l", "m", "n", "p", "q", "u")
"""The names of loop indices, if nothing else has them."""

Block = Any
"""A nest as a list of lines, or a loop over time as its first line and a list of blocks."""

Place = tuple[str, ...]
"""Where a value is: the name of an array, and an index of its first axes."""


class Step(str):
    """The name of a number of a step, as an entry of an index."""

    __slots__ = ()
    __repr__ = str.__str__


class Nests:
    """Writes some lines of a program as blocks of text.

    Attributes
    ----------
    blocks : list of Block
    given : dict of Variable to str
        For each value from outside: the name that the text calls it.
    new : dict of str to (shape, dtype)
        The arrays that the text writes into and that do not exist yet.
    sizes : dict of int to str
        The names of lengths: another length needs no other text.
    memories : dict of Memory to str
        The names of arrays that are kept over time.
    places : dict of Variable to Place
        For each value that has an array.
    views : dict of Variable to Instruction
    """

    def __init__(self, text: NumbaText, lines: list[Any]):
        self.text = text
        parts = [line for line in walk(lines) if isinstance(line, Loop)]
        self.made = {x for part in parts for x in part.inside}
        self.made |= {y for line in lines for y in line.results}
        names = text.names.of
        self.taken = text.names._taken - {names.get(x) for x in self.made}
        self.taken |= {name for x, name in names.items() if x not in self.made}
        self.memories = text.memories
        self.blocks: list[Block] = []
        self.given: dict[Variable, str] = {}
        self.new: dict[str, tuple[tuple[int, ...], Any]] = {}
        self.sizes: dict[int, str] = {}
        self.places: dict[Variable, Place] = {}
        known = (x for x in text.program.lines if is_view(x) and x.args[0] in text.refs)
        self.views = {line.out: line for line in known if line.function == "index"}
        self._names: dict[Variable, str] = {}
        self._words: dict[str, str] = {}
        self._local: set[Variable] = set()
        self._rows: dict[Variable, str] = {}

    # -- names -------------------------------------------------------------------------------------

    def name(self, x: Variable, function: str = "x") -> str:
        """Return the name of a value."""
        if x not in self._names:
            known = self.text.names.of.get(x) if x.name or function == "x" else None
            self._names[x] = self._unique(known or WORDS.get(function, function))
        return self._names[x]

    def _unique(self, wish: str) -> str:
        name, n = wish, 1
        while name in self.taken:
            n += 1
            name = f"{wish}_{n}" if wish[-1].isdigit() else f"{wish}{n}"
        self.taken.add(name)
        return name

    def word(self, wish: str) -> str:
        """Return the one name that stands for a word, such as the index `i`."""
        if wish not in self._words:
            self._words[wish] = self._unique(wish)
        return self._words[wish]

    def index(self, count: int) -> list[str]:
        """Return the names of as many loop indices."""
        return [self.word(i) for i in AXES[:count]]

    def array(self, wish: str, shape: tuple[int, ...], dtype: Any) -> str:
        """Return the name of a new array."""
        name = self._unique(wish)
        self.text.names._taken.add(name)
        self.new[name] = shape, dtype
        return name

    def size(self, n: Any) -> str:
        """Return the text of a length."""
        if n in (0, 1):
            return str(n)
        if self.text.steps and n in (self.text.steps, self.text.steps + 1):
            return "T" if n == self.text.steps else "(T + 1)"
        if n not in self.sizes:
            self.sizes[n] = self._unique(f"n{len(self.sizes) + 1}")
        return self.sizes[n]

    def _number(self, x: Any) -> str:
        """Return a literal number; one that may depend on a length is an argument."""
        if isinstance(x, bool) or (not 2 < abs(x) < 1 << 62 and len(repr(x)) < 6):
            return literal(x)
        return self.size(x) if x > 0 else literal(x)

    # -- values ------------------------------------------------------------------------------------

    def source(self, x: Any) -> Any:
        """Return the value that a view shows, also a view of an array over time."""
        while x in self.views and x not in self.places:
            x = self.views[x].args[0]
        return x

    def _outside(self, x: Variable) -> str:
        """Return the name of a value from outside."""
        if x not in self.given:
            ref = self.text.refs[x]
            self.given[x] = str(ref) if ref.isidentifier() else self.name(x)
        return self.given[x]

    def entry(self, x: Any, index: list[str]) -> str:
        """Return the text of the entry of a value that is broadcast to `index`."""
        if not isinstance(x, Variable):
            return self._number(x)
        if x in self._local:
            return self.name(x)
        index = aligned(x.shape, index)
        if x in self.places:
            return at(self.places[x], index)
        if x in self.views:
            inner = inner_index(self.views[x], index)
            if inner is None:
                self._rows.setdefault(x, self.name(x, "rows"))
                return at((self._rows[x],), index)
            return self.entry(self.views[x].args[0], inner)
        return self._outside(x) if x.is_number else at((self._outside(x),), index)

    def whole(self, x: Variable) -> str:
        """Return the text of the whole array of a value."""
        if x in self.places:
            return at(self.places[x])
        if x not in self.made:
            return self._outside(x)
        view = self.views[x]
        inner = self.whole(view.args[0])
        if view.function == "reshape":
            return f"{self._in_order(view.args[0])}.reshape(({self.shape(x.shape)}))"
        if view.function == "transpose":
            return f"{inner}.transpose({literal(view.settings['axes'])})"
        return str(expression(view, [Text(inner)], self.text.helpers))

    def _in_order(self, x: Variable) -> str:
        """Return the text of the whole array of a value in C order."""
        text = self.whole(x)
        return text if x in self.places or x not in self.made else f"np.ascontiguousarray({text})"

    def shape(self, shape: tuple[int, ...]) -> str:
        """Return the text between the brackets of a shape."""
        return "".join(f"{self.size(n)}, " for n in shape).strip()

    def extents(self, x: Variable) -> list[str]:
        """Return the texts of the lengths of all axes: of the array, if there is one."""
        place, view = self.places.get(x), self.views.get(x)
        if place is None and view and isinstance(view.settings.get("index"), Step):
            return self.extents(view.args[0])[1:]
        if place is None and (x in self.made or view):
            return [self.size(n) for n in x.shape]
        array, *prefix = place or (self._outside(x),)
        return [f"{array}.shape[{len(prefix) + axis}]" for axis in range(len(x.shape))]

    # -- lines -------------------------------------------------------------------------------------

    def write(self, lines: list[Any], kept: list[Variable], depth: int = 0) -> None:
        """Write lines. The values that `kept` show have arrays."""
        self.views |= {line.out: line for line in lines if is_view(line)}
        groups = in_groups([line for line in lines if not is_view(line)], self.source)
        stored = {self.source(x) for x in kept}
        for group in groups:
            mine = {line.out for line in group} if is_entrywise(group[0]) else set()
            stored |= {self.source(x) for line in group for x in line.uses} - mine
        for line in (line for group in groups for line in group if isinstance(line, Instruction)):
            if line.out not in self.places and (line.out in stored or not is_entrywise(line)):
                wish = f"{self.name(line.out, line.function)}_now"
                self.places[line.out] = (self.array(wish, line.out.shape, line.out.dtype),)
        for group in groups:
            line = group[0]
            if isinstance(line, Loop):
                self.loop(line, depth)
            elif is_entrywise(line):
                self._nest(group)
            elif line.function in REDUCTIONS:
                self._reduction(line)
            else:
                {"matmul": self._product, "concatenate": self._join, "scatter": self._scatter}[
                    line.function
                ](line)

    def _nest(self, lines: list[Instruction]) -> None:
        """Write a nest that computes lines of one shape, and stores some of their results."""
        stored = [line.out for line in lines if line.out in self.places]
        extents = self.extents((stored or [lines[0].out])[0])
        index = self.index(len(extents))
        block, margin = heads(index, extents)
        for line in lines:
            y = line.out
            name = self.name(y, line.function)
            note = f"  # {y.note}" if y.note and len(y.note) < 60 else ""
            block.append(f"{margin}{name} = {self._value(line, index)}{note}")
            self._local.add(y)
            if y in self.places:
                block.append(f"{margin}{at(self.places[y], index)} = {name}")
        self._local.clear()
        self._add(block)

    def _add(self, block: list[str]) -> None:
        """Add a nest, after the arrays that it reads in another shape."""
        rows = [f"{name} = {self.whole(x)}" for x, name in self._rows.items()]
        self.blocks.append([*rows, *block])
        self._rows.clear()

    def _value(self, line: Instruction, index: list[str]) -> str:
        """Return the expression for the entry of an elementwise line at `index`."""
        zero = cast("0", int, line.out.dtype)
        if line.function == "zeros":
            return zero
        if line.function != "call":
            return scalar(line, [self.entry(x, index) for x in line.args])
        a, at = line.args
        if line.settings["function"] is pick_entries:  # in bounds, whatever the index is
            last = f"min(max({self.entry(at, index)}, 0), {self.extents(a)[-1]} - 1)"
            return self.entry(a, [*index, last])
        *row, i = index
        return f"{self.entry(a, row)} if {i} == {self.entry(at, row)} else {zero}"

    def assign(self, x: Variable, to: Place, index: Any = None, sign: str = "=") -> None:
        """Write a copy of a value to a place, or to a part of it, or add it to what is there.

        `index` returns the index into the place from that of an entry of the value.
        """
        axes = self.index(len(x.shape))
        block, margin = heads(axes, self.extents(x))
        target = at(to, index(axes) if index else axes)
        self._add([*block, f"{margin}{target} {sign} {self.entry(x, axes)}"])

    def _accumulate(self, to: str, outer: Any, inner: Any, first: str, step: str) -> None:
        """Write a reduction: a loop over its entries and, in it, one over what each adds up."""
        block, margin = heads(*outer)
        more, deep = heads(*inner, margin)
        total = self.word("entry")
        block += [f"{margin}{total} = {first}", *more, f"{deep}{total} = {step}"]
        self._add([*block, f"{margin}{to} = {total}"])

    def _reduction(self, line: Instruction) -> None:
        (x,), y, axes = line.args, line.out, line.settings["axis"]
        index, extents = self.index(len(x.shape)), self.extents(x)
        kept = [axis for axis in range(len(x.shape)) if axis not in axes]
        outer, inner = ([[z[axis] for axis in some] for z in (index, extents)] for some in (kept, axes))
        keep = line.settings["keepdims"]
        to = [i if axis in kept else "0" for axis, i in enumerate(index) if keep or axis in kept]
        step = REDUCED[line.function][1].format(self.word("entry"), self.entry(x, index))
        first = start_of(line.function, y.dtype)
        self._accumulate(at(self.places[y], to), outer, inner, first, step)

    def _product(self, line: Instruction) -> None:
        """Write a matrix product as loops, or by BLAS."""
        a, b = line.args
        y, columns = line.out, len(b.shape) > 1
        if len(a.shape) > 1 and len(b.shape) == 2 and work(line) >= SMALL_PRODUCT:
            self.blocks.append([self._blas(a, b, y)])
            return
        *index, k = self.index(len(y.shape) + 1)
        rows = index[:-1] if columns else index
        stack = rows[:-1] if len(a.shape) > 1 else rows
        second = [*stack, k, index[-1]] if columns else [k]
        terms = f"{self.entry(a, [*rows, k])} * {self.entry(b, second)}"
        outer, inner = (index, self.extents(y)), ([k], self.extents(a)[-1:])
        step = f"{self.word('entry')} + {terms}"
        self._accumulate(at(self.places[y], index), outer, inner, cast("0", int, y.dtype), step)

    def _blas(self, a: Variable, b: Variable, y: Variable) -> str:
        args, out = [], self.whole(y)
        for x in (a, b):
            view = self.views.get(x)
            if x in self.made and view and view.function == "transpose" and len(x.shape) == 2:
                args.append(f"{self._in_order(view.args[0])}.T")
            else:
                args.append(self._in_order(x))
        if len(a.shape) > 2:
            shapes = [self.shape((prod(x.shape[:-1]), x.shape[-1])) for x in (a, y)]
            args[0], out = f"{args[0]}.reshape(({shapes[0]}))", f"{out}.reshape(({shapes[1]}))"
        return f"np.dot({args[0]}, {args[1]}, {out})"

    def _join(self, line: Instruction) -> None:
        start, axis = 0, line.settings["axis"] % len(line.out.shape)
        for x in line.args:
            part = (*[slice(None)] * axis, slice(start, start + x.shape[axis]))
            self._assign_part(x, line.out, part)
            start += x.shape[axis]

    def _scatter(self, line: Instruction) -> None:
        self.blocks.append([f"{at(self.places[line.out])}[...] = 0"])
        for x, part in zip(line.args, line.settings["indices"], strict=True):
            self._assign_part(x, line.out, part, "+=")

    def _assign_part(self, x: Variable, y: Variable, part: Any, sign: str = "=") -> None:
        self.assign(x, self.places[y], lambda index: indexed(part, y.shape, index), sign)

    # -- loops over time ---------------------------------------------------------------------------

    def loop(self, loop: Loop, depth: int) -> None:
        """Write a loop over time, `depth` loops deep."""
        t = f"t{depth + 1}" if depth else "t"
        wanted = [*self._states(loop, t), *self._stacks(loop, t)]
        outer, self.blocks = self.blocks, []
        for inside, whole in loop.slices:
            self.views[inside] = Instruction("index", (whole,), {"index": Step(t)}, inside)
        made = {y: line for line in loop.body for y in line.results if isinstance(line, Instruction)}
        later = []
        for x, to in wanted:
            if x in self.places or x not in made or is_view(made[x]):
                later.append((x, to, "="))
            else:
                self.places[x] = to
        for x, total in loop.sums:
            later.append((x, self.places[total], "+="))
        self.write(loop.body, [x for x, _, _ in later], depth + 1)
        for x, to, sign in later:
            self.assign(x, to, sign=sign)
        n = self._steps(loop)
        head = f"for {t} in range({f'{n} - 1, -1, -1' if loop.reverse else n}):"
        self.blocks = [*outer, (head, self.blocks)]

    def _steps(self, loop: Loop) -> str:
        return "T" if self.text.steps else str(loop.steps)

    def _states(self, loop: Loop, t: str) -> list[tuple[Variable, Place]]:
        """Give each state an array for all steps, or one for two; return where `next` belongs."""
        n, later = self._steps(loop), f"{t} + 1"
        before, after = (later, t) if loop.reverse else (t, later)
        first, last = (n, "0") if loop.reverse else ("0", n)
        found = []
        for state in loop.states:
            slot = self._slots(state)
            self.assign(state.start, slot(first))
            self.places[state.inside], self.places[state.last] = slot(before), slot(last)
            found.append((state.next, slot(after)))
        return found

    def _slots(self, state: State) -> Any:
        """Return the function that gives the place of a state, by the number of a step."""
        memory, x = self.text.schedule.carried.get(state), state.inside
        if memory:
            array = self.memory(memory)
            return lambda step: (array, step)
        array = self.array(f"{state.next.name or x.name or 'h'}_pair", (2, *x.shape), x.dtype)
        return lambda step: (array, f"{step} % 2" if step.isalnum() else f"({step}) % 2")

    def _stacks(self, loop: Loop, t: str) -> list[tuple[Variable, Place]]:
        """Make the arrays that a loop keeps, and return where each step of them belongs."""
        carried = [self.text.schedule.carried.get(state) for state in loop.states]
        found = []
        for x, whole in loop.stacks:
            memory, step = self.text.schedule.over_time[whole]
            array = self.memory(memory)
            if memory in carried:
                base = Variable("", memory.shape, memory.dtype)
                part = {"index": (slice(1, None) if step else slice(None, -1),)}
                self.places[base] = (array,)
                self.views[whole] = Instruction("index", (base,), part, whole)
            else:
                self.places[whole] = (array,)
                found.append((x, (array, t)))
        for _, total in loop.sums:
            array = self.array(self.text.names.of[total], total.shape, total.dtype)
            self.places[total] = (array,)
            self.blocks.append([f"{array}[...] = 0"])
        return found

    def memory(self, memory: Memory) -> str:
        """Return the name of an array that may exist already."""
        known = self.memories
        if memory not in known:
            wish = self.text.names.of[memory.owner]
            known[memory] = self.array(wish, memory.shape, memory.dtype)
        return known[memory]


def at(place: Place, index: list[str] | None = None) -> str:
    """Return the text of a place, or of one entry of the value in it."""
    array, *prefix = place
    if index is None and not prefix:
        return array
    return f"{array}[{', '.join((*prefix, *(index or ()))) or '()'}]"


def heads(index: Any, extents: Any, margin: str = "") -> tuple[list[str], str]:
    """Return the first lines of loops over entries, and the margin of the lines inside."""
    lines = []
    for i, n in zip(index, extents, strict=True):
        lines.append(f"{margin}for {i} in range({n}):")
        margin += "    "
    return lines, margin
