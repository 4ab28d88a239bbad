"""Wrong calls of networks: each error names the operation and the argument."""

import numpy as np
from helpers import leaf
from wrong_calls import (
    SEQUENCE,
    X,
    assert_refused,
    diverged,
    echo,
    every,
    linear_state,
    weight,
    with_gradients,
)

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn import functional as F
from tinygrad_rnn.nn import init

AREAS = {
    "layers": {
        "layer's rng of text": (
            lambda: nn.GRU(2, 3, rng="a"),
            TypeError,
            r"generator: argument rng \(a seed\): .* got str 'a'",
        ),
        "layer's rng of a float": (
            lambda: nn.GRU(2, 3, rng=1.5),
            TypeError,
            r"generator: argument rng \(a seed\): .* got float 1.5",
        ),
        "negative seed": (
            lambda: nn.GRU(2, 3, rng=-1),
            ValueError,
            r"generator: argument rng \(a seed\): .* got -1",
        ),
        "output and state together": (
            lambda: nn.Sequential(nn.GRU(2, 3), nn.Linear(3, 2))(tg.Tensor(X)),
            TypeError,
            r"Linear: argument x: expected one Tensor, got a tuple of 2; pass only the "
            r"output, because a recurrent layer returns \(output, state\)",
        ),
        "array over a parameter": (
            lambda: setattr(nn.Linear(2, 2), "weight", np.ones((2, 2), np.float32)),
            TypeError,
            r"Linear: argument weight: .* got float32 \(2, 2\)",
        ),
        "array over a layer's parameter": (
            lambda: setattr(nn.GRU(2, 2), "weight_hh_l0", X),
            TypeError,
            "GRUCell: argument weight_hh",
        ),
        "state dict of a list": (
            lambda: nn.Linear(2, 2).load_state_dict([1]),
            TypeError,
            "Linear.load_state_dict: argument state: .* got list",
        ),
        "dropout of integers": (
            lambda: nn.Dropout(0.3)(tg.Tensor([10, 10])),
            TypeError,
            "dropout: argument x: .* got int64",
        ),
        "an input of other features": (
            lambda: nn.Linear(3, 2)(X),
            ValueError,
            r"Linear: argument x: .* got float32 \(3, 2\)",
        ),
        "integers into an affine map": (
            lambda: nn.Linear(2, 2)([[1, 2]]),
            TypeError,
            r"Linear: argument x: .* got int64 \(1, 2\)",
        ),
        "float64 into float32 weights": (
            lambda: nn.Linear(2, 2)(X.astype(float)),
            TypeError,
            r"Linear: argument x: .* got float64 \(3, 2\)",
        ),
        "a bias of text": (
            lambda: nn.Linear(2, 2, bias="no"),
            TypeError,
            "Linear: argument bias: .* got str 'no'",
        ),
        "a number into an affine map": (
            lambda: nn.Linear(2, 2)(tg.Tensor(1.0)),
            ValueError,
            r"Linear: argument x: .* got float32 \(\)",
        ),
        "one-hot rows where indices are expected": (
            lambda: nn.Embedding(3, 2)(np.eye(3)),
            TypeError,
            r"Embedding: argument index: .* got float64 \(3, 3\)",
        ),
        "an index below 0": (
            lambda: nn.Embedding(3, 2)([-1]),
            ValueError,
            r"Embedding: argument index: .* got -1 at position \(0,\)",
        ),
        "an index that is no row": (
            lambda: nn.Embedding(3, 2)([3]),
            ValueError,
            r"Embedding: argument index: .* got 3 at position \(0,\)",
        ),
        "indices of different lengths": (
            lambda: nn.Embedding(3, 2)([[0], [0, 1]]),
            TypeError,
            r"Embedding: argument index: .* got list \[\[0\], \[0, 1\]\]",
        ),
        "a probability above 1": (
            lambda: nn.Dropout(1.5),
            ValueError,
            r"Dropout: argument p: .* got 1\.5",
        ),
        "a probability that is no number": (
            lambda: nn.Dropout(False),
            TypeError,
            "Dropout: argument p: .* got bool False",
        ),
        "training of text": (
            lambda: F.dropout(X, 0.5, training="no"),
            TypeError,
            "dropout: argument training: .* got str 'no'",
        ),
        "a normalised shape of other sizes": (
            lambda: nn.LayerNorm(3)(X),
            ValueError,
            r"LayerNorm: argument x: .* got float32 \(3, 2\)",
        ),
        "no axis to normalise": (
            lambda: nn.LayerNorm(()),
            ValueError,
            "LayerNorm: argument normalized_shape: .* got none",
        ),
        "eps beyond the largest float": (
            lambda: nn.LayerNorm(2, eps=10**5000),
            ValueError,
            "LayerNorm: argument eps: .* got an integer beyond the largest float",
        ),
        "eps below 0": (
            lambda: nn.LayerNorm(2, eps=-1),
            ValueError,
            "LayerNorm: argument eps: .* got -1",
        ),
        "a list of layers in place of layers": (
            lambda: nn.Sequential([nn.Linear(2, 2)]),
            TypeError,
            r"Sequential: argument steps\[0\]: .* got list \[Linear\(2, 2\)\]",
        ),
        "a step that is not there": (
            lambda: nn.Sequential(nn.Linear(2, 2))[3],
            IndexError,
            "Sequential: argument i: .* got int 3",
        ),
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
        "a number into a layer": (
            lambda: nn.Linear(2, 2)(np.float32(1)),
            ValueError,
            r"Linear: argument x: .* got float32 \(\)",
        ),
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
            r"Linear\.load_state_dict: argument state: .* got bias expected float32 \(2,\), "
            r"got float64 \(2,\)",
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
        "a mode of text": (
            lambda: nn.Linear(2, 2).train("no"),
            TypeError,
            "train: argument mode: .* got str 'no'",
        ),
        "no hidden unit": (
            lambda: nn.GRU(2, 0),
            ValueError,
            "GRUCell: argument hidden_size: .* got 0",
        ),
        "hidden units that are no integer": (
            lambda: nn.GRU(2, 2.0),
            TypeError,
            r"GRUCell: argument hidden_size: .* got float 2\.0",
        ),
        "True hidden units": (
            lambda: nn.GRU(2, True),
            TypeError,
            "GRUCell: argument hidden_size: .* got bool True",
        ),
        "no layer": (lambda: nn.GRU(2, 2, 0), ValueError, "GRU: argument num_layers: .* got 0"),
        "dropout above 1": (
            lambda: nn.GRU(2, 2, 2, dropout=1.5),
            ValueError,
            r"GRU: argument dropout: .* got 1\.5",
        ),
        "zoneout below 0": (
            lambda: nn.GRU(2, 2, zoneout=-0.1),
            ValueError,
            r"GRU: argument zoneout: .* got -0\.1",
        ),
        "a form that is not known": (
            lambda: nn.GRU(2, 2, reset="never"),
            ValueError,
            "GRUCell: argument reset: .* got 'never'",
        ),
        "a nonlinearity that is not known": (
            lambda: nn.RNN(2, 2, nonlinearity="sigmoid"),
            ValueError,
            "RNNCell: argument nonlinearity: .* got 'sigmoid'",
        ),
        "bidirectional of text": (
            lambda: nn.GRU(2, 2, bidirectional="no"),
            TypeError,
            "GRU: argument bidirectional: .* got str 'no'",
        ),
        "batch_first of text": (
            lambda: nn.GRU(2, 2, batch_first="no"),
            TypeError,
            "GRU: argument batch_first: .* got str 'no'",
        ),
        "a sequence with four axes": (
            lambda: nn.GRU(2, 2)(np.ones((1, 2, 3, 2), np.float32)),
            ValueError,
            r"GRU: argument x: .* got float32 \(1, 2, 3, 2\)",
        ),
        "a sequence with one axis": (
            lambda: nn.GRU(2, 2)(np.ones(2, np.float32)),
            ValueError,
            r"GRU: argument x: .* got float32 \(2,\)",
        ),
        "symbols where vectors are expected": (
            lambda: nn.GRU(2, 2)(np.ones((3, 2), int)),
            TypeError,
            r"GRU: argument x: .* got int64 \(3, 2\)",
        ),
        "float64 into a float32 layer": (
            lambda: nn.GRU(2, 2)(np.ones((3, 2))),
            TypeError,
            r"GRU: argument x: .* got float64 \(3, 2\)",
        ),
        "a sequence of other features": (
            lambda: nn.GRU(3, 2)(SEQUENCE),
            ValueError,
            r"GRU: argument x: .* got float32 \(4, 3, 2\)",
        ),
        "a sequence without steps": (
            lambda: nn.GRU(2, 2)(SEQUENCE[:0]),
            ValueError,
            r"GRU: argument x: .* got float32 \(0, 3, 2\)",
        ),
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
        "a number in place of a state": (
            lambda: nn.GRU(2, 2)(SEQUENCE, 0.0),
            ValueError,
            r"GRU: argument state: .* got float32 \(\)",
        ),
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
            r"Recurrent: argument cell: .* got GRUCell GRUCell\(2, 2\)",
        ),
        "a cell without a size": (
            lambda: nn.Recurrent(lambda s, r: echo, 2),
            TypeError,
            "Recurrent: argument hidden_size: .* got NoneType None",
        ),
        "a parameter of another size in its place": (
            lambda: setattr(nn.GRU(2, 2), "weight_hh_l0", leaf(2, 2)),
            ValueError,
            r"GRU: argument weight_hh_l0: .* got float64 \(2, 2\)",
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
        "features of another size": (
            lambda: nn.GRUCell(3, 2)(X),
            ValueError,
            r"GRUCell: argument x: .* got float32 \(3, 2\)",
        ),
        "integers into a cell": (
            lambda: nn.GRUCell(2, 2)(X.astype(int)),
            TypeError,
            r"GRUCell: argument x: .* got int64 \(3, 2\)",
        ),
        "a cell without units": (
            lambda: nn.LSTMCell(2, 0),
            ValueError,
            "LSTMCell: argument hidden_size: .* got 0",
        ),
        "half a unit": (
            lambda: nn.RNNCell(2, 2.5),
            TypeError,
            r"RNNCell: argument hidden_size: .* got float 2\.5",
        ),
        "features below none": (
            lambda: nn.RNNCell(-2, 2),
            ValueError,
            "RNNCell: argument input_size: .* got -2",
        ),
        "h without c": (
            lambda: nn.LSTMCell(2, 2)(X, np.zeros((3, 2), np.float32)),
            TypeError,
            r"LSTMCell: argument state: .* got float32 \(3, 2\)",
        ),
    },
    "scan": {
        "scan of a number": (
            lambda: tg.scan(echo, 3.0, tg.Tensor(0.0)),
            ValueError,
            "scan: argument inputs: .* got float 3.0",
        ),
        "scan of a 0-d Tensor": (
            lambda: tg.scan(echo, tg.Tensor(3.0), tg.Tensor(0.0)),
            ValueError,
            r"scan: argument inputs: .* got float32 \(\)",
        ),
        "scan of a tuple of numbers": (
            lambda: tg.scan(echo, (3.0,), tg.Tensor(0.0)),
            ValueError,
            "scan: argument inputs",
        ),
        "no steps": (
            lambda: tg.scan(echo, SEQUENCE[:0], tg.Tensor(0.0)),
            ValueError,
            r"scan: argument inputs: .* got float32 \(0, 3, 2\)",
        ),
        "no cell": (
            lambda: tg.scan(None, SEQUENCE, tg.Tensor(0.0)),
            TypeError,
            "scan: argument cell: .* got NoneType None",
        ),
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
        "text as inputs": (
            lambda: tg.scan(echo, "abc", tg.Tensor(0.0)),
            ValueError,
            "scan: argument inputs: .* got str 'abc'",
        ),
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
            lambda: nn.functional.binary_cross_entropy_with_logits(
                X, X / 6, weight=np.ones((4, 3, 2))
            ),
            ValueError,
            "binary_cross_entropy_with_logits: argument weight",
        ),
        "an integer above 1 as a probability": (
            lambda: F.binary_cross_entropy_with_logits(X, tg.Tensor(np.full((3, 2), 2))),
            ValueError,
            r"binary_cross_entropy_with_logits: argument target: expected probabilities in "
            r"\[0, 1\], got 2.0 at position \(0, 0\)",
        ),
        "classes of fewer sequences": (
            lambda: F.cross_entropy(SEQUENCE, np.zeros((4, 2), int)),
            ValueError,
            r"cross_entropy: argument target: expected integers of shape \(4, 3\) or "
            r"probabilities of shape \(4, 3, 2\), got",
        ),
        "labels of -1 and 1": (
            lambda: F.binary_cross_entropy_with_logits(np.ones(2), [1, -1]),
            ValueError,
            r"target: expected probabilities in \[0, 1\], got -1.0 at position \(1,\); use "
            r"\(target \+ 1\) / 2 if the labels are -1 and 1",
        ),
        "a number in place of logits": (
            lambda: F.cross_entropy(tg.Tensor(1.0), 0),
            ValueError,
            r"cross_entropy: argument logits: expected floats of shape \(..., classes\) "
            r"with at least one class, got float32 \(\)",
        ),
        "a factor too many, for sequences": (
            lambda: F.cross_entropy(SEQUENCE, np.zeros((4, 3), int), weight=np.ones(3)),
            ValueError,
            r"cross_entropy: argument weight: expected one weight for each class, shape "
            r"\(2,\), got float32 \(3,\)",
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
        "text as targets": (
            lambda: F.cross_entropy(X, "abc"),
            TypeError,
            "cross_entropy: argument target: .* got str 'abc'",
        ),
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
            "cross_entropy: argument target: .* got none, so the mean is undefined",
        ),
        "a mean over an empty batch": (
            lambda: F.cross_entropy(X[:0], np.zeros(0, int)),
            ValueError,
            "cross_entropy: argument target: .* got none, so the mean is undefined",
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
            r"cross_entropy: argument weight: .* got a Tensor with gradients, float64 \(2,\)",
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
        "integers to fit": (
            lambda: F.mse_loss([1, 2], [3, 4]),
            TypeError,
            r"mse_loss: argument input: .* got int64 \(2,\)",
        ),
        "complex numbers to fit": (
            lambda: F.mse_loss(X, X * 1j),
            TypeError,
            r"mse_loss: argument target: .* got complex64 \(3, 2\)",
        ),
        "None to fit": (
            lambda: F.mse_loss(X, np.full((3, 2), None)),
            TypeError,
            r"mse_loss: argument target: .* got object \(3, 2\)",
        ),
        "an error over nothing": (
            lambda: F.mse_loss(X[:0], X[:0]),
            ValueError,
            "mse_loss: argument target: .* got none, so the mean is undefined",
        ),
        "a target above 1": (
            lambda: F.binary_cross_entropy_with_logits(X, X),
            ValueError,
            r"binary_cross_entropy_with_logits: argument target: .* got 2\.0 at position \(1, 0\)",
        ),
        "a target below 0": (
            lambda: F.binary_cross_entropy_with_logits(X, -X / 6),
            ValueError,
            r"binary_cross_entropy_with_logits: argument target: .* got -0\.1666666716337204 "
            r"at position \(0, 1\)",
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
            r"cross_entropy: argument target: .* got a sum of 1\.8 at position \(1,\)",
        ),
        "probabilities of 0 in sum": (
            lambda: F.cross_entropy(X, tg.Tensor(np.zeros((3, 2)), requires_grad=True)),
            ValueError,
            r"cross_entropy: argument target: .* got a sum of 0 at position \(0,\).* ignore_index",
        ),
        "one-hot rows of integers": (
            lambda: F.cross_entropy(X, np.eye(3, 2, dtype=int)),
            ValueError,
            r"cross_entropy: argument target: .* got int64 \(3, 2\); use "
            r"target\.argmax\(axis=-1\) .* target\.astype\(float\)",
        ),
        "one-hot rows for log-probabilities": (
            lambda: F.nll_loss(X, np.eye(3, 2, dtype=int)),
            ValueError,
            r"nll_loss: argument target: expected integers of shape \(3,\), got int64 \(3, "
            r"2\); use target\.argmax\(axis=-1\) to turn",
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
    "clipping": {
        "clip what is no Tensor": (
            lambda: nn.clip_grad_norm_([5], 1.0),
            TypeError,
            r"clip_grad_norm_: argument parameters\[0\]: .* got int 5",
        ),
        "clip values of no Tensor": (
            lambda: nn.clip_grad_value_([X], 1.0),
            TypeError,
            r"clip_grad_value_: argument parameters\[0\]",
        ),
        "clip to no norm": (
            lambda: nn.clip_grad_norm_([weight()], 1.0, norm_type=0),
            ValueError,
            "clip_grad_norm_: argument norm_type",
        ),
        "clip to a norm of text": (
            lambda: nn.clip_grad_norm_([weight()], "a"),
            ValueError,
            "clip_grad_norm_: argument max_norm",
        ),
        "a tied parameter twice": (
            lambda: nn.clip_grad_norm_([*(w := with_gradients(np.ones(3))), *w], 1.0),
            ValueError,
            r"clip_grad_norm_: argument parameters\[1\]: .* got a Tensor of shape \(3,\), "
            r"which is parameters\[0\] too",
        ),
        "values of one parameter twice": (
            lambda: nn.clip_grad_value_([*(w := [weight()]), *w], 1.0),
            ValueError,
            r"clip_grad_value_: argument parameters\[1\]: .* which is parameters\[0\] too",
        ),
        "a norm that no number holds": (
            lambda: nn.clip_grad_norm_(with_gradients(np.full(3, 1.7e308)), 1.0),
            ValueError,
            r"clip_grad_norm_: argument parameters: .* got a norm of inf from entries up to "
            r"1\.7e\+308",
        ),
        "a norm below 0": (
            lambda: nn.clip_grad_norm_([weight()], -1.0),
            ValueError,
            r"clip_grad_norm_: argument max_norm: .* got -1\.0",
        ),
        "a norm of 0": (
            lambda: nn.clip_grad_norm_([weight()], 0),
            ValueError,
            "clip_grad_norm_: argument max_norm: .* got 0",
        ),
        "a norm of True": (
            lambda: nn.clip_grad_norm_([weight()], True),
            ValueError,
            "clip_grad_norm_: argument max_norm: .* got True",
        ),
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
        "a bound of text": (
            lambda: nn.clip_grad_value_([weight()], "a"),
            ValueError,
            "clip_grad_value_: argument clip_value: .* got 'a'",
        ),
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
        "one axis where two are expected": (
            lambda: init.xavier_uniform((3,)),
            ValueError,
            r"init: argument shape: .* got \(3,\)",
        ),
        "rows below none": (
            lambda: init.xavier_normal((-1, 2)),
            ValueError,
            "init: argument shape: expected an integer, at least 0, got -1",
        ),
        "a vector to be orthogonal": (
            lambda: init.orthogonal((3,)),
            ValueError,
            r"init: argument shape: .* got \(3,\)",
        ),
        "a size below 0": (
            lambda: init.uniform((-1, 2), 0.1),
            ValueError,
            "init: argument shape: .* got -1",
        ),
        "half a size": (
            lambda: init.zeros((1.5, 2)),
            TypeError,
            r"init: argument shape: .* got float 1\.5",
        ),
        "a shape of text": (
            lambda: init.ones("ab"),
            TypeError,
            "init: argument shape: .* got str 'ab'",
        ),
        "an array in place of its shape": (
            lambda: init.orthogonal(tg.Tensor(X)),
            TypeError,
            r"init: argument shape: .* got float32 \(3, 2\)",
        ),
        "a bound under 0": (
            lambda: init.uniform((2, 2), -1.0),
            ValueError,
            r"init: argument bound: .* got -1\.0",
        ),
        "a bound in words": (
            lambda: init.uniform((2, 2), "a"),
            TypeError,
            "init: argument bound: .* got str 'a'",
        ),
        "a deviation below 0": (
            lambda: init.normal((2, 2), -1.0),
            ValueError,
            r"init: argument std: .* got -1\.0",
        ),
        "a gain of nan": (
            lambda: init.orthogonal((2, 2), float("nan")),
            ValueError,
            "init: argument gain: .* got nan",
        ),
        "a gain of text": (
            lambda: init.xavier_uniform((2, 2), "a"),
            TypeError,
            "init: argument gain: .* got str 'a'",
        ),
        "a generator of the old kind": (
            lambda: init.normal((2, 2), rng=np.random.RandomState(0)),
            TypeError,
            r"generator: argument rng \(a seed\): .* got RandomState RandomState\(MT19937\)",
        ),
    },
}


@every(AREAS)
def test_a_wrong_call_of_networks_is_refused_by_name(call, error, message):
    assert_refused(call, error, message)


def test_wrong_calls_of_networks_have_rows_of_every_area():
    assert AREAS.keys() == {"layers", "cells", "scan", "losses", "clipping", "initialisers"}
    assert min(map(len, AREAS.values())) >= 4
