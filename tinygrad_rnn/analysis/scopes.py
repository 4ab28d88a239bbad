"""Scopes of recorded results: numbering of their modules, calls and scans; search for loops.

A node holds the scope in which it was recorded. In this scope a module is identified by its `id`,
and a call or a scan by the value of the `clock` when it began. `resolve_scopes` turns both into
small ordinals: 1, 2, ….

Hashing a scope is slow because each part is hashed in Python. So `resolve_scopes` returns one
object for all equal scopes, and `once_per_scope` looks a scope up by its `id`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from ..graph import Value
from ..scope_part import Scope, ScopePart
from .plain_loops import add_plain_loops

K = TypeVar("K")
R = TypeVar("R")

Loop = tuple[Scope, int]
"""The scope of a loop, and one of its time steps."""


def once_per_scope(function: Callable[[Scope], R]) -> Callable[[Scope], R]:
    """Return `function` with a cache by the `id` of the scope.

    The cache keeps the scope alive, so another scope cannot get the same `id`.
    """
    results: dict[int, tuple[Scope, R]] = {}

    def cached(scope: Scope) -> R:
        entry = results.get(id(scope))
        if entry is None:
            entry = results[id(scope)] = scope, function(scope)
        return entry[1]

    return cached


def resolve_scopes(values: Iterable[Value]) -> dict[Value, Scope]:
    """Return the scope of each result, with a separate scope for each call and each scan.

    So a time step of one call is never confused with the same time step of another call.

    - A second module of the same name becomes ``linear (2)``. Its third call becomes
      ``linear (2), call 3``.
    - The turns of a loop in plain Python become time steps (`plain_loops`).
    - A second scan in the scope ``gru`` gets the scope ``gru, scan 2``. A second scan outside of
      all scopes, or directly in a time step of another scan, gets the scope ``loop, scan 2``.

    Parameters
    ----------
    values : iterable of Value
        Results, oldest first: calls are counted in this order.

    Returns
    -------
    dict of Value to tuple of ScopePart
        Equal scopes are one object, and so are equal parts.
    """
    ordinals: dict[tuple, dict[int, int]] = {}
    shared: dict[ScopePart | Scope, Any] = {}

    def count(key: tuple, identity: int) -> int:
        """Return 1 for the first identity that comes under `key`, 2 for the next new one, …."""
        counted = ordinals.setdefault(key, {})
        return counted.setdefault(identity, len(counted) + 1)

    def share(part: ScopePart) -> ScopePart:
        return shared.setdefault(part, part)

    def share_scope(scope: Scope) -> Scope:
        return shared.setdefault(scope, scope)

    @once_per_scope
    def resolve(scope: Scope) -> Scope:
        resolved: list[ScopePart] = []
        for part in scope:
            if part.kind == "call":
                here = (*resolved, part.name)
                module = count((*here, "modules"), part.index)
                call = count((*here, "calls", module), part.call)
                resolved.append(share(ScopePart("module", part.name, module, call)))
            elif part.is_step:
                scan = count((*resolved, "scans"), part.call) if part.call else 1
                if scan > 1:
                    has_name = resolved and not resolved[-1].is_step
                    name = str(resolved.pop()) if has_name else "loop"
                    resolved.append(share(ScopePart("loop", name, call=scan)))
                resolved.append(share(ScopePart(part.kind, part.name, part.index)))
            else:
                resolved.append(share(part))
        return shared.setdefault(tuple(resolved), tuple(resolved))

    values = list(values)
    scopes = {value: resolve(value.node.scope) for value in values}
    return {value: share_scope(scope) for value, scope in add_plain_loops(values, scopes).items()}


def plain_scope(scope: Scope) -> tuple[str | int, ...]:
    """Return a scope in the form for JSON: time steps as int, all other parts as str.

    Examples
    --------
    >>> plain_scope((ScopePart("name", "encoder"), ScopePart("step", index=3)))
    ('encoder', 3)
    """
    return tuple(part.index if part.is_step else str(part) for part in scope)


def time_step(scope: Scope) -> int | None:
    """Return the innermost time step of a scope; None if the scope is in no loop."""
    return next((part.index for part in reversed(scope) if part.is_step), None)


def is_in_gradient(scope: Scope) -> bool:
    """Return whether the ops in a scope compute gradients."""
    return any(part.kind == "gradient" for part in scope)


def loop_of(scope: Scope) -> Loop | None:
    """Return a scope's outermost loop and time step in it; None if the scope is in no loop."""
    for i, part in enumerate(scope):
        if part.is_step:
            return scope[:i], part.index
    return None


def find_loops_around(scopes: Mapping[K, Scope]) -> dict[K, Loop | None]:
    """Return a dict that has the keys of `scopes` and the values `loop_of(scope)`.

    If two loops have equal scopes, these scopes are one object.
    """
    shared: dict[Scope, Scope] = {}

    @once_per_scope
    def find(scope: Scope) -> Loop | None:
        place = loop_of(scope)
        return place and (shared.setdefault(place[0], place[0]), place[1])

    return {key: find(scope) for key, scope in scopes.items()}


def is_nested(scope: Scope) -> bool:
    """Return whether a scope lies in a loop inside a time step of another loop."""
    return sum(part.is_step for part in scope) > 1
