"""A setting of malloc: it keeps memory that is free, so that new arrays cost no page faults."""

from contextlib import suppress
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""The settings by their numbers in malloc.h: when memory goes back, and which arrays are mapped."""


@cache
def keep_freed_memory() -> None:
    """Let malloc keep up to 512 MB that are free, if it is the one of glibc.

    Otherwise memory goes back to the system at the end of each call of a program, and the next
    call pays for page faults: up to a third of the time of a small program.
    """
    with suppress(ImportError, OSError, TypeError, AttributeError):  # other systems
        import ctypes

        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 1 << 25)  # the maximum
        mallopt(M_TRIM_THRESHOLD, 1 << 29)
