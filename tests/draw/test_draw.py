"""Drawings of graphs as equations and as DOT: exact, deterministic, safe with any name, fast."""

import gc
import html
import json
import os
import re
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from drawings import boxes, describe_picture, end_of_value, graph, read_dot
from helpers import ramp
from internals import escape_unprintable, plain_scope, toposort

import tinygrad_rnn as tg
from tinygrad_rnn import draw
from tinygrad_rnn.nn import functional

FIXTURES = Path(__file__).parents[1] / "fixtures"
HOSTILE = [
    *(
        '<b>|\\N"',
        "<b>bold</b>",
        'quo"te',
        "apo'strophe",
        "line\nbreak",
        "back\\",
        "\\",
        "\\\\",
        "\\G\\E\\T\\H\\L\\l\\r",
        "a:b",
        "&lt;",
    ),
    *(
        "&amp;",
        "{x}",
        "{0}",
        "%s",
        "\x1b[31m",
        "\x00",
        "]; x -> y; [",
        "subgraph",
        "</script><script>alert(1)</script>",
        "<!-- -->",
    ),
    *("]]>", "/* */", "x" * 2000, "🙂", "שלום", "\u202eabc", "\ud800", "\ufffe", " ", ""),
]


def recurrence(steps=2):
    w = ramp((2, 2), "W")

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


def product():
    """Two parameters, a number and a sum, after the backward pass."""
    loss = (ramp((2,), "a") * (ramp((2,), "b") + 1)).sum()
    loss.backward(retain_grads=True)
    return loss


def gru_loss(steps, *, create_graph=False):
    gru = tg.nn.GRU(3, 4, rng=0)
    output, _ = gru(tg.Tensor(np.ones((steps, 2, 3)), dtype="float32"))
    loss = (output * output).mean()
    if not create_graph:
        return loss
    slopes = tg.grad(loss, list(gru.parameters()), create_graph=True)
    return tg.stack([(g * g).sum() for g in slopes]).sum()


EQUATIONS = """\
parameters: W (2, 2)

time step 0
   2  z₀ = σ(x₀ @ W)                                                    (2, 2)
   6  h₀ = z₀ ⊙ h₋₁ + (1 − z₀) ⊙ x₀                                     (2, 2)

time step 1
   8  z₁ = σ(x₁ @ W)                                                    (2, 2)
  12  h₁ = z₁ ⊙ h₀ + (1 − z₁) ⊙ x₁                                      (2, 2)

outside of time
  14  loss = Σ(h₁ ** 2)                                                 ()"""

GOLDEN = {
    "drawn_product": lambda: graph(product(), show="shape,value,grad"),
    "drawn_recurrence": lambda: graph(recurrence()),
    "drawn_recurrence_rolled": lambda: graph(
        recurrence(3), roll=True, theme="print", direction="right"
    ),
}
"""The programs of the pictures in fixtures/. ``python tests/draw/test_draw.py`` rewrites them."""


def equations(output):
    """Return the equations of a graph, without numbers and shapes."""
    lines = [line for line in graph(output).text().splitlines() if re.match(r" *\d+  ", line)]
    return [re.sub(r" +\([\d, ]*\)$", "", line[6:]) for line in lines]


def split_values(dot):
    """Return DOT text without the values of attributes, and the HTML-like values.

    A name may change nothing but the values.
    """
    rest, labels, i = "", [], 0
    while i < len(dot):
        if dot[i] in '"<':
            end = end_of_value(dot, i)
            labels += [dot[i + 1 : end - 1]] if dot[i] == "<" else []
            rest, i = rest + "_", end
        else:
            rest, i = rest + dot[i], i + 1
    return re.sub(r"=[^\s\]]+", "=_", rest), labels


# -- equations ----------------------------------------------------------------------------------


def test_text_of_a_recurrence():
    assert graph(recurrence()).text() == draw.text(recurrence()) == EQUATIONS


def test_text_without_shapes():
    lines = graph(recurrence()).text(shapes=False).splitlines()
    assert [line.rstrip() for line in lines] == [
        re.sub(r" {2,}\([\d, ]*\)$", "", line) for line in EQUATIONS.splitlines()
    ]


def test_text_is_of_the_whole_graph_in_any_view():
    loss = recurrence(6)
    whole = draw.text(loss)
    for view in ({"roll": True}, {"steps": "first:1"}, {"parameters": "hide"}, {"fold": 1}):
        assert graph(loss, **view).text() == whole


@pytest.mark.parametrize(
    ("program", "written"),
    [
        (lambda a, b: a * (b + 1), "a ⊙ (b + 1)"),
        (lambda a, b: a * b + 1, "a ⊙ b + 1"),
        (lambda a, b: a - (b - 1), "a − (b − 1)"),
        (lambda a, b: a - b - 1, "a − b − 1"),
        (lambda a, b: a - (b + 1), "a − (b + 1)"),
        (lambda a, b: a / (b * a), "a / (b ⊙ a)"),
        (lambda a, b: (a + b) ** 2, "(a + b) ** 2"),
        (lambda a, b: -(a + b), "−(a + b)"),
        (lambda a, b: (a + b)[0:1], "(a + b)[0:1]"),
        (lambda a, b: tg.exp(a + b), "exp(a + b)"),
        (lambda a, b: (a * b).sum(axis=0, keepdims=True), "Σ(a ⊙ b, axis=0, keepdims=True)"),
        (lambda a, b: tg.sqrt(a * b), "√(a ⊙ b)"),
        (lambda a, b: tg.lerp(a, b, 0.5), "a + 0.5 ⊙ (b − a)"),
        (lambda a, b: a * np.ones(2), "a ⊙ [1, 1]"),
        (lambda a, b: a * np.ones((5, 2)), "a ⊙ array(5, 2)"),
        (lambda a, b: a[None], "a[None]"),
        (lambda a, b: tg.maximum(a + 1, -2), "max(a + 1, −2)"),
    ],
)
def test_formulas_keep_their_meaning(program, written):
    assert equations(program(ramp((2,), "a"), ramp((2,), "b")))[-1].split(" = ", 1)[1] == written


def test_a_shared_result_is_written_once():
    w = ramp((2,))
    shared = tg.tanh(w)
    output = shared * shared + shared
    assert equations(output) == ["#1 = tanh(w)", "#3 = #1 ⊙ #1 + #1"]
    drawn = graph(output)
    assert [node.text for node in drawn.nodes] == ["", "tanh(w)", "⊙", "+"]
    assert [(e.source, e.target) for e in drawn.edges] == [
        ("parameter1", "op1"),
        ("op1", "op2"),
        ("op1", "op2"),
        ("op2", "op3"),
        ("op1", "op3"),
    ]


def test_equal_names_stay_apart():
    a, b = ramp((2,), "w"), ramp((2,), "w")
    assert equations(a + b) == ["#1 = w + w⁽²⁾"]
    assert len([node for node in graph(a + b).nodes if node.kind == "parameter"]) == 2


@pytest.mark.parametrize(
    ("steps", "written"),
    [
        ([0, 1, 2], ["h₀ = tanh(h₋₁ @ W)", "h₁ = tanh(h₀ @ W)", "h₂ = tanh(h₁ @ W)"]),
        ([1, 2, 3], ["h₁ = tanh(h₀ @ W)", "h₂ = tanh(h₁ @ W)", "h₃ = tanh(h₂ @ W)"]),
        ([2, 1, 0], ["h₂ = tanh(h₃ @ W)", "h₁ = tanh(h₂ @ W)", "h₀ = tanh(h₁ @ W)"]),
    ],
    ids=["from 0", "from 1", "backwards"],
)
def test_the_first_state_is_that_of_the_step_before(steps, written):
    w, h = ramp((2, 2), "W"), ramp((1, 2), "h", grad=False)
    for t in steps:
        with tg.scope("loop", t):
            h = tg.tanh(h @ w)
            h.name = "h"
    assert equations(h) == written


def test_a_constant_in_a_later_step_is_no_first_state():
    w, h = ramp((2, 2), "W"), ramp((1, 2), "start", grad=False)
    for t in range(4):
        with tg.scope("loop", t):
            h = tg.tanh(h @ w)
            if t == 1:
                h = h * tg.Tensor([1.0, 0.0], name="h")
            h.name = "h"
    lines = equations(h)
    assert lines[3] == "h₃ = tanh(h₂ @ W)"
    assert "h₂" not in lines[1]


def test_a_custom_op_is_drawn_by_its_formula():
    from internals import Op

    twice = Op(lambda a: a * 2, "twice ⟨{a}⟩").vjps(a=lambda g, y, a: g * 2)
    assert equations(twice(ramp((2,))))[0].startswith("#1 = twice ⟨w⟩")


@pytest.mark.parametrize("form", [draw.text, tg.graph])
@pytest.mark.parametrize(
    "output", [tg.Tensor([1.0]), tg.Tensor([1.0], requires_grad=True), np.ones(2), 3.0, None]
)
def test_a_value_without_a_graph_cannot_be_drawn(form, output):
    with pytest.raises(
        TypeError,
        match=r"^(draw\.text|graph): argument output: expected a Tensor that was computed",
    ):
        form(output)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"show": "shapes"}, "argument show: expected shape, value or grad, got 'shapes'"),
        ({"show": ["shape", "norm"]}, "argument show: expected"),
        (
            {"parameters": "twice"},
            "argument parameters: expected 'once', 'chips' or 'hide', got 'twice'",
        ),
        ({"direction": "left"}, "argument direction: expected 'up', 'down' or 'right', got 'left'"),
        (
            {"theme": "neon"},
            "argument theme: expected 'light', 'dark', 'print' or 'auto', got 'neon'",
        ),
    ],
)
def test_an_unknown_option_raises_an_error(options, message):
    with pytest.raises(ValueError, match=f"^graph: {message}"):
        graph(ramp((2,)) * 2, **options)


# -- pictures -----------------------------------------------------------------------------------


def read_fixture(name):
    return (FIXTURES / f"{name}.dot").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", GOLDEN)
def test_a_picture_shows_the_same_as_its_fixture(name):
    assert describe_picture(GOLDEN[name]().dot()) == describe_picture(read_fixture(name))


EDGE = re.compile(r"^\s+(\w+) -> (\w+)\b.*\n", re.MULTILINE)
"""An edge with its line."""

WRONG = {
    "an edge is missing": lambda dot: EDGE.sub("", dot, count=1),
    "an edge is there twice": lambda dot: EDGE.sub(r"\g<0>\g<0>", dot, count=1),
    "an edge goes back": lambda dot: EDGE.sub(r"\2 -> \1\n", dot, count=1),
    "an edge starts elsewhere": lambda dot: dot.replace("op2 -> op3", "op1 -> op3"),
    "an edge is dashed": lambda dot: EDGE.sub(r"\1 -> \2 [style=dashed]\n", dot, count=1),
    "an edge has a label": lambda dot: EDGE.sub(r"\1 -> \2 [label=<at first>]\n", dot, count=1),
    "an edge has another width": lambda dot: re.sub(r"penwidth=(3.80|1.8)\b", "penwidth=3", dot),
    "a node is missing": lambda dot: re.sub(
        r"\n\s+op2 \[.*|\n\s+(?:op2 -> |\w+ -> op2\b).*", "", dot
    ),
    "a node is there too often": lambda dot: re.sub(r"(\n\s+)op2( \[.*)", r"\g<0>\1op99\2", dot),
    "a node says something else": lambda dot: dot.replace("<td>Σ", "<td>Π").replace(
        "</b>  Σ", "</b>  Π"
    ),
    "a shape is wrong": lambda dot: dot.replace("(2,)", "(3,)", 1).replace("(2, 2)", "(2, 3)", 1),
    "a name is not bold": lambda dot: re.sub("<b>(.*?)</b>", r"\1", dot, count=1),
    "a node has another outline": lambda dot: re.sub(
        r"shape=(box|cds)", "shape=ellipse", dot, count=1
    ),
    "a title says something else": lambda dot: dot.replace("ops>", "steps>"),
    "data flows down": lambda dot: re.sub("rankdir=(BT|LR)", "rankdir=TB", dot),
}
WRONG_IN_FRAMES = {
    "a frame has another title": lambda dot: dot.replace("<t = 0", "<t = 5"),
    "a node is outside of its frame": lambda dot: re.sub(
        r"(\tsubgraph cluster\d+ \{\n)([^{}]*)\n(\s+input1 \[.*)", r"\3\n\1\2", dot, count=1
    ),
    "a state is an op": lambda dot: re.sub("shape=(cds|invhouse)", "shape=box", dot, count=1),
}
HARMLESS = {
    "nothing": lambda dot: dot,
    "edges in another order": lambda dot: (
        EDGE.sub("", dot)[:-2] + "".join(reversed([edge[0] for edge in EDGE.finditer(dot)])) + "}\n"
    ),
    "other names of nodes": lambda dot: re.sub(r"\b(op|input|parameter)(?=\d)", r"\1_number_", dot),
    "other colours": lambda dot: re.sub('color="#[0-9a-f]{6}"', 'color="#123456"', dot),
    "another attribute": lambda dot: dot.replace("nodesep=0.18", "nodesep=0.2 splines=ortho"),
    "attributes in another order": lambda dot: re.sub(
        r' (fillcolor="\S+") (shape=\w+)', r" \2 \1", dot
    ),
    "other places": lambda dot: re.sub(r" pos=\"[^\"]*\"", "", dot),
}


def pictures_with(changes, names=tuple(GOLDEN)):
    """Mark a test that runs with each of these pictures and each of these changes."""
    rows = [(name, change) for name in names for change in changes.values()]
    ids = [f"{name}: {what}" for name in names for what in changes]
    return pytest.mark.parametrize(("name", "change"), rows, ids=ids)


@pictures_with(WRONG)
def test_a_wrong_picture_differs_from_its_fixture(name, change):
    assert_differs(name, change)


@pictures_with(WRONG_IN_FRAMES, ["drawn_recurrence", "drawn_recurrence_rolled"])
def test_wrong_frames_differ_from_the_fixture(name, change):
    assert_differs(name, change)


def assert_differs(name, change):
    wrong = change(read_fixture(name))
    assert wrong != read_fixture(name)
    assert describe_picture(wrong) != describe_picture(read_fixture(name))


@pictures_with(HARMLESS)
def test_a_harmless_change_of_the_text_keeps_the_description(name, change):
    assert describe_picture(change(read_fixture(name))) == describe_picture(read_fixture(name))


def test_equal_nodes_are_told_apart_by_their_neighbours():
    """In both graphs there are two edges from "a" to "b", and two from "b" to "c"."""
    box = 'shape=box style="" tooltip=""]'
    title = "digraph {\ngraph [label=<> rankdir=BT]\n"
    nodes = "".join(f"{name} [label=<{name[0]}> {box}\n" for name in ("a1", "a2", "b1", "b2", "c1"))
    two_and_two = "a1 -> b1\na2 -> b2\nb1 -> c1\nb2 -> c1\n}\n"
    both_to_one = "a1 -> b1\na2 -> b1\nb1 -> c1\nb2 -> c1\n}\n"
    crossed = "a2 -> b1\na1 -> b2\nb1 -> c1\nb2 -> c1\n}\n"
    assert describe_picture(title + nodes + two_and_two) != describe_picture(
        title + nodes + both_to_one
    )
    assert describe_picture(title + nodes + two_and_two) == describe_picture(
        title + nodes + crossed
    )


def test_a_fixture_is_read_completely():
    said = read_dot(read_fixture("drawn_recurrence"))
    assert said.title == ("forward only · 14 ops",)
    assert said.direction == "BT"
    assert said.nodes["op6_in1"] == (("h₀",), ("h₀",), ("state", "filled", "1"), "1", ("t = 1",))
    assert said.nodes["op2"][0] == ("z₀ σ", "(2, 2)")
    assert said.nodes["op2"][4] == ("t = 0", "")
    assert (len(said.nodes), len(said.edges), len(said.frames)) == (19, 23, 7)
    assert ("op6", "op6_in1", ("", "", "1.8")) in said.edges


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_the_edge_of_a_state_has_the_colour_of_states(theme):
    dot = graph(recurrence(), theme=theme).dot()
    color = {"light": "#0072b2", "dark": "#56b4e9", "print": "#000000"}[theme]
    assert re.findall(r"-> .*color=\"(.*?)\"", dot) == [color]


PROGRAM = """
import sys
import numpy as np
import tinygrad_rnn as tg

lstm = tg.nn.LSTM(3, 4, 2, bidirectional=True, rng=0)
output, _ = lstm(tg.Tensor(np.ones((4, 2, 3)), dtype="float32"))
loss = (output * output).mean()
loss.backward(retain_grads=True)
for options in (
    {},
    {"roll": True},
    {"steps": "first:1,last:1", "show": "value,grad"},
    {"fold": ["layer 0", 2], "parameters": "chips"},
    {"parameters": "hide", "fold": "names"},
    {"highlight": lstm.weight_hh_l0, "theme": "dark"},
):
    drawn = tg.graph(loss, **options)
    sys.stdout.buffer.write(drawn.dot().encode())
    sys.stdout.buffer.write(repr(drawn.data()).encode())
sys.stdout.buffer.write(drawn.text().encode())
"""


def test_the_same_program_gives_the_same_drawing_in_every_process():
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        for seed in ("1", "2")
    ]
    first, *others = [process.communicate(timeout=60)[0] for process in running]
    assert first.count(b"digraph") == 6
    assert all(other == first for other in others)


@pytest.mark.parametrize(
    "form",
    [lambda x: graph(x).text(), lambda x: graph(x).dot(), lambda x: json.dumps(graph(x).data())],
)
def test_the_same_program_gives_the_same_drawing(form):
    first = form(recurrence(5))
    keep = [ramp((2,)) * 2 for _ in range(3)]  # what else is alive does not matter
    assert form(recurrence(5)) == first
    assert len(keep) == 3


def test_every_box_shows_the_shape():
    drawn = graph(recurrence())
    found = boxes(drawn)
    for node in drawn.nodes:
        if node.kind != "state":
            assert found[node.id][-1] == str(node.shapes[0]), node


def test_the_shape_does_not_depend_on_a_name():
    w, b = ramp((2, 2), "subarray"), ramp((2,), "b")
    drawn = graph(tg.linear(tg.Tensor(np.ones((3, 2))), w, b).sum())
    (box,) = [found for found in boxes(drawn).values() if "subarrayᵀ" in found[0]]
    assert box[1:] == ["(3, 2)"]


def test_a_box_shows_only_the_requested_details():
    for show, lines in (
        ([], 1),
        ("shape", 2),
        (("shape", "value"), 3),
        ("value", 2),
        (" shape , value , grad ", 4),
    ):
        assert {len(box) for box in boxes(graph(product(), show=show)).values()} == {lines}


# -- values, gradients, status ------------------------------------------------------------------


def test_a_missing_gradient_is_not_shown_as_zero():
    a, b = ramp((2,), "a"), ramp((2,), "b")
    loss = (a * b).sum()
    before = graph(loss, show="value,grad")
    assert before.status == "forward only"
    assert [box[-1] for box in boxes(before).values()] == ["∂ —"] * 4
    loss.backward()
    leaves_only = graph(loss, show="grad")
    assert leaves_only.status == "backward done"
    assert {name: box[-1] for name, box in boxes(leaves_only).items()} == {
        "parameter1": "∂ 0.5  1",
        "parameter2": "∂ 0.5  1",
        "op1": "∂ —",
        "op2": "∂ —",
    }


def test_gradients_after_backward_are_numbers():
    drawn = graph(product(), show="value,grad")
    assert boxes(drawn) == {
        "parameter1": ["b", "0.5  1", "∂ 0.5  1"],
        "op1": ["b + 1 #1", "1.5  2", "∂ 0.5  1"],
        "parameter2": ["a", "0.5  1", "∂ 1.5  2"],
        "op2": ["⊙ #2", "0.75  2", "∂ 1  1"],
        "op3": ["Σ #3", "2.75", "∂ 1"],
    }


def test_constants_have_no_gradient():
    drawn = graph((ramp((2,), "a") * tg.Tensor([1.0, 2.0], name="x")).sum(), show="value,grad")
    assert [box for box in boxes(drawn).values() if box[0] == "x"] == [["x", "1  2"]]


def test_a_large_array_is_shown_by_its_range_and_norm():
    w = tg.Tensor(np.arange(-50.0, 50.0), requires_grad=True, name="w")
    loss = (w * w).sum()
    loss.backward(retain_grads=True)
    box = boxes(graph(loss, show="value,grad"))["parameter1"]
    assert box == ["w", "−50 … 49, ‖·‖ 289", "∂ −100 … 98, ‖·‖ 577"]


def test_small_arrays_are_shown_row_by_row():
    w = tg.Tensor([[1.0, -2.0], [3.0, 0.125]], requires_grad=True, name="w")
    assert boxes(graph(w * 1, show="value"))["parameter1"] == ["w", "1  −2", "3  0.125"]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(0,), (0, 3), (1, 1, 1), (2, 3, 4), (7,), (6, 6), (7, 6)])
def test_any_shape_and_dtype_can_be_shown(shape, dtype):
    w = tg.Tensor(np.ones(shape), requires_grad=True, name="w", dtype=dtype)
    loss = (w * 2).sum()
    loss.backward(retain_grads=True)
    box = boxes(graph(loss, show="shape,value,grad"))["parameter1"]
    assert box[1] == str(shape)
    assert len(box) == (2 + 2 * shape[0] if len(shape) == 2 and 0 < shape[0] <= 6 else 4)


def test_integers_and_booleans_are_shown():
    w = ramp((2,), "w")
    found = boxes(
        graph(
            tg.where(tg.Tensor([True, False], name="c"), w * tg.Tensor([3, 4], name="i"), 0.0),
            show="value",
        )
    )
    assert [box[1] for box in found.values() if box[0] in ("c", "i")] in (
        ["3  4", "1  0"],
        ["1  0", "3  4"],
    )


@pytest.mark.parametrize(
    "numbers",
    [
        [np.nan, 1.0],
        [np.inf, 1.0],
        [-np.inf, np.inf],
        [1e200, 1.0],
        [1e-320, 1.0],
        [1e300, 1e-300],
        [np.nan] * 50,
        [np.inf] * 50,
        [1e200] * 50,
    ],
)
def test_numbers_that_are_not_finite_break_nothing(numbers):
    w = tg.Tensor(numbers, requires_grad=True, name="w", dtype="float64")
    with np.errstate(all="ignore"):
        squares = w * w
        loss = (squares * w).sum() + (w * 1e-3).sum()
        loss.backward(retain_grads=True)
    drawn = graph(loss, show="shape,value,grad")
    widths = [
        float(width)
        for width in re.findall(r'-> .*color="#b34700" penwidth=([^\s\]]+)', drawn.dot())
    ]
    assert len(widths) == len(drawn.edges)
    assert all(0.5 <= width <= 4 for width in widths)


def test_edges_are_as_wide_as_their_gradients_are_large():
    a = tg.Tensor([1.0], requires_grad=True, name="a", dtype="float64")
    loss = (a * 1e-3) * 1e3
    loss.backward(retain_grads=True)
    lines = [line for line in graph(loss, show="grad").dot().splitlines() if "->" in line]
    widths = [float(re.search(r"penwidth=([\d.]+)", line)[1]) for line in lines]
    assert widths == [2.25, 4.0]  # a factor of 1,000 is three decades of six, from 0.5 to 4
    assert all("penwidth" not in line for line in graph(loss).dot().splitlines() if "->" in line)


@pytest.mark.parametrize(
    ("run", "status"),
    [
        (lambda loss: None, "forward only"),
        (lambda loss: graph(loss), "forward only"),
        (lambda loss: tg.bptt.flow(loss), "forward only"),
        (lambda loss: loss.backward(), "backward done"),
        (lambda loss: loss.backward(retain_grads=True), "backward done"),
        (lambda loss: loss.backward(retain_graph=True, retain_grads=True), "backward done"),
        (lambda loss: list(tg.backward_steps(loss)), "backward done"),
        (lambda loss: next(tg.backward_steps(loss)), "forward only"),
    ],
)
def test_the_figure_says_whether_backward_is_done(run, status):
    loss = recurrence()
    run(loss)
    drawn = graph(loss)
    assert drawn.status == drawn.data()["status"] == status
    assert drawn.notes == [f"{status} · 14 ops"]
    assert f"label=<{status} · 14 ops>" in drawn.dot()
    assert drawn.notes[0] in repr(drawn)


# -- the graph of a gradient --------------------------------------------------------------------


def test_the_graph_of_a_gradient_is_drawn_too():
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    slope = tg.grad((x**3).sum(), x, create_graph=True)
    drawn = graph(slope, highlight=x, show="value")
    assert drawn.nodes[0].name == "x"
    assert drawn.nodes[-1].values == (slope,)
    assert boxes(drawn)[drawn.nodes[-1].id][-1] == "3  12"
    assert sum(node.ops for node in drawn.nodes) == len(toposort(slope))
    assert drawn.paths >= 1
    assert drawn.text().splitlines()[0] == "parameters: x (2,)"


def test_the_graph_of_a_gradient_through_time():
    output = gru_loss(3, create_graph=True)
    for options in (
        {},
        {"parameters": "hide"},
        {"fold": "layer 0"},
        {"steps": "last:1"},
        {"roll": True},
    ):
        drawn = graph(output, **options)
        assert drawn.dot().startswith("digraph")
    assert len(graph(output).text().splitlines()) > 50
    output.backward()
    assert graph(output).status == "backward done"


def test_a_gradient_is_drawn_in_the_time_step_and_scope_of_its_value():
    drawn = graph(gru_loss(3, create_graph=True))
    headings = [line for line in drawn.text().splitlines() if line.endswith("gradient")]
    assert headings == [
        "gradient",
        "gru, layer 0, gradient",
        *(f"gru, layer 0, time step {t}, gradient" for t in (2, 1, 0)),
        "gru, layer 0, gradient",
    ]
    assert {
        plain_scope(node.scope)[2]
        for node in drawn.nodes
        if node.kind == "state" and "gradient" not in plain_scope(node.scope) and not node.name
    } == {0, 1, 2}


def test_recording_a_gradient_restores_the_scope():
    x = ramp((2,), "x")
    with tg.scope("outer", 1):
        tg.grad((x * x).sum(), x, create_graph=True)
        after = x * 2
        with pytest.raises(RuntimeError, match="does not depend"):
            tg.grad(after.sum(), ramp((2,)), create_graph=True)
        assert plain_scope((x * 2).node.scope) == ("outer", 1)
    assert plain_scope(after.node.scope) == ("outer", 1)
    assert plain_scope((x * 2).node.scope) == ()


def test_rolled_up_the_gradient_of_a_step_is_one_box_and_goes_backwards():
    drawn = graph(gru_loss(7, create_graph=True), roll=True)
    nodes = {node.id: node for node in drawn.nodes}
    assert sorted(
        (e.lag, nodes[e.source].name, nodes[e.target].name) for e in drawn.edges if e.lag
    ) == [(-1, "gradient", "gradient"), (1, "hₜ", "hₜ₋₁")]
    assert [plain_scope(node.scope) for node in drawn.nodes if node.kind == "fold"] == [
        (),
        ("gru", "layer 0"),
        ("gru", "layer 0", "t = 0 … 6"),
    ]
    whole = graph(gru_loss(7, create_graph=True), roll=True, parameters="once")
    assert sum(node.ops for node in whole.nodes) == len(toposort(gru_loss(7, create_graph=True)))
    assert "the gradient of each scope is one box" in drawn.notes[1]
    assert len(drawn.nodes) == len(graph(gru_loss(50, create_graph=True), roll=True).nodes)


# -- any name -----------------------------------------------------------------------------------


def program_with_names(name):
    """A program whose every name is `name`."""
    with tg.scope(name or "module", 0, name or "part"):
        output = ramp((2,), name or None) * 2
        output.name = name or None
        output = tg.exp(output) + tg.Tensor([1.0, 2.0], name=name or None)
    output = output.sum()
    output.name = name or None
    return output


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_can_be_drawn(name):
    drawn = graph(program_with_names(name), show="shape,value,grad")
    assert all(c == "\n" or c.isprintable() for c in drawn.text())
    assert all(c in "\n\t" or c.isprintable() for c in drawn.dot())
    drawn.text().encode()
    drawn.dot().encode()
    rest, labels = split_values(drawn.dot())
    assert rest == split_values(graph(program_with_names("x" if name else "")).dot())[0]
    wanted = escape_unprintable(name).strip()
    for label in labels:
        tags = {part.tag for part in ElementTree.fromstring(f"<label>{label}</label>").iter()}
        assert tags <= {"label", "table", "tr", "td", "b", "font", "br"}
    shown = "".join(
        "".join(ElementTree.fromstring(f"<label>{label}</label>").itertext()) for label in labels
    )
    assert shown.replace("\\\\", "\\").count(wanted.replace("\\\\", "\\")) >= (6 if wanted else 0)


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_is_in_the_data(name):
    data = graph(program_with_names(name)).data()
    assert json.loads(json.dumps(data)) == json.loads(json.dumps(data, ensure_ascii=False))
    assert any(node["name"] == (escape_unprintable(name) or "leaf") for node in data["nodes"])


# -- size ---------------------------------------------------------------------------------------


def test_a_drawing_of_a_hundred_steps_is_fast():
    """The graph is that of a language model: an embedding, 100 steps of a GRU, an output layer."""
    from internals import Architecture, CharModel

    from tinygrad_rnn.text import CharVocab

    model = CharModel(CharVocab("Math"), Architecture(hidden=16, embedding=8), rng=0)
    x = np.arange(101) % 4
    logits, _ = model(x[:-1, None])
    loss = functional.cross_entropy(logits, x[1:, None])
    start = time.process_time()
    drawn = graph(loss)
    picture = drawn.dot()
    assert time.process_time() - start < 2
    assert "t = 99" in picture
    start = time.process_time()
    assert "time step 99" in drawn.text()
    assert time.process_time() - start < 2


def test_a_graph_of_over_600_nodes_is_folded_and_a_note_says_so():
    drawn = graph(gru_loss(100))
    assert len(drawn.nodes) <= 600
    (note,) = drawn.notes[1:]
    visible, option = re.fullmatch(
        r"([\d,]+) nodes: drawn with (\S+); choose steps, roll or fold yourself to see other parts",
        note,
    ).groups()
    assert int(visible.replace(",", "")) > 600
    assert option == 'steps="first:2,last:1"'
    assert html.escape(note) in drawn.dot()
    assert note in drawn.data()["notes"]
    assert {
        plain_scope(node.scope)[2]
        for node in drawn.nodes
        if len(node.scope) > 2 and node.kind == "op"
    } == {0, 1, 99}
    assert graph(gru_loss(100), roll=True).notes == drawn.notes[:1]


def test_a_large_graph_without_time_steps_is_folded_by_scope():
    x = ramp((), "x")
    for part in range(9):
        with tg.scope(f"part {part}", "inner"):
            for _ in range(70):
                x = tg.tanh(x)
    drawn = graph(x)
    assert drawn.notes[1].startswith("631 nodes: drawn with fold=2; ")
    assert [node.name for node in drawn.nodes if node.kind == "fold"] == ["inner"] * 9
    drawn.dot()


def test_600_nodes_are_drawn_as_they_are():
    x = ramp((), "x")
    for _ in range(599):
        x = tg.tanh(x)
    assert len(graph(x).nodes) == 600
    assert graph(x).dot().count("->") == 599
    assert len(graph(x).notes) == 1


def wide(parameters, scope=()):
    with tg.scope(*scope):
        return tg.stack([ramp((), f"w{i}") for i in range(parameters)]).sum()


@pytest.mark.parametrize("options", [{}, {"fold": 1}, {"fold": "part"}])
def test_hundreds_of_parameters_are_hidden_automatically(options):
    drawn = graph(wide(700, ["part"]), **options)
    assert len(drawn.nodes) <= 2
    assert sum(node.ops for node in drawn.nodes) == 2
    assert 'nodes: drawn with parameters="hide"; ' in drawn.notes[1]
    drawn.dot()
    with pytest.raises(
        ValueError,
        match=r"argument fold: expected the name or the depth .* \(part\), .*'part', for example$",
    ):
        graph(wide(700, ["part"]), fold="parts")


def test_requested_steps_stay_however_many_nodes_there_are():
    drawn = graph(gru_loss(100), steps="first:60", parameters="hide")
    assert {
        plain_scope(node.scope)[2]
        for node in drawn.nodes
        if len(node.scope) > 2 and node.kind != "steps"
    } == set(range(60))
    assert re.fullmatch(
        r"[\d,]+ nodes: drawn with fold=4; choose steps, roll or fold yourself to see other parts",
        drawn.notes[1],
    )
    drawn.dot()


@pytest.mark.parametrize("length", [601, 5_000, 19_999])
def test_the_two_ends_of_an_ungrouped_graph_are_drawn(length):
    drawn = graph(chain(length))
    assert len(drawn.nodes) == 501
    assert [node.text for node in drawn.nodes if node.kind == "fold"] == [
        f"{length + 1 - 500:,} ops"
    ]
    assert sum(node.ops for node in drawn.nodes) == length
    assert (
        drawn.notes[1]
        == f"{length + 1:,} nodes: drawn with one box for those between the first and the last 250"
    )
    assert all(html.escape(note) in drawn.dot() for note in drawn.notes)
    order = {node.id: i for i, node in enumerate(drawn.nodes)}
    assert all(order[e.source] < order[e.target] for e in drawn.edges)


def test_a_parameter_that_is_used_at_an_end_stays_beside_the_box():
    h, w = ramp((), "h"), ramp((), "w")
    for i in range(1_500):
        h = tg.tanh(h * w if i == 1_499 else h * ramp((), "v") if i == 700 else h * 2)
    drawn = graph(h)
    assert {"h", "w"} <= {node.name for node in drawn.nodes}
    assert "v" not in {node.name for node in drawn.nodes}


def test_the_two_ends_of_a_long_recurrence_have_parameters_at_each_use():
    h, w = ramp((), "h"), ramp((), "w")
    for _ in range(900):
        h = tg.tanh(h * w)
    assert [node.name for node in graph(h).nodes].count("…") == 1, "it is a loop of 900 turns"
    h, choose = ramp((), "h"), np.random.default_rng(0)
    for _ in range(900):  # no two turns are alike
        h = [tg.tanh, tg.sigmoid, tg.sin, tg.cos][choose.integers(4)](h)
        h = h * w if choose.integers(2) else h
    drawn = graph(h)
    assert len(drawn.nodes) <= 600
    assert [node.name for node in drawn.nodes].count("w") > 20


def test_scopes_of_great_depth_are_folded_fast():
    x = ramp((), "x")
    for depth in range(750):
        with tg.scope(*(f"s{i}" for i in range(depth))):
            x = tg.tanh(x)
    drawn, seconds = measure(lambda: graph(x))
    assert "drawn with fold=" in drawn.notes[1]
    assert 500 < len(drawn.nodes) <= 600
    assert seconds < 5


def chain(length):
    x = ramp((), "x")
    for _ in range(length):
        x = x * 1.0
    return x


def measure(work, runs=1):
    """Return the result and the shortest time of several runs.

    The garbage collector is off because its time is not linear.
    """
    seconds = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(runs):
            start = time.process_time()  # what others run at the same time is not counted
            result = work()
            seconds.append(time.process_time() - start)
    finally:
        gc.enable()
    return result, min(seconds)


def test_a_long_chain_is_read_and_drawn_in_linear_time():
    seconds = []
    for length in (21_000, 63_000):
        output = chain(length)
        drawn, graphed = measure(lambda output=output: graph(output))
        text, written = measure(drawn.text)
        svg, rendered = measure(drawn.svg)
        assert len([line for line in text.splitlines() if "⊙" in line]) > length / 20
        assert "between the first and the last 250" in drawn.notes[1]
        assert svg.startswith("<svg")
        seconds.append(graphed + written + rendered)
    assert seconds[1] < 3 * seconds[0] * 2 + 0.4, (
        "three times as much takes much more than three times as long"
    )


def test_the_lag_of_a_state_is_written_without_escapes():
    drawn = graph(recurrence(4), roll=True)
    (state,) = [lines for lines in boxes(drawn).values() if "t−1 → t" in "".join(lines)]
    assert "".join("".join(state).split()) == "hₜ₋₁t−1→t"


@pytest.mark.parametrize(
    ("view", "most"),
    [({"roll": True}, 10), ({"steps": "first:2,last:2"}, 30)],
    ids=["rolled", "ends"],
)
def test_a_long_loop_is_viewed_in_linear_time(view, most):
    seconds = []
    for length in (250, 4_000):
        w, h = ramp((), "w"), ramp((), "h", grad=False)
        for t in range(length):
            with tg.scope("loop", t):
                h = tg.tanh(w * h)
                h.name = "h"
        drawn, viewed = measure(lambda h=h: graph(h, **view), runs=2)
        assert len(drawn.nodes) <= most
        assert drawn.dot().count("digraph") == 1
        seconds.append(viewed)
    assert seconds[1] < 16 * seconds[0] * 1.6 + 0.1, (
        "sixteen times as many steps take much more than sixteen times as long"
    )


def test_edges_follow_the_order_of_computation():
    drawn = graph(gru_loss(4))
    order = {node.id: i for i, node in enumerate(drawn.nodes)}
    assert len(order) == len(drawn.nodes)
    assert all(order[e.source] < order[e.target] for e in drawn.edges)
    indices = [node.values[0].node.index for node in drawn.nodes if node.kind == "op"]
    assert all(a < b for a, b in pairwise(indices))


if __name__ == "__main__":
    for kept, drawing in GOLDEN.items():
        (FIXTURES / f"{kept}.dot").write_text(drawing().dot(), encoding="utf-8")
