"""The layout of one frame: items in rows, wires between them, chips of states at the left side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .boxes import FRAME, Arrangement, Chip, Item, Path, Terminal, Wire
from .channels import CALM, RAIL_GAP, SIDE, Channel
from .coordinates import place_in_rows
from .order import Spot, mirror_rows, order_rows
from .ranks import rank_items

SIDE_PAD = 10.0
PORT_GAP = 12.0


@dataclass(slots=True)
class Route:
    """The way of a wire to one of its uses: the spots in which it is, row after row."""

    source: Terminal
    sink: Terminal
    spots: list[Spot]


def arrange(
    items: Mapping[Any, Item],
    wires: Sequence[Wire],
    chips: Mapping[Any, Chip] | None = None,
    *,
    pad_below: float = 0.0,
    pad_above: float = 0.0,
    pad_left: float = 0.0,
    beside: Sequence[tuple[Any, Any]] = (),
    left: Sequence[Any] = (),
) -> Arrangement:
    """Return the places of items and chips in a frame, and the paths of wires.

    Parameters
    ----------
    items : mapping of key to Item
        In the order of computation.
    wires : sequence of Wire
        At most one for each source.
    chips : mapping of key to Chip, optional
    pad_below, pad_above, pad_left : float
        Space for a title at this side, in points.
    beside : sequence of pairs of keys
        Items that are to be side by side, the second to the right of the first.
    left : sequence of ports
        The wires that had better enter on the left, because they come from chips.
    """
    pads = pad_below, pad_above, pad_left
    # A rail from a chip must not lead through an item that occupies several rows.
    spans = dict.fromkeys(items, 1) if chips else _find_spans(items)
    found = _Frame(items, wires, chips or {}, pads, spans, beside, left).arrange()
    if found is None:
        flat = dict.fromkeys(items, 1)
        found = _Frame(items, wires, chips or {}, pads, flat, beside, left).arrange()
    return found


def _find_spans(items: Mapping[Any, Item]) -> dict[Any, int]:
    """Return the number of rows that each item occupies: more than one if it is tall."""
    heights = sorted(item.height for item in items.values())
    usual = heights[len(heights) // 2] + CALM if heights else 1.0
    usual = max(usual, 40.0)
    return {key: max(1, round((item.height + CALM) / usual)) for key, item in items.items()}


class _Frame:
    """The state of one layout."""

    def __init__(
        self,
        items: Mapping[Any, Item],
        wires: Sequence[Wire],
        chips: Mapping[Any, Chip],
        pads: tuple[float, float, float],
        spans: dict[Any, int],
        beside: Sequence[tuple[Any, Any]],
        left: Sequence[Any],
    ):
        self.items, self.wires, self.chips, self.spans = items, wires, chips, spans
        self.beside, self.left = beside, left
        self.pad_below, self.pad_above, self.pad_left = pads
        self.rank = rank_items(spans, wires, [chip.made_by for chip in chips.values()], beside)
        self.last = max((row + spans[key] for key, row in self.rank.items()), default=1)
        self.rows: list[list[Spot]] = [[] for _ in range(self.last + 1)]
        self.spots: dict[Any, Spot] = {}
        self.tips: dict[Any, Spot] = {}
        self.bodies: list[Spot] = []
        self.routes: list[Route] = []
        self.around: list[Route] = []
        self.trunks: dict[Any, float] = {}
        self.channels = [Channel() for _ in range(self.last)]
        self.bottoms: list[float] = [0.0] * (self.last + 1)
        self.tops: list[float] = [0.0] * (self.last + 1)

    def arrange(self) -> Arrangement | None:
        """Arrange everything, one question after another; None if a tall item does not fit."""
        self._make_spots()
        order_rows(self.rows)
        leads_to = [
            (near.place + 0.5) / len(self.rows[1])
            for spot in self.rows[0]
            for near, _, _ in spot.above
            if spot.key[1] in self.left
        ]
        if leads_to and sum(leads_to) / len(leads_to) > 0.5:
            mirror_rows(self.rows)
        self._spread_ports()
        self._tie_levels()
        place_in_rows(self.rows)
        if any(abs(spot.x - s.x) > 0.5 for s in self.bodies for spot in [self.spots[s.key[1]]]):
            return None
        result = Arrangement(0.0, 0.0)
        self._shift_right(result)
        self._fill_channels()
        self._stack_rows(result)
        self._place_chips(result)
        self._draw_paths(result)
        return result

    # -- rows --------------------------------------------------------------------------------------

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

    def _row(self, terminal: Terminal, side: int) -> int:
        return side if terminal.item == FRAME else self.rank[terminal.item]

    def _upper(self, terminal: Terminal) -> int:
        """Return the uppermost row of a wire's source."""
        item = terminal.item
        return 0 if item == FRAME else self.rank[item] + self.spans[item] - 1

    def _lead_wire(self, wire: Wire) -> None:
        """Lead a wire through the rows to its uses; those in one direction share their way."""
        start = self._upper(wire.source)
        at_side = wire.source.item == FRAME
        chain = [self._end(wire.source, 0) if at_side else self.tips[wire.source.item]]
        for sink in sorted(wire.sinks, key=lambda sink: self._row(sink, self.last)):
            row, end = self._row(sink, self.last), self._end(sink, self.last)
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

    # -- columns -----------------------------------------------------------------------------------

    def _shift_right(self, result: Arrangement) -> None:
        """Move everything to the right of the chips, and set the width of the frame."""
        left = self.pad_left + SIDE_PAD
        if self.chips:
            wide = max(chip.width for chip in self.chips.values())
            self.trunks = {
                key: self.pad_left + wide + 5 + 5 * i for i, key in enumerate(reversed(self.chips))
            }
            left = self.pad_left + wide + 5 * len(self.chips) + SIDE_PAD
        spots = [spot for row in self.rows for spot in row]
        least = min((spot.x for spot in spots), default=0.0)
        for spot in spots:
            spot.x += left - least
        right = max((spot.x + spot.width for spot in spots), default=left)
        result.width = right + SIDE_PAD + RAIL_GAP * len(self.around)

    # -- heights -----------------------------------------------------------------------------------

    def _fill_channels(self) -> None:
        """Note in each channel which wires bend there and which run along rails."""
        self.channels[0].least = self.channels[-1].least = SIDE
        self.channels[-1].extra = self.pad_above
        for route in self.routes:
            if route.source.item in self.chips:
                row = self._row(route.sink, self.last)
                end = self._x(route.spots[-1], "below", route.sink.port)
                trunk = self.trunks[route.source.item]
                self.channels[row - 1].high.append((trunk, end, ("chip", route.source)))
                continue
            first = self._upper(route.source)
            for i, (a, b, own, port) in enumerate(_hops(route)):
                start, end = self._x(a, "above", own), self._x(b, "below", port)
                channel = self.channels[first + i]
                kind = self._rail(a, b, start, end)
                if kind == "high":
                    channel.high.append((start, end, (route.source, "high")))
                elif kind == "low":
                    channel.low.append((start, end, (route.sink, "low")))
                else:
                    channel.bend(start, end)
        for i, route in enumerate(self.around):
            a, b = route.spots
            far = self._find_gap(route, i, 1e6)
            up = self.channels[min(self._upper(route.source), self.last - 1)]
            up.low.append((self._x(a, "above", route.source.port), far, (route.source, "around")))
            down = self.channels[self._row(route.sink, self.last) - 1]
            down.high.append((self._x(b, "below", route.sink.port), far, (route.sink, "around")))

    def _x(self, spot: Spot, side: str, port: Any) -> float:
        return spot.x + spot.port(side, port)

    def _rail(self, a: Spot, b: Spot, start: float, end: float) -> str:
        """Return the kind of rail on which a wire goes from one row to the next, if any."""
        if abs(start - end) < 0.5:
            return ""
        for spot, kind in ((b, "high"), (a, "low")):
            key = spot.key[1] if spot in self.bodies else spot.key
            if key in self.items and self.items[key].is_row:
                return kind
        return ""

    def _stack_rows(self, result: Arrangement) -> None:
        """Set the height of each row and channel, from below."""
        top = self.pad_below
        ending: dict[int, list[Any]] = {}
        for key, row in self.rank.items():
            ending.setdefault(row + self.spans[key] - 1, []).append(key)
        for row in range(self.last + 1):
            self.bottoms[row] = top
            for key in ending.get(row, ()):
                top = max(top, self.bottoms[self.rank[key]] + self.items[key].height)
            self.tops[row] = top
            if row < self.last:
                top = self.channels[row].rise_from(top)
        result.height = top
        result.lanes = [(channel.bottom + channel.top) / 2 for channel in self.channels]
        result.entries = {s.key[1]: s.x for s in self.rows[0]}
        result.exits = {s.key[1]: s.x for s in self.rows[self.last]}
        for key, row in self.rank.items():
            spot, tip = self.spots[key], self.tips[key]
            spare = self.tops[row + self.spans[key] - 1] - self.bottoms[row]
            spare -= self.items[key].height
            # a source is near its uses, an output near its sources
            share = 0.5 if bool(spot.below) == bool(tip.above) else 0.0 if spot.below else 1.0
            result.corners[key] = spot.x, self.bottoms[row] + spare * share

    def _place_chips(self, result: Arrangement) -> None:
        """Put each chip at the height of the item that computes the next state."""
        wishes: dict[Any, float] = {}
        for key, chip in self.chips.items():
            maker, rise = chip.made_by, chip.rise
            if maker not in result.corners:  # then at the height of what uses it
                used = [r.sink.item for r in self.routes if r.source.item == key]
                maker = next((item for item in used if item in result.corners), None)
                rise = self.items[maker].height / 2 if maker in self.items else 0.0
            top = result.height - chip.height / 2
            wishes[key] = result.corners[maker][1] + rise if maker in result.corners else top
        least = 0.0
        for key in sorted(wishes, key=wishes.__getitem__):
            height = self.chips[key].height
            bottom = max(wishes[key] - height / 2, least)
            result.corners[key] = self.pad_left, bottom
            least = bottom + height + 3

    # -- paths -------------------------------------------------------------------------------------

    def _draw_paths(self, result: Arrangement) -> None:
        for route in self.routes:
            if route.source.item in self.chips:
                path = self._path_from_chip(route, result)
            else:
                path = self._path_upwards(route, result)
            result.paths[route.source, route.sink] = path
        for i, route in enumerate(self.around):
            at = result.width - SIDE_PAD / 2 - RAIL_GAP * i
            at = self._find_gap(route, i, at)
            result.paths[route.source, route.sink] = self._path_around(route, at, result)

    def _find_gap(self, route: Route, number: int, far: float) -> float:
        """Return where a wire that leads downwards passes the rows: beside its ends, or `far`."""
        a, b = route.spots
        low, high = self._row(route.sink, self.last), self._upper(route.source)
        shift = 6.0 + (number % 3) * RAIL_GAP / 3
        for x in (a.x + a.width + shift, b.x - shift, a.x - shift, b.x + b.width + shift):
            rows = [spot for row in self.rows[low : high + 1] for spot in row]
            if all(not spot.x - 3 < x < spot.x + spot.width + 3 for spot in rows):
                return x
        return far

    def _start(self, route: Route, result: Arrangement) -> tuple[float, float]:
        item, spot = route.source.item, route.spots[0]
        x = self._x(spot, "above", route.source.port)
        return (x, 0.0) if item == FRAME else (x, result.corners[item][1] + self.items[item].height)

    def _finish(self, route: Route, result: Arrangement) -> tuple[float, float]:
        item, spot = route.sink.item, route.spots[-1]
        x = self._x(spot, "below", route.sink.port)
        return (x, result.height) if item == FRAME else (x, result.corners[item][1])

    def _path_upwards(self, route: Route, result: Arrangement) -> Path:
        path: Path = [(*self._start(route, result), "line")]
        row = self._upper(route.source)
        for a, b, own, port in _hops(route):
            start, end = self._x(a, "above", own), self._x(b, "below", port)
            channel, kind = self.channels[row], self._rail(a, b, start, end)
            path.append((start, channel.bottom, "line"))
            if kind:
                rail = channel.rails[(route.source if kind == "high" else route.sink), kind]
                path += [(start, rail, "line"), (end, rail, "line"), (end, channel.top, "line")]
            else:
                is_straight = abs(start - end) < 0.5
                path.append((end, channel.top, "line" if is_straight else "curve"))
            row += 1
        return [*path, (*self._finish(route, result), "line")]

    def _path_from_chip(self, route: Route, result: Arrangement) -> Path:
        key, (end, bottom) = route.source.item, self._finish(route, result)
        left, low = result.corners[key]
        chip, trunk = self.chips[key], self.trunks[key]
        start = left + chip.width, low + chip.height / 2
        sink = self.items.get(route.sink.item)
        row = self._row(route.sink, self.last)
        if sink is not None and sink.entries is None and self.rows[row][0] is route.spots[-1]:
            corner = result.corners[route.sink.item]
            if corner[1] + 3 < start[1] < corner[1] + sink.height - 3:
                return [(*start, "line"), (corner[0], start[1], "line")]
        rail = self.channels[row - 1].rails["chip", route.source]
        return [
            (*start, "line"), (trunk, start[1], "line"), (trunk, rail, "line"),
            (end, rail, "line"), (end, bottom, "line"),
        ]  # fmt: skip

    def _path_around(self, route: Route, at: float, result: Arrangement) -> Path:
        (x, y), (end, bottom) = self._start(route, result), self._finish(route, result)
        up = self.channels[min(self._upper(route.source), self.last - 1)]
        down = self.channels[self._row(route.sink, self.last) - 1]
        high, low = up.rails[route.source, "around"], down.rails[route.sink, "around"]
        return [
            (x, y, "line"), (x, high, "line"), (at, high, "line"), (at, low, "line"),
            (end, low, "line"), (end, bottom, "line"),
        ]  # fmt: skip


def _join(a: Spot, own: Any, b: Spot, port: Any) -> None:
    """Note that a wire leads from a spot to one in the next row, unless this is known."""
    if (b, own, port) not in a.above:
        a.above.append((b, own, port))
        b.below.append((a, port, own))


def _hops(route: Route) -> list[tuple[Spot, Spot, Any, Any]]:
    """Return each pair of spots in neighbouring rows on a route, with the ports there."""
    last = len(route.spots) - 2
    return [
        (a, b, route.source.port if i == 0 else None, route.sink.port if i == last else None)
        for i, (a, b) in enumerate(zip(route.spots, route.spots[1:], strict=False))
    ]


def _spread(ports: list[tuple[float, Any]], width: float) -> dict[Any, float]:
    """Return the distance of each port from the left, in the order of the first numbers."""
    order = list(dict.fromkeys(port for _, port in sorted(ports, key=lambda end: end[0])))
    gap = min(PORT_GAP, (width - 8) / max(len(order), 1))
    return {port: width / 2 + gap * (i - (len(order) - 1) / 2) for i, port in enumerate(order)}
