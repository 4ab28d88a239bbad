"""docs/reliability.md keeps its word: the tests that it names exist, and each fails when its protection is taken out."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
ROWS = [
    line.split("|")[1:-1]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and "`test_" in line
]
HOMES: dict[str, list[str]] = {}
for path in sorted((ROOT / "tests").glob("*/test_*.py")):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            HOMES.setdefault(node.name, []).append(path.relative_to(ROOT).as_posix())


def named(row):
    """The tests that a row of the page names."""
    return re.findall(r"`(test_\w+)`", row[2])


REMOVED = tomllib.loads((ROOT / "tests" / "fixtures" / "removals.toml").read_text(encoding="utf-8"))
"""For tests that the page names: in which file what protects stands, and what stands there without it."""


@pytest.mark.parametrize("row", ROWS, ids=[row[0].strip() for row in ROWS])
def test_every_row_names_tests_that_exist(row):
    assert len(row) == 3
    assert set(named(row)) <= HOMES.keys()
    assert set(named(row)) & REMOVED.keys()


def test_the_page_is_long_enough_to_be_read():
    assert len(ROWS) >= 40


def test_what_is_taken_out_is_there():
    """Every removal finds its text once."""
    for test, removal in REMOVED.items():
        assert (ROOT / "tinygrad_rnn" / removal["file"]).read_text(encoding="utf-8").count(
            removal["old"]
        ) == 1, test


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A copy of the package and its tests, to take parts out of."""
    folder = tmp_path_factory.mktemp("without")
    for name in ("tinygrad_rnn", "tests", "examples", "docs", "pyproject.toml", "README.md"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "_build")
            )
        else:
            shutil.copy(source, folder / name)
    return folder


@pytest.mark.study
@pytest.mark.parametrize("test", REMOVED)
def test_without_its_protection_a_test_fails(test, elsewhere):
    removal = REMOVED[test]
    path = elsewhere / "tinygrad_rnn" / removal["file"]
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace(removal["old"], removal["new"]), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:xdist",
        "-p",
        "no:randomly",
        "-k",
        test,
        *HOMES[test],
    ]
    try:
        done = subprocess.run(
            command, cwd=elsewhere, capture_output=True, text=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        return  # it hangs without the protection, which is a failure too
    finally:
        path.write_text(whole, encoding="utf-8")
    assert done.returncode in (1, 2, 3), done.stdout[-2000:] + done.stderr[-500:]
    assert "no tests ran" not in done.stdout
