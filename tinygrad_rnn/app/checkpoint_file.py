"""The file that a training is saved to, and what happens if it cannot be written."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..serialize import load_metadata
from .char_model import FORMAT

if TYPE_CHECKING:
    from .train import Trainer


def is_checkpoint(path: Path) -> bool:
    """Return whether a file is a character model."""
    try:
        return load_metadata(path).get("format") == FORMAT
    except (ValueError, OSError):
        return False


class CheckpointFile:
    """Save a training to a file, or to another file beside it if that fails.

    Parameters
    ----------
    path : Path
    trainer : Trainer

    Attributes
    ----------
    spare : Path or None
        The file beside `path` that holds the newest state, if `path` could not be written.
    """

    def __init__(self, path: Path, trainer: Trainer):
        self.path, self.trainer = path, trainer
        self.spare: Path | None = None
        self._saved = trainer.position

    @property
    def is_current(self) -> bool:
        """True if nothing has been trained since the last save to `path`, or since the start."""
        return self._saved == self.trainer.position

    def save(self) -> str:
        """Save the training, unless the file is current.

        Returns
        -------
        str
            If the file could not be written: its name, the cause, and what was done instead. Else
            an empty string. A failure raises no error, because the training is still in memory and
            may be saved later.
        """
        if self.is_current:
            return ""
        try:
            self.trainer.save(self.path)
        except OSError as error:
            return f"{error}; {self._save_beside()}"
        self._saved = self.trainer.position
        if self.spare is not None:
            with suppress(OSError):
                self.spare.unlink()
            self.spare = None
        return ""

    def _save_beside(self) -> str:
        """Save the training under another name; return what was done."""
        spare = self.spare or _free_name(self.path)
        try:
            self.trainer.save(spare)
        except OSError:
            return f"{spare} cannot be written either"
        self.spare = spare
        return f"saved {spare} instead"


def _free_name(path: Path) -> Path:
    """Return an unused path in the folder of `path`.

    The new file name is short, because the name in `path` may be too long.
    """
    number, stem, suffix = 1, path.stem[:40], path.suffix[:20]
    while (spare := path.with_name(f"{stem}-rescued-{number}{suffix}")).exists():
        number += 1
    return spare
