"""The tutorial, walked through in the terminal: every number of it comes out of the library as the reader watches."""

from __future__ import annotations

import json
import sys
from io import TextIOWrapper
from pathlib import Path

from ...errors import argument_error
from . import chapters, numbers


def mathmath(*, plain: bool = False, as_json: bool = False, directory: Path = Path()) -> int:
    """Retell the tutorial, train its network until it writes ``MathMathMathMathMath``, and write down its graph.

    Parameters
    ----------
    plain : bool
        No colour, no animation, 80 columns; as also when the output is not a terminal.
    as_json : bool
        Print one JSON object with all the numbers, in full precision, and nothing else.
    directory : Path
        Where ``mathmath.txt``, ``.dot`` and, if there is something to draw with, ``.svg`` go: the graph of the first batch.

    Returns
    -------
    int
        The exit code, 0.

    Raises
    ------
    OSError
        If there is no such directory, it cannot be written to, or a file of that name is somebody else's.
        Nothing has been printed or overwritten then.
    """
    directory = Path(directory)
    if not directory.is_dir():
        fix = "make it first, or leave the argument out"
        raise argument_error(
            "mathmath",
            "directory",
            expected="a directory",
            got=str(directory),
            fix=fix,
            kind=NotADirectoryError,
        )
    lesson = numbers.Lesson()
    files = _write(lesson, directory)
    if as_json:
        print(
            json.dumps(
                numbers.everything(lesson)
                | {"files": [str(path) for path in files if path.exists()]},
                ensure_ascii=True,
            )
        )
        return 0
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(
            errors="replace"
        )  # a terminal that cannot show σ gets a question mark, not a traceback
    page = chapters.Page(plain=plain or not sys.stdout.isatty())
    for chapter in chapters.CHAPTERS:
        chapter(page, lesson)
    chapters.the_files(page, files)
    return 0


def _write(lesson: numbers.Lesson, directory: Path) -> dict[Path, str]:
    """The graph of the first batch as equations, in the DOT language and drawn, over nothing but what an earlier walk wrote."""
    from ...draw import NoEngineError, graph

    drawn = graph(lesson.loss.loss, parameters="chips")
    equations, dot, svg = (directory / f"mathmath.{ending}" for ending in ("txt", "dot", "svg"))
    files = {equations: drawn.text(), dot: drawn.dot()}
    told = {equations: "as numbered equations", dot: "in the DOT language, for Graphviz"}
    try:
        files[svg], told[svg] = drawn.svg(), "drawn, each time step a column"
    except NoEngineError as error:
        told[svg] = f"not drawn: {str(error).partition(': ')[2]}"
    taken = [path for path in files if path.exists()]
    if taken and not _begins_like(equations, files[equations]):
        expected, fix = (
            f"no {taken[0].name} in it but an earlier walk's",
            "move it away, or use another --directory",
        )
        raise argument_error(
            "mathmath",
            "directory",
            expected=expected,
            got=f"{taken[0]}, something else",
            fix=fix,
            kind=FileExistsError,
        )
    for path, content in files.items():
        try:
            path.write_text(content.rstrip("\n") + "\n", encoding="utf-8")
        except OSError as error:
            got, fix = f"{directory} ({path.name}: {error.strerror})", "use another --directory"
            raise argument_error(
                "mathmath", "directory", expected="one to write to", got=got, fix=fix, kind=OSError
            ) from error
    return told


def _begins_like(path: Path, content: str) -> bool:
    """Whether the first line of a file is that of `content`."""
    beginning = content.splitlines(keepends=True)[0].encode()
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(beginning)) == beginning
