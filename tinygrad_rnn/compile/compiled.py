"""A function with the programs that were written for it, one for each kind of call."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ..errors import NotCompilable, argument_error
from ..errors.user_warning import warn_user
from ..graph import EAGER, recorder
from .arguments import call_key, find_number, find_opaque, without_numbers
from .build import WRITERS, optimize_traced
from .check_calls import check_call
from .effects import unchanged
from .guards import guard
from .instructions import Expected
from .ready_program import ReadyProgram
from .traced_function import TracedFunction, require_same, trace

MANY = 8
"""Warn when a function has more programs than this for one kind of call."""

MOST = 64
"""The maximum number of kinds of calls that programs are kept for; the oldest go first."""


class Compiled:
    """Runs a function as a program where it can.

    Attributes
    ----------
    function : callable
        The plain function.
    title : str
        The name of its programs.
    backend : str
    fallback : bool
        Whether to run the plain function where there can be no program.
    check : int
        Compare every so many calls with the plain function; 0 for never.
    uncompiled : dict of str to str
        Why the plain function runs instead.
    programs : dict of key to list of ReadyProgram
    kinds : dict of key to list of key
        The keys of all calls that needed a program, by their keys without numbers.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        title: str,
        backend: str = "numpy",
        fallback: bool = False,
        check: int = 0,
    ):
        self.function, self.title, self.backend = function, title, backend
        self.fallback, self.check, self.calls = fallback, check, 0
        self.uncompiled: dict[str, str] = {}
        self.programs: OrderedDict[Any, list[ReadyProgram]] = OrderedDict()
        self.plain: set[Any] = set()
        self.kinds: dict[Any, list[Any]] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function returns, and change what it changes."""
        if recorder() is not EAGER:  # what watches the ops sees those of the plain function
            return self.function(*args, **kwargs)
        key, leaves = call_key(args, kwargs)
        for ready in self.programs.get(key, ()):
            tensors = ready.fits(leaves)
            if tensors is not None:
                break
        else:
            if key in self.plain:
                return self.function(*args, **kwargs)
            made = self._compile(key, args, kwargs, leaves)
            if made is None:
                return self.function(*args, **kwargs)
            ready, tensors = made, made.guard.tensors
        self.calls += 1
        try:
            if self.check and self.calls % self.check == 0:
                return check_call(ready, args, kwargs, leaves, tensors)
            return ready.run(args, kwargs, leaves, tensors)
        except Expected:
            return self.function(*args, **kwargs)

    def _compile(self, key: Any, args: Any, kwargs: Any, leaves: list[Any]) -> ReadyProgram | None:
        """Return a new program for calls of this kind, or None if the plain function must run."""
        try:
            ready = self._make(args, kwargs, leaves)
        except Expected:
            return None
        except NotCompilable as error:
            if not self.fallback:
                raise
            self.plain.add(key)
            self.uncompiled[self.title] = str(error)
            return None
        found = self.programs.setdefault(key, [])
        found.insert(0, ready)
        del found[MOST:]
        keys = self.kinds.setdefault(without_numbers(key), [])
        keys.append(key)
        if len(keys) == MANY + 1:
            self._warn_of_many(keys, found)
        while len(self.programs) > MOST:
            self.programs.popitem(last=False)
        return ready

    def _make(self, args: Any, kwargs: Any, leaves: list[Any]) -> ReadyProgram:
        """Trace the function and write its program."""
        watch = guard(self.function, *find_opaque((args, kwargs)))

        def run(keep_grads: bool) -> TracedFunction:
            with unchanged(self.title, watch):
                return trace(self.title, self.function, args, kwargs, leaves, keep_grads)

        traced, again = run(False), run(False)
        if traced.grads:
            traced, again = run(True), run(True)
        require_same(self.title, traced, again)
        optimize_traced(traced)
        watch.bake(watch.arrays)  # the function may also have read them without any op
        return ReadyProgram(self.function, traced, watch, WRITERS[self.backend], leaves)

    def _warn_of_many(self, keys: list[Any], found: list[ReadyProgram]) -> None:
        """Warn that a function gets program after program for one kind of call."""
        change = find_number(*keys[-2:]) or found[1].guard.describe_change()
        got = f"{len(keys)} programs for one kind of call; the last change: {change}"
        fix = "pass what changes as an argument, in a Tensor or an array"
        expected = "a function that reads the same numbers"
        warn_user(argument_error("compile", self.title, expected, got, fix))
