"""The NumPy text of a program: one function, which a reader can follow and Python can run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import fill, indent
from typing import Any
from weakref import finalize

import numpy as np

from .formulas import ATOM, Text, literal, tuple_text
from .instructions import Instruction, Loop, Program, walk
from .names import RESERVED
from .numpy_lines import NumpyLines
from .schedule import Memory

EXPECTED = '''class Expected(ValueError):
    """Something did not hold that the program expects."""'''


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
    source, name = writer.text(title, name)
    space = dict(writer.helpers.handed)
    exec(compile(source, f"<compiled {title}>", "exec"), space)
    run = space.pop(name)
    # Helper functions and their namespace refer to each other: break the cycle at the end.
    finalize(run, space.clear).atexit = False
    return Written(source, run, program)


class NumpyText(NumpyLines):
    """Writes the text of one program, line by line."""

    def __init__(self, program: Program, own: int | None):
        super().__init__(program)
        self.own = own

    def text(self, title: str, name: str) -> tuple[str, str]:
        """Return the whole text, and the name of its function, which has no name of a helper."""
        self.suffix = "_back" if name == "backward" else ""
        given = [self.names.of[x] for x in self.program.inputs]
        self._shapes()
        if self.steps:
            self.say(f"T = {self.steps}")
        self._take_lasting()
        self._body(self.program.lines)
        self.say()
        results = self._results()
        if self.schedule.lasting:
            self.say(f"spare{self.suffix}.append(work)")
        self.lines.append(indent(_wrapped("return (", results[1:-1], ")"), "    "))
        imports = ["import numpy as np", *sorted(self.helpers.imports)]
        head = f'"""{title[0].upper()}{title[1:]}."""\n\n' + "\n".join(imports)
        spare = f"spare{self.suffix}"
        constants = [f"{spare} = []  # arrays of earlier calls"] if self.schedule.lasting else []
        constants += [f"{constant} = {text}" for text, constant in self.constants.items()]
        while name in {*RESERVED, *self.helpers.names, *self.constants.values()}:
            name += "_"
        error = EXPECTED if any("raise Expected" in line for line in self.lines) else ""
        function = "\n".join([_wrapped(f"def {name}(", ", ".join(given), "):"), *self.lines])
        parts = [head, error, *self.helpers.texts.values(), "\n".join(constants), function]
        return "\n\n\n".join(part for part in parts if part) + "\n", name

    def _shapes(self) -> None:
        """Write a comment with the dtype and shape of each input."""
        arrays = [x for x in self.program.inputs if not x.is_number]
        width = max((len(self.names.of[x]) for x in arrays), default=0)
        for x in arrays:
            self.say(f"# {self.names.of[x]:<{width}}  {x.dtype} {self.shape(x.shape)}")

    def _take_lasting(self) -> None:
        """Write where the arrays come from that are kept between calls."""
        arrays = self._arrays(self.schedule.lasting)
        if not arrays:
            return
        spare = f"spare{self.suffix}"
        self.say(f"work = {spare}.pop() if {spare} else [")
        for _, array in arrays:
            self.say(f"    {array},")
        self.say("]")
        for i, (names, _) in enumerate(arrays):
            text = f"{names} = work[{i}]"
            text = text if len(text) <= 96 else _wrapped("[", names, f"] = work[{i}]")
            self.lines.append(indent(text, "    "))
        self.say()

    def _arrays(self, memories: list[Memory]) -> list[tuple[str, str]]:
        """Return the names of arrays of one shape and dtype, and the text that makes them."""
        groups: dict[Any, list[str]] = defaultdict(list)
        for memory in memories:
            self.memories[memory] = self.names.of[memory.owner]
            groups[memory.key].append(self.memories[memory])
        found = []
        for (shape, dtype), names in groups.items():
            several = shape if len(names) == 1 else (len(names), *shape)
            array = f"np.empty({self.shape(several)}, {literal(dtype)})"
            found.append((", ".join(names), array))
        return found

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
        return tuple_text(texts)

    # -- loops -------------------------------------------------------------------------------------

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

    def _loop(self, loop: Loop) -> None:
        self.comment("back through time" if loop.reverse else "through time, step by step")
        self._allocate(loop)
        steps = "T" if self.steps else str(loop.steps)
        self.loops.append(loop)
        t = self.time()
        self.loops.pop()
        outer, self.top = self.top, len(self.lines)
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
        self.top = outer
        self._end(loop)

    def _allocate(self, loop: Loop) -> None:
        """Write what is before a loop: its arrays, and the first values of its states."""
        schedule, of = self.schedule, self.names.of
        for whole in (whole for _, whole in loop.stacks):
            memory, _ = schedule.over_time[whole]
            name = of[self.names.owner(whole)]
            if memory in self.memories and self.memories[memory] != name:
                self.say(f"{name} = {self.memories[memory]}", "written over, step by step")
            elif memory not in self.memories:
                shape = self.shape(memory.shape, loop)
                self.say(f"{name} = np.empty({shape}, {literal(memory.dtype)})")
            self.memories[memory] = name
        self._numbers(loop)
        for state in loop.states:
            if state in schedule.carried:
                first = "T" if self.steps else str(loop.steps)
                first = first if loop.reverse else "0"
                self.say(
                    f"{self.memories[schedule.carried[state]]}[{first}] = {self.refs[state.start]}"
                )
            elif self.names.of[state.inside] != self.refs[state.start]:
                self.say(f"{of[state.inside]} = {self.refs[state.start]}")
        for names, array in self._arrays(schedule.buffers[loop]):
            self.say(f"{names} = {array}")
        for _, total in loop.sums:
            dtype = literal(np.dtype(total.dtype))
            self.say(f"{of[total]} = np.zeros({self.shape(total.shape)}, {dtype})")

    def _numbers(self, loop: Loop) -> None:
        """Make arrays of the numbers that a loop reads: NumPy computes faster with them."""
        for line in (line for line in walk(loop.body) if isinstance(line, Instruction)):
            for x in (x for x in line.uses if x.is_number and x in self.refs):
                dtype = self.array_dtype(line, x)
                if dtype and (x, dtype) not in self.numbers:
                    name = self.names.fresh(f"{self.names.of.get(x, 'number')}_array", True)
                    self.numbers[x, dtype] = Text(name)
                    self.say(f"{name} = np.array({self.refs[x]}, {dtype})")

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
