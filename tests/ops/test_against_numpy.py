"""Every op against NumPy's function, on whatever shapes, settings, indices, dtypes and layouts Hypothesis draws: values and gradients."""

import math

import numpy as np
import pytest
from helpers import with_gaps, with_negative_strides
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import (
    array_shapes,
    basic_indices,
    integer_array_indices,
    mutually_broadcastable_shapes,
)
from internals import registry

import tinygrad_rnn as tg

property_test = settings(max_examples=30, deadline=None, database=None, derandomize=True)

OPS = {
    name: op
    for name, op in registry.items()
    if op.forward.__module__.startswith("tinygrad_rnn.ops")
}
NO_IDENTITY = {"max", "min", "logsumexp", "mean", "var", "softmax", "log_softmax"}
"""Of no entries these are nothing: an axis that they go along has at least one."""


class Draw:
    """What a call is drawn from: shapes, axes and numbers, no two of which are equal and none near 0."""

    def __init__(self, data):
        self.data = data
        self.rng = np.random.default_rng(self(st.integers(0, 10_000)))

    def __call__(self, strategy):
        return self.data.draw(strategy)

    def shape(self, **limits):
        return self(
            array_shapes(**{"min_dims": 0, "max_dims": 3, "min_side": 0, "max_side": 3} | limits)
        )

    def array(self, shape, *, positive=False):
        """Of either sign, between 0.3 and 2; so far apart that no difference quotient steps over another one."""
        n = math.prod(shape)
        numbers = 0.3 + 1.7 * (self.rng.permutation(n) + self.rng.uniform(0.2, 0.8)) / max(n, 1)
        signs = 1.0 if positive else self.rng.choice([-1.0, 1.0], n)
        return (numbers * signs).reshape(shape)

    def several(self, n, *, positive=False):
        """Arrays that broadcast, no entry of one equal to one of another."""
        shapes = self(
            mutually_broadcastable_shapes(num_shapes=n, min_side=0, max_side=3, max_dims=3)
        ).input_shapes
        sizes = [math.prod(shape) for shape in shapes]
        numbers = np.split(self.array((sum(sizes),), positive=positive), np.cumsum(sizes)[:-1])
        return tuple(part.reshape(shape) for part, shape in zip(numbers, shapes, strict=True))

    def axis(self, ndim, *, none=True, tuples=True):
        """None, an axis from either end, or several of them."""
        kinds = [st.none()] if none or not ndim else []
        kinds += [st.integers(-ndim, ndim - 1)] if ndim else []
        if tuples:
            chosen = st.lists(st.integers(0, ndim - 1), unique=True) if ndim else st.just([])
            kinds.append(
                chosen.map(lambda axes: tuple(i - ndim * (k % 2) for k, i in enumerate(axes)))
            )
        return self(st.one_of(kinds))


def unary(*, positive=False):
    return lambda d: ((d.array(d.shape(), positive=positive),), {})


def binary(*, positive=False):
    return lambda d: (d.several(2, positive=positive), {})


def along(axes, ndim):
    """The axes that a setting means, counted from the front."""
    return (
        range(ndim)
        if axes is None
        else [i % ndim for i in (axes if isinstance(axes, tuple) else (axes,))]
    )


def reduction(name, *, keepdims=True):
    def draw(d):
        shape = list(d.shape())
        params = {"axis": d.axis(len(shape))}
        if keepdims:
            params["keepdims"] = d(st.booleans())
        if name in NO_IDENTITY:
            for i in along(params["axis"], len(shape)):
                shape[i] = max(shape[i], 1)
        if name == "var":
            n = math.prod(shape[i] for i in along(params["axis"], len(shape)))
            params["ddof"] = d(st.sampled_from([0, 1, 0.5] if n > 1 else [0]))
        return (d.array(shape),), params

    return draw


def draw_clip(d):
    a = d.array(d.shape())
    bounds = {
        "min": -0.77,
        "max": 0.91,
    }  # no entry is so near to them that a difference would step over
    kept = d(st.lists(st.sampled_from(["min", "max"]), unique=True, min_size=1))
    as_arrays = d(st.booleans())
    return (a,), {
        name: np.full(a.shape[-1:], bounds[name]) if as_arrays else bounds[name] for name in kept
    }


def draw_where(d):
    c, a, b = d.several(3)
    return (c > 0, a, b), {}


def draw_reshape(d):
    a = d.array(d.shape())
    left, shape = a.size, []
    while left > 1 and d(st.booleans()):
        n = d(st.sampled_from([k for k in range(1, left + 1) if left % k == 0]))
        shape.append(n)
        left //= n
    shape.append(left)
    if a.size and d(st.booleans()):
        shape[d(st.integers(0, len(shape) - 1))] = -1
    return (a,), {"shape": -1 if shape == [-1] and d(st.booleans()) else tuple(shape)}


def draw_transpose(d):
    a = d.array(d.shape())
    order = d(st.permutations(range(a.ndim)))
    return (a,), {
        "axes": d(st.sampled_from([None, tuple(order), tuple(i - a.ndim for i in order)]))
    }


def draw_squeeze(d):
    shape = d(st.lists(st.sampled_from([1, 1, 2, 0]), max_size=4))
    ones = [i for i, n in enumerate(shape) if n == 1]
    several = d(st.lists(st.sampled_from(ones), unique=True)) if ones else []
    axes = [None, tuple(several), *ones, *(i - len(shape) for i in ones)]
    return (d.array(shape),), {"axis": d(st.sampled_from(axes))}


def draw_expand_dims(d):
    a = d.array(d.shape())
    several = d(st.lists(st.integers(0, a.ndim + 1), unique=True, min_size=2, max_size=2))
    return (a,), {"axis": d(st.sampled_from([0, -1, a.ndim, -a.ndim - 1, tuple(several)]))}


def draw_broadcast_to(d):
    shape = d(st.lists(st.sampled_from([1, 1, 2, 3, 0]), max_size=3))
    wide = [d(st.integers(0, 3)) if n == 1 else n for n in shape]
    return (d.array(shape),), {"shape": (*d(st.lists(st.integers(0, 2), max_size=1)), *wide)}


def draw_flip(d):
    a = d.array(d.shape())
    return (a,), {"axis": d.axis(a.ndim)}


def draw_cumsum(d):
    a = d.array(d.shape())
    return (a,), {"axis": d.axis(a.ndim, tuples=False)}


def draw_concatenate(d):
    shape = list(d.shape(min_dims=1))
    axis = d(st.integers(-len(shape), len(shape) - 1))
    parts = []
    for n in d(st.lists(st.integers(0, 3), min_size=1, max_size=3)):
        shape[axis] = n
        parts.append(d.array(shape))
    return tuple(parts), {"axis": axis}


def draw_stack(d):
    shape = d.shape(max_dims=2)
    parts = tuple(d.array(shape) for _ in range(d(st.integers(1, 3))))
    return parts, {"axis": d(st.integers(-len(shape) - 1, len(shape)))}


def draw_repeat(d):
    a = d.array(d.shape(max_dims=2))
    axis = d.axis(a.ndim, tuples=False)
    n = a.size if axis is None else a.shape[axis]
    counts = d(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    return (a,), {
        "repeats": d(st.sampled_from([0, 1, 3, counts, np.array(counts, int)])),
        "axis": axis,
    }


def draw_mixed_index(d, shape):
    """Integers, slices with steps, arrays of integers, a mask, None and ..., together."""
    k, index, masked = d(st.integers(0, 3)), [], False
    for n in shape:
        kinds = ["slice"] + ["int", "array", "mask"] * (n > 0)
        kind = d(st.sampled_from(kinds))
        if kind == "int":
            index.append(d(st.integers(-n, n - 1)))
        elif kind == "slice":
            index.append(
                slice(
                    *d(
                        st.tuples(
                            st.none() | st.integers(-3, 3),
                            st.none() | st.integers(-3, 3),
                            st.sampled_from([None, 1, 2, -1, -2]),
                        )
                    )
                )
            )
        elif kind == "mask" and not masked and n >= k:
            masked = True
            index.append(d.rng.permutation(np.arange(n) < k))
        else:
            index.append(d.rng.integers(-n, n, k))
    if d(st.booleans()):
        index.insert(d(st.integers(0, len(index))), None)
    if d(st.booleans()):
        index[d(st.integers(0, len(index))) :] = [...]
    return tuple(index)


def draw_index(d, shape):
    """An index of any kind that NumPy takes."""
    kinds = ["basic", "mixed", "mask", *(["integers"] if shape and 0 not in shape else [])]
    kind = d(st.sampled_from(kinds))
    if kind == "basic":
        return d(basic_indices(shape, allow_newaxis=True))
    if kind == "integers":
        return d(
            integer_array_indices(
                shape, result_shape=array_shapes(max_dims=2, min_side=0, max_side=3)
            )
        )
    if kind == "mask":
        return d.rng.random(shape[: d(st.integers(0, len(shape)))]) < 0.5
    return draw_mixed_index(d, shape)


def draw_getitem(d):
    shape = d.shape()
    return (d.array(shape),), {"index": draw_index(d, shape)}


def draw_scatter(d):
    shape = d.shape(max_dims=2)
    indices = [draw_index(d, shape) for _ in range(d(st.integers(1, 3)))]
    return tuple(d.array(np.zeros(shape)[index].shape) for index in indices), {
        "indices": indices,
        "shape": shape,
    }


def draw_places(d, shape, size):
    return d.rng.integers(0, size, shape).astype(d(st.sampled_from([np.int64, np.int32, np.uint8])))


def draw_gather(d):
    shape = (*d.shape(max_dims=2), d(st.integers(1, 4)))
    return (d.array(shape),), {"index": draw_places(d, shape[:-1], shape[-1])}


def draw_scatter_rows(d):
    shape, size = d.shape(max_dims=2), d(st.integers(1, 4))
    return (d.array(shape),), {"index": draw_places(d, shape, size), "size": size}


def draw_matmul(d):
    shapes = d(
        mutually_broadcastable_shapes(
            signature=np.matmul.signature, min_side=0, max_side=3, max_dims=1
        )
    ).input_shapes
    return tuple(d.array(shape) for shape in shapes), {}


def draw_linear(d):
    n, m = d(st.integers(0, 3)), d(st.integers(0, 3))
    lead = d.shape(max_dims=2)
    bias = d(st.sampled_from([None, (m,), (*lead, m), (), *([(1, m)] if lead else [])]))
    arrays = (d.array((*lead, n)), d.array((m, n)))
    return arrays if bias is None else (*arrays, d.array(bias)), {}


def draw_einsum(d):
    sizes = {letter: d(st.integers(0, 3)) for letter in "ijk"}
    terms = [
        "".join(d(st.permutations("ijk")))[: d(st.integers(0, 3))]
        for _ in range(d(st.integers(1, 3)))
    ]
    used = sorted(set("".join(terms)))
    output = "".join(d(st.permutations(used)))[: d(st.integers(0, len(used)))]
    return tuple(d.array([sizes[c] for c in term]) for term in terms), {
        "subscripts": f"{','.join(terms)}->{output}"
    }


CALLS = {
    **{
        name: unary()
        for name in (
            "abs",
            "copy",
            "cos",
            "exp",
            "expm1",
            "negative",
            "relu",
            "sigmoid",
            "sign",
            "sin",
            "softplus",
        )
    },
    **{name: unary() for name in ("square", "tanh")},
    **{name: unary(positive=True) for name in ("log", "log1p", "sqrt")},
    **{name: binary() for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum")},
    **{name: reduction(name) for name in ("sum", "mean", "prod", "var", "max", "min", "logsumexp")},
    **{name: reduction(name, keepdims=False) for name in ("softmax", "log_softmax")},
    "power": binary(positive=True),
    "lerp": lambda d: (d.several(3), {}),
    "astype": lambda d: (
        (d.array(d.shape()),),
        {"dtype": np.dtype(d(st.sampled_from([np.float16, np.float32, np.float64, ">f4"])))},
    ),
    "broadcast_to": draw_broadcast_to,
    "clip": draw_clip,
    "concatenate": draw_concatenate,
    "cumsum": draw_cumsum,
    "einsum": draw_einsum,
    "expand_dims": draw_expand_dims,
    "flip": draw_flip,
    "getitem": draw_getitem,
    "linear": draw_linear,
    "matmul": draw_matmul,
    "gather": draw_gather,
    "repeat": draw_repeat,
    "reshape": draw_reshape,
    "scatter": draw_scatter,
    "squeeze": draw_squeeze,
    "stack": draw_stack,
    "transpose": draw_transpose,
    "scatter_rows": draw_scatter_rows,
    "where": draw_where,
}
every_op = pytest.mark.parametrize("name", sorted(CALLS))


def scattered(*parts, indices, shape):
    whole = np.zeros(shape)
    for part, index in zip(parts, indices, strict=True):
        np.add.at(whole, index, part)
    return whole


def log_of_sum(a, axis, keepdims=False):
    return np.log(np.exp(a).sum(axis, keepdims=keepdims))


NUMPY = {
    "astype": lambda a, dtype: a.astype(dtype.newbyteorder("=")),
    "clip": lambda a, min=None, max=None: np.clip(a, min, max),
    "concatenate": lambda *arrays, axis: np.concatenate(arrays, axis),
    "einsum": lambda *operands, subscripts: np.einsum(subscripts, *operands),
    "getitem": lambda a, index: a[index],
    "lerp": lambda a, b, w: (1 - w) * a + w * b,
    "linear": lambda x, weight, bias=0.0: np.einsum("...i,oi->...o", x, weight) + bias,
    "log_softmax": lambda a, axis: a - log_of_sum(a, axis, keepdims=True),
    "logsumexp": log_of_sum,
    "gather": lambda a, index: np.take_along_axis(a, index[..., None].astype(int), -1)[..., 0],
    "relu": lambda a: np.where(a > 0, a, 0),
    "repeat": lambda a, repeats, axis: np.repeat(a, np.asarray(repeats, int), axis),
    "scatter": scattered,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "softmax": lambda a, axis: np.exp(a - log_of_sum(a, axis, keepdims=True)),
    "softplus": lambda a: np.log1p(np.exp(a)),
    "stack": lambda *arrays, axis: np.stack(arrays, axis),
    "scatter_rows": lambda a, index, size: a[..., None] * np.eye(size, dtype=a.dtype)[index],
}
"""What an op is in NumPy's words, where NumPy has no function of its name."""


def reference(name, arrays, params):
    return np.asarray(NUMPY.get(name, getattr(np, name, None))(*arrays, **params))


def call(name, arrays, params):
    """As people call it: by its public name."""
    if name == "einsum":
        return tg.einsum(params["subscripts"], *arrays)
    return (
        getattr(tg, name)(list(arrays), **params)
        if OPS[name].variadic
        else getattr(tg, name)(*arrays, **params)
    )


def leaves(arrays):
    """The arrays of floats as Tensors with gradients."""
    return [tg.Tensor(a, requires_grad=True) if a.dtype.kind == "f" else a for a in arrays]


def differences(f, arrays, i, u, eps=1e-3):
    """The gradient of ⟨u, f⟩ with respect to arrays[i] from values of f alone, by differences of sixth order."""
    found, moved = np.zeros(arrays[i].shape), [np.array(a) for a in arrays]
    for place in np.ndindex(found.shape):
        middle = moved[i][place]
        sides = []
        for step in (1, 2, 3):
            moved[i][place] = middle + step * eps
            above = np.sum(u * f(*moved))
            moved[i][place] = middle - step * eps
            sides.append(above - np.sum(u * f(*moved)))
        moved[i][place] = middle
        found[place] = (45 * sides[0] - 9 * sides[1] + sides[2]) / (60 * eps)
    return found


def test_every_op_is_drawn():
    assert set(CALLS) == set(OPS)
    assert all(name in NUMPY or callable(getattr(np, name)) for name in CALLS)


@every_op
@property_test
@given(data=st.data())
def test_value_and_gradients(name, data):
    d = Draw(data)
    arrays, params = CALLS[name](d)
    y, expected = call(name, inputs := leaves(arrays), params), reference(name, arrays, params)
    assert type(y.data) is np.ndarray
    assert y.shape == expected.shape
    assert y.dtype == expected.dtype
    np.testing.assert_allclose(y.data, expected, rtol=1e-12, atol=1e-12)
    u = d.rng.standard_normal(y.shape).astype(y.dtype)
    y.backward(u)
    smooth = (lambda a: a) if name == "astype" else lambda *moved: reference(name, moved, params)
    for i, x in enumerate(inputs):
        if isinstance(x, tg.Tensor):
            assert x.grad.shape == x.shape
            assert x.grad.dtype == np.float64
            np.testing.assert_allclose(
                x.grad, differences(smooth, arrays, i, u), rtol=1e-8, atol=1e-8
            )


@every_op
@settings(property_test, max_examples=12)
@given(data=st.data())
def test_in_any_floating_dtype(name, data):
    """A Tensor's dtype is that of the result and of its gradient, and the numbers are those of float64 up to its rounding."""
    d = Draw(data)
    arrays, params = CALLS[name](d)
    dtype = np.dtype(d(st.sampled_from([np.float16, np.float32])))
    narrow = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    wide = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in narrow]
    outcomes = []
    for given_arrays in (narrow, wide):
        y = call(name, inputs := leaves(given_arrays), params)
        u = np.random.default_rng(3).uniform(-1, 1, y.shape).astype(dtype)
        y.backward(u)
        outcomes.append((y, [x for x in inputs if isinstance(x, tg.Tensor)]))
    (y, inputs), (exact, exact_inputs) = outcomes
    assert y.dtype == (params["dtype"].newbyteorder("=") if name == "astype" else dtype)
    near = {"rtol": 60 * np.finfo(dtype).eps, "atol": 60 * np.finfo(dtype).eps}
    np.testing.assert_allclose(y.data.astype(np.float64), exact.data.astype(np.float64), **near)
    for x, other in zip(inputs, exact_inputs, strict=True):
        assert x.grad.dtype == dtype
        np.testing.assert_allclose(x.grad.astype(np.float64), other.grad, **near)


@every_op
@settings(property_test, max_examples=12)
@given(data=st.data())
def test_of_integers(name, data):
    """Integers give what the same floats give: integers where NumPy gives them, else the default float; and no gradient."""
    d = Draw(data)
    arrays, params = CALLS[name](d)
    dtype = d(st.sampled_from([np.int32, np.int64]))
    whole = [np.ceil(np.abs(a) * 2).astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    if name == "clip":
        params = {bound: np.ceil(value).astype(dtype) for bound, value in params.items()}
    y = call(name, [tg.Tensor(a) for a in whole], params)
    floats = [a.astype(np.float64) if a.dtype.kind == "i" else a for a in whole]
    assert y.dtype in (
        np.float32,
        np.int32,
        np.int64,
        *([params["dtype"].newbyteorder("=")] if name == "astype" else []),
    )
    assert not y.requires_grad
    np.testing.assert_allclose(y.data, reference(name, floats, params), rtol=1e-5, atol=1e-6)


LAYOUTS = {
    "fortran": lambda a: np.array(a, order="F"),
    "negative strides": with_negative_strides,
    "every second": with_gaps,
    "other byte order": lambda a: a.astype(a.dtype.newbyteorder()),
    "fortran in the other byte order": lambda a: np.array(a, a.dtype.newbyteorder(), order="F"),
}


@every_op
@settings(property_test, max_examples=20)
@given(data=st.data())
def test_in_any_layout_and_byte_order(name, data):
    """Read-only, and in any layout: the same numbers and gradients, in the byte order of the machine; constants too."""
    d = Draw(data)
    arrays, params = CALLS[name](d)
    dtype = d(st.sampled_from([np.float32, np.float64]))
    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    odd = [np.asarray(d(st.sampled_from(list(LAYOUTS.values())))(a)) for a in arrays]
    for a in odd:
        a.flags.writeable = False
    floating = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
    constants = d(
        st.sets(st.sampled_from(floating), max_size=len(floating) - 1)
    )  # one at least is a Tensor with gradients
    outcomes = []
    for given_arrays in (arrays, odd):
        inputs = [
            a if i in constants or i not in floating else tg.Tensor(a, requires_grad=True)
            for i, a in enumerate(given_arrays)
        ]
        y = call(name, inputs, params)
        y.backward(np.random.default_rng(4).standard_normal(y.shape).astype(y.dtype))
        outcomes.append((y.data, [x.grad for x in inputs if isinstance(x, tg.Tensor)]))
    (expected, expected_gradients), (found, gradients) = outcomes
    near = {"rtol": 20 * np.finfo(dtype).eps, "atol": 20 * np.finfo(dtype).eps}
    assert found.dtype == expected.dtype
    assert found.dtype.isnative
    np.testing.assert_allclose(found, expected, **near)
    for g, other in zip(gradients, expected_gradients, strict=True):
        assert g.dtype == dtype
        assert g.dtype.isnative
        np.testing.assert_allclose(g, other, **near)
