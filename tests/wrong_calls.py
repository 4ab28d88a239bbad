"""Support for tests of wrong calls: values that these calls take, and the check of their error."""

import numpy as np
import pytest
from internals import registry

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim, text

X = np.arange(6.0, dtype=np.float32).reshape(3, 2)
SEQUENCE = np.ones((4, 3, 2), np.float32)
VOCAB = text.CharVocab("ab")


def alternate(x, state):
    """Return logits of the other character: a model of a text of two characters."""
    return tg.Tensor(10 * np.eye(2, dtype=np.float32)[1 - x]), state


def echo(x, h):
    """Return the state as output and as state: a cell."""
    return h, h


def loss():
    """Return a loss with a graph."""
    return nn.GRU(2, 2, rng=0)(X)[0].sum()


def used():
    """Return a loss whose graph a backward pass has used."""
    gone = loss()
    gone.backward()
    return gone


def diverged():
    """Return a parameter whose gradient is NaN."""
    w = weight()
    w.grad = np.full(3, np.nan)
    return w


def weight():
    """Return a parameter of three ones."""
    return tg.Tensor(np.ones(3), requires_grad=True)


def linear_state(**others):
    """Return the state dict of a Linear, with some entries replaced or added."""
    return {**nn.Linear(2, 2, rng=0).state_dict(), **others}


def sgd():
    """Return an optimizer without state."""
    return optim.SGD([weight()], 0.1)


def with_gradient(gradient=None, **settings):
    """Step once with this gradient, after settings were changed."""
    with_settings(sgd(), gradient, **settings)


def with_settings(optimizer, gradient=None, **settings):
    """Step an optimizer once with this gradient, after settings were changed."""
    optimizer.params[0].grad = np.ones(3) if gradient is None else gradient
    for name, value in settings.items():
        setattr(optimizer, name, value)
    optimizer.step()


def with_gradients(*gradients):
    """Return parameters with these gradients."""
    found = [weight() for _ in gradients]
    for p, g in zip(found, gradients, strict=True):
        p.grad = g
    return found


def adam():
    """Return an optimizer that has not made a step."""
    return optim.Adam([weight()])


def stepped(optimizer):
    """Return the optimizer after one step."""
    for p in optimizer.params:
        p.grad = np.ones_like(p.data)
    optimizer.step()
    return optimizer


def backward_onto(grad):
    """Run a backward pass that adds to this `.grad`."""
    w = weight()
    w.grad = grad
    (w * w).sum().backward()


def through(flow):
    """Run a backward pass through a rule that returns `flow`."""

    @tg.op("shrunk({a})")
    def shrunk(a):
        return a / 2

    del registry["shrunk"]
    shrunk.vjps(a=lambda g, y, a: flow)
    shrunk(weight()).sum().backward()


def through_joined(contributions):
    """Run a backward pass through a variadic rule that returns ``contributions(g)``."""

    @tg.op("added({arrays})")
    def added(*arrays):
        return sum(arrays)

    del registry["added"]
    added.vjps(arrays=lambda g, y, *arrays: contributions(g))
    first, second = weight(), weight()
    try:
        added([first, second]).sum().backward()
    finally:
        assert first.grad is second.grad is None


def define(formula, **settings):
    """Define an op with this formula."""

    @tg.op(formula, **settings)
    def halved(a):
        return a / 2


def every(areas):
    """Mark a test to run with each wrong call of these areas, its error and its message."""
    rows = {f"{area}: {what}": row for area, calls in areas.items() for what, row in calls.items()}
    return pytest.mark.parametrize(("call", "error", "message"), rows.values(), ids=rows)


def assert_refused(call, error, message):
    """Assert that a call raises this error, with this message."""
    with pytest.raises(error, match=message):
        call()
