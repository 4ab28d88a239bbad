"""Recolour drawings for the dark theme of the pages."""

import re
from dataclasses import asdict

from tinygrad_rnn.draw.themes import THEMES

DAY, NIGHT = THEMES["light"], THEMES["dark"]
AT_NIGHT = dict(zip(asdict(DAY).values(), asdict(NIGHT).values(), strict=True))
"""For each colour of a light drawing, the colour in the dark theme.

White is both the paper, which comes first in a file, and the boxes of ops.
"""
CURVES_AT_NIGHT = {
    "#000000": NIGHT.ink,
    "#666666": NIGHT.faint,
    "#b0b0b0": "#3a424c",
    "#1f77b4": NIGHT.state,
    "#ffffff": NIGHT.paper,
}
"""The same for the default colours of Matplotlib."""


def at_night(svg: str) -> str:
    """Return a drawing in the colours of the dark theme.

    The result is empty unless the drawing has the light theme or comes from Matplotlib.
    """
    if ">Matplotlib v" in svg:  # its letters have no colour of their own
        return _recolour(svg.replace("<svg ", f'<svg fill="{NIGHT.ink}" ', 1), CURVES_AT_NIGHT)
    if DAY.ink not in svg:
        return ""
    before, paper, boxes = svg.partition(f'fill="{DAY.paper}"')
    return (
        _recolour(before, AT_NIGHT)
        + paper.replace(DAY.paper, NIGHT.paper)
        + _recolour(boxes, AT_NIGHT)
    )


def _recolour(svg: str, colours: dict[str, str]) -> str:
    return re.sub("#[0-9a-f]{6}", lambda found: colours.get(found[0], found[0]), svg)
