"""Optimizers and learning-rate schedules, with PyTorch's names and equations."""

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
