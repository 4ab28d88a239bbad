"""Steps that see or keep a part of the state only: where a sequence has ended, and where dropout or zoneout say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from .. import ops, tree
from ..errors import argument_error, describe
from ..tensor import Tensor

Step = Callable[[Any, Any], tuple[Any, Any]]

_drawn: ContextVar[tuple[list[np.ndarray], Iterator[np.ndarray]] | None] = ContextVar(
    "tinygrad_rnn.drawn", default=None
)


# -- sequences of different lengths ------------------------------------------------------------------


def length_mask(operation: str, lengths: Any, steps: int, batch: tuple[int, ...]) -> np.ndarray:
    """Where each sequence still goes on, booleans of shape (T, B); `lengths` refused if there is not one for each, in [0, T]."""
    try:
        given = np.asarray(lengths.data if isinstance(lengths, Tensor) else lengths)
    except ValueError:  # rows of different lengths
        given = np.array(None)
    if len(batch) != 1 or given.shape != batch or (given.dtype.kind not in "iu" and given.size):
        wanted = (
            f"one integer for each sequence, shape {batch}"
            if batch
            else "none, for x is a single sequence"
        )
        got = describe(given if given.dtype.kind != "O" else lengths)
        raise argument_error(
            operation, "lengths", expected=wanted, got=got, fix="give x a batch, and lengths (B,)"
        )
    wrong = np.flatnonzero((given < 0) | (given > steps))
    if wrong.size:
        wanted, got = (
            f"lengths from 0 to {steps}, the number of time steps",
            f"{given[wrong[0]]} at position {wrong[0]}",
        )
        raise argument_error(
            operation, "lengths", expected=wanted, got=got, fix="pad x, or correct the length"
        )
    return np.arange(steps)[:, None] < given


def pad_with_first_step(going: np.ndarray, x: Any, reverse: bool) -> Any:
    """x of shape (T, B, ...), and where a sequence has ended the numbers of its first step in this direction, without gradient.

    The cell runs there too, and what it gives is not used. But a derivative that is infinite, of √x at 0 for example, is nan when
    it is multiplied by the gradient 0 of what is not used: so it runs on numbers that it meets anyway. A sequence without
    steps takes those of the longest; if there is none, ones.
    """
    rows = _rows(going)
    lengths = going.sum(axis=0)[rows]
    if not lengths.any():
        return ops.where(_like(going, x.ndim), x, 1)
    return ops.where(_like(going, x.ndim), x, getattr(x, "array", x)[(lengths - 1) * reverse, rows])


def zero_finished(going: np.ndarray, output: Any) -> Any:
    """An output of shape (T, B, ...), or a tuple of such, and 0 where a sequence has ended."""
    return tree.map(lambda part: ops.where(_like(going, part.ndim), part, 0), output)


def freeze_finished(
    operation: str, step: Step, inputs: Any, state: Any, going: np.ndarray, again: bool
) -> tuple[Step, Any]:
    """A step after which the state of a sequence that has ended is as it was; and its inputs, which say which have.

    With `again` the step sees for these, in place of their last state, the one that they started from: together with `pad_with_first_step` their
    first step once more, whose derivatives are as finite as they are. A cell that has no infinite ones need not.
    """
    arrays = [part for part in tree.leaves(state) if is_array(part)]
    if any(np.shape(part)[:1] != going.shape[1:] for part in arrays):
        wanted, fix = (
            f"arrays with the sequences of the batch on the first axis, ({going.shape[1]}, ...)",
            "see zero_state(batch)",
        )
        raise argument_error(operation, "state", expected=wanted, got=tree.describe(state), fix=fix)
    starts = (
        [_every(len(going), getattr(part, "array", part)[_rows(going)]) for part in arrays]
        if again
        else []
    )

    def restart(masks_and_starts: Any, state: Any) -> Any:
        half = len(masks_and_starts) // 2
        pairs = zip(masks_and_starts[:half], masks_and_starts[half:], strict=True)
        return tree.map(
            lambda part: _started(part, *next(pairs)) if is_array(part) else part, state
        )

    def keep(mask: Any, new: Any, old: Any) -> Any:
        if is_array(old):
            return ops.where(mask, new, old)
        if type(new) is not type(old) or new != old:  # has each sequence its own? nothing says so
            raise _no_array(operation, "lengths", old, new)
        return new

    masks = [_like(going, part.ndim + 1) for part in arrays]
    return _holding(step, inputs, masks, is_array, keep, restart if again else None, starts)


# -- dropout and zoneout -----------------------------------------------------------------------------


def with_zoneout(
    operation: str,
    step: Step,
    inputs: Any,
    state: Any,
    p: float,
    rng: np.random.Generator | None,
    steps: int,
) -> tuple[Step, Any]:
    """A step after which each entry of the state is as it was with probability p; and its inputs (Krueger et al., 2017).

    ``h' = m ⊙ h' + (1 − m) ⊙ h`` with a mask m of its own at every step; without `rng`, for evaluation, its mean. What is no
    array of floats, a count of steps for example, is as the cell gives it.

    An output is of the state that was kept if it *is* a part of the new state, as in ``return h, h``: the same object, here or
    in a tuple. What the cell computes from its new state, ``return V @ h, h``, it has computed before anything is kept, and it stays so.
    """

    def keep(mask: Any, new: Any, old: Any) -> Any:
        if _is_floating(old):
            return ops.lerp(new, old, p) if rng is None else ops.where(mask, new, old)
        if is_array(new) and not is_array(old):
            raise _no_array(operation, "zoneout", old, new)
        return new

    masks = (
        []
        if rng is None
        else [
            rng.random((steps, *part.shape)) >= p
            for part in tree.leaves(state)
            if _is_floating(part)
        ]
    )
    return _holding(step, inputs, masks, lambda part: rng is not None and _is_floating(part), keep)


def with_state_dropout(
    operation: str,
    step: Step,
    inputs: Any,
    state: Any,
    p: float,
    rng: np.random.Generator,
    steps: int,
) -> tuple[Step, Any]:
    """A step that sees what one mask for each array of floats in the state leaves of it, all else as it is; and its inputs."""
    own = inputs if isinstance(inputs, tuple) else (inputs,)
    several, count = isinstance(inputs, tuple), len(own)
    arrays, floating = tree.map(is_array, state), tree.map(_is_floating, state)
    masks = [
        _every(steps, sample_mask(p, part.shape, part.dtype, rng))
        for part in tree.leaves(state)
        if _is_floating(part)
    ]

    def dropped(x: Any, state: Any) -> tuple[Any, Any]:
        now = iter(x[count:])

        def seen(was_array: bool, was_floating: bool, part: Any) -> Any:
            if not was_array and is_array(part):
                raise _no_array(operation, "state_dropout", None, part)
            return part * next(now) if was_floating else part

        return step(x[:count] if several else x[0], tree.map(seen, arrays, floating, state))

    dropped.__name__ = getattr(step, "__name__", type(step).__name__)
    return dropped, (*own, *masks)


def sample_mask(
    p: float, shape: tuple[int, ...], dtype: np.dtype, rng: np.random.Generator
) -> np.ndarray:
    """One mask for a whole sequence: 0 with probability p, else 1 / (1 − p) (Gal and Ghahramani, 2016)."""
    drawn = _drawn.get()
    if drawn is not None and (known := next(drawn[1], None)) is not None:
        return known
    mask = ((rng.random(shape) >= p) / (1 - p)).astype(dtype)
    if drawn is not None:
        drawn[0].append(mask)
    return mask


@contextmanager
def reuse_masks(masks: list[np.ndarray]) -> Iterator[None]:
    """Within it `sample_mask` gives the masks in the list, in their order, and then new ones, which join the list.

    So that several calls of a model on parts of one sequence see one mask.
    """
    token = _drawn.set((masks, iter(list(masks))))
    try:
        yield
    finally:
        _drawn.reset(token)


# -- what they share ---------------------------------------------------------------------------------


def is_array(part: Any) -> bool:
    """Whether a part of a state is a Tensor or a plain array."""
    return isinstance(getattr(part, "array", part), np.ndarray)


def _is_floating(part: Any) -> bool:
    return is_array(part) and part.dtype.kind == "f"


def _no_array(operation: str, option: str, old: Any, new: Any) -> Exception:
    """The refusal of a part of the state that has no entries for each sequence to keep."""
    wanted, got = (
        f"arrays from the first step on for {option}",
        f"{tree.describe(old)}, and {tree.describe(new)} after a step",
    )
    return argument_error(
        operation,
        "state",
        expected=wanted,
        got=got,
        fix="give the cell a zero_state(batch) of arrays, (B, 1) for a number",
    )


def _every(steps: int, array: np.ndarray) -> np.ndarray:
    """The same array at every step: a view."""
    return np.broadcast_to(array, (steps, *array.shape))


def _like(going: np.ndarray, axes: int) -> np.ndarray:
    """(T, B) with axes of size 1 behind, so that it broadcasts against an array of so many axes."""
    return going.reshape(going.shape + (1,) * (axes - 2))


def _rows(going: np.ndarray) -> np.ndarray:
    """Whose numbers stand in for those of each sequence where it has ended: its own, or if it has no steps those of the longest."""
    lengths = going.sum(axis=0)
    return np.where(lengths > 0, np.arange(lengths.size), lengths.argmax() if lengths.size else 0)


def _started(part: Any, mask: Any, start: np.ndarray) -> Any:
    seen = ops.where(mask, part, start)
    if isinstance(seen, Tensor):
        seen.name = part.name
    return seen


def _holding(
    step: Step,
    inputs: Any,
    masks: list[np.ndarray],
    masked: Callable[[Any], bool],
    keep: Callable[[Any, Any, Any], Any],
    before: Callable[[Any, Any], Any] | None = None,
    given: Sequence[np.ndarray] = (),
) -> tuple[Step, Any]:
    """A step whose new state is ``keep(mask, new, old)``, part by part; an output that is a part of the state follows it.

    The masks, one for each part of the state that is `masked`, join the inputs, so that each step gets its own, and so does what else
    is `given`. The step sees what ``before(masks and given, state)`` makes of the state.
    """
    own = inputs if isinstance(inputs, tuple) else (inputs,)
    several, count = isinstance(inputs, tuple), len(own)

    def held(x: Any, state: Any) -> tuple[Any, Any]:
        seen = state if before is None else before(x[count:], state)
        result = step(x[:count] if several else x[0], seen)
        if not (
            isinstance(result, tuple) and len(result) == 2 and tree.same_structure(state, result[1])
        ):
            return result  # which scan refuses
        output, new = result
        now, kept = iter(x[count:]), {}

        def hold(old: Any, part: Any) -> Any:
            found = keep(next(now) if masked(old) else None, part, old)
            if isinstance(found, Tensor) and isinstance(part, Tensor):
                found.name = part.name
            kept[id(part)] = found
            return found

        new = tree.map(hold, state, new)
        return tree.map(lambda part: kept.get(id(part), part), output), new

    held.__name__ = getattr(step, "__name__", type(step).__name__)
    return held, (*own, *masks, *given)
