"""``compile(..., check=n)``: every n-th call is compared with the plain function."""

import numpy as np
import pytest
from eager_twins import check_twins

import tinygrad_rnn as tg

X = tg.Tensor(np.random.default_rng(0).standard_normal((5, 2, 3)), requires_grad=True)


def make():
    """Return a training step with masks, moments and a gradient that is kept, and its parts."""
    gru, drop = tg.nn.GRU(3, 4, rng=0).astype(np.float64), tg.nn.Dropout(0.5, rng=1)
    optimizer = tg.optim.Adam(gru.parameters(), lr=0.1)

    def step(x):
        loss = (drop(gru(x)[0]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, [gru, drop.rng, optimizer]


def spoil(written, number, by=0.5):
    """Let a program return another array in one place."""
    run = written.run

    def wrong(*arguments):
        results = [*run(*arguments)]
        results[number] = results[number] + by
        return results

    written.run = wrong


def test_a_call_that_is_compared_changes_what_one_call_changes():
    check_twins(make, lambda rng: rng.standard_normal((5, 2, 3)), programs=2, check=1)


def test_only_every_nth_call_is_compared():
    fast = tg.compile(lambda x: x * 2, check=3)
    fast(X)
    spoil(fast.programs[0].forward, 0)
    fast(X)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"a result that is off by 0\.5"):
            fast(X)
        fast(X)
        fast(X)


def test_a_wrong_gradient_is_an_error_that_names_it():
    layer = tg.nn.GRU(3, 4, rng=0).astype(np.float64)
    names = ["a Tensor", *(name for name, _ in layer.named_parameters())]
    for spoiled in range(len(names)):
        fast = tg.compile(layer, check=2)
        fast(X)
        spoil(fast.programs[0].backward, spoiled)
        with pytest.raises(RuntimeError, match=r"the gradient of .* off by 0\.5") as error:
            fast(X)
        names = [name for name in names if f"the gradient of {name} that" not in str(error.value)]
    assert not names


def test_the_graph_before_a_call_is_not_run_again():
    """The gradient of what comes from it is compared."""
    y = X * 2
    y.sum().backward()
    fast = tg.compile(tg.nn.GRU(3, 4, rng=0).astype(np.float64), check=1)
    fast(y)
    spoil(fast.programs[0].backward, 0)
    with pytest.raises(RuntimeError, match=r"the gradient of a Tensor that is off by 0\.5"):
        fast(y)


@pytest.mark.parametrize("number", [1, -1], ids=["parameter", "moment"])
def test_a_wrong_change_is_an_error(number):
    fast = tg.compile(make()[0], check=3)
    for _ in range(2):  # Adam has moments after the first step
        fast(X.data)
    spoil(fast.programs[-1].forward, number)
    with pytest.raises(RuntimeError, match=r"what the call changes that is off by 0\.5"):
        fast(X.data)


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
def test_a_rounding_is_no_error(size):
    fast, x = tg.compile(lambda x: x * 2, check=1), X.data * size
    fast(x)
    spoil(fast.programs[0].forward, 0, by=1e-14 * size)
    fast(x)
    spoil(fast.programs[0].forward, 0, by=1e-9 * size)
    with pytest.raises(RuntimeError, match="a result"):
        fast(x)
