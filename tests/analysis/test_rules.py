"""Rules are written as a person does, and still mean what runs."""

import re

import numpy as np
import pytest
from every_op import OPS
from helpers import leaf_with
from internals import WRITTEN, apply, cases, format_rule

import tinygrad_rnn as tg


def rules_of(y):
    """Return the rule for each input of the op of `y` that requires gradients."""
    inputs = enumerate(y.node.inputs)
    return [format_rule(y, i) for i, x in inputs if isinstance(x, tg.Tensor) and x.requires_grad]


A, B = leaf_with([[1.0, 2.0], [3.0, 5.0]], "u"), leaf_with([[2.0, 1.0], [1.0, 4.0]], "v")

RULES = [
    (A * B, ["g · b", "g · a"]),
    (A / B, ["g / b", "−g · y / b"]),
    (A - B, ["g", "−g"]),
    (A @ B, ["g @ bᵀ", "aᵀ @ g"]),
    (tg.square(A), ["g · 2a"]),
    (A**2, ["g · 2a"]),
    (A**3, ["g · 3a²"]),
    (A**1, ["g"]),
    (A**-1, ["−g · a ** (−2)"]),
    (A**B, ["g · b · a ** (b − 1)", "g · y · log(a)"]),
    (A * 3, ["3g"]),
    (A * -3, ["−3g"]),
    (A / 4, ["g / 4"]),
    (3 / A, ["−g · y / b"]),
    (tg.tanh(A), ["g · (1 − y²)"]),
    (tg.sigmoid(A), ["g · y · (1 − y)"]),
    (tg.relu(A), ["g where y > 0, else 0"]),
    (tg.exp(A), ["g · y"]),
    (tg.sqrt(A), ["0.5g / y"]),
    (tg.cbrt(A), ["g / (3y²)"]),
    (tg.fmod(A, B), ["g", "−g · rint((a − y) / b)"]),
    (tg.log2(A), ["g / (ln(2) · a)"]),
    (A.sum(), ["g, copied to every entry"]),
    (A.mean(axis=0), ["g / 2, copied to every entry"]),
    (A[0], ["g at [0], else 0"]),
    (A.T, ["gᵀ"]),
    (A.reshape(4), ["g"]),
    (tg.minimum(A, B), [
        "g where a < b, else (0 where a > b, else g / 2)",
        "g where a > b, else (0 where a < b, else g / 2)",
    ]),
    (tg.softmax(A), ["y · (g − Σ(g · y))"]),
    (tg.concatenate([A, B]), ["its part of g"] * 2),
    (tg.linear(A, B, A[0]),
     ["g @ b", "gᵀ @ a", "g"]),
]  # fmt: skip


@pytest.mark.parametrize(("y", "expected"), RULES, ids=[y.node.op.name for y, _ in RULES])
def test_a_rule_is_written_as_a_person_does(y, expected):
    assert rules_of(y) == expected


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_no_rule_shows_code(op):
    for arrays, settings in cases(op, np.random.default_rng(0)):
        names = op.inputs * (len(arrays) if op.variadic else 1)
        inputs = [
            leaf_with(a, name) if name in op.rules and np.asarray(a).dtype.kind == "f" else a
            for name, a in zip(names, arrays, strict=True)
        ]
        y = apply(op, inputs, settings)
        for rule in rules_of(y) if y.node else ():
            assert not re.search(
                r"(?<!\*)\*(?!\*)|inputs\[|axis|keepdims|==|\.mT|widen| - |lambda", rule
            )
            assert rule.count("(") == rule.count(")")


def read_rule(text, names):
    """Return the value of an elementwise rule."""
    text = re.sub(r"(\d)(?=[a-z])", r"\1·", text)
    for sign, code in {"·": "*", "−": "-", "²": "**2", "³": "**3", "σ": "sigmoid"}.items():
        text = text.replace(sign, code)
    text = re.sub(r"√\(", "sqrt(", text)
    functions = {"ln": np.log, "sigmoid": lambda x: 1 / (1 + np.exp(-x))}
    return eval(text, {**vars(np), **functions, **names})


@pytest.mark.parametrize("y", [
    A * B, A / B, A - B, A**2, A**3, A**-1, A**0.5, A**B, A * -3, 3 / A, 2**A, -A, tg.square(A),
    tg.tanh(A), tg.sigmoid(A), tg.exp(A), tg.expm1(A), tg.log(A), tg.log1p(A), tg.sqrt(A),
    tg.cbrt(A), tg.sin(A), tg.cos(A), tg.tan(A), tg.arcsin(A / 6), tg.arccos(A / 6),
    tg.arctan(A), tg.sinh(A), tg.cosh(A), tg.arcsinh(A), tg.arccosh(A + 1), tg.arctanh(A / 6),
    tg.log2(A), tg.log10(A), tg.exp2(A), tg.softplus(A), tg.logaddexp(A, B), tg.lerp(A, B, A),
    tg.fmod(A, B), A % B,
], ids=lambda y: y.node.op.name)  # fmt: skip
def test_a_written_rule_has_the_value_of_the_rule_that_runs(y):
    g = np.random.default_rng(0).standard_normal(y.shape)
    arrays = dict(zip("abc", y.node.arrays, strict=False))
    op = y.node.op
    for i, x in enumerate(y.node.inputs):
        if isinstance(x, tg.Tensor):
            ran = op.rules[op.inputs[i]](g, y.data, *y.node.arrays)
            found = read_rule(format_rule(y, i), {"g": g, "y": y.data, **arrays})
            np.testing.assert_allclose(found, ran, rtol=1e-9)


def test_rules_that_are_written_by_hand_are_rules_of_ops():
    sources = {op.rule_text(name) for op in OPS.values() for name in op.rules}
    assert WRITTEN.keys() <= sources


def test_rules_of_ones_own():
    @tg.op("own({a}, {b})")
    def own_of_rules(a, b, *, k=2):
        return a * b

    own_of_rules.vjps(
        a=lambda slope, out, *inputs, k: slope * inputs[1] - out * (k - 1),
        b=lambda g, y, u, v, *, k: -(g - y) * u / (v * v) if k > 2 else np.sum(g) + {1: 2}[1],
    )
    y = own_of_rules(A, B)
    first, second = rules_of(y)
    assert first == "g · b − y"
    assert second == own_of_rules.rule_text("b")  # a form that is not known stays as it is

    @tg.op("defined({a})")
    def defined_of_rules(a):
        return a * a

    def slope(g, y, x):
        return g * 2 * tg.exp(-x)

    defined_of_rules.vjps(a=slope)
    assert rules_of(defined_of_rules(A)) == ["2g · exp(−a)"]


@pytest.mark.parametrize(
    ("rule", "written"),
    [
        (lambda g, y, a: g if a.ndim > 1 else np.exp(g), "g if a.ndim > 1, else exp(g)"),
        (lambda g, y, a: g * a[1:] + a[..., None], "g · a[1:] + a"),
        (lambda g, y, a: g * (1 - 3), "−2g"),
        (lambda g, y, a: g * tg.sigmoid(a).sum(axis=0), "g · Σ(σ(a))"),
        (lambda g, y, a: -(-g * a) / -y, "−g · a / y"),
        (lambda g, y, a: g * (a if y is None else y), "g * (a if y is None else y)"),
        (lambda g, y, a: g * ~a, "g * ~a"),
        (lambda g, y, a: g % a, "g % a"),
        (lambda g, y, a: np.where((a > 0) & (y > 0), g, 0), "g where (a > 0 and y > 0), else 0"),
    ],
)
def test_forms_of_rules(rule, written):
    @tg.op("form({a})")
    def form_of_rules(a):
        return a * 1

    form_of_rules.vjps(a=rule)
    assert rules_of(form_of_rules(A)) == [written]
