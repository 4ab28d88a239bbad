"""Results of PyTorch that `fixtures/record_pytorch.py` recorded: cases by name, each a record."""

import json
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg


def cases(file):
    """Return the cases of a file in `fixtures` by name."""
    with np.load(Path(__file__).parent / "fixtures" / file) as arrays:
        return {name: arrays[name] for name in arrays["cases"].tolist()}


def every(cases):
    """Return a mark: the test runs with each of these cases as its `case`."""
    return pytest.mark.parametrize("case", cases.values(), ids=cases)


def fields(case, prefix):
    """Return the fields of a case that have a prefix, without it: a state dict for example."""
    return {
        name.removeprefix(prefix): case[name]
        for name in case.dtype.names
        if name.startswith(prefix)
    }


def build(case):
    """Return the module of a case, in float64 and with its parameters."""
    module = getattr(tg.nn, str(case["class"]))(
        *json.loads(str(case["args"])), **json.loads(str(case["settings"]))
    )
    module.astype(np.float64)
    module.load_state_dict(fields(case, "param/"))
    return module


def assert_close(actual, expected, name):
    """Assert that an array is float64 and agrees with the recorded one in ten digits."""
    actual = np.asarray(actual)
    assert (actual.dtype, actual.shape) == (np.float64, np.shape(expected))
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-10, err_msg=name)
