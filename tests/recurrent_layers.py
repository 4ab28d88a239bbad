"""Recurrent layers of every kind, and inputs for them, that several tests of nn share."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from helpers import state_parts

import tinygrad_rnn as tg
from tinygrad_rnn import nn

EXAMPLE = Path(__file__).parents[1] / "examples" / "cells.py"

CELLS = runpy.run_path(str(EXAMPLE))["CELLS"]

T, B, D, H = 6, 5, 3, 4
"""Time steps, sequences, input size and hidden size."""

LENGTHS = [3, 6, 0, 1, 5]
"""The length of each of the B sequences."""

MAKE = {
    "RNN": lambda **o: nn.RNN(D, H, rng=0, **o),
    "GRU": lambda **o: nn.GRU(D, H, rng=0, **o),
    "GRU before": lambda **o: nn.GRU(D, H, reset="before", rng=0, **o),
    "LSTM": lambda **o: nn.LSTM(D, H, rng=0, **o),
    **{
        name: lambda cell=cell, **o: nn.Recurrent(
            lambda size, rng: cell(size, rng, H), D, rng=0, **o
        )
        for name, cell in CELLS.items()
    },
}

every_layer = pytest.mark.parametrize("kind", MAKE)


def build_layer(kind, **options):
    """Return a layer in float64."""
    return MAKE[kind](**options).astype(np.float64)


def random_sequences():
    """Return inputs of shape (T, B, D)."""
    return np.random.default_rng(1).standard_normal((T, B, D))


def random_state(layer, n=B, seed=2):
    """Return a random initial state of n sequences."""
    rng = np.random.default_rng(seed)
    rows = len(list(layer._cells()))
    h = rng.standard_normal((rows, n, H))
    return (
        (tg.Tensor(h), tg.Tensor(rng.standard_normal((rows, n, H))))
        if isinstance(layer.cells[0][0], nn.LSTMCell)
        else tg.Tensor(h)
    )


def select_sequence(state, b):
    """Return the state of sequence b, as a batch of one."""
    found = tuple(tg.Tensor(part.data[:, b : b + 1]) for part in state_parts(state))
    return found if isinstance(state, tuple) else found[0]


def weighted_sum(output, state, weights):
    """Return a sum over output and last state in which entries have different weights."""
    return (output * weights[: len(output), :, : output.shape[2]]).sum() + sum(
        (part * (i + 0.5)).sum() for i, part in enumerate(state_parts(state))
    )


class Direction(nn.Module):
    """A cell that depends on x only through its direction: the derivative is infinite at 0."""

    def __init__(self, size, rng):
        super().__init__()
        self.hidden_size, self.W = H, tg.Tensor(rng.standard_normal((size, H)), requires_grad=True)

    def forward(self, x, h):
        h = tg.tanh(
            (x / tg.sqrt((x * x).sum(axis=-1, keepdims=True))) @ self.W
            + 0.5 * h
            + tg.log(x * x).mean(axis=-1, keepdims=True)
        )
        return h, h


class Move(Direction):
    """A cell that depends on the direction of the change of x: infinite where x stays the same."""

    def zero_state(self, batch):
        return tg.Tensor(np.zeros((*batch, H))), tg.Tensor(np.full((*batch, self.W.shape[0]), 0.5))

    def forward(self, x, state):
        move = x - state[1]
        h = tg.tanh(
            (move / tg.sqrt((move * move).sum(axis=-1, keepdims=True))) @ self.W + 0.5 * state[0]
        )
        return h, (h, x)


class Fall(Direction):
    """A cell whose derivative is infinite in the state after three steps."""

    def zero_state(self, batch):
        return tg.Tensor(np.full((*batch, H), 3.0))

    def forward(self, x, h):
        return tg.tanh(x @ self.W) * tg.sqrt(h), h - 1 + 0 * self.W.sum()
