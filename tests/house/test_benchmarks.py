"""The benchmark script works, on this engine alone and with small sizes.

The tests do not check how fast it is, because that needs a quiet machine.
"""

import gc
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import compare
from contests import MODELS, contestants
from models import SIZES, Size

OURS = {"tinygrad_rnn"}
every_model = pytest.mark.parametrize("model", MODELS)


@pytest.fixture(autouse=True)
def frozen_tests():
    """Freeze the collected tests again, because a benchmark unfreezes all objects at its end."""
    yield
    gc.freeze()


@every_model
def test_one_engine_is_measured_alone(model):
    (row,) = compare.compare(model, "tiny", 0.02, OURS)
    assert row["engine"] == "tinygrad_rnn"
    assert row["ms"] > 0
    assert "tiny" in compare.line(row)


@every_model
def test_a_step_learns_and_zeroes_gradients(model):
    (ours,) = contestants(model, SIZES["tiny"], OURS)
    before, gradient = ours.probe()
    assert gradient.dtype == np.float32
    assert np.any(gradient)
    again, same = ours.probe()
    assert again == before
    np.testing.assert_array_equal(same, gradient)
    for _ in range(5):
        ours.step()
    assert ours.probe()[0] < before


def test_engines_that_differ_are_not_timed():
    (ours,) = contestants("op-by-op", SIZES["tiny"], OURS)
    assert compare.disagreement(ours, ours) == ""
    assert "loss" in compare.disagreement(ours, ours._replace(probe=lambda: (0.0, ours.probe()[1])))
    assert "gradient" in compare.disagreement(
        ours, ours._replace(probe=lambda: (ours.probe()[0], 2 * ours.probe()[1]))
    )


@every_model
def test_live_tensors_do_not_grow_over_benchmark_steps(model):
    counts = compare.live(model, SIZES["tiny"], steps=20, every=5)
    assert len(set(counts)) == 1, counts


@every_model
def test_time_of_a_benchmark_is_linear_in_the_steps(model):
    assert compare.scaling(model, Size(8, 2, 4, 2), times=8, seconds=0.02) < 2


def test_the_report_is_printed_and_saved(capsys, tmp_path):
    alone = ["--sizes", "tiny", "--models", "op-by-op", "--engines", "tinygrad_rnn"]
    compare.main([*alone, "--seconds", "0.01", "--json", str(tmp_path / "r.json")])
    assert "numpy" in capsys.readouterr().out
    assert (tmp_path / "r.json").read_text(encoding="utf-8").startswith("{")
    absent = {"model": "nn.GRU", "size": "tiny", "engine": "torch", "absent": True}
    assert "absent" in compare.line(absent)
    assert "MISSED" in compare.verdict(2.0, 1.0)
