"""The log of a training: a file with one line for each epoch, each line a JSON object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..serialize.whole_file import replace_file


def read_log(path: Path) -> list[dict[str, Any]] | None:
    """Return the lines of a log, or None if the file is not a log."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (ValueError, OSError, RecursionError):
        return None
    is_log = all(isinstance(line, dict) and type(line.get("epoch")) is int for line in lines)
    return lines if is_log else None


class RunLog:
    """A log that gets a line after every epoch.

    The whole file is replaced each time, so it is complete and valid at any moment.

    Parameters
    ----------
    path : Path
    done : int
        The number of epochs that are done when the training is resumed; 0 for a new training. Lines
        of later epochs are dropped, because these epochs are evaluated again.
    """

    def __init__(self, path: Path, done: int):
        self.path = path
        old = read_log(path) if done else None
        self.lines = [line for line in old or [] if line["epoch"] <= done]

    def add(self, figures: Mapping[str, Any]) -> None:
        """Append a line with these figures; raise OSError if the file cannot be written.

        After such an error, the next call writes the missing lines too.
        """
        self.lines.append(dict(figures))
        content = "".join(f"{json.dumps(line)}\n" for line in self.lines)
        replace_file(self.path, content.encode(), operation="train", argument="--log")
