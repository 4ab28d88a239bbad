"""What the prompt and a notebook show of graphs, steps, reports and gradient flow."""

from html.parser import HTMLParser

import numpy as np
import pytest

import tinygrad_rnn as tg

BAD = "<script>alert('w')</script>&"
"""A name that must not become a part of a page."""


class Tags(HTMLParser):
    """Collects the tags of a page, and fails if one is not closed."""

    def __init__(self, page):
        super().__init__()
        self.found, self.open, self.text = set(), [], ""
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def weighted(name="w"):
    """Return a loss, computed from a Tensor of this name."""
    w = tg.Tensor([0.5, 1.0], requires_grad=True, name=name)
    return (tg.tanh(w * w) + w).sum()


def flow_of(name="h", steps=4):
    """Return the gradient flow through a scan whose state has this name."""
    w = tg.Tensor(0.5, requires_grad=True, name="w")

    def cell(x, h):
        h = w * h + x
        h.name = name
        return h, h

    return tg.bptt.flow(tg.scan(cell, tg.Tensor(np.ones(steps)), tg.Tensor(np.zeros(())))[1], name)


def report_of(name="scale"):
    """Return a report with a fault of each kind."""
    arrays = {"weight": np.zeros((2, 3), "float32"), name: np.zeros(3)}
    return tg.interop.compare(tg.nn.Linear(3, 4), arrays)


def test_vertices_and_edges_are_one_line_each():
    g = tg.graph(weighted())
    assert list(map(repr, g.nodes)) == [
        "<parameter1: w (2,)>",
        "<op1: ⊙ (2,)>",
        "<op2: tanh (2,)>",
        "<op3: + (2,)>",
        "<op4: Σ ()>",
    ]
    assert [repr(edge) for edge in g.edges[:3]] == [
        "<parameter1 → op1>",
        "<parameter1 → op1>",
        "<op1 → op2>",
    ]


def test_an_edge_through_time_and_a_vertex_in_a_layer_say_so():
    output, _ = tg.nn.GRU(2, 3, rng=0)(np.ones((4, 1, 2), "float32"))
    g = tg.graph(output.sum(), roll=True)
    assert any(repr(edge).endswith(", 1 step later>") for edge in g.edges)
    assert any(repr(node).endswith(" in gru / layer 0>") for node in g.nodes)
    assert all(len(repr(node)) < 150 for node in g.nodes)
    back = tg.graph(
        tg.scan(
            lambda x, h: (x * h, x * h),
            tg.Tensor(np.ones(3, "float32")),
            tg.Tensor(1.0, requires_grad=True),
            reverse=True,
        )[0].sum(),
        roll=True,
    )
    assert any(", 1 step earlier" in repr(edge) for edge in back.edges)


def test_steps_and_contributions_are_one_line_each():
    steps = list(tg.backward_steps(weighted()))
    assert list(map(repr, steps)) == [
        "<step 1 of 4: #4 = Σ(#3), g = 1>",
        "<step 2 of 4: #3 = #2 + w, g = [1 1]>",
        "<step 3 of 4: #2 = tanh(#1), g = [1 1]>",
        "<step 4 of 4: #1 = w ⊙ w, g = [0.94 0.42]>",
    ]
    assert repr(steps[-1].contributions[0]) == "<w gets g · b = [0.47 0.42]>"
    assert "\n" in str(steps[-1])


def test_a_report_says_at_the_prompt_what_it_prints():
    report = report_of()
    assert repr(report) == str(report)
    assert repr(report).splitlines()[:2] == ["Linear: 0 of 2 parameters fit", "missing:"]
    fits = tg.interop.compare(tg.nn.Linear(3, 4), tg.nn.Linear(3, 4).state_dict())
    assert "fits" in fits._repr_html_()
    assert "bias" in fits._repr_html_()


@pytest.mark.parametrize(
    "make",
    [lambda name: list(tg.backward_steps(weighted(name)))[-1], flow_of, report_of],
    ids=["step", "flow", "report"],
)
def test_names_are_escaped_in_a_notebook(make):
    page = Tags(make(BAD)._repr_html_())
    assert page.found <= {
        "div",
        "table",
        "tr",
        "th",
        "td",
        "svg",
        "line",
        "text",
        "circle",
        "polyline",
    }
    assert "alert('w')" in page.text


def test_a_notebook_shows_a_step_as_a_table():
    page = Tags(list(tg.backward_steps(weighted()))[-1]._repr_html_())
    assert "4 of 4  #1 = w ⊙ w" in page.text
    assert "g = [0.94 0.42] arrives" in page.text
    for cell in ("input", "w", "g · b", "[0.47 0.42]", "[1.47 1.42]"):
        assert cell in page.text


def test_a_notebook_shows_the_flow_as_a_chart_and_a_table():
    page = flow_of(steps=12)._repr_html_()
    assert page.count("<circle") == 12
    text = Tags(page).text
    for part in ("‖∂L/∂h‖", "t = 0", "t = 11", "1e-4", "1e+1", "gradients: h (12,)"):
        assert part in text


def test_the_chart_leaves_out_what_has_no_logarithm():
    flow = flow_of(steps=3)
    for values, points in {
        (1.0, 0.0, np.inf): 1,
        (0.0, 0.0, np.nan): 0,
        (2.0, 2.0, 2.0): 3,
    }.items():
        flow.gradients["h"] = np.array(values)
        page = flow._repr_html_()
        assert page.count("<circle") == points
        assert ("<svg" in page) == bool(points)
        Tags(page)


def test_points_of_the_chart_lie_in_it_and_in_the_order_of_their_norms():
    rng = np.random.default_rng(0)
    for _ in range(50):
        flow = flow_of(steps=9)
        norms = 10.0 ** rng.uniform(-150, 150, 9)
        flow.gradients["h"] = norms
        page = flow._repr_html_()
        heights = [float(part.split('"')[1]) for part in page.split(" cy=")[1:]]
        across = [float(part.split('"')[1]) for part in page.split(" cx=")[1:]]
        assert across == sorted(across)
        assert all(18 <= y <= 110 for y in heights)
        assert all(62 <= x <= 420 for x in across)
        order = np.argsort(norms)
        assert (np.diff(np.array(heights)[order]) <= 0.05).all()
