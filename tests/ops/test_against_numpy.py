"""Every op against its reference, on what Hypothesis draws: values and gradients.

Shapes, settings, indices, dtypes and layouts are drawn; see `drawn_calls`.
"""

import numpy as np
import pytest
from drawn_calls import draw_call
from every_op import OPS, call_public, every_op, reference, takes_integers_up_to
from helpers import with_gaps, with_negative_strides
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg

property_test = settings(max_examples=30, deadline=None, database=None, derandomize=True)


def leaves(arrays):
    """Return the arrays, as Tensors that require gradients where they hold floats."""
    return [tg.Tensor(a, requires_grad=True) if a.dtype.kind == "f" else a for a in arrays]


def differences(f, arrays, i, u, eps=1e-3):
    """Return the gradient of ⟨u, f⟩ with respect to arrays[i], by differences of sixth order."""
    found, moved = np.zeros(arrays[i].shape), [np.array(a) for a in arrays]
    for place in np.ndindex(found.shape):
        middle = moved[i][place]
        sides = []
        for step in (1, 2, 3):
            moved[i][place] = middle + step * eps
            above = np.sum(u * f(*moved))
            moved[i][place] = middle - step * eps
            sides.append(above - np.sum(u * f(*moved)))
        moved[i][place] = middle
        found[place] = (45 * sides[0] - 9 * sides[1] + sides[2]) / (60 * eps)
    return found


@every_op
@property_test
@given(data=st.data())
def test_values_and_gradients_are_those_of_the_reference(name, data):
    arrays, params, d = draw_call(name, data)
    y, expected = (
        call_public(name, inputs := leaves(arrays), params),
        reference(name, arrays, params),
    )
    assert type(y.data) is np.ndarray
    assert y.shape == expected.shape
    assert y.dtype == expected.dtype
    np.testing.assert_allclose(y.data, expected, rtol=1e-12, atol=1e-12)
    u = d.rng.standard_normal(y.shape).astype(y.dtype)
    y.backward(u)
    smooth = (lambda a: a) if name == "astype" else lambda *moved: reference(name, moved, params)
    for i, x in enumerate(inputs):
        if isinstance(x, tg.Tensor):
            assert x.grad.shape == x.shape
            assert x.grad.dtype == np.float64
            np.testing.assert_allclose(
                x.grad, differences(smooth, arrays, i, u), rtol=1e-8, atol=1e-8
            )


@every_op
@settings(property_test, max_examples=12)
@given(data=st.data())
def test_numbers_are_the_same_in_any_floating_dtype(name, data):
    """The result and the gradient have the Tensor's dtype, and the numbers of float64, rounded."""
    arrays, params, d = draw_call(name, data)
    dtype = np.dtype(d(st.sampled_from([np.float16, np.float32])))
    narrow = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    wide = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in narrow]
    outcomes = []
    for given_arrays in (narrow, wide):
        y = call_public(name, inputs := leaves(given_arrays), params)
        u = np.random.default_rng(3).uniform(-1, 1, y.shape).astype(dtype)
        y.backward(u)
        outcomes.append((y, [x for x in inputs if isinstance(x, tg.Tensor)]))
    (y, inputs), (exact, exact_inputs) = outcomes
    assert y.dtype == (params["dtype"].newbyteorder("=") if name == "astype" else dtype)
    near = {"rtol": 60 * np.finfo(dtype).eps, "atol": 60 * np.finfo(dtype).eps}
    np.testing.assert_allclose(y.data.astype(np.float64), exact.data.astype(np.float64), **near)
    for x, other in zip(inputs, exact_inputs, strict=True):
        assert x.grad.dtype == dtype
        np.testing.assert_allclose(x.grad.astype(np.float64), other.grad, **near)


@pytest.mark.parametrize("name", [name for name in OPS if takes_integers_up_to(4, name)])
@settings(property_test, max_examples=12)
@given(data=st.data())
def test_integers_give_the_numbers_of_floats(name, data):
    """Integers give the numbers that floats give, in integers or the default float, ungraded."""
    arrays, params, d = draw_call(name, data)
    dtype = d(st.sampled_from([np.int32, np.int64]))
    whole = [np.ceil(np.abs(a) * 2).astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    if name == "clip":
        params = {bound: np.ceil(value).astype(dtype) for bound, value in params.items()}
    y = call_public(name, [tg.Tensor(a) for a in whole], params)
    floats = [a.astype(np.float64) if a.dtype.kind == "i" else a for a in whole]
    assert y.dtype in (
        np.float32,
        np.int32,
        np.int64,
        *([params["dtype"].newbyteorder("=")] if name == "astype" else []),
    )
    assert not y.requires_grad
    np.testing.assert_allclose(y.data, reference(name, floats, params), rtol=1e-5, atol=1e-6)


LAYOUTS = {
    "fortran": lambda a: np.array(a, order="F"),
    "negative strides": with_negative_strides,
    "every second": with_gaps,
    "other byte order": lambda a: a.astype(a.dtype.newbyteorder()),
    "fortran in the other byte order": lambda a: np.array(a, a.dtype.newbyteorder(), order="F"),
}


@every_op
@settings(property_test, max_examples=20)
@given(data=st.data())
def test_layout_and_byte_order_of_inputs_do_not_matter(name, data):
    """A read-only array in any layout gives the same numbers, in the machine's byte order."""
    arrays, params, d = draw_call(name, data)
    dtype = d(st.sampled_from([np.float32, np.float64]))
    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    odd = [np.asarray(d(st.sampled_from(list(LAYOUTS.values())))(a)) for a in arrays]
    for a in odd:
        a.flags.writeable = False
    floating = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
    constants = d(
        st.sets(st.sampled_from(floating), max_size=len(floating) - 1)
    )  # one at least is a Tensor with gradients
    outcomes = []
    for given_arrays in (arrays, odd):
        inputs = [
            a if i in constants or i not in floating else tg.Tensor(a, requires_grad=True)
            for i, a in enumerate(given_arrays)
        ]
        y = call_public(name, inputs, params)
        y.backward(np.random.default_rng(4).standard_normal(y.shape).astype(y.dtype))
        outcomes.append((y.data, [x.grad for x in inputs if isinstance(x, tg.Tensor)]))
    (expected, expected_gradients), (found, gradients) = outcomes
    near = {"rtol": 20 * np.finfo(dtype).eps, "atol": 20 * np.finfo(dtype).eps}
    assert found.dtype == expected.dtype
    assert found.dtype.isnative
    np.testing.assert_allclose(found, expected, **near)
    for g, other in zip(gradients, expected_gradients, strict=True):
        assert g.dtype == dtype
        assert g.dtype.isnative
        np.testing.assert_allclose(g, other, **near)
