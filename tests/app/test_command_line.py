"""The command line: spelling, examples, completion, streams and encodings, a user's own code."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import SMALL, read_one_line, run_command
from internals import HANDLER, build_parser, read_symbol, registry, transliterate

import tinygrad_rnn as tg

MODULE = [sys.executable, "-m", "tinygrad_rnn"]
TEXT = "the cat sat on the mat and the dog sat on the log. " * 12


def run_process(*arguments, env=None, **settings):
    """Run ``python -m tinygrad_rnn`` and return the finished process."""
    settings = {"capture_output": True, "timeout": 120, **settings}
    return subprocess.run([*MODULE, *arguments], env={**os.environ, **(env or {})}, **settings)


def subparsers():
    """Return the parsers of the subcommands by name."""
    (action,) = [a for a in build_parser()._actions if isinstance(a.choices, dict)]
    return action.choices


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path


# -- starting --------------------------------------------------------------------------------------


def test_the_module_is_the_command():
    done = run_process("--version", text=True)
    assert (done.returncode, done.stdout) == (0, f"tinygrad-rnn {tg.__version__}\n")


def test_the_module_runs_without_installed_metadata(tmp_path):
    """A copy of the package, with the site-packages of this Python but not their metadata."""
    shutil.copytree(Path(tg.__file__).parent, tmp_path / "tinygrad_rnn")
    code = (
        "import importlib.metadata, runpy, sys\n"
        "def missing(name): raise importlib.metadata.PackageNotFoundError(name)\n"
        "importlib.metadata.version = importlib.metadata.distribution = missing\n"
        "sys.argv = ['tinygrad-rnn', '--version']\n"
        "runpy.run_module('tinygrad_rnn', run_name='__main__')"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == (f"tinygrad-rnn {tg.__version__}\n", "")


# -- spelling --------------------------------------------------------------------------------------


def drop_letter(word):
    return word[:4] + word[5:]


def swap_letters(word):
    return word[:3] + word[4] + word[3] + word[5:]


LONG_OPTIONS = sorted(
    {
        (command, option)
        for command, parser in subparsers().items()
        for option in parser._option_string_actions
        if len(option) > 6
    }
)


@pytest.mark.parametrize("misspell", [drop_letter, swap_letters])
@pytest.mark.parametrize(("command", "option"), LONG_OPTIONS)
def test_a_misspelt_option_gets_the_right_suggestion(command, option, misspell, capsys):
    wrong = misspell(option)
    if any(known.startswith(wrong) for known in subparsers()[command]._option_string_actions):
        wrong += "x"
    assert run_command(command, wrong) == 2
    line = read_one_line(capsys)
    assert line.startswith(f"tinygrad-rnn {command}: unrecognized arguments: {wrong}; did you mean")
    assert option in line.partition("did you mean")[2]


@pytest.mark.parametrize("command", subparsers())
def test_a_misspelt_command_gets_the_right_suggestion(command, capsys):
    assert run_command(command[:-1] + "x") == 2
    assert f"did you mean {command}? Run tinygrad-rnn --help" in read_one_line(capsys)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("train --demo --cell GRU", "did you mean gru?"),
        ("--versoin", "did you mean --version?"),
        ("quantum", "'check'); run tinygrad-rnn --help"),
        ("check --quantum", "unrecognized arguments: --quantum; run"),
        ("train --demo --lr -1e5", "--lr: expected one argument"),
    ],
)
def test_what_is_not_close_to_a_name_gets_no_suggestion(arguments, words, capsys):
    assert run_command(*arguments.split()) == 2
    assert words in read_one_line(capsys)


# -- help and examples -----------------------------------------------------------------------------


def examples():
    """Return the examples in the help of every command, each once."""
    found = []
    for name, parser in {"": build_parser(), **subparsers()}.items():
        lines = parser.format_help().partition("examples:\n")[2].splitlines()
        assert lines, name
        found += [line.strip() for line in lines]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("line", examples())
def test_every_example_in_a_help_text_runs(line, folder, capsys):
    (folder / "cell.py").write_text(
        "from tinygrad_rnn import nn\n"
        "class MyCell(nn.GRUCell):\n"
        "    def __init__(self, size, rng):\n"
        "        super().__init__(size, 4, rng=rng)\n"
    )
    if "model.safetensors" in line and "--out model.safetensors --hidden" not in line:
        run = ["train", "text.txt", *SMALL, "--out", "model.safetensors"]
        assert run_command(*run) == 0
    if "train" in line and "--resume" not in line:
        (folder / "model.safetensors").unlink(missing_ok=True)
        line += " --steps 4 --batch-size 2" if "text.txt" in line else " --hidden 2 --embedding 0"
    if ">" in line or line.endswith(
        " check"
    ):  # a shell runs it; `check` checks the ops of tests too
        command = line.replace("tinygrad-rnn", shlex.join(MODULE))
        done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=300)
        code, error = done.returncode, done.stderr
    else:
        code, error = run_command(*shlex.split(line)[1:]), capsys.readouterr().err
    assert (code, error) == (0, "")


# -- completion ------------------------------------------------------------------------------------

TRIES = {
    "bash": (
        'eval "$(cat script)"; COMP_WORDS=(tinygrad-rnn tra); COMP_CWORD=1; '
        "$(complete -p tinygrad-rnn | sed 's/.*-F \\([^ ]*\\).*/\\1/'); echo ${COMPREPLY[@]}",
        "train",
    ),
    "zsh": (
        'autoload -Uz compinit; compinit -u -D; eval "$(cat script)"; echo $_comps[tinygrad-rnn]',
        "_shtab_tinygrad_rnn",
    ),
    "fish": ("source script; complete -C 'tinygrad-rnn tra'", "train"),
}
"""For each shell, a program that completes the command, and what it prints."""


@pytest.mark.parametrize("shell", TRIES)
def test_the_completion_script_works_in_the_shell(shell, folder):
    done = run_process("--print-completion", shell, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    for command in subparsers():
        assert command in done.stdout
    (folder / "script").write_text(done.stdout)
    if shutil.which(shell):
        program, expected = TRIES[shell]
        tried = subprocess.run([shell, "-c", program], capture_output=True, text=True)
        assert expected in tried.stdout
        assert tried.stderr == ""


def test_the_values_of_an_option_are_completed(folder):
    script = run_process("--print-completion", "bash", text=True).stdout
    (folder / "script").write_text(script)
    choices = {
        "draw --demo --theme d": {"dark"},
        "draw --demo --direction ": {"up", "down", "right"},
        "draw --demo --parameters ": {"once", "chips", "hide"},
        "compile gru --backend n": {"numpy", "numba"},
        "compile g": {"gru", "gru-before"},
        "train --cell l": {"lstm"},
    }
    for line, expected in choices.items():
        words = " ".join(f"'{word}'" for word in ["tinygrad-rnn", *line.split(" ")])
        program = f'eval "$(cat script)"; COMP_WORDS=({words}); COMP_CWORD={line.count(" ") + 1}; '
        program += "$(complete -p tinygrad-rnn | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
        program += "; echo ${COMPREPLY[@]}"
        done = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
        assert set(done.stdout.split()) == expected, line


def test_completion_without_shtab_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert run_command("--print-completion", "bash") == 2
    assert "pip install 'tinygrad_rnn[completion]'" in read_one_line(capsys)


# -- encodings -------------------------------------------------------------------------------------


SEVERAL = """
import sys
from tinygrad_rnn.app.cli import main
for line in sys.argv[1:]:
    try:
        main(line.split())
    except SystemExit as leaving:
        assert not leaving.code
"""
"""Run several commands in one process, whose output has one encoding."""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_what_the_terminal_cannot_hold_is_written_in_letters(encoding, folder):
    others = ["check", "mathmath", "compile gru", "draw --demo --text Ω!", "--help"]
    for lines in (["draw --demo --out -"], others):
        done = subprocess.run(
            [sys.executable, "-c", SEVERAL, *lines],
            env={**os.environ, "PYTHONIOENCODING": encoding},
            capture_output=True,
            timeout=120,
            check=True,
        )
        text = (done.stdout + done.stderr).decode(encoding)
        assert "Traceback" not in text
        assert "?" not in text
        assert "\\u" not in text
        if lines != others:
            assert "sigma(" in text or "σ" in text
            assert "tanh(" in text
        else:
            for words in ("ops", "MathMath", "def forward", "usage: "):
                assert words in text


def test_columns_stay_in_line_when_symbols_are_written_in_letters(folder):
    commands = ["draw --demo --out -", "check --plain", "mathmath --plain"]
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-c", SEVERAL, command],
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        lines = done.stdout.splitlines()
        if command.startswith("draw"):  # a long equation pushes its shape to the right
            rows = [re.fullmatch(r"( +\d+  \S.*?  +)\(.*\)", line) for line in lines]
            heads = [row[1] for row in rows if row]
            assert len(heads) > 30
            assert all(len(head) == max(72, len(head.rstrip()) + 2) for head in heads)
        corners, tables = [], 0
        for line in lines:
            if line.startswith("|-"):
                corners = [i for i, character in enumerate(line) if character == "+"]
                tables += 1
            elif not line.startswith("|"):
                corners = []  # the table has ended
            assert all(line[i] in "|+" for i in corners)
        assert command.startswith("draw") or tables


def test_every_symbol_that_the_package_can_print_has_a_reading():
    root = Path(tg.__file__).parent
    strings = {
        node.value
        for path in root.rglob("*.py")
        if path.name != "latex_names.py"  # it reads the letters of users' names
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    strings |= {op.formula for op in registry.values()}
    symbols = {c for text in strings for c in text if not c.isascii() and c.isprintable()}
    symbols -= {c for c in symbols if "\u4e00" <= c <= "\u9fff"}  # an example of text
    assert len(symbols) > 40
    unread = {c for c in symbols if not read_symbol(c).isascii() or "\\" in read_symbol(c)}
    assert not unread


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("r₀ = σ(h₋₁ @ U_rᵀ + x_r)", "r_0 = sigma(h_-1 @ U_r^T + x_r)"),
        ("x₁₂² ⊙ ŷ − h̃", "x_12^2 * y_hat - h_tilde"),
        ("café, naïve, ñ", "cafe, naive, n"),
        ("Δ ∈ [0, ∞)", "Delta in [0, inf)"),
        ("└─ ├─ │ ═", "+- +- | -"),
        ("中", "\\u4e2d"),
        ("plain ?", "plain ?"),
    ],
)
def test_a_symbol_is_read_as_a_person_would_write_it(text, reading):
    assert transliterate(text) == reading
    assert text.encode("ascii", errors=HANDLER).decode() == reading
    assert text.encode("utf-8", errors=HANDLER).decode() == text


# -- streams ---------------------------------------------------------------------------------------

COMMANDS = {
    "mathmath": "mathmath",
    "train": " ".join(["train", "text.txt", *map(str, SMALL)]),
    "draw": "draw --demo --out -",
    "compile": "compile gru",
    "check": "check --plain",
    "help": "train --help",
    "wrong": "fly",
}


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_closed_stream_is_no_traceback(name, closed, folder):
    line = f"exec {shlex.join(MODULE)} {COMMANDS[name]} {closed}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert done.returncode == (2 if name == "wrong" else 0)
    if name == "train":
        assert (folder / "text.safetensors").exists()


FULL = (
    "tinygrad-rnn: standard output: expected a file or device that can be written, "
    "got no space left on device; free space, or use another path"
)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device that is always full")
@pytest.mark.parametrize("full", [">/dev/full", ">/dev/full 2>/dev/full"])
@pytest.mark.parametrize("name", ["mathmath", "draw", "compile", "check"])
def test_a_full_device_is_one_line(name, full, folder):
    line = f"exec {shlex.join(MODULE)} {COMMANDS[name]} {full}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr == ("" if "2>" in full else FULL + "\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_training_goes_on_when_the_disk_behind_stdout_is_full(unbuffered, folder):
    line = f"PYTHONUNBUFFERED={unbuffered} exec {shlex.join(MODULE)} {COMMANDS['train']} >/dev/full"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, f"{FULL}; the training goes on\n")
    line = f"PYTHONUNBUFFERED={unbuffered} exec {shlex.join(MODULE)}"
    for command in ("sample text.safetensors", "sample --help", "--help", "draw --demo --out -"):
        whole = ["sh", "-c", f"{line} {command} >/dev/full"]
        done = subprocess.run(whole, capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stderr) == (2, FULL + "\n")


def test_a_limit_for_the_size_of_files_is_named(folder):
    line = f"ulimit -f 0; exec {shlex.join(MODULE)} --help >help.txt"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "standard output: expected a file or device that can be written, got" in done.stderr
    assert "file too large; raise the limit for the size of a file" in done.stderr
    line = f"ulimit -f 0; exec {shlex.join(MODULE)} {COMMANDS['train']} >out.txt"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    first, *_, last = done.stderr.splitlines()
    assert "standard output" in first
    assert first.endswith("the training goes on")
    assert "text.safetensors" in last
    assert "Traceback" not in done.stderr


# -- numbers ---------------------------------------------------------------------------------------

COUNTS = {
    "draw --demo": ["--length"],
    "compile gru": ["--input", "--hidden", "--batch"],
    "train text.txt": ["--hidden", "--layers", "--epochs", "--batch-size", "--steps"],
}


NUMBERS = ["1" + "0" * 20, "9" * 400, "9" * 5000, str(2**63), "1e999", "x"]


@pytest.mark.parametrize("number", NUMBERS, ids=range(len(NUMBERS)))
@pytest.mark.parametrize(
    ("command", "option"), [(c, option) for c, options in COUNTS.items() for option in options]
)
def test_a_number_beyond_any_machine_is_one_short_line(command, option, number, folder, capsys):
    assert run_command(*command.split(), f"{option}={number}") == 2
    line = read_one_line(capsys)
    assert option.strip("-").replace("-", "_") in line.replace("-", "_")
    assert len(line) < 600


# -- files that are there already ------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf", "dot", "txt", "json"])
def test_draw_replaces_earlier_drawings_and_nothing_else(suffix, folder, capsys):
    path, other = Path(f"drawing.{suffix}"), f"digraph {{}} <svg/> my notes in {suffix}".encode()
    path.touch()  # an empty file holds nothing that could be lost
    for options in ([], ["--theme", "dark", "--roll"], ["--backward"], []):
        assert run_command("draw", "--demo", "--out", path, *options) == 0
        assert len(path.read_bytes()) > 500
    path.write_bytes(other)
    capsys.readouterr()
    assert run_command("draw", "--demo", "--out", path) == 2
    line = read_one_line(capsys)
    assert f"expected a new file or an earlier drawing, got another file, {str(path)!r}" in line
    assert path.read_bytes() == other
    assert run_command("draw", "--demo", "--out", path, "--overwrite") == 0
    assert path.read_bytes() != other


# -- a user's own file -----------------------------------------------------------------------------

FILES = {
    "raises": (
        "def make(size, rng):\n    return 1 / 0\n",
        "ZeroDivisionError: division by zero",
        2,
    ),
    "raises a KeyError": ("def make(size, rng):\n    return {}['gate']\n", "KeyError: 'gate'", 2),
    "leaves": ("import sys\ndef make(size, rng):\n    sys.exit(7)\n", "SystemExit: 7", 3),
    "leaves when loaded": ("x = 1\nraise SystemExit('no')\n", "SystemExit: no", 2),
    "raises no Exception": (
        "def make(size, rng):\n    raise BaseException('b')\n",
        "BaseException: b",
        2,
    ),
    "raises an error without a text": (
        "class E(Exception):\n"
        "    def __str__(self):\n"
        "        raise ValueError('x')\n"
        "def make(size, rng):\n"
        "    raise E\n",
        "E: <exception str() failed>",
        5,
    ),
    "asserts": ("def make(size, rng):\n    assert size == 0\n", "AssertionError", 2),
    "is no Python": ("def make(:\n", "SyntaxError", 1),
    "imports what is missing": ("import no_such_module_anywhere\n", "No module named", 1),
    "fails in a step": (
        "from tinygrad_rnn import nn\n"
        "class make(nn.Module):\n"
        "    hidden_size = 3\n"
        "    def __init__(self, size, rng):\n"
        "        super().__init__()\n"
        "    def forward(self, x, h):\n"
        "        return undefined\n",
        "NameError: name 'undefined' is not defined",
        7,
    ),
    "fails below": (
        "import os\ndef make(size, rng):\n    os.stat('gone')\n",
        "FileNotFoundError",
        3,
    ),
}


@pytest.mark.parametrize(("code", "error", "number"), FILES.values(), ids=FILES)
def test_an_error_in_a_users_file_names_itself_and_its_line(code, error, number, folder, capsys):
    Path("cell.py").write_text(code)
    assert run_command("compile", "cell.py:make") == 2
    line = read_one_line(capsys)
    assert error in line
    assert f"in cell.py, line {number}; correct this line" in line


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def make(size, rng):\n    return None\n", "expected"),
        ("make = 3\n", "a class or function in 'cell.py'"),
        (
            "class Wrong(Exception): pass\ndef maker(size, rng): pass\n",
            "a class or function in 'cell.py', such as maker, got 'make'; define make in the file",
        ),
        ("", "a class or function in 'cell.py'"),
        ("def make():\n    return None\n", r"a factory NAME\(input_size, rng\)"),
    ],
)
def test_a_file_without_a_usable_factory_is_one_line(code, expected, folder, capsys):
    Path("cell.py").write_text(code)
    assert run_command("compile", "cell.py:make") == 2
    assert expected.replace("\\", "") in read_one_line(capsys)


NO_SOURCE = {
    "a zero byte": (b"x\0y", "null bytes"),
    "an unknown encoding": (b"# coding: nonsense\n", "unknown encoding"),
    "expressions too deep": (b"x=" + b"-" * 200_000 + b"1", "'cell.py' ("),
}


@pytest.mark.parametrize(("content", "reason"), NO_SOURCE.values(), ids=NO_SOURCE)
def test_a_file_that_python_cannot_read_is_one_line(content, reason, folder, capsys):
    Path("cell.py").write_bytes(content)
    assert run_command("compile", "cell.py:make") == 2
    line = read_one_line(capsys)
    assert "argument CELL: expected a Python file, got 'cell.py' (" in line
    assert reason in line
    assert "()" not in line


def test_a_file_that_is_missing_is_one_line(folder, capsys):
    assert run_command("compile", "none.py:make") == 2
    assert "expected a Python file, got 'none.py' (No such file or directory)" in read_one_line(
        capsys
    )
