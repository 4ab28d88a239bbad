"""Chapters 8 to 11 of the MathMath tutorial: the gradients, the training, and the graph."""

from __future__ import annotations

from pathlib import Path

from ...errors import format_count
from . import numbers
from .forward_chapters import SUBSCRIPT
from .network import NAMES, TEXT, MathMath, sample
from .numbers import Lesson
from .page import Page, matrix, space_out


def backward(page: Page, lesson: Lesson) -> None:
    """Show the gradients at the states and at the parameters."""
    page.heading("8. Backward: the gradient of the loss")
    page.say("""
        Backpropagation through time needs no code of its own. The library recorded the graph that
        the loss was computed from, and the gradient flows back along this graph, last step first.
        This is the gradient that arrives at each state:
    """)
    gradients = [(t, step.h.grad) for t, step in enumerate(lesson.steps)]
    page.show(*space_out(matrix(f"∂loss/∂h{SUBSCRIPT[t]}", g) for t, g in gradients))
    page.say("""
        These are the gradients of the eleven parameters. Each gradient has the shape of its
        parameter and is the sum over all three steps:
    """)
    g = {name: p.grad for name, p in lesson.model.named_parameters()}
    for names in (NAMES[:3], NAMES[3:6], NAMES[6:9], NAMES[9:]):
        page.show(*space_out(matrix(f"∂loss/∂{name}", g[name]) for name in names))


def mistakes(page: Page, lesson: Lesson) -> None:
    """Explain why the tutorial's network did not learn."""
    slow = numbers.compute_outcome(numbers.TUTORIAL)
    epochs = format_count(len(slow.losses), "epoch")
    page.heading("9. Why the tutorial's network could not write")
    page.say(f"""
        The tutorial trains for {epochs}, gets Matttttttttt, and blames the tiny text. Its code has
        four mistakes:

        1. The sampler never feeds back the character that it chose: it reads the start of the
        text, Ma, again before every character. Even a network that has learned the text then writes
        {numbers.compute_outcome(numbers.OURS).reread}.

        2. Characters are numbered in one order and decoded in another. The second is the order of
        list(set(text)), which may change from run to run. Only one of the 24 possible orders is
        right. Decoded in alphabetical order, for example, {TEXT} becomes {numbers.misread(TEXT)}.

        3. The state goes to the next batch with its graph (retain_graph=True silences the error),
        so each backward pass runs through old graphs whose weights have changed since. In this
        library, such a backward pass stops with this message:

        "{numbers.try_without_detach()}"

        4. SGD with a learning rate of 0.01 is far too slow: in {epochs} the mean loss goes from
        {slow.losses[0]:.2f} to {slow.losses[-1]:.2f}. With a correct sampler this network writes
        {slow.written}.

        Mistakes 1 and 4 each spoil the text, even if all others are corrected. Mistake 2 garbles
        the printed text unless the two orders happen to agree. Mistake 3 makes the gradients wrong,
        but correcting it alone does not help: the figures above were computed with a detached
        state.
    """)


def training(page: Page, lesson: Lesson) -> None:
    """Train until the network writes the text."""
    page.heading("10. Training")
    page.say(f"""
        We keep the initial weights, the two hidden units and the limit of 100 epochs, but detach
        the state between batches. Our optimizer and its learning rate are {numbers.OURS.name}. We
        stop as soon as greedy sampling from Ma writes the text.
    """)
    epochs = numbers.train_until_learned(MathMath())
    epoch, written = page.show_training(epochs, numbers.EPOCHS)
    page.line(f"\n  {written}", "bold green")
    page.say(f"""
        The network writes this after {format_count(epoch.number, "epoch")}, at a loss of
        {epoch.mean:.4f}. For comparison, here are all {numbers.EPOCHS} epochs with three
        optimizers:
    """)
    rows = []
    for recipe in numbers.RECIPES:
        o = numbers.compute_outcome(recipe)
        learned = "never" if o.learned is None else str(o.learned)
        losses = f"{o.losses[0]:.3f} → {o.losses[-1]:.3f}"
        rows.append([o.name, losses, learned, o.written, o.reread])
    writes = "writes,\nfeeding back", "writes,\nre-reading Ma"
    page.table(["optimizer", "mean loss", "right\nafter", *writes], rows, right=[2])
    page.say(f"Before training, the network writes {sample(lesson.model)}.")


def files(page: Page, descriptions: dict[Path, str]) -> None:
    """List the files that show the graph."""
    page.heading("11. The graph")
    page.say("\nThese files show the graph of the first batch, from the characters to the loss:")
    for path, description in descriptions.items():
        page.line(f"  {path}  {description}")


CHAPTERS = (backward, mistakes, training)
