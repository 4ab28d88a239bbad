"""Products of matrices, with any shapes: `matmul`, `einsum` and `linear`."""

import numpy as np
import pytest
from every_op import cotangent
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import tinygrad_rnn as tg

property_test = settings(max_examples=60, deadline=None, database=None, derandomize=True)


def gradient_of_a_linear_map(f, x, u):
    """Return the gradient of ⟨u, f⟩ for a linear f: ⟨u, f(e)⟩ for every basis array e."""
    found = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        basis = np.zeros(x.shape)
        basis[index] = 1
        found[index] = np.sum(u * f(basis))
    return found


@property_test
@given(
    shapes=mutually_broadcastable_shapes(
        signature=np.matmul.signature, min_side=0, max_side=3, max_dims=2
    ),
    seed=st.integers(0, 1000),
)
def test_matmul_with_any_shapes(shapes, seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.standard_normal(shape) for shape in shapes.input_shapes)
    s, t = tg.Tensor(a, requires_grad=True), tg.Tensor(b, requires_grad=True)
    y = s @ t
    assert y.shape == shapes.result_shape
    np.testing.assert_allclose(y.data, a @ b, rtol=1e-12, atol=1e-12)
    u = rng.standard_normal(y.shape)
    y.backward(u)
    np.testing.assert_allclose(
        s.grad, gradient_of_a_linear_map(lambda e: e @ b, a, u), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(
        t.grad, gradient_of_a_linear_map(lambda e: a @ e, b, u), rtol=1e-12, atol=1e-12
    )


SUBSCRIPTS = {
    "ij,jk->ik": [(2, 3), (3, 4)],
    "ij,jk": [(2, 3), (3, 4)],
    "ji,jk": [(3, 2), (3, 4)],
    "ij->ji": [(2, 3)],
    "ij->": [(2, 3)],
    "ij->i": [(2, 3)],
    "i,j->ij": [(2,), (3,)],
    "i,i->": [(3,), (3,)],
    "i,i": [(3,), (3,)],
    ",i->i": [(), (3,)],
    "bi,bi,i->b": [(2, 3), (2, 3), (3,)],
    "ij,kl->il": [(2, 3), (2, 2)],
    "bij,bjk,kl->bil": [(2, 2, 3), (2, 3, 2), (2, 3)],
    "...i,i->...": [(2, 4, 3), (3,)],
    "...ij,...jk->...ik": [(2, 1, 2, 3), (4, 3, 2)],
    "...i->i...": [(2, 3, 4)],
    "i...,i...": [(2, 3), (2, 3)],
    "...,...": [(2, 3), (3,)],
    "...ij->...": [(2, 2, 3)],
    " i j , j k -> k i ": [(2, 3), (3, 4)],
    "bi,bi->b": [(1, 3), (4, 3)],
    "Ab,bA": [(2, 3), (3, 2)],
    "ii": [(3, 3)],
    "ii->i": [(3, 3)],
    "iij->ji": [(2, 2, 3)],
    "...ii,ij": [(2, 3, 3), (3, 2)],
    "iii,ij->j": [(2, 2, 2), (2, 3)],
    "ijij->ij": [(2, 3, 2, 3)],
    "ii,ii": [(0, 0), (0, 0)],
}


@pytest.mark.parametrize(("subscripts", "shapes"), SUBSCRIPTS.items(), ids=SUBSCRIPTS)
def test_einsum_is_numpys_with_its_gradients(subscripts, shapes):
    rng = np.random.default_rng(5)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    inputs = [tg.Tensor(a, requires_grad=True) for a in arrays]
    y = tg.einsum(subscripts, *inputs)
    expected = np.einsum(subscripts, *arrays)
    assert y.shape == np.shape(expected)
    np.testing.assert_allclose(y.data, expected, rtol=1e-13, atol=1e-14)
    u = rng.standard_normal(y.shape)
    y.backward(u)
    for i, (x, a) in enumerate(zip(inputs, arrays, strict=True)):

        def with_other(e, i=i):
            return np.einsum(subscripts, *arrays[:i], e, *arrays[i + 1 :])

        np.testing.assert_allclose(
            x.grad, gradient_of_a_linear_map(with_other, a, u), rtol=1e-12, atol=1e-13
        )
    assert tg.gradcheck(lambda *some: tg.einsum(subscripts, *some), *arrays, order=2)


@pytest.mark.parametrize(
    ("subscripts", "shapes", "word"),
    [
        ("ii->i", [(2, 3)], "same size along the axes of a repeated letter"),
        ("ii->i", [(2,)], "name each axis"),
        ("ij", [(2, 2), (2,)], "terms"),
        ("ij,jk", [(2, 3), (2, 3)], "einsum"),
        (3, [(2,)], "string"),
    ],
    ids=["diagonal", "axes", "count", "sizes", "no string"],
)
def test_einsum_names_what_is_wrong(subscripts, shapes, word):
    with pytest.raises((ValueError, TypeError), match=word):
        tg.einsum(subscripts, *[tg.Tensor(np.ones(shape), requires_grad=True) for shape in shapes])


def test_float32_matrix_products_with_integers_stay_float32():
    w = tg.Tensor(cotangent((4, 2), np.float32), requires_grad=True)
    one_hot = np.eye(4, dtype=np.int64)[[0, 2, 3]]
    for y in (
        one_hot @ w,
        tg.einsum("bi,io->bo", one_hot, w),
        tg.linear(one_hot, w.T, np.zeros(2, np.float32)),
        tg.matmul([1, 0, 2, 0], w),
    ):
        w.grad = None
        assert y.dtype == np.float32
        y.backward(cotangent(y.shape))
        assert w.grad.dtype == np.float32
