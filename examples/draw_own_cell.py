"""A cell of your own, unrolled, drawn, and followed backwards step by step.

The cell knows nothing about drawing. Names make the picture readable: a named value is in bold,
with its time step, and a frame encloses it and the unnamed values that only it needs. Run it
with ``python examples/draw_own_cell.py [FOLDER]``; it takes about a second.
"""

import sys
from pathlib import Path

import numpy as np

import tinygrad_rnn as tg

rng = np.random.default_rng(0)


def weight(name, *shape):
    """Return a named parameter with random entries."""
    return tg.Tensor(rng.normal(0, 0.5, shape), requires_grad=True, name=name)


W, U, V = weight("W", 3, 2), weight("U", 2, 2), weight("V", 3, 2)


def leaky(x, h):
    """Compute a step of a leaky unit: h' = a ⊙ h + (1 − a) ⊙ tanh(x W + h U).

    The gate a = σ(x V) is the share of the old state that stays.
    """
    a = tg.sigmoid(x @ V)
    h = a * h + (1 - a) * tg.tanh(x @ W + h @ U)
    x.name, a.name, h.name = "x", "a", "h"
    return h, h


def main(folder=Path()):
    """Draw the graph in two ways, and return the paths of the files."""
    x = tg.Tensor(rng.normal(size=(4, 2, 3)))
    _, h = tg.scan(leaky, x, tg.Tensor(np.zeros((2, 2)), name="h"))
    loss = (h**2).sum()
    loss.name = "loss"
    print(tg.graph(loss).text())
    paths = tg.graph(loss, highlight=U)
    print(f"\nThe gradient reaches U along {paths.paths} paths.\n")
    for step in tg.backward_steps(loss):
        if step.number <= 3:
            print(step)
    ends = tg.graph(loss, steps="first:1,last:1", show="shape,value,grad", parameters="chips")
    folder = Path(folder)
    return [paths.save(folder / "own_cell_paths.svg"), ends.save(folder / "own_cell_steps.svg")]


if __name__ == "__main__":
    for path in main(*map(Path, sys.argv[1:])):
        print(path)
