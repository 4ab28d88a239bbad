"""The names of tests and files in ``.ci/run`` and in the mutation tests exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if not (ROOT / ".ci").is_dir():
    pytest.skip("the source distribution has no .ci", allow_module_level=True)
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
COVERING = (ROOT / "tests" / "mutation" / "covering.py").read_text(encoding="utf-8")
NAMES = [
    name
    for path in (ROOT / "tests").glob("*/test_*.py")
    for name in [path.stem, *re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))]
]
SKIPPED = re.search(r'^large="(.+)"$', CI, re.MULTILINE)[1].split(" or ")
SLOW = re.search(r"SLOW = re\.compile\(\s*r\"(.+)\"", COVERING)[1].split("|")


@pytest.mark.parametrize("word", sorted({*SKIPPED, *SLOW}))
def test_every_word_that_skips_tests_matches_one(word):
    assert any(word in name for name in NAMES)


@pytest.mark.parametrize("file", sorted(set(re.findall(r"tests/\w+/\w+\.py", CI))))
def test_every_test_file_that_ci_names_exists(file):
    assert (ROOT / file).is_file()


SKIPS = {
    "the device that is always full": "Linux has it",
    "pipes, links and permissions": "Linux has them",
    "permissions": "Linux has them",
    "links": "Linux has them",
    "only root gives files away": "root_leaves",
    "a setting of glibc's malloc": "Linux has it",
    "the source distribution has no .ci": "the checkout has it",
    "compiles with TeX if there is one": "the form is checked without it",
}
"""Each reason to skip a test, and why CI runs the test: what it has, or words in ``.ci/run``."""


def test_ci_runs_every_test_that_may_be_skipped():
    skip = re.compile(r"(?:skipif|pytest\.skip)\(.*|importorskip.*")
    found = {
        re.findall('"([^"]+)"', line)[-1]
        for path in (ROOT / "tests").glob("*/test_*.py")
        for line in skip.findall(path.read_text(encoding="utf-8"))
        if path != Path(__file__) or "no .ci" in line
    }
    assert found == set(SKIPS)
    for words in SKIPS.values():
        assert words.endswith((" it", " them")) or words in CI


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "mutation").glob("*.toml")))
def test_every_path_of_the_mutation_tests_exists(path):
    modules = re.search(r"module-path = \[(.+)\]", path.read_text(encoding="utf-8"))[1]
    assert all((ROOT / module).exists() for module in re.findall(r'"(.+?)"', modules))
