"""The order of the items in each row, with few crossings of wires."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

SWEEPS = 16


@dataclass(slots=True, eq=False)
class Spot:
    """A place in a row: of an item, of a wire that passes through, or of a wire's end at a side.

    Attributes
    ----------
    key : hashable
    width : float
    below, above : list of (Spot, float, float)
        The neighbours in the next rows; where the wire leaves this spot and where it arrives at the
        neighbour, both as a fraction of the width.
    is_last : bool
        True if the spot must be at the end of its row.
    is_pass : bool
        True for a wire that passes, or ends at a side of the frame.
    after : Spot or None
        A spot that must be to the left of this one.
    tied : list of (Spot, float, float)
        Spots with which this one should be level in the first axis, whatever their rows: which
        place of this spot, which of the other, and how strong the tie is.
    x : float
        The left side.
    pin : float or None
        Where the spot is held, because the wire that passes here is to be straight.
    place : int
        The position in the row.
    low, high : dict of port to float
        The distance of each port from the left side.
    """

    key: Any
    width: float = 0.0
    below: list[tuple[Spot, Any, Any]] = field(default_factory=list)
    above: list[tuple[Spot, Any, Any]] = field(default_factory=list)
    is_last: bool = False
    is_pass: bool = False
    after: Spot | None = None
    tied: list[tuple[Spot, float, float]] = field(default_factory=list)
    x: float = 0.0
    pin: float | None = None
    place: int = 0
    low: dict[Any, float] = field(default_factory=dict)
    high: dict[Any, float] = field(default_factory=dict)

    def port(self, side: str, port: Any) -> float:
        """Return the distance of a port from the left side."""
        ports = self.low if side == "below" else self.high
        return ports.get(port, self.width / 2)


def order_rows(rows: list[list[Spot]]) -> None:
    """Sort the spots of each row by the mean place of their neighbours, sweep after sweep.

    The order with the fewest crossings of all sweeps is kept. The method is that of Sugiyama,
    Tagawa and Toda (1981).
    """
    for row in rows:
        row.sort(key=lambda spot: spot.is_last)
        _keep_pairs(row)
    _number(rows)
    best, fewest = [list(row) for row in rows], _count_crossings(rows)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        upwards = sweep % 2 == 0
        for row in rows[1:] if upwards else reversed(rows[:-1]):
            _sort_row(row, "below" if upwards else "above", rightmost=sweep % 4 > 1)
        crossings = _count_crossings(rows)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    for row, kept in zip(rows, best, strict=True):
        row[:] = kept
    _number(rows)


def mirror_rows(rows: list[list[Spot]]) -> None:
    """Reverse all rows, but for what must be at an end."""
    for row in rows:
        row.reverse()
        row.sort(key=lambda spot: spot.is_last)
        _keep_pairs(row)
    _number(rows)


def _number(rows: Sequence[Sequence[Spot]]) -> None:
    for row in rows:
        for i, spot in enumerate(row):
            spot.place = i


def _at(spot: Spot, side: str, port: Any) -> float:
    """Return the place of a port in its row; a fraction tells it from the others of its spot."""
    return spot.place + (spot.port(side, port) / spot.width if spot.width else 0.5)


def _sort_row(row: list[Spot], side: str, *, rightmost: bool) -> None:
    """Sort a row by the mean place of the neighbours on one side; without any, a spot stays."""
    other = "above" if side == "below" else "below"
    means: dict[Spot, float] = {}
    for spot in row:
        near = getattr(spot, side)
        found = [_at(n, other, port) - (_fraction(spot, side, own)) for n, own, port in near]
        means[spot] = sum(found) / len(found) if found else spot.place
    # Equal means keep their order in one sweep and change it in another.
    if rightmost:
        row.reverse()
    row.sort(key=lambda spot: (spot.is_last, means[spot]))
    _keep_pairs(row)
    for i, spot in enumerate(row):
        spot.place = i


def _keep_pairs(row: list[Spot]) -> None:
    """Move each spot that continues another one to the right of it."""
    pairs = [(spot, spot.after) for spot in row if spot.after is not None and spot.after in row]
    for _ in pairs:
        for spot, first in pairs:
            if row.index(spot) < row.index(first):
                row.remove(spot)
                row.insert(row.index(first) + 1, spot)


def _fraction(spot: Spot, side: str, port: Any) -> float:
    return spot.port(side, port) / spot.width - 0.5 if spot.width else 0.0


def _count_crossings(rows: Sequence[Sequence[Spot]]) -> int:
    """Return the number of crossings between neighbouring rows, as inversions of the ends."""
    total = 0
    for row in rows:
        ends = sorted(
            (_at(spot, "above", own), _at(up, "below", port))
            for spot in row
            for up, own, port in spot.above
        )
        seen: list[float] = []
        for _, end in ends:
            total += len(seen) - bisect_left(seen, end + 1e-9)
            insort(seen, end)
    return total
