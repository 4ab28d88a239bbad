"""Loop fusion: the lines of a loop over time as nests of loops over entries, for Numba.

NumPy passes over an array once for each call. A nest computes many lines in one pass, entry by
entry, and a value that is read only within its nest needs no array. Matrix products and other lines
on whole arrays come between the nests. Views cost nothing: they only change the index to read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from .emit import Emitter, literal
from .entries import MAPPED, scalar, without_ones
from .lines import REDUCTIONS, UFUNCS, VIEWS, Line, Ref
from .lower import scattered

EMPTY = {"sum": 0.0, "prod": 1.0, "max": -np.inf, "min": np.inf}
"""The initial value of each reduction."""


AXES = "ijklmnpq"


class NotInNestsError(Exception):
    """Raised for a line that cannot be written as loops; the message names its function."""


@dataclass
class Part:
    """Some lines of the body of a loop.

    Attributes
    ----------
    whole : bool
        True for lines that need no compilation, such as products of whole matrices.
    used : dict of str to None
        The arrays that the lines name, in order: the arguments of a compiled function.
    """

    whole: bool
    text: list[str] = field(default_factory=list)
    used: dict[str, None] = field(default_factory=dict)


@dataclass
class Nests:
    """The body of one loop over time.

    Attributes
    ----------
    lines : dict of str to Line
        The lines of the loop.
    kept, wanted : set of str
        The values whose time steps are all kept, and those that the next step reads.
    spares : dict of str to str
        The array in which each carried gradient is computed.
    over : dict of str to str
        The array over time that another one overwrites.
    buffers : dict of str to str
        The array of one step for values that several nests or products read, if they are not kept
        over time.
    parts : list of Part
        The body, in order.
    """

    e: Emitter
    lines: dict[str, Line]
    kept: set[str]
    wanted: set[str]
    spares: dict[str, str]
    over: dict[str, str] = field(default_factory=dict)
    buffers: dict[str, str] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)

    def part(self, whole: bool) -> None:
        """Start a new part, unless the last one is of this kind."""
        if not self.parts or self.parts[-1].whole != whole:
            self.parts.append(Part(whole))

    @property
    def work(self) -> int:
        """The number of multiply-adds in the matrix products of one step."""
        return sum(
            prod(x.shape) * self.e.plan.shape(str(x.args[0]))[-1]
            for x in self.lines.values()
            if self.is_plain_product(x)
        )

    def is_plain_product(self, line: Line) -> bool:
        """Return True if a line is one product of two matrices."""
        return line.fn == "dot" and all(len(self.e.plan.shape(str(arg))) == 2 for arg in line.args)

    def letters(self, shape: tuple[int, ...]) -> list[str]:
        """Return the names of loop indices, one for each axis."""
        return [self.e.plan.writer.beside(f"axis {n}", AXES[n]) for n in range(len(shape))]

    # -- fusion ------------------------------------------------------------------------------------

    def entrywise(self, name: str) -> bool:
        """Return True if a line is elementwise."""
        return self.lines[name].fn in UFUNCS or self.lines[name].fn in ("copy", "astype")

    def base(self, name: Ref) -> Ref:
        """Return the value that a view refers to; any other value itself."""
        while isinstance(name, str) and name in self.lines and self.is_view(self.lines[name]):
            name = self.lines[name].args[0]
        return name

    def is_view(self, line: Line) -> bool:
        """Return True if each entry of the result is an entry of the argument at a known index."""
        if line.fn == "reshape":
            return without_ones(self.e.plan.shape(str(line.args[0]))) == without_ones(line.shape)
        if line.fn == "index":
            index = line.settings["index"]
            return all(
                type(i) in (int, slice, type(None), type(...))
                for i in (index if isinstance(index, tuple) else (index,))
            )
        return line.fn in VIEWS

    def levels(self) -> list[list[str]]:
        """Return the lines by the earliest level at which they can run.

        Within a level, lines on whole arrays come before elementwise lines.
        """
        level: dict[str, int] = {}
        for name, line in self.lines.items():
            if self.is_view(line):
                continue
            found = 0
            for use in line.uses:
                base = self.base(use)
                if base not in level:
                    continue
                made = self.lines[str(base)]
                beside = self.entrywise(name) and (
                    not self.entrywise(made.name) or (use == base and made.shape == line.shape)
                )
                found = max(found, level[made.name] + (not beside))
            level[name] = found
        order = [
            [name for name in level if level[name] == n]
            for n in range(max(level.values(), default=-1) + 1)
        ]
        return [
            [*(n for n in names if not self.entrywise(n)), *(n for n in names if self.entrywise(n))]
            for names in order
        ]

    def groups(self) -> list[list[str]]:
        """Return the lines that share a nest; a line on whole arrays is a group of one."""
        found: list[list[str]] = []
        for names in self.levels():
            found += [[name] for name in names if not self.entrywise(name)]
            shapes = dict.fromkeys(self.lines[name].shape for name in names if self.entrywise(name))
            found += [
                [n for n in names if self.entrywise(n) and self.lines[n].shape == shape]
                for shape in shapes
            ]
        return found

    # -- text --------------------------------------------------------------------------------------

    def write(self) -> None:
        """Write the text of one step."""
        for line in self.lines.values():
            self._require_known(line)
        groups = self.groups()
        for names in groups:
            self._stored(names)
        for names in groups:
            self.part(self.is_plain_product(self.lines[names[0]]))
            if self.entrywise(names[0]):
                self.nest(self.lines[names[0]].shape, names)
            else:
                self.whole_line(self.lines[names[0]])

    def _require_known(self, line: Line) -> None:
        """Raise NotInNestsError for dtypes and numbers of axes that loops cannot handle."""
        for dtype in (line.dtype, *map(self.e.plan.dtype, line.uses)):
            if dtype.kind not in "biuf" or dtype in (np.float16, np.longdouble):
                raise NotInNestsError(str(dtype))
        if max(len(shape) for shape in (line.shape, *map(self.e.plan.shape, line.uses))) > len(
            AXES
        ):
            raise NotInNestsError(f"an array of more than {len(AXES)} axes")

    def _stored(self, names: list[str]) -> None:
        """Assign arrays to those results of a group that are read outside of it."""
        here = set(names) if self.entrywise(names[0]) else set()
        for name in names:
            outside = name in map(self.base, self.wanted) or any(
                self.base(use) == name and (n not in here or use != name)
                for n, x in self.lines.items()
                for use in x.uses
            )
            if name in self.spares and name not in self.kept:
                self.buffers[name] = self.spares[name]
            elif name not in self.kept and (outside or not here):
                self.buffers[name] = self.e.plan.writer.beside(name, f"{name}_array")

    def nest(self, shape: tuple[int, ...], names: list[str]) -> None:
        """Write loops over all entries, with the lines in them."""
        self.loops(shape)
        local: set[str] = set()
        for name in names:
            line, index = self.lines[name], self.letters(shape)
            args = [self.entry(arg, index, line.shape, local) for arg in line.args]
            self.say(
                len(shape),
                f"{name} = {scalar(line, args, self.computed_in(line))}",
                self.e.plan.writer.notes.get(name, ""),
            )
            if name in self.kept or name in self.buffers:
                self.say(len(shape), f"{self.place(name, index)} = {name}")
            local.add(name)

    def computed_in(self, line: Line) -> np.dtype:
        """Return the dtype in which a line computes: that of its floats, or of its result."""
        floats = [dtype for dtype in map(self.e.plan.dtype, line.uses) if dtype.kind == "f"]
        return np.result_type(*floats) if floats else line.dtype

    def loops(self, shape: tuple[int, ...]) -> None:
        """Write the loop headers of a nest."""
        for depth, n in enumerate(shape):
            self.say(depth, f"for {self.letters(shape)[depth]} in range({n}):")

    def say(self, depth: int, text: str, note: str = "") -> None:
        """Write one line of text, with a comment if it is short."""
        room = "    " * depth + text
        self.parts[-1].text.append(f"{room:<52}  # {note}" if note and len(note) <= 64 else room)

    # -- entries -----------------------------------------------------------------------------------

    def entry(
        self, arg: Ref, index: list[str], shape: tuple[int, ...], local: set[str] | None = None
    ) -> str:
        """Return the expression for the entry of `arg` that broadcasts to `index` of `shape`."""
        if not isinstance(arg, str):
            return literal(float(arg) if isinstance(arg, int) and abs(arg) > 2**62 else arg)
        if arg in (local or ()):
            return arg
        of = self.e.plan.shape(arg)
        index = [
            "0" if n == 1 else i for n, i in zip(of, index[len(shape) - len(of) :], strict=True)
        ]
        line = self.lines.get(arg)
        if line is not None and self.is_view(line):
            inner = self.e.plan.shape(str(line.args[0]))
            return self.entry(line.args[0], MAPPED[line.fn](line, inner, index), inner)
        return self.place(arg, index)

    def place(self, name: str, index: list[str]) -> str:
        """Return the expression for an entry of the array of a value."""
        array = self.whole(name)
        if array.endswith("]"):
            return f"{array[:-1]}, {', '.join(index)}]" if index else array
        return f"{array}[{', '.join(index) or '()'}]"

    def whole(self, name: str) -> str:
        """Return the expression for the array of one step of a value."""
        line = self.lines.get(name)
        if line is not None and self.is_view(line):
            inner = self.whole(str(line.args[0]))
            if line.fn == "transpose" and len(line.shape) > 2:  # Numba does not know .mT
                return f"{inner}.transpose({literal(line.settings['axes'])})"
            return self.e.arranged(line, [inner], False, "")
        if name in self.buffers:
            text = self.buffers[name]
        elif name in self.kept or (self.e.plan.varies(name) and name not in self.e.plan.carried):
            text = self.e.place(name)
            array, bracket, rest = text.partition("[")
            text = self.over.get(array, array) + bracket + rest
            self.parts[-1].used[text.partition("[")[0]] = None
            return text
        else:
            text = name
        self.parts[-1].used[text] = None
        return text

    # -- lines on whole arrays ---------------------------------------------------------------------

    def whole_line(self, line: Line) -> None:
        """Write a product, a reduction or another line that is not elementwise."""
        note, array = self.e.plan.writer.notes.get(line.name, ""), self.whole(line.name)
        if line.fn == "dot":
            self.product(line, array, note)
        elif line.fn in REDUCTIONS:
            self.reduction(line, note)
        elif line.fn == "concatenate":
            self.concatenation(line)
        elif line.fn == "call" and line.settings["function"] is scattered:
            self.scattering(line)
        elif line.fn == "reshape":
            old = f"np.ascontiguousarray({self.whole(str(line.args[0]))})"
            self.say(0, f"{array}[...] = {old}.reshape({line.shape})", note)
        else:
            raise NotInNestsError(
                getattr(line.settings.get("function"), "__name__", line.fn).lstrip("_")
            )

    def product(self, line: Line, array: str, note: str) -> None:
        """Write a product of two arrays by BLAS; stacked matrices are multiplied in a loop."""
        if {self.e.plan.dtype(str(arg)) for arg in line.args} != {
            line.dtype
        } or line.dtype.kind != "f":
            raise NotInNestsError("a product of two dtypes")
        a, b = (self.contiguous(str(arg)) for arg in line.args)
        shapes = [self.e.plan.shape(str(arg)) for arg in line.args]
        axes = [len(shape) for shape in shapes]
        if axes == [2, 2]:
            self.say(0, f"np.dot({a}, {b}, {array})", note)
        elif max(axes) <= 2:
            self.say(0, f"{self.filled(array, line.shape)} = np.dot({a}, {b})", note)
        else:
            stack = line.shape[: max(axes) - 2]
            if any(shape[:-2] not in ((), stack) for shape in shapes) or min(axes) < 2:
                raise NotInNestsError("matmul")
            self.loops(stack)
            at = ", ".join(self.letters(stack))
            parts = [
                f"np.ascontiguousarray({x}[{at}])" if len(shape) > 2 else x
                for x, shape in zip((a, b), shapes, strict=True)
            ]
            self.say(
                len(stack), f"{self.filled(array, stack, at)} = np.dot({', '.join(parts)})", note
            )

    def contiguous(self, name: str) -> str:
        """Return an array that BLAS takes: a view is copied, unless it is a transposed matrix."""
        line, text = self.lines.get(name), self.whole(name)
        if (
            line is None
            or not self.is_view(line)
            or (
                line.fn == "transpose"
                and str(line.args[0]) == self.base(name)
                and len(line.shape) <= 2
            )
        ):
            return text
        return f"np.ascontiguousarray({text})"

    def filled(self, array: str, shape: tuple[int, ...], at: str = "") -> str:
        """Return the target of an assignment to all entries of an array, or of its part at `at`."""
        inner = at or ("..." if shape else "()")
        return (
            f"{array[:-1]}, {inner}]"
            if array.endswith("]") and inner != "()"
            else array
            if array.endswith("]")
            else f"{array}[{inner}]"
        )

    def reduction(self, line: Line, note: str) -> None:
        """Write a reduction that accumulates entries in the array of the result."""
        arg, s = str(line.args[0]), line.settings
        shape = self.e.plan.shape(arg)
        self.loops(line.shape)
        self.say(
            len(line.shape),
            f"{self.place(line.name, self.letters(line.shape))} = {literal(EMPTY[line.fn])}",
            note,
        )
        reduced = {axis % len(shape) for axis in s["axis"]} if shape else set()
        index = [
            ("0" if s["keepdims"] else "") if axis in reduced else self.letters(shape)[axis]
            for axis in range(len(shape))
        ]
        target = self.place(line.name, [i for i in index if i])
        self.loops(shape)
        of = self.entry(arg, self.letters(shape), shape)
        step = {"sum": f"{target} + {of}", "prod": f"{target} * {of}"}.get(
            line.fn, f"np.{line.fn}imum({target}, {of})"
        )
        self.say(len(shape), f"{target} = {step}")

    def concatenation(self, line: Line) -> None:
        """Write a concatenation: one nest for each part."""
        axis, start = line.settings["axis"] % len(line.shape), 0
        for arg in line.args:
            shape = self.e.plan.shape(str(arg))
            index = self.letters(shape)
            at = [f"{i} + {start}" if k == axis and start else i for k, i in enumerate(index)]
            self.loops(shape)
            self.say(len(shape), f"{self.place(line.name, at)} = {self.entry(arg, index, shape)}")
            start += shape[axis]

    def scattering(self, line: Line) -> None:
        """Write a scatter: zeros, and one nest that adds each part at its index."""
        s = line.settings["keywords"]
        of = [Line("", "index", (arg,), {"index": index}, self.e.plan.shape(str(arg)), line.dtype)
              for arg, index in zip(line.args, s["indices"], strict=True)]  # fmt: skip
        if not all(map(self.is_view, of)):
            raise NotInNestsError("an index of arrays")
        self.loops(line.shape)
        self.say(len(line.shape), f"{self.place(line.name, self.letters(line.shape))} = 0.0")
        for part in of:
            index = self.letters(part.shape)
            self.loops(part.shape)
            place = self.place(line.name, MAPPED["index"](part, line.shape, index))
            self.say(len(part.shape), f"{place} += {self.entry(part.args[0], index, part.shape)}")

    def zeros(self, to: str, shape: tuple[int, ...]) -> None:
        """Write a nest that fills an array with zeros."""
        self.part(whole=False)
        self.loops(shape)
        self.parts[-1].used[to] = None
        self.say(len(shape), f"{to}[{', '.join(self.letters(shape)) or '()'}] = 0.0")

    def copied(self, to: str, name: str) -> None:
        """Write a nest that copies a value into the array `to` of one step."""
        self.part(whole=False)
        shape = self.e.plan.shape(name)
        index = self.letters(shape)
        self.loops(shape)
        rest = ", ".join(index)
        place = (
            (f"{to[:-1]}, {rest}]" if rest else to) if to.endswith("]") else f"{to}[{rest or '()'}]"
        )
        self.parts[-1].used[to.partition("[")[0]] = None
        self.say(len(shape), f"{place} = {self.entry(name, index, shape)}")
