"""Wrong calls: each is refused with an error that names the operation and the argument. None returns a number."""

import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn import text
from tinygrad_rnn.app.cli import main
from tinygrad_rnn.nn import functional as F
from tinygrad_rnn.nn import init
from tinygrad_rnn.op import registry

X = np.arange(6.0, dtype=np.float32).reshape(3, 2)
SEQUENCE = np.ones((4, 3, 2), np.float32)
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


def used():
    """A loss whose graph a backward pass went through."""
    gone = loss()
    gone.backward()
    return gone


def diverged():
    """A parameter whose gradient is nan."""
    w = weight()
    w.grad = np.full(3, np.nan)
    return w


def weight():
    """A parameter."""
    return tg.Tensor(np.ones(3), requires_grad=True)


def leaf(*shape):
    """A leaf of ones of this shape."""
    return tg.Tensor(np.ones(shape, np.float32), requires_grad=True)


def linear_state(**others):
    """The state dict of an affine map, with other entries."""
    return {**nn.Linear(2, 2, rng=0).state_dict(), **others}


def sgd():
    """An optimizer without memory."""
    return optim.SGD([weight()], 0.1)


def with_gradient(gradient=None, **settings):
    """Step once with this gradient, after settings were changed."""
    with_settings(sgd(), gradient, **settings)


def with_settings(optimizer, gradient=None, **settings):
    """Step an optimizer once with this gradient, after settings were changed."""
    optimizer.params[0].grad = np.ones(3) if gradient is None else gradient
    for name, value in settings.items():
        setattr(optimizer, name, value)
    optimizer.step()


def with_gradients(*gradients):
    """Parameters with these gradients."""
    found = [weight() for _ in gradients]
    for p, g in zip(found, gradients, strict=True):
        p.grad = g
    return found


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


AREAS = {
    "layers": {
        "layer's rng of text": (lambda: nn.GRU(2, 3, rng="a"), TypeError, r"generator: argument rng \(a seed\): .* got str 'a'"),
        "layer's rng of a float": (lambda: nn.GRU(2, 3, rng=1.5), TypeError, r"generator: argument rng \(a seed\): .* got float 1.5"),
        "negative seed": (lambda: nn.GRU(2, 3, rng=-1), ValueError, r"generator: argument rng \(a seed\): .* got -1"),
        "output and state together": (
            lambda: nn.Sequential(nn.GRU(2, 3), nn.Linear(3, 2))(tg.Tensor(X)),
            TypeError,
            r"Linear: argument x: expected one Tensor, got a tuple of 2; a recurrent layer returns \(output, state\)",
        ),
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
        "dropout of integers": (lambda: nn.Dropout(0.3)(tg.Tensor([10, 10])), TypeError, "dropout: argument x: .* got int64"),
        "an input of other features": (lambda: nn.Linear(3, 2)(X), ValueError, r"Linear: argument x: .* got float32 \(3, 2\)"),
        "integers into an affine map": (lambda: nn.Linear(2, 2)([[1, 2]]), TypeError, r"Linear: argument x: .* got int64 \(1, 2\)"),
        "float64 into float32 weights": (
            lambda: nn.Linear(2, 2)(X.astype(float)),
            TypeError,
            r"Linear: argument x: .* got float64 \(3, 2\)",
        ),
        "a bias of text": (lambda: nn.Linear(2, 2, bias="no"), TypeError, "Linear: argument bias: .* got str 'no'"),
        "a number into an affine map": (lambda: nn.Linear(2, 2)(tg.Tensor(1.0)), ValueError, r"Linear: argument x: .* got float32 \(\)"),
        "one-hot rows where indices are expected": (
            lambda: nn.Embedding(3, 2)(np.eye(3)),
            TypeError,
            r"Embedding: argument index: .* got float64 \(3, 3\)",
        ),
        "an index below 0": (lambda: nn.Embedding(3, 2)([-1]), ValueError, r"Embedding: argument index: .* got -1 at position \(0,\)"),
        "an index that is no row": (lambda: nn.Embedding(3, 2)([3]), ValueError, r"Embedding: argument index: .* got 3 at position \(0,\)"),
        "indices of different lengths": (
            lambda: nn.Embedding(3, 2)([[0], [0, 1]]),
            TypeError,
            r"Embedding: argument index: .* got list \[\[0\], \[0, 1\]\]",
        ),
        "a probability above 1": (lambda: nn.Dropout(1.5), ValueError, r"Dropout: argument p: .* got 1\.5"),
        "a probability that is no number": (lambda: nn.Dropout(False), TypeError, "Dropout: argument p: .* got bool False"),
        "training of text": (lambda: F.dropout(X, 0.5, training="no"), TypeError, "dropout: argument training: .* got str 'no'"),
        "a normalised shape of other sizes": (lambda: nn.LayerNorm(3)(X), ValueError, r"LayerNorm: argument x: .* got float32 \(3, 2\)"),
        "no axis to normalise": (lambda: nn.LayerNorm(()), ValueError, "LayerNorm: argument normalized_shape: .* got none"),
        "eps below 0": (lambda: nn.LayerNorm(2, eps=-1), ValueError, "LayerNorm: argument eps: .* got -1"),
        "a list of layers in place of layers": (
            lambda: nn.Sequential([nn.Linear(2, 2)]),
            TypeError,
            r"Sequential: argument steps\[0\]: .* got list \[Linear\(2, 2\)\]",
        ),
        "a step that is not there": (lambda: nn.Sequential(nn.Linear(2, 2))[3], IndexError, "Sequential: argument i: .* got int 3"),
        "a layer in place of a list of them": (
            lambda: nn.ModuleList(nn.Linear(2, 2)),
            TypeError,
            r"ModuleList: argument modules: .* got Linear Linear\(2, 2\)",
        ),
        "a layer that is not there": (
            lambda: nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])[2],
            IndexError,
            "ModuleList: argument i: expected an integer from -2 to 1, got int 2",
        ),
        "a number into a layer": (lambda: nn.Linear(2, 2)(np.float32(1)), ValueError, r"Linear: argument x: .* got float32 \(\)"),
        "outputs below none": (
            lambda: nn.Linear(2, -1),
            ValueError,
            "Linear: argument out_features: expected an integer, at least 0, got -1",
        ),
        "a layer before the first": (
            lambda: nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])[-3],
            IndexError,
            "ModuleList: argument i: expected an integer from -2 to 1, got int -3",
        ),
        "a state dict without anything": (
            lambda: nn.Linear(2, 2).load_state_dict({}),
            ValueError,
            r"Linear\.load_state_dict: argument state: .* got missing weight \(2, 2\)",
        ),
        "a name that is not known": (
            lambda: nn.Linear(2, 2).load_state_dict(linear_state(other=X)),
            ValueError,
            r"Linear\.load_state_dict: argument state: .* got unexpected other",
        ),
        "a parameter of another shape": (
            lambda: nn.Linear(2, 2).load_state_dict(linear_state(bias=np.ones((2, 1), np.float32))),
            ValueError,
            r"Linear\.load_state_dict: argument state: .* got bias expected float32 \(2,\), go",
        ),
        "a parameter of another dtype": (
            lambda: nn.Linear(2, 2).load_state_dict(linear_state(bias=np.ones(2))),
            ValueError,
            r"Linear\.load_state_dict: argument state: .* got bias expected float32 \(2,\), got float64 \(2,\)",
        ),
        "a parameter that is None": (
            lambda: nn.Linear(2, 2).load_state_dict(linear_state(bias=None)),
            TypeError,
            r"Linear\.load_state_dict: argument bias: .* got NoneType None",
        ),
        "a parameter of rows of different lengths": (
            lambda: nn.Linear(2, 2).load_state_dict(linear_state(bias=[[1], [1, 2]])),
            TypeError,
            r"Linear\.load_state_dict: argument bias: .* got list \[\[1\], \[1, 2\]\]",
        ),
        "a mode of text": (lambda: nn.Linear(2, 2).train("no"), TypeError, "train: argument mode: .* got str 'no'"),
        "no hidden unit": (lambda: nn.GRU(2, 0), ValueError, "GRUCell: argument hidden_size: .* got 0"),
        "hidden units that are no integer": (lambda: nn.GRU(2, 2.0), TypeError, r"GRUCell: argument hidden_size: .* got float 2\.0"),
        "True hidden units": (lambda: nn.GRU(2, True), TypeError, "GRUCell: argument hidden_size: .* got bool True"),
        "no layer": (lambda: nn.GRU(2, 2, 0), ValueError, "GRU: argument num_layers: .* got 0"),
        "dropout above 1": (lambda: nn.GRU(2, 2, 2, dropout=1.5), ValueError, r"GRU: argument dropout: .* got 1\.5"),
        "zoneout below 0": (lambda: nn.GRU(2, 2, zoneout=-0.1), ValueError, r"GRU: argument zoneout: .* got -0\.1"),
        "a form that is not known": (lambda: nn.GRU(2, 2, reset="never"), ValueError, "GRUCell: argument reset: .* got 'never'"),
        "a nonlinearity that is not known": (
            lambda: nn.RNN(2, 2, nonlinearity="sigmoid"),
            ValueError,
            "RNNCell: argument nonlinearity: .* got 'sigmoid'",
        ),
        "bidirectional of text": (lambda: nn.GRU(2, 2, bidirectional="no"), TypeError, "GRU: argument bidirectional: .* got str 'no'"),
        "batch_first of text": (lambda: nn.GRU(2, 2, batch_first="no"), TypeError, "GRU: argument batch_first: .* got str 'no'"),
        "a sequence with four axes": (
            lambda: nn.GRU(2, 2)(np.ones((1, 2, 3, 2), np.float32)),
            ValueError,
            r"GRU: argument x: .* got float32 \(1, 2, 3, 2\)",
        ),
        "a sequence with one axis": (lambda: nn.GRU(2, 2)(np.ones(2, np.float32)), ValueError, r"GRU: argument x: .* got float32 \(2,\)"),
        "symbols where vectors are expected": (
            lambda: nn.GRU(2, 2)(np.ones((3, 2), int)),
            TypeError,
            r"GRU: argument x: .* got int64 \(3, 2\)",
        ),
        "float64 into a float32 layer": (lambda: nn.GRU(2, 2)(np.ones((3, 2))), TypeError, r"GRU: argument x: .* got float64 \(3, 2\)"),
        "a sequence of other features": (lambda: nn.GRU(3, 2)(SEQUENCE), ValueError, r"GRU: argument x: .* got float32 \(4, 3, 2\)"),
        "a sequence without steps": (lambda: nn.GRU(2, 2)(SEQUENCE[:0]), ValueError, r"GRU: argument x: .* got float32 \(0, 3, 2\)"),
        "a state of another batch": (
            lambda: nn.GRU(2, 2)(SEQUENCE, np.zeros((1, 4, 2), np.float32)),
            ValueError,
            r"GRU: argument state: .* got float32 \(1, 4, 2\)",
        ),
        "a state without the axis of layers": (
            lambda: nn.GRU(2, 2)(SEQUENCE, np.zeros((3, 2), np.float32)),
            ValueError,
            r"GRU: argument state: .* got float32 \(3, 2\)",
        ),
        "a state of fewer layers": (
            lambda: nn.GRU(2, 2, 2)(SEQUENCE, np.zeros((1, 3, 2), np.float32)),
            ValueError,
            r"GRU: argument state: .* got float32 \(1, 3, 2\)",
        ),
        "a state of another dtype": (
            lambda: nn.GRU(2, 2)(SEQUENCE, np.zeros((1, 3, 2))),
            TypeError,
            r"GRU: argument state: .* got float64 \(1, 3, 2\)",
        ),
        "a number in place of a state": (lambda: nn.GRU(2, 2)(SEQUENCE, 0.0), ValueError, r"GRU: argument state: .* got float32 \(\)"),
        "one state where two are expected": (
            lambda: nn.LSTM(2, 2)(SEQUENCE, np.zeros((1, 3, 2), np.float32)),
            TypeError,
            r"LSTM: argument state: .* got float32 \(1, 3, 2\)",
        ),
        "h and c in one array": (
            lambda: nn.LSTM(2, 2)(SEQUENCE, np.zeros((2, 1, 3, 2), np.float32)),
            TypeError,
            r"LSTM: argument state: .* got float32 \(2, 1, 3, 2\)",
        ),
        "a length beyond the end": (
            lambda: nn.GRU(2, 2)(SEQUENCE, lengths=[5, 1, 1]),
            ValueError,
            "GRU: argument lengths: .* got 5 at position 0",
        ),
        "a length below 0": (
            lambda: nn.GRU(2, 2)(SEQUENCE, lengths=[-1, 1, 1]),
            ValueError,
            "GRU: argument lengths: .* got -1 at position 0",
        ),
        "lengths that are not whole": (
            lambda: nn.GRU(2, 2)(SEQUENCE, lengths=[1.0, 1, 1]),
            ValueError,
            r"GRU: argument lengths: .* got float64 \(3,\)",
        ),
        "fewer lengths than sequences": (
            lambda: nn.GRU(2, 2)(SEQUENCE, lengths=[1, 1]),
            ValueError,
            r"GRU: argument lengths: .* got int64 \(2,\)",
        ),
        "booleans as lengths": (
            lambda: nn.GRU(2, 2)(SEQUENCE, lengths=[True, True, False]),
            ValueError,
            r"GRU: argument lengths: .* got bool \(3,\)",
        ),
        "lengths of one sequence without a batch": (
            lambda: nn.GRU(2, 2)(X, lengths=[3]),
            ValueError,
            r"GRU: argument lengths: .* got int64 \(1,\)",
        ),
        "a mask in place of lengths": (
            lambda: nn.GRU(2, 2)(SEQUENCE, lengths=np.ones((4, 3), int)),
            ValueError,
            r"GRU: argument lengths: .* got int64 \(4, 3\)",
        ),
        "a cell in place of what makes one": (
            lambda: nn.Recurrent(nn.GRUCell(2, 2), 2),
            TypeError,
            r"Recurrent: argument cell: .* got GRUCell GRUCell\(2, 2, reset='after'\)",
        ),
        "a cell without a size": (
            lambda: nn.Recurrent(lambda s, r: echo, 2),
            TypeError,
            "Recurrent: argument hidden_size: .* got NoneType None",
        ),
        "a parameter of another size in its place": (
            lambda: setattr(nn.GRU(2, 2), "weight_hh_l0", leaf(2, 2)),
            ValueError,
            r"GRU: argument weight_hh_l0: .* got float32 \(2, 2\)",
        ),
    },
    "cells": {
        "a whole sequence into one step": (
            lambda: nn.GRUCell(2, 2)(SEQUENCE),
            ValueError,
            r"GRUCell: argument x: .* got float32 \(4, 3, 2\)",
        ),
        "a state of fewer sequences": (
            lambda: nn.GRUCell(2, 2)(X, np.zeros((2, 2), np.float32)),
            ValueError,
            r"GRUCell: argument state: .* got float32 \(2, 2\)",
        ),
        "features of another size": (lambda: nn.GRUCell(3, 2)(X), ValueError, r"GRUCell: argument x: .* got float32 \(3, 2\)"),
        "integers into a cell": (lambda: nn.GRUCell(2, 2)(X.astype(int)), TypeError, r"GRUCell: argument x: .* got int64 \(3, 2\)"),
        "a cell without units": (lambda: nn.LSTMCell(2, 0), ValueError, "LSTMCell: argument hidden_size: .* got 0"),
        "half a unit": (lambda: nn.RNNCell(2, 2.5), TypeError, r"RNNCell: argument hidden_size: .* got float 2\.5"),
        "features below none": (lambda: nn.RNNCell(-2, 2), ValueError, "RNNCell: argument input_size: .* got -2"),
        "h without c": (
            lambda: nn.LSTMCell(2, 2)(X, np.zeros((3, 2), np.float32)),
            TypeError,
            r"LSTMCell: argument state: .* got float32 \(3, 2\)",
        ),
    },
    "scan": {
        "scan of a number": (lambda: tg.scan(echo, 3.0, tg.Tensor(0.0)), ValueError, "scan: argument inputs: .* got float 3.0"),
        "scan of a 0-d Tensor": (
            lambda: tg.scan(echo, tg.Tensor(3.0), tg.Tensor(0.0)),
            ValueError,
            r"scan: argument inputs: .* got float32 \(\)",
        ),
        "scan of a tuple of numbers": (lambda: tg.scan(echo, (3.0,), tg.Tensor(0.0)), ValueError, "scan: argument inputs"),
        "no steps": (lambda: tg.scan(echo, SEQUENCE[:0], tg.Tensor(0.0)), ValueError, r"scan: argument inputs: .* got float32 \(0, 3, 2\)"),
        "no cell": (lambda: tg.scan(None, SEQUENCE, tg.Tensor(0.0)), TypeError, "scan: argument cell: .* got NoneType None"),
        "a cell that returns one thing": (
            lambda: tg.scan(lambda x, h: h, SEQUENCE, tg.Tensor(0.0)),
            TypeError,
            r"scan: argument cell: .* got float32 \(\)",
        ),
        "a cell that returns three things": (
            lambda: tg.scan(lambda x, h: (h, h, h), SEQUENCE, tg.Tensor(0.0)),
            TypeError,
            r"scan: argument cell: .* got tuple \(Tensor\(0\.\), Tensor\(0\.\), Tensor\(0\.\)\)",
        ),
        "a state that changes its shape": (
            lambda: tg.scan(lambda x, h: (h, x), SEQUENCE, tg.Tensor(0.0)),
            ValueError,
            r"scan: argument cell: .* got float32 \(3, 2\)",
        ),
        "a state that changes its dtype": (
            lambda: tg.scan(lambda x, h: (h, h.astype("float64")), SEQUENCE, tg.Tensor(0.0)),
            ValueError,
            r"scan: argument cell: .* got float64 \(\)",
        ),
        "a state that changes its structure": (
            lambda: tg.scan(lambda x, h: (h, (h, h)), SEQUENCE, tg.Tensor(0.0)),
            ValueError,
            r"scan: argument cell: .* got \(float32 \(\), float32 \(\)\)",
        ),
        "inputs of different lengths": (
            lambda: tg.scan(lambda x, h: (h, h), (SEQUENCE, SEQUENCE[:2]), tg.Tensor(0.0)),
            ValueError,
            r"scan: argument inputs: .* got float32 \(4, 3, 2\), float32 \(2, 3, 2\)",
        ),
        "an output of nothing": (
            lambda: tg.scan(lambda x, h: (None, h), SEQUENCE, tg.Tensor(0.0)),
            TypeError,
            "scan: argument cell: .* got NoneType None",
        ),
        "an output of text": (
            lambda: tg.scan(lambda x, h: ("a", h), SEQUENCE, tg.Tensor(0.0)),
            TypeError,
            "scan: argument cell: .* got str 'a'",
        ),
        "text as inputs": (lambda: tg.scan(echo, "abc", tg.Tensor(0.0)), ValueError, "scan: argument inputs: .* got str 'abc'"),
        "a dict as inputs": (
            lambda: tg.scan(echo, {"a": SEQUENCE}, tg.Tensor(0.0)),
            ValueError,
            r"scan: argument inputs: .* got dict \{'a': array\(\[\[\[1\., 1\.\],",
        ),
        "reverse of text": (
            lambda: tg.scan(echo, SEQUENCE, tg.Tensor(0.0), reverse="no"),
            TypeError,
            "scan: argument reverse: .* got str 'no'",
        ),
    },
    "losses": {
        "weight that enlarges a loss": (
            lambda: nn.functional.binary_cross_entropy_with_logits(X, X / 6, weight=np.ones((4, 3, 2))),
            ValueError,
            "binary_cross_entropy_with_logits: argument weight",
        ),
        "an integer above 1 as a probability": (
            lambda: F.binary_cross_entropy_with_logits(X, tg.Tensor(np.full((3, 2), 2))),
            ValueError,
            r"binary_cross_entropy_with_logits: argument target: expected probabilities, from 0 to 1, got 2.0 at position \(0, 0\)",
        ),
        "classes of fewer sequences": (
            lambda: F.cross_entropy(SEQUENCE, np.zeros((4, 2), int)),
            ValueError,
            r"cross_entropy: argument target: expected integers of shape \(4, 3\) or probabilities of shape \(4, 3, 2\), got",
        ),
        "labels of -1 and 1": (
            lambda: F.binary_cross_entropy_with_logits(np.ones(2), [1, -1]),
            ValueError,
            r"target: expected probabilities, from 0 to 1, got -1.0 at position \(1,\); write \(y \+ 1\) / 2 for labels of -1 and 1",
        ),
        "a number in place of logits": (
            lambda: F.cross_entropy(tg.Tensor(1.0), 0),
            ValueError,
            r"cross_entropy: argument logits: expected floats of shape \(..., classes\), of one class or more, got float32 \(\)",
        ),
        "a factor too many, for sequences": (
            lambda: F.cross_entropy(SEQUENCE, np.zeros((4, 3), int), weight=np.ones(3)),
            ValueError,
            r"cross_entropy: argument weight: expected one factor for each class, shape \(2,\), got float32 \(3,\)",
        ),
        "a class that is not there, for sequences": (
            lambda: F.nll_loss(-SEQUENCE, np.full((4, 3), 2)),
            ValueError,
            r"nll_loss: argument target: .* got 2 at position \(0, 0\)",
        ),
        "a class that is not there": (
            lambda: F.cross_entropy(X, [0, 1, 2]),
            ValueError,
            r"cross_entropy: argument target: .* got 2 at position \(2,\)",
        ),
        "a class below 0": (
            lambda: F.cross_entropy(X, [0, 1, -1]),
            ValueError,
            r"cross_entropy: argument target: .* got -1 at position \(2,\)",
        ),
        "targets in a column": (
            lambda: F.cross_entropy(X, [[0], [1], [1]]),
            ValueError,
            r"cross_entropy: argument target: .* got int64 \(3, 1\)",
        ),
        "one-hot integers as classes": (
            lambda: F.cross_entropy(X, np.eye(3, 2, dtype=int)),
            ValueError,
            r"cross_entropy: argument target: .* got int64 \(3, 2\)",
        ),
        "classes as floats": (
            lambda: F.cross_entropy(X, [0.0, 1.0, 1.0]),
            ValueError,
            r"cross_entropy: argument target: .* got float64 \(3,\)",
        ),
        "booleans as classes": (
            lambda: F.cross_entropy(X, [True, False, True]),
            TypeError,
            r"cross_entropy: argument target: .* got bool \(3,\)",
        ),
        "text as targets": (lambda: F.cross_entropy(X, "abc"), TypeError, "cross_entropy: argument target: .* got str 'abc'"),
        "integers as logits": (
            lambda: F.cross_entropy(X.astype(int), [0, 1, 1]),
            ValueError,
            r"cross_entropy: argument logits: .* got int64 \(3, 2\)",
        ),
        "targets and logits exchanged": (
            lambda: F.cross_entropy(np.array([0, 1, 1]), X),
            ValueError,
            r"cross_entropy: argument logits: .* got int64 \(3,\)",
        ),
        "half an index to ignore": (
            lambda: F.cross_entropy(X, [0, 1, 1], ignore_index=0.5),
            TypeError,
            r"cross_entropy: argument ignore_index: .* got float 0\.5",
        ),
        "True as the index to ignore": (
            lambda: F.cross_entropy(X, [0, 1, 1], ignore_index=True),
            TypeError,
            "cross_entropy: argument ignore_index: .* got bool True",
        ),
        "several indices to ignore": (
            lambda: F.cross_entropy(X, [0, 1, 1], ignore_index=[0]),
            TypeError,
            r"cross_entropy: argument ignore_index: .* got list \[0\]",
        ),
        "an index to ignore among probabilities": (
            lambda: F.cross_entropy(X, X, ignore_index=0),
            ValueError,
            "cross_entropy: argument ignore_index: .* got 0",
        ),
        "a mean over nothing": (
            lambda: F.cross_entropy(X, [1, 1, 1], ignore_index=1),
            ValueError,
            "cross_entropy: argument target: .* got none, of which no mean exists",
        ),
        "a mean over an empty batch": (
            lambda: F.cross_entropy(X[:0], np.zeros(0, int)),
            ValueError,
            "cross_entropy: argument target: .* got none, of which no mean exists",
        ),
        "a reduction that is not known": (
            lambda: F.cross_entropy(X, [0, 1, 1], reduction="avg"),
            ValueError,
            "cross_entropy: argument reduction: .* got 'avg'",
        ),
        "smoothing above 1": (
            lambda: F.cross_entropy(X, [0, 1, 1], label_smoothing=1.5),
            ValueError,
            r"cross_entropy: argument label_smoothing: .* got 1\.5",
        ),
        "smoothing of text": (
            lambda: F.cross_entropy(X, [0, 1, 1], label_smoothing="a"),
            TypeError,
            "cross_entropy: argument label_smoothing: .* got str 'a'",
        ),
        "smoothing of nan": (
            lambda: F.cross_entropy(X, [0, 1, 1], label_smoothing=float("nan")),
            ValueError,
            "cross_entropy: argument label_smoothing: .* got nan",
        ),
        "weights for another number of classes": (
            lambda: F.cross_entropy(X, [0, 1, 1], weight=[1.0, 2.0, 3.0]),
            ValueError,
            r"cross_entropy: argument weight: .* got float32 \(3,\)",
        ),
        "weights of text": (
            lambda: F.cross_entropy(X, [0, 1, 1], weight=["a", "b"]),
            TypeError,
            r"cross_entropy: argument weight: .* got list \['a', 'b'\]",
        ),
        "weights with gradients": (
            lambda: F.cross_entropy(X, [0, 1, 1], weight=leaf(2)),
            TypeError,
            r"cross_entropy: argument weight: .* got a Tensor with gradients, float32 \(2,\)",
        ),
        "probabilities below 0": (
            lambda: F.cross_entropy(X, -X),
            ValueError,
            r"cross_entropy: argument target: .* got -1\.0 at position \(0, 1\)",
        ),
        "probabilities of fewer rows": (
            lambda: F.cross_entropy(X, X[:2]),
            ValueError,
            r"cross_entropy: argument target: .* got float32 \(2, 2\)",
        ),
        "floats as classes of log-probabilities": (
            lambda: F.nll_loss(X, [0.0, 1.0, 1.0]),
            TypeError,
            r"nll_loss: argument target: .* got float64 \(3,\)",
        ),
        "a class beyond the log-probabilities": (
            lambda: F.nll_loss(X, [0, 1, 2]),
            ValueError,
            r"nll_loss: argument target: .* got 2 at position \(2,\)",
        ),
        "an index to ignore between two classes": (
            lambda: F.nll_loss(X, [0, 1, 1], ignore_index=1.5),
            TypeError,
            r"nll_loss: argument ignore_index: .* got float 1\.5",
        ),
        "a reduction of the likelihood": (
            lambda: F.nll_loss(X, [0, 1, 1], reduction="x"),
            ValueError,
            "nll_loss: argument reduction: .* got 'x'",
        ),
        "a column beside a vector": (
            lambda: F.mse_loss(leaf(3, 1), np.ones(3)),
            ValueError,
            r"mse_loss: argument target: .* got float64 \(3,\)",
        ),
        "integers to fit": (lambda: F.mse_loss([1, 2], [3, 4]), TypeError, r"mse_loss: argument input: .* got int64 \(2,\)"),
        "complex numbers to fit": (lambda: F.mse_loss(X, X * 1j), TypeError, r"mse_loss: argument target: .* got complex64 \(3, 2\)"),
        "None to fit": (lambda: F.mse_loss(X, np.full((3, 2), None)), TypeError, r"mse_loss: argument target: .* got object \(3, 2\)"),
        "an error over nothing": (
            lambda: F.mse_loss(X[:0], X[:0]),
            ValueError,
            "mse_loss: argument target: .* got none, of which no mean exists",
        ),
        "a target above 1": (
            lambda: F.binary_cross_entropy_with_logits(X, X),
            ValueError,
            r"binary_cross_entropy_with_logits: argument target: .* got 2\.0 at position \(1, 0\)",
        ),
        "a target below 0": (
            lambda: F.binary_cross_entropy_with_logits(X, -X / 6),
            ValueError,
            r"binary_cross_entropy_with_logits: argument target: .* got -0\.1666666716337204 at position \(0, 1\)",
        ),
        "a column beside a vector of targets": (
            lambda: F.binary_cross_entropy_with_logits(leaf(3, 1), np.ones(3)),
            ValueError,
            r"binary_cross_entropy_with_logits: argument target: .* got float64 \(3,\)",
        ),
        "integers as logits of two classes": (
            lambda: F.binary_cross_entropy_with_logits([1, 2], [0, 1]),
            TypeError,
            r"binary_cross_entropy_with_logits: argument logits: .* got int64 \(2,\)",
        ),
        "a class that is worth less than nothing": (
            lambda: F.cross_entropy(X, [0, 1, 0], weight=[-1.0, 1.0]),
            ValueError,
            r"cross_entropy: argument weight: .* got -1\.0",
        ),
        "a weight below 0 of log-probabilities": (
            lambda: F.nll_loss(X, [0, 1, 0], weight=[-1.0, 1.0]),
            ValueError,
            r"nll_loss: argument weight: .* got -1\.0",
        ),
        "a factor below 0": (
            lambda: F.binary_cross_entropy_with_logits(X, X / 6, weight=-1),
            ValueError,
            r"binary_cross_entropy_with_logits: argument weight: .* got -1",
        ),
        "a factor below 0 of the positive": (
            lambda: F.binary_cross_entropy_with_logits(X, X / 6, pos_weight=-1),
            ValueError,
            r"binary_cross_entropy_with_logits: argument pos_weight: .* got -1",
        ),
        "probabilities of more than 1 in sum": (
            lambda: F.cross_entropy(X, [[0.5, 0.5], [0.9, 0.9], [1.0, 0.0]]),
            ValueError,
            r"cross_entropy: argument target: .* got 1\.8 at position \(1,\)",
        ),
        "probabilities of 0 in sum": (
            lambda: F.cross_entropy(X, tg.Tensor(np.zeros((3, 2)), requires_grad=True)),
            ValueError,
            r"cross_entropy: argument target: .* got 0 at position \(0,\).* use ignore_index",
        ),
        "one-hot rows of integers": (
            lambda: F.cross_entropy(X, np.eye(3, 2, dtype=int)),
            ValueError,
            r"cross_entropy: argument target: .* got int64 \(3, 2\); use target\.argmax\(axis=-1\) .* target\.astype\(float\)",
        ),
        "one-hot rows for log-probabilities": (
            lambda: F.nll_loss(X, np.eye(3, 2, dtype=int)),
            ValueError,
            r"nll_loss: argument target: expected integers of shape \(3,\), got int64 \(3, 2\); use target\.argmax\(axis=-1\) for",
        ),
        "logits of no class": (
            lambda: F.cross_entropy(np.zeros((2, 0)), [0, 0]),
            ValueError,
            r"cross_entropy: argument logits: .* got float64 \(2, 0\)",
        ),
        "a factor for other entries": (
            lambda: F.binary_cross_entropy_with_logits(X, X / 6, pos_weight=np.ones(3)),
            ValueError,
            r"binary_cross_entropy_with_logits: argument pos_weight: .* got float64 \(3,\)",
        ),
        "a factor of text": (
            lambda: F.binary_cross_entropy_with_logits(X, X / 6, weight="a"),
            TypeError,
            "binary_cross_entropy_with_logits: argument weight: .* got str 'a'",
        ),
    },
    "optimizers": {
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
        "a velocity of complex numbers": (
            lambda: optim.SGD([weight()], 0.1, 0.9).load_state_dict({"lr": 0.1, "steps": 1, "0.velocity": np.ones(3) * 1j}),
            TypeError,
            r"SGD\.load_state_dict: argument 0\.velocity: .* got complex128 \(3,\)",
        ),
        "a velocity of text": (
            lambda: optim.SGD([weight()], 0.1, 0.9).load_state_dict({"lr": 0.1, "steps": 1, "0.velocity": ["1", "2", "3"]}),
            TypeError,
            r"SGD\.load_state_dict: argument 0\.velocity: .* got list \['1', '2', '3'\]",
        ),
        "a velocity under a second name": (
            lambda: optim.SGD([weight()], 0.1, 0.9).load_state_dict(
                {"lr": 0.1, "steps": 1, "0.velocity": np.ones(3), "00.velocity": np.ones(3)}
            ),
            ValueError,
            r"SGD\.load_state_dict: argument state: .* got unexpected 00\.velocity;",
        ),
        "a velocity of parameter ²": (
            lambda: optim.SGD([weight()], 0.1, 0.9).load_state_dict({"lr": 0.1, "steps": 1, "².velocity": np.ones(3)}),
            ValueError,
            r"SGD\.load_state_dict: argument state: .* got unexpected ²\.velocity;",
        ),
        "an optimizer's state by number": (
            lambda: sgd().load_state_dict({"lr": 0.1, "steps": 1, 0: np.ones(3)}),
            ValueError,
            r"SGD\.load_state_dict: argument state: .* got unexpected 0;",
        ),
        "a parameter's steps below one": (
            lambda: adam().load_state_dict({**stepped(adam()).state_dict(), "0.t": np.array(-1)}),
            ValueError,
            r"Adam\.load_state_dict: argument 0\.t: .* got -1",
        ),
        "a parameter's steps of nan": (
            lambda: adam().load_state_dict({**stepped(adam()).state_dict(), "0.t": np.array(np.nan)}),
            TypeError,
            r"Adam\.load_state_dict: argument 0\.t: .*\(nan\)",
        ),
        "a parameter's steps of text": (
            lambda: adam().load_state_dict({**stepped(adam()).state_dict(), "0.t": "x"}),
            TypeError,
            r"Adam\.load_state_dict: argument 0\.t: .* got str 'x'",
        ),
        "a parameter's steps and a half": (
            lambda: adam().load_state_dict({**stepped(adam()).state_dict(), "0.t": np.array(2.5)}),
            TypeError,
            r"Adam\.load_state_dict: argument 0\.t: .*\(2\.5\)",
        ),
        "a mean square below 0": (
            lambda: adam().load_state_dict({**stepped(adam()).state_dict(), "0.square": -np.ones(3)}),
            ValueError,
            r"Adam\.load_state_dict: argument state: .* got 0\.square below 0, which no square is;",
        ),
        "betas of 1 afterwards": (
            lambda: with_settings(adam(), betas=(1.0, 1.0)),
            ValueError,
            r"Adam: argument beta1: .* got 1\.0",
        ),
        "one beta afterwards": (lambda: with_settings(adam(), betas=0.9), ValueError, r"Adam: argument betas: .* got float 0\.9"),
        "eps of text afterwards": (lambda: with_settings(adam(), eps="x"), TypeError, "Adam: argument eps: .* got str 'x'"),
        "decay below 0 afterwards": (
            lambda: with_settings(optim.AdamW([weight()]), decay=-1.0),
            ValueError,
            r"AdamW: argument decay: .* got -1\.0",
        ),
        "momentum below 0 afterwards": (
            lambda: with_settings(optim.SGD([weight()], 0.1, 0.9), momentum=-1.0),
            ValueError,
            r"SGD: argument momentum: .* got -1\.0",
        ),
        "no parameters": (lambda: optim.SGD([], 0.1), ValueError, "SGD: argument params: .* got none"),
        "an interior Tensor as a parameter": (
            lambda: optim.SGD([weight() * 2], 0.1),
            ValueError,
            r"SGD: argument params: .* got float64 \(3,\)",
        ),
        "a constant as a parameter": (lambda: optim.SGD([tg.Tensor(X)], 0.1), ValueError, r"SGD: argument params: .* got float32 \(3, 2\)"),
        "an array as a parameter": (lambda: optim.SGD([X], 0.1), ValueError, r"SGD: argument params: .* got float32 \(3, 2\)"),
        "names with the parameters": (
            lambda: optim.SGD(nn.Linear(2, 2).named_parameters(), 0.1),
            ValueError,
            r"SGD: argument params: .* got tuple \('weight'",
        ),
        "one parameter twice": (
            lambda: optim.SGD([*(w := [weight()]), *w], 0.1),
            ValueError,
            r"SGD: argument params\[1\]: .* got a Tensor of shape \(3,\), which ",
        ),
        "a module in place of its parameters": (
            lambda: optim.SGD(nn.Linear(2, 2), 0.1),
            TypeError,
            r"SGD: argument params: .* got Linear Linear\(2, 2\)",
        ),
        "a rate below 0": (lambda: optim.SGD([weight()], -0.1), ValueError, r"SGD: argument lr: .* got -0\.1"),
        "a rate of nan": (lambda: optim.SGD([weight()], float("nan")), ValueError, "SGD: argument lr: .* got nan"),
        "a rate of text": (lambda: optim.SGD([weight()], "0.1"), TypeError, r"SGD: argument lr: .* got str '0\.1'"),
        "a rate of True": (lambda: optim.SGD([weight()], True), TypeError, "SGD: argument lr: .* got bool True"),
        "looking ahead without momentum": (
            lambda: optim.SGD([weight()], 0.1, nesterov=True),
            ValueError,
            "SGD: argument nesterov: .* got momentum=0",
        ),
        "looking ahead in text": (
            lambda: optim.SGD([weight()], 0.1, 0.9, nesterov="no"),
            TypeError,
            "SGD: argument nesterov: .* got str 'no'",
        ),
        "a beta of 1": (lambda: optim.Adam([weight()], betas=(0.9, 1.0)), ValueError, r"Adam: argument beta2: .* got 1\.0"),
        "a beta below 0": (lambda: optim.Adam([weight()], betas=(-0.1, 0.9)), ValueError, r"Adam: argument beta1: .* got -0\.1"),
        "one beta": (lambda: optim.Adam([weight()], betas=0.9), ValueError, r"Adam: argument betas: .* got float 0\.9"),
        "eps below none": (lambda: optim.Adam([weight()], eps=-1e-8), ValueError, "Adam: argument eps: .* got -1e-08"),
        "weight decay below 0": (lambda: optim.AdamW([weight()], weight_decay=-1), ValueError, "AdamW: argument weight_decay: .* got -1"),
        "amsgrad of text": (lambda: optim.Adam([weight()], amsgrad="no"), TypeError, "Adam: argument amsgrad: .* got str 'no'"),
        "alpha of 1": (lambda: optim.RMSprop([weight()], alpha=1.0), ValueError, r"RMSprop: argument alpha: .* got 1\.0"),
        "centered of text": (lambda: optim.RMSprop([weight()], centered="no"), TypeError, "RMSprop: argument centered: .* got str 'no'"),
        "a gradient of another shape": (
            lambda: with_gradient(np.ones((3, 1))),
            ValueError,
            r"SGD: argument gradient of 0: .* got float64 \(3, 1\)",
        ),
        "a gradient in a list": (lambda: with_gradient([1, 2, 3]), ValueError, r"SGD: argument gradient of 0: .* got list \[1, 2, 3\]"),
        "a complex gradient": (
            lambda: with_gradient(np.ones(3) * 1j),
            ValueError,
            r"SGD: argument gradient of 0: .* got complex128 \(3,\)",
        ),
        "a rate that became text": (lambda: with_gradient(lr="a"), TypeError, "SGD: argument lr: .* got str 'a'"),
        "a rate that became nan": (lambda: with_gradient(lr=np.nan), ValueError, "SGD: argument lr: .* got nan"),
        "a rate that went below 0": (lambda: with_gradient(lr=-0.1), ValueError, r"SGD: argument lr: .* got -0\.1"),
    },
    "schedules": {
        "schedule of a number": (lambda: optim.StepLR(5, 1), TypeError, "StepLR: argument optimizer: .* got int 5"),
        "steps of no epoch": (lambda: optim.StepLR(sgd(), 0), ValueError, "StepLR: argument step_size: .* got 0"),
        "a factor below 0": (lambda: optim.StepLR(sgd(), 1, -0.5), ValueError, r"StepLR: argument gamma: .* got -0\.5"),
        "a factor of text": (lambda: optim.ExponentialLR(sgd(), "a"), TypeError, "ExponentialLR: argument gamma: .* got str 'a'"),
        "a cosine of no length": (lambda: optim.CosineAnnealingLR(sgd(), 0), ValueError, "CosineAnnealingLR: argument T_max: .* got 0"),
        "a lowest rate below 0": (
            lambda: optim.CosineAnnealingLR(sgd(), 5, -1),
            ValueError,
            "CosineAnnealingLR: argument eta_min: .* got -1",
        ),
        "a start below 0": (lambda: optim.LinearLR(sgd(), -1), ValueError, "LinearLR: argument start_factor: .* got -1"),
        "a warm-up of no epochs": (lambda: optim.LinearLR(sgd(), total_iters=0), ValueError, "LinearLR: argument total_iters: .* got 0"),
        "a factor above 1": (lambda: optim.ReduceLROnPlateau(sgd(), 1.5), ValueError, r"ReduceLROnPlateau: argument factor: .* got 1\.5"),
        "half an epoch of patience": (
            lambda: optim.ReduceLROnPlateau(sgd(), patience=1.5),
            TypeError,
            r"ReduceLROnPlateau: argument patience: .* got float 1\.5",
        ),
        "a result of nan": (
            lambda: optim.ReduceLROnPlateau(sgd()).step(float("nan")),
            ValueError,
            r"ReduceLROnPlateau\.step: argument metric: .* got nan",
        ),
        "a result of text": (
            lambda: optim.ReduceLROnPlateau(sgd()).step("0.5"),
            TypeError,
            r"ReduceLROnPlateau\.step: argument metric: .* got str '0\.5'",
        ),
        "several results": (
            lambda: optim.ReduceLROnPlateau(sgd()).step(np.ones(2)),
            TypeError,
            r"ReduceLROnPlateau\.step: argument metric: .* got float64 \(2,\)",
        ),
        "a module in place of an optimizer": (
            lambda: optim.StepLR(nn.Linear(2, 2), 1),
            TypeError,
            r"StepLR: argument optimizer: .* got Linear Linear\(2, 2\)",
        ),
        "an empty state": (
            lambda: optim.StepLR(sgd(), 1).load_state_dict({}),
            ValueError,
            r"StepLR\.load_state_dict: argument state: .* got missing lr",
        ),
        "no state": (
            lambda: optim.StepLR(sgd(), 1).load_state_dict(None),
            TypeError,
            r"StepLR\.load_state_dict: argument state: .* got NoneType None",
        ),
        "a state with a rate of nan": (
            lambda: optim.StepLR(sgd(), 1).load_state_dict({"lr": np.nan, "base": 1.0, "epoch": 1}),
            ValueError,
            r"StepLR\.load_state_dict: argument lr: .* got nan",
        ),
        "a state after half an epoch": (
            lambda: optim.StepLR(sgd(), 1).load_state_dict({"lr": 0.1, "base": 1.0, "epoch": 1.5}),
            TypeError,
            r"StepLR\.load_state_dict: argument epoch: .* got float64 np\.float64\(1\.5\)",
        ),
    },
    "clipping": {
        "clip what is no Tensor": (
            lambda: nn.clip_grad_norm_([5], 1.0),
            TypeError,
            r"clip_grad_norm_: argument parameters\[0\]: .* got int 5",
        ),
        "clip values of no Tensor": (lambda: nn.clip_grad_value_([X], 1.0), TypeError, r"clip_grad_value_: argument parameters\[0\]"),
        "clip to no norm": (lambda: nn.clip_grad_norm_([weight()], 1.0, norm_type=0), ValueError, "clip_grad_norm_: argument norm_type"),
        "clip to a norm of text": (lambda: nn.clip_grad_norm_([weight()], "a"), ValueError, "clip_grad_norm_: argument max_norm"),
        "a tied parameter twice": (
            lambda: nn.clip_grad_norm_([*(w := with_gradients(np.ones(3))), *w], 1.0),
            ValueError,
            r"clip_grad_norm_: argument parameters\[1\]: .* got a Tensor of shape \(3,\), which is parameters\[0\] too",
        ),
        "values of one parameter twice": (
            lambda: nn.clip_grad_value_([*(w := [weight()]), *w], 1.0),
            ValueError,
            r"clip_grad_value_: argument parameters\[1\]: .* which is parameters\[0\] too",
        ),
        "a gradient for another parameter": (
            lambda: nn.clip_grad_norm_(with_gradients(np.ones(3), np.ones((3, 1))), 1.0),
            ValueError,
            r"clip_grad_norm_: argument gradient of 1: .* got float64 \(3, 1\)",
        ),
        "a gradient in a list": (
            lambda: nn.clip_grad_norm_(with_gradients([1.0, 2.0, 3.0]), 1.0),
            ValueError,
            r"clip_grad_norm_: argument gradient of 0: .* got list \[1\.0, 2\.0, 3\.0\]",
        ),
        "values of a gradient in a list": (
            lambda: nn.clip_grad_value_(with_gradients([1.0, 2.0, 3.0]), 1.0),
            ValueError,
            r"clip_grad_value_: argument gradient of 0: .* got list",
        ),
        "a norm that no number holds": (
            lambda: nn.clip_grad_norm_(with_gradients(np.full(3, 1.7e308)), 1.0),
            ValueError,
            r"clip_grad_norm_: argument parameters: .* got inf, of entries up to 1\.7e\+308",
        ),
        "a norm below 0": (lambda: nn.clip_grad_norm_([weight()], -1.0), ValueError, r"clip_grad_norm_: argument max_norm: .* got -1\.0"),
        "a norm of 0": (lambda: nn.clip_grad_norm_([weight()], 0), ValueError, "clip_grad_norm_: argument max_norm: .* got 0"),
        "a norm of True": (lambda: nn.clip_grad_norm_([weight()], True), ValueError, "clip_grad_norm_: argument max_norm: .* got True"),
        "a kind of norm in text": (
            lambda: nn.clip_grad_norm_([weight()], 1.0, norm_type="inf"),
            ValueError,
            "clip_grad_norm_: argument norm_type: .* got 'inf'",
        ),
        "a module in place of parameters": (
            lambda: nn.clip_grad_norm_(nn.Linear(2, 2), 1.0),
            TypeError,
            r"clip_grad_norm_: argument parameters: .* got Linear Linear\(2, 2\)",
        ),
        "a gradient of nan": (
            lambda: nn.clip_grad_norm_(diverged(), 1.0),
            ValueError,
            "clip_grad_norm_: argument parameters: .* got nan in the gradient of paramet",
        ),
        "a bound below 0": (
            lambda: nn.clip_grad_value_([weight()], -1.0),
            ValueError,
            r"clip_grad_value_: argument clip_value: .* got -1\.0",
        ),
        "a bound of nan": (
            lambda: nn.clip_grad_value_([weight()], float("nan")),
            ValueError,
            "clip_grad_value_: argument clip_value: .* got nan",
        ),
        "a bound of text": (lambda: nn.clip_grad_value_([weight()], "a"), ValueError, "clip_grad_value_: argument clip_value: .* got 'a'"),
        "a bound for each entry": (
            lambda: nn.clip_grad_value_([weight()], np.ones(3)),
            ValueError,
            r"clip_grad_value_: argument clip_value: .* got array\(\[1\., 1\., 1\.\]\)",
        ),
        "a number in place of parameters": (
            lambda: nn.clip_grad_value_(5, 1.0),
            TypeError,
            "clip_grad_value_: argument parameters: .* got int 5",
        ),
    },
    "initialisers": {
        "one axis where two are expected": (lambda: init.xavier_uniform((3,)), ValueError, r"init: argument shape: .* got \(3,\)"),
        "rows below none": (
            lambda: init.xavier_normal((-1, 2)),
            ValueError,
            "init: argument shape: expected an integer, at least 0, got -1",
        ),
        "a vector to be orthogonal": (lambda: init.orthogonal((3,)), ValueError, r"init: argument shape: .* got \(3,\)"),
        "a size below 0": (lambda: init.uniform((-1, 2), 0.1), ValueError, "init: argument shape: .* got -1"),
        "half a size": (lambda: init.zeros((1.5, 2)), TypeError, r"init: argument shape: .* got float 1\.5"),
        "a shape of text": (lambda: init.ones("ab"), TypeError, "init: argument shape: .* got str 'ab'"),
        "an array in place of its shape": (
            lambda: init.orthogonal(tg.Tensor(X)),
            TypeError,
            r"init: argument shape: .* got float32 \(3, 2\)",
        ),
        "a bound under 0": (lambda: init.uniform((2, 2), -1.0), ValueError, r"init: argument bound: .* got -1\.0"),
        "a bound in words": (lambda: init.uniform((2, 2), "a"), TypeError, "init: argument bound: .* got str 'a'"),
        "a deviation below 0": (lambda: init.normal((2, 2), -1.0), ValueError, r"init: argument std: .* got -1\.0"),
        "a gain of nan": (lambda: init.orthogonal((2, 2), float("nan")), ValueError, "init: argument gain: .* got nan"),
        "a gain of text": (lambda: init.xavier_uniform((2, 2), "a"), TypeError, "init: argument gain: .* got str 'a'"),
        "a generator of the old kind": (
            lambda: init.normal((2, 2), rng=np.random.RandomState(0)),
            TypeError,
            r"generator: argument rng \(a seed\): .* got RandomState RandomState\(MT19937\)",
        ),
    },
    "files": {
        "a masked array": (
            lambda: tg.save({"a": np.ma.array([1.0, 2.0], mask=[False, True])}, "none/x"),
            TypeError,
            r"save: argument state\['a'\]: .* got a MaskedArray; use .*x\.filled\(0\)",
        ),
        "load a number": (lambda: tg.load(5), TypeError, "load: argument path: .* got int 5"),
        "save a number": (lambda: tg.save(5, "weights.safetensors"), TypeError, "save: argument state: .* got int 5"),
        "a file that is not there": (
            lambda: tg.load("/nonexistent/x.safetensors"),
            FileNotFoundError,
            r"load: argument path: .* got '/nonexistent/x\.safetensors', which is none",
        ),
        "a folder as a file": (lambda: tg.load("/tmp"), FileNotFoundError, "load: argument path: .* got '/tmp', which is none"),
        "a list of arrays": (
            lambda: tg.save([X], "x.safetensors"),
            TypeError,
            r"save: argument state: .* got list \[array\(\[\[0\., 1\.\],",
        ),
        "text as an array": (lambda: tg.save({"a": "x"}, "x.safetensors"), TypeError, r"save: argument state\['a'\]: .* got str 'x'"),
        "nothing as an array": (
            lambda: tg.save({"a": None}, "x.safetensors"),
            TypeError,
            r"save: argument state\['a'\]: .* got NoneType None",
        ),
        "complex numbers in a file": (
            lambda: tg.save({"a": X * 1j}, "x.safetensors"),
            TypeError,
            r"save: argument state\['a'\]: .* got complex64 \(3, 2\)",
        ),
        "a number as a name": (lambda: tg.save({1: X}, "x.safetensors"), TypeError, "save: argument state: .* got int 1"),
        "the name that is taken": (
            lambda: tg.save({"__metadata__": X}, "x.safetensors"),
            ValueError,
            "save: argument state: .* got '__metadata__'",
        ),
        "a number as metadata": (
            lambda: tg.save({"a": X}, "x.safetensors", metadata={"a": 1}),
            TypeError,
            r"save: argument metadata\['a'\]: .* got int 1",
        ),
        "a list as metadata": (
            lambda: tg.save({"a": X}, "x.safetensors", metadata=[1]),
            TypeError,
            r"save: argument metadata: .* got list \[1\]",
        ),
        "no path": (lambda: tg.save({"a": X}, None), TypeError, "save: argument path: .* got NoneType None"),
        "a module in place of its state": (
            lambda: tg.save(nn.Linear(2, 2), "x.safetensors"),
            TypeError,
            r"save: argument state: .* got Linear Linear\(2, 2\)",
        ),
    },
    "text": {
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
        "sample half a character": (
            lambda: text.sample(alternate, VOCAB, "a", 1.5),
            TypeError,
            "sample: argument length: .* got float 1.5",
        ),
        "sample after a number": (lambda: text.sample(alternate, VOCAB, 5, 3), TypeError, "CharVocab.encode: argument text: .* got int 5"),
        "sample from nan": (
            lambda: text.sample(lambda x, state: (np.full((1, 1, 2), np.nan), state), VOCAB, "a", 3, temperature=0),
            ValueError,
            "sample: argument model: .* got nan or inf",
        ),
        "a character that is not known": (
            lambda: VOCAB.encode("abc"),
            ValueError,
            r"CharVocab\.encode: argument text: .* got 'c' at position 2",
        ),
        "an index under 0": (lambda: VOCAB.decode([-1]), ValueError, r"CharVocab\.decode: argument indices: .* got -1 at position \(0,\)"),
        "a vocabulary of nothing": (lambda: text.CharVocab(""), ValueError, "CharVocab: argument characters: .* got none"),
        "an order that is not known": (lambda: text.CharVocab("a", order="x"), ValueError, "CharVocab: argument order: .* got 'x'"),
        "a class that has no place": (lambda: text.one_hot([2], 2), ValueError, r"one_hot: argument indices: .* got 2 at position \(0,\)"),
        "a class under 0": (lambda: text.one_hot([-1], 2), ValueError, r"one_hot: argument indices: .* got -1 at position \(0,\)"),
        "half an index": (lambda: text.one_hot([0.5], 2), TypeError, r"one_hot: argument indices: .* got float64 \(1,\)"),
        "one-hot rows of an unknown dtype": (
            lambda: text.one_hot([0], 2, dtype="foo"),
            TypeError,
            "one_hot: argument dtype: .* got str 'foo'",
        ),
        "one-hot rows of text": (lambda: text.one_hot([0], 2, dtype="U3"), TypeError, "one_hot: argument dtype: .* got <U3"),
        "more streams than characters": (lambda: text.columns([0, 1], 2), ValueError, "columns: argument batch_size: .* got 2"),
        "a text of floats": (lambda: text.columns([0.5, 1.5], 1), ValueError, r"columns: argument indices: .* got float64 \(2,\)"),
        "batches of no steps": (lambda: list(text.batches([0, 1, 2], 1, 0)), ValueError, "batches: argument steps: .* got 0"),
        "a start beyond the end": (lambda: list(text.batches([0, 1, 2], 1, 1, start=99)), ValueError, "batches: argument start: .* got 99"),
        "a count for no streams": (
            lambda: text.count_batches(10, 0, 3) if hasattr(text, "count_batches") else 0,
            ValueError,
            "count_batches: argument batch_size: .* got 0",
        ),
        "a temperature below 0": (
            lambda: text.sample(echo, VOCAB, "a", 3, temperature=-1),
            ValueError,
            "sample: argument temperature: .* got -1",
        ),
        "a temperature without end": (
            lambda: text.sample(echo, VOCAB, "a", 3, temperature=float("inf")),
            ValueError,
            "sample: argument temperature: .* got inf",
        ),
        "a first character that is not known": (
            lambda: text.sample(echo, VOCAB, "c", 3),
            ValueError,
            r"CharVocab\.encode: argument text: .* got 'c' at position 0",
        ),
        "nothing to start from": (lambda: text.sample(echo, VOCAB, "", 3), ValueError, "sample: argument prime: .* got ''"),
        "text as the vocabulary": (lambda: text.sample(echo, "ab", "a", 3), TypeError, "sample: argument vocab: .* got str 'ab'"),
        "no model": (lambda: text.sample(None, VOCAB, "a", 3), TypeError, "sample: argument model: .* got NoneType None"),
        "a model without a state": (
            lambda: text.sample(lambda x, s: tg.Tensor(np.ones((1, 1, 2))), VOCAB, "a", 3),
            TypeError,
            r"sample: argument model: .* got float64 \(1, 1, 2\)",
        ),
        "no loss": (
            lambda: next(text.bptt(lambda x, s: (tg.Tensor(np.ones((*x.shape, 2), np.float32)), s), [0, 1, 0], 1, 2, loss=3)),
            TypeError,
            r"text\.bptt: argument loss: .* got int 3",
        ),
        "a text of another vocabulary": (
            lambda: next(text.bptt(lambda x, s: (tg.Tensor(np.ones((*x.shape, 2), np.float32)), s), [0, 1, 5], 1, 2)),
            ValueError,
            r"cross_entropy: argument target: .* got 5 at position \(1, 0\)",
        ),
    },
    "drawing": {
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
        "steps without a number": (
            lambda: tg.graph(loss(), steps="first"),
            ValueError,
            "graph: argument steps: .* got 'first'; name first",
        ),
        "parameters as a list": (
            lambda: tg.graph(loss(), parameters=["hide"]),
            ValueError,
            r"graph: argument parameters: .* got \['hide'\]",
        ),
        "steps as a number": (lambda: tg.graph(loss(), steps=3), ValueError, "graph: argument steps: .* got 3"),
        "unknown direction": (lambda: tg.graph(loss(), direction="left"), ValueError, "graph: argument direction: .* got 'left'"),
        "highlight a number": (lambda: tg.graph(loss(), highlight=5), ValueError, "graph: argument highlight: .* got int 5"),
        "a drawing of an array": (lambda: tg.graph(X), TypeError, r"graph: argument output: .* got float32 \(3, 2\)"),
        "a drawing of a leaf": (
            lambda: tg.graph(tg.Tensor(X)),
            TypeError,
            r"graph: argument output: .* got a Tensor without a graph, float32 \(3, 2\)",
        ),
        "a drawing of a module": (lambda: tg.graph(nn.Linear(2, 2)), TypeError, r"graph: argument output: .* got Linear Linear\(2, 2\)"),
        "a drawing of nothing": (lambda: tg.graph(None), TypeError, "graph: argument output: .* got NoneType None"),
        "a fold of no scope": (lambda: tg.graph(loss(), fold="nowhere"), ValueError, "graph: argument fold: .* got 'nowhere'"),
        "an unknown theme": (lambda: tg.graph(loss(), theme="pink"), ValueError, "graph: argument theme: .* got 'pink'"),
        "parameters in an unknown way": (lambda: tg.graph(loss(), parameters="x"), ValueError, "graph: argument parameters: .* got 'x'"),
        "no step at all": (lambda: tg.graph(loss(), steps="first:0"), ValueError, "graph: argument steps: .* got 'first:0'"),
        "steps as numbers": (lambda: tg.graph(loss(), steps=(2, 1)), ValueError, r"graph: argument steps: .* got \(2, 1\)"),
        "steps below 0": (lambda: tg.graph(loss(), steps="last:-1"), ValueError, "graph: argument steps: .* got 'last:-1'"),
        "a highlight of another graph": (
            lambda: tg.graph(loss(), highlight=tg.Tensor(X)),
            ValueError,
            r"graph: argument highlight: .* got float32 \(3, 2\)",
        ),
        "an ending that is not known": (lambda: tg.graph(loss()).save("x.foo"), ValueError, r"graph\.save: argument path: .* got 'x\.foo'"),
        "no ending": (lambda: tg.graph(loss()).save("x"), ValueError, r"graph\.save: argument path: .* got 'x'"),
        "a folder that is not there": (
            lambda: tg.graph(loss()).save("/nonexistent/x.svg"),
            FileNotFoundError,
            r"graph\.save: argument path: .* got '/nonexistent/x\.svg'",
        ),
        "a number as a picture's path": (lambda: tg.graph(loss()).save(5), ValueError, r"graph\.save: argument path: .* got int 5"),
    },
    "looking into time": {
        "a flow of an array": (lambda: tg.bptt.flow(X), TypeError, r"bptt\.flow: argument output: .* got float32 \(3, 2\)"),
        "a flow without time": (lambda: tg.bptt.flow((weight() * 2).sum()), ValueError, r"bptt\.flow: argument state: .* got 'h'"),
        "a state that is not there": (lambda: tg.bptt.flow(loss(), "c"), ValueError, r"bptt\.flow: argument state: .* got 'c'"),
        "a flow of no state": (lambda: tg.bptt.flow(loss(), []), ValueError, r"bptt\.flow: argument state: .* got none"),
        "a gradient of another shape": (
            lambda: tg.bptt.flow(loss(), gradient=np.ones(3)),
            ValueError,
            r"bptt\.flow: argument gradient: .* got float64 \(3,\)",
        ),
        "a flow from many numbers": (lambda: tg.bptt.flow(nn.GRU(2, 2)(X)[0]), ValueError, r"bptt\.flow: argument gradient: .* got none"),
        "the values of an array": (lambda: tg.bptt.values(X), TypeError, r"bptt\.values: argument output: .* got float32 \(3, 2\)"),
        "the steps of an array": (
            lambda: list(tg.backward_steps(X)),
            TypeError,
            r"backward_steps: argument output: .* got float32 \(3, 2\)",
        ),
        "the steps of a leaf": (
            lambda: list(tg.backward_steps(tg.Tensor(1.0))),
            RuntimeError,
            r"backward_steps: argument output: .* got Tensor\(1\.\)",
        ),
        "the steps from many numbers": (
            lambda: list(tg.backward_steps(weight() * 2)),
            ValueError,
            "backward_steps: argument gradient: .* got none",
        ),
        "the steps of another shape": (
            lambda: list(tg.backward_steps(weight() * 2, np.ones(2))),
            ValueError,
            r"backward_steps: argument gradient: .* got float64 \(2,\)",
        ),
        "the steps of a used graph": (
            lambda: list(tg.backward_steps(used())),
            RuntimeError,
            r"backward: argument Tensor \(shape \(\) made by sum\): .* got one that was used",
        ),
    },
    "interop": {
        "weights in a list": (lambda: tg.interop.from_pytorch([1]), TypeError, r"from_pytorch: argument weights: .* got list \[1\]"),
        "a form that PyTorch has not": (
            lambda: tg.interop.from_pytorch(nn.GRU(2, 2).state_dict(), reset="x"),
            ValueError,
            "from_pytorch: argument reset: .* got 'x'",
        ),
        "weights of text": (
            lambda: tg.interop.from_pytorch({"a": "x"}),
            TypeError,
            r"from_pytorch: argument weights\['a'\]: .* got str 'x'",
        ),
        "no weights": (lambda: tg.interop.to_pytorch(None), TypeError, "to_pytorch: argument state: .* got NoneType None"),
        "no weights of Keras": (lambda: tg.interop.from_keras(None), TypeError, "from_keras: argument weights: .* got NoneType None"),
        "too few weights of Keras": (lambda: tg.interop.from_keras([X]), ValueError, "from_keras: argument weights: .* got 1"),
        "weights of other shapes": (
            lambda: tg.interop.from_keras([X, X, X]),
            ValueError,
            r"from_keras: argument weights\[1\]: .* got float32 \(3, 2\)",
        ),
        "a layer that is not there": (
            lambda: tg.interop.to_keras(nn.GRU(2, 2).state_dict(), layer=3),
            ValueError,
            "to_keras: argument weight_ih_l3: .* got none",
        ),
        "no weights of the book": (lambda: tg.interop.from_d2l({}), ValueError, "from_d2l: argument weights: .* got missing W_xr"),
        "other weights than the tutorial's": (
            lambda: tg.interop.from_tutorial({"a": X}),
            ValueError,
            "from_tutorial: argument weights: .* got missing Wr",
        ),
        "no weights of ONNX": (
            lambda: tg.interop.from_onnx_weights({}),
            ValueError,
            "from_onnx_weights: argument weights: .* got only nothing",
        ),
        "weights into a number": (lambda: tg.interop.load_into(3, {}), TypeError, "load_into: argument module: .* got int 3"),
        "a renaming by a number": (
            lambda: tg.interop.load_into(nn.Linear(2, 2), nn.Linear(2, 2).state_dict(), rename=5),
            TypeError,
            "load_into: argument rename: .* got int 5",
        ),
        "a comparison with a number": (lambda: tg.interop.compare(3, {}), TypeError, "compare: argument module: .* got int 3"),
    },
    "compile": {
        "a number to compile": (lambda: tg.compile(5), TypeError, "compile: argument target: .* got int 5"),
        "a class to compile": (
            lambda: tg.compile(nn.GRU),
            TypeError,
            r"compile: argument target: .* got type <class 'tinygrad_rnn\.nn\.rnn\.GRU'>",
        ),
        "a backend that is not known": (
            lambda: tg.compile(nn.GRU(2, 2), backend="cuda"),
            ValueError,
            "compile: argument backend: .* got 'cuda'",
        ),
        "a list of backends": (lambda: tg.compile(nn.GRU(2, 2), backend=[]), ValueError, r"compile: argument backend: .* got \[\]"),
        "a fallback of text": (lambda: tg.compile(nn.GRU(2, 2), fallback="no"), TypeError, "compile: argument fallback: .* got str 'no'"),
        "other features than the program's layer has": (
            lambda: tg.compile(nn.GRU(2, 2))(np.ones((3, 3), np.float32)),
            ValueError,
            r"GRU: argument x: .* got float32 \(3, 3\)",
        ),
        "a state of another batch for a program": (
            lambda: tg.compile(nn.GRU(2, 2))(SEQUENCE, np.zeros((1, 2, 2), np.float32)),
            ValueError,
            r"GRU: argument state: .* got float32 \(1, 2, 2\)",
        ),
        "a length beyond the end for a program": (
            lambda: tg.compile(nn.GRU(2, 2))(SEQUENCE, lengths=[9, 1, 1]),
            ValueError,
            "GRU: argument lengths: .* got 9 at position 0",
        ),
        "a cell that looks at numbers": (
            lambda: tg.compile(nn.Recurrent(lambda s, r: lambda x, h: (h * float(x.sum()), h), 2, hidden_size=2), fallback=False)(X),
            TypeError,
            "compile: argument cell: .* got float: argument t: expected a ",
        ),
    },
    "parallel": {
        "a number among the parameters": (
            lambda: tg.parallel.average_gradients([5], object()),
            TypeError,
            r"average_gradients: argument parameters\[0\]: .* got int 5",
        ),
        "a number as a communicator": (
            lambda: tg.parallel.average_gradients([weight()], 5),
            TypeError,
            "average_gradients: argument communicator: .* got int 5",
        ),
        "a module as parameters": (
            lambda: tg.parallel.broadcast(nn.Linear(2, 2), 5),
            TypeError,
            r"broadcast: argument parameters: .* got Linear Linear\(2, 2\)",
        ),
        "a number as parameters": (lambda: tg.parallel.broadcast(5, 5), TypeError, "broadcast: argument parameters: .* got int 5"),
    },
    "derivatives": {
        "the gradient of an array": (lambda: tg.grad(X, weight()), TypeError, r"grad: argument output: .* got float32 \(3, 2\)"),
        "the gradient by what has no part in it": (
            lambda: tg.grad(loss(), weight()),
            RuntimeError,
            r"grad: argument inputs\[0\]: .* got one of shape \(3,\) that it does not depend on",
        ),
        "the gradient by nothing": (lambda: tg.grad(loss(), []), ValueError, "grad: argument inputs: .* got none"),
        "the gradient by a constant": (
            lambda: tg.grad(loss(), tg.Tensor(X)),
            TypeError,
            r"grad: argument inputs\[0\]: .* got float32 \(3, 2\)",
        ),
        "the gradient of many numbers": (lambda: tg.grad((w := weight()) * 2, w), ValueError, "grad: argument gradient: .* got none"),
        "a column that arrives at a vector": (
            lambda: tg.grad((w := weight()) * 2, w, grad_output=np.ones((3, 1))),
            ValueError,
            r"grad: argument gradient: .* got float64 \(3, 1\)",
        ),
        "the gradient of a function": (
            lambda: tg.grad(lambda x: x, X),
            TypeError,
            r"grad: argument output: .* got function <function <lambda>\.<l",
        ),
        "a function that leaves the graph": (
            lambda: tg.jacobian(lambda x: x.data, X),
            TypeError,
            r"jacobian: argument f: .* got float32 \(3, 2\)",
        ),
        "a Jacobian by integers": (
            lambda: tg.jacobian(lambda x: x * 2, [1, 2]),
            TypeError,
            r"Tensor: argument requires_grad: .* got int64 \(2,\)",
        ),
        "a Jacobian of a number": (lambda: tg.jacobian(5, X), TypeError, "jacobian: argument f: .* got int 5"),
        "a pull of another shape": (lambda: tg.vjp(tg.exp, X)[1](np.ones(2)), ValueError, r"vjp: argument gradient: .* got float64 \(2,\)"),
        "tangents of another shape": (lambda: tg.jvp(tg.exp, X, np.ones(2)), ValueError, r"jvp: argument tangents: .* got \[\(2,\)\]"),
        "more tangents than inputs": (
            lambda: tg.jvp(tg.exp, (X,), (X, X)),
            ValueError,
            r"jvp: argument tangents: .* got \[\(3, 2\), \(3, 2\)\]",
        ),
        "a Hessian of many numbers": (lambda: tg.hvp(tg.exp, X, X), ValueError, "hvp: argument gradient: .* got none"),
        "a check by integers": (lambda: tg.gradcheck(tg.exp, [1, 2]), TypeError, "gradcheck: argument inputs: .* got none"),
        "a check of order 0": (lambda: tg.gradcheck(tg.exp, np.ones(2), order=0), ValueError, "gradcheck: argument order: .* got 0"),
        "a check of an order of text": (
            lambda: tg.gradcheck(tg.exp, np.ones(2), order="2"),
            TypeError,
            "gradcheck: argument order: .* got str '2'",
        ),
        "a check without a step": (lambda: tg.gradcheck(tg.exp, np.ones(2), eps=0), ValueError, "gradcheck: argument eps: .* got 0"),
        "a check with a step below 0": (
            lambda: tg.gradcheck(tg.exp, np.ones(2), eps=-1e-6),
            ValueError,
            "gradcheck: argument eps: .* got -1e-06",
        ),
        "a check that takes everything": (
            lambda: tg.gradcheck(tg.exp, np.ones(2), rtol=float("inf")),
            ValueError,
            "gradcheck: argument rtol: .* got inf",
        ),
        "a check with a seed for a generator": (
            lambda: tg.gradcheck(tg.exp, np.ones(2), rng=1),
            TypeError,
            "gradcheck: argument rng: .* got int 1",
        ),
        "a check of a number": (lambda: tg.gradcheck(5, np.ones(2)), TypeError, "gradcheck: argument f: .* got int 5"),
        "a check of what leaves the graph": (
            lambda: tg.gradcheck(lambda x: x.data, np.ones(2)),
            TypeError,
            "gradcheck: argument f: .* got float64",
        ),
        "a check of what stops the gradient": (
            lambda: tg.gradcheck(lambda x: x.detach(), np.ones(2)),
            tg.GradcheckError,
            r"gradcheck: <lambda>: argument x\[0\]: .* got the derivative 0 \(tolerance 1\.4e-06",
        ),
    },
    "indexing": {
        "a row that is not there": (lambda: leaf(3, 2)[3], IndexError, "getitem: index 3 is out of bounds for axis 0 with"),
        "a row between two": (lambda: leaf(3, 2)[1.0], IndexError, r"getitem: only integers, slices \(`:`\), ellipsis \(`"),
        "more indices than axes": (lambda: leaf(3, 2)[0, 0, 0], IndexError, "getitem: too many indices for array: array is 2-d"),
        "a mask of another size": (lambda: leaf(3, 2)[[True, False]], IndexError, "getitem: boolean index did not match indexed arra"),
        "an assignment": (
            lambda: leaf(3, 2).__setitem__(0, 1.0),
            TypeError,
            r"Tensor\[\.\.\.\] = value: argument self: .* got a Tensor, whose numbers its gr",
        ),
        "a pick beyond the row": (
            lambda: tg.pick(leaf(3, 2), index=np.array([0, 1, 2])),
            IndexError,
            "pick: index 2 is out of bounds for axis 1 with",
        ),
        "a pick from the end": (
            lambda: tg.pick(leaf(3, 2), index=np.array([0, 1, -1])),
            IndexError,
            r"pick: expected integers in \[0, 2\) in index, go",
        ),
        "a pick between two": (
            lambda: tg.pick(leaf(3, 2), index=np.array([0.0, 1.0, 1.0])),
            IndexError,
            r"pick: expected integers in \[0, 2\) in index, go",
        ),
        "a place from the end": (
            lambda: tg.unpick(leaf(3), index=np.array([0, 1, -1]), size=2),
            IndexError,
            r"unpick: expected integers in \[0, 2\) in index, go",
        ),
        "places for other entries": (
            lambda: tg.unpick(leaf(3), index=np.array([0, 1]), size=2),
            ValueError,
            "unpick: expected an index of the shape of a, got",
        ),
        "one entry for several places": (
            lambda: tg.unpick(leaf(1), index=np.array([0, 1]), size=2),
            ValueError,
            "unpick: expected an index of the shape of a, got",
        ),
        "a place that is not there": (
            lambda: tg.scatter([leaf(2)], [5], (3, 2)),
            IndexError,
            "scatter: index 5 is out of bounds for axis 0 with",
        ),
        "more places than parts": (
            lambda: tg.scatter([leaf(2)], [0, 1], (3, 2)),
            ValueError,
            r"scatter: zip\(\) argument 2 is longer than argument",
        ),
        "an axis to take along that is not there": (
            lambda: tg.take_along_axis(leaf(3, 2), [[0]], 2),
            np.exceptions.AxisError,
            "take_along_axis: axis 2 is out of bounds for array of dim",
        ),
        "an entry to take that is not there": (
            lambda: tg.take_along_axis(leaf(3, 2), [[5]], 0),
            IndexError,
            "getitem: index 5 is out of bounds for axis 0 with",
        ),
        "a condition of another shape": (
            lambda: tg.where(np.ones(4) > 0, leaf(3, 2), 0.0),
            ValueError,
            "where: operands could not be broadcast together",
        ),
        "a repetition below none": (lambda: leaf(3, 2).repeat(-1), ValueError, "repeat: negative dimensions are not allowed; got"),
        "half a repetition": (lambda: leaf(3, 2).repeat(1.5), TypeError, r"repeat: Cannot cast scalar from dtype\('float64'\)"),
    },
    "tensors": {
        "scope of a float": (lambda: tg.scope(1.5), TypeError, r"scope: argument parts\[0\]: .* got 1.5"),
        "scope of None": (lambda: tg.scope("gru", None), TypeError, r"scope: argument parts\[1\]: .* got None"),
        "scope of a bool": (lambda: tg.scope(True), TypeError, r"scope: argument parts\[0\]: .* got True"),
        "unknown default dtype": (lambda: tg.set_default_dtype("foo"), TypeError, "set_default_dtype: argument dtype: .* got str 'foo'"),
        "unknown dtype": (lambda: tg.Tensor(X, dtype="foo"), TypeError, "Tensor: argument dtype: .* got str 'foo'"),
        "astype of an unknown dtype": (lambda: tg.Tensor(X).astype("foo"), TypeError, "astype: argument dtype: .* got str 'foo'"),
        "module to an unknown dtype": (lambda: nn.Linear(2, 1).astype("foo"), TypeError, "astype: argument dtype: .* got str 'foo'"),
        "formula with an unknown name": (
            lambda: define("half({b})"),
            ValueError,
            r"op halved: argument formula: .*\{a\}.* got 'half\({b}\)'",
        ),
        "formula with an open brace": (lambda: define("half({a"), ValueError, "op halved: argument formula"),
        "formula with a bare pair": (lambda: define("half({})"), ValueError, "op halved: argument formula"),
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
        "number that no float holds": (lambda: tg.Tensor(X) * 10**400, OverflowError, "multiply: int too large"),
        "number that the dtype does not hold": (lambda: tg.Tensor(np.ones(2, np.uint8)) + 300, OverflowError, "add: Python integer 300"),
        "gradient of another shape": (lambda: backward_onto(np.ones((3, 1))), ValueError, r"backward: argument .* got float64 \(3, 1\)"),
        "rule that gives nothing": (lambda: through(None), TypeError, "backward: argument rule of shrunk: .* got NoneType None"),
        "rule that gives a number": (lambda: through(0.5), TypeError, "backward: argument rule of shrunk: .* got float 0.5"),
        "a NumPy keyword that is not known": (
            lambda: np.einsum("ij,ij->", tg.Tensor(X), X, optimize=True),
            TypeError,
            "np.einsum: argument optimize=",
        ),
        "a Tensor of text": (lambda: tg.Tensor("a"), TypeError, "Tensor: argument data: .* got str 'a'"),
        "a Tensor of nothing": (lambda: tg.Tensor(None), TypeError, "Tensor: argument data: .* got NoneType None"),
        "a Tensor of different lengths": (
            lambda: tg.Tensor([[1.0], [1.0, 2.0]]),
            TypeError,
            r"Tensor: argument data: .* got list \[\[1\.0\], \[1\.0, 2\.0\]\]",
        ),
        "a Tensor of complex numbers": (lambda: tg.Tensor([1j]), TypeError, r"Tensor: argument data: .* got list \[1j\]"),
        "gradients of integers": (
            lambda: tg.Tensor([1, 2], requires_grad=True),
            TypeError,
            r"Tensor: argument requires_grad: .* got int64 \(2,\)",
        ),
        "a Tensor of one with gradients": (
            lambda: tg.Tensor(weight()),
            TypeError,
            "Tensor: argument data: .* got a Tensor that requires gradients",
        ),
        "a number as a name of a Tensor": (lambda: tg.Tensor(X, name=5), TypeError, "Tensor: argument name: .* got int 5"),
        "requires_grad of text": (lambda: tg.Tensor(X, requires_grad="no"), TypeError, "Tensor: argument requires_grad: .* got str 'no'"),
        "nan as an integer": (lambda: tg.Tensor([np.nan], dtype=int), ValueError, "Tensor: argument data: .* got nan"),
        "more than a byte in a byte": (lambda: tg.Tensor([300], dtype="uint8"), ValueError, "Tensor: argument data: .* got 300"),
        "data of another shape": (
            lambda: setattr(weight(), "data", np.ones((3, 1))),
            ValueError,
            r"Tensor\.data: argument new value: .* got float64 \(3, 1\)",
        ),
        "data of another dtype": (
            lambda: setattr(weight(), "data", np.ones(3, int)),
            ValueError,
            r"Tensor\.data: argument new value: .* got int64 \(3,\)",
        ),
        "data of a result": (
            lambda: setattr(weight() * 2, "data", np.ones(3)),
            TypeError,
            r"Tensor\.data: argument tensor: .* got the result of multiply",
        ),
        "the truth of many": (lambda: bool(leaf(3)), ValueError, r"bool: argument t: .* got float32 \(3,\)"),
        "the item of many": (lambda: leaf(3).item(), ValueError, r"item: argument t: .* got float32 \(3,\)"),
        "a float of many": (lambda: float(tg.Tensor(X)), ValueError, r"item: argument t: .* got float32 \(3, 2\)"),
        "the length of a number": (lambda: len(tg.Tensor(1.0)), TypeError, r"len: argument t: .* got float32 \(\)"),
        "a walk over a number": (lambda: list(tg.Tensor(1.0)), TypeError, r"iter: argument t: .* got float32 \(\)"),
        "backward from many numbers": (lambda: (weight() * 2).backward(), ValueError, "backward: argument gradient: .* got none"),
        "backward from a leaf": (lambda: tg.Tensor(1.0).backward(), RuntimeError, r"backward: argument output: .* got Tensor\(1\.\)"),
        "backward from a column": (
            lambda: (weight() * 2).backward(np.ones((3, 1))),
            ValueError,
            r"backward: argument gradient: .* got float64 \(3, 1\)",
        ),
        "backward a second time": (
            lambda: used().backward(),
            RuntimeError,
            r"backward: argument Tensor \(shape \(\) made by sum\): .* got one that was used",
        ),
        "a sum of other sizes": (lambda: leaf(3, 2) + leaf(3), ValueError, "add: operands could not be broadcast together"),
        "a product of other sizes": (lambda: leaf(3, 2) @ leaf(3, 2), ValueError, r"matmul: shapes \(3,2\) and \(3,2\) not aligned: 2 \(d"),
        "places for fewer rows": (
            lambda: tg.pick(leaf(3, 2), [0, 1]),
            ValueError,
            r"pick: expected rows, and an index .*, got shape \(2,\)",
        ),
        "a place in a number": (lambda: tg.pick(leaf(), 0), ValueError, r"pick: expected rows, and an index .*, got shape \(\)"),
        "a place below 0": (lambda: tg.pick(leaf(3, 2), [0, -1, 1]), IndexError, r"expected integers in \[0, 2\) in index, got -1"),
        "half a place": (lambda: tg.pick(leaf(3, 2), [0, 0.5, 1]), IndexError, r"expected integers in \[0, 2\) in index, got dtype float"),
        "a list of sequences of other lengths": (
            lambda: tg.scan(echo, [leaf(4, 1), leaf(6, 1)], leaf(1)),
            ValueError,
            "(?s)scan: argument inputs: expected at least one time step, .*put time on the first axis, and several inputs in a tuple",
        ),
        "a number @ a matrix": (lambda: 2 @ leaf(3, 2), ValueError, "matmul: argument a: expected an array with .* one axis, got int64 ()"),
        "a matrix @ a number": (lambda: leaf(3, 2) @ 2.0, ValueError, "matmul: argument b: expected an array with .* one axis, got float"),
        "a shape of another size": (lambda: leaf(3, 2).reshape(4), ValueError, "reshape: cannot reshape array of size 6 into shap"),
        "a sum over no axis": (lambda: leaf(3, 2).sum(2), np.exceptions.AxisError, "sum: axis 2 is out of bounds for array of dim"),
        "a sum over half an axis": (lambda: leaf(3, 2).sum(0.0), TypeError, "sum: 'float' object cannot be interpreted as "),
        "a softmax along no axis": (
            lambda: tg.softmax(leaf(3, 2), axis=2),
            np.exceptions.AxisError,
            "softmax: axis 2 is out of bounds for array of dim",
        ),
        "the largest of none": (lambda: leaf(0, 3).max(), ValueError, "max: zero-size array to reduction operation m"),
        "the place of the largest of none": (lambda: leaf(0, 3).argmax(), ValueError, r"argmax: argument t: .* got float32 \(0, 3\)"),
        "the place along no axis": (
            lambda: leaf(3, 2).argmax(5),
            np.exceptions.AxisError,
            "argmax: axis: axis 5 is out of bounds for array ",
        ),
        "any along no axis": (lambda: tg.any(leaf(3, 2), 5), np.exceptions.AxisError, "any: axis: axis 5 is out of bounds for array "),
        "axes to fewer places": (
            lambda: tg.moveaxis(leaf(3, 2), [0, 1], [0]),
            ValueError,
            r"moveaxis: argument destination: expected as many places as axes, 2, got 1, \[0\]",
        ),
        "an axis twice": (lambda: leaf(3, 2).transpose(0, 0), ValueError, "transpose: repeated axis in transpose; got a: float"),
        "an axis that is not 1": (lambda: leaf(3, 2).squeeze(0), ValueError, "squeeze: cannot select an axis to squeeze out whi"),
        "a broadcast to fewer": (
            lambda: tg.broadcast_to(leaf(3, 2), (2, 2)),
            ValueError,
            "broadcast_to: operands could not be broadcast together",
        ),
        "parts of different sizes": (
            lambda: tg.concatenate([leaf(3, 2), leaf(2, 3)], axis=0),
            ValueError,
            "concatenate: all the input array dimensions except fo",
        ),
        "bounds of text": (lambda: tg.clip(leaf(3), "a"), TypeError, "clip: ufunc 'maximum' did not contain a loop w"),
        "letters of two sizes": (
            lambda: tg.einsum("ij,jk", leaf(3, 2), leaf(3, 2)),
            ValueError,
            "einsum: operands could not be broadcast together",
        ),
        "parts that are not equal": (lambda: tg.split(leaf(3, 2), 2), ValueError, "split: argument indices_or_sections: .* got 2"),
        "half a part": (lambda: tg.split(leaf(3, 2), 1.5), TypeError, r"split: argument indices_or_sections: .* got float 1\.5"),
        "a power of text": (lambda: leaf(3) ** "a", TypeError, "power: argument b: .* got str 'a'"),
        "integers as the default": (lambda: tg.set_default_dtype(int), TypeError, "set_default_dtype: argument dtype: .* got int64"),
        "a function without a derivative": (lambda: np.linalg.inv(leaf(2, 2)), TypeError, r"np\.linalg\.inv: argument x: .* got a Tensor"),
    },
}
REFUSED = {f"{area}: {what}": row for area, rows in AREAS.items() for what, row in rows.items()}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_call_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_table_is_long_and_has_rows_of_every_area():
    assert len(REFUSED) >= 300
    wanted = "layers cells scan losses optimizers schedules clipping initialisers files text drawing interop compile parallel derivatives"
    assert {*wanted.split(), "indexing", "tensors", "looking into time"} == AREAS.keys()
    assert min(map(len, AREAS.values())) >= 4


# -- the command -------------------------------------------------------------------------------------

COMMANDS = {
    "mathmath --directory none": "mathmath: argument directory: expected .* got none",
    "mathmath extra": "unrecognized arguments: extra",
    "mathmath --seed 3": "unrecognized arguments: --seed 3",
    "mathmath --directory cat.txt": r"mathmath: argument directory: expected .* got cat\.txt",
    "train cat.txt --demo": "train: argument --demo: not allowed with argument FILE",
    "train cat.txt --batch-size 10000": "train: argument text: expected .* got 960 characters",
    "train cat.txt --steps 0": "train: argument steps: expected .* got 0",
    "train cat.txt --layers 0": "CharModel: argument layers: expected .* got 0",
    "train cat.txt --layers 1.5": r"train: argument --layers: invalid int value: '1\.5'",
    "train cat.txt --embedding -1": "CharModel: argument embedding: expected .* got -1",
    "train cat.txt --clip 0": r"train: argument clip: expected .* got 0\.0",
    "train cat.txt --clip nan": "train: argument clip: expected .* got nan",
    "train cat.txt --dropout nan": "GRU: argument dropout: expected .* got nan",
    "train cat.txt --dropout -0.1": r"GRU: argument dropout: expected .* got -0\.1",
    "train cat.txt --holdout 0": r"train: argument holdout: expected .* got 0\.0",
    "train cat.txt --lr inf": "train: argument lr: expected .* got inf",
    "train cat.txt --lr fast": "train: argument --lr: invalid float value: 'fast'",
    "train cat.txt --cell GRU": "train: argument --cell: invalid choice: 'GRU'",
    "train cat.txt more.txt": r"unrecognized arguments: more\.txt",
    "train cat.txt --resume --hidden 9": "train: argument --hidden: expected .* got 9",
    "train --resume": "train: one of the arguments FILE --demo is required",
    "sample": "sample: the following arguments are required: MODEL",
    "sample cat.safetensors --length x": "sample: argument --length: invalid int value: 'x'",
    "sample cat.safetensors --temperature inf": "sample: argument temperature: expected .* got inf",
    "sample cat.safetensors --top-k 1.5": r"sample: argument --top-k: invalid int value: '1\.5'",
    "sample cat.safetensors --prime Ω": r"CharVocab\.encode: argument text: expected .* got 'Ω' at position 0",
    "draw": "draw: one of the arguments MODEL --demo is required",
    "draw none": "load: argument path: expected .* got 'none', which is none",
    "draw cat.txt": r"load: argument path: expected .* got 'cat\.txt'",
    "draw cat.safetensors --text a": "draw: argument --text: expected .* got 'a'",
    "draw cat.safetensors --text Ω!": r"CharVocab\.encode: argument text: expected .* got 'Ω' at position 0",
    "draw cat.safetensors --length 0": "draw: argument --length: expected .* got 0",
    "draw cat.safetensors --out x.foo": r"graph\.save: argument path: expected .* got 'x\.foo'",
    "draw --demo --out x.foo": r"graph\.save: argument path: expected .* got 'x\.foo'",
    "draw --demo --out no/x.svg": r"graph\.save: argument path: expected .* got 'no",
    "draw --demo --theme pink": "graph: argument theme: expected .* got 'pink'",
    "draw --demo --fold nowhere": "graph: argument fold: expected .* got 'nowhere'",
    "draw --demo --steps 9": "graph: argument steps: expected .* got '9'",
    "draw --demo --show weights": "graph: argument show: expected .* got 'weights'",
    "draw --demo --direction left": "graph: argument direction: expected .* got 'left'",
    "draw --demo --highlight nobody": "draw: argument --highlight: expected .* got 'nobody'",
    "draw --demo --parameters x": "graph: argument parameters: expected .* got 'x'",
    "draw --demo --roll --steps last:1": "graph: argument steps: expected .* got 'last:1'",
    "draw --demo cat.safetensors": "draw: argument MODEL: not allowed with argument --demo",
    "draw --demo --text Maxi": r"CharVocab\.encode: argument text: expected .* got 'x' at position 2",
    "compile": "compile: the following arguments are required: CELL",
    "compile tree": "compile: argument CELL: expected .* got 'tree'",
    "compile gru --input 0": "compile: argument --input: expected .* got 0",
    "compile gru --hidden -1": "compile: argument --hidden: expected .* got -1",
    "compile gru --batch x": "compile: argument --batch: invalid int value: 'x'",
    "compile gru --backend cuda": "compile: argument backend: expected .* got 'cuda'",
    "compile none.py:cell": r"compile: argument CELL: expected .* got 'none\.py'",
    "compile cat.txt:cell": r"compile: argument CELL: expected .* got 'cat\.txt:cell'",
    "compile gru lstm": "unrecognized arguments: lstm",
    "check extra": "unrecognized arguments: extra",
    "check --op tanh": "unrecognized arguments: --op tanh",
    "fly": "argument COMMAND: invalid choice: 'fly'",
    "": "the following arguments are required: COMMAND",
    "--bogus": "the following arguments are required: COMMAND",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a text and a small model of it."""
    folder = tmp_path_factory.mktemp("commands")
    (folder / "cat.txt").write_text("the cat sat on the mat. " * 40, encoding="utf-8")
    sizes = ["--hidden", "8", "--embedding", "4", "--batch-size", "4", "--steps", "10", "--epochs", "1"]
    assert main(["train", str(folder / "cat.txt"), "--out", str(folder / "cat.safetensors"), *sizes]) == 0
    return folder


@pytest.mark.parametrize(("command", "message"), COMMANDS.items(), ids=COMMANDS)
def test_a_wrong_command_says_one_line_and_leaves_with_2(command, message, trained, capsys, monkeypatch):
    monkeypatch.chdir(trained)
    try:
        code = main(command.split())
    except SystemExit as leaving:
        code = leaving.code
    told = capsys.readouterr()
    assert code == 2
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert re.search(message, told.err)


def test_every_subcommand_has_wrong_commands():
    for name in ("mathmath", "train", "sample", "draw", "compile", "check"):
        assert sum(command.startswith(name) for command in COMMANDS) >= 2
    assert len(COMMANDS) >= 50
