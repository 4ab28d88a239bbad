"""NumPy's own functions on Tensors: a Tensor with the right gradient, or a clear error.

The error names the function. The result is never an array that silently left the graph.
"""

import functools
import re

import numpy as np
import pytest
from every_op import CASES, OPS, is_float
from helpers import together
from internals import numpy_protocol as protocol

import tinygrad_rnn as tg

RNG = np.random.default_rng(0)
A, B, C, D = (
    RNG.uniform(0.5, 2, (3, 4)),
    RNG.uniform(0.5, 2, (3, 4)),
    RNG.uniform(0.5, 2, (4, 2)),
    RNG.uniform(0.5, 2, 4),
)
MASK = A > 1.2


def flat(output):
    """Return every entry of one output, or of a list of outputs, in a vector."""
    parts = output if isinstance(output, list | tuple) else [output]
    if any(isinstance(p, tg.Tensor) for p in parts):
        return tg.concatenate([p.reshape(-1) for p in parts])
    return np.concatenate([np.ravel(p) for p in parts])


def check_gradient(f, *arrays, seed=1):
    """Check f of Tensors against f of arrays, and its gradient along a random direction.

    The gradient is compared with the difference quotient of f of arrays.
    """
    rng = np.random.default_rng(seed)
    inputs = [tg.Tensor(a, requires_grad=True) for a in arrays]
    y, expected = f(*inputs), f(*arrays)
    parts = y if isinstance(y, list | tuple) else [y]
    assert {type(p) for p in parts} == {tg.Tensor}
    assert [p.shape for p in parts] == [
        np.shape(e) for e in (expected if isinstance(expected, list | tuple) else [expected])
    ]
    np.testing.assert_allclose(flat(y).data, flat(expected), rtol=1e-13)
    u = rng.standard_normal(flat(expected).shape)
    flat(y).backward(u)
    step = 1e-6
    for i, (x, a) in enumerate(zip(inputs, arrays, strict=True)):
        if x.grad is None:
            continue
        v = np.asarray(rng.standard_normal(a.shape))
        sides = [
            np.sum(u * flat(f(*arrays[:i], a + s * v, *arrays[i + 1 :]))) for s in (step, -step)
        ]
        np.testing.assert_allclose(
            np.sum(x.grad * v), (sides[0] - sides[1]) / (2 * step), rtol=1e-6, atol=1e-7
        )
    return inputs


# -- functions that differentiate ------------------------------------------------------------------

CALLS = {
    "np.mean-positions": lambda t: np.mean(t, 0, None, None, True),
    "np.tanh": lambda t: np.tanh(t),
    "np.exp": lambda t: np.exp(t),
    "np.expm1": lambda t: np.expm1(t),
    "np.log": lambda t: np.log(t),
    "np.log1p": lambda t: np.log1p(t),
    "np.sqrt": lambda t: np.sqrt(t),
    "np.square": lambda t: np.square(t),
    "np.sin": lambda t: np.sin(t),
    "np.cos": lambda t: np.cos(t),
    "np.abs": lambda t: np.abs(t - 1),
    "np.absolute": lambda t: np.absolute(1 - t),
    "np.negative": lambda t: np.negative(t),
    "np.positive": lambda t: np.positive(t) * 2,
    "np.reciprocal": lambda t: np.reciprocal(t),
    "np.sum": lambda t: np.sum(t),
    "np.sum-axis": lambda t: np.sum(t, 0),
    "np.sum-keepdims": lambda t: np.sum(t, axis=(0, 1), keepdims=True),
    "np.mean": lambda t: np.mean(t, axis=-1),
    "np.var": lambda t: np.var(t, axis=0, ddof=1),
    "np.std": lambda t: np.std(t, axis=1),
    "np.max": lambda t: np.max(t, axis=0),
    "np.amax": lambda t: np.amax(t),
    "np.min": lambda t: np.min(t, axis=1, keepdims=True),
    "np.amin": lambda t: np.amin(t),
    "np.cumsum": lambda t: np.cumsum(t, axis=1),
    "np.cumsum-flat": lambda t: np.cumsum(t),
    "np.add.reduce": lambda t: np.add.reduce(t),
    "np.add.reduce-axis": lambda t: np.add.reduce(t, axis=1),
    "np.add.reduce-all": lambda t: np.add.reduce(t, axis=None, keepdims=True),
    "np.reshape": lambda t: np.reshape(t, (2, 6)),
    "np.ravel": lambda t: np.ravel(t) * D[0],
    "np.copy": lambda t: np.copy(t) * 2,
    "np.prod": lambda t: np.prod(t, axis=0),
    "np.repeat": lambda t: np.repeat(t, [1, 0, 2], axis=0),
    "np.transpose": lambda t: np.transpose(t) * 3,
    "np.transpose-axes": lambda t: np.transpose(t, (1, 0)),
    "np.swapaxes": lambda t: np.swapaxes(t, 0, 1),
    "np.moveaxis": lambda t: np.moveaxis(t, 0, -1),
    "np.squeeze": lambda t: np.squeeze(t[:1]),
    "np.expand_dims": lambda t: np.expand_dims(t, 1),
    "np.expand_dims-two": lambda t: np.expand_dims(t, (0, -1)),
    "np.broadcast_to": lambda t: np.broadcast_to(t, (2, 3, 4)),
    "np.flip": lambda t: np.flip(t),
    "np.flip-axis": lambda t: np.flip(t, 1),
    "np.split": lambda t: np.split(t, 2, axis=1),
    "np.split-places": lambda t: np.split(t, [1, 2]),
    "np.clip": lambda t: np.clip(t, 0.8, 1.6),
    "np.clip-names": lambda t: np.clip(t, a_min=0.8, a_max=None),
    "np.clip-min-max": lambda t: np.clip(t, min=0.8, max=1.6),
    "np.where-number": lambda t: np.where(MASK, t, 0.5),
    "np.where-comparison": lambda t: np.where(t > 1.2, t * 2, t * t),
    "np.take": lambda t: np.take(t, [0, 0, 5, -1]),
    "np.take-axis": lambda t: np.take(t, [2, 0, 2], axis=0),
    "np.take-last-axis": lambda t: np.take(t, [3, 3], axis=-1),
    "np.take-tuple": lambda t: np.take(t, (1, 0), axis=0),
    "np.take-two-axes": lambda t: np.take(t, [[0, 1], [1, 3]], axis=1),
    "np.take-one": lambda t: np.take(t, 2, axis=1),
    "np.take_along_axis": lambda t: np.take_along_axis(
        t, np.array([[0, 3], [1, 1], [2, 0]]), axis=1
    ),
    "np.take_along_axis-row": lambda t: np.take_along_axis(t, np.array([[0, 3]]), axis=1),
    "np.matmul-array": lambda t: np.matmul(t, C),
    "np.dot-vector": lambda t: np.dot(t, D),
    "np.einsum-one": lambda t: np.einsum("ij->ji", t),
    "np.astype": lambda t: np.astype(t, np.float64) * 2,
    "np.concatenate-array": lambda t: np.concatenate([t, B]),
    "np.concatenate-list": lambda t: np.concatenate([t, B.tolist()], axis=0),
    "np.stack-rows": lambda t: np.stack([t[0], t[2]], axis=-1),
    "np.stack-tensor": lambda t: np.stack(t, axis=1),
    "np.vstack-vector": lambda t: np.vstack([t[0], t]),
    "np.vstack-lists": lambda t: np.vstack([t[0], [1.0, 2.0, 3.0, 4.0]]),
    "np.hstack-vectors": lambda t: np.hstack([t[0], t[1], D]),
    "np.power": lambda t: np.power(t, 3),
    "np.power-float": lambda t: np.power(1.5, t),
    "np.divmod": lambda t: np.divmod(t, 0.7),
    "np.divmod-number": lambda t: np.divmod(3.0, t),
    "np.mod": lambda t: np.mod(t, 0.7),
    "np.maximum-number": lambda t: np.maximum(t, 1.0),
    "np.logaddexp-number": lambda t: np.logaddexp(t, 0.0),
    "np.logaddexp-inf": lambda t: np.logaddexp(-np.inf, t),
    "np.concat": lambda t: np.concat([t, t]),
    "np.permute_dims": lambda t: np.permute_dims(t, (1, 0)),
    "np.pow": lambda t: np.pow(t, 2.0),
}


@pytest.mark.parametrize("f", CALLS.values(), ids=CALLS)
def test_functions_of_one_tensor(f):
    (x,) = check_gradient(f, A)
    assert x.grad is not None


PAIRS = {
    "np.add": (lambda t, u: np.add(t, u), A, D),
    "np.subtract": (lambda t, u: np.subtract(t, u), D, A),
    "np.multiply": (lambda t, u: np.multiply(t, u), A, B),
    "np.divide": (lambda t, u: np.divide(t, u), A, B),
    "np.true_divide": (lambda t, u: np.true_divide(t, u), A, D),
    "np.power": (lambda t, u: np.power(t, u), A, B),
    "np.maximum": (lambda t, u: np.maximum(t, u), A, B),
    "np.minimum": (lambda t, u: np.minimum(t, u), A, D),
    "np.logaddexp": (lambda t, u: np.logaddexp(t, u), A, D),
    "np.matmul": (lambda t, u: np.matmul(t, u), A, C),
    "np.dot": (lambda t, u: np.dot(t, u), A, C),
    "np.dot-vectors": (lambda t, u: np.dot(t[0], u), A, D),
    "np.outer": (lambda t, u: np.outer(t[0], u), A, D),
    "np.where": (lambda t, u: np.where(MASK, t, u), A, D),
    "np.concatenate": (lambda t, u: np.concatenate([t, u], axis=1), A, B),
    "np.concatenate-tuple": (lambda t, u: np.concatenate((t, u), 0), A, B),
    "np.stack": (lambda t, u: np.stack([t, u], axis=1), A, B),
    "np.vstack": (lambda t, u: np.vstack([t, u]), A, D),
    "np.hstack": (lambda t, u: np.hstack([t, u]), A, B),
    "np.einsum": (lambda t, u: np.einsum("ij,jk->ik", t, u), A, C),
    "np.einsum-implicit": (lambda t, u: np.einsum("ij,jk", t, u), A, C),
    "np.einsum-ellipsis": (lambda t, u: np.einsum("...j,j->...", t, u), A, D),
}


@pytest.mark.parametrize(("f", "a", "b"), PAIRS.values(), ids=PAIRS)
@together("which", ["both", "first", "second"])
def test_functions_of_two(f, a, b, which):
    """One of the two may be a plain array, on either side."""
    if which == "first":
        inputs = check_gradient(lambda t: f(t, b), a)
    elif which == "second":
        inputs = check_gradient(lambda u: f(a, u), b)
    else:
        inputs = check_gradient(f, a, b)
    assert all(x.grad is not None for x in inputs)


OF_AN_OP = [
    (np_function, *case)
    for case in CASES
    for np_function, ours in protocol.differentiable.items()
    if ours is OPS[case[0]]
]


@pytest.mark.parametrize(
    ("np_function", "name", "arrays", "params"),
    OF_AN_OP,
    ids=[f"{case[1]}-{i}" for i, case in enumerate(OF_AN_OP)],
)
def test_numpys_function_of_a_tensor_is_the_op_of_that_name(np_function, name, arrays, params):
    op, results = OPS[name], []
    required = [params[setting] for setting in op.defaults if setting in op.required]
    optional = {setting: params[setting] for setting in op.defaults if setting not in op.required}
    for function in (op, np_function):
        inputs = [tg.Tensor(a, requires_grad=True) if is_float(a) else a for a in arrays]
        y = function(*[inputs] if op.variadic else inputs, *required, **optional)
        y.backward(np.random.default_rng(3).standard_normal(y.shape))
        results.append([y.data, *(x.grad for x in inputs if isinstance(x, tg.Tensor))])
    for expected, found in zip(*results, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_sign_has_the_derivative_0():
    x = tg.Tensor(A - 1, requires_grad=True)
    y = np.sign(x)
    y.backward(B)
    np.testing.assert_array_equal(y.data, np.sign(A - 1))
    np.testing.assert_array_equal(x.grad, 0)


def test_numpy_code_differentiates_as_it_is():
    """A GRU step in NumPy, written without a thought of Tensors."""

    def step(x, h, w, u, b):
        def sigmoid(a):
            return 1 / (1 + np.exp(-a))

        r, z, n = (np.einsum("i,ij->j", x, w[k]) for k in range(3))
        rh, zh, nh = (np.dot(h, u[k]) for k in range(3))
        r, z = sigmoid(r + rh + b[0]), sigmoid(z + zh + b[1])
        n = np.tanh(n + r * nh + b[2])
        return np.concatenate(
            [np.where(z > 0, z, 0.0) * h + (1 - z) * n, np.mean(n, keepdims=True)]
        )

    rng = np.random.default_rng(2)
    arrays = [rng.standard_normal(s) for s in [(2,), (3,), (3, 2, 3), (3, 3, 3), (3, 3)]]
    inputs = check_gradient(step, *arrays)
    assert all(x.grad is not None for x in inputs)
    assert tg.gradcheck(step, *arrays, order=2)


# -- operators with NumPy on the left --------------------------------------------------------------

LEFT = {
    "ndarray": B,
    "row": D,
    "0-d": np.array(1.5),
    "np.float64": np.float64(1.5),
    "np.float32": np.float32(1.5),
    "np.int64": np.int64(2),
}
LEFT |= {
    "Fortran": np.asfortranarray(B),
    "ints": np.arange(1, 5),
    "bools": np.array([True, True, True, True]),
}


@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT)
@together("sign", ["+", "-", "*", "/", "**", "%", "//"])
def test_numpy_on_the_left(left, sign):
    f = eval(f"lambda t: left {sign} t", {"left": left})
    check_gradient(f, A)


def test_ndarray_matmul_tensor():
    check_gradient(lambda t: B @ t, C)
    check_gradient(lambda t: D @ t, C)
    check_gradient(lambda t: t @ D, A)
    x = tg.Tensor(C.astype(np.float32), requires_grad=True)
    assert (np.float64(2) * x).dtype == np.float32
    assert (B.astype(np.float32) @ x).dtype == np.float32


IN_PLACE = {
    "+=": "a += t",
    "-=": "a -= t",
    "*=": "a *= t",
    "/=": "a /= t",
    "**=": "a **= t",
    "@=": "a @= t",
    "slice +=": "a[:] += t",
    "slice =": "a[:] = t",
    "row =": "a[0] = t[0]",
    "entry =": "a[0, 0] = t[0, 0]",
    "out=": "np.add(t, t, out=a)",
    "out= a tensor": "np.add(a, a, out=t)",
    "tanh out=": "np.tanh(t, a)",
    "matmul out=": "np.matmul(t, t, out=a)",
    "sum out=": "np.sum(t, axis=0, out=a[0])",
    "concatenate out=": "np.concatenate([t[:1], t[1:]], out=a)",
    "clip out=": "np.clip(t, 0, 1, out=a)",
    "add.at": "np.add.at(a, 0, t[0])",
    "add.at on a tensor": "np.add.at(t, 0, a[0])",
    "copyto": "np.copyto(a, t)",
    "put": "np.put(a, [0], t[0])",
    "putmask": "np.putmask(a, a > 0, t)",
    "place": "np.place(a, a > 0, t)",
    "fill_diagonal": "np.fill_diagonal(a, t[0])",
    "put_along_axis": "np.put_along_axis(a, np.array([[0]] * 3), t, 1)",
}


@pytest.mark.parametrize("statement", IN_PLACE.values(), ids=IN_PLACE)
def test_writing_a_tensor_into_an_array_is_refused(statement):
    a = RNG.uniform(0.5, 2, (3, 3))
    before, t = a.copy(), tg.Tensor(a[::-1].copy(), requires_grad=True)
    original = t.data.copy()
    with pytest.raises((TypeError, ValueError)):
        exec(statement, {"a": a, "t": t, "np": np})
    np.testing.assert_array_equal(a, before)
    np.testing.assert_array_equal(t.data, original)


@pytest.mark.parametrize(
    "name", ["a += t", "np.add(t, t, out=a)", "np.tanh(t, out=a)", "np.multiply(a, a, out=t)"]
)
def test_in_place_error_names_the_function_and_the_fix(name):
    with pytest.raises(TypeError, match=r"np\.(add|tanh|multiply): argument out=.*write y = "):
        exec(name, {"a": A.copy(), "t": tg.Tensor(A, requires_grad=True), "np": np})


UNKNOWN = {
    "ufunc where=": lambda t: np.add(t, t, where=MASK),
    "ufunc casting=": lambda t: np.add(t, t, casting="unsafe"),
    "ufunc integer dtype=": lambda t: np.tanh(t, dtype=np.int32),
    "reduce out=": lambda t: np.add.reduce(t, out=np.zeros(4)),
    "reduce a mask without a first entry": lambda t: np.maximum.reduce(t, where=MASK),
    "reduce a mask in order": lambda t: np.subtract.reduce(t, where=MASK),
    "reduce several axes in order": lambda t: np.subtract.reduce(t, axis=(0, 1)),
    "reduce no entries": lambda t: np.subtract.reduce(t[:0]),
    "accumulate out=": lambda t: np.add.accumulate(t, out=np.zeros((3, 4))),
    "at": lambda t: np.add.at(t, 0, 1.0),
    "sum integer dtype=": lambda t: np.sum(t, dtype=int),
    "max a mask without a first entry": lambda t: np.max(t, where=MASK),
    "mean out=": lambda t: np.mean(t, out=np.zeros(())),
    "cumprod out=": lambda t: np.cumprod(t, out=np.zeros(12)),
    "sort order=": lambda t: np.sort(t, order="a"),
    "quantile weights=": lambda t: np.quantile(t, 0.5, weights=A, method="inverted_cdf"),
    "median overwrite_input=": lambda t: np.median(t, overwrite_input=True),
    "nan_to_num copy=": lambda t: np.nan_to_num(t, copy=False),
}
"""Calls of NumPy's functions with an argument that is refused, because it would be ignored."""


@pytest.mark.parametrize("call", UNKNOWN.values(), ids=UNKNOWN)
def test_settings_that_are_not_known_are_refused(call):
    """Rather than ignored: the answer would be another one than NumPy's."""
    with pytest.raises((TypeError, ValueError), match=r"np\.|dtype|sort|median"):
        call(tg.Tensor(A, requires_grad=True))


SETTINGS = {
    "ufunc dtype=": lambda t: np.add(t, 1, dtype=np.float32),
    "ufunc defaults": lambda t: np.add(t, 1, casting="same_kind", order="K", where=True),
    "sum dtype=": lambda t: np.sum(t, dtype=np.float32),
    "sum dtype": lambda t: np.sum(t, 0, np.float32),
    "std dtype": lambda t: np.std(t, 0, np.float32),
    "cumprod dtype=": lambda t: np.cumprod(t, dtype=np.float32),
    "add.reduce dtype=": lambda t: np.add.reduce(t, dtype=np.float32),
    "multiply.outer dtype=": lambda t: np.multiply.outer(t, D, dtype=np.float32),
    "sum where=": lambda t: np.sum(t, where=MASK),
    "max initial=": lambda t: np.max(t, axis=0, initial=1.0),
    "max no entries": lambda t: np.max(t[:0], axis=0, initial=1.0) + t[0],
    "std mean=": lambda t: np.std(t, axis=1, mean=np.ones((3, 1))),
    "var mean=": lambda t: np.var(t, mean=np.zeros((1, 1)), ddof=1, where=MASK),
    "reshape order=": lambda t: np.reshape(t, (2, 6), order="F"),
    "ravel order=": lambda t: np.ravel(t, order="F"),
    "cumsum dtype": lambda t: np.cumsum(t, 0, np.float32),
    "sort kind=": lambda t: np.sort(t, kind="mergesort"),
    "nan_to_num copy=": lambda t: np.nan_to_num(t, copy=True),
    "round decimals": lambda t: np.round(t * 100, -1) + t,
}


@pytest.mark.parametrize("f", SETTINGS.values(), ids=SETTINGS)
def test_numpys_settings_do_what_they_do_in_numpy(f):
    x, expected = tg.Tensor(A, requires_grad=True), f(A)
    y = f(x)
    assert y.dtype == expected.dtype
    np.testing.assert_allclose(y.data, expected, rtol=1e-5)
    y.backward(np.ones(y.shape))
    assert x.grad.dtype == np.float64


# -- methods of ufuncs -----------------------------------------------------------------------------

FOLDED = ["subtract", "divide", "hypot", "logaddexp2", "fmax", "fmin", "remainder", "fmod"]
WHOLE = ["add", "multiply", "maximum", "minimum", "logaddexp"]
METHODS = {
    "reduce": lambda f, t: f.reduce(t),
    "reduce axis=": lambda f, t: f.reduce(t, axis=1),
    "reduce keepdims=": lambda f, t: f.reduce(t, axis=-1, keepdims=True),
    "reduce initial=": lambda f, t: f.reduce(t, axis=0, initial=1.7),
    "accumulate": lambda f, t: f.accumulate(t, axis=1),
    "outer": lambda f, t: f.outer(t, D),
    "outer left": lambda f, t: f.outer(D, t),
    "outer of numbers": lambda f, t: f.outer(2.0, t),
    "reduceat": lambda f, t: f.reduceat(t, [0, 2, 1], axis=1),
}


@pytest.mark.parametrize("name", [*FOLDED, *WHOLE])
@together("f", METHODS.values())
def test_methods_of_ufuncs_are_numpys(name, f):
    check_gradient(lambda t: f(getattr(np, name), t), A)


@pytest.mark.parametrize("name", [*WHOLE, "hypot", "fmax", "logaddexp2"])
@pytest.mark.parametrize("axis", [None, (0, 1), 1, (-1,), ()])
def test_a_ufunc_without_an_order_reduces_any_axes_and_entries(name, axis):
    ufunc = getattr(np, name)
    check_gradient(lambda t: ufunc.reduce(t, axis=axis, where=MASK, initial=0.3), A)
    check_gradient(lambda t: ufunc.reduce(t, axis=axis, keepdims=True), A)


def test_a_reduction_of_no_entries_is_the_first_entry_or_the_identity():
    t = tg.Tensor(np.zeros((0, 2)), requires_grad=True)
    for ufunc, initial in ((np.add, None), (np.hypot, None), (np.subtract, 2.5), (np.fmax, 2.5)):
        for keepdims in (False, True):
            found = ufunc.reduce(t, keepdims=keepdims, initial=initial)
            initial_of_numpy = {} if initial is None else {"initial": initial}
            expected = ufunc.reduce(np.zeros((0, 2)), keepdims=keepdims, **initial_of_numpy)
            np.testing.assert_array_equal(found.data, expected)
    assert np.subtract.accumulate(t).shape == (0, 2)


def test_a_masked_entry_takes_no_share_of_the_gradient_of_a_maximum():
    x = tg.Tensor([1.0, 5.0, 1.0], requires_grad=True)
    np.maximum.reduce(x, where=[True, False, True], initial=-3.0).backward()
    assert x.grad.tolist() == [0.5, 0.0, 0.5]


def test_a_sum_may_have_another_precision():
    x = tg.Tensor(np.full(4, 40000.0, np.float16), requires_grad=True)
    assert np.sum(x, dtype=np.float32).item() == 160000.0
    assert np.mean(x, dtype=np.float64).dtype == np.float64


# -- functions without derivative ------------------------------------------------------------------

N, M, Q = RNG.uniform(0.5, 2, (3, 3)), RNG.uniform(-2, 2, (3, 3)), 0.3
NAN = np.where(np.eye(3, dtype=bool), np.nan, N)
WHOLE_NUMBERS = np.array([[0, 1, 2]] * 3)
INSTEAD = {
    "apply_along_axis": ("np.apply_along_axis(f, 1, x); np.apply_along_axis(f, 0, x)", N),
    "arctan2.reduceat": ("functools.reduce(np.arctan2, list(x[i:j]))", N),
    "arctan2.reduce": ("functools.reduce(np.arctan2, list(x))", N),
    "array": ("np.array([a, b])", N),
    "bitwise_and": ("x & y; x & y", N > 1),
    "bitwise_or": ("x | y; x | y", N > 1),
    "bitwise_xor": ("x ^ y; x ^ y", N > 1),
    "copysign": ("np.copysign(x, y)", M),
    "copyto": ("np.where(mask, x, a)", N),
    "cov": ("np.cov(x)", M),
    "fill_diagonal": ("np.where(np.eye(3, dtype=bool), y, x)", N),
    "frexp": ("np.frexp(x)[0]", N),
    "heaviside": ("np.heaviside(x, y)", M.round()),
    "invert": ("~x; ~x", N > 1),
    "ldexp": ("np.ldexp(x, y)", N),
    "left_shift": ("x << y", WHOLE_NUMBERS),
    "linalg.lstsq": ("np.linalg.lstsq(x, y)[0]", N),
    "matvec": ("np.matvec(x, y)", N),
    "nanmedian": ("np.nanmedian(x); np.nanmedian(x, axis=1)", NAN),
    "nanpercentile": ("np.nanpercentile(x, q); np.nanpercentile(x, q, axis=1)", NAN),
    "nanquantile": ("np.nanquantile(x, q); np.nanquantile(x, q, axis=1)", NAN),
    "place": ("np.where(mask, y, x)", N),
    "power.reduceat": ("functools.reduce(np.power, list(x[i:j]))", N),
    "fft.irfft": ("np.fft.irfft(x)", N),
    "fft.hfft": ("np.fft.hfft(x)", N),
    "power.reduce": ("functools.reduce(np.power, list(x))", N),
    "put": ("np.where(mask, y, x)", N),
    "putmask": ("np.where(mask, y, x)", N),
    "right_shift": ("x >> y", WHOLE_NUMBERS),
    "unique": ("np.unique(x)", N.round()),
    "unwrap": ("np.unwrap(x)", M * 4),
    "vecdot": ("np.vecdot(x, y)", N),
    "vecmat": ("np.vecmat(x, y)", N),
}
"""For each suggestion: the calls that its alternatives stand for, and the values of x."""


def variables(x, *, tensors):
    """Return the values of the names that the suggestions use."""
    y = {"b": x.T, "i": WHOLE_NUMBERS, "f": N[::-1].astype(x.dtype)}[x.dtype.kind]
    a = tg.Tensor(x) if tensors else x
    return {
        "x": a,
        "y": y,
        "a": a,
        "b": a,
        "q": Q,
        "i": 0,
        "j": 2,
        "mask": N > 1,
        "f": lambda row: row * 2,
    }


def exists(name):
    """Return True if this version of NumPy has a function of a name such as ``linalg.qr``."""
    found = functools.reduce(lambda part, key: getattr(part, key, None), name.split("."), np)
    return found is not None


@pytest.mark.parametrize("name", [name for name in protocol.instead if exists(name)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_suggestion_computes_what_was_asked_for(name, dtype):
    call, x = INSTEAD[name]
    x = x.astype(dtype) if x.dtype.kind == "f" else x
    named = {"np": np, "tg": tg, "functools": functools}
    values = variables(x, tensors=True)
    plain = variables(x, tensors=False)
    if name == "ldexp":
        values["y"] = plain["y"] = WHOLE_NUMBERS
    if ".data" in protocol.instead[name]:
        values["y"] = tg.Tensor(plain["y"])
    suggestions = protocol.instead[name].split(", or ")
    for suggestion, wanted in zip(suggestions, call.split("; "), strict=True):
        expression = suggestion.partition(" for the ")[0].partition(" if ")[0]
        found = eval(expression, named | values)
        expected = eval(wanted, named | plain)
        if (x.dtype.kind, found.dtype.kind) == ("f", "f"):
            assert found.dtype == x.dtype
        rtol = 1e-12 if dtype == np.float64 else 1e-5
        np.testing.assert_allclose(np.asarray(found), expected, rtol=rtol)


CALLS_TO_REPLACE = {
    "power over axis 1": "np.power.reduce(x, axis=1)",
    "power over the axis given by place": "np.power.reduce(x, 1)",
    "arctan2": "np.arctan2.reduce(x, axis=-1)",
    "unwrap with a period": "np.unwrap(x, period=1)",
    "irfft of a length": "np.fft.irfft(x, n=5, norm='ortho')",
    "hfft of a length": "np.fft.hfft(x, 7)",
    "unwrap along an axis": "np.unwrap(x * 9, axis=0)",
    "nanvar mean": "np.nanvar(x, axis, mean=mean)",
    "nanstd mean": "np.nanstd(x, axis, mean=mean)",
    "quantile weights": "np.quantile(x, q, axis, weights=w, method='inverted_cdf')",
    "percentile weights": "np.percentile(x, q, axis, weights=w, method='inverted_cdf')",
}


@pytest.mark.parametrize("call", CALLS_TO_REPLACE.values(), ids=CALLS_TO_REPLACE)
def test_a_call_with_arguments_leads_to_an_expression_with_the_same_result(call):
    x = np.random.default_rng(3).uniform(0.5, 3.0, (2, 2) if "reduce" in call else (3, 4))
    if "nan" in call:
        x[1, 2] = np.nan
    x = x * 9 if "* 9" in call else x
    call = call.replace("x * 9", "x")
    axis = None if "nan" in call else 1
    known = {"np": np, "tg": tg, "axis": axis, "mean": 1.5}
    known |= {"q": 0.3, "w": np.arange(1.0, 13.0).reshape(3, 4)}
    with pytest.raises(TypeError) as caught:
        eval(call, known | {"x": tg.Tensor(x)})
    fix = str(caught.value).partition("; use ")[2].partition("; or ")[0].partition(" if ")[0]
    found = eval(fix, known | {"x": tg.Tensor(x, requires_grad=True)})
    assert found.requires_grad
    usual = known | {"x": x}
    if "reduce" in call:  # of two entries, NumPy's result is right along the first axis
        usual["x"] = x.T
        call = re.sub(r"(axis=)?-?1\)", "axis=0)", call)
    np.testing.assert_allclose(found.data, eval(call, usual), rtol=1e-12)


@pytest.mark.parametrize("tensors", [(True, True), (True, False), (False, True)])
def test_a_sign_may_come_from_a_tensor(tensors):
    x, y = np.array([1.0, -2.0, 0.0, -0.0]), np.array([-1.0, 3.0, -0.0, 2.0])
    given = [
        tg.Tensor(a, requires_grad=True) if t else a for a, t in zip((x, y), tensors, strict=True)
    ]
    found = eval(protocol.instead["copysign"], {"tg": tg, "np": np, "x": given[0], "y": given[1]})
    np.testing.assert_array_equal(getattr(found, "data", found), np.copysign(x, y))


@pytest.mark.parametrize("x", [M, M[0], M[:2]], ids=["matrix", "vector", "two rows"])
def test_the_suggested_covariance_is_that_of_rows_and_of_columns(x):
    expression = protocol.instead["cov"].partition(" if ")[0]
    for rowvar in (True, False):
        t = tg.Tensor(x if rowvar else x.T, requires_grad=True)
        found = eval(expression, {"np": np, "tg": tg, "x": t})
        np.testing.assert_allclose(found.data, np.cov(x, rowvar=rowvar), rtol=1e-12)


@pytest.mark.parametrize("join", [np.concatenate, np.stack, np.vstack, np.hstack])
@pytest.mark.parametrize("tracked", [True, False], ids=["tracked", "plain"])
def test_arrays_are_joined_in_the_dtype_asked_for(join, tracked):
    x = tg.Tensor(np.array([1.0, 2.0]), requires_grad=tracked)
    y = join([x, [3.0, 4.0]], dtype="float32")
    expected = join([x.detach().numpy(), [3.0, 4.0]], dtype="float32")
    assert isinstance(y, tg.Tensor)
    assert y.dtype == np.float32
    assert y.requires_grad == tracked
    np.testing.assert_array_equal(y.data, expected)
    with pytest.raises(TypeError, match=f"np.{join.__name__}: argument dtype: .*use float32"):
        join([x, x], dtype=int)


@pytest.mark.parametrize("f", [np.array, np.mean, lambda a: np.r_[a[0], a[1]]])
def test_a_list_of_tensors_is_to_be_stacked(f):
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"or tg.stack for a list of them"):
        f([x, x])


def test_other_names_of_a_function_have_its_gradient():
    x = tg.Tensor([1.26, 2.5], requires_grad=True)
    assert np.around(x, 1).tolist() == np.round(x, 1).tolist()
    np.around(x).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]


def test_functions_about_dtypes_and_costs_take_a_tensor():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    assert np.can_cast(x, np.float64)
    assert np.common_type(x) is np.float32
    assert np.einsum_path("i,i", x, x)[0] == ["einsum_path", (0, 1)]
    for save in (np.save, np.savez, np.savez_compressed, np.savetxt):
        with pytest.raises(TypeError, match=r"a file has no gradient.* tg.save for a dict"):
            save("file", x)


def test_a_call_with_wrong_operands_names_the_function_and_a_fix():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match=r"np.where: argument y: .*, got None; write np.where"):
        np.where(x > 0, x)
    with pytest.raises(TypeError, match=r"np.gcd: .*; use x.astype\(int\)"):
        np.gcd(x, x)
    with pytest.raises(
        TypeError, match=r"index: argument t: expected a Tensor of one integer.*; use"
    ):
        np.linspace(0, 1, x)
    with pytest.raises(TypeError, match=r"del Tensor.*; use np.delete"):
        del x[0]
    with pytest.raises(TypeError, match=r"pow: argument modulo: .*; use x\*\*y % m"):
        pow(x, 2, 5)
    with pytest.raises(ValueError, match="sequence") as caught:  # NumPy replaces the error
        np.zeros(3)[0] = x[0]
    assert "t.detach().numpy()" in str(caught.value.__cause__)
    with pytest.raises(TypeError, match=r"np.equal.reduce: .*; use np.equal\(x, y\)"):
        np.equal.reduce(x)


@pytest.mark.parametrize(
    "f",
    [
        lambda: tg.Tensor([1, 2]) ** -1,
        lambda: tg.Tensor(np.array([1], np.uint8)) + 1000,
        lambda: tg.Tensor(np.array([1], np.int8)) * -129,
        lambda: tg.Tensor([1.0]) - np.array(["a"]),
    ],
)
def test_the_fix_for_a_wrong_dtype_is_another_dtype(f):
    with pytest.raises((ValueError, TypeError, OverflowError), match=r"; convert with .astype"):
        f()
    with pytest.raises(ValueError, match=r"; use reshape or expand_dims"):
        tg.Tensor([1.0, 2.0]) + np.ones(3)


@pytest.mark.parametrize(
    "f",
    [
        lambda z: np.hypot(z, 0.0),
        lambda z: np.hypot(0.0, z),
        lambda z: np.hypot(z, z),
        lambda z: np.arctan2(z, 0.0),
        lambda z: np.arctan2(0.0, z),
    ],
)
def test_second_derivatives_at_a_kink_are_0(f):
    z = tg.Tensor([0.0], requires_grad=True)
    (slope,) = tg.grad(f(z).sum(), [z], create_graph=True)
    assert slope.tolist() == [0.0]
    if slope.requires_grad:
        (curvature,) = tg.grad(slope.sum(), [z])
        assert curvature.tolist() == [0.0]


REFUSED = {
    "np.frexp": (lambda t: np.frexp(t), "frexp", "x / 2.0 ** (np.frexp(x.data)[1] - 1)"),
    "np.unwrap": (lambda t: np.unwrap(t), "unwrap", "np.unwrap(x.data)"),
    "np.power.reduce": (
        lambda t: np.power.reduce(t),
        "power.reduce",
        "power.accumulate(x, axis=0)",
    ),
    "np.add.at": (lambda t: np.add.at(t, 0, 1.0), "add.at", "writes into an array"),
    "np.fft.fft": (lambda t: np.fft.fft(t), "fft.fft", "the result is complex"),
    "np.linalg.eig": (lambda t: np.linalg.eig(t[:, :3]), "linalg.eig", "the result is complex"),
    "np.copyto": (lambda t: np.copyto(np.zeros(t.shape), t), "copyto", "tg.where"),
    "np.full_like": (lambda t: np.full_like(A, t[0, 0]), "copyto", "where"),
    "np.i0": (lambda t: np.i0(t), "i0", "tg.op"),
}


@pytest.mark.parametrize(("f", "name", "alternative"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("tracked", [True, False], ids=["tracked", "plain"])
def test_refused_by_name_with_an_alternative(f, name, alternative, tracked):
    with pytest.raises(TypeError) as caught:
        f(tg.Tensor(A, requires_grad=tracked))
    message = str(caught.value)
    assert f"np.{name}: " in message
    assert alternative in message
    assert "x.detach().numpy()" in message


def test_no_function_is_both_refused_and_differentiable():
    names = {protocol.numpy_name(f) for f in (*protocol.differentiable, *protocol.value_functions)}
    assert not names & set(protocol.instead)
    newer = {"matvec", "vecmat"}  # in NumPy 2.2
    assert {name for name in protocol.instead if not exists(name)} <= newer


# -- functions about values ------------------------------------------------------------------------


@pytest.mark.parametrize("tracked", [True, False], ids=["tracked", "plain"])
@pytest.mark.parametrize(
    "f",
    [
        *(
            lambda t: np.greater(t, 1),
            lambda t: np.equal(t, t),
            lambda t: np.isnan(t),
            lambda t: np.argmax(t, axis=1),
        ),
        *(
            lambda t: np.argsort(t),
            lambda t: np.nonzero(t > 1)[0],
            lambda t: np.count_nonzero(t),
            lambda t: np.any(t > 1),
        ),
        *(
            lambda t: np.shape(t),
            lambda t: np.ndim(t),
            lambda t: np.size(t),
            lambda t: np.zeros_like(t),
            lambda t: np.ones_like(t),
        ),
        *(
            lambda t: np.full_like(t, 2.5),
            lambda t: np.allclose(t, A),
            lambda t: np.array_equal(t, A),
            lambda t: np.searchsorted(D, t[0]),
        ),
    ],
    ids=[
        *(
            "greater",
            "equal",
            "isnan",
            "argmax",
            "argsort",
            "nonzero",
            "count_nonzero",
            "any",
            "shape",
            "ndim",
            "size",
        ),
        *("zeros_like", "ones_like", "full_like", "allclose", "array_equal", "searchsorted"),
    ],
)
def test_answers_about_values_are_plain(f, tracked):
    found = f(tg.Tensor(A, requires_grad=tracked))
    assert not isinstance(found, tg.Tensor)
    np.testing.assert_array_equal(found, f(A))


def test_numpy_testing_takes_tensors_without_gradients():
    np.testing.assert_allclose(tg.Tensor(A) * 2, A * 2)


# -- the sweep: no function of NumPy returns a silent array ----------------------------------------

NO_FUNCTIONS_OF_ARRAYS = {
    *(
        "save",
        "savez",
        "savez_compressed",
        "savetxt",
        "show_config",
        "show_runtime",
        "info",
        "test",
        "set_printoptions",
    ),
    *("setbufsize", "seterr", "seterrcall"),  # they write files, print, or change settings
}


def every_function():
    """All that NumPy exports and that can be called, with its name under np."""
    for module, prefix in (
        (np, ""),
        (np.linalg, "linalg."),
        (np.fft, "fft."),
        (np.emath, "emath."),
    ):
        for name in sorted(module.__all__):
            f = getattr(module, name)
            if callable(f) and not isinstance(f, type) and name not in NO_FUNCTIONS_OF_ARRAYS:
                yield prefix + name, f
    for name in sorted(np.__all__):
        if isinstance(f := getattr(np, name), np.ufunc):
            for method in ("reduce", "accumulate", "outer"):
                yield f"{name}.{method}", getattr(f, method)


FORMS = {
    "f(t)": lambda f, t: f(t),
    "f(t, t)": lambda f, t: f(t, t),
    "f([t, t])": lambda f, t: f([t, t]),
    "f(t, t, t)": lambda f, t: f(t, t, t),
}
SHAPES = {"0-d": np.array(1.4), "vector": D, "matrix": RNG.uniform(0.5, 2, (3, 3))}


def leaves(x):
    """Return the values inside nested lists, tuples and dicts."""
    if isinstance(x, list | tuple):
        return [leaf for item in x for leaf in leaves(item)]
    if isinstance(x, dict):
        return leaves(list(x.values()))
    return [x]


def is_silent(x):
    """Return whether numbers left the graph in `x`: floats, complex numbers, objects."""
    return isinstance(x, float | complex) or (
        isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "fcO"
    )


@together(("name", "f"), every_function())
def test_no_numpy_function_is_silent(name, f):
    for form, call in FORMS.items():
        for array in SHAPES.values():
            t = tg.Tensor(array.copy(), requires_grad=True)
            try:
                found = call(f, t)
            except RecursionError:
                raise
            except Exception:  # any error is loud
                continue
            for leaf in leaves(found):
                if isinstance(leaf, tg.Tensor):
                    assert leaf.requires_grad or leaf.dtype.kind != "f", f"np.{name} as {form}"
                    assert leaf.dtype.kind != "O"
                else:
                    assert f in protocol.value_functions or not is_silent(leaf), (
                        f"np.{name} as {form} gave {leaf!r}"
                    )
            np.testing.assert_array_equal(t.data, array)


@pytest.mark.parametrize("name", [name for name, _ in every_function()])
def test_where_a_numpy_function_gives_a_tensor_it_is_the_right_one(name):
    f = dict(every_function())[name]
    for call in FORMS.values():
        for array in SHAPES.values():
            try:
                found = call(f, tg.Tensor(array, requires_grad=True))
                call(f, array)
            except Exception:  # the test above looks at these
                continue
            if any(isinstance(leaf, tg.Tensor) for leaf in leaves(found)):
                check_gradient(lambda t, call=call: call(f, t), array)


def test_the_backward_pass_is_wide():
    names = [name for name, _ in every_function()]
    assert len(names) > 500
    assert {"tanh", "concatenate", "linalg.norm", "fft.fft", "multiply.outer", "sort"} <= set(names)
