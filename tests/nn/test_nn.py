"""Modules, layers and recurrent layers: what they refuse, what they share, and gradients to second order."""

import copy
import math
import pickle

import numpy as np
import pytest
from helpers import state_parts
from internals import plain_scope, toposort

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn import functional as F

RECURRENT = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
CELLS = {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}
every_layer = pytest.mark.parametrize("kind", RECURRENT)


@every_layer
def test_gradients_to_second_order(kind):
    layer = RECURRENT[kind](2, 2, rng=0).astype(np.float64)
    x = np.random.default_rng(1).standard_normal((3, 2, 2))
    assert tg.gradcheck(lambda x: layer(x), x, order=2)


@pytest.mark.parametrize("reset", ["after", "before"])
def test_second_derivatives_of_gru_with_respect_to_its_parameters(reset):
    rng = np.random.default_rng(2)
    cell = nn.GRUCell(2, 2, reset=reset, rng=3).astype(np.float64)
    names = [name for name, _ in cell.named_parameters()]

    def f(*parameters):
        for name, parameter in zip(names, parameters, strict=True):
            cell.__dict__[name] = parameter
        return cell(tg.Tensor(x), tg.Tensor(h))[0]

    x, h = rng.standard_normal((2, 2)), rng.standard_normal((2, 2))
    assert tg.gradcheck(f, *[rng.standard_normal(p.shape) for p in cell.parameters()], order=2)


@every_layer
def test_no_state_is_a_zero_state_at_every_step(kind):
    layer, cell = RECURRENT[kind](3, 4, rng=0), CELLS[kind](3, 4, rng=0)
    x = np.random.default_rng(0).standard_normal((5, 2, 3)).astype("float32")
    zeros = tg.Tensor(np.zeros((1, 2, 4), "float32"))
    state = (zeros, zeros) if kind == "lstm" else zeros
    np.testing.assert_array_equal(layer(x)[0].data, layer(x, state)[0].data)
    np.testing.assert_array_equal(layer(x[:1])[0].data, layer(x[:1], state)[0].data)
    zero = cell.zero_state((2,))
    np.testing.assert_array_equal(cell(x[0])[0].data, cell(x[0], zero)[0].data)


@every_layer
def test_a_layer_is_its_cell_step_by_step(kind):
    layer, cell = RECURRENT[kind](3, 4, rng=0), CELLS[kind](3, 4, rng=0)
    x = tg.Tensor(np.random.default_rng(0).standard_normal((5, 2, 3)).astype("float32"))
    output, last = layer(x)
    state, by_hand = None, []
    for t in range(5):
        y, state = cell(x[t], state)
        by_hand.append(y.data)
    np.testing.assert_allclose(output.data, by_hand, atol=1e-6)
    for ours, theirs in zip(state_parts(last), state_parts(state), strict=True):
        np.testing.assert_allclose(ours.data[0], theirs.data, atol=1e-6)


@every_layer
def test_a_carried_state_continues_the_sequence(kind):
    layer = RECURRENT[kind](3, 4, num_layers=2, rng=0)
    x = np.random.default_rng(0).standard_normal((6, 2, 3)).astype("float32")
    whole, end = layer(x)
    first, state = layer(x[:2])
    second, last = layer(x[2:], state)
    np.testing.assert_allclose(whole.data, np.concatenate([first.data, second.data]), atol=1e-6)
    for ours, theirs in zip(state_parts(end), state_parts(last), strict=True):
        np.testing.assert_allclose(ours.data, theirs.data, atol=1e-6)


@every_layer
def test_an_empty_batch_works_and_no_steps_is_an_error(kind):
    layer = RECURRENT[kind](3, 4, rng=0)
    output, state = layer(np.zeros((5, 0, 3), "float32"))
    assert output.shape == (5, 0, 4)
    assert state_parts(state)[0].shape == (1, 0, 4)
    with pytest.raises(ValueError, match="at least one time step"):
        layer(np.zeros((0, 2, 3), "float32"))
    with pytest.raises(ValueError, match="argument x: expected at least one time step"):
        RECURRENT[kind](3, 4, batch_first=True, rng=0)(np.zeros((2, 0, 3), "float32"))


@every_layer
def test_steps_and_layers_are_in_the_scope(kind):
    layer = RECURRENT[kind](3, 4, num_layers=2, rng=0)
    output, _ = layer(np.ones((3, 2, 3), "float32"))

    scopes = {plain_scope(v.node.scope) for v in toposort(output)}
    assert {(kind, f"layer {k}", t) for k in range(2) for t in range(3)} <= scopes
    names = {v.name for v in toposort(output)}
    assert {"rnn": {"h"}, "gru": {"r", "z", "n", "h"}, "lstm": {"i", "f", "g", "o", "c", "h"}}[
        kind
    ] <= names


def test_bidirectional_final_states_are_those_of_each_walk():
    gru = nn.GRU(3, 4, bidirectional=True, rng=0)
    output, state = gru(np.random.default_rng(0).standard_normal((5, 2, 3)).astype("float32"))
    np.testing.assert_array_equal(state.data[0], output.data[-1, :, :4])
    np.testing.assert_array_equal(state.data[1], output.data[0, :, 4:])


@pytest.mark.parametrize("p", [0.1, 0.5, 0.75])
def test_dropout_zeroes_a_part_and_makes_up_for_it(p):
    """Dropped with the probability p, and the mean stays: Srivastava et al. (2014) in the form of division in training."""
    x = tg.Tensor(np.ones((200, 500)), requires_grad=True)
    y = nn.functional.dropout(x, p, rng=0)
    y.sum().backward()
    assert set(np.unique(y.data)) == {0.0, 1 / (1 - p)}
    np.testing.assert_allclose((y.data == 0).mean(), p, atol=0.01)
    np.testing.assert_allclose(y.data.mean(), 1, atol=0.02)
    np.testing.assert_array_equal(x.grad, y.data)


def test_dropout_of_half_is_what_is_asked_for_if_nothing_is():
    y = nn.functional.dropout(tg.Tensor(np.ones(10_000)), rng=0)
    np.testing.assert_allclose((y.data == 0).mean(), 0.5, atol=0.03)


@pytest.mark.parametrize("setting", [{"p": 0}, {"training": False}], ids=str)
def test_dropout_that_drops_nothing_hands_the_tensor_on_and_draws_nothing(setting):
    x, rng = tg.Tensor(np.ones(5)), np.random.default_rng(0)
    assert nn.functional.dropout(x, rng=rng, **setting) is x
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state


def test_dropout_between_layers_only_in_training():
    gru = nn.GRU(3, 4, num_layers=2, dropout=0.5, rng=0)
    x = np.ones((5, 2, 3), "float32")
    assert not np.array_equal(gru(x)[0].data, gru(x)[0].data)
    gru.eval()
    np.testing.assert_array_equal(gru(x)[0].data, gru(x)[0].data)


def test_dropout_is_on_what_a_layer_hands_to_the_next():
    one, two = nn.GRU(3, 4, dropout=0.5, rng=0), nn.GRU(3, 4, num_layers=2, dropout=0.5, rng=0)
    x = np.ones((5, 2, 3), "float32")
    between, _ = nn.GRU(3, 4, rng=0)(x)
    np.testing.assert_array_equal(one(x)[0].data, between.data)
    first, second = (cell for row in two.cells for cell in row)
    first.load_state_dict(one.cells[0][0].state_dict())
    last = nn.GRU(4, 4, rng=0)
    last.cells[0][0].load_state_dict(second.state_dict())
    two.rng = np.random.default_rng(7)
    np.testing.assert_array_equal(
        two(x)[0].data,
        last(nn.functional.dropout(between, 0.5, rng=np.random.default_rng(7)))[0].data,
    )


def test_parameters_by_attribute_name_and_state_dict():
    gru = nn.GRU(3, 4, num_layers=2, bidirectional=True, rng=0)
    assert gru.weight_ih_l1_reverse.shape == (12, 8)
    with pytest.raises(AttributeError, match="weight_ih_l2"):
        _ = gru.weight_ih_l2
    other = nn.GRU(3, 4, num_layers=2, bidirectional=True, rng=1)
    other.load_state_dict(gru.state_dict())
    x = np.ones((2, 1, 3), "float32")
    np.testing.assert_array_equal(gru(x)[0].data, other(x)[0].data)


def test_state_dict_is_a_copy():
    linear = nn.Linear(2, 2, rng=0)
    state = linear.state_dict()
    state["weight"][:] = 7
    assert not (linear.weight.data == 7).any()
    linear.load_state_dict(state)
    state["weight"][:] = 8
    assert (linear.weight.data == 7).all()


def test_load_state_dict_names_every_fault_and_changes_nothing():
    linear = nn.Linear(2, 3, rng=0)
    before = linear.state_dict()
    with pytest.raises(
        ValueError,
        match=(
            r"missing bias.*unexpected extra.*weight expected float32 \(3, 2\), got float64 "
            r"\(2, 2\)"
        ),
    ):
        linear.load_state_dict({"weight": np.zeros((2, 2)), "extra": np.zeros(1)})
    for name, array in linear.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_module_bookkeeping():
    model = nn.Sequential(
        nn.Linear(2, 3, rng=0), nn.Dropout(0.5, rng=0), nn.Linear(3, 1, bias=False, rng=0)
    )
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "2.weight"]
    assert "(1): Dropout(p=0.5)" in repr(model)
    model.eval()
    assert not any(m.training for m in model.modules())
    model.train()
    model(np.ones((4, 2), "float32")).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())
    assert {p.dtype for p in model.astype("float64").parameters()} == {np.dtype("float64")}


def test_a_module_shows_what_it_is_made_of():
    model = nn.Sequential(nn.GRU(3, 4, num_layers=2, rng=0), nn.Sequential(nn.Linear(4, 2, rng=0)))
    inner = "Sequential(\n    (0): Linear(4, 2)\n  )"
    assert repr(model) == f"Sequential(\n  (0): GRU(3, 4, num_layers=2)\n  (1): {inner}\n)"


def test_a_shared_parameter_comes_once():
    first, second = nn.Linear(3, 3, rng=0), nn.Linear(3, 3, rng=1)
    second.weight = first.weight
    model = nn.Sequential(first, second)
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    assert set(model.state_dict()) == {"0.weight", "0.bias", "1.weight", "1.bias"}


def test_deepcopy_and_pickle_of_a_module():
    gru = nn.GRU(3, 4, rng=0)
    x = np.ones((2, 1, 3), "float32")
    for twin in (copy.deepcopy(gru.cells[0][0]), pickle.loads(pickle.dumps(gru.cells[0][0]))):
        assert twin.weight_ih is not gru.weight_ih_l0
        np.testing.assert_array_equal(twin(x[0])[0].data, gru.cells[0][0](x[0])[0].data)


def test_float64_input_to_a_float32_module_is_refused_with_the_remedy():
    x = np.zeros((4, 2, 3))
    for module in (nn.Linear(3, 2), nn.GRU(3, 2), nn.LSTM(3, 2), nn.LayerNorm(3)):
        with pytest.raises(
            TypeError,
            match=r"expected dtype float32.*got float64 \(4, 2, 3\); use x\.astype\(np\.float32\)",
        ):
            module(x)
    with pytest.raises(
        TypeError,
        match=r"use x\.astype\(np\.float32\), or linear\.astype\(np\.float64\) for the module",
    ):
        nn.Linear(3, 2)(x)
    with pytest.raises(
        TypeError, match=r"use x\.astype\(np\.float32\); one-hot rows come from tg\.text\.one_hot"
    ):
        nn.Linear(3, 2)(x.astype(int))
    with pytest.raises(TypeError, match=r"argument state: expected dtype float32"):
        nn.GRU(3, 2)(x.astype("float32"), np.zeros((1, 2, 2)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.GRU(3, 2)(np.zeros((4, 2, 5), "float32")), ValueError, "input_size=3"),
        (
            lambda: nn.GRU(3, 2)(np.zeros((4, 2, 1, 3), "float32")),
            ValueError,
            r"expected shape \(T, B, 3\) or \(T, 3\), got",
        ),
        (
            lambda: nn.GRU(3, 2, batch_first=True)(np.zeros(3, "float32")),
            ValueError,
            r"expected shape \(B, T, 3\) or \(T, 3\), got",
        ),
        (
            lambda: nn.GRU(3, 2)(np.zeros((4, 2, 3), "float32"), np.zeros((1, 1, 2), "float32")),
            ValueError,
            r"\(1, 2, 2\)",
        ),
        (
            lambda: nn.LSTM(3, 2)(np.zeros((4, 2, 3), "float32"), np.zeros((1, 2, 2), "float32")),
            TypeError,
            r"\(h, c\)",
        ),
        (lambda: nn.GRU(3, 0), ValueError, "hidden_size"),
        (lambda: nn.GRU(3, 2, num_layers=0), ValueError, "num_layers"),
        (lambda: nn.GRU(3, 2, dropout=1.5), ValueError, "dropout"),
        (lambda: nn.GRU(3, 2, reset="never"), ValueError, "reset"),
        (lambda: nn.RNN(3, 2, nonlinearity="sin"), ValueError, "nonlinearity"),
        (lambda: nn.Embedding(3, 2)([0, -1]), ValueError, r"-1 at position \(1,\)"),
        (lambda: nn.Embedding(3, 2)([0.5]), TypeError, "integers"),
        (lambda: nn.LayerNorm(3)(np.zeros(2, "float32")), ValueError, "last axes"),
        (lambda: nn.Module()(1), TypeError, "forward"),
        (
            lambda: F.cross_entropy(np.zeros((2, 3), "float32"), [0, 3]),
            ValueError,
            r"3 at position \(1,\)",
        ),
        (
            lambda: F.cross_entropy(np.zeros((2, 3), "float32"), [0, -1]),
            ValueError,
            "-1 at position",
        ),
        (
            lambda: F.cross_entropy(np.zeros((2, 3), "float32"), [0]),
            ValueError,
            "nothing is broadcast",
        ),
        (
            lambda: F.cross_entropy(np.zeros((2, 3), "float32"), [[0, 1]]),
            ValueError,
            "nothing is broadcast",
        ),
        (
            lambda: F.cross_entropy(np.zeros((2, 3), "float32"), [5, 5], ignore_index=5),
            ValueError,
            "at least one position that counts",
        ),
        (
            lambda: F.cross_entropy(np.zeros((2, 3), "float32"), [0, 1], weight=[1.0]),
            ValueError,
            "weight",
        ),
        (
            lambda: F.cross_entropy(np.zeros((2, 3), "float32"), [0, 1], reduction="avg"),
            ValueError,
            "reduction",
        ),
        (
            lambda: F.cross_entropy(np.zeros((2, 3), "float32"), [0, 1], label_smoothing=2.0),
            ValueError,
            "label_smoothing",
        ),
        (lambda: F.mse_loss(np.zeros((2, 1), "float32"), np.zeros(2)), ValueError, "target"),
        (lambda: nn.clip_grad_norm_([], -1.0), ValueError, "max_norm"),
    ],
)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_parameter_of_a_layer_can_be_replaced_but_not_by_a_constant():
    gru = nn.GRU(3, 2, rng=0)
    new = tg.Tensor(np.zeros((6, 3), "float32"), requires_grad=True)
    gru.weight_ih_l0 = new
    assert gru.cells[0][0].weight_ih is new
    assert any(p is new for p in gru.parameters())
    with pytest.raises(TypeError, match="weight"):
        nn.Linear(2, 2).weight = tg.Tensor(np.zeros((2, 2), "float32"))


def test_sequential_applies_functions_and_refuses_the_rest():
    linear = nn.Linear(2, 2, rng=0)
    x = tg.Tensor(np.ones((3, 2), "float32"))
    np.testing.assert_array_equal(nn.Sequential(linear, tg.tanh)(x).data, np.tanh(linear(x).data))
    with pytest.raises(TypeError, match=r"steps\[1\]"):
        nn.Sequential(linear, 5)


def test_modules_in_a_list_are_counted_from_both_ends():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    modules = nn.ModuleList([first, second])
    assert [modules[i] for i in (0, 1, -1, -2)] == [first, second, second, first]


def test_modules_in_a_list_need_a_module_list():
    module = nn.Module()
    with pytest.raises(TypeError, match="ModuleList"):
        module.layers = [nn.Linear(2, 2)]
    module.layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    assert [name for name, _ in module.named_parameters()] == [
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.weight",
        "layers.1.bias",
    ]
    assert [layer.in_features for layer in module.layers] == [2, 2]


def test_a_cell_must_return_output_and_state():
    with pytest.raises(TypeError, match=r"returns \(output, state\)"):
        tg.scan(
            lambda x, h: tg.tanh(x + h),
            tg.Tensor(np.ones((4, 2, 3), "float32")),
            tg.Tensor(np.zeros((2, 3), "float32")),
        )


def test_all_ignored_sums_to_zero():
    assert (
        F.cross_entropy(np.zeros((2, 3), "float32"), [5, 5], ignore_index=5, reduction="sum").item()
        == 0
    )


def test_gradients_that_are_not_finite_are_not_clipped():
    w = tg.Tensor([1.0], requires_grad=True, name="w")
    w.grad = np.array([np.nan], "float32")
    with pytest.raises(ValueError, match="gradient of parameter w"):
        nn.clip_grad_norm_([w], 1.0)


@pytest.mark.parametrize(
    "name", ["xavier_uniform", "xavier_normal", "kaiming_uniform", "orthogonal"]
)
def test_initialisers_keep_the_variance_they_promise(name):
    w = getattr(nn.init, name)((200, 300), rng=0)
    std = {"orthogonal": math.sqrt(1 / 300), "kaiming_uniform": math.sqrt(2 / 300)}.get(
        name, math.sqrt(2 / 500)
    )
    assert w.dtype == np.float32
    assert abs(w.std() / std - 1) < 0.02
    np.testing.assert_array_equal(w, getattr(nn.init, name)((200, 300), rng=0))


def test_one_column_has_the_variance_of_one():
    np.testing.assert_allclose(
        nn.init.kaiming_uniform((1000, 1), rng=0).std(), math.sqrt(2), rtol=0.05
    )


@pytest.mark.parametrize("shape", [(5, 5), (7, 4), (4, 7)], ids=str)
def test_rows_or_columns_of_an_orthogonal_matrix_are(shape):
    """Of those that there are fewer of."""
    w = nn.init.orthogonal(shape, gain=3.0, rng=0) / 3
    wide = w if shape[0] <= shape[1] else w.T
    np.testing.assert_allclose(wide @ wide.T, np.eye(min(shape)), atol=1e-6)


@pytest.mark.parametrize(
    "name", ["xavier_uniform", "xavier_normal", "kaiming_uniform", "orthogonal"]
)
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)], ids=str)
def test_initialisers_draw_matrices_without_entries(name, shape):
    assert getattr(nn.init, name)(shape, rng=0).shape == shape


@pytest.mark.parametrize(
    ("layer", "bound"),
    [
        (nn.Linear(100, 400, rng=0), 0.1),
        (nn.Linear(1, 400, rng=0), 1.0),
        *((getattr(nn, kind)(9, 400, rng=0), 0.05) for kind in ("RNN", "GRU", "LSTM")),
    ],
    ids=["Linear", "Linear of one feature", "RNN", "GRU", "LSTM"],
)
def test_parameters_start_uniform_within_the_bound_that_is_promised(layer, bound):
    """1/√(in_features), and 1/√H: those of `torch.nn`."""
    for name, parameter in layer.named_parameters():
        assert 0.85 * bound < parameter.data.max() <= bound, name
        assert -bound <= parameter.data.min() < -0.85 * bound, name
        np.testing.assert_allclose(
            parameter.data.std(), bound / np.sqrt(3), rtol=0.15, err_msg=name
        )


def test_scan_of_a_function_with_several_inputs_and_a_structured_state():
    def cell(x, state):
        a, b = x
        total, count = state
        total, count = total + a * b, count + 1
        return (total, count), (total, count)

    a, b = np.arange(4.0, dtype="float32"), np.full(4, 2.0, "float32")
    (totals, counts), (total, count) = tg.scan(
        cell, (tg.Tensor(a), tg.Tensor(b)), (tg.Tensor(0.0), tg.Tensor(0.0))
    )
    np.testing.assert_array_equal(totals.data, np.cumsum(a * b))
    np.testing.assert_array_equal(counts.data, [1, 2, 3, 4])
    assert (total.item(), count.item()) == (12, 4)
    backwards, _ = tg.scan(lambda x, h: (x + h, x + h), tg.Tensor(a), tg.Tensor(0.0), reverse=True)
    np.testing.assert_array_equal(backwards.data, np.cumsum(a[::-1])[::-1])
    with pytest.raises(ValueError, match="same number"):
        tg.scan(cell, (tg.Tensor(a), tg.Tensor(b[:2])), (tg.Tensor(0.0), tg.Tensor(0.0)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: nn.Linear(-1, 2),
            ValueError,
            "Linear: argument in_features: expected an integer, at least 0, got -1",
        ),
        (lambda: nn.Linear("3", 2), TypeError, "Linear: argument in_features: .*got str '3'"),
        (lambda: nn.Linear(3, 2.0), TypeError, "Linear: argument out_features: .*got float 2.0"),
        (lambda: nn.Linear(True, 2), TypeError, "Linear: argument in_features: .*got bool True"),
        (
            lambda: nn.Embedding(0, 3),
            ValueError,
            "Embedding: argument num_embeddings: expected a positive integer, got 0",
        ),
        (lambda: nn.Embedding(3, None), TypeError, "Embedding: argument embedding_dim"),
        (lambda: nn.Dropout("x"), TypeError, "Dropout: argument p: expected a probability"),
        (
            lambda: nn.Dropout(float("nan")),
            ValueError,
            "Dropout: argument p: expected a probability",
        ),
        (lambda: nn.LayerNorm("x"), TypeError, "LayerNorm: argument normalized_shape"),
        (lambda: nn.LayerNorm(3, eps="x"), TypeError, "LayerNorm: argument eps"),
        (lambda: nn.GRU("3", 2), TypeError, "GRU: argument input_size: .*got str '3'"),
        (lambda: nn.LSTM(3, 2, num_layers="1"), TypeError, "LSTM: argument num_layers"),
        (lambda: nn.RNN(3, 2, dropout=None), TypeError, "RNN: argument dropout"),
    ],
)
def test_sizes_and_probabilities_are_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_of_several_gradients_that_are_not_finite_the_first_is_named():
    parameters = [
        tg.Tensor(np.ones(n), requires_grad=True, name=name)
        for n, name in ((2, "a"), (3, "b"), (4, "c"))
    ]
    for p in parameters:
        p.grad = np.full(p.shape, 1.0 if p.name == "a" else np.inf)
    with pytest.raises(ValueError, match="got inf in the gradient of parameter b; lower"):
        nn.clip_grad_norm_(parameters, 1.0)


def test_gradients_of_a_smaller_norm_are_not_scaled():
    """Neither down nor up to the norm that is allowed."""
    p = tg.Tensor(np.ones(4), requires_grad=True)
    (3.0 * p).sum().backward()
    assert nn.clip_grad_norm_(p, 7.0) == 6
    assert p.grad.tolist() == [3] * 4


def test_a_norm_is_0_if_no_gradient_has_an_entry():
    p = tg.Tensor(np.ones((0, 3)), requires_grad=True)
    assert nn.clip_grad_norm_(p, 1.0) == 0  # no gradient
    p.sum().backward()
    assert nn.clip_grad_norm_(p, 1.0) == 0  # one without entries


def test_a_linear_layer_may_have_no_outputs():
    assert nn.Linear(3, 0, rng=0)(np.ones((2, 3), "float32")).shape == (2, 0)


def test_a_linear_layer_may_have_no_inputs():
    assert nn.Linear(0, 2, rng=0)(np.zeros((3, 0), "float32")).shape == (3, 2)


def test_a_module_cannot_contain_itself():
    outer, inner = nn.Module(), nn.Module()
    outer.child = inner
    layers = nn.ModuleList([outer])
    for whole, value in ((outer, outer), (inner, outer), (inner, layers)):
        got = (
            "this module itself"
            if whole is value
            else f"a {type(value).__name__} that has this module in it"
        )
        with pytest.raises(
            ValueError,
            match=f"Module: argument parent: expected a Module without this one in it, got {got}",
        ):
            whole.parent = value
        assert not hasattr(whole, "parent")
    with pytest.raises(ValueError, match="ModuleList: argument 1"):
        layers.append(layers)
    assert len(list(layers.modules())) == 3
    other = nn.Module()
    other.child = inner  # shared is not circular


def test_a_subclass_of_a_layer_has_parameters_and_modules_of_its_own():
    class Scored(tg.nn.GRU):
        def __init__(self):
            super().__init__(2, 3, rng=0)
            self.head = tg.nn.Linear(3, 1, rng=1)
            self.drop = tg.nn.Dropout(0.5, rng=2)
            self.scale = tg.Tensor(1.0, requires_grad=True)

    layer = Scored()
    names = [name for name, _ in layer.named_parameters()]
    assert names == [
        "weight_ih_l0",
        "weight_hh_l0",
        "bias_ih_l0",
        "bias_hh_l0",
        "scale",
        "head.weight",
        "head.bias",
    ]
    assert list(layer.state_dict()) == names
    assert not layer.eval().drop.training
    layer.load_state_dict({name: array + 1 for name, array in layer.state_dict().items()})
    assert layer.scale.item() == 2


def test_tied_weights_are_loaded_from_equal_numbers_only():
    tied = tg.nn.Sequential(tg.nn.Linear(2, 2, rng=0), tg.nn.Linear(2, 2, rng=1))
    tied[1].weight = tied[0].weight
    state = tied.state_dict()
    tied.load_state_dict(state)
    with pytest.raises(
        ValueError,
        match=r"argument 0.weight: expected the same numbers under 0.weight and 1.weight",
    ):
        tied.load_state_dict({**state, "1.weight": state["1.weight"] + 1})
    tied.load_state_dict({name: array * np.nan for name, array in state.items()})
    assert all(np.isnan(p.data).all() for p in tied.parameters())


def test_a_layer_that_is_not_built_has_no_parameters_and_says_so():
    with pytest.raises(AttributeError, match="GRU has no attribute 'weight_ih_l0'"):
        _ = nn.GRU.__new__(nn.GRU).weight_ih_l0


def test_what_is_deleted_is_no_parameter_any_more():
    model = nn.Sequential(nn.Linear(2, 3, rng=0))
    layer = model[0]
    del layer.bias
    assert list(model.state_dict()) == ["0.weight"]
    assert not hasattr(layer, "bias")
    model.head = nn.Linear(3, 1, rng=0)
    del model.head
    assert list(model.state_dict()) == ["0.weight"]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: nn.Module().dtype, TypeError, "has no parameters"),
        (lambda: nn.Linear(2, 2, rng=0).astype(int), TypeError, "a floating dtype"),
        (
            lambda: nn.clip_grad_value_(tg.Tensor([1.0], requires_grad=True), 0),
            ValueError,
            "a positive number",
        ),
        (lambda: nn.init.xavier_uniform((3,), rng=0), ValueError, "at least two axes"),
        (
            lambda: tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=0.1, nesterov=True),
            ValueError,
            "a momentum above 0",
        ),
    ],
)
def test_what_cannot_be_is_refused(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong()


def test_a_gradient_of_another_shape_changes_no_parameter():
    first, second = (
        tg.Tensor(np.ones(2, "float32"), requires_grad=True, name=name) for name in "ab"
    )
    first.grad, second.grad = np.ones(2, "float32"), np.ones(3, "float32")
    with pytest.raises(ValueError, match=r"gradient of b: expected real numbers of shape \(2,\)"):
        tg.optim.SGD([first, second], lr=0.1).step()
    assert first.data.tolist() == second.data.tolist() == [1, 1]
