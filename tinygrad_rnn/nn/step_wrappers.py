"""Steps wrapped so that parts of the state are kept: what lengths and zoneout share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import argument_error
from ..graph import unwrap
from ..scan import StepFunction
from ..tensor import Tensor


def keep_state(
    step: StepFunction,
    inputs: Any,
    masks: Sequence[np.ndarray],
    is_masked: Callable[[Any], bool],
    keep: Callable[[Any, Any, Any], Any],
    before: Callable[[Any, Any], Any] | None = None,
    extras: Sequence[np.ndarray] = (),
) -> tuple[StepFunction, Any]:
    """Return a step whose new state is ``keep(mask, new, old)``, part by part, and its inputs.

    An output that is a part of the new state is replaced along with it.

    There is one mask for each part of the state that `is_masked`; other parts get None. Masks and
    `extras` join the inputs, so each step gets its own. If `before` is given, the wrapped step gets
    ``before(masks and extras of this step, state)`` as its state.
    """
    inputs, split = append_inputs(inputs, (*masks, *extras))

    def keeping(x: Any, state: Any) -> tuple[Any, Any]:
        own, added = split(x)
        result = step(own, state if before is None else before(added, state))
        is_pair = isinstance(result, tuple) and len(result) == 2
        if not (is_pair and tree.same_structure(state, result[1])):
            return result  # scan raises the error
        output, new = result
        step_masks, replaced = iter(added), {}

        def keep_part(old: Any, part: Any) -> Any:
            kept = keep(next(step_masks) if is_masked(old) else None, part, old)
            if isinstance(kept, Tensor) and isinstance(part, Tensor):
                kept.name = part.name
            replaced[id(part)] = kept
            return kept

        new = tree.map(keep_part, state, new)
        return tree.map(lambda part: replaced.get(id(part), part), output), new

    keeping.__name__ = name_of(step)
    return keeping, inputs


def append_inputs(inputs: Any, extras: Sequence[np.ndarray]) -> tuple[Any, Callable[[Any], Any]]:
    """Return the inputs of a scan with `extras` appended, and a function that separates them.

    In a step, the function takes all inputs and returns the step's own ones and the extras.
    """
    is_tuple = isinstance(inputs, tuple)
    own = inputs if is_tuple else (inputs,)
    count = len(own)

    def split(x: Any) -> tuple[Any, Any]:
        return (x[:count] if is_tuple else x[0]), x[count:]

    return (*own, *extras), split


def name_of(step: StepFunction) -> str:
    """Return the name of a function, or of the class of a callable object."""
    return getattr(step, "__name__", type(step).__name__)


def is_array(part: Any) -> bool:
    """Return whether a part of a state is a Tensor or a plain array."""
    return isinstance(unwrap(part), np.ndarray)


def is_floating(part: Any) -> bool:
    """Return whether a part of a state is a Tensor or array of floats."""
    return is_array(part) and part.dtype.kind == "f"


def repeat_over_time(steps: int, array: np.ndarray) -> np.ndarray:
    """Return a view that has the array at each of `steps` steps."""
    return np.broadcast_to(array, (steps, *array.shape))


def array_error(operation: str, option: str, old: Any, new: Any) -> Exception:
    """Return the error for a part of the state that is not an array but must be for `option`."""
    expected = f"arrays from the first step on for {option}"
    got = f"{tree.describe(old)}, and {tree.describe(new)} after a step"
    fix = "give the cell a zero_state(batch) of arrays, (B, 1) for a number"
    return argument_error(operation, "state", expected, got, fix)
