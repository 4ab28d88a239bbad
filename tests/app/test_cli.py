"""The command `tinygrad-rnn`: what it prints, what it writes, and how it ends."""

import inspect
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers import SMALL, SMALL_SIZES, read_one_line, run_command
from internals import (
    FORMAT,
    Architecture,
    CharModel,
    cli,
    interrupt,
    load_model,
    load_with_metadata,
    registry,
    save,
    save_model,
)

import tinygrad_rnn as tg
from tinygrad_rnn.text import CharVocab

TEXT = "the cat sat on the mat and the dog sat on the log. " * 12


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Change to a folder with a text, and with files that are not one, and return its path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "latin").write_bytes("café".encode("latin-1") * 100)
    (tmp_path / "empty").write_text("")
    (tmp_path / "tiny").write_text("abc")
    (tmp_path / "broken").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{not json at all")
    return tmp_path


def test_a_model_is_trained_resumed_and_sampled(folder, capsys):
    assert run_command("train", "cat.txt", *SMALL) == 0
    out = capsys.readouterr().out
    for word in ("held out", "bits/char", "tokens/s", "left", "cat.safetensors"):
        assert word in out
    assert "\x1b" not in out
    assert run_command("train", "cat.txt", "--resume", "--epochs", "3") == 0
    out = capsys.readouterr().out
    assert "\n2/3  loss" in out
    assert "\n1/3  loss" not in out
    sample = ["sample", "cat.safetensors", "--prime", "the ", "--length", 20, "--seed", 1]
    assert run_command(*sample) == 0
    text = capsys.readouterr().out
    assert text.startswith("the ")
    assert len(text) == 4 + 20 + 1
    run_command(*sample)
    assert capsys.readouterr().out == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "none.txt"], "expected a text file"),
        (["train", "."], "expected a text file"),
        (["train", "latin"], "expected UTF-8 text, got byte 0xe9 at position 3"),
        (["train", "empty"], "because the text is empty"),
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
        (["train", "cat.txt", "--out", "no/such/folder/m"], "existing folder"),
        (["train", "cat.txt", "--resume"], "expected a file"),
        (["train", "cat.txt", "--out", "broken", "--resume"], "whole safetensors file"),
        (["train", "cat.txt", "--out", "cat.txt"], "a file that no training wrote"),
        (["train", "cat.txt", "--out", "."], "expected a file, not a folder"),
        (["train", "cat.txt", "--lr", "1e38", "--epochs", "3"], "finite gradients"),
        (
            ["train", "cat.txt", "--lr", "1e30", *SMALL],
            "in epoch 1, batch 2 of 14; use a smaller --lr, or clip harder",
        ),
        (["mathmath", "--directory", "none"], "expected a directory, got none"),
        (["mathmath", "--json", "--directory", "none"], "expected a directory, got none"),
        (["train", "cat.txt", "--hidden", "10000000000"], "not enough memory"),
        (["train", "cat.txt", "--hidden", "10000000000"], "; use a smaller --hidden, --layers"),
        (["draw", "--demo", "--length", str(10**16)], "; use a smaller --length, or a shorter"),
        (["compile", "gru", "--hidden", str(10**11)], "; use a smaller --input, --hidden or"),
        (["train"], "required"),
        ([], "required"),
        (["fly"], "invalid choice"),
        (["sample", "none"], "expected a file"),
        (["sample", "broken"], "whole safetensors file"),
        (["sample", "cat.txt"], "whole safetensors file"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(folder, capsys, arguments, message):
    assert run_command(*arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    ("package", "arguments", "message"),
    [
        ("numba", ["compile", "gru", "--backend", "numba"], "pip install"),
        (
            "scipy",
            ["compile", "gru", "--backend", "numba"],
            "expected scipy for backend='numba', got none",
        ),
        ("graphviz", ["draw", "--demo"], "graphviz"),
        ("safetensors", ["train", "cat.txt", *SMALL], "safetensors"),
    ],
)
def test_a_package_that_is_missing_is_one_line_and_exit_code_2(
    package, arguments, message, folder, capsys, monkeypatch
):
    for name in [name for name in sys.modules if name.split(".")[0] == package] + [package]:
        monkeypatch.setitem(sys.modules, name, None)
    assert run_command(*arguments) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


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
def test_a_wrong_option_of_sample_is_one_line_that_names_it(folder, capsys, option, value):
    run_command("train", "cat.txt", *SMALL)
    capsys.readouterr()
    assert run_command("sample", "cat.safetensors", f"{option}={value}") == 2
    error = read_one_line(capsys)
    assert option.strip("-").replace("-", "_") in error or "character" in error or "seed" in error


@pytest.fixture
def built_in_ops(monkeypatch):
    """Leave only the library's own ops in the registry: other tests register theirs."""
    folder = str(Path(tg.__file__).parent)
    for name, op in list(registry.items()):
        if not inspect.unwrap(op.forward).__code__.co_filename.startswith(folder):
            monkeypatch.delitem(registry, name)


def test_check_checks_every_op(built_in_ops, capsys):
    assert run_command("check") == 0
    out = capsys.readouterr().out
    assert f"{len(registry)} of {len(registry)} ops" in out
    assert "g * (1 - y * y)" in out
    assert "FAILED" not in out


def test_a_strange_file_name_is_shown_as_it_is(folder, capsys):
    assert run_command("train", "cat.txt", "--out", "a[bold]b c.st", *SMALL) == 0
    assert "tinygrad-rnn sample 'a[bold]b c.st'" in " ".join(capsys.readouterr().out.split())


def test_check_shows_a_wrong_rule(built_in_ops, capsys, monkeypatch):
    tanh = registry["tanh"]
    monkeypatch.setattr(tanh, "rules_in_order", (lambda g, y, a: g * (1 - y * y) * 1.001,))
    assert run_command("check") == 1
    assert "FAILED" in capsys.readouterr().out


def test_ctrl_c_saves_and_resume_goes_on(folder):
    command = [sys.executable, "-m", "tinygrad_rnn.app.cli", "train", "cat.txt", "--out", "m"]
    process = subprocess.Popen(
        [*command, "--epochs", "100000", "--log", "run.jsonl", *SMALL_SIZES],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = folder / "run.jsonl"  # gets its line after the evaluation of the first epoch
    deadline = time.monotonic() + 60
    while not (log.exists() and log.stat().st_size):
        assert time.monotonic() < deadline, "the first epoch has no line in the log"
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == ""
    assert "Continue with --resume" in out
    again = subprocess.run(
        [*command, "--resume", "--epochs", "1"], capture_output=True, text=True, check=False
    )
    assert again.returncode == 0
    assert "are done" in again.stdout


# -- checkpoints that do not fit, and models that are not whole ------------------------------------


@pytest.fixture
def model(folder, capsys):
    """Return the path of a small model, trained for an epoch."""
    assert run_command("train", "cat.txt", *SMALL) == 0
    capsys.readouterr()
    return folder / "cat.safetensors"


@pytest.mark.parametrize(
    ("option", "kept", "given"),
    [
        ("--cell", "gru", "lstm"),
        ("--embedding", "4", "0"),
        ("--hidden", "8", "128"),
        ("--layers", "1", "2"),
        ("--dropout", "0.0", "0.5"),
        ("--batch-size", "4", "16"),
        ("--steps", "10", "32"),
        ("--lr", "0.002", "nan"),
        ("--clip", "1.0", "2.0"),
        ("--holdout", "0.1", "0.2"),
        ("--seed", "0", "1"),
    ],
)
def test_resume_rejects_an_option_that_contradicts_the_checkpoint(
    model, capsys, option, kept, given
):
    before = model.read_bytes()
    assert run_command("train", "cat.txt", "--resume", "--epochs", "2", option, given) == 2
    error = read_one_line(capsys)
    assert (
        f"{option}: expected {kept}, as in the checkpoint 'cat.safetensors', got {given}; " in error
    )
    assert "without --resume" in error
    assert model.read_bytes() == before


def test_resume_accepts_options_that_agree_and_another_number_of_epochs(model, capsys):
    agreeing = [*SMALL_SIZES, "--lr", "2e-3", "--cell", "gru"]
    assert run_command("train", "cat.txt", "--resume", *agreeing, "--epochs", "2") == 0
    assert "\n2/2  loss" in capsys.readouterr().out
    assert run_command("train", "cat.txt", "--resume", "--epochs", "0") == 2
    assert read_one_line(capsys).startswith(
        "tinygrad-rnn: train: argument epochs: expected a positive integer, got 0"
    )


def test_resume_rejects_another_text(model, capsys):
    (model.parent / "cat.txt").write_text(TEXT + TEXT)
    assert run_command("train", "cat.txt", "--resume") == 2
    assert "another text" in read_one_line(capsys)


def test_a_training_that_diverges_leaves_the_checkpoint(model, capsys):
    before = model.read_bytes()
    assert run_command("train", "cat.txt", *SMALL, "--lr", "1e30", "--overwrite") == 2
    assert model.read_bytes() == before
    assert "an earlier checkpoint stays unchanged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (np.nan, "nan or inf in output.weight: the file is damaged, or its training diverged"),
        (3e38, "written: output.weight"),
    ],
)
def test_sample_says_that_a_model_is_damaged(model, capsys, number, message):
    arrays, metadata = load_with_metadata(model)
    arrays["model.output.weight"][:] = number
    save(arrays, model, metadata=metadata)
    assert run_command("sample", model.name) == 2
    assert message in read_one_line(capsys)


def test_sample_says_that_a_training_diverged(model, capsys):
    loaded = load_model(model)[0]
    loaded.output.weight.data = np.full_like(loaded.output.weight.data, 3e38)
    save_model(loaded, model)
    assert run_command("sample", model.name) == 2
    error = capsys.readouterr().err
    assert "expected finite logits, got nan or inf" in error
    assert error.count("\n") == 1


STEERING = "\x1b\r\x07\u202e\n\té"


@pytest.mark.parametrize(
    ("terminal", "shown"), [(True, "\\x1b\\r\\x07\\u202e\n\té"), (False, STEERING)]
)
def test_text_from_an_untrusted_model_does_not_steer_the_terminal(
    folder, capsys, monkeypatch, terminal, shown
):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    save_model(CharModel(CharVocab(STEERING, order="given"), Architecture(hidden=2), rng=0), "m")
    assert run_command("sample", "m", "--prime", STEERING, "--length", 0) == 0
    assert capsys.readouterr().out == shown + "\n"


def test_a_message_about_an_untrusted_file_does_not_steer_the_terminal(folder, capsys):
    weights = {"model.output.weight": np.zeros(2), "model.\x1b[2J": np.zeros(2)}
    header = {"characters": "ab\x1b[2J", "architecture": {"\x1b[2J": 1}}
    save(weights, "m", metadata={"format": FORMAT, "header": json.dumps(header)})
    assert run_command("sample", "m") == 2
    assert "\x1b" not in read_one_line(capsys)


def test_sample_notices_one_flipped_bit(model, capsys):
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(bytes(content))
    assert run_command("sample", model.name) == 2
    assert "missing or altered since it was written: " in read_one_line(capsys)


def test_the_version_is_that_of_the_package(capsys):
    assert run_command("--version") == 0
    assert capsys.readouterr().out == f"tinygrad-rnn {tg.__version__}\n"


@pytest.mark.parametrize(
    "change", [lambda text: text[:-1], lambda text: text + "é", lambda text: text[0] + text[:-1]]
)
def test_sample_says_that_vocabulary_and_weights_do_not_match(model, capsys, change):
    arrays, metadata = load_with_metadata(model)
    header = json.loads(metadata["header"])
    header["characters"] = change(header["characters"])
    save(arrays, model, metadata=metadata | {"header": json.dumps(header)})
    assert run_command("sample", model.name) == 2
    shape = (len(arrays["model.output.bias"]), 8)
    expected = f"characters and hidden size 8, but its output.weight has shape {shape}"
    assert expected in read_one_line(capsys)


def test_a_link_is_followed_when_the_model_is_written(folder, capsys):
    (folder / "link").symlink_to("models/cat")
    assert run_command("train", "cat.txt", *SMALL, "--out", "link") == 2
    assert "existing folder" in read_one_line(capsys)
    (folder / "models").mkdir()
    for _ in range(2):
        assert run_command("train", "cat.txt", *SMALL, "--out", "link", "--overwrite") == 0
        assert (folder / "link").is_symlink()
        assert [path.name for path in (folder / "models").iterdir()] == ["cat"]
    assert run_command("sample", "link") == 0


# -- leaving early ---------------------------------------------------------------------------------


def test_ctrl_c_while_starting_is_one_line(capsys, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "build_parser", interrupted)
    assert run_command("mathmath") == 130
    assert read_one_line(capsys) == "tinygrad-rnn: interrupted\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["mathmath"], 0),
        (["mathmath", "--json"], 0),
        (["sample", "cat.safetensors"], 0),
        (["train", "cat.txt", "--epochs", "1000", "--out", "m"], 141),
    ],
)
def test_a_closed_pipe_ends_the_command_quietly(model, arguments, code):
    read, write = os.pipe()
    os.close(read)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "tinygrad_rnn.app.cli", *arguments]
    ended = subprocess.run(
        command,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert (ended.returncode, ended.stderr) == (code, "")


def test_ctrl_c_at_any_moment_of_the_start_is_one_line(folder):
    """Ctrl-C arrives after `interrupt` is imported. Python's own start before that is not ours."""
    # Python prints a line for every module that it has imported.
    python = [sys.executable, "-X", "importtime", "-m", "tinygrad_rnn.app.cli"]
    command = [*python, "train", "cat.txt", "--epochs", "100000", *SMALL_SIZES, "--overwrite"]
    # A test suite that runs in the background ignores SIGINT, and the command would inherit that.
    handle_sigint = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    for delay in (*np.linspace(0, 0.2, 11), 0.4, 0.6):
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=handle_sigint,
        )
        for line in process.stderr:
            if line.strip().endswith("tinygrad_rnn.app.interrupt"):
                break
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
        printed = "".join(
            line for line in error.splitlines(keepends=True) if not line.startswith("import time:")
        )
        # Python ends by the signal itself if it was running code from a string, as dataclasses
        # do, when the signal came. A shell reports 130 then as well.
        assert process.returncode in (130, -signal.SIGINT)
        has_stopped = "Continue with --resume" in out or "nothing is saved" in out
        assert printed == "tinygrad-rnn: interrupted\n" or (printed == "" and has_stopped)


@pytest.mark.parametrize(
    ("started", "is_command"),
    [
        (["-m", "tinygrad_rnn.app.cli"], True),
        (["-m", "tinygrad_rnn"], True),
        (["-m", "pytest"], False),
        (["/usr/bin/tinygrad-rnn"], True),
        (["tinygrad-rnn.exe"], True),
        (["app/train.py", "-m", "tinygrad_rnn.app.cli"], False),
        ([""], False),
    ],
    ids=str,
)
def test_only_the_command_handles_ctrl_c(started, is_command, monkeypatch):
    """A program that imports the library keeps its own handlers."""
    outside, before = signal.getsignal(signal.SIGINT), signal.default_int_handler
    signal.signal(signal.SIGINT, before)
    monkeypatch.setattr(sys, "argv", started)
    monkeypatch.setattr(sys, "orig_argv", ["python", *started])
    try:
        interrupt.install_handler()
        assert (signal.getsignal(signal.SIGINT) is interrupt.exit_at_once) == is_command
        interrupt.remove_handler()
        assert signal.getsignal(signal.SIGINT) is before
    finally:
        signal.signal(signal.SIGINT, outside)


def test_a_program_that_ignores_ctrl_c_goes_on_ignoring_it(monkeypatch):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    monkeypatch.setattr(sys, "argv", ["tinygrad-rnn"])
    try:
        interrupt.install_handler()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        interrupt.remove_handler()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("arguments", "warns"),
    [(["--dropout", "0.5"], True), (["--dropout", "0.5", "--layers", "2"], False), ([], False)],
)
def test_dropout_with_one_layer_is_one_line_of_warning(folder, capsys, arguments, warns):
    command = ["train", "cat.txt", "--out", "m.st", "--epochs", "1", "--hidden", "4", "--plain"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run_command(*command, *arguments) == 0
        assert run_command("sample", "m.st", "--length", "3") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "Warning" in line]
    assert (
        lines
        == [
            "Warning: --dropout 0.5 has no effect with one layer, because dropout acts "
            "between layers. Use --layers 2, or leave --dropout out."
        ]
        * warns
    )


# -- sampling --------------------------------------------------------------------------------------


def start_sampling(*arguments, **settings):
    """Start endless sampling in a new process."""
    command = [sys.executable, "-m", "tinygrad_rnn.app.cli", "sample", "cat.safetensors"]
    return subprocess.Popen(
        [*command, "--length", str(10**18), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        **settings,
    )


def test_sample_prints_each_character_when_it_is_drawn(model, capsys):
    arguments = ["--prime", "the ", "--seed", "1"]
    run_command("sample", model.name, *arguments, "--length", 100)
    whole = capsys.readouterr().out
    process = start_sampling(*arguments)
    shown = b""
    while len(shown) < 104:
        piece = os.read(process.stdout.fileno(), 104 - len(shown))
        assert piece
        shown += piece
    process.stdout.close()  # as `head -c 104` does
    assert process.wait(60) == 0
    assert process.stderr.read() == b""
    process.stderr.close()
    assert shown.decode() + "\n" == whole


def test_ctrl_c_ends_the_line_of_a_sample(model):
    process = start_sampling()
    os.read(process.stdout.fileno(), 10)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out.endswith(b"\n")
    assert error == b"tinygrad-rnn: interrupted\n"
