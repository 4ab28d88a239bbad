"""Classify sequences of different lengths: are these brackets balanced?

All sequences are in one batch, padded at the end, and `lengths` gives the length of each. Half of
them are balanced. The others have two brackets exchanged, so that counting each kind does not help.
Run it with ``python examples/balanced.py [FOLDER]``; it takes about twenty seconds.
"""

import os
import sys

# The matrices are small: more threads would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from pictures import draw, plot

import tinygrad_rnn as tg

LONGEST, BATCH, HIDDEN, STEPS = 40, 64, 24, 400
VOCAB = tg.text.CharVocab("()")


def write_balanced(rng, pairs):
    """Return a random balanced text with this number of pairs."""
    text, depth, left = "", 0, pairs
    while len(text) < 2 * pairs:
        opens = depth == 0 or (left > 0 and rng.random() < left / (left + depth))
        text += "(" if opens else ")"
        depth, left = (depth + 1, left - 1) if opens else (depth - 1, left)
    return text


def write_unbalanced(rng, pairs):
    """Return a text that is not balanced, with the same number of brackets of each kind."""
    while True:
        text = list(write_balanced(rng, pairs))
        i, j = rng.choice(2 * pairs, 2, replace=False)
        text[i], text[j] = text[j], text[i]
        depths = np.cumsum([1 if c == "(" else -1 for c in text])
        if depths.min() < 0:
            return "".join(text)


def batch(rng):
    """Return one-hot sequences (LONGEST, BATCH, 2), their lengths, and labels: 1 for balanced."""
    answers = rng.integers(0, 2, BATCH)
    texts = []
    for answer in answers:
        write = write_balanced if answer else write_unbalanced
        texts.append(write(rng, rng.integers(2, LONGEST // 2 + 1)))
    x = np.zeros((LONGEST, BATCH, 2), "float32")
    for b, text in enumerate(texts):
        x[: len(text), b] = tg.text.one_hot(VOCAB.encode(text), 2)
    return x, np.array([len(text) for text in texts]), answers


def main(folder="."):
    """Train, test on new sequences, print the accuracy by length, and return the total accuracy."""
    gru, head = tg.nn.GRU(2, HIDDEN, rng=0), tg.nn.Linear(HIDDEN, 2, rng=1)
    parameters = [*gru.parameters(), *head.parameters()]
    optimizer = tg.optim.Adam(parameters, lr=0.01)
    rng, curve = np.random.default_rng(0), []
    for _ in range(STEPS):
        x, lengths, answers = batch(rng)
        optimizer.zero_grad()
        _, state = gru(x, lengths=lengths)  # each sequence's state after its own last step
        loss = tg.nn.functional.cross_entropy(head(state[0]), answers)
        loss.backward()
        tg.nn.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        curve.append(loss.item())
    right, sizes = [], []
    with tg.no_grad():
        for _ in range(10):
            x, lengths, answers = batch(rng)
            right.append(head(gru(x, lengths=lengths)[1][0]).argmax(-1) == answers)
            sizes.append(lengths)
    right, sizes = np.concatenate(right), np.concatenate(sizes)
    for low, high in ((4, 14), (14, 28), (28, 41)):
        accuracy = right[(sizes >= low) & (sizes < high)].mean()
        print(f"{low} to {high - 1} brackets: {accuracy:.3f} right")
    print(f"all: {right.mean():.3f} of {len(right)}")
    smooth = np.convolve(curve, np.ones(10) / 10, "valid")
    plot(folder, "balanced", {"loss": smooth}, y="cross-entropy")
    draw(folder, "balanced_graph", loss, roll=True, fold="gate", parameters="hide")
    return float(right.mean())


if __name__ == "__main__":
    main(*sys.argv[1:])
