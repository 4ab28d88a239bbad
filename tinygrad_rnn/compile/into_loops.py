"""Elementwise work on arrays over time moves into the loop that reads it, where it needs no array.

For NumPy it is faster outside, in one call for all steps; a nest computes it for next to nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from .entries import computed_in
from .instructions import Instruction, Loop, Program, Variable


def into_loops(program: Program) -> Program:
    """Return a program that computes the same, with elementwise lines in the loops."""
    lines: list[Any] = []
    waiting = list(program.lines)
    counts = Counter(x for line in program.lines for x in _reads(line))
    counts.update(program.outputs)
    makers = {line.out: line for line in program.lines if isinstance(line, Instruction)}
    moved: set[Variable] = set()
    for line in reversed(waiting):
        if isinstance(line, Instruction) and line.out in moved:
            continue
        lines.append(_filled(line, makers, counts, moved) if isinstance(line, Loop) else line)
    return Program(program.inputs, lines[::-1], program.outputs)


def _reads(line: Any) -> list[Variable]:
    """Return what a line reads; what only the slices of a loop read, once."""
    if isinstance(line, Instruction):
        return line.uses
    wholes = {whole for _, whole in line.slices}
    body = {x for part in line.body for x in part.uses} | {x for x, _ in line.sums}
    body |= {x for x, _ in line.stacks} | {s.start for s in line.states}
    body |= {s.next for s in line.states}
    return [x for x in line.uses if x in wholes] + [x for x in line.uses if x in body]


def _filled(loop: Loop, makers: Any, counts: Counter[Variable], moved: set[Variable]) -> Loop:
    """Return a loop that computes by itself what only it reads."""
    slices, body = [], list(loop.body)
    waiting = list(loop.slices)
    taken = {whole: inside for inside, whole in loop.slices}
    while waiting:
        inside, whole = waiting.pop()
        line = makers.get(whole)
        alone = counts[whole] == 1 and sum(w is whole for _, w in loop.slices) <= 1
        if line is None or not alone or computed_in(line) is None or len(whole.shape) < 2:
            slices.append((inside, whole))
            continue
        args: list[Any] = []
        for x in line.args:
            over_time = isinstance(x, Variable) and len(x.shape) == len(whole.shape)
            if not over_time:
                args.append(x)
            elif x.shape[0] == 1 and loop.steps != 1:
                row = Variable("", x.shape[1:], x.dtype)
                body.insert(0, Instruction("index", (x,), {"index": (0,)}, row))
                args.append(row)
            else:
                if x not in taken:
                    taken[x] = Variable(x.name, x.shape[1:], x.dtype)
                    waiting.append((taken[x], x))
                    counts[x] -= line.uses.count(x) - 1
                else:
                    counts[x] -= line.uses.count(x)
                args.append(taken[x])
        note = inside.note or whole.note
        inside.note = note
        body.insert(0, Instruction(line.function, tuple(args), line.settings, inside))
        moved.add(whole)
    return Loop(loop.steps, loop.reverse, body, slices, loop.states, loop.stacks, loop.sums)
