"""The command `tinygrad-rnn draw`: draw the computation graph of a character model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import check
from ..draw import graph
from ..draw.options import DETAILS
from ..draw.themes import THEMES
from ..errors import argument_error
from .command_parser import add_options
from .console import fit_encoding

HELP = "draw the computation graph of a model"
SMALLER = "use a smaller --length, or a shorter --text"
"""The advice if memory does not suffice."""
EXAMPLES = (
    "tinygrad-rnn draw --demo",
    "tinygrad-rnn draw --demo --roll --out step.svg",
    "tinygrad-rnn draw --demo --width column --out figure.pdf",
    "tinygrad-rnn draw model.safetensors --backward --show shape,grad --out graph.pdf",
    "tinygrad-rnn draw model.safetensors --text hello --out -",
)
DIRECTIONS = ("up", "down", "right")
OPTIONS = {
    "--out": (
        Path("graph.svg"),
        "FILE",
        "a .svg, .png, .pdf, .dot, .tex, .txt or .json file, or - to print equations",
    ),
    "--text": (str, "TEXT", "text that the model reads (default: its vocabulary's characters)"),
    "--length": (4, "N", "number of time steps if --text is not given"),
    "--show": ("shape", "WHAT", "shape, value, grad, or a comma-separated list of these"),
    "--steps": (str, "WHICH", "draw only some time steps, such as first:2,last:1"),
    "--parameters": (
        str,
        "HOW",
        "style of parameters: once, chips (a copy at each use) or hide "
        "(default: once, or chips if --roll is given)",
        ("once", "chips", "hide"),
    ),
    "--highlight": (str, "NAME", "mark the paths from the loss back to this parameter"),
    "--width": (str, "HOW", "width on paper: column, page, slide or a number of points"),
    "--title": ("", "TEXT", "a line above the figure"),
    "--theme": ("light", "NAME", "colours: light, dark, auto (as the page is) or print", THEMES),
    "--direction": ("up", "WHERE", "direction in which data flows: up, down or right", DIRECTIONS),
}
"""The default, the name of the value and the help text of each option; see `add_options`."""
MARKS = {".png": b"\x89PNG", ".pdf": b"%PDF", ".txt": b"parameters: "}
"""The first bytes of a drawing, by the suffix of its file."""
STATUSES = (b"forward only", b"backward done")
"""The words near the beginning of drawings of the other kinds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments: the model, its input text, the output file, and the options of `graph`."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "model", nargs="?", type=Path, metavar="MODEL", help="a checkpoint that train has written"
    )
    source.add_argument("--demo", action="store_true", help="draw a small untrained GRU")
    add_options(parser, OPTIONS)
    text = "run the backward pass first, so that --show grad has gradients to show"
    parser.add_argument("--backward", action="store_true", help=text)
    text = "replace FILE even if it is no drawing"
    parser.add_argument("--overwrite", action="store_true", help=text)
    parser.add_argument("--roll", action="store_true", help="draw one time step to stand for all")
    text = "explain shapes and colours below the figure"
    parser.add_argument("--legend", action="store_true", help=text)
    text = "leave out the lines below the figure"
    parser.add_argument("--no-note", action="store_true", help=text)
    text = "draw each module or gate of this name as one box; if NAME is a number, do so with "
    text += "all modules and gates at this depth; gate, step, module and blocks fold all of these; "
    text += "repeatable"
    parser.add_argument("--fold", action="append", default=[], metavar="NAME", help=text)


def run(options: argparse.Namespace) -> int:
    """Draw the graph of a model's loss on one sequence, and return the exit code, 0."""
    from ..nn import functional

    if not options.overwrite:
        _require_replaceable(options.out)
    if not DETAILS.issuperset(options.show.replace(" ", "").split(",")):
        expected, fix = "shape, value, grad, or a list of these", "write --show shape,grad"
        raise argument_error("draw", "--show", expected, repr(options.show), f"{fix}, for example")
    model = _load_model(options)
    x = model.vocab.encode(_choose_text(options, model))
    logits, _ = model(x[:-1, None])
    loss = functional.cross_entropy(logits, x[1:, None])
    loss.name = "loss"
    if options.backward:
        loss.backward(retain_grads=True)
    drawing = graph(
        loss,
        show=options.show,
        steps=options.steps,
        roll=options.roll,
        fold=[int(scope) if scope.isdecimal() else scope for scope in options.fold] or None,
        parameters=options.parameters,
        highlight=None if options.highlight is None else _find_parameter(model, options.highlight),
        theme=options.theme,
        direction=options.direction,
        width=float(options.width) if _is_number(options.width) else options.width,
        title=options.title,
        legend=options.legend,
        note=not options.no_note,
    )
    if str(options.out) == "-":
        print(fit_encoding(drawing.text()))
        return 0
    try:
        path = drawing.save(options.out)
    except RuntimeError as error:  # Graphviz is missing or failed
        raise OSError(str(error)) from error
    print(f"{path}: {'; '.join(drawing.notes)}")
    return 0


def _is_number(text: str | None) -> bool:
    """Return whether an argument is written as a number."""
    return text is not None and text.replace(".", "", 1).isdecimal()


def _require_replaceable(path: Path) -> None:
    """Raise FileExistsError if `path` is a file that is not a drawing of the kind of its suffix."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        start = file.read(2000)
    mark = MARKS.get(path.suffix.lower())
    is_drawing = start.startswith(mark) if mark else any(word in start for word in STATUSES)
    if start and not is_drawing:
        expected, got = "a new file or an earlier drawing", f"another file, {str(path)!r}"
        fix = "give another name, or replace the file with --overwrite"
        raise argument_error("draw", "--out", expected, got, fix, FileExistsError)


def _load_model(options: argparse.Namespace) -> Any:
    """Return the model in the checkpoint, or a small untrained model for ``--demo``."""
    from ..text import CharVocab
    from .char_model import Architecture, CharModel, load_model

    if options.demo:
        return CharModel(CharVocab("Math"), Architecture(hidden=3, embedding=0), rng=0)
    return load_model(options.model)[0].eval()


def _choose_text(options: argparse.Namespace, model: Any) -> str:
    """Return the text to read. Its length is the number of time steps plus 1.

    Each step reads a character and predicts the next one. The last character is only predicted.
    """
    if options.text is not None:
        if len(options.text) < 2:
            expected, got = "at least two characters", repr(options.text)
            fix = "write a longer text, because a character is predicted from the ones before it"
            raise argument_error("draw", "--text", expected, got, fix)
        return options.text
    length = check.count("draw", "--length", options.length) + 1
    characters = model.vocab.characters
    return (characters * (length // len(characters) + 1))[:length]


def _find_parameter(model: Any, name: str) -> Any:
    """Return the only parameter whose full name is `name` or ends with a dot and `name`."""
    parameters = dict(model.named_parameters())
    matches = [p for full, p in parameters.items() if full == name or full.endswith("." + name)]
    if len(matches) != 1:
        expected = f"one of {', '.join(parameters)}"
        fix = f"give the full name of a parameter, {next(iter(parameters))} for example"
        raise argument_error("draw", "--highlight", expected, repr(name), fix)
    return matches[0]
