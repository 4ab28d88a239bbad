"""Arguments of NumPy's functions and corners of their domains: NumPy's values and errors."""

import warnings

import numpy as np
import pytest
from helpers import leaf_with, together
from internals import numpy_protocol as protocol

import tinygrad_rnn as tg

RNG = np.random.default_rng(12)
A = RNG.standard_normal((3, 4))
HOLES = np.where(RNG.random((3, 4)) < 0.3, np.nan, A)
MASK = np.array([[True, False, True, True], [True, True, False, False], [True, True, True, False]])
MASKED, BEGUN, SPREAD = {"where": MASK}, {"initial": 0.5}, {"where": MASK, "correction": 0.5}
NAN_REDUCTIONS = {
    "nansum": [MASKED, BEGUN, MASKED | BEGUN],
    "nanprod": [MASKED, BEGUN, MASKED | BEGUN],
    "nanmax": [BEGUN, MASKED | BEGUN],
    "nanmin": [BEGUN, MASKED | BEGUN],
    "nanmean": [MASKED],
    "nanvar": [MASKED, {"correction": 1}, SPREAD],
    "nanstd": [MASKED, {"ddof": 1}, SPREAD],
}


def assert_numpys(f, *arrays, rtol=1e-13):
    """Assert that f of Tensors has the shape, the dtype and the values of f of arrays."""
    with warnings.catch_warnings(action="ignore"):
        expected = np.asarray(f(*arrays))
        found = f(*[tg.Tensor(a) for a in arrays])
    assert isinstance(found, tg.Tensor)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found.data, expected, rtol=rtol, atol=1e-15)


@pytest.mark.parametrize("name", NAN_REDUCTIONS)
@together("array", [HOLES, A, np.where(MASK, np.nan, A), HOLES.astype(np.float32)])
@together("axis", [{}, {"axis": 0}, {"axis": (0, 1), "keepdims": True}, {"axis": -1}])
def test_a_reduction_without_nan_takes_numpys_arguments(name, array, axis):
    f, precision = getattr(np, name), 8 * np.finfo(array.dtype).eps
    for kwargs in NAN_REDUCTIONS[name]:
        assert_numpys(lambda t, k=kwargs: f(t, **axis, **k), array, rtol=precision)


@together("mode", ["reflect", "symmetric"])
@together("width", [1, 2, 3, 9, (0, 7), (8, 1)])
@together("array", [A, A[0, :1], A[0, :2], (A[0] * 9).astype(int), A[:2, :3].astype(np.float32)])
def test_an_odd_reflection_is_numpys(mode, width, array):
    rtol = 1e-4 if array.dtype == np.float32 else 1e-12
    assert_numpys(lambda t: np.pad(t, width, mode, reflect_type="odd"), array, rtol=rtol)


# -- reduceat --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ufunc", [np.add, np.maximum, np.subtract, np.hypot])
@together("indices", [[0, 9], [4], [-1], [0, -4], [2, 3]])
def test_an_index_of_reduceat_outside_of_the_array_raises_index_error(ufunc, indices):
    for array in (A[0, :3], A[:0, 0], A[:3]):
        with pytest.raises(IndexError):
            ufunc.reduceat(array, indices)
        with pytest.raises(IndexError, match=f"np.{ufunc.__name__}.reduceat: argument indices"):
            ufunc.reduceat(tg.Tensor(array), indices)


@together("axis", [0, 1, -1])
@together("array", [A, A[:0], A.astype(np.float32)])
def test_reduceat_of_no_indices_has_no_entries(array, axis):
    assert_numpys(lambda t: np.add.reduceat(t, np.array([], int), axis=axis), array)


@pytest.mark.parametrize("ufunc", [np.power, np.arctan2])
def test_reduceat_is_refused_where_numpys_result_is_wrong(ufunc):
    with pytest.raises(TypeError, match="NumPy's own result is wrong"):
        ufunc.reduceat(tg.Tensor(A[0]), [0, 1])


BINARY = [f for f in protocol.differentiable if isinstance(f, np.ufunc) and f.nin == 2]


@pytest.mark.parametrize("ufunc", BINARY, ids=lambda f: f.__name__)
def test_methods_of_ufuncs_work_or_are_in_the_table_of_the_refused(ufunc):
    if ufunc.signature or ufunc.nout == 2:
        return  # NumPy has no methods of matmul and divmod
    x = np.abs(A) + 0.5
    for method, args in (("reduce", (1,)), ("accumulate", (1,)), ("reduceat", ([0, 2], 1))):
        name = f"{ufunc.__name__}.{method}"
        if name in protocol.instead:
            with pytest.raises(TypeError, match=name):
                getattr(ufunc, method)(tg.Tensor(x), *args)
        else:
            assert_numpys(lambda t, m=method, args=args: getattr(ufunc, m)(t, *args), x)
    assert_numpys(lambda t: ufunc.outer(t, t), x[0])


FOLDED = [np.subtract, np.divide, np.fmax, np.hypot, np.add, np.maximum, np.logaddexp]


@pytest.mark.parametrize("ufunc", FOLDED, ids=lambda f: f.__name__)
@together("axis", [0, 1, -1])
@together("keepdims", [True, False])
def test_a_reduction_with_a_mask_and_a_first_number_is_numpys(ufunc, axis, keepdims):
    kwargs = {"axis": axis, "where": MASK, "initial": 0.7, "keepdims": keepdims}
    x = np.where(MASK, A, 0.0)
    assert_numpys(lambda t: ufunc.reduce(t, **kwargs), x)
    t = leaf_with(x)
    ufunc.reduce(t, **kwargs).sum().backward()
    assert (t.grad[~MASK] == 0).all()
    assert np.isfinite(t.grad).all()


# -- ranges ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@together("num", [2, 3, 7, 50, 1001])
def test_the_last_number_of_a_range_is_its_end(dtype, num):
    rng = np.random.default_rng(num)
    start, stop = (rng.uniform(0.1, 4, 40).astype(dtype) for _ in range(2))
    a, b = tg.Tensor(start), tg.Tensor(stop)
    np.testing.assert_array_equal(np.linspace(a, b, num).data[-1], stop)
    np.testing.assert_array_equal(np.geomspace(a, b, num).data[-1], stop)
    exact = (10.0 ** stop.astype(float)).astype(dtype)
    found = np.logspace(a, b, num).data[-1]
    np.testing.assert_allclose(found, exact, rtol=2 * np.finfo(dtype).eps)
    x, y = leaf_with(start), leaf_with(stop)
    np.linspace(x, y, num)[-1].sum().backward()
    np.testing.assert_array_equal(x.grad, 0)
    np.testing.assert_array_equal(y.grad, 1)


def test_a_range_in_float16_is_that_of_float64_rounded():
    ends = np.array([-60000.0, 60000.0], np.float16)
    found = np.linspace(tg.Tensor(ends[0]), tg.Tensor(ends[1]), 7)
    assert found.dtype == np.float16
    exact = np.linspace(*ends.astype(float), 7).astype(np.float16)
    np.testing.assert_array_equal(found.data, exact)


# -- vectors of two entries, flattened indices, nothing to insert ----------------------------------


@pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors:DeprecationWarning")
@together("sizes", [(2, 2), (2, 3), (3, 2), (3, 3)])
def test_a_cross_product_takes_vectors_of_two_entries(sizes):
    a, b = (RNG.standard_normal((4, n)) for n in sizes)
    assert_numpys(np.cross, a, b)
    assert_numpys(lambda x, y: np.cross(x, y, axis=0), a.T.copy(), b.T.copy())
    x, y = leaf_with(a), leaf_with(b)
    assert tg.gradcheck(np.cross, x, y)


def test_take_along_no_axis_flattens_first():
    index = np.argsort(A, axis=None)[:5]
    assert_numpys(lambda t: np.take_along_axis(t, index, axis=None), A)
    with pytest.raises(ValueError, match="take_along_axis: argument indices"):
        np.take_along_axis(tg.Tensor(A), index.reshape(1, 5), axis=None)


@together("obj", [[], (), np.array([], int)])
@together("axis", [None, 0, -1])
def test_to_insert_or_delete_nothing_copies_the_array(obj, axis):
    assert_numpys(lambda t: np.insert(t, obj, 5.0, axis), A)
    assert_numpys(lambda t: np.delete(t, obj, axis), A)
