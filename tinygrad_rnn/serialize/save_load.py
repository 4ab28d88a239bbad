"""Saving and loading arrays as safetensors files, without pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import check
from ..errors import argument_error, describe
from ..graph import unwrap
from .safetensors_file import read_safetensors
from .whole_file import find_target, replace_file

__all__ = ["load", "load_metadata", "load_with_metadata", "save"]


def save(
    state: Mapping[str, Any],
    path: str | os.PathLike[str],
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write named arrays to a safetensors file, which PyTorch and other libraries can read too.

    The file appears complete or not at all: a draft in the same folder is written, flushed to disk,
    and renamed. The new file keeps the permissions of the file that it replaces. If `path` is a
    symbolic link, the file that it points to is replaced. Another hard link to that file keeps the
    old arrays. Equal arrays and equal metadata give equal bytes.

    Parameters
    ----------
    state : mapping of str to array or Tensor
        A ``state_dict()``, for example. The arrays may hold booleans, integers or floats of up to
        64 bits, in any memory layout. They are stored C-contiguous.
    path : path-like
    metadata : mapping of str to str, optional
        Text to store in the file's header.

    Raises
    ------
    TypeError
        If an argument has the wrong type, a name is not a str, or a safetensors file cannot store
        the dtype of an array. In that case nothing is written.
    ValueError
        If an array has the name ``__metadata__`` (the format reserves it), if a name or a text has
        a lone surrogate, or if no file can have the name `path`. In that case nothing is written.
    OSError
        If the folder of `path` does not exist or is read-only, if `path` is a folder, a read-only
        file, a pipe or a device, or if the disk is full. An old file stays unchanged.

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
    check.mapping("save", "state", state, "pass module.state_dict()")
    expected = "a mapping of str to str"
    check.instance("save", "metadata", metadata, Mapping | None, expected, "pass a dict of strings")
    arrays = {_check_name(name): _to_storable(name, value) for name, value in state.items()}
    for name, text in (metadata or {}).items():
        for part in (name, text):
            argument, fix = f"metadata[{name!r}]", "convert name and value with str(...)"
            check.instance("save", argument, part, str, "a str as name and value", fix)
            _require_unicode(argument, part)
    find_target(path)
    replace_file(path, _serialize(arrays, dict(sorted((metadata or {}).items()))))


def _serialize(arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> bytes:
    """Return the content of the file. Equal arrays and equal metadata give equal bytes.

    The library writes the metadata in a random order, so they are added to its header here.
    """
    from safetensors.numpy import save as serialize_arrays

    content = serialize_arrays(arrays)
    if not metadata:  # the library cannot read a header that has empty metadata and no arrays
        return content
    start = 8 + int.from_bytes(content[:8], "little")
    header = {"__metadata__": metadata} | json.loads(content[8:start])
    line = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    line += b" " * (-len(line) % 8)  # the arrays begin at a multiple of 8 bytes
    return len(line).to_bytes(8, "little") + line + content[start:]


def _check_name(name: Any) -> str:
    """Return the name of an array; raise an error if a file cannot store it."""
    fix = "convert each name with str(...), and keep the names distinct"
    check.instance("save", "state", name, str, "names of type str", fix)
    _require_unicode("state", name)
    if name == "__metadata__":
        expected = "a name that the format does not reserve"
        fix = "rename the array, or pass metadata= to store strings"
        raise argument_error("save", "state", expected, repr(name), fix)
    return name


def _require_unicode(argument: str, text: str) -> None:
    """Raise ValueError if a text has half of a character, which no file can store."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        fix = "remove the lone surrogate, or decode the text with errors='replace'"
        expected = "text that UTF-8 can encode"
        raise argument_error("save", argument, expected, ascii(text), fix) from error


def _to_storable(name: str, value: Any) -> np.ndarray:
    """Return `value` as a C-contiguous array; raise TypeError if a file cannot store its dtype."""
    if hasattr(value, "mask"):
        raise check.numbers_error("save", f"state[{name!r}]", value)
    try:
        array = np.asarray(unwrap(value))
    except ValueError:  # rows of different lengths
        array = np.array(None)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        expected = "an array of booleans, integers or floats of up to 64 bits"
        got, fix = describe(value), "convert the array with astype, or remove it from state"
        raise argument_error("save", f"state[{name!r}]", expected, got, fix, TypeError)
    return np.ascontiguousarray(array).reshape(array.shape)


def load(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Return the arrays of a safetensors file, by name.

    Parameters
    ----------
    path : path-like
        A file that `save`, PyTorch or another library wrote.

    Returns
    -------
    dict of str to ndarray
        Writable arrays in memory, in the dtypes of the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not a complete safetensors file, contains a name twice, or contains a dtype
        that NumPy lacks, bfloat16 for example.
    TypeError
        If `path` is not a path.

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
    """Return the arrays of a safetensors file, as `load` does, and also the metadata in its header.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    arrays : dict of str to ndarray
    metadata : dict of str to str
        Empty if the file has no metadata.

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        As in `load`.

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
    return read_safetensors(path)


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the metadata in the header of a safetensors file, without reading any array.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict of str to str
        Empty if the file has no metadata.

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        As in `load`.

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
    return read_safetensors(path, with_arrays=False)[1]
