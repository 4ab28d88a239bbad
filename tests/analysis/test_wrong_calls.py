"""Wrong calls of analysis: each raises an error that names the operation and the argument."""

import numpy as np
from wrong_calls import X, assert_refused, every, loss, used, weight

import tinygrad_rnn as tg
from tinygrad_rnn import nn

AREAS = {
    "summaries": {
        "a shape with a negative size": (
            lambda: tg.summary(nn.Linear(2, 3), (-1, 2)),
            ValueError,
            r"summary: argument inputs\[0\]: .* got \(-1, 2\); write 1 in place of -1",
        ),
        "a second shape with a negative size": (
            lambda: tg.summary(nn.GRUCell(2, 3), (4, 2), (4, -3)),
            ValueError,
            r"summary: argument inputs\[1\]: .* got \(4, -3\)",
        ),
    },
    "looking into time": {
        "a flow of an array": (
            lambda: tg.bptt.flow(X),
            TypeError,
            r"bptt\.flow: argument output: .* got float32 \(3, 2\)",
        ),
        "a flow without time": (
            lambda: tg.bptt.flow((weight() * 2).sum()),
            ValueError,
            r"bptt\.flow: argument state: .* got 'h'",
        ),
        "a state that is not there": (
            lambda: tg.bptt.flow(loss(), "c"),
            ValueError,
            r"bptt\.flow: argument state: .* got 'c'",
        ),
        "a flow of no state": (
            lambda: tg.bptt.flow(loss(), []),
            ValueError,
            r"bptt\.flow: argument state: .* got none",
        ),
        "a gradient of another shape": (
            lambda: tg.bptt.flow(loss(), gradient=np.ones(3)),
            ValueError,
            r"bptt\.flow: argument gradient: .* got float64 \(3,\)",
        ),
        "a flow from many numbers": (
            lambda: tg.bptt.flow(nn.GRU(2, 2)(X)[0]),
            ValueError,
            r"bptt\.flow: argument gradient: .* got none",
        ),
        "the values of an array": (
            lambda: tg.bptt.values(X),
            TypeError,
            r"bptt\.values: argument output: .* got float32 \(3, 2\)",
        ),
        "the steps of an array": (
            lambda: list(tg.backward_steps(X)),
            TypeError,
            r"backward_steps: argument output: .* got float32 \(3, 2\)",
        ),
        "the steps of a leaf": (
            lambda: list(tg.backward_steps(tg.Tensor(1.0))),
            RuntimeError,
            r"backward_steps: argument output: .* got float32 \(\)",
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
}


@every(AREAS)
def test_a_wrong_call_of_analysis_is_refused_by_name(call, error, message):
    assert_refused(call, error, message)


def test_wrong_calls_of_analysis_have_rows_of_every_area():
    assert AREAS.keys() == {"looking into time", "summaries"}
    assert min(map(len, AREAS.values())) >= 2
