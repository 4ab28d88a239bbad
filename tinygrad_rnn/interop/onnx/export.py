"""Export of a model as an ONNX file, which other runtimes can run."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ... import check, tree
from ...errors import argument_error, describe
from ...graph import unwrap
from ...nn import Module, Recurrent
from ...serialize.whole_file import find_target, replace_file
from ...tensor import Tensor
from .graph_builder import IR_VERSION, OPSET, ExportedCall, GraphBuilder
from .layer_nodes import LAYERS
from .model_tracer import trace_model, unchanged
from .module_trace import Trace, placeholder, require_same_calls
from .op_nodes import OPS

Axes = Mapping[str, Sequence[str | None]]


def to_onnx(
    model: Module,
    example_input: Any,
    path: str | os.PathLike[str],
    *,
    lengths: Any = None,
    axes: Axes | None = None,
) -> dict[str, tuple[str | None, ...]]:
    """Write a model as an ONNX file (opset 18), for sequences and batches of any size.

    Each layer of ``nn.GRU``, ``nn.LSTM`` and ``nn.RNN`` becomes one GRU, LSTM or RNN node, which
    holds both directions. A GRU's ``reset`` becomes the attribute ``linear_before_reset``.
    ``nn.Embedding`` becomes a Gather and ``nn.LayerNorm`` a LayerNormalization. Any other module
    becomes the ops that it applies.

    The model runs twice: on the example, and on other values and sizes made from the example.
    Comparisons, masks and other functions of arrays are exported as ops are. Python code outside of
    them, for example a loop over time, is not exported. If it reads values that depend on an input,
    as ``if x.max() > 1`` does, or makes the two runs differ, `to_onnx` raises an error. Otherwise,
    the file always repeats what that code did in these runs. What the model sets in its attributes
    during the runs is put back.

    Parameters
    ----------
    model : Module
        The model, in evaluation mode.
    example_input : array, or tuple of all arguments of the model
        The state of an LSTM is a tuple (h, c) inside this tuple.
    path : path-like
        The file to write. It is written completely or not at all.
    lengths : integers of shape (B,), optional
        An example of the model's argument ``lengths=``.
    axes : mapping of str to sequence, optional
        Maps the name of an input to a sequence with one entry for each axis: a name if the size of
        the axis may vary, or None if it is fixed. Axes with the same name have the same size.
        ``{"x": (None, "batch", None)}`` fixes the length, so that a loop over time can be unrolled
        and exported. By default, the first input is (time, batch, features), or (batch, time,
        features) if a layer is `batch_first`; if it holds integers, it has no features axis. A
        later input of floats with three axes is a state (layers, batch, hidden), and a later input
        of integers with one axis is (batch,).

    Returns
    -------
    dict of str to tuple
        The axes of each input of the file, as in `axes`. The inputs are in order and have the names
        of the arguments of ``model.forward``; the parts of a tuple ``state`` are ``state_0`` and
        ``state_1``. The outputs of the file are ``output_0``, ``output_1``, …

    Raises
    ------
    ImportError
        If the package `onnx` is not installed.
    TypeError
        If `model` is not a Module, returns anything but Tensors, or converts values that depend on
        an input with ``np.asarray``, or if `path` is not a path.
    ValueError
        If the model is in training mode, an op has no counterpart in ONNX, or a recurrent layer is
        in float64, which runtimes do not support. It is also raised if the model converts values
        that depend on an input to Python numbers, or its ops depend on the sizes of the inputs. In
        each case, no file is written.
    OSError
        If `path` cannot be written, as in `tg.save`.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> gru = tg.nn.GRU(3, 2, rng=0).eval()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tg.interop.to_onnx(gru, np.ones((7, 5, 3), "float32"), os.path.join(folder, "gru.onnx"))
    {'x': ('time', 'batch', None)}
    """
    onnx = _import_onnx()
    _require_evaluation(model)
    find_target(path, operation="to_onnx")
    args = _to_arrays(example_input if isinstance(example_input, tuple) else (example_input,))
    kwargs = {} if lengths is None else {"lengths": _to_arrays(lengths)}
    names, arrays = _name_inputs(model, args, kwargs), tree.leaves((args, kwargs))
    named_axes = _name_axes(model, names, arrays, axes)
    sizes = _choose_sizes(names, arrays, named_axes)
    with unchanged(model):
        first = trace_model(model, args, kwargs)
        second = _trace_variation(model, args, kwargs, named_axes, sizes)
    require_same_calls(first, second)
    pairs = {pair: name for name, pair in sizes.items()}
    builder = GraphBuilder(onnx, model, first, second, pairs)
    builder.names.update(zip(first.inputs, names, strict=True))
    for a, b in zip(first.calls, second.calls, strict=True):
        _export_call(builder, ExportedCall(builder, a, b))
    file = _build_model(builder, type(model).__name__, named_axes)
    onnx.checker.check_model(file, full_check=True)
    replace_file(path, file.SerializeToString(), operation="to_onnx")
    return named_axes


def _export_call(builder: GraphBuilder, call: ExportedCall) -> None:
    """Add the nodes of one call, and name its outputs."""
    name = call.first.name
    if call.first.module is not None:
        results = LAYERS[name](call)
    else:
        fix = f"compute {name} outside of the model, or with these ops: {', '.join(OPS)}"
        check.require(name in OPS, "to_onnx", "model", "ops that can be exported", name, fix)
        results = [OPS[name](call)]
    builder.names.update(zip(call.first.outputs, results, strict=True))


def _build_model(
    builder: GraphBuilder, name: str, named_axes: Mapping[str, tuple[str | None, ...]]
) -> Any:
    """Return the ONNX model: the graph with its inputs and outputs."""
    helper = builder.onnx.helper

    def describe_value(name: str, array: np.ndarray, shape: Sequence[int | str | None]) -> Any:
        dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
        return helper.make_tensor_value_info(name, dtype, shape)

    inputs = []
    for (input_name, axes), x in zip(named_axes.items(), builder.first.inputs, strict=True):
        shape = [axis or n for axis, n in zip(axes, x.shape, strict=True)]
        inputs.append(describe_value(input_name, placeholder(x), shape))
    outputs = []
    for i, (a, b) in enumerate(zip(builder.first.outputs, builder.second.outputs, strict=True)):
        value = builder.resolve("model", f"output {i}", a, b, a.dtype)
        output_name = f"output_{i}"
        node = helper.make_node("Identity", [value], [output_name], name=output_name)
        builder.nodes.append(node)
        pairs = zip(a.shape, b.shape, strict=True)
        shape = [m if m == n else builder.sizes.get((m, n)) for m, n in pairs]
        outputs.append(describe_value(output_name, placeholder(a), shape))
    constants = list(builder.initializers.values())
    graph = helper.make_graph(builder.nodes, name, inputs, outputs, constants)
    versions = {"opset_imports": [helper.make_opsetid("", OPSET)], "ir_version": IR_VERSION}
    return helper.make_model(graph, producer_name="tinygrad_rnn", **versions)


def _trace_variation(
    model: Module,
    args: Any,
    kwargs: Any,
    named_axes: Mapping[str, tuple[str | None, ...]],
    sizes: dict[str, tuple[int, int]],
) -> Trace:
    """Return the trace of a run on other values and sizes.

    Raises
    ------
    ValueError
        If the model raises an error in this run.
    """
    axes = iter(named_axes.values())

    def vary(array: np.ndarray | None) -> np.ndarray | None:
        if array is None:
            return None
        pairs = zip(next(axes), array.shape, strict=True)
        return _change_values(array, [sizes[name][1] if name else n for name, n in pairs])

    args, kwargs = tree.map(vary, (args, kwargs))
    try:
        return trace_model(model, args, kwargs)
    except Exception as error:
        expected = "a model that accepts other values"
        if sizes:
            expected += f" and other sizes of {', '.join(sizes)}"
        got = f"{type(error).__name__}: {error}"
        fix = 'pass axes={"x": (None, "batch", None)}, for example, to keep a size fixed'
        raise argument_error("to_onnx", "model", expected, got, fix) from error


def _change_values(array: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Return the values of an array in reverse order and in another shape.

    No new integers are made up, so class indices and lengths stay valid. Floats are also scaled and
    shifted.
    """
    reversed_ = np.resize(array.ravel()[::-1], shape)
    return (reversed_ * 0.75 + 0.1).astype(array.dtype) if array.dtype.kind == "f" else reversed_


def _to_arrays(x: Any) -> Any:
    """Return an example as an array, or as a tuple of arrays; None stays None.

    Raises
    ------
    ValueError
        If an array has no entries, because a second example cannot be made from an empty array.
    """
    if x is None or isinstance(x, tuple):
        return x if x is None else tuple(_to_arrays(part) for part in x)
    array = Tensor(unwrap(x)).array
    expected, fix = "arrays with entries", "give an example with a few steps and sequences"
    check.require(array.size, "to_onnx", "example_input", expected, describe(array), fix)
    return array


def _name_inputs(model: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    """Return the names of the arguments of `forward`. The parts of a tuple are numbered."""
    names, signature = [], inspect.signature(model.forward)
    try:
        arguments = signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        expected = f"arguments that forward{signature} takes"
        fix = "put several arguments in a tuple, and pass lengths= only if forward takes it"
        got = str(error)
        raise argument_error("to_onnx", "example_input", expected, got, fix, TypeError) from error
    for name, value in arguments.items():
        if isinstance(value, dict):  # the arguments in **kwargs
            names += list(value)
        elif isinstance(value, tuple):
            names += [f"{name}_{i}" for i in range(len(tree.leaves(value)))]
        elif value is not None:
            names.append(name)
    return names


def _name_axes(
    model: Module, names: list[str], arrays: list[np.ndarray], requested: Axes | None
) -> dict[str, tuple[str | None, ...]]:
    """Return the names of the axes of each input, with None where the size is fixed."""
    layers = [module for module in model.modules() if isinstance(module, Recurrent)]
    order = ("batch", "time") if any(layer.batch_first for layer in layers) else ("time", "batch")
    named_axes: dict[str, tuple[str | None, ...]] = {}
    for i, (name, array) in enumerate(zip(names, arrays, strict=True)):
        kind, ndim = array.dtype.kind, array.ndim
        named_axes[name] = (None,) * ndim
        if i == 0:
            free = ndim - (kind == "f")
            leading = order if free > 1 else ("time",) if layers else ("batch",)
            named_axes[name] = (*leading[:free], *(None,) * (ndim - len(leading[:free])))
        elif ndim == 3 and kind == "f" and "batch" in next(iter(named_axes.values())):
            named_axes[name] = (None, "batch", None)
        elif ndim == 1 and kind in "iu":
            named_axes[name] = ("batch",)
    expected = f"the name of an input ({', '.join(names)}), and a name or None for each axis"
    fix = 'pass {"x": ("time", "batch", None)}, for example'
    for name, axes in (requested or {}).items():
        fits = name in named_axes and len(axes) == len(named_axes[name])
        valid = fits and all(axis is None or isinstance(axis, str) for axis in axes)
        check.require(valid, "to_onnx", "axes", expected, f"{name!r}: {axes!r}", fix)
        named_axes[name] = tuple(axes)
    return named_axes


def _choose_sizes(
    names: list[str], arrays: list[np.ndarray], named_axes: Mapping[str, tuple[str | None, ...]]
) -> dict[str, tuple[int, int]]:
    """Return the size of each named axis in the first run and in the second.

    Each size grows by a different number, so that the growth identifies the axis.
    """
    sizes: dict[str, tuple[int, int]] = {}
    fix = "give examples of equal size, or give the axis another name with axes="
    for name, array in zip(names, arrays, strict=True):
        for axis, n in zip(named_axes[name], array.shape, strict=True):
            if axis:
                size, _ = sizes.setdefault(axis, (n, n + 2 + len(sizes)))
                expected = f"size {size} for {axis}, as in another input"
                check.require(size == n, "to_onnx", name, expected, describe(array), fix)
    return sizes


def _require_evaluation(model: Module) -> None:
    """Raise an error unless `model` is a Module in evaluation mode."""
    fix = "call the function in the forward method of a Module"
    check.instance("to_onnx", "model", model, Module, "a Module", fix)
    expected, fix = "evaluation mode, in which dropout does nothing", "call model.eval() first"
    training = any(module.training for module in model.modules())
    check.require(not training, "to_onnx", "model", expected, "training mode", fix)


def _import_onnx() -> Any:
    """Return the package `onnx`, which is optional and imported only for an export."""
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        message = "to_onnx: expected the package onnx, got none; "
        raise ImportError(message + "run: pip install 'tinygrad_rnn[onnx]'") from error
    return onnx
