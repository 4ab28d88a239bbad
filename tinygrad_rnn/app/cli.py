"""The command `tinygrad-rnn`: mathmath, train, sample, draw, compile, check."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from io import TextIOWrapper
from math import log
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ..analysis.labels import escape_unprintable
from ..errors import argument_error, format_count
from . import interrupt

if TYPE_CHECKING:
    from rich.console import Console

    from .train import Progress, Trainer


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave with exit code 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code.

    Whatever a user can get wrong ends in one line on stderr and exit code 2.
    """
    unheard = 0
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(
            errors="replace"
        )  # a terminal that cannot show a character gets a question mark, not a traceback
    try:
        try:
            options = _parser().parse_args(arguments)
            interrupt.over()
            unheard = (
                141 if options.command == "train" else 0
            )  # a training is cut short, as by SIGPIPE; the others only print
            return options.run(options)
        finally:
            print(end="", flush=True)  # here, where a closed pipe can still be answered
    except (BrokenPipeError, SystemExit) as leaving:
        if isinstance(leaving, SystemExit) and not isinstance(
            leaving.__context__, BrokenPipeError
        ):  # rich's way to say it
            raise
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # or Python complains as it flushes at exit
        return unheard
    except KeyboardInterrupt:
        print("tinygrad-rnn: interrupted", file=sys.stderr)
        return 130
    except MemoryError as error:
        print(
            f"tinygrad-rnn: not enough memory for these sizes ({_one_line(error)}); use smaller ones",
            file=sys.stderr,
        )
        return 2
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f"tinygrad-rnn: {_one_line(error)}", file=sys.stderr)
        return 2


def _parser() -> Parser:
    from importlib.metadata import version

    from . import compile_command as compiling
    from . import draw_command as drawing
    from .char_model import Architecture
    from .train import Options

    parser = Parser(
        prog="tinygrad-rnn",
        description="Recurrent networks whose backpropagation through time comes out of the computation graph.",
    )
    parser.add_argument(
        "--version", action="version", version=f"tinygrad-rnn {version('tinygrad_rnn')}"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    walk = commands.add_parser(
        "mathmath",
        help="retell the 2019 GRU tutorial with real matrices, train it, and let it write",
    )
    walk.add_argument("--json", action="store_true", help="print the numbers as one JSON object")
    walk.add_argument(
        "--directory",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="where to write the graph (default: here)",
    )
    walk.set_defaults(run=_mathmath)

    train = commands.add_parser("train", help="train a character model on a text file")
    source = train.add_mutually_exclusive_group(required=True)
    source.add_argument("file", nargs="?", type=Path, metavar="FILE", help="any UTF-8 text")
    source.add_argument("--demo", action="store_true", help="train on text that ships with Python")
    train.add_argument(
        "--out",
        type=Path,
        metavar="MODEL",
        help="the checkpoint (default: the text's name with .safetensors)",
    )
    train.add_argument(
        "--resume",
        action="store_true",
        help="go on from the checkpoint, with its options; only --epochs may change",
    )
    defaults = asdict(Architecture()) | asdict(Options())
    # SUPPRESS: what is not given leaves no trace, so that --resume can tell it from what is.
    train.add_argument(
        "--cell",
        choices=("rnn", "gru", "lstm"),
        default=argparse.SUPPRESS,
        help=f"(default {defaults['cell']})",
    )
    for name, text in (
        ("embedding", "length of a character's vector, 0 for one-hot"),
        ("hidden", "size of the state"),
        ("layers", "recurrent layers"),
        ("dropout", "share dropped between layers"),
        ("epochs", "passes through the text"),
        ("batch_size", "streams read side by side"),
        ("steps", "characters between truncations of BPTT"),
        ("lr", "Adam's learning rate"),
        ("clip", "largest norm of the gradients"),
        ("holdout", "share of the text, at its end, kept for evaluation"),
        ("seed", "of initial weights and dropout"),
    ):
        kind, text = type(defaults[name]), f"{text} (default {defaults[name]})"
        train.add_argument(
            _flag(name),
            type=kind,
            default=argparse.SUPPRESS,
            metavar="N" if kind is int else "X",
            help=text,
        )
    train.add_argument(
        "--compile",
        action="store_true",
        default=argparse.SUPPRESS,
        help="run the recurrent layers as NumPy programs",
    )
    train.set_defaults(run=_train)

    sample = commands.add_parser("sample", help="let a trained model write")
    sample.add_argument("model", type=Path, metavar="MODEL", help="a checkpoint that train wrote")
    sample.add_argument(
        "--prime",
        metavar="TEXT",
        help="what it reads first (default: the first character it knows)",
    )
    sample.add_argument(
        "--length", type=int, default=400, metavar="N", help="characters to write (default 400)"
    )
    sample.add_argument(
        "--temperature",
        type=float,
        default=0.8,
        metavar="X",
        help="0 takes the likeliest, above 1 is more even (default 0.8)",
    )
    sample.add_argument("--top-k", type=int, metavar="N", help="draw among the likeliest N only")
    sample.add_argument("--seed", type=int, default=0, metavar="N", help="of the draws (default 0)")
    sample.set_defaults(run=_sample)

    draw = commands.add_parser("draw", help="draw the computation graph of a model")
    drawing.add_arguments(draw)

    compiled = commands.add_parser(
        "compile", help="print the program that backpropagation through time through a cell is"
    )
    compiling.add_arguments(compiled)

    check = commands.add_parser(
        "check", help="check the derivatives of every op against finite differences"
    )
    check.set_defaults(run=_check)

    for command in (walk, train, compiled, check):
        command.add_argument("--plain", action="store_true", help="no colour, no animation")
    return parser


def _mathmath(options: argparse.Namespace) -> int:
    from .mathmath import mathmath

    return mathmath(plain=options.plain, as_json=options.json, directory=options.directory)


def _train(options: argparse.Namespace) -> int:
    from .char_model import Architecture
    from .train import Options, Trainer, demo_text

    text = demo_text() if options.demo else _read(options.file)
    out = options.out or Path(
        "demo.safetensors" if options.demo else options.file.stem + ".safetensors"
    )
    _check_place(out)
    given = vars(options)
    sizes, how = (
        {f.name: given[f.name] for f in fields(kind) if f.name in given}
        for kind in (Architecture, Options)
    )
    if options.resume:
        trainer = Trainer.resume(out, text, epochs=how.get("epochs"))
        _check_agreement(
            sizes | how, asdict(trainer.model.architecture) | asdict(trainer.options), out
        )
    else:
        trainer = Trainer(text, Architecture(**sizes), Options(**how))
    return _run(trainer, out, _console(options.plain))


def _flag(name: str) -> str:
    """The option that sets a field of `Architecture` or `Options`."""
    return "--" + name.replace("_", "-")


def _check_agreement(given: dict[str, Any], kept: dict[str, Any], out: Path) -> None:
    """Refuse an option that says something else than the checkpoint that training goes on from."""
    for name, value in given.items():
        if value != kept[name]:
            expected, fix = (
                f"{kept[name]}, as in the checkpoint {str(out)!r}",
                "leave it out, or train anew without --resume",
            )
            raise argument_error("train", _flag(name), expected=expected, got=str(value), fix=fix)


def _check_place(out: Path) -> None:
    """Refuse, before any work, a place where a checkpoint cannot or should not be written."""
    folder = Path(
        os.path.realpath(out)
    ).parent  # a link is followed: the model goes where it points
    if not folder.is_dir():
        raise argument_error(
            "train",
            "--out",
            expected="a path in a folder that exists",
            got=repr(str(out)),
            fix="make the folder",
            kind=FileNotFoundError,
        )
    if not os.access(folder, os.W_OK):
        raise argument_error(
            "train",
            "--out",
            expected="a folder that can be written to",
            got=repr(str(out)),
            fix="use another",
            kind=PermissionError,
        )
    if out.exists():
        from ..serialize import load_metadata

        try:
            load_metadata(out)
        except (ValueError, OSError) as error:
            raise argument_error(
                "train",
                "--out",
                expected="a new file or a checkpoint",
                got=f"{str(out)!r}, which is something else",
                fix="use another name",
            ) from error


def _run(trainer: Trainer, out: Path, console: Console) -> int:
    """Train with a progress display; save after every epoch, and when Ctrl-C asks to leave."""
    options, model = trainer.options, trainer.model
    size = sum(p.size for p in model.parameters())
    text = f"{format_count(len(trainer.training), 'character')} to train on, {format_count(len(trainer.held_out), 'character')} held out"
    _say(
        console,
        f"{model.architecture.cell.upper()} with {format_count(size, 'parameter')}; {len(model.vocab)} different characters; {text}",
    )
    if trainer.epoch >= options.epochs:
        _say(
            console,
            f"All {format_count(options.epochs, 'epoch')} are done; ask for more with --epochs.",
        )
        return 0
    stopped: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stopped.append(number)
        signal.signal(signal.SIGINT, before)  # a second Ctrl-C does not wait

    signal.signal(signal.SIGINT, ask_to_stop)
    try:
        with _Display(console, options.epochs) as display:

            def epoch_done(epoch: int, loss: float, held_out: float) -> None:
                trainer.save(out)
                display.epoch(epoch, loss, held_out)

            with np.errstate(
                over="ignore", invalid="ignore"
            ):  # the trainer refuses what is not finite, in one line
                finished = trainer.run(
                    on_batch=display.batch, on_epoch=epoch_done, stop=lambda: bool(stopped)
                )
    finally:
        signal.signal(signal.SIGINT, before)
    trainer.save(out)
    if finished:
        path = shlex.quote(f"./{out}" if str(out).startswith("-") else str(out))
        _say(console, f"Saved {out}. Let it write: tinygrad-rnn sample {path}")
        return 0
    _say(
        console,
        f"Stopped in epoch {trainer.epoch + 1}, after batch {trainer.batch} of {trainer.batches}; saved {out}.",
    )
    _say(console, "Go on with --resume.")
    return 130


class _Display:
    """The progress of training: a live line in a terminal, a line an epoch elsewhere."""

    def __init__(self, console: Console, epochs: int):
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Live

        self.console, self.epochs = console, epochs
        self.last: Progress | None = None
        columns = (
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.3f}  {task.fields[bits]:.3f} bits/char"),
            TextColumn("{task.fields[speed]:,.0f} tokens/s  {task.fields[left]} left"),
        )
        self.live = Live(*columns, console=console, transient=True, disable=not console.is_terminal)
        self.task: Any = None

    def __enter__(self) -> _Display:
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def batch(self, now: Progress) -> None:
        """Show where training is."""
        self.last = now
        if not self.console.is_terminal:
            return
        fields = {
            "epoch": f"{now.epoch + 1}/{self.epochs}",
            "loss": now.loss,
            "bits": now.bits,
            "speed": now.characters_per_second,
            "left": _duration(now.seconds_left),
        }
        if self.task is None:
            self.task = self.live.add_task("", total=now.batches, **fields)
        self.live.update(self.task, completed=now.batch, total=now.batches, **fields)

    def epoch(self, epoch: int, loss: float, held_out: float) -> None:
        """Leave a line that stays."""
        now = self.last
        speed = (
            f"  {now.characters_per_second:,.0f} tokens/s, {_duration(now.seconds_left)} left"
            if now
            else ""
        )
        bits = f"{loss / log(2):.3f} bits/char, held out {held_out / log(2):.3f}"
        width = len(str(self.epochs))
        _say(
            self.console, f"{epoch:>{width}}/{self.epochs}  loss {loss:.3f}  {bits}{speed}"
        )  # 80 columns hold it


def _sample(options: argparse.Namespace) -> int:
    from ..text import sample
    from .char_model import load_model

    path = str(options.model)
    model, _, _ = load_model(path)
    model.eval()

    def finite(x: np.ndarray, state: Any) -> Any:
        logits, state = model(x, state)
        if not np.isfinite(logits.data).all():
            fix = "it is damaged, or its training diverged; train it again"
            raise argument_error(
                "sample",
                "MODEL",
                expected="finite logits",
                got=f"nan or inf from {path!r}",
                fix=fix,
            )
        return logits, state

    prime = model.vocab.characters[0] if options.prime is None else options.prime
    with np.errstate(over="ignore", invalid="ignore"):
        text = sample(
            finite,
            model.vocab,
            prime,
            options.length,
            temperature=options.temperature,
            top_k=options.top_k,
            rng=options.seed,
        )
    print(_shown(text))
    return 0


def _check(options: argparse.Namespace) -> int:
    from rich import box
    from rich.table import Table

    from ..gradcheck import GradcheckError, check_op
    from ..op import registry

    console = _console(options.plain)
    table = Table(
        box=box.SIMPLE_HEAD,
        title="Every op against central differences, in float64, first and second order",
    )
    for heading in (
        "op",
        "formula",
        "derivative rules: incoming gradient g, output y",
        "calls",
        "result",
    ):
        table.add_column(heading, overflow="fold")
    failures = []
    for name, op in sorted(registry.items()):
        rules = "\n".join(f"{argument}: {op.rule_text(argument)}" for argument in op.rules)
        try:
            calls, result = str(check_op(op)), "ok"
        except GradcheckError as error:
            calls, result = "", "FAILED"
            failures.append(str(error))
        table.add_row(*(_literal(cell) for cell in (name, op.formula, rules, calls, result)))
    console.print(table)
    for failure in failures:
        console.print(_literal(failure))
    console.print(
        f"{len(registry) - len(failures)} of {format_count(len(registry), 'op')} agree with their differences"
    )
    return 1 if failures else 0


def _say(console: Console, text: str) -> None:
    """Print a line as it is; in a file or a pipe it stays one."""
    console.print(text, markup=False, soft_wrap=not console.is_terminal)


def _literal(text: str) -> Any:
    """Text in which brackets are brackets, not markup."""
    from rich.text import Text

    return Text(text)


def _console(plain: bool) -> Console:
    """Where to print: as the terminal can, or plainly."""
    from rich.console import Console

    if plain or not sys.stdout.isatty():
        width = None if sys.stdout.isatty() else 100
        return Console(
            color_system=None,
            force_terminal=False,
            force_interactive=False,
            highlight=False,
            width=width,
            emoji=False,
        )
    return Console(highlight=False, emoji=False)


def _read(path: Path) -> str:
    """The text of a file, refused if it is not UTF-8."""
    if not path.is_file():
        raise argument_error(
            "train",
            "FILE",
            expected="a text file",
            got=f"{str(path)!r}, which is none",
            fix="check the path",
            kind=FileNotFoundError,
        )
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        got, fix = (
            f"byte {error.object[error.start]:#04x} at position {error.start}",
            "convert it, with iconv for example",
        )
        raise argument_error("train", "FILE", expected="UTF-8 text", got=got, fix=fix) from error


def _duration(seconds: float) -> str:
    """``1:02:03`` or ``2:03``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _shown(text: str) -> str:
    """A text as it is; on a terminal what would steer it is written as its escape, for a model may be anyone's."""
    return (
        "".join(c if c in "\n\t" else escape_unprintable(c) for c in text)
        if sys.stdout.isatty()
        else text
    )


def _one_line(error: BaseException) -> str:
    return escape_unprintable(" ".join(str(error).split()))


if __name__ == "__main__":
    sys.exit(main())
