"""Losses and dropout: functions of Tensors, composed of ops. `losses` explains NaN and inf."""

import sys
from typing import TYPE_CHECKING, Any

from ..ops.missing_names import missing
from ..ops.names_elsewhere import FUNCTIONAL
from .dropout import dropout
from .losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss, nll_loss

__all__ = ["binary_cross_entropy_with_logits", "cross_entropy", "dropout", "mse_loss", "nll_loss"]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # so that a type checker reports names that the module does not have

    def __getattr__(name: str) -> Any:
        raise missing(f"module {__name__!r}", name, FUNCTIONAL, sys.modules[__name__])
