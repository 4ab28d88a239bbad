"""Where results were recorded: scopes of modules and loops, and the time steps in them."""

from __future__ import annotations

from collections.abc import Iterable

from ..graph import Call, Scope, TimeStep, Value, node_of

Loop = tuple[Scope, int]
"""The scope of a loop, and a time step of it."""


class Again(str):
    """A scope whose `name` another one has: ``gru, call 2`` is the second call of gru, ``linear (2)`` another module of that name."""

    name: str

    def __new__(cls, title: str, name: str) -> Again:
        """The scope of that name, with a title of its own."""
        again = super().__new__(cls, title)
        again.name = name
        return again


def resolve_scopes(values: Iterable[Value]) -> dict[Value, Scope]:
    """The scope of every result, oldest first; a module that is called twice, and a second walk through time, have their own.

    So what happened at one time step of one call is never mixed with what happened there in another.
    """
    known: dict[tuple, dict[int, int]] = {}

    def turn(key: tuple, number: int) -> int:
        return known.setdefault(key, {}).setdefault(number, len(known[key]) + 1)

    def apart(scope: Scope) -> Scope:
        found: list[str | int] = []
        for part in scope:
            if isinstance(part, Call):
                place = (*found, str(part))
                module = turn((*place, "modules"), part.of)
                call = turn((*place, "calls", module), part.entry)
                title = (
                    str(part)
                    + (f" ({module})" if module > 1 else "")
                    + (f", call {call}" if call > 1 else "")
                )
                found.append(part if title == part else Again(title, str(part)))
                continue
            walk = turn((*found, "walks"), part.entry) if isinstance(part, TimeStep) else 1
            if walk > 1:  # a walk has no name of its own: it gets that of the scope around it
                name = str(found.pop()) if found and isinstance(found[-1], str) else "loop"
                found.append(Again(f"{name}, call {walk}", name))
            found.append(part)
        return tuple(found)

    return {value: apart(node_of(value).scope) for value in values}


def time_step(scope: Scope) -> int | None:
    """The innermost time step of a scope, None outside of time."""
    return next((part for part in reversed(scope) if isinstance(part, int)), None)


def loop_of(scope: Scope) -> Loop | None:
    """The loop that a scope is in, and the time step; None outside of time. Of nested loops, the outermost."""
    for i, part in enumerate(scope):
        if isinstance(part, int):
            return scope[:i], part
    return None


def nests(scope: Scope) -> bool:
    """Whether a scope is in a loop that is in a time step of another."""
    return sum(isinstance(part, int) for part in scope) > 1
