"""Slices of one array: finding them, and joining them again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .instructions import Instruction, Loop, Program, Variable
from .over_time import stack
from .rewriting import Makers, around_loops, makers, write


@dataclass(frozen=True, slots=True)
class Piece:
    """A slice ``whole[..., start:stop, ...]`` of an array, where `whole` is `root` after `views`.

    Attributes
    ----------
    root : Variable
    views : tuple of (str, tuple)
        Transposes by their axes, reshapes by their shapes, and slices along other axes by their
        ends.
    start, stop, size : int
        The slice, and the length of the whole, along the axis in question.
    """

    root: Variable
    views: tuple[tuple[str, tuple[Any, ...]], ...]
    start: int
    stop: int
    size: int

    @property
    def whole(self) -> Any:
        """The array of which it is a slice."""
        return self.root, self.views


def piece(x: Variable, axis: int, made: Makers) -> Piece | None:
    """Return a variable as a slice along one axis of a larger array, if it is one."""
    line = made.get(x)
    shown = line.args[0] if line is not None and line.args else None
    if line is None or not isinstance(shown, Variable):
        return None
    if not x.shape:
        return None
    axis %= len(x.shape)
    match line.function:
        case "index":
            ends = _ends(shown, line.settings["index"])
            if ends is None:
                return None
            (start, stop), size = ends[axis], shown.shape[axis]
            others = tuple((None, None) if k == axis else end for k, end in enumerate(ends))
            view = ("index", others)
            if (start, stop) != (0, size):
                whole = all(
                    end in ((None, None), (0, n))
                    for end, n in zip(others, shown.shape, strict=True)
                )
                return Piece(shown, () if whole else (view,), start, stop, size)
            part = piece(shown, axis, made)
        case "transpose":
            axes = tuple(line.settings["axes"])
            part = piece(shown, axes[axis], made)
            view = ("transpose", axes)
        case "reshape" if axis == len(x.shape) - 1 and shown.shape[-1:] == x.shape[-1:]:
            part = piece(shown, len(shown.shape) - 1, made)
            view = ("reshape", (*x.shape[:-1], part.size if part else 0))
        case _:
            return None
    return part and Piece(part.root, (*part.views, view), part.start, part.stop, part.size)


def _grown(x: Variable, axis: int, size: int) -> tuple[int, ...]:
    return (*x.shape[:axis], size, *x.shape[axis + 1 :])


def _ends(x: Variable, index: Any) -> list[tuple[int, int]] | None:
    """Return where an index starts and stops along each axis, if it is slices only."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if ... in parts:
        k = parts.index(...)
        parts[k : k + 1] = [slice(None)] * (len(x.shape) - len(parts) + 1)
    parts += [slice(None)] * (len(x.shape) - len(parts))
    if not all(isinstance(part, slice) and part.step in (None, 1) for part in parts):
        return None
    return [part.indices(n)[:2] for part, n in zip(parts, x.shape, strict=True)]


def runs(parts: list[Variable], axis: int, made: Makers) -> list[list[int]]:
    """Group the numbers of the parts: each group is consecutive slices of one array."""
    pieces = [piece(x, axis % len(x.shape), made) for x in parts]
    order = [k for k, found in enumerate(pieces) if found is not None]
    order.sort(key=lambda k: pieces[k].start)  # type: ignore[union-attr]
    groups: dict[Any, list[int]] = {}
    for k in order:
        found: Any = pieces[k]
        group = groups.setdefault(found.whole, [])
        if not group or pieces[group[-1]].stop == found.start:  # type: ignore[union-attr]
            group.append(k)
    return list(groups.values())


def joined(lines: list[Any], parts: list[Variable], axis: int, made: Makers) -> Variable:
    """Return the parts side by side: the array of which they are slices, or a new array."""
    axis %= len(parts[0].shape)
    if [list(range(len(parts)))] != runs(parts, axis, made):
        return write(lines, "concatenate", *parts, axis=axis)
    first: Any = piece(parts[0], axis, made)
    x, stop = first.root, first.start + sum(part.shape[axis] for part in parts)
    for function, setting in first.views:
        match function:
            case "transpose":
                x = write(lines, function, x, axes=setting)
            case "reshape":
                x = write(lines, function, x, shape=setting)
            case _:
                x = write(lines, function, x, index=tuple(slice(*ends) for ends in setting))
    if (first.start, stop) == (0, first.size):
        return x
    return write(lines, "index", x, index=columns(axis, first.start, stop))


def columns(axis: int, start: int, stop: int) -> tuple[slice, ...]:
    """Return the index of a slice along one axis."""
    return (*(slice(None),) * axis, slice(start, stop))


def show_parts(loop: Loop, whole: Variable, index: dict[Variable, Any]) -> list[Any]:
    """Return lines that make stacks of a loop slices of one array, `whole`, by their indices."""
    lines = []
    for x, part in loop.stacks:
        if x in index:
            if x.name and part.name in ("", x.name):
                part.name = f"{x.name}s"  # as stacks are called
            lines.append(Instruction("index", (whole,), {"index": index[x]}, part))
    loop.stacks = [pair for pair in loop.stacks if pair[0] not in index]
    return lines


def join_slices(program: Program) -> Program:
    """Read an array in place of a concatenation of its slices."""
    made = makers(program.lines)
    program.lines = _join_slices(program.lines, made)
    return program


def _join_slices(lines: list[Any], made: Makers) -> list[Any]:
    new: list[Any] = []
    for line in lines:
        if isinstance(line, Loop):
            line.body = _join_slices(line.body, made)
        elif line.function == "concatenate":
            axis, parts = line.settings["axis"], []
            for group in _neighbours(line.uses, axis, made):
                parts.append(joined(new, group, axis, made) if group[1:] else group[0])
            line.args = tuple(parts)  # `propagate_copies` leaves out what has one part
        new.append(line)
    return new


def _neighbours(parts: list[Variable], axis: int, made: Makers) -> list[list[Variable]]:
    """Group the parts: those that follow each other in the list and in one array."""
    groups: list[list[Variable]] = []
    for x in parts:
        if groups and runs([*groups[-1], x], axis, made) == [[*range(len(groups[-1]) + 1)]]:
            groups[-1].append(x)
        else:
            groups.append([x])
    return groups


def stack_joined(program: Program) -> Program:
    """Stack a concatenation in place of its parts, where all parts are stacked.

    Their stacks become slices of one array, so that products after the loop can be joined as well.
    """

    def rewrite(loop: Loop) -> tuple[list[Any], list[Any]]:
        after: list[Any] = []
        wholes = dict(loop.stacks)
        for line in loop.body:
            stacked = {x for x, _ in loop.stacks}
            if not isinstance(line, Instruction) or line.function != "concatenate":
                continue
            if not stacked.issuperset(line.args) or len(set(line.args)) < len(line.args):
                continue
            whole, start = stack(loop, wholes, line.out), 0
            axis = line.settings["axis"] % len(line.out.shape)
            index = {}
            for x in line.uses:
                index[x] = columns(axis + 1, start, start + x.shape[axis])
                start += x.shape[axis]
            # a part may be a concatenation too: its stack has to be there before its slices
            after[:0] = show_parts(loop, whole, index)
        return [], after

    program.lines = around_loops(program.lines, rewrite)
    return program
