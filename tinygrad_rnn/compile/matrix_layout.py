"""The pass that decides about the order of matrices in memory."""

from __future__ import annotations

from typing import Any

from .instructions import Instruction, Loop, Program, Variable
from .rewriting import around_loops, makers, write
from .slices import cut

SMALL = 64
"""Rows or columns below which a transposed matrix is not copied."""


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

    return around_loops(program, rewrite)
