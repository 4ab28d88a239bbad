"""Display of training progress: a live line in a terminal, and a permanent line for each epoch."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any

from .console import print_line

if TYPE_CHECKING:
    from rich.console import Console

    from .train import Progress


class TrainingDisplay:
    """A context manager that shows the progress of training.

    Parameters
    ----------
    console : rich.console.Console
    epochs : int
        The total number of epochs.
    """

    def __init__(self, console: Console, epochs: int):
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Live

        self.console, self.epochs = console, epochs
        self.progress: Progress | None = None
        columns = (
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.3f}  {task.fields[bits]:.3f} bits/char"),
            TextColumn("{task.fields[speed]:,.0f} tokens/s  {task.fields[left]} left"),
        )
        self.live = Live(*columns, console=console, transient=True, disable=not console.is_terminal)
        self.task: Any = None

    def __enter__(self) -> TrainingDisplay:
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def show_batch(self, progress: Progress) -> None:
        """Update the live line after a batch."""
        self.progress = progress
        if not self.console.is_terminal:
            return
        fields = {
            "epoch": f"{progress.epoch + 1}/{self.epochs}",
            "loss": progress.loss,
            "bits": progress.bits,
            "speed": progress.characters_per_second,
            "left": format_duration(progress.seconds_left),
        }
        if self.task is None:
            self.task = self.live.add_task("", total=progress.batches, **fields)
        done, total = progress.batch, progress.batches
        self.live.update(self.task, completed=done, total=total, **fields)

    def show_epoch(self, epoch: int, loss: float, held_out: float) -> None:
        """Print the losses of an epoch, in a line of at most 80 columns."""
        speed = ""
        if self.progress is not None:
            left = format_duration(self.progress.seconds_left)
            speed = f"  {self.progress.characters_per_second:,.0f} tokens/s, {left} left"
        bits = f"{loss / log(2):.3f} bits/char, held out {held_out / log(2):.3f}"
        number = f"{epoch:>{len(str(self.epochs))}}/{self.epochs}"
        print_line(self.console, f"{number}  loss {loss:.3f}  {bits}{speed}")


def format_duration(seconds: float) -> str:
    """Return a duration as ``1:02:03``, or as ``2:03`` if it is below an hour."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
