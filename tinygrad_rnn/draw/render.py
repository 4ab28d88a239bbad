"""From DOT text to a picture: by a system ``dot``, else by the Graphviz that `pygraphviz` carries."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec

from ..errors import NoEngineError

FORMATS = ("svg", "png", "pdf")

_PYGRAPHVIZ = """
import sys, pygraphviz
drawing = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())
sys.stdout.buffer.write(drawing.draw(None, format=sys.argv[1], prog="dot"))
"""


def engines(form: str) -> list[list[str]]:
    """The commands that draw DOT from their standard input as `form`, the first choice first.

    The Graphviz inside pygraphviz has a process of its own too: what it writes to the terminal stays there,
    and so would a crash.

    Raises
    ------
    NoEngineError
        If there is neither a system ``dot`` nor `pygraphviz`.
    """
    found = []
    if dot := shutil.which("dot"):
        found.append([dot, f"-T{form}"])
    if find_spec("pygraphviz"):
        found.append([sys.executable, "-c", _PYGRAPHVIZ, form])
    if not found:
        raise NoEngineError(
            f"draw: expected a system dot or pygraphviz to draw {form}, got neither; install Graphviz "
            "(https://graphviz.org/download), or run: pip install 'tinygrad_rnn[render]'"
        )
    return found


def render(dot: str, form: str) -> bytes:
    """`dot` drawn as ``"svg"``, ``"png"`` or ``"pdf"``, by the first engine that can.

    Raises
    ------
    NoEngineError
        If nothing here draws.
    RuntimeError
        If every engine fails.
    """
    reasons = []
    for command in engines(form):
        try:
            done = subprocess.run(command, input=dot.encode(), capture_output=True, check=False)
        except OSError as error:  # what is called dot is no program
            reasons.append(error.strerror or str(error))
            continue
        if done.stdout and not done.returncode:
            return done.stdout
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        reasons.append(lines[-1] if lines else "it crashed")
    raise RuntimeError(
        f"draw: Graphviz could not draw this as {form}: {reasons[0]}; fold more of the graph"
    )
