"""Steps that keep a part of the state: where a sequence has ended, and where zoneout says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..errors import complaint, describe
from ..scan import mapped
from ..tensor import Tensor

Step = Callable[[Any, Any], tuple[Any, Any]]


def within(operation: str, lengths: Any, steps: int, batch: tuple[int, ...]) -> np.ndarray:
    """Where each sequence still goes on, booleans of shape (T, B); `lengths` refused if there is not one for each, in [0, T]."""
    given = np.asarray(lengths.data if isinstance(lengths, Tensor) else lengths)
    if len(batch) != 1 or given.shape != batch or (given.dtype.kind not in "iu" and given.size):
        wanted = f"one integer for each sequence, shape {batch}" if batch else "none, for x is a single sequence"
        raise ValueError(complaint(operation, "lengths", expected=wanted, got=describe(given), remedy="give x a batch, and lengths (B,)"))
    wrong = np.flatnonzero((given < 0) | (given > steps))
    if wrong.size:
        wanted, got = f"lengths from 0 to {steps}, the number of time steps", f"{given[wrong[0]]} at position {wrong[0]}"
        raise ValueError(complaint(operation, "lengths", expected=wanted, got=got, remedy="pad x, or correct the length"))
    return np.arange(steps)[:, None] < given


def only_within(going: np.ndarray, x: Tensor) -> Tensor:
    """x of shape (T, B, ...), and 0 where a sequence has ended, whatever stands there."""
    return ops.where(_like(going, x.ndim), x, 0)


def ending(step: Step, inputs: Any, state: Any, going: np.ndarray) -> tuple[Step, Any]:
    """A step after which the state of a sequence that has ended is as it was; and its inputs, which say which have."""
    return _holding(step, inputs, [_like(going, part.ndim + 1) for part in parts(state)], ops.where)


def zoneout(step: Step, inputs: Any, state: Any, p: float, rng: np.random.Generator | None, steps: int) -> tuple[Step, Any]:
    """A step after which each entry of the state is as it was with probability p; and its inputs (Krueger et al., 2017).

    ``h' = m ⊙ h' + (1 − m) ⊙ h`` with a mask m of its own at every step; without `rng`, for evaluation, its mean.
    """
    if rng is None:
        return _holding(step, inputs, [], lambda _, new, old: ops.lerp(new, old, p))
    return _holding(step, inputs, [rng.random((steps, *part.shape)) >= p for part in parts(state)], ops.where)


def variational(p: float, shape: tuple[int, ...], dtype: np.dtype, rng: np.random.Generator) -> np.ndarray:
    """One mask for a whole sequence: 0 with probability p, else 1 / (1 − p) (Gal and Ghahramani, 2016)."""
    return ((rng.random(shape) >= p) / (1 - p)).astype(dtype)


def parts(state: Any) -> list[Any]:
    """The Tensors of a state, in order."""
    found: list[Any] = []
    mapped(found.append, state)
    return found


def _like(going: np.ndarray, axes: int) -> np.ndarray:
    """(T, B) with axes of size 1 behind, so that it broadcasts against an array of so many axes."""
    return going.reshape(going.shape + (1,) * (axes - 2))


def _holding(step: Step, inputs: Any, masks: list[np.ndarray], keep: Callable[[Any, Any, Any], Any]) -> tuple[Step, Any]:
    """A step whose new state is ``keep(mask, new, old)``, part by part; an output that is a part of the state follows it.

    The masks, one for each part of the state, join the inputs, so that each step gets its own.
    """
    own = inputs if isinstance(inputs, tuple) else (inputs,)
    several, count = isinstance(inputs, tuple), len(own)

    def held(x: Any, state: Any) -> tuple[Any, Any]:
        output, new = step(x[:count] if several else x[0], state)
        now, kept = iter(x[count:]), {}

        def hold(part: Any, old: Any) -> Any:
            kept[part] = keep(next(now, None), part, old)
            kept[part].name = part.name
            return kept[part]

        new = mapped(hold, new, state)
        return mapped(lambda part: kept.get(part, part), output), new

    held.__name__ = getattr(step, "__name__", type(step).__name__)
    return held, (*own, *masks)
