"""The command `tinygrad-rnn sample`: print text sampled from a trained model."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import argument_error
from .command_parser import add_options
from .console import escape_for_terminal

HELP = "sample text from a trained model"
EXAMPLES = (
    "tinygrad-rnn sample model.safetensors",
    "tinygrad-rnn sample model.safetensors --prime the --temperature 0.5 --length 100",
)
OPTIONS = {
    "--prime": (str, "TEXT", "start of the text (default: the vocabulary's first character)"),
    "--length": (400, "N", "number of characters to sample"),
    "--temperature": (0.8, "X", "0 takes the likeliest character; higher values are more random"),
    "--top-k": (int, "N", "sample from the N likeliest characters only"),
    "--seed": (0, "N", "random seed"),
}
"""The default, the name of the value and the help text of each option; see `add_options`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for the model, the start of the text, and sampling."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="a checkpoint that 'train' wrote")
    add_options(parser, OPTIONS)


def run(options: argparse.Namespace) -> int:
    """Load a model, print text while it is sampled, and return the exit code, 0."""
    from ..blocks import no_grad
    from ..text.sampling import stream_sample
    from .char_model import load_model

    path = str(options.model)
    model, _, _ = load_model(path)
    model.eval()

    def predict(x: np.ndarray, state: Any) -> Any:
        logits, state = model(x, state)
        if not np.isfinite(logits.array).all():
            got = f"nan or inf from {path!r}"
            fix = "train the model again, because it is damaged or its training diverged"
            raise argument_error("sample", "MODEL", "finite logits", got, fix)
        return logits, state

    prime = model.vocab.characters[0] if options.prime is None else options.prime
    settings = options.temperature, options.top_k, options.seed
    with no_grad(), np.errstate(over="ignore", invalid="ignore"):  # `predict` reports nan and inf
        _print_text(stream_sample(predict, model.vocab, prime, options.length, *settings))
    return 0


def _print_text(pieces: Iterable[str]) -> None:
    """Print each piece of text at once, and end the line, also after an error."""
    is_empty = True
    try:
        for piece in pieces:
            is_empty = False
            print(escape_for_terminal(piece), end="", flush=True)
    finally:
        if not is_empty:
            print()
