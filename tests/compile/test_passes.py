"""The passes keep what a program computes, and leave the lines that they should."""

import numpy as np
import pytest
from some_programs import Chance, count, gru, inputs_of, loops, run, validate

from tinygrad_rnn.compile.instructions import interpret
from tinygrad_rnn.compile.passes import PASSES, optimize
from tinygrad_rnn.compile.rewriting import copied


def agree(program, values, expected, monkeypatch, what):
    validate(program)
    for result, old in zip(run(program, values, monkeypatch), expected, strict=True):
        assert np.shape(result) == np.shape(old), what
        scale = max(1, np.max(np.abs(old), initial=0))
        np.testing.assert_allclose(result, old, rtol=1e-12, atol=1e-12 * scale, err_msg=what)


@pytest.mark.parametrize("seeds", [range(k, k + 40) for k in range(0, 400, 40)], ids=str)
def test_random_programs_compute_the_same(seeds, monkeypatch):
    for seed in seeds:
        program = Chance(seed).program
        values = inputs_of(program, seed)
        expected = run(program, values, monkeypatch)
        for rewrite in dict.fromkeys(PASSES):
            new = rewrite(copied(program))
            agree(new, values, expected, monkeypatch, f"{rewrite.__name__}, seed {seed}")
        agree(optimize(program), values, expected, monkeypatch, f"seed {seed}")
        validate(program)  # it is as it was
