"""Vocabulary, batches, sampling and truncated BPTT."""

import gc

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.text import CharVocab, batches, columns, count_batches, one_hot, sample


def test_a_vocabulary_round_trips_text_and_has_the_requested_order():
    vocab = CharVocab("straße ∂ß")
    assert vocab.decode(vocab.encode("aß∂")) == "aß∂"
    assert vocab.characters == "".join(sorted(set("straße ∂ß")))
    assert CharVocab("hatM", order="given").characters == "hatM"
    assert "ß" in vocab
    assert "x" not in vocab


@pytest.mark.parametrize("length", [8, 21, 40, 41])
@pytest.mark.parametrize("batch_size", [1, 2, 3])
@pytest.mark.parametrize("steps", [1, 4, 7])
def test_batches_are_consecutive_and_targets_come_one_later(length, batch_size, steps):
    indices = np.arange(length)
    found = list(batches(indices, batch_size, steps))
    assert len(found) == count_batches(length, batch_size, steps)
    x, y = (np.concatenate(part) for part in zip(*found, strict=True))
    np.testing.assert_array_equal(y, x + 1)
    np.testing.assert_array_equal(x, columns(indices, batch_size)[:-1])
    for k in range(len(found)):
        rest = list(batches(indices, batch_size, steps, start=k))
        np.testing.assert_array_equal(rest[0][0], found[k][0])


def test_greedy_sampling_feeds_each_character_back():
    vocab = CharVocab("Math")
    follow = dict(zip("Math", "athM", strict=True))
    seen = []

    def model(x, state):
        seen.append(vocab.decode(x[:, 0]))
        return tg.Tensor(
            5 * one_hot([[vocab.index[follow[c]] for c in seen[-1]]], 4).transpose(1, 0, 2)
        ), state

    assert sample(model, vocab, "Ma", 6, temperature=0) == "MathMath"
    assert seen == ["Ma", "t", "h", "M", "a", "t", "h"]


def test_sampling_follows_the_softmax_and_top_k():
    vocab = CharVocab("abc")
    logits = np.log([0.6, 0.3, 0.1]).astype("float32")

    def model(x, state):
        return tg.Tensor(np.broadcast_to(logits, (*x.shape, 3)).copy()), state

    text = sample(model, vocab, "a", 20_000, rng=0)[1:]
    np.testing.assert_allclose(
        [text.count(c) / len(text) for c in "abc"], [0.6, 0.3, 0.1], atol=0.02
    )
    text = sample(model, vocab, "a", 5_000, top_k=2, rng=0)[1:]
    np.testing.assert_allclose(
        [text.count(c) / len(text) for c in "abc"], [2 / 3, 1 / 3, 0], atol=0.03
    )
    text = sample(model, vocab, "a", 5_000, temperature=0.5, rng=0)[1:]
    np.testing.assert_allclose(
        [text.count(c) / len(text) for c in "abc"], np.array([36, 9, 1]) / 46, atol=0.03
    )
    assert sample(model, vocab, "a", 50, rng=3) == sample(model, vocab, "a", 50, rng=3)


def test_sampling_runs_in_eval_mode_and_restores_the_former_mode():
    class Model(tg.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.drop, self.frozen = (
                tg.nn.Embedding(5, 5, rng=0),
                tg.nn.Dropout(0.5, rng=0),
                tg.nn.Dropout(0.5, rng=1),
            )

        def forward(self, x, state):
            assert not self.training
            return self.frozen(self.drop(self.embedding(x))), state

    model, vocab = Model(), CharVocab("Mathi")
    model.frozen.eval()
    written = {sample(model, vocab, "M", 40, temperature=0) for _ in range(3)}
    assert len(written) == 1
    assert [module.training for module in model.modules()] == [True, True, True, False]
    with pytest.raises(ValueError, match="sample: argument model"):
        sample(model, CharVocab("Math"), "M", 3)
    assert model.training
    assert written == {sample(model.eval(), vocab, "M", 40, temperature=0)}
    assert not model.training


def test_sampling_records_no_graph():
    gru = tg.nn.GRU(3, 4, rng=0)
    states = []

    def model(x, state):
        output, state = gru(one_hot(x, 3), state)
        states.append(state)
        return output[..., :3], state

    sample(model, CharVocab("abc"), "a", 5, rng=0)
    assert all(state.node is None for state in states)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda v: v.encode("Maxi"), "'x' at position 2"),
        (lambda v: CharVocab(""), "at least one character"),
        (lambda v: CharVocab("a", order="random"), "order"),
        (lambda v: sample(None, v, "", 3), "prime"),
        (lambda v: sample(None, v, "M", -1), "length"),
        (lambda v: sample(None, v, "M", 3, temperature=-1), "temperature"),
        (lambda v: sample(None, v, "M", 3, temperature=float("nan")), "temperature"),
        (lambda v: sample(None, v, "M", 3, top_k=0), "top_k"),
        (lambda v: columns([1, 2, 3], 2), "batch_size"),
        (lambda v: columns([1, 2, 3], 0), "batch_size"),
        (lambda v: next(batches([1, 2, 3, 4], 1, 0)), "steps"),
        (lambda v: one_hot([4], 4), "4 at position"),
    ],
)
def test_a_text_setting_out_of_range_is_an_error(call, message):
    with pytest.raises(ValueError, match=message):
        call(CharVocab("Mathi"))


@pytest.mark.parametrize(
    ("indices", "error", "message"),
    [
        ([0, -1], ValueError, r"-1 at position \(1,\)"),
        ([5], ValueError, r"5 classes, got 5 at position \(0,\)"),
        (np.array([0, 99]), ValueError, "99 at position"),
        ([0.5], TypeError, "integers in"),
        ([True], TypeError, "integers in"),
        (["M"], TypeError, "integers in"),
        ([[0, 1]], ValueError, "a one-dimensional sequence of integers"),
        (3, ValueError, "a one-dimensional sequence of integers, got int 3"),
        (None, ValueError, "a one-dimensional sequence of integers"),
        (tg.Tensor(3), ValueError, "a one-dimensional sequence of integers"),
    ],
    ids=str,
)
def test_decode_raises_an_error_for_anything_but_indices(indices, error, message):
    with pytest.raises(error, match=f"CharVocab.decode: argument indices: .*{message}"):
        CharVocab("Mathi").decode(indices)


def test_decode_takes_any_sequence_of_integers():
    vocab = CharVocab("Math", order="given")
    for indices in (
        [0, 1],
        (0, 1),
        iter([0, 1]),
        np.array([0, 1], np.uint8),
        tg.Tensor([0, 1]),
        [np.int64(0), 1],
        range(2),
    ):
        assert vocab.decode(indices) == "Ma"
    assert vocab.decode([]) == vocab.decode(np.zeros(0, int)) == ""


@pytest.mark.parametrize("shape", [(1, 1, 4), (1, 1, 6), (1, 5), (1, 2, 5), (5,)], ids=str)
def test_logits_of_another_vocabulary_are_an_error(shape):
    wanted = r"sample: argument model: expected logits of shape \(T, 1, 5\), one for each character"
    for logits in (tg.Tensor(np.zeros(shape, "float32")), np.zeros(shape)):
        with pytest.raises(ValueError, match=wanted):
            sample(lambda x, state, logits=logits: (logits, state), CharVocab("Mathi"), "M", 3)


def test_sampling_takes_plain_arrays_of_logits():
    logits = np.array([[[0.0, 9.0]]])
    assert (
        sample(lambda x, state: (logits, state), CharVocab("ab"), "a", 3, temperature=0) == "abbb"
    )


# -- truncated BPTT --------------------------------------------------------------------------------


class Reader(tg.nn.Module):
    """A small model in float64, whose output depends on its state."""

    def __init__(self, kind="GRU"):
        super().__init__()
        self.embedding, self.recurrent = (
            tg.nn.Embedding(5, 3, rng=0),
            getattr(tg.nn, kind)(3, 4, rng=1),
        )
        self.output = tg.nn.Linear(4, 5, rng=2)
        self.astype(np.float64)

    def forward(self, x, state=None):
        hidden, state = self.recurrent(self.embedding(x), state)
        return self.output(hidden), state


def pop_gradients(model):
    """Return the gradients by name, and set them to None."""
    found = {name: p.grad.copy() for name, p in model.named_parameters()}
    model.zero_grad()
    return found


def compute_by_definition(model, indices, batch_size, k1, k2):
    """Yield the loss of every k1 steps and its gradients, by the definition of TBPTT(k1, k2).

    The gradient goes back k2 steps from the end; the state before them is a constant.
    """
    streams = tg.text.columns(indices, batch_size)
    steps = len(streams) - 1
    for begin in range(0, steps, k1):
        end = min(begin + k1, steps)
        first = max(0, end - k2)
        state = None
        if first:
            with tg.no_grad():
                state = tg.detach(model(streams[:first])[1])
        logits, _ = model(streams[first:end], state)
        counted = max(begin, first)
        loss = tg.nn.functional.cross_entropy(
            logits[counted - first :], streams[counted + 1 : end + 1]
        )
        loss.backward()
        yield loss.item(), pop_gradients(model)


@pytest.mark.parametrize(
    ("k1", "k2"),
    [(1, 1), (1, 5), (3, 3), (3, 7), (4, 6), (5, 2), (2, 100), (100, 3), (100, 100), (7, 21)],
)
@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_truncated_bptt_agrees_with_its_definition(kind, k1, k2):
    model, text = Reader(kind), np.random.default_rng(0).integers(0, 5, 50)
    expected = list(compute_by_definition(model, text, 2, k1, k2))
    found = []
    for loss in tg.text.bptt(model, text, 2, k1, k2):
        loss.backward()
        found.append((loss.item(), pop_gradients(model)))
    assert len(found) == len(expected) == -(-24 // k1)
    for (loss, by_name), (loss_2, by_name_2) in zip(found, expected, strict=True):
        assert loss == pytest.approx(loss_2, rel=1e-12)
        for name, g in by_name.items():
            np.testing.assert_allclose(g, by_name_2[name], rtol=1e-10, atol=1e-14, err_msg=name)


def test_without_k2_windows_do_not_overlap():
    model, text = Reader(), np.random.default_rng(0).integers(0, 5, 50)
    found = [loss.item() for loss in tg.text.bptt(model, text, 2, 5)]
    state, expected = None, []
    for x, y in tg.text.batches(text, 2, 5):
        logits, state = model(x, state)
        state = tg.detach(state)
        expected.append(tg.nn.functional.cross_entropy(logits, y).item())
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize(("k1", "k2"), [(5, 5), (5, 15), (5, 2)])
def test_the_memory_of_truncated_bptt_does_not_grow_with_the_text(k1, k2):
    model, alive = Reader(), []
    gc.collect()  # so that leftovers of other tests are not collected in between
    for i, loss in enumerate(
        tg.text.bptt(model, np.random.default_rng(0).integers(0, 5, 600), 2, k1, k2)
    ):
        loss.backward()
        if i % 10 == 5:
            del loss
            alive.append(sum(issubclass(type(x), tg.Tensor) for x in gc.get_objects()))
    assert len(alive) > 4
    assert len(set(alive)) == 1


@pytest.mark.parametrize(("k1", "k2"), [(2, 6), (3, 3), (6, 2)])
def test_all_steps_of_a_window_share_one_dropout_mask(k1, k2):
    seen = []

    def look(x, h):
        seen.append((x.data, h.data))
        return x, h * 0 + 1

    class Model(tg.nn.Module):
        def __init__(self):
            super().__init__()
            options = {"hidden_size": 8, "input_dropout": 0.5, "state_dropout": 0.5, "rng": 0}
            self.layer = tg.nn.Recurrent(lambda size, rng: look, 8, **options)

        def forward(self, x, state):
            state = tg.Tensor(np.ones((1, 1, 8))) if state is None else state
            return self.layer(tg.Tensor(np.ones((*x.shape, 8))), state)

    model, windows = Model(), []
    for _ in tg.text.bptt(model, np.zeros(19, int), 1, k1, k2):
        assert all(np.array_equal(np.concatenate(step), np.concatenate(seen[0])) for step in seen)
        windows.append(np.concatenate(seen[0]))
        seen.clear()
    assert len({mask.tobytes() for mask in windows}) == len(windows)  # each window has its own


def test_truncated_bptt_takes_another_loss_function():
    model = Reader()
    losses = tg.text.bptt(
        model,
        [0, 1, 2, 3, 4, 0, 1, 2],
        1,
        4,
        loss=lambda logits, y: logits.sum() * 0 + float(len(y)),
    )
    assert [loss.item() for loss in losses] == [4.0, 3.0]
