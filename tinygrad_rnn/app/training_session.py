"""A training in the terminal: what it prints, when it is saved, and how it stops."""

from __future__ import annotations

import shlex
import sys
from contextlib import suppress
from dataclasses import dataclass
from math import log
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import format_count
from .checkpoint_file import CheckpointFile
from .console import print_line
from .learning_curve import draw_learning_curve
from .run_log import RunLog
from .stop_signals import StopSignals
from .streams import discard_output
from .training_display import TrainingDisplay

if TYPE_CHECKING:
    from rich.console import Console

    from .train import Trainer


@dataclass(frozen=True)
class Outputs:
    """The files that a training writes.

    Attributes
    ----------
    checkpoint, best : Path
        The newest state, and the state with the lowest held-out loss. The second is written only
        if the training has a patience.
    log, curve : Path or None
        The log, and the picture of the learning curve.
    outdated : tuple of Path
        Files of the training that this one replaces. They are removed at the first save, so that
        they are not taken for files of this training when it is resumed.
    """

    checkpoint: Path
    best: Path
    log: Path | None
    curve: Path | None
    outdated: tuple[Path, ...] = ()


class TrainingSession:
    """A training in the terminal.

    Parameters
    ----------
    trainer : Trainer
    outputs : Outputs
    console : rich.console.Console
    """

    def __init__(self, trainer: Trainer, outputs: Outputs, console: Console):
        self.trainer, self.outputs, self.console = trainer, outputs, console
        self.display = TrainingDisplay(console, trainer.options.epochs)
        self.signals = StopSignals()
        self.checkpoint = CheckpointFile(outputs.checkpoint, trainer)
        self.best = CheckpointFile(outputs.best, trainer)
        self.log = None if outputs.log is None else RunLog(outputs.log, trainer.epoch)
        self._recorded, self._reported = trainer.epoch, ""
        self._start_of_epoch = perf_counter()

    def run(self) -> int:
        """Train and return the exit code: 0, or 128 plus the number of the signal that stopped it.

        The training is saved at the end of every epoch, before and after its evaluation, and when
        a signal stops it.

        Raises
        ------
        OSError
            If the training could not be saved at its end.
        """
        print_line(self.console, _describe(self.trainer))
        if self.trainer.is_done:
            print_line(self.console, self._why_done())
            return 0
        try:
            with self.signals:
                self._train()
                self._save_at_end()
                return self._tell_result()
        except KeyboardInterrupt:
            if self.signals.number is None:
                raise
        return 128 + self.signals.number  # all is saved, but not all is told

    def _save_at_end(self) -> None:
        """Save the training; raise OSError if this fails."""
        problem = ""
        with suppress(KeyboardInterrupt), self.signals.hold():
            self._record_epoch()
            problem = self._save_checkpoint()
        if problem:
            lost = "" if self.checkpoint.spare else "; what was trained since the last save is lost"
            raise OSError(problem + lost)

    def _tell_result(self) -> int:
        """Print how the training ended, and return the exit code."""
        if self.trainer.is_done:
            self._tell_end()
            sys.stdout.flush()  # while a signal can still end the wait for a reader
            return 0
        try:
            self._tell_stop()
        except OSError:  # the reader has gone
            discard_output()
        return 128 + (self.signals.number or 0)

    def _train(self) -> None:
        """Train until the end, or until a signal arrives."""
        try:
            # NumPy's warnings are off because the trainer reports a loss that is not finite.
            with self.display, np.errstate(over="ignore", invalid="ignore"):
                self.trainer.run(
                    on_batch=self.display.show_batch,
                    on_trained=self._save,
                    on_epoch=self._finish_epoch,
                    stop=lambda: self.signals.number is not None,
                    hold=self.signals.hold,
                )
        except KeyboardInterrupt:
            if self.signals.number is None:
                raise
        except (OSError, SystemExit, MemoryError):
            # If the terminal or the reader of the pipe has gone, the display raises OSError or
            # SystemExit.
            with self.signals.hold():
                self._save_checkpoint()
            if self.signals.number is None:
                raise

    def _save_checkpoint(self) -> str:
        """Save the training; return what went wrong, or an empty string."""
        problem = self.checkpoint.save()
        # After the first epoch, the log and the best epoch are those of this training.
        if not problem and self.trainer.epoch == 0 and self.trainer.batch > 0:
            for path in self.outputs.outdated:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
        return problem

    def _save(self) -> None:
        """Save the training before its evaluation, which may take long."""
        self.display.show_evaluation()
        with self.signals.hold():
            self._report(self._save_checkpoint())

    def _finish_epoch(self, epoch: int, loss: float, held_out: float) -> None:
        """Write the log and the checkpoints, and show the losses."""
        with self.signals.hold():
            self._record_epoch()
            self._report(self._save_checkpoint())
        self.display.show_epoch(epoch, loss, held_out)

    def _record_epoch(self) -> None:
        """Write the log and the best epoch, if an epoch has ended since the last call.

        This comes before the checkpoint is saved. If the program dies between the two, the epoch is
        evaluated again after a resume, and its line in the log is replaced.
        """
        epoch = self.trainer.epoch
        if epoch == self._recorded:
            return
        self._recorded = epoch
        if self.log is not None:
            try:
                self.log.add(self._figures())
            except OSError as error:
                self._report(str(error))
        if self.trainer.options.patience and self.trainer.best_epoch == epoch:
            self._report(self.best.save())

    def _figures(self) -> dict[str, Any]:
        """Return the figures of the last epoch, for the log."""
        now, progress = perf_counter(), self.display.progress
        seconds, self._start_of_epoch = now - self._start_of_epoch, now
        loss, held_out = self.trainer.history[-1]
        return {
            "epoch": self.trainer.epoch,
            "epochs": self.trainer.options.epochs,
            "loss": loss,
            "bits_per_character": loss / log(2),
            "held_out_loss": held_out,
            "held_out_bits_per_character": held_out / log(2),
            "best_epoch": self.trainer.best_epoch,
            "characters_per_second": progress and round(progress.characters_per_second),
            "seconds": round(seconds, 3),
        }

    def _report(self, problem: str) -> None:
        """Print on stderr that a file could not be written; do not repeat the same line."""
        if problem and problem != self._reported:
            self._reported = problem
            with suppress(OSError, ValueError):  # stderr may be closed
                line = f"tinygrad-rnn: {problem}; the training goes on"
                print(line, file=sys.stderr, flush=True)

    def _why_done(self) -> str:
        """Return a sentence that says why the training is at its end."""
        options = self.trainer.options
        if self.trainer.epoch >= options.epochs:
            done = format_count(options.epochs, "epoch")
            return f"All {done} are done; set a larger number with --epochs."
        waited = format_count(options.patience, "epoch")
        return f"The held-out loss has not improved for {waited}; use a larger --patience."

    def _tell_end(self) -> None:
        """Print where the training is saved, and draw the learning curve."""
        if self.trainer.epoch < self.trainer.options.epochs:
            print_line(self.console, self._why_done())
        path, what = self.checkpoint.path, ""
        if self.trainer.options.patience and self.best.path.exists():
            print_line(self.console, f"Saved {path}, to be continued with --resume.")
            path, what = self.best.path, f", the best epoch ({self.trainer.best_epoch})"
        sample = f"tinygrad-rnn sample {_quote(path)}"
        print_line(self.console, f"Saved {path}{what}. Sample from it: {sample}")
        if self.outputs.curve is not None:
            draw_learning_curve(self.trainer.history, self.outputs.curve)
            print_line(self.console, f"Drew the learning curve: {self.outputs.curve}.")
        elif self.outputs.log is not None:
            install = "pip install 'tinygrad_rnn[plot]'"
            print_line(self.console, f"A learning curve would need Matplotlib: {install}")

    def _tell_stop(self) -> None:
        """Print where the training stopped, and how to continue it."""
        trainer, path = self.trainer, self.checkpoint.path
        if trainer.position == (0, 0):
            print_line(self.console, "Stopped before the first batch was done; nothing is saved.")
            return
        epoch, batches = trainer.epoch + 1, trainer.batches
        place = f"epoch {epoch}, after batch {trainer.batch} of {batches}"
        if trainer.batch == batches:
            place = f"the evaluation of epoch {epoch}"
        print_line(self.console, f"Stopped in {place}; saved {path}.")
        print_line(self.console, "Continue with --resume.")


def _describe(trainer: Trainer) -> str:
    """Return a line that describes the model and the text."""
    model = trainer.model
    size = format_count(sum(p.size for p in model.parameters()), "parameter")
    training = format_count(len(trainer.training), "character")
    held_out = format_count(len(trainer.held_out), "character")
    return (
        f"{model.architecture.cell.upper()} with {size}; {len(model.vocab)} different characters; "
        f"{training} to train on, {held_out} held out"
    )


def _quote(path: Path) -> str:
    """Return a path as an argument for a shell."""
    return shlex.quote(f"./{path}" if str(path).startswith("-") else str(path))
