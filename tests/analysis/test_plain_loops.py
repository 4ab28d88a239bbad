"""Loops over time in plain Python: which are found, and that they look like scans."""

import numpy as np
import pytest
from internals import plain_scope

import tinygrad_rnn as tg

F = tg.nn.functional


def steps_of(output):
    """Return the steps of all nodes, and the number of ops in each."""
    counts = {}
    for node in tg.graph(output, fold=()).nodes:
        for part in node.scope:
            if part.is_step:
                counts[part.index] = counts.get(part.index, 0) + node.ops
    return counts


def ones(*shape, name=None):
    return tg.Tensor(np.ones(shape, np.float32), name=name)


def cell_loop(turns):
    cell, h = tg.nn.GRUCell(2, 3, rng=0), ones(1, 3, name="h")
    for x in ones(turns, 1, 2):
        _, h = cell(x, h)
    return h.sum()


def stacked_cells(turns):
    first, second = tg.nn.LSTMCell(2, 3, rng=0), tg.nn.LSTMCell(3, 3, rng=1)
    a = b = None
    for x in ones(turns, 1, 2):
        y, a = first(x, a)
        y, b = second(y, b)
    return y.sum()


def by_hand(turns):
    w = tg.Tensor(np.eye(4), requires_grad=True, name="W")
    h = tg.Tensor(np.ones((1, 4)), name="h")
    for _ in range(turns):
        h = h + tg.tanh(h @ w)
        h.name = "h"
    return h.sum()


def losses(turns):
    cell, head, h = tg.nn.RNNCell(2, 3, rng=0), tg.nn.Linear(3, 4, rng=1), ones(1, 3)
    terms = []
    for x in ones(turns, 1, 2):
        y, h = cell(x, h)
        terms.append(F.cross_entropy(head(y), np.array([1])))
    return tg.stack(terms).mean()


def twice_a_turn(turns):
    cell, h = tg.nn.RNNCell(2, 2, rng=0), ones(1, 2)
    for x in ones(turns, 1, 2):
        y, h = cell(x, h)
        _, h = cell(y, h)
    return h.sum()


@pytest.mark.parametrize("turns", [3, 5])
@pytest.mark.parametrize("loop", [cell_loop, stacked_cells, by_hand, losses])
def test_the_turns_of_a_loop_are_time_steps(loop, turns):
    counts = steps_of(loop(turns))
    assert list(counts) == list(range(turns))
    assert len(set(list(counts.values())[1:])) == 1, "all turns but the first have the same ops"


def test_two_turns_are_a_loop_if_each_has_an_input():
    assert list(steps_of(cell_loop(2))) == [0, 1]
    assert steps_of(by_hand(2)) == {}


def test_calls_in_one_turn_stay_apart():
    output = twice_a_turn(3)
    scopes = {plain_scope(node.scope) for node in tg.graph(output, fold=()).nodes if node.ops}
    assert len({scope for scope in scopes if len(scope) > 1}) in (3, 6)


def test_a_loop_gives_the_picture_of_a_scan():
    cell, x = tg.nn.GRUCell(2, 3, rng=0), ones(4, 1, 2, name="x")
    h = ones(1, 3, name="h")
    by_scan = tg.scan(cell, x, h)[1].sum()
    for t in range(4):
        _, h = cell(x[t], h)
    pictures = [tg.graph(out, fold="gate", parameters="hide") for out in (by_scan, h.sum())]
    kinds = [
        sorted((v.kind, v.name, plain_scope(v.scope)[:1]) for v in picture.nodes)
        for picture in pictures
    ]
    assert [k for k in kinds[0] if k[0] == "state"] == [k for k in kinds[1] if k[0] == "state"]


@pytest.mark.parametrize(
    "output",
    [
        lambda: sum(tg.nn.Linear(3, 3, rng=k)(ones(1, 3)) for k in range(4)).sum(),
        lambda: tg.tanh(tg.tanh(tg.tanh(tg.Tensor([1.0], requires_grad=True)))).sum(),
    ],
)
def test_other_repetitions_are_no_loops(output):
    assert steps_of(output()) == {}


def test_a_running_sum_is_a_state_and_a_sum_of_all_is_none():
    layer = tg.nn.Linear(3, 3, rng=0)
    assert list(steps_of(sum(layer(ones(1, 3)) for _ in range(4)).sum())) == [0, 1, 2, 3]
    assert steps_of(tg.stack([layer(ones(1, 3)) for _ in range(4)]).sum()) == {}


def test_a_residual_network_is_no_loop():
    h = ones(1, 3)
    for k in range(4):
        h = h + tg.relu(tg.nn.Linear(3, 3, rng=k)(h))
    assert steps_of(h.sum()) == {}


def test_an_encoder_and_a_decoder_are_two_loops():
    encoder, decoder, h = tg.nn.RNNCell(2, 3, rng=0), tg.nn.RNNCell(2, 3, rng=1), ones(1, 3)
    for x in ones(3, 1, 2):
        _, h = encoder(x, h)
    for x in ones(4, 1, 2):
        _, h = decoder(x, h)
    loops = {
        node.scope[: [p.is_step for p in node.scope].index(True)]
        for node in tg.graph(h.sum(), fold=()).nodes
        if any(p.is_step for p in node.scope)
    }
    assert len(loops) == 2
    assert list(steps_of(h.sum())) == [0, 1, 2, 3]


def test_a_gradient_is_no_loop():
    w = tg.Tensor(np.linspace(0.1, 1, 3), requires_grad=True, name="w")
    (g,) = tg.grad(tg.tanh(tg.tanh(w * w) * w).sum(), [w], create_graph=True)
    assert steps_of((g * g).sum()) == {}
