"""The examples run and reach what they state."""

import runpy
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_own_cell_learns_to_remember():
    before, after = runpy.run_path(str(EXAMPLES / "own_cell.py"))["main"]()
    assert before > 0.2
    assert after < 0.05
