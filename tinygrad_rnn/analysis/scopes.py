"""Scopes of recorded results: each call of a module and each scan by itself, and their time steps.

A node carries its scope as it was recorded (`graph.ScopePart`), in which a call and a scan are
known by the time at which they began. `resolve_scopes` turns these times into ordinals.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from ..graph import Scope, ScopePart, Value

Loop = tuple[Scope, int]
"""The scope of a loop, and a time step of it."""


def resolve_scopes(values: Iterable[Value]) -> dict[Value, Scope]:
    """Return the scope of each result; each call of a module and each scan has a scope of its own.

    So a time step of one call is never mixed with the same time step of another call.

    - A second module of one name becomes ``linear (2)``, its third call ``linear (2), call 3``.
    - A second scan in the scope ``gru`` turns this into ``gru, scan 2``; outside of all names it
      gets the scope ``loop, scan 2``.

    Parameters
    ----------
    values : iterable of Value
        Results, oldest first: calls are counted in this order.
    """
    known: dict[tuple, dict[int, int]] = {}

    def ordinal(key: tuple, identity: int) -> int:
        """Return the place of `identity` among all that were met under `key`, counted from 1."""
        met = known.setdefault(key, {})
        return met.setdefault(identity, len(met) + 1)

    @cache
    def resolve(scope: Scope) -> Scope:
        resolved: list[ScopePart] = []
        for part in scope:
            if part.kind == "call":
                here = (*resolved, part.name)
                module = ordinal((*here, "modules"), part.index)
                call = ordinal((*here, "calls", module), part.call)
                resolved.append(ScopePart("module", part.name, module, call))
            elif part.is_step:
                scan = ordinal((*resolved, "scans"), part.call) if part.call else 1
                if scan > 1:
                    has_name = resolved and not resolved[-1].is_step
                    name = str(resolved.pop()) if has_name else "loop"
                    resolved.append(ScopePart("loop", name, call=scan))
                resolved.append(replace(part, call=0))
            else:
                resolved.append(part)
        return tuple(resolved)

    return {value: resolve(value.node.scope) for value in values}


def plain_scope(scope: Scope) -> tuple[str | int, ...]:
    """Return a scope as JSON keeps it: the numbers of time steps as int, all other parts as str.

    Examples
    --------
    >>> plain_scope((ScopePart("name", "encoder"), ScopePart("step", index=3)))
    ('encoder', 3)
    """
    return tuple(part.index if part.is_step else str(part) for part in scope)


def time_step(scope: Scope) -> int | None:
    """Return the innermost time step of a scope; None outside of time."""
    return next((part.index for part in reversed(scope) if part.is_step), None)


def loop_of(scope: Scope) -> Loop | None:
    """Return the outermost loop around a scope, and the time step in it; None outside of time."""
    for i, part in enumerate(scope):
        if part.is_step:
            return scope[:i], part.index
    return None


def is_nested(scope: Scope) -> bool:
    """Return whether a scope lies in a loop inside a time step of another loop."""
    return sum(part.is_step for part in scope) > 1
