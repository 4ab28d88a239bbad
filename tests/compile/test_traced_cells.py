"""Tracing: a cell gets a new program when a value that it holds changes, or an error if it must."""

import copy
import pickle
import random
import types
import warnings

import numpy as np
import pytest
from compiled_cells import assert_near, random_matrix
from internals import NotCompilable

import tinygrad_rnn as tg
from tinygrad_rnn.compile import compiled
from tinygrad_rnn.compile.loops import LONGEST


def test_the_next_call_uses_changed_parameters_and_settings():
    """Parameters that are changed, replaced or frozen, and plain numbers that a cell holds."""

    class Leaky(tg.nn.Module):
        def __init__(self):
            super().__init__()
            self.U, self.rate = tg.Tensor(np.eye(2), requires_grad=True), 0.5

        def forward(self, x, h):
            h = self.rate * h @ self.U + x
            return h, h

    cell, x, h = Leaky(), tg.Tensor(np.ones((3, 1, 2))), tg.Tensor(np.zeros((1, 2)))
    fast = tg.compile(cell)

    def same():
        np.testing.assert_allclose(tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data)

    same()
    cell.U.data = 2 * np.eye(2)
    same()
    cell.U = tg.Tensor(3 * np.eye(2), requires_grad=True)
    same()
    assert len(fast.programs) == 1
    cell.rate = 0.25
    same()
    cell.U.requires_grad = False
    same()
    cell.U.data = 4 * np.eye(2)
    same()


def test_a_new_closure_over_equal_values_needs_no_new_program():
    U = tg.Tensor(np.eye(2), requires_grad=True)

    def run(x, rate):
        def leaky(x, h):
            h = rate * h @ U + x
            return h, h

        return tg.scan(leaky, x, tg.Tensor(np.zeros((1, 2))))[0]

    fast, x = tg.compile(run), tg.Tensor(np.ones((3, 1, 2)))
    for rate in (0.5, 0.5, 0.25, 0.5):
        np.testing.assert_allclose(fast(x, rate).data, run(x, rate).data)
    assert len(fast.programs) == 2


WAYS = {
    "an argument": lambda rate: rate,
    "a list": lambda rate: [rate],
    "a dict": lambda rate: {"rate": rate},
    "a global": lambda rate: None,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_number_that_changes_in_every_call_is_named_in_one_warning(way, monkeypatch):
    monkeypatch.setitem(RATES, "rate", 0.5)

    def run(x, rate):
        rate = next(iter(tg.tree.leaves(rate)), None)

        def leaky(x, h):
            h = (rate or RATES["rate"]) * h + x
            return h, h

        return tg.scan(leaky, x, tg.Tensor(np.zeros((1, 2))))[0]

    fast, x = tg.compile(run), tg.Tensor(np.ones((3, 1, 2)))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        for n in range(1, 13):
            RATES["rate"] = n / 16
            fast(x, WAYS[way](n / 16))
    assert len(found) == 1
    assert "compile: argument run" in str(found[0].message)
    assert "9 programs" in str(found[0].message)
    assert "was 0.5, is now 0.5625" in str(found[0].message)
    assert found[0].filename == __file__


def test_the_programs_of_the_newest_kinds_of_calls_are_kept(monkeypatch):
    monkeypatch.setattr(compiled, "MOST", 2)
    fast = tg.compile(tg.nn.RNN(3, 4, rng=0))
    x = np.ones((5, 2, 3), "float32")
    for steps in (1, 2, 3):
        fast(x[:steps])
    kept = fast.programs
    fast(x[:2])
    fast(x[:3])
    assert fast.programs == kept
    fast(x[:1])
    assert fast.programs[0] is kept[1]
    assert len(kept) == len(fast.programs) == 2


def test_a_part_of_a_state_that_stays_as_it_is_may_be_a_number():
    def cell(x, state):
        h, factor = state
        h = tg.tanh(factor * x + h)
        return h, (h, factor)

    def run(x):
        return tg.scan(cell, x, (tg.Tensor(np.zeros(2)), 0.5))

    fast, x = tg.compile(run), tg.Tensor(np.ones((100, 2)))
    (output, (h, factor)), (expected, _) = fast(x), run(x)
    np.testing.assert_allclose(output.data, expected.data)
    np.testing.assert_array_equal(h.data, output.data[-1])
    assert type(factor) is float
    assert "for t in range(T):" in fast.source


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (lambda x, s: (s[0], (tg.tanh(x + s[0]), s[1] + 1)), "that are not arrays stay as they"),
        (lambda x, s: (1.0, (tg.tanh(x + s[0]), s[1])), "arrays as outputs"),
    ],
)
def test_steps_that_are_not_alike_are_refused_if_they_are_many(cell, message):
    def run(x):
        return tg.scan(cell, x, (tg.Tensor(np.zeros(2)), 0))[1]

    fast, x = tg.compile(run), tg.Tensor(np.ones((LONGEST + 1, 2)))
    if "outputs" not in message:
        (h, n), (expected, _) = fast(x[1:]), run(x[1:])
        np.testing.assert_allclose(h.data, expected.data)
        assert n == LONGEST
    with pytest.raises(NotCompilable, match=message):
        fast(x)


def test_other_lengths_and_masks_need_no_new_program():
    layer = tg.nn.GRU(3, 4, state_dropout=0.3, rng=0)
    fast = tg.compile(layer)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        fast(rng.standard_normal((5, 2, 3)).astype("float32"), lengths=rng.integers(0, 6, 2))
    assert len(fast.programs) == 1


def test_a_new_shape_or_other_gradients_need_a_new_program():
    fast = tg.compile(tg.nn.GRU(3, 4, rng=0))
    x = np.ones((5, 2, 3), "float32")
    fast(x)
    fast(x[:, :1])
    fast(tg.Tensor(x, requires_grad=True))
    with tg.no_grad():
        assert fast(x)[0].node is None
    assert len(fast.programs) == 4
    assert "def backward" not in fast.programs[-1].source


def test_a_compiled_module_is_used_like_its_target():
    """It has the parameters, modes and attributes of its target. Copies start without programs."""
    layer = tg.nn.GRU(3, 4, rng=0)
    fast = tg.compile(layer)
    assert list(fast.state_dict()) == list(layer.state_dict())
    assert [id(p) for p in fast.parameters()] == [id(p) for p in layer.parameters()]
    assert fast.hidden_size == 4
    assert {"hidden_size", "weight_hh_l0", "source"} <= {*dir(fast)}
    fast.note, fast.hidden_size = 1, 4
    fast.register_buffer("mean", np.zeros(2), persistent=False)
    assert layer.note == 1
    assert "note" not in vars(fast)
    np.testing.assert_array_equal(layer.mean, np.zeros(2))
    assert [*fast.state_dict()] == [*layer.state_dict()]
    fast.eval()
    assert not layer.training
    other = tg.nn.GRU(3, 4, rng=1)
    fast.load_state_dict(other.state_dict())
    x = np.ones((5, 2, 3), "float32")
    np.testing.assert_allclose(fast(x)[0].data, other(x)[0].data, atol=1e-6)
    for twin in (copy.deepcopy(fast), pickle.loads(pickle.dumps(fast))):
        np.testing.assert_array_equal(twin(x)[0].data, fast(x)[0].data)
        assert twin.weight_hh_l0 is not fast.weight_hh_l0
    assert repr(fast) == f"compile({layer!r})"
    model = tg.nn.Sequential(layer)
    assert [*tg.compile(model).children()] == [*model.children()]
    tg.compile(model).astype(np.float64)
    assert layer.weight_hh_l0.dtype == np.float64


def test_a_compiled_function_has_attributes_of_its_own():
    fast, W = tg.compile(of_a_dict), tg.Tensor(np.eye(2), requires_grad=True)
    fast.note = 1
    assert vars(fast)["note"] == 1
    assert not hasattr(of_a_dict, "note")
    assert [*fast.children()] == []
    assert fast.eval() is fast
    fast.register_buffer("mean", np.zeros(2), persistent=False)
    np.testing.assert_array_equal(fast.mean, np.zeros(2))
    with pytest.raises(TypeError, match="write the function as a Module"):
        list(tg.compile(lambda x: x @ W).parameters())


RATES, MATRICES = {"rate": 0.5}, {"U": [tg.Tensor(np.eye(2), requires_grad=True)]}


class Settings:
    rate = 0.5


def of_a_dict(x, h):
    h = RATES["rate"] * h @ MATRICES["U"][0] + x
    return h, h


def of_an_object(x, h, settings=Settings()):  # noqa: B008
    h = settings.rate * h + x
    return h, h


def of_code_within(x, h):
    h = sum((lambda part: RATES["rate"] * part)(part) for part in (h, x))
    return h, h


@pytest.mark.parametrize("cell", [of_a_dict, of_an_object, of_code_within])
def test_a_change_of_a_global_value_takes_effect_in_the_next_call(cell, monkeypatch):
    """Values in containers, in objects and their classes, and values that inner code reads."""
    x, h = tg.Tensor(np.ones((3, 1, 2)), requires_grad=True), tg.Tensor(np.ones((1, 2)))
    fast = tg.compile(cell)
    for rate in (0.5, 0.25):
        monkeypatch.setitem(RATES, "rate", rate)
        monkeypatch.setattr(Settings, "rate", rate)
        monkeypatch.setitem(MATRICES, "U", [tg.Tensor(np.full((2, 2), rate), requires_grad=True)])
        np.testing.assert_allclose(tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data)


def test_a_write_in_place_takes_effect_in_the_next_call():
    """A write to frozen parameters, to a Tensor of one number, or to a small array."""
    U, one, mask = tg.Tensor(np.eye(2)), tg.Tensor(0.5), np.ones(2)

    def cell(x, h):
        h = tg.tanh(one * h @ tg.exp(U).T * mask + x)
        return h, h

    x, h = tg.Tensor(np.ones((3, 1, 2)), requires_grad=True), tg.Tensor(np.ones((1, 2)))
    fast = tg.compile(cell)
    for array in (U.data, one.data, mask, mask):
        found = []
        for run in (cell, fast):
            x.grad = None
            output, _ = tg.scan(run, x, h)
            output.sum().backward()
            found.append([output.data, x.grad])
        assert_near(found[1], found[0], 1e-12)
        array[...] = 0.25 * array


def test_equal_functions_in_other_positions_make_another_program():
    def run(x, h, functions):
        def cell(x, h):
            for function in functions:
                h = function(h)
            return h + x, h

        return tg.scan(cell, x, h)[0]

    def double(h):
        return 2 * h

    def less(h):
        return h - 1

    x, h = tg.Tensor(np.ones((3, 1, 2))), tg.Tensor(np.ones((1, 2)))
    fast = tg.compile(run)
    for functions in ([double, double, less], [double, less, less], [double], [double, [less][0]]):
        np.testing.assert_allclose(fast(x, h, functions).data, run(x, h, functions).data)


def branching(x, h):
    h = h + x if x.sum() > 0 else h - x
    return h, h


def reading(x, h):
    h = h * x.mean().item()
    return h, h


def by_chance(x, h):
    h = h + x * np.random.default_rng().random(x.shape)
    return h, h


def counting(x, h, seen=[0.0]):  # noqa: B006
    seen[0] += 1.0
    h = h + x * seen[0]
    return h, h


def peeping(x, h):
    h = h + x * float(x.data.max())
    return h, h


def detaching(x, h):
    h = tg.tanh(h.detach() + x)
    return h, h


def masked_by_numbers(x, h):
    h = tg.where(np.ones(x.shape) * x.array > 0, tg.tanh(h), h + x)
    return h, h


def counted(x, h):
    h = h + x
    return (h, tg.Tensor(np.array(3)) * 1), h


@pytest.mark.parametrize("cell", [branching, by_chance, counting, peeping])
def test_a_cell_that_cannot_be_compiled_is_an_error_that_names_it(cell):
    x, h = (
        tg.Tensor(np.ones((3, 1, 2)), requires_grad=True),
        tg.Tensor(np.zeros((1, 2)), requires_grad=True),
    )
    with pytest.raises(
        NotCompilable, match=rf"compile: argument {cell.__name__}: expected .* got .*fallback=True"
    ):
        tg.scan(tg.compile(cell), x, h)
    fast = tg.compile(cell, fallback=True)
    output, _ = tg.scan(fast, x, h)
    output.sum().backward()
    assert cell.__name__ in fast.uncompiled
    if cell not in (by_chance, counting):
        np.testing.assert_array_equal(output.data, tg.scan(cell, x, h)[0].data)


def of_two_masks(x, h):
    h = h * ((h > 0) + (h > 1)) + x
    return h, h


def integers_beside(x, h):
    h = tg.tanh(h + x)
    return (h, (h > 0) + 1), h


@pytest.mark.parametrize(
    "cell", [reading, detaching, masked_by_numbers, counted, of_two_masks, integers_beside]
)
def test_numbers_masks_and_integers_of_a_call_are_computed_in_each_call(cell):
    """They were constants of a program once, or refused."""
    fast, rng = tg.compile(cell), np.random.default_rng(0)
    for _ in range(3):
        data, start = rng.standard_normal((4, 2, 2)), rng.standard_normal((2, 2))
        found = []
        for run in (cell, fast):
            x, h = tg.Tensor(data, requires_grad=True), tg.Tensor(start, requires_grad=True)
            output, last = tg.scan(run, x, h)
            outputs = output if isinstance(output, tuple) else (output,)
            (outputs[0].sum() + (last * last).sum()).backward()
            arrays = [np.asarray(getattr(y, "array", y)) for y in outputs]
            found.append([*arrays, last.data, x.grad, h.grad])
        for ours, theirs in zip(found[1], found[0], strict=True):
            assert getattr(ours, "dtype", None) == getattr(theirs, "dtype", None)
        assert_near(found[1], found[0], 1e-12)
    assert len(fast.programs) == 1


def test_an_index_from_the_input_inside_a_cell_is_read_in_each_call():
    table = tg.Tensor(np.random.default_rng(0).standard_normal((3, 3)), requires_grad=True)

    def cell(x, h):
        h = tg.tanh(h + table[x])
        return h, h

    fast, h = tg.compile(cell), tg.Tensor(np.zeros((2, 3)))
    for seed in range(3):
        x, found = np.random.default_rng(seed).integers(0, 3, (4, 2)), []
        for run in (cell, fast):
            table.grad = None
            output, _ = tg.scan(run, tg.Tensor(x), h)
            (output * output).sum().backward()
            found.append([output.data, table.grad])
        assert_near(found[1], found[0], 1e-12)
    with pytest.raises(IndexError):
        tg.scan(fast, tg.Tensor(x + 3), h)


def test_a_decoder_follows_the_context_of_its_call():
    """A Tensor that a cell closes over may be a result of this call."""
    W = random_matrix(2, 2)

    def run(source, x):
        context = tg.tanh(source @ W).sum(axis=0)

        def decoder(x, h):
            h = tg.tanh(x + h * context)
            return h, h

        return tg.scan(decoder, x, tg.Tensor(np.ones((1, 2))))[0]

    fast, rng = tg.compile(run), np.random.default_rng(0)
    for _ in range(3):
        data, found = rng.standard_normal((2, 3, 1, 2)), []
        for function in (run, fast):
            source, x = (tg.Tensor(part, requires_grad=True) for part in data)
            W.grad = None
            output = function(source, x)
            (output * output).sum().backward()
            found.append([output.data, source.grad, x.grad, W.grad])
        assert_near(found[1], found[0], 1e-12)
    assert len(fast.programs) == 1


def test_a_global_with_the_name_of_an_attribute_is_ignored(monkeypatch):
    """``tg.tanh`` in a cell does not read a global that is called `tanh`."""

    class Counter:
        calls = 0

    counter = Counter()
    monkeypatch.setitem(of_a_dict.__globals__, "tanh", counter)

    def cell(x, h):
        h = tg.tanh(h + x)
        return h, h

    fast, x = tg.compile(cell), tg.Tensor(np.ones((3, 2)))
    for n in range(3):
        counter.calls = n
        tg.scan(fast, x, tg.Tensor(np.zeros(2)))
    assert len(fast.programs) == 1


class Rates:
    of_class = 0.5


def test_a_change_of_a_class_or_module_attribute_takes_effect_in_the_next_call(monkeypatch):
    module = types.ModuleType("settings_of_a_user")
    module.deep = types.SimpleNamespace(rate=0.5)
    monkeypatch.setitem(of_a_dict.__globals__, "settings", module)
    space = {"Rates": Rates, "settings": module, "tg": tg}
    exec(
        "def cell(x, h):\n"
        "    h = tg.tanh(Rates.of_class * h + settings.deep.rate * x)\n"
        "    return h, h",
        space,
    )
    cell, x, h = space["cell"], tg.Tensor(np.ones((3, 2))), tg.Tensor(np.ones(2))
    fast = tg.compile(cell)
    for rate in (0.5, 0.25, 0.75):
        monkeypatch.setattr(Rates, "of_class", rate)
        np.testing.assert_allclose(
            tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data, rtol=1e-6
        )
        module.deep.rate = 2 * rate
        np.testing.assert_allclose(
            tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data, rtol=1e-6
        )


class Slots:
    __slots__ = ("__weakref__", "rate")


class Whole:
    """A class with a property, a static method, a class method and a class attribute."""

    rate = 0.5

    @property
    def shown(self):
        return RATES["rate"]

    @staticmethod
    def told():
        return RATES["rate"]

    @classmethod
    def known(cls):
        return cls.rate


class Named(list):
    rate = 0.5


def holders():
    """Yield ways to hold a number: a name, a function that reads it and one that writes it."""
    from array import array
    from collections import OrderedDict, UserDict, deque
    from contextvars import ContextVar
    from types import MappingProxyType

    slots, named, whole, variable, here = (
        Slots(),
        Named(),
        Whole(),
        ContextVar("rate"),
        types.ModuleType("settings"),
    )
    slots.rate, here.Class, here.inner = (
        0.5,
        type("Class", (), {"rate": 0.5}),
        types.ModuleType("inner"),
    )
    here.inner.rate = 0.5
    variable.set(0.5)
    read = {"rate": 0.5}
    view, numbers = MappingProxyType(read), np.array([0.5, None], object)
    of_bytes = {
        "array": array("d", [0.5]),
        "bytearray": bytearray([5]),
        "memoryview": memoryview(bytearray([5])),
        "deque": deque([0.5]),
    }

    def reader():
        return reader.rate

    reader.rate = 0.5
    yield "slots", lambda: slots.rate, lambda r: setattr(slots, "rate", r)
    yield "class in a closure", lambda: Named.rate, lambda r: setattr(Named, "rate", r)
    yield "attribute of a list", lambda: named.rate, lambda r: setattr(named, "rate", r)
    yield "class in a module", lambda: here.Class.rate, lambda r: setattr(here.Class, "rate", r)
    yield "module in a module", lambda: here.inner.rate, lambda r: setattr(here.inner, "rate", r)
    yield "attribute of a function", reader, lambda r: setattr(reader, "rate", r)
    yield "method of a dict", lambda get=read.get: get("rate"), lambda r: read.update(rate=r)
    yield "view of a dict", lambda: view["rate"], lambda r: read.update(rate=r)
    yield "objects in an array", lambda: numbers[0], lambda r: numbers.__setitem__(0, r)
    yield "context variable", lambda: variable.get(), variable.set
    yield "property", lambda: whole.shown, lambda r: RATES.update(rate=r)
    yield "static method", lambda: Whole.told(), lambda r: RATES.update(rate=r)
    yield "class method", Whole.known, lambda r: setattr(Whole, "rate", r)
    for name, held in of_bytes.items():
        number = 1 if "b" in name or "m" in name else 0.5
        yield (
            name,
            lambda held=held: held[0],
            lambda r, held=held, number=number: held.__setitem__(
                0, type(number)(8 * r if number == 1 else r)
            ),
        )
    for made in (OrderedDict(rate=0.5), UserDict(rate=0.5)):
        yield (
            type(made).__name__,
            lambda made=made: made["rate"],
            lambda r, made=made: made.update(rate=r),
        )
    yield (
        "default dtype",
        lambda: np.finfo(tg.get_default_dtype()).bits / 64,
        lambda r: tg.set_default_dtype("f8" if r == 0.25 else "f4"),
    )


@pytest.mark.parametrize("holder", list(holders()), ids=lambda holder: holder[0])
def test_a_changed_number_is_noticed_wherever_a_cell_holds_it(holder, monkeypatch):
    _, read, write = holder
    monkeypatch.setitem(RATES, "rate", 0.5)

    def cell(x, h):
        h = read() * h + x
        return h, h

    fast, x, h = tg.compile(cell), tg.Tensor(np.ones((3, 2))), tg.Tensor(np.ones(2))
    try:
        for rate in (0.5, 0.25, 0.25, 0.5):
            write(rate)
            np.testing.assert_allclose(tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data)
    finally:
        write(0.5)
    assert len(fast.programs) == 2


def test_an_object_that_can_change_and_cannot_be_inspected_is_an_error():
    numbers = iter([0.5] * 9 + [0.25] * 9)

    def cell(x, h):
        h = next(numbers) * h + x
        return h, h

    x, h = tg.Tensor(np.ones((3, 2))), tg.Tensor(np.ones(2))
    with pytest.raises(NotCompilable, match=r"compile: argument cell: expected .*list_iterator"):
        tg.scan(tg.compile(cell), x, h)
    fast = tg.compile(cell, fallback=True)
    tg.scan(fast, x, h)
    assert "list_iterator" in fast.uncompiled["cell"]


SOURCES = {
    "Generator": np.random.default_rng(3).random,
    "RandomState": np.random.RandomState(3).random_sample,
    "Random": random.Random(3).random,
    "of NumPy": lambda: np.random.rand(),
    "of Python": lambda: random.random(),
}


@pytest.mark.parametrize("draw", SOURCES.values(), ids=SOURCES)
def test_a_random_draw_is_an_error_even_if_it_has_no_effect_in_the_trace(draw):
    """A rare event does not occur while tracing. The generator is reset afterwards."""

    def cell(x, h):
        if draw() < 1e-9:
            h = h * 0
        h = h + x
        return h, h

    x, h = tg.Tensor(np.ones((3, 2))), tg.Tensor(np.ones(2))
    numpys, pythons = np.random.get_state(), random.getstate()
    with pytest.raises(NotCompilable, match=r"without side effects, got a draw from .*nn\.Dropout"):
        tg.scan(tg.compile(cell), x, h)
    assert random.getstate() == pythons
    np.testing.assert_equal(np.random.get_state(), numpys)


def test_a_generator_that_a_cell_holds_but_does_not_use_is_ignored():
    class Cell(tg.nn.Module):
        def __init__(self):
            super().__init__()
            self.rng = np.random.default_rng(0)
            self.linear = tg.nn.Linear(2, 2, rng=self.rng)

        def forward(self, x, h):
            h = tg.tanh(self.linear(h) + x)
            return h, h

    cell, x, h = Cell(), tg.Tensor(np.ones((3, 2), "f4")), tg.Tensor(np.ones(2, "f4"))
    fast = tg.compile(cell)
    for _ in range(2):
        np.testing.assert_allclose(
            tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data, rtol=1e-6
        )
        cell.rng.random()
    assert len(fast.programs) == 1


def test_a_python_module_in_a_closure_is_not_searched():
    import ctypes

    from internals import guard

    def made(library, system):
        def cell(x, h):
            h = library.tanh(x + h) if system else x
            return h, h

        return cell

    cell = made(tg, ctypes)  # whose attributes are looked for among the libraries of the machine
    assert len(guard(cell)._names) < 30
    fast = tg.compile(cell)
    x, h = tg.Tensor(np.ones((3, 2), np.float32)), tg.Tensor(np.zeros(2, np.float32))
    np.testing.assert_allclose(tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data, rtol=1e-6)
