"""Passes that move lines out of loops, where they run once, for all steps at the same time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .instructions import VIEWS, Instruction, Loop, Program, Variable
from .over_time import OVER_TIME, Wholes, over_time, slices_of
from .rewriting import around_loops

LARGEST = 2**20
"""Bytes of an array over all steps above which elementwise work stays in its loop.

A larger array does not stay in the cache: to write and read it costs more than the calls of NumPy.
"""


def hoist_invariants(program: Program) -> Program:
    """Move lines that compute the same in every step to the place before their loop."""

    def hoist(loop: Loop) -> tuple[list[Any], list[Any]]:
        inside, before, body = set(loop.inside), [], []
        for line in loop.body:
            if line.has_effect or not inside.isdisjoint(line.uses):
                body.append(line)
            else:
                before.append(line)
                inside.difference_update(line.results)
        loop.body = body
        return before, []

    return around_loops(program, hoist)


def hoist_along_time(program: Program) -> Program:
    """Move lines that do not depend on the states to the place before their loop.

    Products always move, with all that they depend on; other lines do if the array is small enough.
    """

    def hoist(loop: Loop) -> tuple[list[Any], list[Any]]:
        wholes, before = slices_of(loop), []
        lifted = _worth_lifting(loop, wholes)
        for line in lifted:
            wholes[line.out] = over_time(before, line, wholes, loop.steps)
            loop.slices.append((line.out, wholes[line.out]))
        loop.body = _without(loop.body, lifted)
        return before, []

    return around_loops(program, hoist)


def _worth_lifting(loop: Loop, wholes: Wholes) -> list[Instruction]:
    inside = set(loop.inside)
    ready, able = set(wholes), []
    for line in loop.body:
        if _has_form(line, inside) and ready.issuperset(inside.intersection(line.uses)):
            able.append(line)
            ready.add(line.out)
    needed: set[Variable] = set()
    for line in reversed(able):
        if line.function == "matmul" or line.out in needed:
            needed.update(line.uses)
    ready, lifted = set(wholes), []
    for line in able:
        wanted = line.function == "matmul" or line.out in needed or _is_light(line, loop.steps)
        if wanted and ready.issuperset(inside.intersection(line.uses)):
            lifted.append(line)
            ready.add(line.out)
    return lifted


def _has_form(line: Any, inside: set[Variable]) -> bool:
    """Return True if `over_time` can write a line, and the line computes something in each step."""
    if not isinstance(line, Instruction) or line.function not in OVER_TIME:
        return False
    read = inside.intersection(line.uses)
    return bool(read) and not any(x.is_number for x in (*read, line.out))


def _is_light(line: Instruction, steps: int) -> bool:
    """Return True if the arrays over all steps of a line are views, or stay in the cache."""
    if line.function in VIEWS:
        return True
    largest = max(x.nbytes for x in (*line.uses, line.out) if not x.is_number)
    return steps * largest <= LARGEST


def _without(body: list[Any], moved: Iterable[Any]) -> list[Any]:
    gone = set(moved)
    return [line for line in body if line not in gone]
