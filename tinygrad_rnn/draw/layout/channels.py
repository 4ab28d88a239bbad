"""Channels: the space between two rows, in which wires bend or run along rails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

RAIL_GAP = 7.0
"""The distance of two rails."""
CALM, SIDE = 14.0, 9.0
"""The height of a channel without bends: between two rows, and at a side of the frame."""
MARGIN = 6.0
"""The distance of the nearest rail from a row."""


@dataclass(slots=True)
class Channel:
    """The space between a row and the next.

    Attributes
    ----------
    least : float
        The height without bends and rails.
    widest : float
        How far the widest bend goes to the side.
    low, high : list of (float, float, key)
        What runs along rails: the ends, and a key. Low rails belong to the row below, high ones to
        the row above.
    bottom, top : float
    rails : dict of key to float
        The height of each rail.
    """

    least: float = CALM
    widest: float = 0.0
    extra: float = 0.0
    low: list[tuple[float, float, Any]] = field(default_factory=list)
    high: list[tuple[float, float, Any]] = field(default_factory=list)
    bottom: float = 0.0
    top: float = 0.0
    rails: dict[Any, float] = field(default_factory=dict)

    def bend(self, a: float, b: float) -> None:
        """Note a wire that bends from `a` to `b`."""
        self.widest = max(self.widest, abs(a - b))

    def rise_from(self, bottom: float) -> float:
        """Give the channel its place and each rail its height; return the upper end."""
        self.bottom = bottom
        low, high = _share_rails(self.low), _share_rails(self.high)
        lows, highs = (max(rails.values(), default=-1) + 1 for rails in (low, high))
        bend = min(44.0, 20.0 + 0.12 * self.widest) if self.widest > 1 else 0.0
        between = max(bend, RAIL_GAP if lows and highs else 0.0)
        height = between
        for count in (lows, highs):
            height += MARGIN + (count - 1) * RAIL_GAP if count else 0.0
        self.top = bottom + max(self.least, height + (MARGIN if lows or highs else 0.0))
        self.rails = {key: bottom + MARGIN + lane * RAIL_GAP for key, lane in low.items()}
        self.rails |= {key: self.top - MARGIN - lane * RAIL_GAP for key, lane in high.items()}
        self.top += self.extra
        return self.top


def _share_rails(requests: list[tuple[float, float, Any]]) -> dict[Any, int]:
    """Return the number of a rail for each key, counted from the row; a shorter run is nearer."""
    spans: dict[Any, tuple[float, float]] = {}
    for a, b, key in requests:
        low, high = spans.get(key, (a, a))
        spans[key] = min(low, a, b), max(high, a, b)
    taken: list[list[tuple[float, float]]] = []
    rails: dict[Any, int] = {}
    for key, (low, high) in sorted(spans.items(), key=lambda item: item[1][1] - item[1][0]):
        free = (
            i
            for i, runs in enumerate(taken)
            if all(high < a - RAIL_GAP or b + RAIL_GAP < low for a, b in runs)
        )
        rail = next(free, len(taken))
        if rail == len(taken):
            taken.append([])
        taken[rail].append((low, high))
        rails[key] = rail
    return rails
