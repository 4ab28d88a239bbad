"""Time in a picture: the steps of a loop, the states between them, and views of fewer steps or of one for all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from ..analysis.labels import SUBSCRIPTS, escape_unprintable, find_initial_states
from ..analysis.scopes import Loop, is_nested, loop_of
from ..graph import Scope, ScopePart, Value
from .picture import Edge, Picture, Vertex, quotient

SUBSCRIPT = re.compile("₋?[₀-₉]+")
INDEX = re.compile(r"\[(\d+)(?=[],])")


def loops(picture: Picture) -> dict[Scope, list[int]]:
    """The time steps of every loop, in order."""
    found: dict[Scope, dict[int, None]] = {}
    for vertex in picture.vertices.values():
        place = loop_of(vertex.scope)
        if place and vertex.kind in ("op", "fold"):
            found.setdefault(place[0], {})[place[1]] = None
    return {loop: sorted(steps) for loop, steps in found.items()}


def states(picture: Picture) -> Picture:
    """A place in each time step for every value that it takes from another one, so that one edge carries the state."""
    starts = find_initial_states(
        vertex.values[0] for vertex in picture.vertices.values() if vertex.kind == "op"
    )
    begin = _begin(picture, starts)
    places: dict[str, Vertex] = {}
    named: set[tuple[Scope, str | None]] = set()
    edges: list[Edge] = []
    for edge in picture.edges:
        source, target = (picture.vertices[end] for end in (edge.source, edge.target))
        before, after = loop_of(source.scope), loop_of(target.scope)
        made = (
            (after[0], starts[source.values[0]])
            if after and len(begin.get(source.id, ())) > 1
            else before
        )
        if not made or not after or made[0] != after[0] or made[1] == after[1]:
            edges.append(edge)
            continue
        name = f"{source.id}_in{after[1]}"
        if name not in places:
            text = "" if source.name else source.text
            places[name] = Vertex(
                name,
                "state",
                source.name,
                text,
                (*after[0], ScopePart("step", index=after[1])),
                source.values,
                reach=abs(after[1] - made[1]),
            )
            edges.append(Edge(source.id, name, edge.values))
            if source.name:
                named.add((after[0], source.values[0].name))
        edges.append(Edge(name, target.id, edge.values))
    numbered = {x.name for x in starts}
    first_use = {edge.target: edge.source for edge in reversed(edges) if edge.source in places}
    vertices: dict[str, Vertex] = {}
    for name, vertex in picture.vertices.items():
        inside = loop_of(vertex.scope)
        if len(begin.get(name, ())) == 1:  # the state before the first step
            ((loop, step),) = begin[name]
            vertex = replace(
                vertex,
                kind="state",
                scope=(*loop, ScopePart("step", index=step)),
                reach=abs(step - starts[vertex.values[0]]),
            )
        elif (
            vertex.kind == "input"
            and inside
            and (inside[0], vertex.values[0].name) in named
            and vertex.values[0].name not in numbered
        ):
            here = (*inside[0], ScopePart("step", index=inside[1]))
            vertex = replace(vertex, kind="state", scope=here, reach=1)
        if name in first_use and first_use[name] not in vertices:
            vertices[first_use[name]] = places[first_use[name]]
        vertices[name] = vertex
    return Picture({**vertices, **places}, edges, list(picture.notes))


def _begin(picture: Picture, starts: Mapping[Value, int]) -> dict[str, set[Loop]]:
    """For each first state the steps that use it, if these are of one loop that is in no other."""
    found: dict[str, set[Loop | None]] = {}
    for edge in picture.edges:
        source, scope = picture.vertices[edge.source], picture.vertices[edge.target].scope
        if source.kind == "input" and source.values[0] in starts:
            found.setdefault(edge.source, set()).add(None if is_nested(scope) else loop_of(scope))
    known = {name: {use for use in uses if use} for name, uses in found.items() if None not in uses}
    return {name: uses for name, uses in known.items() if len({loop for loop, _ in uses}) == 1}


def keep_steps(picture: Picture, first: int, last: int) -> Picture:
    """Of every loop the first and the last steps; a mark stands for those between, one for each state that passes through."""
    handed = {
        edge.target: edge.source
        for edge in picture.edges
        if picture.vertices[edge.target].kind == "state"
    }
    passing = {
        end: picture.vertices[source]
        for target, source in handed.items()
        for end in (source, target)
    }
    stands_for: dict[str, Vertex] = {}
    for number, (loop, steps) in enumerate(loops(picture).items(), 1):
        hidden = steps[first : max(first, len(steps) - last)]
        if not hidden:
            continue
        title = f"t = {hidden[0]} … {hidden[-1]}" if len(hidden) > 1 else f"t = {hidden[0]}"
        within, marks = set(hidden), {}
        for name, vertex in picture.vertices.items():
            place = loop_of(vertex.scope)
            if place and place[0] == loop and place[1] in within:
                source = passing.get(name)
                key = (source.scope[len(loop) + 1 :], *_form(source)[1:]) if source else ()
                left_out = (*loop, ScopePart("steps", index=hidden[0]))
                stands_for[name] = Vertex(f"steps{number}", "steps", "…", title, left_out)
                if key:
                    marks.setdefault(
                        key,
                        replace(
                            stands_for[name],
                            id=f"steps{number}_{len(marks) + 1}",
                            text="" if marks else title,
                        ),
                    )
                    stands_for[name] = marks[key]
        if marks:  # all that is not handed on goes with the first that is
            whole = next(iter(marks.values()))
            stands_for |= {
                name: whole for name, vertex in stands_for.items() if vertex.id == f"steps{number}"
            }
    if not stands_for:
        return picture
    kept = quotient(picture, stands_for)
    where = {name: vertex.scope for name, vertex in kept.vertices.items() if vertex.kind == "steps"}
    edges = [
        edge
        for edge in kept.edges
        if edge.source not in where or where[edge.source] != where.get(edge.target)
    ]
    return Picture(kept.vertices, edges, kept.notes)


def roll(picture: Picture) -> Picture:
    """One time step for all: a vertex stands for those of the other steps that have its form and its turn.

    What is in one of several steps only, such as the first state, stays outside. An edge from a step to a later one keeps how
    much later: ``lag``.
    """
    every = loops(picture)
    patterns: dict[str, tuple] = {}
    turns: Counter[tuple] = Counter()
    members: dict[tuple, dict[int, Vertex]] = {}
    for name, vertex in reversed(
        picture.vertices.items()
    ):  # from the end, for a first step may lack what has a constant start
        if (place := loop_of(vertex.scope)) and place[0] in every:
            form = (place[0], vertex.scope[len(place[0]) + 1 :], *_form(vertex))
            turns[(*form, place[1])] += 1
            patterns[name] = (*form, turns[(*form, place[1])])
            members.setdefault(patterns[name], {})[place[1]] = vertex
    model = {
        pattern: _at_t(found, every[pattern[0]], pattern[0], pattern[1])
        for pattern, found in members.items()
    }
    stands_for = {}
    for name, pattern in reversed(patterns.items()):
        vertex = picture.vertices[name]
        handed_on = vertex.kind == "state" and vertex.values[0].node is not None
        if handed_on or len(members[pattern]) > 1 or len(every[pattern[0]]) == 1:
            stands_for[name] = model[pattern]
        elif vertex.kind != "op":
            stands_for[name] = replace(vertex, scope=pattern[0])
    walked: dict[Scope, set[int]] = {}
    for vertex in picture.vertices.values():
        if place := loop_of(vertex.scope):
            walked.setdefault(place[0], set()).add(place[1])
    order = {
        loop: {step: i for i, step in enumerate(sorted(steps))} for loop, steps in walked.items()
    }
    edges = [_rolled(edge, picture, order) for edge in picture.edges]
    rolled = quotient(Picture(picture.vertices, edges, picture.notes), stands_for)
    if any(is_nested(vertex.scope) for vertex in picture.vertices.values()):
        rolled.notes.append(
            "a loop inside of a time step is drawn step by step; the outer one is rolled up"
        )
    return _entering_once(rolled, _first_states(picture))


def _form(vertex: Vertex) -> tuple:
    """What is alike in all steps: the kind, the name without its time step, and the op; not the formula, which names the states."""
    value = vertex.values[0] if vertex.values else None
    made = value.node if value is not None else None
    if vertex.kind == "fold":
        return vertex.kind, SUBSCRIPT.sub("", vertex.name), ""
    if vertex.kind == "state":
        return vertex.kind, value.name if value is not None else "", vertex.reach
    return vertex.kind, value.name if value is not None else "", made.op.name if made else ""


def _at_t(members: dict[int, Vertex], steps: list[int], loop: Scope, rest: Scope) -> Vertex:
    """The vertex for those of all steps, with ``t`` in its name and its formula: h₃ becomes hₜ, its neighbours hₜ₋₁ and hₜ₊₁.

    It is written like those that have neighbours on both sides, for at the first step the state before it may have another
    name; where even these differ, it has a gap.
    """
    neighbours = {
        t: (before, after) for before, t, after in zip(steps, steps[1:], steps[2:], strict=False)
    }
    own = sorted(members)
    model = own[len(own) // 2] if len(own) > 2 else own[-1]
    inner = [t for t in own if t in neighbours] or [model]

    def at_t(texts: dict[int, str]) -> str:
        counted = all(t in map(int, INDEX.findall(text)) for t, text in texts.items())
        numbers = {t: neighbours.get(t, (t - 1, t + 1)) for t in inner}
        reach = members[model].reach
        written = (
            texts
            if any(part.is_step for part in rest)
            else {t: _in_terms_of_t(texts[t], t, *numbers[t], reach, counted) for t in inner}
        )
        found = list(dict.fromkeys(written[t] for t in inner))
        words = [text.split(" ") for text in found]
        if len(set(map(len, words))) > 1:
            return "…"
        return " ".join(
            column[0] if len(set(column)) == 1 else "…" for column in zip(*words, strict=True)
        )

    vertex = members[model]
    named = escape_unprintable((vertex.values[0].name if vertex.values else "") or "")
    name = (
        named + at_t({t: v.name.removeprefix(named) for t, v in members.items()})
        if vertex.name
        else ""
    )
    scope = (*loop, ScopePart("rolled", f"t = {steps[0]} … {steps[-1]}"), *rest)
    text, formula = (
        at_t({t: v.text for t, v in members.items()}),
        at_t({t: v.formula for t, v in members.items()}),
    )
    return replace(
        vertex, id=members[own[0]].id, name=name, text=text, scope=scope, formula=formula
    )


def _in_terms_of_t(text: str, step: int, before: int, after: int, reach: int, counted: bool) -> str:
    """The text of one step with ``t`` for its number; if `counted`, for that in brackets too, which is an index into a sequence."""
    names = {step: "ₜ", before: "ₜ₋₁", after: "ₜ₊₁"}
    if reach > 1:
        names |= {
            step - reach: "ₜ₋" + str(reach).translate(SUBSCRIPTS),
            step + reach: "ₜ₊" + str(reach).translate(SUBSCRIPTS),
        }
    symbols = {str(n).translate(SUBSCRIPTS): symbol for n, symbol in names.items()}
    text = SUBSCRIPT.sub(lambda found: symbols.get(found[0], found[0]), text)
    return (
        INDEX.sub(lambda found: "[t" if int(found[1]) == step else found[0], text)
        if counted
        else text
    )


def _rolled(edge: Edge, picture: Picture, order: dict[Scope, dict[int, int]]) -> Edge:
    """The edge with its lag, counted in steps that were walked."""
    before, after = (loop_of(picture.vertices[end].scope) for end in (edge.source, edge.target))
    if not before and picture.vertices[edge.target].kind == "state":
        return replace(edge, when="at first")
    if not before or not after or before[0] != after[0] or before[1] == after[1]:
        return edge
    return replace(edge, lag=order[after[0]][after[1]] - order[before[0]][before[1]])


def _first_states(picture: Picture) -> set[str]:
    """What is made outside of a loop and used in its first step alone."""
    every, goes = loops(picture), {}
    entered: dict[Scope, int] = {}
    for vertex in picture.vertices.values():
        if (place := loop_of(vertex.scope)) and vertex.kind == "op":
            entered.setdefault(*place)
    for edge in picture.edges:
        before, after = (loop_of(picture.vertices[end].scope) for end in (edge.source, edge.target))
        if (
            after
            and after[0] in every
            and (
                before is None
                or before[0] != after[0]
                or picture.vertices[edge.source].kind in ("input", "parameter")
            )
        ):
            goes.setdefault(edge.source, set()).add(
                after[1] == entered[after[0]] and len(every[after[0]]) > 1
            )
    return {name for name, first in goes.items() if first == {True}}


def _entering_once(picture: Picture, first: set[str]) -> Picture:
    """A first state goes to the place of the state, not to everything that uses it."""
    uses: dict[str, set[str]] = {}
    for edge in picture.edges:
        uses.setdefault(edge.source, set()).add(edge.target)
    places = [name for name, vertex in picture.vertices.items() if vertex.kind == "state"]
    entered: dict[str, list[str]] = {}
    for source in first & uses.keys():
        fits = [place for place in places if uses[source] & uses.get(place, set())]
        whole = [
            place for place in fits if uses[place] <= uses[source]
        ]  # of several states that start from one value, each
        entered[source] = (
            whole or sorted(fits, key=lambda place: len(uses[source] & uses[place]))[-1:]
        )
    edges: list[Edge] = []
    entering: dict[Edge, None] = {}
    for edge in picture.edges:
        into = [place for place in entered.get(edge.source, []) if edge.target in uses[place]]
        entering |= dict.fromkeys(replace(edge, target=place, when="at first") for place in into)
        edges += [] if into else [edge]
    return Picture(picture.vertices, [*edges, *entering], list(picture.notes))
