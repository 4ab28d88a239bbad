"""Passes that write several matrix products as one product of larger matrices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from .algebra import sums_of_terms
from .instructions import Instruction, Loop, Program, Variable
from .over_time import stack
from .rewriting import Makers, around_loops, count_uses, makers, reach, sort_lines, write

# -- slices of one array ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Piece:
    """A slice ``whole[..., start:stop, ...]`` of an array, where `whole` is `root` after `views`.

    Attributes
    ----------
    root : Variable
    views : tuple of (str, tuple)
        Transposes by their axes, and reshapes by their shapes.
    start, stop, size : int
        The slice, and the length of the whole, along the axis in question.
    """

    root: Variable
    views: tuple[tuple[str, tuple[int, ...]], ...]
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
    match line.function:
        case "index":
            return _slice(shown, line.settings["index"], axis)
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


def _slice(x: Variable, index: Any, axis: int) -> Piece | None:
    """Return the piece that an index gives, if it is a slice along this axis only."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if ... in parts:
        k = parts.index(...)
        parts[k : k + 1] = [slice(None)] * (len(x.shape) - len(parts) + 1)
    parts += [slice(None)] * (len(x.shape) - len(parts))
    if not all(isinstance(part, slice) and part.step in (None, 1) for part in parts):
        return None
    ends = [part.indices(n) for part, n in zip(parts, x.shape, strict=True)]
    if any(
        end[:2] != (0, n) for k, (end, n) in enumerate(zip(ends, x.shape, strict=True)) if k != axis
    ):
        return None
    start, stop, _ = ends[axis]
    return Piece(x, (), start, stop, x.shape[axis])


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
        key = "axes" if function == "transpose" else "shape"
        x = write(lines, function, x, **{key: setting})
    if (first.start, stop) == (0, first.size):
        return x
    return write(lines, "index", x, index=_columns(axis, first.start, stop))


def _columns(axis: int, start: int, stop: int) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, slice(start, stop))


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


# -- products with a common argument ---------------------------------------------------------------


def join_products(program: Program) -> Program:
    """Write several products with the same argument as one product, and views of its parts.

    ``h @ A`` and ``h @ B`` become ``h @ [A, B]``, and likewise for a common right argument. Where
    A and B are slices of one array already, nothing is copied. In a loop, else, matrices are
    joined if they do not change, and outside of loops if they are smaller than the argument.
    """
    made = makers(program.lines)
    program.lines = _join_in(program.lines, None, made)
    return program


def _join_in(lines: list[Any], loop: Loop | None, made: Makers) -> list[Any]:
    for line in lines:
        if isinstance(line, Loop):
            line.body = _join_in(line.body, line, made)
    inside = set(loop.inside) if loop else None
    for side, group in list(_candidates(lines)):
        for members in _worth_joining(group, side, inside, made):
            others = [line.args[1 - side] for line in members]
            # a loop is one line here: it waits for all that it reads
            read = reach(others, {y: line.uses for line in lines for y in line.results})
            present = set(lines)
            if all(line in present and line.out not in read for line in members):
                lines = _join(lines, members, side, made)
    return lines


def _candidates(lines: list[Any]) -> Iterator[tuple[int, list[Instruction]]]:
    """Yield the products with the same argument, at place 0 or 1, whose others fit together."""
    for side in (0, 1):
        groups: dict[Any, list[Instruction]] = {}
        for line in lines:
            if isinstance(line, Instruction) and line.function == "matmul":
                shared, other = line.args[side], line.args[1 - side]
                if len(other.shape) == 2 and (side == 0 or len(shared.shape) < 3):
                    groups.setdefault((shared, other.dtype), []).append(line)
        yield from ((side, group) for group in groups.values() if len(group) > 1)


def _worth_joining(
    group: list[Instruction], side: int, inside: set[Variable] | None, made: Makers
) -> list[list[Instruction]]:
    shared: Any = group[0].args[side]
    others: list[Any] = [line.args[1 - side] for line in group]
    if inside is not None:
        fixed = [k for k, x in enumerate(others) if x not in inside]
    else:
        small = sum(prod(x.shape) for x in others) <= prod(shared.shape)
        fixed = list(range(len(group))) if small else []
    consecutive = runs(others, 1 - side, made)
    if len(fixed) > 1 and not (len(consecutive) == 1 and len(consecutive[0]) == len(group)):
        consecutive = [fixed]
    return [[group[k] for k in part] for part in consecutive if len(part) > 1]


def _join(lines: list[Any], members: list[Instruction], side: int, made: Makers) -> list[Any]:
    shared: Any = members[0].args[side]
    others: list[Any] = [line.args[1 - side] for line in members]
    new: list[Any] = []
    whole = joined(new, others, 1 - side, made)
    product = write(new, "matmul", *((shared, whole) if side == 0 else (whole, shared)))
    axis = len(product.shape) - 1 if side == 0 else 0
    start = 0
    for line, other in zip(members, others, strict=True):
        stop = start + other.shape[1 - side]
        settings = {"index": _columns(axis, start, stop)}
        new.append(Instruction("index", (product,), settings, line.out))
        start = stop
    made.update({line.out: line for line in new})
    k = min(map(lines.index, members))
    rest = [line for line in lines[k:] if line not in members]
    return sort_lines([*lines[:k], *new, *rest])


# -- sums of products ------------------------------------------------------------------------------


def join_sums_of_products(program: Program) -> Program:
    """Write ``a @ A + b @ B`` as one product ``[a, b] @ [A, B]``.

    In a loop, the matrices must not change. Outside of loops, a and b must be slices of one array.
    """
    made, uses = makers(program.lines), count_uses(program)

    def rewrite(lines: list[Any], inside: set[Variable] | None) -> list[Any]:
        for line in lines:
            if isinstance(line, Loop):
                line.body = rewrite(line.body, set(line.inside))
        new: list[Any] = []
        local = set(lines)
        for line, terms in sums_of_terms(lines, uses):
            products = [
                made[x]
                for x in terms
                if x in made and made[x] in local and uses[x] == 1
                and _is_term(made[x], line, inside)
            ]  # fmt: skip
            products = _in_order(products, inside is None, made)
            new.append(_as_one(line, terms, products, new, made) if products[1:] else line)
        return new

    program.lines = rewrite(program.lines, None)
    return program


def _in_order(products: list[Instruction], free: bool, made: Makers) -> list[Instruction]:
    """Return the products to join, in the order in which their matrices follow each other.

    If it has to be free, they are those whose left arguments are slices of one array.
    """
    lefts: list[Any] = [product.args[0] for product in products]
    rights: list[Any] = [product.args[1] for product in products]
    if free:
        order = max(runs(lefts, -1, made), key=len, default=[])
    else:
        consecutive = runs(rights, 0, made)
        whole = bool(consecutive) and len(consecutive[0]) == len(rights)
        order = consecutive[0] if whole else range(len(products))
    return [products[k] for k in order]


def _is_term(product: Instruction, line: Instruction, inside: set[Variable] | None) -> bool:
    a: Any
    b: Any
    a, b = product.args if len(product.args) == 2 else (None, None)
    return (
        product.function == "matmul"
        and product.out.shape == line.out.shape
        and len(b.shape) == 2
        and a.dtype == b.dtype == line.out.dtype
        and (inside is None or (a in inside and b not in inside))
    )


def _as_one(
    line: Instruction,
    terms: list[Variable],
    products: list[Instruction],
    new: list[Any],
    made: Makers,
) -> Instruction:
    lefts: list[Any] = [product.args[0] for product in products]
    rights: list[Any] = [product.args[1] for product in products]
    left = joined(new, lefts, -1, made)
    right = joined(new, rights, 0, made)
    rest = [x for x in terms if made.get(x) not in products]
    if not rest:
        return Instruction("matmul", (left, right), {}, line.out)
    total = write(new, "matmul", left, right)
    *others, final = rest
    for x in others:
        total = write(new, "add", total, x)
    return Instruction("add", (total, final), {}, line.out)


# -- arrays for products ---------------------------------------------------------------------------


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
                index[x] = _columns(axis + 1, start, start + x.shape[axis])
                start += x.shape[axis]
            # a part may be a concatenation too: its stack has to be there before its slices
            after[:0] = [
                Instruction("index", (whole,), {"index": index[x]}, part)
                for x, part in loop.stacks
                if x in index
            ]
            loop.stacks = [pair for pair in loop.stacks if pair[0] not in index]
        return [], after

    program.lines = around_loops(program.lines, rewrite)
    return program


def lay_out_matrices(program: Program) -> Program:
    """Copy a transposed matrix before a loop that multiplies by it in every step.

    Such a product is faster with rows that are contiguous. Small matrices stay as they are: for
    them the difference does not pay for a copy.
    """
    transposed = {
        x for x, line in makers(program.lines).items() if line.function == "transpose"
    }  # fmt: skip

    def rewrite(loop: Loop) -> tuple[list[Any], list[Any]]:
        inside, before = set(loop.inside), []
        copies: dict[Variable, Variable] = {}
        for line in loop.body:
            if isinstance(line, Instruction) and line.function == "matmul":
                a, b = line.args
                if b in transposed and b not in inside and min(b.shape) >= SMALL:
                    if b not in copies:
                        copies[b] = write(before, "copy", b, order="C")
                    line.args = (a, copies[b])
        return before, []

    program.lines = around_loops(program.lines, rewrite)
    return program


SMALL = 64
"""Rows or columns below which a transposed matrix is not copied."""
