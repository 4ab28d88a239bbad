"""The tutorial's network against its recorded numbers, and the tutorial in the terminal."""

import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from internals import (
    PAUSE,
    TEXT,
    MathMath,
    Page,
    batches,
    cross_entropy,
    main,
    matrix,
    network,
    numbers,
    one_hot,
    sample,
    tell_tutorial,
    train,
    whole_file,
)

import tinygrad_rnn as tg

RECORDED = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "mathmath.json").read_text(encoding="utf-8")
)
TOLERANCE = {"float64": 1e-12, "float32": 1e-6}


@pytest.fixture(params=["float64", "float32"])
def dtype(request):
    return request.param


@pytest.fixture
def recorded(dtype):
    return RECORDED[dtype]


@pytest.fixture
def first_batch(dtype):
    """Return the model, the steps and the loss of the first batch, after its backward pass."""
    model, (X, Y) = MathMath(dtype), batches(dtype)
    steps = model(X[0])
    result = cross_entropy(steps, Y[0])
    result.loss.backward(retain_grads=True)
    return model, steps, result


def assert_close(got, expected, dtype):
    got = np.asarray(got)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE[dtype])


# -- the recorded numbers --------------------------------------------------------------------------


def test_batches_are_the_recorded_ones(recorded, dtype):
    for got, expected in zip(batches(dtype), (recorded["X"], recorded["Y"]), strict=True):
        assert got.dtype == dtype
        assert got.shape == (3, 3, 2, 4)
        np.testing.assert_array_equal(got, expected)


def test_the_package_ships_the_recorded_parameters(recorded, dtype):
    assert RECORDED["char_to_index"] == network.INDEX
    assert tuple(RECORDED["init_order"]) == network.NAMES
    for name, p in MathMath(dtype).named_parameters():
        np.testing.assert_array_equal(p.data, recorded["parameters"][name])


def test_states_and_probabilities_of_all_batches_are_the_recorded_ones(recorded, dtype):
    model, (X, _) = MathMath(dtype), batches(dtype)
    h, flat = None, []
    for x in X:
        flat += model(x, h)
        h = flat[-1].h.detach()
    assert_close([step.h.data for step in flat], recorded["hidden_states"], dtype)
    assert_close([step.probabilities.data for step in flat], recorded["probabilities"], dtype)


@pytest.mark.parametrize("name", ["z", "r", "candidate", "logits"])
def test_gates_and_logits_are_the_recorded_ones(first_batch, recorded, dtype, name):
    _, steps, _ = first_batch
    assert_close([getattr(step, name).data for step in steps], recorded["batch_1"][name], dtype)


def test_the_cross_entropy_is_the_recorded_one_term_by_term(first_batch, recorded, dtype):
    _, _, result = first_batch
    for i in (1, 2, 3):
        term = [step.data for step in result[i - 1]]
        assert_close(term, recorded["batch_1"][f"cross_entropy_term_{i}"], dtype)
    assert_close(result.loss.data, recorded["batch_1"]["loss"], dtype)
    assert f"{result.loss:.4f}" == "1.2602"


@pytest.mark.parametrize("name", RECORDED["init_order"])
def test_gradients_of_parameters_are_the_recorded_ones(first_batch, recorded, dtype, name):
    model, _, _ = first_batch
    assert_close(getattr(model, name).grad, recorded["batch_1"]["gradients"][name], dtype)


def test_gradients_at_states_are_the_recorded_ones(first_batch, recorded, dtype):
    _, steps, _ = first_batch
    assert_close([step.h.grad for step in steps], recorded["batch_1"]["dloss_dh"], dtype)


def test_the_terms_of_a_gate_add_up(first_batch, dtype):
    _, steps, _ = first_batch
    for step in steps:
        z, n = sum(numbers.read_terms(step.z)), sum(numbers.read_terms(step.candidate))
        assert_close(step.z.data, 1 / (1 + np.exp(-z)), dtype)
        assert_close(step.candidate.data, np.tanh(n), dtype)


def test_the_tutorials_cross_entropy_is_the_librarys(first_batch, dtype):
    _, steps, result = first_batch
    _, Y = batches(dtype)
    logits = np.stack([step.logits.data for step in steps])
    expected = tg.nn.functional.cross_entropy(tg.Tensor(logits), Y[0])
    assert_close(expected.data, result.loss.data, dtype)


# -- training --------------------------------------------------------------------------------------


def test_training_as_in_the_tutorial_gives_the_recorded_losses_and_parameters(recorded, dtype):
    model = MathMath(dtype)
    losses = [epoch.mean for epoch in train(model, tg.optim.SGD(model.parameters(), 0.01), 100)]
    path, atol = recorded["sgd_lr0.01_100_epochs"], {"float64": 1e-12, "float32": 1e-5}[dtype]
    np.testing.assert_allclose(losses, path["mean_loss_per_epoch"], rtol=0, atol=atol)
    for name, p in model.named_parameters():
        np.testing.assert_allclose(p.data, path["final_parameters"][name], rtol=0, atol=atol)


@pytest.mark.parametrize(
    ("recipe", "last"), [(numbers.RECIPES[1], 0.02), (numbers.RECIPES[2], 0.005)]
)
def test_a_correct_sampler_and_enough_steps_write_the_text(recipe, last, dtype):
    model = MathMath(dtype)
    epochs = list(train(model, recipe.optimizer(model.parameters()), 100))
    assert sample(model) == TEXT
    assert epochs[-1].losses[-1] == pytest.approx(last, abs=last / 10)
    assert sample(model, feed_back=False) == "Ma" + "t" * 18


def test_the_tutorials_steps_do_not_learn_the_text():
    outcome = numbers.compute_outcome(numbers.TUTORIAL)
    assert (f"{outcome.losses[0]:.2f}", f"{outcome.losses[-1]:.2f}") == ("1.33", "1.08")
    assert outcome.learned is None
    assert outcome.written != TEXT
    assert outcome.reread.startswith("Matttttttttt")


def test_a_state_that_is_not_detached_is_refused():
    assert "detach()" in numbers.try_without_detach()


def test_sample_rejects_unknown_characters_and_an_empty_primer():
    with pytest.raises(ValueError, match="'x'; use the characters of"):
        one_hot("Max")
    with pytest.raises(ValueError, match="prime: expected at least one character"):
        sample(MathMath(), "")


def test_numbers_are_misread_in_alphabetical_order():
    assert numbers.misread("Math") == "tahM"


# -- the tutorial in the terminal ------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(scope="module")
def plain_tutorial(tmp_path_factory):
    """Tell the tutorial once, and return its text and the directory of its files."""
    directory, stdout = tmp_path_factory.mktemp("tutorial"), sys.stdout
    sys.stdout = out = io.StringIO()
    try:
        tell_tutorial(plain=True, directory=directory)
    finally:
        sys.stdout = stdout
    return out.getvalue(), directory


def test_the_tutorial_prints_all_its_numbers(plain_tutorial):
    text, _ = plain_tutorial
    for number in (
        "1.2602",
        "[1.6710 1.3337 0.7760]",
        "1.33 to 1.08",
        "0.1791 0.5943",
        "3 x 3 x 2 x 4",
    ):
        assert number in text
    assert f"\n  {TEXT}\n" in text
    assert all(f"∂loss/∂{name}" in text for name in network.NAMES)
    assert all(f"∂loss/∂h{t}" in text for t in "₀₁₂")


def test_the_plain_tutorial_has_no_control_characters_and_fits(plain_tutorial):
    text, _ = plain_tutorial
    assert all(c == "\n" or c.isprintable() for c in text)
    lines = [line for line in text.splitlines() if "mathmath." not in line]
    assert max(sum(c != "\u0303" for c in line) for line in lines) <= 80


def test_the_tutorial_writes_its_graph(plain_tutorial):
    text, directory = plain_tutorial
    assert sorted(path.name for path in directory.iterdir()) == [
        "mathmath.dot",
        "mathmath.svg",
        "mathmath.txt",
    ]
    equations = (directory / "mathmath.txt").read_text(encoding="utf-8")
    assert "h₁ = z₁ ⊙ h₀ + (1 " in equations
    assert "loss = mean(stack(term3₀, term3₁, term3₂))" in equations
    assert (directory / "mathmath.dot").read_text(encoding="utf-8").startswith("digraph {")
    assert str(directory / "mathmath.dot") in text


def test_in_a_terminal_there_is_colour_and_progress(monkeypatch, tmp_path):
    out = Terminal()
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "50"}.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr("tinygrad_rnn.app.mathmath.page.PAUSE", 0)
    assert PAUSE > 0
    tell_tutorial(directory=tmp_path)
    assert "\x1b[" in out.getvalue()
    assert "epoch  12/100" in out.getvalue()
    assert "1.2602" in out.getvalue()


def test_the_json_of_the_tutorial_has_the_recorded_numbers(capsys, tmp_path):
    tell_tutorial(as_json=True, directory=tmp_path)
    found, recorded = json.loads(capsys.readouterr().out), RECORDED["float64"]
    for name in ("X", "Y", "hidden_states", "probabilities"):
        np.testing.assert_allclose(found[name], recorded[name], rtol=0, atol=1e-12)
    for name, expected in recorded["batch_1"].items():
        if name == "gradients":
            assert found["batch_1"][name].keys() == expected.keys()
            for parameter, gradient in expected.items():
                np.testing.assert_allclose(
                    found["batch_1"][name][parameter], gradient, rtol=0, atol=1e-12
                )
        else:
            np.testing.assert_allclose(found["batch_1"][name], expected, rtol=0, atol=1e-12)
    assert found["written"] == TEXT
    assert [Path(path).name for path in found["files"]] == [
        "mathmath.txt",
        "mathmath.dot",
        "mathmath.svg",
    ]
    assert all(Path(path).exists() for path in found["files"])


def test_a_terminal_without_greek_letters_gets_question_marks(monkeypatch, tmp_path):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert main(["mathmath", "--plain", "--directory", str(tmp_path)]) == 0
    sys.stdout.flush()
    assert b"1.2602" in raw.getvalue()


def test_a_missing_directory_is_reported_before_anything_is_printed(capsys, tmp_path):
    with pytest.raises(NotADirectoryError, match="mathmath: argument directory"):
        tell_tutorial(plain=True, directory=tmp_path / "missing")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["mathmath.txt", "mathmath.dot", "mathmath.svg"])
@pytest.mark.parametrize("beside_own", [False, True])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_file_that_the_tutorial_did_not_write_is_kept(
    capsys, tmp_path, plain_tutorial, name, as_json, beside_own
):
    if beside_own:
        shutil.copytree(plain_tutorial[1], tmp_path, dirs_exist_ok=True)
    (tmp_path / name).write_text("digraph {\n my own\n}\n")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(FileExistsError, match=f"got another .*{name}; move this file away"):
        tell_tutorial(plain=True, as_json=as_json, directory=tmp_path)
    assert capsys.readouterr().out == ""
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_graph_of_an_earlier_run_is_overwritten(capsys, tmp_path, plain_tutorial):
    first_line = (plain_tutorial[1] / "mathmath.txt").read_text(encoding="utf-8").splitlines()[0]
    (tmp_path / "mathmath.txt").write_text(f"{first_line}\nof an older version", encoding="utf-8")
    tell_tutorial(as_json=True, directory=tmp_path)
    assert "older version" not in (tmp_path / "mathmath.txt").read_text(encoding="utf-8")


def test_a_directory_that_cannot_be_written_to_is_reported_before_anything_is_printed(
    capsys, tmp_path, monkeypatch
):
    def deny(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(whole_file.os, "fsync", deny)
    with pytest.raises(
        PermissionError,
        match=r"mathmath: argument directory: expected a file that can be written, "
        r"got .*mathmath\.txt' \(permission denied\); allow writing, or use another",
    ):
        tell_tutorial(plain=True, directory=tmp_path)
    assert capsys.readouterr().out == ""


def test_matrices_are_aligned():
    assert matrix("b", [0.0, -0.0, 1.5], 1) == ["      b", "[0.0 0.0 1.5]"]
    assert matrix("", [[1.0], [-2.0], [3.0]], 0)[1:] == ["⎡ 1⎤", "⎢-2⎥", "⎣ 3⎦"]


def test_prose_is_wrapped(capsys):
    Page(plain=True).say("\n" + "word " * 40)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == ""
    assert all(line.startswith("word") and len(line) <= 80 for line in lines[1:])
