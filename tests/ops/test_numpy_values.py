"""NumPy's functions of Tensors that hold NaN, infinities, integers or nothing: NumPy's values.

The gradients at kinks and ties are the documented ones, without a warning of NumPy.
"""

import warnings

import numpy as np
import pytest
from helpers import together

import tinygrad_rnn as tg

INF, NAN = np.inf, np.nan
A = np.random.default_rng(0).standard_normal((3, 4))
ARRAYS = {
    "numbers": A,
    "NaN": np.where(A > 1, NAN, A),
    "a row of NaN": np.where([[False], [True], [False]], NAN, A),
    "infinities": np.where(A > 1, INF, np.where(A < -1, -INF, A)),
    "integers": (A * 4).astype(np.int64),
    "single precision": A.astype(np.float32),
    "half precision": A.astype(np.float16),
    "ties": np.array([[1.0, 1.0, 2.0], [2.0, 2.0, 0.0]]),
    "no axes": np.array(1.3),
    "one entry": np.array([2.5]),
    "no entries": np.zeros((0, 3)),
}
REDUCTIONS = [
    "nansum", "nanprod", "nanmax", "nanmin", "nanmean", "nanvar", "nanstd", "ptp", "average",
    "median", "mean", "var",
]  # fmt: skip
ELEMENTWISE = [
    "sort", "nancumsum", "nancumprod", "cumprod", "ediff1d", "nan_to_num", "log2", "log10",
    "exp2", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "arcsinh", "arccosh",
    "arctanh", "cbrt", "sinc", "floor", "ceil", "trunc", "rint", "round", "fix", "fabs",
    "positive", "deg2rad", "radians", "degrees", "rad2deg", "real", "imag", "conj", "angle",
    "modf", "trapezoid",
]  # fmt: skip
PAIRS = [
    "hypot", "arctan2", "logaddexp", "logaddexp2", "fmax", "fmin", "fmod", "remainder",
    "divmod", "float_power",
]  # fmt: skip


def assert_same(f, *arrays):
    """Assert that f of Tensors has the values of f of arrays, or that NumPy has no value either."""
    with warnings.catch_warnings(action="ignore"):
        try:
            expected = f(*arrays)
        except (ValueError, IndexError):
            return
        found = f(*[tg.Tensor(a) if isinstance(a, np.ndarray) else a for a in arrays])
    assert isinstance(found, tuple) == isinstance(expected, tuple)
    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for y, e in pairs:
        assert isinstance(y, tg.Tensor)
        assert y.shape == np.shape(e)
        floating = [d for d in (y.dtype, np.asarray(e).dtype) if d.kind == "f"]
        precision = max([np.finfo(d).eps for d in floating], default=0.0)
        near = {"rtol": 32 * precision, "atol": 8 * precision}
        np.testing.assert_allclose(y.data.astype(float), np.asarray(e, float), **near)


@pytest.mark.parametrize("name", REDUCTIONS)
@together("array", ARRAYS.values())
@together("kwargs", [{}, {"axis": 0}, {"axis": -1, "keepdims": True}])
def test_reductions_of_odd_arrays_are_numpys(name, kwargs, array):
    if not array.size and name in ("median", "average"):
        return  # an error, where NumPy warns and gives NaN
    assert_same(lambda t: getattr(np, name)(t, **kwargs) * 1.0, array)


@pytest.mark.parametrize("name", ELEMENTWISE)
@together("array", ARRAYS.values())
def test_functions_of_odd_arrays_are_numpys(name, array):
    f = getattr(np, name)
    assert_same(lambda t: f(t) if name == "modf" else f(t) * 1.0, array)


@pytest.mark.parametrize("name", PAIRS)
@together("array", ARRAYS.values())
@together("other", [2, 2.5, np.float32(2.5), np.array(0.75), [1.5]])
def test_functions_of_odd_arrays_and_numbers_are_numpys(name, other, array):
    f = getattr(np, name)
    for arguments in ((array, other), (other, array)):
        assert_same(lambda t, u: f(t, u) if name == "divmod" else f(t, u) * 1.0, *arguments)


METHODS = [
    "lower", "higher", "nearest", "linear", "inverted_cdf", "hazen", "weibull",
    "median_unbiased",
]  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["numbers", "a row of NaN", "integers", "ties", "no axes"])
def test_quantiles_are_numpys_by_any_method(name, method):
    for q in (0, 0.3, 1.0, [0.2, 0.7], np.array([[0.1], [0.9]])):
        for kwargs in ({}, {"axis": 0}, {"axis": (-1, 0), "keepdims": True}):
            assert_same(
                lambda t, q=q, k=kwargs: np.quantile(t, q, method=method, **k), ARRAYS[name]
            )
            assert_same(
                lambda t, q=q, k=kwargs: np.percentile(t, np.multiply(q, 100), method=method, **k),
                ARRAYS[name],
            )


def test_a_quantile_between_an_infinity_and_a_number_is_infinite():
    x = tg.Tensor([-INF, 1.0, 2.0, INF])
    assert np.quantile(x, [0.0, 0.1, 0.5, 0.9, 1.0]).tolist() == [-INF, -INF, 1.5, INF, INF]


def test_a_python_number_never_widens_the_result():
    t = tg.Tensor(np.ones((3, 4), np.float32), requires_grad=True)
    calls = [
        *(getattr(np, name)(t, 2.5) for name in PAIRS if name not in ("float_power", "divmod")),
        *(getattr(np, name)(np.float64(2.5), t) for name in ("hypot", "fmax", "logaddexp")),
        np.diff(t, prepend=0.5, append=np.float64(2)),
        np.ediff1d(t, to_begin=0.5, to_end=[1.0, 2.0]),
        np.gradient(t, 0.5, axis=0),
        np.trapezoid(t, dx=0.5),
        np.average(t, axis=0, weights=[0.2, 0.3, 0.5]),
        np.quantile(t, 0.3),
        np.quantile(t, [0.3]),
        np.nan_to_num(t, nan=0.5),
        np.clip(t, 0.5, np.float64(2)),
        np.sum(t, initial=0.5),
        np.add.outer(2.5, t),
        np.add.outer([2.5], t),
        np.add.reduce(t, initial=0.5),
    ]
    assert {y.dtype for y in calls} == {np.dtype(np.float32)}


def test_many_numbers_in_half_precision_have_a_mean():
    values = np.where(np.arange(70_000) % 7 == 0, NAN, 2.0).astype(np.float16)
    x = tg.Tensor(values, requires_grad=True)
    assert np.nanmean(x).item() == 2.0
    assert np.nanvar(x).item() == np.nanstd(x).item() == 0.0
    mean = np.average(np.nan_to_num(x, nan=2.0), weights=np.ones(70_000, np.float16))
    assert mean.item() == 2.0
    assert mean.dtype == np.float16
    assert np.mean(x, where=values == 2).item() == 2.0


KINKS = {
    "hypot": (tg.hypot, [[0, 0, 3], [0, 4, 4]], [[0, 0, 0.6], [0, 1, 0.8]]),
    "hypot far out": (tg.hypot, [[3e30], [4e30]], [[0.6], [0.8]]),
    "arctan2": (tg.arctan2, [[0, 1, 0], [0, 0, -1]], [[0, 0, -1], [0, -1, 0]]),
    "arctan2 near 0": (tg.arctan2, [[1e-30], [1e-30]], [[5e29], [-5e29]]),
    "arctan far out": (tg.arctan, [[1e30, INF, -INF]], [[0, 0, 0]]),
    "arcsinh far out": (tg.arcsinh, [[1e30, -1e30]], [[1e-30, 1e-30]]),
    "sinc": (tg.sinc, [[0, 1, 0.5]], [[0, -1, -4 / np.pi]]),
    "logaddexp": (tg.logaddexp, [[0, -INF, INF, -INF], [0, -INF, INF, 0]],
                  [[0.5, 0.5, 0.5, 0], [0.5, 0.5, 0.5, 1]]),
    "logaddexp2": (tg.logaddexp2, [[1, -INF, 0], [1, 0, -INF]], [[0.5, 0, 1], [0.5, 1, 0]]),
    "fmax": (tg.fmax, [[1, NAN, 2, 3], [1, 3, NAN, 0]], [[0.5, 0, 1, 1], [0.5, 1, 0, 0]]),
    "fmin": (tg.fmin, [[1, NAN, 2, 3], [1, 3, NAN, 0]], [[0.5, 0, 1, 0], [0.5, 1, 0, 1]]),
    "nan_to_num": (tg.nan_to_num, [[1, NAN, INF, -INF]], [[1, 0, 0, 0]]),
    "nansum": (tg.nansum, [[1, NAN, 3]], [[1, 0, 1]]),
    "nanmean": (tg.nanmean, [[1, NAN, 3]], [[0.5, 0, 0.5]]),
    "nanmax": (tg.nanmax, [[3, NAN, 3]], [[0.5, 0, 0.5]]),
    "nanprod": (tg.nanprod, [[2, NAN, 0]], [[0, 0, 2]]),
    "nanstd of equal entries": (tg.nanstd, [[1, NAN, 1]], [[0, 0, 0]]),
    "ptp": (tg.ptp, [[1, 2, 2, 0, 0]], [[0, 0.5, 0.5, -0.5, -0.5]]),
    "median of equal entries": (tg.median, [[1, 1, 1, 2]], [[0, 0.5, 0.5, 0]]),
    "cumprod with zeros": (tg.cumprod, [[2, 0, 3, 0]], [[1, 8, 0, 0]]),
    "floor": (tg.floor, [[1, 1.5, -2]], [[0, 0, 0]]),
    "round": (tg.round, [[0.5, 1.5, 2]], [[0, 0, 0]]),
    "fmod at a jump": (tg.fmod, [[6, -6], [3, 3]], [[1, 1], [-2, 2]]),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("f", "values", "slopes"), KINKS.values(), ids=KINKS)
def test_a_gradient_at_a_kink_a_tie_or_a_limit_is_the_documented_one(f, values, slopes, dtype):
    inputs = [tg.Tensor(np.array(v, dtype), requires_grad=True) for v in values]
    with np.errstate(all="raise", under="ignore"):
        y = f(*inputs)
        first = tg.grad(y, inputs, grad_output=np.ones(y.shape), create_graph=True)
    for g, expected in zip(first, slopes, strict=True):
        np.testing.assert_allclose(g.data, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["floor", "ceil", "trunc", "rint", "fix"])
def test_rounding_is_numpys_on_both_sides_of_every_jump(name):
    x = np.concatenate([np.arange(-8, 9) / 2, np.arange(-4, 5) + 1e-9, np.arange(-4, 5) - 1e-9])
    t = tg.Tensor(x, requires_grad=True)
    y = getattr(np, name)(t)
    np.testing.assert_array_equal(y.data, getattr(np, name)(x))
    y.backward(np.full(x.shape, INF))
    np.testing.assert_array_equal(t.grad, 0)


def test_sinc_and_its_derivatives_are_smooth_where_the_formula_changes():
    """The Taylor series of sinc, with twice as many terms as the rule uses, is the reference."""
    x = tg.Tensor(np.array([0.0, 1e-8, 1e-3, 0.1, 0.2999, 0.3001]), requires_grad=True)
    derivative = tg.sinc(x)
    coefficients = [(-1) ** k * np.pi ** (2 * k) / float(np.prod(np.arange(1.0, 2 * k + 2)))
                    for k in range(20)]  # fmt: skip
    series = np.polynomial.Polynomial([c for pair in coefficients for c in (pair, 0)])
    for order in range(4):
        expected = series.deriv(order)(x.data)
        np.testing.assert_allclose(derivative.data, expected, rtol=1e-9, atol=1e-9)
        derivative = tg.grad(derivative.sum(), x, create_graph=True)


def test_methods_of_arrays_are_methods_of_tensors():
    x, square = tg.Tensor(A, requires_grad=True), tg.Tensor(A[:, :3], requires_grad=True)
    for f in (
        lambda t: t.round(1),
        lambda t: t.cumprod(axis=1),
        lambda t: t.diagonal(1),
        lambda t: t.take([0, 2], axis=0),
        lambda t: t.compress([True, False, True], axis=0),
    ):
        y = f(x)
        np.testing.assert_allclose(y.data, f(A), rtol=1e-13)
        assert y.requires_grad
    np.testing.assert_allclose(square.trace().data, A[:, :3].trace())
    np.testing.assert_array_equal(x.argsort(axis=0), A.argsort(axis=0))
    np.testing.assert_array_equal(round(x).data, A.round())
    np.testing.assert_array_equal(round(x, 2).data, A.round(2))


COMPILED = {
    "log2": lambda z: tg.log2(2 + tg.tanh(z)),
    "hypot": lambda z: tg.hypot(z, 1.0),
    "logaddexp": lambda z: np.logaddexp(z, 0.3),
    "sinc": np.sinc,
    "floor": lambda z: z + np.floor(z),
    "fmax": lambda z: np.fmax(z, 0.1),
    "nan_to_num": np.nan_to_num,
    "cumprod": lambda z: np.cumprod(z, axis=-1),
    "diff": lambda z: z + np.sum(np.diff(z)),
    "sum of some": lambda z: z * np.sum(z, where=[True, False, True]),
    "logaddexp.reduce": lambda z: z * np.logaddexp.reduce(z),
}


@pytest.mark.parametrize("f", COMPILED.values(), ids=COMPILED)
def test_a_compiled_cell_may_use_numpys_functions(f):
    u = tg.Tensor(np.eye(3) / 2, requires_grad=True, name="U")

    def cell(x, h):
        h = tg.tanh(f(x + h @ u))
        return h, h

    x = tg.Tensor(np.linspace(-1, 1, 12).reshape(4, 3), requires_grad=True)
    start, gradients = tg.Tensor(np.zeros(3), requires_grad=True, name="h"), []
    for scanned in (cell, tg.compile(cell)):
        output, _ = tg.scan(scanned, x, start)
        gradients.append(tg.grad((output * output).sum(), [x, start, u]))
    for expected, found in zip(*gradients, strict=True):
        np.testing.assert_allclose(found.data, expected.data, rtol=1e-10, atol=1e-12)
