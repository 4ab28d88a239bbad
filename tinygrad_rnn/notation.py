"""How an op is written: its formula, and the source of its rules."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterable
from typing import Any

from .errors import complaint


def require_formula(name: str, formula: str, arguments: Iterable[str]) -> None:
    """Refuse a formula with other names in its braces than those of the arguments of the op `name`."""
    try:
        formula.format(**dict.fromkeys(arguments, ""))
    except (KeyError, IndexError, ValueError) as error:
        wanted, remedy = f"a text with {', '.join(f'{{{a}}}' for a in arguments)} in it", "write a brace that is meant as {{"
        raise ValueError(complaint(f"op {name}", "formula", expected=wanted, got=repr(formula), remedy=remedy)) from error


def source(rule: Callable[..., Any]) -> str:
    """The text of a lambda's body, found through the positions its own bytecode carries."""
    code = rule.__code__
    spans: list[Any] = [p for p in code.co_positions() if None not in p and p[2:] != (0, 0)]
    start, end = min(p[::2] for p in spans), max(p[1::2] for p in spans)
    lines = [linecache.getline(code.co_filename, n).encode() for n in range(start[0], end[0] + 1)]
    if not any(lines):
        return "(source not available)"
    lines[-1] = lines[-1][: end[1]]
    lines[0] = lines[0][start[1] :]
    return " ".join(b" ".join(lines).decode().split())
