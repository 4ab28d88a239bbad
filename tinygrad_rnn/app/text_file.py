"""Reading of a text, from a file or from standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import argument_error
from ..serialize.file_kinds import TEXTS, recognise_content
from ..serialize.paths import system_error

STDIN = Path("-")
"""The name that stands for standard input."""


def read_text(operation: str, argument: str, path: Path) -> str:
    """Return the text of a file, or of standard input if `path` is ``-``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the text is not UTF-8, or the file is of another kind, a PyTorch file for example.
    """
    if path == STDIN:
        try:
            content = sys.stdin.buffer.read()
        except OSError as error:
            fix = "redirect standard input from a file that can be read"
            raise system_error(operation, argument, "a text", "-", fix, error) from error
    elif path.is_file() or path.is_fifo():
        content = path.read_bytes()
    else:
        got = f"{str(path)!r}, which is not a file"
        fix = "give the path of a text file, or - for standard input"
        raise argument_error(operation, argument, "a text file", got, fix, FileNotFoundError)
    kind = recognise_content(content)
    if kind is not None and kind not in TEXTS:
        got, fix = f"{str(path)!r}, which is {kind.name}", "give the path of a text file"
        raise argument_error(operation, argument, "a text file", got, fix)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        got = f"byte {content[error.start]:#04x} at position {error.start}"
        fix = "convert the file to UTF-8, with iconv for example"
        raise argument_error(operation, argument, "UTF-8 text", got, fix) from error
