"""Exported models, run by onnxruntime on other numbers, lengths and batches than the example.

The outputs must be those of our own forward pass.
"""

import threading
from itertools import product

import numpy as np
import pytest
from onnx.helper import get_attribute_value
from onnx_export import FunctionModel, assert_agree, export, floats, state_of

import tinygrad_rnn as tg
from tinygrad_rnn import interop, nn

KINDS = {
    "rnn": (nn.RNN, {}),
    "rnn relu": (nn.RNN, {"nonlinearity": "relu"}),
    "gru after": (nn.GRU, {"reset": "after"}),
    "gru before": (nn.GRU, {"reset": "before"}),
    "lstm": (nn.LSTM, {}),
}


# -- recurrent layers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "bidirectional", "layers", "given"),
    [*product(KINDS, (False, True), (1, 2), (False, True))],
)
def test_each_recurrent_layer_becomes_one_node(tmp_path, kind, bidirectional, layers, given):
    cls, form = KINDS[kind]
    layer = cls(3, 4, layers, bidirectional=bidirectional, rng=0, **form)
    example = (floats(5, 2, 3), state_of(layer, 2)) if given else floats(5, 2, 3)
    whole, session, axes = export(layer, example, tmp_path / "x.onnx")
    assert axes["x"] == ("time", "batch", None)
    recurrent = [node for node in whole.graph.node if node.op_type in ("GRU", "LSTM", "RNN")]
    assert [node.op_type for node in recurrent] == [cls.__name__] * layers
    for node in recurrent:
        attributes = {a.name: get_attribute_value(a) for a in node.attribute}
        assert attributes.get("direction") == (b"bidirectional" if bidirectional else None)
        assert attributes.get("linear_before_reset") == {"gru after": 1, "gru before": 0}.get(kind)
    for steps, batch in ((5, 2), (1, 1), (9, 7)):
        state = (state_of(layer, batch, seed=7),) if given else ()
        assert_agree(session, axes, layer, (floats(steps, batch, 3, seed=steps), *state))


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_without_biases_is_export(tmp_path, kind):
    cls, form = KINDS[kind]
    layer = cls(3, 4, bias=False, rng=0, **form)
    _, session, axes = export(layer, floats(5, 2, 3), tmp_path / "x.onnx")
    assert_agree(session, axes, layer, (floats(6, 3, 3, seed=1),))


@pytest.mark.parametrize(
    ("kind", "bidirectional"), [*product(("gru after", "lstm"), (False, True))]
)
def test_a_batch_first_layer_is_export(tmp_path, kind, bidirectional):
    cls, form = KINDS[kind]
    layer = cls(3, 4, 2, batch_first=True, bidirectional=bidirectional, rng=0, **form)
    _, session, axes = export(layer, (floats(2, 5, 3), state_of(layer, 2)), tmp_path / "x.onnx")
    assert axes["x"] == ("batch", "time", None)
    assert_agree(session, axes, layer, (floats(6, 3, 3, seed=1), state_of(layer, 6, seed=3)))


@pytest.mark.parametrize("kind", ["gru before", "lstm"])
def test_a_layer_for_one_sequence_without_a_batch_is_export(tmp_path, kind):
    cls, form = KINDS[kind]
    layer = cls(3, 4, 2, bidirectional=True, rng=0, **form)
    _, session, axes = export(layer, (floats(5, 3), state_of(layer)), tmp_path / "x.onnx")
    assert axes["x"] == ("time", None)
    assert_agree(session, axes, layer, (floats(8, 3, seed=1), state_of(layer, seed=3)))


@pytest.mark.parametrize(
    ("kind", "bidirectional", "given"), [*product(KINDS, (False, True), (False, True))]
)
def test_lengths_are_export(tmp_path, kind, bidirectional, given):
    """The lengths are not sorted, one is 0, and the entries after the ends are NaN."""
    cls, form = KINDS[kind]
    layer = cls(3, 4, 2, bidirectional=bidirectional, rng=0, **form)
    example = (floats(5, 3, 3), state_of(layer, 3)) if given else floats(5, 3, 3)
    _, session, axes = export(layer, example, tmp_path / "x.onnx", lengths=[5, 2, 1])
    assert axes["lengths"] == ("batch",)
    lengths, x = np.array([3, 0, 8, 1, 5]), floats(9, 5, 3, seed=1)
    for row, length in enumerate(lengths):
        x[length:, row] = np.nan
    assert_agree(
        session,
        axes,
        layer,
        (x, *((state_of(layer, 5, seed=4),) if given else ())),
        lengths=lengths,
    )


def test_each_sequence_alone_gives_what_lengths_give(tmp_path):
    layer = nn.GRU(3, 4, bidirectional=True, rng=0)
    _, session, _ = export(layer, floats(5, 2, 3), tmp_path / "x.onnx", lengths=[5, 2])
    x, lengths = floats(6, 4, 3, seed=2), np.array([2, 6, 1, 4])
    output, state = session.run(None, {"x": x, "lengths": lengths})
    for row, length in enumerate(lengths):
        alone, end = layer(x[:length, row])
        np.testing.assert_allclose(output[:length, row], alone.data, atol=1e-5)
        np.testing.assert_allclose(state[:, row], end.data, atol=1e-5)
        assert not output[length:, row].any()


# -- models ----------------------------------------------------------------------------------------


class Tagger(nn.Module):
    """A tagger of characters, with the usual ops and layers between two recurrent layers."""

    def __init__(self):
        super().__init__()
        self.embedding, self.drop = nn.Embedding(7, 5, rng=0), nn.Dropout(0.5)
        self.first = nn.GRU(5, 6, bidirectional=True, rng=1)
        self.norm, self.second = nn.LayerNorm(12), nn.LSTM(12, 4, 2, dropout=0.3, rng=2)
        self.head = nn.Sequential(
            nn.Linear(4, 8, rng=3), tg.relu, nn.Linear(8, 3, bias=False, rng=4)
        )

    def forward(self, x):
        h = self.drop(self.norm(self.first(self.embedding(x))[0]))
        h, (state, _) = self.second(h)
        both = (
            tg.concatenate([h[-1], h.mean(axis=0), state[-1]], axis=-1)
            .reshape(-1, 3, 4)
            .sum(axis=1)
        )
        return {
            "steps": tg.log_softmax(self.head(h)),
            "whole": (tg.softmax(self.head(both)), h.transpose(1, 0, 2)),
        }


def test_a_whole_model_is_export(tmp_path):
    model = Tagger()
    x = np.random.default_rng(0).integers(0, 7, (4, 2))
    whole, session, axes = export(model, x, tmp_path / "x.onnx")
    kinds = [node.op_type for node in whole.graph.node]
    assert [kinds.count(kind) for kind in ("GRU", "LSTM", "LayerNormalization", "Dropout")] == [
        1,
        2,
        1,
        0,
    ]
    names = {initializer.name for initializer in whole.graph.initializer}
    assert {"embedding.weight", "head.0.weight", "norm.bias", "first.W_l0", "second.R_l1"} <= names
    for shape in ((4, 2), (11, 5), (1, 1)):
        assert_agree(session, axes, model, (np.random.default_rng(1).integers(0, 7, shape),))
    assert_agree(session, axes, model, (x[::-1].copy(),))


def test_a_module_may_be_used_twice_and_an_input_be_an_output(tmp_path):
    linear = nn.Linear(3, 3, rng=0)
    model = FunctionModel(lambda x: (linear(tg.tanh(linear(x))), x, x), modules=[linear])
    model.linear = linear
    _, session, axes = export(model, floats(2, 3), tmp_path / "x.onnx")
    assert axes == {"x": ("batch", None)}
    assert_agree(session, axes, model, (floats(5, 3, seed=1),))


def test_a_cell_of_the_user_is_exported_for_a_fixed_length(tmp_path):
    model = nn.Recurrent(lambda size, rng: nn.GRUCell(size, 4, rng=rng), 3, rng=0)
    _, session, axes = export(
        model, floats(3, 2, 3), tmp_path / "x.onnx", axes={"x": (None, "batch", None)}
    )
    assert axes == {"x": (None, "batch", None)}
    assert_agree(session, axes, model, (floats(3, 6, 3, seed=1),))


def test_a_cell_of_the_user_is_exported_with_lengths(tmp_path):
    model = nn.Recurrent(lambda size, rng: nn.LSTMCell(size, 4, rng=rng), 3, rng=0)
    example, axes = floats(4, 2, 3), {"x": (None, "batch", None)}
    _, session, axes = export(model, example, tmp_path / "x.onnx", lengths=[4, 2], axes=axes)
    lengths = np.array([3, 4, 1, 0])
    assert_agree(session, axes, model, (floats(4, 4, 3, seed=1),), lengths=lengths)


def test_a_model_may_leave_out_an_argument(tmp_path):
    model = AfterState()
    example = (floats(5, 2, 3), None, floats(5, 2, 4))
    _, session, axes = export(
        model, example, tmp_path / "x.onnx", axes={"y": ("time", "batch", None)}
    )
    x, y = floats(6, 3, 3, seed=1), floats(6, 3, 4, seed=2)
    assert_agree(session, axes, model, (x, None, y))


def test_an_export_leaves_recording_and_parameters_as_they_were(tmp_path):
    model = Tagger().eval()
    before = model.state_dict()
    with tg.no_grad():
        interop.to_onnx(model, [[1, 2], [3, 4]], tmp_path / "x.onnx")
    assert all(np.array_equal(array, before[name]) for name, array in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(type(parameter.data) is np.ndarray for parameter in model.parameters())
    assert model(np.array([[1]]))["steps"].requires_grad


class AfterState(nn.Module):
    """A GRU whose state may be left out, and a product with another input."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(3, 4, rng=0)

    def forward(self, x, state, y):
        return self.gru(x, state)[0] * y


W = floats(3, 4, seed=5)
FUNCTIONS = {
    "arithmetic": lambda x: (x + 2) * x - x / 3 + x**2 - (-x),
    "weak numbers": lambda x: 1 - np.float64(2) * x,
    "array": lambda x: x * np.arange(3, dtype=np.float32),
    "a power of an array": lambda x: np.arange(1, 4, dtype=np.float32) ** x,
    "matmul": lambda x, w: x @ w,
    "linear with a term": lambda x, w: tg.linear(x, w.T, x @ w),
    "einsum": lambda x, w: tg.einsum("tbi,io->bto", x, w),
    "maximum, minimum": lambda x: (tg.maximum(x, 0.1), tg.minimum(x, -x)),
    "lerp": lambda x: tg.lerp(x, x * x, 0.25),
    "exp, log": lambda x: tg.log(tg.exp(x) + 1) + tg.log1p(x * x) + tg.expm1(x),
    "sqrt, square": lambda x: tg.sqrt(tg.square(x) + 1),
    "abs, sign": lambda x: tg.abs(x) + tg.sign(x),
    "sin, cos": lambda x: tg.sin(x) * tg.cos(x),
    "activations": lambda x: (tg.tanh(x), tg.sigmoid(x), tg.relu(x), tg.softplus(x)),
    "clip": lambda x: (x.clip(-0.5, 0.5), x.clip(max=0.1)),
    "where a constant": lambda x: tg.where(np.array([True, False, True]), x, 0),
    "sums": lambda x: (x.sum(), x.sum(axis=0), x.sum(axis=(0, -1), keepdims=True)),
    "means": lambda x: (
        x.mean(),
        x.mean(axis=1),
        tg.var(x, axis=0),
        tg.std(x, axis=-1, keepdims=True),
        tg.var(x),
    ),
    "extremes": lambda x: (x.max(axis=0), x.min(), tg.logsumexp(x, axis=-1), tg.prod(x, axis=-1)),
    "cumsum": lambda x: (tg.cumsum(x, axis=0), tg.cumsum(x)),
    "softmax": lambda x: (tg.softmax(x, axis=0), tg.log_softmax(x)),
    "places": lambda x: (x[0], x[-1], x[:, -1], x[-1, 0, 1], x[..., 1], x[:, None, :, 0]),
    "slices": lambda x: (x[1:], x[:-1], x[::-1], x[..., ::-2], x[1:, ..., :2]),
    "picked": lambda x: (x[[0, -1]], x[..., np.array([[2, 0], [1, 1]])]),
    "reshape": lambda x: (
        x.reshape(-1),
        x.reshape(len(x), -1),
        x.reshape(x.shape[0] * x.shape[1], 3),
        x.reshape(-1, 1, 3),
    ),
    "reshape to sizes": lambda x: x.reshape(x.shape[1], x.shape[0], 3),
    "axes": lambda x: (
        x.T,
        x.transpose(1, 0, 2),
        tg.swapaxes(x, 0, -1),
        x[None].squeeze(0),
        tg.expand_dims(x, (0, -1)),
    ),
    "flip": lambda x: (tg.flip(x), tg.flip(x, axis=0)),
    "joined": lambda x: (
        tg.concatenate([x, x * 2], axis=-1),
        tg.stack([x, -x], axis=-1),
        tg.stack([x, x]),
    ),
    "split": lambda x: tg.split(x, [1], axis=-1),
    "broadcast": lambda x: tg.broadcast_to(x[:1], x.shape),
    "zeros of the batch": lambda x: tg.concatenate(
        [tg.Tensor(np.zeros((1, x.shape[1], 3), np.float32)), x]
    ),
    "integers": lambda x: x * 2 + tg.Tensor(np.array([1, 2, 3])).astype(np.float32),
    "a constant output": lambda x, w: (x, w * 2),
    "a leaky unit": lambda x: tg.where(x > 0, x, 0.1 * x),
    "comparisons": lambda x: [
        x * mask
        for mask in (x < 0.1, x <= 0, x > -x, x >= x[:1], x == tg.relu(x), x != tg.relu(x), x > 0)
    ],
    "masks": lambda x: x * ((x > 0) & ~(x > 1) | np.logical_and(x < -1, x > -2) ^ (x == 0)),
    "a mask of arrays": lambda x: tg.where(np.where(x.data > 0, x.data < 1, x.data < -1), x, 0),
    "missing numbers": np.errstate(all="ignore")(
        lambda x: tg.where(np.isnan(tg.log(x)), 0, x) * np.isfinite(tg.log(x))
    ),
    "infinite numbers": np.errstate(all="ignore")(
        lambda x: tg.where(np.isinf(tg.log(tg.relu(x))), 5, x)
    ),
    "any, all": lambda x: (x * (x > 1).any(axis=-1, keepdims=True), x * (x > -9).all()),
    "argmax": lambda x: (x * x.argmax(axis=0), x + x.argmin(axis=-1)[..., None], x * x.argmax()),
    "arithmetic with a mask": lambda x: x * (x.data > 0).astype(np.float32) - (1 - (x > 0)) * x,
    "a mean of an array": lambda x: x - x.data.mean(axis=0) / (np.abs(x.data).max() + 1),
    "a scalar": lambda x: x * (x > 0).mean().astype(x.dtype) + x.data[0, 0, 0],
    "a scalar of another dtype": lambda x: x * (x > 0).mean() + x.sum(axis=0) * x.data[0, 0, 0],
    "an item": lambda x: x * x.max().item() + (2 * x.data.min().item() - 1),
    "a detached part": lambda x: x * tg.tanh(x).detach(),
    "the real part": lambda x: (np.real(x), np.real(x.data) * x),
    "a new Tensor": lambda x: tg.tanh(tg.Tensor(x.data)) + x,
    "without a graph": tg.no_grad()(lambda x: tg.tanh(x) * 2),
    "sizes": lambda x: (x + np.zeros_like(x), x * np.ones_like(x.data)),
    "the sign of integers": lambda x: x * ((x > 0) * 2 - 1) * tg.Tensor([2, 3, 4]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_exported_ops_give_what_ours_give(tmp_path, name):
    function = FUNCTIONS[name]
    model = FunctionModel(function, *([W] if function.__code__.co_argcount == 2 else []))
    _, session, axes = export(
        model, floats(4, 2, 3), tmp_path / "x.onnx", axes={"x": ("time", "batch", None)}
    )
    for shape in ((4, 2, 3), (7, 5, 3), (2, 1, 3)):
        assert_agree(session, axes, model, (floats(*shape, seed=3),))


def test_integers_may_be_computed_before_an_embedding(tmp_path):
    embedding = nn.Embedding(9, 2, rng=0)
    model = FunctionModel(
        lambda x: embedding(tg.flip(x * 2, axis=0)[:, 0]) * x[:, :1], modules=[embedding]
    )
    model.embedding = embedding
    _, session, axes = export(model, np.array([[1, 2], [3, 0]]), tmp_path / "x.onnx")
    assert_agree(session, axes, model, (np.array([[4, 1, 0], [2, 2, 3], [0, 1, 1]]),))


def test_lengths_may_be_computed_with(tmp_path):
    class MeanOfSteps(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(3, 2, rng=0)

        def forward(self, x, lengths):
            h, _ = self.gru(x, lengths=lengths)
            return h.sum(axis=0) / tg.Tensor(lengths).astype(np.float32)[:, None]

    model = MeanOfSteps()
    _, session, axes = export(model, floats(4, 2, 3), tmp_path / "x.onnx", lengths=[4, 2])
    assert_agree(session, axes, model, (floats(7, 3, 3),), lengths=np.array([3, 7, 1]))


def test_an_export_leaves_a_model_as_it_was(tmp_path):
    class Keeping(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("last", np.zeros(3, np.float32))
            self.register_buffer("sum", np.zeros(3, np.float32))
            self.history, self.masks = [], {}

        def forward(self, x):
            y = tg.tanh(x)
            self.kept, self.mask, self.last, self.parts = y, y > 0, y[0].detach(), [y.detach()]
            self.history.append(y)
            self.masks["positive"] = y > 0
            self.sum.data = y[0].data + y[-1].data
            return y

    model = Keeping().eval()
    before, arrays = dict(vars(model)), (model.last.data, model.sum.data)
    interop.to_onnx(model, floats(2, 3), tmp_path / "x.onnx")
    assert vars(model) == before
    assert (model.last is before["last"], model.history, model.masks) == (True, [], {})
    assert (model.last.data is arrays[0], model.sum.data is arrays[1]) == (True, True)


def test_a_failed_export_leaves_a_model_as_it_was(tmp_path):
    def keep_and_fail(x):
        model.kept = x * 2
        return x * float(x.data.mean())

    model = FunctionModel(keep_and_fail).eval()
    with pytest.raises(ValueError, match="to_onnx: "):
        interop.to_onnx(model, floats(2, 3), tmp_path / "x.onnx")
    assert not hasattr(model, "kept")


def test_tensors_that_an_export_leaves_outside_of_the_model_hold_plain_arrays(tmp_path):
    kept = []
    embedding = nn.Embedding(9, 2, rng=0)

    def keep(x):
        kept.extend([x, embedding(x), x * 2])
        return kept[-1]

    model = FunctionModel(keep, modules=[embedding])
    model.embedding = embedding
    interop.to_onnx(model.eval(), np.array([[1, 2], [3, 0]]), tmp_path / "x.onnx")
    assert [type(tensor.data) for tensor in kept] == [np.ndarray] * 6
    np.testing.assert_array_equal(kept[2].data, [[2, 4], [6, 0]])


def test_other_threads_compute_with_plain_arrays_during_an_export(tmp_path):
    found = []

    def compute():
        found.append(linear(floats(4, 3)).data)

    def start_a_thread(x):
        thread = threading.Thread(target=compute)
        y = linear(x)
        thread.start()
        thread.join()
        return y * linear.weight.sum()

    linear = nn.Linear(3, 3, rng=0)
    model = FunctionModel(start_a_thread, modules=[linear])
    model.linear = linear
    _, session, axes = export(model, floats(2, 3), tmp_path / "x.onnx")
    assert [type(array) for array in found] == [np.ndarray] * 2
    assert_agree(session, axes, model, (floats(5, 3, seed=1),))


def test_a_model_may_print_what_it_computes(tmp_path, capsys):
    def show(x):
        print(x, x.data, f"{x.data}", [x.data])
        return x * 2

    export(FunctionModel(show), np.full((1, 2), 0.5, np.float32), tmp_path / "x.onnx")
    assert capsys.readouterr().out.startswith("Tensor([[0.5, 0.5]]) [[0.5 0.5]] [[0.5 0.5]] [array")


def test_recorders_around_an_export_see_nothing_of_it(tmp_path):
    model = nn.Sequential(nn.Linear(3, 2, rng=0), tg.tanh).eval()
    with tg.debug(), nn.record(model) as activations:
        interop.to_onnx(model, floats(2, 3), tmp_path / "x.onnx")
        assert not list(activations)
        model(floats(2, 3))
    assert list(activations) == ["0", ""]
