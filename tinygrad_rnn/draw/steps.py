"""Time in a picture: the steps of a loop, the states between them, and views of fewer steps or of one for all."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from ..graph import Scope
from .labels import SUBSCRIPTS
from .picture import Edge, Picture, Vertex, quotient

Loop = tuple[Scope, int]
"""The scope of a loop, and a time step of it."""


class Skipped(int):
    """The first of several time steps that a picture leaves out; it stands for all of them."""


class Rolled(str):
    """The part of a scope that stands for all time steps."""


def loop_of(scope: Scope) -> Loop | None:
    """The loop that a scope is in, and the time step; None outside of time. Of nested loops, the outermost."""
    for i, part in enumerate(scope):
        if isinstance(part, int):
            return scope[:i], part
    return None


def loops(picture: Picture) -> dict[Scope, list[int]]:
    """The time steps of every loop, in order."""
    found: dict[Scope, dict[int, None]] = {}
    for vertex in picture.vertices.values():
        place = loop_of(vertex.scope)
        if place and vertex.kind == "op":
            found.setdefault(place[0], {})[place[1]] = None
    return {loop: sorted(steps) for loop, steps in found.items()}


def states(picture: Picture) -> Picture:
    """A place in each time step for every value that it takes from an earlier one, so that one edge carries the state."""
    places: dict[str, Vertex] = {}
    edges: dict[Edge, None] = {}
    for edge in picture.edges:
        source, target = (picture.vertices[end] for end in (edge.source, edge.target))
        before, after = loop_of(source.scope), loop_of(target.scope)
        if not before or not after or before[0] != after[0] or before[1] == after[1]:
            edges[edge] = None
            continue
        name = f"{source.id}_in{after[1]}"
        scope = (*after[0], after[1])
        places[name] = Vertex(name, "state", source.name, "" if source.name else source.text, scope, source.values)
        edges[Edge(source.id, name, edge.values)] = None
        edges[Edge(name, target.id, edge.values)] = None
    first_use = {edge.target: edge.source for edge in reversed(edges) if edge.source in places}
    named = {(loop_of(place.scope)[0], place.values[0].name) for place in places.values() if place.name}  # type: ignore[index]
    vertices: dict[str, Vertex] = {}
    for name, vertex in picture.vertices.items():
        inside = loop_of(vertex.scope)
        if vertex.kind == "input" and inside and (inside[0], vertex.values[0].name) in named:
            vertex = replace(vertex, kind="state")  # the state before the first step
        if name in first_use and first_use[name] not in vertices:
            vertices[first_use[name]] = places[first_use[name]]
        vertices[name] = vertex
    return Picture({**vertices, **places}, list(edges), list(picture.notes))


def keep_steps(picture: Picture, first: int, last: int) -> Picture:
    """Of every loop the first and the last steps; a mark stands for those between, one for each state that passes through."""
    handed = {edge.target: edge.source for edge in picture.edges if picture.vertices[edge.target].kind == "state"}
    passing = {**{source: picture.vertices[source] for source in handed.values()}, **{t: picture.vertices[s] for t, s in handed.items()}}
    stands_for: dict[str, Vertex] = {}
    for number, (loop, steps) in enumerate(loops(picture).items(), 1):
        hidden = steps[first : max(first, len(steps) - last)]
        if not hidden:
            continue
        title = f"t = {hidden[0]} … {hidden[-1]}" if len(hidden) > 1 else f"t = {hidden[0]}"
        marks: dict[tuple, Vertex] = {}
        for name, vertex in picture.vertices.items():
            place = loop_of(vertex.scope)
            if place and place[0] == loop and place[1] in hidden:
                source = passing.get(name)
                key = (source.scope[len(loop) + 1 :], source.values[0].name, _form(source)) if source else ()
                stands_for[name] = Vertex(f"steps{number}", "steps", "…", title, (*loop, Skipped(hidden[0])))
                if key:
                    marks.setdefault(key, replace(stands_for[name], id=f"steps{number}_{len(marks) + 1}", text="" if marks else title))
                    stands_for[name] = marks[key]
        if marks:  # all that is not handed on goes with the first that is
            whole = next(iter(marks.values()))
            stands_for |= {name: whole for name, vertex in stands_for.items() if vertex.id == f"steps{number}"}
    kept = quotient(picture, stands_for)
    inner = [e for e in kept.edges if kept.vertices[e.source].kind == "steps" == kept.vertices[e.target].kind]
    return Picture(kept.vertices, [edge for edge in kept.edges if edge not in inner], kept.notes)


def roll(picture: Picture) -> Picture:
    """One time step for all: a vertex stands for those of the other steps that have its form and its turn.

    What is in one of several steps only, such as the first state, stays outside. An edge from a step to a later one keeps how
    much later: ``lag``.
    """
    every = loops(picture)
    patterns: dict[str, tuple] = {}
    turns: Counter[tuple] = Counter()
    times: dict[str, int] = {}
    for name, vertex in picture.vertices.items():
        if (place := loop_of(vertex.scope)) and place[0] in every:
            loop, step = place
            times[name] = step
            form = (loop, vertex.scope[len(loop) + 1 :], vertex.kind, _at_t(vertex.name, step), _form(vertex))
            turns[(*form, step)] += 1
            patterns[name] = (*form, turns[(*form, step)])
    common = Counter(patterns.values())
    model: dict[tuple, Vertex] = {}
    for name, pattern in patterns.items():  # the last step has a step before it, and says so: hₜ₋₁
        loop, rest, *_ = pattern
        vertex, steps = picture.vertices[name], every[loop]
        step = times[name]
        scope = (*loop, Rolled(f"t = {steps[0]} … {steps[-1]}"), *rest)
        first = model.get(pattern, vertex)
        model[pattern] = replace(
            vertex,
            id=first.id,
            name=_at_t(vertex.name, step),
            text=_at_t(vertex.text, step),
            scope=scope,
            formula=_at_t(vertex.formula, step),
        )
    stands_for = {}
    for name, pattern in patterns.items():
        if common[pattern] > 1 or len(every[pattern[0]]) == 1:
            stands_for[name] = model[pattern]
        elif picture.vertices[name].kind != "op":
            stands_for[name] = replace(picture.vertices[name], scope=pattern[0])
    edges = [_rolled(edge, picture) for edge in picture.edges]
    rolled = quotient(Picture(picture.vertices, edges, picture.notes), stands_for)
    return _entering_once(rolled, _first_states(picture))


def _form(vertex: Vertex) -> str:
    """What is alike in all steps: of an op its name, for its formula may say ``h`` at first and ``h₀`` later."""
    return vertex.values[0].node.op.name if vertex.kind == "op" and vertex.values[0].node else ""


def _rolled(edge: Edge, picture: Picture) -> Edge:
    """The edge with its lag."""
    before, after = (loop_of(picture.vertices[end].scope) for end in (edge.source, edge.target))
    return replace(edge, lag=after[1] - before[1]) if before and after and before[0] == after[0] else edge


def _first_states(picture: Picture) -> set[str]:
    """What is made outside of a loop and used in its first step alone."""
    every, goes = loops(picture), {}
    for edge in picture.edges:
        before, after = (loop_of(picture.vertices[end].scope) for end in (edge.source, edge.target))
        if (
            after
            and after[0] in every
            and (before is None or before[0] != after[0] or picture.vertices[edge.source].kind in ("input", "parameter"))
        ):
            goes.setdefault(edge.source, set()).add(after[1] == every[after[0]][0] and len(every[after[0]]) > 1)
    return {name for name, first in goes.items() if first == {True}}


def _entering_once(picture: Picture, first: set[str]) -> Picture:
    """A first state goes to the place of the state, not to everything that uses it."""
    uses: dict[str, set[str]] = {}
    for edge in picture.edges:
        uses.setdefault(edge.source, set()).add(edge.target)
    places = [name for name, vertex in picture.vertices.items() if vertex.kind == "state"]
    edges: dict[Edge, None] = {}
    for edge in picture.edges:
        fits = [place for place in places if edge.source in first and uses[edge.source] & uses[place]]
        place = max(fits, key=lambda place: len(uses[edge.source] & uses[place]), default=None)
        entering = place is not None and edge.target in uses[place]
        edges[replace(edge, target=place, when="at first") if entering else edge] = None
    return Picture(picture.vertices, list(edges), list(picture.notes))


def _at_t(text: str, step: int) -> str:
    """A name or a formula with ``t`` for the time step: h₃ becomes hₜ, its neighbours hₜ₋₁ and hₜ₊₁, and x[3] x[t]."""
    for n, symbol in ((step, "ₜ"), (step - 1, "ₜ₋₁"), (step + 1, "ₜ₊₁")):
        text = re.sub(f"(?<![₀-₉₋]){str(n).translate(SUBSCRIPTS)}(?![₀-₉])", symbol, text)
    return re.sub(rf"\[{step}(?=[],])", "[t", text)
