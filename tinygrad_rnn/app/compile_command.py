"""The command `tinygrad-rnn compile`: print the compiled program of a cell."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

import numpy as np

from .. import check
from ..errors import argument_error
from .command_parser import add_options
from .console import add_plain_option, fit_encoding

EXAMPLES = (
    "tinygrad-rnn compile gru",
    "tinygrad-rnn compile lstm --hidden 64 --explain",
    "tinygrad-rnn compile cell.py:MyCell --backend numpy > program.py",
)
HELP = "print the NumPy program that runs and differentiates a cell over time"
SMALLER = "use a smaller --input, --hidden or --batch"
"""The advice if memory does not suffice."""
BACKENDS = ("numpy", "numba")
CELLS = ("rnn", "gru", "gru-before", "lstm")
OPTIONS = {
    "--input": (3, "N", "size of the input"),
    "--hidden": (4, "N", "size of the state"),
    "--batch": (2, "N", "number of sequences"),
    "--backend": (
        "numpy",
        "NAME",
        "numpy, or numba for compiled loops over array entries",
        BACKENDS,
    ),
}
"""The default, the name of the value and the help text of each option; see `add_options`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for the cell, its sizes, the backend and the output."""
    text = f"{', '.join(CELLS)}; or FILE.py:NAME, where NAME(input_size, rng) returns a cell"
    cell = parser.add_argument("cell", metavar="CELL", help=text)
    vars(cell)["examples"] = CELLS  # completion offers them, but a file is allowed too
    add_options(parser, OPTIONS)
    text = "instead of printing the program, list what it computes before, in and after loops"
    parser.add_argument("--explain", action="store_true", help=text)
    add_plain_option(parser)


def run(options: argparse.Namespace) -> int:
    """Compile the cell by calling it once, print its program, and return the exit code."""
    from ..compile import compile

    for name in ("input", "hidden", "batch"):
        check.count("compile", f"--{name}", getattr(options, name))
    with _name_line_of_user(options.cell):
        layer = _build_layer(options)
        compiled = compile(layer, backend=options.backend)
        dtype = next((p.dtype for p in layer.parameters()), np.dtype(np.float32))
        compiled(np.zeros((2, options.batch, options.input), dtype))
    if options.explain:
        print(fit_encoding(compiled.explain()))
    elif options.plain or not sys.stdout.isatty():
        print(fit_encoding(compiled.source), end="")
    else:
        from rich.console import Console
        from rich.syntax import Syntax

        Console().print(Syntax(compiled.source, "python", background_color="default"))
    return 0


@contextmanager
def _name_line_of_user(cell: str) -> Iterator[None]:
    """Name the line in the user's file that an error came from, in the message of the error.

    An error that passes through no line of this file is not changed.
    """
    path = cell.rpartition(":")[0]
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        from ..compile.untraceable import Untraceable  # imported late, as the compiler is

        found: tuple[BaseException, int] | None = None
        cause: BaseException | None = error
        while cause:  # the compiler's own error has the cell's error as its cause
            if line := _find_line(cause, path):
                found = cause, line
            cause = cause.__cause__
        if found is None:
            raise
        if isinstance(found[0], Untraceable):
            got = f"{found[0].got} in {path}, line {found[1]}"
            expected, fix = found[0].expected, found[0].fix
            raise argument_error("compile", "CELL", expected, got, fix) from error
        text = traceback.format_exception_only(found[0])[-1].strip().removeprefix("<run_path>.")
        got = f"{text} in {path}, line {found[1]}"
        fix = "correct this line, or what it calls"
        raise argument_error("compile", "CELL", "a cell that runs", got, fix) from error


def _find_line(error: BaseException, path: str) -> int | None:
    """Return the last line of a file that an error passed through, or None."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in frames[::-1] if frame.filename == path), None)


def _build_layer(options: argparse.Namespace) -> Any:
    """Return a recurrent layer with the cell.

    If the cell has an attribute `hidden_size`, it overrides ``--hidden``.
    """
    from ..nn import Recurrent

    factory = _find_factory(options)
    try:
        cell = factory(options.input, np.random.default_rng(0))
    except TypeError as error:
        expected, got = "a factory NAME(input_size, rng)", f"{options.cell!r} ({error})"
        fix = "define a function with these two parameters that returns the cell"
        raise argument_error("compile", "CELL", expected, got, fix) from error
    size = getattr(cell, "hidden_size", options.hidden)
    return Recurrent(factory, options.input, hidden_size=size, rng=0)


def _find_factory(options: argparse.Namespace) -> Callable[..., Any]:
    """Return the factory of the cell: a built-in one, or one from a Python file."""
    from ..nn import GRUCell, LSTMCell, RNNCell

    built_in = {
        "rnn": lambda size, rng: RNNCell(size, options.hidden, rng=rng),
        "gru": lambda size, rng: GRUCell(size, options.hidden, rng=rng),
        "gru-before": lambda size, rng: GRUCell(size, options.hidden, reset="before", rng=rng),
        "lstm": lambda size, rng: LSTMCell(size, options.hidden, rng=rng),
    }
    if options.cell in built_in:
        return built_in[options.cell]
    path, colon, name = options.cell.rpartition(":")
    if not colon or not path.endswith(".py"):
        expected = f"{', '.join(CELLS)}, or FILE.py:NAME"
        close = get_close_matches(options.cell, CELLS, 1) or ["gru"]
        fix = f"write {close[0]}, for example"
        raise argument_error("compile", "CELL", expected, repr(options.cell), fix)
    from runpy import run_path

    try:
        namespace = run_path(path)
    except Exception as error:
        if _find_line(error, path):
            raise
        reason = error.strerror if isinstance(error, OSError) else None
        got = f"{path!r} ({reason or str(error) or type(error).__name__})"
        fix = "give the path of a file that Python can run"
        raise argument_error("compile", "CELL", "a Python file", got, fix) from error
    factory = namespace.get(name)
    if not callable(factory):
        own = [key for key, value in namespace.items() if _is_factory(value, namespace)]
        expected = f"a class or function in {path!r}"
        if close := get_close_matches(name, own) or own:
            expected += f", such as {', '.join(close)}"
        fix = f"define {name or 'a cell'} in the file, or give a name that is defined in it"
        raise argument_error("compile", "CELL", expected, repr(name), fix)
    return factory


def _is_factory(value: Any, namespace: dict[str, Any]) -> bool:
    """Return whether `value` is a class or function of the user's file that may make a cell."""
    is_error = isinstance(value, type) and issubclass(value, BaseException)
    is_own = getattr(value, "__module__", None) == namespace["__name__"]
    return is_own and callable(value) and not is_error
