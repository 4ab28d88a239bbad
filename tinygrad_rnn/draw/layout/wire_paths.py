"""Paths of wires: curves between rows, rails to rows of time steps, lines from chips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .boxes import FRAME, Arrangement, Path, Point
from .channels import RAIL_GAP, Channel
from .order import Spot
from .rows import Route, Rows

FAR = 1e6
"""The end of a rail that leads to the right side of the frame, wherever that is."""


class PathDrawer:
    """Draws the paths of all wires of a frame.

    First, `fill_channels` notes what each channel has to hold. When the channels have their places,
    `draw` writes the paths into the arrangement.
    """

    def __init__(
        self,
        rows: Rows,
        channels: Sequence[Channel],
        trunks: Mapping[Any, float],
        result: Arrangement,
    ):
        self.rows, self.channels, self.trunks, self.result = rows, channels, trunks, result

    def fill_channels(self) -> None:
        """Note in each channel which wires bend there and which run along rails."""
        for route in self.rows.routes:
            if route.source.item in self.rows.chips:
                row = self.rows.row(route.sink, self.rows.last)
                end = self._x(route.spots[-1], "below", route.sink.port)
                trunk = self.trunks[route.source.item]
                self.channels[row - 1].high.append((trunk, end, ("chip", route.source)))
                continue
            first = self.rows.upper(route.source)
            for i, (a, b, own, port) in enumerate(route.hops()):
                start, end = self._x(a, "above", own), self._x(b, "below", port)
                channel = self.channels[first + i]
                kind = self._rail(a, b, start, end)
                if kind == "high":
                    channel.high.append((start, end, (route.source, "high")))
                elif kind == "low":
                    channel.low.append((start, end, (route.sink, "low")))
                else:
                    channel.bend(start, end)
        for i, route in enumerate(self.rows.around):
            a, b = route.spots
            far = self._find_gap(route, i, FAR)
            up = self.channels[min(self.rows.upper(route.source), self.rows.last - 1)]
            up.low.append((self._x(a, "above", route.source.port), far, (route.source, "around")))
            down = self.channels[self.rows.row(route.sink, self.rows.last) - 1]
            down.high.append((self._x(b, "below", route.sink.port), far, (route.sink, "around")))

    def _x(self, spot: Spot, side: str, port: Any) -> float:
        return spot.x + spot.port(side, port)

    def _rail(self, a: Spot, b: Spot, start: float, end: float) -> str:
        """Return the kind of rail on which a wire goes from one row to the next, if any."""
        if abs(start - end) < 0.5:
            return ""
        for spot, kind in ((b, "high"), (a, "low")):
            item = self.rows.item_of(spot)
            if item is not None and item.is_row:
                return kind
        return ""

    def draw(self) -> None:
        """Write the path of each wire to each of its uses."""
        for route in self.rows.routes:
            if route.source.item in self.rows.chips:
                path = self._path_from_chip(route)
            else:
                path = self._path_upwards(route)
            self.result.paths[route.source, route.sink] = path
        for i, route in enumerate(self.rows.around):
            at = self.result.width - 5 - RAIL_GAP * i
            at = self._find_gap(route, i, at)
            self.result.paths[route.source, route.sink] = self._path_around(route, at)

    def _find_gap(self, route: Route, number: int, far: float) -> float:
        """Return where a wire that leads downwards passes the rows: beside its ends, or `far`."""
        a, b = route.spots
        low, high = self.rows.row(route.sink, self.rows.last), self.rows.upper(route.source)
        shift = 6.0 + (number % 3) * RAIL_GAP / 3
        for x in (a.x + a.width + shift, b.x - shift, a.x - shift, b.x + b.width + shift):
            rows = [spot for row in self.rows.rows[low : high + 1] for spot in row]
            if all(not spot.x - 3 < x < spot.x + spot.width + 3 for spot in rows):
                return x
        return far

    def _start(self, route: Route) -> Point:
        item, spot = route.source.item, route.spots[0]
        x = self._x(spot, "above", route.source.port)
        return (
            (x, 0.0)
            if item == FRAME
            else (x, self.result.corners[item][1] + self.rows.items[item].height)
        )

    def _finish(self, route: Route) -> Point:
        item, spot = route.sink.item, route.spots[-1]
        x = self._x(spot, "below", route.sink.port)
        return (x, self.result.height) if item == FRAME else (x, self.result.corners[item][1])

    def _path_upwards(self, route: Route) -> Path:
        path: Path = [(*self._start(route), "line")]
        row = self.rows.upper(route.source)
        for a, b, own, port in route.hops():
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
        return [*path, (*self._finish(route), "line")]

    def _path_from_chip(self, route: Route) -> Path:
        key, (end, bottom) = route.source.item, self._finish(route)
        left, low = self.result.corners[key]
        chip, trunk = self.rows.chips[key], self.trunks[key]
        start = left + chip.width, low + chip.height / 2
        sink = self.rows.items.get(route.sink.item)
        row = self.rows.row(route.sink, self.rows.last)
        if sink is not None and sink.entries is None and self.rows.rows[row][0] is route.spots[-1]:
            corner = self.result.corners[route.sink.item]
            if corner[1] + 3 < start[1] < corner[1] + sink.height - 3:
                return [(*start, "line"), (corner[0], start[1], "line")]
        rail = self.channels[row - 1].rails["chip", route.source]
        return [
            (*start, "line"), (trunk, start[1], "line"), (trunk, rail, "line"),
            (end, rail, "line"), (end, bottom, "line"),
        ]  # fmt: skip

    def _path_around(self, route: Route, at: float) -> Path:
        (x, y), (end, bottom) = self._start(route), self._finish(route)
        up = self.channels[min(self.rows.upper(route.source), self.rows.last - 1)]
        down = self.channels[self.rows.row(route.sink, self.rows.last) - 1]
        high, low = up.rails[route.source, "around"], down.rails[route.sink, "around"]
        return [
            (x, y, "line"), (x, high, "line"), (at, high, "line"), (at, low, "line"),
            (end, low, "line"), (end, bottom, "line"),
        ]  # fmt: skip
