"""Allocation of the arrays that a loop writes into.

Every step writes into the same few arrays. An array is reused as soon as its value is dead.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .lines import UFUNCS, VIEWS, Line
from .plan import Plan, Stage

WRITE_INTO = frozenset({*UFUNCS, "dot", "concatenate", "sum", "prod", "max", "min", "copy"}) - {
    "where"
}


def spare(plan: Plan, name: str) -> str:
    """Return the name of the second array of a carried gradient.

    Each step reads one of the two and writes the other; then they swap.
    """
    return plan.writer.beside(name, "spare")


class Buffers:
    """The array for every value of a loop that is not kept over time.

    Attributes
    ----------
    made : dict of str to (shape, dtype)
        The arrays to allocate before the loop.
    out : dict of str to str
        The array that each value is written into.
    """

    def __init__(
        self,
        plan: Plan,
        loop: Stage,
        lines: list[Line],
        kept: set[str],
        carried: list[str],
        following: list[Any],
    ):
        self.made: dict[str, tuple[tuple[int, ...], np.dtype]] = {}
        self.out: dict[str, str] = {}
        owner: dict[str, str] = {}
        last: dict[str, int] = {}
        for i, line in enumerate(lines):
            owner[line.name] = (
                owner.get(line.uses[0], line.uses[0])
                if line.fn in VIEWS and line.uses
                else line.name
            )
            for use in line.uses:
                last[owner.get(use, use)] = i
        for name in following:
            if name is not None:
                last[str(owner.get(name, name))] = len(lines)
        free: dict[Any, list[str]] = {}
        taken: dict[str, str] = {}
        next_: dict[Any, str] = dict(zip(following, carried, strict=True)) if loop.backwards else {}
        for i, line in enumerate(lines):
            if line.name in kept or line.fn not in WRITE_INTO:
                continue
            if line.name in next_ and following.count(line.name) == 1:
                self.out[line.name] = spare(plan, next_[line.name])
                continue
            key = (line.shape, line.dtype)
            dying = [
                u
                for u in dict.fromkeys(line.uses)
                if u in taken and owner[u] == u and last.get(u) == i and (self.key(plan, u) == key)
            ]
            if line.fn in UFUNCS and dying:
                place = taken.pop(dying[0])
            elif free.get(key):
                place = free[key].pop()
            else:
                place = plan.writer.fresh("out")
                self.made[place] = key
            self.out[line.name] = taken[line.name] = place
            for name in [name for name in taken if last.get(name, i) <= i and name != line.name]:
                free.setdefault(self.key(plan, name), []).append(taken.pop(name))

    @staticmethod
    def key(plan: Plan, name: str) -> Any:
        """Return the shape and dtype, which two values must share to share an array."""
        return plan.lines[name].shape, plan.lines[name].dtype


def taken_over(
    plan: Plan, loop: Stage, lines: list[Line], kept: set[str], wanted: set[str]
) -> dict[str, str]:
    """Return the array over time, made before the loop, that each kept value may overwrite.

    The entry of a step in that array is dead when the value of the step is written.
    """
    position = {line.name: i for i, line in enumerate(lines)}
    last: dict[str, int] = {}
    elsewhere: set[str] = set(wanted)
    for name, line in plan.lines.items():
        for use in line.uses:
            if name in position:
                last[use] = max(last.get(use, 0), position[name])
            elif line.fn in VIEWS or plan.stages[name] > loop:
                elsewhere.add(use)
    viewed = {use for line in lines if line.fn in VIEWS for use in line.uses}
    before = Stage.BACK_BEFORE if loop.backwards else Stage.BEFORE
    fresh = [
        n
        for n, x in plan.lines.items()
        if plan.stages[n] == before
        and x.fn in WRITE_INTO
        and n not in elsewhere | viewed
        and n in last
    ]
    found: dict[str, str] = {}
    for line in lines:
        if line.name not in kept or line.fn not in WRITE_INTO or line.fn == "dot":
            continue
        for name in fresh:
            made = plan.lines[name]
            over = last[name] < position[line.name] or (
                last[name] == position[line.name] and line.fn in UFUNCS
            )
            if over and (made.shape, made.dtype) == (line.shape, line.dtype):
                found[line.name] = name
                fresh.remove(name)
                break
    return found


def in_place(plan: Plan, lines: list[Line], wanted: set[str]) -> dict[str, str]:
    """Return, for lines outside of loops, the dead argument that each result may overwrite."""
    here = {line.name: line for line in lines}
    stage = plan.stages[lines[0].name]
    viewed = {
        use
        for line in plan.lines.values()
        if line.fn in VIEWS or plan.stages[line.name] != stage
        for use in line.uses
    }
    last = {use: line.name for line in lines for use in line.uses}
    found: dict[str, str] = {}
    for line in lines:
        if line.fn not in UFUNCS or line.fn == "where":
            continue
        for use in line.uses:
            other = here.get(use)
            fresh = (
                other is not None
                and (other.fn in UFUNCS or other.fn == "dot")
                and use not in viewed | wanted
            )
            if (
                other is not None
                and fresh
                and last[use] == line.name
                and (other.shape, other.dtype) == (line.shape, line.dtype)
            ):
                found[line.name] = use
                break
    return found
