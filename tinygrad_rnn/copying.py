"""Copying of the settings that graph nodes store, and of Tensors (`copy.deepcopy`, `pickle`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import messages
from .graph import Value, unwrap


def frozen_copy(setting: Any) -> Any:
    """Return a setting to store on a node: arrays are copied, because the caller may change them.

    A Tensor that requires gradients is returned unchanged, because no gradient would flow back
    through a copy.
    """
    if isinstance(setting, np.ndarray):
        return setting.copy()
    if type(setting) in (tuple, list):
        return type(setting)([frozen_copy(part) for part in setting])
    if isinstance(setting, Value) and not setting.tracked:
        kind: Any = type(setting)
        return kind(unwrap(setting).copy(), name=setting.name)
    return setting


class Copyable:
    """A base class of Tensor that lets `copy.deepcopy` and `pickle` copy a leaf.

    The copy has the gradient and the name of the leaf. For a Tensor that an op made, both functions
    raise TypeError.
    """

    __slots__ = ()

    def __deepcopy__(self: Any, memo: dict[int, Any]) -> Any:
        leaf = messages.check_leaf("copy.deepcopy", self)
        grad = None if leaf.grad is None else leaf.grad.copy()
        memo[id(self)] = copy = _rebuild(
            type(self), leaf.array.copy(), grad, leaf.tracked, leaf.name
        )
        return copy

    def __reduce__(self: Any) -> tuple[Any, ...]:
        leaf = messages.check_leaf("pickle", self)
        return _rebuild, (type(self), leaf.array, leaf.grad, leaf.tracked, leaf.name)


def _rebuild(kind: Any, array: np.ndarray, grad: Any, tracked: bool, name: str | None) -> Any:
    tensor = kind(array, requires_grad=tracked, name=name)
    tensor.grad = grad
    return tensor
