"""Damaged safetensors files: bytes changed by chance, and files that change while they are read.

The library `safetensors` judges the same bytes. What it refuses, we refuse.
"""

import json
import os
import re
import struct
import subprocess
import sys

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from internals import load_metadata, load_with_metadata, safetensors_file
from safetensors import SafetensorError, deserialize

import tinygrad_rnn as tg

READERS = {
    "load": (tg.load, "load: argument path: "),
    "load_metadata": (load_metadata, "load: argument path: "),
    "load_into": (
        lambda path: tg.interop.load_into(tg.nn.Linear(2, 3), path, strict=False),
        "load_into: argument source: ",
    ),
}
STRICTER = "occurs twice in the header|has dtype|maximum supported|too (big|large)|other bytes"
"""The faults that the library does not see: a name twice, and arrays that NumPy cannot have."""
ARRAYS = {
    "weight": np.arange(6, dtype="f4").reshape(2, 3),
    "bias": np.ones(3, "f4"),
    "b": np.array([True, False]),
    "empty": np.zeros((0, 2)),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Return the path of a file with `ARRAYS`, which every example writes anew."""
    return tmp_path_factory.mktemp("damaged") / "w.safetensors"


def whole_file():
    """Return the bytes of a file with `ARRAYS`, written by the library."""
    from safetensors.numpy import save

    return save(ARRAYS, metadata={"format": "pt", "a": "b"})


WHOLE = whole_file()
PLACES = st.integers(0, len(WHOLE) - 1)
EDITS = st.one_of(
    st.tuples(st.just("flip"), PLACES, st.integers(1, 255)),
    st.tuples(st.just("cut"), PLACES, st.integers(1, 40)),
    st.tuples(st.just("repeat"), PLACES, st.integers(1, 40)),
    st.tuples(st.just("insert"), PLACES, st.binary(min_size=1, max_size=8)),
)


def edit(content, kind, place, value):
    """Return the bytes after one change by chance."""
    if kind == "flip":
        return content[:place] + bytes([content[place] ^ value]) + content[place + 1 :]
    if kind == "cut":
        return content[:place] + content[place + value :]
    if kind == "repeat":
        return content[: place + value] + content[place:]
    return content[:place] + value + content[place:]


def refuses(read, where, path, content):
    """Return the message with which a reader refuses the bytes; "" if it takes them."""
    path.write_bytes(content)
    try:
        read(path)
        refusal = ""
    except ValueError as error:
        refusal = str(error)
    start = f"{where}expected a whole safetensors file, got {str(path)!r}"
    assert not refusal or refusal.startswith(start)
    assert len(refusal) < 1500
    return refusal


def library_accepts(content):
    """Return the arrays by name if the library takes the bytes, else None."""
    try:
        return {name: entry["data"] for name, entry in deserialize(content)}
    except (SafetensorError, UnicodeDecodeError):
        return None


def check_bytes(path, content):
    """Compare our readers with the library on some bytes; return whether they were accepted."""
    theirs = library_accepts(content)
    ours = {name: refuses(*reader, path, content) for name, reader in READERS.items()}
    assert ours["load"] == ours["load_metadata"] or "BOOL" in ours["load"]
    assert ours["load"] or not ours["load_into"]  # it takes bfloat16 too
    if theirs is None:
        assert all(ours.values())
    elif ours["load"]:
        assert re.search(STRICTER, ours["load"])
    else:
        found = tg.load(path)
        assert found.keys() == theirs.keys()
        assert all(array.tobytes() == bytes(theirs[name]) for name, array in found.items())
    return not ours["load"]


@settings(max_examples=200, deadline=None)
@given(st.lists(EDITS, min_size=1, max_size=3))
def test_bytes_changed_by_chance_are_refused_or_read_as_the_library_reads_them(path, edits):
    content = WHOLE
    for kind, place, value in edits:
        content = edit(content, kind, min(place, len(content) - 1), value) if content else content
    check_bytes(path, content)


SIZES = st.sampled_from([0, 1, 2, 3, 8, 24, 2**31, 2**62, 2**63, 2**64, -1, 1.0, True, None, "2"])
VALUES = st.recursive(
    st.none() | st.booleans() | SIZES | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F64", "I8", "BOOL", "BF16", "F8_E4M3", "C64", "f32"])
        | VALUES,
        "shape": st.lists(SIZES, max_size=3) | VALUES,
        "data_offsets": st.lists(SIZES, min_size=2, max_size=2) | VALUES,
    }
)
HEADERS = st.dictionaries(st.sampled_from(["a", "b", "__metadata__", "é"]), ENTRIES | VALUES)


@settings(max_examples=200, deadline=None)
@given(HEADERS | VALUES, st.integers(0, 40), st.sampled_from([0, 1, -1, 2**40, 2**63]))
def test_headers_made_by_chance_are_refused_or_read_as_the_library_reads_them(
    path, header, size, more
):
    text = json.dumps(header).encode()
    length = (len(text) + more) % 2**64
    check_bytes(path, struct.pack("<Q", length) + text + bytes(size))


COUNTS = st.integers(0, 3)
SHAPES = st.dictionaries(st.sampled_from("abcdé"), st.lists(COUNTS, max_size=3), min_size=1)


@settings(max_examples=100, deadline=None)
@given(SHAPES, st.randoms(use_true_random=False), st.integers(0, 3))
def test_right_headers_in_any_order_and_spacing_are_read(path, shapes, random, spaces):
    names = list(shapes)
    random.shuffle(names)
    entries, place = {}, 0
    for name in names:
        size = 4 * int(np.prod(shapes[name]))
        entries[name] = {
            "dtype": "I32",
            "shape": shapes[name],
            "data_offsets": [place, place + size],
        }
        place += size
    random.shuffle(names)
    text = json.dumps({name: entries[name] for name in names}, indent=spaces or None).encode()
    text += b" " * spaces
    content = struct.pack("<Q", len(text)) + text + bytes(place)
    assert library_accepts(content) is not None
    assert check_bytes(path, content)


def test_the_library_takes_what_we_wrote_it_off_for():
    """The comparison can fail: the library takes a file of two arrays, and refuses a cut one."""
    assert library_accepts(WHOLE).keys() == ARRAYS.keys()
    assert library_accepts(WHOLE[:-1]) is None


# -- changed while it is read ----------------------------------------------------------------------

CHANGES = {
    "cut to nothing": lambda path: os.truncate(path, 0),
    "cut in the arrays": lambda path: os.truncate(path, path.stat().st_size - 5),
    "made longer": lambda path: path.open("ab").write(b"more"),
    "written again by cp": lambda path: path.write_bytes(path.read_bytes()),
    "another byte": lambda path: path.open("r+b").write(b"\x01"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("reader", ["load", "load_into"])
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_file_that_changes_while_it_is_read_is_an_error(
    change, reader, place, tmp_path, monkeypatch
):
    """The change comes when the header has been read, or after the first arrays."""
    path = tmp_path / "w.safetensors"
    tg.save({"weight": np.ones((2, 300_000), "f4"), "bias": np.ones(300_000, "f4")}, path)
    os.utime(path, ns=(0, 0))
    read_array, calls = safetensors_file._read_array, []

    def read_after_change(file, entry):
        calls.append(entry)
        if len(calls) == place:
            change(path)
        return read_array(file, entry)

    read_header = safetensors_file._read_header

    def read_header_and_change(*arguments):
        found = read_header(*arguments)
        if place == 0:
            change(path)
        return found

    monkeypatch.setattr(safetensors_file, "_read_array", read_after_change)
    monkeypatch.setattr(safetensors_file, "_read_header", read_header_and_change)
    read, where = READERS[reader]
    with pytest.raises(
        ValueError,
        match=f"^{where}expected a whole safetensors file, got '{path}' "
        r"\(it (changed|became shorter) while it was read\); read it again when",
    ):
        read(path)


WRITER = """
import os, sys
path, content = sys.argv[1], open(sys.argv[1], "rb").read()
print(flush=True)
while True:
    with open(path, "wb") as file:  # as cp does: the file is empty, and grows again
        for start in range(0, len(content), 65536):
            file.write(content[start : start + 65536])
            file.flush()
"""
READER = """
import sys
import tinygrad_rnn as tg
outcomes = [0, 0]
for _ in range(400):
    try:
        arrays = tg.load(sys.argv[1])
        assert all((array == 1).all() for array in arrays.values())
        outcomes[0] += 1
    except ValueError as error:
        assert sys.argv[1] in str(error), error
        outcomes[1] += 1
print(*outcomes)
"""


def test_a_file_that_another_program_writes_again_and_again_ends_python_never(tmp_path):
    path = tmp_path / "w.safetensors"
    tg.save({f"w{i}": np.ones(200_000, "f4") for i in range(4)}, path)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE
    ) as writer:
        writer.stdout.readline()
        try:
            run = subprocess.run(
                [sys.executable, "-c", READER, str(path)],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            writer.kill()
    assert (run.returncode, run.stderr) == (0, "")
    assert int(run.stdout.split()[1]) > 20


def test_a_file_of_which_python_may_read_nothing_is_an_error_with_its_name(tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    path.write_bytes(WHOLE)

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(safetensors_file, "_read_array", fail)
    for reader in ("load", "load_into"):
        read, where = READERS[reader]
        with pytest.raises(
            OSError, match=rf"^{where}expected a file that can be read, got '{path}' \(input/output"
        ) as e:
            read(path)
        assert e.value.errno == 5


def test_arrays_beyond_memory_are_an_error_with_the_name_of_the_file(tmp_path, monkeypatch):
    """The system says here that the file is as large as its header says."""
    path, size = tmp_path / "w.safetensors", 4 * 2**50
    entry = {"dtype": "F32", "shape": [2**50], "data_offsets": [0, size]}
    text = json.dumps({"w": entry}).encode()
    stat = list(tmp_path.stat())
    stat[6] = 8 + len(text) + size
    monkeypatch.setattr(safetensors_file.os, "fstat", lambda _: os.stat_result(stat))
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    with pytest.raises(
        MemoryError, match=rf"^load: argument path: .* got '{path}' \(Unable to all"
    ):
        tg.load(path)


def test_a_truth_value_of_another_byte_is_refused(tmp_path):
    """NumPy would count such an entry as two."""
    path = tmp_path / "w.safetensors"
    tg.save({"b": np.array([True, False])}, path)
    path.write_bytes(path.read_bytes()[:-1] + b"\x02")
    with pytest.raises(ValueError, match=r"w\.safetensors' \(a BOOL array has other bytes"):
        tg.load(path)


@pytest.mark.parametrize("kind", [str, bytes, "bytes behind __fspath__"])
def test_a_path_may_be_text_or_bytes(kind, tmp_path):
    class Path:
        def __fspath__(self):
            return os.fsencode(tmp_path / "é.safetensors")

    path = Path() if isinstance(kind, str) else os.fspath(tmp_path / "é.safetensors")
    path = os.fsencode(path) if kind is bytes else path
    tg.save(ARRAYS, path, metadata={"a": "b"})
    assert load_with_metadata(path)[0].keys() == ARRAYS.keys()
    assert load_metadata(path) == {"a": "b"}
    assert set(tg.interop.compare(tg.nn.Linear(2, 3), path).fitting) == {"bias"}
    (tmp_path / "é.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"got '.*é\.safetensors', which is not a file"):
        tg.load(path)
