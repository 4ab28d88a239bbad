"""The optimisation passes in the order in which they run."""

from __future__ import annotations

from .algebra import regroup_sums, separate_coefficients
from .composed_views import compose_views
from .constants import fold_constants
from .instructions import Program
from .joined_products import join_products, join_sums_of_products
from .matrix_layout import lay_out_matrices
from .motion import hoist_along_time, hoist_invariants, sink_along_time
from .parts_of_products import split_products
from .rewriting import copied
from .siblings import join_siblings
from .simplify import eliminate_dead_code, propagate_copies, share_common_subexpressions
from .slices import join_slices, stack_joined
from .sums import sum_over_time

CLEANING = (propagate_copies, compose_views, share_common_subexpressions, eliminate_dead_code)
"""Passes that leave out lines that other passes have made needless."""

PASSES = (
    fold_constants,
    *CLEANING,
    hoist_invariants,
    propagate_copies,  # a stack of what does not change is not read any more
    hoist_invariants,
    split_products,
    hoist_invariants,
    regroup_sums,
    separate_coefficients,
    *CLEANING,
    sum_over_time,
    hoist_along_time,
    sink_along_time,
    *CLEANING,
    join_products,  # in loops, then what they leave behind
    join_sums_of_products,
    hoist_invariants,
    eliminate_dead_code,
    stack_joined,
    *CLEANING,
    join_products,
    join_slices,
    join_sums_of_products,
    *CLEANING,
    join_siblings,
    join_slices,
    hoist_invariants,
    hoist_along_time,
    *CLEANING,
    lay_out_matrices,
)
"""The passes; each takes a program, which it changes, and returns it."""


def optimize(program: Program) -> Program:
    """Return a program that computes the same up to rounding, in less time."""
    program = copied(program)
    for rewrite in PASSES:
        program = rewrite(program)
    return program
