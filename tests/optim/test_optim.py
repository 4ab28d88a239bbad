"""Optimizers and schedules: their errors, and resumed runs that equal uninterrupted ones."""

import numpy as np
import pytest
from helpers import leaf_with

import tinygrad_rnn as tg
from tinygrad_rnn import optim

OPTIMIZERS = [optim.SGD, optim.RMSprop, optim.Adam, optim.AdamW]
SCHEDULES = {
    "StepLR": lambda o: optim.StepLR(o, step_size=2, gamma=0.3),
    "ExponentialLR": lambda o: optim.ExponentialLR(o, gamma=0.9),
    "CosineAnnealingLR": lambda o: optim.CosineAnnealingLR(o, T_max=5, eta_min=0.01),
    "LinearLR": lambda o: optim.LinearLR(o, start_factor=0.1, total_iters=6),
    "ReduceLROnPlateau": lambda o: optim.ReduceLROnPlateau(o, factor=0.3, patience=1),
}
METRICS = [3.0, 2.5, 2.6, 2.7, 2.4, 2.45, 2.5, 2.4, 2.3, 2.35]


# -- schedules -------------------------------------------------------------------------------------


def learning_rates(schedule, w, epochs):
    """Train for these epochs, and return the learning rate after each."""
    rates = []
    for epoch in epochs:
        w.grad = w.data * (epoch + 1)
        schedule.optimizer.step()
        schedule.step(*([METRICS[epoch]] if isinstance(schedule, optim.ReduceLROnPlateau) else []))
        rates.append(schedule.optimizer.lr)
    return rates


@pytest.mark.parametrize("first", ["optimizer", "schedule"])
@pytest.mark.parametrize("stop", [0, 3, 7])
@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
def test_a_resumed_run_equals_the_uninterrupted_one(make, stop, first, tmp_path):
    w = leaf_with([1.0, -2.0])
    whole = learning_rates(make(optim.SGD([w], lr=0.1, momentum=0.9)), w, range(10))

    v = leaf_with([1.0, -2.0])
    schedule = make(optim.SGD([v], lr=0.1, momentum=0.9))
    before = learning_rates(schedule, v, range(stop))
    tg.save(schedule.state_dict(), tmp_path / "schedule")
    tg.save(schedule.optimizer.state_dict(), tmp_path / "optimizer")
    optimizer = optim.SGD([v], lr=0.1, momentum=0.9)
    if first == "optimizer":  # the schedule is then made with the rate of the middle of the run
        optimizer.load_state_dict(tg.load(tmp_path / "optimizer"))
    resumed = make(optimizer)
    resumed.load_state_dict(tg.load(tmp_path / "schedule"))
    if first == "schedule":
        optimizer.load_state_dict(tg.load(tmp_path / "optimizer"))
    assert optimizer.lr == schedule.optimizer.lr
    assert before + learning_rates(resumed, v, range(stop, 10)) == whole
    np.testing.assert_array_equal(v.data, w.data)


def test_a_schedule_restores_a_rate_that_the_user_set():
    schedule = SCHEDULES["StepLR"](optim.SGD([leaf_with([1.0, -2.0])], lr=0.1))
    schedule.optimizer.lr = 0.123
    other = SCHEDULES["StepLR"](optim.SGD([leaf_with([1.0, -2.0])], lr=0.1))
    other.load_state_dict(schedule.state_dict())
    assert other.optimizer.lr == 0.123


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("epoch"), "missing epoch"),
        (lambda state: state.update(momentum=1.0), "unexpected momentum"),
        (lambda state: state.update(epoch=np.zeros(2)), r"epoch float64 \(2,\)"),
        (lambda state: state.update(base="fast"), "base <U4"),
    ],
    ids=["missing", "unexpected", "array", "text"],
)
def test_a_wrong_schedule_state_is_an_error_and_changes_nothing(change, message):
    schedule = SCHEDULES["ExponentialLR"](optim.SGD([leaf_with([1.0, -2.0])], lr=0.1))
    schedule.step()
    before = schedule.state_dict()
    state = {**before, "lr": 7.0}
    change(state)
    with pytest.raises(
        ValueError, match=f"ExponentialLR.load_state_dict: argument state: .*{message}"
    ):
        schedule.load_state_dict(state)
    assert schedule.state_dict() == before


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda o: optim.StepLR(o, 0),
            ValueError,
            "StepLR: argument step_size: expected a positive integer, got 0",
        ),
        (lambda o: optim.StepLR(o, "2"), TypeError, "StepLR: argument step_size"),
        (lambda o: optim.StepLR(o, 2, None), TypeError, "StepLR: argument gamma"),
        (
            lambda o: optim.ExponentialLR(o, float("nan")),
            ValueError,
            "ExponentialLR: argument gamma",
        ),
        (lambda o: optim.CosineAnnealingLR(o, 2.5), TypeError, "CosineAnnealingLR: argument T_max"),
        (lambda o: optim.LinearLR(o, "0"), TypeError, "LinearLR: argument start_factor"),
        (
            lambda o: optim.ReduceLROnPlateau(o, 1.0),
            ValueError,
            "ReduceLROnPlateau: argument factor",
        ),
        (
            lambda o: optim.ReduceLROnPlateau(o, patience=-1),
            ValueError,
            "ReduceLROnPlateau: argument patience",
        ),
        (
            lambda o: optim.StepLR(0.1, 2),
            TypeError,
            "StepLR: argument optimizer: expected an Optimizer, got float 0.1",
        ),
    ],
)
def test_a_wrong_setting_of_a_schedule_is_an_error(call, error, message):
    optimizer = optim.SGD([leaf_with([1.0, -2.0])], lr=0.1)
    with pytest.raises(error, match=message):
        call(optimizer)
    assert optimizer.lr == 0.1


# -- optimizers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_parameter_given_twice_is_an_error_with_its_name(kind):
    w, v = leaf_with([1.0, -2.0], "w"), leaf_with([1.0, -2.0])
    with pytest.raises(
        ValueError,
        match=rf"{kind.__name__}: argument params\[2\]: .*"
        r"got w of shape \(2,\), which is params\[0\] too",
    ):
        kind([w, v, w], lr=0.1)
    with pytest.raises(ValueError, match=r"params\[1\]: .*a Tensor of shape"):
        kind([v, v], lr=0.1)
    # Two parameters with equal names and numbers are not the same.
    kind([w, v, leaf_with([1.0, -2.0], "w")], lr=0.1)


NUMBERS = {
    optim.SGD: ("lr", "momentum", "weight_decay"),
    optim.RMSprop: ("lr", "momentum", "weight_decay", "eps", "alpha"),
    optim.Adam: ("lr", "weight_decay", "eps", "beta1", "beta2"),
    optim.AdamW: ("lr", "weight_decay", "eps", "beta1", "beta2"),
}


@pytest.mark.parametrize(
    "value",
    [
        "0.1",
        None,
        [0.1],
        np.ones(2),
        1j,
        leaf_with([1.0, -2.0]).sum(),
        float("nan"),
        -0.1,
        float("inf"),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("kind", "argument"),
    [(kind, argument) for kind, names in NUMBERS.items() for argument in names],
)
def test_a_setting_of_the_wrong_type_or_range_is_an_error(kind, argument, value):
    settings = {"beta1": {"betas": (value, 0.9)}, "beta2": {"betas": (0.9, value)}}.get(
        argument, {argument: value}
    )
    with pytest.raises(
        (TypeError, ValueError), match=f"^{kind.__name__}: argument {argument}: expected a .*number"
    ):
        kind([leaf_with([1.0, -2.0])], **{"lr": 0.1, **settings})


@pytest.mark.parametrize("betas", [(0.9,), (0.9, 0.99, 0.999), 0.9, None, "ab"], ids=str)
@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW])
def test_betas_are_two_numbers(kind, betas):
    with pytest.raises(
        (TypeError, ValueError),
        match=rf"{kind.__name__}: argument beta(s|1): expected .*number.*in \[0, 1\)",
    ):
        kind([leaf_with([1.0, -2.0])], betas=betas)


@pytest.mark.parametrize("value", [1.0, 1.5])
def test_betas_and_alpha_must_be_below_one(value):
    for call in (
        lambda: optim.Adam([leaf_with([1.0, -2.0])], betas=(0.9, value)),
        lambda: optim.RMSprop([leaf_with([1.0, -2.0])], alpha=value),
    ):
        with pytest.raises(ValueError, match=r"in \[0, 1\)"):
            call()


@pytest.mark.parametrize(
    "params",
    [leaf_with([1.0, -2.0]), tg.Tensor(1.0, requires_grad=True), None, tg.nn.Linear(2, 2), 3],
    ids=str,
)
def test_params_must_be_an_iterable_of_parameters(params):
    with pytest.raises(
        TypeError,
        match=r"SGD: argument params: expected an iterable of Tensors.*module\.parameters\(\)",
    ):
        optim.SGD(params, lr=0.1)
    with pytest.raises(ValueError, match="at least one leaf"):
        optim.SGD([], lr=0.1)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_settings_from_numpy_do_not_change_the_dtype_of_the_state(kind):
    w = tg.Tensor(np.ones(2, np.float32), requires_grad=True)
    wide = np.float64(0.1)
    settings = (
        {"momentum": wide}
        if kind in (optim.SGD, optim.RMSprop)
        else {"betas": (wide, wide), "eps": wide}
    )
    optimizer = kind([w], lr=np.array(0.1), weight_decay=wide, **settings)
    for _ in range(2):
        w.grad = np.ones(2, np.float32)
        optimizer.step()
    assert {array.dtype for array in optimizer.state[0].values() if array.ndim} == {
        np.dtype(np.float32)
    }
    assert w.dtype == np.float32


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            {"1.square": -np.ones(2)},
            {"1.t": np.array(2.5)},
            {"1.mean": np.ones(2) * 1j},
            {"1.mean": ["a", "b"]},
            {"1.mean": np.ones(1)},
        ),
        *(
            {"01.mean": np.ones(2)},
            {"².mean": np.ones(2)},
            {2: np.ones(2)},
            {"steps": 1.5},
            {"lr": "fast"},
            {"lr": [[1], [1, 2]]},
        ),
    ],
    ids=str,
)
def test_a_wrong_optimizer_state_is_an_error_and_changes_nothing(wrong):
    w, v = leaf_with([1.0, -2.0]), leaf_with([1.0, -2.0])
    w.grad, v.grad = w.data.copy(), v.data * 2
    optimizer = optim.Adam([w, v])
    optimizer.step()
    before, state = optimizer.state_dict(), optimizer.state_dict()
    state.update({"0.mean": np.zeros(2), "lr": np.array(7.0)})
    with pytest.raises((TypeError, ValueError), match=r"^Adam\.load_state_dict: argument "):
        optimizer.load_state_dict({**state, **wrong})
    after = optimizer.state_dict()
    assert after.keys() == before.keys()
    assert all(np.array_equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("betas", (0.9, 1.0)), ("eps", "x"), ("weight_decay", -1.0), ("lr", None)],
    ids=str,
)
def test_a_wrong_setting_is_an_error_before_any_parameter_changes(name, wrong):
    w, v = leaf_with([1.0, -2.0]), leaf_with([1.0, -2.0])
    w.grad, v.grad = w.data.copy(), v.data * 2
    optimizer = optim.Adam([w, v])
    optimizer.step()
    before, numbers = [dict(state) for state in optimizer.state], w.data
    setattr(optimizer, name, wrong)
    with pytest.raises((TypeError, ValueError), match=r"^Adam: argument "):
        optimizer.step()
    assert w.data is numbers
    assert optimizer.steps == 1
    assert optimizer.state == before


def test_betas_are_read_and_set_as_a_pair():
    w = leaf_with([1.0, -2.0])
    optimizer = optim.Adam([w])
    assert optimizer.betas == (0.9, 0.999)
    optimizer.betas = (0.0, 0.0)
    w.grad = w.data.copy()
    optimizer.step()
    np.testing.assert_array_equal(optimizer.state[0]["mean"], w.grad)


def test_centered_rmsprop_stays_finite_on_a_constant_gradient():
    w = tg.Tensor(np.zeros(3, np.float32), requires_grad=True)
    optimizer = tg.optim.RMSprop([w], lr=1e-6, centered=True)
    for _ in range(3000):
        w.grad = np.array([0.1, 0.3, 0.7], np.float32)
        optimizer.step()
    assert np.isfinite(w.data).all()


@pytest.mark.parametrize("make", [tg.optim.SGD, tg.optim.RMSprop, tg.optim.Adam, tg.optim.AdamW])
@pytest.mark.parametrize("momentum", [{}, {"momentum": 0.9}], ids=["plain", "momentum"])
def test_an_optimizer_step_between_forward_and_backward_is_an_error(make, momentum):
    """The array in the graph stays unchanged, and backward raises: at the first step and later."""
    if momentum and make not in (tg.optim.SGD, tg.optim.RMSprop):
        momentum = {"weight_decay": 0.1}
    w = tg.Tensor(np.ones(3, "float32"), requires_grad=True, name="w")
    optimizer = make([w], lr=0.1, **momentum)
    for _ in range(2):
        loss, before = (w * w).sum(), w.data
        kept = before.copy()
        (w * 2).sum().backward()
        optimizer.step()
        np.testing.assert_array_equal(before, kept)  # the numbers of the graph are as they were
        with pytest.raises(RuntimeError, match=r"w \(shape \(3,\)\).*before an optimizer"):
            loss.backward()
        optimizer.zero_grad()
