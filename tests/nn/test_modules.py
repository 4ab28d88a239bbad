"""Modules: parameters by name, state dicts, submodules and copies."""

import copy
import pickle
import rlcompleter

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn


def test_parameters_have_their_attribute_names_in_the_state_dict():
    gru = nn.GRU(3, 4, num_layers=2, bidirectional=True, rng=0)
    assert gru.weight_ih_l1_reverse.shape == (12, 8)
    with pytest.raises(AttributeError, match="weight_ih_l2"):
        _ = gru.weight_ih_l2
    other = nn.GRU(3, 4, num_layers=2, bidirectional=True, rng=1)
    other.load_state_dict(gru.state_dict())
    x = np.ones((2, 1, 3), "float32")
    np.testing.assert_array_equal(gru(x)[0].data, other(x)[0].data)


def test_state_dict_is_a_copy():
    linear = nn.Linear(2, 2, rng=0)
    state = linear.state_dict()
    state["weight"][:] = 7
    assert not (linear.weight.data == 7).any()
    linear.load_state_dict(state)
    state["weight"][:] = 8
    assert (linear.weight.data == 7).all()


def test_load_state_dict_names_every_fault_and_changes_nothing():
    linear = nn.Linear(2, 3, rng=0)
    before = linear.state_dict()
    with pytest.raises(
        ValueError,
        match=(
            r"missing bias.*unexpected extra.*weight expected float32 \(3, 2\), got float64 "
            r"\(2, 2\)"
        ),
    ):
        linear.load_state_dict({"weight": np.zeros((2, 2)), "extra": np.zeros(1)})
    for name, array in linear.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_modes_gradients_and_dtypes_reach_every_submodule():
    model = nn.Sequential(
        nn.Linear(2, 3, rng=0), nn.Dropout(0.5, rng=0), nn.Linear(3, 1, bias=False, rng=0)
    )
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "2.weight"]
    assert "(1): Dropout(p=0.5)" in repr(model)
    model.eval()
    assert not any(m.training for m in model.modules())
    model.train()
    model(np.ones((4, 2), "float32")).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())
    assert {p.dtype for p in model.astype("float64").parameters()} == {np.dtype("float64")}


def test_repr_of_a_module_shows_its_submodules():
    model = nn.Sequential(nn.GRU(3, 4, num_layers=2, rng=0), nn.Sequential(nn.Linear(4, 2, rng=0)))
    inner = "Sequential(\n    (0): Linear(4, 2)\n  )"
    assert repr(model) == f"Sequential(\n  (0): GRU(3, 4, num_layers=2)\n  (1): {inner}\n)"


def test_a_shared_parameter_is_listed_once():
    first, second = nn.Linear(3, 3, rng=0), nn.Linear(3, 3, rng=1)
    second.weight = first.weight
    model = nn.Sequential(first, second)
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    assert set(model.state_dict()) == {"0.weight", "0.bias", "1.weight", "1.bias"}


def test_deepcopy_and_pickle_of_a_module():
    gru = nn.GRU(3, 4, rng=0)
    x = np.ones((2, 1, 3), "float32")
    for twin in (copy.deepcopy(gru.cells[0][0]), pickle.loads(pickle.dumps(gru.cells[0][0]))):
        assert twin.weight_ih is not gru.weight_ih_l0
        np.testing.assert_array_equal(twin(x[0])[0].data, gru.cells[0][0](x[0])[0].data)


def test_a_parameter_of_a_layer_can_be_replaced_but_not_by_a_constant():
    gru = nn.GRU(3, 2, rng=0)
    new = tg.Tensor(np.zeros((6, 3), "float32"), requires_grad=True)
    gru.weight_ih_l0 = new
    assert gru.cells[0][0].weight_ih is new
    assert any(p is new for p in gru.parameters())
    with pytest.raises(TypeError, match="weight"):
        nn.Linear(2, 2).weight = tg.Tensor(np.zeros((2, 2), "float32"))


def test_a_parameter_may_become_none_and_be_assigned_to_itself():
    linear = nn.Linear(2, 3, rng=0)
    linear.weight.requires_grad = False
    linear.weight = linear.weight
    linear.bias = None
    assert list(linear.state_dict()) == ["weight"]
    assert linear(np.ones((1, 2), "float32")).shape == (1, 3)
    linear.bias = tg.Tensor(np.zeros(3, "float32"), requires_grad=True)
    assert list(linear.state_dict()) == ["weight", "bias"]
    gru = nn.GRU(2, 3)
    gru.bias_ih_l0 = gru.bias_hh_l0 = None
    assert list(gru.state_dict()) == ["weight_ih_l0", "weight_hh_l0"]


def test_sequential_applies_functions_and_rejects_other_objects():
    linear = nn.Linear(2, 2, rng=0)
    x = tg.Tensor(np.ones((3, 2), "float32"))
    np.testing.assert_array_equal(nn.Sequential(linear, tg.tanh)(x).data, np.tanh(linear(x).data))
    with pytest.raises(TypeError, match=r"steps\[1\]"):
        nn.Sequential(linear, 5)


def test_modules_in_a_list_are_counted_from_both_ends():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    modules = nn.ModuleList([first, second])
    assert [modules[i] for i in (0, 1, -1, -2)] == [first, second, second, first]


def test_modules_in_a_list_and_in_a_module_list_have_the_same_names():
    plain, listed = nn.Module(), nn.Module()
    plain.layers = [nn.Linear(2, 2), nn.Linear(2, 2)]
    listed.layers = nn.ModuleList(plain.layers)
    for module in (plain, listed):
        assert [name for name, _ in module.named_parameters()] == [
            "layers.0.weight",
            "layers.0.bias",
            "layers.1.weight",
            "layers.1.bias",
        ]
        assert [layer.in_features for layer in module.layers] == [2, 2]


def test_a_module_cannot_contain_itself():
    outer, inner = nn.Module(), nn.Module()
    outer.child = inner
    layers = nn.ModuleList([outer])
    for whole, value in ((outer, outer), (inner, outer), (inner, layers)):
        got = (
            "this module itself"
            if whole is value
            else f"a {type(value).__name__} that contains this module"
        )
        with pytest.raises(
            ValueError,
            match=(
                "Module: argument parent: expected a Module that does not contain this module, "
                f"got {got}"
            ),
        ):
            whole.parent = value
        assert not hasattr(whole, "parent")
    with pytest.raises(ValueError, match="ModuleList: argument 1"):
        layers.append(layers)
    assert len(list(layers.modules())) == 3
    other = nn.Module()
    other.child = inner  # shared is not circular


def test_a_subclass_of_a_layer_has_parameters_and_modules_of_its_own():
    class Scored(tg.nn.GRU):
        def __init__(self):
            super().__init__(2, 3, rng=0)
            self.head = tg.nn.Linear(3, 1, rng=1)
            self.drop = tg.nn.Dropout(0.5, rng=2)
            self.scale = tg.Tensor(1.0, requires_grad=True)

    layer = Scored()
    names = [name for name, _ in layer.named_parameters()]
    assert names == [
        "weight_ih_l0",
        "weight_hh_l0",
        "bias_ih_l0",
        "bias_hh_l0",
        "scale",
        "head.weight",
        "head.bias",
    ]
    assert list(layer.state_dict()) == names
    assert not layer.eval().drop.training
    layer.load_state_dict({name: array + 1 for name, array in layer.state_dict().items()})
    assert layer.scale.item() == 2


def test_tied_weights_are_loaded_from_equal_numbers_only():
    tied = tg.nn.Sequential(tg.nn.Linear(2, 2, rng=0), tg.nn.Linear(2, 2, rng=1))
    tied[1].weight = tied[0].weight
    state = tied.state_dict()
    tied.load_state_dict(state)
    with pytest.raises(
        ValueError, match=r"argument 0.weight: expected equal arrays for 0.weight and 1.weight"
    ):
        tied.load_state_dict({**state, "1.weight": state["1.weight"] + 1})
    tied.load_state_dict({name: array * np.nan for name, array in state.items()})
    assert all(np.isnan(p.data).all() for p in tied.parameters())


def test_an_uninitialised_layer_has_no_parameters_and_says_so():
    with pytest.raises(AttributeError, match="GRU has no attribute 'weight_ih_l0'"):
        _ = nn.GRU.__new__(nn.GRU).weight_ih_l0


def test_a_deleted_attribute_is_no_longer_a_parameter():
    model = nn.Sequential(nn.Linear(2, 3, rng=0))
    layer = model[0]
    del layer.bias
    assert list(model.state_dict()) == ["0.weight"]
    assert not hasattr(layer, "bias")
    model.head = nn.Linear(3, 1, rng=0)
    del model.head
    assert list(model.state_dict()) == ["0.weight"]


def complete(text, **namespace):
    """Return what Tab offers at Python's prompt."""
    completer, found = rlcompleter.Completer(namespace), []
    while (offer := completer.complete(text, len(found))) is not None:
        found.append(offer.rstrip("("))
    return found


def test_tab_on_a_layer_offers_its_parameters():
    class Counting(nn.GRUCell):
        def __init__(self, size, rng):
            super().__init__(size, 2, rng=rng)
            self.register_buffer("weight_count", 0)

    gru, linear = nn.GRU(3, 4, num_layers=2, bidirectional=True), nn.Linear(2, 2)
    for layer in (gru, linear, tg.compile(gru), tg.compile(linear), nn.Recurrent(Counting, 3)):
        named = [*dict(layer.named_parameters()), *dict(layer.named_buffers())]
        weights = {f"layer.{name}" for name in named if name.startswith("weight")}
        assert set(complete("layer.weight", layer=layer)) == weights
        assert dir(layer) == sorted(set(dir(layer)))
        assert all(hasattr(layer, name) for name in dir(layer) if name not in dir(type(layer)))
    assert complete("model.head.bi", model=nn.ModuleList([linear])) == []
    assert "weight" in dir(nn.Sequential(linear)[0])


def test_a_buffer_of_a_cell_is_read_and_set_by_its_full_name():
    class Counting(nn.GRUCell):
        def __init__(self, size, rng):
            super().__init__(size, 2, rng=rng)
            self.register_buffer("count", 0)

    layer = nn.Recurrent(Counting, 3, num_layers=2)
    layer.count_l1 = 5
    assert (layer.count_l0.item(), layer.count_l1.item()) == (0, 5)
    assert layer.cells[1][0].count.item() == 5
    assert "count_l1" not in vars(layer)


def test_a_missing_attribute_of_a_layer_is_an_attribute_error_whatever_its_cells_hold():
    w = tg.Tensor(1.0, requires_grad=True)
    layer = nn.Recurrent(lambda size, rng: lambda x, h: (h * w, h * w), 2, hidden_size=2)
    assert not hasattr(layer, "weight_ih_l0")
    assert not hasattr(nn.GRU(2, 2), "weight_ih_l1")


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.RNN(2, 3, 2, bidirectional=True),
        lambda: nn.GRU(2, 3, 2),
        lambda: nn.LSTM(2, 3),
        lambda: nn.Sequential(nn.Linear(1, 1), tg.tanh, nn.GRU(1, 1)),
        lambda: nn.ModuleList([nn.Linear(1, 1), nn.Dropout(0.5)]),
        lambda: nn.Recurrent(lambda size, rng: nn.GRUCell(size, 2, rng=rng), 2),
    ],
)
def test_every_child_is_an_attribute_of_its_name(make):
    module = make()
    children = list(module.children())
    assert children
    assert all(getattr(module, name) is child for name, child in children)
    for name in ("l9", "9", "l0_"):
        assert not hasattr(module, name)


def test_the_cells_of_a_layer_are_offered_by_tab_and_keep_their_names():
    gru = nn.GRU(2, 2, bidirectional=True)
    assert {"l0", "l0_reverse"} <= set(dir(gru))
    with pytest.raises(ValueError, match="GRU: argument name: expected a name that no cell has"):
        gru.l0 = nn.Linear(1, 1)
    gru.l1 = nn.Linear(1, 1)  # there is no such cell
    assert [name for name, _ in gru.children()] == ["l0", "l0_reverse", "l1"]


def test_an_item_of_a_list_is_replaced_by_its_name():
    first, second = nn.Linear(1, 1), nn.Linear(1, 2)
    layers = nn.ModuleList([first])
    setattr(layers, "0", second)
    assert list(layers) == [second]
    assert list(layers.state_dict()) == ["0.weight", "0.bias"]
    with pytest.raises(IndexError, match="expected an integer from -1 to 0"):
        setattr(layers, "1", first)
    with pytest.raises(TypeError, match="argument module: expected a Module"):
        setattr(layers, "0", 3)


def test_two_tensors_of_one_name_are_refused_when_they_are_saved():
    layers = nn.ModuleList([nn.Linear(1, 1)])
    vars(layers)["0"] = nn.Linear(1, 1)
    for use in (layers.state_dict, lambda: layers.load_state_dict({})):
        with pytest.raises(ValueError, match=r"argument 0\.weight: expected one Tensor of this"):
            use()
    vars(layers)["0"] = layers[0]  # the same module under the same name
    assert list(layers.state_dict()) == ["0.weight", "0.bias"]


@pytest.mark.parametrize(
    "text",
    [
        "RNN(2, 3)",
        "RNN(2, 3, nonlinearity='relu')",
        "RNN(2, 3, num_layers=2, zoneout=0.5, bias=False, nonlinearity='relu')",
        "GRU(2, 3)",
        "GRU(2, 3, reset='before')",
        "GRU(2, 3, batch_first=True, bias=False, reset='before')",
        "LSTM(2, 3)",
        "LSTM(2, 3, bidirectional=True, bias=False)",
        "RNNCell(2, 3, bias=False, nonlinearity='relu')",
        "GRUCell(2, 3, reset='before')",
        "LSTMCell(2, 3, bias=False)",
    ],
)
def test_repr_shows_the_settings_that_change_the_computation(text):
    assert repr(eval(f"nn.{text}")) == text


@pytest.mark.parametrize("layer", [nn.RNN, nn.GRU, nn.LSTM])
def test_a_misspelt_setting_is_answered_with_the_right_one(layer):
    name = layer.__name__
    for wrong, value, right in [
        ("dropuot", 0.5, "dropout"),
        ("batchfirst", True, "batch_first"),
        ("state_dropuot", 0.5, "state_dropout"),
        ("zone_out", 0.5, "zoneout"),
        ("bidirectionnal", True, "bidirectional"),
    ]:
        match = rf"^{name}: argument {wrong}: expected one of the arguments .*; write {right}=$"
        with pytest.raises(TypeError, match=match):
            layer(2, 2, 2, **{wrong: value})
        assert getattr(layer(2, 2, 2, **{right: value}), right) == value
    with pytest.raises(
        TypeError, match=rf"^{name}: argument device: .* zoneout, got device=; leave it out$"
    ):
        layer(2, 2, device="cpu")


def test_the_advice_for_a_wrong_choice_is_the_nearest_choice():
    for wrong in ("weight_hh_l0", "weight_ih_l0", "bias_ih_l1"):
        right = wrong[:-3]
        with pytest.raises(ValueError, match=f"write parameter='{right}', for example"):
            nn.init.fill_gates_(nn.GRU(1, 1), wrong, nn.init.zeros)
    with pytest.raises(ValueError, match="write reset='before', for example"):
        nn.GRU(1, 1, reset="befor")
