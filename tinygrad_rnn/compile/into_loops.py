"""Elementwise work on arrays over time moves into the loop that reads it, where it needs no array.

For NumPy it is faster outside, in one call for all steps; a nest computes it for next to nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .entries import computed_in
from .instructions import Instruction, Loop, Program, Variable
from .native_lines import is_native


def into_loops(program: Program) -> Program:
    """Return a program that computes the same, with elementwise lines in the loops."""
    lines = [
        replace(line, body=line.body[:], slices=line.slices[:]) if isinstance(line, Loop) else line
        for line in program.lines
    ]
    for loop in [line for line in reversed(lines) if isinstance(line, Loop) and is_native(line)]:
        waiting = loop.slices[:]
        while waiting:
            inside, whole = waiting.pop()
            alone = len(whole.shape) > 1 and _reads_alone(loop, whole, lines, program)
            for line in [line for line in lines if alone and line.results == [whole]]:
                if isinstance(line, Instruction) and computed_in(line) is not None:
                    lines.remove(line)
                    loop.slices.remove((inside, whole))
                    inside.note = inside.note or whole.note
                    loop.body[:0] = _one_step(line, inside, loop, waiting)
    return Program(program.inputs, lines, program.outputs)


def _reads_alone(loop: Loop, whole: Variable, lines: list[Any], program: Program) -> bool:
    """Return True if only one slice of the loop reads a value."""
    others = [x for line in lines if line is not loop for x in line.uses]
    read = {*others, *program.outputs, *replace(loop, slices=[]).uses}
    return whole not in read and sum(x is whole for _, x in loop.slices) == 1


def _one_step(line: Instruction, out: Variable, loop: Loop, waiting: list[Any]) -> list[Any]:
    """Return lines that compute one step of an elementwise line; add the slices that they read."""
    lines, args = [], list(line.args)
    for i, x in enumerate(args):
        if not isinstance(x, Variable) or len(x.shape) < len(line.out.shape):
            continue
        args[i] = Variable(x.name, x.shape[1:], x.dtype)
        if x.shape[0] == 1 != loop.steps:
            lines.append(Instruction("index", (x,), {"index": (0,)}, args[i]))
        elif known := [inside for inside, whole in loop.slices if whole is x]:
            args[i] = known[0]
        else:
            loop.slices.append((args[i], x))
            waiting.append((args[i], x))
    return [*lines, Instruction(line.function, tuple(args), line.settings, out)]
