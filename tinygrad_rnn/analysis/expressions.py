"""The formula of each result with its inputs filled in; which results get their own equation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..graph import Node, Value
from ..scope_part import Scope, format_scope
from .brackets import ATOM, Text, fill_formula, with_level
from .labels import escape_unprintable, find_dtype, format_constant, format_setting, format_settings
from .scopes import resolve_scopes

INLINE = 40
"""The greatest length of the text of an unnamed result that is inlined into another equation."""

SHOWN = 8
"""The greatest number of inputs of one op that are written out."""

Inline = dict[Value, Text]
"""For each result that is inlined into another equation, its text and the level of the text.

The module `brackets` explains levels.
"""


def list_equations(
    values: list[Value], labels: dict[Value, str], inline: Inline
) -> Iterator[tuple[int, Value, Scope]]:
    """Yield the number, the result and the scope of each equation, in the order of computation.

    A result that is inlined into another equation is not yielded. Its text is added to `inline`
    before the equation that uses it is yielded.
    """
    scopes = resolve_scopes(values)
    uses = Counter(x for value in values for x in value.node.inputs if isinstance(x, Value))
    consumer = {x: value for value in values for x in value.node.inputs if isinstance(x, Value)}
    for number, value in enumerate(values, 1):
        text, level = format_expression(value.node, labels, inline)
        if (
            not value.name
            and uses[value] == 1
            and len(text) <= INLINE
            and scopes[value] == scopes[consumer[value]]
            and _occurs_once(value, consumer[value].node)
        ):
            inline[value] = text, level
        else:
            yield number, value, scopes[value]


def format_heading(scope: Scope) -> str:
    """Return the heading of the equations in a scope."""
    return escape_unprintable(format_scope(scope, "time step {}", ", ")) or "outside of time"


def format_equation(value: Value, labels: dict[Value, str], inline: Inline | None = None) -> str:
    """Return the equation of one result, with the labels of its inputs: ``z = σ(#3)``."""
    return f"{labels[value]} = {format_expression(value.node, labels, inline or {})[0]}"


def format_expression(node: Node, labels: dict[Value, str], inline: Inline) -> Text:
    """Return the formula of a node with its inputs filled in, and the formula's level."""
    others = ", ".join(f"{name}={value}" for name, value in format_settings(node).items())
    return fill_formula(node.op.formula, list_operands(node, labels, inline), others)


def list_operands(node: Node, labels: dict[Value, str], inline: Inline) -> dict[str, Text]:
    """Return the text for each placeholder of the formula, and the level of that text."""
    dtype, inputs = find_dtype(node), []
    for x, array in zip(node.inputs, node.arrays, strict=True):
        if not isinstance(x, Value):
            inputs.append(with_level(format_constant(array, dtype)))
        else:
            inputs.append(inline[x] if x in inline else with_level(labels.get(x, "·")))
    if node.op.variadic:
        operands = {node.op.inputs[0]: (join_inputs([text for text, _ in inputs]), ATOM)}
    else:
        operands = dict(zip(node.op.inputs, inputs, strict=True))
    return operands | {name: with_level(format_setting(x)) for name, x in node.params.items()}


def join_inputs(texts: list[str], dots: str = "…", count: str = " ({} in all)") -> str:
    """Return the inputs of an op that has any number of them, without those in the middle."""
    if len(texts) > SHOWN:
        texts = [*texts[: SHOWN - 2], dots, texts[-1] + count.format(len(texts))]
    return ", ".join(texts)


def _occurs_once(value: Value, user: Node) -> bool:
    """Return whether the formula of `user` shows its input `value` in exactly one place."""
    if user.op.variadic:
        return False
    position = next(i for i, x in enumerate(user.inputs) if x is value)
    return user.op.formula.count("{" + user.op.inputs[position] + "}") == 1
