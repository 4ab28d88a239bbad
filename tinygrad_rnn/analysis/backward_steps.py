"""Backpropagation step by step: the engine's own sweep, to watch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backward import SparseGrad, accumulate, backward_pass, densify
from ..graph import Scope, Value, format_scope, node_of, toposort
from ..tensor import Tensor, seed_cotangent
from .equations import format_equation
from .labels import escape_unprintable, format_constant, label_values

__all__ = ["Contribution", "Step", "backward_steps"]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one input of an op gets from it.

    Attributes
    ----------
    input : Tensor
    label : str
        What drawings call it.
    rule : str
        The source of the rule that ran: of ``g``, the gradient that came in, ``y``, the op's result, and its arguments.
    gradient : ndarray
        The contribution, of the input's shape and dtype.
    total : ndarray
        All contributions to the input so far, this one included.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> x = tg.Tensor(2.0, requires_grad=True, name="x")
    >>> step = next(tg.backward_steps(tg.tanh(x)))
    >>> [(c.label, c.rule, c.gradient.shape) for c in step.contributions]
    [('x', 'g * (1 - y * y)', ())]
    """

    input: Value
    label: str
    rule: str
    gradient: np.ndarray
    total: np.ndarray


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the backward pass: one op, with the gradient that arrived at its result.

    Attributes
    ----------
    number : int
        Which step this is, counted from 1.
    of : int
        How many there are.
    tensor : Tensor
        The op's result.
    equation : str
        What the op computed, as `Graph.text` writes it.
    scope : tuple of ScopePart
        Where it was recorded.
    gradient : ndarray
        The gradient of the loss with respect to `tensor`, now complete.
    contributions : tuple of Contribution
        What goes on to the inputs that are tracked.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> x = tg.Tensor(2.0, requires_grad=True, name="x")
    >>> step = next(tg.backward_steps(x * 3))
    >>> step.number, step.of, step.equation, step.gradient
    (1, 1, '#1 = x ⊙ 3', array(1., dtype=float32))
    """

    number: int
    of: int
    tensor: Value
    equation: str
    scope: Scope
    gradient: np.ndarray
    contributions: tuple[Contribution, ...]

    def __str__(self) -> str:
        place = escape_unprintable(format_scope(self.scope, "t = {}"))
        lines = [
            f"{self.number:>4} of {self.of}  {self.equation}" + (f"    [{place}]" if place else "")
        ]
        lines.append(f"      g arrives      {_shown(self.gradient)}")
        width = max((len(c.label) for c in self.contributions), default=0)
        for c in self.contributions:
            lines.append(f"      {c.label:<{width}}  gets  {c.rule}")
            lines.append(f"      {'':<{width}}     =  {_shown(c.gradient)}")
            if c.total is not c.gradient and not np.array_equal(
                c.total, c.gradient, equal_nan=True
            ):
                lines.append(f"      {'':<{width}}  so far  {_shown(c.total)}")
        return "\n".join(lines)


def backward_steps(loss: Tensor, gradient: Any = None) -> Iterator[Step]:
    """Run `loss.backward` one op at a time, in the engine's own order.

    It is the same sweep: when the loop has come to its end, every leaf has the ``.grad`` that ``loss.backward()`` would have
    left, bit for bit, and the graph is used. If the loop is left early, nothing has changed.

    Parameters
    ----------
    loss : Tensor
    gradient : array_like of its shape, optional
        What arrives at it; 1 for a tensor of one entry.

    Yields
    ------
    Step
        Print it to read it.

    Raises
    ------
    RuntimeError, ValueError
        As `Tensor.backward`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> w = tg.Tensor(2.0, requires_grad=True, name="w")
    >>> for step in tg.backward_steps(w * w + w):
    ...     print(step)
       1 of 2  #2 = #1 + w
          g arrives      1
          #1  gets  g
                 =  1
          w   gets  g
                 =  1
       2 of 2  #1 = w ⊙ w
          g arrives      1
          w  gets  g * b
                =  2
             so far  3
          w  gets  g * a
                =  2
             so far  5
    >>> w.grad
    array(5., dtype=float32)
    """
    start, order = seed_cotangent(loss, gradient, "backward_steps"), toposort(loss)
    labels = label_values(order[::-1])
    for number, value in enumerate(order[::-1], 1):
        labels.setdefault(value, f"#{number}")
    seen: list[tuple[Value, Value, Any, Any]] = []
    held: dict[Value, Any] = {}
    parts: dict[Value, list[SparseGrad]] = {}
    leaves: list[tuple[Value, Any]] = []
    waiting: tuple[Value, Any] | None = None
    number = 0

    def watch(y: Value, x: Value, flow: Any, total: Any) -> None:
        if isinstance(flow, SparseGrad):
            parts.setdefault(x, []).append(flow)
            total = densify(x, held.get(x), parts[x])
            flow = densify(x, None, [flow])
        else:
            held[x] = total
            total = densify(x, total, parts[x]) if x in parts else np.array(total)
        seen.append((y, x, np.array(flow), np.asarray(total)))

    def step() -> Step:
        y, g = waiting or (loss, start)
        found = tuple(_contributions(y, seen, labels))
        seen.clear()
        return Step(
            number, len(order), y, format_equation(y, labels), node_of(y).scope, np.array(g), found
        )

    for value, g in backward_pass({loss: start}, order, interior=True, watch=watch):
        if waiting is not None:
            yield step()
            waiting = None
        if value.node is None:
            leaves.append((value, g))
        else:
            waiting = (value, g)
            number += 1
    if waiting is not None:
        yield step()
    accumulate(leaves)
    for value in order:
        node_of(value).used = 2


def _contributions(
    y: Value, seen: list[tuple[Value, Value, Any, Any]], labels: dict[Value, str]
) -> Iterator[Contribution]:
    """What was seen of one op, with the rules that ran."""
    node = node_of(y)
    places = [i for i, x in enumerate(node.inputs) if isinstance(x, Value) and x.tracked]
    for i, (_, x, flow, total) in zip(places, seen, strict=True):
        name = node.op.inputs[0 if node.op.variadic else i]
        yield Contribution(
            x, labels.get(x) or format_constant(x.array), node.op.rule_text(name), flow, total
        )


def _shown(array: np.ndarray) -> str:
    """Small arrays in full, on one line; of larger ones the norm."""
    if array.size <= 8:
        return np.array2string(
            array, separator=" ", formatter={"float_kind": lambda x: f"{x + 0.0:.4g}"}
        ).replace("\n", "")
    return f"shape {array.shape}, norm {np.linalg.norm(array.astype(np.float64)):.4g}"
