"""Compiled scans give the outputs, states and gradients of the engine."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from compiled_cells import (
    LAYERS,
    assert_near,
    random_matrix,
    results_and_gradients,
    run_random_cell,
)
from helpers import state_parts

import tinygrad_rnn as tg


@pytest.mark.parametrize("block", range(14))
def test_random_cells_give_the_results_of_the_engine(block):
    """336 cells: outputs, states and all gradients agree to 1e-10."""
    for seed in range(24 * block, 24 * (block + 1)):
        ours, theirs, _ = run_random_cell(seed)
        assert_near(ours[0], theirs[0])
        assert_near(ours[1], theirs[1])


OPTIONS = [
    {},
    {"num_layers": 2, "bidirectional": True},
    {"batch_first": True},
    {"num_layers": 2, "dropout": 0.5, "input_dropout": 0.2, "state_dropout": 0.3},
    {"zoneout": 0.3},
]


@pytest.mark.parametrize("lengths", [None, [5, 2, 0, 1]], ids=["whole", "lengths"])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: " ".join(options) or "plain")
@pytest.mark.parametrize("name", LAYERS)
def test_a_compiled_layer_gives_the_results_of_the_layer(name, options, lengths):
    found = []
    for wrap in (lambda layer: layer, tg.compile):
        layer = LAYERS[name](**options).astype(np.float64)
        x = tg.Tensor(
            np.random.default_rng(2).standard_normal(
                (4, 5, 3) if "batch_first" in options else (5, 4, 3)
            ),
            requires_grad=True,
        )
        output, state = wrap(layer)(x, lengths=lengths)
        arriving = np.random.default_rng(3)
        results = [output, *state_parts(state)]
        sum((y * arriving.standard_normal(y.shape)).sum() for y in results).backward()
        found.append([*(y.data for y in results), x.grad, *(p.grad for p in layer.parameters())])
    assert_near(found[1], found[0], 1e-12)


def test_a_compiled_model_trains_to_the_same_parameters():
    """Embedding, GRU and head: 20 steps of Adam give the same parameters, compiled or not."""
    rng = np.random.default_rng(0)
    text, targets = rng.integers(0, 7, (2, 20, 6, 3))
    found = []
    for wrap in (lambda model: model, tg.compile):

        class Model(tg.nn.Module):
            def __init__(self):
                super().__init__()
                self.embedding = tg.nn.Embedding(7, 5, rng=0)
                self.gru, self.head = (
                    tg.nn.GRU(5, 4, num_layers=2, rng=1),
                    tg.nn.Linear(4, 7, rng=2),
                )

            def forward(self, indices):
                return self.head(self.gru(self.embedding(indices))[0])

        model = Model().astype(np.float64)
        runs, optimizer = wrap(model), tg.optim.Adam(model.parameters(), lr=0.01)
        for indices, target in zip(text, targets, strict=True):
            tg.nn.functional.cross_entropy(runs(indices), target).backward()
            optimizer.step()
            optimizer.zero_grad()
        found.append(list(model.state_dict().values()))
    assert_near(found[1], found[0], 1e-9)


def test_a_detached_state_carries_over_to_the_next_window():
    """Truncated backpropagation through time: two windows give the outputs of the whole."""
    layer = tg.nn.LSTM(3, 4, rng=0).astype(np.float64)
    fast, x = tg.compile(layer), np.random.default_rng(0).standard_normal((6, 2, 3))
    whole, last = layer(x)
    first, state = fast(x[:4])
    second, end = fast(x[4:], tg.detach(state))
    assert_near(
        [np.concatenate([first.data, second.data]), *(s.data for s in end)],
        [whole.data, *(s.data for s in last)],
        1e-12,
    )


def test_every_number_of_steps_has_a_program_also_without_a_batch():
    layer = tg.nn.GRU(3, 4, rng=0).astype(np.float64)
    fast = tg.compile(layer)
    for T in (1, 2, 9):
        x = np.random.default_rng(T).standard_normal((T, 3))
        assert_near([fast(x)[0].data], [layer(x)[0].data], 1e-12)
    assert len(fast.programs) == 3


def test_a_compiled_layer_passes_gradcheck_to_second_order():
    fast = tg.compile(tg.nn.GRU(2, 3, bidirectional=True, rng=0).astype(np.float64))
    x = tg.Tensor(np.random.default_rng(0).standard_normal((4, 2, 2)), requires_grad=True)
    assert tg.gradcheck(lambda x, *_: fast(x)[0], x, *fast.parameters())
    assert tg.gradcheck(lambda x: fast(x)[1], x, order=2)


def test_gradients_of_gradients_are_those_of_the_layer():
    """They are computed step by step."""
    layer = tg.nn.LSTM(2, 3, rng=0).astype(np.float64)
    x = tg.Tensor(np.random.default_rng(0).standard_normal((4, 2, 2)), requires_grad=True)
    found = []
    for run in (layer, tg.compile(layer)):
        output, (h, c) = run(x)
        parameters = list(layer.parameters())
        slopes = tg.grad(
            (output * output).sum() + (h * c).sum(), [x, *parameters], create_graph=True
        )
        found.append(
            [g.data for g in tg.grad(sum((s * s).sum() for s in slopes), [x, *parameters])]
        )
    assert_near(found[1], found[0], 1e-10)


def test_a_retained_graph_of_a_program_can_be_used_twice():
    fast = tg.compile(tg.nn.GRU(2, 3, rng=0))
    loss = (fast(np.ones((4, 2, 2), "float32"))[0] ** 2).sum()
    loss.backward(retain_graph=True)
    once = fast.weight_hh_l0.grad.copy()
    loss.backward()
    np.testing.assert_allclose(fast.weight_hh_l0.grad, 2 * once, rtol=1e-6)


@pytest.mark.usefixtures("fast_thread_switches")
@pytest.mark.usefixtures("fast_thread_switches")
def test_threads_share_no_buffers():
    fast = tg.compile(tg.nn.GRU(3, 8, rng=0).astype(np.float64))
    data = np.random.default_rng(0).standard_normal((32, 200, 2, 3))

    def gradient(x):
        x = tg.Tensor(x, requires_grad=True)
        (slope,) = tg.grad((fast(x)[0] ** 2).sum(), [x])
        return slope.data

    alone = [gradient(x) for x in data]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(gradient, data))
    assert_near(together, alone, 0)


def test_two_runs_of_one_program_keep_their_saved_values_apart():
    layer = tg.nn.GRU(3, 4, rng=0).astype(np.float64)
    x, y = np.random.default_rng(0).standard_normal((2, 5, 2, 3))
    found = []
    for run in (layer, tg.compile(layer)):
        layer.zero_grad()
        a, b = run(x)[0], run(y)[0]
        (a * b).sum().backward()
        found.append([p.grad for p in layer.parameters()])
    assert_near(found[1], found[0], 1e-12)


@pytest.mark.parametrize(
    "cell",
    [
        lambda x, h: (h * h.sum() + x.mean()) / 9,
        lambda x, h: tg.tanh((h[None] @ np.ones((2, 2)))[:, 0:1].sum(axis=0) + x),
        lambda x, h: tg.tanh(
            h[..., np.arange(2000) % 2].sum(axis=-1, keepdims=True)
            - h[..., np.arange(2000) % 2 * (np.arange(2000) != 1001)].sum()
            + x
        ),
    ],
    ids=["one number", "part of an axis in the middle", "long indices"],
)
def test_values_inside_a_cell_may_have_any_shape(cell):
    def step(x, h):
        h = cell(x, h)
        return h, h

    parameters = tg.nn.Module()
    x, h = (
        tg.Tensor(np.ones((4, 1, 2)), requires_grad=True),
        tg.Tensor(0.5 * np.ones((1, 2)), requires_grad=True),
    )
    theirs, ours = (
        results_and_gradients(step, parameters, x, h, False),
        results_and_gradients(tg.compile(step), parameters, x, h, False),
    )
    assert_near([*ours[0], *ours[1]], [*theirs[0], *theirs[1]], 1e-10)


def test_a_state_may_be_a_single_number():
    def leaky(x, h):
        h = 0.5 * h + x
        return h, h

    x, h = tg.Tensor([1.0, 0.0, 0.0]), tg.Tensor(0.0)
    np.testing.assert_allclose(tg.scan(tg.compile(leaky), x, h)[0].data, [1.0, 0.5, 0.25])


def test_a_cell_may_return_its_state_dict_in_another_order():
    def cell(x, state):
        h = tg.tanh(state["h"] + x)
        return h, {"c": 0.5 * state["c"], "h": h}

    x, state = (
        tg.Tensor(np.ones((3, 1, 2))),
        {"h": tg.Tensor(np.zeros((1, 2))), "c": tg.Tensor(np.ones((1, 2)))},
    )
    ours, theirs = tg.scan(tg.compile(cell), x, state), tg.scan(cell, x, state)
    for name in ("h", "c"):
        np.testing.assert_allclose(ours[1][name].data, theirs[1][name].data)


def test_writing_into_a_returned_state_does_not_change_the_gradients():
    """The backward pass reads a copy of its own."""
    layer = tg.nn.GRU(3, 4, rng=0).astype(np.float64)
    fast, found = tg.compile(layer), []
    for reset in (False, True):
        layer.zero_grad()
        output, state = fast(np.ones((5, 2, 3)))
        if reset:
            state.data[...] = 0
        output.sum().backward()
        found.append([p.grad for p in layer.parameters()])
    assert_near(found[1], found[0], 0)


W3, U3 = random_matrix(3, 3), random_matrix(3, 3, seed=1)


CELLS = {
    "integers times a matrix": lambda x, h: tg.tanh(h + x @ W3 * 0.1),
    "a mask times a matrix": lambda x, h: tg.tanh(x @ W3 + (h > 0) @ U3),
    "a literal below zero to a power": lambda x, h: tg.power(-2.0, h * 0 + 2.0) + x,
    "a number and arrays stacked": lambda x, h: tg.tanh(
        tg.stack([h[:, 0], tg.Tensor(0.5) * h[:, 1], x[:, 0]], axis=-1)
    ),
    "a matrix with an axis more": lambda x, h: tg.tanh(
        (h[:, :, None] @ h[:, None, :]).sum(axis=-1) * 0.1 + x
    ),
    "powers of zero": lambda x, h: tg.exp(-((h * 0 + 0.0) ** -2)) + x + h,
    "a large integer": lambda x, h: tg.tanh(h * 10**20 + x),
    "views of views in a product": lambda x, h: tg.tanh(h[:, None, :, None][..., 0][:, 0] @ W3 + x),
    "broadcast rows in a product": lambda x, h: tg.tanh(tg.broadcast_to(h[0], (2, 3)) @ W3 + x),
    "backwards": lambda x, h: tg.tanh(h[::-1] + tg.flip(x, axis=1)),
    "one row of it": lambda x, h: tg.tanh(h[1] + x[:, :, None][:, :, 0]),
    "comparisons": lambda x, h: tg.where(h <= 0.3, h * 0 + 0.3, h * 0.5 + x),
    "equal numbers": lambda x, h: tg.where(h == 0.1, x * 0.5, h * 0 + 0.1),
    "the larger of equal ones": lambda x, h: (
        tg.relu(tg.maximum(h, 0.3)) - tg.minimum(h, 0.3) * 0.5 + x * 0.1
    ),
}
"""Cells of which a program was wrong once."""


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CELLS)
def test_cells_that_once_failed_give_the_results_of_the_engine(name, dtype, backend, monkeypatch):
    for p in (W3, U3):
        monkeypatch.setattr(p, "array", p.array.astype(dtype))

    def cell(x, h):
        h = CELLS[name](x, h)
        return h, h

    steps = np.arange(24).reshape(4, 2, 3) % 5
    xs = steps if "integers" in name else tg.Tensor((steps / 10).astype(dtype), requires_grad=True)
    found = []
    for run in (cell, tg.compile(cell, backend=backend)):
        h = tg.Tensor(np.array([[0.3, 0.1, -0.2], [0.0, 0.3, 0.5]], dtype), requires_grad=True)
        for leaf in (W3, U3, *([xs] if isinstance(xs, tg.Tensor) else [])):
            leaf.grad = None
        with np.errstate(all="ignore"):
            output, _ = tg.scan(run, xs, h)
            (output * np.arange(24).reshape(4, 2, 3).astype(dtype)).sum().backward()
        found.append([output.data, h.grad, W3.grad, U3.grad, getattr(xs, "grad", None)])
    assert found[0][0].dtype == found[1][0].dtype == dtype
    for theirs, ours in zip(*found, strict=True):
        theirs, ours = (0.0 if g is None else g for g in (theirs, ours))
        np.testing.assert_allclose(
            ours,
            theirs,
            rtol=1e-4 if dtype == np.float32 else 1e-11,
            atol=1e-5 if dtype == np.float32 else 1e-12,
        )


def test_a_frozen_matrix_in_a_product_has_its_current_values():
    U = random_matrix(3, 3, frozen=True)

    def cell(x, h):
        h = tg.tanh(x + h @ U)
        return h, h

    fast = tg.compile(cell)
    for _ in range(3):
        found = []
        for run in (cell, fast):
            x, h = (
                tg.Tensor(np.full((4, 2, 3), 0.1), requires_grad=True),
                tg.Tensor(np.ones((2, 3)), requires_grad=True),
            )
            tg.scan(run, x, h)[0].sum().backward()
            found.append([x.grad, h.grad])
        assert_near(found[1], found[0], 1e-12)
        U.data[...] = 1.5 * U.data + 0.1


def test_a_state_cast_to_float32_is_cast_in_every_step():
    W, U = random_matrix(3, 3, dtype=np.float32), random_matrix(3, 3)

    def cell(x, h):
        h = tg.astype(tg.tanh(x @ W + h @ U), "float32")
        return h, h

    x, h = tg.Tensor(np.ones((4, 2, 3), np.float32)), tg.Tensor(np.ones((2, 3), np.float32))
    for backend in ("numpy", "numba"):
        output, _ = tg.scan(tg.compile(cell, backend=backend), x, h)
        assert output.dtype == np.float32
        np.testing.assert_allclose(output.data, tg.scan(cell, x, h)[0].data, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64"])
def test_integer_inputs_give_the_results_of_the_engine(dtype):
    def cell(x, h):
        h = tg.tanh(0.1 * (h + x))
        return h, h

    x, h = np.arange(6).reshape(3, 2).astype(dtype), tg.Tensor(np.ones(2), requires_grad=True)
    np.testing.assert_allclose(tg.scan(tg.compile(cell), x, h)[0].data, tg.scan(cell, x, h)[0].data)


@pytest.mark.parametrize("scale", [1e4, 1e38])
@pytest.mark.parametrize("layer", ["RNN", "GRU", "LSTM"])
def test_large_inputs_raise_no_floating_point_error(layer, scale):
    """Not while a program is written either: stand-ins that overflow are ignored."""
    plain = getattr(tg.nn, layer)(3, 4, rng=0)
    x = np.where(np.arange(24).reshape(4, 2, 3) % 2, scale, -scale).astype("f4")
    with np.errstate(all="raise"):
        for run in (plain, tg.compile(plain)):
            run(tg.Tensor(x, requires_grad=True))[0].sum().backward()
