"""Check that a resumed training replaces its own files, and not those of another training.

The losses of every epoch are in the checkpoint, in the log and in the file of the best epoch. They
are compared bit for bit: two trainings with the same losses in each epoch are the same training.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import argument_error
from ..serialize import load_metadata
from .run_log import read_log

if TYPE_CHECKING:
    from .train import Trainer
    from .training_session import Outputs

Losses = Mapping[int, tuple[Any, Any]]
"""The training loss and the held-out loss of each epoch, from 1."""


def require_same_run(outputs: Outputs, trainer: Trainer) -> None:
    """Check the files that a resumed training would replace.

    A learning curve contains no losses that can be read, so it belongs to the log beside it.

    Raises
    ------
    FileExistsError
        If the log, the learning curve or the best epoch is that of another training.
    """
    if trainer.options.patience and outputs.best.exists():
        what = "the best epoch of this training"
        if not _is_same_run(trainer, _read_best(outputs.best)):
            raise _other_run_error("--patience", what, outputs.best, "move that file away")
    if outputs.log is None:
        return
    lines = read_log(outputs.log) or [] if outputs.log.exists() else []
    losses = {line["epoch"]: (line.get("loss"), line.get("held_out_loss")) for line in lines}
    is_own, fix = _is_same_run(trainer, losses), "give another name with --log"
    if lines and not is_own:
        raise _other_run_error("--log", "the log of this training", outputs.log, fix)
    if outputs.curve is not None and outputs.curve.exists() and not is_own:
        what = "the learning curve of this training, with its log"
        raise _other_run_error("--log", what, outputs.curve, fix)


def _is_same_run(trainer: Trainer, losses: Losses) -> bool:
    """Return whether a file with these losses belongs to the training of a checkpoint.

    The file may be one epoch ahead of a checkpoint that was saved before an evaluation.
    """
    known: dict[int, tuple[Any, Any]] = dict(enumerate(trainer.history, 1))
    ahead = trainer.epoch + 1
    if ahead in losses and trainer.batch == trainer.batches:
        known[ahead] = trainer.loss_sum / trainer.batches, losses[ahead][1]
    shared = known.keys() & losses.keys()
    return bool(shared) and all(known[epoch] == losses[epoch] for epoch in shared)


def _read_best(path: Path) -> Losses:
    """Return the losses in a checkpoint, or none if it has no sensible history."""
    try:
        history = json.loads(load_metadata(path)["header"])["notes"]["history"]
        return {epoch: (loss, held_out) for epoch, (loss, held_out) in enumerate(history, 1)}
    except (OSError, KeyError, TypeError, ValueError):
        return {}


def _other_run_error(argument: str, expected: str, path: Path, fix: str) -> Exception:
    got = f"{str(path)!r}, which another training wrote"
    expected = f"a new file, or {expected}"
    return argument_error("train", argument, expected, got, fix, FileExistsError)
