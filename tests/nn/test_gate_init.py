"""Initialisation by gate: which rows change, and what the gates then do."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn import init

LAYERS = {
    "RNN": (nn.RNN, nn.RNNCell, "h"),
    "GRU": (nn.GRU, nn.GRUCell, "rzn"),
    "LSTM": (nn.LSTM, nn.LSTMCell, "ifgo"),
}
every_layer = pytest.mark.parametrize(("layer", "cell", "letters"), LAYERS.values(), ids=LAYERS)
PARAMETERS = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]


@every_layer
def test_the_recurrent_matrix_of_each_gate_becomes_orthogonal(layer, cell, letters):
    made = layer(3, 5, 2, bidirectional=True, rng=0)
    before = made.state_dict()
    assert init.orthogonal_gates_(made, gain=2.0, rng=1) is made
    blocks = []
    for name, array in made.state_dict().items():
        if "weight_hh" not in name:
            np.testing.assert_array_equal(array, before[name])
            continue
        assert array.dtype == np.float32
        for U in np.split(array.astype(float), len(letters)):
            np.testing.assert_allclose(U.T @ U, 4 * np.eye(5), atol=1e-5)
            np.testing.assert_allclose(np.linalg.svd(U, compute_uv=False), 2, atol=1e-5)
            blocks.append(U)
    assert len(blocks) == 4 * len(letters)
    assert len({block.tobytes() for block in blocks}) == len(blocks)


@every_layer
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_only_the_rows_of_the_named_gates_change(layer, cell, letters, parameter):
    for gates in (letters, letters[0], letters[-1], letters[::2]):
        made = cell(3, 4, rng=0)
        before = made.state_dict()
        init.fill_gates_(made, parameter, lambda shape: np.full(shape, 7.0), gates)
        for name, array in made.state_dict().items():
            for k, letter in enumerate(letters):
                rows = slice(4 * k, 4 * k + 4)
                is_filled = name == parameter and letter in gates
                expected = np.full_like(array[rows], 7) if is_filled else before[name][rows]
                np.testing.assert_array_equal(array[rows], expected)


@every_layer
def test_an_initialiser_sees_the_block_of_one_gate(layer, cell, letters):
    shapes = []

    def remember(shape):
        shapes.append(shape)
        return init.xavier_uniform(shape, rng=0)

    made = init.fill_gates_(cell(3, 4), "weight_ih", remember)
    assert shapes == [(4, 3)] * len(letters)
    bound = np.sqrt(6 / (3 + 4))
    assert 0.8 * bound < abs(made.weight_ih.data).max() <= bound


def test_an_lstm_that_never_forgets_keeps_its_state():
    """With f = 1 and i = 0, c' = f ⊙ c + i ⊙ g is c."""
    lstm = init.gate_bias_(nn.LSTM(2, 3, rng=0), f=50.0, i=-50.0)
    x = np.random.default_rng(0).standard_normal((6, 1, 2)).astype("float32")
    h, c = np.zeros((1, 1, 3), "float32"), np.full((1, 1, 3), 0.7, "float32")
    np.testing.assert_allclose(lstm(x, (h, c))[1][1].data, c, rtol=1e-6)


def test_a_gru_that_never_updates_keeps_its_state():
    """With z = 1, h' = z ⊙ h + (1 − z) ⊙ n is h; with z = 0 it is n."""
    x, h = np.ones((4, 1, 2), "float32"), np.full((1, 1, 3), 0.7, "float32")
    gru = init.gate_bias_(nn.GRU(2, 3, rng=0), z=50.0)
    np.testing.assert_allclose(gru(x, h)[1].data, h, rtol=1e-6)
    gru = init.gate_bias_(gru, z=-50.0, n=50.0)
    np.testing.assert_allclose(gru(x, h)[1].data, 1, rtol=1e-6)


def test_an_rnn_starts_from_its_bias():
    rnn = init.gate_bias_(nn.RNNCell(2, 3, rng=0), h=0.5)
    np.testing.assert_allclose(rnn(np.zeros((1, 2), "float32"))[1].data, np.tanh(0.5), rtol=1e-6)


@pytest.mark.parametrize("make", [nn.LSTM, nn.LSTMCell])
def test_forget_bias_is_the_sum_of_both_biases_of_the_forget_gate(make):
    made, plain = make(2, 3, forget_bias=1, rng=0), make(2, 3, rng=0)
    state, other = made.state_dict(), plain.state_dict()
    b_i, b_h = (next(v for k, v in state.items() if k.startswith(n)) for n in PARAMETERS[2:])
    np.testing.assert_array_equal((b_i + b_h)[3:6], 1)
    for name, array in state.items():  # all else is drawn as without it
        rest = np.r_[0:3, 6:12] if name.startswith("bias") else np.r_[0:12]
        np.testing.assert_array_equal(array[rest], other[name][rest])


def test_forget_bias_reaches_every_layer_and_direction():
    lstm = nn.LSTM(2, 3, 2, bidirectional=True, forget_bias=2.0, rng=0)
    for suffix in ("l0", "l0_reverse", "l1", "l1_reverse"):
        b = getattr(lstm, f"bias_ih_{suffix}").data + getattr(lstm, f"bias_hh_{suffix}").data
        np.testing.assert_array_equal(b[3:6], 2)


def test_gates_are_found_inside_of_models_and_compiled_layers():
    model = nn.Sequential(nn.Linear(2, 2), nn.GRU(2, 3))
    model.others = [tg.compile(nn.GRU(2, 3))]
    init.gate_bias_(model, z=1.5)
    for gru in (model[1], model.others[0].target):
        np.testing.assert_array_equal(gru.bias_ih_l0.data[3:6], 1.5)


def test_a_wrong_call_of_an_initialiser_of_gates_changes_nothing():
    lstm, bare = nn.LSTM(2, 3, rng=0), nn.LSTM(2, 3, bias=False)
    calls = [
        (lambda: init.gate_bias_(lstm, f=1, z=1), ValueError, r"gates: .* i, f, g, o, got 'z'"),
        (lambda: init.gate_bias_(lstm, i=0, f=np.nan), ValueError, "argument f: .* got nan"),
        (lambda: init.gate_bias_(lstm, f="1"), TypeError, "argument f"),
        (lambda: init.gate_bias_(bare, f=1), ValueError, "argument bias_ih: expected a layer with"),
        (lambda: init.gate_bias_(nn.Linear(2, 2), f=1), TypeError, "argument layer"),
        (lambda: init.gate_bias_(lstm.weight_ih_l0, f=1), TypeError, "argument layer"),
        (lambda: init.orthogonal_gates_([lstm]), TypeError, "argument layer"),
        (lambda: init.orthogonal_gates_(lstm, gain="2"), TypeError, "argument gain"),
        (lambda: init.fill_gates_(lstm, "weights", init.zeros), ValueError, "argument parameter"),
        (lambda: init.fill_gates_(lstm, "weight_ih", 0), TypeError, "argument initialiser"),
        (lambda: init.fill_gates_(lstm, "weight_ih", init.zeros, 1), TypeError, "argument gates"),
        (
            lambda: init.fill_gates_(lstm, "bias_ih", lambda shape: np.zeros(2)),
            ValueError,
            r"initialiser: expected shape \(3,\), got float64 \(2,\)",
        ),
        (lambda: nn.LSTM(2, 3, bias=False, forget_bias=1), ValueError, "argument bias_ih"),
        (lambda: nn.LSTMCell(2, 3, forget_bias="a"), TypeError, "argument f: .* got str 'a'"),
    ]
    before = lstm.state_dict()
    for call, error, message in calls:
        with pytest.raises(error, match=message):
            call()
    for name, array in lstm.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


@every_layer
def test_orthogonal_matrices_have_the_precision_of_the_layer(layer, cell, letters):
    made = init.orthogonal_gates_(layer(3, 6, rng=0).astype("float64"), rng=1)
    for U in np.split(made.weight_hh_l0.data, len(letters)):
        np.testing.assert_allclose(U.T @ U, np.eye(6), atol=1e-14)
