"""The NumPy text of a program: one function, which a reader can follow and Python can run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from textwrap import fill, indent
from typing import Any
from weakref import finalize

import numpy as np

from .buffers import Memory, Schedule, Spot
from .formulas import (
    ATOM,
    SIGN,
    Text,
    expression,
    function_name,
    index_text,
    is_plain,
    literal,
    scatter,
)
from .helpers import Helpers
from .instructions import UFUNCS, Expected, Instruction, Loop, Program, Variable, walk
from .names import Names

WIDTH = 64
"""The column of comments."""

LONG = 60
"""The maximum length of a comment."""


@dataclass
class Written:
    """The text of a program.

    Attributes
    ----------
    source : str
    run : callable
        ``run(*inputs) -> tuple of outputs``. They are new arrays.
    program : Program
        What the text was written from.
    """

    source: str
    run: Callable[..., tuple[Any, ...]]
    program: Program


def write_numpy(
    program: Program, title: str = "a program", name: str = "step", own: int | None = None
) -> Written:
    """Return the text of a program, and the function that the text defines.

    The first `own` outputs are new arrays; by default, all of them. The others may be views of
    each other or of inputs.
    """
    writer = NumpyText(program, own)
    source = writer.text(title, name)
    space = {**writer.helpers.handed, "Expected": Expected}
    exec(compile(source, f"<compiled {title}>", "exec"), space)
    written = Written(source, space[name], program)
    # The namespace and the functions refer to each other: break the cycle at the end.
    finalize(written, space.clear).atexit = False
    return written


class NumpyText:
    """Writes the text of one program, line by line."""

    def __init__(self, program: Program, own: int | None):
        self.program, self.own = program, own
        self.schedule = Schedule(program)
        self.helpers = Helpers()
        self.names = Names(program, self.schedule, self._functions())
        steps = {line.steps for line in walk(program.lines) if isinstance(line, Loop)}
        self.steps = steps.pop() if len(steps) == 1 else None
        self.refs = {x: Text(self.names.of[x]) for x in program.inputs}
        self.constants: dict[tuple[str, str], str] = {}
        self.memories: dict[Memory, str] = {}
        self.lines: list[str] = []
        self.loops: list[Loop] = []

    def _functions(self) -> list[str]:
        """Add the helper functions, and return their names."""
        found: list[Any] = []
        for line in walk(self.program.lines):
            if isinstance(line, Instruction):
                added = line.function == "scatter" and not is_plain(line.settings["indices"])
                found += [scatter] if added else []
                found += _callables(line.settings)
        return [function_name(function, self.helpers) for function in found]

    def text(self, title: str, name: str) -> str:
        """Return the whole text."""
        given = [self.names.of[x] for x in self.program.inputs]
        self._shapes()
        if self.steps:
            self.say(f"T = {self.steps}")
        self._body(self.program.lines)
        self.say()
        results = self._results()
        self.lines.append(indent(_wrapped("return (", results[1:-1], ")"), "    "))
        imports = ["import numpy as np", *sorted(self.helpers.imports)]
        head = f'"""{title[0].upper()}{title[1:]}."""\n\n' + "\n".join(imports)
        constants = [
            f"{name} = np.array({value}, {dtype})"
            for (value, dtype), name in self.constants.items()
        ]
        function = "\n".join([_wrapped(f"def {name}(", ", ".join(given), "):"), *self.lines])
        parts = [head, *self.helpers.texts.values(), "\n".join(constants), function]
        return "\n\n\n".join(part for part in parts if part) + "\n"

    def _shapes(self) -> None:
        """Write a comment with the dtype and shape of each input."""
        arrays = [x for x in self.program.inputs if not x.is_number]
        width = max((len(self.names.of[x]) for x in arrays), default=0)
        for x in arrays:
            self.say(f"# {self.names.of[x]:<{width}}  {x.dtype} {self.shape(x.shape)}")

    def _results(self) -> str:
        """Return the text of the tuple of outputs: new arrays, none of which shares memory."""
        seen = {root for x in self.program.inputs for root in self.schedule.roots[x]}
        texts = []
        for i, y in enumerate(self.program.outputs):
            roots, ref = self.schedule.roots[y], self.refs[y]
            is_own = not y.is_number and (self.own is None or i < self.own)
            if is_own and (not y.shape or roots & seen or y not in self.schedule.new):
                ref = Text(f"{ref.inside(ATOM)}.copy()" if y.shape else f"np.array({ref})")
            seen |= roots
            texts.append(ref)
        return _tuple(texts)

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
            return self.refs[x]
        value = literal(x)
        ufunc = UFUNCS.get(line.function)
        if self.loops and ufunc and line.out.shape:
            kinds = [
                a.dtype if isinstance(a, Variable) else np.dtype(bool) if a is True or a is False
                else type(a) for a in line.args
            ]  # fmt: skip
            dtype = ufunc.resolve_dtypes((*kinds, None))[line.args.index(x)]
            return Text(self._constant(x, dtype))
        return Text(value, SIGN if value.startswith("-") else ATOM)

    def _constant(self, x: Any, dtype: np.dtype) -> str:
        """Return the name of a number as an array, with which NumPy computes faster."""
        key = literal(x), literal(dtype)
        if key not in self.constants:
            known = {0: "zero", 1: "one", 2: "two", 0.5: "half", -1: "minus_one"}
            self.constants[key] = self.names.fresh(known.get(x, "number"), everywhere=True)
        return self.constants[key]

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
        if line.function == "concatenate" and self._join(line, args):
            return
        if line.function == "scatter" and is_plain(line.settings["indices"]):
            self._scatter(line, args)
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
        start, axis = 0, line.settings["axis"]
        if not any(self._is_part(x, line.out) for x in line.args):
            return False
        for x, text in zip(line.args, args, strict=True):
            stop = start + x.shape[axis]
            if not self._is_part(x, line.out):
                self.say(f"{self.names.of[line.out]}[{':, ' * axis}{start}:{stop}] = {text}")
            start = stop
        self.refs[line.out] = Text(self.names.of[line.out])
        self._keep(line.out)
        return True

    def _scatter(self, line: Instruction, args: list[Text]) -> None:
        """Write the parts into zeros, or after one another if they leave no gap."""
        y, name = line.out, self.names.of[line.out]
        pieces = sorted(zip(line.settings["indices"], args, line.args, strict=True), key=_first)
        if _covers([(index, x) for index, _, x in pieces], y.shape):
            self._set(y, f"np.concatenate({_tuple([text for _, text, _ in pieces])})")
            return
        self.say(f"{name} = np.zeros({self.shape(y.shape)}, {literal(y.dtype)})", y.note)
        for index, text, _ in pieces:
            self.say(f"{name}[{index_text(index)}] += {text}")
        self._set(y, name)

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

    # -- loops -------------------------------------------------------------------------------------

    def _loop(self, loop: Loop) -> None:
        self.comment("back through time" if loop.reverse else "through time, step by step")
        self._allocate(loop)
        steps = "T" if self.steps else str(loop.steps)
        self.loops.append(loop)
        t = self.time()
        self.loops.pop()
        self.say(
            f"for {t} in {f'reversed(range({steps}))' if loop.reverse else f'range({steps})'}:"
        )
        self.loops.append(loop)
        size = len(self.lines)
        self._start(loop)
        self._body(loop.body)
        self._carry(loop)
        if len(self.lines) == size:
            self.say("pass")
        self.loops.pop()
        self._end(loop)

    def _allocate(self, loop: Loop) -> None:
        """Write what is before a loop: its arrays, and the first values of its states."""
        schedule, of = self.schedule, self.names.of
        for memory in dict.fromkeys(schedule.over_time[whole][0] for _, whole in loop.stacks):
            name = of[memory.owner]
            if memory.over:
                self.say(f"{name} = {self._base(memory)}", "written over, step by step")
            else:
                shape = self.shape(memory.shape, loop)
                self.say(f"{name} = np.empty({shape}, {literal(memory.dtype)})")
            self.memories[memory] = name
        for state in loop.states:
            if state in schedule.carried:
                first = "T" if self.steps else str(loop.steps)
                first = first if loop.reverse else "0"
                self.say(
                    f"{self.memories[schedule.carried[state]]}[{first}] = {self.refs[state.start]}"
                )
            elif self.names.of[state.inside] != self.refs[state.start]:
                self.say(f"{of[state.inside]} = {self.refs[state.start]}")
        groups: dict[Any, list[str]] = defaultdict(list)
        for memory in schedule.buffers[loop]:
            self.memories[memory] = of[memory.owner]
            groups[memory.key].append(of[memory.owner])
        for state in loop.states:
            for memory, role in zip(
                schedule.swapped.get(state, ()), ("out", "spare"), strict=False
            ):
                self.memories[memory] = self.names.fresh(f"{of[state.next]}_{role}", True)
                groups[memory.key].append(self.memories[memory])
        for (shape, dtype), names in groups.items():
            several = shape if len(names) == 1 else (len(names), *shape)
            self.say(f"{', '.join(names)} = np.empty({self.shape(several)}, {literal(dtype)})")
        for _, total in loop.sums:
            self.say(
                f"{of[total]} = np.zeros({self.shape(total.shape)}, {literal(np.dtype(total.dtype))})"
            )

    def _start(self, loop: Loop) -> None:
        """Write the top of a step: what it takes from the arrays over time."""
        schedule, of = self.schedule, self.names.of
        nested = any(isinstance(line, Loop) for line in loop.body)
        taken = [(x, self.entry(whole)) for x, whole in loop.slices]
        for state in loop.states:
            if state in schedule.carried:
                step = self.time(1 if loop.reverse else 0)
                taken.append((state.inside, f"{self.memories[schedule.carried[state]]}[{step}]"))
            else:
                self.refs[state.inside] = Text(of[state.inside])
        for x, text in taken:
            self.refs[x] = Text(text)
            if schedule.uses[x] > 1 or nested:
                self.say(f"{of[x]} = {text}", x.note)
                self.refs[x] = Text(of[x])
        made = [y for line in loop.body for y in line.results]
        for x in dict.fromkeys(x for x, _ in (*loop.stacks, *loop.sums)):
            if x not in made:
                self._keep(x)
        for y in dict.fromkeys(schedule.spots[x].whole for x in made if x in schedule.spots):
            if y and self._spot(schedule.spots[y]) != of[y]:
                self.say(f"{of[y]} = {self._spot(schedule.spots[y])}", y.note)

    def _carry(self, loop: Loop) -> None:
        """Write the bottom of a step: what it leaves to the next one."""
        schedule, to, what = self.schedule, [], []
        for state in loop.states:
            text = self.refs[state.next]
            if state in schedule.carried:
                memory, step = schedule.carried[state], 0 if loop.reverse else 1
                spot = schedule.spots.get(state.next)
                if not (spot and spot.memory is memory):
                    self.say(f"{self.memories[memory]}[{self.time(step)}] = {text}")
            elif self.names.of[state.inside] != text:
                to.append(self.names.of[state.inside])
                what.append(str(text))
            if state in schedule.swapped:
                a, b = (self.memories[memory] for memory in schedule.swapped[state])
                to += [a, b]
                what += [b, a]
        if to:
            self.say(f"{', '.join(to)} = {', '.join(what)}")

    def _end(self, loop: Loop) -> None:
        """Name what a loop leaves behind."""
        for _, whole in loop.stacks:
            memory, step = self.schedule.over_time[whole]
            name, more = self.memories[memory], memory.shape[0] > loop.steps
            self.refs[whole] = Text(f"{name}[{'1:' if step else ':-1'}]" if more else name)
        for _, total in loop.sums:
            self.refs[total] = Text(self.names.of[total])
        for state in loop.states:
            if state in self.schedule.carried:
                name = self.memories[self.schedule.carried[state]]
                self.refs[state.last] = Text(f"{name}[{0 if loop.reverse else -1}]")
            else:
                self.refs[state.last] = Text(self.names.of[state.inside])
        for y in loop.results:
            self._keep(y)


def _wrapped(start: str, inner: str, end: str) -> str:
    """Return a line, or several if it is long."""
    if len(start + inner + end) <= 100:
        return start + inner + end
    return f"{start}\n{fill(inner, 92, initial_indent='    ', subsequent_indent='    ')}\n{end}"


def _tuple(texts: list[Text]) -> str:
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"


def _first(piece: tuple[Any, ...]) -> int:
    """Return the first row that a piece is written to."""
    return piece[0].start or 0 if isinstance(piece[0], slice) else -1


def _covers(pieces: list[tuple[Any, Any]], shape: tuple[int, ...]) -> bool:
    """Return True if the pieces follow one another, from the first row to the last."""
    row = 0
    for index, x in pieces:
        if not isinstance(index, slice) or index.step is not None or (index.start or 0) != row:
            return False
        row = shape[0] if index.stop is None else index.stop
        if not isinstance(x, Variable) or x.shape != (row - (index.start or 0), *shape[1:]):
            return False
    return row == shape[0]


def _callables(setting: Any) -> list[Any]:
    """Return the functions in a setting."""
    if isinstance(setting, dict):
        setting = list(setting.values())
    if isinstance(setting, tuple | list):
        return [function for part in setting for function in _callables(part)]
    return [setting] if callable(setting) and not isinstance(setting, type) else []
