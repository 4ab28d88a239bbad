"""The progress of a training run: its speed, and the time that is left."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from time import perf_counter


@dataclass(frozen=True)
class Progress:
    """The progress of training, as `Trainer.run` reports it after every batch.

    Attributes
    ----------
    epoch : int
        The number of the epoch, from 0.
    batch : int
        The number of batches of this epoch that are done.
    batches : int
        The number of batches in an epoch.
    loss : float
        The mean loss of the latest batches (at most twenty) of this epoch, in nats per character.
    characters_per_second : float
    seconds_left : float
        The time until all epochs are done, estimated from the speed so far.

    Examples
    --------
    >>> from tinygrad_rnn.app.train import Progress
    >>> progress = Progress(epoch=0, batch=3, batches=10, loss=0.6931,
    ...                     characters_per_second=1e5, seconds_left=2.0)
    >>> round(progress.bits, 3)
    1.0
    """

    epoch: int
    batch: int
    batches: int
    loss: float
    characters_per_second: float
    seconds_left: float

    @property
    def bits(self) -> float:
        """The loss in bits per character."""
        return self.loss / log(2)


class Pace:
    """The speed of a run so far, from which the time left is estimated.

    Parameters
    ----------
    evaluation : float
        The number of training batches that are expected to take as long as an evaluation. It is
        used until an evaluation has been measured.
    """

    def __init__(self, evaluation: float):
        self.evaluation = evaluation
        self.batches = self.characters = self.evaluations = 0
        self.training_time = self.evaluation_time = 0.0
        self._last = perf_counter()

    def _lap(self) -> float:
        """Return the seconds since the last call, or since the start."""
        now = perf_counter()
        seconds, self._last = now - self._last, now
        return seconds

    def add_batch(self, characters: int) -> None:
        """Count a batch of training that has just ended."""
        self.training_time += self._lap()
        self.batches, self.characters = self.batches + 1, self.characters + characters

    def add_evaluation(self) -> None:
        """Count an evaluation that has just ended. Its time includes that of saving files."""
        self.evaluation_time += self._lap()
        self.evaluations += 1

    @property
    def characters_per_second(self) -> float:
        """The speed of the training, without the evaluations."""
        return self.characters / self.training_time

    def seconds_left(self, batches: int, evaluations: int) -> float:
        """Return the estimated duration of this many batches and evaluations."""
        per_batch = self.training_time / self.batches
        if self.evaluations:
            per_evaluation = self.evaluation_time / self.evaluations
        else:
            per_evaluation = per_batch * self.evaluation
        return batches * per_batch + evaluations * per_evaluation
