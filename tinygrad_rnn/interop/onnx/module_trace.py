"""What a model does, as a list of steps: layers as wholes, and the ops between them.

A model runs twice, the second time on other numbers and other sizes. What is the same in both runs is part of the model; what
differs must come from an input through recorded ops, or it cannot be exported: a number that Python computed from the data, a
loop whose length is that of the sequence, a branch that was taken.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ... import tree
from ...errors import argument_error, describe
from ...graph import Value, clock, enable_grad, no_grad
from ...nn import GRU, LSTM, RNN, Embedding, LayerNorm, Module
from ...nn.module import call_hook
from ...tensor import Tensor

LAYERS = (RNN, GRU, LSTM, Embedding, LayerNorm)
"""The layers that are one step each, if they are these and no subclass; all others are the ops that they are made of."""


@dataclass
class TracedCall:
    """An op that was applied, or a layer that was called.

    Attributes
    ----------
    name : str
        Of the op, or of the layer's class.
    inputs : tuple
        Values; plain arrays and numbers for constants; None where a layer got nothing.
    outputs : tuple of Values
    params : dict
        The settings of the op.
    index : int
        When.
    module : Module or None
        The layer.
    """

    name: str
    inputs: tuple[Any, ...]
    outputs: tuple[Value, ...]
    params: dict[str, Any]
    index: int
    module: Module | None = None


@dataclass
class Trace:
    """One run: the inputs, the steps that the outputs depend on, in order, and the outputs."""

    inputs: list[Tensor]
    steps: list[TracedCall]
    outputs: list[Value]

    def sources(self) -> dict[Value, tuple[int, int]]:
        """Where each value comes from: the number of a step, or −1 for the inputs, and a place in what it gives."""
        found: dict[Value, tuple[int, int]] = {
            value: (-1, i) for i, value in enumerate(self.inputs)
        }
        for k, step in enumerate(self.steps):
            found |= {value: (k, i) for i, value in enumerate(step.outputs)}
        return found


def trace(model: Module, args: Sequence[Any], kwargs: dict[str, Any]) -> Trace:
    """Run `model` on plain arrays, None where it gets nothing, in any structure, and note the steps."""
    layers: dict[Value, TracedCall] = {}
    inputs: list[Tensor] = []

    def watch(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if type(module) not in LAYERS:
            return module.forward(*args, **kwargs)
        with no_grad():
            result = tree.map(
                lambda part: None if part is None else followed(part),
                module.forward(*args, **kwargs),
            )
        step = TracedCall(
            type(module).__name__,
            layer_inputs(module, args, kwargs),
            tuple(tree.leaves(result)),
            {},
            next(clock),
            module,
        )
        layers.update(dict.fromkeys(step.outputs, step))
        return result

    def entered(array: Any) -> Any:
        if array is None:
            return None
        inputs.append(followed(array))
        return inputs[-1]

    plain, given = (tuple(args), kwargs), tree.map(entered, (tuple(args), kwargs))
    token = call_hook.set(watch)
    try:
        with enable_grad():
            outputs = tree.leaves(model(*given[0], **given[1]))
    except TypeError as error:
        call_hook.set(None)
        _require_followed(model, *plain, error)
        raise
    finally:
        call_hook.reset(token)
    others = [output for output in outputs if not isinstance(output, Value)]
    if others or not outputs:
        wanted, got = "Tensors as outputs", describe(others[0]) if others else "none"
        raise argument_error(
            "to_onnx",
            "model",
            expected=wanted,
            got=got,
            fix="leave it out, for ops did not make it",
            kind=TypeError,
        )
    return Trace(inputs, _steps(outputs, layers), outputs)


def _require_followed(model: Module, args: Any, kwargs: Any, error: TypeError) -> None:
    """Refuse by name a model that runs, but fails where its inputs are followed: it takes the numbers out of a Tensor."""
    args, kwargs = tree.map(lambda array: None if array is None else Tensor(array), (args, kwargs))
    try:
        with no_grad():
            model(*args, **kwargs)
    except Exception:
        return  # it fails in any case, as it says itself
    wanted, got = (
        "one that computes with ops of tinygrad_rnn alone, so that its inputs can be followed",
        f"TypeError: {error}",
    )
    fix = "there is no np.asarray and no tg.Tensor of an input in an export: x.astype(dtype) is the op"
    raise argument_error(
        "to_onnx", "model", expected=wanted, got=got, fix=fix, kind=TypeError
    ) from error


def followed(x: Any) -> Tensor:
    """The numbers of `x` as a leaf whose use is recorded: integers too, which have no gradients."""
    leaf = Tensor(x.array if isinstance(x, Value) else x)
    leaf.tracked = True
    return leaf


def layer_inputs(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """What a layer was called with, flat: x; of a recurrent layer also h, c of an LSTM, and the lengths, None where missing."""
    given = inspect.signature(module.forward).bind(*args, **kwargs).arguments
    x = next(iter(given.values()))
    if not isinstance(module, RNN | GRU | LSTM):
        return (x,)
    state = given.get("state")
    states = (
        (None, None)
        if state is None and isinstance(module, LSTM)
        else tree.leaves(state) or (None,)
    )
    return (x, *states, given.get("lengths"))


def _steps(outputs: list[Any], layers: dict[Value, TracedCall]) -> list[TracedCall]:
    """All steps that led to the outputs, oldest first."""
    seen: dict[int, TracedCall] = {}
    waiting, known = list(outputs), set()
    while waiting:
        value = waiting.pop()
        if not isinstance(value, Value) or value in known:
            continue
        known.add(value)
        step = layers.get(value)
        if step is None and value.node is not None:
            node = value.node
            pairs = zip(node.inputs, node.arrays, strict=True)
            inputs = tuple(x if isinstance(x, Value) else array for x, array in pairs)
            step = TracedCall(node.op.name, inputs, (value,), node.params, node.index)
        if step is not None and step.index not in seen:
            seen[step.index] = step
            waiting.extend(step.inputs)
    return [seen[index] for index in sorted(seen)]


def require_equal_traces(first: Trace, second: Trace) -> None:
    """Refuse a model whose two runs took different steps, or whose output does not depend on an input."""
    names = [[step.name for step in run.steps] for run in (first, second)]
    if names[0] != names[1]:
        k = next(
            (k for k, (a, b) in enumerate(zip(*names, strict=False)) if a != b),
            min(map(len, names)),
        )
        after = f" after {names[0][k - 1]}" if k else ""
        got = f"{len(names[0])} and {len(names[1])}, which part{after}"
        wanted = "the same steps whatever the numbers and sizes of the inputs are"
        fix = "use nn.GRU, nn.LSTM or nn.RNN itself in place of a loop over time or a subclass, or fix the length with axes="
        raise argument_error("to_onnx", "model", expected=wanted, got=got, fix=fix)
    here, there = first.sources(), second.sources()
    for a, b in zip(first.steps, second.steps, strict=True):
        for x, y in zip(a.inputs, b.inputs, strict=True):
            if (here.get(x) if isinstance(x, Value) else None) != (
                there.get(y) if isinstance(y, Value) else None
            ):
                wanted, got = (
                    "the same inputs whatever the numbers are",
                    "another one in the second run",
                )
                fix = "choose with tg.where and ops, not with Python's if"
                raise argument_error("to_onnx", a.name, expected=wanted, got=got, fix=fix)
    used = {x for step in first.steps for x in step.inputs if isinstance(x, Value)} | set(
        first.outputs
    )
    for i, value in enumerate(first.inputs):
        if value not in used:
            wanted, got = (
                "one that reaches the output through ops of tinygrad_rnn",
                f"{describe(value)}, which does not",
            )
            fix = "compute with the Tensor itself, not with .data, .detach() or NumPy outside of it, or leave it out"
            raise argument_error(
                "to_onnx", f"example_input ({i})", expected=wanted, got=got, fix=fix
            )
