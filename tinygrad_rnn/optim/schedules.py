"""Learning-rate schedules: what ``optimizer.lr`` is after so many epochs."""

from __future__ import annotations

from math import cos, inf, isfinite, pi

from ..errors import complaint
from .optimizers import Optimizer


class Schedule:
    """Base of the schedules: sets ``optimizer.lr`` from the number of epochs that have passed.

    Call `step` after each epoch. The rate is a function of the starting rate and of `epoch` alone.
    """

    def __init__(self, optimizer: Optimizer):
        self.optimizer, self.base, self.epoch = optimizer, optimizer.lr, 0
        optimizer.lr = self.rate()

    def rate(self) -> float:
        """The learning rate at `epoch`."""
        raise TypeError(f"{type(self).__name__}: expected a method rate, got none; define it in the class")

    def step(self) -> None:
        """An epoch has passed."""
        self.epoch += 1
        self.optimizer.lr = self.rate()


class StepLR(Schedule):
    """The rate times gamma after every `step_size` epochs.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor(1.0, requires_grad=True)], lr=1.0)
    >>> schedule = tg.optim.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(4):
    ...     schedule.step()
    >>> optimizer.lr
    0.25
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1):
        if step_size < 1:
            raise ValueError(complaint("StepLR", "step_size", expected="a positive integer", got=repr(step_size), remedy="check it"))
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def rate(self) -> float:
        """base · gamma^⌊epoch / step_size⌋."""
        return self.base * self.gamma ** (self.epoch // self.step_size)


class ExponentialLR(Schedule):
    """The rate times gamma after every epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float):
        self.gamma = gamma
        super().__init__(optimizer)

    def rate(self) -> float:
        """base · gamma^epoch."""
        return self.base * self.gamma**self.epoch


class CosineAnnealingLR(Schedule):
    """Half a cosine from the starting rate to `eta_min` in `T_max` epochs, and up again after that."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0):
        if T_max < 1:
            raise ValueError(complaint("CosineAnnealingLR", "T_max", expected="a positive integer", got=repr(T_max), remedy="check it"))
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def rate(self) -> float:
        """eta_min + (base − eta_min) (1 + cos(π epoch / T_max)) / 2."""
        return self.eta_min + (self.base - self.eta_min) * (1 + cos(pi * self.epoch / self.T_max)) / 2


class LinearLR(Schedule):
    """From start_factor to end_factor times the rate, in `total_iters` epochs: a warm-up."""

    def __init__(self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5):
        if total_iters < 1:
            raise ValueError(complaint("LinearLR", "total_iters", expected="a positive integer", got=repr(total_iters), remedy="check it"))
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer)

    def rate(self) -> float:
        """base times a factor on the line between the two."""
        done = min(self.epoch / self.total_iters, 1.0)
        return self.base * (self.start_factor + (self.end_factor - self.start_factor) * done)


class ReduceLROnPlateau:
    """The rate times `factor` once the metric has not fallen for more than `patience` epochs.

    A fall counts if it is more than a ten-thousandth of the best value so far, as in PyTorch.
    """

    def __init__(self, optimizer: Optimizer, factor: float = 0.1, patience: int = 10):
        if not 0 < factor < 1:
            raise ValueError(
                complaint("ReduceLROnPlateau", "factor", expected="a number between 0 and 1", got=repr(factor), remedy="0.1 is common")
            )
        self.optimizer, self.factor, self.patience = optimizer, factor, patience
        self.best, self.waited = inf, 0

    def step(self, metric: float) -> None:
        """An epoch has passed, with this result."""
        metric = float(metric)
        better = metric < self.best - 1e-4 * abs(self.best) if isfinite(self.best) else metric < self.best
        self.best, self.waited = (metric, 0) if better else (self.best, self.waited + 1)
        if self.waited > self.patience:
            self.optimizer.lr *= self.factor
            self.waited = 0
