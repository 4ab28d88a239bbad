"""Rendering of DOT text with a system ``dot``, or else with the Graphviz inside `pygraphviz`."""

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


def find_engines(form: str) -> list[list[str]]:
    """Return the commands that draw DOT text from standard input as `form`, best first.

    The Graphviz inside pygraphviz runs in a process of its own too. Its messages do not reach the
    terminal, and a crash does not end this process.

    Raises
    ------
    NoEngineError
        If there is neither a system ``dot`` nor `pygraphviz`.
    """
    engines = []
    if dot := shutil.which("dot"):
        engines.append([dot, f"-T{form}"])
    if find_spec("pygraphviz"):
        engines.append([sys.executable, "-c", _PYGRAPHVIZ, form])
    if not engines:
        raise NoEngineError(
            f"draw: expected a system dot or pygraphviz to draw {form}, got neither; "
            "install Graphviz (https://graphviz.org/download), "
            "or run: pip install 'tinygrad_rnn[render]'"
        )
    return engines


def render(dot: str, form: str) -> bytes:
    """Draw DOT text as ``"svg"``, ``"png"`` or ``"pdf"`` and return the bytes of the file.

    The engines are tried in order; the first one that succeeds is used.

    Raises
    ------
    NoEngineError
        If this machine has no engine.
    RuntimeError
        If every engine fails.
    """
    reasons = []
    for command in find_engines(form):
        try:
            done = subprocess.run(command, input=dot.encode(), capture_output=True, check=False)
        except OSError as error:  # the file called dot is not a program
            reasons.append(error.strerror or str(error))
            continue
        if done.stdout and not done.returncode:
            return done.stdout
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        reasons.append(lines[-1] if lines else "it crashed")
    raise RuntimeError(
        f"draw: Graphviz could not draw this as {form}: {reasons[0]}; fold more of the graph"
    )
