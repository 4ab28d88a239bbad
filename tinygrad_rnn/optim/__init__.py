"""Optimizers and learning-rate schedules, with PyTorch's names and equations."""

from typing import TYPE_CHECKING

from ..ops.missing_names import module_names
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


if not TYPE_CHECKING:  # so that a type checker reports names that the module does not have
    __dir__, __getattr__ = module_names(__name__, OPTIM)
