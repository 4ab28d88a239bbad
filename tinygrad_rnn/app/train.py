"""Training of a character model, with truncated backpropagation through time and checkpoints.

`Trainer` holds everything that the next training step depends on. `Trainer.save` writes all of this
except the text, and `Trainer.resume` reads it back. So a resumed run gives bit for bit the same
result as an uninterrupted run.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from math import log, ulp
from time import perf_counter
from typing import Any

import numpy as np

from .. import check, nn
from ..errors import argument_error, format_count
from ..graph import no_grad
from ..nn.module import eval_mode
from ..optim import Adam
from ..scan import detach
from ..tensor import Tensor
from ..text import CharVocab, batches, count_batches
from .char_model import Architecture, CharModel, load_model, save_model

__all__ = ["Options", "Progress", "Trainer"]
DIVERGED_LOSS = 1e6
"""Training counts as diverged if its loss reaches this many nats per character, or is NaN.

For comparison, the loss of a uniform guess is the logarithm of the vocabulary's size.
"""


@dataclass(frozen=True)
class Options:
    """The settings of a training run.

    Attributes
    ----------
    epochs : int
        The number of passes through the text.
    batch_size : int
        The number of streams that the text is cut into. The streams are read in parallel.
    steps : int
        The number of characters after which backpropagation through time is truncated.
    lr : float
        Adam's learning rate.
    clip : float
        The maximum global norm of the gradients.
    holdout : float in (0, 0.5]
        The fraction of the text, at its end, that is used for evaluation only.
    seed : int
        The seed of the initial weights and of dropout.
    compile : bool
        If True, compile the recurrent layers to NumPy programs; see `tinygrad_rnn.compile`.

    Raises
    ------
    TypeError
        If a number has the wrong type.
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> from tinygrad_rnn.app.train import Options
    >>> options = Options(epochs=3, lr=0.01)
    >>> options.epochs, options.batch_size, options.lr
    (3, 16, 0.01)
    """

    epochs: int = 10
    batch_size: int = 16
    steps: int = 32
    lr: float = 2e-3
    clip: float = 1.0
    holdout: float = 0.1
    seed: int = 0
    compile: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "steps"):
            check.count("train", name, getattr(self, name))
        positive = ulp(0.0)  # the smallest number above 0
        for name in ("lr", "clip"):
            check.number("train", name, getattr(self, name), "a number above 0", low=positive)
        expected = "a fraction above 0 and at most 0.5"
        check.number("train", "holdout", self.holdout, expected, low=positive, below=0.5 + 1e-9)


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
        The mean loss of the latest batches of this epoch, at most twenty, in nats per character.
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


class Trainer:
    """A training run: model, optimizer, state carried between batches, and position in the text.

    Parameters
    ----------
    text : str
        The text to learn. Its characters are the vocabulary, and its end is held out for
        evaluation.
    architecture : Architecture
    options : Options

    Raises
    ------
    ValueError
        If the text is too short for the batch size.

    Examples
    --------
    >>> import os, tempfile
    >>> from tinygrad_rnn.app.char_model import Architecture
    >>> from tinygrad_rnn.app.train import Options, Trainer
    >>> options = Options(epochs=1, batch_size=2, steps=8, holdout=0.2)
    >>> trainer = Trainer("Math" * 40, Architecture(hidden=8, embedding=0), options)
    >>> before = trainer.evaluate()
    >>> trainer.run()
    True
    >>> trainer.evaluate() < before
    True
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trainer.save(os.path.join(folder, "model.safetensors"))
    """

    def __init__(self, text: str, architecture: Architecture, options: Options):
        self._prepare(text, options)
        self.model = CharModel(CharVocab(text), architecture, rng=options.seed)
        self._encode(text)
        self.optimizer = Adam(self.model.parameters(), lr=options.lr)
        self.epoch, self.batch, self.state = 0, 0, None

    def _prepare(self, text: str, options: Options) -> None:
        """Choose where the held-out text begins, and check that enough text precedes it."""
        self.options, self.digest = options, _digest(text)
        self.cut = len(text) - max(2, round(len(text) * options.holdout))
        streams = options.batch_size
        if self.cut < 2 * streams:
            needed = f"at least {2 * streams} characters besides those held out"
            fix = (
                "use a longer text or a smaller batch size"
                if text
                else "use another text, because the text is empty"
            )
            got = format_count(len(text), "character")
            raise argument_error("train", "text", f"{needed}, for {streams} streams", got, fix)
        self.batches = count_batches(self.cut, streams, options.steps)

    def _encode(self, text: str) -> None:
        """Store the training text and the held-out text as indices of characters."""
        indices = self.model.vocab.encode(text)
        self.training, self.held_out = indices[: self.cut], indices[self.cut :]

    @cached_property
    def _runnable_model(self) -> Callable[..., Any]:
        """The model, compiled if ``options.compile`` is true."""
        if not self.options.compile:
            return self.model
        from ..compile import compile

        return compile(self.model)

    def step(self, x: np.ndarray, y: np.ndarray) -> float:
        """Train on one batch: forward, backward, clip, update.

        Parameters
        ----------
        x, y : integers of shape (T, B)
            The indices of characters, and of the characters that follow them.

        Returns
        -------
        float
            The loss before the update, in nats per character.

        Raises
        ------
        ValueError
            If training has diverged: the loss is NaN or too large, or a gradient is not finite.
            In that case, no parameter is updated.

        Examples
        --------
        >>> from tinygrad_rnn.app.char_model import Architecture
        >>> from tinygrad_rnn.text import batches
        >>> from tinygrad_rnn.app.train import Options, Trainer
        >>> trainer = Trainer("Math" * 40, Architecture(hidden=8), Options(batch_size=2, steps=8))
        >>> x, y = next(batches(trainer.training, 2, 8))
        >>> trainer.step(x, y) > trainer.step(x, y)
        True
        """
        place = f"in epoch {self.epoch + 1}, batch {self.batch + 1} of {self.batches}"
        logits, state = self._runnable_model(x, self.state)
        loss = nn.functional.cross_entropy(logits, y)
        _check_loss(loss.item(), place)
        self.optimizer.zero_grad()
        loss.backward()
        try:
            nn.clip_grad_norm_(self.model.parameters(), self.options.clip)
        except ValueError as error:
            raise _divergence_error(f"a gradient that is not finite {place}") from error
        self.optimizer.step()
        self.state = detach(state)
        return loss.item()

    def run(
        self,
        *,
        on_batch: Callable[[Progress], None] | None = None,
        on_epoch: Callable[[int, float, float], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> bool:
        """Train until all epochs are done, or until `stop` returns True.

        Parameters
        ----------
        on_batch : callable, optional
            Called with a `Progress` after every batch.
        on_epoch : callable, optional
            Called as ``on_epoch(epoch, training_loss, held_out_loss)`` after every epoch. Epochs
            count from 1 here, and losses are in nats per character.
        stop : callable, optional
            Called without arguments before every batch. If it returns True, training stops.

        Returns
        -------
        bool
            True if all epochs are done, False if `stop` ended the training.

        Raises
        ------
        ValueError
            If training has diverged. `on_epoch` is not called for that epoch.

        Examples
        --------
        >>> from tinygrad_rnn.app.char_model import Architecture
        >>> from tinygrad_rnn.app.train import Options, Trainer
        >>> options = Options(epochs=2, batch_size=2, steps=8)
        >>> trainer = Trainer("Math" * 40, Architecture(hidden=8), options)
        >>> trainer.run(on_epoch=lambda epoch, loss, held_out: print(epoch))
        1
        2
        True
        """
        options, start, characters, done = self.options, perf_counter(), 0, 0
        todo = (options.epochs - self.epoch) * self.batches - self.batch
        self.model.train()
        while self.epoch < options.epochs:
            losses: list[float] = []
            for x, y in batches(self.training, options.batch_size, options.steps, start=self.batch):
                if stop is not None and stop():
                    return False
                losses.append(self.step(x, y))
                self.batch, done, characters = self.batch + 1, done + 1, characters + x.size
                elapsed = perf_counter() - start
                if on_batch is not None:
                    loss = float(np.mean(losses[-20:]))
                    speed, left = characters / elapsed, elapsed / done * (todo - done)
                    on_batch(Progress(self.epoch, self.batch, self.batches, loss, speed, left))
            self.epoch, self.batch, self.state = self.epoch + 1, 0, None
            if on_epoch is not None:
                held_out = self.evaluate()
                _check_loss(held_out, f"on the held-out text after epoch {self.epoch}")
                on_epoch(self.epoch, float(np.mean(losses)) if losses else float("nan"), held_out)
        return True

    def evaluate(self) -> float:
        """Return the mean loss on the held-out text, in nats per character.

        The text is read from its start with an initial state of zeros.
        """
        total, state = 0.0, None
        with eval_mode(self.model), no_grad():
            for x, y in batches(self.held_out, 1, 256):
                logits, state = self._runnable_model(x, state)
                total += nn.functional.cross_entropy(logits, y, reduction="sum").item()
        return total / (len(self.held_out) - 1)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint to `path`, completely or not at all.

        It contains everything that the next training step depends on, except the text itself.
        """
        states = self.state if isinstance(self.state, tuple) else (self.state,)
        arrays = {f"optimizer.{name}": array for name, array in self.optimizer.state_dict().items()}
        for name, state in zip(("state", "state_c"), states, strict=False):
            if state is not None:
                arrays[name] = state.data
        notes = {
            "options": asdict(self.options),
            "digest": self.digest,
            "epoch": self.epoch,
            "batch": self.batch,
            "rng": self.model.recurrent.rng.bit_generator.state,
        }
        save_model(self.model, path, arrays=arrays, notes=notes)

    @classmethod
    def resume(
        cls, path: str | os.PathLike[str], text: str, *, epochs: int | None = None
    ) -> Trainer:
        """Return a Trainer that continues from a checkpoint that `save` wrote.

        Parameters
        ----------
        path : path-like
        text : str
            The text that the checkpoint was trained on.
        epochs : int, optional
            A new total number of epochs, larger or smaller than in the checkpoint.

        Returns
        -------
        Trainer
            Its next step has bit for bit the same result as in an uninterrupted run.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged or altered, contains no training state, or belongs to another
            text.

        Examples
        --------
        >>> import os, tempfile
        >>> from tinygrad_rnn.app.char_model import Architecture
        >>> from tinygrad_rnn.app.train import Options, Trainer
        >>> options = Options(epochs=1, batch_size=2, steps=8)
        >>> trainer = Trainer("Math" * 40, Architecture(hidden=8), options)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "model.safetensors")
        ...     trainer.save(path)
        ...     again = Trainer.resume(path, "Math" * 40)
        >>> again.evaluate() == trainer.evaluate()
        True
        """
        model, arrays, notes = load_model(path)
        try:
            if not isinstance(notes.get("options"), dict):
                raise ValueError("it contains no training state")
            options = Options(**notes["options"])
            if notes["digest"] != _digest(text):
                raise ValueError("it was trained on another text")
            trainer = cls.__new__(cls)
            trainer._prepare(text, options)
            trainer.model = model
            trainer._encode(text)
            trainer.optimizer = Adam(model.parameters(), lr=options.lr)
            optimizer_state = {
                name.removeprefix("optimizer."): array
                for name, array in arrays.items()
                if name.startswith("optimizer.")
            }
            trainer.optimizer.load_state_dict(optimizer_state)
            model.recurrent.rng.bit_generator.state = notes["rng"]
            trainer.epoch, trainer.batch = notes["epoch"], notes["batch"]
        except (KeyError, TypeError, ValueError) as error:
            expected, got = "a checkpoint of this text", f"{str(path)!r} ({error})"
            fix = "train without --resume"
            raise argument_error("train", "resume", expected, got, fix) from error
        states = tuple(Tensor(arrays[name]) for name in ("state", "state_c") if name in arrays)
        trainer.state = states if len(states) > 1 else states[0] if states else None
        if epochs is not None:
            trainer.options = replace(options, epochs=epochs)
        return trainer


def _digest(text: str) -> str:
    """Return a digest that identifies the text of a checkpoint."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _check_loss(loss: float, place: str) -> None:
    """Raise ValueError if the loss is NaN, or so large that training has diverged."""
    if not loss < DIVERGED_LOSS:
        raise _divergence_error(f"a loss of {loss:.3g} {place}")


def _divergence_error(got: str) -> Exception:
    expected = f"a loss below {DIVERGED_LOSS:,.0f} and finite gradients"
    fix = "use a smaller --lr, or clip harder with a smaller --clip"
    fix += "; an earlier checkpoint stays unchanged"
    return argument_error("train", "lr", expected, got, fix)


def demo_text() -> str:
    """Return English prose that ships with Python.

    It consists of the help topics of the language reference, in alphabetical order. Only the first
    150,000 characters are kept.
    """
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))[:150_000]
