"""Wrong calls: each is refused with an error that names the operation and the argument. None returns a number."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim, text

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
    "steps as a number": (lambda: tg.graph(loss(), steps=3), ValueError, "graph: argument steps: .* got 3"),
    "unknown direction": (lambda: tg.graph(loss(), direction="left"), ValueError, "graph: argument direction: .* got 'left'"),
    "highlight a number": (lambda: tg.graph(loss(), highlight=5), ValueError, "graph: argument highlight: .* got int 5"),
    "schedule of a number": (lambda: optim.StepLR(5, 1), TypeError, "StepLR: argument optimizer: .* got int 5"),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_call_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
