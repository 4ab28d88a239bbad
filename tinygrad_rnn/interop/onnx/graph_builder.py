"""An ONNX graph in the making: nodes, constants, and the sizes that are only known when the model runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import argument_error, describe
from ...graph import Value
from ...nn import Module
from .module_trace import Trace, TracedCall

OPSET, IR_VERSION = 18, 8
"""Of ONNX 1.13 (2022): the first with LayerNormalization and with axes as inputs, so that older runtimes read it too."""


class GraphBuilder:
    """Collects what the graph will hold. Every value in it is referred to by its name.

    Attributes
    ----------
    first, second : Trace
        The two runs, step by step alike.
    parameters, paths : dict
        The names of the model's parameters, and of the modules in it.
    names : dict of Value to str
        What the values of the first run are called.
    sizes : dict
        The axes whose size is not fixed: from their sizes in the two runs to the name of the size.
    """

    def __init__(
        self,
        onnx: Any,
        model: Module,
        first: Trace,
        second: Trace,
        sizes: dict[tuple[int, int], str],
    ):
        self.onnx, self.first, self.second, self.sizes = onnx, first, second, sizes
        self.parameters: dict[Value, str] = {
            parameter: name for name, parameter in model.named_parameters()
        }
        self.paths = _paths(model)
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}
        self.names: dict[Value, str] = {}
        self.count = 0

    def fresh(self, kind: str) -> str:
        """A name that nothing has yet."""
        self.count += 1
        return f"{kind.lower()}_{self.count}"

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output, and return the output's name. An input that is left out is ""."""
        return self.nodes_of(kind, inputs, 1, **attributes)[0]

    def nodes_of(
        self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs, and return their names."""
        given = list(inputs)
        while given and not given[-1]:
            given.pop()
        names = [self.fresh(kind) for _ in range(outputs)]
        self.nodes.append(
            self.onnx.helper.make_node(kind, given, names, name=names[0], **attributes)
        )
        return names

    def constant(self, array: Any, name: str | None = None) -> str:
        """The name of an array that is part of the model."""
        name = name or self.fresh("constant")
        if name not in self.initializers:
            self.initializers[name] = self.onnx.numpy_helper.from_array(
                np.ascontiguousarray(array).reshape(np.shape(array)), name
            )
        return name

    def ints(self, *numbers: int) -> str:
        """A vector of integers: axes, sizes or places."""
        return self.constant(np.array(numbers, np.int64), f"ints_{'_'.join(map(str, numbers))}")

    def cast(self, name: str, dtype: np.dtype) -> str:
        """The value `name` in another dtype."""
        return self.node("Cast", name, to=self.onnx.helper.np_dtype_to_tensor_dtype(dtype))

    def size(self, name: str) -> str:
        """A vector of one integer: the size that an axis of some input has, looked up when the model runs."""
        pair = next(pair for pair, known in self.sizes.items() if known == name)
        for a, b in zip(self.first.inputs, self.second.inputs, strict=True):
            for axis, sizes in enumerate(zip(a.shape, b.shape, strict=True)):
                if sizes == pair:
                    return self.node("Shape", self.names[a], start=axis, end=axis + 1)
        raise KeyError(name)

    def shape(
        self, operation: str, first: Sequence[int], second: Sequence[int], *, infer: bool
    ) -> str:
        """A vector of sizes, from those of the two runs: fixed ones, those of the inputs' axes, and one to infer."""
        parts, inferred = [], 0
        varying = [pair for pair in zip(first, second, strict=True) if pair[0] != pair[1]]
        for pair in zip(first, second, strict=True):
            if pair[0] == pair[1]:
                parts.append(self.ints(pair[0]))
            elif pair in self.sizes and not (infer and len(varying) == 1):
                parts.append(self.size(self.sizes[pair]))
            else:
                inferred += 1
                parts.append(self.ints(-1))
        if inferred > infer:
            wanted, got = (
                f"sizes that are fixed or those of {', '.join(self.sizes.values()) or 'no axis'}",
                f"{tuple(first)}",
            )
            fix = "fix more axes with axes=, or do it in two steps"
            raise argument_error("to_onnx", operation, expected=wanted, got=got, fix=fix)
        return (
            self.node("Concat", *parts, axis=0) if parts else self.constant(np.zeros(0, np.int64))
        )

    def value(self, operation: str, argument: str, x: Any, other: Any, dtype: np.dtype) -> str:
        """The name of an input of a step, in `dtype`: `x` in the first run, `other` in the second."""
        if isinstance(x, Value) and x in self.names:
            return self.names[x] if x.array.dtype == dtype else self.cast(self.names[x], dtype)
        name = self.parameters.get(x) if isinstance(x, Value) else None
        here, there = (np.asarray(v.array if isinstance(v, Value) else v) for v in (x, other))
        if here.shape == there.shape and np.array_equal(
            here, there, equal_nan=here.dtype.kind == "f"
        ):
            return self.constant(here.astype(dtype), name if here.dtype == dtype else None)
        if (
            here.ndim == there.ndim
            and here.size
            and np.all(here == here.flat[0])
            and np.all(there == here.flat[0])
        ):
            filled = self.constant(here.flat[0].astype(dtype))
            return self.node(
                "Expand", filled, self.shape(operation, here.shape, there.shape, infer=False)
            )
        wanted = "what is the same in every run, or computed by ops"
        got = f"numbers that changed with the inputs and were not recorded, {_shortly(here)} and then {_shortly(there)}"
        fix = (
            "compute them from the Tensors, without len, shape, .data, detach, no_grad and comparisons, use mean for a sum by "
            "a length, or make them an input"
        )
        raise argument_error(
            "to_onnx", f"{argument} of {operation}", expected=wanted, got=got, fix=fix
        )


class Site:
    """One step as it is written: its two runs, and the graph in the making."""

    def __init__(self, writer: GraphBuilder, step: TracedCall, other: TracedCall):
        self.writer, self.step, self.other = writer, step, other
        self.node = writer.node
        self.out = step.outputs[0].array
        self.dtype = self.out.dtype

    def input(self, i: int, dtype: np.dtype | None = None) -> str:
        """The name of input i, in the dtype of the output unless another is asked for."""
        return self.writer.value(
            self.step.name,
            f"input {i}",
            self.step.inputs[i],
            self.other.inputs[i],
            dtype or self.dtype,
        )

    def inputs(self) -> list[str]:
        """The names of all inputs, in the dtype of the output."""
        return [self.input(i) for i in range(len(self.step.inputs))]

    def array(self, i: int = 0) -> np.ndarray:
        """The numbers of input i in the first run."""
        x = self.step.inputs[i]
        return np.asarray(x.array if isinstance(x, Value) else x)

    def setting(self, name: str) -> Any:
        """A setting of the op, refused if the two runs differ in it."""
        here, there = self.step.params[name], self.other.params[name]
        if not equal(here, there):
            fix = "count from the end (x[-1]), or fix the axis with axes="
            if name == "index" and any(
                isinstance(entry, np.ndarray)
                for entry in (here if isinstance(here, tuple) else (here,))
            ):
                fix = (
                    "places that depend on an input are no constant: the last state of each sequence is the state that a "
                    "recurrent layer returns; pick others by a product with a mask that is an input"
                )
            self.refuse(name, "the same in every run", f"{here!r} and then {there!r}", fix)
        return here

    def axes(self, name: str = "axis", i: int = 0) -> list[int] | None:
        """A setting that names axes of input i, counted from the front; None if it is None."""
        axis = self.setting(name)
        if axis is None:
            return None
        return [
            int(a) % max(self.array(i).ndim, 1)
            for a in (axis if isinstance(axis, tuple | list) else (axis,))
        ]

    def refuse(self, argument: str, wanted: str, got: str, fix: str) -> None:
        """Say what of this step cannot be exported."""
        raise argument_error(
            "to_onnx", f"{argument} of {self.step.name}", expected=wanted, got=got, fix=fix
        )


def _shortly(array: np.ndarray) -> str:
    """A number as it is, of an array its dtype and shape."""
    return describe(array) if array.ndim else str(array)


def equal(a: Any, b: Any) -> bool:
    """Whether two settings are alike: numbers, slices, arrays, and tuples and lists of them."""
    if isinstance(a, slice) and isinstance(b, slice):
        return (a.start, a.stop, a.step) == (b.start, b.stop, b.step)
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.array_equal(np.asarray(a), np.asarray(b))
    return type(a) is type(b) and a == b


def _paths(model: Module) -> dict[Module, str]:
    """The modules in a model, and the dotted names under which its parameters have them."""
    found: dict[Module, str] = {}
    waiting = [("", model)]
    while waiting:
        prefix, module = waiting.pop()
        for name, child in module.children():
            found[child] = f"{prefix}{name}"
            waiting.append((f"{prefix}{name}.", child))
    return found
