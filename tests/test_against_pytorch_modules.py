"""Linear, Embedding and LayerNorm against PyTorch: names, outputs and every gradient, as fixtures/record_pytorch.py recorded them."""

import json
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg

with np.load(Path(__file__).parent / "fixtures" / "modules.npz") as file:
    CASES = {name: file[name] for name in file["cases"].tolist()}

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def assert_close(actual, expected, name):
    assert actual.dtype == np.float64
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-10, err_msg=name)


def fields(case, prefix):
    return {name.removeprefix(prefix): case[name] for name in case.dtype.names if name.startswith(prefix)}


def build(case):
    module = getattr(tg.nn, str(case["class"]))(*json.loads(str(case["args"])), **json.loads(str(case["settings"])))
    module.astype(np.float64)
    module.load_state_dict(fields(case, "param/"))
    return module


@every_case
def test_state_dict_has_the_names_order_and_shapes_of_pytorch(case):
    expected = [(name, parameter.shape) for name, parameter in fields(case, "param/").items()]
    assert [(name, parameter.shape) for name, parameter in build(case).state_dict().items()] == expected


@every_case
def test_output_and_gradients(case):
    module = build(case)
    differentiable = "grad_x" in case.dtype.names
    x = tg.Tensor(case["x"], requires_grad=differentiable)
    output = module(x)
    assert_close(output.data, case["output"], "output")
    output.backward(case["cotangent_output"])
    for name, parameter in module.named_parameters():
        assert_close(parameter.grad, case[f"grad/{name}"], name)
    if differentiable:
        assert_close(x.grad, case["grad_x"], "x")
