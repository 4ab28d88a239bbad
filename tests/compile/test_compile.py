"""Compiled walks through time: equal to the engine's for cells nobody had in mind, and refused where they could not be."""

import ast
import copy
import pickle
import random
import subprocess
import sys
import types
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import FunctionType

import numpy as np
import pytest
from internals import NotCompilable, cli, jit

import tinygrad_rnn as tg
from examples import cells

# -- cells made by chance ----------------------------------------------------------------------------


class Chance(tg.nn.Module):
    """A cell composed by chance: ops, parameters used once or several times, outputs besides the state; always the same for one seed."""

    def __init__(self, seed):
        super().__init__()
        rng = np.random.default_rng(seed)
        self.B, self.I, self.H = (int(n) for n in rng.integers(1, 5, 3))
        self.several, self.seed, self.steps = (
            bool(rng.integers(2)),
            int(rng.integers(2**31)),
            int(rng.integers(3, 16)),
        )
        self.rng, self.made = rng, 0
        self.W, self.U, self.b = (
            self.matrix(self.I, self.H),
            self.matrix(self.H, self.H),
            self.matrix(self.H),
        )

    def matrix(self, *shape):
        return tg.Tensor(0.6 * self.rng.standard_normal(shape), requires_grad=True)

    def own(self, *shape):
        """A parameter of this place in the cell."""
        self.made += 1
        name = f"p{self.made}"
        if name not in self._parameters:
            setattr(self, name, self.matrix(*shape))
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
        H = a.shape[-1] // 2
        return a[:, :H] * tg.sigmoid(a[:, H:])


def leaves_of(structure):
    return [structure] if isinstance(structure, tg.Tensor) else list(structure)


def flows(walk, cell, inputs, state, reverse, seed=0):
    """Outputs, last states and every gradient of a walk, for gradients that arrive by chance."""
    rng = np.random.default_rng(seed)
    ends = [*leaves_of(inputs), *leaves_of(state)]
    for leaf in (*ends, *cell.parameters()):
        leaf.grad = None
    output, last = tg.scan(walk, inputs, state, reverse=reverse)
    results = [*leaves_of(output), *leaves_of(last)]
    total = sum((y * rng.standard_normal(y.shape)).sum() for y in results)
    total.backward()
    return [y.data for y in results], [leaf.grad for leaf in (*ends, *cell.parameters())]


def agree(ours, theirs, within=1e-10):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        a, b = (np.zeros(()) if g is None else g for g in (a, b))
        assert np.abs(a - b).max(initial=0) <= within * (1 + np.abs(b).max(initial=0))


@pytest.mark.parametrize("block", range(14))
def test_cells_made_by_chance(block):
    """336 cells: outputs, states and all gradients are those of the engine to 1e-10."""
    for seed in range(24 * block, 24 * (block + 1)):
        cell = Chance(seed)
        rng = np.random.default_rng(seed)
        x = tg.Tensor(rng.standard_normal((4, cell.B, cell.I)), requires_grad=True)
        states = [
            tg.Tensor(rng.standard_normal((cell.B, cell.H)), requires_grad=True, name=name)
            for name in ("h", "c")
        ]
        state = tuple(states[: 1 + seed % 2]) if cell.several else states[0]
        with np.errstate(all="ignore"):
            theirs = flows(cell, cell, x, state, bool(seed % 3))
            ours = flows(tg.compile(cell), cell, x, state, bool(seed % 3))
        agree(ours[0], theirs[0])
        agree(ours[1], theirs[1])


# -- layers ------------------------------------------------------------------------------------------

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
def test_layers(name, options, lengths):
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
        results = [output, *leaves_of(state)]
        sum((y * arriving.standard_normal(y.shape)).sum() for y in results).backward()
        found.append([*(y.data for y in results), x.grad, *(p.grad for p in layer.parameters())])
    agree(found[1], found[0], 1e-12)


def test_a_whole_model_trains_alike():
    """Embedding, GRU and head: 20 steps of Adam give the same parameters, step by step or compiled."""
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
    agree(found[1], found[0], 1e-9)


def test_state_is_carried_and_detached():
    """Truncated BPTT: the state of one window goes into the next."""
    layer = tg.nn.LSTM(3, 4, rng=0).astype(np.float64)
    fast, x = tg.compile(layer), np.random.default_rng(0).standard_normal((6, 2, 3))
    whole, last = layer(x)
    first, state = fast(x[:4])
    second, end = fast(x[4:], tg.detach(state))
    agree(
        [np.concatenate([first.data, second.data]), *(s.data for s in end)],
        [whole.data, *(s.data for s in last)],
        1e-12,
    )


def test_unbatched_and_other_steps():
    """One sequence without a batch; and a program serves any number of steps."""
    layer = tg.nn.GRU(3, 4, rng=0).astype(np.float64)
    fast = tg.compile(layer)
    for T in (1, 2, 9):
        x = np.random.default_rng(T).standard_normal((T, 3))
        agree([fast(x)[0].data], [layer(x)[0].data], 1e-12)
    assert len(fast._programs) == 1


def test_gradcheck_goes_through():
    fast = tg.compile(tg.nn.GRU(2, 3, bidirectional=True, rng=0).astype(np.float64))
    x = tg.Tensor(np.random.default_rng(0).standard_normal((4, 2, 2)), requires_grad=True)
    assert tg.gradcheck(lambda x, *_: fast(x)[0], x, *fast.parameters())
    assert tg.gradcheck(lambda x: fast(x)[1], x, order=2)


def test_gradients_of_gradients():
    """They walk step by step, and are those of the layer itself."""
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
    agree(found[1], found[0], 1e-10)


def test_a_graph_can_be_used_twice_if_it_is_kept():
    fast = tg.compile(tg.nn.GRU(2, 3, rng=0))
    loss = (fast(np.ones((4, 2, 2), "float32"))[0] ** 2).sum()
    loss.backward(retain_graph=True)
    once = fast.weight_hh_l0.grad.copy()
    loss.backward()
    np.testing.assert_allclose(fast.weight_hh_l0.grad, 2 * once, rtol=1e-6)


def test_threads_share_no_buffers():
    fast = tg.compile(tg.nn.GRU(3, 8, rng=0).astype(np.float64))
    data = np.random.default_rng(0).standard_normal((16, 30, 2, 3))

    def gradient(x):
        x = tg.Tensor(x, requires_grad=True)
        (slope,) = tg.grad((fast(x)[0] ** 2).sum(), [x])
        return slope.data

    alone = [gradient(x) for x in data]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(gradient, data))
    agree(together, alone, 0)


def test_two_walks_before_one_backward():
    """Two runs of one program keep what they need apart."""
    layer = tg.nn.GRU(3, 4, rng=0).astype(np.float64)
    x, y = np.random.default_rng(0).standard_normal((2, 5, 2, 3))
    found = []
    for run in (layer, tg.compile(layer)):
        layer.zero_grad()
        a, b = run(x)[0], run(y)[0]
        (a * b).sum().backward()
        found.append([p.grad for p in layer.parameters()])
    agree(found[1], found[0], 1e-12)


# -- what a cell holds -------------------------------------------------------------------------------


def test_new_numbers_in_old_programs():
    """Parameters that were changed, replaced or frozen, numbers and modes that a cell holds: the next call sees them."""

    class Leaky(tg.nn.Module):
        def __init__(self):
            super().__init__()
            self.U, self.rate = tg.Tensor(np.eye(2), requires_grad=True), 0.5

        def forward(self, x, h):
            h = self.rate * h @ self.U + x
            return h, h

    cell, x, h = Leaky(), tg.Tensor(np.ones((3, 1, 2))), tg.Tensor(np.zeros((1, 2)))
    fast = tg.compile(cell)

    def same():
        np.testing.assert_allclose(tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data)

    same()
    cell.U.data = 2 * np.eye(2)
    same()
    cell.U = tg.Tensor(3 * np.eye(2), requires_grad=True)
    same()
    assert len(fast._programs) == 1
    cell.rate = 0.25
    same()
    cell.U.requires_grad = False
    same()
    cell.U.data = 4 * np.eye(2)
    same()


def test_a_closure_made_anew_needs_no_new_program():
    U = tg.Tensor(np.eye(2), requires_grad=True)

    def walk(x, rate):
        def leaky(x, h):
            h = rate * h @ U + x
            return h, h

        return tg.scan(leaky, x, tg.Tensor(np.zeros((1, 2))))[0]

    fast, x = tg.compile(walk), tg.Tensor(np.ones((3, 1, 2)))
    for rate in (0.5, 0.5, 0.25, 0.5):
        np.testing.assert_allclose(fast(x, rate).data, walk(x, rate).data)
    assert len(fast._programs) == 2


def test_a_cell_that_is_another_each_time_is_named():
    """A number that changes from call to call: after some programs one warning says which."""

    def walk(x, rate):
        def leaky(x, h):
            h = rate * h + x
            return h, h

        return tg.scan(leaky, x, tg.Tensor(np.zeros((1, 2))))[0]

    fast, x = tg.compile(walk), tg.Tensor(np.ones((3, 1, 2)))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        for n in range(12):
            fast(x, n / 16)
    assert len(found) == 1
    assert "compile(leaky)" in str(found[0].message)
    assert "9 programs, the last two for 0.4375 and for 0.5" in str(found[0].message)
    assert found[0].filename == __file__


def test_other_lengths_and_masks_need_no_new_program():
    layer = tg.nn.GRU(3, 4, state_dropout=0.3, rng=0)
    fast = tg.compile(layer)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        fast(rng.standard_normal((5, 2, 3)).astype("float32"), lengths=rng.integers(0, 6, 2))
    assert len(fast._programs) == 1


def test_programs_by_form():
    """A new shape, dtype, or pattern of what is differentiated has its own program."""
    fast = tg.compile(tg.nn.GRU(3, 4, rng=0))
    x = np.ones((5, 2, 3), "float32")
    fast(x)
    fast(x[:, :1])
    fast(tg.Tensor(x, requires_grad=True))
    with tg.no_grad():
        assert fast(x)[0].node is None
    assert len(fast._programs) == 4
    assert "def backward" not in next(reversed(fast._programs.values())).program.source


def test_used_as_the_target():
    """The same parameters, state dict, modes and attributes; copies and pickles start without programs."""
    layer = tg.nn.GRU(3, 4, rng=0)
    fast = tg.compile(layer)
    assert list(fast.state_dict()) == list(layer.state_dict())
    assert [id(p) for p in fast.parameters()] == [id(p) for p in layer.parameters()]
    assert fast.hidden_size == 4
    fast.eval()
    assert not layer.training
    other = tg.nn.GRU(3, 4, rng=1)
    fast.load_state_dict(other.state_dict())
    x = np.ones((5, 2, 3), "float32")
    np.testing.assert_allclose(fast(x)[0].data, other(x)[0].data, atol=1e-6)
    for twin in (copy.deepcopy(fast), pickle.loads(pickle.dumps(fast))):
        np.testing.assert_array_equal(twin(x)[0].data, fast(x)[0].data)
        assert twin.weight_hh_l0 is not fast.weight_hh_l0
    assert repr(fast) == f"compile({layer!r})"


RATES, MATRICES = {"rate": 0.5}, {"U": [tg.Tensor(np.eye(2), requires_grad=True)]}


class Settings:
    rate = 0.5


def of_a_dict(x, h):
    h = RATES["rate"] * h @ MATRICES["U"][0] + x
    return h, h


def of_an_object(x, h, settings=Settings()):  # noqa: B008
    h = settings.rate * h + x
    return h, h


def of_code_within(x, h):
    h = sum((lambda part: RATES["rate"] * part)(part) for part in (h, x))
    return h, h


@pytest.mark.parametrize("cell", [of_a_dict, of_an_object, of_code_within])
def test_what_stands_outside_of_a_cell_is_seen(cell, monkeypatch):
    """Containers, objects and their classes, and what code within code finds around it."""
    x, h = tg.Tensor(np.ones((3, 1, 2)), requires_grad=True), tg.Tensor(np.ones((1, 2)))
    fast = tg.compile(cell)
    for rate in (0.5, 0.25):
        monkeypatch.setitem(RATES, "rate", rate)
        monkeypatch.setattr(Settings, "rate", rate)
        monkeypatch.setitem(MATRICES, "U", [tg.Tensor(np.full((2, 2), rate), requires_grad=True)])
        np.testing.assert_allclose(tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data)


def test_numbers_written_in_place_are_seen():
    """Of frozen parameters, and of what is made of them; of a small array; of a Tensor of one number."""
    U, one, mask = tg.Tensor(np.eye(2)), tg.Tensor(0.5), np.ones(2)

    def cell(x, h):
        h = tg.tanh(one * h @ tg.exp(U).T * mask + x)
        return h, h

    x, h = tg.Tensor(np.ones((3, 1, 2)), requires_grad=True), tg.Tensor(np.ones((1, 2)))
    fast = tg.compile(cell)
    for array in (U.data, one.data, mask, mask):
        found = []
        for walk in (cell, fast):
            x.grad = None
            output, _ = tg.scan(walk, x, h)
            output.sum().backward()
            found.append([output.data, x.grad])
        agree(found[1], found[0], 1e-12)
        array[...] = 0.25 * array


def test_cells_that_hold_the_same_in_other_places():
    def walk(x, h, functions):
        def cell(x, h):
            for function in functions:
                h = function(h)
            return h + x, h

        return tg.scan(cell, x, h)[0]

    def double(h):
        return 2 * h

    def less(h):
        return h - 1

    x, h = tg.Tensor(np.ones((3, 1, 2))), tg.Tensor(np.ones((1, 2)))
    fast = tg.compile(walk)
    for functions in ([double, double, less], [double, less, less], [double], [double, [less][0]]):
        np.testing.assert_allclose(fast(x, h, functions).data, walk(x, h, functions).data)


def test_names_that_the_program_uses_itself():
    """Parameters and values that are called t, t1, T or out are what they are."""

    class Cell(tg.nn.Module):
        def __init__(self):
            super().__init__()
            rng = np.random.default_rng(0)
            self.t1, self.t2, self.t, self.T, self.out = (
                tg.Tensor(rng.standard_normal((2, 2)), requires_grad=True) for _ in range(5)
            )

        def forward(self, x, h):
            h = tg.tanh((x @ self.t1 + h) @ self.t2 @ self.t + h @ self.T @ self.out)
            h.name = "t3"
            return h, h

    cell = Cell()
    x, h = (
        tg.Tensor(np.ones((3, 1, 2)), requires_grad=True, name="t"),
        tg.Tensor(np.ones((1, 2)), requires_grad=True, name="t1"),
    )
    theirs, ours = flows(cell, cell, x, h, False), flows(tg.compile(cell), cell, x, h, False)
    agree([*ours[0], *ours[1]], [*theirs[0], *theirs[1]], 1e-12)


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
def test_values_of_odd_shapes(cell):
    def walked(x, h):
        h = cell(x, h)
        return h, h

    parameters = tg.nn.Module()
    x, h = (
        tg.Tensor(np.ones((4, 1, 2)), requires_grad=True),
        tg.Tensor(0.5 * np.ones((1, 2)), requires_grad=True),
    )
    theirs, ours = (
        flows(walked, parameters, x, h, False),
        flows(tg.compile(walked), parameters, x, h, False),
    )
    agree([*ours[0], *ours[1]], [*theirs[0], *theirs[1]], 1e-10)


def test_a_state_of_one_number():
    def leaky(x, h):
        h = 0.5 * h + x
        return h, h

    x, h = tg.Tensor([1.0, 0.0, 0.0]), tg.Tensor(0.0)
    np.testing.assert_allclose(tg.scan(tg.compile(leaky), x, h)[0].data, [1.0, 0.5, 0.25])


def test_a_dict_in_another_order():
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


def test_a_state_that_is_reset_before_backward():
    """Whoever carries it on may write into it: the way back has its own numbers."""
    layer = tg.nn.GRU(3, 4, rng=0).astype(np.float64)
    fast, found = tg.compile(layer), []
    for reset in (False, True):
        layer.zero_grad()
        output, state = fast(np.ones((5, 2, 3)))
        if reset:
            state.data[...] = 0
        output.sum().backward()
        found.append([p.grad for p in layer.parameters()])
    agree(found[1], found[0], 0)


# -- the program -------------------------------------------------------------------------------------


def test_the_program_runs_on_its_own(tmp_path):
    """Pasted into a file, with NumPy and nothing else: the same numbers."""
    for seed in (3, 11, 23, 40):
        cell = Chance(seed)
        rng = np.random.default_rng(seed)
        x = tg.Tensor(rng.standard_normal((4, cell.B, cell.I)), requires_grad=True)
        state = tg.Tensor(rng.standard_normal((cell.B, cell.H)), requires_grad=True, name="h")
        state = (state,) if cell.several else state
        fast = tg.compile(cell)
        with np.errstate(all="ignore"):
            flows(fast, cell, x, state, reverse=False)
        (made,) = fast._programs.values()
        arguments = [
            x.data,
            leaves_of(state)[0].data,
            *[leaf.data for leaf in made.leaves(list(cell.parameters()))],
        ]
        np.savez(tmp_path / "given.npz", *arguments)
        (tmp_path / "program.py").write_text(fast.source)
        (tmp_path / "run.py").write_text(
            "import sys\nimport numpy as np\nfrom program import forward, backward\n"
            "given = np.load('given.npz')\n"
            "outputs, last, saved = forward(*[given[f'arr_{i}'] for i in range(len(given.files))])\n"
            "found = backward(*map(np.ones_like, outputs), *map(np.ones_like, last), *saved)\n"
            "assert 'tinygrad_rnn' not in sys.modules\n"
            "np.savez('found.npz', *outputs, *last, *[np.zeros(()) if g is None else g for g in found])\n"
        )
        subprocess.run([sys.executable, "-W", "ignore", "run.py"], cwd=tmp_path, check=True)
        found = np.load(tmp_path / "found.npz")
        with np.errstate(all="ignore"):
            outputs, last, saved = made.program.forward(*arguments)
            back = made.program.backward(
                *map(np.ones_like, outputs), *map(np.ones_like, last), *saved
            )
        agree([found[f"arr_{i}"] for i in range(len(found.files))], [*outputs, *last, *back], 0)


def test_the_program_reads_like_a_textbook():
    """Names are the cell's, the weight gradients are products over all steps, and only the recurrence is left in the loops."""
    fast = tg.compile(tg.nn.GRU(3, 4, rng=0))
    fast(np.ones((5, 2, 3), "float32"))
    forward, backward = fast.source.split("def backward")
    before, loop = forward.split("for t in range(T):")
    assert "xs_r = " in before
    assert "# σ(h_prev @ U_rᵀ + x_r)" in loop
    for name in ("r", "z", "n", "h"):
        assert f"        {name} = np." in loop
    assert "weight_ih" not in loop
    loop, after = backward.split("for t in reversed(range(T)):")[1].split("# sums over all steps")
    assert "dh_prev" in loop
    assert loop.count("np.dot(") == 3
    assert ".reshape(-1, 4).T" not in loop
    assert after.count("np.dot(") == 6
    words = fast.explain()
    for name in ("r, z, n, h", "x_r, x_z, x_n", "In the loop, last step first", "bytes a step"):
        assert name in words


def test_equal_programs_have_equal_texts():
    texts = []
    for _ in range(2):
        fast = tg.compile(tg.nn.LSTM(3, 4, rng=0))
        fast(np.ones((5, 2, 3), "float32"))
        texts.append(fast.source)
    assert texts[0] == texts[1]


def test_an_op_of_the_user():
    """Its source goes into the program; one whose forward is no expression is called."""

    @tg.op("bump({a})")
    def compile_bump(a):
        y = np.zeros_like(a)
        y[a > 0] = a[a > 0] ** 2
        return y

    compile_bump.vjps(a=lambda g, y, a: g * (2 * tg.relu(a)))

    def cell(x, h):
        h = 0.5 * h + compile_bump(x + 0.1 * h)
        return h, h

    x = tg.Tensor(np.random.default_rng(0).standard_normal((4, 2, 3)), requires_grad=True)
    h = tg.Tensor(np.zeros((2, 3)), requires_grad=True)
    fast = tg.compile(cell)
    found = []
    for walk in (cell, fast):
        x.grad = None
        (tg.scan(walk, x, h)[0] ** 2).sum().backward()
        found.append(x.grad)
    agree([found[1]], [found[0]], 1e-12)
    assert "def compile_bump(a):" in fast.source


def test_a_walk_is_one_box_that_opens_into_its_step():
    fast = tg.compile(tg.nn.GRU(3, 4, rng=0))
    loss = fast(np.ones((50, 2, 3), "float32"))[0].sum()
    (box,) = [node for node in tg.graph(loss).nodes if node.text.startswith("GRUCell")]
    assert "50 steps" in box.text
    assert (50, 2, 4) in box.shapes
    assert "GRUCell(" in tg.graph(loss).text()
    step = fast.graph(fold="names", parameters="hide")
    assert {"r", "z", "n", "h"} <= {node.name for node in step.nodes}
    assert "<svg" in step.svg()


def test_what_looks_into_time_steps_says_that_a_walk_is_compiled():
    output, _ = tg.compile(tg.nn.GRU(3, 4, rng=0))(np.ones((5, 2, 3), "float32"))
    for look in (lambda: tg.bptt.values(output), lambda: tg.bptt.flow(output.sum())):
        with pytest.raises(
            ValueError,
            match=r"a compiled scan, which is one node; call the layer itself, fast\.target",
        ):
            look()


# -- refusals ----------------------------------------------------------------------------------------


def branching(x, h):
    h = h + x if x.sum() > 0 else h - x
    return h, h


def reading(x, h):
    h = h * x.mean().item()
    return h, h


def by_chance(x, h):
    h = h + x * np.random.default_rng().random(x.shape)
    return h, h


def counting(x, h, seen=[0.0]):  # noqa: B006
    seen[0] += 1.0
    h = h + x * seen[0]
    return h, h


def peeping(x, h):
    h = h + x * float(x.data.max())
    return h, h


def detaching(x, h):
    h = tg.tanh(h.detach() + x)
    return h, h


def masked_by_numbers(x, h):
    h = tg.where(np.ones(x.shape) * x.array > 0, tg.tanh(h), h + x)
    return h, h


def counted(x, h):
    h = h + x
    return (h, tg.Tensor(np.array(3)) * 1), h


@pytest.mark.parametrize(
    "cell", [branching, reading, by_chance, counting, peeping, detaching, masked_by_numbers]
)
def test_refused_by_name(cell):
    x, h = (
        tg.Tensor(np.ones((3, 1, 2)), requires_grad=True),
        tg.Tensor(np.zeros((1, 2)), requires_grad=True),
    )
    with pytest.raises(
        NotCompilable, match=rf"compile: argument {cell.__name__}: expected .* got .*fallback=True"
    ):
        tg.scan(tg.compile(cell), x, h)
    fast = tg.compile(cell, fallback=True)
    output, _ = tg.scan(fast, x, h)
    output.sum().backward()
    assert cell.__name__ in fast.refused
    if cell not in (by_chance, counting):
        np.testing.assert_array_equal(output.data, tg.scan(cell, x, h)[0].data)


def test_results_of_several_dtypes_are_refused():
    x, h = tg.Tensor(np.ones((3, 1, 2)), requires_grad=True), tg.Tensor(np.zeros((1, 2)))
    with pytest.raises(NotCompilable, match="one floating dtype"):
        tg.scan(tg.compile(counted), x, h)


def test_indices_inside_of_a_cell_are_refused():
    table = tg.Tensor(np.eye(3), requires_grad=True)

    def cell(x, h):
        h = h + table[x]
        return h, h

    with pytest.raises(NotCompilable, match="getitem"):
        tg.scan(tg.compile(cell), tg.Tensor(np.zeros((4, 2), int)), tg.Tensor(np.zeros((2, 3))))


def test_wrong_calls():
    for target in (3, tg.nn.GRU):
        with pytest.raises(TypeError, match="compile: argument target: expected a Module"):
            tg.compile(target)
    fast = tg.compile(tg.nn.GRU(3, 4))
    for look in (lambda: fast.source, fast.explain):
        with pytest.raises(RuntimeError, match="none yet; call it once"):
            look()
    with pytest.raises(TypeError, match="expected dtype float32"):
        fast(np.ones((5, 2, 3)))
    with pytest.raises(ValueError, match="expected"):
        fast(np.ones((5, 2, 4), "float32"))
    with pytest.raises(ValueError, match="time step"):
        tg.scan(
            fast, tg.Tensor(np.ones((0, 2, 3), "float32")), tg.Tensor(np.zeros((2, 4), "float32"))
        )


# -- the command -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    ["rnn", "gru", "gru-before", "lstm", "examples/cells.py:MGU", "examples/cells.py:LayerNormGRU"],
)
def test_the_command_prints_a_program(cell, capsys, request):
    path = cell if "/" not in cell else str(request.config.rootpath / cell)
    assert cli.main(["compile", path, "--plain"]) == 0
    program = capsys.readouterr().out
    space = {}
    exec(program, space)
    assert callable(space["forward"])
    assert callable(space["backward"])
    assert cli.main(["compile", path, "--plain", "--backend", "numba"]) == 0
    assert "@njit" in capsys.readouterr().out
    assert cli.main(["compile", path, "--explain"]) == 0
    assert "In the loop, step by step" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["tree"], "expected rnn, gru, gru-before, lstm, or FILE.py:NAME, got 'tree'"),
        (["gru", "--backend", "c"], "argument backend: expected 'numpy' or 'numba', got 'c'"),
        (["gru", "--hidden", "0"], "--hidden: expected a positive integer, got 0"),
        (["nowhere.py:Cell"], "expected a file that runs"),
        (["examples/cells.py:moving_average"], "expected a factory NAME(input_size, rng)"),
    ],
)
def test_the_command_refuses(arguments, complaint, capsys, request, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)
    assert cli.main(["compile", *arguments]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_training_compiled(cell, tmp_path, capsys, monkeypatch):
    """The same losses; and a run that goes on from a checkpoint stays compiled, and ends with the same bits."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.txt").write_text("the cat sat on the mat and the dog sat on the log. " * 12)
    common = [
        "train",
        "cat.txt",
        "--cell",
        cell,
        "--hidden",
        "8",
        "--embedding",
        "4",
        "--batch-size",
        "4",
        "--steps",
        "10",
        "--plain",
    ]

    def losses():
        return [
            float(line.split("loss")[1].split()[0])
            for line in capsys.readouterr().out.splitlines()
            if "loss" in line
        ]

    assert cli.main([*common, "--epochs", "2", "--out", "plain.safetensors"]) == 0
    plain = losses()
    assert cli.main([*common, "--epochs", "2", "--compile", "--out", "whole.safetensors"]) == 0
    assert losses() == pytest.approx(plain, abs=2e-3)
    assert cli.main([*common, "--epochs", "1", "--compile", "--out", "parts.safetensors"]) == 0
    assert (
        cli.main(["train", "cat.txt", "--resume", "--epochs", "2", "--out", "parts.safetensors"])
        == 0
    )
    whole, parts = tg.load("whole.safetensors"), tg.load("parts.safetensors")
    for name, array in whole.items():
        np.testing.assert_array_equal(parts[name], array)


# -- loops for Numba ---------------------------------------------------------------------------------


def chances(seed, **options):
    """The cell of a seed, compiled and as it is: results and gradients of both."""
    cell, rng = Chance(seed), np.random.default_rng(seed)
    x = tg.Tensor(rng.standard_normal((4, cell.B, cell.I)), requires_grad=True)
    states = [
        tg.Tensor(rng.standard_normal((cell.B, cell.H)), requires_grad=True, name=name)
        for name in ("h", "c")
    ]
    state = tuple(states[: 1 + seed % 2]) if cell.several else states[0]
    fast = tg.compile(cell, **options)
    with np.errstate(all="ignore"):
        return (
            flows(fast, cell, x, state, bool(seed % 3)),
            flows(cell, cell, x, state, bool(seed % 3)),
            fast,
        )


@pytest.mark.parametrize("block", range(7))
def test_nests_of_cells_made_by_chance(block, monkeypatch):
    """The loops over entries, run by Python itself: 168 cells, equal to 1e-10."""
    monkeypatch.setattr(jit, "DECORATED", "")
    for seed in range(24 * block, 24 * (block + 1)):
        ours, theirs, _ = chances(seed, backend="numba")
        agree(ours[0], theirs[0])
        agree(ours[1], theirs[1])


def test_numba_compiles_cells_made_by_chance():
    for seed in range(6):
        ours, theirs, fast = chances(seed, backend="numba")
        agree(ours[0], theirs[0])
        agree(ours[1], theirs[1])
        assert "@njit" in fast.source or "not compiled by Numba" in fast.source


@pytest.mark.study
def test_numba_compiles_many_cells():
    for seed in range(6, 90):
        ours, theirs, _ = chances(seed, backend="numba")
        agree(ours[0], theirs[0])
        agree(ours[1], theirs[1])


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_layers_by_numba(name):
    """Two directions and lengths, in single precision, where exp and tanh are the program's own."""
    found = []
    for options in (None, {"backend": "numba"}):
        layer = LAYERS[name](bidirectional=True)
        x = tg.Tensor(
            np.random.default_rng(2).standard_normal((5, 4, 3)).astype("float32"),
            requires_grad=True,
        )
        output, state = (tg.compile(layer, **options) if options else layer)(
            x, lengths=[5, 2, 0, 1]
        )
        sum((y * y).sum() for y in (output, *leaves_of(state))).backward()
        found.append(
            [
                output.data,
                *(y.data for y in leaves_of(state)),
                x.grad,
                *(p.grad for p in layer.parameters()),
            ]
        )
    assert all(a.dtype == b.dtype == np.float32 for a, b in zip(*found, strict=True))
    agree(found[1], found[0], 2e-6)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(jit.exp, np.exp), (jit.tanh, np.tanh)], ids=["exp", "tanh"]
)
def test_functions_in_single_precision(ours, theirs):
    """To two units in the last place, with the same infinities, zeros and nan, compiled too."""
    import numba

    compiled = numba.njit(fastmath={"contract"}, error_model="numpy")
    space = {"f32": np.float32, "np": np, "exp": compiled(jit.exp)}
    fast = compiled(FunctionType(ours.__code__, space)) if ours is jit.tanh else space["exp"]
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-s, s, 2000) for s in (1e-6, 0.3, 1, 9, 87)]).astype("float32")
    with np.errstate(all="ignore"):
        true = theirs(x.astype("float64"))
        for run in (ours, fast):
            found = np.array([run(v) for v in x], np.float64)
            np.testing.assert_array_equal(found, found.astype("float32"))
            assert np.abs(found / true - 1).max() < 2.5e-7
            for v in (np.nan, np.inf, -np.inf, 200.0, -200.0, 0.0):
                np.testing.assert_array_equal(run(np.float32(v)), theirs(np.float32(v)))
        ends = np.linspace(87, 88.7, 100, dtype="float32")
        if ours is jit.exp:
            np.testing.assert_allclose(
                [ours(v) for v in (*ends, *-ends)],
                np.exp(np.concatenate([ends, -ends]).astype("f8")),
                rtol=3e-7,
            )


def test_what_numba_cannot_have_stays_as_it_is():
    """A loop with a function in it that is called as it is remains a loop of NumPy, and the program says why."""

    def cell(x, h):
        h = tg.tanh(x + tg.logsumexp(h, axis=-1, keepdims=True))
        return h, h

    x, h = tg.Tensor(np.ones((3, 2, 4)), requires_grad=True), tg.Tensor(np.ones((2, 4)))
    fast = tg.compile(cell, backend="numba")
    np.testing.assert_allclose(tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data)
    assert "# not compiled by Numba, for there is logsumexp in it" in fast.source


def test_a_program_for_numba_runs_on_its_own(tmp_path):
    fast = tg.compile(tg.nn.RNN(3, 4, rng=0), backend="numba")
    x = np.ones((5, 2, 3), "float32")
    with tg.no_grad():
        output, _ = fast(x)
    handed = [np.asarray(p.data) for p in fast.parameters()]
    np.savez(
        tmp_path / "handed.npz",
        **{name: p.data for name, p in fast.named_parameters()},
        x=x,
        output=output.data,
    )
    assert len(handed) == 4
    names = fast.source.partition("def forward(")[2].partition(")")[0].split(", ")
    call = ", ".join(
        {"xs": "z['x']", "h_0": "np.zeros((2, 4), np.float32)"}.get(n, f"z[{n!r}]") for n in names
    )
    (tmp_path / "program.py").write_text(
        f"{fast.source}\nz = np.load('handed.npz')\nys, _, _ = forward({call})\nassert abs(ys[0] - z['output']).max() < 1e-6\n"
        "import sys\nassert not any(name.startswith('tinygrad') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "program.py"], cwd=tmp_path, check=True, env={"PATH": ""})


def test_backends_by_name(monkeypatch):
    with pytest.raises(
        ValueError, match=r"compile: argument backend: expected 'numpy' or 'numba', got 'jax'"
    ):
        tg.compile(tg.nn.GRU(1, 1), backend="jax")
    monkeypatch.setattr(sys.modules["tinygrad_rnn.compile"], "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"numba and scipy.*pip install 'tinygrad_rnn\[jit\]'"):
        tg.compile(tg.nn.GRU(1, 1), backend="numba")


def test_names_of_functions_around_a_cell_are_no_names_of_attributes(monkeypatch):
    """``tg.tanh`` in a cell has nothing to do with another `tanh` that stands beside it."""

    class Counter:
        calls = 0

    counter = Counter()
    monkeypatch.setitem(of_a_dict.__globals__, "tanh", counter)

    def cell(x, h):
        h = tg.tanh(h + x)
        return h, h

    fast, x = tg.compile(cell), tg.Tensor(np.ones((3, 2)))
    for n in range(3):
        counter.calls = n
        tg.scan(fast, x, tg.Tensor(np.zeros(2)))
    assert len(fast._programs) == 1


# -- what a tester found -----------------------------------------------------------------------------


def matrix(*shape, seed=0, dtype=np.float64, frozen=False):
    return tg.Tensor(
        (0.5 * np.random.default_rng(seed).standard_normal(shape)).astype(dtype),
        requires_grad=not frozen,
    )


W3, U3, SMALL = matrix(3, 3), matrix(3, 3, seed=1), matrix(3, 3, seed=2)


class Rates:
    of_class = 0.5


CELLS = {
    "integers times a matrix": lambda x, h: tg.tanh(h + x @ W3 * 0.1),
    "a mask times a matrix": lambda x, h: tg.tanh(x @ W3 + (h > 0) @ U3),
    "a literal below zero to a power": lambda x, h: tg.power(-2.0, h * 0 + 2.0) + x,
    "a number and arrays stacked": lambda x, h: tg.tanh(tg.stack([h[:, 0], tg.Tensor(0.5) * h[:, 1], x[:, 0]], axis=-1)),
    "a matrix with an axis more": lambda x, h: tg.tanh((h[:, :, None] @ h[:, None, :]).sum(axis=-1) * 0.1 + x),
    "powers of zero": lambda x, h: tg.exp(-((h * 0 + 0.0) ** -2)) + x + h,
    "a large integer": lambda x, h: tg.tanh(h * 10**20 + x),
    "views of views in a product": lambda x, h: tg.tanh(h[:, None, :, None][..., 0][:, 0] @ W3 + x),
    "broadcast rows in a product": lambda x, h: tg.tanh(tg.broadcast_to(h[0], (2, 3)) @ W3 + x),
    "backwards": lambda x, h: tg.tanh(h[::-1] + tg.flip(x, axis=1)),
    "one row of it": lambda x, h: tg.tanh(h[1] + x[:, :, None][:, :, 0]),
    "comparisons": lambda x, h: tg.where(h <= 0.3, h * 0 + 0.3, h * 0.5 + x),
    "equal numbers": lambda x, h: tg.where(h == 0.1, x * 0.5, h * 0 + 0.1),
    "the larger of equal ones": lambda x, h: tg.relu(tg.maximum(h, 0.3)) - tg.minimum(h, 0.3) * 0.5 + x * 0.1,
}  # fmt: skip


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CELLS)
def test_cells_that_a_tester_found(name, dtype, backend, monkeypatch):
    monkeypatch.setattr(
        jit, "DECORATED", "" if name not in ("comparisons", "powers of zero") else jit.DECORATED
    )
    for p in (W3, U3):
        monkeypatch.setattr(p, "array", p.array.astype(dtype))

    def cell(x, h):
        h = CELLS[name](x, h)
        return h, h

    steps = np.arange(24).reshape(4, 2, 3) % 5
    xs = steps if "integers" in name else tg.Tensor((steps / 10).astype(dtype), requires_grad=True)
    found = []
    for walk in (cell, tg.compile(cell, backend=backend)):
        h = tg.Tensor(np.array([[0.3, 0.1, -0.2], [0.0, 0.3, 0.5]], dtype), requires_grad=True)
        for leaf in (W3, U3, *([xs] if isinstance(xs, tg.Tensor) else [])):
            leaf.grad = None
        with np.errstate(all="ignore"):
            output, _ = tg.scan(walk, xs, h)
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


def test_a_frozen_matrix_in_a_product_is_the_one_that_there_is_now():
    U = matrix(3, 3, frozen=True)

    def cell(x, h):
        h = tg.tanh(x + h @ U)
        return h, h

    fast = tg.compile(cell)
    for _ in range(3):
        found = []
        for walk in (cell, fast):
            x, h = (
                tg.Tensor(np.full((4, 2, 3), 0.1), requires_grad=True),
                tg.Tensor(np.ones((2, 3)), requires_grad=True),
            )
            tg.scan(walk, x, h)[0].sum().backward()
            found.append([x.grad, h.grad])
        agree(found[1], found[0], 1e-12)
        U.data[...] = 1.5 * U.data + 0.1


def test_names_that_python_reads_as_one_are_kept_apart():
    def cell(x, h):
        a, b = h * 2, tg.exp(x) + h
        a.name, b.name = "h", "ℎ"
        n = tg.tanh(a - b) + a
        n.name = "n²"
        return n, n

    x, h = tg.Tensor(np.ones((3, 2))), tg.Tensor(np.ones(2))
    np.testing.assert_allclose(
        tg.scan(tg.compile(cell), x, h)[0].data, tg.scan(cell, x, h)[0].data, rtol=1e-6
    )


def test_a_state_that_is_narrowed_is_narrowed_in_each_step():
    W, U = matrix(3, 3, dtype=np.float32), matrix(3, 3)

    def cell(x, h):
        h = tg.astype(tg.tanh(x @ W + h @ U), "float32")
        return h, h

    x, h = tg.Tensor(np.ones((4, 2, 3), np.float32)), tg.Tensor(np.ones((2, 3), np.float32))
    for backend in ("numpy", "numba"):
        output, _ = tg.scan(tg.compile(cell, backend=backend), x, h)
        assert output.dtype == np.float32
        np.testing.assert_allclose(output.data, tg.scan(cell, x, h)[0].data, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble])
def test_dtypes_that_numba_has_not(dtype):
    def cell(x, h):
        h = tg.tanh(x + h)
        return h, h

    x, h = tg.Tensor(np.ones((3, 2), dtype)), tg.Tensor(np.ones(2, dtype))
    fast = tg.compile(cell, backend="numba")
    np.testing.assert_array_equal(tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data)
    assert f"for there is {np.dtype(dtype)} in it" in fast.source


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64"])
def test_inputs_of_few_bits(dtype):
    def cell(x, h):
        h = tg.tanh(0.1 * (h + x))
        return h, h

    x, h = np.arange(6).reshape(3, 2).astype(dtype), tg.Tensor(np.ones(2), requires_grad=True)
    np.testing.assert_allclose(tg.scan(tg.compile(cell), x, h)[0].data, tg.scan(cell, x, h)[0].data)


def test_attributes_of_classes_and_of_objects_in_modules_are_seen(monkeypatch):
    module = types.ModuleType("settings_of_somebody")
    module.deep = types.SimpleNamespace(rate=0.5)
    monkeypatch.setitem(of_a_dict.__globals__, "settings", module)
    space = {"Rates": Rates, "settings": module, "tg": tg}
    exec(
        "def cell(x, h):\n    h = tg.tanh(Rates.of_class * h + settings.deep.rate * x)\n    return h, h",
        space,
    )
    cell, x, h = space["cell"], tg.Tensor(np.ones((3, 2))), tg.Tensor(np.ones(2))
    fast = tg.compile(cell)
    for rate in (0.5, 0.25, 0.75):
        monkeypatch.setattr(Rates, "of_class", rate)
        np.testing.assert_allclose(
            tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data, rtol=1e-6
        )
        module.deep.rate = 2 * rate
        np.testing.assert_allclose(
            tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data, rtol=1e-6
        )


TABLE = matrix(5, 2)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (lambda x, h: (h, tg.tanh(h + TABLE[x])), "look up before the walk what integers point to"),
        (lambda x, h: (h, h * ((h > 0) + (h > 1))), "combine masks with tg.where"),
        (
            lambda x, h: (h, tg.clip(h, None, tg.Tensor(np.ones(2)))),
            "plain numbers as settings of clip expected",
        ),
    ],
    ids=["embedding", "masks", "bounds"],
)
def test_refusals_say_what_helps(cell, message):
    with pytest.raises(NotCompilable, match=message):
        tg.scan(tg.compile(cell), np.arange(3), tg.Tensor(np.ones(2), requires_grad=True))


def test_a_name_does_not_get_into_a_program_as_code():
    steer = 'a"""\n    raise SystemExit\r\x0c\u2028 raise SystemExit #'
    W = tg.Tensor(np.eye(2, dtype="float32"), requires_grad=True, name=steer)

    def cell(x, h):
        h = tg.tanh(x + h @ W)
        x.name, h.name = steer, f"{steer})"
        return h, h

    fast, start = tg.compile(cell), tg.Tensor(np.zeros((1, 2), "float32"), name=steer)
    (output, _), (expected, _) = (
        tg.scan(walk, tg.Tensor(np.ones((3, 1, 2), "float32")), start) for walk in (fast, cell)
    )
    np.testing.assert_array_equal(output.data, expected.data)
    assert {n.id for n in ast.walk(ast.parse(fast.source)) if isinstance(n, ast.Name)}.isdisjoint(
        {"SystemExit"}
    )


# -- what cannot be seen is refused ------------------------------------------------------------------


class Slots:
    __slots__ = ("__weakref__", "rate")


class Whole:
    """Something with a property, a static method, a class method and an attribute of its class."""

    rate = 0.5

    @property
    def shown(self):
        return RATES["rate"]

    @staticmethod
    def told():
        return RATES["rate"]

    @classmethod
    def known(cls):
        return cls.rate


class Named(list):
    rate = 0.5


def holders():
    """Ways to hold a number: what reads it, and what writes it."""
    from array import array
    from collections import OrderedDict, UserDict, deque
    from contextvars import ContextVar
    from types import MappingProxyType

    slots, named, whole, variable, here = (
        Slots(),
        Named(),
        Whole(),
        ContextVar("rate"),
        types.ModuleType("settings"),
    )
    slots.rate, here.Class, here.inner = (
        0.5,
        type("Class", (), {"rate": 0.5}),
        types.ModuleType("inner"),
    )
    here.inner.rate = 0.5
    variable.set(0.5)
    read = {"rate": 0.5}
    view, numbers = MappingProxyType(read), np.array([0.5, None], object)
    of_bytes = {
        "array": array("d", [0.5]),
        "bytearray": bytearray([5]),
        "memoryview": memoryview(bytearray([5])),
        "deque": deque([0.5]),
    }

    def reader():
        return reader.rate

    reader.rate = 0.5
    yield "slots", lambda: slots.rate, lambda r: setattr(slots, "rate", r)
    yield "class in a closure", lambda: Named.rate, lambda r: setattr(Named, "rate", r)
    yield "attribute of a list", lambda: named.rate, lambda r: setattr(named, "rate", r)
    yield "class in a module", lambda: here.Class.rate, lambda r: setattr(here.Class, "rate", r)
    yield "module in a module", lambda: here.inner.rate, lambda r: setattr(here.inner, "rate", r)
    yield "attribute of a function", reader, lambda r: setattr(reader, "rate", r)
    yield "method of a dict", lambda get=read.get: get("rate"), lambda r: read.update(rate=r)
    yield "view of a dict", lambda: view["rate"], lambda r: read.update(rate=r)
    yield "objects in an array", lambda: numbers[0], lambda r: numbers.__setitem__(0, r)
    yield "context variable", lambda: variable.get(), variable.set
    yield "property", lambda: whole.shown, lambda r: RATES.update(rate=r)
    yield "static method", lambda: Whole.told(), lambda r: RATES.update(rate=r)
    yield "class method", Whole.known, lambda r: setattr(Whole, "rate", r)
    for name, held in of_bytes.items():
        number = 1 if "b" in name or "m" in name else 0.5
        yield (
            name,
            lambda held=held: held[0],
            lambda r, held=held, number=number: held.__setitem__(
                0, type(number)(8 * r if number == 1 else r)
            ),
        )
    for made in (OrderedDict(rate=0.5), UserDict(rate=0.5)):
        yield (
            type(made).__name__,
            lambda made=made: made["rate"],
            lambda r, made=made: made.update(rate=r),
        )
    yield (
        "default dtype",
        lambda: np.finfo(tg.get_default_dtype()).bits / 64,
        lambda r: tg.set_default_dtype("f8" if r == 0.25 else "f4"),
    )


@pytest.mark.parametrize("holder", list(holders()), ids=lambda holder: holder[0])
def test_a_number_is_seen_wherever_it_is_held(holder, monkeypatch):
    _, read, write = holder
    monkeypatch.setitem(RATES, "rate", 0.5)

    def cell(x, h):
        h = read() * h + x
        return h, h

    fast, x, h = tg.compile(cell), tg.Tensor(np.ones((3, 2))), tg.Tensor(np.ones(2))
    try:
        for rate in (0.5, 0.25, 0.25, 0.5):
            write(rate)
            np.testing.assert_allclose(tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data)
    finally:
        write(0.5)
    assert len(fast._programs) == 2


def test_what_can_change_and_cannot_be_looked_into_is_refused():
    numbers = iter([0.5] * 9 + [0.25] * 9)

    def cell(x, h):
        h = next(numbers) * h + x
        return h, h

    x, h = tg.Tensor(np.ones((3, 2))), tg.Tensor(np.ones(2))
    with pytest.raises(
        NotCompilable,
        match=r"compile: argument cell: expected to see all that a cell holds.*got list_iterator",
    ):
        tg.scan(tg.compile(cell), x, h)
    assert next(numbers) == 0.5
    fast = tg.compile(cell, fallback=True)
    tg.scan(fast, x, h)
    assert "list_iterator" in fast.refused["cell"]


SOURCES = {
    "Generator": np.random.default_rng(3).random, "RandomState": np.random.RandomState(3).random_sample,
    "Random": random.Random(3).random, "of NumPy": lambda: np.random.rand(), "of Python": lambda: random.random(),
}  # fmt: skip


@pytest.mark.parametrize("draw", SOURCES.values(), ids=SOURCES)
def test_a_draw_that_makes_no_difference_in_the_trial_is_refused(draw):
    """A rare event does not come up while the cell is tried; and the trial leaves the generator where it was."""

    def cell(x, h):
        if draw() < 1e-9:
            h = h * 0
        h = h + x
        return h, h

    x, h = tg.Tensor(np.ones((3, 2))), tg.Tensor(np.ones(2))
    numpys, pythons = np.random.get_state(), random.getstate()
    with pytest.raises(
        NotCompilable, match="cell that draws no random numbers, got one that draws from"
    ):
        tg.scan(tg.compile(cell), x, h)
    assert random.getstate() == pythons
    np.testing.assert_equal(np.random.get_state(), numpys)


def test_a_generator_that_is_held_and_not_used_is_none_of_our_business():
    class Cell(tg.nn.Module):
        def __init__(self):
            super().__init__()
            self.rng = np.random.default_rng(0)
            self.linear = tg.nn.Linear(2, 2, rng=self.rng)

        def forward(self, x, h):
            h = tg.tanh(self.linear(h) + x)
            return h, h

    cell, x, h = Cell(), tg.Tensor(np.ones((3, 2), "f4")), tg.Tensor(np.ones(2, "f4"))
    fast = tg.compile(cell)
    for _ in range(2):
        np.testing.assert_allclose(
            tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data, rtol=1e-6
        )
        cell.rng.random()
    assert len(fast._programs) == 1


@pytest.mark.parametrize("scale", [1e4, 1e38])
@pytest.mark.parametrize("layer", ["RNN", "GRU", "LSTM"])
def test_large_inputs_warn_no_more_than_in_the_graph(layer, scale):
    """While a program is written, too: what stand-ins overflow in is nobody's number."""
    plain = getattr(tg.nn, layer)(3, 4, rng=0)
    x = np.where(np.arange(24).reshape(4, 2, 3) % 2, scale, -scale).astype("f4")
    with np.errstate(all="raise"):
        for run in (plain, tg.compile(plain)):
            run(tg.Tensor(x, requires_grad=True))[0].sum().backward()


def test_a_module_in_a_closure_is_not_walked_through():
    import ctypes

    from internals import captured

    def made(library, system):
        def cell(x, h):
            h = library.tanh(x + h) if system else x
            return h, h

        return cell

    cell = made(tg, ctypes)  # whose attributes are looked for among the libraries of the machine
    assert len(captured(cell).key) < 30
    fast = tg.compile(cell)
    x, h = tg.Tensor(np.ones((3, 2), np.float32)), tg.Tensor(np.zeros(2, np.float32))
    np.testing.assert_allclose(tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data, rtol=1e-6)
