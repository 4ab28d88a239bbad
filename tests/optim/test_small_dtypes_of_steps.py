"""Optimizers of float16 parameters: the steps of float64, rounded."""

import numpy as np
import pytest
from helpers import leaf_with, normal

from tinygrad_rnn import optim

OPTIMIZERS = {
    "SGD": lambda w: optim.SGD([w], lr=0.1, momentum=0.9),
    "RMSprop": lambda w: optim.RMSprop([w], lr=0.01),
    "Adam": lambda w: optim.Adam([w], lr=0.01),
    "AdamW": lambda w: optim.AdamW([w], lr=0.01, weight_decay=0.1),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_steps_in_float16_are_those_of_float64_rounded(make, scale):
    """The squares of small gradients are 0 in float16, and so is the ε that is added to them."""
    found = []
    for dtype in (np.float16, np.float64):
        w = leaf_with(np.array([1.0, -2.0, 0.5], dtype))
        optimizer = make(w)
        for i in range(5):
            w.grad = (scale * normal(3, seed=i)).astype(np.float16).astype(dtype)
            optimizer.step()
        found.append(w.data)
    assert found[0].dtype == np.float16
    np.testing.assert_allclose(found[0].astype(float), found[1], atol=5e-3)
