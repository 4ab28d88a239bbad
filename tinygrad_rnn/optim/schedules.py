"""Learning-rate schedules, which set ``optimizer.lr`` after each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, inf, isfinite, isnan, pi
from typing import Any

import numpy as np

from .. import check
from ..errors import argument_error, describe
from ..serialize.file_kinds import require_arrays
from ..tensor import Tensor
from .optimizer import Optimizer


class ResumableSchedule:
    """Base class of all schedules, which holds the optimizer and saves and loads the state.

    Attributes
    ----------
    optimizer : Optimizer
    state_names : tuple of str
        The names of the numeric attributes that, with the settings, determine the next rate.
    """

    state_names: tuple[str, ...] = ()

    def __init__(self, optimizer: Optimizer):
        name, fix = type(self).__name__, "pass tg.optim.SGD(...), for example"
        check.instance(name, "optimizer", optimizer, Optimizer, "an Optimizer", fix)
        self.optimizer = optimizer

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return the current rate and the state of the schedule, by name.

        The result is a dict of arrays, which `tg.save` can write. It does not include the settings;
        pass them to the constructor again.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> optimizer = tg.optim.SGD([tg.Tensor(1.0, requires_grad=True)], lr=1.0)
        >>> schedule = tg.optim.StepLR(optimizer, step_size=2)
        >>> {name: array.item() for name, array in schedule.state_dict().items()}
        {'lr': 1.0, 'base': 1.0, 'epoch': 0}
        """
        state = {name: np.array(getattr(self, name)) for name in self.state_names}
        return {"lr": np.array(self.optimizer.lr), **state}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore the saved state of a schedule of the same class and settings.

        This sets the optimizer's learning rate too.

        Parameters
        ----------
        state : mapping of str to array_like
            What `state_dict` returned: the rate, and one number for each of `state_names`.

        Raises
        ------
        ValueError
            If a name is missing or unknown, or a value is not one number in the right range. The
            schedule is not changed in that case.
        TypeError
            If `state` is not a mapping, or a number of epochs is not an integer. The schedule is
            not changed in that case.

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
        names, operation = ("lr", *self.state_names), f"{type(self).__name__}.load_state_dict"
        require_arrays(operation, "state", state, "pass schedule.state_dict()")
        numbers = {name: np.asarray(number) for name, number in state.items()}
        faults = [f"missing {name}" for name in names if name not in numbers]
        for name, number in numbers.items():
            if name not in names:
                faults.append(f"unexpected {name}")
            elif number.ndim or number.dtype.kind not in "iuf":
                faults.append(f"{name} {describe(number)}")
        if faults:
            expected, got = f"one number for each of {', '.join(names)}", "; ".join(faults)
            fix = "pass the state_dict of a schedule of this class"
            raise argument_error(operation, "state", expected, got, fix)
        for name in names:
            if name in ("epoch", "waited"):
                check.count(operation, name, numbers[name][()], low=0)
            elif name == "best":
                _check_metric(operation, name, numbers[name])
            else:
                check.number(operation, name, numbers[name])
        for name in self.state_names:
            setattr(self, name, numbers[name].item())
        self.optimizer.lr = float(numbers["lr"])


class Schedule(ResumableSchedule):
    """Base class of schedules that compute ``optimizer.lr`` from the number of epochs so far.

    Call `step` after each epoch. The rate depends only on the starting rate and on `epoch`.

    Parameters
    ----------
    optimizer : Optimizer
        Its current ``lr`` becomes the starting rate, ``base``.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> def make_schedule():
    ...     optimizer = tg.optim.SGD([tg.Tensor(1.0, requires_grad=True)], lr=1.0)
    ...     return tg.optim.ExponentialLR(optimizer, gamma=0.5)
    >>> first, second = make_schedule(), make_schedule()
    >>> first.step()
    >>> second.load_state_dict(first.state_dict())
    >>> second.step()
    >>> second.optimizer.lr
    0.25
    """

    state_names = ("base", "epoch")

    def __init__(self, optimizer: Optimizer):
        super().__init__(optimizer)
        self.base, self.epoch = optimizer.lr, 0
        optimizer.lr = self.rate()

    def rate(self) -> float:
        """Return the learning rate for `epoch`. Each subclass defines this method.

        Raises
        ------
        TypeError
            If the class does not define `rate`.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> class InverseDecay(tg.optim.Schedule):
        ...     def rate(self):
        ...         return self.base / (1 + self.epoch)
        >>> schedule = InverseDecay(tg.optim.SGD([tg.Tensor(1.0, requires_grad=True)], lr=1.0))
        >>> schedule.step()
        >>> schedule.rate(), schedule.optimizer.lr
        (0.5, 0.5)
        """
        name = type(self).__name__
        raise TypeError(f"{name}: expected a method rate, got none; define rate(self) in {name}")

    def step(self) -> None:
        """Count one more epoch, and set the rate for it."""
        self.epoch += 1
        self.optimizer.lr = self.rate()


class StepLR(Schedule):
    """Multiply the rate by gamma after every `step_size` epochs.

    ::

        lr = base · gamma^⌊epoch / step_size⌋

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
        The number of epochs between two reductions, at least 1.
    gamma : float
        The factor, at least 0.

    References
    ----------
    The equation is that of `torch.optim.lr_scheduler.StepLR`.

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
        self.step_size = check.count("StepLR", "step_size", step_size)
        self.gamma = check.number("StepLR", "gamma", gamma)
        super().__init__(optimizer)

    def rate(self) -> float:
        """Return base · gamma^⌊epoch / step_size⌋."""
        return self.base * self.gamma ** (self.epoch // self.step_size)


class ExponentialLR(Schedule):
    """Multiply the rate by gamma after every epoch.

    ::

        lr = base · gamma^epoch

    Parameters
    ----------
    optimizer : Optimizer
    gamma : float
        The factor, at least 0.

    References
    ----------
    The equation is that of `torch.optim.lr_scheduler.ExponentialLR`.

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
        """Return base · gamma^epoch."""
        return self.base * self.gamma**self.epoch


class CosineAnnealingLR(Schedule):
    """Lower the rate to `eta_min` in `T_max` epochs along half a cosine, then raise it again.

    ::

        lr = eta_min + (base − eta_min) (1 + cos(π epoch / T_max)) / 2

    Parameters
    ----------
    optimizer : Optimizer
    T_max : int
        The number of epochs from the highest rate to the lowest.
    eta_min : float
        The lowest rate, at least 0.

    References
    ----------
    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017), equation
    5, without the restarts.

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
        self.T_max = check.count("CosineAnnealingLR", "T_max", T_max)
        self.eta_min = check.number("CosineAnnealingLR", "eta_min", eta_min)
        super().__init__(optimizer)

    def rate(self) -> float:
        """Return eta_min + (base − eta_min) (1 + cos(π epoch / T_max)) / 2."""
        wave = 1 + cos(pi * self.epoch / self.T_max)
        return self.eta_min + (self.base - self.eta_min) * wave / 2


class LinearLR(Schedule):
    """Change the rate linearly from start_factor to end_factor times the base rate (a warm-up).

    ::

        lr = base · (start_factor + (end_factor − start_factor) · min(epoch / total_iters, 1))

    Parameters
    ----------
    optimizer : Optimizer
    start_factor, end_factor : float
        The factors at the start and at the end, at least 0.
    total_iters : int
        The number of epochs in which the factor changes. After that the rate stays constant.

    References
    ----------
    The equation is that of `torch.optim.lr_scheduler.LinearLR`. Warm-up: Goyal et al., "Accurate,
    large minibatch SGD" (2017).

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
        """Return base times a factor interpolated between start_factor and end_factor."""
        done = min(self.epoch / self.total_iters, 1.0)
        return self.base * (self.start_factor + (self.end_factor - self.start_factor) * done)


class ReduceLROnPlateau(ResumableSchedule):
    """Multiply the rate by `factor` if the metric has not fallen for more than `patience` epochs.

    ::

        lr ← lr · factor   after more than patience epochs without metric < best − 10⁻⁴ |best|

    A fall counts only if it is more than a ten-thousandth of the best value so far, as in PyTorch.

    Parameters
    ----------
    optimizer : Optimizer
    factor : float in [0, 1)
        The number that the rate is multiplied by.
    patience : int
        The number of epochs in a row that may pass without a fall. Counting starts again after
        each reduction.

    References
    ----------
    The rule is that of `torch.optim.lr_scheduler.ReduceLROnPlateau` in its mode "min".

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

    state_names = ("best", "waited")

    def __init__(self, optimizer: Optimizer, factor: float = 0.1, patience: int = 10):
        super().__init__(optimizer)
        name, expected = "ReduceLROnPlateau", "a number in [0, 1)"
        fix = "use 0.1, for example"
        self.factor = check.number(name, "factor", factor, expected, below=1, fix=fix)
        self.patience = check.count(name, "patience", patience, low=0)
        self.best, self.waited = inf, 0

    def step(self, metric: float) -> None:
        """Count one more epoch, whose result is `metric` (lower is better), and set the rate.

        Raises
        ------
        TypeError
            If `metric` is not one number.
        ValueError
            If `metric` is NaN, because a lower rate does not help once training has diverged.
        """
        metric = _check_metric("ReduceLROnPlateau.step", "metric", metric)
        margin = 1e-4 * abs(self.best) if isfinite(self.best) else 0.0
        has_fallen = metric < self.best - margin
        self.best, self.waited = (metric, 0) if has_fallen else (self.best, self.waited + 1)
        if self.waited > self.patience:
            self.optimizer.lr *= self.factor
            self.waited = 0


def _check_metric(operation: str, argument: str, value: Any) -> float:
    """Return a metric as a float, which may be ±inf; raise an error for NaN or several numbers."""
    is_scalar = isinstance(value, Tensor) and value.ndim == 0
    number = check.real_array(operation, argument, float(value) if is_scalar else value)
    if number.ndim or number.dtype.kind == "b":
        expected, got, fix = "one number", describe(value), "pass loss.item(), for example"
        raise argument_error(operation, argument, expected, got, fix, TypeError)
    if isnan(number):
        fix = "lower the learning rate or clip gradients, because training has diverged"
        raise argument_error(operation, argument, "a number", "nan", fix)
    return float(number)
