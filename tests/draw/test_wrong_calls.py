"""Wrong calls of drawing: each raises an error that names the operation and the argument."""

from wrong_calls import X, assert_refused, every, loss

import tinygrad_rnn as tg
from tinygrad_rnn import nn

AREAS = {
    "drawing": {
        "theme of a list": (
            lambda: tg.graph(loss(), theme=[]),
            ValueError,
            r"graph: argument theme: .* got \[\]",
        ),
        "show a number": (
            lambda: tg.graph(loss(), show=5),
            TypeError,
            "graph: argument show: .* got int 5",
        ),
        "show nothing": (
            lambda: tg.graph(loss(), show=None),
            TypeError,
            "graph: argument show: .* got NoneType None",
        ),
        "show what is not known": (
            lambda: tg.graph(loss(), show="weights"),
            ValueError,
            "graph: argument show: .* got 'weights'",
        ),
        "fold at half a depth": (
            lambda: tg.graph(loss(), fold=1.5),
            TypeError,
            "graph: argument fold: .* got float 1.5",
        ),
        "fold at no depth": (
            lambda: tg.graph(loss(), fold=0),
            ValueError,
            "graph: argument fold: .* got 0",
        ),
        "show in nested lists": (
            lambda: tg.graph(loss(), show=[["value"]]),
            ValueError,
            r"graph: argument show: .* got \[\['value'\]\]",
        ),
        "fold at depth True": (
            lambda: tg.graph(loss(), fold=True),
            TypeError,
            "graph: argument fold: .* got bool True",
        ),
        "fold at no name": (
            lambda: tg.graph(loss(), fold=["gru", None]),
            TypeError,
            "graph: argument fold: .* got NoneType None",
        ),
        "fold on a path that is not there": (
            lambda: tg.graph(loss(), fold="gru / layer 1"),
            ValueError,
            "graph: argument fold: .* got 'gru / ",
        ),
        "roll of text": (
            lambda: tg.graph(loss(), roll="no"),
            TypeError,
            "graph: argument roll: expected True or False, got str 'no'",
        ),
        "roll of a number": (
            lambda: tg.graph(loss(), roll=1),
            TypeError,
            "graph: argument roll: .* got int 1",
        ),
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
        "steps as a number": (
            lambda: tg.graph(loss(), steps=3),
            ValueError,
            "graph: argument steps: .* got 3",
        ),
        "unknown direction": (
            lambda: tg.graph(loss(), direction="left"),
            ValueError,
            "graph: argument direction: .* got 'left'",
        ),
        "highlight a number": (
            lambda: tg.graph(loss(), highlight=5),
            ValueError,
            "graph: argument highlight: .* got int 5",
        ),
        "a drawing of an array": (
            lambda: tg.graph(X),
            TypeError,
            r"graph: argument output: .* got float32 \(3, 2\)",
        ),
        "a drawing of a leaf": (
            lambda: tg.graph(tg.Tensor(X)),
            TypeError,
            r"graph: argument output: .* got a Tensor without a graph, float32 \(3, 2\)",
        ),
        "a drawing of a module": (
            lambda: tg.graph(nn.Linear(2, 2)),
            TypeError,
            r"graph: argument output: .* got Linear Linear\(2, 2\)",
        ),
        "a drawing of nothing": (
            lambda: tg.graph(None),
            TypeError,
            "graph: argument output: .* got NoneType None",
        ),
        "a fold of no scope": (
            lambda: tg.graph(loss(), fold="nowhere"),
            ValueError,
            "graph: argument fold: .* got 'nowhere'",
        ),
        "an unknown theme": (
            lambda: tg.graph(loss(), theme="pink"),
            ValueError,
            "graph: argument theme: .* got 'pink'",
        ),
        "parameters in an unknown way": (
            lambda: tg.graph(loss(), parameters="x"),
            ValueError,
            "graph: argument parameters: .* got 'x'",
        ),
        "no step at all": (
            lambda: tg.graph(loss(), steps="first:0"),
            ValueError,
            "graph: argument steps: .* got 'first:0'",
        ),
        "steps as numbers": (
            lambda: tg.graph(loss(), steps=(2, 1)),
            ValueError,
            r"graph: argument steps: .* got \(2, 1\)",
        ),
        "steps below 0": (
            lambda: tg.graph(loss(), steps="last:-1"),
            ValueError,
            "graph: argument steps: .* got 'last:-1'",
        ),
        "a highlight of another graph": (
            lambda: tg.graph(loss(), highlight=tg.Tensor(X)),
            ValueError,
            r"graph: argument highlight: .* got float32 \(3, 2\)",
        ),
        "an ending that is not known": (
            lambda: tg.graph(loss()).save("x.foo"),
            ValueError,
            r"graph\.save: argument path: .* got 'x\.foo'",
        ),
        "no ending": (
            lambda: tg.graph(loss()).save("x"),
            ValueError,
            r"graph\.save: argument path: .* got 'x'",
        ),
        "a folder that is not there": (
            lambda: tg.graph(loss()).save("/nonexistent/x.svg"),
            FileNotFoundError,
            r"graph\.save: argument path: .* got '/nonexistent/x\.svg'",
        ),
        "a number as a picture's path": (
            lambda: tg.graph(loss()).save(5),
            TypeError,
            r"graph\.save: argument path: .* got int 5",
        ),
    }
}


@every(AREAS)
def test_a_wrong_call_of_drawing_is_refused_by_name(call, error, message):
    assert_refused(call, error, message)


def test_wrong_calls_of_drawing_have_rows_of_every_area():
    assert AREAS.keys() == {"drawing"}
    assert min(map(len, AREAS.values())) >= 4
