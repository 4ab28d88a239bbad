"""Names of output files. They are checked before any work starts, so that no work is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import argument_error
from ..serialize.whole_file import find_target


def claim_name(
    path: Path, argument: str, *, is_own: Callable[[Path], bool], may_replace: bool
) -> Path:
    """Check the name of the file that a training will write, and return the path of that file.

    Symbolic links are followed. This function writes nothing.

    Parameters
    ----------
    path : Path
    argument : str
        The option to name in an error message.
    is_own : callable
        Called with the path of an existing file. It returns whether an earlier training wrote it.
        Files of other programs are never replaced.
    may_replace : bool
        Whether a file that an earlier training wrote may be replaced.

    Raises
    ------
    ValueError, OSError
        If no file of this name can be written, or there is one that may not be replaced.
    """
    if str(path) == "-":
        expected, got = "the name of a file", "'-', which stands for standard output"
        raise argument_error("train", argument, expected, got, "give the name of a file")
    target = find_target(path, operation="train", argument=argument)
    if not target.exists():
        return target
    if not is_own(target):
        expected = "a new file, or one that an earlier training wrote"
        got = f"{str(path)!r}, a file that no training wrote"
        fix = f"give another name with {argument}"
        raise argument_error("train", argument, expected, got, fix)
    if not may_replace:
        got = f"{str(path)!r}, which another training wrote"
        fix = "continue that training with --resume, replace it with --overwrite, "
        fix += f"or give another name with {argument}"
        raise argument_error("train", argument, "a new file", got, fix, FileExistsError)
    return target
