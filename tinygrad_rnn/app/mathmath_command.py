"""The command `tinygrad-rnn mathmath`: print the tutorial, and write its graph to files."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import argument_error
from ..serialize.whole_file import replace_file
from .console import add_plain_option

if TYPE_CHECKING:
    from .mathmath.numbers import Lesson

EXAMPLES = (
    "tinygrad-rnn mathmath",
    "tinygrad-rnn mathmath --plain > tutorial.txt",
    "tinygrad-rnn mathmath --json --directory .",
)
HELP = "explain a small GRU with every matrix, train it to write a text, and sample from it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options for the output format and the directory of the files."""
    parser.add_argument("--json", action="store_true", help="print the numbers as one JSON object")
    text = "directory for the files that show the graph (default: the current directory)"
    parser.add_argument("--directory", type=Path, default=Path(), metavar="DIR", help=text)
    add_plain_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print the tutorial and return the exit code, 0."""
    tell_tutorial(plain=options.plain, as_json=options.json, directory=options.directory)
    return 0


def tell_tutorial(*, plain: bool = False, as_json: bool = False, directory: Path = Path()) -> None:
    """Print the tutorial, train its network until the text is learned, and save the graph to files.

    Parameters
    ----------
    plain : bool
        Print without colour and animation, 80 columns wide. Output that is not a terminal is
        always plain.
    as_json : bool
        Print one JSON object with all the numbers, in full precision, and nothing else.
    directory : Path
        The directory for ``mathmath.txt``, ``mathmath.dot`` and ``mathmath.svg``, which show the
        graph of the first batch. The SVG is left out if Graphviz is not installed.

    Raises
    ------
    OSError
        If the directory does not exist or is not writable, or if a file in it has one of these
        names but was not written by an earlier run. In these cases nothing is printed, and no file
        of another program is overwritten.
    """
    from .mathmath import forward_chapters, numbers, training_chapters
    from .mathmath.page import Page

    directory = Path(directory)
    if not directory.is_dir():
        got, fix = str(directory), "create the directory first, or leave the argument out"
        raise argument_error("mathmath", "directory", "a directory", got, fix, NotADirectoryError)
    lesson = numbers.Lesson()
    files = _write_graph(lesson, directory)
    if as_json:
        paths = [str(path) for path in files if path.exists()]
        print(json.dumps(numbers.collect_numbers(lesson) | {"files": paths}, ensure_ascii=True))
        return
    page = Page(plain=plain or not sys.stdout.isatty())
    for chapter in (*forward_chapters.CHAPTERS, *training_chapters.CHAPTERS):
        chapter(page, lesson)
    training_chapters.files(page, files)


def _write_graph(lesson: Lesson, directory: Path) -> dict[Path, str]:
    """Write the graph of the first batch as equations, as DOT text and as a picture.

    Return a dict that maps the path of each file to a description of the file.
    """
    from ..draw import NoEngineError, graph

    drawing = graph(lesson.loss.loss, parameters="chips")
    equations, dot, svg = (directory / f"mathmath.{suffix}" for suffix in ("txt", "dot", "svg"))
    contents = {equations: drawing.text(), dot: drawing.dot()}
    descriptions = {equations: "as numbered equations", dot: "in the DOT language, for Graphviz"}
    try:
        contents[svg], descriptions[svg] = drawing.svg(), "drawn, with a column for each time step"
    except NoEngineError as error:
        descriptions[svg] = f"not drawn: {str(error).partition(': ')[2]}"
    marks = dict.fromkeys((dot, svg), " · ".join(drawing.notes))
    marks[equations] = contents[equations].splitlines()[0]
    for path in contents:
        if path.exists() and not _begins_with(path, marks[path]):
            expected = "a directory without mathmath files, or with those of an earlier run"
            got, fix = f"another {path}", "move this file away, or use another --directory"
            raise argument_error("mathmath", "directory", expected, got, fix, FileExistsError)
    for path, content in contents.items():
        lines = (content.rstrip("\n") + "\n").encode()
        replace_file(path, lines, operation="mathmath", argument="directory")
    return descriptions


def _begins_with(path: Path, mark: str) -> bool:
    """Return True if `path` is a file that has the text `mark` near its beginning."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return mark.encode() in file.read(2000)
