"""Losses against PyTorch: values and gradients in every combination of options.

fixtures/record_pytorch.py recorded the numbers.
"""

import json

from recorded import assert_close, cases, every

import tinygrad_rnn as tg


@every(cases("losses.npz"))
def test_value_and_gradient_of_every_loss_match_pytorch(case):
    function = str(case["function"])
    arguments = {
        name: case[name] for name in ("target", "weight", "pos_weight") if name in case.dtype.names
    }
    target = [arguments.pop("target")] if "target" in arguments else []
    x = tg.Tensor(case["input"], requires_grad=True)
    call = tg.log_softmax if function == "log_softmax" else getattr(tg.nn.functional, function)
    output = call(x, *target, **arguments, **json.loads(str(case["settings"])))
    assert_close(output.data, case["output"], "output")
    output.backward(case["cotangent_output"])
    assert_close(x.grad, case["grad_input"], "gradient")
