"""Time steps in a picture: find the loops, add their states, and leave out the middle steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from ..analysis.labels import find_initial_states
from ..analysis.scopes import Loop, is_nested, loop_of, once_per_scope
from ..graph import Value
from ..scope_part import Scope, ScopePart
from .crossings import find_crossing, inner_steps, key_across_steps, step_scope
from .first_states import add_first_states
from .picture import Edge, Picture, Vertex, find_places, merge_vertices


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
        crossing = find_crossing(source.scope, target.scope)
        if place and len(begin.get(source.id, ())) > 1:
            crossing = place, starts[source.values[0]]
        if crossing is None:
            edges.append(edge)
            continue
        after, made = crossing
        name = "_".join([f"{source.id}_in{after[1]}", *inner_steps(after[0])])
        if name not in states:
            states[name] = Vertex(
                name,
                "state",
                source.name,
                "" if source.name else source.text,
                step_scope(*after),
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
            vertex = replace(vertex, kind="state", scope=step_scope(loop, step), reach=reach)
        elif (
            vertex.kind == "input"
            and inside
            and (inside[0], vertex.values[0].name) in named
            and vertex.values[0].name not in numbered
        ):
            vertex = replace(vertex, kind="state", scope=step_scope(*inside), reach=1)
        if name in first_use and first_use[name] not in vertices:
            vertices[first_use[name]] = states[first_use[name]]
        vertices[name] = vertex
    whole = Picture({**vertices, **states}, edges, list(picture.notes))
    return add_first_states(whole, keep_leaves=keep_leaves)


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
