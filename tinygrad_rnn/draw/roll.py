"""Rolled view: one time step stands for all steps of a loop."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace

from ..analysis.labels import SUBSCRIPTS, escape_unprintable
from ..analysis.scopes import Loop, is_nested, loop_of, once_per_scope
from ..scope_part import Scope, ScopePart
from .crossings import SUBSCRIPT, key_across_steps
from .picture import Edge, Picture, Vertex, find_places, merge_vertices
from .steps import find_loops

INDEX = re.compile(r"\[(\d+)(?=[],])")


def roll_steps(picture: Picture) -> Picture:
    """Return `picture` with one time step in place of all steps of a loop.

    Vertices that correspond to each other in different steps become one vertex. A state that an op
    computed is always in the rolled step. Any other vertex that exists in only one of several
    steps, for example the initial state, is not. The ``lag`` of an edge is the number of steps
    between the computation of a value and its use.
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
            "a loop inside of a time step is drawn step by step; the outer loop is rolled up"
        )
    return _connect_initial_states(rolled, _find_initial_states(picture))


def _group_counterparts(
    picture: Picture, loops: Collection[Scope]
) -> Iterable[tuple[Scope, Scope, dict[int, Vertex]]]:
    """Group the vertices of all loops with their counterparts in other time steps.

    Each group consists of its loop, its scope inside the step, and its vertices by time step.
    Vertices of different steps are counterparts if they are in the same scope inside the step, have
    the same key (`key_across_steps`), and have the same rank among the vertices with this key in
    their step.
    """
    numbers: dict[tuple[Scope, Scope], int] = {}

    @once_per_scope
    def locate(scope: Scope) -> tuple[int, Scope, Scope, int] | None:
        """Return (number of the pair (loop, inner), loop, inner, step); None outside of loops."""
        place = loop_of(scope)
        if place is None or place[0] not in loops:
            return None
        loop, step = place
        inner = scope[len(loop) + 1 :]
        return numbers.setdefault((loop, inner), len(numbers)), loop, inner, step

    ranks: Counter[tuple] = Counter()
    groups: dict[tuple, tuple[Scope, Scope, dict[int, Vertex]]] = {}
    # Ranks are counted from the end because the first step may lack ops: ops that depend only on a
    # constant initial state are not recorded.
    for vertex in reversed(picture.vertices.values()):
        if place := locate(vertex.scope):
            number, loop, inner, step = place
            key = (number, *key_across_steps(vertex))
            ranks[*key, step] += 1
            group = groups.setdefault((*key, ranks[*key, step]), (loop, inner, {}))
            group[2][step] = vertex
    return groups.values()


def _generic_vertex(
    members: dict[int, Vertex], steps: list[int], loop: Scope, inner: Scope
) -> Vertex:
    """Return the vertex that stands for `members`, with ``t`` in place of the step in its texts.

    ``h₃`` becomes ``hₜ``, and the states of the steps before and after become ``hₜ₋₁`` and
    ``hₜ₊₁``. Then the texts of the steps are compared, and words that differ become ``…``. Only
    steps with neighbours on both sides are compared, because the first step may have another name
    for the state before it.
    """
    neighbours = {
        t: (before, after) for before, t, after in zip(steps, steps[1:], steps[2:], strict=False)
    }
    present = sorted(members)
    model = present[len(present) // 2] if len(present) > 2 else present[-1]
    compared = [t for t in present if t in neighbours] or [model]

    def unify(texts: dict[int, str]) -> str:
        is_index = all(t in map(int, INDEX.findall(text)) for t, text in texts.items())
        numbers = {t: neighbours.get(t, (t - 1, t + 1)) for t in compared}
        if not any(part.is_step for part in inner):
            reach = members[model].reach
            texts = {t: _replace_step(texts[t], t, *numbers[t], reach, is_index) for t in compared}
        words = [text.split(" ") for text in dict.fromkeys(texts[t] for t in compared)]
        if len(set(map(len, words))) > 1:
            return "…"
        return " ".join(
            column[0] if len(set(column)) == 1 else "…" for column in zip(*words, strict=True)
        )

    vertex = members[model]
    base_name = escape_unprintable((vertex.values[0].name if vertex.values else "") or "")
    if not vertex.name.startswith(base_name):
        base_name = ""  # the box of a scope has the name of the scope
    suffix = unify({t: v.name.removeprefix(base_name) for t, v in members.items()})
    return replace(
        vertex,
        number="",
        id=members[present[0]].id,
        name=base_name + suffix if vertex.name else "",
        text=unify({t: v.text for t, v in members.items()}),
        formula=unify({t: v.formula for t, v in members.items()}),
        scope=(*loop, ScopePart("rolled", f"t = {steps[0]} … {steps[-1]}"), *inner),
    )


def _replace_step(text: str, step: int, before: int, after: int, reach: int, is_index: bool) -> str:
    """Return the text of one step with ``t`` in place of its number.

    If `is_index` is true, the step is also an index into a sequence, so ``[3]`` becomes ``[t]``.
    """
    names = {step: "ₜ", before: "ₜ₋₁", after: "ₜ₊₁"}
    if reach > 1:
        names |= {
            step - reach: "ₜ₋" + str(reach).translate(SUBSCRIPTS),
            step + reach: "ₜ₊" + str(reach).translate(SUBSCRIPTS),
        }
    symbols = {str(n).translate(SUBSCRIPTS): symbol for n, symbol in names.items()}
    text = SUBSCRIPT.sub(lambda match: symbols.get(match[0], match[0]), text)
    if not is_index:
        return text
    return INDEX.sub(lambda match: "[t" if int(match[1]) == step else match[0], text)


def _edges_with_lag(picture: Picture) -> list[Edge]:
    """Return the edges with ``lag`` and ``when`` set. The lag counts only steps in the picture."""
    loops = find_loops(picture, {vertex.kind for vertex in picture.vertices.values()})
    positions = {loop: {step: i for i, step in enumerate(steps)} for loop, steps in loops.items()}

    @once_per_scope
    def locate(scope: Scope) -> Loop | None:
        """Return the loop around a scope, and the position of the scope's step in this loop."""
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


def _find_initial_states(picture: Picture) -> set[str]:
    """Return the ids of the vertices that only the first step of a loop uses.

    Only leaves, and vertices outside of the loop, are considered.
    """
    loops, places = find_loops(picture), find_places(picture)
    first_steps: dict[Scope, int] = {}
    for name, place in places.items():
        if place and picture.vertices[name].kind == "op":
            first_steps.setdefault(*place)

    @once_per_scope
    def is_first(scope: Scope) -> bool | None:
        """Return whether a scope is in the first of several steps, or None outside of loops."""
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


def _connect_initial_states(picture: Picture, first: set[str]) -> Picture:
    """Return `picture` with an edge from each initial state to the state that it initialises.

    In `picture` itself, the edges of an initial state lead to the vertices that use that state.
    """
    uses: dict[str, set[str]] = {}
    for edge in picture.edges:
        uses.setdefault(edge.source, set()).add(edge.target)
    states = [name for name, vertex in picture.vertices.items() if vertex.kind == "state"]
    entered: dict[str, list[str]] = {}
    for source in first & uses.keys():
        sharing = [state for state in states if uses[source] & uses.get(state, set())]
        # Several states may start from one value; then the value gets an edge to each of them.
        covered = [state for state in sharing if uses[state] <= uses[source]]
        closest = sorted(sharing, key=lambda state: len(uses[source] & uses[state]))[-1:]
        entered[source] = covered or closest
    edges: list[Edge] = []
    entering: dict[Edge, None] = {}
    for edge in picture.edges:
        targets = [state for state in entered.get(edge.source, []) if edge.target in uses[state]]
        entering |= dict.fromkeys(replace(edge, target=t, when="at first") for t in targets)
        edges += [] if targets else [edge]
    return Picture(picture.vertices, [*edges, *entering], list(picture.notes))
