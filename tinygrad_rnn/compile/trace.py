"""One step of a cell, run and written down, forwards and backwards.

The cell runs once with stand-ins for its input and its state; what it did was recorded, as always. Then the engine's own sweep
goes back through the recording with stand-ins for the gradients that arrive, and that is recorded too: the gradient of one
step, as a graph over the same ops. Nothing here knows what a GRU is.

A second run, on other numbers, must record the same: what depends on numbers in another way than through ops, or on chance,
cannot be written down in advance.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import Any

import numpy as np

from ..backward import sweep
from ..draw.labels import node_of
from ..errors import NotCompilable, complaint
from ..graph import Value, history, onlooker, recorded
from ..notation import source
from ..op import Op, apply
from ..scan import alike, form, mapped
from ..tensor import Tensor

COMPARISONS = {
    operator.eq: "equal", operator.ne: "not_equal", operator.lt: "less", operator.le: "less_equal",
    operator.gt: "greater", operator.ge: "greater_equal",
}  # fmt: skip


SIGNS = {"equal": "=", "not_equal": "≠", "less": "<", "less_equal": "≤", "greater": ">", "greater_equal": "≥"}


@dataclass(slots=True)
class Traced:
    """What one step did.

    Attributes
    ----------
    inputs, states : list
        The stand-ins: x (a Tensor, or what is no float as a plain array) and the state, part by part.
    outputs, new : list of Value
        The parts of what the cell returned: its output, and its new state.
    output, state : structures of int
        How the parts are put together again.
    values : list of Value
        All that was recorded, oldest first.
    """

    inputs: list[Any]
    states: list[Any]
    outputs: list[Value]
    new: list[Value]
    output: Any
    state: Any
    values: list[Value]


@dataclass(slots=True)
class Gradients:
    """What flows back through one step, and once through what all steps share.

    Attributes
    ----------
    arriving, carried : list of Tensor
        Stand-ins for the gradients of the outputs, and for that of the new state.
    to_inputs, to_states : list
        The gradients of the stand-ins of a step; None where nothing flows.
    to_shared : dict of Value to Value
        The gradient, in one step, of each value that does not depend on the step: parameters, and what is made of them.
    totals : dict of Value to Tensor
        Stand-ins for the sums of these over all steps.
    to_leaves : dict of Value to Value
        The gradients of the leaves, made of the totals.
    values : list of Value
        All that was recorded on the way.
    """

    arriving: list[Tensor]
    carried: list[Tensor]
    to_inputs: list[Any] = field(default_factory=list)
    to_states: list[Any] = field(default_factory=list)
    to_shared: dict[Value, Value] = field(default_factory=dict)
    totals: dict[Value, Tensor] = field(default_factory=dict)
    to_leaves: dict[Value, Value] = field(default_factory=dict)
    values: list[Value] = field(default_factory=list)


def trace(name: str, cell: Callable[..., Any], inputs: list[Any], several: bool, state: Any, tensors: list[Value]) -> Traced:
    """Run `cell`, which holds `tensors`, on numbers like those of the first step, on their opposites and on large ones.

    Returns the first recording.

    Raises
    ------
    NotCompilable
        If the recordings differ, or the cell asks for numbers, or fails.
    """
    frozen = [t for t in tensors if not t.tracked and t.array.dtype.kind == "f"]
    with _LOCK:
        for t in frozen:  # so that what is made of them is recorded too, and follows when they change
            t.tracked = True
        try:
            first, *others = [_run(name, cell, inputs, several, state, shift) for shift in SHIFTS]
        finally:
            for t in frozen:
                t.tracked = False
    for other in others:
        _require_same(name, first, other)
    return first


_LOCK = Lock()
SHIFTS = ("like", "opposite", "large")


def _run(name: str, cell: Callable[..., Any], inputs: list[Any], several: bool, state: Any, shift: str) -> Traced:
    xs = [_stand_in(x[0], f"x{i}" if several else "x", shift) for i, x in enumerate(inputs)]
    old: list[Any] = []

    def replaced(part: Any) -> Any:
        if not isinstance(getattr(part, "array", part), np.ndarray):
            raise NotCompilable(refusal(name, "a state of arrays", form(state), "start from zeros, say"))
        old.append(_stand_in(part, f"{getattr(part, 'name', None) or 'h'}_prev", shift))
        return old[-1]

    stand_ins = mapped(replaced, state)
    with recorded(), seeing(partial(_recorded_comparison, name)), np.errstate(all="ignore"):
        try:
            result = cell(tuple(xs) if several else xs[0], stand_ins)
        except NotCompilable:
            raise
        except Exception as error:
            raise NotCompilable(refusal(name, "a cell that runs on stand-ins for its arguments", str(error), "see the message")) from error
    if not (isinstance(result, tuple) and len(result) == 2):
        raise NotCompilable(refusal(name, "a cell that returns (output, state)", form(result), "return h, h, say"))
    if not alike(stand_ins, result[1]):
        remedy = "start from a state as the cell returns it; a state is not broadcast"
        raise NotCompilable(refusal(name, f"a state as before the step, {form(stand_ins)}", form(result[1]), remedy))
    outputs, output = _parts(name, result[0])
    new, structure = _parts(name, result[1], stand_ins)
    values = sorted({v for root in (*outputs, *new) for v in history(root)}, key=lambda v: node_of(v).index)
    return Traced(xs, old, outputs, new, output, structure, values)


def _stand_in(x: Any, name: str, shift: str) -> Any:
    """An array like x to run the cell on, in a Tensor that is tracked if it is of floats; other numbers for each `shift`."""
    array = np.array(getattr(x, "array", x))
    if array.dtype.kind == "f":
        array = np.nan_to_num(array) + _other_numbers(array.shape)
        array = np.asarray({"like": array, "opposite": -array, "large": 30 * array}[shift], dtype=getattr(x, "dtype", None))
        return Tensor(array, requires_grad=True, name=name) if isinstance(x, Value) else array
    if shift != "like":
        array = ~array if array.dtype.kind == "b" else array.max(initial=0) - array + (1 if shift == "opposite" else 1000)
    return Tensor(array, name=name) if isinstance(x, Value) else array


def _other_numbers(shape: tuple[int, ...]) -> np.ndarray:
    """Numbers between 0.1 and 0.2, no two alike."""
    return 0.15 + 0.05 * np.sin(np.arange(np.prod(shape, dtype=int)) + 1.0).reshape(shape)


def _parts(name: str, structure: Any, like: Any = None) -> tuple[list[Value], Any]:
    """The Values of a structure, and the structure with their places in it: the order of those in `like`, if there is one."""
    found: list[Value] = []

    def add(*parts: Any) -> int:
        if not isinstance(parts[-1], Value):
            raise NotCompilable(refusal(name, "Tensors as output and state", form(parts[-1]), "return Tensors"))
        found.append(parts[-1])
        return len(found) - 1

    return found, mapped(add, structure) if like is None else mapped(add, like, structure)


# -- what a cell may not do --------------------------------------------------------------------------


def refusal(name: str, expected: str, got: str, remedy: str) -> str:
    """Why a cell cannot be compiled."""
    remedy += "; or compile(..., fallback=True), which runs it as it is"
    return complaint("compile", name, expected=expected, got=got, remedy=remedy)


@contextmanager
def seeing(watch: Callable[..., Any]) -> Any:
    """A block in which `watch` is called in place of what looks at numbers."""
    token = onlooker.set(watch)
    try:
        yield
    finally:
        onlooker.reset(token)


def _recorded_comparison(name: str, look: Callable[..., Any], t: Value, *others: Any) -> Any:
    """A comparison as a node, for masks are made so; whatever turns numbers into Python's is refused."""
    if look not in COMPARISONS and look in (Tensor.detach, np.asarray):
        remedy = "hand in with the input what gradients are not to reach, and numbers to be read"
        raise NotCompilable(refusal(name, "values that are only handed to ops", "one that was read, with .data or .detach()", remedy))
    if not any(isinstance(x, Value) and (x.tracked or x.node is not None) for x in (t, *others)):
        return look(t.array, *[getattr(x, "array", x) for x in others])
    if look not in COMPARISONS:
        remedy = "write it with ops: tg.where, tg.maximum, tg.relu"
        raise NotCompilable(refusal(name, "no look at the numbers, which differ from step to step", look.__name__, remedy))
    mask = apply(comparison(COMPARISONS[look]), (t, *others), {})
    mask.tracked = False  # nothing flows back to it
    return mask


def comparison(name: str) -> Op:
    """An op that compares; it has no derivative and is not in the registry."""
    function = getattr(np, name)

    def forward(a: Any, b: Any) -> Any:
        return function(a, b).astype(np.result_type(a, b))  # a float, for only that is recorded

    forward.__name__ = name
    made = Op(forward, f"{{a}} {SIGNS[name]} {{b}}")
    made.partial = False
    return made


def _require_same(name: str, first: Traced, second: Traced) -> None:
    """Refuse a cell whose two runs differ in more than the numbers of their arguments."""
    places: dict[Any, Any] = {}
    for ours, theirs in ((first.inputs, second.inputs), (first.states, second.states)):
        places.update((id(getattr(a, "array", a)), id(getattr(b, "array", b))) for a, b in zip(ours, theirs, strict=True))
    same = len(first.values) == len(second.values)
    for mine, other in zip(first.values, second.values, strict=False):
        a, b = node_of(mine), node_of(other)
        if not same or a.op.name != b.op.name or len(a.arrays) != len(b.arrays):
            raise NotCompilable(refusal(name, "the same ops whatever the numbers are", f"{a.op.name} once and {b.op.name} then", _PURE))
        places[id(mine.array)] = id(other.array)
        for p, q in zip(a.arrays, b.arrays, strict=True):
            if places.get(id(p)) != id(q) and not _equal(p, q):
                raise NotCompilable(refusal(name, f"constants that are the same in every run, in {a.op.name}", "two that differ", _PURE))
        if not _equal(a.params, b.params):
            raise NotCompilable(refusal(name, f"settings that are the same in every run, of {a.op.name}", "two that differ", _PURE))
    if not same:
        raise NotCompilable(refusal(name, "the same ops whatever the numbers are", "more of them in one run", _PURE))


_PURE = "draw random numbers outside, and hand them in with the input; let no value decide what is computed"


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[k], b[k]) for k in a)
    if isinstance(a, tuple | list):
        return isinstance(b, tuple | list) and len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return a is b or np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind == "f")
    return type(a) is type(b) and (a == b or a is b)


# -- backwards ---------------------------------------------------------------------------------------


def dependent(traced: Traced) -> set[Any]:
    """The values that depend on the step: on its input or on the state."""
    found: set[Any] = {id(x) for x in (*traced.inputs, *traced.states)}
    arrays = {id(x) for x in traced.inputs if isinstance(x, np.ndarray)}
    for value in traced.values:
        node = node_of(value)
        if any(id(x) in found or id(x) in arrays for x in node.inputs):
            found.add(id(value))
    return found


def differentiate(traced: Traced, wanted: Callable[[Value], bool]) -> Gradients:
    """The gradient of a step by the engine's own sweep, recorded; then, once, that of what all steps share.

    `wanted` says of a leaf whether its gradient is asked for. States always are.
    """
    found = Gradients([_seed(y, "g_output") for y in traced.outputs], [_seed(s, f"d{s.name or 'h'}_next") for s in traced.new])
    inside = dependent(traced)
    flowing = _flowing((*traced.outputs, *traced.new), traced.values)
    order = [value for value in flowing if id(value) in inside]
    shared = [value for value in flowing if id(value) not in inside]
    with recorded(), seeing(_refused_comparison), np.errstate(all="ignore"), _rules_as_nodes(traced.values):
        seeds: dict[Value, Any] = {}
        for y, g in zip((*traced.outputs, *traced.new), (*found.arriving, *found.carried), strict=True):
            seeds[y] = seeds[y] + g if y in seeds else g
        flows = {}
        inner = set(order)
        for value, g in sweep({y: g for y, g in seeds.items() if y.tracked}, order, record=True, interior=True):
            if value not in inner:
                flows[value] = g
            if value.name and g.name is None:
                g.name = f"d{value.name}"
        found.to_inputs = [flows.pop(x, None) if isinstance(x, Value) else None for x in traced.inputs]
        found.to_states = [flows.pop(s, None) for s in traced.states]
        asked = {leaf for leaf in flows if leaf.node is None and wanted(leaf)}
        asked |= {v for v in flows if v.node is not None and any(wanted(leaf) for leaf in _leaves(v))}
        found.to_shared = {value: g for value, g in flows.items() if value in asked}
        found.totals = {value: _seed(value, f"d{value.name}" if value.name else "g") for value in found.to_shared}
        leaves = dict(sweep(dict(found.totals), _flowing(found.totals, shared[::-1]), record=True))
        found.to_leaves = {leaf: g for leaf, g in leaves.items() if leaf.node is None and wanted(leaf)}
        for leaf, g in found.to_leaves.items():
            g.name = g.name or f"d{leaf.name or 'w'}"
        roots = [*found.to_inputs, *found.to_states, *found.to_shared.values(), *found.to_leaves.values()]
    values = {v for root in roots if root is not None for v in history(root)} - set(traced.values)
    found.values = sorted(values, key=lambda v: node_of(v).index)
    return found


def _flowing(roots: Iterable[Value], values: list[Value]) -> list[Value]:
    """Of `values`, oldest first, what the gradient of the roots comes through, newest first: not the masks, which nothing flows to."""
    reached = {y for y in roots if y.tracked}
    found = []
    for value in reversed(values):
        if value in reached:
            found.append(value)
            reached.update(x for x in node_of(value).inputs if isinstance(x, Value) and x.tracked)
    return found


def _leaves(value: Value) -> set[Value]:
    return {x for v in history(value) for x in node_of(v).inputs if isinstance(x, Value) and x.node is None and x.tracked}


def _seed(y: Value, name: str) -> Tensor:
    """A stand-in for the gradient of y."""
    array = _other_numbers(y.array.shape).astype(y.array.dtype)
    return Tensor(array, requires_grad=array.dtype.kind == "f", name=name)


class _Compared(Exception):
    """A rule compares numbers."""


def _refused_comparison(look: Callable[..., Any], t: Value, *others: Any) -> Any:
    raise _Compared


class _Rules:
    """Stands for an op while its rules are recorded: one that compares numbers becomes a node of its own."""

    def __init__(self, op: Op):
        self.name, self.variadic = op.name, op.variadic
        self.rules_in_order = op.rules_in_order if op.variadic else tuple(map(self._careful, op.rules_in_order))

    @staticmethod
    def _careful(rule: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **params: Any) -> Any:
            try:
                return rule(*args, **params)
            except _Compared:
                return apply(rule_op(rule), args, params)

        return run


def rule_op(rule: Callable[..., Any]) -> Op:
    """A rule as an op: its forward is what the rule computes of plain arrays."""

    def forward(*args: Any, **params: Any) -> Any:
        return rule(*args, **params)

    made = Op(forward, source(rule).replace("{", "{{").replace("}", "}}"))
    made.name, made.partial = "rule", False
    forward.__wrapped__ = rule  # type: ignore[attr-defined]
    return made


@contextmanager
def _rules_as_nodes(values: list[Value]) -> Any:
    """Inside, the nodes of `values` have rules that can be recorded."""
    ops = [(node_of(value), node_of(value).op) for value in values]
    stand_ins: dict[Op, Any] = {}
    try:
        for node, op in ops:
            node.op = stand_ins.setdefault(op, _Rules(op))
        yield
    finally:
        for node, op in ops:
            node.op = op
