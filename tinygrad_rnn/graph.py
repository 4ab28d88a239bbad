"""What is recorded while a program runs: values, and the nodes that made them.

A `Value` holds an array and, if an op made it from values that are tracked, the `Node` that says
how. A `Node` holds its inputs. So references point one way, from a result back to what it was
made from, and a graph is freed, by reference counting alone, when its last value goes.

Every node carries the moment at which it was recorded (`index`). An op can only use values that
exist already, so sorting by `index` is a topological order, and no graph is ever walked recursively.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

from .errors import argument_error

if TYPE_CHECKING:
    from .op import Op

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class ScopePart:
    """One part of the place where a node was recorded.

    Parts of two calls, or of two scans, differ in `call`. `analysis.scopes.resolve_scopes` replaces
    modules and times by ordinals that a person can read.

    Attributes
    ----------
    kind : str
        ``"name"`` (given to `scope`), ``"call"`` (of a module), ``"step"`` (a time step), or
        ``"gradient"`` (the gradient of what was recorded in the scope around this part).
        Resolved scopes hold ``"module"`` for a call, and ``"loop"`` for a second scan in one scope.
        Drawings add ``"terms"`` (a named result with its unnamed terms), ``"steps"`` (left out)
        and ``"rolled"`` (one step for all).
    name : str
        The name of the scope or the module; empty for a time step.
    index : int
        The number of a time step; the `id` of the module in a ``"call"``; the ordinal of a
        ``"module"`` among those of its name.
    call : int
        The `clock` when the call or the scan began; its ordinal once it is resolved.
    """

    kind: str
    name: str = ""
    index: int = 0
    call: int = 0

    @property
    def is_step(self) -> bool:
        """Whether this is a time step, or stands for several that are left out."""
        return self.kind in ("step", "steps")

    def format(self, step: str = "t={}") -> str:
        """Return ``gru``, ``gru (2), call 3`` or ``t=3``; `step` is the template of a time step."""
        if self.is_step:
            return step.format(self.index)
        if self.kind not in ("module", "loop"):
            return self.name
        other = f" ({self.index})" if self.index > 1 else ""
        what = "scan" if self.kind == "loop" else "call"
        return f"{self.name}{other}" + (f", {what} {self.call}" if self.call > 1 else "")

    __str__ = format


Scope = tuple[ScopePart, ...]
"""Where a node was recorded, outermost part first."""


def format_scope(scope: Scope, step: str = "t={}", separator: str = " / ") -> str:
    """Return the parts of a scope in one line: ``gru / t=3``."""
    return separator.join([part.format(step) for part in scope])


clock = count(1)
"""One tick for every node recorded and every array replaced: what happened before what."""


class Node:
    """One recorded application of an op: ``op(*inputs, **params)``. Plain data, no maths.

    Attributes
    ----------
    op : Op
        What was applied.
    inputs : tuple
        Its array arguments in order: Values, and plain arrays or numbers for constants.
    arrays : list
        The numbers that these held when the op ran.
    params : dict
        Its settings (``axis``, ``keepdims``, …).
    index : int
        When: a later node has a larger index.
    scope : tuple of ScopePart
        Where: ``gru / t=3 / reset gate`` is in time step 3 of the module ``gru``.
    used : int
        0 until a backward pass goes through it; then 1 if that was with ``retain_graph=True``, so that another one may, else 2.
    """

    __slots__ = ("arrays", "index", "inputs", "op", "params", "scope", "used")

    op: Op
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
    """An array on its way through a program; `Tensor` is this with operators.

    Attributes
    ----------
    array : numpy.ndarray
        The numbers.
    node : Node or None
        The node that made it; None for a leaf.
    tracked : bool
        Whether gradients flow back to it.
    changed : int
        When `array` was last replaced by another, or `tracked` turned on; 0 if never. A node older than this used the old
        numbers, or what was made of this value before was not recorded: its derivative can no longer be taken.
    grad : numpy.ndarray or None
        Where `Tensor.backward` accumulates the gradient.
    name : str or None
        What people call it.
    """

    __slots__ = ("__weakref__", "array", "changed", "grad", "name", "node", "tracked")

    array: np.ndarray
    node: Node | None
    tracked: bool
    changed: int
    grad: np.ndarray | None
    name: str | None

    # Two values are the same key only if they are the same object.
    __hash__ = object.__hash__


def unwrap(x: Any) -> Any:
    """Return the array of a Value, and anything else unchanged."""
    return x.array if isinstance(x, Value) else x


IMMUTABLE = frozenset({int, float, bool, str, slice, type(...), type(None)})
"""Types of settings, and of entries of an index, that nobody can write to."""


def frozen_copy(setting: Any) -> Any:
    """A setting as a node keeps it: of arrays copies, for who called may write to theirs before the way back."""
    if isinstance(setting, np.ndarray):
        return np.array(setting)
    if type(setting) in (tuple, list):
        return type(setting)(map(frozen_copy, setting))
    if isinstance(setting, Value) and not setting.tracked:
        copy = object.__new__(type(setting))
        copy.array, copy.node, copy.tracked, copy.changed = np.array(setting.array), None, False, 0
        copy.grad, copy.name = None, setting.name
        return copy
    return setting


def frozen_index(index: Any) -> Any:
    """An index without Tensors and lists in it, and of arrays copies: what NumPy takes, and nobody writes to afterwards."""
    if type(index) in IMMUTABLE:
        return index
    if isinstance(index, tuple):
        return tuple([frozen_index(i) for i in index])
    if isinstance(index, list):
        return np.array(index, dtype=None if index else np.intp)
    return frozen_copy(index.array if isinstance(index, Value) else index)


context: ContextVar[tuple[bool, Scope]] = ContextVar("tinygrad_rnn", default=(True, ()))
"""Whether ops are recorded, and under which scope. Each thread and each async task has its own."""

outer: ContextVar[tuple[tuple[bool, Scope], ...]] = ContextVar("tinygrad_rnn.outer", default=())
"""What `context` was before each block that is open here, the innermost last."""


read_hook: ContextVar[Callable[[Callable[..., Any], Value, Any], Any] | None] = ContextVar(
    "tinygrad_rnn.onlooker", default=None
)
"""What is called in place of a function that compares or reads numbers, if anything: for who must know what a program looks at."""


def read(look: Callable[..., Any], value: Value, *others: Any) -> Any:
    """What `look` finds in the numbers of `value` and others: a plain array, or a Python number."""
    watch = read_hook.get()
    if watch is not None:
        return watch(look, value, *others)
    return look(value.array, *[x.array if isinstance(x, Value) else x for x in others])


observers: list[Any] = []
"""Who is told of every op that ran and of every backward pass: nobody, but in a block of `tinygrad_rnn.debug`."""


def notify(event: str, *what: Any) -> None:
    """Tell the watchers."""
    for watcher in observers:
        getattr(watcher, event)(*what)


def require_done_at_return(block: str, function: Callable[..., Any]) -> None:
    """Refuse to put a block around a function whose body runs after the call has returned, when the block has ended."""
    if (
        isgeneratorfunction(function)
        or iscoroutinefunction(function)
        or isasyncgenfunction(function)
    ):
        raise argument_error(
            block.partition("(")[0],
            "function",
            expected="one that has done its work when it returns",
            got=f"the generator or async function {getattr(function, '__name__', repr(function))}",
            fix=f"use `with tg.{block}:` inside, around what computes and not around a yield",
            kind=TypeError,
        )


class Block:
    """What `no_grad` and `scope` return: a ``with`` block, or by decoration a function, inside which `context` is another."""

    __slots__ = ("change", "name")

    def __init__(self, name: str, change: Callable[[bool, Scope], tuple[bool, Scope]]):
        self.name, self.change = name, change

    def __enter__(self) -> None:
        outer.set((*outer.get(), context.get()))
        context.set(self.change(*context.get()))

    def __exit__(self, *error: object) -> None:
        *others, before = outer.get()
        outer.set(tuple(others))
        context.set(before)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        require_done_at_return(self.name, function)

        @wraps(function)
        def inside(*args: P.args, **kwargs: P.kwargs) -> R:
            with self:
                return function(*args, **kwargs)

        return inside


def no_grad() -> Block:
    """Run a block, or as a decorator a function, without recording: results have no graph.

    Holds for the current thread or async task only, and ends with the block even if that raises.

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
    """Run a block with recording, inside of `no_grad` too: for what differentiates a function by itself."""
    return Block("recorded()", lambda recording, here: (True, here))


def scope(*parts: str | int) -> Block:
    """Record the nodes of a block under a name (str) or a time step (int), inside the current scope.

    Parameters
    ----------
    *parts : str or int
        Names of what is computed, and time steps, outermost first.

    Returns
    -------
    context manager and decorator

    Raises
    ------
    TypeError
        If a part is neither.

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
        if not isinstance(part, str | int | np.integer) or isinstance(part, bool):
            wanted, fix = "a name (str) or a time step (int)", "use str(...)"
            raise argument_error(
                "scope", f"parts[{i}]", expected=wanted, got=repr(part), fix=fix, kind=TypeError
            )
    inner = tuple(
        ScopePart("name", part) if isinstance(part, str) else ScopePart("step", index=int(part))
        for part in parts
    )
    return Block("scope(...)", lambda recording, here: (recording, here + inner))


def node_of(value: Value) -> Node:
    """The node of a value that is known to have one."""
    assert value.node is not None
    return value.node


def toposort(root: Value) -> list[Value]:
    """All recorded values that `root` was made from, itself included, newest first; leaves are not in it."""
    if root.node is None:
        return []
    seen, waiting = {root}, [root.node]
    while waiting:
        for value in waiting.pop().inputs:
            if isinstance(value, Value) and value.node is not None and value not in seen:
                seen.add(value)
                waiting.append(value.node)
    return sorted(seen, key=attrgetter("node.index"), reverse=True)
