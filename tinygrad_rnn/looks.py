"""What a look at a Tensor needs: one entry of it, an axis, an index. Refused by name, where NumPy would speak of arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .errors import complaint, describe
from .graph import FIXED, Value, own


def only(operation: str, t: Any) -> Any:
    """`t`, refused if it is not one number."""
    if t.array.size != 1:
        remedy = "reduce it with .sum(), .any() or .all(), or take .tolist()"
        raise ValueError(complaint(operation, "t", expected="a Tensor of one entry", got=describe(t), remedy=remedy))
    return t


def with_axes(operation: str, t: Any) -> Any:
    """`t`, refused if it is a number without axes."""
    if not t.array.ndim:
        remedy = "use t.item(), or t.reshape(1)"
        raise TypeError(complaint(operation, "t", expected="a Tensor with an axis", got=describe(t), remedy=remedy))
    return t


def placed(operation: str, t: Any, axis: Any) -> Any:
    """`t`, refused if it has not this axis, or no entries along it."""
    array = t.array if isinstance(t, Value) else np.asarray(t)
    if axis is not None:
        axis = normalize_axis_index(axis, array.ndim, f"{operation}: axis")
    if not (array.size if axis is None else array.shape[axis]):
        raise ValueError(
            complaint(operation, "t", expected="at least one entry", got=describe(t), remedy="there is no largest or smallest")
        )
    return t


def refused_name(name: Any) -> NoReturn:
    """A name that is none."""
    raise TypeError(complaint("Tensor", "name", expected="text, or None", got=describe(name), remedy="use str(...)"))


def each_once(operation: str, argument: str, tensors: Iterable[Value], remedy: str) -> None:
    """Refuse a Tensor that is given twice; equal names and numbers do not make two the same."""
    first: dict[Value, int] = {}
    for i, t in enumerate(tensors):
        if t in first:
            got = f"{t.name or 'a Tensor'} of shape {t.array.shape}, which is {argument}[{first[t]}] too"
            raise ValueError(complaint(operation, f"{argument}[{i}]", expected="a parameter not given before", got=got, remedy=remedy))
        first[t] = i


def gradient_of(operation: str, t: Value, i: int) -> np.ndarray | None:
    """What is in `.grad`, refused if somebody put there what `backward` never does: no array, one of another shape, no real numbers."""
    g = t.grad
    if g is not None and (not isinstance(g, np.ndarray) or g.shape != t.array.shape or g.dtype.kind not in "biuf"):
        wanted, remedy = f"real numbers of shape {t.array.shape}", "leave .grad to backward"
        raise ValueError(complaint(operation, f"gradient of {t.name or i}", expected=wanted, got=describe(g), remedy=remedy))
    return g


def own_index(index: Any) -> Any:
    """An index without Tensors and lists in it, and of arrays copies: what NumPy takes, and nobody writes to afterwards."""
    if type(index) in FIXED:
        return index
    if isinstance(index, tuple):
        return tuple([own_index(i) for i in index])
    if isinstance(index, list):
        return np.array(index, dtype=None if index else np.intp)
    return own(index.array if isinstance(index, Value) else index)
