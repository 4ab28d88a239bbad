"""The pages recolour drawings for their dark theme."""

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
def test_a_recoloured_drawing_equals_one_in_the_dark_theme(output, view):
    assert at_night(tg.graph(output, **view).svg()) == tg.graph(output, theme="dark", **view).svg()


@pytest.mark.parametrize("theme", ["print", "dark"])
def test_drawings_of_other_themes_are_not_recoloured(output, theme):
    assert at_night(tg.graph(output, theme=theme).svg()) == ""
