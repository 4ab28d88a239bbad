"""Vocabulary, batches, sampling."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.text import CharVocab, batches, columns, count_batches, one_hot, sample


def test_vocab_round_trip_and_order():
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


def test_greedy_sampling_feeds_back_what_it_wrote():
    vocab = CharVocab("Math")
    follow = dict(zip("Math", "athM", strict=True))
    seen = []

    def model(x, state):
        seen.append(vocab.decode(x[:, 0]))
        return tg.Tensor(5 * one_hot([[vocab.index[follow[c]] for c in seen[-1]]], 4).transpose(1, 0, 2)), state

    assert sample(model, vocab, "Ma", 6, temperature=0) == "MathMath"
    assert seen == ["Ma", "t", "h", "M", "a", "t", "h"]


def test_sampling_follows_the_softmax_and_top_k():
    vocab = CharVocab("abc")
    logits = np.log([0.6, 0.3, 0.1]).astype("float32")

    def model(x, state):
        return tg.Tensor(np.broadcast_to(logits, (*x.shape, 3)).copy()), state

    text = sample(model, vocab, "a", 20_000, rng=0)[1:]
    np.testing.assert_allclose([text.count(c) / len(text) for c in "abc"], [0.6, 0.3, 0.1], atol=0.02)
    text = sample(model, vocab, "a", 5_000, top_k=2, rng=0)[1:]
    np.testing.assert_allclose([text.count(c) / len(text) for c in "abc"], [2 / 3, 1 / 3, 0], atol=0.03)
    text = sample(model, vocab, "a", 5_000, temperature=0.5, rng=0)[1:]
    np.testing.assert_allclose([text.count(c) / len(text) for c in "abc"], np.array([36, 9, 1]) / 46, atol=0.03)
    assert sample(model, vocab, "a", 50, rng=3) == sample(model, vocab, "a", 50, rng=3)


def test_sampling_records_nothing():
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
def test_refused(call, message):
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
        ([[0, 1]], ValueError, "a sequence of integers"),
        (3, ValueError, "a sequence of integers, got int 3"),
        (None, ValueError, "a sequence of integers"),
        (tg.Tensor(3), ValueError, "a sequence of integers"),
    ],
    ids=str,
)
def test_decode_refuses_what_is_no_index(indices, error, message):
    with pytest.raises(error, match=f"CharVocab.decode: argument indices: .*{message}"):
        CharVocab("Mathi").decode(indices)


def test_decode_takes_any_sequence_of_integers():
    vocab = CharVocab("Math", order="given")
    for indices in ([0, 1], (0, 1), iter([0, 1]), np.array([0, 1], np.uint8), tg.Tensor([0, 1]), [np.int64(0), 1], range(2)):
        assert vocab.decode(indices) == "Ma"
    assert vocab.decode([]) == vocab.decode(np.zeros(0, int)) == ""


@pytest.mark.parametrize("shape", [(1, 1, 4), (1, 1, 6), (1, 5), (1, 2, 5), (5,)], ids=str)
def test_sampling_refuses_logits_of_another_vocabulary(shape):
    wanted = r"sample: argument model: expected logits of shape \(T, 1, 5\), one for each character"
    for logits in (tg.Tensor(np.zeros(shape, "float32")), np.zeros(shape)):
        with pytest.raises(ValueError, match=wanted):
            sample(lambda x, state, logits=logits: (logits, state), CharVocab("Mathi"), "M", 3)


def test_sampling_takes_plain_arrays_of_logits():
    logits = np.array([[[0.0, 9.0]]])
    assert sample(lambda x, state: (logits, state), CharVocab("ab"), "a", 3, temperature=0) == "abbb"
