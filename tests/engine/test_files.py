"""Hostile and damaged files are rejected without taking memory; a killed writer damages no file."""

import functools
import json
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

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
TESTS = str(Path(__file__).parents[1])


def make_file(header, data=b"", length=None):
    """Return a safetensors file as bytes; its header and the header's length may be wrong."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def make_entry(start, end, shape, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


GOOD = b'{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
HOSTILE = {
    "empty": b"",
    "three bytes": b"abc",
    "a header of 2**60 bytes": make_file({}, length=2**60),
    "a header of 2**64 - 1 bytes": make_file({}, length=2**64 - 1),
    "a header of 99 MB in a file of 10 bytes": make_file({}, length=99_000_000),
    "a header without a byte": make_file(b""),
    "tensors that overlap": make_file(
        {"a": make_entry(0, 8, [2]), "b": make_entry(4, 12, [2])}, bytes(12)
    ),
    "tensors in one place": make_file(
        {"a": make_entry(0, 8, [2]), "b": make_entry(0, 8, [2])}, bytes(8)
    ),
    "an offset beyond the end": make_file({"a": make_entry(0, 8, [2])}, bytes(4)),
    "an offset far beyond the end": make_file({"a": make_entry(0, 2**62, [2**60])}, bytes(8)),
    "an offset below zero": make_file({"a": make_entry(-8, 0, [2])}, bytes(8)),
    "offsets in the wrong order": make_file({"a": make_entry(8, 0, [2])}, bytes(8)),
    "one offset": make_file({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0]}}, bytes(8)),
    "a size below zero": make_file({"a": make_entry(0, 8, [-2])}, bytes(8)),
    "a size that is no integer": make_file({"a": make_entry(0, 8, [2.0])}, bytes(8)),
    "a size over 64 bits": make_file({"a": make_entry(0, 8, [2**70])}, bytes(8)),
    "a product of sizes over 64 bits": make_file({"a": make_entry(0, 8, [2**32, 2**32])}, bytes(8)),
    "a product over 64 bits that wraps to nothing": make_file({"a": make_entry(0, 0, [2**62, 4])}),
    "huge and empty": make_file({"a": make_entry(0, 0, [2**62, 2**62, 0])}),
    "huge in one axis, empty in the other": make_file({"a": make_entry(0, 0, [2**62, 0])}),
    "a shape of other bytes than the offsets": make_file({"a": make_entry(0, 8, [3])}, bytes(8)),
    "a hundred axes": make_file({"a": make_entry(0, 4, [1] * 100)}, bytes(4)),
    "an unknown dtype": make_file({"a": make_entry(0, 8, [2], "F33")}, bytes(8)),
    "no dtype": make_file({"a": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
    "bfloat16, which NumPy lacks": make_file({"a": make_entry(0, 8, [4], "BF16")}, bytes(8)),
    "a dtype that NumPy lacks, after much data": make_file(
        {
            "a": make_entry(0, 8 * MEGABYTE, [2 * MEGABYTE]),
            "b": make_entry(8 * MEGABYTE, 8 * MEGABYTE + 2, [1], "BF16"),
        },
        bytes(8 * MEGABYTE + 2),
    ),
    "complex numbers": make_file({"a": make_entry(0, 8, [1], "C64")}, bytes(8)),
    "a name twice": make_file(b'{"a":' + GOOD + b',"a":' + GOOD + b"}", bytes(8)),
    "a name twice, written in two ways": make_file(
        b'{"a":' + GOOD + b',"\\u0061":' + GOOD + b"}", bytes(8)
    ),
    "a field twice": make_file(b'{"a":' + GOOD[:-1] + b',"dtype":"I32"}}', bytes(8)),
    "metadata twice": make_file(b'{"__metadata__":{"a":"b"},"__metadata__":{"a":"c"}}'),
    "a text of the metadata twice": make_file(b'{"__metadata__":{"a":"b","a":"c"}}'),
    "metadata that is a number": make_file({"__metadata__": {"a": 1}}),
    "metadata that is a list": make_file({"__metadata__": ["a"]}),
    "metadata in metadata": make_file({"__metadata__": {"a": {"b": "c"}}}),
    "a hundred thousand lists in each other": make_file(
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    ),
    "fifty thousand objects in each other": make_file(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "bytes that are no UTF-8": make_file(b'{"\xff":' + GOOD + b"}", bytes(8)),
    "half of a character": make_file(b'{"\\ud800":' + GOOD + b"}", bytes(8)),
    "a gap between tensors": make_file(
        {"a": make_entry(0, 4, [1]), "b": make_entry(8, 12, [1])}, bytes(12)
    ),
    "a gap before the first": make_file({"a": make_entry(4, 8, [1])}, bytes(8)),
    "bytes after the last": make_file({"a": make_entry(0, 4, [1])}, bytes(8)),
    "a list": make_file([1]),
    "a number": make_file(b"3"),
    "text after the header's end": make_file(b'{} "a"'),
    "half a header": make_file(b'{"a":' + GOOD),
    "a zip": b"PK\x03\x04" + bytes(100),
    "a pickle": b"\x80\x04\x95" + bytes(100),
    "an npy": b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    + bytes(100),
    "much that is nothing": b"\x00" * 8 * MEGABYTE,
}


def measure_rejection(read, path, message):
    """Assert that `read` raises ValueError with this message; return the peak memory in bytes."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message):
            read(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "shape", [[2**62, 4], [2**62, 2**62, 0], [1] * 65, [1] * 81, [0] * 500, [2**31] * 4]
)
@pytest.mark.parametrize("dtype", ["F32", "BOOL", "I64"])
def test_an_impossible_shape_is_reported_by_the_name_of_the_array(shape, dtype, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(make_file({"gru.weight": make_entry(0, 0, shape, dtype)}))
    expected = rf"\(array 'gru\.weight' has a shape that no NumPy array can have, \({shape[0]}, "
    for read in (tg.load, lambda path: tg.interop.load_into(tg.nn.Linear(2, 2), path)):
        with pytest.raises(ValueError, match=expected) as refusal:
            read(path)
        assert "iterator" not in str(refusal.value)
        assert "ndarray" not in str(refusal.value)


def test_bfloat16_is_answered_with_the_functions_that_read_it(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(make_file({"weight": make_entry(0, 8, [2, 2], "BF16")}, bytes(8)))
    with pytest.raises(ValueError, match=r"; tg\.interop\.load_into loads BF16 into a module, and"):
        tg.load(path)
    layer = tg.nn.Linear(2, 2, bias=False)
    assert tg.interop.compare(layer, path).complete
    assert tg.interop.load_into(layer, path).complete


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(
    "read",
    [tg.load, load_model, lambda path: Trainer.resume(path, TEXT)],
    ids=["load", "load_model", "resume"],
)
def test_a_hostile_file_is_refused_before_memory_is_taken(content, read, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    assert measure_rejection(read, path, "whole safetensors file|a character model, got") < MEGABYTE


WITHOUT_BFLOAT16 = {name: each for name, each in HOSTILE.items() if b"BF16" not in each}


@pytest.mark.parametrize("content", WITHOUT_BFLOAT16.values(), ids=WITHOUT_BFLOAT16)
def test_a_hostile_file_is_refused_by_load_into_before_memory_is_taken(content, tmp_path):
    """It reads bfloat16, which `load` refuses, and is as strict otherwise."""
    path, layer = tmp_path / "x.safetensors", tg.nn.Linear(2, 2)
    path.write_bytes(content)
    message = f"load_into: argument source: expected a whole safetensors file, got '{path}'"
    read = functools.partial(tg.interop.load_into, layer)
    assert measure_rejection(read, path, message) < MEGABYTE


def test_hostile_files_take_no_memory_in_the_safetensors_library_either(tmp_path):
    """tracemalloc counts only memory that Python allocates, so measure the whole process."""
    for i, content in enumerate(HOSTILE.values()):
        (tmp_path / f"{i}.safetensors").write_bytes(content)
    code = """if True:
        import resource, sys
        from pathlib import Path
        import tinygrad_rnn as tg
        def is_rejected(path):
            try: tg.load(path)
            except ValueError: return True
        files = sorted(Path(sys.argv[1]).iterdir())
        assert is_rejected(files[0])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert all(map(is_rejected, files))
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

    def read_and_reject(path):
        raise ValueError(f"no: {tg.load(path)['a'].size}")

    assert measure_rejection(read_and_reject, path, "no") > 8 * MEGABYTE


def test_headers_written_by_other_libraries_are_read(tmp_path):
    """Spaces after the header (to align the data), null metadata, and names in any order."""
    path = tmp_path / "x.safetensors"
    numbers = np.arange(3, dtype="<f4")
    header = {"b": make_entry(4, 12, [2]), "__metadata__": None, "a": make_entry(0, 4, [1])}
    for text in (json.dumps(header), json.dumps(header, indent=1) + " " * 50):
        path.write_bytes(make_file(text.encode(), numbers.tobytes()))
        loaded = tg.load(path)
        assert loaded.keys() == {"a", "b"}
        np.testing.assert_array_equal(np.concatenate([loaded["a"], loaded["b"]]), numbers)


# -- cut and damaged -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Return the path of a checkpoint that an interrupted training wrote."""
    trainer = Trainer(
        TEXT, Architecture(hidden=4, embedding=3), Options(epochs=2, batch_size=4, steps=10)
    )
    left = iter(range(3))
    trainer.run(stop=lambda: next(left, None) is None)
    path = tmp_path_factory.mktemp("checkpoint") / "m"
    trainer.save(path)
    return path


def test_a_file_cut_anywhere_is_refused(checkpoint, tmp_path):
    """Cut in the first bytes, around the ends of the header and of every array, and in between."""
    whole = checkpoint.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    entries = json.loads(whole[8:header])
    boundaries = [
        header + offset
        for name, e in entries.items()
        if name != "__metadata__"
        for offset in e["data_offsets"]
    ]
    lengths = {
        *range(20),
        *range(0, len(whole), 97),
        *(s + d for s in [header, len(whole), *boundaries] for d in (-1, 0, 1)),
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
    """The format, the description of the model in the header, or a checksum reveals it."""
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
        # The changed byte is one that does not matter, such as a space in the header.
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
    assert measure_rejection(load_model, path, "a whole character model") < MEGABYTE


def test_recurrent_weights_of_another_size_than_the_header_says_take_no_memory(
    checkpoint, tmp_path
):
    """A large output.weight does not prove that the recurrent matrices are as large."""
    arrays, metadata = load_with_metadata(checkpoint)
    header = json.loads(metadata["header"])
    header["architecture"]["hidden"] = 10_000
    arrays["model.output.weight"] = np.zeros((len(header["characters"]), 10_000), np.float32)
    path = tmp_path / "m"
    save(arrays, path, metadata=metadata | {"header": json.dumps(header)})
    size = path.stat().st_size
    assert (
        measure_rejection(
            load_model, path, r"its header requires shape \(30000, 3\) of recurrent\.weight_ih_l0"
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
    assert measure_rejection(load_model, path, "another safetensors file") < MEGABYTE


# -- killed ----------------------------------------------------------------------------------------

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
        reach = reach if look() else reach * 1.1  # saving takes longer on a busy machine
    folder = os.path.dirname(os.path.abspath(sys.argv[1]))
    print(len([name for name in os.listdir(folder) if name.endswith(".tmp")]))
"""
WEIGHTS = """
path = sys.argv[1]
def write(version):
    arrays = {"a": np.full(100_000, version), "b": np.full((3, 5), version, "f4")}
    tg.save(arrays, path, metadata={"version": str(version)})
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
sys.path.insert(0, TESTS)
from internals import Architecture, Options, Trainer
path, text = sys.argv[1], TEXT
options = Options(epochs=100, batch_size=4, steps=5)
Trainer(text, Architecture(hidden=8, embedding=4), options).save(path)
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
    code = f"KILLS, TEXT, TESTS = {KILLS}, {TEXT!r}, {TESTS!r}\n{DRIVER}\n{writer}"
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
