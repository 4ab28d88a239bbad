"""The numbers of the tutorial, computed by the library. Nothing is printed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...graph import Value
from ...optim import SGD, Adam
from ...tensor import Tensor
from . import network
from .network import CHARACTERS, INDEX, TEXT, Epoch, MathMath, StepValues

EPOCHS = 100
"""The number of epochs that the tutorial trains for."""


class Lesson:
    """The untrained network on the tutorial's three batches, and the gradients of the first batch.

    All numbers are float64.

    Attributes
    ----------
    model : MathMath
    X, Y : ndarray of shape (3, 3, 2, 4)
    initial_state : Tensor
        The state before the first step.
    batches : list of list of StepValues
        All steps of the three batches. Each batch starts from the last state of the previous batch.
    steps : list of StepValues
        The steps of the first batch, which the chapters show.
    loss : Loss
        The loss of the first batch, after its backward pass.
    """

    def __init__(self) -> None:
        self.model = MathMath()
        self.X, self.Y = network.batches()
        self.initial_state = h = self.model.initial_state()
        self.batches: list[list[StepValues]] = []
        for x in self.X:
            self.batches.append(self.model(x, h))
            h = self.batches[-1][-1].h.detach()
        self.steps = self.batches[0]
        self.loss = network.cross_entropy(self.steps, self.Y[0])
        self.loss.loss.backward(retain_grads=True)


class Recipe(NamedTuple):
    """A way to train: a name, and a function that makes an optimizer from parameters."""

    name: str
    optimizer: Callable[[Any], Any]


TUTORIAL = Recipe("SGD 0.01", lambda parameters: SGD(parameters, 0.01))
OURS = Recipe("Adam 0.05", lambda parameters: Adam(parameters, 0.05))
RECIPES = (TUTORIAL, Recipe("SGD 0.5", lambda parameters: SGD(parameters, 0.5)), OURS)


class Outcome(NamedTuple):
    """The result of 100 epochs with a recipe."""

    name: str
    losses: list[float]
    """The mean loss of every epoch."""
    learned: int | None
    """The first epoch after which greedy sampling writes the text; None if it never does."""
    written: str
    """The text that the trained network writes if it reads each chosen character next."""
    reread: str
    """The text that the network writes if it reads the primer again before every character."""


def read_terms(gate: Tensor) -> list[np.ndarray]:
    """Return the three terms of a gate: the products with x and with h, and the bias.

    They are read from the graph, in which a gate is a function of (term 1 + term 2) + term 3.
    """
    (total,) = _inputs_of(gate)
    products, bias = _inputs_of(total)
    return [value.array for value in (*_inputs_of(products), bias)]


def _inputs_of(value: Value) -> list[Value]:
    assert value.node is not None
    return list(value.node.inputs)


def train_until_learned(model: MathMath, recipe: Recipe = OURS) -> Iterator[tuple[Epoch, str]]:
    """Yield each epoch and the text that the network writes after it, until this text is right.

    Training stops after at most 100 epochs.
    """
    for epoch in network.train(model, recipe.optimizer(model.parameters()), EPOCHS):
        written = network.sample(model)
        yield epoch, written
        if written == TEXT:
            return


@cache
def compute_outcome(recipe: Recipe) -> Outcome:
    """Train for all 100 epochs of the tutorial and return the result."""
    model, losses, learned = MathMath(), [], None
    for epoch in network.train(model, recipe.optimizer(model.parameters()), EPOCHS):
        losses.append(epoch.mean)
        if learned is None and network.sample(model) == TEXT:
            learned = epoch.number
    written, reread = (network.sample(model, feed_back=feeds) for feeds in (True, False))
    return Outcome(recipe.name, losses, learned, written, reread)


def misread(text: str) -> str:
    """Return `text` encoded with the tutorial's dictionary but decoded in alphabetical order."""
    return "".join(sorted(CHARACTERS)[INDEX[c]] for c in text)


def try_without_detach() -> str:
    """Train with a state that is not detached, and return the message of the resulting error."""
    model, (X, Y) = MathMath(), network.batches()
    h = model.initial_state()
    try:
        for x, y in zip(X, Y, strict=True):
            steps = model(x, h)
            network.cross_entropy(steps, y).loss.backward()
            h = steps[-1].h
    except RuntimeError as error:
        return str(error)
    return ""


def collect_numbers(lesson: Lesson) -> dict[str, Any]:
    """Return all numbers of the tutorial in plain lists and dicts, for ``--json``."""
    steps = [step for batch in lesson.batches for step in batch]
    training = [
        {"epoch": epoch.number, "loss": epoch.mean, "losses": list(epoch.losses), "written": text}
        for epoch, text in train_until_learned(MathMath())
    ]
    return {
        "text": TEXT,
        "dictionary": INDEX,
        "X": lesson.X.tolist(),
        "Y": lesson.Y.tolist(),
        "parameters": {name: p.tolist() for name, p in lesson.model.named_parameters()},
        "hidden_states": [step.h.tolist() for step in steps],
        "probabilities": [step.probabilities.tolist() for step in steps],
        "batch_1": _collect_first_batch(lesson),
        "training": {"recipe": OURS.name, "epochs": training},
        "outcomes": [compute_outcome(recipe)._asdict() for recipe in RECIPES],
        "without_detach": try_without_detach(),
        "written": training[-1]["written"],
    }


def _collect_first_batch(lesson: Lesson) -> dict[str, Any]:
    """Return the gates, the terms, the loss and the gradients of the first batch."""
    steps, loss = lesson.steps, lesson.loss
    gradients = {name: p.grad for name, p in lesson.model.named_parameters()}
    return {
        "z": [step.z.tolist() for step in steps],
        "r": [step.r.tolist() for step in steps],
        "candidate": [step.candidate.tolist() for step in steps],
        "terms": {
            gate: [[term.tolist() for term in read_terms(getattr(step, gate))] for step in steps]
            for gate in ("z", "r", "candidate")
        },
        "logits": [step.logits.tolist() for step in steps],
        "cross_entropy_term_1": [term.tolist() for term in loss.term_1],
        "cross_entropy_term_2": [term.tolist() for term in loss.term_2],
        "cross_entropy_term_3": [term.item() for term in loss.term_3],
        "loss": loss.loss.item(),
        "gradients": {name: g.tolist() for name, g in gradients.items() if g is not None},
        "dloss_dh": [step.h.grad.tolist() for step in steps if step.h.grad is not None],
    }
