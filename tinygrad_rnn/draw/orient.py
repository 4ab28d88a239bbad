"""The direction of a drawing: places are computed with data upwards, and turned afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from .layout.boxes import Path, Point


@dataclass(frozen=True, slots=True)
class Orientation:
    """Turns places so that data flows ``"up"``, ``"down"`` or to the ``"right"``.

    With "right", time goes down; otherwise it goes to the right.
    """

    direction: str

    @property
    def title_side(self) -> str:
        """The side of the layout that is on top on paper."""
        return {"up": "above", "down": "below", "right": "left"}[self.direction]

    def size(self, width: float, height: float) -> tuple[float, float]:
        """Return a size in the layout for a size on paper, or the other way round."""
        return (height, width) if self.direction == "right" else (width, height)

    def point(self, point: Point) -> Point:
        """Return a place on paper."""
        x, y = point
        return {"up": (x, y), "down": (x, -y), "right": (y, -x)}[self.direction]

    def path(self, path: Path) -> Path:
        """Return a path on paper."""
        return [(*self.point((x, y)), how) for x, y, how in path]

    def box(self, corner: Point, width: float, height: float) -> tuple[float, float, float, float]:
        """Return the lower left and the upper right corner of a box on paper."""
        ends = self.point(corner), self.point((corner[0] + width, corner[1] + height))
        (a, b), (c, d) = ends
        return min(a, c), min(b, d), max(a, c), max(b, d)
