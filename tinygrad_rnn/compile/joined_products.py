"""Passes that write several matrix products as one product of larger matrices."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from .algebra import sums_of_terms
from .instructions import Instruction, Loop, Program, Variable
from .rewriting import Makers, count_uses, last_addition, makers, reach, sort_lines, write
from .slices import joined, lines_of_parts, runs

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
    edges = _edges(lines)
    for side, group in list(_candidates(lines)):
        for members in _worth_joining(group, side, inside, made):
            others = [line.args[1 - side] for line in members]
            read = reach(others, edges)
            present = set(lines)
            if all(line in present and line.out not in read for line in members):
                lines = _join(lines, members, side, made)
                edges = _edges(lines)
    return lines


def _edges(lines: list[Any]) -> dict[Variable, list[Variable]]:
    """Return what each result is computed from; a loop waits for all that it reads."""
    uses = [(line.results, line.uses) for line in lines]
    return {y: read for results, read in uses for y in results}


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
    new += lines_of_parts(product, axis, [line.out for line in members])
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
    program.lines = _join_sums(program.lines, None, made, uses)
    return program


def _join_sums(
    lines: list[Any], inside: set[Variable] | None, made: Makers, uses: Any
) -> list[Any]:
    for line in lines:
        if isinstance(line, Loop):
            line.body = _join_sums(line.body, set(line.inside), made, uses)
    new: list[Any] = []
    local = set(lines)
    for line, terms in sums_of_terms(lines, uses):
        products = [
            made[x]
            for x in terms
            if x in made and made[x] in local and uses[x] == 1 and _is_term(made[x], line, inside)
        ]
        products = _in_order(products, inside is None, made)
        new.append(_as_one(line, terms, products, new, made) if products[1:] else line)
    return new


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
    return last_addition(new, [write(new, "matmul", left, right), *rest], line.out)
