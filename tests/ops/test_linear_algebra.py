"""Linear algebra on Tensors: random matrices, singular ones, equal eigenvalues, norms at 0."""

import numpy as np
import pytest
from helpers import normal, together

import tinygrad_rnn as tg

SIZES = [(0, 0), (1, 1), (2, 2), (4, 4), (2, 3, 3), (0, 2, 2), (2, 1, 2, 2)]


def positive(shape, seed=0):
    """Return symmetric matrices with eigenvalues above 1."""
    a = normal(*shape, seed=seed)
    return a @ np.swapaxes(a, -1, -2) + np.eye(shape[-1])


FUNCTIONS = {
    "inv": (np.linalg.inv, positive),
    "det": (np.linalg.det, positive),
    "slogdet": (lambda a: np.linalg.slogdet(a).logabsdet, positive),
    "cholesky": (np.linalg.cholesky, positive),
    "eigvalsh": (np.linalg.eigvalsh, positive),
    "svdvals": (np.linalg.svdvals, positive),
    "pinv": (np.linalg.pinv, positive),
    "matrix_power": (lambda a: np.linalg.matrix_power(a, 3), positive),
    "trace": (np.linalg.trace, positive),
}


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_linear_algebra_of_matrices_of_any_size_is_numpys(name, shape):
    f, draw = FUNCTIONS[name]
    a = draw(shape)
    y = f(tg.Tensor(a, requires_grad=True))
    assert type(y) is tg.Tensor
    assert y.shape == np.shape(f(a))
    np.testing.assert_allclose(y.data, f(a), rtol=1e-12, atol=1e-13)
    if 0 < a.size <= 9:
        assert tg.gradcheck(f, a, order=2)


@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (2, 4), (4, 2), (2, 3, 2)])
def test_the_factors_of_a_singular_value_decomposition_give_the_matrix_back(shape):
    a = normal(*shape)
    x = tg.Tensor(a, requires_grad=True)
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    np.testing.assert_allclose((u * s[..., None, :] @ vh).data, a, rtol=1e-12, atol=1e-13)
    g = normal(*shape, seed=1)
    (u * s[..., None, :] @ vh).backward(g)  # the identity, through all three factors
    np.testing.assert_allclose(x.grad, g, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("uplo", ["L", "U"])
def test_eigenvectors_give_the_symmetric_matrix_back(uplo):
    a = positive((4, 4))
    x = tg.Tensor(a, requires_grad=True)
    w, v = np.linalg.eigh(x, uplo)
    g = positive((4, 4), seed=3)
    (v * w @ v.mT).backward(g)
    folded = 2 * g - np.diag(np.diag(g))  # an entry stands for its mirror image too
    np.testing.assert_allclose(
        x.grad, np.tril(folded) if uplo == "L" else np.triu(folded), rtol=1e-9, atol=1e-10
    )


def test_a_gradient_that_needs_no_choice_of_eigenvectors_is_right_for_equal_eigenvalues():
    x = tg.Tensor(3 * np.eye(3), requires_grad=True)
    (tg.eigvalsh(x) ** 2).sum().backward()  # the sum of squares of a symmetric matrix
    np.testing.assert_allclose(x.grad, 6 * np.eye(3), atol=1e-12)
    y = tg.Tensor(np.zeros((2, 3)), requires_grad=True)
    (tg.svdvals(y) ** 2).sum().backward()
    np.testing.assert_array_equal(y.grad, 0)
    assert np.isfinite(tg.grad(tg.svdvals(y).sum(), y).data).all()


SINGULAR = {
    "rank 2": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [5.0, 7.0, 9.0]]),
    "rank 1": np.outer([1.0, 2.0, -1.0], [3.0, 0.5, 2.0]),
    "rank 0": np.zeros((3, 3)),
    "one number": np.zeros((1, 1)),
    "one of a stack": np.stack([np.eye(2), np.ones((2, 2))]),
    "underflow": 1e-200 * np.eye(2),
}


@pytest.mark.parametrize("a", SINGULAR.values(), ids=SINGULAR)
def test_the_derivative_of_a_determinant_is_right_for_singular_matrices(a):
    x = tg.Tensor(a, requires_grad=True)
    minors = np.empty(a.shape)
    for *first, i, j in np.ndindex(a.shape):
        rest = np.delete(np.delete(a[tuple(first)], i, 0), j, 1)
        minors[(*first, i, j)] = (-1) ** (i + j) * np.linalg.det(rest)
    tg.det(x).sum().backward()
    np.testing.assert_allclose(x.grad, minors, rtol=1e-12, atol=1e-14)
    assert tg.gradcheck(tg.det, a, order=2)


@pytest.mark.parametrize("n", [8, 9, 12])
def test_the_derivative_of_a_determinant_is_right_for_small_and_larger_matrices(n):
    a = normal(n, n)
    x = tg.Tensor(a, requires_grad=True)
    tg.det(x).backward()
    np.testing.assert_allclose(x.grad, np.linalg.det(a) * np.linalg.inv(a).T, rtol=1e-9)


def test_a_larger_singular_matrix_has_a_determinant_but_no_derivative():
    y = tg.det(tg.Tensor(np.zeros((9, 9)), requires_grad=True))
    assert y.item() == 0
    with pytest.raises(np.linalg.LinAlgError, match="solve: Singular matrix"):
        y.backward()


COMPILED = {
    "solve": lambda x, h: np.linalg.solve(3 * np.eye(2) + np.outer(x, x), h),
    "det": lambda x, h: h * np.linalg.det(np.eye(2) + np.outer(x, x)),
    "slogdet": lambda x, h: h + np.linalg.slogdet(np.eye(2) + np.outer(x, x))[1],
    "eigh": lambda x, h: h + np.linalg.eigh(3 * np.eye(2) + np.outer(x, x))[0],
    "svd": lambda x, h: h + np.linalg.svdvals(np.eye(2) + np.outer(x, h)),
    "cholesky": lambda x, h: h + np.linalg.cholesky(np.eye(2) + np.outer(x, x))[1],
    "norm": lambda x, h: h + np.linalg.norm(x) + np.linalg.norm(np.outer(x, h), "nuc"),
    "roll": lambda x, h: np.tanh(
        np.roll(h, 1) + np.pad(x, (1, 0))[:2] + np.tril(np.outer(x, h))[1]
    ),
    "einsum": lambda x, h: np.tanh(np.einsum("ii->i", np.outer(x, h)) + np.kron(x, [1.0])),
}


@pytest.mark.parametrize("step", COMPILED.values(), ids=COMPILED)
def test_compiled_steps_with_linear_algebra_give_the_gradients_of_the_graph(step):
    def cell(x, h):
        h = step(x, h)
        return h, h

    gradients = []
    for scanned in (cell, tg.compile(cell)):
        x, h = tg.Tensor(normal(4, 2), requires_grad=True), tg.Tensor(np.ones(2), name="h")
        gradients.append(tg.grad(tg.scan(scanned, x, h)[0].sum(), x).data)
    np.testing.assert_allclose(*gradients, rtol=1e-12, atol=1e-13)


def test_slogdet_does_not_overflow():
    a = 1e200 * np.eye(4)
    x = tg.Tensor(a, requires_grad=True)
    sign, log = np.linalg.slogdet(x)
    assert (sign.item(), log.item()) == (1, pytest.approx(4 * np.log(1e200)))
    log.backward()
    np.testing.assert_allclose(x.grad, 1e-200 * np.eye(4))


def test_a_solution_of_ill_conditioned_equations_is_as_accurate_as_numpys():
    a = 1 / (np.arange(8)[:, None] + np.arange(8) + 1.0)  # a Hilbert matrix
    x = tg.Tensor(a, requires_grad=True)
    np.testing.assert_array_equal(tg.solve(x, a[0]).data, np.linalg.solve(a, a[0]))
    np.testing.assert_array_equal(tg.inv(x).data, np.linalg.inv(a))


def test_least_squares_by_pinv_have_the_gradient_of_the_normal_equations():
    a, b = normal(5, 2), normal(5, seed=1)
    assert tg.gradcheck(lambda a, b: tg.pinv(a) @ b, a, b, order=2)
    np.testing.assert_allclose(tg.pinv(tg.Tensor(a)).data @ b, np.linalg.lstsq(a, b)[0])


ORDERS = [None, 1, 2, 3, 2.5, np.inf, 0.5, -1, -np.inf, 0]


@pytest.mark.parametrize("order", ORDERS)
def test_a_norm_of_zeros_has_the_gradient_zero(order):
    x = tg.Tensor(np.zeros(3), requires_grad=True)
    y = np.linalg.norm(x, order)
    assert y.item() == 0
    y.backward()
    np.testing.assert_array_equal(x.grad, 0)


@pytest.mark.parametrize("order", ORDERS)
def test_a_norm_with_some_zeros_has_a_finite_gradient(order):
    x = tg.Tensor([0.0, 3.0, -4.0], requires_grad=True, dtype=np.float64)
    y = np.linalg.norm(x, order)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(y.data, np.linalg.norm(x.data, order), rtol=1e-14)
    y.backward()
    assert np.isfinite(x.grad).all()
    assert x.grad[0] == 0


@pytest.mark.parametrize("order", [None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
def test_a_norm_of_a_zero_matrix_has_the_gradient_zero(order):
    x = tg.Tensor(np.zeros((2, 3)), requires_grad=True)
    y = np.linalg.norm(x, order)
    assert y.item() == 0
    y.backward()
    np.testing.assert_array_equal(x.grad, 0)


@pytest.mark.parametrize("axis", [0, -1, (0, 2), (-1, 0), (2, 1)])
@pytest.mark.parametrize("keepdims", [True, False])
@pytest.mark.parametrize("order", [None, 1, 2, np.inf, "nuc", -2])
def test_norms_along_axes_are_numpys(axis, keepdims, order):
    a = normal(2, 3, 4)
    arguments = {"ord": order, "axis": axis, "keepdims": keepdims}
    if order == "nuc" and isinstance(axis, int):
        with pytest.raises(ValueError, match="norm: argument ord: expected a number"):
            np.linalg.norm(tg.Tensor(a), **arguments)
        return
    y = np.linalg.norm(tg.Tensor(a, requires_grad=True), **arguments)
    expected = np.linalg.norm(a, **arguments)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y.data, expected, rtol=1e-13)


@pytest.mark.parametrize("axis", [None, 0, (0, 2), (2, 0, 1)])
@pytest.mark.parametrize("order", [2, 1, 3])
def test_vector_norms_over_several_axes_are_numpys(axis, order):
    a = normal(2, 3, 4)
    for keepdims in (False, True):
        arguments = {"axis": axis, "ord": order, "keepdims": keepdims}
        y = np.linalg.vector_norm(tg.Tensor(a, requires_grad=True), **arguments)
        expected = np.linalg.vector_norm(a, **arguments)
        assert y.shape == np.shape(expected)
        np.testing.assert_allclose(y.data, expected, rtol=1e-13)


SHAPES = [(), (3,), (1,), (2, 3), (3, 2), (2, 3, 3), (1, 3), (0, 3)]


@pytest.mark.parametrize("name", ["dot", "inner", "vdot", "kron", "outer", "vecdot", "tensordot"])
@together("first", SHAPES)
@together("second", SHAPES)
def test_products_of_arrays_with_any_number_of_axes_are_numpys(name, first, second):
    """Where NumPy refuses the shapes, so does the function of Tensors."""
    f = getattr(np, name)
    a, b = normal(*first), normal(*second, seed=1)
    try:
        expected = f(a, b)
    except (ValueError, IndexError):
        with pytest.raises((ValueError, IndexError)):
            f(tg.Tensor(a), tg.Tensor(b))
        return
    for x, y in ((tg.Tensor(a, requires_grad=True), tg.Tensor(b, requires_grad=True)), (a, b)):
        z = getattr(tg, name)(x, y)
        assert np.shape(z) == np.shape(expected)
        values = z.data if isinstance(z, tg.Tensor) else z
        np.testing.assert_allclose(values, expected, rtol=1e-12)
    if a.size and b.size and a.size * b.size <= 36:
        assert tg.gradcheck(getattr(tg, name), a, b, order=2)


EINSUM_FORMS = {
    "lists": lambda a, b: np.einsum(a, [0, 1], b, [1, 2], [2, 0]),
    "lists without output": lambda a, b: np.einsum(a, [3, 1], b, [1, 2]),
    "lists with ellipsis": lambda a, b: np.einsum(a, [..., 1], b, [1, ...], [...]),
    "lists of diagonals": lambda a, b: np.einsum(a, [0, 0], b, [0, 0], [0]),
    "optimize": lambda a, b: np.einsum("ij,jk->ik", a, b, optimize=True),
    "a path": lambda a, b: np.einsum("ij,jk->ik", a, b, optimize=["einsum_path", (0, 1)]),
    "many letters": lambda a, b: np.einsum("...ab,...bc->...ca", a, b),
}


@pytest.mark.parametrize("f", EINSUM_FORMS.values(), ids=EINSUM_FORMS)
def test_einsum_has_all_forms_of_operands(f):
    a, b = normal(3, 3), normal(3, 3, seed=1)
    y = f(tg.Tensor(a, requires_grad=True), tg.Tensor(b, requires_grad=True))
    assert y.shape == f(a, b).shape
    np.testing.assert_allclose(y.data, f(a, b), rtol=1e-13)
    assert tg.gradcheck(f, a, b, order=2)
