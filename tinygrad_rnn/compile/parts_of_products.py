"""The pass that writes a matrix product as several products of parts of the matrices."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import Any

from .instructions import Instruction, Program, Variable
from .rewriting import Makers, changing, count_uses, last_addition, loops_of, makers, write
from .slices import Slice, columns, find_slice


def split_products(program: Program) -> Program:
    """Split a product in a loop whose parts do not depend on the same values.

    ``[x_t, h] @ W`` becomes ``x_t @ W[:n] + h @ W[n:]``, whose first term can leave the loop. A
    product that is only read in slices becomes a product for each slice. `join_products` joins
    again what stays in the loop.
    """
    made, uses = makers(program.lines), count_uses(program)
    for loop in loops_of(program):
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
    return last_addition(body, [write(body, "matmul", *term) for term in terms], line.out)
