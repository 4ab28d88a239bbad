"""Our functions against the test cases of the ONNX operators; and layers against onnxruntime, on random weights."""

import inspect
import warnings
from importlib import import_module
from itertools import product
from unittest.mock import patch

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import tinygrad_rnn as tg
from tinygrad_rnn import interop, nn

F = nn.functional

# -- the table: operator -> our function -------------------------------------------------------------
# Each takes the node's inputs in order, None where one is left out, and its attributes by name.


def axes_of(axes):
    return None if axes is None else tuple(int(axis) for axis in axes.data)


def reduced(function):
    def run(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        if noop_with_empty_axes and (axes is None or len(axes) == 0):
            return x
        return function(x, axis=axes_of(axes) or None, keepdims=bool(keepdims))

    return run


def losses(function, logits, target, weight, reduction, ignore_index):
    """A loss of ours, of classes on the second axis."""
    return function(
        tg.moveaxis(logits, 1, -1),
        target.data,
        weight=weight,
        reduction=reduction,
        ignore_index=ignore_index,
    )


def nll(x, target, weight=None, *, reduction="mean", ignore_index=None):
    return losses(F.nll_loss, x, target, weight, reduction, ignore_index)


def softmax_cross_entropy(x, target, weight=None, *, reduction="mean", ignore_index=None):
    return losses(F.cross_entropy, x, target, weight, reduction, ignore_index), tg.log_softmax(
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
    y = tg.cumsum(tg.flip(x, axis=axis) if reverse else x, axis=axis).astype(
        x.dtype
    )  # NumPy adds small integers up in large ones
    y = y - (tg.flip(x, axis=axis) if reverse else x) if exclusive else y
    return tg.flip(y, axis=axis) if reverse else y


def recurrent(kind):
    """The inputs and attributes of a recurrent node, computed by our layer with weights that `from_onnx_weights` converts."""

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
        directions, batch = W.shape[0], X.shape[0 if layout else 1]
        form = {"reset": "after" if linear_before_reset else "before"} if kind == "GRU" else {}
        layer = getattr(nn, kind)(
            X.shape[2],
            hidden_size,
            bias=B is not None,
            batch_first=bool(layout),
            bidirectional=directions == 2,
            **form,
        )
        weights = {
            name: array.data
            for name, array in {"W": W, "R": R, "B": B}.items()
            if array is not None
        }
        more = form | ({"linear_before_reset": linear_before_reset} if form else {})
        layer.load_state_dict(interop.from_onnx_weights(weights, **more))
        zeros = np.zeros((directions, batch, hidden_size), np.float32)
        h, c = (zeros if state is None else state.data for state in (initial_h, initial_c))
        time = 1 if layout else 0
        lengths = None if sequence_lens is None else sequence_lens.data
        output, final = layer(
            tg.flip(X, axis=time) if direction == "reverse" else X,
            (h, c) if kind == "LSTM" else h,
            lengths=lengths,
        )
        Y = tg.flip(output, axis=time) if direction == "reverse" else output
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
    "ReduceSum": reduced(tg.sum),
    "ReduceMean": reduced(tg.mean),
    "ReduceMax": reduced(tg.max),
    "ReduceMin": reduced(tg.min),
    "ReduceProd": reduced(tg.prod),
    "ReduceLogSumExp": reduced(tg.logsumexp),
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

REASONS = {
    "an LSTM whose gates look at the cell state (peepholes)": (
        TypeError,
        "positional arguments",
        ["test_lstm_with_peepholes"],
    ),
    "NumPy has no bfloat16": (
        TypeError,
        "got bfloat16",
        [
            "test_einsum_batch_matmul_bfloat16",
            "test_einsum_sum_bfloat16",
            "test_einsum_transpose_bfloat16",
        ],
    ),
    "a diagonal is taken by an index, not by einsum": (
        ValueError,
        "take the diagonal first",
        ["test_einsum_batch_diagonal"],
    ),
    "the quotient of integers is a float, as NumPy's": (
        AssertionError,
        "float32",
        [
            f"test_div_{kind}"
            for kind in ("int8", "int16", "int32_trunc", "uint8", "uint16", "uint32", "uint64")
        ],
    ),
    "of no numbers there is no largest, no smallest and no logarithm of a sum, as in NumPy": (
        ValueError,
        "zero-size array",
        [
            f"test_reduce_{kind}"
            for kind in (
                "max_empty_set",
                "max_empty_set_bool",
                "min_empty_set",
                "log_sum_exp_empty_set",
            )
        ],
    ),
}
"""Why we have no such feature: what is said where it is missing, and the cases that would need it."""
MISSING = {name: (error, message) for error, message, names in REASONS.values() for name in names}

# -- the cases of the package ------------------------------------------------------------------------

MODULES = {
    "NegativeLogLikelihoodLoss": "negativeloglikelihoodloss",
    "SoftmaxCrossEntropyLoss": "softmax_cross_entropy_loss",
    "ReduceLogSumExp": "reduce_log_sum_exp",
}
"""Where an operator's cases are, if that is no file of its name."""


def module_of(operator):
    for name in (
        MODULES.get(operator),
        operator.lower(),
        operator.lower().replace("reduce", "reduce_"),
    ):
        try:
            return import_module(f"onnx.backend.test.case.node.{name}")
        except ModuleNotFoundError:
            continue
    raise AssertionError(f"the package has no cases of {operator}")


def official_cases():
    """What the export functions of the package hand to `expect`, by name: the node, its inputs and its outputs."""
    cases = {}

    def expect(node, inputs, outputs, name, **settings):
        if node.op_type in OURS and not node.domain:
            assert name not in cases
            cases[name] = node, inputs, outputs

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some divide by zero on purpose
        for module in dict.fromkeys(map(module_of, OURS)):
            with patch.object(module, "expect", expect):
                for kind in vars(module).values():
                    if inspect.isclass(kind) and kind.__module__ == module.__name__:
                        for name in vars(kind):
                            if name.startswith("export"):
                                np.random.seed(0)  # as the package does before each
                                getattr(kind, name)()
    return cases


OFFICIAL = official_cases()


def computed(name):
    """What our function gives for a case: arrays."""
    node, inputs, _ = OFFICIAL[name]
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    attributes = {
        key: value.decode() if isinstance(value, bytes) else value
        for key, value in attributes.items()
    }
    given = iter(inputs)
    tensors = [tg.Tensor(np.asarray(next(given))) if name else None for name in node.input]
    if node.op_type == "Split" and "num_outputs" not in attributes and len(tensors) == 1:
        attributes["num_outputs"] = len(node.output)
    with np.errstate(all="ignore"):
        results = OURS[node.op_type](*tensors, **attributes)
    results = results if isinstance(results, tuple) else (results,)
    return [result.data for result, name in zip(results, node.output, strict=False) if name]


def agree(name):
    """Whether our function gives the case's outputs: shapes, dtypes, numbers."""
    _, _, expected = OFFICIAL[name]
    found = computed(name)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, map(np.asarray, expected), strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in OFFICIAL if name not in MISSING])
def test_official_case(name):
    agree(name)


@pytest.mark.parametrize("name", MISSING)
def test_what_is_listed_as_missing_is_a_case_and_is_missing(name):
    error, message = MISSING[name]
    assert name in OFFICIAL
    with pytest.raises(error, match=message):
        agree(name)


def test_every_operator_of_the_table_has_cases():
    assert {node.op_type for node, _, _ in OFFICIAL.values()} == set(OURS)


def test_there_are_as_many_cases_as_there_were():
    """The package is pinned: with another one, look at what is new."""
    assert (len(OFFICIAL), len(MISSING)) == (333, 16)


# -- onnxruntime, on random weights ------------------------------------------------------------------

KINDS = {"GRU": 3, "LSTM": 4, "RNN": 1}
SIZES = [(1, 1, 1, 1), (7, 3, 5, 4), (20, 2, 3, 16), (3, 5, 17, 9)]
"""Time steps, sequences, inputs, hidden size."""


def node_by_onnxruntime(kind, direction, feeds, hidden):
    """What one recurrent node gives: Y, Y_h and, of an LSTM, Y_c."""
    outputs = ["Y", "Y_h", "Y_c"][: 3 if kind == "LSTM" else 2]
    attributes = {"hidden_size": hidden, "direction": direction} | (
        {"linear_before_reset": 1} if kind == "GRU" else {}
    )
    node = helper.make_node(kind, ["X", "W", "R", "B", "", *list(feeds)[4:]], outputs, **attributes)
    graph = helper.make_graph(
        [node],
        "one",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape)
            for name, array in feeds.items()
        ],
        [
            helper.make_tensor_value_info(
                name, TensorProto.FLOAT, [None] * (4 if name == "Y" else 3)
            )
            for name in outputs
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)


@pytest.mark.parametrize(
    ("kind", "direction", "layers", "sizes"),
    [*product(KINDS, ("forward", "reverse", "bidirectional"), (1, 3), SIZES)],
    ids=str,
)
def test_random_weights_against_onnxruntime(kind, direction, layers, sizes):
    """GRU that resets after the product (linear_before_reset=1), LSTM and RNN, node upon node."""
    steps, batch, width, hidden = sizes
    rng = np.random.default_rng(0)
    directions, rows = 1 + (direction == "bidirectional"), KINDS[kind] * hidden

    def normal(*shape):
        return (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)

    layer = getattr(nn, kind)(width, hidden, layers, bidirectional=directions == 2)
    form = {"reset": "after", "linear_before_reset": 1} if kind == "GRU" else {}
    x = rng.standard_normal((steps, batch, width)).astype(np.float32)
    letters = ["initial_h", "initial_c"][: 1 + (kind == "LSTM")]
    starts = {letter: normal(layers * directions, batch, hidden) for letter in letters}
    weights, theirs, ends = {}, x, []
    for k in range(layers):
        own = {
            "W": normal(directions, rows, theirs.shape[2]),
            "R": normal(directions, rows, hidden),
            "B": normal(directions, 2 * rows),
        }
        weights |= interop.from_onnx_weights(own, layer=k, **form)
        first = {
            letter: start[k * directions : (k + 1) * directions] for letter, start in starts.items()
        }
        Y, *last = node_by_onnxruntime(kind, direction, {"X": theirs, **own, **first}, hidden)
        theirs = np.ascontiguousarray(np.moveaxis(Y, 1, 2).reshape(steps, batch, -1))
        ends.append(last)
    layer.load_state_dict(weights)
    backwards = direction == "reverse"  # our layer then reads the flipped sequence
    output, final = layer(
        x[::-1] if backwards else x,
        tuple(starts.values()) if kind == "LSTM" else starts["initial_h"],
    )
    assert output.dtype == np.float32
    np.testing.assert_allclose(
        output.data[::-1] if backwards else output.data, theirs, rtol=1e-5, atol=1e-5
    )
    for ours, of_layers in zip(
        final if kind == "LSTM" else [final], zip(*ends, strict=True), strict=True
    ):
        np.testing.assert_allclose(ours.data, np.concatenate(of_layers), rtol=1e-5, atol=1e-5)
