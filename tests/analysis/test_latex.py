"""`Graph.text(form="latex")`: LaTeX that compiles with amsmath alone, for any names."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from every_op import OPS
from helpers import leaf_with
from internals import apply, cases, format_label

import tinygrad_rnn as tg

SPECIALS = (
    r"a%b",
    "a&b",
    "#1",
    "_",
    "{",
    "}",
    "\\",
    "^",
    "~",
    "$",
    "a_b%c",
    "\\input{x}",
    "[0]",
    "*",
)
OTHERS = (
    "<|>",
    '"q"',
    "x y",
    "é",
    "ß",
    "中",
    "😀",
    "a→b",
    "x²",
    "W₁",
    "ᵀ",
    "∂",
    "",
    "a\nb",
    "ﬁ",
    "ŷ̂",
)
NAMES = (*SPECIALS, *OTHERS)

TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|[{}&%#$_^~]|\\\n|.", re.DOTALL)
COMMANDS = """
    begin end text mathrm operatorname odot cdot times dots partial top lfloor rfloor lceil rceil
    le ge ne infty to in nabla otimes oplus circ pm approx sqrt int sum prod langle rangle Vert div
    ast backslash sim bmod frac quad exp log sin cos tan tanh sinh cosh max min det arcsin arccos
    arctan textbackslash textasciicircum textasciitilde textless textgreater textbar ss ae AE o O oe
    l L i hat tilde bar grave acute breve dot ddot mathring check vec u r H v c alpha beta gamma
    delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi
    omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega
"""
DEFINED = set(COMMANDS.split())
"""The commands of LaTeX and amsmath that may occur."""


def check_latex(text):
    """Assert that braces and environments are closed, and that no special character is raw."""
    assert text.isascii()
    assert text.startswith("\\begin{aligned}\n")
    assert text.endswith("\n\\end{aligned}")
    raised, before = [False], ""
    for token in TOKEN.findall(text):
        assert token not in set("%#$~")
        assert token != "&" or len(raised) == 1
        assert not token[1:2].isalpha() or token[1:] in DEFINED
        if token == "}":
            raised.pop()
            assert raised, "a brace that nothing opened"
        elif token == "^":
            assert not raised[-1], "two superscripts"
            raised[-1] = True
        elif token != "_" and not token.isspace() and before not in ("^", "_"):
            raised[-1] = False  # a new symbol
        if token == "{":
            raised.append(False)
        before = token
    assert len(raised) == 1


def compile_latex(texts, folder):
    """Compile the texts with LaTeX, if there is one on the PATH."""
    engine = shutil.which("pdflatex") or shutil.which("tectonic")
    if engine is None:
        return
    body = "\n".join(f"\\[\n{text}\n\\]" for text in texts)
    source = "\\documentclass{article}\n\\usepackage{amsmath}\n\\begin{document}\n"
    (folder / "equations.tex").write_text(f"{source}{body}\n\\end{{document}}\n")
    options = ["-interaction=nonstopmode", "-halt-on-error"] if "pdflatex" in engine else []
    run = subprocess.run(
        [engine, *options, "equations.tex"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-3000:]


def latex(output, **options):
    text = tg.graph(output).text(form="latex", **options)
    check_latex(text)
    return text


def layer(kind, **options):
    x = tg.Tensor(np.ones((3, 2, 3), np.float32), name="x")
    return getattr(tg.nn, kind)(3, 2, rng=0, **options)(x, lengths=[3, 2])[0].mean()


def test_the_equations_of_a_loop():
    w = leaf_with(0.5, "W_hh")

    def cell(x, h):
        h = tg.tanh(w * h + x)
        h.name = "ŷ"
        return h, h

    _, h = tg.scan(cell, tg.Tensor([1.0, 2.0], dtype="float64"), tg.Tensor(0.0, dtype="float64"))
    assert latex(h**2, shapes=False) == "\n".join(
        [
            r"\begin{aligned}",
            r"&\text{parameters: } W_{hh}\ () \\[1ex]",
            r"&\text{time step 0} \\",
            r"\hat{y}_{0} &= \tanh(W_{hh} \odot 0 + 1) \\[1ex]",
            r"&\text{time step 1} \\",
            r"\hat{y}_{1} &= \tanh(W_{hh} \odot \hat{y}_{0} + 2) \\[1ex]",
            r"&\text{outside of time} \\",
            r"\#7 &= \hat{y}_{1}^{2}",
            r"\end{aligned}",
        ]
    )


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("h₋₁", "h_{-1}"),
        ("hₜ₋₁", "h_{t-1}"),
        ("h₁₂", "h_{12}"),
        ("x_r₀", "x_{r,0}"),
        ("alpha", r"\alpha"),
        ("α₂", r"\alpha_{2}"),
        ("Omega", r"\Omega"),
        ("h̃₃", r"\tilde{h}_{3}"),
        ("ŷ", r"\hat{y}"),
        ("weight_ih_l0", r"\mathrm{weight\_ih\_l0}"),
        ("fc1.weight", r"\mathrm{fc1.weight}"),
        ("linear (2).bias", r"\text{linear (2).bias}"),
        ("loss", r"\mathrm{loss}"),
        ("W1", "W_{1}"),
        ("W_in", "W_{in}"),
        ("W_out", r"W_{\mathrm{out}}"),
        ("x_", r"\mathrm{x\_}"),
        ("∂h₁", r"{\partial h_{1}}"),
        ("h₀⁽²⁾", "{h_{0}^{(2)}}"),
        ("#12", r"\#12"),
        ("50%", r"\text{50\%}"),
        ("中", r"\text{U+4E2D}"),
        ("hidden α", r"\text{hidden \(\alpha\)}"),
    ],
)
def test_labels(label, written):
    assert format_label(label) == written


def test_any_name_compiles(tmp_path):
    texts = []
    for name in NAMES:
        w = leaf_with([1.0, 2.0], name)
        with tg.scope(name or "scope", 0):
            h = (w * w + tg.square(w)) ** 2
            h.name = name
        texts.append(latex(tg.square(h).T @ h + w[0]))
    compile_latex(texts, tmp_path)


def test_every_op_compiles(tmp_path):
    texts = []
    for op in OPS.values():
        for arrays, settings in cases(op, np.random.default_rng(0)):
            names = op.inputs * (len(arrays) if op.variadic else 1)
            inputs = [
                leaf_with(a, name) if name in op.rules and np.asarray(a).dtype.kind == "f" else a
                for name, a in zip(names, arrays, strict=True)
            ]
            y = apply(op, inputs, settings)
            if y.node is not None:
                texts.append(latex(y * y))
    assert len(texts) > 80
    compile_latex(texts, tmp_path)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_layers_and_their_gradients_compile(kind, tmp_path):
    loss = layer(kind, bidirectional=True)
    x = tg.Tensor(np.ones((3, 2, 3), np.float32), name="x")
    net = getattr(tg.nn, kind)(3, 2, rng=0)
    output = net(x)[0].sum()
    gradients = tg.grad(output, list(net.parameters()), create_graph=True)
    total = sum(((g * g).sum() for g in gradients[1:]), start=(gradients[0] ** 2).sum())
    texts = [latex(loss), latex(total)]
    assert r"\partial" in texts[1]
    compile_latex(texts, tmp_path)


PAIRS = [
    (lambda a, b: (a / b) / a, r"\frac{\frac{a}{b}}{a}"),
    (lambda a, b: (a + b) / (a - b), r"\frac{a + b}{a - b}"),
    (lambda a, b: (a**2) ** b, "(a^{2})^{b}"),
    (lambda a, b: a ** (b + 1), "a^{b + 1}"),
    (lambda a, b: tg.sqrt(a + b) * b, r"\sqrt{a + b} \odot b"),
    (lambda a, b: tg.square(a / b), r"(\frac{a}{b})^{2}"),
    (lambda a, b: -(a * b), r"-(a \odot b)"),
    (lambda a, b: a * 1e-5 + b, r"a \odot {1 \cdot 10^{-5}} + b"),
    (lambda a, b: tg.square(a).T * b, r"a^{2}{}^{\top} \odot b"),
    (lambda a, b: tg.log2(a) + tg.hypot(a, b), r"\log_{2}(a) + \operatorname{hypot}(a, b)"),
    (lambda a, b: tg.floor(a) % b, r"\lfloor a\rfloor \bmod b"),
    (lambda a, b: tg.stack([a, b] * 6),
     r"\operatorname{stack}(a, b, a, b, a, b, \dots, b\ \text{(12 in all)})"),
    (lambda a, b: (a * b).max(axis=0), r"\max(a \odot b, \mathrm{axis}=0)"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "written"), PAIRS)
def test_formulas(build, written, tmp_path):
    y = build(leaf_with([1.0, 2.0], "a"), leaf_with([3.0, 4.0], "b"))
    line = latex(y, shapes=False).splitlines()[-2]
    assert line.partition("&= ")[2] == written
    compile_latex([latex(y)], tmp_path)


def test_a_formula_of_ones_own_compiles(tmp_path):
    @tg.op("50% of {a} & {b}_{{x}} ~ \\foo$")
    def half_of_latex(a, b):
        return (a + b) / 2

    half_of_latex.vjps(a=lambda g, y, a, b: g / 2, b=lambda g, y, a, b: g / 2)
    text = latex(half_of_latex(leaf_with([1.0], "a"), leaf_with([1.0], "b")))
    compile_latex([text], tmp_path)


def test_another_form_is_an_error():
    w = leaf_with([1.0], "w")
    with pytest.raises(ValueError, match=r"^graph\.text: argument form: expected .*'latex'"):
        tg.graph(w * w).text(form="tex")
    assert tg.graph(w * w).text(form="text") == tg.graph(w * w).text()
