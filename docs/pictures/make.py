"""Draws the pictures of the README: ``python docs/pictures/make.py``."""

from pathlib import Path

import numpy as np

import tinygrad_rnn as tg

HERE = Path(__file__).parent


def unrolled_gru():
    """A GRU over four steps: each gate one box with its equation, the state handed on from left to right."""
    x = tg.Tensor(np.random.default_rng(0).normal(size=(4, 1, 3)).astype(np.float32), name="x")
    output, _ = tg.nn.GRU(3, 2, rng=0)(x)
    loss = (output**2).sum()
    loss.name = "loss"
    return tg.graph(loss, fold="names", parameters="hide")


if __name__ == "__main__":
    print(unrolled_gru().save(HERE / "unrolled_gru.svg"))
