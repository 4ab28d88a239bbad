"""The pass that computes with neighbouring slices of one array in one line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from .instructions import REDUCTIONS, VIEWS, Instruction, Loop, Program, Variable, walk
from .rewriting import ELEMENTWISE, makers, reach, shape_of
from .slices import Slice, columns, find_slice, joined, lines_of_parts, stack_wholes

Readers = dict[Variable, list[Instruction]]


def join_siblings(program: Program) -> Program:
    """Write lines that do the same with neighbouring columns of one array as one line.

    ``exp(a[:, 0:4])`` and ``exp(a[:, 4:8])`` become ``exp(a)``, and views of its columns. So r and
    z of a GRU are computed together. Nothing is copied for it, except for small arguments.
    """
    siblings = Siblings(program)
    program.lines = siblings.join(program.lines)
    return program


class Siblings:
    """The columns of arrays in a program, and the lines that read them.

    Attributes
    ----------
    made : dict of Variable to Instruction
    columns : dict of object to list of Variable
        The slices of the last axis of each array.
    whole : set of Variable
        Values that stay arrays of their own, because a view of them would be copied.
    """

    def __init__(self, program: Program) -> None:
        self.made = makers(program.lines)
        self.columns: dict[Any, list[Variable]] = defaultdict(list)
        self._know(self.made.values())
        self.inputs = set(program.inputs)
        self.whole = _contiguous(program)

    def join(self, lines: list[Any]) -> list[Any]:
        """Return the lines, in which siblings are one line."""
        readers: Readers = defaultdict(list)
        for line in lines:
            for x in line.uses if isinstance(line, Instruction) else ():
                readers[x].append(line)
        new: list[Any] = []
        done: set[Any] = set()
        for line in lines:
            if isinstance(line, Loop):
                self._slice_inside(line)
                line.body = self.join(line.body)
                after = stack_wholes(line)
                self._know(after)
                new += [line, *after]
            elif line not in done:
                group = self._siblings(line, readers, done)
                done.update(group)
                new += self._as_one(group) if group[1:] else [line]
        return new

    # -- in loops ----------------------------------------------------------------------------------

    def _slice_inside(self, loop: Loop) -> None:
        """Read the step of an array first, then its columns, which are those of an array then."""
        steps: dict[Variable, Variable] = {x: y for y, x in loop.slices}
        for x, whole in list(loop.slices):
            found = find_slice(whole, -1, self.made) if x.shape else None
            if found is None:
                continue
            root, *ends = found
            if root not in steps:
                steps[root] = Variable(root.name, root.shape[1:], root.dtype, root.note)
                loop.slices.append((steps[root], root))
            loop.slices.remove((x, whole))
            index = {"index": columns(len(x.shape) - 1, *ends)}
            loop.body.insert(0, Instruction("index", (steps[root],), index, x))
            self._know(loop.body[:1])

    # -- lines -------------------------------------------------------------------------------------

    def _siblings(self, line: Instruction, readers: Readers, done: set[Any]) -> list[Instruction]:
        """Return the lines that can be one line with this one, in the order of their columns."""
        place = next((k for k, x in enumerate(line.args) if self._column(x, line)), None)
        if place is None or not self._is_able(line):
            return [line]
        root, start, stop = self._column(line.args[place], line)  # type: ignore[misc]
        wanted = self._form(line, start)
        by_start, by_stop = {}, {}
        for x in self.columns[root]:
            _, *ends = find_slice(x, -1, self.made)  # type: ignore[misc]
            for other in readers[x]:
                if (
                    other not in done
                    and other.args[place : place + 1] == (x,)
                    and self._is_able(other)
                    and self._form(other, ends[0]) == wanted
                ):
                    by_start[ends[0]] = other, ends[1]
                    by_stop[ends[1]] = other, ends[0]
        group = [line]
        while start in by_stop:
            other, start = by_stop[start]
            group.insert(0, other)
        while stop in by_start:
            other, stop = by_start[stop]
            group.append(other)
        return group

    def _column(self, x: Any, line: Instruction) -> Slice | None:
        """Return an argument as columns of an array, if each is a column of the result."""
        alike = shape_of(x)[-1:] == line.out.shape[-1:] != ()
        return find_slice(x, -1, self.made) if alike else None

    def _is_able(self, line: Instruction) -> bool:
        x, y = line.uses[0], line.out
        columns_stay = line.function in ELEMENTWISE - {"copy"} or (
            line.function in REDUCTIONS and len(x.shape) - 1 not in line.settings["axis"]
        )
        return columns_stay and y not in self.whole and y.shape[-1] > 0

    def _form(self, line: Instruction, start: int) -> Any:
        """Return what siblings have in common, where the columns of the line begin at `start`."""
        forms: list[Any] = [line.function, repr(line.settings), line.out.shape[:-1], line.out.dtype]
        for x in line.args:
            found = self._column(x, line)
            if found:
                forms.append((found[0], found[1] - start))
            elif not isinstance(x, Variable):
                forms.append(repr(x))
            elif x.shape[-1:] in ((), (1,)):
                forms.append(x)
            else:  # columns of an array of its own: they are put side by side if they are few
                few = x in self.inputs and x.nbytes * 4 <= line.out.nbytes
                forms.append((x.shape[:-1], x.dtype) if few else line)
        return forms

    def _as_one(self, group: list[Instruction]) -> list[Instruction]:
        new: list[Any] = []
        args = []
        for parts in zip(*(line.args for line in group), strict=True):
            same = shape_of(parts[0])[-1:] in ((), (1,)) and len(set(parts)) == 1
            args.append(parts[0] if same else joined(new, list(parts), -1, self.made))
        size = sum(line.out.shape[-1] for line in group)
        first = group[0]
        whole = Variable(_name(group), (*first.out.shape[:-1], size), first.out.dtype)
        new.append(Instruction(first.function, tuple(args), first.settings, whole))
        new += lines_of_parts(whole, len(whole.shape) - 1, [line.out for line in group])
        self._know(new)
        return new

    def _know(self, lines: Iterable[Instruction]) -> None:
        self.made |= {line.out: line for line in lines}
        for line in lines:
            if line.out.shape and (found := find_slice(line.out, -1, self.made)):
                self.columns[found[0]].append(line.out)


def _name(group: list[Instruction]) -> str:
    """Return ``x_r_z`` for x_r and x_z."""
    names = [line.out.name for line in group]
    start = names[0][: names[0].rfind("_") + 1]
    ends = [name.removeprefix(start) for name in names]
    return start + "_".join(ends) if all(names) else ""


def _contiguous(program: Program) -> set[Variable]:
    """Return outputs, next states, what is reshaped, and the values of which those are views."""
    found, shows = [*program.outputs], {}
    for line in walk(program.lines):
        if isinstance(line, Loop):
            found += [state.next for state in line.states]
            shows |= {whole: [x] for x, whole in line.stacks}
        elif line.function in VIEWS:
            shows[line.out] = line.uses[:1]
            found += line.uses if line.function == "reshape" else []
    return reach(found, shows)
