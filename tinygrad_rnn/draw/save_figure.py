"""Saving of a figure, in the format that the suffix of the file's name selects."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any

from ..errors import argument_error, describe
from .render import FORMATS, render


def save_figure(figure: Any, path: Any) -> Path:
    """Write a `Graph` as a picture, in the format that the suffix of `path` names."""
    if not isinstance(path, str | PathLike) or not str(path) or "\0" in str(path):
        fix = 'pass "loss.svg", for example'
        raise argument_error("graph.save", "path", "the name of a file", describe(path), fix)
    path = Path(path)
    try:
        path.write_bytes(_contents(figure, path))
    except OSError as error:
        if error.strerror is None:  # `_contents` raised it, and its message is complete
            raise
        name = str(path) if len(str(path)) <= 80 else f"{str(path)[:77]}..."
        fix = f"choose another path (the system says: {error.strerror.lower()})"
        expected = "a file that can be written"
        raise argument_error("graph.save", "path", expected, repr(name), fix, type(error)) from None
    return path


def _contents(figure: Any, path: Path) -> bytes:
    """Return the bytes to write to `path`; raise if the folder is missing or the suffix unknown."""
    form = path.suffix[1:].lower()
    writers = {
        **{form: lambda form=form: _draw(figure, path, form) for form in FORMATS},
        "dot": lambda: _encode(figure.dot()),
        "txt": lambda: _encode(figure.text()),
        "json": lambda: _encode(json.dumps(figure.data(), indent=1)),
    }
    got = repr(str(path))
    if not path.parent.is_dir():
        expected, fix = "a file in an existing folder", "create the folder first"
        raise argument_error("graph.save", "path", expected, got, fix, FileNotFoundError)
    if form not in writers:
        expected = f"a name that ends in {', '.join(f'.{name}' for name in writers)}"
        raise argument_error("graph.save", "path", expected, got, "change the suffix")
    return writers[form]()


def _encode(text: str) -> bytes:
    """Return the text as UTF-8 with one newline at its end."""
    return (text.rstrip("\n") + "\n").encode()


def _draw(figure: Any, path: Path, form: str) -> bytes:
    """Return the drawing. If this fails, save the DOT text next to `path` and raise the error."""
    try:
        return figure.svg().encode() if form == "svg" else render(figure.dot(), form)
    except RuntimeError as error:
        dot_path = path.with_suffix(".dot")
        dot_path = path.with_name(path.name + ".dot") if dot_path.exists() else dot_path
        dot_path.write_text(figure.dot(), encoding="utf-8")
        raise type(error)(f"{error}; the DOT text is in {dot_path}") from None
