"""The size of text and of boxes, the same for every engine that draws.

Fonts differ between machines. The widths here are those of DejaVu Sans, the widest of the usual
fonts, so that text fits in its box whichever font an engine finds.
"""

from __future__ import annotations

from unicodedata import category, combining, east_asian_width

# in hundredths of the font size: from the space to the tilde
_ASCII = (
    32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 34, 34, 84, 84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75,
    79, 60, 79, 69, 63, 61, 73, 68, 99, 69, 61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35,
    63, 63, 28, 28, 58, 28, 97, 63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84,
)  # fmt: skip
BOLD = 1.12
"""The width of bold text, in widths of plain text."""

KNOWN = "Helvetica", "Arial", "DejaVu Sans", "Times", "sans"
OTHER = 1.15
"""Fonts that are not wider than the widths here, and how much wider others may be."""

LINE = 1.2
"""The height of a line, in font sizes."""


def text_width(text: str, points: float, *, bold: bool = False, font: str = "") -> float:
    """Return the width of a line of text, in points; a font that is not known may be wider."""
    known = not font or font.startswith(KNOWN)
    wide = (BOLD if bold else 1.0) * (1.0 if known else OTHER)
    return sum(map(_width, text)) / 100 * points * wide


def _width(character: str) -> int:
    """Return the width of one character, in hundredths of the font size."""
    code = ord(character)
    if 32 <= code < 127:
        return _ASCII[code - 32]
    if combining(character):
        return 0
    if east_asian_width(character) in "WF":
        return 100
    if 0x2080 <= code <= 0x209C or 0x2070 <= code <= 0x207F or character in "¹²³ᵀ":
        return 44
    return 84 if category(character).startswith("S") else 68
