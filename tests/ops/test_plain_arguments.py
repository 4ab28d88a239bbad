"""Without Tensors an op is NumPy's function; beside a Tensor, numbers and lists are weak."""

import numpy as np
import pytest
from every_op import BINARY, OPS, call, every_case

import tinygrad_rnn as tg


def plain(x):
    """Lists of Python's numbers in the place of arrays."""
    return x.tolist() if isinstance(x, np.ndarray) and x.ndim else x


@every_case
def test_lists_are_taken_as_numpy_takes_them(name, arrays, params):
    expected = call(name, arrays, params)
    y = call(name, [plain(a) for a in arrays], params)
    assert isinstance(y, np.ndarray | np.generic)
    assert y.dtype == expected.dtype
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("name", BINARY)
def test_numbers_among_themselves_give_numpys_scalars(name):
    for a, b in (
        (1.5, 2.0),
        (3, 2),
        (1.5, 2),
        (np.float32(1.5), 2.0),
        (np.float32(1.5), np.float32(2)),
        (2.0, np.float32(1.5)),
    ):
        y, expected = OPS[name](a, b), OPS[name].reference(a, b)
        assert isinstance(y, np.ndarray | np.generic)
        assert y.dtype == expected.dtype
        assert y == expected
    with np.errstate(divide="ignore"):
        assert tg.divide(1.0, 0.0) == np.inf


def test_scalars_are_weak_beside_a_tensor_and_arrays_are_not():
    t = tg.Tensor(np.ones(3, np.float32), requires_grad=True)
    for number in (
        2,
        2.0,
        np.float64(2),
        np.float32(2),
        np.float16(2),
        np.int64(2),
        tg.tanh(1.0),
        tg.mean([1.0, 2.0]),
    ):
        for y in (number * t, t * number, number - t, t / number, t + number, t**number):
            assert y.dtype == np.float32
    for x in (np.array(2.0), np.array([2.0])):
        assert (x * t).dtype == (t * x).dtype == np.float64
    assert (np.array(2.0, np.float32) * t).dtype == np.float32


@pytest.mark.parametrize(
    "f",
    [tg.matmul, tg.outer, lambda a, b: b @ a, lambda a, b: tg.einsum("i,i->", a, b)],
    ids=["matmul", "outer", "@", "einsum"],
)
def test_lists_beside_a_tensor_take_its_dtype(f):
    t = tg.Tensor(np.ones(2, np.float32), requires_grad=True)
    assert f([0.5, 0.25], t).dtype == np.float32
    assert tg.linear(t, [[0.5, 0.25]]).dtype == np.float32
    assert (
        tg.linear([0.5, 0.25], tg.Tensor(np.ones((3, 2), np.float32)), [0.5] * 3).dtype
        == np.float32
    )
