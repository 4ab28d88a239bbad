"""Our functions on the cases of ONNX's operators, and layers against onnxruntime."""

from itertools import product

import numpy as np
import pytest
from conversions import run_node
from onnx import helper
from onnx_operators import OURS, collect_official_cases

import tinygrad_rnn as tg
from tinygrad_rnn import interop, nn

# -- the cases of the package ----------------------------------------------------------------------

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
"""Features that we do not have: for each the error that says so, and the cases that need it."""
MISSING = {name: (error, message) for error, message, names in REASONS.values() for name in names}

OFFICIAL = collect_official_cases(OURS)


def compute(name):
    """Return the arrays that our function computes for a case."""
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


def assert_agree(name):
    """Assert that our function gives the case's outputs: shapes, dtypes and numbers."""
    _, _, expected = OFFICIAL[name]
    found = compute(name)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, map(np.asarray, expected), strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in OFFICIAL if name not in MISSING])
def test_an_op_gives_the_outputs_of_the_official_case(name):
    assert_agree(name)


@pytest.mark.parametrize("name", MISSING)
def test_a_case_that_is_listed_as_missing_raises_its_error(name):
    error, message = MISSING[name]
    assert name in OFFICIAL
    with pytest.raises(error, match=message):
        assert_agree(name)


def test_every_operator_of_the_table_has_cases():
    assert {node.op_type for node, _, _ in OFFICIAL.values()} == set(OURS)


def test_there_are_as_many_cases_as_there_were():
    """The version of the package is pinned. With another one, look at the new cases."""
    assert (len(OFFICIAL), len(MISSING)) == (333, 15)


# -- onnxruntime, on random weights ----------------------------------------------------------------

KINDS = {"GRU": 3, "LSTM": 4, "RNN": 1}
SIZES = [(1, 1, 1, 1), (7, 3, 5, 4), (20, 2, 3, 16), (3, 5, 17, 9)]
"""The numbers of time steps, sequences and inputs, and the hidden size."""


@pytest.mark.parametrize(
    ("kind", "direction", "layers", "sizes"),
    [*product(KINDS, ("forward", "reverse", "bidirectional"), (1, 3), SIZES)],
    ids=str,
)
def test_random_weights_give_what_onnxruntime_gives(kind, direction, layers, sizes):
    """Stacks of GRU (linear_before_reset=1), LSTM and RNN, with one node for each layer."""
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
        attributes = {"linear_before_reset": 1} if kind == "GRU" else {}
        feeds = {"X": theirs, **own, **first}
        Y, *last = run_node(kind, feeds, direction=direction, **attributes)
        theirs = np.ascontiguousarray(np.moveaxis(Y, 1, 2).reshape(steps, batch, -1))
        ends.append(last)
    layer.load_state_dict(weights)
    backwards = direction == "reverse"  # our layer then reads the flipped sequence
    state = tuple(starts.values()) if kind == "LSTM" else starts["initial_h"]
    output, final = layer(x[::-1] if backwards else x, state)
    assert output.dtype == np.float32
    ours = output.data[::-1] if backwards else output.data
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    finals = final if kind == "LSTM" else [final]
    for ours, of_layers in zip(finals, zip(*ends, strict=True), strict=True):
        np.testing.assert_allclose(ours.data, np.concatenate(of_layers), rtol=1e-5, atol=1e-5)
