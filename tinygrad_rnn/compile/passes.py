"""The optimisation passes in the order in which they run."""

from __future__ import annotations

from .algebra import regroup_sums, separate_coefficients
from .instructions import Program
from .motion import hoist_along_time, hoist_invariants
from .rewriting import copied
from .simplify import eliminate_dead_code, propagate_copies, share_common_subexpressions
from .sums import sum_over_time

CLEANING = (propagate_copies, share_common_subexpressions, eliminate_dead_code)
"""Passes that leave out lines that other passes have made needless."""

PASSES = (
    *CLEANING,
    hoist_invariants,
    propagate_copies,  # a stack of what does not change is not read any more
    regroup_sums,
    hoist_invariants,
    separate_coefficients,
    *CLEANING,
    sum_over_time,
    hoist_along_time,
    *CLEANING,
)
"""The passes; each takes a program, which it changes, and returns it."""


def optimize(program: Program) -> Program:
    """Return a program that computes the same up to rounding, in less time."""
    program = copied(program)
    for rewrite in PASSES:
        program = rewrite(program)
    return program
