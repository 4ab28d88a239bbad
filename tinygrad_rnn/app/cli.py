"""The command `tinygrad-rnn`: its parser, its exit codes and its subcommands.

Each subcommand is a module with ``HELP``, ``add_arguments(parser)`` and ``run(options)``.
`run` prints its result and returns the exit code: 0 for success, 1 if `check` found a wrong
derivative, 130 if Ctrl-C stopped `train`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import NoReturn

from . import interrupt
from .console import format_error

USER_ERROR = 2
"""The exit code after a user error: a wrong option, an unusable file, or sizes beyond memory."""
BROKEN_PIPE = 141
"""The exit code if a closed pipe ends `train` early: 128 + SIGPIPE."""


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose error message is one line."""

    def error(self, message: str) -> NoReturn:
        """Print the message and exit with code 2."""
        self.exit(USER_ERROR, f"{self.prog}: {message}; run {self.prog} --help for its options\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    For an error that the user can cause, print one line on stderr and return exit code 2.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        # A character that the terminal cannot show becomes a question mark, not a traceback.
        sys.stdout.reconfigure(errors="replace")
    after_broken_pipe = 0  # success: the reader of a printed result may stop early
    try:
        try:
            options = build_parser().parse_args(arguments)
            interrupt.remove_handler()
            if options.command == "train":
                after_broken_pipe = BROKEN_PIPE
            return options.run(options)
        finally:
            print(end="", flush=True)  # a closed pipe must raise here, not when Python exits
    except (BrokenPipeError, SystemExit) as leaving:
        # rich turns a closed pipe into SystemExit.
        if isinstance(leaving, SystemExit) and not isinstance(leaving.__context__, BrokenPipeError):
            raise
        # Python flushes stdout at exit and would complain about the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return after_broken_pipe
    except KeyboardInterrupt:
        return _fail("interrupted", interrupt.INTERRUPTED)
    except MemoryError as error:
        reason = format_error(error)
        return _fail(f"not enough memory for these sizes ({reason}); use smaller sizes")
    except (ValueError, TypeError, OSError, ImportError) as error:
        return _fail(format_error(error))


def _fail(message: str, code: int = USER_ERROR) -> int:
    """Print the message on stderr and return the exit code."""
    print(f"tinygrad-rnn: {message}", file=sys.stderr)
    return code


def build_parser() -> OneLineParser:
    """Return the parser of the command and all its subcommands."""
    from importlib.metadata import version

    from . import (
        check_command,
        compile_command,
        draw_command,
        mathmath_command,
        sample_command,
        train_command,
    )

    parser = OneLineParser(
        prog="tinygrad-rnn",
        description="Train, sample, draw and compile recurrent networks. Backpropagation through "
        "time follows from the computation graph.",
    )
    release = f"tinygrad-rnn {version('tinygrad_rnn')}"
    parser.add_argument("--version", action="version", version=release)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in {
        "mathmath": mathmath_command,
        "train": train_command,
        "sample": sample_command,
        "draw": draw_command,
        "compile": compile_command,
        "check": check_command,
    }.items():
        subparser = subparsers.add_parser(name, help=module.HELP)
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
