"""Shrinking of a picture that is too large to draw: less detailed views of it are tried."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import reduce

from ..errors import format_count
from .picture import Picture, Vertex, common_scope, merge_vertices, scope_outside_time
from .roll import roll_steps
from .steps import find_loops, keep_steps
from .views import copy_parameters, fold_scopes, hide_parameters

MAX_VERTICES = 600
"""The greatest number of visible vertices that can be drawn."""

MAX_OPS = 20_000
"""The greatest number of ops in a graph of which only the two ends may be drawn.

The ends are the first and the last vertices. They are drawn only if no other view fits. In a larger
graph, they would show too little.
"""

END_SIZES = (250, 100, 25)
"""The numbers of vertices to keep at each end, in order of preference."""


def shrink_to_fit(picture: Picture, *, steps_chosen: bool) -> Picture:
    """Return `picture` if it is small enough, else the first view that is small enough.

    A note in the result names the view. If no view is small enough, `picture` is returned.

    Parameters
    ----------
    picture : Picture
    steps_chosen : bool
        If True, the user chose the time steps, so all of the chosen steps stay.
    """
    visible = len(picture.vertices)
    if visible <= MAX_VERTICES:
        return picture
    for option, view in _smaller_views(picture, steps_chosen):
        smaller = view()
        if len(smaller.vertices) <= MAX_VERTICES:
            advice = "choose steps, roll or fold yourself to see other parts"
            smaller.notes.append(f"{visible:,} nodes: drawn with {option}; {advice}")
            return smaller
    if sum(vertex.ops for vertex in picture.vertices.values()) > MAX_OPS:
        return picture
    for keep in END_SIZES:
        # Each use gets its own copy of a parameter, because Graphviz takes minutes for edges that
        # run along a chain of hundreds of vertices.
        smaller = copy_parameters(_keep_ends(picture, keep))
        if len(smaller.vertices) <= MAX_VERTICES:
            smaller.notes += [
                f"{visible:,} nodes: drawn with one box for those between "
                f"the first and the last {keep}",
                "record parts of the program under tg.scope(name); then fold=1 shows them all",
            ]
            return smaller
    return picture


def _smaller_views(
    picture: Picture, steps_chosen: bool
) -> Iterator[tuple[str, Callable[[], Picture]]]:
    """Yield smaller views, most detailed first: (options of `graph`, function that makes it)."""
    bare = hide_parameters(picture)
    for part, others in ((picture, ""), (bare, ', parameters="hide"')):
        if others:
            yield others[2:], lambda part=part: part
        if find_loops(part) and not steps_chosen:
            yield f'steps="first:2,last:1"{others}', lambda part=part: keep_steps(part, 2, 1)
            scopes = (vertex.scope for vertex in part.vertices.values())
            if not any(scope_part.kind == "gradient" for scope in scopes for scope_part in scope):
                yield f"roll=True{others}", lambda part=part: roll_steps(part)
        deepest = max((len(v.scope) for v in part.vertices.values() if v.kind == "op"), default=0)
        # A deeper fold shows more vertices, so bisection finds the deepest fold that fits.
        if depth := bisect_right(
            range(1, 1 + deepest),
            MAX_VERTICES,
            key=lambda depth, part=part: len(fold_scopes(part, depth).vertices),
        ):
            yield f"fold={depth}{others}", lambda part=part, depth=depth: fold_scopes(part, depth)


def _keep_ends(picture: Picture, keep: int) -> Picture:
    """Return a picture of the first and the last `keep` vertices, with one box for those between.

    Vertices are in the order of computation, so the box makes no cycle. A leaf in the middle stays
    if a vertex outside of the box uses it.
    """
    between = dict.fromkeys(list(picture.vertices)[keep:-keep])
    used_outside = {edge.source for edge in picture.edges if edge.target not in between}
    inside = [
        vertex
        for name in between
        if (vertex := picture.vertices[name]).ops or name not in used_outside
    ]
    scope = scope_outside_time(reduce(common_scope, (vertex.scope for vertex in inside)))
    text = format_count(sum(vertex.ops for vertex in inside), "op")
    box = Vertex("between", "fold", "…", text, scope)
    return merge_vertices(picture, {vertex.id: box for vertex in inside})
