"""ONNX's operators as functions of ours, and the cases that the package `onnx` has for them."""

import inspect
import warnings
from importlib import import_module
from unittest.mock import patch

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import interop, nn

F = nn.functional

# -- one function for each operator ----------------------------------------------------------------
# Each takes the node's inputs in order, None where one is left out, and its attributes by name.


def axes_of(axes):
    """Return an input that names axes as a tuple."""
    return None if axes is None else tuple(int(axis) for axis in axes.data)


def reduction(function):
    """Return a reduction of ours with the inputs and attributes of an operator."""

    def run(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        if noop_with_empty_axes and (axes is None or len(axes) == 0):
            return x
        return function(x, axis=axes_of(axes) or None, keepdims=bool(keepdims))

    return run


def loss(function, logits, target, weight, reduction, ignore_index):
    """Return a loss of ours for classes on the second axis."""
    return function(
        tg.moveaxis(logits, 1, -1),
        target.data,
        weight=weight,
        reduction=reduction,
        ignore_index=ignore_index,
    )


def nll(x, target, weight=None, *, reduction="mean", ignore_index=None):
    return loss(F.nll_loss, x, target, weight, reduction, ignore_index)


def softmax_cross_entropy(x, target, weight=None, *, reduction="mean", ignore_index=None):
    return loss(F.cross_entropy, x, target, weight, reduction, ignore_index), tg.log_softmax(
        x, axis=1
    )


def gemm(a, b, c=0.0, *, alpha=1.0, beta=1.0, transA=0, transB=0):
    return (a.T if transA else a) @ (b.T if transB else b) * alpha + c * beta


def clip(x, min=None, max=None):
    return tg.clip(x, min=None if min is None else min.data, max=None if max is None else max.data)


def reshape(x, shape, *, allowzero=0):
    return x.reshape(
        [x.shape[i] if n == 0 and not allowzero else int(n) for i, n in enumerate(shape.data)]
    )


def split(x, sizes=None, *, axis=0, num_outputs=None):
    if sizes is None:
        largest = -(-x.shape[axis] // num_outputs)
        return tuple(tg.split(x, [largest * i for i in range(1, num_outputs)], axis=axis))
    return tuple(tg.split(x, np.cumsum(sizes.data)[:-1], axis=axis))


def slices(x, starts, ends, axes=None, steps=None):
    axes = range(len(starts)) if axes is None else axes.data
    index = [slice(None)] * x.ndim
    for i, axis in enumerate(axes):
        start, end, step = (
            int(starts.data[i]),
            int(ends.data[i]),
            1 if steps is None else int(steps.data[i]),
        )
        index[axis] = slice(start, None if step < 0 and end < -x.shape[axis] else end, step)
    return x[tuple(index)]


def gather(x, index, *, axis=0):
    return x[(slice(None),) * (axis % x.ndim) + (index,)]


def expand(x, shape):
    return tg.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(shape.data)))


def cumsum(x, axis, *, exclusive=0, reverse=0):
    axis = int(axis)
    x = tg.flip(x, axis=axis) if reverse else x
    y = tg.cumsum(x, axis=axis).astype(x.dtype)  # NumPy adds small integers up in large ones
    y = y - x if exclusive else y
    return tg.flip(y, axis=axis) if reverse else y


def recurrent(kind):
    """Return our layer as a recurrent node, with weights that `from_onnx_weights` converts."""

    def run(
        X,
        W,
        R,
        B=None,
        sequence_lens=None,
        initial_h=None,
        initial_c=None,
        *,
        hidden_size,
        direction="forward",
        layout=0,
        linear_before_reset=0,
    ):
        directions, batch, time = W.shape[0], X.shape[0 if layout else 1], 1 if layout else 0
        gru = {"reset": "after" if linear_before_reset else "before"} if kind == "GRU" else {}
        settings = {
            "bias": B is not None,
            "batch_first": bool(layout),
            "bidirectional": directions == 2,
        }
        layer = getattr(nn, kind)(X.shape[2], hidden_size, **settings, **gru)
        given = {"W": W, "R": R} | ({} if B is None else {"B": B})
        weights = {name: tensor.data for name, tensor in given.items()}
        form = gru | ({"linear_before_reset": linear_before_reset} if gru else {})
        layer.load_state_dict(interop.from_onnx_weights(weights, **form))
        zeros = np.zeros((directions, batch, hidden_size), np.float32)
        h, c = (zeros if state is None else state.data for state in (initial_h, initial_c))
        backwards = direction == "reverse"  # our layer then reads the flipped sequence
        output, final = layer(
            tg.flip(X, axis=time) if backwards else X,
            (h, c) if kind == "LSTM" else h,
            lengths=None if sequence_lens is None else sequence_lens.data,
        )
        Y = tg.flip(output, axis=time) if backwards else output
        Y = Y.reshape(*Y.shape[:2], directions, hidden_size)
        states = final if kind == "LSTM" else (final,)
        if layout:
            return Y, *(tg.swapaxes(state, 0, 1) for state in states)
        return tg.swapaxes(Y, 1, 2), *states

    return run


OURS = {
    "GRU": recurrent("GRU"),
    "LSTM": recurrent("LSTM"),
    "RNN": recurrent("RNN"),
    "NegativeLogLikelihoodLoss": nll,
    "SoftmaxCrossEntropyLoss": softmax_cross_entropy,
    "LogSoftmax": lambda x, *, axis=-1: tg.log_softmax(x, axis=axis),
    "Softmax": lambda x, *, axis=-1: tg.softmax(x, axis=axis),
    "MatMul": tg.matmul,
    "Gemm": gemm,
    "Einsum": lambda *xs, equation: tg.einsum(equation, *xs),
    "Sigmoid": tg.sigmoid,
    "Tanh": tg.tanh,
    "Relu": tg.relu,
    "Softplus": tg.softplus,
    "Exp": tg.exp,
    "Log": tg.log,
    "Sqrt": tg.sqrt,
    "Abs": tg.abs,
    "Neg": tg.negative,
    "Sign": tg.sign,
    "Sin": tg.sin,
    "Cos": tg.cos,
    "Add": tg.add,
    "Sub": tg.subtract,
    "Mul": tg.multiply,
    "Div": tg.divide,
    "Pow": lambda a, b: tg.power(a, b).astype(a.dtype),
    "ReduceSum": reduction(tg.sum),
    "ReduceMean": reduction(tg.mean),
    "ReduceMax": reduction(tg.max),
    "ReduceMin": reduction(tg.min),
    "ReduceProd": reduction(tg.prod),
    "ReduceLogSumExp": reduction(tg.logsumexp),
    "CumSum": cumsum,
    "Gather": gather,
    "GatherElements": lambda x, index, *, axis=0: tg.take_along_axis(x, index, axis),
    "Concat": lambda *xs, axis: tg.concatenate(xs, axis=axis),
    "Where": lambda condition, a, b: tg.where(condition, a, b),
    "Clip": clip,
    "Transpose": lambda x, *, perm=None: tg.transpose(x, axes=perm),
    "Reshape": reshape,
    "Squeeze": lambda x, axes=None: tg.squeeze(x, axis=axes_of(axes)),
    "Unsqueeze": lambda x, axes: tg.expand_dims(x, axis=axes_of(axes)),
    "Split": split,
    "Slice": slices,
    "Expand": expand,
}

# -- the cases of the package ----------------------------------------------------------------------

MODULES = {
    "NegativeLogLikelihoodLoss": "negativeloglikelihoodloss",
    "SoftmaxCrossEntropyLoss": "softmax_cross_entropy_loss",
    "ReduceLogSumExp": "reduce_log_sum_exp",
}
"""The files with the cases of an operator that have another name than it."""


def module_of(operator):
    """Return the module of the package that has the cases of an operator."""
    lower = operator.lower()
    for name in (MODULES.get(operator), lower, lower.replace("reduce", "reduce_")):
        try:
            return import_module(f"onnx.backend.test.case.node.{name}")
        except ModuleNotFoundError:
            continue
    raise AssertionError(f"the package has no cases of {operator}")


def collect_official_cases(operators):
    """Return the cases of these operators by name: the node, its inputs and its outputs.

    The export functions of the package pass them to `expect`.
    """
    cases = {}

    def expect(node, inputs, outputs, name, **settings):
        if node.op_type in operators and not node.domain:
            assert name not in cases
            cases[name] = node, inputs, outputs

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some divide by zero on purpose
        for module in dict.fromkeys(map(module_of, operators)):
            with patch.object(module, "expect", expect):
                for kind in vars(module).values():
                    if inspect.isclass(kind) and kind.__module__ == module.__name__:
                        for name in vars(kind):
                            if name.startswith("export"):
                                np.random.seed(0)  # as the package does before each
                                getattr(kind, name)()
    return cases
