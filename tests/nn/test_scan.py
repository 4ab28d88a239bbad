"""Scan: the state keeps its structure, shapes and dtypes from step to step."""

from typing import NamedTuple

import numpy as np
import pytest

import tinygrad_rnn as tg

X = tg.Tensor(np.ones((5, 3), "float32"))


def zeros(*shape, dtype="float32"):
    return tg.Tensor(np.zeros(shape, dtype))


class Pair(NamedTuple):
    h: tg.Tensor
    c: tg.Tensor


STEPS = {
    "shape": (
        lambda x, h: tg.concatenate([h, x]),
        zeros(3),
        0,
        r"float32 \(3,\), got float32 \(6,\)",
    ),
    "broadcast": (lambda x, h: x + h, zeros(), 0, r"float32 \(\), got float32 \(3,\)"),
    "dtype": (
        lambda x, h: h + x.astype("float64"),
        zeros(3),
        0,
        r"float32 \(3,\), got float64 \(3,\)",
    ),
    "integer": (
        lambda x, h: x + h,
        zeros(3, dtype="int64"),
        0,
        r"int64 \(3,\), got float32 \(3,\)",
    ),
    "to a tuple": (
        lambda x, h: (h, h),
        zeros(3),
        0,
        r"float32 \(3,\), got \(float32 \(3,\), float32 \(3,\)\)",
    ),
    "from a tuple": (
        lambda x, s: s[0],
        (zeros(3), zeros(3)),
        0,
        r"\(float32 \(3,\), float32 \(3,\)\), got float32 \(3,\)",
    ),
    "one part": (
        lambda x, s: (s[0], s[1] + x),
        (zeros(3), zeros()),
        0,
        r"float32 \(\)\), got \(float32 \(3,\), float32 \(3,\)\)",
    ),
    "one more part": (
        lambda x, s: (*s, x),
        (zeros(3),),
        0,
        r"\(float32 \(3,\)\), got \(float32 \(3,\), float32 \(3,\)\)",
    ),
    "dict": (
        lambda x, s: {"h": s["h"][:2]},
        {"h": zeros(3)},
        0,
        r"{h: float32 \(3,\)}, got {h: float32 \(2,\)}",
    ),
    "other keys": (lambda x, s: {"c": s["h"]}, {"h": zeros(3)}, 0, r"{h: .*}, got {c: .*}"),
    "none": (lambda x, h: None, zeros(3), 0, r"float32 \(3,\), got NoneType None"),
    "after none": (
        lambda x, h: x if h is None else x[:2],
        None,
        1,
        r"float32 \(3,\), got float32 \(2,\)",
    ),
}


@pytest.mark.parametrize(("step", "state", "when", "message"), STEPS.values(), ids=STEPS)
def test_a_state_that_changes_is_an_error_that_names_the_step(step, state, when, message):
    with pytest.raises(
        ValueError,
        match=(
            rf"scan: argument cell: expected after step {when}, a state of the same form as "
            rf"before: .*{message}; start from"
        ),
    ):
        tg.scan(lambda x, s: (x, step(x, s)), X, state)


def test_a_change_in_the_middle_names_its_step():
    steps = iter(range(5))

    def cell(x, h):
        return x, h if next(steps) < 3 else h.astype("float64")

    with pytest.raises(ValueError, match="after step 3, "):
        tg.scan(cell, X, zeros(3))
    steps = iter(range(5))
    with pytest.raises(ValueError, match="after step 1, "):
        tg.scan(cell, X, zeros(3), reverse=True)


@pytest.mark.parametrize(
    "state",
    [
        *(
            zeros(3),
            (zeros(3), zeros(2)),
            [zeros(3), (zeros(), zeros(2))],
            {"h": zeros(3), "c": [zeros(1)]},
        ),
        *(Pair(zeros(3), zeros(2)), (zeros(3), None, 4, "text"), np.zeros(3), ()),
    ],
    ids=["tensor", "tuple", "nested", "dict", "namedtuple", "other things", "array", "empty"],
)
def test_a_state_of_any_structure_is_passed_on(state):
    output, last = tg.scan(lambda x, s: (x * 2, s), X, state)
    assert last is state
    np.testing.assert_array_equal(output.data, X.data * 2)
    detached = tg.detach(state)
    assert type(detached) is type(state)


def test_none_and_numbers_may_become_tensors_in_the_first_step():
    cell = tg.nn.GRUCell(3, 2, rng=0)
    output, h = tg.scan(cell, X[:, None], None)
    expected, _ = tg.scan(cell, X[:, None], zeros(1, 2))
    np.testing.assert_array_equal(output.data, expected.data)
    assert h.shape == (1, 2)
    _, total = tg.scan(lambda x, s: (x, s + x), X, 0.0)
    np.testing.assert_array_equal(total.data, [5, 5, 5])


def test_a_list_may_become_a_tuple():
    h, c = tg.scan(tg.nn.LSTMCell(3, 2, rng=0), X[:, None], [zeros(1, 2), zeros(1, 2)])[1]
    assert h.shape == c.shape == (1, 2)
    with pytest.raises(ValueError, match="state"):
        tg.scan(lambda x, s: (x, (*s, x)), X, [zeros(3)])


def test_detach_keeps_namedtuples_and_dicts():
    w = tg.Tensor([1.0], requires_grad=True)
    pair = tg.detach(Pair(w * 2, w))
    assert isinstance(pair, Pair)
    state = tg.detach({"h": w * 2, "pair": pair, "steps": 3, "array": w.data})
    assert not state["h"].requires_grad
    assert (state["steps"], state["array"]) == (3, w.data)


def test_a_cell_must_return_output_and_state():
    with pytest.raises(TypeError, match=r"returns \(output, state\)"):
        tg.scan(
            lambda x, h: tg.tanh(x + h),
            tg.Tensor(np.ones((4, 2, 3), "float32")),
            tg.Tensor(np.zeros((2, 3), "float32")),
        )


def test_scan_of_a_function_with_several_inputs_and_a_structured_state():
    def cell(x, state):
        a, b = x
        total, count = state
        total, count = total + a * b, count + 1
        return (total, count), (total, count)

    a, b = np.arange(4.0, dtype="float32"), np.full(4, 2.0, "float32")
    (totals, counts), (total, count) = tg.scan(
        cell, (tg.Tensor(a), tg.Tensor(b)), (tg.Tensor(0.0), tg.Tensor(0.0))
    )
    np.testing.assert_array_equal(totals.data, np.cumsum(a * b))
    np.testing.assert_array_equal(counts.data, [1, 2, 3, 4])
    assert (total.item(), count.item()) == (12, 4)
    backwards, _ = tg.scan(lambda x, h: (x + h, x + h), tg.Tensor(a), tg.Tensor(0.0), reverse=True)
    np.testing.assert_array_equal(backwards.data, np.cumsum(a[::-1])[::-1])
    with pytest.raises(ValueError, match="same number"):
        tg.scan(cell, (tg.Tensor(a), tg.Tensor(b[:2])), (tg.Tensor(0.0), tg.Tensor(0.0)))
