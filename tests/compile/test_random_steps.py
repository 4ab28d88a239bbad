"""Random cells and random whole steps, compiled, beside eager twins, on other data in each call."""

import warnings

import numpy as np
import pytest
from eager_twins import assert_same, count_plain_runs, look_at
from helpers import mostly_studies

import tinygrad_rnn as tg

CELLS, STEPS, TOGETHER = 500, 200, 20
SIZE, BATCH = 3, 2


# -- random expressions of arrays of shape (BATCH, SIZE) -------------------------------------------

ONE = [
    tg.tanh,
    tg.sigmoid,
    tg.relu,
    tg.sin,
    lambda a: a * 0.5,
    lambda a: 1 - a,
    lambda a: -a,
    lambda a: tg.exp(-a * a),
    lambda a: tg.sqrt(a * a + 1),
    lambda a: tg.softmax(a, axis=-1),
    lambda a: tg.log_softmax(a, axis=0),
    lambda a: a[:, ::-1],
    lambda a: a[::-1],
    lambda a: tg.where(a > 0, a, 0.1 * a),
    lambda a: tg.where(np.isnan(a), 0.0, a),
    lambda a: a - a.mean(axis=-1, keepdims=True),
    lambda a: a / (1 + tg.abs(a)).sum(0),
    lambda a: tg.concatenate([a[:, 1:], a[:, :1]], axis=1),
    lambda a: tg.stack([a, a * 2]).sum(0),
    lambda a: a.T.reshape(SIZE, BATCH).T,
    lambda a: tg.clip(a, -0.5, 0.5),
    lambda a: a**2,
    lambda a: (a > 0.1) * a,
    lambda a: (a.max(axis=0) + a) * 0.5,
    lambda a: a[[1, 0]],
    lambda a: a[:, np.array([2, 0, 1])],
    lambda a: tg.cumsum(a, axis=1) * 0.3,
    tg.detach,
    lambda a: tg.where(a == a.max(axis=-1, keepdims=True), 1.0, a),
    lambda a: a[1] + a * 0.1,
    lambda a: a[..., 0][:, None] * 0.5 + a,
    lambda a: tg.broadcast_to(a[0], (BATCH, SIZE)),
    lambda a: tg.maximum(a, 0.2) - tg.minimum(a, -0.1),
    lambda a: a * a.argmax(-1)[:, None] * 0.2,
    lambda a: a.reshape(-1)[::2].reshape(1, -1) + a,
    lambda a: tg.einsum("bi->b", a)[:, None] * a,
    lambda a: tg.split(a, 3, axis=1)[1] + a * 0.2,
    lambda a: tg.pad(a, ((0, 0), (1, 0)))[:, :-1],
    lambda a: tg.log1p(tg.abs(a)),
    lambda a: a * np.sign(a),
    lambda a: tg.arctan2(a, 1 + a * a),
]
TWO = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / (1 + b * b),
    tg.maximum,
    tg.minimum,
    lambda a, b: tg.where(a > b, a, b * 0.5),
    lambda a, b: (a @ b.T) @ a * 0.1,
    lambda a, b: tg.where((a > 0) & (b > 0), a, 1.0),
    lambda a, b: tg.lerp(a, b, 0.3),
    lambda a, b: a * (b > 0),
    lambda a, b: tg.hypot(a + 1.5, b),
    lambda a, b: a + b[0],
    lambda a, b: tg.concatenate([a, b])[1:3],
    lambda a, b: tg.stack([a, b], axis=1)[:, 0],
]


def draw_expression(rng, depth, leaves):
    """Return a random function of a dict of arrays; `leaves` are the keys that it may read."""
    if depth == 0:
        name = leaves[rng.integers(len(leaves))]
        return lambda env: env[name]
    if rng.random() < 0.45:
        f, inner = ONE[rng.integers(len(ONE))], draw_expression(rng, depth - 1, leaves)
        return lambda env: f(inner(env))
    if rng.random() < 0.5:
        weight = ("W", "V")[rng.integers(2)]
        inner = draw_expression(rng, depth - 1, leaves)
        return lambda env: inner(env) @ env[weight]
    f = TWO[rng.integers(len(TWO))]
    a, b = (draw_expression(rng, depth - 1, leaves) for _ in range(2))
    return lambda env: f(a(env), b(env))


def bounded(y):
    """Keep a state near 0, and its dtype and shape as they are."""
    return tg.tanh(y * 0.7)


def draw_cell(rng, names, captured, level=0):
    """Return a random cell whose state is a tuple of arrays, and one of integers."""
    leaves = ["x", *names, *captured]
    parts = [draw_expression(rng, int(rng.integers(1, 4)), leaves) for _ in names]
    out = draw_expression(rng, int(rng.integers(1, 4)), leaves)
    resets, counts, twice = rng.random() < 0.3, rng.random() < 0.3, rng.random() < 0.3
    nested = level == 0 and rng.random() < 0.15
    inner = draw_cell(rng, ["p"], [*captured, "x0"], 1) if nested else None
    backwards = bool(rng.random() < 0.5)

    def make(env):
        def cell(inputs, state):
            x, token = inputs if isinstance(inputs, tuple) else (inputs, None)
            *arrays, count = state
            here = {**env, "x": x, **dict(zip(names, arrays, strict=True))}
            if resets and token is not None:
                keep = (token != 1)[:, None]
                here.update({n: tg.where(keep, here[n], 0.0) for n in names})
            if inner is not None:
                xs = tg.stack([here["x"], here[names[0]]])
                start = (here[names[0]], np.array(0))
                y, _ = tg.scan(inner({**here, "x0": x}), xs, start, reverse=backwards)
                y = y[0] if isinstance(y, tuple) else y
                here["x"] = y.sum(0) * 0.5
            new = [bounded(part(here)) for part in parts]
            y = bounded(out(here))
            if counts:
                y, count = y / (count + 1.0), count + 1
            return ((y, new[0]) if twice else y), (*new, count)

        return cell

    return make


def draw_scan(rng):
    """Return a function that makes a random scan: a cell, its weights, and what it captures."""
    names = ["h", "c", "s"][: int(rng.integers(1, 4))]
    captured = ["k", "m"][: int(rng.integers(0, 3))]
    cell = draw_cell(rng, names, captured)
    starts = [("array", "tensor", "tracked", "weight")[rng.integers(4)] for _ in names]
    reverse, frozen = bool(rng.random() < 0.3), rng.random() < 0.2
    steps, several, seed = int(rng.integers(1, 5)), rng.random() < 0.5, int(rng.integers(1000))

    def make():
        own = np.random.default_rng(seed)
        W, V, start = (
            tg.Tensor(own.standard_normal(s) * 0.4, requires_grad=True)
            for s in ((SIZE, SIZE), (SIZE, SIZE), (BATCH, SIZE))
        )
        V.requires_grad = not frozen
        table = own.standard_normal((BATCH, SIZE))

        def run(x, tokens, context):
            k = tg.tanh(context @ W)  # a result of this call that the cell captures
            env = {"W": W, "V": V, "k": k, "m": table}
            made = {
                "array": np.full((BATCH, SIZE), 0.1),
                "tensor": tg.Tensor(np.full((BATCH, SIZE), 0.1)),
                "tracked": k * 0.5,
                "weight": start,
            }
            state = (*[made[kind] for kind in starts], np.array(0))
            return tg.scan(cell(env), (x, tokens) if several else x, state, reverse=reverse)

        return run, [W, V, start]

    def data(call):
        own = np.random.default_rng((seed, call))
        tokens = own.integers(0, 3, (steps, BATCH))
        return own.standard_normal((steps, BATCH, SIZE)), tokens, own.standard_normal((BATCH, SIZE))

    return make, data


def total(result):
    """Return the sum of all Tensors in a result, with weights; None if none is tracked."""
    flat = [y for y in list_leaves(result) if isinstance(y, tg.Tensor) and y.requires_grad]
    parts = [
        (y * np.cos(np.arange(y.size)).reshape(y.shape) * (i + 1)).sum() for i, y in enumerate(flat)
    ]
    return sum(parts[1:], parts[0]) if parts else None


def list_leaves(structure):
    """Return the leaves of nested tuples."""
    if isinstance(structure, tuple):
        return [leaf for part in structure for leaf in list_leaves(part)]
    return [structure]


def values(result):
    """Return the numbers of a result, whose Tensors may have gradients."""
    leaves = [y for y in list_leaves(result) if y is not None]
    numbers = [np.asarray(y.data if isinstance(y, tg.Tensor) else y) for y in leaves]
    return [(type(y), getattr(y, "requires_grad", 0)) for y in leaves], numbers


def compare(eager, things, fast, twins, data, calls, differentiate):
    """Call both on other data each time, and compare all numbers."""
    for call in range(calls):
        args = data(call)
        xs = [tg.Tensor(args[0], requires_grad=call % 2 == 1) for _ in range(2)]
        results = [f(x, *args[1:]) for f, x in zip((eager, fast), xs, strict=True)]
        assert_same(*map(values, results), f"result of call {call}")
        if differentiate:
            for result in results:
                if (loss := total(result)) is not None:
                    loss.backward()
        assert_same(look_at(things), look_at(twins), f"after call {call}")
        assert_same(xs[0].grad, xs[1].grad, f"gradient of x in call {call}")


def check(seed, whole):
    """Compare one random scan, or one random whole step, with an eager twin."""
    rng = np.random.default_rng((seed, whole))
    make, data = draw_scan(rng)
    kind = int(rng.integers(5))
    clip, items = rng.random() < 0.3, rng.random() < 0.3

    def train():
        run, things = make()
        if not whole:
            return run, things
        params = [p for p in things if p.requires_grad]
        optimizer = [
            lambda: tg.optim.SGD(params, lr=0.01),
            lambda: tg.optim.SGD(params, lr=0.01, momentum=0.9, nesterov=True),
            lambda: tg.optim.AdamW(params, lr=0.01),
            lambda: tg.optim.Adam(params, lr=0.01, amsgrad=True),
            lambda: tg.optim.RMSprop(params, lr=0.001, centered=True),
        ][kind]()

        def step(*args):
            result = run(*args)
            loss = total(result)
            if loss is None:
                return result
            optimizer.zero_grad()
            loss.backward()
            norm = tg.nn.clip_grad_norm_(params, 0.5) if clip else None
            optimizer.step()
            return (loss.item() if items else loss.detach()), norm, result[1][-1]

        return step, [*things, optimizer]

    (eager, things), (function, twins) = train(), train()
    with count_plain_runs() as reasons, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with np.errstate(all="ignore"):
            fast = tg.compile(function)
            compare(eager, things, fast, twins, data, 3, not whole)
    assert all(type(r).__name__ == "Expected" for r in reasons), reasons  # a norm of 0, for example


@pytest.mark.parametrize("first", mostly_studies(range(0, CELLS, TOGETHER), 6))
def test_random_cells(first):
    for seed in range(first, first + TOGETHER):
        try:
            check(seed, False)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


@pytest.mark.parametrize("first", mostly_studies(range(0, STEPS, TOGETHER), 3))
def test_random_whole_steps(first):
    for seed in range(first, first + TOGETHER):
        try:
            check(seed, True)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
