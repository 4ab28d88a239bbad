"""Tracing of a model as a list of calls: whole layers, and the ops between them.

A model is traced twice, the second time on other values and other sizes. A value becomes the output
of a node in the exported model if a recorded call computes it from the inputs. Any other value
becomes a constant, so it must be equal in both traces. If it differs, Python computed it from the
sizes of the inputs. If the traces have different calls, Python looped over the sequence or took a
branch. In both cases the model cannot be exported.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import check, tree
from ...blocks import Recorder, close_block, open_block
from ...errors import describe
from ...graph import EAGER, Value, clock
from ...nn import GRU, LSTM, RNN, Embedding, LayerNorm, Module
from ...tensor import Tensor
from .exported_array import ExportedArray, list_traced, read_error, to_plain

LAYERS = (RNN, GRU, LSTM, Embedding, LayerNorm)
"""The layers that are traced as one call each.

Any other module, even a subclass of one of these layers, is traced as the ops that it applies.
"""

REDUCTIONS = (np.any, np.all, np.argmax, np.argmin)
"""The functions of NumPy that are exported, apart from ufuncs."""


@dataclass
class TracedCall:
    """An op that was applied, or a layer or a function of NumPy that was called.

    Attributes
    ----------
    name : str
        The name of the op, of the layer's class, or of NumPy's function.
    inputs : tuple
        Each input is an ExportedArray, a Value that does not depend on an input of the model, a
        plain array or a number. An omitted argument of a layer is None.
    outputs : tuple of ExportedArray
        An op of parameters has a Value in place of an ExportedArray.
    params : dict
        The settings of the op, for example `axis`; empty for a layer.
    index : int
        A number that grows from call to call, so sorting by it gives the order of the calls.
    module : Module or None
        The layer; None for an op.
    """

    name: str
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    params: dict[str, Any]
    index: int
    module: Module | None = None


@dataclass
class Trace:
    """One run of a model: its inputs, its outputs, and the calls between them in order.

    An output that does not depend on the inputs is a Value.
    """

    inputs: list[ExportedArray]
    calls: list[TracedCall]
    outputs: list[Any]
    release: Callable[[], None]

    def locate_values(self) -> dict[Any, tuple[int, int]]:
        """Return the origin of each value: (position of its call, index among the call's outputs).

        An input of the model has the origin (−1, index among the inputs).
        """
        origins: dict[Any, tuple[int, int]] = {x: (-1, i) for i, x in enumerate(self.inputs)}
        for k, call in enumerate(self.calls):
            origins |= {value: (k, i) for i, value in enumerate(call.outputs)}
        return origins


class ModelTrace(Recorder):
    """A block in which calls on arrays that depend on the inputs are recorded.

    Recorders around the block see nothing of it, because its arrays are TracedArrays.

    Attributes
    ----------
    is_running : bool
        False when the block is over; the numbers of an ExportedArray can then be read.
    entered : set
        The functions of NumPy that an op of ours computes at the moment.
    values : list of Values
        The Tensors that hold an ExportedArray. They get plain arrays at the end of the block.
    of_parameters : dict of Value to TracedCall
        The ops of parameters, by their results. A bias that is broadcast to a batch depends on the
        size of an input, although not on its values.
    """

    def __init__(self) -> None:
        self.is_running = True
        self.entered: set[Any] = set()
        self.values: list[Any] = []
        self.of_parameters: dict[Value, TracedCall] = {}
        self.calls: list[TracedCall] = []

    def __enter__(self) -> ModelTrace:
        super().__enter__()
        self.outer = EAGER
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.is_running = False
        for value in self.values:
            value.array = to_plain(value.array)

    def release(self) -> None:
        """Let go of all calls: a call and what it returned refer to each other."""
        for call in self.calls:
            call.outputs = ()
        self.calls.clear()
        self.of_parameters.clear()

    def _make_call(self, name: str, inputs: Any, params: Any, module: Any = None) -> TracedCall:
        """Return a new call, whose outputs are not known yet."""
        inputs = tuple(map(_identify, inputs))
        self.calls.append(TracedCall(name, inputs, (), params, next(clock), module))
        return self.calls[-1]

    def add_input(self, x: Any) -> Tensor | None:
        """Return an example as a Tensor on which calls are recorded; None stays None."""
        return None if x is None else self._make_tensor(ExportedArray(x, self))

    def _make_tensor(self, array: Any) -> Tensor:
        self.values.append(Tensor(array))
        return self.values[-1]

    def compute(self, name: str, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Return what a function of plain arrays returns, and record its call."""
        result = function(*to_plain(args), **to_plain(kwargs))
        if not list_traced((args, kwargs)):
            return result
        if function in REDUCTIONS:
            given = inspect.signature(function).bind(*args, **kwargs).arguments
            params = {"axis": None, "keepdims": False} | given
            args, kwargs = (params.pop("a"),), params
        call = self._make_call(name, args, kwargs)
        several = isinstance(result, tuple | list)
        outputs = tuple(result) if several else (result,)
        if not all(isinstance(output, np.ndarray | np.generic) for output in outputs):
            fix = "use operators, comparisons and functions of tinygrad_rnn, which return arrays"
            raise read_error(f"np.{name} of values that depend on an input", fix)
        call.outputs = tuple(ExportedArray(output, self, call) for output in outputs)
        make = getattr(type(result), "_make", type(result))  # for a namedtuple
        return make(call.outputs) if several else call.outputs[0]

    # -- events ------------------------------------------------------------------------------------

    def forward(self, op: Any) -> Callable[..., Any]:
        """Return the function that computes an op on plain arrays, and records it."""
        return lambda *arrays, **params: self.compute(op.name, op.forward, arrays, params)

    def record(self, op: Any, inputs: Any, arrays: Any, params: Any, out: Any) -> None:
        """Record an op again: now its inputs are Tensors, and its output has the right dtype."""
        call = self._make_call(op.name, inputs, params)
        call.outputs = (out,)
        if isinstance(out.array, ExportedArray):
            _require_dtype(op.name, arrays, out.array.dtype)
            out.array = ExportedArray(out.array.numbers, self, call)
            call.outputs = (out.array,)
            self.values.append(out)
        elif any(x.tracked or x in self.of_parameters for x in inputs if isinstance(x, Value)):
            self.of_parameters[out] = call

    def expect(self, condition: Any) -> bool:
        """Return a check of arguments, as it is in this run."""
        return bool(to_plain(condition))

    def allow(self, condition: Any) -> bool:
        """Return False for a condition on values: the exported model is for other values too."""
        return not list_traced(condition) and bool(condition)

    def call(self, module: Module, args: Any, kwargs: Any) -> Any:
        """Call a module. Some layers run on plain arrays, and are recorded as a whole."""
        layer = module._original
        if type(layer) not in LAYERS:
            return module.forward(*args, **kwargs)
        call = self._make_call(type(layer).__name__, flatten_inputs(layer, args, kwargs), {}, layer)
        open_block(lambda recording, here, _: (False, here, EAGER))
        try:
            result = layer.forward(*tree.map(_as_plain, args), **tree.map(_as_plain, kwargs))
        finally:
            close_block()
        result = tree.map(lambda y: self._make_tensor(ExportedArray(y.array, self, call)), result)
        call.outputs = tuple(y.array for y in tree.leaves(result))
        return result


def _require_dtype(op: str, arrays: Sequence[Any], dtype: np.dtype) -> None:
    """Raise ValueError if a result has its dtype from what stands for a NumPy scalar."""
    found = {True: set(), False: set()}
    for a in arrays:
        if isinstance(a, np.ndarray):
            found[isinstance(a, ExportedArray) and a.is_scalar].add(a.dtype)
    if dtype in found[True] - found[False]:
        got = f"{op} of a Tensor and a scalar of {dtype} that depends on an input"
        fix = "convert the scalar to the dtype of the Tensor, with .astype(x.dtype)"
        raise read_error(got, fix)


def _identify(x: Any) -> Any:
    """Return the ExportedArray of a Tensor that holds one, and anything else unchanged."""
    is_traced = isinstance(x, Value) and isinstance(x.array, ExportedArray)
    return x.array if is_traced else x


def _as_plain(x: Any) -> Any:
    """Return an argument of a layer as a Tensor or array that is not traced."""
    if isinstance(x, Value) and isinstance(x.array, ExportedArray):
        return Tensor(x.array.numbers)
    return to_plain(x) if isinstance(x, ExportedArray) else x


def trace_model(model: Module, args: Sequence[Any], kwargs: dict[str, Any]) -> Trace:
    """Run `model` on arrays and return the trace. None stands for an omitted argument."""
    trace = ModelTrace()
    tensors = tree.map(trace.add_input, (tuple(args), kwargs))
    inputs = [x.array for x in tree.leaves(tensors)]
    try:
        with trace:
            outputs = tree.leaves(model(*tensors[0], **tensors[1]))
            others = [output for output in outputs if not isinstance(output, Value)]
            found = list(map(_identify, outputs))
    except BaseException:
        trace.release()
        raise
    finally:
        _clean(model)
    expected, got = "Tensors as outputs", describe(others[0]) if others else "no outputs"
    fix = "return only Tensors, computed by ops"
    valid = outputs and not others
    check.require(valid, "to_onnx", "model", expected, got, fix, TypeError)
    return Trace(inputs, _collect_calls(trace, found), found, trace.release)


def _clean(model: Module) -> None:
    """Put plain arrays in place of the TracedArrays that a model has kept, as a state does."""
    for module in model.modules():
        for name, attribute in list(vars(module).items()):
            if isinstance(attribute, ExportedArray):
                vars(module)[name] = attribute.numbers
            for part in attribute if type(attribute) in (tuple, list) else (attribute,):
                if isinstance(part, Value):
                    part.array = to_plain(part.array)


def flatten_inputs(
    module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, ...]:
    """Return the arguments of a layer's call as a flat tuple.

    The tuple is (x, h, lengths) for an RNN or a GRU, (x, h, c, lengths) for an LSTM, and (x,) for
    any other layer. An omitted argument is None.
    """
    arguments = inspect.signature(module.forward).bind(*args, **kwargs).arguments
    x = next(iter(arguments.values()))
    if not isinstance(module, RNN | GRU | LSTM):
        return (x,)
    state = arguments.get("state")
    empty = (None, None) if isinstance(module, LSTM) else (None,)
    return (x, *(tree.leaves(state) or empty), arguments.get("lengths"))


def _collect_calls(trace: ModelTrace, outputs: list[Any]) -> list[TracedCall]:
    """Return all calls that the outputs depend on, oldest first."""
    calls: dict[int, TracedCall] = {}
    pending = list(outputs)
    while pending:
        x = pending.pop()
        call = x.call if isinstance(x, ExportedArray) else None
        call = trace.of_parameters.get(x) if isinstance(x, Value) else call
        if call is not None and call.index not in calls:
            calls[call.index] = call
            pending.extend(tree.leaves(call.inputs))
    return [calls[index] for index in sorted(calls)]


def require_same_calls(first: Trace, second: Trace) -> None:
    """Raise ValueError unless the two traces agree and the output depends on every input.

    The traces agree if they have the same calls, and the inputs of each call have the same origins
    (see `Trace.locate_values`).
    """
    names = [[call.name for call in trace.calls] for trace in (first, second)]
    pairs = enumerate(zip(*names, strict=False))
    k = next((k for k, (a, b) in pairs if a != b), min(map(len, names)))
    place = f"after {names[0][k - 1]}" if k else "from the first call on"
    got = f"{len(names[0])} and {len(names[1])} calls, which differ {place}"
    expected = "the same calls for all values and sizes of the inputs"
    fix = (
        "use nn.GRU, nn.LSTM or nn.RNN itself instead of a loop over time or a subclass, or fix "
        "the length with axes="
    )
    check.require(names[0] == names[1], "to_onnx", "model", expected, got, fix)
    origins = first.locate_values(), second.locate_values()
    expected, got = "the same inputs for all values", "a different input when run on other values"
    fix = "select values with tg.where instead of Python's if"
    for a, b in zip(first.calls, second.calls, strict=True):
        same = _locate_inputs(a, origins[0]) == _locate_inputs(b, origins[1])
        check.require(same, "to_onnx", a.name, expected, got, fix)
    used = set(list_traced([first.outputs, *(call.inputs for call in first.calls)]))
    expected = "an input that reaches the output through ops of tinygrad_rnn"
    fix = "compute with the Tensor itself, or leave this input out"
    for i, value in enumerate(first.inputs):
        got = f"{describe(value)}, which does not"
        check.require(value in used, "to_onnx", f"example_input ({i})", expected, got, fix)


def _locate_inputs(
    call: TracedCall, origins: dict[Any, tuple[int, int]]
) -> list[tuple[int, int] | None]:
    """Return the origin of each input of a call, with None for constants and parameters."""
    return [origins.get(x) if isinstance(x, ExportedArray | Value) else None for x in call.inputs]
