"""Colours of drawings. Vertices also differ in shape, so nothing depends on colour alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of a drawing, as ``#rrggbb``.

    In the light and dark themes, states are blue and gradients are orange. People with any common
    kind of colour blindness can tell these two colours apart (Okabe and Ito, 2008).
    """

    paper: str
    ink: str
    faint: str
    op: str
    parameter: str
    leaf: str
    fold: str
    cluster: str
    step: str
    state: str
    gradient: str


THEMES = {
    "light": Theme(
        paper="#ffffff", ink="#1b1f24", faint="#57606a",
        op="#fffffe", parameter="#fdebd0", leaf="#e8f1fa", fold="#eef0f2",
        cluster="#f6f8fa", step="#edf2f7", state="#0072b2", gradient="#b34700",
    ),
    "dark": Theme(
        paper="#0d1117", ink="#e6edf3", faint="#9aa5b1",
        op="#161b22", parameter="#4a3413", leaf="#12314a", fold="#2a313a",
        cluster="#11161d", step="#18202a", state="#56b4e9", gradient="#f0a04b",
    ),
    "print": Theme(
        paper="#ffffff", ink="#000000", faint="#444444",
        op="#ffffff", parameter="#e6e6e6", leaf="#ffffff", fold="#f2f2f2",
        cluster="#ffffff", step="#ffffff", state="#000000", gradient="#000000",
    ),
}  # fmt: skip

# The colour of ops differs from that of the paper, so that each has its own in the dark.
THEMES["auto"] = replace(THEMES["light"])
"""An SVG of the theme "auto" has the light colours, and the dark ones where the page is dark."""


def adapt_to_page(svg: str) -> str:
    """Return an SVG in light colours with a style that makes it dark on a dark page."""
    light, dark = asdict(THEMES["light"]), asdict(THEMES["dark"])
    rules: dict[str, str] = {}
    for name, color in light.items():
        rules.setdefault(color, dark[name])
    style = "".join(
        f'[{attribute}="{color}" i]{{{attribute}:{other}}}'
        for color, other in rules.items()
        for attribute in ("fill", "stroke", "stop-color")
    )
    style = f"<style>@media (prefers-color-scheme:dark){{{style}}}</style>"
    start = svg.index(">", svg.index("<svg")) + 1
    return svg[:start] + style + svg[start:]
