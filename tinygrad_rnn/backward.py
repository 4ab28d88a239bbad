"""The backward pass. The rules of the ops do the calculus; this engine does the bookkeeping.

It visits the recorded values newest first. When the turn of a value comes, everything that was made
from it has been visited, so its cotangent (the gradient of the output with respect to it) is
complete. The rules of its op turn that into contributions to the op's inputs, which are added up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import iadd
from os import getpid
from threading import RLock
from typing import Any

import numpy as np

from .errors import argument_error, describe, messages
from .graph import Node, Value, notify, observers
from .op import Op, apply

Watch = Callable[[Value, Value, Any, Any], None]


class SparseGrad:
    """A contribution that is zero outside of ``x[index]``; the rule of ``x[index]`` returns it.

    Padding each with zeros would cost T² for the T time steps of a sequence. So the engine keeps
    them until the turn of x comes, and then lets their op, a scatter, put all into one array.
    """

    __slots__ = ("index", "op", "values")
    shape = None  # no array has this shape, so every SparseGrad goes through `fit`

    def __init__(self, op: Op, values: Any, index: Any):
        self.op, self.values, self.index = op, values, index


def densify(x: Value, total: Any, sparse: list[SparseGrad]) -> Any:
    """Return the cotangent of x: the `total` of dense contributions plus the sparse ones."""
    settings = {"indices": [s.index for s in sparse], "shape": x.array.shape}
    scattered = apply(sparse[0].op, [s.values for s in sparse], settings)
    return scattered if total is None else total + scattered


def add_contribution(x: Value, c: Any, cotangents: dict[Value, Any], owned: set[Value]) -> None:
    """Add a contribution to the cotangent of x, in place if an earlier call made that array.

    `owned` are the values for which it did. Any other array may belong to someone else: the rule of
    ``a + b`` returns the same ``g`` for both inputs.
    """
    if x in owned:
        cotangents[x] = iadd(cotangents[x], c)
    else:
        cotangents[x] = cotangents[x] + c
        owned.add(x)


def backward_pass(
    seeds: dict[Value, Any],
    order: Iterable[Value],
    *,
    record: bool = False,
    interior: bool = False,
    watch: Watch | None = None,
) -> Iterator[tuple[Value, Any]]:
    """Yield the leaves that the `seeds` were computed from, each with its gradient.

    Parameters
    ----------
    seeds : dict of Value to array
        Where to start, and the cotangent there, of the same shape and dtype: an ndarray, or a
        Tensor if `record`.
    order : iterable of Value
        ``toposort(root)``: what to visit. A value that is not in it counts as a leaf.
    record : bool
        Run the rules on Tensors instead of arrays, so that the gradients have a graph of their own.
    interior : bool
        Yield interior values too, newest first, each as soon as its cotangent is complete.
    watch : callable, optional
        ``watch(y, x, contribution, total)`` sees every contribution to an input x of the op that
        made y, and the sum of the dense contributions to x so far, or None if there are none.

    Raises
    ------
    RuntimeError
        If an earlier backward pass used a part of the graph without ``retain_graph=True``, or a
        leaf has changed since an op used it.
    """
    cotangents: dict[Value, Any] = dict(seeds)
    sparse: dict[Value, list[SparseGrad]] = {}
    owned: set[Value] = set()
    if observers:
        watch = _watch_for_observers(order := list(order), watch)
    for y in order:
        g = cotangents.pop(y, None)
        if y in sparse:
            g = densify(y, g, sparse.pop(y))
        if interior:
            yield y, g
        node: Any = y.node
        if node.used > 1:
            raise messages.used_error(y)
        rules, params = node.op.rules_in_order, node.params
        result, inputs = (y, _recorded_inputs(node)) if record else (y.array, node.arrays)
        together = rules[0](g, result, *inputs, **params) if node.op.variadic else None
        for i, x in enumerate(node.inputs):
            if isinstance(x, Value) and x.tracked:
                c = together[i] if together else rules[i](g, result, *inputs, **params)
                fits = getattr(c, "shape", None) == x.array.shape and c.dtype is x.array.dtype
                if not fits or x.changed > node.index:
                    c = fit(c, x, y)
                if type(c) is SparseGrad:
                    sparse.setdefault(x, []).append(c)
                elif x in cotangents:
                    add_contribution(x, c, cotangents, owned)
                else:
                    cotangents[x] = c
                if watch:
                    watch(y, x, c, cotangents.get(x))
    for leaf in {**cotangents, **sparse}:
        g = cotangents.get(leaf)
        yield leaf, densify(leaf, g, sparse[leaf]) if leaf in sparse else g


def _recorded_inputs(node: Node) -> list[Any]:
    """Return the inputs for rules that are recorded themselves: Values, or arrays for constants.

    For a Value whose array was replaced after the op ran, return the array that the op used.
    """
    pairs = zip(node.inputs, node.arrays, strict=True)
    return [x if isinstance(x, Value) and x.array is array else array for x, array in pairs]


def fit(c: Any, x: Value, y: Any) -> Any:
    """Return `c`, which the op of `y` contributes to its input x, in the shape and dtype of x.

    A SparseGrad is returned unchanged.

    Raises
    ------
    RuntimeError
        If x has changed since the op used it.
    TypeError, ValueError
        If the rule returned no array, or one that does not fit.
    """
    if x.changed > y.node.index:
        raise messages.changed_error(x, y.node)
    if type(c) is SparseGrad:
        return c
    shape, dtype = x.array.shape, x.array.dtype
    try:
        fitted = unbroadcast(c, shape)
    except (ValueError, AttributeError) as error:
        raise messages.contribution_error(c, x, y) from error
    if fitted.shape != shape:
        raise messages.contribution_error(fitted, x, y)
    return fitted if fitted.dtype == dtype else fitted.astype(dtype)


def unbroadcast(c: Any, shape: tuple[int, ...]) -> Any:
    """Sum `c` over the axes along which an input of this shape was broadcast.

    Where a rule left its contribution smaller than the input, it is broadcast instead.
    """
    extra = len(c.shape) - len(shape)
    if extra > 0:
        c = c.sum(axis=tuple(range(extra)))
    if c.shape != shape and extra >= 0:
        sizes = enumerate(zip(c.shape, shape, strict=True))
        stretched = tuple([axis for axis, (n, m) in sizes if m == 1 and n != 1])
        c = c.sum(axis=stretched, keepdims=True) if stretched else c
    return c if c.shape == shape else c + np.zeros(shape, c.dtype)


_locks: dict[int, Any] = {}


def accumulation_lock() -> Any:
    """Return the lock to hold while adding to `.grad`, so that no thread loses a sum.

    Each process has its own, because a thread that held it during a fork is missing in the child.
    """
    return _locks.setdefault(getpid(), RLock())


def accumulate(gradients: Iterable[tuple[Value, Any]]) -> None:
    """Add gradients to `.grad`, each in an array of its own; safe for threads that share leaves.

    Raises
    ------
    ValueError
        If a ``.grad`` was given another shape. In that case no ``.grad`` has changed.
    """
    copies = [(x, np.array(g)) for x, g in gradients]
    with accumulation_lock():
        totals = [(x, g if x.grad is None else _add_to_grad(x, g)) for x, g in copies]
        for x, total in totals if observers else ():
            notify("accumulated", x, total)
        for x, total in totals:
            x.grad = total


def _add_to_grad(x: Any, g: np.ndarray) -> np.ndarray:
    if x.grad.shape != g.shape:
        expected, fix = f".grad None or of shape {g.shape}", "set .grad = None before backward"
        raise argument_error("backward", messages.point_at(x), expected, describe(x.grad), fix)
    return np.array(x.grad + g)


def _watch_for_observers(order: list[Value], watch: Watch | None) -> Watch:
    """Notify the observers that a backward pass begins; return a watch that reports it to them."""
    notify("before", order)
    watches = [*[observer.contribution for observer in observers], *([watch] if watch else [])]

    def show(y: Value, x: Value, contribution: Any, total: Any) -> None:
        for each in watches:
            each(y, x, contribution, total)

    return show
