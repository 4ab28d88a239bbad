"""Brackets in formulas: an operand gets them only where the formula needs them.

Each text has a level: how tightly its outermost operator binds. An operand gets brackets if it
binds less tightly than its place in the formula requires.
"""

from __future__ import annotations

import re
from functools import cache
from string import Formatter

WORD, SUM, PRODUCT, NEGATION, POWER, PREFIX, POSTFIX, ATOM = range(1, 9)
"""The levels of ``a mod b``, ``a + b``, ``a / b``, ``−a``, ``a ** b``, ``√a``, ``a²`` and ``f(a)``.

An operator that is not known has the level `WORD`, so its text gets brackets as an operand of any
other operator.
"""

FORMS = {
    r".* [+−-] .*": SUM,
    r".* ([⊙@/*]|//) .*": PRODUCT,
    r"[−-]\S.*": NEGATION,
    r"\S+ \*\* \S+": POWER,
    r"[√∛]\S+": PREFIX,
    r"□(•|[²³ᵀ])": POSTFIX,
    r"[^□\s]*": ATOM,
}
"""Regular expressions of formulas, in which □ is an operand and • is anything in brackets."""

LEFT_OF = {"+": SUM, "−": SUM, "-": SUM, "⊙": NEGATION, "@": NEGATION, "/": NEGATION}
"""For each sign: the lowest level at which the operand on its left needs no brackets."""

RIGHT_OF = {"+": SUM, "−": PRODUCT, "-": PRODUCT, "⊙": POWER, "@": POWER, "/": POWER}
RIGHT_OF |= {"√": PREFIX, "∛": PREFIX}
"""For each sign: the lowest level at which the operand on its right needs no brackets."""

OPENING, CLOSING, MINUS = "([⌊⌈|,;", ")]⌋⌉|,;", ("−", "-")
SUPERSCRIPTS = "²³ᵀ⁻⁾"

Text = tuple[str, int]
"""A text and its level."""


@cache
def parse_formula(formula: str) -> list[tuple[str, str | None, str | None, str | None]]:
    """Return the literal text and the placeholders of a formula, as `string.Formatter` does."""
    return list(Formatter().parse(formula))


def with_level(text: str) -> Text:
    """Return the text of a name, a number or a setting, together with its level."""
    return text, NEGATION if text.startswith(MINUS) else ATOM


def fill_formula(formula: str, operands: dict[str, Text], settings: str = "") -> Text:
    """Return a formula with its placeholders filled in, and the level of the result.

    Parameters
    ----------
    formula : str
        A formula as `tg.op` takes it: ``"{a} ** {b}"``.
    operands : dict
        The text and the level of each operand, by the name of its placeholder.
    settings : str, optional
        More settings, ``"axis=0"`` for example. They stand in the brackets of a function call, or
        in square brackets at the end.

    Examples
    --------
    >>> fill_formula("{a} ** {b}", {"a": ("x ** y", POWER), "b": ("2", ATOM)})
    ('(x ** y) ** 2', 5)
    """
    parts = parse_formula(formula)
    result = ""
    for i, (literal, field, _, _) in enumerate(parts):
        result += literal
        if field is not None:
            text, level = operands.get(field, ("{" + field + "}", ATOM))
            after = parts[i + 1][0] if i + 1 < len(parts) else ""
            result += f"({text})" if needs_brackets(text, level, literal, after) else text
    level = operands[parts[0][1] or ""][1] if find_skeleton(formula) == "□" else _level(formula)
    if not settings:
        return result, level
    if formula.endswith(")"):
        return f"{result[:-1]}, {settings})", level
    return f"{result if level >= POSTFIX else f'({result})'} [{settings}]", POSTFIX


@cache
def find_skeleton(formula: str) -> str:
    """Return a formula with □ for each operand, and • for each pair of brackets and its content."""
    text, before = re.sub(r"\{\w+\}", "□", formula), ""
    while text != before:
        before = text
        text = re.sub(r"\|□\||[(\[⌊⌈][^()\[\]⌊⌋⌈⌉]*[)\]⌋⌉]", "•", text)
    return text


@cache
def _level(formula: str) -> int:
    """Return the level of a formula."""
    skeleton = find_skeleton(formula)
    return next((n for form, n in FORMS.items() if re.fullmatch(form, skeleton)), WORD)


def needs_brackets(text: str, level: int, before: str, after: str) -> bool:
    """Return True if an operand between these two pieces of a formula needs brackets."""
    left, right = before.strip()[-1:], after.strip()[:1]
    if text.startswith(MINUS) and left and left not in OPENING:
        return True  # two signs in a row
    if left == "|" and "|" in text:
        return True
    if right and right in "²³⁻" and text[-1:] in SUPERSCRIPTS:
        return True  # a square of a square
    if after.startswith(" **") and level < ATOM:
        return True  # a power of a power
    return level < max(_required_by_left(before, left), _required_by_right(right))


def _required_by_left(before: str, left: str) -> int:
    """Return the lowest level at which an operand after this text needs no brackets."""
    if not left or left in OPENING:
        return 0
    if before in MINUS:
        return POWER  # a sign, not a difference
    return ATOM if before.endswith("** ") else RIGHT_OF.get(left, POSTFIX)


def _required_by_right(right: str) -> int:
    """Return the lowest level at which an operand before this character needs no brackets."""
    return 0 if not right or right in CLOSING else LEFT_OF.get(right, POSTFIX)
