"""How each op is written in ONNX: a function of its `Site` that returns the name of the result.

What the operators do is in ONNX's own documentation, onnx.ai/onnx/operators, opset 18.
"""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType
from typing import Any

import numpy as np

from .graph_builder import Site

LAST, FIRST = np.iinfo(np.int64).max, np.iinfo(np.int64).min

ALIKE = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "power": "Pow",
    "negative": "Neg",
    "maximum": "Max",
    "minimum": "Min",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "sign": "Sign",
    "abs": "Abs",
    "sin": "Sin",
    "cos": "Cos",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "relu": "Relu",
    "softplus": "Softplus",
    "copy": "Identity",
    "astype": "Identity",  # the input is already in the dtype of the output
    "matmul": "MatMul",
}
"""The ops that have an operator of the same meaning."""

REDUCTIONS = {
    "sum": "ReduceSum",
    "mean": "ReduceMean",
    "prod": "ReduceProd",
    "max": "ReduceMax",
    "min": "ReduceMin",
    "logsumexp": "ReduceLogSumExp",
}


def _one(site: Site) -> str:
    """The constant 1."""
    return site.writer.constant(np.ones((), site.dtype))


def _lerp(site: Site) -> str:
    a, b, w = site.inputs()
    return site.node("Add", a, site.node("Mul", w, site.node("Sub", b, a)))


def _linear(site: Site) -> str:
    x, weight, bias = site.inputs()
    y = site.node("MatMul", x, site.node("Transpose", weight, perm=[1, 0]))
    return site.node("Add", y, bias)


def _clip(site: Site) -> str:
    y = site.input(0)
    for name, kind in (("min", "Max"), ("max", "Min")):
        bound = site.setting(name)
        y = (
            y
            if bound is None
            else site.node(kind, y, site.writer.constant(np.asarray(bound, site.dtype)))
        )
    return y


def _where(site: Site) -> str:
    return site.node("Where", site.input(0, np.dtype(bool)), site.input(1), site.input(2))


def _reduce(site: Site) -> str:
    axes = site.axes()
    given = () if axes is None else (site.writer.ints(*axes),)
    return site.node(
        REDUCTIONS[site.step.name], site.input(0), *given, keepdims=int(site.setting("keepdims"))
    )


def _var(site: Site) -> str:
    if site.setting("ddof") != 0:
        site.refuse(
            "ddof", "0", repr(site.setting("ddof")), "divide by n − ddof outside, or use ddof=0"
        )
    axes, x = site.axes(), site.input(0)
    given = () if axes is None else (site.writer.ints(*axes),)
    centred = site.node("Sub", x, site.node("ReduceMean", x, *given, keepdims=1))
    return site.node(
        "ReduceMean",
        site.node("Mul", centred, centred),
        *given,
        keepdims=int(site.setting("keepdims")),
    )


def _cumsum(site: Site) -> str:
    axes, x = site.axes(), site.input(0)
    x = site.node("Reshape", x, site.writer.ints(-1)) if axes is None else x
    return site.node(
        "CumSum", x, site.writer.constant(np.array(0 if axes is None else axes[0], np.int64))
    )


def _along_axis(kind: str) -> Callable[[Site], str]:
    return lambda site: site.node(kind, site.input(0), axis=(site.axes() or [0])[0])


def _reshape(site: Site) -> str:
    shapes = site.out.shape, site.other.outputs[0].array.shape
    return site.node("Reshape", site.input(0), site.writer.shape("reshape", *shapes, infer=True))


def _broadcast_to(site: Site) -> str:
    shapes = site.out.shape, site.other.outputs[0].array.shape
    return site.node(
        "Expand", site.input(0), site.writer.shape("broadcast_to", *shapes, infer=False)
    )


def _transpose(site: Site) -> str:
    axes = site.axes("axes")
    return site.node(
        "Transpose", site.input(0), perm=list(range(site.out.ndim))[::-1] if axes is None else axes
    )


def _squeeze(site: Site) -> str:
    axes = site.axes()
    if axes is None:
        shapes = (
            site.array().shape,
            np.shape(getattr(site.other.inputs[0], "array", site.other.inputs[0])),
        )
        axes, again = ([i for i, n in enumerate(shape) if n == 1] for shape in shapes)
        if axes != again:
            site.refuse(
                "axis",
                "axes of size 1 in every run",
                f"shapes {shapes[0]} and {shapes[1]}",
                "name the axis",
            )
    return site.node("Squeeze", site.input(0), site.writer.ints(*axes))


def _expand_dims(site: Site) -> str:
    axis = site.setting("axis")
    axes = [int(a) % site.out.ndim for a in (axis if isinstance(axis, tuple | list) else (axis,))]
    return site.node("Unsqueeze", site.input(0), site.writer.ints(*axes))


def _flip(site: Site) -> str:
    axes = site.axes()
    axes = list(range(site.out.ndim)) if axes is None else axes
    ints, n = site.writer.ints, len(axes)
    return site.node(
        "Slice", site.input(0), ints(*[-1] * n), ints(*[FIRST] * n), ints(*axes), ints(*[-1] * n)
    )


def _concatenate(site: Site) -> str:
    return site.node("Concat", *site.inputs(), axis=int(site.setting("axis")))


def _stack(site: Site) -> str:
    axis = int(site.setting("axis")) % site.out.ndim
    return site.node(
        "Concat",
        *(site.node("Unsqueeze", x, site.writer.ints(axis)) for x in site.inputs()),
        axis=axis,
    )


def _einsum(site: Site) -> str:
    return site.node("Einsum", *site.inputs(), equation=site.setting("subscripts"))


def _getitem(site: Site) -> str:
    """Slices first, then what takes an axis away from the last axis to the first, then what adds one."""
    entries, ints = _entries(site), site.writer.ints
    x, axis = site.input(0), 0
    cuts, picked, added = [], [], []
    places = 0  # among the axes of the result
    for entry in entries:
        if entry is None:
            added.append(places)
            places += 1
            continue
        if isinstance(entry, slice):
            if (entry.start, entry.stop, entry.step) != (None, None, None):
                step = 1 if entry.step is None else int(entry.step)
                start = (0 if step > 0 else LAST) if entry.start is None else int(entry.start)
                cuts.append(
                    (
                        start,
                        (LAST if step > 0 else FIRST) if entry.stop is None else int(entry.stop),
                        axis,
                        step,
                    )
                )
            places += 1
        else:
            picked.append((axis, np.asarray(entry, np.int64)))
            places += np.ndim(entry)
        axis += 1
    if cuts:
        starts, stops, axes, steps = zip(*cuts, strict=True)
        x = site.node("Slice", x, ints(*starts), ints(*stops), ints(*axes), ints(*steps))
    for axis, places_there in reversed(picked):
        x = site.node("Gather", x, site.writer.constant(places_there), axis=axis)
    return site.node("Unsqueeze", x, ints(*added)) if added else x


def _entries(site: Site) -> list[Any]:
    """An index as one entry for each axis, and None for each that is added; refused if ONNX has no short way to write it."""
    index = site.setting("index")
    entries = list(index) if isinstance(index, tuple) else [index]
    arrays = [entry for entry in entries if np.ndim(entry) and not isinstance(entry, slice)]
    whole = [
        entry
        for entry in entries
        if isinstance(entry, int | np.integer) and not isinstance(entry, bool)
    ]
    known = (int, np.integer, slice, EllipsisType, type(None), np.ndarray)
    plain = all(isinstance(entry, known) and not isinstance(entry, bool) for entry in entries)
    if (
        not plain
        or any(array.dtype.kind not in "iu" for array in arrays)
        or len(arrays) > 1
        or (arrays and whole)
    ):
        wanted = (
            "integers, slices, None and ..., or one array of integers and no integers beside it"
        )
        site.refuse(
            "index",
            wanted,
            repr(index).replace("\n", " "),
            "index in several steps; choose by a mask with tg.where",
        )
    used = sum(entry is not None and entry is not Ellipsis for entry in entries)
    rest = [slice(None)] * (site.array().ndim - used)
    if not any(entry is Ellipsis for entry in entries):
        return entries + rest
    place = next(i for i, entry in enumerate(entries) if entry is Ellipsis)
    return entries[:place] + rest + entries[place + 1 :]


OPS: dict[str, Callable[[Site], str]] = {
    **{
        name: lambda site, kind=kind: site.node(kind, *site.inputs())
        for name, kind in ALIKE.items()
    },
    **dict.fromkeys(REDUCTIONS, _reduce),
    "lerp": _lerp,
    "square": lambda site: site.node("Mul", site.input(0), site.input(0)),
    "expm1": lambda site: site.node("Sub", site.node("Exp", site.input(0)), _one(site)),
    "log1p": lambda site: site.node("Log", site.node("Add", site.input(0), _one(site))),
    "linear": _linear,
    "clip": _clip,
    "where": _where,
    "var": _var,
    "cumsum": _cumsum,
    "softmax": _along_axis("Softmax"),
    "log_softmax": _along_axis("LogSoftmax"),
    "reshape": _reshape,
    "broadcast_to": _broadcast_to,
    "transpose": _transpose,
    "squeeze": _squeeze,
    "expand_dims": _expand_dims,
    "flip": _flip,
    "concatenate": _concatenate,
    "stack": _stack,
    "einsum": _einsum,
    "getitem": _getitem,
}
"""The ops that can be exported; `repeat` and `scatter` cannot."""
