"""The file of a training: claimed before any work, locked, and never lost by a failed save."""

import os
import resource
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
from helpers import SMALL, SMALL_SIZES, read_one_line, run_command
from internals import Architecture, CheckpointFile, Options, Trainer, load_model, lock_checkpoint

import tinygrad_rnn as tg

TEXT = "the cat sat on the mat and the dog sat on the log. " * 12
COMMAND = [sys.executable, "-m", "tinygrad_rnn.app.cli"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Change to a folder with a text, and return its path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path


def make_trainer(batches=0):
    """Return a Trainer that has done this many batches."""
    trainer = Trainer(TEXT, Architecture(hidden=4), Options(batch_size=4, steps=10))
    left = iter(range(batches))
    trainer.run(stop=lambda: next(left, None) is None)
    return trainer


# -- names are claimed before any work -------------------------------------------------------------


@pytest.fixture
def model(folder, capsys):
    """Return the path of a small model, trained for an epoch."""
    assert run_command("train", "cat.txt", *SMALL) == 0
    capsys.readouterr()
    return folder / "cat.safetensors"


def test_a_checkpoint_of_another_run_is_replaced_only_if_asked(model, capsys):
    before = model.read_bytes()
    other = ["train", "cat.txt", *SMALL, "--seed", 1]
    assert run_command(*other) == 2
    error = read_one_line(capsys)
    for option in ("--resume", "--overwrite", "--out", "'cat.safetensors'"):
        assert option in error
    assert model.read_bytes() == before
    assert run_command(*other, "--overwrite") == 0
    assert model.read_bytes() != before


def test_overwrite_and_resume_contradict_each_other(model, capsys):
    assert run_command("train", "cat.txt", "--resume", "--overwrite") == 2
    assert "not allowed with" in read_one_line(capsys)


@pytest.mark.parametrize("content", [b"", b"notes", "weights"], ids=["empty", "text", "weights"])
@pytest.mark.parametrize("option", [[], ["--overwrite"]], ids=["new", "overwrite"])
def test_a_file_that_train_did_not_write_is_never_replaced(folder, capsys, content, option):
    path = folder / "cat.safetensors"
    if content == "weights":
        tg.save(tg.nn.Linear(2, 2, rng=0).state_dict(), path)
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    assert run_command("train", "cat.txt", *SMALL, *option) == 2
    assert "'cat.safetensors', a file that no training wrote" in read_one_line(capsys)
    assert path.read_bytes() == before


WRONG_NAMES = {
    "too long": (["--out", "n" * 300], "name too long"),
    "a log that is too long": (["--log", "n" * 300], "name too long"),
    "a best epoch that is too long": (["--out", "n" * 253, "--patience", "2"], "name too long"),
    "a folder": (["--out", "."], "not a folder"),
    "a log in no folder": (["--log", "no/run.jsonl"], "existing folder"),
    "a log that is a text": (["--log", "cat.txt"], "a file that no training wrote"),
    "a log that is the checkpoint": (["--log", "cat.safetensors"], "twice"),
    "a log that is the picture": (["--log", "run.svg"], "twice"),
    "a pipe": (["--out", "pipe"], "regular file"),
    "a read-only file": (["--out", "locked", "--overwrite"], "read-only"),
    "an empty name": (["--out", ""], "expected the name of a file or folder, got ''"),
}


@pytest.mark.parametrize(("options", "message"), WRONG_NAMES.values(), ids=WRONG_NAMES)
def test_a_name_that_cannot_be_written_stops_before_any_work(folder, capsys, options, message):
    os.mkfifo(folder / "pipe")
    (folder / "locked").write_bytes(b"")
    (folder / "locked").chmod(0o444)
    before = {path.name for path in folder.iterdir()}
    assert run_command("train", "cat.txt", *SMALL, *options) == 2
    assert message in read_one_line(capsys).lower()
    assert {path.name for path in folder.iterdir()} == before


def test_the_longest_name_that_the_system_allows_can_be_trained_into(folder):
    name = "n" * (255 - len(".safetensors")) + ".safetensors"
    assert run_command("train", "cat.txt", *SMALL, "--out", name) == 0
    assert load_model(name)[2]["epoch"] == 1


# -- the lock --------------------------------------------------------------------------------------


def start_training(folder, *arguments):
    """Start an endless training, and return its process once the checkpoint is there."""
    process = subprocess.Popen(
        [*COMMAND, "train", "cat.txt", *SMALL_SIZES, "--epochs", "100000", *arguments],
        stdout=subprocess.DEVNULL,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not (folder / "cat.safetensors").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def test_a_second_training_into_one_checkpoint_is_refused(folder, capsys):
    (folder / "link").symlink_to("cat.safetensors")
    (folder / "here").symlink_to(".")
    process = start_training(folder)
    try:
        for option in ("--resume", "--overwrite"):
            for name in ("cat.safetensors", "link", "here/cat.safetensors"):
                assert run_command("train", "cat.txt", option, "--out", name, "--epochs", 1) == 2
                assert f"which process {process.pid} is training" in read_one_line(capsys)
        assert run_command("train", "cat.txt", *SMALL, "--out", "other") == 0
    finally:
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
    assert not list(folder.glob(".*"))


def test_the_lock_of_a_killed_training_is_free(folder):
    process = start_training(folder)
    process.kill()
    process.wait()
    assert run_command("train", "cat.txt", "--resume", "--epochs", 1) == 0
    assert not list(folder.glob(".*.lock"))


def test_only_one_of_many_holds_a_lock(tmp_path):
    """Each process adds 1 to a number in a file while it holds the lock: no addition is lost."""
    code = """if True:
        import sys
        from pathlib import Path
        from tinygrad_rnn.app.checkpoint_lock import lock_checkpoint
        path, done = Path(sys.argv[1]), 0
        while done < 50:
            try:
                with lock_checkpoint(path):
                    path.write_text(str(int(path.read_text()) + 1))
                    done += 1
            except BlockingIOError:
                pass
    """
    path = tmp_path / "number"
    path.write_text("0")
    processes = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(4)]
    assert [process.wait(120) for process in processes] == [0] * 4
    assert path.read_text() == "200"
    assert [path.name for path in tmp_path.iterdir()] == ["number"]


def test_a_lock_is_held_by_one_block_at_a_time(tmp_path):
    with lock_checkpoint(tmp_path / "m"):
        with pytest.raises(BlockingIOError), lock_checkpoint(tmp_path / "m"):
            pytest.fail("both hold it")
        with lock_checkpoint(tmp_path / "other"):
            pass
    with lock_checkpoint(tmp_path / "m"):
        pass


# -- saves that fail -------------------------------------------------------------------------------


def limit_files(size):
    """Let the process write no file above this size, as if the disk were full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_full_disk_names_the_file_and_the_cause_and_keeps_the_old_file(model):
    before = model.read_bytes()
    process = subprocess.run(
        [*COMMAND, "train", "cat.txt", "--resume", "--epochs", "3"],
        preexec_fn=partial(limit_files, 1000),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 2
    assert "\n3/3  loss" in process.stdout  # the training went on in memory
    last = process.stderr.splitlines()[-1]
    for words in ("cat.safetensors' (file too large)", "cat-rescued-1.safetensors", "is lost"):
        assert words in last
    assert model.read_bytes() == before
    assert sorted(path.name for path in model.parent.iterdir()) == ["cat.safetensors", "cat.txt"]


def test_a_file_that_cannot_be_written_is_saved_beside(tmp_path):
    path, trainer = tmp_path / "cat.safetensors", make_trainer()
    file = CheckpointFile(path, trainer)
    assert file.save() == ""  # nothing is trained yet
    assert not path.exists()
    trainer.run()
    path.mkdir()
    problem = file.save()
    assert str(path) in problem
    assert problem.endswith(f"saved {tmp_path / 'cat-rescued-1.safetensors'} instead")
    assert Trainer.resume(file.spare, TEXT).position == trainer.position
    assert file.save() == problem
    path.rmdir()
    assert file.save() == ""
    assert [found.name for found in tmp_path.iterdir()] == ["cat.safetensors"]
    assert Trainer.resume(path, TEXT).position == trainer.position


def test_a_rescue_replaces_no_file(tmp_path):
    path, trainer = tmp_path / "m.st", make_trainer()
    (tmp_path / "m-rescued-1.st").write_text("a file of another program")
    path.mkdir()
    file = CheckpointFile(path, trainer)
    trainer.run()
    file.save()
    assert file.spare == tmp_path / "m-rescued-2.st"
    assert (tmp_path / "m-rescued-1.st").read_text() == "a file of another program"


def test_a_name_that_became_too_long_is_rescued_under_a_short_one(tmp_path):
    trainer = make_trainer()
    file = CheckpointFile(tmp_path / ("ü" * 200 + ".safetensors"), trainer)
    trainer.run()
    assert "too long" in file.save()
    assert file.spare.stem == "ü" * 40 + "-rescued-1"
    assert load_model(file.spare)[2]["epoch"] == trainer.epoch


def test_a_training_saved_beside_says_where_and_fails(folder):
    """The checkpoint becomes read-only while it is trained."""
    process = start_training(folder, "--epochs", "30000")
    deadline = time.monotonic() + 60
    while not (folder / "cat-rescued-1.safetensors").exists():
        (folder / "cat.safetensors").chmod(0o444)  # again, if a save has just replaced the file
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 2
    rescued = load_model("cat-rescued-1.safetensors")[2]
    kept = load_model("cat.safetensors")[2]
    assert (rescued["epoch"], rescued["batch"]) >= (kept["epoch"], kept["batch"])
