"""Time: the one way in which a layer walks through a sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import ops
from .errors import complaint, describe
from .graph import context

Cell = Callable[[Any, Any], tuple[Any, Any]]
"""A pure function ``(x, state) -> (output, state)``."""


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
        What the first step starts from.
    reverse : bool
        Walk from the last step to the first; outputs stay in their places in time.

    Returns
    -------
    outputs : Tensor of shape (T, ...), or a tuple of such if the cell's output is a tuple
    state : as `state`

    Raises
    ------
    ValueError
        If there are no steps, or the inputs of a tuple disagree about how many.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> def leaky(x, h):
    ...     h = 0.5 * h + x
    ...     return h, h
    >>> tg.scan(leaky, tg.Tensor([1.0, 0.0, 0.0]), tg.Tensor(0.0))
    (Tensor([1.  , 0.5 , 0.25]), Tensor(0.25))
    """
    several = isinstance(inputs, tuple)
    lengths = {len(x) for x in inputs} if several else {len(inputs)}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(
            complaint(
                "scan",
                "inputs",
                expected="at least one time step, the same number for all inputs",
                got=", ".join(describe(x) for x in (inputs if several else [inputs])),
                remedy="put time on the first axis",
            )
        )
    steps = range(lengths.pop())
    outputs = []
    recording, here = context.get()
    token = context.set((recording, here))
    try:
        for t in reversed(steps) if reverse else steps:
            context.set((recording, (*here, t)))
            x = tuple([x[t] for x in inputs]) if several else inputs[t]
            result = cell(x, state)
            if not (isinstance(result, tuple) and len(result) == 2):
                raise TypeError(
                    complaint(
                        "scan", "cell", expected="a function that returns (output, state)", got=describe(result), remedy="return h, h, say"
                    )
                )
            output, state = result
            outputs.append(output)
    finally:
        context.reset(token)
    if reverse:
        outputs.reverse()
    if isinstance(outputs[0], tuple):
        return tuple(ops.stack(column) for column in zip(*outputs, strict=True)), state
    return ops.stack(outputs), state


def detach(state: Any) -> Any:
    """A state without its graph, of any structure: what to carry from batch to batch in truncated BPTT.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> h = tg.Tensor(1.0, requires_grad=True) * 2
    >>> tg.detach((h, h))
    (Tensor(2.), Tensor(2.))
    """
    if isinstance(state, tuple | list):
        return type(state)(detach(part) for part in state)
    return state.detach()
