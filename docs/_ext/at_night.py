"""Drawings by day in the colours of the night, so that a page in the dark is dark as a whole."""

import re
from dataclasses import asdict

from tinygrad_rnn.draw.themes import THEMES

DAY, NIGHT = THEMES["light"], THEMES["dark"]
AT_NIGHT = dict(zip(asdict(DAY).values(), asdict(NIGHT).values(), strict=True))
"""The colours of the library's drawings. White is the paper, which comes first in a file, and the boxes of ops."""
CURVES_AT_NIGHT = {
    "#000000": NIGHT.ink,
    "#666666": NIGHT.faint,
    "#b0b0b0": "#3a424c",
    "#1f77b4": NIGHT.state,
    "#ffffff": NIGHT.paper,
}
"""Those of Matplotlib, where it was not asked for others."""


def at_night(svg: str) -> str:
    """A drawing in the colours of the dark theme; empty if it is not one of the light theme, nor of Matplotlib."""
    if ">Matplotlib v" in svg:  # letters have no colour there, and take that of the whole
        return _recoloured(svg.replace("<svg ", f'<svg fill="{NIGHT.ink}" ', 1), CURVES_AT_NIGHT)
    if DAY.ink not in svg:
        return ""
    before, paper, boxes = svg.partition(f'fill="{DAY.paper}"')
    return (
        _recoloured(before, AT_NIGHT)
        + paper.replace(DAY.paper, NIGHT.paper)
        + _recoloured(boxes, AT_NIGHT)
    )


def _recoloured(svg: str, colours: dict[str, str]) -> str:
    return re.sub("#[0-9a-f]{6}", lambda found: colours.get(found[0], found[0]), svg)
