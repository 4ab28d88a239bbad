"""Names and pieces of formulas in LaTeX: ``h_{t-1}``, ``\\hat{y}``, ``\\mathrm{weight\\_ih\\_l0}``.

The text needs the package amsmath alone. It is plain ASCII, so every LaTeX engine reads it.
"""

from __future__ import annotations

import re
import unicodedata

GREEK = [
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
    "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi",
    "omega",
]  # fmt: skip
CAPITALS = [
    "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega",
]  # fmt: skip
LETTERS: dict[str, str] = {name: rf"\{name}" for name in (*GREEK, *CAPITALS)}
LETTERS |= dict(zip("αβγδεζηθικλμνξπρστυφχψω", [rf"\{n}" for n in GREEK], strict=True))
LETTERS |= dict(zip("ΓΔΘΛΞΠΣΥΦΨΩ", [rf"\{n}" for n in CAPITALS], strict=True))
"""The command of each Greek letter, by the letter and by its name."""

ACCENTS = {
    "\u0300": "grave", "\u0301": "acute", "\u0302": "hat", "\u0303": "tilde", "\u0304": "bar",
    "\u0306": "breve", "\u0307": "dot", "\u0308": "ddot", "\u030a": "mathring", "\u030c": "check",
    "\u20d7": "vec",
}  # fmt: skip
"""The accents of mathematics, by their combining characters."""

TEXT_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u ",
    "\u0307": ".", "\u0308": '"', "\u030a": "r ", "\u030b": "H ", "\u030c": "v ", "\u0327": "c ",
}  # fmt: skip

SIGNS = {
    "⊙": r"\odot ", "·": r"\cdot ", "×": r"\times ", "−": "-", "…": r"\dots ", "∂": r"\partial ",
    "ᵀ": r"^{\top}", "²": "^{2}", "³": "^{3}", "⌊": r"\lfloor ", "⌋": r"\rfloor ", "@": r"\,",
    "⌈": r"\lceil ", "⌉": r"\rceil ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "∞": r"\infty ",
    "→": r"\to ", "∈": r"\in ", "∇": r"\nabla ", "⊗": r"\otimes ", "⊕": r"\oplus ", "∘": r"\circ ",
    "±": r"\pm ", "≈": r"\approx ", "√": r"\sqrt ", "∫": r"\int ", "∑": r"\sum ", "∏": r"\prod ",
    "⟨": r"\langle ", "⟩": r"\rangle ", "‖": r"\Vert ", "÷": r"\div ", "∗": r"\ast ",
    "\\": r"\backslash ", "^": r"\text{\textasciicircum}", "~": r"\sim ",
}  # fmt: skip
SIGNS |= {c: rf"\{c}" for c in "%&#$_{}"} | {'"': "''"}
"""Characters of formulas, in math mode."""

IN_TEXT = {c: rf"\{c}" for c in "%&#$_{}"} | {
    "\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''", "−": r"\(-\)",
    "…": r"\dots{}", "–": "--", "—": "---", "’": "'", "‘": "`", "“": "``", "”": "''",
    "·": r"\(\cdot\)",
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "ø": r"\o{}", "Ø": r"\O{}", "œ": r"\oe{}",
    "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}",
}  # fmt: skip
"""Characters in words, in text mode."""

OPERATORS = {
    "exp", "log", "sin", "cos", "tan", "tanh", "sinh", "cosh", "max", "min", "det", "arcsin",
    "arccos", "arctan",
}  # fmt: skip
"""Functions for which LaTeX has a command of the same name."""

FUNCTIONS = {
    "σ": r"\sigma",
    "Σ": r"\sum",
    "Π": r"\prod",
    "mod": r"\bmod",
    "fmod": r"\operatorname{fmod}",
}

BELOW, ABOVE = "₋₀₁₂₃₄₅₆₇₈₉ₜ₊", "⁽⁾⁻⁰¹²³⁴⁵⁶⁷⁸⁹"

DIGITS = dict(zip(BELOW + ABOVE, "-0123456789t+()-0123456789", strict=True))
"""The characters that small ones below or above the line stand for."""

LABEL = re.compile(r"(.*?)([₋₊₀-₉ₜ]*)((?:⁽[⁰¹²³⁴⁵⁶⁷⁸⁹]+⁾)*)", re.DOTALL)
"""A name, its time step, and the number that tells it from others of the same name."""

SMALL = "ᵀₜ₀-₉⁰¹²³⁴-⁹"

TOKEN = re.compile(
    r"(?P<number>[0-9]+(?:\.[0-9]+)?)e(?P<power>[+−-]?[0-9]+)"
    rf"|(?P<word>(?![{SMALL}])[^\W\d_](?:(?![{SMALL}])\w)*)(?P<sub>[₀-₉]*)"
    r"|(?P<high>[⁽⁾⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)|(?P<low>[₋₊₀-₉ₜ]+)|(?P<rest>.)",
    re.DOTALL,
)
"""A number with a power of ten, a word, small digits above or below, or one other character."""


def format_label(label: str) -> str:
    """Return the label of a value in LaTeX. Braces around it keep it whole before a superscript.

    Examples
    --------
    >>> for label in ("h₋₁", "x_r₀", "∂alpha", "ŷ₂⁽²⁾", "weight_ih_l0", "50%", "#4"):
    ...     print(format_label(label))
    h_{-1}
    x_{r,0}
    {\\partial \\alpha}
    {\\hat{y}_{2}^{(2)}}
    \\mathrm{weight\\_ih\\_l0}
    \\text{50\\%}
    \\#4
    """
    if re.fullmatch(r"#\d+", label):
        return rf"\{label}"
    match = LABEL.fullmatch(label)
    assert match is not None  # the pattern fits every text
    name, step, number = match.groups()
    gradients = len(name) - len(name.lstrip("∂"))
    symbol, below = _format_name(name[gradients:])
    low, high = ",".join(filter(None, [below, _plain(step)])), _plain(number)
    text = r"\partial " * gradients + symbol
    text += f"_{{{low}}}" * bool(low) + f"^{{{high}}}" * bool(high)
    return f"{{{text}}}" if gradients or high else text


def _format_name(name: str) -> tuple[str, str]:
    """Return a name as a symbol, and its subscript without braces."""
    base, _, rest = name.partition("_")
    if not rest and (match := re.fullmatch(r"(.*?)(\d+)", name, re.DOTALL)):
        base, rest = match.groups()  # W1 is W with the subscript 1
    symbol = _format_letter(base)
    if symbol and (base == name or re.fullmatch(r"[A-Za-z0-9]+", rest)):
        is_short = len(rest) <= 2 or rest.isdigit()
        return symbol, LETTERS.get(rest) or (rest if is_short else rf"\mathrm{{{rest}}}")
    if re.fullmatch(r"[A-Za-z0-9_.]+", name):
        return rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}", ""
    return rf"\text{{{format_words(name)}}}", ""


def _format_letter(base: str) -> str:
    """Return a single letter, Greek or with accents, in math mode; "" for anything else."""
    if base in LETTERS:
        return LETTERS[base]
    letter, *marks = unicodedata.normalize("NFD", base) or " "
    symbol = LETTERS.get(letter, letter if re.fullmatch("[A-Za-z]", letter) else "")
    if not symbol or not ACCENTS.keys() >= set(marks):
        return ""
    for mark in marks:
        symbol = rf"\{ACCENTS[mark]}{{{symbol}}}"
    return symbol


def format_words(text: str) -> str:
    """Return any text in the text mode of LaTeX. Unknown letters get their code, ``U+4E2D``."""
    return "".join(map(_format_character, text))


def _format_character(c: str) -> str:
    """Return one character in text mode."""
    if c in IN_TEXT:
        return IN_TEXT[c]
    if c.isascii():
        return c
    if c in LETTERS:
        return rf"\({LETTERS[c]}\)"
    if c in DIGITS:
        return rf"\({'_' if c in BELOW else '^'}{{{DIGITS[c]}}}\)"
    letter, *marks = unicodedata.normalize("NFKD", c)
    if letter.isascii() and letter.isalpha() and TEXT_ACCENTS.keys() >= set(marks):
        for mark in marks:
            letter = rf"\{TEXT_ACCENTS[mark]}{{{letter}}}"
        return letter
    return f"U+{ord(c):04X}"


def format_piece(text: str) -> str:
    """Return a piece of a formula, a number or a setting in LaTeX.

    Examples
    --------
    >>> print(format_piece("tanh("), format_piece("⊙"), format_piece("1e−05"))
    \\tanh( \\odot  {1 \\cdot 10^{-5}}
    """
    return "".join(
        _format_token(match, text[match.end() : match.end() + 1]) for match in TOKEN.finditer(text)
    )


def _format_token(match: re.Match[str], after: str) -> str:
    """Return one token of a formula in LaTeX; `after` is the character behind it."""
    number, power, word, low, high, small, rest = match.groups()  # as in TOKEN
    if number:
        return rf"{{{number} \cdot 10^{{{int(power.replace('−', '-'))}}}}}"
    if word:
        return _format_word(word, after) + (f"_{{{_plain(low)}}}" if low else "")
    if high:
        return f"^{{{_plain(high)}}}"
    if small:
        return f"_{{{_plain(small)}}}"
    if rest in SIGNS:
        return SIGNS[rest]
    return rest if rest.isascii() else rf"\text{{{_format_character(rest)}}}"


def _plain(digits: str) -> str:
    """Return small digits as digits."""
    return "".join(DIGITS[c] for c in digits)


def _format_word(word: str, after: str) -> str:
    """Return a word of a formula: the name of a function, or of a setting."""
    if word in FUNCTIONS:
        return FUNCTIONS[word]
    if word in OPERATORS:
        return rf"\{word}"
    if symbol := LETTERS.get(word) or (word if len(word) == 1 and word.isascii() else ""):
        return symbol + " " * symbol.startswith("\\")
    if word.isascii():
        escaped = word.replace("_", r"\_")
        return rf"\operatorname{{{escaped}}}" if after == "(" else rf"\mathrm{{{escaped}}}"
    return rf"\text{{{format_words(word)}}}"
