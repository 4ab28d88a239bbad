"""Complete programs: the text of the two functions, and the functions themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import finalize

from .buffers import WRITE_INTO, Buffers, in_place, spare, taken_over
from .emit import Emitter, literal
from .helpers import Helpers
from .lines import Line
from .plan import LIFTED, Plan, Stage

WIDTH = 60
"""The column of comments."""

LONG = 64
"""The maximum length of a comment."""


@dataclass
class Program:
    """A compiled program.

    Attributes
    ----------
    source : str
        The text, which runs on its own.
    forward : callable
        ``forward(*inputs, *states, *arguments) -> (outputs, states, saved)``
    backward : callable or None
        ``backward(*gradients of outputs, *gradients of states, *saved) -> gradients`` of the
        inputs, states and arguments.
    plan : Plan
    saved : list of str
        The values that `forward` saves for `backward`.
    """

    source: str
    forward: Callable[..., Any]
    backward: Callable[..., Any] | None
    plan: Plan
    saved: list[str]


class Text:
    """Writes the text of a program."""

    def __init__(self, plan: Plan, title: str):
        self.plan, self.title = plan, title
        self.helpers = Helpers()
        self.saved = self._saved()

    def program(self) -> Program:
        """Return the program: its text, and the functions that the text defines."""
        functions = [self.forward(), *([self.backward()] if self.plan.arriving else [])]
        imports = ["import numpy as np", *sorted(self.helpers.imports)]
        parts = [
            f'"""{self.title}: a program that runs on its own."""\n\n' + "\n".join(imports),
            *self.helpers.texts.values(),
        ]
        if constants := [
            f"{name} = {literal(array)}"
            for name, array in self.plan.writer.constants.items()
            if self._used(name)
        ]:
            parts.append("\n".join(constants))
        source = "\n\n\n".join([*parts, *functions]) + "\n"
        space: dict[str, Any] = dict(self.helpers.handed)
        exec(compile(source, f"<compiled {self.title}>", "exec"), space)
        program = Program(source, space["forward"], space.get("backward"), self.plan, self.saved)
        # The namespace and the functions refer to each other: break the cycle at the end.
        finalize(program, space.clear).atexit = False
        return program

    def _used(self, name: str) -> bool:
        roots = (*self.plan.forward_roots, *self.plan.backward_roots)
        return name in roots or any(name in line.uses for line in self.plan.lines.values())

    # -- the two functions -------------------------------------------------------------------------

    def forward(self) -> str:
        """Return the text of the forward function."""
        plan = self.plan
        e = Emitter(plan, Stage.LOOP, self._kept(Stage.LOOP), self.helpers)
        starts = [
            plan.writer.beside(state, f"{state.removesuffix('_prev')}_0") for state in plan.states
        ]
        handed = [*map(self.plural, plan.inputs), *starts, *plan.arguments]
        self._shapes(
            e,
            handed,
            [("T", x) for x in plan.inputs] + [("", x) for x in (*plan.states, *plan.arguments)],
        )
        e.say(f"T = len({self.plural(plan.inputs[0])})")
        self._stage(e, "once", self._lines(Stage.ONCE))
        self._stage(e, "before the loop, for all steps at once", self._lines(Stage.BEFORE))
        self._loop(e, "for t in range(T):", starts)
        self._stage(e, "after the loop, for all steps at once", self._lines(Stage.AFTER))
        last = [f"{self.plural(state)}[T]" for state in plan.states]
        e.say()
        outputs = _tuple(self._result(e, y) for y in plan.outputs)
        e.say(f"return {outputs}, {_tuple(last)}, {_tuple(self._handed_on(e))}")
        return "\n".join([f"def forward({', '.join(handed)}):", *e.text])

    def backward(self) -> str:
        """Return the text of the backward function."""
        plan = self.plan
        e = Emitter(plan, Stage.BACK_LOOP, self._kept(Stage.BACK_LOOP), self.helpers)
        lasts = [
            plan.writer.beside(name, f"{name.removesuffix('_next')}_T") for name in plan.carried
        ]
        handed = [*map(self.plural, plan.arriving), *lasts, *self._handed_on(e)]
        self._shapes(
            e,
            [*map(self.plural, plan.arriving), *lasts],
            [("T", x) for x in plan.arriving] + [("", x) for x in plan.carried],
        )
        e.say(f"T = len({self.plural(plan.arriving[0])})")
        self._stage(e, "before the loop, for all steps at once", self._lines(Stage.BACK_BEFORE))
        self._loop(e, "for t in reversed(range(T)):", lasts)
        self._stage(e, "after the loop, for all steps at once", self._lines(Stage.BACK_AFTER))
        self._stage(e, "sums over all steps", self._lines(Stage.BACK_ONCE))
        results = [None if x is None else self._result(e, x) for x in plan.to_inputs]
        results += [
            None if g is None else name
            for name, g in zip(plan.carried, plan.to_states, strict=True)
        ]
        e.say()
        e.say(f"return {_tuple(map(str, [*results, *plan.to_arguments]))}")
        return "\n".join([f"def backward({', '.join(handed)}):", *e.text])

    def _shapes(self, e: Emitter, names: list[str], values: list[tuple[str, str]]) -> None:
        """Write a comment with the dtype and shape of each argument."""
        width = max(map(len, names))
        for name, (time, value) in zip(names, values, strict=True):
            shape = ", ".join([*([time] if time else []), *map(str, self.plan.shape(value))])
            e.say(f"# {name:<{width}}  {self.plan.dtype(value)} ({shape})")

    def plural(self, name: str) -> str:
        """Return the name of the array of all steps of a value."""
        return self.plan.writer.plural(name)

    def next(self, name: str) -> str:
        """Return the name of the array for the gradient that is carried to the previous step."""
        return spare(self.plan, name)

    def _result(self, e: Emitter, name: str) -> str:
        if self.plan.varies(name):
            return e.all_steps(name)
        return f"np.broadcast_to({name}, (T, *{self.plan.shape(name)}))"

    # -- values that are kept ----------------------------------------------------------------------

    def _saved(self) -> list[str]:
        """Return the values of the forward function that the backward function reads."""
        plan, found = self.plan, []
        for name, line in plan.lines.items():
            if plan.stages[name].backwards:
                found += [use for use in line.uses if self._forwards(use)]
        found += [name for name in plan.backward_roots if self._forwards(name)]
        return list(dict.fromkeys(found))

    def _forwards(self, name: str) -> bool:
        plan = self.plan
        handed = name in (*plan.inputs, *plan.states, *plan.arguments)
        return handed or (name in plan.stages and not plan.stages[name].backwards)

    def _handed_on(self, e: Emitter) -> list[str]:
        """Return the names of the saved values in the backward function."""
        plan, found = self.plan, []
        for name in self.saved:
            if not self.plan.varies(name):
                found.append(name)
            elif e.becomes_state(name):
                found.append(self.plural(plan.states[plan.new.index(name)]))
            else:
                found.append(self.plural(name))
        return list(dict.fromkeys(found))

    def _kept(self, loop: Stage) -> set[str]:
        """Return the values of a loop that other stages read, or that are results."""
        plan = self.plan
        later = {
            use
            for name, line in plan.lines.items()
            if plan.stages[name] != loop
            for use in line.uses
        }
        later |= {*plan.outputs, *plan.new, *(x for x in plan.to_inputs if x)}
        return {name for name in later if plan.stages.get(name) == loop}

    def _wanted_later(self, name: str) -> bool:
        """Return True if a carried gradient is read after the loop, for all steps."""
        plan = self.plan
        later = any(
            name in line.uses and plan.stages[n] in (Stage.BACK_AFTER, Stage.BACK_ONCE)
            for n, line in plan.lines.items()
        )
        return later or name in plan.to_inputs

    # -- stages ------------------------------------------------------------------------------------

    def _lines(self, stage: Stage) -> list[Line]:
        return [line for name, line in self.plan.lines.items() if self.plan.stages[name] == stage]

    def _stage(self, e: Emitter, comment: str, lines: list[Line]) -> None:
        """Write lines outside of loops."""
        if not lines:
            return
        e.say()
        e.say(f"# {comment}")
        lifted = self.plan.stages[lines[0].name] in LIFTED
        over = in_place(
            self.plan, lines, {*self.saved, *self.plan.forward_roots, *self.plan.backward_roots}
        )
        for line in lines:
            out = over.get(line.name, "")
            text = e.expression(
                line,
                lifted=lifted or line.fn.endswith("_over_time"),
                out=self.plural(out) if out and lifted else out,
            )
            self._say(e, line, f"{self.plural(line.name) if lifted else line.name} = {text}")

    def _say(self, e: Emitter, line: Line, text: str) -> None:
        """Write a line, with the equation that it computes as a comment."""
        self._comment(e, text, self.plan.writer.notes.get(line.name, ""))

    def _comment(self, e: Emitter, text: str, note: str) -> None:
        note = note if len(note) <= LONG else f"{note[: LONG - 1]}…"
        e.say(f"{text:<{WIDTH - 4 * e.depth}}  # {note}" if note else text)

    def _loop(self, e: Emitter, head: str, starts: list[str]) -> None:
        plan, back = self.plan, e.loop.backwards
        lines = self._lines(e.loop)
        carried, following = (plan.carried, plan.to_states) if back else (plan.states, plan.new)
        later = [name for name in carried if back and self._wanted_later(name)]
        e.say()
        e.say("# the loop, last step first" if back else "# the loop, step by step")
        buffers = Buffers(plan, e.loop, lines, e.kept, carried, following)
        kept = {name for name in e.kept if not e.becomes_state(name)}
        over = taken_over(
            plan, e.loop, lines, kept, {*self.saved, *plan.forward_roots, *plan.backward_roots}
        )
        for name, start in zip(carried, starts, strict=True):
            if back:
                e.say(f"{name}, {self.next(name)} = np.array({start}), np.empty_like({start})")
            else:
                self._allocate(e, name, "T + 1")
                e.say(f"{self.plural(name)}[0] = {name} = {start}")
        for name in [*later, *(name for name in plan.lines if name in kept and name not in over)]:
            self._allocate(e, name, "T")
        for name, other in over.items():
            self._comment(
                e, f"{self.plural(name)} = {self.plural(other)}", "written over it, step by step"
            )
        for name, (shape, dtype) in buffers.made.items():
            e.say(f"{name} = np.empty({shape}, np.{dtype})")
        e.say(head)
        e.depth += 1
        for name in later:
            e.say(f"{self.plural(name)}[t] = {name}")
        self._bind(e, lines)
        for line in lines:
            self._step(e, line, buffers)
        (self._carry_back if back else self._carry_on)(e, buffers, carried, following)
        e.depth -= 1

    def _allocate(self, e: Emitter, name: str, steps: str) -> None:
        """Write the allocation of the array of all steps of a value."""
        shape = _tuple([steps, *map(str, self.plan.shape(name))])
        e.say(f"{self.plural(name)} = np.empty({shape}, np.{self.plan.dtype(name)})")

    def _bind(self, e: Emitter, lines: list[Line]) -> None:
        """Bind a name, at the top of the loop, to each element that is read repeatedly."""
        counts: dict[str, int] = {}
        for line in lines:
            for use in line.uses:
                counts[use] = counts.get(use, 0) + 1
        for name, count in counts.items():
            if count > 1 and e.one_step(name) != name:
                e.say(f"{name} = {e.place(name)}")
                e.bound.add(name)

    def _step(self, e: Emitter, line: Line, buffers: Buffers) -> None:
        """Write one line of a loop, with the array that it writes into."""
        kept = line.name in e.kept
        place = e.place(line.name, whole=True) if kept else buffers.out.get(line.name, "")
        direct = place if line.fn in WRITE_INTO else ""
        self._say(e, line, f"{line.name} = {e.expression(line, lifted=False, out=direct)}")
        if kept and not direct:
            e.say(f"{place} = {line.name}")

    def _carry_on(
        self, e: Emitter, buffers: Buffers, states: list[str], new: Sequence[Any]
    ) -> None:
        """Write the new state into the array of states, and carry it to the next step."""
        plan = self.plan
        for i, (state, value) in enumerate(zip(states, new, strict=True)):
            if not (e.becomes_state(value) and plan.new.index(value) == i):
                e.say(f"{self.plural(state)}[t + 1] = {e.one_step(value)}")
        for state in states:
            e.say(f"{state} = {self.plural(state)}[t + 1]")

    def _carry_back(
        self, e: Emitter, buffers: Buffers, carried: list[str], to: Sequence[Any]
    ) -> None:
        """Carry the gradient of the state to the previous step."""
        for name, g in zip(carried, to, strict=True):
            if g is None:
                e.say(f"{self.next(name)}[...] = 0")
            elif buffers.out.get(g) != self.next(name):
                e.say(f"{self.next(name)}[...] = {e.one_step(g)}")
        for name in carried:
            e.say(f"{name}, {self.next(name)} = {self.next(name)}, {name}")


def _tuple(texts: Iterable[str]) -> str:
    several = list(texts)
    return f"({', '.join(several)}{',' if len(several) == 1 else ''})"
