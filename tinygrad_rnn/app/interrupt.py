"""Handling of Ctrl-C while the command starts: one line on stderr, and exit code 130.

The package imports this module first. The module itself imports only the standard library, so that
it is ready early. Until the command has read its arguments, there is nothing to save, so Ctrl-C may
end the process at once.
"""

import os
import signal
import sys
from types import FrameType
from typing import Any

MODULES = ("tinygrad_rnn", "tinygrad_rnn.app.cli")
"""The modules that ``python -m`` runs as the command."""
INTERRUPTED = 130
"""The exit code after Ctrl-C: 128 + SIGINT."""


def is_command() -> bool:
    """Return whether this process is the command `tinygrad-rnn`, run as a script or as a module.

    A program that imports the library is not the command.
    """
    started = sys.argv[0] if sys.argv else ""
    name = os.path.basename(started)  # noqa: PTH119 because pathlib is slow to import
    is_module = started == "-m" and any(module in sys.orig_argv for module in MODULES)
    return is_module or name.split(".")[0] == "tinygrad-rnn"


def exit_at_once(number: int, frame: FrameType | None) -> None:
    """End the process from a signal handler.

    Raising KeyboardInterrupt is not enough: during an import it causes a traceback, or a different
    error in a half-imported module.
    """
    os.write(2, b"tinygrad-rnn: interrupted\n")
    os._exit(INTERRUPTED)


def install_handler() -> None:
    """Let Ctrl-C end the command at once. Leave other programs and other handlers alone."""
    if is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        try:
            signal.signal(signal.SIGINT, exit_at_once)
        except ValueError:  # only the main thread can set a handler
            return


def remove_handler() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again, if `install_handler` replaced the handler."""
    handler: Any = signal.getsignal(signal.SIGINT)
    if handler is exit_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)


IS_COMMAND = is_command()
"""True if this process is the command. Python changes ``sys.argv`` before the command runs."""
install_handler()
