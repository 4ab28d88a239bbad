"""The command: what people type, and what they see."""

import signal
import subprocess
import sys
import time

import pytest

from tinygrad_rnn.cli import main
from tinygrad_rnn.op import registry

TEXT = "the cat sat on the mat and the dog sat on the log. " * 12
SMALL = ["--hidden", "8", "--embedding", "4", "--batch-size", "4", "--steps", "10", "--epochs", "1"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "latin").write_bytes("café".encode("latin-1") * 100)
    (tmp_path / "empty").write_text("")
    (tmp_path / "tiny").write_text("abc")
    (tmp_path / "broken").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{not json at all")
    return tmp_path


def run(*arguments):
    """The exit code, also where argparse exits by itself."""
    try:
        return main([str(a) for a in arguments])
    except SystemExit as leaving:
        return leaving.code


def test_train_sample_resume(folder, capsys):
    assert run("train", "cat.txt", *SMALL) == 0
    out = capsys.readouterr().out
    for word in ("held out", "bits/char", "tokens/s", "left", "cat.safetensors"):
        assert word in out
    assert "\x1b" not in out
    assert run("train", "cat.txt", "--resume", "--epochs", "3") == 0
    out = capsys.readouterr().out
    assert "epoch   2/3" in out
    assert "epoch   1/3" not in out
    assert run("sample", "cat.safetensors", "--prime", "the ", "--length", 20, "--seed", 1) == 0
    first = capsys.readouterr().out
    assert first.startswith("the ")
    assert len(first) == 4 + 20 + 1
    run("sample", "cat.safetensors", "--prime", "the ", "--length", 20, "--seed", 1)
    assert capsys.readouterr().out == first


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "none.txt"], "expected a text file"),
        (["train", "."], "expected a text file"),
        (["train", "latin"], "expected UTF-8 text, got byte 0xe9 at position 3"),
        (["train", "empty"], "the text is empty"),
        (["train", "tiny"], "got 3 characters"),
        (["train", "cat.txt", "--hidden", "many"], "--hidden: invalid int value: 'many'"),
        (["train", "cat.txt", "--hidden", "0"], "hidden"),
        (["train", "cat.txt", "--lr", "nan"], "lr"),
        (["train", "cat.txt", "--lr", "-1"], "lr"),
        (["train", "cat.txt", "--epochs", "0"], "epochs"),
        (["train", "cat.txt", "--dropout", "2"], "dropout"),
        (["train", "cat.txt", "--holdout", "1"], "holdout"),
        (["train", "cat.txt", "--seed", "-1"], "seed"),
        (["train", "cat.txt", "--cell", "tree"], "--cell"),
        (["train", "cat.txt", "--out", "no/such/folder/m"], "folder that exists"),
        (["train", "cat.txt", "--resume"], "expected a file"),
        (["train", "cat.txt", "--out", "broken", "--resume"], "a checkpoint"),
        (["train", "cat.txt", "--out", "cat.txt"], "something else"),
        (["train", "cat.txt", "--out", "."], "something else"),
        (["train", "cat.txt", "--lr", "1e38", "--epochs", "3"], "finite gradients"),
        (["train", "cat.txt", "--hidden", "10000000000"], "not enough memory"),
        (["train"], "required"),
        ([], "required"),
        (["fly"], "invalid choice"),
        (["sample", "none"], "expected a file"),
        (["sample", "broken"], "whole safetensors file"),
        (["sample", "cat.txt"], "whole safetensors file"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(folder, capsys, arguments, message):
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--prime", "Ω"),
        ("--prime", ""),
        ("--temperature", "-1"),
        ("--temperature", "nan"),
        ("--top-k", "0"),
        ("--length", "-2"),
        ("--seed", "-1"),
    ],
)
def test_bad_numbers_for_sample(folder, capsys, option, value):
    run("train", "cat.txt", *SMALL)
    capsys.readouterr()
    assert run("sample", "cat.safetensors", f"{option}={value}") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert option.strip("-").replace("-", "_") in error or "character" in error or "seed" in error


@pytest.fixture
def built_in(monkeypatch):
    """Only the library's own ops: other tests register theirs."""
    for name, op in list(registry.items()):
        if not op.forward.__module__.startswith("tinygrad_rnn.ops."):
            monkeypatch.delitem(registry, name)


def test_check_goes_over_every_op(built_in, capsys):
    assert run("check") == 0
    out = capsys.readouterr().out
    assert f"{len(registry)} of {len(registry)} ops" in out
    assert "g * (1 - y * y)" in out
    assert "FAILED" not in out


def test_a_strange_file_name_is_shown_as_it_is(folder, capsys):
    assert run("train", "cat.txt", "--out", "a[bold]b c.st", *SMALL) == 0
    assert "tinygrad-rnn sample 'a[bold]b c.st'" in " ".join(capsys.readouterr().out.split())


def test_check_shows_a_wrong_rule(built_in, capsys, monkeypatch):
    tanh = registry["tanh"]
    monkeypatch.setattr(tanh, "rules_in_order", (lambda g, y, a: g * (1 - y * y) * 1.001,))
    assert run("check") == 1
    assert "FAILED" in capsys.readouterr().out


def test_ctrl_c_saves_and_resume_goes_on(folder):
    command = [sys.executable, "-m", "tinygrad_rnn.cli", "train", "cat.txt", "--epochs", "100000", *SMALL[:-2], "--out", "m"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (folder / "m").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == ""
    assert "Go on with --resume" in out
    again = subprocess.run(
        [*command[:4], "cat.txt", "--resume", "--epochs", "1", "--out", "m"], capture_output=True, text=True, check=False
    )
    assert again.returncode == 0
    assert "are done" in again.stdout
