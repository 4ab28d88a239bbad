"""Blocks: ``with`` statements that change the `context` in which ops run.

`no_grad` turns recording off, `scope` adds to the current scope, and a `Recorder` sees the events
of its block.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ContextDecorator
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

from . import check
from .graph import EAGER, Context, context, recorder
from .scope_part import Scope, ScopePart

Function = TypeVar("Function", bound=Callable[..., Any])

open_blocks: ContextVar[tuple[Context, ...]] = ContextVar("tinygrad_rnn.open_blocks", default=())
"""The value of `context` before each open block, the innermost last."""


def open_block(change: Callable[[bool, Scope, Any], Context]) -> None:
    """Change `context` until the matching `close_block`."""
    open_blocks.set((*open_blocks.get(), context.get()))
    context.set(change(*context.get()))


def close_block() -> None:
    """Restore the `context` from before the innermost open block.

    A generator that is closed in another task finds no block there.
    """
    if opened := open_blocks.get():
        context.set(opened[-1])
        open_blocks.set(opened[:-1])


class Block(ContextDecorator):
    """A context manager and decorator that changes `context` while its block runs."""

    def __init__(self, name: str, change: Callable[[bool, Scope, Any], Context]):
        self.name, self.change = name, change

    def __enter__(self) -> None:
        open_block(self.change)

    def __exit__(self, *error: object) -> None:
        close_block()

    def __call__(self, func: Function) -> Function:
        check.runs_at_once(self.name, func)
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
    return Block("no_grad()", lambda recording, here, recorder: (False, here, recorder))


def enable_grad() -> Block:
    """Turn recording on in a block, even inside of `no_grad`, so that its results have a graph."""
    return Block("enable_grad()", lambda recording, here, recorder: (True, here, recorder))


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
        check.instance("scope", f"parts[{i}]", part, kinds, expected, fix)
    inner = tuple([ScopePart.of(part) for part in parts])
    return Block("scope(...)", lambda on, here, recorder: (on, here + inner, recorder))


class Recorder:
    """A block that sees the events of its thread or task.

    A subclass defines the methods of the events that it handles. All other events go to `outer`,
    the recorder around it. To let an event happen, a method calls that of `outer`.
    """

    outer: Any = EAGER

    def __enter__(self) -> Any:
        if any(state[2] is self for state in (*open_blocks.get(), context.get())):
            raise RuntimeError(f"{self!r}: the block is open already; make another one")
        self.outer = recorder()
        open_block(lambda recording, here, _: (recording, here, self))
        return self

    def __exit__(self, *error: object) -> None:
        """End the block. It need not be the innermost one: a generator may hold it open.

        A generator that is closed in another task does not find the block there.
        """
        states = [*open_blocks.get(), context.get()]
        begin = next((i for i, state in enumerate(states) if state[2] is self), None)
        if begin is None:
            return
        del states[begin]
        for i, (recording, here, inner) in enumerate(states):
            if inner is self:
                states[i] = recording, here, self.outer
            elif isinstance(inner, Recorder) and inner.outer is self:
                inner.outer = self.outer
        open_blocks.set(tuple(states[:-1]))
        context.set(states[-1])

    def __getattr__(self, event: str) -> Any:
        return getattr(self.outer, event)
