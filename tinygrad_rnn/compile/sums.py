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

    return around_loops(program, rewrite)


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
        order = [(x, self._parts(x))]
        for _, parts in order:  # the list grows
            order += [(y, self._parts(y)) for y in parts or ()]
        for y, parts in reversed(order):
            if y not in self.done:
                self.done[y] = self._in_loop(y) if parts is None else self._after_loop(y)
        return self.done[x]

    def _parts(self, x: Variable) -> list[Variable] | None:
        """Return the values whose sums give that of `x`; None if the loop has to add up."""
        line = self.made.get(x)
        if x in self.wholes:
            return []
        if line is None or any(y.is_number for y in line.uses if y in self.inside):
            return None
        read = [y for y in line.uses if y in self.inside]
        alike = all((y.shape, y.dtype) == (x.shape, x.dtype) for y in read)
        match line.function:
            case "transpose" | "reshape":
                able = True
            case "matmul" if len(read) == 2 and all(len(y.shape) == 2 for y in read):
                return []
            case "sum" if read and read[0] in self.wholes:
                return []
            case "add" | "subtract" if x in self.products:
                able = alike and len(read) == 2 and self.uses[x] == 1
            case "multiply":
                able = alike and len(read) == 1 and self.uses[x] == 1
            case "scatter":
                count = line.settings["count"]  # the other arguments are indices
                fixed = self.inside.isdisjoint(line.uses[count:])
                able = len(read) == count and fixed and self.uses[x] == 1
            case "matmul":
                able = all(len(y.shape) > 1 for y in line.uses) and len(read) == self.uses[x] == 1
            case _:
                able = line.function in ("sum", "negative") and self.uses[x] == 1
        return read if read and able else None

    def _in_loop(self, x: Variable) -> Variable:
        if x not in self.sums:
            self.sums[x] = Variable("", x.shape, x.dtype)
            self.loop.sums.append((x, self.sums[x]))
        return self.sums[x]

    def _after_loop(self, x: Variable) -> Variable:
        if x in self.wholes:
            return write(self.after, "sum", self.wholes[x], axis=(0,), keepdims=False)
        line = self.made[x]
        first: Any = line.args[0]
        if line.function == "matmul" and self.inside.issuperset(line.uses):
            return self._product(*line.uses)
        if line.function == "sum" and first in self.wholes:
            axis = (0, *(k + 1 for k in line.settings["axis"]))
            total = write(self.after, "sum", self.wholes[first], axis=axis, keepdims=False)
            return with_shape(self.after, total, x.shape)
        args = [self.done[y] if y in self.inside else y for y in line.args]  # type: ignore[index]
        return write(self.after, line.function, *args, **line.settings)

    def _product(self, a: Variable, b: Variable) -> Variable:
        """Write the sum of the products of two matrices as one product of all rows."""
        steps, (m, k), n = self.loop.steps, a.shape, b.shape[1]
        turned = write(self.after, "transpose", self._whole(a), axes=(0, 2, 1))
        rows = with_shape(self.after, turned, (steps * k, m))
        columns = write(self.after, "transpose", rows, axes=(1, 0))
        others = with_shape(self.after, self._whole(b), (steps * k, n))
        return write(self.after, "matmul", columns, others)

    def _whole(self, x: Variable) -> Variable:
        """Return the array of a value in all steps; for a view, that of what it shows."""
        line = self.made.get(x)
        if x not in self.wholes and line is not None and line.function in ("transpose", "reshape"):
            (shown,) = line.uses
            if shown in self.inside:
                whole = {shown: self._whole(shown)}
                self.wholes[x] = over_time(self.after, line, whole, self.loop.steps)
        return stack(self.loop, self.wholes, x)
