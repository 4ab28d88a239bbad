"""Paths of edges as splines for Graphviz: corners are rounded, and the tip touches its box."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

from .layout.boxes import Path, Point

RADIUS = 6.0
"""The radius of a rounded corner, in points."""
TIP = 6.0
"""The length of an arrowhead (Graphviz: 10 points times ``arrowsize``)."""


def write_spline(path: Path, *, flat: bool = False) -> str:
    """Return a path as the ``pos`` of an edge: cubic Bézier curves, and the tip of the arrow.

    A curve is vertical at its ends, or horizontal if `flat` is true.
    """
    tip, points = make_spline(path, flat=flat)
    return f"e,{_write(tip)} " + " ".join(map(_write, points))


def make_spline(path: Path, *, flat: bool = False) -> tuple[Point, list[Point]]:
    """Return the tip of the arrow, and the points of the cubic Bézier curves that lead to it."""
    if flat:
        tip, points = make_spline([(y, x, how) for x, y, how in path])
        return (tip[1], tip[0]), [(y, x) for x, y in points]
    path = _simplify(path)
    tip = path[-1][:2]
    path = _shorten(path)
    points: list[Point] = [path[0][:2]]
    for i, (x, y, how) in enumerate(path[1:], 1):
        a, b = path[i - 1][:2], (x, y)
        if how == "curve":
            middle = (a[1] + b[1]) / 2
            points += [(a[0], middle), (b[0], middle), b]
            continue
        start = points[-1]
        if i + 1 < len(path) and path[i + 1][2] == "line":
            c = path[i + 1][:2]
            radius = min(RADIUS, _distance(a, b) / 2, _distance(b, c) / 2)
            before, after = _towards(b, a, radius), _towards(b, c, radius)
            points += [*_line(start, before), _towards(before, b, radius * 0.55),
                       _towards(after, b, radius * 0.55), after]  # fmt: skip
        else:
            points += _line(start, b)
    return tip, points


def _simplify(path: Path) -> Path:
    """Return a path without points that are equal to their neighbour or on a straight line."""
    kept: Path = []
    for x, y, how in path:
        if kept and _distance(kept[-1][:2], (x, y)) < 0.01:
            continue
        if len(kept) > 1 and how == kept[-1][2] == "line":
            (a, b, _), (c, d, _) = kept[-2:]
            far = _distance((a, b), (x, y))
            if abs((c - a) * (y - b) - (d - b) * (x - a)) < 0.3 * far:
                kept.pop()
        kept.append((x, y, how))
    return kept


def _shorten(path: Path) -> Path:
    """Return a path that ends where the arrowhead begins."""
    (a, b, _), (x, y, how) = path[-2:]
    if how == "curve":
        return [*path[:-1], (x, y - TIP if y > b else y + TIP, how)]
    far = _distance((a, b), (x, y))
    end = _towards((x, y), (a, b), min(TIP, far - 0.5))
    return [*path[:-1], (*end, how)]


def _line(a: Point, b: Point) -> list[Point]:
    return [_mix(a, b, 1 / 3), _mix(a, b, 2 / 3), b]


def _mix(a: Point, b: Point, share: float) -> Point:
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def _towards(a: Point, b: Point, far: float) -> Point:
    """Return the point that is `far` from `a` in the direction of `b`."""
    length = _distance(a, b)
    return _mix(a, b, far / length) if length else a


def _distance(a: Sequence[float], b: Sequence[float]) -> float:
    return hypot(a[0] - b[0], a[1] - b[1])


def _write(point: Point) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"
