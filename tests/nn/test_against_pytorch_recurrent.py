"""Recurrent layers and cells against PyTorch: names, results and every gradient.

fixtures/record_pytorch.py recorded the numbers.
"""

import numpy as np
import pytest
from recorded import assert_close, build, cases, every, fields

import tinygrad_rnn as tg

CASES = cases("recurrent.npz")
every_case = every(CASES)


def run_layer(case):
    """Return the layer, its inputs and its results, both by their recorded names."""
    layer = build(case)
    inputs = {
        name: tg.Tensor(case[name], requires_grad=True)
        for name in ("x", "h_0", "c_0")
        if name in case.dtype.names
    }
    x, *initial = inputs.values()
    state = (tuple(initial) if "LSTM" in str(case["class"]) else initial[0]) if initial else None
    output, final = layer(x, state)
    final = final if isinstance(final, tuple) else (final,)
    return layer, inputs, {"output": output, **dict(zip(("h_n", "c_n"), final, strict=False))}


@every_case
def test_state_dict_of_recurrent_layers_has_the_names_order_and_shapes_of_pytorch(case):
    expected = [(name, parameter.shape) for name, parameter in fields(case, "param/").items()]
    layer = build(case)
    assert [(name, parameter.shape) for name, parameter in layer.state_dict().items()] == expected
    assert [(name, parameter.shape) for name, parameter in layer.named_parameters()] == expected


@every_case
def test_output_and_final_state_match_pytorch(case):
    _, _, results = run_layer(case)
    assert list(results) == [
        name.removeprefix("cotangent_")
        for name in case.dtype.names
        if name.startswith("cotangent_")
    ]
    for name, result in results.items():
        assert_close(result.data, case[name], name)


@every_case
def test_gradients_of_parameters_input_and_state_match_pytorch(case):
    layer, inputs, results = run_layer(case)
    sum((case[f"cotangent_{name}"] * result).sum() for name, result in results.items()).backward()
    gradients = {name: parameter.grad for name, parameter in layer.named_parameters()}
    assert gradients.keys() == fields(case, "grad/").keys()
    for name, gradient in gradients.items():
        assert_close(gradient, case[f"grad/{name}"], name)
    for name, value in inputs.items():
        assert_close(value.grad, case[f"grad_{name}"], name)


@pytest.mark.parametrize(
    "name", [name for name in CASES if "_state" not in name and f"{name}_state" in CASES]
)
def test_a_missing_state_is_zeros(name):
    case, given = CASES[name], CASES[f"{name}_state"]
    layer = build(case)
    zeros = tuple(
        np.zeros(given[letter].shape) for letter in ("h_0", "c_0") if letter in given.dtype.names
    )
    output, _ = layer(case["x"], zeros if "LSTM" in str(case["class"]) else zeros[0])
    assert_close(output.data, case["output"], "output")
