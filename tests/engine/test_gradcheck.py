"""The gradient check finds small errors anywhere, names the place, and passes what is right.

And ops that a user defines.
"""

import re
import warnings

import numpy as np
import pytest
from every_op import OPS, STOPPED
from internals import Op, Sampler, cases, check_op, registry

import tinygrad_rnn as tg

RNG = np.random.default_rng(0)
A, B = RNG.standard_normal((2, 3)), RNG.standard_normal((2, 3))

pytestmark = pytest.mark.usefixtures("restored_registry")


def made(forward, formula="f({a})", **rules):
    """A new op with these rules, which the registry does not keep."""
    return Op(forward, formula).vjps(**rules)


def sin(a):
    return np.sin(a)


def tanh(a):
    return np.tanh(a)


def exp(a):
    return np.exp(a)


# -- it passes what is right -----------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3])
def test_right_functions_pass(order):
    assert tg.gradcheck(tg.tanh, A, order=order) is True
    assert tg.gradcheck(lambda a, b: tg.exp(a) * b.sum(), A, B, order=order) is True


def test_what_the_inputs_may_be():
    def f(a, i, mask, b):
        return a[i] * tg.where(mask, b, 1.0)

    assert tg.gradcheck(
        f, A, np.array([1, 0, 1]), np.array([True, False, True]), tg.Tensor(B[0]), order=2
    )
    assert tg.gradcheck(tg.sin, [0.5, 1.5], order=2)
    assert tg.gradcheck(tg.sin, 0.5, order=2)
    assert tg.gradcheck(tg.sin, np.array(0.5), order=2)
    assert tg.gradcheck(tg.sin, np.zeros((0, 3)), order=2)
    assert tg.gradcheck(tg.matmul, A, np.asfortranarray(B.T), order=2)


@pytest.mark.parametrize(
    "f",
    [
        lambda a: (tg.sin(a), a * a),
        lambda a: [tg.sin(a), tg.stack([a, a])],
        lambda a: (tg.sin(a), (a.sum(), (a * 2.0, a[0]))),
        lambda a: tg.split(a * a, 3, 1),
    ],
    ids=["tuple", "list", "nested", "split"],
)
def test_functions_with_several_outputs_pass(f):
    assert tg.gradcheck(f, A, order=2)


def test_an_input_that_does_not_matter():
    assert tg.gradcheck(lambda a, b: tg.sin(a) + 0.0 * b, A, B, order=2)
    assert tg.gradcheck(lambda a, b: tg.sin(a), A, B)


def test_nothing_of_the_callers_changes():
    a, x = A.copy(), tg.Tensor(B.copy(), requires_grad=True)
    a.flags.writeable = False
    x.data.flags.writeable = False
    tg.gradcheck(lambda p, q: p * tg.exp(q), a, x, order=2)
    np.testing.assert_array_equal(a, A)
    np.testing.assert_array_equal(x.data, B)
    assert x.grad is None


def test_it_is_reproducible_and_takes_a_generator():
    seen = []

    def f(a):
        y = tg.sin(a)
        seen.append(y.data.copy())
        return y

    tg.gradcheck(f, A)
    first, seen[:] = list(seen), []
    tg.gradcheck(f, A)
    for x, y in zip(first, seen, strict=True):
        np.testing.assert_array_equal(x, y)
    rng = np.random.default_rng(5)
    state = rng.bit_generator.state
    tg.gradcheck(f, A, rng=rng)
    assert rng.bit_generator.state != state


# -- it finds what is wrong ------------------------------------------------------------------------


def slightly_off(index, shape, factor=1.001):
    """Ones, but for one entry."""
    factors = np.ones(shape)
    factors[index] = factor
    return factors


@pytest.mark.parametrize("index", list(np.ndindex(2, 3)), ids=str)
def test_an_error_of_a_thousandth_in_any_entry(index):
    factors = slightly_off(index, (2, 3))
    wrong = made(tanh, a=lambda g, y, a: g * (1 - y * y) * factors)
    with pytest.raises(tg.GradcheckError, match=re.escape(f"argument a{list(index)}")):
        tg.gradcheck(wrong, A)


@pytest.mark.parametrize("index", list(np.ndindex(2, 3)), ids=str)
@pytest.mark.parametrize("argument", ["a", "b"])
def test_an_error_of_a_thousandth_in_any_entry_of_either_argument(argument, index):
    factors = {"a": np.ones((2, 3)), "b": np.ones((2, 3)), argument: slightly_off(index, (2, 3))}

    def product(a, b):
        return a * b

    wrong = made(
        product,
        "{a} {b}",
        a=lambda g, y, a, b: g * b * factors["a"],
        b=lambda g, y, a, b: g * a * factors["b"],
    )
    with pytest.raises(
        tg.GradcheckError, match=re.escape(f"product: argument {argument}{list(index)}")
    ):
        tg.gradcheck(wrong, A, B)
    factors[argument][:] = 1
    assert tg.gradcheck(wrong, A, B)


@pytest.mark.parametrize("index", list(np.ndindex(2, 3)), ids=str)
def test_an_error_of_a_thousandth_in_the_second_order_only(index):
    """The rule is right, but it is written with an op whose own rule is wrong."""
    factors = slightly_off(index, (2, 3))
    slope = made(
        lambda a: 1 - np.tanh(a) ** 2,
        a=lambda g, y, a: g * -2 * tg.tanh(a) * (1 - tg.tanh(a) ** 2) * factors,
    )
    curve = made(tanh, a=lambda g, y, a: g * slope(a))
    assert tg.gradcheck(curve, A)
    with pytest.raises(
        tg.GradcheckError, match=rf"gradient of tanh: argument .*{re.escape(str(list(index)))}"
    ):
        tg.gradcheck(curve, A, order=2)


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        (name, argument)
        for name, op in OPS.items()
        for argument in op.rules
        if op.rule_text(argument) != STOPPED
    ],
)
def test_an_error_of_a_thousandth_in_any_rule_of_the_registry(name, argument, monkeypatch):
    """A rule is linear in g: with 1.001 g coming in, a thousandth too much goes out."""
    op = OPS[name]
    place = op.inputs.index(argument)
    right, wrong = op.rules_in_order[place], [*op.rules_in_order]
    wrong[place] = lambda g, *arguments, **params: right(g * 1.001, *arguments, **params)
    monkeypatch.setattr(op, "rules_in_order", tuple(wrong))
    with pytest.raises(
        tg.GradcheckError,
        match=f"^gradcheck: {name}: argument {'inputs' if op.variadic else argument}\\[",
    ):
        check_op(op, order=1)


def test_the_rule_of_sign_is_checked_too(monkeypatch):
    monkeypatch.setattr(tg.sign, "rules_in_order", (lambda g, y, a: g * 1e-3,))
    with pytest.raises(tg.GradcheckError, match="sign"):
        check_op(tg.sign)


WRONG = {
    "sign": (made(sin, a=lambda g, y, a: -g * tg.cos(a)), (A,)),
    "missing factor": (made(lambda a: a**2, a=lambda g, y, a: g * a), (A,)),
    "missing g": (made(sin, a=lambda g, y, a: tg.cos(a)), (A,)),
    "zero": (made(sin, a=lambda g, y, a: g * 0), (A,)),
    "y for a": (made(exp, a=lambda g, y, a: g * a), (A,)),
    "nan": (made(lambda a: a * 1, a=lambda g, y, a: g * np.nan), (A,)),
    "inf": (made(lambda a: a * 1, a=lambda g, y, a: g + np.inf), (A,)),
    "transposed factor": (
        made(
            lambda a, b: a @ b, "{a}{b}", a=lambda g, y, a, b: g @ b, b=lambda g, y, a, b: a.T @ g
        ),
        (RNG.standard_normal((2, 3)), RNG.standard_normal((3, 3))),
    ),
    "factors in the wrong order": (
        made(
            lambda a, b: a @ b, "{a}{b}", a=lambda g, y, a, b: g @ b.T, b=lambda g, y, a, b: g.T @ a
        ),
        (RNG.standard_normal((3, 3)), RNG.standard_normal((3, 3))),
    ),
    "transposed result": (
        made(sin, a=lambda g, y, a: (g * tg.cos(a)).T),
        (RNG.standard_normal((3, 3)),),
    ),
    "mean for each": (made(lambda a: a * 2, a=lambda g, y, a: 2 * g.mean() + 0 * a), (A,)),
    "sum not spread over its axis": (
        made(lambda a: a.sum(axis=0), a=lambda g, y, a: g[::-1] + 0 * a),
        (A,),
    ),
    "constant subtracted": (made(lambda a: a - a.mean(), a=lambda g, y, a: 0 * g), (A,)),
    "first entry only": (
        made(lambda a: a.sum(), a=lambda g, y, a: g * np.eye(1, 6).reshape(2, 3)),
        (A,),
    ),
    "axes exchanged": (
        made(lambda a: a.transpose(1, 2, 0), a=lambda g, y, a: tg.transpose(g, (1, 2, 0))),
        (RNG.standard_normal((2, 2, 2)),),
    ),
}


@pytest.mark.parametrize(("wrong", "inputs"), WRONG.values(), ids=WRONG)
def test_wrong_rules_are_found(wrong, inputs):
    with pytest.raises(tg.GradcheckError):
        tg.gradcheck(wrong, *inputs)


def test_an_error_that_a_cotangent_of_ones_would_hide():
    """y = a − mean(a): with ones arriving, the gradient is 0, and so is the wrong rule's."""
    wrong = made(lambda a: a - a.mean(), a=lambda g, y, a: g * 0)
    x = tg.Tensor(A, requires_grad=True)
    wrong(x).backward(np.ones_like(A))
    np.testing.assert_array_equal(x.grad, 0)
    with pytest.raises(tg.GradcheckError):
        tg.gradcheck(wrong, A)


def test_a_missing_broadcast():
    """The engine sums over broadcast axes: a rule that sums over another one is found."""

    def add_row(a, b):
        return a + b

    square, row = RNG.standard_normal((3, 3)), RNG.standard_normal(3)
    right = made(add_row, "{a}{b}", a=lambda g, y, a, b: g, b=lambda g, y, a, b: g)
    assert tg.gradcheck(right, square, row, order=2)
    for rule in (
        lambda g, y, a, b: g.sum(axis=1),
        lambda g, y, a, b: g[0],
        lambda g, y, a, b: g.mean(axis=0),
    ):
        wrong = made(add_row, "{a}{b}", a=lambda g, y, a, b: g, b=rule)
        with pytest.raises(tg.GradcheckError, match="add_row: argument b"):
            tg.gradcheck(wrong, square, row)


def test_a_rule_of_an_impossible_shape_is_named():
    wrong = made(sin, a=lambda g, y, a: g[:, :2])
    with pytest.raises(ValueError, match=r"sin.*\(2, 3\).*\(2, 2\)"):
        tg.gradcheck(wrong, A)


def test_an_intermediate_that_was_detached_is_found_in_second_order():
    """Right to first order, silently wrong to second: the factor is taken for a constant."""

    def frozen(x):
        return x.detach() if isinstance(x, tg.Tensor) else x

    wrong = made(lambda a: a * a, a=lambda g, y, a: g * 2 * frozen(a))
    assert tg.gradcheck(wrong, A)
    with pytest.raises(tg.GradcheckError, match="gradient of"):
        tg.gradcheck(wrong, A, order=2)


def test_a_composition_with_one_wrong_op_names_the_ops():
    wrong = made(sin, a=lambda g, y, a: g * tg.sin(a))

    def model(w):
        return tg.tanh(wrong(w) * 2.0)

    with pytest.raises(tg.GradcheckError, match=r"model: argument w.*ops: .*multiply.*sin.*tanh"):
        tg.gradcheck(model, A)


def test_a_function_that_forgets_the_graph_is_found():
    with pytest.raises(tg.GradcheckError):
        tg.gradcheck(lambda a: a * a.detach(), A)
    with pytest.raises(tg.GradcheckError):
        tg.gradcheck(lambda a: tg.Tensor(np.sin(a.data)), A)


def test_an_op_that_writes_into_its_argument_is_found():
    def twice(a):
        a *= 2
        return a

    with pytest.raises(
        tg.GradcheckError,
        match=r"gradcheck: twice: argument inputs\[0\]: expected an array that the function does "
        "not change",
    ):
        tg.gradcheck(made(twice, a=lambda g, y, a: 2 * g), A.copy())


# -- it says where ---------------------------------------------------------------------------------


def test_the_message_names_op_argument_entry_and_values():
    factors = slightly_off((1, 2), (2, 3), factor=1.5)

    def cube(a):
        return a**3

    wrong = made(cube, a=lambda g, y, a: g * 3 * a * a * factors)
    with pytest.raises(tg.GradcheckError) as caught:
        tg.gradcheck(wrong, A, rng=np.random.default_rng(3))
    found = re.fullmatch(
        r"gradcheck: cube: argument a\[1, 2\]: expected the difference quotient (\S+), "
        r"got the derivative (\S+) \(tolerance (\S+); ops: (.*)\); "
        r"look for a wrong rule or a detach between a and the output",
        str(caught.value),
    )
    assert found
    u = np.random.default_rng(3).standard_normal(6).reshape(2, 3)
    true = u[1, 2] * 3 * A[1, 2] ** 2
    assert float(found[1]) == pytest.approx(true, rel=1e-6)
    assert float(found[2]) == pytest.approx(1.5 * true, rel=1e-9)
    assert float(found[3]) == pytest.approx(1e-7 + 1e-5 * abs(true), rel=0.1)
    assert "cube" in found[4].split(", ")
    assert isinstance(caught.value, AssertionError)


class Model:
    """Something that can be called, wrong to be told from right, without a name of its own."""

    def __call__(self, x):
        return x * x.detach()

    def __repr__(self):
        return "Model()"


@pytest.mark.parametrize(
    ("f", "name"),
    [
        (lambda weight: weight * weight.detach(), r"<lambda>: argument weight\["),
        (made(sin, a=lambda g, y, a: g), r"sin: argument a\["),
        (Model(), r"Model\(\): argument inputs\[0\]\["),
        (lambda *some: some[0] * some[0].detach(), r"<lambda>: argument inputs\[0\]\["),
    ],
    ids=["function", "op", "module", "variadic"],
)
def test_what_the_argument_is_called(f, name):
    with pytest.raises(tg.GradcheckError, match=name):
        tg.gradcheck(f, A)


def test_tolerances_can_be_given():
    nearly = made(sin, a=lambda g, y, a: g * tg.cos(a) * 1.001)
    with pytest.raises(tg.GradcheckError):
        tg.gradcheck(nearly, A)
    assert tg.gradcheck(nearly, A, rtol=1e-2)
    assert tg.gradcheck(nearly, A, atol=1.0)
    with pytest.raises(tg.GradcheckError):
        tg.gradcheck(nearly, A, rtol=1e-4, atol=0)


def test_float32_is_warned_about():
    with pytest.warns(UserWarning, match="float32.*float64"):
        assert tg.gradcheck(tg.tanh, A.astype(np.float32), eps=1e-2, rtol=1e-2, atol=1e-2)
    with pytest.warns(UserWarning, match="float16"):
        assert tg.gradcheck(
            lambda a, b: a * b, A, B.astype(np.float16), eps=0.25, rtol=0.1, atol=0.1
        )
    with pytest.warns(UserWarning, match="float32"):
        tg.gradcheck(tg.sin, tg.Tensor([0.5]), eps=1e-2, rtol=1e-2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tg.gradcheck(tg.tanh, A)


def test_nothing_to_check_is_refused():
    with pytest.raises(TypeError, match=r"gradcheck: argument inputs.*pass np\.array"):
        tg.gradcheck(tg.tanh, np.array([1, 2]))
    with pytest.raises(TypeError, match=r"gradcheck: argument f.*Tensors, got ndarray"):
        tg.gradcheck(lambda a: a.data, A)
    with pytest.raises(TypeError, match=r"gradcheck: argument f.*got (float|ndarray|NoneType)"):
        tg.gradcheck(lambda a: None, A)


# -- samples ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (1,), (3, 4), (50,), (2, 3, 4), (0, 3)], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_samples_keep_away_from_kinks(shape, seed):
    r = Sampler(np.random.default_rng(seed))
    for a, positive in ((r(*shape), False), (r.positive(*shape), True)):
        assert type(a) is np.ndarray
        assert (a.shape, a.dtype) == (shape, np.float64)
        assert len(np.unique(a)) == a.size
        assert (np.abs(a) >= 0.2).all()
        assert (np.abs(a) <= 2.0).all()
        if positive:
            assert (a > 0).all()
    assert (r(100) < 0).any()


def test_cases_give_every_setting():
    for arrays, params in cases(tg.sum, np.random.default_rng(0)):
        assert set(params) == {"axis", "keepdims"}
        assert all(isinstance(a, np.ndarray) for a in arrays)
    for arrays, params in cases(tg.concatenate, np.random.default_rng(0)):
        assert len(arrays) > 1
        assert set(params) == {"axis"}


def test_an_op_without_samples_is_an_error_not_a_success():
    op = made(sin, a=lambda g, y, a: g)
    with pytest.raises(
        ValueError, match=r"^check_op: argument .* got none; give @op sample=lambda"
    ):
        check_op(op)


# -- ops of one's own ------------------------------------------------------------------------------


def gentle_sign():
    @tg.op("gentle_sign({a})", sample=lambda r: [(r(3, 4),), (r(),)])
    def gentle_sign(a):
        """a / (1 + |a|)."""
        return a / (1 + np.abs(a))

    return gentle_sign.vjps(a=lambda g, y, a: g / (1 + tg.abs(a)) ** 2)


def test_a_custom_op_is_like_the_built_in_ones():
    op = gentle_sign()
    assert registry["gentle_sign"] is op
    assert op.formula == "gentle_sign({a})"
    assert op.signature == "gentle_sign(a)"
    assert op.rule_text("a") == "g / (1 + tg.abs(a)) ** 2"
    assert op.__doc__.startswith("a / (1 + |a|).\n")
    assert repr(op) == "<op gentle_sign(a)>"
    assert check_op(op, order=2) == 2
    assert type(op(A)) is np.ndarray
    x = tg.Tensor(A, requires_grad=True)
    y = op(x)
    assert "has graph: gentle_sign" in repr(y)
    second = tg.grad(
        tg.grad(y, x, grad_output=B, create_graph=True), x, grad_output=np.ones_like(A)
    )
    np.testing.assert_allclose(second.data, B * -2 * np.sign(A) / (1 + np.abs(A)) ** 3, rtol=1e-13)
    x32 = tg.Tensor(A.astype(np.float32), requires_grad=True)
    op(x32).backward(B)
    assert x32.grad.dtype == np.float32
    assert op(tg.Tensor([1, 2])).dtype == np.float32


def test_a_custom_op_with_settings():
    @tg.op("{a}^{n}", sample=lambda r: [(r.positive(3), {"n": 3}), (r.positive(3),)])
    def root(a, *, n=2, scale=1.0):
        return scale * a ** (1 / n)

    root.vjps(a=lambda g, y, a, n, scale: g * (y / (n * a)))
    assert check_op(root, order=2) == 2
    np.testing.assert_allclose(root(tg.Tensor(np.array([8.0])), n=3, scale=2.0).data, [4.0])
    np.testing.assert_allclose(root(np.array([8.0]), 3), [2.0])
    assert root.signature == "root(a, n=2, scale=1.0)"
    with pytest.raises(
        TypeError,
        match=r"root: argument m: expected one of the arguments a, n, scale, got m=; leave it out",
    ):
        root(np.ones(2), m=3)


def test_a_custom_variadic_op():
    @tg.op("Π({factors})", sample=lambda r: ((r(2, 3), r(3), r(2, 1)),))
    def product(*factors):
        y = 1.0
        for factor in factors:
            y = y * factor
        return y

    product.vjps(factors=lambda g, y, *factors: [g * (y / factor) for factor in factors])
    assert check_op(product, order=2) == 1
    x = tg.Tensor(A, requires_grad=True)
    product([x, 2.0, B]).backward(np.ones_like(A))
    np.testing.assert_allclose(x.grad, 2 * B, rtol=1e-14)


def test_rules_for_an_unknown_input_are_refused():
    with pytest.raises(TypeError, match=r"sin\.vjps: no input named b; the inputs are a"):
        made(sin, b=lambda g, y, a: g)


def test_an_input_without_a_rule_is_a_constant():
    @tg.op("{a} · {steps}")
    def scaled(a, steps):
        return a * steps

    scaled.vjps(a=lambda g, y, a, steps: g * steps)
    a, steps = tg.Tensor(A, requires_grad=True), tg.Tensor(B, requires_grad=True)
    for constant, factor in ((B, B), (2.0, np.full_like(A, 2)), (steps.detach(), B)):
        a.grad = None
        scaled(a, constant).backward(np.ones_like(A))
        np.testing.assert_array_equal(a.grad, factor)
    for first in (a, A):
        with pytest.raises(
            TypeError,
            match=r"scaled: argument steps: .*a constant.*steps\.detach\(\).*"
            r"add steps=\.\.\. to the call of scaled\.vjps",
        ) as caught:
            scaled(first, steps)
        assert "argument a:" not in str(caught.value)
    with tg.no_grad():
        assert not scaled(a, steps).requires_grad
    assert steps.grad is None


def test_an_op_without_rules_refuses_every_tracked_tensor():
    @tg.op("round({a})")
    def rounded(a):
        return np.round(a)

    np.testing.assert_array_equal(rounded(tg.Tensor(A)).data, np.round(A))
    with pytest.raises(
        TypeError, match=r"rounded: argument a.*add a=\.\.\. to the call of rounded\.vjps"
    ):
        rounded(tg.Tensor(A, requires_grad=True))


def test_where_takes_no_gradient_for_its_condition():
    with pytest.raises(TypeError, match="where: argument condition"):
        tg.where(tg.Tensor(A, requires_grad=True), B, 0.0)


def test_an_error_in_the_forward_function_names_the_op_and_its_arguments():
    @tg.op("{a}", fix="make it square")
    def squared(a):
        if a.shape[0] != a.shape[1]:
            raise ValueError("not square")
        return a @ a

    with pytest.raises(
        ValueError, match=r"squared: not square; got a: float64 \(2, 3\); make it square"
    ):
        squared(tg.Tensor(A))


# -- names of ops ----------------------------------------------------------------------------------


def cell_of_a_notebook(name, value, module="__main__"):
    """Run the text of a cell that defines an op; returns the op."""
    space = {"__name__": module, "tg": tg}
    exec(f"@tg.op('{name}({{a}})')\ndef {name}(a):\n    return a * {value}", space)
    return space[name]


@pytest.mark.parametrize("name", ["exp", "matmul", "_linear", "relu"])
def test_the_name_of_a_built_in_op_is_taken(name):
    before = dict(registry)
    with pytest.raises(
        ValueError,
        match=rf"op: argument {name.lstrip('_')}: .*defined in tinygrad_rnn\.ops\.\w+; rename ",
    ):
        cell_of_a_notebook(name, 2)
    assert registry == before


def test_a_cell_can_run_again_with_changes():
    first, second = cell_of_a_notebook("doubled", 2), cell_of_a_notebook("doubled", 3)
    assert registry["doubled"] is second is not first
    assert second(tg.Tensor([1.0])).item() == 3


def test_the_name_of_another_modules_op_is_taken():
    first = cell_of_a_notebook("doubled", 2, "library")
    with pytest.raises(ValueError, match=r"op: argument doubled: .*defined in library"):
        cell_of_a_notebook("doubled", 3)
    assert registry["doubled"] is first


def test_a_module_may_be_loaded_under_two_names(tmp_path):
    """As by ``python -m package.module`` where the package imports it too."""
    import runpy

    path = tmp_path / "own.py"
    path.write_text(
        "import tinygrad_rnn as tg\n@tg.op('doubled({a})')\ndef doubled(a):\n    return a * 2\n",
        encoding="utf-8",
    )
    runpy.run_path(str(path), run_name="own")
    assert runpy.run_path(str(path), run_name="__main__")["doubled"] is registry["doubled"]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_check_that_fails_in_a_small_dtype_says_that_float64_is_needed(dtype):
    x = np.linspace(-2, 2, 40).astype(dtype)
    wrong = Op(lambda a: a * a, "wrong {a}").vjps(a=lambda g, y, a: g * a)
    fix = f"; pass float64 inputs, because differences in {dtype} are coarse"
    with (
        pytest.warns(UserWarning, match=f"in {dtype} are too coarse") as caught,
        pytest.raises(tg.GradcheckError, match=fix),
    ):
        tg.gradcheck(wrong, x)
    assert caught[0].filename == __file__


def test_float32_is_checked_with_a_coarser_measure():
    x = np.array([0.5, -1.0, 2.0], dtype=np.float32)
    with pytest.warns(UserWarning, match="too coarse"):
        assert tg.gradcheck(tg.tanh, x)
    wrong = Op(lambda a: a * a, "wrong {a}").vjps(a=lambda g, y, a: g * a)
    with pytest.warns(UserWarning, match="too coarse"), pytest.raises(tg.GradcheckError):
        tg.gradcheck(wrong, x)
