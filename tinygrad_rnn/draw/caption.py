"""The text below a figure: its notes, and a legend."""

from __future__ import annotations

from collections.abc import Sequence, Set

from .faces import html_lines, html_text
from .look import Look

KINDS = (
    ({"op"}, "op", "round corners", "an op, or a named result with its formula"),
    ({"parameter"}, "parameter", "sharp corners", "a parameter"),
    ({"input"}, "leaf", "oval", "an input"),
    ({"constant"}, "leaf", "dashed oval", "a constant"),
    ({"state"}, "leaf", "tag", "a state from another time step"),
    ({"fold"}, "fold", "grey or double box", "several ops in one box"),
)
"""The fill colour, the shape and the meaning of the kinds of vertices."""


def write_caption(look: Look, notes: Sequence[str], shown: Set[str]) -> str:
    """Return the notes and the legend as a label in Graphviz's HTML; empty if neither is wanted.

    The legend explains the kinds of vertices that are shown.
    """
    lines = [line for note in notes for line in note.split("\n")] if look.note else []
    if not look.legend:
        return html_lines(*lines) if lines else ""
    theme = look.theme
    rows = [f'<tr><td align="left" colspan="2">{html_text(line)}</td></tr>' for line in lines]
    for kinds, fill, shape, meaning in KINDS:
        if not shown & kinds:
            continue
        rows.append(_write_row(getattr(theme, fill), theme.faint, f"{shape}: {meaning}"))
    if "state" in shown:
        rows.append(_write_row(theme.state, theme.state, "bold line: a state on its way in time"))
    if "grad" in look.show:
        says = "∂ and wide lines: gradients; the width grows with the logarithm of the norm"
        rows.append(_write_row(theme.gradient, theme.gradient, says))
    table = "".join(rows)
    return f'<<table border="0" cellborder="0" cellspacing="2" cellpadding="1">{table}</table>>'


def _write_row(fill: str, border: str, text: str) -> str:
    patch = f'<td border="1" color="{border}" bgcolor="{fill}" width="18" height="8"></td>'
    return f'<tr>{patch}<td align="left">{html_text(text)}</td></tr>'
