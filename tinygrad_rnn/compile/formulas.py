"""The NumPy expression of one instruction."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from .helpers import Helpers
from .instructions import OPERATORS, REDUCTIONS, UFUNCS, VIEWS, Instruction, Place, Variable
from .rewriting import shape_of

INTO = frozenset({*UFUNCS, *REDUCTIONS, "matmul", "concatenate"})
"""Functions that can write their result into a given array."""

INLINE = INTO | VIEWS | {"where", "astype", "item", "part", "zeros"}
"""Functions whose result may stand inside of the expression that reads it."""

ATOM, POWER, SIGN, PRODUCT, SUM, BITS, COMPARED = range(7)
"""How loosely an expression holds together: one that is looser than its place gets brackets."""

SYMBOLS = {
    "power": ("**", POWER), "multiply": ("*", PRODUCT), "divide": ("/", PRODUCT),
    "floor_divide": ("//", PRODUCT), "remainder": ("%", PRODUCT), "matmul": ("@", PRODUCT),
    "add": ("+", SUM), "subtract": ("-", SUM), "bitwise_and": ("&", BITS),
    "bitwise_or": ("|", BITS), "bitwise_xor": ("^", BITS), "less": ("<", COMPARED),
    "less_equal": ("<=", COMPARED), "greater": (">", COMPARED), "greater_equal": (">=", COMPARED),
    "equal": ("==", COMPARED), "not_equal": ("!=", COMPARED),
}  # fmt: skip
"""The symbol of a function between its two arguments."""


class Text(str):
    """An expression.

    Attributes
    ----------
    level : int
        What holds it together, from `ATOM` to `COMPARED`.
    """

    __slots__ = ("level",)
    level: int

    def __new__(cls, text: str, level: int = ATOM) -> Text:
        """Make an expression from its text."""
        made = super().__new__(cls, text)
        made.level = level
        return made

    def inside(self, level: int) -> str:
        """Return the text, in brackets if it is looser than `level`."""
        return f"({self})" if self.level > level else str(self)


def has_symbol(line: Instruction) -> bool:
    """Return True if the instruction can be written with a symbol instead of a call."""
    numbers = all(is_number(x) for x in line.args)
    if numbers and line.function not in OPERATORS:
        return False  # Python's result would be no array
    return line.function in {*SYMBOLS, "negative"} or (line.function == "absolute" and numbers)


def is_number(x: Any) -> bool:
    """Return True for a plain Python number: a literal, or a variable that holds one."""
    return x.is_number if isinstance(x, Variable) else True


def expression(
    line: Instruction, args: Sequence[Text], helpers: Helpers, out: str = "", method: bool = False
) -> Text:
    """Return the right-hand side of a line, which writes into the array `out` if there is one.

    With `method`, products of matrices are calls of their method, which start fastest.
    """
    into = f", out={out}" if out else ""
    if line.function == "matmul":
        return _product(line, args, out, into, method)
    if not out and has_symbol(line):
        return symbolic(line.function, args)
    if line.function in UFUNCS:
        return Text(f"np.{line.function}({', '.join(args)}{into})")
    return Text(_call(line, args, into, helpers))


def symbolic(function: str, args: Sequence[Text]) -> Text:
    """Return an expression with a symbol between its arguments."""
    if function == "absolute":
        return Text(f"abs({args[0]})")
    if function == "negative":
        return Text(f"-{args[0].inside(POWER)}", SIGN)
    if function == "add" and args[1].level == SIGN:  # a + -b is a - b
        function, args = "subtract", (args[0], Text(args[1][1:], SIGN))
    symbol, level = SYMBOLS[function]
    left, right = level, level - 1  # a - b - c means (a - b) - c
    if level in (POWER, COMPARED, BITS):
        left, right = (ATOM, ATOM) if level == POWER else (SUM, SUM)
    return Text(f"{args[0].inside(left)} {symbol} {args[1].inside(right)}", level)


def _product(line: Instruction, args: Sequence[Text], out: str, into: str, method: bool) -> Text:
    """Return a matrix product; of many rows with one matrix, it is one product of matrices."""
    (x, y), (a, b) = (z.shape for z in line.args), args
    if len(x) > 2 and len(y) == 2:
        rows, columns = prod(x[:-1]), y[-1]
        into = f", out={out}.reshape{(rows, columns)}" if out else ""
        product = f"np.dot({a.inside(ATOM)}.reshape{(rows, x[-1])}, {b}{into})"
        return Text(f"{product}.reshape{line.out.shape}")
    if method and len(x) <= 2 and len(y) <= 2:
        return Text(f"{a.inside(ATOM)}.dot({b}{into})")
    if not out:
        return symbolic("matmul", args)
    return Text(f"np.{'dot' if len(x) <= 2 and len(y) <= 2 else 'matmul'}({a}, {b}{into})")


def _call(line: Instruction, args: Sequence[Text], into: str, helpers: Helpers) -> str:
    """Return the call of a function that is not elementwise."""
    s, several, function = line.settings, ", ".join(args), line.function
    a = f"np.asarray({several})" if all(map(is_number, line.args)) else args[0].inside(ATOM)
    match function:
        case _ if function in REDUCTIONS:
            every = s["axis"] == tuple(range(len(shape_of(line.args[0])))) and s["axis"]
            given = [] if every else [f"axis={_axis(s['axis'])}"]
            given += ["keepdims=True"] if s["keepdims"] else []
            return f"{a}.{function}({', '.join(given)}{into if given else into[2:]})"
        case "transpose":
            return f"{a}{_transposition(s['axes'])}"
        case "reshape":
            return f"{a}.reshape({literal(s['shape']).strip('(),') or '()'})"
        case "index" | "index_arrays":
            return f"{a}[{index_text(s['index'], args)}]"
        case "broadcast_to":
            return f"np.broadcast_to({several}, {literal(s['shape'])})"
        case "call":
            given = [literal(x, args, helpers) for x in s["positional"]]
            given += [f"{key}={literal(x, args, helpers)}" for key, x in s["named"].items()]
            return f"{function_name(s['function'], helpers)}({', '.join(given)})"
        case "scatter":
            given = [tuple_text(args[: s["count"]]), literal(s["indices"], args, helpers)]
            return f"{helpers.name(scatter)}({', '.join(given)}, {literal(s['shape'])})"
        case "where" | "copy":
            return f"np.{'array' if function == 'copy' else function}({several})"
        case "concatenate":
            return f"np.concatenate({tuple_text(args)}, axis={s['axis']}{into})"
        case "astype":
            dtype, number = np.dtype(s["dtype"]), is_number(line.args[0])
            return f"np.{dtype.name}({several})" if number else f"{a}.astype({literal(dtype)})"
        case "zeros":
            return f"np.zeros({literal(s['shape'])}, {literal(np.dtype(s['dtype']))})"
        case "item":
            return f"{a}.item()"
        case "draw":
            return f"{several}.random({literal(s['shape'])})"
        case _:  # a part of several results
            return f"{several}[{s['number']}]"


def scatter(parts, indices, shape):  # type: ignore[no-untyped-def]  # a helper of programs
    """Return zeros of a shape, with each part added at its index."""
    whole = np.zeros(shape, np.result_type(*parts))
    for part, index in zip(parts, indices, strict=True):
        np.add.at(whole, index, part)
    return whole


def function_name(function: Any, helpers: Helpers) -> str:
    """Return the name of a function: NumPy has it, or the text of the program."""
    name = getattr(function, "__name__", "")
    for path, module in (("np", np), ("np.linalg", np.linalg), ("np.fft", np.fft)):
        if getattr(module, name, None) is function:
            return f"{path}.{name}"
    return helpers.name(function)


# -- settings --------------------------------------------------------------------------------------


def literal(value: Any, args: Sequence[str] = (), helpers: Helpers | None = None) -> str:
    """Return a setting as Python source, with the arguments in their places."""
    if isinstance(value, Place):
        return args[value.number]
    if isinstance(value, np.ndarray) and not value.any():
        return f"np.zeros({literal(value.shape)}, {literal(value.dtype)})"
    if isinstance(value, np.ndarray):
        return f"np.array({literal(value.tolist())}, {literal(value.dtype)})"
    if isinstance(value, tuple | list):
        inner = [literal(x, args, helpers) for x in value]
        return f"[{', '.join(inner)}]" if isinstance(value, list) else tuple_text(inner)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k!r}: {literal(x, args, helpers)}' for k, x in value.items())}}}"
    if isinstance(value, np.dtype):
        return "bool" if value == np.bool_ else f"np.{value.name}"
    if isinstance(value, slice):
        ends = (value.start, value.stop, value.step)
        return f"slice({', '.join(literal(x, args, helpers) for x in ends)})"
    if isinstance(value, float) and not np.isfinite(value):
        return {"inf": "np.inf", "-inf": "-np.inf"}.get(repr(value), "np.nan")
    if isinstance(value, np.generic):
        return f"np.{value.dtype.name}({literal(value.item())})"
    if isinstance(value, type) and issubclass(value, np.generic):
        return literal(np.dtype(value))
    if callable(value) and helpers is not None:
        return function_name(value, helpers)
    return "..." if value is Ellipsis else repr(value)


def tuple_text(texts: Sequence[str]) -> str:
    """Return the text of a tuple."""
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"


def index_text(index: Any, args: Sequence[str] = ()) -> str:
    """Return the text between the brackets of an index."""
    if not isinstance(index, tuple):
        return _entry(index, args)
    return ", ".join(_entry(entry, args) for entry in index) or "()"


def _entry(entry: Any, args: Sequence[str]) -> str:
    if not isinstance(entry, slice):
        return literal(entry, args)
    start, stop, step = (
        "" if x is None else literal(x, args) for x in (entry.start, entry.stop, entry.step)
    )
    return f"{start}:{stop}" + (f":{step}" if step else "")


def _transposition(axes: Sequence[int]) -> str:
    """Return the attribute or the call that transposes axes into this order."""
    n, axes = len(axes), tuple(axes)
    if n > 1 and axes == tuple(reversed(range(n))):
        return ".T"
    if n > 2 and axes == (*range(n - 2), n - 1, n - 2):
        return ".mT"
    return f".transpose({', '.join(map(str, axes))})"


def _axis(axes: Sequence[int]) -> str:
    return str(axes[0]) if len(axes) == 1 else repr(tuple(axes))
