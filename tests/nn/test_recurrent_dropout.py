"""Dropout of inputs and states, and zoneout."""

import copy
import warnings

import numpy as np
import pytest
from recurrent_layers import H, build_layer, random_sequences

import tinygrad_rnn as tg
from tinygrad_rnn import nn


def test_dropout_on_inputs_has_one_mask_for_the_sequence():
    seen = []

    def look(x, h):
        seen.append(x.data)
        return h, h

    layer = nn.Recurrent(lambda size, rng: look, 50, hidden_size=50, input_dropout=0.4, rng=0)
    layer(np.ones((4, 8, 50)))
    assert set(np.unique(seen[0])) == {0.0, 1 / 0.6}
    assert all(np.array_equal(seen[0], x) for x in seen[1:])
    assert abs(np.mean(seen[0] == 0) - 0.4) < 0.08
    assert not np.array_equal(seen[0][0], seen[0][1])  # each sequence has its own
    seen.clear()
    layer.eval()(np.ones((4, 8, 50)))
    assert all(np.all(x == 1) for x in seen)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "GRU before", "LSTM"])
def test_state_dropout_acts_only_inside_the_products(kind):
    """Each sequence by itself, with its mask as a factor of the columns of U, gives the same."""
    layer, x = build_layer(kind, state_dropout=0.5), random_sequences()
    layer.rng = np.random.default_rng(7)
    dropped, _ = layer(x)
    masks = (np.random.default_rng(7).random((x.shape[1], H)) >= 0.5) / 0.5
    assert len(np.unique(masks, axis=0)) > 1
    for i, mask in enumerate(masks):
        same = build_layer(kind)
        same.weight_hh_l0.data = layer.weight_hh_l0.data * mask
        np.testing.assert_allclose(
            dropped.data[:, i], same(x[:, i : i + 1])[0].data[:, 0], rtol=1e-12
        )
    np.testing.assert_array_equal(layer.eval()(x)[0].data, build_layer(kind)(x)[0].data)


def test_state_dropout_of_another_cell_acts_on_its_whole_state():
    seen = []

    def look(x, h):
        seen.append(h.data)
        return x, h * 0 + 1

    nn.Recurrent(lambda size, rng: look, 20, hidden_size=20, state_dropout=0.5, rng=0)(
        np.ones((4, 3, 20))
    )
    assert set(np.unique(seen[1])) == {0.0, 2.0}
    assert np.array_equal(seen[1], seen[2])


def test_state_dropout_has_a_mask_entry_for_each_entry_of_each_sequence():
    seen = []

    class Matrix(nn.Module):
        hidden_size = 3

        def zero_state(self, batch):
            return {
                "S": tg.Tensor(np.ones((*batch, 3, 3))),
                "n": tg.Tensor(np.ones((*batch, 1), np.int64)),
            }

        def forward(self, x, state):
            seen.append({name: part.data for name, part in state.items()})
            return x, {"S": state["S"] * 0 + 1, "n": state["n"]}

    nn.Recurrent(lambda size, rng: Matrix(), 3, state_dropout=0.5, rng=0)(np.ones((2, 3, 3)))
    assert set(np.unique(seen[0]["S"])) == {0.0, 2.0}
    np.testing.assert_array_equal(seen[0]["S"], seen[1]["S"])
    assert not np.array_equal(seen[0]["S"][0], seen[0]["S"][1])
    assert (seen[0]["n"] == 1).all()


def test_zoneout_keeps_entries_of_the_state():
    def count(x, h):
        h = h + 1
        return h, h

    layer = nn.Recurrent(lambda size, rng: count, 1, hidden_size=2000, zoneout=0.3, rng=0)
    output, state = layer(np.ones((5, 1, 1)))
    steps = np.diff(output.data[:, 0], axis=0)
    assert set(np.unique(steps)) == {0.0, 1.0}
    assert abs(np.mean(steps == 0) - 0.3) < 0.02
    assert not np.array_equal(steps[0], steps[1])  # a mask of its own at every step
    np.testing.assert_array_equal(state.data[0], output.data[-1])
    output, _ = layer.eval()(np.ones((5, 1, 1)))
    np.testing.assert_allclose(output.data[:, 0, 0], 0.7 * np.arange(1, 6))


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "MGU"])
def test_every_kind_of_dropout_works_together_and_with_lengths(kind):
    options = {
        "num_layers": 2,
        "bidirectional": True,
        "dropout": 0.2,
        "input_dropout": 0.2,
        "state_dropout": 0.2,
        "zoneout": 0.2,
    }
    layer, x = build_layer(kind, **options), random_sequences()[:3]

    def output(x):
        layer.rng = np.random.default_rng(4)
        return layer(x, lengths=[3, 0, 1, 2, 3])[0]

    np.testing.assert_array_equal(output(x).data, output(x).data)
    assert tg.gradcheck(output, x)
    assert not np.array_equal(output(x).data, layer.eval()(x, lengths=[3, 0, 1, 2, 3])[0].data)
    plain = build_layer(kind, num_layers=2, bidirectional=True)
    layer.zoneout = 0.0
    np.testing.assert_array_equal(layer(x)[0].data, plain(x)[0].data)
    assert "state_dropout=0.2" in repr(layer)


@pytest.mark.parametrize("make", [nn.RNN, nn.GRU, nn.LSTM])
def test_dropout_in_a_single_layer_warns_where_it_is_set(make):
    with pytest.warns(UserWarning, match=r"argument dropout: .* a single layer") as caught:
        layer = make(2, 3, dropout=0.5)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="a single layer") as caught:
        layer.dropout = 0.2
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="a single layer"):
        make(2, 3, bidirectional=True, dropout=0.5)


def test_dropout_that_acts_or_that_is_0_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.GRU(2, 3, dropout=0.0).dropout = 0
        nn.GRU(2, 3, 2, dropout=0.5).eval()(np.ones((2, 1, 2), "float32"))
        nn.GRU(2, 3, input_dropout=0.5, state_dropout=0.5, zoneout=0.5)
        copy.deepcopy(nn.GRU(2, 3, 2, dropout=0.5)).train()
