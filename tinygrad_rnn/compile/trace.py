"""One step of a cell, run and written down.

The cell runs once with stand-ins for its input and its state; what it did was recorded, as always. Nothing here knows what a GRU is.

A second run, on other numbers, must record the same: what depends on numbers in another way than through ops, or on chance,
cannot be written down in advance.
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
    """What one step did.

    Attributes
    ----------
    inputs, states : list
        The stand-ins: x (a Tensor, or what is no float as a plain array) and the state, part by part.
    outputs, new : list of Value
        The parts of what the cell returned: its output, and its new state.
    output, state : structures of int
        How the parts are put together again.
    values : list of Value
        All that was recorded, oldest first.
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
    """Run `cell`, of which `held` is what it holds, on numbers like those of the first step, on their opposites and on large ones.

    Returns the first recording.

    Raises
    ------
    NotCompilable
        If the recordings differ, or the cell asks for numbers, or fails.
    """
    frozen = [t for t in held.tensors if not t.tracked and t.array.dtype.kind == "f"]
    with _LOCK:
        for (
            t
        ) in frozen:  # so that what is made of them is recorded too, and follows when they change
            t.tracked = True
        try:
            before = [position(generator) for generator in held.generators]
            first = _run(name, cell, inputs, several, state, SHIFTS[0])
            start = [
                position(generator) for generator in held.generators
            ]  # what it makes when it first runs it may draw
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
            raise NotCompilable(
                refusal(name, "a state of arrays", tree.describe(state), "start from zeros, say")
            )
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
                "look up before the walk what integers point to"
                if isinstance(error, IndexError)
                else "see the message"
            )
            raise NotCompilable(
                refusal(name, "a cell that runs on stand-ins for its arguments", str(error), fix)
            ) from error
    if not (isinstance(result, tuple) and len(result) == 2):
        raise NotCompilable(
            refusal(
                name,
                "a cell that returns (output, state)",
                tree.describe(result),
                "return h, h, say",
            )
        )
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
    """An array like x to run the cell on, in a Tensor that is tracked if it is of floats; other numbers for each `shift`."""
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
    """Integers of this dtype, the largest first, and larger by `shift` where the dtype has so large ones."""
    limits = np.iinfo(array.dtype)
    most = int(array.max(initial=0))
    moved = [min(most - int(n) + shift, int(limits.max)) for n in array.ravel()]
    return np.array(moved, array.dtype).reshape(array.shape)


def other_numbers(shape: tuple[int, ...]) -> np.ndarray:
    """Numbers between 0.1 and 0.2, no two alike."""
    return 0.15 + 0.05 * np.sin(np.arange(np.prod(shape, dtype=int)) + 1.0).reshape(shape)


def _parts(name: str, structure: Any, like: Any = None) -> tuple[list[Value], Any]:
    """The Values of a structure, and the structure with their places in it: the order of those in `like`, if there is one."""
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


# -- what a cell may not do --------------------------------------------------------------------------


def refusal(name: str, expected: str, got: str, fix: str) -> str:
    """Why a cell cannot be compiled."""
    fix += "; or compile(..., fallback=True), which runs it as it is"
    return str(argument_error("compile", name, expected=expected, got=got, fix=fix))


@contextmanager
def seeing(watch: Callable[..., Any]) -> Any:
    """A block in which `watch` is called in place of what looks at numbers."""
    token = read_hook.set(watch)
    try:
        yield
    finally:
        read_hook.reset(token)


def _require_still(name: str, generators: list[Any], before: list[Any], start: list[Any]) -> None:
    """Refuse a cell that moved a generator from where it started, and put all back to where they were before."""
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
    """A comparison as a node, for masks are made so; whatever turns numbers into Python's is refused."""
    if look not in COMPARISONS and look in (Tensor.detach, np.asarray):
        fix = "hand in with the input what gradients are not to reach, and numbers to be read"
        raise NotCompilable(
            refusal(
                name,
                "values that are only handed to ops",
                "one that was read, with .data or .detach()",
                fix,
            )
        )
    if not any(isinstance(x, Value) and (x.tracked or x.node is not None) for x in (t, *others)):
        return look(t.array, *[getattr(x, "array", x) for x in others])
    if look not in COMPARISONS:
        fix = "write it with ops: tg.where, tg.maximum, tg.relu"
        raise NotCompilable(
            refusal(
                name, "no look at the numbers, which differ from step to step", look.__name__, fix
            )
        )
    mask = apply(comparison(COMPARISONS[look]), (t, *others), {})
    mask.tracked = False  # nothing flows back to it
    return mask


def comparison(name: str) -> Op:
    """An op that compares; it has no derivative and is not in the registry."""
    function = getattr(np, name)

    def forward(a: Any, b: Any) -> Any:
        return function(a, b).astype(np.result_type(a, b))  # a float, for only that is recorded

    forward.__name__ = name
    made = Op(forward, f"{{a}} {SIGNS[name]} {{b}}")
    made.has_all_rules = True
    return made


def _require_same(name: str, first: Traced, second: Traced) -> None:
    """Refuse a cell whose two runs differ in more than the numbers of their arguments."""
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


_PURE = "draw random numbers outside, and hand them in with the input; combine masks with tg.where; let no value decide what is computed"
