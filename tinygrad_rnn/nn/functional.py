"""Losses and dropout: functions of Tensors, composed of ops. `losses` explains NaN and inf."""

from typing import TYPE_CHECKING

from ..ops.missing_names import module_names
from ..ops.names_elsewhere import FUNCTIONAL
from .dropout import dropout
from .losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss, nll_loss

__all__ = ["binary_cross_entropy_with_logits", "cross_entropy", "dropout", "mse_loss", "nll_loss"]


if not TYPE_CHECKING:  # so that a type checker reports names that the module does not have
    __dir__, __getattr__ = module_names(__name__, FUNCTIONAL)
