"""Support for tests of exported models: models, numbers, and runs by onnxruntime."""

import numpy as np
import onnx
import onnxruntime
from internals import tree

import tinygrad_rnn as tg
from tinygrad_rnn import interop, nn


class FunctionModel(nn.Module):
    """A function as a model, with its weights and the modules that it calls."""

    def __init__(self, function, *weights, modules=()):
        super().__init__()
        self.called = modules
        self.function = function
        for i, weight in enumerate(weights):
            setattr(self, f"weight_{i}", tg.Tensor(weight, requires_grad=True))

    def forward(self, x):
        return self.function(x, *[p for name, p in vars(self).items() if "weight_" in name])


def floats(*shape, seed=0):
    """Return random float32 numbers of this shape."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def export(model, example, path, **settings):
    """Return the model in the exported file, a session that runs it, and the axes of its inputs."""
    axes = interop.to_onnx(model.eval(), example, path, **settings)
    whole = onnx.load(path)
    onnx.checker.check_model(whole, full_check=True)
    session = onnxruntime.InferenceSession(path)
    assert [value.name for value in session.get_inputs()] == list(axes)
    return whole, session, axes


def as_tensor(x):
    """Return an array as a Tensor; None, for an omitted argument, stays None."""
    return None if x is None else tg.Tensor(x)


def assert_agree(session, axes, model, args, **kwargs):
    """Assert that the file and the model give the same outputs on these inputs."""
    feeds = dict(zip(axes, tree.leaves((args, kwargs)), strict=True))
    theirs, ours = (
        session.run(None, feeds),
        tree.leaves(model(*tree.map(as_tensor, args), **kwargs)),
    )
    assert len(theirs) == len(ours)
    for a, b in zip(theirs, ours, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b.data, rtol=1e-5, atol=1e-5)


def state_of(layer, *batch, seed=1):
    """Return a random initial state for a recurrent layer."""
    shape = (layer.num_layers * layer.directions, *batch, layer.hidden_size)
    return (
        (floats(*shape, seed=seed), floats(*shape, seed=seed + 1))
        if isinstance(layer, nn.LSTM)
        else floats(*shape, seed=seed)
    )
