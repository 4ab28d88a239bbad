"""A table as HTML, for notebooks. It takes the colours of the page, light or dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

CELL = "text-align: left; padding: 0.15em 0.8em; white-space: pre; vertical-align: top"
TEXT = "white-space: pre-wrap"
LINE = "border-bottom: 1px solid currentColor"


def html_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "", notes: str = ""
) -> str:
    """Return a table with a title above it and notes below it. All text is escaped.

    Examples
    --------
    >>> "&lt;b&gt;" in html_table(["name"], [["<b>"]])
    True
    """

    def row(cells: Sequence[str], tag: str, style: str) -> str:
        inner = [f'<{tag} style="{style}">{escape(str(cell))}</{tag}>' for cell in cells]
        return f'<tr style="background: transparent">{"".join(inner)}</tr>'

    lines = [row(header, "th", f"{CELL}; {LINE}"), *[row(cells, "td", CELL) for cells in rows]]
    above = title and f'<div style="font-weight: bold; {TEXT}">{escape(title)}</div>'
    below = notes and f'<div style="{TEXT}">{escape(notes)}</div>'
    table = f'<table style="border-collapse: collapse; margin: 0.3em 0">{"".join(lines)}</table>'
    return f"<div>{above}{table}{below}</div>"
