"""The tutorial, walked through in the terminal: every number of it comes out of the library as the reader watches."""

from __future__ import annotations

import json
import sys
from io import TextIOWrapper
from pathlib import Path

from ..errors import complaint
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
        Where ``mathmath.txt`` and ``mathmath.dot`` go, the graph of the first batch.

    Returns
    -------
    int
        The exit code, 0.

    Raises
    ------
    NotADirectoryError
        If there is no such directory. Nothing has been printed or written then.
    """
    directory = Path(directory)
    if not directory.is_dir():
        remedy = "make it first, or leave the argument out"
        raise NotADirectoryError(complaint("mathmath", "directory", expected="a directory", got=str(directory), remedy=remedy))
    lesson = numbers.Lesson()
    if as_json:
        found = numbers.everything(lesson)
        found["files"] = [str(path) for path in _write(lesson, directory)]
        print(json.dumps(found, ensure_ascii=True))
        return 0
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show σ gets a question mark, not a traceback
    page = chapters.Page(plain=plain or not sys.stdout.isatty())
    for chapter in chapters.CHAPTERS:
        chapter(page, lesson)
    chapters.the_files(page, _write(lesson, directory))
    return 0


def _write(lesson: numbers.Lesson, directory: Path) -> list[Path]:
    """The graph of the first batch as equations and in the DOT language."""
    from .. import draw

    paths = [directory / "mathmath.txt", directory / "mathmath.dot"]
    for path, content in zip(paths, (draw.text(lesson.loss.loss), draw.dot(lesson.loss.loss)), strict=True):
        path.write_text(content.rstrip("\n") + "\n", encoding="utf-8")
    return paths
