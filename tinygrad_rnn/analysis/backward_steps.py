"""Backpropagation one op at a time: the engine's own backward pass, paused after each op."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backward import SparseGrad, accumulate, backward_pass, densify
from ..errors import messages
from ..graph import Value, toposort
from ..nn.html_table import html_table
from ..scope_part import Scope, format_scope
from ..tensor import Tensor
from .expressions import format_equation
from .labels import escape_unprintable, format_constant, label_values
from .row_norms import row_norms
from .rules import LEGEND, format_rule

__all__ = ["Contribution", "Step", "backward_steps"]


@dataclass(frozen=True, slots=True, repr=False)
class Contribution:
    """The contribution of one op to the gradient of one of its inputs.

    Attributes
    ----------
    input : Tensor
        The input.
    label : str
        The name of the input in equations, for example ``h₁``, or ``#2`` for an unnamed result.
    rule : str
        The rule that ran, as a formula. In it, ``g`` is the gradient of the op's result, ``y`` is
        that result, and ``a``, ``b``, … are the inputs of the op.
    gradient : ndarray
        The contribution, in the shape and dtype of the input.
    total : ndarray
        The sum of all contributions to the input so far, this one included.
    source : str
        The source of the rule.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> x = tg.Tensor(2.0, requires_grad=True, name="x")
    >>> step = next(tg.backward_steps(tg.tanh(x)))
    >>> [(c.label, c.rule, c.source) for c in step.contributions]
    [('x', 'g · (1 − y²)', 'g * (1 - y * y)')]
    """

    input: Value
    label: str
    rule: str
    gradient: np.ndarray
    total: np.ndarray
    source: str

    @property
    def _is_first(self) -> bool:
        """True if the gradient of the input was absent or 0 before this contribution."""
        return np.array_equal(self.total, self.gradient, equal_nan=True)

    def __repr__(self) -> str:
        return f"<{self.label} gets {self.rule} = {_format_array(self.gradient)}>"


@dataclass(frozen=True, slots=True, repr=False)
class Step:
    """One step of the backward pass: one op, with the gradient of its result.

    Attributes
    ----------
    number : int
        The number of this step, counted from 1.
    of : int
        The total number of steps.
    tensor : Tensor
        The op's result.
    equation : str
        The op as an equation. Results without a name are numbered: ``#1``, ``#2``, ….
    scope : tuple of ScopePart
        The scope in which the op was recorded.
    gradient : ndarray
        The complete gradient of the loss with respect to `tensor`.
    contributions : tuple of Contribution
        The contributions to the inputs that require gradients.

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

    def _title(self) -> str:
        """Return the number of the step, its equation and its scope."""
        scope = escape_unprintable(format_scope(self.scope, "t = {}"))
        return f"{self.number} of {self.of}  {self.equation}" + (scope and f"    [{scope}]")

    def __repr__(self) -> str:
        number = f"{self.number} of {self.of}"
        return f"<step {number}: {self.equation}, g = {_format_array(self.gradient)}>"

    def _repr_html_(self) -> str:
        rows = []
        for c in self.contributions:
            so_far = "" if c._is_first else _format_array(c.total)
            rows.append([c.label, c.rule, _format_array(c.gradient), so_far])
        arrived = f"g = {_format_array(self.gradient)} arrives"
        header = ["input", "gets", "which is", "so far"]
        legend = f"{LEGEND}\n" if self.number == 1 else ""
        return html_table(header, rows, title=f"{legend}{self._title()}\n{arrived}")

    def __str__(self) -> str:
        lines = [*LEGEND.split("\n"), ""] if self.number == 1 else []
        lines.append(" " * (4 - len(str(self.number))) + self._title())
        lines.append(f"      g arrives      {_format_array(self.gradient)}")
        width = max((len(c.label) for c in self.contributions), default=0)
        for c in self.contributions:
            lines.append(f"      {c.label:<{width}}  gets  {c.rule}")
            lines.append(f"      {'':<{width}}     =  {_format_array(c.gradient)}")
            if not c._is_first:
                lines.append(f"      {'':<{width}}  so far  {_format_array(c.total)}")
        return "\n".join(lines)


def backward_steps(loss: Tensor, gradient: Any = None) -> Iterator[Step]:
    """Run ``loss.backward()`` one op at a time, in the engine's order.

    After the last step, every leaf and every result has the same ``.grad``, bit for bit, as after
    ``loss.backward(retain_grads=True)``. So ``tg.graph(loss, show="value,grad")`` shows the
    gradients of the steps. No other backward pass can use the graph. If you stop the loop earlier,
    no ``.grad`` changes and the graph can still be used.

    Parameters
    ----------
    loss : Tensor
        The result to differentiate.
    gradient : array_like of the shape of `loss`, optional
        The gradient to start from (the cotangent of `loss`). You may omit it if `loss` has one
        entry; it is then 1.

    Yields
    ------
    Step
        One step for each op. ``print(step)`` explains it. The first one explains the letters in
        rules too.

    Raises
    ------
    RuntimeError, ValueError
        In the same cases as `Tensor.backward`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> w = tg.Tensor(2.0, requires_grad=True, name="w")
    >>> for step in tg.backward_steps(w * w + w):
    ...     print(step)
    g: the gradient of the result, y: the result, a, b, …: the inputs of the op
    from left to right; products are entry by entry, and @ is the matrix product
    <BLANKLINE>
       1 of 2  #2 = #1 + w
          g arrives      1
          #1  gets  g
                 =  1
          w   gets  g
                 =  1
       2 of 2  #1 = w ⊙ w
          g arrives      1
          w  gets  g · b
                =  2
             so far  3
          w  gets  g · a
                =  2
             so far  5
    >>> w.grad
    array(5., dtype=float32)
    """
    start, order = messages.check_seed("backward_steps", loss, gradient), toposort(loss)
    labels = label_values(order[::-1], numbered=True)
    collector = _Collector()
    arrivals = backward_pass({loss: start}, order, interior=True, watch=collector.collect)
    arrived: Any = next(arrivals)
    complete: list[tuple[Value, Any]] = []
    for number, y in enumerate(order, 1):
        _, g = arrived
        complete.append(arrived)
        arrived = next(arrivals, None)  # runs the rules of the op that made y
        contributions = tuple(collector.take(y, labels))
        equation, scope = format_equation(y, labels), y.node.scope
        yield Step(number, len(order), y, equation, scope, _as_array(g), contributions)
    accumulate([*complete, arrived, *arrivals] if arrived else [])
    for value in order:
        value.node.used = 2


class _Collector:
    """Collects the contributions of an op, each with the running total for its input."""

    def __init__(self) -> None:
        self.collected: list[tuple[Value, np.ndarray, np.ndarray]] = []
        self.dense: dict[Value, Any] = {}
        self.sparse: dict[Value, list[SparseGrad]] = {}

    def collect(self, y: Value, x: Value, contribution: Any, total: Any) -> None:
        """Store copies of a contribution to `x` and of the running total for `x`.

        `backward_pass` calls this method, its argument `watch`, after each contribution.
        """
        if isinstance(contribution, SparseGrad):
            self.sparse.setdefault(x, []).append(contribution)
            contribution = densify(x, None, [contribution])
            total = densify(x, self.dense.get(x), self.sparse[x])
        else:
            self.dense[x] = total
            total = densify(x, total, self.sparse[x]) if x in self.sparse else _as_array(total)
        self.collected.append((x, _as_array(contribution), np.asarray(total)))

    def take(self, y: Value, labels: dict[Value, str]) -> Iterator[Contribution]:
        """Yield the contributions collected since the last call, then clear them.

        All of them are contributions of the op that made `y`.
        """
        node = y.node
        tracked = [i for i, x in enumerate(node.inputs) if isinstance(x, Value) and x.tracked]
        for i, (x, contribution, total) in zip(tracked, self.collected, strict=True):
            source = node.op.rule_text(node.op.inputs[0 if node.op.variadic else i])
            label = labels.get(x) or format_constant(x)
            yield Contribution(x, label, format_rule(y, i), contribution, total, source)
        self.collected.clear()


def _as_array(g: Any) -> np.ndarray:
    """Return a copy of a gradient. The gradients of several results of a call are joined."""
    parts = getattr(g, "parts", None)
    return np.array(g) if parts is None else np.concatenate([np.ravel(p) for p in parts.values()])


def _format_array(array: np.ndarray) -> str:
    """Return the text of a small array on one line, or the shape and norm of a larger one."""
    if array.size <= 8:
        text = np.array2string(
            array, separator=" ", formatter={"float_kind": lambda x: f"{x + 0.0:.4g}"}
        )
        return text.replace("\n", "")
    return f"shape {array.shape}, norm {row_norms(array[None])[0]:.4g}"
