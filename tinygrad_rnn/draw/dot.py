"""A picture in the DOT language, which Graphviz and many other programs draw."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import hypot, isfinite, log10
from typing import Any

import numpy as np

from ..analysis.labels import escape_unprintable
from ..analysis.scopes import Loop, once_per_scope
from ..graph import Value
from ..scope_part import Scope, ScopePart, format_scope
from .axis import (
    add_axis,
    add_companion,
    find_columns,
    find_companions,
    find_consecutive_loops,
    find_levels,
)
from .picture import Edge, Picture, Vertex, find_places
from .themes import Theme

FONT = "Helvetica,Arial,DejaVu Sans,sans-serif"

ROWS, COLUMNS = 6, 6
"""An array up to this size is written out. For a larger array, its range and norm are shown."""

RANKDIR = {"up": "BT", "down": "TB", "right": "LR"}

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


@dataclass(frozen=True, slots=True)
class Look:
    """The appearance of a picture.

    Attributes
    ----------
    show : set of {"shape", "value", "grad"}
    theme : Theme
    direction : {"up", "down", "right"}
        The direction in which data flows. In each case, time goes to the right.
    marked : set of Value, or None
        The values on a highlighted path; None if nothing is highlighted.
    backward_done : bool
        True if a backward pass from the drawn result has run. Before that pass, any gradient in the
        graph belongs to another result and is not shown.
    """

    show: frozenset[str]
    theme: Theme
    direction: str
    marked: frozenset[Value] | None = None
    backward_done: bool = True

    def is_marked(self, values: tuple[Value, ...]) -> bool:
        """Return whether one of the values is on a highlighted path."""
        return self.marked is not None and not self.marked.isdisjoint(values)


def write_dot(picture: Picture, look: Look, title: str) -> str:
    """Return `picture` as DOT text with `title` below it.

    Equal pictures give equal text. Names may contain any characters.
    """
    import graphviz

    theme = look.theme
    drawing = graphviz.Digraph(
        graph_attr={
            "rankdir": RANKDIR[look.direction], "newrank": "true", "remincross": "false",
            "bgcolor": theme.paper, "fontname": FONT, "fontcolor": theme.faint, "fontsize": "11",
            "label": _html(*title.split("\n")), "labelloc": "b", "labeljust": "l",
            "nodesep": "0.18", "ranksep": "0.32",
        },
        node_attr={
            "fontname": FONT, "fontsize": "12", "fontcolor": theme.ink, "color": theme.faint,
            "margin": "0.06,0.03", "height": "0.3", "width": "0.3",
        },
        edge_attr={
            "color": theme.faint, "arrowsize": "0.6",
            "fontname": FONT, "fontsize": "10", "fontcolor": theme.faint,
        },
    )  # fmt: skip
    _add_frames(drawing, picture, look)
    show_widths = "grad" in look.show and look.backward_done
    widths = _edge_widths(picture) if show_widths else {}
    places = find_places(picture)
    for number, edge in enumerate(picture.edges):
        style = _edge_style(edge, picture, places, look, widths.get(number))
        drawing.edge(edge.source, edge.target, **style)
    return drawing.source


def _add_frames(drawing: Any, picture: Picture, look: Look) -> None:
    """Add the vertices in nested frames, one frame for each scope, with the time steps in order."""
    import graphviz

    inside: dict[Scope, list[Vertex]] = {(): []}

    @once_per_scope
    def find_frame(scope: Scope) -> list[Vertex]:
        for depth in range(1, len(scope) + 1):
            inside.setdefault(scope[:depth], [])
        return inside[scope]

    for vertex in picture.vertices.values():
        find_frame(vertex.scope).append(vertex)
    lags = {edge.target: edge.lag for edge in picture.edges if edge.lag}
    numbers = {scope: number for number, scope in enumerate(inside)}
    frames = {
        scope: graphviz.Digraph(name=f"cluster{number}") if scope else drawing
        for scope, number in numbers.items()
    }
    for scope, vertices in inside.items():
        if scope:
            frames[scope].attr(**_frame_style(scope[-1], look.theme))
        frame = frames[scope]
        for vertex in vertices:
            frame.node(vertex.id, **_vertex_style(vertex, look, lags.get(vertex.id, 0)))
    _join_frames(drawing, picture, frames, numbers, has_axis=look.direction != "right")


def _join_frames(
    drawing: Any,
    picture: Picture,
    frames: dict[Scope, Any],
    numbers: dict[Scope, int],
    *,
    has_axis: bool,
) -> None:
    """Put each frame into its parent; if `has_axis`, order the steps of each loop by time."""
    columns, levels, consecutive = {}, {}, {}
    if has_axis:
        columns, levels = find_columns(picture), find_levels(picture)
        consecutive = find_consecutive_loops(picture)

    def order(scope: Scope) -> tuple[int, int]:
        last = scope[-1]
        return -len(scope), last.index if last.is_step else -1

    # The innermost frames come first because `subgraph` copies a frame in its present state.
    # Among siblings, the earlier step comes first.
    for scope in [*sorted((scope for scope in frames if scope), key=order), ()]:
        add_axis(frames[scope], columns.get(scope, []), levels.get(scope, []), str(numbers[scope]))
        for i, pair in enumerate(consecutive.get(scope, [])):
            add_axis(frames[scope], pair, [], f"{numbers[scope]}w{i}")
        if scope:
            frames[scope[:-1]].subgraph(frames[scope])
    for loop, companion, steps in find_companions(picture) if columns else ():
        count = min(steps, len(columns[loop]), len(columns[companion]))
        add_companion(drawing, numbers[loop], numbers[companion], count)


def _frame_style(part: ScopePart, theme: Theme) -> dict[str, str]:
    """Return the attributes of a frame.

    Time steps have a colour of their own. The frame around a gate and its terms has no title
    because the gate itself shows the name.
    """
    title = "" if part.kind in ("terms", "steps") else part.format("t = {}")
    return {
        "style": "rounded,filled",
        "fontcolor": theme.faint,
        "fontname": FONT,
        "fontsize": "11",
        "penwidth": "0.7",
        "color": theme.faint,
        "label": _html(title) if title else "",
        "fillcolor": theme.step if part.is_step or part.kind == "rolled" else theme.cluster,
    }


def _vertex_style(vertex: Vertex, look: Look, lag: int) -> dict[str, str]:
    """Return the attributes of a vertex.

    If one drawn step stands for all, `lag` is the number of steps from the computation of a state
    to its use. Otherwise `lag` is 0.
    """
    theme = look.theme
    fill = {"op": theme.op, "parameter": theme.parameter, "fold": theme.fold}.get(
        vertex.kind, theme.leaf
    )
    style = {**SHAPES[vertex.kind], "fillcolor": fill, "label": _label(vertex, look, lag)}
    style["tooltip"] = _tooltip(format_scope(vertex.scope, "{}") or "outside of all scopes")
    if look.is_marked(vertex.values):
        style |= {"color": theme.gradient, "penwidth": "2.2"}
    return style


def _label(vertex: Vertex, look: Look, lag: int) -> str:
    """Return a label in HTML: the name in bold, the text, and the details that `look` shows."""
    name, text, theme = _escape(vertex.name), _escape(vertex.text), look.theme
    rows = [f"<b>{name}</b>" + (f"  {text}" if text else "") if name else text or " "]
    if vertex.kind == "state":
        # The lag is written here because a label along the edge would lie across frames.
        rows += [_small(f"t{-lag:+} → t".replace("-", "−"), theme.state) + "&#160;"] if lag else []
        return f"<{'  '.join(rows)}>"
    # An unnamed leaf has its shape in its text.
    has_shape_row = vertex.shapes and (vertex.kind not in ("input", "constant") or vertex.name)
    if "shape" in look.show and has_shape_row:
        shapes = [str(shape) for shape in vertex.shapes[:3]] + ["…"] * (len(vertex.shapes) > 3)
        rows.append(_small(" ".join(shapes), theme.faint))
    if len(vertex.values) == 1:
        (value,) = vertex.values
        if "value" in look.show:
            rows += [_small(line, theme.faint) for line in _format_array(value.array)]
        if "grad" in look.show and value.tracked:
            gradient = value.grad if look.backward_done else None
            first, *others = ["—"] if gradient is None else _format_array(gradient)
            rows += [_small(line, theme.gradient) for line in (f"∂ {first}", *others)]
    cells = "".join(f"<tr><td>{row}</td></tr>" for row in rows)
    return f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{cells}</table>>'


def _small(text: str, color: str) -> str:
    """Return `text` as HTML in a small font."""
    return f'<font point-size="9" color="{color}">{_escape(text)}</font>'


def _format_array(array: np.ndarray) -> list[str]:
    """Return the rows of a small array, or the range and the norm of a larger one, as lines."""
    rows = np.atleast_2d(array)
    if array.size and rows.ndim == 2 and rows.shape[0] <= ROWS and rows.shape[1] <= COLUMNS:
        return ["  ".join(_format_number(x) for x in row) for row in rows]
    if not array.size:
        return ["empty"]
    wide = array.astype(np.float64)
    low, high, norm = map(_format_number, (wide.min(), wide.max(), _norm(wide)))
    return [f"{low} … {high}, ‖·‖ {norm}"]


def _format_number(x: Any) -> str:
    """Return a number with three significant digits. Adding 0.0 turns −0 into 0."""
    return f"{x + 0.0:.3g}".replace("-", "−")


def _edge_style(
    edge: Edge, picture: Picture, places: dict[str, Loop | None], look: Look, width: float | None
) -> dict[str, str]:
    """Return the attributes of an edge.

    Edges that carry a state are bold. `width` grows with the norm of the gradient; it is None if
    the edge has no gradient to show.
    """
    theme, style = look.theme, {}
    before, after = places[edge.source], places[edge.target]
    if edge.lag or (before and after and before[0] == after[0] and before[1] != after[1]):
        style = {"color": theme.state, "penwidth": "1.8"}
    from_state = before and picture.vertices[edge.source].kind == "state"
    if look.direction != "right" and (style or from_state):
        style["constraint"] = "false"
    if edge.when:
        style |= {"label": _html(edge.when), "style": "dashed"}
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
        known = [_norm(value.grad) for value in edge.values if value.grad is not None]
        if known:
            norms[number] = hypot(*known)
    top = max((norm for norm in norms.values() if isfinite(norm)), default=0.0)
    return {number: _width(norm, top) for number, norm in norms.items()}


def _width(norm: float, top: float) -> float:
    """Return the width for a norm: 4 for `top` (the largest norm), for NaN and for inf."""
    if not isfinite(norm):
        return 4.0
    return 0.5 + 3.5 * max(0.0, 1 + log10(norm / top) / 6) if norm and norm / top > 0 else 0.5


def _norm(array: np.ndarray) -> float:
    """Return the Euclidean norm, without overflow and without a warning."""
    wide = np.abs(array.astype(np.float64))
    top = wide.max(initial=0.0)
    return float(top * np.sqrt(np.sum((wide / top) ** 2))) if 0 < top < np.inf else float(top)


def _html(*lines: str) -> str:
    """Return lines of text as a label in HTML. Several lines are aligned on the left."""
    end = '<br align="left"/>' if len(lines) > 1 else ""
    return f"<{''.join(_escape(line) + end for line in lines)}>"


def _escape(text: str) -> str:
    """Return `text` as HTML that shows it literally; unprintable characters become escapes.

    Backslashes are doubled because Graphviz has escapes of its own.
    """
    return escape(escape_unprintable(text), quote=True).replace("\\", "\\\\")


def _tooltip(text: str) -> str:
    """Return `text` as a tooltip that shows it literally. Graphviz expands escapes twice here."""
    import graphviz

    return graphviz.nohtml(
        graphviz.escape(escape_unprintable(text).replace("&", "&amp;").replace("\\", "\\\\"))
    )
