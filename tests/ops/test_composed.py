"""Functions that are made of ops, on Tensors and on lists."""

import numpy as np
import pytest
from every_op import OPS, cotangent, differences
from internals import compositions

import tinygrad_rnn as tg

COMPOSED = {
    "std": (lambda a: tg.std(a, 0, 1), lambda a: np.std(a, 0, ddof=1), [(4, 3)]),
    "std-all": (tg.std, np.std, [(4, 3)]),
    "outer": (tg.outer, np.outer, [(2, 2), (3,)]),
    "swapaxes": (lambda a: tg.swapaxes(a, 0, -1), lambda a: np.swapaxes(a, 0, -1), [(2, 3, 4)]),
    "moveaxis": (lambda a: tg.moveaxis(a, -1, 1), lambda a: np.moveaxis(a, -1, 1), [(2, 3, 4)]),
    "moveaxis-several": (
        lambda a: tg.moveaxis(a, [0, 1], [-1, 0]),
        lambda a: np.moveaxis(a, [0, 1], [-1, 0]),
        [(2, 3, 4)],
    ),
    "moveaxis-all": (
        lambda a: np.moveaxis(a, (2, 0, 1), (0, 1, -1)),
        lambda a: np.moveaxis(a, (2, 0, 1), (0, 1, -1)),
        [(2, 3, 4)],
    ),
    "moveaxis-back": (lambda a: tg.moveaxis(a, 0, 2), lambda a: np.moveaxis(a, 0, 2), [(2, 3, 4)]),
    "linear-without-bias": (tg.linear, lambda x, w: x @ w.T, [(2, 3, 4), (5, 4)]),
    "linear-vector": (tg.linear, lambda x, w, b: w @ x + b, [(4,), (5, 4), (5,)]),
    "split": (lambda a: tg.split(a, 3, 1)[1], lambda a: np.split(a, 3, 1)[1], [(2, 6)]),
    "split-places": (
        lambda a: tg.split(a, [1, 4], -1)[1],
        lambda a: np.split(a, [1, 4], -1)[1],
        [(2, 6)],
    ),
    "split-in-one": (lambda a: tg.split(a, 1)[0], lambda a: np.split(a, 1)[0], [(4,)]),
    "split-empty": (lambda a: tg.split(a, [2, 2])[1], lambda a: np.split(a, [2, 2])[1], [(4,)]),
    "take_along_axis": (
        lambda a: tg.take_along_axis(a, [[2, 2], [0, 1]], 1),
        lambda a: np.take_along_axis(a, np.array([[2, 2], [0, 1]]), 1),
        [(2, 3)],
    ),
    "take_along_axis-one-row-for-all": (
        lambda a: tg.take_along_axis(a, [[2, 0]], -1),
        lambda a: np.take_along_axis(a, np.array([[2, 0]]), -1),
        [(4, 3)],
    ),
    "take_along_axis-3d": (
        lambda a: tg.take_along_axis(a, [[[1]], [[-1]]], 0),
        lambda a: np.take_along_axis(a, np.array([[[1]], [[-1]]]), 0),
        [(3, 2, 2)],
    ),
}


@pytest.mark.parametrize(("ours", "numpys", "shapes"), COMPOSED.values(), ids=COMPOSED)
def test_functions_made_of_ops_are_numpys(ours, numpys, shapes):
    rng = np.random.default_rng(6)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    inputs = [tg.Tensor(a, requires_grad=True) for a in arrays]
    y = ours(*inputs)
    np.testing.assert_allclose(y.data, numpys(*arrays), rtol=1e-13)
    assert y.shape == np.shape(numpys(*arrays))
    y.backward(cotangent(y.shape))
    for i, x in enumerate(inputs):
        np.testing.assert_allclose(x.grad, differences(numpys, arrays, i), rtol=1e-8, atol=1e-9)
    plain = ours(*arrays)
    assert isinstance(plain, np.ndarray | np.generic)
    np.testing.assert_array_equal(plain, y.data)


@pytest.mark.parametrize("axis", [3, -4, 7])
def test_moveaxis_refuses_an_axis_that_is_not_there(axis):
    t = tg.Tensor(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="source"):
        tg.moveaxis(t, axis, 0)
    with pytest.raises(ValueError, match="destination"):
        tg.moveaxis(t, 0, axis)


def test_take_along_axis_refuses_other_axes_and_other_numbers():
    t = tg.Tensor(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="2 axes"):
        tg.take_along_axis(t, [0, 1], 1)
    with pytest.raises(ValueError, match="integers"):
        tg.take_along_axis(t, [[0.5], [1.5]], 1)


def test_split_takes_numpys_integers():
    assert [part.shape for part in tg.split(tg.Tensor(np.zeros(6)), np.int64(3))] == [(2,)] * 3


def test_split_refuses_unequal_sections():
    for sections in (2, 0, -1):
        with pytest.raises(ValueError, match=f"divisor of 5, got {sections}"):
            tg.split(tg.Tensor(np.zeros(5)), sections)


M, V = [[1.0, 2.0], [3.0, 4.0]], [0.5, 2.0]
OF_LISTS = {
    "einsum": (lambda: tg.einsum("ij,j->i", M, V), np.array(M) @ V),
    "linear": (lambda: tg.linear(M, M), np.array(M) @ np.array(M).T),
    "linear-bias": (lambda: tg.linear(V, M, V), V @ np.array(M).T + V),
    "matmul": (lambda: tg.matmul(M, M), np.matmul(M, M)),
    "matmul-vectors": (lambda: tg.matmul(V, V), np.matmul(V, V)),
    "moveaxis": (lambda: tg.moveaxis(M, 0, 1), np.moveaxis(M, 0, 1)),
    "outer": (lambda: tg.outer(V, V), np.outer(V, V)),
    "outer-numbers": (lambda: tg.outer(2.0, V), np.outer(2.0, V)),
    "ravel": (lambda: tg.ravel(M), np.ravel(M)),
    "ravel-number": (lambda: tg.ravel(1.5), np.ravel(1.5)),
    "split": (lambda: tg.split(M, 2, axis=1)[1], np.split(np.array(M), 2, axis=1)[1]),
    "std": (lambda: tg.std(M, axis=0), np.std(M, axis=0)),
    "std-number": (lambda: tg.std(2.0), np.std(2.0)),
    "swapaxes": (lambda: tg.swapaxes(M, 0, 1), np.swapaxes(M, 0, 1)),
    "take_along_axis": (
        lambda: tg.take_along_axis(M, [[1], [0]], 1),
        np.take_along_axis(np.array(M), np.array([[1], [0]]), 1),
    ),
    "scatter": (
        lambda: tg.scatter([1.0, [2.0, 3.0]], [0, [1, 1]], (3,)),
        np.array([1.0, 5.0, 0.0]),
    ),
    "scan": (
        lambda: tg.scan(lambda x, h: (x + h, x + h), np.array(V), np.array(1.0))[0],
        np.array([1.5, 3.5]),
    ),
}


@pytest.mark.parametrize(("ours", "expected"), OF_LISTS.values(), ids=OF_LISTS)
def test_composed_functions_take_lists(ours, expected):
    y = ours()
    assert isinstance(y, np.ndarray | np.generic)
    assert y.dtype == expected.dtype
    np.testing.assert_array_equal(y, expected)


def test_every_function_is_tried_on_lists():
    """Those that stand in for NumPy's functions are tried on plain arrays with their samples."""
    tried = {name.partition("-")[0] for name in OF_LISTS} | set(OPS) | {"any", "all"}
    composed = {made.function.__name__ for made in compositions.values()}
    assert tried | composed >= set(tg.ops.__all__)
