"""Write the stubs: what type checkers and editors read about the ops and about Tensor.

In the source an op takes and returns anything. The stubs say more: a Tensor among the arguments
gives a Tensor, and plain arrays alone give an array. Run this after you add or change an op, a
composition or a method of Tensor::

    PYTHONPATH=tests python tests/stubs/write_stubs.py
"""

import inspect
import re
from inspect import Parameter
from pathlib import Path

from internals import Op, Value

import tinygrad_rnn as tg

COMMAND = "PYTHONPATH=tests python tests/stubs/write_stubs.py"
PACKAGE = Path(__file__).parents[2] / "tinygrad_rnn"
OWN = tg.Tensor.__module__

NESTED = {"arrays", "parts", "tup", "choices", "choicelist", "condlist", "operands"}
"""The arguments that are sequences of arrays."""
KINDS = {
    "axis": "Axis",
    "axes": "Axis | Sequence[int | Sequence[int]]",
    "source": "Axis",
    "destination": "Axis",
    "shape": "int | Sequence[int]",
    "dtype": "DTypeLike | None",
    "index": "Any",
    "indices": "Any",
    "funclist": "Any",
    "obj": "Any",
}
"""The types of settings for which the source says Any."""
PROPERTIES = {"shape": "tuple[int, ...]", "ndim": "int", "size": "int", "dtype": "np.dtype[Any]"}
PROPERTIES |= {"grad": "NDArray[Any] | None", "name": "str | None"}
"""The types of the properties of Tensor for which the source says nothing."""
SETTERS = {"data": "Plain | Tensor"}
"""The types of what may be assigned to the properties of Tensor."""
LEFT_OUT = {"__array__", "__deepcopy__", "__reduce__"}
"""Methods that people do not call.

Without ``__array__``, a checker asks the Tensor for the type of ``array + tensor``.
"""

OPS = f'''"""The types of the ops. To write this file again, run:

{COMMAND}
"""

from collections.abc import Sequence
from types import EllipsisType
from typing import Any, Literal, TypeAlias, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..op import Op
from ..tensor import Tensor
@imports

Plain: TypeAlias = float | np.number[Any] | np.bool | NDArray[Any] | list[Plain] | tuple[Plain, ...]
Plains: TypeAlias = Plain | Sequence[Plains]
Tensors: TypeAlias = Tensor | Plain | Sequence[Tensors]
Indices: TypeAlias = str | Sequence[int | EllipsisType]
Axis: TypeAlias = int | Sequence[int] | None
'''
TENSOR = f'''"""The types of Tensor. To write this file again, run:

{COMMAND}
"""

from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .graph import Value
from .ops import Axis, Plain

class Tensor(Value):
'''
OVERLAP = "  # type: ignore[overload-overlap, unused-ignore]"
OVERLAP += "  # pyright: ignore[reportOverlappingOverload]"
OVERRIDE = "  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]"

ATLEAST = [
    ("ary: Tensor, /", "Tensor"),
    ("ary: Plain, /", "NDArray[Any]"),
    ("*arys: Tensors", "tuple[Any, ...]"),
]
LINSPACE = "num: int = 50, endpoint: bool = True"
AVERAGE = "axis: Axis = None"
BY_HAND = {
    "atleast_1d": ATLEAST,
    "atleast_2d": ATLEAST,
    "atleast_3d": ATLEAST,
    "average": [
        (f"a: Tensor, {AVERAGE}, weights: Any = None, returned: Literal[False] = False, *, "
         "keepdims: bool = False", "Tensor"),
        (f"a: Plain, {AVERAGE}, weights: Plain | None = None, returned: Literal[False] = False, "
         "*, keepdims: bool = False", "NDArray[Any]"),
        (f"a: Tensor, {AVERAGE}, weights: Any = None, *, returned: Literal[True], "
         "keepdims: bool = False", "tuple[Tensor, Any]"),
        (f"a: Plain | Tensor, {AVERAGE}, weights: Any = None, returned: bool = False, *, "
         "keepdims: bool = False", "Any"),
    ],
    "block": [("arrays: Any", "Any")],  # pyright does not tell lists in lists apart
    "gradient": [
        ("f: Tensor, *varargs: Tensors, axis: int, edge_order: int = 1", "Tensor"),
        ("f: Plain | Tensor, *varargs: Tensors, axis: Axis = None, edge_order: int = 1", "Any"),
    ],
    "linspace": [
        (f"{ends}, {LINSPACE}, {flag}, axis: int = 0", result)
        for flag, kind in (
            ("retstep: Literal[False] = False", "{}"),
            ("*, retstep: Literal[True]", "tuple[{0}, {0}]"),
            ("retstep: bool = False", "Any"),
        )
        for ends, result in (
            ("start: Tensor, stop: Tensor | Plain", kind.format("Tensor")),
            ("start: Plain, stop: Tensor", kind.format("Tensor")),
            ("start: Plain, stop: Plain", kind.format("NDArray[Any]")),
        )
    ],
    "svd": [
        ("a: Tensors, full_matrices: bool = True, compute_uv: Literal[True] = True", "SVDResult"),
        ("a: Tensor, full_matrices: bool = True, *, compute_uv: Literal[False]", "Tensor"),
        ("a: Plain, full_matrices: bool = True, *, compute_uv: Literal[False]", "NDArray[Any]"),
        ("a: Plain | Tensor, full_matrices: bool = True, compute_uv: bool = True", "Any"),
    ],
}  # fmt: skip
"""The ways to call a function whose result depends on more than which argument is a Tensor.

The result is ``Any`` where it depends on the number of axes.
"""


# -- signatures ------------------------------------------------------------------------------------


def parameters(function):
    """Return the parameters of a function. The settings of an op may be positional too."""
    found = list(inspect.signature(getattr(function, "forward", function)).parameters.values())
    if isinstance(function, Op):
        found = [p.replace(kind=Parameter.POSITIONAL_OR_KEYWORD) for p in found]
    return found


def result_of(function):
    """Return the annotation of a function's result."""
    result = inspect.signature(getattr(function, "forward", function)).return_annotation
    return "None" if result is Parameter.empty else result.replace("np.ndarray", "NDArray[Any]")


def array_names(function):
    """Return the names of the arguments that are arrays or sequences of arrays, not settings."""
    if isinstance(function, Op):
        return list(function.inputs)
    return [
        p.name
        for p in parameters(function)
        if p.annotation == "Any" and p.default is Parameter.empty and p.name not in KINDS
    ]


def imports_of(functions):
    """Return the lines that import the classes of results, such as ``EighResult``."""
    found = set()
    for function in functions:
        known = getattr(inspect.unwrap(function), "__globals__", {})
        for name in re.findall(r"\w+", " ".join(result for _, result in overloads(function))):
            kind = known.get(name)
            if inspect.isclass(kind) and kind.__module__.startswith("tinygrad_rnn.ops."):
                found.add(f"from .{kind.__module__.rpartition('.')[2]} import {name}")
    return "\n".join(sorted(found))


def write_parameter(p, kind=None):
    """Return ``name: type = default``, with `kind` for the type if it is given."""
    kind = kind or (KINDS.get(p.name, "Any") if p.annotation == "Any" else p.annotation)
    name = f"*{p.name}" if p.kind is Parameter.VAR_POSITIONAL else p.name
    if p.kind is Parameter.VAR_KEYWORD:
        name = f"**{p.name}"
        kind += "" if kind in ("Tensor", "Any") else " | str"  # np.pad(..., reflect_type="odd")
    if p.default is Parameter.empty:
        return f"{name}: {kind}"
    is_literal = isinstance(p.default, int | float | str | tuple | None)
    return f"{name}: {kind} = {p.default!r}" if is_literal else f"{name}: {kind} = ..."


def write_arguments(given, kinds=None):
    """Return the arguments of a call, with ``*`` before those that are keyword-only."""
    written, star = [], any(p.kind is Parameter.VAR_POSITIONAL for p in given)
    for p in given:
        if p.kind is Parameter.KEYWORD_ONLY and not star:
            written.append("*")
            star = True
        written.append(write_parameter(p, (kinds or {}).get(p.name)))
    return ", ".join(written)


def overloads(function):
    """Return (arguments, result) for each way to call a function.

    Each argument in turn is the first that is a Tensor. In the last way it has no counterpart.
    """
    given, result = parameters(function), result_of(function)
    arrays = array_names(function)
    name = getattr(function, "__name__", "")
    if name in BY_HAND and getattr(tg, name) is function:
        return BY_HAND[name]
    if "Any" not in result or "NDArray" in result or not arrays:
        kinds = dict.fromkeys(arrays, "Tensors")
        return [(write_arguments(given, kinds), result)]
    if any(p.kind is Parameter.VAR_POSITIONAL for p in given):
        # Some of the operands of `einsum` are text or lists of axes.
        ways = [dict.fromkeys(arrays, f"{kind} | Indices") for kind in ("Plains", "Tensors")]
        results = ["NDArray[Any]", "Tensor"]
    elif NESTED & set(arrays):
        # A list whose items a checker does not know counts as a list of Tensors.
        ways = [dict.fromkeys(arrays, kind) for kind in ("Sequence[Tensor]", "Plains", "Tensors")]
        results = ["Tensor", "NDArray[Any]", "Tensor"]
    else:
        ways = [
            {name: ["Plain", "Tensor", "Tensor | Plain"][(j >= i) + (j > i)]
             for j, name in enumerate(arrays)}
            for i in range(len(arrays) + 1)
        ]  # fmt: skip
        results = ["Tensor"] * len(arrays) + ["NDArray[Any]"]
    return [
        (write_arguments(given, way), result.replace("Any", out))
        for way, out in zip(ways, results, strict=True)
    ]


def write_function(name, ways, first=""):
    """Return a function or method with its overloads, each on one line."""
    lines = []
    for i, (arguments, result) in enumerate(ways):
        may_overlap = "Plains" in arguments or ways in BY_HAND.values()
        overlaps = OVERLAP if may_overlap and i < len(ways) - 1 else ""
        inside = ", ".join(filter(None, [first, arguments]))
        lines += ["@overload"] * (len(ways) > 1)
        lines.append(f"def {name}({inside}) -> {result}: ...{overlaps}")
    return lines


def indent(lines):
    """Return the lines, four columns to the right."""
    return [f"    {line}" for line in lines]


# -- the two stubs ---------------------------------------------------------------------------------


def write_ops():
    """Return the stub of the package `ops`: one class for each form of call, and the names."""
    forms, names = {}, []
    for name in tg.ops.__all__:
        function = getattr(tg.ops, name)
        ways = overloads(function)
        summary = inspect.getdoc(function).partition("\n\n")[0].replace("\n", " ")
        if isinstance(function, Op):
            form = "_".join(["Op", *[p.name for p in parameters(function)]])
            number = 1
            while forms.setdefault(form, ways) != ways:
                form, number = f"{form.removesuffix(f'_{number}')}_{number + 1}", number + 1
            names.append(f'{name}: {form}\n"""{summary}"""')
        else:
            names.append("\n".join(write_function(name, ways)))
    classes = [
        "\n".join([f"class {form}(Op):", *indent(write_function("__call__", ways, "self"))])
        for form, ways in forms.items()
    ]
    public = ",\n    ".join(f'"{name}"' for name in tg.ops.__all__)
    imported = imports_of(getattr(tg.ops, name) for name in tg.ops.__all__)
    return "\n\n".join(
        [OPS.replace("@imports", imported), *classes, *names, f"__all__ = [\n    {public},\n]\n"]
    )


def write_property(name, value):
    """Return the lines of a property of Tensor, with its setter."""
    is_named = inspect.isfunction(value.fget) and value.fget.__name__ == name
    kind = result_of(value.fget) if is_named else PROPERTIES.get(name, "Self")
    lines = ["@property", f"def {name}(self) -> {kind}: ..."]
    if value.fset:
        (given,) = parameters(value.fset)[1:]
        arguments = write_parameter(given, SETTERS.get(name))
        lines += [f"@{name}.setter", f"def {name}(self, {arguments}) -> None: ..."]
    return lines


def write_method(name, value):
    """Return the lines of a method of Tensor: an op, a function of `ops`, or its own method.

    A method that only raises an error is left out: then a checker reports its call.
    """
    if name == "__hash__":
        return ["def __hash__(self) -> int: ..."]
    result, (_, *given) = result_of(value), parameters(value)
    given = [p for p in given if p.name != "more"]  # which is there for the text of an error
    if result == "NoReturn":
        return []
    if "<lambda>" in value.__qualname__:
        overrides = OVERRIDE if name in ("__eq__", "__ne__") else ""
        return [f"def {name}(self, other: Any) -> NDArray[np.bool]: ...{overrides}"]
    is_array_method = name.startswith("__array")
    arrays = [] if is_array_method or value.__module__ == OWN else array_names(value)
    kinds = dict.fromkeys(["other", *arrays], "Tensor | Plain")
    if value.__module__ != OWN and not is_array_method and "NDArray" not in result:
        result = result.replace("Any", "Self")
    overlap = "  # type: ignore[misc]" if name == "__rmul__" else ""  # mypy asks a list first
    (line,) = write_function(name, [(write_arguments(given, kinds), result)], "self")
    return [line + overlap]


def write_tensor():
    """Return the stub of the module `tensor`."""
    kinds = [kind for kind in tg.Tensor.__mro__ if kind not in Value.__mro__]
    members = {name: value for kind in reversed(kinds) for name, value in vars(kind).items()}
    lines = []
    for name, value in members.items():
        if name not in LEFT_OUT and (callable(value) or isinstance(value, property)):
            write = write_property if isinstance(value, property) else write_method
            lines += write(name, value)
    return TENSOR + "\n".join(indent(lines)) + "\n"


STUBS = {PACKAGE / "ops" / "__init__.pyi": write_ops, PACKAGE / "tensor.pyi": write_tensor}

if __name__ == "__main__":
    for path, write in STUBS.items():
        path.write_text(write(), encoding="utf-8")
