"""float16 computed in float32, and rounded to float16 once at the end."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

HALF = np.dtype(np.float16)


def compute_in_float32(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Return `forward` with float16 computed in float32, and rounded to float16 once at the end."""

    @wraps(forward)
    def wide(a: Any, **settings: Any) -> Any:
        if a.dtype is HALF:
            return forward(a.astype(np.float32), **settings).astype(HALF)
        return forward(a, **settings)

    return wide
