"""Wrong commands. Each prints one line that names the option, and exits with code 2."""

import re

import pytest
from helpers import SMALL, read_one_line, run_command

UNKNOWN = r"CharVocab\.encode: argument text: expected .* got '{}' at position {}"
"""The message about a character that the model does not know."""
COMMANDS = {
    "mathmath --directory none": "mathmath: argument directory: expected .* got none",
    "mathmath extra": "unrecognized arguments: extra",
    "mathmath --seed 3": "unrecognized arguments: --seed;",
    "mathmath --directory cat.txt": r"mathmath: argument directory: expected .* got cat\.txt",
    "train cat.txt --demo": "train: argument --demo: not allowed with argument FILE",
    "train dog.txt --batch-size 10000": "train: argument text: expected .* got 960 characters",
    "train cat.txt --steps 0": "train: argument steps: expected .* got 0",
    "train cat.txt --layers 0": "CharModel: argument layers: expected .* got 0",
    "train cat.txt --layers 99999999999": "CharModel: argument layers: expected .* below 10,000",
    "train cat.txt --patience 9999999999999": "train: argument patience: expected .* a larger one",
    "train cat.txt --layers 1.5": r"train: argument --layers: invalid int value: '1\.5'",
    "train cat.txt --embedding -1": "CharModel: argument embedding: expected .* got -1",
    "train cat.txt --clip 0": r"train: argument clip: expected .* got 0\.0",
    "train cat.txt --clip nan": "train: argument clip: expected a finite number above 0, got nan",
    "train cat.txt --clip inf": "train: argument clip: expected a finite number above 0, got inf",
    "train cat.txt --lr 1e400": "train: argument lr: expected a finite number above 0, got inf",
    "train cat.txt --dropout nan": "CharModel: argument dropout: expected .* got nan",
    "train cat.txt --dropout -0.1": r"CharModel: argument dropout: expected .* got -0\.1",
    "train cat.txt --holdout 0": r"train: argument holdout: expected .* got 0\.0",
    "train cat.txt --lr inf": "train: argument lr: expected .* got inf",
    "train cat.txt --lr fast": "train: argument --lr: invalid float value: 'fast'",
    "train cat.txt --cell GRU": "train: argument --cell: invalid choice: 'GRU'",
    "train cat.txt more.txt": r"unrecognized arguments: more\.txt",
    "train cat.txt --resume --hidden 9": "train: argument --hidden: expected .* got 9",
    "train cat.txt --patience -1": "train: argument patience: expected .* got -1",
    "train dog.txt --valid none.txt": "train: argument --valid: expected .* got 'none.txt'",
    "train dog.txt --log -": "train: argument --log: expected the name of a file, got '-'",
    "train dog.txt --out -": "train: argument --out: expected the name of a file, got '-'",
    "train dog.txt --log .": "train: argument --log: expected .* got '.'",
    "train dog.txt --out=": "train: argument --out: expected the name of a file or folder, got ''",
    "train dog.txt --valid=": "train: argument --valid: expected .* got ''",
    "train dog.txt --log=": "train: argument --log: expected .* got ''",
    "mathmath --directory=": "mathmath: argument --directory: expected .* got ''",
    "train cat.txt --resume --overwrite": "argument --overwrite: not allowed with .* --resume",
    "train cat.txt --epochs 1": "train: argument --out: expected a new file, got 'cat.safetensors'",
    "train --resume": "train: one of the arguments FILE --demo is required",
    "sample": "sample: the following arguments are required: MODEL",
    "sample cat.safetensors --length x": "sample: argument --length: invalid int value: 'x'",
    "sample cat.safetensors --temperature inf": "sample: argument temperature: expected .* got inf",
    "sample cat.safetensors --top-k 1.5": r"sample: argument --top-k: invalid int value: '1\.5'",
    "sample cat.safetensors --prime Ω": UNKNOWN.format("Ω", 0),
    "draw": "draw: one of the arguments MODEL --demo is required",
    "draw none": "load: argument path: expected .* got 'none', which is not a file",
    "draw cat.txt": r"load: argument path: expected .* got 'cat\.txt'",
    "draw cat.safetensors --text a": "draw: argument --text: expected .* got 'a'",
    "draw cat.safetensors --text Ω!": UNKNOWN.format("Ω", 0),
    "draw cat.safetensors --length 0": "draw: argument --length: expected .* got 0",
    "draw cat.safetensors --out x.foo": r"graph\.save: argument path: expected .* got 'x\.foo'",
    "draw --demo --out x.foo": r"graph\.save: argument path: expected .* got 'x\.foo'",
    "draw --demo --out no/x.svg": r"graph\.save: argument path: expected .* got 'no",
    "draw --demo --out=": "draw: argument --out: expected .* got ''",
    "draw --demo --out cat.txt": "draw: argument --out: expected .* got another file, 'cat.txt'",
    "draw --demo --theme pink": "draw: argument --theme: invalid choice: 'pink'",
    "draw --demo --theme drak": "draw: argument --theme: invalid choice: .* did you mean dark\\?",
    "draw --demo --fold nowhere": "graph: argument fold: expected .*; give the name 'charmodel'",
    "draw --demo --fold recurent": "graph: argument fold: expected .*; give the name 'recurrent'",
    "draw --demo --steps 9": "graph: argument steps: expected .* got '9'",
    "draw --demo --show weights": "draw: argument --show: .* got 'weights'; write --show shape",
    "draw --demo --direction left": "draw: argument --direction: invalid choice: 'left'",
    "draw --demo --highlight nobody": "draw: argument --highlight: expected .* got 'nobody'",
    "draw --demo --parameters x": "draw: argument --parameters: invalid choice: 'x'",
    "draw --demo --roll --steps last:1": "graph: argument steps: expected .* got 'last:1'",
    "draw --demo cat.safetensors": "draw: argument MODEL: not allowed with argument --demo",
    "draw --demo --text Maxi": UNKNOWN.format("x", 2),
    "compile": "compile: the following arguments are required: CELL",
    "compile tree": "compile: argument CELL: expected .* got 'tree'",
    "compile lstn": "compile: argument CELL: expected .* got 'lstn'; write lstm, for example",
    "compile gru --input 0": "compile: argument --input: expected .* got 0",
    "compile gru --hidden -1": "compile: argument --hidden: expected .* got -1",
    "compile gru --batch x": "compile: argument --batch: invalid int value: 'x'",
    "compile gru --backend cuda": "compile: argument --backend: invalid choice: 'cuda'",
    "compile none.py:cell": r"compile: argument CELL: expected .* got 'none\.py'",
    "compile cat.txt:cell": r"compile: argument CELL: expected .* got 'cat\.txt:cell'",
    "compile gru lstm": "unrecognized arguments: lstm",
    "check extra": "unrecognized arguments: extra",
    "check --op tanh": "unrecognized arguments: --op;",
    "fly": "argument COMMAND: invalid choice: 'fly'",
    "": "the following arguments are required: COMMAND",
    "--bogus": "unrecognized arguments: --bogus;",
}


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    """Return a folder with two texts, and a small model of the first."""
    folder = tmp_path_factory.mktemp("commands")
    (folder / "cat.txt").write_text("the cat sat on the mat. " * 40, encoding="utf-8")
    (folder / "dog.txt").write_text("the dog sat on the log. " * 40, encoding="utf-8")
    text, out = folder / "cat.txt", folder / "cat.safetensors"
    assert run_command("train", text, "--out", out, *SMALL) == 0
    return folder


@pytest.mark.parametrize(("command", "message"), COMMANDS.items(), ids=COMMANDS)
def test_a_wrong_command_says_one_line_and_leaves_with_2(
    command, message, model_folder, capsys, monkeypatch
):
    monkeypatch.chdir(model_folder)
    assert run_command(*command.split()) == 2
    assert re.search(message, read_one_line(capsys))


def test_every_subcommand_is_given_wrong_commands():
    for name in ("mathmath", "train", "sample", "draw", "compile", "check"):
        assert sum(command.startswith(name) for command in COMMANDS) >= 2
    assert len(COMMANDS) >= 50
