"""The layout of one frame: items in rows, wires between them, chips of states at the left side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .boxes import Arrangement, Chip, Item, Wire
from .channels import CALM, RAIL_GAP, SIDE, Channel
from .rows import Rows
from .wire_paths import PathDrawer

SIDE_PAD = 10.0
"""The distance of items from the left and the right side of the frame."""
TRUNK_GAP = 5.0
"""The distance of the lines that lead downwards from chips."""
CHIP_GAP = 3.0
"""The distance of two chips."""
USUAL = 40.0
"""The height of a usual row; an item is tall if it has room for several."""


def arrange(
    items: Mapping[Any, Item],
    wires: Sequence[Wire],
    chips: Mapping[Any, Chip] | None = None,
    *,
    pad_below: float = 0.0,
    pad_above: float = 0.0,
    pad_left: float = 0.0,
    beside: Sequence[tuple[Any, Any]] = (),
    left: Sequence[Any] = (),
) -> Arrangement:
    """Return the places of items and chips in a frame, and the paths of wires.

    Parameters
    ----------
    items : mapping of key to Item
        In the order of computation.
    wires : sequence of Wire
        At most one for each source.
    chips : mapping of key to Chip, optional
    pad_below, pad_above, pad_left : float
        Space for a title at this side, in points.
    beside : sequence of pairs of keys
        Items that are to be side by side, the second to the right of the first.
    left : sequence of ports
        The wires that had better enter on the left, because they come from chips.
    """
    chips = chips or {}
    # A rail from a chip must not lead through an item that occupies several rows.
    flat = dict.fromkeys(items, 1)
    rows = Rows(items, wires, chips, flat if chips else _find_spans(items), beside, left)
    if not rows.place():
        rows.release()
        rows = Rows(items, wires, chips, flat, beside, left)
        rows.place()
    arrangement = _Stack(rows, pad_below, pad_above, pad_left).arrange()
    rows.release()
    return arrangement


def _find_spans(items: Mapping[Any, Item]) -> dict[Any, int]:
    """Return the number of rows that each item occupies: more than one if it is tall."""
    heights = sorted(item.height for item in items.values())
    usual = max(heights[len(heights) // 2] + CALM if heights else 0.0, USUAL)
    return {key: max(1, round((item.height + CALM) / usual)) for key, item in items.items()}


class _Stack:
    """The rows of a frame above each other, with the channels between them."""

    def __init__(self, rows: Rows, pad_below: float, pad_above: float, pad_left: float):
        self.rows, self.items, self.chips = rows, rows.items, rows.chips
        self.pad_below, self.pad_above, self.pad_left = pad_below, pad_above, pad_left
        self.trunks: dict[Any, float] = {}
        self.channels = [Channel() for _ in range(rows.last)]
        self.bottoms: list[float] = [0.0] * (rows.last + 1)
        self.tops: list[float] = [0.0] * (rows.last + 1)
        self.result = Arrangement(0.0, 0.0)

    def arrange(self) -> Arrangement:
        """Set widths, then heights, then paths."""
        self._shift_right()
        paths = PathDrawer(self.rows, self.channels, self.trunks, self.result)
        self.channels[0].least = self.channels[-1].least = SIDE
        self.channels[-1].extra = self.pad_above
        paths.fill_channels()
        self._stack_rows()
        self._place_chips()
        paths.draw()
        return self.result

    def _shift_right(self) -> None:
        """Move everything to the right of the chips, and set the width of the frame."""
        left = self.pad_left + SIDE_PAD
        if self.chips:
            wide = max(chip.width for chip in self.chips.values())
            self.trunks = {
                key: self.pad_left + wide + TRUNK_GAP * (i + 1)
                for i, key in enumerate(reversed(self.chips))
            }
            left = self.pad_left + wide + TRUNK_GAP * len(self.chips) + SIDE_PAD
        spots = [spot for row in self.rows.rows for spot in row]
        least = min((spot.x for spot in spots), default=0.0)
        for spot in spots:
            spot.x += left - least
        right = max((spot.x + spot.width for spot in spots), default=left)
        self.result.width = right + SIDE_PAD + RAIL_GAP * len(self.rows.around)

    def _stack_rows(self) -> None:
        """Set the height of each row and channel, from below."""
        top = self.pad_below
        ending: dict[int, list[Any]] = {}
        for key, row in self.rows.rank.items():
            ending.setdefault(row + self.rows.spans[key] - 1, []).append(key)
        for row in range(self.rows.last + 1):
            self.bottoms[row] = top
            for key in ending.get(row, ()):
                top = max(top, self.bottoms[self.rows.rank[key]] + self.items[key].height)
            self.tops[row] = top
            if row < self.rows.last:
                top = self.channels[row].rise_from(top)
        self.result.height = top
        self.result.lanes = [(channel.bottom + channel.top) / 2 for channel in self.channels]
        self.result.entries = {s.key[1]: s.x for s in self.rows.rows[0]}
        self.result.exits = {s.key[1]: s.x for s in self.rows.rows[self.rows.last]}
        for key, row in self.rows.rank.items():
            spot, tip = self.rows.spots[key], self.rows.tips[key]
            spare = self.tops[row + self.rows.spans[key] - 1] - self.bottoms[row]
            spare -= self.items[key].height
            # a source is near its uses, an output near its sources
            share = 0.5 if bool(spot.below) == bool(tip.above) else 0.0 if spot.below else 1.0
            self.result.corners[key] = spot.x, self.bottoms[row] + spare * share

    def _place_chips(self) -> None:
        """Put each chip at the height of the item that computes the next state."""
        wishes: dict[Any, float] = {}
        corners = self.result.corners
        for key, chip in self.chips.items():
            maker, rise = chip.made_by, chip.rise
            if maker not in corners:  # then at the height of what uses it
                used = [r.sink.item for r in self.rows.routes if r.source.item == key]
                maker = next((item for item in used if item in corners), None)
                rise = self.items[maker].height / 2 if maker in self.items else 0.0
            top = self.result.height - chip.height / 2
            wishes[key] = (
                self.result.corners[maker][1] + rise if maker in self.result.corners else top
            )
        least = 0.0
        for key, centre in _spread(wishes, self.chips).items():
            bottom = max(centre - self.chips[key].height / 2, least)
            corners[key] = self.pad_left, bottom
            least = bottom + self.chips[key].height + CHIP_GAP


def _spread(wishes: Mapping[Any, float], chips: Mapping[Any, Chip]) -> dict[Any, float]:
    """Return the height of each chip, from below; chips of one wish are above each other."""
    groups: dict[float, list[Any]] = {}
    for key, wish in wishes.items():
        groups.setdefault(round(wish, 1), []).append(key)
    heights: dict[Any, float] = {}
    for _, keys in sorted(groups.items()):
        wish = wishes[keys[0]]
        step = max(chips[key].height for key in keys) + CHIP_GAP
        for i, key in enumerate(keys):
            heights[key] = wish + step * (i - (len(keys) - 1) / 2)
    return heights
