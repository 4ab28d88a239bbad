"""The scan: the loop over time steps that every recurrent layer uses."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any, TypeVar

from . import check, ops, tree
from .errors import argument_error, describe
from .graph import clock, context, recorder
from .ops.collector import collector_paused
from .scope_part import ScopePart
from .tensor import Tensor

RETURNS_A_PAIR = "a function that returns (output, state)"

Output = TypeVar("Output")
State = TypeVar("State")
StepFunction = Callable[[Any, Any], tuple[Any, Any]]
"""A pure function ``(x, state) -> (output, state)``: a cell, or one part of a cell."""


def scan(
    cell: Callable[[Any, State], tuple[Output, State]],
    inputs: Any,
    state: State,
    *,
    reverse: bool = False,
) -> tuple[Output, State]:
    """Call `cell` once for each time step; return the stacked outputs and the last state.

    ::

        for t in 0 … T−1:  output[t], state = cell(inputs[t], state)

    Every node of the graph is recorded with its time step, so that drawings can show time.
    Backpropagation through time is the backward pass through these nodes.
    Python's cyclic garbage collector is paused during the loop, because it would look at all
    earlier nodes again and again.

    Parameters
    ----------
    cell : callable
        A pure function ``(x, state) -> (output, state)``: a Module, or any function of Tensors.
    inputs : array of shape (T, ...), or a tuple of such arrays
        Time is the first axis. The cell gets ``inputs[t]``; for a tuple it gets a tuple of slices.
    state : Tensor, or any structure of Tensors that the cell takes
        The state before the first step. Its structure, shapes and dtypes must stay the same. Only
        a part that is not an array, None for example, may become something else.
    reverse : bool
        If True, start at the last step and end at the first. The outputs are stacked in order of
        time in both cases.

    Returns
    -------
    outputs : Tensor of shape (T, ...), or a tuple of such Tensors if the cell's output is a tuple
    state
        The state after the last call. It has the structure of the argument `state`.

    Raises
    ------
    ValueError
        If there are no steps, or the inputs in a tuple differ in the number of steps. If the cell
        returns a state that differs in structure, shape or dtype from the state that it was given.
        If the outputs differ in shape.
    TypeError
        If `cell` is not callable or does not return (output, state), or an output is not an array.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> def leaky(x, h):
    ...     h = 0.5 * h + x
    ...     return h, h
    >>> tg.scan(leaky, tg.Tensor([1.0, 0.0, 0.0]), tg.Tensor(0.0))
    (Tensor([1.  , 0.5 , 0.25]), Tensor(0.25))
    """
    fix = "pass a Module, or any function of (x, state)"
    check.callable("scan", "cell", cell, RETURNS_A_PAIR, fix)
    reverse = check.flag("scan", "reverse", reverse)
    _require_steps(inputs if isinstance(inputs, tuple) else (inputs,))
    return recorder().scan(run_loop, cell, inputs, state, reverse)


@singledispatch
def run_loop(cell: Any, inputs: Any, state: Any, reverse: bool) -> tuple[Any, Any]:
    """Run the loop of `scan`, whose arguments are checked. A compiled cell runs another one."""
    is_tuple, outputs = isinstance(inputs, tuple), []
    steps = range(_count_entries(inputs[0] if is_tuple else inputs))
    recording, here, events = context.get()
    token, scan_id = context.set((recording, here, events)), next(clock)
    try:
        with collector_paused():
            for t in reversed(steps) if reverse else steps:
                context.set((recording, (*here, ScopePart("step", "", t, scan_id)), events))
                x = tuple([x[t] for x in inputs]) if is_tuple else inputs[t]
                output, state = _require_pair(cell(x, state), state, t)
                outputs.append(output)
    finally:
        context.reset(token)
    if reverse:
        outputs.reverse()
    return _stack_outputs(outputs), state


def _require_steps(inputs: tuple[Any, ...]) -> None:
    """Raise ValueError if there are no time steps, or inputs differ in their number."""
    lengths = {_count_entries(x) for x in inputs}
    if len(lengths) != 1 or 0 in lengths:
        expected = "at least one time step, and the same number in all inputs"
        fix = "put time on the first axis, and put several inputs in a tuple"
        raise argument_error("scan", "inputs", expected, ", ".join(map(describe, inputs)), fix)


def _count_entries(x: Any) -> int:
    """Return the length of the first axis, or 0 if x has no axes.

    A list of arrays of unequal shapes gives 0, because it cannot become an array.
    """
    if isinstance(x, list) and len({part.shape for part in x if hasattr(part, "shape")}) > 1:
        return 0
    if getattr(x, "ndim", 1) == 0 or not hasattr(x, "__len__") or isinstance(x, str | bytes | dict):
        return 0
    return len(x)


def _require_pair(result: Any, state: Any, t: int) -> tuple[Any, Any]:
    """Return the cell's result at step `t`; raise an error unless it is (output, valid state).

    A valid state has the structure, shapes and dtypes of `state`, the state before the step.
    """
    if not (isinstance(result, tuple) and len(result) == 2):
        got, fix = describe(result), "end the cell with `return h, h`, for example"
        raise argument_error("scan", "cell", RETURNS_A_PAIR, got, fix, TypeError)
    if not tree.same_structure(state, result[1]):
        expected = f"after step {t}, a state of the same form as before: {tree.describe(state)}"
        fix = (
            "start from a state with the shapes and dtypes that the cell returns, or use reshape "
            "and astype in the cell, because states are not broadcast"
        )
        raise argument_error("scan", "cell", expected, tree.describe(result[1]), fix)
    return result


def _stack_outputs(outputs: list[Any]) -> Any:
    """Return the outputs stacked along a new first axis; if they are tuples, a tuple of stacks.

    Raises
    ------
    TypeError, ValueError
        If the outputs, or the entries at one position of the tuples, are not arrays of one shape.
    """
    try:
        if isinstance(outputs[0], tuple):
            return tuple(ops.stack(column) for column in zip(*outputs, strict=True))
        return ops.stack(outputs)
    except (TypeError, ValueError) as error:
        expected = "one array or a tuple of arrays as output, with the same shapes at all steps"
        got = " and then ".join(list(dict.fromkeys(map(tree.describe, outputs)))[:2])
        fix = "return arrays of the same shapes at every step, for example `return h, h`"
        raise argument_error("scan", "cell", expected, got, fix, type(error)) from error


def detach(state: State) -> State:
    """Return a state without its graph, to pass to the next batch in truncated BPTT.

    Parameters
    ----------
    state : Tensor, or any structure of Tensors
        A structure is a tuple, list, dict or namedtuple, which may be nested.

    Returns
    -------
    state
        Each Tensor becomes a leaf that has the same array and requires no gradients. All other
        parts stay unchanged.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> h = tg.Tensor(1.0, requires_grad=True) * 2
    >>> tg.detach((h, h))
    (Tensor(2.), Tensor(2.))
    """
    return tree.map(lambda part: part.detach() if isinstance(part, Tensor) else part, state)
