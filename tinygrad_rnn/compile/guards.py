"""Guards: has anything changed that a function reads besides its arguments?

A `Guard` walks once through all that a function can reach, and notes what was in each *place*: an
entry of a dict or a list, an attribute, a variable of a closure, a global name in its code. Later
it compares what is in the places now, by identity and one level deep. That is enough, because a
container in a container has places of its own. It is also fast: the contents of all containers are
chained into one list, and one loop in C compares it with the list from before.

A Tensor is the exception: another one of the same kind may take its place. So a guard keeps no
Tensor, but only what is required of it.
"""

from __future__ import annotations

import dis
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from functools import lru_cache, partial
from itertools import chain, compress
from operator import attrgetter, call, is_
from reprlib import repr as shorten
from sys import stdlib_module_names
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import Any
from weakref import ref

import numpy as np

from ..dtypes import get_default_dtype
from ..errors import describe, format_count
from ..graph import Value
from ..nn.module import Module
from ..op import Op
from ..optim import Optimizer
from ..optim.schedules import ResumableSchedule

PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})
"""Types whose objects are as good as each other if they are equal."""

PARTS: dict[type, tuple[str, ...]] = {
    FunctionType: ("__code__", "__defaults__", "__kwdefaults__"),
    MethodType: ("__func__", "__self__"),
    BuiltinFunctionType: ("__self__",),
    MethodWrapperType: ("__self__",),
    partial: ("func", "args", "keywords"),
    property: ("fget",),
    classmethod: ("__func__",),
    staticmethod: ("__func__",),
    slice: ("start", "stop", "step"),
}
"""The attributes of Python's own objects that lead to other objects."""

WITHOUT_PARTS = (Value, ModuleType, CodeType, np.generic, np.dtype)
"""Types whose objects are not searched. Of a module, `_find_globals` finds what a function uses."""

LIBRARIES = frozenset({"numpy", "tinygrad_rnn", *stdlib_module_names})
"""Packages whose functions and classes do not change."""

DATA = frozenset({"tinygrad_rnn", "argparse", "builtins", "collections", "functools", "types"})
"""The packages among `LIBRARIES` whose objects hold what a user stores in them."""

IGNORED: dict[type, set[str]] = {
    Module: {"_parameters", "_modules", "_buffers", "_scope"},
    Optimizer: {"steps", "state", "group", "_checked"},
    ResumableSchedule: {"epoch", "best", "waited"},
}
"""Attributes that repeat others, count steps, or are guarded in another way."""

RATES = frozenset({"lr", "initial_lr"})
"""The entries of a parameter group that schedules set. A program reads the rate at each call."""

KIND = attrgetter("__class__", "tracked", "array.dtype", "array.shape")
"""What a Tensor must have in common with the one whose place it takes."""

FORM, DTYPE, SHAPE = attrgetter("dtype", "shape"), attrgetter("dtype"), attrgetter("shape")
MISSING = "no value"


class Guard:
    """What a function reads, and how it was when `guard` made the guard.

    Attributes
    ----------
    arrays : list of ndarray
        The plain arrays in the places.
    generators : list
        The random generators: NumPy's old and new ones, and Python's.
    optimizers : list of Optimizer
    """

    def __init__(self, roots: list[Any]):
        self.arrays: list[np.ndarray] = []
        self.generators: list[Any] = []
        self.optimizers: list[Any] = []
        self._dicts, self._lists, self._reads = [], [], [partial(get_default_dtype)]
        self._tuples: list[tuple[int, type, int]] = []
        self._baked: list[tuple[np.ndarray, bytes]] = []
        self._names = self._walk(roots)
        self._contents = [*map(_values, self._dicts), *self._lists]
        self._keys, self._lengths = [*map(tuple, self._dicts)], [*map(len, self._lists)]
        self._forms = [*map(FORM, self.arrays)]
        self._states = [*map(_form_of_state, self.optimizers)]
        self._sort_places()

    def _walk(self, roots: list[Any]) -> list[str | None]:
        """Find all places, and return their names, in the order in which `_read` reads them."""
        names: tuple[list[str | None], ...] = ([], [], ["the default dtype"])
        containers: tuple[list[str], ...] = ([], [], [])
        alive: list[Any] = []  # an object that is freed would leave its id to another one
        seen: set[int] = set()
        waiting: list[tuple[Any, str | None]] = [(roots, "what is compiled")]
        while waiting:
            x, name = waiting.pop()
            if name is None or id(x) in seen or type(x) in PLAIN:
                continue
            seen.add(id(x))
            alive.append(x)
            self._note(x)
            parts = []
            for source, container, inside in _find_sources(x, name):
                alive.append(source)
                if isinstance(source, partial):
                    kind, known, contents = 2, self._reads, [source()]
                elif isinstance(source, dict | MappingProxyType):
                    kind, known, contents = 0, self._dicts, _values(source)
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

    def _note(self, x: Any) -> None:
        """List an object that a program treats in a way of its own."""
        if isinstance(x, np.ndarray):
            self.arrays.append(x)
        elif _draws(x):
            self.generators.append(x)
        elif isinstance(x, Optimizer):
            self.optimizers.append(x)

    def _sort_places(self) -> None:
        """Note what is in the places now: Tensors, tuples with Tensors in them, or other objects.

        The entries of a tuple with Tensors are places too, because a new tuple may take its place.
        """
        now, names, first = self._read() or [], self._names, {}
        self._is_fixed, self._is_tensor, self._saved = [], [], []
        self._which: list[int] = []  # for each place of a Tensor, its number among the Tensors
        for i, x in enumerate(now):  # `now` grows
            name = names[i]
            is_open = isinstance(x, tuple) and any(isinstance(part, Value | tuple) for part in x)
            is_tensor, is_guarded = isinstance(x, Value), name is not None
            self._is_tensor.append(is_guarded and is_tensor)
            self._is_fixed.append(is_guarded and not is_tensor and not is_open)
            if self._is_tensor[-1]:
                self._which.append(first.setdefault(id(x), (len(first), len(self._which)))[0])
            elif self._is_fixed[-1]:
                self._saved.append(x)
            elif is_open and is_guarded:
                self._tuples.append((i, type(x), len(x)))
                names += [_name_entry(name, key) for key in range(len(x))]
                now += x
        self._first = [place for _, place in first.values()]
        self._kinds = [*map(KIND, self._list_tensors(now)[1])]

    def bake(self, arrays: Iterable[np.ndarray]) -> None:
        """Compare the entries of these arrays too, because their values are part of a program."""
        self._baked = [(x, x.tobytes()) for x in arrays]

    def snapshot(self) -> Callable[[], None]:
        """Return a function that puts what is in all dicts and lists back as it is now."""
        dicts = [(d, dict(d)) for d in self._dicts if isinstance(d, dict)]
        lists = [(x, list(x)) for x in self._lists if isinstance(x, list)]

        def restore() -> None:
            for d, old in dicts:
                if len(d) != len(old) or not all(map(is_, d.values(), old.values())):
                    d.clear()
                    d.update(old)
            for x, old in lists:
                if len(x) != len(old) or not all(map(is_, x, old)):
                    x[:] = old

        return restore

    # -- at each call ------------------------------------------------------------------------------

    @property
    def tensors(self) -> list[Value]:
        """The Tensors in the places now, each once, in an order that stays the same."""
        return self._list_tensors(self._read() or [])[1]

    def current(self) -> list[Value] | None:
        """Return the Tensors that are now in the places, or None if anything else has changed."""
        try:
            now = self._read()
            if now is None or not (
                all(map(is_, compress(now, self._is_fixed), self._saved)) or self._are_equal(now)
            ):
                return None
            places, tensors = self._list_tensors(now)
            if (
                [*map(KIND, tensors)] != self._kinds
                or not all(map(is_, places, map(tensors.__getitem__, self._which)))
                or len(set(tensors)) != len(tensors)
            ):
                return None
        except (AttributeError, ValueError):  # no Tensor is in its place; a closure cell is empty
            return None
        are_same = (
            [*map(FORM, self.arrays)] == self._forms
            and [*map(_form_of_state, self.optimizers)] == self._states
            and all(x.tobytes() == saved for x, saved in self._baked)
        )
        return tensors if are_same else None

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

    def _are_equal(self, now: list[Any]) -> bool:
        """Return True if all objects are equal to those from before; compare with these later."""
        found = [*compress(now, self._is_fixed)]
        if not all(map(_is_same, found, self._saved)):
            return False
        self._saved = found
        return True

    def _list_tensors(self, now: list[Any]) -> tuple[list[Any], list[Any]]:
        """Return what is in the places of Tensors, and the same with each Tensor once."""
        places = [*compress(now, self._is_tensor)]
        return places, [places[i] for i in self._first]

    # -- for people --------------------------------------------------------------------------------

    def describe_change(self) -> str | None:
        """Return which place has changed, in words, or None if `current` finds no change."""
        return None if self.current() is not None else next(self._find_changes(), "something")

    def _find_changes(self) -> Iterator[str]:
        """Yield the changes in words."""
        for source, container, old in zip(
            [*self._dicts, *self._lists], self._containers, [*self._keys, *self._lengths], strict=True
        ):
            if isinstance(old, int) and len(source) != old:
                yield f"{container}: had {format_count(old, 'entry')}, has now {len(source)}"
            elif not isinstance(old, int) and tuple(source) != old:
                for key in [*source, *old]:
                    if (key in source) != (key in old):
                        yield f"{container}: {key!r} is {'new' if key in source else 'gone'}"
                yield f"{container}: the order has changed"
        now = [*chain.from_iterable(self._contents), *map(_try, self._reads)]
        for i, kind, length in self._tuples:
            x = now[i]
            if type(x) is not kind or len(x) != length:
                yield f"{self._names[i]}: was a {kind.__name__} of {length}, is now {describe(x)}"
                return
            now += x
        fixed = compress(zip(self._names, now, strict=True), self._is_fixed)
        for (name, new), old in zip(fixed, self._saved, strict=True):
            if not _is_same(new, old):
                texts = shorten(old), shorten(new)
                other = "another object" if texts[0] == texts[1] else texts[1]
                yield f"{name}: was {texts[0]}, is now {other}"
        places = compress(zip(self._names, now, strict=True), self._is_tensor)
        first: dict[int, Any] = {}
        for (name, new), number in zip(places, self._which, strict=True):
            if not isinstance(new, Value) or KIND(new) != self._kinds[number]:
                yield f"{name}: was {_describe_kind(self._kinds[number])}, is now {describe(new)}"
            elif first.setdefault(number, new) is not new:
                yield f"{name}: is no longer the same Tensor as in another place"
        yield from ["two places hold the same Tensor now"] * (len(set(first.values())) < len(first))
        for x, form in zip(self.arrays, self._forms, strict=True):
            changed = FORM(x) != form or any(y is x and x.tobytes() != b for y, b in self._baked)
            if changed:
                yield f"{self._name_of(x, now)}: the array has other entries"
        for x, state in zip(self.optimizers, self._states, strict=True):
            if _form_of_state(x) != state:
                yield f"{type(x).__name__}.state: was {shorten(state[0])}"


def guard(function: Any, *more_roots: Any) -> Guard:
    """Return a guard of everything that a function, and further objects, can reach.

    Call it after a run of the function, so that everything that a first run creates is there.

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


# -- the places in one object ----------------------------------------------------------------------

Source = tuple[Any, str, list[str | None]]
"""A container, what it is called, and what each of its places is called; None if it is ignored.

A `partial` is not a container, but returns what is in one place.
"""


def _find_sources(x: Any, name: str) -> Iterator[Source]:
    """Yield where `x` keeps the objects that it consists of."""
    kind = type(x)
    if isinstance(x, WITHOUT_PARTS) or _draws(x) or _is_unchanging(x):
        return
    if isinstance(x, Module) and x._original is not x:  # a compiled module, with its own caches
        yield (x._original,), name, [name]
        return
    for part in PARTS.get(kind, ()):
        yield partial(getattr, x, part), "", [f"{name}.{part}"]
    if isinstance(x, FunctionType):
        yield from _find_variables(x)
    elif isinstance(x, type):
        for base in x.__mro__:
            if not _is_unchanging(base):
                yield vars(base), base.__name__, _name_members(base)
        return
    elif isinstance(x, ContextVar):
        yield partial(x.get, None), "", [f"the value of {x.name}"]
    elif isinstance(x, ref):
        yield partial(x), "", [f"{name}()"]
    elif isinstance(x, bytearray | memoryview | array):
        yield partial(bytes, x), "", [name]
    elif isinstance(x, np.ndarray) and x.dtype.hasobject:
        entries = tuple(x.ravel().tolist())
        yield entries, name, [_name_entry(name, i) for i in range(x.size)]
    elif isinstance(x, dict | MappingProxyType):
        yield x, name, [_name_entry(name, key) for key in x]
    elif isinstance(x, tuple | list | set | frozenset | deque):
        yield x, name, [_name_entry(name, i) for i in range(len(x))]
    if isinstance(x, Optimizer):
        for i, group in enumerate(x.param_groups):
            names = [None if key in RATES else f"{kind.__name__}.{key}" for key in group]
            yield group, f"group {i} of {kind.__name__}", names
    if not _is_library(kind.__module__) or kind.__module__.partition(".")[0] in DATA:
        yield from _find_attributes(x)


def _find_attributes(x: Any) -> Iterator[Source]:
    """Yield the attributes of an object, and its class if it is the user's."""
    kind, own = type(x), getattr(x, "__dict__", None)
    ignored = {key for base, keys in IGNORED.items() if isinstance(x, base) for key in keys}
    if isinstance(own, dict):
        owner = f" of {getattr(x, '__qualname__', kind.__name__)}"
        yield own, owner[4:], [None if key in ignored else f"self.{key}{owner}" for key in own]
    for base in kind.__mro__:
        for key, slot in vars(base).items():
            if isinstance(slot, MemberDescriptorType) and base.__module__ != "builtins":
                where = f"self.{key} of {kind.__name__}"
                yield partial(getattr, x, slot.__name__, MISSING), "", [where]
    if not _is_unchanging(kind):
        yield (kind,), "", [kind.__name__]


def _find_variables(function: FunctionType) -> Iterator[Source]:
    """Yield the variables that a function and the functions in it read from outside.

    Those that it reads from the user's own modules, as in ``helpers.scale``, are among them.
    """
    name, space = function.__qualname__, function.__globals__
    closure = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    filled = {key: cell for key, cell in closure.items() if _content(cell) is not MISSING}
    for key, cell in filled.items():
        yield partial(getattr, cell, "cell_contents"), "", [f"{key} in the closure of {name}"]
    if _is_library(str(space.get("__name__"))):
        return
    outside, names = _read_names(function.__code__)
    known = [key for key in outside if key in space]
    for key in known:
        yield partial(space.get, key, MISSING), "", [f"the global {key}"]
    found = [*map(space.get, known), *map(_content, filled.values())]
    modules = [x for x in found if isinstance(x, ModuleType)]
    for module in modules:  # the list grows
        inside = {key: vars(module)[key] for key in names if key in vars(module)}
        if module.__name__ in ("random", "numpy.random"):  # methods of a hidden generator
            yield tuple(inside.values()), "", [f"{module.__name__}.{key}" for key in inside]
            continue
        if _is_library(module.__name__):
            inside = {key: x for key, x in inside.items() if key == "random"}
        else:
            for key in inside:
                place = partial(vars(module).get, key, MISSING)
                yield place, "", [f"{module.__name__}.{key}"]
        modules += [x for x in inside.values() if isinstance(x, ModuleType) and x not in modules]


@lru_cache(maxsize=1024)
def _read_names(code: CodeType) -> tuple[list[str], list[str]]:
    """Return the global names that code and its inner code read, and all names in them."""
    outside: list[str] = []
    names: list[str] = []
    codes = [code]
    for code in codes:  # the list grows
        steps = [step for step in dis.get_instructions(code) if isinstance(step.argval, str)]
        outside += [x.argval for x in steps if x.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
        names += code.co_names
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return [*dict.fromkeys(outside)], [*dict.fromkeys(names)]


def _name_members(kind: type) -> list[str | None]:
    """Return the names of what is in a class, without what Python puts there."""
    return [
        None
        if key == "_abc_impl" or (key.startswith("__") and not isinstance(x, FunctionType))
        else f"{kind.__name__}.{key}"
        for key, x in vars(kind).items()
    ]


def _name_entry(name: str | None, key: Any) -> str:
    """Return the name of an entry: ``self.layers[0] of Model`` for one of ``self.layers of Model``."""
    start, of, owner = str(name).partition(" of ")
    return f"{start}[{shorten(key)}]{of}{owner}"


# -- what objects are ------------------------------------------------------------------------------


def _values(container: Any) -> Any:
    """Return the view of the values of a dict, which follows the dict."""
    return dict.values(container) if isinstance(container, dict) else container.values()


def _content(cell: Any) -> Any:
    """Return what a closure cell holds, or `MISSING` if the variable is not bound."""
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def _is_same(x: Any, y: Any) -> bool:
    """Return True for the same object, and for equal numbers, texts and tuples of them."""
    if x is y or type(x) is not type(y):
        return x is y
    if isinstance(x, tuple):
        return len(x) == len(y) and all(map(_is_same, x, y))
    return type(x) in PLAIN and x == y


def _is_library(module: str) -> bool:
    """Return True for the name of a module that does not change."""
    return module.partition(".")[0] in LIBRARIES


def _is_unchanging(x: Any) -> bool:
    """Return True for a function or class of a library, unless it has a closure."""
    if isinstance(x, BuiltinFunctionType):
        return isinstance(x.__self__, ModuleType | type | None)
    is_known = isinstance(x, type | FunctionType | Op) and "<locals>" not in x.__qualname__
    return is_known and _is_library(str(x.__module__))


def _draws(x: Any) -> bool:
    """Return True for a random generator."""
    kind = type(x)
    return any(hasattr(kind, name) for name in ("bit_generator", "get_state", "getstate"))


def _form_of_state(optimizer: Any) -> tuple[Any, ...]:
    """Return the keys of an optimizer's state, and the dtypes and shapes of the arrays in it."""
    arrays = [*chain.from_iterable(map(dict.values, optimizer.state))]
    return [*map(tuple, optimizer.state)], [*map(DTYPE, arrays)], [*map(SHAPE, arrays)]
