"""Lines over time: what a line of a loop's body computes, for all steps at once.

The arrays have one axis more than the variables inside of the loop: axis 0, the time.
"""

from __future__ import annotations

from math import prod
from typing import Any

from .instructions import REDUCTIONS, Instruction, Loop, Variable
from .rewriting import ELEMENTWISE, shape_of, write

OVER_TIME = frozenset({
    *ELEMENTWISE, *REDUCTIONS, "matmul", "transpose", "reshape", "index", "broadcast_to",
    "concatenate",
})  # fmt: skip
"""Functions that `over_time` can write."""

Wholes = dict[Variable, Variable]
"""For a variable inside of a loop, the array of its values in all steps."""


def slices_of(loop: Loop) -> Wholes:
    """Return the arrays whose slices a loop reads."""
    return {x: whole for x, whole in loop.slices if whole.shape[0] == loop.steps}


def stack(loop: Loop, wholes: Wholes, x: Variable) -> Variable:
    """Return the array of the values of `x` in all steps; stack them first if they are not."""
    if x not in wholes:
        wholes[x] = Variable(x.name, (loop.steps, *x.shape), x.dtype, x.note)
        loop.stacks.append((x, wholes[x]))
    return wholes[x]


def over_time(lines: list[Any], line: Instruction, wholes: Wholes, steps: int) -> Variable:
    """Append what `line` computes in all steps, and return the array of its results.

    Arguments that are not in `wholes` are the same in every step.
    """
    function, args, settings = line.function, line.args, dict(line.settings)
    rank = len(line.out.shape)
    match function:
        case "matmul":
            out = _products(lines, line, wholes, steps)
        case "concatenate":
            settings["axis"] = settings["axis"] % rank + 1
            parts = [_repeated(lines, part, wholes, steps) for part in args]
            out = write(lines, function, *parts, **settings)
        case "transpose":
            settings["axes"] = (0, *(axis + 1 for axis in settings["axes"]))
            out = write(lines, function, wholes[args[0]], **settings)
        case "index":
            index = settings["index"]
            index = (slice(None), *(index if isinstance(index, tuple) else (index,)))
            out = write(lines, function, wholes[args[0]], index=index)
        case "reshape":
            out = with_shape(lines, wholes[args[0]], (steps, *line.out.shape))
        case "broadcast_to":
            (x,) = _padded(lines, args, wholes, rank)
            out = write(lines, function, x, shape=(steps, *line.out.shape))
        case _ if function in REDUCTIONS:
            settings["axis"] = tuple(axis + 1 for axis in settings["axis"])
            out = write(lines, function, wholes[args[0]], **settings)
        case _:
            out = write(lines, function, *_padded(lines, args, wholes, rank), **settings)
    out.name, out.note = out.name or line.out.name, out.note or line.out.note
    return out


def _padded(lines: list[Any], args: Any, wholes: Wholes, rank: int) -> list[Any]:
    """Return the arguments over time, with axes after the time so that they fit each other."""
    return [
        with_shape(lines, wholes[x], (wholes[x].shape[0], *(1,) * (rank - len(x.shape)), *x.shape))
        if x in wholes
        else x
        for x in args
    ]


def _repeated(lines: list[Any], x: Any, wholes: Wholes, steps: int) -> Variable:
    if x in wholes:
        return wholes[x]
    return write(lines, "broadcast_to", x, shape=(steps, *shape_of(x)))


def with_shape(lines: list[Any], x: Variable, shape: tuple[int, ...]) -> Variable:
    """Return `x` with this shape."""
    return x if x.shape == shape else write(lines, "reshape", x, shape=shape)


def _products(lines: list[Any], line: Instruction, wholes: Wholes, steps: int) -> Variable:
    """Append the products of all steps; with a matrix that does not change, they are one product.

    Its rows are the rows of all steps.
    """
    a: Any
    b: Any
    a, b = line.args
    if a not in wholes and len(a.shape) == 2 and len(b.shape) == 1:
        a, b = b, write(lines, "transpose", a, axes=(1, 0))
    if b not in wholes and len(b.shape) == 2:
        rows = (steps * prod(a.shape[:-1]), a.shape[-1])
        product = write(lines, "matmul", with_shape(lines, wholes[a], rows), b)
    else:
        left = (1, *a.shape) if len(a.shape) == 1 else a.shape
        right = (*b.shape, 1) if len(b.shape) == 1 else b.shape
        rank = max(len(left), len(right))
        sides: list[Any] = []
        x: Any
        for x, shape in ((a, left), (b, right)):
            if x in wholes:
                shape = (steps, *(1,) * (rank - len(shape)), *shape)
            known: Any = wholes.get(x, x)
            sides.append(with_shape(lines, known, shape))
        product = write(lines, "matmul", *sides)
    return with_shape(lines, product, (steps, *line.out.shape))
