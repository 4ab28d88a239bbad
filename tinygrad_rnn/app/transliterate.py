"""Write symbols in ASCII if the terminal's encoding lacks them: σ as sigma, h₀ as h_0.

Equations stay readable in this way, for example with ``LC_ALL=C`` or in a pipe on Windows.
"""

from __future__ import annotations

import codecs
import re
import unicodedata

HANDLER = "transliterate"
"""The name of the error handler, as in ``sys.stdout.reconfigure(errors=HANDLER)``."""

READINGS = {
    "⊙": "*", "·": "*", "×": "x", "÷": "/", "⁄": "/", "±": "+-", "−": "-", "→": "->", "←": "<-",
    "↦": "->", "⟨": "<", "⟩": ">", "⌊": "floor(", "⌋": ")", "⌈": "ceil(", "⌉": ")", "□": "[]",
    "∛": "cbrt", "‖": "||", "√": "sqrt", "∂": "d", "∇": "grad", "∑": "sum", "∏": "prod",
    "Σ": "Sigma", "∞": "inf", "∈": "in", "∘": "o", "∗": "*", "≈": "~", "≠": "!=", "≤": "<=",
    "≥": ">=", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "′": "'", "•": "*",
    "✓": "yes", "✗": "no", "⋮": ":", "⋯": "...", "ŷ": "y_hat", "\u0302": "_hat",
    "\u0303": "_tilde",
}  # fmt: skip
"""The ASCII text of symbols for which the Unicode name and decomposition do not give it."""
RAISED = {"<super>": "^", "<sub>": "_"}
"""The sign to write before a superscript or a subscript."""


def read_symbol(character: str) -> str:
    """Return an ASCII reading of a character, or its escape sequence if it has none.

    Examples
    --------
    >>> [read_symbol(c) for c in "σ₀ᵀ⊙é…│中"]
    ['sigma', '_0', '^T', '*', 'e', '...', '|', '\\\\u4e2d']
    """
    if character.isascii():
        return character
    name = unicodedata.name(character, "")
    kind, parts = _decompose(character)
    if character in READINGS:
        return READINGS[character]
    if letter := re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (?:FINAL )?(\w+)", name):
        size, word = letter.groups()
        return word.lower() if size == "SMALL" else word.capitalize()
    if "SQUARE BRACKET" in name:
        return "[" if "LEFT" in name else "]"  # a part of the bracket around a matrix
    if name.startswith("BOX DRAWINGS"):
        lines = {"HORIZONTAL": "-", "VERTICAL": "|"}
        return "+" if " AND " in name else lines.get(name.split()[-1], "+")
    if name.startswith(("BRAILLE", "BLACK")) or name.endswith("BLOCK"):
        return "#"  # a part of a progress bar
    if parts:
        base = [part for part in parts if not unicodedata.combining(part)]  # é without its accent
        return RAISED.get(kind, "") + "".join(map(read_symbol, base))
    return character.encode("ascii", "backslashreplace").decode()


def transliterate(text: str) -> str:
    """Return `text` in ASCII, with one ``^`` or ``_`` before a run of raised or lowered symbols.

    Examples
    --------
    >>> transliterate("h₋₁ @ U_rᵀ, x₁₂²")
    'h_-1 @ U_r^T, x_12^2'
    """
    written, last = [], ""
    for character in text:
        sign = RAISED.get(_decompose(character)[0], "")
        reading = read_symbol(character)
        written.append(reading.removeprefix(sign) if sign == last else reading)
        last = sign
    return "".join(written)


def transliterate_columns(text: str) -> str:
    """Return `text` in ASCII. A column, after two spaces or more, begins where it began before.

    Examples
    --------
    >>> print(transliterate_columns("σ(x₁)    (2, 3)\\nx + 1    (4,)"))
    sigma(x_1)  (2, 3)
    x + 1    (4,)
    """
    return "\n".join(map(_transliterate_line, text.split("\n")))


def _transliterate_line(line: str) -> str:
    written = ""
    for cell in re.finditer(r"\S+(?: \S+)*", line):
        # Combining characters such as the tilde of h̃ have no width of their own.
        start = sum(not unicodedata.combining(character) for character in line[: cell.start()])
        gap = "  " if written else ""
        written = (written + gap).ljust(start) + transliterate(cell.group())
    return written


def _decompose(character: str) -> tuple[str, str]:
    """Return the kind and the parts of a character in Unicode: ``<sub>`` and ``0`` for ``₀``."""
    kind, *codes = unicodedata.decomposition(character).split() or [""]
    if kind and not kind.startswith("<"):
        kind, codes = "", [kind, *codes]
    return kind, "".join(chr(int(code, 16)) for code in codes)


def _handle(error: UnicodeError) -> tuple[str, int]:
    """Return ASCII for the part that cannot be encoded, and the position where that part ends."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return transliterate(error.object[error.start : error.end]), error.end


codecs.register_error(HANDLER, _handle)
