"""When each line is computed: once, for all time steps at once, or within a loop.

Only what lies between one state and the next must wait in the loop, and backwards only what lies between one carried gradient
and the next. All else moves out: before the loop what does not depend on what it carries, after it what does not feed it.
There a line works on all time steps at once, if its function can (`lifts`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import numpy as np

from ..graph import Value
from .lines import REDUCTIONS, UFUNCS, VIEWS, Line, Ref, needed
from .lower import Writer
from .trace import Gradients, Traced


class Stage(IntEnum):
    """When a line runs. The first four are of the program that runs forwards, the others of the one that runs backwards."""

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
        """Whether it is a stage of the program that runs backwards."""
        return self >= Stage.BACK_BEFORE


LOOPS = (Stage.LOOP, Stage.BACK_LOOP)
LIFTED = (Stage.BEFORE, Stage.AFTER, Stage.BACK_BEFORE, Stage.BACK_AFTER)


@dataclass
class Plan:
    """One step, forwards and backwards, as lines with their stages.

    Attributes
    ----------
    inputs, states, arguments : list of str
        What is handed in: of every step, before the first, and once (parameters and what else the cell holds).
    outputs, new : list of str
        What comes out: of every step, and as the next state.
    arriving, carried : list of str
        The gradients that arrive from outside at the outputs, and from the step after at the new state.
    to_inputs, to_states, to_arguments : list of str or None
        The gradients that leave.
    totals : dict of str to str
        A name for the sum over all steps, and what is summed.
    varying : set of str
        What is handed in anew for each step.
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
        """What the program that runs forwards is for."""
        return [*self.outputs, *self.new]

    @property
    def backward_roots(self) -> list[str]:
        """What the program that runs backwards is for."""
        return [name for name in (*self.to_inputs, *self.to_states, *self.to_arguments, *self.totals.values()) if name is not None]

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a value, in one step."""
        return np.shape(self.writer.arrays[name])

    def dtype(self, name: str) -> np.dtype:
        """The dtype of a value."""
        return np.asarray(self.writer.arrays[name]).dtype

    def stage(self, name: str) -> Stage | None:
        """The stage of the line that makes a value; None if it is handed in."""
        return self.stages.get(name)


def written(traced: Traced, gradients: Gradients | None, arguments: list[Value]) -> Plan:
    """What was recorded, as lines. Of `arguments`, leaves that the step uses, the numbers are handed in."""
    w = Writer()
    inputs = [w.given(x, getattr(x, "name", None) or f"x{i}") for i, x in enumerate(traced.inputs)]
    states = [w.given(s, s.name or "h") for s in traced.states]
    names = [w.given(a, a.name or "w") for a in arguments]
    for value in traced.values:
        w.record(value)
    plan = Plan(w.lines, w, inputs, states, names, _named(w, traced.outputs), _named(w, traced.new))
    if gradients is not None:
        plan.arriving = [w.given(g, "g_output") for g in gradients.arriving]
        plan.carried = [w.given(g, g.name or "dh") for g in gradients.carried]
        totals = {value: w.given(stand_in, stand_in.name or "g") for value, stand_in in gradients.totals.items()}
        for value in gradients.values:
            w.record(value)
        plan.to_inputs = _named(w, gradients.to_inputs)
        plan.to_states = _named(w, gradients.to_states)
        plan.to_arguments = _named(w, [gradients.to_leaves.get(a) for a in arguments])
        plan.totals = {totals[value]: w.names[id(g.array)] for value, g in gradients.to_shared.items()}
    plan.lines = needed(w.lines, [*plan.forward_roots, *plan.backward_roots])
    return plan


def _named(w: Writer, values: list[Any]) -> list[Any]:
    return [None if value is None else w.ref(value, value.array) for value in values]


# -- stages ------------------------------------------------------------------------------------------


def place(plan: Plan) -> None:
    """Give every line its stage."""
    forwards = needed(plan.lines, plan.forward_roots)
    varying, carried, total = set(plan.inputs), set(plan.states), set(plan.totals)
    back_carried = set(plan.carried)
    arriving = set(plan.arriving)
    feeds = set(needed(plan.lines, plan.new))
    back_feeds = set(needed(plan.lines, [name for name in plan.to_states if name is not None]))
    plan.stages = {}
    steps = varying | carried | arriving | back_carried  # all that is another in each step
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
            before, loop, later, feeding = Stage.BACK_BEFORE, Stage.BACK_LOOP, Stage.BACK_AFTER, back_feeds
        if not depends and latest <= before and lifting:
            plan.stages[name] = before
        else:
            plan.stages[name] = loop if name in feeding or not lifting else later
        if depends:
            waits.add(name)
        steps.add(name)
    _no_loop_after_its_end(plan)


def _no_loop_after_its_end(plan: Plan) -> None:
    """What a loop needs cannot wait for its end: it moves into the loop."""
    for name, line in reversed(list(plan.lines.items())):
        for loop, later in ((Stage.LOOP, Stage.AFTER), (Stage.BACK_LOOP, Stage.BACK_AFTER)):
            if plan.stages[name] == loop:
                for use in line.uses:
                    if plan.stages.get(use) == later:
                        plan.stages[use] = loop


def lifts(plan: Plan, line: Line, steps: set[str]) -> bool:
    """Whether a line can work on all time steps at once. `steps` are the values that have a time axis then."""
    lifted = [arg in steps for arg in line.args]
    shapes = [plan.shape(arg) if isinstance(arg, str) else () for arg in line.args]
    if line.fn in UFUNCS:
        return True
    if line.fn in REDUCTIONS or line.fn in ("transpose", "reshape", "copy", "astype", "broadcast"):
        return True
    if line.fn == "index":
        index = line.settings["index"]
        return all(type(i) in (int, slice, type(None), type(...)) for i in (index if isinstance(index, tuple) else (index,)))
    if line.fn == "concatenate":
        return all(lifted)
    if line.fn == "dot":
        (a, b), (m, n) = lifted, map(len, shapes)
        return m == n if a and b else n <= m if a else m <= n
    return False


# -- passes ------------------------------------------------------------------------------------------


def one_for_all(plan: Plan) -> None:
    """A line that says the same as an earlier one is that one."""
    seen: dict[Any, str] = {}
    names: dict[str, str] = {}
    lines: dict[str, Line] = {}
    for name, line in plan.lines.items():
        line = replace(line, args=tuple(names.get(a, a) if isinstance(a, str) else a for a in line.args))
        args = tuple(sorted(line.args, key=repr)) if line.fn in ("add", "multiply") else line.args
        key = (line.fn, args, repr(line.settings)) if line.fn != "call" else name
        if key in seen:
            names[name] = seen[key]
        else:
            seen[key], lines[name] = name, line
    plan.lines = lines
    _rename(plan, names)


def _rename(plan: Plan, names: dict[str, str]) -> None:
    """Follow values to their new names, wherever the plan names them."""

    def new(name: str | None) -> str | None:
        while name in names:
            name = names[name]
        return name

    for field_ in ("outputs", "new", "to_inputs", "to_states", "to_arguments"):
        setattr(plan, field_, [new(name) for name in getattr(plan, field_)])
    plan.totals = {total: new(name) or name for total, name in plan.totals.items()}


def sums(plan: Plan) -> None:
    """In a sum of several terms, add first what does not wait: of ``x @ W + h @ U + b`` the product with x and the bias."""
    rank = _ranks(plan)
    uses: dict[str, int] = {}
    for line in plan.lines.values():
        for use in line.uses:
            uses[use] = uses.get(use, 0) + 1
    for root in (*plan.forward_roots, *plan.backward_roots):
        uses[root] = uses.get(root, 0) + 2
    lines: dict[str, Line] = {}
    inner = set()
    for line in plan.lines.values():
        if line.fn == "add":
            inner |= {u for u in line.uses if uses[u] == 1 and _is_term(plan, u, line)}
    for name, line in plan.lines.items():
        if name in inner:
            continue
        if line.fn != "add" or not inner & set(line.uses):
            lines[name] = line
            continue
        terms = _terms(plan, line, inner)
        ranked = sorted(range(len(terms)), key=lambda i: (rank.get(str(terms[i]), 0), i))
        total: Ref = terms[ranked[0]]
        for k, i in enumerate(ranked[1:]):
            last = k == len(ranked) - 2
            total = _written(plan, lines, "add", (total, terms[i]), name if last else None)
    plan.lines = lines


def _is_term(plan: Plan, use: str, line: Line) -> bool:
    """Whether a value is a sum within a sum; one that its author named stays as it is."""
    made = plan.lines.get(use)
    return made is not None and made.fn == "add" and plan.writer.temporary(use) and made.dtype == line.dtype


def _terms(plan: Plan, line: Line, inner: set[str]) -> list[Ref]:
    found: list[Ref] = []
    waiting: list[Ref] = list(reversed(line.args))
    while waiting:
        arg = waiting.pop()
        if isinstance(arg, str) and arg in inner:
            waiting.extend(reversed(plan.lines[arg].args))
        else:
            found.append(arg)
    return found


def _written(plan: Plan, lines: dict[str, Line], fn: str, args: tuple[Ref, ...], name: str | None, **settings: Any) -> str:
    """Add a new line, under `name` or one of its own."""
    made = plan.writer.write(fn, *args, **settings)
    line = plan.writer.lines[made]
    if name is not None:
        line = replace(line, name=name)
        plan.writer.arrays[name] = plan.writer.arrays[made]
    lines[line.name] = line
    return line.name


def _ranks(plan: Plan) -> dict[str, int]:
    """How long each value must wait: 0 for nothing, 1 for its step, 2 for the state or the gradient carried."""
    rank = {**dict.fromkeys((*plan.inputs, *plan.arriving), 1), **dict.fromkeys((*plan.states, *plan.carried), 2)}
    for name, line in plan.lines.items():
        rank[name] = max((rank.get(use, 0) for use in line.uses), default=0)
    return rank


def products_of_joined(plan: Plan) -> None:
    """``[x, h] @ W`` as ``x @ W[:n] + h @ W[n:]``, so that the part of x need not wait."""
    rank = _ranks(plan)
    lines: dict[str, Line] = {}
    for name, line in plan.lines.items():
        joined = plan.lines.get(str(line.args[0])) if line.fn == "dot" else None
        if joined is None or joined.fn != "concatenate" or joined.settings["axis"] != -1 or len(plan.shape(str(line.args[1]))) != 2:
            lines[name] = line
            continue
        if len({rank.get(str(arg), 0) for arg in joined.args}) == 1:
            lines[name] = line
            continue
        start, total = 0, None
        for k, arg in enumerate(joined.args):
            size = plan.shape(str(arg))[-1]
            part = _written(plan, lines, "index", (line.args[1],), None, index=slice(start, start + size))
            term = _written(plan, lines, "dot", (arg, part), None)
            last = k == len(joined.args) - 1
            total = term if total is None else _written(plan, lines, "add", (total, term), name if last else None)
            start += size
    plan.lines = needed(lines, [*plan.forward_roots, *plan.backward_roots])


def views_again(plan: Plan) -> None:
    """A view of what a loop makes costs nothing: a later stage takes its own, and only what is viewed is kept."""
    copies: dict[tuple[str, Stage], str] = {}
    lines: dict[str, Line] = {}

    def again(use: Ref, stage: Stage) -> Ref:
        line = plan.lines.get(use) if isinstance(use, str) else None
        if line is None or line.fn not in VIEWS or plan.stages[line.name] not in LOOPS or plan.stages[line.name] == stage:
            return use
        made = plan.stages[line.name]
        stage = Stage.BACK_AFTER if made == Stage.BACK_LOOP else Stage.AFTER if stage == Stage.AFTER else Stage.BACK_BEFORE
        key = (line.name, stage)
        if key not in copies:
            args = tuple(again(arg, stage) for arg in line.args)
            copies[key] = _written(plan, lines, line.fn, args, None, **line.settings)
            plan.stages[copies[key]] = stage
        return copies[key]

    for name, line in plan.lines.items():
        stage = plan.stages[name]
        lines[name] = replace(line, args=tuple(again(arg, stage) for arg in line.args))
    plan.lines = lines


def over_time(plan: Plan) -> None:
    """Sums over all steps: of products of matrices one product over all rows, of sums one sum."""
    last = {name: line for name, line in plan.lines.items() if plan.stages[name] == Stage.BACK_ONCE}
    for name in last:
        del plan.lines[name]
    for total, name in plan.totals.items():
        _total(plan, name, total)
    plan.lines.update(last)
    plan.totals = {}
    plan.lines = needed(plan.lines, [*plan.forward_roots, *plan.backward_roots])


def _total(plan: Plan, name: str, total: str | None = None) -> str:
    """Lines for the sum over all steps of a value, under the name `total`; returns the name."""

    def last(fn: str, *args: Ref, **settings: Any) -> str:
        made = _written(plan, plan.lines, fn, args, total, **settings)
        plan.stages[made] = Stage.BACK_ONCE
        return made

    line = plan.lines.get(name)
    if line is None or plan.stages[name] not in LIFTED:
        return last("sum_over_time", name, axis=())
    if line.fn == "add" and all(isinstance(a, str) and plan.shape(a) == line.shape and _in_step(plan, a) for a in line.args):
        return last("add", *(_total(plan, str(a)) for a in line.args))
    if line.fn in ("transpose", "reshape"):
        return last(line.fn, _total(plan, str(line.args[0])), **line.settings)
    if line.fn == "sum" and not line.settings["keepdims"]:
        return last("sum_over_time", line.args[0], axis=line.settings["axis"])
    if line.fn == "dot" and all(_in_step(plan, str(a)) and len(plan.shape(str(a))) == 2 for a in line.args):
        left = plan.lines.get(str(line.args[0]))
        if left is not None and left.fn == "transpose" and plan.stages[left.name] in LIFTED:
            return last("dot_over_time", left.args[0], line.args[1])
        return last("tensordot_over_time", *line.args)
    return last("sum_over_time", name, axis=())


def _in_step(plan: Plan, name: str) -> bool:
    """Whether a value is another in each step."""
    handed = name in (*plan.inputs, *plan.states, *plan.arriving, *plan.carried)
    return handed or plan.stages.get(name, Stage.ONCE) not in (Stage.ONCE, Stage.BACK_ONCE)
