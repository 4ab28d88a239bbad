"""From a trace to a program that runs: the passes, and the backend that writes the text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .numba_text import write_numba
from .numpy_text import write_numpy
from .passes import optimize
from .traced_function import TracedFunction


def optimize_traced(traced: TracedFunction) -> None:
    """Run the passes over the program of a trace, and drop the inputs that it does not need."""
    program = traced.program = optimize(traced.program)
    used = {v for line in program.lines for v in line.uses} | set(program.outputs)
    kept = [
        (v, source)
        for v, source in zip(program.inputs, traced.sources, strict=True)
        if v in used or source[0] == "cotangent"
    ]
    program.inputs = [v for v, _ in kept]
    traced.sources = [source for _, source in kept]


WRITERS: dict[str, Callable[..., Any]] = {"numpy": write_numpy, "numba": write_numba}
"""The backends: ``write(program, title, name, own)`` returns the text and the function."""
