"""The NumPy text of instructions and loops, line by line."""

from __future__ import annotations

from typing import Any

import numpy as np

from .formulas import ATOM, SIGN, Text, expression, function_name, literal, scatter, tuple_text
from .helpers import Helpers
from .instructions import UFUNCS, Instruction, Loop, Program, Variable, walk
from .names import Names
from .schedule import Memory, MemoryPlan

WIDTH = 64
"""The column of comments."""

LONG = 60
"""The maximum length of a comment."""

FAST = frozenset(UFUNCS) - {"power"}
"""Functions that are faster with an array than with a number."""


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
        The name of each array over time.
    constants : dict of str to str
        The names of constant arrays, by their texts.
    suffix : str
        The end of the names of constants: texts of several functions may be one module.
    """

    def __init__(self, program: Program):
        self.program = program
        self.schedule = MemoryPlan(program)
        self.helpers = Helpers()
        self.names = Names(program, self.schedule, self._functions())
        steps = {line.steps for line in walk(program.lines) if isinstance(line, Loop)}
        self.steps = steps.pop() if len(steps) == 1 else None
        self.refs = {x: Text(self.names.of[x]) for x in program.inputs}
        self.memories: dict[Memory, str] = {}
        self.constants: dict[str, str] = {}
        self.suffix = ""
        self.lines: list[str] = []
        self.loops: list[Loop] = []

    def _functions(self) -> list[str]:
        """Add the helper functions, and return their names."""
        calls = [line for line in walk(self.program.lines) if isinstance(line, Instruction)]
        found = [x for line in calls for x in _parts(line.settings) if _is_function(x)]
        found += [scatter] if any(line.function == "scatter" for line in calls) else []
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
        return tuple_text(texts)

    def time(self) -> str:
        """Return the name of the step of the innermost loop."""
        return "t" if len(self.loops) == 1 else f"t{len(self.loops)}"

    def entry(self, memory: Memory, step: int = 0) -> str:
        """Return the text of an entry of an array over time: that of this step, or of the next."""
        return f"{self.memories[memory]}[{self.time()}{' + 1' if step else ''}]"

    def argument(self, line: Instruction, x: Any) -> Text:
        """Return the text of an argument; in a loop, a number is an array, which is faster."""
        if isinstance(x, Variable):
            return self.refs[x]
        value, dtype = literal(x), line.out.dtype
        alike = all(a.dtype == dtype for a in line.uses) and np.dtype(dtype).kind == "f"
        if self.loops and line.function in FAST and line.out.shape and line.uses and alike:
            words = {0: "zero", 1: "one", 2: "two", 0.5: "half", -1: "minus_one"}
            wish = f"number_{x}".replace("_-", "_minus_")  # forward and backward share a file
            text = f"np.array({value}, {literal(dtype)})"
            if text not in self.constants:
                wish = f"{words.get(x, wish)}{self.suffix}"
                self.constants[text] = self.names.fresh(wish, everywhere=True)
            return Text(self.constants[text])
        return Text(value, SIGN if value.startswith("-") else ATOM)

    # -- lines -------------------------------------------------------------------------------------

    def _body(self, lines: list[Any]) -> None:
        after = False
        for line in lines:
            if isinstance(line, Loop):
                self._loop(line)
                after = True
                continue
            if after and line.out not in self.schedule.inline:
                self.comment("for all steps at once")
                after = False
            self._line(line)

    def _line(self, line: Instruction) -> None:
        y, args = line.out, [self.argument(line, x) for x in line.args]
        if line.function == "expect":
            self.say(f"if not {args[0].inside(SIGN)}:")
            self.say("    raise Expected")
            return
        out = self.entry(*self.schedule.spots[y]) if y in self.schedule.spots else ""
        self.refs[y] = expression(line, args, self.helpers, out, method=bool(self.loops))
        if y not in self.schedule.inline:
            self.say(f"{self.names.of[y]} = {self.refs[y]}", y.note)
            self.refs[y] = Text(self.names.of[y])

    # -- loops -------------------------------------------------------------------------------------

    def _loop(self, loop: Loop) -> None:
        self.comment("back through time" if loop.reverse else "through time, step by step")
        self._allocate(loop)
        steps = f"range({'T' if self.steps else loop.steps})"
        self.loops.append(loop)
        head = f"for {self.time()} in {f'reversed({steps})' if loop.reverse else steps}:"
        self.lines.append(f"{'    ' * len(self.loops)}{head}")
        size = len(self.lines)
        self._start(loop)
        self._body(loop.body)
        self._finish(loop)
        if len(self.lines) == size:
            self.say("pass")
        self.loops.pop()
        self._end(loop)

    def _allocate(self, loop: Loop) -> None:
        """Write what is before a loop: its arrays, and the first values of its states."""
        of = self.names.of
        for memory in dict.fromkeys(self.schedule.over_time[whole][0] for _, whole in loop.stacks):
            name, shape = of[memory.owner], self.shape(memory.shape, loop)
            self.memories[memory] = name
            self.say(f"{name} = np.empty({shape}, {literal(memory.dtype)})")
        for _, total in loop.sums:
            dtype = literal(np.dtype(total.dtype))
            self.say(f"{of[total]} = np.zeros({self.shape(total.shape)}, {dtype})")
        for state in loop.states:
            memory, first = self.schedule.carried.get(state), "-1" if loop.reverse else "0"
            name = f"{self.memories[memory]}[{first}]" if memory else of[state.inside]
            self.say(f"{name} = {self.refs[state.start]}")

    def _start(self, loop: Loop) -> None:
        """Write the top of a step: what it takes from the arrays over time."""
        taken = []
        for x, whole in loop.slices:
            memory, step = self.schedule.over_time.get(whole, (None, 0))
            text = f"{self.refs[whole].inside(ATOM)}[{self.time()}]"
            taken.append((x, self.entry(memory, step) if memory in self.memories else text))
        for state in loop.states:
            self.refs[state.inside] = Text(self.names.of[state.inside])
            if memory := self.schedule.carried.get(state):
                taken.append((state.inside, self.entry(memory, int(loop.reverse))))
        for x, text in taken:
            self.refs[x] = Text(text)
            if self.schedule.uses[x] > 1:
                self.say(f"{self.names.of[x]} = {text}", x.note)
                self.refs[x] = Text(self.names.of[x])

    def _finish(self, loop: Loop) -> None:
        """Write the bottom of a step: what it keeps, and what it leaves to the next one."""
        schedule, refs, next_step = self.schedule, self.refs, int(not loop.reverse)
        carried = {s: schedule.carried[s] for s in loop.states if s in schedule.carried}
        kept = [(x, schedule.over_time[whole][0], 0) for x, whole in loop.stacks]
        kept = [end for end in kept if end[1] not in carried.values()]
        kept += [(state.next, memory, next_step) for state, memory in carried.items()]
        for x, memory, step in kept:
            if schedule.spots.get(x) != (memory, step):
                self.say(f"{self.entry(memory, step)} = {refs[x]}")
        for x, total in loop.sums:
            self.say(f"{self.names.of[total]} += {refs[x]}")
        pairs = [(self.names.of[s.inside], refs[s.next]) for s in loop.states if s not in carried]
        if pairs := [(old, str(new)) for old, new in pairs if old != new]:
            self.say(" = ".join(", ".join(side) for side in zip(*pairs, strict=True)))

    def _end(self, loop: Loop) -> None:
        """Name what a loop leaves behind."""
        for _, whole in loop.stacks:
            memory, step = self.schedule.over_time[whole]
            part = f"[{'1:' if step else ':-1'}]" if memory.shape[0] > loop.steps else ""
            self.refs[whole] = Text(f"{self.memories[memory]}{part}")
        for _, total in loop.sums:
            self.refs[total] = Text(self.names.of[total])
        for state in loop.states:
            memory = self.schedule.carried.get(state)
            last = f"{self.memories[memory]}[{0 if loop.reverse else -1}]" if memory else ""
            self.refs[state.last] = Text(last or self.names.of[state.inside])


def _parts(setting: Any) -> list[Any]:
    """Return what a setting consists of."""
    if isinstance(setting, dict):
        setting = list(setting.values())
    if isinstance(setting, tuple | list):
        return [part for inner in setting for part in _parts(inner)]
    return [setting]


def _is_function(part: Any) -> bool:
    return callable(part) and not isinstance(part, type)
