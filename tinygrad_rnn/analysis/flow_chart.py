"""A small SVG chart of norms over time, in the colour of the page's text, for notebooks."""

from __future__ import annotations

from html import escape
from math import floor, isfinite, log10

WIDTH, HEIGHT, LEFT, TOP = 420, 130, 62, 18
DASHES = ["none", "6 3", "2 3", "8 3 2 3"]
"""The dash patterns that tell the lines apart, because all lines have the same colour."""


def draw_chart(curves: dict[str, dict[int, float]]) -> str:
    """Return an SVG chart of positive numbers over time steps, on a logarithmic scale.

    A number that is 0, NaN or infinite gets no point, because it has no logarithm. If no number
    gets a point, the result is an empty string.

    Parameters
    ----------
    curves : dict of dict
        The key is the name of a curve. The value maps each time step to the curve's number.
    """
    points = {
        name: {t: log10(x) for t, x in by_t.items() if isfinite(x) and x > 0}
        for name, by_t in curves.items()
    }
    logs = [y for by_t in points.values() for y in by_t.values()]
    times = [t for by_t in points.values() for t in by_t]
    if not logs:
        return ""
    low, high = floor(min(logs)), floor(max(logs)) + 1
    first, last = min(times), max(max(times), min(times) + 1)

    def place(t: int, y: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - 28) * (t - first) / (last - first)
        return round(across, 1), round(TOP + (HEIGHT - TOP - 22) * (high - y) / (high - low), 1)

    parts = []
    for y in (low, high):
        _, down = place(first, y)
        parts.append(_line(LEFT, down, WIDTH - 28, down, 'stroke-opacity="0.3"'))
        parts.append(_text(LEFT - 6, down + 4, f"1e{y:+d}", "end"))
    for t in dict.fromkeys([min(times), max(times)]):
        parts.append(_text(place(t, low)[0], HEIGHT - 6, f"t = {t}", "middle"))
    for i, (name, by_t) in enumerate(points.items()):
        style = f'stroke-dasharray="{DASHES[i % len(DASHES)]}"'
        path = " ".join(f"{x},{y}" for x, y in (place(t, by_t[t]) for t in sorted(by_t)))
        parts.append(f'<polyline points="{path}" fill="none" stroke="currentColor" {style}/>')
        parts += [
            f'<circle cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="2"/>' for p in path.split()
        ]
        parts.append(_line(LEFT + 110 * i, 7, LEFT + 24 + 110 * i, 7, style))
        parts.append(_text(LEFT + 30 + 110 * i, 11, name, "start"))
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'fill="currentColor" font-size="11" font-family="sans-serif">{"".join(parts)}</svg>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="currentColor" {style}/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
