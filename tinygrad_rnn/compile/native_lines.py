"""Which lines Numba can compile, and in which order they share nests."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from .entries import DTYPES, computed_in
from .instructions import REDUCTIONS, VIEWS, Instruction, Loop, Variable
from .lowered import pick_entries, put_entries

CLASSES = (pick_entries, put_entries)
"""Functions that read or write one entry of each row."""


def is_view(line: Any) -> bool:
    """Return True if a line only shows entries of an array at other indices."""
    made = isinstance(line, Instruction) and line.function in VIEWS
    return made and all(_is_known(x) for x in (line.out, *line.args))


def is_entrywise(line: Any) -> bool:
    """Return True if a nest can compute the line entry by entry."""
    if not isinstance(line, Instruction):
        return False
    if line.function == "call" and line.settings["function"] in CLASSES:
        a, at = line.args
        return all(map(_is_known, (a, at, line.out))) and at.dtype.kind == "i"
    return computed_in(line) is not None or (line.function == "zeros" and _is_known(line.out))


def is_native(line: Any) -> bool:
    """Return True if Numba can compile a line."""
    if isinstance(line, Loop):
        return _has_arrays(line) and all(map(is_native, line.body))
    if is_entrywise(line) or is_view(line):
        return True
    known = all(_is_known(x) for x in (line.out, *line.args))
    alike = known and all(x.dtype == line.out.dtype for x in line.args)
    if line.function in REDUCTIONS:
        full = line.function not in ("max", "min") or 0 not in line.args[0].shape
        return alike and full and (line.out.dtype == np.bool_) == (line.function in ("any", "all"))
    return alike and (
        line.function == "concatenate" or (line.function == "matmul" and line.out.dtype.kind == "f")
    )


def work(line: Any) -> int:
    """Return the number of multiply-adds of the matrix products of a line, or of a step."""
    if isinstance(line, Loop):
        return sum(work(x) * (x.steps if isinstance(x, Loop) else 1) for x in line.body)
    product = line.function == "matmul"
    return prod((*line.out.shape, line.args[0].shape[-1])) if product else 0


def _is_known(x: Any) -> bool:
    return isinstance(x, Variable) and x.dtype in DTYPES and len(x.shape) <= 8


def _has_arrays(loop: Loop) -> bool:
    """Return True if all that a loop carries and keeps are arrays that do not change their kind."""
    states = [(s.inside, x) for s in loop.states for x in (s.start, s.next, s.last)]
    kept = [x for pair in (*states, *loop.stacks, *loop.sums) for x in pair]
    alike = all((x.shape, x.dtype) == (y.shape, y.dtype) for x, y in states)
    return alike and all(map(_is_known, kept))


def in_groups(lines: list[Any], source: Callable[[Any], Any]) -> list[list[Any]]:
    """Return the lines in an order in which many share a nest; other lines are groups of one.

    Each line stands as late as possible. `source` returns the value that a view shows.
    """
    maker = {y: line for line in lines for y in line.results}
    entrywise = {line for line in lines if is_entrywise(line)}
    readers: dict[Any, dict[Any, bool]] = {line: {} for line in lines}  # True: may share a nest
    for line in lines:
        for use in line.uses:
            if (x := source(use)) in maker:
                found = readers[maker[x]]
                same = use is x and line in entrywise and x.shape == line.out.shape
                found[line] = same and found.get(line, True)
    waiting, done, groups = lines[::-1], set[Any](), list[list[Any]]()
    while waiting:
        ready = [line for line in waiting if done.issuperset(readers[line])]
        group = [line for line in ready if line not in entrywise][:1]
        shape = ready[0].out.shape if not group else None
        for line in waiting:
            if line in entrywise and line.out.shape == shape:
                left = [y for y in readers[line] if y not in done]
                if all(y in group and readers[line][y] for y in left):
                    group.append(line)
        done.update(group)
        waiting = [line for line in waiting if line not in done]
        groups.insert(0, group[::-1])
    return groups
