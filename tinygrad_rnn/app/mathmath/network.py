"""The network of the MathMath tutorial, built from elementary ops.

It is a GRU with two hidden units that learns to write Math again and again. It comes from the
article "Gated Recurrent Units explained with matrices", parts 1 and 2 (Russell-Puleri and Puleri,
2019), which this project grew from. Arrays have one row for each sequence of the batch: x has the
shape (2, 4) and h the shape (2, 2). With σ the logistic function and ⊙ the elementwise product, the
equations of the network are::

    z  = σ(x Wz + h Uz + bz)                the update gate: how much of the old state is kept
    r  = σ(x Wr + h Ur + br)                the reset gate: how much of the old state enters h̃
    h̃  = tanh(x Wh + (r ⊙ h) Uh + bh)       the candidate
    h' = z ⊙ h + (1 − z) ⊙ h̃                the new state
    o  = h' Wy + by,   ŷ = softmax(o)       the linear layer, and the probability of each character

The cross-entropy is computed in three stages, which the article calls terms. Term 1 is
y ⊙ log ŷ. Term 2 is the sum of term 1 over the characters. Term 3 is minus the mean of term 2 over
the sequences of one time step. The loss is the mean of term 3 over the time steps.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from ... import check
from ...blocks import no_grad, scope
from ...errors import argument_error
from ...nn import Module
from ...ops import log, mean, sigmoid, softmax, stack, tanh
from ...ops import sum as total
from ...tensor import Tensor

DATA: dict[str, Any] = json.loads(
    (files("tinygrad_rnn.app.mathmath") / "mathmath.json").read_text(encoding="utf-8")
)
TEXT: str = DATA["text"]
INDEX: dict[str, int] = DATA["char_to_index"]
CHARACTERS: str = "".join(sorted(INDEX, key=INDEX.__getitem__))
SEQUENCES: int = DATA["batch_size"]
STEPS: int = DATA["sequence_length"]
NAMES: tuple[str, ...] = tuple(DATA["parameters"])
"""The names of the parameters, in the tutorial's order."""


class StepValues(NamedTuple):
    """The values of a time step: gates, candidate, new state, logits and probabilities."""

    z: Tensor
    r: Tensor
    candidate: Tensor
    h: Tensor
    logits: Tensor
    probabilities: Tensor


class Loss(NamedTuple):
    """The loss of a batch, and its three terms, each a list of one Tensor per time step."""

    term_1: list[Tensor]
    term_2: list[Tensor]
    term_3: list[Tensor]
    loss: Tensor


class Epoch(NamedTuple):
    """The losses of a pass over the three batches, each computed before the batch's update."""

    number: int
    losses: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean loss of the epoch."""
        return sum(self.losses) / len(self.losses)


def one_hot(characters: str, dtype: DTypeLike = "float64") -> np.ndarray:
    """Return a row for each character, with 1 in its own column and 0 elsewhere.

    Examples
    --------
    >>> one_hot("Ma")
    array([[0., 0., 0., 1.],
           [0., 1., 0., 0.]])
    """
    unknown = sorted(set(characters) - set(INDEX))
    if unknown:
        expected, fix = f"characters in {CHARACTERS!r}", f"use the characters of {TEXT!r}"
        raise argument_error("one_hot", "characters", expected, repr(unknown[0]), fix)
    return np.eye(len(INDEX), dtype=dtype)[[INDEX[c] for c in characters]]


def batches(dtype: DTypeLike = "float64") -> tuple[np.ndarray, np.ndarray]:
    """Return the text as the tutorial cuts it: two pieces of three characters in each batch.

    Returns
    -------
    X, Y : ndarrays of shape (3, 3, 2, 4)
        The axes are batch, time step, sequence and character. Y is the same text as X, shifted by
        one character.

    Examples
    --------
    >>> X, Y = batches()
    >>> X.shape
    (3, 3, 2, 4)
    >>> ["".join(CHARACTERS[i] for i in rows[0, :, 0].argmax(-1)) for rows in (X, Y)]
    ['Mat', 'ath']
    """
    used = (len(TEXT) - 1) // (SEQUENCES * STEPS) * SEQUENCES * STEPS
    texts = TEXT[:used], TEXT[1 : used + 1]
    shape = -1, SEQUENCES, STEPS, len(INDEX)
    X, Y = (one_hot(text, dtype).reshape(shape).swapaxes(1, 2) for text in texts)
    return X, Y


class MathMath(Module):
    """The tutorial's network, with the tutorial's initial weights.

    The shapes are (4, 2) for Wz, Wr and Wh; (2, 2) for Uz, Ur and Uh; (2,) for bz, br and bh;
    (2, 4) for Wy; and (4,) for by.

    Examples
    --------
    >>> model, (X, Y) = MathMath(), batches()
    >>> steps = model(X[0])
    >>> print(f"{cross_entropy(steps, Y[0]).loss:.4f}")
    1.2602
    """

    Wz: Tensor
    Wr: Tensor
    Wh: Tensor
    Uz: Tensor
    Ur: Tensor
    Uh: Tensor
    bz: Tensor
    br: Tensor
    bh: Tensor
    Wy: Tensor
    by: Tensor

    def __init__(self, dtype: DTypeLike = "float64") -> None:
        super().__init__()
        for name, numbers in DATA["parameters"].items():
            setattr(self, name, Tensor(numbers, requires_grad=True, dtype=dtype))

    def initial_state(self, sequences: int = SEQUENCES) -> Tensor:
        """Return the state before the first step: zeros of shape (sequences, 2)."""
        return Tensor(np.zeros((sequences, self.Uz.shape[0]), self.dtype), name="h₋₁")

    def step(self, x: Any, h: Tensor) -> StepValues:
        """Compute a time step from the one-hot characters x (B, 4) and the state h (B, 2)."""
        x = Tensor(x, name="x")
        z = sigmoid(x @ self.Wz + h @ self.Uz + self.bz)
        r = sigmoid(x @ self.Wr + h @ self.Ur + self.br)
        n = tanh(x @ self.Wh + (r * h) @ self.Uh + self.bh)
        h = z * h + (1 - z) * n
        o = h @ self.Wy + self.by
        y = softmax(o)
        z.name, r.name, n.name, h.name, o.name, y.name = "z", "r", "h̃", "h", "o", "ŷ"
        return StepValues(z, r, n, h, o, y)

    def forward(self, X: Any, h: Tensor | None = None) -> list[StepValues]:
        """Compute all steps of a batch X (T, B, 4), from the state h (zeros by default)."""
        state = self.initial_state(X.shape[1]) if h is None else h
        steps = []
        for t, x in enumerate(X):
            with scope(t):
                steps.append(self.step(x, state))
            state = steps[-1].h
        return steps


def cross_entropy(steps: list[StepValues], Y: Any) -> Loss:
    """Compute the cross-entropy of a batch, term by term, from its targets Y (T, B, 4)."""
    terms: list[tuple[Tensor, Tensor, Tensor]] = []
    for t, (step, y) in enumerate(zip(steps, Y, strict=True)):
        with scope("loss", t):
            term_1 = Tensor(y, name="y") * log(step.probabilities)
            term_2 = total(term_1, axis=-1)
            term_3 = -mean(term_2)
        term_1.name, term_2.name, term_3.name = "term1", "term2", "term3"
        terms.append((term_1, term_2, term_3))
    terms_1, terms_2, terms_3 = map(list, zip(*terms, strict=True))
    with scope("loss"):
        loss = mean(stack(terms_3))
    loss.name = "loss"
    return Loss(terms_1, terms_2, terms_3, loss)


def train(model: MathMath, optimizer: Any, epochs: int = 100) -> Iterator[Epoch]:
    """Train with truncated backpropagation through time, and yield each epoch as it ends.

    Within an epoch, each batch starts from the last state of the previous batch. That state is
    detached: it keeps its numbers but not its graph, so each backward pass stays within its batch.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> model = MathMath()
    >>> for epoch in train(model, tg.optim.SGD(model.parameters(), 0.01), epochs=2):
    ...     print(f"{epoch.mean:.4f}")
    1.3261
    1.3224
    """
    X, Y = batches(model.dtype)
    for number in range(1, epochs + 1):
        h, losses = model.initial_state(), []
        for x, y in zip(X, Y, strict=True):
            steps = model(x, h)
            loss = cross_entropy(steps, y).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            h = steps[-1].h.detach()
            losses.append(loss.item())
        yield Epoch(number, tuple(losses))


def sample(
    model: MathMath, prime: str = "Ma", length: int = len(TEXT), *, feed_back: bool = True
) -> str:
    """Return text from the network: the primer, then always the most probable next character.

    Parameters
    ----------
    prime : str
        The primer: the first characters of the text.
    length : int
        The length of the text, including the primer.
    feed_back : bool
        If True, the network reads each chosen character next. False repeats the tutorial's mistake:
        the network reads the primer again before every character.

    Examples
    --------
    >>> sample(MathMath(), "Ma", 6)
    'Mathth'
    """
    check.require(prime, "sample", "prime", "at least one character", "''", "start from 'Ma'")
    text, unread, h = prime, prime, model.initial_state(1)
    with no_grad():
        while len(text) < length:
            step = model(one_hot(unread, model.dtype)[:, None], h)[-1]
            h = step.h
            likeliest = CHARACTERS[int(step.probabilities.argmax())]
            text += likeliest
            unread = likeliest if feed_back else prime
    return text
