"""What is written below a figure: its notes, and a legend."""

from __future__ import annotations

from collections.abc import Sequence

from .faces import html_lines, html_text
from .look import Look

KINDS = (
    ("op", "white box", "an op, or a named result with its formula"),
    ("parameter", "box", "a parameter"),
    ("leaf", "oval", "an input; dashed: a constant"),
    ("leaf", "tag", "a state from another time step"),
    ("fold", "double box", "several ops in one box"),
)
"""The fill colour, the shape and the meaning of each kind of vertex."""


def write_caption(look: Look, notes: Sequence[str]) -> str:
    """Return the notes and the legend as a label in Graphviz's HTML; empty if neither is wanted."""
    lines = [line for note in notes for line in note.split("\n")] if look.note else []
    if not look.legend:
        return html_lines(*lines) if lines else ""
    theme = look.theme
    rows = [f'<tr><td align="left" colspan="2">{html_text(line)}</td></tr>' for line in lines]
    for fill, shape, meaning in KINDS:
        rows.append(_write_row(getattr(theme, fill), theme.faint, f"{shape}: {meaning}"))
    rows.append(_write_row(theme.state, theme.state, "bold line: a state on its way in time"))
    if "grad" in look.show:
        says = "∂ and wide lines: gradients; the width grows with the logarithm of the norm"
        rows.append(_write_row(theme.gradient, theme.gradient, says))
    table = "".join(rows)
    return f'<<table border="0" cellborder="0" cellspacing="2" cellpadding="1">{table}</table>>'


def _write_row(fill: str, border: str, text: str) -> str:
    patch = f'<td border="1" color="{border}" bgcolor="{fill}" width="18" height="8"></td>'
    return f'<tr>{patch}<td align="left">{html_text(text)}</td></tr>'
