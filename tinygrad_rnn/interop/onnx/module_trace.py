"""Tracing of a model as a list of calls: whole layers, and the ops between them.

A model is traced twice, the second time on other values and other sizes. A value
becomes the output of a node in the exported model if a recorded call computes it from the inputs.
Any other value becomes a constant, so it must be equal in both traces. If it differs, Python
computed it from the data outside of ops. If the traces have different calls, Python looped over the
sequence or took a branch. In both cases the model cannot be exported.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ... import check, tree
from ...errors import argument_error, describe
from ...graph import Value, clock, enable_grad, no_grad, unwrap
from ...nn import GRU, LSTM, RNN, Embedding, LayerNorm, Module
from ...nn.module import call_hook
from ...tensor import Tensor

LAYERS = (RNN, GRU, LSTM, Embedding, LayerNorm)
"""The layers that are traced as one call each.

Any other module, even a subclass of one of these layers, is traced as the ops that it applies.
"""


@dataclass
class TracedCall:
    """An op that was applied, or a layer that was called.

    Attributes
    ----------
    name : str
        The name of the op, or of the layer's class.
    inputs : tuple
        Each input is a Value, or a plain array or number if it is a constant. An omitted argument
        of a layer is None.
    outputs : tuple of Values
    params : dict
        The settings of the op, for example `axis`; empty for a layer.
    index : int
        A number that grows from call to call, so sorting by it gives the order of the calls.
    module : Module or None
        The layer; None for an op.
    """

    name: str
    inputs: tuple[Any, ...]
    outputs: tuple[Value, ...]
    params: dict[str, Any]
    index: int
    module: Module | None = None


@dataclass
class Trace:
    """One run of a model: its inputs, its outputs, and the calls between them in order."""

    inputs: list[Tensor]
    calls: list[TracedCall]
    outputs: list[Value]

    def locate_values(self) -> dict[Value, tuple[int, int]]:
        """Return the origin of each value: (position of its call, index among the call's outputs).

        An input of the model has the origin (−1, index among the inputs).
        """
        origins: dict[Value, tuple[int, int]] = {x: (-1, i) for i, x in enumerate(self.inputs)}
        for k, call in enumerate(self.calls):
            origins |= {value: (k, i) for i, value in enumerate(call.outputs)}
        return origins


def trace_model(model: Module, args: Sequence[Any], kwargs: dict[str, Any]) -> Trace:
    """Run `model` on arrays and return the trace. None stands for an omitted argument."""
    layers: dict[Value, TracedCall] = {}

    def record_layer(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if type(module) not in LAYERS:
            return module.forward(*args, **kwargs)
        with no_grad():
            result = tree.map(track, module.forward(*args, **kwargs))
        inputs, outputs = flatten_inputs(module, args, kwargs), tuple(tree.leaves(result))
        call = TracedCall(type(module).__name__, inputs, outputs, {}, next(clock), module)
        layers.update(dict.fromkeys(outputs, call))
        return result

    tracked = tree.map(track, (tuple(args), kwargs))
    token = call_hook.set(record_layer)
    try:
        with enable_grad():
            outputs = tree.leaves(model(*tracked[0], **tracked[1]))
    except TypeError as error:
        call_hook.set(None)
        _require_trackable(model, args, kwargs, error)
        raise
    finally:
        call_hook.reset(token)
    others = [output for output in outputs if not isinstance(output, Value)]
    expected, got = "Tensors as outputs", describe(others[0]) if others else "no outputs"
    fix = "return only Tensors, computed by ops"
    valid = outputs and not others
    check.require(valid, "to_onnx", "model", expected, got, fix, TypeError)
    return Trace(tree.leaves(tracked), _collect_calls(outputs, layers), outputs)


def _require_trackable(model: Module, args: Any, kwargs: Any, error: TypeError) -> None:
    """Raise TypeError if a model runs on plain Tensors but fails on Tensors that are recorded.

    Such a model reads the values of a Tensor outside of ops.
    """
    args, kwargs = tree.map(lambda array: None if array is None else Tensor(array), (args, kwargs))
    try:
        with no_grad():
            model(*args, **kwargs)
    except Exception:
        return  # the model fails on plain Tensors too; the caller raises the first error again
    expected = "a model that computes with ops of tinygrad_rnn only"
    fix = "do not call np.asarray or tg.Tensor on an input; convert its dtype with x.astype(dtype)"
    got = f"TypeError: {error}"
    raise argument_error("to_onnx", "model", expected, got, fix, TypeError) from error


def track(x: Any) -> Tensor | None:
    """Return the array of `x` as a new Tensor whose uses are recorded, or None if `x` is None.

    The uses of integers are recorded too, although integers have no gradients.
    """
    if x is None:
        return None
    leaf = Tensor(unwrap(x))
    leaf.tracked = True
    return leaf


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


def _collect_calls(outputs: list[Any], layers: dict[Value, TracedCall]) -> list[TracedCall]:
    """Return all calls that the outputs depend on, oldest first."""
    calls: dict[int, TracedCall] = {}
    pending, visited = list(outputs), set()
    while pending:
        value = pending.pop()
        if not isinstance(value, Value) or value in visited:
            continue
        visited.add(value)
        call = layers.get(value)
        if call is None and value.node is not None:
            node = value.node
            pairs = zip(node.inputs, node.arrays, strict=True)
            inputs = tuple(x if isinstance(x, Value) else array for x, array in pairs)
            call = TracedCall(node.op.name, inputs, (value,), node.params, node.index)
        if call is not None and call.index not in calls:
            calls[call.index] = call
            pending.extend(call.inputs)
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
    used = {x for call in first.calls for x in call.inputs if isinstance(x, Value)}
    used |= set(first.outputs)
    expected = "an input that reaches the output through ops of tinygrad_rnn"
    fix = (
        "compute with the Tensor itself (not with .data, .detach() or NumPy), or leave this "
        "input out"
    )
    for i, value in enumerate(first.inputs):
        got = f"{describe(value)}, which does not"
        check.require(value in used, "to_onnx", f"example_input ({i})", expected, got, fix)


def _locate_inputs(
    call: TracedCall, origins: dict[Value, tuple[int, int]]
) -> list[tuple[int, int] | None]:
    """Return the origin of each input of a call, with None for constants and parameters."""
    return [origins.get(x) if isinstance(x, Value) else None for x in call.inputs]
