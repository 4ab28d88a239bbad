"""The page the walk is written on: headings, prose, matrices side by side, tables and progress."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Any
from unicodedata import combining

import numpy as np

from ...errors import format_count
from .network import Epoch

PAUSE = 0.06
"""Seconds that one epoch stays in view; the training itself is faster than eyes."""

Block = list[str]
"""Lines of one width: a matrix under its name, or a sign between two matrices."""


class Page:
    """A terminal, or with `plain` a stream of lines without colour, animation or control characters, 80 columns wide."""

    def __init__(self, plain: bool):
        from rich.console import Console

        self.plain = plain
        if plain:
            self.console = Console(
                width=80, color_system=None, force_terminal=False, no_color=True, highlight=False
            )
        else:
            self.console = Console(highlight=False)
            self.console.width = min(self.console.width, 100)

    def title(self, text: str) -> None:
        """The heading of the whole page."""
        from rich.panel import Panel
        from rich.text import Text

        self.console.print(
            Panel(
                Text(text, justify="center"), style="bold cyan", width=min(self.console.width, 80)
            )
        )

    def heading(self, text: str) -> None:
        """The heading of a chapter."""
        self.console.print()
        self.line(
            f"── {text} " + "─" * max(0, min(self.console.width, 80) - len(text) - 4), "bold cyan"
        )

    def say(self, *paragraphs: str) -> None:
        """Prose, filled to the width of the page; a paragraph that starts with a line break has an empty line above it."""
        for paragraph in paragraphs:
            if paragraph.startswith("\n"):
                self.line()
            for line in wrap(paragraph.strip(), min(self.console.width, 80)):
                self.line(line)

    def line(self, text: str = "", style: str = "") -> None:
        """One line, as it is."""
        from rich.text import Text

        self.console.print(Text(text, style=style), no_wrap=True, overflow="ignore", crop=False)

    def show(self, *parts: Block | str, indent: int = 2) -> None:
        """Matrices side by side, and signs between them."""
        self.console.print()
        names, *lines = beside(*parts)
        if names.strip():
            self.line((" " * indent + names).rstrip(), "green")
        for line in lines:
            self.line((" " * indent + line).rstrip())

    def table(
        self, headings: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()
    ) -> None:
        """A table; the columns `right` are flush right."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(
            box=box.SIMPLE_HEAD,
            header_style="green",
            pad_edge=False,
            padding=(0, 1),
            collapse_padding=True,
        )
        for i, heading in enumerate(headings):
            table.add_column(Text(heading), justify="right" if i in right else "left", no_wrap=True)
        for row in rows:
            table.add_row(*map(Text, row))
        self.console.print(table)

    def follow(self, epochs: Iterator[tuple[Epoch, str]], at_most: int) -> tuple[Epoch, str]:
        """Show a training as it runs and hand back its last epoch: live in a terminal, else in a few lines."""
        seen = list(epochs) if self.plain else self._live(epochs, at_most)
        if self.plain:
            self.line()
            for epoch, written in seen:
                if epoch.number & (epoch.number - 1) == 0 or epoch is seen[-1][0]:
                    self.line(
                        f"  epoch {epoch.number:3}   loss {epoch.mean:.4f}   writes {written}"
                    )
        return seen[-1]

    def _live(self, epochs: Iterator[tuple[Epoch, str]], at_most: int) -> list[tuple[Epoch, str]]:
        from rich.progress import BarColumn, Progress, TextColumn

        seen = []
        columns = (
            TextColumn("  epoch {task.completed:3.0f}/{task.total:.0f}"),
            BarColumn(bar_width=20),
            TextColumn(
                "loss [bold]{task.fields[loss]}[/]  writes [bold green]{task.fields[written]}[/]"
            ),
        )
        self.line()
        with Progress(*columns, console=self.console, refresh_per_second=30) as progress:
            task = progress.add_task("", total=at_most, loss="…", written="")
            for epoch, written in epochs:
                seen.append((epoch, written))
                progress.update(
                    task, completed=epoch.number, loss=f"{epoch.mean:.4f}", written=written
                )
                time.sleep(PAUSE)
        self.line(f"  learned after {format_count(len(seen), 'epoch')}", "dim")
        return seen


def matrix(name: str, numbers: Any, decimals: int = 4) -> Block:
    """A matrix (a vector is a row) in brackets under its name, its columns aligned.

    Examples
    --------
    >>> print(*matrix("b", [[1.0, -2.5], [0.0, 10.0]], decimals=1), sep="\\n")
        b
    ⎡1.0 -2.5⎤
    ⎣0.0 10.0⎦
    """
    array = np.atleast_2d(np.asarray(numbers))
    cells = [
        [f"{0.0 if x == 0 else x:.{decimals}f}" for x in row] for row in array
    ]  # no minus before a zero
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = [" ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
    last = len(rows) - 1
    ends = ["[]"] if last == 0 else ["⎡⎤", *["⎢⎥"] * (last - 1), "⎣⎦"]
    lines = [left + row + right for row, (left, right) in zip(rows, ends, strict=True)]
    return [_centred(name, len(lines[0])), *lines]


def beside(*parts: Block | str) -> Block:
    """Blocks next to each other: names in the first line, matrices centred below, signs, with their spaces, in the middle."""
    height = max(len(part) for part in parts if not isinstance(part, str)) - 1
    columns = []
    for part in parts:
        title, body = ("", [part]) if isinstance(part, str) else (part[0], part[1:])
        width = max(map(_width, [title, *body]))
        above = (height - len(body)) // 2
        lines = [title, *[""] * above, *body, *[""] * (height - len(body) - above)]
        columns.append([line + " " * (width - _width(line)) for line in lines])
    return ["".join(row) for row in zip(*columns, strict=True)]


def _width(text: str) -> int:
    """Columns on the screen: the tilde of h̃ takes none."""
    return sum(not combining(c) for c in text)


def _centred(text: str, width: int) -> str:
    return " " * max(0, (width - _width(text)) // 2) + text
