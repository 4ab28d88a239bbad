"""Wrong calls of `tg.text`: each raises an error that names the operation and the argument."""

import numpy as np
from wrong_calls import VOCAB, alternate, assert_refused, echo, every

import tinygrad_rnn as tg
from tinygrad_rnn import text

AREAS = {
    "text": {
        "vocabulary of bytes": (
            lambda: text.CharVocab(b"ab"),
            TypeError,
            "CharVocab: argument characters: .* got bytes b'ab'",
        ),
        "vocabulary of a number": (
            lambda: text.CharVocab(5),
            TypeError,
            "CharVocab: argument characters: .* got int 5",
        ),
        "encode a number": (
            lambda: VOCAB.encode(5),
            TypeError,
            "CharVocab.encode: argument text: .* got int 5",
        ),
        "encode bytes": (
            lambda: VOCAB.encode(b"ab"),
            TypeError,
            "CharVocab.encode: argument text: .* got bytes",
        ),
        "one-hot of half a class": (
            lambda: text.one_hot([1], 2.5),
            TypeError,
            "one_hot: argument classes: .* got float 2.5",
        ),
        "columns of half a stream": (
            lambda: text.columns([0, 1, 2], 1.5),
            TypeError,
            "columns: argument batch_size: .* got float 1.5",
        ),
        "columns of no stream": (
            lambda: text.columns([0, 1, 2], 0),
            ValueError,
            "columns: argument batch_size: .* got 0",
        ),
        "columns of text": (
            lambda: text.columns("abc", 1),
            ValueError,
            r"columns: argument indices: .* pass vocab.encode\(text\)",
        ),
        "batches of half a step": (
            lambda: list(text.batches([0, 1, 2], 1, 1.5)),
            TypeError,
            "batches: argument steps: .* got float 1.5",
        ),
        "batches from before the start": (
            lambda: list(text.batches([0, 1, 2], 1, 1, start=-1)),
            ValueError,
            "batches: argument start: .* got -1",
        ),
        "windows of no steps": (
            lambda: text.bptt(alternate, [0, 1, 0], 1, 0),
            ValueError,
            "text.bptt: argument k1: .* got 0",
        ),
        "windows of no model": (
            lambda: text.bptt(3, [0, 1, 0], 1, 2),
            TypeError,
            "text.bptt: argument model: .* got int 3",
        ),
        "windows of too little text": (
            lambda: text.bptt(alternate, [0], 1, 2),
            ValueError,
            "columns: argument batch_size",
        ),
        "windows of a model without a state": (
            lambda: next(text.bptt(lambda x, state: alternate(x, state)[0], [0, 1, 0], 1, 2)),
            TypeError,
            r"text.bptt: argument model: expected a function that returns \(logits, state\), "
            r"got float32 \(2, 1, 2\)",
        ),
        "windows of half a step": (
            lambda: text.bptt(alternate, [0, 1, 0], 1, 2, 1.5),
            TypeError,
            "text.bptt: argument k2: .* got float 1.5",
        ),
        "sample among half a character": (
            lambda: text.sample(alternate, VOCAB, "a", 3, top_k=1.5),
            TypeError,
            "sample: argument top_k",
        ),
        "sample among none": (
            lambda: text.sample(alternate, VOCAB, "a", 3, top_k=0),
            ValueError,
            "sample: argument top_k: .* got 0",
        ),
        "sample at a temperature of text": (
            lambda: text.sample(alternate, VOCAB, "a", 3, temperature="hot"),
            TypeError,
            "sample: argument temperature: .* got str 'hot'",
        ),
        "sample half a character": (
            lambda: text.sample(alternate, VOCAB, "a", 1.5),
            TypeError,
            "sample: argument length: .* got float 1.5",
        ),
        "sample after a number": (
            lambda: text.sample(alternate, VOCAB, 5, 3),
            TypeError,
            "CharVocab.encode: argument text: .* got int 5",
        ),
        "sample from nan": (
            lambda: text.sample(
                lambda x, state: (np.full((1, 1, 2), np.nan), state), VOCAB, "a", 3, temperature=0
            ),
            ValueError,
            "sample: argument model: .* got nan or inf",
        ),
        "a character that is not known": (
            lambda: VOCAB.encode("abc"),
            ValueError,
            r"CharVocab\.encode: argument text: .* got 'c' at position 2",
        ),
        "an index under 0": (
            lambda: VOCAB.decode([-1]),
            ValueError,
            r"CharVocab\.decode: argument indices: .* got -1 at position \(0,\)",
        ),
        "a vocabulary of nothing": (
            lambda: text.CharVocab(""),
            ValueError,
            "CharVocab: argument characters: .* got none",
        ),
        "an order that is not known": (
            lambda: text.CharVocab("a", order="x"),
            ValueError,
            "CharVocab: argument order: .* got 'x'",
        ),
        "a class that has no place": (
            lambda: text.one_hot([2], 2),
            ValueError,
            r"one_hot: argument indices: .* got 2 at position \(0,\)",
        ),
        "a class under 0": (
            lambda: text.one_hot([-1], 2),
            ValueError,
            r"one_hot: argument indices: .* got -1 at position \(0,\)",
        ),
        "half an index": (
            lambda: text.one_hot([0.5], 2),
            TypeError,
            r"one_hot: argument indices: .* got float64 \(1,\)",
        ),
        "one-hot rows of an unknown dtype": (
            lambda: text.one_hot([0], 2, dtype="foo"),
            TypeError,
            "one_hot: argument dtype: .* got str 'foo'",
        ),
        "one-hot rows of text": (
            lambda: text.one_hot([0], 2, dtype="U3"),
            TypeError,
            "one_hot: argument dtype: .* got <U3",
        ),
        "more streams than characters": (
            lambda: text.columns([0, 1], 2),
            ValueError,
            "columns: argument batch_size: .* got 2",
        ),
        "a text of floats": (
            lambda: text.columns([0.5, 1.5], 1),
            ValueError,
            r"columns: argument indices: .* got float64 \(2,\)",
        ),
        "batches of no steps": (
            lambda: list(text.batches([0, 1, 2], 1, 0)),
            ValueError,
            "batches: argument steps: .* got 0",
        ),
        "a start beyond the end": (
            lambda: list(text.batches([0, 1, 2], 1, 1, start=99)),
            ValueError,
            "batches: argument start: .* got 99",
        ),
        "a count for no streams": (
            lambda: text.count_batches(10, 0, 3),
            ValueError,
            "count_batches: argument batch_size: .* got 0",
        ),
        "a temperature below 0": (
            lambda: text.sample(echo, VOCAB, "a", 3, temperature=-1),
            ValueError,
            "sample: argument temperature: .* got -1",
        ),
        "a temperature without end": (
            lambda: text.sample(echo, VOCAB, "a", 3, temperature=float("inf")),
            ValueError,
            "sample: argument temperature: .* got inf",
        ),
        "a first character that is not known": (
            lambda: text.sample(echo, VOCAB, "c", 3),
            ValueError,
            r"CharVocab\.encode: argument text: .* got 'c' at position 0",
        ),
        "nothing to start from": (
            lambda: text.sample(echo, VOCAB, "", 3),
            ValueError,
            "sample: argument prime: .* got ''",
        ),
        "text as the vocabulary": (
            lambda: text.sample(echo, "ab", "a", 3),
            TypeError,
            "sample: argument vocab: .* got str 'ab'",
        ),
        "no model": (
            lambda: text.sample(None, VOCAB, "a", 3),
            TypeError,
            "sample: argument model: .* got NoneType None",
        ),
        "a model without a state": (
            lambda: text.sample(lambda x, s: tg.Tensor(np.ones((1, 1, 2))), VOCAB, "a", 3),
            TypeError,
            r"sample: argument model: .* got float64 \(1, 1, 2\)",
        ),
        "no loss": (
            lambda: next(
                text.bptt(
                    lambda x, s: (tg.Tensor(np.ones((*x.shape, 2), np.float32)), s),
                    [0, 1, 0],
                    1,
                    2,
                    loss=3,
                )
            ),
            TypeError,
            r"text\.bptt: argument loss: .* got int 3",
        ),
        "a text of another vocabulary": (
            lambda: next(
                text.bptt(
                    lambda x, s: (tg.Tensor(np.ones((*x.shape, 2), np.float32)), s), [0, 1, 5], 1, 2
                )
            ),
            ValueError,
            r"cross_entropy: argument target: .* got 5 at position \(1, 0\)",
        ),
    }
}


@every(AREAS)
def test_a_wrong_call_of_text_is_refused_by_name(call, error, message):
    assert_refused(call, error, message)


def test_wrong_calls_of_text_have_rows_of_every_area():
    assert AREAS.keys() == {"text"}
    assert min(map(len, AREAS.values())) >= 4
