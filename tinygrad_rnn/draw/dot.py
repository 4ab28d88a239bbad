"""A picture in the DOT language, which Graphviz and many other programs draw.

Every node, frame and edge has its place already (`placing`), so all engines draw the same picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, isfinite, log10
from typing import Any

from ..analysis.labels import escape_unprintable
from ..scope_part import Scope, ScopePart, format_scope
from .caption import write_caption
from .crossings import find_crossing
from .faces import face_of, html_lines, html_text, measure_face, norm_of, write_face
from .frame_layouts import FrameLayouts
from .label_size import text_width
from .look import Look
from .orient import Orientation
from .picture import Edge, Picture, Vertex, find_lags
from .placing import PlacedFrame, Placement, Placer
from .splines import write_spline

RANKDIR = {"up": "BT", "down": "TB", "right": "LR"}
"""The direction for programs that lay the graph out themselves."""

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


def place(picture: Picture, look: Look) -> Placement:
    """Return where everything in a picture is."""
    turn = Orientation(look.direction)
    lags = find_lags(picture)

    def size_of(vertex: Vertex) -> tuple[float, float]:
        face = face_of(vertex, look, lags.get(vertex.id, 0))
        return turn.size(*measure_face(face, vertex.kind, look.font))

    def title_of(scope: Scope) -> float:
        return text_width(frame_title(scope), look.points, font=look.font)

    return Placer(FrameLayouts(picture, size_of, title_of, turn.title_side)).place()


def write_dot(picture: Picture, placement: Placement, look: Look, notes: Sequence[str]) -> str:
    """Return `picture` as DOT text, with the notes below it.

    Equal pictures give equal text. Names may contain any characters.
    """
    import graphviz

    theme, turn = look.theme, Orientation(look.direction)
    kinds = {vertex.kind for vertex in picture.vertices.values()}
    drawing = graphviz.Digraph(
        graph_attr={
            "bgcolor": theme.paper, "fontname": look.font, "fontcolor": theme.faint,
            "fontsize": f"{look.points - 1:g}", "rankdir": RANKDIR[look.direction],
            "splines": "true", "margin": "0", "pad": "0.06",
            "labelloc": "b", "labeljust": "l", "label": write_caption(look, notes, kinds),
            **({"size": f"{look.width / 72:.3f},1000"} if look.width else {}),
        },
        node_attr={
            "fontname": look.font, "fontsize": f"{look.points:g}", "fontcolor": theme.ink,
            "color": theme.faint, "fixedsize": "true", "margin": "0",
        },
        edge_attr={
            "color": theme.faint, "arrowsize": "0.6", "fontname": look.font,
            "fontsize": f"{look.points - 2:g}", "fontcolor": theme.faint,
        },
    )  # fmt: skip
    _add_frames(drawing, picture, placement, look)
    styles = edge_styles(picture, look)
    for edge, style, path in zip(picture.edges, styles, placement.paths, strict=True):
        style["pos"] = write_spline(turn.path(path), flat=look.direction == "right")
        drawing.edge(edge.source, edge.target, **style)
    if look.title:
        _add_title(drawing, placement, look, turn)
    return drawing.source


def _add_title(drawing: Any, placement: Placement, look: Look, turn: Orientation) -> None:
    """Add the title in bold, above the middle of the figure."""
    x, _, right, top = turn.box((0.0, 0.0), placement.width, placement.height)
    size = look.points * 1.25
    wide = text_width(look.title, size, bold=True)
    drawing.node(
        "title", shape="plaintext", pos=f"{(x + right) / 2:.2f},{top + 0.9 * size:.2f}",
        label=f'<<b><font point-size="{size:g}">{html_text(look.title)}</font></b>>',
        width=f"{wide / 72:.3f}", height=f"{1.3 * size / 72:.3f}",
    )  # fmt: skip


def _add_frames(drawing: Any, picture: Picture, placement: Placement, look: Look) -> None:
    """Add the frames with their titles, and the vertices in them."""
    import graphviz

    turn, lags = Orientation(look.direction), find_lags(picture)
    boxes: dict[Scope, Any] = {(): drawing}
    for number, frame in enumerate(placement.frames, 1):
        boxes[frame.scope] = graphviz.Digraph(name=f"cluster{number}")
        boxes[frame.scope].attr(**_place_frame(frame, look, turn))
    for vertex in picture.vertices.values():
        style = vertex_style(vertex, look)
        width, height = turn.size(*placement.sizes[vertex.id])
        x, y = turn.point(placement.centres[vertex.id])
        style |= {"width": f"{width / 72:.4f}", "height": f"{height / 72:.4f}"}
        label = write_face(face_of(vertex, look, lags.get(vertex.id, 0)))
        boxes[vertex.scope].node(vertex.id, label=label, pos=f"{x:.2f},{y:.2f}", **style)
    # The innermost frames come first because `subgraph` copies a frame in its present state.
    for frame in sorted(placement.frames, key=lambda frame: -len(frame.scope)):
        boxes[frame.scope[:-1]].subgraph(boxes[frame.scope])


def _place_frame(frame: PlacedFrame, look: Look, turn: Orientation) -> dict[str, str]:
    """Return the attributes of a frame, with its place and that of its title."""
    x, y, right, top = turn.box(frame.corner, frame.width, frame.height)
    style = _frame_style(frame.scope[-1], look)
    style |= {"bb": f"{x:.2f},{y:.2f},{right:.2f},{top:.2f}"}
    if title := frame_title(frame.scope):
        wide = text_width(title, look.points, font=look.font)
        style |= {"label": html_lines(title)}
        style |= {"lp": f"{x + frame.title_at + wide / 2:.2f},{top - 9:.2f}"}
        style |= {"lwidth": f"{wide / 72:.2f}", "lheight": "0.2"}
    return style


def frame_title(scope: Scope) -> str:
    """Return the title of a frame.

    The frame around a gate and its terms has none because the gate itself shows the name.
    """
    if not scope or scope[-1].kind in ("terms", "steps"):
        return ""
    return scope[-1].format("t = {}")


def _frame_style(part: ScopePart, look: Look) -> dict[str, str]:
    """Return the attributes of a frame. Time steps have a colour of their own."""
    theme = look.theme
    style = "rounded,filled,dashed" if part.kind == "steps" else "rounded,filled"
    return {
        "style": style,
        "fontcolor": theme.faint,
        "fontname": look.font,
        "fontsize": f"{look.points - 1:g}",
        "penwidth": "0.7",
        "color": theme.faint,
        "label": "",
        "fillcolor": theme.step if part.is_time else theme.cluster,
    }


def vertex_style(vertex: Vertex, look: Look) -> dict[str, str]:
    """Return the attributes of a vertex."""
    theme = look.theme
    fill = {"op": theme.op, "parameter": theme.parameter, "fold": theme.fold}.get(
        vertex.kind, theme.leaf
    )
    shape = "op" if vertex.kind == "fold" and vertex.formula else vertex.kind
    style = {**SHAPES[shape], "fillcolor": fill}
    if vertex.kind == "state" and look.direction == "right":
        style["shape"] = "invhouse"  # time goes down
    style["tooltip"] = _tooltip(format_scope(vertex.scope, "{}") or "outside of all scopes")
    if look.is_marked(vertex.values):
        style |= {"color": theme.gradient, "penwidth": "2.2"}
    return style


def edge_styles(picture: Picture, look: Look) -> list[dict[str, str]]:
    """Return the attributes of each edge."""
    show_widths = "grad" in look.show and look.backward_done
    widths = _edge_widths(picture) if show_widths else {}
    scopes = {name: vertex.scope for name, vertex in picture.vertices.items()}
    return [
        _edge_style(edge, scopes, look, widths.get(number))
        for number, edge in enumerate(picture.edges)
    ]


def _edge_style(
    edge: Edge, scopes: dict[str, Scope], look: Look, width: float | None
) -> dict[str, str]:
    """Return the attributes of an edge.

    Edges that carry a state are bold. `width` grows with the norm of the gradient; it is None if
    the edge has no gradient to show.
    """
    theme, style = look.theme, {}
    before, after = scopes[edge.source], scopes[edge.target]
    if edge.lag or find_crossing(before, after):
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
