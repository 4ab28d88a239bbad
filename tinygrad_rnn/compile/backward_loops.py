"""The loop that carries gradients back through the steps of a scan.

The engine's own backward pass runs over the graph of one step, and what it records becomes the body
of the loop. What that body reads of the first loop is stacked there over time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backward import backward_pass
from ..graph import Value
from .instructions import Instruction, Loop, Program, State, Variable
from .rewriting import rename
from .traced import TracedArray
from .traced_graph import name_of, numbers_of


class BackwardLoop:
    """The loop for the gradients while it is traced.

    Attributes
    ----------
    scan : TracedScan
        The scan that it differentiates.
    loop : Loop
    carried : dict of int to (TracedArray, TracedArray or None)
        For each part of the state that gets a gradient: what stands for it in a step, and the
        gradient that arrives at the last state.
    """

    def __init__(self, scan: Any, arriving: dict[int, Any]):
        self.scan, self.tracer, self.arriving = scan, scan.tracer, arriving
        self.loop = Loop(scan.loop.steps, not scan.loop.reverse)
        self.carried: dict[int, tuple[TracedArray, Any]] = {}

    def trace(self) -> list[Any]:
        """Record the loop; return the gradients of the inputs of the node of the scan."""
        scan = self.scan
        live, live_at_start = scan.find_live(set(self.arriving))
        with self.tracer.block(self.loop.body):
            seeds = self._seeds(live)
            flows = dict(backward_pass(seeds, scan.graph(list(seeds))))
        results: list[Any] = []
        for x, inside in zip(scan.xs, scan.inside_xs, strict=True):
            flow = flows.get(inside) if isinstance(x, Value) and x.tracked else None
            results.append(None if flow is None else self._stacked(flow))
        for k, (start, old) in enumerate(zip(scan.starts, scan.olds, strict=True)):
            flow = flows.get(old) if isinstance(old, Value) else None
            wanted = k in live_at_start and isinstance(start, Value) and start.tracked
            results.append(self._carry(k, flow, wanted and flow is not None))
        for x in scan.outer:
            flow = flows.get(x)
            results.append(None if flow is None else self._summed(flow))
        self._keep_histories()
        self.tracer.lines.append(self.loop)
        return results

    def _seeds(self, live: set[int]) -> dict[Value, Any]:
        """Return what stands for the gradients of a step's results; `live` parts are carried."""
        scan, seeds = self.scan, dict[Value, Any]()
        count = len(scan.outputs)
        for i, y in enumerate([*scan.outputs, *scan.new]):
            arriving: Any = self.arriving.get(i)
            wanted = arriving is not None if i < count else i - count in live
            if not (wanted and isinstance(y, Value) and y.tracked):
                continue
            name = name_of(y)
            inside = Variable(f"d{name}" if name else "", y.array.shape, y.array.dtype)
            seed = TracedArray(numbers_of(y), inside, self.tracer)
            if i < count:
                inside.name = inside.name or arriving.variable.name
                self.loop.slices.append((inside, arriving.variable))
            else:
                self.carried[i - count] = seed, arriving
            seeds[y] = seeds[y] + seed if y in seeds else seed
        return seeds

    def _stacked(self, flow: TracedArray) -> TracedArray:
        whole = Variable(flow.variable.name, (self.loop.steps, *flow.shape), flow.dtype)
        self.loop.stacks.append((flow.variable, whole))
        return TracedArray(np.broadcast_to(flow.numbers, whole.shape), whole, self.tracer)

    def _summed(self, flow: TracedArray) -> TracedArray:
        total = Variable(flow.variable.name, flow.shape, flow.dtype)
        self.loop.sums.append((flow.variable, total))
        return TracedArray(flow.numbers, total, self.tracer)

    def _carry(self, k: int, flow: Any, wanted: bool) -> Any:
        """Carry the gradient of a part of the state back; return that at the start if wanted."""
        if k not in self.carried:  # a state that starts tracked, and is not tracked after a step
            if not wanted:
                return None
            inside = Variable("", flow.shape, flow.dtype)
            self.carried[k] = TracedArray(flow.numbers, inside, self.tracer), None
        seed, arriving = self.carried[k]
        first, following = (self._or_zeros(g, seed) for g in (arriving, flow))
        last = Variable(seed.variable.name, seed.shape, seed.dtype)
        state = State(first.variable, seed.variable, following.variable, last)
        self.loop.states.append(state)
        return TracedArray(following.numbers, last, self.tracer) if wanted else None

    def _or_zeros(self, g: Any, like: TracedArray) -> Any:
        if g is not None:
            return g
        return self.tracer.emit("zeros", (), shape=like.shape, dtype=like.dtype)

    def _keep_histories(self) -> None:
        """Stack what this loop reads of the first loop, and slice it here."""
        first, back = self.scan.loop, self.loop
        wholes, inside = dict(first.slices), set(first.inside)
        renamed: dict[Variable, Variable] = {}
        for x in back.uses:
            if x not in inside:
                continue
            whole = wholes.get(x)
            if whole is None:
                whole = self.scan.stack(x, np.zeros(x.shape, x.dtype)).variable
            renamed[x] = taken = Variable(x.name, x.shape, x.dtype, x.note)
            if x.is_number:
                taken = Variable(x.name, (), np.dtype(x.dtype))
                back.body.insert(0, Instruction("item", (taken,), {}, renamed[x]))
            back.slices.append((taken, whole))
        rename(Program([], [back], []), renamed)
