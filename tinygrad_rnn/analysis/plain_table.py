"""Tables as plain text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence


def align_columns(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[str]
) -> list[str]:
    """Return the lines of a table. The columns in `right` are aligned on the right.

    Examples
    --------
    >>> align_columns(["t", "norm"], [["0", "2.5"], ["10", "0.25"]], right=["norm"])
    ['t   norm', '0    2.5', '10  0.25']
    """
    table = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        columns = zip(header, row, widths, strict=True)
        cells = [x.rjust(n) if title in right else x.ljust(n) for title, x, n in columns]
        lines.append("  ".join(cells).rstrip())
    return lines
