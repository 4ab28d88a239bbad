"""Gradient clipping: the norm, and gradients that cannot be clipped."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn


def test_gradients_that_are_not_finite_are_not_clipped():
    w = tg.Tensor([1.0], requires_grad=True, name="w")
    w.grad = np.array([np.nan], "float32")
    with pytest.raises(ValueError, match="gradient of parameter w"):
        nn.clip_grad_norm_([w], 1.0)


def test_the_error_names_the_first_gradient_that_is_not_finite():
    parameters = [
        tg.Tensor(np.ones(n), requires_grad=True, name=name)
        for n, name in ((2, "a"), (3, "b"), (4, "c"))
    ]
    for p in parameters:
        p.grad = np.full(p.shape, 1.0 if p.name == "a" else np.inf)
    with pytest.raises(ValueError, match="got inf in the gradient of parameter b; lower"):
        nn.clip_grad_norm_(parameters, 1.0)


def test_gradients_of_a_smaller_norm_are_not_scaled():
    """They are not scaled up to the maximum either."""
    p = tg.Tensor(np.ones(4), requires_grad=True)
    (3.0 * p).sum().backward()
    assert nn.clip_grad_norm_(p, 7.0) == 6
    assert p.grad.tolist() == [3] * 4


def test_a_norm_is_0_if_no_gradient_has_an_entry():
    p = tg.Tensor(np.ones((0, 3)), requires_grad=True)
    assert nn.clip_grad_norm_(p, 1.0) == 0  # no gradient
    p.sum().backward()
    assert nn.clip_grad_norm_(p, 1.0) == 0  # one without entries


def test_a_gradient_of_another_shape_changes_no_parameter():
    first, second = (
        tg.Tensor(np.ones(2, "float32"), requires_grad=True, name=name) for name in "ab"
    )
    first.grad = np.ones(2, "float32")
    with pytest.raises(ValueError, match=r"Tensor\.grad: argument b: .* of shape \(2,\), got"):
        second.grad = np.ones(3, "float32")
    assert second.grad is None
    tg.optim.SGD([first, second], lr=0.1).step()
    assert second.data.tolist() == [1, 1]
