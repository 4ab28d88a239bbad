"""Cells that a user writes: outputs and states of any structure, and wrong ones."""

import ast

import numpy as np
import pytest
from internals import tree
from recurrent_layers import (
    CELLS,
    EXAMPLE,
    LENGTHS,
    B,
    D,
    H,
    Move,
    T,
    build_layer,
    random_sequences,
)

import tinygrad_rnn as tg
from tinygrad_rnn import nn


@pytest.mark.parametrize("name", CELLS)
def test_every_example_cell_has_at_most_15_lines(name):
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
def test_an_example_cell_gets_every_feature_of_a_layer(name, options):
    layer = build_layer(name, **options).eval()
    x = random_sequences()[:3]
    assert tg.gradcheck(lambda x: layer(x, lengths=[3, 1, 2, 0, 3])[0], x)
    suffixes = {name.rsplit("_l", 1)[1] for name, _ in layer.named_parameters()}
    assert suffixes == ({"0"} if not options else {"0", "0_reverse", "1", "1_reverse"})
    restored = build_layer(name, **options).eval()
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


def test_a_state_may_be_a_dict():
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
    """A cell whose state is h and a part of another kind."""

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


def add_one(n):
    """Return n + 1; assert that n is a Python number."""
    assert type(n) is int
    return n + 1


OWN = (lambda batch: 0, add_one)

NOTHING = (lambda batch: None, lambda n: n)

FIRST = (lambda batch: None, lambda n: tg.Tensor(np.zeros((B, D))) if n is None else n)

PLAIN = (lambda batch: np.zeros((*batch, 2)), lambda n: n + 1)


def stateful(kind, **options):
    return nn.Recurrent(lambda size, rng: Stateful(*kind), D, rng=0, **options)


def test_a_state_may_hold_integers_numbers_or_none_besides_floats():
    for options in ({}, {"zoneout": 0.5}, {"state_dropout": 0.5}):
        for training in (True, False):
            layer = stateful(COUNT, num_layers=2, **options).train(training)
            _, (_, count) = layer(random_sequences())
            assert count.dtype == np.int64
            assert (count.data == T).all()
            _, (_, count) = stateful(NUMBER, num_layers=2, **options).train(training)(
                random_sequences()
            )
            np.testing.assert_array_equal(count, [T, T])
            assert stateful(NOTHING, **options).train(training)(random_sequences())[1][1] is None
    _, (_, count) = stateful(COUNT)(random_sequences(), lengths=LENGTHS)
    np.testing.assert_array_equal(count.data[0, :, 0], LENGTHS)
    assert stateful(NOTHING)(random_sequences(), lengths=LENGTHS)[1][1] is None
    _, (_, plain) = stateful(PLAIN, zoneout=0.0)(random_sequences(), lengths=LENGTHS)
    np.testing.assert_array_equal(plain[0, :, 0], LENGTHS)


@pytest.mark.parametrize(
    "kind",
    [COUNT, NUMBER, NOTHING, FIRST, PLAIN],
    ids=["count", "number", "nothing", "first", "plain"],
)
def test_the_last_state_of_any_kind_can_be_passed_back(kind):
    layer, x = stateful(kind, num_layers=2), random_sequences()
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
    layer, x = stateful(OWN), random_sequences()
    _, state = layer(x)
    assert set(state[1].tolist()) == {len(x)}
    _, again = layer(x, state)
    assert set(again[1].tolist()) == {2 * len(x)}


@pytest.mark.parametrize("option", ["lengths", "zoneout", "state_dropout"])
def test_a_state_that_cannot_be_kept_is_an_error(option):
    def call(kind):
        layer = stateful(kind, **({} if option == "lengths" else {option: 0.5}))
        return layer(random_sequences(), lengths=LENGTHS if option == "lengths" else None)

    with pytest.raises(
        ValueError,
        match=(
            f"Recurrent: argument state: expected an initial state of arrays for {option}, "
            f"got NoneType"
        ),
    ):
        call(FIRST)
    if option == "lengths":
        with pytest.raises(
            ValueError,
            match=(
                r"Recurrent: argument state: expected .* arrays for lengths, got int 0, and "
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
            ValueError, match="scan: argument cell: expected after step 0, a state of the same form"
        ):
            call((lambda batch: tg.Tensor(np.zeros((*batch, 1))), lambda n: n + np.zeros((1, 2))))


def test_states_that_differ_between_layers_are_an_error():
    with pytest.raises(
        ValueError,
        match=(
            r"Recurrent: argument state: .*of the same shape.* got float64 \(5, 3\) and float64 "
            r"\(5, 4\)"
        ),
    ):
        nn.Recurrent(Move, D, num_layers=2, rng=0)(random_sequences())


def run_cell_with_output(output, **options):
    lengths = options.pop("lengths", None)

    def cell(x, h):
        h = tg.tanh(x + h)
        return output(h), h

    return nn.Recurrent(lambda size, rng: cell, D, hidden_size=D, rng=0, **options)(
        random_sequences(), lengths=lengths
    )[0]


def test_a_tuple_of_outputs_stays_a_tuple():
    for options in (
        {},
        {"bidirectional": True},
        {"lengths": LENGTHS},
        {"bidirectional": True, "lengths": LENGTHS},
    ):
        one = run_cell_with_output(lambda h: h, **options)
        a, b = run_cell_with_output(lambda h: (h, 2 * h), **options)
        np.testing.assert_array_equal(a.data, one.data)
        np.testing.assert_array_equal(b.data, 2 * one.data)
    layer = nn.Recurrent(
        lambda size, rng: lambda x, h: ((x, h), h), D, hidden_size=D, batch_first=True
    )
    assert [part.shape for part in layer(random_sequences())[0]] == [(T, B, D)] * 2


@pytest.mark.parametrize(
    ("output", "options", "error", "message"),
    [
        (
            lambda h: None,
            {},
            TypeError,
            "scan: argument cell: expected one array or a tuple .* got NoneType None",
        ),
        (
            lambda h: {"h": h},
            {},
            TypeError,
            r"scan: argument cell: expected one array or a tuple .* got \{h: float64 "
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
def test_an_output_that_is_not_a_sequence_is_an_error(output, options, error, message):
    with pytest.raises(error, match=message):
        run_cell_with_output(output, **options)


def test_an_output_whose_shape_changes_is_an_error():
    sizes = iter([1, 2, 3, 3, 3, 3])
    with pytest.raises(
        ValueError, match=r"scan: argument cell: .* got float64 \(5, 1\) and then float64 \(5, 2\)"
    ):
        run_cell_with_output(lambda h: h[:, : next(sizes)])


def test_a_weight_of_another_shape_is_an_error():
    layer = nn.GRU(D, H, rng=0)
    before = layer.weight_ih_l0
    with pytest.raises(
        ValueError,
        match=r"GRU: argument weight_ih_l0: expected shape \(12, 3\), got float32 \(2, 2\)",
    ):
        layer.weight_ih_l0 = tg.Tensor(np.ones((2, 2), np.float32), requires_grad=True)
    assert layer.weight_ih_l0 is before


def cells_of_sizes(sizes):
    """Cells of these hidden sizes, one after another."""
    left = iter(sizes)
    return lambda size, rng: nn.RNNCell(size, next(left), rng=rng)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: nn.Recurrent(cells_of_sizes([4, 1]), 3, 2),
            ValueError,
            "Recurrent: argument cell: expected cells of hidden_size 4, got a cell of "
            "hidden_size 1",
        ),
        (
            lambda: nn.Recurrent(cells_of_sizes([4, 5]), 3, bidirectional=True),
            ValueError,
            "Recurrent: argument cell: .* hidden_size 4, got a cell of hidden_size 5",
        ),
        (
            lambda: nn.Recurrent(cells_of_sizes([4]), 3, hidden_size=5),
            ValueError,
            "Recurrent: argument cell: .* hidden_size 5, got a cell of hidden_size 4",
        ),
        (
            lambda: nn.Recurrent(cells_of_sizes([4]), -3),
            ValueError,
            "Recurrent: argument input_size: .* got -3",
        ),
        (
            lambda: nn.Recurrent(cells_of_sizes([4]), "3"),
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
def test_a_layer_with_wrong_arguments_is_an_error(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_layer_may_have_attributes_that_look_like_those_of_a_cell():
    layer = nn.GRU(3, 2, rng=0)
    layer.gain_l0 = 7
    assert layer.gain_l0 == 7
    assert "gain_l0" not in dict(layer.named_parameters())


@pytest.mark.parametrize("reverse", [False, True])
def test_the_padding_of_a_sequence_repeats_its_own_numbers(reverse):
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
def test_a_wrong_result_of_a_cell_is_the_same_error_when_states_are_kept(options, lengths):
    def makes(found):
        return nn.Recurrent(
            lambda size, rng: lambda x, h: found(x, h), 2, hidden_size=2, rng=0, **options
        )

    x = np.ones((3, 2, 2))
    with pytest.raises(
        ValueError, match="scan: argument cell: expected after step 0, a state of the same form"
    ):
        makes(lambda x, h: (x, h[:1]))(x, lengths=lengths)
    for found in (lambda x, h: h, lambda x, h: (x, h, h), lambda x, h: [x, h], lambda x, h: None):
        with pytest.raises(
            TypeError,
            match=r"scan: argument cell: expected a function that returns \(output, state\), got",
        ):
            makes(found)(x, lengths=lengths)


@pytest.mark.parametrize(("options", "lengths"), HELD, ids=["zoneout", "lengths"])
def test_a_state_of_plain_arrays_is_kept_like_one_of_tensors(options, lengths):
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
    """A cell of the library that takes (input_size, rng)."""

    def __init__(self, size, rng):
        super().__init__(size, 2, rng=rng)


def test_a_cell_class_of_input_size_and_rng_makes_the_cells():
    x, layer = np.ones((3, 1, 4), "float32"), nn.Recurrent(Narrow, 4, rng=0)
    np.testing.assert_allclose(
        layer(x)[0].data,
        tg.scan(layer.cells[0][0], x, np.zeros((1, 2), "float32"))[0].data,
        rtol=1e-5,
    )


@pytest.mark.parametrize(
    ("cell", "fix"),
    [
        (nn.GRUCell, r"pass lambda size, rng: tg\.nn\.GRUCell\(size, 8, rng=rng\), for example"),
        (
            nn.GRUCell(3, 4, rng=0),
            r"GRUCell GRUCell\(3, 4\); pass a function of \(input_size, rng\) that returns "
            r"the cell",
        ),
    ],
    ids=["a class of other arguments", "a cell"],
)
def test_an_argument_that_makes_no_cells_is_an_error_that_names_the_fix(cell, fix):
    with pytest.raises(
        TypeError,
        match=f"Recurrent: argument cell: expected a function that makes a cell, got .*{fix}",
    ):
        nn.Recurrent(cell, 3)


def make_summing_cell(size, rng):
    """Return a cell whose output is one number for the whole batch."""
    return lambda x, h: ((x + h).sum(), x + h)


def test_an_output_needs_the_batch_axis_only_where_sequences_are_told_apart():
    x = np.ones((3, 2, 4))
    output, _ = nn.Recurrent(make_summing_cell, 4, hidden_size=4)(x)
    assert output.data.tolist() == [8, 16, 24]
    message = (
        r"Recurrent: argument cell: expected an output of shape \(2, \.\.\.\) at each step, "
        r"got float64 \(\); keep the batch axis"
    )
    for options, lengths in (
        ({"bidirectional": True}, None),
        ({"batch_first": True}, None),
        ({}, [3, 1]),
    ):
        with pytest.raises(
            ValueError, match=message.replace("2", "3") if options.get("batch_first") else message
        ):
            nn.Recurrent(make_summing_cell, 4, hidden_size=4, **options)(x, lengths=lengths)


class Remembering(nn.Module):
    """A cell with a memory that is None before the first step."""

    hidden_size = 2

    def zero_state(self, batch):
        return tg.Tensor(np.zeros((*batch, 2))), None

    def forward(self, x, state):
        h, memory = state
        memory = x if memory is None else 0.5 * memory + x
        return h + memory, (h + memory, memory)


def test_a_state_part_that_was_none_needs_the_axis_of_the_layers():
    layer, x = nn.Recurrent(lambda size, rng: Remembering(), 2, num_layers=2), np.ones((3, 1, 2))
    _, state = layer(x[:2])
    assert [part.shape for part in state] == [(2, 1, 2)] * 2
    np.testing.assert_array_equal(layer(x[2:], state)[0].data[-1], layer(x)[0].data[-1])
    with pytest.raises(
        ValueError,
        match=r"Recurrent: argument state: .*stack one state for each layer and direction",
    ):
        layer(x, (state[0], state[1][:1]))


@pytest.mark.parametrize("base", [tg.nn.RNNCell, tg.nn.GRUCell, tg.nn.LSTMCell])
def test_a_subclass_that_redefines_forward_runs_its_own_forward(base):
    class Doubled(base):
        def forward(self, x, state=None):
            output, state = super().forward(x, state)
            return output * 2, state

    class Renamed(base):
        pass

    x = tg.Tensor(np.random.default_rng(0).standard_normal((4, 3, 2)).astype(np.float32))
    outputs = {}
    for cell in (base, Doubled, Renamed):
        layer = tg.nn.Recurrent(lambda size, rng, cell=cell: cell(size, 5, rng=rng), 2, rng=0)
        outputs[cell], _ = layer(x)
    np.testing.assert_allclose(outputs[Doubled].data, 2 * outputs[base].data, rtol=1e-6)
    np.testing.assert_array_equal(outputs[Renamed].data, outputs[base].data)
