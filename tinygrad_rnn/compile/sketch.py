"""A program as a graph that can be drawn: one node for each instruction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..graph import Value, clock
from ..op import registry
from ..scope_part import ScopePart
from ..tensor import Tensor
from .instructions import Loop, Variable
from .ready_program import ReadyProgram
from .traced_graph import like, node_value

FORMULAS = {
    "index": "{a}[{index}]", "absolute": "|{a}|", "reciprocal": "1 / {a}", "steps": "{a} for all t",
    "step": "{a} at t", "carry": "{a} at first, then of the step before",
    "total": "Σ {a} over t",
    "last": "{a} of the last step",
}  # fmt: skip
"""The formulas of instructions that are no ops, and of what a loop reads and leaves behind."""


@dataclass
class Drawn:
    """The parts of an op that a drawing needs."""

    name: str
    formula: str
    inputs: tuple[str, ...]
    variadic: bool
    defaults: dict[str, Any] = field(default_factory=lambda: {"keepdims": False})


def sketch(ready: ReadyProgram, names: dict[Value, str]) -> Value:
    """Return a Tensor without numbers, whose graph shows the results and effects of a program.

    `names` are the full names of parameters. They are used where several have the same short name.
    """
    program = ready.forward.program
    known = dict(zip(ready.traced.program.inputs, ready.traced.sources, strict=True))
    values: dict[Variable, Value] = {}
    counts = Counter(x.name for x in program.inputs)
    for x in program.inputs:
        kind, what, *_ = known[x]
        values[x] = _leaf(x, kind == "tensor" and what.tracked)
        owned = names.get(what) if kind == "tensor" and counts[x.name] > 1 else None
        values[x].name = owned or x.name or "x"
    _sketch(program.lines, values, ())
    results = [values[y] for y in dict.fromkeys(program.outputs[: ready.count])]
    made = [y for y in results if y.node is not None]
    returned = Variable("", (), np.dtype(float))
    return made[0] if len(made) == 1 else _node(returned, "return", results, {}, ())


def _leaf(x: Variable, tracked: bool) -> Value:
    value = like(Tensor(0.0), np.broadcast_to(np.zeros((), x.dtype), x.shape), tracked)
    value.name = x.name or None
    return value


def _node(y: Variable, function: str, inputs: Iterable[Any], settings: Any, scope: Any) -> Value:
    """Return the value of an instruction, with a node whose op has the function's formula."""
    inputs, known = list(inputs), registry.get(function)
    formula = known.formula if known else FORMULAS.get(function, "")
    names = known.inputs if known else ("a",) if formula else ("inputs",)
    variadic = known.variadic if known else not formula
    if not variadic and len(names) != len(inputs):
        formula, names, variadic = "", ("inputs",), True
    op = Drawn(function, formula or f"{function}({{inputs}})", names, variadic)
    shown = [*[name for name in settings if f"{{{name}}}" in op.formula], "axis", "keepdims"]
    shown = {name: settings[name] for name in shown if name in settings}
    value = node_value(_leaf(y, True).array, op, inputs, shown)
    value.node.scope, value.name = scope, y.name or None
    return value


def _sketch(lines: list[Any], values: dict[Variable, Value], scope: Any) -> None:
    """Add the values of all lines; those of a loop are in the scope of its steps."""
    for line in lines:
        if not isinstance(line, Loop):
            inputs = [values[x] if isinstance(x, Variable) else x for x in line.args]
            name = getattr(line.settings.get("function"), "__name__", line.function)
            values[line.out] = _node(line.out, name.lstrip("_"), inputs, line.settings, scope)
            continue
        first, last = (line.steps - 1, 0) if line.reverse else (0, line.steps - 1)
        inner = (*scope, ScopePart("rolled", f"t = {first} … {last}", call=next(clock)))
        for x, whole in line.slices:
            values[x] = _node(x, "step", [values[whole]], {}, inner)
        for s in line.states:
            values[s.inside] = _node(s.inside, "carry", [values[s.start]], {}, inner)
        _sketch(line.body, values, inner)
        ends = [(s.next, s.last, "last") for s in line.states]
        ends += [(x, whole, "steps") for x, whole in line.stacks]
        ends += [(x, total, "total") for x, total in line.sums]
        for x, y, function in ends:
            values[y] = _node(y, function, [values[x]], {}, scope)
