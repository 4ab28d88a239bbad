"""A call of a program as one node of a graph, for gradients that arrive from outside of it."""

from __future__ import annotations

from typing import Any

from .. import tree
from ..backward import NO_GRADIENT, backward_pass
from ..blocks import enable_grad
from ..graph import Value, clock, toposort
from .arguments import replace
from .generators import at_positions
from .traced_function import Result
from .traced_graph import PART, Packed, node_value


class Call:
    """The op of one call, with what the backward pass needs.

    The call is one node, and each of its results is a node that takes it out. The gradients of
    gradients run the plain function again, on Tensors.
    """

    variadic, has_all_rules, inputs, defaults = True, True, ("inputs",), {}

    def __init__(self, ready: Any, args: Any, kwargs: Any, leaves: Any, positions: Any, saved: Any):
        self.ready, self.args, self.kwargs, self.leaves = ready, args, kwargs, leaves
        self.positions, self.saved = positions, saved
        self.name = ready.traced.title
        self.formula = f"{self.name}({{inputs}})"

    def __repr__(self) -> str:
        return f"<op {self.name}, compiled>"

    @property
    def rules_in_order(self) -> tuple[Any, ...]:
        """The rule. It is not stored, because the call and its method would refer to each other."""
        return (self.rule,)

    def rule_text(self, name: str) -> str:
        """Return the text that listings show as the rule: a call of the backward program."""
        return "backward(*saved, g)"

    def results(self, inputs: list[Value], values: Any) -> dict[int, Value]:
        """Return the results that have gradients, by their number among the outputs."""
        packed = node_value(Packed({}), self, inputs, {})
        found = {}
        for part in tree.leaves(self.ready.traced.structure):
            if isinstance(part, Result) and part.tracked:
                value = node_value(values[part.output], PART, [packed], {"number": part.output})
                value._name = part.name  # type: ignore[attr-defined]
                found[part.output] = value
        return found

    def rule(self, g: Packed, y: Any, *inputs: Any) -> list[Any]:
        """Return the gradients of the inputs, for the gradients `g` of the results."""
        if any(isinstance(part, Value) for part in g.parts.values()):
            found = self._differentiate_plainly(g.parts, inputs)
        else:
            found = self.ready.differentiate(self.saved, g.parts)
        return [NO_GRADIENT if part is None else part for part in found]

    def _differentiate_plainly(self, g: dict[int, Any], inputs: Any) -> list[Any]:
        """Return the gradients as Tensors with a graph, from a run of the plain function."""
        traced = self.ready.traced
        given = dict(zip(traced.leaves, inputs, strict=True))
        begin = next(clock)
        leaves = iter([given.get(("argument", i), x) for i, x in enumerate(self.leaves)])
        with enable_grad(), at_positions(traced.generators, self.positions):
            args, kwargs = replace(self.args, leaves), replace(self.kwargs, leaves)
            again = tree.leaves(self.ready.function(*args, **kwargs))
        seeds: dict[Value, Any] = {}
        for part, root in zip(tree.leaves(traced.structure), again, strict=True):
            if isinstance(part, Result) and part.output in g:
                seed = g[part.output]
                seeds[root] = seeds[root] + seed if root in seeds else seed
        order = {v for root in seeds for v in toposort(root) if v.node.index > begin}
        newest_first = sorted(order, key=lambda v: v.node.index, reverse=True)
        flows = dict(backward_pass(seeds, newest_first, record=True))
        return [flows.get(x) for x in inputs]
