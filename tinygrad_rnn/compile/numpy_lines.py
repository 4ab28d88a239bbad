"""The NumPy text of single lines: where they write to, and under which name."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .buffers import schedule_of
from .formulas import ATOM, SIGN, Text, expression, function_name, is_number, literal, scatter
from .helpers import Helpers
from .instructions import UFUNCS, Instruction, Loop, Program, Variable, walk
from .names import Names
from .schedule import Memory, Spot

WIDTH = 64
"""The column of comments."""

LONG = 60
"""The maximum length of a comment."""


class NumpyLines:
    """Writes lines into a list.

    Attributes
    ----------
    lines : list of str
        The text so far.
    loops : list of Loop
        The loops around the next line.
    refs : dict of Variable to Text
        The expression that stands for each value.
    memories : dict of Memory to str
        The name of each array that is written into.
    constants : dict of (str, str) to str
        The name of each number that is an array, by its text and dtype.
    numbers : dict of (Variable, str) to Text
        The same for the numbers that a loop reads.
    """

    def __init__(self, program: Program):
        self.program = program
        self.schedule = schedule_of(program)
        self.helpers = Helpers()
        self.names = Names(program, self.schedule, self._functions())
        steps = {line.steps for line in walk(program.lines) if isinstance(line, Loop)}
        self.steps = steps.pop() if len(steps) == 1 else None
        self.refs = {x: Text(self.names.of[x]) for x in program.inputs}
        self.constants: dict[tuple[str, str], str] = {}
        self.numbers: dict[tuple[Variable, str], Text] = {}
        self.memories: dict[Memory, str] = {}
        self.lines: list[str] = []
        self.loops: list[Loop] = []

    def _functions(self) -> list[str]:
        """Add the helper functions, and return their names."""
        found: list[Any] = []
        for line in walk(self.program.lines):
            if isinstance(line, Instruction):
                found += [scatter] if line.function == "scatter" else []
                found += _callables(line.settings)
        return [function_name(function, self.helpers) for function in found]

    # -- small parts of the text -------------------------------------------------------------------

    def say(self, text: str = "", note: str = "") -> None:
        """Write a line, with a comment at the column of comments."""
        text = f"{'    ' * (len(self.loops) + 1)}{text}" if text else ""
        note = note if len(note) <= LONG else f"{note[: LONG - 1]}…"
        self.lines.append(f"{text:<{WIDTH}}  # {note}" if note else text)

    def comment(self, text: str) -> None:
        """Write the title of a stage."""
        if not self.loops:
            self.say()
            self.say(f"# {text}")

    def shape(self, shape: tuple[int, ...], loop: Loop | None = None) -> str:
        """Return the text of a shape, whose first axis may be time."""
        texts = [str(n) for n in shape]
        if loop and self.steps and shape:
            more = shape[0] - self.steps
            texts[0] = f"T + {more}" if more else "T"
        return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"

    def time(self, step: int = 0) -> str:
        """Return the index of the step of the innermost loop."""
        t = "t" if len(self.loops) == 1 else f"t{len(self.loops)}"
        return f"{t} + {step}" if step else t

    def entry(self, whole: Variable) -> str:
        """Return the text of this step's entry of an array over time."""
        memory, step = self.schedule.over_time.get(whole, (None, 0))
        base = self.memories[memory] if memory in self.memories else self.refs[whole].inside(ATOM)
        return f"{base}[{self.time(step if memory in self.memories else 0)}]"

    def argument(self, line: Instruction, x: Any) -> Text:
        """Return the text of an argument."""
        if isinstance(x, Variable):
            return self.numbers.get((x, self.array_dtype(line, x)), self.refs[x])
        value, dtype = literal(x), self.array_dtype(line, x)
        if self.loops and dtype:
            return Text(self._constant(x, dtype))
        return Text(value, SIGN if value.startswith("-") else ATOM)

    def array_dtype(self, line: Instruction, x: Any) -> str:
        """Return the dtype of a number as an array, or an empty text if it should be none."""
        if not is_number(x) or not line.out.shape or line.function not in {*UFUNCS, "where"}:
            return ""
        if line.function == "where":
            return literal(line.out.dtype)
        kinds = [a.dtype if isinstance(a, Variable) else type(a) for a in line.args]
        kinds = [np.dtype(bool) if kind is bool else kind for kind in kinds]
        ufunc: Any = UFUNCS[line.function]
        return literal(ufunc.resolve_dtypes((*kinds, None))[line.args.index(x)])

    def _constant(self, x: Any, dtype: str) -> str:
        """Return the name of a number as an array, with which NumPy computes faster."""
        key = literal(x), dtype
        if key not in self.constants:
            known = {0: "zero", 1: "one", 2: "two", 0.5: "half", -1: "minus_one"}
            said = f"number_{x}".replace("_-", "_minus_")  # forward and backward share a file
            self.constants[key] = self.names.fresh(known.get(x, said), everywhere=True)
        return self.constants[key]

    # -- lines -------------------------------------------------------------------------------------

    def _line(self, line: Instruction) -> None:
        y, args = line.out, [self.argument(line, x) for x in line.args]
        if line.function == "expect":
            self.say(f"if not {args[0].inside(SIGN)}:")
            self.say("    raise Expected")
            return
        if line.function == "concatenate" and self._join(line, args):
            return
        spot = self.schedule.spots.get(line.out)
        in_order = not spot or not spot.whole or prod(spot.whole.shape[: spot.part[0]]) == 1
        text = expression(line, args, self.helpers, self._target(line), in_order)
        if y in self.schedule.inline:
            self.refs[y] = text
            return
        self._set(y, text)

    def _set(self, y: Variable, text: str) -> None:
        name = self.names.of[y]
        if text != name:
            self.say(f"{name} = {text}", y.note)
        self.refs[y] = Text(name)
        memory = self.schedule.memory.get(y)
        if memory and (memory not in self.memories or not self.loops):
            self.memories[memory] = name
        self._keep(y)

    def _target(self, line: Instruction) -> str:
        """Return the array that a line writes into, or an empty text."""
        spot = self.schedule.spots.get(line.out)
        if not spot:
            return ""
        for x in line.uses:
            if self.schedule.spots.get(x) == spot and x not in self.schedule.inline:
                return str(self.refs[x])
        return self._spot(spot)

    def _spot(self, spot: Spot) -> str:
        if spot.whole:
            axis, start, stop = spot.part
            return f"{self.names.of[spot.whole]}[{':, ' * axis}{start}:{stop}]"
        base = self._base(spot.memory)
        return base if spot.step is None else f"{base}[{self.time(spot.step)}]"

    def _base(self, memory: Memory) -> str:
        """Return the text of memory, which may be that of other memory, in another shape."""
        if memory in self.memories or not memory.over:
            return self.memories[memory]
        base, same = self._base(memory.over), memory.shape == memory.over.shape
        return base if same else f"{base}.reshape{self.shape(memory.shape)}"

    def _join(self, line: Instruction, args: list[Text]) -> bool:
        """Write those parts of a concatenation that are not in their places yet."""
        start, axis = 0, line.settings["axis"] % len(line.out.shape)
        if not any(self._is_part(x, line.out) for x in line.args):
            return False
        for x, text in zip(line.uses, args, strict=True):
            stop = start + x.shape[axis]
            if not self._is_part(x, line.out):
                self.say(f"{self.names.of[line.out]}[{':, ' * axis}{start}:{stop}] = {text}")
            start = stop
        self.refs[line.out] = Text(self.names.of[line.out])
        self._keep(line.out)
        return True

    def _is_part(self, x: Any, whole: Variable) -> bool:
        spot = self.schedule.spots.get(x)
        return spot is not None and spot.whole is whole

    def _keep(self, x: Variable) -> None:
        """Write what the loop keeps of a value: its steps, and their sum."""
        if not self.loops:
            return
        loop, spot = self.loops[-1], self.schedule.spots.get(x)
        carried = [self.schedule.carried.get(state) for state in loop.states]
        for y, whole in loop.stacks:
            memory, _ = self.schedule.over_time[whole]
            if y is x and memory not in carried and not (spot and spot.memory is memory):
                self.say(f"{self.entry(whole)} = {self.refs[x]}")
        for y, total in loop.sums:
            if y is x:
                self.say(f"{self.names.of[total]} += {self.refs[x]}")


def _callables(setting: Any) -> list[Any]:
    """Return the functions in a setting."""
    if isinstance(setting, dict):
        setting = list(setting.values())
    if isinstance(setting, tuple | list):
        return [function for part in setting for function in _callables(part)]
    return [setting] if callable(setting) and not isinstance(setting, type) else []
