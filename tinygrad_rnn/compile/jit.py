"""The Numba backend: a loop of a program is a compiled function that loops over entries."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

from .buffers import taken_over
from .emit import Emitter
from .entries import OWN
from .lines import UFUNCS, Line
from .nests import Nests, NotInNestsError
from .plan import LOOPS, Plan, Stage
from .program import Text


def into_the_loop(plan: Plan) -> None:
    """Move elementwise lines that only a loop reads into the loop, where they need no array."""
    users: dict[str, set[Stage]] = {}
    for name, line in reversed(list(plan.lines.items())):
        stage, loop = (
            plan.stages[name],
            Stage.LOOP if plan.stages[name] == Stage.BEFORE else Stage.BACK_LOOP,
        )
        if (
            stage in (Stage.BEFORE, Stage.BACK_BEFORE)
            and line.fn in UFUNCS
            and users.get(name) == {loop}
        ):
            plan.stages[name] = stage = loop
        for use in line.uses:
            users.setdefault(use, set()).add(stage)


# -- functions that a program includes -------------------------------------------------------------

f32 = np.float32


def plain(*arrays: Any) -> list[np.ndarray]:
    """Return arrays in the one layout that a loop is compiled for: C-contiguous and writable."""
    return [a if a.flags.carray else np.require(a, None, ["C", "W"]) for a in arrays]


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


def folded(call: str, margin: str) -> str:
    """Return a call, wrapped onto several lines if it is too long for one."""
    if len(margin + call) <= WIDE:
        return margin + call
    head, _, rest = call.partition("(")
    inner, mark, end = rest.rpartition(")")
    lines = textwrap.wrap(
        inner, WIDE - len(margin) - 4, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(
        [f"{margin}{head}(", *(f"{margin}    {line}" for line in lines), f"{margin}{mark}{end}"]
    )


LARGE = 2**19
"""Above this many multiply-adds per step, matrix products are left to NumPy's BLAS.

Only the code between them is compiled.
"""

WIDE = 120
"""The maximum length of a line of a program, without its comment."""

DECORATED = """@njit(fastmath={"contract"}, error_model="numpy", nogil=True)"""
"""The decorator of compiled loops.

A product and a sum may be fused, with one rounding instead of two; nothing else may be reordered.
"""


# -- text ------------------------------------------------------------------------------------------


class JitText(Text):
    """Writes a program whose loops Numba compiles; a loop that it cannot compile stays in NumPy."""

    def __init__(self, plan: Plan, title: str):
        super().__init__(plan, title)
        self.loops: list[str] = []
        self.helpers.imports.add("from numba import njit")
        self.helpers.name(plain)

    def program(self) -> Any:
        """Return the program: its text, and the functions that the text defines."""
        own = [name for name, line in self.plan.lines.items() if self._in_single_precision(line)]
        for fn in dict.fromkeys(self.plan.lines[name].fn for name in own):
            self.helpers.name({"exp": exp, "tanh": tanh}[fn])
        for name in OWN & self.helpers.texts.keys():
            self.helpers.texts[name] = f"{DECORATED}\n{self.helpers.texts[name]}"
        self.helpers.imports.add("from numpy import float32 as f32")
        return super().program()

    def _in_single_precision(self, line: Line) -> bool:
        return line.fn in OWN and self.plan.stages[line.name] in LOOPS and line.dtype == f32

    def forward(self) -> str:
        """Return the text of the loop and of the forward function."""
        text = super().forward()
        return "\n\n\n".join([*self.loops, text])

    def backward(self) -> str:
        """Return the text of the loop and of the backward function."""
        self.loops.clear()
        text = super().backward()
        return "\n\n\n".join([*self.loops, text])

    def _loop(self, e: Emitter, head: str, starts: list[str]) -> None:
        """Write a loop as a compiled function, or in NumPy if Numba lacks something."""
        try:
            self._compiled(e, starts)
        except NotInNestsError as error:
            e.say()
            e.say(f"# not compiled by Numba, because it contains {error}")
            super()._loop(e, head, starts)

    def _compiled(self, e: Emitter, starts: list[str]) -> None:
        """Write the arrays that a loop fills, and the loop as a function with its call."""
        back, kept = e.loop.backwards, {name for name in e.kept if not e.becomes_state(name)}
        nests = self._nests(e, kept)
        carried = self.plan.carried if back else self.plan.states
        later = [name for name in carried if back and self._wanted_later(name)]
        for name in later:
            nests.copied(f"{self.plural(name)}[t]", name)
        nests.write()
        (self._carry_nests_back if back else self._carry_nests_on)(e, nests)
        e.say()
        e.say("# the loop, last step first" if back else "# the loop, step by step")
        made = self._made(
            e, nests, carried, starts, [*later, *(name for name in self.plan.lines if name in kept)]
        )
        (self._nest_by_nest if nests.work > LARGE else self._at_once)(e, nests, made, carried)

    def _at_once(self, e: Emitter, nests: Nests, made: set[str], carried: list[str]) -> None:
        """Write the loop as one compiled function."""
        back, name = e.loop.backwards, e.loop.name.lower()
        used = list(dict.fromkeys(array for part in nests.parts for array in part.used))
        given, arrays = (
            [array for array in used if array not in made],
            [array for array in used if array in made],
        )
        forms = [f"*plain({', '.join(given)})"] if given else []
        call = f"{name}({', '.join(['T', *arrays, *forms])})"
        e.text += folded(f"{', '.join(carried)} = {call}" if back else call, "    ").splitlines()
        text = [DECORATED, folded(f"def {name}({', '.join(['T', *arrays, *given])}):", "")]
        text.append("    for t in range(T - 1, -1, -1):" if back else "    for t in range(T):")
        text += [f"        {line}" for part in nests.parts for line in part.text]
        self.loops.append(
            "\n".join([*text, *([f"    return {', '.join(carried)}"] if back else [])])
        )

    def _nest_by_nest(self, e: Emitter, nests: Nests, made: set[str], carried: list[str]) -> None:
        """Write the loop in NumPy, and the code between its matrix products as compiled functions.

        Large products are left to NumPy's BLAS.
        """
        used = list(dict.fromkeys(array for part in nests.parts for array in part.used))
        given = [array for array in used if array not in made]
        if given:
            e.text += folded(
                f"{', '.join(given)}{',' * (len(given) == 1)} = plain({', '.join(given)})", "    "
            ).splitlines()
        e.say("for t in reversed(range(T)):" if e.loop.backwards else "for t in range(T):")
        for number, part in enumerate(nests.parts, 1):
            if part.whole:
                e.text += [f"        {line}" for line in part.text]
                continue
            name = f"{'back_' if e.loop.backwards else ''}nest{number}"
            arguments = ", ".join(["t", *part.used])
            e.text += folded(f"{name}({arguments})", "        ").splitlines()
            text = [
                DECORATED,
                folded(f"def {name}({arguments}):", ""),
                *(f"    {line}" for line in part.text),
            ]
            self.loops.append("\n".join(text))

    def _nests(self, e: Emitter, kept: set[str]) -> Nests:
        """Return the loop nests of a loop, with the arrays that it writes into."""
        plan, back = self.plan, e.loop.backwards
        following = plan.to_states if back else plan.new
        pairs = (
            [
                (g, self.next(name))
                for name, g in zip(plan.carried, following, strict=True)
                if g is not None
            ]
            if back
            else []
        )
        spares = {g: place for g, place in pairs if [h for h, _ in pairs].count(g) == 1}
        nests = Nests(
            e,
            {line.name: line for line in self._lines(e.loop)},
            e.kept,
            {g for g in following if g is not None},
            spares,
        )
        ordered = [nests.lines[name] for group in nests.groups() for name in group]
        over = taken_over(
            plan, e.loop, ordered, kept, {*self.saved, *plan.forward_roots, *plan.backward_roots}
        )
        nests.over = {self.plural(name): self.plural(other) for name, other in over.items()}
        return nests

    def _made(
        self, e: Emitter, nests: Nests, carried: list[str], starts: list[str], kept: list[str]
    ) -> set[str]:
        """Write the allocation of the arrays that a loop fills, and return their names."""
        plan, made = self.plan, set(nests.over.values())
        for name, start in zip(carried, starts, strict=True):
            if e.loop.backwards:
                empty = f"np.empty({plan.shape(name)}, np.{plan.dtype(name)})"
                e.say(f'{name}, {self.next(name)} = np.array({start}, order="C"), {empty}')
                made |= {name, self.next(name)}
            else:
                self._allocate(e, name, "T + 1")
                e.say(f"{self.plural(name)}[0] = {start}")
                made.add(self.plural(name))
        for name in kept:
            whole = self.plural(name)
            if whole in nests.over:
                text = f"{whole} = {nests.over[whole]} = np.ascontiguousarray({nests.over[whole]})"
                self._comment(e, text, "written over it, step by step")
            else:
                self._allocate(e, name, "T")
                made.add(whole)
        for name, array in nests.buffers.items():
            if array not in made:
                e.say(f"{array} = np.empty({plan.shape(name)}, np.{plan.dtype(name)})")
                made.add(array)
        return made

    def _carry_nests_on(self, e: Emitter, nests: Nests) -> None:
        """Copy the new state into the array of states, unless it was written there."""
        for i, (state, value) in enumerate(zip(self.plan.states, self.plan.new, strict=True)):
            if not (e.becomes_state(value) and self.plan.new.index(value) == i):
                nests.copied(f"{self.plural(state)}[t + 1]", value)

    def _carry_nests_back(self, e: Emitter, nests: Nests) -> None:
        """Carry the gradient of the state to the previous step."""
        for name, g in zip(self.plan.carried, self.plan.to_states, strict=True):
            if g is None:
                nests.zeros(self.next(name), self.plan.shape(name))
            elif nests.buffers.get(g) != self.next(name):
                nests.copied(self.next(name), g)
        nests.part(whole=True)
        for name in self.plan.carried:
            nests.parts[-1].used.update({name: None, self.next(name): None})
            nests.say(0, f"{name}, {self.next(name)} = {self.next(name)}, {name}")
