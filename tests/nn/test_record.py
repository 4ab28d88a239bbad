"""Activations by name: what `nn.record` finds, and that it changes nothing."""

import threading

import numpy as np
import pytest
from helpers import leaf, state_parts
from internals import toposort
from recurrent_layers import LENGTHS, build_layer, random_sequences

import tinygrad_rnn as tg
from tinygrad_rnn import nn


class Tagger(nn.Module):
    """An embedding, two recurrent layers in a list, and a head with a named result."""

    def __init__(self, kind=nn.GRU):
        super().__init__()
        self.embedding = nn.Embedding(9, 4, rng=0)
        self.layers = [kind(4, 3, rng=1), kind(3, 5, bidirectional=True, rng=2)]
        self.head = nn.Sequential(nn.Linear(10, 2, rng=3), nn.Dropout(0.5, rng=4))

    def forward(self, x):
        y = self.embedding(x)
        for layer in self.layers:
            y, _ = layer(y)
        z = tg.tanh(y)
        z.name = "squashed"
        return self.head(z)


X = np.array([[1, 2], [3, 4], [5, 6], [7, 8]])


def test_the_output_of_each_module_has_the_name_of_the_module():
    model = Tagger()
    with nn.record(model) as activations:
        output = model(X)
    y = model.embedding(X)
    first, h = model.layers[0](y)
    second, _ = model.layers[1](first)
    np.testing.assert_array_equal(activations["embedding"], y.data)
    np.testing.assert_array_equal(activations["layers.0"][0], first.data)
    np.testing.assert_array_equal(activations["layers.0"][1], h.data)
    np.testing.assert_array_equal(activations["layers.1"][0], second.data)
    np.testing.assert_array_equal(activations["squashed"], np.tanh(second.data))
    np.testing.assert_array_equal(activations["head"], output.data)
    np.testing.assert_array_equal(activations[""], output.data)
    called = {"", "embedding", "layers.0", "layers.1", "head", "head.0", "head.1"}
    assert called == {name for name, _ in model.named_modules() if "l0" not in name}
    assert called < set(activations)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_gates_by_name_are_those_that_the_graph_has(kind, lengths):
    layer, x = build_layer(kind, num_layers=2, bidirectional=True), random_sequences()
    with nn.record(layer) as activations:
        output, state = layer(x, lengths=lengths)
    whole = output.sum() + sum(part.sum() for part in state_parts(state))
    for name, array in tg.bptt.values(whole).items():
        *_, layer_name, gate = name.removeprefix(kind.lower()).strip(" /").split(" / ", 1)
        found = "l" + "_".join([layer_name.removeprefix("layer "), *gate.split(" / ")[:-1]])
        np.testing.assert_array_equal(activations[f"{found}.{gate.split(' / ')[-1]}"], array)
    assert not any(name.split(".")[-1][:2] in ("W_", "U_", "b_") for name in activations)


def test_a_cell_that_is_called_in_each_step_has_time_first():
    class Leaky(nn.Module):
        def __init__(self, size, rng):
            super().__init__()
            self.hidden_size, self.inner = 3, nn.Linear(size, 3, rng=rng)

        def forward(self, x, h):
            u = tg.tanh(self.inner(x))
            u.name = "u"
            h = 0.9 * h + u
            return h, h

    layer = nn.Recurrent(Leaky, 2, rng=0)
    x = np.random.default_rng(0).standard_normal((5, 4, 2)).astype("float32")
    with nn.record(layer) as activations:
        output, _ = layer(x)
    inner = layer.cells[0][0].inner
    np.testing.assert_allclose(activations["l0.inner"], inner(x).data, rtol=1e-6)
    np.testing.assert_allclose(activations["l0.u"], np.tanh(inner(x).data), rtol=1e-6)
    np.testing.assert_array_equal(activations["l0"][0], output.data)
    np.testing.assert_array_equal(activations["l0"][1], output.data)


def test_a_scan_from_the_end_is_recorded_in_order_of_time():
    cell = nn.GRUCell(2, 3, rng=0)
    x = np.random.default_rng(0).standard_normal((5, 2)).astype("float32")
    with nn.record(cell) as activations:
        outputs, _ = tg.scan(cell, x, np.zeros(3, "float32"), reverse=True)
    np.testing.assert_array_equal(activations["h"], outputs.data)
    np.testing.assert_array_equal(activations[""][0], outputs.data)


def test_recording_changes_neither_results_nor_graph_nor_gradients():
    def run(watch):
        model = Tagger(nn.LSTM)
        if watch:
            with nn.record(model) as activations:
                output = model(X)
                output.sum().backward()
            activations["head"][:] = 7
            activations["layers.0"][0][:] = 7
        else:
            output = model(X)
            output.sum().backward()
        nodes = [(value.node.op.name, len(value.node.scope)) for value in toposort(output)]
        return output.data, nodes, [p.grad for p in model.parameters()]

    (a, nodes, gradients), (b, others, same) = run(watch=True), run(watch=False)
    np.testing.assert_array_equal(a, b)
    assert nodes == others
    for g, h in zip(gradients, same, strict=True):
        np.testing.assert_array_equal(g, h)


def test_gates_are_recorded_without_a_graph_too():
    model = Tagger()
    model.eval()
    with nn.record(model) as tracked:
        model(X)
    with tg.no_grad(), nn.record(model) as untracked:
        assert not model(X).requires_grad
    assert list(tracked) == list(untracked)
    for name in tracked:
        np.testing.assert_equal(tracked[name], untracked[name])


def test_a_second_call_has_names_of_its_own():
    linear = nn.Linear(2, 2, rng=0)
    model = nn.Sequential(linear, tg.tanh, linear)
    gru = nn.GRU(2, 3, rng=0)
    with nn.record(model) as activations, nn.record(gru) as gates:
        y = model(np.ones((1, 2), "float32"))
        gru(np.ones((3, 1, 2), "float32"))
        gru(np.zeros((5, 1, 2), "float32"))
    assert list(activations) == ["0", "0 (2)", ""]
    np.testing.assert_array_equal(activations["0 (2)"], y.data)
    assert gates["l0.z"].shape == (3, 1, 3)
    assert gates["l0.z (2)"].shape == (5, 1, 3)
    assert gates[" (2)"][0].shape == (5, 1, 3)


def test_a_module_called_twice_in_a_step_is_told_apart():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(2, 2, rng=0)

        def forward(self, x, h):
            h = self.inner(self.inner(x) + h)
            return h, h

    cell = Twice()
    with nn.record(cell) as activations:
        outputs, _ = tg.scan(cell, np.ones((4, 2), "float32"), np.zeros(2, "float32"))
    assert list(activations) == ["inner", "inner (2)", ""]
    np.testing.assert_array_equal(activations["inner (2)"], outputs.data)


def test_blocks_may_be_nested_and_each_records_by_itself():
    model = Tagger()
    with nn.record(model) as outer:
        with nn.record(model.head) as inner:
            model(X)
        with nn.record(model.layers[0]) as other:
            pass
        model.head(np.ones((1, 10), "float32"))
    assert list(inner) == ["0", "1", ""]
    assert list(other) == []
    assert "head (2)" in outer
    np.testing.assert_array_equal(outer["head"], inner[""])
    with nn.record(model) as later:
        pass
    model(X)
    assert len(later) == 0


def test_a_block_that_is_open_cannot_be_opened_again():
    block = nn.record(nn.Linear(2, 2))
    with block, pytest.raises(RuntimeError, match=r"record\(Linear\): the block is open already"):
        block.__enter__()
    with block as again:
        assert not list(again)


def test_a_block_in_a_generator_ends_without_the_others():
    model, x = nn.Linear(2, 2, rng=0), np.ones((1, 2), "float32")

    def numbers():
        with nn.record(model) as own:
            yield own

    several = numbers()
    own = next(several)
    with nn.record(model) as activations:
        model(x)
        several.close()
        model(x)
    model(x)
    assert list(own) == [""]
    assert list(activations) == ["", " (2)"]


def test_a_compiled_model_is_recorded_step_by_step():
    layer, x = build_layer("GRU"), random_sequences()
    model = nn.Sequential(tg.compile(layer))
    cell = tg.compile(nn.GRUCell(2, 3, rng=0))
    with nn.record(model) as activations, nn.record(layer) as own, nn.record(cell) as steps:
        y, _ = model(x)
        tg.scan(cell, np.ones((4, 2), "float32"), np.zeros(3, "float32"))
    np.testing.assert_allclose(model(x)[0].data, y.data, rtol=1e-12)
    np.testing.assert_array_equal(activations["0.l0.h"], y.data)
    np.testing.assert_array_equal(activations["0"][0], y.data)
    np.testing.assert_array_equal(own[""][0], y.data)
    np.testing.assert_array_equal(own["l0.h"], y.data)
    assert set(own) == {n.removeprefix("0").removeprefix(".") for n in activations if n}
    assert steps["z"].shape == (4, 3)
    assert not cell.programs


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_a_call_of_a_compiled_model_counts_as_a_call_of_the_model(kind):
    layer, x = build_layer(kind, num_layers=2, bidirectional=True), random_sequences()
    with nn.record(layer) as expected:
        layer(x)
    with nn.record(layer) as found:
        for _ in range(3):  # each call may get the memory, and so the id, of the one before
            tg.compile(layer)(x)
        tg.compile(tg.compile(layer))(x)
        tg.compile(build_layer(kind))(x)  # another model
    numbered = [f"{name} ({n})" for name in expected for n in (2, 3, 4)]
    assert set(found) == {*expected, *numbered}
    for name in found:
        for array, other in zip(
            state_parts(expected[name.split(" (")[0]]), state_parts(found[name]), strict=True
        ):
            np.testing.assert_array_equal(array, other)


def test_a_compiled_part_of_a_model_is_recorded_under_the_name_of_the_part():
    layer = build_layer("GRU")
    model, fast = nn.Sequential(layer, nn.Linear(5, 2, rng=0)), tg.compile(layer)
    with nn.record(model) as activations:
        output, _ = fast(random_sequences())
    assert "0.l0.z" in activations
    np.testing.assert_array_equal(activations["0"][0], output.data)
    assert "1" not in activations
    assert "" not in activations


def test_a_module_with_an_attribute_target_is_not_taken_for_a_compiled_one():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.online, self.target = nn.Linear(2, 2, rng=0), nn.Linear(2, 2, rng=1)

        def forward(self, x):
            return self.online(x)

    pair = Pair()
    with nn.record(pair.target) as activations:
        pair(np.ones(2, "float32"))
    assert list(activations) == []


def test_the_repr_of_a_recorder_names_the_model():
    assert repr(nn.record(nn.Linear(1, 1))) == "record(Linear)"


def test_each_thread_records_its_own_calls():
    model = nn.Sequential(nn.Linear(2, 2, rng=0), nn.GRU(2, 3, rng=0))
    start = threading.Barrier(4)
    found = {}

    def run(k):
        x = np.full((k + 2, 1, 2), k, "float32")
        start.wait()
        for _ in range(20):
            if k == 3:
                model(x)  # without a block
                continue
            with nn.record(model) as activations:
                model(x)
            found.setdefault(k, []).append(activations)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, recorded in found.items():
        expected = model(np.full((k + 2, 1, 2), k, "float32"))[0].data
        for activations in recorded:
            assert "1 (2)" not in activations
            np.testing.assert_array_equal(activations["1.l0.h"], expected)


def test_what_was_recorded_before_an_error_stays():
    model = nn.Sequential(nn.Linear(2, 2, rng=0), nn.Linear(3, 3))
    with nn.record(model) as activations, pytest.raises(ValueError, match="in_features"):
        model(np.ones((1, 2), "float32"))
    assert list(activations) == ["0"]
    with nn.record(model[0]) as activations:
        model[0](np.ones((1, 2), "float32"))
    assert list(activations) == [""]


def test_outputs_of_any_form_are_recorded():
    class Odd(nn.Module):
        def forward(self, x, h):
            return x, {"h": h["h"] + x, "t": h["t"] + 1}

    cell = Odd()
    with nn.record(cell) as activations:
        tg.scan(cell, np.ones((3, 2)), {"h": np.zeros(2), "t": 0})
    output, state = activations[""]
    assert output.shape == (3, 2)
    np.testing.assert_array_equal(state["h"], [[1, 1], [2, 2], [3, 3]])
    assert state["t"] == [1, 2, 3]


def test_wrong_names_and_models_are_refused():
    with pytest.raises(TypeError, match="record: argument model: expected a Module, got"):
        nn.record(lambda x: x)
    model = nn.Sequential(nn.Linear(1, 1))
    with nn.record(model) as activations:
        assert repr(activations) == "Activations"
        with pytest.raises(KeyError, match="expected a call of the model in the block"):
            _ = activations["0"]
        model(leaf(1).astype("float32"))
    with pytest.raises(KeyError, match="expected '0', '', got 'x'"):
        _ = activations["x"]
    assert activations.get("x") is None


def test_a_result_with_the_name_of_a_module_is_told_apart():
    class Gate(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = nn.Linear(2, 3, rng=0)

        def forward(self, x):
            f = tg.sigmoid(self.f(x))
            f.name = "f"
            return f

    model = nn.Sequential(Gate())
    with nn.record(model) as activations:
        y = model(np.ones((1, 2), "float32"))
    np.testing.assert_array_equal(activations["0.f (result)"], y.data)
    np.testing.assert_allclose(1 / (1 + np.exp(-activations["0.f"])), y.data, rtol=1e-6)
