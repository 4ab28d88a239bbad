"""Files: round trips, memory layouts, interruption, permissions and errors."""

import os

import numpy as np
import pytest
import safetensors
from internals import serialize, whole_file

import tinygrad_rnn as tg


def test_round_trip_of_every_layout_and_dtype(tmp_path):
    a = np.arange(12.0).reshape(3, 4)
    state = {
        "transposed": a.T,
        "fortran": np.asfortranarray(a),
        "reversed": a[::-1, ::-2],
        "number": np.float32(3.0),
        "empty": np.zeros((0, 3)),
        "tensor": tg.Tensor(a.astype("float32")).T,
        "half": a.astype("float16"),
        "integers": np.arange(3),
        "booleans": np.array([True, False]),
    }
    tg.save(state, tmp_path / "x.safetensors")
    loaded = tg.load(tmp_path / "x.safetensors")
    assert loaded.keys() == state.keys()
    for name, value in state.items():
        expected = value.data if isinstance(value, tg.Tensor) else np.asarray(value)
        np.testing.assert_array_equal(loaded[name], expected)
        assert loaded[name].dtype == expected.dtype
        assert loaded[name].shape == expected.shape


def test_a_module_is_saved_and_loaded(tmp_path):
    gru, other = tg.nn.GRU(3, 4, num_layers=2, rng=0), tg.nn.GRU(3, 4, num_layers=2, rng=1)
    tg.save(gru.state_dict(), tmp_path / "gru.safetensors")
    other.load_state_dict(tg.load(tmp_path / "gru.safetensors"))
    x = np.ones((2, 1, 3), "float32")
    np.testing.assert_array_equal(gru(x)[0].data, other(x)[0].data)


def test_an_interrupted_save_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    tg.save({"a": np.ones(3)}, path)

    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr(whole_file.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        tg.save({"a": np.zeros(3)}, path)
    np.testing.assert_array_equal(tg.load(path)["a"], np.ones(3))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="permissions")
def test_a_replaced_file_keeps_its_permissions(tmp_path):
    path, beside = tmp_path / "x.safetensors", tmp_path / "y"
    beside.touch()
    tg.save({"a": np.ones(3)}, path)
    assert path.stat().st_mode == beside.stat().st_mode  # 0o666 without the umask
    for mode in (0o600, 0o666, 0o644):
        path.chmod(mode)
        tg.save({"a": np.zeros(3)}, path)
        assert path.stat().st_mode & 0o777 == mode


@pytest.mark.skipif(os.name != "posix", reason="permissions")
def test_others_cannot_read_a_file_while_it_is_written(tmp_path, monkeypatch):
    path, seen = tmp_path / "x", []
    tg.save({"a": np.ones(3)}, path)
    path.chmod(0o600)
    monkeypatch.setattr(
        whole_file.os,
        "fsync",
        lambda _: seen.extend(other.stat().st_mode & 0o777 for other in tmp_path.iterdir()),
    )
    tg.save({"a": np.ones(3)}, path)
    assert seen == [0o600, 0o600]
    path.chmod(0o644)
    tg.save({"a": np.ones(3)}, path)
    assert sorted(seen[2:]) == [0o600, 0o644]


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_link_is_followed_when_it_is_written_to(tmp_path):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "weights", tmp_path / "link"
    link.symlink_to("folder/weights")
    for number in (1, 2):
        tg.save({"a": np.full(3, number)}, link)
        assert link.is_symlink()
        assert [path.name for path in target.parent.iterdir()] == ["weights"]
        np.testing.assert_array_equal(tg.load(target)["a"], number)
    tg.save({"a": np.full(3, 3)}, os.fsencode(link))
    np.testing.assert_array_equal(tg.load(target)["a"], 3)


def test_what_is_not_a_safetensors_file_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    tg.save({"a": np.ones(300)}, path)
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[:50], whole[:-1], b"\xff" * 100, whole + b"more"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="whole safetensors file"):
            tg.load(path)
    with pytest.raises(FileNotFoundError, match="expected a file"):
        tg.load(tmp_path / "none")
    with pytest.raises(TypeError, match=r"state\['a'\]"):
        tg.save({"a": np.array(["text"])}, path)


def test_equal_arrays_and_metadata_give_equal_bytes_that_the_library_reads(tmp_path):
    names = [*"zyxwvutsr", 'σ"\n\x00', "😀"]
    arrays = {name: np.arange(i, dtype="float32") for i, name in enumerate(names)}
    contents = set()
    for order in [names, names[::-1], sorted(names)] * 3:
        path = tmp_path / "x.safetensors"
        tg.save({n: arrays[n] for n in order}, path, metadata={n: n + "σ" for n in order})
        contents.add(path.read_bytes())
    assert len(contents) == 1
    with safetensors.safe_open(path, "numpy") as file:
        assert file.metadata() == {n: n + "σ" for n in names}
        for name, array in arrays.items():
            np.testing.assert_array_equal(file.get_tensor(name), array)


def test_metadata_round_trips_with_and_without_arrays(tmp_path):
    path = tmp_path / "x.safetensors"
    for metadata in (None, {}, {"a": "b"}):
        tg.save({}, path, metadata=metadata)
        assert serialize.load_with_metadata(path) == ({}, metadata or {})
        tg.save({"a": np.ones(2)}, path, metadata=metadata)
        assert serialize.load_with_metadata(path)[1] == (metadata or {})


WRONG_STATES = {
    "reserved name": ({"__metadata__": np.ones(2)}, ValueError, "'__metadata__'.*rename the array"),
    "half of a character": (
        {"\ud800": np.ones(2)},
        ValueError,
        r"argument state: expected text that UTF-8 can encode, got '\\ud800'",
    ),
    "number as a name": ({1: np.ones(2)}, TypeError, "names of type str, got int 1"),
    "names that clash": (
        {"1": np.ones(2), 1: np.zeros(2)},
        TypeError,
        "names of type str, got int 1.*keep the names distinct",
    ),
    "longdouble": (
        {"a": np.ones(2, np.longdouble)},
        TypeError,
        r"state\['a'\].*up to 64 bits.*astype",
    ),
    "complex": (
        {"b": np.ones(2), "a": np.ones(2, complex)},
        TypeError,
        r"state\['a'\].*complex128 \(2,\)",
    ),
    "object": ({"a": np.array([None])}, TypeError, r"state\['a'\].*object"),
    "none": ({"a": None}, TypeError, r"state\['a'\].*NoneType None"),
    "ragged": ({"a": [[1.0], [1.0, 2.0]]}, TypeError, r"state\['a'\].*list"),
    "no mapping": (
        tg.nn.Linear(2, 2),
        TypeError,
        r"argument state: expected a mapping.*module\.state_dict\(\)",
    ),
}


@pytest.mark.parametrize(("state", "error", "message"), WRONG_STATES.values(), ids=WRONG_STATES)
def test_a_state_that_a_file_cannot_hold_is_an_error_before_anything_is_written(
    state, error, message, tmp_path
):
    path = tmp_path / "x.safetensors"
    tg.save({"a": np.ones(3)}, path)
    before = path.read_bytes()
    with pytest.raises(error, match=f"save: .*{message}"):
        tg.save(state, path)
    with pytest.raises(error):
        tg.save(state, tmp_path / "new")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("metadata", [{"a": 1}, {1: "a"}, {"a": None}], ids=str)
def test_metadata_must_be_text(metadata, tmp_path):
    with pytest.raises(TypeError, match=r"save: argument metadata\[.*expected a str as name"):
        tg.save({}, tmp_path / "x", metadata=metadata)
    assert not list(tmp_path.iterdir())
