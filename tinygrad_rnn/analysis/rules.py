"""Derivative rules as a person writes them: ``g · (1 − y²)`` in place of ``g * (1 - y * y)``.

The text is made from the source of the rule that runs, so the two cannot differ in meaning. Helpers
that only arrange entries in memory are left out of it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ..graph import Node, Value
from ..op import Function
from .brackets import ATOM, NEGATION, POSTFIX, POWER, PRODUCT, SUM, WORD, Text
from .labels import find_dtype, format_constant, format_setting
from .rule_forms import (
    COMPARISONS,
    CONSTANTS,
    EVERYWHERE,
    FUNCTIONS,
    LEVELS,
    SAME,
    TRANSPOSED,
    WRITTEN,
)

LETTERS = "abcdefhijklmnopqrstuvwxz"
"""The names of the inputs of an op, in order. The letters g and y have another meaning."""

LEGEND = (
    "g: the gradient of the result, y: the result, a, b, …: the inputs of the op\n"
    "from left to right; products are entry by entry, and @ is the matrix product"
)
"""The meaning of the letters in rules."""


def format_rule(y: Value, position: int) -> str:
    """Return the rule that computes the contribution of the op of `y` to one of its inputs.

    Parameters
    ----------
    y : Value
        The result of the op.
    position : int
        The position of the input among the inputs of the op.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> format_rule(tg.tanh(x), 0), format_rule(x**2, 0), format_rule(x.mean(), 0)
    ('g · (1 − y²)', 'g · 2a', 'g / 2, copied to every entry')
    """
    op = y.node.op
    name = op.inputs[0 if op.variadic else position]
    source = op.rule_text(name)
    if source in WRITTEN:
        return WRITTEN[source]
    rule = getattr(op, "rules", {}).get(name)
    if rule is None:
        return source
    try:
        tree = ast.parse(source.removeprefix("return "), mode="eval").body
        return _Writer(y, _name_arguments(rule, y.node)).write_rule(tree)
    except (SyntaxError, _UnknownForm):
        return source


class _UnknownForm(Exception):
    """A rule has a form that cannot be written as a formula."""


def _name_arguments(rule: Function, node: Node) -> dict[str, Any]:
    """Return the text of each argument of a rule, by its name in the rule.

    A number that is an input is written out. The text of an argument ``*inputs`` is a list.
    """
    code, dtype = rule.__code__, find_dtype(node)
    inputs: list[str] = []
    for i, (x, array) in enumerate(zip(node.inputs, node.arrays, strict=True)):
        letter = LETTERS[i] if i < len(LETTERS) else f"a{i}"
        is_number = not isinstance(x, Value) and np.ndim(array) == 0
        inputs.append(format_constant(array, dtype) if is_number else letter)
    named = code.co_varnames[: code.co_argcount]
    texts: dict[str, Any] = dict(zip(named, ["g", "y", *inputs], strict=False))
    if code.co_flags & 0x04:  # the rule has an argument *inputs
        rest = code.co_varnames[code.co_argcount + code.co_kwonlyargcount]
        texts[rest] = ["g", "y", *inputs][code.co_argcount :]
    return texts | {name: format_setting(value) for name, value in node.params.items()}


def _bracket(text: Text, least: int) -> str:
    return text[0] if text[1] >= least else f"({text[0]})"


class _Writer:
    """Writes the expressions of one rule."""

    def __init__(self, y: Value, names: dict[str, Any]):
        self.y, self.names, self.is_copied = y, names, False

    def write_rule(self, tree: ast.expr) -> str:
        """Return the text of a whole rule."""
        text = self.write(tree)[0]
        return text + EVERYWHERE if self.is_copied else text

    def write(self, tree: Any) -> Text:
        """Return the text of an expression, and its level."""
        method: Callable[[Any], Text] | None = getattr(self, f"_write_{type(tree).__name__}", None)
        if method is None:
            raise _UnknownForm
        return method(tree)

    def _write_Name(self, tree: ast.Name) -> Text:
        text = self.names.get(tree.id, CONSTANTS.get(tree.id, tree.id))
        if isinstance(text, list):
            return ", ".join(text), WORD
        return text, NEGATION if text.startswith("−") else ATOM

    def _write_Constant(self, tree: ast.Constant) -> Text:
        if tree.value is Ellipsis:
            return "…", ATOM
        return (repr(tree.value) if isinstance(tree.value, str) else str(tree.value)), ATOM

    def _write_Tuple(self, tree: Any) -> Text:
        return ", ".join(self.write(x)[0] for x in tree.elts), WORD

    def _write_UnaryOp(self, tree: ast.UnaryOp) -> Text:
        if not isinstance(tree.op, ast.USub):
            raise _UnknownForm
        return self._write_product(tree)

    def _write_Compare(self, tree: ast.Compare) -> Text:
        text = _bracket(self.write(tree.left), SUM)
        for sign, right in zip(tree.ops, tree.comparators, strict=True):
            if type(sign) not in COMPARISONS:
                raise _UnknownForm
            text += f" {COMPARISONS[type(sign)]} {_bracket(self.write(right), SUM)}"
        return text, WORD

    def _write_IfExp(self, tree: ast.IfExp) -> Text:
        first, second = self.write(tree.body), self.write(tree.orelse)
        if first == second:  # they differ in the shape of intermediate results only
            return first
        return f"{first[0]} if {self.write(tree.test)[0]}, else {second[0]}", WORD

    def _write_Attribute(self, tree: ast.Attribute) -> Text:
        if isinstance(tree.value, ast.Name) and tree.value.id not in self.names:
            return tree.attr, ATOM  # a function of a module
        whole = self.write(tree.value)
        if tree.attr in TRANSPOSED:
            return f"{_bracket(whole, ATOM)}ᵀ", POSTFIX
        return f"{_bracket(whole, ATOM)}.{tree.attr}", ATOM

    def _write_Subscript(self, tree: ast.Subscript) -> Text:
        rest = self.names.get(tree.value.id) if isinstance(tree.value, ast.Name) else None
        place = getattr(tree.slice, "value", None)
        if isinstance(rest, list) and isinstance(place, int) and place < len(rest):
            return rest[place], ATOM  # one of the arguments *inputs
        index, whole = self.write(tree.slice)[0], self.write(tree.value)
        if index.replace("None", "").strip("…, ") == "":  # it only adds axes
            return whole
        return f"{_bracket(whole, ATOM)}[{index}]", ATOM

    def _write_Slice(self, tree: ast.Slice) -> Text:
        parts = ["" if x is None else self.write(x)[0] for x in (tree.lower, tree.upper)]
        return ":".join(parts), WORD

    def _write_BinOp(self, tree: ast.BinOp) -> Text:
        if isinstance(tree.op, ast.Mult | ast.Div):
            return self._write_product(tree)
        if isinstance(tree.op, ast.Pow):
            return self._write_power(tree)
        left, right = self.write(tree.left), self.write(tree.right)
        if isinstance(tree.op, ast.MatMult):
            return f"{_bracket(left, NEGATION)} @ {_bracket(right, POWER)}", PRODUCT
        if isinstance(tree.op, ast.BitAnd | ast.BitOr):
            return (
                f"{left[0]} {'and' if isinstance(tree.op, ast.BitAnd) else 'or'} {right[0]}",
                WORD,
            )
        if not isinstance(tree.op, ast.Add | ast.Sub):
            raise _UnknownForm
        return self._write_sum(left, right, "+" if isinstance(tree.op, ast.Add) else "−")

    def _write_sum(self, left: Text, right: Text, sign: str) -> Text:
        if right[0] == "0":
            return left
        numbers = _read_number(left), _read_number(right)
        if None not in numbers:
            total = numbers[0] + (numbers[1] if sign == "+" else -numbers[1])
            return _write_number(total)
        return f"{_bracket(left, SUM)} {sign} {_bracket(right, PRODUCT)}", SUM

    def _write_power(self, tree: ast.BinOp) -> Text:
        base, exponent = self.write(tree.left), self.write(tree.right)
        if exponent[0] in ("0", "1"):
            return ("1", ATOM) if exponent[0] == "0" else base
        if exponent[0] in ("2", "3"):
            return f"{_bracket(base, ATOM)}{'²³'[int(exponent[0]) - 2]}", POSTFIX
        return f"{_bracket(base, ATOM)} ** {_bracket(exponent, ATOM)}", POWER

    def _write_product(self, tree: Any) -> Text:
        """Return a product or quotient, without brackets for products inside of products."""
        above: list[Text] = []
        below: list[Text] = []
        sign = self._collect(tree, above, below)
        top, bottom = _join_factors(above), _join_factors(below)
        text = _bracket(top, PRODUCT if below or sign < 0 else WORD)
        if sign < 0:
            text = text[1:] if text.startswith("−") else f"−{text}"
        if below:
            top, text = (text, PRODUCT), f"{text} / {_bracket(bottom, POWER)}"
        return text, NEGATION if text.startswith("−") else top[1]

    def _collect(self, tree: Any, above: list[Text], below: list[Text]) -> int:
        """Add the factors of an expression to `above`, and its divisors to `below`.

        Return the sign of the expression.
        """
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
            return -self._collect(tree.operand, above, below)
        if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Mult):
            return self._collect(tree.left, above, below) * self._collect(tree.right, above, below)
        if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Div):
            return self._collect(tree.left, above, below) * self._collect(tree.right, below, above)
        if _name_of(tree) == "scale":
            arguments: list[Any] = getattr(tree, "args", [])
            return prod(self._collect(x, above, below) for x in arguments)
        text = self.write(tree)
        above.append(text)
        return 1

    def _write_Call(self, tree: ast.Call) -> Text:
        name, arguments = _name_of(tree), list(tree.args)
        if isinstance(tree.func, ast.Attribute) and not self._is_module(tree.func.value):
            if name in ("reshape", "astype"):
                return self.write(tree.func.value)
            arguments.insert(0, tree.func.value)
        if name in SAME or (name == "restore_axes"):
            self.is_copied |= name == "restore_axes" and self._is_smaller()
            return self.write(arguments[0])
        if name == "scale":
            return self._write_product(tree)
        if name == "reduction_factor":
            return str(prod(self.y.node.arrays[0].shape) // max(self.y.array.size, 1)), ATOM
        if name == "both_zero":
            return "0", ATOM  # it is for the power 0 ** 0 alone
        if name == "power_factor":
            return self.write(arguments[1])
        if name == "matrix_product":
            left, right = map(self.write, arguments)
            return f"{_bracket(left, NEGATION)} @ {_bracket(right, POWER)}", PRODUCT
        if name == "finite_difference":
            left, right = map(self.write, arguments)
            return self._write_sum(left, right, "−")
        return self._write_function(name, arguments, tree.keywords)

    def _write_function(self, name: str, arguments: list[Any], keywords: list[ast.keyword]) -> Text:
        if name == "scatter_rows":
            arguments = [*arguments, *(k.value for k in keywords if k.arg == "index")]
        texts = [self.write(x) for x in arguments]
        if name in FUNCTIONS:
            level = LEVELS.get(name, WORD)
            least = SUM if level in (WORD, ATOM) else POSTFIX
            words = [
                text[0] if isinstance(x, ast.Compare) else _bracket(text, least)
                for x, text in zip(arguments, texts, strict=True)
            ]
            return FUNCTIONS[name].format(*words), level
        if name == "sum":
            texts, name = texts[:1], "Σ"
        others = ", ".join(text for text, _ in texts if text != "None")
        return f"{name.lstrip('_')}({others})", ATOM

    def _is_module(self, tree: Any) -> bool:
        """Return whether an expression is a module, such as ``tg`` or ``np``."""
        return isinstance(tree, ast.Name) and tree.id not in self.names

    def _is_smaller(self) -> bool:
        return bool(self.y.array.size < self.y.node.arrays[0].size)


def _name_of(tree: Any) -> str:
    """Return the name of the function that an expression calls, or ""."""
    function = tree.func if isinstance(tree, ast.Call) else None
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _read_number(text: Text) -> Any:
    """Return the number that a text is, or None."""
    try:
        return float(text[0].replace("−", "-"))
    except ValueError:
        return None


def _write_number(number: float) -> Text:
    text = f"{number:.6g}".replace("-", "−")
    return text, NEGATION if number < 0 else ATOM


def _join_factors(factors: list[Text]) -> Text:
    """Return the text of a product. Numbers stand before a name, and equal names are a square."""
    numbers = [n for n in map(_read_number, factors) if n is not None]
    others: list[Text] = []
    for factor in factors:
        if _read_number(factor) is None:
            if others and others[-1] == factor and factor[1] == ATOM:
                others[-1] = f"{factor[0]}²", POSTFIX
            else:
                others.append(factor)
    number = prod(numbers)
    if not others:
        return _write_number(number)
    if len(others) == 1 and number == 1:
        return others[0]
    parts = [_bracket(text, POWER) for text in others]
    if abs(number) != 1:
        is_name = [text.rstrip("²³ᵀ").isalpha() for text in parts]
        after_g = next((i for i, text in enumerate(parts) if text != "g"), 0)
        place = after_g if is_name[after_g] else 0
        parts[place] = _write_number(abs(number))[0] + " · " * (not is_name[place]) + parts[place]
    text = " · ".join(parts)
    return ("−" + text, NEGATION) if number < 0 else (text, PRODUCT)
