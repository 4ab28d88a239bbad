"""Calls of every op, drawn by Hypothesis: shapes, settings and numbers inside its domain."""

import math
from functools import partial

import numpy as np
from every_op import OPS, REDUCTIONS, reference_or_none
from hypothesis import strategies as st
from hypothesis.extra.numpy import (
    array_shapes,
    basic_indices,
    integer_array_indices,
    mutually_broadcastable_shapes,
)
from internals import cases, domain_of_inputs, is_elementwise, place_inside

REAL = (-math.inf, math.inf)


class Draw:
    """Draws shapes, axes and numbers for a call; no two numbers are equal and none is near 0."""

    def __init__(self, data):
        self.data = data
        self.rng = np.random.default_rng(self(st.integers(0, 10_000)))

    def __call__(self, strategy):
        return self.data.draw(strategy)

    def shape(self, **limits):
        return self(
            array_shapes(**{"min_dims": 0, "max_dims": 3, "min_side": 0, "max_side": 3} | limits)
        )

    def array(self, shape, domain=REAL):
        """Draw numbers so far apart that no difference quotient steps over another one."""
        return self.several([shape], [domain])[0]

    def broadcastable(self, domains):
        """Draw arrays that broadcast, a domain for each; no entry of one equals one of another."""
        limits = {"min_side": 0, "max_side": 3, "max_dims": 3}
        shapes = self(mutually_broadcastable_shapes(num_shapes=len(domains), **limits)).input_shapes
        return self.several(shapes, domains)

    def several(self, shapes, domains):
        """Draw arrays of these shapes inside these domains."""
        sizes = [math.prod(shape) for shape in shapes]
        n = sum(sizes)
        units = (self.rng.permutation(n) + self.rng.uniform(0.2, 0.8)) / max(n, 1)
        parts = np.split(units, np.cumsum(sizes)[:-1])
        return tuple(
            place_inside(domain, part.reshape(shape), self.rng)
            for domain, part, shape in zip(domains, parts, shapes, strict=True)
        )

    def axis(self, ndim, *, none=True, tuples=True):
        """Draw None, an axis counted from either end, or several of them."""
        kinds = [st.none()] if none or not ndim else []
        kinds += [st.integers(-ndim, ndim - 1)] if ndim else []
        if tuples:
            chosen = st.lists(st.integers(0, ndim - 1), unique=True) if ndim else st.just([])
            kinds.append(
                chosen.map(lambda axes: tuple(i - ndim * (k % 2) for k, i in enumerate(axes)))
            )
        return self(st.one_of(kinds))


def along(axes, ndim):
    """Return the axes that a setting names, counted from the front."""
    return (
        range(ndim)
        if axes is None
        else [i % ndim for i in (axes if isinstance(axes, tuple) else (axes,))]
    )


def has_identity(name):
    """Return whether a reduction has a result for no entries at all, as a sum has 0."""
    defaults = {"keepdims": False, **OPS[name].defaults}
    return reference_or_none(name, [np.zeros(0)], {**defaults, "axis": 0}) is not None


def draw_reduction(name, d):
    """Draw a reduction over any axes; over at least one entry if it has no identity."""
    shape, op = list(d.shape()), OPS[name]
    params = {"axis": d.axis(len(shape))}
    axes = along(params["axis"], len(shape))
    if "keepdims" not in op.defaults or not has_identity(name):
        for i in axes:
            shape[i] = max(shape[i], 1)
    if "keepdims" in op.defaults:
        params["keepdims"] = d(st.booleans())
    if "ddof" in op.defaults:
        n = math.prod(shape[i] for i in axes)
        params["ddof"] = d(st.sampled_from([0, 1, 0.5] if n > 1 else [0]))
    return (d.array(shape, *domain_of_inputs(op)),), params


def draw_elementwise(name, d):
    """Draw arrays that broadcast, inside the domain of an op."""
    return d.broadcastable(domain_of_inputs(OPS[name])), draw_sample(name, d)[1]


def draw_sample(name, d):
    """Draw one of the samples of an op, with other numbers."""
    seed = int(d.rng.integers(1000))
    return d(st.sampled_from(cases(OPS[name], np.random.default_rng(seed))))


def draw_astype(d):
    dtypes = [np.float16, np.float32, np.float64, ">f4"]
    return (d.array(d.shape()),), {"dtype": np.dtype(d(st.sampled_from(dtypes)))}


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


def draw_round(d):
    decimals = d(st.sampled_from([0, 1, -1]))
    return (10.0**-decimals * (2 + d.array(d.shape()) / 5),), {"decimals": decimals}


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


MORE = {
    **{
        name.removeprefix("draw_"): function
        for name, function in globals().items()
        if name.removeprefix("draw_") in OPS
    },
    **{name: partial(draw_reduction, name) for name in ("softmax", "log_softmax")},
}
"""For ops whose settings have a structure of their own: functions that draw these too."""


def draw_call(name, data):
    """Draw the arrays and settings of a call of an op; from the registry unless `MORE` has it."""
    d = Draw(data)
    if name in MORE:
        arrays, params = MORE[name](d)
    elif name in REDUCTIONS:
        arrays, params = draw_reduction(name, d)
    elif is_elementwise(OPS[name]):
        arrays, params = draw_elementwise(name, d)
    else:
        arrays, params = draw_sample(name, d)
    return [np.asarray(a) for a in arrays], params, d
