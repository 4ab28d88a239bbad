"""The backward pass. Rules do calculus; the engine does bookkeeping and names no op.

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
    shape = None  # unlike the shape of any array, so that `fit` looks at it

    def __init__(self, op: Op, values: Any, index: Any):
        self.op, self.values, self.index = op, values, index


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
        made y, and the sum at x so far; the total is None for a SparseGrad.

    Raises
    ------
    RuntimeError
        If a backward pass has used a part of the graph, or a leaf has changed since an op used it.
    """
    totals: dict[Value, Any] = dict(seeds)
    sparse: dict[Value, list[SparseGrad]] = {}
    owned: set[Value] = set()  # totals that the engine allocated: only those are added to in place
    if observers:
        watch = _watch_for_observers(order := list(order), watch)
    for y in order:
        g = totals.pop(y, None)
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
                        if watch:
                            watch(y, x, c, None)
                        continue
                total = totals.get(x)
                if total is None:
                    totals[x] = c
                elif x in owned:
                    totals[x] = iadd(total, c)
                else:
                    totals[x] = total + c
                    owned.add(x)
                if watch:
                    watch(y, x, c, totals[x])
    for leaf in {**totals, **sparse}:
        g = totals.get(leaf)
        yield leaf, densify(leaf, g, sparse[leaf]) if leaf in sparse else g


def _recorded_inputs(node: Node) -> list[Any]:
    """Return the inputs of a node as rules take them that are recorded themselves.

    A constant whose numbers were replaced since counts with those that it had.
    """
    pairs = zip(node.inputs, node.arrays, strict=True)
    return [x if isinstance(x, Value) and x.array is array else array for x, array in pairs]


def fit(c: Any, x: Value, y: Any) -> Any:
    """Return a contribution of `y` in the shape and dtype of its input `x`; a SparseGrad as it is.

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
    """Undo the broadcasting of an input of this shape: sum `c` over the axes that it stretched.

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


def densify(x: Value, total: Any, sparse: list[SparseGrad] | None) -> Any:
    """Return the cotangent of x: `total` (its dense contributions) and the sparse contributions."""
    if sparse is None:
        return total
    settings = {"indices": [s.index for s in sparse], "shape": x.array.shape}
    scattered = apply(sparse[0].op, [s.values for s in sparse], settings)
    return scattered if total is None else total + scattered


_locks: dict[int, Any] = {}


def accumulation_lock() -> Any:
    """Return the lock to hold while gradients are added to `.grad`, so that no thread loses a sum.

    Each process has its own: in the child of a fork the thread that may hold the parent's is gone.
    """
    return _locks.setdefault(getpid(), RLock())


def accumulate(gradients: Iterable[tuple[Value, Any]]) -> None:
    """Add gradients to `.grad`, each in an array of its own. Threads that share leaves may do so.

    Raises
    ------
    ValueError
        If a ``.grad`` was given another shape. None has changed then.
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
        expected, fix = f".grad None or of shape {g.shape}", "leave .grad to backward"
        raise argument_error("backward", messages.point_at(x), expected, describe(x.grad), fix)
    return np.array(x.grad + g)


def _watch_for_observers(order: list[Value], watch: Watch | None) -> Watch:
    """Notify the observers of a backward pass; return a watch that shows them contributions."""
    notify("before", order)
    watches = [*[observer.contribution for observer in observers], *([watch] if watch else [])]

    def show(y: Value, x: Value, contribution: Any, total: Any) -> None:
        for each in watches:
            each(y, x, contribution, total)

    return show
