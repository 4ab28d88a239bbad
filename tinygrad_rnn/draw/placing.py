"""Places of everything in a picture: vertices, frames and the paths of edges.

Each frame is laid out by itself (`layout.arrange`), the inner ones first. All steps of a loop have
one layout, and they are side by side, in a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ..layout.arrange import arrange
from ..layout.boxes import FRAME, Arrangement, Chip, Item, Path, Point
from ..layout.channels import RAIL_GAP
from ..scope_part import Scope
from .frame_tree import Column, Frame, FrameTree
from .picture import Edge, Picture, Vertex

STEP_GAP = 26.0
"""The distance of two steps."""
TITLE, TITLE_AT = 14.0, 8.0
"""The height of a frame's title, and where it begins."""
LOOP_MARGIN = 22.0
"""Space beside the steps, for a state that returns to a rolled step or comes from outside."""
SIDE_ENTRY = 12.0
"""How far from a step a state that comes from outside rises."""
MARK_GAP = 6.0


@dataclass(slots=True)
class PlacedFrame:
    """A frame in the drawing: its scope, its lower left corner and its size."""

    scope: Scope
    corner: Point
    width: float
    height: float
    title_at: float = 0.0


@dataclass(slots=True)
class Placement:
    """The places in a drawing, with data upwards and time to the right."""

    centres: dict[str, Point] = field(default_factory=dict)
    sizes: dict[str, tuple[float, float]] = field(default_factory=dict)
    frames: list[PlacedFrame] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


@dataclass(slots=True)
class _Row:
    """The steps of a loop: where each begins, and the size of all together."""

    lefts: dict[Column, float]
    width: float
    height: float
    margin: float = 0.0


@dataclass(slots=True)
class _Place:
    """Where a frame is in the drawing; if it is mirrored, its first axis points to the left."""

    x: float
    y: float
    sign: int = 1

    def __call__(self, point: Point) -> Point:
        return self.x + self.sign * point[0], self.y + point[1]


class Placer:
    """Computes a `Placement`.

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
        self.equals: dict[int, list[Frame]] = {}
        self.rows: dict[Frame, _Row] = {}
        self.sizes: dict[Any, tuple[float, float]] = {}
        self.places: dict[tuple[Frame, tuple[Column, ...]], _Place] = {}
        self.result = Placement()

    def place(self) -> Placement:
        """Return the places of everything."""
        frames = self.tree.walk()
        for frame in frames:
            if frame.is_step and len(frame.columns) > 1:
                self.equals.setdefault(len(frame.columns), []).append(frame)
        root = self._layout(self.tree.root)
        self.result.width, self.result.height = root.width, root.height
        self._put(self.tree.root, (), (), _Place(0.0, 0.0))
        for edge, pieces in zip(self.picture.edges, self.tree.pieces, strict=True):
            self.result.paths.append(self._join(edge, pieces) if pieces else self._carry(edge))
        return self.result

    # -- inner frames first ------------------------------------------------------------------------

    def _layout(self, frame: Frame) -> Arrangement:
        """Return the layout of a frame, which is made when it is first needed."""
        if frame not in self.layouts:
            self.layouts[frame] = self._arrange(frame)
        return self.layouts[frame]

    def _row(self, step: Frame) -> _Row:
        """Return the row of a loop's steps. Loops with equally many steps get equal columns."""
        if step not in self.rows:
            alike = [
                other for other in self.equals.get(len(step.columns), [step])
                if other is step or not _are_nested(step.scope, other.scope)
            ]  # fmt: skip
            width = max(self._layout(other).width for other in alike)
            self._layout(step).widen(width)
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
            layout.move_right(find_missing_room(title, self._crossed(layout), layout.width))
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
        layout = self._layout(inner)
        if not inner.is_step:
            level = self.levels[inner] or {(layout.width, layout.height): 0.0}
            return Item(
                layout.width, layout.height, layout.entries, layout.exits, is_last=is_last,
                level=level,
            )  # fmt: skip
        row = self._row(inner)
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
            for mark, x in self._mark_places(inner, column):
                exits[self.tree.slots[mark.id], column] = row.lefts[column] + x
        self._add_side_entries(inner, entries)
        pitch = len(row.lefts), round(layout.width)
        level = {pitch: row.margin} if len(row.lefts) > 1 else {}
        return Item(
            row.width, row.height, entries, exits, is_row=True, is_last=is_last, level=level
        )

    def _mark_places(self, step: Frame, column: Column) -> list[tuple[Vertex, float]]:
        """Return the marks of omitted steps and how far to the right each is, lower ones first."""
        x, found = MARK_GAP, []
        for mark in sorted(step.marks[column], key=lambda mark: self._mark_height(step, mark)):
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
                    places = {mark.id: x for mark, x in self._mark_places(step, column)}
                    entries[sink.port] = row.lefts[column] + places[edge.target]
                else:
                    at = row.lefts[column] - SIDE_ENTRY
                    width = self.layouts[step].width
                    entries[sink.port] = at + width + 2 * SIDE_ENTRY if step.is_reversed else at

    def _make_row(self, step: Frame) -> _Row:
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
            x += self._column_width(step, column) + STEP_GAP
        above = RAIL_GAP * (1 + len(step.carried)) if is_rolled else 0.0
        return _Row(lefts, x - STEP_GAP + margin, layout.height + above, margin)

    # -- outer frames first ------------------------------------------------------------------------

    def _put(self, frame: Frame, scope: Scope, columns: tuple[Column, ...], place: _Place) -> None:
        """Put everything inside of a frame where the frame is in the drawing."""
        layout = self.layouts[frame]
        self.places[frame, columns] = place
        for slot, vertices in frame.slots.items():
            for vertex in vertices:
                if vertex.scope == scope:
                    x, y = layout.corners[slot]
                    w, h = self.sizes[slot]
                    self.result.centres[vertex.id] = place((x + w / 2, y + h / 2))
                    self.result.sizes[vertex.id] = w, h
        for part, inner in frame.frames.items():
            x, y = layout.corners[inner]
            if not inner.is_step:
                shown = self.tree.parts.get((inner, columns), part)
                self._put_frame(inner, (*scope, shown), columns, place, (x, y))
                continue
            for column, left in self.rows[inner].lefts.items():
                here = self._scope_of_step(inner, scope, column)
                if here is None:
                    continue
                at = x + left, y
                if column in inner.marks:
                    self._put_marks(inner, column, here, place, at)
                else:
                    self._put_frame(inner, here, (*columns, column), place, at)

    def _crossed(self, layout: Arrangement) -> list[float]:
        """Return where wires cross the side of a frame that has the title."""
        ports = {"above": layout.exits, "below": layout.entries, "left": {}}[self.title_side]
        return list(ports.values())

    def _scope_of_step(self, step: Frame, around: Scope, column: Column) -> Scope | None:
        """Return the scope of one step of a loop; None if there is no vertex in it."""
        depth = len(around)
        for vertex in _vertices_in(step):
            scope = vertex.scope[: depth + 1]
            if scope[:-1] == around and (scope[-1].kind, scope[-1].index) == column:
                return scope
        return None

    def _put_frame(
        self, frame: Frame, scope: Scope, columns: tuple[Column, ...], place: _Place, at: Point
    ) -> None:
        layout = self.layouts[frame]
        x, y = place(at)
        left = x if place.sign > 0 else x - layout.width
        sign = -place.sign if frame.is_step and frame.is_reversed else place.sign
        crossed = [layout.width - x if sign < 0 else x for x in self._crossed(layout)]
        title_at = find_free_place(self.title_of(scope), crossed)
        placed = PlacedFrame(scope, (left, y), layout.width, layout.height, title_at)
        self.result.frames.append(placed)
        inner = _Place(left if sign > 0 else left + layout.width, y, sign)
        self._put(frame, scope, columns, inner)

    def _put_marks(
        self, step: Frame, column: Column, scope: Scope, place: _Place, at: Point
    ) -> None:
        """Put the marks of omitted steps in a frame that is as high as the steps."""
        layout = self.layouts[step]
        width = self._column_width(step, column)
        x, y = place(at)
        left = x if place.sign > 0 else x - width
        self.result.frames.append(PlacedFrame(scope, (left, y), width, layout.height))
        for mark, shift in self._mark_places(step, column):
            height = self._mark_height(step, mark)
            self.result.centres[mark.id] = place((at[0] + shift, at[1] + height))
            self.result.sizes[mark.id] = self.size_of(mark)

    def _column_width(self, step: Frame, column: Column) -> float:
        """Return the width of the frame of one step, or of omitted steps."""
        if column not in step.marks:
            return self.layouts[step].width
        return MARK_GAP + sum(self.size_of(mark)[0] + MARK_GAP for mark in step.marks[column])

    def _mark_height(self, step: Frame, mark: Vertex) -> float:
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

    # -- edges -------------------------------------------------------------------------------------

    def _join(self, edge: Edge, pieces: list[Any]) -> Path:
        """Join the pieces of an edge's way into one path."""
        path: Path = []
        for frame, columns, source, sink in pieces:
            found = self.layouts[frame].paths.get((source, sink))
            if found is None:  # this end is a mark
                continue
            place = self.places[frame, columns]
            path += [(*place((x, y)), how) for x, y, how in found]
        kinds = [self.picture.vertices[end].kind for end in (edge.source, edge.target)]
        if kinds[0] == "steps":
            (x, y), (_, h) = self.result.centres[edge.source], self.result.sizes[edge.source]
            path.insert(0, (x, y + h / 2, "line"))
        (x, y), (w, h) = self.result.centres[edge.target], self.result.sizes[edge.target]
        if kinds[1] == "steps":
            path.append((x, y - h / 2, "line"))
        if kinds[1] == "state":  # from below to the left or right side of the step
            side = w / 2 if path[-1][0] < x else -w / 2
            path += [(path[-1][0], y, "line"), (x - side, y, "line")]
        return path

    def _carry(self, edge: Edge) -> Path:
        """Return the path of a state from one step to another: straight, if both are level."""
        (x, y), (w, _) = self.result.centres[edge.source], self.result.sizes[edge.source]
        (u, v), (s, _) = self.result.centres[edge.target], self.result.sizes[edge.target]
        sign = 1 if u > x else -1
        start, end = x + sign * w / 2, u - sign * s / 2
        if edge.lag:
            return self._return(edge, y, v)
        turn = end - sign * STEP_GAP / 2
        level: Path = [(start, y, "line"), (turn, y, "line"), (turn, v, "line"), (end, v, "line")]
        ways = [level, *self._ways_by_lanes(edge, start, y, turn, end, v)]
        return next((way for way in ways if not self._hits(edge, way)), level)

    def _ways_by_lanes(
        self, edge: Edge, start: float, y: float, turn: float, end: float, v: float
    ) -> Iterator[Path]:
        """Yield paths of a state along the lanes of its step, the nearest lane first."""
        chain = self.tree.chains[edge.source]
        depth = next(
            i for i, (frame, _) in enumerate(chain) if frame.is_step and edge in frame.carried
        )
        step, columns = chain[depth][0], tuple(c for _, c in chain[: depth + 1] if c)
        if (step, columns) not in self.places:  # the source is the mark of omitted steps
            return
        side = start + (4.0 if end > start else -4.0)
        bottom = self.places[step, columns].y
        for lane in sorted(self.layouts[step].lanes, key=lambda lane: abs(bottom + lane - y)):
            yield [
                (start, y, "line"), (side, y, "line"), (side, bottom + lane, "line"),
                (turn, bottom + lane, "line"), (turn, v, "line"), (end, v, "line"),
            ]  # fmt: skip

    def _hits(self, edge: Edge, way: Path) -> bool:
        """Return whether a path of straight pieces leads through a box that is not at its ends."""
        for (a, b, _), (c, d, _) in pairwise(way):
            for name, (x, y) in self.result.centres.items():
                w, h = self.result.sizes[name]
                beside = max(a, c) <= x - w / 2 or min(a, c) >= x + w / 2
                above = max(b, d) <= y - h / 2 or min(b, d) >= y + h / 2
                if not beside and not above and name not in (edge.source, edge.target):
                    return True
        return False

    def _return(self, edge: Edge, y: float, v: float) -> Path:
        """Return the path of a state that leaves a rolled step and enters it again."""
        chain = self.tree.chains[edge.target]
        step, columns = chain[-1][0], tuple(column for _, column in chain if column)
        place, layout = self.places[step, columns], self.layouts[step]
        (x, _), (w, _) = self.result.centres[edge.source], self.result.sizes[edge.source]
        (u, _), (s, _) = self.result.centres[edge.target], self.result.sizes[edge.target]
        number = 1 + [e.target for e in step.carried].index(edge.target)
        far = RAIL_GAP * number
        right, _ = place((layout.width + far, 0.0))
        left, top = place((-far, layout.height + far))
        sign = place.sign
        return [
            (x + sign * w / 2, y, "line"), (right, y, "line"), (right, top, "line"),
            (left, top, "line"), (left, v, "line"), (u - sign * s / 2, v, "line"),
        ]  # fmt: skip


def _is_state(slot: Any) -> bool:
    """Return whether a slot is that of a chip."""
    return isinstance(slot, tuple) and len(slot) == 3 and slot[1][0] == "state"


def _are_nested(a: Scope, b: Scope) -> bool:
    """Return whether one of two frames is inside of the other."""
    return a[: len(b)] == b or b[: len(a)] == a


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


def _vertices_in(frame: Frame) -> list[Vertex]:
    """Return all vertices inside of a frame."""
    own = [v for vertices in (*frame.slots.values(), *frame.marks.values()) for v in vertices]
    return own + [v for inner in frame.frames.values() for v in _vertices_in(inner)]


def _slots_in(frame: Frame) -> list[Any]:
    """Return all slots inside of a frame."""
    return [*frame.slots, *[slot for inner in frame.frames.values() for slot in _slots_in(inner)]]
