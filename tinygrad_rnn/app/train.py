"""Training of a character model, with truncated backpropagation through time and checkpoints.

`Trainer` holds everything that the next training step depends on. `Trainer.save` writes all of this
except the text, and `Trainer.resume` reads it back. So a resumed run gives bit for bit the same
result as an uninterrupted run.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from .. import nn
from ..blocks import no_grad
from ..errors import argument_error, format_count
from ..nn.module import eval_mode
from ..optim import Adam
from ..scan import detach
from ..text import CharVocab, batches, count_batches
from . import checkpoint
from .char_model import Architecture, CharModel, load_model, save_model
from .compiled_step import DIVERGED_LOSS, Diverged, compile_evaluation, compile_step
from .progress import Pace, Progress
from .training_options import Options

__all__ = ["Options", "Progress", "Trainer"]
SHORTEST_STREAM = 256
"""The least length of a stream of held-out text, in characters.

Each stream begins with a state of zeros.
"""


class Trainer:
    """A training run: model, optimizer, state carried between batches, and position in the text.

    Parameters
    ----------
    text : str
        The text to learn. Its end is held out for evaluation.
    architecture : Architecture
    options : Options
    valid : str, optional
        A validation text. Evaluation then uses this text, and all of `text` is for training. The
        vocabulary consists of the characters of both.

    Attributes
    ----------
    epoch : int
        The number of epochs that are done, evaluation included.
    batch : int
        The number of batches that are done in the current epoch.
    history : list of (float, float)
        The training loss and the held-out loss of every epoch, in nats per character.
    generator_state : dict
        The state of the random generator after the last update. The next step begins with it.
    valid_path : str or None
        Where the validation text was read. A checkpoint stores this path for the error message when
        a training is resumed without this text. None, the default, if the path is unknown.

    Raises
    ------
    ValueError
        If a text is too short.

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
    >>> trainer.is_done, trainer.position, trainer.best_epoch
    (True, (1, 0), 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trainer.save(os.path.join(folder, "model.safetensors"))
    """

    def __init__(
        self, text: str, architecture: Architecture, options: Options, *, valid: str | None = None
    ):
        self._measure(text, valid, options)
        vocab = CharVocab(text + (valid or ""))
        self._start(text, valid, CharModel(vocab, architecture, rng=options.seed))

    def _measure(self, text: str, valid: str | None, options: Options) -> None:
        """Choose where the held-out text begins, and check that both texts are long enough."""
        self.options = options
        self.valid_path: str | None = None
        self.digest, self.valid_digest = _digest_both(text, valid)
        held_out = max(2, round(len(text) * options.holdout)) if valid is None else 0
        self.cut = len(text) - held_out
        streams = options.batch_size
        if self.cut < 2 * streams:
            needed = f"at least {2 * streams} characters"
            needed += " besides those held out" if held_out else ""
            fix = "use a longer text or a smaller batch size"
            fix = fix if text else "use another text, because the text is empty"
            got = format_count(len(text), "character")
            raise argument_error("train", "text", f"{needed}, for {streams} streams", got, fix)
        if valid is not None and len(valid) < 2:
            expected, got = "at least 2 characters", format_count(len(valid), "character")
            raise argument_error("train", "valid", expected, got, "use a longer validation text")
        self.batches = count_batches(self.cut, streams, options.steps)

    def _start(self, text: str, valid: str | None, model: CharModel) -> None:
        """Encode the texts, and begin at the first batch."""
        encode = model.vocab.encode
        self.training = encode(text[: self.cut])
        self.held_out = encode(text[self.cut :] if valid is None else valid)
        self.model, self.rng = model, model.recurrent.rng
        self.generator_state = self.rng.bit_generator.state
        self.optimizer = Adam(model.parameters(), lr=self.options.lr)
        self.epoch, self.batch, self.state = 0, 0, None
        self.loss_sum = 0.0
        self.history: list[tuple[float, float]] = []

    @cached_property
    def _compiled_step(self) -> Callable[..., Any]:
        """The whole training step as one program."""
        return compile_step(self.model, self.optimizer, self.options.clip)

    @cached_property
    def _evaluate_batch(self) -> Callable[..., Any]:
        """A function that returns the sum of the losses of a batch, and the new state."""
        evaluation: Any = compile_evaluation(self.model)
        return evaluation if self.options.compile else evaluation.target

    @property
    def position(self) -> tuple[int, int]:
        """The number of epochs that are done, and of batches done in the current epoch."""
        return self.epoch, self.batch

    @property
    def best_epoch(self) -> int:
        """The number of the epoch with the lowest held-out loss, from 1; 0 before the first."""
        losses = [held_out for _, held_out in self.history]
        return losses.index(min(losses)) + 1 if losses else 0

    @property
    def is_done(self) -> bool:
        """True if all epochs are done, or if `patience` epochs in a row brought no better loss."""
        patience = self.options.patience
        is_stuck = bool(patience) and self.epoch - self.best_epoch >= patience
        return is_stuck or self.epoch >= self.options.epochs

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
        if self.options.compile:
            return self._run_compiled_step(x, y)
        loss, state = self._differentiate(x, y)
        self._update(state)
        return loss

    def _run_compiled_step(self, x: np.ndarray, y: np.ndarray) -> float:
        """Do what `_differentiate` and `_update` do, in one program."""
        self.rng.bit_generator.state = self.generator_state
        try:
            loss, state = self._compiled_step(x, y, self.state)
        except Diverged as error:
            raise _divergence_error(f"{error} {self._place}") from error
        self.state, self.generator_state = state, self.rng.bit_generator.state
        return loss.item()

    @property
    def _place(self) -> str:
        return f"in epoch {self.epoch + 1}, batch {self.batch + 1} of {self.batches}"

    def _differentiate(self, x: np.ndarray, y: np.ndarray) -> tuple[float, Any]:
        """Set the clipped gradients; return the loss and the new state.

        Dropout draws random numbers, from the state of the generator after the last update. So a
        step that an exception ended, KeyboardInterrupt included, is repeated bit for bit.
        """
        self.rng.bit_generator.state = self.generator_state
        logits, state = self.model(x, self.state)
        loss = nn.functional.cross_entropy(logits, y)
        _check_loss(loss.item(), self._place)
        self.optimizer.zero_grad()
        loss.backward()
        try:
            nn.clip_grad_norm_(self.model.parameters(), self.options.clip)
        except ValueError as error:
            raise _divergence_error(f"a gradient that is not finite {self._place}") from error
        return loss.item(), detach(state)

    def _update(self, state: Any) -> None:
        """Update the parameters from their gradients, and go on to the new state."""
        self.optimizer.step()
        self.state, self.generator_state = state, self.rng.bit_generator.state

    def run(
        self,
        *,
        on_batch: Callable[[Progress], None] | None = None,
        on_trained: Callable[[], None] | None = None,
        on_epoch: Callable[[int, float, float], None] | None = None,
        stop: Callable[[], bool] | None = None,
        hold: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> bool:
        """Train until all epochs are done, the patience is exhausted, or `stop` returns True.

        Parameters
        ----------
        on_batch : callable, optional
            Called with a `Progress` after every batch.
        on_trained : callable, optional
            Called without arguments when the batches of an epoch are done, before its evaluation.
        on_epoch : callable, optional
            Called as ``on_epoch(epoch, training_loss, held_out_loss)`` after every epoch. Epochs
            count from 1 here, and losses are in nats per character. The training loss is the mean
            over the whole epoch, even if the epoch was interrupted and resumed.
        stop : callable, optional
            Called without arguments before every batch. If it returns True, training stops.
        hold : callable, optional
            Called without arguments before every change of the trainer's state. It returns a
            context manager, and the change is made inside of it. If the context manager holds back
            the exceptions of signal handlers, the state can be saved and resumed after a signal at
            any moment.

        Returns
        -------
        bool
            True if training is done, False if `stop` ended it.

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
        # A forward pass takes about a third of the time of a training step.
        pace = Pace(evaluation=self.batches * len(self.held_out) / (3 * len(self.training)))
        options, recent = self.options, deque[float](maxlen=20)
        self.model.train()
        while not self.is_done:
            for x, y in batches(self.training, options.batch_size, options.steps, start=self.batch):
                if stop is not None and stop():
                    return False
                if options.compile:
                    with hold():
                        loss = self._run_compiled_step(x, y)
                        self._count_batch(loss)
                else:
                    loss, state = self._differentiate(x, y)
                    with hold():
                        self._update(state)
                        self._count_batch(loss)
                pace.add_batch(x.size)
                recent.append(loss)
                if on_batch is not None:
                    on_batch(self._progress(pace, float(np.mean(recent))))
            self._end_epoch(on_trained, on_epoch, hold)
            pace.add_evaluation()
            recent.clear()
        return True

    def _count_batch(self, loss: float) -> None:
        self.batch, self.loss_sum = self.batch + 1, self.loss_sum + loss

    def _progress(self, pace: Pace, loss: float) -> Progress:
        """Return the progress after a batch."""
        epochs = self.options.epochs - self.epoch
        left = pace.seconds_left(epochs * self.batches - self.batch, epochs)
        speed = pace.characters_per_second
        return Progress(self.epoch, self.batch, self.batches, loss, speed, left)

    def _end_epoch(
        self,
        on_trained: Callable[[], None] | None,
        on_epoch: Callable[[int, float, float], None] | None,
        hold: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Evaluate the model, and go on to the next epoch."""
        place = f"on the held-out text after epoch {self.epoch + 1}"
        # The last update may have diverged. This is noticed before `on_trained` saves the weights.
        _check_loss(self._mean_loss(islice(self._held_out_batches(), 1)), place)
        if on_trained is not None:
            on_trained()
        held_out = self.evaluate()
        _check_loss(held_out, place)
        loss = self.loss_sum / self.batches
        with hold():
            self.history.append((loss, held_out))
            self.epoch, self.batch, self.state, self.loss_sum = self.epoch + 1, 0, None, 0.0
        if on_epoch is not None:
            on_epoch(self.epoch, loss, held_out)

    def evaluate(self) -> float:
        """Return the mean loss on the held-out text, in nats per character.

        A long text is read as parallel streams, at most as many as in training. Each begins with a
        state of zeros and has at least 256 characters. Characters left over at the end do not
        count.
        """
        return self._mean_loss(self._held_out_batches())

    def _held_out_batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Return an iterator over the held-out text."""
        streams = min(self.options.batch_size, max(1, len(self.held_out) // SHORTEST_STREAM))
        return batches(self.held_out, streams, self.options.steps)

    def _mean_loss(self, pairs: Iterator[tuple[np.ndarray, np.ndarray]]) -> float:
        """Return the mean loss on batches that follow each other, in nats per character."""
        total, characters, state = 0.0, 0, None
        with eval_mode(self.model), no_grad():
            for x, y in pairs:
                loss, state = self._evaluate_batch(x, y, state)
                total += loss.item()
                characters += y.size
        return total / characters

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint to `path`, completely or not at all.

        It contains everything that the next training step depends on, except the text itself.
        """
        arrays, notes = checkpoint.pack(self)
        save_model(self.model, path, arrays=arrays, notes=notes)

    @classmethod
    def resume(
        cls,
        path: str | os.PathLike[str],
        text: str,
        *,
        valid: str | None = None,
        epochs: int | None = None,
        patience: int | None = None,
    ) -> Trainer:
        """Return a Trainer that continues from a checkpoint that `save` wrote.

        Parameters
        ----------
        path : path-like
        text : str
            The text that the checkpoint was trained on.
        valid : str, optional
            The validation text, if the checkpoint was trained with one.
        epochs, patience : int, optional
            A new total number of epochs, and a new patience.

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
            options = checkpoint.read_options(notes)
            trainer = cls.__new__(cls)
            trainer.digest, trainer.valid_digest = _digest_both(text, valid)
            checkpoint.check_texts(trainer, notes)
            trainer._measure(text, valid, options)
            trainer._start(text, valid, model)
            checkpoint.restore(trainer, arrays, notes)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            reason = f"missing {error}" if isinstance(error, KeyError) else error
            expected, got = "a checkpoint of this text", f"{os.fsdecode(path)!r} ({reason})"
            fix = getattr(error, "fix", checkpoint.START_AGAIN)
            raise argument_error("train", "resume", expected, got, fix) from error
        changes = {"epochs": epochs, "patience": patience}
        given = {name: value for name, value in changes.items() if value is not None}
        trainer.options = replace(options, **given)
        return trainer


def _digest_both(text: str, valid: str | None) -> tuple[str, str | None]:
    """Return the digests of a text and of its validation text, if there is one."""
    return _digest(text), None if valid is None else _digest(valid)


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
