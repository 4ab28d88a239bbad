"""The examples run and reach the results that they state."""

import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
sys.path.insert(0, str(ROOT / "docs" / "_ext"))
import example_runs  # noqa: E402


def load_main(name):
    """Return the function `main` of an example."""
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]


def test_own_cell_learns_to_remember():
    before, after = load_main("own_cell")()
    assert before > 0.2
    assert after < 0.05


def test_the_graph_of_the_tutorial_is_drawn(tmp_path):
    paths = load_main("draw_tutorial")(tmp_path)
    assert [path.name for path in paths] == [
        "tutorial_unrolled.svg",
        "tutorial_rolled.svg",
        "tutorial_gates.svg",
    ]
    gates = paths[2].read_text(encoding="utf-8")
    assert all(line in gates for line in ("z₁ ⊙ h₀", "+ (1 − z₁) ⊙ h̃₁"))


def test_an_own_cell_is_drawn_and_followed_backwards(tmp_path, capsys):
    paths = load_main("draw_own_cell")(tmp_path)
    printed = capsys.readouterr().out
    assert "h₁ = a₁ ⊙ h₀ + (1 − a₁) ⊙ tanh(x₁ @ W + h₀ @ U)" in printed
    assert "The gradient reaches U along 15 paths." in printed
    assert "1 of 42  loss = Σ(#41)" in printed
    assert all(path.read_text(encoding="utf-8").startswith("<svg") for path in paths)


def test_the_gradient_vanishes_in_an_rnn_and_not_in_a_remembering_gru(tmp_path, capsys):
    norms = load_main("gradient_flow")(tmp_path)
    assert norms["RNN"][0] < 1e-6 * norms["RNN"][-1]
    assert norms["GRU, update bias 2"][0] > 1e-3 * norms["GRU, update bias 2"][-1]
    assert "at the first" in capsys.readouterr().out


def test_every_example_cell_runs_and_its_gradients_are_right(capsys):
    load_main("cells")()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert all(line.endswith("gradients right: True") for line in lines)


def test_the_documentation_shows_every_example():
    page = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
    for name in example_runs.list_examples():
        assert f"(example-{name})=" in page
        assert f"../examples/{name}.py" in page
        assert f'shown("{name}")' in page
        assert re.search(r"[Ii]t\s+takes\s", example_runs.docstring_of(name)), name


def test_a_run_is_kept_until_something_changes(tmp_path, monkeypatch):
    runs = []

    def record_run(name, folder):
        runs.append(name)
        (folder / "printed.txt").write_text("done", encoding="utf-8")
        (folder / "seconds.txt").write_text("1.5", encoding="utf-8")
        return example_runs.load_run(folder)

    monkeypatch.setattr(example_runs, "run_anew", record_run)
    monkeypatch.setenv("EXAMPLE_RUNS", str(tmp_path))
    expected = example_runs.Run("done", [], 1.5)
    assert example_runs.run("cells") == example_runs.run("cells") == expected
    assert runs == ["cells"]
    monkeypatch.setattr(example_runs, "digest_inputs", lambda name: "another")
    example_runs.run("cells")
    assert runs == ["cells", "cells"]


def test_a_run_that_fails_is_not_kept(tmp_path, monkeypatch):
    program = '"""Broken. Run it with ``python examples/broken.py``."""\nraise SystemExit("no")'
    (tmp_path / "broken.py").write_text(program, encoding="utf-8")
    (tmp_path / "pictures.py").touch()
    monkeypatch.setattr(example_runs, "EXAMPLES", tmp_path)
    monkeypatch.setenv("EXAMPLE_RUNS", str(tmp_path / "runs"))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="exit code 1\nno"):
            example_runs.run("broken")


def run_example(name):
    """Run an example as its users do; return what it printed, and the names of its pictures."""
    result = example_runs.run(name)
    assert result.seconds < 60
    return result.printed, [path.name for path in result.pictures]


@pytest.mark.study
def test_the_adding_problem_is_solved_by_a_gru_and_not_by_an_rnn():
    printed, pictures = run_example("adding_problem")
    rnn, gru = map(float, re.search(r"RNN: ([\d.]+), GRU: ([\d.]+)", printed).groups())
    assert rnn > 0.15  # always 1 is wrong by 0.1667
    assert gru < 0.01
    assert "adding_problem_graph.svg" in pictures


@pytest.mark.study
def test_the_character_model_needs_fewer_bits_than_bz2():
    printed, pictures = run_example("character_model")
    model, bz2 = map(float, re.search(r"held out: model ([\d.]+), bz2 ([\d.]+)", printed).groups())
    assert model < bz2 - 0.05
    assert "character_model_graph.svg" in pictures


@pytest.mark.study
def test_the_forecast_is_better_than_a_linear_one():
    printed, pictures = run_example("forecast")
    last, linear, gru = map(
        float,
        re.search(r"the last value: ([\d.]+); linear: ([\d.]+); GRU: ([\d.]+)", printed).groups(),
    )
    assert gru < linear / 2 < last / 2
    assert "forecast_graph.svg" in pictures


@pytest.mark.study
def test_brackets_of_every_length_are_judged():
    printed, pictures = run_example("balanced")
    assert float(re.search(r"all: ([\d.]+)", printed)[1]) > 0.97
    assert "balanced_graph.svg" in pictures
