"""Our GRU on the cases of ONNX's GRU, which resets the state before the product by default.

The weights are converted here, independently of `tg.interop`.
"""

import numpy as np
import pytest
from onnx.backend.test.case.node import gru as onnx_gru
from onnx.helper import get_attribute_value
from onnx_operators import collect_official_cases

import tinygrad_rnn as tg

OFFICIAL = collect_official_cases(["GRU"])


def reorder_gates(gates):
    """Return the blocks of the gates z, r, h along the first axis in our order r, z, n."""
    update, reset, new = np.split(gates, 3)
    return np.concatenate([reset, update, new])


def run_gru(
    X, W, R, B=None, initial_h=None, *, direction="forward", linear_before_reset=0, layout=0
):
    """Return Y and Y_h of the ONNX operator, computed by tg.nn.GRU."""
    directions, _, hidden = R.shape
    layer = tg.nn.GRU(
        X.shape[2],
        hidden,
        bias=B is not None,
        batch_first=bool(layout),
        bidirectional=direction == "bidirectional",
        reset="after" if linear_before_reset else "before",
    )
    parameters = {}
    for i, suffix in zip(range(directions), ("", "_reverse"), strict=False):
        parameters[f"weight_ih_l0{suffix}"] = reorder_gates(W[i])
        parameters[f"weight_hh_l0{suffix}"] = reorder_gates(R[i])
        if B is not None:
            parameters[f"bias_ih_l0{suffix}"], parameters[f"bias_hh_l0{suffix}"] = map(
                reorder_gates, np.split(B[i], 2)
            )
    layer.load_state_dict(parameters)
    time = 1 if layout else 0
    output, final = layer(np.flip(X, time) if direction == "reverse" else X, initial_h)
    Y, Y_h = output.data, final.data
    if direction == "reverse":
        Y = np.flip(Y, time)
    Y = Y.reshape(*Y.shape[:2], directions, hidden)
    # ours: (time, batch) or (batch, time), directions, hidden
    return (Y, np.swapaxes(Y_h, 0, 1)) if layout else (np.swapaxes(Y, 1, 2), Y_h)


def assert_close_in_float32(actual, expected):
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_onnx_has_six_cases_of_the_gru():
    assert len(OFFICIAL) == 6


@pytest.mark.parametrize("name", OFFICIAL)
def test_gru_gives_the_outputs_of_the_official_cases(name):
    node, inputs, outputs = OFFICIAL[name]
    inputs = dict(zip(node.input, inputs, strict=True))
    expected = dict(zip(filter(None, node.output), outputs, strict=True))
    attributes = {a.name: get_attribute_value(a) for a in node.attribute if a.name != "hidden_size"}
    if "direction" in attributes:
        attributes["direction"] = attributes["direction"].decode()
    Y, Y_h = run_gru(**inputs, **attributes)
    assert_close_in_float32(Y_h, expected["Y_h"])
    if "Y" in expected:
        assert_close_in_float32(Y, expected["Y"])


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("linear_before_reset", [0, 1])
def test_random_weights_give_what_the_reference_of_onnx_gives(direction, linear_before_reset):
    """No official case has linear_before_reset, and most have equal weights for all gates."""
    rng = np.random.default_rng(0)
    T, N, H, D = 4, 3, 5, 1 + (direction == "bidirectional")
    shapes = {
        "X": (T, N, 2),
        "W": (D, 3 * H, 2),
        "R": (D, 3 * H, H),
        "B": (D, 6 * H),
        "initial_h": (D, N, H),
    }
    inputs = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    settings = {"direction": direction, "linear_before_reset": linear_before_reset}
    Y, Y_h = run_gru(**inputs, **settings)
    expected_Y, expected_Y_h = onnx_gru.GRUHelper(**inputs, **settings).step()
    assert_close_in_float32(Y, expected_Y)
    assert_close_in_float32(Y_h, expected_Y_h)
