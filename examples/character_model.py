"""A character model on English prose that ships with Python, compared with bz2.

Both are measured on the last tenth of the text, which neither has seen before. For comparison, the
example also prints the figure of bz2 after it has compressed the other nine tenths, the best of the
three. Run it with ``python examples/character_model.py [FOLDER]``; it takes well under a
minute.
"""

import bz2
import os
import sys

# The matrices are small: more threads would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from pictures import draw, plot

import tinygrad_rnn as tg
from tinygrad_rnn.app.char_model import Architecture
from tinygrad_rnn.app.train import Options, Trainer, demo_text


def measure_bz2(text, before=""):
    """Return the bits per character of bz2 on `text`, after it has compressed `before`."""
    sizes = [len(bz2.compress(part.encode())) if part else 0 for part in (before + text, before)]
    return 8 * (sizes[0] - sizes[1]) / len(text)


def main(folder="."):
    """Train for five epochs; print and return the bits per character of the model and of bz2."""
    text = demo_text()
    options = Options(epochs=5, batch_size=16, steps=64, lr=4e-3, seed=0)
    trainer = Trainer(text, Architecture(hidden=128, embedding=32), options)
    bits = []

    def report(epoch, loss, held_out):
        bits.append(held_out / np.log(2))
        training = loss / np.log(2)
        print(
            f"epoch {epoch}: {training:.3f} bits per character in training, "
            f"{bits[-1]:.3f} held out",
            flush=True,
        )

    trainer.run(on_epoch=report)
    held_out = text[-len(trainer.held_out) :]
    baseline, primed = measure_bz2(held_out), measure_bz2(held_out, text[: -len(held_out)])
    print(
        f"held out: model {bits[-1]:.3f}, bz2 {baseline:.3f}, "
        f"bz2 after the training text {primed:.3f} bits per character"
    )
    vocab = trainer.model.vocab
    print(repr(tg.text.sample(trainer.model, vocab, "The ", 120, temperature=0.6, rng=0)))
    plot(
        folder,
        "character_model",
        {"held out": bits, "bz2": [baseline] * len(bits)},
        x="epoch",
        y="bits per character",
        first=1,
    )
    x = vocab.encode("The state")
    logits, _ = trainer.model(x[:-1, None])
    loss = tg.nn.functional.cross_entropy(logits, x[1:, None])
    draw(folder, "character_model_graph", loss, roll=True, fold="gate", parameters="hide")
    return bits[-1], baseline


if __name__ == "__main__":
    main(*sys.argv[1:])
