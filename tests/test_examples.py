"""The examples run and reach what they state."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_own_cell_learns_to_remember():
    before, after = runpy.run_path(str(EXAMPLES / "own_cell.py"))["main"]()
    assert before > 0.2
    assert after < 0.05


def test_the_tutorial_is_drawn(tmp_path):
    paths = runpy.run_path(str(EXAMPLES / "draw_tutorial.py"))["main"](tmp_path)
    assert [path.name for path in paths] == ["tutorial_unrolled.svg", "tutorial_rolled.svg", "tutorial_gates.svg"]
    gates = paths[2].read_text(encoding="utf-8")
    assert "z₁ ⊙ h₀ + (1 − z₁) ⊙ h̃₁" in gates


def test_an_own_cell_is_drawn_and_watched(tmp_path, capsys):
    paths = runpy.run_path(str(EXAMPLES / "draw_own_cell.py"))["main"](tmp_path)
    told = capsys.readouterr().out
    assert "h₁ = a₁ ⊙ h₀ + (1 − a₁) ⊙ tanh(x₁ @ W + h₀ @ U)" in told
    assert "The gradient reaches U along 15 paths." in told
    assert "1 of 42  loss = Σ(#41)" in told
    assert all(path.read_text(encoding="utf-8").startswith("<svg") for path in paths)


def test_the_gradient_vanishes_in_an_rnn_and_not_in_a_remembering_gru(tmp_path, capsys):
    norms = runpy.run_path(str(EXAMPLES / "gradient_flow.py"))["main"](tmp_path)
    assert norms["RNN"][0] < 1e-6 * norms["RNN"][-1]
    assert norms["GRU, update bias 2"][0] > 1e-3 * norms["GRU, update bias 2"][-1]
    assert "at the first" in capsys.readouterr().out


def test_cells_of_every_kind_walk_and_are_right(capsys):
    runpy.run_path(str(EXAMPLES / "cells.py"))["main"]()
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 5
    assert all(line.endswith("gradients right: True") for line in told)


def run(example, folder):
    """Run an example as its users do; what it printed, and the pictures that it made."""
    found = subprocess.run([sys.executable, EXAMPLES / example, folder], capture_output=True, text=True, timeout=300, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout, sorted(path.name for path in Path(folder).iterdir())


@pytest.mark.study
def test_the_adding_problem_is_solved_by_a_gru_and_not_by_an_rnn(tmp_path):
    told, pictures = run("adding_problem.py", tmp_path)
    rnn, gru = map(float, re.search(r"RNN: ([\d.]+), GRU: ([\d.]+)", told).groups())
    assert rnn > 0.15  # always 1 is wrong by 0.1667
    assert gru < 0.01
    assert "adding_problem_graph.svg" in pictures


@pytest.mark.study
def test_the_character_model_needs_fewer_bits_than_bz2(tmp_path):
    told, pictures = run("character_model.py", tmp_path)
    model, bz2 = map(float, re.search(r"held out: model ([\d.]+), bz2 ([\d.]+)", told).groups())
    assert model < bz2 - 0.05
    assert "character_model_graph.svg" in pictures


@pytest.mark.study
def test_the_forecast_is_better_than_a_linear_one(tmp_path):
    told, pictures = run("forecast.py", tmp_path)
    last, linear, gru = map(float, re.search(r"the last value: ([\d.]+); linear: ([\d.]+); GRU: ([\d.]+)", told).groups())
    assert gru < linear / 2 < last / 2
    assert "forecast_graph.svg" in pictures


@pytest.mark.study
def test_brackets_of_every_length_are_judged(tmp_path):
    told, pictures = run("balanced.py", tmp_path)
    assert float(re.search(r"all: ([\d.]+)", told)[1]) > 0.97
    assert "balanced_graph.svg" in pictures
