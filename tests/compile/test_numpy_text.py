"""The NumPy text of programs: it computes what the programs mean, in arrays that it reuses."""

import numpy as np
import pytest
from programs import program_by_chance

from tinygrad_rnn.compile.instructions import interpret
from tinygrad_rnn.compile.numpy_text import write_numpy


def check_equal(ours, theirs, source):
    """Assert equal types, shapes and, up to rounding, numbers."""
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(b, int | float | bool) and not isinstance(b, np.generic):
            assert type(a) is type(b), source
            assert a == pytest.approx(b, rel=1e-12), source
            continue
        assert isinstance(a, np.ndarray), source
        assert (a.dtype, a.shape) == (b.dtype, b.shape), source
        near = {"float64": 1e-10, "float32": 1e-3, "float16": 0.1}.get(str(a.dtype), 0)
        np.testing.assert_allclose(
            a.astype(float), b.astype(float), rtol=near, atol=near, err_msg=source
        )


@pytest.mark.parametrize("block", range(20))
def test_programs_by_chance_give_what_they_mean(block):
    for seed in range(block * 25, block * 25 + 25):
        check_program(*program_by_chance(seed))


def check_program(program, first, second):
    """Assert that a text is right, that it leaves its inputs alone, and that its results last."""
    with np.errstate(all="ignore"):
        written = write_numpy(program)
        expected, given = interpret(program, first), [np.copy(x) for x in first]
        ours = written.run(*first)
        check_equal(ours, expected, written.source)
        for a, b in zip(given, first, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=written.source)
        kept = [np.copy(y) for y in ours]
        check_equal(written.run(*second), interpret(program, second), written.source)
        for i, (a, b) in enumerate(zip(kept, ours, strict=True)):
            np.testing.assert_array_equal(a, b, err_msg=written.source)
            if isinstance(b, np.ndarray):
                for other in [*first, *ours[:i]]:
                    assert not np.shares_memory(b, other) or not b.size, written.source
                b[...] = 0  # no one else's array, and it may be written
