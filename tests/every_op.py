"""Every op of the package, as its tests see it: calls, references and samples, from the registry.

A test that is marked with `every_op` or `every_case` takes a new op by itself.
"""

import inspect
import warnings

import numpy as np
import pytest
from helpers import together
from internals import cases, is_elementwise, place_inside, registry
from internals import domain_of_inputs as domains

import tinygrad_rnn as tg

# The registry as the package fills it, before a test or a docstring adds an op of its own.
OPS = {
    name: op
    for name, op in registry.items()
    if op.forward.__module__.startswith("tinygrad_rnn.ops")
}
CASES = [
    (name, arrays, params)
    for name, op in OPS.items()
    for arrays, params in cases(op, np.random.default_rng(1))
]
STOPPED = "where(False, g, 0)"
"""The rule of an input on which the result does not depend, except at jumps."""

every_op = pytest.mark.parametrize("name", OPS)
CALLS = {name: [call[1:] for call in CASES if call[0] == name] for name in OPS}


def every_case(test):
    """Run a test for every op, with all its sample calls."""
    return every_op(together(("arrays", "params"), CALLS, of="name")(test))


BROADCASTING = [name for name, op in OPS.items() if is_elementwise(op) and len(op.inputs) > 1]
BINARY = [name for name in BROADCASTING if len(OPS[name].inputs) == 2]
UNARY = [
    name for name, op in OPS.items() if is_elementwise(op) and not (op.inputs[1:] or op.defaults)
]
SEVERAL_RESULTS = {"eigh", "slogdet", "svd"}
"""Ops whose public function takes their array apart and returns several arrays."""
REDUCTIONS = [name for name, op in OPS.items() if "keepdims" in op.defaults]


def call(name, arrays, params):
    """Call an op with these arrays and settings."""
    return OPS[name](arrays, **params) if OPS[name].variadic else OPS[name](*arrays, **params)


def call_public(name, arrays, params):
    """Call an op as a user does, by its public name."""
    function = OPS[name] if name in SEVERAL_RESULTS else getattr(tg, name)
    if name == "einsum":  # the only one that takes its setting first
        return function(params["subscripts"], *arrays)
    return function(list(arrays), **params) if OPS[name].variadic else function(*arrays, **params)


def reference(name, arrays, params):
    """Return what the independent function of an op gives, as an array."""
    return np.asarray(OPS[name].reference(*arrays, **params))


def reference_or_none(name, arrays, params):
    """Return what the independent function gives, or None if it raises or gives NaN or inf."""
    try:
        with warnings.catch_warnings(action="ignore"):
            found = reference(name, arrays, params)
    except (ValueError, TypeError, IndexError):
        return None
    return found if np.isfinite(found).all() else None


def draw_scalars(name, n):
    """Return `n` arrays without axes, for the inputs of an op, in their domains."""
    kinds = domains(OPS[name]) * (n if OPS[name].variadic else 1)
    units = [np.array((i + 0.5) / n) for i in range(n)]
    rng = np.random.default_rng(0)
    return [place_inside(kind, unit, rng) for kind, unit in zip(kinds, units, strict=True)]


def takes_integers_up_to(limit, name):
    """Return whether 1 … `limit` are in the domain of every input of an op."""
    kinds = [kind for kind in domains(OPS[name]) if kind is not bool]
    return all(low < 1 and high > limit for low, high in kinds)


def is_float(x):
    """Return whether `x` is an array of floats."""
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def code_of(function):
    """Return what a function does: its bytecode and the names in it, without the docstring."""
    code = inspect.unwrap(function).__code__
    return code.co_code, code.co_names, [c for c in code.co_consts if not isinstance(c, str)]


def tracked(name, arrays):
    """Return the arrays, as Tensors that require gradients where the op is differentiable."""
    op = OPS[name]
    names = op.inputs * len(arrays) if op.variadic else op.inputs
    return [
        tg.Tensor(a, requires_grad=True) if is_float(a) and n in op.rules else a
        for n, a in zip(names, arrays, strict=True)
    ]


def cotangent(shape, dtype=np.float64):
    """Return a fixed random cotangent of this shape."""
    return np.asarray(np.random.default_rng(2).standard_normal(shape)).astype(dtype)


def value_and_gradients(name, arrays, params):
    """Return the output's array, and the gradient of each input that is a Tensor, else None."""
    inputs = tracked(name, arrays)
    y = call(name, inputs, params)
    y.backward(cotangent(y.shape, y.dtype))
    return y.data, [x.grad if isinstance(x, tg.Tensor) else None for x in inputs]


def differences(f, arrays, i, eps=1e-6):
    """Return the gradient of ⟨u, f⟩ with respect to arrays[i], by differences of fourth order."""
    u = cotangent(np.shape(f(*arrays)))
    found = np.zeros(arrays[i].shape)
    for index in np.ndindex(found.shape):
        sides = []
        for steps in (-2, -1, 1, 2):
            moved = [np.array(a) for a in arrays]
            moved[i][index] += steps * 100 * eps
            sides.append(np.sum(u * f(*moved)))
        found[index] = (sides[0] - 8 * sides[1] + 8 * sides[2] - sides[3]) / (1200 * eps)
    return found
