"""The graph that a program recorded, to look at: as numbered equations (`text`), or in the DOT language (`dot`)."""

from .dot import dot
from .text import text

__all__ = ["dot", "text"]
