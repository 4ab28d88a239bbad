"""The pass that computes beforehand what does not depend on any input."""

from __future__ import annotations

from typing import Any

import numpy as np

from .instructions import OPERATORS, VIEWS, Instruction, Program, Variable, compute
from .rewriting import ELEMENTWISE, each_line, write

Known = dict[Variable, Any]
"""Plain numbers, and the value of all entries of an array where it is one."""


def fold_constants(program: Program) -> Program:
    """Write numbers in place of what is computed from numbers alone.

    An array of which all entries have one value is the number itself as an argument beside another
    array of its dtype; elsewhere it is the number with this dtype and shape.
    """
    known: Known = {}

    def rewrite(line: Instruction, new: list[Any]) -> None:
        value = _value(line, known)
        if value is not None:
            known[line.out] = value
            _write_number(new, line, value)
        else:
            line.args = tuple(_as_argument(x, line, known) for x in line.args)
        new.append(line)

    program.lines = each_line(program.lines, rewrite)
    return program


def _value(line: Instruction, known: Known) -> Any:
    """Return the value of all entries of the result of a line, or None."""
    if not all(x in known for x in line.uses) or not np.prod(line.out.shape):
        return None
    args = [known[x] if isinstance(x, Variable) else x for x in line.args]
    if line.function in VIEWS:
        return args[0]
    if line.function == "zeros":
        return np.zeros((), dtype=line.settings["dtype"])
    able = ELEMENTWISE if not line.out.is_number else OPERATORS
    if line.function not in able:
        return None
    try:
        with np.errstate(all="raise"):
            value = compute(line.function, args, line.settings)
    except ArithmeticError:  # the error or warning belongs to the run of the program
        return None
    kind = type(value) if line.out.is_number else value.dtype
    return value if kind == line.out.dtype else None


def _write_number(new: list[Any], line: Instruction, value: Any) -> None:
    """Let a line make an array of one value, in place of computing it."""
    if line.out.is_number or line.function == "zeros":
        return
    x: Any = _number(value)
    line.function, line.args, line.settings = "astype", (x,), {"dtype": line.out.dtype}
    if line.out.shape:
        line.args = (write(new, "astype", x, dtype=line.out.dtype),)
        line.function, line.settings = "broadcast_to", {"shape": line.out.shape}


def _as_argument(x: Any, line: Instruction, known: Known) -> Any:
    """Return the number in place of a variable, if the line computes the same with it."""
    if x not in known or not isinstance(x, Variable):
        return x
    if x.is_number:
        return known[x]
    others = [y for y in line.uses if y not in known]
    alike = line.function in ELEMENTWISE and all(y.dtype == x.dtype for y in others)
    full = any(y.shape == line.out.shape for y in others)
    return _number(known[x]) if alike and full else x


def _number(value: Any) -> int | float | bool:
    """Return a number as a plain number; of those with the same float32, the shortest."""
    if not isinstance(value, np.ndarray):
        return value
    number = value.item()
    if value.dtype.kind == "f":
        short = float(str(value))
        number = short if value.dtype.type(short) == value else number
    return number
