"""No weight hides from `parameters()`: it is found under a stable name, or refused by name."""

import abc
import collections
import copy
import functools
import logging
import pickle
import re
import types
import weakref
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers import leaf

import tinygrad_rnn as tg
from tinygrad_rnn import nn


class Pair(NamedTuple):
    gate: Any
    update: Any


@dataclass
class Config:
    size: int = 3
    head: Any = None
    weights: list = field(default_factory=list)


class Bare:
    """An object of a user's class."""

    def __init__(self, thing=None):
        self.thing = thing


def names(module):
    return [name for name, _ in module.named_parameters()]


# -- found -----------------------------------------------------------------------------------------


FOUND = {
    "list": (lambda: [leaf(2), leaf(3)], ["x.0", "x.1"]),
    "tuple": (lambda: (leaf(2), 7, leaf(3)), ["x.0", "x.2"]),
    "dict": (lambda: {"b": leaf(2), "a": leaf(3), 5: leaf(1)}, ["x.b", "x.a", "x.5"]),
    "ordered dict": (lambda: collections.OrderedDict(b=leaf(2)), ["x.b"]),
    "named tuple": (lambda: Pair(leaf(2), [leaf(3)]), ["x.gate", "x.update.0"]),
    "dataclass": (
        lambda: Config(head=nn.Linear(2, 1), weights=[leaf(2)]),
        ["x.weights.0", "x.head.weight", "x.head.bias"],
    ),
    "nested": (lambda: [{"a": (leaf(1), [leaf(2)])}, []], ["x.0.a.0", "x.0.a.1.0"]),
    "modules": (
        lambda: {"in": [nn.Linear(2, 2, bias=False)], "out": nn.Linear(2, 1, bias=False)},
        ["x.in.0.weight", "x.out.weight"],
    ),
    "a list that holds itself": (lambda: make_loop(leaf(2)), ["x.0"]),
}


def make_loop(w):
    loop = [w]
    loop.append(loop)
    return loop


@pytest.mark.parametrize(("make", "expected"), FOUND.values(), ids=FOUND)
def test_weights_in_containers_are_found_by_name(make, expected):
    module = nn.Module()
    module.x = make()
    assert names(module) == expected
    assert list(module.state_dict()) == expected
    module.load_state_dict({name: array + 1 for name, array in module.state_dict().items()})


def draw_value(rng, weights, depth=0):
    """Return a random nesting of containers, with some weights and much that is none."""
    kind = rng.integers(9 if depth < 4 else 3)
    if kind == 0:
        weights.append(leaf(int(rng.integers(1, 4))))
        return weights[-1]
    if kind in (1, 2):
        return [None, 3.5, "text", np.ones(2), tg.Tensor([1.0]), np.arange(3), b"x"][
            rng.integers(7)
        ]
    parts = [draw_value(rng, weights, depth + 1) for _ in range(rng.integers(4))]
    if kind in (3, 4):
        return parts
    if kind == 5:
        return tuple(parts)
    if kind == 6:
        return {f"k{i}" if i % 2 else i: part for i, part in enumerate(parts)}
    return Pair(parts, weights[-1] if weights else None) if kind == 7 else Config(weights=parts)


def look_up(module, name):
    """Follow a parameter's name through attributes, keys and indices."""
    first, *keys = name.split(".")
    value = getattr(module, first)
    for key in keys:
        if isinstance(value, dict):
            value = value[int(key) if key.isdigit() else key]
        elif key.isdigit():
            value = value[int(key)]
        else:
            value = getattr(value, key)
    return value


@pytest.mark.parametrize("seed", range(40))
def test_every_weight_in_a_random_nesting_is_found_saved_loaded_and_copied(seed):
    def build():
        weights, module = [], nn.Module()
        rng = np.random.default_rng(seed)
        for i in range(4):
            setattr(module, f"a{i}", draw_value(rng, weights))
        return module, weights

    module, weights = build()
    found = dict(module.named_parameters())
    assert set(found.values()) == set(weights)
    assert all(look_up(module, name) is weight for name, weight in found.items())
    other, _ = build()
    state = {name: array + 1 for name, array in module.state_dict().items()}
    other.load_state_dict(state)
    for twin in (other, copy.deepcopy(other), pickle.loads(pickle.dumps(other))):
        assert names(twin) == names(module)
        for name, p in twin.named_parameters():
            np.testing.assert_array_equal(p.data, state[name])


def test_a_list_that_grows_and_shrinks_is_searched_again():
    model = nn.Module()
    model.layers = [nn.Linear(1, 1, bias=False)]
    model.weights = {}
    model.layers.append(nn.Dropout(0.5))
    model.layers.append(nn.Linear(1, 1, bias=False))
    model.weights["scale"] = leaf(2)
    assert names(model) == ["weights.scale", "layers.0.weight", "layers.2.weight"]
    assert not model.eval().layers[1].training
    assert model.weights["scale"].name == "weights.scale"
    del model.layers[0]
    model.weights.clear()
    assert names(model) == ["layers.1.weight"]


def test_weights_in_a_list_train_as_attributes_do():
    class Chain(nn.Module):
        def __init__(self, *weights):
            super().__init__()
            self.weights = list(weights)

        def forward(self, x):
            for w in self.weights:
                x = tg.tanh(x @ w)
            return x.sum()

    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((3, 3)) for _ in range(3)]
    model = Chain(*[tg.Tensor(a, requires_grad=True) for a in arrays])
    loose = [tg.Tensor(a, requires_grad=True) for a in arrays]
    optimizer = tg.optim.SGD(model.parameters(), 0.1)
    x = rng.standard_normal((2, 3))
    model(x).backward()
    optimizer.step()
    tg.tanh(tg.tanh(tg.tanh(x @ loose[0]) @ loose[1]) @ loose[2]).sum().backward()
    for p, w in zip(model.parameters(), loose, strict=True):
        np.testing.assert_allclose(p.data, w.data - 0.1 * w.grad, rtol=1e-14)


def test_a_shared_weight_counts_once_and_has_all_of_its_names():
    model = nn.Module()
    model.first = leaf(2)
    model.others = [model.first, {"again": model.first}]
    assert names(model) == ["first"]
    assert list(model.state_dict()) == ["first", "others.0", "others.1.again"]


def test_a_frozen_weight_stays_a_weight():
    model = nn.Module()
    model.direct, model.listed = leaf(2), [leaf(3), leaf(4)]
    assert len(names(model)) == 3
    for p in model.parameters():
        p.requires_grad = False
    twin = copy.deepcopy(model)
    model.listed.append(tg.Tensor([1.0]))  # a constant, not a weight
    for module in (model, twin):
        assert names(module) == ["direct", "listed.0", "listed.1"]
        assert list(module.state_dict()) == ["direct", "listed.0", "listed.1"]


def test_a_constant_that_becomes_trainable_is_a_weight():
    model = nn.Module()
    model.w = tg.Tensor([1.0, 2.0])
    assert names(model) == []
    model.w.requires_grad = True
    assert names(model) == ["w"]


def test_weights_that_no_assignment_brought_are_found():
    class Base(nn.Module):
        shared = leaf(2)

    class Slotted(Base):
        __slots__ = ("in_slot",)

        @functools.cached_property
        def cached(self):
            return leaf(1)

        @property
        def through(self):
            return self._stored

        @through.setter
        def through(self, value):
            self._stored = value

    module = Slotted()
    module.in_slot = leaf(3)
    module.__dict__["put"] = leaf(4)
    vars(module).update(also=[nn.Linear(1, 1, bias=False)])
    object.__setattr__(module, "set", leaf(5))
    module.through = leaf(6)
    assert module.in_slot.shape == (3,)
    assert module.cached is module.cached
    expected = {"shared", "in_slot", "put", "also.0.weight", "set", "_stored", "cached"}
    assert set(names(module)) == expected
    Slotted.late = leaf(7)
    assert set(names(module)) == {*expected, "late"}


def test_a_constructor_that_runs_twice_loses_nothing():
    class Left(nn.Module):
        def __init__(self):
            nn.Module.__init__(self)
            self.left = leaf(2)

    class Right(nn.Module):
        def __init__(self):
            nn.Module.__init__(self)
            self.right = leaf(3)

    class Both(Left, Right):
        def __init__(self):
            Left.__init__(self)
            self.left.requires_grad = False
            self.register_buffer("count", 0)
            Right.__init__(self)

    assert list(Both().state_dict()) == ["left", "right", "count"]


def test_a_shallow_copy_has_attributes_of_its_own():
    first = nn.Linear(2, 2, bias=False)
    twin = copy.copy(first)
    twin.weight = leaf(2, 2)
    assert list(first.parameters()) == [first.weight]
    assert list(twin.parameters()) == [twin.weight]


def test_a_module_list_changes_as_a_list_does():
    layers = nn.ModuleList([nn.Linear(1, k, bias=False) for k in (1, 2, 3)])
    del layers[0]
    layers.append(nn.Linear(1, 4, bias=False))
    layers[1] = nn.Linear(1, 5, bias=False)
    assert [layer.out_features for layer in layers] == [2, 5, 4]
    assert names(layers) == ["0.weight", "1.weight", "2.weight"]
    layers.extra = nn.Linear(1, 6, bias=False)
    assert (len(layers), names(layers)[-1]) == (3, "extra.weight")
    with pytest.raises(ValueError, match=r"ModuleList: argument 1: .* that contains this module"):
        layers[1] = nn.ModuleList([layers])
    with pytest.raises(IndexError, match="got int 0; add a module first"):
        _ = nn.ModuleList()[0]


# -- refused ---------------------------------------------------------------------------------------


def close_over(thing):
    return lambda x: thing


class Slots:
    __slots__ = ("thing",)

    def __init__(self, thing):
        self.thing = thing


def with_default(thing):
    def step(x, weight=thing):
        return x

    return step


def array_of(thing):
    array = np.empty((1, 2), object)
    array[0, 1] = thing
    return array


HIDING = {
    "set": lambda w: {w},
    "frozen set": lambda w: frozenset([w]),
    "deque": lambda w: collections.deque([w]),
    "dict by other keys": lambda w: {("a", 1): w},
    "dict by keys with dots": lambda w: {"a.b": w},
    "dict by keys of equal text": lambda w: {1: w, "1": w},
    "read-only dict": lambda w: types.MappingProxyType({"a": w}),
    "user dict": lambda w: collections.UserDict(a=w),
    "namespace": lambda w: types.SimpleNamespace(w=w),
    "object": Bare,
    "object in an object": lambda w: Bare(Bare([w])),
    "slots": Slots,
    "partial": lambda w: functools.partial(print, w),
    "closure": close_over,
    "default": with_default,
    "bound method": lambda w: Bare(w).__init__,
    "iterator": lambda w: iter([w]),
    "class": lambda w: type("Config", (), {"thing": w}),
    "class attribute of an object": lambda w: type("Config", (), {"thing": [w]})(),
    "inherited attribute of an object": lambda w: type("C", (type("B", (), {"thing": w}),), {})(),
    "dict by an empty key": lambda w: {"": w},
    "map": lambda w: map(str, [w]),
    "view of a dict": lambda w: {"a": w}.values(),
    "cached function": lambda w: functools.lru_cache(close_over(w)),
    "array of objects": array_of,
    "object in a list": lambda w: [1, Bare(w)],
    "function in a dict": lambda w: {"step": close_over(w)},
    "attribute of a list": lambda w: with_attribute(type("L", (list,), {})([1]), w),
    "attribute of an empty list": lambda w: with_attribute(type("L", (list,), {})(), w),
    "attribute of a dict": lambda w: with_attribute(type("D", (dict,), {})(a=1), w),
    "attribute of a tuple": lambda w: with_attribute(type("P", (tuple,), {})((1, 2)), w),
    "attribute of a named tuple": lambda w: with_attribute(type("P", (Pair,), {})(1, 2), w),
    "attribute of an array": lambda w: with_attribute(np.ones(2).view(Named), w),
    "attribute of an array of objects": lambda w: with_attribute(array_of(1).view(Named), w),
    "attribute of a dataclass that is no field": lambda w: with_attribute(Config(), w),
    "class attribute of a list": lambda w: type("L", (list,), {"scale": w})([1]),
    "class attribute of an array": lambda w: np.ones(2).view(type("A", (Named,), {"scale": w})),
    "class attribute of a named tuple": lambda w: type("P", (Pair,), {"scale": w})(1, 2),
    "class attribute of a dataclass": lambda w: type("C", (Config,), {"scale": [w]})(),
    "key": lambda w: {w: 1},
    "part of a key": lambda w: {("a", w): 1},
    "key of a dict in a list": lambda w: [{w: "a"}],
    "key of a dict of a dict": lambda w: {"a": collections.OrderedDict({w: None})},
    "default factory": lambda w: collections.defaultdict(close_over(w)),
    "callable object whose class closes over it": lambda w: make_caller(w)(),
    "callable object whose class has it as default": lambda w: make_caller_with_default(w)(),
    "class with a property that closes over it": lambda w: type("C", (), make_methods(w)),
    "value of a context variable": lambda w: set_variable(w),
    "default of a context variable": lambda w: ContextVar("x", default=w),
    "attribute of a function": lambda w: with_attribute(close_over(None), w),
}


def make_iterator(thing):
    yield thing


class Named(np.ndarray):
    """An array that may have attributes."""


def with_attribute(thing, value):
    thing.scale = value
    return thing


def make_caller(thing):
    class Caller:
        def __call__(self, x):
            return x, thing

    return Caller


def make_caller_with_default(thing):
    class Caller:
        __slots__ = ()

        def __call__(self, x, *, weight=thing):
            return x, weight

    return Caller


def make_methods(thing):
    """Return one method, which holds a thing in its closure."""
    return {"weight": property(lambda self: thing)}


def set_variable(thing):
    variable = ContextVar("x", default=None)
    variable.set(thing)
    return variable


@pytest.mark.parametrize("hide", HIDING.values(), ids=HIDING)
@pytest.mark.parametrize("make", [lambda: leaf(2), lambda: nn.Dropout(0.5)], ids=["w", "module"])
def test_a_weight_that_cannot_be_found_is_refused_at_assignment(hide, make):
    module = nn.Module()
    with pytest.raises(TypeError, match=r"Module: argument x: expected weights .* own first"):
        module.x = hide(make())
    assert not hasattr(module, "x")


@pytest.mark.parametrize("hide", [*HIDING.values(), make_iterator], ids=[*HIDING, "generator"])
def test_a_weight_that_only_a_class_attribute_holds_is_refused_at_the_first_use(hide):
    kind = type("Own", (nn.Module,), {"x": hide(leaf(2)), "y": property(str)})
    with pytest.raises(TypeError, match=r"Own: argument x: expected weights .* own first"):
        list(kind().parameters())
    module = kind()
    module.weight = leaf(2)
    kind.x = hide(module.weight)
    assert names(module) == ["weight"]


def test_a_subclass_may_replace_a_weight_of_its_base_but_not_hide_one_in_its_methods():
    class Base(nn.Module):
        bias, scale = leaf(2), Bare(leaf(3))
        forward = close_over(leaf(4))

    class Without(Base):
        bias = scale = None

        def forward(self):
            return super().forward()

    with pytest.raises(TypeError, match=r"Without: argument forward: .* float64 \(4,\)"):
        list(Without().parameters())
    Base.forward = close_over(None)
    assert names(Without()) == []
    with pytest.raises(TypeError, match=r"Base: argument scale: .* float64 \(3,\)"):
        list(Base().parameters())


def test_class_attributes_without_weights_are_no_error_and_cost_little():
    class Plain(abc.ABC, nn.Module):
        log, registry = logging.getLogger("a"), weakref.WeakSet()
        kind, sizes, find = nn.GRU, Pair(1, 2), re.compile("a")

        class Settings:
            rate = 0.1

    Plain.registry.add(Plain)
    module = Plain()
    module.layer = nn.Linear(1, 1)
    assert names(module) == ["layer.weight", "layer.bias"]


@pytest.mark.parametrize("hide", HIDING.values(), ids=HIDING)
def test_what_is_found_elsewhere_hides_nowhere(hide):
    """The fix of the error works: the weight is assigned first."""
    module = nn.Module()
    module.weight, module.layer = leaf(2), nn.Linear(1, 1)
    module.x, module.y = hide(module.weight), hide(module.layer)
    assert names(module) == ["weight", "layer.weight", "layer.bias"]


def test_a_weight_that_comes_to_a_hidden_place_later_is_refused_when_weights_are_listed():
    model = nn.Sequential(nn.Linear(1, 1))
    model[0].bare, model[0].group = Bare(), set()
    assert len(names(model)) == 2
    model[0].bare.thing = leaf(2)
    with pytest.raises(
        TypeError, match=r"Linear: argument bare: .* Bare that holds the weight float64"
    ):
        list(model.parameters())
    with pytest.raises(TypeError, match="Linear: argument bare"):
        model.state_dict()
    model[0].bare.thing = None
    model[0].group.add(nn.Linear(1, 1))
    with pytest.raises(
        TypeError, match=r"Linear: argument group: .* set that holds the module Linear"
    ):
        tg.optim.SGD(model.parameters(), 0.1)


def test_a_weight_times_a_number_is_no_weight_and_is_refused():
    module = nn.Module()
    with pytest.raises(TypeError, match=r"argument w: .* a result of multiply"):
        module.w = leaf(2) * 0.1
    with pytest.raises(TypeError, match=r"argument w: .* a result of multiply"):
        module.w = [leaf(2) * 0.1]
    module.w = leaf(2)
    module.half = module.w * 0.5  # it can be trained by way of w
    module.mask = tg.Tensor([1.0, 0.0]) * 2  # a constant
    assert names(module) == ["w"]


def test_a_weight_in_a_list_cannot_become_a_result():
    module = nn.Module()
    module.x = [leaf(2), leaf(3)]
    with pytest.raises(TypeError, match=r"argument x\.0: expected a leaf Tensor"):
        module.x = [module.x[0] * 2]
    assert names(module) == ["x.0", "x.1"]
    module.x[1] = module.x[1] * 2
    with pytest.raises(TypeError, match=r"argument x\.1: .* assign to x\.1\.data"):
        module.state_dict()
    module.x.pop()
    assert names(module) == ["x.0"]


def test_forward_may_keep_what_it_computed():
    class Stateful(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.states = nn.GRUCell(2, 3, rng=0), []

        def forward(self, x):
            y, self.h = self.cell(x)
            self.states.append(y)
            return y

    model = Stateful()
    model(tg.Tensor(np.ones((1, 2), "float32"), requires_grad=True))
    assert len(names(model)) == 4
    assert model.h.requires_grad
    assert len(model.states) == 1


def test_a_layer_with_a_function_as_cell_finds_its_weights_or_names_them():
    w = leaf(2)

    def cell(x, h):
        h = tg.tanh(x + w * h)
        return h, h

    layer = nn.Recurrent(lambda size, rng: cell, 2, hidden_size=2)
    assert layer(np.ones((3, 1, 2)))[0].shape == (3, 1, 2)
    with pytest.raises(TypeError, match=r"Recurrent: argument cells: .* a function that holds"):
        list(layer.parameters())
    layer.w = w
    assert names(layer) == ["w"]
    with pytest.raises(TypeError, match=r"CompiledModule: argument target: .* the weight float64"):
        list(tg.compile(cell).parameters())


def test_a_weak_reference_to_a_weight_is_refused():
    module, weight = nn.Module(), leaf(2)
    with pytest.raises(TypeError, match=r"argument x: .* got a \w+ that holds the weight"):
        module.x = weakref.ref(weight)
    module.weight = weight
    module.x, module.parts = weakref.ref(weight), weakref.WeakSet([weight])
    assert names(module) == ["weight"]


IN_METHODS = {
    "closure": lambda w: lambda self, x: x * w,
    "default": lambda w: with_default(w),
    "keyword default": lambda w: make_caller_with_default(w).__call__,
    "property": lambda w: property(lambda self: w),
    "setter": lambda w: property(None, lambda self, value, weight=w: None),
    "cached property": lambda w: functools.cached_property(lambda self: w),
    "static method": lambda w: staticmethod(with_default(w)),
    "class method": lambda w: classmethod(with_default([w])),
    "wrapped function": lambda w: functools.wraps(close_over(w))(close_over(close_over(w))),
    "partial": lambda w: functools.partialmethod(print, w),
    "attribute of a function": lambda w: with_attribute(close_over(None), w),
}


@pytest.mark.parametrize("hide", IN_METHODS.values(), ids=IN_METHODS)
@pytest.mark.parametrize("make", [lambda: leaf(2), lambda: nn.Dropout(0.5)], ids=["w", "module"])
@pytest.mark.parametrize("name", ["forward", "other"])
def test_a_weight_in_a_method_is_refused_when_weights_are_listed(hide, make, name):
    thing = make()
    base = type("Base", (nn.Module,), {name: hide(thing)})
    for kind in (base, type("Derived", (base,), {})):
        module = kind()
        outer = nn.Sequential(nn.Linear(1, 1), module)
        for use in (module.parameters, module.state_dict, outer.parameters):
            match = rf"{kind.__name__}: argument {name}: expected weights .* own first"
            with pytest.raises(TypeError, match=match):
                list(use())
        module.found = thing
        list(outer.parameters())
        assert [x for x in (*module.modules(), *module.parameters()) if x is thing] == [thing]


def test_methods_without_weights_are_not_refused():
    number, array, function = 3, np.ones(3), np.tanh

    class Net(nn.Module):
        def __init__(self, size=2, *, activation=tg.tanh, options=()):
            super().__init__()
            self.layer, self.activation = nn.Linear(size, size), activation

        def forward(self, x, scale=number, mask=array, table=None):
            return function(self.activation(self.layer(x))) * scale + array.sum()

        @property
        def size(self):
            return super().dtype, number

        @functools.lru_cache  # noqa: B019
        def cached(self):
            return array

        @staticmethod
        def build(kind=nn.Linear, constant=tg.Tensor([1.0])):  # noqa: B008
            return Net

    assert names(Net()) == ["layer.weight", "layer.bias"]


def test_a_buffer_that_comes_to_require_gradients_is_refused():
    model = nn.Sequential(nn.Module())
    model[0].register_buffer("mean", np.ones(2))
    assert names(model) == []
    model[0].mean.requires_grad = True
    for use in (model.parameters, model.state_dict):
        with pytest.raises(TypeError, match=r"Module: argument mean: expected a buffer, which"):
            list(use())
    model[0].mean.requires_grad = False
    assert list(model.state_dict()) == ["0.mean"]


# -- not refused -----------------------------------------------------------------------------------


def test_attributes_without_weights_are_not_refused():
    class Trainer:
        def __init__(self, model):
            self.model, self.optimizer = model, tg.optim.Adam(model.parameters())

    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    model.numbers, model.words = list(range(10_000)), {"a": "b", ("x", 1): 2, None: 3}
    model.arrays = [np.ones(3), {"x": np.zeros(2)}, np.array([None, "a"], dtype=object)]
    model.constants = [tg.Tensor([1.0]), {tg.Tensor([2.0])}]
    model.logger, model.rng, model.kind = logging.getLogger(), np.random.default_rng(), nn.Linear
    model.classes = [nn.Linear, Config, dict], {"a": Bare}
    model.function, model.op, model.library = np.tanh, tg.tanh, np
    model.vocab = tg.text.CharVocab("abc")
    model.optimizer = tg.optim.Adam(model.parameters())
    model.step = functools.partial(model.forward)
    model.again = model.describe
    model[0].trainer = Trainer(model)  # it refers to the module around this one
    assert names(model) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_a_large_object_costs_little():
    class Chain:
        following = None

    first = node = Chain()
    for _ in range(100_000):
        node.following = Chain()
        node = node.following
    module = nn.Module()
    module.chain = first
    assert names(module) == []
    while first is not None:  # a long chain cannot be freed at once
        first.following, first = None, first.following


def test_a_module_that_comes_to_hold_itself_is_refused():
    outer, inner = nn.Module(), nn.Module()
    outer.parts, inner.parts = [inner], []
    inner.parts.append(outer)
    with pytest.raises(ValueError, match=r"argument parts\.0: .* that contains this module"):
        outer.state_dict()
    with pytest.raises(ValueError, match=r"argument x: .* got this module itself"):
        outer.x = [{"a": outer}]


def test_names_of_weights_have_no_dots():
    with pytest.raises(ValueError, match=r"argument name: expected a name without dots, got 'a.b'"):
        setattr(nn.Module(), "a.b", leaf(2))


def test_a_call_does_not_search_the_attributes(monkeypatch):
    from tinygrad_rnn.nn import holder

    model = nn.Sequential(nn.Linear(2, 2, rng=0), tg.tanh)
    gru = nn.GRUCell(2, 3, rng=0)

    def fail(*_):
        raise AssertionError

    monkeypatch.setattr(holder, "find_entries", fail)
    with pytest.raises(AssertionError):
        list(model.parameters())
    assert model(np.ones((1, 2), "float32")).shape == (1, 2)
    assert gru(np.ones((1, 2), "float32"))[0].shape == (1, 3)
