"""Whole training steps, compiled, beside eager twins: other data in each of five calls."""

from typing import NamedTuple

import numpy as np
import pytest
from eager_twins import Keywords, check_twins

import tinygrad_rnn as tg

nn, F, optim = tg.nn, tg.nn.functional, tg.optim
CASES = {}


def case(data, **options):
    """Return a decorator that keeps a function which makes a step, under its name."""

    def keep(make):
        CASES[make.__name__.strip("_")] = make, data, options
        return make

    return keep


def floats(*shape, dtype="float32"):
    """Return a function of a generator that draws an array."""
    return lambda rng: rng.standard_normal(shape).astype(dtype)


def classes(high, *shape, low=0):
    """Return a function of a generator that draws integers."""
    return lambda rng: rng.integers(low, high, shape)


def several(*parts):
    """Return a function of a generator that draws several arguments."""
    return lambda rng: tuple(part(rng) for part in parts)


def train(optimizer, loss):
    """Make the usual step: remove the gradients, differentiate, update."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


SEQUENCE, LABELS = floats(5, 2, 3), classes(4, 5, 2)


class Tagger(nn.Module):
    """A recurrent layer and a linear head."""

    def __init__(self, kind=nn.GRU, inputs=3, classes=4, dtype="float32", **settings):
        super().__init__()
        rng = np.random.default_rng(0)
        self.layer = kind(inputs, 6, rng=rng, **settings)
        width = 12 if settings.get("bidirectional") else 6
        self.head = nn.Linear(width, classes, rng=rng)
        if dtype != "float32":
            for p in self.parameters():
                p.data = p.data  # the same array, to begin with
            cast(self, dtype)

    def forward(self, x, **more):
        return self.head(self.layer(x, **more)[0])


def cast(module, dtype):
    """Give the parameters of a module another dtype."""
    for part in [m for _, m in module.named_modules()]:
        for name, p in list(vars(part).get("_parameters", {}).items()):
            setattr(part, name, tg.Tensor(p.data.astype(dtype), requires_grad=True, name=p.name))


# -- optimizers ------------------------------------------------------------------------------------

OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "sgd_momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "sgd_nesterov_decay": lambda p: optim.SGD(
        p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1
    ),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01),
    "rmsprop_centered": lambda p: optim.RMSprop(
        p, lr=0.01, centered=True, momentum=0.5, weight_decay=0.1
    ),
    "adam": lambda p: optim.Adam(p, lr=0.01),
    "adam_amsgrad_decay": lambda p: optim.Adam(p, lr=0.01, amsgrad=True, weight_decay=0.1),
    "adamw": lambda p: optim.AdamW(p, lr=0.01),
    "adamw_amsgrad": lambda p: optim.AdamW(p, lr=0.01, amsgrad=True, weight_decay=0.3),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("groups", [False, True])
def test_optimizers(name, groups):
    def make():
        model = Tagger()
        params = list(model.parameters())
        if groups:
            params = [{"params": params[:2]}, {"params": params[2:], "lr": 0.003}]
        optimizer = OPTIMIZERS[name](params)
        return lambda x, y: train(optimizer, F.cross_entropy(model(x), y)), [model, optimizer]

    check_twins(make, several(SEQUENCE, LABELS), programs=2)


SCHEDULES = {
    "step": lambda o: optim.StepLR(o, 2, gamma=0.5),
    "exponential": lambda o: optim.ExponentialLR(o, gamma=0.9),
    "cosine": lambda o: optim.CosineAnnealingLR(o, 5),
    "linear": lambda o: optim.LinearLR(o, total_iters=4),
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_schedules(name, kind):
    def make():
        model = Tagger()
        optimizer = OPTIMIZERS[kind](model.parameters())
        schedule = SCHEDULES[name](optimizer)
        things = [model, optimizer, [schedule.step]]
        return lambda x, y: train(optimizer, F.cross_entropy(model(x), y)), things

    def advance(call, step, things):
        if call:
            things[2][0]()

    check_twins(make, several(SEQUENCE, LABELS), programs=2, between=advance)


class SignSGD(optim.Optimizer):
    """An optimizer of the user's own, with a state."""

    def update(self, w, g, state):
        mean = state["mean"] = 0.5 * state["mean"] + 0.5 * g if "mean" in state else g
        return w - self.lr * np.sign(mean)

    def state_names(self):
        return {"mean"}


@case(several(SEQUENCE, LABELS), programs=2)
def own_optimizer():
    model = Tagger()
    optimizer = SignSGD(model.parameters(), lr=0.01)
    return lambda x, y: train(optimizer, F.cross_entropy(model(x), y)), [model, optimizer]


@case(several(SEQUENCE, LABELS), programs=2)
def two_optimizers():
    model = Tagger()
    body, head = optim.Adam(model.layer.parameters()), optim.SGD(model.head.parameters(), lr=0.1)

    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        body.zero_grad()
        head.zero_grad()
        loss.backward()
        body.step()
        head.step()
        return loss.item()

    return step, [model, body, head]


@case(several(SEQUENCE, LABELS), programs=2)
def two_steps_in_one_call():
    model = Tagger()
    optimizer = optim.Adam(model.parameters())

    def step(x, y):
        first = train(optimizer, F.cross_entropy(model(x), y))
        return first, train(optimizer, F.cross_entropy(model(x), y))

    return step, [model, optimizer]


# -- clipping --------------------------------------------------------------------------------------


def clipped(clip, kind="sgd"):
    """Make a step with clipping."""
    model = Tagger()
    optimizer = OPTIMIZERS[kind](model.parameters())

    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        norm = clip(model.parameters())
        optimizer.step()
        return loss, norm

    return step, [model, optimizer]


CLIPS = {
    "norm_small": lambda p: nn.clip_grad_norm_(p, 0.1),
    "norm_large": lambda p: nn.clip_grad_norm_(p, 100.0),
    "norm_about": lambda p: nn.clip_grad_norm_(p, 0.72),
    "norm_1": lambda p: nn.clip_grad_norm_(p, 0.5, norm_type=1.0),
    "norm_inf": lambda p: nn.clip_grad_norm_(p, 0.05, norm_type=float("inf")),
    "norm_3": lambda p: nn.clip_grad_norm_(p, 0.3, norm_type=3),
    "value": lambda p: nn.clip_grad_value_(p, 0.02),
}


@pytest.mark.parametrize("name", CLIPS)
def test_clipping(name):
    check_twins(lambda: clipped(CLIPS[name]), several(SEQUENCE, LABELS))


# -- losses ----------------------------------------------------------------------------------------

WEIGHTS = np.array([0.5, 1.0, 2.0, 0.25], "float32")


def distributions(rng):
    """Draw targets that are distributions over classes."""
    p = rng.random((5, 2, 4)).astype("float32")
    return p / p.sum(-1, keepdims=True)


def with_padding(rng):
    """Draw targets of which some are -1."""
    target = rng.integers(0, 4, (5, 2))
    target[rng.random((5, 2)) < 0.4] = -1
    target[0, 0] = 1
    return target


LOSSES = {
    "cross_entropy": (F.cross_entropy, LABELS),
    "ce_ignore": (lambda z, y: F.cross_entropy(z, y, ignore_index=-1), with_padding),
    "ce_ignore_class": (lambda z, y: F.cross_entropy(z, y, ignore_index=2), LABELS),
    "ce_weight": (lambda z, y: F.cross_entropy(z, y, weight=WEIGHTS), LABELS),
    "ce_all": (
        lambda z, y: F.cross_entropy(z, y, weight=WEIGHTS, ignore_index=-1, label_smoothing=0.1),
        with_padding,
    ),
    "ce_smooth": (lambda z, y: F.cross_entropy(z, y, label_smoothing=0.2), LABELS),
    "ce_sum": (lambda z, y: F.cross_entropy(z, y, reduction="sum"), LABELS),
    "ce_none": (lambda z, y: F.cross_entropy(z, y, reduction="none").sum(), LABELS),
    "ce_soft": (F.cross_entropy, distributions),
    "ce_soft_weight": (lambda z, y: F.cross_entropy(z, y, weight=WEIGHTS), distributions),
    "nll": (lambda z, y: F.nll_loss(tg.log_softmax(z), y), LABELS),
    "nll_ignore": (
        lambda z, y: F.nll_loss(tg.log_softmax(z), y, ignore_index=-1, weight=WEIGHTS),
        with_padding,
    ),
    "mse": (F.mse_loss, floats(5, 2, 4)),
    "mse_sum": (lambda z, y: F.mse_loss(z, y, reduction="sum"), floats(5, 2, 4)),
    "bce": (F.binary_cross_entropy_with_logits, lambda rng: rng.random((5, 2, 4))),
    "bce_bool": (F.binary_cross_entropy_with_logits, lambda rng: rng.random((5, 2, 4)) < 0.5),
    "bce_weight": (
        lambda z, y: F.binary_cross_entropy_with_logits(z, y, weight=WEIGHTS, pos_weight=WEIGHTS),
        lambda rng: rng.integers(0, 2, (5, 2, 4)).astype("float32"),
    ),
    "own": (lambda z, y: ((z - y) ** 2 * (np.abs(y) > 0.5)).mean(), floats(5, 2, 4)),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("tensors", [False, True])
def test_losses(name, tensors):
    loss, target = LOSSES[name]

    def make():
        model = Tagger()
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        return lambda x, y: train(optimizer, loss(model(x), y)), [model, optimizer]

    wrap = tg.Tensor if tensors else lambda x: x
    check_twins(make, lambda rng: (wrap(SEQUENCE(rng)), wrap(target(rng))))


# -- layers ----------------------------------------------------------------------------------------

LAYERS = {
    "rnn": {"kind": nn.RNN},
    "rnn_relu": {"kind": nn.RNN, "nonlinearity": "relu"},
    "gru_before": {"reset": "before"},
    "lstm": {"kind": nn.LSTM},
    "no_bias": {"kind": nn.LSTM, "bias": False},
    "two_layers": {"kind": nn.LSTM, "num_layers": 2, "dropout": 0.3},
    "two_ways": {"bidirectional": True, "num_layers": 2},
    "batch_first": {"batch_first": True},
    "input_dropout": {"input_dropout": 0.4},
    "state_dropout": {"kind": nn.LSTM, "state_dropout": 0.4},
    "zoneout": {"zoneout": 0.3},
    "zoneout_lstm": {"kind": nn.LSTM, "zoneout": 0.3, "bidirectional": True},
    "all": {
        "num_layers": 2, "dropout": 0.2, "input_dropout": 0.1, "state_dropout": 0.2,
        "zoneout": 0.1, "bidirectional": True, "batch_first": True,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "lengths"),
    [*((name, kind) for name in LAYERS for kind in (None, "array", "tensor")), ("lstm", "list")],
)
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_layers(name, lengths, mode):
    def make():
        model = Tagger(**LAYERS[name])
        model.train(mode == "train")
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        rngs = [m.rng for _, m in model.named_modules() if getattr(m, "rng", None) is not None]

        def step(x, y, n=None):
            return train(optimizer, F.mse_loss(model(x, lengths=n), y))

        return step, [model, optimizer, rngs]

    def data(rng):
        x, y = rng.standard_normal((5, 5, 3)).astype("float32"), floats(5, 5, 4)(rng)
        n = {"n": rng.integers(0, 6, 5)}
        if lengths == "tensor":
            n["n"] = tg.Tensor(n["n"])
        if lengths == "list":
            n["n"] = [3, 1, 5, 0, 2]
        return (x, y, Keywords(n)) if lengths else (x, y)

    check_twins(make, data, programs=2)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("kind", ["sgd_nesterov_decay", "adam", "rmsprop"])
def test_dtypes(dtype, kind):
    def make():
        model = Tagger(dtype=dtype)
        optimizer = OPTIMIZERS[kind](model.parameters())
        things = [model] if dtype == "float16" else [model, optimizer]  # a state in float32
        return lambda x, y: train(optimizer, F.cross_entropy(model(x), y)), things

    check_twins(make, several(floats(5, 2, 3, dtype=dtype), LABELS), programs=2)


# -- whole steps of other forms --------------------------------------------------------------------


@case(several(SEQUENCE, LABELS), programs=2)
def dropout_between():
    rng = np.random.default_rng(3)
    model, drop = Tagger(), nn.Dropout(0.5, rng=rng)
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x, y):
        z = model.head(drop(model.layer(drop(tg.Tensor(x)))[0]))
        return train(optimizer, F.cross_entropy(z, y))

    return step, [model, optimizer, rng]


@case(several(SEQUENCE, LABELS, floats(1, 2, 6)))
def truncated():
    model = Tagger(nn.GRU)
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x, y, h):
        output, h = model.layer(x, h)
        return train(optimizer, F.cross_entropy(model.head(output), y)), tg.detach(h)

    return step, [model, optimizer]


def carried(kind, layers=1):
    """Return a step which takes the state that the call before returned."""
    model = Tagger(kind, num_layers=layers)
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    def step(x, y, state):
        output, state = model.layer(x, state)
        loss = train(optimizer, F.cross_entropy(model.head(output), y))
        return loss.item(), tg.detach(state)

    return step, [model, optimizer]


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_a_state_is_carried_from_call_to_call(kind):
    from eager_twins import assert_same, look_at

    (eager, things), (function, twins) = carried(kind, 2), carried(kind, 2)
    fast, states = tg.compile(function), [None, None]
    for call in range(6):
        rng = np.random.default_rng(call)
        x, y = SEQUENCE(rng), LABELS(rng)
        results = eager(x, y, states[0]), fast(x, y, states[1])
        assert_same(*results)
        assert_same(look_at(things), look_at(twins))
        states = [r[1] for r in results]
    assert len(fast.programs) <= 3


@case(several(SEQUENCE, LABELS), programs=2)
def accumulated():
    """Gradients add up over calls, because nothing removes them."""
    model = Tagger()

    def step(x, y):
        loss = F.cross_entropy(model(x), y) / 4
        loss.backward()
        return loss.item()

    return step, [model]


@case(several(SEQUENCE, LABELS), programs=2)
def accumulated_and_stepped():
    model = Tagger()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x, y):
        F.cross_entropy(model(x), y).backward()
        F.cross_entropy(model(2 * x), y).backward()
        optimizer.step()

    return step, [model, optimizer]


@case(several(SEQUENCE, LABELS), programs=2)
def removed_at_the_end():
    model = Tagger()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step, [model, optimizer]


@case(several(SEQUENCE, LABELS), programs=2)
def grads_returned_and_doubled():
    model = Tagger()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x, y):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        for p in model.parameters():
            p.grad = p.grad * 2
        optimizer.step()
        return {name: p.grad for name, p in model.named_parameters()}

    return step, [model, optimizer]


@case(several(SEQUENCE, LABELS), programs=2)
def frozen():
    model = Tagger()
    for p in model.layer.parameters():
        p.requires_grad = False
    optimizer = optim.Adam(model.head.parameters())
    return lambda x, y: train(optimizer, F.cross_entropy(model(x), y)), [model, optimizer]


@case(several(SEQUENCE, LABELS), programs=2)
def partly_used():
    """A parameter that no gradient reaches keeps None and does not decay."""
    model, unused = Tagger(), nn.Linear(2, 2, rng=0)
    optimizer = optim.AdamW([*model.parameters(), *unused.parameters()], weight_decay=0.5)
    return lambda x, y: train(optimizer, F.cross_entropy(model(x), y)), [model, unused, optimizer]


@case(several(classes(7, 5, 2), classes(7, 5, 2)), programs=2)
def language_model():
    rng = np.random.default_rng(0)
    embed, layer, head = (
        nn.Embedding(7, 5, rng=rng),
        nn.LSTM(5, 6, rng=rng),
        nn.Linear(6, 7, rng=rng),
    )
    model = nn.ModuleList([embed, layer, head])
    optimizer = optim.Adam(model.parameters())

    def step(tokens, target):
        return train(optimizer, F.cross_entropy(head(layer(embed(tokens))[0]), target))

    return step, [model, optimizer]


@case(several(classes(7, 5, 2), classes(7, 5, 2)), programs=2)
def tied_weights():
    embed, layer = nn.Embedding(7, 6, rng=0), nn.GRU(6, 6, rng=1)
    optimizer = optim.Adam([*embed.parameters(), *layer.parameters()])

    def step(tokens, target):
        output, _ = layer(embed(tg.Tensor(tokens)))
        return train(optimizer, F.cross_entropy(output @ embed.weight.T, target))

    return step, [embed, layer, optimizer]


@case(several(floats(6, 2, 3), classes(4, 5, 2)), programs=2)
def attention():
    encoder, cell, head = nn.GRU(3, 6, rng=0), nn.GRUCell(4 + 6, 6, rng=1), nn.Linear(6, 4, rng=2)
    embed = nn.Embedding(4, 4, rng=3)
    model = nn.ModuleList([encoder, cell, head, embed])
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    def step(x, y):
        memory, last = encoder(x)

        def decode(inputs, h):
            weights = tg.softmax((memory * h).sum(-1), axis=0)
            context = (weights[..., None] * memory).sum(0)
            h = cell(tg.concatenate([inputs, context], axis=-1), h)[1]
            return h, h

        start = tg.concatenate([np.zeros((1, 2), int), y[:-1]])
        output, _ = tg.scan(decode, embed(start), last[0])
        return train(optimizer, F.cross_entropy(head(output), y))

    return step, [model, optimizer]


@case(several(floats(6, 2, 3), classes(4, 5, 2)), programs=2)
def encoder_and_decoder():
    encoder, decoder = nn.LSTM(3, 6, rng=0), Tagger(nn.LSTM, inputs=4)
    optimizer = optim.SGD([*encoder.parameters(), *decoder.parameters()], lr=0.1)

    def step(x, y):
        _, state = encoder(x)
        before = np.concatenate([np.zeros((1, 2), int), y[:-1]])
        output, _ = decoder.layer(tg.Tensor(np.eye(4, dtype="float32"))[before], state)
        return train(optimizer, F.cross_entropy(decoder.head(output), y))

    return step, [encoder, decoder, optimizer]


def own(cell, *states):
    """Return a step that trains an own cell with a weight W, on its outputs and last state."""
    W = tg.Tensor(np.eye(3) * 0.5 + 0.1, requires_grad=True, name="W")
    optimizer = optim.SGD([W], lr=0.1)
    start = [tg.Tensor(np.full(s, 0.2)) if isinstance(s, tuple) else s for s in states]
    start = start[0] if len(start) == 1 else tuple(start)

    def step(x):
        output, last = tg.scan(lambda x, h: cell(x, h, W), x, start)
        loss = (output * output).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss, output, last

    return step, [W, optimizer]


DOUBLES = floats(5, 2, 3, dtype="float64")


def sparse(rng):
    """Draw numbers of which some are 0 and some are nan."""
    x = DOUBLES(rng)
    x[rng.random(x.shape) < 0.3] = 0
    return np.where(rng.random(x.shape) < 0.2, np.nan, x)


@case(sparse)
def own_cell_with_isnan():
    def cell(x, h, W):
        x = tg.where(np.isnan(x), 0.0, x)
        h = tg.tanh(x + h @ W)
        return h, h

    return own(cell, (2, 3))


@case(lambda rng: np.nan_to_num(sparse(rng)))
def own_cell_with_mask():
    def cell(x, h, W):
        m = (np.abs(x).sum(axis=-1, keepdims=True) > 1) * 1.0
        h = m * tg.tanh(x + h @ W) + (1 - m) * h
        return h, h

    return own(cell, (2, 3))


@case(DOUBLES)
def own_cell_with_none():
    def cell(x, state, W):
        h, nothing = state
        h = tg.tanh(x + h @ W)
        return h, (h, nothing)

    return own(cell, (2, 3), None)


@case(DOUBLES)
def own_cell_with_counter():
    def cell(x, state, W):
        h, n = state
        h = tg.tanh(x + h @ W / (n + 1.0))
        return h, (h, n + 1)

    return own(cell, (2, 3), np.array(0))


@case(DOUBLES, programs=2)
def own_cell_with_three_states():
    def cell(x, state, W):
        a, (b, c) = state
        a, b = tg.tanh(x @ W + b), a * c + 0.5
        return a * b, (a, (b, tg.where(b > 0.5, c, -c)))

    return own_nested(cell)


def own_nested(cell):
    """Return a step whose state is a tuple in a tuple."""
    W = tg.Tensor(np.eye(3) * 0.5, requires_grad=True)
    optimizer = optim.Adam([W], lr=0.1)
    z = np.full((2, 3), 0.3)

    def step(x):
        output, (a, (b, c)) = tg.scan(lambda x, s: cell(x, s, W), x, (z, (tg.Tensor(z), z)))
        return train(optimizer, (output * a).sum() + (b * c).mean())

    return step, [W, optimizer]


@case(several(DOUBLES, classes(3, 5, 2)), programs=2)
def own_cell_with_token_reset():
    W = tg.Tensor(np.eye(3) * 0.5, requires_grad=True)
    optimizer = optim.SGD([W], lr=0.1)

    def cell(inputs, h):
        x, token = inputs
        h = tg.where(token[:, None] == 0, 0.0, h)
        h = tg.tanh(x @ W + h)
        return (h, h * h), h

    def step(x, tokens):
        (a, b), h = tg.scan(cell, (x, tokens), np.ones((2, 3)))
        return train(optimizer, (a + b).sum() * h.mean())

    return step, [W, optimizer]


@case(DOUBLES)
def nested_scan():
    W = tg.Tensor(np.eye(2) * 0.3, requires_grad=True)
    optimizer = optim.SGD([W], lr=0.1)

    def inner(x, h):
        h = tg.tanh(x[:, None] + h @ W)
        return h, h

    def outer(x, h):
        y, h = tg.scan(inner, x.T, h, reverse=True)
        return y.mean(0), h

    def step(x):
        y, h = tg.scan(outer, x, tg.Tensor(np.full((2, 2), 0.1)))
        return train(optimizer, (y * y).sum() + h.sum())

    return step, [W, optimizer]


@case(DOUBLES, programs=2)
def reversed_scan():
    W = tg.Tensor(np.eye(3) * 0.3, requires_grad=True)
    optimizer = optim.RMSprop([W], lr=0.1)

    def cell(x, h):
        h = tg.tanh(x + h @ W)
        return h, h

    def step(x):
        y, h = tg.scan(cell, x, np.zeros((2, 3)), reverse=True)
        z, _ = tg.scan(cell, y, h)
        return train(optimizer, (y * z).sum() + h.sum()), y, z

    return step, [W, optimizer]


class Batch(NamedTuple):
    """A batch as a namedtuple."""

    x: object
    y: object


@case(lambda rng: (Batch(SEQUENCE(rng), LABELS(rng)), Keywords(scale=0.5)), programs=2)
def namedtuple_in_and_out():
    model = Tagger()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(batch, *, scale):
        loss = train(optimizer, F.cross_entropy(model(batch.x), batch.y) * scale)
        return Batch(loss.item(), {"loss": loss, "scale": scale, "twice": [2 * loss.item()]})

    return step, [model, optimizer]


@case(lambda rng: {"x": SEQUENCE(rng), "y": [LABELS(rng)], "note": "a"})
def dict_in_and_out():
    model = Tagger()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(batch):
        z = model(batch["x"])
        loss = train(optimizer, F.cross_entropy(z, batch["y"][0]))
        right = (z.argmax(-1) == batch["y"][0]).mean()
        return {"loss": loss, "accuracy": right, "note": batch["note"], "none": None}

    return step, [model, optimizer]


@case(SEQUENCE)
def predict():
    model = Tagger().eval()

    def run(x):
        with tg.no_grad():
            z = model(x)
        return z, z.argmax(-1), tg.softmax(z).data

    return run, [model]


@case(several(SEQUENCE, LABELS), programs=2)
def penalty():
    model = Tagger()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        loss = loss + 0.01 * sum((p * p).sum() for p in model.parameters())
        return train(optimizer, loss)

    return step, [model, optimizer]


@case(several(SEQUENCE, LABELS), programs=2)
def layer_norm():
    model, norm = Tagger(), nn.LayerNorm(6)
    optimizer = optim.Adam([*model.parameters(), *norm.parameters()])

    def step(x, y):
        return train(optimizer, F.cross_entropy(model.head(norm(model.layer(x)[0])), y))

    return step, [model, norm, optimizer]


@case(several(SEQUENCE, LABELS), programs=2)
def moving_average():
    """The weights are written in the step, by the user's own code."""
    model, mean = Tagger(), Tagger()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x, y):
        loss = train(optimizer, F.cross_entropy(model(x), y))
        for p, q in zip(model.parameters(), mean.parameters(), strict=True):
            q.data = 0.9 * q.data + 0.1 * p.data
        return loss

    return step, [model, mean, optimizer]


@case(several(SEQUENCE, LABELS), programs=2)
def manual_sgd():
    model = Tagger()

    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        for p in model.parameters():
            p.data = p.data - 0.1 * p.grad
            p.grad = None
        return loss

    return step, [model]


@case(several(SEQUENCE, LABELS), programs=2)
def functional_grad():
    model = Tagger()

    def step(x, y):
        params = list(model.parameters())
        loss = F.cross_entropy(model(x), y)
        grads = tg.grad(loss, params)
        for p, g in zip(params, grads, strict=True):
            p.data = p.data - 0.1 * g.data
        return loss

    return step, [model]


@case(several(SEQUENCE, LABELS), programs=2)
def input_gradient():
    model = Tagger()

    def step(x, y):
        x = tg.Tensor(x, requires_grad=True)
        F.cross_entropy(model(x), y).backward()
        return x.grad, np.sign(x.grad)

    return step, [model]


@case(several(SEQUENCE, LABELS), programs=2)
def checks_of_metrics():
    model = Tagger()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x, y):
        z = model(x)
        loss = train(optimizer, F.cross_entropy(z, y))
        best = z.data.argmax(-1)
        return loss.item(), np.mean(best == y), (best == y).sum(), z.data.std(), np.sort(z.data, -1)

    return step, [model, optimizer]


@pytest.mark.parametrize("name", CASES)
def test_whole_steps(name):
    make, data, options = CASES[name]
    check_twins(make, data, **options)
