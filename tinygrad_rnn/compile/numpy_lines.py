"""The NumPy text of single lines: where they write to, and under which name."""

from __future__ import annotations

from typing import Any

import numpy as np

from .buffers import schedule_of
from .formulas import (
    ATOM,
    SIGN,
    Text,
    expression,
    function_name,
    is_number,
    literal,
    scatter,
    tuple_text,
)
from .helpers import Helpers
from .instructions import UFUNCS, VIEWS, Instruction, Loop, Program, Variable, walk
from .names import Names
from .schedule import Memory, MemoryPlan, Spot

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
    top : int
        The line of the text where the innermost loop starts.
    loops : list of Loop
        The loops around the next line.
    refs : dict of Variable to Text
        The expression that stands for each value.
    memories : dict of Memory to str
        The name of each array that is written into.
    constants : dict of str to str
        The names of constant arrays, by their texts.
    suffix : str
        The end of the names of constants: texts of several functions may be one module.
    numbers : dict of (Variable, str) to Text
        The names of arrays that hold the numbers which a loop reads, by their dtypes.
    """

    def __init__(self, program: Program):
        self.program = program
        self.schedule = self._schedule()
        self.helpers = Helpers()
        self.names = Names(program, self.schedule, self._functions())
        steps = {line.steps for line in walk(program.lines) if isinstance(line, Loop)}
        self.steps = steps.pop() if len(steps) == 1 else None
        self.refs = {x: Text(self.names.of[x]) for x in program.inputs}
        self.constants: dict[str, str] = {}
        self.suffix = ""
        self.numbers: dict[tuple[Variable, str], Text] = {}
        self.memories: dict[Memory, str] = {}
        self.lines: list[str] = []
        self.top = 0
        self.loops: list[Loop] = []

    def _functions(self) -> list[str]:
        """Add the helper functions, and return their names."""
        calls = [line for line in walk(self.program.lines) if isinstance(line, Instruction)]
        found = [x for line in calls for x in _parts(line.settings) if _is_function(x)]
        found += [scatter] if any(line.function == "scatter" for line in calls) else []
        return [function_name(function, self.helpers) for function in found]

    def _schedule(self) -> MemoryPlan:
        """Return the memory of every value."""
        return schedule_of(self.program)

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
        return tuple_text(texts)

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
        if self.loops and dtype:  # NumPy computes faster with an array than with a number
            words = {0: "zero", 1: "one", 2: "two", 0.5: "half", -1: "minus_one"}
            wish = f"number_{x}".replace("_-", "_minus_")  # forward and backward share a file
            return self._constant(f"np.array({value}, {dtype})", words.get(x, wish))
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

    def _constant(self, text: str, wish: str) -> Text:
        """Return the name of an array that is made once for all calls."""
        if text not in self.constants:
            self.constants[text] = self.names.fresh(f"{wish}{self.suffix}", everywhere=True)
        return Text(self.constants[text])

    # -- lines -------------------------------------------------------------------------------------

    def _line(self, line: Instruction) -> None:
        y, args = line.out, [self.argument(line, x) for x in line.args]
        if line.function == "expect":
            self.say(f"if not {args[0].inside(SIGN)}:")
            self.say("    raise Expected")
            return
        for x in _parts(line.settings) if line.function == "call" else ():
            if isinstance(x, np.ndarray):
                self.helpers.arrays[id(x)] = self._constant(literal(x), "array")
        text = expression(line, args, self.helpers, self._target(line))
        if y not in self.schedule.inline:
            self._set(y, text)
        elif self._is_fixed(line):
            self.refs[y] = self._before_loop(y, text)
        else:
            self.refs[y] = text

    def _is_fixed(self, line: Instruction) -> bool:
        """Return True for a view of an array that all steps of a loop write into."""
        if not self.loops or line.function not in VIEWS or not line.uses:
            return False
        spot, buffers = self.schedule.spots.get(line.uses[0]), self.schedule.buffers
        if not spot or spot.memory not in buffers[self.loops[-1]]:
            return False
        return self.refs[line.uses[0]] == self.memories[spot.memory]

    def _before_loop(self, y: Variable, text: str) -> Text:
        """Write a line before the loop, and return the name that it gives to the text."""
        reader = next(line.out for line in self.loops[-1].body if y in line.uses)
        base = text.partition("[")[0].partition(".")[0]
        name = self.names.fresh(f"{base}_{self.names.of.get(reader, 'part')}", True)
        self.lines.insert(self.top, f"{'    ' * len(self.loops)}{name} = {text}")
        self.top += 1
        return Text(name)

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
        base = self.memories[spot.memory]
        return base if spot.step is None else f"{base}[{self.time(spot.step)}]"

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


def _parts(setting: Any) -> list[Any]:
    """Return what a setting consists of."""
    if isinstance(setting, dict):
        setting = list(setting.values())
    if isinstance(setting, tuple | list):
        return [part for inner in setting for part in _parts(inner)]
    return [setting]


def _is_function(part: Any) -> bool:
    return callable(part) and not isinstance(part, type)
