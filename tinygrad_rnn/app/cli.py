"""The command `tinygrad-rnn`: its exit codes and its subcommands.

Each subcommand is a module with ``HELP``, ``EXAMPLES``, ``add_arguments(parser)`` and
``run(options)``. `run` prints its result and returns the exit code: 0 for success, 1 if `check`
found a wrong derivative, 130 if Ctrl-C stopped `train`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from . import interrupt
from .command_parser import USER_ERROR, OneLineParser, PrintCompletion
from .console import format_error
from .streams import discard_output, explain_output_error, prepare_streams

BROKEN_PIPE = 141
"""The exit code if a closed pipe ends `train` early: 128 + SIGPIPE."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    For an error that the user can cause, print one line on stderr and return exit code 2.
    """
    prepare_streams()
    after_broken_pipe = 0  # success: the reader of a printed result may stop early
    smaller = "free memory"
    try:
        try:
            options = build_parser().parse_args(arguments)
            smaller = options.smaller
            interrupt.remove_handler()
            if options.command == "train":
                after_broken_pipe = BROKEN_PIPE
            return options.run(options)
        finally:
            sys.stdout.flush()  # a closed pipe must raise here, not when Python exits
    except (BrokenPipeError, SystemExit) as leaving:
        # rich turns a closed pipe into SystemExit.
        if isinstance(leaving, SystemExit) and not isinstance(leaving.__context__, BrokenPipeError):
            raise
        discard_output()
        return after_broken_pipe
    except KeyboardInterrupt:
        return _fail("interrupted", interrupt.INTERRUPTED)
    except MemoryError as error:
        reason = f" ({text})" if (text := format_error(error)) else ""
        return _fail(f"not enough memory for these sizes{reason}; {smaller}")
    except (ValueError, TypeError, OSError, ImportError, OverflowError) as error:
        return _fail(explain_output_error(error) or format_error(error))


def _fail(message: str, code: int = USER_ERROR) -> int:
    """Print the message on stderr and return the exit code."""
    with suppress(OSError):  # stderr may be full too
        print(f"tinygrad-rnn: {message}", file=sys.stderr, flush=True)
    try:
        sys.stdout.flush()
    except OSError:
        discard_output()
    return code


def build_parser() -> OneLineParser:
    """Return the parser of the command and all its subcommands."""
    from .. import __version__

    parser = OneLineParser(
        prog="tinygrad-rnn",
        description="Train, sample, draw and compile recurrent networks. Backpropagation through "
        "time follows from the computation graph.",
        examples=(
            "tinygrad-rnn mathmath",
            "tinygrad-rnn train --demo --epochs 1",
            "tinygrad-rnn draw --demo --out graph.svg",
        ),
    )
    parser.add_argument("--version", action="version", version=f"tinygrad-rnn {__version__}")
    parser.add_argument(
        "--print-completion",
        action=PrintCompletion,
        choices=("bash", "zsh", "fish"),
        metavar="SHELL",
        help="print a script that completes commands and options in bash, zsh or fish",
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in ("mathmath", "train", "sample", "draw", "compile", "check"):
        module = import_module(f".{name}_command", __package__)
        description = f"{module.HELP[0].upper()}{module.HELP[1:]}."
        subparser = subparsers.add_parser(
            name, help=module.HELP, description=description, examples=module.EXAMPLES
        )
        module.add_arguments(subparser)
        smaller = getattr(module, "SMALLER", "free memory")
        subparser.set_defaults(run=module.run, smaller=smaller)
    return parser


if __name__ == "__main__":
    sys.exit(main())
