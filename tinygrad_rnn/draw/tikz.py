"""A picture as TikZ, for papers in LaTeX, with text in the fonts of the paper."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..analysis.latex_names import format_label, format_piece, format_words
from .dot import edge_styles, frame_title, vertex_style
from .faces import Face, Span, face_of
from .layout.boxes import Point
from .look import Look
from .orient import Orientation
from .picture import Picture, Vertex, find_lags
from .placing import Placement
from .splines import make_spline

COUNT = re.compile(r"[\d,]+ ops?|…|—|@|·")
QUAD = r"\quad "
NEEDS = r"""% needs \usepackage{amsmath}, \usepackage{tikz} and \usetikzlibrary{arrows.meta}"""


def write_tikz(picture: Picture, placement: Placement, look: Look) -> str:
    """Return `picture` as one ``tikzpicture``, scaled to the width that `look` allows."""
    scale = min(1.0, (look.width or 1e9) / _paper_width(placement, look))
    lines = [NEEDS, rf"\begin{{tikzpicture}}[x={scale:.4f}pt,y={scale:.4f}pt,line width=.5pt]"]
    lines += _write_frames(placement, look, scale)
    lags = find_lags(picture)
    for vertex in picture.vertices.values():
        lines += _write_vertex(vertex, placement, look, scale, lags.get(vertex.id, 0))
    lines += _write_edges(picture, placement, look, scale)
    return "\n".join([*lines, r"\end{tikzpicture}", ""])


def _paper_width(placement: Placement, look: Look) -> float:
    return Orientation(look.direction).size(placement.width, placement.height)[0]


def _write_frames(placement: Placement, look: Look, scale: float) -> Iterator[str]:
    turn = Orientation(look.direction)
    for frame in placement.frames:
        x, y, right, top = turn.box(frame.corner, frame.width, frame.height)
        part = frame.scope[-1]
        fill = look.theme.step if part.is_time else look.theme.cluster
        dashed = ",dashed" if part.kind == "steps" else ""
        options = f"draw={_color(look.theme.faint)},fill={_color(fill)},rounded corners=3pt{dashed}"
        yield rf"\draw[{options}] ({x:.1f},{y:.1f}) rectangle ({right:.1f},{top:.1f});"
        if title := frame_title(frame.scope):
            at = f"({x + frame.title_at:.1f},{top - 9:.1f})"
            text = _write_text(format_words(title), look.points - 1, look.theme.faint)
            yield rf"\node[anchor=west,inner sep=0pt,scale={scale:.4f}] at {at} {{{text}}};"


def _write_vertex(
    vertex: Vertex, placement: Placement, look: Look, scale: float, lag: int
) -> Iterator[str]:
    """Yield the outline of a box and the text in it."""
    turn, style = Orientation(look.direction), vertex_style(vertex, look)
    x, y = turn.point(placement.centres[vertex.id])
    width, height = turn.size(*placement.sizes[vertex.id])
    left, right, low, high = x - width / 2, x + width / 2, y - height / 2, y + height / 2
    color = _color(style.get("color", look.theme.faint))
    options = f"draw={color},fill={_color(style['fillcolor'])}"
    options += f",line width={float(style.get('penwidth', 1)) / 2:.2f}pt"
    if "rounded" in style["style"]:
        options += ",rounded corners=4pt"
    if "dashed" in style["style"]:
        options += ",dashed"
    if style.get("peripheries") == "2":
        options += ",double"
    box = f"({left:.1f},{low:.1f}) rectangle ({right:.1f},{high:.1f})"
    if style["shape"] == "ellipse":
        box = f"({x:.1f},{y:.1f}) ellipse [x radius={width / 2:.1f},y radius={height / 2:.1f}]"
    elif style["shape"] == "cds":
        corners = (left, high), (right - 5, high), (right, y), (right - 5, low), (left, low)
        box = " -- ".join([*map(_at, corners), "cycle"])
    if vertex.kind != "steps":
        yield rf"\draw[{options}] {box};"
    lines = r"\\[-1pt]".join(_write_lines(face_of(vertex, look, lag), look))
    yield rf"\node[align=center,inner sep=0pt,scale={scale:.4f}] at {_at((x, y))} {{{lines}}};"


def _write_lines(face: Face, look: Look) -> Iterator[str]:
    for spans in face:
        yield "".join(_write_span(span, look) for span in spans)


def _write_span(span: Span, look: Look) -> str:
    """Return a span: a name as a bold symbol, a count as words, anything else as a formula."""
    text = span.text.strip()
    if span.bold:
        body = rf"$\boldsymbol{{{format_label(text)}}}$"
    elif COUNT.fullmatch(text):
        body = format_words(text)
    else:
        pieces = (format_piece(piece) if piece else "" for piece in text.split("  "))
        body = f"${QUAD.join(pieces)}$"
    space = "~~" if span.text.startswith("  ") else "~" if span.text.startswith(" ") else ""
    return _write_text(space + body, span.points, span.color or look.theme.ink)


def _write_text(body: str, points: float, color: str) -> str:
    font = rf"\fontsize{{{points:g}}}{{{1.2 * points:g}}}\selectfont"
    return rf"{{{font}\color[HTML]{{{color[1:].upper()}}}{body}}}"


def _write_edges(picture: Picture, placement: Placement, look: Look, scale: float) -> Iterator[str]:
    """Yield each edge as curves, with the tip of its arrow."""
    turn = Orientation(look.direction)
    styles = edge_styles(picture, look)
    for style, path in zip(styles, placement.paths, strict=True):
        tip, (start, *points) = make_spline(turn.path(path), flat=look.direction == "right")
        color = _color(style.get("color", look.theme.faint))
        options = f"draw={color},line width={float(style.get('penwidth', 1)) * 0.5:.2f}pt"
        options += f",-{{Latex[length={5 * scale:.2f}pt]}}"
        if style.get("style"):
            options += f",{style['style']}"
        curves = "".join(
            f" .. controls {_at(a)} and {_at(b)} .. {_at(c)}"
            for a, b, c in zip(points[::3], points[1::3], points[2::3], strict=True)
        )
        yield rf"\draw[{options}] {_at(start)}{curves} -- {_at(tip)};"


def _color(color: str) -> str:
    """Return a colour ``#rrggbb`` as an option of TikZ."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"{{rgb,255:red,{red};green,{green};blue,{blue}}}"


def _at(point: Point) -> str:
    """Return a place as coordinates of TikZ."""
    return f"({point[0]:.1f},{point[1]:.1f})"
