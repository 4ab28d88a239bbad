"""The body of a loop as nests of loops over entries.

NumPy passes over an array once for each call. A nest computes many lines in one pass, entry by
entry, and a value that is read only within its nest needs no array. Views cost nothing: they only
change the index to read. What nests cannot express stays a line of NumPy between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from keyword import iskeyword
from math import prod
from typing import Any
from unicodedata import normalize

import numpy as np

from .entries import DTYPES, REDUCED, aligned, cast, computed_in, indexed, inner_index, scalar
from .formulas import Text, expression, literal
from .instructions import REDUCTIONS, VIEWS, Instruction, Loop, Variable
from .lowered import pick_entries, put_entries
from .names import WORDS
from .schedule import INTO

AXES = ("i", "j", "k", "l", "m", "n", "p", "q", "u")
"""The wishes for the names of loop indices."""

SMALL_PRODUCT = 512
"""Below this many multiply-adds, loops are faster than the start of BLAS."""


@dataclass(frozen=True)
class NestPlace:
    """The place of a value: an array at an index of its first axes, or a part of that.

    Attributes
    ----------
    array : str
    prefix : tuple of str
    axis, start : int
        The axis of the value along which it is a part, and where the part starts.
    """

    array: str
    prefix: tuple[str, ...] = ()
    axis: int = -1
    start: int = 0


@dataclass(frozen=True)
class Slice:
    """The source of the value that a loop takes from an array over time: ``whole[time]``."""

    whole: Variable
    time: str


@dataclass
class NestStep:
    """Some lines of a body.

    Attributes
    ----------
    native : bool
        True if Numba compiles the lines.
    lines : list of str
    used : dict of str to None
        The arrays and numbers that the lines read or write, in order.
    """

    native: bool
    lines: list[str] = field(default_factory=list)
    used: dict[str, None] = field(default_factory=dict)


class NestNames:
    """The names of the values of one loop, with those of the loops in it; and their places.

    Attributes
    ----------
    fresh : callable
        Returns a name, like its argument, that nothing in the program has.
    blocked : set of str
        NestNames that a value must not have.
    steps : int or None
        The length that the text calls T.
    refs : dict of Variable to str
        What the program calls the values from outside of the loop.
    sizes : dict of int to str
        The names of lengths.
    places : dict of Variable to NestPlace
        For values that have an array.
    makers : dict of Variable to Instruction, Loop or Slice
        What makes each value of the loop.
    outside : dict of Variable to Instruction
        Views that are made before the loop, of which the loop reads the entries itself.
    given : dict of Variable to str
        For values from outside of the loop: the name that the loop calls them.
    new : list of (str, tuple, dtype)
        The arrays that are allocated before the loop.
    """

    def __init__(self, fresh: Any, blocked: set[str], steps: int | None, refs: Any):
        self.fresh, self.blocked, self.steps, self.refs = fresh, blocked, steps, refs
        self.sizes: dict[int, str] = {}
        self.places: dict[Variable, NestPlace] = {}
        self.makers: dict[Variable, Any] = {}
        self.outside: dict[Variable, Instruction] = {}
        self.given: dict[Variable, str] = {}
        self.new: list[tuple[str, tuple[int, ...], Any]] = []
        self._of: dict[Any, str] = {}
        self._letters: list[str] = []
        self._total = ""

    def name(self, x: Variable) -> str:
        """Return the name of a value: that of a number within a nest."""
        if x not in self._of:
            maker = self.makers.get(x)
            word = maker.function if isinstance(maker, Instruction) else "x"
            self._of[x] = self._local(x.name or WORDS.get(word, word))
        return self._of[x]

    def _local(self, wish: str) -> str:
        wish = "".join(c if f"x{c}".isidentifier() else "_" for c in normalize("NFKC", wish))
        wish = re.sub("_+", "_", wish).strip("_") or "x"
        wish = f"x{wish}" if wish[0].isdigit() else f"{wish}_" if iskeyword(wish) else wish
        name, n = wish, 1
        while name in self.blocked:
            n += 1
            name = f"{wish}_{n}" if wish[-1].isdigit() else f"{wish}{n}"
        self.blocked.add(name)
        return name

    def number(self, x: Any) -> str:
        """Return a literal number; one that may depend on a length is an argument."""
        if isinstance(x, bool) or (not 2 < abs(x) < 1 << 62 and len(repr(x)) < 6):
            return literal(x)
        return self.size(x) if x > 0 else literal(x)

    def size(self, n: Any) -> str:
        """Return the name of a length, so that another length needs no other function."""
        if n in (0, 1):
            return str(n)
        if self.steps and n in (self.steps, self.steps + 1):
            return "T" if n == self.steps else "(T + 1)"
        if n not in self.sizes:
            self.sizes[n] = self._local(f"n{len(self.sizes) + 1}")
        return self.sizes[n]

    def total(self) -> str:
        """Return the name of the number in which a sum grows."""
        self._total = self._total or self._local("entry")
        return self._total

    def index(self, count: int) -> list[str]:
        """Return the names of as many loop indices."""
        while len(self._letters) < count:
            self._letters.append(self._local(AXES[len(self._letters)]))
        return self._letters[:count]

    def array(self, wish: str, shape: tuple[int, ...], dtype: Any) -> str:
        """Return the name of a new array."""
        name = self.fresh(wish, everywhere=True)
        while name in self.blocked:
            name = self.fresh(wish, everywhere=True)
        self.blocked.add(name)
        self.new.append((name, shape, dtype))
        return name


def groups(lines: list[Any], source: Any, kept: set[Variable]) -> list[list[Any]]:
    """Return the lines in an order in which many share a nest; other lines are groups of one.

    `source` returns the value that a view shows. `kept` are values that are stored in any case.
    """
    level: dict[Any, int] = {}
    maker = {y: line for line in lines for y in line.results}
    entrywise = {y for y, line in maker.items() if is_entrywise(line)}
    effect = 0
    for line in lines:
        y: Any = line.results[0] if line.results else None
        found = 0
        for use in line.uses:
            base = source(use)
            if base in level:
                beside = base not in entrywise or (
                    y in entrywise and use is base and use.shape == y.shape
                )
                found = max(found, level[base] + (not beside))
        if line.has_effect:
            effect = found = max(found, effect)
        level |= dict.fromkeys((line, *line.results), found)
    _sink(lines, level, entrywise, source, kept)
    return _in_order(lines, level, entrywise)


def _sink(
    lines: list[Any], level: dict[Any, int], entrywise: set[Variable], source: Any, kept: Any
) -> None:
    """Let a line be computed where it is read, if that needs no array that is not there anyway."""
    users: dict[Variable, list[Any]] = {}
    for line in lines:
        for use in line.uses:
            users.setdefault(source(use), []).append((line, use))
    for line in reversed(lines):
        y = line.results[0] if line.results else None
        if y not in entrywise or y in kept or y not in users:
            continue
        direct = all(
            use is y and is_entrywise(user) and user.out.shape == y.shape for user, use in users[y]
        )
        target = min(level[user.out] for user, _ in users[y]) if direct else level[y]
        free = all(
            base not in entrywise or base in kept or level[base] >= target
            for base in map(source, line.uses)
        )
        if free:
            level[y] = level[line] = max(target, level[y])


def _numbers_first(lines: list[Any]) -> list[Any]:
    """Return the lines with those first that only compute Python numbers from others."""
    made = {y for line in lines for y in line.results}
    early: set[Variable] = set()
    for line in lines:
        if isinstance(line, Instruction) and all(x.is_number for x in (line.out, *line.uses)):
            early |= {line.out} if made.isdisjoint(set(line.uses) - early) else set()
    return sorted(lines, key=lambda line: not (line.results and line.results[0] in early))


def _in_order(lines: list[Any], level: dict[Any, int], entrywise: set[Variable]) -> list[list[Any]]:
    found: dict[int, list[list[Any]]] = {}
    nests: dict[Any, list[Any]] = {}
    for line in _numbers_first(lines):
        here = found.setdefault(level[line], [])
        if not line.results or line.results[0] not in entrywise:
            here.append([line])
        else:
            nests.setdefault((level[line], line.out.shape), []).append(line)
    for (at, _), nest in nests.items():
        found[at].append(nest)
    return [group for at in sorted(found) for group in found[at]]


def is_entrywise(line: Any) -> bool:
    """Return True if a nest can compute the line entry by entry."""
    return isinstance(line, Instruction) and computed_in(line) is not None


def is_view(line: Any) -> bool:
    """Return True if a line only shows entries of an array at other indices."""
    made = isinstance(line, Instruction) and line.function in VIEWS
    if not made or not isinstance(line.args[0], Variable) or line.args[0].is_number:
        return False
    return max(len(line.out.shape), len(line.args[0].shape)) <= 8


def is_plain(index: Any) -> bool:
    """Return True for an index, or a list of some, of integers, slices, None and dots."""
    if isinstance(index, tuple | list):
        return all(map(is_plain, index))
    return index is None or index is Ellipsis or isinstance(index, int | np.integer | slice)


def is_native(line: Any) -> bool:
    """Return True if Numba can compile a line."""
    if isinstance(line, Loop):
        return True
    known = all(x.dtype in DTYPES and not x.is_number for x in (line.out, *line.uses))
    known = known and all(len(x.shape) <= 8 for x in (line.out, *line.uses))
    if line.function == "call" and line.settings["function"] in (pick_entries, put_entries):
        return known and line.args[1].dtype.kind == "i" and line.args[0].dtype == line.out.dtype
    if line.function in REDUCTIONS:
        full = line.function not in ("max", "min") or 0 not in line.args[0].shape
        logical = line.function in ("any", "all")
        alike = not line.uses or logical == (line.out.dtype == line.args[0].dtype == np.bool_)
        return known and bool(line.uses) and full and alike
    if line.function == "scatter":
        indices, whole = line.settings["indices"], np.broadcast_to(0, line.out.shape)
        alike = is_plain(indices) and all(
            isinstance(x, Variable) and whole[at].shape == x.shape
            for x, at in zip(line.args, indices, strict=True)
        )
        return known and alike and line.out.dtype != np.bool_
    if line.function in ("matmul", "concatenate", "zeros"):
        return known and all(isinstance(x, Variable) for x in line.args)
    return (is_view(line) and known) or is_entrywise(line)


def work(line: Any) -> int:
    """Return the number of multiply-adds of the matrix products of a line, or of a step."""
    if isinstance(line, Loop):
        return sum(work(x) * (x.steps if isinstance(x, Loop) else 1) for x in line.body)
    product = line.function == "matmul"
    return prod((*line.out.shape, line.args[0].shape[-1])) if product else 0


class NestBody:
    """Writes the steps of one loop's body.

    Attributes
    ----------
    names : NestNames
    steps : list of NestStep
    """

    def __init__(
        self, names: NestNames, loop: Loop, times: tuple[str, ...], helpers: Any, outputs: Any = ()
    ):
        self.names, self.loop, self.times, self.helpers = names, loop, times, helpers
        self.outputs = set(outputs)
        self.steps: list[NestStep] = []
        self.local: set[Variable] = set()
        for inside, whole in loop.slices:
            names.makers[inside] = Slice(whole, times[-1])
        for line in loop.body:
            names.makers |= dict.fromkeys(line.results, line)
        for x in loop.inside:
            if x.name:
                names.name(x)
        self.lines = [line for line in loop.body if not is_view(line)]
        self.made = {y: line for line in self.lines for y in line.results}
        ends = [x for x, _ in loop.stacks] + [s.next for s in loop.states] + [*outputs]
        ends += [x for x, _ in loop.sums if not is_entrywise(self.made.get(x))]
        others = [x for line in self.lines if not is_entrywise(line) for x in line.uses]
        self.kept = set(map(self.source, (*ends, *others)))
        self.groups = groups(self.lines, self.source, self.kept)

    def source(self, x: Any) -> Any:
        """Return the value that a view shows, also a view of an array over time."""
        maker = self.names.makers.get(x)
        while isinstance(maker, Slice) or (maker and is_view(maker)):
            x = maker.whole if isinstance(maker, Slice) else maker.args[0]
            maker = self.names.makers.get(x)
        return x

    # -- text --------------------------------------------------------------------------------------

    def step(self, native: bool) -> NestStep:
        """Return the last step if it is of this kind, or start one."""
        if not self.steps or self.steps[-1].native != native:
            self.steps.append(NestStep(native))
        return self.steps[-1]

    def say(self, text: str, depth: int = 0, native: bool = True) -> None:
        """Write a line."""
        self.step(native).lines.append("    " * depth + text)

    def use(self, name: str) -> str:
        """Return a name that the step reads or writes."""
        self.steps[-1].used[name] = None
        return name

    def array(self, x: Variable) -> str:
        """Return the name of a value that is not made here."""
        if x not in self.names.given:
            ref = self.names.refs[x]
            self.names.given[x] = str(ref) if ref.isidentifier() else self.names.name(x)
        return self.use(self.names.given[x])

    def entry(self, x: Any, index: list[str]) -> str:
        """Return the text of the entry of a value that is broadcast to `index`."""
        if not isinstance(x, Variable):
            return self.names.number(x)
        if x in self.local:
            return self.names.name(x)
        place, maker = self.names.places.get(x), self.names.makers.get(x)
        index = aligned(x.shape, index)
        if place is None and isinstance(maker, Slice):
            return self.entry(maker.whole, [maker.time, *index])
        view = self.names.outside.get(x, maker)
        if place is None and view is not None and is_view(view):
            return self.entry(view.args[0], inner_index(view, index, self.names.size))
        if place is None:
            name = self.array(x) if maker is None else self.use(self.names.name(x))
            return name if x.is_number else f"{name}[{', '.join(index) or '()'}]"
        return self._at(place, index)

    def _at(self, place: NestPlace, index: list[str]) -> str:
        if place.start:
            i = index[place.axis]
            index = [*index]
            index[place.axis] = f"{i} + {place.start}" if i != "0" else str(place.start)
        return f"{self.use(place.array)}[{', '.join((*place.prefix, *index)) or '()'}]"

    def extent(self, x: Variable, axis: int) -> str:
        """Return the text of the length of an axis: of an array, that it may change."""
        place, maker = self.names.places.get(x), self.names.makers.get(x)
        if place is not None and place.axis != axis:
            return f"{self.use(place.array)}.shape[{len(place.prefix) + axis}]"
        if place is None and isinstance(maker, Slice):
            return self.extent(maker.whole, axis + 1)
        if place is None and isinstance(maker, Instruction) and maker.function == "transpose":
            return self.extent(maker.args[0], maker.settings["axes"][axis])
        if place is None and maker is None and x not in self.names.outside:
            return f"{self.array(x)}.shape[{axis}]"
        return self.names.size(x.shape[axis])

    def head(self, extents: Iterable[str], index: list[str], depth: int = 0) -> int:
        """Write the heads of loops over entries, and return how deep they go."""
        for n, i in zip(extents, index, strict=False):
            self.say(f"for {i} in range({n}):", depth)
            depth += 1
        return depth

    def whole(self, x: Any, native: bool = False) -> str:
        """Return the text of the whole array of a value; for BLAS if Numba compiles it."""
        if not isinstance(x, Variable):
            return literal(x)
        place, maker = self.names.places.get(x), self.names.makers.get(x)
        if place is not None:
            part = [":"] * place.axis
            if place.axis >= 0:
                start, n = place.start, x.shape[place.axis]
                n = self.names.size(n) if native else n
                part.append(f"{start}:{start} + {n}" if start else f":{n}")
            at = ", ".join((*place.prefix, *part))
            return f"{self.use(place.array)}[{at}]" if at else self.use(place.array)
        if isinstance(maker, Slice):
            return f"{self.whole(maker.whole, native)}[{maker.time}]"
        if maker is not None and is_view(maker):
            inner = self.whole(maker.args[0], native)
            if native and maker.function == "reshape":
                if not self._in_order(maker.args[0]):
                    inner = f"np.ascontiguousarray({inner})"
                return f"{inner}.reshape({', '.join(map(self.names.size, x.shape))})"
            return str(expression(maker, [Text(inner)], self.helpers))
        return self.array(x) if maker is None else self.use(self.names.name(x))

    def _in_order(self, x: Variable) -> bool:
        """Return True if the array of a value is known to be in C order."""
        place, maker = self.names.places.get(x), self.names.makers.get(x)
        if place is not None:
            return place.axis <= 0
        if isinstance(maker, Slice):
            return self._in_order(maker.whole)
        if isinstance(maker, Instruction) and maker.function == "index":
            index = maker.settings["index"]
            index = index if isinstance(index, tuple) else (index,)
            rows = all(isinstance(e, int | np.integer) for e in index[:-1])
            last = index[-1] if index else 0
            flat = isinstance(last, int | np.integer) or (
                isinstance(last, slice) and last.step in (None, 1)
            )
            return rows and flat and self._in_order(maker.args[0])
        if isinstance(maker, Instruction) and is_view(maker):
            return maker.function == "reshape"
        return True

    # -- lines -------------------------------------------------------------------------------------

    def nest(self, lines: list[Instruction], targets: dict[Variable, list[str]]) -> None:
        """Write a nest that computes lines of one shape, and stores some of their results."""
        self.step(True)
        shape = lines[0].out.shape
        index = self.names.index(len(shape))
        depth = self.head(self._extents(lines, targets), index)
        for line in lines:
            args = [self.entry(x, index) for x in line.args]
            dtypes = computed_in(line)
            assert dtypes is not None
            note = f"  # {line.out.note}" if line.out.note and len(line.out.note) < 60 else ""
            self.say(f"{self.names.name(line.out)} = {scalar(line, args, dtypes)}{note}", depth)
            self.local.add(line.out)
            if line.out in self.names.places:
                at = self._at(self.names.places[line.out], index)
                self.say(f"{at} = {self.names.name(line.out)}", depth)
            for total in targets.get(line.out, ()):
                at = f"{self.use(total)}[{', '.join(index) or '()'}]"
                self.say(f"{at} += {self.names.name(line.out)}", depth)
        self.local.clear()

    def _extents(self, lines: list[Instruction], targets: dict[Variable, list[str]]) -> list[str]:
        """Return the lengths of the axes of a nest, read from an array that it writes."""
        axes = range(len(lines[0].out.shape))
        for line in lines:
            if line.out in self.names.places:
                return [self.extent(line.out, axis) for axis in axes]
            for total in targets.get(line.out, ()):
                return [f"{self.use(total)}.shape[{axis}]" for axis in axes]
        return [self.names.size(n) for n in lines[0].out.shape]

    def fill(self, x: Variable, to: NestPlace, sign: str = "=") -> None:
        """Write a copy of a value to a place, or add it to what is there."""
        known = x.dtype in DTYPES and not x.is_number and len(x.shape) <= len(AXES)
        self.step(known)
        if not known:
            target = self._at(to, ["..."])
            self.say(f"{target} {sign} {self.whole(x)}", native=False)
            return
        index = self.names.index(len(x.shape))
        extents = [
            self.names.size(n)
            if to.axis >= 0
            else f"{self.use(to.array)}.shape[{len(to.prefix) + axis}]"
            for axis, n in enumerate(x.shape)
        ]
        depth = self.head(extents, index)
        self.say(f"{self._at(to, index)} {sign} {self.entry(x, index)}", depth)

    def constant(self, y: Variable, value: str) -> None:
        """Write a nest that fills a value with one number."""
        if y.dtype not in DTYPES:
            self.step(False)
            self.say(f"{self.whole(y)}[...] = {value}", native=False)
            return
        self.step(True)
        index = self.names.index(len(y.shape))
        depth = self.head([self.extent(y, axis) for axis in range(len(y.shape))], index)
        self.say(f"{self._at(self.names.places[y], index)} = {value}", depth)

    def reduction(self, line: Instruction) -> None:
        """Write a reduction, whose result grows in its place."""
        self.step(True)
        x, y = line.args[0], line.out
        first, step = REDUCED[line.function]
        first = first.replace("inf", "np.inf") if y.dtype.kind == "f" else first
        if "inf" in first and y.dtype.kind == "i":
            info = np.iinfo(y.dtype)
            first = str(info.min if first == "-inf" else info.max)
        index = self.names.index(len(x.shape))
        keep, axes = line.settings["keepdims"], set(line.settings["axis"])
        to = [
            "0" if axis in axes else i for axis, i in enumerate(index) if keep or axis not in axes
        ]
        extents = [self.extent(x, axis) for axis in range(len(x.shape))]
        outer = len(x.shape) - len(axes)
        if axes != set(range(outer, len(x.shape))):
            self.constant(y, cast(first, int, y.dtype))
            depth = self.head(extents, index)
            target = self._at(self.names.places[y], to)
            entry = cast(self.entry(x, index), x.dtype, y.dtype)
            self.say(f"{target} = {step.format(target, entry)}", depth)
            return
        total = self.names.total()
        depth = self.head(extents[:outer], index)
        self.say(f"{total} = {cast(first, int, y.dtype)}", depth)
        inner = self.head(extents[outer:], index[outer:], depth)
        entry = cast(self.entry(x, index), x.dtype, y.dtype)
        self.say(f"{total} = {step.format(total, entry)}", inner)
        self.say(f"{self._at(self.names.places[y], to)} = {total}", depth)

    def product(self, line: Instruction) -> None:
        """Write a matrix product as loops, or by BLAS."""
        a, b = line.args
        place = self.names.places[line.out]
        flat = len(a.shape) > 1 and len(b.shape) == 2
        self.step(True)
        if flat and a.dtype == b.dtype and a.dtype.kind == "f" and work(line) >= SMALL_PRODUCT:
            first, second, out = self._operand(a), self._operand(b), self.whole(line.out, True)
            if len(a.shape) > 2:
                rows, *ends = map(self.names.size, (prod(a.shape[:-1]), a.shape[-1], b.shape[-1]))
                first, out = (
                    f"{first}.reshape({rows}, {ends[0]})",
                    f"{out}.reshape({rows}, {ends[1]})",
                )
            if place.axis <= 0:
                self.say(f"np.dot({first}, {second}, {out})")
            else:
                self.say(f"{out}[...] = np.dot({first}, {second})")
            return
        index = self.names.index(len(line.out.shape) + 1)
        *index, k = index
        depth = self.head(
            [self.extent(line.out, axis) for axis in range(len(line.out.shape))], index
        )
        rows, columns = (index, []) if len(b.shape) == 1 else (index[:-1], index[-1:])
        first = [*rows, k]
        second = (
            [k] if len(b.shape) == 1 else [*rows[: -1 if len(a.shape) > 1 else None], k, *columns]
        )
        total = self.names.total()
        self.say(f"{total} = {cast('0', int, line.out.dtype)}", depth)
        self.say(f"for {k} in range({self.extent(a, len(a.shape) - 1)}):", depth)
        first, second = (
            cast(self.entry(x, at), x.dtype, line.out.dtype) for x, at in ((a, first), (b, second))
        )
        signs = "|&" if line.out.dtype == np.bool_ else "+*"
        self.say(f"{total} = {total} {signs[0]} {first} {signs[1]} {second}", depth + 1)
        self.say(f"{self._at(place, index)} = {total}", depth)

    def _operand(self, x: Variable) -> str:
        """Return an array that BLAS takes: a view is copied, unless it is a transposed matrix."""
        maker, inner = self.names.makers.get(x), x
        if x not in self.names.places and isinstance(maker, Instruction):
            inner = maker.args[0] if maker.function == "transpose" else x
        text = self.whole(x, native=True)
        return text if self._in_order(inner) else f"np.ascontiguousarray({text})"

    def join(self, line: Instruction) -> None:
        """Write those parts of a concatenation that are not in their places yet."""
        start, axis = 0, line.settings["axis"] % len(line.out.shape)
        place = self.names.places[line.out]
        for x in line.args:
            to = NestPlace(place.array, place.prefix, axis, start)
            if self.names.places.get(x) != to:
                self.fill(x, to)
            start += x.shape[axis]

    def scatter(self, line: Instruction) -> None:
        """Write zeros, and add each part at its index."""
        self.constant(line.out, cast("0", int, line.out.dtype))
        for x, at in zip(line.args, line.settings["indices"], strict=True):
            index = self.names.index(len(x.shape))
            depth = self.head([self.extent(x, axis) for axis in range(len(x.shape))], index)
            shape = line.out.shape
            target = self._at(self.names.places[line.out], indexed(at, shape, index))
            entry = cast(self.entry(x, index), x.dtype, line.out.dtype)
            self.say(f"{target} += {entry}", depth)

    def pick(self, line: Instruction) -> None:
        """Write `pick_entries` or `put_entries`, in bounds whatever the index is."""
        a, at = line.args
        put = line.settings["function"] is put_entries
        if put:
            self.constant(line.out, cast("0", int, line.out.dtype))
        self.step(True)
        index = self.names.index(len(at.shape))
        depth = self.head([self.extent(at, axis) for axis in range(len(at.shape))], index)
        last = self.extent(line.out if put else a, len(at.shape))
        row = [*index, f"min(max({self.entry(at, index)}, 0), {last} - 1)"]
        to = self._at(self.names.places[line.out], row if put else index)
        self.say(f"{to} = {self.entry(a, index if put else row)}", depth)

    def numpy(self, line: Instruction) -> None:
        """Write a line of NumPy."""
        self.step(False)
        args = [Text(self.whole(x)) for x in line.args]
        if line.function == "expect":
            self.say(f"if not {args[0].inside(0)}:", native=False)
            self.say("    raise Expected", native=False)
            return
        place = self.names.places.get(line.out)
        if place is not None and line.function in INTO and place.axis < 0 and line.out.shape:
            text = expression(line, args, self.helpers, self.whole(line.out))
            self.say(f"{text}", native=False)
            return
        text = expression(line, args, self.helpers)
        if place is not None:
            self.say(f"{self._at(place, ['...'])} = {text}", native=False)
            return
        name = self.names.name(line.out)
        known = line.out.dtype in DTYPES and not line.out.is_number
        self.say(f"{name}, = plain({text})" if known else f"{name} = {text}", native=False)
