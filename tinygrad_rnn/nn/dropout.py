"""Dropout of single entries, dropout with one mask for a whole sequence, and zoneout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from .. import check, ops, tree
from ..errors.named_calls import explain_names
from ..graph import recorder
from ..scan import StepFunction
from ..tensor import Tensor
from .init import Rng, generator
from .step_wrappers import (
    append_inputs,
    array_error,
    is_array,
    is_floating,
    keep_state,
    name_of,
    repeat_over_time,
)

_known_masks: ContextVar[tuple[list[np.ndarray], Iterator[np.ndarray]] | None] = ContextVar(
    "tinygrad_rnn.reused_masks", default=None
)
"""The list passed to `reuse_masks`, and an iterator over the masks that it held at first.

Outside of `reuse_masks`, this is None.
"""


@explain_names
def dropout(x: Any, p: float = 0.5, *, training: bool = True, rng: Rng = None) -> Tensor:
    """Zero each entry with probability p and scale up the other entries, if `training` is True.

    ::

        m ⊙ x / (1 − p),   each entry of m is 0 with probability p, else 1, independently

    Parameters
    ----------
    x : array of floats
    p : float in [0, 1)
        The probability of zeroing an entry.
    training : bool
        If False, x is returned unchanged.
    rng : numpy.random.Generator or int, optional
        The source of the mask m.

    Returns
    -------
    Tensor
        A Tensor with the shape and dtype of x.

    References
    ----------
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.dropout(tg.Tensor([1.0, 2.0]), 0.5, training=False)
    Tensor([1., 2.])
    """
    check.probability("dropout", "p", p)
    training = check.flag("dropout", "training", training)
    x = x if isinstance(x, Tensor) else Tensor(x)
    check.floating("dropout", "x", x.data)
    if not training or p == 0:
        return x
    kept = recorder().draw(generator(rng), x.shape) >= p
    # Use `where`, not a product, because 0 · inf is NaN, in the result and in the gradient.
    return ops.where(kept, x, 0) * (1 / (1 - p))


# -- one mask for a sequence -----------------------------------------------------------------------


def sample_mask(
    p: float, shape: tuple[int, ...], dtype: np.dtype, rng: np.random.Generator
) -> np.ndarray:
    """Return a mask for a whole sequence: each entry is 0 with probability p, else 1 / (1 − p).

    Inside `reuse_masks`, return the masks of its list, one in each call. After the last of them,
    make new masks and append each to the list.

    Source: Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent neural
    networks" (2016).
    """
    masks, known = _known_masks.get() or (None, iter(()))
    if (mask := next(known, None)) is not None:
        return mask
    mask = ((recorder().draw(rng, shape) >= p) / (1 - p)).astype(dtype)
    if masks is not None:
        masks.append(mask)
    return mask


@contextmanager
def reuse_masks(masks: list[np.ndarray]) -> Iterator[None]:
    """Make `sample_mask` return the masks in the list, in order; append new masks to the list.

    Several calls of a model on parts of one sequence then share their masks.
    """
    token = _known_masks.set((masks, iter(list(masks))))
    try:
        yield
    finally:
        _known_masks.reset(token)


def drop_input(p: float, x: Tensor, rng: np.random.Generator) -> Tensor:
    """Return x of shape (T, ...) after dropout with the same mask at every step."""
    mask = sample_mask(p, x.shape[1:], x.dtype, rng)
    return ops.where(mask, x, 0) * mask


def with_state_dropout(
    operation: str,
    step: StepFunction,
    inputs: Any,
    state: Any,
    p: float,
    rng: np.random.Generator,
    steps: int,
) -> tuple[StepFunction, Any]:
    """Wrap `step` so that it gets the state after dropout; return the wrapped step and its inputs.

    Each array of floats in the state has one mask for all steps. Other parts stay unchanged.
    """
    was_array, was_floating = tree.map(is_array, state), tree.map(is_floating, state)
    parts = [part for part in tree.leaves(state) if is_floating(part)]
    masks = [repeat_over_time(steps, sample_mask(p, a.shape, a.dtype, rng)) for a in parts]
    inputs, split = append_inputs(inputs, masks)

    def step_after_dropout(x: Any, state: Any) -> tuple[Any, Any]:
        x, masks_now = split(x)
        step_masks = iter(masks_now)

        def drop(was_array: bool, was_floating: bool, part: Any) -> Any:
            if not was_array and is_array(part):
                raise array_error(operation, "state_dropout", None, part)
            if not was_floating:
                return part
            mask = next(step_masks)
            return ops.where(mask, part, 0) * mask

        return step(x, tree.map(drop, was_array, was_floating, state))

    step_after_dropout.__name__ = name_of(step)
    return step_after_dropout, inputs


def with_zoneout(
    operation: str,
    step: StepFunction,
    inputs: Any,
    state: Any,
    p: float,
    rng: np.random.Generator | None,
    steps: int,
) -> tuple[StepFunction, Any]:
    """Wrap `step` so that each entry of the state stays unchanged with probability p.

    ::

        h' ← m ⊙ h' + (1 − m) ⊙ h,   each entry of m is 0 with probability p, else 1

    h is the old state, h' is the new state, and m is drawn anew at every step. Return the wrapped
    step and its inputs. If `rng` is None, as in evaluation, the step computes the expected value
    of the new state. Only arrays of floats are affected; a step counter, for example, is not.

    In ``return h, h``, the output is the same object as a part of the new state, so zoneout changes
    both. The same holds for such an object in a tuple. In ``return V @ h, h``, the cell computes
    the output before zoneout acts, so the output does not change.

    Source: Krueger et al., "Zoneout: regularizing RNNs by randomly preserving hidden activations"
    (2017).
    """
    is_masked, masks = _never, []
    if rng is not None:
        parts = [part for part in tree.leaves(state) if is_floating(part)]
        is_masked, masks = (
            is_floating,
            [recorder().draw(rng, (steps, *a.shape)) >= p for a in parts],
        )

    def keep(mask: Any, new: Any, old: Any) -> Any:
        if is_floating(old):
            return ops.lerp(new, old, p) if rng is None else ops.where(mask, new, old)
        if is_array(new) and not is_array(old):
            raise array_error(operation, "zoneout", old, new)
        return new

    return keep_state(step, inputs, masks, is_masked, keep)


def _never(part: Any) -> bool:
    """Return False, because in evaluation no part of the state has a mask."""
    return False
