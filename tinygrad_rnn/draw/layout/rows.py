"""Rows of a layout: where each item is in its row, and how wires lead through the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .boxes import FRAME, Chip, Item, Terminal, Wire
from .coordinates import place_in_rows
from .order import Spot, mirror_rows, order_rows
from .ranks import rank_items

PORT_GAP = 12.0
"""The usual distance of two ports on one side of an item."""


@dataclass(slots=True)
class Route:
    """The way of a wire to one of its uses: the spots in which it is, row after row."""

    source: Terminal
    sink: Terminal
    spots: list[Spot]

    def hops(self) -> list[tuple[Spot, Spot, Any, Any]]:
        """Return each pair of spots in neighbouring rows, with the ports there."""
        last = len(self.spots) - 2
        return [
            (a, b, self.source.port if i == 0 else None, self.sink.port if i == last else None)
            for i, (a, b) in enumerate(pairwise(self.spots))
        ]


class Rows:
    """The rows of one frame.

    Row 0 holds the wires that enter the frame, and the last row those that leave it.

    Attributes
    ----------
    rank : dict of key to int
        The lowest row of each item.
    last : int
        The number of the last row.
    rows : list of list of Spot
    spots, tips : dict of key to Spot
        The lowest and the uppermost spot of each item.
    bodies : list of Spot
        The other spots of tall items.
    routes, around : list of Route
        The ways of wires upwards, and of those that lead downwards.
    """

    def __init__(
        self,
        items: Mapping[Any, Item],
        wires: Sequence[Wire],
        chips: Mapping[Any, Chip],
        spans: Mapping[Any, int],
        beside: Sequence[tuple[Any, Any]],
        left: Sequence[Any],
    ):
        self.items, self.wires, self.chips, self.spans = items, wires, chips, spans
        self.beside, self.left = beside, left
        self.rank = rank_items(spans, wires, [chip.made_by for chip in chips.values()], beside)
        self.last = max((row + spans[key] for key, row in self.rank.items()), default=1)
        self.rows: list[list[Spot]] = [[] for _ in range(self.last + 1)]
        self.spots: dict[Any, Spot] = {}
        self.tips: dict[Any, Spot] = {}
        self.bodies: list[Spot] = []
        self.routes: list[Route] = []
        self.around: list[Route] = []

    def place(self) -> bool:
        """Give every spot its place; return False if a tall item did not fit."""
        self._make_spots()
        order_rows(self.rows)
        self._lead_from_the_left()
        self._spread_ports()
        self._tie_levels()
        place_in_rows(self.rows)
        return all(abs(self.spots[spot.key[1]].x - spot.x) < 0.5 for spot in self.bodies)

    def release(self) -> None:
        """Let go of all spots, which refer to each other."""
        for row in self.rows:
            for spot in row:
                spot.below, spot.above, spot.tied, spot.after = [], [], [], None

    def row(self, terminal: Terminal, side: int) -> int:
        """Return the lowest row of a terminal; `side` if it is at a side of the frame."""
        return side if terminal.item == FRAME else self.rank[terminal.item]

    def upper(self, terminal: Terminal) -> int:
        """Return the uppermost row of a wire's source."""
        item = terminal.item
        return 0 if item == FRAME else self.rank[item] + self.spans[item] - 1

    def item_of(self, spot: Spot) -> Item | None:
        """Return the item of a spot; None for a wire."""
        return self.items.get(spot.key[1] if spot in self.bodies else spot.key)

    def _lead_from_the_left(self) -> None:
        """Mirror the rows if the wires from chips, which come from the left, lead to the right."""
        leads_to = [
            (near.place + 0.5) / len(self.rows[1])
            for spot in self.rows[0]
            for near, _, _ in spot.above
            if spot.key[1] in self.left
        ]
        if leads_to and sum(leads_to) / len(leads_to) > 0.5:
            mirror_rows(self.rows)

    def _make_spots(self) -> None:
        """Make a spot for each item and for each wire that passes a row or ends at a side."""
        for key, item in self.items.items():
            spot = self.spots[key] = self.tips[key] = Spot(key, item.width, is_last=item.is_last)
            spot.low = dict(item.entries or {})
            self.rows[self.rank[key]].append(spot)
            for row in range(self.rank[key] + 1, self.rank[key] + self.spans[key]):
                body = Spot(("body", key, row), item.width, is_last=item.is_last)
                _join(self.tips[key], "body", body, "body")
                self.tips[key] = body
                body.tied.append((spot, 0.0, 0.0))
                spot.tied.append((body, 0.0, 0.0))
                self.bodies.append(body)
                self.rows[row].append(body)
            self.tips[key].high |= item.exits or {}
        for a, b in self.beside:
            self.spots[b].after = self.spots[a]
        for wire in self.wires:
            if wire.source.item in self.chips:
                self.routes += [
                    Route(wire.source, sink, [self._end(sink, self.last)]) for sink in wire.sinks
                ]
                continue
            self._lead_wire(wire)

    def _end(self, terminal: Terminal, row: int) -> Spot:
        """Return the spot of a terminal; at the frame's side, it is made when needed."""
        if terminal.item != FRAME:
            return self.spots[terminal.item]
        key = row, terminal.port
        if key not in self.spots:
            self.spots[key] = Spot(key, is_pass=True)
            self.rows[row].append(self.spots[key])
        return self.spots[key]

    def _lead_wire(self, wire: Wire) -> None:
        """Lead a wire through the rows to its uses; those in one direction share their way."""
        start = self.upper(wire.source)
        at_side = wire.source.item == FRAME
        chain = [self._end(wire.source, 0) if at_side else self.tips[wire.source.item]]
        for sink in sorted(wire.sinks, key=lambda sink: self.row(sink, self.last)):
            row, end = self.row(sink, self.last), self._end(sink, self.last)
            if row <= start:
                self.around.append(Route(wire.source, sink, [chain[0], end]))
                continue
            while start + len(chain) < row:
                passing = Spot((wire.source, start + len(chain)), is_pass=True)
                self.rows[start + len(chain)].append(passing)
                _join(chain[-1], wire.source.port if len(chain) == 1 else None, passing, None)
                chain.append(passing)
            way = chain[: row - start]
            _join(way[-1], wire.source.port if len(way) == 1 else None, end, sink.port)
            self.routes.append(Route(wire.source, sink, [*way, end]))

    def _spread_ports(self) -> None:
        """Spread the ends of wires over the sides of items, in the order in which they arrive."""
        ends: dict[Spot, list[tuple[float, Any]]] = {}
        leaving: dict[Spot, list[tuple[float, Any]]] = {}
        for route in [*self.routes, *self.around]:
            a, b = route.spots[0], route.spots[-1]
            if route.sink.item != FRAME and self.items[route.sink.item].entries is None:
                near = route.spots[-2] if len(route.spots) > 1 else None
                at = float("-inf") if near is None else near.place + near.port("above", None) * 0.01
                ends.setdefault(b, []).append((at, route.sink.port))
            is_item = route.source.item in self.items and len(route.spots) > 1
            if is_item and self.items[route.source.item].exits is None:
                leaving.setdefault(a, []).append((route.spots[1].place, route.source.port))
        for found, side in ((ends, "low"), (leaving, "high")):
            for spot, ports in found.items():
                getattr(spot, side).update(_spread(ports, spot.width))

    def _tie_levels(self) -> None:
        """Tie the first steps of loops with equal steps, so that time is level in all of them."""
        first: dict[Any, tuple[Spot, float]] = {}
        for key, item in self.items.items():
            for level, x in item.level.items():
                other, there = first.setdefault(level, (self.spots[key], x))
                in_row = self.spots[key] in self.rows[self.rank[other.key]]
                if other is not self.spots[key] and not in_row:
                    self.spots[key].tied.append((other, x, there))
                    other.tied.append((self.spots[key], there, x))


def _join(a: Spot, own: Any, b: Spot, port: Any) -> None:
    """Note that a wire leads from a spot to one in the next row, unless this is known."""
    if (b, own, port) not in a.above:
        a.above.append((b, own, port))
        b.below.append((a, port, own))


def _spread(ports: list[tuple[float, Any]], width: float) -> dict[Any, float]:
    """Return the distance of each port from the left, in the order of the first numbers."""
    order = list(dict.fromkeys(port for _, port in sorted(ports, key=lambda end: end[0])))
    gap = min(PORT_GAP, (width - 8) / max(len(order), 1))
    return {port: width / 2 + gap * (i - (len(order) - 1) / 2) for i, port in enumerate(order)}
