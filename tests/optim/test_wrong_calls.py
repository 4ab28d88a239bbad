"""Wrong calls of optimizers: each raises an error that names the operation and the argument."""

import numpy as np
from wrong_calls import (
    X,
    adam,
    assert_refused,
    every,
    sgd,
    stepped,
    weight,
    with_gradient,
    with_settings,
)

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim


def appended(optimizer):
    """Return the optimizer after somebody added a parameter to its first group by hand."""
    optimizer.param_groups[0]["params"].append(weight())
    return optimizer


def with_second_rate(lr):
    """Return an optimizer with two groups, whose second has this rate since it was made."""
    optimizer = optim.SGD([{"params": weight()}, {"params": weight()}], 0.5)
    optimizer.param_groups[1]["lr"] = lr
    return optimizer


AREAS = {
    "optimizers": {
        "None as the optimizer's state": (
            lambda: adam().load_state_dict(None),
            TypeError,
            "Adam.load_state_dict: argument state",
        ),
        "state of another optimizer": (
            lambda: adam().load_state_dict(stepped(optim.SGD([weight()], 0.1, 0.9)).state_dict()),
            ValueError,
            "Adam.load_state_dict: argument state: .* unexpected 0.velocity",
        ),
        "optimizer's state without a part": (
            lambda: adam().load_state_dict(
                {k: v for k, v in stepped(adam()).state_dict().items() if k != "0.square"}
            ),
            ValueError,
            "Adam.load_state_dict: argument state: .* missing 0.square",
        ),
        "optimizer's learning rate of nan": (
            lambda: adam().load_state_dict({**adam().state_dict(), "lr": np.array(np.nan)}),
            ValueError,
            "Adam.load_state_dict: argument lr: .* got nan",
        ),
        "optimizer's steps below zero": (
            lambda: adam().load_state_dict({**adam().state_dict(), "steps": np.array(-3)}),
            ValueError,
            "Adam.load_state_dict: argument steps: .* got -3",
        ),
        "a velocity of complex numbers": (
            lambda: optim.SGD([weight()], 0.1, 0.9).load_state_dict(
                {"lr": 0.1, "steps": 1, "0.velocity": np.ones(3) * 1j}
            ),
            TypeError,
            r"SGD\.load_state_dict: argument 0\.velocity: .* got complex128 \(3,\)",
        ),
        "a velocity of text": (
            lambda: optim.SGD([weight()], 0.1, 0.9).load_state_dict(
                {"lr": 0.1, "steps": 1, "0.velocity": ["1", "2", "3"]}
            ),
            TypeError,
            r"SGD\.load_state_dict: argument 0\.velocity: .* got list \['1', '2', '3'\]",
        ),
        "a velocity under a second name": (
            lambda: optim.SGD([weight()], 0.1, 0.9).load_state_dict(
                {"lr": 0.1, "steps": 1, "0.velocity": np.ones(3), "00.velocity": np.ones(3)}
            ),
            ValueError,
            r"SGD\.load_state_dict: argument state: .* got unexpected 00\.velocity;",
        ),
        "a velocity of parameter ²": (
            lambda: optim.SGD([weight()], 0.1, 0.9).load_state_dict(
                {"lr": 0.1, "steps": 1, "².velocity": np.ones(3)}
            ),
            ValueError,
            r"SGD\.load_state_dict: argument state: .* got unexpected ²\.velocity;",
        ),
        "an optimizer's state by number": (
            lambda: sgd().load_state_dict({"lr": 0.1, "steps": 1, 0: np.ones(3)}),
            ValueError,
            r"SGD\.load_state_dict: argument state: .* got unexpected 0;",
        ),
        "a parameter's steps below one": (
            lambda: adam().load_state_dict({**stepped(adam()).state_dict(), "0.t": np.array(-1)}),
            ValueError,
            r"Adam\.load_state_dict: argument 0\.t: .* got -1",
        ),
        "a parameter's steps of nan": (
            lambda: adam().load_state_dict(
                {**stepped(adam()).state_dict(), "0.t": np.array(np.nan)}
            ),
            TypeError,
            r"Adam\.load_state_dict: argument 0\.t: .*\(nan\)",
        ),
        "a parameter's steps of text": (
            lambda: adam().load_state_dict({**stepped(adam()).state_dict(), "0.t": "x"}),
            TypeError,
            r"Adam\.load_state_dict: argument 0\.t: .* got str 'x'",
        ),
        "a parameter's steps and a half": (
            lambda: adam().load_state_dict({**stepped(adam()).state_dict(), "0.t": np.array(2.5)}),
            TypeError,
            r"Adam\.load_state_dict: argument 0\.t: .*\(2\.5\)",
        ),
        "a mean square below 0": (
            lambda: adam().load_state_dict(
                {**stepped(adam()).state_dict(), "0.square": -np.ones(3)}
            ),
            ValueError,
            r"Adam\.load_state_dict: argument state: .* "
            r"got 0\.square with negative entries, but it is a mean of squares;",
        ),
        "betas of 1 afterwards": (
            lambda: with_settings(adam(), betas=(1.0, 1.0)),
            ValueError,
            r"Adam: argument beta1: .* got 1\.0",
        ),
        "one beta afterwards": (
            lambda: with_settings(adam(), betas=0.9),
            ValueError,
            r"Adam: argument betas: .* got float 0\.9",
        ),
        "eps of text afterwards": (
            lambda: with_settings(adam(), eps="x"),
            TypeError,
            "Adam: argument eps: .* got str 'x'",
        ),
        "decay below 0 afterwards": (
            lambda: with_settings(optim.AdamW([weight()]), weight_decay=-1.0),
            ValueError,
            r"AdamW: argument weight_decay: .* got -1\.0",
        ),
        "momentum below 0 afterwards": (
            lambda: with_settings(optim.SGD([weight()], 0.1, 0.9), momentum=-1.0),
            ValueError,
            r"SGD: argument momentum: .* got -1\.0",
        ),
        "no parameters": (
            lambda: optim.SGD([], 0.1),
            ValueError,
            "SGD: argument params: .* got none",
        ),
        "an interior Tensor as a parameter": (
            lambda: optim.SGD([weight() * 2], 0.1),
            ValueError,
            r"SGD: argument params: .* got float64 \(3,\)",
        ),
        "a constant as a parameter": (
            lambda: optim.SGD([tg.Tensor(X)], 0.1),
            ValueError,
            r"SGD: argument params: .* got float32 \(3, 2\)",
        ),
        "an array as a parameter": (
            lambda: optim.SGD([X], 0.1),
            ValueError,
            r"SGD: argument params: .* got float32 \(3, 2\)",
        ),
        "names with the parameters": (
            lambda: optim.SGD(nn.Linear(2, 2).named_parameters(), 0.1),
            ValueError,
            r"SGD: argument params: .* got tuple \('weight'",
        ),
        "one parameter twice": (
            lambda: optim.SGD([*(w := [weight()]), *w], 0.1),
            ValueError,
            r"SGD: argument params\[1\]: .* got a Tensor of shape \(3,\), which ",
        ),
        "a module in place of its parameters": (
            lambda: optim.SGD(nn.Linear(2, 2), 0.1),
            TypeError,
            r"SGD: argument params: .* got Linear Linear\(2, 2\)",
        ),
        "a rate below 0": (
            lambda: optim.SGD([weight()], -0.1),
            ValueError,
            r"SGD: argument lr: .* got -0\.1",
        ),
        "a rate of nan": (
            lambda: optim.SGD([weight()], float("nan")),
            ValueError,
            "SGD: argument lr: .* got nan",
        ),
        "a rate of text": (
            lambda: optim.SGD([weight()], "0.1"),
            TypeError,
            r"SGD: argument lr: .* got str '0\.1'",
        ),
        "a rate of True": (
            lambda: optim.SGD([weight()], True),
            TypeError,
            "SGD: argument lr: .* got bool True",
        ),
        "looking ahead without momentum": (
            lambda: optim.SGD([weight()], 0.1, nesterov=True),
            ValueError,
            "SGD: argument nesterov: .* got momentum=0",
        ),
        "looking ahead in text": (
            lambda: optim.SGD([weight()], 0.1, 0.9, nesterov="no"),
            TypeError,
            "SGD: argument nesterov: .* got str 'no'",
        ),
        "a beta of 1": (
            lambda: optim.Adam([weight()], betas=(0.9, 1.0)),
            ValueError,
            r"Adam: argument beta2: .* got 1\.0",
        ),
        "a beta below 0": (
            lambda: optim.Adam([weight()], betas=(-0.1, 0.9)),
            ValueError,
            r"Adam: argument beta1: .* got -0\.1",
        ),
        "one beta": (
            lambda: optim.Adam([weight()], betas=0.9),
            ValueError,
            r"Adam: argument betas: .* got float 0\.9",
        ),
        "eps below 0": (
            lambda: optim.Adam([weight()], eps=-1e-8),
            ValueError,
            "Adam: argument eps: .* got -1e-08",
        ),
        "weight decay below 0": (
            lambda: optim.AdamW([weight()], weight_decay=-1),
            ValueError,
            "AdamW: argument weight_decay: .* got -1",
        ),
        "amsgrad of text": (
            lambda: optim.Adam([weight()], amsgrad="no"),
            TypeError,
            "Adam: argument amsgrad: .* got str 'no'",
        ),
        "alpha of 1": (
            lambda: optim.RMSprop([weight()], alpha=1.0),
            ValueError,
            r"RMSprop: argument alpha: .* got 1\.0",
        ),
        "centered of text": (
            lambda: optim.RMSprop([weight()], centered="no"),
            TypeError,
            "RMSprop: argument centered: .* got str 'no'",
        ),
        "a gradient of another shape": (
            lambda: with_gradient(np.ones((3, 1))),
            ValueError,
            r"Tensor\.grad: argument grad: .* got float64 \(3, 1\)",
        ),
        "a gradient in a list": (
            lambda: with_gradient([1, 2, 3]),
            TypeError,
            r"Tensor\.grad: argument grad: .* got list \[1, 2, 3\]; convert it with np\.asarray",
        ),
        "a complex gradient": (
            lambda: with_gradient(np.ones(3) * 1j),
            ValueError,
            r"Tensor\.grad: argument grad: .* got complex128 \(3,\)",
        ),
        "a rate that became text": (
            lambda: with_gradient(lr="a"),
            TypeError,
            "SGD: argument lr: .* got str 'a'",
        ),
        "a rate that became nan": (
            lambda: with_gradient(lr=np.nan),
            ValueError,
            "SGD: argument lr: .* got nan",
        ),
        "a rate that went below 0": (
            lambda: with_gradient(lr=-0.1),
            ValueError,
            r"SGD: argument lr: .* got -0\.1",
        ),
    },
    "groups": {
        "a group that is not in a list": (
            lambda: optim.Adam({"params": [weight()]}),
            TypeError,
            r"Adam: argument params: .* got dict .*; put the group into a list, or pass",
        ),
        "a module in a group": (
            lambda: optim.Adam([{"params": nn.Linear(2, 2)}]),
            TypeError,
            r'Adam: argument params\[0\]\["params"\]: .* got Linear Linear\(2, 2\); '
            r"pass module\.parameters\(\)",
        ),
        "a module list in a group": (
            lambda: optim.Adam([{"params": nn.ModuleList([nn.Linear(2, 2)])}]),
            ValueError,
            r'Adam: argument params\[0\]\["params"\]: .* got Linear Linear\(2, 2\)',
        ),
        "a Tensor beside a group": (
            lambda: optim.Adam([{"params": [weight()]}, weight()]),
            TypeError,
            r"Adam: argument params\[1\]: expected a dict with \"params\", got float64 \(3,\)",
        ),
        "a group without parameters": (
            lambda: optim.Adam([{"lr": 0.1}]),
            ValueError,
            r"Adam: argument params\[0\]: expected a dict with \"params\", got dict",
        ),
        "only empty groups": (
            lambda: optim.Adam([{"params": []}]),
            ValueError,
            r"Adam: argument params: .* got none",
        ),
        "parameters in a set": (
            lambda: optim.Adam([{"params": {weight()}}]),
            TypeError,
            r'Adam: argument params\[0\]\["params"\]: expected .* in a fixed order, got set',
        ),
        "an unknown setting of a group": (
            lambda: optim.Adam([{"params": [weight()], "momentum": 0.9}]),
            ValueError,
            r"Adam: argument params\[0\]: .* got 'momentum'; .* are lr, betas, eps, weight_decay,",
        ),
        "a wrong setting of a group": (
            lambda: optim.Adam([{"params": [weight()], "betas": (0.9, 1.0)}]),
            ValueError,
            r"Adam: argument beta2: .* got 1\.0",
        ),
        "Nesterov momentum of a group without momentum": (
            lambda: optim.SGD([{"params": [weight()], "nesterov": True}], 0.1),
            ValueError,
            "SGD: argument nesterov: .* got momentum=0",
        ),
        "a parameter twice in a group": (
            lambda: optim.Adam([{"params": [*(w := [weight()]), *w]}]),
            ValueError,
            r'Adam: argument params\[0\]\["params"\]\[1\]: .* got a Tensor of shape \(3,\), which',
        ),
        "a parameter in two groups": (
            lambda: optim.Adam([{"params": (w := weight())}, {"params": [weight(), w]}]),
            ValueError,
            r"Adam: argument params\[1\]: .* got a Tensor of shape \(3,\), which is in group 0 too",
        ),
        "a parameter added twice": (
            lambda: (o := adam()).add_param_group({"params": o.params}),
            ValueError,
            r"Adam\.add_param_group: argument param_group: .* which is in group 0 too",
        ),
        "parameters added without a group": (
            lambda: adam().add_param_group([weight()]),
            TypeError,
            r"Adam\.add_param_group: argument param_group: .* got list",
        ),
        "a parameter appended to a group": (
            lambda: appended(adam()).step(),
            ValueError,
            r"Adam: argument param_groups: .* got 2 parameters; call optimizer\.add_param_group",
        ),
        "a rate of text in the second group": (
            lambda: with_second_rate("0.1").step(),
            TypeError,
            r"SGD: argument lr: .* got str '0\.1'",
        ),
        "a schedule of a rate of text": (
            lambda: optim.StepLR(with_second_rate("0.1"), 1),
            TypeError,
            r"StepLR: argument lr: .* got str '0\.1'",
        ),
        "the state of one group for two": (
            lambda: with_second_rate(0.1).load_state_dict(sgd().state_dict()),
            ValueError,
            r"SGD\.load_state_dict: .* got groups of \[2\] parameters, not of \[1, 1\]",
        ),
        "the state of two groups for one": (
            lambda: sgd().load_state_dict(with_second_rate(0.1).state_dict()),
            ValueError,
            r"SGD\.load_state_dict: .* got groups of \[1, 1\] parameters, not of \[1\]",
        ),
        "two rates for one group": (
            lambda: sgd().load_state_dict({"lr": np.ones(2), "steps": 1}),
            ValueError,
            r"SGD\.load_state_dict: .* got lr \(2,\) for groups of \[1\] parameters",
        ),
        "a schedule's state of one group for two": (
            lambda: optim.StepLR(with_second_rate(0.1), 1).load_state_dict(
                optim.StepLR(sgd(), 1).state_dict()
            ),
            ValueError,
            r"StepLR\.load_state_dict: .* \(2 of lr and base: one for each group\), got lr float64",
        ),
    },
    "schedules": {
        "schedule of a number": (
            lambda: optim.StepLR(5, 1),
            TypeError,
            "StepLR: argument optimizer: .* got int 5",
        ),
        "steps of no epoch": (
            lambda: optim.StepLR(sgd(), 0),
            ValueError,
            "StepLR: argument step_size: .* got 0",
        ),
        "a factor below 0": (
            lambda: optim.StepLR(sgd(), 1, -0.5),
            ValueError,
            r"StepLR: argument gamma: .* got -0\.5",
        ),
        "a factor of text": (
            lambda: optim.ExponentialLR(sgd(), "a"),
            TypeError,
            "ExponentialLR: argument gamma: .* got str 'a'",
        ),
        "a cosine of no length": (
            lambda: optim.CosineAnnealingLR(sgd(), 0),
            ValueError,
            "CosineAnnealingLR: argument T_max: .* got 0",
        ),
        "a lowest rate below 0": (
            lambda: optim.CosineAnnealingLR(sgd(), 5, -1),
            ValueError,
            "CosineAnnealingLR: argument eta_min: .* got -1",
        ),
        "a start below 0": (
            lambda: optim.LinearLR(sgd(), -1),
            ValueError,
            "LinearLR: argument start_factor: .* got -1",
        ),
        "a warm-up of no epochs": (
            lambda: optim.LinearLR(sgd(), total_iters=0),
            ValueError,
            "LinearLR: argument total_iters: .* got 0",
        ),
        "a factor above 1": (
            lambda: optim.ReduceLROnPlateau(sgd(), 1.5),
            ValueError,
            r"ReduceLROnPlateau: argument factor: .* got 1\.5",
        ),
        "half an epoch of patience": (
            lambda: optim.ReduceLROnPlateau(sgd(), patience=1.5),
            TypeError,
            r"ReduceLROnPlateau: argument patience: .* got float 1\.5",
        ),
        "a result of nan": (
            lambda: optim.ReduceLROnPlateau(sgd()).step(float("nan")),
            ValueError,
            r"ReduceLROnPlateau\.step: argument metric: .* got nan",
        ),
        "a result of text": (
            lambda: optim.ReduceLROnPlateau(sgd()).step("0.5"),
            TypeError,
            r"ReduceLROnPlateau\.step: argument metric: .* got str '0\.5'",
        ),
        "several results": (
            lambda: optim.ReduceLROnPlateau(sgd()).step(np.ones(2)),
            TypeError,
            r"ReduceLROnPlateau\.step: argument metric: .* got float64 \(2,\)",
        ),
        "a module in place of an optimizer": (
            lambda: optim.StepLR(nn.Linear(2, 2), 1),
            TypeError,
            r"StepLR: argument optimizer: .* got Linear Linear\(2, 2\)",
        ),
        "an empty state": (
            lambda: optim.StepLR(sgd(), 1).load_state_dict({}),
            ValueError,
            r"StepLR\.load_state_dict: argument state: .* got missing lr",
        ),
        "no state": (
            lambda: optim.StepLR(sgd(), 1).load_state_dict(None),
            TypeError,
            r"StepLR\.load_state_dict: argument state: .* got NoneType None",
        ),
        "a state with a rate of nan": (
            lambda: optim.StepLR(sgd(), 1).load_state_dict({"lr": np.nan, "base": 1.0, "epoch": 1}),
            ValueError,
            r"StepLR\.load_state_dict: argument lr: .* got nan",
        ),
        "a state after half an epoch": (
            lambda: optim.StepLR(sgd(), 1).load_state_dict({"lr": 0.1, "base": 1.0, "epoch": 1.5}),
            TypeError,
            r"StepLR\.load_state_dict: argument epoch: .* got float64 np\.float64\(1\.5\)",
        ),
    },
}


@every(AREAS)
def test_a_wrong_call_of_optimizers_is_refused_by_name(call, error, message):
    assert_refused(call, error, message)


def test_wrong_calls_of_optimizers_have_rows_of_every_area():
    assert AREAS.keys() == {"optimizers", "groups", "schedules"}
    assert min(map(len, AREAS.values())) >= 4
