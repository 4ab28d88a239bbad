"""Scheduling: each line runs once, for all time steps at once, or within a loop.

Only lines between one state and the next must run in the forward loop, and only lines between one
carried gradient and the next in the backward loop. Lines that do not depend on the carried values
are hoisted before the loop, and lines that the carried values do not depend on are moved after it.
There a line works on all time steps at once, if its function can (`lifts`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np

from ..graph import Value
from .gradient import Gradients
from .lines import REDUCTIONS, UFUNCS, Line, needed
from .lower import Recorder
from .trace import Traced
from .writer import Writer


class Stage(IntEnum):
    """The time at which a line runs: four stages of the forward pass, then four of the backward."""

    ONCE = 0
    BEFORE = 1
    LOOP = 2
    AFTER = 3
    BACK_BEFORE = 4
    BACK_LOOP = 5
    BACK_AFTER = 6
    BACK_ONCE = 7

    @property
    def backwards(self) -> bool:
        """True for a stage of the backward pass."""
        return self >= Stage.BACK_BEFORE


LOOPS = (Stage.LOOP, Stage.BACK_LOOP)
LIFTED = (Stage.BEFORE, Stage.AFTER, Stage.BACK_BEFORE, Stage.BACK_AFTER)


@dataclass
class Plan:
    """One step, forwards and backwards, as lines with their stages.

    Attributes
    ----------
    inputs, states, arguments : list of str
        The inputs of every step, the initial state, and the values that all steps share
        (parameters and other Tensors of the cell).
    outputs, new : list of str
        The outputs of every step, and the next state.
    arriving, carried : list of str
        The gradients of the outputs, which come from outside, and those of the new state, which
        come from the next step.
    to_inputs, to_states, to_arguments : list of str or None
        The gradients that the backward pass returns.
    totals : dict of str to str
        The summed value, by the name of its sum over all steps.
    stages : dict of str to Stage
        The stage of each line; filled by `place`.
    """

    lines: dict[str, Line]
    writer: Writer
    inputs: list[str]
    states: list[str]
    arguments: list[str]
    outputs: list[str]
    new: list[str]
    arriving: list[str] = field(default_factory=list)
    carried: list[str] = field(default_factory=list)
    to_inputs: list[str | None] = field(default_factory=list)
    to_states: list[str | None] = field(default_factory=list)
    to_arguments: list[str | None] = field(default_factory=list)
    totals: dict[str, str] = field(default_factory=dict)
    stages: dict[str, Stage] = field(default_factory=dict)

    @property
    def forward_roots(self) -> list[str]:
        """The values that the forward function returns."""
        return [*self.outputs, *self.new]

    @property
    def backward_roots(self) -> list[str]:
        """The values that the backward function computes."""
        return [
            name
            for name in (
                *self.to_inputs,
                *self.to_states,
                *self.to_arguments,
                *self.totals.values(),
            )
            if name is not None
        ]

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a value in one step."""
        return np.shape(self.writer.arrays[name])

    def dtype(self, name: str) -> np.dtype:
        """Return the dtype of a value."""
        return np.asarray(self.writer.arrays[name]).dtype

    def varies(self, name: str) -> bool:
        """Return True if a value differs from step to step."""
        handed = name in (*self.inputs, *self.states, *self.arriving, *self.carried)
        return handed or self.stages.get(name, Stage.ONCE) not in (Stage.ONCE, Stage.BACK_ONCE)


def written(traced: Traced, gradients: Gradients | None, arguments: list[Value]) -> Plan:
    """Return the recordings as lines. `arguments` are the leaves that become arguments."""
    w = Writer()
    recorder = Recorder(w)
    inputs = [w.given(x, getattr(x, "name", None) or f"x{i}") for i, x in enumerate(traced.inputs)]
    states = [w.given(s, getattr(s, "name", None) or "h") for s in traced.states]
    names = [w.given(a, a.name or "w") for a in arguments]
    for value in traced.values:
        recorder.record(value)
    plan = Plan(
        w.lines,
        w,
        inputs,
        states,
        names,
        _named(recorder, traced.outputs),
        _named(recorder, traced.new),
    )
    if gradients is not None:
        plan.arriving = [w.given(g, "g_output") for g in gradients.arriving]
        plan.carried = [w.given(g, g.name or "dh") for g in gradients.carried]
        totals = {
            value: w.given(stand_in, stand_in.name or "g")
            for value, stand_in in gradients.totals.items()
        }
        for value in gradients.values:
            recorder.record(value)
        plan.to_inputs = _named(recorder, gradients.to_inputs)
        plan.to_states = _named(recorder, gradients.to_states)
        plan.to_arguments = _named(recorder, [gradients.to_leaves.get(a) for a in arguments])
        plan.totals = {
            totals[value]: w.names[id(g.array)] for value, g in gradients.to_shared.items()
        }
    plan.lines = needed(w.lines, [*plan.forward_roots, *plan.backward_roots])
    return plan


def _named(r: Recorder, values: list[Any]) -> list[Any]:
    return [None if value is None else r.ref(value, value.array) for value in values]


# -- stages ----------------------------------------------------------------------------------------


def place(plan: Plan) -> None:
    """Give every line its stage."""
    forwards = needed(plan.lines, plan.forward_roots)
    varying, carried, total = set(plan.inputs), set(plan.states), set(plan.totals)
    back_carried = set(plan.carried)
    arriving = set(plan.arriving)
    feeds = set(needed(plan.lines, plan.new))
    back_feeds = set(needed(plan.lines, [name for name in plan.to_states if name is not None]))
    plan.stages = {}
    steps = varying | carried | arriving | back_carried  # all values that differ from step to step
    after = total
    for name, line in plan.lines.items():
        if after & set(line.uses):
            plan.stages[name] = Stage.BACK_ONCE
            after.add(name)
            continue
        if not steps & set(line.uses):
            plan.stages[name] = Stage.ONCE
            continue
        lifting = lifts(plan, line, steps)
        waits = carried if name in forwards else back_carried
        depends = bool(waits & set(line.uses))
        latest = max((plan.stages.get(use, Stage.ONCE) for use in line.uses), default=Stage.ONCE)
        if name in forwards:
            before, loop, later, feeding = Stage.BEFORE, Stage.LOOP, Stage.AFTER, feeds
        else:
            before, loop, later, feeding = (
                Stage.BACK_BEFORE,
                Stage.BACK_LOOP,
                Stage.BACK_AFTER,
                back_feeds,
            )
        if not depends and latest <= before and lifting:
            plan.stages[name] = before
        else:
            plan.stages[name] = loop if name in feeding or not lifting else later
        if depends:
            waits.add(name)
        steps.add(name)
    _no_loop_after_its_end(plan)


def _no_loop_after_its_end(plan: Plan) -> None:
    """Move lines into a loop if a line of the loop depends on them."""
    for name, line in reversed(list(plan.lines.items())):
        for loop, later in ((Stage.LOOP, Stage.AFTER), (Stage.BACK_LOOP, Stage.BACK_AFTER)):
            if plan.stages[name] == loop:
                for use in line.uses:
                    if plan.stages.get(use) == later:
                        plan.stages[use] = loop


def lifts(plan: Plan, line: Line, steps: set[str]) -> bool:
    """Return True if a line can run on all steps at once; the values in `steps` get a time axis."""
    lifted = [arg in steps for arg in line.args]
    shapes = [plan.shape(arg) if isinstance(arg, str) else () for arg in line.args]
    if line.fn in UFUNCS:
        return True
    if line.fn in REDUCTIONS or line.fn in ("transpose", "reshape", "copy", "astype", "broadcast"):
        return True
    if line.fn == "index":
        index = line.settings["index"]
        return all(
            type(i) in (int, slice, type(None), type(...))
            for i in (index if isinstance(index, tuple) else (index,))
        )
    if line.fn == "concatenate":
        return all(lifted)
    if line.fn == "dot":
        (a, b), (m, n) = lifted, map(len, shapes)
        return m == n if a and b else n <= m if a else m <= n
    return False
