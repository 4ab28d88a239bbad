"""Guards: each kind of place, what may change in it, and what a guard must not do."""

import pickle
import random
import sys
import timeit
import weakref
from array import array
from collections import deque, namedtuple
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from operator import is_
from types import MethodType, ModuleType, SimpleNamespace

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.compile.guards import guard

rate = 0.5
tools = ModuleType("tools_of_the_user")
tools.factor, tools.unused = 2.0, 1.0
tools.inner = ModuleType("inner_tools_of_the_user")
tools.inner.depth = 3
setting = ContextVar("setting", default=1)
State = namedtuple("State", "h c")


def tensor(*shape, **settings):
    return tg.Tensor(np.ones(shape, "float32"), **settings)


class Plain:
    limit = 3

    def __init__(self, **attributes):
        vars(self).update(attributes)

    def run(self, x, scale=2):
        return x * scale

    @property
    def doubled(self):
        return self.limit * 2

    @classmethod
    def make(cls):
        return cls()

    @staticmethod
    def clip(x):
        return x


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


@dataclass
class Options:
    size: int = 3
    rates: tuple = (0.1, 0.2)


class Model(tg.nn.Module):
    def __init__(self, **settings):
        super().__init__()
        self.body = tg.nn.LSTM(8, 16, num_layers=2, rng=0, **settings)
        self.head = tg.nn.Linear(16, 4, rng=1)

    def forward(self, x):
        return self.head(self.body(x)[0])


def hold(*things):
    """Return a function with a closure over some things."""

    def function(x):
        return x, things

    return function


def make_change(holder, name, value):
    def change():
        setattr(holder, name, value)

    return change


def changes():
    """Yield (what, function, change, change back)."""
    attribute = Plain(flag=True, nested=[{"a": Slotted(1)}])
    f = hold(attribute)
    yield (
        "attribute",
        f,
        partial(setattr, attribute, "flag", False),
        partial(setattr, attribute, "flag", True),
    )
    slot = attribute.nested[0]["a"]
    yield "nested slot", f, partial(setattr, slot, "value", 2), partial(setattr, slot, "value", 1)
    yield (
        "attribute added",
        f,
        partial(setattr, attribute, "new", 1),
        partial(delattr, attribute, "new"),
    )
    yield (
        "type of a number",
        f,
        partial(setattr, slot, "value", True),
        partial(setattr, slot, "value", 1),
    )
    entries = [1, 2]
    yield (
        "list entry",
        hold(entries),
        partial(entries.__setitem__, 0, 5),
        partial(entries.__setitem__, 0, 1),
    )
    yield "list length", hold(entries), partial(entries.append, 5), entries.pop
    table = {"a": 1, "b": 2}
    yield (
        "dict entry",
        hold(table),
        partial(table.__setitem__, "a", 5),
        partial(table.__setitem__, "a", 1),
    )
    yield (
        "dict entry added",
        hold(table),
        partial(table.__setitem__, "c", 5),
        partial(table.pop, "c"),
    )

    def rename():
        table["c"] = table.pop("b")

    def name_back():
        table["b"] = table.pop("c")

    yield "dict key", hold(table), rename, name_back
    chosen = {"x"}
    yield "set", hold(chosen), partial(chosen.add, "y"), partial(chosen.remove, "y")
    queue = deque([1])
    yield "deque", hold(queue), partial(queue.append, 2), queue.pop
    options = Options()
    yield (
        "dataclass",
        hold(options),
        partial(setattr, options, "size", 4),
        partial(setattr, options, "size", 3),
    )
    yield (
        "tuple",
        hold(options),
        partial(setattr, options, "rates", (0.1, 0.3)),
        partial(setattr, options, "rates", (0.1, 0.2)),
    )
    space = SimpleNamespace(hidden=3)
    yield (
        "namespace",
        hold(space),
        partial(setattr, space, "hidden", 4),
        partial(setattr, space, "hidden", 3),
    )
    numbers = array("d", [1.0])
    yield (
        "array.array",
        hold(numbers),
        partial(numbers.__setitem__, 0, 2.0),
        partial(numbers.__setitem__, 0, 1.0),
    )

    def use_globals(x):
        return [x * rate * tools.factor for _ in range(tools.inner.depth)]

    here = globals()
    yield (
        "global",
        use_globals,
        partial(here.__setitem__, "rate", 0.25),
        partial(here.__setitem__, "rate", 0.5),
    )
    yield (
        "attribute of a module",
        use_globals,
        partial(setattr, tools, "factor", 3.0),
        partial(setattr, tools, "factor", 2.0),
    )
    yield (
        "attribute of an inner module",
        use_globals,
        partial(setattr, tools.inner, "depth", 4),
        partial(setattr, tools.inner, "depth", 3),
    )
    yield (
        "class attribute",
        hold(attribute),
        partial(setattr, Plain, "limit", 4),
        partial(setattr, Plain, "limit", 3),
    )
    run = Plain.run
    for what, f in (("object", hold(attribute)), ("bound method", attribute.run)):
        yield (
            f"method of the class of a {what}",
            f,
            partial(setattr, Plain, "run", lambda self, x: x),
            partial(setattr, Plain, "run", run),
        )
    yield (
        "method of an object",
        hold(attribute),
        partial(setattr, attribute, "run", MethodType(run, attribute)),
        partial(delattr, attribute, "run"),
    )
    yield (
        "default of a method",
        hold(attribute),
        partial(setattr, run, "__defaults__", (3,)),
        partial(setattr, run, "__defaults__", (2,)),
    )
    code = run.__code__
    yield (
        "code",
        hold(attribute),
        partial(setattr, run, "__code__", (lambda self, x, scale=2: x).__code__),
        partial(setattr, run, "__code__", code),
    )

    def keyword(x, *, scale=2):
        return x * scale

    yield (
        "keyword default",
        keyword,
        partial(keyword.__kwdefaults__.__setitem__, "scale", 3),
        partial(keyword.__kwdefaults__.__setitem__, "scale", 2),
    )
    keyword.note = 1
    yield (
        "attribute of a function",
        partial(keyword, scale=1),
        partial(setattr, keyword, "note", 2),
        partial(setattr, keyword, "note", 1),
    )
    yield "context variable", hold(setting), partial(setting.set, 2), partial(setting.set, 1)
    model = Model()
    yield "training", model, model.eval, model.train
    yield "training of a part", model.forward, model.body.eval, model.body.train
    yield (
        "layer",
        hold(model),
        partial(setattr, model, "head", tg.nn.Linear(16, 4)),
        partial(setattr, model, "head", model.head),
    )
    weight = model.head.weight
    yield (
        "frozen",
        hold(model),
        partial(setattr, weight, "requires_grad", False),
        partial(setattr, weight, "requires_grad", True),
    )
    yield "dtype", model, partial(model.astype, "float64"), partial(model.astype, "float32")
    yield (
        "default dtype",
        keyword,
        partial(tg.set_default_dtype, "float64"),
        partial(tg.set_default_dtype, "float32"),
    )
    seen = weakref.ref(attribute)
    yield (
        "weak reference",
        hold(seen),
        partial(setattr, attribute, "flag", 5),
        partial(setattr, attribute, "flag", True),
    )


@pytest.mark.parametrize("case", [*changes()], ids=lambda case: case[0].replace(" ", "-"))
def test_a_change_is_noticed_and_so_is_its_end(case):
    _, function, change, change_back = case
    found = guard(function)
    before = found.current()
    assert before is not None
    assert found.describe_change() is None
    try:
        change()
        assert found.current() is None
        assert len(found.describe_change()) > 10
    finally:
        change_back()
    assert found.describe_change() is None
    assert found.current() == before


def test_a_rebound_variable_of_a_closure_is_noticed():
    scale, unbound = 1.0, 2

    def function(x):
        return x * scale * unbound

    def rebind(value):
        nonlocal scale
        scale = value

    def unbind():
        nonlocal unbound
        del unbound

    found = guard(function)
    rebind(2.0)
    assert found.current() is None
    assert found.describe_change().startswith("scale in the closure of ")
    assert found.describe_change().endswith("was 1.0, is now 2.0")
    rebind(float("1.0"))
    assert found.current() == []
    unbind()
    assert found.current() is None
    assert "no value" in found.describe_change()


@pytest.mark.parametrize("number", [1e-3, 10**6, 1e999, 2j, "a long text", b"bytes", (1e-3, "a")])
def test_an_equal_number_is_no_change(number):
    holder = Plain(value=number)
    found = guard(hold(holder))
    for _ in range(3):
        holder.value = eval(repr(number), {"inf": float("inf")})
        assert found.current() == []


def test_nan_is_no_change_as_long_as_it_is_the_same_object():
    holder = Plain(value=float("nan"))
    found = guard(hold(holder))
    assert found.current() == []
    holder.value = float("nan")
    assert found.current() is None


def test_equal_objects_that_are_not_the_same_are_a_change():
    holder = Plain(value=Options(), table=[1])
    found = guard(hold(holder))
    holder.value = Options()
    assert found.current() is None
    assert "another object" in found.describe_change()


# -- Tensors ---------------------------------------------------------------------------------------


def holders():
    """Yield (a holder, a function that puts a Tensor into it)."""
    holder, entries, table = Plain(h=tensor(2)), [tensor(2)], {"h": tensor(2)}
    slot, pair, module = Slotted(tensor(2)), Plain(s=(1, tensor(2))), tg.nn.Module()
    named, deep = [State(tensor(2), 1)], Plain(s=(1, (tensor(2), 2)))
    module.register_buffer("state", tensor(2))
    yield holder, partial(setattr, holder, "h")
    yield entries, partial(entries.__setitem__, 0)
    yield table, partial(table.__setitem__, "h")
    yield slot, partial(setattr, slot, "value")
    yield module, partial(setattr, module, "state")
    yield pair, lambda h: setattr(pair, "s", (1, h))
    yield deep, lambda h: setattr(deep, "s", (1, (h, 2)))
    yield named, lambda h: named.__setitem__(0, State(h, 1))


@pytest.mark.parametrize("case", [*holders()], ids=lambda case: type(case[0]).__name__)
def test_another_tensor_of_the_same_kind_may_take_the_place(case):
    holder, put = case
    found = guard(hold(holder))
    first = found.current()
    assert len(first) == 1
    assert found.tensors == first
    for _ in range(3):
        new = tensor(2)
        put(new)
        assert found.current()[0] is new
    others = tensor(3), tensor(2).astype("float64"), tensor(2, requires_grad=True), 1.0, None
    for other in others[:2] if isinstance(holder, tg.nn.Module) else others:
        put(other)
        assert found.current() is None
        assert len(found.describe_change()) > 10
    put(new)
    assert found.current()[0] is new


def test_a_tensor_in_a_closure_may_be_replaced():
    context = tensor(2)

    def function(x):
        return x + context

    found = guard(function)
    context = tensor(2) * 2
    assert found.current()[0] is context
    context = tensor(1, 2)
    assert found.current() is None


def test_two_places_of_one_tensor_still_hold_the_same_one():
    h = tensor(2)
    entries = [h, h, tensor(2)]
    found = guard(hold(entries))
    assert len(found.current()) == 2
    entries[:2] = [tensor(2)] * 2
    assert found.current()[0] is entries[0]
    entries[1] = tensor(2)
    assert found.current() is None
    assert "different Tensors" in found.describe_change()
    entries[:] = [h] * 3
    assert found.current() is None
    assert "the same Tensor" in found.describe_change()


def test_the_length_of_a_tuple_with_tensors_must_stay():
    holder = Plain(state=(tensor(2), tensor(2)))
    found = guard(hold(holder))
    assert len(found.current()) == 2
    for state in ((tensor(2),), [tensor(2), tensor(2)], State(tensor(2), tensor(2))):
        holder.state = state
        assert found.current() is None
        assert found.describe_change().startswith("self.state of Plain: was a tuple of 2")


def test_no_tensor_is_kept_alive(no_gc):
    decoder, source = Plain(entries=[None]), tensor(2, requires_grad=True)

    def encode():
        h = 2 * source
        decoder.context, decoder.pair, decoder.entries[0] = h, (h, 1), h * 2
        return [weakref.ref(h), weakref.ref(decoder.entries[0])]

    old = encode()
    found = guard(hold(decoder))
    assert len(found.current()) == 2
    new = encode()
    assert [x() for x in old] == [None, None]
    assert found.current() is not None
    assert [x() is not None for x in new] == [True, True]


# -- arrays and generators -------------------------------------------------------------------------


@pytest.mark.parametrize("size", [3, 100_000])
def test_only_baked_arrays_are_compared(size):
    def function(x, mask=np.ones(size)):  # noqa: B008
        return x * mask

    (mask,) = function.__defaults__
    found = guard(function)
    assert found.arrays == [mask] if size == 1 else found.arrays[0] is mask
    mask[1] = 0
    assert found.current() == []
    found.bake([mask])
    assert found.current() == []
    mask[1] = np.nan
    assert found.current() is None
    assert "entries" in found.describe_change()
    mask[1] = 0
    assert found.current() == []
    function.__defaults__ = (mask.copy(),)
    assert found.current() is None


def test_an_array_that_gets_another_shape_is_a_change():
    found = guard(hold(mask := np.ones((2, 3))))
    mask.shape = 3, 2
    assert found.current() is None
    assert "shape" in found.describe_change()


def test_generators_are_found_and_compared_by_identity():
    new, old, python = np.random.default_rng(0), np.random.RandomState(0), random.Random(0)
    holder = Plain(new=new, old=old, draw=python.random)

    def function(x):
        return x * random.random() * np.random.rand(), holder

    found = guard(function)
    hidden = [random._inst, np.random.mtrand._rand]
    assert {id(x) for x in found.generators} == {id(x) for x in (new, old, python, *hidden)}
    new.random(), old.rand(), python.random(), random.random()
    assert found.current() == []
    holder.new = np.random.default_rng(0)
    assert found.current() is None


# -- the library's own objects ---------------------------------------------------------------------


def optimizers(parameters):
    p = list(parameters)
    return [
        tg.optim.SGD(p, lr=0.1),
        tg.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
        tg.optim.RMSprop(p, lr=0.1, momentum=0.5, centered=True),
        tg.optim.Adam(p, lr=0.1, amsgrad=True),
        tg.optim.AdamW([{"params": p[:1], "lr": 0.5}, {"params": p[1:]}], lr=0.1),
    ]


def schedules(optimizer):
    return [
        tg.optim.StepLR(optimizer, 2),
        tg.optim.ExponentialLR(optimizer, 0.5),
        tg.optim.CosineAnnealingLR(optimizer, 3),
        tg.optim.LinearLR(optimizer),
        tg.optim.ReduceLROnPlateau(optimizer, patience=0),
    ]


@pytest.mark.parametrize("number", range(5))
def test_training_changes_nothing_that_is_guarded(number):
    model = Model(dropout=0.3)
    optimizer = optimizers(model.parameters())[number]
    plans = schedules(optimizer)

    def step(x, y):
        optimizer.zero_grad()
        loss = tg.nn.functional.mse_loss(model(x), y)
        loss.backward()
        tg.nn.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss, plans

    x, y = np.ones((5, 2, 8), "float32"), np.ones((5, 2, 4), "float32")
    step(x, y)
    found = guard(step)
    assert found.optimizers == [optimizer]
    assert len(found.generators) == 1
    for _ in range(4):
        step(x, y)
        assert found.describe_change() is None
        for plan in plans:
            plan.step(*[1.0] * isinstance(plan, tg.optim.ReduceLROnPlateau))
        assert found.describe_change() is None
        model.eval()
        assert found.current() is None
        model(x)
        model.train()
        assert found.describe_change() is None
        optimizer.load_state_dict(optimizer.state_dict())
        model.load_state_dict(model.state_dict())
        assert {id(p) for p in found.current()} == {id(p) for p in model.parameters()}
    group = optimizer.param_groups[0]
    group["weight_decay"] = 0.5
    assert found.current() is None
    assert "weight_decay" in found.describe_change()


def test_the_state_of_an_optimizer_may_change_its_numbers_only():
    weight = tensor(3, requires_grad=True)
    optimizer = tg.optim.Adam([weight], lr=0.1)

    def step():
        (weight * weight).sum().backward()
        optimizer.step()

    found = guard(step)
    step()
    assert found.current() is None  # the first step makes the arrays
    assert found.describe_change().startswith("the state of an optimizer")
    found = guard(step)
    (state,) = optimizer.state
    mean = state["mean"]
    for other in (mean.astype("float64"), mean[:1], mean[None]):
        state["mean"] = other
        assert found.current() is None
    state["mean"] = mean.copy()
    assert found.current() is not None
    state["other"] = state.pop("mean")
    assert found.current() is None
    optimizer.state = []
    assert found.current() is None


class Attention(tg.nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.table = tg.nn.Linear(4, 4), tg.nn.Embedding(7, 4)
        self.context = None

    def forward(self, tokens):
        keys = self.table(tokens)
        self.context = tg.softmax(self.query(keys) @ keys.mT, axis=-1) @ keys
        return self.context


def layers():
    options = {"dropout": 0.2, "num_layers": 2, "rng": 0}
    x = np.ones((5, 2, 3), "float32")
    yield tg.nn.RNN(3, 4, **options), (x,), {}
    yield tg.nn.GRU(3, 4, bidirectional=True, **options), (x,), {"lengths": [5, 3]}
    yield tg.nn.LSTM(3, 4, zoneout=0.1, state_dropout=0.1, input_dropout=0.1, **options), (x,), {}
    yield tg.nn.Sequential(tg.nn.Linear(3, 4), tg.tanh, tg.nn.Dropout(0.5, rng=0)), (x,), {}
    yield tg.nn.Embedding(7, 4), (np.array([1, 2]),), {}
    yield Attention(), (np.array([1, 2]),), {}


@pytest.mark.parametrize("case", [*layers()], ids=lambda case: type(case[0]).__name__)
def test_calls_of_a_layer_change_nothing_that_is_guarded(case):
    model, args, kwargs = case
    model(*args, **kwargs)
    found = guard(model)
    for _ in range(3):
        model(*args, **kwargs)
        list(model.parameters()), model.state_dict(), repr(model)
        assert found.describe_change() is None
        model.eval()
        model(*args, **kwargs)
        assert found.current() is None
        model.train()
        assert found.describe_change() is None


def test_a_module_that_stands_for_another_is_not_searched_itself():
    class Fast(tg.nn.Module):
        calls = 0

        @property
        def _original(self):
            return vars(self)["target"]

    fast = Fast()
    fast.target = model = Model()
    found = guard(fast)
    fast.calls += 1
    assert found.current() is not None
    model.eval()
    assert found.current() is None


def test_a_module_that_is_imported_inside_a_function_is_searched(monkeypatch):
    monkeypatch.setitem(sys.modules, "tools_of_the_user", tools)

    def function(x):
        import tools_of_the_user as used

        return x * used.factor

    found = guard(function)
    monkeypatch.setattr(tools, "factor", 3.0)
    assert found.current() is None
    assert found.describe_change() == "tools_of_the_user.factor: was 2.0, is now 3.0"


def test_arrays_that_were_pickled_are_of_the_same_kind():
    entries = [tensor(2)]
    found = guard(hold(entries))
    entries[0] = pickle.loads(pickle.dumps(entries[0]))
    assert found.current() == entries


def test_functions_of_libraries_have_no_places():
    def function(x):
        return tg.tanh(np.sum(x)) + len(sys.path) + np.float32(1)

    found = guard(function)
    assert len(found._names) < 15


def test_objects_that_refer_to_each_other_are_walked_once():
    a, b = Plain(), Plain()
    a.other, b.other, a.own = b, a, [a]
    a.own.append(a.own)
    deep = []
    for _ in range(5000):
        deep = [deep]
    found = guard(hold(a, deep))
    assert found.current() == []
    b.other = b
    assert found.current() is None


def test_a_guard_of_a_training_step_is_fast():
    model = Model(dropout=0.3)
    optimizer = tg.optim.Adam(model.parameters(), lr=1e-3)

    def step(x, y):
        optimizer.zero_grad()
        loss = tg.nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step(np.ones((5, 2, 8), "float32"), np.ones((5, 2, 4), "float32"))
    found = guard(step)
    objects = [object() for _ in range(500)]

    def compare():  # takes as long as 12 µs on a quiet machine
        return all(map(is_, objects, objects))

    times = [[timeit.timeit(f, number=10) for f in (found.current, compare)] for _ in range(2000)]
    ours, unit = map(min, zip(*times, strict=True))
    assert ours < 2 * unit
