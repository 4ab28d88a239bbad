"""The graph of the tutorial's batch, drawn in three ways.

The 2019 tutorial computes a GRU by hand, on three characters of two sequences. Here the library
computes the same numbers and records a graph, which is drawn three times: every op, with a column
for each time step; one time step for all, with loops; and a box for each gate. Run it with
``python examples/draw_tutorial.py [FOLDER]``; it takes about a second.
"""

import sys
from pathlib import Path

import tinygrad_rnn as tg
from tinygrad_rnn.app.mathmath.numbers import Lesson


def main(folder=Path()):
    """Draw the graph in three ways, and return the paths of the files."""
    loss = Lesson().loss.loss
    views = {
        "unrolled": tg.graph(loss, fold="loss", parameters="chips"),
        "rolled": tg.graph(loss, roll=True),
        "gates": tg.graph(loss, fold=["gate", "loss"], parameters="hide"),
    }
    for name, view in views.items():
        ops = view.notes[0].split(" · ")[-1]
        print(f"{name}: {len(view.nodes)} nodes and {len(view.edges)} edges for {ops}")
    return [view.save(Path(folder) / f"tutorial_{name}.svg") for name, view in views.items()]


if __name__ == "__main__":
    for path in main(*map(Path, sys.argv[1:])):
        print(path)
