"""Every op of the registry, in every dtype and layout.

Values are compared with its reference function, derivatives with differences of that function.
"""

import inspect
import re

import numpy as np
import pytest
from every_op import (
    BINARY,
    OPS,
    call,
    code_of,
    cotangent,
    differences,
    every_case,
    every_op,
    is_float,
    reference,
    takes_integers_up_to,
    tracked,
    value_and_gradients,
)
from helpers import together, with_gaps, with_negative_strides
from internals import cases, check_op

import tinygrad_rnn as tg

# -- the registry says enough ----------------------------------------------------------------------


def test_the_registry_is_not_empty():
    assert len(OPS) >= 45


@every_op
def test_every_op_has_a_reference_that_is_not_its_own_code(name):
    function = OPS[name].reference
    assert callable(function), f"give @op of {name} a reference="
    if inspect.isfunction(function) and function.__module__.startswith("tinygrad_rnn"):
        assert code_of(function) != code_of(OPS[name].forward)


@every_op
def test_every_op_has_samples(name):
    assert cases(OPS[name], np.random.default_rng(0))


@every_op
def test_every_op_has_a_docstring_with_more_than_its_name(name):
    assert len(inspect.getdoc(OPS[name]).split()) >= 2


@every_op
def test_the_formula_of_an_op_names_each_input(name):
    braces = set(re.findall(r"{(\w+)}", OPS[name].formula))
    assert set(OPS[name].inputs) <= braces
    assert braces <= set(OPS[name].inputs) | set(OPS[name].defaults)


@every_op
def test_every_op_has_rules_with_a_text(name):
    op = OPS[name]
    assert op.rules
    assert set(op.rules) <= set(op.inputs)
    for argument in op.rules:
        text = op.rule_text(argument)
        assert re.search(r"\bg\b", text), text
        assert "lambda" not in text
        compile(text, "<rule>", "eval")


@every_op
def test_rules_take_g_y_inputs_and_settings_by_name(name):
    op = OPS[name]
    for rule in op.rules.values():
        taken = [p.name for p in inspect.signature(rule).parameters.values()]
        assert taken == ["g", "y", *op.inputs, *op.defaults]


@every_op
def test_every_op_is_reachable_by_its_name(name):
    assert callable(getattr(tg, name))


# -- values and derivatives ------------------------------------------------------------------------


@every_case
def test_the_value_is_that_of_the_reference(name, arrays, params):
    y = call(name, tracked(name, arrays), params)
    expected = reference(name, arrays, params)
    assert type(y.data) is np.ndarray
    assert y.shape == expected.shape
    assert y.dtype == expected.dtype
    np.testing.assert_allclose(y.data, expected, rtol=1e-13, atol=1e-14)


@every_case
def test_the_gradient_is_that_of_the_reference(name, arrays, params):
    _, gradients = value_and_gradients(name, arrays, params)
    for i, gradient in enumerate(gradients):
        if gradient is not None:
            assert type(gradient) is np.ndarray
            assert gradient.shape == arrays[i].shape
            assert gradient.dtype == arrays[i].dtype
            floating = [np.asarray(a) for a in arrays]
            expected = differences(
                lambda *moved: OPS[name].reference(*moved, **params), floating, i
            )
            np.testing.assert_allclose(gradient, expected, rtol=1e-8, atol=1e-9)


@every_op
@together("seed", range(3))
def test_every_op_passes_gradcheck_to_second_order(name, seed):
    rng = np.random.default_rng(seed)
    assert check_op(OPS[name], order=2, rng=rng) == len(cases(OPS[name], rng)) > 0


@every_case
def test_recorded_gradient_equals_the_plain_one(name, arrays, params):
    inputs = tracked(name, arrays)
    wanted = [x for x in inputs if isinstance(x, tg.Tensor)]
    y = call(name, inputs, params)
    u = cotangent(y.shape)
    plain = tg.grad(y, wanted, grad_output=u)
    recorded = tg.grad(y, wanted, grad_output=u, create_graph=True)
    for a, b in zip(plain, recorded, strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-14, atol=1e-15)


@every_case
def test_plain_arrays_in_plain_arrays_out(name, arrays, params):
    y = call(name, arrays, params)
    assert isinstance(y, np.ndarray | np.generic)
    np.testing.assert_array_equal(y, call(name, tracked(name, arrays), params).data)


# -- dtypes ----------------------------------------------------------------------------------------


@every_case
@together("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_of_the_inputs_is_kept(name, arrays, params, dtype):
    lower = [a.astype(dtype) if is_float(a) else a for a in arrays]
    inputs = tracked(name, lower)
    wanted = [x for x in inputs if isinstance(x, tg.Tensor)]
    y = call(name, inputs, params)
    assert y.dtype == params.get("dtype", dtype)
    gradients = tg.grad(y, wanted, grad_output=cotangent(y.shape), create_graph=True)
    assert [g.dtype for g in gradients] == [dtype] * len(wanted)
    for g in gradients:
        if g.requires_grad:
            g.backward(cotangent(g.shape), retain_graph=True)
    y.backward(cotangent(y.shape))
    assert {x.grad.dtype for x in wanted} == {np.dtype(dtype)}
    expected = reference(name, arrays, params)
    np.testing.assert_allclose(
        y.data, expected, rtol=4 * np.finfo(dtype).eps ** 0.9, atol=8 * np.finfo(dtype).eps
    )


OTHERS = {
    "python float": 1.5,
    "python int": 2,
    "bool": True,
    "np.float64": np.float64(1.5),
    "np.float16": np.float16(1.5),
    "np.int64": np.int64(2),
    "np.bool": np.bool_(True),
    "int64 array": np.array([1, 2, 3]),
    "uint8 array": np.array([[1], [2]], dtype=np.uint8),
    "bool array": np.array([True, True, True]),
    "0-d int array": np.array(3),
    "list of ints": [1, 2, 3],
    "list of floats": [1.5, 0.5, 2.5],
    "int Tensor": tg.Tensor([1, 2, 3]),
    "bool Tensor": tg.Tensor([True, True, True]),
}


@pytest.mark.parametrize("name", BINARY)
@together("other", OTHERS.values())
@together("side", ["left", "right"])
def test_float32_with_other_numbers_stays_float32(name, other, side):
    data = np.array([[0.5, 1.25, 3.0], [2.0, 0.75, 1.75]], dtype=np.float32)
    t = tg.Tensor(data, requires_grad=True)
    plain = other.data if isinstance(other, tg.Tensor) else np.asarray(other)
    arguments, values = (
        ((t, other), (data, plain)) if side == "left" else ((other, t), (plain, data))
    )
    y = OPS[name](*arguments)
    assert type(y) is tg.Tensor
    assert y.dtype == np.float32
    np.testing.assert_allclose(
        y.data, OPS[name].reference(*[v.astype(np.float64) for v in values]), rtol=1e-6
    )
    first = tg.grad(y, t, grad_output=cotangent(y.shape), create_graph=True)
    assert first.dtype == np.float32
    y.backward(cotangent(y.shape))
    assert t.grad.dtype == np.float32
    np.testing.assert_allclose(t.grad, first.data, rtol=1e-6)


def test_float32_where_lerp_and_clip_with_numbers_stay_float32():
    t = tg.Tensor(cotangent((3,), np.float32), requires_grad=True)
    mask = np.array([True, False, True])
    for y in (
        tg.where(mask, t, 0.5),
        tg.where(mask, np.float64(0.5), t),
        tg.lerp(t, 1.0, 0.25),
        tg.lerp(0, np.float64(1), t),
    ):
        t.grad = None
        y.backward([0.1, 0.2, 0.3])
        assert (y.dtype, t.grad.dtype) == (np.float32, np.float32)
    assert t.clip(-0.5, 0.5).dtype == t.clip(np.float64(-0.5)).dtype == np.float32


def test_float64_arrays_widen_the_result_and_not_the_gradient():
    t = tg.Tensor(cotangent((3,), np.float32), requires_grad=True)
    y = t * np.array([1.0, 2.0, 3.0])
    assert y.dtype == np.float64
    y.backward([1.0, 2.0, 3.0])
    assert t.grad.dtype == np.float32
    np.testing.assert_array_equal(t.grad, [1, 4, 9])


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, op in OPS.items()
        if len(op.inputs) == 1 and not op.variadic and takes_integers_up_to(2, name)
    ],
)
def test_integers_give_real_numbers_only(name):
    arrays, params = cases(OPS[name], np.random.default_rng(3))[0]
    whole = np.ceil(np.abs(arrays[0])).astype(np.int64)
    y = call(name, [tg.Tensor(whole)], params)
    assert y.dtype in (np.float32, np.int64, params.get("dtype"))
    assert not y.requires_grad
    np.testing.assert_allclose(
        y.data, reference(name, [whole.astype(np.float64)], params), rtol=1e-6, atol=1e-12
    )


@pytest.mark.parametrize("dtype", [np.int64, np.bool_, np.uint8])
def test_astype_to_integers_leaves_the_graph(dtype):
    t = tg.Tensor([1.0, 2.0], requires_grad=True)
    y = t.astype(dtype)
    assert y.dtype == dtype
    assert not y.requires_grad
    assert y.node is None


@pytest.mark.parametrize("dtype", [complex, object, "U3", "datetime64[s]"], ids=str)
def test_astype_refuses_what_is_no_real_number(dtype):
    with pytest.raises(TypeError, match=r"astype.*real numbers"):
        tg.Tensor([1.0, 2.0], requires_grad=True).astype(dtype)


# -- layouts ---------------------------------------------------------------------------------------


LAYOUTS = {
    "fortran": lambda a: np.array(a, order="F"),
    "negative strides": with_negative_strides,
    "every second": with_gaps,
    "offset": lambda a: np.concatenate([[0], a.ravel()]).astype(a.dtype)[1:].reshape(a.shape),
}


@every_case
@together("layout", LAYOUTS.values())
def test_layout_does_not_matter_and_inputs_are_never_written(name, arrays, params, layout):
    y, gradients = value_and_gradients(name, arrays, params)
    odd = [layout(a) if isinstance(a, np.ndarray) else a for a in arrays]
    for a, b in zip(arrays, odd, strict=True):
        if isinstance(b, np.ndarray):
            np.testing.assert_array_equal(a, b)
            b.flags.writeable = False
    odd_y, odd_gradients = value_and_gradients(name, odd, params)
    np.testing.assert_allclose(odd_y, y, rtol=1e-13, atol=1e-14)
    for a, b in zip(gradients, odd_gradients, strict=True):
        if a is not None:
            np.testing.assert_allclose(b, a, rtol=1e-13, atol=1e-14)


@every_case
def test_a_cotangent_of_odd_layout_is_taken_as_it_is(name, arrays, params):
    inputs = tracked(name, arrays)
    wanted = [x for x in inputs if isinstance(x, tg.Tensor)]
    y = call(name, inputs, params)
    u = cotangent(y.shape)
    expected = tg.grad(y, wanted, grad_output=u)
    odd = with_negative_strides(np.array(u, order="F"))
    odd.flags.writeable = False
    for a, b in zip(expected, tg.grad(y, wanted, grad_output=odd), strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-13, atol=1e-14)
