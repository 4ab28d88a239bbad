"""Initialisers: the distributions that they promise."""

import math

import numpy as np
import pytest

from tinygrad_rnn import nn


@pytest.mark.parametrize(
    "name", ["xavier_uniform", "xavier_normal", "kaiming_uniform", "orthogonal"]
)
def test_initialisers_keep_the_variance_they_promise(name):
    w = getattr(nn.init, name)((200, 300), rng=0)
    std = {"orthogonal": math.sqrt(1 / 300), "kaiming_uniform": math.sqrt(2 / 300)}.get(
        name, math.sqrt(2 / 500)
    )
    assert w.dtype == np.float32
    assert abs(w.std() / std - 1) < 0.02
    np.testing.assert_array_equal(w, getattr(nn.init, name)((200, 300), rng=0))


def test_kaiming_uniform_counts_one_column_as_one_input():
    np.testing.assert_allclose(
        nn.init.kaiming_uniform((1000, 1), rng=0).std(), math.sqrt(2), rtol=0.05
    )


@pytest.mark.parametrize("shape", [(5, 5), (7, 4), (4, 7)], ids=str)
def test_the_shorter_axis_of_an_orthogonal_matrix_is_orthonormal(shape):
    w = nn.init.orthogonal(shape, gain=3.0, rng=0) / 3
    wide = w if shape[0] <= shape[1] else w.T
    np.testing.assert_allclose(wide @ wide.T, np.eye(min(shape)), atol=1e-6)


@pytest.mark.parametrize(
    "name", ["xavier_uniform", "xavier_normal", "kaiming_uniform", "orthogonal"]
)
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)], ids=str)
def test_initialisers_draw_matrices_without_entries(name, shape):
    assert getattr(nn.init, name)(shape, rng=0).shape == shape


@pytest.mark.parametrize(
    ("layer", "bound"),
    [
        (nn.Linear(100, 400, rng=0), 0.1),
        (nn.Linear(1, 400, rng=0), 1.0),
        *((getattr(nn, kind)(9, 400, rng=0), 0.05) for kind in ("RNN", "GRU", "LSTM")),
    ],
    ids=["Linear", "Linear of one feature", "RNN", "GRU", "LSTM"],
)
def test_parameters_start_uniform_within_the_bound_that_is_promised(layer, bound):
    """The bounds are 1/√(in_features) and 1/√H, as in `torch.nn`."""
    for name, parameter in layer.named_parameters():
        assert 0.85 * bound < parameter.data.max() <= bound, name
        assert -bound <= parameter.data.min() < -0.85 * bound, name
        np.testing.assert_allclose(
            parameter.data.std(), bound / np.sqrt(3), rtol=0.15, err_msg=name
        )
