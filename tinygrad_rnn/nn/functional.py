"""Losses and dropout: functions of Tensors, composed of ops. `losses` explains NaN and inf."""

from .dropout import dropout
from .losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss, nll_loss

__all__ = ["binary_cross_entropy_with_logits", "cross_entropy", "dropout", "mse_loss", "nll_loss"]


def __dir__() -> list[str]:
    return __all__
