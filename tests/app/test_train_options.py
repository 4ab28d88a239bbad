"""What `train` offers besides training: validation, patience, log, curve, standard input."""

import json
import math
import os
import re
import shlex
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from helpers import SMALL, SMALL_SIZES, array_bits, read_one_line, run_command
from internals import Architecture, Options, Pace, Trainer, load_model, progress, run_log

import tinygrad_rnn as tg

TEXT = "the cat sat on the mat and the dog sat on the log. " * 12
VALID = "the dog sat on the mat, and the cat lay down. " * 6
COMMAND = [sys.executable, "-m", "tinygrad_rnn.app.cli"]
SIZES = Architecture(hidden=6, embedding=4)
OPTIONS = Options(epochs=3, batch_size=4, steps=10, lr=0.01)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Change to a folder with a text and a validation text, and return its path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "valid.txt").write_text(VALID, encoding="utf-8")
    return tmp_path


# -- evaluation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize(
    ("characters", "batch_size", "streams"),
    [(60, 16, 1), (511, 4, 1), (512, 4, 2), (1300, 4, 4), (1300, 16, 5)],
)
def test_the_evaluation_is_the_mean_loss_of_its_streams(cell, characters, batch_size, streams):
    """Each stream is read alone, a character at a time, and its losses are computed by NumPy."""
    valid = (VALID * 9)[:characters]
    options = Options(epochs=1, batch_size=batch_size, steps=10)
    trainer = Trainer(TEXT, Architecture(cell, 4, hidden=6, dropout=0.0), options, valid=valid)
    trainer.run()
    indices = trainer.model.vocab.encode(valid)
    length, losses = characters // streams, []
    for first in range(0, streams * length, length):
        state = None
        for i in range(first, first + length - 1):
            with tg.no_grad():
                logits, state = trainer.model(indices[i : i + 1, None], state)
            z = logits.data[0, 0].astype(np.float64)
            losses.append(np.log(np.exp(z).sum()) - z[indices[i + 1]])
    assert len(losses) == streams * (length - 1)
    assert trainer.evaluate() == pytest.approx(np.mean(losses), rel=1e-5)
    assert trainer.history[-1][1] == trainer.evaluate()


def test_an_evaluation_uses_no_dropout_and_leaves_the_training_alone():
    architecture = Architecture(hidden=6, layers=2, dropout=0.5)
    trainer, other = (Trainer(TEXT, architecture, OPTIONS) for _ in range(2))
    trainer.run(on_batch=lambda _: trainer.evaluate())
    other.run()
    assert array_bits(trainer.model.state_dict()) == array_bits(other.model.state_dict())
    assert trainer.model.training


def test_the_evaluation_counts_in_the_time_left(monkeypatch):
    """A batch takes 2 seconds, and the end of an epoch 30."""
    now = 0.0
    monkeypatch.setattr(progress, "perf_counter", lambda: now)
    pace = Pace(evaluation=4.0)
    for _ in range(3):
        now += 2.0
        pace.add_batch(100)
    assert pace.characters_per_second == 50
    assert pace.seconds_left(batches=5, evaluations=2) == 5 * 2 + 2 * 4 * 2
    now += 30.0
    pace.add_evaluation()
    now += 2.0
    pace.add_batch(100)
    assert pace.characters_per_second == 50
    assert pace.seconds_left(batches=5, evaluations=2) == 5 * 2 + 2 * 30


def test_the_time_left_reaches_zero_after_the_last_evaluation():
    left = []
    trainer = Trainer(TEXT, SIZES, OPTIONS, valid=VALID * 40)
    trainer.run(on_batch=lambda now: left.append(now.seconds_left))
    assert all(seconds > 0 for seconds in left)  # the last evaluation is still to come
    assert left[-1] < max(left)


# -- a validation text -----------------------------------------------------------------------------


def test_a_validation_text_leaves_the_whole_text_to_train_on(folder, capsys):
    assert run_command("train", "cat.txt", *SMALL, "--valid", "valid.txt") == 0
    printed = capsys.readouterr().out
    assert f"{len(TEXT)} characters to train on, {len(VALID)} characters held out" in printed
    model, _, _ = load_model("cat.safetensors")
    assert set(model.vocab.characters) == {*TEXT, *VALID}


def test_resume_needs_the_same_validation_text(folder, capsys):
    run_command("train", "cat.txt", *SMALL, "--valid", "valid.txt")
    resume = ["train", "cat.txt", "--resume", "--epochs", 2]
    for other, reason in (
        ([], "--valid is missing"),
        (["--valid", "cat.txt"], "this --valid is another text"),
    ):
        capsys.readouterr()
        assert run_command(*resume, *other) == 2
        error = read_one_line(capsys)
        assert f"(it was evaluated with --valid valid.txt; {reason})" in error
        assert "; repeat --valid valid.txt with the same text" in error
    assert run_command(*resume, "--valid", "valid.txt") == 0
    (folder / "cat.safetensors").unlink()
    run_command("train", "cat.txt", *SMALL)
    capsys.readouterr()
    assert run_command(*resume, "--valid", "valid.txt") == 2
    assert "without --valid); leave --valid out" in read_one_line(capsys)


@pytest.mark.parametrize("name", ["two words.txt", "it's.txt", "Ω.txt", "deep/v.txt"])
def test_the_advice_after_a_resume_without_the_validation_text_works(name, folder, capsys):
    """Some texts are long enough to train on only if no part of them is held out."""
    (folder / "deep").mkdir()
    (folder / name).write_text(VALID, encoding="utf-8")
    (folder / "cat.txt").write_text(TEXT[:33], encoding="utf-8")
    command = ["train", "cat.txt", *SMALL, "--batch-size", 16]
    assert run_command(*command, "--valid", name) == 0
    resume = ["train", "cat.txt", "--resume", "--epochs", 3]
    for _ in range(2):  # a resumed training keeps the path too
        capsys.readouterr()
        assert run_command(*resume) == 2
        advice = read_one_line(capsys).partition("; repeat ")[2].partition(" with the same")[0]
        assert run_command(*resume, *shlex.split(advice)) == 0


def test_a_training_that_cannot_be_resumed_can_be_started_again_as_the_message_says(folder, capsys):
    run_command("train", "cat.txt", *SMALL)
    (folder / "cat.txt").write_text(VALID, encoding="utf-8")
    capsys.readouterr()
    assert run_command("train", "cat.txt", "--resume") == 2
    assert "give that text, or start a new training with another --out, without --resume" in (
        read_one_line(capsys)
    )
    assert run_command("train", "cat.txt", *SMALL, "--out", "other.safetensors") == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--valid", "none.txt"], "--valid: expected a text file"),
        (["--valid", "empty.txt"], "valid: expected at least 2 characters, got 0 characters"),
        (["--valid", "valid.txt", "--holdout", "0.2"], "expected one of --valid and --holdout"),
    ],
)
def test_a_wrong_validation_text_is_one_line(folder, capsys, options, message):
    (folder / "empty.txt").write_text("")
    assert run_command("train", "cat.txt", *SMALL, *options) == 2
    assert message in read_one_line(capsys)


# -- patience --------------------------------------------------------------------------------------


def train_with_losses(monkeypatch, losses, patience, path=None):
    """Train with these held-out losses in place of the real ones; return the Trainer."""
    monkeypatch.setattr(Trainer, "evaluate", lambda self: losses[self.epoch])
    options = Options(epochs=len(losses), batch_size=4, steps=10, patience=patience)
    trainer = Trainer(TEXT, SIZES, options)
    assert trainer.run()
    return trainer


@pytest.mark.parametrize(
    ("losses", "patience", "done", "best"),
    [
        ([3, 2, 1], 1, 3, 3),
        ([3, 2, 2.5, 1], 1, 3, 2),
        ([3, 2, 2.5, 1], 2, 4, 4),
        ([3, 2, 2, 2, 2], 2, 4, 2),  # an equal loss is no better one
        ([1, 2, 3, 4, 5], 3, 4, 1),
        ([1, 2, 3, 4, 5], 0, 5, 1),
    ],
)
def test_training_stops_when_the_patience_is_exhausted(monkeypatch, losses, patience, done, best):
    trainer = train_with_losses(monkeypatch, losses, patience)
    assert (trainer.epoch, trainer.best_epoch, trainer.is_done) == (done, best, True)


def test_the_best_epoch_is_kept_in_a_file_of_its_own(folder, capsys, monkeypatch):
    losses = [3.0, 2.0, 2.5, 2.6, 1.0]
    monkeypatch.setattr(Trainer, "evaluate", lambda self: losses[self.epoch])
    train = ["train", "cat.txt", *SMALL_SIZES]
    run_command(*train, "--epochs", 2, "--out", "two")
    best = array_bits(load_model("two")[0].state_dict())
    assert run_command(*train, "--epochs", 5, "--patience", 2) == 0
    printed = capsys.readouterr().out
    assert "has not improved for 2 epochs" in printed
    assert "Saved cat.best.safetensors, the best epoch (2)." in printed
    assert array_bits(load_model("cat.best.safetensors")[0].state_dict()) == best
    assert load_model("cat.safetensors")[2]["epoch"] == 4
    assert run_command("train", "cat.txt", "--resume") == 0
    assert "set" not in capsys.readouterr().err
    assert run_command("train", "cat.txt", "--resume", "--patience", 3) == 0
    assert "Saved cat.best.safetensors, the best epoch (5)." in capsys.readouterr().out
    assert load_model("cat.best.safetensors")[2]["epoch"] == 5


def test_the_patience_is_counted_over_interruptions(monkeypatch, tmp_path):
    losses = [3.0, 1.0, 2.0, 2.0, 2.0, 2.0]
    monkeypatch.setattr(Trainer, "evaluate", lambda self: losses[self.epoch])
    trainer = Trainer(TEXT, SIZES, Options(epochs=6, batch_size=4, steps=10, patience=2))
    for after in (20, 20, 20, 20):
        left = iter(range(after))
        trainer.run(stop=lambda left=left: next(left, None) is None)
        trainer.save(tmp_path / "m")
        trainer = Trainer.resume(tmp_path / "m", TEXT)
    assert (trainer.epoch, trainer.best_epoch, trainer.is_done) == (4, 2, True)


# -- the log and the learning curve ----------------------------------------------------------------


def read_log(path):
    """Return the lines of a log."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_log_has_a_line_with_all_figures_of_each_epoch(folder):
    log = folder / "run.jsonl"
    assert run_command("train", "cat.txt", *SMALL_SIZES, "--epochs", 2, "--log", log) == 0
    assert run_command("train", "cat.txt", "--resume", "--epochs", 3, "--log", log) == 0
    lines, history = read_log(log), load_model("cat.safetensors")[2]["history"]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert [line["epochs"] for line in lines] == [2, 2, 3]
    for line, (loss, held_out) in zip(lines, history, strict=True):
        assert (line["loss"], line["held_out_loss"]) == (loss, held_out)
        assert line["bits_per_character"] == pytest.approx(math.log2(math.exp(loss)))
        assert line["held_out_bits_per_character"] == pytest.approx(math.log2(math.exp(held_out)))
        assert line["best_epoch"] in (1, 2, 3)
        assert line["characters_per_second"] > 0
        assert line["seconds"] > 0


def test_a_log_of_another_run_is_replaced_only_if_asked(folder, capsys):
    log = folder / "run.jsonl"
    run_command("train", "cat.txt", *SMALL, "--log", log)
    before = log.read_bytes()
    capsys.readouterr()
    other = ["train", "cat.txt", *SMALL, "--out", "other", "--log", log]
    assert run_command(*other) == 2
    assert "--log: expected a new file" in read_one_line(capsys)
    assert log.read_bytes() == before
    assert run_command(*other, "--overwrite") == 0
    assert [line["epoch"] for line in read_log(log)] == [1]


@pytest.mark.parametrize(
    "content", [b"{}\n", b"[1]\n", b"a text\n", b'{"epoch": true}\n', b"\xff\n", b"[" * 9999]
)
def test_a_file_that_is_no_log_is_not_touched(folder, capsys, content):
    (folder / "run.jsonl").write_bytes(content)
    command = ["train", "cat.txt", *SMALL, "--log", "run.jsonl", "--overwrite"]
    assert run_command(*command) == 2
    assert "'run.jsonl', a file that no training wrote" in read_one_line(capsys)
    assert (folder / "run.jsonl").read_bytes() == content


def test_a_log_that_cannot_be_written_does_not_stop_the_training(folder, capsys, monkeypatch):
    replace = run_log.replace_file
    calls = iter(range(9))

    def replace_file(*arguments, **settings):
        if next(calls) == 0:
            raise OSError(28, "No space left on device")
        replace(*arguments, **settings)

    monkeypatch.setattr(run_log, "replace_file", replace_file)
    log = folder / "run.jsonl"
    assert run_command("train", "cat.txt", *SMALL_SIZES, "--epochs", 3, "--log", log) == 0
    assert "No space left on device" in capsys.readouterr().err
    assert [line["epoch"] for line in read_log(log)] == [1, 2, 3]


def count_points(picture):
    """Return the number of marks of the first curve in a picture, without that in the legend."""
    return len(re.findall(rb"<use [^>]*#1f77b4", picture)) - 1


def test_the_learning_curve_is_drawn_beside_the_log(folder, capsys):
    train = ["train", "cat.txt", "--log", "run.jsonl"]
    assert run_command(*train, *SMALL_SIZES, "--epochs", 3) == 0
    assert "Drew the learning curve: run.svg." in capsys.readouterr().out
    picture = (folder / "run.svg").read_bytes()
    assert ElementTree.fromstring(picture).tag.endswith("svg")
    assert count_points(picture) == 3
    assert run_command(*train, "--resume", "--epochs", 5) == 0
    resumed = (folder / "run.svg").read_bytes()
    assert count_points(resumed) == 5
    run_command(*train, *SMALL_SIZES, "--epochs", 5, "--overwrite")
    assert (folder / "run.svg").read_bytes() == resumed  # the same history, the same bytes


def test_a_picture_of_another_program_is_not_replaced(folder, capsys):
    (folder / "run.svg").write_text("<svg/>")
    assert run_command("train", "cat.txt", *SMALL, "--log", "run.jsonl", "--overwrite") == 2
    assert "'run.svg', a file that no training wrote" in read_one_line(capsys)


def test_without_matplotlib_there_is_a_log_and_no_curve(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run_command("train", "cat.txt", *SMALL, "--log", "run.jsonl") == 0
    assert "pip install 'tinygrad_rnn[plot]'" in capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} >= {"run.jsonl"}
    assert not (folder / "run.svg").exists()


# -- standard input --------------------------------------------------------------------------------


def run_with_input(content, *arguments):
    """Run the command in a new process with this standard input; return the finished process."""
    return subprocess.run(
        [*COMMAND, *arguments], input=content, capture_output=True, timeout=60, check=False
    )


def test_a_text_is_read_from_standard_input(folder):
    run_command("train", "cat.txt", *SMALL)
    done = run_with_input(TEXT.encode(), "train", "-", *SMALL)
    assert (done.returncode, done.stderr) == (0, b"")
    expected, got = load_model("cat.safetensors"), load_model("stdin.safetensors")
    assert array_bits(got[0].state_dict()) == array_bits(expected[0].state_dict())
    again = run_with_input(TEXT.encode(), "train", "-", "--resume", "--epochs", "2")
    assert again.returncode == 0
    assert b"\n2/2  loss" in again.stdout


def test_a_validation_text_is_read_from_standard_input(folder):
    done = run_with_input(VALID.encode(), "train", "cat.txt", *SMALL, "--valid", "-")
    assert done.returncode == 0
    assert f"{len(VALID)} characters held out".encode() in done.stdout
    twice = run_with_input(VALID.encode(), "train", "-", *SMALL, "--valid", "-")
    assert twice.returncode == 2
    assert b"--valid: expected two texts" in twice.stderr


def test_a_text_is_read_from_a_pipe(folder):
    read, write = os.pipe()
    os.write(write, TEXT.encode())
    os.close(write)
    command = [*COMMAND, "train", f"/dev/fd/{read}", *SMALL, "--out", "m"]
    done = subprocess.run(command, pass_fds=[read], capture_output=True, check=False)
    os.close(read)
    assert done.returncode == 0, done.stderr
    assert load_model("m")[2]["epoch"] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", b"because the text is empty"), (b"caf\xe9" * 99, b"expected UTF-8 text")],
)
def test_a_wrong_standard_input_is_one_line(folder, content, message):
    done = run_with_input(content, "train", "-", *SMALL)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count(b"\n") == 1
