"""A lock that keeps two trainings from writing the same checkpoint."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import argument_error


@contextmanager
def lock_checkpoint(target: Path) -> Iterator[None]:
    """Hold the lock of a checkpoint inside the block.

    The lock is a small file beside the checkpoint, which the system unlocks when the process ends
    in any way. On systems without such locks (Windows, some network file systems), the block runs
    without one.

    Parameters
    ----------
    target : Path
        The path of the checkpoint, with all symbolic links followed.

    Raises
    ------
    BlockingIOError
        If another process holds the lock.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    # The lock's name is short, because the checkpoint's may be as long as the system allows.
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    path = target.with_name(f".tinygrad_rnn.{digest}.lock")
    while True:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            process = os.read(number, 20).decode("ascii", "replace") or "unknown"
            os.close(number)
            expected = "a checkpoint that no other training writes"
            got = f"{str(target)!r}, which process {process} is training"
            fix = "wait until it has ended, or give another name with --out"
            raise argument_error("train", "--out", expected, got, fix, BlockingIOError) from error
        except OSError:  # the file system has no locks
            pass
        if _is_file_at(path, number):
            break
        os.close(number)  # the last holder has just removed this file
    with suppress(OSError):  # a full disk; the number is only for the message of another training
        os.truncate(number, 0)
        os.write(number, str(os.getpid()).encode())
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(number)


def _is_file_at(path: Path, number: int) -> bool:
    """Return whether an open file is still the one that has this name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(number))
    except FileNotFoundError:
        return False
