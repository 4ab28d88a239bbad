"""Buffers, and visits to all modules by name: the meaning is that of `torch.nn.Module`."""

import copy
import pickle

import numpy as np
import pytest
from helpers import leaf

import tinygrad_rnn as tg
from tinygrad_rnn import nn


class Standardise(nn.Module):
    """Subtract a running mean: a buffer that is saved, beside one that is not."""

    def __init__(self, size=2):
        super().__init__()
        self.scale = tg.Tensor(np.ones(size), requires_grad=True)
        self.register_buffer("mean", np.zeros(size))
        self.register_buffer("calls", np.array(0), persistent=False)
        self.register_buffer("nothing", None)

    def forward(self, x):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(axis=0)
            self.calls = self.calls + 1
        return (x - self.mean) * self.scale


def test_a_buffer_is_saved_and_loaded_and_not_trained():
    first, second = nn.Sequential(Standardise()), nn.Sequential(Standardise())
    x = tg.Tensor(np.arange(6.0).reshape(3, 2))
    first(x).sum().backward()
    assert [name for name, _ in first.named_parameters()] == ["0.scale"]
    assert [name for name, _ in first.named_buffers()] == ["0.mean", "0.calls"]
    assert list(first.state_dict()) == ["0.scale", "0.mean"]
    np.testing.assert_allclose(first[0].mean.data, 0.1 * x.data.mean(axis=0))
    assert first[0].mean.grad is None
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(second[0].mean.data, first[0].mean.data)
    assert second[0].calls.item() == 0
    with pytest.raises(ValueError, match=r"missing 0\.mean \(2,\)"):
        second.load_state_dict({"0.scale": np.ones(2)})


def test_a_saved_buffer_survives_files_copies_and_pickles(tmp_path):
    model = Standardise()
    model(tg.Tensor([[1.0, 2.0]]))
    tg.save(model.state_dict(), tmp_path / "x.safetensors")
    loaded = Standardise()
    loaded.load_state_dict(tg.load(tmp_path / "x.safetensors"))
    for twin in (loaded, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(twin.mean.data, model.mean.data)
        twin.mean = [5.0, 5.0]  # still a buffer
        assert isinstance(twin.mean, tg.Tensor)
        assert "mean" in twin.state_dict()
    assert model.mean.data[0] != 5


def test_a_buffer_changes_its_dtype_with_the_module_if_it_holds_floats():
    model = Standardise().astype("float32")
    assert {name: b.dtype.kind for name, b in model.named_buffers()} == {"mean": "f", "calls": "i"}
    assert model.mean.dtype == "float32"


def test_a_buffer_of_a_cell_has_the_name_of_its_layer():
    class Counting(nn.GRUCell):
        def __init__(self, size, rng):
            super().__init__(size, 2, rng=rng)
            self.register_buffer("count", 0)

    layer = nn.Recurrent(Counting, 3, num_layers=2, rng=0)
    assert [name for name, _ in layer.named_buffers()] == ["count_l0", "count_l1"]
    assert {"count_l0", "count_l1"} < set(layer.state_dict())
    fast = tg.compile(layer)
    fast.register_buffer("extra", 1.0)
    assert layer.extra.item() == fast.extra.item() == 1
    assert [name for name, _ in fast.named_buffers()] == ["count_l0", "count_l1", "extra"]


def test_a_deleted_buffer_is_an_attribute_like_any_other_again():
    model = Standardise()
    del model.mean
    assert list(model.state_dict()) == ["scale"]
    model.mean = "average"
    assert model.mean == "average"


def test_named_modules_names_each_module_once():
    shared = nn.Linear(2, 2)
    model = nn.Sequential(shared, nn.Sequential(shared, nn.GRU(2, 3, bidirectional=True)))
    model.others = {"drop": nn.Dropout(0.5)}
    found = dict(model.named_modules())
    assert list(found) == ["", "0", "1", "1.1", "1.1.l0", "1.1.l0_reverse", "others.drop"]
    assert found[""] is model
    assert found["others.drop"] is model.others["drop"]
    assert list(model.modules()) == list(found.values())


def test_apply_reaches_every_module_from_the_inside_out():
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 1)))
    seen = []
    assert model.apply(seen.append) is model
    assert seen == [model[0], model[1][0], model[1][1], model[1], model]
    gru = nn.GRU(2, 3)
    fast, seen = tg.compile(gru), []
    fast.apply(seen.append)
    assert seen == [gru.cells[0][0], gru, fast]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.register_buffer("w", leaf(2)), TypeError, "argument w: .* not trained"),
        (lambda m: m.register_buffer("mean", 1.0), ValueError, "argument name: .* got 'mean'"),
        (lambda m: m.register_buffer("scale", 1.0), ValueError, "argument name: .* got 'scale'"),
        (lambda m: m.register_buffer("forward", 1.0), ValueError, "argument name"),
        (lambda m: m.register_buffer("a.b", 1.0), ValueError, r"argument name: .* got 'a\.b'"),
        (lambda m: m.register_buffer(5, 1.0), ValueError, "argument name: .* got 5"),
        (lambda m: m.register_buffer("x", "text"), TypeError, "argument x"),
        (lambda m: m.register_buffer("x", 1.0, "no"), TypeError, "argument persistent"),
        (lambda m: setattr(m, "mean", m.scale * 2), TypeError, r"mean: .* mean\.detach\(\)"),
        (lambda m: setattr(m, "mean", nn.Linear(1, 1)), TypeError, "argument mean"),
        (lambda m: m.apply(None), TypeError, "apply: argument function"),
    ],
)
def test_a_wrong_buffer_is_refused_and_changes_nothing(call, error, message):
    model = Standardise()
    before = model.state_dict()
    with pytest.raises(error, match=message):
        call(model)
    after = model.state_dict()
    assert list(after) == list(before)
    assert not hasattr(model, "x")
    assert not hasattr(model, "w")
