"""Comparison of programs with the plain function at run time: ``tg.compile(..., check=n)``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import tree
from ..backward import backward_pass
from ..errors import argument_error
from ..graph import Value, toposort
from .generators import position, put_back


def check_call(ready: Any, args: Any, kwargs: Any, leaves: list[Any], tensors: list[Value]) -> Any:
    """Run the program, undo what it changed, run the plain function, and compare the two.

    Return what the plain function returns.

    Raises
    ------
    RuntimeError
        If a result, a gradient, or anything that the function changes differs by more than
        rounding.
    """
    found = ready.find_changed(leaves, tensors)
    before = [*_changes(ready, found)]
    results = ready.run(args, kwargs, leaves, tensors)
    after = [*_changes(ready, found)]
    _restore(ready, found, before)
    plain = ready.function(*args, **kwargs)
    title = ready.traced.title
    _compare(title, "a result", results, plain)
    _compare(title, "what the call changes", after, [*_changes(ready, found)])
    roots = [(a, b) for a, b in zip(tree.leaves(results), tree.leaves(plain), strict=True)]
    _compare_gradients(title, [pair for pair in roots if getattr(pair[0], "node", None)])
    return plain


def _changes(ready: Any, found: list[Value]) -> Iterator[Any]:
    """Yield everything that the function may change, as it is now."""
    for value in found:
        yield value.array, value.changed, value._grad  # type: ignore[attr-defined]
    for optimizer, _ in ready.traced.steps:
        yield optimizer.steps, [dict(state) for state in optimizer.state]
    for generator in ready.traced.generators:
        yield position(generator)


def _restore(ready: Any, found: list[Value], before: list[Any]) -> None:
    states = iter(before)
    for value in found:
        value.array, value.changed, value._grad = next(states)  # type: ignore[attr-defined]
    for optimizer, _ in ready.traced.steps:
        optimizer.steps, optimizer.state[:] = next(states)
    for generator in ready.traced.generators:
        put_back(generator, next(states))


def _compare_gradients(title: str, pairs: list[tuple[Value, Value]]) -> None:
    """Compare the gradients that flow back from the results, for the same gradients of these."""
    rng = np.random.default_rng(0)
    seeds = [rng.standard_normal(a.array.shape).astype(a.array.dtype) for a, _ in pairs]
    found = []
    for side in (0, 1):
        roots = dict(zip([pair[side] for pair in pairs], seeds, strict=True))
        order = {v for root in roots for v in toposort(root)}
        newest_first = sorted(order, key=lambda v: v.node.index, reverse=True)
        found.append(dict(backward_pass(roots, newest_first)))
    leaves = [leaf for leaf in found[0].keys() | found[1].keys() if leaf.node is None]
    largest = max((_largest(found[1].get(leaf, 0.0)) for leaf in leaves), default=0.0)
    for leaf in leaves:  # terms that cancel out leave a rounding of the largest gradient
        name, zeros = f"the gradient of {leaf.name or 'a Tensor'}", np.zeros_like(leaf.array)
        _compare(title, name, found[0].get(leaf, zeros), found[1].get(leaf, zeros), largest)


def _largest(x: Any) -> float:
    """Return the largest magnitude of a finite entry."""
    x = np.asarray(getattr(x, "array", x))
    return float(np.abs(x[np.isfinite(x)]).max(initial=0))


def _compare(title: str, what: str, got: Any, expected: Any, largest: float = 0.0) -> None:
    """Raise RuntimeError if two structures differ by more than a rounding of these numbers."""
    for a, b in zip(tree.leaves(got), tree.leaves(expected), strict=True):
        x, y = np.asarray(getattr(a, "array", a)), np.asarray(getattr(b, "array", b))
        if x.dtype.kind not in "fiub" or not (x.ndim or x.dtype.kind == "f"):
            continue  # a clock or a position of a generator
        eps = float(np.finfo(x.dtype).eps) if x.dtype.kind == "f" else 0.0
        slack = 1000 * eps * max(_largest(y), largest, 1e-30)
        same = x.shape == y.shape and np.allclose(x, y, rtol=0, atol=slack, equal_nan=True)
        if not same:
            off = np.abs(x.astype(float) - y).max() if x.shape == y.shape else x.shape
            text = f"{what} that is off by {off}"
            fix = "report it, and run the plain function meanwhile"
            expected_text = "the same numbers from the program and the plain function"
            raise argument_error("compile", title, expected_text, text, fix, RuntimeError)
