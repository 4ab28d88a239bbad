"""The contents of a checkpoint: everything that the next training step depends on, except the text.

`pack` collects them from a Trainer. `restore` puts them into a new Trainer, and checks them first:
a file with correct checksums can still hold senseless values, because any program can compute
checksums.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from typing import Any

import numpy as np

from ..tensor import Tensor
from .char_model import select_prefix
from .training_options import Options

START_AGAIN = "start a new training with another --out, without --resume"
"""The fix if a checkpoint cannot be continued. Without another --out, it would be in the way."""
STATES = ("state", "state_c")
"""The names of the arrays of the recurrent state. Only the LSTM has the second."""


def pack(trainer: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and the notes that `restore` needs, besides the model."""
    arrays = {f"optimizer.{name}": array for name, array in trainer.optimizer.state_dict().items()}
    states = trainer.state if isinstance(trainer.state, tuple) else (trainer.state,)
    for name, state in zip(STATES, states, strict=False):
        if state is not None:
            arrays[name] = state.data
    notes = {
        "options": asdict(trainer.options),
        "digest": trainer.digest,
        "valid_digest": trainer.valid_digest,
        "valid_path": trainer.valid_path,
        "epoch": trainer.epoch,
        "batch": trainer.batch,
        "loss_sum": trainer.loss_sum,
        "history": [list(losses) for losses in trainer.history],
        "rng": trainer.generator_state,
    }
    return arrays, notes


def read_options(notes: Mapping[str, Any]) -> Options:
    """Return the options in the notes of a checkpoint; raise an error if there are none."""
    if not isinstance(notes.get("options"), dict):
        raise ValueError("it contains no training state")
    return Options(**notes["options"])


class OtherTextError(ValueError):
    """A checkpoint belongs to another text. The attribute `fix` says what to do."""

    def __init__(self, reason: str, fix: str):
        super().__init__(reason)
        self.fix = fix


def check_texts(trainer: Any, notes: Mapping[str, Any]) -> None:
    """Raise OtherTextError if the checkpoint belongs to another text or validation text."""
    if notes["digest"] != trainer.digest:
        raise OtherTextError("it was trained on another text", f"give that text, or {START_AGAIN}")
    stored, path = notes["valid_digest"], notes.get("valid_path")
    if stored == trainer.valid_digest:
        return
    if stored is None:
        reason = "it was evaluated on the end of its own text, without --valid"
        raise OtherTextError(reason, f"leave --valid out, or {START_AGAIN}")
    option = f"--valid {shlex.quote(path) if isinstance(path, str) else 'FILE'}"
    other = "this --valid is another text" if trainer.valid_digest else "--valid is missing"
    fix = f"repeat {option} with the same text as before, or {START_AGAIN}"
    raise OtherTextError(f"it was evaluated with {option}; {other}", fix)


def restore(trainer: Any, arrays: Mapping[str, np.ndarray], notes: Mapping[str, Any]) -> None:
    """Put a new Trainer, which has the model already, into the state that `pack` collected.

    Raises
    ------
    ValueError, TypeError, KeyError, OverflowError
        If a part of the state is missing or senseless.
    """
    epoch, batch, history = notes["epoch"], notes["batch"], notes["history"]
    is_sensible = {
        "epoch": _is_count(epoch),
        "batch": _is_count(batch) and batch <= trainer.batches,
        "loss_sum": _is_loss(notes["loss_sum"]),
        "history": isinstance(history, list)
        and len(history) == epoch
        and all(isinstance(pair, list) and len(pair) == 2 for pair in history)
        and all(_is_loss(loss) for pair in history for loss in pair),
    }
    for name, holds in is_sensible.items():
        if not holds:
            raise ValueError(f"its {name} is {notes[name]!s:.40}")
    _restore_generator(trainer.rng, notes["rng"])
    trainer.generator_state = trainer.rng.bit_generator.state
    optimizer_state = select_prefix("optimizer.", arrays)
    for name, array in optimizer_state.items():
        if not np.isfinite(array).all():
            raise ValueError(f"nan or inf in the optimizer's {name}")
        if name == "lr" and np.min(array) < 0:
            raise ValueError("a learning rate below 0")
    trainer.optimizer.load_state_dict(optimizer_state)
    trainer.state = _read_state(trainer, arrays) if batch else None
    trainer.epoch, trainer.batch, trainer.loss_sum = epoch, batch, notes["loss_sum"]
    trainer.history = [(loss, held_out) for loss, held_out in history]


def _restore_generator(rng: np.random.Generator, state: Any) -> None:
    """Set the state of a random generator; raise an error if `state` is impossible."""
    rng.bit_generator.state = state
    # NumPy raises no error for impossible numbers: it stores some, and reduces some modulo 2**n.
    if rng.bit_generator.state != state or state["has_uint32"] not in (0, 1):
        raise ValueError("its rng is not the state of a random generator")


def _is_count(value: Any) -> bool:
    """Return whether a value is an int (not a bool) of at least 0."""
    return type(value) is int and value >= 0


def _is_loss(value: Any) -> bool:
    """Return whether a value is a finite number."""
    return type(value) in (int, float) and isfinite(value)


def _read_state(trainer: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Return the recurrent state; raise ValueError if it does not fit the model."""
    model = trainer.model
    names = STATES if model.architecture.cell == "lstm" else STATES[:1]
    shape = (model.architecture.layers, trainer.options.batch_size, model.architecture.hidden)
    for name in names:
        array = arrays[name]
        if array.shape != shape or array.dtype != model.dtype or not np.isfinite(array).all():
            raise ValueError(f"its {name} is not a finite {model.dtype} array of shape {shape}")
    states = [Tensor(arrays[name]) for name in names]
    return tuple(states) if len(states) > 1 else states[0]
