"""Rendering of DOT, Graphviz's language: by the program ``dot``, or else by `pygraphviz`."""

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
form, *options = sys.argv[1:]
sys.stdout.buffer.write(drawing.draw(None, format=form, prog="nop2", args=" ".join(options)))
"""


def find_engines(form: str, dpi: float = 96) -> list[list[str]]:
    """Return the commands that draw DOT text from standard input in the format `form`, best first.

    Each command runs Graphviz in a process of its own, even the Graphviz inside `pygraphviz`. So
    messages of Graphviz do not reach the terminal, and a crash does not end this process.

    Raises
    ------
    NoEngineError
        If neither the program ``dot`` nor the package `pygraphviz` is installed.
    """
    options = [f"-Gdpi={dpi:g}"] if form == "png" else []
    engines = []
    if dot := shutil.which("dot"):
        engines.append([dot, "-Kneato", "-n2", f"-T{form}", *options])
    if find_spec("pygraphviz"):
        engines.append([sys.executable, "-c", _PYGRAPHVIZ, form, *options])
    if not engines:
        raise NoEngineError(
            f"draw: expected a system dot or pygraphviz to draw {form}, got neither; "
            "install Graphviz (https://graphviz.org/download), "
            "or run: pip install 'tinygrad_rnn[render]'"
        )
    return engines


def render(dot: str, form: str, dpi: float = 96) -> bytes:
    """Draw DOT text as ``"svg"``, ``"png"`` or ``"pdf"`` and return the bytes of the file.

    The commands of `find_engines` are tried in order, until one succeeds.

    Raises
    ------
    NoEngineError
        If neither the program ``dot`` nor the package `pygraphviz` is installed.
    RuntimeError
        If every command fails.
    """
    reasons = []
    for command in find_engines(form, dpi):
        try:
            done = subprocess.run(command, input=dot.encode(), capture_output=True, check=False)
        except OSError as error:  # the file that was found under the name dot cannot be run
            reasons.append(error.strerror or str(error))
            continue
        if done.stdout and not done.returncode:
            return done.stdout
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        reasons.append(lines[-1] if lines else "it crashed")
    raise RuntimeError(
        f"draw: Graphviz could not draw this as {form}: {reasons[0]}; fold more of the graph"
    )
