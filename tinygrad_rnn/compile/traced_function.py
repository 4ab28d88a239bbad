"""One trace of a function, made into a program: what it reads, computes and leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np

from .. import tree
from ..backward import backward_pass
from ..dtypes import NUMPY_SCALARS, StandIn
from ..errors import NotCompilable, argument_error, describe
from ..graph import Value, toposort
from .arguments import is_untouched, replace
from .instructions import Expected, Instruction, Place, Program, Variable, walk
from .local_names import names_of_locals
from .places import PLAIN, draws
from .traced import TracedArray, is_scalar
from .traced_graph import find_values_behind, variable_of
from .tracer import Tracer
from .untraceable import Untraceable


@dataclass
class Result:
    """One place in the result of a call: the output of the program to take there.

    Attributes
    ----------
    output : int
        The number among the outputs of the program.
    kind : type or None
        The class of a Tensor; `numpy.generic` for a number of NumPy's; None for a plain array or a
        Python number.
    name : str or None
    tracked : bool
        True if gradients flow back from it.
    """

    output: int
    kind: Any
    name: str | None
    tracked: bool


@dataclass
class Original:
    """A Tensor from before the call, which is returned as it is."""

    source: tuple[Any, ...]


SIMPLE = frozenset({*PLAIN, *NUMPY_SCALARS, Result, Place, type(...)})
"""Types whose objects are as good as each other if they are equal."""


@dataclass
class TracedFunction:
    """A trace of a function.

    Attributes
    ----------
    title : str
    program : Program
        Its outputs are the results, then the effects, then the gradients of `leaves`.
    sources : list of tuple
        Where each input of the program comes from; see `Tracer.inputs`. The gradients that arrive
        have the source ``("cotangent", number of the result)``.
    structure : Any
        The result, with a `Result` in place of each array.
    effects : list of tuple
        What each output after the results is assigned to: ``("array", source of a Tensor)``,
        ``("grad", source of a Tensor)`` or ``("state", optimizer, parameter, name)``; ``"entries"``
        or ``"grad entries"`` if the function writes into the array that is there.
    removed : list of tuple
        The sources of the Tensors whose gradient is None after the call.
    steps : list of (Optimizer, int)
        How many steps each optimizer makes.
    leaves : list of tuple
        The sources of the Tensors that get a gradient when the results' gradients arrive.
    reached : list of set of int
        For each of `leaves`, the results that it contributes to.
    generators : list
        The generators of random numbers that are drawn from.
    grads : list of (tuple, dtype or None)
        If the function reads gradients from before the call: the sources of the Tensors that have,
        or could have, such a gradient, and its dtype; None for no gradient.
    rates : list of (dict, float)
        The parameter groups whose learning rate the function itself reads, and the rate.
    """

    title: str
    program: Program
    sources: list[tuple[Any, ...]]
    structure: Any
    effects: list[tuple[Any, ...]]
    removed: list[tuple[Any, ...]]
    steps: list[tuple[Any, int]]
    generators: list[Any]
    grads: list[tuple[Any, Any]]
    rates: list[tuple[dict[str, Any], float]]
    leaves: list[tuple[Any, ...]] = field(default_factory=list)
    reached: list[set[int]] = field(default_factory=list)


def trace(
    title: str,
    function: Callable[..., Any],
    args: Any,
    kwargs: Any,
    leaves: list[Any],
    keep_grads: bool = False,
) -> TracedFunction:
    """Run a function on stand-ins for its arguments and return the trace.

    Raises
    ------
    NotCompilable
        If it does something that no program can follow.
    """
    tracer = Tracer(keep_grads)
    stand_ins: dict[int, Any] = {}

    def stand_in(i: int, leaf: Any) -> Any:
        if id(leaf) not in stand_ins:
            name = getattr(leaf, "name", None) or ""
            add = tracer.replace if isinstance(leaf, Value) else tracer.stand_in
            stand_ins[id(leaf)] = add(leaf, name, "argument", i)
        return stand_ins[id(leaf)]

    given = [stand_in(i, leaf) for i, leaf in enumerate(leaves)]
    for leaf, array in zip(leaves, given, strict=True):
        if isinstance(array, TracedArray):
            array.shared, array.scalar = True, isinstance(leaf, np.generic)  # the caller's array
    before, now = [
        (replace(args, parts), replace(kwargs, parts)) for parts in (iter(given), iter(given))
    ]
    try:
        with tracer:
            with names_of_locals():
                result = function(*now[0], **now[1])
            if tracer.error is not None:
                raise tracer.error
            if not is_untouched(now, before):
                got, fix = "a change of a list or dict among them", "return a new one instead"
                raise Untraceable("arguments that stay as they are", got, fix)
            return _finish(tracer, result, title)
    except Untraceable as reason:
        raise not_compilable(title, reason) from reason
    except Exception as error:  # perhaps because of a stand-in
        if "Traced" in str(error):
            fix = "write it with ops, or do it outside of the function"
            tracer.error = tracer.error or Untraceable("ops", str(error), fix)
        if tracer.error is None and isinstance(error, ArithmeticError | LookupError | ValueError):
            raise Expected from error  # because of the numbers of this call: the error is eager's
        if tracer.error is None:
            raise
        raise not_compilable(title, tracer.error) from error
    finally:
        vars(tracer).clear()  # stand-ins refer to the tracer, and it to them


def require_same(title: str, first: TracedFunction, second: TracedFunction) -> None:
    """Raise NotCompilable unless two traces of a function are the same.

    Whatever a function reads that differs from run to run would be a constant of its program: a
    clock, a file, a counter, a generator that the function itself makes.
    """
    if (difference := find_difference(first, second)) is not None:
        expected, fix = "a function that does the same in every run", "pass it as an argument"
        raise not_compilable(title, Untraceable(expected, difference, fix))


def find_difference(first: TracedFunction, second: TracedFunction) -> str | None:
    """Return in what two traces differ, in words, or None if they are the same."""
    known: dict[Variable, Variable] = {}
    a, b = first.program, second.program
    if len(a.inputs) != len(b.inputs):
        return "another number of inputs"
    for x, y, source, other in zip(a.inputs, b.inputs, first.sources, second.sources, strict=True):
        if not _is_same((x, *source), (y, *other), known):
            if draws(source[1]):
                return "a draw from a generator that it makes itself"
            return f"an array that it makes, {describe(source[1])}, with other numbers"
    lines, others = [*walk(a.lines)], [*walk(b.lines)]
    for line, other in zip(lines, others, strict=False):
        if type(line) is not type(other) or not _is_same(_parts(line), _parts(other), known):
            return f"{getattr(line, 'function', 'a loop')} with other arguments"
    if len(lines) != len(others):
        return "another number of ops"
    ends = [(t.structure, t.effects, t.removed, t.steps) for t in (first, second)]
    if not _is_same((a.outputs, ends[0]), (b.outputs, ends[1]), known):
        return f"another result, {tree.describe(first.structure)}"
    return None


def _is_same(x: Any, y: Any, known: dict[Variable, Variable]) -> bool:
    """Return True if two parts of traces are the same; `known` pairs their variables."""
    if isinstance(x, Variable):
        return known.setdefault(x, y) is y
    if isinstance(x, tuple | list):
        return len(x) == len(y) and all(_is_same(*pair, known) for pair in zip(x, y, strict=True))
    if isinstance(x, dict):
        return [*x] == [*y] and _is_same([*x.values()], [*y.values()], known)
    if isinstance(x, slice):
        return _is_same((x.start, x.stop, x.step), (y.start, y.stop, y.step), known)
    if x is y or isinstance(x, np.ndarray | Value):  # made in the function, or captured
        return x is y or (type(x) is type(y) and tree.equal(x, y))
    if isinstance(x, FunctionType) and not x.__closure__:  # also made in the function
        return isinstance(y, FunctionType) and x.__code__ is y.__code__
    if isinstance(x, Original) and isinstance(y, Original):
        return _is_same(x.source, y.source, known)
    if isinstance(x, StandIn) or type(x) is not type(y):  # in an object that is returned
        return False
    if isinstance(x, BuiltinFunctionType):  # a method of an object is made anew in each run
        return x == y
    is_plain = type(x) in SIMPLE or isinstance(x, np.dtype)
    return is_plain and (x == y or str(x) == str(y) == "nan")


def _parts(line: Any) -> tuple[Any, ...]:
    """Return what an instruction or a loop consists of, without the lines of the loop."""
    if isinstance(line, Instruction):
        return line.function, line.args, line.settings, line.out
    states = [(s.start, s.inside, s.next, s.last) for s in line.states]
    return line.steps, line.reverse, line.slices, states, line.stacks, line.sums


def not_compilable(title: str, reason: Untraceable) -> NotCompilable:
    """Return the error that says why a function cannot be compiled."""
    fix = f"{reason.fix}; or compile(..., fallback=True), which runs the plain function"
    error = argument_error("compile", title, reason.expected, reason.got, fix)
    return NotCompilable(str(error))


def _finish(tracer: Tracer, result: Any, title: str) -> TracedFunction:
    """Return the trace of a function that returned `result`."""
    outputs: list[Variable] = []
    roots: list[Value] = []

    known: dict[int, Result] = {}  # one Tensor may be returned twice

    def place(part: Any) -> Any:
        if id(part) in known:
            return known[id(part)]
        if isinstance(part, Value) and (seen := tracer.see(part)) in tracer.originals:
            return Original(tracer.origins[tracer.originals[seen]][0])
        array = getattr(part, "array", part) if isinstance(part, Value) else part
        if not isinstance(array, StandIn):
            return part
        outputs.append(tracer.argument(array))
        is_tensor = isinstance(part, Value)
        tracked = is_tensor and part.tracked and _is_differentiable(part)
        roots.append(part)
        kind = type(part) if is_tensor else np.generic if is_scalar(array) else None
        known[id(part)] = Result(len(outputs) - 1, kind, getattr(part, "name", None), tracked)
        return known[id(part)]

    structure = tree.map(place, result)
    effects, removed = _effects(tracer, outputs)
    inputs = tuple([variable for variable, _ in tracer.inputs])
    sources = [source for _, source in tracer.inputs]
    found = TracedFunction(
        title,
        Program([*inputs], tracer.lines, outputs),
        sources,
        structure,
        effects,
        removed,
        [(o, twin._steps - o._steps) for o, twin in tracer.twins.items()],
        tracer.generators,
        [
            (source, getattr(value._grad, "dtype", None))  # type: ignore[attr-defined]
            for value, (source, *_) in tracer.origins.items()
            if tracer.reads_grads and value.node is None and value.array.dtype.kind == "f"
        ],
        [(group, group["lr"]) for o in tracer.rates for group in vars(o)["_param_groups"]],
    )
    _differentiate(tracer, found, roots)
    for variable, source in tracer.inputs[len(inputs) :]:  # what only the backward pass reads
        found.program.inputs.append(variable)
        found.sources.append(source)
    for value, variable in tracer.named:
        variable.name = value.name or variable.name
    return found


def _effects(tracer: Tracer, outputs: list[Variable]) -> tuple[list[Any], list[Any]]:
    """Append what the function leaves behind to `outputs`; return where it is to be assigned."""
    effects: list[tuple[Any, ...]] = []
    removed: list[tuple[Any, ...]] = []

    def leave(array: Any, name: str, *place: Any) -> None:
        variable = tracer.argument(array)
        variable.name = variable.name or name
        outputs.append(variable)
        effects.append(place)

    for value, seen in tracer.stand_ins.items():
        source, array, variable = tracer.origins[value]
        if variable_of(seen) is not variable:
            kind = "entries" if seen.array is array else "array"
            leave(seen.array, f"{value.name}_new" if value.name else "", kind, source)
        grad = seen._grad  # type: ignore[attr-defined]
        before, variable = tracer.grads.get(value, (None, variable))
        if grad is None and before is not None:
            removed.append(source)
        elif grad is not None and (grad is not before or grad.variable is not variable):
            kind = "grad entries" if grad is before else "grad"
            leave(grad, f"d{value.name}" if value.name else "", kind, source)
    for optimizer, twin in tracer.twins.items():
        for i, state in enumerate(twin.state):
            for name, array in state.items():
                leave(array, f"{name}_new", "state", optimizer, i, name)
    return effects, removed


def _differentiate(tracer: Tracer, found: TracedFunction, roots: list[Any]) -> None:
    """Record the backward pass from the results, with stand-ins for the gradients that arrive."""
    leaves = [part for part in tree.leaves(found.structure) if isinstance(part, Result)]
    results = {part.output: part for part in leaves}.values()
    seeds: dict[Value, Any] = {}
    reach: list[set[Value]] = []
    for result, root in zip(results, roots, strict=True):
        if not result.tracked:
            reach.append(set())
            continue
        name = f"d{root.name}" if root.name else "g"
        variable = Variable(name, root.array.shape, root.array.dtype)
        tracer.inputs.append((variable, ("cotangent", result.output)))
        seed = TracedArray(root.array.numbers, variable, tracer)
        seeds[root] = seeds[root] + seed if root in seeds else seed
        reach.append(find_values_behind([root]))
    if not seeds:
        return
    order = sorted(
        {v for root in seeds for v in toposort(root)}, key=lambda v: v.node.index, reverse=True
    )
    original = {seen: tracer.origins[value][0] for value, seen in tracer.stand_ins.items()}
    for leaf, g in backward_pass(seeds, order):
        if leaf in original and leaf.tracked:
            found.program.outputs.append(g.variable)
            found.leaves.append(original[leaf])
            found.reached.append({i for i, values in enumerate(reach) if leaf in values})


def _is_differentiable(root: Value) -> bool:
    """Return True unless a backward pass has used a part of the graph, or a leaf has changed."""
    return not any(
        y.node.used > 1
        or any(isinstance(x, Value) and x.changed > y.node.index for x in y.node.inputs)
        for y in toposort(root)
    )
