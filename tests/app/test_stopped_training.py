"""A training that is stopped at any moment, by a signal or a crash, goes on as if it never was."""

import json
import os
import pty
import random
import select
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from helpers import array_bits, run_command
from internals import Architecture, Options, StopSignals, Trainer, load_model

from tinygrad_rnn import optim
from tinygrad_rnn.app import char_model, train, training_display, training_session

TEXT = "the cat sat on the mat and the dog sat on the log. " * 24
SIZES = "--hidden 6 --embedding 4 --layers 2 --dropout 0.3 --batch-size 4 --steps 10 --lr 0.01"
TRAIN = ["train", "cat.txt", *SIZES.split(), "--patience", "9", "--epochs", "3"]
RESUME = ["train", "cat.txt", "--resume"]
COMMAND = [sys.executable, "-m", "tinygrad_rnn.app.cli"]
DEFAULTS = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
"""Called in a new process, because a test suite in the background ignores SIGINT."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Change to a folder with a text, and return its path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Return the contents of a training that nothing stopped, and of its best epoch."""
    path = tmp_path_factory.mktemp("unbroken") / "cat.txt"
    path.write_text(TEXT, encoding="utf-8")
    out = path.with_suffix(".safetensors")
    arguments = [*TRAIN, "--out", out]
    arguments[1] = path
    assert run_command(*arguments) == 0
    return contents(out)


def contents(path):
    """Return the bits of all arrays, and the notes, of a checkpoint and of that of the best epoch.

    The first part is that of the checkpoint.
    """
    found = []
    for file in (Path(path), Path(path).with_name("cat.best.safetensors")):
        if file.exists():
            model, arrays, notes = load_model(file)
            found.append((notes, array_bits(model.state_dict()), array_bits(arrays)))
    return found


def read_epochs(log):
    """Return the numbers of the epochs in a log; each line must be whole."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [json.loads(line)["epoch"] for line in lines]


def start(*arguments, **settings):
    """Start the command in a new process, with pipes for its output."""
    settings = {"preexec_fn": DEFAULTS, "stdout": subprocess.PIPE, **settings}
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stderr=subprocess.PIPE, text=True, **settings
    )


def wait_for(condition, seconds=60):
    """Wait until a function returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)
    return found


# -- a signal at a chosen moment -------------------------------------------------------------------

SEND = """
import os, sys
from tinygrad_rnn.app import cli, train

number, name, call, when = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
owner = train.Trainer
original, calls = getattr(owner, name), 0

def sending(*arguments, **settings):
    global calls
    calls += 1
    if when == "before" and calls == call:
        os.kill(os.getpid(), number)
    result = original(*arguments, **settings)
    if when == "after" and calls == call:
        os.kill(os.getpid(), number)
    return result

setattr(owner, name, sending)
sys.exit(cli.main(sys.argv[5:]))
"""
"""Run the command; its process gets a signal before or after a call of a method of `Trainer`."""
MOMENTS = {
    "after a forward pass, which drew dropout": ("char_model.CharModel.forward", 20, "after"),
    "after a forward pass of a later epoch": ("char_model.CharModel.forward", 60, "after"),
    "before a backward pass": ("train.Trainer._update", 20, "before"),
    "in an update, between two parameters": ("optim.Adam.update", 100, "after"),
    "after an update": ("train.Trainer._update", 25, "after"),
    "before an evaluation": ("train.Trainer.evaluate", 1, "before"),
    "in an evaluation": ("train.Trainer._mean_loss", 4, "before"),
    "after an evaluation": ("train.Trainer.evaluate", 2, "after"),
    "between an evaluation and what follows": (
        "training_session.TrainingSession._finish_epoch",
        2,
        "before",
    ),
    "in the save before an evaluation": ("os.fsync", 1, "before"),
    "in the writing of the log": ("os.fsync", 2, "before"),
    "in the save of the best epoch": ("os.fsync", 3, "before"),
    "in the save after an evaluation": ("os.fsync", 4, "after"),
    "in the display of a batch": ("training_display.TrainingDisplay.show_batch", 33, "before"),
    "in the line of an epoch": ("training_display.TrainingDisplay.show_epoch", 1, "before"),
}


def run_until_signal(number, method, call, when, *arguments):
    """Run the command until it gets a signal at this moment; return the finished process."""
    code = [sys.executable, "-c", SEND, str(int(number)), method, str(call), when]
    return subprocess.run(
        [*code, *map(str, arguments)],
        capture_output=True,
        text=True,
        preexec_fn=DEFAULTS,
        timeout=60,
        check=False,
    )


def find_owner(place):
    """Return the module or class of a moment's function, and the function's name."""
    owner, _, name = place.rpartition(".")
    modules = (char_model, training_display, training_session, train, optim, os)
    return eval(owner, {module.__name__.rpartition(".")[2]: module for module in modules}), name


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_a_training_stopped_at_a_moment_ends_with_the_same_bits(
    folder, unbroken, moment, monkeypatch, capsys
):
    """This process sends itself the signal; other tests see how a process ends."""
    place, call, when = moment
    owner, name = find_owner(place)
    original, calls, log = getattr(owner, name), iter(range(1, 10**6)), folder / "run.jsonl"

    def sending(*arguments, **settings):
        is_time = next(calls) == call
        if is_time and when == "before":
            send()
        result = original(*arguments, **settings)
        if is_time and when == "after":
            send()
        return result

    def send():
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL, "it would end the tests"
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, sending)
        assert run_command(*TRAIN, "--log", log) == 128 + signal.SIGTERM
    out, error = capsys.readouterr()
    assert error == ""
    assert "Continue with --resume" in out
    assert contents("cat.safetensors") != unbroken
    assert run_command(*RESUME, "--log", log) == 0
    assert contents("cat.safetensors") == unbroken
    assert read_epochs(log) == [1, 2, 3]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_request_to_stop_saves_and_has_its_exit_code(folder, unbroken, number):
    stopped = run_until_signal(number, "_update", 5, "after", *TRAIN)
    assert stopped.returncode == 128 + number
    assert contents("cat.safetensors")[0][0]["batch"] == 5
    assert run_command(*RESUME) == 0
    assert contents("cat.safetensors") == unbroken


def test_a_signal_is_heard_inside_of_a_long_batch(folder):
    """The batch would take a minute: the signal does not wait for its end."""
    process = start(*TRAIN, "--batch-size", 2, "--steps", 600, "--hidden", 512, "--layers", 8)
    process.stdout.readline()
    time.sleep(0.5)
    before = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (128 + signal.SIGTERM, "")
    assert time.monotonic() - before < 20
    assert "nothing is saved" in out
    assert [path.name for path in folder.iterdir()] == ["cat.txt"]


def test_a_signal_in_the_last_save_does_not_undo_the_end(folder, unbroken):
    done = run_until_signal(signal.SIGTERM, "save", 9, "after", *TRAIN)
    assert done.returncode == 0
    assert "Saved cat.safetensors" in done.stdout
    assert contents("cat.safetensors") == unbroken


def test_a_repeated_signal_is_one_request(folder, unbroken):
    """Some programs that start others pass on a signal that the terminal has sent already."""
    process = start(*TRAIN[:-1], 10**6)
    wait_for((folder / "cat.safetensors").exists)
    for _ in range(5):
        process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, "")
    assert "Continue with --resume" in out
    load_model("cat.safetensors")


# -- a crash at a random moment --------------------------------------------------------------------


def test_a_training_killed_again_and_again_ends_with_the_same_bits(folder, unbroken):
    """SIGKILL leaves no time to save, so each process goes on from the last save of another."""
    choose, out, log = random.Random(5), folder / "cat.safetensors", folder / "run.jsonl"
    for _ in range(5):
        process = start(*(RESUME if out.exists() else [*TRAIN, "--overwrite"]), "--log", log)
        deadline = time.monotonic() + choose.uniform(0.3, 1.2)
        while time.monotonic() < deadline:
            epochs = read_epochs(log)
            assert epochs == list(range(1, len(epochs) + 1))
        process.kill()
        process.communicate()
    assert run_command(*(RESUME if out.exists() else TRAIN), "--log", log) == 0
    assert contents(out) == unbroken
    assert read_epochs(log) == [1, 2, 3]
    assert not list(folder.glob(".*.lock"))


# -- signals that are ignored, and a terminal that goes away ---------------------------------------


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_was_ignored_at_the_start_stays_ignored(folder, number):
    process = start(*TRAIN[:-1], 10**6, preexec_fn=partial(signal.signal, number, signal.SIG_IGN))
    wait_for((folder / "cat.safetensors").exists)
    process.send_signal(number)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGTERM if number != signal.SIGTERM else signal.SIGHUP)
    assert process.wait(60) > 128
    process.communicate()


def test_nohup_keeps_a_training_alive(folder):
    command = ["nohup", *COMMAND, *TRAIN[:-1], str(10**6)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    wait_for((folder / "cat.safetensors").exists)
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.terminate()
    assert process.wait(60) == 128 + signal.SIGTERM
    process.communicate()


def test_a_terminal_that_goes_away_leaves_a_checkpoint(folder, unbroken):
    process, terminal = pty.fork()
    if not process:
        os.environ["TERM"] = "xterm"
        os.execv(sys.executable, [*COMMAND, *TRAIN[:-1], "1000"])
    shown = b""
    while b" 2/1000" not in shown:
        assert select.select([terminal], [], [], 60)[0]
        shown += os.read(terminal, 65536)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 128 + signal.SIGHUP
    assert load_model("cat.safetensors")[2]["epoch"] >= 1


def test_a_closed_pipe_leaves_a_checkpoint(folder):
    process = start(*TRAIN[:-1], 10**6)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr.read() == ""
    process.stderr.close()
    load_model("cat.safetensors")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_after_the_last_save_does_not_kill_the_process(number, folder):
    codes = set()
    for delay in (0, 0.001, 0.003, 0.01, 0.02, 0.03, 0.05, 0.1):
        arguments = [*TRAIN[:-1], "1", "--overwrite"]
        process = start(*arguments, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        while not process.stdout.readline().startswith("Saved"):
            assert process.poll() is None
        time.sleep(delay)
        process.send_signal(number)
        errors = process.communicate(timeout=60)[1]
        codes.add(process.returncode)
        assert errors == ""
    assert codes <= {0, 128 + number}


# -- the class by itself ---------------------------------------------------------------------------


def test_a_held_signal_is_raised_at_the_end_of_the_block():
    done, signals = [], StopSignals()

    def work():
        with signals.hold():
            with signals.hold():
                os.kill(os.getpid(), signal.SIGTERM)
                done.append("inside")
            done.append("outside")
        done.append("after")

    with signals, pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["inside", "outside"]
    assert signals.number == signal.SIGTERM


def test_handlers_are_put_back():
    names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in names]
    with StopSignals():
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in names] == before


def test_a_training_in_another_thread_leaves_the_handlers_alone(folder):
    codes = []
    thread = threading.Thread(target=lambda: codes.append(run_command(*TRAIN)))
    thread.start()
    thread.join(60)
    assert codes == [0]


@pytest.mark.parametrize("call", range(1, 12, 2))
def test_an_interrupted_step_leaves_the_trainer_as_it_was(monkeypatch, call):
    """In a notebook, Ctrl-C raises KeyboardInterrupt wherever the program is."""
    architecture = Architecture(embedding=4, hidden=6, layers=2, dropout=0.3)
    options = Options(epochs=1, batch_size=4, steps=10)
    trainer, whole = (Trainer(TEXT, architecture, options) for _ in range(2))
    cell = type(trainer.model.recurrent).forward
    calls = iter(range(100))

    def interrupted(self, *arguments, **settings):
        result = cell(self, *arguments, **settings)
        if next(calls) == call:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(type(trainer.model.recurrent), "forward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    monkeypatch.undo()
    assert trainer.run()
    assert whole.run()
    assert array_bits(trainer.model.state_dict()) == array_bits(whole.model.state_dict())
    assert trainer.history == whole.history


def test_an_interrupt_between_the_gradients_and_the_update_repeats_the_batch(folder, monkeypatch):
    architecture = Architecture(embedding=4, hidden=6, layers=2, dropout=0.3)
    options = Options(epochs=1, batch_size=4, steps=10)
    trainer, whole = (Trainer(TEXT, architecture, options) for _ in range(2))
    differentiate, calls = Trainer._differentiate, iter(range(100))

    def interrupted(self, *arguments):
        result = differentiate(self, *arguments)
        if next(calls) == 4:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(Trainer, "_differentiate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    monkeypatch.undo()
    trainer.save("stopped.safetensors")
    again = Trainer.resume("stopped.safetensors", TEXT)
    assert whole.run()
    for each in (trainer, again):
        assert each.run()
        assert array_bits(each.model.state_dict()) == array_bits(whole.model.state_dict())
    assert trainer.history == again.history == whole.history
