"""The command `tinygrad-rnn train`: train a character model on a text, with checkpoints."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
from dataclasses import asdict, fields
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import argument_error, format_count
from .char_model import Architecture
from .console import add_plain_option, make_console, print_line
from .interrupt import INTERRUPTED
from .train import Options, Trainer, demo_text
from .training_display import TrainingDisplay

if TYPE_CHECKING:
    from rich.console import Console

HELP = "train a character model on a text file"
SETTINGS = {
    "embedding": "length of a character's vector, 0 for one-hot",
    "hidden": "size of the state",
    "layers": "number of recurrent layers",
    "dropout": "probability of dropout between layers",
    "epochs": "number of passes through the text",
    "batch_size": "number of streams of text read in parallel",
    "steps": "number of characters after which backpropagation through time is truncated",
    "lr": "Adam's learning rate",
    "clip": "maximum global norm of the gradients",
    "holdout": "fraction of the text, at its end, kept for evaluation",
    "seed": "random seed of initial weights and dropout",
}
"""The help text of the option for each numeric field of `Architecture` and `Options`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add arguments for the text, the checkpoint, and each field of `Architecture` and `Options`.

    The default ``SUPPRESS`` means that the parsed options contain only those that the user gave. So
    `run` can tell which options contradict a checkpoint.
    """
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a UTF-8 text file")
    source.add_argument("--demo", action="store_true", help="train on text that ships with Python")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="MODEL",
        help="path of the checkpoint (default: name of the text file, with .safetensors)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue from the checkpoint with the options stored in it; only --epochs may change",
    )
    defaults = asdict(Architecture()) | asdict(Options())
    parser.add_argument(
        "--cell",
        choices=("rnn", "gru", "lstm"),
        default=argparse.SUPPRESS,
        help=f"kind of recurrent layer (default {defaults['cell']})",
    )
    for name, text in SETTINGS.items():
        default = defaults[name]
        parser.add_argument(
            _format_option(name),
            type=type(default),
            default=argparse.SUPPRESS,
            metavar="N" if isinstance(default, int) else "X",
            help=f"{text} (default {default})",
        )
    parser.add_argument(
        "--compile",
        action="store_true",
        default=argparse.SUPPRESS,
        help="compile the recurrent layers to NumPy programs",
    )
    add_plain_option(parser)


def run(options: argparse.Namespace) -> int:
    """Train a new model or continue from a checkpoint, and return the exit code."""
    if options.demo:
        text, default_out = demo_text(), "demo.safetensors"
    else:
        text, default_out = _read_text(options.file), options.file.stem + ".safetensors"
    out = options.out or Path(default_out)
    _check_out(out)
    parsed = vars(options)
    sizes, settings = (
        {field.name: parsed[field.name] for field in fields(kind) if field.name in parsed}
        for kind in (Architecture, Options)
    )
    if options.resume:
        trainer = Trainer.resume(out, text, epochs=settings.get("epochs"))
        stored = asdict(trainer.model.architecture) | asdict(trainer.options)
        _check_agreement(sizes | settings, stored, out)
    else:
        trainer = Trainer(text, Architecture(**sizes), Options(**settings))
    return _train(trainer, out, make_console(options.plain))


def _format_option(name: str) -> str:
    """Return the command-line option for a field of `Architecture` or `Options`."""
    return "--" + name.replace("_", "-")


def _read_text(path: Path) -> str:
    """Return the text of a file; raise an error if the file does not exist or is not UTF-8."""
    if not path.is_file():
        got, fix = f"{str(path)!r}, which is not a file", "give the path of a text file"
        raise argument_error("train", "FILE", "a text file", got, fix, FileNotFoundError)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        got = f"byte {error.object[error.start]:#04x} at position {error.start}"
        fix = "convert the file to UTF-8, with iconv for example"
        raise argument_error("train", "FILE", "UTF-8 text", got, fix) from error


def _check_out(out: Path) -> None:
    """Raise an error if `out` cannot be written to, or is a file that must not be overwritten.

    This is checked before training begins. If `out` is a symbolic link, the checkpoint is written
    to the target of the link.
    """

    def make_error(expected: str, got: str, fix: str, kind: type[Exception]) -> Exception:
        return argument_error("train", "--out", expected, f"{str(out)!r}{got}", fix, kind)

    folder = Path(os.path.realpath(out)).parent
    if not folder.is_dir():
        expected = "a path in a folder that exists"
        raise make_error(expected, "", "create the folder first", FileNotFoundError)
    if not os.access(folder, os.W_OK):
        raise make_error("a path in a writable folder", "", "use another folder", PermissionError)
    if out.exists():
        from ..serialize import load_metadata

        try:
            load_metadata(out)
        except (ValueError, OSError) as error:
            got, fix = ", which is another file, not a checkpoint", "give another name with --out"
            raise make_error("a new file or a checkpoint", got, fix, ValueError) from error


def _check_agreement(requested: dict[str, Any], stored: dict[str, Any], out: Path) -> None:
    """Raise ValueError if an option contradicts the checkpoint that training continues from."""
    for name, value in requested.items():
        if value != stored[name]:
            expected = f"{stored[name]}, as in the checkpoint {str(out)!r}"
            fix = "leave the option out, or start a new training run without --resume"
            raise argument_error("train", _format_option(name), expected, str(value), fix)


def _train(trainer: Trainer, out: Path, console: Console) -> int:
    """Train with a progress display and return the exit code.

    The checkpoint is written after every epoch, at the end, and when Ctrl-C stops the training.
    """
    epochs = trainer.options.epochs
    print_line(console, _describe(trainer))
    if trainer.epoch >= epochs:
        done = format_count(epochs, "epoch")
        print_line(console, f"All {done} are done; set a larger number with --epochs.")
        return 0
    finished = _train_until_interrupted(trainer, out, TrainingDisplay(console, epochs))
    trainer.save(out)
    if finished:
        path = shlex.quote(f"./{out}" if str(out).startswith("-") else str(out))
        print_line(console, f"Saved {out}. Sample from it: tinygrad-rnn sample {path}")
        return 0
    place = f"epoch {trainer.epoch + 1}, after batch {trainer.batch} of {trainer.batches}"
    print_line(console, f"Stopped in {place}; saved {out}.")
    print_line(console, "Continue with --resume.")
    return INTERRUPTED


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


def _train_until_interrupted(trainer: Trainer, out: Path, display: TrainingDisplay) -> bool:
    """Train and save after every epoch; return True if all epochs are done.

    The first Ctrl-C stops the training after the current batch. A second Ctrl-C stops it at once.
    """
    is_stopped = False
    previous_handler = signal.getsignal(signal.SIGINT)

    def stop_after_batch(number: int, frame: FrameType | None) -> None:
        nonlocal is_stopped
        is_stopped = True
        signal.signal(signal.SIGINT, previous_handler)

    def finish_epoch(epoch: int, loss: float, held_out: float) -> None:
        trainer.save(out)
        display.show_epoch(epoch, loss, held_out)

    signal.signal(signal.SIGINT, stop_after_batch)
    try:
        # NumPy's warnings are off because the trainer reports a loss that is not finite.
        with display, np.errstate(over="ignore", invalid="ignore"):
            return trainer.run(
                on_batch=display.show_batch, on_epoch=finish_epoch, stop=lambda: is_stopped
            )
    finally:
        signal.signal(signal.SIGINT, previous_handler)
