"""Rolled view: one time step stands for all steps of a loop."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace

from ..analysis.labels import SUBSCRIPTS, escape_unprintable
from ..analysis.scopes import Loop, is_nested, loop_of, once_per_scope
from ..graph import Scope, ScopePart
from .picture import Edge, Picture, Vertex, find_places, merge_vertices
from .steps import SUBSCRIPT, find_loops, key_across_steps

INDEX = re.compile(r"\[(\d+)(?=[],])")


def roll_steps(picture: Picture) -> Picture:
    """Return `picture` with one time step in place of all.

    One vertex stands for the counterparts of all steps. A vertex that occurs in only one of several
    steps, for example the first state, stays outside. The ``lag`` of an edge is the number of steps
    from computation to use.
    """
    loops = find_loops(picture)
    stands_for: dict[str, Vertex] = {}
    for loop, inner, by_step in _group_counterparts(picture, loops):
        model = _generic_vertex(by_step, loops[loop], loop, inner)
        for vertex in by_step.values():
            is_carried = vertex.kind == "state" and vertex.values[0].node is not None
            if is_carried or len(by_step) > 1 or len(loops[loop]) == 1:
                stands_for[vertex.id] = model
            elif vertex.kind != "op":
                stands_for[vertex.id] = replace(vertex, scope=loop)
    rolled = merge_vertices(
        Picture(picture.vertices, _edges_with_lag(picture), picture.notes), stands_for
    )
    if any(map(once_per_scope(is_nested), (vertex.scope for vertex in picture.vertices.values()))):
        rolled.notes.append(
            "a loop inside of a time step is drawn step by step; the outer one is rolled up"
        )
    return _join_first_states(rolled, _find_first_states(picture))


def _group_counterparts(
    picture: Picture, loops: Collection[Scope]
) -> Iterable[tuple[Scope, Scope, dict[int, Vertex]]]:
    """Return the vertices of all loops, grouped by what they are and keyed by their time step.

    Vertices of different steps are counterparts if they are in the same scope inside the step, have
    the same key (`key_across_steps`), and have the same rank among the vertices of their step with
    that key. A group is given as its loop, its scope inside the step, and its vertices.
    """
    numbers: dict[tuple[Scope, Scope], int] = {}

    @once_per_scope
    def locate(scope: Scope) -> tuple[int, Scope, Scope, int] | None:
        """Return a number for the loop and the scope inside its step, then both, then the step."""
        place = loop_of(scope)
        if place is None or place[0] not in loops:
            return None
        loop, step = place
        inner = scope[len(loop) + 1 :]
        return numbers.setdefault((loop, inner), len(numbers)), loop, inner, step

    ranks: Counter[tuple] = Counter()
    groups: dict[tuple, tuple[Scope, Scope, dict[int, Vertex]]] = {}
    # Ranks are counted from the end because the first step may lack ops: if the initial state is a
    # constant, the ops on it alone are not recorded.
    for vertex in reversed(picture.vertices.values()):
        if place := locate(vertex.scope):
            number, loop, inner, step = place
            key = (number, *key_across_steps(vertex))
            ranks[*key, step] += 1
            group = groups.setdefault((*key, ranks[*key, step]), (loop, inner, {}))
            group[2][step] = vertex
    return groups.values()


def _generic_vertex(
    members: dict[int, Vertex], steps: list[int], loop: Scope, rest: Scope
) -> Vertex:
    """Return the vertex that stands for `members`, with ``t`` as the time step of its texts.

    ``h₃`` becomes ``hₜ``; the states next to it become ``hₜ₋₁`` and ``hₜ₊₁``. Only steps with
    neighbours on both sides are compared, because the first step may have another name for the
    state before it. Where their texts differ, the result has a gap: ``…``.
    """
    neighbours = {
        t: (before, after) for before, t, after in zip(steps, steps[1:], steps[2:], strict=False)
    }
    own = sorted(members)
    model = own[len(own) // 2] if len(own) > 2 else own[-1]
    inner = [t for t in own if t in neighbours] or [model]

    def unify(texts: dict[int, str]) -> str:
        counted = all(t in map(int, INDEX.findall(text)) for t, text in texts.items())
        numbers = {t: neighbours.get(t, (t - 1, t + 1)) for t in inner}
        if not any(part.is_step for part in rest):
            reach = members[model].reach
            texts = {t: _replace_step(texts[t], t, *numbers[t], reach, counted) for t in inner}
        words = [text.split(" ") for text in dict.fromkeys(texts[t] for t in inner)]
        if len(set(map(len, words))) > 1:
            return "…"
        return " ".join(
            column[0] if len(set(column)) == 1 else "…" for column in zip(*words, strict=True)
        )

    vertex = members[model]
    given = escape_unprintable((vertex.values[0].name if vertex.values else "") or "")
    suffix = unify({t: v.name.removeprefix(given) for t, v in members.items()})
    return replace(
        vertex,
        id=members[own[0]].id,
        name=given + suffix if vertex.name else "",
        text=unify({t: v.text for t, v in members.items()}),
        formula=unify({t: v.formula for t, v in members.items()}),
        scope=(*loop, ScopePart("rolled", f"t = {steps[0]} … {steps[-1]}"), *rest),
    )


def _replace_step(text: str, step: int, before: int, after: int, reach: int, counted: bool) -> str:
    """Return the text of one step with ``t`` in place of its number.

    If `counted`, the number in brackets, an index into a sequence, becomes ``t`` too.
    """
    names = {step: "ₜ", before: "ₜ₋₁", after: "ₜ₊₁"}
    if reach > 1:
        names |= {
            step - reach: "ₜ₋" + str(reach).translate(SUBSCRIPTS),
            step + reach: "ₜ₊" + str(reach).translate(SUBSCRIPTS),
        }
    symbols = {str(n).translate(SUBSCRIPTS): symbol for n, symbol in names.items()}
    text = SUBSCRIPT.sub(lambda found: symbols.get(found[0], found[0]), text)
    if not counted:
        return text
    return INDEX.sub(lambda found: "[t" if int(found[1]) == step else found[0], text)


def _edges_with_lag(picture: Picture) -> list[Edge]:
    """Return the edges with their lag, counted in the steps that the picture has."""
    loops = find_loops(picture, {vertex.kind for vertex in picture.vertices.values()})
    positions = {loop: {step: i for i, step in enumerate(steps)} for loop, steps in loops.items()}

    @once_per_scope
    def locate(scope: Scope) -> Loop | None:
        """Return the loop around a scope, and the position of its step among all steps."""
        place = loop_of(scope)
        return place and (place[0], positions[place[0]][place[1]])

    edges = []
    for edge in picture.edges:
        source, target = picture.vertices[edge.source], picture.vertices[edge.target]
        before, after = locate(source.scope), locate(target.scope)
        if not before and target.kind == "state":
            edge = replace(edge, when="at first")
        elif before and after and before[0] == after[0] and before[1] != after[1]:
            edge = replace(edge, lag=after[1] - before[1])
        edges.append(edge)
    return edges


def _find_first_states(picture: Picture) -> set[str]:
    """Return the ids of vertices outside of a loop that only its first step uses."""
    loops, places = find_loops(picture), find_places(picture)
    first_steps: dict[Scope, int] = {}
    for name, place in places.items():
        if place and picture.vertices[name].kind == "op":
            first_steps.setdefault(*place)

    @once_per_scope
    def is_first(scope: Scope) -> bool | None:
        """Return whether a step is the first of several; None for a scope in no loop with ops."""
        place = loop_of(scope)
        if place is None or place[0] not in loops:
            return None
        loop, step = place
        return step == first_steps[loop] and len(loops[loop]) > 1

    uses: dict[str, set[bool]] = {}
    for edge in picture.edges:
        source, target = picture.vertices[edge.source], picture.vertices[edge.target]
        before, after = places[edge.source], places[edge.target]
        is_inside = before and after and before[0] == after[0]
        if not is_inside or source.kind in ("input", "parameter"):
            first = is_first(target.scope)
            if first is not None:
                uses.setdefault(edge.source, set()).add(first)
    return {name for name, first in uses.items() if first == {True}}


def _join_first_states(picture: Picture, first: set[str]) -> Picture:
    """Return `picture` with edges from first states to the place of the state, not to its uses."""
    uses: dict[str, set[str]] = {}
    for edge in picture.edges:
        uses.setdefault(edge.source, set()).add(edge.target)
    places = [name for name, vertex in picture.vertices.items() if vertex.kind == "state"]
    entered: dict[str, list[str]] = {}
    for source in first & uses.keys():
        fits = [place for place in places if uses[source] & uses.get(place, set())]
        # Several states may start from one value; then each of them does.
        whole = [place for place in fits if uses[place] <= uses[source]]
        closest = sorted(fits, key=lambda place: len(uses[source] & uses[place]))[-1:]
        entered[source] = whole or closest
    edges: list[Edge] = []
    entering: dict[Edge, None] = {}
    for edge in picture.edges:
        into = [place for place in entered.get(edge.source, []) if edge.target in uses[place]]
        entering |= dict.fromkeys(replace(edge, target=place, when="at first") for place in into)
        edges += [] if into else [edge]
    return Picture(picture.vertices, [*edges, *entering], list(picture.notes))
