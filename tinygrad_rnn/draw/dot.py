"""A picture in the DOT language, which Graphviz and many other programs draw."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import hypot, isfinite, log10
from typing import Any

import numpy as np

from ..analysis.labels import escape_unprintable
from ..analysis.scopes import loop_of
from ..graph import Scope, ScopePart, Value, format_scope
from .axis import add_axis, add_companion, columns_of, companions_of, levels_of, walks_of
from .picture import Edge, Picture, Vertex
from .themes import Theme

FONT = "Helvetica,Arial,DejaVu Sans,sans-serif"

ROWS, COLUMNS = 6, 6
"""An array up to this size is written out, a larger one by its range and its norm."""

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
"""Every kind has an outline of its own, so that no kind is told by colour alone."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a picture is to look.

    Attributes
    ----------
    show : set of {"shape", "value", "grad"}
    theme : Theme
    direction : {"up", "down", "right"}
        Where data flows. Time goes to the right; with "right", along with the data.
    marked : set of Value, or None
        What is on a highlighted path.
    graded : bool
        Whether a backward pass from this result has been made; before it, a gradient that is there is another's.
    """

    show: frozenset[str]
    theme: Theme
    direction: str
    marked: frozenset[Value] | None = None
    graded: bool = True

    def marks(self, values: tuple[Value, ...]) -> bool:
        """Whether one of them is on a highlighted path."""
        return self.marked is not None and not self.marked.isdisjoint(values)


def write(picture: Picture, look: Look, title: str) -> str:
    """`picture` as DOT text with `title` below it: the same for the same picture, and safe with any name."""
    import graphviz

    theme = look.theme
    drawing = graphviz.Digraph(
        graph_attr={
            "rankdir": RANKDIR[look.direction], "newrank": "true",
            "remincross": "false", "bgcolor": theme.paper, "fontname": FONT, "fontcolor": theme.faint,
            "fontsize": "11", "label": _html(*title.split("\n")), "labelloc": "b", "labeljust": "l", "nodesep": "0.18", "ranksep": "0.32",
        },
        node_attr={"fontname": FONT, "fontsize": "12", "fontcolor": theme.ink, "color": theme.faint, "margin": "0.06,0.03",
                   "height": "0.3", "width": "0.3"},
        edge_attr={"color": theme.faint, "arrowsize": "0.6", "fontname": FONT, "fontsize": "10", "fontcolor": theme.faint},
    )  # fmt: skip
    _clusters(drawing, picture, look)
    weights = _weights(picture) if "grad" in look.show and look.graded else {}
    for number, edge in enumerate(picture.edges):
        drawing.edge(edge.source, edge.target, **_edge(edge, picture, look, weights.get(number)))
    return drawing.source


def _clusters(drawing: Any, picture: Picture, look: Look) -> None:
    """Vertices inside nested frames, one for each scope, in the order in which these were entered; steps in order of time."""
    import graphviz

    inside: dict[Scope, list[Vertex]] = {(): []}
    for vertex in picture.vertices.values():
        for depth in range(1, len(vertex.scope) + 1):
            inside.setdefault(vertex.scope[:depth], [])
        inside[vertex.scope].append(vertex)
    columns, levels, walks = (
        ({}, {}, {})
        if look.direction == "right"
        else (columns_of(picture), levels_of(picture), walks_of(picture))
    )
    lags = {edge.target: edge.lag for edge in picture.edges if edge.lag}
    numbers = {scope: number for number, scope in enumerate(inside)}
    frames = {
        scope: graphviz.Digraph(name=f"cluster{number}") if scope else drawing
        for scope, number in numbers.items()
    }
    for scope, vertices in inside.items():
        if scope:
            frames[scope].attr(**_frame(scope[-1], look.theme))
        for vertex in vertices:
            frames[scope].node(vertex.id, **_vertex(vertex, look, lags.get(vertex.id, 0)))

    def when(
        scope: Scope,
    ) -> tuple[
        int, int
    ]:  # the innermost first, for a frame is copied as it is; of siblings the earlier step
        return -len(scope), scope[-1].index if scope[-1].is_step else -1

    for scope in [*sorted((scope for scope in inside if scope), key=when), ()]:
        add_axis(frames[scope], columns.get(scope, []), levels.get(scope, []), str(numbers[scope]))
        for turn, walk in enumerate(walks.get(scope, [])):
            add_axis(frames[scope], walk, [], f"{numbers[scope]}w{turn}")
        if scope:
            frames[scope[:-1]].subgraph(frames[scope])
    for loop, companion, steps in companions_of(picture) if columns else ():
        add_companion(
            drawing,
            numbers[loop],
            numbers[companion],
            min(steps, len(columns[loop]), len(columns[companion])),
        )


def _frame(part: ScopePart, theme: Theme) -> dict[str, str]:
    """The frame of a scope: a time step stands out, and the terms of a gate have no title, for the gate has its name."""
    step = part.is_step or part.kind == "rolled"
    title = "" if part.kind in ("terms", "steps") else part.format("t = {}")
    style = {
        "style": "rounded,filled",
        "fontcolor": theme.faint,
        "fontname": FONT,
        "fontsize": "11",
        "penwidth": "0.7",
        "color": theme.faint,
    }
    return {
        **style,
        "label": _html(title) if title else "",
        "fillcolor": theme.step if step else theme.cluster,
    }


def _vertex(vertex: Vertex, look: Look, lag: int) -> dict[str, str]:
    theme = look.theme
    fill = {"op": theme.op, "parameter": theme.parameter, "fold": theme.fold}.get(
        vertex.kind, theme.leaf
    )
    style = {**SHAPES[vertex.kind], "fillcolor": fill, "label": _label(vertex, look, lag)}
    style["tooltip"] = _plain(format_scope(vertex.scope, "{}") or "outside of all scopes")
    return style | (
        {"color": theme.gradient, "penwidth": "2.2"} if look.marks(vertex.values) else {}
    )


def _label(vertex: Vertex, look: Look, lag: int) -> str:
    """The name in bold, what the op does, the shape, and what else was asked for: an HTML-like table, every text escaped."""
    name, text, theme = _escaped(vertex.name), _escaped(vertex.text), look.theme
    rows = [f"<b>{name}</b>" + (f"  {text}" if text else "") if name else text or " "]
    if vertex.kind == "state":
        # Where the edge ends, for a label along it would lie across frames.
        rows += [_small(f"t{-lag:+} → t".replace("-", "−"), theme.state) + "&#160;"] if lag else []
        return f"<{'  '.join(rows)}>"
    if (
        "shape" in look.show
        and vertex.shapes
        and not (vertex.kind in ("input", "constant") and not vertex.name)
    ):
        shapes = [str(shape) for shape in vertex.shapes[:3]] + ["…"] * (len(vertex.shapes) > 3)
        rows.append(_small(" ".join(shapes), theme.faint))
    if len(vertex.values) == 1:
        (value,) = vertex.values
        if "value" in look.show:
            rows += [_small(line, theme.faint) for line in _numbers(value.array)]
        if "grad" in look.show and value.tracked:
            lines = _numbers(value.grad) if value.grad is not None and look.graded else ["—"]
            rows += [
                _small(("∂ " if i == 0 else "") + line, theme.gradient)
                for i, line in enumerate(lines)
            ]
    cells = "".join(f"<tr><td>{row}</td></tr>" for row in rows)
    return f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{cells}</table>>'


def _small(text: str, color: str) -> str:
    return f'<font point-size="9" color="{color}">{_escaped(text)}</font>'


def _numbers(array: np.ndarray) -> list[str]:
    """An array written out if it is small, else its range and its norm."""
    rows = np.atleast_2d(array)
    if array.size and rows.ndim == 2 and rows.shape[0] <= ROWS and rows.shape[1] <= COLUMNS:
        return ["  ".join(_number(x) for x in row) for row in rows]
    if not array.size:
        return ["empty"]
    wide = array.astype(np.float64)
    return [f"{_number(wide.min())} … {_number(wide.max())}, ‖·‖ {_number(_norm(wide))}"]


def _number(x: Any) -> str:
    return f"{x + 0.0:.3g}".replace("-", "−")


def _edge(edge: Edge, picture: Picture, look: Look, weight: float | None) -> dict[str, str]:
    """The state travels along a bold line; with gradients shown, width follows their size."""
    theme, style = look.theme, {}
    before, after = (loop_of(picture.vertices[end].scope) for end in (edge.source, edge.target))
    if edge.lag or (before and after and before[0] == after[0] and before[1] != after[1]):
        style = {"color": theme.state, "penwidth": "1.8"}
    if look.direction != "right" and (
        style or (before and picture.vertices[edge.source].kind == "state")
    ):
        style["constraint"] = "false"
    if edge.when:
        style |= {"label": _html(edge.when), "style": "dashed"}
    if weight is not None:
        style |= {"color": theme.gradient, "penwidth": f"{weight:.2f}"}
    if look.marked is not None:
        style |= (
            {"color": theme.gradient, "penwidth": "2.4"}
            if look.marks(edge.values)
            else {"style": "dotted"}
        )
    return style


def _weights(picture: Picture) -> dict[int, float]:
    """A width for each edge whose gradient is known, by its norm on a logarithmic scale: six decades from 0.5 to 4."""
    norms = {}
    for number, edge in enumerate(picture.edges):
        known = [_norm(value.grad) for value in edge.values if value.grad is not None]
        if known:
            norms[number] = hypot(*known)
    top = max((norm for norm in norms.values() if isfinite(norm)), default=0.0)
    return {number: _width(norm, top) for number, norm in norms.items()}


def _width(norm: float, top: float) -> float:
    """The width for a norm, `top` being the largest; what is not finite is drawn like it."""
    if not isfinite(norm):
        return 4.0
    return 0.5 + 3.5 * max(0.0, 1 + log10(norm / top) / 6) if norm and norm / top > 0 else 0.5


def _norm(array: np.ndarray) -> float:
    """The Euclidean norm, without overflow or a warning."""
    wide = np.abs(array.astype(np.float64))
    top = wide.max(initial=0.0)
    return float(top * np.sqrt(np.sum((wide / top) ** 2))) if 0 < top < np.inf else float(top)


def _html(*lines: str) -> str:
    """Lines of text; several begin at the left."""
    end = '<br align="left"/>' if len(lines) > 1 else ""
    return f"<{''.join(_escaped(line) + end for line in lines)}>"


def _escaped(text: str) -> str:
    """`text` so that it stands for itself in an HTML-like label; what cannot be printed is written as its escape."""
    return escape(escape_unprintable(text), quote=True).replace(
        "\\", "\\\\"
    )  # or Graphviz takes it for an escape of its own


def _plain(text: str) -> str:
    """`text` so that it stands for itself in a tooltip, whose escapes Graphviz reads twice."""
    import graphviz

    return graphviz.nohtml(
        graphviz.escape(escape_unprintable(text).replace("&", "&amp;").replace("\\", "\\\\"))
    )
