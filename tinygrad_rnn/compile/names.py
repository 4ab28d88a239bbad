"""The names that the values of a program have in its text."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable
from keyword import iskeyword
from typing import Any
from unicodedata import normalize

from .buffers import Schedule
from .instructions import Instruction, Loop, Program, Variable

WORDS = {
    "matmul": "product", "multiply": "product", "add": "total", "subtract": "difference",
    "divide": "ratio", "negative": "opposite", "concatenate": "joined", "sum": "total",
    "where": "chosen", "index": "piece", "index_arrays": "picked", "draw": "drawn",
}  # fmt: skip
"""What a value without a name is called, by its function."""


class Names:
    """One name for every value. Two values have the same name only if one is written over the other.

    Attributes
    ----------
    of : dict of Variable to str
    """

    def __init__(self, program: Program, schedule: Schedule, taken: Iterable[str]):
        self.schedule = schedule
        self.of: dict[Variable, str] = {}
        self._taken = {"np", "t", "t2", "t3", "T", "Expected", *dir(builtins), *taken}
        self._wishes: dict[Variable, str] = {}
        self._leads: dict[Variable, Variable] = {}
        self._wish(program.lines)
        for x in program.inputs:
            self._give(x, "x")
        self._name(program.lines)

    def fresh(self, wish: str) -> str:
        """Return a name that nothing else has."""
        wish = normalize("NFKC", wish)  # as Python reads names
        wish = re.sub("_+", "_", "".join(c if f"x{c}".isidentifier() else "_" for c in wish))
        wish = wish.strip("_") or "x"
        wish = f"x{wish}" if wish[0].isdigit() else f"{wish}_" if iskeyword(wish) else wish
        name, n = wish, 1
        while name in self._taken:
            n += 1
            name = f"{wish}_{n}" if wish[-1].isdigit() else f"{wish}{n}"
        self._taken.add(name)
        return name

    def _give(self, x: Variable, wish: str) -> None:
        while x in self._leads:
            self.of[x] = self.of.get(self._leads[x], "")
            if self.of[x]:
                return
            y = self._leads[x]
            self._give(y, wish)
            self.of[x] = self.of[y]
            return
        if x not in self.of:
            self.of[x] = self.fresh(self._wishes.get(x) or x.name or wish)

    def _name(self, lines: list[Any]) -> None:
        for line in lines:
            if isinstance(line, Instruction):
                if line.out not in self.schedule.inline:
                    self._give(line.out, WORDS.get(line.function, line.function))
                continue
            for x in (y for y, _ in line.slices):
                self._give(x, "x")
            for state in line.states:
                self._give(state.next, "h")
            self._name(line.body)
            self._wish_after(line)
            for x in [state.inside for state in line.states] + line.results:
                self._give(x, "h")

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

    def _wish_around(self, loop: Loop) -> None:
        """Name what is around a loop after what is inside."""
        for state in loop.states:
            base = state.next.name or state.inside.name or "h"
            if state.inside.name in ("", base):
                self._wishes[state.inside] = f"{base}_{'next' if loop.reverse else 'prev'}"
            self._wishes.setdefault(state.next, base)
            self._wishes[state.last] = state.last.name or f"{base}_last"

    def _wish_after(self, loop: Loop) -> None:
        """Name what a loop keeps after the names that are in it."""
        for x, whole in loop.stacks:
            name = self.of.get(x) or self._wishes.get(x) or x.name
            self._wishes[whole] = whole.name if whole.name not in ("", x.name) else f"{name}s"
        for x, total in loop.sums:
            name = total.name if total.name not in ("", x.name) else f"{self.of.get(x, 'x')}_sum"
            self._wishes[total] = name
