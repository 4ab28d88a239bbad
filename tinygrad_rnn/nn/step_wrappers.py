"""Wrappers around the step function of a scan, for sequence lengths, zoneout and state dropout.

A part of a state is one leaf of its nested structure: an array, a number or None.
"""

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
    """Wrap `step` so that each part of its new state is ``keep(mask, new, old)``.

    Return the wrapped step and its inputs. If an output is the same object as a part of the new
    state, it is replaced too.

    `masks` has one mask for each part of the state for which `is_masked` returns True. For other
    parts, `keep` gets None as the mask. The masks and `extras` are appended to the inputs, so each
    time step gets its own slice of each. If `before` is given, `step` gets
    ``before(slices, state)`` in place of the state; `slices` is the tuple of these slices.
    """
    inputs, split = append_inputs(inputs, (*masks, *extras))

    def wrapped_step(x: Any, state: Any) -> tuple[Any, Any]:
        x, slices = split(x)
        result = step(x, state if before is None else before(slices, state))
        is_pair = isinstance(result, tuple) and len(result) == 2
        if not (is_pair and tree.same_structure(state, result[1])):
            return result  # `scan` raises the error
        output, new = result
        step_masks, replaced = iter(slices), {}

        def keep_part(old: Any, part: Any) -> Any:
            kept = keep(next(step_masks) if is_masked(old) else None, part, old)
            if isinstance(kept, Tensor) and isinstance(part, Tensor):
                kept.name = part.name
            replaced[id(part)] = kept
            return kept

        new = tree.map(keep_part, state, new)
        return tree.map(lambda part: replaced.get(id(part), part), output), new

    wrapped_step.__name__ = name_of(step)
    return wrapped_step, inputs


def append_inputs(inputs: Any, extras: Sequence[np.ndarray]) -> tuple[Any, Callable[[Any], Any]]:
    """Return the inputs of a scan with `extras` appended, and a function that separates them again.

    In each step, this function splits the combined input into the original input and the extras.
    """
    is_tuple = isinstance(inputs, tuple)
    originals = inputs if is_tuple else (inputs,)
    count = len(originals)

    def split(x: Any) -> tuple[Any, Any]:
        return (x[:count] if is_tuple else x[0]), x[count:]

    return (*originals, *extras), split


def keep_name(made: Any, x: Any) -> Any:
    """Return `made`, with the name of the constant `x` that it was made from.

    An op on constants is not recorded, so a drawing shows its result where the program has `x`.
    """
    if isinstance(made, Tensor) and isinstance(x, Tensor) and made.node is None:
        made.name = made.name or x.name
    return made


def name_of(step: StepFunction) -> str:
    """Return the name of a function, or the class name of a callable object."""
    return getattr(step, "__name__", type(step).__name__)


def is_array(part: Any) -> bool:
    """Return True if a part of a state is a Tensor or a plain array."""
    return isinstance(unwrap(part), np.ndarray)


def is_floating(part: Any) -> bool:
    """Return True if a part of a state is a Tensor or array of floats."""
    return is_array(part) and part.dtype.kind == "f"


def repeat_over_time(steps: int, array: np.ndarray) -> np.ndarray:
    """Return a view of shape (steps, ...) that contains the array at every step."""
    return np.broadcast_to(array, (steps, *array.shape))


def array_error(operation: str, option: str, old: Any, new: Any) -> Exception:
    """Return the error for a part of the state that must be an array from the start but is not.

    `old` is the part in the initial state, `new` is the part after a step, and `option` is the
    option that needs arrays.
    """
    expected = f"an initial state of arrays for {option}"
    got = f"{tree.describe(old)}, and {tree.describe(new)} after a step"
    fix = "give the cell a method zero_state(batch) that returns arrays: shape (B, 1) for a number"
    return argument_error(operation, "state", expected, got, fix)
