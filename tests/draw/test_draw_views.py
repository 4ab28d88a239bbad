"""Views of a graph: fewer steps, rolled steps, folded scopes, parameters, paths."""

import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from drawings import graph, layer_loss
from helpers import ramp
from internals import Architecture, CharModel, plain_scope, toposort

import tinygrad_rnn as tg
from tinygrad_rnn.nn import functional
from tinygrad_rnn.text import CharVocab


def language_model(steps, cell="gru", *, embedding=8, layers=1):
    """The requirement's example, and its loss on a line of text."""
    model = CharModel(
        CharVocab("Math"),
        Architecture(cell=cell, hidden=4, embedding=embedding, layers=layers),
        rng=0,
    )
    x = np.arange(steps + 1) % 4
    logits, _ = model(x[:-1, None])
    loss = functional.cross_entropy(logits, x[1:, None])
    loss.name = "loss"
    return loss


def scan_loss(cell, steps=4, *, reverse=False, h=None):
    """The last state of a cell of one's own, started from a constant named h."""
    h = ramp(name="h", grad=False) if h is None else h
    _, h = tg.scan(cell, tg.Tensor(np.ones((steps, 2, 2)), name="xs"), h, reverse=reverse)
    return h.sum()


def kinds(drawn):
    return Counter(node.kind for node in drawn.nodes)


def by_id(drawn):
    return {node.id: node for node in drawn.nodes}


def holds_value(node, value):
    """Return whether a vertex holds `value` itself; ``in`` would compare numbers."""
    return any(v is value for v in node.values)


def names(drawn):
    return [node.name for node in drawn.nodes if node.name]


def ends(drawn):
    """Every edge as the names or texts at its ends."""
    nodes = by_id(drawn)
    return [
        tuple(nodes[end].name or nodes[end].text for end in (e.source, e.target))
        for e in drawn.edges
    ]


def reachable(drawn, start, *, back=False):
    """Everything that an edge, or edges one after another, leads to from the vertex `start`."""
    found, waiting = set(), [start]
    while waiting:
        here = waiting.pop()
        for e in drawn.edges:
            a, b = (e.target, e.source) if back else (e.source, e.target)
            if a == here and b not in found:
                found.add(b)
                waiting.append(b)
    return found


MODELS = {
    "gru": lambda: language_model(6),
    "lstm": lambda: language_model(5, "lstm", layers=2),
    "both directions": lambda: layer_loss("RNN", 5, 2, bidirectional=True),
    "one step": lambda: layer_loss("GRU", 1),
    "no time": lambda: (ramp() @ tg.tanh(ramp(name="v"))).sum(),
}
VIEWS = {
    "plain": {},
    "rolled": {"roll": True},
    "rolled, parameters once": {"roll": True, "parameters": "once"},
    "rolled, hidden": {"roll": True, "parameters": "hide"},
    "ends": {"steps": "first:1,last:1"},
    "last": {"steps": "last:2", "parameters": "once"},
    "first, chips": {"steps": "first:2", "parameters": "chips"},
    "ends, folded": {"steps": "first:1,last:1", "fold": "names", "parameters": "once"},
    "chips": {"parameters": "chips"},
    "hidden": {"parameters": "hide"},
}
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
each_view = pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)


# -- of all views -------------------------------------------------------------------------------


@each_model
@each_view
def test_edges_join_what_is_visible_and_the_output_stays(model, view):
    output = model()
    drawn = graph(output, **view)
    ids = {node.id for node in drawn.nodes}
    assert len(ids) == len(drawn.nodes)
    assert ids >= {end for e in drawn.edges for end in (e.source, e.target)}
    (last,) = [node for node in drawn.nodes if holds_value(node, output)]
    joined = reachable(drawn, last.id, back=True) | {last.id}
    apart = [
        node for node in drawn.nodes if node.id not in joined and node.kind != "steps"
    ]  # a state may end in steps left out
    assert not apart, "everything that is drawn leads to the output"
    drawn.dot()


@each_model
@pytest.mark.parametrize(
    "view",
    [v for v in VIEWS.values() if v.get("parameters") in (None, "once") and v != {"roll": True}],
)
def test_every_op_is_counted_once(model, view):
    output = model()
    drawn = graph(output, **view)
    assert sum(node.ops for node in drawn.nodes) == len(toposort(output))
    assert drawn.notes[0].endswith(f"· {len(toposort(output)):,} ops")


@each_model
@each_view
def test_without_lagged_edges_there_is_no_cycle(model, view):
    drawn = graph(model(), **view)
    waiting = {node.id: 0 for node in drawn.nodes}
    edges = [e for e in drawn.edges if not e.lag]
    for e in edges:
        waiting[e.target] += 1
    ready = [name for name, n in waiting.items() if not n]
    done = 0
    while ready:
        here = ready.pop()
        done += 1
        for e in edges:
            if e.source == here:
                waiting[e.target] -= 1
                if not waiting[e.target]:
                    ready.append(e.target)
    assert done == len(drawn.nodes)


@each_view
def test_drawing_leaves_the_graph_alone(view):
    output, same = language_model(5, "lstm"), language_model(5, "lstm")

    def everything(value):
        node = value.node
        own = (value.grad, value.name, value.tracked, value.changed, value.array.tobytes())
        return (
            *own,
            node
            and (node.used, node.scope, node.index, tuple(map(id, node.inputs)), str(node.params)),
        )

    values = [
        *toposort(output),
        *{x for v in toposort(output) for x in v.node.inputs if isinstance(x, tg.Tensor)},
    ]
    before = list(map(everything, values))
    parameter = next(x for x in values if x.requires_grad and x.node is None)
    drawn = graph(output, show="shape,value,grad", highlight=parameter, **view)
    drawn.dot(), drawn.text(), drawn.data(), repr(drawn)
    assert list(map(everything, values)) == before
    drawn.nodes.clear(), drawn.edges.clear(), drawn.notes.clear()  # copies
    assert len(drawn.nodes) > len(drawn.notes) > 1
    output.backward()
    same.backward()
    leaves = [
        [
            x
            for v in toposort(o)
            for x in v.node.inputs
            if isinstance(x, tg.Tensor) and x.node is None
        ]
        for o in (output, same)
    ]
    for a, b in zip(*leaves, strict=True):
        np.testing.assert_array_equal(a.grad, b.grad)


# -- rolled -------------------------------------------------------------------------------------


@pytest.mark.parametrize("embedding", [0, 8], ids=["one-hot", "embedding"])
@pytest.mark.parametrize("parameters", [None, "chips", "hide"])
def test_a_language_model_of_100_steps_rolls_up_into_40_nodes(embedding, parameters):
    drawn = graph(language_model(100, embedding=embedding), roll=True, parameters=parameters)
    assert len(drawn.nodes) <= 40
    assert {"rₜ", "zₜ", "nₜ", "hₜ", "hₜ₋₁", "loss"} <= set(names(drawn))
    assert not any(re.search("[₀-₉]", name.replace("ₜ₋₁", "")) for name in names(drawn))
    assert len(drawn.notes) == 1


@pytest.mark.parametrize("steps", [2, 3, 7, 12, 100])
def test_one_edge_carries_the_state(steps):
    drawn = graph(language_model(steps), roll=True)
    nodes = by_id(drawn)
    (carries,) = [e for e in drawn.edges if e.lag]
    assert carries.lag == 1
    assert (nodes[carries.source].name, nodes[carries.target].name) == ("hₜ", "hₜ₋₁")
    assert nodes[carries.target].kind == "state"
    assert [v.name for v in carries.values] == ["h"] * (steps - 1)
    assert [plain_scope(v.node.scope)[-1] for v in carries.values] == list(range(steps - 1))
    assert "t−1 → t" in drawn.dot()
    inside = [
        node
        for node in drawn.nodes
        if any(part == f"t = 0 … {steps - 1}" for part in plain_scope(node.scope))
    ]
    assert {node.ops for node in inside if node.kind == "op"} == {steps}


def test_what_is_rolled_up_does_the_same_in_every_step():
    drawn = graph(layer_loss("GRU", 6), roll=True)
    for node in drawn.nodes:
        if node.kind == "op" and node.ops > 1:
            assert len({v.node.op.name for v in node.values}) == 1
            assert len({v.name for v in node.values}) == 1
            assert len({plain_scope(v.node.scope) for v in node.values}) == len(node.values)


@pytest.mark.parametrize(
    ("loss", "lags"),
    [
        (lambda: layer_loss("RNN", 5), [(1, "hₜ", "hₜ₋₁")]),
        (lambda: layer_loss("LSTM", 5), [(1, "cₜ", "cₜ₋₁"), (1, "hₜ", "hₜ₋₁")]),
        (lambda: layer_loss("GRU", 5, 2), [(1, "hₜ", "hₜ₋₁")] * 2),
        (lambda: layer_loss("LSTM", 5, 2), [(1, "cₜ", "cₜ₋₁")] * 2 + [(1, "hₜ", "hₜ₋₁")] * 2),
        (lambda: layer_loss("GRU", 5, bidirectional=True), [(-1, "hₜ", "hₜ₊₁"), (1, "hₜ", "hₜ₋₁")]),
    ],
    ids=["RNN", "LSTM", "two layers", "LSTM of two layers", "both directions"],
)
def test_every_state_of_every_layer_has_its_edge(loss, lags):
    drawn = graph(loss(), roll=True)
    nodes = by_id(drawn)
    assert (
        sorted((e.lag, nodes[e.source].name, nodes[e.target].name) for e in drawn.edges if e.lag)
        == lags
    )
    for e in drawn.edges:
        if e.lag:  # within one loop, whose frame is called t = 0 … 4
            here, there = (
                plain_scope(nodes[end].scope)[: plain_scope(nodes[end].scope).index("t = 0 … 4")]
                for end in (e.source, e.target)
            )
            assert here == there


def rnn_cell(x, h, w):
    h = tg.tanh(h @ w + x)
    h.name = "h"
    return h, h


def test_a_reverse_scan_takes_its_state_from_the_next_step():
    w = ramp(name="W")
    drawn = graph(scan_loss(lambda x, h: rnn_cell(x, h, w), reverse=True), roll=True)
    (carries,) = [e for e in drawn.edges if e.lag]
    assert carries.lag == -1
    assert "hₜ₊₁" in names(drawn)
    assert "hₜ₋₁" not in names(drawn)
    assert "t+1 → t" in drawn.dot()


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("first", ["constant named h", "parameter", "computed"])
def test_the_first_state_enters_at_the_place_of_the_state(reverse, first):
    w, start = ramp(name="W"), ramp(name="start")
    h = {"constant named h": ramp(name="h", grad=False), "parameter": start, "computed": start * 2}[
        first
    ]
    drawn = graph(
        scan_loss(lambda x, h: rnn_cell(x, h, w), reverse=reverse, h=h),
        roll=True,
        parameters="once",
    )
    nodes = by_id(drawn)
    (place,) = [
        node
        for node in drawn.nodes
        if node.kind == "state" and any(e.target == node.id and e.lag for e in drawn.edges)
    ]
    (product,) = [node for node in drawn.nodes if "@" in node.text]
    fed = {
        nodes[e.source].name or nodes[e.source].text for e in drawn.edges if e.target == product.id
    }
    assert fed == {"W", place.name}, "the product reads the state from one place only"
    if first != "constant named h":
        (entering,) = [e for e in drawn.edges if e.target == place.id and not e.lag]
        assert holds_value(nodes[entering.source], h)
        assert entering.when


def test_a_state_of_the_step_before_last_has_lag_2():
    w, v = ramp(name="W"), ramp(name="V")
    before = [ramp(name="h", grad=False)] * 2
    for t in range(6):
        with tg.scope("loop", t):
            h = tg.tanh(before[-1] @ w + before[-2] @ v)
            h.name = "h"
        before.append(h)
    drawn = graph(h.sum(), roll=True)
    assert sorted(e.lag for e in drawn.edges if e.lag) == [1, 2]
    assert {"t−1 → t", "t−2 → t"} <= set(re.findall(r"t−\d → t", drawn.dot()))


def test_a_constant_start_does_not_mix_up_terms_that_look_alike():
    """In the first step 0.5 ⊙ h is a constant, so it is not recorded.

    The product w ⊙ x is therefore the first one there, and the second one in later steps.
    """
    w = ramp((2,), "w")

    def leaky(x, h):
        h = 0.5 * h + w * x
        h.name = "h"
        return h, h

    _, h = tg.scan(leaky, tg.Tensor(np.ones((5, 2))), tg.Tensor(np.zeros(2)))
    drawn = graph(h.sum(), roll=True, parameters="once")
    nodes = by_id(drawn)
    fed = {
        frozenset(nodes[e.source].kind for e in drawn.edges if e.target == node.id)
        for node in drawn.nodes
        if "⊙" in node.text
    }
    assert fed <= {frozenset({"parameter", "input"}), frozenset({"state"})}
    for e in drawn.edges:
        assert (e.values[0] is w) <= ("0.5" not in nodes[e.target].text), "w is not part of 0.5 ⊙ h"
        assert nodes[e.source].kind != "input" or nodes[e.target].kind != "state", "x is no state"


def test_a_start_without_a_name_is_not_taken_for_an_input():
    """The first step has two arrays without a name, the state and x; later steps have only x."""
    w = ramp(name="W")

    def cell(x, h):
        h = tg.tanh(h @ w + x)
        return h, h

    _, h = tg.scan(cell, tg.Tensor(np.ones((5, 1, 2))), tg.Tensor(np.zeros((1, 2))))
    drawn = graph(h.sum(), roll=True, parameters="once")
    into = {
        node.id: sorted(by_id(drawn)[e.source].kind for e in drawn.edges if e.target == node.id)
        for node in drawn.nodes
    }
    (place,) = [node for node in drawn.nodes if node.kind == "state"]
    (plus,) = [node for node in drawn.nodes if node.text == "+"]
    assert into[plus.id] == ["input", "op"]
    assert into[place.id] == ["input", "op"]
    fed = {
        end: [
            e.source
            for e in drawn.edges
            if e.target == end and by_id(drawn)[e.source].kind == "input"
        ]
        for end in (plus.id, place.id)
    }
    assert fed[plus.id] != fed[place.id]


@pytest.mark.parametrize(
    "view", [{}, {"roll": True}, {"steps": "first:1,last:1"}, {"fold": "loop"}]
)
def test_numpy_integers_are_time_steps_too(view):
    def loss(steps):
        w, h = ramp(name="W"), ramp(name="h", grad=False)
        for t in steps:
            with tg.scope("loop", t):
                h = tg.tanh(h @ w)
                h.name = "h"
        return h.sum()

    drawn, same = graph(loss(np.arange(4)), **view), graph(loss(range(4)), **view)
    assert drawn.dot() == same.dot()
    assert drawn.data() == same.data()
    assert drawn.text() == same.text()


@pytest.mark.parametrize("name", ["h₁", "x₂₀", "h0", "h1", "ₜ", "t", "h̃"])
def test_names_that_have_digits_themselves_are_rolled_up_too(name):
    w = ramp(name="W")

    def cell(x, h):
        h = tg.tanh(h @ w + x)
        h.name = name
        return h, h

    drawn = graph(scan_loss(cell, 5), roll=True)
    assert {node.ops for node in drawn.nodes if node.kind == "op"} == {5, 1}
    assert len([e for e in drawn.edges if e.lag]) == 1


@pytest.mark.parametrize("steps", [2, 3, 4])
def test_an_index_that_is_the_same_in_every_step_stays_a_number(steps):
    w = ramp(name="W")
    bias = ramp((4, 2), "b")

    def cell(x, h):
        h = tg.tanh(h @ w + x + bias[1])
        h.name = "h"
        return h, h

    drawn = graph(scan_loss(cell, steps), roll=True, parameters="once")
    assert [node.text for node in drawn.nodes if node.text.startswith(("b[", "·["))] == ["b[1]"]


def test_an_index_that_is_the_time_step_is_written_t():
    drawn = graph(layer_loss("RNN", 3), roll=True)
    assert [node.text for node in drawn.nodes if "[t]" in node.text] == ["·[t]"]


def test_one_step_is_rolled_up_as_it_is():
    drawn = graph(layer_loss("GRU", 1), roll=True)
    assert not [e for e in drawn.edges if e.lag]
    assert {"rₜ", "zₜ", "nₜ", "hₜ"} <= set(names(drawn))


# -- fewer steps --------------------------------------------------------------------------------


def visible_steps(drawn):
    """The time steps whose ops can be seen."""
    return {
        part
        for node in drawn.nodes
        if node.kind == "op"
        for part in plain_scope(node.scope)
        if isinstance(part, int)
    }


@pytest.mark.parametrize(
    ("steps", "stay", "title"),
    [
        ("first:2,last:1", {0, 1, 9}, "t = 2 … 8"),
        ("first:1", {0}, "t = 1 … 9"),
        ("last:3", {7, 8, 9}, "t = 0 … 6"),
        ("first:0,last:1", {9}, "t = 0 … 8"),
        (" first:4 , last:5 ", {0, 1, 2, 3, 5, 6, 7, 8, 9}, "t = 4"),
    ],
)
def test_of_ten_steps_some_are_kept(steps, stay, title):
    drawn = graph(layer_loss("GRU", 10), steps=steps)
    assert visible_steps(drawn) == stay
    marks = [node for node in drawn.nodes if node.kind == "steps"]
    assert [node.text for node in marks] == [title]
    assert [node.name for node in marks] == ["…"]
    assert marks[0].ops == (10 - len(stay)) * len(
        [
            n
            for n in drawn.nodes
            if n.kind == "op" and plain_scope(n.scope)[2:3] == (9 if 9 in stay else 0,)
        ]
    )
    assert drawn.data()["steps"] == sorted(stay)


def test_the_state_goes_through_the_mark():
    drawn = graph(layer_loss("LSTM", 8), steps="first:2,last:1")
    nodes = by_id(drawn)
    marks = [node for node in drawn.nodes if node.kind == "steps"]
    assert len(marks) == 2
    assert [bool(mark.text) for mark in marks] == [True, False]
    for mark in marks:  # one for each state
        came = {
            nodes[e.source].name
            for e in drawn.edges
            if e.target == mark.id and nodes[e.source].name
        }
        goes = {
            nodes[e.target].name
            for e in drawn.edges
            if e.source == mark.id and nodes[e.target].kind == "state"
        }
        assert (came & {"h₁", "c₁"}, goes) in (({"h₁"}, {"h₆"}), ({"c₁"}, {"c₆"}))


@pytest.mark.parametrize(
    "steps", ["first:5", "last:5", "first:3,last:2", "first:9,last:9", "first:5,last:0"]
)
def test_steps_that_hide_nothing_change_nothing(steps):
    loss = layer_loss("GRU", 5)
    assert graph(loss, steps=steps).dot() == graph(loss).dot()
    without = (ramp() * 2).sum()
    assert graph(without, steps=steps).dot() == graph(without).dot()


def test_every_loop_has_its_own_mark():
    drawn = graph(layer_loss("RNN", 6, 2, bidirectional=True), steps="first:1,last:1")
    marks = [node for node in drawn.nodes if node.kind == "steps"]
    assert len({plain_scope(mark.scope)[:-1] for mark in marks}) == len(marks) == 4
    assert {mark.text for mark in marks} == {"t = 1 … 4"}


def test_marks_of_two_loops_stay_joined():
    """Two layers written by hand: step t of the second reads step t of the first."""
    w, v = ramp(name="W"), ramp(name="V")
    a = b = ramp(name="start", grad=False)
    for t in range(6):
        with tg.scope("first", t):
            a = tg.tanh(a @ w)
            a.name = "a"
        with tg.scope("second", t):
            b = tg.tanh(b @ v + a)
            b.name = "b"
    drawn = graph(b.sum(), steps="first:1,last:1")
    nodes = by_id(drawn)
    joined = [
        (plain_scope(nodes[e.source].scope)[0], plain_scope(nodes[e.target].scope)[0])
        for e in drawn.edges
        if nodes[e.source].kind == nodes[e.target].kind == "steps"
    ]
    assert joined == [("first", "second")]


@pytest.mark.parametrize(
    ("steps", "fix"),
    [
        *(
            (steps, "name first and last at most once, each with a whole number")
            for steps in ("", "first", "first:", "first:-1", "2")
        ),
        *(
            (steps, "name first and last at most once, each with a whole number")
            for steps in ("first:1.5", "all", 3, ("first:1",))
        ),
        *(
            (steps, "name first and last at most once, each with a whole number")
            for steps in ("last:1,last:2", "first:1,", "first:٣")
        ),
        *((steps, "keep at least one step") for steps in ("first:0,last:0", "first:0", "last:0")),
    ],
)
def test_steps_of_another_form_raise_an_error(steps, fix):
    with pytest.raises(
        ValueError,
        match=rf'^graph: argument steps: expected text like "first:2,last:1", got .*; {fix}$',
    ):
        graph(layer_loss("RNN", 3), steps=steps)


def test_steps_are_named_in_any_order():
    loss = layer_loss("RNN", 5)
    assert graph(loss, steps="last:1,first:2").dot() == graph(loss, steps="first:2,last:1").dot()


@pytest.mark.parametrize("fold", ["gru / layer 0", ["gru / layer 0"], "layer 0"], ids=str)
def test_a_scope_is_folded_by_its_path(fold):
    drawn = graph(layer_loss("GRU", 3), fold=fold)
    assert [
        (node.name, plain_scope(node.scope)) for node in drawn.nodes if node.kind == "fold"
    ] == [("layer 0", ("gru",))]


def test_of_two_scopes_of_one_name_a_path_folds_one():
    x = ramp()
    for module in ("a", "b"):
        with tg.scope(module, "part"):
            x = tg.tanh(x * 2)
    assert [
        plain_scope(node.scope) for node in graph(x, fold="part").nodes if node.kind == "fold"
    ] == [("a",), ("b",)]
    assert [
        plain_scope(node.scope) for node in graph(x, fold="b / part").nodes if node.kind == "fold"
    ] == [("b",)]
    with pytest.raises(ValueError, match="got 'part / b'"):
        graph(x, fold="part / b")


def test_a_whole_number_of_numpy_is_a_depth():
    loss = layer_loss("GRU", 3)
    assert graph(loss, fold=np.int64(1)).dot() == graph(loss, fold=1).dot()


def test_paths_to_a_hidden_parameter_say_that_it_is_hidden():
    loss = layer_loss("RNN", 3)
    w = next(
        x
        for value in toposort(loss)
        for x in value.node.inputs
        if getattr(x, "name", "") == "weight_hh_l0"
    )
    assert (
        graph(loss, highlight=w, parameters="hide")
        .notes[-1]
        .endswith(" paths to weight_hh_l0, which is hidden")
    )
    assert graph(loss, highlight=w).notes[-1].endswith(" paths to weight_hh_l0")


# -- folded -------------------------------------------------------------------------------------


def test_a_scope_is_folded_by_its_name():
    loss = language_model(4)
    drawn = graph(loss, fold="recurrent")
    (box,) = [node for node in drawn.nodes if node.kind == "fold"]
    inside = [v for v in toposort(loss) if "recurrent" in plain_scope(v.node.scope)]
    assert (box.name, plain_scope(box.scope), box.ops, box.text) == (
        "recurrent",
        ("charmodel",),
        len(inside),
        f"{len(inside)} ops",
    )
    assert box.shapes == [(4, 1, 4)]  # what leaves it: the outputs of all steps
    assert not any(
        "recurrent" in plain_scope(node.scope)
        for node in drawn.nodes
        if node.kind not in ("parameter", "fold")
    )
    nodes = by_id(drawn)
    assert {nodes[e.source].name for e in drawn.edges if e.target == box.id} >= {
        "weight_ih_l0",
        "weight_hh_l0",
        "bias_ih_l0",
        "bias_hh_l0",
    }
    assert len([e for e in drawn.edges if e.source == box.id]) == 1


def test_scopes_are_folded_by_their_depth():
    loss = language_model(4)
    for depth, folded in (
        (1, {"charmodel"}),
        (2, {"embedding", "recurrent", "output"}),
        (3, {"layer 0"}),
    ):
        drawn = graph(loss, fold=depth)
        boxes = [node for node in drawn.nodes if node.kind == "fold" and node.name != "loss"]
        assert {node.name for node in boxes} == folded
        assert all(len(node.scope) == depth - 1 for node in boxes)
        assert sum(node.ops for node in drawn.nodes) == len(toposort(loss))
    steps = [
        plain_scope(node.scope)[-1]
        for node in graph(loss, fold=4).nodes
        if node.kind == "fold" and node.name != "loss"
    ]
    assert steps == [0, 1, 2, 3]  # each in the frame of its step


def test_a_gate_is_folded_in_every_step():
    drawn = graph(layer_loss("GRU", 3), fold="z")
    boxes = [node for node in drawn.nodes if node.kind == "fold"]
    assert [box.name for box in boxes] == ["z₀", "z₁", "z₂"]
    assert [box.ops for box in boxes] == [3, 3, 3]
    assert [plain_scope(box.scope)[-1] for box in boxes] == [0, 1, 2]


def test_every_named_result_is_folded_with_its_formula():
    drawn = graph(layer_loss("GRU", 2), fold="names")
    found = {node.name: node.text for node in drawn.nodes if node.kind == "fold"}
    assert {"r₀", "z₀", "n₀", "r₁", "z₁", "n₁"} <= set(found)
    assert all(found[name].startswith("σ(") for name in ("r₀", "z₀", "r₁", "z₁"))
    assert "r₁ ⊙" in found["n₁"]
    assert graph(layer_loss("GRU", 5), fold="names", roll=True).nodes


def test_several_scopes_are_folded_each_into_its_own_box():
    w = ramp()
    with tg.scope("a"):
        x = tg.tanh(w) * 2
    with tg.scope("b"):
        y = tg.exp(x) * 3
    with tg.scope("c"):
        output = (y + x).sum()
    for fold in (["a", "b", "c"], ("c", "b", "a"), iter(["a", "b", "c"])):
        drawn = graph(output, fold=fold)
        boxes = {node.name: node for node in drawn.nodes if node.kind == "fold"}
        assert {name: box.ops for name, box in boxes.items()} == {"a": 2, "b": 2, "c": 2}
        assert sorted(ends(drawn)) == [("a", "b"), ("a", "c"), ("b", "c"), ("w", "a")]


def test_folds_fold_again():
    loss = language_model(4)
    drawn = graph(loss, fold=["layer 0", "recurrent", 1])
    assert [node.ops for node in drawn.nodes if node.name == "charmodel"] == [
        len([v for v in toposort(loss) if plain_scope(v.node.scope)[:1] == ("charmodel",)])
    ]
    rolled = graph(loss, roll=True, fold="layer 0")
    assert [e for e in rolled.edges if e.source == e.target and e.lag == 1], (
        "the state is an edge from the box to itself"
    )


@pytest.mark.parametrize("fold", ["nope", 99, 0, -1, "", ["layer 0", "nope"]])
def test_an_unknown_fold_raises_an_error(fold):
    with pytest.raises(
        ValueError,
        match=r"^graph: argument fold: expected the name or the depth of a scope in the graph "
        r"\(gru, .*got .*; give the name ",
    ):
        graph(layer_loss("GRU", 2), fold=fold)


def test_without_scopes_a_fold_says_how_to_make_some():
    with pytest.raises(
        ValueError, match=r"got 1; record the ops in tg\.scope\(name\) or in a Module$"
    ):
        graph((ramp() * 2).sum(), fold=1)


# -- parameters ---------------------------------------------------------------------------------


def test_each_use_of_a_parameter_has_a_chip_in_its_scope():
    loss = layer_loss("GRU", 4)
    once, chips = graph(loss), graph(loss, parameters="chips")
    out = Counter(e.source for e in chips.edges)
    stuck = [node for node in chips.nodes if node.kind == "parameter"]
    assert stuck
    assert all(out[node.id] == 1 for node in stuck)
    assert (
        max(
            Counter(e.source for e in once.edges)[node.id]
            for node in once.nodes
            if node.kind == "parameter"
        )
        > 1
    )
    nodes = by_id(chips)
    for e in chips.edges:
        if nodes[e.source].kind == "parameter":
            assert plain_scope(nodes[e.source].scope) == plain_scope(nodes[e.target].scope)
    assert {id(v) for node in stuck for v in node.values} <= {
        id(v) for node in once.nodes for v in node.values
    }


def test_every_use_of_a_parameter_has_its_chip():
    w = ramp()
    h = tg.Tensor(np.ones((1, 2)), name="x")
    for _ in range(5):
        h = tg.tanh(h @ w)
    drawn = graph(h.sum(), parameters="chips")
    assert (
        len([node for node in drawn.nodes if node.kind == "parameter" and holds_value(node, w)])
        == 5
    )
    assert kinds(drawn)["op"] == 11


def test_hidden_parameters_are_not_there():
    drawn = graph(layer_loss("GRU", 4), parameters="hide")
    assert kinds(drawn)["parameter"] == 0
    assert not {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"} & set(names(drawn))
    assert {"r₃", "z₃", "n₃", "h₃", "loss"} <= set(names(drawn))
    assert len(drawn.nodes) < len(graph(layer_loss("GRU", 4)).nodes)


@pytest.mark.parametrize("parameters", ["chips", "hide"])
@pytest.mark.parametrize(
    "program",
    [
        lambda: (ramp() * ramp(name="v")).sum(),
        lambda: ((np.ones((4, 2)) @ ramp((2,)) - np.ones(4)) ** 2).mean(),
        lambda: tg.tanh(ramp()),
    ],
    ids=["penalty", "linear regression", "one op"],
)
def test_ops_of_parameters_alone_are_still_drawn(parameters, program):
    """Without parameters, the drawing still shows the computation."""
    output = program()
    drawn = graph(output, parameters=parameters)
    assert drawn.nodes
    assert holds_value(drawn.nodes[-1], output)


# -- the paths of the gradient ------------------------------------------------------------------


def random_program(seed):
    """Return a small graph with shared results, two uses of an input, constants and dead ends."""
    rng = np.random.default_rng(seed)
    leaves = [tg.Tensor(0.5 + i, requires_grad=i < 2, name=f"leaf{i}") for i in range(3)]
    values = list(leaves)
    for _ in range(int(rng.integers(4, 10))):
        a, b = (values[i] for i in rng.integers(0, len(values), 2))
        values.append(
            [
                lambda a, b: a + b,
                lambda a, b: a * b,
                lambda a, b: tg.tanh(a),
                lambda a, b: tg.stack([a, b, a]).sum(),
            ][rng.integers(4)](a, b)
        )
    return leaves, values[-1] * leaves[0]


def find_paths(value, target):
    """Every path from `value` down to `target`, as lists of what lies on it."""
    if value is target:
        return [[value]]
    return [
        [value, *rest]
        for x in (value.node.inputs if value.node else ())
        if isinstance(x, tg.Tensor)
        for rest in find_paths(x, target)
    ]


@pytest.mark.parametrize("seed", range(30))
def test_the_number_of_paths_equals_that_of_an_exhaustive_search(seed):
    leaves, output = random_program(seed)
    interior = toposort(output)[len(toposort(output)) // 2]
    for target in (leaves[0], leaves[1], interior, output):
        found = find_paths(output, target)
        if not found:
            with pytest.raises(
                ValueError,
                match=r"^graph: argument highlight: expected a Tensor with gradients in this graph",
            ):
                graph(output, highlight=target)
            continue
        drawn = graph(output, highlight=target)
        assert drawn.paths == len(found)
        assert drawn.notes[-1].startswith(f"{len(found):,} path{'s' if len(found) > 1 else ''} to ")
        on_paths = {(a, b) for path in found for b, a in pairwise(path)}
        nodes = by_id(drawn)
        lines = [line for line in drawn.dot().splitlines() if "->" in line and "invis" not in line]
        assert len(lines) == len(drawn.edges)
        for e, line in zip(drawn.edges, lines, strict=True):
            assert f"{e.source} -> {e.target}" in line
            (made,) = nodes[e.target].values
            marked = bool(e.values) and (e.values[0], made) in on_paths
            if nodes[e.target].kind == "state":  # the value itself, on its way to the next turn
                marked = any(made in path for path in found)
            assert ("penwidth=2.4" in line) == marked
            assert ("style=dotted" in line) == (not marked)
        boxes = {
            m[1]: m[0] for m in re.finditer(r"^\s*(\w+) \[label=.*$", drawn.dot(), re.MULTILINE)
        }
        on = {v for path in found for v in path}
        assert all(
            ("penwidth=2.2" in boxes[node.id]) == bool(on & set(node.values))
            for node in drawn.nodes
        )


def gru_by_hand(steps):
    """Return a GRU with five paths from state to state: h, z twice, r, and the product with U."""
    u, h = ramp((), "U"), tg.Tensor(0.1, requires_grad=True, name="start")
    first = h
    for t in range(steps):
        with tg.scope("gru", t):
            z, r = tg.sigmoid(h * 0.5), tg.sigmoid(h * 0.3)
            n = tg.tanh(r * (h * u))
            h = z * h + (1 - z) * n
            z.name, r.name, n.name, h.name = "z", "r", "n", "h"
    return first, u, h


@pytest.mark.parametrize("steps", [1, 2, 3, 200])
def test_paths_through_time_are_counted_without_enumeration(steps):
    first, u, h = gru_by_hand(steps)
    assert graph(h, highlight=first, roll=True).paths == 5**steps
    drawn = graph(h, highlight=u, steps="first:1,last:1")
    assert drawn.paths == sum(
        5**t for t in range(steps)
    )  # one way from each step's n, and five from each h to the one before
    assert f"{drawn.paths:,} path{'s' if steps > 1 else ''} to U" in drawn.dot()


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_paths_are_the_same_in_every_view(view):
    layer = tg.nn.GRU(3, 2, rng=0)
    output, _ = layer(tg.Tensor(np.ones((5, 1, 3)), dtype="float32"))
    loss = output.sum()
    drawn = graph(loss, highlight=layer.weight_hh_l0, **view)
    assert (
        drawn.paths
        == graph(loss, highlight=layer.weight_hh_l0).paths
        == len(find_paths(loss, layer.weight_hh_l0))
    )
    marked = [line for line in drawn.dot().splitlines() if "penwidth=2.4" in line]
    assert len(marked) > 5
    assert not any("bias" in line or "invis" in line for line in marked)


@pytest.mark.parametrize(
    "other",
    [
        lambda: ramp(),
        lambda: ramp() * 2,
        lambda: tg.Tensor([1.0]),
        lambda: np.ones(2),
        lambda: "w",
        lambda: 0,
    ],
)
def test_a_value_outside_the_graph_cannot_be_highlighted(other):
    with pytest.raises(
        ValueError,
        match=r"^graph: argument highlight: expected a Tensor with gradients in this graph, "
        r"got .*; pass a parameter",
    ):
        graph((ramp() * 2).sum(), highlight=other())


def test_a_constant_cannot_be_highlighted():
    x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], name="x")
    with pytest.raises(ValueError, match="argument highlight"):
        graph((ramp() * x).sum(), highlight=x)


def test_each_call_of_a_module_has_its_own_scope():
    gru, x = tg.nn.GRU(3, 2, rng=0), np.ones((2, 1, 3), np.float32)
    first, state = gru(x)
    drawn = graph((first * gru(x, state)[0]).sum())
    assert {plain_scope(v.scope)[0] for v in drawn.nodes if v.kind == "op" and v.scope} == {
        "gru",
        "gru, call 2",
    }
    assert Counter(
        plain_scope(v.scope)[:3] for v in drawn.nodes if v.name == "h₁" and v.kind == "op"
    ) == Counter([("gru", "layer 0", 1), ("gru, call 2", "layer 0", 1)])
    folded = graph((first * gru(x, state)[0]).sum(), fold="gru")
    assert [v.name for v in folded.nodes if v.kind == "fold"] == ["gru", "gru, call 2"]


def test_a_cell_called_in_a_loop_of_ones_own_is_drawn_like_a_scan():
    cell, h = tg.nn.GRUCell(3, 2, rng=0), tg.Tensor(np.zeros((1, 2), np.float32))
    for x in np.ones((3, 1, 3), np.float32):
        _, h = cell(x, h)
    drawn = graph(h.sum())
    assert drawn.data()["steps"] == [0, 1, 2]
    titles = [str(part) for v in drawn.nodes for part in v.scope if part.kind == "module"]
    assert list(dict.fromkeys(titles)) == ["grucell", "grucell, call 2", "grucell, call 3"]
    folded = [v for v in graph(h.sum(), fold="step").nodes if v.kind == "fold"]
    assert [v.name for v in folded] == ["h₀", "h₁", "h₂"]
    assert len({v.ops for v in folded}) == 1


def test_two_scans_in_one_scope_are_two_loops():
    w, x = ramp((2,)), tg.Tensor(np.ones((3, 2)))

    def cell(x, h):
        h = tg.tanh(w * h + x)
        h.name = "h"
        return h, h

    outputs, _ = tg.scan(cell, x, tg.Tensor(np.zeros(2)))
    _, h = tg.scan(cell, outputs, tg.Tensor(np.zeros(2)))
    scopes = {
        plain_scope(v.scope) for v in graph(h.sum()).nodes if v.name == "h₂" and v.kind == "op"
    }
    assert {scope[: scope.index(2) + 1] for scope in scopes} == {(2,), ("loop, scan 2", 2)}
    assert sum(v.name == "hₜ" for v in graph(h.sum(), roll=True).nodes) == 2


def test_rolled_and_folded_a_gate_takes_its_input_at_t():
    gru = tg.nn.GRU(3, 2, rng=0)
    loss = gru(np.ones((4, 1, 3), np.float32))[0].sum()
    folds = [v.text for v in graph(loss, roll=True, fold="names").nodes if v.kind == "fold"]
    assert folds == [
        "σ(hₜ₋₁ @ U_rᵀ + x_r[t])",
        "σ(hₜ₋₁ @ U_zᵀ + x_z[t])",
        "tanh(x_n[t] + rₜ ⊙ (hₜ₋₁ @ U_nᵀ + b_hn))",
    ]


def test_time_steps_that_are_not_consecutive():
    w, h = ramp((2,)), tg.Tensor(np.zeros(2), name="h")
    for t in (10, 20, 30, 40):
        with tg.scope(t):
            h = tg.tanh(h * w + t)
            h.name = "h"
    assert "h₁₀ = tanh(h ⊙ w + 10)" in graph(h).text()  # there is no h₉
    rolled = graph(h, roll=True)
    assert [e.lag for e in rolled.edges if e.lag] == [1]
    assert "· + …" in [v.text for v in rolled.nodes]  # what differs from step to step is left open


def test_two_modules_of_one_name_are_not_two_calls_of_one():
    a, b = tg.nn.GRUCell(3, 2, rng=0), tg.nn.GRUCell(2, 2, rng=1)

    def cell(x, state):
        first, h = a(x, state[0])
        second, k = b(first, state[1])
        return second, (h, k)

    zeros = tg.Tensor(np.zeros((1, 2), np.float32))
    output, _ = tg.scan(cell, tg.Tensor(np.ones((2, 1, 3), np.float32)), (zeros, zeros))
    scopes = {
        part
        for v in graph(output).nodes
        for part in plain_scope(v.scope)
        if isinstance(part, str) and "grucell" in part
    }
    assert scopes == {"grucell", "grucell (2)"}
    flow = tg.bptt.flow(output.sum())
    assert set(flow.gradients) == {"grucell / h", "grucell (2) / h"}
    assert set(flow.values) >= {
        f"{cell} / {name}" for cell in ("grucell", "grucell (2)") for name in "rznh"
    }


def test_two_states_that_start_from_one_tensor_each_start_from_it():
    def cell(x, state):
        h, c = state
        c = c * x
        h = tg.tanh(h + c)
        h.name, c.name = "h", "c"
        return h, (h, c)

    w, z = ramp((2,)), tg.Tensor(np.zeros(2), name="z")
    _, (h, _) = tg.scan(cell, w * np.ones((4, 2)), (z, z))
    rolled = graph(h.sum(), roll=True)
    nodes = by_id(rolled)
    (start,) = [v.id for v in rolled.nodes if v.name == "z"]
    into = [
        (nodes[e.target].kind, nodes[e.target].name, e.when)
        for e in rolled.edges
        if e.source == start
    ]
    assert sorted(into) == [("state", "cₜ₋₁", "at first"), ("state", "hₜ₋₁", "at first")]


def test_a_square_keeps_both_its_edges_in_every_view():
    for view in ({}, {"steps": "first:1,last:1"}, {"roll": True}):
        drawn = graph(layer_loss("RNN", 4), **view)
        (square,) = [v.id for v in drawn.nodes if v.kind == "op" and v.text == "⊙" and not v.name]
        assert len([e for e in drawn.edges if e.target == square]) == 2


def test_a_folded_time_step_stays_in_its_place():
    drawn = graph(layer_loss("LSTM", 80), fold=3)
    boxes = [v for v in drawn.nodes if v.kind == "fold" and v.scope]
    assert [plain_scope(v.scope)[-1] for v in boxes] == list(range(80))
    assert len(drawn.nodes) < 120
    assert len(drawn.svg()) > 1000  # and is laid out in no time, for time goes to the right
    ends = graph(layer_loss("LSTM", 80), steps="first:3,last:2", fold=3)
    assert next(v.text for v in ends.nodes if v.kind == "steps") == "t = 3 … 77"


def test_folded_names_are_folded_further_by_steps_if_there_are_too_many():
    drawn = graph(layer_loss("LSTM", 80), fold="names")
    assert len(drawn.nodes) < 100
    assert 'drawn with steps="first:2,last:1"' in drawn.notes[-1]


def test_folding_by_names_without_names_changes_nothing():
    with tg.scope("q"):
        y = ramp() * ramp(name="v")
        y.name = "y"
    assert len(graph(y, fold="names").nodes) == 3


def test_gradients_of_another_loss_are_not_shown():
    w = ramp((2,))
    h = tg.tanh(w * 2)
    first, second = (h * h).sum(), (h * h * h).sum()
    first.backward(retain_graph=True, retain_grads=True)
    assert graph(first).status == "backward done"
    assert "∂ —" not in graph(first, show="grad").dot()
    drawn = graph(second, show="grad")
    assert drawn.status == "forward only"
    assert set(re.findall("∂ [^<]*", drawn.dot())) == {"∂ —"}
    second.backward()
    assert graph(second).status == "backward done"


class Reader(tg.nn.Module):
    """A language model as people write it."""

    def __init__(self):
        super().__init__()
        self.embedding = tg.nn.Embedding(20, 8, rng=0)
        self.gru = tg.nn.GRU(8, 16, rng=1)
        self.output = tg.nn.Linear(16, 20, rng=2)

    def forward(self, x):
        return self.output(self.gru(self.embedding(x))[0])


@pytest.mark.parametrize(
    "view",
    [{"roll": True}, {"parameters": "chips"}, {"parameters": "hide", "fold": "names"}],
    ids=str,
)
def test_an_op_with_data_inputs_is_not_hidden_with_the_parameters(view):
    """An embedding has only parameters and integers as inputs, but the network computes it."""
    loss = functional.cross_entropy(
        Reader()(np.arange(200).reshape(100, 2) % 20), np.zeros((100, 2), int)
    )
    loss.name = "loss"
    drawn = graph(loss, **view)
    ops = [node for node in drawn.nodes if node.kind in ("op", "fold")]
    assert any("embedding" in plain_scope(node.scope) for node in ops)
    assert {"x_r", "x_z", "x_n"} <= {node.name for node in ops}
    assert all(
        100 not in shape
        for node in drawn.nodes
        if node.kind == "parameter"
        for shape in node.shapes
    )
    if "roll" in view:
        assert len(drawn.nodes) <= 40
        assert {"rₜ", "zₜ", "nₜ", "hₜ", "hₜ₋₁", "loss"} <= set(names(drawn))


def test_constant_data_is_not_drawn_as_a_parameter():
    output, _ = tg.nn.RNN(3, 2, rng=0)(np.ones((5, 1, 3), np.float32))
    drawn = graph(output, parameters="chips")
    assert [
        node.kind for node in drawn.nodes if node.kind != "parameter" and (5, 1, 2) in node.shapes
    ] == ["op", "op"]
    assert all((5, 1, 2) not in node.shapes for node in drawn.nodes if node.kind == "parameter")


def test_an_op_that_computes_is_not_part_of_a_parameter():
    w = ramp()
    with tg.scope("layer"):
        y = tg.tanh(tg.tanh(w @ w) * w[0])
    drawn = graph(y.sum(), parameters="chips")
    assert [node.text for node in drawn.nodes if node.kind == "op"] == [
        "@",
        "tanh",
        "⊙",
        "tanh",
        "Σ",
    ]
    assert [node.text for node in drawn.nodes if node.kind == "parameter"] == ["", "", "w[0]"]


def second_order(steps, w):
    """hₜ = tanh(hₜ₋₁ @ W + hₜ₋₂), from two constants named h."""
    states = [ramp((1, 2), "h", grad=False), ramp((1, 2), "h", grad=False)]
    for t in range(steps):
        with tg.scope(t):
            h = tg.tanh(states[-1] @ w + states[-2])
            h.name = "h"
        states.append(h)
    return h.sum()


def test_first_states_of_a_second_order_recurrence_are_those_of_the_two_steps_before():
    lines = graph(second_order(4, ramp(name="W"))).text().splitlines()
    written = [
        line.split("(1, 2)")[0].split("  h")[-1].strip() for line in lines if " = tanh" in line
    ]
    assert written == [
        "₀ = tanh(h₋₁ @ W + h₋₂)",
        "₁ = tanh(h₀ @ W + h₋₁)",
        "₂ = tanh(h₁ @ W + h₀)",
        "₃ = tanh(h₂ @ W + h₁)",
    ]


def test_a_second_order_recurrence_is_rolled_up_with_a_place_for_each_state():
    drawn = graph(second_order(5, ramp(name="W")), roll=True)
    nodes = by_id(drawn)
    ends = sorted(
        (nodes[e.source].name or nodes[e.source].text, nodes[e.target].name or nodes[e.target].text)
        for e in drawn.edges
    )
    inside = [
        ("+", "hₜ"),
        ("@", "+"),
        ("W", "@"),
        ("hₜ", "hₜ₋₁"),
        ("hₜ", "hₜ₋₂"),
        ("hₜ", "Σ"),
        ("hₜ₋₁", "@"),
        ("hₜ₋₂", "+"),
    ]
    assert ends == sorted([*inside, ("h₋₁", "hₜ₋₁"), ("h₋₁", "hₜ₋₂")])
    assert {e.when for e in drawn.edges if nodes[e.source].name == "h₋₁"} == {"at first"}
    assert sorted(e.lag for e in drawn.edges if e.lag) == [1, 2]


def test_an_input_with_the_name_of_the_state_has_its_own_step():
    w = ramp(name="w")

    def cell(x, h):
        y = tg.tanh(x + h @ w)
        x.name = y.name = "h"
        return y, y

    _, h = tg.scan(cell, tg.Tensor(np.ones((4, 1, 2))), tg.Tensor(np.zeros((1, 2)), name="h"))
    lines = graph(h.sum()).text().splitlines()
    assert [line.split("=")[1].split(")")[0].strip() for line in lines if " = tanh" in line] == [
        "tanh(h₀ + h₋₁ @ w",
        *(f"tanh(h{'₀₁₂₃'[t]} + h{'₀₁₂₃'[t - 1]}⁽²⁾ @ w" for t in (1, 2, 3)),
    ]
    assert [node.name for node in graph(h.sum()).nodes if node.kind == "input"] == [
        "h₀",
        "h₁",
        "h₂",
        "h₃",
    ]


def decoder(steps):
    """A cell in a module, that reads its own output, as a decoder does."""
    w, v = ramp(name="W"), ramp(name="V")
    y = ramp((1, 2), "y", grad=False)
    for t in range(steps):
        with tg.scope("decoder", t):
            with tg.scope("cell"):
                a, b = y @ w, y * v[0]
            y = tg.softmax(a + b)
            y.name = "y"
    return y.sum()


def test_what_a_decoder_reads_first_enters_at_the_place_of_its_output():
    drawn = graph(decoder(4), roll=True)
    nodes = by_id(drawn)
    assert Counter(node.kind for node in drawn.nodes)["input"] == 0
    (place,) = [node for node in drawn.nodes if node.kind == "state"]
    assert place.name == "yₜ₋₁"
    assert sorted(nodes[e.target].text for e in drawn.edges if e.source == place.id) == ["@", "⊙"]


def test_two_results_of_one_name_in_one_step_are_told_apart_as_in_the_text():
    output, _ = tg.nn.GRU(3, 4, rng=0)(np.ones((4, 3, 3), np.float32), lengths=[4, 1, 2])
    drawn = graph(output.sum(), fold="names", parameters="hide")
    found = [
        node.name for node in drawn.nodes if node.name.startswith("h₁") and node.kind != "state"
    ]
    assert found == ["h₁", "h₁⁽²⁾"]
    assert "h₁⁽²⁾ = where(" in drawn.text()
    assert {"hₜ", "hₜ⁽²⁾", "hₜ₋₁⁽²⁾"} <= set(names(graph(output.sum(), roll=True)))
    layers = graph(layer_loss("RNN", 3, 2))
    assert not any("⁽" in name for name in names(layers)), "scopes tell layers apart"


def test_a_loop_in_a_time_step_is_not_rolled_up_with_the_outer_one():
    w, total = ramp(name="W"), tg.Tensor(0.0)
    for t in range(3):
        with tg.scope(t):
            h = ramp((1, 2), "h", grad=False)
            for k in range(2):
                with tg.scope(k):
                    h = tg.tanh(h @ w)
                    h.name = "h"
            total = total + h.sum()
    drawn = graph(total, roll=True)
    assert [
        (node.name, plain_scope(node.scope)[1]) for node in drawn.nodes if node.text == "tanh"
    ] == [("h₀", 0), ("h₁", 1)]
    assert [node.name for node in drawn.nodes if node.kind == "input"] == ["h₋₁"]
    assert "inside of a time step" in drawn.notes[-1]
    assert [e.lag for e in drawn.edges if e.lag] == [1]


@pytest.mark.parametrize("fold", [1, "linear"])
def test_a_named_input_stays_outside_of_the_box_that_uses_it(fold):
    x = tg.Tensor(np.ones((1, 3), np.float32), name="x")
    loss = (tg.nn.Linear(3, 2, rng=0)(x) ** 2).sum()
    drawn = graph(loss, fold=fold)
    assert [(node.kind, node.name, plain_scope(node.scope)) for node in drawn.nodes][:4] == [
        *[
            ("input", "x", ()),
            ("parameter", "weight", ()),
            ("parameter", "bias", ()),
            ("fold", "linear", ()),
        ]
    ]
    assert ("x", "linear") in {
        tuple(by_id(drawn)[end].name for end in (e.source, e.target)) for e in drawn.edges
    }


def test_inputs_of_the_steps_of_a_loop_are_inside_of_its_box():
    w = ramp(name="W")

    def cell(x, h):
        x.name = "x"
        return rnn_cell(x, h, w)

    with tg.scope("walk"):
        h = scan_loss(cell)
    drawn = graph(h, fold="walk")
    assert sorted(node.name for node in drawn.nodes) == ["W", "walk"]
    with tg.scope("walk"):
        h = scan_loss(lambda x, h: tg.scope("inner")(cell)(x, h))
    assert names(graph(h, fold="inner")).count("inner") == 4
    assert {"x₀", "x₁", "x₂", "x₃"} <= set(names(graph(h, fold="inner")))
