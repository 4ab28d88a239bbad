"""`together` runs every case, and fails with the names of those that fail."""

import inspect

import pytest
from helpers import together


def test_all_cases_run_and_every_failure_is_named():
    seen = []

    @together("number", [1, 2, 3])
    def check(number):
        seen.append(number)
        assert number == 2

    with pytest.raises(ExceptionGroup, match="2 of 3 cases failed") as caught:
        check()
    assert seen == [1, 2, 3]
    assert [error.__notes__ for error in caught.value.exceptions] == [
        ["in case 0, number = 1"],
        ["in case 2, number = 3"],
    ]


def test_cases_can_depend_on_another_argument_and_have_several_values():
    seen = []

    @together("sign", "+-")
    @together(("a", "b"), {"x": [(1, 2)], "y": [(3, 4), (5, 6)], "z": []}, of="name")
    def check(name, a, b, sign):
        seen.append((name, a, b, sign))

    assert list(inspect.signature(check).parameters) == ["name"]
    check(name="y")
    assert seen == [("y", a, b, sign) for sign in "+-" for a, b in ((3, 4), (5, 6))]
    with pytest.raises(ExceptionGroup):
        check(name="z")  # a test without cases tests nothing
