"""Traces of a model as a list of calls: whole layers, and the ops between them.

A model is traced twice, the second time on other values and other sizes. A value becomes the output
of a node in the exported model if a recorded call computes it from the inputs. Any other value
becomes a constant, so it must be equal in both traces. If it differs, Python computed it from the
sizes of the inputs. If the traces have different calls, Python looped over the sequence or took a
branch. In both cases the model cannot be exported.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import check, tree
from ...blocks import Block
from ...compile.instructions import Instruction, Variable, fill
from ...errors import describe
from ...graph import EAGER, Value
from ...nn import Module

RENAMED = {
    "index": "getitem", "index_arrays": "getitem", "absolute": "abs", "draw": "random numbers",
}  # fmt: skip
"""The ops that do what an instruction of another name does."""


@dataclass(frozen=True)
class LayerCall:
    """A layer as a function of plain arrays, which returns its output and its states."""

    layer: Module

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with Block("to_onnx", lambda recording, here, _: (False, here, EAGER)):
            result = self.layer.forward(*args, **kwargs)
        return result.array if isinstance(result, Value) else [y.array for y in tree.leaves(result)]


@dataclass
class TracedCall:
    """An op that was applied, or a layer or a function of NumPy that was called.

    Attributes
    ----------
    name : str
        The name of the op, of the layer's class, or of NumPy's function.
    inputs : tuple
        Each input is a Variable, or a number. Of a layer: the input, the parts of the state that
        it is given, and the lengths or None.
    params : dict
        The settings of the op, for example `axis`; empty for a layer. A setting that depends on an
        input is a Variable, or has one in it.
    uses, outputs : list of Variable
        The variables that the call reads, and those that it assigns.
    module : Module or None
        The layer; None for an op.
    """

    name: str
    inputs: tuple[Any, ...]
    params: dict[str, Any]
    uses: list[Variable]
    outputs: list[Variable]
    module: Module | None = None


@dataclass
class Trace:
    """One run of a model: its inputs, its outputs, and the calls between them in order.

    Attributes
    ----------
    inputs, outputs : list of Variable
    calls : list of TracedCall
        The calls that the outputs depend on.
    constants : dict of Variable to ndarray
        The arrays that no call computes.
    """

    inputs: list[Variable]
    calls: list[TracedCall]
    outputs: list[Variable]
    constants: dict[Variable, np.ndarray]

    def numbers(self, x: Any) -> Any:
        """Return a constant as an array. A variable gives an array of its shape and dtype."""
        if not isinstance(x, Variable):
            return x
        return self.constants[x] if x in self.constants else placeholder(x)


def placeholder(x: Variable) -> Any:
    """Return an array of the shape and the dtype of a variable, or a number for a number."""
    return x.dtype() if x.is_number else np.broadcast_to(np.zeros((), x.dtype), x.shape)


def collect_calls(
    lines: list[Instruction], outputs: list[Variable], constants: dict[Variable, np.ndarray]
) -> list[TracedCall]:
    """Return the calls that the outputs depend on, in order."""
    calls: dict[Variable, TracedCall] = {}
    for line in lines:
        if line.function == "part":
            calls[line.args[0]].outputs.append(line.out)
        else:
            calls[line.out] = _read_call(line, constants)
    used, needed = set(outputs), []
    for call in reversed(calls.values()):
        if not used.isdisjoint(call.outputs):
            needed.append(call)
            used.update(call.uses)
    return needed[::-1]


def _read_call(line: Instruction, constants: dict[Variable, np.ndarray]) -> TracedCall:
    """Return an instruction as a call. The outputs of several parts are still missing."""
    outputs = [] if line.out.dtype == object else [line.out]
    if line.function != "call":
        name = RENAMED.get(line.function, line.function)
        inputs, params, function = line.args, line.settings, None
    else:
        function, inputs, params = (line.settings[k] for k in ("function", "positional", "named"))
        name = getattr(function, "__name__", "").lstrip("_")
    inputs = fill(inputs, line.args)
    if isinstance(function, LayerCall):
        layer, named = function.layer, fill(params, line.args)
        given = inspect.signature(layer.forward).bind(*inputs, **named).arguments
        x, states = next(iter(given.values())), tree.leaves(given.get("state"))
        inputs = (x, *states, given.get("lengths"))
        return TracedCall(type(layer).__name__, inputs, {}, line.uses, outputs, layer)
    params = fill(params, [constants.get(x, x) for x in line.args])
    return TracedCall(name, inputs, params, line.uses, outputs)


def require_same_calls(first: Trace, second: Trace) -> None:
    """Raise ValueError unless the two traces agree and the output depends on every input.

    The traces agree if they have the same calls, and the inputs of each call are the results of the
    same calls, or the same inputs of the model, or constants.
    """
    names = [[call.name for call in trace.calls] for trace in (first, second)]
    both = enumerate(zip(*names, strict=False))
    k = next((k for k, (a, b) in both if a != b), min(map(len, names)))
    place = f"after {names[0][k - 1]}" if k else "from the first call on"
    got = f"{len(names[0])} and {len(names[1])} calls, which differ {place}"
    expected = "the same calls for all values and sizes of the inputs"
    fix = (
        "use nn.GRU, nn.LSTM or nn.RNN itself instead of a loop over time or a subclass, or fix "
        "the length with axes="
    )
    check.require(names[0] == names[1], "to_onnx", "model", expected, got, fix)
    twins = dict(zip(first.inputs, second.inputs, strict=True))
    pairs: list[Any] = [("model", first.outputs, second.outputs)]
    for a, b in zip(first.calls, second.calls, strict=True):
        twins |= zip(a.outputs, b.outputs, strict=False)
        pairs.append((a.name, a.inputs, b.inputs))
    expected, got = "the same inputs for all values", "a different input when run on other values"
    fix = "select values with tg.where instead of Python's if"
    for name, inputs, others in pairs:
        wanted = [twins.get(x) if isinstance(x, Variable) else None for x in inputs]
        found = [
            x if isinstance(x, Variable) and x not in second.constants else None for x in others
        ]
        check.require(wanted == found, "to_onnx", name, expected, got, fix)
    used = {x for call in first.calls for x in call.uses} | set(first.outputs)
    expected = "an input that reaches the output through ops of tinygrad_rnn"
    fix = "compute with the Tensor itself, or leave this input out"
    for i, x in enumerate(first.inputs):
        got = f"{describe(placeholder(x))}, which does not"
        check.require(x in used, "to_onnx", f"example_input ({i})", expected, got, fix)
