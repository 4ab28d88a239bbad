"""Tracing: one step of a cell is run on stand-ins, and its ops are recorded.

The recording is the usual graph. Nothing here depends on the kind of cell, such as a GRU.

Further runs, on other numbers, must record the same ops. A cell that depends on the values of
Tensors other than through ops, or on random numbers, cannot be compiled.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

import numpy as np

from .. import tree
from ..errors import NotCompilable, argument_error, describe
from ..graph import Value, enable_grad, read_hook, toposort
from ..op import Op, apply
from ..tensor import Tensor
from .capture import Held
from .parts import position, put_back

COMPARISONS = {
    operator.eq: "equal", operator.ne: "not_equal", operator.lt: "less", operator.le: "less_equal",
    operator.gt: "greater", operator.ge: "greater_equal",
}  # fmt: skip


SIGNS = {
    "equal": "=",
    "not_equal": "≠",
    "less": "<",
    "less_equal": "≤",
    "greater": ">",
    "greater_equal": "≥",
}


@dataclass(slots=True)
class Traced:
    """The recording of one step.

    Attributes
    ----------
    inputs, states : list
        The stand-ins for the input (Tensors, or plain arrays where the input is one) and for each
        part of the state.
    outputs, new : list of Value
        The parts of the output and of the new state that the cell returned.
    output, state : structures of int
        The structures of output and state, with the positions of their parts in the lists.
    values : list of Value
        All recorded values, oldest first.
    """

    inputs: list[Any]
    states: list[Any]
    outputs: list[Value]
    new: list[Value]
    output: Any
    state: Any
    values: list[Value]


def trace(
    name: str, cell: Callable[..., Any], inputs: list[Any], several: bool, state: Any, held: Held
) -> Traced:
    """Run a cell on three sets of numbers, and return the first recording.

    The numbers are like those of the first step, their negatives, and large ones. `held` has the
    contents of the cell.

    Raises
    ------
    NotCompilable
        If the recordings differ, the cell reads values, draws random numbers, or fails.
    """
    frozen = [t for t in held.tensors if not t.tracked and t.array.dtype.kind == "f"]
    with _LOCK:
        for t in frozen:  # so that ops on them are recorded too, and follow when they change
            t.tracked = True
        try:
            before = [position(generator) for generator in held.generators]
            first = _run(name, cell, inputs, several, state, SHIFTS[0])
            # The first run may draw, because a cell may create parameters lazily.
            start = [position(generator) for generator in held.generators]
            others = [_run(name, cell, inputs, several, state, shift) for shift in SHIFTS[1:]]
        finally:
            for t in frozen:
                t.tracked = False
    _require_still(name, held.generators, before, start)
    for other in others:
        _require_same(name, first, other)
    return first


_LOCK = Lock()
SHIFTS = ("like", "opposite", "large")


def _run(
    name: str, cell: Callable[..., Any], inputs: list[Any], several: bool, state: Any, shift: str
) -> Traced:
    xs = [_stand_in(x[0], f"x{i}" if several else "x", shift) for i, x in enumerate(inputs)]
    old: list[Any] = []

    def replaced(part: Any) -> Any:
        if not isinstance(getattr(part, "array", part), np.ndarray):
            fix = "start from zeros, for example"
            raise NotCompilable(refusal(name, "a state of arrays", tree.describe(state), fix))
        old.append(_stand_in(part, f"{getattr(part, 'name', None) or 'h'}_prev", shift))
        return old[-1]

    stand_ins = tree.map(replaced, state)
    with enable_grad(), seeing(partial(_recorded_comparison, name)), np.errstate(all="ignore"):
        try:
            result = cell(tuple(xs) if several else xs[0], stand_ins)
        except NotCompilable:
            raise
        except Exception as error:
            fix = (
                "index with the integers before the scan, and pass the result as its input"
                if isinstance(error, IndexError)
                else "make the cell run on other arguments of these shapes and dtypes"
            )
            expected = "a cell that runs on stand-ins for its arguments"
            raise NotCompilable(refusal(name, expected, str(error), fix)) from error
    if not (isinstance(result, tuple) and len(result) == 2):
        expected, fix = "a cell that returns (output, state)", "return h, h, for example"
        raise NotCompilable(refusal(name, expected, tree.describe(result), fix))
    if not tree.same_structure(stand_ins, result[1]):
        fix = "start from a state as the cell returns it; a state is not broadcast"
        raise NotCompilable(
            refusal(
                name,
                f"a state as before the step, {tree.describe(stand_ins)}",
                tree.describe(result[1]),
                fix,
            )
        )
    outputs, output = _parts(name, result[0])
    new, structure = _parts(name, result[1], stand_ins)
    values = sorted(
        {v for root in (*outputs, *new) for v in toposort(root)}, key=lambda v: v.node.index
    )
    return Traced(xs, old, outputs, new, output, structure, values)


def _stand_in(x: Any, name: str, shift: str) -> Any:
    """Return a stand-in for x: of the same kind, with other numbers for each `shift`.

    A Tensor of floats becomes a tracked Tensor.
    """
    array = np.array(getattr(x, "array", x))
    if array.dtype.kind == "f":
        array = np.nan_to_num(array) + other_numbers(array.shape)
        array = np.asarray(
            {"like": array, "opposite": -array, "large": 30 * array}[shift],
            dtype=getattr(x, "dtype", None),
        )
        return Tensor(array, requires_grad=True, name=name) if isinstance(x, Value) else array
    if shift != "like":
        array = (
            ~array
            if array.dtype.kind == "b"
            else _other_integers(array, 1 if shift == "opposite" else 1000)
        )
    return Tensor(array, name=name) if isinstance(x, Value) else array


def _other_integers(array: np.ndarray, shift: int) -> np.ndarray:
    """Return other integers of the same dtype: n becomes max − n + shift.

    They are clipped to the largest integer of the dtype.
    """
    limits = np.iinfo(array.dtype)
    most = int(array.max(initial=0))
    moved = [min(most - int(n) + shift, int(limits.max)) for n in array.ravel()]
    return np.array(moved, array.dtype).reshape(array.shape)


def other_numbers(shape: tuple[int, ...]) -> np.ndarray:
    """Return different numbers between 0.1 and 0.2."""
    return 0.15 + 0.05 * np.sin(np.arange(np.prod(shape, dtype=int)) + 1.0).reshape(shape)


def _parts(name: str, structure: Any, like: Any = None) -> tuple[list[Value], Any]:
    """Return the Values of a structure, and the structure with their positions in place of them.

    The order is that of the parts in `like`, if it is given.
    """
    found: list[Value] = []

    def add(*parts: Any) -> int:
        if not isinstance(parts[-1], Value):
            raise NotCompilable(
                refusal(
                    name, "Tensors as output and state", tree.describe(parts[-1]), "return Tensors"
                )
            )
        found.append(parts[-1])
        return len(found) - 1

    return found, tree.map(add, structure) if like is None else tree.map(add, like, structure)


# -- reasons why a cell cannot be compiled ---------------------------------------------------------


def refusal(name: str, expected: str, got: str, fix: str) -> str:
    """Return the message that says why a cell cannot be compiled."""
    fix += "; or compile(..., fallback=True), which runs the cell step by step"
    return str(argument_error("compile", name, expected=expected, got=got, fix=fix))


@contextmanager
def seeing(watch: Callable[..., Any]) -> Any:
    """Call `watch` in place of functions that read the values of Tensors, inside the block."""
    token = read_hook.set(watch)
    try:
        yield
    finally:
        read_hook.reset(token)


def _require_still(name: str, generators: list[Any], before: list[Any], start: list[Any]) -> None:
    """Raise NotCompilable if a generator has moved since `start`, with all reset to `before`."""
    moved = [
        g for g, old in zip(generators, start, strict=True) if not tree.equal(position(g), old)
    ]
    if moved:
        for generator, old in zip(generators, before, strict=True):
            put_back(generator, old)
        raise NotCompilable(
            refusal(
                name,
                "a cell that draws no random numbers",
                f"one that draws from {describe(moved[0])}",
                _PURE,
            )
        )


def _recorded_comparison(name: str, look: Callable[..., Any], t: Value, *others: Any) -> Any:
    """Record a comparison as a node, because masks are computed by comparisons.

    Raises
    ------
    NotCompilable
        If the values of a recorded Tensor are read in any other way.
    """
    if look not in COMPARISONS and look in (Tensor.detach, np.asarray):
        expected, got = "values that only ops read", "one that was read, with .data or .detach()"
        fix = "pass detached values and plain numbers with the input"
        raise NotCompilable(refusal(name, expected, got, fix))
    if not any(isinstance(x, Value) and (x.tracked or x.node is not None) for x in (t, *others)):
        return look(t.array, *[getattr(x, "array", x) for x in others])
    if look not in COMPARISONS:
        fix = "write it with ops: tg.where, tg.maximum, tg.relu"
        expected = "values that are not read, because they differ from step to step"
        raise NotCompilable(refusal(name, expected, look.__name__, fix))
    mask = apply(comparison(COMPARISONS[look]), (t, *others), {})
    mask.tracked = False  # a comparison has no gradient
    return mask


def comparison(name: str) -> Op:
    """Return an op that compares. It has no derivative and is not in the registry."""
    function = getattr(np, name)

    def forward(a: Any, b: Any) -> Any:
        return function(a, b).astype(
            np.result_type(a, b)
        )  # a float, because only floats are recorded

    forward.__name__ = name
    made = Op(forward, f"{{a}} {SIGNS[name]} {{b}}")
    made.has_all_rules = True
    return made


def _require_same(name: str, first: Traced, second: Traced) -> None:
    """Raise NotCompilable if two runs differ in more than the values of their arguments."""
    places: dict[Any, Any] = {}
    for ours, theirs in ((first.inputs, second.inputs), (first.states, second.states)):
        places.update(
            (id(getattr(a, "array", a)), id(getattr(b, "array", b)))
            for a, b in zip(ours, theirs, strict=True)
        )
    same = len(first.values) == len(second.values)
    for mine, other in zip(first.values, second.values, strict=False):
        a, b = mine.node, other.node
        if not same or a.op.name != b.op.name or len(a.arrays) != len(b.arrays):
            raise NotCompilable(
                refusal(
                    name,
                    "the same ops whatever the numbers are",
                    f"{a.op.name} once and {b.op.name} then",
                    _PURE,
                )
            )
        places[id(mine.array)] = id(other.array)
        for p, q in zip(a.arrays, b.arrays, strict=True):
            if places.get(id(p)) != id(q) and not tree.equal(p, q):
                raise NotCompilable(
                    refusal(
                        name,
                        f"constants that are the same in every run, in {a.op.name}",
                        "two that differ",
                        _PURE,
                    )
                )
        if not tree.equal(a.params, b.params):
            raise NotCompilable(
                refusal(
                    name,
                    f"settings that are the same in every run, of {a.op.name}",
                    "two that differ",
                    _PURE,
                )
            )
    if not same:
        raise NotCompilable(
            refusal(name, "the same ops whatever the numbers are", "more of them in one run", _PURE)
        )


_PURE = (
    "draw random numbers outside of the cell, and pass them with the input; combine masks with "
    "tg.where; do not choose ops by the values of Tensors"
)
