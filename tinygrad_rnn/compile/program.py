"""A whole program: the text of both functions, and the functions themselves."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .buffers import WRITE_INTO, Buffers, in_place
from .emit import Emitter, literal
from .merge import products, products_of_parts, products_over_time, sums_of_products, widen
from .lines import RESERVED, UFUNCS, VIEWS, Line
from .plan import LIFTED, LOOPS, Plan, Stage, one_for_all, over_time, place, products_of_joined, sums, views_again, written
from .trace import Gradients, Traced

LARGE = 64
"""An array constant with more entries than this is not printed but handed in."""


@dataclass
class Program:
    """What was compiled.

    Attributes
    ----------
    source : str
        The text, which runs on its own.
    forward : callable
        ``forward(*inputs, *states, *arguments) -> (outputs, states, saved)``
    backward : callable or None
        ``backward(*gradients of outputs, *gradients of states, *saved) -> gradients of inputs, states, arguments``
    """

    source: str
    forward: Callable[..., Any]
    backward: Callable[..., Any] | None
    plan: Plan


def build(traced: Traced, gradients: Gradients | None, arguments: list[Any], title: str) -> Program:
    """Compile what was recorded."""
    plan = written(traced, gradients, arguments)
    one_for_all(plan)
    products_of_joined(plan)
    sums(plan)
    place(plan)
    products(plan)
    widen(plan)
    if gradients is not None:
        sums_of_products(plan)
        products_of_parts(plan)
        over_time(plan)
        products_over_time(plan)
    views_again(plan)
    return Text(plan, title).program()


class Text:
    """Writes the text of a program."""

    def __init__(self, plan: Plan, title: str):
        self.plan, self.title = plan, title
        self.helpers: dict[str, Any] = {}
        self.constants: dict[str, np.ndarray] = {}
        self.saved = self._saved()

    def plural(self, name: str) -> str:
        """What all steps of a value are called."""
        return self.plan.writer.plural(name)

    def next(self, name: str) -> str:
        """Where the gradient carried to the step before is put together."""
        return self.plan.writer.beside(name, f"{name}_next")

    def program(self) -> Program:
        """The text, and the functions that it defines."""
        body = ["\n".join(self.forward())]
        if self.plan.arriving:
            body.append("\n".join(self.backward()))
        source = "\n\n\n".join([f'"""{self.title}"""\n\nimport numpy as np', *self._helpers(), *body]) + "\n"
        space: dict[str, Any] = {"np": np, **self._constants()}
        space.update({name: function for name, function in self.helpers.items()})
        exec(compile(source, f"<compiled {self.title}>", "exec"), space)  # noqa: S102
        return Program(source, space["forward"], space.get("backward"), self.plan)

    def _constants(self) -> dict[str, np.ndarray]:
        return {}

    def _helpers(self) -> list[str]:
        constants = [f"{name} = {literal(array)}" for name, array in self.plan.writer.constants.items() if self._used(name)]
        return ["\n".join(constants)] if constants else []

    def _used(self, name: str) -> bool:
        return any(name in line.uses for line in self.plan.lines.values()) or name in (*self.plan.forward_roots, *self.plan.backward_roots)

    # -- what is kept ----------------------------------------------------------------------------------

    def _saved(self) -> list[str]:
        """Values of the first program that the second takes."""
        plan, found = self.plan, []
        for name, line in plan.lines.items():
            if plan.stages[name].backwards:
                found += [use for use in line.uses if self._forwards(use)]
        found += [name for name in plan.backward_roots if self._forwards(name)]
        return list(dict.fromkeys(found))

    def _forwards(self, name: str) -> bool:
        plan = self.plan
        handed = name in (*plan.inputs, *plan.states, *plan.arguments)
        return handed or (plan.stages.get(name) is not None and not plan.stages[name].backwards)

    def _kept(self, loop: Stage) -> set[str]:
        """Values made in a loop that are wanted after it."""
        plan = self.plan
        later = {use for name, line in plan.lines.items() if plan.stages[name] != loop for use in line.uses}
        later |= {*plan.outputs, *plan.new, *(x for x in plan.to_inputs if x)}
        return {name for name in later if plan.stages.get(name) == loop}

    def _wanted_later(self, name: str) -> bool:
        """Whether a line after the loop that runs backwards takes the gradients carried, of all steps."""
        plan = self.plan
        later = any(name in line.uses and plan.stages[n] in (Stage.BACK_AFTER, Stage.BACK_ONCE) for n, line in plan.lines.items())
        return later or name in plan.to_inputs

    # -- forwards --------------------------------------------------------------------------------------

    def forward(self) -> list[str]:
        """The program that runs forwards."""
        plan = self.plan
        e = Emitter(plan, Stage.LOOP, self._kept(Stage.LOOP), self.helpers)
        starts = [plan.writer.beside(state, f"{state}_0") for state in plan.states]
        handed = [*(self.plural(x) for x in plan.inputs), *starts, *plan.arguments]
        head = f"def forward({', '.join(handed)}):"
        e.say(f"T = len({self.plural(plan.inputs[0])})")
        needed = self._needed(Stage.ONCE, {Stage.ONCE, Stage.BEFORE, Stage.LOOP, Stage.AFTER}, [*plan.forward_roots, *self.saved])
        self._stage(e, "# once", [line for line in self._lines(Stage.ONCE) if line.name in needed])
        self._stage(e, "# before the loop, for all steps at once", self._lines(Stage.BEFORE))
        if plan.states:
            for state, start in zip(plan.states, starts, strict=True):
                e.say(f"{self.plural(state)} = np.empty((T + 1, *{plan.shape(state)}), np.{plan.dtype(state)})")
                e.say(f"{self.plural(state)}[0] = {start}")
        self._loop(e, "for t in range(T):")
        self._stage(e, "# after the loop, for all steps at once", self._lines(Stage.AFTER))
        outputs = [self._result(e, name) for name in plan.outputs]
        last = [f"{self.plural(state)}[T]" for state in plan.states]
        saved = list(dict.fromkeys(self._saved_name(e, name) for name in self.saved))
        e.say(f"return ({_tuple(outputs)}), ({_tuple(last)}), ({_tuple(saved)})")
        return [head, *e.text]

    def _result(self, e: Emitter, name: str) -> str:
        if e.over_time(name):
            return e.all_steps(name)
        return f"np.broadcast_to({name}, (T, *{self.plan.shape(name)}))"

    def _saved_name(self, e: Emitter, name: str) -> str:
        """What the second program calls a value of the first."""
        if not e.over_time(name):
            return name
        if name in self.plan.new and self.plan.stages.get(name) == Stage.LOOP:
            return self.plural(self.plan.states[self.plan.new.index(name)])
        return self.plural(name)

    # -- backwards -------------------------------------------------------------------------------------

    def backward(self) -> list[str]:
        """The program that runs backwards."""
        plan = self.plan
        e = Emitter(plan, Stage.BACK_LOOP, self._kept(Stage.BACK_LOOP), self.helpers)
        lasts = [plan.writer.beside(name, f"{name}_T") for name in plan.carried]
        saved = list(dict.fromkeys(self._saved_name(e, name) for name in self.saved))
        handed = [*(self.plural(g) for g in plan.arriving), *lasts, *saved]
        head = f"def backward({', '.join(handed)}):"
        e.say(f"T = len({self.plural(plan.arriving[0])})")
        own = self._needed(Stage.ONCE, {s for s in Stage if s.backwards}, plan.backward_roots, set(self.saved))
        self._stage(e, "# once", [line for line in self._lines(Stage.ONCE) if line.name in own])
        self._stage(e, "# before the loop, for all steps at once", self._lines(Stage.BACK_BEFORE))
        if True:
            for name, last in zip(plan.carried, lasts, strict=True):
                e.say(f"{name}, {self.next(name)} = np.array({last}), np.empty_like({last})")
        self._loop(e, "for t in reversed(range(T)):")
        self._stage(e, "# after the loop, for all steps at once", self._lines(Stage.BACK_AFTER))
        self._stage(e, "# once", self._lines(Stage.BACK_ONCE))
        results = [None if x is None else self._result(e, x) for x in plan.to_inputs]
        results += [None if g is None else name for name, g in zip(plan.carried, plan.to_states, strict=True)]
        results += plan.to_arguments
        e.say(f"return ({_tuple([str(r) for r in results])})")
        return [head, *e.text]

    # -- stages ----------------------------------------------------------------------------------------

    def _lines(self, stage: Stage) -> list[Line]:
        return [line for name, line in self.plan.lines.items() if self.plan.stages[name] == stage]

    def _needed(self, stage: Stage, users: set[Stage], roots: list[str], there: set[str] = frozenset()) -> set[str]:  # type: ignore[assignment]
        """The lines of `stage` that those of `users`, or the roots, are made with, if they are not `there` already."""
        plan = self.plan
        wanted = set(roots)
        for name, line in reversed(list(plan.lines.items())):
            if (plan.stages[name] in users and plan.stages[name] != stage) or (name in wanted and name not in there):
                wanted.update(line.uses)
        return {name for name in wanted - there if plan.stages.get(name) == stage}

    def _stage(self, e: Emitter, comment: str, lines: list[Line]) -> None:
        if not lines:
            return
        e.say()
        e.say(comment)
        over = in_place(self.plan, lines, {*self.saved, *self.plan.forward_roots, *self.plan.backward_roots})
        for line in lines:
            lifted = self.plan.stages[line.name] in LIFTED
            out = over.get(line.name, "")
            out = self.plural(out) if out and lifted else out
            name = self.plural(line.name) if lifted else line.name
            e.say(f"{name} = {e.expression(line, lifted=lifted or line.fn.endswith('_over_time'), out=out)}")

    def _loop(self, e: Emitter, head: str) -> None:
        plan, loop = self.plan, e.loop
        lines = self._lines(loop)
        backwards = loop.backwards
        carried, following = (plan.carried, plan.to_states) if backwards else (plan.states, plan.new)
        if not lines and not any(following) and not any(map(self._wanted_later, carried)):
            return
        e.say()
        e.say(f"# the loop, {'last step first' if backwards else 'step by step'}")
        buffers = Buffers(plan, loop, lines, e.kept, carried, following)
        for name in sorted(e.kept):
            if not (not backwards and name in plan.new):
                e.say(f"{self.plural(name)} = np.empty((T, *{plan.shape(name)}), np.{plan.dtype(name)})")
        for name, (shape, dtype) in buffers.made.items():
            e.say(f"{name} = np.empty({shape}, np.{dtype})")
        for name, place in buffers.blocks.items():
            if place:
                e.say(f"{name} = {place}")
        arrived = [name for name in carried if backwards and self._wanted_later(name)]
        for name in arrived:
            e.say(f"{self.plural(name)} = np.empty((T, *{plan.shape(name)}), np.{plan.dtype(name)})")
        if not backwards:
            for name in carried:
                e.say(f"{name} = {self.plural(name)}[0]")
        e.say(head)
        e.depth += 1
        for name in arrived:
            e.say(f"{self.plural(name)}[t] = {name}")
        self._bind(e, lines)
        for name, place in buffers.blocks.items():
            if not place:
                e.say(f"{name} = {e.place(name)}")
        for line in lines:
            if line.name not in buffers.blocks:
                self._step(e, line, buffers)
        self._hand_on(e, buffers, carried, following)
        e.depth -= 1

    def _bind(self, e: Emitter, lines: list[Line]) -> None:
        """Name at the top of the loop what is taken more than once from an array over time."""
        counts: dict[str, int] = {}
        for line in lines:
            for use in line.uses:
                counts[use] = counts.get(use, 0) + 1
        for name, count in counts.items():
            if count > 1 and e.one_step(name) != name:
                e.say(f"{name} = {e.place(name)}")
                e.bound.add(name)

    def _step(self, e: Emitter, line: Line, buffers: Buffers) -> None:
        out = buffers.out.get(line.name, "")
        if line.name in e.kept:
            place = e.place(line.name)
            if line.fn in WRITE_INTO:
                e.say(f"{line.name} = {e.expression(line, lifted=False, out=place)}")
            else:
                e.say(f"{line.name} = {e.expression(line, lifted=False)}")
                e.say(f"{place} = {line.name}")
            return
        e.say(f"{line.name} = {e.expression(line, lifted=False, out=out)}")

    def _hand_on(self, e: Emitter, buffers: Buffers, carried: list[str], following: list[Any]) -> None:
        plan = self.plan
        if not e.loop.backwards:
            for state, new in zip(carried, following, strict=True):
                first = plan.new.index(new) == plan.states.index(state)
                if not (plan.stages.get(new) == Stage.LOOP and first):
                    e.say(f"{self.plural(state)}[t + 1] = {e.one_step(new)}")
            for state in carried:
                e.say(f"{state} = {self.plural(state)}[t + 1]")
            return
        for name, g in zip(carried, following, strict=True):
            if g is None:
                e.say(f"{self.next(name)}[...] = 0")
            elif buffers.out.get(g) != self.next(name):
                e.say(f"{self.next(name)}[...] = {e.one_step(g)}")
        for name in carried:
            e.say(f"{name}, {self.next(name)} = {self.next(name)}, {name}")


def _tuple(texts: list[str]) -> str:
    return ", ".join(texts) + ("," if len(texts) == 1 else "")
