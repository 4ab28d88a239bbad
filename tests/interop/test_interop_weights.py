"""Weights of other libraries: exact round trips, and the outputs that the libraries compute."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from conversions import BARE, KINDS, assert_same_dicts, has_same_bits, run_node
from internals import network as mathmath

from tinygrad_rnn import interop, nn

FIXTURES = Path(__file__).parents[1] / "fixtures"
with np.load(FIXTURES / "keras.npz") as file:
    KERAS = {
        name: {
            field.removeprefix(f"{name}/"): file[field]
            for field in file.files
            if field.startswith(f"{name}/")
        }
        for name in file["cases"].tolist()
    }
with np.load(FIXTURES / "recurrent.npz") as file:
    PYTORCH = {
        name: file[name]
        for name in (
            "gru_2layers_bidirectional_state",
            "lstm_2layers",
            "rnn_tanh_1layer_bidirectional",
        )
    }


def arrays_of(case, prefix):
    """Return the numbered arrays of a case of Keras in a list."""
    count = sum(field.startswith(f"{prefix}/") for field in case)
    return [case[f"{prefix}/{i}"] for i in range(count)]


def make_layer(kind, *sizes, rng=0, **settings):
    """Return a layer of one of the KINDS, and the setting that names its form.

    Its biases are random, with negative zeros among them.
    """
    cls, form = KINDS[kind]
    layer = cls(*sizes, rng=rng, **settings, **form)
    for name, parameter in layer.named_parameters():
        if name.startswith("bias"):
            parameter.data = np.where(
                np.arange(parameter.size) % 3 == 0, np.float32(-0.0), parameter.data
            )
    return layer, form


def without_second_bias(layer):
    """Return the state dict with zeros as bias_hh, as a format with one bias returns it."""
    return {
        name: np.zeros_like(array) if "bias_hh" in name else array
        for name, array in layer.state_dict().items()
    }


# -- Keras -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KERAS)
def test_weights_of_keras_give_its_recorded_outputs_and_states(name):
    case = KERAS[name]
    settings = json.loads(str(case["settings"]))
    kind = name.removesuffix("_no_bias").removesuffix("_bidirectional")
    cls, form = KINDS[kind]
    options = {
        "bias": settings["use_bias"],
        "bidirectional": settings["bidirectional"],
        "batch_first": True,
    }
    layer = cls(3, 2, **options, **form)
    layer.load_state_dict(interop.from_keras(arrays_of(case, "weights"), **form))
    directions = 1 + settings["bidirectional"]
    # Keras keeps the states (h, c) of one direction together; we keep h of all directions together
    initial, final = (
        [
            np.stack(states[letter :: len(states) // directions])
            for letter in range(len(states) // directions)
        ]
        for states in (arrays_of(case, "initial"), arrays_of(case, "final"))
    )
    output, ends = layer(case["x"], tuple(initial) if kind == "lstm" else initial[0])
    np.testing.assert_allclose(output.data, case["output"], atol=2e-6)
    for end, expected in zip(ends if kind == "lstm" else [ends], final, strict=True):
        np.testing.assert_allclose(end.data, expected, atol=2e-6)


@pytest.mark.parametrize("name", KERAS)
def test_weights_of_keras_come_back_bit_for_bit(name):
    weights = arrays_of(KERAS[name], "weights")
    form = KINDS[name.removesuffix("_no_bias").removesuffix("_bidirectional")][1]
    again = interop.to_keras(interop.from_keras(weights, layer=2, **form), layer=2, **form)
    assert len(again) == len(weights)
    assert all(has_same_bits(a, b) for a, b in zip(weights, again, strict=True))


@pytest.mark.parametrize(
    ("kind", "bidirectional", "bias"), [*product(KINDS, (False, True), (False, True))]
)
def test_our_weights_come_back_from_keras_bit_for_bit(kind, bidirectional, bias):
    layer, form = make_layer(kind, 3, 2, 2, bidirectional=bidirectional, bias=bias)
    state = layer.state_dict() if kind == "gru_after" else without_second_bias(layer)
    again = {}
    for k in range(2):
        again |= interop.from_keras(interop.to_keras(state, layer=k, **form), layer=k, **form)
    assert_same_dicts(again, state)


MERGING = {  # conversions to a format with one bias: from it, to it, and their settings
    "keras": (interop.from_keras, interop.to_keras, {}),
    "d2l": (interop.from_d2l, interop.to_d2l, BARE),
    "tutorial": (interop.from_tutorial, interop.to_tutorial, BARE),
}


@pytest.mark.parametrize("source", MERGING)
@pytest.mark.parametrize("kind", ["rnn", "gru_before", "lstm"])
def test_two_biases_are_merged_only_on_request(kind, source):
    if source == "tutorial" and kind != "gru_before":
        return
    convert_from, convert_to, options = MERGING[source]
    layer, form = make_layer(kind, 3, 2)
    options = form | options
    other = type(layer)(3, 2, **form)
    expected = "expected a bias_hh of zeros, .*; pass merge_biases=True"
    with pytest.raises(ValueError, match=f"{convert_to.__name__}: argument state: {expected}"):
        convert_to(layer.state_dict(), **options)
    merged = convert_to(layer.state_dict(), merge_biases=True, **options)
    other.load_state_dict(convert_from(merged, **options))
    assert not other.bias_hh_l0.data.any()
    again = convert_from(convert_to(other.state_dict(), **options), **options)
    assert_same_dicts(again, other.state_dict())
    x = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)
    assert layer.bias_hh_l0.data.any()
    np.testing.assert_allclose(other(x)[0].data, layer(x)[0].data, atol=1e-6)


# -- PyTorch ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PYTORCH)
def test_weights_of_pytorch_are_ours(name):
    case = PYTORCH[name]
    weights = {
        field.removeprefix("param/"): case[field]
        for field in case.dtype.names
        if field.startswith("param/")
    }
    state = interop.from_pytorch(weights)
    assert_same_dicts(state, weights)
    assert_same_dicts(interop.to_pytorch(state), weights)
    settings = json.loads(str(case["settings"]))
    layer = getattr(nn, str(case["class"]))(3, 2, **settings).astype(np.float64)
    layer.load_state_dict(state)
    output, _ = layer(case["x"], case["h_0"] if "h_0" in case.dtype.names else None)
    np.testing.assert_allclose(output.data, case["output"], rtol=1e-10, atol=1e-10)


def test_whole_models_of_pytorch_are_copied():
    weights = {
        "encoder.weight_ih_l0": np.ones((6, 3)),
        "encoder.weight_hh_l0": np.ones((6, 2)),
        "norm.weight": np.ones(4),
        "steps": np.array(3),
    }
    state = interop.from_pytorch(weights)
    assert_same_dicts(state, weights)
    state["norm.weight"][0] = 5
    assert weights["norm.weight"][0] == 1


# -- ONNX ------------------------------------------------------------------------------------------

OPERATORS = {"rnn": "RNN", "gru_after": "GRU", "gru_before": "GRU", "lstm": "LSTM"}


def onnx_form(kind):
    """Return the settings that name the form on both sides."""
    form = KINDS[kind][1]
    return {**form, "linear_before_reset": int(form["reset"] == "after")} if form else {}


@pytest.mark.parametrize(("kind", "directions", "bias"), [*product(KINDS, (1, 2), (True, False))])
def test_weights_of_an_onnx_node_give_what_onnxruntime_gives(kind, directions, bias):
    rng = np.random.default_rng(0)
    gates = {"rnn": 1, "lstm": 4}.get(kind, 3)

    def normal(*shape):
        return rng.normal(size=shape).astype(np.float32)

    weights = {"W": normal(directions, gates * 2, 3), "R": normal(directions, gates * 2, 2)}
    weights |= {"B": normal(directions, 2 * gates * 2)} if bias else {}
    x, initial = normal(5, 4, 3), [normal(directions, 4, 2) for _ in range(1 + (kind == "lstm"))]
    cls, form = KINDS[kind]
    layer = cls(3, 2, bidirectional=directions == 2, bias=bias, **form)
    layer.load_state_dict(interop.from_onnx_weights(weights, **onnx_form(kind)))
    output, final = layer(x, tuple(initial) if kind == "lstm" else initial[0])
    feeds = {"X": x, **weights, **dict(zip(("initial_h", "initial_c"), initial, strict=False))}
    attributes = {"direction": "bidirectional" if directions == 2 else "forward"}
    if form:
        attributes["linear_before_reset"] = onnx_form(kind)["linear_before_reset"]
    Y, *ends = run_node(OPERATORS[kind], feeds, **attributes)
    np.testing.assert_allclose(output.data, np.moveaxis(Y, 1, 2).reshape(5, 4, -1), atol=1e-5)
    for end, expected in zip(final if kind == "lstm" else [final], ends, strict=True):
        np.testing.assert_allclose(end.data, expected, atol=1e-5)
    assert_same_dicts(interop.to_onnx_weights(layer.state_dict(), **onnx_form(kind)), weights)


@pytest.mark.parametrize(
    ("kind", "bidirectional", "bias"), [*product(KINDS, (False, True), (False, True))]
)
def test_our_weights_come_back_from_onnx_bit_for_bit(kind, bidirectional, bias):
    layer, _ = make_layer(kind, 3, 2, 2, bidirectional=bidirectional, bias=bias)
    again = {}
    for k in range(2):
        node = interop.to_onnx_weights(layer.state_dict(), layer=k, **onnx_form(kind))
        again |= interop.from_onnx_weights(node, layer=k, **onnx_form(kind))
    assert_same_dicts(again, layer.state_dict())


# -- one matrix a gate -----------------------------------------------------------------------------


class Model(nn.Module):
    """A recurrent layer and a linear one, under the default names of conversions."""

    def __init__(self, recurrent, outputs):
        super().__init__()
        self.recurrent, self.output = recurrent, nn.Linear(recurrent.hidden_size, outputs, rng=1)

    def forward(self, x):
        hidden, state = self.recurrent(x)
        return self.output(hidden), state


def sigmoid(a):
    """Return the logistic function of an array."""
    return 1 / (1 + np.exp(-a))


def d2l_step(w, x, h, c):
    """Return h and c after one step, as the book computes them."""
    if "W_xz" in w:
        z, r = (sigmoid(x @ w[f"W_x{g}"] + h @ w[f"W_h{g}"] + w[f"b_{g}"]) for g in "zr")
        return z * h + (1 - z) * np.tanh(x @ w["W_xh"] + (r * h) @ w["W_hh"] + w["b_h"]), c
    if "W_xi" in w:
        i, f, o = (sigmoid(x @ w[f"W_x{g}"] + h @ w[f"W_h{g}"] + w[f"b_{g}"]) for g in "ifo")
        c = f * c + i * np.tanh(x @ w["W_xc"] + h @ w["W_hc"] + w["b_c"])
        return o * np.tanh(c), c
    return np.tanh(x @ w["W_xh"] + h @ w["W_hh"] + w["b_h"]), c


@pytest.mark.parametrize(
    ("kind", "letters"), [("rnn", "h"), ("gru_before", "zrh"), ("lstm", "ifoc")]
)
def test_weights_of_d2l_follow_its_equations_and_come_back(kind, letters):
    rng = np.random.default_rng(0)
    weights = {}
    for g in letters:
        weights |= {
            f"W_x{g}": rng.normal(size=(3, 2)),
            f"W_h{g}": rng.normal(size=(2, 2)),
            f"b_{g}": rng.normal(size=2),
        }
    weights |= {"W_hq": rng.normal(size=(2, 5)), "b_q": rng.normal(size=5)}
    cls, form = KINDS[kind]
    model = Model(cls(3, 2, **form), 5).astype(np.float64)
    model.load_state_dict(interop.from_d2l(weights, **form))
    x = rng.normal(size=(4, 3, 3))
    h = c = np.zeros((3, 2))
    logits = []
    for step in x:
        h, c = d2l_step(weights, step, h, c)
        logits.append(h @ weights["W_hq"] + weights["b_q"])
    np.testing.assert_allclose(model(x)[0].data, logits, rtol=1e-12, atol=1e-12)
    again = interop.to_d2l(model.state_dict(), **form)
    assert len(again) == {"rnn": 5, "gru_before": 11, "lstm": 14}[kind]
    assert again.keys() == weights.keys()
    assert all(has_same_bits(again[name], weights[name]) for name in weights)
    bare = interop.to_d2l(
        interop.from_d2l({n: w for n, w in weights.items() if not n.endswith("q")}, **form), **form
    )
    assert len(bare) == len(weights) - 2


def test_the_tutorials_eleven_matrices_give_its_recorded_states_and_come_back():
    lesson = mathmath.DATA
    weights = {name: np.array(numbers) for name, numbers in lesson["parameters"].items()}
    model = Model(nn.GRU(4, 2, reset="before"), 4).astype(np.float64)
    model.load_state_dict(interop.from_tutorial(weights, reset="before"))
    X, _ = mathmath.batches()
    expected = mathmath.MathMath()(X[0])
    logits, _ = model(X[0])
    np.testing.assert_allclose(
        logits.data, [step.logits.data for step in expected], rtol=1e-12, atol=1e-12
    )
    recorded = json.loads((FIXTURES / "mathmath.json").read_text())["float64"]["hidden_states"]
    np.testing.assert_allclose(model.recurrent(X[0])[0].data, recorded[:3], rtol=1e-12, atol=1e-12)
    again = interop.to_tutorial(model.state_dict(), reset="before")
    assert again.keys() == weights.keys()
    assert all(has_same_bits(again[name], weights[name]) for name in weights)
