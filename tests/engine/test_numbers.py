"""Numbers at the edge: large, infinite and NaN; empty arrays; and other layouts in memory."""

import numpy as np
import pytest
from every_op import OPS, STOPPED, call, every_op
from helpers import with_negative_strides
from internals import cases, reuse_masks

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.nn import functional as F

INF, NAN = np.inf, np.nan
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def gradient(f, x, dtype, *, record=False):
    """Return f(x), the gradient of ⟨u, f(x)⟩ and the random u; a NumPy warning is an error."""
    x = tg.Tensor(np.array(x, dtype), requires_grad=True)
    with np.errstate(all="raise"):
        y = f(x)
        u = np.random.default_rng(0).uniform(0.5, 2, y.shape).astype(dtype)
        g = tg.grad(y, x, grad_output=u, create_graph=record)
    assert y.dtype == g.dtype == dtype
    return y.data, g.data, u


# -- far out, and infinite -------------------------------------------------------------------------

LINE = [-INF, -1e4, -200.0, 0.0, 200.0, 1e4, INF]
CURVES = {
    "sigmoid": (tg.sigmoid, [0, 0, 0, 0.5, 1, 1, 1], [0, 0, 0, 0.25, 0, 0, 0]),
    "softplus": (tg.softplus, [0, 0, 0, np.log(2), 200, 1e4, INF], [0, 0, 0, 0.5, 1, 1, 1]),
    "tanh": (tg.tanh, [-1, -1, -1, 0, 1, 1, 1], [0, 0, 0, 1, 0, 0, 0]),
    "relu": (tg.relu, [0, 0, 0, 0, 200, 1e4, INF], [0, 0, 0, 0, 1, 1, 1]),
    "target 1": (
        lambda x: F.binary_cross_entropy_with_logits(x, np.ones(7), reduction="none"),
        [INF, 1e4, 200, np.log(2), 0, 0, 0],
        [-1, -1, -1, -0.5, 0, 0, 0],
    ),
    "target 0": (
        lambda x: F.binary_cross_entropy_with_logits(x, np.zeros(7), reduction="none"),
        [0, 0, 0, np.log(2), 200, 1e4, INF],
        [0, 0, 0, 0.5, 1, 1, 1],
    ),
    "target 1, three times": (
        lambda x: F.binary_cross_entropy_with_logits(
            x, np.ones(7), pos_weight=3.0, reduction="none"
        ),
        [INF, 3e4, 600, 3 * np.log(2), 0, 0, 0],
        [-3, -3, -3, -1.5, 0, 0, 0],
    ),
    "target 1, without weight": (
        lambda x: F.binary_cross_entropy_with_logits(
            x, np.ones(7), weight=[0, 0, 0, 1, 1, 1, 1], reduction="none"
        ),
        [0, 0, 0, np.log(2), 0, 0, 0],
        [0, 0, 0, -0.5, 0, 0, 0],
    ),
}


@both_dtypes
@pytest.mark.parametrize("record", [False, True], ids=["plain", "recorded"])
@pytest.mark.parametrize(("f", "values", "slopes"), CURVES.values(), ids=CURVES)
def test_a_curve_has_its_limits_far_out(f, values, slopes, record, dtype):
    y, g, u = gradient(f, LINE, dtype, record=record)
    tiny = 1e-40 if dtype == np.float32 else 1e-80  # exp(-200) is not 0 in float64
    np.testing.assert_allclose(y, values, rtol=4 * np.finfo(dtype).eps, atol=tiny)
    np.testing.assert_allclose(g, u * slopes, rtol=4 * np.finfo(dtype).eps, atol=tiny)


LOG3 = np.log(3)
ROWS = {
    "far apart": ([1e4, -1e4, 0], [1, 0, 0], [0, -2e4, -1e4], 1e4),
    "far down": ([-1e4, -1e4, -1e4], [1 / 3] * 3, [-LOG3] * 3, LOG3 - 1e4),
    "far up": ([1e4, 1e4, 1e4], [1 / 3] * 3, [-LOG3] * 3, LOG3 + 1e4),
    "-inf among them": (
        [0, -INF, LOG3],
        [0.25, 0, 0.75],
        [-np.log(4), -INF, LOG3 - np.log(4)],
        np.log(4),
    ),
    "only one left": ([-INF, -1e4, -INF], [0, 1, 0], [-INF, 0, -INF], -1e4),
}
every_row = pytest.mark.parametrize(("row", "p", "log_p", "total"), ROWS.values(), ids=ROWS)


@both_dtypes
@every_row
def test_softmax_log_softmax_and_logsumexp_far_out(row, p, log_p, total, dtype):
    p, near = np.array(p), {"rtol": 4 * np.finfo(dtype).eps, "atol": 4 * np.finfo(dtype).eps}
    y, g, u = gradient(tg.softmax, row, dtype)
    np.testing.assert_allclose(y, p, **near)
    np.testing.assert_allclose(g, p * (u - (u * p).sum()), **near)
    y, g, u = gradient(tg.log_softmax, row, dtype)
    np.testing.assert_allclose(y, log_p, **near)
    np.testing.assert_allclose(g, u - p * u.sum(), **near)
    y, g, u = gradient(tg.logsumexp, row, dtype)
    np.testing.assert_allclose(y, total, **near)
    np.testing.assert_allclose(
        g, p * u, rtol=2 * np.finfo(dtype).eps * max(abs(total), 2)
    )  # exp(a − y), and y is rounded


@both_dtypes
@every_row
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy_far_out(row, p, log_p, total, reduction, dtype):
    """The likeliest class is given as an index, as a one-hot row, and to `nll_loss`."""
    best, near = (
        int(np.argmax(p)),
        {"rtol": 4 * np.finfo(dtype).eps, "atol": 4 * np.finfo(dtype).eps},
    )
    one_hot = np.eye(3)[[best]]
    for target, kind in (([best], F.cross_entropy), (one_hot, F.cross_entropy)):
        y, g, u = gradient(
            lambda x, target=target, kind=kind: kind(x, target, reduction=reduction), [row], dtype
        )
        np.testing.assert_allclose(y, np.full(y.shape, -log_p[best]), **near)
        np.testing.assert_allclose(g, u * (np.array([p]) - one_hot), **near)
    y, g, u = gradient(lambda x: F.nll_loss(x, [best], reduction=reduction), [log_p], dtype)
    np.testing.assert_allclose(y, np.full(y.shape, -log_p[best]), **near)
    np.testing.assert_allclose(g, -u * one_hot, **near)


@both_dtypes
def test_a_class_that_cannot_be_costs_infinitely_much(dtype):
    y, g, u = gradient(lambda x: F.cross_entropy(x, [1]), [[0.0, -INF, 0.0]], dtype)
    assert y == INF
    np.testing.assert_allclose(g, u * np.array([[0.5, -1, 0.5]]), rtol=1e-6)
    smoothed, _, _ = gradient(
        lambda x: F.cross_entropy(x, [0], label_smoothing=0.1), [[0.0, -INF, 0.0]], dtype
    )
    assert smoothed == INF


@both_dtypes
def test_squared_errors_far_out(dtype):
    y, g, u = gradient(
        lambda x: F.mse_loss(x, np.array([-1e4, 1e4, 0.0]), reduction="none"),
        [1e4, -1e4, INF],
        dtype,
    )
    np.testing.assert_allclose(y, [4e8, 4e8, INF], rtol=1e-6)
    np.testing.assert_allclose(g, u * np.array([4e4, -4e4, INF]), rtol=1e-6)


@pytest.mark.parametrize("row", [[INF, 0.0], [INF, INF], [-INF, -INF]], ids=str)
@pytest.mark.parametrize("f", [tg.softmax, tg.log_softmax], ids=["softmax", "log_softmax"])
def test_what_has_no_limit_is_nan_with_numpys_warning(f, row):
    with pytest.warns(RuntimeWarning, match="invalid value"):
        assert np.isnan(f(tg.Tensor(row)).data).any()
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        f(tg.Tensor(row))


# -- nan is passed on ------------------------------------------------------------------------------


ITERATIVE = {"eigh", "pinv", "svd"}
"""Ops that LAPACK computes by iteration. It does not converge for NaN, so NumPy raises an error."""


@pytest.mark.parametrize("name", sorted(OPS.keys() - ITERATIVE))
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_nan_in_any_input_of_an_op_is_nan_in_its_result(name):
    for arrays, params in cases(OPS[name], np.random.default_rng(5)):
        for i, a in enumerate(arrays):
            if isinstance(a, np.ndarray) and a.dtype.kind == "f":
                whole = [*arrays[:i], tg.Tensor(np.full_like(a, NAN)), *arrays[i + 1 :]]
                assert np.isnan(call(name, whole, params).data).any()


@pytest.mark.parametrize("name", sorted(ITERATIVE))
def test_nan_in_a_matrix_raises_an_error_where_lapack_iterates(name):
    arrays, _ = cases(OPS[name], np.random.default_rng(5))[0]
    with pytest.raises(np.linalg.LinAlgError, match=f"{name}: .*did not converge"):
        OPS[name](tg.Tensor(np.full_like(arrays[0], NAN)))


@every_op
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_gradient_of_nan_goes_on_through_every_rule(name):
    for arrays, params in cases(OPS[name], np.random.default_rng(6)):
        inputs = [
            tg.Tensor(a, requires_grad=True)
            if isinstance(a, np.ndarray) and a.dtype.kind == "f"
            else a
            for a in arrays
        ]
        y = call(name, inputs, params)
        y.backward(np.full(y.shape, NAN))
        op = OPS[name]
        for argument, x in zip(
            op.inputs * (len(inputs) if op.variadic else 1), inputs, strict=True
        ):
            if isinstance(x, tg.Tensor):
                is_stopped = op.rule_text(argument) == STOPPED
                assert np.isnan(x.grad).any() != is_stopped


@pytest.mark.parametrize("op", [tg.maximum, tg.minimum])
def test_a_nan_beside_a_number_takes_its_share_of_the_gradient(op):
    a, b = (
        tg.Tensor([NAN, 1.0, 2.0], requires_grad=True),
        tg.Tensor([1.0, NAN, 2.0], requires_grad=True),
    )
    op(a, b).backward([0.5, 3.0, 5.0])
    np.testing.assert_array_equal(a.grad, [0.25, 1.5, 2.5])
    np.testing.assert_array_equal(b.grad, [0.25, 1.5, 2.5])


LOSSES = {
    "cross_entropy": lambda x: F.cross_entropy(x, [0, 1, 1]),
    "cross_entropy of probabilities": lambda x: F.cross_entropy(x, np.eye(2)[[0, 1, 1]]),
    "cross_entropy, smoothed": lambda x: F.cross_entropy(x, [0, 1, 1], label_smoothing=0.1),
    "nll_loss": lambda x: F.nll_loss(x, [0, 0, 1]),
    "mse_loss": lambda x: F.mse_loss(x, np.ones((3, 2))),
    "binary_cross_entropy_with_logits": lambda x: F.binary_cross_entropy_with_logits(
        x, np.ones((3, 2))
    ),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_nan_in_what_counts_is_nan_in_the_loss(loss):
    x = np.random.default_rng(0).standard_normal((3, 2))
    x[1, 0] = NAN
    x = tg.Tensor(x, requires_grad=True)
    assert np.isnan(loss(x).item())


def test_nan_among_targets_is_nan_in_the_loss():
    x, t = np.ones((1, 2)), np.array([[NAN, 0.5]])
    for loss in (F.cross_entropy, F.mse_loss, F.binary_cross_entropy_with_logits):
        assert np.isnan(loss(x, t).item())


@pytest.mark.parametrize("layer", [nn.RNN, nn.GRU, nn.LSTM])
def test_nan_in_one_sequence_stays_in_it(layer):
    x = np.ones((4, 3, 2), np.float32)
    x[1, 1] = NAN
    output, _ = layer(2, 5, rng=0)(x)
    assert np.isnan(output.data[1:, 1]).all()
    assert np.isfinite(np.delete(output.data, 1, axis=1)).all()
    assert np.isfinite(output.data[0]).all()


@pytest.mark.parametrize("kind", [optim.SGD, optim.RMSprop, optim.Adam, optim.AdamW])
def test_a_step_with_nan_makes_nan_and_clipping_says_so_before(kind):
    w = tg.Tensor(np.ones(3), requires_grad=True)
    w.grad = np.array([NAN, 1.0, 2.0])
    with pytest.raises(ValueError, match=r"clip_grad_norm_.*nan in the gradient"):
        nn.clip_grad_norm_([w], 1.0)
    nn.clip_grad_value_([w], 1.5)
    np.testing.assert_array_equal(w.grad, [NAN, 1.0, 1.5])
    kind([w], lr=0.1).step()
    np.testing.assert_array_equal(np.isnan(w.data), [True, False, False])


@pytest.mark.parametrize(
    ("norm_type", "dtype", "size"),
    [(2.0, np.float64, 1e200), (2.0, np.float64, 1e-200), (20, np.float32, 1e30)],
)
def test_a_norm_is_a_number_though_powers_of_its_entries_are_none(norm_type, dtype, size):
    parameters = [tg.Tensor(np.ones(2, dtype), requires_grad=True) for _ in range(2)]
    for p, numbers in zip(parameters, ([3.0, 4.0], [0.0, -12.0]), strict=True):
        p.grad = np.array(numbers, dtype) * dtype(size)
    with np.errstate(all="raise"):
        total = nn.clip_grad_norm_(parameters, max(size, 1.0), norm_type=norm_type)
    expected = np.linalg.norm([3.0, 4.0, 12.0], norm_type)
    np.testing.assert_allclose(total, expected * size, rtol=1e-6)
    if size > 1:
        np.testing.assert_allclose(parameters[1].grad, [0, -12 / expected * size], rtol=1e-6)


# -- what does not count is not read ---------------------------------------------------------------


@both_dtypes
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize(
    "options", [{}, {"label_smoothing": 0.2}, {"weight": [1.0, 2.0, 0.5]}], ids=str
)
def test_what_stands_in_an_ignored_row_has_no_effect(options, bad, dtype):
    rows = np.random.default_rng(1).standard_normal((4, 3))
    rows[[1, 3]] = bad
    y, g, _ = gradient(
        lambda x: F.cross_entropy(x, [2, -100, 0, -100], ignore_index=-100, **options), rows, dtype
    )
    kept, others, _ = gradient(lambda x: F.cross_entropy(x, [2, 0], **options), rows[[0, 2]], dtype)
    np.testing.assert_allclose(y, kept, rtol=1e-6)
    np.testing.assert_allclose(g[[0, 2]], others, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(g[[1, 3]], 0)


TAKEN_AWAY = {
    "smoothed, without weight": lambda x: F.cross_entropy(
        x, [0], label_smoothing=0.1, weight=[1.0, 0.0]
    ),
    "probabilities without weight": lambda x: F.cross_entropy(
        x, [[1.0, 0.0]], label_smoothing=0.1, weight=[1.0, 0.0]
    ),
    "probabilities with gradients": lambda x: F.cross_entropy(
        x, tg.Tensor(np.array([[1.0, 0.0]], x.dtype), requires_grad=True)
    ),
    "two classes": lambda x: F.binary_cross_entropy_with_logits(
        -x, tg.Tensor(np.array([[0.0, 1.0]], x.dtype), requires_grad=True)
    ),
}


@both_dtypes
@pytest.mark.parametrize("loss", TAKEN_AWAY.values(), ids=TAKEN_AWAY)
def test_a_factor_0_takes_away_an_infinite_term_and_its_gradient(loss, dtype):
    y, g, u = gradient(lambda x: loss(x), [[1.0, -INF]], dtype)
    two = loss is TAKEN_AWAY["two classes"]  # of which only the first costs anything
    np.testing.assert_allclose(y, np.log1p(np.exp(-1.0)) / 2 if two else 0, rtol=1e-6)
    np.testing.assert_allclose(g, [[-u / (1 + np.exp(1.0)) / 2 if two else 0, 0]], rtol=1e-6)


def test_the_entropy_of_a_distribution_in_which_something_cannot_be():
    x = tg.Tensor(np.array([[0.0, -INF, np.log(3)]]), requires_grad=True)
    p = tg.softmax(x)
    entropy = F.cross_entropy(x, p)
    np.testing.assert_allclose(entropy.item(), np.log(4) - 0.75 * np.log(3))
    entropy.backward()
    q = np.array([0.25, 0.75])
    np.testing.assert_allclose(x.grad[0, [0, 2]], -q * (np.log(q) + entropy.item()))
    assert x.grad[0, 1] == 0


def test_nothing_but_smoothing_costs_what_the_uniform_distribution_does():
    for row in ([0.0, -INF, 1.0], [0.0, 2.0, 1.0]):
        y = F.cross_entropy(np.array([row]), [1], label_smoothing=1.0)
        np.testing.assert_allclose(
            y.data, F.cross_entropy(np.array([row]), np.full((1, 3), 1 / 3)).data
        )


@both_dtypes
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_what_dropout_drops_is_0_and_so_is_its_gradient(bad, dtype):
    x = tg.Tensor(np.full(40, bad, dtype), requires_grad=True)
    with np.errstate(all="raise"):
        y = F.dropout(x, 0.25, rng=0)
        y.backward(np.full(40, bad, dtype))
    dropped = y.data == 0
    assert 0 < dropped.sum() < 40
    np.testing.assert_array_equal(y.data[~dropped], bad)
    np.testing.assert_array_equal(x.grad, np.where(dropped, 0, bad))


def test_what_dropout_drops_of_the_input_of_a_layer_is_not_read():
    layer = nn.RNN(8, 4, input_dropout=0.5, rng=0)
    masks = []
    with reuse_masks(masks):
        layer(np.ones((1, 1, 8), np.float32))
    kept = masks[0][0] != 0
    x = tg.Tensor(np.where(kept, 1, INF).astype(np.float32)[None, None], requires_grad=True)
    with reuse_masks(masks), np.errstate(all="raise"):
        output, _ = layer(x)
        output.sum().backward()
    assert np.isfinite(output.data).all()
    np.testing.assert_array_equal(x.grad[0, 0] == 0, ~kept)


def test_probabilities_of_every_precision_are_1_in_sum():
    rng = np.random.default_rng(0)
    for dtype in (np.float16, np.float32, np.float64):
        for classes in (2, 1000):
            p = rng.dirichlet(np.ones(classes), 5).astype(dtype)
            assert np.isfinite(F.cross_entropy(np.zeros((5, classes), np.float64), p).data)
            assert np.isfinite(
                F.cross_entropy(np.zeros((5, classes), dtype), p.astype(np.float64)).data
            )


def test_an_ignored_row_of_log_probabilities_has_no_effect():
    y, g, _ = gradient(
        lambda x: F.nll_loss(x, [9, 1], ignore_index=9), [[NAN, -INF], [-1.0, -2.0]], np.float64
    )
    assert y == 2
    np.testing.assert_array_equal(g[0], 0)


@both_dtypes
@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 3.0]], ids=["alike", "weights"])
def test_if_all_targets_are_ignored_a_sum_is_0_and_a_mean_is_an_error(loss, weight, dtype):
    rows, target = np.random.default_rng(2).standard_normal((2, 3)), [7, 7]
    for reduction in ("sum", "none"):
        y, g, _ = gradient(
            lambda x, r=reduction: loss(x, target, ignore_index=7, weight=weight, reduction=r),
            rows,
            dtype,
        )
        np.testing.assert_array_equal(y, np.zeros(y.shape))
        np.testing.assert_array_equal(g, 0)
    with pytest.raises(
        ValueError,
        match=rf"{loss.__name__}: argument target: expected at least one position that counts",
    ):
        loss(rows, target, ignore_index=7, weight=weight)


@both_dtypes
def test_a_probability_may_be_off_by_rounding(dtype):
    eps, logits = np.finfo(dtype).eps, np.zeros(2, dtype)
    for p in ([-2 * eps, 1 + 2 * eps], [1 + 4 * eps, -4 * eps]):
        np.testing.assert_allclose(
            F.cross_entropy(logits, np.array(p, dtype)).data, np.log(2), rtol=1e-6
        )
    for p in ([-8 * eps, 1], [1 + 8 * eps, 0]):
        with pytest.raises(
            ValueError, match=r"cross_entropy: argument target: expected probabilities in \[0, 1\]"
        ):
            F.cross_entropy(logits, np.array(p, dtype))


@both_dtypes
def test_a_distribution_may_be_off_by_the_root_of_a_rounding_of_float32(dtype):
    logits = np.zeros(2, dtype)
    np.testing.assert_allclose(
        F.cross_entropy(logits, np.array([0.5, 0.5002], dtype)).data, 1.0002 * np.log(2), rtol=1e-6
    )
    with pytest.raises(
        ValueError,
        match=r"cross_entropy: argument target: expected rows that sum to 1, got a sum of 1\.0005",
    ):
        F.cross_entropy(logits, np.array([0.5, 0.5005], dtype))


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
def test_what_does_not_count_need_not_be_a_class(loss):
    """Not even where there is but one."""
    y, g, u = gradient(lambda x: loss(x, [5, 0], ignore_index=5), [[-3.0], [-2.0]], np.float64)
    assert (y, g.tolist()) == ((0, [[0], [0]]) if loss is F.cross_entropy else (2, [[0], [-u]]))


# -- nothing at all --------------------------------------------------------------------------------

EMPTY_LOSSES = {
    "cross_entropy": (F.cross_entropy, (0, 3), np.zeros(0, int)),
    "cross_entropy of sequences": (F.cross_entropy, (5, 0, 3), np.zeros((5, 0), int)),
    "cross_entropy of probabilities": (F.cross_entropy, (0, 3), np.zeros((0, 3))),
    "nll_loss": (F.nll_loss, (0, 3), np.zeros(0, int)),
    "mse_loss": (F.mse_loss, (0, 3), np.zeros((0, 3))),
    "mse_loss of no features": (F.mse_loss, (3, 0), np.zeros((3, 0))),
    "binary_cross_entropy_with_logits": (
        F.binary_cross_entropy_with_logits,
        (0, 3),
        np.zeros((0, 3)),
    ),
}


@both_dtypes
@pytest.mark.parametrize(("loss", "shape", "target"), EMPTY_LOSSES.values(), ids=EMPTY_LOSSES)
def test_a_loss_of_no_positions(loss, shape, target, dtype):
    for reduction in ("sum", "none"):
        y, g, _ = gradient(
            lambda x, r=reduction: loss(x, target, reduction=r), np.zeros(shape), dtype
        )
        one_each = shape if loss in (F.mse_loss, F.binary_cross_entropy_with_logits) else shape[:-1]
        assert y.shape == (() if reduction == "sum" else one_each)
        assert y.sum() == 0
        assert g.shape == shape
    with pytest.raises(
        ValueError, match=rf"{loss.__name__}: argument target: expected at least one position"
    ):
        loss(np.zeros(shape, dtype), target)


@pytest.mark.parametrize("shape", [(0, 2), (3, 0, 2), (0,)], ids=str)
def test_layers_without_time_take_empty_batches(shape):
    rows = np.zeros(shape if shape[-1] else (0, 2), np.float32)
    for layer in (
        nn.Linear(2, 4, rng=0),
        nn.LayerNorm(2),
        nn.Sequential(nn.Linear(2, 4, rng=0), tg.tanh),
    ):
        y = layer(rows)
        assert y.shape[:-1] == rows.shape[:-1]
        y.sum().backward()
        assert all(p.grad is not None and not p.grad.any() for p in layer.parameters())
    assert nn.Dropout(0.5, rng=0)(rows).shape == rows.shape
    table = nn.Embedding(3, 2, rng=0)
    assert table([]).shape == (0, 2)
    assert tg.text.one_hot([], 3).shape == (0, 3)
    table(np.zeros(shape, int)).sum().backward()
    assert not table.weight.grad.any()


@pytest.mark.parametrize(
    "options", [{}, {"bidirectional": True, "num_layers": 2}, {"batch_first": True}], ids=str
)
@pytest.mark.parametrize("layer", [nn.RNN, nn.GRU, nn.LSTM])
def test_a_recurrent_layer_without_sequences(layer, options):
    made = layer(2, 4, rng=0, **options)
    shape = (0, 5, 2) if options.get("batch_first") else (5, 0, 2)
    for lengths in (None, np.zeros(0, int)):
        output, state = made(np.zeros(shape, np.float32), lengths=lengths)
        assert output.shape[:2] == shape[:2]
        assert all(
            part.shape[1:] == (0, 4) for part in (state if isinstance(state, tuple) else (state,))
        )
        output.sum().backward()
        assert all(not p.grad.any() for p in made.parameters())


@pytest.mark.parametrize("layer", [nn.RNN, nn.GRU, nn.LSTM])
def test_sequences_without_steps_give_zeros_and_the_state_as_it_was(layer):
    made = layer(2, 4, rng=0)
    h = np.random.default_rng(0).standard_normal((1, 3, 4)).astype(np.float32)
    state = (h, h + 1) if layer is nn.LSTM else h
    output, last = made(np.ones((5, 3, 2), np.float32), state, lengths=[0, 0, 0])
    np.testing.assert_array_equal(output.data, 0)
    for before, after in zip(
        state if isinstance(state, tuple) else (state,),
        last if isinstance(last, tuple) else (last,),
        strict=True,
    ):
        np.testing.assert_array_equal(after.data, before)
    for x in (np.ones((0, 3, 2), np.float32), np.ones((0, 2), np.float32)):
        with pytest.raises(
            ValueError, match=f"{layer.__name__}: argument x: expected at least one time step"
        ):
            made(x)


@pytest.mark.parametrize("cell", [nn.RNNCell, nn.GRUCell, nn.LSTMCell])
def test_a_cell_without_sequences(cell):
    output, _ = cell(2, 4, rng=0)(np.zeros((0, 2), np.float32))
    assert output.shape == (0, 4)


def test_losses_of_numbers_without_axes():
    x = tg.Tensor(0.5, requires_grad=True, dtype=np.float64)
    F.mse_loss(x, 2.0).backward(0.7)
    np.testing.assert_allclose(x.grad, 0.7 * 2 * (0.5 - 2))
    x.grad = None
    F.binary_cross_entropy_with_logits(x, 1).backward(0.7)
    np.testing.assert_allclose(x.grad, 0.7 * (1 / (1 + np.exp(-0.5)) - 1))
    row = tg.Tensor([0.1, 0.9], requires_grad=True, dtype=np.float64)
    F.cross_entropy(row, 1).backward(0.7)
    np.testing.assert_allclose(row.grad, 0.7 * (np.exp(row.data) / np.exp(row.data).sum() - [0, 1]))
    assert F.dropout(tg.Tensor(2.0), 0.5, rng=0).shape == ()


# -- other layouts and byte orders -----------------------------------------------------------------


LAYOUTS = {
    "fortran": lambda a: np.array(a, order="F"),
    "negative strides": with_negative_strides,
    "every second": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "other byte order": lambda a: a.astype(a.dtype.newbyteorder()),
}
X = np.random.default_rng(3).standard_normal((5, 3, 4))
STATE = np.random.default_rng(4).standard_normal((1, 3, 4))
CLASSES = np.random.default_rng(5).integers(0, 4, (5, 3))
P = np.random.default_rng(6).dirichlet(np.ones(4), (5, 3))


def last_of(result):
    """Output and state as one number each way, so that a gradient goes through both."""
    output, state = result
    return (output * output).sum() + sum(
        ((part + 1) ** 2).sum() for part in (state if isinstance(state, tuple) else (state,))
    )


MODELS = {
    "Linear": (lambda: nn.Linear(4, 2, rng=0), lambda m, x: tg.tanh(m(x)).sum(), [X]),
    "Embedding": (lambda: nn.Embedding(4, 2, rng=0), lambda m, i: tg.tanh(m(i)).sum(), [CLASSES]),
    "LayerNorm": (lambda: nn.LayerNorm((3, 4)), lambda m, x: tg.tanh(m(x)).sum(), [X]),
    "Dropout": (lambda: nn.Dropout(0.5, rng=0), lambda m, x: (m(x) * x).sum(), [X]),
    "RNN": (lambda: nn.RNN(4, 4, rng=0), lambda m, x, h: last_of(m(x, h)), [X, STATE]),
    "GRU": (
        lambda: nn.GRU(4, 4, rng=0),
        lambda m, x, h, n: last_of(m(x, h, lengths=n)),
        [X, STATE, np.array([5, 0, 2])],
    ),
    "GRU, both ways": (
        lambda: nn.GRU(4, 4, 2, bidirectional=True, batch_first=True, rng=0),
        lambda m, x: last_of(m(x)),
        [X],
    ),
    "LSTM": (
        lambda: nn.LSTM(4, 4, rng=0),
        lambda m, x, h, c: last_of(m(x, (h, c))),
        [X, STATE, STATE[::-1] + 1],
    ),
    "GRUCell": (
        lambda: nn.GRUCell(4, 4, rng=0),
        lambda m, x, h: last_of(m(x, h)),
        [X[0], STATE[0]],
    ),
    "LSTMCell": (
        lambda: nn.LSTMCell(4, 4, rng=0),
        lambda m, x, h: last_of(m(x, (h, h))),
        [X[0], STATE[0]],
    ),
    "compiled GRU": (
        lambda: tg.compile(nn.GRU(4, 4, rng=0)),
        lambda m, x, h: last_of(m(x, h)),
        [X, STATE],
    ),
    "cross_entropy": (
        None,
        lambda m, x, t: F.cross_entropy(x, t, label_smoothing=0.1),
        [X, CLASSES],
    ),
    "cross_entropy of probabilities": (
        None,
        lambda m, x, p, w: F.cross_entropy(x, p, weight=w),
        [X, P, P[0, 0]],
    ),
    "cross_entropy, some ignored": (
        None,
        lambda m, x, t: F.cross_entropy(x, t, ignore_index=1),
        [X, CLASSES],
    ),
    "nll_loss": (None, lambda m, x, t, w: F.nll_loss(x, t, weight=w), [X, CLASSES, P[0, 0]]),
    "mse_loss": (None, lambda m, x, t: F.mse_loss(x, t), [X, P]),
    "bce": (
        None,
        lambda m, x, t, w: F.binary_cross_entropy_with_logits(x, t, weight=w, pos_weight=w),
        [X, P, P[0]],
    ),
}


@both_dtypes
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize(("make", "loss", "arrays"), MODELS.values(), ids=MODELS)
def test_layers_and_losses_in_any_layout_and_byte_order(make, loss, arrays, layout, dtype):
    """Read-only too: the same loss and gradients, in the byte order of the machine."""
    usual = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    odd = [layout(a) for a in usual]
    outcomes = []
    for given in (usual, odd):
        for a in given:
            a.flags.writeable = False
        model = make() if make else None
        if model is not None:
            model.astype(dtype)
        inputs = [
            tg.Tensor(a, requires_grad=True) if a.dtype.kind == "f" and i == 0 else a
            for i, a in enumerate(given)
        ]
        y = loss(model, *inputs)
        y.backward(0.7)
        every = [*inputs, *(model.parameters() if model else ())]
        outcomes.append([y.data, *(x.grad for x in every if isinstance(x, tg.Tensor))])
    for expected, found in zip(*outcomes, strict=True):
        assert found.dtype == dtype
        assert found.dtype.isnative
        np.testing.assert_allclose(
            found, expected, rtol=100 * np.finfo(dtype).eps, atol=20 * np.finfo(dtype).eps
        )


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_state_dict_may_lie_in_any_layout_and_byte_order(layout):
    state = nn.GRU(2, 3, rng=1).state_dict()
    layer = nn.GRU(2, 3, rng=0)
    layer.load_state_dict({name: layout(array) for name, array in state.items()})
    for name, p in layer.named_parameters():
        np.testing.assert_array_equal(p.data, state[name])
        assert p.dtype.isnative
