"""`tg.summary` counts what PyTorch counts, and leaves the model as it was."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg

COUNTS = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "counts.json").read_text(encoding="utf-8")
)
"""For layers of PyTorch, the number of parameters, and those of each recurrent layer."""


class Leaky(tg.nn.Module):
    """A cell of a user, without `unroll`."""

    hidden_size = 3

    def __init__(self, input_size, rng):
        super().__init__()
        self.W = tg.Tensor(tg.nn.init.uniform((input_size, 3), 1, rng), requires_grad=True)

    def forward(self, x, h):
        h = 0.9 * h + tg.tanh(x @ self.W)
        return h, h


class Tied(tg.nn.Module):
    """A character model with one table at both ends, a frozen bias, a buffer and dropout."""

    def __init__(self, compile=lambda layer: layer):
        super().__init__()
        self.table = tg.nn.Embedding(10, 4, rng=0)
        self.drop = tg.nn.Dropout(0.5, rng=0)
        self.gru = compile(tg.nn.GRU(4, 4, num_layers=2, rng=0))
        self.out = tg.nn.Linear(4, 10, rng=0)
        self.out.weight = self.table.weight
        self.out.bias.requires_grad = False
        self.register_buffer("calls", np.zeros((), "int64"))

    def forward(self, index, state=None):
        self.calls = self.calls + 1
        output, state = self.gru(self.drop(self.table(index)), state)
        return self.out(output), state


def counts(result):
    """Return the number of new parameters of each module that has some."""
    rows = {row.name: sum(p.size for p in row.new) for row in result.rows}
    return {name: n for name, n in rows.items() if n}


@pytest.mark.parametrize("call", COUNTS)
def test_counts_are_those_of_pytorch(call):
    total, by_layer = COUNTS[call]
    result = tg.summary(eval(f"tg.nn.{call}", {"tg": tg}))
    assert (result.parameters, result.trainable, result.frozen) == (total, total, 0)
    assert result.memory == 4 * total
    if by_layer:
        assert counts(result) == by_layer


def test_the_table_of_a_recurrent_layer_as_a_reader_sees_it():
    model = tg.nn.Recurrent(Leaky, 2, num_layers=2, bidirectional=True, rng=0)
    assert repr(tg.summary(model, (5, 4, 2))) == (
        """layer                 output                 parameters   bytes   dtype
─────────────────────────────────────────────────────────────────────────
Recurrent             (5, 4, 6), (4, 4, 3)
  l0: Leaky           5 × (4, 3), (4, 3)              6      24   float32
  l0_reverse: Leaky   5 × (4, 3), (4, 3)              6      24   float32
  l1: Leaky           5 × (4, 3), (4, 3)             18      72   float32
  l1_reverse: Leaky   5 × (4, 3), (4, 3)             18      72   float32

48 parameters: 48 trainable, 0 frozen
parameters 192 bytes, gradients 192"""
    )


@pytest.mark.parametrize("compile", [lambda layer: layer, tg.compile], ids=["plain", "compiled"])
def test_shared_parameters_count_once_and_frozen_ones_apart(compile):
    model = Tied(compile)
    result = tg.summary(model, (7, 2), dtype=int)
    assert result.parameters == sum(p.size for p in model.parameters()) == 40 + 2 * 120 + 10
    assert (result.trainable, result.frozen, result.buffers) == (280, 10, 8)
    assert counts(result) == {"table": 40, "gru.l0": 120, "gru.l1": 120, "out": 10}
    (out,) = [row for row in result.rows if row.name == "out"]
    assert [p.size for p in out.shared] == [40]
    assert result.outputs["out"] == (1, "(7, 2, 10)")
    assert result.outputs["gru.l1"] == (7, "(2, 4)")
    assert "290 parameters: 280 trainable, 10 frozen" in repr(result)
    assert "gradients 1,120, buffers 8" in repr(result)


def test_a_compiled_model_has_the_summary_of_its_target():
    gru = tg.nn.GRU(3, 4, rng=0)
    assert repr(tg.summary(tg.compile(gru), (5, 2, 3))) == repr(tg.summary(gru, (5, 2, 3)))


def test_the_model_is_as_before():
    model = Tied()
    model.gru.eval()
    model(np.zeros((2, 1), int))
    before = model.state_dict()
    generator = model.drop.rng.bit_generator.state
    tg.summary(model, np.zeros((2, 1), int))
    assert {name: array.tobytes() for name, array in model.state_dict().items()} == {
        name: array.tobytes() for name, array in before.items()
    }
    assert (model.training, model.gru.training, model.drop.training) == (True, False, True)
    assert model.drop.rng.bit_generator.state == generator
    assert all(p.grad is None for p in model.parameters())
    with pytest.raises(ValueError, match="GRU"):
        tg.summary(model.gru, (5, 2, 9))
    assert (model.training, model.gru.training) == (True, False)
    assert model(np.zeros((2, 1), int))[0].requires_grad


def test_a_module_that_is_called_several_times_says_so():
    class Twice(tg.nn.Module):
        """A layer that is used twice in each call."""

        def __init__(self):
            super().__init__()
            self.layer = tg.nn.Linear(3, 3, rng=0)

        def forward(self, x):
            return self.layer(tg.tanh(self.layer(x)))

    result = tg.summary(Twice(), (2, 3))
    assert result.outputs == {"": (1, "(2, 3)"), "layer": (2, "(2, 3)")}
    assert result.parameters == 12
    assert "2 × (2, 3)" in repr(result)


def test_several_inputs_named_inputs_and_dtypes():
    lstm = tg.nn.LSTM(3, 4, batch_first=True, rng=0).astype("float64")
    state = (tg.Tensor(np.ones((1, 2, 4))), tg.Tensor(np.ones((1, 2, 4))))
    for x in ((2, 7, 3), np.ones((2, 7, 3))):
        result = tg.summary(lstm, x, state, lengths=[7, 3])
        assert result.outputs[""] == (1, "(2, 7, 4), (1, 2, 4), (1, 2, 4)")
        assert result.outputs["l0"] == (7, "(2, 4)")
        assert result.memory == 8 * 144
    assert {row.dtype for row in result.rows if row.new} == {"float64"}
    assert tg.summary(lstm).outputs == {}


def test_random_nests_of_modules_are_counted_like_their_parameters():
    rng = np.random.default_rng(0)

    def build(depth):
        if depth == 0:
            return tg.nn.Linear(3, 3, rng=0) if rng.random() < 0.6 else tg.nn.LayerNorm(3)
        return tg.nn.Sequential(*[build(depth - 1) for _ in range(rng.integers(1, 4))])

    for _ in range(20):
        model = build(int(rng.integers(0, 4)))
        modules = list(model.modules())
        layers = [module for module in modules if isinstance(module, tg.nn.Linear)]
        for layer in layers[1:]:
            if rng.random() < 0.3:
                layer.weight = layers[0].weight
            layer.bias.requires_grad = bool(rng.random() < 0.5)
        result = tg.summary(model, (2, 3))
        parameters = list(model.parameters())
        assert result.parameters == sum(p.size for p in parameters)
        assert result.trainable == sum(p.size for p in parameters if p.requires_grad)
        assert result.memory == sum(p.data.nbytes for p in parameters)
        assert len(result.rows) == len(modules)
        assert set(result.outputs) == {name for name, _ in model.named_modules()}


def test_without_rich_the_table_is_plain_text(monkeypatch):
    result = tg.summary(tg.nn.GRU(3, 4, rng=0), (5, 2, 3))
    monkeypatch.setattr(
        importlib.import_module(type(result).__module__), "find_spec", lambda _: None
    )
    assert repr(result) == (
        """layer          output                parameters  bytes  dtype
───────────────────────────────────────────────────────────────
GRU            (5, 2, 4), (1, 2, 4)
  l0: GRUCell  5 × (2, 4)                   108    432  float32

108 parameters: 108 trainable, 0 frozen
parameters 432 bytes, gradients 432"""
    )


def test_a_notebook_shows_tables_of_models_and_summaries():
    model = tg.nn.Sequential(tg.nn.Dropout(0.5))
    setattr(model, "<b>", tg.nn.Linear(3, 4, rng=0))
    for shown in (tg.summary(model)._repr_html_(), model._repr_html_()):
        assert "&lt;b&gt;: Linear" in shown
        assert "<b>" not in shown
        assert "16 parameters" in shown
    assert "weight (4, 3)\nbias (4,)" in model._repr_html_()
    assert "p=0.5" in model._repr_html_()


def test_a_layer_in_a_list_or_dict_has_its_own_parent():
    class Blocks(tg.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = tg.nn.Linear(1, 1)
            self.blocks = [tg.nn.Linear(1, 1), tg.nn.Sequential(tg.nn.Linear(1, 1))]
            self.heads = {"left": [Leaky(1, None)]}
            self.items = tg.nn.ModuleList([tg.nn.Dropout(0.5)])

    rows = tg.summary(tg.nn.Sequential(Blocks())).rows
    assert [row.label for row in rows] == [
        "Sequential",
        "  0: Blocks",
        "    first: Linear",
        "    blocks.0: Linear",
        "    blocks.1: Sequential",
        "      0: Linear",
        "    heads.left.0: Leaky",
        "    items: ModuleList",
        "      0: Dropout",
    ]
