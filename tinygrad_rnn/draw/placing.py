"""Places of everything in a picture: vertices, frames and the paths of edges."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..scope_part import Scope
from .edge_paths import EdgePaths, Origin
from .frame_layouts import TITLE, FrameLayouts, find_free_place
from .frame_tree import Column, Frame
from .layout.boxes import Path, Point
from .picture import Vertex


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


class Placer:
    """Computes a `Placement`: it puts each layout where its frame is, the outer frames first."""

    def __init__(self, frames: FrameLayouts):
        self.frames = frames
        self.places: dict[tuple[Frame, tuple[Column, ...]], Origin] = {}
        self.result = Placement()

    def place(self) -> Placement:
        """Return the places of everything."""
        tree, result = self.frames.tree, self.result
        root = self.frames.layout(tree.root)
        result.width, result.height = root.width, root.height
        self._put(tree.root, (), (), Origin(0.0, 0.0))
        titles = [self._title_box(frame) for frame in result.frames]
        paths = EdgePaths(self.frames, self.places, result.centres, result.sizes, titles)
        result.paths = paths.find()
        return result

    def _title_box(self, frame: PlacedFrame) -> tuple[float, float, float, float]:
        """Return the left, lower, right and upper side of a frame's title."""
        (x, y), wide = frame.corner, self.frames.title_of(frame.scope)
        side = self.frames.title_side
        if not wide or side == "left":
            return x, y, x, y
        left = x + frame.title_at
        low = y + frame.height - TITLE if side == "above" else y
        return left, low, left + wide, low + TITLE

    def _put(self, frame: Frame, scope: Scope, columns: tuple[Column, ...], place: Origin) -> None:
        """Put everything inside of a frame where the frame is in the drawing."""
        layout = self.frames.layouts[frame]
        self.places[frame, columns] = place
        for slot, vertices in frame.slots.items():
            for vertex in vertices:
                if vertex.scope == scope:
                    x, y = layout.corners[slot]
                    w, h = self.frames.sizes[slot]
                    self.result.centres[vertex.id] = place((x + w / 2, y + h / 2))
                    self.result.sizes[vertex.id] = w, h
        for part, inner in frame.frames.items():
            x, y = layout.corners[inner]
            if not inner.is_step:
                shown = self.frames.tree.parts.get((inner, columns), part)
                self._put_frame(inner, (*scope, shown), columns, place, (x, y))
                continue
            for column, left in self.frames.rows[inner].lefts.items():
                here = self._scope_of_step(inner, scope, column)
                if here is None:
                    continue
                at = x + left, y
                if column in inner.marks:
                    self._put_marks(inner, column, here, place, at)
                else:
                    self._put_frame(inner, here, (*columns, column), place, at)

    def _scope_of_step(self, step: Frame, around: Scope, column: Column) -> Scope | None:
        """Return the scope of one step of a loop; None if there is no vertex in it."""
        depth = len(around)
        for vertex in _vertices_in(step):
            scope = vertex.scope[: depth + 1]
            if scope[:-1] == around and (scope[-1].kind, scope[-1].index) == column:
                return scope
        return None

    def _put_frame(
        self, frame: Frame, scope: Scope, columns: tuple[Column, ...], place: Origin, at: Point
    ) -> None:
        layout = self.frames.layouts[frame]
        x, y = place(at)
        left = x if place.sign > 0 else x - layout.width
        sign = -place.sign if frame.is_step and frame.is_reversed else place.sign
        crossed = [layout.width - x if sign < 0 else x for x in self.frames.crossed(layout)]
        title_at = find_free_place(self.frames.title_of(scope), crossed)
        placed = PlacedFrame(scope, (left, y), layout.width, layout.height, title_at)
        self.result.frames.append(placed)
        inner = Origin(left if sign > 0 else left + layout.width, y, sign)
        self._put(frame, scope, columns, inner)

    def _put_marks(
        self, step: Frame, column: Column, scope: Scope, place: Origin, at: Point
    ) -> None:
        """Put the marks of omitted steps in a frame that is as high as the steps."""
        layout = self.frames.layouts[step]
        width = self.frames.column_width(step, column)
        x, y = place(at)
        left = x if place.sign > 0 else x - width
        self.result.frames.append(PlacedFrame(scope, (left, y), width, layout.height))
        for mark, shift in self.frames.mark_places(step, column):
            height = self.frames.mark_height(step, mark)
            self.result.centres[mark.id] = place((at[0] + shift, at[1] + height))
            self.result.sizes[mark.id] = self.frames.size_of(mark)


def _vertices_in(frame: Frame) -> list[Vertex]:
    """Return all vertices inside of a frame."""
    own = [v for vertices in (*frame.slots.values(), *frame.marks.values()) for v in vertices]
    return own + [v for inner in frame.frames.values() for v in _vertices_in(inner)]
