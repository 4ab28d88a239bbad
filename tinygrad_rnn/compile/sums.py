"""The pass that computes sums over all steps after their loop."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .instructions import Instruction, Loop, Program, Variable
from .over_time import over_time, slices_of, stack, with_shape
from .rewriting import alias, around_loops, write

LINEAR = frozenset({"transpose", "reshape", "add", "subtract", "negative", "scatter"})


def sum_over_time(program: Program) -> Program:
    """Compute sums over all steps after the loop: a sum of products as one product of all rows.

    Of such a sum, the loop only stacks the factors. Other linear functions of a summed value, such
    as a transpose, run once on the sum.
    """

    def rewrite(loop: Loop) -> tuple[list[Any], list[Any]]:
        totals = Totals(loop)
        floats = [(x, y) for x, y in loop.sums if not x.is_number and y.dtype.kind in "fc"]
        pairs = [(x, total) for x, total in floats if x.dtype == total.dtype]
        # products first: what they stack need not be summed in the loop
        for x, total in sorted(pairs, key=lambda pair: pair[0] not in totals.products):
            new = totals.total(x)
            if new is not total:
                loop.sums.remove((x, total))
                alias(totals.after, total, new)
        return [], totals.after

    program.lines = around_loops(program.lines, rewrite)
    return program


class Totals:
    """The sums over all steps of the values inside of one loop.

    Attributes
    ----------
    after : list of Instruction
        The lines to write after the loop.
    """

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.after: list[Any] = []
        self.inside = set(loop.inside)
        self.made = {line.out: line for line in loop.body if isinstance(line, Instruction)}
        self.wholes = {**dict(loop.stacks), **slices_of(loop)}
        self.sums = dict(reversed(loop.sums))
        self.done: dict[Variable, Variable] = {}
        self.products: set[Variable] = set()  # matrix products, their sums, and views of them
        for line in self.made.values():
            linear = line.function in LINEAR and not self.products.isdisjoint(line.uses)
            if line.function == "matmul" or linear:
                self.products.add(line.out)
        self.uses = Counter(x for line in loop.body for x in line.uses)
        self.uses.update(x for x, _ in (*loop.stacks, *loop.sums))
        self.uses.update(state.next for state in loop.states)

    def total(self, x: Variable) -> Variable:
        """Return the sum of `x` over all steps."""
        if x not in self.done:
            self.done[x] = self._after_loop(x) or self._in_loop(x)
        return self.done[x]

    def _in_loop(self, x: Variable) -> Variable:
        if x not in self.sums:
            self.sums[x] = Variable("", x.shape, x.dtype)
            self.loop.sums.append((x, self.sums[x]))
        return self.sums[x]

    def _after_loop(self, x: Variable) -> Variable | None:
        """Return the sum as lines after the loop; None if the loop has to add up."""
        if x in self.wholes:
            return write(self.after, "sum", self.wholes[x], axis=(0,), keepdims=False)
        line = self.made.get(x)
        if line is None or any(y.is_number for y in line.uses if y in self.inside):
            return None
        first, *others = line.args
        read = [y for y in line.uses if y in self.inside]
        match line.function:
            case "transpose" | "reshape" if read:
                return write(self.after, line.function, self.total(first), **line.settings)
            case "matmul" if len(read) == 2 and all(len(y.shape) == 2 for y in read):
                return self._product(*read)
            case "sum" if read and (first in self.wholes or self.uses[x] == 1):
                return self._reduction(line)
            case "add" | "subtract" if len(read) == 2 and x in self.products:
                alike = all(y.shape == x.shape and y.dtype == x.dtype for y in read)
            case "negative":
                alike = True
            case "scatter":
                alike = len(read) == len(line.args) == line.settings["count"]
            case "multiply":
                alike = len(read) == 1 and read[0].shape == x.shape and read[0].dtype == x.dtype
            case "matmul":
                alike = len(read) == 1 and all(len(y.shape) > 1 for y in line.uses)
            case _:
                alike = False
        if not alike or not read or self.uses[x] != 1:
            return None
        args = [self.total(y) if y in read else y for y in (first, *others)]
        return write(self.after, line.function, *args, **line.settings)

    def _product(self, a: Variable, b: Variable) -> Variable:
        """Write the sum of the products of two matrices as one product."""
        left, right = self._whole(a), self._whole(b)
        steps, (m, k), n = self.loop.steps, a.shape, b.shape[1]
        columns = write(self.after, "transpose", left, axes=(1, 0, 2))
        columns = with_shape(self.after, columns, (m, steps * k))
        rows = with_shape(self.after, right, (steps * k, n))
        return write(self.after, "matmul", columns, rows)

    def _reduction(self, line: Instruction) -> Variable:
        x, axis = line.args[0], line.settings["axis"]
        assert isinstance(x, Variable)
        if x not in self.wholes:
            return write(self.after, "sum", self.total(x), **line.settings)
        axis = (0, *(k + 1 for k in axis))
        total = write(self.after, "sum", self.wholes[x], axis=axis, keepdims=False)
        return with_shape(self.after, total, line.out.shape)

    def _whole(self, x: Variable) -> Variable:
        """Return the array of a value in all steps; for a view, that of what it shows."""
        line = self.made.get(x)
        if x not in self.wholes and line is not None and line.function in ("transpose", "reshape"):
            (shown,) = line.uses
            if shown in self.inside:
                whole = {shown: self._whole(shown)}
                self.wholes[x] = over_time(self.after, line, whole, self.loop.steps)
        return stack(self.loop, self.wholes, x)
