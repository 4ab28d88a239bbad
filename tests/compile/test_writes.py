"""Writes into arrays, NumPy's keywords, and Tensors that are captured and arguments at once."""

import numpy as np
import pytest
from eager_twins import assert_same, check_twins

import tinygrad_rnn as tg
from tinygrad_rnn.errors import NotCompilable

WRITES = {
    "clip_out": lambda w, b, m, x: np.clip(w.data, -0.1, 0.1, out=w.data),
    "clip_method": lambda w, b, m, x: w.data.clip(-0.1, 0.1, out=w.data),
    "where": lambda w, b, m, x: np.add(w.data, 1, out=w.data, where=w.data > 0),
    "into_a_new_array": lambda w, b, m, x: np.sqrt(np.abs(x.data), out=x.data * 0),
    "concatenate": lambda w, b, m, x: np.concatenate([w.data[0, :1], w.data[0, 1:]], out=b.data),
    "sum": lambda w, b, m, x: np.sum(w.data, axis=0, out=b.data),
    "mean": lambda w, b, m, x: w.data.mean(axis=0, out=b.data),
    "dot": lambda w, b, m, x: np.dot(w.data, w.data[0], out=b.data),
    "matmul": lambda w, b, m, x: np.matmul(w.data, w.data[0], out=b.data),
    "broadcast": lambda w, b, m, x: np.add(w.data[0], 1, out=m.data),
    "whole": lambda w, b, m, x: m.data.__setitem__(..., x.data[0, 0]),
    "entry": lambda w, b, m, x: m.data.__setitem__((0, slice(None)), w.data[1]),
    "views_before": lambda w, b, m, x: (w.data.T, np.multiply(w.data, 0.5, out=w.data)),
}


@pytest.mark.parametrize("name", WRITES)
def test_writes_at_the_end_of_a_step(name):
    """They reach the arrays as they do in eager code."""

    def make():
        rng = np.random.default_rng(0)
        w = tg.Tensor(rng.standard_normal((3, 3)), requires_grad=True)
        b, m = tg.Tensor(np.zeros(3)), tg.Tensor(np.zeros((3, 3)))
        optimizer = tg.optim.SGD([w], lr=0.1)

        def step(x):
            loss = ((x @ w) ** 2).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            WRITES[name](w, b, m, x)
            return loss

        return step, [w, b, m]

    check_twins(make, lambda rng: tg.Tensor(rng.standard_normal((2, 3))))


def test_running_means_and_updates_by_hand():
    def make():
        rng = np.random.default_rng(0)
        W, U = (tg.Tensor(rng.standard_normal((3, 3)), requires_grad=True) for _ in range(2))
        mean = tg.Tensor(np.zeros(3))

        def step(x):
            h = tg.tanh(x @ W)
            loss = ((h @ U) ** 2).sum()
            loss.backward()
            for p in (W, U):
                p.data -= 0.1 * p.grad
                p.grad = None
            mean.data *= 0.9
            mean.data += 0.1 * h.data.mean(axis=0)
            return loss

        return step, [W, U, mean]

    check_twins(make, lambda rng: tg.Tensor(rng.standard_normal((2, 3))))


def test_a_view_is_not_read_after_a_write_into_its_array():
    w = tg.Tensor(np.ones((2, 3)))

    def f(x):
        turned = w.data.T
        w.data[0] = x
        return turned.sum()

    with pytest.raises(NotCompilable, match="a read of a view of an array that was written into"):
        tg.compile(f)(np.ones(3))
    np.testing.assert_array_equal(w.data, np.ones((2, 3)))


@pytest.mark.parametrize(
    "write",
    [
        lambda a, b: np.clip(a, 0, 1, b),
        lambda a, b: np.sum(a, 0, None, b[0]),
        lambda a, b: np.concatenate((a, a), 0, np.concatenate((b, b))),
        lambda a, b: np.add(a, 1, where=a > 0),
        lambda a, b: np.add(b[0], 1, out=b[0]),
        lambda a, b: np.add(b[0], 1, out=np.split(b, 2)[0]),
    ],
)
def test_writes_that_cannot_be_followed_are_errors(write):
    with pytest.raises(NotCompilable, match=r"a write (by|into a view)|where and without"):
        tg.compile(lambda a: write(a, a * 0))(np.ones((2, 3)))


EXPRESSIONS = {
    "reshape_F": lambda a: np.reshape(a, (3, 2), order="F"),
    "method": lambda a: a.reshape(3, 2, order="F"),
    "ravel_F": lambda a: np.ravel(a, "F"),
    "flatten_F": lambda a: a.flatten("F"),
    "fft": lambda a: np.fft.fft(a).real + np.fft.fft(a).imag,
    "clip_dtype": lambda a: np.clip(a, 0, 1, dtype="float64"),
    "clip_keywords": lambda a: np.clip(a, min=-0.1, max=0.1),
    "sum_where": lambda a: np.sum(a, axis=0, where=a > 0, initial=1.0),
    "max_initial": lambda a: a.max(axis=1, initial=0.3),
    "zeros_shape": lambda a: np.zeros_like(a, shape=(2, 2)) + a[0, 0],
    "stack_axis": lambda a: np.stack((a, a), axis=-1),
    "concatenate_dtype": lambda a: np.concatenate((a, a), dtype="float32"),
    "index_of_one": lambda a: (a[[1, 0],], a[[[1, 0], [0, 0]],], a[(a[0] > 0).astype(int),]),
    "one_hot": lambda a: tg.text.one_hot((a > 0).astype(int), 3),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_keywords_of_numpys_functions(name):
    function, rng = EXPRESSIONS[name], np.random.default_rng(0)
    fast = tg.compile(function)
    for _ in range(3):
        a = rng.standard_normal((2, 3))
        assert_same(function(a), fast(a))


def test_an_order_that_depends_on_the_memory_is_an_error():
    with pytest.raises(NotCompilable, match="order='K'"):
        tg.compile(lambda a: a.ravel("K"))(np.ones((2, 3)))


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_tensor_may_be_captured_and_an_argument(backend):
    """In some calls only: it counts whether they are the same Tensor, and not what it was once."""
    rng = np.random.default_rng(0)
    W, other = (tg.Tensor(rng.standard_normal((3, 3)), requires_grad=True) for _ in range(2))
    box = [None]

    def f(w):
        return ((w @ W) * box[0]).sum()

    fast = tg.compile(f, backend=backend)
    for first, second in ((W, W), (W, other), (other, W), (other, other), (W, W)):
        box[0] = second
        found = []
        for function in (f, fast):
            W.grad = other.grad = None
            loss = function(first)
            loss.backward()
            found.append([loss.data, W.grad, other.grad])
        for a, b in zip(*found, strict=True):
            assert (a is None) == (b is None)
            if a is not None:
                np.testing.assert_allclose(b, a, rtol=1e-12)


def test_a_tensor_that_is_returned_twice_is_one():
    W = tg.Tensor(np.full((3, 3), 0.5), requires_grad=True)

    def cell(x, h):
        h = tg.tanh(x @ W + h)
        return h, (h, h.detach())

    output, (state, constant) = tg.compile(cell, check=1)(np.ones((2, 3)), np.zeros((2, 3)))
    assert output is state
    assert constant is not state


def test_a_number_that_equals_a_length_is_a_number():
    """Numba gets lengths as arguments: 4.0 is not the length 4, and stays a float."""
    rng = np.random.default_rng(0)
    W, U = tg.Tensor(rng.standard_normal((3, 4))), tg.Tensor(rng.standard_normal((4, 4)))

    def f(x, h):
        def cell(x, h):
            h = tg.tanh(4.0 * (x @ W) + h @ U) * 5.0
            return h, h

        return tg.scan(cell, x, h)[0].mean()

    x, h = tg.Tensor(rng.standard_normal((5, 2, 3))), tg.Tensor(rng.standard_normal((2, 4)))
    assert tg.compile(f, backend="numba")(x, h).item() == pytest.approx(f(x, h).item(), rel=1e-6)


def test_a_gradient_of_a_gradient_through_a_scan_is_an_error_that_names_it():
    W = tg.Tensor(np.eye(3), requires_grad=True)

    def step(x):
        output, _ = tg.scan(lambda a, s: (tg.tanh(a @ W + s),) * 2, x, tg.Tensor(np.zeros(3)))
        (d,) = tg.grad((output**2).mean(), [W], create_graph=True)
        return (d * d).sum()

    with pytest.raises(NotCompilable, match="create_graph=True over a scan"):
        tg.compile(step)(tg.Tensor(np.ones((4, 3))))
