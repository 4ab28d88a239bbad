"""RNN, GRU and LSTM: layers against their cells, and gradients to second order."""

import numpy as np
import pytest
from helpers import state_parts
from internals import plain_scope, toposort

import tinygrad_rnn as tg
from tinygrad_rnn import nn

RECURRENT = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}

CELLS = {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}

every_layer = pytest.mark.parametrize("kind", RECURRENT)


@every_layer
def test_gradients_to_second_order(kind):
    layer = RECURRENT[kind](2, 2, rng=0).astype(np.float64)
    x = np.random.default_rng(1).standard_normal((3, 2, 2))
    assert tg.gradcheck(lambda x: layer(x), x, order=2)


@pytest.mark.parametrize("reset", ["after", "before"])
def test_second_derivatives_of_gru_with_respect_to_its_parameters(reset):
    rng = np.random.default_rng(2)
    cell = nn.GRUCell(2, 2, reset=reset, rng=3).astype(np.float64)
    names = [name for name, _ in cell.named_parameters()]

    def f(*parameters):
        for name, parameter in zip(names, parameters, strict=True):
            cell.__dict__[name] = parameter
        return cell(tg.Tensor(x), tg.Tensor(h))[0]

    x, h = rng.standard_normal((2, 2)), rng.standard_normal((2, 2))
    assert tg.gradcheck(f, *[rng.standard_normal(p.shape) for p in cell.parameters()], order=2)


@every_layer
def test_without_a_state_layers_and_cells_start_from_zeros(kind):
    layer, cell = RECURRENT[kind](3, 4, rng=0), CELLS[kind](3, 4, rng=0)
    x = np.random.default_rng(0).standard_normal((5, 2, 3)).astype("float32")
    zeros = tg.Tensor(np.zeros((1, 2, 4), "float32"))
    state = (zeros, zeros) if kind == "lstm" else zeros
    np.testing.assert_array_equal(layer(x)[0].data, layer(x, state)[0].data)
    np.testing.assert_array_equal(layer(x[:1])[0].data, layer(x[:1], state)[0].data)
    zero = cell.zero_state((2,))
    np.testing.assert_array_equal(cell(x[0])[0].data, cell(x[0], zero)[0].data)


@every_layer
def test_a_layer_is_its_cell_step_by_step(kind):
    layer, cell = RECURRENT[kind](3, 4, rng=0), CELLS[kind](3, 4, rng=0)
    x = tg.Tensor(np.random.default_rng(0).standard_normal((5, 2, 3)).astype("float32"))
    output, last = layer(x)
    state, by_hand = None, []
    for t in range(5):
        y, state = cell(x[t], state)
        by_hand.append(y.data)
    np.testing.assert_allclose(output.data, by_hand, atol=1e-6)
    for ours, theirs in zip(state_parts(last), state_parts(state), strict=True):
        np.testing.assert_allclose(ours.data[0], theirs.data, atol=1e-6)


@every_layer
def test_a_carried_state_continues_the_sequence(kind):
    layer = RECURRENT[kind](3, 4, num_layers=2, rng=0)
    x = np.random.default_rng(0).standard_normal((6, 2, 3)).astype("float32")
    whole, end = layer(x)
    first, state = layer(x[:2])
    second, last = layer(x[2:], state)
    np.testing.assert_allclose(whole.data, np.concatenate([first.data, second.data]), atol=1e-6)
    for ours, theirs in zip(state_parts(end), state_parts(last), strict=True):
        np.testing.assert_allclose(ours.data, theirs.data, atol=1e-6)


@every_layer
def test_an_empty_batch_works_and_an_empty_sequence_is_an_error(kind):
    layer = RECURRENT[kind](3, 4, rng=0)
    output, state = layer(np.zeros((5, 0, 3), "float32"))
    assert output.shape == (5, 0, 4)
    assert state_parts(state)[0].shape == (1, 0, 4)
    with pytest.raises(ValueError, match="at least one time step"):
        layer(np.zeros((0, 2, 3), "float32"))
    with pytest.raises(ValueError, match="argument x: expected at least one time step"):
        RECURRENT[kind](3, 4, batch_first=True, rng=0)(np.zeros((2, 0, 3), "float32"))


@every_layer
def test_steps_and_layers_are_in_the_scope(kind):
    layer = RECURRENT[kind](3, 4, num_layers=2, rng=0)
    output, _ = layer(np.ones((3, 2, 3), "float32"))

    scopes = {plain_scope(v.node.scope) for v in toposort(output)}
    assert {(kind, f"layer {k}", t) for k in range(2) for t in range(3)} <= scopes
    names = {v.name for v in toposort(output)}
    assert {"rnn": {"h"}, "gru": {"r", "z", "n", "h"}, "lstm": {"i", "f", "g", "o", "c", "h"}}[
        kind
    ] <= names


def test_bidirectional_final_states_are_those_of_each_direction():
    gru = nn.GRU(3, 4, bidirectional=True, rng=0)
    output, state = gru(np.random.default_rng(0).standard_normal((5, 2, 3)).astype("float32"))
    np.testing.assert_array_equal(state.data[0], output.data[-1, :, :4])
    np.testing.assert_array_equal(state.data[1], output.data[0, :, 4:])


def test_dropout_between_layers_acts_only_in_training():
    gru = nn.GRU(3, 4, num_layers=2, dropout=0.5, rng=0)
    x = np.ones((5, 2, 3), "float32")
    assert not np.array_equal(gru(x)[0].data, gru(x)[0].data)
    gru.eval()
    np.testing.assert_array_equal(gru(x)[0].data, gru(x)[0].data)


def test_dropout_acts_on_the_output_of_each_layer_but_the_last():
    two = nn.GRU(3, 4, num_layers=2, dropout=0.5, rng=0)
    with pytest.warns(UserWarning, match="a single layer"):
        one = nn.GRU(3, 4, dropout=0.5, rng=0)
    x = np.ones((5, 2, 3), "float32")
    between, _ = nn.GRU(3, 4, rng=0)(x)
    np.testing.assert_array_equal(one(x)[0].data, between.data)
    first, second = (cell for row in two.cells for cell in row)
    first.load_state_dict(one.cells[0][0].state_dict())
    last = nn.GRU(4, 4, rng=0)
    last.cells[0][0].load_state_dict(second.state_dict())
    two.rng = np.random.default_rng(7)
    np.testing.assert_array_equal(
        two(x)[0].data,
        last(nn.functional.dropout(between, 0.5, rng=np.random.default_rng(7)))[0].data,
    )
