"""The standard streams of the command, whatever state the shell passes them in."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

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
