"""Ops that choose: an entry that is not chosen gets the gradient 0, even if inf or NaN arrives.

0 · inf is NaN, so a rule that multiplies by a mask of zeros would spoil entries that the result
does not depend on. PyTorch 2.14 gives NaN instead of 0 in these cases: `abs` at 0, `amax` and
`logsumexp` and `softmax` with an infinite gradient, `clip` and dropout where the gradient is NaN.
"""

import warnings

import numpy as np
import pytest
from helpers import leaf_with, normal, together

import tinygrad_rnn as tg
from tinygrad_rnn import nn

INF, NAN = np.inf, np.nan
A = np.round(normal(6, 5, seed=1), 1) + 0.0  # rounded, so that there are ties and zeros
A[0, :3] = 0.0, 0.0, 0.5
B = np.round(normal(6, 5, seed=2), 1)
B[0] = A[0]
MASK = normal(6, 5, seed=3) > 0
MASKED = np.where(MASK, A, -INF)
MASKED[2] = -INF
TWO_ZEROS = np.where(np.arange(5) < 2, 0.0, B)


def largest(a, axis):
    """Return where an array has its maximum."""
    return a == a.max(axis, keepdims=True)


def dropped(x):
    """Return x after dropout; the same entries are dropped each time."""
    return nn.functional.dropout(x, 0.4, rng=7)


CHOICES = {
    "relu": (tg.relu, A, A > 0),
    "clip": (lambda x: tg.clip(x, -0.5, 0.5), A, (A >= -0.5) & (A <= 0.5)),
    "clip with one bound": (lambda x: tg.clip(x, max=0.2), A, A <= 0.2),
    "abs": (tg.abs, A, A != 0),
    "sign": (tg.sign, A, A > INF),
    "floor_divide": (lambda x: x // 0.3, A, A > INF),
    "maximum": (lambda x: tg.maximum(x, B), A, A >= B),
    "minimum": (lambda x: tg.minimum(B, x), A, A <= B),
    "where": (lambda x: tg.where(MASK, x, 2.0), A, MASK),
    "where, the other branch": (lambda x: tg.where(MASK, B, x), A, ~MASK),
    "max": (tg.max, A, largest(A, None)),
    "max of rows": (lambda x: tg.max(x, axis=1), A, largest(A, 1)),
    "max of columns": (lambda x: tg.max(x, axis=0, keepdims=True), A, largest(A, 0)),
    "max of equals": (lambda x: tg.max(x, axis=1), np.ones((3, 4)), np.ones((3, 4), bool)),
    "min": (lambda x: tg.min(x, axis=0), A, largest(-A, 0)),
    "min of all": (lambda x: tg.min(x, axis=(0, 1)), A, largest(-A, None)),
    "prod": (lambda x: tg.prod(x, axis=1), TWO_ZEROS, TWO_ZEROS > INF),
    "logsumexp": (lambda x: tg.logsumexp(x, axis=1), MASKED, np.isfinite(MASKED)),
    "softmax": (lambda x: tg.softmax(x)[:, 1:], MASKED[:2], np.isfinite(MASKED[:2])),
    "dropout": (dropped, A, dropped(tg.Tensor(np.ones_like(A))).data > 0),
    "index": (lambda x: x[[0, 0, 3], 1:], A, np.isin(np.arange(30).reshape(6, 5) // 5, [0, 3])),
    "gather": (lambda x: tg.gather(x, index=np.arange(6) % 5), A, np.eye(6, 5) + np.eye(6, 5, -5)),
    "repeat": (lambda x: tg.repeat(x, [2, 0, 1, 0, 3], axis=1), A, np.arange(5) % 2 == 0),
}
CHOICES = {
    name: (f, a, np.broadcast_to(np.asarray(chosen, bool), a.shape))
    for name, (f, a, chosen) in CHOICES.items()
}
every_choice = pytest.mark.parametrize(("f", "a", "chosen"), CHOICES.values(), ids=CHOICES)


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
        yield


ELEMENTWISE = [
    "relu",
    "clip",
    "clip with one bound",
    "abs",
    "maximum",
    "minimum",
    "where",
    "dropout",
]


def gradient(f, a, cotangent):
    """Return the gradient of f at a for this cotangent."""
    x = leaf_with(a)
    f(x).backward(cotangent)
    return x.grad


@every_choice
@together("dtype", ["float16", "float32", "float64"])
@together("wild", [INF, -INF, NAN, 1.0])
def test_what_is_not_chosen_gets_0(f, a, chosen, wild, dtype):
    found = gradient(f, a.astype(dtype), np.full(f(tg.Tensor(a)).shape, wild))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[~chosen], 0)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_infinite_gradients_leave_those_beside_them(name):
    f, a, chosen = CHOICES[name]
    rng, u = np.random.default_rng(4), normal(6, 5, seed=5)
    is_wild = rng.random(u.shape) < 0.4
    expected, found = gradient(f, a, u), gradient(f, a, np.where(is_wild, INF * u, u))
    np.testing.assert_array_equal(found[~is_wild], expected[~is_wild])
    assert np.isinf(found[is_wild & chosen]).all()


@pytest.mark.parametrize("name", sorted(CHOICES.keys() - {"prod"}))  # its derivative is 0 by value
@together("wild", [INF, -INF, NAN])
def test_a_second_derivative_of_what_is_not_chosen_is_0(name, wild):
    """The gradient is differentiated again: what arrives where it is 0 by choice has no effect."""
    f, a, chosen = CHOICES[name]
    finite = normal(*a.shape, seed=6)
    found = [second_gradients(f, a, np.where(chosen, finite, v)) for v in (wild, 0.0)]
    np.testing.assert_array_equal(*found)


def second_gradients(f, a, v):
    """Return the derivatives of <v, gradient of <u, f(x)>> by u and by x, in one array."""
    x = leaf_with(a)
    y = f(x)
    u = leaf_with(normal(*y.shape, seed=5))
    tg.grad((y * u).sum(), x, create_graph=True).backward(v)
    return np.concatenate([u.grad.ravel(), [0.0] if x.grad is None else x.grad.ravel()])


FAR = {
    "sqrt of relu": lambda x: tg.sqrt(tg.relu(x)),
    "sqrt of clip": lambda x: tg.sqrt(tg.clip(x, 0, 9)),
    "log of maximum": lambda x: tg.log(tg.maximum(x, 0)),
    "power of min": lambda x: tg.min(tg.abs(x), axis=1) ** 0.5,
    "1 / relu": lambda x: 1 / tg.relu(x),
}


@pytest.mark.parametrize("f", FAR.values(), ids=FAR)
def test_compiled_programs_choose_as_ops_do(f):
    w = leaf_with(np.array([1.0, 2.0, 0.5, 1.5]))

    def cell(x, h):
        return f(w * x), h + x

    found = []
    for step in (cell, tg.compile(cell)):
        x, h = leaf_with(A[:, None, :4]), leaf_with(np.zeros((1, 4)))
        outputs, _ = tg.scan(step, x, h)
        outputs.backward(np.ones(outputs.shape))
        found.append(x.grad)
    np.testing.assert_array_equal(*found)
    assert np.isfinite(found[0][A[:, None, :4] < 0]).all()
