"""Rolled view: one time step stands for all steps of a loop."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from ..analysis.labels import SUBSCRIPTS, escape_unprintable
from ..analysis.scopes import is_nested, loop_of
from ..graph import Scope, ScopePart
from .picture import Edge, Picture, Vertex, merge_vertices
from .steps import SUBSCRIPT, find_loops, key_across_steps

INDEX = re.compile(r"\[(\d+)(?=[],])")


def roll_steps(picture: Picture) -> Picture:
    """Return `picture` with one time step in place of all.

    Vertices of different steps become one if they have the same key (`key_across_steps`) and the
    same rank among those with this key in their step. A vertex that occurs in one of several steps
    only, for example the first state, stays outside. The ``lag`` of an edge counts the steps from
    making to use.
    """
    every = find_loops(picture)
    patterns: dict[str, tuple] = {}
    ranks: Counter[tuple] = Counter()
    members: dict[tuple, dict[int, Vertex]] = {}
    # From the end, because the first step may lack ops: those of a constant start are not recorded.
    for name, vertex in reversed(picture.vertices.items()):
        if (place := loop_of(vertex.scope)) and place[0] in every:
            loop, step = place
            key = (loop, vertex.scope[len(loop) + 1 :], *key_across_steps(vertex))
            ranks[(*key, step)] += 1
            patterns[name] = (*key, ranks[(*key, step)])
            members.setdefault(patterns[name], {})[step] = vertex
    model = {
        pattern: _generic_vertex(found, every[pattern[0]], pattern[0], pattern[1])
        for pattern, found in members.items()
    }
    stands_for = {}
    for name, pattern in reversed(patterns.items()):
        vertex = picture.vertices[name]
        is_carried = vertex.kind == "state" and vertex.values[0].node is not None
        if is_carried or len(members[pattern]) > 1 or len(every[pattern[0]]) == 1:
            stands_for[name] = model[pattern]
        elif vertex.kind != "op":
            stands_for[name] = replace(vertex, scope=pattern[0])
    rolled = merge_vertices(
        Picture(picture.vertices, _edges_with_lag(picture), picture.notes), stands_for
    )
    if any(is_nested(vertex.scope) for vertex in picture.vertices.values()):
        rolled.notes.append(
            "a loop inside of a time step is drawn step by step; the outer one is rolled up"
        )
    return _join_first_states(rolled, _find_first_states(picture))


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
    steps: dict[Scope, set[int]] = {}
    for vertex in picture.vertices.values():
        if place := loop_of(vertex.scope):
            steps.setdefault(place[0], set()).add(place[1])
    order = {loop: {step: i for i, step in enumerate(sorted(n))} for loop, n in steps.items()}
    edges = []
    for edge in picture.edges:
        before, after = (loop_of(picture.vertices[end].scope) for end in (edge.source, edge.target))
        if not before and picture.vertices[edge.target].kind == "state":
            edge = replace(edge, when="at first")
        elif before and after and before[0] == after[0]:
            edge = replace(edge, lag=order[after[0]][after[1]] - order[before[0]][before[1]])
        edges.append(edge)
    return edges


def _find_first_states(picture: Picture) -> set[str]:
    """Return the ids of vertices outside of a loop that only its first step uses."""
    every = find_loops(picture)
    first_steps: dict[Scope, int] = {}
    for vertex in picture.vertices.values():
        if (place := loop_of(vertex.scope)) and vertex.kind == "op":
            first_steps.setdefault(*place)
    uses: dict[str, set[bool]] = {}
    for edge in picture.edges:
        source = picture.vertices[edge.source]
        before, after = loop_of(source.scope), loop_of(picture.vertices[edge.target].scope)
        if not after or after[0] not in every:
            continue
        is_inside = before is not None and before[0] == after[0]
        if not is_inside or source.kind in ("input", "parameter"):
            is_first = after[1] == first_steps[after[0]] and len(every[after[0]]) > 1
            uses.setdefault(edge.source, set()).add(is_first)
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
