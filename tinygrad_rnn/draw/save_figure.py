"""Writing a figure to a file."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import argument_error, describe
from .render import FORMATS, render

if TYPE_CHECKING:
    from .figure import Graph


def save(figure: Graph, path: Any) -> Path:
    """The figure in the file `path`, in the form that its ending says."""
    if not isinstance(path, str | PathLike) or not str(path) or "\0" in str(path):
        wanted, fix = "the name of a file", 'give one like "loss.svg"'
        raise argument_error("graph.save", "path", expected=wanted, got=describe(path), fix=fix)
    path = Path(path)
    form = path.suffix[1:].lower()
    writers = {
        **{form: lambda form=form: _drawn(figure, path, form) for form in FORMATS},
        "dot": lambda: _text(figure.dot()),
        "txt": lambda: _text(figure.text()),
        "json": lambda: _text(json.dumps(figure.data(), indent=1)),
    }
    try:
        if not path.parent.is_dir():
            wanted, fix = "a file in a folder that is there", "make the folder first"
            raise argument_error(
                "graph.save",
                "path",
                expected=wanted,
                got=repr(str(path)),
                fix=fix,
                kind=FileNotFoundError,
            )
        if form not in writers:
            wanted = f"a name that ends in {', '.join(f'.{name}' for name in writers)}"
            raise argument_error(
                "graph.save", "path", expected=wanted, got=repr(str(path)), fix="rename it"
            )
        path.write_bytes(writers[form]())
    except OSError as error:
        if error.strerror is None:
            raise
        got = repr(str(path) if len(str(path)) <= 80 else f"{str(path)[:77]}...")
        reason = error.strerror[0].lower() + error.strerror[1:]
        raise argument_error(
            "graph.save",
            "path",
            expected="a file that can be written",
            got=got,
            fix=f"the system says: {reason}",
            kind=type(error),
        ) from None
    return path


def _text(text: str) -> bytes:
    return (text.rstrip("\n") + "\n").encode()


def _drawn(figure: Graph, path: Path, form: str) -> bytes:
    """The picture; if nothing draws it, the DOT text is saved beside it for a program elsewhere that does."""
    try:
        return figure.svg().encode() if form == "svg" else render(figure.dot(), form)
    except RuntimeError as error:
        beside = path.with_suffix(".dot")
        beside = path.with_name(path.name + ".dot") if beside.exists() else beside
        beside.write_text(figure.dot(), encoding="utf-8")
        raise type(error)(f"{error}; the DOT text is in {beside}") from None
