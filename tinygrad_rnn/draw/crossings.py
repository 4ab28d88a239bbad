"""Steps of loops: what corresponds across steps, and where a value crosses from one to another."""

from __future__ import annotations

import re

from ..analysis.scopes import Loop
from ..scope_part import Scope, ScopePart
from .picture import Vertex

SUBSCRIPT = re.compile("₋?[₀-₉]+")


def find_crossing(made: Scope, used: Scope) -> tuple[Loop, int] | None:
    """Return the loop and the step in which a value of another step is used, and that other step.

    None if both scopes are in the same steps of all loops that they share.
    """
    for i, (a, b) in enumerate(zip(made, used, strict=False)):
        if a != b:
            return ((used[:i], b.index), a.index) if a.is_step and b.is_step else None
    return None


def find_entry(made: Scope, used: Scope) -> Loop | None:
    """Return the outermost loop around `used` that is not around `made`, and its step."""
    same = next(
        (i for i, (a, b) in enumerate(zip(made, used, strict=False)) if a != b),
        min(len(made), len(used)),
    )
    step = next((i for i in range(same, len(used)) if used[i].is_step), None)
    return None if step is None else (used[:step], used[step].index)


def inner_steps(loop: Scope) -> list[str]:
    """Return the steps of the loops around a loop, as parts of an id."""
    return [str(part.index) for part in loop if part.is_step]


def step_scope(loop: Scope, step: int) -> Scope:
    """Return the scope of a time step."""
    return (*loop, ScopePart("step", index=step))


def key_across_steps(vertex: Vertex) -> tuple:
    """Return a key that is the same for the counterparts of a vertex in other steps.

    The key consists of the kind, the name without the time step, and the op. A state has no op; in
    its place is the number of time steps that the state crosses. The key does not include the
    formula, because a formula contains time steps, as in ``h₂``.
    """
    value = vertex.values[0] if vertex.values else None
    made = value.node if value is not None else None
    if vertex.kind == "fold":
        return vertex.kind, SUBSCRIPT.sub("", vertex.name), ""
    if vertex.kind == "state":
        own = value.name if value is not None else ""
        return vertex.kind, vertex.carries or own, vertex.reach
    return vertex.kind, value.name if value is not None else "", made.op.name if made else ""
