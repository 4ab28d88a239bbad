"""The gates of every step, found by name in the graph."""

import numpy as np
import pytest
from recurrent_layers import LENGTHS, B, H, T, build_layer, random_sequences

import tinygrad_rnn as tg


def test_bptt_values_returns_the_gates_of_every_step_by_name():
    layer, x = build_layer("GRU"), random_sequences()
    gates = tg.bptt.values(layer(x)[0])
    assert {name: array.shape for name, array in gates.items()} == dict.fromkeys("rznh", (T, B, H))
    W, U, b_i, b_h = (p.data for p in layer.parameters())
    h = np.zeros((B, H))
    for t in range(T):
        r, z = (
            1 / (1 + np.exp(-(x[t] @ W[i].T + b_i[i] + h @ U[i].T + b_h[i])))
            for i in (slice(H), slice(H, 2 * H))
        )
        n = np.tanh(x[t] @ W[2 * H :].T + b_i[2 * H :] + r * (h @ U[2 * H :].T + b_h[2 * H :]))
        h = z * h + (1 - z) * n
        for name, expected in zip("rznh", (r, z, n, h), strict=True):
            np.testing.assert_allclose(gates[name][t], expected, rtol=1e-12, atol=1e-14)


def test_the_gates_of_layers_and_directions_have_their_scope():
    output, _ = build_layer("LSTM", num_layers=2, bidirectional=True)(random_sequences())
    gates = tg.bptt.values(output)
    assert set(gates) == {
        f"lstm / layer {k}{d} / {name}"
        for k in (0, 1)
        for d in ("", " / reverse")
        for name in "ifgoch"
    }
    np.testing.assert_array_equal(gates["lstm / layer 1 / reverse / h"], output.data[:, :, H:])


def test_a_state_stays_what_it_was_where_a_sequence_has_ended():
    output, end = build_layer("GRU")(random_sequences(), lengths=LENGTHS)
    states = tg.bptt.values(output)["h"]
    for b, n in enumerate(LENGTHS):
        np.testing.assert_array_equal(states[n:, b], np.broadcast_to(end.data[0, b], (T - n, H)))


def test_bptt_values_needs_a_graph():
    with tg.no_grad():
        output, _ = build_layer("GRU")(random_sequences())
    with pytest.raises(
        TypeError, match=r"bptt.values: argument output: .* a Tensor without a graph"
    ):
        tg.bptt.values(output)
