"""Every op and composition on its sample calls: exported right, or an error says why not."""

import numpy as np
import pytest
from every_composition import COMPOSITIONS, every_call, flat, floats, with_floats
from helpers import together
from internals import cases, registry
from onnx_export import assert_agree, export

import tinygrad_rnn as tg
from tinygrad_rnn import nn

pytestmark = pytest.mark.filterwarnings("ignore")

OPS = {
    name: cases(op, np.random.default_rng(1))
    for name, op in registry.items()
    if op.forward.__module__.startswith("tinygrad_rnn.")
}

MISSING = """
arccos arccosh arcsin arcsinh arctan arctan2 arctanh average cbrt ceil cholesky cosh det divmod
eigh einsum exp2 fix floor floor_divide fmod gather getitem hypot linalg.cholesky linalg.cond
linalg.det linalg.eigh linalg.eigvalsh linalg.inv linalg.matrix_norm linalg.matrix_power
linalg.norm linalg.pinv linalg.slogdet linalg.solve linalg.svd linalg.svdvals log10 log2 logaddexp
logaddexp2 median modf nanmean nanstd nanvar pad partition percentile piecewise pinv quantile
remainder repeat rint round scatter scatter_rows sinc sinh slogdet solve sort std svd
take_along_axis tan trunc var
"""
"""The names of which a sample call cannot be exported."""


class Call(nn.Module):
    """One call of a function, on Tensors or on the arrays in them."""

    def __init__(self, function, arguments, plain):
        super().__init__()
        self.function, self.arguments, self.plain = function, arguments, plain

    def forward(self, xs):
        args, kwargs = with_floats(self.arguments, [x.data if self.plain else x for x in xs])
        return tuple(map(tg.Tensor, flat(self.function(*args, **kwargs))))


def check_export(name, function, args, kwargs, plain, path):
    """Assert that a call computes the same after an export, also on its numbers in reverse order.

    A call of a `MISSING` function may raise an error of the export. A call that does not run on
    float32 is left out.
    """
    xs = tuple(x.astype(np.float32) for x in floats((list(args), kwargs)))
    model = Call(function, (list(args), kwargs), plain)
    if not xs or any(x.size == 0 for x in xs):
        return
    try:
        model(tuple(map(tg.Tensor, xs)))
    except (TypeError, ValueError):
        return
    axes = {f"xs_{i}": (None,) * x.ndim for i, x in enumerate(xs)}
    try:
        _, session, axes = export(model, (xs,), path, axes=axes)
    except (TypeError, ValueError) as error:
        if name in MISSING.split() and "to_onnx: argument " in str(error):
            return
        raise
    assert_agree(session, axes, model, (xs,))
    others = tuple(np.array(np.flip(x)) for x in xs)
    with np.errstate(all="ignore"):
        assert_agree(session, axes, model, (others,))


@pytest.mark.parametrize("plain", [False, True], ids=["of Tensors", "of arrays"])
@every_call
def test_a_composition_computes_the_same_after_export(name, args, kwargs, plain, tmp_path):
    function = COMPOSITIONS[name].numpy_functions[0]
    check_export(name, function, args, kwargs, plain, tmp_path / "x.onnx")


@pytest.mark.parametrize("name", OPS)
@together(("args", "kwargs"), OPS, of="name")
def test_an_op_computes_the_same_after_export(name, args, kwargs, tmp_path):
    op = registry[name]
    args = [list(args)] if op.variadic else args
    check_export(name, op, args, kwargs, False, tmp_path / "x.onnx")
