"""Time: the one way in which a layer walks through a sequence."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from . import check, ops, tree
from .errors import argument_error, describe
from .graph import TimeStep, clock, context
from .tensor import Tensor

Cell = Callable[[Any, Any], tuple[Any, Any]]
"""A pure function ``(x, state) -> (output, state)``."""

scan_hook: ContextVar[Callable[[Cell, Any, Any, bool], tuple[Any, Any]] | None] = ContextVar(
    "tinygrad_rnn.walker", default=None
)
"""What walks through time in place of the loop in `scan`, if anything: what compiles the cell."""


def scan(cell: Cell, inputs: Any, state: Any, *, reverse: bool = False) -> tuple[Any, Any]:
    """Call `cell` once for each time step; return the outputs, stacked, and the last state.

    ::

        for t in 0 … T−1:  output[t], state = cell(inputs[t], state)

    Every node is recorded under its step, so that drawings show time, and backpropagation through
    time is the backward pass through what was recorded.

    Parameters
    ----------
    cell : callable
        A pure function ``(x, state) -> (output, state)``: a Module, or any function of Tensors.
    inputs : array of shape (T, ...), or a tuple of such arrays
        Time comes first. The cell gets ``inputs[t]``, of a tuple a tuple.
    state : Tensor, or any structure of Tensors that the cell takes
        What the first step starts from. It keeps its structure, shapes and dtypes; only what is no array
        there, None for example, the first step may replace by one.
    reverse : bool
        Walk from the last step to the first; outputs stay in their places in time.

    Returns
    -------
    outputs : Tensor of shape (T, ...), or a tuple of such if the cell's output is a tuple
    state : as `state`

    Raises
    ------
    ValueError
        If there are no steps, or the inputs of a tuple disagree about how many; or if the cell
        returns a state of another structure, shape or dtype than it got, or outputs of several shapes.
    TypeError
        If the cell does not return (output, state), or outputs that are no arrays.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> def leaky(x, h):
    ...     h = 0.5 * h + x
    ...     return h, h
    >>> tg.scan(leaky, tg.Tensor([1.0, 0.0, 0.0]), tg.Tensor(0.0))
    (Tensor([1.  , 0.5 , 0.25]), Tensor(0.25))
    """
    check.callable(
        "scan",
        "cell",
        cell,
        "a function that returns (output, state)",
        "pass a Module, or any function of (x, state)",
    )
    reverse, several = check.flag("scan", "reverse", reverse), isinstance(inputs, tuple)
    lengths = {_steps(x) for x in inputs} if several else {_steps(inputs)}
    if len(lengths) != 1 or 0 in lengths:
        raise argument_error(
            "scan",
            "inputs",
            expected="at least one time step, the same number for all inputs",
            got=", ".join(describe(x) for x in (inputs if several else [inputs])),
            fix="put time on the first axis, and several inputs in a tuple",
        )
    walk = getattr(cell, "run_scan", None) or scan_hook.get()
    if walk is not None:
        return walk(cell, inputs, state, reverse)
    steps = range(lengths.pop())
    outputs = []
    recording, here = context.get()
    token, walk = context.set((recording, here)), next(clock)
    try:
        for t in reversed(steps) if reverse else steps:
            now = TimeStep(t)
            now.entry = walk
            context.set((recording, (*here, now)))
            x = tuple([x[t] for x in inputs]) if several else inputs[t]
            result = cell(x, state)
            if not (isinstance(result, tuple) and len(result) == 2):
                raise argument_error(
                    "scan",
                    "cell",
                    expected="a function that returns (output, state)",
                    got=describe(result),
                    fix="return h, h, say",
                    kind=TypeError,
                )
            output, new = result
            if not tree.same_structure(state, new):
                wanted = f"after step {t} a state as before it, {tree.describe(state)}"
                fix = "start from a state as the cell returns it, or reshape and astype in the cell; a state is not broadcast"
                raise argument_error(
                    "scan", "cell", expected=wanted, got=tree.describe(new), fix=fix
                )
            state = new
            outputs.append(output)
    finally:
        context.reset(token)
    if reverse:
        outputs.reverse()
    return _stacked(outputs), state


def _stacked(outputs: list[Any]) -> Any:
    """The outputs of all steps along a new first axis, of tuples a tuple; refused if they are no arrays of one shape."""
    try:
        if isinstance(outputs[0], tuple):
            return tuple(ops.stack(column) for column in zip(*outputs, strict=True))
        return ops.stack(outputs)
    except (TypeError, ValueError) as error:
        forms = list(dict.fromkeys(map(tree.describe, outputs)))
        wanted, fix = (
            "an output that is one array, or a tuple of arrays, of one shape at all steps",
            "return h, h, say",
        )
        raise argument_error(
            "scan",
            "cell",
            expected=wanted,
            got=" and then ".join(forms[:2]),
            fix=fix,
            kind=type(error),
        ) from error


def _steps(x: Any) -> int:
    """How many time steps a sequence has; none if it has no axis for them, or is no array, nor a list of arrays of one shape."""
    if isinstance(x, list) and len({part.shape for part in x if hasattr(part, "shape")}) > 1:
        return 0
    return (
        0
        if getattr(x, "ndim", 1) == 0
        or not hasattr(x, "__len__")
        or isinstance(x, str | bytes | dict)
        else len(x)
    )


def detach(state: Any) -> Any:
    """A state without its graph, of any structure: what to carry from batch to batch in truncated BPTT.

    Parameters
    ----------
    state : Tensor, or any structure of Tensors
        Tuples, lists, dicts and namedtuples, nested or not.

    Returns
    -------
    as `state`
        With the same arrays in leaves that require no gradients; what is no Tensor stays as it is.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> h = tg.Tensor(1.0, requires_grad=True) * 2
    >>> tg.detach((h, h))
    (Tensor(2.), Tensor(2.))
    """
    return tree.map(lambda part: part.detach() if isinstance(part, Tensor) else part, state)
