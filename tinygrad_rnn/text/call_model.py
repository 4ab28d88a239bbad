"""The call of a text model, ``model(x, state) -> (logits, state)``, and the check of its result."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import check
from ..errors import argument_error, describe


def require_model(operation: str, model: Any) -> None:
    """Raise TypeError unless a model can be called."""
    expected = "a function of (x, state) that returns (logits, state)"
    check.callable(operation, "model", model, expected, "pass a Module or a function")


def call_model(operation: str, model: Any, x: np.ndarray, state: Any) -> tuple[Any, Any]:
    """Return ``model(x, state)``; raise TypeError unless it is a pair (logits, state)."""
    result = model(x, state)
    if not (isinstance(result, tuple) and len(result) == 2):
        expected = "a function that returns (logits, state)"
        fix = "return the new state of the recurrent layer together with the logits"
        raise argument_error(operation, "model", expected, describe(result), fix, TypeError)
    return result
