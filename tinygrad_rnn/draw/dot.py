"""A picture in the DOT language, which Graphviz and many other programs draw.

Every node, frame and edge has its place already (`placing`), so all engines draw the same picture.
"""

from __future__ import annotations

from math import hypot, isfinite, log10
from typing import Any

from ..analysis.labels import escape_unprintable
from ..analysis.scopes import Loop
from ..scope_part import Scope, ScopePart, format_scope
from .faces import face_of, html_lines, measure_face, norm_of, write_face
from .frame_tree import is_time
from .label_size import text_width
from .look import Look
from .orient import Orientation
from .picture import Edge, Picture, Vertex, find_places
from .placing import PlacedFrame, Placer
from .splines import write_spline
from .themes import Theme

FONT = "Helvetica,Arial,DejaVu Sans,sans-serif"
SMALL = 11.0

SHAPES = {
    "op": {"shape": "box", "style": "rounded,filled"},
    "parameter": {"shape": "box", "style": "filled", "penwidth": "1.6"},
    "input": {"shape": "ellipse", "style": "filled"},
    "constant": {"shape": "ellipse", "style": "filled,dashed"},
    "state": {"shape": "cds", "style": "filled"},
    "fold": {"shape": "box", "style": "filled", "peripheries": "2"},
    "steps": {"shape": "plaintext", "style": ""},
}
"""The outline of each kind of vertex. All are different, so no two kinds differ in colour alone."""


def write_dot(picture: Picture, look: Look, title: str) -> str:
    """Return `picture` as DOT text with `title` below it.

    Equal pictures give equal text. Names may contain any characters.
    """
    import graphviz

    theme = look.theme
    drawing = graphviz.Digraph(
        graph_attr={
            "bgcolor": theme.paper, "fontname": FONT, "fontcolor": theme.faint, "fontsize": "11",
            "label": html_lines(*title.split("\n")), "labelloc": "b", "labeljust": "l",
            "splines": "true", "margin": "0", "pad": "0.06",
        },
        node_attr={
            "fontname": FONT, "fontsize": "12", "fontcolor": theme.ink, "color": theme.faint,
            "fixedsize": "true", "margin": "0",
        },
        edge_attr={
            "color": theme.faint, "arrowsize": "0.6",
            "fontname": FONT, "fontsize": "10", "fontcolor": theme.faint,
        },
    )  # fmt: skip
    lags = {edge.target: edge.lag for edge in picture.edges if edge.lag}
    faces = {v.id: face_of(v, look, lags.get(v.id, 0)) for v in picture.vertices.values()}
    turn = Orientation(look.direction)

    def size_of(vertex: Vertex) -> tuple[float, float]:
        return turn.size(*measure_face(faces[vertex.id], vertex.kind))

    def title_of(scope: Scope) -> float:
        return text_width(_frame_title(scope), SMALL)

    placement = Placer(picture, size_of, title_of).place()
    _add_frames(drawing, placement.frames, look, turn)
    for vertex in picture.vertices.values():
        style = _vertex_style(vertex, look)
        width, height = turn.size(*placement.sizes[vertex.id])
        x, y = turn.point(placement.centres[vertex.id])
        place = {"width": f"{width / 72:.4f}", "height": f"{height / 72:.4f}"}
        style |= {"label": write_face(faces[vertex.id]), **place, "pos": f"{x:.2f},{y:.2f}"}
        drawing.node(vertex.id, **style)
    show_widths = "grad" in look.show and look.backward_done
    widths = _edge_widths(picture) if show_widths else {}
    places = find_places(picture)
    for number, (edge, path) in enumerate(zip(picture.edges, placement.paths, strict=True)):
        style = _edge_style(edge, places, look, widths.get(number))
        style["pos"] = write_spline(turn.path(path))
        drawing.edge(edge.source, edge.target, **style)
    return drawing.source


def _add_frames(drawing: Any, frames: list[PlacedFrame], look: Look, turn: Orientation) -> None:
    """Add the frames with their titles, the outer ones first, so that the inner ones are above."""
    import graphviz

    for number, frame in enumerate(frames, 1):
        title = _frame_title(frame.scope)
        box = graphviz.Digraph(name=f"cluster{number}")
        x, y, right, top = turn.box(frame.corner, frame.width, frame.height)
        style = _frame_style(frame.scope[-1], look.theme)
        style |= {"bb": f"{x:.2f},{y:.2f},{right:.2f},{top:.2f}"}
        if title:
            wide = text_width(title, SMALL)
            style |= {"label": html_lines(title), "lp": f"{x + frame.title_at + wide / 2:.2f},{top - 9:.2f}"}
            style |= {"lwidth": f"{wide / 72:.2f}", "lheight": "0.2"}
        box.attr(**style)
        drawing.subgraph(box)


def _frame_title(scope: Scope) -> str:
    """Return the title of a frame.

    The frame around a gate and its terms has none because the gate itself shows the name.
    """
    if not scope or scope[-1].kind in ("terms", "steps"):
        return ""
    return scope[-1].format("t = {}")


def _frame_style(part: ScopePart, theme: Theme) -> dict[str, str]:
    """Return the attributes of a frame. Time steps have a colour of their own."""
    return {
        "style": "rounded,filled",
        "fontcolor": theme.faint,
        "fontname": FONT,
        "fontsize": "11",
        "penwidth": "0.7",
        "color": theme.faint,
        "label": "",
        "fillcolor": theme.step if is_time(part) else theme.cluster,
    }


def _vertex_style(vertex: Vertex, look: Look) -> dict[str, str]:
    """Return the attributes of a vertex."""
    theme = look.theme
    fill = {"op": theme.op, "parameter": theme.parameter, "fold": theme.fold}.get(
        vertex.kind, theme.leaf
    )
    shape = "op" if vertex.kind == "fold" and vertex.formula else vertex.kind
    style = {**SHAPES[shape], "fillcolor": fill}
    style["tooltip"] = _tooltip(format_scope(vertex.scope, "{}") or "outside of all scopes")
    if look.is_marked(vertex.values):
        style |= {"color": theme.gradient, "penwidth": "2.2"}
    return style


def _edge_style(
    edge: Edge, places: dict[str, Loop | None], look: Look, width: float | None
) -> dict[str, str]:
    """Return the attributes of an edge.

    Edges that carry a state are bold. `width` grows with the norm of the gradient; it is None if
    the edge has no gradient to show.
    """
    theme, style = look.theme, {}
    before, after = places[edge.source], places[edge.target]
    if edge.lag or (before and after and before[0] == after[0] and before[1] != after[1]):
        style = {"color": theme.state, "penwidth": "1.8"}
    if edge.when:
        style |= {"label": html_lines(edge.when), "style": "dashed"}
    if width is not None:
        style |= {"color": theme.gradient, "penwidth": f"{width:.2f}"}
    if look.is_marked(edge.values):
        style |= {"color": theme.gradient, "penwidth": "2.4"}
    elif look.marked is not None:
        style["style"] = "dotted"
    return style


def _edge_widths(picture: Picture) -> dict[int, float]:
    """Return the width of each edge with a known gradient, by the number of the edge.

    The scale is logarithmic: the width grows from 0.5 to 4 over six decades of the norm.
    """
    norms = {}
    for number, edge in enumerate(picture.edges):
        known = [norm_of(value.grad) for value in edge.values if value.grad is not None]
        if known:
            norms[number] = hypot(*known)
    top = max((norm for norm in norms.values() if isfinite(norm)), default=0.0)
    return {number: _width(norm, top) for number, norm in norms.items()}


def _width(norm: float, top: float) -> float:
    """Return the width for a norm: 4 for `top` (the largest norm), for NaN and for inf."""
    if not isfinite(norm):
        return 4.0
    return 0.5 + 3.5 * max(0.0, 1 + log10(norm / top) / 6) if norm and norm / top > 0 else 0.5


def _tooltip(text: str) -> str:
    """Return `text` as a tooltip that shows it literally. Graphviz expands escapes twice here."""
    import graphviz

    return graphviz.nohtml(
        graphviz.escape(escape_unprintable(text).replace("&", "&amp;").replace("\\", "\\\\"))
    )
