"""A word to the user when a drawing takes longer than a second."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

SECONDS = 1.0


@contextmanager
def say_if_slow(what: str) -> Iterator[None]:
    """Print what is being done to standard error, if the block takes longer than a second."""

    def report() -> None:
        sys.stderr.write(f"graph: {what} …\n")
        sys.stderr.flush()

    timer = Timer(SECONDS, report)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
