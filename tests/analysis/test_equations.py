"""Equations keep their meaning: a reader who evaluates the text gets the numbers of the graph.

The reader here is a parser with the conventions of mathematics: postfix signs and roots bind most
tightly, then powers (from the right), minus signs, products and sums (from the left). A text that
needs other conventions is ambiguous, so chains of products without brackets are refused.
"""

import re

import numpy as np
import pytest
from helpers import leaf_with, normal, together
from internals import fill_formula, levels, toposort

import tinygrad_rnn as tg

FUNCTIONS = {
    "exp": np.exp,
    "tanh": np.tanh,
    "max": lambda *xs: np.maximum(*xs) if len(xs) > 1 else np.max(*xs),
    "Σ": np.sum,
    "where": np.where,
    "σ": lambda x: 1 / (1 + np.exp(-x)),
    "clip": np.clip,
    "reshape": lambda x, *shape: np.reshape(x, [int(n) for n in shape]),
    "hypot": np.hypot,
    "logaddexp": np.logaddexp,
}
CONSTANTS = {"True": True, "False": False, "inf": np.inf, "nan": np.nan}
PRODUCTS = {
    "⊙": np.multiply,
    "/": np.divide,
    "//": np.floor_divide,
    "@": np.matmul,
    "mod": np.mod,
    "fmod": np.fmod,
}
POSTFIX = {"²": np.square, "ᵀ": np.transpose}
PREFIX = {"√": np.sqrt, "∛": np.cbrt}
CLOSED_BY = {"⌊": "⌋", "⌈": "⌉", "|": "|", "(": ")"}
ENCLOSED = {"⌊": np.floor, "⌈": np.ceil, "|": np.abs, "(": lambda x: x}
TOKENS = re.compile(r"\s*(#?[^\W\d_]\w*|#\d+|\d+(?:\.\d+)?(?:e[+−]?\d+)?|\*\*|//|\S)")


class Reader:
    """A recursive descent parser that computes as it reads."""

    def __init__(self, text, names):
        text = re.sub(r"([²ᵀ])", r" \1 ", text.replace("-", "−"))  # no letter of a name
        self.tokens, self.names = [*TOKENS.findall(text), ""], names

    def next(self):
        return self.tokens.pop(0)

    def expect(self, token):
        assert self.next() == token, self.tokens

    def read(self):
        value = self.sum()
        assert self.tokens == [""], self.tokens
        return value

    def sum(self):
        value = self.product()
        while self.tokens[0] in ("+", "−"):
            sign, term = self.next(), self.product()
            value = value + term if sign == "+" else value - term
        return value

    def product(self):
        value, operator = self.signed(), self.tokens[0]
        if operator in PRODUCTS:
            value = PRODUCTS[self.next()](value, self.signed())
            assert self.tokens[0] not in PRODUCTS, "a chain of products without brackets"
        return value

    def signed(self):
        if self.tokens[0] == "−":
            self.next()
            return -self.power()
        return self.power()

    def power(self):
        value = self.root()
        if self.tokens[0] == "**":
            self.next()
            value = value ** self.root()
            assert self.tokens[0] != "**", "a chain of powers without brackets"
        return value

    def root(self):
        return PREFIX[self.next()](self.root()) if self.tokens[0] in PREFIX else self.postfix()

    def postfix(self):
        value, signs = self.atom(), []
        while self.tokens[0] in {*POSTFIX, "["}:
            sign = self.next()
            value = value[self.index()] if sign == "[" else POSTFIX[sign](value)
            signs.append(sign)
        assert signs.count("²") < 2, "a square of a square without brackets"
        return value

    def index(self):
        if self.tokens[0] == "[":
            self.next()
            index = self.array()
            self.expect("]")
            return index if index.dtype == bool else index.astype(int)
        bounds = "".join(iter(self.next, "]")).replace("−", "-").split(":")
        return slice(*(int(bound) if bound else None for bound in bounds))

    def array(self):
        rows = [self.sum()]
        while self.tokens[0] == ",":
            self.next()
            rows.append(self.sum())
        self.expect("]")
        array, leaf = np.array(rows), next(iter(self.names.values()))
        return array.astype(leaf.dtype) if array.dtype == float else array

    def atom(self):
        token = self.next()
        if token == "[":
            return self.array()
        if token in CONSTANTS:
            return CONSTANTS[token]
        if token in CLOSED_BY:
            value = self.sum()
            self.expect(CLOSED_BY[token])
            return ENCLOSED[token](value)
        if token in FUNCTIONS:
            self.expect("(")
            arguments = [self.sum()]
            while self.tokens[0] == ",":
                self.next()
                arguments.append(self.sum())
            self.expect(")")
            return FUNCTIONS[token](*arguments)
        if token[0].isdigit():
            return float(token.replace("−", "-"))
        return self.names[token]


def evaluate(output, names):
    """Return what the equations of a graph say, evaluated line by line."""
    names = dict(names)
    for line in tg.graph(output).text(shapes=False).splitlines():
        if " = " in line:
            name, _, formula = line.split(maxsplit=1)[1].partition(" = ")
            names[name] = value = Reader(formula.strip(), names).read()
    return value


BINARY = [
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: x / y,
    lambda x, y: x**y,
    lambda x, y: x @ y,
    lambda x, y: x % y,
    lambda x, y: x // y,
    tg.fmod,
    tg.hypot,
    tg.logaddexp,
    tg.maximum,
    lambda x, y: tg.lerp(x, y, x),
    lambda x, y: tg.linear(x, y, x),
    lambda x, y: tg.where(np.array(True), x, y),
]
UNARY = [
    lambda x: -x,
    tg.sqrt,
    tg.square,
    tg.abs,
    tg.exp,
    tg.tanh,
    tg.sigmoid,
    lambda x: x.T,
    lambda x: x[::-1],
    tg.copy,
    tg.floor,
    tg.cbrt,
    lambda x: x**-2,
    lambda x: (-2) ** x,
    lambda x: x + -1.5,
    lambda x: -0.5 - x,
    lambda x: x * -3,
    lambda x: -3 / x,
    lambda x: -2 % x,
    lambda x: tg.clip(x, -0.5, 4),
]
LEAVES = {name: np.abs(normal(2, 2, seed=i)) + 0.5 for i, name in enumerate("abc")}


def assert_reads_as(build):
    """Assert that the text of a graph, evaluated, gives the value of the graph."""
    leaves = {name: leaf_with(values, name) for name, values in LEAVES.items()}
    with np.errstate(all="ignore"):
        y = build(*leaves.values())
        found = evaluate(y, LEAVES)
    if all(np.isfinite(value.array).all() for value in toposort(y)):  # else the order matters
        np.testing.assert_allclose(found, y.data, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("outer", range(len(BINARY)))
def test_every_pair_of_operators_keeps_its_meaning(outer):
    f = BINARY[outer]
    for g in BINARY:
        assert_reads_as(lambda a, b, c, g=g: f(g(a, b), c))
        assert_reads_as(lambda a, b, c, g=g: f(a, g(b, c)))
        assert_reads_as(lambda a, b, c, g=g: f(g(a, b), g(b, c)))
    for g in UNARY:
        assert_reads_as(lambda a, b, c, g=g: f(g(a), b))
        assert_reads_as(lambda a, b, c, g=g: f(a, g(b)))
        assert_reads_as(lambda a, b, c, g=g: g(f(a, b)))


def test_every_pair_of_signs_and_functions_keeps_its_meaning():
    for f in UNARY:
        for g in UNARY:
            assert_reads_as(lambda a, b, c, f=f, g=g: f(g(a)))
            assert_reads_as(lambda a, b, c, f=f, g=g: f(g(a + b)))


@together("seed", range(300))
def test_random_expressions_keep_their_meaning(seed):
    rng = np.random.default_rng(seed)

    def grow(leaves, depth):
        kind = rng.random() if depth else 1.0
        if kind < 0.35:
            return UNARY[rng.integers(len(UNARY))](grow(leaves, depth - 1))
        if kind < 0.95:
            f = BINARY[rng.integers(len(BINARY))]
            return f(grow(leaves, depth - 1), grow(leaves, depth - 1))
        return leaves[rng.integers(3)]

    def build(*leaves):
        x = grow(leaves, rng.integers(2, 5))
        return x if x.node else -x

    assert_reads_as(build)


WITH_NUMBER = [
    lambda x, c: x + c,
    lambda x, c: c - x,
    lambda x, c: x * c,
    lambda x, c: c / x,
    lambda x, c: x**c,
    lambda x, c: x // c,
    lambda x, c: x % c,
    lambda x, c: tg.fmod(c, x),
    lambda x, c: tg.maximum(x, c),
    lambda x, c: tg.clip(x, -c, c),
    lambda x, c: tg.where(x.data > c, x, c),
    lambda x, c: tg.lerp(x, x * x, c),
    lambda x, c: tg.hypot(x, c),
]


def draw_constant(rng, dtype):
    """Return a number that six digits do not give, as a Python number, a scalar or an array."""
    number = float(rng.choice([1 / 3, np.pi, 0.1, 1e-3, 3.0, 4097.0]) * (1 + rng.random() / 1000))
    array = (number * (1 + np.arange(4) / 7)).astype(dtype)
    constants = number, int(number) + 1, np.float64(number), array[0].reshape(())
    return [*constants, array[:2], array.reshape(2, 2), tg.Tensor(array[2:])][rng.integers(7)]


def choose_entries(rng, x):
    """Return some rows of `x`, or all in another order."""
    index = [rng.integers(0, len(x.data), 2), rng.random(len(x.data)) < 2, slice(None, None, -1)]
    return np.roll(x, 1, axis=0) if (i := rng.integers(4)) == 3 else x[index[i]]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@together("seed", range(60))
def test_an_equation_gives_every_digit_of_its_constants(seed, dtype):
    """The reader computes with NumPy in the same dtype, so it gets the very same numbers."""
    rng = np.random.default_rng(seed)
    values = LEAVES["a"].astype(dtype)
    x = leaf_with(values, "a")
    assert x.dtype == dtype
    with np.errstate(all="ignore"):
        for _ in range(rng.integers(1, 5)):
            f = WITH_NUMBER[rng.integers(len(WITH_NUMBER))]
            x = choose_entries(rng, x) if rng.random() < 0.2 else f(x, draw_constant(rng, dtype))
        found = evaluate(x, {"a": values})
    np.testing.assert_array_equal(found, x.data)
    assert found.dtype == x.dtype


@pytest.mark.parametrize(
    ("build", "written"),
    [
        (lambda x: x - 16777216.5, "x − 16777216.5"),
        (lambda x: x.astype("float32") * np.pi, "x [dtype=float32] ⊙ 3.1415927"),
        (lambda x: x * np.pi, "x ⊙ 3.141592653589793"),
        (lambda x: x ** (1 / 3), "x ** 0.3333333333333333"),
        (lambda x: x // 0.1, "x // 0.1"),
        (lambda x: tg.arctan2(-0.0, x), "arctan2(−0.0, x)"),
        (lambda x: x ** np.array([2.0, 3.0]), "x ** [2, 3]"),
        (lambda x: x + np.ones((3, 3, 1)), "x + array(3, 3, 1)"),
        (lambda x: x + np.ones((0, 1)), "x + array(0, 1)"),
        (lambda x: x[np.array([1, 0])], "x[[1, 0]]"),
        (lambda x: tg.where(x.data > 1, x, -np.inf), "where([False, True], x, −inf)"),
        (lambda x: tg.concatenate([x, [1.5]]), "concatenate(x, [1.5])"),
        (lambda x: tg.gather(x, 1), "gather(x, 1)"),
        (np.linalg.norm, "where(False, 0, √where(False, 1, Σ(reshape(x, -1)²)))"),
    ],
)
def test_small_constants_are_written_as_numbers(build, written):
    y = build(leaf_with(np.array([1.0, 2.0]), "x"))
    line = tg.graph(y).text(shapes=False).splitlines()[-1]
    assert line.split(" = ")[1] == written


def test_drawings_and_steps_backwards_write_the_same_digits():
    y = leaf_with(np.array([1.0], np.float32), "x") * np.pi
    assert [node.text for node in tg.graph(y).nodes] == ["", "x ⊙ 3.1415927"]
    steps = list(tg.backward_steps(y.sum()))
    assert [step.equation for step in steps] == ["#2 = Σ(#1)", "#1 = x ⊙ 3.1415927"]


def test_a_box_of_a_drawing_holds_a_short_array_and_the_shape_of_a_long_one():
    x = leaf_with(np.array([1.0, 2.0]), "x")
    texts = [node.text for node in tg.graph(x ** [2.0, 3.0] + [1 / 3, 2 / 3]).nodes]
    assert texts == ["", "[2, 3]", "**", "array(2,)", "+"]


@pytest.mark.parametrize("f", UNARY + [lambda x, f=f: f(x, x) for f in BINARY])
def test_the_caption_of_an_op_keeps_its_meaning(f):
    """A dot in a drawing stands for an input without a name; the numbers are written out."""
    x = leaf_with(LEAVES["a"]) * 1
    with np.errstate(all="ignore"):
        y = f(x)
        (caption,) = [node.text for node in tg.graph(y).nodes if y is (node.values or [None])[0]]
    if "·" in caption and " [" not in caption:
        text = caption.replace("·", "a")
        with np.errstate(all="ignore"):
            found = Reader(text, {"a": x.data}).read()
        np.testing.assert_allclose(found, y.data, rtol=1e-6, equal_nan=True)


X, Y, N = (("x", levels.ATOM), ("y", levels.ATOM), ("n + 1", levels.SUM))


@pytest.mark.parametrize(
    ("formula", "a", "settings", "text"),
    [
        ("{a} choose {b}", N, "", "(n + 1) choose y"),
        ("{a} ** {b}", ("n choose k", levels.WORD), "", "(n choose k) ** y"),
        ("2 {a}", ("n / k", levels.PRODUCT), "", "2 (n / k)"),
        ("{a} + {b}", X, "mode=1", "(x + y) [mode=1]"),
        ("2 {a}", N, "mode=1", "(2 (n + 1)) [mode=1]"),
        ("f({a})", N, "mode=1", "f(n + 1, mode=1)"),
        ("{a}", N, "dtype=float16", "(n + 1) [dtype=float16]"),
        ("({a}) + ({b})", N, "", "(n + 1) + (y)"),
    ],
)
def test_a_formula_of_ones_own_gets_brackets(formula, a, settings, text):
    assert fill_formula(formula, {"a": a, "b": Y}, settings)[0] == text


def test_an_unknown_operator_binds_least():
    assert fill_formula("{a} choose {b}", {"a": X, "b": Y}) == ("x choose y", levels.WORD)
    assert fill_formula("({a}) + ({b})", {"a": X, "b": Y})[1] == levels.SUM
    assert fill_formula("{a}", {"a": N})[1] == levels.SUM


def test_a_power_of_a_power_has_brackets_in_both_directions():
    a = tg.Tensor([2.0, 3.0], requires_grad=True, name="a")
    for output, written in (
        (tg.square(a) ** 3, "(a²) ** 3"),
        (tg.square(a**3), "(a ** 3)²"),
        ((a**2) ** 3, "(a ** 2) ** 3"),
        (2.0 ** tg.square(a), "2 ** (a²)"),
    ):
        assert f"= {written} " in tg.graph(output).text()
