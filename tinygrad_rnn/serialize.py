"""Weights on disk: safetensors files, written atomically, checked before anything is changed. No pickle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from .errors import complaint, describe
from .graph import Value


def save(state: Mapping[str, Any], path: str | os.PathLike[str], *, metadata: Mapping[str, str] | None = None) -> None:
    """Write arrays by name to a safetensors file, which PyTorch and others read too.

    The file appears whole or not at all: it is written beside its place, flushed to disk, and moved there.

    Parameters
    ----------
    state : mapping of str to array or Tensor
        A ``state_dict()``, for example. Any memory layout; what is stored is C-contiguous.
    path : path-like
    metadata : mapping of str to str, optional
        Text to keep in the file's header.

    Examples
    --------
    >>> import os, tempfile
    >>> import tinygrad_rnn as tg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "weights.safetensors")
    ...     tg.save({"w": tg.Tensor([[1.0, 2.0]]).T}, path)
    ...     tg.load(path)["w"]
    array([[1.],
           [2.]], dtype=float32)
    """
    from safetensors.numpy import save as serialized

    arrays = {}
    for name, value in state.items():
        array = value.array if isinstance(value, Value) else np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise TypeError(
                complaint("save", f"state[{name!r}]", expected="an array of numbers", got=describe(value), remedy="leave it out")
            )
        arrays[str(name)] = np.ascontiguousarray(array).reshape(array.shape)
    write_atomically(path, serialized(arrays, metadata=dict(metadata or {})))


def load(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read a safetensors file: arrays by name.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a whole safetensors file.

    Examples
    --------
    See `save`.
    """
    return load_with_metadata(path)[0]


def load_with_metadata(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """As `load`, with the text kept in the header."""
    from safetensors import SafetensorError, safe_open

    where = os.fspath(path)  # importing pathlib for this would cost every import of the package 10 ms
    if not os.path.isfile(where):  # noqa: PTH113
        raise FileNotFoundError(complaint("load", "path", expected="a file", got=f"{str(where)!r}, which is none", remedy="check the path"))
    try:
        with safe_open(where, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise ValueError(
            complaint(
                "load",
                "path",
                expected="a whole safetensors file",
                got=f"{str(where)!r} ({error})",
                remedy="it may be damaged or of another format",
            )
        ) from error


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Put `content` where `path` says, all of it or nothing: a crash leaves the old file as it was."""
    import tempfile
    from pathlib import Path

    where = Path(path)
    handle, draft = tempfile.mkstemp(prefix=f".{where.name}.", suffix=".tmp", dir=where.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(draft).chmod(0o666 & ~umask)
        Path(draft).replace(where)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
