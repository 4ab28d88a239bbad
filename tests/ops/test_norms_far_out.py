"""Norms of very large and very small numbers: their values and gradients, in every dtype."""

import warnings

import mpmath
import numpy as np
import pytest
from helpers import leaf_with, together

import tinygrad_rnn as tg

RNG = np.random.default_rng(5)
FAR = {
    "float16 large": np.array([300, 300], np.float16),
    "float16 small": np.array([1e-4, 1e-4], np.float16),
    "float16 tiny": np.array([6e-8, 1.2e-7, -6e-8], np.float16),
    "float32 large": (RNG.standard_normal(5) * 1e25).astype(np.float32),
    "float32 small": (RNG.standard_normal(5) * 1e-25).astype(np.float32),
    "float64 large": RNG.standard_normal(5) * 1e200,
    "float64 small": RNG.standard_normal(5) * 1e-200,
    "float64 of all sizes": np.array([1e200, -1e-200, 1.0, 3e199]),
    "float64 with a 0": np.array([3e200, 0.0, -4e200]),
    "float64 usual": RNG.standard_normal(5),
}


def exact_norm(a, p):
    """Return the norm and its gradient, from mpmath. An entry that is 0 gets the gradient 0."""
    with mpmath.workdps(60):
        sizes = [mpmath.mpf(abs(float(x))) for x in a]
        norm = sum(x**p for x in sizes) ** (mpmath.mpf(1) / p)
        slopes = [float((x / norm) ** (p - 1)) if x else 0.0 for x in sizes]
        return float(norm), np.array(slopes) * np.sign(a.astype(float))


@pytest.mark.parametrize("name", FAR)
@together("p", [2, 3, 1.5])
def test_a_norm_of_any_size_is_exact_and_so_is_its_gradient(name, p):
    a = FAR[name]
    norm, slopes = exact_norm(a, p)
    eps = float(np.finfo(a.dtype).eps)
    digits = 16 if p == 2 else 300  # a rounded exponent counts as often as the logarithm says
    calls = [
        lambda x: tg.norm(x, p),
        lambda x: tg.vector_norm(x, ord=p),
        lambda x: tg.norm(tg.stack([x, x * 0.5]), p, axis=1)[0],
    ]
    calls += [tg.norm, lambda x: tg.norm(x.reshape(1, -1), "fro")] if p == 2 else []
    for f in calls:
        x = leaf_with(a)
        y = f(x)
        y.backward()
        assert y.dtype == x.grad.dtype == a.dtype
        smallest = float(np.finfo(a.dtype).smallest_subnormal)
        np.testing.assert_allclose(y.item(), norm, rtol=digits * eps, atol=smallest)
        np.testing.assert_allclose(x.grad.astype(float), slopes, rtol=2 * digits * eps, atol=eps)


def test_a_norm_of_many_half_precision_numbers_does_not_overflow():
    x = leaf_with(np.ones(70000, np.float16))
    y = tg.norm(x)
    y.backward()
    np.testing.assert_allclose(y.item(), 70000**0.5, rtol=1e-3)
    np.testing.assert_allclose(x.grad.astype(float), 70000**-0.5, rtol=1e-3)


def test_rows_of_zeros_among_large_rows_have_norm_and_gradient_zero():
    x = leaf_with(np.array([[3e200, 4e200], [0.0, 0.0], [3.0, 4.0]]))
    y = tg.norm(x, axis=1)
    y.sum().backward()
    np.testing.assert_allclose(y.data, [5e200, 0, 5], rtol=1e-15)
    np.testing.assert_allclose(x.grad, [[0.6, 0.8], [0, 0], [0.6, 0.8]], rtol=1e-15)


def test_a_large_norm_has_its_second_derivative():
    a = np.array([3e200, 4e200])
    x = leaf_with(a)
    slope = tg.grad(tg.norm(x), x, create_graph=True)
    second = tg.grad(slope, x, grad_output=np.array([1.0, 0.0]))
    exact = np.array([(1 - 0.36) / 5e200, -0.48 / 5e200])
    np.testing.assert_allclose(second.data, exact, rtol=1e-12)


def test_no_warning_accompanies_a_norm_that_fits_its_dtype():
    with warnings.catch_warnings(action="error"):
        for name in ("float64 large", "float64 small", "float16 large"):
            tg.norm(leaf_with(FAR[name])).backward()
