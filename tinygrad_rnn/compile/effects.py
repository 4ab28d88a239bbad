"""Side effects of a function that is traced: they are noticed and undone, and an error names them.

A program does what its instructions say and nothing else. So whatever else a function changes, in
an object that it reads, would happen when it is traced, and never again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from gc import get_referents
from typing import Any

import numpy as np

from .. import tree
from ..errors import describe
from .generators import position
from .generators import put_back as put_generator_back
from .guards import ReadGuard
from .places import is_same
from .reads import put_back, try_read
from .traced_function import not_compilable
from .untraceable import Untraceable


@contextmanager
def unchanged(title: str, watch: ReadGuard) -> Iterator[None]:
    """Raise NotCompilable if the block changes what a function reads, and undo the change."""
    for x in watch.iterators:
        got, fix = describe(x), "read it outside, and pass what it gives as an argument"
        raise not_compilable(title, Untraceable("objects that a read leaves as they are", got, fix))
    kept = [(x, copied(x)) for x in _find_containers(watch)]
    names = [(read, try_read(read)) for read in watch._reads]
    types = [(x, type(x)) for x in watch._typed]
    positions = [(generator, position(generator)) for generator in watch.generators]
    try:
        yield
    finally:
        change = watch.describe_change()
        for x, old in kept:
            change = change or _find_change(x, old)
            put_contents_back(x, old)
        for read, old in names:
            if try_read(read) is not old:
                put_back(read, old)
        for x, kind in types:
            if type(x) is not kind:
                x.__class__ = kind
        for generator, where in positions:
            if not tree.equal(_plain(position(generator)), _plain(where)):
                change = f"a draw from {describe(generator)}"
                put_generator_back(generator, where)
    if change:
        fix = "return what it makes, and draw random numbers outside or with nn.Dropout"
        raise not_compilable(title, Untraceable("a function without side effects", change, fix))


def copied(x: Any) -> Any:
    """Return the contents of an array, a container or a class.

    `copy.copy` would leave a mark in a class.
    """
    if isinstance(x, np.ndarray):
        return x.copy()
    if isinstance(x, type):
        return dict(vars(x))
    return dict(x) if isinstance(x, dict) else list(x)


def _find_containers(watch: ReadGuard) -> Iterator[Any]:
    """Yield the arrays, containers and classes that a function reads, and objects' attributes."""
    yield from watch.arrays
    yield from watch.classes
    for x in (*watch._dicts, *watch._lists):
        if isinstance(x, type({}.values())):  # of the attributes of an object
            (x,) = get_referents(x)
        if isinstance(x, dict | list | deque | set):
            yield x
    seen = set()
    for read in watch._reads:
        space = getattr(read.func, "__self__", None)
        if isinstance(space, dict) and "__builtins__" not in space and id(space) not in seen:
            seen.add(id(space))
            yield space


def _find_change(x: Any, old: Any) -> str | None:
    """Return what a guard does not compare, or not before a program is there: it has changed."""
    if isinstance(x, np.ndarray):
        return None if x.tobytes() == old.tobytes() else f"a write into an array, {describe(x)}"
    if isinstance(x, dict | type):
        x = vars(x) if isinstance(x, type) else x
        for name in old:  # the library's own caches have names with an underscore
            if not str(name).startswith("_") and not is_same(x.get(name), old[name]):
                return f"{name!r}, set to {describe(x.get(name))}"
    return None


def put_contents_back(x: Any, old: Any) -> None:
    """Put the entries of a container back, unless they are the same."""
    if isinstance(x, np.ndarray):
        if x.tobytes() != old.tobytes():
            x[...] = old
    elif isinstance(x, type):
        _put_members_back(x, old)
    elif isinstance(x, dict):
        for key in {*x} - {*old}:
            del x[key]
        if [*x] != [*old]:  # the order is that in which the keys were set
            x.clear()
        if any(x.get(key) is not old[key] for key in old):
            x.update(old)
    elif len(x) != len(old) or any(a is not b for a, b in zip(x, old, strict=True)):
        x.clear()
        (x.extend if isinstance(x, list | deque) else x.update)(old)


def _put_members_back(kind: type, old: dict[str, Any]) -> None:
    """Put the attributes of a class back; Python keeps its own notes of them, so not in the dict.

    The class of a class may have a `__setattr__` of its own, which is not called.
    """
    for key in {*vars(kind)} - {*old}:
        type.__delattr__(kind, key)
    for key, x in old.items():
        if vars(kind).get(key) is not x:
            type.__setattr__(kind, key, x)


def _plain(state: Any) -> Any:
    """Return the state of a generator with its arrays as lists."""
    if isinstance(state, dict):
        return {name: _plain(part) for name, part in state.items()}
    return state.tolist() if isinstance(state, np.ndarray) else state
