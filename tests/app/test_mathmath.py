"""The tutorial's network against its recorded numbers, and the walk through it."""

import io
import json
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
    matrix,
    numbers,
    one_hot,
    sample,
    train,
)
from internals import mathmath as walk
from internals import network as mathmath

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
def first(dtype):
    """The first batch, after its backward pass: model, steps and loss."""
    model, (X, Y) = MathMath(dtype), batches(dtype)
    steps = model(X[0])
    found = cross_entropy(steps, Y[0])
    found.loss.backward(retain_grads=True)
    return model, steps, found


def same(got, expected, dtype):
    got = np.asarray(got)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE[dtype])


# -- the recorded numbers ----------------------------------------------------------------------------


def test_batches(recorded, dtype):
    for got, expected in zip(batches(dtype), (recorded["X"], recorded["Y"]), strict=True):
        assert got.dtype == dtype
        assert got.shape == (3, 3, 2, 4)
        np.testing.assert_array_equal(got, expected)


def test_the_lesson_ships_the_recorded_parameters(recorded, dtype):
    assert RECORDED["char_to_index"] == mathmath.INDEX
    assert tuple(RECORDED["init_order"]) == mathmath.NAMES
    for name, p in MathMath(dtype).named_parameters():
        np.testing.assert_array_equal(p.data, recorded["parameters"][name])


def test_states_and_probabilities_of_all_batches(recorded, dtype):
    model, (X, _) = MathMath(dtype), batches(dtype)
    h, flat = None, []
    for x in X:
        flat += model(x, h)
        h = flat[-1].h.detach()
    same([step.h.data for step in flat], recorded["hidden_states"], dtype)
    same([step.probabilities.data for step in flat], recorded["probabilities"], dtype)


@pytest.mark.parametrize("name", ["z", "r", "candidate", "logits"])
def test_gates_and_logits(first, recorded, dtype, name):
    same([getattr(step, name).data for step in first[1]], recorded["batch_1"][name], dtype)


def test_cross_entropy(first, recorded, dtype):
    for i in (1, 2, 3):
        same(
            [term.data for term in first[2][i - 1]],
            recorded["batch_1"][f"cross_entropy_term_{i}"],
            dtype,
        )
    same(first[2].loss.data, recorded["batch_1"]["loss"], dtype)
    assert f"{first[2].loss:.4f}" == "1.2602"


@pytest.mark.parametrize("name", RECORDED["init_order"])
def test_gradients(first, recorded, dtype, name):
    same(getattr(first[0], name).grad, recorded["batch_1"]["gradients"][name], dtype)


def test_gradient_at_every_state(first, recorded, dtype):
    same([step.h.grad for step in first[1]], recorded["batch_1"]["dloss_dh"], dtype)


def test_the_terms_of_a_gate_add_up(first, dtype):
    for step in first[1]:
        z, n = sum(numbers.terms(step.z)), sum(numbers.terms(step.candidate))
        same(step.z.data, 1 / (1 + np.exp(-z)), dtype)
        same(step.candidate.data, np.tanh(n), dtype)


def test_its_own_cross_entropy_is_the_librarys(first, dtype):
    _, Y = batches(dtype)
    logits = np.stack([step.logits.data for step in first[1]])
    same(tg.nn.functional.cross_entropy(tg.Tensor(logits), Y[0]).data, first[2].loss.data, dtype)


# -- training ----------------------------------------------------------------------------------------


def test_the_tutorials_training_is_followed(recorded, dtype):
    model = MathMath(dtype)
    losses = [epoch.mean for epoch in train(model, tg.optim.SGD(model.parameters(), 0.01), 100)]
    path, atol = recorded["sgd_lr0.01_100_epochs"], {"float64": 1e-12, "float32": 1e-5}[dtype]
    np.testing.assert_allclose(losses, path["mean_loss_per_epoch"], rtol=0, atol=atol)
    for name, p in model.named_parameters():
        np.testing.assert_allclose(p.data, path["final_parameters"][name], rtol=0, atol=atol)


@pytest.mark.parametrize(
    ("recipe", "last"), [(numbers.RECIPES[1], 0.02), (numbers.RECIPES[2], 0.005)]
)
def test_a_right_sampler_and_enough_steps_write_the_text(recipe, last, dtype):
    model = MathMath(dtype)
    epochs = list(train(model, recipe.optimizer(model.parameters()), 100))
    assert sample(model) == TEXT
    assert epochs[-1].losses[-1] == pytest.approx(last, abs=last / 10)
    assert sample(model, feed_back=False) == "Ma" + "t" * 18


def test_the_tutorials_steps_are_not_enough():
    found = numbers.outcome(numbers.TUTORIAL)
    assert (f"{found.losses[0]:.2f}", f"{found.losses[-1]:.2f}") == ("1.33", "1.08")
    assert found.learned is None
    assert found.written != TEXT
    assert found.reread.startswith("Matttttttttt")


def test_a_state_that_is_not_detached_is_refused():
    assert "detach()" in numbers.without_detach()


def test_sample_refuses_what_it_cannot_read():
    with pytest.raises(ValueError, match="'x'; use the characters of"):
        one_hot("Max")
    with pytest.raises(ValueError, match="prime: expected at least one character"):
        sample(MathMath(), "")


def test_misread_by_the_alphabet():
    assert numbers.misread("Math") == "tahM"


# -- the walk ----------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The plain walk, told once: its text and its directory."""
    directory, out, stdout = tmp_path_factory.mktemp("walk"), io.StringIO(), sys.stdout
    sys.stdout = out
    try:
        assert walk.mathmath(plain=True, directory=directory) == 0
    finally:
        sys.stdout = stdout
    return out.getvalue(), directory


def test_the_walk_tells_everything(told):
    text, _ = told
    for number in (
        "1.2602",
        "[1.6710 1.3337 0.7760]",
        "1.33 to 1.08",
        "0.1791 0.5943",
        "3 x 3 x 2 x 4",
    ):
        assert number in text
    assert f"\n  {TEXT}\n" in text
    assert all(f"∂loss/∂{name}" in text for name in mathmath.NAMES)
    assert all(f"∂loss/∂h{t}" in text for t in "₀₁₂")


def test_plain_has_no_control_characters_and_fits(told):
    text, _ = told
    assert all(c == "\n" or c.isprintable() for c in text)
    assert (
        max(
            sum(c != "\u0303" for c in line)
            for line in text.splitlines()
            if "mathmath." not in line
        )
        <= 80
    )


def test_the_walk_writes_the_graph(told):
    text, directory = told
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
    walk.mathmath(directory=tmp_path)
    assert "\x1b[" in out.getvalue()
    assert "epoch  12/100" in out.getvalue()
    assert "1.2602" in out.getvalue()


def test_json_holds_the_numbers(capsys, tmp_path):
    assert walk.mathmath(as_json=True, directory=tmp_path) == 0
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
    assert walk.mathmath(plain=True, directory=tmp_path) == 0
    sys.stdout.flush()
    assert b"1.2602" in raw.getvalue()


def test_a_missing_directory_is_refused_first(capsys, tmp_path):
    with pytest.raises(NotADirectoryError, match="mathmath: argument directory"):
        walk.mathmath(plain=True, directory=tmp_path / "missing")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["mathmath.txt", "mathmath.dot"])
@pytest.mark.parametrize("as_json", [False, True])
def test_what_somebody_else_wrote_is_kept(capsys, tmp_path, name, as_json):
    (tmp_path / name).write_text("digraph {\n my own\n}\n")
    with pytest.raises(FileExistsError, match=rf"{name}, something else; move it away"):
        walk.mathmath(plain=True, as_json=as_json, directory=tmp_path)
    assert capsys.readouterr().out == ""
    assert [path.read_text() for path in tmp_path.iterdir()] == ["digraph {\n my own\n}\n"]


def test_an_earlier_walks_graph_is_written_anew(capsys, tmp_path, told):
    first_line = (told[1] / "mathmath.txt").read_text(encoding="utf-8").splitlines()[0]
    (tmp_path / "mathmath.txt").write_text(f"{first_line}\nof an older version", encoding="utf-8")
    assert walk.mathmath(as_json=True, directory=tmp_path) == 0
    assert "older version" not in (tmp_path / "mathmath.txt").read_text(encoding="utf-8")


def test_a_directory_that_cannot_be_written_to_is_refused_first(capsys, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(
        OSError,
        match=r"expected one to write to, got .* \(mathmath.txt: Permission denied\); use another",
    ):
        walk.mathmath(plain=True, directory=tmp_path)
    assert capsys.readouterr().out == ""


def test_matrices_are_aligned():
    assert matrix("b", [0.0, -0.0, 1.5], 1) == ["      b", "[0.0 0.0 1.5]"]
    assert matrix("", [[1.0], [-2.0], [3.0]], 0)[1:] == ["⎡ 1⎤", "⎢-2⎥", "⎣ 3⎦"]


def test_prose_is_filled(capsys):
    Page(plain=True).say("\n" + "word " * 40)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == ""
    assert all(line.startswith("word") and len(line) <= 80 for line in lines[1:])
