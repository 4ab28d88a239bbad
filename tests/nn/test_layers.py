"""Linear, Embedding, Dropout and LayerNorm; wrong arguments of all layers."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn import functional as F


@pytest.mark.parametrize("p", [0.1, 0.5, 0.75])
def test_dropout_zeroes_a_share_and_scales_the_rest_up(p):
    """The mean stays the same: Srivastava et al. (2014), with the division during training."""
    x = tg.Tensor(np.ones((200, 500)), requires_grad=True)
    y = nn.functional.dropout(x, p, rng=0)
    y.sum().backward()
    assert set(np.unique(y.data)) == {0.0, 1 / (1 - p)}
    np.testing.assert_allclose((y.data == 0).mean(), p, atol=0.01)
    np.testing.assert_allclose(y.data.mean(), 1, atol=0.02)
    np.testing.assert_array_equal(x.grad, y.data)


def test_dropout_has_probability_one_half_by_default():
    y = nn.functional.dropout(tg.Tensor(np.ones(10_000)), rng=0)
    np.testing.assert_allclose((y.data == 0).mean(), 0.5, atol=0.03)


@pytest.mark.parametrize("setting", [{"p": 0}, {"training": False}], ids=str)
def test_dropout_that_drops_nothing_returns_the_tensor_and_draws_nothing(setting):
    x, rng = tg.Tensor(np.ones(5)), np.random.default_rng(0)
    assert nn.functional.dropout(x, rng=rng, **setting) is x
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state


def test_float64_input_to_a_float32_module_is_an_error_that_names_the_fix():
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
        TypeError, match=r"use x\.astype\(np\.float32\); tg\.text\.one_hot makes one-hot rows"
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
            "a target is not broadcast",
        ),
        (
            lambda: F.cross_entropy(np.zeros((2, 3), "float32"), [[0, 1]]),
            ValueError,
            "a target is not broadcast",
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
def test_a_wrong_call_of_a_layer_is_an_error_that_says_why(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_all_ignored_sums_to_zero():
    assert (
        F.cross_entropy(np.zeros((2, 3), "float32"), [5, 5], ignore_index=5, reduction="sum").item()
        == 0
    )


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
def test_a_wrong_size_or_probability_is_an_error_that_names_it(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_linear_layer_may_have_no_outputs():
    assert nn.Linear(3, 0, rng=0)(np.ones((2, 3), "float32")).shape == (2, 0)


def test_a_linear_layer_may_have_no_inputs():
    assert nn.Linear(0, 2, rng=0)(np.zeros((3, 0), "float32")).shape == (3, 2)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: nn.Module().dtype, TypeError, "Module.dtype: .* with parameters, got none"),
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
def test_an_impossible_request_is_an_error(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong()
