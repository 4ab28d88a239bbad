"""The things that a layout arranges: items, wires between them, and chips at a frame's side.

A layout has two axes. Data flows along the second one, upwards; time goes along the first one, to
the right. Lengths are in points (1/72 inch).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

Point = tuple[float, float]

Path = list[tuple[float, float, str]]
"""The points of a wire: each with "line" or "curve", the way in which it is reached."""

FRAME = "frame"
"""In place of an item: the frame around all items. A wire that enters or leaves it ends there."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """One end of a wire.

    Attributes
    ----------
    item : hashable
        The key of an item, of a chip, or `FRAME`.
    port : hashable
        Which of the item's ports. The ports of an item without fixed ports are made as needed.
    """

    item: Any
    port: Any = None


@dataclass(slots=True)
class Wire:
    """A value on its way from where it is computed to all its uses."""

    source: Terminal
    sinks: list[Terminal]


@dataclass(slots=True, eq=False)
class Item:
    """A box to arrange.

    Attributes
    ----------
    width, height : float
    entries, exits : dict of port to float, or None
        The distance of each port from the left side, for wires that arrive from below and for those
        that leave above. None: the ports are spread over the side.
    is_row : bool
        True for a row of time steps. Wires to and from it run along straight rails.
    is_last : bool
        True if no other item may be to its right, because a state leaves there.
    level : dict of hashable to float
        Places that are to be level with those of the same key in other items: the first steps of
        loops, by the number and the distance of their steps.
    """

    width: float
    height: float
    entries: dict[Any, float] | None = None
    exits: dict[Any, float] | None = None
    is_row: bool = False
    is_last: bool = False
    level: dict[Any, float] = field(default_factory=dict)


@dataclass(slots=True)
class Chip:
    """A mark at the left side of a frame, where a state from another time step enters.

    Attributes
    ----------
    width, height : float
    made_by : hashable or None
        The key of the item that computes the next state; the chip has its height.
    rise : float
        The height of the place in that item where the state leaves it.
    """

    width: float
    height: float
    made_by: Hashable = None
    rise: float = 0.0


@dataclass(slots=True)
class Arrangement:
    """The places of everything in a frame, relative to its lower left corner.

    Attributes
    ----------
    width, height : float
    corners : dict of key to Point
        The lower left corner of each item and of each chip.
    entries, exits : dict of port to float
        Where wires cross the lower and the upper side.
    paths : dict of (Terminal, Terminal) to Path
    lanes : list of float
        Heights at which nothing but wires is: the middles of the channels.
    """

    width: float
    height: float
    corners: dict[Any, Point] = field(default_factory=dict)
    entries: dict[Any, float] = field(default_factory=dict)
    exits: dict[Any, float] = field(default_factory=dict)
    paths: dict[tuple[Terminal, Terminal], Path] = field(default_factory=dict)
    lanes: list[float] = field(default_factory=list)

    def widen(self, width: float) -> None:
        """Move everything to the middle of a frame of at least this width."""
        shift = max(0.0, (width - self.width) / 2)
        self.move_right(shift)
        self.width += shift

    def move_right(self, shift: float) -> None:
        """Make the frame wider on its left side."""
        if not shift:
            return
        self.width += shift
        self.corners = {key: (x + shift, y) for key, (x, y) in self.corners.items()}
        for ports in (self.entries, self.exits):
            ports.update({port: x + shift for port, x in ports.items()})
        for path in self.paths.values():
            path[:] = [(x + shift, y, how) for x, y, how in path]
