"""The backward pass: it applies the derivative rules of the ops and adds up their results.

The pass visits the recorded values, newest first. So it visits a value only after everything that
was computed from that value, and by then the value's cotangent (the gradient of the output with
respect to the value) is complete. The rules of the op that made the value turn this cotangent into
contributions to the cotangents of the op's inputs. The engine adds up these contributions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import iadd
from os import getpid
from threading import RLock
from typing import Any

import numpy as np

from .dtypes import as_ndarray, widen
from .errors import messages
from .graph import EAGER, Node, Value, recorder
from .op import Op, apply

NO_GRADIENT: Any = object()
"""The result of a rule for an input that gets no gradient, not even zeros."""

Watch = Callable[[Value, Value, Any, Any], None]


class SparseGrad:
    """A contribution to the cotangent of x that is zero outside of ``x[index]``.

    The derivative rule of ``x[index]`` returns it. Padding each contribution with zeros would cost
    O(T²) for the T time steps of a sequence. Instead, the engine collects the contributions until
    the pass visits x. Then `op`, a scatter, adds all of them into one array.
    """

    __slots__ = ("index", "op", "values")

    def __init__(self, op: Op, values: Any, index: Any):
        self.op, self.values, self.index = op, values, index


def densify(x: Value, total: Any, sparse: list[SparseGrad]) -> Any:
    """Return the cotangent of x: the `total` of dense contributions plus the sparse ones."""
    settings = {"indices": [s.index for s in sparse], "shape": x.array.shape}
    scattered = apply(sparse[0].op, [s.values for s in sparse], settings)
    return scattered if total is None else total + scattered


def add_contribution(x: Value, c: Any, cotangents: dict[Value, Any], owned: set[Value]) -> None:
    """Add the contribution `c` to the cotangent of x.

    The first sum is a new array, because two values may share the array of a contribution: the rule
    of ``a + b`` returns the same ``g`` for both inputs. `owned` holds the values whose cotangent is
    such a new array. Later contributions to these cotangents are added in place.
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
        The values to start from, each with its cotangent: an ndarray, or a Tensor if `record` is
        True. The cotangent has the shape and dtype of the value.
    order : iterable of Value
        The values to visit, newest first, as `toposort` returns them. A value that is not in
        `order` counts as a leaf.
    record : bool
        If True, run the rules on Tensors instead of arrays, so that the gradients have a graph of
        their own.
    interior : bool
        If True, also yield the values in `order`, before the leaves, each as soon as its
        cotangent is complete.
    watch : callable, optional
        Called as ``watch(y, x, contribution, total)`` after each contribution has been added. The
        op that made y contributes to its input x. `total` is the sum of the contributions to x so
        far, without the `SparseGrad` objects. It is None if all of them are `SparseGrad` objects.

    Raises
    ------
    RuntimeError
        If an earlier backward pass used a part of the graph without ``retain_graph=True``, or a
        leaf has changed since an op used it.
    """
    cotangents: dict[Value, Any] = dict(seeds)
    sparse: dict[Value, list[SparseGrad]] = {}
    owned: set[Value] = set()
    events = recorder()
    for y in order:
        g = cotangents.pop(y, None)
        if y in sparse:
            g = densify(y, g, sparse.pop(y))
        if g is None:
            continue
        if interior:
            yield y, g
        node: Any = y.node
        if node.used > 1:
            raise messages.used_error(y)
        if events is not EAGER:
            events.visit(y)
        rules, params = node.op.rules_in_order, node.params
        arguments = (g, y, *_recorded_inputs(node)) if record else (g, y.array, *node.arrays)
        together = None
        if node.op.variadic:  # one rule for all inputs
            together = messages.check_contributions(node, rules[0](*arguments, **params))
        for i, x in enumerate(node.inputs):
            if isinstance(x, Value) and x.tracked:
                if x.changed > node.index:
                    raise messages.changed_error(x, node)
                c = together[i] if together else rules[i](*arguments, **params)
                if c is NO_GRADIENT:
                    continue
                if type(c) is SparseGrad:
                    sparse.setdefault(x, []).append(c)
                else:
                    if getattr(c, "shape", None) != x.array.shape or c.dtype is not x.array.dtype:
                        c = fit(c, x, y)
                    if x in cotangents:
                        add_contribution(x, c, cotangents, owned)
                    else:
                        cotangents[x] = c
                if watch:
                    watch(y, x, c, cotangents.get(x))
                if events is not EAGER:
                    events.contribute(y, x, c, cotangents.get(x))
    for leaf in {**cotangents, **sparse}:
        g = cotangents.get(leaf)
        yield leaf, densify(leaf, g, sparse[leaf]) if leaf in sparse else g


def _recorded_inputs(node: Node) -> list[Any]:
    """Return the inputs of a node, as Values and constant arrays, for rules that run on Tensors.

    If the array of a Value was replaced after the op ran, return the array that the op used
    instead of the Value.
    """
    pairs = zip(node.inputs, node.arrays, strict=True)
    return [x if isinstance(x, Value) and x.array is array else array for x, array in pairs]


def fit(c: Any, x: Value, y: Any) -> Any:
    """Return `c`, a contribution of the op of `y` to its input `x`, in the shape and dtype of `x`.

    Raises
    ------
    TypeError, ValueError
        If the rule did not return an array, or returned an array that does not fit.
    """
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

    If a rule returned a contribution that is smaller than the input, broadcast it instead.
    """
    extra = len(c.shape) - len(shape)
    if extra > 0:
        c = widen(c).sum(axis=tuple(range(extra)))
    if c.shape != shape and extra >= 0:
        sizes = enumerate(zip(c.shape, shape, strict=True))
        stretched = tuple([axis for axis, (n, m) in sizes if m == 1 and n != 1])
        c = widen(c).sum(axis=stretched, keepdims=True) if stretched else c
    return c if c.shape == shape else np.broadcast_to(c, shape).copy()


_locks: dict[int, Any] = {}


def accumulation_lock() -> Any:
    """Return the lock to hold while adding to `.grad`, so that no thread's addition is lost.

    Each process has its own lock. If another thread held the lock during a fork, that thread would
    be missing in the child process and could never release the lock there.
    """
    return _locks.setdefault(getpid(), RLock())


def accumulate(gradients: Iterable[tuple[Value, Any]]) -> None:
    """Add each gradient to the `.grad` of its value, and store the sum in a new array.

    Several threads may add to the same values at once.
    """
    copies = [(x, as_ndarray(g).copy()) for x, g in gradients]
    with accumulation_lock():
        events = recorder()
        before = map(events.gradient, [x for x, _ in copies])
        totals = [
            (x, g if old is None else as_ndarray(old + g))
            for (x, g), old in zip(copies, before, strict=True)
        ]
        for x, total in totals:
            events.accumulate(x, total)
        for x, total in totals:
            x._grad = total
