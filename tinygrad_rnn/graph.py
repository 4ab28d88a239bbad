"""Values, and the nodes that record how they were made.

A `Value` holds an array. It is *tracked* if gradients flow back to it. If an op makes a value from
tracked values while recording is on, the value also holds a `Node`, which records the op and its
inputs. References point one way, from a result back to its inputs. So reference counting alone
frees a graph when no reference to its result is left.

Every node has an `index`; a node that is recorded later has a larger one. An op can only use values
that exist already, so sorting by `index` gives a topological order without recursion.

Other parts of the library see what a program does through its recorder. `Eager` lists the events.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from itertools import count
from operator import attrgetter
from typing import Any

import numpy as np

from .scope_part import Scope, format_scope

clock = count(1)
"""A counter that orders events: a new node, a replaced array, the start of a call or a scan."""


class Node:
    """One recorded application of an op, ``op(*inputs, **params)``: plain data, no maths.

    Attributes
    ----------
    op : Op
        The op that was applied.
    inputs : sequence
        Its array arguments in order: Values, and plain arrays or numbers for constants.
    arrays : list
        The arrays of the inputs when the op ran.
    params : dict
        The settings of the call (``axis``, ``keepdims``, …).
    index : int
        The `clock` when the op ran: a later node has a larger index.
    scope : tuple of ScopePart
        The place where the op ran: ``gru / t=3 / reset gate`` is in time step 3 of the module
        ``gru``.
    used : int
        0 until a backward pass uses the node; then 2, or 1 with ``retain_graph=True``, which
        allows another pass.
    """

    __slots__ = ("arrays", "index", "inputs", "op", "params", "scope", "used")

    op: Any  # an `Op`, not imported here because its module imports this one
    inputs: Sequence[Any]
    arrays: list[Any]
    params: dict[str, Any]
    index: int
    scope: Scope
    used: int

    def __repr__(self) -> str:
        where = format_scope(self.scope)
        return f"Node({self.op.name}, index={self.index}{', scope=' + where if where else ''})"


class Value:
    """An array, together with the node that made it. `Tensor` adds operators and methods.

    Attributes
    ----------
    array : numpy.ndarray
        The numbers.
    node : Node or None
        The node that made the value; None for a leaf.
    tracked : bool
        True if gradients flow back to the value.
    changed : int
        The `clock` when `array` was last replaced or `tracked` was turned on; 0 if neither has
        happened. A node that uses the value and has a smaller index ran before this change: with
        an older array, or before the value was tracked. The backward pass raises an error at
        such a node.
    grad : numpy.ndarray or None
        The gradient. Each `Tensor.backward` adds to it.
    name : str or None
        The name in drawings and messages.
    """

    __slots__ = ("__weakref__", "_grad", "_name", "array", "changed", "node", "tracked")

    _name: str | None
    array: np.ndarray
    node: Any  # a Node or None; Any because most callers know that it is a Node
    tracked: bool
    changed: int
    grad: Any  # a property of Tensor, as is the name
    name: Any

    __hash__ = object.__hash__  # as keys, two values are equal only if they are the same object


class Eager:
    """The recorder of plain execution: what happens at each event if nothing else is asked for.

    An event is a method. These are all the places in which other parts of the library can see, or
    change, what a program does.
    """

    def see(self, value: Value) -> Value:
        """Return the value to use in place of `value`."""
        return value

    def forward(self, op: Any) -> Callable[..., Any]:
        """Return the function that computes the result of an op from arrays."""
        return op.forward

    def record(self, op: Any, inputs: Any, arrays: Any, params: Any, out: Value) -> None:
        """An op ran: ``out`` is the result of ``op.forward(*arrays, **params)``."""

    def expect(self, condition: Any) -> bool:
        """Return a condition on numbers that almost always holds, such as a check of arguments."""
        return bool(condition)

    def allow(self, condition: Any) -> bool:
        """Return a condition that only saves work: the code after it is right in both cases."""
        return bool(condition)

    def gradient(self, value: Value) -> Any:
        """Return the gradient that a value has now, or None."""
        return value._grad

    def look(self, optimizer: Any, attribute: str) -> None:
        """An attribute of an optimizer is about to be read."""

    def change(self, value: Value, attribute: str) -> None:
        """An attribute of a value, other than its array and its gradient, is about to be set."""

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Any:
        """Return random numbers between 0 and 1."""
        return generator.random(shape)

    def call(self, module: Any, args: Any, kwargs: Any) -> Any:
        """Return the output of a module that is called."""
        return module.forward(*args, **kwargs)

    def scan(self, loop: Callable[..., Any], *arguments: Any) -> Any:
        """Return the result of a loop over time, ``loop(cell, inputs, state, reverse)``."""
        return loop(*arguments)

    def optimize(self, optimizer: Any) -> None:
        """Update the parameters of an optimizer."""
        optimizer._update_all()

    def visit(self, y: Value) -> None:
        """A backward pass has reached y: the rules of the op that made it are about to run."""

    def contribute(self, y: Value, x: Value, contribution: Any, total: Any) -> None:
        """The op of y has contributed to the gradient of its input x; `total` is the sum so far."""

    def accumulate(self, x: Value, total: np.ndarray) -> None:
        """The sum `total` is about to become the ``.grad`` of x."""

    def end_backward(self, order: list[Value]) -> None:
        """A backward pass is over, and its graph is used up unless it is retained."""


EAGER = Eager()

Context = tuple[bool, Scope, Any]
context: ContextVar[Context] = ContextVar("tinygrad_rnn", default=(True, (), EAGER))
"""True if ops are recorded as nodes, the current scope, and the recorder.

Each thread and async task has its own. The ``with`` blocks of `blocks` change it, `no_grad` for
example.
"""


def recorder() -> Any:
    """Return the recorder of this thread or async task."""
    return context.get()[2]


def see(value: Any) -> Any:
    """Return the value that the recorder puts in place of a Value, and anything else unchanged."""
    return context.get()[2].see(value) if isinstance(value, Value) else value


def unwrap(x: Any) -> Any:
    """Return the array of a Value, and anything else unchanged."""
    return context.get()[2].see(x).array if isinstance(x, Value) else x


def expect(condition: Any) -> bool:
    """Return a condition that almost always holds, such as a check of numbers."""
    return context.get()[2].expect(condition)


def allow(condition: Any) -> bool:
    """Return a condition that only saves work: the code after it is right in both cases."""
    return context.get()[2].allow(condition)


def toposort(root: Value) -> list[Value]:
    """Return `root` and the values that it was computed from, newest first, without the leaves."""
    seen = {root} if root.node else set()
    waiting = [value.node for value in seen]
    while waiting:
        for value in waiting.pop().inputs:
            if isinstance(value, Value) and value.node is not None and value not in seen:
                seen.add(value)
                waiting.append(value.node)
    return sorted(seen, key=attrgetter("node.index"), reverse=True)
