"""Guards: has anything changed that a function reads besides its arguments?

A `Guard` walks once through all that a function can reach, and notes what is in each *place*: an
entry of a dict or a list, an attribute, a variable of a closure, a global name in its code. Later
it compares what is in the places then, by identity and one level deep. That is enough, because a
container in a container has places of its own. It is also fast: NumPy turns all the objects into
one text of their addresses.

A Tensor is the exception: another one of the same kind may take its place. So a guard keeps no
Tensor, but only what is required of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, compress
from operator import call, is_
from reprlib import repr as shorten
from types import MappingProxyType
from typing import Any

import numpy as np

from ..dtypes import get_default_dtype
from ..errors import describe, format_count
from ..graph import Value
from ..optim import Optimizer
from .places import PLAIN, UNBOUND, draws, find_sources, name_entry, try_read, values


class Guard:
    """What a function reads, and how it was when `guard` made the guard.

    Attributes
    ----------
    arrays : list of ndarray
        The plain arrays in the places.
    generators : list
        The random generators: NumPy's old and new ones, and Python's.
    optimizers : list of Optimizer
        Of their state, only the names, dtypes and shapes of its arrays are compared. Their learning
        rates are not compared.
    """

    def __init__(self, roots: list[Any]):
        self.arrays: list[np.ndarray] = []
        self._array_names: list[str] = []
        self.generators: list[Any] = []
        self.optimizers: list[Any] = []
        self._dicts: list[Any] = []
        self._lists: list[Any] = []  # and other things that have a length and can be iterated over
        self._reads: list[Any] = [partial(get_default_dtype)]  # each returns what is in one place
        self._tuples: list[tuple[int, type, int]] = []
        self._baked: list[tuple[np.ndarray, bytes]] = []
        self._names = self._walk(roots)
        self._contents = [*map(values, self._dicts), *self._lists]
        self._keys, self._lengths = [*map(tuple, self._dicts)], [*map(len, self._lists)]
        self._forms = [(x.shape, x.dtype) for x in self.arrays]
        self._states = [_read_forms(x) for x in self.optimizers]
        self._sort_places()

    def _walk(self, roots: list[Any]) -> list[str | None]:
        """Find all places, and return their names, in the order in which `_read` reads them."""
        names: tuple[list[str | None], ...] = ([], [], ["the default dtype"])
        containers: tuple[list[str], ...] = ([], [], [])
        alive: list[Any] = []  # an object that is freed would leave its id to another one
        seen: set[int] = set()
        waiting: list[tuple[Any, str | None]] = [(roots, "target")]
        while waiting:
            x, name = waiting.pop()
            if name is None or id(x) in seen or type(x) in PLAIN:
                continue
            seen.add(id(x))
            alive.append(x)
            self._list(x, name)
            parts: list[tuple[Any, str | None]] = []
            for source, container, inside in find_sources(x, name):
                alive.append(source)
                if isinstance(source, partial):
                    kind, known, contents = 2, self._reads, [source()]
                elif isinstance(source, dict | MappingProxyType):
                    kind, known, contents = 0, self._dicts, values(source)
                else:
                    kind, known, contents = 1, self._lists, source
                parts += zip(contents, inside, strict=True)
                if not isinstance(source, tuple | frozenset):  # these have the same parts for ever
                    seen.add(id(source))
                    known.append(source)
                    containers[kind].append(container)
                    names[kind].extend(inside)
            waiting += reversed(parts)
        self._containers = [*containers[0], *containers[1]]
        return [*chain.from_iterable(names)]

    def _list(self, x: Any, name: str) -> None:
        """List an object that a program treats in a way of its own."""
        if isinstance(x, np.ndarray):
            self.arrays.append(x)
            self._array_names.append(name)
        elif draws(x):
            self.generators.append(x)
        elif isinstance(x, Optimizer):
            self.optimizers.append(x)

    def _sort_places(self) -> None:
        """Note what is in the places now: Tensors, tuples with Tensors in them, or other objects.

        The entries of a tuple with Tensors are places too, because a new tuple may take its place.
        """
        now, names = self._read() or [], self._names
        first: dict[int, int] = {}
        self._is_fixed: list[bool] = []  # of each place
        self._saved: list[Any] = []  # what is in the places that are fixed
        self._pairs: list[tuple[int, int]] = []  # places that hold the same Tensor
        for i, x in enumerate(now):  # `now` and `names` grow
            name = names[i]
            is_open = isinstance(x, tuple) and any(isinstance(part, Value | tuple) for part in x)
            self._is_fixed.append(not (name is None or is_open or isinstance(x, Value)))
            if self._is_fixed[-1]:
                self._saved.append(x)
            elif is_open and name is not None:
                self._tuples.append((i, type(x), len(x)))
                names += [name_entry(name, key) for key in range(len(x))]
                now += x
            elif name is not None and first.setdefault(id(x), i) != i:
                self._pairs.append((first[id(x)], i))
        self._first = [*first.values()]
        self._kinds = [_kind(now[i]) for i in self._first]
        self._addresses = b""

    def snapshot(self) -> Callable[[], None]:
        """Return a function that puts what is in all dicts and lists back as it is now."""
        dicts = [(x, dict(x)) for x in self._dicts if isinstance(x, dict)]
        lists = [(x, list(x)) for x in self._lists if isinstance(x, list)]

        def restore() -> None:
            for x, old in dicts:
                if len(x) != len(old) or not all(map(is_, x.values(), old.values())):
                    x.clear()
                    x.update(old)
            for x, old in lists:
                if len(x) != len(old) or not all(map(is_, x, old)):
                    x[:] = old

        return restore

    def bake(self, arrays: Iterable[np.ndarray]) -> None:
        """Compare the entries of these arrays too, because their values are part of a program."""
        self._baked = [(x, x.tobytes()) for x in arrays]

    # -- at each call ------------------------------------------------------------------------------

    @property
    def tensors(self) -> list[Value]:
        """The Tensors in the places now, each once, in an order that stays the same."""
        now = self._read() or []
        return [now[i] for i in self._first]

    def current(self) -> list[Value] | None:
        """Return the Tensors that are now in the places, or None if anything else has changed."""
        try:
            now = self._read()
        except UNBOUND:
            return None
        if now is None:
            return None
        addresses = np.fromiter(now, object, len(now)).tobytes()
        if addresses != self._addresses:
            if not self._are_same(now):
                return None
            self._addresses = addresses
        tensors = [now[i] for i in self._first]
        for x, (kind, tracked, dtype, shape) in zip(tensors, self._kinds, strict=True):
            if (
                type(x) is not kind  # a Tensor that is freed leaves its address to another object
                or x.tracked is not tracked
                or (array := x.array).dtype is not dtype
                or array.shape != shape
            ):
                return None
        return tensors if self._has_same_arrays() else None

    def _read(self) -> list[Any] | None:
        """Return what is in all places, or None if a container has other keys or another length."""
        if [*map(tuple, self._dicts)] != self._keys or [*map(len, self._lists)] != self._lengths:
            return None
        now = [*chain.from_iterable(self._contents), *map(call, self._reads)]
        for i, kind, length in self._tuples:
            x = now[i]
            if type(x) is not kind or len(x) != length:
                return None
            now += x
        return now

    def _are_same(self, now: list[Any]) -> bool:
        """Return True if no place has another object, except for Tensors and equal numbers."""
        found = [*compress(now, self._is_fixed)]
        if not all(map(is_, found, self._saved)):
            if not all(map(_is_same, found, self._saved)):
                return False
            self._saved = found
        are_shared = all(now[i] is now[k] for i, k in self._pairs)
        return are_shared and len({id(now[i]) for i in self._first}) == len(self._first)

    def _has_same_arrays(self) -> bool:
        """Return True if plain arrays and the states of optimizers are as before."""
        for optimizer, forms in zip(self.optimizers, self._states, strict=True):
            if len(optimizer.state) != len(forms):
                return False
            for state, form in zip(optimizer.state, forms, strict=True):
                if len(state) != len(form):
                    return False
                for key, dtype, shape in form:
                    if (x := state.get(key)) is None or x.dtype is not dtype or x.shape != shape:
                        return False
        for x, form in zip(self.arrays, self._forms, strict=True):
            if (x.shape, x.dtype) != form:
                return False
        for x, saved in self._baked:  # noqa: SIM110, because a loop is faster than a generator
            if x.tobytes() != saved:
                return False
        return True

    # -- for people --------------------------------------------------------------------------------

    def describe_change(self) -> str | None:
        """Return in words which place has changed, or None if `current` finds no change."""
        return None if self.current() is not None else next(self._find_changes())

    def _find_changes(self) -> Iterator[str]:
        """Yield the changes in words."""
        for source, keys, name in zip(self._dicts, self._keys, self._containers, strict=False):
            for key in [*source, *keys]:
                if (key in source) != (key in keys):
                    yield f"{name}: {key!r} is {'new' if key in source else 'gone'}"
            if tuple(source) != keys:
                yield f"{name}: the entries have another order"
        containers = self._containers[len(self._dicts) :]
        for source, length, name in zip(self._lists, self._lengths, containers, strict=True):
            if len(source) != length:
                yield f"{name}: had {length}, has now {format_count(len(source), 'part')}"
        now = [*chain.from_iterable(self._contents), *map(try_read, self._reads)]
        for i, kind, length in self._tuples:
            x = now[i]
            if type(x) is not kind or len(x) != length:
                yield f"{self._names[i]}: was a {kind.__name__} of {length}, is now {shorten(x)}"
            now += x
        places = [*zip(self._names, now, strict=True)]
        for (name, x), old in zip(compress(places, self._is_fixed), self._saved, strict=True):
            if not _is_same(x, old):
                texts = shorten(old), shorten(x)
                new = texts[1] if texts[0] != texts[1] else "another object"
                yield f"{name}: was {texts[0]}, is now {new}"
        for i, kind in zip(self._first, self._kinds, strict=True):
            name, x = places[i]
            if not isinstance(x, Value) or _kind(x) != kind:
                was = f"{'' if kind[1] else 'un'}tracked {kind[0].__name__} {kind[2]}{[*kind[3]]}"
                tracked = "" if getattr(x, "tracked", False) else "un"
                is_now = f"{tracked}tracked {describe(x)}" if isinstance(x, Value) else shorten(x)
                yield f"{name}: was an {was}, is now {is_now}"
        for i, k in self._pairs:
            if now[i] is not now[k]:
                yield f"{self._names[i]} and {self._names[k]}: are different Tensors now"
        saved = {id(x): entries for x, entries in self._baked}
        for x, name, form in zip(self.arrays, self._array_names, self._forms, strict=True):
            if (x.shape, x.dtype) != form or x.tobytes() != saved.get(id(x), x.tobytes()):
                yield f"{name}: the array has other entries, or another shape or dtype"
        for x, forms in zip(self.optimizers, self._states, strict=True):
            if _read_forms(x) != forms:
                yield f"state of {type(x).__name__}: the arrays have other names or forms"
        yield "two places hold the same Tensor now, and held two before"


def guard(function: Any, *more_roots: Any) -> Guard:
    """Return a guard of everything that a function, and further objects, can reach.

    Call it after a run of the function, so that what the first run creates is there.

    Parameters
    ----------
    function : callable
        A function, a bound method, a Module, or any other object.
    *more_roots
        Further objects, of any type.

    Returns
    -------
    Guard

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> model = tg.nn.Sequential(tg.nn.Linear(2, 3), tg.nn.Dropout(0.5))
    >>> found = guard(model)
    >>> len(found.current())
    2
    >>> model = model.eval()
    >>> found.current(), found.describe_change()
    (None, 'self.training of Sequential: was True, is now False')
    """
    return Guard([function, *more_roots])


def _kind(x: Value) -> tuple[Any, ...]:
    """Return what a Tensor must have in common with the one whose place it takes."""
    return type(x), x.tracked, x.array.dtype, x.array.shape


def _read_forms(optimizer: Any) -> list[list[tuple[Any, ...]]]:
    """Return the names, dtypes and shapes of the arrays in the state of each parameter."""
    return [[(key, x.dtype, x.shape) for key, x in state.items()] for state in optimizer.state]


def _is_same(x: Any, y: Any) -> bool:
    """Return True for the same object, and for equal numbers, texts and tuples of them."""
    if x is y or type(x) is not type(y):
        return x is y
    if isinstance(x, tuple):
        return len(x) == len(y) and all(map(_is_same, x, y))
    return type(x) in PLAIN and x == y
