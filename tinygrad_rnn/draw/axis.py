"""Layout of time in DOT text: the steps of a loop are side by side, and loops follow each other."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ..analysis.scopes import Loop
from ..scope_part import Scope
from .picture import Picture, Vertex, common_scope, find_places
from .steps import find_loops

TIES = 4
"""The number of invisible edges that tie a point to the vertices of its step (see `add_axis`)."""

POINT = {"style": "invis", "shape": "point", "width": "0.01", "height": "0.01"}


def find_columns(picture: Picture) -> dict[Scope, list[list[Vertex]]]:
    """Return, for each loop, the vertices of each of its steps, in the order of time."""
    columns: dict[Scope, dict[int, list[Vertex]]] = {}
    for name, place in find_places(picture).items():
        if place:
            columns.setdefault(place[0], {}).setdefault(place[1], []).append(picture.vertices[name])
    return {loop: [steps[step] for step in sorted(steps)] for loop, steps in columns.items()}


def find_levels(picture: Picture) -> dict[Scope, list[tuple[str, str, bool]]]:
    """Return, for each loop, the pairs of vertices to put on one level (a rank of Graphviz).

    Some pairs are the two ends of an edge that carries a state to another step. The others are a
    state and its successor, which is computed in the same step. The third entry of a tuple is True
    if the second vertex must lie to the right of the first, as a successor does.
    """
    places = find_places(picture)
    levels: dict[Scope, list[tuple[str, str, bool]]] = {}
    made: dict[tuple[Loop, str | None], str] = {}
    for name, vertex in picture.vertices.items():
        place = places[name]
        if place and vertex.kind in ("op", "fold"):
            made |= {(place, value.name): name for value in vertex.values if value.name}
    for edge in picture.edges:
        before, after = places[edge.source], places[edge.target]
        if before and after and before[0] == after[0] and before[1] != after[1]:
            levels.setdefault(before[0], []).append((edge.source, edge.target, False))
    for name, vertex in picture.vertices.items():
        place = places[name]
        if vertex.kind == "state" and place and (place, vertex.values[0].name) in made:
            successor = made[place, vertex.values[0].name]
            levels.setdefault(place[0], []).append((name, successor, True))
    return levels


def add_axis(
    part: Any, columns: list[list[Vertex]], levels: list[tuple[str, str, bool]], number: str
) -> None:
    """Put the steps of a loop side by side, and the vertices of each pair in `levels` on one level.

    Graphviz keeps the order of nodes in a row, but not the order of frames. So there is a row of
    invisible points on either side of the steps. Each step has two points in each row: one is tied
    to the states that enter the step, the other to the vertices that the step computes.
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
    for source, target, is_ordered in levels:
        level = graphviz.Digraph(graph_attr={"rank": "same"})
        level.node(source)
        level.node(target)
        if is_ordered:
            level.edge(source, target, style="invis")
        part.subgraph(level)


def find_consecutive_loops(picture: Picture) -> dict[Scope, list[list[list[Vertex]]]]:
    """Return columns of vertices for each pair of loops of which the second continues the first.

    An example is an encoder and its decoder. The key is the scope around both loops. The first
    column holds the whole first loop. Each other column holds one step of the second loop.

    The result is empty if `picture` shows all steps of its loops. Then Graphviz finds the order of
    the loops by itself, and invisible edges would disturb it.
    """
    if all(vertex.kind != "steps" for vertex in picture.vertices.values()):
        return {}
    places = find_places(picture)
    made_in: dict[str, set[Scope]] = {}
    entered: dict[tuple[Scope, Scope], set[int]] = {}
    sources: dict[str, list[str]] = {}
    for edge in picture.edges:
        sources.setdefault(edge.target, []).append(edge.source)
    for name, place in places.items():
        came = {loop for source in sources.get(name, []) for loop in made_in.get(source, ())}
        made_in[name] = {place[0]} if place else came
        if place:
            for loop in came - {place[0]}:
                entered.setdefault((loop, place[0]), set()).add(place[1])
    columns, loops = find_columns(picture), find_loops(picture)
    pairs: dict[Scope, list[list[list[Vertex]]]] = {}
    for (first, second), steps in entered.items():
        if steps == {min(loops.get(second, steps))} and len(columns[second]) > 1:
            whole = [vertex for column in columns[first] for vertex in column]
            pairs.setdefault(common_scope(first, second), []).append([whole, *columns[second]])
    return pairs


def find_companions(picture: Picture) -> list[tuple[Scope, Scope, int]]:
    """Return the pairs of loops in which step t of the second loop uses only step t of the first.

    An example of a second loop is the loss at every step. The third entry of a tuple is the number
    of steps in which the second loop uses the first.
    """
    places = find_places(picture)
    uses: dict[tuple[Scope, Scope], set[tuple[int, int]]] = {}
    for edge in picture.edges:
        source, target = places[edge.source], places[edge.target]
        if source and target and source[0] != target[0]:
            uses.setdefault((source[0], target[0]), set()).add((source[1], target[1]))
    return [
        (*pair, len(steps))
        for pair, steps in uses.items()
        if len(steps) > 1 and all(made == used for made, used in steps)
    ]


def add_companion(drawing: Any, number: int, companion: int, steps: int) -> None:
    """Put each step of a companion loop to the right of the step that it uses.

    Without this, the frames of the companion may lie to the left of all steps, and their edges may
    cross the picture.
    """
    for i in range(steps):
        drawing.edge(f"t{number}_{i}_made_late", f"t{companion}_{i}_made_early", style="invis")
