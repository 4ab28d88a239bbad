"""A program that is ready to run, with all that a call needs besides its arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..graph import Value, clock
from .generators import position, put_back
from .guards import Guard
from .instructions import Expected, Program, Variable
from .node import Call
from .traced_function import Original, Result, TracedFunction

Source = tuple[Any, ...]


class ReadyProgram:
    """The program of a function for arguments of certain shapes and dtypes.

    Attributes
    ----------
    traced : TracedFunction
    guard : Guard
        What else the function read while it was traced.
    forward : Written
        The text and the function that compute the results and effects.
    backward : Written or None
        Those that compute the gradients, from what `forward` saves.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        traced: TracedFunction,
        guard: Guard,
        write: Callable[..., Any],
    ):
        self.function, self.traced, self.guard = function, traced, guard
        self.count = len(traced.program.outputs) - len(traced.leaves)
        places = {id(t): i for i, t in enumerate(guard.tensors)}
        self.place = lambda value: places.get(id(value), value)
        names = dict(zip(traced.program.inputs, traced.sources, strict=True))
        arriving = {v for v, source in names.items() if source[0] == "cotangent"}
        first, second = split(traced.program, self.count, arriving)
        self.saved = first.outputs[self.count :]
        self.forward = write(traced.title, first)
        self.backward = write(f"{traced.title}, backward", second) if traced.leaves else None
        self.read_forward = [self._reader(names[v]) for v in first.inputs]
        self.grads = [(self._find(source), dtype) for source, dtype in traced.grads]
        self.cotangents = [names[v][1] for v in second.inputs[len(self.saved) :]]

    @property
    def source(self) -> str:
        """The text of the program, forward and backward."""
        parts = [self.forward, *([self.backward] if self.backward else [])]
        return "\n\n".join(part.source for part in parts)

    # -- inputs ------------------------------------------------------------------------------------

    def _find(self, source: Source) -> Callable[[list[Any], list[Value]], Value]:
        """Return a function of the arguments and the Tensors in places that finds a Tensor."""
        if source[0] == "argument":
            return lambda leaves, tensors: leaves[source[1]]
        place = self.place(source[1])
        if isinstance(place, int):
            return lambda leaves, tensors: tensors[place]
        return lambda leaves, tensors: place

    def _reader(self, source: Source) -> Callable[[list[Any], list[Value]], Any]:
        """Return a function of the arguments and the Tensors in places that reads an input."""
        kind, what, *more = source
        if kind == "argument":
            return lambda leaves, tensors: getattr(leaves[what], "array", leaves[what])
        if kind == "tensor":
            place = self.place(what)
            if isinstance(place, int):
                return lambda leaves, tensors: tensors[place].array
            return lambda leaves, tensors: place.array
        if kind == "grad":
            find = self._find(what)
            return lambda leaves, tensors: find(leaves, tensors)._grad
        if kind == "array":
            return lambda leaves, tensors: what
        if kind == "rate":
            return lambda leaves, tensors: rate(what, more[0])
        return lambda leaves, tensors: what.state[more[0]][more[1]]

    # -- a call ------------------------------------------------------------------------------------

    def fits(self, leaves: list[Any]) -> list[Value] | None:
        """Return the Tensors in places if the program is right for a call, else None."""
        tensors = self.guard.current()
        if tensors is not None:
            if any(group["lr"] != rate for group, rate in self.traced.rates):
                return None
            for find, dtype in self.grads:
                grad = find(leaves, tensors)._grad  # type: ignore[attr-defined]
                if (None if grad is None else grad.dtype) is not dtype:
                    return None
        return tensors

    def run(self, args: Any, kwargs: Any, leaves: list[Any], tensors: list[Value]) -> Any:
        """Run the program and return the results, as the function itself would.

        Raises
        ------
        Expected
            If a condition does not hold that the program expects, or a warning or an error is due.
            The plain function must run instead; nothing has changed.
        """
        traced = self.traced
        positions = [position(g) for g in traced.generators]
        try:
            with np.errstate(over="raise", divide="raise", invalid="raise", under="ignore"):
                values = self.forward.run(*[read(leaves, tensors) for read in self.read_forward])
        except Exception as error:
            for generator, where in zip(traced.generators, positions, strict=True):
                put_back(generator, where)
            raise Expected from error
        results = self._results(values, args, kwargs, leaves, tensors, positions)
        n = self.count - len(traced.effects)
        for value, (kind, what, *more) in zip(values[n : self.count], traced.effects, strict=True):
            if kind == "state":
                what.state[more[0]][more[1]] = value
                continue
            tensor = self._find(what)(leaves, tensors)
            if kind == "grad":
                tensor._grad = value
            else:
                tensor.array, tensor.changed = value, next(clock)
        for source in traced.removed:
            self._find(source)(leaves, tensors)._grad = None
        for optimizer, steps in traced.steps:
            optimizer.steps += steps
        return results

    def _results(
        self, values: Any, args: Any, kwargs: Any, leaves: Any, tensors: Any, positions: Any
    ) -> Any:
        traced = self.traced
        parts: dict[int, Value] = {}
        if traced.leaves:
            inputs = [self._find(source)(leaves, tensors) for source in traced.leaves]
            saved = values[self.count :]
            call = Call(self, args, kwargs, leaves, positions, saved)
            parts = call.results(inputs, values)

        def build(part: Any) -> Any:
            if isinstance(part, Original):
                found = self._find(part.source)(leaves, tensors)
                is_known = part.source[0] == "argument" or isinstance(
                    self.place(part.source[1]), int
                )
                return found if is_known else found.detach()  # type: ignore  # made in the function
            if not isinstance(part, Result):
                return part
            if part.output in parts:
                return parts[part.output]
            value = values[part.output]
            if part.kind is None:
                return value
            if part.kind is np.generic:
                return value[()]
            made = object.__new__(part.kind)
            made.array, made.node, made.changed = value, None, 0
            made.tracked, made._grad, made._name = False, None, part.name
            return made

        return tree.map(build, traced.structure)

    def differentiate(self, saved: Any, arriving: dict[int, Any]) -> list[Any]:
        """Return the gradients of the leaves; None for a leaf that no arriving gradient reaches."""
        assert self.backward is not None
        outputs = self.traced.program.outputs
        given = [
            arriving[i] if i in arriving else np.zeros(outputs[i].shape, outputs[i].dtype)
            for i in self.cotangents
        ]
        values = self.backward.run(*saved, *given)
        return [
            g if reached & arriving.keys() else None
            for g, reached in zip(values, self.traced.reached, strict=True)
        ]


def rate(optimizer: Any, group: int) -> float:
    """Return the learning rate of a group, checked as the optimizer's step checks it."""
    settings = optimizer.param_groups[group]
    if settings["lr"] is not optimizer._checked[group][0]:
        optimizer._checked[group] = optimizer._check_group(settings)
    return settings["lr"]


def split(program: Program, count: int, arriving: set[Variable]) -> tuple[Program, Program]:
    """Return the part that computes the first `count` outputs, and the part for the others.

    What the second part reads of the first is appended to the outputs of the first. `arriving` are
    the inputs that only the second part has.
    """
    needed = set(program.outputs[:count])
    first: list[Any] = []
    for line in reversed(program.lines):
        if line.has_effect or needed.intersection(line.results):
            first.append(line)
            needed.update(line.uses)
    first.reverse()
    chosen = set(map(id, first))
    second = [line for line in program.lines if id(line) not in chosen]
    fresh = {v for line in second for v in line.results} | arriving
    read = [v for line in second for v in line.uses] + program.outputs[count:]
    saved = [v for v in dict.fromkeys(read) if v not in fresh]
    used = {v for line in first for v in line.uses} | {*program.outputs[:count], *saved}
    given = [v for v in program.inputs if v in used]
    cotangents = [v for v in program.inputs if v in arriving]
    return (
        Program(given, first, [*program.outputs[:count], *saved]),
        Program([*saved, *cotangents], second, program.outputs[count:]),
    )
