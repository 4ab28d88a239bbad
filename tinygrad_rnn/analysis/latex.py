"""A graph as equations in LaTeX: one ``aligned`` environment, which needs amsmath alone."""

from __future__ import annotations

import re

from ..graph import Node, Value
from .brackets import POSTFIX, fill_formula, find_skeleton, needs_brackets, parse_formula
from .expressions import Inline, format_heading, join_inputs, list_equations, list_operands
from .labels import find_dtype, format_constant, format_setting, format_settings
from .latex_names import format_label, format_piece, format_words

PER_ROW = 4
"""The number of parameters in one row."""

FORMS = {
    "□ / □": (r"\frac{", "}{", "}"),
    "□ ** □": ("", "^{", "}"),
    "√□": (r"\sqrt{", "}"),
    "∛□": (r"\sqrt[3]{", "}"),
}
"""Formulas that LaTeX writes in two dimensions: the pieces around their operands."""


def write_equations(values: list[Value], labels: dict[Value, str], shapes: bool) -> str:
    """Return the equations of a graph in LaTeX, grouped by time step as in the text form.

    Parameters
    ----------
    values : list of Value
        All results, oldest first.
    labels : dict of Value to str
        Their labels and those of the leaves, from `label_values` with ``numbered=True``.
    shapes : bool
        If True, write the shape of each result on the right.
    """
    groups, inline, here = [_list_parameters(labels)], Inline(), None
    for _, value, scope in list_equations(values, labels, inline):
        if scope != here:
            here = scope
            groups.append([rf"&\text{{{format_words(format_heading(scope))}}}"])
        text = _write_expression(value.node, labels, inline)
        shape = rf" &&\quad {value.array.shape}" if shapes else ""
        groups[-1].append(f"{_write_value(value, labels)} &= {text}{shape}")
    body = " \\\\[1ex]\n".join(" \\\\\n".join(rows) for rows in groups if rows)
    body = re.sub(" +", " ", body)  # commands end with a space, and signs may have another
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


def _list_parameters(labels: dict[Value, str]) -> list[str]:
    """Return the parameters with their shapes, a few in each row."""
    shown = [
        rf"{format_label(label)}\ {x.array.shape}"
        for x, label in labels.items()
        if x.node is None and x.tracked
    ]
    rows = [",\\quad ".join(shown[i : i + PER_ROW]) for i in range(0, len(shown), PER_ROW)]
    return [r"&\text{parameters: } "[: None if i == 0 else 1] + row for i, row in enumerate(rows)]


def _write_value(x: Value, labels: dict[Value, str]) -> str:
    """Return the label of a value in LaTeX, or the numbers of a constant without a name."""
    is_constant = x.node is None and not x.tracked and not x.name
    return format_piece(labels[x]) if is_constant else format_label(labels[x])


def _write_expression(node: Node, labels: dict[Value, str], inline: Inline) -> str:
    """Return the formula of a node in LaTeX, with its inputs filled in."""
    formula, texts = node.op.formula, list_operands(node, labels, inline)
    written = _write_operands(node, labels, inline)
    parts = parse_formula(formula)
    form = FORMS.get(find_skeleton(formula))
    result = form[0] if form else ""
    for i, (before, field, _, _) in enumerate(parts):
        after = parts[i + 1][0] if i + 1 < len(parts) else ""
        result += "" if form else format_piece(before)
        if field is None:
            continue
        text = written.get(field, rf"\text{{{format_words(field)}}}")
        is_base = form is None or (i == 0 and form[1] == "^{")
        if is_base and field in texts and needs_brackets(*texts[field], before, after):
            text = f"({text})"
        result += text
        if format_piece(after)[:1] == "^" or (form is not None and form[i + 1] == "^{"):
            # LaTeX allows one superscript for each symbol, so an empty one gets the second.
            result += "{}" if "^" in text and text.endswith("}") else ""
        result += form[i + 1] if form else ""
    return _add_settings(node, result, fill_formula(formula, texts)[1])


def _add_settings(node: Node, text: str, level: int) -> str:
    """Return the formula of a node with the settings that it does not mention."""
    settings = ", ".join(
        format_piece(f"{name}={value}") for name, value in format_settings(node).items()
    )
    if not settings:
        return text
    if node.op.formula.endswith(")"):
        return f"{text[:-1]}, {settings})"
    return f"{text if level >= POSTFIX else f'({text})'}\\ [{settings}]"


def _write_operands(node: Node, labels: dict[Value, str], inline: Inline) -> dict[str, str]:
    """Return the LaTeX for each placeholder of the formula, as `list_operands` does for text."""
    dtype, inputs = find_dtype(node), []
    for x, array in zip(node.inputs, node.arrays, strict=True):
        if not isinstance(x, Value):
            inputs.append(format_piece(format_constant(array, dtype)))
        elif x in inline:  # short, so the recursion ends soon
            inputs.append(_write_expression(x.node, labels, inline))
        else:
            inputs.append(_write_value(x, labels))
    if node.op.variadic:
        operands = {node.op.inputs[0]: join_inputs(inputs, r"\dots", r"\ \text{{({} in all)}}")}
    else:
        operands = dict(zip(node.op.inputs, inputs, strict=True))
    return operands | {name: format_piece(format_setting(x)) for name, x in node.params.items()}
