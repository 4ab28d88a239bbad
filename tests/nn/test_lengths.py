"""Sequences of different lengths: each gives what it gives alone."""

import numpy as np
import pytest
from helpers import state_parts
from recurrent_layers import (
    LENGTHS,
    B,
    D,
    Direction,
    Fall,
    H,
    Move,
    T,
    build_layer,
    every_layer,
    random_sequences,
    random_state,
    select_sequence,
    weighted_sum,
)

import tinygrad_rnn as tg
from tinygrad_rnn import nn


@every_layer
@pytest.mark.parametrize(
    "options",
    [{}, {"bidirectional": True}, {"num_layers": 2, "bidirectional": True}],
    ids=["plain", "both ways", "two, both ways"],
)
def test_sequences_of_different_lengths_give_what_each_gives_alone(kind, options):
    layer, x = build_layer(kind, **options), random_sequences()
    x[np.arange(T)[:, None] >= np.array(LENGTHS)] = np.nan  # padding has no effect
    start, weights = random_state(layer), np.random.default_rng(3).standard_normal((T, B, 2 * H))
    inputs = tg.Tensor(x, requires_grad=True)
    output, end = layer(inputs, start, lengths=LENGTHS)
    weighted_sum(output, end, weights).backward()
    together = {name: p.grad.copy() for name, p in layer.named_parameters()}
    layer.zero_grad()
    for b, n in enumerate(LENGTHS):
        if n == 0:
            assert not output.data[:, b].any()
            for one, all_of in zip(state_parts(start), state_parts(end), strict=True):
                np.testing.assert_array_equal(all_of.data[:, b], one.data[:, b])
            parts_sum = sum(
                ((part[:, b : b + 1]) * (i + 0.5)).sum()
                for i, part in enumerate(state_parts(start))
            )
            assert not parts_sum.requires_grad
            continue
        own = tg.Tensor(x[:n, b : b + 1], requires_grad=True)
        alone, last = layer(own, select_sequence(start, b))
        np.testing.assert_allclose(output.data[:n, b : b + 1], alone.data, rtol=1e-12, atol=1e-12)
        assert not output.data[n:, b].any()
        for one, all_of in zip(state_parts(last), state_parts(end), strict=True):
            np.testing.assert_allclose(all_of.data[:, b : b + 1], one.data, rtol=1e-12, atol=1e-12)
        weighted_sum(alone, last, weights[:, b : b + 1]).backward()
        np.testing.assert_allclose(inputs.grad[:n, b : b + 1], own.grad, rtol=1e-12, atol=1e-12)
        assert not inputs.grad[n:, b].any()
    for name, p in layer.named_parameters():
        np.testing.assert_allclose(together[name], p.grad, rtol=1e-12, atol=1e-12, err_msg=name)


@every_layer
def test_full_lengths_change_nothing(kind):
    layer, x = build_layer(kind, num_layers=2), random_sequences()
    plain, end = layer(x)
    masked, last = layer(x, lengths=np.full(B, T))
    np.testing.assert_array_equal(plain.data, masked.data)
    for a, b in zip(state_parts(end), state_parts(last), strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_lengths_work_with_the_batch_first():
    layer, x = build_layer("GRU", batch_first=True), random_sequences()
    first, end = layer(x.swapaxes(0, 1).copy(), lengths=LENGTHS)
    layer.batch_first = False
    second, last = layer(x, lengths=tg.Tensor(np.array(LENGTHS)))
    np.testing.assert_array_equal(first.data, second.data.swapaxes(0, 1))
    np.testing.assert_array_equal(end.data, last.data)


def assert_each_alone(layer, x, lengths, weights):
    """Assert that sequences together give the last states and gradients that each gives alone."""
    x = tg.Tensor(x, requires_grad=True)
    output, end = layer(x, lengths=lengths)
    weighted_sum(output, end, weights).backward()
    together = [p.grad.copy() for p in layer.parameters()]
    for p in layer.parameters():
        p.grad = np.zeros_like(p.data)
    for b, n in enumerate(lengths):
        if n:
            own = tg.Tensor(x.data[:n, b : b + 1], requires_grad=True)
            alone, last = layer(own)
            for one, whole in zip(state_parts(last), state_parts(end), strict=True):
                np.testing.assert_allclose(
                    whole.data[:, b : b + 1], one.data, rtol=1e-12, atol=1e-12
                )
            weighted_sum(alone, last, weights[:, b : b + 1]).backward()
            np.testing.assert_allclose(x.grad[:n, b : b + 1], own.grad, rtol=1e-12, atol=1e-12)
        assert not x.grad[n:, b].any()
    for p, grad in zip(layer.parameters(), together, strict=True):
        np.testing.assert_allclose(grad, p.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "options", [{}, {"bidirectional": True}, {"num_layers": 2, "bidirectional": True}]
)
@pytest.mark.parametrize("cell", [Direction, Move, Fall])
def test_an_infinite_derivative_does_not_meet_the_padding(cell, options):
    lengths = [2, 3, 0, 1, 3] if cell is Fall else LENGTHS
    if cell is Move and len(options) == 2:
        return  # its state is x, and the second layer has another input size
    x = np.where(np.arange(T)[:, None, None] < np.array(lengths)[:, None], random_sequences(), 0)
    weights = np.random.default_rng(3).standard_normal((T, B, 2 * H))
    assert_each_alone(nn.Recurrent(cell, D, rng=0, **options), x, lengths, weights)


def test_sequences_without_any_step_have_no_gradient():
    layer = nn.Recurrent(Direction, D, rng=0, bidirectional=True)
    assert_each_alone(layer, random_sequences(), [0] * B, np.ones((T, B, 2 * H)))


def test_gradients_through_lengths_are_right():
    layer = build_layer("LSTM", bidirectional=True)
    x = random_sequences()[:3]
    assert tg.gradcheck(lambda x: layer(x, lengths=[3, 0, 1, 2, 2])[0], x, order=2)


@pytest.mark.parametrize(
    ("lengths", "error"),
    [
        (
            [1, 2],
            r"GRU: argument lengths: expected one integer for each sequence, shape \(5,\), got "
            r"int64 \(2,\)",
        ),
        (
            [1, 2, 3, 4, 7],
            r"GRU: argument lengths: expected lengths from 0 to 6, .* got 7 at position 4",
        ),
        ([1, 2, -1, 4, 9], r"GRU: argument lengths: .* got -1 at position 2"),
        (
            [1.0, 2.0, 3.0, 4.0, 5.0],
            r"GRU: argument lengths: expected one integer for each sequence",
        ),
        (3, r"GRU: argument lengths: expected one integer for each sequence"),
        (
            [[1], [1, 2], 3, 4, 5],
            r"GRU: argument lengths: expected one integer for each sequence, .* got list "
            r"\[\[1\], \[1, 2\], 3, 4, 5\]",
        ),
    ],
)
def test_wrong_lengths_are_an_error(lengths, error):
    with pytest.raises(ValueError, match=error):
        build_layer("GRU")(random_sequences(), lengths=lengths)
    with pytest.raises(ValueError, match="expected no lengths, because x is a single sequence"):
        build_layer("GRU")(random_sequences()[:, 0], lengths=lengths)
