"""``help(tg.tanh)`` and IPython's ``?`` show the formula, the shapes and the derivative rules."""

import inspect
import pydoc

import numpy as np
import pytest
from every_op import OPS
from internals import Op, cases, registry

import tinygrad_rnn as tg

every_op = pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.name)


def shown(thing):
    """Return what `help` prints in a terminal."""
    return pydoc.plain(pydoc.render_doc(thing))


def test_help_of_tanh_as_a_reader_sees_it():
    assert shown(tg.tanh) == (
        """Python Library Documentation: Op in module tinygrad_rnn.ops.elementwise

tanh(a)
    Return the hyperbolic tangent y of `a`, between −1 and 1. Its derivative is 1 − y². If `a` is
    beyond ±10 in float32 (±20 in float64), y rounds to ±1, so the derivative is 0.

    formula   y = tanh(a)
    shapes    (…) → (…)
    gradient  a gets g * (1 - y * y)
              where g is the gradient of y

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.tanh(tg.Tensor([0.0, 50.0]))
    Tensor([0., 1.])
"""
    ).replace("\n\n    ", "\n    \n    ")


@every_op
def test_help_shows_formula_shapes_and_every_rule(op):
    text = shown(op)
    assert op.formula.format(**{name: name for name in (*op.inputs, *op.defaults)}) in text
    assert op.shapes in text
    for name in op.inputs:
        rule = op.rule_text(name) if name in op.rules else "nothing, because it is a constant"
        assert f"{name} gets {rule}" in text
    first = inspect.cleandoc(op.forward.__doc__ or "").partition("\n")[0]
    assert first in text


@every_op
def test_the_signature_of_an_op_takes_its_sample_calls(op):
    signature = inspect.signature(op)
    for inputs, settings in cases(op, np.random.default_rng(0)):
        given = [inputs] if op.variadic else inputs
        signature.bind(*given, **settings)
        signature.bind(*given, *({**op.defaults, **settings}.values()))


def test_the_signature_of_a_method_leaves_out_the_tensor():
    t = tg.Tensor([1.0])
    assert str(inspect.signature(tg.sum)) == "(a, axis=None, keepdims=False)"
    assert str(inspect.signature(t.logsumexp)) == "(axis=None, keepdims=False)"
    assert str(inspect.signature(tg.concatenate)) == "(arrays, axis=0)"
    assert "gets g * (1 - y * y)" in shown(t.tanh)


def test_settings_without_a_default_after_others_are_named():
    @tg.op("awkward({a})")
    def awkward(a, *, n=2, m):
        """Return a."""
        return a

    assert str(inspect.signature(awkward)) == "(a, *, n=2, m)"
    assert "formula   y = awkward(a)" in shown(awkward)
    del registry["awkward"]


def test_the_class_of_ops_keeps_its_own_help():
    assert Op.__doc__.startswith("A function of arrays together with its derivative.")
    assert "forward" in inspect.signature(Op).parameters
