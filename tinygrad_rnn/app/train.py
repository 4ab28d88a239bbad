"""Training a character model: truncated BPTT, checkpoints, and going on from one bit for bit.

`Trainer` holds everything that the next step depends on. `Trainer.save` writes all of it and
`Trainer.resume` reads it back, so a run that was interrupted ends with the same bits as one that was not.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from math import log
from time import perf_counter
from typing import Any

import numpy as np

from .. import nn
from ..errors import argument_error, format_count
from ..graph import no_grad
from ..nn.module import eval_mode
from ..optim import Adam
from ..scan import detach
from ..tensor import Tensor
from ..text import CharVocab, batches, count_batches
from .char_model import Architecture, CharModel, load_model, save_model

__all__ = ["Options", "Progress", "Trainer"]
HOPELESS = 1e6
"""Nats a character at which a training has diverged, finite as they may be: a blind guess costs the log of the vocabulary's size."""


@dataclass(frozen=True)
class Options:
    """How to train.

    Attributes
    ----------
    epochs : int
        Passes through the text.
    batch_size : int
        Streams that are read side by side.
    steps : int
        Characters between truncations of BPTT.
    lr : float
        Adam's learning rate.
    clip : float
        The largest norm of all gradients together.
    holdout : float in (0, 0.5]
        The share of the text, at its end, that is only for evaluation.
    seed : int
    compile : bool
        Run the recurrent layers as NumPy programs; see `tinygrad_rnn.compile`.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> from tinygrad_rnn.app.train import Options
    >>> Options(epochs=3, lr=0.01)
    Options(epochs=3, batch_size=16, steps=32, lr=0.01, clip=1.0, holdout=0.1, seed=0, compile=False)
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
            if getattr(self, name) < 1:
                raise argument_error(
                    "train",
                    name,
                    expected="a positive integer",
                    got=repr(getattr(self, name)),
                    fix="check it",
                )
        for name, most in (("lr", float("inf")), ("clip", float("inf")), ("holdout", 0.5 + 1e-9)):
            if not 0 < getattr(self, name) < most:
                expected = (
                    "a number above 0" if name != "holdout" else "a share above 0 and at most 0.5"
                )
                raise argument_error(
                    "train", name, expected=expected, got=repr(getattr(self, name)), fix="check it"
                )


@dataclass(frozen=True)
class Progress:
    """Where training is, as `Trainer.run` tells it after every batch.

    Attributes
    ----------
    epoch : int
        Counted from 0.
    batch : int
        How many of this epoch are done.
    batches : int
        How many there are in an epoch.
    loss : float
        The mean over the last twenty batches, in nats a character.
    characters_per_second : float
    seconds_left : float
        Of all epochs, at the speed so far.

    Examples
    --------
    >>> from tinygrad_rnn.app.train import Progress
    >>> round(Progress(epoch=0, batch=3, batches=10, loss=0.6931, characters_per_second=1e5, seconds_left=2.0).bits, 3)
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
        """Bits per character."""
        return self.loss / log(2)


class Trainer:
    """One run of training: model, optimizer, the state that is carried, and the place in the text.

    Parameters
    ----------
    text : str
        What to learn: its characters are the vocabulary. The end of it is held out.
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
        """Cut the text in two and check that both parts are long enough."""
        self.options, self.length = options, len(text)
        self.digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        self.cut = len(text) - max(2, round(len(text) * options.holdout))
        if self.cut < 2 * options.batch_size:
            raise argument_error(
                "train",
                "text",
                expected=f"at least {2 * options.batch_size} characters besides those held out, for {options.batch_size} streams",
                got=format_count(len(text), "character"),
                fix="use a longer text or a smaller batch size"
                if text
                else "the text is empty; use another",
            )
        self.batches = count_batches(self.cut, options.batch_size, options.steps)

    def _encode(self, text: str) -> None:
        indices = self.model.vocab.encode(text)
        self.training, self.held_out = indices[: self.cut], indices[self.cut :]

    @cached_property
    def _run_model(self) -> Callable[..., Any]:
        """The model, compiled if that is wanted."""
        if not self.options.compile:
            return self.model
        from ..compile import compile

        return compile(self.model)

    def step(self, x: np.ndarray, y: np.ndarray) -> float:
        """One batch: forward, backward, clip, update.

        Parameters
        ----------
        x, y : integers of shape (T, B)
            Characters, and those that follow them.

        Returns
        -------
        float
            The loss, in nats a character.

        Raises
        ------
        ValueError
            If the training has diverged: a loss out of all bounds, or a gradient that is not finite. Nothing is updated then.

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
        where = f"in epoch {self.epoch + 1}, batch {self.batch + 1} of {self.batches}"
        logits, state = self._run_model(x, self.state)
        loss = nn.functional.cross_entropy(logits, y)
        _check_loss(loss.item(), where)
        self.optimizer.zero_grad()
        loss.backward()
        try:
            nn.clip_grad_norm_(self.model.parameters(), self.options.clip)
        except ValueError as error:
            raise _diverged(f"a gradient that is not finite {where}") from error
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
        """Train until all epochs are done or `stop` says so, which is asked between batches.

        Parameters
        ----------
        on_batch : callable, optional
            Called with a `Progress` after every batch.
        on_epoch : callable, optional
            ``on_epoch(epoch, training_loss, held_out_loss)`` after every epoch, in nats a character.
        stop : callable, optional

        Returns
        -------
        bool
            Whether all epochs are done.

        Raises
        ------
        ValueError
            If the training has diverged; `on_epoch` is not called for that epoch.

        Examples
        --------
        >>> from tinygrad_rnn.app.char_model import Architecture
        >>> from tinygrad_rnn.app.train import Options, Trainer
        >>> trainer = Trainer("Math" * 40, Architecture(hidden=8), Options(epochs=2, batch_size=2, steps=8))
        >>> trainer.run(on_epoch=lambda epoch, loss, held_out: print(epoch))
        1
        2
        True
        """
        options, start, seen, done = self.options, perf_counter(), 0, 0
        todo = (options.epochs - self.epoch) * self.batches - self.batch
        self.model.train()
        while self.epoch < options.epochs:
            losses = []
            for x, y in batches(self.training, options.batch_size, options.steps, start=self.batch):
                if stop is not None and stop():
                    return False
                losses.append(self.step(x, y))
                self.batch, done, seen = self.batch + 1, done + 1, seen + x.size
                elapsed = perf_counter() - start
                if on_batch is not None:
                    left = elapsed / done * (todo - done)
                    on_batch(
                        Progress(
                            self.epoch,
                            self.batch,
                            self.batches,
                            float(np.mean(losses[-20:])),
                            seen / elapsed,
                            left,
                        )
                    )
            self.epoch, self.batch, self.state = self.epoch + 1, 0, None
            if on_epoch is not None:
                held_out = self.evaluate()
                _check_loss(held_out, f"on the held-out text after epoch {self.epoch}")
                on_epoch(self.epoch, float(np.mean(losses)) if losses else float("nan"), held_out)
        return True

    def evaluate(self) -> float:
        """The mean loss on the held-out text, in nats a character, read from its start with an empty state."""
        total, state = 0.0, None
        with eval_mode(self.model), no_grad():
            for x, y in batches(self.held_out, 1, 256):
                logits, state = self._run_model(x, state)
                total += nn.functional.cross_entropy(logits, y, reduction="sum").item()
        return total / (len(self.held_out) - 1)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything that the next step depends on to `path`, whole or not at all."""
        states = (
            ()
            if self.state is None
            else (self.state,)
            if isinstance(self.state, Tensor)
            else self.state
        )
        carried = dict(zip(("state", "state_c"), states, strict=False))
        arrays = {f"optimizer.{name}": array for name, array in self.optimizer.state_dict().items()}
        arrays |= {name: tensor.data for name, tensor in carried.items()}
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
        """Go on from what `save` wrote.

        Parameters
        ----------
        path : path-like
        text : str
            The same as before.
        epochs : int, optional
            More of them than before, or fewer, in all.

        Returns
        -------
        Trainer
            Its next step is, bit for bit, the one that would have come.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged or was altered, holds no training state, or belongs to another text.

        Examples
        --------
        >>> import os, tempfile
        >>> from tinygrad_rnn.app.char_model import Architecture
        >>> from tinygrad_rnn.app.train import Options, Trainer
        >>> trainer = Trainer("Math" * 40, Architecture(hidden=8), Options(epochs=1, batch_size=2, steps=8))
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
                raise ValueError("it holds no training to go on from")
            options = Options(**notes["options"])
            if notes["digest"] != hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest():
                raise ValueError("it was trained on another text")
            trainer = cls.__new__(cls)
            trainer._prepare(text, options)
            trainer.model = model
            trainer._encode(text)
            trainer.optimizer = Adam(model.parameters(), lr=options.lr)
            trainer.optimizer.load_state_dict(
                {
                    n.removeprefix("optimizer."): a
                    for n, a in arrays.items()
                    if n.startswith("optimizer.")
                }
            )
            model.recurrent.rng.bit_generator.state = notes["rng"]
            trainer.epoch, trainer.batch = notes["epoch"], notes["batch"]
        except (KeyError, TypeError, ValueError) as error:
            raise argument_error(
                "train",
                "resume",
                expected="a checkpoint of this text",
                got=f"{str(path)!r} ({error})",
                fix="train without --resume",
            ) from error
        carried: list[Any] = [
            Tensor(arrays[name]) for name in ("state", "state_c") if name in arrays
        ]
        trainer.state = None if not carried else carried[0] if len(carried) == 1 else tuple(carried)
        if epochs is not None:
            trainer.options = replace(options, epochs=epochs)
        return trainer


def _check_loss(loss: float, where: str) -> None:
    """Refuse to go on from a loss that is nan or beyond hope."""
    if not loss < HOPELESS:
        raise _diverged(f"a loss of {loss:.3g} {where}")


def _diverged(got: str) -> ValueError:
    fix = "use a smaller --lr, or clip harder with a smaller --clip; what was saved before stays as it is"
    return argument_error(
        "train",
        "lr",
        expected=f"a loss below {HOPELESS:,.0f} and finite gradients",
        got=got,
        fix=fix,
    )


def demo_text() -> str:
    """English prose that ships with Python: the language reference's help topics, in alphabetical order."""
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))[:150_000]
