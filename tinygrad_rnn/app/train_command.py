"""The command `tinygrad-rnn train`: train a character model on a text, with checkpoints."""

from __future__ import annotations

import argparse
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import check
from ..errors import argument_error
from ..serialize.whole_file import find_target
from .char_model import Architecture
from .checkpoint import START_AGAIN
from .checkpoint_file import is_checkpoint
from .checkpoint_lock import lock_checkpoint
from .command_parser import add_options
from .console import add_plain_option, make_console, print_line
from .learning_curve import can_draw, is_learning_curve
from .output_file import claim_name
from .run_log import read_log
from .same_run import require_same_run
from .streams import OptionalOutput
from .text_file import STDIN, read_text
from .train import Options, Trainer, demo_text
from .training_session import Outputs, TrainingSession

if TYPE_CHECKING:
    from rich.console import Console

HELP = "train a character model on a text file"
SMALLER = "use a smaller --hidden, --layers, --batch-size or --steps"
"""The advice if memory does not suffice."""
EXAMPLES = (
    "tinygrad-rnn train --demo --epochs 1",
    "tinygrad-rnn train text.txt --hidden 64 --epochs 3 --out model.safetensors",
    "tinygrad-rnn train text.txt --out model.safetensors --resume --epochs 5",
)
RESUME = (
    "continue from the checkpoint with the options stored in it; only --epochs and --patience may "
    "change, and FILE and --valid must be given again"
)
OVERWRITE = "start a new training even if MODEL is the checkpoint of another one, and replace it"
FILES = {
    "--out": (
        Path,
        "MODEL",
        "path of the checkpoint (default: name of the text file, with .safetensors)",
    ),
    "--valid": (
        Path,
        "FILE",
        "text file for evaluation (default: the end of the training text, see --holdout); "
        "give it again with --resume",
    ),
    "--log": (
        Path,
        "FILE",
        "write the figures of every epoch as a line of JSON; at the end, draw the learning curve "
        "into an .svg file beside FILE, if Matplotlib is installed",
    ),
}
"""The type, the name of the value and the help text of each option; see `add_options`."""
SETTINGS = {
    "embedding": "length of a character's vector, 0 for one-hot",
    "hidden": "size of the state",
    "layers": "number of recurrent layers",
    "dropout": "probability of dropout between layers; it needs two layers or more",
    "epochs": "number of passes through the text",
    "batch_size": "number of streams of text read in parallel",
    "steps": "number of characters after which backpropagation through time is truncated",
    "lr": "Adam's learning rate",
    "clip": "maximum global norm of the gradients",
    "holdout": "fraction of the text, at its end, kept for evaluation",
    "seed": "random seed of initial weights and dropout",
    "patience": "stop after N epochs without a better held-out loss, 0 for never; "
    "the best epoch is saved in a second file, named like MODEL with .best before the suffix",
}
"""The help text of the option for each numeric field of `Architecture` and `Options`."""
CHANGEABLE = ("epochs", "patience")
"""The options that may differ from those in the checkpoint when a training is resumed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add arguments for the text, the checkpoint, and each field of `Architecture` and `Options`.

    The default ``SUPPRESS`` means that the parsed options contain only those that the user gave. So
    `run` can tell which options contradict a checkpoint.
    """
    source = parser.add_mutually_exclusive_group(required=True)
    text = "a UTF-8 text file, or - for standard input"
    source.add_argument("file", nargs="?", type=Path, metavar="FILE", help=text)
    source.add_argument("--demo", action="store_true", help="train on text that ships with Python")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help=RESUME)
    existing.add_argument("--overwrite", action="store_true", help=OVERWRITE)
    add_options(parser, FILES)
    unset = argparse.SUPPRESS  # so that `run` knows which options were given
    defaults = asdict(Architecture()) | asdict(Options())
    text = f"kind of recurrent layer (default {defaults['cell']})"
    parser.add_argument("--cell", choices=("rnn", "gru", "lstm"), default=unset, help=text)
    for name, text in SETTINGS.items():
        default = defaults[name]
        settings = {"type": type(default), "metavar": "N" if isinstance(default, int) else "X"}
        text = f"{text} (default {default})"
        parser.add_argument(_format_option(name), default=unset, help=text, **settings)
    text = "compile the training step to a NumPy program"
    parser.add_argument("--compile", action="store_true", default=unset, help=text)
    add_plain_option(parser)


def run(options: argparse.Namespace) -> int:
    """Train a new model or continue from a checkpoint, and return the exit code."""
    parsed = vars(options)
    sizes, settings = (
        {field.name: parsed[field.name] for field in fields(kind) if field.name in parsed}
        for kind in (Architecture, Options)
    )
    new = None if options.resume else (Architecture(**sizes), Options(**settings))
    name = "demo" if options.demo else "stdin" if options.file == STDIN else options.file.stem
    out = options.out or Path(f"{name}.safetensors")
    with lock_checkpoint(find_target(out, operation="train", argument="--out")):
        outputs = _claim_outputs(options, out)
        text, valid = _read_texts(options)
        if new is not None:
            trainer = Trainer(text, *new, valid=valid)
        else:
            changes = {name: settings[name] for name in CHANGEABLE if name in settings}
            trainer = Trainer.resume(out, text, valid=valid, **changes)
            stored = asdict(trainer.model.architecture) | asdict(trainer.options)
            _check_agreement(sizes | settings, stored, out)
            require_same_run(outputs, trainer)
        trainer.valid_path = None if options.valid is None else str(options.valid)
        console = make_console(options.plain, OptionalOutput())
        _warn_of_idle_dropout(console, trainer.model.architecture)
        if new is not None and not trainer.options.patience and is_checkpoint(outputs.best):
            note = "is not part of this training, because an earlier one wrote it."
            print_line(console, f"Note: {str(outputs.best)!r} {note}")
        return TrainingSession(trainer, outputs, console).run()


def _warn_of_idle_dropout(console: Console, architecture: Architecture) -> None:
    """Print a warning if there is dropout but only one layer: dropout acts between layers."""
    if architecture.dropout and architecture.layers == 1:
        warning = f"Warning: --dropout {architecture.dropout} has no effect with one layer, "
        warning += "because dropout acts between layers. Use --layers 2, or leave --dropout out."
        print_line(console, warning)


def _claim_outputs(options: argparse.Namespace, out: Path) -> Outputs:
    """Return the files that the training writes, each checked before any work.

    Symbolic links are followed when these files are written.
    """
    best = out.with_name(f"{out.stem}.best{out.suffix}")
    log, curve = options.log, None
    may_replace = options.resume or options.overwrite

    def is_own_model(path: Path) -> bool:
        # With --resume, any file passes here, because `Trainer.resume` has a better error for it.
        return options.resume or is_checkpoint(path)

    claims = [(out, "--out", is_own_model)]
    if "patience" in options:
        claims.append((best, "--out", is_checkpoint))
    if log is not None:
        claims.append((log, "--log", lambda path: read_log(path) is not None))
        if can_draw():
            curve = log.parent / f"{log.stem}.svg"
            claims.append((curve, "--log", is_learning_curve))
    targets: list[Path] = []
    for path, argument, is_own in claims:
        target = claim_name(path, argument, is_own=is_own, may_replace=may_replace)
        if target in targets:
            expected, got = "a name for each file that is written", f"{str(path)!r} twice"
            raise argument_error("train", argument, expected, got, "give another name")
        targets.append(target)
    _, *others = targets
    return Outputs(out, best, log, curve, tuple(others) if options.overwrite else ())


def _read_texts(options: argparse.Namespace) -> tuple[str, str | None]:
    """Return the text to train on, and the validation text, if there is one."""
    valid = None
    if options.valid is not None:
        one, fix = "one of --valid and --holdout", "leave one of them out"
        check.require("holdout" not in options, "train", "--holdout", one, "both", fix)
        if options.valid == options.file == STDIN:
            expected, got = "two texts", "- (standard input) for both FILE and --valid"
            raise argument_error("train", "--valid", expected, got, "give the path of a file")
        valid = read_text("train", "--valid", options.valid)
    text = demo_text() if options.demo else read_text("train", "FILE", options.file)
    return text, valid


def _format_option(name: str) -> str:
    """Return the command-line option for a field of `Architecture` or `Options`."""
    return "--" + name.replace("_", "-")


def _check_agreement(requested: dict[str, Any], stored: dict[str, Any], out: Path) -> None:
    """Raise ValueError if an option contradicts the checkpoint that training continues from."""
    for name, value in requested.items():
        if value != stored[name]:
            expected = f"{stored[name]}, as in the checkpoint {str(out)!r}"
            fix = f"leave the option out, or {START_AGAIN}"
            raise argument_error("train", _format_option(name), expected, str(value), fix)
