"""Scalar code: the expression for one entry of a line, and the index that a view reads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .lines import COMPARED, SYMBOLS, Line

IN_WORDS = {
    "negative": "-{}",
    "reciprocal": "1 / {}",
    "square": "{0} * {0}",
    "absolute": "abs({})",
    "where": "{1} if {0} else {2}",
    "logical_and": "{} and {}",
    "logical_or": "{} or {}",
}
"""Functions that are operators of Python for numbers, as templates."""

OWN = frozenset({"exp", "tanh"})
"""Functions of which a program includes its own version in single precision."""


def scalar(line: Line, args: list[str], dtype: np.dtype) -> str:
    """Return the expression that computes one entry of a line in `dtype`."""
    single = dtype == np.float32
    args = [(f"f32({arg})" if single else f"({arg})") if _is_number(arg) else arg for arg in args]
    if line.fn in ("copy", "astype"):
        return f"np.{line.dtype}({args[0]})"
    if line.fn == "power" and args[1] in ("f32(2)", "(2)"):
        return f"{args[0]} * {args[0]}"
    if line.fn == "power":
        return f"np.power({', '.join(args)})"
    if line.fn in {**SYMBOLS, **COMPARED}:
        return f"{args[0]} {({**SYMBOLS, **COMPARED})[line.fn]} {args[1]}"
    if line.fn in IN_WORDS:
        text = IN_WORDS[line.fn].format(*args)
        return text.replace("1 /", "f32(1) /") if single else text
    if single and line.fn in OWN:
        return f"{line.fn}({args[0]})"
    return f"np.{line.fn}({', '.join(args)})"


def _is_number(text: str) -> bool:
    return text[0].isdigit() or text[0] == "-" or text in ("np.inf", "np.nan")


# -- indices of views ------------------------------------------------------------------------------


def without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _transposed(line: Line, shape: tuple[int, ...], index: list[str]) -> list[str]:
    return [index[line.settings["axes"].index(axis)] for axis in range(len(shape))]


def _reshaped(line: Line, shape: tuple[int, ...], index: list[str]) -> list[str]:
    rest = iter(i for i, n in zip(index, line.shape, strict=True) if n != 1)
    return ["0" if n == 1 else next(rest) for n in shape]


def _broadcast(line: Line, shape: tuple[int, ...], index: list[str]) -> list[str]:
    return [
        "0" if n == 1 else i for n, i in zip(shape, index[len(index) - len(shape) :], strict=True)
    ]


def _indexed(line: Line, shape: tuple[int, ...], index: list[str]) -> list[str]:
    entries = line.settings["index"]
    entries = list(entries) if isinstance(entries, tuple) else [entries]
    missing = len(shape) - sum(e is not None and e is not Ellipsis for e in entries)
    if Ellipsis in entries:
        at = entries.index(Ellipsis)
        entries[at : at + 1] = [slice(None)] * missing
    else:
        entries += [slice(None)] * missing
    found, axis, rest = [], 0, iter(index)
    for e in entries:
        if e is None:
            next(rest)
            continue
        if isinstance(e, slice):
            start, _, step = e.indices(shape[axis])
            i = next(rest) if step == 1 else f"{step} * {next(rest)}"
            found.append(f"{start} + {i}" if start else i)
        else:
            found.append(str(e % shape[axis]))
        axis += 1
    return found


MAPPED: dict[str, Callable[[Line, tuple[int, ...], list[str]], list[str]]] = {
    "transpose": _transposed, "reshape": _reshaped, "broadcast": _broadcast, "index": _indexed,
}  # fmt: skip
"""Functions that map an index of a view to the index in its base."""
