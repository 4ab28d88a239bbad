"""Any cell through time: sequences of different lengths, every kind of dropout, and a look inside."""

import ast
import runpy
from pathlib import Path

import numpy as np
import pytest
from helpers import state_parts
from internals import tree

import tinygrad_rnn as tg
from tinygrad_rnn import nn

EXAMPLE = Path(__file__).parents[2] / "examples" / "cells.py"
CELLS = runpy.run_path(str(EXAMPLE))["CELLS"]
T, B, D, H = 6, 5, 3, 4
LENGTHS = [3, 6, 0, 1, 5]
MAKE = {
    "RNN": lambda **o: nn.RNN(D, H, rng=0, **o),
    "GRU": lambda **o: nn.GRU(D, H, rng=0, **o),
    "GRU before": lambda **o: nn.GRU(D, H, reset="before", rng=0, **o),
    "LSTM": lambda **o: nn.LSTM(D, H, rng=0, **o),
    **{
        name: lambda cell=cell, **o: nn.Recurrent(
            lambda size, rng: cell(size, rng, H), D, rng=0, **o
        )
        for name, cell in CELLS.items()
    },
}
every_layer = pytest.mark.parametrize("kind", MAKE)


def built(kind, **options):
    return MAKE[kind](**options).astype(np.float64)


def sequences():
    return np.random.default_rng(1).standard_normal((T, B, D))


def first_state(layer, n=B, seed=2):
    """A state that is not zero."""
    rng = np.random.default_rng(seed)
    rows = len(list(layer._cells()))
    h = rng.standard_normal((rows, n, H))
    return (
        (tg.Tensor(h), tg.Tensor(rng.standard_normal((rows, n, H))))
        if isinstance(layer.cells[0][0], nn.LSTMCell)
        else tg.Tensor(h)
    )


def picked(state, b):
    found = tuple(tg.Tensor(part.data[:, b : b + 1]) for part in state_parts(state))
    return found if isinstance(state, tuple) else found[0]


def weighed(output, state, weights):
    """A number that depends on every entry of the output and of the last state, each in its own way."""
    return (output * weights[: len(output), :, : output.shape[2]]).sum() + sum(
        (part * (i + 0.5)).sum() for i, part in enumerate(state_parts(state))
    )


# -- lengths -----------------------------------------------------------------------------------------


@every_layer
@pytest.mark.parametrize(
    "options",
    [{}, {"bidirectional": True}, {"num_layers": 2, "bidirectional": True}],
    ids=["plain", "both ways", "two, both ways"],
)
def test_sequences_of_different_lengths_are_as_each_by_itself(kind, options):
    layer, x = built(kind, **options), sequences()
    x[np.arange(T)[:, None] >= np.array(LENGTHS)] = (
        np.nan
    )  # what stands behind the end reaches nothing
    start, weights = first_state(layer), np.random.default_rng(3).standard_normal((T, B, 2 * H))
    inputs = tg.Tensor(x, requires_grad=True)
    output, end = layer(inputs, start, lengths=LENGTHS)
    weighed(output, end, weights).backward()
    together = {name: p.grad.copy() for name, p in layer.named_parameters()}
    layer.zero_grad()
    for b, n in enumerate(LENGTHS):
        if n == 0:
            assert not output.data[:, b].any()
            for one, all_of in zip(state_parts(start), state_parts(end), strict=True):
                np.testing.assert_array_equal(all_of.data[:, b], one.data[:, b])
            parts_sum = sum(
                ((part[:, b : b + 1]) * (i + 0.5)).sum()
                for i, part in enumerate(state_parts(start))
            )
            assert not parts_sum.requires_grad
            continue
        own = tg.Tensor(x[:n, b : b + 1], requires_grad=True)
        alone, last = layer(own, picked(start, b))
        np.testing.assert_allclose(output.data[:n, b : b + 1], alone.data, rtol=1e-12, atol=1e-12)
        assert not output.data[n:, b].any()
        for one, all_of in zip(state_parts(last), state_parts(end), strict=True):
            np.testing.assert_allclose(all_of.data[:, b : b + 1], one.data, rtol=1e-12, atol=1e-12)
        weighed(alone, last, weights[:, b : b + 1]).backward()
        np.testing.assert_allclose(inputs.grad[:n, b : b + 1], own.grad, rtol=1e-12, atol=1e-12)
        assert not inputs.grad[n:, b].any()
    for name, p in layer.named_parameters():
        np.testing.assert_allclose(together[name], p.grad, rtol=1e-12, atol=1e-12, err_msg=name)


@every_layer
def test_full_lengths_change_nothing(kind):
    layer, x = built(kind, num_layers=2), sequences()
    plain, end = layer(x)
    masked, last = layer(x, lengths=np.full(B, T))
    np.testing.assert_array_equal(plain.data, masked.data)
    for a, b in zip(state_parts(end), state_parts(last), strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_lengths_with_the_batch_first():
    layer, x = built("GRU", batch_first=True), sequences()
    first, end = layer(x.swapaxes(0, 1).copy(), lengths=LENGTHS)
    layer.batch_first = False
    second, last = layer(x, lengths=tg.Tensor(np.array(LENGTHS)))
    np.testing.assert_array_equal(first.data, second.data.swapaxes(0, 1))
    np.testing.assert_array_equal(end.data, last.data)


class Direction(nn.Module):
    """A cell that looks at the direction of x only: its derivative is infinite at 0."""

    def __init__(self, size, rng):
        super().__init__()
        self.hidden_size, self.W = H, tg.Tensor(rng.standard_normal((size, H)), requires_grad=True)

    def forward(self, x, h):
        h = tg.tanh(
            (x / tg.sqrt((x * x).sum(axis=-1, keepdims=True))) @ self.W
            + 0.5 * h
            + tg.log(x * x).mean(axis=-1, keepdims=True)
        )
        return h, h


class Move(Direction):
    """A cell that looks at the direction in which x moves: infinite where x is what it was."""

    def zero_state(self, batch):
        return tg.Tensor(np.zeros((*batch, H))), tg.Tensor(np.full((*batch, self.W.shape[0]), 0.5))

    def forward(self, x, state):
        move = x - state[1]
        h = tg.tanh(
            (move / tg.sqrt((move * move).sum(axis=-1, keepdims=True))) @ self.W + 0.5 * state[0]
        )
        return h, (h, x)


class Fall(Direction):
    """A cell whose derivative is infinite in the state that sequences of three steps end in."""

    def zero_state(self, batch):
        return tg.Tensor(np.full((*batch, H), 3.0))

    def forward(self, x, h):
        return tg.tanh(x @ self.W) * tg.sqrt(h), h - 1 + 0 * self.W.sum()


def each_alone(layer, x, lengths, weights):
    """Assert that sequences together are as each by itself: last states and all gradients."""
    x = tg.Tensor(x, requires_grad=True)
    output, end = layer(x, lengths=lengths)
    weighed(output, end, weights).backward()
    together = [p.grad.copy() for p in layer.parameters()]
    for p in layer.parameters():
        p.grad = np.zeros_like(p.data)
    for b, n in enumerate(lengths):
        if n:
            own = tg.Tensor(x.data[:n, b : b + 1], requires_grad=True)
            alone, last = layer(own)
            for one, whole in zip(state_parts(last), state_parts(end), strict=True):
                np.testing.assert_allclose(
                    whole.data[:, b : b + 1], one.data, rtol=1e-12, atol=1e-12
                )
            weighed(alone, last, weights[:, b : b + 1]).backward()
            np.testing.assert_allclose(x.grad[:n, b : b + 1], own.grad, rtol=1e-12, atol=1e-12)
        assert not x.grad[n:, b].any()
    for p, grad in zip(layer.parameters(), together, strict=True):
        np.testing.assert_allclose(grad, p.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "options", [{}, {"bidirectional": True}, {"num_layers": 2, "bidirectional": True}]
)
@pytest.mark.parametrize("cell", [Direction, Move, Fall])
def test_an_infinite_derivative_does_not_meet_the_padding(cell, options):
    lengths = [2, 3, 0, 1, 3] if cell is Fall else LENGTHS
    if cell is Move and len(options) == 2:
        return  # it keeps x, whose size is not that of the second layer's
    x = np.where(np.arange(T)[:, None, None] < np.array(lengths)[:, None], sequences(), 0)
    weights = np.random.default_rng(3).standard_normal((T, B, 2 * H))
    each_alone(nn.Recurrent(cell, D, rng=0, **options), x, lengths, weights)


def test_sequences_without_any_step_have_no_gradient():
    layer = nn.Recurrent(Direction, D, rng=0, bidirectional=True)
    each_alone(layer, sequences(), [0] * B, np.ones((T, B, 2 * H)))


def test_gradients_through_lengths_are_right():
    layer = built("LSTM", bidirectional=True)
    x = sequences()[:3]
    assert tg.gradcheck(lambda x: layer(x, lengths=[3, 0, 1, 2, 2])[0], x, order=2)


@pytest.mark.parametrize(
    ("lengths", "error"),
    [
        (
            [1, 2],
            r"GRU: argument lengths: expected one integer for each sequence, shape \(5,\), got "
            r"int64 \(2,\)",
        ),
        (
            [1, 2, 3, 4, 7],
            r"GRU: argument lengths: expected lengths from 0 to 6, .* got 7 at position 4",
        ),
        ([1, 2, -1, 4, 9], r"GRU: argument lengths: .* got -1 at position 2"),
        (
            [1.0, 2.0, 3.0, 4.0, 5.0],
            r"GRU: argument lengths: expected one integer for each sequence",
        ),
        (3, r"GRU: argument lengths: expected one integer for each sequence"),
        (
            [[1], [1, 2], 3, 4, 5],
            r"GRU: argument lengths: expected one integer for each sequence, .* got list "
            r"\[\[1\], \[1, 2\], 3, 4, 5\]",
        ),
    ],
)
def test_wrong_lengths_are_refused(lengths, error):
    with pytest.raises(ValueError, match=error):
        built("GRU")(sequences(), lengths=lengths)
    with pytest.raises(ValueError, match="expected none, because x is a single sequence"):
        built("GRU")(sequences()[:, 0], lengths=lengths)


# -- cells of one's own ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CELLS)
def test_an_own_cell_is_short(name):
    text = EXAMPLE.read_text(encoding="utf-8")
    (found,) = [
        node for node in ast.parse(text).body if getattr(node, "name", "") == CELLS[name].__name__
    ]
    lines = [line for line in ast.get_source_segment(text, found).splitlines() if line.strip()]
    assert len(lines) <= 15


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 2, "bidirectional": True, "dropout": 0.5}], ids=["plain", "deep"]
)
def test_an_own_cell_gets_all_that_a_layer_has(name, options):
    layer = built(name, **options).eval()
    x = sequences()[:3]
    assert tg.gradcheck(lambda x: layer(x, lengths=[3, 1, 2, 0, 3])[0], x)
    suffixes = {name.rsplit("_l", 1)[1] for name, _ in layer.named_parameters()}
    assert suffixes == ({"0"} if not options else {"0", "0_reverse", "1", "1_reverse"})
    restored = built(name, **options).eval()
    restored.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(layer(x)[0].data, restored(x)[0].data)
    rolled = tg.graph(layer(x)[0].sum(), roll=True)
    assert "hₜ" in [node.name for node in rolled.nodes]
    step = next(iter(tg.backward_steps(layer(x)[0].sum())))
    assert "Σ" in str(step)


def test_a_function_is_a_cell():
    def average(x, h):
        h = 0.5 * h + 0.5 * x
        return h, h

    layer = nn.Recurrent(
        lambda size, rng: average, 2, hidden_size=2, num_layers=2, bidirectional=False
    )
    output, state = layer(np.array([[[1.0, 0.0]], [[0.0, 0.0]]]), lengths=[1])
    np.testing.assert_allclose(output.data, [[[0.25, 0.0]], [[0.0, 0.0]]])
    np.testing.assert_allclose(state.data, [[[0.5, 0.0]], [[0.25, 0.0]]])
    assert not list(layer.parameters())


def test_a_state_of_an_own_structure():
    class Counter(nn.Module):
        hidden_size = 2

        def zero_state(self, batch):
            return {"h": tg.Tensor(np.zeros((*batch, 2))), "n": tg.Tensor(np.zeros((*batch, 1)))}

        def forward(self, x, state):
            new = {"h": state["h"] + x, "n": state["n"] + 1}
            return new["h"] / new["n"], new

    layer = nn.Recurrent(lambda size, rng: Counter(), 2, zoneout=0.0)
    x = np.arange(12.0).reshape(3, 2, 2)
    output, state = layer(x, lengths=[3, 2])
    np.testing.assert_allclose(output.data[2, 0], x[:, 0].mean(0))
    np.testing.assert_allclose(output.data[1, 1], x[:2, 1].mean(0))
    np.testing.assert_array_equal(state["n"].data, [[[3], [2]]])
    again, _ = layer(x, state)
    np.testing.assert_allclose(
        again.data[0], (x.sum(0) * [[1], [1]] - [[0], [1]] * x[2] + x[0]) / [[4], [3]]
    )
    with pytest.raises(
        ValueError,
        match=(
            r"Recurrent: argument state: expected \{h: float64 \(1, 2, 2\), n: float64 \(1, "
            r"2, 1\)\}"
        ),
    ):
        layer(x, {"h": state["h"].data[0], "n": state["n"].data})


class Stateful(nn.Module):
    """h, and beside it a part of the state of another kind."""

    hidden_size = D

    def __init__(self, part, change):
        super().__init__()
        self.part, self.change = part, change

    def zero_state(self, batch):
        return tg.Tensor(np.zeros((*batch, D))), self.part(batch)

    def forward(self, x, state):
        h = tg.tanh(x + state[0])
        return h, (h, self.change(state[1]))


COUNT = (lambda batch: tg.Tensor(np.zeros((*batch, 1), np.int64)), lambda n: n + 1)
NUMBER = (lambda batch: 0, lambda n: n + 1)


def counted(n):
    """One more, of a number that is Python's own."""
    assert type(n) is int
    return n + 1


OWN = (lambda batch: 0, counted)
NOTHING = (lambda batch: None, lambda n: n)
FIRST = (lambda batch: None, lambda n: tg.Tensor(np.zeros((B, D))) if n is None else n)
PLAIN = (lambda batch: np.zeros((*batch, 2)), lambda n: n + 1)


def stateful(kind, **options):
    return nn.Recurrent(lambda size, rng: Stateful(*kind), D, rng=0, **options)


def test_a_state_has_integers_numbers_or_nothing_beside_its_floats():
    for options in ({}, {"zoneout": 0.5}, {"state_dropout": 0.5}):
        for training in (True, False):
            layer = stateful(COUNT, num_layers=2, **options).train(training)
            _, (_, count) = layer(sequences())
            assert count.dtype == np.int64
            assert (count.data == T).all()
            _, (_, count) = stateful(NUMBER, num_layers=2, **options).train(training)(sequences())
            np.testing.assert_array_equal(count, [T, T])
            assert stateful(NOTHING, **options).train(training)(sequences())[1][1] is None
    _, (_, count) = stateful(COUNT)(sequences(), lengths=LENGTHS)
    np.testing.assert_array_equal(count.data[0, :, 0], LENGTHS)
    assert stateful(NOTHING)(sequences(), lengths=LENGTHS)[1][1] is None
    _, (_, plain) = stateful(PLAIN, zoneout=0.0)(sequences(), lengths=LENGTHS)
    np.testing.assert_array_equal(plain[0, :, 0], LENGTHS)


@pytest.mark.parametrize(
    "kind",
    [COUNT, NUMBER, NOTHING, FIRST, PLAIN],
    ids=["count", "number", "nothing", "first", "plain"],
)
def test_the_last_state_of_any_kind_can_be_handed_back(kind):
    layer, x = stateful(kind, num_layers=2), sequences()
    whole, end = layer(x)
    first, state = layer(x[:2])
    second, last = layer(x[2:], tg.detach(state))
    np.testing.assert_array_equal(np.concatenate([first.data, second.data]), whole.data)
    assert (last[1] is None) == (end[1] is None)
    for a, b in zip(tree.leaves(last), tree.leaves(end), strict=True):
        np.testing.assert_array_equal(getattr(a, "array", a), getattr(b, "array", b))
    with pytest.raises(ValueError, match="Recurrent: argument state: expected"):
        layer(x, (np.zeros((3, B, D)), state[1]))


def test_a_number_in_a_state_comes_back_as_a_number():
    layer, x = stateful(OWN), sequences()
    _, state = layer(x)
    assert set(state[1].tolist()) == {len(x)}
    _, again = layer(x, state)
    assert set(again[1].tolist()) == {2 * len(x)}


@pytest.mark.parametrize("option", ["lengths", "zoneout", "state_dropout"])
def test_a_state_that_cannot_be_kept_is_refused(option):
    def call(kind):
        layer = stateful(kind, **({} if option == "lengths" else {option: 0.5}))
        return layer(sequences(), lengths=LENGTHS if option == "lengths" else None)

    with pytest.raises(
        ValueError,
        match=(
            f"Recurrent: argument state: expected arrays from the first step on for "
            f"{option}, got NoneType"
        ),
    ):
        call(FIRST)
    if option == "lengths":
        with pytest.raises(
            ValueError,
            match=(
                r"Recurrent: argument state: expected arrays .* for lengths, got int 0, and "
                r"int 1 after a step"
            ),
        ):
            call(NUMBER)
        with pytest.raises(
            ValueError,
            match=(
                r"Recurrent: argument state: .* \(5, \.\.\.\), got \(float64 \(5, 3\), "
                r"float64 \(\)\)"
            ),
        ):
            call((lambda batch: tg.Tensor(np.zeros(())), lambda n: n))
        with pytest.raises(
            ValueError, match="scan: argument cell: expected after step 0 a state as before it"
        ):
            call((lambda batch: tg.Tensor(np.zeros((*batch, 1))), lambda n: n + np.zeros((1, 2))))


def test_states_that_differ_between_layers_are_refused():
    with pytest.raises(
        ValueError,
        match=(
            r"Recurrent: argument state: .*of one shape.* got float64 \(5, 3\) and float64 "
            r"\(5, 4\)"
        ),
    ):
        nn.Recurrent(Move, D, num_layers=2, rng=0)(sequences())


def outputs(output, **options):
    lengths = options.pop("lengths", None)

    def cell(x, h):
        h = tg.tanh(x + h)
        return output(h), h

    return nn.Recurrent(lambda size, rng: cell, D, hidden_size=D, rng=0, **options)(
        sequences(), lengths=lengths
    )[0]


def test_a_tuple_of_outputs_stays_one():
    for options in (
        {},
        {"bidirectional": True},
        {"lengths": LENGTHS},
        {"bidirectional": True, "lengths": LENGTHS},
    ):
        one = outputs(lambda h: h, **options)
        a, b = outputs(lambda h: (h, 2 * h), **options)
        np.testing.assert_array_equal(a.data, one.data)
        np.testing.assert_array_equal(b.data, 2 * one.data)
    layer = nn.Recurrent(
        lambda size, rng: lambda x, h: ((x, h), h), D, hidden_size=D, batch_first=True
    )
    assert [part.shape for part in layer(sequences())[0]] == [(T, B, D)] * 2


@pytest.mark.parametrize(
    ("output", "options", "error", "message"),
    [
        (
            lambda h: None,
            {},
            TypeError,
            "scan: argument cell: expected an output that is one array, .* got NoneType None",
        ),
        (
            lambda h: {"h": h},
            {},
            TypeError,
            r"scan: argument cell: expected an output that is one array, .* got \{h: float64 "
            r"\(5, 3\)\}",
        ),
        (
            lambda h: h.sum(axis=0),
            {"lengths": LENGTHS},
            ValueError,
            r"Recurrent: argument cell: .* \(5, \.\.\.\) .* got float64 \(3,\)",
        ),
        (
            lambda h: h.sum(axis=1),
            {"lengths": LENGTHS},
            ValueError,
            r"Recurrent: argument cell: .* got float64 \(5,\)",
        ),
        (
            lambda h: h.sum(),
            {"batch_first": True},
            ValueError,
            r"Recurrent: argument cell: .* got float64 \(\)",
        ),
        (
            lambda h: h.sum(),
            {"bidirectional": True},
            ValueError,
            r"Recurrent: argument cell: .* got float64 \(\)",
        ),
        (
            lambda h: (h, h),
            {"num_layers": 2},
            ValueError,
            "Recurrent: argument cell: expected one array as the output of each layer but",
        ),
    ],
)
def test_an_output_that_is_no_sequence_is_refused(output, options, error, message):
    with pytest.raises(error, match=message):
        outputs(output, **options)


def test_an_output_of_several_shapes_is_refused():
    sizes = iter([1, 2, 3, 3, 3, 3])
    with pytest.raises(
        ValueError, match=r"scan: argument cell: .* got float64 \(5, 1\) and then float64 \(5, 2\)"
    ):
        outputs(lambda h: h[:, : next(sizes)])


def test_a_weight_of_another_shape_is_refused():
    layer = nn.GRU(D, H, rng=0)
    before = layer.weight_ih_l0
    with pytest.raises(
        ValueError,
        match=r"GRU: argument weight_ih_l0: expected shape \(12, 3\), got float32 \(2, 2\)",
    ):
        layer.weight_ih_l0 = tg.Tensor(np.ones((2, 2), np.float32), requires_grad=True)
    assert layer.weight_ih_l0 is before


def sized(sizes):
    """Cells of these hidden sizes, one after another."""
    left = iter(sizes)
    return lambda size, rng: nn.RNNCell(size, next(left), rng=rng)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: nn.Recurrent(sized([4, 1]), 3, 2),
            ValueError,
            "Recurrent: argument cell: expected cells of hidden_size 4, got one of 1",
        ),
        (
            lambda: nn.Recurrent(sized([4, 5]), 3, bidirectional=True),
            ValueError,
            "Recurrent: argument cell: .* hidden_size 4, got one of 5",
        ),
        (
            lambda: nn.Recurrent(sized([4]), 3, hidden_size=5),
            ValueError,
            "Recurrent: argument cell: .* hidden_size 5, got one of 4",
        ),
        (
            lambda: nn.Recurrent(sized([4]), -3),
            ValueError,
            "Recurrent: argument input_size: .* got -3",
        ),
        (
            lambda: nn.Recurrent(sized([4]), "3"),
            TypeError,
            "Recurrent: argument input_size: .* got str '3'",
        ),
        (
            lambda: nn.Recurrent(nn.GRUCell(3, 4), 3),
            TypeError,
            r"Recurrent: argument cell: expected a function that makes a cell, got GRUCell",
        ),
        (
            lambda: nn.Recurrent(nn.GRUCell, 3),
            TypeError,
            r"Recurrent: argument cell: .* lambda size, rng: tg.nn.GRUCell\(size, 8, rng=rng\)",
        ),
        (
            lambda: nn.Recurrent(lambda size, rng: 5, 3),
            TypeError,
            "Recurrent: argument cell: .* got int 5",
        ),
        (
            lambda: nn.Recurrent(lambda size, rng: lambda x, h: (h, h), 3),
            TypeError,
            "Recurrent: argument hidden_size: .* got NoneType",
        ),
        (lambda: nn.GRU(3, 2, zoneout=1.5), ValueError, "GRU: argument zoneout: .* got 1.5"),
        (
            lambda: nn.GRU(3, 2, state_dropout="a"),
            TypeError,
            "GRU: argument state_dropout: .* got str 'a'",
        ),
        (
            lambda: nn.GRU(3, 2, input_dropout=-0.1),
            ValueError,
            "GRU: argument input_dropout: .* got -0.1",
        ),
    ],
)
def test_a_wrong_layer_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_layer_may_have_attributes_that_look_like_those_of_a_cell():
    layer = nn.GRU(3, 2, rng=0)
    layer.gain_l0 = 7
    assert layer.gain_l0 == 7
    assert "gain_l0" not in dict(layer.named_parameters())


@pytest.mark.parametrize("reverse", [False, True])
def test_behind_its_end_a_sequence_meets_none_but_its_own_numbers(reverse):
    """√(x − 1) has no finite derivative at 1, and there is no 1 in x."""
    x = np.random.default_rng(0).uniform(2, 3, (3, 2, 2))

    def gradient(x, lengths=None):
        w = tg.Tensor(np.ones(2), requires_grad=True)
        layer = nn.Recurrent(
            lambda size, rng: lambda x, h: (h, tg.sqrt(x * w - 1) + 0.5 * h),
            2,
            hidden_size=2,
            bidirectional=reverse,
        )
        layer(x, lengths=lengths)[1].sum().backward()
        return w.grad

    np.testing.assert_allclose(
        gradient(x, [3, 1]), gradient(x[:, :1]) + gradient(x[:1, 1:]), rtol=1e-12
    )


HELD = [({"zoneout": 0.5}, None), ({}, [3, 1])]


@pytest.mark.parametrize(("options", "lengths"), HELD, ids=["zoneout", "lengths"])
def test_what_a_cell_returns_is_refused_the_same_where_states_are_held(options, lengths):
    def makes(found):
        return nn.Recurrent(
            lambda size, rng: lambda x, h: found(x, h), 2, hidden_size=2, rng=0, **options
        )

    x = np.ones((3, 2, 2))
    with pytest.raises(
        ValueError, match="scan: argument cell: expected after step 0 a state as before it"
    ):
        makes(lambda x, h: (x, h[:1]))(x, lengths=lengths)
    for found in (lambda x, h: h, lambda x, h: (x, h, h), lambda x, h: [x, h], lambda x, h: None):
        with pytest.raises(
            TypeError,
            match=r"scan: argument cell: expected a function that returns \(output, state\), got",
        ):
            makes(found)(x, lengths=lengths)


@pytest.mark.parametrize(("options", "lengths"), HELD, ids=["zoneout", "lengths"])
def test_a_state_of_plain_arrays_is_held_like_one_of_tensors(options, lengths):
    def layer(kind):
        def cell(x, h):
            h = kind(np.asarray(getattr(h, "data", h)) * 0.5 + x.data)
            return h, h

        return nn.Recurrent(lambda size, rng: cell, 2, hidden_size=2, rng=0, **options)

    x = np.arange(12.0).reshape(3, 2, 2)
    np.testing.assert_array_equal(
        layer(np.asarray)(x, lengths=lengths)[0].data, layer(tg.Tensor)(x, lengths=lengths)[0].data
    )


class Narrow(nn.GRUCell):
    """A cell of the library, made of (input_size, rng)."""

    def __init__(self, size, rng):
        super().__init__(size, 2, rng=rng)


def test_a_class_of_cells_makes_them():
    x, layer = np.ones((3, 1, 4), "float32"), nn.Recurrent(Narrow, 4, rng=0)
    np.testing.assert_allclose(
        layer(x)[0].data,
        tg.scan(layer.cells[0][0], x, np.zeros((1, 2), "float32"))[0].data,
        rtol=1e-5,
    )


@pytest.mark.parametrize(
    ("cell", "fix"),
    [
        (nn.GRUCell, r"use lambda size, rng: tg\.nn\.GRUCell\(size, 8, rng=rng\) for example"),
        (
            nn.GRUCell(3, 4, rng=0),
            r"GRUCell GRUCell\(3, 4, .*\); pass a function: cell\(input_size, rng\) returns a "
            r"Module",
        ),
    ],
    ids=["a class of other arguments", "a cell"],
)
def test_what_does_not_make_cells_is_refused_with_the_remedy(cell, fix):
    with pytest.raises(
        TypeError,
        match=f"Recurrent: argument cell: expected a function that makes a cell, got .*{fix}",
    ):
        nn.Recurrent(cell, 3)


def summing(size, rng):
    """Makes a cell whose output is one number for the whole batch."""
    return lambda x, h: ((x + h).sum(), x + h)


def test_an_output_without_the_batch_is_a_cells_own_affair_until_sequences_must_be_told_apart():
    x = np.ones((3, 2, 4))
    output, _ = nn.Recurrent(summing, 4, hidden_size=4)(x)
    assert output.data.tolist() == [8, 16, 24]
    message = r"Recurrent: argument cell: expected an output of shape \(2, \.\.\.\) at each step, got float64 \(\); keep the axis of the batch"
    for options, lengths in (
        ({"bidirectional": True}, None),
        ({"batch_first": True}, None),
        ({}, [3, 1]),
    ):
        with pytest.raises(
            ValueError, match=message.replace("2", "3") if options.get("batch_first") else message
        ):
            nn.Recurrent(summing, 4, hidden_size=4, **options)(x, lengths=lengths)


class Remembering(nn.Module):
    """A cell with a memory that is None at first."""

    hidden_size = 2

    def zero_state(self, batch):
        return tg.Tensor(np.zeros((*batch, 2))), None

    def forward(self, x, state):
        h, memory = state
        memory = x if memory is None else 0.5 * memory + x
        return h + memory, (h + memory, memory)


def test_a_part_of_a_state_that_may_be_none_comes_with_the_axis_of_the_layers_or_is_refused():
    layer, x = nn.Recurrent(lambda size, rng: Remembering(), 2, num_layers=2), np.ones((3, 1, 2))
    _, state = layer(x[:2])
    assert [part.shape for part in state] == [(2, 1, 2)] * 2
    np.testing.assert_array_equal(layer(x[2:], state)[0].data[-1], layer(x)[0].data[-1])
    with pytest.raises(
        ValueError,
        match=r"Recurrent: argument state: .*one for each layer and direction, on a first axis",
    ):
        layer(x, (state[0], state[1][:1]))


# -- dropout of each kind ----------------------------------------------------------------------------


def test_dropout_on_inputs_has_one_mask_for_the_sequence():
    seen = []

    def look(x, h):
        seen.append(x.data)
        return h, h

    layer = nn.Recurrent(lambda size, rng: look, 50, hidden_size=50, input_dropout=0.4, rng=0)
    layer(np.ones((4, 8, 50)))
    assert set(np.unique(seen[0])) == {0.0, 1 / 0.6}
    assert all(np.array_equal(seen[0], x) for x in seen[1:])
    assert abs(np.mean(seen[0] == 0) - 0.4) < 0.08
    assert not np.array_equal(seen[0][0], seen[0][1])  # each sequence has its own
    seen.clear()
    layer.eval()(np.ones((4, 8, 50)))
    assert all(np.all(x == 1) for x in seen)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "GRU before", "LSTM"])
def test_dropout_on_the_state_is_in_the_products_alone(kind):
    """Each sequence by itself, with its mask as a factor of the columns of U, gives the same."""
    layer, x = built(kind, state_dropout=0.5), sequences()
    layer.rng = np.random.default_rng(7)
    dropped, _ = layer(x)
    masks = (np.random.default_rng(7).random((x.shape[1], H)) >= 0.5) / 0.5
    assert len(np.unique(masks, axis=0)) > 1
    for i, mask in enumerate(masks):
        same = built(kind)
        same.weight_hh_l0.data = layer.weight_hh_l0.data * mask
        np.testing.assert_allclose(
            dropped.data[:, i], same(x[:, i : i + 1])[0].data[:, 0], rtol=1e-12
        )
    np.testing.assert_array_equal(layer.eval()(x)[0].data, built(kind)(x)[0].data)


def test_dropout_on_the_state_of_another_cell_is_on_all_that_it_sees():
    seen = []

    def look(x, h):
        seen.append(h.data)
        return x, h * 0 + 1

    nn.Recurrent(lambda size, rng: look, 20, hidden_size=20, state_dropout=0.5, rng=0)(
        np.ones((4, 3, 20))
    )
    assert set(np.unique(seen[1])) == {0.0, 2.0}
    assert np.array_equal(seen[1], seen[2])


def test_dropout_on_a_state_of_another_shape_has_a_mask_for_each_entry_of_each_sequence():
    seen = []

    class Matrix(nn.Module):
        hidden_size = 3

        def zero_state(self, batch):
            return {
                "S": tg.Tensor(np.ones((*batch, 3, 3))),
                "n": tg.Tensor(np.ones((*batch, 1), np.int64)),
            }

        def forward(self, x, state):
            seen.append({name: part.data for name, part in state.items()})
            return x, {"S": state["S"] * 0 + 1, "n": state["n"]}

    nn.Recurrent(lambda size, rng: Matrix(), 3, state_dropout=0.5, rng=0)(np.ones((2, 3, 3)))
    assert set(np.unique(seen[0]["S"])) == {0.0, 2.0}
    np.testing.assert_array_equal(seen[0]["S"], seen[1]["S"])
    assert not np.array_equal(seen[0]["S"][0], seen[0]["S"][1])
    assert (seen[0]["n"] == 1).all()


def test_zoneout_keeps_entries_of_the_state():
    def count(x, h):
        h = h + 1
        return h, h

    layer = nn.Recurrent(lambda size, rng: count, 1, hidden_size=2000, zoneout=0.3, rng=0)
    output, state = layer(np.ones((5, 1, 1)))
    steps = np.diff(output.data[:, 0], axis=0)
    assert set(np.unique(steps)) == {0.0, 1.0}
    assert abs(np.mean(steps == 0) - 0.3) < 0.02
    assert not np.array_equal(steps[0], steps[1])  # a mask of its own at every step
    np.testing.assert_array_equal(state.data[0], output.data[-1])
    output, _ = layer.eval()(np.ones((5, 1, 1)))
    np.testing.assert_allclose(output.data[:, 0, 0], 0.7 * np.arange(1, 6))


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "MGU"])
def test_every_kind_of_dropout_together_and_with_lengths(kind):
    options = {
        "num_layers": 2,
        "bidirectional": True,
        "dropout": 0.2,
        "input_dropout": 0.2,
        "state_dropout": 0.2,
        "zoneout": 0.2,
    }
    layer, x = built(kind, **options), sequences()[:3]

    def output(x):
        layer.rng = np.random.default_rng(4)
        return layer(x, lengths=[3, 0, 1, 2, 3])[0]

    np.testing.assert_array_equal(output(x).data, output(x).data)
    assert tg.gradcheck(output, x)
    assert not np.array_equal(output(x).data, layer.eval()(x, lengths=[3, 0, 1, 2, 3])[0].data)
    plain = built(kind, num_layers=2, bidirectional=True)
    layer.zoneout = 0.0
    np.testing.assert_array_equal(layer(x)[0].data, plain(x)[0].data)
    assert "state_dropout=0.2" in repr(layer)


# -- a look inside -----------------------------------------------------------------------------------


def test_the_gates_of_every_step_by_name():
    layer, x = built("GRU"), sequences()
    gates = tg.bptt.values(layer(x)[0])
    assert {name: array.shape for name, array in gates.items()} == dict.fromkeys("rznh", (T, B, H))
    W, U, b_i, b_h = (p.data for p in layer.parameters())
    h = np.zeros((B, H))
    for t in range(T):
        r, z = (
            1 / (1 + np.exp(-(x[t] @ W[i].T + b_i[i] + h @ U[i].T + b_h[i])))
            for i in (slice(H), slice(H, 2 * H))
        )
        n = np.tanh(x[t] @ W[2 * H :].T + b_i[2 * H :] + r * (h @ U[2 * H :].T + b_h[2 * H :]))
        h = z * h + (1 - z) * n
        for name, expected in zip("rznh", (r, z, n, h), strict=True):
            np.testing.assert_allclose(gates[name][t], expected, rtol=1e-12, atol=1e-14)


def test_the_gates_of_layers_and_directions_have_their_scope():
    output, _ = built("LSTM", num_layers=2, bidirectional=True)(sequences())
    gates = tg.bptt.values(output)
    assert set(gates) == {
        f"lstm / layer {k}{d} / {name}"
        for k in (0, 1)
        for d in ("", " / reverse")
        for name in "ifgoch"
    }
    np.testing.assert_array_equal(gates["lstm / layer 1 / reverse / h"], output.data[:, :, H:])


def test_a_state_stays_what_it_was_where_a_sequence_has_ended():
    output, end = built("GRU")(sequences(), lengths=LENGTHS)
    states = tg.bptt.values(output)["h"]
    for b, n in enumerate(LENGTHS):
        np.testing.assert_array_equal(states[n:, b], np.broadcast_to(end.data[0, b], (T - n, H)))


def test_there_is_nothing_to_see_without_a_graph():
    with tg.no_grad():
        output, _ = built("GRU")(sequences())
    with pytest.raises(
        TypeError, match=r"bptt.values: argument output: .* a Tensor without a graph"
    ):
        tg.bptt.values(output)
