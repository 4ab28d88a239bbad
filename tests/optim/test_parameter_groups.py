"""Parameter groups: what an optimizer with several groups shows, keeps and accepts."""

import copy
import pickle

import numpy as np
import pytest
from helpers import leaf_with

import tinygrad_rnn as tg
from tinygrad_rnn import optim


def two_groups(kind=optim.Adam, **settings):
    """Return an optimizer with groups of two parameters and of one."""
    groups = [
        {"params": [leaf_with([1.0, 2.0]), leaf_with([3.0])], "lr": 0.1},
        {"params": leaf_with([4.0]), "weight_decay": 0.5},
    ]
    return kind(groups, lr=0.01, **settings)


def stepped(optimizer, steps=1):
    """Return an optimizer after some steps, with gradients that are its parameters."""
    for _ in range(steps):
        for p in optimizer.params:
            p.grad = p.data.copy()
        optimizer.step()
    return optimizer


def values(optimizer):
    return [p.data.tolist() for p in optimizer.params]


def test_a_group_takes_the_settings_that_it_lacks_from_the_optimizer():
    given = {"params": [leaf_with([1.0])], "lr": 1}
    optimizer = optim.Adam([given], eps=np.float32(0.5), betas=[0.5, 0.75])
    assert optimizer.param_groups == [
        {"params": given["params"], "lr": 1.0, "betas": (0.5, 0.75), "eps": 0.5}
        | {"weight_decay": 0.0, "amsgrad": False}
    ]
    assert given.keys() == {"params", "lr"}
    assert {type(x) for x in optimizer.param_groups[0].values()} == {list, float, tuple, bool}


def test_an_attribute_reads_the_first_group_and_sets_all():
    optimizer = two_groups()
    assert (optimizer.lr, optimizer.weight_decay) == (0.1, 0.0)
    optimizer.lr = 0.25
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]
    optimizer.param_groups[0]["lr"] = 0.125
    assert optimizer.lr == 0.125


def test_an_error_in_a_step_leaves_the_first_group_readable():
    class Failing(optim.Optimizer):
        def update(self, w, g, state):
            if self.lr < 0.1:
                raise ArithmeticError
            return w

    optimizer = Failing([{"params": leaf_with([1.0])}, {"params": leaf_with([1.0]), "lr": 0.01}], 1)
    with pytest.raises(ArithmeticError):
        stepped(optimizer)
    assert optimizer.lr == 1.0


def test_a_setting_of_ones_own_may_differ_between_groups():
    class Sign(optim.Optimizer):
        def __init__(self, params, lr, power):
            super().__init__(params, lr, power=power)

        def update(self, w, g, state):
            return w - self.lr * np.sign(g) * np.abs(g) ** self.group["power"]

    a, b = leaf_with([2.0]), leaf_with([2.0])
    stepped(Sign([{"params": a}, {"params": b, "power": 2}], lr=0.5, power=0))
    assert (a.item(), b.item()) == (1.5, 0.0)


def test_a_group_may_be_empty_and_its_optimizer_trains_the_others():
    w = leaf_with([2.0])
    optimizer = optim.SGD([{"params": []}, {"params": [w]}], lr=0.5)
    stepped(optimizer)
    assert w.item() == 1.0
    assert stepped(optimizer).state_dict()["sizes"].tolist() == [0, 1]


def test_a_group_that_is_refused_changes_nothing():
    optimizer = two_groups()
    before = repr(optimizer)
    for wrong in ({"params": leaf_with([1.0]), "lr": -1}, {"params": optimizer.params[:1]}):
        with pytest.raises(ValueError, match="argument"):
            optimizer.add_param_group(wrong)
    assert repr(optimizer) == before
    assert len(optimizer.state) == 3


def test_a_file_from_before_groups_still_loads():
    """These are the names and the shapes that the first version of the state had."""
    state = {"lr": np.array(0.5), "steps": np.array(3)}
    moments = {"t": np.array(3), "mean": np.ones(1), "square": np.ones(1)}
    optimizer = optim.Adam([leaf_with([1.0])])
    optimizer.load_state_dict(state | {f"0.{name}": array for name, array in moments.items()})
    assert (optimizer.lr, optimizer.steps, optimizer.state[0].keys()) == (0.5, 3, moments.keys())
    schedule = optim.ExponentialLR(optimizer, 0.5)
    schedule.load_state_dict({"lr": 0.25, "base": 1.0, "epoch": 2})
    schedule.step()
    assert (optimizer.lr, schedule.epoch) == (0.125, 3)
    assert optimizer.state_dict().keys() == {"lr", "steps", "0.t", "0.mean", "0.square"}


@pytest.mark.parametrize("kind", [optim.SGD, optim.RMSprop, optim.Adam, optim.AdamW])
def test_a_copy_of_an_optimizer_with_groups_trains_on_alike(kind):
    optimizer = stepped(two_groups(kind))
    optim.ExponentialLR(optimizer, 0.5).step()
    twins = [copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))]
    stepped(optimizer, 2)
    for twin in twins:
        assert twin.group is twin.param_groups[0]
        assert values(stepped(twin, 2)) == values(optimizer)


def test_clipping_takes_the_norm_of_the_parameters_of_all_groups():
    optimizer = optim.SGD([{"params": leaf_with([1.0])}, {"params": leaf_with([1.0])}], lr=1.0)
    for p, g in zip(optimizer.params, (3.0, 4.0), strict=True):
        p.grad = np.array([g])
    assert tg.nn.clip_grad_norm_(optimizer.params, 1.0) == 5.0
    np.testing.assert_allclose([p.grad.item() for p in optimizer.params], [0.6, 0.8], rtol=1e-6)


def test_the_repr_of_an_optimizer_shows_the_settings_of_every_group():
    assert repr(optim.SGD([leaf_with([1.0])], lr=0.5, momentum=0.9)) == (
        "SGD(1 parameter, lr=0.5, momentum=0.9, weight_decay=0.0, nesterov=False)"
    )
    assert repr(two_groups(optim.RMSprop)).splitlines() == [
        "RMSprop(",
        "  (0): 2 parameters, lr=0.1, alpha=0.99, eps=1e-08, weight_decay=0.0, momentum=0.0, "
        "centered=False",
        "  (1): 1 parameter, lr=0.01, alpha=0.99, eps=1e-08, weight_decay=0.5, momentum=0.0, "
        "centered=False",
        ")",
    ]


def test_the_repr_of_a_schedule_shows_its_settings_and_where_it_is():
    schedule = optim.StepLR(two_groups(), step_size=2, gamma=0.5)
    for _ in range(3):
        schedule.step()
    assert repr(schedule) == "StepLR(step_size=2, gamma=0.5, epoch=3, lr=[0.05, 0.005])"
    plateau = optim.ReduceLROnPlateau(optim.SGD([leaf_with([1.0])], lr=0.5), patience=3)
    assert repr(plateau) == (
        "ReduceLROnPlateau(factor=0.1, patience=3, best=inf, waited=0, lr=0.5)"
    )
