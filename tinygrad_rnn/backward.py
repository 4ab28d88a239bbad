"""The reverse sweep. Rules do calculus; the engine does bookkeeping.

It visits the recorded values newest first. When a value's turn comes, everything that was made
from it has been visited, so its gradient is complete: the op's rules turn it into contributions to
the op's inputs, and the engine adds those up. It names no op.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from operator import iadd
from threading import RLock
from typing import Any

import numpy as np

from .errors import argument_error, describe
from .graph import Node, Value, format_scope, notify, observers
from .op import Op, apply


class SparseGrad:
    """A contribution that is zero outside of ``x[index]``: what the rule of ``x[index]`` returns.

    Padding every part with zeros would cost T·T for the T time steps of a sequence. The engine
    keeps the parts until x's turn comes and lets the op `join` put all of them into one array.
    """

    __slots__ = ("index", "join", "part")
    shape = None  # unlike that of any array, so that the engine looks closer

    def __init__(self, join: Op, part: Any, index: Any):
        self.join, self.part, self.index = join, part, index


def backward_pass(
    seeds: dict[Value, Any],
    order: Iterable[Value],
    *,
    record: bool = False,
    interior: bool = False,
    watch: Callable[[Value, Value, Any, Any], None] | None = None,
) -> Iterator[tuple[Value, Any]]:
    """Yield the leaves that the `seeds` were made from, each with its gradient.

    Parameters
    ----------
    seeds : dict of Value to array
        Where to start, and the gradient that arrives there, of the same shape and dtype: an ndarray, or a Tensor if `record`.
    order : iterable of Value
        ``history(root)``: what to visit. What is not in it counts as a leaf.
    record : bool
        Run the rules on Tensors instead of arrays, so that the gradients have a graph of their own.
    interior : bool
        Yield every value on the way too, newest first, as soon as its gradient is complete.
    watch : callable, optional
        ``watch(y, x, contribution, total)`` sees every contribution to an input x of the op that made y, and what x has got
        so far with it; None if that is kept in parts.

    Raises
    ------
    RuntimeError
        If a backward pass used a part of the graph before, the numbers in it were replaced, or a leaf's requires_grad turned on.
    """
    gradients: dict[Value, Any] = dict(seeds)
    parts: dict[Value, list[SparseGrad]] = {}
    if observers:
        watch = _told(order := list(order), watch)
    ours: set[Value] = (
        set()
    )  # whose gradient the engine allocated: only those are added to in place
    for y in order:
        g = gradients.pop(y, None)
        if y in parts:
            g = densify(y, g, parts.pop(y))
        if interior:
            yield y, g
        node: Any = y.node
        if node.used > 1:
            raise RuntimeError(_used(y))
        result, arguments = (y, _as_recorded(node)) if record else (y.array, node.arrays)
        rules, params = node.op.rules_in_order, node.params
        flows = rules[0](g, result, *arguments, **params) if node.op.variadic else None
        for i, x in enumerate(node.inputs):
            if not isinstance(x, Value) or not x.tracked:
                continue
            if x.changed > node.index:
                raise _changed(x, node)
            flow = flows[i] if flows else rules[i](g, result, *arguments, **params)
            try:
                fits = flow.shape == x.array.shape and flow.dtype is x.array.dtype
            except AttributeError as error:
                raise _no_array(flow, x, y) from error
            if not fits:
                if type(flow) is SparseGrad:
                    parts.setdefault(x, []).append(flow)
                    if watch:
                        watch(y, x, flow, None)
                    continue
                flow = _fitted(flow, x, y)
            total = gradients.get(x)
            if total is None:
                gradients[x] = flow
            elif x in ours:
                gradients[x] = iadd(total, flow)
            else:
                gradients[x] = total + flow
                ours.add(x)
            if watch:
                watch(y, x, flow, gradients[x])
    for leaf in {**gradients, **parts}:
        g = gradients.get(leaf)
        yield leaf, densify(leaf, g, parts[leaf]) if leaf in parts else g


def _told(order: list[Value], watch: Any) -> Callable[[Value, Value, Any, Any], None]:
    """Tell the watchers that a sweep begins; returns what tells them, and `watch`, of every contribution."""
    notify("before", order)
    looking = [*[watcher.contribution for watcher in observers], *([watch] if watch else [])]

    def tell(y: Value, x: Value, flow: Any, total: Any) -> None:
        for look in looking:
            look(y, x, flow, total)

    return tell


def densify(x: Value, g: Any, parts: list[SparseGrad]) -> Any:
    """x's gradient: the sum of its whole contributions, `g`, and the parts put in their places."""
    settings = {"indices": [p.index for p in parts], "shape": x.array.shape}
    joined = apply(parts[0].join, [p.part for p in parts], settings)
    return joined if g is None else g + joined


accumulating = RLock()
"""Held while gradients are added to `.grad`, so that of two threads' sums none is lost."""


def _nobody_is_accumulating() -> None:
    """In the child of a fork the other threads, one of which may have held the lock, do not exist."""
    global accumulating
    accumulating = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_nobody_is_accumulating)


def accumulate(found: Iterable[tuple[Value, Any]]) -> None:
    """Add gradients to `.grad`, each in an array of its own; refused, before any has changed, if a .grad was given another shape.

    Threads that go back through graphs of their own to leaves that they share may do so at once.
    """
    own = [(x, np.array(g)) for x, g in found]
    with accumulating:
        totals = [(x, _added(x, g)) for x, g in own]
        for x, total in totals if observers else ():
            notify("accumulated", x, total)
        for x, total in totals:
            x.grad = total


def _added(x: Value, g: np.ndarray) -> np.ndarray:
    """x.grad and g, which may become x.grad itself."""
    if x.grad is None:
        return g
    if x.grad.shape != g.shape:
        wanted, fix = f".grad None or of shape {g.shape}", "leave .grad to backward"
        raise argument_error("backward", _named(x), expected=wanted, got=describe(x.grad), fix=fix)
    return np.array(x.grad + g)


def _as_recorded(node: Node) -> list[Any]:
    """The node's inputs to run rules on that are recorded themselves.

    A constant whose numbers were replaced since counts with those that it had.
    """
    pairs = zip(node.inputs, node.arrays, strict=True)
    return [x if isinstance(x, Value) and x.array is array else array for x, array in pairs]


def _fitted(flow: Any, x: Value, y: Value) -> Any:
    """A contribution in the shape and dtype of what it flows to: broadcasting is undone in both directions.

    Where the op stretched x, the contribution is summed; where the rule left it small, it is stretched.
    """
    shape, dtype = x.array.shape, x.array.dtype
    extra = len(flow.shape) - len(shape)
    if extra > 0:
        flow = flow.sum(axis=tuple(range(extra)))
    if flow.shape != shape and extra >= 0:
        stretched = tuple(
            axis
            for axis, (n, m) in enumerate(zip(flow.shape, shape, strict=True))
            if m == 1 and n != 1
        )
        flow = flow.sum(axis=stretched, keepdims=True) if stretched else flow
    if flow.shape != shape:
        try:
            flow = flow + np.zeros(shape, dtype)
        except ValueError as error:
            raise ValueError(_unfit(flow, x, y)) from error
        if flow.shape != shape:
            raise ValueError(_unfit(flow, x, y))
    return flow if flow.dtype == dtype else flow.astype(dtype)


def _unfit(flow: Any, x: Value, y: Any) -> str:
    return (
        f"backward: argument rule of {y.node.op.name}: expected a contribution that broadcasts to shape {x.array.shape}, "
        f"got shape {flow.shape}; correct the rule"
    )


def _no_array(flow: Any, x: Value, y: Any) -> Exception:
    wanted, fix = (
        f"an array that broadcasts to shape {x.array.shape}",
        "correct the rule; an input without a gradient has no rule",
    )
    return argument_error(
        "backward",
        f"rule of {y.node.op.name}",
        expected=wanted,
        got=describe(flow),
        fix=fix,
        kind=TypeError,
    )


def _used(y: Value) -> str:
    return (
        f"backward: argument {_named(y)}: expected a graph that no backward pass has gone through, got one that was used; "
        "if it is a state carried over from an earlier batch, carry state.detach() (truncated BPTT); "
        "to go through one graph twice, call backward(retain_graph=True) the first time"
    )


def _changed(x: Value, node: Node) -> Exception:
    if any(
        x.array is array for array in node.arrays
    ):  # p.data -= … assigns the array that is there
        wanted = f"a leaf as it was when {node.op.name} was computed"
        got = "one whose requires_grad was turned on, or whose .data was assigned, after that, so that its gradient may lack a part"
        fix = "set requires_grad before computing, and call backward before a step"
    else:
        wanted = f"the numbers that {node.op.name} was computed with"
        got, fix = (
            "others, for its .data was assigned (by an optimizer's step, perhaps) after that",
            "call backward before the step",
        )
    return argument_error(
        "backward", _named(x), expected=wanted, got=got, fix=fix, kind=RuntimeError
    )


def _named(x: Value) -> str:
    """How to point at a value in an error message: its name, what made it, and where."""
    made = f" made by {x.node.op.name}" if x.node else ""
    where = format_scope(x.node.scope) if x.node else ""
    return f"{x.name or 'Tensor'} (shape {x.array.shape}{made}{' in ' + where if where else ''})"
