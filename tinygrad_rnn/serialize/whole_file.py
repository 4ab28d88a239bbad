"""Replacement of a file, whole or not at all.

The package writes every file with `replace_file`, except the lock beside a checkpoint.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from stat import S_IMODE, S_ISREG
from typing import Any

from .. import check
from .paths import path_name, shorten, system_error

FIXES = {
    errno.ENAMETOOLONG: "use a shorter name",
    errno.ELOOP: "remove the symbolic link that leads to itself, or use another path",
    errno.ENOSPC: "free space, or use another path",
    errno.EDQUOT: "free space, or use another path",
    errno.EFBIG: "raise the limit for the size of a file, or use a path on another disk",
    errno.EROFS: "use a path on a disk that is not read-only",
    errno.EACCES: "allow writing, or use another path",
    errno.EPERM: "allow writing, or use another path",
}
"""The fix, by the ``errno`` of an error of the system."""
FOLDERS = ("", ".", "..")
"""The last parts of paths that only a folder can have."""
STREAMS = ("/proc/", "/dev/fd/")
"""Folders in which a name stands for a file that a process has open, such as its output."""


def replace_file(
    path: str | bytes | os.PathLike[Any],
    content: bytes,
    *,
    operation: str = "save",
    argument: str = "path",
) -> None:
    """Write `content` to `path` whole or not at all: any failure leaves the old file unchanged.

    A draft in the same folder is written, flushed to disk, and renamed. The new file keeps the
    permissions of the old one, and its owner where the system allows this. Another hard link to the
    old file keeps the old content.

    Parameters
    ----------
    path : path-like
        If it is a symbolic link, the file that it points to is replaced.
    content : bytes
    operation, argument : str
        The names of the operation and of its argument, for error messages.

    Raises
    ------
    TypeError, ValueError, OSError
        As in `find_target`. OSError is also raised if the system fails to write, because the disk
        is full for example. Its ``errno`` is that of the system.

    Examples
    --------
    >>> import os, tempfile
    >>> from tinygrad_rnn.serialize.whole_file import replace_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     replace_file(os.path.join(folder, "a.txt"), b"hello")
    ...     os.listdir(folder)
    ['a.txt']
    """
    target = find_target(path, operation=operation, argument=argument)
    # The draft's name is short, because the target's may be as long as the system allows.
    draft = target.with_name(f".tinygrad_rnn.{os.urandom(8).hex()}.tmp")
    try:
        old = _read_status(target)
        # Only the current user may read the draft until it has the owner of the old file.
        mode = 0o666 if old is None else 0o600
        with open(draft, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if old is not None:
            _copy_ownership(old, draft)
        draft.replace(target)
    except OSError as error:
        raise _write_error(operation, argument, os.fsdecode(path), error) from error
    finally:
        draft.unlink(missing_ok=True)


def _copy_ownership(old: os.stat_result, draft: Path) -> None:
    """Give the owner, the group and the permissions of the old file to the draft."""
    if hasattr(os, "chown"):  # Windows has no such function
        for owner in (old.st_uid, -1):  # only root can set the owner; others set the group
            try:
                os.chown(draft, owner, old.st_gid)
                break
            except PermissionError:
                continue
    draft.chmod(S_IMODE(old.st_mode))


def find_target(
    path: str | bytes | os.PathLike[Any], *, operation: str = "save", argument: str = "path"
) -> Path:
    """Return the path of the file that `replace_file` would create or replace, and write nothing.

    Call this function before long work whose result is to be written.

    Parameters
    ----------
    path, operation, argument
        See `replace_file`.

    Returns
    -------
    Path
        The absolute path, with symbolic links followed.

    Raises
    ------
    TypeError
        If `path` is not a path.
    ValueError
        If no file can have this name, because it is empty for example.
    FileNotFoundError
        If the folder does not exist.
    IsADirectoryError
        If `path` is a folder.
    PermissionError
        If the file is read-only, or the folder is.
    OSError
        If `path` is neither a file nor a folder, but a pipe, a device or a socket.
    """
    name = path_name(path, operation=operation, argument=argument)
    try:
        target = _follow_links(Path(name))
        old = _read_status(target)
    except OSError as error:
        raise _write_error(operation, argument, name, error) from error
    folder = target.parent
    is_folder = target.is_dir() or os.path.basename(name) in FOLDERS
    is_stream = str(target).startswith(STREAMS)
    is_regular = not is_stream and (old is None or S_ISREG(old.st_mode))
    is_writable = old is None or (old.st_mode & 0o222 and os.access(target, os.W_OK))
    can_add = os.access(folder, os.W_OK | os.X_OK)
    add = "create the folder, or use another path"
    add = "replace ~ with os.path.expanduser(path)" if name[0] == "~" else add
    copy = "save to a new file, and copy that file to the pipe or device"
    allow = "allow writing with chmod u+w, or use another path"
    for holds, expected, fix, kind in (
        (folder.is_dir(), "a file in an existing folder", add, FileNotFoundError),
        (not is_folder, "a file, not a folder", "add the name of a file", IsADirectoryError),
        (is_regular, "a regular file, or a new one", copy, OSError),
        (is_writable, "a file that is not read-only", allow, PermissionError),
        (can_add, "a file in a writable folder", "use another folder", PermissionError),
    ):
        check.require(holds, operation, argument, expected, shorten(name), fix, kind)
    return target


def _write_error(operation: str, argument: str, name: str, error: OSError) -> Exception:
    """Return the error for a file that the system cannot write, with the fix for its cause."""
    fix = FIXES.get(error.errno or 0, "use another path")
    return system_error(operation, argument, "a file that can be written", name, fix, error)


def _read_status(path: Path) -> os.stat_result | None:
    """Return what the system knows about a file, or None if there is no such file."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _follow_links(path: Path) -> Path:
    """Return the absolute path that symbolic links lead to.

    Links are followed one by one, up to an entry for an open stream of a process, such as
    /dev/stdout. If the output goes to a file, this link leads on to the file, which must not be
    replaced.
    """
    seen = set()
    while path not in seen:
        seen.add(path)
        path = Path(os.path.realpath(path.parent), path.name)
        if str(path).startswith(STREAMS) or not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return path
