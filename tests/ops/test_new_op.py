"""A new op is its paragraph, its export and a line of the changelog: no test lists it in a table.

In a copy of the package, an op is cut out and written again elsewhere, and the tests of this
checkout run on the copy.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OPS_TESTS = [f"ops/test_{name}.py" for name in ("ops", "sizes_of_arguments", "against_numpy")]
OTHERS = ("plain_arguments", "op_table", "numpy_protocol")
ALL_TESTS = [*OPS_TESTS, *(f"ops/test_{name}.py" for name in OTHERS)]
ALL_TESTS += ["engine/test_numbers.py", "engine/test_gradcheck.py"]
DECORATOR = (
    '@op("log₂({a})", shapes="(…) → (…)", reference=lambda a: np.log(a) / LN2, domain=(0, inf))'
)
PARAGRAPH = '''

LN2 = 0.6931471805599453


{decorator}
def log2(a: Any) -> Any:
    """Return the logarithm of a to base 2. 0 gives −inf, with NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.log2(tg.Tensor([8.0]))
    Tensor([3.])
    """
    return np.log2(a)


log2.vjps(a=lambda g, y, a: {rule})
'''


def change(path, edit):
    """Replace the text of a file; the edit must change it."""
    before = path.read_text(encoding="utf-8")
    assert edit(before) != before
    path.write_text(edit(before), encoding="utf-8")


def run_with_new_op(folder, tests, *, decorator=DECORATOR, rule="g / (a * LN2)"):
    """Write log2 anew into a copy of the package, and run the tests whose names have log2 in them.

    Return the names of the tests that passed every time, and of those that failed.
    """
    package = folder / "tinygrad_rnn"
    shutil.copytree(ROOT / "tinygrad_rnn", package, ignore=shutil.ignore_patterns("__pycache__"))
    change(
        package / "ops" / "logarithms.py",
        lambda text: re.sub(
            r'@op\("log₂.*?log2\.vjps\(.*?\)\n\n\n(?=@op)', "", text, flags=re.DOTALL
        ),
    )
    change(
        package / "ops" / "elementwise.py",
        lambda text: text + PARAGRAPH.replace("{decorator}", decorator).replace("{rule}", rule),
    )
    change(
        package / "ops" / "__init__.py",
        lambda text: text.replace(" log2,", "").replace(
            "    log1p,\n", "    log1p,\n    log2,\n", 1
        ),
    )
    start = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); import pytest; sys.exit(pytest.main())"
    )
    options = ["-p", "no:cacheprovider", "-q", "-rA", "--tb=no", "-k", "log2"]
    run = subprocess.run(
        [sys.executable, "-c", start, *options, *(f"tests/{test}" for test in tests)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    outcomes = re.findall(r"^(PASSED|FAILED|ERROR) \S+::(\w+)", run.stdout, flags=re.MULTILINE)
    assert outcomes, run.stdout + run.stderr
    failed = {test for outcome, test in outcomes if outcome != "PASSED"}
    return {test for _, test in outcomes} - failed, failed


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    return run_with_new_op(tmp_path_factory.mktemp("right"), ALL_TESTS)


def test_every_test_of_the_registry_runs_on_a_new_op_and_passes(outcome):
    passed, failed = outcome
    assert not failed
    marked = re.compile(r"^@every_(?:op|case)\n(?:@.*\n)*def (\w+)", re.MULTILINE)
    texts = [(ROOT / "tests" / test).read_text(encoding="utf-8") for test in ALL_TESTS]
    expected = {test for text in texts for test in marked.findall(text)}
    assert len(expected) >= 20
    assert expected <= passed


def test_every_table_that_the_registry_writes_has_a_new_op(outcome):
    passed, _ = outcome
    assert passed >= {
        "test_an_op_takes_numbers_without_axes",
        "test_an_op_takes_empty_arrays",
        "test_integers_give_the_numbers_of_floats",
        "test_integers_give_real_numbers_only",
        "test_a_number_alone_is_taken_as_numpy_takes_it",
        "test_an_error_of_a_thousandth_in_any_rule_of_the_registry",
        "test_numpys_function_of_a_tensor_is_the_op_of_that_name",
        "test_where_a_numpy_function_gives_a_tensor_it_is_the_right_one",
        "test_every_op_has_a_complete_row",
        "test_shapes_are_what_the_table_says",
    }


def test_a_new_op_with_a_wrong_rule_fails(tmp_path):
    _, failed = run_with_new_op(tmp_path, OPS_TESTS, rule="g / a")
    assert failed >= {
        "test_the_gradient_is_that_of_the_reference",
        "test_every_op_passes_gradcheck_to_second_order",
        "test_values_and_gradients_are_those_of_the_reference",
        "test_an_op_takes_numbers_without_axes",
    }


def test_a_new_op_without_a_reference_and_shapes_fails(tmp_path):
    decorator = '@op("log₂({a})", sample=lambda r: (r.positive(3, 4),))'
    _, failed = run_with_new_op(
        tmp_path, ["ops/test_ops.py", "ops/test_op_table.py"], decorator=decorator
    )
    assert failed >= {
        "test_every_op_has_a_reference_that_is_not_its_own_code",
        "test_every_op_has_a_complete_row",
    }
