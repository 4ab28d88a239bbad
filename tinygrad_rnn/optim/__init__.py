"""Optimizers and learning-rate schedules, with PyTorch's names and equations."""

import sys
from typing import TYPE_CHECKING, Any

from ..ops.missing_names import missing
from ..ops.names_elsewhere import OPTIM
from .optimizer import Optimizer
from .optimizers import SGD, Adam, AdamW, RMSprop
from .schedules import (
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    ReduceLROnPlateau,
    Schedule,
    StepLR,
)

__all__ = [
    "SGD", "Adam", "AdamW", "CosineAnnealingLR", "ExponentialLR", "LinearLR", "Optimizer",
    "RMSprop", "ReduceLROnPlateau", "Schedule", "StepLR",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # a type checker then reports names that the module does not have

    def __getattr__(name: str) -> Any:
        raise missing(f"module {__name__!r}", name, OPTIM, sys.modules[__name__])
