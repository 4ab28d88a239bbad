"""Five recurrent cells, each with little more code than its equations.

`tg.nn.Recurrent(Cell, input_size)` scans any of them over sequences. It also provides stacked
layers, both directions, sequences of different lengths, dropout, drawings and gradients. Run it
with ``python examples/cells.py``; it takes about a second.
"""

from functools import partial

import numpy as np

import tinygrad_rnn as tg

HIDDEN = 6


def matrix(rng, rows, columns):
    """Return a parameter with uniform initial values in ±1/√columns."""
    return tg.Tensor(tg.nn.init.uniform((rows, columns), columns**-0.5, rng), requires_grad=True)


def vector(rng, size):
    """Return a parameter with initial values near 1."""
    return tg.Tensor(1 + tg.nn.init.uniform((size,), 0.1, rng), requires_grad=True)


class MGU(tg.nn.Module):
    """The minimal gated unit: one gate both resets and updates (Zhou et al., 2016)."""

    def __init__(self, size, rng, hidden=HIDDEN):
        super().__init__()
        self.hidden_size = hidden
        self.W_f, self.U_f, self.W_n, self.U_n = (
            matrix(rng, rows, hidden) for rows in (size, hidden, size, hidden)
        )

    def forward(self, x, h):
        f = tg.sigmoid(x @ self.W_f + h @ self.U_f)
        n = tg.tanh(x @ self.W_n + (f * h) @ self.U_n)
        h = (1 - f) * h + f * n
        f.name, n.name, h.name = "f", "n", "h"
        return h, h


class PeepholeLSTM(tg.nn.LSTMCell):
    """An LSTM whose gates also see the cell state (Gers and Schmidhuber, 2000)."""

    def __init__(self, size, rng, hidden=HIDDEN):
        super().__init__(size, hidden, rng=rng)
        self.p_i, self.p_f, self.p_o = (vector(rng, hidden) for _ in "ifo")

    def unroll(self, x, mask=None):
        inputs = tg.linear(x, self.weight_ih, self.bias_ih + self.bias_hh)
        return inputs, partial(self.step, mask=mask)

    def step(self, x, state, mask):
        h, c = state
        i, f, g, o = tg.split(x + (h if mask is None else h * mask) @ self.weight_hh.T, 4, axis=-1)
        c_new = tg.sigmoid(f + self.p_f * c) * c + tg.sigmoid(i + self.p_i * c) * tg.tanh(g)
        h = tg.sigmoid(o + self.p_o * c_new) * tg.tanh(c_new)
        c_new.name, h.name = "c", "h"
        return h, (h, c_new)


class LayerNormGRU(tg.nn.Module):
    """A GRU that normalises its sums before the nonlinearity (Ba et al., 2016)."""

    def __init__(self, size, rng, hidden=HIDDEN):
        super().__init__()
        self.hidden_size = hidden
        self.W, self.U = matrix(rng, size, 3 * hidden), matrix(rng, hidden, 3 * hidden)
        self.norm_x, self.norm_h = tg.nn.LayerNorm(3 * hidden), tg.nn.LayerNorm(3 * hidden)

    def forward(self, x, h):
        x_r, x_z, x_n = tg.split(self.norm_x(x @ self.W), 3, axis=-1)
        h_r, h_z, h_n = tg.split(self.norm_h(h @ self.U), 3, axis=-1)
        r, z = tg.sigmoid(x_r + h_r), tg.sigmoid(x_z + h_z)
        h = z * h + (1 - z) * tg.tanh(x_n + r * h_n)
        r.name, z.name, h.name = "r", "z", "h"
        return h, h


class IndRNN(tg.nn.Module):
    """Each unit sees only its own past: h' = relu(x W + u ⊙ h + b) (Li et al., 2018)."""

    def __init__(self, size, rng, hidden=HIDDEN):
        super().__init__()
        self.hidden_size = hidden
        self.W, self.u, self.b = matrix(rng, size, hidden), vector(rng, hidden), vector(rng, hidden)

    def forward(self, x, h):
        h = tg.relu(x @ self.W + self.u * h + self.b)
        h.name = "h"
        return h, h


def moving_average(x, h):
    """Return the mean of state and input: a cell without parameters can be a plain function."""
    h = 0.5 * h + 0.5 * x
    h.name = "h"
    return h, h


CELLS = {
    "MGU": MGU,
    "peephole LSTM": PeepholeLSTM,
    "layer-norm GRU": LayerNormGRU,
    "IndRNN": IndRNN,
}


def layers(**options):
    """Return a layer of each cell, by name. All of them read vectors of three numbers."""
    modules = {name: tg.nn.Recurrent(cell, 3, rng=0, **options) for name, cell in CELLS.items()}
    average = tg.nn.Recurrent(lambda size, rng: moving_average, 3, hidden_size=3, rng=0)
    return {**modules, "moving average": average}


def main():
    """Scan each cell over three sequences of different lengths, and check its gradients."""
    x = tg.Tensor(np.random.default_rng(0).standard_normal((5, 3, 3)), requires_grad=True)
    for name, layer in layers().items():
        parameters = [p for _, p in layer.named_parameters()]
        if parameters:
            layer.astype(np.float64)
        output, _ = layer(x, lengths=[5, 2, 0])
        ok = tg.gradcheck(lambda x, layer=layer: layer(x, lengths=[5, 2, 0])[0], x)
        size = sum(p.size for p in parameters)
        print(f"{name:<15} {size:>4} parameters, output {output.shape}, gradients right: {ok}")


if __name__ == "__main__":
    main()
