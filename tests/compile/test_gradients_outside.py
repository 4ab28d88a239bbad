"""Gradients that arrive from outside of a compiled function: it is one node of the graph."""

import copy
import pickle
import threading

import numpy as np
import pytest
from eager_twins import assert_same, look_at

import tinygrad_rnn as tg

nn, F = tg.nn, tg.nn.functional
W = tg.Tensor(np.eye(3) * 0.5 + 0.1, requires_grad=True, name="W")


def cell(x, h):
    """Return one step of a cell that captures a weight."""
    h = tg.tanh(x @ W + h * 0.5)
    return h * h, h


def scanned(x, h):
    """Return the outputs and the last state of a scan."""
    return tg.scan(cell, x, h)


def several(x, h):
    """Return results of several kinds, in a dict."""
    y, last = scanned(x, h)
    return {"y": y, "parts": [last, x * 2, (h, 3)], "plain": last.data, "sum": y.sum().item()}


def make(kind, dtype="float64"):
    layer = kind(3, 4, num_layers=2, bidirectional=True, rng=0)
    for part in [m for _, m in layer.named_modules()]:
        for name, p in list(vars(part).get("_parameters", {}).items()):
            setattr(part, name, tg.Tensor(p.data.astype(dtype), requires_grad=True))
    return layer


def draw(seed=0, *, grad=True):
    """Return an input and a state."""
    rng = np.random.default_rng(seed)
    return tuple(
        tg.Tensor(rng.standard_normal(shape), requires_grad=grad) for shape in ((4, 2, 3), (2, 3))
    )


LOSSES = {
    "outputs": lambda r: (r["y"] ** 2).sum(),
    "last": lambda r: r["parts"][0].sum(),
    "input": lambda r: r["parts"][1].sum(),
    "state": lambda r: r["parts"][2][0].sum(),
    "two": lambda r: (r["y"][0] * r["parts"][0]).sum(),
    "all": lambda r: (
        r["y"].sum() + r["parts"][0].mean() + r["parts"][1].sum() * r["parts"][2][0].sum()
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_some_results(name):
    """Tensors that no gradient reaches keep None."""
    fast = tg.compile(several)
    for seed in range(3):
        found = []
        for f in (several, fast):
            x, h = draw(seed)
            W.grad = None
            result = f(x, h)
            LOSSES[name](result).backward()
            found.append([result, x.grad, h.grad, W.grad])
        assert_same(*found)


def test_two_calls_and_one_loss():
    fast, found = tg.compile(scanned), []
    for f in (scanned, fast):
        W.grad, (x, h) = None, draw()
        y, last = f(x, h)
        z, _end = f(y, last)
        (z * y).sum().backward()
        found.append([x.grad, h.grad, W.grad])
    assert_same(*found)


def test_a_graph_is_kept_and_used_twice():
    fast, found = tg.compile(scanned), []
    for f in (scanned, fast):
        W.grad, (x, h) = None, draw()
        y, last = f(x, h)
        loss = (y * y).sum() + last.sum()
        loss.backward(retain_graph=True)
        first = x.grad
        loss.backward()
        found.append([first, x.grad, h.grad, W.grad])
        with pytest.raises(RuntimeError, match="used"):
            loss.backward()
    assert_same(*found)


def test_a_weight_that_changes_before_the_backward_pass_is_an_error():
    fast = tg.compile(scanned)
    for f in (scanned, fast):
        y, _ = f(*draw())
        W.data = W.data * 1.0
        with pytest.raises(RuntimeError, match="W"):
            y.sum().backward()


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_gradcheck_and_second_order(kind):
    layer = make(kind)
    fast, x = tg.compile(layer), draw()[0]
    assert tg.gradcheck(lambda x: fast(x)[0], x)
    slow, quick = [], []
    for f, found in ((layer, slow), (fast, quick)):
        params = list(layer.parameters())
        loss = (f(x)[0] ** 2).sum()
        grads = tg.grad(loss, [x, *params], create_graph=True)
        norm = sum((g * g).sum() for g in grads)
        found += [g.data for g in grads] + [g.data for g in tg.grad(norm, [x, *params])]
    assert_same(slow, quick)


def test_gradients_of_gradients_have_the_masks_of_the_call():
    found, generators = [], []
    for compiled in (False, True):
        drop = nn.Dropout(0.5, rng=0)
        f = tg.compile(drop) if compiled else drop
        x = tg.Tensor(np.linspace(1, 2, 20), requires_grad=True)
        cube = (f(x) ** 3).sum()
        drop.rng.random(3)
        slope = tg.grad(cube, x, create_graph=True)
        found.append([slope.data, tg.grad((slope**2).sum(), x).data])
        generators.append(drop.rng.bit_generator.state)
    assert_same(*found)
    assert generators[0] == generators[1]


def test_hvp_and_jvp():
    fast, (x, h) = tg.compile(scanned), draw()
    v = np.random.default_rng(5).standard_normal(x.shape)
    found = []
    for f in (scanned, fast):
        first = tg.jvp(lambda x, f=f: f(x, h)[0], x, v)[1].data
        gradient = tg.grad((f(x, h)[0] ** 2).sum(), x, create_graph=True)
        second = tg.grad((gradient * v).sum(), [x, W])
        found.append([first, *[g.data for g in second]])
    assert_same(*found)


def test_gradients_inside_of_a_compiled_function():
    """Second derivatives of what is not a scan are instructions as well."""

    def penalty(x):
        x = tg.Tensor(x, requires_grad=True)
        y = (tg.tanh(x @ W) ** 2).sum()
        slope = tg.grad(y, x, create_graph=True)
        (slope * slope).sum().backward()
        return y, slope

    found = []
    for f in (penalty, tg.compile(penalty)):
        for seed in range(3):
            W.grad = None
            y, slope = f(draw(seed)[0].data)
            found.append([y.data, slope.data, W.grad])
    assert_same(found[:3], found[3:])


def test_two_threads_call_one_function():
    layer = nn.GRU(3, 4, rng=0)
    fast, plain = tg.compile(layer), copy.deepcopy(layer)
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((3 + i % 2, 2, 3)).astype("float32") for i in range(16)]
    results = [None] * len(inputs)

    def work(first):
        for i in range(first, len(inputs), 4):
            y, _ = fast(inputs[i])
            (y * y).sum().backward()
            results[i] = y.data

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    expected = []
    for x in inputs:
        y, _ = plain(x)
        (y * y).sum().backward()
        expected.append(y.data)
    assert_same(expected, results)
    assert_same(look_at(plain), look_at(layer))


def test_other_threads_see_nothing_of_a_trace():
    """While one thread traces, another reads the same weights."""
    layer, x = nn.GRU(3, 4, rng=0), np.ones((2, 1, 3), "float32")
    expected, inside, done = layer(x)[0].data, threading.Event(), threading.Event()
    seen = []

    def slow(x):
        y = layer(x)[0]
        inside.set()
        done.wait(5)
        return y

    def read():
        inside.wait(5)
        seen.append(layer(x)[0].data)
        done.set()

    thread = threading.Thread(target=read)
    thread.start()
    result = tg.compile(slow)(x)
    thread.join()
    assert_same(expected, seen[0])
    assert_same(expected, result.data)


def test_copies_and_pickles():
    fast = tg.compile(nn.LSTM(3, 4, num_layers=2, dropout=0.5, rng=0))
    x = draw()[0].data.astype("float32")
    fast(x)
    twins = [copy.deepcopy(fast), pickle.loads(pickle.dumps(fast)), copy.deepcopy(fast.target)]
    results = [f(x)[0].data for f in (fast, *twins)]
    for result in results[1:]:
        assert_same(results[0], result)
    twins[0](x)[0].sum().backward()
    assert all(p.grad is None for p in fast.parameters())
    assert all(p.grad is not None for p in twins[0].parameters())


def test_a_tensor_that_is_returned_as_it_is():
    """An argument or a weight stays the object that it was, with its graph."""
    x, _h = draw()
    y = x * 2
    fast = tg.compile(lambda x: (x, x + 1, W))
    a, b, c = fast(y)
    assert a is y
    assert c is W
    (a * b).sum().backward()
    np.testing.assert_allclose(x.grad, 2 * (2 * y.data + 1))
