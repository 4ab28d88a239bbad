"""The text of a program whose loops Numba compiles. What is outside of loops stays NumPy's."""

from __future__ import annotations

import re
from typing import Any
from weakref import finalize

import numpy as np

from .entries import DTYPES, cast
from .formulas import Text, literal
from .instructions import Instruction, Loop, Program, State, Variable, walk
from .into_loops import into_loops
from .nests import (
    SMALL_PRODUCT,
    NestBody,
    NestNames,
    NestPlace,
    NestStep,
    is_entrywise,
    is_native,
    is_view,
    work,
)
from .numba_cache import DECORATED, compiled
from .numpy_text import NumpyText, Written
from .schedule import INTO

LARGE = 2**19
"""Above this many multiply-adds a step, matrix products are left to NumPy's BLAS.

Only what lies between them is compiled.
"""

SMALL = 2**16
"""Programs whose values take fewer bytes are compiled as a whole."""

RESERVED = ("plain", "scatter", "exp", "tanh", "f32", "njit")


def write_numba(
    program: Program, title: str = "a program", name: str = "step", own: int | None = None
) -> Written:
    """Return the text of a program, and the function that the text defines, as `write_numpy`."""
    program = into_loops(program)
    writer = NumbaText(program, own)
    source, name = writer.text(title, name)
    rest = source
    for text in writer.native:
        rest = rest.replace(text, "")
    space = {**writer.helpers.handed}
    space |= compiled("\n\n\n".join(writer.native)) if writer.native else {}
    exec(compile(rest, f"<compiled {title}>", "exec"), space)
    run = space.pop(name)
    finalize(run, space.clear).atexit = False
    return Written(source, run, program)


# -- functions that a program includes -------------------------------------------------------------

f32 = np.float32


def plain(*arrays: Any) -> list[np.ndarray]:
    """Return arrays in a layout that loops are compiled for: in one piece and writable."""
    return [
        a if type(a) is np.ndarray and a.flags.carray else np.require(a, None, ["C", "W"])
        for a in arrays
    ]


def exp(x: Any) -> Any:
    """Return eˣ of one float32, in arithmetic that compilers can vectorise.

    x = k ln 2 + r with |r| ≤ ½ ln 2, and eˣ = 2ᵏ eʳ with the Taylor series of eʳ. ln 2 is split
    into two parts, of which the first has few bits.
    """
    x = min(max(x, f32(-104)), f32(89))
    k = np.floor(x * f32(1.4426950408889634) + f32(0.5))
    r = x - k * f32(0.693359375) + k * f32(2.12194440054690583e-4)
    y = r * f32(1 / 5040) + f32(1 / 720)
    y = r * (r * (r * (r * y + f32(1 / 120)) + f32(1 / 24)) + f32(1 / 6)) + f32(1 / 2)
    y = r * (r * y + f32(1)) + f32(1)
    n = np.int32(k)
    half = n >> 1  # in two factors, because 2ᵏ itself may be out of range
    low, high = np.int32((half + 127) << 23), np.int32((n - half + 127) << 23)
    return y * low.view(f32) * high.view(f32)


def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent of one float32.

    Near 0 it is the Taylor series, else ±(1 − e) / (1 + e) with e = exp(−2|x|).
    """
    e = exp(f32(-2) * abs(x))
    far = (f32(1) - e) / (f32(1) + e)
    s = x * x
    near = x * (
        f32(1) + s * (f32(-1 / 3) + s * (f32(2 / 15) + s * (f32(-17 / 315) + s * f32(62 / 2835))))
    )
    return near if s < f32(0.09) else (far if x > f32(0) else -far)


# -- text ------------------------------------------------------------------------------------------


class NumbaText(NumpyText):
    """Writes a program whose loops are compiled, as a whole or between large products.

    Attributes
    ----------
    native : list of str
        The functions that Numba compiles.
    """

    def __init__(self, program: Program, own: int | None):
        self.native: list[str] = []
        self.sizes: dict[int, str] = {}
        super().__init__(program, own)
        self.helpers.imports |= {"from numba import njit", "from numpy import float32 as f32"}

    def _functions(self) -> list[str]:
        return [*super()._functions(), *RESERVED]

    def _add(self, name: str, text: str) -> None:
        """Add a compiled function to the program."""
        for own, function, users in (("exp", exp, "exp|tanh"), ("tanh", tanh, "tanh")):
            if re.search(rf"(?<!\.)\b({users})\(", text) and own not in self.helpers.texts:
                self.helpers.name(function)
                decorated = f"{DECORATED}\n{self.helpers.texts[own]}"
                self.native.append(decorated)
                self.helpers.texts[own] = decorated
        self.native.append(text)
        self.helpers.texts[name] = text

    # -- small programs ----------------------------------------------------------------------------

    def _body(self, lines: list[Any]) -> None:
        """Write lines; those of a small program are nests too, not only its loops."""
        if self.loops or not self._is_small() or not _has_arrays(lines):
            super()._body(lines)
            return
        self.helpers.name(plain)
        whole = Loop(1, False, lines)
        writer = LoopSteps(self, whole, True)
        names = writer.names
        self.sizes = names.sizes
        outputs = [y for y in self.program.outputs if y not in self.refs]
        steps = writer.write(whole, None, outputs)
        writer.body.step(False)
        last = {y: writer.body.whole(y) for y in outputs}
        self._give(names, steps)
        natives = [step for step in steps if step.native]
        arrays, names.new = names.new, []
        if len(natives) == 1:
            at = steps.index(natives[0])
            before = {name for step in steps[:at] for name in step.used}
            inner = [x for x in arrays if x[0] in natives[0].used and x[0] not in before]
            later = {name for step in steps[at + 1 :] for name in step.used}
            later |= {x for text in last.values() for x in re.findall(r"\w+", text)}
            arrays = [x for x in arrays if x not in inner]
            steps[at] = NestStep(False, self._at_once(names, natives[0], inner, later))
        names.new = arrays
        self._allocate_new(names)
        for line in self.calls(steps):
            self.say(line)
        self.refs |= {y: Text(text) for y, text in last.items()}

    def _is_small(self) -> bool:
        results = [y for line in walk(self.program.lines) for y in line.results]
        return sum(y.nbytes for y in results if not y.is_number) <= SMALL

    def _at_once(self, names: NestNames, step: NestStep, arrays: Any, later: set[str]) -> list[str]:
        """Add a function that makes its own arrays, and return the lines of its call.

        It returns those arrays whose names are in `later`.
        """
        lines = []
        for name, shape, dtype in arrays:
            sizes = "".join(f"{names.size(n)}, " for n in shape).strip()
            kind = "np.bool_" if dtype == np.bool_ else literal(dtype)
            lines.append(f"{name} = np.empty(({sizes}), {kind})")
        made = [name for name, _, _ in arrays]
        result = ", ".join(name for name in made if name in later)
        lines += [*step.lines, *([f"return {result},"] if result else [])]
        given = dict.fromkeys(name for name in step.used if name not in made)
        call = self._call("run", lines, [NestStep(True, lines, given)])
        return [f"{result}, = {call}" if result else call]

    # -- loops -------------------------------------------------------------------------------------

    def _loop(self, loop: Loop) -> None:
        if self.loops or not _has_arrays([loop]):
            super()._loop(loop)
            return
        self.comment("back through time" if loop.reverse else "through time, step by step")
        self.helpers.name(plain)
        native = all(map(is_native, walk([loop]))) and work(loop) <= LARGE
        writer = LoopSteps(self, loop, native)
        kept = self._kept(loop, writer.names)
        writer.start(loop, 0)
        self.sizes = writer.names.sizes
        steps = writer.write(loop, ())
        self._allocate_new(writer.names)
        for text in kept:
            self.say(text)
        for state in loop.states:
            array = writer.names.places[state.inside].array
            self.say(f"{array}[{writer.first(loop, state)}] = {self.refs[state.start]}")
        self._give(writer.names, steps)
        head = f"for t in {writer.range(loop)}:"
        if all(step.native for step in steps):
            self.say(self._call("loop", _inside(head, steps), steps))
        else:
            self.say(head)
            for line in self.calls(steps):
                self.say(f"    {line}")
        self._end(loop)
        for state in loop.states:
            if state not in self.schedule.carried:
                array = writer.names.places[state.inside].array
                self.refs[state.last] = Text(f"{array}[{writer.last(loop, state)}]")

    def _kept(self, loop: Loop, names: NestNames) -> list[str]:
        """Return lines that allocate what the loop keeps."""
        of, schedule, lines = self.names.of, self.schedule, []
        for whole in (whole for _, whole in loop.stacks):
            memory, name = schedule.over_time[whole][0], of[self.names.owner(whole)]
            empty = f"np.empty({self.shape(memory.shape, loop)}, {literal(memory.dtype)})"
            known = self.memories.get(memory, empty)
            lines += [f"{name} = {known}"] if known != name else []
            self.memories[memory] = name
        for _, total in loop.sums:
            shape = self.shape(total.shape)
            lines.append(f"{of[total]} = np.zeros({shape}, {literal(np.dtype(total.dtype))})")
            names.places[total] = NestPlace(of[total])
        return lines

    def _allocate_new(self, names: NestNames) -> None:
        """Write the allocation of the arrays of one step."""
        alike: dict[Any, list[str]] = {}
        for name, shape, dtype in names.new:
            alike.setdefault((shape, dtype, shape or name), []).append(name)
        for (shape, dtype, _), several in alike.items():
            whole = shape if len(several) == 1 else (len(several), *shape)
            self.say(f"{', '.join(several)} = np.empty({self.shape(whole)}, {literal(dtype)})")

    def _give(self, names: NestNames, steps: list[NestStep]) -> None:
        """Write what the loop calls the values from outside, and their layout if it matters."""
        dots = [step for step in steps if any("np.dot(" in x or "nest" in x for x in step.lines)]
        used = {name for step in steps if step.native or step in dots for name in step.used}
        arrays = {name: x for x, name in names.given.items() if name in used and not x.is_number}
        if arrays:
            left = f"{', '.join(arrays)}{',' if len(arrays) == 1 else ''}"
            self.say(f"{left} = plain({', '.join(self.refs[x] for x in arrays.values())})")
        for x, name in names.given.items():
            if name not in arrays and name != self.refs[x]:
                self.say(f"{name} = {self.refs[x]}")

    def calls(self, steps: list[NestStep]) -> list[str]:
        """Return the lines of a step as Python runs them: nests are calls of compiled functions."""
        lines = []
        for step in steps:
            if step.native:
                lines.append(self._call("nest", step.lines, [step]))
            else:
                lines += step.lines
        return lines or ["pass"]

    def _call(self, wish: str, lines: list[str], steps: list[NestStep]) -> str:
        """Add a compiled function with these lines, and return its call."""
        text = "\n".join(f"    {line}" for line in lines or ["pass"])
        used = dict.fromkeys(name for step in steps for name in step.used)
        numbers = [x for x in ("T", "t", "t2", "t3") if re.search(rf"(?<!\.)\b{x}\b", text)]
        if lines and lines[0].startswith("for t in"):
            numbers.remove("t")
        numbers = [x for x in numbers if not re.search(rf"for {x} in ", text)]
        sizes = {x: n for n, x in self.sizes.items() if re.search(rf"\b{x}\b", text)}
        name = self.names.fresh(wish, everywhere=True)
        self._add(name, f"{DECORATED}\ndef {name}({', '.join([*numbers, *sizes, *used])}):\n{text}")
        return f"{name}({', '.join([*numbers, *map(str, sizes.values()), *used])})"


def _has_arrays(lines: list[Any]) -> bool:
    """Return True if all that loops carry and keep are arrays, which do not change their kind."""
    for loop in (line for line in walk(lines) if isinstance(line, Loop)):
        ends = [x for pair in (*loop.stacks, *loop.sums) for x in pair]
        states = [(s.inside, x) for s in loop.states for x in (s.start, s.next, s.last)]
        ends += [x for pair in states for x in pair]
        alike = all((x.shape, x.dtype) == (y.shape, y.dtype) for x, y in states)
        if not alike or any(x.is_number for x in ends):
            return False
    return True


def _inside(head: str, steps: list[NestStep]) -> list[str]:
    """Return a loop as lines."""
    lines = [line for step in steps for line in step.lines] or ["pass"]
    return [head, *(f"    {line}" for line in lines)]


def _is_expectation(group: list[Any]) -> bool:
    return isinstance(group[0], Instruction) and group[0].function == "expect"


class LoopSteps:
    """Writes the steps of a loop and of the loops in it.

    Attributes
    ----------
    names : NestNames
    native : bool
        True if the loop is compiled as a whole.
    """

    def __init__(self, text: NumbaText, loop: Loop, native: bool):
        self.text, self.native = text, native
        inside = {x for part in walk([loop]) if isinstance(part, Loop) for x in part.inside}
        mine = {text.names.of.get(x) for x in inside}
        others = {name for x, name in text.names.of.items() if x not in inside}
        self.names = NestNames(
            text.names.fresh, (text.names._taken - mine) | others, text.steps, text.refs
        )
        self.names.outside = {
            line.out: line
            for line in text.program.lines
            if is_view(line) and line.function == "index" and is_native(line)
        }

    def count(self, loop: Loop) -> str:
        """Return the number of steps of a loop."""
        return "T" if self.text.steps else str(loop.steps)

    def range(self, loop: Loop) -> str:
        """Return what a loop counts over."""
        n = self.count(loop)
        return f"range({n} - 1, -1, -1)" if loop.reverse else f"range({n})"

    def write(
        self, loop: Loop, times: tuple[str, ...] | None, outputs: list[Variable] | None = None
    ) -> list[NestStep]:
        """Return the steps of the body of a loop, whose kept arrays have names.

        Without `times`, it is no loop but a whole program with these outputs.
        """
        time = f"t{len(times) + 1}" if times else "t"
        inner = () if times is None else (*times, time)
        body = NestBody(self.names, loop, inner, self.text.helpers, outputs or ())
        if times is None:
            body.groups.sort(key=_is_expectation)
        later = self._ends(body, loop, time)
        self._joins(body)
        self._buffers(body)
        sums: dict[Variable, list[str]] = {}
        for x, total in loop.sums:
            sums.setdefault(x, []).append(self.names.places[total].array)
        done: set[Variable] = set()
        for group in body.groups:
            line = group[0]
            if is_entrywise(line):
                body.nest(group, sums)
                done |= {line.out for line in group}
            elif isinstance(line, Loop):
                self._inner(body, line)
            else:
                self._line(body, line)
        for x, total in loop.sums:
            if x not in done:
                body.fill(x, self.names.places[total], "+=")
        for x, to in later:
            body.fill(x, to)
        self.body = body
        return body.steps

    def _line(self, body: NestBody, line: Instruction) -> None:
        """Write a line that is not elementwise."""
        native = is_native(line)
        if line.function == "matmul" and not (self.native or work(line) < SMALL_PRODUCT):
            native = False
        write = {"matmul": body.product, "concatenate": body.join, "scatter": body.scatter,
                 "call": body.pick}  # fmt: skip
        if native and line.function == "zeros":
            body.constant(line.out, cast("0", int, line.out.dtype))
        elif native:
            write.get(line.function, body.reduction)(line)
        else:
            body.numpy(line)

    def _inner(self, body: NestBody, loop: Loop) -> None:
        """Write a loop within the loop."""
        places, memories = self.names.places, self.text.memories
        for whole in (whole for _, whole in loop.stacks):
            memory, step = self.text.schedule.over_time[whole]
            if memory not in memories:
                name = self.text.names.of[memory.owner]
                memories[memory] = self.names.array(name, memory.shape, memory.dtype)
            more = memory.shape[0] > loop.steps
            places[whole] = NestPlace(memories[memory], (), *((0, step) if more else ()))
        for _, total in loop.sums:
            name = self.names.array(self.text.names.of[total], total.shape, total.dtype)
            places[total] = NestPlace(name)
            zero = cast("0", int, total.dtype) if total.dtype in DTYPES else "0"
            body.constant(total, zero)
        self.start(loop, len(body.times))
        for state in loop.states:
            body.fill(
                state.start, NestPlace(places[state.inside].array, (self.first(loop, state),))
            )
        steps = self.write(loop, body.times)
        depth = len(body.times)
        head = f"for {f't{depth + 1}' if depth else 't'} in {self.range(loop)}:"
        if all(step.native for step in steps):
            body.step(True).lines += _inside(head, steps)
        else:
            body.step(False).lines += [head, *(f"    {x}" for x in self.text.calls(steps))]
        body.steps[-1].used |= dict.fromkeys(name for step in steps for name in step.used)
        for state in loop.states:
            places[state.last] = NestPlace(places[state.inside].array, (self.last(loop, state),))

    # -- places ------------------------------------------------------------------------------------

    def start(self, loop: Loop, depth: int) -> None:
        """Give the states of a loop an array for all steps, or one for two steps."""
        time = f"t{depth + 1}" if depth else "t"
        for state in loop.states:
            x, memory = state.inside, self.text.schedule.carried.get(state)
            if memory:
                array = self.text.memories[memory]
            else:
                wish = f"{state.next.name or x.name or 'h'}_pair"
                array = self.names.array(wish, (2, *x.shape), x.dtype)
            self.names.places[x] = NestPlace(array, (self._turn(state, time, loop.reverse),))

    def _turn(self, state: State, time: str, later: bool) -> str:
        """Return the index of the array of a state before a step, or after it."""
        if state in self.text.schedule.carried:
            return f"{time} + 1" if later else time
        return f"({time} + 1) % 2" if later else f"{time} % 2"

    def first(self, loop: Loop, state: State) -> str:
        """Return the index of the first value of a state."""
        return self._turn(state, self.count(loop), False) if loop.reverse else "0"

    def last(self, loop: Loop, state: State) -> str:
        """Return the index of the last value of a state."""
        return "0" if loop.reverse else self._turn(state, self.count(loop), False)

    def _ends(self, body: NestBody, loop: Loop, time: str) -> list[tuple[Variable, NestPlace]]:
        """Let values be written where the loop keeps them, and return the copies to make."""
        schedule, places = self.text.schedule, self.names.places
        wanted = []
        for state in loop.states:
            turn = self._turn(state, time, not loop.reverse)
            wanted.append((state.next, NestPlace(places[state.inside].array, (turn,))))
        carried = [schedule.carried.get(state) for state in loop.states]
        for x, whole in loop.stacks:
            memory, _ = schedule.over_time[whole]
            if memory not in carried:
                wanted.append((x, NestPlace(self.text.memories[memory], (time,))))
        later = []
        for x, to in wanted:
            if x in places or not self._direct(body.made.get(x)):
                later.append((x, to))
            else:
                places[x] = to
        return later

    @staticmethod
    def _direct(line: Any) -> bool:
        """Return True if a line can write its result into a given array."""
        if not isinstance(line, Instruction):
            return False
        return is_native(line) or (line.function in INTO and bool(line.out.shape))

    def _joins(self, body: NestBody) -> None:
        """Let the parts of concatenations be written into their places there."""
        places = self.names.places
        for line in reversed(body.lines):
            if isinstance(line, Loop) or line.function != "concatenate" or not is_native(line):
                continue
            y, start, axis = line.out, 0, line.settings["axis"] % len(line.out.shape)
            if y not in places:
                array = self.names.array(f"{self.names.name(y)}_now", y.shape, y.dtype)
                places[y] = NestPlace(array)
            for x in line.args:
                made = body.made.get(x)
                fits = is_entrywise(made) and x not in places and x.dtype == y.dtype
                fits = fits and x not in body.outputs
                if fits and places[y].axis < 0:
                    places[x] = NestPlace(places[y].array, places[y].prefix, axis, start)
                start += x.shape[axis]

    def _buffers(self, body: NestBody) -> None:
        """Give an array to every other value that is read outside of its nest."""
        at = {line.out: i for i, g in enumerate(body.groups) for line in g if is_entrywise(line)}
        read = {
            body.source(x)
            for i, group in enumerate(body.groups)
            for line in group
            for x in line.uses
            if at.get(body.source(x)) != i
        }
        for y, line in body.made.items():
            if y in self.names.places or not self._direct(line):
                continue
            if y in read or y in body.kept or not is_entrywise(line):
                array = self.names.array(f"{self.names.name(y)}_now", y.shape, y.dtype)
                self.names.places[y] = NestPlace(array)
