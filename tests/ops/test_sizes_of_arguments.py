"""Every op on numbers without axes, on empty arrays, and on arrays that broadcast."""

import numpy as np
import pytest
from every_op import (
    BINARY,
    BROADCASTING,
    CASES,
    OPS,
    REDUCTIONS,
    UNARY,
    call,
    call_public,
    differences,
    draw_scalars,
    every_case,
    reference,
    reference_or_none,
    takes_integers_up_to,
    tracked,
    value_and_gradients,
)
from helpers import together
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from internals import Sampler, domain_of_inputs

import tinygrad_rnn as tg

property_test = settings(max_examples=60, deadline=None, database=None, derandomize=True)


# -- without axes, and without entries ----

MORE_ZERO_D = [
    ("clip", 1, {"min": -0.5, "max": 5.0}),
    ("getitem", 1, {"index": ()}),
    ("getitem", 1, {"index": (None, ...)}),
    ("getitem", 1, {"index": np.True_}),
    ("scatter", 2, {"indices": [(), ()], "shape": ()}),
    ("repeat", 1, {"repeats": 3}),
    ("reshape", 1, {"shape": (1, 1)}),
    ("expand_dims", 1, {"axis": 0}),
    ("broadcast_to", 1, {"shape": (2, 3)}),
    ("stack", 2, {}),
    ("einsum", 2, {"subscripts": ",->"}),
    ("scatter_rows", 1, {"index": np.array(1), "size": 3}),
]
"""Calls with numbers without axes that no sample has the settings of."""
ZERO_D = {
    f"{name} {params}": (name, n, {**OPS[name].defaults, **params})
    for name, n, params in [
        *((name, len(arrays), params) for name, arrays, params in CASES),
        *MORE_ZERO_D,
    ]
    if reference_or_none(name, draw_scalars(name, n), {**OPS[name].defaults, **params}) is not None
}
NEED_AN_AXIS = sorted(OPS.keys() - {name for name, _, _ in ZERO_D.values()})


def test_every_call_without_axes_is_made():
    assert len(ZERO_D) >= 60
    assert {name for name, _, _ in MORE_ZERO_D} <= {name for name, _, _ in ZERO_D.values()}
    assert {"concatenate", "gather", "linear", "matmul"} <= set(NEED_AN_AXIS)


@pytest.mark.parametrize(("name", "n", "params"), ZERO_D.values(), ids=ZERO_D)
def test_an_op_takes_numbers_without_axes(name, n, params):
    """Wherever the reference takes numbers without axes, so does the op."""
    arrays = draw_scalars(name, n)
    y, gradients = value_and_gradients(name, arrays, params)
    expected = reference(name, arrays, params)
    assert type(y) is np.ndarray
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-13, atol=1e-15)
    for i, gradient in enumerate(gradients):
        if gradient is not None:
            assert type(gradient) is np.ndarray
            assert gradient.shape == ()
            expected = differences(lambda *moved: OPS[name].reference(*moved, **params), arrays, i)
            np.testing.assert_allclose(gradient, expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", NEED_AN_AXIS)
def test_an_op_that_needs_an_axis_names_itself(name):
    _, arrays, params = next(case for case in CASES if case[0] == name)
    with pytest.raises((ValueError, IndexError), match=name):
        call_public(name, [tg.Tensor(0.5)] * len(arrays), params)


NUMBERS = {
    name: params
    for name, n, params in ZERO_D.values()
    if n == 1
    and takes_integers_up_to(2, name)
    and name not in ("astype", "getitem", "softmax", "log_softmax")
}


@pytest.mark.parametrize(("name", "params"), NUMBERS.items(), ids=NUMBERS)
@together("number", [1.5, 2, np.float32(1.5), np.float16(1.5), np.int8(2)])
def test_a_number_alone_is_taken_as_numpy_takes_it(name, params, number):
    """`tg.tanh(1.0)` is `np.tanh(1.0)`, a float64; a scalar of NumPy's keeps its dtype."""
    y = call(name, [number], params)
    expected = np.asarray(OPS[name].reference(np.asarray(number), **params))
    assert isinstance(y, np.ndarray | np.generic)
    assert y.dtype == expected.dtype
    np.testing.assert_allclose(y, expected, rtol=1e-3 if y.dtype == np.float16 else 1e-6)


def shapes_without_entries(arrays):
    """Yield the shapes of these arrays with one size set to 0 wherever it occurs."""
    for size in sorted({n for a in arrays for n in np.shape(a)}):
        yield [tuple(0 if n == size else n for n in np.shape(a)) for a in arrays]


def has_nothing_along_its_axis(shape, params):
    """Return whether an op that goes along one axis, and keeps it, finds no entries there."""
    along_one = "keepdims" not in params and isinstance(params.get("axis"), int)
    return along_one and shape[params["axis"]] == 0


MORE_EMPTY = [
    ("sum", [(0, 3)], {"axis": 0}),
    ("sum", [(0, 3)], {}),
    ("lerp", [(0, 3), (1, 3), (3,)], {}),
    ("where", [(0, 3), (3,), (0, 1)], {}),
    ("clip", [(3, 0)], {"min": -0.5, "max": 0.5}),
    ("astype", [(0,)], {"dtype": np.dtype(np.float64)}),
    ("getitem", [(0, 3)], {"index": (slice(None), 1)}),
    ("getitem", [(4, 3)], {"index": np.zeros(0, dtype=np.intp)}),
    ("getitem", [(4, 3)], {"index": slice(2, 2)}),
    ("scatter", [(0, 3), (2, 3)], {"indices": [slice(0, 0), [1, 1]], "shape": (2, 3)}),
    ("gather", [(0, 3)], {"index": np.zeros(0, dtype=np.intp)}),
    ("scatter_rows", [(0,)], {"index": np.zeros(0, dtype=np.intp), "size": 3}),
    ("prod", [(0, 3)], {"axis": 0}),
    ("prod", [(0, 3)], {}),
    ("repeat", [(0, 3)], {"repeats": 2}),
    ("repeat", [(0, 3)], {"repeats": [2, 0, 1], "axis": 1}),
    ("reshape", [(0, 3)], {"shape": (3, 0, 2)}),
    ("transpose", [(0, 3)], {}),
    ("squeeze", [(0, 1)], {}),
    ("expand_dims", [(0,)], {"axis": 1}),
    ("broadcast_to", [(1, 3)], {"shape": (0, 3)}),
    ("flip", [(0, 3)], {}),
    ("concatenate", [(0, 3), (2, 3)], {}),
    ("stack", [(0, 3), (0, 3)], {}),
    ("cumsum", [(0, 3)], {"axis": 0}),
    ("softmax", [(0, 3)], {}),
    ("log_softmax", [(0, 3)], {}),
    ("matmul", [(0, 3), (3, 2)], {}),
    ("matmul", [(2, 0), (0, 3)], {}),
    ("matmul", [(2, 3, 0), (0, 2)], {}),
    ("matmul", [(2, 0, 3), (3, 2)], {}),
    ("matmul", [(0, 2, 3), (0, 3, 1)], {}),
    ("linear", [(0, 3), (2, 3), (2,)], {}),
    ("linear", [(4, 0, 3), (2, 3), (2,)], {}),
    ("linear", [(2, 3, 0), (2, 0), (2,)], {}),
    ("linear", [(2, 3, 4), (0, 4), (0,)], {}),
    ("einsum", [(0, 3), (3, 2)], {"subscripts": "ij,jk->ik"}),
    ("einsum", [(0, 3)], {"subscripts": "ij->j"}),
]
"""Calls with empty arrays that every op must take, whatever its samples are."""
EMPTY = [
    *((name, shapes, {}) for name in UNARY for shapes in [[(0, 3)]]),
    *((name, [(2, 0, 3), (3,)], {}) for name in BINARY),
    *((name, [(0, 3)], {"axis": 1}) for name in REDUCTIONS),
    *MORE_EMPTY,
]
every_empty = pytest.mark.parametrize(
    ("name", "shapes", "params"), EMPTY, ids=[f"{c[0]}-{i}" for i, c in enumerate(EMPTY)]
)


def draw_arrays(name, shapes):
    """Return arrays of these shapes for the inputs of an op, in their domains."""
    draw, op = Sampler(np.random.default_rng(4)), OPS[name]
    domains = domain_of_inputs(op) * (len(shapes) if op.variadic else 1)
    return [draw.inside(domain, *shape) for domain, shape in zip(domains, shapes, strict=True)]


@every_empty
def test_an_op_takes_empty_arrays(name, shapes, params):
    params = {**OPS[name].defaults, **params}
    arrays = draw_arrays(name, shapes)
    y, gradients = value_and_gradients(name, arrays, params)
    expected = reference(name, arrays, params)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-13)
    for i, gradient in enumerate(gradients):
        if gradient is not None:
            assert gradient.shape == shapes[i]
            expected = differences(lambda *moved: OPS[name].reference(*moved, **params), arrays, i)
            np.testing.assert_allclose(gradient, expected, rtol=1e-8, atol=1e-9)


@every_case
def test_without_entries_an_op_gives_what_its_reference_gives(name, arrays, params):
    """A size of the sample is set to 0, except along the axis of an op like softmax."""
    for shapes in shapes_without_entries(arrays):
        empty = draw_arrays(name, shapes)
        expected = reference_or_none(name, empty, params)
        if expected is None or has_nothing_along_its_axis(shapes[0], params):
            continue
        y, gradients = value_and_gradients(name, empty, params)
        np.testing.assert_allclose(y, expected, rtol=1e-13)
        assert y.shape == expected.shape
        for gradient, shape in zip(gradients, shapes, strict=True):
            assert gradient is None or gradient.shape == shape


# -- broadcasting ----------------------------------------------------------------------------------


def folded(full, shape):
    """Return the sum of `full` over the copies that broadcasting made of each entry."""
    size = int(np.prod(shape))
    origin = np.broadcast_to(np.arange(size).reshape(shape), full.shape)
    return np.bincount(origin.ravel(), weights=full.ravel(), minlength=size).reshape(shape)


DERIVATIVES = {
    "add": lambda g, a, b: (g, g),
    "subtract": lambda g, a, b: (g, -g),
    "multiply": lambda g, a, b: (g * b, g * a),
    "divide": lambda g, a, b: (g / b, -g * a / b**2),
    "power": lambda g, a, b: (g * b * a ** (b - 1), g * a**b * np.log(a)),
    "maximum": lambda g, a, b: (g * (a > b), g * (b > a)),
    "minimum": lambda g, a, b: (g * (a < b), g * (b < a)),
    "lerp": lambda g, a, b, w: (g * (1 - w), g * w, g * (b - a)),
    "where": lambda g, c, a, b: (None, g * c, g * ~c),
}
"""The derivatives of some ops, written by hand."""


@pytest.mark.parametrize("name", BROADCASTING)
@property_test
@given(data=st.data())
def test_gradients_of_broadcast_inputs_are_summed(name, data):
    n = len(OPS[name].inputs)
    shapes = data.draw(
        mutually_broadcastable_shapes(num_shapes=n, min_side=0, max_side=3, max_dims=4)
    ).input_shapes
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    domains, draw = domain_of_inputs(OPS[name]), Sampler(rng)
    arrays = [draw.inside(domain, *shape) for domain, shape in zip(domains, shapes, strict=True)]
    inputs = tracked(name, arrays)
    y = OPS[name](*inputs)
    expected = OPS[name].reference(*arrays)
    assert y.shape == np.shape(expected)
    np.testing.assert_allclose(y.data, expected, rtol=1e-13, atol=1e-14)  # lerp's terms can cancel
    u = rng.standard_normal(y.shape)
    y.backward(u)
    if name in DERIVATIVES:
        gradients = DERIVATIVES[name](u, *arrays)
    else:  # those of the same op, where nothing is broadcast
        whole = tracked(name, [np.array(np.broadcast_to(a, y.shape)) for a in arrays])
        OPS[name](*whole).backward(u)
        gradients = [getattr(x, "grad", None) for x in whole]
    for x, full in zip(inputs, gradients, strict=True):
        if full is not None:
            assert x.grad.shape == x.shape
            np.testing.assert_allclose(
                x.grad, folded(np.broadcast_to(full, y.shape), x.shape), rtol=1e-12, atol=1e-12
            )
