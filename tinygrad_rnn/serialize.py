"""Weights on disk: safetensors files, written atomically, checked before anything is changed. No pickle."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import check
from .errors import argument_error, describe
from .graph import Value

__all__ = ["load", "load_metadata", "load_with_metadata", "save"]
DTYPES = ("BOOL", "U8", "I8", "U16", "I16", "F16", "U32", "I32", "F32", "U64", "I64", "F64")
"""What a file says of arrays that `save` writes and `load` reads."""


def save(
    state: Mapping[str, Any],
    path: str | os.PathLike[str],
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write arrays by name to a safetensors file, which PyTorch and others read too.

    The file appears whole or not at all: it is written beside its place, flushed to disk, and moved there. It has the permissions of
    the file that it replaces; where `path` is a link, the file that it points to is replaced.

    Parameters
    ----------
    state : mapping of str to array or Tensor
        A ``state_dict()``, for example. Any memory layout; what is stored is C-contiguous. Booleans, integers and floats of
        up to 64 bits.
    path : path-like
    metadata : mapping of str to str, optional
        Text to keep in the file's header.

    Raises
    ------
    TypeError
        If a name is no text, or an array not of a dtype that such a file can hold. Nothing is written then.
    ValueError
        If a name is the one that the format keeps for itself, ``__metadata__``. Nothing is written then.

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

    if not isinstance(state, Mapping):
        wanted, fix = "a mapping of names to arrays", "pass module.state_dict()"
        raise argument_error(
            "save", "state", expected=wanted, got=describe(state), fix=fix, kind=TypeError
        )
    if not isinstance(path, str | bytes | os.PathLike):
        raise argument_error(
            "save",
            "path",
            expected="a path",
            got=describe(path),
            fix="pass a file's name",
            kind=TypeError,
        )
    if metadata is not None and not isinstance(metadata, Mapping):
        raise argument_error(
            "save",
            "metadata",
            expected="text by name",
            got=describe(metadata),
            fix="pass a dict",
            kind=TypeError,
        )
    arrays = {_name(name): _stored(name, value) for name, value in state.items()}
    for name, text in (metadata or {}).items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise argument_error(
                "save",
                f"metadata[{name!r}]",
                expected="text by name",
                got=describe(text),
                fix="use str(...)",
                kind=TypeError,
            )
    # Of empty metadata in a file without arrays safetensors makes a header that cannot be read.
    write_atomically(path, serialized(arrays, metadata=dict(metadata) if metadata else None))


def _name(name: Any) -> str:
    """A name of an array, refused if it cannot stand in a file."""
    if not isinstance(name, str):
        fix = "use str(...), and see that no two names become the same"
        raise argument_error(
            "save",
            "state",
            expected="names that are text",
            got=describe(name),
            fix=fix,
            kind=TypeError,
        )
    if name == "__metadata__":
        wanted = "any other name, for the format keeps this one for itself"
        raise argument_error(
            "save",
            "state",
            expected=wanted,
            got=repr(name),
            fix="rename it; text goes into metadata=",
        )
    return name


def _stored(name: str, value: Any) -> np.ndarray:
    """An array as a file holds it, refused if it cannot."""
    if hasattr(value, "mask"):
        raise check.numbers_error("save", f"state[{name!r}]", value)
    try:
        array = value.array if isinstance(value, Value) else np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.array(None)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        wanted, fix = (
            "an array of booleans, integers or floats of up to 64 bits",
            "use astype, or leave it out",
        )
        raise argument_error(
            "save",
            f"state[{name!r}]",
            expected=wanted,
            got=describe(value),
            fix=fix,
            kind=TypeError,
        )
    return np.ascontiguousarray(array).reshape(array.shape)


def load(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read a safetensors file: arrays by name.

    Parameters
    ----------
    path : path-like
        A file that `save`, PyTorch's safetensors or another library wrote.

    Returns
    -------
    dict of str to ndarray
        In memory, writable, in the dtypes of the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a whole safetensors file, has a name twice, or a dtype that NumPy has not, bfloat16 for example.
    TypeError
        If `path` is no path.

    Examples
    --------
    >>> import os, tempfile
    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.Linear(3, 2, rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "weights.safetensors")
    ...     tg.save(layer.state_dict(), path)
    ...     tg.nn.Linear(3, 2).load_state_dict(tg.load(path))
    ...     sorted(tg.load(path))
    ['bias', 'weight']
    """
    return load_with_metadata(path)[0]


def load_with_metadata(
    path: str | os.PathLike[str],
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """As `load`, with the text kept in the header.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    arrays : dict of str to ndarray
    metadata : dict of str to str
        Empty if there is none.

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        As `load`.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.serialize import load_with_metadata
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "weights.safetensors")
    ...     tg.save({"w": np.zeros(2)}, path, metadata={"epoch": "3"})
    ...     load_with_metadata(path)
    ({'w': array([0., 0.])}, {'epoch': '3'})
    """
    with _opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The text kept in the header alone; the file is checked as by `load`, and no array is read.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict of str to str
        Empty if there is none.

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        As `load`.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.serialize import load_metadata
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "weights.safetensors")
    ...     tg.save({"w": np.zeros(2)}, path, metadata={"epoch": "3"})
    ...     load_metadata(path)
    {'epoch': '3'}
    """
    with _opened(path) as file:
        return dict(file.metadata() or {})


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    """A safetensors file to read arrays from, refused by its header alone if it is not whole."""
    from safetensors import SafetensorError, safe_open

    if not isinstance(path, str | bytes | os.PathLike):
        raise argument_error(
            "load",
            "path",
            expected="a path",
            got=describe(path),
            fix="pass a file's name",
            kind=TypeError,
        )
    where = os.fspath(
        path
    )  # importing pathlib for this would cost every import of the package 10 ms
    if not os.path.isfile(where):  # noqa: PTH113
        raise argument_error(
            "load",
            "path",
            expected="a file",
            got=f"{str(where)!r}, which is none",
            fix="check the path",
            kind=FileNotFoundError,
        )
    try:
        with safe_open(where, framework="numpy") as file:
            _check_header(where)
            yield file
    except (
        SafetensorError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
    ) as error:
        raise argument_error(
            "load",
            "path",
            expected="a whole safetensors file",
            got=f"{str(where)!r} ({error})",
            fix="it may be damaged or of another format",
        ) from error


def _check_header(where: str | bytes) -> None:
    """Refuse what safetensors lets pass, or finds out only when other arrays are in memory: a name given twice, a dtype NumPy lacks."""
    import json

    with open(where, "rb") as file:  # noqa: PTH123
        header = json.loads(
            file.read(int.from_bytes(file.read(8), "little")), object_pairs_hook=_each_once
        )
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] not in DTYPES:
            raise ValueError(
                f"{name} is of dtype {entry['dtype']}, which is none of {', '.join(DTYPES)}"
            )


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of a header as a dict; refused if a name stands in it twice, for which of the two is meant nobody can know."""
    found: dict[str, Any] = {}
    for name, entry in pairs:
        if name in found:
            raise ValueError(f"{name!r} stands twice in its header")
        found[name] = entry
    return found


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Put `content` where `path` says, all of it or nothing: a crash leaves the old file as it was.

    A link is followed: what it points to is written. A file that was there hands its permissions on, and nobody else can
    look into the new one while it is written.
    """
    from pathlib import Path
    from stat import S_IMODE

    where = Path(os.path.realpath(os.fsdecode(path)))
    if not where.parent.is_dir() or where.is_dir():
        wanted = "a file in a folder that exists"
        raise argument_error(
            "save",
            "path",
            expected=wanted,
            got=repr(os.fsdecode(path)),
            fix="make the folder, or use another name",
            kind=FileNotFoundError,
        )
    mode = S_IMODE(where.stat().st_mode) if where.exists() else None
    draft = where.with_name(f".{where.name}.{os.urandom(8).hex()}.tmp")
    try:
        with open(
            draft,
            "xb",
            opener=lambda name, flags: os.open(name, flags, 0o666 if mode is None else mode),
        ) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:  # of which the umask may have taken away some
            draft.chmod(mode)
        draft.replace(where)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
