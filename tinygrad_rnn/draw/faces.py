"""The text on a box: its lines, as HTML for Graphviz, and the room that they need."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from ..analysis.labels import escape_unprintable
from ..graph import Value
from .label_size import LINE, text_width
from .look import Look
from .picture import Vertex

ROWS, COLUMNS = 6, 6
"""An array up to this size is written out. For a larger array, its range and norm are shown."""


LONG = 24
"""The greatest number of characters in the first line of a box."""

OPERATOR = re.compile(r" (?=[+−⊙@/=] )")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text in one style."""

    text: str
    points: float
    color: str = ""
    bold: bool = False


Face = list[list[Span]]
"""The lines of a box, each as its spans."""


def face_of(vertex: Vertex, look: Look, lag: int) -> Face:
    """Return the name in bold, the text, and the details that `look` shows.

    If one drawn step stands for all, `lag` is the number of steps from the computation of a state
    to its use. Otherwise `lag` is 0.
    """
    theme, big, small = look.theme, look.points, look.small
    title = [Span(vertex.name, big, bold=True)] if vertex.name else []
    first, *rest = _wrap(vertex.text, len(vertex.name))
    if vertex.text or not vertex.name:
        title.append(Span(f"  {first}" if title else first or " ", big))
    if vertex.kind == "op" and vertex.number and look.numbers:
        title.append(Span(f" {vertex.number}", small, theme.faint))
    if vertex.kind == "state":
        # The lag is written here because a label along the edge would lie across frames.
        late = f"  t{-lag:+} → t".replace("-", "−")
        title += [Span(late, small, theme.state)] if lag else []
        is_first = len(vertex.values) == 1 and vertex.values[0].node is None
        return [title, *(_write_numbers(vertex.values[0], look) if is_first else [])]
    face = [title, *([Span(line, big)] for line in rest)]
    if vertex.kind == "steps":
        return face
    # An unnamed leaf has its shape in its text.
    has_shape_row = vertex.shapes and (vertex.kind not in ("input", "constant") or vertex.name)
    if "shape" in look.show and has_shape_row:
        shapes = [str(shape) for shape in vertex.shapes[:3]] + ["…"] * (len(vertex.shapes) > 3)
        face.append([Span(" ".join(shapes), small, theme.faint)])
    return face + (_write_numbers(vertex.values[0], look) if len(vertex.values) == 1 else [])


def _write_numbers(value: Value, look: Look) -> Face:
    """Return the lines with the numbers of a value and of its gradient, if they are shown."""
    face: Face = []
    if "value" in look.show:
        face += [[Span(line, look.small, look.theme.faint)] for line in _format_array(value.array)]
    if "grad" in look.show and value.tracked:
        gradient = value.grad if look.backward_done else None
        first, *others = ["—"] if gradient is None else _format_array(gradient)
        lines = f"∂ {first}", *others
        face += [[Span(line, look.small, look.theme.gradient)] for line in lines]
    return face


def _wrap(formula: str, used: int) -> list[str]:
    """Return a formula in one line, or in two if it is long, cut before an operator.

    `used` characters stand before the first line.
    """
    if used + len(formula) <= LONG:
        return [formula]
    whole, costs = used + 2 + len(formula), {}
    for match in OPERATOR.finditer(formula):
        i = match.start()
        depth = formula[:i].count("(") - formula[:i].count(")")
        tight = formula[i + 1] not in "+−"
        costs[i] = max(used + 2 + i, len(formula) - i) + 2 * depth + 3 * tight
    cut = min(costs, key=costs.__getitem__, default=0)
    if not cut or max(used + 2 + cut, len(formula) - cut) > 0.8 * whole:
        return [formula]
    return [formula[:cut], formula[cut + 1 :]]


def write_face(face: Face) -> str:
    """Return a face as a label in Graphviz's HTML."""
    lines = ["".join(map(_write_span, spans)) for spans in face]
    if len(lines) == 1:
        return f"<{lines[0]}>"
    cells = "".join(f"<tr><td>{line}</td></tr>" for line in lines)
    return f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{cells}</table>>'


def measure_face(face: Face, kind: str, font: str) -> tuple[float, float]:
    """Return the width and the height of the box around a face, in a font."""
    width = max(
        sum(text_width(span.text, span.points, bold=span.bold, font=font) for span in spans)
        for spans in face
    )
    height = sum(max(span.points for span in spans) * LINE + 1.5 for spans in face)
    if kind == "state":  # the body of Graphviz's arrow is two thirds as high
        return width + 16, 1.5 * (height + 1)
    if kind in ("input", "constant"):
        return max(width * 1.15 + 14, 34.0), height * 1.15 + 6
    if kind == "steps":
        return width + 4, height + 4
    return max(width + 12, 26.0), height + 7


def _write_span(span: Span) -> str:
    text = html_text(span.text)
    if span.color:
        text = f'<font point-size="{span.points:g}" color="{span.color}">{text}</font>'
    return f"<b>{text}</b>" if span.bold else text


def _format_array(array: np.ndarray) -> list[str]:
    """Return the rows of a small array, or the range and the norm of a larger one, as lines."""
    rows = np.atleast_2d(array)
    if array.size and rows.ndim == 2 and rows.shape[0] <= ROWS and rows.shape[1] <= COLUMNS:
        return ["  ".join(_format_number(x) for x in row) for row in rows]
    if not array.size:
        return ["empty"]
    wide = array.astype(np.float64)
    low, high, norm = map(_format_number, (wide.min(), wide.max(), norm_of(wide)))
    return [f"{low} … {high}, ‖·‖ {norm}"]


def _format_number(x: Any) -> str:
    """Return a number with three significant digits. Adding 0.0 turns −0 into 0."""
    return f"{x + 0.0:.3g}".replace("-", "−")


def norm_of(array: np.ndarray) -> float:
    """Return the Euclidean norm, without overflow and without a warning."""
    wide = np.abs(array.astype(np.float64))
    top = wide.max(initial=0.0)
    return float(top * np.sqrt(np.sum((wide / top) ** 2))) if 0 < top < np.inf else float(top)


def html_lines(*lines: str) -> str:
    """Return lines of text as a label in HTML. Several lines are aligned on the left."""
    end = '<br align="left"/>' if len(lines) > 1 else ""
    return f"<{''.join(html_text(line) + end for line in lines)}>"


def html_text(text: str) -> str:
    """Return `text` as HTML that shows it literally; unprintable characters become escapes.

    Backslashes are doubled because Graphviz has escapes of its own.
    """
    return escape(escape_unprintable(text), quote=True).replace("\\", "\\\\")
