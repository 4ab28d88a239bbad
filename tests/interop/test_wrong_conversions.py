"""Conversions of weights that are impossible or called wrongly, and what their errors say."""

import numpy as np
import pytest
from conversions import BARE, assert_same_dicts
from internals import network as mathmath

import tinygrad_rnn as tg
from tinygrad_rnn import interop, nn

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
    """Return the state dicts of two layers as if they were the directions of one."""
    return {
        **forward.state_dict(),
        **{f"{name}_reverse": array for name, array in reverse.state_dict().items()},
    }


def one_after_another(first, second):
    """Return Keras's arrays of two layers as if they were the directions of one."""
    form = {"reset": "after"} if isinstance(first, nn.GRU) else {"merge_biases": True}
    return interop.to_keras(first.state_dict(), **form) + interop.to_keras(
        second.state_dict(), **form
    )


MISMATCHED = {
    "biases in one direction": (
        nn.GRU(3, 2),
        nn.GRU(3, 2, bias=False),
        "bias_ih_l0_reverse",
        r"no array",
    ),
    "another I": (nn.GRU(3, 2), nn.GRU(5, 2), "weight_ih_l0_reverse", r"shape \(6, 5\)"),
    "another H": (nn.GRU(3, 2), nn.GRU(3, 4), "weight_hh_l0_reverse", r"shape \(12, 4\)"),
    "another kind": (nn.RNN(3, 2), nn.LSTM(3, 2), "weight_hh_l0_reverse", r"shape \(8, 2\)"),
}


@pytest.mark.parametrize(("forward", "reverse", "name", "got"), MISMATCHED.values(), ids=MISMATCHED)
def test_no_conversion_takes_directions_of_two_layers(forward, reverse, name, got):
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
        expected = f"expected .*, as in the forward direction, got {got}; give both"
        with pytest.raises(ValueError, match=f"{operation}: argument {name}: {expected}"):
            call()
    if "bias" not in name:
        message = r"argument weights\[[34]\]: expected shape .*, as in the forward direction"
        with pytest.raises(ValueError, match=f"from_keras: {message}"):
            interop.from_keras(one_after_another(forward, reverse), **keras)


def test_the_layer_must_be_an_integer():
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


def test_weights_in_another_byte_order_keep_their_numbers():
    state = interop.from_pytorch({name: array.astype(">f4") for name, array in GRU.items()})
    assert_same_dicts(state, GRU)
    nn.GRU(3, 2).load_state_dict(state)


IMPOSSIBLE = "cannot be converted into each other"

WRONG = {
    "Keras after into before": (
        lambda: interop.from_keras(AFTER, reset="before"),
        ValueError,
        rf"from_keras: argument reset: .*\(2, 6\).*{IMPOSSIBLE}",
    ),
    "Keras before into after": (
        lambda: interop.from_keras(BEFORE, reset="after"),
        ValueError,
        rf"from_keras: argument reset: .*\(6,\).*{IMPOSSIBLE}",
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
        r"from_keras: argument weights\[1\]: .* 1, 3 or 4 times as many columns as rows, ",
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
        f"from_pytorch: argument reset: .*{IMPOSSIBLE}",
    ),
    "GRU before to PyTorch": (
        lambda: interop.to_pytorch(GRU, reset="before"),
        ValueError,
        f"to_pytorch: argument reset: .*{IMPOSSIBLE}",
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
        "from_onnx_weights: argument reset: expected 'after', "
        f".*linear_before_reset=1.*{IMPOSSIBLE}",
    ),
    "ours after into ONNX before": (
        lambda: interop.to_onnx_weights(GRU, reset="after", linear_before_reset=0),
        ValueError,
        f"to_onnx_weights: argument reset: .*{IMPOSSIBLE}",
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
        f"from_d2l: argument reset: .*{IMPOSSIBLE}",
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
        f"from_tutorial: argument reset: .*{IMPOSSIBLE}",
    ),
    "after to the tutorial": (
        lambda: interop.to_tutorial(GRU, reset="after", **BARE),
        ValueError,
        f"to_tutorial: argument reset: .*{IMPOSSIBLE}",
    ),
    "LSTM to the tutorial": (
        lambda: interop.to_tutorial(LSTM, **BARE),
        ValueError,
        "to_tutorial: argument state: .*4 gates",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_conversion_raises_an_error_that_names_the_argument(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_same_weights_in_the_other_form_are_another_network():
    """The two biases of the candidate are why a conversion between the forms is impossible."""
    layer = nn.GRU(3, 2, reset="before", rng=0)
    layer.load_state_dict(GRU)
    x = np.ones((3, 1, 3), np.float32)
    assert np.abs(layer(x)[0].data - nn.GRU(3, 2, rng=0)(x)[0].data).max() > 0.01
    assert tg.interop is interop
