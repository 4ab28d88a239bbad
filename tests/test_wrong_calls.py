"""Wrong calls: each is refused with an error that names the operation and the argument. None returns a number."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim, text
from tinygrad_rnn.op import registry

X = np.arange(6.0, dtype=np.float32).reshape(3, 2)
VOCAB = text.CharVocab("ab")


def alternate(x, state):
    """A model that writes the other character."""
    return tg.Tensor(10 * np.eye(2, dtype=np.float32)[1 - x]), state


def echo(x, h):
    """A cell whose output is its state."""
    return h, h


def loss():
    """A loss with a graph."""
    return nn.GRU(2, 2, rng=0)(X)[0].sum()


def weight():
    """A parameter."""
    return tg.Tensor(np.ones(3), requires_grad=True)


def adam():
    """An optimizer that has not stepped yet."""
    return optim.Adam([weight()])


def stepped(optimizer):
    """The optimizer after one step."""
    for p in optimizer.params:
        p.grad = np.ones_like(p.data)
    optimizer.step()
    return optimizer


def backward_onto(grad):
    """Add a gradient to another that somebody put there."""
    w = weight()
    w.grad = grad
    (w * w).sum().backward()


def through(flow):
    """Go backward through a rule that gives `flow`."""

    @tg.op("shrunk({a})")
    def shrunk(a):
        return a / 2

    del registry["shrunk"]
    shrunk.vjps(a=lambda g, y, a: flow)
    shrunk(weight()).sum().backward()


def define(formula):
    """Define an op with this formula."""

    @tg.op(formula)
    def halved(a):
        return a / 2


REFUSED = {
    "scope of a float": (lambda: tg.scope(1.5), TypeError, r"scope: argument parts\[0\]: .* got 1.5"),
    "scope of None": (lambda: tg.scope("gru", None), TypeError, r"scope: argument parts\[1\]: .* got None"),
    "scope of a bool": (lambda: tg.scope(True), TypeError, r"scope: argument parts\[0\]: .* got True"),
    "unknown default dtype": (lambda: tg.set_default_dtype("foo"), TypeError, "set_default_dtype: argument dtype: .* got str 'foo'"),
    "unknown dtype": (lambda: tg.Tensor(X, dtype="foo"), TypeError, "Tensor: argument dtype: .* got str 'foo'"),
    "astype of an unknown dtype": (lambda: tg.Tensor(X).astype("foo"), TypeError, "astype: argument dtype: .* got str 'foo'"),
    "module to an unknown dtype": (lambda: nn.Linear(2, 1).astype("foo"), TypeError, "astype: argument dtype: .* got str 'foo'"),
    "formula with an unknown name": (lambda: define("half({b})"), ValueError, r"op halved: argument formula: .*\{a\}.* got 'half\({b}\)'"),
    "formula with an open brace": (lambda: define("half({a"), ValueError, "op halved: argument formula"),
    "formula with a bare pair": (lambda: define("half({})"), ValueError, "op halved: argument formula"),
    "scan of a number": (lambda: tg.scan(echo, 3.0, tg.Tensor(0.0)), ValueError, "scan: argument inputs: .* got float 3.0"),
    "scan of a 0-d Tensor": (
        lambda: tg.scan(echo, tg.Tensor(3.0), tg.Tensor(0.0)),
        ValueError,
        r"scan: argument inputs: .* got float32 \(\)",
    ),
    "scan of a tuple of numbers": (lambda: tg.scan(echo, (3.0,), tg.Tensor(0.0)), ValueError, "scan: argument inputs"),
    "layer's rng of text": (lambda: nn.GRU(2, 3, rng="a"), TypeError, r"generator: argument rng \(a seed\): .* got str 'a'"),
    "layer's rng of a float": (lambda: nn.GRU(2, 3, rng=1.5), TypeError, r"generator: argument rng \(a seed\): .* got float 1.5"),
    "negative seed": (lambda: nn.GRU(2, 3, rng=-1), ValueError, r"generator: argument rng \(a seed\): .* got -1"),
    "output and state together": (
        lambda: nn.Sequential(nn.GRU(2, 3), nn.Linear(3, 2))(tg.Tensor(X)),
        TypeError,
        r"Linear: argument x: expected one Tensor, got a tuple of 2; a recurrent layer returns \(output, state\)",
    ),
    "clip what is no Tensor": (lambda: nn.clip_grad_norm_([5], 1.0), TypeError, r"clip_grad_norm_: argument parameters\[0\]: .* got int 5"),
    "clip values of no Tensor": (lambda: nn.clip_grad_value_([X], 1.0), TypeError, r"clip_grad_value_: argument parameters\[0\]"),
    "load a number": (lambda: tg.load(5), TypeError, "load: argument path: .* got int 5"),
    "save a number": (lambda: tg.save(5, "weights.safetensors"), TypeError, "save: argument state: .* got int 5"),
    "vocabulary of bytes": (lambda: text.CharVocab(b"ab"), TypeError, "CharVocab: argument characters: .* got bytes b'ab'"),
    "vocabulary of a number": (lambda: text.CharVocab(5), TypeError, "CharVocab: argument characters: .* got int 5"),
    "encode a number": (lambda: VOCAB.encode(5), TypeError, "CharVocab.encode: argument text: .* got int 5"),
    "encode bytes": (lambda: VOCAB.encode(b"ab"), TypeError, "CharVocab.encode: argument text: .* got bytes"),
    "one-hot of half a class": (lambda: text.one_hot([1], 2.5), TypeError, "one_hot: argument classes: .* got float 2.5"),
    "columns of half a stream": (lambda: text.columns([0, 1, 2], 1.5), TypeError, "columns: argument batch_size: .* got float 1.5"),
    "columns of no stream": (lambda: text.columns([0, 1, 2], 0), ValueError, "columns: argument batch_size: .* got 0"),
    "columns of text": (lambda: text.columns("abc", 1), ValueError, r"columns: argument indices: .* use vocab.encode\(text\)"),
    "batches of half a step": (lambda: list(text.batches([0, 1, 2], 1, 1.5)), TypeError, "batches: argument steps: .* got float 1.5"),
    "batches from before the start": (
        lambda: list(text.batches([0, 1, 2], 1, 1, start=-1)),
        ValueError,
        "batches: argument start: .* got -1",
    ),
    "windows of no steps": (lambda: text.bptt(alternate, [0, 1, 0], 1, 0), ValueError, "text.bptt: argument k1: .* got 0"),
    "windows of no model": (lambda: text.bptt(3, [0, 1, 0], 1, 2), TypeError, "text.bptt: argument model: .* got int 3"),
    "windows of too little text": (lambda: text.bptt(alternate, [0], 1, 2), ValueError, "columns: argument batch_size"),
    "windows of a model without a state": (
        lambda: next(text.bptt(lambda x, state: alternate(x, state)[0], [0, 1, 0], 1, 2)),
        TypeError,
        r"text.bptt: argument model: expected a function that returns \(logits, state\), got float32 \(2, 1, 2\)",
    ),
    "windows of half a step": (
        lambda: text.bptt(alternate, [0, 1, 0], 1, 2, 1.5),
        TypeError,
        "text.bptt: argument k2: .* got float 1.5",
    ),
    "sample among half a character": (lambda: text.sample(alternate, VOCAB, "a", 3, top_k=1.5), TypeError, "sample: argument top_k"),
    "sample among none": (lambda: text.sample(alternate, VOCAB, "a", 3, top_k=0), ValueError, "sample: argument top_k: .* got 0"),
    "sample at a temperature of text": (
        lambda: text.sample(alternate, VOCAB, "a", 3, temperature="hot"),
        TypeError,
        "sample: argument temperature: .* got str 'hot'",
    ),
    "sample half a character": (lambda: text.sample(alternate, VOCAB, "a", 1.5), TypeError, "sample: argument length: .* got float 1.5"),
    "sample after a number": (lambda: text.sample(alternate, VOCAB, 5, 3), TypeError, "CharVocab.encode: argument text: .* got int 5"),
    "theme of a list": (lambda: tg.graph(loss(), theme=[]), ValueError, r"graph: argument theme: .* got \[\]"),
    "show a number": (lambda: tg.graph(loss(), show=5), TypeError, "graph: argument show: .* got int 5"),
    "show nothing": (lambda: tg.graph(loss(), show=None), TypeError, "graph: argument show: .* got NoneType None"),
    "show what is not known": (lambda: tg.graph(loss(), show="weights"), ValueError, "graph: argument show: .* got 'weights'"),
    "fold at half a depth": (lambda: tg.graph(loss(), fold=1.5), TypeError, "graph: argument fold: .* got float 1.5"),
    "fold at no depth": (lambda: tg.graph(loss(), fold=0), ValueError, "graph: argument fold: .* got 0"),
    "show in nested lists": (lambda: tg.graph(loss(), show=[["value"]]), ValueError, r"graph: argument show: .* got \[\['value'\]\]"),
    "fold at depth True": (lambda: tg.graph(loss(), fold=True), TypeError, "graph: argument fold: .* got bool True"),
    "fold at no name": (lambda: tg.graph(loss(), fold=["gru", None]), TypeError, "graph: argument fold: .* got NoneType None"),
    "fold on a path that is not there": (
        lambda: tg.graph(loss(), fold="gru / layer 1"),
        ValueError,
        "graph: argument fold: .* got 'gru / ",
    ),
    "roll of text": (lambda: tg.graph(loss(), roll="no"), TypeError, "graph: argument roll: expected True or False, got str 'no'"),
    "roll of a number": (lambda: tg.graph(loss(), roll=1), TypeError, "graph: argument roll: .* got int 1"),
    "roll and steps together": (
        lambda: tg.graph(loss(), roll=True, steps="last:1"),
        ValueError,
        "graph: argument steps: .* got 'last:1'; ",
    ),
    "steps without a number": (lambda: tg.graph(loss(), steps="first"), ValueError, "graph: argument steps: .* got 'first'; name first"),
    "parameters as a list": (lambda: tg.graph(loss(), parameters=["hide"]), ValueError, r"graph: argument parameters: .* got \['hide'\]"),
    "steps as a number": (lambda: tg.graph(loss(), steps=3), ValueError, "graph: argument steps: .* got 3"),
    "unknown direction": (lambda: tg.graph(loss(), direction="left"), ValueError, "graph: argument direction: .* got 'left'"),
    "highlight a number": (lambda: tg.graph(loss(), highlight=5), ValueError, "graph: argument highlight: .* got int 5"),
    "array over a parameter": (
        lambda: setattr(nn.Linear(2, 2), "weight", np.ones((2, 2), np.float32)),
        TypeError,
        r"Linear: argument weight: .* got float32 \(2, 2\)",
    ),
    "array over a layer's parameter": (lambda: setattr(nn.GRU(2, 2), "weight_hh_l0", X), TypeError, "GRUCell: argument weight_hh"),
    "modules in nested lists": (lambda: setattr(nn.Module(), "rows", [[nn.Linear(2, 2)]]), TypeError, "Module: argument rows"),
    "modules in a dict of lists": (lambda: setattr(nn.Module(), "rows", {"a": [nn.Linear(2, 2)]}), TypeError, "Module: argument rows"),
    "state dict of a list": (
        lambda: nn.Linear(2, 2).load_state_dict([1]),
        TypeError,
        "Linear.load_state_dict: argument state: .* got list",
    ),
    "optimizer's state of nothing": (lambda: adam().load_state_dict(None), TypeError, "Adam.load_state_dict: argument state"),
    "state of another optimizer": (
        lambda: adam().load_state_dict(stepped(optim.SGD([weight()], 0.1, 0.9)).state_dict()),
        ValueError,
        "Adam.load_state_dict: argument state: .* unexpected 0.velocity",
    ),
    "optimizer's state without a part": (
        lambda: adam().load_state_dict({k: v for k, v in stepped(adam()).state_dict().items() if k != "0.square"}),
        ValueError,
        "Adam.load_state_dict: argument state: .* missing 0.square",
    ),
    "optimizer's learning rate of nan": (
        lambda: adam().load_state_dict({**adam().state_dict(), "lr": np.array(np.nan)}),
        ValueError,
        "Adam.load_state_dict: argument lr: .* got nan",
    ),
    "optimizer's steps below zero": (
        lambda: adam().load_state_dict({**adam().state_dict(), "steps": np.array(-3)}),
        ValueError,
        "Adam.load_state_dict: argument steps: .* got -3",
    ),
    "dropout of integers": (lambda: nn.Dropout(0.3)(tg.Tensor([10, 10])), TypeError, "dropout: argument x: .* got int64"),
    "weight that enlarges a loss": (
        lambda: nn.functional.binary_cross_entropy_with_logits(X, X / 6, weight=np.ones((4, 3, 2))),
        ValueError,
        "binary_cross_entropy_with_logits: argument weight",
    ),
    "array of a class of its own": (
        lambda: tg.Tensor(X) * X.view(type("matrix", (np.ndarray,), {"mask": None})),
        TypeError,
        "multiply: argument b: .* got a matrix",
    ),
    "masked array as a factor": (
        lambda: tg.Tensor(X) * np.ma.array(X, mask=X > 2),
        TypeError,
        "multiply: argument b: .* got a MaskedArray",
    ),
    "Tensor of a masked array": (lambda: tg.Tensor(np.ma.array(X, mask=X > 2)), TypeError, "Tensor: argument data: .* masked"),
    "clip to no norm": (lambda: nn.clip_grad_norm_([weight()], 1.0, norm_type=0), ValueError, "clip_grad_norm_: argument norm_type"),
    "clip to a norm of text": (lambda: nn.clip_grad_norm_([weight()], "a"), ValueError, "clip_grad_norm_: argument max_norm"),
    "number that no float holds": (lambda: tg.Tensor(X) * 10**400, OverflowError, "multiply: int too large"),
    "number that the dtype does not hold": (lambda: tg.Tensor(np.ones(2, np.uint8)) + 300, OverflowError, "add: Python integer 300"),
    "gradient of another shape": (lambda: backward_onto(np.ones((3, 1))), ValueError, r"backward: argument .* got float64 \(3, 1\)"),
    "rule that gives nothing": (lambda: through(None), TypeError, "backward: argument rule of shrunk: .* got NoneType None"),
    "rule that gives a number": (lambda: through(0.5), TypeError, "backward: argument rule of shrunk: .* got float 0.5"),
    "sample from nan": (
        lambda: text.sample(lambda x, state: (np.full((1, 1, 2), np.nan), state), VOCAB, "a", 3, temperature=0),
        ValueError,
        "sample: argument model: .* got nan or inf",
    ),
    "a NumPy keyword that is not known": (
        lambda: np.einsum("ij,ij->", tg.Tensor(X), X, optimize=True),
        TypeError,
        "np.einsum: argument optimize=",
    ),
    "schedule of a number": (lambda: optim.StepLR(5, 1), TypeError, "StepLR: argument optimizer: .* got int 5"),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_call_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
