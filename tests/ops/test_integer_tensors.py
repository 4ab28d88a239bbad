"""Compositions of small integers: NumPy's values and NumPy's dtypes, however near to the bounds.

Integers wrap around without a warning, so a composition that is right for floats may be wrong.
"""

import numpy as np
import pytest
from every_composition import COMPOSITIONS, calls, flat, floats, with_floats
from helpers import normal, together

import tinygrad_rnn as tg

SMALL = [np.int8, np.uint8, np.int32]
IN_DEFAULT_DTYPE = np.dtype(np.float32)
NOT_IN_NUMPY = {"ediff1d", "linalg.cond"}  # NumPy raises where tinygrad_rnn has a result
WRAPS_IN_NUMPY = {"std", "var", "quantile", "percentile"}  # NumPy subtracts neighbours as integers


def near_the_bounds(dtype, shape, rng):
    """Return integers within 30 of the smallest or of the largest of the dtype."""
    info = np.iinfo(dtype)
    low = rng.integers(info.min, info.min + 30, shape, dtype=dtype)
    high = rng.integers(info.max - 30, info.max, shape, dtype=dtype, endpoint=True)
    return np.asarray(np.where(rng.random(shape) < 0.5, low, high), dtype)


def assert_as_numpy(found, expected, scale):
    """Assert NumPy's values and dtype; floats in the default dtype, with its digits."""
    floating = expected.dtype.kind == "f"
    assert found.dtype == (IN_DEFAULT_DTYPE if floating else expected.dtype)
    if not floating:
        np.testing.assert_array_equal(found, expected)
        return
    held = np.abs(expected.astype(float)) < np.finfo(np.float32).max
    rtol = 1e-3 if expected.dtype == np.float16 else 1e-5
    found, expected = np.asarray(found, float)[held], np.asarray(expected, float)[held]
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-6 * scale)


@pytest.mark.parametrize("name", sorted(COMPOSITIONS.keys() - {"float_power"}))
@together("dtype", SMALL)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_small_integers_give_numpys_values_or_an_error(name, dtype):
    made, rng = COMPOSITIONS[name], np.random.default_rng(8)
    for args, kwargs in calls(made) * 3:
        arrays = [near_the_bounds(dtype, np.shape(a), rng) for a in floats([args, kwargs])]
        plain_args, plain_kwargs = with_floats([args, kwargs], arrays)
        ours_args, ours_kwargs = with_floats([args, kwargs], map(tg.Tensor, arrays))
        try:
            found = made.numpy_functions[0](*ours_args, **ours_kwargs)
        except (TypeError, ValueError, ZeroDivisionError):
            continue
        try:
            expected = made.reference(*plain_args, **plain_kwargs)
            if name in WRAPS_IN_NUMPY:
                exact = made.reference(plain_args[0].astype(float), *plain_args[1:], **plain_kwargs)
                expected = exact.astype(expected.dtype)
        except (TypeError, np.linalg.LinAlgError):
            assert name in NOT_IN_NUMPY
            continue
        scale = max([np.abs(a.astype(float)).max() for a in arrays if a.size], default=1.0)
        for y, z in zip(flat(found), flat(expected), strict=True):
            assert_as_numpy(getattr(y, "data", y), np.asarray(z), scale)


@pytest.mark.parametrize("dtype", [*SMALL, np.int64])
@pytest.mark.parametrize("ord", [None, 0, 1, 2, 3, -1, -2.5, np.inf, -np.inf])
def test_norms_of_integers_do_not_overflow(ord, dtype):
    a = np.array([np.iinfo(dtype).max, 3, np.iinfo(dtype).min or 7], dtype)
    expected = np.linalg.norm(a.astype(float), ord)
    for norm in (
        np.linalg.norm,
        lambda x, ord: np.linalg.vector_norm(x, ord=2 if ord is None else ord),
    ):
        found = norm(tg.Tensor(a), ord)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found.data, expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", SMALL)
def test_running_products_of_integers_are_widened_as_in_numpy(dtype):
    a = np.array([100, 100, 100], dtype)
    for f in (np.cumprod, np.nancumprod, np.multiply.accumulate, np.cumulative_prod):
        found, expected = f(tg.Tensor(a)), f(a)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found.data, expected)


def test_an_inserted_number_must_fit_the_integers():
    x = tg.Tensor(np.array([1, 2], np.int8))
    np.testing.assert_array_equal(np.insert(x, 0, 127).data, [127, 1, 2])
    for number in (1000, np.array([-129]), tg.Tensor([128])):
        with pytest.raises(ValueError, match=r"insert: argument values: .* int8 can hold"):
            np.insert(x, 0, number)


def test_slopes_of_unsigned_integers_are_negative_where_they_fall():
    f = np.array([200, 100, 250, 3], np.uint8)
    points = np.array([250, 100, 3, 1], np.uint8)
    for spacing in ([], [2], [points], [points / 3]):
        found = np.gradient(tg.Tensor(f), *spacing)
        np.testing.assert_allclose(found.data, np.gradient(f, *spacing), rtol=1e-6)
    np.testing.assert_allclose(
        np.gradient(normal(4), tg.Tensor(points)).data, np.gradient(normal(4), points), rtol=1e-6
    )


@pytest.mark.parametrize("f", [np.sum, np.prod, np.max, np.min])
def test_a_first_number_with_digits_after_the_point_is_no_integer(f):
    x = tg.Tensor(np.array([1, 2], np.int8))
    assert f(x, initial=1.0).dtype == f(x.data, initial=1).dtype
    with pytest.raises(ValueError, match="initial: expected a whole number"):
        f(x, initial=0.5)


def test_weights_whose_sum_is_0_have_no_average():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    for f in (np.average, tg.average):
        with pytest.raises(ZeroDivisionError, match=r"average: argument weights: .* sum of 0"):
            f(x, weights=[1, -1])
