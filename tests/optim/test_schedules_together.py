"""Several schedules on one optimizer, and parameter groups, against PyTorch.

fixtures/record_schedules.py recorded PyTorch's numbers.
"""

import json

import numpy as np
import pytest
import recorded
from helpers import leaf_with, together

import tinygrad_rnn as tg

CASES = recorded.cases("schedules.npz")
METRICS = CASES["problem"]["metrics"]
EPOCHS = 50


def cases(*prefixes):
    chosen = [(name, case) for name, case in CASES.items() if name.startswith(prefixes)]
    return together(("name", "case"), chosen)


class Run:
    """An optimizer with the schedules of a case, as far as they are made."""

    def __init__(self, case):
        self.kinds = json.loads(str(case["schedules"]))
        self.settings = json.loads(str(case["settings"]))
        groups = [{"params": [leaf_with([1.0])], "lr": lr} for lr in self.settings["base_lrs"]]
        self.optimizer = tg.optim.SGD(groups, lr=1.0)
        self.schedules = []

    def make(self, epoch):
        """Make the schedules that start at this epoch."""
        for (kind, settings), start in zip(self.kinds, self.settings["starts"], strict=True):
            if start == epoch:
                self.schedules.append(getattr(tg.optim, kind)(self.optimizer, **settings))

    def rates(self, first, last):
        """Return the rates before each of these epochs and after the last."""
        found = [[group["lr"] for group in self.optimizer.param_groups]] if first else []
        for epoch in range(first + bool(first), last + 1):
            if epoch:
                self.step(epoch - 1)
            self.make(epoch)
            by_hand = self.settings["by_hand"].get(str(epoch))
            if by_hand:
                self.optimizer.param_groups[-1]["lr"] = by_hand
            found.append([group["lr"] for group in self.optimizer.param_groups])
        return np.array(found)

    def step(self, epoch):
        for schedule, period in zip(self.schedules, self.settings["periods"], strict=False):
            if epoch % period == 0:
                is_plateau = isinstance(schedule, tg.optim.ReduceLROnPlateau)
                schedule.step(*([METRICS[epoch]] if is_plateau else []))


def assert_rates(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-13)


@cases("pair/", "several/")
def test_schedules_on_one_optimizer_compose_as_in_pytorch(name, case):
    assert_rates(Run(case).rates(0, EPOCHS), case["lr"])


@cases("pair/", "several/")
def test_schedules_that_resume_together_continue_as_one_run(name, case, tmp_path):
    """The states are loaded in any order into new objects, and the rates are the same bits."""
    whole = Run(case).rates(0, EPOCHS)
    middle = 25
    first = Run(case)
    first.rates(0, middle)
    for i, part in enumerate([first.optimizer, *first.schedules]):
        tg.save(part.state_dict(), tmp_path / str(i))
    states = [tg.load(tmp_path / str(i)) for i in range(len(first.schedules) + 1)]
    for is_optimizer_first in (True, False):
        second = Run(case)
        if is_optimizer_first:
            second.optimizer.load_state_dict(states[0])
        for epoch in range(middle + 1):
            second.make(epoch)
        parts = [second.optimizer, *second.schedules]
        for part, state in zip(parts[::-1], states[::-1], strict=True):
            part.load_state_dict(state)
        np.testing.assert_array_equal(second.rates(middle, EPOCHS), whole[middle:])


def test_a_rate_that_a_curve_takes_below_zero_is_an_error_of_the_step():
    """PyTorch goes on with the negative rate, which moves the parameters uphill."""
    case = CASES["pair/cosine_floor step"]
    first = int(np.argmax(case["lr"][:, 0] < 0))
    run = Run(case)
    run.rates(0, first - 1)
    run.optimizer.step()
    run.step(first - 1)
    with pytest.raises(ValueError, match=r"SGD: argument lr: .* got -0\.0"):
        run.optimizer.step()


def test_states_with_a_rate_far_below_zero_are_loaded_and_go_on_as_in_pytorch():
    case = CASES["pair/linear_to_nothing cosine_short"]
    for middle in range(6, EPOCHS):
        first, second = Run(case), Run(case)
        first.rates(0, middle)
        second.make(0)
        for part, other in zip(
            [first.optimizer, *first.schedules], [second.optimizer, *second.schedules], strict=True
        ):
            other.load_state_dict(part.state_dict())
        assert_rates(second.rates(middle, EPOCHS), case["lr"][middle:])
    assert case["lr"].min() < -0.3


def test_a_cut_of_the_plateau_survives_a_warm_up():
    optimizer = tg.optim.SGD([leaf_with([1.0])], lr=1.0)
    warm_up = tg.optim.LinearLR(optimizer, start_factor=0.25, total_iters=6)
    plateau = tg.optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    for metric in (1.0, 2.0, 0.5, 0.4, 0.3, 0.2, 0.1):  # one cut, in the second epoch
        warm_up.step()
        plateau.step(metric)
    assert optimizer.lr == pytest.approx(0.5, rel=1e-15)


def test_a_schedule_goes_on_from_a_rate_that_the_user_set():
    optimizer = tg.optim.SGD([leaf_with([1.0])], lr=1.0)
    schedules = [tg.optim.ExponentialLR(optimizer, 0.5), tg.optim.StepLR(optimizer, 3, 0.1)]
    optimizer.lr = np.float32(8)
    for schedule in schedules:
        schedule.step()
    assert (optimizer.lr, type(optimizer.lr)) == (4.0, float)


def test_a_group_that_is_added_later_is_scheduled_from_then_on():
    def make():
        optimizer = tg.optim.SGD([leaf_with([1.0])], lr=1.0)
        schedules = [
            tg.optim.CosineAnnealingLR(optimizer, T_max=2),
            tg.optim.ExponentialLR(optimizer, gamma=0.5),
        ]
        return optimizer, schedules

    optimizer, schedules = make()
    schedules[1].step()
    optimizer.add_param_group({"params": leaf_with([1.0]), "lr": 8.0})
    other, others = make()
    other.add_param_group({"params": leaf_with([1.0])})
    for schedule, successor in zip(schedules, others, strict=True):
        successor.load_state_dict(schedule.state_dict())
    for kinds in (schedules, others):
        for _ in range(3):  # the curve is at its lowest after two epochs, and then rises
            kinds[0].step()
        kinds[1].step()
    rates = [group["lr"] for group in optimizer.param_groups]
    np.testing.assert_allclose(rates, [0.25, 2.0], rtol=1e-15)
    assert [group["lr"] for group in other.param_groups] == rates


def test_a_warm_up_from_zero_reaches_the_rate():
    optimizer = tg.optim.SGD([leaf_with([1.0])], lr=1.0)
    warm_up = tg.optim.LinearLR(optimizer, start_factor=0, total_iters=4)
    rates = [optimizer.lr]
    for _ in range(6):
        warm_up.step()
        rates.append(optimizer.lr)
    np.testing.assert_allclose(rates, [0, 0.25, 0.5, 0.75, 1, 1, 1], rtol=1e-15)


# -- parameter groups ------------------------------------------------------------------------------


class GroupRun:
    """An optimizer with two groups, to which a third is added, and their parameters."""

    def __init__(self, case, arrays):
        self.case = case
        self.parameters = [[leaf_with(array) for array in group] for group in arrays]
        *groups, self.last = (
            {"params": iter(params), **settings}
            for params, settings in zip(
                self.parameters, json.loads(str(case["groups"])), strict=True
            )
        )
        defaults = json.loads(str(case["defaults"]))
        self.optimizer = getattr(tg.optim, str(case["class"]))(groups, **defaults)

    def step(self, i):
        """Step with the recorded gradients, and compare all parameters."""
        if i == self.case["added"]:
            self.optimizer.add_param_group(self.last)
        everything = [p for group in self.parameters for p in group]
        gradients = self.case["gradients"][i].reshape(-1, 3)
        for p, gradient in zip(everything, gradients, strict=True):
            p.grad = gradient.copy()
        self.optimizer.step()
        for p, expected in zip(everything, self.case["path"][i].reshape(-1, 3), strict=True):
            recorded.assert_close(p.data, expected, f"step {i}")


@cases("groups/")
def test_every_group_steps_with_its_own_settings_as_in_pytorch(name, case):
    run = GroupRun(case, case["initial"])
    for i in range(len(case["path"])):
        run.step(i)


@cases("groups/")
def test_an_optimizer_with_groups_continues_from_its_state(name, case, tmp_path):
    middle = int(case["added"]) + 3
    first = GroupRun(case, case["initial"])
    for i in range(middle):
        first.step(i)
    tg.save(first.optimizer.state_dict(), tmp_path / "state")
    second = GroupRun(case, case["path"][middle - 1])
    second.optimizer.add_param_group(second.last)
    second.optimizer.load_state_dict(tg.load(tmp_path / "state"))
    for i in range(middle, len(case["path"])):
        second.step(i)
