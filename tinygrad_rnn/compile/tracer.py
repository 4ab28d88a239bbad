"""The tracer: a recorder that turns a run of a function into instructions.

The function runs once, on stand-ins. Everything that it reads is one of: an argument; a Tensor that
it captures, which becomes an input of the program; an array that it captures, which the program
reads anew in every call; or a plain Python value, which the guards compare before each call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import tree
from ..blocks import Recorder
from ..dtypes import StandIn
from ..graph import Value
from ..op import Op
from .instructions import REDUCTIONS, UFUNCS, Instruction, Place, Variable, compute
from .loops import trace_scan
from .lowered import LOWERED
from .numpy_forms import FORMS
from .traced import TracedArray, TracedNumber, is_scalar
from .traced_graph import like, name_of
from .untraceable import UnknownShape, Untraceable, no_writes, read_error, read_only

UNSEEDED = np.random.default_rng(0)


class Tracer(Recorder):
    """Records what a function does.

    Attributes
    ----------
    keep_grads : bool
        If False, every parameter seems to have a gradient before the call. Most functions remove
        it first, so their program is the same whether there is one. If the function reads such a
        gradient after all, it is traced again with the gradients as they are.
    reads_grads : bool
        True if the function reads a gradient, or whether there is one, from before the call.
    error : Untraceable or None
        The first error of the trace, even if the function caught it.
    lines : list of Instruction or Loop
        The lines of the block that is being recorded: the function, or the body of a loop.
    stand_ins : dict of Value to Value
        What stands for each Tensor that the function captures.
    originals : dict of Value to Value
        The Tensor that each of these stands for.
    grads : dict of Value to (TracedArray, Variable)
        What stands for the ``.grad`` that such a Tensor had before the call, and its variable then.
    origins : dict of Value to (tuple, TracedArray, Variable)
        The source of each such Tensor, what stands for the array that it had before the call, and
        its variable then.
    constants : dict of int to (array, Variable)
        The arrays that the function captures. They are kept, so no `id` is used twice.
    twins : dict of Optimizer to Optimizer
        A copy of each optimizer that the function steps, with stand-ins in it.
    rates : list of Optimizer
        The optimizers whose learning rates the function itself reads.
    inputs : list of (Variable, tuple)
        The inputs of the program, each with its source: ``("argument", i)``, ``("tensor", value)``,
        ``("grad", source of a Tensor)``, ``("array", array)``, ``("rate", optimizer, group)`` or
        ``("state", optimizer, parameter, name)``, the last two with numbers.
    generators : list
        The generators of random numbers that the function draws from.
    named : list of (Value, Variable)
        The results of ops. A name is often given to a result later.
    forms : dict
        NumPy's functions that are recorded in a form of their own.
    """

    forms = FORMS

    def __init__(self, keep_grads: bool = False) -> None:
        self.keep_grads, self.reads_grads = keep_grads, False
        self.error: Untraceable | None = None
        self.lines: list[Any] = []
        self.stand_ins: dict[Value, Value] = {}
        self.originals: dict[Value, Value] = {}
        self.grads: dict[Value, tuple[TracedArray, Variable]] = {}
        self.origins: dict[Value, tuple[tuple[Any, ...], Any, Variable]] = {}
        self.constants: dict[int, tuple[Any, Variable]] = {}
        self.twins: dict[Any, Any] = {}
        self.rates: list[Any] = []
        self.inputs: list[tuple[Variable, tuple[Any, ...]]] = []
        self.generators: list[Any] = []
        self.named: list[tuple[Value, Variable]] = []

    # -- instructions ------------------------------------------------------------------------------

    def emit(self, function: str, args: Sequence[Any], /, **settings: Any) -> Any:
        """Record one instruction, and return what stands for its result."""
        numbers = [x.numbers if isinstance(x, StandIn) else x for x in args]
        if function == "call":
            numbers = [read_only(x) for x in numbers]
        with np.errstate(all="ignore"), no_writes(settings.get("function")):
            result = compute(function, numbers, settings)
        if isinstance(result, tuple | list):
            return self._parts(function, args, settings, result)
        kind: Any = type(result) if type(result) in (int, float, bool) else np.asarray(result).dtype
        out = Variable("", np.shape(result), kind)
        inputs = tuple([self.argument(x) for x in args])
        self.lines.append(Instruction(function, inputs, settings, out))
        if isinstance(kind, type):
            return TracedNumber(result, out, self)
        base = args[0] if args and isinstance(args[0], TracedArray) else None
        made = TracedArray(np.asarray(result), out, self)
        if base is not None and np.may_share_memory(result, base.numbers):
            made.shared, made.base = True, base if base.base is None else base.base
            made.seen = made.base.version
        made.scalar = not made.shape and _gives_scalar(function, args, settings, result)
        return made

    def _parts(self, function: str, args: Any, settings: Any, results: Any) -> Any:
        """Record a call that returns several arrays, and return what stands for each of them."""
        whole = Variable("", (), np.dtype(object))
        inputs = tuple([self.argument(x) for x in args])
        self.lines.append(Instruction(function, inputs, settings, whole))
        found = []
        for i, part in enumerate(results):
            out = Variable("", part.shape, part.dtype)
            self.lines.append(Instruction("part", (whole,), {"number": i}, out))
            found.append(TracedArray(part, out, self, shared=True))
        return type(results)(found) if type(results) in (tuple, list) else tuple(found)

    def emit_call(self, function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Record the call of a function that has no form of its own."""
        (positional, named), arrays = self.template((tuple(args), dict(kwargs)))
        result = self.emit("call", arrays, function=function, positional=positional, named=named)
        if isinstance(result, TracedNumber):
            self.lines.pop()
            got = f"{getattr(function, '__name__', 'a function')}, which returns a Python value"
            raise Untraceable("numbers that only ops read", got, "compute it outside")
        return result

    def template(self, structure: Any) -> tuple[Any, list[TracedArray]]:
        """Return a structure with a `Place` for each stand-in, and the stand-ins in order."""
        found: list[TracedArray] = []
        return self._mark_places(structure, found), found

    def _mark_places(self, part: Any, found: list[TracedArray]) -> Any:
        if isinstance(part, StandIn):
            found.append(part)  # type: ignore[arg-type]
            return Place(len(found) - 1)
        if isinstance(part, Value):
            raise Untraceable("arrays", "a Tensor as a setting", "pass x.detach()")
        if isinstance(part, np.ndarray) and part.ndim:
            found.append(TracedArray(part, self.argument(part), self))
            return Place(len(found) - 1)
        if isinstance(part, tuple | list):
            return type(part)([self._mark_places(p, found) for p in part])
        if isinstance(part, dict):
            return {name: self._mark_places(p, found) for name, p in part.items()}
        if isinstance(part, slice):
            ends = (part.start, part.stop, part.step)
            return slice(*[self._mark_places(end, found) for end in ends])
        return part

    def shift(self, template: Any, by: int) -> Any:
        """Return a template whose places are moved by a number."""
        if isinstance(template, Place):
            return Place(template.number + by)
        if isinstance(template, tuple | list):
            return type(template)([self.shift(part, by) for part in template])
        return template

    def argument(self, x: Any) -> Any:
        """Return the variable of a stand-in or of an array, or a plain Python number."""
        if isinstance(x, TracedArray):
            if x.base is not None and x.base.version != x.seen:
                fix = "make a new array, x = x + 1, instead of x += 1"
                got = "a read of a view of an array that was written into"
                raise Untraceable("arrays that are not written into", got, fix)
            return x.variable
        if type(x) in (int, float, bool):
            return x
        if isinstance(x, np.bool_):
            return bool(x)
        if isinstance(x, Value):
            raise Untraceable("arrays", "a Tensor inside of an op", "pass its array")
        array = np.asarray(x)
        if id(array) not in self.constants:
            variable = Variable("constant", array.shape, array.dtype)
            self.constants[id(array)] = array, variable
            self.inputs.append((variable, ("array", array)))
        return self.constants[id(array)][1]

    def stand_in(self, array: Any, name: str, *source: Any) -> Any:
        """Return what stands for an input of the program."""
        number = type(array) in (int, float)
        variable = Variable(name, np.shape(array), type(array) if number else array.dtype)
        self.inputs.append((variable, source))
        return (TracedNumber if number else TracedArray)(array, variable, self)

    @contextmanager
    def block(self, lines: list[Any]) -> Any:
        """Record into another list of lines inside the block."""
        before, self.lines = self.lines, lines
        try:
            yield
        finally:
            self.lines = before

    def read(self, what: str, x: TracedArray, *args: Any) -> Any:
        """Raise the error for a read of numbers into Python."""
        raise read_error(what, x)

    # -- events ------------------------------------------------------------------------------------

    def see(self, value: Value) -> Value:
        """Return what stands for a Tensor; a Tensor of the trace stands for itself."""
        if isinstance(value.array, StandIn):
            return value
        if value not in self.stand_ins:
            self.replace(value, value.name or "", "tensor", value)
        return self.stand_ins[value]

    def replace(self, value: Value, name: str, *source: Any) -> Value:
        """Let a stand-in, an input of the program, stand for `value` from now on."""
        array = self.stand_in(value.array, name, *source)
        self.origins[value] = source, array, array.variable
        seen = self.stand_ins[value] = like(value, array, value.tracked)
        self.originals[seen] = value
        if value.node is None and value.array.dtype.kind == "f":
            grad = value._grad
            if grad is None and not self.keep_grads:
                grad = value.array
            if grad is not None:
                before = self.stand_in(grad, "", "grad", source)
                seen._grad, self.grads[value] = before, (before, before.variable)
        return seen

    def forward(self, op: Op) -> Callable[..., Any]:
        """Return a function that records what an op does, or, if that fails, a call of the op."""

        def run(*arrays: Any, **params: Any) -> Any:
            if not any(isinstance(x, StandIn) for x in (*arrays, *tree.leaves(params))):
                return op.forward(*arrays, **params)
            mark, error = len(self.lines), self.error
            try:
                return LOWERED.get(op.name, op.forward)(*arrays, **params)
            except Untraceable as reason:
                if op.name == "getitem" and isinstance(reason, UnknownShape):
                    raise
                del self.lines[mark:]
                self.error = error
                return self.emit_call(op.forward, arrays, params)

        return run

    def record(self, op: Any, inputs: Any, arrays: Any, params: Any, out: Value) -> None:
        """Note which variable a result is, because it may get a name later."""
        if isinstance(out.array, TracedArray):
            out.array.scalar = False  # a Tensor has an array
            self.named.append((out, out.array.variable))

    def contribute(self, y: Value, x: Value, contribution: Any, total: Any) -> None:
        """Name the gradient of a value after it."""
        name = name_of(x)
        if name and isinstance(total, TracedArray):
            total.variable.name = total.variable.name or f"d{name}"

    def expect(self, condition: Any) -> bool:
        """Record a condition that each call tests. If it fails, the plain function runs instead."""
        if not isinstance(condition, StandIn):
            return bool(condition)
        settings: dict[str, Any] = {}
        out = Variable("", (), np.dtype(bool))
        self.lines.append(Instruction("expect", (self.argument(condition),), settings, out))
        return True

    def allow(self, condition: Any) -> bool:
        """Return True, because the code after such a condition is right in both cases."""
        return True if isinstance(condition, StandIn) else bool(condition)

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Any:
        """Record a draw, which each call makes anew."""
        if id(generator) not in self.constants:
            self.generators.append(generator)
            variable = Variable("rng", (), np.dtype(object))
            self.constants[id(generator)] = generator, variable
            self.inputs.append((variable, ("array", generator)))
        out = Variable("u", tuple(shape), np.dtype(float))
        drawn_from = self.constants[id(generator)][1]
        self.lines.append(Instruction("draw", (drawn_from,), {"shape": tuple(shape)}, out))
        return TracedArray(UNSEEDED.random(shape), out, self)

    def call(self, module: Any, args: Any, kwargs: Any) -> Any:
        """Run a module."""
        return module.forward(*args, **kwargs)

    def scan(self, loop: Callable[..., Any], *arguments: Any) -> Any:
        """Record a loop over time as one instruction."""
        return trace_scan(self, loop, *arguments)

    def optimize(self, optimizer: Any) -> None:
        """Run the update of an optimizer on a copy of it that holds stand-ins."""
        if optimizer not in self.twins:
            twin = self.twins[optimizer] = object.__new__(type(optimizer))
            vars(twin).update(vars(optimizer))
            twin.param_groups = [
                {**group, "lr": self.stand_in(float(group["lr"]), "lr", "rate", optimizer, i)}
                for i, group in enumerate(vars(optimizer)["_param_groups"])
            ]
            twin.state = [
                {name: self.stand_in(a, name, "state", optimizer, i, name) for name, a in s.items()}
                for i, s in enumerate(vars(optimizer)["_state"])
            ]
        self.twins[optimizer]._update_all()

    def gradient(self, value: Value) -> Any:
        """Return a gradient, and note whether it is from before the call."""
        seen = self.see(value)
        original = self.originals.get(seen)
        if original is not None and value.node is None:
            before = self.grads.get(original, (None,))[0]
            self.reads_grads |= seen._grad is before  # type: ignore[attr-defined]
        return seen._grad  # type: ignore[attr-defined]

    def look(self, optimizer: Any, attribute: str) -> None:
        """Note a read of the learning rate; raise an error for what each step changes."""
        if any(optimizer is twin for twin in self.twins.values()):
            return
        if attribute in ("steps", "state"):
            got, fix = f"a read of {type(optimizer).__name__}.{attribute}", "do it outside"
            self.error = self.error or Untraceable("numbers that only ops read", got, fix)
            raise self.error
        if attribute in ("lr", "param_groups") and optimizer not in self.rates:
            self.rates.append(optimizer)

    def change(self, value: Value, attribute: str) -> None:
        """Raise an error for a change of a Tensor that is not of this trace."""
        if value in self.originals or not isinstance(value.array, StandIn):
            fix = "set it outside of the function"
            raise Untraceable("Tensors that stay as they are", f"a new {attribute}", fix)

    def accumulate(self, x: Value, total: Any) -> None:
        """Raise an error for gradients that would flow on in a graph from before the call."""
        original = self.originals.get(x)
        if original is not None and original.node is not None:
            expected = "a graph that begins in the function"
            name = original.name or f"a result of shape {original.array.shape}"
            got = f"a backward pass through {name} from outside"
            raise Untraceable(expected, got, "call backward outside, or detach")

    def end_backward(self, order: Any) -> None:
        """Do nothing, because what happens in a trace does not concern the recorders around it."""


def _gives_scalar(
    function: str, args: Sequence[Any], settings: dict[str, Any], result: Any
) -> bool:
    """Return True if NumPy gives a number for this call, whose result has no axes, not an array."""
    if function == "call":
        return isinstance(result, np.generic)
    if function == "index":
        index = settings["index"]
        return ... not in (index if isinstance(index, tuple) else (index,))
    if function == "astype":
        return is_scalar(args[0])
    return function in UFUNCS or function in REDUCTIONS or function in ("matmul", "index_arrays")
