"""Layouts of the frames of a picture, the inner ones first.

Each frame is laid out by itself (`layout.arrange`). All steps of a loop have one layout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..scope_part import Scope
from .frame_tree import STEP, Column, Frame, FrameTree
from .layout.arrange import arrange
from .layout.boxes import FRAME, Arrangement, Chip, Item
from .layout.channels import RAIL_GAP
from .picture import Picture, Vertex

STEP_GAP = 26.0
"""The distance of two steps."""
TITLE, TITLE_AT = 14.0, 8.0
"""The height of a frame's title, and where it begins."""
LOOP_MARGIN = 22.0
"""The space beside the steps. A state returns there, or comes from outside."""
SIDE_ENTRY = 12.0
"""The distance from a step at which a state that comes from outside rises."""
MARK_GAP = 6.0


@dataclass(slots=True)
class Row:
    """The steps of a loop: where each begins, and the size of all together."""

    lefts: dict[Column, float]
    width: float
    height: float
    margin: float = 0.0


class FrameLayouts:
    """The layouts of all frames of a picture.

    Parameters
    ----------
    picture : Picture
    size_of : callable
        Returns the width and the height of a vertex's box.
    title_of : callable
        Returns the width of the title of a scope's frame; 0 if it has none.
    title_side : {"above", "below", "left"}
        The side of each frame that has the title.
    """

    def __init__(
        self,
        picture: Picture,
        size_of: Callable[[Vertex], tuple[float, float]],
        title_of: Callable[[Scope], float],
        title_side: str,
    ):
        self.picture, self.size_of, self.title_of = picture, size_of, title_of
        self.title_side = title_side
        self.tree = FrameTree(picture)
        self.layouts: dict[Frame, Arrangement] = {}
        self.levels: dict[Frame, dict[Any, float]] = {}
        self.rows: dict[Frame, Row] = {}
        self.sizes: dict[Any, tuple[float, float]] = {}
        self.alike: dict[tuple[int, int], list[Frame]] = {}
        for frame in self.tree.walk():
            if frame.is_step:
                self.alike.setdefault(_count_steps(frame), []).append(frame)

    def layout(self, frame: Frame) -> Arrangement:
        """Return the layout of a frame, which is made when it is first needed."""
        if frame not in self.layouts:
            self.layouts[frame] = self._arrange(frame)
        return self.layouts[frame]

    def row(self, step: Frame) -> Row:
        """Return the row of a loop's steps.

        Loops with equally many steps get equal columns, if they are in equally many loops.
        """
        if step not in self.rows:
            alike = self.alike[_count_steps(step)] if len(step.columns) > 1 else [step]
            self.layout(step).widen(max(self.layout(other).width for other in alike))
            self.rows[step] = self._make_row(step)
        return self.rows[step]

    def _arrange(self, frame: Frame) -> Arrangement:
        items: dict[Any, Item] = {}
        for slot, vertices in frame.slots.items():
            sizes = [self.size_of(vertex) for vertex in vertices]
            self.sizes[slot] = max(w for w, _ in sizes), max(h for _, h in sizes)
            if slot not in frame.chips:
                items[slot] = Item(*self.sizes[slot], is_last=slot in frame.last)
        for inner in frame.frames.values():
            items[inner] = self._item(inner, is_last=inner in frame.last)
        order = {slot: i for i, slot in enumerate(self.tree.slots.values())}
        firsts = {inner: min(order[s] for s in _slots_in(inner)) for inner in frame.frames.values()}
        keys = sorted(items, key=lambda key: firsts[key] if key in firsts else order[key])
        chips = {}
        for slot, way in frame.chips.items():
            rise = self._rise(way)
            chips[slot] = Chip(*self.sizes[slot], way[0] if way else None, rise)
        title = self.title_of(frame.scope)
        ports = [wire.source.port for wire in frame.wires.values() if wire.source.item == FRAME]
        layout = arrange(
            {key: items[key] for key in keys}, list(frame.wires.values()), chips,
            **({f"pad_{self.title_side}": TITLE} if title else {}),
            beside=frame.beside, left=[port for port in ports if _is_state(port)],
        )  # fmt: skip
        if title and self.title_side != "left":
            layout.widen(title + 20)
            layout.move_right(find_missing_room(title, self.crossed(layout), layout.width))
        self.levels[frame] = {} if frame.is_step else {
            level: x + layout.corners[key][0]
            for key, item in items.items() for level, x in item.level.items()
        }  # fmt: skip
        return layout

    def _rise(self, way: list[Any]) -> float:
        """Return the height at which a state leaves the first item on its way out of a step."""
        if not way:
            return 0.0
        height = self.sizes[way[-1]][1] / 2
        for frame, inner in pairwise(way):
            height += self.layouts[frame].corners[inner][1]
        return height

    def _item(self, inner: Frame, *, is_last: bool) -> Item:
        layout = self.layout(inner)
        if not inner.is_step:
            level = self.levels[inner] or {(layout.width, layout.height): 0.0}
            return Item(
                layout.width, layout.height, layout.entries, layout.exits, is_last=is_last,
                level=level,
            )  # fmt: skip
        row = self.row(inner)
        entries: dict[Any, float] = {}
        exits: dict[Any, float] = {}
        for column, left in row.lefts.items():
            if column in inner.marks:
                continue
            for found, ports in ((layout.entries, entries), (layout.exits, exits)):
                for port, x in found.items():
                    at = layout.width - x if inner.is_reversed else x
                    ports[port, column] = left + at
        for column in inner.marks:
            for mark, x in self.mark_places(inner, column):
                exits[self.tree.slots[mark.id], column] = row.lefts[column] + x
        self._add_side_entries(inner, entries)
        pitch = len(row.lefts), round(layout.width)
        level = {pitch: row.margin} if len(row.lefts) > 1 else {}
        return Item(
            row.width, row.height, entries, exits, is_row=True, is_last=is_last, level=level
        )

    def mark_places(self, step: Frame, column: Column) -> list[tuple[Vertex, float]]:
        """Return the marks of omitted steps and how far to the right each is, lower ones first."""
        x, found = MARK_GAP, []
        for mark in sorted(step.marks[column], key=lambda mark: self.mark_height(step, mark)):
            width = self.size_of(mark)[0]
            found.append((mark, x + width / 2))
            x += width + MARK_GAP
        return found

    def _add_side_entries(self, step: Frame, entries: dict[Any, float]) -> None:
        """Add the entries of wires that end at a mark, or at the side of a step."""
        row = self.rows[step]
        for pieces, edge in zip(self.tree.pieces, self.picture.edges, strict=True):
            for _, _, _, sink in pieces:
                if sink.item is not step or sink.port in entries:
                    continue
                column = sink.port[1]
                if column in step.marks:
                    places = {mark.id: x for mark, x in self.mark_places(step, column)}
                    entries[sink.port] = row.lefts[column] + places[edge.target]
                else:
                    at = row.lefts[column] - SIDE_ENTRY
                    width = self.layouts[step].width
                    entries[sink.port] = at + width + 2 * SIDE_ENTRY if step.is_reversed else at

    def _make_row(self, step: Frame) -> Row:
        layout, x, lefts = self.layouts[step], 0.0, {}
        is_rolled = any(kind == "rolled" for kind, _ in step.columns) and bool(step.carried)
        has_side_entry = any(
            sink.item is step and isinstance(sink.port[0], tuple) and sink.port[0][0] == "side"
            for pieces in self.tree.pieces for _, _, _, sink in pieces
        )  # fmt: skip
        margin = LOOP_MARGIN if is_rolled or has_side_entry else 0.0
        x += margin
        for column in step.columns:
            lefts[column] = x
            x += self.column_width(step, column) + STEP_GAP
        above = RAIL_GAP * (1 + len(step.carried)) if is_rolled else 0.0
        return Row(lefts, x - STEP_GAP + margin, layout.height + above, margin)

    def column_width(self, step: Frame, column: Column) -> float:
        """Return the width of the frame of one step, or of omitted steps."""
        if column not in step.marks:
            return self.layouts[step].width
        return MARK_GAP + sum(self.size_of(mark)[0] + MARK_GAP for mark in step.marks[column])

    def mark_height(self, step: Frame, mark: Vertex) -> float:
        """Return the height at which a mark is: that of the state that it continues."""
        layout = self.layouts[step]
        for edge in step.carried:
            if edge.source == mark.id and self.tree.slots[edge.target] in step.chips:
                slot = self.tree.slots[edge.target]
                return layout.corners[slot][1] + self.sizes[slot][1] / 2
        for edge in step.carried:
            if edge.target == mark.id:
                chain = self.tree.chains[edge.source]
                at = next(i for i, (frame, _) in enumerate(chain) if frame is step)
                way = [*[frame for frame, _ in chain[at + 1 :]], self.tree.slots[edge.source]]
                return layout.corners[way[0]][1] + self._rise(way)
        return layout.height / 2

    def crossed(self, layout: Arrangement) -> list[float]:
        """Return where wires cross the side of a frame that has the title."""
        ports = {"above": layout.exits, "below": layout.entries, "left": {}}[self.title_side]
        return list(ports.values())


def _is_state(slot: Any) -> bool:
    """Return whether a slot is that of a chip."""
    return isinstance(slot, tuple) and len(slot) == 3 and slot[1][0] == "state"


def _count_steps(step: Frame) -> tuple[int, int]:
    """Return the number of a loop's steps, and of the loops around each of them."""
    return len(step.columns), sum(part is STEP for part in step.scope)


def find_free_place(width: float, crossed: list[float]) -> float:
    """Return where a title begins, so that no wire that crosses this side runs through it."""
    start = TITLE_AT
    for x in sorted(crossed):
        if start - 4 < x < start + width + 4:
            start = x + 6
    return start


def find_missing_room(title: float, crossed: list[float], width: float) -> float:
    """Return by how much a frame must grow to the left, so that no wire crosses its title."""
    if find_free_place(title, crossed) + title < width - 4:
        return 0.0
    return TITLE_AT + title + 5 - min(crossed)


def _slots_in(frame: Frame) -> list[Any]:
    """Return all slots inside of a frame."""
    return [*frame.slots, *[slot for inner in frame.frames.values() for slot in _slots_in(inner)]]
