"""The names that the values of a program have in its text."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable
from keyword import iskeyword
from typing import Any
from unicodedata import normalize

from .instructions import Instruction, Loop, Program, Variable
from .schedule import MemoryPlan

WORDS = {
    "matmul": "product", "multiply": "product", "add": "total", "subtract": "difference",
    "divide": "ratio", "negative": "opposite", "concatenate": "joined", "sum": "total",
    "where": "chosen", "index": "piece", "index_arrays": "picked", "draw": "drawn",
    "reshape": "rows", "astype": "converted", "max": "largest", "min": "smallest",
    "all": "holds", "any": "holds", "call": "result", "not_equal": "differs", "exp": "power",
    "log": "logarithm", "square": "squares", "reciprocal": "inverse", "transpose": "turned",
}  # fmt: skip
"""What a value without a name is called, by its function."""

RESERVED = ("np", "t", "t2", "t3", "T", "work", "spare", "spare_back", "Expected")
"""Names that a text has for other things than values."""


class Names:
    """The name of every value.

    Two values share a name if one is written over the other, or if the loop of the first is over.

    Attributes
    ----------
    of : dict of Variable to str
    """

    def __init__(self, program: Program, schedule: MemoryPlan, taken: Iterable[str]):
        self.schedule = schedule
        self.of: dict[Variable, str] = {}
        self._taken = {*RESERVED, *dir(builtins), *taken}
        self._wishes: dict[Variable, str] = {}
        self._leads: dict[Variable, Variable] = {}
        self._lasting = {memory.owner for memory in schedule.lasting}
        self._wish(program.lines)
        self._wish_for_starts(program)
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

    def _give(self, x: Variable, wish: str, lasting: bool = False) -> None:
        lasting = lasting or x in self._lasting  # its name must mean nothing else, in no loop
        if x in self._leads:
            self._give(self._leads[x], wish, lasting)
            self.of[x] = self.of[self._leads[x]]
        elif x not in self.of:
            self.of[x] = self.fresh(self._wishes.get(x) or x.name or wish, lasting)

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
            self._name(line.body, outermost=False)
            self._wish_after(line)
            wholes = [self.owner(whole) for _, whole in line.stacks]
            for x in [state.inside for state in line.states] + wholes + [y for _, y in line.sums]:
                self._give(x, "h")
            if outermost:  # after the loop, its names mean nothing
                kept = {self.of[s.inside] for s in line.states if self.schedule.uses[s.last]}
                self._taken -= {self.of[x] for x in line.inside if x in self.of} - kept

    def owner(self, whole: Variable) -> Variable:
        """Return the value after which an array over time is named."""
        memory, _ = self.schedule.over_time.get(whole, (None, 0))
        if memory is None or memory not in self.schedule.carried.values():
            return whole
        return memory.owner

    def _word(self, line: Instruction) -> str:
        """Return what a value without a name is called."""
        if line.function == "transpose" and line.uses and line.uses[0] in self.of:
            return f"{self.of[line.uses[0]]}_T"
        return WORDS.get(line.function, line.function)

    # -- wishes ------------------------------------------------------------------------------------

    def _wish(self, lines: list[Any]) -> None:
        """Collect the names that follow from those of other values."""
        makers = {line.out: line for line in lines if isinstance(line, Instruction)}
        for line in lines:
            if isinstance(line, Loop):
                self._wish(line.body)
                self._wish_around(line)
                continue
            for x in line.uses:
                if x in makers and self._becomes(x, line.out):
                    self._leads[x] = line.out
                    break

    def _becomes(self, x: Variable, y: Variable) -> bool:
        """Return True if y is the only value that is made of x, in the same memory."""
        s = self.schedule
        alone = s.uses[x] == 1 and x.name in ("", y.name) and not {x, y} & s.inline
        one_memory = s.memory.get(x) is s.memory.get(y)
        if x in s.spots or y in s.spots:
            over = s.spots[y].memory is s.memory.get(x) if y in s.spots else False
            one_memory = s.spots.get(x) == s.spots.get(y) or over
        return alone and one_memory and x.shape == y.shape and not y.is_number

    def _wish_for_starts(self, program: Program) -> None:
        """Name the first value of a state, if it has the name of the state, like h_0."""
        loops = [line for line in program.lines if isinstance(line, Loop)]
        for state in (state for loop in loops for state in loop.states):
            x = state.start
            if x.name and x.name in (state.inside.name, state.next.name):
                self._wishes.setdefault(x, f"{x.name}_0")

    def _wish_around(self, loop: Loop) -> None:
        """Name what is around a loop after what is inside."""
        for state in loop.states:
            base = state.next.name or state.inside.name or "h"
            if state.inside.name in ("", base):
                self._wishes[state.inside] = f"{base}_{'next' if loop.reverse else 'prev'}"
            self._wishes.setdefault(state.next, base)

    def _wish_after(self, loop: Loop) -> None:
        """Name what a loop keeps after the names that are in it."""
        following = {s.inside: s.next for s in loop.states if s in self.schedule.carried}
        for inside, whole in loop.stacks:
            x = following.get(inside, inside)
            name = x.name or self._wishes.get(x) or self.of.get(x)
            self._wishes[whole] = whole.name if whole.name not in ("", inside.name) else f"{name}s"
        for x, total in loop.sums:
            name = total.name if total.name not in ("", x.name) else f"{self.of.get(x, 'x')}_sum"
            self._wishes[total] = name
