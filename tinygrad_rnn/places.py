"""Where in somebody's program something happened: for messages."""

from __future__ import annotations

import ast
import linecache
import sys
from pathlib import Path
from types import FrameType

import numpy as np

from .graph import Value

HERE = str(Path(__file__).parent)


def place(frame: FrameType | None) -> str:
    """The innermost line that is not of this library."""
    innermost = frame
    while frame is not None and frame.f_code.co_filename.startswith(HERE):
        frame = frame.f_back
    frame = frame or innermost
    return line(frame.f_code.co_filename, frame.f_lineno) if frame else "an unknown place"


def frames_to_the_user() -> int:
    """How many frames above the caller the innermost line is that is not of this library: the `stacklevel` of a warning."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(HERE):
        level, frame = level + 1, frame.f_back
    return level


def line(file: str, number: int) -> str:
    text = linecache.getline(file, number).strip()
    return f"{file}, line {number}" + (f": {text}" if text else "")


def named_in(frame: FrameType, number: int) -> list[tuple[str, np.ndarray]]:
    """The arrays that a line names, by how it does: names, and attributes and entries of them."""
    text = linecache.getline(frame.f_code.co_filename, number).strip()
    try:
        tree = ast.parse(text if not text.endswith(":") else f"{text} pass")
        texts = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute)]
    except SyntaxError:
        texts = [*frame.f_code.co_varnames, *frame.f_code.co_names]
    found = []
    for name in dict.fromkeys(texts):
        first, *rest = name.split(".")
        value = frame.f_locals.get(first, frame.f_globals.get(first))
        for part in rest:
            value = getattr(value, part, None)
        value = getattr(value, "array", value) if isinstance(value, Value) else value
        if isinstance(value, np.ndarray):
            found.append((name, value))
    return found
