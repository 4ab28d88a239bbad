"""The NumPy expression of one instruction."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from .helpers import Helpers
from .instructions import OPERATORS, REDUCTIONS, UFUNCS, Instruction, Place, Variable

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

LARGE = 64
"""Arrays with more entries than this are written as their bytes."""


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


def expression(line: Instruction, args: Sequence[Text], helpers: Helpers, out: str = "") -> Text:
    """Return the right-hand side of a line, which writes into the array `out` if there is one."""
    into = f", out={out}" if out else ""
    if not out and has_symbol(line) and not _is_flat(line):
        return symbolic(line.function, args)
    if line.function == "matmul":
        return _product(line, args, out)
    if line.function in REDUCTIONS:
        return _reduction(line, args[0], into)
    if line.function in UFUNCS:
        return Text(f"np.{line.function}({', '.join(args)}{into})")
    if line.function in ("transpose", "reshape", "index", "broadcast_to"):
        return _view(line, args[0])
    return Text(_other(line, args, into, helpers))


def symbolic(function: str, args: Sequence[Text]) -> Text:
    """Return an expression with a symbol between its arguments."""
    if function == "absolute":
        return Text(f"abs({args[0]})")
    if function == "negative":
        return Text(f"-{args[0].inside(POWER)}", SIGN)
    symbol, level = SYMBOLS[function]
    left, right = level, level - 1  # a - b - c means (a - b) - c
    if level in (POWER, COMPARED, BITS):
        left, right = (ATOM, ATOM) if level == POWER else (SUM, SUM)
    return Text(f"{args[0].inside(left)} {symbol} {args[1].inside(right)}", level)


def _shape(x: Any) -> tuple[int, ...]:
    return x.shape if isinstance(x, Variable) else ()


def _is_flat(line: Instruction) -> bool:
    """Return True for a product of many rows with one matrix, which is one product of matrices."""
    if line.function != "matmul":
        return False
    a, b = map(_shape, line.args)
    return len(a) > 2 and len(b) == 2


def _product(line: Instruction, args: Sequence[Text], out: str) -> Text:
    """Return a matrix product: `np.dot` starts faster than ``@``, but needs entries in C order."""
    x, y = map(_shape, line.args)
    if _is_flat(line):
        rows = f"{args[0].inside(ATOM)}.reshape{(prod(x[:-1]), x[-1])}"
        into = f", out={out}.reshape{(prod(x[:-1]), y[-1])}" if out else ""
        return Text(f"np.dot({rows}, {args[1]}{into}).reshape{line.out.shape}")
    name = "dot" if len(x) <= 2 and len(y) <= 2 else "matmul"
    return Text(f"np.{name}({args[0]}, {args[1]}{f', out={out}' if out else ''})")


def _reduction(line: Instruction, a: Text, into: str) -> Text:
    axis, keep = line.settings["axis"], ", keepdims=True" if line.settings["keepdims"] else ""
    (x,) = line.args
    if not into and isinstance(x, Variable) and not x.is_number:
        every = axis == tuple(range(len(x.shape))) and axis
        given = f"{'' if every else f'axis={_axis(axis)}'}{keep}".removeprefix(", ")
        return Text(f"{a.inside(ATOM)}.{line.function}({given})")
    ufunc = REDUCTIONS[line.function].__name__
    return Text(f"np.{ufunc}.reduce({a}, axis={_axis(axis)}{keep}{into})")


def _view(line: Instruction, a: Text) -> Text:
    s = line.settings
    base = f"np.asarray({a})" if is_number(line.args[0]) else a.inside(ATOM)
    if line.function == "transpose":
        return Text(f"{base}{_transposition(s['axes'])}")
    if line.function == "reshape":
        return Text(f"{base}.reshape({literal(s['shape']).strip('(),') or '()'})")
    if line.function == "index":
        return Text(f"{base}[{index_text(s['index'])}]")
    return Text(f"np.broadcast_to({a}, {literal(s['shape'])})")


def _other(line: Instruction, args: Sequence[Text], into: str, helpers: Helpers) -> str:
    s, a = line.settings, args[0] if args else Text("")
    several = ", ".join(args)
    if line.function == "call":
        given = [literal(x, args, helpers) for x in s["positional"]]
        given += [f"{key}={literal(x, args, helpers)}" for key, x in s["named"].items()]
        return f"{function_name(s['function'], helpers)}({', '.join(given)})"
    if line.function == "scatter":
        indices = literal(s["indices"], args, helpers)
        parts = tuple_text(args[: s["count"]])
        return f"{helpers.name(scatter)}({parts}, {indices}, {literal(s['shape'])})"
    return {
        "where": lambda: f"np.where({several})",
        "concatenate": lambda: f"np.concatenate({tuple_text(args)}, axis={s['axis']}{into})",
        "copy": lambda: f"np.array({a})",
        "astype": lambda: _converted(line, a),
        "index_arrays": lambda: f"{a.inside(ATOM)}[{index_text(s['index'], args)}]",
        "zeros": lambda: f"np.zeros({literal(s['shape'])}, {literal(np.dtype(s['dtype']))})",
        "item": lambda: f"{_array(line, a)}.item()",
        "draw": lambda: f"{a}.random({literal(s['shape'])})",
        "part": lambda: f"{a.inside(ATOM)}[{s['number']}]",
    }[line.function]()


def _converted(line: Instruction, a: Text) -> str:
    dtype = np.dtype(line.settings["dtype"])
    if is_number(line.args[0]):
        return f"np.{dtype.name}({a})"
    return f"{a.inside(ATOM)}.astype({literal(dtype)})"


def _array(line: Instruction, a: Text) -> str:
    return f"np.asarray({a})" if is_number(line.args[0]) else a.inside(ATOM)


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
    if isinstance(value, np.ndarray):
        known = helpers.arrays.get(id(value)) if helpers else None
        return known or _array_literal(value)
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


def _array_literal(value: np.ndarray) -> str:
    dtype = literal(value.dtype)
    if not value.any():
        return f"np.zeros({literal(value.shape)}, {dtype})"
    if value.size > LARGE:
        array = f'np.frombuffer(bytes.fromhex("{value.tobytes().hex()}"), {dtype})'
        return f"{array}.reshape({literal(value.shape)})"
    numbers = literal(value.tolist())
    return f"np.array({numbers}, {dtype})"


def index_text(index: Any, args: Sequence[str] = ()) -> str:
    """Return the text between the brackets of an index."""
    if not isinstance(index, tuple):
        return _entry(index, args)
    texts = [_entry(entry, args) for entry in index]
    if len(texts) == 1 and isinstance(index[0], list | Place):
        return f"{texts[0]},"  # without the comma, a list of lists would be one index
    return ", ".join(texts) or "()"


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
