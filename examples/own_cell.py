"""A recurrent cell of your own in a few lines: the minimal gated unit, trained to remember.

The network reads ten random numbers and must output the first of them at the end. Backpropagation
through time needs no code here: `tg.scan` calls the cell at every step, and the gradient is
computed from the graph. Run it with ``python examples/own_cell.py``; it takes a few seconds.
"""

import numpy as np

import tinygrad_rnn as tg


class MGU(tg.nn.Module):
    """The minimal gated unit (Zhou et al., 2016).

    f = σ(x W_f + h U_f + b_f), n = tanh(x W_n + (f ⊙ h) U_n + b_n), h' = (1 − f) ⊙ h + f ⊙ n
    """

    def __init__(self, inputs, hidden, rng):
        super().__init__()
        self.x = tg.nn.Linear(inputs, 2 * hidden, rng=rng)
        self.f = tg.nn.Linear(hidden, hidden, bias=False, rng=rng)
        self.n = tg.nn.Linear(hidden, hidden, bias=False, rng=rng)

    def forward(self, x, h):
        x_f, x_n = self.x(x).split(2, axis=-1)
        f = tg.sigmoid(x_f + self.f(h))
        n = tg.tanh(x_n + self.n(f * h))
        h = (1 - f) * h + f * n
        return h, h


def main(steps=600, length=10, batch=32, hidden=16, seed=0):
    """Train, and return the mean squared error at the start and at the end."""
    rng = np.random.default_rng(seed)
    cell, readout = MGU(2, hidden, rng), tg.nn.Linear(hidden, 1, rng=rng)
    optimizer = tg.optim.Adam([*cell.parameters(), *readout.parameters()], lr=0.01)
    errors = []
    for _ in range(steps):
        numbers = rng.uniform(-1, 1, (length, batch, 1)).astype(np.float32)
        first = np.zeros_like(numbers)
        first[0] = 1  # the second input marks the number to remember
        x = np.concatenate([numbers, first], axis=-1)
        _, h = tg.scan(cell, tg.Tensor(x), tg.Tensor(np.zeros((batch, hidden), np.float32)))
        loss = tg.nn.functional.mse_loss(readout(h), numbers[0])
        optimizer.zero_grad()
        loss.backward()
        tg.nn.clip_grad_norm_([*cell.parameters(), *readout.parameters()], 1.0)
        optimizer.step()
        errors.append(loss.item())
    return float(np.mean(errors[:20])), float(np.mean(errors[-20:]))


if __name__ == "__main__":
    before, after = main()
    print(
        f"mean squared error: {before:.3f} at first, {after:.4f} after training "
        f"(guessing 0 gives {1 / 3:.3f})"
    )
