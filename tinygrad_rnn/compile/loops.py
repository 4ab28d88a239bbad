"""A scan in a trace: one loop, and one loop more for backpropagation through time.

The cell is traced once. Its step becomes the body of a `Loop`. For the gradients, the scan is one
node of the graph of the trace. When the backward pass reaches it, `backward_loops` records a second
loop, which runs the other way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import tree
from ..backward import NO_GRADIENT
from ..dtypes import StandIn
from ..graph import Value, clock, context, see
from ..scan import _require_pair
from ..scope_part import ScopePart
from ..tensor import Tensor
from .backward_loops import BackwardLoop
from .instructions import Instruction, Loop, State, Variable
from .traced import TracedArray, is_scalar
from .traced_graph import (
    PART,
    Packed,
    find_values_behind,
    is_array,
    is_free,
    like,
    node_value,
    numbers_of,
    variable_of,
)
from .untraceable import Untraceable

LONGEST = 32
"""The number of steps up to which a scan that is no loop is recorded step by step."""


def trace_scan(
    tracer: Any, loop: Callable[..., Any], cell: Any, inputs: Any, state: Any, reverse: bool
) -> Any:
    """Record ``scan(cell, inputs, state, reverse)`` as a loop, and return its results."""
    several = isinstance(inputs, tuple)
    xs = [tracer.see(x) if isinstance(x, Value) else x for x in (inputs if several else (inputs,))]
    if not all(hasattr(x, "shape") for x in xs):
        return loop(cell, inputs, state, reverse)
    known: dict[Kinds, TracedScan] = {}

    def trace(kinds: Kinds) -> TracedScan:
        if kinds not in known:
            known[kinds] = TracedScan(tracer, cell, xs, several, state, reverse, kinds)
            known[kinds].trace()
        return known[kinds]

    try:
        return _find_loop(trace, _kinds(map(see, filter(is_array, tree.leaves(state)))), len(xs[0]))
    except NotALoop as reason:
        if len(xs[0]) > LONGEST:
            raise Untraceable(*reason.args) from None
        return loop(cell, inputs, state, reverse)


Kinds = tuple[tuple[bool, bool], ...]
"""For each of several arrays: whether it is a Tensor, and whether it is tracked."""


def _kinds(parts: Iterable[Any]) -> Kinds:
    return tuple([(isinstance(x, Value), getattr(x, "tracked", False)) for x in parts])


def _join(a: Kinds, b: Kinds) -> Kinds:
    return tuple([(x or z, y or w) for (x, y), (z, w) in zip(a, b, strict=True)])


def _find_loop(trace: Callable[[Kinds], TracedScan], start: Kinds, steps: int) -> Any:
    """Return the results of a loop whose body is right for all steps.

    A state may be an array at first, and a Tensor with a gradient after a step. So what the parts
    of the state are is followed from step to step. The body is traced for all that they ever are.
    """
    now = joined = start
    outputs = _kinds(trace(start).outputs)
    for left in reversed(range(steps)):
        outputs = _join(outputs, _kinds(trace(now).outputs))
        before, now = now, _kinds(trace(now).new)
        if now == before:
            break
        if left:
            joined = _join(joined, now)
    whole = trace(joined)
    if _kinds(whole.new) != now or _kinds(whole.outputs) != outputs:
        got, fix = "a state that is tracked in some steps only", "detach it in all steps or in none"
        raise NotALoop("steps that are alike", got, fix)
    return whole.finish()


class NotALoop(Exception):  # the scan is recorded step by step instead
    """The steps of a scan differ in more than numbers."""


class TracedScan:
    """One scan while it is traced.

    Attributes
    ----------
    xs, starts : list
        The inputs, and the arrays of the initial state.
    inside_xs, olds : list
        What stands for the input and the state of one step.
    outputs, new : list
        The outputs and the new state of one step.
    kinds : Kinds
        What the parts of the state are, at the start or after a step.
    """

    def __init__(
        self,
        tracer: Any,
        cell: Any,
        xs: list[Any],
        several: bool,
        state: Any,
        reverse: bool,
        kinds: Kinds,
    ):
        self.tracer, self.cell, self.xs, self.several = tracer, cell, xs, several
        self.state = state
        self.loop = Loop(len(xs[0]), reverse)
        see = tracer.see
        self.starts = [
            see(x) if isinstance(x, Value) else x for x in tree.leaves(state) if is_array(x)
        ]
        self.kinds = kinds
        self.begin = next(clock)

    # -- the step ----------------------------------------------------------------------------------

    def trace(self) -> None:
        """Record one step of the cell as the body of the loop."""
        tracer, loop = self.tracer, self.loop
        t = loop.steps - 1 if loop.reverse else 0
        self.inside_xs = [self._slice(x, t) for x in self.xs]
        self.olds = [self._inside(i, start) for i, start in enumerate(self.starts)]
        olds = iter(self.olds)
        state = tree.map(lambda part: next(olds) if is_array(part) else part, self.state)
        recording, here, events = context.get()
        token = context.set((recording, (*here, ScopePart("step", "", t, self.begin)), events))
        try:
            with tracer.block(loop.body):
                x = tuple(self.inside_xs) if self.several else self.inside_xs[0]
                output, new = _require_pair(self.cell(x, state), state, t)
                self.output = output
                self.outputs = [self._result(part) for part in tree.leaves(output)]
                pairs: list[tuple[Any, Any]] = []
                tree.map(lambda *pair: pairs.append(pair), state, new)
                self.new = [self._result(b) for a, b in pairs if self._is_carried(a, b)]
        finally:
            context.reset(token)
        self.new_structure = new

    def _slice(self, x: Any, t: int) -> Any:
        """Return what stands for an input in one step."""
        whole = self.tracer.argument(getattr(x, "array", x))
        numbers = np.asarray(numbers_of(x)[t])
        name = getattr(x, "name", None) or whole.name
        inside = Variable(name, numbers.shape, numbers.dtype)
        self.loop.slices.append((inside, whole))
        array = TracedArray(numbers, inside, self.tracer)
        return like(x, array, x.tracked) if isinstance(x, Value) else array

    def _inside(self, i: int, start: Any) -> Any:
        """Return what stands for a part of the state in one step."""
        numbers = np.asarray(numbers_of(start))
        name = getattr(start, "name", None) or ""
        array = TracedArray(numbers, Variable(name, numbers.shape, numbers.dtype), self.tracer)
        is_tensor, tracked = self.kinds[i]
        if not is_tensor:
            return array
        return like(start if isinstance(start, Value) else Tensor(0.0), array, tracked)

    def _is_carried(self, old: Any, new: Any) -> bool:
        if is_array(old):
            return True
        if is_array(new) or type(new) is not type(old) or new != old:
            expected = "a state whose parts that are not arrays stay as they are"
            raise NotALoop(expected, tree.describe(new), "carry it as an array, or with the inputs")
        return False

    def _result(self, part: Any) -> Any:
        """Return an output or a part of the new state with an array that stands for numbers."""
        if not is_array(part):
            raise NotALoop("arrays as outputs", tree.describe(part), "return Tensors")
        part = self.tracer.see(part) if isinstance(part, Value) else part
        if isinstance(getattr(part, "array", part), StandIn):
            return part
        return self.tracer.emit("copy", (part,))

    # -- the loop ----------------------------------------------------------------------------------

    def finish(self) -> Any:
        """Record the loop, and return the stacked outputs and the last state."""
        loop, tracer = self.loop, self.tracer
        ends = []
        for start, old, new in zip(self.starts, self.olds, self.new, strict=True):
            inside, following = variable_of(old), variable_of(new)
            last = Variable(inside.name, following.shape, following.dtype)
            first = tracer.argument(getattr(start, "array", start))
            loop.states.append(State(first, inside, following, last))
            ends.append(TracedArray(numbers_of(new), last, tracer))
            ends[-1].scalar = is_scalar(getattr(new, "array", new))
        wholes = [self.stack(variable_of(y), numbers_of(y)) for y in self.outputs]
        tracer.lines.append(loop)
        results = self._values([*self.outputs, *self.new], [*wholes, *ends])
        count = len(self.outputs)
        stacked, lasts = iter(results[:count]), iter(results[count:])
        state = tree.map(
            lambda old, new: next(lasts) if is_array(old) else new, self.state, self.new_structure
        )
        if not isinstance(self.output, tuple):
            return next(stacked), state
        return tuple(next(stacked) for _ in self.output), state

    def stack(self, inside: Variable, numbers: np.ndarray) -> TracedArray:
        """Return what stands for all steps of a variable of the body."""
        if inside.is_number:
            number, inside = inside, Variable(inside.name, (), np.dtype(inside.dtype))
            line = Instruction("astype", (number,), {"dtype": inside.dtype}, inside)
            self.loop.body.append(line)
        whole = dict(self.loop.stacks).get(inside)
        if whole is None:
            shape = (self.loop.steps, *inside.shape)
            whole = Variable(inside.name, shape, inside.dtype)
            self.loop.stacks.append((inside, whole))
        return TracedArray(np.broadcast_to(numbers, whole.shape), whole, self.tracer)

    def _values(self, inside: list[Any], arrays: list[TracedArray]) -> list[Any]:
        """Return the results of the loop as Tensors. One node stands for the whole loop."""
        inner = set(self.graph([y for y in inside if isinstance(y, Value)]))
        own = {x for x in (*self.inside_xs, *self.olds) if isinstance(x, Value)}
        self.outer = list(
            dict.fromkeys(
                x
                for v in sorted(inner, key=lambda v: v.node.index)
                for x in v.node.inputs
                if isinstance(x, Value) and x.tracked and x not in inner and x not in own
            )
        )
        free = [y for y in inside if is_free(y, inner, own)]
        self.outer = list(dict.fromkeys([*self.outer, *free]))
        tracked = [getattr(y, "tracked", False) for y in inside]
        packed = node_value(Packed({}), ScanOp(self), [*self.xs, *self.starts, *self.outer], {})
        values = []
        for i, (y, array) in enumerate(zip(inside, arrays, strict=True)):
            if not isinstance(y, Value):
                values.append(array)
                continue
            if tracked[i]:
                values.append(node_value(array, PART, [packed], {"number": i}))
            else:
                values.append(like(y, array, False))
            values[-1].name = y.name if i >= len(self.outputs) else None  # a stack has no name
            self.tracer.named.append((values[-1], array.variable))
        return values

    def graph(self, roots: list[Value]) -> list[Value]:
        """Return the values that the roots were computed from in this step, newest first."""
        seen = {v for v in roots if v.node is not None and v.node.index > self.begin}
        waiting = list(seen)
        while waiting:
            for x in waiting.pop().node.inputs:
                node = x.node if isinstance(x, Value) and x not in seen else None
                if node is not None and node.index > self.begin:
                    seen.add(x)
                    waiting.append(x)
        return sorted(seen, key=lambda v: v.node.index, reverse=True)

    # -- which gradients arrive where --------------------------------------------------------------

    def find_live(self, given: set[int]) -> tuple[set[int], set[int]]:
        """Return the parts of the state that get gradients after a step, and at the start.

        `given` are the results of the loop that get gradients from outside. A gradient that no step
        brings is None, as without a loop, and not an array of zeros.
        """
        count = len(self.outputs)
        reach = [self._find_reached(y) for y in (*self.outputs, *self.new)]
        always = {k for i in given if i < count for k in reach[i]}
        ever: set[int] = set()
        live = {i - count for i in given if i >= count}
        for _ in range(self.loop.steps):
            ever |= live
            live = always.union(*[reach[count + i] for i in live])
        return ever, live

    def _find_reached(self, y: Any) -> set[int]:
        """Return the parts of the state that a result of a step was computed from."""
        if not isinstance(y, Value) or not y.tracked:
            return set()
        found = find_values_behind([y], self.begin)
        return {k for k, x in enumerate(self.olds) if isinstance(x, Value) and x in found}

    def find_inputs(self, number: int) -> list[Any]:
        """Return the inputs of the node that one of its results was computed from."""
        ever, first = self.find_live({number})
        roots = [self.new[k] for k in ever] + self.outputs[number : number + 1]
        found = find_values_behind([y for y in roots if isinstance(y, Value)], self.begin)
        pairs = [*zip(self.xs, self.inside_xs, strict=True), *[(x, x) for x in self.outer]]
        inputs = [x for x, inside in pairs if isinstance(inside, Value) and inside in found]
        return inputs + [self.starts[k] for k in first]


class ScanOp:
    """The op of a node that stands for a whole loop, with the rule that differentiates it."""

    name, variadic, inputs, has_all_rules = "scan", True, ("inputs",), True
    formula = "scan({inputs})"

    def __init__(self, scan: TracedScan):
        self.scan = scan

    @property
    def rules_in_order(self) -> tuple[Any, ...]:
        """The rule. It is no attribute, because a bound method would be a reference cycle."""
        return (self.rule,)

    def rule(self, g: Packed, y: Any, *inputs: Any) -> list[Any]:
        """Return the gradients of the inputs, the initial state and what the cell captures."""
        if any(isinstance(part, Value) for part in g.parts.values()):
            expected, fix = "first derivatives of a scan", "call the function that is not compiled"
            raise Untraceable(expected, "create_graph=True over a scan", fix)
        found = BackwardLoop(self.scan, g.parts).trace()
        return [NO_GRADIENT if part is None else part for part in found]

    def find_inputs(self, number: int) -> list[Any]:
        """Return the inputs of the node that one of its results was computed from."""
        return self.scan.find_inputs(number)
