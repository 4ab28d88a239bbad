"""Side effects of a function that is traced: they are noticed and undone, and an error names them.

A program does what its instructions say and nothing else. So whatever else a function changes, in
an object that it reads, would happen when it is traced, and never again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from gc import get_referents
from typing import Any

import numpy as np

from .. import tree
from ..errors import describe
from .generators import position, put_back
from .guards import ReadGuard
from .places import is_same, try_read
from .traced_function import not_compilable
from .untraceable import Untraceable


@contextmanager
def unchanged(title: str, watch: ReadGuard) -> Iterator[None]:
    """Raise NotCompilable if the block changes what a function reads, and undo the change."""
    for x in watch.iterators:
        got, fix = describe(x), "read it outside, and pass what it gives as an argument"
        raise not_compilable(title, Untraceable("objects that a read leaves as they are", got, fix))
    kept = [(x, _copied(x)) for x in _find_containers(watch)]
    names = [(read, try_read(read)) for read in watch._reads if read.args]
    positions = [(generator, position(generator)) for generator in watch.generators]
    try:
        yield
    finally:
        change = watch.describe_change()
        for x, old in kept:
            change = change or _find_change(x, old)
            _put_back(x, old)
        for read, old in names:
            if try_read(read) is not old:
                _bind_again(read, old)
        for generator, where in positions:
            if not tree.equal(_plain(position(generator)), _plain(where)):
                change = f"a draw from {describe(generator)}"
                put_back(generator, where)
    if change:
        fix = "return what it makes, and draw random numbers outside or with nn.Dropout"
        raise not_compilable(title, Untraceable("a function without side effects", change, fix))


def _copied(x: Any) -> Any:
    """Return the contents of an array or a container. `copy.copy` would leave a mark in a class."""
    if isinstance(x, np.ndarray):
        return x.copy()
    return dict(x) if isinstance(x, dict) else list(x)


def _find_containers(watch: ReadGuard) -> Iterator[Any]:
    """Yield the arrays and containers that a function reads, and the attributes of objects."""
    yield from watch.arrays
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
    if isinstance(x, dict):
        for name in old:  # the library's own caches have names with an underscore
            if not str(name).startswith("_") and not is_same(x.get(name), old[name]):
                return f"{name!r}, set to {describe(x.get(name))}"
    return None


def _put_back(x: Any, old: Any) -> None:
    """Put the entries of a container back, unless they are the same."""
    if isinstance(x, np.ndarray):
        if x.tobytes() != old.tobytes():
            x[...] = old
    elif isinstance(x, dict):
        if [*x] != [*old] or any(x[key] is not old[key] for key in old):
            x.clear()
            x.update(old)
    elif len(x) != len(old) or any(a is not b for a, b in zip(x, old, strict=True)):
        x.clear()
        (x.extend if isinstance(x, list | deque) else x.update)(old)


def _bind_again(read: Any, old: Any) -> None:
    """Bind a global name, a variable of a closure or an attribute to its old value again."""
    space = getattr(read.func, "__self__", None)
    if isinstance(space, dict):
        space[read.args[0]] = old
    elif read.func is getattr:
        with suppress(AttributeError):  # Python's own objects have fixed parts
            setattr(read.args[0], read.args[1], old)


def _plain(state: Any) -> Any:
    """Return the state of a generator with its arrays as lists."""
    if isinstance(state, dict):
        return {name: _plain(part) for name, part in state.items()}
    return state.tolist() if isinstance(state, np.ndarray) else state
