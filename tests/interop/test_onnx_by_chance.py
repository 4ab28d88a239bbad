"""Random small models, exported and run by onnxruntime on other numbers and sizes."""

import numpy as np
import pytest
from onnx_export import assert_agree, export, floats

import tinygrad_rnn as tg
from tinygrad_rnn import nn

FEATURES = 4

# Each part of a model takes Tensors a and b of shape (T, B, 4) and returns one of that shape. It
# compares with numbers that no entry is near to, because two runtimes round differently.
WITHOUT_WEIGHTS = {
    "arithmetic": lambda a, b: (a + 2 * b) * a - b / 3,
    "a power": lambda a, b: a**2 + (tg.abs(b) + 1) ** 0.5,
    "exponentials": lambda a, b: tg.exp(-tg.square(a)) + tg.log1p(tg.abs(b)) + tg.expm1(b),
    "waves": lambda a, b: tg.sin(a) * tg.cos(b) + tg.sign(a),
    "activations": lambda a, b: tg.relu(a) + tg.softplus(b) * tg.sigmoid(a) + tg.tanh(b),
    "a softmax": lambda a, b: tg.softmax(a, axis=0) + tg.log_softmax(b),
    "extremes": lambda a, b: tg.maximum(a, b) - tg.minimum(a, 0.25) + a.max(axis=0),
    "sums": lambda a, b: a - b.mean(axis=(0, 1)) + tg.sum(a, axis=-1, keepdims=True) / 9,
    "spreads": lambda a, b: (a - a.mean(axis=0)) / (tg.std(b, axis=0) + 1) + tg.var(a),
    "a logsumexp": lambda a, b: a - tg.logsumexp(b, axis=-1, keepdims=True),
    "running sums": lambda a, b: tg.cumsum(a, axis=0) / 9 + b,
    "clips": lambda a, b: a.clip(-0.5, 0.5) + tg.clip(b, min=0.1),
    "lerp": lambda a, b: tg.lerp(a, b, 0.25),
    "a leaky unit": lambda a, b: tg.where(a > 0, a, 0.1 * b),
    "masks": lambda a, b: a * ((b > 0.2) & ~(a < -1) | np.logical_xor(a >= 1, b <= -0.3)),
    "masks of arrays": lambda a, b: tg.where(np.where(a.data > 0, b.data > 0, a.data < -1), a, b),
    "weights from a mask": lambda a, b: a * (b.data > 0).astype(np.float32) - (1 - (a > 0)) * b,
    "missing numbers": lambda a, b: tg.where(np.isnan(np.where(a > 0, a, np.nan)), 0, b),
    "any, all": lambda a, b: a * (b > 0.5).any(axis=-1, keepdims=True) + b * np.all(a > -9),
    "a share": lambda a, b: a * (b > 0).mean(axis=0).astype(np.float32) + (a > 0).mean(),
    "the largest": lambda a, b: a + tg.tanh(tg.abs(b)) * b.argmax(axis=-1)[..., None],
    "an item": lambda a, b: a * b.max().item() + (2 * a.data.min().item() - 1),
    "functions of arrays": lambda a, b: a * np.abs(b.data).mean(axis=0) - np.var(a.data) * b,
    "shapes of arrays": lambda a, b: a + b.data.sum(axis=1)[:, None] / np.square(a.data).max(),
    "a new array": lambda a, b: a * updated(b.data * 2),
    "a new Tensor": lambda a, b: tg.tanh(tg.Tensor(a.data)) + b,
    "zeros": lambda a, b: a + tg.Tensor(np.zeros((1, a.shape[1], 1), np.float32)) + b[:1],
    "one place": lambda a, b: a + b[0] - b[-1, :, 1:2] + b[..., 2][..., None],
    "slices": lambda a, b: a[..., ::-1] + tg.concatenate([b[1:], b[:1]]),
    "picked": lambda a, b: a[..., [2, 0, 1, 3]] * b[..., np.array([1])],
    "axes": lambda a, b: a.transpose(1, 0, 2).swapaxes(0, 1) + b[None].squeeze(0),
    "reshapes": lambda a, b: a.reshape(a.shape[0], -1).reshape(a.shape) + b.reshape(-1, 4)[:1],
    "flips": lambda a, b: tg.flip(a, axis=0) + tg.flip(b, axis=(1, 2)),
    "joined": lambda a, b: tg.stack([a, b], axis=1).mean(axis=1) + tg.concatenate([a, b])[-1],
    "split": lambda a, b: tg.concatenate(tg.split(a, [1, 3], axis=-1)[::-1], axis=-1) * b,
    "broadcasts": lambda a, b: tg.broadcast_to(a[:1], a.shape) * b,
    "no graph": tg.no_grad()(lambda a, b: tg.tanh(a) * b),
    "integers": lambda a, b: a * tg.Tensor([1, 2, 3, 4]) + (b > 0).astype(np.int64) * 2,
    "einsum": lambda a, b: a + tg.einsum("tbi,tbj->tbj", a, b) / 9,
}


def updated(array):
    """Return an array after changes in place."""
    array += 1
    array *= array > 0
    return array


class Norm(nn.Module):
    def __init__(self, rng):
        super().__init__()
        self.layer = nn.LayerNorm(FEATURES)

    def forward(self, a, b):
        return self.layer(a) + b


class Dense(nn.Module):
    def __init__(self, rng):
        super().__init__()
        self.layer, self.scale = nn.Linear(FEATURES, FEATURES, rng=rng), nn.Linear(4, 4, rng=rng)

    def forward(self, a, b):
        weight = self.scale.weight * 2
        return self.layer(a) @ weight.T + tg.broadcast_to(self.scale.bias * 3, b.shape)


class Classes(nn.Module):
    def __init__(self, rng):
        super().__init__()
        self.layer = nn.Embedding(FEATURES, FEATURES, rng=rng)

    def forward(self, a, b):
        return a + self.layer(b.argmin(axis=-1))


class Layer(nn.Module):
    def __init__(self, rng):
        super().__init__()
        kind = (nn.GRU, nn.LSTM, nn.RNN)[rng.integers(3)]
        self.both = bool(rng.integers(2))
        self.layer = kind(FEATURES, FEATURES // (1 + self.both), bidirectional=self.both, rng=rng)

    def forward(self, a, b):
        h, _ = self.layer(a)
        _, state = self.layer(b)
        last = state[0] if isinstance(state, tuple) else state
        return h + (last[0] if not self.both else tg.concatenate([last[0], last[1]], axis=-1))


class Loop(nn.Module):
    """A cell of its own, whose loop is exported for a fixed number of steps."""

    def __init__(self, rng):
        super().__init__()
        self.cell = nn.GRUCell(FEATURES, FEATURES, rng=rng)

    def forward(self, a, b):
        def step(x, h):
            h = tg.where(x > 0.1, self.cell(x, h)[0], h)
            return h, h

        return tg.scan(step, a, b[0])[0]


class ByChance(nn.Module):
    """Parts in a row. Each takes its arguments from the results of those before."""

    def __init__(self, seed, fixed):
        super().__init__()
        rng = np.random.default_rng(seed)
        names = [*WITHOUT_WEIGHTS, *[Norm, Dense, Classes, Layer] * 3, *[Loop] * 4 * fixed]
        self.names, self.parts = [], nn.ModuleList()
        self.places = rng.integers(0, 9, (4, 2))
        for i in rng.integers(0, len(names), 4):
            self.names.append(names[i])
            if isinstance(names[i], type):
                self.parts.append(names[i](rng))

    def forward(self, x):
        found, parts = [x, x * 0.5 + 0.05], iter(self.parts)
        for name, (i, j) in zip(self.names, self.places, strict=True):
            part = WITHOUT_WEIGHTS[name] if name in WITHOUT_WEIGHTS else next(parts)
            y = part(found[i % len(found)], found[j % len(found)])
            assert y.shape == x.shape
            found.append(tg.tanh(y))
        return [*found[2:], found[-1].mean(axis=0), found[-1][-1] + x[0]]


@pytest.mark.parametrize("fixed", [False, True], ids=["any length", "a fixed length"])
@pytest.mark.parametrize("seed", range(40))
def test_random_models_compute_the_same_after_export(tmp_path, seed, fixed):
    model = ByChance(seed, fixed)
    axes = {"x": (None if fixed else "time", "batch", None)}
    _, session, axes = export(model, floats(3, 2, FEATURES), tmp_path / "x.onnx", axes=axes)
    for shape in ((3, 2), (3, 5)) if fixed else ((3, 2), (6, 5), (1, 1)):
        assert_agree(session, axes, model, (floats(*shape, FEATURES, seed=seed + 1),))


@pytest.mark.parametrize("name", WITHOUT_WEIGHTS)
def test_each_part_computes_the_same_after_export(tmp_path, name):
    model = ByChance(0, False)
    model.names, model.places = [name], np.array([[0, 1]])
    _, session, axes = export(model, floats(3, 2, FEATURES), tmp_path / "x.onnx")
    for shape in ((3, 2), (6, 5), (1, 1)):
        assert_agree(session, axes, model, (floats(*shape, FEATURES, seed=1),))
