"""What the pages show in the dark: drawings by day, recoloured."""

import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "_ext"))

from at_night import at_night

VIEWS = [
    {},
    {"fold": "names", "parameters": "chips"},
    {"roll": True, "parameters": "hide"},
    {"fold": 2},
    {"steps": "first:1,last:1"},
]


@pytest.fixture(scope="module")
def output():
    return tg.nn.GRU(3, 2, rng=0)(tg.Tensor(np.eye(3, dtype="float32")[:, None]))[0]


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_a_drawing_at_night_is_the_one_that_the_library_draws_dark(output, view):
    assert at_night(tg.graph(output, **view).svg()) == tg.graph(output, theme="dark", **view).svg()


@pytest.mark.parametrize("theme", ["print", "dark"])
def test_what_is_made_for_paper_or_dark_already_stays_as_it_is(output, theme):
    assert at_night(tg.graph(output, theme=theme).svg()) == ""
