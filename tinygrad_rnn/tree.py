"""Nested structures of arrays: tuples, lists, dicts and namedtuples.

The state of a cell is such a structure. Its leaves are the entries, at any depth, that are not
themselves tuples, lists or dicts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import describe as describe_leaf


def map(f: Callable[..., Any], structure: Any, *others: Any) -> Any:
    """Apply `f` to each leaf and the corresponding leaves of `others`; keep the structure.

    Examples
    --------
    >>> from tinygrad_rnn import tree
    >>> tree.map(max, (1, [2, 3]), (4, [0, 5]))
    (4, [2, 5])
    """
    if isinstance(structure, dict):
        return {k: map(f, part, *[other[k] for other in others]) for k, part in structure.items()}
    if isinstance(structure, tuple | list):
        make = getattr(type(structure), "_make", type(structure))  # for a namedtuple
        return make([map(f, *parts) for parts in zip(structure, *others, strict=True)])
    return f(structure, *others)


def leaves(structure: Any) -> list[Any]:
    """Return the leaves in order, without those that are None.

    Examples
    --------
    >>> from tinygrad_rnn import tree
    >>> tree.leaves({"a": (1, None), "b": [2]})
    [1, 2]
    """
    collected: list[Any] = []
    map(collected.append, structure)
    return [leaf for leaf in collected if leaf is not None]


def same_structure(old: Any, new: Any) -> bool:
    """Return True if two structures agree in nesting and in the shapes and dtypes of arrays.

    Where `old` has a leaf that is not an array, None for example, `new` may have anything. A tuple
    may agree with a list.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_rnn import tree
    >>> tree.same_structure((np.zeros(2), None), (np.ones(2), 3))
    True
    >>> tree.same_structure((np.zeros(2), None), (np.ones(3), None))
    False
    """
    before, after = getattr(old, "array", old), getattr(new, "array", new)
    if isinstance(before, np.ndarray):
        is_array = isinstance(after, (np.ndarray, np.generic))
        return is_array and before.shape == after.shape and before.dtype == after.dtype
    if isinstance(old, (tuple, list)):
        fits = isinstance(new, (tuple, list)) and len(old) == len(new)
        return fits and all(same_structure(a, b) for a, b in zip(old, new, strict=True))
    if isinstance(old, dict):
        fits = isinstance(new, dict) and old.keys() == new.keys()
        return fits and all(same_structure(part, new[name]) for name, part in old.items())
    return True


def equal(a: Any, b: Any) -> bool:
    """Return True if two structures hold the same values. In arrays of floats, NaN equals NaN.

    Leaves are equal if they are equal arrays, or equal values of the same type. A tuple may equal
    a list.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_rnn import tree
    >>> tree.equal((np.array([1.0, np.nan]), [2]), (np.array([1.0, np.nan]), [2]))
    True
    >>> tree.equal((1, 2), (1, 2.0))
    False
    """
    if isinstance(a, dict):
        same = isinstance(b, dict) and a.keys() == b.keys()
        return same and all(equal(part, b[name]) for name, part in a.items())
    if isinstance(a, tuple | list):
        same = isinstance(b, tuple | list) and len(a) == len(b)
        return same and all(equal(*parts) for parts in zip(a, b, strict=True))
    a, b = getattr(a, "array", a), getattr(b, "array", b)
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        floats = np.asarray(a).dtype.kind == np.asarray(b).dtype.kind == "f"
        return a is b or np.array_equal(a, b, equal_nan=floats)
    return type(a) is type(b) and (a is b or a == b)


def describe(structure: Any) -> str:
    """Return a description for messages: the nesting, and the dtypes and shapes of the arrays."""
    if isinstance(structure, tuple | list):
        return f"({', '.join([describe(part) for part in structure])})"
    if isinstance(structure, dict):
        return f"{{{', '.join([f'{name}: {describe(part)}' for name, part in structure.items()])}}}"
    return describe_leaf(structure)
