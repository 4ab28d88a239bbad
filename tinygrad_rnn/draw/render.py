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


def engine(form: str) -> list[str]:
    """The command that draws DOT from its standard input as `form`.

    The Graphviz inside pygraphviz has a process of its own too: what it writes to the terminal stays there,
    and so would a crash.

    Raises
    ------
    NoEngineError
        If there is neither a system ``dot`` nor `pygraphviz`.
    """
    if dot := shutil.which("dot"):
        return [dot, f"-T{form}"]
    if find_spec("pygraphviz"):
        return [sys.executable, "-c", _PYGRAPHVIZ, form]
    raise NoEngineError(
        f"draw: expected a system dot or pygraphviz to draw {form}, got neither; install Graphviz "
        "(https://graphviz.org/download), or run: pip install 'tinygrad_rnn[render]'"
    )


def render(dot: str, form: str) -> bytes:
    """`dot` drawn as ``"svg"``, ``"png"`` or ``"pdf"``.

    Raises
    ------
    NoEngineError
        If nothing here draws.
    RuntimeError
        If the engine fails.
    """
    done = subprocess.run(engine(form), input=dot.encode(), capture_output=True, check=False)
    if done.returncode or not done.stdout:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise RuntimeError(f"draw: Graphviz could not draw this as {form}: {lines[-1] if lines else 'it crashed'}; fold more of the graph")
    return done.stdout
