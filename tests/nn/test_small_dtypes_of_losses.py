"""Losses in float16 with more entries than float16 can count: those of float64, rounded."""

import numpy as np
import pytest
from helpers import leaf_with, normal

from tinygrad_rnn import nn
from tinygrad_rnn.nn import functional as F

N = 90_000
X = (4 * normal(N, seed=1)).astype(np.float16)
T = normal(N, seed=2).astype(np.float16)
LOGITS = (4 * normal(N, 3, seed=3)).astype(np.float16)
CLASSES = np.random.default_rng(4).integers(0, 3, N)
IGNORED = np.where(CLASSES == 2, -1, CLASSES)
ROWS = np.random.default_rng(5).dirichlet(np.ones(3), N).astype(np.float16)
BINARY = (CLASSES > 0).astype(np.float16)
WEIGHT = np.array([0.5, 2.0, 3.0])  # the sum over all positions is beyond float16

LOSSES = {
    "mse": (X, lambda x, **s: F.mse_loss(x, T, **s)),
    "cross entropy": (LOGITS, lambda x, **s: F.cross_entropy(x, CLASSES, **s)),
    "ignoring": (LOGITS, lambda x, **s: F.cross_entropy(x, IGNORED, ignore_index=-1, **s)),
    "weighted": (LOGITS, lambda x, **s: F.cross_entropy(x, CLASSES, weight=WEIGHT, **s)),
    "smoothed": (LOGITS, lambda x, **s: F.cross_entropy(x, CLASSES, label_smoothing=0.1, **s)),
    "distributions": (LOGITS, lambda x, **s: F.cross_entropy(x, ROWS, **s)),
    "nll": (-np.abs(LOGITS), lambda x, **s: F.nll_loss(x, CLASSES, **s)),
    "binary": (X, lambda x, **s: F.binary_cross_entropy_with_logits(x, BINARY, **s)),
    "binary, weighted": (
        X,
        lambda x, **s: F.binary_cross_entropy_with_logits(x, BINARY, pos_weight=9.0, **s),
    ),
    "many classes": (
        LOGITS.reshape(3, N)[:1],
        lambda x, **s: F.cross_entropy(x, np.array([70_000]), **s),
    ),
}
every_loss = pytest.mark.parametrize(("x", "loss"), LOSSES.values(), ids=LOSSES)


def value_and_gradient(loss, x, **settings):
    """Return a loss and its gradient, for ones that arrive."""
    x = leaf_with(x)
    y = loss(x, **settings)
    y.backward(np.ones(y.shape))
    return y.data, x.grad


@every_loss
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_loss_of_float16_is_that_of_float64_rounded(x, loss, reduction):
    found = value_and_gradient(loss, x, reduction=reduction)
    exact = value_and_gradient(loss, x.astype(float), reduction=reduction)
    for few, many in zip(found, exact, strict=True):
        assert few.dtype == np.float16
        np.testing.assert_allclose(few.astype(float), many, rtol=2e-3, atol=4 * 2.0**-23)
        assert np.abs(few).max() > 0


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_loss_of_a_wider_dtype_keeps_it(x, loss, dtype):
    assert {a.dtype.name for a in value_and_gradient(loss, x.astype(dtype))} == {dtype}


def test_a_gradient_norm_in_float16_is_counted_in_float64():
    w = leaf_with(np.zeros(N, np.float16))
    w.grad = np.full(N, 300, np.float16)
    assert nn.clip_grad_norm_(w, 1.0) == pytest.approx(300 * N**0.5, rel=1e-6)
    np.testing.assert_allclose(w.grad.astype(float), N**-0.5, rtol=1e-3)
