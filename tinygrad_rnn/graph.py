"""Values, and the nodes that record how they were made.

A `Value` holds an array. It is *tracked* if gradients flow back to it. If an op makes a value from
tracked values while recording is on, the value also holds a `Node`, which records the op and its
inputs. References point one way, from a result back to its inputs. So reference counting alone
frees a graph when no reference to its result is left.

Every node has an `index`; a node that is recorded later has a larger one. An op can only use values
that exist already, so sorting by `index` gives a topological order without recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ContextDecorator
from contextvars import ContextVar
from itertools import count
from operator import attrgetter
from typing import Any, TypeVar

import numpy as np

from .errors import messages
from .scope_part import Scope, ScopePart, format_scope

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

    array: np.ndarray
    node: Any  # a Node or None; Any because most callers know that it is a Node
    tracked: bool
    changed: int
    grad: Any  # a property of Tensor, as is the name
    name: Any

    __hash__ = object.__hash__  # as keys, two values are equal only if they are the same object


def unwrap(x: Any) -> Any:
    """Return the array of a Value, and anything else unchanged."""
    return x.array if isinstance(x, Value) else x


IMMUTABLE = frozenset({int, float, bool, str, type(...), type(None)})
"""Immutable types: a setting, or an entry of an index, of these types needs no copy."""


context: ContextVar[tuple[bool, Scope]] = ContextVar("tinygrad_rnn", default=(True, ()))
"""A pair: True if ops are recorded, and the current scope. Each thread and task has its own."""

blocks: ContextVar[tuple[tuple[bool, Scope], ...]] = ContextVar("tinygrad_rnn.blocks", default=())
"""The value of `context` before each open `Block`, the innermost last."""

read_hook: ContextVar[Callable[[Callable[..., Any], Value, Any], Any] | None] = ContextVar(
    "tinygrad_rnn.read_hook", default=None
)
"""If set, the function to call in place of each read of values (a comparison, `item`, `.data`).

`tg.compile` uses it to detect code that depends on data.
"""


def read(look: Callable[..., Any], value: Value, *others: Any) -> Any:
    """Return what `look` reads from the arrays of the values: a plain array or a Python number."""
    hook = read_hook.get()
    return hook(look, value, *others) if hook else look(value.array, *map(unwrap, others))


observers: list[Any] = []
"""A list of objects to notify of every op and backward pass. It is empty outside of `tg.debug`."""


def notify(event: str, *what: Any) -> None:
    """Call the method `event` of every observer."""
    for observer in observers:
        getattr(observer, event)(*what)


Function = TypeVar("Function", bound=Callable[..., Any])


class Block(ContextDecorator):
    """A context manager and decorator that changes `context` while its block runs."""

    def __init__(self, name: str, change: Callable[[bool, Scope], tuple[bool, Scope]]):
        self.name, self.change = name, change

    def __enter__(self) -> None:
        blocks.set((*blocks.get(), context.get()))
        context.set(self.change(*context.get()))

    def __exit__(self, *error: object) -> None:
        context.set(blocks.get()[-1])
        blocks.set(blocks.get()[:-1])

    def __call__(self, func: Function) -> Function:
        messages.runs_at_once(self.name, func)
        return super().__call__(func)

    def __repr__(self) -> str:
        return self.name


def no_grad() -> Block:
    """Turn recording off for a block or a decorated function, so that results have no graph.

    This affects the current thread or async task only. It ends with the block, even if the block
    raises an error.

    Returns
    -------
    context manager and decorator

    Raises
    ------
    TypeError
        If it decorates a generator or an async function, whose body runs after the call.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """
    return Block("no_grad()", lambda recording, here: (False, here))


def enable_grad() -> Block:
    """Turn recording on in a block, even inside of `no_grad`, so that its results have a graph."""
    return Block("enable_grad()", lambda recording, here: (True, here))


def scope(*parts: str | int) -> Block:
    """Record the nodes of a block under names (str) and time steps (int) in the current scope.

    Parameters
    ----------
    *parts : str or int
        The names and time steps, the outermost first.

    Returns
    -------
    context manager and decorator

    Raises
    ------
    TypeError
        If a part is neither a str nor an int.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.scope("encoder", 0):
    ...     y = x * 2
    >>> [str(part) for part in y.node.scope]
    ['encoder', 't=0']
    """
    for i, part in enumerate(parts):
        kinds = () if isinstance(part, bool) else (str, int, np.integer)
        expected, fix = "a name (str) or a time step (int)", "use str(...) or int(...) on the part"
        messages.instance("scope", f"parts[{i}]", part, kinds, expected, fix)
    inner = tuple([ScopePart.of(part) for part in parts])
    return Block("scope(...)", lambda recording, here: (recording, here + inner))


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
