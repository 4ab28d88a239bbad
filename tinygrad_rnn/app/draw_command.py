"""The command `tinygrad-rnn draw`: the computation graph of a character model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..draw import graph
from ..errors import argument_error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `graph`, and what to draw."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "model", nargs="?", type=Path, metavar="MODEL", help="a checkpoint that train wrote"
    )
    source.add_argument(
        "--demo", action="store_true", help="a small GRU that has learned nothing yet"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("graph.svg"),
        metavar="FILE",
        help=".svg .png .pdf .dot .txt .json, or - (graph.svg)",
    )
    parser.add_argument(
        "--text", metavar="TEXT", help="what the model reads (default: characters it knows)"
    )
    parser.add_argument(
        "--length", type=int, default=4, metavar="N", help="time steps, without --text (default 4)"
    )
    parser.add_argument(
        "--backward",
        action="store_true",
        help="run the backward pass first, so that gradients can be shown",
    )
    parser.add_argument(
        "--show",
        default="shape",
        metavar="WHAT",
        help="shape, value, grad, or several with commas (default shape)",
    )
    parser.add_argument(
        "--steps", metavar="WHICH", help="first:2,last:1 draws these time steps only"
    )
    parser.add_argument("--roll", action="store_true", help="one time step for all")
    parser.add_argument(
        "--fold",
        action="append",
        default=[],
        metavar="SCOPE",
        help="a box for each scope of this name or depth; repeatable",
    )
    parser.add_argument(
        "--parameters", metavar="HOW", help="once, chips or hide (default once; with --roll chips)"
    )
    parser.add_argument(
        "--highlight", metavar="NAME", help="mark the paths of the gradient to this parameter"
    )
    parser.add_argument(
        "--theme", default="light", metavar="NAME", help="light, dark or print (default light)"
    )
    parser.add_argument(
        "--direction", default="up", metavar="WHERE", help="up, down or right (default up)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Draw the loss of a model on a line of text."""
    from ..nn import functional

    model = _model(options)
    text = _text(options, model)
    x = model.vocab.encode(text)
    logits, _ = model(x[:-1, None])
    loss = functional.cross_entropy(logits, x[1:, None])
    loss.name = "loss"
    if options.backward:
        loss.backward(retain_grads=True)
    drawn = graph(
        loss,
        show=options.show,
        steps=options.steps,
        roll=options.roll,
        fold=[int(by) if by.isdecimal() else by for by in options.fold],
        parameters=options.parameters,
        highlight=None if options.highlight is None else _parameter(model, options.highlight),
        theme=options.theme,
        direction=options.direction,
    )
    if str(options.out) == "-":
        print(drawn.text())
        return 0
    try:
        written = drawn.save(options.out)
    except RuntimeError as error:  # no engine, or one that fails
        raise OSError(str(error)) from error
    print(f"{written}: {'; '.join(drawn.notes)}")
    return 0


def _model(options: argparse.Namespace) -> Any:
    from ..text import CharVocab
    from .char_model import Architecture, CharModel, load_model

    if options.demo:
        return CharModel(CharVocab("Math"), Architecture(hidden=3, embedding=0), rng=0)
    return load_model(options.model)[0].eval()


def _text(options: argparse.Namespace, model: Any) -> str:
    """What to read: one character more than there are time steps, for each step predicts the next."""
    if options.text is not None:
        if len(options.text) < 2:
            raise argument_error(
                "draw",
                "--text",
                expected="at least two characters",
                got=repr(options.text),
                fix="one is predicted",
            )
        return options.text
    if options.length < 1:
        raise argument_error(
            "draw",
            "--length",
            expected="a positive number",
            got=str(options.length),
            fix="4 is readable",
        )
    known = model.vocab.characters
    return (known * (options.length // len(known) + 2))[: options.length + 1]


def _parameter(model: Any, name: str) -> Any:
    """The parameter of a model by its name, or by the end of its name."""
    found = [
        p for known, p in model.named_parameters() if known == name or known.endswith("." + name)
    ]
    if len(found) != 1:
        known = ", ".join(known for known, _ in model.named_parameters())
        raise argument_error(
            "draw",
            "--highlight",
            expected=f"one of {known}",
            got=repr(name),
            fix="give the whole name",
        )
    return found[0]
