"""Differentiation of one recorded step of a cell.

The engine's own backward pass runs over the recording of a step, with stand-ins for the gradients
that arrive. It is recorded too: the gradient of one step is a graph of the same ops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..backward import backward_pass
from ..graph import Value, enable_grad, toposort
from ..op import Op, apply, rule_source
from ..tensor import Tensor
from .trace import Traced, other_numbers, seeing


@dataclass(slots=True)
class Gradients:
    """The gradients of one step, and of the computation that all steps share.

    Attributes
    ----------
    arriving, carried : list of Tensor
        Stand-ins for the gradients of the outputs, and for those of the new state.
    to_inputs, to_states : list
        The gradients of the inputs and states of a step; None where there is no gradient.
    to_shared : dict of Value to Value
        The gradient, in one step, of each value that does not depend on the step: parameters,
        and values computed from parameters alone.
    totals : dict of Value to Tensor
        Stand-ins for the sums of these over all steps.
    to_leaves : dict of Value to Value
        The gradients of the leaves, computed from the totals.
    values : list of Value
        All values that were recorded.
    """

    arriving: list[Tensor]
    carried: list[Tensor]
    to_inputs: list[Any] = field(default_factory=list)
    to_states: list[Any] = field(default_factory=list)
    to_shared: dict[Value, Value] = field(default_factory=dict)
    totals: dict[Value, Tensor] = field(default_factory=dict)
    to_leaves: dict[Value, Value] = field(default_factory=dict)
    values: list[Value] = field(default_factory=list)


def dependent(traced: Traced) -> set[Any]:
    """Return the ids of the values that depend on the step: on its input or on the state."""
    found: set[Any] = {id(x) for x in (*traced.inputs, *traced.states)}
    arrays = {id(x) for x in traced.inputs if isinstance(x, np.ndarray)}
    for value in traced.values:
        node = value.node
        if any(id(x) in found or id(x) in arrays for x in node.inputs):
            found.add(id(value))
    return found


def differentiate(traced: Traced, wanted: Callable[[Value], bool]) -> Gradients:
    """Record the backward pass of a step, and once that of the computation all steps share.

    ``wanted(leaf)`` is True for the leaves whose gradients are needed. Those of states always are.
    """
    found = Gradients(
        [_seed(y, "g_output") for y in traced.outputs],
        [_seed(s, f"d{s.name or 'h'}_next") for s in traced.new],
    )
    inside = dependent(traced)
    flowing = _flowing((*traced.outputs, *traced.new), traced.values)
    order = [value for value in flowing if id(value) in inside]
    shared = [value for value in flowing if id(value) not in inside]
    with (
        enable_grad(),
        seeing(_refused_comparison),
        np.errstate(all="ignore"),
        _rules_as_nodes(traced.values),
    ):
        seeds: dict[Value, Any] = {}
        for y, g in zip(
            (*traced.outputs, *traced.new), (*found.arriving, *found.carried), strict=True
        ):
            seeds[y] = seeds[y] + g if y in seeds else g
        flows = {}
        inner = set(order)
        for value, g in backward_pass(
            {y: g for y, g in seeds.items() if y.tracked}, order, record=True, interior=True
        ):
            if value not in inner:
                flows[value] = g
            if value.name and g.name is None:
                g.name = f"d{value.name}"
        found.to_inputs = [
            flows.pop(x, None) if isinstance(x, Value) else None for x in traced.inputs
        ]
        found.to_states = [flows.pop(s, None) for s in traced.states]
        asked = {leaf for leaf in flows if leaf.node is None and wanted(leaf)}
        asked |= {
            v for v in flows if v.node is not None and any(wanted(leaf) for leaf in _leaves(v))
        }
        found.to_shared = {value: g for value, g in flows.items() if value in asked}
        found.totals = {
            value: _seed(value, f"d{value.name}" if value.name else "g")
            for value in found.to_shared
        }
        leaves = dict(
            backward_pass(dict(found.totals), _flowing(found.totals, shared[::-1]), record=True)
        )
        found.to_leaves = {
            leaf: g for leaf, g in leaves.items() if leaf.node is None and wanted(leaf)
        }
        for leaf, g in found.to_leaves.items():
            g.name = g.name or f"d{leaf.name or 'w'}"
        roots = [
            *found.to_inputs,
            *found.to_states,
            *found.to_shared.values(),
            *found.to_leaves.values(),
        ]
    values = {v for root in roots if root is not None for v in toposort(root)} - set(traced.values)
    found.values = sorted(values, key=lambda v: v.node.index)
    return found


def _flowing(roots: Iterable[Value], values: list[Value]) -> list[Value]:
    """Return those of `values` (oldest first) that the gradient of the roots reaches, newest first.

    Masks are not among them, because they get no gradient.
    """
    reached = {y for y in roots if y.tracked}
    found = []
    for value in reversed(values):
        if value in reached:
            found.append(value)
            reached.update(x for x in value.node.inputs if isinstance(x, Value) and x.tracked)
    return found


def _leaves(value: Value) -> set[Value]:
    return {
        x
        for v in toposort(value)
        for x in v.node.inputs
        if isinstance(x, Value) and x.node is None and x.tracked
    }


def _seed(y: Value, name: str) -> Tensor:
    """Return a stand-in for the gradient of y."""
    array = other_numbers(y.array.shape).astype(y.array.dtype)
    return Tensor(array, requires_grad=array.dtype.kind == "f", name=name)


class _Compared(Exception):
    """Raised when a rule compares the values of Tensors."""


def _refused_comparison(look: Callable[..., Any], t: Value, *others: Any) -> Any:
    raise _Compared


class _Rules:
    """Stand-in for an op whose rules are recorded: a rule that compares values becomes a node."""

    def __init__(self, op: Op):
        self.name, self.variadic = op.name, op.variadic
        self.rules_in_order = tuple(map(self._careful, op.rules_in_order))

    @staticmethod
    def _careful(rule: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **params: Any) -> Any:
            args = tuple(map(_noticed, args))
            try:
                return rule(*args, **params)
            except _Compared:
                return apply(rule_op(rule), args, params)

        return run


def _noticed(x: Any) -> Any:
    """Return x, or a tracked copy of it if it is untracked, so that ops on it are recorded.

    Integers, masks and frozen parameters are untracked.
    """
    if not (isinstance(x, Value) and not x.tracked) and not (isinstance(x, np.ndarray) and x.ndim):
        return x
    twin = Tensor(0.0, name=getattr(x, "name", None))
    twin.array, twin.tracked = x.array if isinstance(x, Value) else x, True
    return twin


def rule_op(rule: Callable[..., Any]) -> Op:
    """Return an op whose forward applies a rule to plain arrays."""

    def forward(*args: Any, **params: Any) -> Any:
        return rule(*args, **params)

    made = Op(forward, rule_source(rule).replace("{", "{{").replace("}", "}}"))
    made.name, made.has_all_rules = "rule", True
    forward.__wrapped__ = rule  # type: ignore[attr-defined]
    return made


@contextmanager
def _rules_as_nodes(values: list[Value]) -> Any:
    """Give the nodes of `values` rules that can be recorded, inside the block."""
    ops = [(value.node, value.node.op) for value in values]
    stand_ins: dict[Op, Any] = {}
    try:
        for node, op in ops:
            node.op = stand_ins.setdefault(op, _Rules(op))
        yield
    finally:
        for node, op in ops:
            node.op = op
