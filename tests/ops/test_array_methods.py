"""The methods of a Tensor take what the methods of an array and NumPy's functions take."""

import numpy as np
import pytest
from helpers import together

import tinygrad_rnn as tg

A = np.random.default_rng(5).uniform(0.5, 2.0, (3, 4))
MASK = A > 1.0
CALLS = {
    "sum": [{"dtype": "f4"}, {"axis": 0, "where": MASK}, {"initial": 2.5, "keepdims": True}],
    "prod": [{"dtype": "f4"}, {"axis": 1, "where": MASK, "initial": 2}, {"initial": 2}],
    "mean": [{"dtype": "f4"}, {"axis": 1, "where": MASK}, {"where": MASK, "keepdims": True}],
    "max": [{"initial": 1.5, "axis": 0}, {"where": MASK, "initial": 0.1}],
    "min": [{"initial": 1.5, "axis": 0}, {"where": MASK, "initial": 9.0, "keepdims": True}],
    "var": [{"correction": 1}, {"dtype": "f4", "ddof": 1}, {"mean": A.mean(0), "axis": 0}],
    "std": [{"correction": 1}, {"where": MASK, "axis": 1}, {"mean": 1.5, "where": MASK, "ddof": 1}],
    "cumsum": [{"dtype": "f4"}, {"axis": 1, "dtype": "f4"}],
    "cumprod": [{"dtype": "f4"}, {"axis": 1, "dtype": "f4"}],
    "argmax": [{"keepdims": True}, {"axis": 1, "keepdims": True}, {"axis": 0}],
    "argmin": [{"keepdims": True}, {"axis": -1, "keepdims": True}, {}],
    "ravel": [{"order": "F"}, {"order": "C"}],
    "reshape": [{"shape": (2, -1), "order": "F"}, {"shape": -1, "order": "F"}],
}
"""Calls with the arguments of NumPy's function of that name."""
EVERY = [(name, more) for name, several in CALLS.items() for more in several]


@together("case", EVERY)
def test_a_method_and_the_function_of_numpy_take_the_same_arguments(case):
    name, more = case
    expected = getattr(np, name)(A, **more)
    for tracked in (True, False):
        x = tg.Tensor(A, requires_grad=tracked)
        for found in (getattr(x, name)(**more), getattr(np, name)(x, **more)):
            if not name.startswith("arg"):
                assert found.requires_grad == tracked
                found = found.data
            assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
            np.testing.assert_allclose(found, expected, rtol=1e-6 if "dtype" in more else 1e-13)


@together("case", [(n, m) for n, m in EVERY if not n.startswith("arg") and "dtype" not in m])
def test_a_method_with_arguments_of_numpy_has_the_right_gradient(case):
    name, more = case
    assert tg.gradcheck(lambda x: getattr(x, name)(**more), A, order=2)


def test_sizes_and_orders_may_be_given_by_place():
    x = tg.Tensor(A)
    np.testing.assert_array_equal(x.reshape(2, 6, order="F").data, A.reshape(2, 6, order="F"))
    np.testing.assert_array_equal(x.flatten("F").data, A.flatten("F"))
    np.testing.assert_array_equal(x.cumsum(0, "f8").data, A.cumsum(0, "f8"))


WRONG = {
    "a dtype in the place of keepdims": (lambda x: x.sum(0, "f4"), r"keepdims: expected True or"),
    "a dtype for an op": (lambda x: tg.max(x, 0, "f4"), r"max: argument keepdims: expected True"),
    "a dtype in the place of ddof": (lambda x: x.var(0, "f4"), r"ddof: expected a number"),
    "an order without a meaning": (lambda x: x.ravel("K"), r"order: expected 'C' or 'F', got 'K'"),
    "an integer dtype": (lambda x: x.sum(dtype=int), r"sum: argument dtype: expected a floating"),
    "too many arguments": (lambda x: x.argmax(0, None, 1), r"argmax: got 4 .*call it as argmax\("),
    "too many for a method": (lambda x: x.argsort(0, "stable"), r"call it as argsort\(axis=-1\)"),
    "a mask for an op": (lambda x: tg.sum(x, where=MASK), r"use np\.sum\(\.\.\., where=\.\.\.\)"),
    "a mask for any": (lambda x: x.any(where=MASK), r"use np\.any\(\.\.\., where="),
    "an order for an op": (lambda x: tg.reshape(x, 12, order="F"), r"use np\.reshape\("),
}


@pytest.mark.parametrize(("call", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_argument_of_a_method_is_answered_with_a_fix(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call(tg.Tensor(A, requires_grad=True))
