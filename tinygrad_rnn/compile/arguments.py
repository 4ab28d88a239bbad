"""The arguments of a call: what a program was traced for, and the arrays that it gets."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import NUMPY_SCALARS, get_default_dtype
from ..graph import Value, context
from .places import PLAIN


def is_leaf(x: Any) -> bool:
    """Return True for a Tensor, a plain array, and a number of NumPy's."""
    return isinstance(x, Value) or type(x) is np.ndarray or type(x) in NUMPY_SCALARS


def flatten(structure: Any, leaves: list[Any]) -> Any:
    """Append the Tensors and arrays of a structure to `leaves`, and return the rest as a key.

    Two structures with equal keys differ in the numbers of their arrays only. Plain Python values
    are part of the key with their types, because 1, 1.0 and True are equal.
    """
    kind = type(structure)
    if isinstance(structure, Value):
        leaves.append(structure)
        array = structure.array
        return kind, structure.tracked, array.shape, array.dtype
    if is_leaf(structure):
        leaves.append(structure)
        return kind, structure.shape, structure.dtype
    if isinstance(structure, tuple | list):
        return kind, *[flatten(part, leaves) for part in structure]
    if kind is dict:
        return kind, *[(name, flatten(part, leaves)) for name, part in structure.items()]
    if kind is float and structure == 0:  # 0.0 and -0.0 are equal
        return kind, str(structure)
    return kind, _hashable(structure)


def call_key(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, list[Any]]:
    """Return the key of a call, and its Tensors and arrays in order.

    The key also says which arguments are the same Tensor, whether gradients are recorded, and what
    the default dtype is.
    """
    leaves: list[Any] = []
    key = [flatten(part, leaves) for part in args]
    if kwargs:
        key.append(flatten(kwargs, leaves))
    if len({id(x) for x in leaves}) < len(leaves):
        first: dict[int, int] = {}
        key.append(tuple([first.setdefault(id(x), i) for i, x in enumerate(leaves)]))
    return (context.get()[0], get_default_dtype(), *key), leaves


def without_numbers(key: Any) -> Any:
    """Return a key with its plain Python values replaced by their types."""
    if not isinstance(key, tuple):
        return key
    if len(key) == 2 and key[0] in PLAIN:
        return key[:1]
    return tuple([without_numbers(part) for part in key])


def find_number(key: Any, other: Any) -> str | None:
    """Return in which plain Python value two keys differ, in words, or None if in no value."""
    if key == other or not isinstance(key, tuple):
        return None
    if len(key) == 2 and key[0] in PLAIN:
        return f"an argument was {key[1]!r}, is now {other[1]!r}"
    found = (find_number(*parts) for parts in zip(key, other, strict=False))
    return next(filter(None, found), None)


def replace(structure: Any, leaves: Any) -> Any:
    """Return a structure with its Tensors and arrays replaced by `leaves`, an iterator."""
    if is_leaf(structure):
        return next(leaves)
    if isinstance(structure, tuple | list):
        make = getattr(type(structure), "_make", type(structure))  # for a namedtuple
        return make([replace(part, leaves) for part in structure])
    if type(structure) is dict:
        return {name: replace(part, leaves) for name, part in structure.items()}
    return structure


def find_opaque(structure: Any) -> list[Any]:
    """Return the parts of arguments that a key knows by identity only: objects with contents."""
    if is_leaf(structure) or type(structure) in PLAIN:
        return []
    if isinstance(structure, tuple | list):
        return [x for part in structure for x in find_opaque(part)]
    if type(structure) is dict:
        return [x for part in structure.values() for x in find_opaque(part)]
    return [structure]


def is_untouched(given: Any, before: Any) -> bool:
    """Return True if all lists and dicts in `given` hold the very objects that `before` holds."""
    if isinstance(given, tuple | list) and type(given) is type(before):
        return len(given) == len(before) and all(map(is_untouched, given, before))
    if isinstance(given, dict) and type(before) is type(given) is dict:
        return [*given] == [*before] and all(is_untouched(given[k], before[k]) for k in given)
    return given is before


class _Same:
    """A key for an object that cannot be hashed: it equals only itself."""

    def __init__(self, thing: Any):
        self.thing = thing

    def __hash__(self) -> int:
        return id(self.thing)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.thing is other.thing


def _hashable(x: Any) -> Any:
    try:
        hash(x)
    except TypeError:
        return _Same(x)
    return x
