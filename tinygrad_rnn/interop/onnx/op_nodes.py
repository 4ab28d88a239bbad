"""Export of ops to ONNX: one function for each op adds nodes and returns the result's name.

ONNX's operators are documented at onnx.ai/onnx/operators, opset 18.
"""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType
from typing import Any

import numpy as np

from .graph_builder import ExportedCall

LAST, FIRST = np.iinfo(np.int64).max, np.iinfo(np.int64).min
"""Bounds of a Slice that lie past the last entry and before the first, whatever the axis size."""

SAME_NAME = (
    "add", "exp", "log", "sqrt", "sign", "abs", "sin", "cos", "tanh", "sigmoid", "relu", "softplus",
)  # fmt: skip
"""The ops whose ONNX operator has the same name, but for its first letter."""
SAME_MEANING = {name: name.title() for name in SAME_NAME} | {
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "power": "Pow",
    "negative": "Neg",
    "maximum": "Max",
    "minimum": "Min",
    "matmul": "MatMul",
}
"""The ONNX operator of each op that has a counterpart with the same meaning."""

REDUCTIONS = {
    "sum": "ReduceSum",
    "mean": "ReduceMean",
    "prod": "ReduceProd",
    "max": "ReduceMax",
    "min": "ReduceMin",
    "logsumexp": "ReduceLogSumExp",
}


COMPARISONS = {
    "less": "Less", "less_equal": "LessOrEqual", "equal": "Equal",
    "greater": "Greater", "greater_equal": "GreaterOrEqual", "not_equal": "Equal",
}  # fmt: skip
LOGICAL = {
    "logical_and": "And", "logical_or": "Or", "logical_xor": "Xor", "logical_not": "Not",
    "bitwise_and": "And", "bitwise_or": "Or", "bitwise_xor": "Xor", "invert": "Not",
}  # fmt: skip
"""Functions of NumPy that give booleans, each with its ONNX operator."""


def _arithmetic(kind: str) -> Callable[[ExportedCall], str]:
    """Return the function that exports an op with a counterpart of numbers, not of booleans."""

    def export(call: ExportedCall) -> str:
        fix = "convert the booleans to numbers first, with x.astype(np.float32)"
        call.require(call.dtype != np.bool_, "dtype", "numbers", "booleans", fix)
        return call.add(kind, *call.inputs())

    return export


def _compare(call: ExportedCall) -> str:
    values = [call.builder.first.numbers(x) for x in call.first.inputs]
    are_integers = all(np.asarray(x).dtype.kind in "biu" for x in values)
    dtype = np.dtype(np.int64) if are_integers else np.result_type(*values)
    inputs = [call.input(i, dtype) for i in range(len(call.first.inputs))]
    holds = call.add(COMPARISONS[call.first.name], *inputs)
    return call.add("Not", holds) if call.first.name == "not_equal" else holds


def _logical(call: ExportedCall) -> str:
    is_bitwise = not call.first.name.startswith("logical")
    fix = "compute with booleans, or outside of the model"
    call.require(not is_bitwise or call.dtype == np.bool_, "dtype", "bool", str(call.dtype), fix)
    return call.add(LOGICAL[call.first.name], *call.inputs())


def _special(call: ExportedCall) -> str:
    """Add the nodes of `isnan`, `isinf` or `isfinite`. ONNX's IsNaN and IsInf take floats only."""
    dtype = call.array().dtype
    x = call.input(0, dtype if dtype.kind == "f" else np.dtype(np.float32))
    if call.first.name != "isfinite":
        return call.add({"isnan": "IsNaN", "isinf": "IsInf"}[call.first.name], x)
    return call.add("Not", call.add("Or", call.add("IsNaN", x), call.add("IsInf", x)))


def _any(call: ExportedCall) -> str:
    """Add the nodes of `any` or `all`: the largest or smallest of the truth values 0 and 1."""
    kind = "ReduceMax" if call.first.name == "any" else "ReduceMin"
    x = call.builder.cast(call.input(0, np.dtype(bool)), np.dtype(np.int32))
    y = _reduce_with(call, kind, x, keepdims=int(call.setting("keepdims")))
    return call.builder.cast(y, np.dtype(bool))


def _argmax(call: ExportedCall) -> str:
    """Add the nodes of `argmax` or `argmin`. Both find the first of equal entries."""
    kind = "ArgMax" if call.first.name == "argmax" else "ArgMin"
    dtype, axes = call.array().dtype, call.axes()
    x = call.input(0, dtype if dtype.kind == "f" else np.dtype(np.float64))
    if axes is None:
        axes, x = [0], call.add("Reshape", x, call.ints(-1))
    return call.add(kind, x, axis=axes[0], keepdims=0)


def _add_one(call: ExportedCall) -> str:
    """Add the constant 1 in the dtype of the output, and return its name."""
    return call.builder.add_constant(np.ones((), call.dtype))


def _linear(call: ExportedCall) -> str:
    x, weight, bias = call.inputs()
    y = call.add("MatMul", x, call.add("Transpose", weight, perm=[1, 0]))
    return call.add("Add", y, bias)


def _where(call: ExportedCall) -> str:
    condition, a, b = call.input(0, np.dtype(bool)), call.input(1), call.input(2)
    if call.dtype != np.bool_:
        return call.add("Where", condition, a, b)
    other = call.add("And", call.add("Not", condition), b)  # runtimes select no booleans
    return call.add("Or", call.add("And", condition, a), other)


def _reduce_with(call: ExportedCall, kind: str, x: str, **attributes: int) -> str:
    """Add a reduction of `x` over the axes in the op's `axis` setting; return the result's name."""
    axes = call.axes()
    return call.add(kind, x, *(() if axes is None else (call.ints(*axes),)), **attributes)


def _reduce(call: ExportedCall) -> str:
    kind, keepdims = REDUCTIONS[call.first.name], int(call.setting("keepdims"))
    return _reduce_with(call, kind, call.input(0), keepdims=keepdims)


def _var(call: ExportedCall) -> str:
    ddof, fix = call.setting("ddof"), "use ddof=0 and multiply the result by n / (n − ddof)"
    call.require(ddof == 0, "ddof", "0", repr(ddof), fix)
    x = call.input(0)
    centred = call.add("Sub", x, _reduce_with(call, "ReduceMean", x, keepdims=1))
    square, keepdims = call.add("Mul", centred, centred), int(call.setting("keepdims"))
    return _reduce_with(call, "ReduceMean", square, keepdims=keepdims)


def _cumsum(call: ExportedCall) -> str:
    axes, x = call.axes(), call.input(0)
    if axes is None:
        axes, x = [0], call.add("Reshape", x, call.ints(-1))
    return call.add("CumSum", x, call.builder.add_constant(np.array(axes[0], np.int64)))


def _along_axis(kind: str) -> Callable[[ExportedCall], str]:
    return lambda call: call.add(kind, call.input(0), axis=(call.axes() or [0])[0])


def _add_output_shape(call: ExportedCall, infer: bool) -> str:
    """Add the shape of the output as a vector of sizes, and return its name."""
    shapes = call.output.shape, call.second.outputs[0].shape
    return call.builder.add_shape(call.first.name, *shapes, infer=infer)


def _broadcast_to(call: ExportedCall) -> str:
    got, fix = f"{call.output.shape}", "leave out arrays without entries"
    call.require(call.output.size, "shape", "no size 0, which runtimes take for 1", got, fix)
    return call.add("Expand", call.input(0), _add_output_shape(call, infer=False))


def _transpose(call: ExportedCall) -> str:
    axes = call.axes("axes")
    perm = [*reversed(range(call.output.ndim))] if axes is None else axes
    return call.add("Transpose", call.input(0), perm=perm)


def _squeeze(call: ExportedCall) -> str:
    axes = call.axes()
    if axes is None:
        shapes = call.array().shape, np.shape(call.builder.second.numbers(call.second.inputs[0]))
        axes, second_axes = ([i for i, n in enumerate(shape) if n == 1] for shape in shapes)
        got = f"shapes {shapes[0]} and {shapes[1]}"
        expected = "the same axes of size 1 in every run"
        call.require(axes == second_axes, "axis", expected, got, "name the axis with axis=")
    return call.add("Squeeze", call.input(0), call.ints(*axes))


def _expand_dims(call: ExportedCall) -> str:
    axes = np.atleast_1d(call.setting("axis")) % call.output.ndim
    return call.add("Unsqueeze", call.input(0), call.ints(*axes.tolist()))


def _getitem(call: ExportedCall) -> str:
    """Add the nodes of an index: slices, then integers or an array, then new axes.

    Integers are applied to the last axis first, so that the numbers of the other axes stay valid.
    """
    x, axis = call.input(0), 0
    slices, gathers, new_axes = [], [], []
    output_axis = 0
    for entry in _expand_index(call):
        if entry is None:
            new_axes.append(output_axis)
            output_axis += 1
            continue
        if isinstance(entry, slice):
            if entry != slice(None):
                slices.append((*_slice_bounds(entry), axis))
            output_axis += 1
        else:
            gathers.append((axis, np.asarray(entry, np.int64)))
            output_axis += np.ndim(entry)
        axis += 1
    if slices:
        starts, stops, steps, axes = zip(*slices, strict=True)
        vectors = [call.ints(*numbers) for numbers in (starts, stops, axes, steps)]
        x = call.add("Slice", x, *vectors)
    for axis, index in reversed(gathers):
        x = call.add("Gather", x, call.builder.add_constant(index), axis=axis)
    return call.add("Unsqueeze", x, call.ints(*new_axes)) if new_axes else x


def _slice_bounds(entry: slice) -> tuple[int, int, int]:
    """Return a slice's start, stop and step as integers that are valid for any size of the axis."""
    step = 1 if entry.step is None else int(entry.step)
    start, stop = (0, LAST) if step > 0 else (LAST, FIRST)
    start = start if entry.start is None else int(entry.start)
    return start, stop if entry.stop is None else int(entry.stop), step


def _expand_index(call: ExportedCall) -> list[Any]:
    """Return an index as a list with an entry for each axis, and None for each new axis.

    Raises
    ------
    ValueError
        If the index has an entry that cannot be exported.
    """
    index = call.setting("index")
    entries = list(index) if isinstance(index, tuple) else [index]
    arrays = [entry for entry in entries if np.ndim(entry) and not isinstance(entry, slice)]
    integers = any(
        isinstance(entry, int | np.integer) or (isinstance(entry, np.ndarray) and not entry.ndim)
        for entry in entries
    )
    known = int | np.integer | slice | EllipsisType | None | np.ndarray
    plain = all(isinstance(entry, known) and not isinstance(entry, bool) for entry in entries)
    valid = plain and all(array.dtype.kind in "iu" for array in arrays)
    valid = valid and (not arrays or (len(arrays) == 1 and not integers))
    expected = "slices, None, Ellipsis, and either integers or one array of integers"
    fix = "index in several steps, or replace a mask with tg.where"
    call.require(valid, "index", expected, repr(index).replace("\n", " "), fix)
    used = sum(entry is not None and entry is not Ellipsis for entry in entries)
    rest = [slice(None)] * (call.array().ndim - used)
    i = next((i for i, entry in enumerate(entries) if entry is Ellipsis), len(entries))
    return entries[:i] + rest + entries[i + 1 :]


EXPORTERS = (
    _linear, _where, _var, _cumsum, _broadcast_to, _transpose, _squeeze, _expand_dims, _getitem,
)  # fmt: skip
"""The functions of this module that export the op of their name."""
OPS: dict[str, Callable[[ExportedCall], str]] = {
    **{name: _arithmetic(kind) for name, kind in SAME_MEANING.items()},
    **dict.fromkeys(("copy", "astype", "item"), lambda call: call.input(0)),
    **dict.fromkeys(REDUCTIONS, _reduce),
    **dict.fromkeys(COMPARISONS, _compare),
    **dict.fromkeys(LOGICAL, _logical),
    **dict.fromkeys(("isnan", "isinf", "isfinite"), _special),
    **dict.fromkeys(("any", "all"), _any),
    **dict.fromkeys(("argmax", "argmin"), _argmax),
    "square": lambda call: call.add("Mul", call.input(0), call.input(0)),
    "expm1": lambda call: call.add("Sub", call.add("Exp", call.input(0)), _add_one(call)),
    "log1p": lambda call: call.add("Log", call.add("Add", call.input(0), _add_one(call))),
    "softmax": _along_axis("Softmax"),
    "log_softmax": _along_axis("LogSoftmax"),
    "reshape": lambda call: call.add("Reshape", call.input(0), _add_output_shape(call, infer=True)),
    "concatenate": lambda call: call.add("Concat", *call.inputs(), axis=int(call.setting("axis"))),
    "einsum": lambda call: call.add("Einsum", *call.inputs(), equation=call.setting("subscripts")),
    **{exporter.__name__.removeprefix("_"): exporter for exporter in EXPORTERS},
}
"""The ops that can be exported. Any other op, for example `repeat`, raises ValueError."""
