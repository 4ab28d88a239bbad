"""Euclidean norms, whose squares neither overflow nor underflow."""

from __future__ import annotations

import numpy as np


def row_norms(array: np.ndarray) -> np.ndarray:
    """Return the norm of all entries of ``array[i]``, for each i, in float64.

    ::

        ‖a‖ = 2ᵏ √(Σ (aᵢ / 2ᵏ)²),   2ᵏ⁻¹ ≤ max |aᵢ| < 2ᵏ

    Examples
    --------
    >>> row_norms(np.array([[3e300, 4e300], [0.0, 0.0]]))
    array([5.e+300, 0.e+000])
    """
    rows = array.reshape(len(array), -1).astype(np.float64)
    peaks = np.abs(rows).max(axis=1, initial=0.0)
    _, k = np.frexp(np.where(np.isfinite(peaks), peaks, 1.0))
    scaled = np.ldexp(rows, -k[:, None])
    return np.ldexp(np.sqrt(np.sum(scaled * scaled, axis=1)), k)
