"""The graph of a trace: Tensors whose arrays are stand-ins, and nodes with several results."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import StandIn
from ..graph import Node, Value, clock, context
from ..tensor import Tensor
from .instructions import Variable
from .traced import TracedArray


class Packed(StandIn):
    """Several arrays that pass through the graph as one: the results of a loop, or gradients.

    It stands for an array without axes, because the engine compares shapes and dtypes.
    """

    shape, dtype = (), np.dtype(float)
    __slots__ = ("parts",)

    def __init__(self, parts: dict[int, Any]):
        self.parts = parts

    def __add__(self, other: Packed) -> Packed:
        both = self.parts.keys() & other.parts.keys()
        joined = {**self.parts, **other.parts}
        return Packed(joined | {i: self.parts[i] + other.parts[i] for i in both})


class _PartOp:
    """The op of one result of a loop or of a compiled call."""

    name, variadic, inputs, has_all_rules = "part", False, ("results",), True
    formula = "{results}[{number}]"
    defaults: dict[str, Any] = {}  # noqa: RUF012
    rules_in_order = (lambda g, y, packed, number: Packed({number: g}),)

    def rule_text(self, name: str) -> str:
        """Return the derivative rule as listings show it."""
        return "g"


PART: Any = _PartOp()


def find_values_behind(roots: list[Value], begin: int = 0) -> set[Value]:
    """Return the values that the roots were computed from since the time `begin`, and the roots."""
    seen, waiting = set(roots), [*roots]
    while waiting:
        node = waiting.pop().node
        if node is None or node.index <= begin:
            continue
        inputs = node.inputs
        if node.op is PART:  # of all inputs of the loop, those that this result depends on
            inputs = inputs[0].node.op.find_inputs(node.params["number"])
        fresh = {x for x in inputs if isinstance(x, Value)} - seen
        seen |= fresh
        waiting += fresh
    return seen


def node_value(array: Any, op: Any, inputs: list[Any], params: dict[str, Any]) -> Tensor:
    """Return a tracked Tensor that an op of the trace made."""
    value = like(Tensor(0.0), array, True)
    node = value.node = Node()
    arrays = [getattr(x, "array", x) for x in inputs]
    node.op, node.inputs, node.arrays, node.params = op, inputs, arrays, params
    node.index, node.scope, node.used = next(clock), context.get()[1], 0
    return value


def like(value: Value, array: Any, tracked: bool) -> Any:
    """Return a leaf like `value` with another array."""
    seen = object.__new__(type(value))
    seen.array, seen.node, seen.changed, seen.tracked = array, None, 0, tracked
    seen._name, seen._grad = value.name, None  # type: ignore[attr-defined]
    return seen


def is_array(part: Any) -> bool:
    """Return True for a Tensor, an array, or what stands for an array."""
    return isinstance(getattr(part, "array", part), np.ndarray)


def is_free(y: Any, inner: set[Any], own: set[Any]) -> bool:
    """Return True for a result of a step that is a tracked Tensor from outside of the loop."""
    return isinstance(y, Value) and y.tracked and y not in inner and y not in own


def numbers_of(x: Any) -> Any:
    """Return the numbers of a Tensor, a stand-in or an array."""
    array = getattr(x, "array", x)
    return array.numbers if isinstance(array, TracedArray) else array


def name_of(x: Value) -> str:
    """Return the name of a Tensor of the trace, or else that of its variable."""
    return x.name or getattr(getattr(x.array, "variable", None), "name", "")


def variable_of(x: Any) -> Variable:
    """Return the variable of a Tensor of the trace or of a stand-in."""
    return getattr(x, "array", x).variable
