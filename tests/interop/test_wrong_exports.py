"""Models that cannot be exported, and what the errors say."""

import sys

import numpy as np
import pytest
from onnx_export import FunctionModel, assert_agree, export, floats

import tinygrad_rnn as tg
from tinygrad_rnn import interop, nn


class Loop(nn.Module):
    """A sum over time, step by step."""

    def forward(self, x):
        start = tg.Tensor(np.zeros(x.shape[1:], np.float32))
        return tg.scan(lambda x, h: (x + h, x + h), x, start)[0]


class Counter(nn.Module):
    """A model that adds how often it was called."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", np.zeros((), np.float32))

    def forward(self, x):
        self.calls.data = self.calls.data + 1
        return x + self.calls


class Memory(nn.Module):
    """A model that adds what it kept of its last input, in a list or in an attribute."""

    def __init__(self, in_list):
        super().__init__()
        self.kept, self.last, self.in_list = [0], 0, in_list

    def forward(self, x):
        y = x + (self.kept[-1] if self.in_list else self.last)
        self.last = x.data[0, 0] * 2
        self.kept.append(x.data[0, 0] * 2)
        return y


class AfterGRU(nn.Module):
    """A GRU, then a function of its output and the lengths."""

    def __init__(self, function):
        super().__init__()
        self.gru, self.function = nn.GRU(3, 2, rng=0), function

    def forward(self, x, lengths=None):
        return self.function(self.gru(x, lengths=lengths)[0], lengths)


def after_gru(function):
    """Return a model that applies a function to a GRU's output and the lengths, and an example."""
    return AfterGRU(function).eval(), X


def as_model(function):
    """Return a function as a model in evaluation mode."""
    return FunctionModel(function).eval()


def without_errors(function, fallback):
    """Return what a function returns, or `fallback` if it raises an error."""
    try:
        return function()
    except Exception:
        return fallback


def assigned(array):
    """Return an array after an assignment to its first entry."""
    array[0, 0, 0] = 1
    return array


X = floats(4, 2, 3)
WRONG = {
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
        lambda: (as_model(lambda x: x.repeat(2, axis=0)), X),
        {},
        ValueError,
        "to_onnx: argument model: .*got repeat;",
    ),
    "a number from the data": (
        lambda: (as_model(lambda x: x * float(x.data.mean())), X),
        {},
        ValueError,
        "to_onnx: argument model: .* only, got float.. of values that depend on an input; compute",
    ),
    "a list": (
        lambda: (as_model(lambda x: x * np.max(x.tolist())), X),
        {},
        ValueError,
        r"got tolist\(\) of values that depend on an input; compute with the Tensor itself, by op",
    ),
    "an array": (
        lambda: (as_model(lambda x: x * x.detach().numpy()), X),
        {},
        TypeError,
        r"got np.asarray\(\) of values that depend on an input",
    ),
    "an assignment": (
        lambda: (as_model(lambda x: x * assigned(x.data)), X),
        {},
        ValueError,
        "got an assignment to entries that depend on an input; select values with tg.where",
    ),
    "an assignment to a new array": (
        lambda: (as_model(lambda x: x * assigned(x.data * 2)), X),
        {},
        ValueError,
        "got an assignment to entries that depend on an input; select values with tg.where",
    ),
    "an error that the model hides": (
        lambda: (as_model(lambda x: x * without_errors(lambda: float(x.data.mean()), 1)), X),
        {},
        ValueError,
        "got float.. of values that depend on an input",
    ),
    "a format with digits": (
        lambda: (as_model(lambda x: x * len(f"{x.data.mean():.2f}")), X),
        {},
        ValueError,
        "got format.. of values that depend on an input",
    ),
    "a count of calls": (
        lambda: (Counter().eval(), X),
        {},
        ValueError,
        "argument input 1 of add: .* got values that changed .*, 1.0 and then 2.0",
    ),
    "a memory of the last call": (
        lambda: (Memory(in_list=False).eval(), X),
        {},
        ValueError,
        "to_onnx: argument input 1 of add: .* got values that changed",
    ),
    "a list of memories": (
        lambda: (Memory(in_list=True).eval(), X),
        {},
        ValueError,
        "to_onnx: argument input 1 of add: .* got values that changed",
    ),
    "random numbers": (
        lambda: (as_model(lambda x: nn.functional.dropout(x, 0.5)), X),
        {},
        ValueError,
        "to_onnx: argument model: .*got random numbers; compute random numbers outside",
    ),
    "a write into an array": (
        lambda: (as_model(lambda x: x * np.add(x.data, 1, out=X.copy())), X),
        {},
        ValueError,
        r"got a write by np.add of values that depend on an input; write y = np.add\(...\)",
    ),
    "a number that no op computes": (
        lambda: (as_model(lambda x: x * np.allclose(x.data, 0)), X),
        {},
        ValueError,
        "got np.allclose of values that .*; compute with the Tensor itself, by operators",
    ),
    "a function without a counterpart": (
        lambda: (as_model(lambda x: x * x.argsort()), X),
        {},
        ValueError,
        "to_onnx: argument model: .*got argsort; compute argsort outside of the model",
    ),
    "arithmetic of booleans": (
        lambda: (as_model(lambda x: x * ((x > 0) + (x < -1))), X),
        {},
        ValueError,
        "argument dtype of add: expected numbers, got booleans; convert",
    ),
    "an index by a mask of an input": (
        lambda: (as_model(lambda x: x[x > 0].sum() * x), X),
        {},
        ValueError,
        "argument index of getitem: expected the same in every run, got bool .4, 2, 3., .*mask",
    ),
    "an index of an array beside an integer": (
        lambda: (as_model(lambda x: x[np.array([0, 1]), 0]), X),
        {},
        ValueError,
        "argument index of getitem: expected slices, None, Ellipsis, and either integers or one",
    ),
    "an index of an array beside an array without axes": (
        lambda: (as_model(lambda x: x[np.array(0), :, np.array([0, 1])]), X),
        {},
        ValueError,
        "argument index of getitem: expected slices, None, Ellipsis, and either integers or one",
    ),
    "a number from the length": (
        lambda: (as_model(lambda x: x.sum(axis=0) / len(x)), X),
        {},
        ValueError,
        "to_onnx: argument input 1 of divide: .* not recorded, 4 and then 6; .* without len, shape",
    ),
    "an input that has no use": (
        lambda: (as_model(lambda x: tg.Tensor([1.0]) * len(x.shape)), X),
        {},
        ValueError,
        "example_input .0.: expected an input that reaches the output",
    ),
    "an index from the length": (
        lambda: (as_model(lambda x: x[len(x) - 1]), X),
        {},
        ValueError,
        "argument index of getitem: .*3 and then 5",
    ),
    "an index by a mask": (
        lambda: (as_model(lambda x: x[..., np.array([True, False, True])]), X),
        {},
        ValueError,
        "argument index of getitem",
    ),
    "a variance with ddof": (
        lambda: (as_model(lambda x: tg.var(x, ddof=1)), X),
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
        lambda: (as_model(lambda x: tg.tanh(x) if x.data[0, 0, 0] == X[0, 0, 0] else tg.exp(x)), X),
        {},
        ValueError,
        r"got bool\(\) of values that depend on an input; select values with tg.where",
    ),
    "a branch on the size": (
        lambda: (as_model(lambda x: tg.tanh(x) if len(x) == 4 else tg.exp(x)), X),
        {},
        ValueError,
        "to_onnx: argument model: expected the same calls",
    ),
    "a branch that picks": (
        lambda: (
            as_model(
                lambda x: (lambda a, b: (a + b, -(a if len(x) == 4 else b)))(tg.exp(x), tg.exp(x))
            ),
            X,
        ),
        {},
        ValueError,
        "to_onnx: argument negative: expected the same inputs",
    ),
    "a fixed length": (
        lambda: (as_model(lambda x: x + X[:, :1]), X),
        {},
        ValueError,
        "to_onnx: argument model: .*ValueError: add:.*axes=",
    ),
    "an output that is no Tensor": (
        lambda: (as_model(lambda x: (x, x.argmax(axis=-1))), X),
        {},
        TypeError,
        "to_onnx: argument model: expected Tensors as outputs, got int64",
    ),
    "zoneout": (
        lambda: (nn.GRU(3, 2, zoneout=0.1, rng=0).eval(), X),
        {},
        ValueError,
        "argument zoneout of GRU: expected 0, got 0.1",
    ),
    "an empty example": (
        lambda: (as_model(tg.tanh), X[:0]),
        {},
        ValueError,
        "to_onnx: argument example_input",
    ),
    "a layer in float64": (
        lambda: (nn.GRU(3, 2, rng=0).astype(np.float64).eval(), X.astype(np.float64)),
        {},
        ValueError,
        r"to_onnx: argument dtype of GRU: expected float32 or float16, got float64; "
        r".*model.astype\(np.float32\)",
    ),
    "lengths as an array": (
        lambda: after_gru(
            lambda h, lengths: h.sum(axis=0) / np.asarray(lengths, np.float32)[:, None]
        ),
        {"lengths": [4, 2]},
        TypeError,
        r"to_onnx: argument model: expected a model that computes with ops .* "
        r"got np.asarray.* convert its dtype with x.astype\(dtype\)",
    ),
    "a model that does not run": (
        lambda: (as_model(lambda x: tg.tanh("a")), X),
        {},
        TypeError,
        "^tanh: argument a: expected a rectangular array of real numbers",
    ),
    "the step of each length": (
        lambda: after_gru(lambda h, lengths: h[lengths - 1, np.arange(h.shape[1])]),
        {"lengths": [4, 2]},
        ValueError,
        "to_onnx: argument index of getitem: .*"
        "the last state of each sequence is the state that a recurrent layer returns",
    ),
    "axes of another input": (
        lambda: (as_model(tg.tanh), X),
        {"axes": {"y": ("batch",)}},
        ValueError,
        "to_onnx: argument axes: .*'y'",
    ),
    "axes of another number": (
        lambda: (as_model(tg.tanh), X),
        {"axes": {"x": ("batch",)}},
        ValueError,
        "to_onnx: argument axes",
    ),
    "axes that disagree": (
        lambda: (nn.GRU(3, 2, rng=0).eval(), (X, floats(1, 2, 2))),
        {"axes": {"state": ("batch", "batch", None)}},
        ValueError,
        "to_onnx: argument state: expected size 2 for batch",
    ),
    "lengths for a model without lengths": (
        lambda: (nn.Linear(3, 2).eval(), X),
        {"lengths": [1, 2]},
        TypeError,
        "to_onnx: argument example_input: .*lengths",
    ),
}


@pytest.mark.parametrize(("build", "settings", "error", "message"), WRONG.values(), ids=WRONG)
def test_a_model_that_cannot_be_exported_raises_an_error_that_says_why(
    tmp_path, build, settings, error, message
):
    model, example = build()
    with pytest.raises(error, match=message):
        interop.to_onnx(model, example, tmp_path / "x.onnx", **settings)
    assert not list(tmp_path.iterdir())


def test_an_export_without_a_path_raises_type_error():
    with pytest.raises(
        TypeError, match="to_onnx: argument path: expected the name of a file, got NoneType None"
    ):
        interop.to_onnx(nn.GRU(3, 2).eval(), X, None)


def test_an_export_without_onnx_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"to_onnx: .*pip install 'tinygrad_rnn\[onnx\]'"):
        interop.to_onnx(nn.GRU(3, 2).eval(), X, tmp_path / "x.onnx")


def test_squeeze_must_find_the_same_axes_in_every_run(tmp_path):
    model = FunctionModel(lambda x: x.squeeze())
    _, session, axes = export(
        model, floats(4, 1, 3), tmp_path / "x.onnx", axes={"x": ("batch", None, None)}
    )
    assert_agree(session, axes, model, (floats(7, 1, 3, seed=1),))
    with pytest.raises(ValueError, match="name the axis"):
        interop.to_onnx(
            model, floats(1, 2, 3), tmp_path / "y.onnx", axes={"x": ("batch", None, None)}
        )
