"""The user's names: a value that a local variable of a traced function holds is called like it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ..graph import Value
from .places import is_library
from .traced import TracedArray


@contextmanager
def names_of_locals() -> Iterator[None]:
    """Name values after the local variables of the user's functions that return in the block.

    Only variables of the program are named, and no Tensors. While a profiler runs, which would not
    see the block, no values are named.
    """
    if sys.getprofile() is not None:
        yield
        return
    sys.setprofile(_name_locals)
    try:
        yield
    finally:
        sys.setprofile(None)


def _name_locals(frame: FrameType, event: str, _: Any) -> None:
    """Name the values of a function that returns; comprehensions have names of their own."""
    if event != "return" or frame.f_code.co_name[0] == "<":
        return
    if is_library(str(frame.f_globals.get("__name__"))):
        return
    for name, x in frame.f_locals.items():
        array = x.array if isinstance(x, Value) else x
        if type(array) is TracedArray and not name.startswith("_"):
            array.variable.name = array.variable.name or name
