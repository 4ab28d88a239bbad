"""The page on which the tutorial is printed: headings, prose, matrices, tables and progress."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Any
from unicodedata import combining

import numpy as np

from ...errors import format_count
from ..console import as_literal, make_console
from .network import Epoch

PAUSE = 0.06
"""The pause after each epoch, in seconds, because the training itself is too fast to watch."""
WIDTH = 80
"""The maximum width of prose and headings, in columns."""

Block = list[str]
"""Lines of text: the name of a matrix, and below it the rows of the matrix."""


class Page:
    """A page on stdout, which may be a terminal, a file or a pipe.

    Parameters
    ----------
    plain : bool
        Print without colour, animation or control characters, 80 columns wide.
    """

    def __init__(self, plain: bool):
        self.plain, self.console = plain, make_console(plain)
        self.console.width = WIDTH if plain else min(self.console.width, 100)

    @property
    def width(self) -> int:
        """The width of prose and headings, in columns."""
        return min(self.console.width, WIDTH)

    def title(self, text: str) -> None:
        """Print the title of the page."""
        from rich.panel import Panel
        from rich.text import Text

        title = Text(text, justify="center")
        self.console.print(Panel(title, style="bold cyan", width=self.width))

    def heading(self, text: str) -> None:
        """Print the heading of a chapter."""
        self.console.print()
        self.line(f"── {text} " + "─" * max(0, self.width - len(text) - 4), "bold cyan")

    def say(self, text: str) -> None:
        """Print prose, wrapped to the width of the page.

        Empty lines separate paragraphs, as in a docstring. If `text` begins with a line break, an
        empty line is printed above the prose.
        """
        if text.startswith("\n"):
            self.line()
        for i, paragraph in enumerate(text.strip().split("\n\n")):
            if i:
                self.line()
            for line in wrap(" ".join(paragraph.split()), self.width):
                self.line(line)

    def line(self, text: str = "", style: str = "") -> None:
        """Print a line without wrapping or cropping."""
        literal = as_literal(text)
        literal.style = style
        self.console.print(literal, no_wrap=True, overflow="ignore", crop=False)

    def show(self, *parts: Block | str, indent: int = 2) -> None:
        """Print matrices side by side, with signs between them."""
        self.console.print()
        names, *lines = join_blocks(*parts)
        if names.strip():
            self.line((" " * indent + names).rstrip(), "green")
        for line in lines:
            self.line((" " * indent + line).rstrip())

    def table(
        self, headings: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()
    ) -> None:
        """Print a table. The columns whose indices are in `right` are aligned on the right."""
        from rich import box
        from rich.table import Table

        table = Table(
            box=box.SIMPLE_HEAD,
            header_style="green",
            pad_edge=False,
            padding=(0, 1),
            collapse_padding=True,
        )
        for i, heading in enumerate(headings):
            justify = "right" if i in right else "left"
            table.add_column(as_literal(heading), justify=justify, no_wrap=True)
        for row in rows:
            table.add_row(*map(as_literal, row))
        self.console.print(table)

    def show_training(self, epochs: Iterator[tuple[Epoch, str]], at_most: int) -> tuple[Epoch, str]:
        """Run the training, show its progress, and return the last epoch and its text.

        A terminal shows every epoch as it ends. A plain page shows epochs 1, 2, 4, 8 … and the
        last one.
        """
        if not self.plain:
            return self._show_live(epochs, at_most)[-1]
        results = list(epochs)
        self.line()
        for epoch, written in results:
            is_power_of_2 = epoch.number & (epoch.number - 1) == 0
            if is_power_of_2 or epoch is results[-1][0]:
                self.line(f"  epoch {epoch.number:3}   loss {epoch.mean:.4f}   writes {written}")
        return results[-1]

    def _show_live(
        self, epochs: Iterator[tuple[Epoch, str]], at_most: int
    ) -> list[tuple[Epoch, str]]:
        """Run the training with a progress bar, and return all epochs."""
        from rich.progress import BarColumn, Progress, TextColumn

        results = []
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
                results.append((epoch, written))
                loss = f"{epoch.mean:.4f}"
                progress.update(task, completed=epoch.number, loss=loss, written=written)
                time.sleep(PAUSE)
        self.line(f"  learned after {format_count(len(results), 'epoch')}", "dim")
        return results


def matrix(name: str, numbers: Any, decimals: int = 4) -> Block:
    """Return a matrix in brackets below its name, with aligned columns. A vector becomes a row.

    Examples
    --------
    >>> print(*matrix("b", [[1.0, -2.5], [0.0, 10.0]], decimals=1), sep="\\n")
        b
    ⎡1.0 -2.5⎤
    ⎣0.0 10.0⎦
    """
    array = np.atleast_2d(np.asarray(numbers))
    # Print -0.0 without its sign.
    cells = [[f"{0.0 if x == 0 else x:.{decimals}f}" for x in row] for row in array]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = [" ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
    last = len(rows) - 1
    brackets = ["[]"] if last == 0 else ["⎡⎤", *["⎢⎥"] * (last - 1), "⎣⎦"]
    lines = [left + row + right for row, (left, right) in zip(rows, brackets, strict=True)]
    return [_center(name, len(lines[0])), *lines]


def space_out(blocks: Iterable[Block]) -> list[Block | str]:
    """Return the blocks with two spaces between them."""
    return [part for block in blocks for part in (block, "  ")][:-1]


def join_blocks(*parts: Block | str) -> Block:
    """Join blocks side by side.

    The first line holds the names. In the lines below, the matrices and the signs between them are
    centred vertically. The spaces around a sign are kept.
    """
    height = max(len(part) for part in parts if not isinstance(part, str)) - 1
    columns = []
    for part in parts:
        title, body = ("", [part]) if isinstance(part, str) else (part[0], part[1:])
        width = max(map(_measure_width, [title, *body]))
        above = (height - len(body)) // 2
        lines = [title, *[""] * above, *body, *[""] * (height - len(body) - above)]
        columns.append([line + " " * (width - _measure_width(line)) for line in lines])
    return ["".join(row) for row in zip(*columns, strict=True)]


def _measure_width(text: str) -> int:
    """Return the width of the text on the screen, in columns. The tilde of h̃ takes no column."""
    return sum(not combining(c) for c in text)


def _center(text: str, width: int) -> str:
    return " " * max(0, (width - _measure_width(text)) // 2) + text
