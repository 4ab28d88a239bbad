"""Ops far from 0, at infinities, zeros and NaN, and on kinks."""

import array

import numpy as np
import pytest
from every_op import OPS, cotangent, differences
from internals import toposort

import tinygrad_rnn as tg

FAR = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4]])
STABLE = {
    "sigmoid": (tg.sigmoid, [[1, 0, 0.5], [0, 0, 0], [1, 1, 1]]),
    "softplus": (tg.softplus, [[1e4, 0, np.log(2)], [0, 0, 0], [1e4, 1e4, 1e4]]),
    "tanh": (tg.tanh, [[1, -1, 0], [-1, -1, -1], [1, 1, 1]]),
    "softmax": (tg.softmax, [[1, 0, 0], [1 / 3] * 3, [1 / 3] * 3]),
    "log_softmax": (tg.log_softmax, [[0, -2e4, -1e4], [-np.log(3)] * 3, [-np.log(3)] * 3]),
    "logsumexp": (lambda a: tg.logsumexp(a, axis=-1), [1e4, -1e4 + np.log(3), 1e4 + np.log(3)]),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("f", "expected"), STABLE.values(), ids=STABLE)
def test_functions_are_stable_far_out(f, expected, dtype):
    x = tg.Tensor(FAR.astype(dtype), requires_grad=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = f(x)
        first = tg.grad(y, x, grad_output=cotangent(y.shape), create_graph=True)
        second = tg.grad(first, x, grad_output=cotangent(x.shape))
    np.testing.assert_allclose(y.data, expected, rtol=2 * np.finfo(dtype).eps, atol=1e-30)
    assert np.isfinite(first.data).all()
    assert np.isfinite(second.data).all()
    assert np.abs(first.data).max() < 10


def test_minus_infinity_among_the_logits_has_probability_zero():
    x = tg.Tensor([0.0, -np.inf, np.log(3.0)], requires_grad=True, dtype=np.float64)
    p = tg.softmax(x)
    np.testing.assert_allclose(p.data, [0.25, 0, 0.75], rtol=1e-14)
    (p * np.array([1.0, 5.0, 2.0])).sum().backward()
    np.testing.assert_allclose(x.grad, [-0.1875, 0, 0.1875], rtol=1e-14)
    x.grad = None
    tg.logsumexp(x).backward(3.0)
    np.testing.assert_allclose(x.grad, [0.75, 0, 2.25], rtol=1e-14)


def test_nan_reaches_the_result():
    x = tg.Tensor([np.nan, 1.0], requires_grad=True)
    assert np.isnan(tg.softmax(x).data).all()
    assert np.isnan(x.max().item())
    assert np.isnan(tg.maximum(x, 0).data[0])
    assert np.isnan(tg.relu(x).data[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("keepdims", [True, False])
def test_logsumexp_of_minus_infinity_alone_has_gradient_zero(dtype, keepdims):
    x = tg.Tensor(np.array([[-np.inf, -np.inf], [-np.inf, 1.0]], dtype), requires_grad=True)
    with np.errstate(all="raise"):
        y = tg.logsumexp(x, axis=1, keepdims=keepdims)
        first = tg.grad(y, x, grad_output=np.array([0.3, 0.7]).reshape(y.shape), create_graph=True)
        second = tg.grad(first, x, grad_output=np.ones((2, 2)))
        y.backward(np.array([0.3, 0.7]).reshape(y.shape))
    np.testing.assert_array_equal(y.data.ravel(), [-np.inf, 1])
    for g in (x.grad, first.data):
        np.testing.assert_array_equal(g, np.array([[0, 0], [0, 0.7]], dtype))
    np.testing.assert_array_equal(second.data, np.zeros((2, 2)))
    assert first.dtype == second.dtype == dtype


ZEROS = {
    "none": [2.0, 3.0, 5.0, 7.0],
    "one": [2.0, 0.0, 5.0, 7.0],
    "two": [0.0, 3.0, 0.0, 7.0],
    "three": [0.0, 0.0, 5.0, 0.0],
}


@pytest.mark.parametrize("values", ZEROS.values(), ids=ZEROS)
def test_prod_of_zeros_to_second_order(values):
    """∂Π/∂aᵢ is the product of the others, ∂²Π/∂aᵢ∂aⱼ that of all but two: no 0 / 0 anywhere."""
    n = len(values)
    first = [np.prod([v for k, v in enumerate(values) if k != i]) for i in range(n)]
    second = [
        [np.prod([v for k, v in enumerate(values) if k not in (i, j)]) * (i != j) for j in range(n)]
        for i in range(n)
    ]
    with np.errstate(all="raise"):
        found = tg.jacobian(lambda x: tg.jacobian(tg.prod, x, create_graph=True), np.array(values))
        x = tg.Tensor(np.array(values), requires_grad=True)
        x.prod().backward(2.0)
    np.testing.assert_array_equal(x.grad, 2 * np.array(first))
    np.testing.assert_array_equal(found.data, second)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (2, 1), ()], ids=str)
@pytest.mark.parametrize("keepdims", [True, False])
def test_prod_over_any_axes_with_zeros(axis, keepdims):
    a = np.random.default_rng(5).integers(-2, 3, (2, 3, 5)).astype(np.float64)
    assert (a == 0).any()
    x = tg.Tensor(a, requires_grad=True)
    y = tg.prod(x, axis=axis, keepdims=keepdims)
    np.testing.assert_array_equal(y.data, np.prod(a, axis, keepdims=keepdims))
    u = cotangent(y.shape)
    y.backward(u)
    np.testing.assert_allclose(
        x.grad,
        differences(lambda a: np.prod(a, axis, keepdims=keepdims), [a], 0),
        rtol=1e-8,
        atol=1e-8,
    )


def test_prod_of_many_entries_takes_few_steps():
    x = tg.Tensor(np.full(1000, 1.001), requires_grad=True)

    slope = tg.grad(tg.prod(x), x, create_graph=True)
    assert len(toposort(slope)) < 120
    np.testing.assert_allclose(slope.data, 1.001**999, rtol=1e-12)


@pytest.mark.parametrize(
    "repeats", [2, 0, np.int64(3), [1, 0, 2], np.array([2, 2, 1]), tg.Tensor([3, 0, 1])], ids=str
)
def test_repeat_with_any_counts(repeats):
    a = cotangent((2, 3))
    counts = repeats.data if isinstance(repeats, tg.Tensor) else repeats
    x = tg.Tensor(a, requires_grad=True)
    y = x.repeat(repeats, axis=1)
    np.testing.assert_array_equal(y.data, np.repeat(a, counts, axis=1))
    u = cotangent(y.shape)
    y.backward(u)
    owner = np.repeat(np.arange(3), counts)
    np.testing.assert_allclose(
        x.grad, np.stack([u[:, owner == i].sum(1) for i in range(3)], axis=1), rtol=1e-14
    )


def test_copy_has_memory_of_its_own_and_passes_gradients():
    a = cotangent((2, 3))
    x = tg.Tensor(a, requires_grad=True)
    y = x.copy()
    assert y.requires_grad
    assert not np.shares_memory(y.data, a)
    assert not np.shares_memory(tg.copy(a), a)
    y.backward(cotangent((2, 3)))
    np.testing.assert_array_equal(x.grad, cotangent((2, 3)))


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_any_and_all_are_plain(axis):
    a = np.array([[0.0, 2.0], [0.0, 3.0]])
    for x in (a, a.tolist(), tg.Tensor(a), tg.Tensor(a, requires_grad=True)):
        for ours, numpys in ((tg.any, np.any), (tg.all, np.all)):
            found = ours(x, axis)
            assert type(found) in (np.ndarray, np.bool_)
            np.testing.assert_array_equal(found, numpys(a, axis))
            np.testing.assert_array_equal(
                ours(x, axis, keepdims=True), numpys(a, axis, keepdims=True)
            )
    t = tg.Tensor(a, requires_grad=True)
    assert t.any()
    assert not t.all()
    np.testing.assert_array_equal(t.any(axis=0), [False, True])


KINKS = {
    "abs": (tg.abs, [0.0, 2.0], [0.0, 0.7]),
    "relu": (tg.relu, [0.0, 2.0], [0.0, 0.7]),
    "sign": (tg.sign, [0.0, 2.0], [0.0, 0.0]),
    "clip": (lambda a: tg.clip(a, -1, 1), [0.5, 2.0], [0.3, 0.0]),
    "max-ties": (lambda a: tg.stack([tg.max(a), a.sum()]), [2.0, 2.0], [0.85, 0.85]),
    "min-ties": (lambda a: tg.stack([tg.min(a), a.sum()]), [2.0, 2.0], [0.85, 0.85]),
    "maximum-tie": (lambda a: tg.maximum(a, np.array([0.0, 2.0])), [1.0, 2.0], [0.3, 0.35]),
    "maximum-itself": (lambda a: tg.maximum(a, a), [1.0, 2.0], [0.3, 0.7]),
    "minimum-tie": (lambda a: tg.minimum(np.array([5.0, 2.0]), a), [1.0, 2.0], [0.3, 0.35]),
    "square-by-power": (lambda a: a**2, [0.0, 3.0], [0.0, 4.2]),
    "std": (lambda a: tg.std(a) * np.ones(2), [2.0, 2.0], [0.0, 0.0]),
    "std of one among others": (
        lambda a: tg.std(tg.stack([a, a * [1.0, 3.0]]), axis=0),
        [2.0, 2.0],
        [0.0, 0.7],
    ),
    "power-1": (lambda a: a**1, [0.0, 3.0], [0.3, 0.7]),
    "power-0": (lambda a: a**0, [0.0, 3.0], [0.0, 0.0]),
    "power-array": (lambda a: a ** np.array([0.0, 2.0]), [0.0, 0.0], [0.0, 0.0]),
    "power-of-zero": (lambda a: 0.0**a, [2.0, 3.0], [0.0, 0.0]),
    "power-0-of-zero": (lambda a: 0.0**a, [0.0, 3.0], [0.0, 0.0]),
    "power-of-a-number": (lambda a: 2**a, [0.0, 1.0], [0.3 * np.log(2), 1.4 * np.log(2)]),
    "power-of-a-negative": (lambda a: a**3, [-2.0, -1.0], [3.6, 2.1]),
}


@pytest.mark.parametrize(("f", "at", "expected"), KINKS.values(), ids=KINKS)
def test_derivative_on_a_kink(f, at, expected):
    x = tg.Tensor(np.array(at), requires_grad=True)
    f(x).backward(np.array([0.3, 0.7]))
    np.testing.assert_allclose(x.grad, expected, rtol=1e-14)


def test_std_of_equal_entries_beside_others_to_second_order():
    a = np.array([[2.0, 2.0, 2.0], [1.0, -2.0, 4.0]])
    x = tg.Tensor(a, requires_grad=True)
    with np.errstate(all="raise"):
        first = tg.grad(tg.std(x, axis=1, ddof=1).sum(), x, create_graph=True)
        second = tg.grad((first * np.arange(6.0).reshape(2, 3)).sum(), x)
    np.testing.assert_array_equal(first.data[0], 0)
    np.testing.assert_array_equal(second.data[0], 0)
    alone = tg.Tensor(a[1], requires_grad=True)
    np.testing.assert_allclose(first.data[1], tg.grad(tg.std(alone, ddof=1), alone).data)
    tg.gradcheck(lambda t: tg.std(t, ddof=1), alone, order=2)
    assert np.isnan(tg.std([1.0, np.nan]))


def test_var_with_and_without_ddof():
    a = cotangent((3, 4))
    for ddof in (0, 1, 1.5):
        np.testing.assert_allclose(tg.Tensor(a).var(1, ddof).data, a.var(1, ddof=ddof), rtol=1e-13)


def test_clip_refuses_bounds_with_gradients():
    bound = tg.Tensor(np.array(0.5), requires_grad=True)
    for call_it in (
        lambda: tg.clip(np.ones(2), bound),
        lambda: tg.Tensor(np.ones(2)).clip(max=bound),
    ):
        with pytest.raises(TypeError, match="clip"):
            call_it()
    np.testing.assert_array_equal(tg.clip(np.ones(2), max=bound.detach()), [0.5, 0.5])


def test_mixed_second_derivative_of_a_power_where_the_exponent_is_0():
    a, b = (tg.Tensor(x, dtype="float64", requires_grad=True) for x in (2.0, 0.0))
    by_a, by_b = tg.grad(a**b, [a, b], create_graph=True)
    assert tg.grad(by_a, b).item() == tg.grad(by_b, a).item() == 0.5  # 1 / a
    zero = tg.Tensor(0.0, dtype="float64", requires_grad=True)
    assert tg.grad(zero**b, zero).item() == 0


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint32", "int64"])
@pytest.mark.parametrize(
    "op", ["sigmoid", "exp", "softplus", "softmax", "log_softmax", "logsumexp", "tanh", "mean"]
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_of_integers_an_op_gives_what_it_gives_of_the_same_floats(op, dtype):
    x = np.array([1, 3, 20], dtype)
    found, expected = getattr(tg, op)(tg.Tensor(x)), getattr(tg, op)(tg.Tensor(x.astype("float64")))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.data, expected.data, rtol=1e-6)


def test_the_mean_of_many_halves_does_not_overflow():
    assert tg.mean(tg.Tensor(np.ones(70000, "float16"))).item() == 1


@pytest.mark.parametrize(
    "index", [range(-2, 2), array.array("l", [0, 0, 1]), (range(2), 0), [[0, 0], [1, 1]]], ids=str
)
def test_an_entry_that_is_picked_twice_gets_both_gradients_whatever_the_index_is(index):
    x = tg.Tensor(np.zeros((2, 3)), requires_grad=True)
    x[index].sum().backward()
    expected = np.zeros((2, 3))
    np.add.at(
        expected,
        tuple(map(list, index[:1])) + index[1:] if isinstance(index, tuple) else np.asarray(index),
        1,
    )
    np.testing.assert_array_equal(x.grad, expected)


def test_a_wide_bias_widens_an_affine_map():
    x = tg.Tensor(np.ones((2, 3), np.float32))
    wide = tg.linear(x, np.ones((4, 3), np.float32), np.ones(4))
    assert wide.dtype == (x @ np.ones((3, 4), np.float32) + np.ones(4)).dtype == np.float64
    np.testing.assert_array_equal(wide.data, np.full((2, 4), 4.0))


def test_logsumexp_does_not_complain_of_what_underflows():
    with np.errstate(all="raise"):
        assert OPS["logsumexp"](tg.Tensor(np.array([0.0, -1000.0]))).data == 0


@pytest.mark.parametrize("op", ["maximum", "minimum"])
def test_of_two_equal_entries_each_gets_half(op):
    a, b = (tg.Tensor([1.0, 2.0], requires_grad=True) for _ in "ab")
    (OPS[op](a, b) * tg.Tensor([1.0, 3.0])).sum().backward()
    np.testing.assert_array_equal(a.grad, [0.5, 1.5])
    np.testing.assert_array_equal(b.grad, [0.5, 1.5])


def test_the_one_axis_of_a_vector_can_be_transposed():
    x = tg.Tensor(np.arange(3.0), requires_grad=True)
    y = tg.transpose(x, 0)
    y.backward(np.array([1.0, 2.0, 3.0]))
    assert (y.data.tolist(), x.grad.tolist()) == ([0, 1, 2], [1, 2, 3])
