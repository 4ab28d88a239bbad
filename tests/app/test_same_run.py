"""A resumed training replaces its own log, curve and best epoch, and never those of another one."""

import os
import random
import signal
from pathlib import Path

import pytest
from helpers import SMALL, SMALL_SIZES, read_one_line, run_command
from internals import Trainer, load_model

TEXT = "the cat sat on the mat and the dog sat on the log. " * 12
RESUME = ["train", "cat.txt", "--resume", "--epochs", 4]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Change to a folder with a text and two trainings of it, each with all its files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.txt").write_text(TEXT, encoding="utf-8")
    train = ["train", "cat.txt", *SMALL_SIZES, "--epochs", 2, "--patience", 2]
    assert run_command(*train, "--log", "cat.jsonl") == 0
    assert run_command(*train, "--seed", 1, "--out", "dog.safetensors", "--log", "dog.jsonl") == 0
    return tmp_path


def read_files(folder):
    """Return the contents of all files."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def swap(old, new):
    """Give a file another name, in place of the file that has this name."""
    Path(old).replace(new)


FOREIGN = {
    "the log": (lambda: None, "dog.jsonl", "--log", "dog.jsonl"),
    "a log with this one's first epoch missing": (
        lambda: Path("dog.jsonl").write_text(Path("dog.jsonl").read_text().splitlines()[1] + "\n"),
        "dog.jsonl",
        "--log",
        "dog.jsonl",
    ),
    "a log of later epochs": (
        lambda: Path("cat.jsonl").write_text('{"epoch": 3}\n'),
        "cat.jsonl",
        "--log",
        "cat.jsonl",
    ),
    "a log without losses": (
        lambda: Path("cat.jsonl").write_text('{"epoch": 1}\n'),
        "cat.jsonl",
        "--log",
        "cat.jsonl",
    ),
    "the curve": (lambda: Path("dog.jsonl").unlink(), "dog.jsonl", "--log", "dog.svg"),
    "the best epoch": (
        lambda: swap("dog.best.safetensors", "cat.best.safetensors"),
        "cat.jsonl",
        "--patience",
        "cat.best.safetensors",
    ),
    "a file that is no best epoch": (
        lambda: Path("cat.best.safetensors").write_text("notes"),
        "cat.jsonl",
        "--patience",
        "cat.best.safetensors",
    ),
}


@pytest.mark.parametrize(("change", "log", "option", "named"), FOREIGN.values(), ids=FOREIGN)
def test_a_resumed_training_refuses_the_files_of_another_one(
    folder, capsys, change, log, option, named
):
    change()
    before = read_files(folder)
    capsys.readouterr()
    assert run_command(*RESUME, "--log", log) == 2
    error = read_one_line(capsys)
    assert f"train: argument {option}: expected a new file, or the" in error
    assert f"'{named}', which another training wrote" in error
    assert read_files(folder) == before


def test_patience_that_is_new_at_a_resume_refuses_the_best_epoch_of_another_training(
    folder, capsys
):
    assert run_command("train", "cat.txt", *SMALL, "--out", "new.safetensors") == 0
    swap("dog.best.safetensors", "new.best.safetensors")
    before = read_files(folder)
    resume = [*RESUME, "--out", "new.safetensors"]
    capsys.readouterr()
    assert run_command(*resume, "--patience", 3) == 2
    assert "move that file away" in read_one_line(capsys)
    assert read_files(folder) == before
    assert run_command(*resume) == 0  # without patience, there is no second file
    assert Path("new.best.safetensors").read_bytes() == before["new.best.safetensors"]


def test_a_resumed_training_goes_on_in_its_own_files(folder):
    assert run_command(*RESUME, "--log", "cat.jsonl") == 0
    assert len(Path("cat.jsonl").read_text().splitlines()) == 4
    Path("empty.jsonl").touch()
    assert run_command(*RESUME, "--epochs", 5, "--log", "empty.jsonl") == 0
    assert run_command(*RESUME, "--epochs", 6, "--log", "new.jsonl") == 0
    assert run_command(*RESUME, "--epochs", 7, "--log", "new.jsonl") == 0
    assert len(Path("new.jsonl").read_text().splitlines()) == 2


def stop_after(batches, monkeypatch, *arguments):
    """Run the command, which gets SIGTERM after this many batches."""
    update, left = Trainer._update, iter(range(batches - 1))

    def update_and_stop(self, state):
        update(self, state)
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_update", update_and_stop)
        assert run_command(*arguments) == 128 + signal.SIGTERM


def test_a_training_that_replaced_another_is_resumed_after_a_stop_at_any_batch(folder, monkeypatch):
    train = ["train", "cat.txt", *SMALL_SIZES, "--epochs", 2, "--patience", 2, "--seed", 7]
    train += ["--log", "cat.jsonl"]
    before, choose = read_files(folder), random.Random(3)
    assert run_command(*train, "--out", "whole.safetensors", "--log", "whole.jsonl") == 0
    expected = load_model("whole.best.safetensors")[2]["history"]
    for batches in (1, 2, choose.randrange(3, 12)):
        for name, content in before.items():
            Path(name).write_bytes(content)
        stop_after(batches, monkeypatch, *train, "--overwrite")
        if load_model("cat.safetensors")[2]["epoch"] == 0:
            assert not Path("cat.best.safetensors").exists()
            assert not Path("cat.jsonl").exists()
        assert run_command("train", "cat.txt", "--resume", "--log", "cat.jsonl") == 0
        assert load_model("cat.best.safetensors")[2]["history"] == expected


def test_the_files_stay_if_a_training_ends_before_its_first_batch(folder, monkeypatch):
    before = read_files(folder)

    def stop(self, x, y):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Trainer, "_differentiate", stop)
    train = ["train", "cat.txt", *SMALL_SIZES, "--patience", 2, "--log", "cat.jsonl"]
    assert run_command(*train, "--overwrite") == 128 + signal.SIGTERM
    assert read_files(folder) == before


def test_a_best_epoch_that_stays_from_an_earlier_training_is_named(folder, capsys):
    best = Path("cat.best.safetensors").read_bytes()
    assert run_command("train", "cat.txt", *SMALL, "--seed", 5, "--overwrite") == 0
    note = "Note: 'cat.best.safetensors' is not part of this training, because an earlier one"
    assert note in " ".join(capsys.readouterr().out.split())
    assert Path("cat.best.safetensors").read_bytes() == best
    assert run_command(*RESUME, "--patience", 1) == 2
    assert "'cat.best.safetensors', which another training wrote" in read_one_line(capsys)
