"""The table of ops in the documentation: every op has a complete row, and its shapes are true.

An incomplete row fails the build.
"""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from every_op import OPS
from internals import Op, cases

import tinygrad_rnn as tg

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "_ext"))
from numpy_rows import reachable, sort_into_tables
from op_rows import Row, helpers

GROUP = r"\((?:…|\w+)?(?:, \w+)*\)"
SIGNATURE = re.compile(rf"{GROUP}(?:, {GROUP})* → {GROUP}")
SIGNED = [op for op in OPS.values() if SIGNATURE.fullmatch(op.shapes)]


@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.name)
def test_every_op_has_a_complete_row(op):
    row = Row.of(op)
    assert set(row.rules) == set(op.inputs)
    assert "{" not in row.formula
    assert row.notes.endswith(".")


def test_a_row_says_what_runs():
    row = Row.of(tg.tanh)
    assert (row.name, row.formula, row.rules, row.shapes) == (
        "tanh",
        "tanh(a)",
        {"a": "g * (1 - y * y)"},
        "(…) → (…)",
    )
    assert "1 − y²" in row.notes
    assert Row.of(tg.where).rules["condition"] == "constant"
    assert "`g * (1 - y * y)`" in str(row)


def twice(a):
    """2 a. Exact."""
    return 2 * a


def undocumented(a):
    """2 a."""
    return 2 * a


@pytest.mark.parametrize(
    ("incomplete", "missing"),
    [
        (Op(twice, "2 {a}").vjps(a=lambda g, y, a: 2 * g), "shapes"),
        (Op(twice, "", "(…) → (…)").vjps(a=lambda g, y, a: 2 * g), "formula"),
        (Op(twice, "2 {a}", "(…) → (…)"), "rules"),
        (Op(undocumented, "2 {a}", "(…) → (…)").vjps(a=lambda g, y, a: 2 * g), "notes"),
    ],
    ids=["shapes", "formula", "rules", "notes"],
)
def test_an_incomplete_row_is_refused(incomplete, missing):
    with pytest.raises(ValueError, match=f"has no {missing}: give @op"):
        Row.of(incomplete)


def test_helpers_of_rules_are_explained():
    found = helpers([tg.sum, tg.max])
    assert set(found) == {"restore_axes", "share_among_equal"}
    assert all(found.values())


def groups(text):
    return [
        [part for part in group.split(", ") if part] for group in re.findall(r"\(([^)]*)\)", text)
    ]


def bind(pattern, shape, sizes):
    """Enter the sizes of a pattern's letters in `shape`, and return the axes that its … covers."""
    letters = [part for part in pattern if part != "…"]
    free = len(shape) - len(letters)
    assert free >= 0, (pattern, shape)
    assert "…" in pattern or free == 0, (pattern, shape)
    for letter, size in zip(letters, shape[free:], strict=True):
        assert sizes.setdefault(letter, size) == size, (pattern, shape, sizes)
    return shape[:free]


@pytest.mark.parametrize("op", SIGNED, ids=lambda op: op.name)
def test_shapes_are_what_the_table_says(op):
    inputs, output = (groups(side) for side in op.shapes.split(" → "))
    for arrays, settings in cases(op, np.random.default_rng(0)):
        sizes = {name: value for name, value in settings.items() if isinstance(value, int)}
        free = [
            bind(pattern, np.shape(array), sizes)
            for pattern, array in zip(inputs, arrays, strict=True)
        ]
        result = op.forward(*arrays, **settings)
        assert bind(output[0], np.shape(result), sizes) == np.broadcast_shapes(*free)


def test_most_shapes_can_be_checked():
    assert len(SIGNED) >= 30


def test_every_function_of_numpy_that_asks_a_tensor_is_in_one_table():
    tables = sort_into_tables()
    names = [name for rows in tables.values() for row in rows for name in row.split(", ")]
    assert sorted(names) == sorted(f"`{name}`" for found in reachable().values() for name in found)
    assert len(names) > 300
    differentiated, plain, refused = tables.values()
    assert "`np.tan`" in differentiated
    assert "`np.argsort`" in plain
    assert "`np.unwrap`" in refused
    assert all(text for rows in tables.values() for text in rows.values())
