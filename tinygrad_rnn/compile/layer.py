"""`compile`: a module, a cell or a function whose walks through time run as programs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..errors import NotCompilable, complaint, describe
from ..graph import Value
from ..nn.module import Module
from ..scan import mapped, scan, walker
from ..tensor import Tensor
from .capture import captured
from .walk import Compiled, asked, make, run

MOST = 64
"""How many programs are kept; the one that was not used for longest goes first."""


class CompiledModule(Module):
    """What `compile` returns: it is used as what it was made of, whose parameters it has.

    Attributes
    ----------
    source : str
        The programs that were written so far, one for each cell and form of its arguments.
    """

    def __init__(self, target: Callable[..., Any], fallback: bool):
        super().__init__()
        self.__dict__.update(target=target, fallback=fallback, programs=OrderedDict(), refused={})
        self.__dict__["_scope"] = getattr(target, "_scope", "compiled")

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the target computes; every walk through time in it is compiled."""
        token = walker.set(self._walk)
        try:
            return self.target.forward(*args, **kwargs) if isinstance(self.target, Module) else self.target(*args, **kwargs)
        finally:
            walker.reset(token)

    def walk(self, cell: Any, inputs: Any, state: Any, reverse: bool) -> tuple[Any, Any]:
        """A scan over this as a cell."""
        return self._walk(self.target, inputs, state, reverse)

    def _walk(self, cell: Any, inputs: Any, state: Any, reverse: bool) -> tuple[Any, Any]:
        several = isinstance(inputs, tuple)
        xs = list(inputs) if several else [inputs]
        states: list[Any] = []
        mapped(states.append, state)
        own, tensors = captured(cell)
        tracked = asked(xs, states, tensors)
        form = tuple((getattr(x, "array", x).shape[i > 0 :], getattr(x, "array", x).dtype) for i, x in _numbered(xs, states))
        key = (own, form, several, None if tracked is None else tuple(tracked))
        found = self.programs.get(key)
        if found is None:
            if key in self.refused:
                return self._plain(cell, inputs, state, reverse)
            try:
                found = self._made(key, cell, xs, several, state, tensors, tracked)
            except NotCompilable as error:
                if not self.fallback:
                    raise
                self.refused[key] = str(error)
                return self._plain(cell, inputs, state, reverse)
        return run(found, cell, xs, states, tensors, reverse)

    def _made(self, key: Any, cell: Any, xs: list[Any], several: bool, state: Any, tensors: list[Value], tracked: Any) -> Compiled:
        made = self.programs[key] = make(_title(cell), cell, xs, several, state, tensors, tracked)
        made.held = (cell, tensors)
        while len(self.programs) > MOST:
            self.programs.popitem(last=False)
        return made

    @staticmethod
    def _plain(cell: Any, inputs: Any, state: Any, reverse: bool) -> tuple[Any, Any]:
        token = walker.set(None)
        try:
            return scan(cell, inputs, state, reverse=reverse)
        finally:
            walker.reset(token)

    @property
    def source(self) -> str:
        """The text of the programs written so far."""
        if not self.programs:
            raise RuntimeError(
                complaint(
                    "source",
                    "program",
                    expected="one that was written",
                    got="none yet",
                    remedy="call it once, on data of the form it is for",
                )
            )
        return "\n\n".join(dict.fromkeys(made.program.source for made in self.programs.values()))

    # -- as the target ---------------------------------------------------------------------------------

    def children(self) -> Iterator[tuple[str, Module]]:
        """The target's submodules."""
        if isinstance(self.target, Module):
            yield from self.target.children()

    def modules(self) -> Iterator[Module]:
        """This, the target, and all modules in it."""
        yield self
        if isinstance(self.target, Module):
            yield from self.target.modules()

    def _named(self) -> Iterator[tuple[str, Tensor]]:
        if isinstance(self.target, Module):
            yield from self.target._named()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "target" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self.__dict__["target"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__:
            self.__dict__[name] = value
        else:
            setattr(self.target, name, value)

    def __repr__(self) -> str:
        return f"compiled {self.target!r}"


def compile(target: Any, *, fallback: bool = False) -> CompiledModule:
    """A module, a cell or a function, used as before, whose walks through time run as NumPy programs."""
    if not callable(target):
        wanted, remedy = "a Module, a cell or a function that walks through time", "pass nn.GRU(...), say"
        raise TypeError(complaint("compile", "target", expected=wanted, got=describe(target), remedy=remedy))
    return CompiledModule(target, fallback)


def _numbered(xs: list[Any], states: list[Any]) -> Iterator[tuple[int, Any]]:
    """Inputs, whose first axis is time, with 1; parts of the state with 0."""
    yield from ((1, x) for x in xs)
    yield from ((0, s) for s in states)


def _title(cell: Any) -> str:
    name = getattr(cell, "__name__", type(cell).__name__)
    return name if name.isidentifier() else "cell"


_ = np
