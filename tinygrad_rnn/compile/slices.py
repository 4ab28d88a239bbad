"""Slices of one array: finding them, and joining them again.

`compose_views` writes slices last: what is a slice of an array is so by one line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from .instructions import Instruction, Loop, Program, Variable
from .over_time import stack
from .rewriting import Makers, around_loops, each_line, makers, write

Slice = tuple[Variable, int, int]
"""An array, and where its slice along some axis starts and stops."""


def columns(axis: int, start: int, stop: int) -> tuple[slice, ...]:
    """Return the index of a slice along one axis."""
    return (*(slice(None),) * axis, slice(start, stop))


def lines_of_parts(whole: Variable, axis: int, parts: Iterable[Variable]) -> list[Instruction]:
    """Return the lines that take the parts of an array, which follow each other along an axis."""
    lines, start = [], 0
    for x in parts:
        index = {"index": columns(axis, start, start + x.shape[axis])}
        lines.append(Instruction("index", (whole,), index, x))
        start += x.shape[axis]
    return lines


def cut(line: Any) -> tuple[int, int, int] | None:
    """Return the axis, start and stop of a line that takes a slice along one axis."""
    if not isinstance(line, Instruction) or line.function != "index":
        return None
    shape, index = line.uses[0].shape, line.settings["index"]
    parts = list(index) if isinstance(index, tuple) else [index]
    if ... in parts:
        k = parts.index(...)
        parts[k : k + 1] = [slice(None)] * (len(shape) - len(parts) + 1)
    if not all(isinstance(part, slice) and part.step in (None, 1) for part in parts):
        return None
    ends = [part.indices(n)[:2] for part, n in zip(parts, shape, strict=False)]
    axes = [k for k, end in enumerate(ends) if end != (0, shape[k])]
    return (axes[0], *ends[axes[0]]) if len(axes) == 1 else None


def find_slice(x: Any, axis: int, made: Makers) -> Slice | None:
    """Return a variable as a slice along one axis of a larger array, if it is one."""
    line = made.get(x)
    found = cut(line)
    if line is None or found is None or found[0] != axis % len(x.shape):
        return None
    return line.uses[0], *found[1:]


def runs(parts: list[Variable], axis: int, made: Makers) -> list[list[int]]:
    """Group the numbers of the parts: each group is consecutive slices of one array."""
    slices: list[Any] = [(find_slice(x, axis, made), k) for k, x in enumerate(parts)]
    groups: dict[Variable, list[int]] = defaultdict(list)
    ends: dict[Variable, int] = {}
    for found, k in sorted((pair for pair in slices if pair[0]), key=lambda pair: pair[0][1]):
        root, start, stop = found
        if ends.setdefault(root, start) == start:
            groups[root].append(k)
            ends[root] = stop
    return list(groups.values())


def joined(lines: list[Any], parts: list[Variable], axis: int, made: Makers) -> Variable:
    """Return the parts side by side: the array of which they are slices, or a new array."""
    axis %= len(parts[0].shape)
    wider = merged(lines, parts, axis, made)
    return write(lines, "concatenate", *wider, axis=axis) if wider[1:] else wider[0]


def merged(lines: list[Any], parts: Any, axis: int, made: Makers) -> list[Variable]:
    """Return the parts, of which those are one that follow each other in one array."""
    groups: list[Any] = []  # parts, and slices that are several parts
    last: Any = None
    for x in parts:
        found = find_slice(x, axis, made)
        if found and last and found[0] is last[0] and found[1] == last[2]:
            last = groups[-1] = (*last[:2], found[2])
        else:
            last = found
            groups.append(x)
    return [_take(lines, x[0], x[1], x[2], axis) if isinstance(x, tuple) else x for x in groups]


def _take(lines: list[Any], whole: Variable, start: int, stop: int, axis: int) -> Variable:
    if (start, stop) == (0, whole.shape[axis]):
        return whole
    return write(lines, "index", whole, index=columns(axis, start, stop))


def join_slices(program: Program) -> Program:
    """Read an array in place of a concatenation of its slices."""
    made = makers(program.lines)

    def rewrite(line: Instruction, new: list[Any]) -> None:
        if line.function == "concatenate":  # `propagate_copies` leaves out that of one part
            axis = line.settings["axis"] % len(line.out.shape)
            line.args = tuple(merged(new, line.args, axis, made))
        new.append(line)

    program.lines = each_line(program.lines, rewrite)
    return program


# -- stacks ----------------------------------------------------------------------------------------


def stack_joined(program: Program) -> Program:
    """Stack an array in place of its parts, where all parts are stacked.

    Their stacks become slices of one array, so that products after the loop can be joined as well.
    """
    return around_loops(program, lambda loop: ([], stack_wholes(loop)))


def stack_wholes(loop: Loop) -> list[Instruction]:
    """Stack arrays in place of their parts, and return the lines that take the parts of stacks."""
    after: list[Instruction] = []
    wholes = dict(loop.stacks)
    for y, places in _parts(loop).items():
        parts = [(x, part) for x, part in loop.stacks if x in places]
        ends = {places[x] for x, _ in parts}
        if sum(stop - start for _, start, stop in ends) != y.shape[min(ends)[0] if ends else 0]:
            continue
        loop.stacks = [pair for pair in loop.stacks if pair not in parts]
        whole, lines = stack(loop, wholes, y), []
        for x, part in parts:
            if x.name and part.name in ("", x.name):
                part.name = f"{x.name}s"  # as stacks are called
            axis, start, stop = places[x]
            index = {"index": columns(axis + 1, start, stop)}
            lines.append(Instruction("index", (whole,), index, part))
        after[:0] = lines  # a part may have parts too: its stack has to be there before theirs
    return after


def _parts(loop: Loop) -> dict[Variable, dict[Variable, tuple[int, int, int]]]:
    """Return where the parts of arrays are: of concatenations, and slices of others."""
    places: dict[Variable, dict[Variable, tuple[int, int, int]]] = defaultdict(dict)
    local = set(loop.inside)
    for line in loop.body:
        found = cut(line)
        if found and line.args[0] in local:
            places[line.args[0]][line.out] = found
        elif isinstance(line, Instruction) and line.function == "concatenate":
            start, axis = 0, line.settings["axis"] % len(line.out.shape)
            for x in line.uses:
                places[line.out][x] = axis, start, start + x.shape[axis]
                start += x.shape[axis]
    return places
