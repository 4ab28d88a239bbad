"""Paths of edges: joined from the pieces in each frame, or straight from step to step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .frame_layouts import STEP_GAP, FrameLayouts
from .frame_tree import Column, Frame
from .layout.boxes import Path, Point
from .layout.channels import RAIL_GAP
from .picture import Edge


@dataclass(slots=True)
class Origin:
    """The place of a frame in the drawing; if it is mirrored, its first axis points to the left."""

    x: float
    y: float
    sign: int = 1

    def __call__(self, point: Point) -> Point:
        return self.x + self.sign * point[0], self.y + point[1]


class EdgePaths:
    """Finds the path of each edge.

    Parameters
    ----------
    frames : FrameLayouts
    places : mapping of (Frame, columns) to Origin
        Where each frame is.
    centres, sizes : mapping of str to tuple
        Where each vertex is, and its size.
    titles : sequence of tuple
        The left, lower, right and upper side of each title.
    """

    def __init__(
        self,
        frames: FrameLayouts,
        places: Mapping[tuple[Frame, tuple[Column, ...]], Origin],
        centres: Mapping[str, Point],
        sizes: Mapping[str, tuple[float, float]],
        titles: Sequence[tuple[float, float, float, float]],
    ):
        self.frames, self.tree, self.places = frames, frames.tree, places
        self.centres, self.sizes, self.titles = centres, sizes, titles

    def find(self) -> list[Path]:
        """Return the path of each edge, in their order."""
        edges = self.frames.picture.edges
        return [
            self._join(edge, pieces) if pieces else self._carry(edge)
            for edge, pieces in zip(edges, self.tree.pieces, strict=True)
        ]

    def _join(self, edge: Edge, pieces: list[Any]) -> Path:
        """Join the pieces of an edge's way into one path."""
        path: Path = []
        for frame, columns, source, sink in pieces:
            found = self.frames.layouts[frame].paths.get((source, sink))
            if found is None:  # this end is a mark
                continue
            place = self.places[frame, columns]
            path += [(*place((x, y)), how) for x, y, how in found]
        kinds = [self.frames.picture.vertices[end].kind for end in (edge.source, edge.target)]
        if kinds[0] == "steps":
            (x, y), (_, h) = self.centres[edge.source], self.sizes[edge.source]
            path.insert(0, (x, y + h / 2, "line"))
        (x, y), (w, h) = self.centres[edge.target], self.sizes[edge.target]
        if kinds[1] == "steps":
            path.append((x, y - h / 2, "line"))
        if kinds[1] == "state":  # from below to the left or right side of the step
            side = w / 2 if path[-1][0] < x else -w / 2
            path += [(path[-1][0], y, "line"), (x - side, y, "line")]
        return path

    def _carry(self, edge: Edge) -> Path:
        """Return the path of a state from one step to another: straight, if both are level."""
        (x, y), (w, _) = self.centres[edge.source], self.sizes[edge.source]
        (u, v), (s, _) = self.centres[edge.target], self.sizes[edge.target]
        sign = 1 if u > x else -1
        start, end = x + sign * w / 2, u - sign * s / 2
        if edge.lag:
            return self._return(edge, y, v)
        turn = end - sign * STEP_GAP / 2
        level: Path = [(start, y, "line"), (turn, y, "line"), (turn, v, "line"), (end, v, "line")]
        ways = [level, *self._ways_by_lanes(edge, start, y, turn, end, v)]
        return next((way for way in ways if not self._hits(edge, way)), level)

    def _ways_by_lanes(
        self, edge: Edge, start: float, y: float, turn: float, end: float, v: float
    ) -> Iterator[Path]:
        """Yield paths of a state along the lanes of its step, the nearest lane first."""
        found = (
            (frame, tuple(c for _, c in chain[: i + 1] if c))
            for chain in (self.tree.chains[edge.source], self.tree.chains[edge.target])
            for i, (frame, _) in enumerate(chain)
            if frame.is_step and edge in frame.carried
        )
        step, columns = next((place for place in found if place in self.places), (None, ()))
        if step is None:  # both ends are in one step
            return
        side = start + (4.0 if end > start else -4.0)
        bottom = self.places[step, columns].y
        for lane in sorted(
            self.frames.layouts[step].lanes, key=lambda lane: abs(bottom + lane - y)
        ):
            yield [
                (start, y, "line"), (side, y, "line"), (side, bottom + lane, "line"),
                (turn, bottom + lane, "line"), (turn, v, "line"), (end, v, "line"),
            ]  # fmt: skip

    def _hits(self, edge: Edge, way: Path) -> bool:
        """Return whether a path of straight pieces leads through another box or a title."""
        for (a, b, _), (c, d, _) in pairwise(way):
            for name, (x, y) in self.centres.items():
                w, h = self.sizes[name]
                beside = max(a, c) <= x - w / 2 or min(a, c) >= x + w / 2
                above = max(b, d) <= y - h / 2 or min(b, d) >= y + h / 2
                if not beside and not above and name not in (edge.source, edge.target):
                    return True
            for left, low, right, high in self.titles:
                if max(a, c) > left and min(a, c) < right and max(b, d) > low and min(b, d) < high:
                    return True
        return False

    def _return(self, edge: Edge, y: float, v: float) -> Path:
        """Return the path of a state that leaves a rolled step and enters it again."""
        chain = self.tree.chains[edge.target]
        step, columns = chain[-1][0], tuple(column for _, column in chain if column)
        place, layout = self.places[step, columns], self.frames.layouts[step]
        (x, _), (w, _) = self.centres[edge.source], self.sizes[edge.source]
        (u, _), (s, _) = self.centres[edge.target], self.sizes[edge.target]
        number = 1 + [e.target for e in step.carried].index(edge.target)
        far = RAIL_GAP * number
        right, _ = place((layout.width + far, 0.0))
        left, top = place((-far, layout.height + far))
        sign = place.sign
        return [
            (x + sign * w / 2, y, "line"), (right, y, "line"), (right, top, "line"),
            (left, top, "line"), (left, v, "line"), (u - sign * s / 2, v, "line"),
        ]  # fmt: skip
