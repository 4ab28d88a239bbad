"""Random cells, layers and comparisons of results that the tests of the compiler share."""

import numpy as np
from helpers import state_parts

import tinygrad_rnn as tg
from examples import cells


class RandomCell(tg.nn.Module):
    """A random composition of ops, always the same for one seed.

    Parameters are used once or several times, and there may be outputs besides the state.
    """

    def __init__(self, seed):
        super().__init__()
        rng = np.random.default_rng(seed)
        self.B, self.I, self.H = (int(n) for n in rng.integers(1, 5, 3))
        self.several = bool(rng.integers(2))
        self.seed = int(rng.integers(2**31))
        self.steps = int(rng.integers(3, 16))
        self.rng, self.made = rng, 0
        self.W = self.parameter(self.I, self.H)
        self.U = self.parameter(self.H, self.H)
        self.b = self.parameter(self.H)

    def parameter(self, *shape):
        """Return a new parameter."""
        return tg.Tensor(0.6 * self.rng.standard_normal(shape), requires_grad=True)

    def own(self, *shape):
        """Return the parameter of this position in the cell."""
        self.made += 1
        name = f"p{self.made}"
        if name not in self._parameters:
            setattr(self, name, self.parameter(*shape))
        return self._parameters[name]

    def forward(self, x, state):
        draw, self.made = np.random.default_rng(self.seed), 0
        H, old = self.H, list(state) if self.several else [state]
        values = [*old, x @ self.W + self.b]
        for _ in range(self.steps):
            a, b = (values[i] for i in draw.integers(len(values), size=2))
            values.append(self.step(int(draw.integers(24)), x, a, b, H))
        new = tuple(tg.tanh(values[-1 - i]) for i in range(len(old)))
        output = [new[0], values[-1] @ self.own(H, H), (values[-2], 2 * new[0])][
            int(draw.integers(3))
        ]
        return output, new if self.several else new[0]

    def step(self, kind, x, a, b, H):
        """Return the result of one of the operations on a, b and x."""
        choices = [
            lambda: tg.tanh(a),
            lambda: tg.sigmoid(a + b),
            lambda: a * b,
            lambda: a @ self.U,
            lambda: a @ self.own(H, H) + x @ self.W + self.b,
            lambda: tg.linear(a, self.own(H, H), self.own(H)),
            lambda: tg.lerp(a, b, tg.sigmoid(a)),
            lambda: tg.relu(a) - b,
            lambda: tg.concatenate([x, a], axis=-1) @ self.own(self.I + H, H),
            lambda: tg.softmax(a),
            lambda: self.gated(a @ self.own(H, 2 * H)),
            lambda: tg.maximum(a, b),
            lambda: tg.where(a > 0, a, 0.1 * b),
            lambda: (
                (a - a.mean(axis=-1, keepdims=True)) / tg.sqrt(a.var(axis=-1, keepdims=True) + 1.0)
            ),
            lambda: 1 - a,
            lambda: a / (1 + b * b),
            lambda: a * self.own(H),
            lambda: tg.exp(-a * a),
            lambda: 0.3 * tg.log_softmax(a),
            lambda: 0.5 * tg.stack([a, b]).sum(axis=0),
            lambda: (self.own(H, H) @ a.T).T,
            lambda: tg.softplus(a) - tg.abs(b),
            lambda: tg.clip(a, -0.5, 0.5) + tg.logsumexp(b, axis=-1, keepdims=True),
            lambda: tg.einsum("bh,kh->bk", a, self.own(H, H)) + a.max(axis=-1, keepdims=True),
        ]
        return choices[kind]()

    @staticmethod
    def gated(a):
        """Return one half of the columns, times the sigmoid of the other."""
        H = a.shape[-1] // 2
        return a[:, :H] * tg.sigmoid(a[:, H:])


def results_and_gradients(run, cell, inputs, state, reverse, seed=0):
    """Return outputs and last states of a scan, and every gradient, for random cotangents.

    `run` is the cell, or the same cell compiled.
    """
    rng = np.random.default_rng(seed)
    ends = [*state_parts(inputs), *state_parts(state)]
    for leaf in (*ends, *cell.parameters()):
        leaf.grad = None
    output, last = tg.scan(run, inputs, state, reverse=reverse)
    results = [*state_parts(output), *state_parts(last)]
    total = sum((y * rng.standard_normal(y.shape)).sum() for y in results)
    total.backward()
    return [y.data for y in results], [leaf.grad for leaf in (*ends, *cell.parameters())]


def assert_near(ours, theirs, within=1e-10):
    """Assert that arrays agree up to a relative error; None counts as zero."""
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        a, b = (np.zeros(()) if g is None else g for g in (a, b))
        assert np.abs(a - b).max(initial=0) <= within * (1 + np.abs(b).max(initial=0))


LAYERS = {
    "RNN": lambda **options: tg.nn.RNN(3, 4, rng=0, **options),
    "relu": lambda **options: tg.nn.RNN(3, 4, nonlinearity="relu", rng=0, **options),
    "GRU": lambda **options: tg.nn.GRU(3, 4, rng=0, **options),
    "GRU before": lambda **options: tg.nn.GRU(3, 4, reset="before", rng=0, **options),
    "LSTM": lambda **options: tg.nn.LSTM(3, 4, rng=0, **options),
    "MGU": lambda **options: tg.nn.Recurrent(cells.MGU, 3, rng=0, **options),
    "peephole": lambda **options: tg.nn.Recurrent(cells.PeepholeLSTM, 3, rng=0, **options),
    "layer norm": lambda **options: tg.nn.Recurrent(cells.LayerNormGRU, 3, rng=0, **options),
    "IndRNN": lambda **options: tg.nn.Recurrent(cells.IndRNN, 3, rng=0, **options),
}


def run_random_cell(seed, **options):
    """Return results and gradients of a compiled random cell and of the cell, and the former.

    The cell runs first, because its first run creates its parameters.
    """
    cell, rng = RandomCell(seed), np.random.default_rng(seed)
    x = tg.Tensor(rng.standard_normal((4, cell.B, cell.I)), requires_grad=True)
    states = [
        tg.Tensor(rng.standard_normal((cell.B, cell.H)), requires_grad=True, name=name)
        for name in ("h", "c")
    ]
    state = tuple(states[: 1 + seed % 2]) if cell.several else states[0]
    fast = tg.compile(cell, **options)
    with np.errstate(all="ignore"):
        theirs = results_and_gradients(cell, cell, x, state, bool(seed % 3))
        return results_and_gradients(fast, cell, x, state, bool(seed % 3)), theirs, fast


def random_matrix(*shape, seed=0, dtype=np.float64, frozen=False):
    """Return a random Tensor that requires a gradient, unless it is frozen."""
    return tg.Tensor(
        (0.5 * np.random.default_rng(seed).standard_normal(shape)).astype(dtype),
        requires_grad=not frozen,
    )
