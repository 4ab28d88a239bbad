"""The appearance of a picture: what its boxes show, its colours, and its direction."""

from __future__ import annotations

from dataclasses import dataclass

from ..graph import Value
from .themes import Theme

FONT = "Helvetica,Arial,DejaVu Sans,sans-serif"


@dataclass(frozen=True, slots=True)
class Look:
    """The appearance of a picture.

    Attributes
    ----------
    show : set of {"shape", "value", "grad"}
    theme : Theme
    direction : {"up", "down", "right"}
        The direction in which data flows. In each case, time goes to the right.
    marked : set of Value, or None
        The values on a highlighted path; None if nothing is highlighted.
    backward_done : bool
        True if a backward pass from the drawn result has run. Before that pass, any gradient in the
        graph belongs to another result and is not shown.
    font : str
        The names of fonts, in order of preference.
    points : float
        The size of the letters of names, in points.
    title : str
        The line above the figure.
    note : bool
        True if the notes are below the figure.
    legend : bool
        True if a legend is below the figure.
    numbers : bool
        True if results without a name show their numbers.
    width : float or None
        The greatest width of the drawing, in points; None if it is not limited.
    """

    show: frozenset[str]
    theme: Theme
    direction: str
    marked: frozenset[Value] | None = None
    backward_done: bool = True
    font: str = FONT
    points: float = 12.0
    title: str = ""
    note: bool = True
    legend: bool = False
    numbers: bool = True
    width: float | None = None

    @property
    def small(self) -> float:
        """The size of the letters of details, in points."""
        return self.points * 0.75

    def is_marked(self, values: tuple[Value, ...]) -> bool:
        """Return whether one of the values is on a highlighted path."""
        return self.marked is not None and not self.marked.isdisjoint(values)
