"""Small dtypes: results as exact as the dtype allows, and a dtype that no Python number decides.

float16 ends at 65,504 and has 11 bits, so a sum of many entries needs a wider dtype inside.
"""

import mpmath
import numpy as np
import pytest
from helpers import leaf_with, normal, together
from internals import numpy_protocol as protocol
from internals import registry

import tinygrad_rnn as tg

HALF = np.finfo(np.float16)
SHAPES = [(100_000,), (70_000, 2), (2, 70_000), (3000, 7), (5,)]
REDUCED = {
    "sum": (tg.sum, 0.1),
    "mean": (tg.mean, 1000),
    "var": (tg.var, 30),
    "std": (lambda x, axis: tg.std(x, axis=axis, ddof=1), 1000),
    "prod": (lambda x, axis: tg.prod(tg.clip(x, 1 - 2**-9, 1 + 2**-10), axis=axis), 1),
    "logsumexp": (tg.logsumexp, 10),
    "softmax": (lambda x, axis: tg.softmax(x, axis=axis or 0), 4),
    "log_softmax": (lambda x, axis: tg.log_softmax(x, axis=axis or 0), 3),
    "cumsum": (tg.cumsum, 0.1),
}


def assert_rounded(found, exact, dtype, digits=2):
    """Assert that numbers of this dtype are the exact ones, but for units in the last place."""
    info = np.finfo(dtype)
    assert found.dtype == dtype
    atol = digits * float(info.smallest_subnormal)
    np.testing.assert_allclose(found.astype(float), exact, rtol=digits * float(info.eps), atol=atol)


def result_and_gradient(f, a, u):
    """Return f(a) and the gradient of <u, f(a)>."""
    x = leaf_with(a)
    y = f(x)
    y.backward(u[: y.size].reshape(y.shape))
    return y.data, x.grad


@pytest.mark.parametrize("name", REDUCED)
@together("shape", SHAPES)
@together("axis", [None, 0, -1])
def test_a_reduction_of_float16_is_that_of_float64_rounded(name, axis, shape):
    f, scale = REDUCED[name]
    a = np.abs(scale * normal(*shape, seed=1)).astype(np.float16)
    u = np.abs(0.1 * normal(a.size, seed=2)).astype(np.float16)
    with np.errstate(under="ignore"):
        found = result_and_gradient(lambda x: f(x, axis=axis), a, u)
        exact = result_and_gradient(lambda x: f(x, axis=axis), a.astype(float), u.astype(float))
    assert np.abs(exact[0]).max() < 65_504
    assert_rounded(found[0], exact[0], np.float16)
    # The rules of softmax and its kin read y, which is rounded, and they subtract.
    digits = 2 + 2 * np.abs(exact[0]).max() ** 0.5
    atol = digits * (float(HALF.smallest_subnormal) + float(HALF.eps) * np.abs(exact[1]).max())
    assert found[1].dtype == np.float16
    np.testing.assert_allclose(found[1].astype(float), exact[1], rtol=0, atol=atol)
    if name not in ("softmax", "logsumexp", "log_softmax", "cumsum"):
        assert_rounded(found[1], exact[1], np.float16, digits=4)


def test_a_bias_in_float16_gets_the_sum_of_all_rows():
    bias, rows = leaf_with(np.zeros(3, np.float16)), np.full((9000, 3), 0.5, np.float16)
    (tg.Tensor(rows) + bias).backward(np.ones((9000, 3)))
    np.testing.assert_array_equal(bias.grad, 9000)
    column = leaf_with(np.zeros((1, 3), np.float16))
    (tg.Tensor(rows) * column).backward(np.ones((9000, 3)))
    np.testing.assert_array_equal(column.grad, 4500)
    assert bias.grad.dtype == column.grad.dtype == np.float16


# -- logaddexp -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_logaddexp_has_every_digit(dtype):
    rng = np.random.default_rng(3)
    a = (rng.standard_normal(300) * 10.0 ** rng.integers(-4, 3, 300)).astype(dtype)
    b = np.where(rng.random(300) < 0.3, -a, a - rng.exponential(9, 300)).astype(dtype)
    a, b = np.concatenate([[0, 0, 0], a]).astype(dtype), np.concatenate([[-5, -9, -40], b])
    x, y = leaf_with(a), leaf_with(b.astype(dtype))
    found = tg.logaddexp(x, y)
    found.sum().backward()
    with mpmath.workdps(40):
        pairs = [
            (mpmath.mpf(float(p)), mpmath.mpf(float(q)))
            for p, q in zip(x.data, y.data, strict=True)
        ]
        exact = [float(mpmath.log(mpmath.exp(p) + mpmath.exp(q))) for p, q in pairs]
        slopes = [float(1 / (1 + mpmath.exp(q - p))) for p, q in pairs]
    assert_rounded(found.data, exact, dtype, digits=4)
    worst = 4 * (1 + np.abs(x.data.astype(float) - y.data.astype(float)).max())
    assert_rounded(x.grad, slopes, dtype, digits=worst)


def test_logaddexp_of_infinities_is_the_limit():
    inf = np.inf
    a, b = leaf_with([-inf, -inf, inf, inf, 1.0]), leaf_with([-inf, 2.0, inf, 2.0, -inf])
    with np.errstate(all="raise"):
        y = tg.logaddexp(a, b)
        y.backward(np.ones(5))
    np.testing.assert_array_equal(y.data, [-inf, 2, inf, inf, 1])
    np.testing.assert_array_equal(a.grad, [0.5, 0, 0.5, 1, 1])
    np.testing.assert_array_equal(b.grad, [0.5, 1, 0.5, 0, 0])


# -- powers at 0 -----------------------------------------------------------------------------------

POWERS = [
    # a, b, derivative by a, derivative by b: the limits from above, and 0 where they do not exist
    (0.0, -2.0, -np.inf, -np.inf),
    (0.0, -0.5, -np.inf, -np.inf),
    (0.0, 0.0, 0.0, 0.0),
    (0.0, 0.5, np.inf, 0.0),
    (0.0, 1.0, 1.0, 0.0),
    (0.0, 1.5, 0.0, 0.0),
    (0.0, 2.0, 0.0, 0.0),
    (2.0, 0.0, 0.0, np.log(2.0)),
    (1.0, -3.0, -3.0, 0.0),
    (np.inf, 0.0, 0.0, np.inf),
]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(("a", "b", "by_a", "by_b"), POWERS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_power_at_a_corner_has_the_derivatives_of_its_limit(a, b, by_a, by_b, dtype):
    x, y = leaf_with(np.array([a], dtype)), leaf_with(np.array([b], dtype))
    (x**y).backward([1.0])
    alone = leaf_with(np.array([a], dtype)), leaf_with(np.array([b], dtype))
    (alone[0] ** b).backward([1.0])
    (a ** alone[1]).backward([1.0])
    for found in (x.grad, alone[0].grad):
        np.testing.assert_allclose(found, by_a, rtol=1e-3)
    for found in (y.grad, alone[1].grad):
        np.testing.assert_allclose(found, by_b, rtol=1e-3)


CORNERS = {
    "power": (tg.power, (0.0, 0.5), [[-np.inf, -np.inf], [-np.inf, 0.0]]),
    "power of a negative exponent": (tg.power, (0.0, -0.5), [[np.inf, np.inf], [np.inf, np.inf]]),
    "power inside": (tg.power, (2.0, 0.5), [[-(2**-3.5), None], [None, 2**0.5 * np.log(2) ** 2]]),
    "arctan": (tg.arctan, (np.inf,), [[0.0]]),
    "arctan of -inf": (tg.arctan, (-np.inf,), [[0.0]]),
    "arcsinh": (tg.arcsinh, (np.inf,), [[0.0]]),
    "arcsinh of -inf": (tg.arcsinh, (-np.inf,), [[0.0]]),
    "arctan2": (tg.arctan2, (1.0, np.inf), [[0.0, 0.0], [0.0, 0.0]]),
    "hypot": (tg.hypot, (np.inf, 1.0), [[0.0, 0.0], [0.0, 0.0]]),
}


@pytest.mark.parametrize("name", CORNERS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_second_derivative_at_a_corner_is_its_limit(name):
    f, point, expected = CORNERS[name]
    for i, row in enumerate(expected):
        for j, value in enumerate(row):
            xs = [leaf_with(np.array(x)) for x in point]
            first = tg.grad(f(*xs), xs[i], create_graph=True)
            second = tg.grad(
                first + 0 * tg.power(xs[j], 2) if np.isfinite(point[j]) else first, xs[j]
            )
            if value is not None:
                np.testing.assert_allclose(second.data, value, rtol=1e-12)


# -- Python numbers do not decide the dtype --------------------------------------------------------

NUMBERS = [True, 2, 0.5, np.float64(0.5), np.float32(0.5), np.int8(1)]
BINARY = sorted(
    {f for f in protocol.differentiable if isinstance(f, np.ufunc) and (f.nin, f.nout) == (2, 1)},
    key=lambda f: f.__name__,
)
WITH_A_NUMBER = {
    **{f.__name__: f for f in BINARY if f not in (np.matmul, np.vecdot, np.float_power)},
    "where": lambda a, b: np.where(np.array([True, False]), a, b),
    "lerp": lambda a, b: tg.lerp(a, b, 0.25),
    "lerp by": lambda a, b: tg.lerp(a, a, b) if isinstance(a, tg.Tensor) else tg.lerp(b, b, a),
    "clip": lambda a, b: np.clip(a, 0, b) if isinstance(a, tg.Tensor) else np.clip(b, a, None),
    "divmod": lambda a, b: divmod(a, b)[1],
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}


@pytest.mark.parametrize("name", WITH_A_NUMBER)
@together("number", NUMBERS)
@together("dtype", ["float16", "float32", "float64"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_number_beside_a_tensor_leaves_its_dtype(name, number, dtype):
    f = WITH_A_NUMBER[name]
    for turned in (False, True):
        x = leaf_with(np.array([0.5, 1.5], dtype))
        y = f(number, x) if turned else f(x, number)
        assert y.dtype == dtype
        y.sum().backward()
        assert x.grad.dtype == dtype


# -- float16, number by number ---------------------------------------------------------------------

EVERY_HALF = np.arange(2**16, dtype=np.uint16).view(np.float16)
EVERY_HALF = EVERY_HALF[np.isfinite(EVERY_HALF)]
OF_ONE_ARRAY = sorted(
    name
    for name, op in registry.items()
    if len(op.inputs) == 1 and not op.variadic and not op.defaults and op.shapes == "(…) → (…)"
)


@pytest.mark.parametrize("name", OF_ONE_ARRAY)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_function_of_any_float16_number_is_that_of_float64_rounded(name):
    op = registry[name]
    low, high = op.domain if isinstance(op.domain, tuple) else op.domain["a"]
    a = EVERY_HALF
    a = a[(a >= low) & (a <= high)]
    (found, slope), (exact, exact_slope) = (
        result_and_gradient(op, a.astype(dtype), np.ones(a.size))
        for dtype in (np.float16, np.float64)
    )
    assert found.dtype == slope.dtype == np.float16
    assert_rounded(found, exact.astype(np.float16).astype(float), np.float16)
    # Some rules read y, which is rounded: 1 − y² is 0 where tanh rounds to 1.
    kept = np.isfinite(found)
    exact_slope = exact_slope.astype(np.float16).astype(float)[kept]
    eps = float(HALF.eps)
    np.testing.assert_allclose(slope[kept].astype(float), exact_slope, rtol=4 * eps, atol=eps)


def test_a_very_negative_logit_in_float16_keeps_its_probability_and_gradient():
    x = leaf_with(np.array([-12.0, -16.0], np.float16))
    y = tg.sigmoid(x)
    y.sum().backward()
    exact = np.exp([-12.0, -16.0])
    assert_rounded(y.data, exact, np.float16)
    assert_rounded(x.grad, exact, np.float16)
    x.grad = None
    tg.softplus(x).sum().backward()
    assert_rounded(x.grad, exact, np.float16)
