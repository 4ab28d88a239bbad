"""Learning-rate schedules: what ``optimizer.lr`` is after so many epochs."""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, inf, isfinite, isnan, pi
from typing import Any

import numpy as np

from .. import check
from ..errors import argument_error, describe
from ..tensor import Tensor
from .optimizer import Optimizer


class Resumable:
    """What sets an optimizer's rate and can go on where another left off.

    Attributes
    ----------
    optimizer : Optimizer
    kept : tuple of str
        The attributes, numbers, that the next rate depends on besides the settings.
    """

    kept: tuple[str, ...] = ()

    def __init__(self, optimizer: Optimizer):
        if not isinstance(optimizer, Optimizer):
            name = type(self).__name__
            raise argument_error(
                name,
                "optimizer",
                expected="an Optimizer",
                got=describe(optimizer),
                fix="pass tg.optim.SGD(...), say",
                kind=TypeError,
            )
        self.optimizer = optimizer

    def state_dict(self) -> dict[str, np.ndarray]:
        """All that the next rate depends on besides the settings, and the rate as it is: arrays by name, for `tg.save`.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> optimizer = tg.optim.SGD([tg.Tensor(1.0, requires_grad=True)], lr=1.0)
        >>> {name: array.item() for name, array in tg.optim.StepLR(optimizer, step_size=2).state_dict().items()}
        {'lr': 1.0, 'base': 1.0, 'epoch': 0}
        """
        return {
            "lr": np.array(self.optimizer.lr),
            **{name: np.array(getattr(self, name)) for name in self.kept},
        }

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from `state`, the `state_dict` of a schedule made alike. Sets the optimizer's rate too.

        Parameters
        ----------
        state : mapping of str to array_like
            The rate, and a number for each attribute that it depends on.

        Raises
        ------
        ValueError
            If a name is missing or unknown, or what it names is not one number that can stand there. Nothing has changed then.
        TypeError
            If `state` is no mapping, or a count no integer. Nothing has changed then.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> optimizer = tg.optim.SGD([tg.Tensor(1.0, requires_grad=True)], lr=1.0)
        >>> schedule = tg.optim.ExponentialLR(optimizer, gamma=0.5)
        >>> schedule.load_state_dict({"lr": 0.25, "base": 1.0, "epoch": 2})
        >>> schedule.step()
        >>> optimizer.lr
        0.125
        """
        names, operation = ("lr", *self.kept), f"{type(self).__name__}.load_state_dict"
        numbers = {
            name: np.asarray(array)
            for name, array in check.mapping(
                operation, "state", state, "pass schedule.state_dict()"
            ).items()
        }
        faults = [f"missing {name}" for name in names if name not in numbers] + [
            f"unexpected {name}" for name in numbers if name not in names
        ]
        faults += [
            f"{name} {describe(n)}"
            for name, n in numbers.items()
            if name in names and (n.ndim or n.dtype.kind not in "iuf")
        ]
        if faults:
            wanted = f"one number for each of {', '.join(names)}"
            raise argument_error(
                operation,
                "state",
                expected=wanted,
                got="; ".join(faults),
                fix="build both schedules alike",
            )
        for name in names:
            if name in ("epoch", "waited"):
                check.count(operation, name, numbers[name][()], low=0)
            elif name == "best":
                _require_metric(operation, name, numbers[name])
            else:
                check.number(operation, name, numbers[name])
        for name in self.kept:
            setattr(self, name, numbers[name].item())
        self.optimizer.lr = float(numbers["lr"])


class Schedule(Resumable):
    """Base of the schedules: sets ``optimizer.lr`` from the number of epochs that have passed.

    Call `step` after each epoch. The rate is a function of the starting rate and of `epoch` alone.

    Parameters
    ----------
    optimizer : Optimizer
        Its ``lr`` at this moment is the starting rate, ``base``.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> def made():
    ...     optimizer = tg.optim.SGD([tg.Tensor(1.0, requires_grad=True)], lr=1.0)
    ...     return tg.optim.ExponentialLR(optimizer, gamma=0.5)
    >>> first, second = made(), made()
    >>> first.step()
    >>> second.load_state_dict(first.state_dict())
    >>> second.step()
    >>> second.optimizer.lr
    0.25
    """

    kept = ("base", "epoch")

    def __init__(self, optimizer: Optimizer):
        super().__init__(optimizer)
        self.base, self.epoch = optimizer.lr, 0
        optimizer.lr = self.rate()

    def rate(self) -> float:
        """The learning rate at `epoch`.

        Raises
        ------
        TypeError
            If the class does not define it.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> class Halves(tg.optim.Schedule):
        ...     def rate(self):
        ...         return self.base / (1 + self.epoch)
        >>> schedule = Halves(tg.optim.SGD([tg.Tensor(1.0, requires_grad=True)], lr=1.0))
        >>> schedule.step()
        >>> schedule.rate(), schedule.optimizer.lr
        (0.5, 0.5)
        """
        raise TypeError(
            f"{type(self).__name__}: expected a method rate, got none; define it in the class"
        )

    def step(self) -> None:
        """An epoch has passed."""
        self.epoch += 1
        self.optimizer.lr = self.rate()


class StepLR(Schedule):
    """The rate times gamma after every `step_size` epochs.

    ::

        lr = base · gamma^⌊epoch / step_size⌋

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
        At least 1.
    gamma : float
        At least 0.

    References
    ----------
    As `torch.optim.lr_scheduler.StepLR`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor(1.0, requires_grad=True)], lr=1.0)
    >>> schedule = tg.optim.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(4):
    ...     schedule.step()
    >>> optimizer.lr, schedule.rate()
    (0.25, 0.25)
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1):
        self.step_size, self.gamma = (
            check.count("StepLR", "step_size", step_size),
            check.number("StepLR", "gamma", gamma),
        )
        super().__init__(optimizer)

    def rate(self) -> float:
        """base · gamma^⌊epoch / step_size⌋."""
        return self.base * self.gamma ** (self.epoch // self.step_size)


class ExponentialLR(Schedule):
    """The rate times gamma after every epoch.

    ::

        lr = base · gamma^epoch

    Parameters
    ----------
    optimizer : Optimizer
    gamma : float
        At least 0.

    References
    ----------
    As `torch.optim.lr_scheduler.ExponentialLR`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor(1.0, requires_grad=True)], lr=1.0)
    >>> schedule = tg.optim.ExponentialLR(optimizer, gamma=0.5)
    >>> schedule.step()
    >>> optimizer.lr, schedule.rate()
    (0.5, 0.5)
    """

    def __init__(self, optimizer: Optimizer, gamma: float):
        self.gamma = check.number("ExponentialLR", "gamma", gamma)
        super().__init__(optimizer)

    def rate(self) -> float:
        """base · gamma^epoch."""
        return self.base * self.gamma**self.epoch


class CosineAnnealingLR(Schedule):
    """Half a cosine from the starting rate to `eta_min` in `T_max` epochs, and up again after that.

    ::

        lr = eta_min + (base − eta_min) (1 + cos(π epoch / T_max)) / 2

    Parameters
    ----------
    optimizer : Optimizer
    T_max : int
        Epochs from the highest rate to the lowest.
    eta_min : float
        The lowest rate, at least 0.

    References
    ----------
    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017), equation 5, without the restarts.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor(1.0, requires_grad=True)], lr=1.0)
    >>> schedule = tg.optim.CosineAnnealingLR(optimizer, T_max=4)
    >>> for _ in range(2):
    ...     schedule.step()
    >>> round(optimizer.lr, 6), round(schedule.rate(), 6)
    (0.5, 0.5)
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0):
        name = "CosineAnnealingLR"
        self.T_max, self.eta_min = (
            check.count(name, "T_max", T_max),
            check.number(name, "eta_min", eta_min),
        )
        super().__init__(optimizer)

    def rate(self) -> float:
        """eta_min + (base − eta_min) (1 + cos(π epoch / T_max)) / 2."""
        return (
            self.eta_min + (self.base - self.eta_min) * (1 + cos(pi * self.epoch / self.T_max)) / 2
        )


class LinearLR(Schedule):
    """From start_factor to end_factor times the rate, in `total_iters` epochs: a warm-up.

    ::

        lr = base · (start_factor + (end_factor − start_factor) · min(epoch / total_iters, 1))

    Parameters
    ----------
    optimizer : Optimizer
    start_factor, end_factor : float
        At least 0.
    total_iters : int
        Epochs from the one to the other; after that the rate stays.

    References
    ----------
    As `torch.optim.lr_scheduler.LinearLR`. Warm-up: Goyal et al., "Accurate, large minibatch SGD" (2017).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor(1.0, requires_grad=True)], lr=1.0)
    >>> schedule = tg.optim.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> rates = [schedule.rate()]
    >>> for _ in range(3):
    ...     schedule.step()
    ...     rates.append(schedule.rate())
    >>> rates
    [0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ):
        self.start_factor = check.number("LinearLR", "start_factor", start_factor)
        self.end_factor = check.number("LinearLR", "end_factor", end_factor)
        self.total_iters = check.count("LinearLR", "total_iters", total_iters)
        super().__init__(optimizer)

    def rate(self) -> float:
        """base times a factor on the line between the two."""
        done = min(self.epoch / self.total_iters, 1.0)
        return self.base * (self.start_factor + (self.end_factor - self.start_factor) * done)


class ReduceLROnPlateau(Resumable):
    """The rate times `factor` once the metric has not fallen for more than `patience` epochs.

    ::

        lr ← lr · factor   after more than patience epochs without metric < best − 10⁻⁴ |best|

    A fall counts if it is more than a ten-thousandth of the best value so far, as in PyTorch.

    Parameters
    ----------
    optimizer : Optimizer
    factor : float in [0, 1)
    patience : int
        Epochs without a fall that are let pass. Counting starts again after each reduction.

    References
    ----------
    As `torch.optim.lr_scheduler.ReduceLROnPlateau` in its mode "min".

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor(1.0, requires_grad=True)], lr=1.0)
    >>> schedule = tg.optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     schedule.step(loss)
    >>> optimizer.lr
    0.5
    """

    kept = ("best", "waited")

    def __init__(self, optimizer: Optimizer, factor: float = 0.1, patience: int = 10):
        super().__init__(optimizer)
        name, wanted = "ReduceLROnPlateau", "a number in [0, 1)"
        self.factor = check.number(name, "factor", factor, wanted, below=1, fix="0.1 is common")
        self.patience = check.count(name, "patience", patience, low=0)
        self.best, self.waited = inf, 0

    def step(self, metric: float) -> None:
        """An epoch has passed, with the result `metric`: less is better.

        Raises
        ------
        TypeError
            If it is not one number.
        ValueError
            If it is nan: a training that has diverged does not wait for a lower rate.
        """
        metric = _require_metric("ReduceLROnPlateau.step", "metric", metric)
        better = (
            metric < self.best - 1e-4 * abs(self.best)
            if isfinite(self.best)
            else metric < self.best
        )
        self.best, self.waited = (metric, 0) if better else (self.best, self.waited + 1)
        if self.waited > self.patience:
            self.optimizer.lr *= self.factor
            self.waited = 0


def _require_metric(operation: str, argument: str, value: Any) -> float:
    """A result as one number, refused if it is none or nan; infinite it may be."""
    number = check.real_array(
        operation,
        argument,
        float(value) if isinstance(value, Tensor) and value.ndim == 0 else value,
    )
    if number.ndim or number.dtype.kind == "b":
        raise argument_error(
            operation,
            argument,
            expected="one number",
            got=describe(value),
            fix="pass loss.item(), say",
            kind=TypeError,
        )
    if isnan(number):
        raise argument_error(
            operation,
            argument,
            expected="a number",
            got="nan",
            fix="training diverged: lower the rate, clip",
        )
    return float(number)
