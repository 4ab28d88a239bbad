"""A model as an ONNX file, which other runtimes run."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ... import tree
from ...errors import argument_error, describe
from ...graph import Value
from ...nn import Module, Recurrent
from ...serialize import write_atomically
from ...tensor import Tensor
from .graph_builder import IR_VERSION, OPSET, GraphBuilder, Site
from .layer_nodes import LAYERS
from .module_trace import require_equal_traces, trace
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

    ``nn.GRU``, ``nn.LSTM`` and ``nn.RNN`` become one node GRU, LSTM or RNN for each layer, both directions in one, the GRU's
    ``linear_before_reset`` as its form is; ``nn.Embedding`` a Gather, ``nn.LayerNorm`` a LayerNormalization; everything else the
    ops that it is made of. The model runs twice to see what it does, the second time on other numbers and sizes made from the
    example: what Python decided or computed outside of ops, a loop over time or an ``if``, is refused where the runs show it,
    and is fixed as it was where they do not.

    Parameters
    ----------
    model : Module
        In evaluation mode.
    example_input : array, or tuple of the arguments that the model takes
        For an LSTM's state a tuple (h, c) within.
    path : path-like
        Where the file is written, whole or not at all.
    lengths : integers of shape (B,), optional
        What the model is called with as ``lengths=``.
    axes : mapping of str to sequence, optional
        For an input by name, the name of each axis whose size is free, None where it is fixed: ``{"x": (None, "batch", None)}``
        fixes the length, and a loop over time can then be exported, unrolled. Axes of one name have one size. Without it the
        first input is taken for (time, batch, features), or (batch, time, features) if a layer is `batch_first`, integers for the
        same without features, a further array of three axes for a state (layers, batch, hidden), and of one for (batch,).

    Returns
    -------
    dict of str to tuple
        The inputs of the file, in order, and their axes as in `axes`. They are called as the arguments of ``model.forward``, parts
        of a tuple ``state_0``, ``state_1``; the outputs are ``output_0``, ``output_1``, …

    Raises
    ------
    ImportError
        If the package `onnx` is not there.
    TypeError
        If `model` is no Module, gives what is no Tensor, or takes the numbers out of an input, or `path` is no path.
    ValueError
        If the model is in training mode, an op has no counterpart, a recurrent layer is in float64, which runtimes do not have, or
        its steps depend on the numbers or sizes; the message says which op. No file is written then.

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
    onnx = _onnx()
    _require_evaluation(model)
    if not isinstance(path, str | os.PathLike):
        fix = 'pass "model.onnx", say'
        raise argument_error(
            "to_onnx",
            "path",
            expected="the name of a file",
            got=describe(path),
            fix=fix,
            kind=TypeError,
        )
    args = _plain(example_input if isinstance(example_input, tuple) else (example_input,))
    kwargs = {} if lengths is None else {"lengths": _plain(lengths)}
    names, arrays = _input_names(model, args, kwargs), tree.leaves((args, kwargs))
    known = _axes(model, names, arrays, axes)
    sizes = _sizes(names, arrays, known)
    first = trace(model, args, kwargs)
    second = _second_run(model, args, kwargs, known, sizes)
    require_equal_traces(first, second)
    writer = GraphBuilder(onnx, model, first, second, {pair: name for name, pair in sizes.items()})
    writer.names.update(zip(first.inputs, names, strict=True))
    for step, other in zip(first.steps, second.steps, strict=True):
        _write(writer, Site(writer, step, other))
    whole = _whole(writer, type(model).__name__, known)
    onnx.checker.check_model(whole, full_check=True)
    write_atomically(path, whole.SerializeToString())
    return known


def _write(writer: GraphBuilder, site: Site) -> None:
    """Add the nodes of one step, and name its outputs."""
    step = site.step
    if step.module is not None:
        results = LAYERS[step.name](site)
    elif step.name in OPS:
        results = [OPS[step.name](site)]
    else:
        wanted, fix = (
            "ops that can be exported",
            f"compute it outside of the model, or with {', '.join(OPS)}",
        )
        raise argument_error("to_onnx", "model", expected=wanted, got=step.name, fix=fix)
    writer.names.update(zip(step.outputs, results, strict=True))


def _whole(writer: GraphBuilder, name: str, known: Mapping[str, tuple[str | None, ...]]) -> Any:
    """The model as ONNX has it: the graph, its inputs and its outputs."""
    helper = writer.onnx.helper

    def info(name: str, array: np.ndarray, shape: Sequence[int | str | None]) -> Any:
        return helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), shape
        )

    inputs = [
        info(name, x.data, [axis or n for axis, n in zip(axes, x.shape, strict=True)])
        for (name, axes), x in zip(known.items(), writer.first.inputs, strict=True)
    ]
    outputs = []
    for i, (a, b) in enumerate(zip(writer.first.outputs, writer.second.outputs, strict=True)):
        value = writer.value("the output", f"output {i}", a, b, a.array.dtype)
        writer.nodes.append(
            helper.make_node("Identity", [value], [f"output_{i}"], name=f"output_{i}")
        )
        pairs = zip(a.array.shape, b.array.shape, strict=True)
        outputs.append(
            info(
                f"output_{i}",
                a.array,
                [m if m == n else writer.sizes.get((m, n)) for m, n in pairs],
            )
        )
    graph = helper.make_graph(
        writer.nodes, name, inputs, outputs, list(writer.initializers.values())
    )
    opset = [helper.make_opsetid("", OPSET)]
    return helper.make_model(
        graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="tinygrad_rnn"
    )


def _second_run(
    model: Module,
    args: Any,
    kwargs: Any,
    known: Mapping[str, tuple[str | None, ...]],
    sizes: dict[str, tuple[int, int]],
) -> Any:
    """The run on other numbers and sizes, refused if the model does not take them."""
    axes = iter(known.values())

    def other(array: np.ndarray | None) -> np.ndarray | None:
        if array is None:
            return None
        shape = [
            sizes[name][1] if name else n for name, n in zip(next(axes), array.shape, strict=True)
        ]
        return _other(array, shape)

    args, kwargs = tree.map(other, (args, kwargs))
    try:
        return trace(model, args, kwargs)
    except Exception as error:
        wanted, got = (
            f"one that takes other sizes of {', '.join(sizes) or 'nothing'} and other numbers",
            f"{type(error).__name__}: {error}",
        )
        fix = 'fix what must not change with axes=, as in {"x": (None, "batch", None)}'
        raise argument_error("to_onnx", "model", expected=wanted, got=got, fix=fix) from error


def _other(array: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Other numbers of the same kind: those of the example backwards, which classes and lengths can be too; floats moved a little."""
    turned = np.resize(array.ravel()[::-1], shape)
    return (turned * 0.75 + 0.1).astype(array.dtype) if array.dtype.kind == "f" else turned


def _plain(x: Any) -> Any:
    """An example as an array, in a tuple each, None as it is; refused if it has no entries to make another from."""
    if x is None or isinstance(x, tuple):
        return x if x is None else tuple(map(_plain, x))
    array = x.array if isinstance(x, Value) else Tensor(x).array
    if not array.size:
        fix = "give an example with a few steps and sequences"
        raise argument_error(
            "to_onnx", "example_input", expected="arrays with entries", got=describe(array), fix=fix
        )
    return array


def _input_names(model: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    """The names of the arguments of `forward`, with a number behind where it is one of a tuple."""
    names, signature = [], inspect.signature(model.forward)
    try:
        given = signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        wanted, fix = (
            f"what forward{signature} takes",
            "put several arguments in a tuple; lengths= is for who takes it",
        )
        raise argument_error(
            "to_onnx", "example_input", expected=wanted, got=str(error), fix=fix, kind=TypeError
        ) from error
    for name, value in given.items():
        if isinstance(value, dict):  # what **kwargs collects
            names += list(value)
        elif isinstance(value, tuple):
            names += [f"{name}_{i}" for i in range(len(tree.leaves(value)))]
        elif value is not None:
            names.append(name)
    return names


def _axes(
    model: Module, names: list[str], arrays: list[np.ndarray], given: Axes | None
) -> dict[str, tuple[str | None, ...]]:
    """For each input the names of its axes, None where the size is fixed."""
    layers = [module for module in model.modules() if isinstance(module, Recurrent)]
    order = ("batch", "time") if any(layer.batch_first for layer in layers) else ("time", "batch")
    found: dict[str, tuple[str | None, ...]] = {}
    for i, (name, array) in enumerate(zip(names, arrays, strict=True)):
        free = array.ndim - (array.dtype.kind == "f")
        if i == 0:
            lead = order if free > 1 else ("time",) if layers else ("batch",)
            found[name] = (*lead[:free], *(None,) * (array.ndim - len(lead[:free])))
        elif array.ndim == 3 and array.dtype.kind == "f" and "batch" in next(iter(found.values())):
            found[name] = (None, "batch", None)
        else:
            found[name] = (
                ("batch",) if array.ndim == 1 and array.dtype.kind in "iu" else (None,) * array.ndim
            )
    for name, axes in (given or {}).items():
        if (
            name not in found
            or len(axes) != len(found[name])
            or not all(axis is None or isinstance(axis, str) for axis in axes)
        ):
            wanted = f"for one of {', '.join(names)} a name or None for each axis"
            fix = 'as in {"x": ("time", "batch", None)}'
            raise argument_error(
                "to_onnx", "axes", expected=wanted, got=f"{name!r}: {axes!r}", fix=fix
            )
        found[name] = tuple(axes)
    return found


def _sizes(
    names: list[str], arrays: list[np.ndarray], known: Mapping[str, tuple[str | None, ...]]
) -> dict[str, tuple[int, int]]:
    """For each named axis its size in the first run and in the second; each grows by another number, to be told apart."""
    sizes: dict[str, tuple[int, int]] = {}
    for name, array in zip(names, arrays, strict=True):
        for axis, n in zip(known[name], array.shape, strict=True):
            if axis and sizes.setdefault(axis, (n, n + 2 + len(sizes)))[0] != n:
                wanted, fix = (
                    f"the size {sizes[axis][0]} of {axis} that another input has",
                    "make the examples fit, or name it with axes=",
                )
                raise argument_error("to_onnx", name, expected=wanted, got=describe(array), fix=fix)
    return sizes


def _require_evaluation(model: Module) -> None:
    if not isinstance(model, Module):
        raise argument_error(
            "to_onnx",
            "model",
            expected="a Module",
            got=describe(model),
            fix="put the function into a Module",
            kind=TypeError,
        )
    if any(module.training for module in model.modules()):
        fix = "call model.eval() first"
        raise argument_error(
            "to_onnx",
            "model",
            expected="evaluation mode, where dropout does nothing",
            got="training",
            fix=fix,
        )


def _onnx() -> Any:
    """The package `onnx`, which is loaded only here."""
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise ImportError(
            "to_onnx: expected the package onnx, got none; run: pip install 'tinygrad_rnn[onnx]'"
        ) from error
    return onnx
