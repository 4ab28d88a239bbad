"""The choice of a view: the most detailed one that can be read at a given width."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import reduce

from ..errors import format_count
from .equal_blocks import fold_blocks
from .parameter_views import copy_parameters, hide_parameters
from .picture import Picture, Vertex, common_scope, merge_vertices, scope_outside_time
from .roll import roll_steps
from .steps import find_loops, keep_steps
from .views import fold_scopes, fold_steps

MAX_VERTICES = 600
"""The greatest number of visible vertices that are drawn."""

SMALLEST, LETTERS = 9.0, 6.0
"""The size of the smallest letters in a drawing, and the least size on paper, in points."""

WIDTHS = {"column": 252.0, "page": 468.0, "slide": 864.0}
"""Widths on paper in points: a column of two, the text of a page, a slide."""

SCREEN = 720.0
"""The width of a notebook or a page on a screen, in points (960 pixels)."""

HEIGHT = 3.0
"""The greatest height of a drawing on a screen, in widths."""

PAPER = 648.0
"""The greatest height on paper, in points: nine inches."""

PAD = 9.0
"""The margins of a drawing at both sides together, in points."""

LONGEST = 3.0
"""The excess in size up to which a drawing is better than its two ends."""

END_SIZES = (250, 100, 25)
"""The numbers of vertices to keep at each end, in order of preference."""

View = tuple[str, Callable[[], Picture]]
"""A view: its name in words and options of `graph`, and the function that makes it."""

Measure = Callable[[Picture], tuple[float, float]]


def choose_view(
    picture: Picture, measure: Measure, width: float, height: float | None = None
) -> Picture:
    """Return the most detailed view whose letters can be read when it is `width` points wide.

    A note says which view it is, and the size of the smallest letters if no view can be read.

    Parameters
    ----------
    picture : Picture
        The picture of all ops.
    measure : callable
        Returns the width and the height of a drawing, in points.
    width : float
    height : float, optional
        The greatest height; three widths, by default.
    """
    room = width * SMALLEST / LETTERS - PAD
    limit = (height or HEIGHT * width) * SMALLEST / LETTERS
    narrowest: tuple[float, Picture] | None = None
    for name, make in _views(picture):
        view = make()
        if len(view.vertices) > MAX_VERTICES:
            continue
        wide, high = measure(view)
        note = [f"{name}; fold=() shows every op"] if name else []
        view = Picture(view.vertices, view.edges, [*view.notes, *note])
        if wide <= room and high <= limit:
            return view
        if narrowest is None or max(wide / room, high / limit) < narrowest[0]:
            narrowest = max(wide / room, high / limit), view
    if narrowest is None or narrowest[0] > LONGEST:
        return shrink_to_fit(picture, steps_chosen=False, sizes=END_SIZES[-1:])
    excess, view = narrowest
    view.notes.append(f"letters of {LETTERS / excess:.1f} points at this size")
    return view


def _views(picture: Picture) -> Iterator[View]:
    """Yield views by themselves, most detailed first."""
    has_loops = any(len(steps) > 1 for steps in find_loops(picture).values())
    chips = copy_parameters(picture) if has_loops else picture
    yield ('view: parameters="chips"' if has_loops else ""), lambda: chips
    few = keep_steps(picture, 2, 1)
    if has_loops:
        what = 'view: every op, parameters="chips", steps="first:2,last:1"'
        yield what, lambda: copy_parameters(few)
    for whole, some in ((picture, few), (hide_parameters(picture), hide_parameters(few))):
        hidden = ', parameters="hide"' if whole is not picture else ""
        yield f'view: fold="gate"{hidden}', lambda whole=whole: fold_scopes(whole, "names")
        if has_loops:
            what = f'view: fold="gate", steps="first:2,last:1"{hidden}'
            yield what, lambda some=some: fold_scopes(some, "names")
    bare, few = hide_parameters(picture), hide_parameters(few)
    blocks = fold_blocks(bare)
    if len(blocks.vertices) < len(bare.vertices):
        yield 'view: fold="blocks", parameters="hide"', lambda: blocks
    if has_loops:
        yield 'view: fold="step"', lambda: fold_steps(fold_scopes(bare, "names"))
        what = 'view: fold="step", steps="first:2,last:1"'
        yield what, lambda: fold_steps(fold_scopes(few, "names"))
        yield 'view: fold="gate", roll=True', lambda: fold_scopes(roll_steps(bare), "names")
        one = roll_steps(bare)
        yield 'view: fold="step", roll=True', lambda: fold_steps(fold_scopes(one, "names"))
    deepest = max((len(v.scope) for v in picture.vertices.values() if v.kind == "op"), default=0)
    for depth in range(deepest, 0, -1):
        yield f"view: fold={depth}", lambda depth=depth: fold_scopes(bare, depth)


def shrink_to_fit(
    picture: Picture, *, steps_chosen: bool, sizes: Sequence[int] = END_SIZES
) -> Picture:
    """Return `picture` if it is small enough, else the first view that is small enough.

    A note in the result names the view.

    Parameters
    ----------
    picture : Picture
    steps_chosen : bool
        If True, the user chose the time steps, so all of the chosen steps stay.
    sizes : sequence of int
        The numbers of vertices to keep at each end if no view is small enough.
    """
    visible = len(picture.vertices)
    if visible <= MAX_VERTICES and sizes is END_SIZES:
        return picture
    for option, view in _smaller_views(picture, steps_chosen):
        smaller = view()
        if len(smaller.vertices) <= MAX_VERTICES:
            advice = "choose steps, roll or fold yourself to see other parts"
            smaller.notes.append(f"{visible:,} nodes: drawn with {option}; {advice}")
            return smaller
    keep, smaller = sizes[0], picture
    for keep in sizes:
        # Each use gets its own copy of a parameter, because an edge that runs along a chain of
        # hundreds of vertices cannot be followed.
        smaller = copy_parameters(_keep_ends(picture, keep))
        if len(smaller.vertices) <= MAX_VERTICES or keep == sizes[-1]:
            break
    smaller.notes += [
        f"{visible:,} nodes: drawn with one box for those between the first and the last {keep}",
        "record parts of the program under tg.scope(name); then fold=1 shows them all",
    ]
    return smaller


def _smaller_views(picture: Picture, steps_chosen: bool) -> Iterator[View]:
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
