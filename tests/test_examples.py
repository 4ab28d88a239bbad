"""The examples run and reach what they state."""

import runpy
from pathlib import Path

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
