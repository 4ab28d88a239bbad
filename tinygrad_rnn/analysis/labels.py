"""Text in drawings and equations: names with time steps, symbols of ops, values of settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np

from ..errors import argument_error, describe
from ..graph import Node, Value, toposort, unwrap
from ..scope_part import GradientName, Scope
from .brackets import fill_formula, parse_formula, with_level
from .owners import name_by_owner
from .scopes import is_in_gradient, once_per_scope, resolve_scopes, time_step

SUBSCRIPTS = str.maketrans("-0123456789", "₋₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

SMALL = 8
"""The greatest number of entries of an array whose numbers are written out."""


def recorded_values(operation: str, *outputs: Any) -> list[Value]:
    """Return the outputs and all recorded values that they were computed from, oldest first.

    Raises
    ------
    TypeError
        If an output has no graph.
    """
    found: dict[Value, None] = {}
    for output in outputs:
        if not isinstance(output, Value) or output.node is None:
            graphless = "a Tensor without a graph, " if isinstance(output, Value) else ""
            expected = "a Tensor that was computed from tensors with requires_grad=True"
            fix = "pass the result of a computation, for example the loss, and compute it outside "
            got, fix = graphless + describe(output), f"{fix}of tg.no_grad()"
            raise argument_error(operation, "output", expected, got, fix, TypeError)
        found |= dict.fromkeys(toposort(output))
    return sorted(found, key=attrgetter("node.index"))


def escape_unprintable(name: str) -> str:
    """Return `name` on one line, with escape sequences for characters that cannot be printed."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


# -- labels of values ----------------------------------------------------------------------------


def label_values(
    values: Iterable[Value], *, unique: bool = True, numbered: bool = False
) -> dict[Value, str]:
    """Return a label for each named result and each leaf that was used.

    Drawings, equations and `backward_steps` all use these labels.

    The label of a result is its name and time step (``h₃``). The label of a gradient is ``∂`` and
    the label of the value whose gradient it is (``∂h₃``). The label of a leaf has no time step,
    because a parameter belongs to all steps. There are two exceptions. If several leaves have the
    same name, and one of them is a constant that a single step uses, its label has that step
    (``x₃``). The label of an initial state has the step before the loop (``h₋₁``). Other leaves of
    the same name have the names of their modules in front (``fc1.weight``). The label of a constant
    without a name is its value or its shape.

    Parameters
    ----------
    values : iterable of Value
        Results, oldest first.
    unique : bool
        If True, no two values get the same label; if False, no two values in the same scope do. A
        label that would repeat an earlier one gets a number (``h⁽²⁾``). Constants without a name
        are exempt.
    numbered : bool
        If True, a result without a name has its place among all results as its label (``#4``).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> w = tg.Tensor(2.0, requires_grad=True, name="w")
    >>> loss = (w * w).sum()
    >>> label_values(recorded_values("label_values", loss), numbered=True)[loss]
    '#2'
    """
    values = list(values)
    labels = _Labels({} if unique else _scopes_of_labels(values))
    _label_leaves(values, labels)
    scopes, find_step = resolve_scopes(values), once_per_scope(time_step)
    keys: dict[Value, int] = {}
    numbers: dict[Any, int] = {}
    parts: dict[Any, str] = {}
    for number, value in enumerate(values, 1):
        of = value.name.of() if isinstance(value.name, GradientName) else None
        key = _key_of_part(value, keys)
        if key is not None:
            keys[value] = numbers.setdefault(key, len(numbers))
        if key is not None and value.name:  # it is of no step
            if key not in parts:
                labels.add(value, value.name, None)
            labels.of[value] = parts.setdefault(key, labels.of.get(value, value.name))
        elif of is not None and of.name and of in labels.of:
            labels.add(value, f"∂{labels.of[of]}", None)
        elif value.name:
            # The sum of contributions from several steps ends in one of them, but is of none.
            scope = scopes[value]
            labels.add(value, value.name, None if is_in_gradient(scope) else find_step(scope))
        elif numbered:
            labels.of[value] = f"#{number}"
    return labels.of


PARTS = {"getitem", "reshape", "transpose", "squeeze", "expand_dims", "add"}
"""Ops that take a part of a weight, such as the rows of a gate, or add biases."""


def _key_of_part(value: Value, known: Mapping[Value, int]) -> Any:
    """Return a key of what a result is as a part of a weight; None for any other result.

    Parts of one key are equal, in whichever time steps they are taken.
    """
    node = value.node
    leaves = [isinstance(x, Value) and x.node is None and x.tracked for x in node.inputs]
    inputs = [known.get(x, id(x)) if isinstance(x, Value) else None for x in node.inputs]
    is_part = all(
        leaf or (isinstance(x, Value) and x in known)
        for leaf, x in zip(leaves, node.inputs, strict=True)
    )
    if node.op.name not in PARTS or not is_part or (len(leaves) > 1 and not all(leaves)):
        return None
    return node.op.name, value.name, tuple(inputs), repr(node.params)


class _Labels:
    """Labels that are different from each other in each scope."""

    def __init__(self, scopes: dict[Value, Any]):
        self.scopes = scopes
        self.of: dict[Any, str] = {}
        self.taken: Counter[Any] = Counter()

    def add(self, x: Value, name: str, step: int | None) -> None:
        """Label `x` with `name` and `step`, and with a number if another value has that label."""
        label = escape_unprintable(name) + ("" if step is None else str(step).translate(SUBSCRIPTS))
        where = id(self.scopes.get(x))  # equal scopes are one object
        self.taken[label, where] += 1
        while self.taken[label, where] > 1:
            label += f"⁽{str(self.taken[label, where]).translate(SUPERSCRIPTS)}⁾"
            self.taken[label, where] += 1
        self.of[x] = label


def _label_leaves(values: list[Value], labels: _Labels) -> None:
    """Label each leaf that was used."""
    scopes, find_step = resolve_scopes(values), once_per_scope(time_step)
    uses: dict[Value, list[Scope]] = {}
    made_in: dict[str | None, set[int]] = {}
    for value in values:
        step = find_step(scopes[value])
        if step is not None:
            made_in.setdefault(value.name, set()).add(step)
        for x in value.node.inputs:
            if isinstance(x, Value) and x.node is None:
                uses.setdefault(x, []).append(scopes[value])
    counts: Counter[Any] = Counter(x.name for x in uses)
    initial = find_initial_states(values)
    only_step = {x: _find_only_step(x, map(find_step, where)) for x, where in uses.items()}
    of_modules = {
        x: where
        for x, where in uses.items()
        if x.name and x not in initial and only_step[x] is None and counts[x.name] > 1
    }
    owned = name_by_owner(of_modules)
    for x, step in only_step.items():
        if x.name and not x.tracked and (x in initial or counts[x.name] == 1):
            start = _initial_step(initial.get(x), step, made_in.get(x.name, set()))
            labels.add(x, x.name, start)
        elif x.name:
            labels.add(x, owned.get(x) or x.name, step if counts[x.name] > 1 else None)
        elif x.tracked:
            labels.add(x, "leaf", None)
        else:
            labels.of[x] = format_constant(x)


def _find_only_step(x: Value, steps: Iterable[int | None]) -> int | None:
    """Return the time step of all uses of a constant; None if there are several, or none."""
    found = set(steps)
    return found.pop() if len(found) == 1 and not x.tracked else None


def _scopes_of_labels(values: list[Value]) -> dict[Value, Any]:
    """Return, for each value, the scope in which its label must be unique.

    A constant that is first used in a time step has the scope of that use. Any other leaf has a
    scope of its own.
    """
    scopes: dict[Value, Any] = {**resolve_scopes(values)}
    find_step = once_per_scope(time_step)
    for value in values:
        in_time = find_step(scopes[value]) is not None
        for x in value.node.inputs:
            if isinstance(x, Value) and x.node is None:
                scopes.setdefault(x, scopes[value] if in_time and not x.tracked else x)
    return scopes


def _initial_step(known: int | None, used: int | None, made: set[int]) -> int | None:
    """Return the time step that a constant stands for as an initial state; None if it is not one.

    Parameters
    ----------
    known : int or None
        The step that `find_initial_states` found.
    used : int or None
        The one step in which the constant is used.
    made : set of int
        The steps in which a result of the same name is computed. If `known` is None, a constant
        that is used in the first of these steps stands for the step before it. A scan in reverse
        starts at the last step, so a constant that is used there stands for the step after it.
    """
    if known is not None or used is None or not made:
        return known
    if used == min(made):
        return used - 1 if used + 1 in made or len(made) == 1 else None
    if used == max(made):
        return used + 1 if used - 1 in made else None
    return None


def find_initial_states(values: Iterable[Value]) -> dict[Value, int]:
    """Return the leaves that are initial states, each with the time step that it stands for.

    Suppose that at one step an op takes a value named ``h`` that was computed k steps earlier. If
    the same op takes a leaf named ``h`` at step t, this leaf is an initial state and stands for
    step t − k.

    Parameters
    ----------
    values : iterable of Value
        Results, oldest first.
    """
    values = list(values)
    starts: dict[Value, int] = {}
    scopes, find_step = resolve_scopes(values), once_per_scope(time_step)
    for by_step in _group_repeated_ops(scopes):
        if max(by_step) - min(by_step) >= len(by_step):
            continue  # with gaps between the steps, the step before is unknown
        lags: dict[tuple[int, str], set[int]] = {}
        for step, node in by_step.items():
            for i, x in _named_inputs(node):
                made = find_step(scopes[x]) if x in scopes else None
                if made is not None and made != step:
                    lags.setdefault((i, x.name or ""), set()).add(step - made)
        for step, node in by_step.items() if lags else ():
            for i, x in _named_inputs(node):
                at_input = lags.get((i, x.name or ""), set())
                if x.node is None and len(at_input) == 1:
                    starts.setdefault(x, step - next(iter(at_input)))
    return starts


def _group_repeated_ops(scopes: dict[Value, Scope]) -> Iterable[dict[int, Node]]:
    """Return, for each op in the body of a loop, its nodes by time step.

    Ops are counted from the end of a step, because the first step may lack some of the ops at its
    beginning: if the initial state is a constant, an op on it and other constants is not recorded.
    """
    counts: Counter[tuple] = Counter()
    groups: dict[tuple, dict[int, Node]] = {}
    find_place = once_per_scope(_place_in_loop)
    for value in reversed(scopes):
        node = value.node
        if place := find_place(scopes[value]):
            loop, step = place
            counts[loop, step, node.op.name] += 1
            key = loop, node.op.name, counts[loop, step, node.op.name]
            groups.setdefault(key, {})[step] = node
    return groups.values()


def _place_in_loop(scope: Scope) -> tuple[tuple, int] | None:
    """Return a key of the place in the innermost loop, and the step; None outside of loops."""
    for i in reversed(range(len(scope))):
        if scope[i].is_step:
            return (scope[:i], scope[i + 1 :]), scope[i].index
    return None


def _named_inputs(node: Node) -> list[tuple[int, Value]]:
    """Return the position and the Value of each input that is a Value with a name."""
    return [(i, x) for i, x in enumerate(node.inputs) if isinstance(x, Value) and x.name]


# -- settings and ops ----------------------------------------------------------------------------


def find_dtype(node: Node) -> np.dtype | None:
    """Return the dtype in which a node computes: that of its floating arrays; None without them."""
    floating = [a.dtype for a in node.arrays if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    return np.result_type(*floating) if floating else None


def format_constant(x: Any, dtype: np.dtype | None = None) -> str:
    """Return the text of a constant: its numbers, or the shape of an array that is not small.

    Each number is the shortest decimal that gives the same number again.

    Parameters
    ----------
    x : Value, array or number
    dtype : numpy.dtype, optional
        The dtype of the op that uses `x`. A Python number has no dtype of its own, so the op
        converts it to this one.

    Examples
    --------
    >>> import numpy as np
    >>> format_constant(np.pi, np.dtype("float32")), format_constant(np.array([2.0, -0.5]))
    ('3.1415927', '[2, −0.5]')
    """
    array = np.asarray(unwrap(x))
    if dtype is not None and type(x) in (int, float):
        with np.errstate(over="ignore"):  # a number beyond the dtype is inf, in the op too
            array = array.astype(dtype)
    return _format_numbers(array) if 0 < array.size <= SMALL else f"array{array.shape}"


def _format_numbers(array: Any) -> str:
    """Return the text of an array as nested lists, ``[[1, 0], [0, 1]]``, or of a number."""
    if array.ndim:
        return f"[{', '.join(map(_format_numbers, array))}]"
    text = str(array[()]).replace("-", "−")
    return text if text == "−0.0" else text.removesuffix(".0")  # as an integer, −0 has no sign


def format_setting(x: Any) -> str:
    """Return the text of a setting: colons for a slice, as in code; an array as a constant."""
    if isinstance(x, slice):
        bounds = ("" if bound is None else format_setting(bound) for bound in (x.start, x.stop))
        return ":".join(bounds) + ("" if x.step is None else f":{format_setting(x.step)}")
    if isinstance(x, tuple):
        return ", ".join(map(format_setting, x))
    if isinstance(x, list):
        return f"[{'; '.join(map(format_setting, x))}]"
    if x is Ellipsis:
        return "…"
    return format_constant(x) if getattr(x, "shape", ()) else escape_unprintable(str(x))


def _format_short_setting(x: Any) -> str:
    """Do the same as `format_setting`, but write one ``…`` for each run of arrays in a tuple."""
    parts = x if isinstance(x, tuple) else (x,)
    runs = groupby(parts, lambda part: bool(getattr(part, "shape", ())))
    return ", ".join(
        "…" if is_array else ", ".join(map(format_setting, run)) for is_array, run in runs
    )


def format_settings(node: Node) -> dict[str, str]:
    """Return the text of each setting that is not in the op's formula and not at its default.

    Axes in the opposite order are what the formula of a transpose says anyway.
    """
    mentioned = {field for _, field, _, _ in parse_formula(node.op.formula)}
    defaults = node.op.defaults
    return {
        name: f"({format_setting(value)})" if isinstance(value, tuple) else format_setting(value)
        for name, value in node.params.items()
        if name not in mentioned
        and repr(value) != repr(defaults.get(name))
        and not (node.op.name == "transpose" and value == (*reversed(range(len(value))),))
    }


def op_symbol(node: Node) -> str:
    """Return the op's sign or function name if its formula shows just one, else the op's name."""
    text = "".join(literal for literal, *_ in parse_formula(node.op.formula))
    signs = "".join(" " if c in "()[]|," else c for c in text).split()
    return signs[0] if len(signs) == 1 and signs[0] not in "²ᵀ" else node.op.name


def format_caption(node: Node, labels: Mapping[Value, str]) -> str:
    """Return the text of an op in a drawing: its symbol, or its formula with names and numbers.

    A dot stands for each input without a name. An edge of the drawing shows where that input comes
    from.
    """
    symbol = op_symbol(node)
    settings = ", ".join(f"{name}={value}" for name, value in format_settings(node).items())
    has_number, operands = False, {}
    if not node.op.variadic:
        for name, x, array in zip(node.op.inputs, node.inputs, node.arrays, strict=True):
            is_value = isinstance(x, Value)
            operands[name] = labels.get(x, "·") if is_value and x.name else "·"
            if getattr(array, "ndim", 0) == 0 and not (
                is_value and (x.node or x.tracked or x.name)
            ):
                has_number, operands[name] = True, format_constant(array, find_dtype(node))
        fields = [field for _, field, _, _ in parse_formula(node.op.formula)]
        shown = [name for name in node.params if name in fields]
        operands |= {name: _format_short_setting(node.params[name]) for name in shown}
        says_more = symbol == node.op.name or has_number or shown
        if says_more and set(operands.values()) != {"·"}:
            texts = {name: with_level(text) for name, text in operands.items()}
            return fill_formula(node.op.formula, texts, settings)[0]
    return f"{symbol}({settings})" if settings else symbol
