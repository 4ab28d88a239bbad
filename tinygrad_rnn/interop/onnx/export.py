"""Export a model as an ONNX file, which other runtimes run."""

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
from ...serialize import write_atomically
from ...tensor import Tensor
from .graph_builder import IR_VERSION, OPSET, ExportedCall, GraphBuilder
from .layer_nodes import LAYERS
from .module_trace import Trace, require_same_calls, trace_model
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

    Each layer of ``nn.GRU``, ``nn.LSTM`` and ``nn.RNN`` becomes one node GRU, LSTM or RNN with both
    directions in it; the form of a GRU becomes its ``linear_before_reset``. ``nn.Embedding``
    becomes a Gather, ``nn.LayerNorm`` a LayerNormalization, and any other module the ops that it
    consists of.

    The model runs twice, the second time on other numbers and sizes made from the example. What
    Python decides or computes outside of ops, a loop over time or an ``if`` for example, raises
    ValueError where the two runs show it. Where they do not, the file always does what Python did
    in these runs.

    Parameters
    ----------
    model : Module
        In evaluation mode.
    example_input : array, or tuple of the arguments that the model takes
        The state of an LSTM is a tuple (h, c) within.
    path : path-like
        The file to write. It is written as a whole or not at all.
    lengths : integers of shape (B,), optional
        The argument ``lengths=`` of the model.
    axes : mapping of str to sequence, optional
        For an input by name, the name of each axis whose size is free, and None where it is fixed.
        Axes of one name have one size. ``{"x": (None, "batch", None)}`` fixes the length; a loop
        over time can then be exported, unrolled. By default the first input is (time, batch,
        features), or (batch, time, features) if a layer is `batch_first`; integers have no
        features. A further array of three axes is a state (layers, batch, hidden), and integers
        of one axis are (batch,).

    Returns
    -------
    dict of str to tuple
        The inputs of the file, in order, and their axes as in `axes`. Their names are those of the
        arguments of ``model.forward``; the parts of a tuple are ``state_0``, ``state_1``. The
        outputs are ``output_0``, ``output_1``, …

    Raises
    ------
    ImportError
        If the package `onnx` is not installed.
    TypeError
        If `model` is not a Module, returns something other than Tensors, or takes the numbers out
        of an input, or `path` is not a path.
    ValueError
        If the model is in training mode, an op has no counterpart, a recurrent layer is in float64,
        which runtimes do not have, or the calls depend on the numbers or sizes of the inputs. The
        message names the op. No file is written then.

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
    fix = 'pass "model.onnx", for example'
    check.instance("to_onnx", "path", path, str | os.PathLike, "the name of a file", fix)
    args = _to_arrays(example_input if isinstance(example_input, tuple) else (example_input,))
    kwargs = {} if lengths is None else {"lengths": _to_arrays(lengths)}
    names, arrays = _name_inputs(model, args, kwargs), tree.leaves((args, kwargs))
    known = _name_axes(model, names, arrays, axes)
    sizes = _choose_sizes(names, arrays, known)
    first = trace_model(model, args, kwargs)
    second = _trace_variation(model, args, kwargs, known, sizes)
    require_same_calls(first, second)
    pairs = {pair: name for name, pair in sizes.items()}
    builder = GraphBuilder(onnx, model, first, second, pairs)
    builder.names.update(zip(first.inputs, names, strict=True))
    for a, b in zip(first.calls, second.calls, strict=True):
        _export_call(builder, ExportedCall(builder, a, b))
    file = _build_model(builder, type(model).__name__, known)
    onnx.checker.check_model(file, full_check=True)
    write_atomically(path, file.SerializeToString())
    return known


def _export_call(builder: GraphBuilder, call: ExportedCall) -> None:
    """Add the nodes of one call, and name its outputs."""
    name = call.first.name
    if call.first.module is not None:
        results = LAYERS[name](call)
    else:
        fix = f"compute it outside of the model, or with {', '.join(OPS)}"
        check.require(name in OPS, "to_onnx", "model", "ops that can be exported", name, fix)
        results = [OPS[name](call)]
    builder.names.update(zip(call.first.outputs, results, strict=True))


def _build_model(
    builder: GraphBuilder, name: str, known: Mapping[str, tuple[str | None, ...]]
) -> Any:
    """Return the model in ONNX's form: the graph with its inputs and outputs."""
    helper = builder.onnx.helper

    def describe_value(name: str, array: np.ndarray, shape: Sequence[int | str | None]) -> Any:
        dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
        return helper.make_tensor_value_info(name, dtype, shape)

    inputs = []
    for (input_name, axes), x in zip(known.items(), builder.first.inputs, strict=True):
        shape = [axis or n for axis, n in zip(axes, x.shape, strict=True)]
        inputs.append(describe_value(input_name, x.array, shape))
    outputs = []
    for i, (a, b) in enumerate(zip(builder.first.outputs, builder.second.outputs, strict=True)):
        value = builder.resolve("the output", f"output {i}", a, b, a.array.dtype)
        output_name = f"output_{i}"
        node = helper.make_node("Identity", [value], [output_name], name=output_name)
        builder.nodes.append(node)
        pairs = zip(a.array.shape, b.array.shape, strict=True)
        shape = [m if m == n else builder.sizes.get((m, n)) for m, n in pairs]
        outputs.append(describe_value(output_name, a.array, shape))
    constants = list(builder.initializers.values())
    graph = helper.make_graph(builder.nodes, name, inputs, outputs, constants)
    versions = {"opset_imports": [helper.make_opsetid("", OPSET)], "ir_version": IR_VERSION}
    return helper.make_model(graph, producer_name="tinygrad_rnn", **versions)


def _trace_variation(
    model: Module,
    args: Any,
    kwargs: Any,
    known: Mapping[str, tuple[str | None, ...]],
    sizes: dict[str, tuple[int, int]],
) -> Trace:
    """Return the trace of a run on other numbers and sizes.

    Raises
    ------
    ValueError
        If the model does not take them.
    """
    axes = iter(known.values())

    def vary(array: np.ndarray | None) -> np.ndarray | None:
        if array is None:
            return None
        pairs = zip(next(axes), array.shape, strict=True)
        return _change_numbers(array, [sizes[name][1] if name else n for name, n in pairs])

    args, kwargs = tree.map(vary, (args, kwargs))
    try:
        return trace_model(model, args, kwargs)
    except Exception as error:
        names = ", ".join(sizes) or "nothing"
        expected = f"one that takes other sizes of {names} and other numbers"
        got = f"{type(error).__name__}: {error}"
        fix = 'fix what must not change with axes=, as in {"x": (None, "batch", None)}'
        raise argument_error("to_onnx", "model", expected, got, fix) from error


def _change_numbers(array: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Return other numbers of the same kind in another shape.

    They are those of the example backwards, which are valid as classes and lengths too. Floats are
    changed a little.
    """
    backwards = np.resize(array.ravel()[::-1], shape)
    return (backwards * 0.75 + 0.1).astype(array.dtype) if array.dtype.kind == "f" else backwards


def _to_arrays(x: Any) -> Any:
    """Return an example as an array, or a tuple of them; None stays None.

    Raises
    ------
    ValueError
        If an array has no entries, because then no other example can be made from it.
    """
    if x is None or isinstance(x, tuple):
        return x if x is None else tuple(_to_arrays(part) for part in x)
    array = Tensor(unwrap(x)).array
    expected, fix = "arrays with entries", "give an example with a few steps and sequences"
    check.require(array.size, "to_onnx", "example_input", expected, describe(array), fix)
    return array


def _name_inputs(model: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    """Return the names of the arguments of `forward`, numbered where they are parts of a tuple."""
    names, signature = [], inspect.signature(model.forward)
    try:
        given = signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        expected = f"arguments that forward{signature} takes"
        fix = "put several arguments in a tuple, and pass lengths= only if forward takes it"
        raise argument_error(
            "to_onnx", "example_input", expected, str(error), fix, TypeError
        ) from error
    for name, value in given.items():
        if isinstance(value, dict):  # the arguments in **kwargs
            names += list(value)
        elif isinstance(value, tuple):
            names += [f"{name}_{i}" for i in range(len(tree.leaves(value)))]
        elif value is not None:
            names.append(name)
    return names


def _name_axes(
    model: Module, names: list[str], arrays: list[np.ndarray], given: Axes | None
) -> dict[str, tuple[str | None, ...]]:
    """Return for each input the names of its axes, with None where the size is fixed."""
    layers = [module for module in model.modules() if isinstance(module, Recurrent)]
    order = ("batch", "time") if any(layer.batch_first for layer in layers) else ("time", "batch")
    known: dict[str, tuple[str | None, ...]] = {}
    for i, (name, array) in enumerate(zip(names, arrays, strict=True)):
        kind, ndim = array.dtype.kind, array.ndim
        known[name] = (None,) * ndim
        if i == 0:
            free = ndim - (kind == "f")
            leading = order if free > 1 else ("time",) if layers else ("batch",)
            known[name] = (*leading[:free], *(None,) * (ndim - len(leading[:free])))
        elif ndim == 3 and kind == "f" and "batch" in next(iter(known.values())):
            known[name] = (None, "batch", None)
        elif ndim == 1 and kind in "iu":
            known[name] = ("batch",)
    expected = f"for one of {', '.join(names)} a name or None for each axis"
    fix = 'pass {"x": ("time", "batch", None)}, for example'
    for name, axes in (given or {}).items():
        fits = name in known and len(axes) == len(known[name])
        valid = fits and all(axis is None or isinstance(axis, str) for axis in axes)
        check.require(valid, "to_onnx", "axes", expected, f"{name!r}: {axes!r}", fix)
        known[name] = tuple(axes)
    return known


def _choose_sizes(
    names: list[str], arrays: list[np.ndarray], known: Mapping[str, tuple[str | None, ...]]
) -> dict[str, tuple[int, int]]:
    """Return the size of each named axis in the first run and in the second.

    Each grows by another number, so that the sizes tell the axes apart.
    """
    sizes: dict[str, tuple[int, int]] = {}
    fix = "give examples of equal size, or give the axis another name with axes="
    for name, array in zip(names, arrays, strict=True):
        for axis, n in zip(known[name], array.shape, strict=True):
            if axis:
                size, _ = sizes.setdefault(axis, (n, n + 2 + len(sizes)))
                expected = f"the size {size} of {axis} that another input has"
                check.require(size == n, "to_onnx", name, expected, describe(array), fix)
    return sizes


def _require_evaluation(model: Module) -> None:
    """Raise an error unless `model` is a Module in evaluation mode."""
    fix = "put the function into a Module"
    check.instance("to_onnx", "model", model, Module, "a Module", fix)
    expected, fix = "evaluation mode, in which dropout does nothing", "call model.eval() first"
    training = any(module.training for module in model.modules())
    check.require(not training, "to_onnx", "model", expected, "training mode", fix)


def _import_onnx() -> Any:
    """Return the package `onnx`, which is imported only here."""
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        message = "to_onnx: expected the package onnx, got none; "
        raise ImportError(message + "run: pip install 'tinygrad_rnn[onnx]'") from error
    return onnx
