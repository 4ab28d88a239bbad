"""Every composition of the package, as its tests see it: sample calls, and the arrays in them.

A test that is marked with `every_composition` takes a new composition by itself.
"""

import numpy as np
import pytest
from helpers import together
from internals import Sampler, compositions

COMPOSITIONS = dict(compositions)


def is_float(x):
    """Return whether `x` is an array of floats, which a composition differentiates."""
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def calls(made, seed=1):
    """Return the sample calls of a composition, as pairs (arguments, named arguments)."""
    samples = made.sample(Sampler(np.random.default_rng(seed)))
    split = []
    for sample in samples if isinstance(samples, list) else [samples]:
        *args, last = sample
        split.append((args, last) if isinstance(last, dict) else ([*args, last], {}))
    return split


def floats(arguments):
    """Return the arrays of floats in the arguments of a call, in nested lists too."""
    return [leaf for leaf in leaves(arguments) if is_float(leaf)]


def leaves(x):
    """Return what is in nested lists, tuples and dicts; but an index or a shape is a leaf."""
    if isinstance(x, dict):
        return leaves(list(x.values()))
    return [leaf for item in x for leaf in leaves(item)] if isinstance(x, list | tuple) else [x]


def with_floats(arguments, values):
    """Return the arguments with `values` in the places of their arrays of floats, in order."""
    values = iter(values)

    def put(x):
        if isinstance(x, dict):
            return {key: put(item) for key, item in x.items()}
        if isinstance(x, list | tuple):
            return type(x)(put(item) for item in x)
        return next(values) if is_float(x) else x

    return put(arguments)


def flat(output):
    """Return the outputs of a call as a list."""
    return list(output) if isinstance(output, list | tuple) else [output]


CALLS = {name: calls(made) for name, made in COMPOSITIONS.items()}
every_composition = pytest.mark.parametrize("name", COMPOSITIONS)


def every_call(test):
    """Run a test for every composition, with all its sample calls."""
    return every_composition(together(("args", "kwargs"), CALLS, of="name")(test))
