"""Draws the pictures of the README: ``python docs/pictures/make.py``."""

from pathlib import Path

import numpy as np

import tinygrad_rnn as tg

HERE = Path(__file__).parent


def unrolled_gru(theme):
    """Draw a GRU over two steps: one box with its equation for each gate."""
    rng = np.random.default_rng(0)
    W_z, W_r, W_n = (
        tg.Tensor(rng.normal(size=(3, 2)), requires_grad=True, name=f"W{gate}") for gate in "zrn"
    )
    U_z, U_r, U_n = (
        tg.Tensor(rng.normal(size=(2, 2)), requires_grad=True, name=f"U{gate}") for gate in "zrn"
    )

    def gru(x, h):
        z = tg.sigmoid(x @ W_z + h @ U_z)
        r = tg.sigmoid(x @ W_r + h @ U_r)
        n = tg.tanh(x @ W_n + (r * h) @ U_n)
        h = z * h + (1 - z) * n
        x.name, z.name, r.name, n.name, h.name = "x", "z", "r", "n", "h"
        return h, h

    _, h = tg.scan(
        gru, tg.Tensor(rng.normal(size=(2, 1, 3))), tg.Tensor(np.zeros((1, 2)), name="h")
    )
    loss = (h * h).sum()
    loss.name = "loss"
    return tg.graph(loss, fold="gate", parameters="hide", theme=theme)


if __name__ == "__main__":
    print(unrolled_gru("light").save(HERE / "unrolled_gru.svg"))
    print(unrolled_gru("dark").save(HERE / "unrolled_gru.dark.svg"))
