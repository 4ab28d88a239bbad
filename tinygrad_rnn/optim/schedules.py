"""Learning-rate schedules, which change the learning rate of an optimizer after each epoch.

Several schedules on one optimizer compose, because each computes the next rate from the present
one. These are the recursive ("chained") forms of PyTorch's schedules. Alone on an optimizer, each
gives the rates of the equation in its docstring, except for rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, inf, isfinite, isnan, pi
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import check
from ..errors import argument_error, describe
from ..errors.named_calls import NamedCalls
from ..ops.methods_elsewhere import PLATEAU, SCHEDULE
from ..ops.missing_names import missing
from ..serialize.file_kinds import require_arrays
from ..tensor import Tensor
from .optimizer import Optimizer


class ResumableSchedule(NamedCalls):
    """Base class of all schedules, which holds the optimizer and saves and loads the state.

    Attributes
    ----------
    optimizer : Optimizer
    group_names : dict of str to str
        The numbers that each parameter group has. The key is a number's name in the state, and the
        value is its name in the group.
    state_names : tuple of str
        The names of the numeric attributes that, with the settings and the numbers of the groups,
        determine the next rate.
    """

    group_names: ClassVar[dict[str, str]] = {"lr": "lr"}
    state_names: tuple[str, ...] = ()

    def __init__(self, optimizer: Optimizer):
        name, fix = type(self).__name__, "pass tg.optim.SGD(...), for example"
        check.instance(name, "optimizer", optimizer, Optimizer, "an Optimizer", fix)
        self.optimizer = optimizer

    def __repr__(self) -> str:
        numbers = {name: x for name, x in vars(self).items() if name != "optimizer"}
        rates = [group["lr"] for group in self.optimizer.param_groups]
        numbers["lr"] = rates if len(rates) > 1 else rates[0]
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in numbers.items())})"

    if not TYPE_CHECKING:  # so that a type checker reports names that a schedule does not have

        def __getattr__(self, name: str) -> Any:
            table = SCHEDULE if isinstance(self, Schedule) else PLATEAU
            raise missing(type(self).__name__, name, table, self)

    def _rates(self) -> list[float]:
        """Return the present rate of each group, which the user may have set."""
        name, expected = type(self).__name__, "a finite number"
        groups = self.optimizer.param_groups
        return [check.number(name, "lr", group["lr"], expected, low=-inf) for group in groups]

    def _set_rates(self, rates: list[float]) -> None:
        """Set the rate of each group."""
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return the current rate and the state of the schedule, by name.

        The result is a dict of arrays, which `tg.save` can write. It does not include the settings;
        pass them to the constructor again. If the optimizer has several parameter groups, the rates
        are an array with one entry for each group.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> optimizer = tg.optim.SGD([tg.Tensor(1.0, requires_grad=True)], lr=1.0)
        >>> schedule = tg.optim.StepLR(optimizer, step_size=2)
        >>> {name: array.item() for name, array in schedule.state_dict().items()}
        {'lr': 1.0, 'base': 1.0, 'epoch': 0}
        """
        state = {}
        for name, key in self.group_names.items():
            # A group that was added since the last step has no initial rate yet.
            numbers = [group.get(key, group["lr"]) for group in self.optimizer.param_groups]
            state[name] = np.array(numbers if len(numbers) > 1 else numbers[0])
        return state | {name: np.array(getattr(self, name)) for name in self.state_names}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore the saved state of a schedule of the same class and settings.

        This sets the optimizer's learning rate too. If several schedules act on one optimizer, load
        the state of each, in any order.

        Parameters
        ----------
        state : mapping of str to array_like
            The result of `state_dict`.

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
        operation, groups = f"{type(self).__name__}.load_state_dict", self.optimizer.param_groups
        require_arrays(operation, "state", state, "pass schedule.state_dict()")
        numbers = {name: np.asarray(number) for name, number in state.items()}
        shapes = dict.fromkeys(self.group_names, (len(groups),) if len(groups) > 1 else ())
        shapes |= dict.fromkeys(self.state_names, ())
        faults = [f"missing {name}" for name in shapes if name not in numbers]
        for name, number in numbers.items():
            if name not in shapes:
                faults.append(f"unexpected {name}")
            elif number.shape != shapes[name] or number.dtype.kind not in "iuf":
                faults.append(f"{name} {describe(number)}")
        if faults:
            expected, got = f"one number for each of {', '.join(shapes)}", "; ".join(faults)
            each = f" ({len(groups)} of {' and '.join(self.group_names)}: one for each group)"
            expected += each * (len(groups) > 1)
            fix = "pass the state_dict of a schedule of this class"
            raise argument_error(operation, "state", expected, got, fix)
        for name in self.group_names:
            for number in numbers[name].flat:  # below 0 where a schedule has made it so
                check.number(operation, name, number, "a finite number", low=-inf)
        for name in self.state_names:
            if name in ("epoch", "waited"):
                check.count(operation, name, numbers[name][()], low=0)
            elif name == "best":
                _check_metric(operation, name, numbers[name])
            else:
                check.number(operation, name, numbers[name])
        for name in self.state_names:
            setattr(self, name, numbers[name].item())
        for name, key in self.group_names.items():
            for group, number in zip(groups, numbers[name].flat, strict=True):
                group[key] = float(number)


class Schedule(ResumableSchedule):
    """Base class of schedules that compute the next rate from the present one.

    Call `step` after each epoch. Each parameter group has its own rate, and each schedule acts on
    all of them.

    Parameters
    ----------
    optimizer : Optimizer
        The first schedule stores the rate of each group as ``group["initial_lr"]``, as in PyTorch.

    Attributes
    ----------
    epoch : int
        The number of calls of `step` so far.

    Examples
    --------
    The rates of two schedules on one optimizer multiply:

    >>> import tinygrad_rnn as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor(1.0, requires_grad=True)], lr=1.0)
    >>> warm_up = tg.optim.LinearLR(optimizer, start_factor=0.25, total_iters=3)
    >>> decay = tg.optim.ExponentialLR(optimizer, gamma=0.5)
    >>> rates = [optimizer.lr]
    >>> for _ in range(4):
    ...     warm_up.step()
    ...     decay.step()
    ...     rates.append(optimizer.lr)
    >>> rates
    [0.25, 0.25, 0.1875, 0.125, 0.0625]
    """

    group_names: ClassVar[dict[str, str]] = {"lr": "lr", "base": "initial_lr"}
    state_names = ("epoch",)

    def __init__(self, optimizer: Optimizer):
        super().__init__(optimizer)
        self.epoch = 0
        self._initial_rates()

    def next_rate(self, lr: float, base: float) -> float:
        """Return the learning rate for `epoch`. Each subclass defines this method.

        Parameters
        ----------
        lr : float
            The present rate: that of the epoch before, with the changes that other schedules and
            the user have made to it.
        base : float
            The rate at the start, before any schedule.

        Returns
        -------
        float

        Raises
        ------
        TypeError
            If the class does not define `next_rate`.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> class InverseDecay(tg.optim.Schedule):  # alone: base / (1 + epoch)
        ...     def next_rate(self, lr, base):
        ...         return lr * self.epoch / (1 + self.epoch)
        >>> schedule = InverseDecay(tg.optim.SGD([tg.Tensor(1.0, requires_grad=True)], lr=1.0))
        >>> schedule.step()
        >>> schedule.optimizer.lr
        0.5
        """
        name, method = type(self).__name__, "next_rate(self, lr, base)"
        raise TypeError(f"{name}: expected a method next_rate, got none; define {method} in {name}")

    def step(self) -> None:
        """Count one more epoch, and set the rate for it in every group."""
        rates = self._rates()
        self.epoch += 1
        pairs = zip(rates, self._initial_rates(), strict=True)
        self._set_rates([self.next_rate(lr, base) for lr, base in pairs])

    def _initial_rates(self) -> list[float]:
        """Return the initial rate of each group, which is the present rate in a new group."""
        pairs = zip(self.optimizer.param_groups, self._rates(), strict=True)
        return [group.setdefault("initial_lr", lr) for group, lr in pairs]


class StepLR(Schedule):
    """Multiply the rate by gamma after every `step_size` epochs.

    ::

        lr ← lr · gamma   if epoch is a multiple of step_size
        alone: lr = base · gamma^⌊epoch / step_size⌋

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
    >>> optimizer.lr
    0.25
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1):
        self.step_size = check.count("StepLR", "step_size", step_size)
        self.gamma = check.number("StepLR", "gamma", gamma)
        super().__init__(optimizer)

    def next_rate(self, lr: float, base: float) -> float:
        """Return lr · gamma after every `step_size` epochs, else lr."""
        return lr if self.epoch % self.step_size else lr * self.gamma


class ExponentialLR(Schedule):
    """Multiply the rate by gamma after every epoch.

    ::

        lr ← lr · gamma
        alone: lr = base · gamma^epoch

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
    >>> optimizer.lr
    0.5
    """

    def __init__(self, optimizer: Optimizer, gamma: float):
        self.gamma = check.number("ExponentialLR", "gamma", gamma)
        super().__init__(optimizer)

    def next_rate(self, lr: float, base: float) -> float:
        """Return lr · gamma."""
        return lr * self.gamma


class CosineAnnealingLR(Schedule):
    """Lower the rate to `eta_min` in `T_max` epochs along half a cosine, then raise it again.

    ::

        lr ← eta_min + (lr − eta_min) c(epoch) / c(epoch − 1)     c(n) = (1 + cos(π n / T_max)) / 2
        lr ← lr + (base − eta_min) c(epoch)                       if c(epoch − 1) is 0
        alone: lr = eta_min + (base − eta_min) c(epoch)

    At its lowest point, the curve is at `eta_min`, whatever other schedules did before. So it rises
    from there to the initial rate. If another schedule takes the rate below `eta_min`, the rising
    half of the curve can make the rate negative, as in PyTorch. The next step of the optimizer then
    raises an error. The states of the schedule and of the optimizer can be loaded all the same.

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
    >>> round(optimizer.lr, 6)
    0.5
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0):
        self.T_max = check.count("CosineAnnealingLR", "T_max", T_max)
        self.eta_min = check.number("CosineAnnealingLR", "eta_min", eta_min)
        super().__init__(optimizer)

    def next_rate(self, lr: float, base: float) -> float:
        """Return the next rate on the curve through lr; after its lowest point, on a new curve."""
        before, now = (1 + cos(pi * n / self.T_max) for n in (self.epoch - 1, self.epoch))
        if (self.epoch - 1) % (2 * self.T_max) == self.T_max:
            return lr + (base - self.eta_min) * now / 2
        return self.eta_min + (lr - self.eta_min) * now / before


class LinearLR(Schedule):
    """Change the rate linearly from start_factor to end_factor times the base rate (a warm-up).

    ::

        lr ← lr · f(epoch) / f(epoch − 1)     lr · f(0) at the start
        f(n) = start_factor + (end_factor − start_factor) · min(n / total_iters, 1)
        alone: lr = base · f(epoch)

    Parameters
    ----------
    optimizer : Optimizer
    start_factor, end_factor : float
        The factors at the start and at the end, at least 0. If `start_factor` is 0, the first epoch
        adds base · f(1) to the rate; PyTorch has no rule for this.
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
    >>> rates = [optimizer.lr]
    >>> for _ in range(3):
    ...     schedule.step()
    ...     rates.append(optimizer.lr)
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
        self._set_rates([lr * self.start_factor for lr in self._rates()])

    def next_rate(self, lr: float, base: float) -> float:
        """Return lr times the ratio of this epoch's factor to the previous epoch's factor."""
        if self.epoch > self.total_iters:
            return lr
        before, now = (self._factor(n) for n in (self.epoch - 1, self.epoch))
        return lr * now / before if before else lr + base * now

    def _factor(self, epoch: int) -> float:
        """Return the factor of an epoch, interpolated between start_factor and end_factor."""
        return self.start_factor + (self.end_factor - self.start_factor) * epoch / self.total_iters


class ReduceLROnPlateau(ResumableSchedule):
    """Multiply the rate by `factor` if the metric has not fallen for more than `patience` epochs.

    ::

        lr ← lr · factor   after more than patience epochs without metric < best − 10⁻⁴ |best|

    A fall counts only if it is more than a ten-thousandth of the best value so far. A rate stays as
    it is if the reduction is 10⁻⁸ or less. Both numbers are PyTorch's.

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
            reduced = [(lr, lr * self.factor) for lr in self._rates()]
            self._set_rates([new if lr - new > 1e-8 else lr for lr, new in reduced])
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
