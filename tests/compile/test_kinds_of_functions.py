"""Functions of many kinds, compiled, beside eager twins: what they take, call, raise and return."""

import functools
import warnings

import numpy as np
import pytest
from eager_twins import Keywords, assert_same, check_twins

import tinygrad_rnn as tg

nn, F = tg.nn, tg.nn.functional


def weight(*shape):
    """Return a leaf."""
    values = np.random.default_rng(sum(shape)).standard_normal(shape)
    return tg.Tensor(values, requires_grad=True, name="w")


def of(function, *things):
    """Return what makes a function that changes nothing, or only these things."""
    return lambda: (function, list(things))


def rows(rng):
    """Draw an array of shape (4, 3)."""
    return rng.standard_normal((4, 3))


FUNCTIONS = {
    "same_twice": (lambda x, y: (x * y, x is y), lambda rng: (lambda x: (x, x))(rows(rng))),
    "tensor_twice": (
        lambda x, y: (x * y).sum(),
        lambda rng: (lambda x: (x, x))(tg.Tensor(rows(rng), requires_grad=True)),
    ),
    "fortran": (lambda x: (x * 2, x.reshape(-1)), lambda rng: np.asfortranarray(rows(rng))),
    "strides": (lambda x: tg.tanh(x[::-1]), lambda rng: rows(rng)[::2, ::-1]),
    "zero_axes": (lambda x: x * 2 + 1, lambda rng: np.array(rng.random())),
    "empty": (lambda x: (x.sum(), tg.exp(x)), lambda rng: np.zeros((0, 3))),
    "scalar": (lambda x: x * 2.0, lambda rng: np.float32(rng.random())),
    "scalar_weak": (lambda x: x.mean() * tg.Tensor([1.0, 2.0]), rows),
    "entries_weak_or_strong": (
        lambda x: (x[0] * tg.Tensor([1.0, 2.0]), x[..., 0] * tg.Tensor([1.0, 2.0])),
        lambda rng: rng.random(2),
    ),
    "ones_strong": (
        lambda x: (np.ones_like(x), np.ones_like(x) * tg.Tensor([1.0, 2.0])),
        lambda rng: np.array(rng.random()),
    ),
    "settings_of_numpys": (
        lambda x: (
            np.take(x, [1, 0], axis=np.int64(1)),
            np.cumsum(x, dtype=np.float32),
            np.full_like(x, np.float32(3)),
            np.nan_to_num(x, nan=np.inf, neginf=-np.inf),
            np.concatenate([x, x], axis=None),
        ),
        rows,
    ),
    "number_of_numpys": (lambda x: (x * np.bool_(True), x + np.int64(2), x / np.float32(4)), rows),
    "functions_of_an_item": (
        lambda x: (lambda y: (np.ndim(y), np.size(y), np.sum(y), np.max(y), np.ones_like(y)))(
            tg.Tensor(x).sum().item()
        ),
        rows,
    ),
    "zero_axes_strong": (lambda x: x * tg.Tensor([1.0, 2.0]), lambda rng: np.array(rng.random())),
    "big_endian": (lambda x: tg.tanh(tg.Tensor(x)), lambda rng: rows(rng).astype(">f8")),
    "default": (lambda x, a=2.0, *, b=3: x * a + b, rows),
    "list_of_arrays": (lambda xs: [x * 2 for x in xs], lambda rng: [rows(rng), rows(rng)]),
    "star": (
        lambda *xs, **more: sum(xs) * more["k"],
        lambda rng: (rows(rng), rows(rng), Keywords(k=rows(rng))),
    ),
    "branches_on_shape": (lambda x: x if len(x) > 3 and x.shape[1] == 3 else -x, rows),
    "branches_on_none": (lambda x, y=None: x if y is None else x * y, rows),
    "int_arithmetic": (
        lambda i: (i // 2, i % 3, -i // 2, i**2, i << 1, ~i, i & 1, i / 2, -i % 3, divmod(i, 2)),
        lambda rng: rng.integers(-5, 5, (4, 3)),
    ),
    "uint8": (
        lambda i: (i + i, -i, i * 3, tg.Tensor(i) * 0.5),
        lambda rng: rng.integers(0, 255, 5, "u1"),
    ),
    "bools": (
        lambda b: (b + b, ~b, b & True, b * 1.5, b.sum(), b.mean()),
        lambda rng: rows(rng) > 0,
    ),
    "numpy_functions": (
        lambda x: (
            np.median(x),
            np.percentile(x, 30),
            np.linalg.norm(x),
            np.outer(x[0], x[0]),
            np.diff(x),
            np.var(x, axis=0),
            np.std(x),
            np.argsort(x),
            np.cov(x),
            np.tril(x),
            np.roll(x, 1),
            np.tile(x, 2),
            np.kron(x, x),
            np.searchsorted(np.sort(x[0]), 0.1),
            np.isin(x, [1]),
            np.nan_to_num(x),
            np.select([x > 0, x < -1], [x, -x], 5.0),
            np.interp(0.1, [0, 1], x[0, :2]),
            np.meshgrid(x[0], x[1]),
            np.split(x, 2),
            np.hstack([x, x]),
            np.dot(x[0], x[1]),
            np.einsum("ij,ij->", x, x),
            np.trapezoid(x[0]) if hasattr(np, "trapezoid") else 0,
            np.tensordot(x, x.T, 1),
            np.full_like(x, 3),
            np.cumsum(x),
            x.cumsum(),
            x.ptp() if hasattr(x, "ptp") else 0,
            np.ptp(x),
            np.modf(x),
            np.frexp(x),
            np.square(x).sum(),
        ),
        rows,
    ),
    "numpy_methods": (
        lambda x: (
            x.argmax(),
            x.std(axis=1),
            x.mean(keepdims=True),
            x.round(1),
            x.clip(-1, 1),
            x.T,
            x.ravel(),
            x.flatten(),
            x.dot(x.T),
            x.take([1, 2]),
            x.repeat(2),
            x.trace(),
            x.squeeze(),
            x.real,
            x.max(1),
            x.min(),
            x.prod(),
            x.any(),
            x.all(0),
            x.astype(int),
            x.astype("f4", copy=False),
            x.copy(),
            x.swapaxes(0, 1),
            x.diagonal(),
            x.var(ddof=1),
            x.sum(dtype="f4"),
        ),
        rows,
    ),
    "writes_into_a_new_array": (lambda x: _fill(x), rows),
    "out": (lambda x: _accumulate(x), rows),
    "reduce": (
        lambda x: (
            np.add.reduce(x),
            np.maximum.reduce(x, axis=1),
            np.add.accumulate(x),
            np.multiply.outer(x[0], x[1]),
            np.logical_and.reduce(x > 0, axis=0),
        ),
        rows,
    ),
    "mixed": (
        lambda x: (np.tanh(tg.Tensor(x)), np.maximum(tg.Tensor(x), x), x @ tg.Tensor(x.T)),
        rows,
    ),
    "comparisons": (
        lambda x: ((tg.Tensor(x) > 0), (tg.Tensor(x) == tg.Tensor(x)), tg.Tensor(x) > 1, x != 0),
        rows,
    ),
    "strings": (lambda x, mode: x if mode == "a" else -x, lambda rng: (rows(rng), "b")),
    "nested": (
        lambda b: {"y": [b["x"][0] * 2, (b["x"][1],)]},
        lambda rng: {"x": (rows(rng), rows(rng))},
    ),
    "no_grad": (lambda x: _without(x), rows),
    "unpack": (lambda x: (lambda a, b, *c: (a * b, c))(*x), rows),
    "enumerate": (lambda x: sum(i * row for i, row in enumerate(x)), rows),
    "tensor_methods": (
        lambda x: (
            lambda t: (
                t.data,
                t.detach(),
                t.item() if t.size == 1 else 0,
                t.shape,
                t.dtype,
                t.astype("float32"),
                t.reshape(-1),
                t[0],
                t[..., None],
                t.T,
            )
        )(tg.Tensor(x)),
        rows,
    ),
}


def _fill(x):
    y = np.zeros_like(x)
    y[1] = x[0]
    y[:, 0] = 2
    z = x.copy()
    z *= 2
    return y, z


def _accumulate(x):
    y = np.zeros_like(x)
    np.add(y, x, out=y)
    y += x
    y -= 1
    y /= 2
    return y


def _without(x):
    with tg.no_grad():
        return tg.Tensor(x, requires_grad=True) * 2


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    function, data = FUNCTIONS[name]
    check_twins(of(function), data, programs=1)


def _closure(scale):
    def f(x):
        return x * scale

    return f


class Callable:
    """An object of the user's that can be called, with a method."""

    def __init__(self):
        self.w = weight(3, 3)

    def __call__(self, x):
        return x @ self.w

    def method(self, x):
        return tg.tanh(x @ self.w)

    @property
    def double(self):
        return self.w * 2


def _recurse(x, n):
    return x if n == 0 else _recurse(tg.tanh(x), n - 1)


CALLABLES = {
    "closure": _closure(2.0),
    "object": Callable(),
    "method": Callable().method,
    "op": tg.tanh,
    "partial": functools.partial(_recurse, n=3),
    "layer": nn.Linear(3, 2, rng=0),
    "numpy": np.tanh,
    "sequence": nn.Sequential(nn.Linear(3, 2, rng=0), tg.tanh),
    "norm": nn.LayerNorm(3),
    "lambda": lambda x: (lambda: x * 2)(),
    "compiled": tg.compile(lambda x: x * 3),
    "property": (lambda c: lambda x: x @ c.double)(Callable()),
}


@pytest.mark.parametrize("name", CALLABLES)
def test_callables(name):
    f = CALLABLES[name]
    fast = tg.compile(f)
    for seed in range(4):
        x = tg.Tensor(rows(np.random.default_rng(seed)).astype("float32"))
        assert_same(f(x), fast(x))


def test_a_compiled_function_in_a_compiled_step():
    def make():
        model = nn.GRU(3, 4, rng=0)
        inner, w = tg.compile(model), weight(4)
        optimizer = tg.optim.SGD([*model.parameters(), w], lr=0.1)

        @tg.compile
        def loss_of(y, target):
            return ((y * w - target) ** 2).mean()

        def step(x, target):
            optimizer.zero_grad()
            loss = loss_of(inner(x)[0], target)
            loss.backward()
            optimizer.step()
            return loss

        return step, [model, w, optimizer]

    def data(rng):
        return rng.standard_normal((5, 2, 3)).astype("f4"), rng.standard_normal((5, 2, 4)).astype(
            "f4"
        )

    check_twins(make, data)


# -- errors and warnings are eager's ---------------------------------------------------------------


ERRORS = {
    "shapes": (lambda x: x @ x, rows, rows),
    "class": (
        lambda t: F.cross_entropy(tg.Tensor(np.ones((4, 3))), t),
        lambda rng: rng.integers(0, 3, 4),
        lambda rng: np.array([0, 1, 2, 3]),
    ),
    "negative_class": (
        lambda t: F.cross_entropy(tg.Tensor(np.ones((4, 3))), t),
        lambda rng: rng.integers(0, 3, 4),
        lambda rng: np.array([0, 1, 2, -1]),
    ),
    "token": (
        nn.Embedding(3, 2, rng=0),
        lambda rng: rng.integers(0, 3, 4),
        lambda rng: np.full(4, 3),
    ),
    "index": (
        lambda x, i: x[i],
        lambda rng: (rows(rng), rng.integers(0, 4, 2)),
        lambda rng: (rows(rng), np.array([0, 9])),
    ),
    "all_ignored": (
        lambda t: F.cross_entropy(tg.Tensor(np.ones((4, 3))), t, ignore_index=0),
        lambda rng: rng.integers(1, 3, 4),
        lambda rng: np.zeros(4, int),
    ),
    "probabilities": (
        lambda p: F.binary_cross_entropy_with_logits(tg.Tensor(np.ones((4, 3))), p),
        lambda rng: rng.random((4, 3)),
        lambda rng: rng.random((4, 3)) + 1,
    ),
    "lengths": (
        lambda n: nn.GRU(3, 2, rng=0)(np.ones((5, 2, 3), "f4"), lengths=n),
        lambda rng: rng.integers(1, 6, 2),
        lambda rng: np.array([3, 7]),
    ),
}


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("first", [True, False])
def test_errors_are_eagers(name, first):
    """In the first call, and in a call of a program that is there already."""
    function, good, bad = ERRORS[name]
    wrap = lambda args: args if isinstance(args, tuple) else (args,)  # noqa: E731
    fast, rng = tg.compile(function), np.random.default_rng(0)
    if not first and name != "shapes":
        assert_same(function(*wrap(good(np.random.default_rng(0)))), fast(*wrap(good(rng))))
    args = wrap(bad(rng))
    with pytest.raises(Exception) as expected:  # noqa: PT011
        function(*args)
    with pytest.raises(type(expected.value)) as error:
        fast(*args)
    assert str(error.value) == str(expected.value)


def test_an_error_after_a_scan_names_no_step():
    def step(x):
        output, _ = tg.scan(lambda x, h: (tg.tanh(x + h),) * 2, x, tg.Tensor(np.zeros(2)))
        loss = output.sum()
        loss.backward()
        loss.backward()

    with pytest.raises(RuntimeError, match=r"made by sum in step\)"):
        tg.compile(step)(tg.Tensor(np.ones((3, 2)), requires_grad=True))


def test_a_loss_that_is_not_finite_is_an_error_of_clipping():
    def make():
        w = weight(3)

        def step(x):
            w.grad = None
            (w * x).sum().backward()
            return nn.clip_grad_norm_([w], 1.0)

        return step, [w]

    (step, _), (function, _things) = make(), make()
    fast = tg.compile(function)
    assert_same(step(np.ones(3)), fast(np.ones(3)))
    with pytest.raises(ValueError, match="finite"), np.errstate(all="ignore"):
        fast(np.array([1.0, np.nan, 2.0]))


def test_a_call_that_runs_the_plain_function_draws_once():
    def make():
        drop = nn.Dropout(0.5, rng=0)
        return lambda x: tg.log(drop(tg.Tensor(x))), [drop.rng]

    with np.errstate(all="ignore"):
        check_twins(make, lambda rng: rng.random(20), 4, plain=4)


def test_warnings_are_numpys():
    fast = tg.compile(lambda x: tg.log(tg.Tensor(x)))
    fast(np.ones(3))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = fast(np.array([1.0, 0.0, -1.0]))
    assert found
    np.testing.assert_array_equal(result.data, [0, -np.inf, np.nan])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        fast(np.array([1.0, 0.0, -1.0]))


def test_recorders_around_a_call_see_the_plain_function():
    layer = nn.GRU(3, 4, rng=0)
    fast = tg.compile(layer)
    x = np.ones((2, 1, 3), "f4")
    fast(x)
    with tg.no_grad():
        assert not fast(x)[0].requires_grad
    assert fast(x)[0].requires_grad


def test_bits_of_masks_and_positions_of_generators():
    def make():
        rng = np.random.default_rng(7)
        drop, gru = nn.Dropout(0.5, rng=rng), nn.GRU(3, 4, state_dropout=0.5, zoneout=0.2, rng=rng)

        def f(x):
            return drop(tg.Tensor(x)), gru(x)[0], drop(tg.Tensor(np.ones_like(x)))

        return f, [rng]

    (f, things), (g, twins) = make(), make()
    fast = tg.compile(g)
    for call in range(4):
        x = np.random.default_rng(call).standard_normal((5, 2, 3)).astype("f4")
        slow, quick = f(x), fast(x)
        assert_same(slow, quick)
        for a, b in zip(slow[::2], quick[::2], strict=True):
            np.testing.assert_array_equal(a.data, b.data)
        assert things[0].bit_generator.state == twins[0].bit_generator.state
