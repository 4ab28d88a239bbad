"""The states of all layers and directions as one: each part has them on a new first axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops, tree
from ..errors import argument_error
from ..tensor import Tensor
from .sequence_masks import is_array


def stack_states(operation: str, states: Sequence[Any]) -> Any:
    """The states as one: arrays stacked, Python's numbers as an array of shape (n,), and None where all have None."""

    def join(*parts: Any) -> Any:
        if all(map(is_array, parts)) and all(part.shape == parts[0].shape for part in parts[1:]):
            return ops.stack(parts) if len(parts) > 1 else ops.expand_dims(*parts, axis=0)
        if all(isinstance(part, bool | int | float | np.generic) for part in parts):
            return np.array(parts)
        if any(part is not None for part in parts):
            wanted, got = (
                "parts that are arrays of one shape, numbers or None in all layers",
                " and ".join(map(tree.describe, parts)),
            )
            raise argument_error(
                operation, "state", expected=wanted, got=got, fix="use a Recurrent for each layer"
            )
        return None

    return tree.map(join, *states)


def unstack_states(operation: str, state: Any, zeros: Any, n: int) -> list[Any]:
    """What `stack_states` gave as n states again; refused if it is not n times one like `zeros`."""
    whole = tree.map(
        lambda part: part if part is None or isinstance(part, Tensor) else Tensor(part), state
    )
    wanted = tree.map(lambda part: _times(n, part), zeros)
    if not tree.same_structure(wanted, whole) or any(
        part.shape[:1] != (n,) for part in tree.leaves(whole)
    ):
        fix = "one for each layer and direction, on a first axis; a state is not broadcast"
        raise argument_error(
            operation, "state", expected=tree.describe(wanted), got=tree.describe(whole), fix=fix
        )

    def one(i: int) -> Any:
        def pick(zero: Any, part: Any) -> Any:
            if zero is None or part is None:
                return tree.map(lambda inner: None if inner is None else inner[i], part)
            return part[i] if is_array(zero) else part[i].item()

        return tree.map(pick, zeros, whole)

    return [one(i) for i in range(n)]


def _times(n: int, part: Any) -> Any:
    """An array as large as n of a part; None stays."""
    array = getattr(part, "array", part)
    return None if array is None else np.broadcast_to(array, (n, *np.shape(array)))
