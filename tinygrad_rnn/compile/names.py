"""The names that the values of a program have in its text."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable
from keyword import iskeyword
from typing import Any
from unicodedata import normalize

from .instructions import Instruction, Loop, Program, State, Variable, walk
from .schedule import MemoryPlan

WORDS = {
    "matmul": "product", "multiply": "product", "add": "total", "subtract": "difference",
    "divide": "ratio", "negative": "opposite", "concatenate": "joined", "sum": "total",
    "where": "chosen", "index": "piece", "index_arrays": "picked", "draw": "drawn",
    "reshape": "rows", "astype": "converted", "max": "largest", "min": "smallest",
    "all": "holds", "any": "holds", "call": "result", "not_equal": "differs",
    "square": "squares", "reciprocal": "inverse", "transpose": "transposed",
}  # fmt: skip
"""What a value without a name is called, by its function."""

RESERVED = ("np", "t", "t2", "t3", "T", "Expected")
"""Names that a text has for other things than values."""


class Names:
    """The name of every value.

    Two values share a name if the loop of the first is over, or if they are one state before and
    after a step.

    Attributes
    ----------
    of : dict of Variable to str
    """

    def __init__(self, program: Program, schedule: MemoryPlan, taken: Iterable[str]):
        self.schedule = schedule
        self.of: dict[Variable, str] = {}
        self._taken = {*RESERVED, *dir(builtins), *taken}
        self._makers = {x.out: x for x in walk(program.lines) if isinstance(x, Instruction)}
        self._wishes: dict[Variable, str] = {}
        for loop in (line for line in walk(program.lines) if isinstance(line, Loop)):
            self._wish_for_states(loop)
        letters = iter("xyz")
        for x in program.inputs:
            self._give(x, "" if x.name else next(letters, "x"))
        self._name(program.lines)

    def fresh(self, wish: str, everywhere: bool = False) -> str:
        """Return a name that nothing else has, or nothing else in the whole text."""
        taken = self._taken | set(self.of.values()) if everywhere else self._taken
        wish = normalize("NFKC", wish)  # as Python reads names
        wish = re.sub("_+", "_", "".join(c if f"x{c}".isidentifier() else "_" for c in wish))
        wish = wish.strip("_") or "x"
        wish = f"x{wish}" if wish[0].isdigit() else f"{wish}_" if iskeyword(wish) else wish
        name, n = wish, 1
        while name in taken:
            n += 1
            name = f"{wish}_{n}" if wish[-1].isdigit() else f"{wish}{n}"
        self._taken.add(name)
        return name

    def _give(self, x: Variable, wish: str) -> None:
        if x not in self.of:
            self.of[x] = self.fresh(self._wishes.get(x) or x.name or wish)

    def _name(self, lines: list[Any], outermost: bool = True) -> None:
        for line in lines:
            if isinstance(line, Instruction):
                if line.out not in self.schedule.inline:
                    self._give(line.out, self._word(line))
                continue
            for x, whole in line.slices:
                self._give(x, self.of.get(self.owner(whole), "xs").removesuffix("s"))
            for state in line.states:
                self._give(state.next, "h")
                if self._is_replaced(line, state):
                    self.of[state.inside] = self.of[state.next]
            self._name(line.body, outermost=False)
            self._wish_after(line)
            wholes = [self.owner(whole) for _, whole in line.stacks]
            for x in [state.inside for state in line.states] + wholes + [y for _, y in line.sums]:
                self._give(x, "h")
            for _, whole in line.stacks:  # the backward program may read it, under this name
                whole.name = self.of[self.owner(whole)]
            if outermost:  # after the loop, its names mean nothing
                kept = {self.of[s.inside] for s in line.states if self.schedule.uses[s.last]}
                self._taken -= {self.of[x] for x in line.inside if x in self.of} - kept

    def owner(self, whole: Variable) -> Variable:
        """Return the value after which an array over time is named."""
        memory, _ = self.schedule.over_time.get(whole, (None, 0))
        return memory.owner if memory else whole

    def _word(self, line: Instruction) -> str:
        """Return what a value without a name is called."""
        x = line.args[0] if line.args else None
        if line.function == "transpose" and x in self.of:
            return f"{self.of[x]}_T"
        return "sigmoid" if self._is_sigmoid(line) else WORDS.get(line.function, line.function)

    def _is_sigmoid(self, line: Instruction) -> bool:
        """Return True for the last line of 1 / (1 + exp(-x))."""
        below = self._makers.get(line.args[0]) if line.function == "reciprocal" else None
        is_sum = below is not None and below.function == "add" and 1 in below.args
        made = [self._makers.get(x) for x in below.uses] if below and is_sum else []
        return any(x is not None and x.function == "exp" for x in made)

    def _is_replaced(self, loop: Loop, state: State) -> bool:
        """Return True if nothing reads a state any more once its next value is there."""
        x, y, last, at = state.inside, state.next, dict[Variable, int](), -1
        for i, line in reversed(list(enumerate(loop.body))):
            out = line.out if isinstance(line, Instruction) else None
            at = i if out is y else at
            written = last[out] if out in self.schedule.inline else i
            last |= {a: max(written, last.get(a, -1)) for a in line.uses}
        ends = [s.next for s in loop.states]
        kept = [*ends, *(z for z, _ in (*loop.stacks, *loop.sums))]
        alone = state not in self.schedule.carried and ends.count(y) == 1 and x not in kept
        alike = x.name == y.name or "" in (x.name, y.name)
        return alone and alike and at >= 0 and last.get(x, -1) <= at

    # -- wishes ------------------------------------------------------------------------------------

    def _wish_for_states(self, loop: Loop) -> None:
        """Let the values of a state have names like h_0, h_prev and h, or dh_next and dh."""
        for state in loop.states:
            x, y, start = state.inside, state.next, state.start
            base = y.name or x.name or "h"
            if x.name in ("", base):
                self._wishes[x] = f"{base}_{'next' if loop.reverse else 'prev'}"
            both = loop.reverse and self._is_replaced(loop, state)
            self._wishes.setdefault(y, self._wishes.get(x, base) if both else base)
            if start.name and start.name in (x.name, y.name):
                self._wishes.setdefault(start, f"{start.name}_0")

    def _wish_after(self, loop: Loop) -> None:
        """Name what a loop keeps after the names that are in it."""
        following = {s.inside: s.next for s in loop.states if s in self.schedule.carried}
        for inside, whole in loop.stacks:
            x = following.get(inside, inside)
            own, known = self.of.get(x, "x"), x.name or self._wishes.get(x)
            several = f"{known}s" if known else re.sub(r"(\d*)$", r"s\1", own, count=1)
            self._wishes[whole] = whole.name if whole.name not in ("", inside.name) else several
        for x, total in loop.sums:
            name = total.name if total.name not in ("", x.name) else f"{self.of.get(x, 'x')}_sum"
            self._wishes[total] = name
