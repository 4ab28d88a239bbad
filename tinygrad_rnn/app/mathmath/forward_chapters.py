"""Chapters 1 to 7 of the MathMath tutorial, from the text to the loss.

This module holds the prose, `numbers` computes the numbers, and `page` prints both.
"""

from __future__ import annotations

import numpy as np

from .network import CHARACTERS, INDEX, TEXT, StepValues, one_hot
from .numbers import Lesson, read_terms
from .page import Page, matrix, space_out

SUBSCRIPT = "₀₁₂₃₄₅₆₇₈₉"
COLUMNS = "  ".join(f"{c:^5}" for c in CHARACTERS)
"""The heading of a matrix of four-decimal numbers: a character above each column."""


def introduction(page: Page, lesson: Lesson) -> None:
    """Introduce the tutorial."""
    page.title("MathMath: a gated recurrent unit, with every matrix")
    page.say("""
        A network with two hidden units reads a text and learns to predict, at each character, the
        next character. We follow the article "Gated Recurrent Units explained with matrices"
        (Russell-Puleri and Puleri, 2019) and start from the article's initial weights. Every
        number below is computed while this command runs.
    """)


def dictionary(page: Page, lesson: Lesson) -> None:
    """Show how characters become numbers."""
    page.heading("1. From text to numbers")
    indices = ", ".join(f"{c}={i}" for c, i in INDEX.items())
    page.say(f"\nThe text is {TEXT}, and its dictionary is {indices}.")
    page.say("Each character becomes a one-hot row: 1 in its own column, 0 elsewhere.")
    rows = matrix(" ".join(CHARACTERS), one_hot("Math"), 0)
    page.show(["", *"Math"], " ", rows)


def batches(page: Page, lesson: Lesson) -> None:
    """Show how the text is cut into batches."""
    page.heading("2. The anatomy of a batch")
    shape = " x ".join(map(str, lesson.X.shape))
    page.say(f"""
        X is {shape}: 3 batches, 3 time steps, 2 sequences, and one-hot rows of length 4, one row
        for each character. Read a sequence downwards, one character at each step. The target
        Y is the same text, shifted by one character.
    """)
    headings, rows = [""], [[f"step {t}"] for t in range(lesson.X.shape[1])]
    for number, (X, Y) in enumerate(zip(lesson.X, lesson.Y, strict=True), 1):
        headings.append(f"batch {number}: X → Y")
        for row, x, y in zip(rows, X, Y, strict=True):
            row.append(f"{' '.join(_decode(x))}  →  {' '.join(_decode(y))}")
    page.table(headings, rows)
    page.say("This is the first batch in one-hot rows, one row for each sequence:")
    inputs, targets = (
        space_out(matrix(f"{name}{SUBSCRIPT[t]}", x, 0) for t, x in enumerate(rows))
        for name, rows in (("x", lesson.X[0]), ("y", lesson.Y[0]))
    )
    page.show(*inputs, "      ", *targets)


def _decode(rows: np.ndarray) -> list[str]:
    """Return the characters of one-hot rows."""
    return [CHARACTERS[i] for i in rows.argmax(-1)]


def parameters(page: Page, lesson: Lesson) -> None:
    """Show the eleven parameters."""
    page.heading("3. The eleven matrices")
    page.say("""
        W multiplies the character, U multiplies the state, and b is a bias. The second letter is
        z for the update gate, r for the reset gate and h for the candidate state. The
        output layer has the matrix Wy and the bias by.
    """)
    p = dict(lesson.model.named_parameters())
    for kind in ("W", "U", "b"):
        page.show(*space_out(matrix(f"{kind}{gate}", p[f"{kind}{gate}"].data) for gate in "zrh"))
    page.show(*space_out(matrix(name, p[name].data) for name in ("Wy", "by")))


def gates(page: Page, lesson: Lesson) -> None:
    """Show the three time steps of batch 1, gate by gate."""
    page.heading("4. Three time steps of the first batch")
    page.say("""
        Each gate is computed from the sum of three terms: term 1 = x W, term 2 = h U, term 3 = b.
        The sigmoid σ squeezes this sum between 0 and 1. The candidate h̃ has r ⊙ h in place of h,
        and tanh squeezes its sum between -1 and 1. The new state is z ⊙ h + (1 - z) ⊙ h̃: where z
        is near 1, the old state stays. The terms below are read from the graph that the library
        recorded while it computed them.
    """)
    state, name = lesson.initial_state.data, "h₋₁"
    for t, step in enumerate(lesson.steps):
        s = SUBSCRIPT[t]
        characters = " and ".join(_decode(lesson.X[0, t]))
        page.line(f"\nTime step {t}: the sequences read {characters}", "bold")
        page.show(matrix(f"x{s}", lesson.X[0, t], 0), "  ", matrix(name, state))
        _show_gates(page, step, s, name)
        kept = matrix(f"z{s}", step.z.data), " ⊙ ", matrix(name, state)
        new = matrix(f"1 - z{s}", 1 - step.z.data), " ⊙ ", matrix(f"h̃{s}", step.candidate.data)
        page.show(f"h{s} = ", *kept, " + ", *new, indent=0)
        state, name = step.h.data, f"h{s}"
        page.show("   = ", matrix(name, state), indent=0)


def _show_gates(page: Page, step: StepValues, s: str, h: str) -> None:
    """Show the gates and the candidate of a step as functions of their terms.

    `s` is the subscript of the step, and `h` is the name of the previous state.
    """
    for letter, gate, function, kind, state in (
        ("z", step.z, "σ", "z", h),
        ("r", step.r, "σ", "r", h),
        ("h̃", step.candidate, "tanh", "h", f"(r{s}⊙{h})"),
    ):
        names = (f"x{s} W{kind}", f"{state} U{kind}", f"b{kind}")
        x_term, h_term, bias = map(matrix, names, read_terms(gate))
        result = matrix(f"{letter}{s}", gate.data)
        page.show(f"{function}(", x_term, " + ", h_term, " + ", bias, ")= ", result, indent=0)


def states(page: Page, lesson: Lesson) -> None:
    """Show the state from step to step and from batch to batch."""
    page.heading("5. The state, from step to step and from batch to batch")
    page.say("""
        The first batch starts from zeros. Each later batch starts from the last state of the
        batch before it.
    """)
    number = 0
    for k, batch in enumerate(lesson.batches, 1):
        page.line(f"\n  batch {k}")
        blocks = (matrix(f"h{SUBSCRIPT[number + t]}", s.h.data) for t, s in enumerate(batch))
        page.show(*space_out(blocks))
        number += len(batch)
    page.say("""
        A detail: the first sequence of batch 2 (thM) does not continue the first sequence of
        batch 1 (Mat), so the state that is carried over belongs to another place in the text.
        This does no harm here, because each character of this text determines the next.
    """)


def output(page: Page, lesson: Lesson) -> None:
    """Show the linear layer and the softmax."""
    page.heading("6. The linear layer and the softmax")
    page.say("\nTwo hidden units become four scores, one for each character: o = h Wy + by.")
    step = lesson.steps[0]
    page.show("term 1: ", matrix("h₀", step.h.data), " @ ", matrix("Wy", lesson.model.Wy.data))
    page.show("term 2: ", matrix("by", lesson.model.by.data))
    for t, s in enumerate(lesson.steps):
        page.show(f"o{SUBSCRIPT[t]} = ", matrix(COLUMNS, s.logits.data))
    page.say("""
        Softmax turns the scores into probabilities: it divides each exp(o) by the sum of exp(o)
        over the four characters. The largest score is subtracted from all scores first. This
        does not change the probabilities, and exp cannot overflow. For time step 0, the numbers
        are:
    """)
    o = step.logits.data
    shifted = o - o.max(-1, keepdims=True)
    exponentials = np.exp(shifted)
    sums = exponentials.sum(-1, keepdims=True)
    page.show("o₀ - max = ", matrix("", shifted))
    page.show("  exp(…) = ", matrix("", exponentials), "  sum ", matrix("", sums))
    for t, s in enumerate(lesson.steps):
        page.show(f"ŷ{SUBSCRIPT[t]} = ", matrix(COLUMNS, s.probabilities.data))


def loss(page: Page, lesson: Lesson) -> None:
    """Show the cross-entropy in three terms, each computed from the one before it."""
    result = lesson.loss
    page.heading("7. The cross-entropy, in three terms")
    page.say("""
        Term 1: y ⊙ log ŷ. Each row keeps only the entry of the character that really came next.
    """)
    for t, term in enumerate(result.term_1):
        page.show(f"step {t}: ", matrix(COLUMNS, term.data))
    page.say("\nTerm 2: term 1 summed over the characters, one number for each step and sequence.")
    page.show(matrix("", np.stack([term.data for term in result.term_2])))
    page.say("\nTerm 3: minus the mean of term 2 over the two sequences, one number for each step.")
    page.show(matrix("", [term.item() for term in result.term_3]))
    page.line(f"\n  loss = {result.loss.item():.4f}", "bold yellow")
    guessing = np.log(len(CHARACTERS))
    page.say(f"""
        The loss is the mean of term 3 over the steps. A random guess among four characters costs
        log 4 = {guessing:.4f}, so the network knows little yet.
    """)


CHAPTERS = (introduction, dictionary, batches, parameters, gates, states, output, loss)
