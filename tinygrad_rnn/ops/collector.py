"""A pause of Python's cyclic garbage collector, for code that makes very many objects.

A recorded graph contains no reference cycles, so the collector finds nothing to free in it. But it
runs again and again while the graph grows, and looks at every live node.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the cyclic garbage collector for a block, and resume it even if the block fails.

    If the collector is off already, nothing changes, so blocks can be nested. If blocks of several
    threads overlap, the one that turned the collector off turns it on again; the rest is slower.

    Returns
    -------
    context manager and decorator

    Examples
    --------
    >>> import gc
    >>> with collector_paused():
    ...     gc.isenabled()
    False
    >>> gc.isenabled()
    True
    """
    was_enabled = gc.isenabled()
    try:
        gc.disable()
        yield
    finally:
        if was_enabled:
            gc.enable()
