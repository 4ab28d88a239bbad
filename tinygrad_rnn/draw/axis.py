"""Layout of time in DOT text: the steps of a loop side by side, one loop after another."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ..analysis.scopes import Loop, loop_of
from ..graph import Scope
from .picture import Picture, Vertex, common_scope
from .steps import find_loops

TIES = 4
"""The number of invisible edges between a step and its point: enough to hold it in place."""

POINT = {"style": "invis", "shape": "point", "width": "0.01", "height": "0.01"}


def columns_of(picture: Picture) -> dict[Scope, list[list[Vertex]]]:
    """Return, for each loop, the vertices of each of its steps, in the order of time."""
    found: dict[Scope, dict[int, list[Vertex]]] = {}
    for vertex in picture.vertices.values():
        if place := loop_of(vertex.scope):
            found.setdefault(place[0], {}).setdefault(place[1], []).append(vertex)
    return {loop: [steps[step] for step in sorted(steps)] for loop, steps in found.items()}


def levels_of(picture: Picture) -> dict[Scope, list[tuple[str, str, bool]]]:
    """Return, for each loop, the pairs of vertices to put on one level.

    These are both ends of a state, and a state with the next one. The flag tells whether the second
    vertex must be on the right of the first, as the next state is.
    """
    found: dict[Scope, list[tuple[str, str, bool]]] = {}
    made: dict[tuple[Loop, str | None], str] = {}
    for vertex in picture.vertices.values():
        place = loop_of(vertex.scope)
        if place and vertex.kind in ("op", "fold"):
            made |= {(place, value.name): vertex.id for value in vertex.values if value.name}
    for edge in picture.edges:
        source, target = picture.vertices[edge.source], picture.vertices[edge.target]
        before, after = loop_of(source.scope), loop_of(target.scope)
        if before and after and before[0] == after[0] and before[1] != after[1]:
            found.setdefault(before[0], []).append((source.id, target.id, False))
    for vertex in picture.vertices.values():
        place = loop_of(vertex.scope)
        if vertex.kind == "state" and place and (place, vertex.values[0].name) in made:
            found.setdefault(place[0], []).append(
                (vertex.id, made[place, vertex.values[0].name], True)
            )
    return found


def add_axis(
    part: Any, columns: list[list[Vertex]], levels: list[tuple[str, str, bool]], number: str
) -> None:
    """Put the steps of a loop side by side and both ends of a state on one level.

    Graphviz keeps the order of nodes on a line, but not that of frames. So there is an invisible
    row of points on either side of the steps, two points for each step: one is tied to the states
    that enter the step, the other to the vertices made in it.
    """
    import graphviz

    if len(columns) < 2:
        return
    for row in ("early", "late"):
        points = [
            f"t{number}_{i}_{end}_{row}" for i in range(len(columns)) for end in ("in", "made")
        ]
        line = graphviz.Digraph(graph_attr={"rank": "same"}, node_attr=POINT)
        for before, after in pairwise(points):
            line.edge(before, after, style="invis")
        part.subgraph(line)
        for i, column in enumerate(columns):
            states = [vertex.id for vertex in column if vertex.kind == "state"]
            made = [vertex.id for vertex in column if vertex.kind != "state"]
            for point, names in ((points[2 * i], states), (points[2 * i + 1], made)):
                for name in [*names * TIES][:TIES]:
                    part.edge(*((point, name) if row == "early" else (name, point)), style="invis")
    for source, target, ordered in levels:
        level = graphviz.Digraph(graph_attr={"rank": "same"})
        level.node(source)
        level.node(target)
        if ordered:
            level.edge(source, target, style="invis")
        part.subgraph(level)


def walks_of(picture: Picture) -> dict[Scope, list[list[list[Vertex]]]]:
    """Return pairs of loops of which the second starts at the end of the first.

    An encoder and its decoder are an example. The key is the scope around both loops; the value has
    all of the first loop as one column, then the steps of the second.

    Empty if no steps are left out. Graphviz finds this order for complete loops by itself, and
    invisible edges would disturb it.
    """
    if all(vertex.kind != "steps" for vertex in picture.vertices.values()):
        return {}
    made_in: dict[str, set[Scope]] = {}
    entered: dict[tuple[Scope, Scope], set[int]] = {}
    sources: dict[str, list[str]] = {}
    for edge in picture.edges:
        sources.setdefault(edge.target, []).append(edge.source)
    for name, vertex in picture.vertices.items():
        place = loop_of(vertex.scope)
        came = {loop for source in sources.get(name, []) for loop in made_in.get(source, ())}
        made_in[name] = {place[0]} if place else came
        if place:
            for loop in came - {place[0]}:
                entered.setdefault((loop, place[0]), set()).add(place[1])
    columns, steps = columns_of(picture), find_loops(picture)
    found: dict[Scope, list[list[list[Vertex]]]] = {}
    for pair, at in entered.items():
        if at == {min(steps.get(pair[1], at))} and len(columns[pair[1]]) > 1:
            found.setdefault(common_scope(*pair), []).append(
                [[vertex for step in columns[pair[0]] for vertex in step], *columns[pair[1]]]
            )
    return found


def companions_of(picture: Picture) -> list[tuple[Scope, Scope, int]]:
    """Return pairs of loops of which each step of the second uses that step of the first.

    A loss at every step is an example. The third entry is the number of such steps.
    """
    found: dict[tuple[Scope, Scope], set[tuple[int, int]]] = {}
    for edge in picture.edges:
        source, target = (
            loop_of(picture.vertices[edge.source].scope),
            loop_of(picture.vertices[edge.target].scope),
        )
        if source and target and source[0] != target[0]:
            found.setdefault((source[0], target[0]), set()).add((source[1], target[1]))
    return [
        (*pair, len(steps))
        for pair, steps in found.items()
        if len(steps) > 1 and all(made == used for made, used in steps)
    ]


def add_companion(drawing: Any, number: int, companion: int, steps: int) -> None:
    """Put each step of a companion loop to the right of the step that it uses.

    Without this, its frame may lie at the start of time, and its edges cross the picture.
    """
    for i in range(steps):
        drawing.edge(f"t{number}_{i}_made_late", f"t{companion}_{i}_made_early", style="invis")
