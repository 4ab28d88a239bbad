"""The adding problem (Hochreiter and Schmidhuber, 1997) at T = 100: what an RNN cannot learn and a GRU can.

A sequence of a hundred random numbers, two of them marked, one in each half; the answer is the sum of the two. Who always
says 1 is wrong by 1/6 on average. Run it with ``python examples/adding_problem.py [FOLDER]``; it takes about half a minute.
"""

import os
import sys

os.environ.setdefault(
    "OPENBLAS_NUM_THREADS", "1"
)  # the matrices are small: threads would wait for each other

import numpy as np
from pictures import draw, plot

import tinygrad_rnn as tg

T, BATCH, HIDDEN, STEPS = 100, 32, 32, 400


def batch(rng):
    """Sequences (T, BATCH, 2), numbers and marks, and the sums (BATCH, 1)."""
    each = np.arange(BATCH)
    first, second = rng.integers(0, T // 2, BATCH), rng.integers(T // 2, T, BATCH)
    x = np.stack([rng.random((T, BATCH)), np.zeros((T, BATCH))], axis=2).astype("float32")
    x[first, each, 1] = x[second, each, 1] = 1
    return x, (x[first, each, 0] + x[second, each, 0])[:, None]


def train(layer, rng):
    """The loss of every step."""
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
    """Train both, print what they reach, and return it."""
    gru = tg.nn.GRU(2, HIDDEN, rng=0)
    bias = gru.bias_ih_l0.data.copy()
    bias[HIDDEN : 2 * HIDDEN] = 1  # the update gate: remember at first
    gru.bias_ih_l0.data = bias
    curves = {
        "RNN": train(tg.nn.RNN(2, HIDDEN, rng=0), np.random.default_rng(0)),
        "GRU": train(gru, np.random.default_rng(0)),
    }
    reached = {name: float(np.mean(losses[-50:])) for name, losses in curves.items()}
    print(
        f"always 1: {1 / 6:.4f}, "
        + ", ".join(f"{name}: {error:.4f}" for name, error in reached.items())
    )
    smooth = {
        name: np.convolve(losses, np.ones(20) / 20, "valid") for name, losses in curves.items()
    }
    plot(folder, "adding_problem", smooth, y="squared error", log=True)
    x, y = batch(np.random.default_rng(1))
    draw(
        folder,
        "adding_problem_graph",
        tg.nn.functional.mse_loss(gru(x)[0][-1, :, :1], y),
        roll=True,
        fold="names",
        parameters="hide",
    )
    return reached


if __name__ == "__main__":
    main(*sys.argv[1:])
