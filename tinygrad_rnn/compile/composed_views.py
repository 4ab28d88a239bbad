"""The pass that writes views of views in one form."""

from __future__ import annotations

from typing import Any

from .instructions import Instruction, Program
from .rewriting import Makers, each_line, makers, write
from .slices import columns, cut


def compose_views(program: Program) -> Program:
    """Write a view of a view as one view, and slices last.

    ``a[:4].T`` becomes ``a.T[:, :4]``, so that it is seen as a slice of the same array as
    ``a.T[:, 4:]``. A slice along an axis comes after those along the axes before it.
    """
    made = makers(program.lines)

    def rewrite(line: Instruction, new: list[Any]) -> None:
        if line.uses and line.args[0] in made:
            _compose(line, made[line.args[0]], new, made)
        new.append(line)

    program.lines = each_line(program.lines, rewrite)
    return program


def _compose(line: Instruction, first: Instruction, new: list[Any], made: Makers) -> None:
    x: Any = first.args[0] if first.args else None
    found = cut(first)
    match first.function, line.function:
        case "reshape", "reshape":
            line.args = (x,)
        case "transpose", "transpose":
            axes = first.settings["axes"]
            line.args, line.settings = (x,), {"axes": tuple(axes[i] for i in line.settings["axes"])}
        case "index", "transpose" | "reshape" | "index" if found:
            _slice_last(line, x, found, new, made)


def _slice_last(
    line: Instruction, x: Any, found: tuple[int, int, int], new: list[Any], made: Makers
) -> None:
    axis, start, stop = found
    shape = line.out.shape
    if line.function == "index":
        second = cut(line)
        if second is None or second[0] > axis:
            return
        if second[0] == axis:
            ends = start + second[1], start + second[2]
            line.args, line.settings = (x,), {"index": columns(axis, *ends)}
            return
        whole = write(new, "index", x, index=columns(*second))
    elif line.function == "transpose":
        axes = line.settings["axes"]
        whole = write(new, "transpose", x, axes=axes)
        axis = axes.index(axis)
    else:
        rest, whole_axis, size = [*shape], axis - len(x.shape), x.shape[axis]
        if axis == 0:
            whole_axis = 0
        if whole_axis not in (0, -1) or shape[whole_axis:][:1] != (stop - start,) or start == stop:
            return
        rest[whole_axis] = size
        axis, whole = whole_axis % len(shape), write(new, "reshape", x, shape=tuple(rest))
    made[whole] = new[-1]
    line.function, line.args = "index", (whole,)
    line.settings = {"index": columns(axis, start, stop)}
    made[line.out] = line
