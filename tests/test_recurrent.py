"""Any cell through time: sequences of different lengths, every kind of dropout, and a look inside."""

import ast
import runpy
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn

EXAMPLE = Path(__file__).parent.parent / "examples" / "cells.py"
CELLS = runpy.run_path(str(EXAMPLE))["CELLS"]
T, B, D, H = 6, 5, 3, 4
LENGTHS = [3, 6, 0, 1, 5]
MAKE = {
    "RNN": lambda **o: nn.RNN(D, H, rng=0, **o),
    "GRU": lambda **o: nn.GRU(D, H, rng=0, **o),
    "GRU before": lambda **o: nn.GRU(D, H, reset="before", rng=0, **o),
    "LSTM": lambda **o: nn.LSTM(D, H, rng=0, **o),
    **{name: lambda cell=cell, **o: nn.Recurrent(lambda size, rng: cell(size, rng, H), D, rng=0, **o) for name, cell in CELLS.items()},
}
every_layer = pytest.mark.parametrize("kind", MAKE)


def built(kind, **options):
    return MAKE[kind](**options).astype(np.float64)


def sequences():
    return np.random.default_rng(1).standard_normal((T, B, D))


def first_state(layer, n=B, seed=2):
    """A state that is not zero."""
    rng = np.random.default_rng(seed)
    rows = len(list(layer._cells()))
    h = rng.standard_normal((rows, n, H))
    return (tg.Tensor(h), tg.Tensor(rng.standard_normal((rows, n, H)))) if isinstance(layer.cells[0][0], nn.LSTMCell) else tg.Tensor(h)


def parts(state):
    return list(state) if isinstance(state, tuple) else [state]


def picked(state, b):
    found = tuple(tg.Tensor(part.data[:, b : b + 1]) for part in parts(state))
    return found if isinstance(state, tuple) else found[0]


def weighed(output, state, weights):
    """A number that depends on every entry of the output and of the last state, each in its own way."""
    return (output * weights[: len(output), :, : output.shape[2]]).sum() + sum(
        (part * (i + 0.5)).sum() for i, part in enumerate(parts(state))
    )


# -- lengths -----------------------------------------------------------------------------------------


@every_layer
@pytest.mark.parametrize(
    "options", [{}, {"bidirectional": True}, {"num_layers": 2, "bidirectional": True}], ids=["plain", "both ways", "two, both ways"]
)
def test_sequences_of_different_lengths_are_as_each_by_itself(kind, options):
    layer, x = built(kind, **options), sequences()
    x[np.arange(T)[:, None] >= np.array(LENGTHS)] = np.nan  # what stands behind the end reaches nothing
    start, weights = first_state(layer), np.random.default_rng(3).standard_normal((T, B, 2 * H))
    inputs = tg.Tensor(x, requires_grad=True)
    output, end = layer(inputs, start, lengths=LENGTHS)
    weighed(output, end, weights).backward()
    together = {name: p.grad.copy() for name, p in layer.named_parameters()}
    layer.zero_grad()
    for b, n in enumerate(LENGTHS):
        if n == 0:
            assert not output.data[:, b].any()
            for one, all_of in zip(parts(start), parts(end), strict=True):
                np.testing.assert_array_equal(all_of.data[:, b], one.data[:, b])
            parts_sum = sum(((part[:, b : b + 1]) * (i + 0.5)).sum() for i, part in enumerate(parts(start)))
            assert not parts_sum.requires_grad
            continue
        own = tg.Tensor(x[:n, b : b + 1], requires_grad=True)
        alone, last = layer(own, picked(start, b))
        np.testing.assert_allclose(output.data[:n, b : b + 1], alone.data, rtol=1e-12, atol=1e-12)
        assert not output.data[n:, b].any()
        for one, all_of in zip(parts(last), parts(end), strict=True):
            np.testing.assert_allclose(all_of.data[:, b : b + 1], one.data, rtol=1e-12, atol=1e-12)
        weighed(alone, last, weights[:, b : b + 1]).backward()
        np.testing.assert_allclose(inputs.grad[:n, b : b + 1], own.grad, rtol=1e-12, atol=1e-12)
        assert not inputs.grad[n:, b].any()
    for name, p in layer.named_parameters():
        np.testing.assert_allclose(together[name], p.grad, rtol=1e-12, atol=1e-12, err_msg=name)


@every_layer
def test_full_lengths_change_nothing(kind):
    layer, x = built(kind, num_layers=2), sequences()
    plain, end = layer(x)
    masked, last = layer(x, lengths=np.full(B, T))
    np.testing.assert_array_equal(plain.data, masked.data)
    for a, b in zip(parts(end), parts(last), strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_lengths_with_the_batch_first():
    layer, x = built("GRU", batch_first=True), sequences()
    first, end = layer(x.swapaxes(0, 1).copy(), lengths=LENGTHS)
    layer.batch_first = False
    second, last = layer(x, lengths=tg.Tensor(np.array(LENGTHS)))
    np.testing.assert_array_equal(first.data, second.data.swapaxes(0, 1))
    np.testing.assert_array_equal(end.data, last.data)


def test_gradients_through_lengths_are_right():
    layer = built("LSTM", bidirectional=True)
    x = sequences()[:3]
    assert tg.gradcheck(lambda x: layer(x, lengths=[3, 0, 1, 2, 2])[0], x, order=2)


@pytest.mark.parametrize(
    ("lengths", "error"),
    [
        ([1, 2], r"GRU: argument lengths: expected one integer for each sequence, shape \(5,\), got int64 \(2,\)"),
        ([1, 2, 3, 4, 7], r"GRU: argument lengths: expected lengths from 0 to 6, .* got 7 at position 4"),
        ([1, 2, -1, 4, 5], r"GRU: argument lengths: .* got -1 at position 2"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], r"GRU: argument lengths: expected one integer for each sequence"),
        (3, r"GRU: argument lengths: expected one integer for each sequence"),
    ],
)
def test_wrong_lengths_are_refused(lengths, error):
    with pytest.raises(ValueError, match=error):
        built("GRU")(sequences(), lengths=lengths)
    with pytest.raises(ValueError, match="expected none, for x is a single sequence"):
        built("GRU")(sequences()[:, 0], lengths=lengths)


# -- cells of one's own ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CELLS)
def test_an_own_cell_is_short(name):
    text = EXAMPLE.read_text(encoding="utf-8")
    (found,) = [node for node in ast.parse(text).body if getattr(node, "name", "") == CELLS[name].__name__]
    lines = [line for line in ast.get_source_segment(text, found).splitlines() if line.strip()]
    assert len(lines) <= 15


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True, "dropout": 0.5}], ids=["plain", "deep"])
def test_an_own_cell_gets_all_that_a_layer_has(name, options):
    layer = built(name, **options).eval()
    x = sequences()[:3]
    assert tg.gradcheck(lambda x: layer(x, lengths=[3, 1, 2, 0, 3])[0], x)
    suffixes = {name.rsplit("_l", 1)[1] for name, _ in layer.named_parameters()}
    assert suffixes == ({"0"} if not options else {"0", "0_reverse", "1", "1_reverse"})
    restored = built(name, **options).eval()
    restored.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(layer(x)[0].data, restored(x)[0].data)
    rolled = tg.graph(layer(x)[0].sum(), roll=True)
    assert "hₜ" in [node.name for node in rolled.nodes]
    step = next(iter(tg.backward_steps(layer(x)[0].sum())))
    assert "Σ" in str(step)


def test_a_function_is_a_cell():
    def average(x, h):
        h = 0.5 * h + 0.5 * x
        return h, h

    layer = nn.Recurrent(lambda size, rng: average, 2, hidden_size=2, num_layers=2, bidirectional=False)
    output, state = layer(np.array([[[1.0, 0.0]], [[0.0, 0.0]]]), lengths=[1])
    np.testing.assert_allclose(output.data, [[[0.25, 0.0]], [[0.0, 0.0]]])
    np.testing.assert_allclose(state.data, [[[0.5, 0.0]], [[0.25, 0.0]]])
    assert not list(layer.parameters())


def test_a_state_of_an_own_structure():
    class Counter(nn.Module):
        hidden_size = 2

        def zero_state(self, batch):
            return {"h": tg.Tensor(np.zeros((*batch, 2))), "n": tg.Tensor(np.zeros((*batch, 1)))}

        def forward(self, x, state):
            new = {"h": state["h"] + x, "n": state["n"] + 1}
            return new["h"] / new["n"], new

    layer = nn.Recurrent(lambda size, rng: Counter(), 2, zoneout=0.0)
    x = np.arange(12.0).reshape(3, 2, 2)
    output, state = layer(x, lengths=[3, 2])
    np.testing.assert_allclose(output.data[2, 0], x[:, 0].mean(0))
    np.testing.assert_allclose(output.data[1, 1], x[:2, 1].mean(0))
    np.testing.assert_array_equal(state["n"].data, [[[3], [2]]])
    again, _ = layer(x, state)
    np.testing.assert_allclose(again.data[0], (x.sum(0) * [[1], [1]] - [[0], [1]] * x[2] + x[0]) / [[4], [3]])
    with pytest.raises(ValueError, match=r"Recurrent: argument state: expected \{h: float64 \(1, 2, 2\), n: float64 \(1, 2, 1\)\}"):
        layer(x, {"h": state["h"].data[0], "n": state["n"].data})


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.Recurrent(lambda size, rng: 5, 3), TypeError, "Recurrent: argument cell: .* got int 5"),
        (
            lambda: nn.Recurrent(lambda size, rng: lambda x, h: (h, h), 3),
            TypeError,
            "Recurrent: argument hidden_size: .* got NoneType",
        ),
        (lambda: nn.GRU(3, 2, zoneout=1.5), ValueError, "GRU: argument zoneout: .* got 1.5"),
        (lambda: nn.GRU(3, 2, state_dropout="a"), TypeError, "GRU: argument state_dropout: .* got str 'a'"),
        (lambda: nn.GRU(3, 2, input_dropout=-0.1), ValueError, "GRU: argument input_dropout: .* got -0.1"),
    ],
)
def test_a_wrong_layer_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


# -- dropout of each kind ----------------------------------------------------------------------------


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
def test_dropout_on_the_state_is_in_the_products_alone(kind):
    """With the mask as a factor of the columns of U, a sequence of a batch of one gives the same."""
    layer, x = built(kind, state_dropout=0.5), sequences()[:, :1]
    layer.rng = np.random.default_rng(7)
    dropped, _ = layer(x)
    mask = ((np.random.default_rng(7).random((1, H)) >= 0.5) / 0.5)[0]
    assert 0 < np.count_nonzero(mask) < H
    same = built(kind)
    same.weight_hh_l0.data = layer.weight_hh_l0.data * mask
    np.testing.assert_allclose(dropped.data, same(x)[0].data, rtol=1e-12)
    np.testing.assert_array_equal(layer.eval()(x)[0].data, built(kind)(x)[0].data)


def test_dropout_on_the_state_of_another_cell_is_on_all_that_it_sees():
    seen = []

    def look(x, h):
        seen.append(h.data)
        return x, h * 0 + 1

    nn.Recurrent(lambda size, rng: look, 20, hidden_size=20, state_dropout=0.5, rng=0)(np.ones((4, 3, 20)))
    assert set(np.unique(seen[1])) == {0.0, 2.0}
    assert np.array_equal(seen[1], seen[2])


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
def test_every_kind_of_dropout_together_and_with_lengths(kind):
    options = {"num_layers": 2, "bidirectional": True, "dropout": 0.2, "input_dropout": 0.2, "state_dropout": 0.2, "zoneout": 0.2}
    layer, x = built(kind, **options), sequences()[:3]

    def output(x):
        layer.rng = np.random.default_rng(4)
        return layer(x, lengths=[3, 0, 1, 2, 3])[0]

    np.testing.assert_array_equal(output(x).data, output(x).data)
    assert tg.gradcheck(output, x)
    assert not np.array_equal(output(x).data, layer.eval()(x, lengths=[3, 0, 1, 2, 3])[0].data)
    plain = built(kind, num_layers=2, bidirectional=True)
    layer.zoneout = 0.0
    np.testing.assert_array_equal(layer(x)[0].data, plain(x)[0].data)
    assert "state_dropout=0.2" in repr(layer)


# -- a look inside -----------------------------------------------------------------------------------


def test_the_gates_of_every_step_by_name():
    layer, x = built("GRU"), sequences()
    gates = tg.bptt.values(layer(x)[0])
    assert {name: array.shape for name, array in gates.items()} == dict.fromkeys("rznh", (T, B, H))
    W, U, b_i, b_h = (p.data for p in layer.parameters())
    h = np.zeros((B, H))
    for t in range(T):
        r, z = (1 / (1 + np.exp(-(x[t] @ W[i].T + b_i[i] + h @ U[i].T + b_h[i]))) for i in (slice(H), slice(H, 2 * H)))
        n = np.tanh(x[t] @ W[2 * H :].T + b_i[2 * H :] + r * (h @ U[2 * H :].T + b_h[2 * H :]))
        h = z * h + (1 - z) * n
        for name, expected in zip("rznh", (r, z, n, h), strict=True):
            np.testing.assert_allclose(gates[name][t], expected, rtol=1e-12, atol=1e-14)


def test_the_gates_of_layers_and_directions_have_their_scope():
    output, _ = built("LSTM", num_layers=2, bidirectional=True)(sequences())
    gates = tg.bptt.values(output)
    assert set(gates) == {f"lstm / layer {k}{d} / {name}" for k in (0, 1) for d in ("", " / reverse") for name in "ifgoch"}
    np.testing.assert_array_equal(gates["lstm / layer 1 / reverse / h"], output.data[:, :, H:])


def test_there_is_nothing_to_see_without_a_graph():
    with tg.no_grad():
        output, _ = built("GRU")(sequences())
    with pytest.raises(TypeError, match=r"bptt.values: argument output: .* a Tensor without a graph"):
        tg.bptt.values(output)
