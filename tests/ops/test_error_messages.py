"""An error of an op names the op, its arguments and the fix."""

import numpy as np
import pytest
from every_op import cotangent

import tinygrad_rnn as tg

WRONG = {
    "add": (
        lambda t: t + np.ones(2),
        ValueError,
        ["add", "a: float64 (3, 4)", "b: float64 (2,)", "reshape"],
    ),
    "matmul": (
        lambda t: t @ np.ones((3, 2)),
        ValueError,
        ["matmul", "(3, 4)", "(3, 2)", "transpose a or b"],
    ),
    "matmul-number": (lambda t: t @ 2.0, ValueError, ["matmul", "argument b", "use *"]),
    "linear": (
        lambda t: tg.linear(t, np.ones((2, 3)), np.ones(2)),
        ValueError,
        ["linear", "weight: float64 (2, 3)", "(out, in)"],
    ),
    "reshape": (lambda t: t.reshape(5), ValueError, ["reshape", "(3, 4)"]),
    "sum": (lambda t: t.sum(2), ValueError, ["sum", "axis 2"]),
    "concatenate": (
        lambda t: tg.concatenate([t, np.ones(4)]),
        ValueError,
        ["concatenate", "arrays[0]: float64 (3, 4)", "arrays[1]: float64 (4,)"],
    ),
    "concatenate-flat": (
        lambda t: tg.concatenate([t, t], axis=None),
        TypeError,
        ["concatenate", "axis", "reshape(-1)"],
    ),
    "stack": (lambda t: tg.stack([t, np.ones(4)]), ValueError, ["stack", "arrays[1]"]),
    "max-empty": (lambda t: t[:0].max(axis=0), ValueError, ["max", "(0, 4)"]),
    "getitem": (lambda t: t[5], IndexError, ["getitem", "5", "use an integer, a slice"]),
    "text": (lambda t: t + np.array(["a"] * 4), TypeError, ["add", "b: <U1 (4,)"]),
    "setting": (
        lambda t: tg.sum(t, axes=0),
        TypeError,
        ["sum: argument axes", "a, axis, keepdims", "write axis="],
    ),
    "too-many": (lambda t: tg.exp(t, t), TypeError, ["exp(a)", "2 positional"]),
    "too-few": (lambda t: tg.add(t), TypeError, ["add(a, b)", "1 positional"]),
    "missing-setting": (lambda t: tg.reshape(t), TypeError, ["reshape(a, shape)"]),
    "none": (lambda t: t + None, TypeError, ["add: argument b", "real numbers", "NoneType None"]),
    "none-left": (lambda t: None * t, TypeError, ["multiply: argument a", "NoneType None"]),
    "ragged": (
        lambda t: t - [[1.0], [1.0, 2.0]],
        TypeError,
        ["subtract: argument b", "a rectangular array", "[[1.0], [1.0, 2.0]]"],
    ),
    "plain-none": (lambda t: tg.exp(None), TypeError, ["exp: argument a", "NoneType None"]),
    "list-of-tensors": (lambda t: t * [t, t], TypeError, ["multiply: argument b", "tg.stack"]),
    "matmul-none": (lambda t: t @ None, TypeError, ["matmul: argument b", "NoneType None"]),
    "linear-none": (
        lambda t: tg.linear(t, None),
        TypeError,
        ["linear: argument weight", "NoneType None"],
    ),
    "stack-none": (
        lambda t: tg.stack([t, None]),
        TypeError,
        ["stack: argument arrays[1]", "NoneType None"],
    ),
    "concatenate-nothing": (
        lambda t: tg.concatenate([]),
        ValueError,
        ["concatenate", "got none", "at least one array"],
    ),
    "stack-nothing": (
        lambda t: tg.stack([]),
        ValueError,
        ["stack", "got none", "at least one array"],
    ),
    "concatenate-number": (
        lambda t: tg.concatenate(5),
        TypeError,
        ["concatenate: argument arrays", "int 5", "list"],
    ),
    "stack-0-d": (
        lambda t: tg.stack(t.sum()),
        TypeError,
        ["stack: argument arrays", "float64 ()", "list"],
    ),
    "einsum-few": (
        lambda t: tg.einsum("ij,jk->ik", t),
        ValueError,
        ["einsum: argument operands", "2 arrays", "got 1"],
    ),
    "einsum-none": (
        lambda t: tg.einsum("ij"),
        ValueError,
        ["einsum: argument operands", "1 array,", "got 0"],
    ),
    "einsum-many": (
        lambda t: tg.einsum("ij->i", t, t),
        ValueError,
        ["einsum: argument operands", "1 array,", "got 2"],
    ),
    "swapaxes": (lambda t: t.swapaxes(0, 5), ValueError, ["swapaxes: axis2", "axis 5"]),
    "split-axis": (lambda t: t.split(2, axis=3), ValueError, ["split: axis", "axis 3"]),
    "repeat": (
        lambda t: t.repeat([1, 2], axis=0),
        ValueError,
        ["repeat", "(3, 4)", "one integer for each entry"],
    ),
}


@pytest.mark.parametrize(("f", "kind", "words"), WRONG.values(), ids=WRONG)
def test_error_names_what_is_wrong(f, kind, words):
    t = tg.Tensor(np.ones((3, 4)), requires_grad=True)
    with pytest.raises(kind) as caught:
        f(t)
    for word in words:
        assert word in str(caught.value)


def test_settings_by_position_and_inputs_by_name():
    a = cotangent((3, 4))
    np.testing.assert_array_equal(tg.sum(a, 0, True), a.sum(0, keepdims=True))
    np.testing.assert_array_equal(tg.add(a=tg.Tensor(a), b=1.0).data, a + 1)
    np.testing.assert_array_equal(tg.transpose(tg.Tensor(a), (1, 0)).data, a.T)
    np.testing.assert_array_equal(tg.stack([a, a], -1), np.stack([a, a], -1))


@pytest.mark.parametrize(
    "call",
    [lambda: tg.Tensor([1]) + 10**30, lambda: tg.Tensor([True]) - tg.Tensor([False])],
    ids=["a number too large for integers", "a difference of booleans"],
)
def test_an_error_about_dtypes_suggests_another_dtype_and_no_other_shape(call):
    with pytest.raises((OverflowError, TypeError), match=r"\.astype\(float\)") as caught:
        call()
    assert "reshape" not in str(caught.value)
    assert "^" not in str(caught.value)
