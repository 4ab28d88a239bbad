"""Text of a program: two functions, `forward` and `backward`, that need only NumPy.

An array over time has the plural of its name. ``h`` is the state of one step and ``hs`` that of
all: the step at t starts from ``hs[t]`` and ends with ``hs[t + 1]``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..ops.indexing import keep_where
from .helpers import Helpers
from .lines import COMPARED, REDUCTIONS, SYMBOLS, UFUNCS, Line, Ref
from .plan import Plan, Stage


@dataclass
class Emitter:
    """Writes the text of one of the two functions.

    Attributes
    ----------
    kept : set of str
        Values of a loop whose time steps are all kept, for later stages or as results.
    helpers : Helpers
        Functions that the program calls without taking them apart.
    """

    plan: Plan
    loop: Stage
    kept: set[str]
    helpers: Helpers
    text: list[str] = field(default_factory=list)
    depth: int = 1

    def say(self, line: str = "") -> None:
        """Append one line of text."""
        self.text.append("    " * self.depth + line if line else "")

    # -- names of values ---------------------------------------------------------------------------

    def becomes_state(self, name: str) -> bool:
        """Return True if a value is written directly into the array of the states."""
        return name in self.plan.new and self.plan.stages.get(name) == Stage.LOOP

    def all_steps(self, name: str) -> str:
        """Return the expression for all time steps of a value."""
        plan = self.plan
        if self.becomes_state(name):
            return f"{plan.writer.plural(plan.states[plan.new.index(name)])}[1:]"
        if name in plan.states:
            return f"{plan.writer.plural(name)}[:-1]"
        return plan.writer.plural(name)

    def one_step(self, name: str) -> str:
        """Return the expression for a value in a line of the loop."""
        plan = self.plan
        here = plan.stages.get(name) == self.loop
        if (
            here
            or not self.plan.varies(name)
            or name in (plan.carried if self.loop.backwards else plan.states)
        ):
            return name
        if name in self.bound:
            return name
        return self.place(name)

    def place(self, name: str, *, whole: bool = False) -> str:
        """Return the expression for one step of an array over time.

        With `whole` it is an array even if the step is a single number.
        """
        plan = self.plan
        rest = ", ..." if whole and not plan.shape(name) else ""
        if self.becomes_state(name):
            return f"{plan.writer.plural(plan.states[plan.new.index(name)])}[t + 1{rest}]"
        return f"{plan.writer.plural(name)}[t{rest}]"

    bound: set[str] = field(default_factory=set)

    # -- expressions -------------------------------------------------------------------------------

    def expression(self, line: Line, *, lifted: bool, out: str = "") -> str:
        """Return the right-hand side of a line."""
        args = [self.argument(line, arg, lifted) for arg in line.args]
        s, into = line.settings, f", out={out}" if out else ""
        over = lifted and any(isinstance(a, str) and self.plan.varies(a) for a in line.args)
        if line.fn == "where":
            if self.is_choice(line):
                return f"{self.helpers.name(keep_where)}({args[0]}, {args[1]})"
            return f"np.where({', '.join(args)})"
        if line.fn in UFUNCS:
            if not out and line.fn in {**SYMBOLS, **COMPARED}:
                return f"{args[0]} {({**SYMBOLS, **COMPARED})[line.fn]} {args[1]}"
            return f"np.{line.fn}({', '.join(args)}{into})"
        a = args[0]
        if line.fn in REDUCTIONS:
            keep = ", keepdims=True" if s["keepdims"] else ""
            function = f"np.{REDUCTIONS[line.fn].__name__}.reduce"
            return f"{function}({a}, axis={_axis(s['axis'])}{keep}{into})"
        if line.fn == "dot":
            return self.product(line, args, over, into)
        return self.arranged(line, args, over, into)

    def is_choice(self, line: Line) -> bool:
        """Return True if a line selects entries of an array, and 0 elsewhere."""
        condition, a, b = line.args
        masks = self.plan.writer.arrays
        is_mask = isinstance(condition, str) and masks[condition].dtype == np.bool_
        return is_mask and isinstance(a, str) and type(b) is int and b == 0

    def arranged(self, line: Line, args: list[str], over: bool, into: str) -> str:
        """Return the right-hand side of a line that is neither elementwise, reduction nor product.

        Such a line rearranges entries, sums over time, or calls a function.
        """
        a, s = args[0] if args else "", line.settings
        if line.fn == "transpose":
            return f"{a}{_transposition((0, *(i + 1 for i in s['axes'])) if over else s['axes'])}"
        if line.fn in ("reshape", "broadcast"):
            shape = f"({', '.join(['T', *map(str, s['shape'])])},)" if over else repr(s["shape"])
            return (
                f"{a}.reshape({shape})"
                if line.fn == "reshape"
                else f"np.broadcast_to({a}, {shape})"
            )
        if line.fn == "index":
            return f"{a}[{self.index(s['index'], over)}]"
        if line.fn == "concatenate":
            return f"np.concatenate(({', '.join(args)}), axis={s['axis']}{into})"
        if line.fn == "copy":
            return f"np.positive({a}{into})"
        if line.fn == "astype":
            return f"{a}.astype(np.{s['dtype']})"
        if line.fn == "sum_over_time":
            return f"np.add.reduce({a}, axis={_axis((0, *s['axis']))})"
        if line.fn == "dot_over_time":
            return f"np.dot({self.rows(line.args[0], a)}.T, {self.rows(line.args[1], args[1])})"
        if line.fn == "tensordot_over_time":
            return f"np.tensordot({a}, {args[1]}, axes=((0, 2), (0, 1)))"
        return self.call(line, args)

    def argument(self, line: Line, arg: Ref, lifted: bool) -> str:
        """Return the expression for one argument of a line."""
        if not isinstance(arg, str):
            return _number(arg)
        if not lifted:
            return self.one_step(arg)
        if not self.plan.varies(arg):
            return arg
        text = self.all_steps(arg)
        missing = len(line.shape) - len(self.plan.shape(arg))
        if missing > 0 and (line.fn in UFUNCS or line.fn == "broadcast"):
            base = f"({text})" if "[" in text else text
            return f"{base}[:, {', '.join(['None'] * missing)}]"
        return text

    def rows(self, name: Ref, text: str) -> str:
        """Return the expression for all steps of a matrix, stacked as rows."""
        return f"{text}.reshape(-1, {self.plan.shape(str(name))[-1]})"

    def product(self, line: Line, args: list[str], over: bool, into: str) -> str:
        """Return the expression for a matrix product.

        Over all steps it is one product of stacked rows if only the left matrix has a time axis.
        """
        a, b = (str(arg) for arg in line.args)
        flat = len(self.plan.shape(a)) == len(self.plan.shape(b)) == 2
        if not over:
            return f"np.{'dot' if flat else 'matmul'}({args[0]}, {args[1]}{into})"
        if flat and self.plan.varies(a) and not self.plan.varies(b):
            shape = ", ".join(["T", *map(str, line.shape)])
            return f"np.dot({self.rows(a, args[0])}, {args[1]}).reshape({shape})"
        return f"np.matmul({args[0]}, {args[1]})"

    def index(self, index: Any, over: bool) -> str:
        """Return the text between the brackets of an index."""
        entries = index if isinstance(index, tuple) else (index,)
        texts = ([":"] if over and entries[0] is not Ellipsis else []) + [
            _slice(e) for e in entries
        ]
        return (
            ", ".join(texts) + ("," if isinstance(index, tuple) and len(texts) == 1 else "") or "()"
        )

    def call(self, line: Line, args: list[str]) -> str:
        """Return the call of a helper function."""
        options = [f"{key}={literal(value)}" for key, value in line.settings["keywords"].items()]
        function = self.helpers.name(line.settings["function"])
        return f"np.array({function}({', '.join([*args, *options])}))"


LARGE = 64
"""Arrays with more entries than this are written as their bytes."""


def literal(value: Any) -> str:
    """Return a setting of an op as Python source."""
    if isinstance(value, np.ndarray) and not value.any():
        return f"np.zeros({value.shape}, np.{value.dtype})"
    if isinstance(value, np.ndarray) and value.size > LARGE:
        array = f'np.frombuffer(bytes.fromhex("{value.tobytes().hex()}"), np.{value.dtype})'
        return f"{array}.reshape({value.shape})"
    if isinstance(value, np.ndarray | np.generic):
        numbers = ", ".join(_number(v) for v in np.ravel(value).tolist())
        return f"np.array([{numbers}], np.{value.dtype}).reshape({value.shape})"
    if isinstance(value, tuple | list):
        inner = ", ".join(map(literal, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner},)" if value else "()"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, np.dtype):
        return f"np.dtype({value.name!r})"
    if isinstance(value, float):
        return _number(value)
    return repr(value)


def _number(value: Any) -> str:
    if isinstance(value, float) and not np.isfinite(value):
        return {"inf": "np.inf", "-inf": "-np.inf"}.get(repr(value), "np.nan")
    return repr(value)


def _slice(e: Any) -> str:
    if isinstance(e, slice):
        start, stop, step = (
            "" if part is None else str(part) for part in (e.start, e.stop, e.step)
        )
        return f"{start}:{stop}" + (f":{step}" if step else "")
    return "..." if e is Ellipsis else literal(e)


def _transposition(axes: tuple[int, ...]) -> str:
    """Return the attribute or the call that transposes axes into this order."""
    n = len(axes)
    if axes == tuple(reversed(range(n))):
        return ".T"
    return ".mT" if axes == (*range(n - 2), n - 1, n - 2) else f".transpose({_axis(axes)})"


def _axis(axes: tuple[int, ...]) -> str:
    return repr(axes[0]) if len(axes) == 1 else repr(axes)
