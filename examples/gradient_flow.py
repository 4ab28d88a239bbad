"""The gradient of a GRU through fifty steps, compared with that of a vanilla RNN.

Run it with ``python examples/gradient_flow.py [FOLDER]``; with Matplotlib (the extra ``plot``) it
draws the gradients as well. It takes about two seconds.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import tinygrad_rnn as tg

STEPS, HIDDEN = 50, 16


def measure_flow(layer):
    """Return the gradient flow from a loss on the last state back to the first state."""
    x = np.random.default_rng(0).normal(size=(STEPS, 1, 4)).astype(np.float32)
    output, _ = layer(x)
    return tg.bptt.flow((output[-1] ** 2).sum())


def keep_old_state(gru):
    """Set the bias of the update gate to 2, so that most of the old state stays at first."""
    bias = gru.bias_ih_l0.data.copy()
    bias[HIDDEN : 2 * HIDDEN] = 2
    gru.bias_ih_l0.data = bias
    return gru


def main(folder=Path()):
    """Print the norms, draw them if Matplotlib is installed, and return them by name."""
    flows = {
        "RNN": measure_flow(tg.nn.RNN(4, HIDDEN, rng=0)),
        "GRU": measure_flow(tg.nn.GRU(4, HIDDEN, rng=0)),
        "GRU, update bias 2": measure_flow(keep_old_state(tg.nn.GRU(4, HIDDEN, rng=0))),
    }
    for name, flow in flows.items():
        norms = flow.norms("h")
        print(
            f"{name:<20} ‖∂L/∂h‖ at the last step {norms[-1]:.2e}, "
            f"25 steps before {norms[-26]:.2e}, at the first {norms[0]:.2e}"
        )
    if find_spec("matplotlib"):
        axes = None
        for name, flow in flows.items():
            axes = flow.plot(axes, label=name)
        path = Path(folder) / "gradient_flow.svg"
        axes.figure.savefig(path)
        print(path)
    else:
        print("no picture without Matplotlib: pip install 'tinygrad_rnn[plot]'")
    return {name: flow.norms("h") for name, flow in flows.items()}


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
