"""One entry of an instruction's result, for loops that Numba compiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from .instructions import UFUNCS, Instruction, Variable, compute

DTYPES = frozenset(map(np.dtype, ("bool", "int32", "int64", "float32", "float64")))
"""The dtypes that nests compute in; lines in others stay NumPy's."""

NUMBERS, FLOATS, ALL = "if", "f", "bif"

TEMPLATES = {
    "add": (NUMBERS, "{0} + {1}"), "subtract": (NUMBERS, "{0} - {1}"),
    "multiply": (NUMBERS, "{0} * {1}"), "divide": (FLOATS, "{0} / {1}"),
    "negative": (NUMBERS, "-{0}"), "positive": (NUMBERS, "{0}"), "absolute": (NUMBERS, "abs({0})"),
    "square": (NUMBERS, "{0} * {0}"), "reciprocal": (FLOATS, "{one} / {0}"),
    "maximum": (NUMBERS, "{0} if {0} >= {1} or {0} != {0} else {1}"),
    "minimum": (NUMBERS, "{0} if {0} <= {1} or {0} != {0} else {1}"),
    "less": (NUMBERS, "{0} < {1}"), "less_equal": (NUMBERS, "{0} <= {1}"),
    "greater": (NUMBERS, "{0} > {1}"), "greater_equal": (NUMBERS, "{0} >= {1}"),
    "equal": (ALL, "{0} == {1}"), "not_equal": (ALL, "{0} != {1}"),
    "isnan": (FLOATS, "{0} != {0}"), "isinf": (FLOATS, "abs({0}) == np.inf"),
    "isfinite": (FLOATS, "abs({0}) < np.inf"),
    "logical_and": ("b", "{0} & {1}"), "logical_or": ("b", "{0} | {1}"),
    "logical_xor": ("b", "{0} != {1}"), "logical_not": ("b", "not {0}"),
    "bitwise_and": ("bi", "{0} & {1}"), "bitwise_or": ("bi", "{0} | {1}"),
    "where": (ALL, "{1} if {0} else {2}"), "astype": (ALL, "{0}"), "copy": (ALL, "{0}"),
    **{name: (FLOATS, f"np.{name}({{0}})") for name in (
        "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "sign", "floor", "ceil",
        "trunc", "rint", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
        "arcsinh", "arccosh", "arctanh")},
    **{name: (FLOATS, f"np.{name}({{0}}, {{1}})") for name in (
        "power", "logaddexp", "arctan2", "hypot", "copysign")},
}  # fmt: skip
"""Elementwise functions: the kinds of dtypes that they compute in, and one entry as Python."""

REDUCED = {
    "sum": ("0", "{0} + {1}"), "prod": ("1", "{0} * {1}"), "max": ("-inf", TEMPLATES["maximum"][1]),
    "min": ("inf", TEMPLATES["minimum"][1]), "any": ("0", "{0} | {1}"), "all": ("1", "{0} & {1}"),
}  # fmt: skip
"""Reductions: what they start with, and how an entry is added."""


def computed_in(line: Instruction) -> list[np.dtype] | None:
    """Return the dtypes that the arguments of an elementwise line are cast to.

    None if a nest cannot compute the line.
    """
    kinds, _ = TEMPLATES.get(line.function, ("", ""))
    types = [x.dtype if isinstance(x, Variable) else type(x) for x in line.args]
    numbers = all(isinstance(dtype, type) for dtype in types) and line.function != "astype"
    large = any(isinstance(x, int) and abs(x) >= 1 << 62 for x in line.args)
    if not kinds or numbers or large or len(line.out.shape) > 8:
        return None
    if line.function in ("astype", "copy"):
        found = [line.out.dtype]
    elif line.function == "where":
        found = [np.dtype(bool), line.out.dtype, line.out.dtype]
    else:
        try:
            ufunc: Any = UFUNCS[line.function]
            found = list(ufunc.resolve_dtypes((*types, None))[:-1])
        except TypeError:
            return None
    given = [dtype for dtype in types if not isinstance(dtype, type)]
    known = all(dtype in DTYPES for dtype in (*given, *found, line.out.dtype))
    return found if known and all(dtype.kind in kinds for dtype in found) else None


def cast(text: str, dtype: Any, to: np.dtype) -> str:
    """Return an entry in another dtype; `dtype` is a type for a plain number."""
    if dtype == to and not isinstance(dtype, type):
        return text
    if to == np.bool_:
        return text if dtype is bool else f"({text} != 0)"
    return f"f32({text})" if to == np.float32 else f"np.{to.name}({text})"


def scalar(line: Instruction, args: list[str]) -> str:
    """Return the expression for one entry of an elementwise line."""
    types = [x.dtype if isinstance(x, Variable) else type(x) for x in line.args]
    dtypes = computed_in(line) or []
    args = [cast(x, t, to) for x, t, to in zip(args, types, dtypes, strict=True)]
    dtype, function = dtypes[-1], line.function
    if function in ("exp", "tanh") and dtype == np.float32:
        return f"{function}({args[0]})"  # the program's own
    one = "f32(1)" if dtype == np.float32 else "1.0"
    args = [f"({x})" if x.startswith("-") else x for x in args]
    text = TEMPLATES[function][1].format(*args, one=one)
    return f"np.int32({text})" if line.out.dtype == np.int32 else text


def start_of(function: str, dtype: np.dtype) -> str:
    """Return the number that a reduction starts with."""
    first = REDUCED[function][0]
    if "inf" in first and dtype.kind == "i":
        first = str(np.iinfo(dtype).min if first == "-inf" else np.iinfo(dtype).max)
    return cast(first.replace("inf", "np.inf"), int, dtype)


# -- the index of an entry -------------------------------------------------------------------------


class StepOf(str):
    """The name of the number of a step, as an index."""

    __slots__ = ()
    __repr__ = str.__str__


def aligned(shape: tuple[int, ...], index: list[str]) -> list[str]:
    """Return the index of the entry of an array of this shape that is broadcast to `index`."""
    last = index[len(index) - len(shape) :]
    return ["0" if n == 1 else i for n, i in zip(shape, last, strict=True)]


def inner_index(line: Instruction, index: list[str]) -> list[str] | None:
    """Return the index into the argument of a view that shows the entry at `index`.

    None if a `reshape` splits or merges axes.
    """
    shape, new = line.args[0].shape, line.out.shape
    if isinstance(line.settings.get("index"), StepOf):
        return [line.settings["index"], *index]
    if line.function != "reshape":
        return [_along(line, axis, index) for axis in range(len(shape))]
    if [n for n in shape if n != 1] != [n for n in new if n != 1]:
        return None
    rest = iter(i for i, n in zip(index, new, strict=True) if n != 1)
    return ["0" if n == 1 else next(rest) for n in shape]


def _along(line: Instruction, axis: int, index: list[str]) -> str:
    """Return the index along one axis: the view of an array that holds it shows how it moves."""
    shape = line.args[0].shape
    numbers = np.arange(shape[axis]).reshape(-1, *[1] * (len(shape) - axis - 1))
    seen = compute(line.function, [np.broadcast_to(numbers, shape)], line.settings)
    steps = [stride // seen.itemsize for stride in seen.strides]
    moves = [(n, i) for n, i, size in zip(steps, index, seen.shape, strict=True) if n and size > 1]
    start = int(seen.flat[0]) if seen.size else 0
    terms = [str(start)] if start or not moves else []
    return " + ".join([*terms, *(i if n == 1 else f"{n} * {i}" for n, i in moves)])
