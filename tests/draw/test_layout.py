"""The layout of pictures, as every engine draws it: 60 graphs of ten kinds of network."""

import re
import shutil
import time
from itertools import combinations, pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from networks import NETWORKS

import tinygrad_rnn as tg

SVG = "{http://www.w3.org/2000/svg}"
ENGINES = ["pygraphviz", *(["system dot"] if shutil.which("dot") else [])]
VIEWS = [
    {},
    {"fold": ()},
    {"fold": "gate", "parameters": "hide"},
    {"fold": "gate", "parameters": "chips", "steps": "first:2,last:1"},
    {"fold": "step", "parameters": "hide", "direction": "down"},
    {"roll": True, "show": "shape,value"},
]


@pytest.fixture(params=ENGINES)
def engine(request, monkeypatch):
    if request.param == "pygraphviz":
        monkeypatch.setattr("tinygrad_rnn.draw.render.shutil.which", lambda name: None)
    else:
        monkeypatch.setattr("tinygrad_rnn.draw.render.find_spec", lambda name: None)
    return request.param


class Drawn:
    """What an SVG of Graphviz shows: boxes, frames with their titles, and the curves of edges."""

    def __init__(self, svg):
        self.boxes, self.words, self.frames, self.titles = {}, {}, [], []
        self.edges, self.curves = [], {}
        for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
            kind, title = group.get("class"), group.findtext(f"{SVG}title")
            texts = [
                (float(t.get("x")), float(t.get("y")), t.text) for t in group.iter(f"{SVG}text")
            ]
            if kind == "node":
                if box := outline(group):
                    self.boxes[title] = box
                self.words[title] = texts
            elif kind == "cluster":
                self.frames.append((texts[0][2] if texts else "", outline(group)))
                self.titles += texts
            elif kind == "edge":
                paths = [path.get("d") for path in group.iter(f"{SVG}path")]
                self.edges.append(title)
                self.curves[len(self.edges) - 1] = [points_on(path) for path in paths]


def outline(group):
    """Return (left, right, top, bottom) of the first shape in a group."""
    for shape in group.iter():
        numbers = [
            float(n) for n in re.findall(r"-?[\d.]+", shape.get("points") or shape.get("d") or "")
        ]
        if shape.tag == f"{SVG}ellipse":
            x, y, rx, ry = (float(shape.get(name)) for name in ("cx", "cy", "rx", "ry"))
            return x - rx, x + rx, y - ry, y + ry
        if numbers:
            return min(numbers[::2]), max(numbers[::2]), min(numbers[1::2]), max(numbers[1::2])
    return None


def points_on(path):
    """Return points on the cubic curves of a path."""
    p = np.array(re.findall(r"(-?[\d.]+),(-?[\d.]+)", path), float)
    t = np.linspace(0, 1, 12)[:, None]
    curves = zip(p[:-3:3], p[1:-2:3], p[2:-1:3], p[3::3], strict=True)
    return np.concatenate(
        [
            (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
            for a, b, c, d in curves
        ]
    )


def overlap(a, b, room=0.5):
    return min(a[1], b[1]) - max(a[0], b[0]) > room and min(a[3], b[3]) - max(a[2], b[2]) > room


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("kind", NETWORKS)
def test_every_engine_draws_the_right_picture(kind, number, engine):
    view = VIEWS[number]
    loss = NETWORKS[kind](number + 1)
    graph = tg.graph(loss, **view)
    drawn = Drawn(graph.svg())
    names = {v.id: v for v in graph.nodes}

    assert sorted(drawn.edges) == sorted(f"{e.source}->{e.target}" for e in graph.edges)
    assert all(len(paths) == 1 for paths in drawn.curves.values()), "an edge is drawn twice"

    for a, b in combinations(drawn.boxes, 2):
        assert not overlap(drawn.boxes[a], drawn.boxes[b]), (names[a], names[b])

    for edge in graph.edges:
        (points,) = drawn.curves[drawn.edges.index(f"{edge.source}->{edge.target}")]
        for x, y, title in drawn.titles:
            inside = (points[:, 0] > x + 2) & (points[:, 0] < x + 5 * len(title))
            inside &= (points[:, 1] > y - 7) & (points[:, 1] < y)
            assert not inside.any(), (title, edge)
        for name, box in drawn.boxes.items():
            if name in (edge.source, edge.target):
                continue
            inside = (points[:, 0] > box[0] + 1) & (points[:, 0] < box[1] - 1)
            inside &= (points[:, 1] > box[2] + 1) & (points[:, 1] < box[3] - 1)
            assert not inside.any(), (names[name], edge)

    for name, texts in drawn.words.items():
        if name in drawn.boxes:
            left, right, top, bottom = drawn.boxes[name]
            assert all(left - 0.5 <= x <= right for x, _, _ in texts), names[name]
            assert all(top <= y <= bottom + 0.5 for _, y, _ in texts), names[name]

    rows = {}
    for title, box in drawn.frames:
        if step := re.fullmatch(r"t = (\d+)", title):
            rows.setdefault(box[2:], []).append((int(step[1]), box))
    for steps in rows.values():
        for (t, a), (u, b) in pairwise(sorted(steps, key=lambda item: item[1][0])):
            assert t < u or t == 0 or u == 0, "time runs to the right"
            assert a[1] <= b[0]


def test_every_step_has_the_same_layout(engine):
    graph = tg.graph(NETWORKS["two GRU layers"](5), fold=(), parameters="chips")
    drawn = Drawn(graph.svg())
    frames = {}
    for v in graph.nodes:
        place = [i for i, part in enumerate(v.scope) if part.is_step]
        if place:
            key = v.scope[: place[0]], v.scope[place[0]].index
            name = re.sub("[₀-₉₋]+", "", v.name)
            frames.setdefault(key, {})[v.scope[place[0] + 1 :], name, v.kind, v.text[-3:]] = v
    offsets = {}
    for (loop, _), inside in frames.items():
        left = min(drawn.boxes[v.id][0] for v in inside.values())
        for key, v in inside.items():
            box = drawn.boxes[v.id]
            offsets.setdefault((loop, key), []).append((box[0] - left, box[2]))
    assert len(offsets) > 20
    assert max(np.ptp(places, axis=0).max() for places in offsets.values()) < 0.1


def test_states_run_straight_from_step_to_step(engine):
    graph = tg.graph(NETWORKS["two GRU layers"](4), fold="gate", parameters="hide")
    drawn = Drawn(graph.svg())
    kinds = {v.id: v.kind for v in graph.nodes}
    straight = [
        drawn.curves[i][0]
        for i, edge in enumerate(drawn.edges)
        if kinds[edge.split("->")[1]] == "state"
    ]
    assert len(straight) == 6
    assert all(np.ptp(points[:, 1]) < 0.1 for points in straight)


def test_the_gates_of_a_step_are_side_by_side(engine):
    graph = tg.graph(NETWORKS["two GRU layers"](2), fold="gate", parameters="hide")
    drawn = Drawn(graph.svg())
    places = {v.name: drawn.boxes[v.id] for v in graph.nodes if "layer 0" in map(str, v.scope)}
    assert (
        abs(places["z₁"][2] - places["n₁"][2]) < 12 or abs(places["z₁"][2] - places["r₁"][2]) < 12
    )


def test_nested_loops_of_equal_lengths_side_by_side():
    """Two loops of three steps, each with a loop of three steps inside."""
    w = tg.Tensor(np.eye(2), requires_grad=True, name="W")

    def inner(x, h):
        h = tg.tanh(h @ w + x)
        h.name = "h"
        return h, h

    def outer(x, h):
        _, h = tg.scan(inner, tg.Tensor(np.ones((3, 1, 2))), h)
        return h * 2, h * 2

    xs, h = tg.Tensor(np.ones((3, 1, 2))), tg.Tensor(np.zeros((1, 2)), name="h")
    for name in ("first", "second"):
        with tg.scope(name):
            _, h = tg.scan(outer, xs, h)
    drawn = Drawn(tg.graph(h.sum(), fold=()).svg())
    assert sum(title == "t = 2" for title, _ in drawn.frames) == 8


def chain(turns):
    """A residual chain; its turns are a loop."""
    h, w = tg.Tensor(np.zeros((1, 4)), name="h"), tg.Tensor(np.eye(4), requires_grad=True)
    for _ in range(turns):
        h = h + tg.tanh(h @ w)
    return h.sum()


def wide(width):
    """Many short paths from one parameter to a sum of pairs."""
    x = tg.Tensor(np.ones(3), requires_grad=True, name="x")
    terms = [tg.tanh(x * i) + x for i in range(width)]
    while len(terms) > 1:
        terms = [a + b for a, b in zip(terms[::2], terms[1::2], strict=True)]
    return terms[0].sum()


def blocks(depth):
    """A deep network whose blocks are alike."""
    h = tg.Tensor(np.ones((1, 2)), name="x")
    for k in range(depth):
        with tg.scope(f"block {k}"):
            h = h + 0.1 * tg.tanh(tg.nn.Linear(2, 2, rng=k).astype(np.float64)(h))
    return h.sum()


@pytest.mark.parametrize(
    "make",
    [
        lambda: chain(1700),
        lambda: wide(1024),
        lambda: NETWORKS["large"](12),
        lambda: NETWORKS["two GRU layers"](120),
        lambda: blocks(1250),
    ],
    ids=["chain", "wide", "random", "layers", "blocks"],
)
@pytest.mark.parametrize("view", [{}, {"fold": ()}], ids=["default", "every op"])
def test_5000_ops_are_drawn_or_folded_within_five_seconds(make, view):
    loss = make()
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        graph = tg.graph(loss, **view)
        svg = graph.svg()
        seconds.append(time.perf_counter() - start)
        if seconds[-1] < 5:
            break
    assert min(seconds) < 5
    assert svg.startswith("<svg")
    assert len(graph.notes) > 1, "a note says what is folded"


def test_a_slow_drawing_says_what_it_does(monkeypatch, capsys):
    monkeypatch.setattr("tinygrad_rnn.draw.patience.SECONDS", 0.0)
    tg.graph(chain(400)).dot()
    assert "graph: laying out" in capsys.readouterr().err
