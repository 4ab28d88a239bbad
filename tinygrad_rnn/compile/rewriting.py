"""Helpers of the passes: writing new instructions, finding and renaming variables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .instructions import (
    REDUCTIONS,
    UFUNCS,
    Argument,
    Instruction,
    Loop,
    Program,
    State,
    Variable,
    compute,
    walk,
)

ELEMENTWISE = frozenset({*UFUNCS, "where", "astype", "copy"})
"""Functions that compute each entry of the result from one entry of each argument."""


def write(lines: list[Any], function: str, *args: Argument, **settings: Any) -> Variable:
    """Append an instruction to `lines`, and return its result."""
    shape = _shape(function, args, settings)
    out = Variable("", shape, _dtype(function, args, settings))
    lines.append(Instruction(function, args, settings, out))
    return out


def alias(lines: list[Any], out: Variable, x: Variable) -> None:
    """Append a line that makes `out` another name of `x`; `propagate_copies` leaves it out."""
    lines.append(Instruction("reshape", (x,), {"shape": x.shape}, out))


def last_addition(lines: list[Any], terms: Iterable[Variable], out: Variable) -> Instruction:
    """Append the sum of the terms except for its last addition, and return that."""
    total, *others, final = terms
    for x in others:
        total = write(lines, "add", total, x)
    return Instruction("add", (total, final), {}, out)


def shape_of(x: Argument) -> tuple[int, ...]:
    """Return the shape of an argument; that of a literal number is empty."""
    return x.shape if isinstance(x, Variable) else ()


def _shape(function: str, args: tuple[Argument, ...], settings: dict[str, Any]) -> tuple[int, ...]:
    shapes = [shape_of(x) for x in args]
    if function in ELEMENTWISE:
        return np.broadcast_shapes(*shapes)
    if function in ("reshape", "broadcast_to", "scatter"):
        return tuple(settings["shape"])
    if function == "matmul":
        a, b = shapes
        columns = b[-1:] if len(b) > 1 else ()
        return (*np.broadcast_shapes(a[:-2], b[:-2]), *a[-2:-1], *columns)
    # of the others, a call on arrays without memory of their own gives the shape
    parts = [np.broadcast_to(np.zeros((), bool), shape) for shape in shapes]
    return compute(function, parts, settings).shape


def _dtype(function: str, args: tuple[Argument, ...], settings: dict[str, Any]) -> Any:
    if "dtype" in settings:
        return np.dtype(settings["dtype"])
    kinds = [x.dtype if isinstance(x, Variable) else type(x) for x in args]
    ones = [kind(1) if isinstance(kind, type) else np.ones(1, kind) for kind in kinds]
    if function not in ELEMENTWISE and function not in REDUCTIONS:
        return np.result_type(*ones)
    if function in REDUCTIONS:
        settings = {"axis": (0,), "keepdims": False}
    result = compute(function, ones, settings)
    return result.dtype if isinstance(result, np.ndarray) else type(result)


# -- finding ---------------------------------------------------------------------------------------


def makers(lines: Iterable[Any]) -> dict[Variable, Instruction]:
    """Return the instruction that assigns each variable, also of those inside of loops."""
    return {line.out: line for line in walk(lines) if isinstance(line, Instruction)}


def count_uses(program: Program) -> Counter[Variable]:
    """Count how often each variable is read by lines, by the ends of loops, and as an output."""
    uses = Counter(program.outputs)
    for line in walk(program.lines):
        if isinstance(line, Loop):
            uses.update(x for x, _ in (*line.stacks, *line.sums))
            uses.update(whole for _, whole in line.slices)
            uses.update(x for state in line.states for x in (state.start, state.next))
        else:
            uses.update(line.uses)
    return uses


def dependencies(lines: Iterable[Any]) -> dict[Variable, list[Variable]]:
    """Return for each variable the variables from which it is computed directly."""
    found: dict[Variable, list[Variable]] = {}
    for line in walk(lines):
        if isinstance(line, Loop):
            for inside, whole in line.slices:
                found[inside] = [whole]
            for inside, whole in (*line.stacks, *line.sums):
                found[whole] = [inside]
            for state in line.states:
                found[state.inside] = found[state.last] = [state.start, state.next]
        else:
            found[line.out] = line.uses
    return found


def reach(roots: Iterable[Variable], edges: dict[Variable, list[Variable]]) -> set[Variable]:
    """Return the roots, and all variables from which they are computed."""
    found: set[Variable] = set()
    waiting = list(roots)
    while waiting:
        x = waiting.pop()
        if x not in found:
            found.add(x)
            waiting += edges.get(x, ())
    return found


def changing(loop: Loop) -> set[Variable]:
    """Return the variables inside of a loop that depend on its states, or on an effect."""
    found = {state.inside for state in loop.states}
    for line in loop.body:
        if line.has_effect or not found.isdisjoint(line.uses):
            found.update(line.results)
    return found


# -- rewriting -------------------------------------------------------------------------------------


def rename(program: Program, names: dict[Variable, Any]) -> None:
    """Replace variables wherever they are read; a literal number only as an argument."""

    def new(x: Any) -> Any:
        while isinstance(x, Variable) and x in names:
            x = names[x]
        return x

    def kept(x: Variable) -> Variable:
        y = new(x)
        return y if isinstance(y, Variable) else x

    for line in walk(program.lines):
        if isinstance(line, Loop):
            line.slices = [(x, kept(whole)) for x, whole in line.slices]
            line.stacks = [(kept(x), whole) for x, whole in line.stacks]
            line.sums = [(kept(x), total) for x, total in line.sums]
            line.states = [
                State(kept(s.start), s.inside, kept(s.next), s.last) for s in line.states
            ]
        else:
            line.args = tuple(new(x) for x in line.args)
    program.outputs = [kept(x) for x in program.outputs]


Around = Callable[[Loop], tuple[list[Any], list[Any]]]


def around_loops(program: Program, rewrite: Around) -> Program:
    """Rewrite each loop, inner loops first.

    ``rewrite(loop)`` changes the loop and returns the lines to write before and after it.
    """
    program.lines = _around(program.lines, rewrite)
    return program


def _around(lines: list[Any], rewrite: Around) -> list[Any]:
    new: list[Any] = []
    for line in lines:
        if isinstance(line, Loop):
            line.body = _around(line.body, rewrite)
            before, after = rewrite(line)
            new += [*before, line, *after]
        else:
            new.append(line)
    return new


def loops_of(program: Program) -> list[Loop]:
    """Return all loops, also those inside of loops."""
    return [line for line in walk(program.lines) if isinstance(line, Loop)]


def copied(program: Program) -> Program:
    """Return a copy of a program, with the same variables, that passes may change."""
    return Program(list(program.inputs), _copied(program.lines), list(program.outputs))


def _copied(lines: Iterable[Any]) -> list[Any]:
    return [
        Loop(line.steps, line.reverse, _copied(line.body), list(line.slices), list(line.states),
             list(line.stacks), list(line.sums))
        if isinstance(line, Loop)
        else Instruction(line.function, line.args, line.settings, line.out)
        for line in lines
    ]  # fmt: skip
