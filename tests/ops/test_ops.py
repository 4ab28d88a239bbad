"""Every op of the registry, in every dtype and layout.

Values are compared with its reference function, derivatives with differences of that function.
"""

import array
import inspect
import re

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
    code_of,
    draw_scalars,
    every_case,
    every_op,
    is_float,
    reference,
    reference_or_none,
    takes_integers_up_to,
)
from helpers import with_gaps, with_negative_strides
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from internals import Sampler, cases, check_op, domain_of_inputs, toposort

import tinygrad_rnn as tg

property_test = settings(max_examples=60, deadline=None, database=None, derandomize=True)


def tracked(name, arrays):
    """Return the arrays, as Tensors that require gradients where the op is differentiable."""
    op = OPS[name]
    names = op.inputs * len(arrays) if op.variadic else op.inputs
    return [
        tg.Tensor(a, requires_grad=True) if is_float(a) and n in op.rules else a
        for n, a in zip(names, arrays, strict=True)
    ]


def cotangent(shape, dtype=np.float64):
    return np.asarray(np.random.default_rng(2).standard_normal(shape)).astype(dtype)


def value_and_gradients(name, arrays, params):
    """Return the output's array, and the gradient of each input that is a Tensor, else None."""
    inputs = tracked(name, arrays)
    y = call(name, inputs, params)
    y.backward(cotangent(y.shape, y.dtype))
    return y.data, [x.grad if isinstance(x, tg.Tensor) else None for x in inputs]


def differences(f, arrays, i, eps=1e-6):
    """Return the gradient of ⟨u, f⟩ with respect to arrays[i], by differences of fourth order."""
    u = cotangent(np.shape(f(*arrays)))
    found = np.zeros(arrays[i].shape)
    for index in np.ndindex(found.shape):
        sides = []
        for steps in (-2, -1, 1, 2):
            moved = [np.array(a) for a in arrays]
            moved[i][index] += steps * 100 * eps
            sides.append(np.sum(u * f(*moved)))
        found[index] = (sides[0] - 8 * sides[1] + 8 * sides[2] - sides[3]) / (1200 * eps)
    return found


# -- the registry says enough ----------------------------------------------------------------------


def test_the_registry_is_not_empty():
    assert len(OPS) >= 45


@every_op
def test_has_a_reference_that_is_not_its_own_code(name):
    function = OPS[name].reference
    assert callable(function), f"give @op of {name} a reference="
    if inspect.isfunction(function) and function.__module__.startswith("tinygrad_rnn"):
        assert code_of(function) != code_of(OPS[name].forward)


@every_op
def test_has_samples(name):
    assert cases(OPS[name], np.random.default_rng(0))


@every_op
def test_has_a_docstring_with_more_than_its_name(name):
    assert len(inspect.getdoc(OPS[name]).split()) >= 2


@every_op
def test_formula_names_each_input(name):
    braces = set(re.findall(r"{(\w+)}", OPS[name].formula))
    assert set(OPS[name].inputs) <= braces
    assert braces <= set(OPS[name].inputs) | set(OPS[name].defaults)


@every_op
def test_has_rules_with_a_text(name):
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
def test_is_reachable_by_its_name(name):
    assert callable(getattr(tg, name))


# -- values and derivatives ------------------------------------------------------------------------


@every_case
def test_value_is_numpys(name, arrays, params):
    y = call(name, tracked(name, arrays), params)
    expected = reference(name, arrays, params)
    assert type(y.data) is np.ndarray
    assert y.shape == expected.shape
    assert y.dtype == expected.dtype
    np.testing.assert_allclose(y.data, expected, rtol=1e-13, atol=1e-14)


@every_case
def test_gradient_is_that_of_numpys_function(name, arrays, params):
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
@pytest.mark.parametrize("seed", range(3))
def test_gradcheck_to_second_order(name, seed):
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
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept(name, arrays, params, dtype):
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


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("name", BINARY)
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


def test_float32_matrix_products_with_integers_stay_float32():
    w = tg.Tensor(cotangent((4, 2), np.float32), requires_grad=True)
    one_hot = np.eye(4, dtype=np.int64)[[0, 2, 3]]
    for y in (
        one_hot @ w,
        tg.einsum("bi,io->bo", one_hot, w),
        tg.linear(one_hot, w.T, np.zeros(2, np.float32)),
        tg.matmul([1, 0, 2, 0], w),
    ):
        w.grad = None
        assert y.dtype == np.float32
        y.backward(cotangent(y.shape))
        assert w.grad.dtype == np.float32


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
        y.data, reference(name, [whole.astype(np.float64)], params), rtol=1e-6
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
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
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
def test_0_d(name, n, params):
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
def test_0_d_is_refused_by_name(name):
    _, arrays, params = next(case for case in CASES if case[0] == name)
    with pytest.raises((ValueError, IndexError), match=name):
        call_public(name, [tg.Tensor(0.5)] * len(arrays), params)


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
def test_empty(name, shapes, params):
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
def test_broadcasting(name, data):
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


def gradient_of_a_linear_map(f, x, u):
    """Return the gradient of ⟨u, f⟩ for a linear f: ⟨u, f(e)⟩ for every basis array e."""
    found = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        basis = np.zeros(x.shape)
        basis[index] = 1
        found[index] = np.sum(u * f(basis))
    return found


def test_the_one_axis_of_a_vector_can_be_transposed():
    x = tg.Tensor(np.arange(3.0), requires_grad=True)
    y = tg.transpose(x, 0)
    y.backward(np.array([1.0, 2.0, 3.0]))
    assert (y.data.tolist(), x.grad.tolist()) == ([0, 1, 2], [1, 2, 3])


@property_test
@given(
    shapes=mutually_broadcastable_shapes(
        signature=np.matmul.signature, min_side=0, max_side=3, max_dims=2
    ),
    seed=st.integers(0, 1000),
)
def test_matmul_with_any_shapes(shapes, seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.standard_normal(shape) for shape in shapes.input_shapes)
    s, t = tg.Tensor(a, requires_grad=True), tg.Tensor(b, requires_grad=True)
    y = s @ t
    assert y.shape == shapes.result_shape
    np.testing.assert_allclose(y.data, a @ b, rtol=1e-12, atol=1e-12)
    u = rng.standard_normal(y.shape)
    y.backward(u)
    np.testing.assert_allclose(
        s.grad, gradient_of_a_linear_map(lambda e: e @ b, a, u), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(
        t.grad, gradient_of_a_linear_map(lambda e: a @ e, b, u), rtol=1e-12, atol=1e-12
    )


SUBSCRIPTS = {
    "ij,jk->ik": [(2, 3), (3, 4)],
    "ij,jk": [(2, 3), (3, 4)],
    "ji,jk": [(3, 2), (3, 4)],
    "ij->ji": [(2, 3)],
    "ij->": [(2, 3)],
    "ij->i": [(2, 3)],
    "i,j->ij": [(2,), (3,)],
    "i,i->": [(3,), (3,)],
    "i,i": [(3,), (3,)],
    ",i->i": [(), (3,)],
    "bi,bi,i->b": [(2, 3), (2, 3), (3,)],
    "ij,kl->il": [(2, 3), (2, 2)],
    "bij,bjk,kl->bil": [(2, 2, 3), (2, 3, 2), (2, 3)],
    "...i,i->...": [(2, 4, 3), (3,)],
    "...ij,...jk->...ik": [(2, 1, 2, 3), (4, 3, 2)],
    "...i->i...": [(2, 3, 4)],
    "i...,i...": [(2, 3), (2, 3)],
    "...,...": [(2, 3), (3,)],
    "...ij->...": [(2, 2, 3)],
    " i j , j k -> k i ": [(2, 3), (3, 4)],
    "bi,bi->b": [(1, 3), (4, 3)],
    "Ab,bA": [(2, 3), (3, 2)],
}


@pytest.mark.parametrize(("subscripts", "shapes"), SUBSCRIPTS.items(), ids=SUBSCRIPTS)
def test_einsum(subscripts, shapes):
    rng = np.random.default_rng(5)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    inputs = [tg.Tensor(a, requires_grad=True) for a in arrays]
    y = tg.einsum(subscripts, *inputs)
    expected = np.einsum(subscripts, *arrays)
    assert y.shape == np.shape(expected)
    np.testing.assert_allclose(y.data, expected, rtol=1e-13, atol=1e-14)
    u = rng.standard_normal(y.shape)
    y.backward(u)
    for i, (x, a) in enumerate(zip(inputs, arrays, strict=True)):

        def with_other(e, i=i):
            return np.einsum(subscripts, *arrays[:i], e, *arrays[i + 1 :])

        np.testing.assert_allclose(
            x.grad, gradient_of_a_linear_map(with_other, a, u), rtol=1e-12, atol=1e-13
        )
    assert tg.gradcheck(lambda *some: tg.einsum(subscripts, *some), *arrays, order=2)


@pytest.mark.parametrize(
    ("subscripts", "shapes", "word"),
    [
        ("ii->i", [(2, 2)], "diagonal"),
        ("ij", [(2, 2), (2,)], "terms"),
        ("ij,jk", [(2, 3), (2, 3)], "einsum"),
        (3, [(2,)], "string"),
    ],
    ids=["diagonal", "count", "sizes", "no string"],
)
def test_einsum_refuses(subscripts, shapes, word):
    with pytest.raises((ValueError, TypeError), match=word):
        tg.einsum(subscripts, *[tg.Tensor(np.ones(shape), requires_grad=True) for shape in shapes])


# -- functions made of ops -------------------------------------------------------------------------

COMPOSED = {
    "std": (lambda a: tg.std(a, 0, 1), lambda a: np.std(a, 0, ddof=1), [(4, 3)]),
    "std-all": (tg.std, np.std, [(4, 3)]),
    "outer": (tg.outer, np.outer, [(2, 2), (3,)]),
    "swapaxes": (lambda a: tg.swapaxes(a, 0, -1), lambda a: np.swapaxes(a, 0, -1), [(2, 3, 4)]),
    "moveaxis": (lambda a: tg.moveaxis(a, -1, 1), lambda a: np.moveaxis(a, -1, 1), [(2, 3, 4)]),
    "moveaxis-several": (
        lambda a: tg.moveaxis(a, [0, 1], [-1, 0]),
        lambda a: np.moveaxis(a, [0, 1], [-1, 0]),
        [(2, 3, 4)],
    ),
    "moveaxis-all": (
        lambda a: np.moveaxis(a, (2, 0, 1), (0, 1, -1)),
        lambda a: np.moveaxis(a, (2, 0, 1), (0, 1, -1)),
        [(2, 3, 4)],
    ),
    "moveaxis-back": (lambda a: tg.moveaxis(a, 0, 2), lambda a: np.moveaxis(a, 0, 2), [(2, 3, 4)]),
    "linear-without-bias": (tg.linear, lambda x, w: x @ w.T, [(2, 3, 4), (5, 4)]),
    "linear-vector": (tg.linear, lambda x, w, b: w @ x + b, [(4,), (5, 4), (5,)]),
    "split": (lambda a: tg.split(a, 3, 1)[1], lambda a: np.split(a, 3, 1)[1], [(2, 6)]),
    "split-places": (
        lambda a: tg.split(a, [1, 4], -1)[1],
        lambda a: np.split(a, [1, 4], -1)[1],
        [(2, 6)],
    ),
    "split-in-one": (lambda a: tg.split(a, 1)[0], lambda a: np.split(a, 1)[0], [(4,)]),
    "split-empty": (lambda a: tg.split(a, [2, 2])[1], lambda a: np.split(a, [2, 2])[1], [(4,)]),
    "take_along_axis": (
        lambda a: tg.take_along_axis(a, [[2, 2], [0, 1]], 1),
        lambda a: np.take_along_axis(a, np.array([[2, 2], [0, 1]]), 1),
        [(2, 3)],
    ),
    "take_along_axis-one-row-for-all": (
        lambda a: tg.take_along_axis(a, [[2, 0]], -1),
        lambda a: np.take_along_axis(a, np.array([[2, 0]]), -1),
        [(4, 3)],
    ),
    "take_along_axis-3d": (
        lambda a: tg.take_along_axis(a, [[[1]], [[-1]]], 0),
        lambda a: np.take_along_axis(a, np.array([[[1]], [[-1]]]), 0),
        [(3, 2, 2)],
    ),
}


@pytest.mark.parametrize(("ours", "numpys", "shapes"), COMPOSED.values(), ids=COMPOSED)
def test_composed(ours, numpys, shapes):
    rng = np.random.default_rng(6)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    inputs = [tg.Tensor(a, requires_grad=True) for a in arrays]
    y = ours(*inputs)
    np.testing.assert_allclose(y.data, numpys(*arrays), rtol=1e-13)
    assert y.shape == np.shape(numpys(*arrays))
    y.backward(cotangent(y.shape))
    for i, x in enumerate(inputs):
        np.testing.assert_allclose(x.grad, differences(numpys, arrays, i), rtol=1e-8, atol=1e-9)
    plain = ours(*arrays)
    assert isinstance(plain, np.ndarray | np.generic)
    np.testing.assert_array_equal(plain, y.data)


@pytest.mark.parametrize("axis", [3, -4, 7])
def test_moveaxis_refuses_an_axis_that_is_not_there(axis):
    t = tg.Tensor(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="source"):
        tg.moveaxis(t, axis, 0)
    with pytest.raises(ValueError, match="destination"):
        tg.moveaxis(t, 0, axis)


def test_take_along_axis_refuses_other_axes_and_other_numbers():
    t = tg.Tensor(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="2 axes"):
        tg.take_along_axis(t, [0, 1], 1)
    with pytest.raises(ValueError, match="integers"):
        tg.take_along_axis(t, [[0.5], [1.5]], 1)


def test_split_takes_numpys_integers():
    assert [part.shape for part in tg.split(tg.Tensor(np.zeros(6)), np.int64(3))] == [(2,)] * 3


def test_split_refuses_unequal_sections():
    for sections in (2, 0, -1):
        with pytest.raises(ValueError, match=f"divisor of 5, got {sections}"):
            tg.split(tg.Tensor(np.zeros(5)), sections)


# -- far from the middle, and on the kinks ---------------------------------------------------------

FAR = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4]])
STABLE = {
    "sigmoid": (tg.sigmoid, [[1, 0, 0.5], [0, 0, 0], [1, 1, 1]]),
    "softplus": (tg.softplus, [[1e4, 0, np.log(2)], [0, 0, 0], [1e4, 1e4, 1e4]]),
    "tanh": (tg.tanh, [[1, -1, 0], [-1, -1, -1], [1, 1, 1]]),
    "softmax": (tg.softmax, [[1, 0, 0], [1 / 3] * 3, [1 / 3] * 3]),
    "log_softmax": (tg.log_softmax, [[0, -2e4, -1e4], [-np.log(3)] * 3, [-np.log(3)] * 3]),
    "logsumexp": (lambda a: tg.logsumexp(a, axis=-1), [1e4, -1e4 + np.log(3), 1e4 + np.log(3)]),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("f", "expected"), STABLE.values(), ids=STABLE)
def test_stable_far_out(f, expected, dtype):
    x = tg.Tensor(FAR.astype(dtype), requires_grad=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = f(x)
        first = tg.grad(y, x, grad_output=cotangent(y.shape), create_graph=True)
        second = tg.grad(first, x, grad_output=cotangent(x.shape))
    np.testing.assert_allclose(y.data, expected, rtol=2 * np.finfo(dtype).eps, atol=1e-30)
    assert np.isfinite(first.data).all()
    assert np.isfinite(second.data).all()
    assert np.abs(first.data).max() < 10


def test_minus_infinity_among_the_logits_has_probability_zero():
    x = tg.Tensor([0.0, -np.inf, np.log(3.0)], requires_grad=True, dtype=np.float64)
    p = tg.softmax(x)
    np.testing.assert_allclose(p.data, [0.25, 0, 0.75], rtol=1e-14)
    (p * np.array([1.0, 5.0, 2.0])).sum().backward()
    np.testing.assert_allclose(x.grad, [-0.1875, 0, 0.1875], rtol=1e-14)
    x.grad = None
    tg.logsumexp(x).backward(3.0)
    np.testing.assert_allclose(x.grad, [0.75, 0, 2.25], rtol=1e-14)


def test_nan_is_propagated():
    x = tg.Tensor([np.nan, 1.0], requires_grad=True)
    assert np.isnan(tg.softmax(x).data).all()
    assert np.isnan(x.max().item())
    assert np.isnan(tg.maximum(x, 0).data[0])
    assert np.isnan(tg.relu(x).data[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("keepdims", [True, False])
def test_logsumexp_of_minus_infinity_alone_has_gradient_zero(dtype, keepdims):
    x = tg.Tensor(np.array([[-np.inf, -np.inf], [-np.inf, 1.0]], dtype), requires_grad=True)
    with np.errstate(all="raise"):
        y = tg.logsumexp(x, axis=1, keepdims=keepdims)
        first = tg.grad(y, x, grad_output=np.array([0.3, 0.7]).reshape(y.shape), create_graph=True)
        second = tg.grad(first, x, grad_output=np.ones((2, 2)))
        y.backward(np.array([0.3, 0.7]).reshape(y.shape))
    np.testing.assert_array_equal(y.data.ravel(), [-np.inf, 1])
    for g in (x.grad, first.data):
        np.testing.assert_array_equal(g, np.array([[0, 0], [0, 0.7]], dtype))
    np.testing.assert_array_equal(second.data, np.zeros((2, 2)))
    assert first.dtype == second.dtype == dtype


ZEROS = {
    "none": [2.0, 3.0, 5.0, 7.0],
    "one": [2.0, 0.0, 5.0, 7.0],
    "two": [0.0, 3.0, 0.0, 7.0],
    "three": [0.0, 0.0, 5.0, 0.0],
}


@pytest.mark.parametrize("values", ZEROS.values(), ids=ZEROS)
def test_prod_of_zeros_to_second_order(values):
    """∂Π/∂aᵢ is the product of the others, ∂²Π/∂aᵢ∂aⱼ that of all but two: no 0 / 0 anywhere."""
    n = len(values)
    first = [np.prod([v for k, v in enumerate(values) if k != i]) for i in range(n)]
    second = [
        [np.prod([v for k, v in enumerate(values) if k not in (i, j)]) * (i != j) for j in range(n)]
        for i in range(n)
    ]
    with np.errstate(all="raise"):
        found = tg.jacobian(lambda x: tg.jacobian(tg.prod, x, create_graph=True), np.array(values))
        x = tg.Tensor(np.array(values), requires_grad=True)
        x.prod().backward(2.0)
    np.testing.assert_array_equal(x.grad, 2 * np.array(first))
    np.testing.assert_array_equal(found.data, second)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (2, 1), ()], ids=str)
@pytest.mark.parametrize("keepdims", [True, False])
def test_prod_over_any_axes_with_zeros(axis, keepdims):
    a = np.random.default_rng(5).integers(-2, 3, (2, 3, 5)).astype(np.float64)
    assert (a == 0).any()
    x = tg.Tensor(a, requires_grad=True)
    y = tg.prod(x, axis=axis, keepdims=keepdims)
    np.testing.assert_array_equal(y.data, np.prod(a, axis, keepdims=keepdims))
    u = cotangent(y.shape)
    y.backward(u)
    np.testing.assert_allclose(
        x.grad,
        differences(lambda a: np.prod(a, axis, keepdims=keepdims), [a], 0),
        rtol=1e-8,
        atol=1e-8,
    )


def test_prod_of_many_entries_takes_few_steps():
    x = tg.Tensor(np.full(1000, 1.001), requires_grad=True)

    slope = tg.grad(tg.prod(x), x, create_graph=True)
    assert len(toposort(slope)) < 120
    np.testing.assert_allclose(slope.data, 1.001**999, rtol=1e-12)


@pytest.mark.parametrize(
    "repeats", [2, 0, np.int64(3), [1, 0, 2], np.array([2, 2, 1]), tg.Tensor([3, 0, 1])], ids=str
)
def test_repeat_with_any_counts(repeats):
    a = cotangent((2, 3))
    counts = repeats.data if isinstance(repeats, tg.Tensor) else repeats
    x = tg.Tensor(a, requires_grad=True)
    y = x.repeat(repeats, axis=1)
    np.testing.assert_array_equal(y.data, np.repeat(a, counts, axis=1))
    u = cotangent(y.shape)
    y.backward(u)
    owner = np.repeat(np.arange(3), counts)
    np.testing.assert_allclose(
        x.grad, np.stack([u[:, owner == i].sum(1) for i in range(3)], axis=1), rtol=1e-14
    )


def test_copy_has_memory_of_its_own_and_passes_gradients():
    a = cotangent((2, 3))
    x = tg.Tensor(a, requires_grad=True)
    y = x.copy()
    assert y.requires_grad
    assert not np.shares_memory(y.data, a)
    assert not np.shares_memory(tg.copy(a), a)
    y.backward(cotangent((2, 3)))
    np.testing.assert_array_equal(x.grad, cotangent((2, 3)))


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_any_and_all_are_plain(axis):
    a = np.array([[0.0, 2.0], [0.0, 3.0]])
    for x in (a, a.tolist(), tg.Tensor(a), tg.Tensor(a, requires_grad=True)):
        for ours, numpys in ((tg.any, np.any), (tg.all, np.all)):
            found = ours(x, axis)
            assert type(found) in (np.ndarray, np.bool_)
            np.testing.assert_array_equal(found, numpys(a, axis))
            np.testing.assert_array_equal(
                ours(x, axis, keepdims=True), numpys(a, axis, keepdims=True)
            )
    t = tg.Tensor(a, requires_grad=True)
    assert t.any()
    assert not t.all()
    np.testing.assert_array_equal(t.any(axis=0), [False, True])


KINKS = {
    "abs": (tg.abs, [0.0, 2.0], [0.0, 0.7]),
    "relu": (tg.relu, [0.0, 2.0], [0.0, 0.7]),
    "sign": (tg.sign, [0.0, 2.0], [0.0, 0.0]),
    "clip": (lambda a: tg.clip(a, -1, 1), [0.5, 2.0], [0.3, 0.0]),
    "max-ties": (lambda a: tg.stack([tg.max(a), a.sum()]), [2.0, 2.0], [0.85, 0.85]),
    "min-ties": (lambda a: tg.stack([tg.min(a), a.sum()]), [2.0, 2.0], [0.85, 0.85]),
    "maximum-tie": (lambda a: tg.maximum(a, np.array([0.0, 2.0])), [1.0, 2.0], [0.3, 0.35]),
    "maximum-itself": (lambda a: tg.maximum(a, a), [1.0, 2.0], [0.3, 0.7]),
    "minimum-tie": (lambda a: tg.minimum(np.array([5.0, 2.0]), a), [1.0, 2.0], [0.3, 0.35]),
    "square-by-power": (lambda a: a**2, [0.0, 3.0], [0.0, 4.2]),
    "std": (lambda a: tg.std(a) * np.ones(2), [2.0, 2.0], [0.0, 0.0]),
    "std of one among others": (
        lambda a: tg.std(tg.stack([a, a * [1.0, 3.0]]), axis=0),
        [2.0, 2.0],
        [0.0, 0.7],
    ),
    "power-1": (lambda a: a**1, [0.0, 3.0], [0.3, 0.7]),
    "power-0": (lambda a: a**0, [0.0, 3.0], [0.0, 0.0]),
    "power-array": (lambda a: a ** np.array([0.0, 2.0]), [0.0, 0.0], [0.0, 0.0]),
    "power-of-zero": (lambda a: 0.0**a, [2.0, 3.0], [0.0, 0.0]),
    "power-0-of-zero": (lambda a: 0.0**a, [0.0, 3.0], [0.0, 0.0]),
    "power-of-a-number": (lambda a: 2**a, [0.0, 1.0], [0.3 * np.log(2), 1.4 * np.log(2)]),
    "power-of-a-negative": (lambda a: a**3, [-2.0, -1.0], [3.6, 2.1]),
}


@pytest.mark.parametrize(("f", "at", "expected"), KINKS.values(), ids=KINKS)
def test_on_the_kink(f, at, expected):
    x = tg.Tensor(np.array(at), requires_grad=True)
    f(x).backward(np.array([0.3, 0.7]))
    np.testing.assert_allclose(x.grad, expected, rtol=1e-14)


def test_std_of_equal_entries_beside_others_to_second_order():
    a = np.array([[2.0, 2.0, 2.0], [1.0, -2.0, 4.0]])
    x = tg.Tensor(a, requires_grad=True)
    with np.errstate(all="raise"):
        first = tg.grad(tg.std(x, axis=1, ddof=1).sum(), x, create_graph=True)
        second = tg.grad((first * np.arange(6.0).reshape(2, 3)).sum(), x)
    np.testing.assert_array_equal(first.data[0], 0)
    np.testing.assert_array_equal(second.data[0], 0)
    alone = tg.Tensor(a[1], requires_grad=True)
    np.testing.assert_allclose(first.data[1], tg.grad(tg.std(alone, ddof=1), alone).data)
    tg.gradcheck(lambda t: tg.std(t, ddof=1), alone, order=2)
    assert np.isnan(tg.std([1.0, np.nan]))


def test_var_with_and_without_ddof():
    a = cotangent((3, 4))
    for ddof in (0, 1, 1.5):
        np.testing.assert_allclose(tg.Tensor(a).var(1, ddof).data, a.var(1, ddof=ddof), rtol=1e-13)


def test_clip_refuses_bounds_with_gradients():
    bound = tg.Tensor(np.array(0.5), requires_grad=True)
    for call_it in (
        lambda: tg.clip(np.ones(2), bound),
        lambda: tg.Tensor(np.ones(2)).clip(max=bound),
        lambda: np.clip(np.ones(2), 0, bound),
    ):
        with pytest.raises(TypeError, match="clip"):
            call_it()
    np.testing.assert_array_equal(tg.clip(np.ones(2), max=bound.detach()), [0.5, 0.5])


# -- errors name the op, the arguments and the fix -------------------------------------------------

WRONG = {
    "add": (
        lambda t: t + np.ones(2),
        ValueError,
        ["add", "a: float64 (3, 4)", "b: float64 (2,)", "reshape"],
    ),
    "matmul": (
        lambda t: t @ np.ones((3, 2)),
        ValueError,
        ["matmul", "(3, 4)", "(3, 2)", "transposed"],
    ),
    "matmul-number": (lambda t: t @ 2.0, ValueError, ["matmul", "argument b", "use *"]),
    "linear": (
        lambda t: tg.linear(t, np.ones((2, 3)), np.ones(2)),
        ValueError,
        ["linear", "weight: float64 (2, 3)", "(out, in)"],
    ),
    "reshape": (lambda t: t.reshape(5), ValueError, ["reshape", "(3, 4)"]),
    "sum": (lambda t: t.sum(2), ValueError, ["sum", "axis 2"]),
    "concatenate": (
        lambda t: tg.concatenate([t, np.ones(4)]),
        ValueError,
        ["concatenate", "arrays[0]: float64 (3, 4)", "arrays[1]: float64 (4,)"],
    ),
    "concatenate-flat": (
        lambda t: tg.concatenate([t, t], axis=None),
        TypeError,
        ["concatenate", "axis", "reshape(-1)"],
    ),
    "stack": (lambda t: tg.stack([t, np.ones(4)]), ValueError, ["stack", "arrays[1]"]),
    "max-empty": (lambda t: t[:0].max(axis=0), ValueError, ["max", "(0, 4)"]),
    "getitem": (lambda t: t[5], IndexError, ["getitem", "5", "index is"]),
    "text": (lambda t: t + np.array(["a"] * 4), TypeError, ["add", "b: <U1 (4,)"]),
    "setting": (
        lambda t: tg.sum(t, axes=0),
        TypeError,
        ["sum(a, axis=None, keepdims=False)", "axes"],
    ),
    "too-many": (lambda t: tg.exp(t, t), TypeError, ["exp(a)", "2 positional"]),
    "too-few": (lambda t: tg.add(t), TypeError, ["add(a, b)", "1 positional"]),
    "missing-setting": (lambda t: tg.reshape(t), TypeError, ["reshape(a, shape)"]),
    "none": (lambda t: t + None, TypeError, ["add: argument b", "real numbers", "NoneType None"]),
    "none-left": (lambda t: None * t, TypeError, ["multiply: argument a", "NoneType None"]),
    "ragged": (
        lambda t: t - [[1.0], [1.0, 2.0]],
        TypeError,
        ["subtract: argument b", "of one shape", "[[1.0], [1.0, 2.0]]"],
    ),
    "plain-none": (lambda t: tg.exp(None), TypeError, ["exp: argument a", "NoneType None"]),
    "list-of-tensors": (lambda t: t * [t, t], TypeError, ["multiply: argument b", "tg.stack"]),
    "matmul-none": (lambda t: t @ None, TypeError, ["matmul: argument b", "NoneType None"]),
    "linear-none": (
        lambda t: tg.linear(t, None),
        TypeError,
        ["linear: argument weight", "NoneType None"],
    ),
    "stack-none": (
        lambda t: tg.stack([t, None]),
        TypeError,
        ["stack: argument arrays[1]", "NoneType None"],
    ),
    "concatenate-nothing": (
        lambda t: tg.concatenate([]),
        ValueError,
        ["concatenate", "got none", "at least one array"],
    ),
    "stack-nothing": (
        lambda t: tg.stack([]),
        ValueError,
        ["stack", "got none", "at least one array"],
    ),
    "concatenate-number": (
        lambda t: tg.concatenate(5),
        TypeError,
        ["concatenate: argument arrays", "int 5", "list"],
    ),
    "stack-0-d": (
        lambda t: tg.stack(t.sum()),
        TypeError,
        ["stack: argument arrays", "float64 ()", "list"],
    ),
    "einsum-few": (
        lambda t: tg.einsum("ij,jk->ik", t),
        ValueError,
        ["einsum: argument operands", "2 arrays", "got 1"],
    ),
    "einsum-none": (
        lambda t: tg.einsum("ij"),
        ValueError,
        ["einsum: argument operands", "1 array,", "got 0"],
    ),
    "einsum-many": (
        lambda t: tg.einsum("ij->i", t, t),
        ValueError,
        ["einsum: argument operands", "1 array,", "got 2"],
    ),
    "swapaxes": (lambda t: t.swapaxes(0, 5), ValueError, ["swapaxes: axis2", "axis 5"]),
    "split-axis": (lambda t: t.split(2, axis=3), ValueError, ["split: axis", "axis 3"]),
    "repeat": (
        lambda t: t.repeat([1, 2], axis=0),
        ValueError,
        ["repeat", "(3, 4)", "one for each entry"],
    ),
}


@pytest.mark.parametrize(("f", "kind", "words"), WRONG.values(), ids=WRONG)
def test_error_names_what_is_wrong(f, kind, words):
    t = tg.Tensor(np.ones((3, 4)), requires_grad=True)
    with pytest.raises(kind) as caught:
        f(t)
    for word in words:
        assert word in str(caught.value)


def test_settings_by_position_and_inputs_by_name():
    a = cotangent((3, 4))
    np.testing.assert_array_equal(tg.sum(a, 0, True), a.sum(0, keepdims=True))
    np.testing.assert_array_equal(tg.add(a=tg.Tensor(a), b=1.0).data, a + 1)
    np.testing.assert_array_equal(tg.transpose(tg.Tensor(a), (1, 0)).data, a.T)
    np.testing.assert_array_equal(tg.stack([a, a], -1), np.stack([a, a], -1))


# -- without Tensors an op is NumPy's function -----------------------------------------------------


def plain(x):
    """Lists of Python's numbers in the place of arrays."""
    return x.tolist() if isinstance(x, np.ndarray) and x.ndim else x


@every_case
def test_lists_are_taken_as_numpy_takes_them(name, arrays, params):
    expected = call(name, arrays, params)
    y = call(name, [plain(a) for a in arrays], params)
    assert isinstance(y, np.ndarray | np.generic)
    assert y.dtype == expected.dtype
    np.testing.assert_array_equal(y, expected)


M, V = [[1.0, 2.0], [3.0, 4.0]], [0.5, 2.0]
COMPOSED = {
    "einsum": (lambda: tg.einsum("ij,j->i", M, V), np.array(M) @ V),
    "linear": (lambda: tg.linear(M, M), np.array(M) @ np.array(M).T),
    "linear-bias": (lambda: tg.linear(V, M, V), V @ np.array(M).T + V),
    "matmul": (lambda: tg.matmul(M, M), np.matmul(M, M)),
    "matmul-vectors": (lambda: tg.matmul(V, V), np.matmul(V, V)),
    "moveaxis": (lambda: tg.moveaxis(M, 0, 1), np.moveaxis(M, 0, 1)),
    "outer": (lambda: tg.outer(V, V), np.outer(V, V)),
    "outer-numbers": (lambda: tg.outer(2.0, V), np.outer(2.0, V)),
    "ravel": (lambda: tg.ravel(M), np.ravel(M)),
    "ravel-number": (lambda: tg.ravel(1.5), np.ravel(1.5)),
    "split": (lambda: tg.split(M, 2, axis=1)[1], np.split(np.array(M), 2, axis=1)[1]),
    "std": (lambda: tg.std(M, axis=0), np.std(M, axis=0)),
    "std-number": (lambda: tg.std(2.0), np.std(2.0)),
    "swapaxes": (lambda: tg.swapaxes(M, 0, 1), np.swapaxes(M, 0, 1)),
    "take_along_axis": (
        lambda: tg.take_along_axis(M, [[1], [0]], 1),
        np.take_along_axis(np.array(M), np.array([[1], [0]]), 1),
    ),
    "scatter": (
        lambda: tg.scatter([1.0, [2.0, 3.0]], [0, [1, 1]], (3,)),
        np.array([1.0, 5.0, 0.0]),
    ),
    "scan": (
        lambda: tg.scan(lambda x, h: (x + h, x + h), np.array(V), np.array(1.0))[0],
        np.array([1.5, 3.5]),
    ),
}


@pytest.mark.parametrize(("ours", "expected"), COMPOSED.values(), ids=COMPOSED)
def test_composed_functions_take_lists(ours, expected):
    y = ours()
    assert isinstance(y, np.ndarray | np.generic)
    assert y.dtype == expected.dtype
    np.testing.assert_array_equal(y, expected)


def test_every_function_is_tried_on_lists():
    assert {name.partition("-")[0] for name in COMPOSED} | set(OPS) | {"any", "all"} >= set(
        tg.ops.__all__
    )


NUMBERS = {
    name: params
    for name, n, params in ZERO_D.values()
    if n == 1
    and takes_integers_up_to(2, name)
    and name not in ("astype", "getitem", "softmax", "log_softmax")
}


@pytest.mark.parametrize("number", [1.5, 2, np.float32(1.5), np.float16(1.5), np.int8(2)], ids=repr)
@pytest.mark.parametrize(("name", "params"), NUMBERS.items(), ids=NUMBERS)
def test_a_number_alone_is_taken_as_numpy_takes_it(name, params, number):
    """`tg.tanh(1.0)` is `np.tanh(1.0)`, a float64; a scalar of NumPy's keeps its dtype."""
    y = call(name, [number], params)
    expected = np.asarray(OPS[name].reference(np.asarray(number), **params))
    assert isinstance(y, np.ndarray | np.generic)
    assert y.dtype == expected.dtype
    np.testing.assert_allclose(y, expected, rtol=1e-3 if y.dtype == np.float16 else 1e-6)


@pytest.mark.parametrize("name", BINARY)
def test_numbers_among_themselves_give_numpys_scalars(name):
    for a, b in (
        (1.5, 2.0),
        (3, 2),
        (1.5, 2),
        (np.float32(1.5), 2.0),
        (np.float32(1.5), np.float32(2)),
        (2.0, np.float32(1.5)),
    ):
        y, expected = OPS[name](a, b), OPS[name].reference(a, b)
        assert isinstance(y, np.ndarray | np.generic)
        assert y.dtype == expected.dtype
        assert y == expected
    with np.errstate(divide="ignore"):
        assert tg.divide(1.0, 0.0) == np.inf


def test_scalars_are_weak_beside_a_tensor_and_arrays_are_not():
    t = tg.Tensor(np.ones(3, np.float32), requires_grad=True)
    for number in (
        2,
        2.0,
        np.float64(2),
        np.float32(2),
        np.float16(2),
        np.int64(2),
        tg.tanh(1.0),
        tg.mean([1.0, 2.0]),
    ):
        for y in (number * t, t * number, number - t, t / number, t + number, t**number):
            assert y.dtype == np.float32
    for x in (np.array(2.0), np.array([2.0])):
        assert (x * t).dtype == (t * x).dtype == np.float64
    assert (np.array(2.0, np.float32) * t).dtype == np.float32


@pytest.mark.parametrize(
    "f",
    [tg.matmul, tg.outer, lambda a, b: b @ a, lambda a, b: tg.einsum("i,i->", a, b)],
    ids=["matmul", "outer", "@", "einsum"],
)
def test_lists_beside_a_tensor_take_its_dtype(f):
    t = tg.Tensor(np.ones(2, np.float32), requires_grad=True)
    assert f([0.5, 0.25], t).dtype == np.float32
    assert tg.linear(t, [[0.5, 0.25]]).dtype == np.float32
    assert (
        tg.linear([0.5, 0.25], tg.Tensor(np.ones((3, 2), np.float32)), [0.5] * 3).dtype
        == np.float32
    )


def test_mixed_second_derivative_of_a_power_where_the_exponent_is_0():
    a, b = (tg.Tensor(x, dtype="float64", requires_grad=True) for x in (2.0, 0.0))
    by_a, by_b = tg.grad(a**b, [a, b], create_graph=True)
    assert tg.grad(by_a, b).item() == tg.grad(by_b, a).item() == 0.5  # 1 / a
    zero = tg.Tensor(0.0, dtype="float64", requires_grad=True)
    assert tg.grad(zero**b, zero).item() == 0


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint32", "int64"])
@pytest.mark.parametrize(
    "op", ["sigmoid", "exp", "softplus", "softmax", "log_softmax", "logsumexp", "tanh", "mean"]
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_of_integers_an_op_gives_what_it_gives_of_the_same_floats(op, dtype):
    x = np.array([1, 3, 20], dtype)
    found, expected = getattr(tg, op)(tg.Tensor(x)), getattr(tg, op)(tg.Tensor(x.astype("float64")))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.data, expected.data, rtol=1e-6)


def test_the_mean_of_many_halves_does_not_overflow():
    assert tg.mean(tg.Tensor(np.ones(70000, "float16"))).item() == 1


@pytest.mark.parametrize(
    "index", [range(-2, 2), array.array("l", [0, 0, 1]), (range(2), 0), [[0, 0], [1, 1]]], ids=str
)
def test_an_entry_that_is_picked_twice_gets_both_gradients_whatever_the_index_is(index):
    x = tg.Tensor(np.zeros((2, 3)), requires_grad=True)
    x[index].sum().backward()
    expected = np.zeros((2, 3))
    np.add.at(
        expected,
        tuple(map(list, index[:1])) + index[1:] if isinstance(index, tuple) else np.asarray(index),
        1,
    )
    np.testing.assert_array_equal(x.grad, expected)


def test_a_wide_bias_widens_an_affine_map():
    x = tg.Tensor(np.ones((2, 3), np.float32))
    wide = tg.linear(x, np.ones((4, 3), np.float32), np.ones(4))
    assert wide.dtype == (x @ np.ones((3, 4), np.float32) + np.ones(4)).dtype == np.float64
    np.testing.assert_array_equal(wide.data, np.full((2, 4), 4.0))


def test_logsumexp_does_not_complain_of_what_underflows():
    with np.errstate(all="raise"):
        assert OPS["logsumexp"](tg.Tensor(np.array([0.0, -1000.0]))).data == 0


@pytest.mark.parametrize("op", ["maximum", "minimum"])
def test_of_two_equal_entries_each_gets_half(op):
    a, b = (tg.Tensor([1.0, 2.0], requires_grad=True) for _ in "ab")
    (OPS[op](a, b) * tg.Tensor([1.0, 3.0])).sum().backward()
    np.testing.assert_array_equal(a.grad, [0.5, 1.5])
    np.testing.assert_array_equal(b.grad, [0.5, 1.5])
