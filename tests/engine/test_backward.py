"""The engine: order, sums, aliasing, errors, depth, memory, and recording."""

import asyncio
import copy
import gc
import pickle
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations

import numpy as np
import pytest
from helpers import leaf, normal
from internals import plain_scope

import tinygrad_rnn as tg


@pytest.fixture
def custom_op(restored_registry):
    """Return `tg.op`; what it registers is forgotten after the test."""
    return tg.op


def assert_no_shared_memory(*arrays):
    for a, b in combinations(arrays, 2):
        assert not np.shares_memory(a, b)


# -- adding up -------------------------------------------------------------------------------------


def test_a_plus_a_has_gradient_two():
    a, u = leaf(3), normal(3, seed=1)
    (a + a).backward(u)
    np.testing.assert_allclose(a.grad, 2 * u, rtol=1e-15)


def test_a_times_a_times_a():
    a, u = leaf(3), normal(3, seed=1)
    (a * a * a).backward(u)
    np.testing.assert_allclose(a.grad, 3 * a.data**2 * u, rtol=1e-14)


def test_both_sides_of_a_diamond_add_up():
    x, u = leaf(4), normal(4, seed=1)
    left, right = tg.sin(x), tg.exp(x)
    (left * right).backward(u)
    np.testing.assert_allclose(
        x.grad, u * np.exp(x.data) * (np.cos(x.data) + np.sin(x.data)), rtol=1e-13
    )


def test_branches_of_different_length_meet():
    x, u = leaf(4), normal(4, seed=1)
    y = x * 2.0
    z = tg.tanh(tg.tanh(tg.tanh(y))) + y
    (z * y).backward(u)
    t1 = np.tanh(2 * x.data)
    t2 = np.tanh(t1)
    t3 = np.tanh(t2)
    slope = 2 * (1 - t1**2) * (1 - t2**2) * (1 - t3**2) + 2
    np.testing.assert_allclose(x.grad, u * (slope * 2 * x.data + (t3 + 2 * x.data) * 2), rtol=1e-13)


def test_sixty_diamonds_in_a_row_are_visited_once_each():
    """2⁶⁰ paths lead back to x, and 60 nodes."""
    x = tg.Tensor(np.array([1.0, -3.0]), requires_grad=True)
    y = x
    for _ in range(60):
        y = y + y
    y.backward([0.5, 2.0])
    np.testing.assert_array_equal(x.grad, [2.0**59, 2.0**61])


def test_a_tensor_used_a_thousand_times():
    x, w, u = leaf(5), normal(1000, 5, seed=1), normal(5, seed=2)
    total = x * w[0]
    for row in w[1:]:
        total = total + x * row
    total.backward(u)
    np.testing.assert_allclose(x.grad, w.sum(axis=0) * u, rtol=1e-11)


def test_a_thousand_inputs_of_one_op():
    x, u = leaf(2), normal(1000, 2, seed=1)
    tg.stack([x] * 1000).backward(u)
    np.testing.assert_allclose(x.grad, u.sum(axis=0), rtol=1e-11)


PRODUCTS = {
    "matmul": lambda x, w, b: x @ w,
    "matmul from the left": lambda x, w, b: (w.T @ x.mT).mT,
    "linear": lambda x, w, b: tg.linear(x, w.T, b),
    "einsum": lambda x, w, b: tg.einsum("...i,io->...o", x, w),
}


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=PRODUCTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_weight_used_at_many_steps_and_in_other_ways(product, dtype):
    """Products, slices and whole uses of one weight add up, plain and recorded."""
    near = {"rtol": 1e-4, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-13}
    w, b = (tg.Tensor(normal(*s, seed=1).astype(dtype), requires_grad=True) for s in ((3, 2), (2,)))
    shapes = [(4, 3), (1, 3), (4, 3), (5, 2, 3), (0, 3), (4, 3), (2, 3), (3, 3)]
    xs = [
        tg.Tensor(normal(*s, seed=i).astype(dtype), requires_grad=i % 2 == 0)
        for i, s in enumerate(shapes)
    ]
    us = [normal(*s[:-1], 2, seed=10 + i) for i, s in enumerate(shapes)]
    v = normal(3, 2, seed=30)
    terms = [(product(x, w, b) * u.astype(dtype)).sum() for x, u in zip(xs, us, strict=True)]
    terms += [
        (w * v.astype(dtype)).sum(),
        (w[1] * v[1].astype(dtype)).sum(),
        (w[:, 0] * v[:, 0].astype(dtype)).sum(),
    ]
    total = sum(terms[1:], terms[0])
    expected = (
        sum(x.data.reshape(-1, 3).T @ u.reshape(-1, 2) for x, u in zip(xs, us, strict=True)) + v
    )
    expected[1] += v[1]
    expected[:, 0] += v[:, 0]
    (recorded,) = tg.grad(total, [w], create_graph=True)
    leaves = [x for x in xs if x.requires_grad]
    total.backward(retain_graph=True, retain_grads=True)
    for found in (recorded.data, w.grad):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, **near)
    for x, u in zip(leaves, us[::2], strict=True):
        np.testing.assert_allclose(x.grad, u @ w.data.T, **near)
    assert_no_shared_memory(w.data, w.grad, *[x.grad for x in leaves], *[x.data for x in leaves])
    by_x = tg.grad(recorded, leaves, grad_output=normal(3, 2, seed=31).astype(dtype))
    for u, found in zip(us[::2], by_x, strict=True):
        np.testing.assert_allclose(found.data, u @ normal(3, 2, seed=31).T, **near)


def test_gradient_reaches_through_constants_only_where_it_should():
    a, b, c = leaf(3), tg.Tensor(normal(3, seed=1)), leaf(3, seed=2)
    u = normal(3, seed=3)
    (a * b + c.detach() * a).backward(u)
    np.testing.assert_allclose(a.grad, u * (b.data + c.data), rtol=1e-14)
    assert b.grad is None
    assert c.grad is None


def test_backward_adds_to_what_is_there():
    x = leaf(3)
    us = normal(4, 3, seed=1)
    for u in us:
        tg.sin(x).backward(u)
    np.testing.assert_allclose(x.grad, us.sum(axis=0) * np.cos(x.data), rtol=1e-13)
    x.grad = None
    tg.sin(x).backward(us[0])
    np.testing.assert_allclose(x.grad, us[0] * np.cos(x.data), rtol=1e-13)


@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0, 2)], ids=str)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_grad_is_always_an_array_of_the_shape_and_dtype_of_data(shape, dtype):
    x = tg.Tensor(np.asarray(normal(*shape)).astype(dtype), requires_grad=True)
    for _ in range(3):
        y = tg.tanh(x * 2 + 1) + x[...]
        y.backward(np.asarray(normal(*shape, seed=1)), retain_grads=True)
        for t in (x, y):
            assert type(t.grad) is np.ndarray
            assert (t.grad.shape, t.grad.dtype) == (shape, dtype)


def test_backward_from_a_leaf_gives_it_ones():
    x = leaf(2)
    x.backward([0.5, 3.0])
    x.backward([0.5, 3.0])
    np.testing.assert_array_equal(x.grad, [1, 6])


def test_backward_from_the_middle_leaves_the_rest_alone():
    x, w = leaf(3), leaf(3, seed=1)
    h = x * 2.0
    loss = (h * w).sum()
    h.backward([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(x.grad, [2, 4, 6])
    assert w.grad is None
    with pytest.raises(RuntimeError, match="detach"):
        loss.backward()


# -- what arrives at the output --------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)], ids=str)
def test_one_number_needs_no_gradient(shape):
    x = tg.Tensor(np.full(shape, 3.0), requires_grad=True)
    (x * x).backward()
    np.testing.assert_array_equal(x.grad, np.full(shape, 6.0))


@pytest.mark.parametrize("shape", [(2,), (2, 3), (0,)], ids=str)
def test_more_numbers_need_one(shape):
    x = leaf(*shape)
    with pytest.raises(ValueError, match=r"backward: argument gradient.*none.*\.sum\(\)"):
        (x * 2).backward()
    assert x.grad is None


WRONG_SEEDS = {
    "scalar": 1.0,
    "that would broadcast": np.ones(3),
    "transposed": np.ones((3, 2)),
    "extra axis": np.ones((1, 2, 3)),
    "one row": np.ones((1, 3)),
    "complex": np.ones((2, 3), complex),
    "text": np.full((2, 3), "a"),
    "ragged": "abc",
}


@pytest.mark.parametrize("seed", WRONG_SEEDS.values(), ids=WRONG_SEEDS)
def test_gradient_of_another_shape_is_refused(seed):
    x = leaf(2, 3)
    y = x * 2
    with pytest.raises(ValueError, match=r"backward: argument gradient: expected float64 \(2, 3\)"):
        y.backward(seed)
    assert x.grad is None
    y.backward(normal(2, 3, seed=1))
    np.testing.assert_allclose(x.grad, 2 * normal(2, 3, seed=1))


GOOD_SEEDS = {
    "list": [[1, 2], [3, 4]],
    "ints": np.array([[1, 2], [3, 4]]),
    "float64": np.array([[1.0, 2], [3, 4]]),
    "tensor": tg.Tensor([[1.0, 2], [3, 4]]),
    "tracked tensor": tg.Tensor([[1.0, 2], [3, 4]], requires_grad=True),
    "fortran": np.asfortranarray([[1.0, 2], [3, 4]]),
    "read-only": np.broadcast_to(np.array([[1.0, 2], [3, 4]]), (2, 2)),
}


@pytest.mark.parametrize("seed", GOOD_SEEDS.values(), ids=GOOD_SEEDS)
def test_gradient_of_any_kind_takes_the_dtype_of_the_output(seed):
    x = tg.Tensor(normal(2, 2).astype(np.float32), requires_grad=True)
    (x * 2).backward(seed)
    assert x.grad.dtype == np.float32
    np.testing.assert_array_equal(x.grad, [[2, 4], [6, 8]])


def test_backward_without_gradients_names_the_output():
    plain = tg.Tensor([1.0, 2.0])
    with pytest.raises(RuntimeError, match=r"requires gradients.*requires_grad=True"):
        plain.backward([1.0, 1.0])
    with tg.no_grad():
        y = leaf(2) * 2
    with pytest.raises(RuntimeError, match="no_grad"):
        y.backward([1.0, 1.0])


# -- once through a graph --------------------------------------------------------------------------


def test_second_backward_names_the_tensor_and_the_fix():
    x = leaf(3, name="x")
    h = tg.tanh(x)
    h.name = "hidden state"
    h.sum().backward()
    before = x.grad.copy()
    with pytest.raises(RuntimeError) as caught:
        (h * 2).sum().backward()
    message = str(caught.value)
    for part in (
        "hidden state",
        "shape (3,)",
        "tanh",
        ".detach()",
        "truncated BPTT",
        "retain_graph=True",
    ):
        assert part in message
    np.testing.assert_array_equal(x.grad, before)


def test_second_backward_says_where_the_tensor_was_made():
    x = leaf(3)
    with tg.scope("gru", 7):
        h = tg.tanh(x)
    h.backward(normal(3))
    with pytest.raises(RuntimeError, match="made by tanh in gru / t=7"):
        h.backward(normal(3))


def test_detach_makes_truncated_bptt_work():
    w, h = leaf(2, 2), tg.Tensor(normal(2, seed=1))
    expected = np.zeros((2, 2))
    for step in range(3):
        w_then = w.data
        start = h.data
        h = tg.tanh(h.detach() @ w)
        u = normal(2, seed=step)
        h.backward(u)
        expected += np.outer(start, u * (1 - np.tanh(start @ w_then) ** 2))
    np.testing.assert_allclose(w.grad, expected, rtol=1e-13)


def test_retain_graph_allows_another_pass():
    x, u = leaf(3), normal(3, seed=1)
    y = tg.exp(x)
    y.backward(u, retain_graph=True)
    y.backward(2 * u, retain_graph=True)
    y.backward(u)
    np.testing.assert_allclose(x.grad, 4 * u * y.data, rtol=1e-14)
    with pytest.raises(RuntimeError, match="retain_graph"):
        y.backward(u)


def test_two_losses_share_a_graph():
    x = leaf(3)
    h = tg.tanh(x)
    a, b = (h * normal(3, seed=1)).sum(), (h * normal(3, seed=2)).sum()
    a.backward(retain_graph=True)
    b.backward()
    np.testing.assert_allclose(
        x.grad, (1 - h.data**2) * (normal(3, seed=1) + normal(3, seed=2)), rtol=1e-13
    )


def test_the_graph_can_be_looked_at_after_backward():
    x = leaf(3, name="x")
    y = tg.exp(x * 2)
    y.backward(normal(3))
    assert y.node.op is tg.exp
    product = y.node.inputs[0]
    assert product.node.op is tg.multiply
    assert product.node.inputs[0] is x
    assert product.node.index < y.node.index


# -- interior gradients ----------------------------------------------------------------------------


def test_retain_grads_keeps_every_interior_gradient():
    x, w, u = leaf(3), leaf(3, seed=1), normal(3, seed=2)
    a = x * w
    b = tg.tanh(a)
    c = b + a
    c.backward(u, retain_grads=True)
    np.testing.assert_array_equal(c.grad, u)
    np.testing.assert_allclose(b.grad, u, rtol=1e-15)
    np.testing.assert_allclose(a.grad, u * (2 - b.data**2), rtol=1e-14)
    np.testing.assert_allclose(x.grad, a.grad * w.data, rtol=1e-14)
    np.testing.assert_allclose(w.grad, a.grad * x.data, rtol=1e-14)
    assert_no_shared_memory(u, x.grad, w.grad, a.grad, b.grad, c.grad, a.data, b.data, c.data)


def test_without_retain_grads_only_leaves_have_one():
    x = leaf(3)
    a = x * 2
    b = tg.tanh(a)
    b.backward(normal(3))
    assert x.grad is not None
    assert a.grad is None
    assert b.grad is None


def test_retained_grads_equal_grad_with_respect_to_interior_tensors():
    x = leaf(4, 3)
    parts = [x[i] for i in range(4)]
    h = parts[0]
    states = []
    for part in parts[1:]:
        h = tg.tanh(h * 0.5 + part)
        states.append(h)
    loss = (tg.stack(states) * normal(3, 3, seed=1)).sum()
    expected = tg.grad(loss, [x, *parts, *states])
    loss.backward(retain_grads=True)
    for t, g in zip([x, *parts, *states], expected, strict=True):
        np.testing.assert_allclose(t.grad, g.data, rtol=1e-14)


def test_interior_gradients_add_up_over_calls():
    x = leaf(3)
    y = tg.sin(x)
    z = y * 3.0
    z.backward(normal(3), retain_graph=True, retain_grads=True)
    z.backward(normal(3), retain_grads=True)
    np.testing.assert_allclose(y.grad, 6 * normal(3), rtol=1e-14)


# -- nobody's array is written or shared -----------------------------------------------------------


def passing_on(x, w):
    """Outputs of ops that hand on their gradient, or their input, as it is."""
    return {
        "add": x + w,
        "subtract": x - w,
        "add itself": x + x,
        "positive": +x + w,
        "reshape": x.reshape(-1).reshape(x.shape) + w,
        "transpose": x.T.T + w,
        "astype": x.astype(np.float64) + w,
        "broadcast_to": x.broadcast_to(x.shape) + w,
        "getitem": x[...] + w,
        "slice": x[:] + w,
        "flip": x[::-1] + w,
        "concatenate": tg.concatenate([x]) + w,
        "split": tg.split(x, 1)[0] + w,
        "where": tg.where(True, x, w) + w,
    }


@pytest.mark.parametrize("kind", passing_on(leaf(2, 2), leaf(2, 2)))
def test_grads_share_memory_with_nothing(kind):
    a, b, u = normal(2, 2), normal(2, 2, seed=1), normal(2, 2, seed=2)
    x, w = tg.Tensor(a, requires_grad=True), tg.Tensor(b, requires_grad=True)
    originals = [array.copy() for array in (a, b, u)]
    for array in (a, b, u):
        array.flags.writeable = False
    for _ in range(2):
        y = passing_on(x, w)[kind]
        y.backward(u, retain_grads=True)
        grads = [g for g in (x.grad, w.grad, y.grad) if g is not None]
        assert_no_shared_memory(a, b, u, *grads)
        for g in grads:
            g += 1000.0
    for array, original in zip((a, b, u), originals, strict=True):
        np.testing.assert_array_equal(array, original)


def test_a_grad_that_someone_holds_does_not_change():
    x = leaf(3)
    (x * 2).backward(normal(3))
    held = x.grad
    before = held.copy()
    (x * 2).backward(normal(3))
    np.testing.assert_array_equal(held, before)
    np.testing.assert_allclose(x.grad, 2 * before)


def test_gradients_in_flight_are_not_shared():
    """One array arrives at x along two paths, and is added to while another value needs it."""
    x, y, u = leaf(3), leaf(3, seed=1), normal(3, seed=2)
    total = (x + y) + (x + (y + y)) + x
    total.backward(u, retain_grads=True)
    np.testing.assert_allclose(x.grad, 3 * u, rtol=1e-15)
    np.testing.assert_allclose(y.grad, 3 * u, rtol=1e-15)
    np.testing.assert_array_equal(total.grad, u)


def test_tensor_wraps_the_array_and_functions_of_gradients_copy():
    a, u = normal(3), normal(3, seed=1)
    x = tg.Tensor(a, requires_grad=True)
    assert x.data is a
    g = tg.grad(x + 0.0, x, grad_output=u)
    assert_no_shared_memory(g.data, u, a)
    first, second = tg.grad(x + (y := leaf(3)), [x, y], grad_output=u)
    assert_no_shared_memory(first.data, second.data, u)


# -- numbers that were replaced --------------------------------------------------------------------


def test_stale_data_is_noticed():
    w, x = leaf(3, name="weight"), normal(3, seed=1)
    loss = (w * x).sum() + (w * w).sum()
    w.data = w.data - 0.1
    for differentiate in (
        loss.backward,
        lambda: tg.grad(loss, w),
        lambda: tg.grad(loss, w, create_graph=True),
    ):
        with pytest.raises(
            RuntimeError, match=r"weight \(shape \(3,\)\).*multiply.*\.data.*before an optimizer"
        ):
            differentiate()
    assert w.grad is None


def test_an_optimizer_step_between_two_backwards_of_one_graph_is_noticed():
    w, v = leaf(3, name="w"), leaf(3, seed=1)
    h = tg.tanh(w)
    a, b = (h * v).sum(), (h * h).sum()
    a.backward(retain_graph=True)
    v_grad = v.grad.copy()
    w.data = w.data - 0.1 * w.grad
    with pytest.raises(RuntimeError, match=r"w \(shape"):
        b.backward()
    np.testing.assert_array_equal(v.grad, v_grad)


def test_the_usual_training_loop_raises_nothing():
    w = leaf(3)
    for _ in range(3):
        w.grad = None
        (w * w).sum().backward()
        np.testing.assert_allclose(w.grad, 2 * w.data)
        w.data = w.data - 0.1 * w.grad
    assert tg.grad((w * w * w).sum(), w).data == pytest.approx(3 * w.data**2)


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_constant_replaced_after_its_use_counts_as_it_was(create_graph):
    x, c = leaf(2), tg.Tensor(np.array([2.0, 3.0]))
    y = x * c
    c.data = np.array([50.0, 60.0])
    np.testing.assert_array_equal(
        tg.grad(y, x, grad_output=[1.0, 10.0], create_graph=create_graph).data, [2, 30]
    )


def test_data_of_an_interior_tensor_cannot_be_replaced():
    """Its own derivative is written in terms of it: exp's is y."""
    y = tg.exp(leaf(2))
    with pytest.raises(TypeError, match=r"Tensor\.data.*exp.*detach"):
        y.data = np.zeros(2)


def test_a_frozen_leaf_gets_no_gradient_until_it_is_thawed():
    x, w = leaf(3), leaf(3, seed=1)
    w.requires_grad = False
    y = x * w
    y.backward(normal(3))
    assert w.grad is None
    w.requires_grad = True
    (x * w).backward(normal(3))
    np.testing.assert_allclose(w.grad, x.data * normal(3))


def test_a_leaf_that_is_thawed_between_forward_and_backward_is_refused():
    """A use of the leaf while it was frozen is not in the graph: its gradient would lack a part."""
    x, w = leaf(1, name="x"), leaf(1, seed=1)
    x.requires_grad = False
    y = (x * 2 * w + x * w).sum()
    x.requires_grad = True
    for differentiate in (y.backward, lambda: tg.grad(y, w)):
        with pytest.raises(
            RuntimeError,
            match=r"x \(shape \(1,\)\).*multiply.*requires_grad was turned on.*before computing",
        ):
            differentiate()
    assert x.grad is None
    assert w.grad is None
    layer = tg.nn.Linear(1, 1, rng=0).astype(np.float64)
    for p in layer.parameters():
        p.requires_grad = False
    y = layer(w).sum()
    for p in layer.parameters():
        p.requires_grad = True
    with pytest.raises(RuntimeError, match="requires_grad was turned on"):
        y.backward()
    layer(w).sum().backward()
    w.requires_grad = True  # it was already
    assert not w.changed


def test_numbers_written_where_they_stand_are_noticed_if_they_are_assigned():
    w = leaf(3, name="w")
    loss = (w * w).sum()
    w.data -= 0.1
    with pytest.raises(RuntimeError, match=r"w \(shape.*one whose \.data was assigned"):
        loss.backward()


# -- errors come before any change -----------------------------------------------------------------


def test_a_rule_that_raises_leaves_everything_as_it_was(custom_op):
    @custom_op("broken({a})")
    def broken(a):
        return a * 1

    def fail(*_):
        raise ZeroDivisionError("broken on purpose")

    broken.vjps(a=lambda g, y, a: fail())
    x, w = leaf(3), leaf(3, seed=1)
    x.grad = np.array([1.0, 2.0, 3.0])
    h = tg.tanh(w)
    loss = (broken(x) * h).sum()
    with pytest.raises(ZeroDivisionError):
        loss.backward(retain_grads=True)
    np.testing.assert_array_equal(x.grad, [1, 2, 3])
    assert w.grad is None
    assert h.grad is None
    h.backward(normal(3))
    np.testing.assert_allclose(w.grad, normal(3) * (1 - h.data**2))


def test_a_used_part_leaves_the_fresh_part_as_it_was():
    x, w = leaf(3), leaf(3, seed=1)
    used = tg.tanh(x)
    used.backward(normal(3))
    x_grad = x.grad.copy()
    fresh = tg.tanh(w)
    with pytest.raises(RuntimeError, match="detach"):
        (fresh * used).backward(normal(3), retain_grads=True)
    np.testing.assert_array_equal(x.grad, x_grad)
    assert w.grad is None
    assert fresh.grad is None
    fresh.backward(normal(3))
    assert w.grad is not None


def test_a_rule_of_the_wrong_shape_is_named(custom_op):
    @custom_op("crooked({a})")
    def crooked(a):
        return a * 1

    crooked.vjps(a=lambda g, y, a: g[:2])
    x = leaf(3)
    with pytest.raises(ValueError, match=r"crooked.*\(3,\).*\(2,\).*return g times"):
        crooked(x).backward(normal(3))
    assert x.grad is None


def test_a_rule_whose_result_would_stretch_the_input_is_named(custom_op):
    """It has fewer axes than the input, and a longer one: no sum or broadcast makes it fit."""

    @custom_op("elongated({a})")
    def elongated(a):
        return a * 1

    elongated.vjps(a=lambda g, y, a: g.sum(axis=0) * [1, 2, 3])
    x = leaf(1, 1)
    with pytest.raises(ValueError, match=r"elongated.*\(1, 1\).*\(.*3,?\).*return g times"):
        elongated(x).backward(normal(1, 1))
    assert x.grad is None


def test_a_rule_may_leave_its_result_small_or_wide(custom_op):
    """The engine stretches what is smaller than the input, and sums what is larger."""

    @custom_op("total({a})")
    def total(a):
        return np.sum(a)

    total.vjps(a=lambda g, y, a: g)

    @custom_op("spread({a})")
    def spread(a):
        return np.broadcast_to(a, (2, *a.shape))

    spread.vjps(a=lambda g, y, a: g.astype(np.float64))
    x = tg.Tensor(normal(3, 1).astype(np.float32), requires_grad=True)
    total(x).backward(2.5)
    np.testing.assert_array_equal(x.grad, np.full((3, 1), 2.5))
    x.grad = None
    u = normal(2, 3, 1).astype(np.float32)
    spread(x).backward(u)
    assert x.grad.dtype == np.float32
    np.testing.assert_allclose(x.grad, u.sum(axis=0), rtol=1e-6)


# -- integers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [[1, 2], np.array([1, 2]), True, np.uint8(3), 7],
    ids=["list", "array", "bool", "uint8", "int"],
)
def test_integers_have_no_gradients(data):
    with pytest.raises(TypeError, match=r"requires_grad.*floating.*1\.0 instead of 1"):
        tg.Tensor(data, requires_grad=True)
    t = tg.Tensor(data)
    with pytest.raises(TypeError, match=r"requires_grad.*floating"):
        t.requires_grad = True
    assert not t.requires_grad
    assert tg.Tensor(data, requires_grad=True, dtype=np.float32).requires_grad


def test_results_that_are_integers_do_not_require_gradients():
    x = leaf(3)
    assert not x.astype(np.int64).requires_grad
    assert not (tg.Tensor([1, 2]) + tg.Tensor([3, 4])).requires_grad
    y = x.astype(np.int64) * x
    y.backward(normal(3))
    np.testing.assert_array_equal(x.grad, normal(3) * x.data.astype(np.int64))


# -- depth -----------------------------------------------------------------------------------------

DEEP = 100_000


@pytest.fixture
def shallow_stack():
    """A recursion limit far below the depth of the graphs."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("shallow_stack", "no_gc")
def test_a_chain_of_100_000_ops():
    x = tg.Tensor(np.array([1.0, 2.0]), requires_grad=True)
    y = x
    for _ in range(DEEP):
        y = y + 1e-5
    last = weakref.ref(y)
    first = weakref.ref(y.node.inputs[0])
    assert "has graph" in repr(y)
    y.backward([0.25, 4.0])
    np.testing.assert_array_equal(x.grad, [0.25, 4.0])
    np.testing.assert_allclose(y.data, [2, 3], rtol=1e-9)
    with pytest.raises(RuntimeError, match="detach"):
        y.backward([1.0, 1.0])
    with pytest.raises(TypeError, match="detach"):
        copy.deepcopy(y)
    with pytest.raises(TypeError, match="detach"):
        pickle.dumps(y)
    del y
    assert last() is None
    assert first() is None


@pytest.mark.usefixtures("shallow_stack", "no_gc")
def test_a_chain_of_100_000_ops_is_differentiated_twice():
    """y = x · c^n, with the gradient recorded and differentiated: through y · y, 2 c^2n."""
    x = tg.Tensor(np.array(0.5), requires_grad=True)
    c = 1 + 1e-6
    y = x
    for _ in range(DEEP):
        y = y * c
    slope = tg.grad(y * y, x, create_graph=True)
    curve = tg.grad(slope, x)
    assert slope.item() == pytest.approx(2 * 0.5 * c ** (2 * DEEP), rel=1e-9)
    assert curve.item() == pytest.approx(2 * c ** (2 * DEEP), rel=1e-9)
    gone = weakref.ref(slope)
    del slope, curve, y
    assert gone() is None


@pytest.mark.usefixtures("shallow_stack")
def test_a_deep_graph_of_slices_and_states_has_the_right_gradient():
    x = tg.Tensor(np.full((20_000, 1), 1e-4), requires_grad=True)
    h = tg.Tensor(np.zeros(1))
    for t in range(20_000):
        h = h * 0.5 + x[t]
    h.backward([3.0], retain_grads=True)
    np.testing.assert_allclose(x.grad[-4:, 0], [0.375, 0.75, 1.5, 3.0])


# -- memory ----------------------------------------------------------------------------------------


def count_tensors():
    return sum(issubclass(type(o), tg.Tensor) for o in gc.get_objects())


@pytest.mark.parametrize(
    "after", ["forward", "backward", "retain", "grads", "second order", "error"]
)
@pytest.mark.usefixtures("no_gc")
def test_memory_goes_with_the_last_tensor(after):
    x = leaf(3)
    w = leaf(3, 3, seed=1)
    h = tg.tanh(x @ w)
    y = tg.concatenate([h[i : i + 1] for i in range(3)])
    z = tg.einsum("i,i->", y, tg.where(y.data > 0, y, -y))
    refs = [weakref.ref(t) for t in (h, y, z, *y.node.inputs)]
    arrays = [weakref.ref(h.data), weakref.ref(y.data)]
    if after == "backward":
        z.backward()
    elif after == "retain":
        z.backward(retain_graph=True)
    elif after == "grads":
        z.backward(retain_grads=True)
    elif after == "second order":
        g = tg.grad(z, x, create_graph=True)
        refs += [
            weakref.ref(g),
            weakref.ref(tg.grad(g, w, grad_output=normal(3), create_graph=True)),
        ]
        del g
    elif after == "error":
        with pytest.raises(ValueError, match="gradient"):
            z.backward(normal(2))
    del h, y, z
    assert [r() for r in refs + arrays] == [None] * len(refs + arrays)


@pytest.mark.usefixtures("no_gc")
def test_detach_lets_the_past_go():
    w = leaf(3, 3)
    h = tg.Tensor(np.zeros(3))
    past = []
    for _ in range(5):
        product = h.detach() @ w
        h = tg.tanh(product)
        past.append((weakref.ref(product), weakref.ref(h)))
    del product
    assert [(a() is None, b() is None) for a, b in past] == [(True, True)] * 4 + [(False, False)]


@pytest.mark.usefixtures("no_gc")
def test_live_tensors_do_not_grow_over_1000_training_steps():
    w, b, h = leaf(4, 3), leaf(3, seed=1), tg.Tensor(np.zeros((2, 3)))
    data = normal(5, 2, 4, seed=2)
    counts = []
    for step in range(1000):
        h = h.detach()
        loss = 0.0
        for x in data:
            h = tg.tanh(x @ w + 0.5 * h + b)
            loss = loss + (h * h).mean()
        loss.backward()
        for p in (w, b):
            p.data = p.data - 0.01 * p.grad
            p.grad = None
        if step % 100 == 99:
            counts.append(count_tensors())
    assert len(set(counts)) == 1
    assert loss.item() < 0.1


@pytest.mark.usefixtures("no_gc")
def test_second_order_training_does_not_grow_either():
    w = leaf(3)
    counts = []
    for _ in range(50):
        penalty = (tg.grad((tg.sin(w) * w).sum(), w, create_graph=True) ** 2).sum()
        penalty.backward()
        w.data = w.data - 0.01 * w.grad
        w.grad = None
        counts.append(count_tensors())
    assert len(set(counts[1:])) == 1


# -- who records -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (tg.no_grad(), "no_grad()"),
        (tg.scope("encoder"), "scope(...)"),
        (tg.debug(writes=False), "debug(writes=False, nonfinite=True)"),
    ],
    ids=["no_grad", "scope", "debug"],
)
def test_a_block_is_written_as_its_call(block, text):
    assert repr(block) == str(block) == text


def test_no_grad_records_nothing():
    x = leaf(3)
    with tg.no_grad():
        y = tg.tanh(x) @ normal(3)
    assert y.node is None
    assert not y.requires_grad
    assert (x * 2).requires_grad


def test_no_grad_ends_with_an_exception():
    x = leaf(3)
    with pytest.raises(KeyError), tg.no_grad():
        raise KeyError("on purpose")
    assert (x * 2).requires_grad


def test_no_grad_nests():
    x = leaf(3)
    with tg.no_grad():
        with tg.no_grad():
            pass
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_no_grad_decorates_a_function():
    @tg.no_grad()
    def evaluate(x, n):
        return evaluate(x * 2, n - 1) if n else x * 2

    x = leaf(3)
    for _ in range(2):
        assert not evaluate(x, 3).requires_grad
        assert (x * 2).requires_grad
    assert evaluate.__name__ == "evaluate"


async def awaited(x):
    return x * 2


async def yields_async(x):
    yield x * 2


def yields(x):
    yield x * 2


@pytest.mark.parametrize(
    "function",
    [awaited, yields_async, yields, partial(yields, 1.0)],
    ids=["async", "async generator", "generator", "partial"],
)
def test_a_function_that_runs_after_its_call_cannot_be_decorated(function):
    """Its body would run when the block has ended, and record."""
    with pytest.raises(
        TypeError, match=r"no_grad: argument function: .*use `with tg\.no_grad\(\):` inside"
    ):
        tg.no_grad()(function)
    with pytest.raises(
        TypeError, match=r"scope: argument function: .*use `with tg\.scope\(\.\.\.\):` inside"
    ):
        tg.scope("part")(function)


def test_scope_decorates_a_function():
    @tg.scope("part", 3)
    def twice(x):
        return x * 2

    assert plain_scope(twice(leaf(3)).node.scope) == ("part", 3)
    assert twice.__name__ == "twice"


def test_a_decorated_function_runs_in_several_threads():
    gate = threading.Barrier(4)

    @tg.no_grad()
    def quiet(x):
        gate.wait(60)
        y = x * 2
        gate.wait(60)
        return y.requires_grad

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(quiet, [leaf(3) for _ in range(4)])) == [False] * 4
    assert (leaf(3) * 2).requires_grad


def test_backward_works_inside_no_grad():
    x = leaf(3)
    y = tg.sin(x)
    with tg.no_grad():
        y.backward(normal(3))
    np.testing.assert_allclose(x.grad, normal(3) * np.cos(x.data))


def test_no_grad_holds_in_its_thread_only():
    x = leaf(3)
    inside, done = threading.Event(), threading.Event()
    found = {}

    def quiet():
        with tg.no_grad():
            inside.set()
            done.wait(60)
            found["quiet"] = (x * 2).requires_grad

    thread = threading.Thread(target=quiet)
    thread.start()
    assert inside.wait(60)
    found["main"] = (x * 2).requires_grad
    with ThreadPoolExecutor(1) as pool:
        found["new thread"] = pool.submit(lambda: (x * 2).requires_grad).result()
    done.set()
    thread.join()
    assert found == {"quiet": False, "main": True, "new thread": True}


def test_a_thread_started_inside_no_grad_records():
    """A new thread starts with a context of its own (unless Python is told to hand it on)."""
    x = leaf(3)
    with tg.no_grad(), ThreadPoolExecutor(1) as pool:
        recorded = pool.submit(lambda: (x * 2).requires_grad).result()
    assert recorded is not getattr(sys.flags, "thread_inherit_context", False)


def test_no_grad_holds_in_its_async_task_only():
    x = leaf(3)

    async def quiet(gate):
        with tg.no_grad():
            gate.set()
            for _ in range(5):
                await asyncio.sleep(0)
                assert not (x * 2).requires_grad
        return (x * 2).requires_grad

    async def loud(gate):
        await gate.wait()
        found = []
        for _ in range(5):
            found.append((x * 2).requires_grad)
            await asyncio.sleep(0)
        return all(found)

    async def both():
        gate = asyncio.Event()
        return await asyncio.gather(quiet(gate), loud(gate))

    assert asyncio.run(both()) == [True, True]


def test_scope_nests_and_ends_with_an_exception():
    x = leaf(3)
    with tg.scope("encoder"):
        try:
            with tg.scope("gru", 3):
                y = x * 2
                raise KeyError("on purpose")
        except KeyError:
            pass
        z = x * 3
    assert plain_scope(y.node.scope) == ("encoder", "gru", 3)
    assert plain_scope(z.node.scope) == ("encoder",)
    assert plain_scope((x * 4).node.scope) == ()


def test_many_threads_differentiate_at_once():
    def work(seed):
        x = leaf(50, seed=seed)
        y = x
        for _ in range(50):
            y = tg.tanh(y) + 0.1 * x
        y.backward(normal(50, seed=seed + 1))
        return x.grad

    alone = [work(seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(work, range(8)))
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a, b)


# -- copies ----------------------------------------------------------------------------------------

COPIES = {
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {p}": (lambda t, p=p: pickle.loads(pickle.dumps(t, protocol=p)))
        for p in range(2, pickle.HIGHEST_PROTOCOL + 1)
    },
}


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("tracked", [True, False])
def test_leaves_can_be_copied(duplicate, tracked):
    t = tg.Tensor(normal(2, 3).T, requires_grad=tracked, name="w")
    if tracked:
        (t * 2).backward(normal(3, 2))
    twin = duplicate(t)
    assert type(twin) is tg.Tensor
    assert twin is not t
    assert (twin.name, twin.requires_grad, twin.dtype, twin.node) == (
        "w",
        tracked,
        np.float64,
        None,
    )
    np.testing.assert_array_equal(twin.data, t.data)
    assert_no_shared_memory(twin.data, t.data)
    if tracked:
        np.testing.assert_array_equal(twin.grad, t.grad)
        assert_no_shared_memory(twin.grad, t.grad)
        (twin * 3).backward(normal(3, 2))
        np.testing.assert_allclose(twin.grad, 5 * normal(3, 2))
        np.testing.assert_allclose(t.grad, 2 * normal(3, 2))
    else:
        assert twin.grad is None


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_a_tensor_held_twice_stays_one(duplicate):
    t = leaf(2)
    a, b = duplicate([t, t])
    assert a is b


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_interior_tensors_cannot_be_copied(duplicate):
    y = tg.tanh(leaf(2))
    with pytest.raises(TypeError, match=r"leaf.*tanh.*detach\(\)"):
        duplicate(y)
    np.testing.assert_array_equal(duplicate(y.detach()).data, y.data)
    with tg.no_grad():
        np.testing.assert_array_equal(duplicate(y * 1.0).data, y.data)


def test_one_block_can_be_entered_in_several_threads_at_once():
    block, ready, found = tg.no_grad(), threading.Barrier(4), []

    def work():
        with block:
            ready.wait()
            found.append((leaf() * 2).requires_grad)
            ready.wait()
        found.append((leaf() * 2).requires_grad)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [False] * 4 + [True] * 4
