"""Frames of a picture as a tree in which all steps of a loop are one frame, the step's template.

A vertex has a slot: vertices with one slot are the same vertex in different steps. A template holds
the slots of all steps of its loop, so that every step gets the same layout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from ..scope_part import Scope, ScopePart
from .crossings import key_across_steps
from .layout.boxes import FRAME, Terminal, Wire
from .picture import Edge, Picture, Vertex, common_scope

STEP = ScopePart("step", index=-1)
"""The part of a scope that stands for every step of a loop."""

Column = tuple[str, int]
"""The kind of a step's scope part (`steps` for those left out), and its index."""


@dataclass(slots=True, eq=False)
class Frame:
    """A frame, or a template of frames.

    Attributes
    ----------
    scope : tuple of ScopePart
        The scope, with `STEP` in place of steps.
    slots : dict of slot to list of Vertex
        The vertices directly in the frame.
    frames : dict of ScopePart to Frame
    columns : list of Column
        The steps, if this is a template.
    marks : dict of Column to list of Vertex
        The vertices that stand for omitted steps.
    wires : dict of Terminal to Wire
    chips : dict of key to the item that computes the next state, or None
    last : set of hashable
        The items that compute the next states. Nothing is to their right.
    carried : list of Edge
        The edges from one step to another.
    is_reversed : bool
        True if the states run from the last step to the first.
    beside : list of pairs of hashable
        Items of which the second continues the first in time, as a decoder does its encoder.
    """

    scope: Scope
    slots: dict[Hashable, list[Vertex]] = field(default_factory=dict)
    frames: dict[ScopePart, Frame] = field(default_factory=dict)
    columns: list[Column] = field(default_factory=list)
    marks: dict[Column, list[Vertex]] = field(default_factory=dict)
    wires: dict[Terminal, Wire] = field(default_factory=dict)
    chips: dict[Hashable, list[Hashable]] = field(default_factory=dict)
    last: set[Hashable] = field(default_factory=set)
    carried: list[Edge] = field(default_factory=list)
    is_reversed: bool = False
    beside: list[tuple[Hashable, Hashable]] = field(default_factory=list)

    @property
    def is_step(self) -> bool:
        """True if the frame is the template of a loop's steps."""
        return bool(self.scope) and self.scope[-1] is STEP

    def connect(self, source: Terminal, sink: Terminal) -> None:
        """Add one use to a wire."""
        wire = self.wires.setdefault(source, Wire(source, []))
        if sink not in wire.sinks:
            wire.sinks.append(sink)


Chain = list[tuple[Frame, Column | None]]
"""The frames around a vertex from the outermost on, each with its step if it is a template."""


class FrameTree:
    """The frames of a picture, and the wires in each.

    Attributes
    ----------
    root : Frame
    slots : dict of str to slot
    chains : dict of str to Chain
        The frames around each vertex, by the vertex's id.
    ends : list of (Edge, route)
        Each edge with the pieces of its way: (frame, columns around it, source, sink).
    """

    def __init__(self, picture: Picture):
        self.picture = picture
        self.root = Frame(())
        self.slots: dict[str, Hashable] = {}
        self.chains: dict[str, Chain] = {}
        self.parts: dict[tuple[Frame, tuple[Column, ...]], ScopePart] = {}
        self.pieces: list[list[tuple[Frame, tuple[Column, ...], Terminal, Terminal]]] = []
        self._add_vertices()
        uses: Counter[tuple[str, str]] = Counter()
        for edge in picture.edges:
            uses[edge.source, edge.target] += 1
            self.pieces.append(self._lead(edge, uses[edge.source, edge.target]))
        self._find_makers_behind_marks()
        self._find_consecutive_loops()

    # -- vertices ----------------------------------------------------------------------------------

    def _add_vertices(self) -> None:
        ranks: Counter[tuple[Any, ...]] = Counter()
        for vertex in reversed(self.picture.vertices.values()):
            abstract = tuple(STEP if part.is_time else part for part in vertex.scope)
            slot: Hashable = vertex.id
            if STEP in abstract:
                ranks[vertex.scope, key_across_steps(vertex)] += 1
                rank = ranks[vertex.scope, key_across_steps(vertex)]
                slot = abstract, key_across_steps(vertex), rank
            self.slots[vertex.id] = slot
        for vertex in self.picture.vertices.values():
            frame = self.root
            chain: Chain = [(frame, None)]
            for part in vertex.scope:
                shared = STEP if part.is_time else part
                if shared not in frame.frames:
                    frame.frames[shared] = Frame((*frame.scope, shared))
                frame = frame.frames[shared]
                column = (part.kind, part.index) if part.is_time else None
                columns = tuple(c for _, c in chain if c)
                self.parts.setdefault((frame, columns), part)
                if column and column not in frame.columns:
                    frame.columns.append(column)
                chain.append((frame, column))
            self.chains[vertex.id] = chain
            last = chain[-1][1]
            if vertex.kind == "steps" and last:
                frame.marks.setdefault(last, []).append(vertex)
            else:
                frame.slots.setdefault(self.slots[vertex.id], []).append(vertex)
            if vertex.kind == "state" and frame.is_step:
                frame.chips.setdefault(self.slots[vertex.id], [])
        for frame in self.walk():
            frame.columns.sort(key=lambda column: column[1])

    def walk(self) -> list[Frame]:
        """Return all frames, each before those inside of it."""
        found = [self.root]
        for frame in found:
            found += frame.frames.values()
        return found

    # -- edges -------------------------------------------------------------------------------------

    def _lead(self, edge: Edge, use: int) -> list[Any]:
        """Lead an edge out of the frames around its source and into those around its target."""
        up, down = self.chains[edge.source], self.chains[edge.target]
        depth = next(
            (i for i, (a, b) in enumerate(zip(up, down, strict=False)) if a != b),
            min(len(up), len(down)),
        )
        steps = (
            i for i, (a, b) in enumerate(zip(up, down, strict=False)) if a == b and a[0].is_step
        )
        rolled = next(steps, None) if edge.lag else None
        if rolled is not None:
            depth = rolled
        if rolled is not None or (
            depth < min(len(up), len(down)) and up[depth][0] is down[depth][0]
        ):
            return self._carry(edge, up, down, depth)
        slot = self.slots[edge.source]
        pieces = []
        key, source = slot, Terminal(slot)
        for i in range(len(up) - 1, depth - 1, -1):
            frame, column = up[i]
            sink = Terminal(FRAME, key)
            pieces.append(self._add_piece(frame, up[: i + 1], source, sink))
            key = (key, column) if column else key
            source = Terminal(frame, key)
        is_chip = self.slots[edge.target] in down[-1][0].chips
        here = up[depth - 1][0]
        for i in range(depth, len(down) + (not is_chip)):  # a wire to a chip ends at its step
            around = down[:i]
            if i == len(down):
                pieces.append(
                    self._add_piece(
                        here, around, source, Terminal(self.slots[edge.target], (slot, use))
                    )
                )
                break
            frame, column = down[i]
            if column:  # inside of a step, all steps are alike
                key = slot
                last = is_chip and i == len(down) - 1
                port = (("side", self.slots[edge.target]) if last else slot, column)
            else:
                port = key
            pieces.append(self._add_piece(here, around, source, Terminal(frame, port)))
            here, source = frame, Terminal(FRAME, key)
        return pieces

    def _add_piece(self, frame: Frame, chain: Chain, source: Terminal, sink: Terminal) -> Any:
        if not (chain[-1][1] and chain[-1][1][0] == "steps"):  # a mark is in no template
            frame.connect(source, sink)
        return frame, tuple(column for _, column in chain if column), source, sink

    def _carry(self, edge: Edge, up: Chain, down: Chain, depth: int) -> list[Any]:
        """Note an edge that leads from one step to another."""
        step = up[depth][0]
        step.carried.append(edge)
        a, b = up[depth][1], down[depth][1]
        if edge.lag < 0 or (a and b and a[1] > b[1]):
            step.is_reversed = True
        chip = self.slots[edge.target]
        path = [frame for frame, _ in up[depth + 1 :]]
        items = [*path, self.slots[edge.source]]
        for frame, item in zip([step, *path], items, strict=True):
            frame.last.add(item)
        if chip in step.chips and self.picture.vertices[edge.source].kind != "steps":
            step.chips[chip] = items
        return []

    def _find_makers_behind_marks(self) -> None:
        """Give each chip behind omitted steps the maker of the state that goes into them."""
        for step in self.walk():
            into = {edge.target: edge.source for edge in step.carried}
            for edge in step.carried:
                chip, source = self.slots[edge.target], into.get(edge.source)
                if step.chips.get(chip) == [] and source is not None:
                    chain = self.chains[source]
                    depth = next(i for i, (frame, _) in enumerate(chain) if frame is step)
                    inner = [frame for frame, _ in chain[depth + 1 :]]
                    step.chips[chip] = [*inner, self.slots[source]]

    def _find_consecutive_loops(self) -> None:
        """Note which loops continue others: their first states come from those, and nothing else.

        An example is a decoder, which starts from the last state of its encoder.
        """
        made_in: dict[str, dict[Frame, Chain]] = {}
        sources: dict[str, list[str]] = {}
        for edge in self.picture.edges:
            sources.setdefault(edge.target, []).append(edge.source)
        starts: dict[Frame, dict[Frame, set[str]]] = {}
        for name, vertex in self.picture.vertices.items():
            came = {
                f: c for source in sources.get(name, []) for f, c in made_in.get(source, {}).items()
            }
            chain = self.chains[name]
            step = next((frame for frame, _ in chain if frame.is_step), None)
            made_in[name] = {step: chain} if step else came
            for before in came:
                if step and before is not step:
                    starts.setdefault(step, {}).setdefault(before, set()).add(vertex.kind)
        for step, entered in starts.items():
            for before, kinds in entered.items():
                if "state" in kinds:
                    self._put_beside(before, step)

    def _put_beside(self, first: Frame, second: Frame) -> None:
        """Put the frames around two loops side by side, where they are in one frame."""
        frames = {frame.scope: frame for frame in self.walk()}
        depth = len(common_scope(first.scope, second.scope))
        around = frames[first.scope[:depth]]
        a, b = (frames[step.scope[: depth + 1]] for step in (first, second))
        wires = [(w.source.item, s) for w in around.wires.values() for s in w.sinks]
        used = {source for source, sink in wires if sink.item is b}
        made = {sink.item for source, sink in wires if source is a}
        between = [item for item in used & made if not isinstance(item, Frame)]
        around.beside += [(a, between[0]), (between[0], b)] if between else [(a, b)]
