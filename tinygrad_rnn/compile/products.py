"""Passes that write several matrix products as one product of larger matrices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from math import prod
from typing import Any

from .algebra import sums_of_terms
from .instructions import Instruction, Loop, Program, Variable, walk
from .rewriting import Makers, around_loops, changing, count_uses, makers, reach, sort_lines, write
from .slices import Slice, columns, cut, find_slice, joined, runs

# -- parts of products -----------------------------------------------------------------------------


def split_products(program: Program) -> Program:
    """Split a product in a loop whose parts do not depend on the same values.

    ``[x_t, h] @ W`` becomes ``x_t @ W[:n] + h @ W[n:]``, whose first term can leave the loop. A
    product that is only read in slices becomes a product for each slice. `join_products` joins
    again what stays in the loop.
    """
    made, uses = makers(program.lines), count_uses(program)
    for loop in [line for line in walk(program.lines) if isinstance(line, Loop)]:
        late, inside, body = changing(loop), set(loop.inside), []
        local = {line.out: line for line in loop.body if isinstance(line, Instruction)}
        parts = _read_in_slices(local, uses, made)
        for line in loop.body:
            found = parts.get(line.out) if isinstance(line, Instruction) else None
            if found is not None and local[found[0]].args[1] not in inside:
                a, b = local[found[0]].args
                matrix = write(body, "index", b, index=columns(1, *found[1:]))
                line = Instruction("matmul", (a, matrix), {}, line.out)
            if isinstance(line, Instruction) and line.function == "matmul":
                line = _of_parts(line, made, late, body)
            body.append(line)
        loop.body = body
    return program


def _read_in_slices(local: Makers, uses: Counter[Variable], made: Makers) -> dict[Variable, Slice]:
    """Return the slices of products with a matrix, of products that are not read otherwise."""
    slices = {x: find_slice(x, -1, made) for x in local if x.shape}
    found = {x: part for x, part in slices.items() if part and part[0] in local}
    reads = Counter(root for root, *_ in found.values())
    return {
        x: part
        for x, part in found.items()
        if local[part[0]].function == "matmul"
        and len(local[part[0]].uses[1].shape) == 2
        and reads[part[0]] == uses[part[0]]
    }


def _of_parts(line: Instruction, made: Makers, late: set[Variable], body: list[Any]) -> Any:
    """Return a product with a concatenation as the sum of the products with its parts."""
    a: Any
    b: Any
    a, b = line.args
    joint = made.get(a)
    if joint is None or joint.function != "concatenate" or len(b.shape) != 2:
        return line
    axis = joint.settings["axis"] % len(a.shape)
    alike = all(x.dtype == a.dtype for x in joint.uses)
    if axis != len(a.shape) - 1 or not alike or len({x in late for x in joint.uses}) == 1:
        return line
    start, terms = 0, []
    for _, group in groupby(joint.uses, late.__contains__):
        parts = list(group)
        stop = start + sum(x.shape[axis] for x in parts)
        if any(x not in made or made[x].function != "zeros" for x in parts):
            part = write(body, "concatenate", *parts, axis=axis) if parts[1:] else parts[0]
            terms.append((part, write(body, "index", b, index=columns(0, start, stop))))
        start = stop
    if len(terms) == 1:
        return Instruction("matmul", terms[0], {}, line.out)
    total, *others, final = [write(body, "matmul", *term) for term in terms]
    for x in others:
        total = write(body, "add", total, x)
    return Instruction("add", (total, final), {}, line.out)


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
        settings = {"index": columns(axis, start, stop)}
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


def lay_out_matrices(program: Program) -> Program:
    """Copy a transposed matrix before a loop that multiplies by it in every step.

    Such a product is faster with rows that are contiguous. Small matrices stay as they are: for
    them the difference does not pay for a copy.
    """
    made = makers(program.lines)
    transposed = {x for x, line in made.items() if line.function == "transpose"}
    transposed |= {x for x, line in made.items() if cut(line) and line.args[0] in transposed}

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
