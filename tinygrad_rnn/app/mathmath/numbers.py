"""The numbers of the walk, computed by the library; nothing is printed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...graph import Value
from ...optim import SGD, Adam
from ...tensor import Tensor
from .network import (
    CHARACTERS,
    INDEX,
    TEXT,
    Epoch,
    MathMath,
    StepValues,
    batches,
    cross_entropy,
    sample,
    train,
)

EPOCHS = 100
"""How long the tutorial trained."""


class Lesson:
    """The tutorial's three batches before any training, in float64: the first with its loss and gradients.

    Attributes
    ----------
    model : MathMath
    X, Y : ndarray of shape (3, 3, 2, 4)
    start : Tensor
        The state before the first step.
    batches : list of list of Step
        All steps of the three batches, the state handed on.
    steps : list of Step
        Those of the first batch, which the chapters look at.
    loss : Loss
        Of the first batch, after its backward pass.
    """

    def __init__(self) -> None:
        self.model = MathMath()
        self.X, self.Y = batches()
        self.start = h = self.model.start()
        self.batches: list[list[StepValues]] = []
        for x in self.X:
            self.batches.append(self.model(x, h))
            h = self.batches[-1][-1].h.detach()
        self.steps = self.batches[0]
        self.loss = cross_entropy(self.steps, self.Y[0])
        self.loss.loss.backward(retain_grads=True)


class Recipe(NamedTuple):
    """A way to train: its name, and the optimizer it makes for some parameters."""

    name: str
    optimizer: Callable[[Any], Any]


TUTORIAL = Recipe("SGD 0.01", lambda parameters: SGD(parameters, 0.01))
OURS = Recipe("Adam 0.05", lambda parameters: Adam(parameters, 0.05))
RECIPES = (TUTORIAL, Recipe("SGD 0.5", lambda parameters: SGD(parameters, 0.5)), OURS)


class Outcome(NamedTuple):
    """What 100 epochs of a recipe lead to."""

    name: str
    losses: list[float]
    """The mean loss of every epoch."""
    learned: int | None
    """The first epoch after which greedy sampling writes the text."""
    written: str
    """What the trained network writes, feeding back what it drew."""
    reread: str
    """What it writes when it reads the primer again before every character, as the tutorial's sampler did."""


def terms(gate: Tensor) -> list[np.ndarray]:
    """Term 1 + term 2 + term 3 of a gate, read off its graph: the products with x and with h, and the bias."""
    (total,) = _made_from(gate)
    products, bias = _made_from(total)
    return [value.array for value in (*_made_from(products), bias)]


def _made_from(value: Value) -> list[Value]:
    assert value.node is not None
    return list(value.node.inputs)


def until_learned(model: MathMath, recipe: Recipe = OURS) -> Iterator[tuple[Epoch, str]]:
    """Train until greedy sampling writes the text, 100 epochs at most: after each epoch its loss and what is written."""
    for epoch in train(model, recipe.optimizer(model.parameters()), EPOCHS):
        written = sample(model)
        yield epoch, written
        if written == TEXT:
            return


@cache
def outcome(recipe: Recipe) -> Outcome:
    """Train for the tutorial's 100 epochs, whatever is written on the way."""
    model, losses, learned = MathMath(), [], None
    for epoch in train(model, recipe.optimizer(model.parameters()), EPOCHS):
        losses.append(epoch.mean)
        if learned is None and sample(model) == TEXT:
            learned = epoch.number
    return Outcome(recipe.name, losses, learned, sample(model), sample(model, feed_back=False))


def misread(text: str) -> str:
    """`text` as it looks when numbers given by one order of the characters are read in another, here the alphabet's."""
    return "".join(sorted(CHARACTERS)[INDEX[c]] for c in text)


def without_detach() -> str:
    """What the library says when the state goes to the next batch with its graph."""
    model, (X, Y) = MathMath(), batches()
    h = model.start()
    try:
        for x, y in zip(X, Y, strict=True):
            steps = model(x, h)
            cross_entropy(steps, y).loss.backward()
            h = steps[-1].h
    except RuntimeError as error:
        return str(error)
    return ""


def everything(lesson: Lesson) -> dict[str, Any]:
    """All the numbers as one plain object, for ``--json``."""
    steps, loss, model = lesson.steps, lesson.loss, lesson.model
    flat = [step for batch in lesson.batches for step in batch]
    training = [
        {"epoch": e.number, "loss": e.mean, "losses": list(e.losses), "written": w}
        for e, w in until_learned(MathMath())
    ]
    return {
        "text": TEXT,
        "dictionary": INDEX,
        "X": lesson.X.tolist(),
        "Y": lesson.Y.tolist(),
        "parameters": {name: p.tolist() for name, p in model.named_parameters()},
        "hidden_states": [step.h.tolist() for step in flat],
        "probabilities": [step.probabilities.tolist() for step in flat],
        "batch_1": {
            "z": [step.z.tolist() for step in steps],
            "r": [step.r.tolist() for step in steps],
            "candidate": [step.candidate.tolist() for step in steps],
            "terms": {
                gate: [[term.tolist() for term in terms(getattr(step, gate))] for step in steps]
                for gate in ("z", "r", "candidate")
            },
            "logits": [step.logits.tolist() for step in steps],
            "cross_entropy_term_1": [term.tolist() for term in loss.term_1],
            "cross_entropy_term_2": [term.tolist() for term in loss.term_2],
            "cross_entropy_term_3": [term.item() for term in loss.term_3],
            "loss": loss.loss.item(),
            "gradients": {
                name: p.grad.tolist() for name, p in model.named_parameters() if p.grad is not None
            },
            "dloss_dh": [step.h.grad.tolist() for step in steps if step.h.grad is not None],
        },
        "training": {"recipe": OURS.name, "epochs": training},
        "outcomes": [outcome(recipe)._asdict() for recipe in RECIPES],
        "without_detach": without_detach(),
        "written": training[-1]["written"],
    }
