"""Time steps in a picture: find the loops, add their states, and leave out the middle steps."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from ..analysis.labels import SUBSCRIPTS, find_initial_states
from ..analysis.scopes import Loop, is_nested, loop_of, once_per_scope
from ..graph import Value
from ..scope_part import Scope, ScopePart
from .picture import Edge, Picture, Vertex, find_places, merge_vertices

SUBSCRIPT = re.compile("₋?[₀-₉]+")


def find_loops(picture: Picture, kinds: Collection[str] = ("op", "fold")) -> dict[Scope, list[int]]:
    """Return, for every loop, the time steps that have a vertex of one of these kinds, in order."""
    loops: dict[Scope, set[int]] = {}

    @once_per_scope
    def add(scope: Scope) -> None:
        if place := loop_of(scope):
            loops.setdefault(place[0], set()).add(place[1])

    for vertex in picture.vertices.values():
        if vertex.kind in kinds:
            add(vertex.scope)
    return {loop: sorted(steps) for loop, steps in loops.items()}


def add_states(picture: Picture, *, keep_leaves: bool = False) -> Picture:
    """Return `picture` with state vertices added.

    A step that uses a value from another step gets one state vertex for that value. One edge then
    carries the state from step to step, however many ops use it. A leaf that a first step uses as
    its state becomes a state vertex too, unless `keep_leaves` is true.
    """
    starts = find_initial_states(
        vertex.values[0] for vertex in picture.vertices.values() if vertex.kind == "op"
    )
    begin = _find_uses_of_initial_states(picture, starts)
    places = find_places(picture)
    states: dict[str, Vertex] = {}
    named: set[tuple[Scope, str | None]] = set()
    edges: list[Edge] = []
    for edge in picture.edges:
        source, target = picture.vertices[edge.source], picture.vertices[edge.target]
        place = places[edge.target]
        is_shared = place and len(begin.get(source.id, ())) > 1
        crossing = (
            (place, starts[source.values[0]])
            if is_shared
            else find_crossing(source.scope, target.scope)
        )
        if crossing is None:
            edges.append(edge)
            continue
        after, made = crossing
        name = "_".join([f"{source.id}_in{after[1]}", *_inner_steps(after[0])])
        if name not in states:
            states[name] = Vertex(
                name,
                "state",
                source.name,
                "" if source.name else source.text,
                _step_scope(*after),
                source.values,
                reach=abs(after[1] - made),
            )
            edges.append(Edge(source.id, name, edge.values))
            if source.name:
                named.add((after[0], source.values[0].name))
        edges.append(Edge(name, target.id, edge.values))
    numbered = {x.name for x in starts}
    first_use = {edge.target: edge.source for edge in reversed(edges) if edge.source in states}
    vertices: dict[str, Vertex] = {}
    for name, vertex in picture.vertices.items():
        inside = places[name]
        if len(begin.get(name, ())) == 1:  # an initial state that one step uses
            ((loop, step),) = begin[name]
            reach = abs(step - starts[vertex.values[0]])
            vertex = replace(vertex, kind="state", scope=_step_scope(loop, step), reach=reach)
        elif (
            vertex.kind == "input"
            and inside
            and (inside[0], vertex.values[0].name) in named
            and vertex.values[0].name not in numbered
        ):
            vertex = replace(vertex, kind="state", scope=_step_scope(*inside), reach=1)
        if name in first_use and first_use[name] not in vertices:
            vertices[first_use[name]] = states[first_use[name]]
        vertices[name] = vertex
    whole = Picture({**vertices, **states}, edges, list(picture.notes))
    return _add_computed_starts(whole, keep_leaves)


def _add_computed_starts(picture: Picture, keep_leaves: bool) -> Picture:
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
            "_".join([f"{source}_in{step}", *_inner_steps(loop)]),
            "state",
            shown,
            "" if shown else "·",
            _step_scope(loop, step),
            vertex.values,
            reach=state.reach,
            carries=carried,
        )
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
                vertex, kind="state", scope=_step_scope(loop, step), reach=state.reach,
                carries=carried,
            )  # fmt: skip
    return Picture(vertices, picture.edges, picture.notes)


def _role(vertex: Vertex, loop: Scope, parameters: Mapping[str, set[str]]) -> Any:
    """Return what a vertex is in its step, whatever the step: its key, and its parameters."""
    inner = vertex.scope[len(loop) + 1 :]
    return inner, key_across_steps(vertex), frozenset(parameters.get(vertex.id, ()))


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


def _inner_steps(loop: Scope) -> list[str]:
    """Return the steps of the loops around a loop, for ids."""
    return [str(part.index) for part in loop if part.is_step]


def _step_scope(loop: Scope, step: int) -> Scope:
    """Return the scope of a time step."""
    return (*loop, ScopePart("step", index=step))


def _find_uses_of_initial_states(
    picture: Picture, starts: Mapping[Value, int]
) -> dict[str, set[Loop]]:
    """Return, for each initial state, the steps that use it.

    An initial state is left out if it is used in several loops, in a nested loop, or outside of all
    loops.
    """
    all_uses: dict[str, set[Loop | None]] = {}
    for edge in picture.edges:
        source, scope = picture.vertices[edge.source], picture.vertices[edge.target].scope
        if source.kind == "input" and source.values[0] in starts:
            place = None if is_nested(scope) else loop_of(scope)
            all_uses.setdefault(edge.source, set()).add(place)
    in_loops = {
        name: {use for use in uses if use} for name, uses in all_uses.items() if None not in uses
    }
    return {name: uses for name, uses in in_loops.items() if len({loop for loop, _ in uses}) == 1}


def keep_steps(picture: Picture, first: int, last: int) -> Picture:
    """Keep the first `first` and the last `last` steps of every loop; show "…" for the others.

    A loop gets one vertex "…" for each state that passes through the omitted steps, or a single
    vertex "…" if there is no such state.
    """
    places = find_places(picture)
    passing: dict[str, Vertex] = {}
    for edge in picture.edges:
        if picture.vertices[edge.target].kind == "state":
            for end in (edge.source, edge.target):
                passing[end] = picture.vertices[edge.source]
    stands_for: dict[str, Vertex] = {}
    for number, (loop, steps) in enumerate(find_loops(picture).items(), 1):
        hidden = steps[first : max(first, len(steps) - last)]
        if not hidden:
            continue
        title = f"t = {hidden[0]} … {hidden[-1]}" if len(hidden) > 1 else f"t = {hidden[0]}"
        mark = Vertex(
            f"steps{number}", "steps", "…", title, (*loop, ScopePart("steps", index=hidden[0]))
        )
        left_out, marks = set(hidden), {}
        for name, place in places.items():
            if not place or place[0] != loop or place[1] not in left_out:
                continue
            stands_for[name] = mark
            if source := passing.get(name):
                key = (source.scope[len(loop) + 1 :], *key_across_steps(source)[1:])
                text = "" if marks else title
                one = replace(mark, id=f"{mark.id}_{len(marks) + 1}", text=text)
                stands_for[name] = marks.setdefault(key, one)
        if marks:  # the first state's mark also stands for everything that is not a state
            first_mark = next(iter(marks.values()))
            stands_for |= {name: first_mark for name, v in stands_for.items() if v is mark}
    if not stands_for:
        return picture
    kept = merge_vertices(picture, stands_for)
    where = {name: vertex.scope for name, vertex in kept.vertices.items() if vertex.kind == "steps"}
    edges = [
        edge
        for edge in kept.edges
        if edge.source not in where or where[edge.source] != where.get(edge.target)
    ]
    return Picture(kept.vertices, edges, kept.notes)


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
