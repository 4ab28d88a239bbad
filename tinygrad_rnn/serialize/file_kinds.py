"""Recognition of files that are not safetensors files, and advice on how to convert them.

Nothing in such a file is run or unpacked. Only its first bytes are read, and the names of the files
in a zip archive.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import check
from ..errors import argument_error
from .paths import path_name, shorten


class FileKind(NamedTuple):
    """A kind of file that is not a safetensors file.

    Attributes
    ----------
    name : str
        The kind, with its article.
    fix : str
        What to do: usually a line of Python, in which PATH and NEW stand for the paths of the file
        and of the safetensors file to make from it.
    """

    name: str
    fix: str

    def explain(self, path: str) -> str:
        """Return what to do with the file at `path`."""
        stem, suffix = os.path.splitext(path)
        new = stem if stem.endswith(".safetensors") else f"{stem}.safetensors"
        new = f"{stem}-converted.safetensors" if suffix == ".safetensors" else new
        return self.fix.replace("PATH", repr(path)).replace("NEW", repr(new))


def _save_with_torch(state: str) -> str:
    """Return the line that saves a state dict with PyTorch; tied weights are saved twice."""
    arrays = f"{{name: t.contiguous().clone() for name, t in {state}.items()}}"
    line = f"import torch, safetensors.torch; safetensors.torch.save_file({arrays}, NEW)"
    hint = "if the file holds more than a state dict, take the state dict out of it"
    return f"run: {line}; then tg.load reads the new file ({hint})"


def _decompress(module: str) -> str:
    """Return the line that decompresses a file with a module of the standard library."""
    content = f"{module}.decompress(pathlib.Path(PATH).read_bytes())"
    return f"run: import {module}, pathlib; pathlib.Path(NEW).write_bytes({content})"


PYTORCH = FileKind(
    "a PyTorch file", _save_with_torch("torch.load(PATH, map_location='cpu', weights_only=True)")
)
TORCHSCRIPT = FileKind(
    "a TorchScript file of PyTorch",
    _save_with_torch("torch.jit.load(PATH, map_location='cpu').state_dict()"),
)
KERAS = FileKind(
    "a file of Keras",
    "run: import keras; weights = {layer.name: layer.get_weights() for layer in "
    "keras.models.load_model(PATH).layers}; then tg.interop.from_keras converts the weights of one "
    "layer",
)
HDF5 = KERAS._replace(name="an HDF5 file, as Keras writes them")
KERAS_WEIGHTS = FileKind(
    "an HDF5 file with weights of Keras",
    "build the model in Keras, and run: model.load_weights(PATH); weights = {layer.name: "
    "layer.get_weights() for layer in model.layers}; then tg.interop.from_keras converts the "
    "weights of one layer",
)
ONNX = FileKind(
    "an ONNX file",
    "run: import onnx; arrays = {t.name: onnx.numpy_helper.to_array(t) for t in "
    "onnx.load(PATH).graph.initializer}; then tg.interop.from_onnx_weights converts the arrays W, "
    "R and B of one node",
)
NPZ = FileKind(
    "an .npz file of NumPy",
    "run: import numpy, tinygrad_rnn as tg; tg.save(dict(numpy.load(PATH)), NEW); then tg.load "
    "reads the new file (arrays of Python objects need numpy.load(..., allow_pickle=True), which "
    "can run any program: pass it only if you trust the author)",
)
NPY = FileKind(
    "an .npy file of NumPy",
    "run: import numpy, tinygrad_rnn as tg; tg.save({'array': numpy.load(PATH)}, NEW)",
)
OBJECT_NPY = FileKind(
    "an .npy file of NumPy with Python objects, which can run any program when it is read",
    "if you trust its author and it holds numbers or a dict of arrays, run: import numpy, "
    "tinygrad_rnn as tg; value = numpy.load(PATH, allow_pickle=True).tolist(); "
    "tg.save(value if isinstance(value, dict) else {'array': numpy.array(value)}, NEW)",
)
PICKLE = FileKind(
    "a pickle, which can run any program when it is read",
    "if you trust its author and it holds a dict of arrays, run: import pathlib, pickle, "
    "tinygrad_rnn as tg; tg.save(pickle.loads(pathlib.Path(PATH).read_bytes()), NEW)",
)
ARCHIVE = FileKind("an archive", "unpack it, and give the path of a file in it")
DAMAGED_ZIP = FileKind(
    "a damaged zip archive",
    "download or save it again (the files of PyTorch, Keras and NumPy are zip archives)",
)
EMPTY = FileKind("an empty file", "download or save the file again")
GIT_LFS = FileKind("a pointer of Git LFS in place of the file", "run in its folder: git lfs pull")
INDEX = FileKind(
    "an index of several safetensors files",
    "run: import json, pathlib, tinygrad_rnn as tg; index = pathlib.Path(PATH); state = {name: "
    "array for file in {*json.loads(index.read_text())['weight_map'].values()} for name, array in "
    "tg.load(index.with_name(file)).items()}",
)
WEB_PAGE = FileKind(
    "a web page",
    "download the file itself; on Hugging Face, write /resolve/ in place of /blob/ in its address",
)
UTF16 = FileKind("a text in UTF-16", "give the path of a file with weights")
TEXT = FileKind("a text file", "give the path of a file with weights")

SAFETENSORS = FileKind("a safetensors file", "read it with tg.load(PATH)")
TEXTS = (TEXT, UTF16, WEB_PAGE, INDEX, EMPTY)
"""The kinds of file that can be a text to learn."""
FIRST = 65536
"""The number of bytes at the start of a file that are looked at."""

SIGNATURES = {
    b"\x89HDF\r\n\x1a\n": HDF5,
    b"\x93NUMPY": NPY,
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.": PYTORCH,  # before version 1.6
    b"\x1f\x8b": FileKind("a gzip file", _decompress("gzip")),
    b"BZh": FileKind("a bzip2 file", _decompress("bz2")),
    b"\xfd7zXZ\0": FileKind("an xz file", _decompress("lzma")),
    b"\x28\xb5\x2f\xfd": FileKind("a Zstandard file", "decompress it with the program zstd"),
    b"7z\xbc\xaf\x27\x1c": ARCHIVE,
    b"version https://git-lfs": GIT_LFS,
    b"\xff\xfe": UTF16,
    b"\xfe\xff": UTF16,
}
"""The kinds of file that can be recognised by these first bytes."""

OLD_PICKLE = re.compile(
    rb"(?:\(|[IFL]-?\d\S*\n)*"  # the starts of tuples and lists, and numbers in them
    rb"(?:[dlt]p\d+\n"  # a dict, a list or a tuple
    rb"|[]}]q[\0\1]"  # a dict or a list in protocol 1
    rb"|[SV][^\n]*\np\d+\n"  # a text
    rb"|X.{3}\0"  # a text in protocol 1
    rb"|c[\w.]+\n[\w.]+\n(?:p\d+\n|q[\0\1]))",  # the names of a module and of a class in it
    re.DOTALL,
)
"""The beginning of most pickles of protocol 0 and 1, which have no signature. Protocol 0 is text.

Most alternatives end with the number that a pickle gives to an object, which prose does not have.
"""


def recognise(path: str) -> FileKind | None:
    """Return the kind of a file; None for a safetensors file, even a damaged one, or if unknown."""
    try:
        with open(path, "rb") as file:
            kind = recognise_content(file.read(FIRST), path)
    except OSError:
        return None
    return None if kind is SAFETENSORS else kind


def recognise_content(content: bytes, path: str = "") -> FileKind | None:
    """Return the kind of file that begins with these bytes; None if it is unknown."""
    first = content[:FIRST]
    if first[4:9] == b"\0\0\0\0{":  # the length of a header, and its start
        return SAFETENSORS
    for start, kind in SIGNATURES.items():
        if first.startswith(start):
            if kind is NPY and b"'|O'" in first.partition(b"'fortran_order'")[0]:
                return OBJECT_NPY
            is_weights = kind is HDF5 and path.endswith(".weights.h5")
            return KERAS_WEIGHTS if is_weights else kind
    if first.startswith(b"PK\x03\x04"):
        return _recognise_zip(path)
    if first[257:262] == b"ustar":
        return ARCHIVE
    # The third byte of a pickle is an opcode; the second is the version of the format.
    if first[:1] == b"\x80" and first[1:2] in (b"\2", b"\3", b"\4", b"\5") and first[2:3] > b"\0":
        return PICKLE
    if OLD_PICKLE.match(first):
        return PICKLE
    # An ONNX file begins with the field of its version, which is 3 or more; then another follows.
    if first[:1] == b"\x08" and b"\2" < first[1:2] < b"\x20" and first[2:3] in b'\x12\x1a"(2:B':
        return ONNX
    return _recognise_text(first)


def _recognise_zip(path: str) -> FileKind:
    """Return the kind of a zip archive, which the names in it show."""
    if not path:
        return ARCHIVE
    import struct
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.rpartition("/")[2] for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error):
        return DAMAGED_ZIP
    if "data.pkl" in names:
        return TORCHSCRIPT if "constants.pkl" in names else PYTORCH
    if "model.weights.h5" in names:
        return KERAS
    return NPZ if names and all(name.endswith(".npy") for name in names) else ARCHIVE


def _recognise_text(first: bytes) -> FileKind | None:
    """Return the kind of a file of text; None if the bytes are not text."""
    controls = {*range(32)} - {*b"\t\n\f\r"}
    try:
        text = first.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(first) - 3 or len(first) < FIRST:  # not a character cut at the end
            return None
        text = first[: error.start].decode("utf-8-sig")
    if controls & {*first}:
        return None
    start = text.lstrip().lower()
    if start.startswith(("<!doctype", "<html", "<?xml")):
        return WEB_PAGE
    if start.startswith("{") and '"weight_map"' in text:
        return INDEX
    return TEXT if start else EMPTY


def require_arrays(operation: str, argument: str, value: Any, fix: str) -> Mapping[str, Any]:
    """Return `value` if it is a mapping, else raise TypeError.

    For a path, the error says which call reads or converts the file.
    """
    if isinstance(value, str | bytes | os.PathLike):
        load = f"pass tg.load({os.fsdecode(value)!r})"
        raise path_error(operation, argument, value, "a mapping of names to arrays", load)
    return check.mapping(operation, argument, value, fix)


def path_error(operation: str, argument: str, path: Any, expected: str, fix: str) -> Exception:
    """Return the TypeError for a path that was given in place of arrays.

    The message ends with the fix for the kind of the file, if the kind is known. If there is no
    file, it asks for an existing one. Otherwise it ends with `fix`.
    """
    name = path_name(path, operation=operation, argument=argument)
    kind, got = recognise(name), f"the path {shorten(name)}"
    if kind:
        got, fix = f"{got} of {kind.name}", kind.explain(name)
    elif not os.path.isfile(name):
        got, fix = f"{got}, where there is no file", "load an existing file, and pass its arrays"
    return argument_error(operation, argument, expected, got, fix, TypeError)
