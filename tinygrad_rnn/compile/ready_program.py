"""A program that is ready to run, with all that a call needs besides its arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import is_
from typing import Any

import numpy as np

from .. import tree
from ..graph import Value, clock
from .generators import position, put_back
from .guards import ReadGuard
from .instructions import Expected, Program, Variable
from .node import Call
from .traced_function import Original, Result, TracedFunction

Source = tuple[Any, ...]

EXPECTED = (Expected, ArithmeticError, LookupError, ValueError)
"""The errors of a program that come from the numbers of a call. Any other one is a fault of it."""


class ReadyProgram:
    """The program of a function for arguments of certain shapes and dtypes.

    Attributes
    ----------
    traced : TracedFunction
    guard : ReadGuard
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
        guard: ReadGuard,
        write: Callable[..., Any],
        leaves: list[Any],
    ):
        self.function, self.traced, self.guard = function, traced, guard
        self.count = len(traced.program.outputs) - len(traced.leaves)
        self.places = {id(t): i for i, t in enumerate(guard.tensors)}
        self.arguments = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Value)]
        self.captured = {i: self.places[id(leaves[i])] for i in self.arguments
                         if id(leaves[i]) in self.places}  # fmt: skip
        self.space: dict[str, Any] = {"rate": rate, "clock": clock}
        sources = dict(zip(traced.program.inputs, traced.sources, strict=True))
        arriving = {v for v, source in sources.items() if source[0] == "cotangent"}
        first, second = traced.program, Program([], [], [])
        if traced.leaves:
            first, second = split(traced.program, self.count, arriving)
            self.forward = write(first, f"{traced.title}, forward", "forward", self.count)
            self.backward = write(second, f"{traced.title}, backward", "backward")
        else:
            self.forward = write(first, traced.title, traced.title)
            self.backward = None
        self.saved = first.outputs[self.count :]
        self.cotangents = [sources[v][1] for v in second.inputs[len(self.saved) :]]
        self.read = self._write_reader(first.inputs, sources)
        self.assign = self._write_effects()
        self.find_leaves = self._finder(self._find(source) for source in traced.leaves)
        self.find_changed = self._finder(map(self._find, self._changed_tensors()))
        self.find_grads = self._finder(f"{self._find(source)}._grad" for source, _ in traced.grads)
        written = [
            (what, ".array") if kind == "entries" else (("grad", what), "._grad")
            for kind, what, *_ in traced.effects
            if kind in ("entries", "grad entries")
        ]
        self.find_written = self._finder(
            self._find(x[-1] if x[0] == "grad" else x) + end for x, end in written
        )
        self.written_inputs = [
            int(any(is_same_source(source, x) for x in traced.sources)) for source, _ in written
        ]
        self.grad_dtypes = [dtype for _, dtype in traced.grads]

    @property
    def source(self) -> str:
        """The text of the program, forward and backward."""
        parts = [self.forward, *([self.backward] if self.backward else [])]
        return "\n\n".join(part.source for part in parts)

    def _changed_tensors(self) -> list[Source]:
        """Return the sources of the Tensors whose array or gradient a call changes."""
        effects = [what for kind, what, *_ in self.traced.effects if kind != "state"]
        return list(dict.fromkeys([*effects, *self.traced.removed]))

    # -- inputs ------------------------------------------------------------------------------------

    def _find(self, source: Source) -> str:
        """Return an expression for a Tensor: an argument, one in a place, or a certain one."""
        kind, what = source
        if kind == "argument":
            return f"leaves[{what}]"
        place = self.places.get(id(what))
        return self._name(what) if place is None else f"tensors[{place}]"

    def _name(self, thing: Any) -> str:
        """Return a name for an object in the text of `read` and `assign`."""
        name = f"x{id(thing)}"
        self.space[name] = thing
        return name

    def _read(self, source: Source) -> str:
        """Return an expression for an input of the program."""
        kind, what, *more = source
        if kind == "argument":
            return f"getattr(leaves[{what}], 'array', leaves[{what}])"
        if kind == "tensor":
            return f"{self._find(source)}.array"
        if kind == "grad":
            return f"{self._find(what)}._grad"
        if kind == "rate":
            return f"rate({self._name(what)}, {more[0]})"
        if kind == "state":
            return f"{self._name(what)}.state[{more[0]}][{more[1]!r}]"
        return self._name(what)

    def _function(self, lines: list[str], given: str) -> Callable[..., Any]:
        """Return a function with these lines of text."""
        body = "\n".join(f"    {line}" for line in lines or ["pass"])
        exec(f"def function({given}):\n{body}", self.space)
        return self.space.pop("function")

    def _finder(self, texts: Iterable[str]) -> Callable[..., Any]:
        """Return a function of the arguments and the Tensors in places that returns a list."""
        return self._function([f"return [{', '.join(texts)}]"], "leaves, tensors")

    def _write_reader(self, inputs: list[Variable], sources: dict[Variable, Source]) -> Any:
        """Return a function of the arguments and the Tensors in places that reads all inputs."""
        texts = [self._read(sources[v]) for v in inputs]
        return self._function([f"return ({', '.join([*texts, ''])})"], "leaves, tensors")

    def _write_effects(self) -> Any:
        """Return a function that assigns what the function leaves behind."""
        traced, lines = self.traced, []
        start = self.count - len(traced.effects)
        for i, (kind, what, *more) in enumerate(traced.effects, start):
            if kind == "state":
                lines.append(f"{self._read(('state', what, *more))} = values[{i}]")
            elif kind in ("grad", "grad entries"):
                end = "[...]" if kind == "grad entries" else ""
                lines.append(f"{self._find(what)}._grad{end} = values[{i}]")
            else:
                found = self._find(what)
                array = f"{found}.array[...]" if kind == "entries" else f"{found}.array"
                lines.append(f"{array}, {found}.changed = values[{i}], next(clock)")
        lines += [f"{self._find(source)}._grad = None" for source in traced.removed]
        lines += [f"{self._name(o)}.steps += {steps}" for o, steps in traced.steps]
        return self._function(lines, "values, leaves, tensors")

    # -- a call ------------------------------------------------------------------------------------

    def fits(self, leaves: list[Any]) -> list[Value] | None:
        """Return the Tensors in places if the program is right for a call, else None."""
        tensors = self.guard.current()
        if tensors is None or any(group["lr"] != rate for group, rate in self.traced.rates):
            return None
        if self.arguments and not self._captures_the_same(leaves, tensors):
            return None
        if self.grad_dtypes:
            grads = self.find_grads(leaves, tensors)
            dtypes = [None if grad is None else grad.dtype for grad in grads]
            # not ==, because NumPy's float64 equals None
            return tensors if all(map(is_, dtypes, self.grad_dtypes)) else None
        return tensors

    def _captures_the_same(self, leaves: list[Any], tensors: list[Value]) -> bool:
        """Return True if the arguments that the function captures too are those that it was."""
        captured = {id(x) for x in tensors}
        count = sum(id(leaves[i]) in captured for i in self.arguments)
        same = all(leaves[i] is tensors[k] for i, k in self.captured.items())
        return same and count == len(self.captured)

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
                inputs = self.read(leaves, tensors)
                if self.written_inputs:
                    self._require_memory_of_their_own(inputs, leaves, tensors)
                values = self.forward.run(*inputs)
        except EXPECTED as error:
            for generator, where in zip(traced.generators, positions, strict=True):
                put_back(generator, where)
            raise Expected from error
        results = self._results(values, args, kwargs, leaves, tensors, positions)
        self.assign(values, leaves, tensors)
        return results

    def _require_memory_of_their_own(self, inputs: Any, leaves: Any, tensors: Any) -> None:
        """Raise Expected if an array that is written into shares memory with another input."""
        arrays = [x for x in inputs if isinstance(x, np.ndarray)]
        written = self.find_written(leaves, tensors)
        for array, own in zip(written, self.written_inputs, strict=True):
            if sum(np.may_share_memory(array, x) for x in arrays) > own:
                raise Expected

    def _results(
        self, values: Any, args: Any, kwargs: Any, leaves: Any, tensors: Any, positions: Any
    ) -> Any:
        traced = self.traced
        parts: dict[int, Value] = {}
        if traced.leaves:
            inputs = self.find_leaves(leaves, tensors)
            saved = values[self.count :]
            call = Call(self, args, kwargs, leaves, positions, saved)
            parts = call.results(inputs, values)

        def build(part: Any) -> Any:
            if isinstance(part, Original):
                kind, what = part.source
                if kind == "argument":
                    return leaves[what]
                place = self.places.get(id(what))
                return what.detach() if place is None else tensors[place]  # made in the function
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
            parts[part.output] = made  # it may be returned twice
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


def is_same_source(a: Source, b: Source) -> bool:
    """Return True if two sources are the same, whose parts may be Tensors and arrays."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(is_same_source, a, b))
    return a is b or (isinstance(a, str | int) and type(a) is type(b) and a == b)


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
