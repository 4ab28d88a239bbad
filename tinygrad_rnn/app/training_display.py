"""Display of training progress: a live line in a terminal, and a permanent line for each epoch."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any

from .console import print_line

if TYPE_CHECKING:
    from rich.console import Console

    from .train import Progress

WIDE = 100
"""From this many columns on, the live line shows the loss in nats too."""


class TrainingDisplay:
    """A context manager that shows the progress of training.

    Parameters
    ----------
    console : rich.console.Console
    epochs : int
        The total number of epochs.
    """

    def __init__(self, console: Console, epochs: int):
        from rich.constrain import Constrain
        from rich.live import Live
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar

        self.console, self.epochs = console, epochs
        self.progress: Progress | None = None
        loss = "loss {task.fields[loss]:.3f}  " if console.width >= WIDE else ""
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn(loss + "{task.fields[bits]:.3f} bits/char"),
            TextColumn("{task.fields[speed]:,.0f} tokens/s  {task.fields[left]} left"),
        )
        # After Ctrl-C, the terminal writes ^C behind the live line. Without room for it there, ^C
        # would begin a new line, and the live line would stay on the screen.
        line = Constrain(self.bar, console.width - 3)
        self.live = Live(line, console=console, transient=True, refresh_per_second=10)
        self.task: Any = None

    def __enter__(self) -> TrainingDisplay:
        if self.console.is_terminal:
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
            "description": f"epoch {progress.epoch + 1}/{self.epochs}",
            "loss": progress.loss,
            "bits": progress.bits,
            "speed": progress.characters_per_second,
            "left": format_duration(progress.seconds_left),
        }
        if self.task is None:
            self.task = self.bar.add_task(total=progress.batches, **fields)
        self.bar.update(self.task, completed=progress.batch, **fields)

    def show_evaluation(self) -> None:
        """Show in the live line that the held-out text is being read."""
        if self.task is not None:
            self.bar.update(self.task, description="held-out text")

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
