"""Locations in the user's program, to show in error messages."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

import numpy as np

from ..errors.user_warning import PACKAGE
from ..graph import unwrap

LIBRARIES = *PACKAGE, str(Path(np.__file__).parent)


def find_user_location(frame: FrameType | None) -> str:
    """Walk up the call stack; return the first line that is not in this library or in NumPy."""
    innermost = frame
    while frame is not None and frame.f_code.co_filename.startswith(LIBRARIES):
        frame = frame.f_back
    frame = frame or innermost
    if frame is None:
        return "an unknown place"
    return format_location(frame.f_code.co_filename, frame.f_lineno)


def format_location(file: str, number: int) -> str:
    """Return the file, the line number and the text of the line."""
    text = linecache.getline(file, number).strip()
    return f"{file}, line {number}" + (f": {text}" if text else "")


def find_written_arrays(step: TracebackType) -> tuple[dict[str, np.ndarray], bool]:
    """Return the arrays that a failed statement may write to, and whether the answer is certain.

    Python knows which of several statements in one line failed. If the statement names the array
    that it writes to, as the target of an assignment or as ``out=`` in a call, the answer is this
    array and is certain. Otherwise the answer is every array that the line names. If the line alone
    is not valid Python, the answer is every array that the function names.

    Parameters
    ----------
    step : traceback
        The entry of the traceback for the user's frame.

    Returns
    -------
    arrays : dict of ndarray
        The arrays by the names that the program gives them, for example ``w.data``.
    is_certain : bool
        True if the statement names the array that it writes to.
    """
    frame = step.tb_frame
    failed = _failed_code(frame.f_code, step.tb_lasti)
    text = failed or linecache.getline(frame.f_code.co_filename, step.tb_lineno).strip()
    target = None
    try:
        tree = ast.parse(f"{text} pass" if text.endswith(":") else text)
    except SyntaxError:  # the statement spans several lines
        names = [*frame.f_code.co_varnames, *frame.f_code.co_names]
    else:
        target = _written_expression(tree) if failed else None
        nodes = [target] if target else ast.walk(tree)
        names = [ast.unparse(node) for node in nodes if isinstance(node, ast.Name | ast.Attribute)]
    return _look_up_arrays(names, frame), target is not None


def _look_up_arrays(names: Iterable[str], frame: FrameType) -> dict[str, np.ndarray]:
    """Look up names such as ``w`` or ``w.data`` in a frame; return those that are arrays."""
    arrays: dict[str, np.ndarray] = {}
    for name in names:
        first, *attributes = name.split(".")
        value = frame.f_locals.get(first, frame.f_globals.get(first))
        for attribute in attributes:
            value = getattr(value, attribute, None)
        value = unwrap(value)
        if isinstance(value, np.ndarray):
            arrays[name] = value
    return arrays


def _failed_code(code: CodeType, instruction: int) -> str:
    """Return the source text of a bytecode instruction, or "" if Python does not know the text."""
    span = next(islice(code.co_positions(), instruction // 2, None), (None,) * 4)
    first, last, start, end = span
    if first is None or last is None or start is None or end is None:
        return ""
    lines = [line.encode() for line in linecache.getlines(code.co_filename)[first - 1 : last]]
    lines[-1:] = [line[:end] for line in lines[-1:]]
    lines[:1] = [line[start:] for line in lines[:1]]
    return b"".join(lines).decode().strip()


def _written_expression(tree: ast.Module) -> ast.expr | None:
    """Return the expression that a statement writes to, such as ``w`` or ``w.data``, or None."""
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
