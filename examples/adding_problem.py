"""The adding problem at T = 100, which a vanilla RNN cannot learn and a GRU can.

A sequence has a hundred random numbers, two of which are marked, one in each half. The answer is
the sum of these two. Always answering 1 has a mean squared error of 1/6. The problem is from
Hochreiter and Schmidhuber, 1997. Run it with ``python examples/adding_problem.py [FOLDER]``; it
takes about half a minute.
"""

import os
import sys

# The matrices are small: more threads would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from pictures import draw, plot

import tinygrad_rnn as tg

T, BATCH, HIDDEN, STEPS = 100, 32, 32, 400


def batch(rng):
    """Return sequences of numbers and marks (T, BATCH, 2), and the sums (BATCH, 1)."""
    sequence = np.arange(BATCH)
    first, second = rng.integers(0, T // 2, BATCH), rng.integers(T // 2, T, BATCH)
    x = np.stack([rng.random((T, BATCH)), np.zeros((T, BATCH))], axis=2).astype("float32")
    x[first, sequence, 1] = x[second, sequence, 1] = 1
    return x, (x[first, sequence, 0] + x[second, sequence, 0])[:, None]


def train(layer, rng):
    """Train a layer with a linear head, and return the loss of every step."""
    head = tg.nn.Linear(HIDDEN, 1, rng=1)
    parameters = [*layer.parameters(), *head.parameters()]
    optimizer = tg.optim.Adam(parameters, lr=0.01)
    losses = []
    for _ in range(STEPS):
        x, y = batch(rng)
        optimizer.zero_grad()
        output, _ = layer(x)
        loss = tg.nn.functional.mse_loss(head(output[-1]), y)
        loss.backward()
        tg.nn.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def main(folder="."):
    """Train both layers, print their errors, and return them by name."""
    gru = tg.nn.GRU(2, HIDDEN, rng=0)
    bias = gru.bias_ih_l0.data.copy()
    bias[HIDDEN : 2 * HIDDEN] = 1  # the update gate keeps most of the old state at first
    gru.bias_ih_l0.data = bias
    curves = {
        "RNN": train(tg.nn.RNN(2, HIDDEN, rng=0), np.random.default_rng(0)),
        "GRU": train(gru, np.random.default_rng(0)),
    }
    errors = {name: float(np.mean(losses[-50:])) for name, losses in curves.items()}
    listed = ", ".join(f"{name}: {error:.4f}" for name, error in errors.items())
    print(f"always 1: {1 / 6:.4f}, {listed}")
    smooth = {
        name: np.convolve(losses, np.ones(20) / 20, "valid") for name, losses in curves.items()
    }
    plot(folder, "adding_problem", smooth, y="squared error", log=True)
    x, y = batch(np.random.default_rng(1))
    loss = tg.nn.functional.mse_loss(gru(x)[0][-1, :, :1], y)
    draw(folder, "adding_problem_graph", loss, roll=True, fold="gate", parameters="hide")
    return errors


if __name__ == "__main__":
    main(*sys.argv[1:])
