"""What drawings call things: values by their names and time steps, ops by their symbols, settings by their values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from string import Formatter
from typing import Any

from ..errors import argument_error, describe
from ..graph import Node, Scope, Value, node_of, toposort
from .scopes import resolve_scopes, time_step

SUBSCRIPTS = str.maketrans("-0123456789", "₋₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def recorded_values(operation: str, output: Any) -> list[Value]:
    """Everything that was recorded on the way to `output`, oldest first; refused if nothing was."""
    if not isinstance(output, Value) or output.node is None:
        raise argument_error(
            operation,
            "output",
            expected="a Tensor that was computed from tensors with requires_grad=True",
            got=f"a Tensor without a graph, {describe(output)}"
            if isinstance(output, Value)
            else describe(output),
            fix="draw the result of a computation, for example the loss, and compute it outside of tg.no_grad()",
            kind=TypeError,
        )
    return toposort(output)[::-1]


def escape_unprintable(name: str) -> str:
    """`name` on one line, what cannot be printed written as its escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def find_initial_states(values: Iterable[Value]) -> dict[Value, int]:
    """The time step before a loop that a first state stands for, and with it the leaves that are first states.

    A leaf is one if, where it enters an op, the same op of another step takes what an earlier step made under the same name:
    how far back that reaches, it reaches back too. Ops are paired from the end of a step, for the first one may lack what has
    a constant start.
    """
    turns: Counter[tuple] = Counter()
    alike: dict[tuple, dict[int, Node]] = {}
    for value in reversed(list(values)):
        node = node_of(value)
        here = _walk(node.scope)
        if here is not None:
            turns[(*here, node.op.name)] += 1
            alike.setdefault((here[0], here[2:], node.op.name, turns[(*here, node.op.name)]), {})[
                here[1]
            ] = node
    found: dict[Value, int] = {}
    for by_step in alike.values():
        if max(by_step) - min(by_step) >= len(by_step):
            continue  # steps that do not follow each other have no number between them
        reach: dict[tuple[int, str], set[int]] = {}
        for step, node in by_step.items():
            for i, x in enumerate(node.inputs):
                if (
                    isinstance(x, Value)
                    and x.node
                    and x.name
                    and (made := time_step(x.node.scope)) not in (None, step)
                ):
                    reach.setdefault((i, x.name), set()).add(step - made)
        for step, node in by_step.items() if reach else ():
            for i, x in enumerate(node.inputs):
                if (
                    isinstance(x, Value)
                    and x.node is None
                    and x.name
                    and len(lags := reach.get((i, x.name), set())) == 1
                ):
                    found.setdefault(x, step - next(iter(lags)))
    return found


def _walk(scope: Scope) -> tuple | None:
    """The loop around a node, its time step, and what tells one walk and one module from another; None outside of time."""
    for i in range(len(scope) - 1, -1, -1):
        if (part := scope[i]).is_step:
            before, after = tuple(map(str, scope[:i])), tuple(map(str, scope[i + 1 :]))
            return before, part.index, after, part.call
    return None


def label_values(values: Iterable[Value], *, apart: bool = True) -> dict[Value, str]:
    """A label for every named value and every leaf that was used; with `apart` no two are alike, else no two in one scope.

    A result carries its time step (``h₃``). A leaf carries none, for a parameter belongs to all steps; but where several
    constants of one name were used, one in each step (``x``), each carries its own; and a first state that of the step
    before (``h₋₁``).
    """
    values = list(values)
    leaves: dict[Value, set[int | None]] = {}
    scopes: dict[Value, Any] = {} if apart else resolve_scopes(values)
    made: dict[str | None, set[int]] = {}
    for value in values:
        if (step := time_step(node_of(value).scope)) is not None:
            made.setdefault(value.name, set()).add(step)
        for x in node_of(value).inputs:
            if isinstance(x, Value) and x.node is None:
                leaves.setdefault(x, set()).add(step)
                if not apart:
                    scopes.setdefault(x, x if step is None or x.tracked else scopes[value])
    names, starts = Counter(x.name for x in leaves), find_initial_states(values)
    labels: dict[Value, str] = {}
    taken: Counter[Any] = Counter()

    def give(x: Value, name: str, step: int | None) -> None:
        label = escape_unprintable(name) + ("" if step is None else str(step).translate(SUBSCRIPTS))
        where = scopes.get(x)
        taken[label, where] += 1
        while taken[label, where] > 1:
            label += f"⁽{str(taken[label, where]).translate(SUPERSCRIPTS)}⁾"
            taken[label, where] += 1
        labels[x] = label

    for x, steps in leaves.items():
        step = next(iter(steps)) if len(steps) == 1 and not x.tracked else None
        if x.name and not x.tracked and (x in starts or names[x.name] == 1):
            give(x, x.name, _start(starts.get(x), step, made.get(x.name, set())))
        elif x.name:
            give(x, x.name, step if names[x.name] > 1 else None)
        elif x.tracked:
            give(x, "leaf", None)
        else:
            labels[x] = format_constant(x.array)
    for value in values:
        if value.name:
            give(value, value.name, time_step(node_of(value).scope))
    return labels


def _start(found: int | None, used: int | None, made: set[int]) -> int | None:
    """The number of a first state; if no other step says it, that next to the one step in which it is used, if that is at an end."""
    if found is not None:
        return found
    if used is None or not made:
        return None
    if used == min(made):
        return used - 1 if used + 1 in made or len(made) == 1 else None
    if used == max(made):  # a walk backwards begins at the last step
        return used + 1 if used - 1 in made else None
    return None


def format_constant(x: Any) -> str:
    """A number by its value, an array by its shape."""
    x = getattr(x, "array", x)
    shape = getattr(x, "shape", ())
    return f"{x:g}".replace("-", "−") if shape == () else f"array{shape}"


def format_setting(x: Any) -> str:
    """A setting as it was written: slices with colons, arrays by their shape."""
    if isinstance(x, slice):
        bounds = ("" if bound is None else format_setting(bound) for bound in (x.start, x.stop))
        return ":".join(bounds) + ("" if x.step is None else f":{format_setting(x.step)}")
    if isinstance(x, tuple):
        return ", ".join(map(format_setting, x))
    if x is Ellipsis:
        return "…"
    shape = getattr(x, "shape", ())
    return f"array{shape}" if shape else escape_unprintable(str(x))


def format_settings(node: Node) -> dict[str, str]:
    """The settings of a node that its formula leaves out and that are not at their defaults."""
    mentioned = {field for _, field, _, _ in parse_formula(node.op.formula)}
    defaults = node.op.defaults
    return {
        name: f"({format_setting(value)})" if isinstance(value, tuple) else format_setting(value)
        for name, value in node.params.items()
        if name not in mentioned and repr(value) != repr(defaults.get(name))
    }


@cache
def parse_formula(formula: str) -> list[tuple[str, str | None, str | None, str | None]]:
    """A formula cut at its placeholders."""
    return list(Formatter().parse(formula))


def symbol(node: Node) -> str:
    """What stands for the op in a picture: the one sign or function name in its formula, else the name of the op."""
    text = "".join(literal for literal, *_ in parse_formula(node.op.formula))
    signs = "".join(" " if c in "()[]|," else c for c in text).split()
    return signs[0] if len(signs) == 1 and signs[0] not in "²ᵀ" else node.op.name


def caption(node: Node, labels: Mapping[Value, str]) -> str:
    """What a vertex of a picture says about its op: its sign, or its formula with names and numbers in it.

    What has no name comes along an edge; a dot stands for it.
    """
    others = "".join(f", {name}={value}" for name, value in format_settings(node).items())[2:]
    if node.op.variadic:
        return f"{symbol(node)}({others})" if others else symbol(node)
    filled, plain = {}, symbol(node) != node.op.name
    for name, x, array in zip(node.op.inputs, node.inputs, node.arrays, strict=True):
        number = getattr(array, "ndim", 0) == 0 and not (
            isinstance(x, Value) and (x.node or x.tracked or x.name)
        )
        filled[name] = (
            format_constant(array)
            if number
            else labels.get(x, "·")
            if isinstance(x, Value) and x.name
            else "·"
        )
        plain = plain and not number
    for name in node.params.keys() & {
        field for _, field, _, _ in parse_formula(node.op.formula) if field
    }:
        filled[name] = re.sub(
            r"array\([\d, ]*\)(, array\([\d, ]*\))*", "…", format_setting(node.params[name])
        )
        plain = False
    if plain or set(filled.values()) == {"·"}:
        return f"{symbol(node)}({others})" if others else symbol(node)
    text = node.op.formula.format(**filled)
    return f"{text} [{others}]" if others else text
