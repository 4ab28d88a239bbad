"""Guards: has anything changed that a function reads besides its arguments?

A `ReadGuard` walks once through all that a function can reach, and notes what is in each *place*:
an entry of a dict or a list, an attribute, a variable of a closure, a global name in its code.
Later it compares what is in the places then, by identity and one level deep. That is enough,
because a container in a container has places of its own. It is also fast: NumPy turns all the
objects into one text of their addresses.

A Tensor is the exception: another one of the same kind may take its place. So a guard keeps no
Tensor, but only what is required of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, compress
from operator import call, is_
from reprlib import repr as shorten
from types import MappingProxyType
from typing import Any

import numpy as np

from ..dtypes import get_default_dtype
from ..errors import format_count
from ..graph import Value
from ..optim import Optimizer
from . import places
from .reads import UNBOUND, Unsearched, is_a, try_read


class ReadGuard:
    """The objects that a function reads, as they were when `guard` made the guard.

    Attributes
    ----------
    arrays : list of ndarray
        The plain arrays in the places.
    generators : list
        The random generators: NumPy's old and new ones, and Python's.
    iterators : list
        Objects that change when they are read, such as iterators, files and queues.
    classes : list of type
        The user's classes.
    optimizers : list of Optimizer
        Of their state, only the names, dtypes and shapes of its arrays are compared. Their learning
        rates are not compared.
    """

    def __init__(self, roots: list[Any]):
        self._roots = roots
        self.arrays: list[np.ndarray] = []
        self._forms: list[tuple[Any, ...]] = []
        self.generators: list[Any] = []
        self.optimizers: list[Any] = []
        self.iterators: list[Any] = []
        self.classes: list[type] = []
        self._caches: list[tuple[Any, int]] = []  # of functions, with their sizes
        self._dicts: list[Any] = []
        self._lists: list[Any] = []  # and other things that have a length and can be iterated over
        self._reads: list[Any] = [partial(get_default_dtype)]  # each returns what is in one place
        self._typed: list[Any] = []  # objects whose class may change
        self._tuples: list[tuple[int, Any, int]] = []
        self._baked: list[tuple[np.ndarray, bytes]] = []
        self._names = self._walk(roots)
        self._contents = [*map(places.values, self._dicts), *self._lists]
        self._keys, self._lengths = [*map(tuple, self._dicts)], [*map(len, self._lists)]
        self._sort_places()
        self._bind_states([state for x in self.optimizers for state in x.state])

    def _walk(self, roots: list[Any]) -> list[str | None]:
        """Find all places, and return their names, in the order in which `_read` reads them."""
        names: tuple[list[str | None], ...] = ([], [], ["the default dtype"], [])
        containers: tuple[list[str], ...] = ([], [], [], [])
        alive: list[Any] = []  # an object that is freed would leave its id to another one
        seen: set[int] = set()
        waiting: list[tuple[Any, str | None]] = [(roots, "target")]
        while waiting:
            x, name = waiting.pop()
            if name is None or id(x) in seen or type(x) in places.PLAIN:
                continue
            if isinstance(name, Unsearched):  # another place may have it too
                continue
            seen.add(id(x))
            alive.append(x)
            self._list(x, name)
            parts: list[tuple[Any, str | None]] = []
            for source, container, inside in places.find_sources(x, name):
                kept: Any = source
                if isinstance(source, partial) and source.func is type:
                    kind, known, contents, kept = 3, self._typed, [type(x)], x
                elif isinstance(source, partial):
                    kind, known, contents = 2, self._reads, [source()]
                elif isinstance(source, dict | MappingProxyType):
                    kind, known, contents = 0, self._dicts, places.values(source)
                else:
                    kind, known, contents = 1, self._lists, source
                parts += zip(contents, inside, strict=True)
                if not isinstance(source, tuple | frozenset):  # these have the same parts for ever
                    seen.add(id(kept))
                    known.append(kept)
                    containers[kind].append(container)
                    names[kind].extend(inside)
            waiting += reversed(parts)
        self._containers = [*containers[0], *containers[1]]
        return [*chain.from_iterable(names)]

    def _list(self, x: Any, name: str) -> None:
        """List an object that a program treats in a way of its own."""
        if is_a(x, np.ndarray):
            self.arrays.append(x)
            self._forms.append((x, x.dtype, x.shape, name))
        elif places.draws(x):
            self.generators.append(x)
        elif is_a(x, Optimizer):
            self.optimizers.append(x)
        elif is_a(x, type) and not places.is_unchanging(x):
            self.classes.append(x)
        elif is_a(x, places.CACHE):
            self._caches.append((x, len(places.find_cached(x))))
        elif hasattr(type(x), "__next__") or hasattr(type(x), "get_nowait"):
            self.iterators.append(x)

    def _sort_places(self) -> None:
        """Note what is in the places now: Tensors, tuples with Tensors in them, or other objects.

        The entries of a tuple with Tensors are places too, because a new tuple may take its place.
        """
        now = self._read_places(call)
        names, first = self._names, dict[int, int]()
        self._is_fixed: list[bool] = []  # of each place
        self._saved: list[Any] = []  # what is in the places that are fixed
        self._pairs: list[tuple[int, int]] = []  # places that hold the same Tensor
        for i, x in enumerate(now):  # `now` and `names` grow
            name = names[i]
            is_open = is_a(x, tuple) and any(is_a(part, (Value, tuple)) for part in x)
            self._is_fixed.append(not (name is None or is_open or is_a(x, Value)))
            if self._is_fixed[-1]:
                self._saved.append(x)
            elif is_a(x, tuple) and name is not None:
                self._tuples.append((i, type(x), len(x)))
                names += [places.name_entry(name, key) for key in range(len(x))]
                now += x
            elif name is not None and first.setdefault(id(x), i) != i:
                self._pairs.append((first[id(x)], i))
        self._kinds = [(i, *places.read_kind(now[i])) for i in first.values()]
        self._kind_texts = [places.describe_kind(now[i]) for i in first.values()]
        self._addresses = b""

    def _bind_states(self, states: list[dict[str, np.ndarray]]) -> None:
        """Note the states of all parameters, and what is required of the arrays in them."""
        self._states, self._sizes = states, [*map(len, states)]
        self._state_forms = [*map(places.read_forms, states)]
        self._entries = [(x, key, y.dtype, y.shape) for x in states for key, y in x.items()]

    def bake(self, arrays: Iterable[np.ndarray]) -> None:
        """Compare the entries of these arrays too, because their values are part of a program.

        If a function has cached other results since the guard was made, they are searched too.
        """
        if any(len(places.find_cached(x)) != size for x, size in self._caches):
            self.__init__(self._roots)  # type: ignore[misc]
            arrays = self.arrays
        self._baked = [(x, x.tobytes()) for x in arrays]

    # -- at each call ------------------------------------------------------------------------------

    @property
    def tensors(self) -> list[Value]:
        """The Tensors in the places now, each once, in an order that stays the same."""
        now = self._read() or []
        return [now[i] for i, *_ in self._kinds]

    def current(self) -> list[Value] | None:
        """Return the Tensors that are now in the places, or None if anything else has changed."""
        try:
            now = self._read()
            if now is None:
                return None
            addresses = np.fromiter(now, object, len(now)).tobytes()
            if addresses != self._addresses:
                if not self._are_same(now):
                    return None
                self._addresses = addresses
            tensors = []
            for i, kind, tracked, dtype, shape, name in self._kinds:
                x = now[i]
                if (
                    type(x) is not kind  # a Tensor that is freed leaves its address to others
                    or x.tracked is not tracked
                    or ((array := x.array).dtype is not dtype and array.dtype != dtype)
                    or array.shape != shape
                    or (x._name is not name and x._name != name)
                ):
                    return None
                tensors.append(x)
            if [*map(len, self._states)] != self._sizes:
                return None
            for state, key, dtype, shape in self._entries:
                array = state[key]
                if (array.dtype is not dtype and array.dtype != dtype) or array.shape != shape:
                    return None
        except UNBOUND:  # a variable or a key is gone
            return None
        for array, dtype, shape, _ in self._forms:
            if array.dtype != dtype or array.shape != shape:
                return None
        for array, entries in self._baked:
            if array.tobytes() != entries:
                return None
        return tensors

    def _read(self) -> list[Any] | None:
        """Return what is in all places, and the states of optimizers at the end.

        Return None if a container has other keys or another length.
        """
        if [*map(tuple, self._dicts)] != self._keys or [*map(len, self._lists)] != self._lengths:
            return None
        now = self._read_places(call)
        for i, kind, length in self._tuples:
            x = now[i]
            if type(x) is not kind or len(x) != length:
                return None
            now += x
        for x in self.optimizers:
            now += x.state
        return now

    def _read_places(self, read: Any) -> list[Any]:
        """Return what is in all places, but for the entries of tuples with Tensors."""
        kinds = map(type, self._typed)
        return [*chain.from_iterable(self._contents), *map(read, self._reads), *kinds]

    def _are_same(self, now: list[Any]) -> bool:
        """Return True if no place has another object, except for Tensors and equal numbers."""
        found = [*compress(now, self._is_fixed)]
        if not (all(map(is_, found, self._saved)) or all(map(places.is_same, found, self._saved))):
            return False
        self._saved = found  # an equal number is the same object at the next call
        states = now[len(self._is_fixed) :]
        if not (len(states) == len(self._states) and all(map(is_, states, self._states))):
            if [*map(places.read_forms, states)] != self._state_forms:
                return False
            self._bind_states(states)  # another state was loaded
        for i, k in self._pairs:
            if now[i] is not now[k]:
                return False
        tensors = [now[place[0]] for place in self._kinds]
        return len({*map(id, tensors)}) == len(tensors)

    # -- for people --------------------------------------------------------------------------------

    def describe_change(self) -> str | None:
        """Return in words which place has changed, or None if `current` finds no change."""
        return None if self.current() is not None else next(self._find_changes())

    def _find_changes(self) -> Iterator[str]:
        """Yield the changes in words."""
        for source, keys, name in zip(self._dicts, self._keys, self._containers, strict=False):
            if tuple(source) != keys:
                yield f"{name}: the keys were {shorten(keys)}, are now {shorten((*source,))}"
        containers = self._containers[len(self._dicts) :]
        for source, length, name in zip(self._lists, self._lengths, containers, strict=True):
            if len(source) != length:
                yield f"{name}: had {format_count(length, 'part')}, has {len(source)} now"
        now = self._read_places(try_read)
        for i, kind, length in self._tuples:
            x = now[i]
            if type(x) is not kind or len(x) != length:
                yield f"{self._names[i]}: was a {kind.__name__} of {length}, is now {shorten(x)}"
            now += x
        named = [*zip(self._names, now, strict=True)]
        for (place, x), old in zip(compress(named, self._is_fixed), self._saved, strict=True):
            if not places.is_same(x, old):
                new = shorten(x) if shorten(x) != shorten(old) else "another object"
                yield f"{place}: was {shorten(old)}, is now {new}"
        for (i, *form), old in zip(self._kinds, self._kind_texts, strict=True):
            place, x = named[i]
            if not is_a(x, Value) or [*places.read_kind(x)] != form:
                yield f"{place}: was {old}, is now {places.describe_kind(x)}"
        for i, k in self._pairs:
            if now[i] is not now[k]:
                yield f"{self._names[i]} and {self._names[k]}: are different Tensors now"
        entries = {id(x): saved for x, saved in self._baked}
        for x, *form, name in self._forms:
            if [x.dtype, x.shape] != form or x.tobytes() != entries.get(id(x), x.tobytes()):
                yield f"{name}: the array has other entries, or another shape or dtype"
        if [places.read_forms(y) for x in self.optimizers for y in x.state] != self._state_forms:
            yield "the state of an optimizer: other arrays, or arrays of another shape or dtype"
        yield "two places hold the same Tensor now, and held two before"


def guard(function: Any, *more_roots: Any) -> ReadGuard:
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
    ReadGuard

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
    return ReadGuard([function, *more_roots])
