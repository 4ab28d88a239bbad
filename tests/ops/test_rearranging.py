"""Functions that move entries, on any shapes and with any settings, compared with NumPy.

They are linear. So the gradient of ⟨u, f(x)⟩ is ⟨u, f(e)⟩ for each array e with a single 1.
"""

import itertools

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import tinygrad_rnn as tg

property_test = settings(
    max_examples=40, deadline=None, database=None, derandomize=True, phases=[Phase.generate]
)
SHAPES = array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
NUMBERS = st.integers(-4, 4)
AXES = st.none() | st.integers(-3, 2)
PAIRS = st.tuples(st.integers(0, 3), st.integers(0, 3))


def one(function, **drawn):
    """Return a strategy of calls of a function of one array, with settings that are drawn."""
    return st.fixed_dictionaries(drawn).map(lambda s: lambda a: function(a, **s))


FUNCTIONS = {
    "diag": one(np.diag, k=NUMBERS),
    "diagflat": one(np.diagflat, k=NUMBERS),
    "diagonal": one(np.diagonal, offset=NUMBERS, axis1=NUMBERS, axis2=NUMBERS),
    "trace": one(np.trace, offset=NUMBERS, axis1=NUMBERS, axis2=NUMBERS),
    "tril": one(np.tril, k=NUMBERS),
    "triu": one(np.triu, k=NUMBERS),
    "tile": one(np.tile, reps=st.integers(0, 3) | st.lists(st.integers(0, 2), max_size=4)),
    "roll": one(np.roll, shift=NUMBERS, axis=AXES),
    "roll, several axes": one(np.roll, shift=PAIRS, axis=st.tuples(NUMBERS, NUMBERS)),
    "rot90": one(np.rot90, k=NUMBERS, axes=st.tuples(NUMBERS, NUMBERS)),
    "fliplr": st.just(np.fliplr),
    "flipud": st.just(np.flipud),
    "resize": one(np.resize, new_shape=st.lists(st.integers(0, 3), max_size=3).map(tuple)),
    "rollaxis": one(np.rollaxis, axis=NUMBERS, start=NUMBERS),
    "atleast_1d": st.just(np.atleast_1d),
    "atleast_2d": st.just(np.atleast_2d),
    "atleast_3d": st.just(np.atleast_3d),
    "hsplit": one(np.hsplit, indices_or_sections=st.lists(NUMBERS, max_size=3)),
    "vsplit": one(np.vsplit, indices_or_sections=st.lists(NUMBERS, max_size=3)),
    "dsplit": one(np.dsplit, indices_or_sections=st.lists(NUMBERS, max_size=3)),
    "array_split": one(np.array_split, indices_or_sections=st.integers(1, 4), axis=NUMBERS),
    "unstack": one(np.unstack, axis=NUMBERS),
    "take": one(
        np.take,
        indices=st.lists(NUMBERS, max_size=4).map(lambda i: np.array(i, int)) | NUMBERS,
        axis=AXES,
        mode=st.sampled_from(["raise", "wrap", "clip"]),
    ),
    "delete": one(np.delete, obj=st.lists(NUMBERS, max_size=3) | NUMBERS, axis=AXES),
    "compress": st.tuples(st.lists(st.booleans(), max_size=3), AXES).map(
        lambda s: lambda a: np.compress(*s[:1], a, axis=s[1])
    ),
    "pad constant": one(np.pad, pad_width=st.integers(0, 3) | PAIRS),
    "pad edge": one(np.pad, pad_width=PAIRS, mode=st.just("edge")),
    "pad wrap": one(np.pad, pad_width=PAIRS, mode=st.just("wrap")),
    "pad reflect": one(np.pad, pad_width=PAIRS, mode=st.just("reflect")),
    "pad symmetric": one(np.pad, pad_width=PAIRS, mode=st.just("symmetric")),
    "pad mean": one(
        np.pad, pad_width=PAIRS, mode=st.just("mean"), stat_length=st.none() | st.integers(1, 4)
    ),
    "pad linear_ramp": one(np.pad, pad_width=PAIRS, mode=st.just("linear_ramp")),
    "append": st.tuples(AXES).map(lambda s: lambda a: np.append(a, a, axis=s[0])),
    "insert": st.tuples(st.lists(NUMBERS, min_size=1, max_size=2), AXES).map(
        lambda s: lambda a: np.insert(a, s[0], a[:1] if np.ndim(a) else a, axis=s[1])
    ),
    "vstack": st.just(lambda a: np.vstack([a, a])),
    "hstack": st.just(lambda a: np.hstack([a, a])),
    "dstack": st.just(lambda a: np.dstack([a, a])),
    "column_stack": st.just(lambda a: np.column_stack([a, a])),
    "block": st.just(lambda a: np.block([[a, a], [a, a]])),
    "broadcast_arrays": st.just(lambda a: np.broadcast_arrays(a, a[..., :1] if a.ndim else a)),
}


def outputs(y):
    """Return the results of a call as a list."""
    return list(y) if isinstance(y, list | tuple) else [y]


def call_of_numpy(f, a):
    """Return NumPy's results, or None if NumPy refuses the call."""
    try:
        return outputs(f(a))
    except (ValueError, IndexError, TypeError):
        return None


@pytest.mark.parametrize("name", FUNCTIONS)
@property_test
@given(data=st.data())
def test_a_function_that_moves_entries_is_numpys_with_its_adjoint_as_gradient(name, data):
    f, shape = data.draw(FUNCTIONS[name]), data.draw(SHAPES)
    rng = np.random.default_rng(1)
    a = np.asarray(rng.standard_normal(shape))
    x = tg.Tensor(a, requires_grad=True)
    expected = call_of_numpy(f, a)
    if name == "take" and not a.size:
        return  # NumPy does not look whether the numbers are in range if the result is empty
    if expected is None:
        with pytest.raises((ValueError, IndexError, TypeError)):
            f(x)
        return
    found = outputs(f(x))
    assert len(found) == len(expected)
    total, cotangents = 0, []
    for y, e in zip(found, expected, strict=True):
        assert type(y) is tg.Tensor
        assert (y.shape, y.dtype) == (np.shape(e), np.asarray(e).dtype)
        np.testing.assert_allclose(y.data, e, rtol=1e-14, atol=1e-15)
        cotangents.append(np.asarray(rng.standard_normal(np.shape(e))))
        total = total + (y * cotangents[-1]).sum()
    if not found or not a.size:
        return
    total.backward()
    for index in itertools.islice(np.ndindex(a.shape), 6):
        basis = np.zeros(a.shape)
        basis[index] = 1
        moved = zip(cotangents, outputs(f(basis)), outputs(f(0 * basis)), strict=True)
        change = sum(np.sum(u * (e - zero)) for u, e, zero in moved)
        np.testing.assert_allclose(x.grad[index], change, rtol=1e-12, atol=1e-13)


def test_the_property_refuses_a_wrong_gradient():
    """A function whose gradient is not its adjoint fails the comparison above."""
    x = tg.Tensor(np.ones(3), requires_grad=True)
    (np.roll(x, 1).detach() * np.arange(3.0) + x * 0).sum().backward()
    assert not np.array_equal(x.grad, np.roll(np.arange(3.0), -1))


@property_test
@given(
    shape=array_shapes(min_dims=1, max_dims=2, max_side=3),
    n=st.integers(1, 3),
    seed=st.integers(0, 99),
    mode=st.sampled_from(["wrap", "clip"]),
)
def test_choose_and_select_take_entries_as_numpy_does(shape, n, seed, mode):
    rng = np.random.default_rng(seed)
    choices = [rng.standard_normal(shape[i % len(shape) :]) for i in range(n)]
    inputs = [tg.Tensor(c, requires_grad=True) for c in choices]
    number, u = rng.integers(-3, 6, shape), rng.standard_normal(shape)
    conditions = [rng.random(shape) < 0.4 for _ in choices]
    for f in (
        lambda parts: np.choose(number, parts, mode=mode),
        lambda parts: np.select(conditions, parts, parts[0]),
        lambda parts: np.select(conditions, parts),
    ):
        y, expected = f(inputs), f(choices)
        np.testing.assert_array_equal(y.data, expected)
        u = np.asarray(rng.standard_normal(y.shape))
        gradients = tg.grad(y, inputs, grad_output=u)
        for i, g in enumerate(gradients):
            for index in np.ndindex(choices[i].shape):
                basis = [np.zeros(c.shape) for c in choices]
                basis[i][index] = 1
                np.testing.assert_allclose(g.data[index], np.sum(u * f(basis)), atol=1e-13)


# -- single cases ----------------------------------------------------------------------------------


def test_numbers_side_by_side_make_a_row():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    row = np.hstack([x.sum(), 5, x.mean()])
    assert row.tolist() == [3.0, 5.0, 1.5]
    np.testing.assert_array_equal(tg.grad(row.sum(), x).data, [1.5, 1.5])
    assert np.vstack([x.sum(), x.mean()]).tolist() == [[3.0], [1.5]]


def test_numbers_and_lists_beside_float32_tensors_stay_float32():
    t = tg.Tensor(np.ones(2, np.float32), requires_grad=True)
    for y in (
        np.hstack([t, 0.5, [1.5, 2]]),
        np.append(t, np.float64(2.0)),
        np.insert(t, 0, 0.25),
        np.block([[t, 0.5]]),
        np.select([t.data > 0], [t], 0.5),
        np.pad(t, 1, constant_values=0.1),
        np.pad(t, 1, "linear_ramp", end_values=0.1),
        np.linspace(0, t, 3),
        np.kron(t, [0.5]),
        np.inner(t, 0.5),
    ):
        assert y.dtype == np.float32


def test_nan_and_inf_in_an_entry_that_is_left_out_have_no_effect():
    x = tg.Tensor([np.nan, 1.0, np.inf], requires_grad=True)
    y = np.delete(x, [0, 2])
    y.backward([2.0])
    np.testing.assert_array_equal(y.data, [1])
    np.testing.assert_array_equal(x.grad, [0, 2, 0])
    m = tg.Tensor([[1.0, np.inf], [2.0, 3.0]], requires_grad=True)
    (np.tril(m) * 2).backward([[1.0, np.inf], [1.0, 1.0]])
    np.testing.assert_array_equal(m.grad, [[2, 0], [2, 2]])


def test_piecewise_calls_each_function_on_its_own_entries():
    x = tg.Tensor([-4.0, 0.0, 9.0], requires_grad=True)
    with np.errstate(all="raise"):
        y = np.piecewise(x, [x > 0, x < 0], [np.sqrt, lambda a: np.sqrt(-a), 7.0])
    np.testing.assert_array_equal(y.data, [2, 7, 3])
    np.testing.assert_allclose(tg.grad(y.sum(), x).data, [-1 / 4, 0, 1 / 6])
    last = np.piecewise(x, [x < 1, x < -1], [1.0, lambda a, b, c=0: a * b + c], 2, c=3)
    np.testing.assert_array_equal(last.data, [-5, 1, 0])


def test_full_like_fills_with_a_tensor():
    x = tg.Tensor(2.5, requires_grad=True)
    like = tg.Tensor(np.zeros((2, 3)))
    y = np.full_like(like, x)
    assert (y.shape, y.dtype) == ((2, 3), np.float64)
    assert tg.grad(y.sum(), x).item() == 6
    assert type(np.full_like(like, 2.5)) is np.ndarray


def test_lists_of_tensors_are_stacked():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    y = np.append(x, [x.sum(), 4.0])
    assert y.tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(tg.grad(y @ np.arange(4.0), x).data, [2, 3])
    np.testing.assert_array_equal(np.kron(x, [[x[0], x[1]]]).data, np.kron([1, 2], [[1, 2]]))


METHODS = {
    "trace": lambda a: a.trace(1),
    "diagonal": lambda a: a.diagonal(-1),
    "take": lambda a: a.take([2, 0], axis=1),
    "cumprod": lambda a: a.cumprod(axis=0),
    "round": lambda a: a.round(1),
    "dot": lambda a: a.dot(a.T),
    "dot, a number": lambda a: a.dot(2.0),
    "dot, more axes": lambda a: a.dot(a.reshape(2, 3, 2) * 2),
}


@pytest.mark.parametrize("f", METHODS.values(), ids=METHODS)
def test_methods_do_what_those_of_an_array_do(f):
    a = np.arange(1.0, 13.0).reshape(4, 3) / 7
    y = f(tg.Tensor(a, requires_grad=True))
    assert y.requires_grad
    np.testing.assert_allclose(y.data, f(a), rtol=1e-14)


def test_where_with_a_condition_alone_gives_the_places():
    t = tg.Tensor([[0.0, 1.0], [2.0, 0.0]])
    for found, expected in zip(np.where(t), np.where(t.data), strict=True):
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, expected)


def test_concatenate_without_axis_flattens():
    t = tg.Tensor([[1.0], [2.0]], requires_grad=True)
    y = np.concatenate([t, np.ones((1, 2))], axis=None)
    assert y.tolist() == [1, 2, 1, 1]
    np.testing.assert_array_equal(tg.grad(y.sum(), t).data, [[1], [1]])
