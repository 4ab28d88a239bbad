"""Files that are not what they seem, and writers that are killed: what is refused costs no memory, and the old file stays whole."""

import json
import struct
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from internals import (
    Architecture,
    Options,
    Trainer,
    load_metadata,
    load_model,
    load_with_metadata,
    save,
)

import tinygrad_rnn as tg

TEXT = "the cat sat on the mat and the dog sat on the log. " * 12
MEGABYTE = 2**20


def file_of(header, data=b"", length=None):
    """The bytes of a safetensors file with this header, right or wrong, which may lie about its length."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(start, end, shape, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


GOOD = b'{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
HOSTILE = {
    "empty": b"",
    "three bytes": b"abc",
    "a header of 2**60 bytes": file_of({}, length=2**60),
    "a header of 2**64 - 1 bytes": file_of({}, length=2**64 - 1),
    "a header of 99 MB in a file of 10 bytes": file_of({}, length=99_000_000),
    "a header without a byte": file_of(b""),
    "tensors that overlap": file_of({"a": entry(0, 8, [2]), "b": entry(4, 12, [2])}, bytes(12)),
    "tensors in one place": file_of({"a": entry(0, 8, [2]), "b": entry(0, 8, [2])}, bytes(8)),
    "an offset beyond the end": file_of({"a": entry(0, 8, [2])}, bytes(4)),
    "an offset far beyond the end": file_of({"a": entry(0, 2**62, [2**60])}, bytes(8)),
    "an offset below zero": file_of({"a": entry(-8, 0, [2])}, bytes(8)),
    "offsets in the wrong order": file_of({"a": entry(8, 0, [2])}, bytes(8)),
    "one offset": file_of({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0]}}, bytes(8)),
    "a size below zero": file_of({"a": entry(0, 8, [-2])}, bytes(8)),
    "a size that is no integer": file_of({"a": entry(0, 8, [2.0])}, bytes(8)),
    "a size over 64 bits": file_of({"a": entry(0, 8, [2**70])}, bytes(8)),
    "a product of sizes over 64 bits": file_of({"a": entry(0, 8, [2**32, 2**32])}, bytes(8)),
    "a product over 64 bits that wraps to nothing": file_of({"a": entry(0, 0, [2**62, 4])}),
    "huge and empty": file_of({"a": entry(0, 0, [2**62, 2**62, 0])}),
    "huge in one axis, empty in the other": file_of({"a": entry(0, 0, [2**62, 0])}),
    "a shape of other bytes than the offsets": file_of({"a": entry(0, 8, [3])}, bytes(8)),
    "a hundred axes": file_of({"a": entry(0, 4, [1] * 100)}, bytes(4)),
    "an unknown dtype": file_of({"a": entry(0, 8, [2], "F33")}, bytes(8)),
    "no dtype": file_of({"a": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
    "bfloat16, which NumPy lacks": file_of({"a": entry(0, 8, [4], "BF16")}, bytes(8)),
    "a dtype that NumPy lacks, after much data": file_of(
        {
            "a": entry(0, 8 * MEGABYTE, [2 * MEGABYTE]),
            "b": entry(8 * MEGABYTE, 8 * MEGABYTE + 2, [1], "BF16"),
        },
        bytes(8 * MEGABYTE + 2),
    ),
    "complex numbers": file_of({"a": entry(0, 8, [1], "C64")}, bytes(8)),
    "a name twice": file_of(b'{"a":' + GOOD + b',"a":' + GOOD + b"}", bytes(8)),
    "a name twice, written in two ways": file_of(
        b'{"a":' + GOOD + b',"\\u0061":' + GOOD + b"}", bytes(8)
    ),
    "a field twice": file_of(b'{"a":' + GOOD[:-1] + b',"dtype":"I32"}}', bytes(8)),
    "metadata twice": file_of(b'{"__metadata__":{"a":"b"},"__metadata__":{"a":"c"}}'),
    "a text of the metadata twice": file_of(b'{"__metadata__":{"a":"b","a":"c"}}'),
    "metadata that is a number": file_of({"__metadata__": {"a": 1}}),
    "metadata that is a list": file_of({"__metadata__": ["a"]}),
    "metadata in metadata": file_of({"__metadata__": {"a": {"b": "c"}}}),
    "a hundred thousand lists in each other": file_of(
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    ),
    "a hundred thousand objects in each other": file_of(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "bytes that are no UTF-8": file_of(b'{"\xff":' + GOOD + b"}", bytes(8)),
    "half of a character": file_of(b'{"\\ud800":' + GOOD + b"}", bytes(8)),
    "a gap between tensors": file_of({"a": entry(0, 4, [1]), "b": entry(8, 12, [1])}, bytes(12)),
    "a gap before the first": file_of({"a": entry(4, 8, [1])}, bytes(8)),
    "bytes after the last": file_of({"a": entry(0, 4, [1])}, bytes(8)),
    "a list": file_of([1]),
    "a number": file_of(b"3"),
    "text after the header's end": file_of(b'{} "a"'),
    "half a header": file_of(b'{"a":' + GOOD),
    "a zip": b"PK\x03\x04" + bytes(100),
    "a pickle": b"\x80\x04\x95" + bytes(100),
    "an npy": b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    + bytes(100),
    "much that is nothing": b"\x00" * 8 * MEGABYTE,
}


def refused(read, path, message):
    """Whether `read` refuses a file with this message, and the bytes that it took to."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message):
            read(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(
    "read",
    [tg.load, load_model, lambda path: Trainer.resume(path, TEXT)],
    ids=["load", "load_model", "resume"],
)
def test_a_hostile_file_is_refused_before_memory_is_taken(content, read, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    assert refused(read, path, "whole safetensors file|a character model, got") < MEGABYTE


def test_hostile_files_take_no_memory_in_the_safetensors_library_either(tmp_path):
    """What is not Python's own memory, tracemalloc does not see; the process as a whole does."""
    for i, content in enumerate(HOSTILE.values()):
        (tmp_path / f"{i}.safetensors").write_bytes(content)
    code = """if True:
        import resource, sys
        from pathlib import Path
        import tinygrad_rnn as tg
        def refused(path):
            try: tg.load(path)
            except ValueError: return True
        files = sorted(Path(sys.argv[1]).iterdir())
        assert refused(files[0])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert all(map(refused, files))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    grown = int(run.stdout) * (1 if sys.platform == "darwin" else 1024)
    assert grown < 8 * MEGABYTE


def test_the_check_on_memory_can_fail(tmp_path):
    path = tmp_path / "x.safetensors"
    tg.save({"a": np.zeros(2 * MEGABYTE, np.float32)}, path)

    def read_and_refuse(path):
        raise ValueError(f"no: {tg.load(path)['a'].size}")

    assert refused(read_and_refuse, path, "no") > 8 * MEGABYTE


def test_headers_written_by_other_libraries_are_read(tmp_path):
    """Spaces behind a header, which align the data, no metadata, and names in any order."""
    path = tmp_path / "x.safetensors"
    numbers = np.arange(3, dtype="<f4")
    header = {"b": entry(4, 12, [2]), "__metadata__": None, "a": entry(0, 4, [1])}
    for text in (json.dumps(header), json.dumps(header, indent=1) + " " * 50):
        path.write_bytes(file_of(text.encode(), numbers.tobytes()))
        loaded = tg.load(path)
        assert loaded.keys() == {"a", "b"}
        np.testing.assert_array_equal(np.concatenate([loaded["a"], loaded["b"]]), numbers)


# -- cut and damaged ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """What an interrupted training wrote."""
    trainer = Trainer(
        TEXT, Architecture(hidden=4, embedding=3), Options(epochs=2, batch_size=4, steps=10)
    )
    left = iter(range(3))
    trainer.run(stop=lambda: next(left, None) is None)
    path = tmp_path_factory.mktemp("checkpoint") / "m"
    trainer.save(path)
    return path


def test_a_file_cut_anywhere_is_refused(checkpoint, tmp_path):
    """At every length in the header's first and last bytes and every place where an array begins or ends, and at others between."""
    whole = checkpoint.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    entries = json.loads(whole[8:header])
    seams = [
        header + offset
        for name, e in entries.items()
        if name != "__metadata__"
        for offset in e["data_offsets"]
    ]
    lengths = {
        *range(20),
        *range(0, len(whole), 97),
        *(s + d for s in [header, len(whole), *seams] for d in (-1, 0, 1)),
    }
    path = tmp_path / "m"
    refusals = 0
    for length in sorted(lengths):
        if length < len(whole):
            path.write_bytes(whole[:length])
            for read in (tg.load, load_model, load_metadata):
                with pytest.raises(ValueError, match="whole safetensors file"):
                    read(path)
            refusals += 1
    assert refusals > 100


def test_a_checkpoint_with_a_byte_changed_anywhere_is_refused(checkpoint, tmp_path):
    """By the format, by what the header says about the model, or by the checksums."""
    whole = checkpoint.read_bytes()
    path = tmp_path / "m"
    places = np.random.default_rng(0).integers(0, len(whole), 300)
    for place in places:
        content = bytearray(whole)
        content[place] ^= 0x15
        path.write_bytes(content)
        try:
            resumed = Trainer.resume(path, TEXT)
        except ValueError:
            continue
        # A header can be written in several ways: what such a file says is what was written.
        for name, array in tg.load(checkpoint).items():
            np.testing.assert_array_equal(tg.load(path)[name], array)
        assert (resumed.epoch, resumed.batch) == (0, 3)


SIZES = {
    "embedding": {"embedding": 10**9},
    "hidden": {"hidden": 10**9},
    "layers": {"layers": 10**9},
    "layers that there are arrays for": {"layers": 4},
    "another cell": {"cell": "lstm"},
    "no embedding": {"embedding": 0},
    "a size that is text": {"hidden": "4"},
    "a size that is true": {"layers": True},
    "dropout that is no share": {"dropout": 10**400},
    "dropout that is text": {"dropout": "none"},
    "an unknown field": {"cells": 3},
}


@pytest.mark.parametrize("change", SIZES.values(), ids=SIZES)
def test_a_checkpoint_that_says_it_is_larger_than_it_is_takes_no_memory(
    change, checkpoint, tmp_path
):
    arrays, metadata = load_with_metadata(checkpoint)
    header = json.loads(metadata["header"])
    header["architecture"] |= change
    path = tmp_path / "m"
    save(arrays, path, metadata=metadata | {"header": json.dumps(header)})
    assert refused(load_model, path, "a whole character model") < MEGABYTE


def test_recurrent_weights_of_another_size_than_the_header_says_take_no_memory(
    checkpoint, tmp_path
):
    """A long output.weight is no proof that there are matrices of its length squared."""
    arrays, metadata = load_with_metadata(checkpoint)
    header = json.loads(metadata["header"])
    header["architecture"]["hidden"] = 10_000
    arrays["model.output.weight"] = np.zeros((len(header["characters"]), 10_000), np.float32)
    path = tmp_path / "m"
    save(arrays, path, metadata=metadata | {"header": json.dumps(header)})
    size = path.stat().st_size
    assert (
        refused(
            load_model, path, r"its header asks for a recurrent\.weight_ih_l0 of shape \(30000, 3\)"
        )
        < size + MEGABYTE
    )


HEADERS = {
    "no JSON": "hello",
    "a list": "[]",
    "a hundred thousand lists": "[" * 100_000,
    "a number of a million digits": "1" * 1_000_000,
    "nothing": "{}",
    "characters that are a number": '{"characters": 3}',
    "characters twice": '{"characters": "aa", "architecture": {}, "notes": {}}',
}


@pytest.mark.parametrize("text", HEADERS.values(), ids=HEADERS)
def test_a_checkpoint_with_a_strange_header_is_refused(text, checkpoint, tmp_path):
    arrays, metadata = load_with_metadata(checkpoint)
    path = tmp_path / "m"
    save(arrays, path, metadata=metadata | {"header": text})
    with pytest.raises(ValueError, match="a whole character model"):
        load_model(path)


def test_a_large_file_of_another_kind_is_rejected_by_its_header(tmp_path):
    path = tmp_path / "x.safetensors"
    save({"a": np.zeros(4 * MEGABYTE, np.float32)}, path, metadata={"format": "pt"})
    assert refused(load_model, path, "another safetensors file") < MEGABYTE


# -- killed ------------------------------------------------------------------------------------------

KILLS = 40
DRIVER = """
import os, random, signal, sys, time
import numpy as np
import tinygrad_rnn as tg

def kill_again_and_again(work, look, kills):
    # One process imports; each fork of it writes until it is killed.
    moments, reach = random.Random(0), 0.03
    for _ in range(kills):
        read, write = os.pipe()
        child = os.fork()
        if not child:
            try:
                work(lambda: os.write(write, b"."))
            finally:
                os._exit(1)
        os.close(write)
        os.read(read, 1)  # it has begun
        time.sleep(moments.uniform(0, reach))
        os.kill(child, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
        os.close(read)
        reach = reach if look() else reach * 1.1  # on a machine with much else to do a save takes longer
    folder = os.path.dirname(os.path.abspath(sys.argv[1]))
    print(len([name for name in os.listdir(folder) if name.endswith(".tmp")]))
"""
WEIGHTS = """
path = sys.argv[1]
def write(version):
    tg.save({"a": np.full(100_000, version), "b": np.full((3, 5), version, "f4")}, path, metadata={"version": str(version)})
def work(begun):
    version = int(tg.load(path)["a"][0])
    begun()
    while True:
        version += 1
        write(version)
last = 0
def look():
    global last
    arrays, metadata = tg.serialize.load_with_metadata(path)
    version = int(metadata["version"])
    assert arrays.keys() == {"a", "b"}
    assert (arrays["a"] == version).all() and (arrays["b"] == version).all()
    assert last <= version <= last + 1000
    before, last = last, version
    return last > before
write(0)
kill_again_and_again(work, look, KILLS)
assert last > 0
"""
CHECKPOINTS = """
from tinygrad_rnn.app.char_model import Architecture
from tinygrad_rnn.app.train import Options, Trainer
path, text = sys.argv[1], TEXT
Trainer(text, Architecture(hidden=8, embedding=4), Options(epochs=100, batch_size=4, steps=5)).save(path)
def place(trainer):
    return trainer.epoch * trainer.batches + trainer.batch
def work(begun):
    trainer = Trainer.resume(path, text)
    begun()
    def save_and_go_on():
        trainer.save(path)
        return False
    trainer.run(stop=save_and_go_on)
last = 0
def look():
    global last
    found = place(Trainer.resume(path, text))
    assert found >= last
    before, last = last, found
    return last > before
kill_again_and_again(work, look, KILLS)
assert last > 0
assert Trainer.resume(path, text).step(*next(tg.text.batches(np.zeros(100, int), 4, 5))) > 0
"""


@pytest.mark.parametrize(
    "writer", [WEIGHTS, CHECKPOINTS], ids=["weights", "checkpoints of a training"]
)
def test_a_writer_killed_at_any_moment_leaves_a_whole_file(writer, tmp_path):
    path = tmp_path / "x.safetensors"
    code = f"KILLS, TEXT = {KILLS}, {TEXT!r}\n{DRIVER}\n{writer}"
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.stderr == ""
    assert int(run.stdout) > 0, "no kill came while a file was being written"
    assert path.stat().st_size > 0
