"""Every writer replaces a file whole or not at all, and refuses by name what is no regular file."""

import errno
import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from internals import (
    Architecture,
    CharModel,
    find_target,
    render,
    replace_file,
    save_model,
    whole_file,
)

import tinygrad_rnn as tg
from tinygrad_rnn.text import CharVocab

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes, links and permissions")
X = np.ones((2, 1, 3), "f4")


def draw(path):
    """Draw a graph of one op."""
    tg.graph((tg.Tensor([1.0], requires_grad=True, name="w") * 2).sum()).save(path)


WRITERS = {
    "save": (lambda path: tg.save({"w": np.ones(2)}, path), "save", ""),
    "save_model": (
        lambda path: save_model(CharModel(CharVocab("ab"), Architecture(hidden=2), rng=0), path),
        "save",
        "",
    ),
    "to_onnx": (
        lambda path: tg.interop.to_onnx(tg.nn.GRU(3, 2, rng=0).eval(), X, path),
        "to_onnx",
        "",
    ),
    **{f"graph.save {form}": (draw, "graph.save", f".{form}") for form in ("dot", "txt", "json")},
    "graph.save svg": (draw, "graph.save", ".svg"),
    "replace_file": (lambda path: replace_file(path, b"new"), "save", ""),
}
"""By name: the writer, the operation that its errors name, and the ending that it needs."""
every_writer = pytest.mark.parametrize("writer", WRITERS)


# -- places that are no regular file ---------------------------------------------------------------


def make_pipe(path):
    os.mkfifo(path)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as end:
        here = Path.cwd()
        os.chdir(path.parent)  # because the name of a socket must be short
        end.bind(path.name)
        os.chdir(here)


def link_to(target):
    """Return a function that makes a link to this target."""
    return lambda path: path.symlink_to(target)


def make_read_only_file(path):
    path.write_bytes(b"old")
    path.chmod(0o444)


def make_link(make):
    """Return a function that makes something and a link to it at the path."""

    def make_with_link(path):
        make(path.with_name("target"))
        path.symlink_to("target")

    return make_with_link


PLACES = {
    "a pipe": (make_pipe, OSError, "a regular file, or a new one"),
    "a link to a pipe": (make_link(make_pipe), OSError, "a regular file, or a new one"),
    "a socket": (make_socket, OSError, "a regular file, or a new one"),
    "a link to the null device": (link_to("/dev/null"), OSError, "a regular file, or a new one"),
    "a link to a full device": (link_to("/dev/full"), OSError, "a regular file, or a new one"),
    "a link to a terminal": (link_to("/dev/tty"), OSError, "a regular file, or a new one"),
    "a link to the output": (link_to("/dev/stdout"), OSError, "a regular file, or a new one"),
    "a link to an error stream": (link_to("/dev/fd/2"), OSError, "a regular file, or a new one"),
    "a folder": (Path.mkdir, IsADirectoryError, "a file, not a folder"),
    "a link to a folder": (make_link(Path.mkdir), IsADirectoryError, "a file, not a folder"),
    "a link to itself": (link_to("place"), OSError, "a file that can be written"),
    "a link into a missing folder": (
        link_to("none/file"),
        FileNotFoundError,
        "a file in an existing folder",
    ),
    "a read-only file": (make_read_only_file, PermissionError, "a file that is not read-only"),
    "a link to a read-only file": (
        make_link(make_read_only_file),
        PermissionError,
        "a file that is not read-only",
    ),
}


def describe_folder(folder):
    """Return what is in a folder: the kind, the permissions and the place of each entry."""
    found = {path: path.lstat() for path in folder.iterdir()}
    return {path: (entry.st_mode, entry.st_ino, entry.st_size) for path, entry in found.items()}


@every_writer
@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_is_no_file_to_replace_is_refused_and_stays(writer, place, tmp_path):
    write, operation, ending = WRITERS[writer]
    make, error, expected = PLACES[place]
    path = tmp_path / f"place{ending}"
    make(path) if place != "a link to itself" else path.symlink_to(path.name)
    before = describe_folder(tmp_path)
    with pytest.raises(error) as refusal:
        write(path)
    message = f"{operation}: argument path: expected {expected}, got {str(path)!r}"
    assert str(refusal.value).startswith(message)
    assert describe_folder(tmp_path) == before


NAMES = {
    "empty": ("", ValueError),
    "with a NUL": ("a\0b", ValueError),
    "half of a character": ("\ud800", ValueError),
    "of bytes with a NUL": (b"a\0b", ValueError),
    "too long": ("x" * 300, OSError),
    "much too long": ("x/" * 5000 + "x", OSError),
    "in a missing folder": ("none/x", FileNotFoundError),
    "in a file": ("file/x", FileNotFoundError),
    "of a folder": ("new/", IsADirectoryError),
    "of a folder, with a dot": ("new/.", IsADirectoryError),
    "of a folder, with two dots": ("file/..", FileNotFoundError),
    "of this folder": (".", IsADirectoryError),
    "of the folder above": ("..", IsADirectoryError),
    "of the root": ("/", IsADirectoryError),
    "with a tilde": ("~/x", FileNotFoundError),
    "of another user's home": ("~other/x", FileNotFoundError),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_no_file_can_have_is_refused_by_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"old")
    path, error = NAMES[name]
    for write, operation, _ in (WRITERS[writer] for writer in ("save", "to_onnx", "replace_file")):
        with pytest.raises(error, match=f"^{operation}: argument path: expected .*, got ") as e:
            write(path)
        assert "expanduser" in str(e.value) or "tilde" not in name
        assert len(str(e.value)) < 400
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("path", [3, None, 1.5, ["x"], np.array("x"), True])
@every_writer
def test_what_is_no_path_is_a_type_error(writer, path):
    write, operation, _ = WRITERS[writer]
    with pytest.raises(TypeError, match=f"^{operation}: argument path: expected the name of a fi"):
        write(path)


STREAM = """
import sys
import numpy as np, tinygrad_rnn as tg
print("before")
for path in sys.argv[1:]:
    try:
        tg.save({"w": np.ones(2)}, path)
    except OSError as error:
        print(error)
print("after")
"""


@pytest.mark.parametrize("stream", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_a_file_that_takes_the_output_of_a_program_is_not_replaced(stream, tmp_path):
    """The name leads to the file, but the program is writing there."""
    path, link = tmp_path / "log", tmp_path / "link"
    path.write_text("old\n", encoding="utf-8")
    link.symlink_to(stream)
    with path.open("a", encoding="utf-8") as file:
        subprocess.run(
            [sys.executable, "-c", STREAM, stream, str(link)], stdout=file, check=True, timeout=60
        )
    old, before, *refusals, after = path.read_text(encoding="utf-8").splitlines()
    assert (old, before, after) == ("old", "before", "after")
    assert len(refusals) == 2
    assert all("expected a regular file, or a new one, got" in refusal for refusal in refusals)
    assert {path.name for path in tmp_path.iterdir()} == {"log", "link"}


@pytest.mark.parametrize(
    ("writer", "module", "work"),
    [
        ("to_onnx", "tinygrad_rnn.interop.onnx.export", "trace_model"),
        ("graph.save svg", "tinygrad_rnn.draw.render", "render"),
        ("save", "safetensors.numpy", "save"),
    ],
)
def test_a_place_is_refused_before_any_work(writer, module, work, tmp_path, monkeypatch):
    write, _, ending = WRITERS[writer]

    def fail(*_, **__):
        raise AssertionError("it worked first")

    monkeypatch.setattr(f"{module}.{work}", fail)
    with pytest.raises(AssertionError, match="it worked first"):
        write(tmp_path / f"new{ending}")
    for place in ("a pipe", "a read-only file", "a folder"):
        path = tmp_path / f"{place}{ending}"
        PLACES[place][0](path)
        with pytest.raises(OSError, match="argument path: expected"):
            write(path)


# -- links, owners and permissions -----------------------------------------------------------------


@every_writer
def test_a_link_stays_and_the_file_that_it_leads_to_is_replaced(writer, tmp_path):
    """Through three links, in another folder each, the last one to a file that is not yet there."""
    write, _, ending = WRITERS[writer]
    path = tmp_path / f"link{ending}"
    for folder in "abc":
        (tmp_path / folder).mkdir()
    path.symlink_to("a/link")
    (tmp_path / "a" / "link").symlink_to("../b/link")
    (tmp_path / "b" / "link").symlink_to(tmp_path / "c" / f"file{ending}")
    sizes = []
    for _ in range(2):
        write(path)
        assert all(link.is_symlink() for link in (path, tmp_path / "a/link", tmp_path / "b/link"))
        assert [entry.name for entry in (tmp_path / "c").iterdir()] == [f"file{ending}"]
        sizes.append((tmp_path / "c" / f"file{ending}").stat().st_size)
    assert sizes[0] == sizes[1] > 0
    assert find_target(path) == tmp_path / "c" / f"file{ending}"


@every_writer
def test_another_hard_link_keeps_the_old_content(writer, tmp_path):
    write, _, ending = WRITERS[writer]
    path, other = tmp_path / f"file{ending}", tmp_path / "other"
    path.write_bytes(b"old")
    other.hardlink_to(path)
    write(path)
    assert other.read_bytes() == b"old"
    assert path.read_bytes() != b"old"


@every_writer
def test_the_permissions_of_an_old_file_stay_and_a_new_one_follows_the_mask(writer, tmp_path):
    write, _, ending = WRITERS[writer]
    old, new = tmp_path / f"old{ending}", tmp_path / f"new{ending}"
    mask = os.umask(0o027)
    try:
        for mode in (0o600, 0o640, 0o666, 0o755, 0o200, 0o4755):
            old.write_bytes(b"old")
            old.chmod(mode)
            write(old)
            assert stat.S_IMODE(old.stat().st_mode) == mode
            old.unlink()
        write(new)
        assert stat.S_IMODE(new.stat().st_mode) == 0o640
    finally:
        os.umask(mask)


def test_the_owner_of_an_old_file_stays_if_the_system_allows_it(tmp_path, monkeypatch):
    """An ordinary user cannot give a file away. The group may still change."""
    path, calls = tmp_path / "x", []
    path.write_bytes(b"old")
    old = path.stat()

    def give_away(draft, owner, group):
        calls.append((owner, group))
        if owner != -1:
            raise PermissionError(errno.EPERM, "not permitted")

    monkeypatch.setattr(whole_file.os, "chown", give_away)
    replace_file(path, b"new")
    assert calls == [(old.st_uid, old.st_gid), (-1, old.st_gid)]
    assert path.read_bytes() == b"new"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid(), reason="only root gives files away")
def test_root_leaves_a_file_to_its_owner(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    os.chown(path, 1234, 5678)
    tg.save({"w": np.ones(2)}, path)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 5678)


USER = """
import os, sys
import numpy as np, tinygrad_rnn as tg
from pathlib import Path
folder = Path(sys.argv[1])
outcomes = {}
for name in ("file", "read-only", "closed/new", "closed/file", "sealed/file"):
    try:
        tg.save({"w": np.zeros(2)}, folder / name)
        outcomes[name] = "written"
    except OSError as error:
        outcomes[name] = f"{type(error).__name__}: {error}"
import json
print(json.dumps(outcomes))
"""


def test_a_user_cannot_replace_what_the_system_keeps_from_him(tmp_path):
    """Root may write everywhere, so the program runs without that right."""
    for name in ("closed", "sealed"):
        (tmp_path / name).mkdir()
    for name in ("file", "read-only", "closed/file", "sealed/file"):
        tg.save({"w": np.ones(2)}, tmp_path / name)
    (tmp_path / "read-only").chmod(0o444)
    (tmp_path / "closed").chmod(0o555)
    (tmp_path / "sealed").chmod(0o600)
    command = [sys.executable, "-c", USER, str(tmp_path)]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    finally:
        for name in ("closed", "sealed"):
            (tmp_path / name).chmod(0o755)
    outcomes = json.loads(run.stdout)
    assert outcomes.pop("file") == "written"
    for name, text in outcomes.items():
        assert text.startswith("PermissionError: save: argument path: expected a"), name
        assert f"{tmp_path}/{name}" in text
    assert "a writable folder" in outcomes["closed/file"]
    for name in ("read-only", "closed/file", "sealed/file"):
        np.testing.assert_array_equal(tg.load(tmp_path / name)["w"], 1)
    assert not list(tmp_path.rglob("*.tmp"))


STRANGE = {
    "255 bytes": "x" * 255,
    "255 bytes in characters of several": "é" * 127 + "x",
    "quotes": 'it\'s "a" `name`',
    "line feed": "a\nb",
    "spaces": " a b ",
    "a dash": "-rf",
    "a tilde": "~",
    "a percent": "%s{0}",
    "emoji": "🙂",
    "no UTF-8": os.fsdecode(b"\xff\xfe"),
    "a dot": ".hidden",
    "a reserved name": "CON",
    "a draft": ".tinygrad_rnn.0.tmp",
}


@pytest.mark.parametrize("name", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("kind", [str, os.fsencode, Path])
def test_a_file_may_have_any_name_that_the_system_allows(name, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        tg.save({"w": np.ones(2)}, kind(name))
        assert [os.fsencode(path.name) for path in tmp_path.iterdir()] == [os.fsencode(name)]
        np.testing.assert_array_equal(tg.load(kind(name))["w"], 1)


# -- failures in the middle ------------------------------------------------------------------------


@every_writer
@pytest.mark.parametrize(
    ("is_new", "moment"),
    [(True, "fsync"), (True, "replace"), (False, "fsync"), (False, "replace"), (False, "chmod")],
)
@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), MemoryError()],
    ids=["full", "interrupted", "no memory"],
)
def test_a_failure_at_any_moment_leaves_the_old_file_and_no_litter(
    writer, is_new, moment, error, tmp_path, monkeypatch
):
    write, operation, ending = WRITERS[writer]
    path = tmp_path / f"file{ending}"
    if not is_new:
        path.write_bytes(b"old")

    def fail(*_):
        raise error

    owner = whole_file.os if moment == "fsync" else Path
    monkeypatch.setattr(owner, moment, fail)
    with pytest.raises(type(error)) as raised:
        write(path)
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"old"] * (not is_new)
    if isinstance(error, OSError):
        assert raised.value.errno == errno.ENOSPC
        assert str(raised.value) == (
            f"{operation}: argument path: expected a file that can be written, "
            f"got {str(path)!r} (no space left on device); free space, or use another path"
        )


@pytest.mark.parametrize(
    ("code", "fix"),
    [
        (errno.ENOSPC, "free space, or use another path"),
        (errno.EDQUOT, "free space, or use another path"),
        (errno.EROFS, "use a path on a disk that is not read-only"),
        (errno.EACCES, "allow writing, or use another path"),
        (errno.EFBIG, "raise the limit for the size of a file, or use a path on another disk"),
        (errno.EIO, "use another path"),
    ],
)
def test_the_advice_is_for_the_cause_that_the_system_names(code, fix, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(whole_file.os, "fsync", fail)
    with pytest.raises(OSError, match="argument path") as refusal:
        tg.save({}, tmp_path / "w")
    assert str(refusal.value).endswith(f" ({os.strerror(code).lower()}); {fix}")


@pytest.mark.parametrize("writer", WRITERS)
def test_a_link_to_itself_and_a_long_name_are_no_matter_of_space(writer, tmp_path):
    write, _, ending = WRITERS[writer]
    loop, long = tmp_path / f"loop{ending}", tmp_path / ("x" * 300 + ending)
    loop.symlink_to(loop)
    for path, fix in (
        (loop, "remove the symbolic link that leads to itself, or use another path"),
        (long, "use a shorter name"),
    ):
        with pytest.raises(OSError, match="argument path: expected a file that can be") as refusal:
            write(path)
        assert str(refusal.value).endswith(f"; {fix}")


FULL = """
import resource, sys
import numpy as np, tinygrad_rnn as tg
from pathlib import Path
folder = Path(sys.argv[1])
x = tg.Tensor(np.ones(3), requires_grad=True, name="x")
picture = tg.graph(sum((x * i).sum() for i in range(2, 60)))
gru = tg.nn.GRU(30, 20, rng=0).eval()
writers = {
    "w.safetensors": lambda path: tg.save(gru.state_dict(), path),
    "m.onnx": lambda path: tg.interop.to_onnx(gru, np.ones((2, 1, 30), "f4"), path),
    **{f"p.{form}": picture.save for form in ("dot", "txt", "json")},
}
for name in writers:
    (folder / name).write_bytes(b"old")
limit = resource.RLIMIT_FSIZE
resource.setrlimit(limit, (1000, resource.RLIM_INFINITY))
for name, write in writers.items():
    try:
        write(folder / name)
        sys.exit(f"{name} was written")
    except OSError as error:
        assert name in str(error) and "file too large" in str(error), error
assert {path.name for path in folder.iterdir()} == {*writers}, list(folder.iterdir())
assert all((folder / name).read_bytes() == b"old" for name in writers)
resource.setrlimit(limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for name, write in writers.items():
    write(folder / name)
    assert (folder / name).stat().st_size > 1000
"""


def test_no_writer_leaves_half_a_file_when_there_is_no_space(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_a_picture_that_cannot_be_drawn_leaves_the_old_one(tmp_path, monkeypatch):
    """The DOT text is written beside it, by the same function."""
    path = tmp_path / "p.svg"
    path.write_bytes(b"old")

    def fail(*_):
        raise RuntimeError("no engine")

    monkeypatch.setattr(render, "render", fail)
    with pytest.raises(RuntimeError, match=r"no engine; the DOT text is in .*p\.dot"):
        draw(path)
    assert path.read_bytes() == b"old"
    assert (tmp_path / "p.dot").read_text(encoding="utf-8").startswith("digraph")
