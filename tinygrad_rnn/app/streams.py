"""The standard streams of the command, whatever state the shell passes them in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import Any

from ..serialize.whole_file import FIXES
from .transliterate import HANDLER


def prepare_streams() -> None:
    """Open the null device in place of closed streams, and transliterate what cannot be encoded."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # the stream stays open until the end
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=HANDLER)


def discard_output() -> None:
    """Send stdout to the null device after a failed write, because Python flushes it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def explain_output_error(error: BaseException) -> str:
    """Return the message for an error of the system in a write to stdout, or "" for another error.

    Only these errors name no file: every other function of the package that reads or writes names
    the file that it failed at.
    """
    if not isinstance(error, OSError) or len(error.args) != 2 or error.filename is not None:
        return ""
    fix = FIXES.get(error.errno or 0, "send the output to another file")
    reason = (error.strerror or "").lower()
    return f"standard output: expected a file or device that can be written, got {reason}; {fix}"


class OptionalOutput:
    """The stdout of a training, which goes on if the disk behind stdout is full.

    The first error is reported on stderr, and what follows is discarded. A closed pipe is still an
    error. All attributes but `write` and `flush` are those of stdout.
    """

    def __init__(self) -> None:
        self._stream = sys.stdout

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write the text to stdout, if that is possible."""
        with self._going_on():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush stdout, if that is possible."""
        with self._going_on():
            self._stream.flush()

    @contextmanager
    def _going_on(self) -> Iterator[None]:
        """Discard the output from now on if the block raises an error of the system."""
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            discard_output()
            with suppress(OSError, ValueError):  # stderr may be closed or full
                line = f"tinygrad-rnn: {explain_output_error(error)}; the training goes on"
                print(line, file=sys.stderr, flush=True)
