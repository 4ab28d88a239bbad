"""Comparison of programs with the plain function at run time: ``tg.compile(..., check=n)``."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy, deepcopy
from typing import Any

import numpy as np

from .. import tree
from ..backward import backward_pass
from ..errors import argument_error
from ..graph import Value, toposort
from .generators import position, put_back


def check_call(ready: Any, args: Any, kwargs: Any, leaves: list[Any], tensors: list[Value]) -> Any:
    """Run the plain function, undo what it changed, run the program, and compare the two.

    Return what the program returns.

    Raises
    ------
    RuntimeError
        If a result, a gradient, or anything that the function changes differs by more than
        rounding.
    """
    found = ready.find_changed(leaves, tensors)
    before = [*_changes(ready, found)]
    _use_copies(ready, found)
    plain = ready.function(*args, **kwargs)
    expected = [*_changes(ready, found)]
    _restore(ready, found, before)
    results = ready.run(args, kwargs, leaves, tensors)
    check = Comparison(ready)
    pairs: list[Any] = []
    tree.map(lambda *pair: pairs.append(pair), results, plain)  # dicts may differ in their order
    for got, wanted in pairs:
        check.compare("a result", got, wanted)
    check.compare("what the call changes", [*_changes(ready, found)], expected)
    known = {x for x in (*leaves, *tensors) if isinstance(x, Value)}
    check.compare_gradients([pair for pair in pairs if getattr(pair[0], "node", None)], known)
    return results


def _changes(ready: Any, found: list[Value]) -> Iterator[Any]:
    """Yield everything that the function may change, as it is now."""
    for value in found:
        yield value.array, value.changed, value._grad  # type: ignore[attr-defined]
    for optimizer, _ in ready.traced.steps:
        yield optimizer.steps, [dict(state) for state in optimizer.state]
    for generator in ready.traced.generators:
        yield position(generator)


def _use_copies(ready: Any, found: list[Value]) -> None:
    """Put copies in the places of all arrays that the plain function may write into."""
    for value in found:
        value.array = value.array.copy()
        value._grad = copy(value._grad)  # type: ignore[attr-defined]
    for optimizer, _ in ready.traced.steps:
        optimizer.state[:] = [deepcopy(state) for state in optimizer.state]


def _restore(ready: Any, found: list[Value], before: list[Any]) -> None:
    states = iter(before)
    for value in found:
        value.array, value.changed, value._grad = next(states)  # type: ignore[attr-defined]
    for optimizer, _ in ready.traced.steps:
        optimizer.steps, optimizer.state[:] = next(states)
    for generator in ready.traced.generators:
        put_back(generator, next(states))


def _largest(x: Any) -> float:
    """Return the largest magnitude of a finite entry."""
    x = np.asarray(getattr(x, "array", x))
    return float(np.abs(x[np.isfinite(x)]).max(initial=0))


class Comparison:
    """Compares what a program gives with what the plain function gives.

    They may differ by a rounding in the coarsest dtype of the inputs.
    """

    def __init__(self, ready: Any):
        self.title = ready.traced.title
        dtypes = [np.dtype(x.dtype) for x in ready.traced.program.inputs]
        self.eps = max([float(np.finfo(t).eps) for t in dtypes if t.kind == "f"], default=0.0)

    def compare_gradients(self, pairs: list[tuple[Value, Value]], known: set[Value]) -> None:
        """Compare the gradients that flow back from the results, for equal gradients of these.

        `known` are Tensors from before the call: each run makes leaves of its own.
        """
        rng = np.random.default_rng(0)
        seeds = [rng.standard_normal(a.array.shape).astype(a.array.dtype) for a, _ in pairs]
        found = []
        for side in (0, 1):
            roots: dict[Value, Any] = {}
            for pair, seed in zip(pairs, seeds, strict=True):  # one Tensor may be returned twice
                roots[pair[side]] = roots.get(pair[side], 0) + seed
            order = {v for root in roots for v in toposort(root)} - known
            newest_first = sorted(order, key=lambda v: v.node.index, reverse=True)
            found.append(dict(backward_pass(roots, newest_first)))
        got, expected = found
        leaves = (got.keys() | expected.keys()) & known
        largest = max((_largest(expected.get(leaf, 0.0)) for leaf in leaves), default=0.0)
        for leaf in leaves:  # terms that cancel out leave a rounding of the largest gradient
            name, zeros = f"the gradient of {leaf.name or 'a Tensor'}", np.zeros_like(leaf.array)
            self.compare(name, got.get(leaf, zeros), expected.get(leaf, zeros), largest)

    def compare(self, what: str, got: Any, expected: Any, largest: float = 0.0) -> None:
        """Raise RuntimeError if two structures differ by more than a rounding of these numbers."""
        for a, b in zip(tree.leaves(got), tree.leaves(expected), strict=True):
            x, y = np.asarray(getattr(a, "array", a)), np.asarray(getattr(b, "array", b))
            if x.dtype.kind not in "fiub" or not (x.ndim or x.dtype.kind == "f"):
                continue  # a clock or a position of a generator
            eps = max(self.eps, float(np.finfo(x.dtype).eps)) if x.dtype.kind == "f" else 0.0
            slack = 1000 * eps * max(_largest(y), largest, 1e-30)
            if x.shape == y.shape and np.allclose(x, y, rtol=0, atol=slack, equal_nan=True):
                continue
            off = np.abs(x.astype(float) - y).max() if x.shape == y.shape else x.shape
            fix = "report it, and run the plain function meanwhile"
            numbers = "the same numbers from the program and the plain function"
            raise argument_error(
                "compile", self.title, numbers, f"{what} that is off by {off}", fix, RuntimeError
            )
