"""grad, vjp, jvp, jacobian and hvp: against formulas, against differences, and nested.

Also through a GRU step.
"""

import numpy as np
import pytest
from helpers import leaf_with

import tinygrad_rnn as tg

RNG = np.random.default_rng(0)
X, V, W = RNG.standard_normal(4), RNG.standard_normal(4), RNG.standard_normal((4, 3))


def f(x):
    """Map four numbers to three; nonlinear, with two uses of x."""
    return tg.tanh(x @ tg.Tensor(W)) * tg.sin(x).sum()


def f_plain(x):
    return np.tanh(x @ W) * np.sin(x).sum()


def f_jacobian(x):
    y = np.tanh(x @ W)
    return (1 - y**2)[:, None] * W.T * np.sin(x).sum() + np.outer(y, np.cos(x))


def g(x):
    """Return the scalar Σ xᵢ³ + exp(x₀ x₁)."""
    return (x**3).sum() + tg.exp(x[0] * x[1])


def g_gradient(x):
    e = np.exp(x[0] * x[1])
    return 3 * x**2 + e * np.array([x[1], x[0], 0, 0])


def g_hessian(x):
    e = np.exp(x[0] * x[1])
    hessian = np.diag(6 * x)
    hessian[:2, :2] += e * np.array([[x[1] ** 2, 1 + x[0] * x[1]], [1 + x[0] * x[1], x[0] ** 2]])
    return hessian


def two(a, b):
    """Map two inputs of different shapes to an output of shape (2, 2)."""
    return tg.sin(a)[:2] * b * b


A2, B2 = RNG.standard_normal(3), RNG.standard_normal((2, 1))


def two_jacobians(a, b):
    da, db = np.zeros((2, 2, 3)), np.zeros((2, 2, 2, 1))
    for i in range(2):
        for j in range(2):
            da[i, j, j] = np.cos(a[j]) * b[i, 0] ** 2
            db[i, j, i, 0] = 2 * np.sin(a[j]) * b[i, 0]
    return da, db


# -- grad ------------------------------------------------------------------------------------------


def test_grad_of_a_scalar_function_agrees_with_the_formula():
    x = leaf_with(X)
    slope = tg.grad(g(x), x)
    assert type(slope) is tg.Tensor
    assert not slope.requires_grad
    np.testing.assert_allclose(slope.data, g_gradient(X), rtol=1e-13)


def test_grad_output_is_multiplied_with_the_jacobian():
    x, u = leaf_with(X), RNG.standard_normal(3)
    for given in (u, u.tolist(), tg.Tensor(u), tg.Tensor(u, requires_grad=True)):
        np.testing.assert_allclose(
            tg.grad(f(x), x, grad_output=given).data, u @ f_jacobian(X), rtol=1e-12
        )


def test_grad_returns_a_tuple_for_several_inputs():
    a, b = leaf_with(A2), leaf_with(B2)
    u = RNG.standard_normal((2, 2))
    expected = [np.tensordot(u, j, 2) for j in two_jacobians(A2, B2)]
    for inputs in ([a, b], (a, b)):
        found = tg.grad(two(a, b), inputs, grad_output=u)
        assert type(found) is tuple
        for found_one, expected_one in zip(found, expected, strict=True):
            np.testing.assert_allclose(found_one.data, expected_one, rtol=1e-12)
    (alone,) = tg.grad(two(a, b), [b], grad_output=u)
    np.testing.assert_allclose(alone.data, expected[1], rtol=1e-12)
    np.testing.assert_allclose(tg.grad(two(a, b), b, grad_output=u).data, expected[1], rtol=1e-12)


def test_grad_with_respect_to_intermediate_tensors():
    x = leaf_with(X)
    h = tg.sin(x)
    k = h * h
    y = (k * x).sum()
    by_x, by_h, by_k = tg.grad(y, [x, h, k])
    np.testing.assert_allclose(by_k.data, X, rtol=1e-14)
    np.testing.assert_allclose(by_h.data, 2 * np.sin(X) * X, rtol=1e-13)
    np.testing.assert_allclose(
        by_x.data, np.sin(X) ** 2 + 2 * np.sin(X) * np.cos(X) * X, rtol=1e-12
    )
    np.testing.assert_array_equal(tg.grad(y, y).data, 1.0)


def test_grad_of_a_leaf_with_respect_to_itself():
    x, u = leaf_with(X), RNG.standard_normal(4)
    for create_graph in (False, True):
        np.testing.assert_array_equal(
            tg.grad(x, x, grad_output=u, create_graph=create_graph).data, u
        )


def test_grad_can_be_called_repeatedly():
    x = leaf_with(X)
    y = g(x)
    for _ in range(3):
        np.testing.assert_allclose(tg.grad(y, x).data, g_gradient(X), rtol=1e-13)
    y.backward()
    np.testing.assert_allclose(x.grad, g_gradient(X), rtol=1e-13)
    with pytest.raises(RuntimeError, match="detach"):
        tg.grad(y, x)


@pytest.mark.parametrize("create_graph", [False, True], ids=["plain", "recorded"])
def test_no_transform_changes_the_grad_attribute(create_graph):
    x, y = leaf_with(X), leaf_with(V)
    x.grad, before = np.full(4, 7.0), np.full(4, 7.0)
    h = tg.sin(x) * y
    k = {"create_graph": create_graph}
    tg.grad((h * h).sum(), [x, h], **k)
    tg.vjp(lambda a, b: a * b, x, y)[1](V, **k)
    tg.jvp(lambda a: a * y, x, V, **k)
    tg.jacobian(lambda a: a * y, x, **k)
    tg.hvp(lambda a: (a * a * y).sum(), x, V, **k)
    np.testing.assert_array_equal(x.grad, before)
    assert y.grad is None
    assert h.grad is None


def test_grad_dtype_is_that_of_the_input():
    x = tg.Tensor(X.astype(np.float32), requires_grad=True)
    wide = x.astype(np.float64)
    y = (wide * wide * V).sum()
    for create_graph in (False, True):
        for given in (None, 1.0, np.float32(1), tg.Tensor(1.0, dtype=np.float32), tg.Tensor(1)):
            by_x, by_wide, by_y = tg.grad(
                y, [x, wide, y], grad_output=given, create_graph=create_graph
            )
            assert (by_x.dtype, by_wide.dtype, by_y.dtype) == (np.float32, np.float64, np.float64)


def test_an_input_that_the_output_does_not_depend_on_is_named():
    x, other = leaf_with(X), tg.Tensor(V, requires_grad=True, name="other")
    y = g(x)
    with pytest.raises(
        RuntimeError, match=r"grad: argument inputs\[1\].*other of shape \(4,\).*zero"
    ):
        tg.grad(y, [x, other])
    with pytest.raises(RuntimeError, match="does not depend"):
        tg.grad(y, x * 2)
    assert x.grad is None


@pytest.mark.parametrize(
    "bad", [tg.Tensor(X), X, 1.0, None], ids=["untracked", "array", "number", "none"]
)
def test_an_input_that_cannot_have_a_gradient_is_named(bad):
    x = leaf_with(X)
    with pytest.raises(TypeError, match=r"grad: argument inputs\[1\].*requires_grad=True"):
        tg.grad(g(x), [x, bad])


def test_grad_raises_the_errors_of_backward():
    x = leaf_with(X)
    with pytest.raises(ValueError, match="grad: argument gradient"):
        tg.grad(f(x), x)
    with pytest.raises(ValueError, match="grad: argument gradient"):
        tg.grad(f(x), x, grad_output=np.ones(2))
    with pytest.raises(RuntimeError, match="requires gradients"):
        tg.grad(tg.Tensor(1.0), x)
    y = g(x)
    x.data = X + 1
    with pytest.raises(RuntimeError, match=r"\.data"):
        tg.grad(y, x, create_graph=True)


# -- higher orders ---------------------------------------------------------------------------------


def test_grad_of_sin_up_to_fifth_order():
    x = leaf_with(0.7)
    y = tg.sin(x)
    expected = [np.cos(0.7), -np.sin(0.7), -np.cos(0.7), np.sin(0.7), np.cos(0.7)]
    for value in expected:
        y = tg.grad(y, x, create_graph=True)
        np.testing.assert_allclose(y.data, value, rtol=1e-13)


def test_derivatives_of_a_power_down_to_a_constant():
    x = leaf_with(1.5)
    y = x**4
    for value in (4 * 1.5**3, 12 * 1.5**2, 24 * 1.5, 24):
        y = tg.grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(value, rel=1e-14)


def test_backward_through_a_gradient():
    """Differentiate a gradient penalty, |∇g|², with backward."""
    x = leaf_with(X)
    slope = tg.grad(g(x), x, create_graph=True)
    (slope * slope).sum().backward()
    np.testing.assert_allclose(x.grad, 2 * g_hessian(X) @ g_gradient(X), rtol=1e-12)


def test_a_recorded_gradient_depends_on_grad_output_too():
    x, u = leaf_with(X), leaf_with(RNG.standard_normal(3))
    slope = tg.grad(f(x), x, grad_output=u, create_graph=True)
    found = tg.grad(slope, u, grad_output=V)
    np.testing.assert_allclose(found.data, f_jacobian(X) @ V, rtol=1e-12)


def test_a_recorded_gradient_depends_on_intermediate_tensors():
    x = leaf_with(X)
    h = tg.exp(x)
    slope = tg.grad((h * h * h).sum(), h, create_graph=True)
    np.testing.assert_allclose(tg.grad(slope, h, grad_output=V).data, 6 * np.exp(X) * V, rtol=1e-13)
    np.testing.assert_allclose(
        tg.grad(slope, x, grad_output=V).data, 6 * np.exp(2 * X) * V, rtol=1e-13
    )


def test_recorded_gradients_inside_no_grad_have_no_graph():
    x = leaf_with(X)
    y = g(x)
    with tg.no_grad():
        slope = tg.grad(y, x, create_graph=True)
    assert not slope.requires_grad
    np.testing.assert_allclose(slope.data, g_gradient(X), rtol=1e-13)


def test_a_linear_function_has_a_constant_gradient():
    x, w = leaf_with(X), leaf_with(V)
    slope = tg.grad((x * w).sum(), x, create_graph=True)
    np.testing.assert_array_equal(slope.data, V)
    with pytest.raises(RuntimeError, match="does not depend"):
        tg.grad(slope.sum(), x)
    np.testing.assert_array_equal(tg.grad(slope, w, grad_output=X).data, X)


# -- vjp -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "primal",
    [X, X.tolist(), tg.Tensor(X), leaf_with(X)],
    ids=["array", "list", "tensor", "tracked"],
)
def test_vjp_agrees_with_the_jacobian(primal):
    y, pull = tg.vjp(f, primal)
    tolerance = 1e-12 if not isinstance(primal, list) else 1e-5
    np.testing.assert_allclose(y.data, f_plain(X), rtol=tolerance)
    for _ in range(2):
        u = RNG.standard_normal(3)
        np.testing.assert_allclose(pull(u).data, u @ f_jacobian(X), rtol=tolerance, atol=tolerance)


def test_vjp_of_several_inputs():
    y, pull = tg.vjp(two, A2, B2)
    u = RNG.standard_normal(y.shape)
    found = pull(u)
    assert type(found) is tuple
    for found_one, expected in zip(found, two_jacobians(A2, B2), strict=True):
        np.testing.assert_allclose(found_one.data, np.tensordot(u, expected, 2), rtol=1e-12)


def test_a_recorded_vjp_can_be_differentiated():
    x = leaf_with(X)
    _, pull = tg.vjp(f, x)
    u = leaf_with(RNG.standard_normal(3))
    pulled = pull(u, create_graph=True)
    np.testing.assert_allclose(
        tg.jacobian(lambda u: tg.vjp(f, x)[1](u, create_graph=True), u).data,
        f_jacobian(X).T,
        rtol=1e-12,
    )
    assert pulled.requires_grad


def test_vjp_is_zero_for_an_input_that_the_output_does_not_depend_on():
    _, pull = tg.vjp(lambda a, b: a * 2.0, X, B2)
    by_a, by_b = pull(V)
    np.testing.assert_array_equal(by_a.data, 2 * V)
    np.testing.assert_array_equal(by_b.data, np.zeros((2, 1)))
    _, pull = tg.vjp(lambda a: tg.Tensor(np.ones(2)), X)
    np.testing.assert_array_equal(pull(np.ones(2)).data, np.zeros(4))


def test_one_tensor_given_twice_is_two_variables():
    x = leaf_with(X)

    def h(a, b):
        return a * b * b

    by_a, by_b = tg.vjp(h, x, x)[1](V)
    np.testing.assert_allclose(by_a.data, V * X**2, rtol=1e-14)
    np.testing.assert_allclose(by_b.data, V * 2 * X**2, rtol=1e-14)
    first, second = tg.jacobian(h, x, x)
    np.testing.assert_allclose(first.data, np.diag(X**2), rtol=1e-14)
    np.testing.assert_allclose(second.data, np.diag(2 * X**2), rtol=1e-14)
    np.testing.assert_allclose(tg.jvp(h, (x, x), (V, 2 * V))[1].data, 5 * V * X**2, rtol=1e-13)
    by_a, _ = tg.vjp(h, x, x)[1](V, create_graph=True)
    np.testing.assert_allclose(tg.grad(by_a, x, grad_output=np.ones(4)).data, 2 * V * X, rtol=1e-13)


# -- jvp -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tangent",
    [V, V.tolist(), tg.Tensor(V), leaf_with(V)],
    ids=["array", "list", "tensor", "tracked"],
)
def test_jvp_agrees_with_the_jacobian_and_with_differences(tangent):
    y, along = tg.jvp(f, X, tangent)
    np.testing.assert_allclose(y.data, f_plain(X), rtol=1e-13)
    np.testing.assert_allclose(along.data, f_jacobian(X) @ V, rtol=1e-12)
    step = 1e-6
    np.testing.assert_allclose(
        along.data,
        (f_plain(X + step * V) - f_plain(X - step * V)) / (2 * step),
        rtol=1e-7,
        atol=1e-8,
    )


def test_jvp_of_several_inputs():
    va, vb = RNG.standard_normal(A2.shape), RNG.standard_normal(B2.shape)
    _, along = tg.jvp(two, (A2, B2), (va, vb))
    ja, jb = two_jacobians(A2, B2)
    np.testing.assert_allclose(
        along.data, np.tensordot(ja, va, 1) + np.tensordot(jb, vb, 2), rtol=1e-12
    )
    np.testing.assert_allclose(
        tg.jvp(two, [tg.Tensor(A2), tg.Tensor(B2)], [tg.Tensor(va), tg.Tensor(vb)])[1].data,
        along.data,
    )


def test_a_recorded_jvp_can_be_differentiated():
    """The derivative of ⟨∇g(x), v⟩ with respect to x is Hv; with respect to v it is ∇g."""
    x, v = leaf_with(X), leaf_with(V)
    _, along = tg.jvp(g, x, v, create_graph=True)
    by_x, by_v = tg.grad(along, [x, v])
    np.testing.assert_allclose(by_x.data, g_hessian(X) @ V, rtol=1e-12)
    np.testing.assert_allclose(by_v.data, g_gradient(X), rtol=1e-12)


def test_jvp_of_a_constant_function_is_zero():
    y, along = tg.jvp(lambda x: tg.Tensor(np.ones(2)), X, V)
    np.testing.assert_array_equal(along.data, np.zeros(2))
    assert y.shape == along.shape


def test_jvp_agrees_with_vjp():
    u = RNG.standard_normal(3)
    left = np.sum(u * tg.jvp(f, X, V)[1].data)
    right = np.sum(V * tg.vjp(f, X)[1](u).data)
    assert left == pytest.approx(right, rel=1e-13)


@pytest.mark.parametrize("transform", [tg.jvp, tg.hvp], ids=["jvp", "hvp"])
@pytest.mark.parametrize(
    ("primals", "tangents"),
    [(X, V[:3]), (X, V[None]), ((X, X), (V,)), ((X,), (V, V)), ((X, B2), (V, V))],
    ids=["shorter", "extra axis", "one missing", "one too many", "second shape"],
)
def test_tangents_must_fit(transform, primals, tangents):
    with pytest.raises(ValueError, match=r"(jvp|hvp): argument tangents.*shapes"):
        transform(lambda *x: x[0].sum(), primals, tangents)


# -- jacobian --------------------------------------------------------------------------------------


def test_jacobian_agrees_with_the_formula():
    found = tg.jacobian(f, X)
    assert found.shape == (3, 4)
    np.testing.assert_allclose(found.data, f_jacobian(X), rtol=1e-12)


def test_jacobian_of_several_inputs_of_any_shape():
    found = tg.jacobian(two, A2, B2)
    assert type(found) is tuple
    for found_one, expected in zip(found, two_jacobians(A2, B2), strict=True):
        assert found_one.shape == expected.shape
        np.testing.assert_allclose(found_one.data, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("shape", "out"), [((), ()), ((2, 3), ()), ((), (2,)), ((0,), (2,)), ((2,), (0,))], ids=str
)
def test_jacobian_has_the_axes_of_the_output_and_of_the_input(shape, out):
    found = tg.jacobian(lambda x: tg.broadcast_to((x * x).sum(), out), RNG.standard_normal(shape))
    assert found.shape == out + shape
    assert found.dtype == np.float64


def test_jacobian_of_a_gradient_is_the_hessian():
    hessian = tg.jacobian(lambda x: tg.grad(g(x), x, create_graph=True), X)
    np.testing.assert_allclose(hessian.data, g_hessian(X), rtol=1e-12, atol=1e-14)
    nested = tg.jacobian(lambda x: tg.jacobian(g, x, create_graph=True), X)
    np.testing.assert_allclose(nested.data, g_hessian(X), rtol=1e-12, atol=1e-14)


def test_third_derivatives_by_three_jacobians():
    def cube(x):
        return (x**3).sum()

    def hessian(x):
        return tg.jacobian(lambda x: tg.jacobian(cube, x, create_graph=True), x, create_graph=True)

    third = tg.jacobian(hessian, X)
    expected = np.zeros((4, 4, 4))
    expected[range(4), range(4), range(4)] = 6
    np.testing.assert_allclose(third.data, expected, atol=1e-13)


# -- hvp -------------------------------------------------------------------------------------------


def test_hvp_agrees_with_the_formula_and_with_differences():
    y, product = tg.hvp(g, X, V)
    assert y.item() == pytest.approx((X**3).sum() + np.exp(X[0] * X[1]))
    np.testing.assert_allclose(product.data, g_hessian(X) @ V, rtol=1e-12)
    step = 1e-6
    quotient = (g_gradient(X + step * V) - g_gradient(X - step * V)) / (2 * step)
    np.testing.assert_allclose(product.data, quotient, rtol=1e-7, atol=1e-8)


def test_hvp_of_several_inputs():
    """Σ aᵢ bᵢ² has mixed second derivatives, which must be included."""
    va, vb = RNG.standard_normal(4), RNG.standard_normal(4)
    _, products = tg.hvp(lambda a, b: (a * b * b).sum(), (X, V), (va, vb))
    assert type(products) is tuple
    np.testing.assert_allclose(products[0].data, 2 * V * vb, rtol=1e-13)
    np.testing.assert_allclose(products[1].data, 2 * V * va + 2 * X * vb, rtol=1e-13)


def test_a_recorded_hvp_can_be_differentiated():
    x = leaf_with(X)
    _, product = tg.hvp(lambda x: (x**4).sum(), x, V, create_graph=True)
    np.testing.assert_allclose(tg.grad(product, x, grad_output=V).data, 24 * X * V * V, rtol=1e-12)


def test_hvp_of_a_linear_function_is_zero():
    np.testing.assert_array_equal(tg.hvp(lambda x: (x * 3.0).sum(), X, V)[1].data, np.zeros(4))


def test_hvp_requires_a_scalar_function():
    with pytest.raises(ValueError, match="one number"):
        tg.hvp(f, X, V)


# -- a GRU step, written out of ops ----------------------------------------------------------------


def gru(x, h, w, u, b, c, reset):
    """Compute one step of a GRU. The weights of r, z and n are the columns of one matrix."""
    rx, zx, nx = tg.split(x @ w + b, 3, -1)
    if reset == "after":
        rh, zh, nh = tg.split(h @ u + c, 3, -1)
        r, z = tg.sigmoid(rx + rh), tg.sigmoid(zx + zh)
        n = tg.tanh(nx + r * nh)
    else:
        hidden = h.shape[-1]
        r, z = (
            tg.sigmoid(gate + h @ u[:, k * hidden : (k + 1) * hidden])
            for k, gate in enumerate((rx, zx))
        )
        n = tg.tanh(nx + (r * h) @ u[:, 2 * hidden :] + c[2 * hidden :])
    return z * h + (1 - z) * n


def gru_arrays(batch=2, inputs=2, hidden=2, seed=3):
    rng = np.random.default_rng(seed)
    shapes = [
        (batch, inputs),
        (batch, hidden),
        (inputs, 3 * hidden),
        (hidden, 3 * hidden),
        (3 * hidden,),
        (3 * hidden,),
    ]
    return [rng.standard_normal(shape) for shape in shapes]


@pytest.mark.parametrize("reset", ["after", "before"])
def test_gru_step_to_second_order(reset):
    assert tg.gradcheck(lambda *arrays: gru(*arrays, reset=reset), *gru_arrays(), order=2)


@pytest.mark.parametrize("reset", ["after", "before"])
def test_gru_step_to_third_order(reset):
    x, h, w, u, b, c = gru_arrays(1, 1, 1)
    assert tg.gradcheck(
        lambda h, u: gru(tg.Tensor(x), h, tg.Tensor(w), u, tg.Tensor(b), tg.Tensor(c), reset),
        h,
        u,
        order=3,
    )


def test_the_hessian_of_a_gru_over_three_steps_agrees_with_differences():
    """⟨v, Hv⟩ from hvp agrees with differences of the loss, and ⟨t, Hv⟩ equals ⟨v, Ht⟩."""
    x, h, w, u, b, c = gru_arrays()
    xs = np.random.default_rng(4).standard_normal((3, *x.shape))
    target = np.random.default_rng(5).standard_normal(h.shape)

    def loss(w, u, b, c):
        state = tg.Tensor(h)
        for step in xs:
            state = gru(step, state, w, u, b, c, "after")
        return ((state - target) ** 2).sum()

    rng = np.random.default_rng(6)
    weights = [w, u, b, c]
    v, t = ([rng.standard_normal(a.shape) for a in weights] for _ in range(2))

    def product(along):
        return [p.data for p in tg.hvp(loss, tuple(weights), tuple(along))[1]]

    def inner(p, q):
        return sum(np.sum(a * b) for a, b in zip(p, q, strict=True))

    assert inner(product(v), t) == pytest.approx(inner(product(t), v), rel=1e-11)

    def moved(step):
        return loss(*[tg.Tensor(a + step * d) for a, d in zip(weights, v, strict=True)]).item()

    step = 1e-3
    curvature = (
        -moved(2 * step) + 16 * moved(step) - 30 * moved(0) + 16 * moved(-step) - moved(-2 * step)
    ) / (12 * step**2)
    assert inner(product(v), v) == pytest.approx(curvature, rel=1e-6)


def test_gradient_of_a_gradient_through_time():
    """Differentiate ∂h₃/∂x₁ of a small recurrence with respect to its weight."""

    def first_input_matters(w):
        xs = [tg.Tensor(np.array([v]), requires_grad=True) for v in (0.3, -0.2, 0.5)]
        h = tg.Tensor(np.zeros(1))
        for x in xs:
            h = tg.tanh(w * h + x)
        return tg.grad(h, xs[0], create_graph=True)

    assert tg.gradcheck(first_input_matters, np.array([0.7]), order=2)


# -- errors ---------------------------------------------------------------------------------------

WRONG_CALLS = {
    "grad of a number": (
        lambda x: tg.grad(3.0, x),
        TypeError,
        "grad: argument output: expected a Tensor, got float 3.0",
    ),
    "grad by nothing": (
        lambda x: tg.grad(g(x), []),
        ValueError,
        "grad: argument inputs: expected at least one",
    ),
    "grad by an empty iterator": (
        lambda x: tg.grad(g(x), iter(())),
        ValueError,
        "grad: argument inputs: expected at least one",
    ),
    "vjp of nothing": (
        lambda x: tg.vjp(f),
        ValueError,
        "vjp: argument primals: expected at least one",
    ),
    "jvp of nothing": (
        lambda x: tg.jvp(f, (), ()),
        ValueError,
        "jvp: argument primals: expected at least one",
    ),
    "hvp of nothing": (
        lambda x: tg.hvp(g, (), ()),
        ValueError,
        "hvp: argument primals: expected at least one",
    ),
    "jacobian of nothing": (
        lambda x: tg.jacobian(f),
        ValueError,
        "jacobian: argument inputs: expected at least one",
    ),
    "two gradients to pull": (
        lambda x: tg.vjp(f, x)[1](V[:3], V[:3]),
        TypeError,
        "vjp: argument v: expected one cotangent.*got 2",
    ),
    "a tuple to pull": (
        lambda x: tg.vjp(f, x)[1]((V[:3], V[:3])),
        ValueError,
        r"vjp: argument gradient: .*\(3,\), got float64 \(2, 3\)",
    ),
    "nothing to pull": (
        lambda x: tg.vjp(f, x)[1](None),
        ValueError,
        r"vjp: argument gradient: .*\(3,\)",
    ),
    "one tangent for two": (
        lambda x: tg.jvp(two, (A2, B2), (A2,)),
        ValueError,
        "jvp: argument tangents",
    ),
    "two tangents for one": (lambda x: tg.jvp(f, x, (V, V)), ValueError, "jvp: argument tangents"),
    "hvp of a vector": (
        lambda x: tg.hvp(f, x, V),
        ValueError,
        r"hvp: argument gradient: .*\.sum\(\)",
    ),
    "vjp of a number": (
        lambda x: tg.vjp(lambda x: 3.0, x),
        TypeError,
        "vjp: argument f: expected a function that returns a Tensor, got float 3.0",
    ),
    "jvp of a tuple": (
        lambda x: tg.jvp(lambda x: (x, x), x, V),
        TypeError,
        "jvp: argument f: .*got tuple",
    ),
    "jacobian of an array": (
        lambda x: tg.jacobian(lambda x: x.data, x),
        TypeError,
        r"jacobian: argument f: .*got float64 \(4,\)",
    ),
    "hvp of none": (
        lambda x: tg.hvp(lambda x: None, x, V),
        TypeError,
        "hvp: argument f: .*got NoneType None",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_a_wrong_call_of_a_transform_is_an_error_that_names_the_argument(call, error, message):
    x = leaf_with(X)
    with pytest.raises(error, match=message):
        call(x)
    assert x.grad is None


def test_grad_takes_any_iterable_of_inputs():
    layer = tg.nn.Linear(4, 1, rng=0).astype(np.float64)
    found = tg.grad(layer(X).sum(), layer.parameters())
    np.testing.assert_allclose(found[0].data, X[None], rtol=1e-14)
    np.testing.assert_array_equal(found[1].data, [1.0])


@pytest.mark.parametrize("transform", ["vjp", "jvp", "jacobian", "hvp"])
def test_a_transform_differentiates_inside_no_grad(transform):
    def cubes(x):
        return (x**3).sum() if transform == "hvp" else x**3

    def found():
        if transform == "vjp":
            return tg.vjp(cubes, X)[1](np.ones_like(X))
        if transform == "jacobian":
            return tg.jacobian(cubes, X)
        return getattr(tg, transform)(cubes, X, V)[1]

    expected = found()
    with tg.no_grad():
        np.testing.assert_array_equal(found().data, expected.data)
        assert tg.gradcheck(tg.tanh, X)
    assert np.any(expected.data)


def test_a_tensor_that_f_refers_to_directly_is_a_constant():
    x = leaf_with(X)
    expected = np.diag(X.ravel()).reshape(X.shape * 2)
    np.testing.assert_allclose(tg.jacobian(lambda s: s * x, x).data, expected)
    _, pull = tg.vjp(lambda s: s * x, x)
    np.testing.assert_allclose(pull(np.ones_like(X)).data, X)
    np.testing.assert_allclose(tg.jvp(lambda s: s * x, x, V)[1].data, X * V)
    np.testing.assert_allclose(tg.hvp(lambda s: (s * s * x).sum(), x, V)[1].data, 2 * X * V)
