"""Drawings of the graph: equations and DOT, small and exact, deterministic, safe with any name, fast."""

import re
import shutil
import subprocess
import time

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw

HOSTILE = ['<b>|\\N"', "<b>bold</b>", 'quo"te', "line\nbreak", "back\\", "a:b", "&lt;", "{x}", "\x1b[31m", "]; x -> y; [", "subgraph", ""]


def leaf(shape=(2,), name="w", *, grad=True):
    return tg.Tensor(np.linspace(0.5, 1.0, int(np.prod(shape))).reshape(shape), requires_grad=grad, name=name)


def recurrence(steps=2):
    w = leaf((2, 2), "W")

    def cell(x, h):
        x.name = "x"
        z = tg.sigmoid(x @ w)
        h = z * h + (1 - z) * x
        z.name, h.name = "z", "h"
        return h, h

    _, h = tg.scan(cell, tg.Tensor(np.ones((steps, 2, 2))), tg.Tensor(np.zeros((2, 2)), name="h"))
    loss = (h**2).sum()
    loss.name = "loss"
    return loss


EQUATIONS = """\
parameters: W (2, 2)

time step 0
   1  z₀ = σ(x₀ @ W)                                                    (2, 2)
   2  h₀ = z₀ ⊙ h + (1 - z₀) ⊙ x₀                                       (2, 2)

time step 1
   3  z₁ = σ(x₁ @ W)                                                    (2, 2)
   4  h₁ = z₁ ⊙ h₀ + (1 - z₁) ⊙ x₁                                      (2, 2)

outside of time
   5  loss = Σ(h₁ ** 2)                                                 ()"""

PICTURE = r"""digraph {
    graph [rankdir=BT]
    node [fontname="Helvetica,Arial,sans-serif" fontsize=11]
    leaf1 [label="x\n(2, 2)" shape=plaintext]
    leaf2 [label="W\n(2, 2)" shape=box]
    leaf3 [label="h\n(2, 2)" shape=plaintext]
    leaf4 [label=1 shape=plaintext]
    leaf5 [label=2 shape=plaintext]
    subgraph cluster1 {
        label="time step 0" style=rounded
        op1 [label="@\n(2, 2)"]
        op2 [label="z₀\nσ\n(2, 2)"]
        op3 [label="⊙\n(2, 2)"]
        op4 [label="-\n(2, 2)"]
        op5 [label="⊙\n(2, 2)"]
        op6 [label="h₀\n+\n(2, 2)"]
    }
    op7 [label="**\n(2, 2)"]
    op8 [label="loss\nΣ\n()"]
    leaf1 -> op1
    leaf2 -> op1
    op1 -> op2
    op2 -> op3
    leaf3 -> op3
    leaf4 -> op4
    op2 -> op4
    op4 -> op5
    leaf1 -> op5
    op3 -> op6
    op5 -> op6
    op6 -> op7
    leaf5 -> op7
    op7 -> op8
}
"""


def equations(output):
    """The equations of a drawing, without numbers and shapes."""
    lines = [line for line in draw.text(output).splitlines() if re.match(r" *\d+  ", line)]
    return [re.sub(r" +\([\d, ]*\)$", "", line[6:]) for line in lines]


def test_text_of_a_recurrence():
    assert draw.text(recurrence()) == EQUATIONS


def test_dot_of_a_recurrence():
    assert draw.dot(recurrence(steps=1)).expandtabs(4) == PICTURE


@pytest.mark.parametrize("form", [draw.text, draw.dot])
def test_the_same_program_gives_the_same_drawing(form):
    first = form(recurrence(5))
    keep = [leaf() * 2 for _ in range(3)]  # what else is alive does not matter
    assert form(recurrence(5)) == first
    assert len(keep) == 3


@pytest.mark.parametrize(
    ("program", "written"),
    [
        (lambda a, b: a * (b + 1), "a ⊙ (b + 1)"),
        (lambda a, b: a * b + 1, "a ⊙ b + 1"),
        (lambda a, b: a - (b - 1), "a - (b - 1)"),
        (lambda a, b: a - b - 1, "a - b - 1"),
        (lambda a, b: a / (b * a), "a / (b ⊙ a)"),
        (lambda a, b: (a + b) ** 2, "(a + b) ** 2"),
        (lambda a, b: -(a + b), "−(a + b)"),
        (lambda a, b: (a + b)[0:1], "(a + b)[0:1]"),
        (lambda a, b: tg.exp(a + b), "exp(a + b)"),
        (lambda a, b: (a * b).sum(axis=0, keepdims=True), "Σ(a ⊙ b, axis=0, keepdims=True)"),
        (lambda a, b: tg.sqrt(a * b), "√(a ⊙ b)"),
        (lambda a, b: tg.lerp(a, b, 0.5), "a + 0.5 ⊙ (b − a)"),
        (lambda a, b: a * np.ones(2), "a ⊙ array(2,)"),
        (lambda a, b: a[None], "a[None]"),
        (lambda a, b: tg.maximum(a + 1, -2), "max(a + 1, −2)"),
    ],
)
def test_formulas_keep_their_meaning(program, written):
    assert equations(program(leaf(name="a"), leaf(name="b")))[-1].split(" = ", 1)[1] == written


def test_a_shared_result_is_written_once():
    w = leaf()
    shared = tg.tanh(w)
    output = shared * shared + shared
    assert equations(output) == ["#1 = tanh(w)", "#2 = #1 ⊙ #1 + #1"]
    picture = draw.dot(output)
    assert picture.count("tanh") == 1
    assert picture.count("op1 -> ") == 3
    assert picture.count('label="w') == 1


def test_equal_names_stay_apart():
    a, b = leaf(name="w"), leaf(name="w")
    assert equations(a + b) == ["#1 = w + w⁽²⁾"]


def test_drawing_leaves_the_graph_alone():
    loss = recurrence()
    draw.text(loss), draw.dot(loss)
    loss.backward()
    assert draw.text(loss) == EQUATIONS


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_can_be_drawn(name):
    with tg.scope(name or "module", 0):
        output = leaf(name=name or None) * 2
        output.name = name or None
        output = tg.exp(output)
    text = draw.text(output)
    assert all(c == "\n" or c.isprintable() for c in text)
    picture = draw.dot(output)
    assert "label=<" not in picture
    assert all(c in "\n\t" or c.isprintable() for c in picture)
    assert "&lt;" not in picture
    body = re.sub(r'"(?:[^"\\]|\\.)*"', '""', picture)  # what is left when quoted texts are emptied
    assert body.count("->") == 3
    assert '"' not in body.replace('""', "")
    if shutil.which("dot"):
        subprocess.run(["dot", "-Tsvg"], input=picture.encode(), check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("form", [draw.text, draw.dot])
@pytest.mark.parametrize("output", [tg.Tensor([1.0]), tg.Tensor([1.0], requires_grad=True), np.ones(2), 3.0])
def test_what_has_no_graph_is_refused(form, output):
    with pytest.raises(TypeError, match=r"^draw\.(text|dot): argument output: expected a Tensor that was computed"):
        form(output)


def test_a_custom_op_is_drawn_by_its_formula():
    from tinygrad_rnn.op import Op

    twice = Op(lambda a: a * 2, "twice ⟨{a}⟩").vjps(a=lambda g, y, a: g * 2)
    assert equations(twice(leaf()))[0].startswith("#1 = twice ⟨w⟩")


@pytest.mark.parametrize("form", [draw.text, draw.dot])
def test_a_gru_of_a_hundred_steps_is_drawn_fast(form):
    gru = tg.nn.GRU(3, 4, rng=0)
    output, _ = gru(tg.Tensor(np.ones((100, 2, 3)), dtype="float32"))
    start = time.perf_counter()
    drawn = form(output)
    assert time.perf_counter() - start < 2
    assert "time step 99" in drawn


def test_a_long_chain_is_drawn_without_recursion():
    x = leaf((), "x")
    for _ in range(20_000):
        x = x * 1.01
    assert len(draw.text(x)) < 3_000_000
    assert draw.dot(x).count("->") == 40_000
