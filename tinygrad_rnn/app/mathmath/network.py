"""The network of the tutorial this project grew from, op by op: a GRU with two hidden units that learns to write MathMath.

"Gated Recurrent Units explained with matrices", parts 1 and 2 (Russell-Puleri and Puleri, 2019). Its equations, with one row
for each sequence of the batch (x is (2, 4), h is (2, 2)), σ the logistic function and ⊙ the elementwise product::

    z  = σ(x Wz + h Uz + bz)                the update gate: how much of the old state is kept
    r  = σ(x Wr + h Ur + br)                the reset gate: how much of it the candidate sees
    h̃  = tanh(x Wh + (r ⊙ h) Uh + bh)       the candidate
    h' = z ⊙ h + (1 − z) ⊙ h̃                the new state
    o  = h' Wy + by,   ŷ = softmax(o)       the linear layer, and the probability of each character

and its cross-entropy in three terms: y ⊙ log ŷ; its sum over the characters; minus the mean of that over the sequences of one
time step. The loss is the mean over the time steps.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from ...errors import argument_error
from ...graph import no_grad, scope
from ...nn import Module
from ...ops import log, mean, sigmoid, softmax, stack, tanh
from ...ops import sum as total
from ...tensor import Tensor

LESSON: dict[str, Any] = json.loads(
    (files(__package__) / "mathmath.json").read_text(encoding="utf-8")
)
TEXT: str = LESSON["text"]
INDEX: dict[str, int] = LESSON["char_to_index"]
CHARACTERS: str = "".join(sorted(INDEX, key=INDEX.__getitem__))
SEQUENCES: int = LESSON["batch_size"]
STEPS: int = LESSON["sequence_length"]
NAMES: tuple[str, ...] = tuple(LESSON["parameters"])


class StepValues(NamedTuple):
    """One time step: the gates, the candidate, the new state, the logits and the probabilities."""

    z: Tensor
    r: Tensor
    candidate: Tensor
    h: Tensor
    logits: Tensor
    probabilities: Tensor


class Loss(NamedTuple):
    """The cross-entropy of one batch: its three terms, one Tensor for each time step, and their mean."""

    term_1: list[Tensor]
    term_2: list[Tensor]
    term_3: list[Tensor]
    loss: Tensor


class Epoch(NamedTuple):
    """What one pass over the three batches leaves: their losses, each from before its update."""

    number: int
    losses: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean loss of the epoch."""
        return sum(self.losses) / len(self.losses)


def one_hot(characters: str, dtype: DTypeLike = "float64") -> np.ndarray:
    """One row for each character: 1 in its own column, 0 elsewhere.

    Examples
    --------
    >>> one_hot("Ma")
    array([[0., 0., 0., 1.],
           [0., 1., 0., 0.]])
    """
    unknown = sorted(set(characters) - set(INDEX))
    if unknown:
        fix = f"use the characters of {TEXT!r}"
        raise argument_error(
            "one_hot",
            "characters",
            expected=f"characters of {CHARACTERS!r}",
            got=repr(unknown[0]),
            fix=fix,
        )
    rows = np.zeros((len(characters), len(INDEX)), dtype)
    rows[np.arange(len(characters)), [INDEX[c] for c in characters]] = 1
    return rows


def batches(dtype: DTypeLike = "float64") -> tuple[np.ndarray, np.ndarray]:
    """The text as the tutorial cut it: pieces of three characters, two pieces to a batch, time before the sequences.

    Returns
    -------
    X, Y : ndarrays of shape (batch 3, step 3, sequence 2, character 4)
        Y is X one character later in the text.

    Examples
    --------
    >>> X, Y = batches()
    >>> X.shape
    (3, 3, 2, 4)
    >>> [CHARACTERS[i] for i in X[0, :, 0].argmax(-1)], [CHARACTERS[i] for i in Y[0, :, 0].argmax(-1)]
    (['M', 'a', 't'], ['a', 't', 'h'])
    """
    used = (len(TEXT) - 1) // (SEQUENCES * STEPS) * SEQUENCES * STEPS
    X, Y = (
        one_hot(TEXT[start : start + used], dtype)
        .reshape(-1, SEQUENCES, STEPS, len(INDEX))
        .swapaxes(1, 2)
        for start in (0, 1)
    )
    return X, Y


class MathMath(Module):
    """The tutorial's network, with the tutorial's initial weights.

    Wz, Wr, Wh are (4, 2), Uz, Ur, Uh (2, 2), bz, br, bh (2,), Wy (2, 4) and by (4,).

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
        for name, numbers in LESSON["parameters"].items():
            setattr(self, name, Tensor(numbers, requires_grad=True, dtype=dtype))

    def start(self, sequences: int = SEQUENCES) -> Tensor:
        """The state before the first step: zeros of shape (sequences, 2)."""
        return Tensor(np.zeros((sequences, self.Uz.shape[0]), self.dtype), name="h₋₁")

    def step(self, x: Any, h: Tensor) -> StepValues:
        """One time step: from the characters x (B, 4) and the state h (B, 2) to the new state and what it predicts."""
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
        """All steps of one batch X (3, B, 4), from the state h (zeros if missing)."""
        state = self.start(X.shape[1]) if h is None else h
        steps = []
        for t, x in enumerate(X):
            with scope(t):
                steps.append(self.step(x, state))
            state = steps[-1].h
        return steps


def cross_entropy(steps: list[StepValues], Y: Any) -> Loss:
    """How surprised the network was by the characters Y (3, B, 4) that came next: the three terms, and the loss."""
    terms_1, terms_2, terms_3 = [], [], []
    for t, (step, y) in enumerate(zip(steps, Y, strict=True)):
        with scope("loss", t):
            term_1 = Tensor(y, name="y") * log(step.probabilities)
            term_2 = total(term_1, axis=-1)
            term_3 = -mean(term_2)
        term_1.name, term_2.name, term_3.name = "term1", "term2", "term3"
        terms_1.append(term_1)
        terms_2.append(term_2)
        terms_3.append(term_3)
    with scope("loss"):
        loss = mean(stack(terms_3))
    loss.name = "loss"
    return Loss(terms_1, terms_2, terms_3, loss)


def train(model: MathMath, optimizer: Any, epochs: int = 100) -> Iterator[Epoch]:
    """Train, handing back every epoch as it ends: truncated backpropagation through time.

    The state goes on from batch to batch within an epoch, detached: the numbers are kept, the graph behind them
    is not, so that each backward pass stays within its own batch.

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
        h, losses = model.start(), []
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
    """Write: read the primer, then always take the most probable character and read that next.

    Parameters
    ----------
    length : int
        How long the text gets, the primer included.
    feed_back : bool
        False repeats the tutorial's slip: what was drawn is dropped, and the primer is read again before every character.

    Examples
    --------
    >>> sample(MathMath(), "Ma", 6)
    'Mathth'
    """
    if not prime:
        raise argument_error(
            "sample", "prime", expected="at least one character", got="''", fix="start from 'Ma'"
        )
    text, unread, h = prime, prime, model.start(1)
    with no_grad():
        while len(text) < length:
            step = model(one_hot(unread, model.dtype)[:, None], h)[-1]
            h = step.h
            drawn = CHARACTERS[int(step.probabilities.argmax())]
            text += drawn
            unread = drawn if feed_back else prime
    return text
