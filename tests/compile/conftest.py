"""In the tests of the compiler, a program that fails is an error and is not run plainly instead."""

import os

import pytest

from tinygrad_rnn.compile.compiled import Compiled
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


@pytest.fixture(autouse=True, scope="session")
def every_call_is_checked():
    """With the variable CHECK_CALLS, compare every call of a program with the plain function."""
    with pytest.MonkeyPatch.context() as patch:
        if "CHECK_CALLS" in os.environ:
            init = Compiled.__init__

            def checking(self, *arguments, **options):
                init(self, *arguments, **options)
                self.check = self.check or 1

            patch.setattr(Compiled, "__init__", checking)
        yield
