"""Optimizers, schedules and clipping against PyTorch, step by step.

fixtures/record_pytorch.py recorded PyTorch's numbers.
"""

import json

import numpy as np
import recorded
from recorded import assert_close

import tinygrad_rnn as tg

CASES = recorded.cases("optim.npz")
PROBLEM = CASES["problem"]
NAMES = ("weight", "bias")
STEPS = 20


def cases(prefix):
    return recorded.every(
        {name.removeprefix(prefix): case for name, case in CASES.items() if name.startswith(prefix)}
    )


def settings_of(case):
    return {
        key: float(value) if value == "inf" else value
        for key, value in json.loads(str(case["settings"])).items()
    }


def parameters_at(values):
    return {name: tg.Tensor(values[name].copy(), requires_grad=True) for name in NAMES}


def optimizer_of(case, parameters):
    return getattr(tg.optim, str(case["class"]))(parameters.values(), **settings_of(case))


def follow(case, optimizer, parameters, steps):
    """Take these steps with the recorded gradients, and compare the parameters after each."""
    for step in steps:
        optimizer.zero_grad()
        for name, parameter in parameters.items():
            parameter.grad = PROBLEM[f"gradients/{name}"][step].copy()
        optimizer.step()
        for name, parameter in parameters.items():
            assert parameter.dtype == np.float64
            assert_close(parameter.data, case[f"path/{name}"][step], f"{name} after step {step}")


@cases("optimizer/")
def test_every_optimizer_step_is_that_of_pytorch(case):
    parameters = parameters_at({name: PROBLEM[f"initial/{name}"] for name in NAMES})
    follow(case, optimizer_of(case, parameters), parameters, range(STEPS))


@cases("optimizer/")
def test_a_new_optimizer_continues_from_the_state_dict(case):
    parameters = parameters_at({name: PROBLEM[f"initial/{name}"] for name in NAMES})
    optimizer = optimizer_of(case, parameters)
    follow(case, optimizer, parameters, range(STEPS // 2))
    continued = parameters_at({name: parameter.data for name, parameter in parameters.items()})
    successor = optimizer_of(case, continued)
    successor.load_state_dict(optimizer.state_dict())
    follow(case, successor, continued, range(STEPS // 2, STEPS))


@cases("schedule/")
def test_the_learning_rate_of_every_epoch_is_that_of_pytorch(case):
    optimizer = tg.optim.SGD(
        [tg.Tensor(np.zeros(1), requires_grad=True)], lr=float(case["base_lr"])
    )
    schedule = getattr(tg.optim, str(case["class"]))(optimizer, **settings_of(case))
    rates = [optimizer.lr]
    for epoch in range(len(case["lr"]) - 1):
        schedule.step(*([float(case["metrics"][epoch])] if "metrics" in case.dtype.names else []))
        rates.append(optimizer.lr)
    assert_close(rates, case["lr"], "lr")


@cases("clip/")
def test_clipped_gradients_are_those_of_pytorch(case):
    parameters = {
        name: tg.Tensor(np.zeros_like(case[f"before/{name}"]), requires_grad=True) for name in NAMES
    }
    for name, parameter in parameters.items():
        parameter.grad = case[f"before/{name}"].copy()
    total = getattr(tg.nn, str(case["function"]))(parameters.values(), **settings_of(case))
    if "total_norm" in case.dtype.names:
        assert isinstance(total, float)
        assert_close(total, case["total_norm"], "total norm")
    for name, parameter in parameters.items():
        assert_close(parameter.grad, case[f"after/{name}"], name)
