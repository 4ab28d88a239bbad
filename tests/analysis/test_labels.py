"""Labels say whose a parameter is, and are the same in text, playback and picture."""

import pickle
import re

import numpy as np
import pytest
from helpers import leaf_with
from internals import label_values, toposort

import tinygrad_rnn as tg

X = np.ones((3, 2, 4), np.float32)


class Stack(tg.nn.Module):
    """Modules that run one after the other."""

    def __init__(self, **parts):
        super().__init__()
        self.order = list(parts)
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        for name in self.order:
            x = getattr(self, name)(x)
            x = x[0] if isinstance(x, tuple) else x
        return x


def linear():
    return tg.nn.Linear(4, 4, rng=0)


def coder():
    return Stack(rnn=tg.nn.RNN(4, 4, rng=0), fc=linear())


def list_parameters(output):
    """Return the labels of the parameters, as the text form lists them."""
    head = tg.graph(output).text().split("\n\n")[0]
    return re.split(r" \([\d, ]*\)(?:,\s+|$)", head.removeprefix("parameters: "))[:-1]


MODELS = {
    "two layers": lambda: Stack(fc1=linear(), fc2=linear()),
    "a Sequential": lambda: tg.nn.Sequential(linear(), tg.tanh, linear()),
    "nested": lambda: Stack(encoder=coder(), decoder=coder()),
    "two LSTMs": lambda: Stack(low=tg.nn.LSTM(4, 4, 2, rng=0), high=tg.nn.LSTM(4, 4, rng=0)),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_shared_names_are_those_of_named_parameters(model):
    net = model()
    output = net(X).sum()
    expected, found = dict(net.named_parameters()), label_values(toposort(output)[::-1])
    names = [p.name for p in expected.values()]
    for name, p in expected.items():
        assert found[p] == (name if names.count(p.name) > 1 else p.name)
    assert list_parameters(output) == [found[p] for p in found if p.requires_grad and not p.node]
    vertices = {v.name for v in tg.graph(output, fold=()).nodes if v.kind == "parameter"}
    assert vertices == {found[p] for p in expected.values()}
    spoken = {c.label for step in tg.backward_steps(output) for c in step.contributions}
    assert vertices <= spoken


def test_one_layer_has_short_names():
    assert list_parameters(Stack(fc1=linear())(X).sum()) == ["weight", "bias"]


def test_a_penalty_and_a_second_call_leave_the_names():
    net = Stack(fc1=linear(), fc2=linear())
    penalty = sum(((p * p).sum() for p in net.parameters()), start=leaf_with(0.0, "start") * 1)
    output = penalty + net(net(X)).sum()
    names = [f"fc{i}.{name}" for i in (1, 2) for name in ("weight", "bias")]
    assert sorted(list_parameters(output)) == sorted(["start", *names])


def test_a_tied_weight_has_the_name_of_its_first_module():
    net = Stack(fc1=linear(), fc2=linear(), fc3=linear())
    net.fc3.weight = net.fc1.weight
    names = list_parameters(net(X).sum())
    assert names == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "fc3.bias"]


def test_a_frozen_weight_has_the_name_of_its_module():
    net = Stack(fc1=linear(), fc2=linear())
    net.fc2.weight.requires_grad = False
    text = tg.graph(net(X).sum()).text()
    assert "@ fc2.weightᵀ + fc2.bias" in text
    assert "fc1.weight (4, 4)" in text


def test_modules_outside_of_a_module_and_scopes_tell_weights_apart():
    first, second = linear(), linear()
    assert list_parameters(second(first(X)).sum()) == [
        "linear.weight",
        "linear.bias",
        "linear (2).weight",
        "linear (2).bias",
    ]
    with tg.scope("left"):
        a = leaf_with([1.0], "W") * 2
    with tg.scope("right"):
        b = leaf_with([1.0], "W") * 2
    assert list_parameters(a + b) == ["left.W", "right.W"]


def test_without_a_place_to_tell_them_apart_names_are_numbered():
    assert list_parameters(leaf_with([1.0], "W") * leaf_with([1.0], "W")) == ["W", "W⁽²⁾"]


def test_text_and_playback_use_the_same_numbers():
    w, x = leaf_with(2.0, "w"), leaf_with(3.0, "x")
    shared = tg.sigmoid(w * x)
    loss = (shared - 1) ** 2 + shared
    labels = label_values(toposort(loss)[::-1], numbered=True)
    assert [labels[value] for value in reversed(toposort(loss))] == ["#1", "#2", "#3", "#4", "#5"]
    assert tg.graph(loss).text(shapes=False).splitlines()[-2:] == [
        "   2  #2 = σ(w ⊙ x)",
        "   5  #5 = (#2 − 1) ** 2 + #2",
    ]
    steps = list(tg.backward_steps(loss))
    assert [s.equation.partition(" = ")[0] for s in steps] == ["#5", "#4", "#3", "#2", "#1"]
    assert steps[1].contributions[0].label == "#3"


# -- names of gradients ----------------------------------------------------------------------------


def recurrence(steps=4):
    """Return the last state of a loop, all its states, and its weight."""
    u, states = leaf_with(0.5, "U"), []

    def cell(x, h):
        h = tg.tanh(u * h + x)
        h.name = "h"
        states.append(h)
        return h, h

    _, h = tg.scan(cell, tg.Tensor(np.arange(float(steps))), tg.Tensor(np.float64(0.0)))
    return h, states, u


def test_gradients_have_the_name_and_the_step_of_their_value():
    h, states, u = recurrence()
    gradients = tg.grad(h, [*states[:-1], u], create_graph=True)
    total = sum((g * g for g in gradients), start=gradients[0] * 0)
    labels = label_values(toposort(total)[::-1])
    assert [labels[g] for g in gradients] == ["∂h₀", "∂h₁", "∂h₂", "∂U"]
    assert [g.name for g in gradients] == ["∂h", "∂h", "∂h", "∂U"]
    names = [v.name for v in tg.graph(total, fold=()).nodes if v.kind == "op"]
    assert [name for name in names if "∂" in name] == ["∂h₂", "∂h₁", "∂h₀", "∂U"]
    for options in ({"fold": "names"}, {"roll": True}, {"steps": "first:1,last:1"}):
        shown = [v.name for v in tg.graph(total, **options).nodes]
        assert not [name for name in shown if re.match("∂U[₀-₉]", name)]


def test_the_gradient_of_a_weight_says_whose_it_is():
    net = Stack(fc1=linear(), fc2=linear())
    gradients = tg.grad(tg.tanh(net(X)).sum(), list(net.parameters()), create_graph=True)
    total = sum(((g * g).sum() for g in gradients), start=leaf_with(0.0, "start") * 1)
    labels = label_values(toposort(total)[::-1])
    assert [labels[g] for g in gradients] == [f"∂{name}" for name, _ in net.named_parameters()]


def test_a_name_that_the_program_gave_to_a_gradient_has_no_step():
    h, _, u = recurrence()
    g = tg.grad(h, u, create_graph=True)
    g.name = "slope"
    assert label_values(toposort(g * g)[::-1])[g] == "slope"


def test_the_gradient_that_a_pass_starts_from_has_no_name():
    w, seed = leaf_with([1.0, 2.0], "w"), leaf_with([3.0, 4.0])
    y = w + 1
    y.name = "y"
    g = tg.grad(y, w, grad_output=seed, create_graph=True)
    assert seed.name is None
    assert g.name in (None, "∂y", "∂w")


def test_a_copy_of_a_gradient_keeps_the_text_of_its_name():
    h, _, u = recurrence()
    g = tg.grad(h, u, create_graph=True).detach()
    copied = pickle.loads(pickle.dumps(g))
    assert (g.name, copied.name, type(copied.name)) == ("∂U", "∂U", str)
    del h, u
    assert label_values(toposort(leaf_with(1.0, "w") * g)[::-1])[g] == "∂U"


# -- names of inputs -------------------------------------------------------------------------------


def list_inputs(layer, *arguments, **options):
    nodes = tg.graph(layer(*arguments, **options)[0].sum()).nodes
    return {v.name for v in nodes if v.kind in ("input", "state") and v.values[0].node is None}


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_first": True},
        {"bidirectional": True},
        {"num_layers": 2},
        {"input_dropout": 0.3},
        {"zoneout": 0.3},
    ],
)
def test_an_input_keeps_its_name(kind, options):
    layer = getattr(tg.nn, kind)(4, 2, rng=0, **options)
    for lengths in (None, [3, 2]):
        x = tg.Tensor(X.swapaxes(0, 1) if layer.batch_first else X, name="x")
        assert "x" in list_inputs(layer, x, lengths=lengths)


def test_an_initial_state_keeps_its_name():
    layer, h = tg.nn.GRU(4, 2, rng=0), tg.Tensor(np.ones((1, 2, 2), np.float32), name="start")
    x = tg.Tensor(X, name="x")
    assert list_inputs(layer, x, h) == {"x", "start"}
    assert list_inputs(layer, x, h, lengths=[3, 1]) == {"x", "start"}


# -- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "written"),
    [
        (lambda v: v.transpose(2, 1, 0), "vᵀ"),
        (lambda v: v.transpose(0, 2, 1), "vᵀ [axes=(0, 2, 1)]"),
        (lambda v: tg.grad((v[1:] ** 2).sum() + (v[:, 0] ** 2).sum(), v, create_graph=True), None),
    ],
)
def test_settings_say_no_more_than_the_formula(build, written):
    text = tg.graph(build(leaf_with(np.ones((2, 3, 4)), "v")) * 1).text(shapes=False)
    if written is None:
        assert "indices=[:, 0; 1:]" in text
    else:
        assert f"= {written} ⊙ 1" in text
