"""Lowering of recorded ops to lines.

If the ``forward`` of an op is an expression such as ``np.reciprocal(1 + np.exp(-a))``, its source
becomes one line per call (`expressions`). Reductions, products and ops that rearrange entries have
a lowering in a table (`ARRANGED`). For any other op, the line calls its ``forward``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ..analysis.brackets import ATOM
from ..analysis.equations import format_expression
from ..errors import NotCompilable
from ..graph import Node, Value
from .expressions import Expression, NotAnExpressionError
from .lines import COMPARED, Ref, axes_from_the_end
from .writer import Writer

LONGEST = 40
"""The maximum length of a temporary's formula that is inlined into another formula."""


@dataclass
class Recorder:
    """Lowers recorded ops to lines.

    Attributes
    ----------
    kept : list of Value
        The recorded values. They must stay alive because names are looked up by ``id``.
    inline : dict of Value to (str, int)
        The formula of each result without a name, to be inlined into others, and its level.
    """

    writer: Writer
    kept: list[Value] = field(default_factory=list)
    inline: dict[Value, tuple[str, int]] = field(default_factory=dict)

    def record(self, value: Value) -> None:
        """Add the lines of one recorded value."""
        node = value.node
        assert node is not None
        args = [self.ref(x, array) for x, array in zip(node.inputs, node.arrays, strict=True)]
        wish = value.name or None
        name = self.op(node, args, wish)
        dtype = value.array.dtype
        if (
            isinstance(name, str)
            and self.writer.arrays[name].dtype != dtype
            and self.writer.arrays[name].dtype.kind != "b"
        ):
            name = self.writer.write("astype", name, dtype=dtype, wish=wish)
        self.writer.names[id(value.array)] = name
        self.kept.append(value)
        self._note(value, node, name, args)

    def _note(self, value: Value, node: Node, name: str, args: list[Ref]) -> None:
        """Store the formula of a line for its comment, with the formulas of temporaries inlined."""
        labels = {
            x: arg
            for x, arg in zip(node.inputs, args, strict=True)
            if isinstance(x, Value) and isinstance(arg, str)
        }
        formula, level = format_expression(node, labels, self.inline)
        self.writer.notes[name] = formula.replace(" [axes=(1, 0)]", "")
        if not value.name:
            self.inline[value] = (formula, level) if len(formula) <= LONGEST else ("…", ATOM)

    def ref(self, x: Any, array: Any) -> Ref:
        """Return the name of a node's input, or its value if it is a plain number."""
        if not isinstance(array, np.ndarray):
            return array
        if id(array) in self.writer.names:
            return self.writer.names[id(array)]
        if array.ndim == 0 and not (isinstance(x, Value) and (x.name or x.tracked)):
            return array.item()
        name = self.writer.given(array, getattr(x, "name", None) or "constant")
        self.writer.constants[name] = array
        return name

    def constant(self, array: Any) -> str:
        """Return the name of a constant array with this number."""
        number = np.asarray(array)
        name = self.writer.given(number, "constant")
        self.writer.constants[name] = number
        return name

    def widened(self, arg: Ref) -> Ref:
        """Return the name of a float16 array in float32, and any other argument unchanged."""
        if isinstance(arg, str) and self.writer.arrays[arg].dtype == np.float16:
            return self.writer.write("astype", arg, dtype=np.dtype(np.float32))
        return arg

    def op(self, node: Node, args: list[Ref], wish: str | None) -> str:
        """Add the lines of one op, and return the name of its result."""
        w, name, params = self.writer, node.op.name, node.params
        if any(isinstance(part, Value) for part in params.values()):
            raise NotCompilable(
                f"compile: expected plain numbers as settings of {name}, "
                "got a Tensor, whose numbers may change; pass an array"
            )
        if hasattr(node.op.forward, "in_float32"):
            args = [self.widened(arg) for arg in args]
        if name in ARRANGED:
            named = (
                args
                if name in COMPARED
                else [
                    a if isinstance(a, str) else self.constant(b)
                    for a, b in zip(args, node.arrays, strict=True)
                ]
            )
            return ARRANGED[name](w, named, params, wish)
        mark = dict(w.lines), set(w.taken)
        try:
            found = Expression(w, node.op, args, params, wish).result()
            if isinstance(found, str) and found not in args:
                return found
            return w.write("copy", found, wish=wish)
        except NotAnExpressionError:
            w.lines, w.taken = mark
        return w.write("call", *args, function=node.op.forward, keywords=params, wish=wish)


# -- ops with a lowering of their own --------------------------------------------------------------


def _reduced(fn: str) -> Callable[..., str]:
    def write(w: Writer, args: list[Ref], params: dict[str, Any], wish: str | None) -> str:
        return w.write(
            fn,
            args[0],
            axis=axes_from_the_end(w.shape(args[0]), params["axis"]),
            keepdims=bool(params["keepdims"]),
            wish=wish,
        )

    return write


def _mean(w: Writer, args: list[Ref], params: dict[str, Any], wish: str | None) -> str:
    total = _reduced("sum")(w, args, params, None)
    count = int(np.prod(w.shape(args[0]))) / max(int(np.prod(w.shape(total))), 1)
    return w.write("divide", total, count, wish=wish)


def _variance(w: Writer, args: list[Ref], params: dict[str, Any], wish: str | None) -> str:
    far = w.write("subtract", args[0], _mean(w, args, {**params, "keepdims": True}, None))
    total = _reduced("sum")(w, [w.write("multiply", far, far)], params, None)
    count = int(np.prod(w.shape(args[0]))) / max(int(np.prod(w.shape(total))), 1)
    return w.write("divide", total, count - params["ddof"], wish=wish)


def _clipped(w: Writer, args: list[Ref], params: dict[str, Any], wish: str | None) -> str:
    low, high = params["min"], params["max"]
    if not all(isinstance(bound, int | float | type(None)) for bound in (low, high)):
        bounds = {name: getattr(bound, "array", bound) for name, bound in params.items()}
        return w.write("call", *args, function=clipped, keywords=bounds, wish=wish)
    y = (
        args[0]
        if low is None
        else w.write("maximum", args[0], low, wish=None if high is not None else wish)
    )
    return (
        str(y)
        if high is None and low is not None
        else w.write("minimum", y, float("inf") if high is None else high, wish=wish)
    )


def _reshape(shape: Callable[[np.ndarray, dict[str, Any]], tuple[int, ...]]) -> Callable[..., str]:
    def write(w: Writer, args: list[Ref], params: dict[str, Any], wish: str | None) -> str:
        array = w.arrays[args[0]] if isinstance(args[0], str) else np.asarray(args[0])
        return w.write("reshape", args[0], shape=shape(array, params), wish=wish)

    return write


def _transposed(w: Writer, args: list[Ref], params: dict[str, Any], wish: str | None) -> str:
    n = len(w.shape(args[0]))
    axes = params["axes"]
    order = (
        tuple(reversed(range(n)))
        if axes is None
        else (0,) * (n == 1)
        if np.ndim(axes) == 0
        else tuple(int(i) % n for i in axes)
    )
    return w.write("transpose", args[0], axes=order, wish=wish)


def _flipped(w: Writer, args: list[Ref], params: dict[str, Any], wish: str | None) -> str:
    n = len(w.shape(args[0]))
    axes = axes_from_the_end(w.shape(args[0]), params["axis"])
    return w.write(
        "index",
        args[0],
        index=(..., *(slice(None, None, -1 if i - n in axes else None) for i in range(n))),
        wish=wish,
    )


def _stacked(w: Writer, args: list[Ref], params: dict[str, Any], wish: str | None) -> str:
    n = len(w.shape(args[0])) + 1
    axis = params["axis"] % n
    shape = w.shape(args[0])
    wide = [w.write("reshape", arg, shape=(*shape[:axis], 1, *shape[axis:])) for arg in args]
    return w.write("concatenate", *wide, axis=axis - n, wish=wish)


def _concatenated(w: Writer, args: list[Ref], params: dict[str, Any], wish: str | None) -> str:
    n = len(w.shape(args[0]))
    return w.write("concatenate", *args, axis=params["axis"] % n - n, wish=wish)


def _scattered(w: Writer, args: list[Ref], params: dict[str, Any], wish: str | None) -> str:
    """Write one concatenation, with zeros in the gaps, if the parts lie along one axis.

    Other parts are added into an array of zeros.
    """
    shape = tuple(params["shape"])
    tiles = [(_tile(index, shape), arg) for arg, index in zip(args, params["indices"], strict=True)]
    places = sorted((place, str(arg)) for place, arg in tiles if place is not None)
    if len(places) < len(args) or len({axis for (axis, _, _), _ in places}) > 1:
        return w.write("call", *args, function=scattered, keywords=dict(params), wish=wish)
    ends = [0, *(stop for (_, _, stop), _ in places)]
    if any(start < end for ((_, start, _), _), end in zip(places, ends, strict=False)):
        return w.write("call", *args, function=scattered, keywords=dict(params), wish=wish)
    axis, joined = places[0][0][0], []
    for ((_, start, _), arg), end in zip(places, ends, strict=False):
        joined += [*w.zeros(shape, axis, start - end, w.arrays[arg].dtype), arg]
    joined += w.zeros(shape, axis, shape[axis] - ends[-1], w.arrays[joined[-1]].dtype)
    return w.write("concatenate", *joined, axis=axis - len(shape), wish=wish)


def clipped(a: Any, min: Any, max: Any) -> Any:
    """Return a, clipped to the range from `min` to `max`."""
    return np.clip(a, min, max)


def scattered(*parts: Any, indices: Any, shape: Any) -> Any:
    """Return zeros of `shape` with each part added at its index."""
    whole = np.zeros(shape, parts[0].dtype)
    for part, index in zip(parts, indices, strict=True):
        np.add.at(whole, index, part)
    return whole


def _tile(index: Any, shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Return (axis, start, stop) of an index that is one slice, or None for any other index."""
    entries = list(index) if isinstance(index, tuple) else [index]
    if Ellipsis in [e for e in entries if not isinstance(e, np.ndarray)]:
        at = next(i for i, e in enumerate(entries) if e is Ellipsis)
        entries[at : at + 1] = [slice(None)] * (len(shape) - len(entries) + 1)
    if not all(isinstance(e, slice) and e.step in (None, 1) for e in entries):
        return None
    bounds = [e.indices(n)[:2] for e, n in zip(entries, shape, strict=False)]
    cut = [i for i, (b, n) in enumerate(zip(bounds, shape, strict=False)) if b != (0, n)]
    return (cut[0], *bounds[cut[0]]) if len(cut) == 1 else None


def _linear(w: Writer, args: list[Ref], params: dict[str, Any], wish: str | None) -> str:
    x, weight, bias = args
    n = len(w.shape(weight))
    y = w.write("dot", x, w.write("transpose", weight, axes=tuple(reversed(range(n)))))
    return w.write("add", y, bias, wish=wish)


def _compared(
    w: Writer, args: list[Ref], params: dict[str, Any], wish: str | None, name: str
) -> str:
    return w.write(name, *args, wish=wish)


ARRANGED: dict[str, Callable[..., str]] = {
    **{name: _reduced(name) for name in ("sum", "prod", "max", "min")},
    "mean": _mean, "var": _variance, "clip": _clipped,
    "reshape": _reshape(lambda a, p: np.reshape(a, p["shape"]).shape),
    "squeeze": _reshape(lambda a, p: np.squeeze(a, p["axis"]).shape),
    "expand_dims": _reshape(lambda a, p: np.expand_dims(a, p["axis"]).shape),
    "flip": _flipped, "transpose": _transposed, "stack": _stacked, "concatenate": _concatenated,
    "scatter": _scattered, "linear": _linear,
    "matmul": lambda w, args, params, wish: w.write("dot", *args, wish=wish),
    "getitem": lambda w, args, p, wish: w.write("index", *args, index=p["index"], wish=wish),
    "broadcast_to": lambda w, args, params, wish: w.write(
        "broadcast", *args, shape=w_shape(w, args, params), wish=wish),
    "copy": lambda w, args, params, wish: w.write("copy", *args, wish=wish),
    **{name: partial(_compared, name=name) for name in COMPARED},
    "astype": lambda w, args, params, wish: w.write(
        "astype", *args, dtype=np.dtype(params["dtype"]), wish=wish),
}  # fmt: skip
"""Functions that write reductions, products and rearrangements of entries as NumPy calls."""


def w_shape(w: Writer, args: list[Ref], params: dict[str, Any]) -> tuple[int, ...]:
    """Return the shape of a broadcast."""
    return np.broadcast_to(
        w.arrays[args[0]] if isinstance(args[0], str) else args[0], params["shape"]
    ).shape
