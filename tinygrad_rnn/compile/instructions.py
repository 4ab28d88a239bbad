"""A program as plain data: a list of instructions, in which a loop holds instructions again.

Every variable is assigned once, by one instruction, or is an input of the program. An instruction
inside a loop may read any variable that is assigned before the loop. What a loop leaves behind are
its stacks, its sums and its last states. `interpret` runs a program, slowly: it is the definition
of what a program means, and the texts that the backends write must give the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(eq=False, slots=True)
class Variable:
    """A value of a program.

    Attributes
    ----------
    name : str
        The user's name, or an empty text. Several variables may have the same name.
    shape : tuple of int
    dtype : numpy.dtype or type
        For a plain Python number, `int`, `float` or `bool`: it is weak beside arrays.
    note : str
        The equation that the variable stands for, or an empty text.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Any
    note: str = ""

    @property
    def is_number(self) -> bool:
        """True for a plain Python number."""
        return isinstance(self.dtype, type)

    @property
    def nbytes(self) -> int:
        """The memory that the value takes, in bytes."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    def __repr__(self) -> str:
        kind = self.dtype.__name__ if self.is_number else self.dtype
        return f"{self.name or 'v'}@{id(self) % 9973}:{kind}{list(self.shape)}"


Argument = Any
"""An argument of an instruction: a variable, or a literal Python number."""


@dataclass(eq=False, slots=True)
class Instruction:
    """One call of a function: ``out = function(*args, **settings)``.

    Attributes
    ----------
    function : str
        A key of `FUNCTIONS`.
    args : tuple of Argument
    settings : dict
        Constants of the call, such as ``axis``.
    out : Variable
        The result. For ``expect``, which has none, a variable that nothing reads.
    """

    function: str
    args: tuple[Argument, ...]
    settings: dict[str, Any]
    out: Variable

    @property
    def uses(self) -> list[Variable]:
        """The variables among the arguments."""
        return [x for x in self.args if isinstance(x, Variable)]

    @property
    def results(self) -> list[Variable]:
        """The variables that the instruction assigns."""
        return [self.out]

    @property
    def has_effect(self) -> bool:
        """True if the instruction must run, in its order, even if nothing reads its result."""
        return self.function in EFFECTS


@dataclass(eq=False, slots=True)
class State:
    """A value that a loop carries from step to step.

    In the first step, `inside` is `start`; in every other step it is what `next` was in the step
    before. After the loop, `last` is what `next` was in the last step.
    """

    start: Variable
    inside: Variable
    next: Variable
    last: Variable


@dataclass(eq=False, slots=True)
class Loop:
    """A loop over time steps.

    Attributes
    ----------
    steps : int
        The number of steps.
    reverse : bool
        True if the loop starts at the last step.
    body : list of Instruction or Loop
    slices : list of (Variable, Variable)
        Pairs (inside, whole): in step t, ``inside = whole[t]``.
    states : list of State
    stacks : list of (Variable, Variable)
        Pairs (inside, whole): in step t, ``whole[t] = inside``.
    sums : list of (Variable, Variable)
        Pairs (inside, total): `total` is the sum of `inside` over all steps.
    """

    steps: int
    reverse: bool
    body: list[Any] = field(default_factory=list)
    slices: list[tuple[Variable, Variable]] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    stacks: list[tuple[Variable, Variable]] = field(default_factory=list)
    sums: list[tuple[Variable, Variable]] = field(default_factory=list)

    @property
    def inside(self) -> list[Variable]:
        """The variables that exist inside the loop only."""
        given = [x for x, _ in self.slices] + [state.inside for state in self.states]
        return given + [y for line in self.body for y in line.results]

    @property
    def uses(self) -> list[Variable]:
        """The variables from outside of the loop that it reads."""
        read = [whole for _, whole in self.slices] + [state.start for state in self.states]
        read += [x for line in self.body for x in line.uses]
        read += [x for x, _ in (*self.stacks, *self.sums)] + [state.next for state in self.states]
        inside = set(self.inside)
        return [x for x in dict.fromkeys(read) if x not in inside]

    @property
    def results(self) -> list[Variable]:
        """The variables that the loop leaves behind."""
        ends = [whole for _, whole in (*self.stacks, *self.sums)]
        return ends + [state.last for state in self.states]

    @property
    def has_effect(self) -> bool:
        """True if a line of the body must run even if nothing reads a result."""
        return any(line.has_effect for line in self.body)


@dataclass(eq=False, slots=True)
class Program:
    """A list of instructions with its inputs and outputs.

    Attributes
    ----------
    inputs, outputs : list of Variable
        An output may be an input, or occur twice.
    lines : list of Instruction or Loop
    """

    inputs: list[Variable]
    lines: list[Any]
    outputs: list[Variable]


# -- functions -------------------------------------------------------------------------------------

UFUNCS: dict[str, Callable[..., Any]] = {
    name: f for name, f in vars(np).items() if isinstance(f, np.ufunc) and f.nout == 1
}
"""NumPy's elementwise functions, by name; ``matmul`` and its kind are not among them."""
for _name in ("matmul", "vecdot", "matvec", "vecmat"):
    UFUNCS.pop(_name, None)

REDUCTIONS = {
    "sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum,
    "any": np.logical_or, "all": np.logical_and,
}  # fmt: skip
"""Functions with the settings ``axis`` (a tuple of numbers from 0) and ``keepdims``."""

VIEWS = frozenset({"transpose", "reshape", "index", "broadcast_to"})
"""Functions whose result has no numbers of its own: it shows those of the first argument."""

EFFECTS = frozenset({"expect", "draw"})


@dataclass(frozen=True, slots=True)
class Place:
    """In a setting: the place of an argument, counted from 0."""

    number: int


def fill(setting: Any, args: Iterable[Any]) -> Any:
    """Return a setting with the arguments in their places, also inside of tuples, lists, slices."""
    args = list(args)
    if isinstance(setting, Place):
        return args[setting.number]
    if isinstance(setting, tuple | list):
        return type(setting)(fill(part, args) for part in setting)
    if isinstance(setting, dict):
        return {name: fill(part, args) for name, part in setting.items()}
    if isinstance(setting, slice):
        return slice(*[fill(part, args) for part in (setting.start, setting.stop, setting.step)])
    return setting


def _reduce(name: str) -> Callable[..., Any]:
    return lambda a, axis, keepdims: REDUCTIONS[name].reduce(a, axis=axis, keepdims=keepdims)


class Expected(ValueError):  # not an error of the user's
    """A condition did not hold that a program expects; the plain function has to run instead."""


def _expect(condition: Any) -> Any:
    if not condition:
        raise Expected
    return np.True_


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **UFUNCS,
    **{name: _reduce(name) for name in REDUCTIONS},
    "where": np.where,
    "astype": lambda a, dtype: np.asarray(a).astype(dtype),
    "copy": np.array,
    "matmul": lambda a, b: a @ b,
    "transpose": lambda a, axes: np.transpose(a, axes),
    "reshape": lambda a, shape: np.reshape(a, shape),
    "index": lambda a, index: a[index],  # integers, slices, None and ... only
    "broadcast_to": lambda a, shape: np.broadcast_to(a, shape),
    "concatenate": lambda *parts, axis: np.concatenate(parts, axis),
    "index_arrays": lambda *args, index: args[0][fill(index, args)],
    # zeros of a shape, with each part added at its index
    "scatter": lambda *args, count, indices, shape: _scatter(
        args[:count], fill(indices, args), shape),
    "zeros": lambda shape, dtype: np.zeros(shape, dtype),
    "item": lambda a: np.asarray(a).item(),
    "expect": _expect,
    "draw": lambda generator, shape: generator.random(shape),  # the argument is the generator
    # any other function, whose arguments stand in `positional` and `named`
    "call": lambda *args, function, positional, named: function(
        *fill(positional, args), **fill(named, args)),
    "part": lambda parts, number: parts[number],  # one of several results of a call
}  # fmt: skip
"""What an instruction computes, by its name. Plain numbers follow Python, arrays follow NumPy."""


def _scatter(parts: Iterable[Any], indices: Any, shape: tuple[int, ...]) -> np.ndarray:
    parts = list(parts)
    whole = np.zeros(shape, np.result_type(*parts))
    for part, index in zip(parts, indices, strict=True):
        np.add.at(whole, index, part)
    return whole


OPERATORS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "floor_divide": lambda a, b: a // b,
    "remainder": lambda a, b: a % b,
    "power": lambda a, b: a**b,
    "negative": lambda a: -a,
    "absolute": abs,
}
"""The functions of plain numbers, by name."""


def compute(function: str, args: Iterable[Any], settings: dict[str, Any]) -> Any:
    """Return what an instruction computes from these arguments: an array, or a plain number."""
    args = list(args)
    if function in OPERATORS and all(type(x) in (int, float, bool) for x in args):
        return OPERATORS[function](*args)
    result = FUNCTIONS[function](*args, **settings)
    return result if function in ("item", "call", "part") else np.asarray(result)


# -- running a program -----------------------------------------------------------------------------


def interpret(program: Program, inputs: Iterable[Any]) -> list[Any]:
    """Return the outputs of a program for these inputs."""
    values = dict(zip(program.inputs, inputs, strict=True))
    _run(program.lines, values)
    return [values[y] for y in program.outputs]


def _run(lines: Iterable[Any], values: dict[Variable, Any]) -> None:
    for line in lines:
        if isinstance(line, Loop):
            _run_loop(line, values)
        else:
            args = [values[x] if isinstance(x, Variable) else x for x in line.args]
            values[line.out] = compute(line.function, args, line.settings)


def _run_loop(loop: Loop, values: dict[Variable, Any]) -> None:
    carried = [values[state.start] for state in loop.states]
    stacks: list[list[Any]] = [[] for _ in loop.stacks]
    sums: list[list[Any]] = [[] for _ in loop.sums]
    for t in reversed(range(loop.steps)) if loop.reverse else range(loop.steps):
        now = dict(values)
        now |= {inside: values[whole][t] for inside, whole in loop.slices}
        now |= {state.inside: x for state, x in zip(loop.states, carried, strict=True)}
        _run(loop.body, now)
        carried = [now[state.next] for state in loop.states]
        for kept, (inside, _) in zip((*stacks, *sums), (*loop.stacks, *loop.sums), strict=True):
            kept.append(now[inside])
    for kept, (_, whole) in zip(stacks, loop.stacks, strict=True):
        values[whole] = np.stack(kept[::-1] if loop.reverse else kept)
    for kept, (_, total) in zip(sums, loop.sums, strict=True):
        values[total] = np.sum(np.stack(kept), axis=0)
    for state, x in zip(loop.states, carried, strict=True):
        values[state.last] = x


def walk(lines: Iterable[Any]) -> Iterator[Any]:
    """Yield each instruction and loop, those inside of loops too, in their order."""
    for line in lines:
        yield line
        if isinstance(line, Loop):
            yield from walk(line.body)
