"""A graph as numbered equations that read like the program that ran, grouped by time step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from unicodedata import combining

from .. import check
from ..graph import Node, Value
from ..scope_part import Scope, format_scope
from .brackets import ATOM, Text, fill_formula, with_level
from .labels import (
    escape_unprintable,
    find_dtype,
    format_constant,
    format_setting,
    format_settings,
    label_values,
    recorded_values,
)
from .scopes import resolve_scopes

WIDTH = 64
"""The column at which shapes begin; a longer equation pushes its shape to the right."""

INLINE = 40
"""The greatest length of the text of an unnamed result that is inlined into another equation."""

SHOWN = 8
"""The greatest number of inputs of one op that are written out."""

PARAMETERS_WIDTH = 80
"""The greatest width of the lines that list the parameters."""

Inline = dict[Value, Text]
"""For each result that is inlined into another equation, its text and the level of the text.

The module `brackets` explains levels.
"""


def format_graph(output: Value, *, shapes: bool = True, form: str = "text") -> str:
    """Return the graph of `output` as equations in the order in which they were computed.

    The name of a result is followed by its time step (``h₁``). A result without a name is inlined
    into the equation that uses it, if it is used only once and its text is short. Otherwise it is
    named by its number (``#7``). All results are numbered in the order of computation, so the
    numbers of results that are inlined are left out. `backward_steps` uses the same numbers.

    A number has every digit that its dtype needs: 1/3 is 0.33333334 in float32. The numbers of a
    constant array of at most 8 entries are written out (``[2, 3]``). A larger one is shown by its
    shape. A condition such as ``x > 0`` is a constant for the graph, so its values are shown.

    Parameters
    ----------
    output : Tensor
        The result of a computation, such as a loss.
    shapes : bool
        If True, write the shape of each result on the right.
    form : {"text", "latex"}
        The language of the equations; see `latex`.

    Returns
    -------
    str
        The equations. Every run of the same program gives the same text.

    Raises
    ------
    TypeError
        If `output` has no graph.
    ValueError
        If `form` has another value.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import draw
    >>> w = tg.Tensor(0.5, requires_grad=True, name="w")
    >>> def cell(x, h):
    ...     h = tg.tanh(w * h + x)
    ...     h.name = "h"
    ...     return h, h
    >>> outputs, h = tg.scan(cell, tg.Tensor([1.0, 2.0]), tg.Tensor(0.0))
    >>> print(draw.text(h))
    parameters: w ()
    <BLANKLINE>
    time step 0
       3  h₀ = tanh(w ⊙ 0 + 1)                                              ()
    <BLANKLINE>
    time step 1
       6  h₁ = tanh(w ⊙ h₀ + 2)                                             ()
    """
    values = recorded_values("draw.text", output)
    labels = label_values(values, numbered=True)
    if check.one_of("graph.text", "form", form, ("text", "latex")) == "latex":
        from .latex import write_equations

        return write_equations(values, labels, shapes)
    inline: Inline = {}
    lines, here = _list_parameters(labels), None
    for number, value, scope in list_equations(values, labels, inline):
        if scope != here:
            here = scope
            lines += ["", format_heading(scope)]
        equation = format_equation(value, labels, inline)
        if shapes:
            # Combining characters such as the tilde of h̃ have no width of their own.
            width = WIDTH + sum(map(bool, map(combining, equation)))
            equation = f"{equation:<{width}}  {value.array.shape}"
        lines.append(f"{number:4}  {equation}")
    return "\n".join(lines)


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


def _list_parameters(labels: dict[Value, str]) -> list[str]:
    """Return the parameters with their shapes, in lines of limited width."""
    parameters = [(x, label) for x, label in labels.items() if x.node is None and x.tracked]
    lines, line = [], "parameters:"
    for i, (x, label) in enumerate(parameters, 1):
        text = f"{label} {x.array.shape}" + ("," if i < len(parameters) else "")
        if len(line) + len(text) >= PARAMETERS_WIDTH:
            lines.append(line)
            line = " " * len("parameters:")
        line += " " + text
    return [*lines, line]


def _occurs_once(value: Value, user: Node) -> bool:
    """Return whether the formula of `user` shows its input `value` in exactly one place."""
    if user.op.variadic:
        return False
    position = next(i for i, x in enumerate(user.inputs) if x is value)
    return user.op.formula.count("{" + user.op.inputs[position] + "}") == 1


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
