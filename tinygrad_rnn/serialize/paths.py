"""Paths in arguments: their names as text, and errors that name a path and the fault."""

from __future__ import annotations

import os
from typing import Any

from .. import check
from ..errors import argument_error


def path_name(path: Any, *, operation: str, argument: str = "path") -> str:
    """Return a path, which may be a str, bytes or an object with ``__fspath__``, as a str.

    Raises
    ------
    TypeError
        If `path` is not a path.
    ValueError
        If no file can have this name: it is empty, or has a character that file names cannot have.
    """
    kinds, fix = str | bytes | os.PathLike, "pass a str or a pathlib.Path"
    check.instance(operation, argument, path, kinds, "the name of a file", fix)
    name = os.fsdecode(path)
    try:
        is_possible = bool(name) and b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        is_possible = False
    expected, fix = "the name of a file", "use a name of letters and digits, for example"
    check.require(is_possible, operation, argument, expected, shorten(name), fix)
    return name


def shorten(name: str) -> str:
    """Return the repr of a path for a message, with an ellipsis if the path is very long."""
    text = repr(name)
    return text if len(text) <= 200 else f"{text[:98]}…{text[-98:]}"


def system_error(
    operation: str, argument: str, expected: str, name: str, fix: str, error: OSError
) -> Exception:
    """Return an argument error that has the type and the ``errno`` of the system's `error`."""
    got = f"{shorten(name)} ({(error.strerror or str(error)).lower()})"
    better: Any = argument_error(operation, argument, expected, got, fix, type(error))
    better.errno = error.errno
    return better
