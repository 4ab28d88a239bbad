"""A picture that is small enough to draw: one that is not is folded by itself, no further than it takes, and says so."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import reduce

from ..errors import format_count
from .picture import Picture, Vertex, common, outside_time, quotient
from .steps import keep_steps, loops
from .steps import roll as rolled
from .views import chips, fold, without_parameters

MOST = 600
"""How many visible vertices can be drawn."""

LARGEST = 20_000
"""Of how many ops the first and the last are drawn, if nothing groups them; more would be a picture of nothing."""

ENDS = (250, 100, 25)
"""How many of the first and of the last vertices stay, the first of these that fits."""


def fitted(picture: Picture, *, steps_chosen: bool) -> Picture:
    """The picture, or if it is too large the first view of it that is not, with a note that names the view.

    Parameters
    ----------
    picture : Picture
    steps_chosen : bool
        Whether the time steps are those that somebody asked for, and stay.
    """
    visible = len(picture.vertices)
    if visible <= MOST:
        return picture
    for option, view in _ways(picture, steps_chosen):
        smaller = view()
        if len(smaller.vertices) <= MOST:
            smaller.notes.append(
                f"{visible:,} nodes: drawn with {option}; choose steps, roll or fold yourself to see other parts"
            )
            return smaller
    if sum(vertex.ops for vertex in picture.vertices.values()) > LARGEST:
        return picture
    for keep in ENDS:
        smaller = chips(
            _ends(picture, keep)
        )  # for edges along a chain of hundreds take Graphviz minutes
        if len(smaller.vertices) <= MOST:
            smaller.notes.append(
                f"{visible:,} nodes: drawn with one box for those between the first and the last {keep}"
            )
            smaller.notes.append(
                "record parts of the program under tg.scope(name), and fold=1 shows them all"
            )
            return smaller
    return picture


def _ways(picture: Picture, steps_chosen: bool) -> Iterator[tuple[str, Callable[[], Picture]]]:
    """The options that make a picture smaller, those that leave most of it to be seen first."""
    bare = without_parameters(picture)
    for part, others in ((picture, ""), (bare, ', parameters="hide"')):
        if others:
            yield others[2:], lambda part=part: part
        if loops(part) and not steps_chosen:
            yield f'steps="first:2,last:1"{others}', lambda part=part: keep_steps(part, 2, 1)
            if not any(
                piece.kind == "gradient"
                for vertex in part.vertices.values()
                for piece in vertex.scope
            ):
                yield f"roll=True{others}", lambda part=part: rolled(part)
        depths = range(
            1, 1 + max((len(v.scope) for v in part.vertices.values() if v.kind == "op"), default=0)
        )
        # The deeper, the more is visible; so the deepest of those that are small enough is found by halving.
        if deepest := bisect_right(
            depths, MOST, key=lambda depth, part=part: len(fold(part, depth).vertices)
        ):
            yield f"fold={deepest}{others}", lambda part=part, depth=deepest: fold(part, depth)


def _ends(picture: Picture, keep: int) -> Picture:
    """The first and the last vertices in the order of computation, and one box for those between, so that nothing goes in circles.

    What is not computed, a parameter say, stays if something outside of the box uses it.
    """
    between = dict.fromkeys(list(picture.vertices)[keep:-keep])
    outside = {edge.source for edge in picture.edges if edge.target not in between}
    inside = [
        vertex for name in between if (vertex := picture.vertices[name]).ops or name not in outside
    ]
    scope = outside_time(reduce(common, (vertex.scope for vertex in inside)))
    box = Vertex(
        "between", "fold", "…", format_count(sum(vertex.ops for vertex in inside), "op"), scope
    )
    return quotient(picture, {vertex.id: box for vertex in inside})
