"""Ten kinds of network whose pictures are checked, each in several sizes."""

import numpy as np
from internals import Lesson

import tinygrad_rnn as tg

nn = tg.nn


def data(*shape, name="x"):
    return tg.Tensor(np.ones(shape, np.float32), name=name)


def residual_mlp(size):
    h = data(2, 4)
    for k in range(size):
        with tg.scope(f"block {k}"):
            h = h + tg.relu(nn.Linear(4, 4, rng=k)(h))
    return h.sum()


def language_model(cell, size, layers=1, **options):
    net = getattr(nn, cell)(4, 3, layers, rng=0, **options.pop("layer", {}))
    out = net(data(size, 2, 4), **options)[0]
    logits = nn.Linear(out.shape[-1], 4, rng=1)(out)
    loss = nn.functional.cross_entropy(logits, np.zeros((size, 2), int))
    loss.name = "loss"
    return loss


def both_ways(size):
    lengths = [size, max(size - 1, 1)]
    return language_model("LSTM", size, layer={"bidirectional": True}, lengths=lengths)


def attention(size):
    encoder, decoder = nn.GRU(3, 4, rng=0), nn.GRUCell(7, 4, rng=1)
    keys, h = encoder(data(size, 1, 3))

    def step(y, h):
        scores = (keys * h).sum(-1, keepdims=True)
        a = tg.softmax(scores, axis=0)
        context = (a * keys).sum(0)
        scores.name, a.name, context.name = "s", "a", "c"
        return decoder(tg.concatenate([y, context], -1), h)

    return tg.scan(step, data(size, 1, 3, name="y"), h[0])[0].sum()


def tutorial(size):
    return Lesson().loss.loss


def second_order(size):
    w = tg.Tensor(np.linspace(0.1, 1, 3), requires_grad=True, name="w")
    y = w
    for _ in range(size):
        y = tg.tanh(y * w)
    (g,) = tg.grad(y.sum(), [w], create_graph=True)
    return (g * g).sum()


def large(size):
    """A graph without scopes and loops, of 400 to 2,400 ops."""
    values = [tg.Tensor(np.ones(3), requires_grad=True, name="x")]
    choose = np.random.default_rng(size)
    for i in range(400 * size):
        a = values[-1 - int(choose.integers(min(len(values), 30)))]
        b = values[-1 - int(choose.integers(min(len(values), 200)))]
        values.append(tg.tanh(a * b) if i % 3 else a + b)
    return sum(value.sum() for value in values[-4:])


def plain_loop(size):
    cell, h = nn.GRUCell(2, 3, rng=0), data(1, 3, name="h")
    x = data(size + 1, 1, 2)
    for t in range(size + 1):
        _, h = cell(x[t], h)
    return h.sum()


def own_cell(size):
    w = tg.Tensor(np.eye(3), requires_grad=True, name="W")

    def cell(x, state):
        fast, slow = state
        fast = tg.tanh(fast @ w + x)
        slow = 0.9 * slow + 0.1 * fast
        fast.name, slow.name = "fast", "slow"
        return fast + slow, (fast, slow)

    start = tg.Tensor(np.zeros((2, 3)), name="fast"), tg.Tensor(np.zeros((2, 3)), name="slow")
    return tg.scan(cell, tg.Tensor(np.ones((size, 2, 3)), name="x"), start, reverse=size % 2 == 0)[
        0
    ].sum()


NETWORKS = {
    "residual MLP": residual_mlp,
    "RNN": lambda size: language_model("RNN", size),
    "two GRU layers": lambda size: language_model("GRU", size, 2),
    "LSTM both ways": both_ways,
    "attention": attention,
    "tutorial": tutorial,
    "second order": second_order,
    "large": large,
    "plain loop": plain_loop,
    "own cell": own_cell,
}
"""Functions of a size from 1 to 6, by the kind of network."""
