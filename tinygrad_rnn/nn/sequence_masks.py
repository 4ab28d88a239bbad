"""Sequences of different lengths: the mask of valid time steps, and its use in a scan.

The mask is called `running`. It has shape (T, B), for T time steps and B sequences, and is True
where a sequence has not yet ended. A scan is the loop that runs a cell over the time steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops, tree
from ..dtypes import as_ndarray
from ..errors import argument_error, describe
from ..graph import allow, expect, unwrap
from ..scan import StepFunction
from ..tensor import Tensor
from .step_wrappers import array_error, is_array, keep_name, keep_state, repeat_over_time


def length_mask(operation: str, lengths: Any, steps: int, batch: tuple[int, ...]) -> np.ndarray:
    """Return the mask `running` of shape (T, B), where T is `steps` and (B,) is `batch`.

    Raises
    ------
    ValueError
        If `lengths` does not have one integer in [0, T] for each sequence.
    """
    try:
        array = as_ndarray(unwrap(lengths))
    except ValueError:  # `lengths` is a ragged nested list
        array = np.array(None)
    if len(batch) != 1 or array.shape != batch or (array.dtype.kind not in "iu" and array.size):
        expected = "no lengths, because x is a single sequence"
        fix = "give x a batch axis, or shorten x"
        if batch:
            expected = f"one integer for each sequence, shape {batch}"
            fix = "pass a list of integers, in the order of the batch"
        got = describe(array if array.dtype.kind != "O" else lengths)
        raise argument_error(operation, "lengths", expected, got, fix)
    wrong = (array < 0) | (array > steps)
    if not expect(~wrong.any()):
        first = np.flatnonzero(wrong)[0]
        expected = f"lengths from 0 to {steps}, the number of time steps"
        got = f"{array[first]} at position {first}"
        fix = "pad x at the end, or pass lengths in this range"
        raise argument_error(operation, "lengths", expected, got, fix)
    return np.arange(steps)[:, None] < array


def pad_with_first_step(running: np.ndarray, x: Any, reverse: bool) -> Any:
    """Return x of shape (T, B, ...) with the first step of each sequence in place of its padding.

    If `reverse`, the last valid step replaces the padding, because the scan starts there. No
    gradient flows back through these copies.

    The cell also runs on the padding, but the results are discarded. An infinite derivative in the
    padding, for example the derivative of √x at 0, would still give NaN, because the gradient of a
    discarded result is 0, and 0 · inf is NaN. The cell therefore runs on a step that the sequence
    contains anyway. A sequence of length 0 takes the step of the longest sequence. If all sequences
    are empty, the padding is 1.
    """
    sources = _padding_sources(running)
    lengths = running.sum(axis=0)[sources]
    padding = unwrap(x)[(lengths - 1) * reverse, sources] if allow(lengths.any()) else 1
    return keep_name(ops.where(_align(running, x.ndim), x, padding), x)


def zero_finished(running: np.ndarray, output: Any) -> Any:
    """Return an output of shape (T, B, ...), or a tuple of such outputs, with 0 in the padding."""
    return tree.map(lambda part: ops.where(_align(running, part.ndim), part, 0), output)


def freeze_finished(
    operation: str, step: StepFunction, inputs: Any, state: Any, running: np.ndarray, restart: bool
) -> tuple[StepFunction, Any]:
    """Wrap `step` so that the state of finished sequences stays unchanged.

    Return the wrapped step and its inputs.

    With `restart`, the cell gets the initial state of a finished sequence instead of its last
    state. Together with `pad_with_first_step`, this makes the cell repeat the first step of the
    sequence, so the padding adds no infinite derivative. A cell without infinite derivatives does
    not need this.

    Raises
    ------
    ValueError
        If an array in `state` does not have the batch as its first axis.
    """
    arrays = [part for part in tree.leaves(state) if is_array(part)]
    batch = running.shape[1:]
    if any(np.shape(part)[:1] != batch for part in arrays):
        expected = f"arrays with the batch on the first axis, ({batch[0]}, ...)"
        got, fix = tree.describe(state), "return such arrays from the cell's zero_state(batch)"
        raise argument_error(operation, "state", expected, got, fix)
    masks, starts = [_align(running, part.ndim + 1) for part in arrays], []
    if restart:
        sources = _padding_sources(running)
        starts = [repeat_over_time(len(running), unwrap(part)[sources]) for part in arrays]

    def restart_finished(extras: Any, state: Any) -> Any:
        half = len(extras) // 2
        pairs = zip(extras[:half], extras[half:], strict=True)
        return tree.map(lambda part: _select(part, *next(pairs)) if is_array(part) else part, state)

    def keep(mask: Any, new: Any, old: Any) -> Any:
        if is_array(old):
            return ops.where(mask, new, old)
        # All sequences, finished or not, share this part, so it must not change.
        if type(new) is not type(old) or new != old:
            raise array_error(operation, "lengths", old, new)
        return new

    before = restart_finished if restart else None
    return keep_state(step, inputs, masks, is_array, keep, before, starts)


def _align(running: np.ndarray, axes: int) -> np.ndarray:
    """Append axes of size 1 to the mask until it has `axes` axes, so that it broadcasts."""
    return running.reshape(running.shape + (1,) * (axes - 2))


def _padding_sources(running: np.ndarray) -> np.ndarray:
    """Return for each sequence the index of its source, whose values replace its padding.

    The source of an empty sequence is the longest sequence. Any other sequence is its own source.
    """
    lengths = running.sum(axis=0)
    return np.where(lengths > 0, np.arange(lengths.size), lengths.argmax() if lengths.size else 0)


def _select(part: Any, mask: Any, start: np.ndarray) -> Any:
    """Return `part` where the mask is True and `start` elsewhere; keep the name of `part`."""
    selected = ops.where(mask, part, start)
    if isinstance(selected, Tensor):
        selected.name = part.name
    return selected
