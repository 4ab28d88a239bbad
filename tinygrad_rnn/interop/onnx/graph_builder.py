"""Builder of an ONNX graph: its nodes, its constants, and sizes known only when the model runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import check, tree
from ...compile.instructions import Variable
from ...errors import argument_error, describe
from ...nn import Module
from .module_trace import Trace, TracedCall, placeholder

OPSET, IR_VERSION = 18, 8
"""The opset and the file format of ONNX 1.13 (2022), which older runtimes can read too.

Opset 18 is the first that has both LayerNormalization and reductions with axes as an input.
"""

INDEX_FIX = (
    "do not compute an index from an input: the last state of each sequence is the state that a "
    "recurrent layer returns; select other steps by multiplying with a mask"
)
"""The fix for an index that is computed from an input."""


class GraphBuilder:
    """An ONNX graph under construction, in which every value is referred to by its name.

    Attributes
    ----------
    first, second : Trace
        The traces of two runs of the model on different inputs. Both have the same calls.
    parameters : dict of int to str
        The names of the model's parameters, by the ids of their arrays.
    paths : dict of Module to str
        The names of the model's modules.
    names : dict of Variable to str
        The name in the ONNX graph of each value of the first run.
    sizes : dict
        The names of the axes whose size may vary. The key is the pair of sizes that the axis has in
        the two runs.
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
        self.parameters = {id(p.array): name for name, p in model.named_parameters()}
        self.paths: dict[Module, str] = {module: name for name, module in model.named_modules()}
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}
        self.names: dict[Variable, str] = {}
        self.count = 0

    def make_name(self, kind: str) -> str:
        """Return a name that no value has yet."""
        self.count += 1
        return f"{kind.lower()}_{self.count}"

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output, and return the output's name.

        An omitted input has the name "".
        """
        return self.add_multiple(kind, inputs, 1, **attributes)[0]

    def add_multiple(
        self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs, and return their names."""
        used = list(inputs)
        while used and not used[-1]:
            used.pop()
        names = [self.make_name(kind) for _ in range(outputs)]
        node = self.onnx.helper.make_node(kind, used, names, name=names[0], **attributes)
        self.nodes.append(node)
        return names

    def add_constant(self, array: Any, name: str | None = None) -> str:
        """Add an array, unless the graph already has an array of this name, and return the name."""
        name = name or self.make_name("constant")
        if name not in self.initializers:
            contiguous = np.ascontiguousarray(array).reshape(np.shape(array))
            self.initializers[name] = self.onnx.numpy_helper.from_array(contiguous, name)
        return name

    def add_ints(self, *numbers: int) -> str:
        """Add a vector of integers (axes, sizes or indices), and return its name."""
        name = f"ints_{'_'.join(map(str, numbers))}"
        return self.add_constant(np.array(numbers, np.int64), name)

    def cast(self, name: str, dtype: np.dtype) -> str:
        """Add a cast of the value `name` to another dtype, and return the name of the result."""
        return self.add("Cast", name, to=self.onnx.helper.np_dtype_to_tensor_dtype(dtype))

    def add_size(self, name: str) -> str:
        """Add a vector of one integer, the size of the axis `name`; return the vector's name."""
        pair = next(pair for pair, known in self.sizes.items() if known == name)
        for a, b in zip(self.first.inputs, self.second.inputs, strict=True):
            for axis, sizes in enumerate(zip(a.shape, b.shape, strict=True)):
                if sizes == pair:
                    return self.add("Shape", self.names[a], start=axis, end=axis + 1)
        raise KeyError(name)

    def add_shape(
        self, operation: str, first: Sequence[int], second: Sequence[int], *, infer: bool
    ) -> str:
        """Add a vector of sizes, given the sizes in both runs, and return the vector's name.

        Each size must be fixed, or be the size of a named axis of an input. If `infer` is true, one
        size may vary in another way. This size is written as −1, and the runtime infers it.
        """
        pairs = [*zip(first, second, strict=True)]
        varying = sum(m != n for m, n in pairs)
        parts, inferred = [], 0
        for m, n in pairs:
            if m == n:
                parts.append(self.add_ints(m))
            elif (m, n) in self.sizes and not (infer and varying == 1):
                parts.append(self.add_size(self.sizes[m, n]))
            else:
                inferred += 1
                parts.append(self.add_ints(-1))
        names = "".join(f", or the size of {name}" for name in self.sizes.values())
        expected, got = f"fixed sizes{names}", f"{tuple(first)}"
        fix = "fix the sizes of more axes with axes=, or change only one axis in each op"
        check.require(inferred <= infer, "to_onnx", operation, expected, got, fix)
        if not parts:
            return self.add_constant(np.zeros(0, np.int64))
        return self.add("Concat", *parts, axis=0)

    def resolve(self, operation: str, argument: str, x: Any, other: Any, dtype: np.dtype) -> str:
        """Return the name of a call's input, cast to `dtype`.

        The input is `x` in the first run and `other` in the second. A constant input is added to
        the graph.
        """
        if isinstance(x, Variable) and x in self.names:
            same = np.dtype(x.dtype) == dtype
            return self.names[x] if same else self.cast(self.names[x], dtype)
        name = self.parameters.get(id(self.first.numbers(x)))
        a, b = np.asarray(self.first.numbers(x)), np.asarray(self.second.numbers(other))
        if tree.equal(a, b):
            return self.add_constant(a.astype(dtype), name if a.dtype == dtype else None)
        if a.ndim == b.ndim and a.size and np.all(a == a.flat[0]) and np.all(b == a.flat[0]):
            filling = self.add_constant(a.flat[0].astype(dtype))
            shape = self.add_shape(operation, a.shape, b.shape, infer=False)
            return self.add("Expand", filling, shape)
        got = "values that changed with the inputs and were not recorded, "
        got += f"{_show_briefly(a)} and then {_show_briefly(b)}"
        fix = "compute them from the Tensors, without len, shape or random numbers; use mean "
        fix += "instead of a sum divided by a length; or make them an input"
        expected = "a value that is the same in every run or is computed by ops"
        raise argument_error("to_onnx", f"{argument} of {operation}", expected, got, fix)


class ExportedCall:
    """A traced call during its export to the graph of a `GraphBuilder`.

    Attributes
    ----------
    first, second : TracedCall
        The call in the two runs.
    output : ndarray
        An array of the shape and the dtype that the first output has in the first run.
    """

    def __init__(self, builder: GraphBuilder, first: TracedCall, second: TracedCall):
        self.builder, self.first, self.second = builder, first, second
        self.add, self.ints = builder.add, builder.add_ints
        self.output = np.asarray(placeholder(first.outputs[0]))
        self.dtype = self.output.dtype
        for name, value in first.params.items():
            got = f"{tree.describe(tree.map(builder.first.numbers, value))}, "
            got += "which depends on an input"
            fix = INDEX_FIX if name == "index" else "pass a constant"
            self.require(not _depends(value), name, "the same in every run", got, fix)

    def input(self, i: int, dtype: np.dtype | None = None) -> str:
        """Return the name of input `i`, cast to `dtype` (by default, the dtype of the output)."""
        x, other = self.first.inputs[i], self.second.inputs[i]
        return self.builder.resolve(self.first.name, f"input {i}", x, other, dtype or self.dtype)

    def inputs(self) -> list[str]:
        """Return the names of all inputs, in the dtype of the output."""
        return [self.input(i) for i in range(len(self.first.inputs))]

    def array(self, i: int = 0) -> np.ndarray:
        """Return an array of the shape and the dtype that input `i` has in the first run."""
        return np.asarray(self.builder.first.numbers(self.first.inputs[i]))

    def setting(self, name: str) -> Any:
        """Return a setting of the op; raise ValueError if it differs between the two runs."""
        a, b = self.first.params[name], self.second.params[name]
        fix = "count from the end (x[-1]), or fix the size of the axis with axes="
        entries = a if isinstance(a, tuple) else (a,)
        if name == "index" and any(isinstance(entry, np.ndarray) for entry in entries):
            fix = INDEX_FIX
        same = "the same in every run"
        self.require(tree.equal(a, b), name, same, f"{a!r} and then {b!r}", fix)
        return a

    def axes(self, name: str = "axis") -> list[int] | None:
        """Return the axes in a setting, counted from the front, or None if the setting is None."""
        axis = self.setting(name)
        if axis is None:
            return None
        ndim = max(self.array().ndim, 1)
        return [int(a) % ndim for a in (axis if isinstance(axis, tuple | list) else (axis,))]

    def require(self, holds: Any, argument: str, expected: str, got: str, fix: str) -> None:
        """Raise ValueError about an argument of this call unless `holds` is true."""
        check.require(holds, "to_onnx", f"{argument} of {self.first.name}", expected, got, fix)


def _show_briefly(array: np.ndarray) -> str:
    """Return a scalar as text, or the dtype and shape of an array."""
    return describe(array) if array.ndim else str(array)


def _depends(setting: Any) -> bool:
    """Return True for a setting that a call computes, or that has such a part."""
    if isinstance(setting, slice):
        setting = (setting.start, setting.stop, setting.step)
    if isinstance(setting, tuple | list):
        return any(map(_depends, setting))
    return isinstance(setting, Variable)
