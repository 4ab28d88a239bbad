"""Helpers for the examples: draw a graph, and plot curves if Matplotlib is installed."""

from importlib.util import find_spec
from pathlib import Path

import tinygrad_rnn as tg


def draw(folder, name, loss, **options):
    """Draw the graph of a loss. Without Graphviz, write its DOT text instead."""
    path = Path(folder) / f"{name}.svg"
    try:
        print("graph:", tg.graph(loss, **options).save(path))
    except RuntimeError as error:  # neither the program dot nor pygraphviz is installed
        print(error)


def plot(folder, name, curves, x="training step", y="loss", first=0, log=False):
    """Plot named curves that start at x = `first`. Without Matplotlib, print how to install it."""
    if not find_spec("matplotlib"):
        print("no plot without Matplotlib: pip install 'tinygrad_rnn[plot]'")
        return
    from matplotlib.figure import Figure

    axes = Figure(figsize=(6.4, 3.6), layout="constrained").subplots()
    for (label, values), line in zip(curves.items(), ("-", "--", ":", "-."), strict=False):
        axes.plot(range(first, first + len(values)), values, line, label=label)
    axes.set(xlabel=x, ylabel=y, **({"yscale": "log"} if log else {}))
    axes.locator_params(axis="x", integer=True)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(frameon=False)
    path = Path(folder) / f"{name}.svg"
    axes.figure.savefig(path)
    print("plot:", path)
