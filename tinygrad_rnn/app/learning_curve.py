"""The learning curve of a training, as an SVG picture. It needs Matplotlib, the extra ``plot``."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from math import log
from pathlib import Path

from ..serialize.whole_file import replace_file

CREATOR = "tinygrad-rnn train"
"""The program name in the file. `is_learning_curve` recognises the file by this name."""


def can_draw() -> bool:
    """Return whether Matplotlib is installed. It is not imported, because that takes a second."""
    try:
        return find_spec("matplotlib") is not None
    except ValueError:  # a program has put something else in place of Matplotlib
        return False


def is_learning_curve(path: Path) -> bool:
    """Return whether `draw_learning_curve` has written the file at `path`."""
    with path.open("rb") as file:
        return CREATOR.encode() in file.read(5000)


def draw_learning_curve(history: Sequence[tuple[float, float]], path: Path) -> None:
    """Write a picture of the losses of every epoch, in bits per character.

    Parameters
    ----------
    history : sequence of (float, float)
        The training loss and the held-out loss of every epoch, in nats per character.
    path : Path
        An SVG file, which is replaced whole or not at all.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    matplotlib, figures = import_module("matplotlib"), import_module("matplotlib.figure")
    ticker = import_module("matplotlib.ticker")
    epochs = range(1, len(history) + 1)
    figure = figures.Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    mark = "o" if len(history) <= 40 else ""
    for losses, label in zip(zip(*history, strict=True), ("training", "held out"), strict=True):
        bits = [loss / log(2) for loss in losses]
        axes.plot(epochs, bits, marker=mark, markersize=4, label=label)
    axes.set(xlabel="epoch", ylabel="bits per character")
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    content = BytesIO()
    # The same history gives the same bytes: no date, and no random names inside.
    with matplotlib.rc_context({"svg.hashsalt": CREATOR, "svg.fonttype": "path"}):
        figure.savefig(content, format="svg", metadata={"Creator": CREATOR, "Date": None})
    replace_file(path, content.getvalue(), operation="train", argument="--log")
