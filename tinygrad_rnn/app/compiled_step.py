"""A training step and an evaluation as functions that `tg.compile` makes one program of.

They hold only what stays the same from batch to batch, so that one program serves all batches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import nn
from ..compile import compile
from ..graph import expect
from ..scan import detach

DIVERGED_LOSS = 1e6
"""Training counts as diverged if its loss reaches this many nats per character, or is NaN.

For comparison, the loss of a uniform guess is the logarithm of the vocabulary's size.
"""


class Diverged(Exception):
    """Training has diverged: the loss is NaN or too large, or a gradient is not finite."""


def compile_step(model: Any, optimizer: Any, clip: float) -> Callable[..., Any]:
    """Return a compiled function that trains on one batch: forward, backward, clip, update.

    It takes a batch and the state, and returns the loss and the new state. If training has
    diverged, it raises `Diverged` and changes nothing.
    """
    parameters = list(model.parameters())

    def step(x: Any, y: Any, state: Any) -> tuple[Any, Any]:
        logits, state = model(x, state)
        loss = nn.functional.cross_entropy(logits, y)
        if not expect(loss.array < DIVERGED_LOSS):
            raise Diverged(f"a loss of {loss.item():.3g}")
        optimizer.zero_grad()
        loss.backward()
        try:
            nn.clip_grad_norm_(parameters, clip)
        except ValueError as error:
            raise Diverged("a gradient that is not finite") from error
        optimizer.step()
        optimizer.zero_grad()
        return loss, detach(state)

    return compile(step)


def compile_evaluation(model: Any) -> Callable[..., Any]:
    """Return a compiled function that returns the sum of the losses of a batch and the state."""

    def evaluate(x: Any, y: Any, state: Any) -> tuple[Any, Any]:
        logits, state = model(x, state)
        return nn.functional.cross_entropy(logits, y, reduction="sum"), state

    return compile(evaluate)
