"""In the tests of the compiler, a program that fails is an error and is not run plainly instead."""

import pytest

from tinygrad_rnn.compile.instructions import Expected
from tinygrad_rnn.compile.ready_program import ReadyProgram

REASONS = ("Expected", "FloatingPointError", "IndexError")
"""The errors for which the plain function runs: it raises the user's error, or the warning."""


@pytest.fixture(autouse=True)
def programs_that_do_not_fail(monkeypatch):
    """Let every error of a program through that is a fault of the compiler."""
    run = ReadyProgram.run

    def checked(self, *arguments):
        try:
            return run(self, *arguments)
        except Expected as reason:
            cause = reason.__cause__
            if type(cause).__name__ not in REASONS:
                raise AssertionError(f"{self.traced.title} failed: {self.source}") from cause
            raise

    monkeypatch.setattr(ReadyProgram, "run", checked)
