"""The chapters of the walk, in the tutorial's order. Prose here, numbers from `numbers`, layout from `page`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ...errors import format_count
from . import numbers
from .network import CHARACTERS, INDEX, NAMES, TEXT, MathMath, one_hot, sample
from .numbers import Lesson
from .page import Block, Page, matrix

SUBSCRIPT = "₀₁₂₃₄₅₆₇₈₉"
COLUMNS = "  ".join(f"{c:^5}" for c in CHARACTERS)
"""The characters above the columns of four-decimal numbers."""


def spaced(blocks: Iterable[Block]) -> list[Block | str]:
    """Blocks with room between them."""
    return [part for block in blocks for part in (block, "  ")][:-1]


def introduction(page: Page, lesson: Lesson) -> None:
    """What this is."""
    page.title("MathMath: a gated recurrent unit, with every matrix")
    page.say(
        "\nA network with two hidden units reads a text and learns, at each character, which one comes next. We follow "
        '"Gated Recurrent Units explained with matrices" (Russell-Puleri and Puleri, 2019) and start from its own initial weights. '
        "Every number below is computed as you read."
    )


def dictionary(page: Page, lesson: Lesson) -> None:
    """Characters to numbers."""
    page.heading("1. From text to numbers")
    page.say(
        f"\nThe text is {TEXT}, and its dictionary is "
        + ", ".join(f"{c}={i}" for c, i in INDEX.items())
        + "."
    )
    page.say("Each character becomes a one-hot row: 1 in its own column, 0 elsewhere.")
    rows = matrix(" ".join(CHARACTERS), one_hot("Math"), 0)
    page.show(["", *"Math"], " ", rows)


def anatomy(page: Page, lesson: Lesson) -> None:
    """How the batches are cut."""
    page.heading("2. The anatomy of a batch")
    shape = " x ".join(map(str, lesson.X.shape))
    page.say(
        f"\nX is {shape}: 3 batches of 3 time steps, each with 2 sequences of 4-long one-hot rows. A sequence is read downwards, "
        "one character at each step. Y, the target, is the same one character later."
    )

    def letters(rows: np.ndarray) -> str:
        return " ".join(CHARACTERS[i] for i in rows.argmax(-1))

    table = [
        [
            f"step {t}",
            *(
                f"{letters(x[t])}  →  {letters(y[t])}"
                for x, y in zip(lesson.X, lesson.Y, strict=True)
            ),
        ]
        for t in range(lesson.X.shape[1])
    ]
    page.table(["", "batch 1: X → Y", "batch 2: X → Y", "batch 3: X → Y"], table)
    page.say("The first batch in one-hot rows, one row for each sequence:")
    inputs, targets = (
        spaced(matrix(f"{name}{SUBSCRIPT[t]}", x, 0) for t, x in enumerate(rows))
        for name, rows in (("x", lesson.X[0]), ("y", lesson.Y[0]))
    )
    page.show(*inputs, "      ", *targets)


def parameters(page: Page, lesson: Lesson) -> None:
    """The eleven matrices."""
    page.heading("3. The eleven matrices")
    page.say(
        "\nW acts on the character, U on the state; z is the update gate, r the reset gate, h the candidate."
    )
    p = dict(lesson.model.named_parameters())
    for kind in ("W", "U", "b"):
        page.show(*spaced(matrix(f"{kind}{gate}", p[f"{kind}{gate}"].data) for gate in "zrh"))
    page.show(*spaced(matrix(name, p[name].data) for name in ("Wy", "by")))


def gates(page: Page, lesson: Lesson) -> None:
    """The time steps of batch 1."""
    page.heading("4. Three time steps of the first batch")
    page.say(
        "\nEach gate is the sum of three terms: term 1 = x W, term 2 = h U, term 3 = b. The sigmoid σ squeezes a gate between 0 and 1, "
        "tanh the candidate h̃ between -1 and 1. The new state is z ⊙ h + (1 - z) ⊙ h̃: where z is near 1 the old state stays. "
        "These terms are read off the graph that the run recorded."
    )
    before, last = lesson.start.data, "h₋₁"
    for t, step in enumerate(lesson.steps):
        s = SUBSCRIPT[t]
        characters = " and ".join(CHARACTERS[i] for i in lesson.X[0, t].argmax(-1))
        page.line(f"\nTime step {t}: the sequences read {characters}", "bold")
        page.show(matrix(f"x{s}", lesson.X[0, t], 0), "  ", matrix(last, before))
        for gate, letter, squeeze, state in (
            ("z", "z", "σ", last),
            ("r", "r", "σ", last),
            ("candidate", "h̃", "tanh", f"r{s}⊙{last}"),
        ):
            kind = "h" if gate == "candidate" else letter
            names = (
                f"x{s} W{kind}",
                f"({state}) U{kind}" if "⊙" in state else f"{state} U{kind}",
                f"b{kind}",
            )
            a, b, c = (
                matrix(name, term)
                for name, term in zip(names, numbers.terms(getattr(step, gate)), strict=True)
            )
            page.show(
                f"{squeeze}(",
                a,
                " + ",
                b,
                " + ",
                c,
                ")= ",
                matrix(f"{letter}{s}", getattr(step, gate).data),
                indent=0,
            )
        kept = matrix(f"z{s}", step.z.data), " ⊙ ", matrix(last, before)
        taken = matrix(f"1 - z{s}", 1 - step.z.data), " ⊙ ", matrix(f"h̃{s}", step.candidate.data)
        page.show(f"h{s} = ", *kept, " + ", *taken, indent=0)
        page.show("   = ", matrix(f"h{s}", step.h.data), indent=0)
        before, last = step.h.data, f"h{s}"


def states(page: Page, lesson: Lesson) -> None:
    """From step to step and from batch to batch."""
    page.heading("5. The state, from step to step and from batch to batch")
    page.say(
        "\nEvery batch starts from the last state of the one before; only the first starts from zeros."
    )
    number = 0
    for k, batch in enumerate(lesson.batches, 1):
        page.line(f"\n  batch {k}")
        page.show(
            *spaced(
                matrix(f"h{SUBSCRIPT[number + t]}", step.h.data) for t, step in enumerate(batch)
            )
        )
        number += len(batch)
    page.say(
        "\nA detail: with the text cut as it is, the first sequence of batch 2 (thM) does not go on where that of batch 1 (Mat) ended, so "
        "the state that is handed on is a little out of place. It does no harm here: one character of this text tells the next."
    )


def output(page: Page, lesson: Lesson) -> None:
    """The linear layer and the softmax."""
    page.heading("6. The linear layer and the softmax")
    page.say("\nTwo hidden units become four scores, one for each character: o = h Wy + by.")
    step = lesson.steps[0]
    page.show("term 1: ", matrix("h₀", step.h.data), " @ ", matrix("Wy", lesson.model.Wy.data))
    page.show("term 2: ", matrix("by", lesson.model.by.data))
    for t, s in enumerate(lesson.steps):
        page.show(f"o{SUBSCRIPT[t]} = ", matrix(COLUMNS, s.logits.data))
    page.say(
        "\nSoftmax makes probabilities of them: exp(o), divided by its sum. Take the largest score away first: the quotient stays the "
        "same, and exp cannot overflow. In numbers, for time step 0:"
    )
    o = step.logits.data
    shifted = o - o.max(-1, keepdims=True)
    exponentials = np.exp(shifted)
    page.show("o₀ - max = ", matrix("", shifted))
    page.show(
        "  exp(…) = ",
        matrix("", exponentials),
        "  sum ",
        matrix("", exponentials.sum(-1, keepdims=True)),
    )
    for t, s in enumerate(lesson.steps):
        page.show(f"ŷ{SUBSCRIPT[t]} = ", matrix(COLUMNS, s.probabilities.data))


def loss(page: Page, lesson: Lesson) -> None:
    """The cross-entropy in three terms."""
    found = lesson.loss
    page.heading("7. The cross-entropy, in three terms")
    page.say(
        "\nTerm 1: y ⊙ log ŷ. Of each row only the entry of the character that really came next is left."
    )
    for t, term in enumerate(found.term_1):
        page.show(f"step {t}: ", matrix(COLUMNS, term.data))
    page.say("\nTerm 2: its sum over the characters, one number for each step and sequence.")
    page.show(matrix("", np.stack([term.data for term in found.term_2])))
    page.say("\nTerm 3: minus the mean over the two sequences, one number for each step.")
    page.show(matrix("", [term.item() for term in found.term_3]))
    page.line(f"\n  loss = {found.loss.item():.4f}", "bold yellow")
    guessing = np.log(len(CHARACTERS))
    page.say(
        f"\nIt is the mean over the steps. Guessing among four characters gives log 4 = {guessing:.4f}: the network knows little yet."
    )


def backward(page: Page, lesson: Lesson) -> None:
    """What backpropagation through the graph gives."""
    page.heading("8. Backward: the gradient of the loss")
    page.say(
        "\nBackpropagation through time is not written anywhere: the loss remembers how it was computed, and the gradient goes back "
        "along that graph, last step first. What arrives at each state:"
    )
    gradients = [(t, step.h.grad) for t, step in enumerate(lesson.steps)]
    page.show(*spaced(matrix(f"∂loss/∂h{SUBSCRIPT[t]}", g) for t, g in gradients))
    page.say(
        "\nThe eleven gradients, each the sum over all three steps, in the shapes of the parameters:"
    )
    g = {name: p.grad for name, p in lesson.model.named_parameters()}
    for start in range(0, 9, 3):
        page.show(*spaced(matrix(f"∂loss/∂{name}", g[name]) for name in NAMES[start : start + 3]))
    page.show(*spaced(matrix(f"∂loss/∂{name}", g[name]) for name in NAMES[9:]))


def slips(page: Page, lesson: Lesson) -> None:
    """Why the tutorial's network did not learn."""
    slow = numbers.outcome(numbers.TUTORIAL)
    page.heading("9. Why the tutorial's network could not write")
    page.say(
        f"\nThe tutorial trains for {format_count(len(slow.losses), 'epoch')}, gets Matttttttttt, and blames the tiny text. "
        "Its code has four slips:"
    )
    page.say(
        "\n1. The sampler never feeds back what it drew: it reads the primer Ma again before every character. Even a network that has "
        f"learned the text then writes {numbers.outcome(numbers.OURS).reread}.",
        "\n2. Characters get their numbers in one order and are printed in another, that of list(set(text)), which may change from run to "
        f"run. Of the 24 orders one is right. Read in alphabetical order, {TEXT} becomes {numbers.misread(TEXT)}.",
        "\n3. The state goes to the next batch with its graph (retain_graph=True silences the error), so each backward pass runs "
        "through old graphs whose weights have changed since. Tried here, it stops with this message:",
    )
    page.say(f'\n"{numbers.without_detach()}"')
    page.say(
        f"\n4. SGD with a learning rate of 0.01 is far too slow: in {format_count(len(slow.losses), 'epoch')} the mean loss goes from "
        f"{slow.losses[0]:.2f} to {slow.losses[-1]:.2f}. With a right sampler this network writes {slow.written}.",
        "\nSlips 1 and 4 each suffice to spoil the text, whatever is done about the others; slip 2 garbles what is printed unless the two "
        "orders happen to agree. Slip 3 makes wrong gradients, but mending it alone does not help: the figures above "
        "are with a detached state.",
    )


def learning(page: Page, lesson: Lesson) -> None:
    """The loop, until the text is right."""
    page.heading("10. Training")
    page.say(
        "\nThe same weights, the same two hidden units, the same 100 epochs at most; the state is detached between batches. "
        f"We use {numbers.OURS.name} and stop as soon as greedy sampling from Ma writes the text."
    )
    epoch, written = page.follow(numbers.until_learned(MathMath()), numbers.EPOCHS)
    page.line(f"\n  {written}", "bold green")
    page.say(
        f"\nThat is after {format_count(epoch.number, 'epoch')}, at a loss of {epoch.mean:.4f}. All {numbers.EPOCHS} epochs, in three ways:"
    )
    rows = []
    for recipe in numbers.RECIPES:
        o = numbers.outcome(recipe)
        right = "never" if o.learned is None else str(o.learned)
        rows.append([o.name, f"{o.losses[0]:.3f} → {o.losses[-1]:.3f}", right, o.written, o.reread])
    page.table(
        [
            "optimizer",
            "mean loss",
            "right\nafter",
            "writes,\nfeeding back",
            "writes,\nre-reading Ma",
        ],
        rows,
        right=[2],
    )
    page.say(f"Untrained, the network writes {sample(lesson.model)}.")


def the_files(page: Page, files: dict[Path, str]) -> None:
    """Where the graph is."""
    page.heading("11. The graph")
    page.say("\nThe graph of the first batch, from the characters to the loss:\n")
    for path, what in files.items():
        page.line(f"  {path}  {what}")


CHAPTERS = (
    introduction,
    dictionary,
    anatomy,
    parameters,
    gates,
    states,
    output,
    loss,
    backward,
    slips,
    learning,
)
