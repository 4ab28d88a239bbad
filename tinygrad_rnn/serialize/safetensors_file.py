"""Reading of safetensors files: first the whole header is checked, then the arrays are read.

A file begins with 8 bytes, the length of the header in little-endian order. The header is a JSON
object. It gives the dtype, the shape and the place of each array in the bytes that follow. The
format is described at huggingface.co/docs/safetensors.

The library `safetensors` is not used for reading, because it maps files into memory. If such a file
becomes shorter, because another program is writing it, the system ends Python with a signal.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from io import BufferedReader
from typing import Any, NamedTuple

import numpy as np

from ..errors import argument_error
from .file_kinds import recognise
from .paths import path_name, shorten, system_error

DTYPES = {"BOOL": "?", "F16": "<f2", "F32": "<f4", "F64": "<f8"} | {
    f"{kind}{8 * n}": f"<{kind.lower()}{n}" for kind in "IU" for n in (1, 2, 4, 8)
}
"""For each dtype name in a header, the NumPy dtype that reads the bytes."""
BFLOAT16 = {"BF16": "<u2"}
"""The dtype that NumPy lacks, read as integers."""
DAMAGED = "download or save the file again, because it is damaged or in another format"
LONGEST_HEADER = 100_000_000
"""The greatest length of a header, in bytes, that the format allows."""


class Entry(NamedTuple):
    """The description of one array in a header.

    Attributes
    ----------
    dtype : str
        A name in `DTYPES`, or BF16.
    shape : list of int
    start, end : int
        The array's place in the bytes that follow the header.
    """

    dtype: str
    shape: list[int]
    start: int
    end: int


class ForeignDtypeError(ValueError):
    """An array has a dtype that NumPy lacks. The attribute `fix` says what to do."""

    fix = "convert the array to float32 before it is saved"


class BFloat16Error(ForeignDtypeError):
    """An array has the dtype bfloat16, which only some functions read."""

    fix = "tg.interop.load_into loads BF16 into a module, and tg.interop.compare compares it"


class ChangedFileError(ValueError):
    """Another program changed the file while it was read. `fix` says what to do."""

    fix = "read it again when the program that writes it has ended"


def read_safetensors(
    path: str | bytes | os.PathLike[Any],
    *,
    operation: str = "load",
    argument: str = "path",
    with_arrays: bool = True,
    with_bfloat16: bool = False,
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays and the metadata of a safetensors file.

    Parameters
    ----------
    path : path-like
    operation, argument : str
        The names of the operation and of its argument, for error messages.
    with_arrays : bool
        If False, no array is read, and the first result is empty.
    with_bfloat16 : bool
        If True, arrays of dtype bfloat16 are converted exactly to float32. If False, they raise
        ValueError.

    Returns
    -------
    arrays : dict of str to ndarray
        Sorted by name, writable, in the byte order of the machine.
    metadata : dict of str to str

    Raises
    ------
    TypeError
        If `path` is not a path.
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not a whole safetensors file, contains a name twice or a dtype that NumPy
        lacks, or changes while it is read.
    OSError, MemoryError
        If the system fails to read the file, or its arrays do not fit into memory.
    """
    name = path_name(path, operation=operation, argument=argument)
    if not os.path.isfile(name):
        is_folder = os.path.isdir(name)
        fix = f"give the path of a {'file in this folder' if is_folder else 'safetensors file'}"
        got = f"{shorten(name)}, which is not a file"
        raise argument_error(operation, argument, "a file", got, fix, FileNotFoundError)
    dtypes = DTYPES | (BFLOAT16 if with_bfloat16 else {})
    try:
        with open(name, "rb") as file:
            before = os.fstat(file.fileno())
            entries, metadata = _read_header(file, before.st_size, dtypes)
            arrays = {n: _read_array(file, entries[n]) for n in entries if with_arrays}
            after = os.fstat(file.fileno())
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise ChangedFileError("it changed while it was read")
    except MemoryError as error:
        expected, got = "arrays that fit into memory", f"{shorten(name)} ({error})"
        fix = "free memory, or load the file on a larger machine"
        raise argument_error(operation, argument, expected, got, fix, MemoryError) from error
    except OSError as error:
        expected, fix = "a file that can be read", "allow reading, or give another path"
        raise system_error(operation, argument, expected, name, fix, error) from error
    except (ValueError, RecursionError) as error:
        reason = str(error) if len(str(error)) <= 300 else f"{str(error)[:300]}…"
        expected, got = "a whole safetensors file", f"{shorten(name)} ({reason})"
        fix = getattr(error, "fix", DAMAGED)
        if not hasattr(error, "fix") and (kind := recognise(name)):
            got, fix = f"{shorten(name)}, which is {kind.name}", kind.explain(name)
        raise argument_error(operation, argument, expected, got, fix) from error
    return dict(sorted(arrays.items())), metadata


def _read_header(
    file: BufferedReader, size: int, dtypes: Mapping[str, str]
) -> tuple[dict[str, Entry], dict[str, str]]:
    """Return the entries of the header in the order of their places, and the metadata.

    Raise ValueError if anything in the header is wrong, contradicts the size of the file, or occurs
    twice.
    """
    length = int.from_bytes(file.read(8), "little")
    if length > min(size - 8, LONGEST_HEADER):
        raise ValueError(f"a header of {length:,} bytes in a file of {size:,} bytes")
    header = json.loads(file.read(length).decode(), object_pairs_hook=_make_dict_of_unique)
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    metadata = header.pop("__metadata__", None)
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict) or not all(isinstance(x, str) for x in metadata.values()):
        raise ValueError("its metadata are not texts")
    _require_unicode(metadata.values())
    entries = {name: _check_entry(name, entry, dtypes) for name, entry in header.items()}
    entries = dict(sorted(entries.items(), key=lambda item: (item[1].start, item[1].end)))
    place = 0
    for name, entry in entries.items():
        if entry.start != place:
            raise ValueError(f"array {name!r} starts at byte {entry.start:,}, expected {place:,}")
        place = entry.end
    if place != size - 8 - length:
        raise ValueError(f"{size - 8 - length:,} bytes of arrays, expected {place:,}")
    return entries, metadata


def _make_dict_of_unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a dict of `pairs`; raise ValueError if a name occurs twice."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r} occurs twice in the header")
        found[name] = value
    _require_unicode(found)
    return found


def _require_unicode(texts: Any) -> None:
    """Raise ValueError if a text has a lone surrogate (half of a character), which JSON allows."""
    for text in texts:
        text.encode()


def _check_entry(name: str, entry: Any, dtypes: Mapping[str, str]) -> Entry:
    """Return the entry of one array; raise ValueError if NumPy cannot have such an array."""
    fields: dict[str, Any] = entry if isinstance(entry, dict) else {}
    values: list[Any] = [fields.get(field) for field in ("dtype", "shape", "data_offsets")]
    dtype, shape, ends = values
    are_lists = isinstance(dtype, str) and isinstance(shape, list) and isinstance(ends, list)
    if not are_lists or len(ends) != 2 or not all(map(_is_size, shape + ends)):
        raise ValueError(f"the entry of array {name!r} is not a dtype, a shape and two places")
    if dtype not in dtypes:
        listed = ", ".join(sorted(dtypes))
        kind = BFloat16Error if dtype in BFLOAT16 else ForeignDtypeError
        raise kind(f"array {name!r} has dtype {dtype}, expected one of {listed}")
    try:  # a broadcast array takes no memory, but NumPy checks its shape
        size = np.broadcast_to(np.zeros((), dtypes[dtype]), shape).nbytes
    except ValueError as error:
        reason = f"array {name!r} has a shape that no NumPy array can have, {tuple(shape)}"
        raise ValueError(reason) from error
    if ends[1] - ends[0] != size:
        raise ValueError(
            f"array {name!r} of {dtype} {tuple(shape)} has {ends[1] - ends[0]:,} bytes, "
            f"expected {size:,}"
        )
    return Entry(dtype, shape, *ends)


def _is_size(n: Any) -> bool:
    """Return whether `n` is an integer that can be a size."""
    return type(n) is int and 0 <= n < 2**63


def _read_array(file: BufferedReader, entry: Entry) -> np.ndarray:
    """Return the array that comes next in the file."""
    stored = np.empty(entry.shape, (DTYPES | BFLOAT16)[entry.dtype])
    size = file.readinto(stored.reshape(-1).view(np.uint8).data)
    if size != stored.nbytes:
        raise ChangedFileError("it became shorter while it was read")
    if entry.dtype == "BOOL" and (stored.view(np.uint8) > 1).any():
        raise ValueError("a BOOL array has other bytes than 0 and 1")
    if entry.dtype in BFLOAT16:  # bfloat16 is the upper half of a float32
        wide = stored.astype(np.uint32)
        wide <<= 16
        return wide.view(np.float32)
    return stored.astype(stored.dtype.newbyteorder("="), copy=False)
