"""The first moments of the command: Ctrl-C while Python reads modules ends it with one line, for there is nothing to save yet."""

import os
import signal
import sys
from types import FrameType
from typing import Any

MODULE = "tinygrad_rnn.app.cli"
INTERRUPTED = 130


def is_command() -> bool:
    """Whether this process is the command `tinygrad-rnn`, however it was started, and not a program that imports the library."""
    started = sys.argv[0] if sys.argv else ""
    return (started == "-m" and MODULE in sys.orig_argv) or os.path.basename(started).split(".")[
        0
    ] == "tinygrad-rnn"  # noqa: PTH119


def leave(number: int, frame: FrameType | None) -> None:
    """Leave at once. Raised inside of an import KeyboardInterrupt ends in a traceback, or as another error of a half-read module."""
    os.write(2, b"tinygrad-rnn: interrupted\n")
    os._exit(INTERRUPTED)


def watch() -> None:
    """Let Ctrl-C leave at once, if this is the command and nobody else handles it."""
    if is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        try:
            signal.signal(signal.SIGINT, leave)
        except ValueError:  # outside of the main thread nobody is interrupted
            return


def over() -> None:
    """From here on Ctrl-C raises KeyboardInterrupt, as usual."""
    now: Any = signal.getsignal(signal.SIGINT)
    if now is leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


watch()
