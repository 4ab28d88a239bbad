"""First states of loops that are computed, or that have another name than the state."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from ..analysis.labels import SUBSCRIPTS
from ..analysis.scopes import loop_of
from ..scope_part import Scope
from .crossings import find_entry, inner_steps, key_across_steps, step_scope
from .picture import Edge, Picture, Vertex


def add_first_states(picture: Picture, *, keep_leaves: bool) -> Picture:
    """Return `picture` with a state vertex where a computed value enters a loop as its first state.

    The first step uses such a value as other steps use the state of the step before: by the same
    ops. Without the vertex, its edges would lead into the middle of the first step.
    """
    sources = {edge.target: edge.source for edge in picture.edges}
    parameters: dict[str, set[str]] = {}
    for edge in picture.edges:
        if picture.vertices[edge.source].kind == "parameter":
            parameters.setdefault(edge.target, set()).add(edge.source)
    uses: dict[tuple[Scope, str, int], set[Any]] = {}
    for edge in picture.edges:
        source, target = picture.vertices[edge.source], picture.vertices[edge.target]
        entry = find_entry(source.scope, target.scope)
        if source.kind == "state":
            own = source.scope[:-1], source.scope[-1].index
            uses.setdefault((own[0], edge.source, own[1]), set()).add(
                _role(target, own[0], parameters)
            )
        if entry and target.kind != "state":
            role = _role(target, entry[0], parameters)
            uses.setdefault((entry[0], edge.source, entry[1]), set()).add(role)
    roles: dict[Scope, dict[frozenset[Any], Vertex]] = {}
    filled: set[tuple[Scope, int, frozenset[Any]]] = set()
    for (loop, source, step), found in uses.items():
        vertex = picture.vertices[source]
        if vertex.kind == "state" and vertex.scope[:-1] == loop:
            filled.add((loop, step, frozenset(found)))
            if source in sources:
                roles.setdefault(loop, {})[frozenset(found)] = vertex
    entered: dict[tuple[Scope, str], set[int]] = {}
    for loop, source, step in uses:
        entered.setdefault((loop, source), set()).add(step)
    starts: dict[tuple[str, Scope, int], Vertex] = {}
    for (loop, source, step), found in uses.items():
        key, vertex = frozenset(found), picture.vertices[source]
        state = roles.get(loop, {}).get(key)
        is_known = (loop, step, key) in filled or len(entered[loop, source]) > 1
        if state is None or is_known or vertex.kind == "steps":
            continue
        carried = state.values[0].name or "" if state.values else ""
        name = vertex.name or carried + str(step - state.reach).translate(SUBSCRIPTS)
        shown = name if carried or vertex.name else ""
        starts[source, loop, step] = Vertex(
            "_".join([f"{source}_in{step}", *inner_steps(loop)]),
            "state",
            shown,
            "" if shown else "·",
            step_scope(loop, step),
            vertex.values,
            reach=state.reach,
            carries=carried,
        )
    if not keep_leaves:
        picture = _turn_leaves_into_states(picture, roles, filled, parameters)
    if not starts:
        return picture
    edges: dict[Edge, None] = {}
    for edge in picture.edges:
        ends = picture.vertices[edge.source].scope, picture.vertices[edge.target].scope
        place = find_entry(*ends)
        start = starts.get((edge.source, *place)) if place else None
        if start is not None:
            edges[Edge(edge.source, start.id, edge.values)] = None
            edge = replace(edge, source=start.id)
        edges[edge] = None
    vertices: dict[str, Vertex] = {}
    for name, vertex in picture.vertices.items():
        for start in starts.values():
            if vertex.scope[: len(start.scope)] == start.scope:
                vertices.setdefault(start.id, start)
        vertices[name] = vertex
    return Picture(vertices, list(edges), picture.notes)


def _turn_leaves_into_states(
    picture: Picture,
    roles: Mapping[Scope, Mapping[frozenset[Any], Vertex]],
    filled: Collection[tuple[Scope, int, frozenset[Any]]],
    parameters: Mapping[str, set[str]],
) -> Picture:
    """Return `picture` with state vertices for leaves that a first step uses as its state."""
    used: dict[str, list[Vertex]] = {}
    for edge in picture.edges:
        used.setdefault(edge.source, []).append(picture.vertices[edge.target])
    vertices = dict(picture.vertices)
    for name, vertex in picture.vertices.items():
        place = loop_of(vertex.scope)
        if vertex.kind not in ("input", "constant") or not place or name not in used:
            continue
        loop, step = place
        key = frozenset(_role(user, loop, parameters) for user in used[name])
        state = roles.get(loop, {}).get(key)
        if state is not None and (loop, step, key) not in filled:
            carried = state.values[0].name or "" if state.values else ""
            vertices[name] = replace(
                vertex, kind="state", scope=step_scope(loop, step), reach=state.reach,
                carries=carried,
            )  # fmt: skip
    return Picture(vertices, picture.edges, picture.notes)


def _role(vertex: Vertex, loop: Scope, parameters: Mapping[str, set[str]]) -> Any:
    """Return what a vertex is in its step, whatever the step: its key, and its parameters."""
    inner = vertex.scope[len(loop) + 1 :]
    return inner, key_across_steps(vertex), frozenset(parameters.get(vertex.id, ()))
