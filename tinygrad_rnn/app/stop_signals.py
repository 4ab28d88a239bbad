"""Signals that ask a training to stop: Ctrl-C, SIGTERM and SIGHUP."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType
from typing import Any

from . import interrupt

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
"""The signals of Ctrl-C, of a scheduler or a shutdown, and of a terminal that closes."""
SAME_REQUEST = 1.0
"""Two signals within this many seconds are one request, because some programs repeat a signal."""


class StopSignals:
    """A context manager in which a signal that asks to stop raises KeyboardInterrupt.

    The exception is raised at once, wherever the program is, except inside `hold`. There it waits
    until the block has ended. A signal that was ignored when the program started stays ignored, as
    ``nohup`` wants it.

    Attributes
    ----------
    number : int or None
        The first signal that arrived. It stays here even if Python discards the exception, which
        happens in a destructor.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._since, self._depth, self._waits = 0.0, 0, False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():  # only this one may set handlers
            for number in (getattr(signal, name) for name in NAMES if hasattr(signal, name)):
                # None is a handler that was not set from Python, which could not be put back.
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            # The command has saved the training and ends at once. A signal that comes now must not
            # change its exit code, so it is ignored until the end.
            signal.signal(number, signal.SIG_IGN if interrupt.IS_COMMAND else handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt, or remember to do so at the end of `hold`."""
        if self.number is not None and monotonic() - self._since < SAME_REQUEST:
            return
        self.number, self._since = self.number or number, monotonic()
        self._waits = self._depth > 0
        if not self._waits:
            raise KeyboardInterrupt

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the exception back until the block has ended, so that the block runs to its end."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if self._waits and not self._depth:
            self._waits = False
            raise KeyboardInterrupt
