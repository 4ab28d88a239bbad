"""Wrong calls of the compiler: each error names the operation and the argument."""

import numpy as np
from wrong_calls import SEQUENCE, X, assert_refused, every

import tinygrad_rnn as tg
from tinygrad_rnn import nn

AREAS = {
    "compile": {
        "a number to compile": (
            lambda: tg.compile(5),
            TypeError,
            "compile: argument target: .* got int 5",
        ),
        "a class to compile": (
            lambda: tg.compile(nn.GRU),
            TypeError,
            r"compile: argument target: .* got type <class 'tinygrad_rnn\.nn\.rnn_gru_lstm",
        ),
        "a backend that is not known": (
            lambda: tg.compile(nn.GRU(2, 2), backend="cuda"),
            ValueError,
            "compile: argument backend: .* got 'cuda'",
        ),
        "a list of backends": (
            lambda: tg.compile(nn.GRU(2, 2), backend=[]),
            ValueError,
            r"compile: argument backend: .* got \[\]",
        ),
        "a fallback of text": (
            lambda: tg.compile(nn.GRU(2, 2), fallback="no"),
            TypeError,
            "compile: argument fallback: .* got str 'no'",
        ),
        "a check of text": (
            lambda: tg.compile(nn.GRU(2, 2), check="always"),
            TypeError,
            "compile: argument check: .* got str 'always'",
        ),
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
            lambda: tg.compile(
                nn.Recurrent(lambda s, r: lambda x, h: (h * float(x.sum()), h), 2, hidden_size=2),
                fallback=False,
            )(X),
            TypeError,
            r"compile: argument Recurrent: expected numbers that only ops read, got float\(\)",
        ),
    }
}


@every(AREAS)
def test_a_wrong_call_of_the_compiler_is_refused_by_name(call, error, message):
    assert_refused(call, error, message)


def test_wrong_calls_of_the_compiler_have_rows_of_every_area():
    assert AREAS.keys() == {"compile"}
    assert min(map(len, AREAS.values())) >= 4
