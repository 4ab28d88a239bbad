"""Weights of other libraries: exact round trips, and outputs that they computed, recorded or run here."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from internals import network as mathmath
from onnx import TensorProto, helper

import tinygrad_rnn as tg
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

KINDS = {
    "rnn": (nn.RNN, {}),
    "gru_after": (nn.GRU, {"reset": "after"}),
    "gru_before": (nn.GRU, {"reset": "before"}),
    "lstm": (nn.LSTM, {}),
}


def listed(case, prefix):
    return [
        case[f"{prefix}/{i}"] for i in range(sum(field.startswith(f"{prefix}/") for field in case))
    ]


def same_bits(a, b):
    return (
        a.dtype == b.dtype
        and a.shape == b.shape
        and np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()
    )


def assert_same_dicts(a, b):
    assert a.keys() == b.keys()
    assert all(same_bits(a[name], b[name]) for name in a)


def layer_of(kind, *sizes, rng=0, **settings):
    """A layer of one of the KINDS with random biases, negative zeros among them, and what says its form."""
    cls, form = KINDS[kind]
    layer = cls(*sizes, rng=rng, **settings, **form)
    for name, parameter in layer.named_parameters():
        if name.startswith("bias"):
            parameter.data = np.where(
                np.arange(parameter.size) % 3 == 0, np.float32(-0.0), parameter.data
            )
    return layer, form


def without_second_bias(layer):
    """The state dict with all of each bias in bias_ih: what a format with one bias can give back."""
    return {
        name: np.zeros_like(array) if "bias_hh" in name else array
        for name, array in layer.state_dict().items()
    }


# -- Keras -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KERAS)
def test_keras_recorded_output_and_final_states(name):
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
    layer.load_state_dict(interop.from_keras(listed(case, "weights"), **form))
    directions = 1 + settings["bidirectional"]
    # Keras has the states of each direction together, ours has those of one letter together
    initial, final = (
        [
            np.stack(states[letter :: len(states) // directions])
            for letter in range(len(states) // directions)
        ]
        for states in (listed(case, "initial"), listed(case, "final"))
    )
    output, ends = layer(case["x"], tuple(initial) if kind == "lstm" else initial[0])
    np.testing.assert_allclose(output.data, case["output"], atol=2e-6)
    for end, expected in zip(ends if kind == "lstm" else [ends], final, strict=True):
        np.testing.assert_allclose(end.data, expected, atol=2e-6)


@pytest.mark.parametrize("name", KERAS)
def test_keras_there_and_back(name):
    weights = listed(KERAS[name], "weights")
    form = KINDS[name.removesuffix("_no_bias").removesuffix("_bidirectional")][1]
    again = interop.to_keras(interop.from_keras(weights, layer=2, **form), layer=2, **form)
    assert len(again) == len(weights)
    assert all(same_bits(a, b) for a, b in zip(weights, again, strict=True))


@pytest.mark.parametrize(
    ("kind", "bidirectional", "bias"), [*product(KINDS, (False, True), (False, True))]
)
def test_ours_to_keras_and_back(kind, bidirectional, bias):
    layer, form = layer_of(kind, 3, 2, 2, bidirectional=bidirectional, bias=bias)
    state = layer.state_dict() if kind == "gru_after" else without_second_bias(layer)
    again = {}
    for k in range(2):
        again |= interop.from_keras(interop.to_keras(state, layer=k, **form), layer=k, **form)
    assert_same_dicts(again, state)


BARE = {"prefixes": ("", "output.")}
MERGING = {
    "keras": (interop.from_keras, interop.to_keras, {}),
    "d2l": (interop.from_d2l, interop.to_d2l, BARE),
    "tutorial": (interop.from_tutorial, interop.to_tutorial, BARE),
}


@pytest.mark.parametrize("source", MERGING)
@pytest.mark.parametrize("kind", ["rnn", "gru_before", "lstm"])
def test_two_biases_become_one_only_if_that_is_asked_for(kind, source):
    if source == "tutorial" and kind != "gru_before":
        return
    back, there, options = MERGING[source]
    layer, form = layer_of(kind, 3, 2)
    other = type(layer)(3, 2, **form)
    with pytest.raises(
        ValueError,
        match=rf"{there.__name__}: argument state: expected bias_hh of zeros, .*; pass merge_biases=True",
    ):
        there(layer.state_dict(), **form, **options)
    other.load_state_dict(
        back(there(layer.state_dict(), merge_biases=True, **form, **options), **form, **options)
    )
    assert not other.bias_hh_l0.data.any()
    again = back(there(other.state_dict(), **form, **options), **form, **options)
    assert_same_dicts(again, other.state_dict())
    x = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)
    assert layer.bias_hh_l0.data.any()
    np.testing.assert_allclose(other(x)[0].data, layer(x)[0].data, atol=1e-6)


# -- PyTorch -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PYTORCH)
def test_pytorch_is_the_identity(name):
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


def test_pytorch_whole_models_pass_and_are_copied():
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


# -- ONNX --------------------------------------------------------------------------------------------

OPERATORS = {"rnn": "RNN", "gru_after": "GRU", "gru_before": "GRU", "lstm": "LSTM"}


def onnx_form(kind):
    """What says the form on both sides."""
    form = KINDS[kind][1]
    return {**form, "linear_before_reset": int(form["reset"] == "after")} if form else {}


def run_node(kind, weights, x, initial):
    """Y, Y_h and Y_c that onnxruntime computes with one node."""
    directions, hidden = weights["R"].shape[0], weights["R"].shape[2]
    letters = ["initial_h", "initial_c"][: len(initial)]
    outputs = ["Y", "Y_h", "Y_c"][: 1 + len(initial)]
    attributes = {
        "hidden_size": hidden,
        "direction": "bidirectional" if directions == 2 else "forward",
    }
    if OPERATORS[kind] == "GRU":
        attributes["linear_before_reset"] = onnx_form(kind)["linear_before_reset"]
    feeds = {"X": x, **weights, **dict(zip(letters, initial, strict=True))}
    node = helper.make_node(
        OPERATORS[kind],
        ["X", "W", "R", "B" if "B" in weights else "", "", *letters],
        outputs,
        **attributes,
    )
    graph = helper.make_graph(
        [node],
        "one",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape)
            for name, array in feeds.items()
        ],
        [
            helper.make_tensor_value_info(
                name, TensorProto.FLOAT, [None] * (4 if name == "Y" else 3)
            )
            for name in outputs
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)


@pytest.mark.parametrize(("kind", "directions", "bias"), [*product(KINDS, (1, 2), (True, False))])
def test_onnx_weights_of_a_node_that_onnxruntime_runs(kind, directions, bias):
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
    Y, *ends = run_node(kind, weights, x, initial)
    np.testing.assert_allclose(output.data, np.moveaxis(Y, 1, 2).reshape(5, 4, -1), atol=1e-5)
    for end, expected in zip(final if kind == "lstm" else [final], ends, strict=True):
        np.testing.assert_allclose(end.data, expected, atol=1e-5)
    assert_same_dicts(interop.to_onnx_weights(layer.state_dict(), **onnx_form(kind)), weights)


@pytest.mark.parametrize(
    ("kind", "bidirectional", "bias"), [*product(KINDS, (False, True), (False, True))]
)
def test_ours_to_onnx_and_back(kind, bidirectional, bias):
    layer, _ = layer_of(kind, 3, 2, 2, bidirectional=bidirectional, bias=bias)
    again = {}
    for k in range(2):
        node = interop.to_onnx_weights(layer.state_dict(), layer=k, **onnx_form(kind))
        again |= interop.from_onnx_weights(node, layer=k, **onnx_form(kind))
    assert_same_dicts(again, layer.state_dict())


# -- one matrix a gate -------------------------------------------------------------------------------


class Model(nn.Module):
    """A recurrent layer and a linear one, under the names that conversions give them unless told otherwise."""

    def __init__(self, recurrent, outputs):
        super().__init__()
        self.recurrent, self.output = recurrent, nn.Linear(recurrent.hidden_size, outputs, rng=1)

    def forward(self, x):
        hidden, state = self.recurrent(x)
        return self.output(hidden), state


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def d2l_step(w, x, h, c):
    """One step, as the book writes it."""
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
def test_d2l_equations_and_round_trip(kind, letters):
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
    assert all(same_bits(again[name], weights[name]) for name in weights)
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
    assert all(same_bits(again[name], weights[name]) for name in weights)


# -- what is refused ---------------------------------------------------------------------------------

GRU = nn.GRU(3, 2, rng=0).state_dict()
LSTM = nn.LSTM(3, 2, rng=0).state_dict()
DEEP = nn.GRU(3, 2, 2, rng=0).state_dict()
BOTH = nn.GRU(3, 2, bidirectional=True, rng=0).state_dict()
AFTER, BEFORE = (
    interop.to_keras(GRU, reset="after"),
    interop.to_keras(GRU, reset="before", merge_biases=True),
)
NODE = interop.to_onnx_weights(GRU, reset="after", linear_before_reset=1)
BOOK = interop.to_d2l(GRU, reset="before", merge_biases=True, **BARE)


def both_ways(forward, reverse):
    """The state dict of two layers as if they were the directions of one."""
    return {
        **forward.state_dict(),
        **{f"{name}_reverse": array for name, array in reverse.state_dict().items()},
    }


def one_after_another(first, second):
    """Keras's arrays of two layers as if they were the directions of one."""
    form = {"reset": "after"} if isinstance(first, nn.GRU) else {"merge_biases": True}
    return interop.to_keras(first.state_dict(), **form) + interop.to_keras(
        second.state_dict(), **form
    )


MISMATCHED = {
    "biases in one direction": (
        nn.GRU(3, 2),
        nn.GRU(3, 2, bias=False),
        "bias_ih_l0_reverse",
        r"none",
    ),
    "another I": (nn.GRU(3, 2), nn.GRU(5, 2), "weight_ih_l0_reverse", r"shape \(6, 5\)"),
    "another H": (nn.GRU(3, 2), nn.GRU(3, 4), "weight_hh_l0_reverse", r"shape \(12, 4\)"),
    "another kind": (nn.RNN(3, 2), nn.LSTM(3, 2), "weight_hh_l0_reverse", r"shape \(8, 2\)"),
}


@pytest.mark.parametrize(("forward", "reverse", "name", "got"), MISMATCHED.values(), ids=MISMATCHED)
def test_directions_of_two_layers_are_refused_by_every_conversion(forward, reverse, name, got):
    state, gru = both_ways(forward, reverse), isinstance(forward, nn.GRU)
    keras = {"reset": "after"} if gru else {}
    onnx_too = {"reset": "after", "linear_before_reset": 1} if gru else {}
    calls = {
        "to_keras": lambda: interop.to_keras(state, **keras),
        "to_onnx_weights": lambda: interop.to_onnx_weights(state, **onnx_too),
        "to_pytorch": lambda: interop.to_pytorch(state),
        "from_pytorch": lambda: interop.from_pytorch(state),
        "to_d2l": lambda: interop.to_d2l(state, **BARE),
    }
    for operation, call in calls.items():
        with pytest.raises(
            ValueError,
            match=rf"{operation}: argument {name}: expected .*, as in the forward direction, got {got}; give both",
        ):
            call()
    if "bias" not in name:
        with pytest.raises(
            ValueError,
            match=r"from_keras: argument weights\[[34]\]: expected shape .*, as in the forward direction",
        ):
            interop.from_keras(one_after_another(forward, reverse), **keras)


def test_a_layer_is_a_number():
    for call in (
        lambda: interop.from_keras(AFTER, reset="after", layer="0"),
        lambda: interop.to_keras(GRU, reset="after", layer="0"),
        lambda: interop.from_onnx_weights(NODE, reset="after", linear_before_reset=1, layer="0"),
        lambda: interop.to_onnx_weights(GRU, reset="after", linear_before_reset=1, layer="0"),
    ):
        with pytest.raises(
            TypeError,
            match=r"(from|to)_\w+: argument layer: expected an integer, at least 0, got str '0'",
        ):
            call()
    with pytest.raises(ValueError, match=r"to_keras: argument layer: .* got -1"):
        interop.to_keras(GRU, reset="after", layer=-1)


def test_numbers_in_another_byte_order_are_read_as_what_they_are():
    state = interop.from_pytorch({name: array.astype(">f4") for name, array in GRU.items()})
    assert_same_dicts(state, GRU)
    nn.GRU(3, 2).load_state_dict(state)


NOT = "cannot be converted into each other"

REFUSED = {
    "Keras after into before": (
        lambda: interop.from_keras(AFTER, reset="before"),
        ValueError,
        rf"from_keras: argument reset: .*\(2, 6\).*{NOT}",
    ),
    "Keras before into after": (
        lambda: interop.from_keras(BEFORE, reset="after"),
        ValueError,
        rf"from_keras: argument reset: .*\(6,\).*{NOT}",
    ),
    "Keras GRU of unnamed form": (
        lambda: interop.from_keras(AFTER),
        ValueError,
        "from_keras: argument reset: .*got None",
    ),
    "GRU of unnamed form to Keras": (
        lambda: interop.to_keras(GRU),
        ValueError,
        "to_keras: argument reset: .*got None",
    ),
    "GRU of unknown form": (
        lambda: interop.to_keras(GRU, reset="during"),
        ValueError,
        "to_keras: argument reset: .*got 'during'",
    ),
    "form of an LSTM": (
        lambda: interop.to_keras(LSTM, reset="after"),
        ValueError,
        "to_keras: argument reset: expected None for an LSTM",
    ),
    "Keras weights by name": (
        lambda: interop.from_keras({"kernel": AFTER[0]}, reset="after"),
        TypeError,
        "from_keras: argument weights",
    ),
    "Keras weights of two layers": (
        lambda: interop.from_keras(AFTER + AFTER[:2], reset="after"),
        ValueError,
        "argument weights: .*got 5",
    ),
    "Keras kernel of another size": (
        lambda: interop.from_keras([AFTER[0][:, :4], *AFTER[1:]], reset="after"),
        ValueError,
        r"from_keras: argument weights\[0\]: .*got float32 \(3, 4\)",
    ),
    "Keras recurrent kernel of two gates": (
        lambda: interop.from_keras([AFTER[0], AFTER[1][:, :4]], reset="after"),
        ValueError,
        r"from_keras: argument weights\[1\]: expected a matrix with 1, 3 or 4 times as many columns as rows, ",
    ),
    "Keras bias of another size": (
        lambda: interop.from_keras([*AFTER[:2], np.ones(5)], reset="after"),
        ValueError,
        r"argument weights\[2\]",
    ),
    "Keras weights of text": (
        lambda: interop.from_keras(["a", "b"], reset="after"),
        TypeError,
        r"from_keras: argument weights\[0\]",
    ),
    "no such layer": (
        lambda: interop.to_keras(GRU, reset="after", layer=1),
        ValueError,
        "to_keras: argument weight_ih_l1: .*weight_ih_l0",
    ),
    "half of the biases": (
        lambda: interop.to_keras(
            {n: w for n, w in GRU.items() if n != "bias_hh_l0"}, reset="after"
        ),
        ValueError,
        "to_keras: argument bias_hh_l0",
    ),
    "state dict that is a list": (
        lambda: interop.to_keras([GRU], reset="after"),
        TypeError,
        "to_keras: argument state: .*got list",
    ),
    "bias of another size": (
        lambda: interop.to_keras({**GRU, "bias_ih_l0": np.ones(4)}, reset="after"),
        ValueError,
        "argument bias_ih_l0",
    ),
    "PyTorch GRU into before": (
        lambda: interop.from_pytorch(GRU, reset="before"),
        ValueError,
        f"from_pytorch: argument reset: .*{NOT}",
    ),
    "GRU before to PyTorch": (
        lambda: interop.to_pytorch(GRU, reset="before"),
        ValueError,
        f"to_pytorch: argument reset: .*{NOT}",
    ),
    "PyTorch projections": (
        lambda: interop.from_pytorch({**LSTM, "weight_hr_l0": np.ones((1, 2))}),
        ValueError,
        "argument weight_hr_l0",
    ),
    "PyTorch layer without a matrix": (
        lambda: interop.from_pytorch({"a.weight_ih_l0": np.ones((6, 3))}),
        ValueError,
        "a.weight_hh_l0",
    ),
    "PyTorch matrix of another size": (
        lambda: interop.from_pytorch({**GRU, "weight_ih_l0": np.ones((5, 3))}),
        ValueError,
        "argument weight_ih_l0",
    ),
    "PyTorch directions that differ": (
        lambda: interop.from_pytorch(
            {**GRU, **{f"{n}_reverse": w for n, w in nn.GRU(3, 4).state_dict().items()}}
        ),
        ValueError,
        "from_pytorch: argument weight_hh_l0_reverse",
    ),
    "ONNX after into before": (
        lambda: interop.from_onnx_weights(NODE, reset="before", linear_before_reset=1),
        ValueError,
        f"from_onnx_weights: argument reset: expected 'after', .*linear_before_reset=1.*{NOT}",
    ),
    "ours after into ONNX before": (
        lambda: interop.to_onnx_weights(GRU, reset="after", linear_before_reset=0),
        ValueError,
        f"to_onnx_weights: argument reset: .*{NOT}",
    ),
    "ONNX GRU of unnamed form": (
        lambda: interop.from_onnx_weights(NODE, reset="after"),
        TypeError,
        "argument linear_before_reset: .*got None",
    ),
    "ONNX form of an LSTM": (
        lambda: interop.to_onnx_weights(LSTM, linear_before_reset=0),
        ValueError,
        "argument linear_before_reset",
    ),
    "ONNX peepholes": (
        lambda: interop.from_onnx_weights({**NODE, "P": np.ones((1, 6))}),
        ValueError,
        "weights: .*unknown 'P'.*peepholes",
    ),
    "ONNX without R": (
        lambda: interop.from_onnx_weights({"W": NODE["W"]}),
        ValueError,
        "from_onnx_weights: argument weights: .*only 'W'",
    ),
    "ONNX without directions": (
        lambda: interop.from_onnx_weights({"W": NODE["W"], "R": NODE["R"][0]}),
        ValueError,
        "argument R: ",
    ),
    "ONNX B of one bias": (
        lambda: interop.from_onnx_weights({**NODE, "B": np.ones((1, 6))}),
        ValueError,
        r"argument B: .*got float64 \(1, 6\)",
    ),
    "d2l into after": (
        lambda: interop.from_d2l(BOOK, reset="after"),
        ValueError,
        f"from_d2l: argument reset: .*{NOT}",
    ),
    "after to d2l": (
        lambda: interop.to_d2l(GRU, reset="after", **BARE),
        ValueError,
        r"to_d2l: argument reset: .*h U_n \+ b_hn.*",
    ),
    "d2l GRU of unnamed form": (
        lambda: interop.from_d2l(BOOK),
        ValueError,
        "from_d2l: argument reset: .*got None",
    ),
    "d2l without a matrix": (
        lambda: interop.from_d2l({n: w for n, w in BOOK.items() if n != "b_z"}),
        ValueError,
        "weights: .*missing b_z",
    ),
    "d2l with another": (
        lambda: interop.from_d2l({**BOOK, "W_xy": np.ones((3, 2))}),
        ValueError,
        "weights: .*unexpected W_xy",
    ),
    "d2l with half an output": (
        lambda: interop.from_d2l({**BOOK, "b_q": np.ones(2)}),
        ValueError,
        "weights: .*missing W_hq",
    ),
    "d2l matrix of another size": (
        lambda: interop.from_d2l({**BOOK, "W_hz": np.ones((3, 2))}, reset="before"),
        ValueError,
        "argument W_hz",
    ),
    "d2l of two layers": (
        lambda: interop.to_d2l(DEEP, reset="before", **BARE),
        ValueError,
        "to_d2l: argument state: .*weight_ih_l1",
    ),
    "d2l of two directions": (
        lambda: interop.to_d2l(BOTH, reset="before", **BARE),
        ValueError,
        "to_d2l: argument state: .*two directions",
    ),
    "d2l of a layer without biases": (
        lambda: interop.to_d2l(nn.RNN(3, 2, bias=False).state_dict(), **BARE),
        ValueError,
        "to_d2l: argument bias_ih_l0: expected biases, .*got none",
    ),
    "d2l prefix of one word": (
        lambda: interop.to_d2l(GRU, prefixes=""),
        TypeError,
        "to_d2l: argument prefixes: expected two str.* got str ''",
    ),
    "d2l prefix of nothing": (
        lambda: interop.from_d2l(BOOK, prefixes=None),
        TypeError,
        "from_d2l: argument prefixes: .* got NoneType",
    ),
    "tutorial into after": (
        lambda: interop.from_tutorial(mathmath.MathMath().state_dict(), reset="after"),
        ValueError,
        f"from_tutorial: argument reset: .*{NOT}",
    ),
    "after to the tutorial": (
        lambda: interop.to_tutorial(GRU, reset="after", **BARE),
        ValueError,
        f"to_tutorial: argument reset: .*{NOT}",
    ),
    "LSTM to the tutorial": (
        lambda: interop.to_tutorial(LSTM, **BARE),
        ValueError,
        "to_tutorial: argument state: .*4 gates",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_conversion_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_both_biases_of_the_candidate_are_why():
    """What the refusal prevents: the same arrays in the other form are another network."""
    layer = nn.GRU(3, 2, reset="before", rng=0)
    layer.load_state_dict(GRU)
    x = np.ones((3, 1, 3), np.float32)
    assert np.abs(layer(x)[0].data - nn.GRU(3, 2, rng=0)(x)[0].data).max() > 0.01
    assert tg.interop is interop
