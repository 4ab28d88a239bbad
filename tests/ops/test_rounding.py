"""Rounding ops and their operators: values as in Python and NumPy, and derivatives by hand."""

import math

import numpy as np
import pytest
from helpers import leaf_with, normal

import tinygrad_rnn as tg

A, B = 9 * normal(200, seed=1), 4 * normal(200, seed=2)


def test_quotient_and_remainder_are_pythons():
    for a, b in zip(A.tolist(), B.tolist(), strict=True):
        assert (tg.Tensor(np.array(a)) % b).item() == a % b
        assert (a // tg.Tensor(np.array(b))).item() == a // b
        assert [part.item() for part in divmod(a, tg.Tensor(np.array(b)))] == list(divmod(a, b))
        assert [part.item() for part in divmod(tg.Tensor(np.array(a)), b)] == list(divmod(a, b))


def test_the_remainder_has_the_derivatives_of_a_minus_b_times_the_floor():
    a, b = leaf_with(A), leaf_with(B)
    (a % b).backward(np.full(200, 3.0))
    np.testing.assert_array_equal(a.grad, 3.0)
    np.testing.assert_array_equal(
        b.grad, [-3.0 * math.floor(x / y) for x, y in zip(A, B, strict=True)]
    )


def test_a_floor_stops_every_gradient():
    a, b = leaf_with(A), leaf_with(B)
    for upstream in (1.0, np.inf, np.nan):
        (a // b).backward(np.full(200, upstream))
    np.testing.assert_array_equal([a.grad, b.grad], 0)


def test_operators_in_place_make_a_new_tensor_and_keep_the_graph():
    x = before = leaf_with([7.0, -7.0])
    x %= 4
    assert (x.tolist(), before.tolist()) == ([3.0, 1.0], [7.0, -7.0])
    x //= 2
    assert (x.tolist(), x.requires_grad) == ([1.0, 0.0], True)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_python_number_leaves_the_dtype_of_the_remainder(dtype):
    x = tg.Tensor(np.array([5.5, -2.25], dtype))
    for y in (x % 2, 2.5 % x, x // 2.5, 7 // x, *divmod(x, 3), *divmod(3.0, x)):
        assert y.dtype == dtype


def test_integers_have_integer_quotients():
    x = tg.Tensor([7, -7])
    assert (x % 4).tolist() == [3, 1]
    assert ((x // 4).tolist(), (x // 4).dtype) == ([1, -2], np.int64)
