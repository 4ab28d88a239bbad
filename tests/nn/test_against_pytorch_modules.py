"""Linear, Embedding and LayerNorm against PyTorch: names, outputs and every gradient.

fixtures/record_pytorch.py recorded the numbers.
"""

from recorded import assert_close, build, cases, every, fields

import tinygrad_rnn as tg

every_case = every(cases("modules.npz"))


@every_case
def test_state_dict_of_layers_has_the_names_order_and_shapes_of_pytorch(case):
    expected = [(name, parameter.shape) for name, parameter in fields(case, "param/").items()]
    assert [
        (name, parameter.shape) for name, parameter in build(case).state_dict().items()
    ] == expected


@every_case
def test_output_and_gradients_of_layers_match_pytorch(case):
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
