"""Recorded ops as lines.

An op becomes lines by its own source: where `forward` is an expression, as in ``np.reciprocal(1 + np.exp(-a))``, that expression is
taken apart (`_Expression`); of an op on the arrangement of entries a table knows what it is in NumPy (`ARRANGED`); any other is
called as it is.
"""

from __future__ import annotations

import ast
import inspect
import keyword
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np

from ..draw.text import expression
from ..graph import Node, Value
from ..notation import source
from ..op import Op, registry
from .lines import COMPARED, UFUNCS, Line, Ref, compute

LONGEST = 40
"""How long the formula of an unnamed result may be to stand within that of another."""


class _NotAnExpression(Exception):
    """A function is more than an expression that can be taken apart."""


@dataclass
class Writer:
    """Lines as they are written, and the numbers that they gave for the stand-ins, from which shapes and dtypes are known.

    Attributes
    ----------
    lines : dict of str to Line
    names : dict of int to str
        What the array with this id is called.
    arrays : dict of str to ndarray
    constants : dict of str to ndarray
        Arrays that no line made and nobody handed in.
    """

    lines: dict[str, Line] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    arrays: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    others: dict[tuple[str, str], str] = field(default_factory=dict)

    def fresh(self, wish: str) -> str:
        """A name that is not taken: the wish, or with a number behind it."""
        wish = "".join(c if c.isalnum() or c == "_" else "_" for c in wish) or "v"
        wish = f"v{wish}" if not (wish[0].isalpha() or wish[0] == "_") else wish
        name, n = f"{wish}_" if wish in RESERVED else wish, 1
        while name in self.taken or name in RESERVED:
            n += 1
            name = f"{wish}{n}" if not wish[-1].isdigit() else f"{wish}_{n}"
        self.taken.add(name)
        return name

    @staticmethod
    def temporary(name: str) -> bool:
        """Whether a value has no name of its own."""
        return name[0] == "t" and not name[1:].strip("0123456789_")

    def beside(self, name: str, wish: str) -> str:
        """A name for what belongs to the value `name`: the same each time."""
        if (name, wish) not in self.others:
            self.others[name, wish] = self.fresh(wish)
        return self.others[name, wish]

    def plural(self, name: str) -> str:
        """What all time steps of a value are called together: ``h`` gives ``hs``, ``x_r`` gives ``xs_r``."""
        base, line, rest = name.removesuffix("_prev").partition("_")
        return self.beside(name, f"{base}s{line}{rest}")

    def given(self, x: Any, wish: str) -> str:
        """The name of an array that is handed in."""
        array = getattr(x, "array", x)
        if id(array) not in self.names:
            self.names[id(array)] = self.fresh(wish)
            self.arrays[self.names[id(array)]] = array
        return self.names[id(array)]

    def write(self, fn: str, *args: Ref, wish: str = "t", **settings: Any) -> str:
        """Add a line, and return the name of its result."""
        numbers = [self.arrays[arg] if isinstance(arg, str) else arg for arg in args]
        result = compute(fn, numbers, settings)
        name = self.fresh(wish)
        self.arrays[name] = result
        self.lines[name] = Line(name, fn, args, settings, result.shape, result.dtype)
        return name

    def zeros(self, shape: tuple[int, ...], axis: int, size: int, dtype: np.dtype) -> list[str]:
        """Zeros to fill a gap of `size` along an axis: none, or one constant."""
        if size == 0:
            return []
        array = np.zeros((*shape[:axis], size, *shape[axis + 1 :]), dtype)
        name = self.given(array, "zeros")
        self.constants[name] = array
        return [name]

    # -- what was recorded ----------------------------------------------------------------------------

    def record(self, value: Value) -> None:
        """Add the lines of one recorded value."""
        node = value.node
        assert node is not None
        args = [self.ref(x, array) for x, array in zip(node.inputs, node.arrays, strict=True)]
        wish = value.name or "t"
        name = self.op(node, args, wish)
        dtype = value.array.dtype
        if isinstance(name, str) and self.arrays[name].dtype != dtype and self.arrays[name].dtype.kind != "b":
            name = self.write("astype", name, dtype=dtype, wish=wish)
        self.names[id(value.array)] = name
        self.kept.append(value)
        self._note(value, node, name, args)

    kept: list[Value] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    inline: dict[Value, tuple[str, int]] = field(default_factory=dict)

    def _note(self, value: Value, node: Node, name: str, args: list[Ref]) -> None:
        """The formula of a line, with those of unnamed results in it, for the comment beside it."""
        labels = {x: arg for x, arg in zip(node.inputs, args, strict=True) if isinstance(x, Value) and isinstance(arg, str)}
        formula, level = expression(node, labels, self.inline)
        self.notes[name] = formula.replace(" [axes=(1, 0)]", "")
        if not value.name:
            self.inline[value] = (formula, level) if len(formula) <= LONGEST else ("…", 4)

    def ref(self, x: Any, array: Any) -> Ref:
        """What a line calls an input of a node."""
        if not isinstance(array, np.ndarray):
            return array
        if id(array) in self.names:
            return self.names[id(array)]
        if array.ndim == 0 and not (isinstance(x, Value) and (x.name or x.tracked)):
            return array.item()
        name = self.given(array, getattr(x, "name", None) or "constant")
        self.constants[name] = array
        return name

    def op(self, node: Node, args: list[Ref], wish: str) -> str:
        """The lines of one op; the name of its result."""
        name, params = node.op.name, node.params
        if name in ARRANGED:
            return ARRANGED[name](self, args, params, wish)
        mark = dict(self.lines), set(self.taken)
        try:
            found = _Expression(self, node.op, args, params, wish).result()
            if isinstance(found, str) and found not in args:
                return found
            return self.write("copy", found, wish=wish)
        except _NotAnExpression:
            self.lines, self.taken = mark
        return self.write("call", *args, function=node.op.forward, keywords=params, wish=wish)

    def shape(self, ref: Ref) -> tuple[int, ...]:
        """The shape of what a name stands for."""
        return np.shape(self.arrays[ref]) if isinstance(ref, str) else ()


RESERVED = frozenset({"np", "T", "t", "len", "range", "reversed", "saved", "forward", "backward", *keyword.kwlist})
"""Names that a program has uses for."""


# -- ops on the arrangement of entries ---------------------------------------------------------------


def _axes(w: Writer, a: Ref, axis: Any) -> tuple[int, ...]:
    """Axes counted from the end, in order."""
    n = len(w.shape(a))
    axes = range(n) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return tuple(sorted(int(i) % n - n for i in axes)) if n else ()


def _reduced(fn: str) -> Callable[..., str]:
    def write(w: Writer, args: list[Ref], params: dict[str, Any], wish: str) -> str:
        return w.write(fn, args[0], axis=_axes(w, args[0], params["axis"]), keepdims=bool(params["keepdims"]), wish=wish)

    return write


def _mean(w: Writer, args: list[Ref], params: dict[str, Any], wish: str) -> str:
    total = _reduced("sum")(w, args, params, "t")
    count = int(np.prod(w.shape(args[0]))) / max(int(np.prod(w.shape(total))), 1)
    return w.write("divide", total, count, wish=wish)


def _variance(w: Writer, args: list[Ref], params: dict[str, Any], wish: str) -> str:
    far = w.write("subtract", args[0], _mean(w, args, {**params, "keepdims": True}, "t"))
    total = _reduced("sum")(w, [w.write("multiply", far, far)], params, "t")
    count = int(np.prod(w.shape(args[0]))) / max(int(np.prod(w.shape(total))), 1)
    return w.write("divide", total, count - params["ddof"], wish=wish)


def _clipped(w: Writer, args: list[Ref], params: dict[str, Any], wish: str) -> str:
    low, high = params["min"], params["max"]
    if not all(isinstance(bound, int | float | type(None)) for bound in (low, high)):
        return w.write("call", *args, function=registry["clip"].forward, keywords=params, wish=wish)
    y = args[0] if low is None else w.write("maximum", args[0], low, wish="t" if high is not None else wish)
    return str(y) if high is None and low is not None else w.write("minimum", y, float("inf") if high is None else high, wish=wish)


def _reshape(shape: Callable[[np.ndarray, dict[str, Any]], tuple[int, ...]]) -> Callable[..., str]:
    def write(w: Writer, args: list[Ref], params: dict[str, Any], wish: str) -> str:
        array = w.arrays[args[0]] if isinstance(args[0], str) else np.asarray(args[0])
        return w.write("reshape", args[0], shape=shape(array, params), wish=wish)

    return write


def _transposed(w: Writer, args: list[Ref], params: dict[str, Any], wish: str) -> str:
    n = len(w.shape(args[0]))
    axes = params["axes"]
    order = tuple(reversed(range(n))) if axes is None else (0,) * (n == 1) if np.ndim(axes) == 0 else tuple(int(i) % n for i in axes)
    return w.write("transpose", args[0], axes=order, wish=wish)


def _stacked(w: Writer, args: list[Ref], params: dict[str, Any], wish: str) -> str:
    n = len(w.shape(args[0])) + 1
    axis = params["axis"] % n
    shape = w.shape(args[0])
    wide = [w.write("reshape", arg, shape=(*shape[:axis], 1, *shape[axis:])) for arg in args]
    return w.write("concatenate", *wide, axis=axis - n, wish=wish)


def _concatenated(w: Writer, args: list[Ref], params: dict[str, Any], wish: str) -> str:
    n = len(w.shape(args[0]))
    return w.write("concatenate", *args, axis=params["axis"] % n - n, wish=wish)


def _scattered(w: Writer, args: list[Ref], params: dict[str, Any], wish: str) -> str:
    """Parts that lie along one axis are put one after another, with zeros between them; others are added into zeros."""
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


def scattered(*parts: Any, indices: Any, shape: Any) -> Any:
    """An array of zeros of `shape`, with each part added at its index."""
    whole = np.zeros(shape, parts[0].dtype)
    for part, index in zip(parts, indices, strict=True):
        np.add.at(whole, index, part)
    return whole


def _tile(index: Any, shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """The axis and the bounds of an index that is one slice."""
    entries = list(index) if isinstance(index, tuple) else [index]
    if Ellipsis in [e for e in entries if not isinstance(e, np.ndarray)]:
        at = next(i for i, e in enumerate(entries) if e is Ellipsis)
        entries[at : at + 1] = [slice(None)] * (len(shape) - len(entries) + 1)
    if not all(isinstance(e, slice) and e.step in (None, 1) for e in entries):
        return None
    bounds = [e.indices(n)[:2] for e, n in zip(entries, shape, strict=False)]
    cut = [i for i, (b, n) in enumerate(zip(bounds, shape, strict=False)) if b != (0, n)]
    return (cut[0], *bounds[cut[0]]) if len(cut) == 1 else None


def _linear(w: Writer, args: list[Ref], params: dict[str, Any], wish: str) -> str:
    x, weight, bias = args
    n = len(w.shape(weight))
    y = w.write("dot", x, w.write("transpose", weight, axes=tuple(reversed(range(n)))))
    return w.write("add", y, bias, wish=wish)


def _compared(w: Writer, args: list[Ref], params: dict[str, Any], wish: str, name: str) -> str:
    return w.write(name, *args, wish=wish)


ARRANGED: dict[str, Callable[..., str]] = {
    "sum": _reduced("sum"), "prod": _reduced("prod"), "max": _reduced("max"), "min": _reduced("min"), "mean": _mean,
    "var": _variance, "clip": _clipped,
    "reshape": _reshape(lambda a, p: np.reshape(a, p["shape"]).shape),
    "squeeze": _reshape(lambda a, p: np.squeeze(a, p["axis"]).shape),
    "expand_dims": _reshape(lambda a, p: np.expand_dims(a, p["axis"]).shape),
    "transpose": _transposed, "stack": _stacked, "concatenate": _concatenated, "scatter": _scattered, "linear": _linear,
    "matmul": lambda w, args, params, wish: w.write("dot", *args, wish=wish),
    "getitem": lambda w, args, params, wish: w.write("index", *args, index=params["index"], wish=wish),
    "broadcast_to": lambda w, args, params, wish: w.write("broadcast", *args, shape=w_shape(w, args, params), wish=wish),
    "copy": lambda w, args, params, wish: w.write("copy", *args, wish=wish),
    **{name: partial(_compared, name=name) for name in COMPARED},
    "astype": lambda w, args, params, wish: w.write("astype", *args, dtype=np.dtype(params["dtype"]), wish=wish),
}  # fmt: skip
"""How an op on the arrangement of entries, a sum or a product is written in NumPy."""


def w_shape(w: Writer, args: list[Ref], params: dict[str, Any]) -> tuple[int, ...]:
    """The shape that a broadcast gives."""
    return np.broadcast_to(w.arrays[args[0]] if isinstance(args[0], str) else args[0], params["shape"]).shape


# -- ops that are expressions ------------------------------------------------------------------------


class _Expression:
    """The forward of an op, or a rule, as lines: its source, taken apart."""

    def __init__(self, writer: Writer, op: Op, args: list[Ref], params: dict[str, Any], wish: str):
        self.writer, self.wish = writer, wish
        function = inspect.unwrap(op.forward)
        self.scope = getattr(function, "__globals__", {})
        self.names: dict[str, Any] = {**dict(zip(_arguments(function), args, strict=False)), **params}
        self.body = _body(function)

    def result(self) -> Ref:
        """Write the lines; the name of the result."""
        *before, last = self.body
        for statement in before:
            if not (isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)):
                raise _NotAnExpression
            self.names[statement.targets[0].id] = self.value(statement.value, "t")
        if not isinstance(last, ast.Return) or last.value is None:
            raise _NotAnExpression
        return self.value(last.value, self.wish)

    def value(self, e: ast.expr, wish: str = "t") -> Any:
        """The name, or the number, that an expression gives."""
        match e:
            case ast.Constant():
                return e.value
            case ast.Name() if e.id in self.names:
                return self.names[e.id]
            case ast.UnaryOp(op=ast.USub()):
                inner = self.value(e.operand)
                return self.writer.write("negative", inner, wish=wish) if isinstance(inner, str) else -inner
            case ast.BinOp() if type(e.op) in BINARY:
                return self._applied(BINARY[type(e.op)], [self.value(e.left), self.value(e.right)], wish)
            case ast.Compare(ops=[found]) if type(found) in COMPARES:
                return self._applied(COMPARES[type(found)], [self.value(e.left), self.value(e.comparators[0])], wish)
            case ast.Call():
                return self._call(e, wish)
        raise _NotAnExpression

    def _applied(self, fn: str, args: list[Any], wish: str) -> Any:
        if not any(isinstance(arg, str) for arg in args):
            return compute(fn, args, {}).item()
        if not all(isinstance(arg, str | float | int | bool) for arg in args):
            raise _NotAnExpression
        return self.writer.write(fn, *args, wish=wish)

    def _call(self, e: ast.Call, wish: str) -> Any:
        function = ast.unparse(e.func)
        args = [self.value(arg) for arg in e.args if not isinstance(arg, ast.Starred)]
        if len(args) < len(e.args):
            raise _NotAnExpression
        plain = function.removeprefix("np.")
        plain = {"abs": "absolute"}.get(plain, plain)
        if function.startswith("np.") and plain in UFUNCS and not e.keywords:
            return self._applied(plain, args, wish)
        if function in REDUCED:
            settings = {keyword.arg: self.value(keyword.value) for keyword in e.keywords}
            axis = _axes(self.writer, args[0], args[1] if len(args) > 1 else settings.get("axis"))
            return self.writer.write(REDUCED[function], args[0], axis=axis, keepdims=bool(settings.get("keepdims")), wish=wish)
        known = self.scope.get(function)
        if isinstance(known, Op) and not e.keywords and not known.variadic and not known.defaults:
            return _Expression(self.writer, known, args, {}, wish).result()
        raise _NotAnExpression


BINARY = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "power", ast.BitAnd: "logical_and"}
COMPARES = {ast.Eq: "equal", ast.NotEq: "not_equal", ast.Lt: "less", ast.LtE: "less_equal", ast.Gt: "greater", ast.GtE: "greater_equal"}
REDUCED = {"np.add.reduce": "sum", "np.multiply.reduce": "prod", "np.maximum.reduce": "max", "np.minimum.reduce": "min"}


@cache
def _arguments(function: Callable[..., Any]) -> list[str]:
    """The names of the arguments of a function that takes each by itself."""
    arguments = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in arguments):
        raise _NotAnExpression
    return [p.name for p in arguments]


@cache
def _body(function: Callable[..., Any]) -> list[ast.stmt]:
    """The statements of a function; of a lambda the one that returns."""
    try:
        if function.__name__ == "<lambda>":
            return [ast.Return(ast.parse(source(function), mode="eval").body)]
        (made,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, SyntaxError, ValueError, TypeError) as error:
        raise _NotAnExpression from error
    if isinstance(made, ast.Assign) or not isinstance(made, ast.FunctionDef):
        raise _NotAnExpression
    statements = made.body
    return statements[1:] if ast.get_docstring(made) is not None else statements
