"""The Tensor: its data and dtype, attributes, methods, and operators with all kinds of operands."""

import math
import operator

import numpy as np
import pytest
from helpers import together
from internals import toposort

import tinygrad_rnn as tg

A = np.random.default_rng(0).uniform(0.5, 2.0, (3, 4))


@pytest.fixture
def default_dtype():
    """`set_default_dtype`, with float32 restored afterwards."""
    before = tg.get_default_dtype()
    yield tg.set_default_dtype
    tg.set_default_dtype(before)


# -- which dtype -----------------------------------------------------------------------------------

DTYPES = {
    "float": (0.5, np.float32),
    "list of floats": ([0.5, 1.5], np.float32),
    "nested lists": ([[0.5], [1.5]], np.float32),
    "tuple": ((0.5, 1.5), np.float32),
    "ints and floats": ([1, 1.5], np.float32),
    "empty list": ([], np.float32),
    "nested empty lists": ([[], []], np.float32),
    "nan": (math.nan, np.float32),
    "int": (3, np.int64),
    "list of ints": ([1, 2], np.int64),
    "range": (range(3), np.int64),
    "bool": (True, np.bool_),
    "list of bools": ([True, False], np.bool_),
    "bools and ints": ([True, 2], np.int64),
    "np.float64": (np.float64(0.5), np.float64),
    "np.float32": (np.float32(0.5), np.float32),
    "np.float16": (np.float16(0.5), np.float16),
    "np.int8": (np.int8(3), np.int8),
    "np.bool": (np.True_, np.bool_),
    "list of np.float64": ([np.float64(0.5), np.float64(1)], np.float64),
    "list of np.float32": ([np.float32(0.5), np.float32(1)], np.float32),
    "list of arrays": ([np.zeros(2), np.ones(2)], np.float64),
    "list of float32 arrays": ([np.zeros(2, np.float32), np.ones(2, np.float32)], np.float32),
    "nested lists of arrays": ([[np.zeros(2, np.float32)]], np.float32),
    "float64 array": (np.zeros(2), np.float64),
    "float32 array": (np.zeros(2, np.float32), np.float32),
    "float16 array": (np.zeros(2, np.float16), np.float16),
    "0-d array": (np.array(0.5), np.float64),
    "int32 array": (np.zeros(2, np.int32), np.int32),
    "uint8 array": (np.zeros(2, np.uint8), np.uint8),
    "bool array": (np.zeros(2, bool), np.bool_),
    "tensor": (tg.Tensor(np.zeros(2)), np.float64),
    "list of tensors": ([tg.Tensor(np.zeros(2)), tg.Tensor(np.ones(2))], np.float64),
    "memoryview": (memoryview(np.zeros(2)), np.float32),
}


@pytest.mark.parametrize(("data", "dtype"), DTYPES.values(), ids=DTYPES)
def test_dtype_of_what_it_is_made_of(data, dtype):
    t = tg.Tensor(data)
    assert t.dtype == dtype
    assert type(t.data) is np.ndarray
    assert t.dtype.isnative
    assert t.grad is None
    assert t.node is None
    assert not t.requires_grad
    expected = (
        data.data
        if isinstance(data, tg.Tensor)
        else np.array([d.data for d in data])
        if "Tensor" in str(data)
        else np.array(data)
    )
    assert t.shape == expected.shape
    np.testing.assert_array_equal(t.data, expected.astype(dtype))


@pytest.mark.parametrize(
    "dtype",
    [
        "float16",
        "float32",
        "float64",
        "int32",
        "bool",
        np.float64,
        np.dtype("f4"),
        float,
        int,
        ">f4",
        ">i2",
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "data",
    [0.5, [1, 0], np.array([0.5, 1.0]), tg.Tensor([2.0])],
    ids=["float", "ints", "array", "tensor"],
)
def test_dtype_can_be_given(data, dtype):
    t = tg.Tensor(data, dtype=dtype)
    assert t.dtype == np.dtype(dtype).newbyteorder("=")
    assert t.dtype.isnative


@pytest.mark.parametrize("code", [">f2", ">f4", ">f8", "<f4", ">i4", ">u2"])
def test_byte_order_becomes_the_machines(code):
    array = np.array([1, 2, 3], dtype=code)
    t = tg.Tensor(array)
    assert t.dtype == np.dtype(code).newbyteorder("=")
    assert t.dtype.isnative
    np.testing.assert_array_equal(t.data, [1, 2, 3])
    s = tg.Tensor(np.ones(3, np.float32), requires_grad=True)
    y = s * np.array([1, 2, 3], dtype=">f4")
    y.backward(np.array([1, 1, 2], dtype=">f8"))
    assert (y.dtype, s.grad.dtype) == (np.float32, np.float32)
    assert s.grad.dtype.isnative
    np.testing.assert_array_equal(s.grad, [1, 2, 6])
    assert s.astype(code).dtype.isnative


NOT_NUMBERS = {
    "complex": 1j,
    "complex array": np.array([1j, 2]),
    "np.complex128": np.complex128(1),
    "text": "abc",
    "list of texts": ["a", "b"],
    "bytes": b"abc",
    "none": None,
    "object array": np.array([1, None]),
    "object": object(),
    "dict": {"a": 1.0},
    "set": {1.0},
    "generator": (i for i in range(3)),
    "ragged": [[1.0], [1.0, 2.0]],
    "dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "structured": np.zeros(2, dtype=[("a", float)]),
    "too large an int": 2**70,
}


@pytest.mark.parametrize("data", NOT_NUMBERS.values(), ids=NOT_NUMBERS)
def test_data_that_is_not_real_numbers_raises(data):
    with pytest.raises(TypeError) as caught:
        tg.Tensor(data)
    assert isinstance(caught.value, TypeError)
    assert str(caught.value).startswith(
        "Tensor: argument data: expected a rectangular array of real numbers, got "
    )


@pytest.mark.parametrize(
    "dtype", [complex, object, "U3", "S1", "datetime64[s]", np.complex64], ids=str
)
def test_a_dtype_that_is_not_real_raises(dtype):
    with pytest.raises(TypeError, match=r"Tensor: argument dtype.*float32"):
        tg.Tensor([1.0], dtype=dtype)


def test_a_tracked_tensor_is_not_wrapped_silently():
    x = tg.Tensor([1.0], requires_grad=True)
    for data in (x, x * 2):
        with pytest.raises(TypeError, match=r"detach\(\)"):
            tg.Tensor(data)
    with pytest.raises(TypeError, match="gradients"):
        tg.Tensor([x, x])


def test_arrays_are_wrapped_and_not_copied():
    a = A.copy()
    assert tg.Tensor(a).data is a
    assert tg.Tensor(tg.Tensor(a)).data is a
    assert np.shares_memory(tg.Tensor(a).T.data, a)


def test_array_subclasses_become_plain_arrays():
    class Marked(np.ndarray):
        pass

    t = tg.Tensor(A.view(Marked), requires_grad=True)
    assert type(t.data) is np.ndarray
    assert type((t + A.view(Marked)).data) is np.ndarray
    assert type((A.view(Marked) * t).data) is np.ndarray


def test_lists_assigned_as_data_take_the_dtype_of_the_tensor():
    for dtype in ("float16", "float32", "float64"):
        t = tg.Tensor(np.zeros(2, dtype))
        for new in ([0.1, 2], [1, 2], [True, False]):
            t.data = new
            np.testing.assert_array_equal(t.data, np.array(new, dtype))
            assert t.dtype == dtype


def test_an_assignment_that_raises_changes_nothing():
    t = tg.Tensor([1.0, 2.0], requires_grad=True, name="t")
    t.grad = gradient = np.ones(2)
    for attribute, wrong in [("data", None), ("data", "5"), ("grad", 5), ("name", 3)]:
        with pytest.raises(TypeError):
            setattr(t, attribute, wrong)
    assert (t.tolist(), t.name, t.grad is gradient) == ([1.0, 2.0], "t", True)
    t.grad = t.name = None
    assert t.grad is t.name is None


def test_settings_of_a_tensor_are_keyword_only():
    with pytest.raises(TypeError):
        tg.Tensor([1.0], True)


@pytest.mark.parametrize("dtype", ["float64", np.float16, float], ids=str)
def test_python_floats_take_the_default_dtype(default_dtype, dtype):
    assert tg.get_default_dtype() == np.float32
    default_dtype(dtype)
    assert tg.get_default_dtype() == np.dtype(dtype)
    assert tg.Tensor(0.5).dtype == dtype
    assert tg.Tensor([[0.5, 1]]).dtype == dtype
    assert tg.Tensor([1, 2]).dtype == np.int64
    assert tg.Tensor(np.zeros(2, np.float32)).dtype == np.float32
    assert (tg.Tensor([1, 2]) / 2).dtype == dtype
    t = tg.Tensor(np.ones(2, np.float32), requires_grad=True)
    assert (0.5 * t + 1.0).dtype == np.float32


@pytest.mark.parametrize("dtype", [int, bool, complex, object, "U1"], ids=str)
def test_default_dtype_must_be_floating(default_dtype, dtype):
    with pytest.raises(TypeError, match=r"set_default_dtype.*float32"):
        default_dtype(dtype)
    assert tg.get_default_dtype() == np.float32


def test_the_default_dtype_is_float32_again():
    assert tg.Tensor(0.5).dtype == np.float32


# -- attributes ------------------------------------------------------------------------------------

ARRAYS = {
    "matrix": A,
    "vector": A[0],
    "0-d": np.array(1.5),
    "empty": np.zeros((0, 3)),
    "3-d": A.reshape(3, 2, 2),
    "strided": A[::-1, ::2],
}


@pytest.mark.parametrize("a", ARRAYS.values(), ids=ARRAYS)
def test_attributes_are_numpys(a):
    t = tg.Tensor(a, requires_grad=True, name="weight")
    for name in ("shape", "ndim", "size", "dtype"):
        assert getattr(t, name) == getattr(a, name)
    assert t.name == "weight"
    assert t.data is a
    assert t.requires_grad is True
    np.testing.assert_array_equal(t.T.data, a.T)
    assert t.detach().tolist() == a.tolist()
    if a.ndim:
        assert len(t) == len(a)
    if a.ndim > 1:
        np.testing.assert_array_equal(t.mT.data, a.mT)


def test_unknown_attributes_cannot_be_set():
    t = tg.Tensor([1.0])
    with pytest.raises(AttributeError):
        t.gard = 1
    for name in ("shape", "ndim", "size", "dtype"):
        with pytest.raises(AttributeError):
            setattr(t, name, None)


def test_a_tensor_of_one_entry_converts_to_a_number():
    t = tg.Tensor([[2.5]], requires_grad=True)
    assert type(t.item()) is float
    assert t.item() == float(t.detach()) == 2.5
    assert int(t.detach()) == 2
    assert bool(t) is True
    assert f"{t:.3f}" == "2.500"
    assert f"{t}" == str(t)
    assert type(tg.Tensor(3).item()) is int
    assert [10, 20, 30, 40][tg.Tensor(3)] == 40
    assert not tg.Tensor(0.0)
    for f in (tg.Tensor.item, float, int, bool):
        with pytest.raises((ValueError, TypeError)):
            f(tg.Tensor([1.0, 2.0]))
    with pytest.raises(TypeError):
        [1, 2][tg.Tensor(1.0)]
    with pytest.raises(TypeError):
        len(tg.Tensor(1.0))
    with pytest.raises(TypeError):
        iter(tg.Tensor(1.0))


def test_int_does_not_leave_the_graph_silently():
    t = tg.Tensor(2.5, requires_grad=True)
    for leave in (lambda: int(t), lambda: int(t * 2)):
        with pytest.raises(
            TypeError, match=r"int: argument t: .*gradients would be lost; use t\.item\(\)"
        ):
            leave()
    assert int(t.detach()) == int(t.item()) == 2
    assert int(tg.Tensor(2**60 + 1)) == 2**60 + 1


def test_float_does_not_leave_the_graph_silently():
    t = tg.Tensor(2.5, requires_grad=True)
    array = np.zeros(2)

    def put():
        array[0] = t

    for leave in (
        lambda: float(t),
        lambda: math.exp(t * 2),
        lambda: np.float64(t),
        lambda: np.fromiter([t, t], float),
        put,
    ):
        with pytest.raises(
            (TypeError, ValueError),
            match=r"gradients would be lost; use t\.|setting an array element",
        ):
            leave()
    np.testing.assert_array_equal(array, 0)
    assert math.exp(t.detach()) == math.exp(t.item())


def test_numpy_shares_memory_unless_gradients_would_be_lost():
    a = A.copy()
    t = tg.Tensor(a)
    assert t.numpy() is a or np.shares_memory(t.numpy(), a)
    assert type(t.numpy()) is np.ndarray
    assert np.asarray(t, dtype=np.float32).dtype == np.float32
    assert not np.shares_memory(np.array(t), a)
    x = tg.Tensor(a, requires_grad=True)
    for f in (
        x.numpy,
        (x * 2).numpy,
        lambda: np.asarray(x),
        lambda: np.array(x),
        lambda: np.array([x, x]),
        lambda: np.asarray(x * 2, float),
    ):
        with pytest.raises(TypeError, match=r"t\.detach\(\)\.numpy\(\)"):
            f()
    np.testing.assert_array_equal(x.detach().numpy(), a)
    with tg.no_grad():
        np.testing.assert_array_equal(np.asarray(x * 2), a * 2)


def test_detach_shares_memory_and_has_no_graph():
    x = tg.Tensor(A, requires_grad=True, name="x")
    for t in (x, x * 1.0):
        d = t.detach()
        assert d is not t
        assert d.data is t.data
        assert (d.node, d.requires_grad, d.grad) == (None, False, None)
    assert x.detach().name == "x"
    d = x.detach()
    d.data = A + 1
    np.testing.assert_array_equal(x.data, A)


# -- assigning data --------------------------------------------------------------------------------


def test_data_can_be_assigned():
    t = tg.Tensor(np.zeros((2, 2), np.float32), requires_grad=True)
    new = np.ones((2, 2), np.float32)
    t.data = new
    assert t.data is new
    t.data = [[1, 2], [3, 4.5]]
    assert (t.dtype, type(t.data)) == (np.float32, np.ndarray)
    np.testing.assert_array_equal(t.data, [[1, 2], [3, 4.5]])
    t.data = tg.Tensor(new)
    np.testing.assert_array_equal(t.data, new)
    s = tg.Tensor(np.float64(1.0))
    s.data = np.float64(2.0)
    assert type(s.data) is np.ndarray
    s.data = s.data - 0.5
    assert type(s.data) is np.ndarray
    assert s.item() == 1.5


WRONG_DATA = {
    "shape": np.zeros((2, 3), np.float32),
    "would broadcast": np.zeros(2, np.float32),
    "number": 1.0,
    "float64": np.zeros((2, 2)),
    "ints": np.zeros((2, 2), int),
    "big-endian": np.zeros((2, 2), ">f4"),
    "transposed shape": np.zeros((1, 4), np.float32),
}


@pytest.mark.parametrize("new", WRONG_DATA.values(), ids=WRONG_DATA)
def test_data_of_another_shape_or_dtype_is_refused(new):
    old = np.zeros((2, 2), np.float32)
    t = tg.Tensor(old, name="weight")
    with pytest.raises(
        ValueError, match=r"Tensor\.data: argument weight: expected float32 \(2, 2\)"
    ):
        t.data = new
    assert t.data is old


def test_data_of_an_interior_tensor_is_refused():
    y = tg.Tensor([1.0], requires_grad=True) * 2
    with pytest.raises(TypeError, match="leaf"):
        y.data = np.zeros(1, np.float32)
    np.testing.assert_array_equal(y.data, [2.0])


def test_requires_grad_can_be_set_on_leaves():
    t = tg.Tensor([1.0])
    t.requires_grad = True
    assert (t * 2).requires_grad
    t.requires_grad = False
    assert not (t * 2).requires_grad
    t.requires_grad = True
    y = t * 2
    with pytest.raises(RuntimeError, match="leaf"):
        y.requires_grad = False
    y.requires_grad = True
    assert y.requires_grad


# -- what it looks like ----------------------------------------------------------------------------

REPRS = {
    "plain": (lambda: tg.Tensor([1.0, 2.0]), "Tensor([1., 2.])"),
    "leaf": (lambda: tg.Tensor([1.0], requires_grad=True), "Tensor([1.], requires_grad=True)"),
    "name": (lambda: tg.Tensor([1.0], name="h"), "Tensor([1.], name='h')"),
    "float64": (lambda: tg.Tensor(np.array([1.0])), "Tensor([1.], dtype=float64)"),
    "ints": (lambda: tg.Tensor([1, 2]), "Tensor([1, 2])"),
    "0-d": (lambda: tg.Tensor(0.5), "Tensor(0.5)"),
    "graph": (
        lambda: tg.tanh(tg.Tensor([0.0], requires_grad=True)),
        "Tensor([0.], has graph: tanh)",
    ),
    "loss": (lambda: tg.Tensor([1.0, 2.0], requires_grad=True).sum(), "Tensor(3., has graph: sum)"),
    "no graph": (lambda: tg.tanh(tg.Tensor([0.0])), "Tensor([0.])"),
    "detached": (lambda: tg.Tensor([1.0], requires_grad=True).exp().detach() * 0, "Tensor([0.])"),
    "rows": (lambda: tg.Tensor([[1.0], [2.0]]), "Tensor([[1.],\n        [2.]])"),
}


@pytest.mark.parametrize(("make", "expected"), REPRS.values(), ids=REPRS)
def test_repr_shows_numbers_name_and_graph(make, expected):
    assert repr(make()) == str(make()) == expected


def test_repr_of_a_large_tensor_is_short():
    text = repr(tg.Tensor(np.zeros((1000, 1000)), requires_grad=True) * 2)
    assert len(text) < 700
    assert "..." in text
    assert "has graph: multiply" in text


# -- methods and functions -------------------------------------------------------------------------

METHODS = {
    "sum": (lambda t: t.sum(), lambda a: a.sum()),
    "sum axis": (lambda t: t.sum(0), lambda a: a.sum(0)),
    "sum keepdims": (
        lambda t: t.sum(axis=(0, 1), keepdims=True),
        lambda a: a.sum(axis=(0, 1), keepdims=True),
    ),
    "mean": (lambda t: t.mean(-1), lambda a: a.mean(-1)),
    "mean keepdims": (lambda t: t.mean(1, True), lambda a: a.mean(1, keepdims=True)),
    "max": (lambda t: t.max(axis=1), lambda a: a.max(axis=1)),
    "min": (lambda t: t.min(), lambda a: a.min()),
    "var": (lambda t: t.var(axis=0, ddof=1), lambda a: a.var(axis=0, ddof=1)),
    "std": (lambda t: t.std(axis=0), lambda a: a.std(axis=0)),
    "cumsum": (lambda t: t.cumsum(axis=1), lambda a: a.cumsum(axis=1)),
    "logsumexp": (lambda t: t.logsumexp(axis=1), lambda a: np.log(np.exp(a).sum(1))),
    "softmax": (lambda t: t.softmax(axis=0), lambda a: np.exp(a) / np.exp(a).sum(0)),
    "log_softmax": (
        lambda t: t.log_softmax(),
        lambda a: a - np.log(np.exp(a).sum(-1, keepdims=True)),
    ),
    "reshape": (lambda t: t.reshape(2, -1), lambda a: a.reshape(2, -1)),
    "reshape tuple": (lambda t: t.reshape((4, 3)), lambda a: a.reshape(4, 3)),
    "reshape number": (lambda t: t.reshape(-1), lambda a: a.reshape(-1)),
    "flatten": (lambda t: t.flatten(), lambda a: a.flatten()),
    "ravel": (lambda t: t.ravel(), lambda a: a.ravel()),
    "copy": (lambda t: t.copy(), lambda a: a.copy()),
    "prod": (lambda t: t.prod(), lambda a: a.prod()),
    "prod axis": (lambda t: t.prod(axis=1, keepdims=True), lambda a: a.prod(axis=1, keepdims=True)),
    "repeat": (lambda t: t.repeat(2), lambda a: a.repeat(2)),
    "repeat axis": (lambda t: t.repeat(2, axis=0), lambda a: a.repeat(2, axis=0)),
    "transpose": (lambda t: t.transpose(), lambda a: a.transpose()),
    "transpose axes": (lambda t: t.transpose(1, 0), lambda a: a.transpose(1, 0)),
    "transpose tuple": (lambda t: t.transpose((0, 1)), lambda a: a.transpose((0, 1))),
    "T": (lambda t: t.T, lambda a: a.T),
    "mT": (lambda t: t.mT, lambda a: a.mT),
    "swapaxes": (lambda t: t.swapaxes(0, 1), lambda a: a.swapaxes(0, 1)),
    "squeeze": (lambda t: t[:, :1].squeeze(1), lambda a: a[:, :1].squeeze(1)),
    "expand_dims": (lambda t: t.expand_dims(1), lambda a: np.expand_dims(a, 1)),
    "broadcast_to": (lambda t: t.broadcast_to((2, 3, 4)), lambda a: np.broadcast_to(a, (2, 3, 4))),
    "flip": (lambda t: t.flip(axis=0), lambda a: np.flip(a, 0)),
    "split": (lambda t: t.split(2, axis=1)[1], lambda a: np.split(a, 2, 1)[1]),
    "clip": (lambda t: t.clip(0.7, 1.5), lambda a: a.clip(0.7, 1.5)),
    "matmul": (lambda t: t.matmul(A.T), lambda a: a @ A.T),
    "dot": (lambda t: t.dot(A[0]), lambda a: a.dot(A[0])),
    "outer": (lambda t: t[0].outer(A[1]), lambda a: np.outer(a[0], A[1])),
    "abs": (lambda t: (-t).abs(), lambda a: np.abs(-a)),
    "astype": (lambda t: t.astype(np.float64), lambda a: a),
    **{
        name: ((lambda t, n=name: getattr(t, n)()), getattr(np, name))
        for name in ("sqrt", "square", "exp", "expm1", "log", "log1p", "sin", "cos", "tanh")
    },
    "sigmoid": (lambda t: t.sigmoid(), lambda a: 1 / (1 + np.exp(-a))),
    "relu": (lambda t: (t - 1).relu(), lambda a: np.maximum(a - 1, 0)),
    "softplus": (lambda t: t.softplus(), lambda a: np.log1p(np.exp(a))),
}


@pytest.mark.parametrize(("ours", "numpys"), METHODS.values(), ids=METHODS)
def test_methods_are_the_functions_of_their_name(ours, numpys):
    x = tg.Tensor(A, requires_grad=True)
    y = ours(x)
    assert type(y) is tg.Tensor
    assert y.requires_grad
    assert y.shape == np.shape(numpys(A))
    np.testing.assert_allclose(y.data, numpys(A), rtol=1e-13, atol=1e-15)
    u = np.asarray(np.random.default_rng(1).standard_normal(y.shape))
    y.backward(u)
    v = np.random.default_rng(2).standard_normal(A.shape)
    step = 1e-6
    slope = np.sum(u * (numpys(A + step * v) - numpys(A - step * v))) / (2 * step)
    np.testing.assert_allclose(np.sum(x.grad * v), slope, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_arg_extremes_are_plain_arrays(name, axis):
    found = getattr(tg.Tensor(A, requires_grad=True), name)(axis)
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, getattr(A, name)(axis))


def test_every_public_name_exists():
    for name in tg.__all__:
        assert getattr(tg, name, None) is not None, name


# -- operators -------------------------------------------------------------------------------------

OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
B = np.array([0.75, 1.5, 2.0, 1.25], dtype=np.float32)
OTHERS = {
    "ndarray": np.array([1.5, 0.5, 2.5, 1.0], dtype=np.float32),
    "column": np.array([[1.5], [0.5]], dtype=np.float32),
    "np.float64": np.float64(1.5),
    "np.float32": np.float32(1.5),
    "np.int64": np.int64(2),
    "np.bool": np.True_,
    "float": 1.5,
    "int": 2,
    "bool": True,
    "int array": np.array([1, 2, 3, 2]),
    "list": [1.5, 0.5, 2.5, 1.0],
    "tuple": (1, 2, 3, 2),
    "nested list": [[1.5, 0.5, 2.5, 1.0]],
    "tensor": tg.Tensor([1.5, 0.5, 2.5, 1.0]),
    "tracked tensor": tg.Tensor([1.5, 0.5, 2.5, 1.0], requires_grad=True),
}


@pytest.mark.parametrize("operate", OPERATORS.values(), ids=OPERATORS)
@together("other", OTHERS.values())
@together("side", ["left", "right"])
def test_operators_give_float32_tensors_with_gradients(operate, other, side):
    t = tg.Tensor(B, requires_grad=True)
    plain = other.data if isinstance(other, tg.Tensor) else np.asarray(other)
    wide, plain = B.astype(np.float64), plain.astype(np.float64)
    y = operate(t, other) if side == "left" else operate(other, t)

    def f(b):
        return operate(b, plain) if side == "left" else operate(plain, b)

    assert type(y) is tg.Tensor
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.data, f(wide), rtol=1e-6)
    u = np.random.default_rng(3).standard_normal(y.shape)
    y.backward(u)
    assert t.grad.dtype == np.float32
    step = 1e-6
    slopes = [np.sum(u * (f(wide + step * e) - f(wide - step * e))) / (2 * step) for e in np.eye(4)]
    np.testing.assert_allclose(t.grad, slopes, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    "other",
    [np.ones((4, 4), np.float32), np.eye(4, dtype=int), np.ones((4, 4), np.float32).tolist()],
    ids=["array", "ints", "list"],
)
def test_matmul_operator_with_arrays(other, side):
    t = tg.Tensor(B, requires_grad=True)
    y = t @ other if side == "left" else other @ t
    assert type(y) is tg.Tensor
    assert y.dtype == np.float32
    u = np.array([0.5, -1.0, 2.0, 0.25])
    y.backward(u)
    m = np.asarray(other)
    np.testing.assert_allclose(t.grad, m @ u if side == "left" else u @ m, rtol=1e-6)


@pytest.mark.parametrize(
    "shapes",
    [((4,), (4,)), ((4,), (4, 2)), ((3, 4), (4,)), ((2, 3, 4), (4,)), ((4,), (2, 4, 3))],
    ids=str,
)
def test_matmul_takes_vectors_as_rows_and_columns(shapes):
    rng = np.random.default_rng(4)
    a, b = (rng.standard_normal(s) for s in shapes)
    s, t = tg.Tensor(a, requires_grad=True), tg.Tensor(b, requires_grad=True)
    y = s @ t
    np.testing.assert_allclose(y.data, a @ b, rtol=1e-13)
    assert tg.gradcheck(tg.matmul, a, b, order=2)


def test_unary_operators_have_gradients():
    x = tg.Tensor(A - 1, requires_grad=True)
    np.testing.assert_array_equal((-x).data, 1 - A)
    np.testing.assert_array_equal((+x).data, A - 1)
    np.testing.assert_array_equal(abs(x).data, np.abs(A - 1))
    u = np.random.default_rng(5).standard_normal(A.shape)
    (-x + abs(x) * 3.0).backward(u)
    np.testing.assert_allclose(x.grad, u * (3 * np.sign(A - 1) - 1), rtol=1e-14)


@pytest.mark.parametrize(
    "operate", [operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift]
)
def test_operators_without_derivative_are_refused(operate):
    t = tg.Tensor(B, requires_grad=True)
    for other in (2, t, B, np.float64(2)):
        with pytest.raises(TypeError):
            operate(t, other)
        with pytest.raises(TypeError):
            operate(other, t)


@pytest.mark.parametrize(
    "operate", [operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow]
)
def test_in_place_operators_make_a_new_tensor(operate):
    """``t += 1`` means ``t = t + 1`` for every t: the old one is as it was."""
    x = tg.Tensor(B.copy(), requires_grad=True)
    y = operate(x, 2.0)
    assert y is not x
    assert y.requires_grad
    np.testing.assert_array_equal(x.data, B)


@pytest.mark.parametrize(
    "other",
    [
        1j,
        np.complex128(1j),
        np.array([1j] * 4),
        "a",
        None,
        object(),
        np.array([None] * 4),
        np.array(["a"] * 4),
        {"a": 1},
    ],
    ids=[
        "complex",
        "np.complex128",
        "complex array",
        "text",
        "none",
        "object",
        "object array",
        "text array",
        "dict",
    ],
)
@pytest.mark.parametrize("operate", OPERATORS.values(), ids=OPERATORS)
def test_operators_refuse_what_is_no_real_number(operate, other):
    t = tg.Tensor(B, requires_grad=True)
    with pytest.raises(TypeError):
        operate(t, other)
    with pytest.raises(TypeError):
        operate(other, t)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_lists_of_numbers_follow_the_tensor(dtype):
    """0.1 is not rounded to float32 in a float64 computation, and does not widen a float16 one."""
    numbers = [0.1, 0.2, 0.3, 0.7]
    t = tg.Tensor(B.astype(dtype), requires_grad=True)
    exact = np.array(numbers, dtype)
    for y in (t * numbers, numbers * t, tg.multiply(tuple(numbers), t)):
        assert y.dtype == dtype
        np.testing.assert_array_equal(y.data, B.astype(dtype) * exact)
    np.testing.assert_array_equal(tg.stack([t, numbers]).data[1], exact)
    np.testing.assert_array_equal(tg.concatenate([[0.1], t]).data[0], exact[0])
    assert (tg.Tensor([1, 2, 3, 4]) * numbers).dtype == np.float32
    assert (t * np.full(4, 0.1)).dtype == np.float64


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int64, np.uint8, np.bool_])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_numpy_scalars_take_the_dtype_of_the_tensor(dtype, kind):
    t = tg.Tensor(B.astype(dtype), requires_grad=True)
    for y in (
        t * kind(1),
        kind(1) + t,
        t / kind(1),
        tg.maximum(kind(1), t),
        tg.where(t > 1, t, kind(1)),
        t ** kind(1),
    ):
        assert y.dtype == dtype
        assert type(y) is tg.Tensor


# -- comparisons and hashing -----------------------------------------------------------------------

COMPARISONS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
COMPARED = ["array", "row", "float", "int", "np.float64", "tensor", "list"]


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize("compare", COMPARISONS.values(), ids=COMPARISONS)
@pytest.mark.parametrize(
    "other",
    [A[::-1].copy(), A[0], 1.0, 1, np.float64(1.0), tg.Tensor(A[0]), A[0].tolist()],
    ids=COMPARED,
)
def test_comparisons_give_plain_arrays(compare, other, tracked):
    t = tg.Tensor(A, requires_grad=tracked)
    plain = other.data if isinstance(other, tg.Tensor) else other
    left, right = compare(t, other), compare(other, t)
    assert type(left) is type(right) is np.ndarray
    assert left.dtype == right.dtype == np.bool_
    np.testing.assert_array_equal(left, compare(A, plain))
    np.testing.assert_array_equal(right, compare(plain, A))


def test_a_comparison_of_numbers_is_true_or_false():
    assert tg.Tensor(1.0) == 1.0
    assert tg.Tensor(1.0) < tg.Tensor(2.0)
    assert tg.Tensor(1.0) != 2.0
    with pytest.raises(ValueError, match="ambiguous"):
        bool(tg.Tensor([1.0, 2.0]) == tg.Tensor([1.0, 2.0]))
    assert 1.0 in tg.Tensor([1.0, 2.0])
    assert 3.0 not in tg.Tensor([1.0, 2.0])


def test_tensors_are_keys_by_identity():
    a, b = tg.Tensor([1.0, 2.0]), tg.Tensor([1.0, 2.0])
    book = {a: "a", b: "b"}
    assert (book[a], book[b], len({a, b, a})) == ("a", "b", 2)
    assert hash(a) == hash(a)
    assert a not in {b}


def test_subclasses_stay_subclasses():
    class Weight(tg.Tensor):
        __slots__ = ()

    w = Weight([1.0, 2.0], requires_grad=True)
    assert type(w.detach()) is Weight
    assert type(w * 2) is Weight
    (w * w).backward([1.0, 2.0])
    np.testing.assert_array_equal(w.grad, [2, 8])


@pytest.mark.parametrize(
    "data",
    [
        [0.5],
        0.5,
        np.array([0.5], ">f4"),
        np.array([0.5]),
        np.array([0.5], np.dtype("f4").newbyteorder("=")),
    ],
)
def test_a_gradient_is_not_converted_where_nothing_is_to_convert(data):
    x = tg.Tensor(data, dtype="float32", requires_grad=True)
    slope = tg.grad((tg.tanh(x) * x).sum(), x, create_graph=True)
    assert "astype" not in {value.node.op.name for value in toposort(slope)}
