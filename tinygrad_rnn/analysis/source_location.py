"""Where in somebody's program something happened: for messages."""

from __future__ import annotations

import ast
import linecache
import sys
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

import numpy as np

from ..graph import Value

HERE = str(Path(__file__).parents[1])


def user_location(frame: FrameType | None) -> str:
    """The innermost line that is not of this library."""
    innermost = frame
    while frame is not None and frame.f_code.co_filename.startswith(HERE):
        frame = frame.f_back
    frame = frame or innermost
    return (
        format_location(frame.f_code.co_filename, frame.f_lineno) if frame else "an unknown place"
    )


def frames_to_the_user() -> int:
    """How many frames above the caller the innermost line is that is not of this library: the `stacklevel` of a warning."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(HERE):
        level, frame = level + 1, frame.f_back
    return level


def format_location(file: str, number: int) -> str:
    text = linecache.getline(file, number).strip()
    return f"{file}, line {number}" + (f": {text}" if text else "")


def arrays_named_in(step: TracebackType) -> tuple[list[tuple[str, np.ndarray]], bool]:
    """The arrays that a step of a traceback may have written to, as the program calls them; and whether it says which one it was.

    Of the statements in a line Python knows which one failed: of ``x[0] = 1; y[0] = 2`` the target, of a call the call.
    """
    frame = step.tb_frame
    part = _failed(frame.f_code, step.tb_lasti)
    text = part or linecache.getline(frame.f_code.co_filename, step.tb_lineno).strip()
    try:
        tree = ast.parse(text if not text.endswith(":") else f"{text} pass")
    except SyntaxError:
        texts, sure = [*frame.f_code.co_varnames, *frame.f_code.co_names], False
    else:
        target = _target(tree) if part else None
        sure = target is not None
        texts = [
            ast.unparse(node)
            for node in ([target] if target else ast.walk(tree))
            if isinstance(node, ast.Name | ast.Attribute)
        ]
    found = []
    for name in dict.fromkeys(texts):
        first, *rest = name.split(".")
        value = frame.f_locals.get(first, frame.f_globals.get(first))
        for attribute in rest:
            value = getattr(value, attribute, None)
        value = getattr(value, "array", value) if isinstance(value, Value) else value
        if isinstance(value, np.ndarray):
            found.append((name, value))
    return found, sure


def _failed(code: CodeType, instruction: int) -> str:
    """The text that an instruction stands for; none if Python does not know."""
    first, last, start, end = next(islice(code.co_positions(), instruction // 2, None), (None,) * 4)
    if first is None or last is None or start is None or end is None:
        return ""
    several = [text.encode() for text in linecache.getlines(code.co_filename)[first - 1 : last]]
    several[-1:] = [text[:end] for text in several[-1:]]
    return b"".join([*(text[start:] for text in several[:1]), *several[1:]]).decode().strip()


def _target(tree: ast.Module) -> ast.expr | None:
    """What an expression or a statement writes to, without its indices, if that is a name or an attribute of one."""
    node: Any = tree.body[0] if tree.body else None
    node = node.target if isinstance(node, ast.AugAssign) else getattr(node, "value", None)
    if isinstance(node, ast.Call):
        node = next((keyword.value for keyword in node.keywords if keyword.arg == "out"), None)
    while isinstance(node, ast.Subscript):
        node = node.value
    root = node
    while isinstance(root, ast.Attribute):
        root = root.value
    return node if isinstance(root, ast.Name) else None
