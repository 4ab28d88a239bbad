"""Files of other kinds: each loader says what a file is, and gives the line that converts it."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from helpers import read_one_line, run_command, together
from internals import Trainer, load_metadata, load_model, read_text, recognise

import tinygrad_rnn as tg
from tinygrad_rnn import interop, nn, optim

FOREIGN = Path(__file__).parents[1] / "fixtures" / "foreign"
LINES = json.loads((FOREIGN / "lines.json").read_text(encoding="utf-8"))
EXPECTED = np.load(FOREIGN / "expected.npz")
ARRAYS = {"weight": np.arange(6, dtype="f4").reshape(2, 3), "bias": np.ones(2, "f4")}


def write_archive(path):
    """Write a tar archive with one empty file in it."""
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("weights"))


def write_zip(path, *names):
    """Write a zip archive of files without content."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"")


def compress(module):
    """Return a function that writes a compressed safetensors file."""

    def write(path):
        tg.save(ARRAYS, path)
        path.write_bytes(module.compress(path.read_bytes()))

    return write


def cut_in_half(write):
    """Return a function that writes the first half of a file."""

    def write_half(path):
        write(path)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])

    return write_half


def write_pickle(protocol):
    """Return a function that writes a pickle of a dict of arrays."""
    return lambda path: path.write_bytes(pickle.dumps(ARRAYS, protocol))


def write_npz(path):
    with path.open("wb") as file:
        np.savez(file, **ARRAYS)


def write_npy(path):
    with path.open("wb") as file:
        np.save(file, ARRAYS["weight"])


def write_objects(path):
    """Write a dict of arrays as an .npy file, which makes it a number of dtype object."""
    with path.open("wb") as file:
        np.save(file, ARRAYS)


def write_content(content):
    return lambda path: path.write_bytes(content)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"
PAGE = b"\n<!DOCTYPE html>\n<html><head><title>weights</title></head></html>"
INDEX = b'{"metadata": {}, "weight_map": {"weight": "model-00001-of-00001.safetensors"}}'
KINDS = {
    name: (write_content((FOREIGN / name).read_bytes()), kind)
    for name, kind in {
        "zip.pt": "a PyTorch file",
        "legacy.pt": "a PyTorch file",
        "script.pt": "a TorchScript file of PyTorch",
        "model.keras": "a file of Keras",
        "model.h5": "an HDF5 file, as Keras writes them",
        "model.weights.h5": "an HDF5 file with weights of Keras",
        "model.onnx": "an ONNX file",
    }.items()
} | {
    "w.npz": (write_npz, "an .npz file of NumPy"),
    "w.npy": (write_npy, "an .npy file of NumPy"),
    **{f"w{n}.pkl": (write_pickle(n), "a pickle, which can run any program") for n in range(6)},
    "objects.npy": (write_objects, "an .npy file of NumPy with Python objects"),
    "w.safetensors.gz": (compress(gzip), "a gzip file"),
    "w.safetensors.bz2": (compress(bz2), "a bzip2 file"),
    "w.safetensors.xz": (compress(lzma), "an xz file"),
    "w.zst": (write_content(b"\x28\xb5\x2f\xfd" + bytes(20)), "a Zstandard file"),
    "w.tar": (write_archive, "an archive"),
    "w.zip": (lambda path: write_zip(path, "a.txt", "b.npy"), "an archive"),
    "half.pt": (cut_in_half(write_content((FOREIGN / "zip.pt").read_bytes())), "a damaged zip"),
    "empty.safetensors": (write_content(b""), "an empty file"),
    "pointer.safetensors": (write_content(POINTER), "a pointer of Git LFS"),
    "page.safetensors": (write_content(PAGE), "a web page"),
    "refusal.safetensors": (write_content(b"<?xml version='1.0'?><Error/>"), "a web page"),
    "model.safetensors.index.json": (write_content(INDEX), "an index of several safetensors files"),
    "text.txt": (write_content("σ, one line of text\n".encode() * 9000), "a text file"),
    "text16.txt": (write_content("one line\n".encode("utf-16")), "a text in UTF-16"),
}
"""By name: the function that writes the file, and the words for its kind."""
PICKLES = [f"w{n}.pkl" for n in range(6)]
every_kind = pytest.mark.parametrize("name", KINDS)


def write(name, folder, as_name=None):
    """Write the file of this name into a folder, perhaps under another name; return its path."""
    path = folder / (as_name or name)
    KINDS[name][0](path)
    return path


READERS = {
    "load": (tg.load, "load: argument path"),
    "load_metadata": (load_metadata, "load: argument path"),
    "load_into": (lambda p: interop.load_into(nn.GRU(2, 1), p), "load_into: argument source"),
    "compare": (lambda p: interop.compare(nn.GRU(2, 1), p), "compare: argument source"),
    "load_model": (load_model, "load: argument path"),
    "resume": (lambda p: Trainer.resume(p, "a text"), "load: argument path"),
}
"""The functions that read a safetensors file."""


@every_kind
@together("reader", READERS)
def test_a_reader_says_what_a_file_of_another_kind_is(reader, name, tmp_path):
    """The content shows the kind: the name may have any ending."""
    read, where = READERS[reader]
    path = write(name, tmp_path, "x.weights.h5" if name == "model.weights.h5" else "x.safetensors")
    with pytest.raises(ValueError, match="which is") as refusal:
        read(path)
    fix = recognise(str(path)).explain(str(path))
    assert str(refusal.value) == (
        f"{where}: expected a whole safetensors file, got {str(path)!r}, "
        f"which is {recognise(str(path)).name}; {fix}"
    )
    assert KINDS[name][1] in str(refusal.value)


def optimizer():
    """Return an optimizer of one parameter."""
    return optim.Adam([tg.Tensor(1.0, requires_grad=True)])


CONVERTERS = {
    "load_state_dict": nn.GRU(2, 1).load_state_dict,
    "an optimizer's load_state_dict": lambda p: optimizer().load_state_dict(p),
    "a schedule's load_state_dict": lambda p: optim.ExponentialLR(
        optimizer(), gamma=0.5
    ).load_state_dict(p),
    "from_pytorch": interop.from_pytorch,
    "to_pytorch": interop.to_pytorch,
    "from_keras": lambda p: interop.from_keras(p, reset="after"),
    "to_keras": interop.to_keras,
    "from_onnx_weights": interop.from_onnx_weights,
    "to_onnx_weights": interop.to_onnx_weights,
    "from_d2l": interop.from_d2l,
    "to_d2l": interop.to_d2l,
    "from_tutorial": interop.from_tutorial,
    "to_tutorial": interop.to_tutorial,
}
"""The functions that take arrays, to which a path is given here."""


@every_kind
@together("converter", CONVERTERS)
def test_a_path_in_place_of_arrays_is_answered_with_the_line_for_this_file(
    converter, name, tmp_path
):
    path = write(name, tmp_path)
    for given in (str(path), path, bytes(path)):
        with pytest.raises(TypeError, match=r"argument (state|weights): expected") as refusal:
            CONVERTERS[converter](given)
        assert f"got the path {str(path)!r} of {KINDS[name][1]}" in str(refusal.value)
        assert str(refusal.value).endswith(f"; {recognise(str(path)).explain(str(path))}")


@pytest.mark.parametrize("converter", CONVERTERS)
def test_the_path_of_a_safetensors_file_in_place_of_arrays_is_answered_with_load(
    converter, tmp_path
):
    """Keras's weights are a list, which no safetensors file holds."""
    path = tmp_path / "w.safetensors"
    tg.save(ARRAYS, path)
    fix = r"layer\.get_weights" if converter == "from_keras" else r"tg\.load\('.*w\.safetensors'\)$"
    with pytest.raises(TypeError, match=f"got the path '.*w.safetensors'; pass {fix}"):
        CONVERTERS[converter](path)


@pytest.mark.parametrize("converter", CONVERTERS)
def test_the_path_of_no_file_in_place_of_arrays_says_so(converter, tmp_path):
    for path in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(TypeError, match=f"got the path '{path}', where there is no file; load"):
            CONVERTERS[converter](path)


def test_the_lines_for_state_dicts_load_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gru, layer = nn.GRU(2, 1, rng=0), nn.GRU(2, 1)
    tg.save(gru.state_dict(), "w.safetensors")
    with pytest.raises(TypeError, match="; pass ") as refusal:
        layer.load_state_dict("w.safetensors")
    layer.load_state_dict(eval(str(refusal.value).rpartition("; pass ")[2]))
    assert_same(layer.state_dict(), gru.state_dict())
    with pytest.raises(TypeError, match="; pass ") as refusal:
        interop.from_pytorch("w.safetensors")
    found = interop.from_pytorch(eval(str(refusal.value).rpartition("; pass ")[2]))
    assert_same(found, gru.state_dict())


@pytest.mark.parametrize("name", LINES)
def test_the_line_for_a_file_of_another_library_is_the_one_that_was_run_with_it(name):
    assert recognise(str(FOREIGN / name)).explain(name) == LINES[name]


def run_line(path, **names):
    """Run the line in the fix for a file; return the variables."""
    line = recognise(str(path)).explain(str(path)).partition("run: ")[2].partition("; then ")[0]
    variables = {**names}
    exec(line, variables)
    return variables


@pytest.mark.parametrize("name", ["w.npz", "objects.npy", *PICKLES])
@pytest.mark.parametrize("as_name", ["w.x", 'it\'s.a "w".x', "w.safetensors", "w"])
def test_the_line_makes_a_safetensors_file_beside_the_other(name, as_name, tmp_path):
    path = write(name, tmp_path, as_name)
    before = path.read_bytes()
    run_line(path)
    (new,) = set(tmp_path.iterdir()) - {path}
    assert path.read_bytes() == before
    assert_same(tg.load(new), ARRAYS)


@pytest.mark.parametrize("name", ["w.safetensors.gz", "w.safetensors.bz2", "w.safetensors.xz"])
@pytest.mark.parametrize("as_name", [None, "w.safetensors"])
def test_the_line_decompresses_a_file(name, as_name, tmp_path):
    path = write(name, tmp_path, as_name)
    run_line(path)
    (new,) = set(tmp_path.iterdir()) - {path}
    assert_same(tg.load(new), ARRAYS)


def test_the_line_for_a_single_array_saves_it(tmp_path):
    path = write("w.npy", tmp_path)
    run_line(path)
    assert_same(tg.load(tmp_path / "w.safetensors"), {"array": ARRAYS["weight"]})


@pytest.mark.parametrize("values", [[1, 2, 3], [[0.5, 1.0]], [True, False]])
def test_the_line_for_an_array_of_objects_saves_its_numbers(values, tmp_path):
    path = tmp_path / "o.npy"
    np.save(path, np.array(values, object))
    assert recognise(str(path)).name.startswith("an .npy file of NumPy with Python objects")
    run_line(path)
    assert_same(tg.load(tmp_path / "o.safetensors"), {"array": np.array(values)})


def test_objects_in_a_field_of_an_npy_file_are_noticed(tmp_path):
    for dtype, kind in (([("a", "O"), ("b", "f4")], "with Python objects"), ("f4", "of NumPy")):
        np.save(tmp_path / "o.npy", np.zeros(2, dtype))
        assert recognise(str(tmp_path / "o.npy")).name.partition(",")[0].endswith(kind)


PICKLED = {
    "a dict": {"a": 1},
    "a dict of lists": {"weight": [[1.0, 2.0]]},
    "an empty list": [],
    "a list of arrays": list(ARRAYS.values()),
    "a tuple of arrays": tuple(ARRAYS.values()),
    "an array": ARRAYS["weight"],
    "a number of NumPy": np.float32(3),
    "an ordered dict": OrderedDict(ARRAYS),
    "a text": "weights",
    "a text of two lines": "two\nlines",
    "a function": len,
}


@pytest.mark.parametrize("value", [(1, 2), (1, 0.5, "a"), (1, [2])])
def test_a_pickled_tuple_of_protocol_0_is_recognised(value, tmp_path):
    (tmp_path / "w").write_bytes(pickle.dumps(value, 0))
    assert recognise(str(tmp_path / "w")).name.startswith("a pickle")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", PICKLED.values(), ids=PICKLED)
def test_a_pickle_of_each_protocol_is_recognised(value, protocol, tmp_path):
    path = tmp_path / "w"
    for content in (pickle.dumps(value, protocol), pickle._dumps(value, protocol)):
        path.write_bytes(content)
        assert recognise(str(path)).name.startswith("a pickle")


@pytest.mark.parametrize(
    "text",
    [
        *("(dp", "(dp0 is a name)\n", "}q", "]\n", "total.", "N.", "(I1\n.", "(tp\n", "X   0"),
        *("cat\ndog\np. 7\n", "cat\ndog\n(bird)\n", "Very\np5a\n", "See\nthe sea\n"),
    ],
)
def test_a_text_that_begins_like_a_pickle_is_a_text(text, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(text, encoding="utf-8")
    assert recognise(str(path)).name == "a text file"
    assert read_text("train", "FILE", path) == text


def test_the_line_for_an_index_merges_its_files(tmp_path):
    path = write("model.safetensors.index.json", tmp_path)
    tg.save(ARRAYS, tmp_path / "model-00001-of-00001.safetensors")
    assert_same(run_line(path)["state"], ARRAYS)


def test_the_line_for_an_onnx_file_gives_the_weights_of_its_node():
    arrays = run_line(FOREIGN / "model.onnx")["arrays"]
    expected = {name: EXPECTED[f"model.onnx/{name}"] for name in ("W", "R", "B")}
    assert_same(arrays, expected)
    state = interop.from_onnx_weights(arrays, reset="before", linear_before_reset=0)
    nn.GRU(2, 1, reset="before").load_state_dict(state)


def assert_same(found, expected):
    """Assert that two dicts have the same arrays."""
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_a_damaged_safetensors_file_is_not_taken_for_another_kind(tmp_path):
    """The length of a header can begin with the first bytes of any other kind."""
    path = tmp_path / "w.safetensors"
    for first in range(256):
        path.write_bytes(bytes([first, 2, 0, 0, 0, 0, 0, 0]) + b'{"a":' + bytes(100))
        assert recognise(str(path)) is None


def test_a_model_that_we_exported_is_recognised_and_one_of_tensorflow_is_not_taken_for_it(tmp_path):
    path = tmp_path / "m"
    interop.to_onnx(nn.GRU(3, 2, rng=0).eval(), np.ones((2, 1, 3), "f4"), path)
    assert recognise(str(path)).name == "an ONNX file"
    path.write_bytes(b"\x08\x01\x12\x05hello")
    assert recognise(str(path)) is None


def test_random_bytes_are_of_no_kind(tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "w"
    for _ in range(300):
        path.write_bytes(rng.bytes(200))
        assert recognise(str(path)) is None


def test_hostile_archives_are_recognised_without_being_unpacked(tmp_path):
    """A megabyte of a zip archive cannot become a gigabyte, nor its names a path to write to."""
    path = tmp_path / "w.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../a.npy", bytes(10_000_000))
    assert recognise(str(path)).name == "an .npz file of NumPy"
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(4, len(whole), 500):
        content = bytearray(whole)
        content[place] ^= int(rng.integers(1, 256))
        path.write_bytes(content)
        assert recognise(str(path)) is not None


def test_a_checkpoint_may_have_a_path_of_bytes(tmp_path):
    path = bytes(tmp_path / "w.safetensors")
    tg.save(ARRAYS, path)
    for read in (load_model, lambda p: Trainer.resume(p, "a text")):
        with pytest.raises(ValueError, match=r"got '.*w\.safetensors', which is another"):
            read(path)


@every_kind
def test_the_command_says_in_one_line_what_a_file_is(name, tmp_path, capsys):
    path = write(name, tmp_path)
    assert run_command("sample", path) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    assert KINDS[name][1] in error


IS_TEXT = [
    "text.txt",
    "page.safetensors",
    "refusal.safetensors",
    "model.safetensors.index.json",
    "empty.safetensors",
]
NO_TEXT = [name for name in KINDS if name not in [*IS_TEXT, "text16.txt"]] + ["w.safetensors"]


@pytest.mark.parametrize("name", NO_TEXT)
@pytest.mark.parametrize("is_piped", [False, True])
def test_a_file_that_is_no_text_to_learn_is_refused_by_its_kind(
    name, is_piped, tmp_path, capsys, monkeypatch
):
    path = tmp_path / "text.txt"
    tg.save(ARRAYS, path) if name == "w.safetensors" else write(name, tmp_path, path.name)
    if is_piped:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    assert run_command("train", "-" if is_piped else path, "--out", tmp_path / "m") == 2
    error = read_one_line(capsys)
    kind = "a safetensors file" if name == "w.safetensors" else KINDS[name][1]
    # Only the first bytes are looked at, and neither the name of the file nor those in an archive.
    kind = "an HDF5 file" if "HDF5" in kind else kind
    kind = "an archive" if path.read_bytes()[:2] == b"PK" else kind
    given = "-" if is_piped else str(path)
    assert f"expected a text file, got {given!r}, which is {kind}" in error
    assert error.endswith("; give the path of a text file\n")


@pytest.mark.parametrize("name", IS_TEXT)
def test_a_text_of_any_kind_may_be_learned(name, tmp_path):
    path = write(name, tmp_path)
    assert read_text("train", "FILE", path).encode() == path.read_bytes()


def test_a_text_in_another_encoding_is_answered_with_how_to_convert_it(tmp_path):
    path = write("text16.txt", tmp_path)
    with pytest.raises(ValueError, match=r"expected UTF-8 text, got byte 0x.* with iconv"):
        read_text("train", "FILE", path)


def test_a_folder_in_place_of_a_file_is_an_error_that_says_so(tmp_path):
    for read, where in READERS.values():
        with pytest.raises(FileNotFoundError, match="give the path of a file in this folder") as e:
            read(tmp_path)
        assert where in str(e.value)
