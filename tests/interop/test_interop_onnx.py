"""Exported models, run by onnxruntime on numbers, lengths and batches that the export has not seen, against our own forward."""

import sys
from itertools import product

import numpy as np
import onnx
import onnxruntime
import pytest
from internals import tree

import tinygrad_rnn as tg
from tinygrad_rnn import interop, nn

KINDS = {
    "rnn": (nn.RNN, {}),
    "rnn relu": (nn.RNN, {"nonlinearity": "relu"}),
    "gru after": (nn.GRU, {"reset": "after"}),
    "gru before": (nn.GRU, {"reset": "before"}),
    "lstm": (nn.LSTM, {}),
}


class Through(nn.Module):
    """A function as a model, with a parameter or none."""

    def __init__(self, function, *weights):
        super().__init__()
        self.function = function
        for i, weight in enumerate(weights):
            setattr(self, f"weight_{i}", tg.Tensor(weight, requires_grad=True))

    def forward(self, x):
        return self.function(x, *self._parameters.values())


def floats(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def exported(model, example, path, **settings):
    """The file's model, its session, and what `to_onnx` says about its inputs."""
    axes = interop.to_onnx(model.eval(), example, path, **settings)
    whole = onnx.load(path)
    onnx.checker.check_model(whole, full_check=True)
    session = onnxruntime.InferenceSession(path)
    assert [value.name for value in session.get_inputs()] == list(axes)
    return whole, session, axes


def assert_agree(session, axes, model, args, **kwargs):
    """The file and the model give the same, for these inputs."""
    feeds = dict(zip(axes, tree.leaves((args, kwargs)), strict=True))
    theirs, ours = (
        session.run(None, feeds),
        tree.leaves(model(*tree.map(tg.Tensor, args), **kwargs)),
    )
    assert len(theirs) == len(ours)
    for a, b in zip(theirs, ours, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b.data, rtol=1e-5, atol=1e-5)


def kinds_of(whole):
    return [node.op_type for node in whole.graph.node]


def state_of(layer, *batch, seed=1):
    shape = (layer.num_layers * layer.directions, *batch, layer.hidden_size)
    return (
        (floats(*shape, seed=seed), floats(*shape, seed=seed + 1))
        if isinstance(layer, nn.LSTM)
        else floats(*shape, seed=seed)
    )


# -- recurrent layers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "bidirectional", "layers", "given"),
    [*product(KINDS, (False, True), (1, 2), (False, True))],
)
def test_one_node_a_layer(tmp_path, kind, bidirectional, layers, given):
    cls, form = KINDS[kind]
    layer = cls(3, 4, layers, bidirectional=bidirectional, rng=0, **form)
    example = (floats(5, 2, 3), state_of(layer, 2)) if given else floats(5, 2, 3)
    whole, session, axes = exported(layer, example, tmp_path / "x.onnx")
    assert axes["x"] == ("time", "batch", None)
    recurrent = [node for node in whole.graph.node if node.op_type in ("GRU", "LSTM", "RNN")]
    assert [node.op_type for node in recurrent] == [cls.__name__] * layers
    for node in recurrent:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        assert attributes.get("direction") == (b"bidirectional" if bidirectional else None)
        assert attributes.get("linear_before_reset") == {"gru after": 1, "gru before": 0}.get(kind)
    for steps, batch in ((5, 2), (1, 1), (9, 7)):
        state = (state_of(layer, batch, seed=7),) if given else ()
        assert_agree(session, axes, layer, (floats(steps, batch, 3, seed=steps), *state))


@pytest.mark.parametrize("kind", KINDS)
def test_without_biases(tmp_path, kind):
    cls, form = KINDS[kind]
    layer = cls(3, 4, bias=False, rng=0, **form)
    _, session, axes = exported(layer, floats(5, 2, 3), tmp_path / "x.onnx")
    assert_agree(session, axes, layer, (floats(6, 3, 3, seed=1),))


@pytest.mark.parametrize(
    ("kind", "bidirectional"), [*product(("gru after", "lstm"), (False, True))]
)
def test_batch_first(tmp_path, kind, bidirectional):
    cls, form = KINDS[kind]
    layer = cls(3, 4, 2, batch_first=True, bidirectional=bidirectional, rng=0, **form)
    _, session, axes = exported(layer, (floats(2, 5, 3), state_of(layer, 2)), tmp_path / "x.onnx")
    assert axes["x"] == ("batch", "time", None)
    assert_agree(session, axes, layer, (floats(6, 3, 3, seed=1), state_of(layer, 6, seed=3)))


@pytest.mark.parametrize("kind", ["gru before", "lstm"])
def test_one_sequence_without_a_batch(tmp_path, kind):
    cls, form = KINDS[kind]
    layer = cls(3, 4, 2, bidirectional=True, rng=0, **form)
    _, session, axes = exported(layer, (floats(5, 3), state_of(layer)), tmp_path / "x.onnx")
    assert axes["x"] == ("time", None)
    assert_agree(session, axes, layer, (floats(8, 3, seed=1), state_of(layer, seed=3)))


@pytest.mark.parametrize(
    ("kind", "bidirectional", "given"), [*product(KINDS, (False, True), (False, True))]
)
def test_lengths(tmp_path, kind, bidirectional, given):
    """Unsorted, some zero, and nan behind the ends: what the model gives with `lengths`."""
    cls, form = KINDS[kind]
    layer = cls(3, 4, 2, bidirectional=bidirectional, rng=0, **form)
    example = (floats(5, 3, 3), state_of(layer, 3)) if given else floats(5, 3, 3)
    _, session, axes = exported(layer, example, tmp_path / "x.onnx", lengths=[5, 2, 1])
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
    _, session, _ = exported(layer, floats(5, 2, 3), tmp_path / "x.onnx", lengths=[5, 2])
    x, lengths = floats(6, 4, 3, seed=2), np.array([2, 6, 1, 4])
    output, state = session.run(None, {"x": x, "lengths": lengths})
    for row, length in enumerate(lengths):
        alone, end = layer(x[:length, row])
        np.testing.assert_allclose(output[:length, row], alone.data, atol=1e-5)
        np.testing.assert_allclose(state[:, row], end.data, atol=1e-5)
        assert not output[length:, row].any()


# -- models ------------------------------------------------------------------------------------------


class Tagger(nn.Module):
    """Characters to log-probabilities at each step, and of the whole: most of what people put between layers."""

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


def test_a_whole_model(tmp_path):
    model = Tagger()
    x = np.random.default_rng(0).integers(0, 7, (4, 2))
    whole, session, axes = exported(model, x, tmp_path / "x.onnx")
    kinds = kinds_of(whole)
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


def test_a_module_used_twice_and_an_output_that_is_an_input(tmp_path):
    linear = nn.Linear(3, 3, rng=0)
    model = Through(lambda x: (linear(tg.tanh(linear(x))), x, x))
    model.linear = linear
    _, session, axes = exported(model, floats(2, 3), tmp_path / "x.onnx")
    assert axes == {"x": ("batch", None)}
    assert_agree(session, axes, model, (floats(5, 3, seed=1),))


def test_a_cell_of_ones_own_for_a_fixed_length(tmp_path):
    model = nn.Recurrent(lambda size, rng: nn.GRUCell(size, 4, rng=rng), 3, rng=0)
    _, session, axes = exported(
        model, floats(3, 2, 3), tmp_path / "x.onnx", axes={"x": (None, "batch", None)}
    )
    assert axes == {"x": (None, "batch", None)}
    assert_agree(session, axes, model, (floats(3, 6, 3, seed=1),))


def test_recording_and_parameters_are_left_as_they_were(tmp_path):
    model = Tagger().eval()
    before = model.state_dict()
    with tg.no_grad():
        interop.to_onnx(model, [[1, 2], [3, 4]], tmp_path / "x.onnx")
    assert all(np.array_equal(array, before[name]) for name, array in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert model(np.array([[1]]))["steps"].requires_grad


W = floats(3, 4, seed=5)
FUNCTIONS = {
    "arithmetic": lambda x: (x + 2) * x - x / 3 + x**2 - (-x),
    "weak numbers": lambda x: 1 - np.float64(2) * x,
    "array": lambda x: x * np.arange(3, dtype=np.float32),
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
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_ops(tmp_path, name):
    function = FUNCTIONS[name]
    model = Through(function, *([W] if function.__code__.co_argcount == 2 else []))
    _, session, axes = exported(
        model, floats(4, 2, 3), tmp_path / "x.onnx", axes={"x": ("time", "batch", None)}
    )
    for shape in ((4, 2, 3), (7, 5, 3), (2, 1, 3)):
        assert_agree(session, axes, model, (floats(*shape, seed=3),))


def test_arithmetic_on_integers_before_the_embedding(tmp_path):
    embedding = nn.Embedding(9, 2, rng=0)
    model = Through(lambda x: embedding(tg.flip(x * 2, axis=0)[:, 0]) * x[:, :1])
    model.embedding = embedding
    _, session, axes = exported(model, np.array([[1, 2], [3, 0]]), tmp_path / "x.onnx")
    assert_agree(session, axes, model, (np.array([[4, 1, 0], [2, 2, 3], [0, 1, 1]]),))


# -- what is refused ---------------------------------------------------------------------------------


class Loop(nn.Module):
    def forward(self, x):
        return tg.scan(
            lambda x, h: (x + h, x + h), x, tg.Tensor(np.zeros(x.shape[1:], np.float32))
        )[0]


class Ends(nn.Module):
    """What a function makes of the states and the lengths."""

    def __init__(self, function):
        super().__init__()
        self.gru, self.function = nn.GRU(3, 2, rng=0), function

    def forward(self, x, lengths=None):
        return self.function(self.gru(x, lengths=lengths)[0], lengths)


def ends(function):
    return Ends(function).eval(), X


def only(function):
    return Through(function).eval()


def zoned():
    return nn.GRU(3, 2, zoneout=0.1, rng=0).eval()


X = floats(4, 2, 3)
REFUSED = {
    "training": (
        lambda: (nn.GRU(3, 2), X),
        {},
        ValueError,
        r"to_onnx: argument model: expected evaluation mode.*model.eval\(\)",
    ),
    "a function": (
        lambda: (tg.tanh, X),
        {},
        TypeError,
        "to_onnx: argument model: expected a Module",
    ),
    "an op without a counterpart": (
        lambda: (only(lambda x: x.repeat(2, axis=0)), X),
        {},
        ValueError,
        "to_onnx: argument model: .*got repeat;",
    ),
    "a number from the data": (
        lambda: (only(lambda x: x * float(x.data.mean())), X),
        {},
        ValueError,
        "argument input 1 of multiply: ",
    ),
    "a number from the length": (
        lambda: (only(lambda x: x.sum(axis=0) / len(x)), X),
        {},
        ValueError,
        "to_onnx: argument input 1 of divide: .* not recorded, 4 and then 6; .* without len, shape",
    ),
    "a mask from the data": (
        lambda: (only(lambda x: tg.where(x > 0, x, 0)), X),
        {},
        ValueError,
        "argument input 0 of where: ",
    ),
    "a detached part": (
        lambda: (only(lambda x: x * tg.tanh(x).detach()), X),
        {},
        ValueError,
        "argument input 1 of multiply: ",
    ),
    "an input behind the back of the ops": (
        lambda: (only(lambda x: tg.tanh(tg.Tensor(x.data))), X),
        {},
        ValueError,
        "example_input",
    ),
    "an index from the length": (
        lambda: (only(lambda x: x[len(x) - 1]), X),
        {},
        ValueError,
        "argument index of getitem: .*3 and then 5",
    ),
    "an index by a mask": (
        lambda: (only(lambda x: x[..., np.array([True, False, True])]), X),
        {},
        ValueError,
        "argument index of getitem",
    ),
    "a variance with ddof": (
        lambda: (only(lambda x: tg.var(x, ddof=1)), X),
        {},
        ValueError,
        "argument ddof of var: .*got 1",
    ),
    "a loop over time": (
        lambda: (Loop().eval(), X),
        {},
        ValueError,
        "to_onnx: argument model: expected the same calls.*nn.GRU.*axes=",
    ),
    "a branch on the data": (
        lambda: (only(lambda x: tg.tanh(x) if x.data[0, 0, 0] == X[0, 0, 0] else tg.exp(x)), X),
        {},
        ValueError,
        "to_onnx: argument model: expected the same calls",
    ),
    "a branch that picks": (
        lambda: (
            only(
                lambda x: (lambda a, b: (a + b, -(a if x.data[0, 0, 0] == X[0, 0, 0] else b)))(
                    tg.exp(x), tg.exp(x)
                )
            ),
            X,
        ),
        {},
        ValueError,
        "to_onnx: argument negative: expected the same inputs",
    ),
    "a fixed length": (
        lambda: (only(lambda x: x + X[:, :1]), X),
        {},
        ValueError,
        "to_onnx: argument model: .*ValueError: add:.*axes=",
    ),
    "an output that is no Tensor": (
        lambda: (only(lambda x: (x, x.argmax(axis=-1))), X),
        {},
        TypeError,
        "to_onnx: argument model: expected Tensors as outputs, got int64",
    ),
    "zoneout": (
        lambda: (zoned(), X),
        {},
        ValueError,
        "argument zoneout of GRU: expected 0, got 0.1",
    ),
    "an empty example": (
        lambda: (only(tg.tanh), X[:0]),
        {},
        ValueError,
        "to_onnx: argument example_input",
    ),
    "a layer in float64": (
        lambda: (nn.GRU(3, 2, rng=0).astype(np.float64).eval(), X.astype(np.float64)),
        {},
        ValueError,
        r"to_onnx: argument dtype of GRU: expected float32 or float16, got float64; .*model.astype\(np.float32\)",
    ),
    "lengths as an array": (
        lambda: ends(lambda h, lengths: h.sum(axis=0) / np.asarray(lengths, np.float32)[:, None]),
        {"lengths": [4, 2]},
        TypeError,
        r"to_onnx: argument model: expected one that computes with ops .* got TypeError: np.asarray.* x.astype\(dtype\) is the op",
    ),
    "lengths as another Tensor": (
        lambda: ends(
            lambda h, lengths: h.sum(axis=0) / tg.Tensor(lengths).astype(np.float32)[:, None]
        ),
        {"lengths": [4, 2]},
        TypeError,
        r"to_onnx: argument model: expected one that computes with ops .* got TypeError: Tensor: .* x.astype\(dtype\) is the op",
    ),
    "a model that does not run": (
        lambda: (only(lambda x: tg.tanh("a")), X),
        {},
        TypeError,
        "^tanh: argument a: expected real numbers",
    ),
    "the step of each length": (
        lambda: ends(lambda h, lengths: h[lengths - 1, np.arange(h.shape[1])]),
        {"lengths": [4, 2]},
        ValueError,
        "to_onnx: argument index of getitem: .*the last state of each sequence is the state that a recurrent layer returns",
    ),
    "axes of another input": (
        lambda: (only(tg.tanh), X),
        {"axes": {"y": ("batch",)}},
        ValueError,
        "to_onnx: argument axes: .*'y'",
    ),
    "axes of another number": (
        lambda: (only(tg.tanh), X),
        {"axes": {"x": ("batch",)}},
        ValueError,
        "to_onnx: argument axes",
    ),
    "axes that disagree": (
        lambda: (nn.GRU(3, 2, rng=0).eval(), (X, floats(1, 2, 2))),
        {"axes": {"state": ("batch", "batch", None)}},
        ValueError,
        "to_onnx: argument state: expected the size 2 of batch",
    ),
    "lengths for who takes none": (
        lambda: (nn.Linear(3, 2).eval(), X),
        {"lengths": [1, 2]},
        TypeError,
        "to_onnx: argument example_input: .*lengths",
    ),
}


@pytest.mark.parametrize(("build", "settings", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_exported_is_refused_by_name(tmp_path, build, settings, error, message):
    model, example = build()
    with pytest.raises(error, match=message):
        interop.to_onnx(model, example, tmp_path / "x.onnx", **settings)
    assert not list(tmp_path.iterdir())


def test_what_is_no_path_is_refused():
    with pytest.raises(
        TypeError, match="to_onnx: argument path: expected the name of a file, got NoneType None"
    ):
        interop.to_onnx(nn.GRU(3, 2).eval(), X, None)


def test_without_the_package_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"to_onnx: .*pip install 'tinygrad_rnn\[onnx\]'"):
        interop.to_onnx(nn.GRU(3, 2).eval(), X, tmp_path / "x.onnx")


def test_axes_that_squeeze_finds_must_be_there_in_every_run(tmp_path):
    model = Through(lambda x: x.squeeze())
    _, session, axes = exported(
        model, floats(4, 1, 3), tmp_path / "x.onnx", axes={"x": ("batch", None, None)}
    )
    assert_agree(session, axes, model, (floats(7, 1, 3, seed=1),))
    with pytest.raises(ValueError, match="name the axis"):
        interop.to_onnx(
            model, floats(1, 2, 3), tmp_path / "y.onnx", axes={"x": ("batch", None, None)}
        )
