"""Saving of a figure, in the format that the suffix of the file's name selects."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import argument_error
from ..serialize.paths import path_name
from ..serialize.whole_file import find_target, replace_file
from .render import FORMATS, render


def save_figure(figure: Any, path: Any, dpi: float) -> Path:
    """Write a `Graph` as a picture, in the format that the suffix of `path` names."""
    name = path_name(path, operation="graph.save")
    writer = _choose_writer(figure, Path(name), dpi)
    find_target(name, operation="graph.save")
    replace_file(name, writer(), operation="graph.save")
    return Path(name)


def _choose_writer(figure: Any, path: Path, dpi: float) -> Callable[[], bytes]:
    """Return the function that makes the content of the file; raise if the suffix is unknown."""
    form = path.suffix[1:].lower()
    writers = {
        **{form: lambda form=form: _draw(figure, path, form, dpi) for form in FORMATS},
        "dot": lambda: _encode(figure.dot()),
        "tex": lambda: _encode(figure.tikz()),
        "txt": lambda: _encode(figure.text()),
        "json": lambda: _encode(json.dumps(figure.data(), indent=1)),
    }
    if form not in writers:
        expected = f"a name that ends in {', '.join(f'.{name}' for name in writers)}"
        raise argument_error("graph.save", "path", expected, repr(str(path)), "change the suffix")
    return writers[form]


def _encode(text: str) -> bytes:
    """Return the text as UTF-8 with one newline at its end."""
    return (text.rstrip("\n") + "\n").encode()


def _draw(figure: Any, path: Path, form: str, dpi: float) -> bytes:
    """Return the drawing. If this fails, save the DOT text next to `path` and raise the error."""
    try:
        return figure.svg().encode() if form == "svg" else render(figure.dot(), form, dpi)
    except RuntimeError as error:
        dot_path = path.with_suffix(".dot")
        dot_path = path.with_name(path.name + ".dot") if dot_path.exists() else dot_path
        replace_file(dot_path, _encode(figure.dot()), operation="graph.save")
        raise type(error)(f"{error}; the DOT text is in {dot_path}") from None
