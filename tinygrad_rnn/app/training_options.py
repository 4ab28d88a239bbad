"""The settings of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from math import ulp

from .. import check
from .char_model import SIZE_LIMIT

LEAST = {"epochs": 1, "batch_size": 1, "steps": 1, "seed": 0, "patience": 0}
"""The lowest value of each integer setting."""


@dataclass(frozen=True)
class Options:
    """The settings of a training run.

    Attributes
    ----------
    epochs : int
        The number of passes through the text.
    batch_size : int
        The number of streams that the text is cut into. The streams are read in parallel.
    steps : int
        The number of characters after which backpropagation through time is truncated.
    lr : float
        Adam's learning rate.
    clip : float
        The maximum global norm of the gradients.
    holdout : float in (0, 0.5]
        The fraction of the text, at its end, that is used for evaluation only. It has no effect
        if the Trainer gets a validation text.
    seed : int
        The seed of the initial weights and of dropout.
    compile : bool
        If True, compile the whole training step to a NumPy program; see `tinygrad_rnn.compile`.
    patience : int
        Training stops after this many epochs in a row without a better held-out loss. If it is 0,
        training never stops early.

    Raises
    ------
    TypeError
        If a number has the wrong type.
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> from tinygrad_rnn.app.train import Options
    >>> options = Options(epochs=3, lr=0.01)
    >>> options.epochs, options.batch_size, options.lr
    (3, 16, 0.01)
    """

    epochs: int = 10
    batch_size: int = 16
    steps: int = 32
    lr: float = 2e-3
    clip: float = 1.0
    holdout: float = 0.1
    seed: int = 0
    compile: bool = False
    patience: int = 0

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            value = check.count("train", name, getattr(self, name), low=least)
            expected, got = f"an integer below {SIZE_LIMIT:,}", "a larger one"
            check.require(value < SIZE_LIMIT, "train", name, expected, got, "give a smaller number")
        check.flag("train", "compile", self.compile)
        positive = ulp(0.0)  # the smallest number above 0
        for name in ("lr", "clip"):
            expected = "a finite number above 0"
            check.number("train", name, getattr(self, name), expected, low=positive)
        expected = "a fraction above 0 and at most 0.5"
        check.number("train", "holdout", self.holdout, expected, low=positive, below=0.5 + 1e-9)
