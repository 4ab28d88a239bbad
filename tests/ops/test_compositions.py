"""Every function composed of ops, against NumPy's function and against finite differences."""

import inspect

import numpy as np
import pytest
from every_composition import (
    COMPOSITIONS,
    calls,
    every_call,
    every_composition,
    flat,
    floats,
    with_floats,
)
from helpers import together, with_negative_strides

import tinygrad_rnn as tg


def tensors(arguments, dtype=np.float64):
    """Return the arguments with a Tensor that requires gradients in place of each float array."""
    made = [tg.Tensor(a, requires_grad=True, dtype=dtype) for a in floats(arguments)]
    return with_floats(arguments, made), made


def test_there_are_compositions():
    assert len(COMPOSITIONS) >= 7


@every_call
@pytest.mark.filterwarnings("ignore:`trapz` is deprecated")  # by NumPy's dispatcher, before 2.4
def test_a_composition_gives_what_numpys_function_gives(name, args, kwargs):
    made = COMPOSITIONS[name]
    (inputs, named), leaves = tensors((args, kwargs))
    expected = flat(made.reference(*args, **kwargs))
    for function in (made.function, *made.numpy_functions):
        found = flat(function(*inputs, **named))
        assert len(found) == len(expected)
        for y, e in zip(found, expected, strict=True):
            assert isinstance(y, tg.Tensor)
            assert y.shape == np.shape(e)
            assert y.dtype == np.asarray(e).dtype
            np.testing.assert_allclose(y.data, e, rtol=1e-13, atol=1e-14)
            assert y.requires_grad or not leaves


@every_call
def test_a_composition_of_plain_arrays_is_plain(name, args, kwargs):
    made = COMPOSITIONS[name]
    for y, e in zip(
        flat(made.function(*args, **kwargs)), flat(made.reference(*args, **kwargs)), strict=True
    ):
        assert not isinstance(y, tg.Tensor)
        assert np.shape(y) == np.shape(e)
        np.testing.assert_allclose(y, e, rtol=1e-13, atol=1e-14)


@every_call
def test_a_composition_takes_lists(name, args, kwargs):
    """But not `block`, to which a list says along which axis to join."""
    if name == "block":
        return
    made = COMPOSITIONS[name]
    lists = [a.tolist() if a.size else a for a in floats((args, kwargs))]
    inputs, named = with_floats((args, kwargs), lists)
    expected = flat(made.reference(*args, **kwargs))
    for y, e in zip(flat(made.function(*inputs, **named)), expected, strict=True):
        assert np.asarray(y).dtype == np.asarray(e).dtype
        np.testing.assert_allclose(y, e, rtol=1e-13, atol=1e-14)


@every_composition
@together("seed", range(2))
def test_a_composition_passes_gradcheck_to_second_order(name, seed):
    made = COMPOSITIONS[name]
    for args, kwargs in calls(made, seed):

        def call(*values, both=(args, kwargs)):
            inputs, named = with_floats(both, values)
            return made.function(*inputs, **named)

        rng = np.random.default_rng(seed)
        assert tg.gradcheck(call, *floats((args, kwargs)), order=2, rng=rng)


@every_call
def test_the_gradient_of_a_composition_is_that_of_numpys_function(name, args, kwargs):
    made, rng, step = COMPOSITIONS[name], np.random.default_rng(5), 1e-6
    (inputs, named), leaves = tensors((args, kwargs))
    arrays = floats((args, kwargs))
    directions = [np.asarray(rng.standard_normal(a.shape)) for a in arrays]

    def reference(distance):
        moved = [a + distance * v for a, v in zip(arrays, directions, strict=True)]
        inputs, named = with_floats((args, kwargs), moved)
        return [np.asarray(y) for y in flat(made.reference(*inputs, **named))]

    outputs = flat(made.function(*inputs, **named))
    cotangents = [rng.standard_normal(y.shape) for y in outputs]
    total = sum((y * u).sum() for y, u in zip(outputs, cotangents, strict=True))
    total.backward()
    found = sum(np.sum(x.grad * v) for x, v in zip(leaves, directions, strict=True))
    change = [
        np.sum(u * (above - below))
        for u, above, below in zip(cotangents, reference(step), reference(-step), strict=True)
    ]
    np.testing.assert_allclose(found, sum(change) / (2 * step), rtol=1e-6, atol=1e-7)


@every_call
def test_a_composition_keeps_single_precision(name, args, kwargs):
    made = COMPOSITIONS[name]
    single = with_floats((args, kwargs), [a.astype(np.float32) for a in floats((args, kwargs))])
    (inputs, named), leaves = tensors(single, np.float32)
    total = 0
    for y, e in zip(
        flat(made.function(*inputs, **named)), flat(made.reference(*args, **kwargs)), strict=True
    ):
        assert y.dtype == (np.float64 if name == "float_power" else np.float32)
        np.testing.assert_allclose(y.data, e, rtol=1e-4, atol=1e-5)
        total = total + y.sum()
    total.backward()
    assert {x.grad.dtype for x in leaves} <= {np.dtype(np.float32)}


@every_call
def test_the_layout_of_the_arrays_does_not_matter_to_a_composition(name, args, kwargs):
    made = COMPOSITIONS[name]
    odd = [with_negative_strides(a) if a.ndim else a for a in floats((args, kwargs))]
    for a in odd:
        a.flags.writeable = False
    (inputs, named), _ = tensors(with_floats((args, kwargs), odd), None)
    for y, e in zip(
        flat(made.function(*inputs, **named)), flat(made.reference(*args, **kwargs)), strict=True
    ):
        np.testing.assert_allclose(y.data, e, rtol=1e-13, atol=1e-14)


def numpys_arguments(made):
    """Return the argument names of NumPy's function; none if NumPy does not say them."""
    if isinstance(made.numpy_functions[0], np.ufunc):
        return []  # its arguments have no names
    try:
        return list(inspect.signature(made.numpy_functions[0]).parameters)
    except ValueError:
        return []


SIGNED = [name for name, made in COMPOSITIONS.items() if numpys_arguments(made)]


@pytest.mark.parametrize("name", SIGNED)
def test_a_composition_has_numpys_argument_names_in_numpys_order(name):
    made = COMPOSITIONS[name]
    theirs = numpys_arguments(made)
    ours = inspect.signature(made.function).parameters
    assert set(ours) <= set(theirs)
    placed = [key for key, p in ours.items() if p.kind is not p.KEYWORD_ONLY]
    assert placed == [argument for argument in theirs if argument in placed]


@every_composition
def test_a_composition_says_what_it_returns_with_an_example(name):
    doc = inspect.getdoc(COMPOSITIONS[name].function)
    assert doc.partition(".")[0]
    assert ">>> " in doc or COMPOSITIONS[name].function.__name__.startswith("_")
