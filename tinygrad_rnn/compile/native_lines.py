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
    pairs = [(x, y) for s in loop.states for x in (s.start, s.next, s.last) for y in [s.inside]]
    alike = all((x.shape, x.dtype) == (y.shape, y.dtype) for x, y in pairs)
    kept = [x for pair in (*pairs, *loop.stacks, *loop.sums) for x in pair]
    return alike and all(map(_is_known, kept))


def in_groups(lines: list[Any], source: Callable[[Any], Any]) -> list[list[Any]]:
    """Return the lines in an order in which many share a nest; other lines are groups of one.

    Each line stands as late as possible. `source` returns the value that a view shows.
    """
    maker = {y: line for line in lines for y in line.results}
    readers: dict[Any, set[Any]] = {line: set() for line in lines}
    beside: set[Any] = set()  # (line, reader) that may share a nest
    for line in lines:
        apart = {source(x) for x in line.uses if source(x) is not x}
        for x in map(source, line.uses):
            if x in maker:
                readers[maker[x]].add(line)
                if is_entrywise(line) and x not in apart and x.shape == line.out.shape:
                    beside.add((maker[x], line))
    waiting, done, groups = lines[::-1], set[Any](), list[list[Any]]()
    while waiting:
        ready = [line for line in waiting if readers[line] <= done]
        group = [line for line in ready if not is_entrywise(line)][:1]
        for line in waiting if not group else []:
            shape = group[0].out.shape if group else line.out.shape if line in ready else None
            if is_entrywise(line) and line.out.shape == shape:
                left = readers[line] - done
                if all(y in group and (line, y) in beside for y in left):
                    group.append(line)
        done.update(group)
        waiting = [line for line in waiting if line not in done]
        groups.insert(0, group[::-1])
    return groups
