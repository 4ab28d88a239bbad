"""Passes that rearrange sums and products in a loop, so that most of a step can run earlier."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .instructions import Argument, Instruction, Program, Variable, compute
from .rewriting import changing, count_uses, last_addition, loops_of, write


def regroup_sums(program: Program) -> Program:
    """Add first, in a loop, the terms that do not depend on the states.

    Of ``((x_t + b) + h @ U) + c`` these are b and c, which are the same in all steps, and x_t:
    their sum can run before the loop.
    """
    uses = count_uses(program)
    for loop in loops_of(program):
        late, inside, body = changing(loop), set(loop.inside), []
        for line, terms in sums_of_terms(loop.body, uses):
            early = sorted((x for x in terms if x not in late), key=inside.__contains__)
            if len(early) > 1 and len(early) < len(terms):
                ordered = [*early, *(x for x in terms if x in late)]
                line = last_addition(body, ordered, line.out)
            body.append(line)
        loop.body = body
    return program


def sums_of_terms(body: list[Any], uses: Counter[Variable]) -> list[tuple[Any, list[Variable]]]:
    """Return each line of a body with the terms of the sum that it computes.

    Sums that are only read by another sum are among its terms. A line that is no sum of arrays of
    one floating dtype has no terms.
    """
    terms: dict[Variable, list[Variable]] = {}
    found = []
    for line in body:
        if _is_float_sum(line):
            terms[line.out] = [
                x
                for arg in line.args
                for x in (terms[arg] if arg in terms and uses[arg] == 1 else [arg])
            ]
        found.append((line, terms.get(line.results[0], []) if line.results else []))
    return found


def _is_float_sum(line: Any) -> bool:
    return (
        isinstance(line, Instruction)
        and line.function == "add"
        and not line.out.is_number
        and line.out.dtype.kind in "fc"
        and all(isinstance(x, Variable) and x.dtype == line.out.dtype for x in line.args)
        and not any(x.is_number for x in line.uses)
    )


def separate_coefficients(program: Program) -> Program:
    """Write a value that depends on the states as one coefficient times a source, in a loop.

    The coefficient does not depend on the states. In ``(g * z) * (1 - n)`` and in
    ``g * a + g * b``, where g is carried, it is ``z * (1 - n)`` and ``a + b``: the local
    derivative, which can run before the loop.
    """
    uses = count_uses(program)
    for loop in loops_of(program):
        body: list[Any] = []
        forms: dict[Variable, tuple[Variable, Argument]] = {}
        late = changing(loop)
        for line in loop.body:
            if isinstance(line, Instruction) and line.out in late:
                body.append(_separated(line, body, forms, late, uses))
            else:
                body.append(line)
        loop.body = body
    return program


def _separated(
    line: Instruction,
    body: list[Any],
    forms: dict[Variable, tuple[Variable, Argument]],
    late: set[Variable],
    uses: Counter[Variable],
) -> Instruction:
    """Return a line as coefficient times source, and append what computes the coefficient."""
    out, function = line.out, line.function
    arrays = [x for x in line.uses if not x.is_number]
    if out.is_number or out.dtype.kind not in "fc" or any(x.dtype != out.dtype for x in arrays):
        return line

    def form(x: Any) -> tuple[Any, Argument]:
        return forms[x] if x in forms and uses[x] == 1 else (x, 1)

    sources = [x for x in line.args if x in late]
    if function == "negative" or (function == "multiply" and len(sources) == 1):
        x = sources[0]
        source, first = form(x)
        factor = next((c for c in line.args if c not in late), -1)
        if source is x:
            forms[out] = x, factor
            return line
        coefficient = _combined(body, "multiply", first, factor)
    elif function in ("add", "subtract") and len(sources) == 2 and sources[0] is not sources[1]:
        (source, first), (other, second) = map(form, sources)
        if source is not other:
            return line
        coefficient = _combined(body, function, first, second)
    else:
        return line
    forms[out] = source, coefficient
    return Instruction("multiply", (source, coefficient), {}, out)


def _combined(body: list[Any], function: str, a: Argument, b: Argument) -> Argument:
    if not isinstance(a, Variable) and not isinstance(b, Variable):
        return compute(function, [a, b], {})
    if function == "multiply" and not isinstance(a, Variable) and a == 1:
        return b
    if function == "multiply" and not isinstance(b, Variable) and b == -1:
        return write(body, "negative", a)
    return write(body, function, a, b)
