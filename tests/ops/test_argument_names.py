"""A call with an argument whose name it does not have says which name to write."""

import inspect
import re
from functools import partial

import numpy as np
import pytest
from every_composition import COMPOSITIONS
from internals import ELSEWHERE, registry

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim

X = tg.Tensor(np.ones((3, 2), np.float32), requires_grad=True)


def classes(module, base):
    """Return the public classes of a module below a base class, by name."""
    public = {name: getattr(module, name) for name in module.__all__}
    return {n: c for n, c in public.items() if isinstance(c, type) and issubclass(c, base)}


CALLS = {
    "x.sum": X.sum,
    "x.mean": X.mean,
    "x.std": X.std,
    "x.any": X.any,
    "x.argmax": X.argmax,
    "x.reshape": X.reshape,
    "x.transpose": X.transpose,
    "x.backward": X.backward,
    "x.argsort": X.argsort,
    "x.compress": X.compress,
    "x.astype": partial(X.astype, np.float64),
    "a call of GRU": lambda **named: nn.GRU(2, 2)(X, **named),
    "clip_grad_norm_": nn.clip_grad_norm_,
    "clip_grad_value_": nn.clip_grad_value_,
    **{f"functional.{name}": getattr(nn.functional, name) for name in nn.functional.__all__},
    **{f"op {name}": op for name, op in registry.items()},
    **{name: made.function for name, made in COMPOSITIONS.items()},
    **classes(nn, nn.Module),
    **classes(optim, optim.Optimizer),
    **classes(optim, optim.schedules.ResumableSchedule),
    **{name: partial(getattr(nn, name), 2, 2) for name in ("RNN", "GRU", "LSTM")},
}
"""Calls of every kind, by name."""
TAKES_ALL = {"Module", "Optimizer", "pad", "piecewise"}
"""Calls that take arguments with any name."""


@pytest.mark.parametrize("call", sorted(CALLS.keys() - TAKES_ALL))
def test_an_argument_that_no_library_has_is_answered_with_the_names_that_there_are(call):
    operation = re.split("[ .]", call)[-1]
    sentence = (
        rf"^{operation}: argument zzz: expected (one of|no) .*argument.*, got zzz=; leave it out$"
    )
    with pytest.raises(TypeError, match=sentence):
        CALLS[call](zzz=1)


@pytest.mark.parametrize(
    ("call", "wrong", "right"),
    [
        (lambda **named: X.sum(**named), {"dim": 0}, {"axis": 0}),
        (lambda **named: X.mean(**named), {"keepdim": True}, {"keepdims": True}),
        (lambda **named: tg.sum(X, **named), {"dim": 0}, {"axis": 0}),
        (lambda **named: tg.softmax(X, **named), {"dim": 0}, {"axis": 0}),
        (lambda **named: tg.concatenate([X, X], **named), {"dim": 0}, {"axis": 0}),
        (lambda **named: tg.sort(X, **named), {"dim": 0}, {"axis": 0}),
        (lambda **named: X.std(**named), {"unbiased": 1}, {"ddof": 1}),
        (lambda **named: X.reshape(**named), {"size": (2, 3)}, {"shape": (2, 3)}),
        (lambda **named: X.transpose(**named), {"dims": (1, 0)}, {"axes": (1, 0)}),
        (lambda **named: nn.Linear(3, 2, **named), {"use_bias": False}, {"bias": False}),
        (lambda **named: nn.GRU(3, 2, **named), {"seed": 0}, {"rng": 0}),
        (lambda **named: nn.GRUCell(3, 2, **named), {"key": 0}, {"rng": 0}),
        (lambda **named: nn.GRU(2, 2)(X, **named), {"hx": None}, {"state": None}),
        (lambda **named: nn.Dropout(**named), {"rate": 0.5}, {"p": 0.5}),
        (lambda **named: nn.LayerNorm(3, **named), {"epsilon": 0.5}, {"eps": 0.5}),
        (lambda **named: optim.SGD([X], **named), {"learning_rate": 0.1}, {"lr": 0.1}),
        (lambda **named: optim.Adam([X], **named), {"epsilon": 0.1}, {"eps": 0.1}),
        (lambda **named: optim.RMSprop([X], **named), {"rho": 0.1}, {"alpha": 0.1}),
        (
            lambda **named: optim.StepLR(optim.SGD([X], 0.1), **named),
            {"decay_steps": 2},
            {"step_size": 2},
        ),
        (lambda **named: nn.functional.mse_loss(X, **named), {"y_true": X}, {"target": X}),
    ],
)
def test_a_name_of_another_library_is_answered_with_ours(call, wrong, right):
    ((name, _),), ((ours, _),) = wrong.items(), right.items()
    with pytest.raises(TypeError, match=rf": argument {name}: .*; write {ours}=$"):
        call(**wrong)
    call(**right)


def test_a_name_that_only_looks_alike_is_no_suggestion():
    with pytest.raises(TypeError, match=r"^backward: argument create_graph: .*; leave it out$"):
        X.sum().backward(create_graph=True)


def test_a_dtype_is_answered_with_the_method_that_converts():
    with pytest.raises(TypeError, match=r"^Linear: argument dtype: .*use \.astype\(dtype\)$"):
        nn.Linear(3, 2, dtype=np.float64, foo=1)
    assert nn.Linear(3, 2).astype(np.float64).dtype == np.float64


def test_a_layer_of_ones_own_answers_too():
    class Scale(nn.Module):
        def __init__(self, size, *, bias=True):
            super().__init__()

        def forward(self, x, scale=2):
            return x * scale

    with pytest.raises(TypeError, match=r"^Scale: argument use_bias: .*; write bias=$"):
        Scale(3, use_bias=False)
    with pytest.raises(TypeError, match=r"^Scale: argument scales: .* x, scale, .* write scale=$"):
        Scale(3)(X, scales=3)
    assert str(inspect.signature(Scale)) == "(size, *, bias=True)"


def test_an_error_from_inside_a_call_stays_as_it_is():
    class Broken(nn.Module):
        def forward(self, x):
            return len(3)

    with pytest.raises(TypeError, match="has no len"):
        Broken()(x=X)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        tg.sort(axis=1)


def test_every_name_in_the_table_leads_to_an_argument_that_something_has():
    functions = [getattr(thing, "__init__", thing) for thing in CALLS.values()]
    names = {"state"}
    for thing, function in zip(CALLS.values(), functions, strict=True):
        for known in (function, thing):
            try:
                names |= set(inspect.signature(known).parameters)
            except (TypeError, ValueError):
                continue
    for wrong, ours in ELSEWHERE.items():
        assert not {name for name in ours.split() if name not in names}, wrong
