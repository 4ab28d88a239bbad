"""docs/reliability.md tells the truth: its tests exist, and each fails without its protection."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import together
from removals import PACKAGE, REMOVALS, code_without

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
ROWS = [
    line.split("|")[1:-1]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and "`test_" in line
]
HOMES: dict[str, list[str]] = {}
"""The files in which each test stands."""
for path in sorted((ROOT / "tests").glob("*/test_*.py")):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            HOMES.setdefault(node.name, []).append(path.relative_to(ROOT).as_posix())


def named_tests(row):
    """Return the names of the tests in a row of the page."""
    return re.findall(r"`(test_\w+)`", row[2])


@together("row", ROWS)
def test_every_row_names_tests_that_exist(row):
    assert len(row) == 3
    assert set(named_tests(row)) <= HOMES.keys()
    assert set(named_tests(row)) & REMOVALS.keys()


def test_the_reliability_page_has_at_least_40_rows():
    assert len(ROWS) >= 40


def test_the_page_names_every_test_that_has_a_removal():
    assert {test for row in ROWS for test in named_tests(row)} >= REMOVALS.keys()


@together("test", REMOVALS)
def test_every_protection_is_found_once_in_its_function(test):
    removal = REMOVALS[test]
    source = (PACKAGE / removal["file"]).read_text(encoding="utf-8")
    changed = code_without(removal, source)
    assert changed != source
    ast.parse(changed)


SOURCE = '''"""Doc."""
class A:
    def f(self, x):
        """Doc."""
        if x > 1 and x != "é":  # a comment
            return ( x,
                     "é" )
        return x
'''


@pytest.mark.parametrize(
    ("removal", "lines"),
    [
        (
            {"function": "A.f", "statement": "return (x, 'é')", "replacement": "y = 2\nreturn y"},
            ["            y = 2", "            return y"],
        ),
        (
            {"function": "A.f", "statement": "if x > 1 and x != 'é':", "replacement": "if False:"},
            ["        if False:", "            return ( x,"],
        ),
        (
            {"function": "f", "expression": "x != 'é'", "replacement": "False"},
            ["        if x > 1 and False:  # a comment"],
        ),
        (
            {"function": "A.f", "replacement": "x = 3"},
            ['        """Doc."""', "        x = 3", '        if x > 1 and x != "é":  # a comment'],
        ),
        ({"replacement": "import os"}, ['"""Doc."""', "import os", "class A:"]),
    ],
    ids=["statement", "header", "expression", "start of a function", "start of a file"],
)
def test_a_protection_is_replaced_whatever_its_format(removal, lines):
    changed = code_without(removal, SOURCE)
    assert "\n".join(lines) in changed
    ast.parse(changed)


@pytest.mark.parametrize(
    "removal",
    [
        {"function": "A.g", "statement": "return x"},
        {"function": "A.f", "statement": "return y"},
        {"function": "A.f", "statement": "if x > 2:"},
        {"function": "A.f", "expression": "x"},
    ],
    ids=["no such function", "no such statement", "no such header", "several times"],
)
def test_a_protection_that_is_not_there_once_is_an_error(removal):
    with pytest.raises(LookupError):
        code_without({**removal, "replacement": "pass"}, SOURCE)


@pytest.fixture(scope="module")
def copy_of_the_checkout(tmp_path_factory):
    """Copy what the tests need, to take protections out of the copy."""
    folder = tmp_path_factory.mktemp("without")
    for name in ("tinygrad_rnn", "tests", "examples", "docs", "pyproject.toml", "README.md"):
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "_build")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    return folder


def run_tests(folder, expression, files, timeout):
    """Run the tests of a copy of the checkout whose names match the expression."""
    plugins = ["-p", "no:xdist", "-p", "no:randomly"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", *plugins, "-k", expression, *files],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "MPI_SECONDS": "20"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.mark.study
def test_every_test_passes_with_its_protection(copy_of_the_checkout):
    files = sorted({file for test in REMOVALS for file in HOMES[test]})
    run = run_tests(copy_of_the_checkout, " or ".join(REMOVALS), files, timeout=600)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-500:]


@pytest.mark.study
@pytest.mark.parametrize("test", REMOVALS)
def test_a_test_fails_without_its_protection(test, copy_of_the_checkout):
    removal = REMOVALS[test]
    path = copy_of_the_checkout / "tinygrad_rnn" / removal["file"]
    source = path.read_text(encoding="utf-8")
    path.write_text(code_without(removal, source), encoding="utf-8")
    try:
        run = run_tests(copy_of_the_checkout, test, HOMES[test], timeout=60)
    except subprocess.TimeoutExpired:
        return  # without the protection the test never ends, which is a failure too
    finally:
        path.write_text(source, encoding="utf-8")
    assert run.returncode in (1, 2, 3), run.stdout[-2000:] + run.stderr[-500:]
    assert "no tests ran" not in run.stdout
