"""Wrong calls of interop, and the errors that name the operation and the argument."""

from wrong_calls import X, assert_refused, every

import tinygrad_rnn as tg
from tinygrad_rnn import nn

AREAS = {
    "interop": {
        "weights in a list": (
            lambda: tg.interop.from_pytorch([1]),
            TypeError,
            r"from_pytorch: argument weights: .* got list \[1\]",
        ),
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
        "no weights": (
            lambda: tg.interop.to_pytorch(None),
            TypeError,
            "to_pytorch: argument state: .* got NoneType None",
        ),
        "no weights of Keras": (
            lambda: tg.interop.from_keras(None),
            TypeError,
            "from_keras: argument weights: .* got NoneType None",
        ),
        "too few weights of Keras": (
            lambda: tg.interop.from_keras([X]),
            ValueError,
            "from_keras: argument weights: .* got 1",
        ),
        "weights of other shapes": (
            lambda: tg.interop.from_keras([X, X, X]),
            ValueError,
            r"from_keras: argument weights\[1\]: .* got float32 \(3, 2\)",
        ),
        "a layer that is not there": (
            lambda: tg.interop.to_keras(nn.GRU(2, 2).state_dict(), layer=3),
            ValueError,
            "to_keras: argument weight_ih_l3: .* got only weight_ih_l0, ",
        ),
        "no weights of the book": (
            lambda: tg.interop.from_d2l({}),
            ValueError,
            "from_d2l: argument weights: .* got missing W_xr",
        ),
        "other weights than the tutorial's": (
            lambda: tg.interop.from_tutorial({"a": X}),
            ValueError,
            "from_tutorial: argument weights: .* got missing Wr",
        ),
        "no weights of ONNX": (
            lambda: tg.interop.from_onnx_weights({}),
            ValueError,
            "from_onnx_weights: argument weights: .* got nothing",
        ),
        "weights into a number": (
            lambda: tg.interop.load_into(3, {}),
            TypeError,
            "load_into: argument module: .* got int 3",
        ),
        "a renaming by a number": (
            lambda: tg.interop.load_into(nn.Linear(2, 2), nn.Linear(2, 2).state_dict(), rename=5),
            TypeError,
            "load_into: argument rename: .* got int 5",
        ),
        "a comparison with a number": (
            lambda: tg.interop.compare(3, {}),
            TypeError,
            "compare: argument module: .* got int 3",
        ),
    }
}


@every(AREAS)
def test_a_wrong_call_of_interop_is_refused_by_name(call, error, message):
    assert_refused(call, error, message)


def test_wrong_calls_of_interop_have_rows_of_every_area():
    assert AREAS.keys() == {"interop"}
    assert min(map(len, AREAS.values())) >= 4
