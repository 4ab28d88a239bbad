"""The command `tinygrad-rnn compile`: the program of a cell, printed."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np

from ..errors import argument_error

CELLS = ("rnn", "gru", "gru-before", "lstm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which cell, and its sizes."""
    parser.add_argument(
        "cell",
        metavar="CELL",
        help=f"{', '.join(CELLS)}; or FILE.py:NAME, where NAME(input_size, rng) makes a cell",
    )
    for name, default, text in (
        ("input", 3, "size of the input"),
        ("hidden", 4, "size of the state"),
        ("batch", 2, "sequences"),
    ):
        parser.add_argument(
            f"--{name}", type=int, default=default, metavar="N", help=f"{text} (default {default})"
        )
    parser.add_argument(
        "--backend",
        default="numpy",
        metavar="NAME",
        help="numpy (default), or numba: loops over entries, compiled",
    )
    parser.add_argument(
        "--explain", action="store_true", help="say in words what was moved where, and why"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compile the cell for sizes, and print its program."""
    from ..compile import compile
    from ..nn import Recurrent

    for name in ("input", "hidden", "batch"):
        if getattr(options, name) < 1:
            raise argument_error(
                "compile",
                f"--{name}",
                expected="a positive number",
                got=str(getattr(options, name)),
                fix="3, say",
            )
    factory = _factory(options)
    try:
        size = getattr(
            factory(options.input, np.random.default_rng(0)), "hidden_size", options.hidden
        )
    except TypeError as error:
        wanted = "what makes a cell, NAME(input_size, rng)"
        got, fix = (
            f"{options.cell!r} ({error})",
            "give it these two arguments; of a cell that is a function, one that returns it",
        )
        raise argument_error("compile", "CELL", expected=wanted, got=got, fix=fix) from error
    layer = Recurrent(factory, options.input, hidden_size=size, rng=0)
    fast = compile(layer, backend=options.backend)
    fast(
        np.zeros(
            (2, options.batch, options.input),
            next((p.dtype for p in layer.parameters()), np.dtype(np.float32)),
        )
    )
    if options.explain:
        print(fast.explain())
    elif options.plain or not sys.stdout.isatty():
        print(fast.source, end="")
    else:
        from rich.console import Console
        from rich.syntax import Syntax

        Console().print(Syntax(fast.source, "python", background_color="default"))
    return 0


def _factory(options: argparse.Namespace) -> Any:
    """What makes the cell."""
    from ..nn import GRUCell, LSTMCell, RNNCell

    own = {
        "rnn": lambda size, rng: RNNCell(size, options.hidden, rng=rng),
        "gru": lambda size, rng: GRUCell(size, options.hidden, rng=rng),
        "gru-before": lambda size, rng: GRUCell(size, options.hidden, reset="before", rng=rng),
        "lstm": lambda size, rng: LSTMCell(size, options.hidden, rng=rng),
    }
    if options.cell in own:
        return own[options.cell]
    path, mark, name = options.cell.rpartition(":")
    if not mark or not path.endswith(".py"):
        wanted = f"{', '.join(CELLS)}, or FILE.py:NAME"
        raise argument_error(
            "compile", "CELL", expected=wanted, got=repr(options.cell), fix="use one of these"
        )
    from runpy import run_path

    try:
        made = run_path(path)
    except Exception as error:
        raise argument_error(
            "compile",
            "CELL",
            expected="a file that runs",
            got=f"{path!r} ({error})",
            fix="correct it",
        ) from error
    if not callable(made.get(name)):
        known = ", ".join(key for key, value in made.items() if isinstance(value, type)) or "none"
        raise argument_error(
            "compile",
            "CELL",
            expected=f"a name in {path!r}, such as {known}",
            got=repr(name),
            fix="correct it",
        )
    return made[name]
