"""What `compile` returns: a module, a cell or a function whose walks through time run as programs."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import tree
from ..analysis.source_location import count_frames_to_user
from ..errors import NotCompilable, argument_error, describe
from ..graph import Value
from ..nn.module import Module, call_hook
from ..scan import scan, scan_hook
from ..tensor import Tensor
from .capture import Held, captured
from .explain import explain
from .trace import refusal
from .walk import Compiled, asked, make, run

if TYPE_CHECKING:
    from ..draw.figure import Graph

__all__ = ["CompiledModule"]
MANY = 8
"""So many programs of one cell for arguments of one form are as many as is well."""

MOST = 64
"""How many programs are kept; the one that was not used for longest goes first."""


class CompiledModule(Module):
    """What `compile` returns: it is used as what it was made of, whose parameters it has.

    Attributes
    ----------
    target : callable
        What it was made of.
    backend : str
        What its programs are written for.
    refused : dict of str to str
        With ``fallback=True``: the cells that run as they are, and why.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> fast = tg.compile(tg.nn.GRU(3, 4, rng=0))
    >>> output, state = fast(np.ones((5, 2, 3), dtype="float32"))
    >>> fast.source.count("def forward("), fast.source.count("def backward(")
    (1, 1)
    >>> fast.refused, fast.hidden_size
    ({}, 4)
    >>> [name for name, child in fast.children()], len(list(fast.modules()))
    (['l0'], 3)
    """

    def __init__(self, target: Callable[..., Any], fallback: bool = False, backend: str = "numpy"):
        super().__init__()
        scope = getattr(target, "_scope", getattr(target, "__name__", "compiled"))
        self.__dict__.update(
            target=target,
            fallback=fallback,
            backend=backend,
            refused={},
            _programs=OrderedDict(),
            _plain=set(),
            _scope=scope,
        )

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the target computes; every walk through time in it is compiled."""
        inner = self.target.forward if isinstance(self.target, Module) else self.target
        if call_hook.get() is not None:  # somebody wants to see the layers themselves
            return inner(*args, **kwargs)
        token = scan_hook.set(self._walk)
        try:
            return inner(*args, **kwargs)
        finally:
            scan_hook.reset(token)

    def run_scan(self, cell: Any, inputs: Any, state: Any, reverse: bool) -> tuple[Any, Any]:
        """A `scan` with this as the cell."""
        return self._walk(self.target, inputs, state, reverse)

    def _walk(self, cell: Any, inputs: Any, state: Any, reverse: bool) -> tuple[Any, Any]:
        several = isinstance(inputs, tuple)
        state = tree.map(lambda part: Tensor(part) if isinstance(part, np.ndarray) else part, state)
        xs, states = list(inputs) if several else [inputs], []
        tree.map(states.append, state)
        held = captured(cell)
        tracked = asked(xs, states, held.tensors)
        form = (*[_form(x, 1) for x in xs], *[_form(s, 0) for s in states])
        structure = tree.map(lambda _: 0, state) if not isinstance(state, Value) else 0
        key = (
            held.key,
            form,
            several,
            repr(structure),
            None if tracked is None else tuple(tracked),
        )
        found = self._programs.get(key)
        if found is None:
            found = self._made(key, cell, xs, several, state, held, tracked)
        if found is None:
            return _as_it_is(cell, inputs, state, reverse)
        return run(found, cell, xs, states, held.tensors, reverse)

    def _made(
        self,
        key: Any,
        cell: Any,
        xs: list[Any],
        several: bool,
        state: Any,
        held: Held,
        tracked: Any,
    ) -> Compiled | None:
        """The program for a new cell or a new form, or None if there is none and the cell is to run as it is."""
        if key in self._plain:
            return None
        name = _title(cell)
        try:
            _require_open(name, held)
            made = make(name, cell, xs, several, state, held, tracked, self.backend)
        except NotCompilable as error:
            if not self.fallback:
                raise
            self._plain.add(key)
            self.refused[name] = str(error)
            return None
        self._warn_of_many(name, key)
        made.held = cell, held  # the key names objects by identity: they must not go
        self._programs[key] = made
        while len(self._programs) > MOST:
            self._programs.popitem(last=False)
        return made

    def _warn_of_many(self, name: str, key: Any) -> None:
        """Say it if one cell is written again and again for arguments of one form, and what is another each time."""
        alike = [
            other for other in self._programs if other[1:] == key[1:] and other[0][:1] == key[0][:1]
        ]
        if len(alike) != MANY:
            return
        pairs = zip(alike[-1][0], key[0], strict=False)
        old, new = next((pair for pair in pairs if pair[0] != pair[1]), ("less", "more"))
        got = f"{MANY + 1} programs, the last two for {_shown(old)} and for {_shown(new)}"
        fix = "hand what changes over as an input, a state or a Tensor"
        text = str(
            argument_error(
                f"compile({name})", "cell", expected="one that stays the same", got=got, fix=fix
            )
        )
        warnings.warn(text, stacklevel=count_frames_to_user())

    # -- what was written ------------------------------------------------------------------------------

    def _written(self, wanted: str) -> list[Compiled]:
        if not self._programs:
            name, fix = (
                type(self.target).__name__,
                "call it once, on data of the form that it is for",
            )
            raise argument_error(
                f"compile({name})",
                wanted,
                expected="a program that was written",
                got="none yet",
                fix=fix,
                kind=RuntimeError,
            )
        return list({made.program.source: made for made in self._programs.values()}.values())

    @property
    def source(self) -> str:
        """The programs that were written so far, of each cell and for each form of its arguments.

        Raises
        ------
        RuntimeError
            If it was not called yet; so do `explain` and `graph`.
        """
        return "\n\n".join(made.program.source for made in self._written("source"))

    def explain(self) -> str:
        """In words: what was moved where, and why.

        Examples
        --------
        >>> import numpy as np
        >>> import tinygrad_rnn as tg
        >>> fast = tg.compile(tg.nn.RNN(3, 4, rng=0))
        >>> output, state = fast(np.ones((5, 2, 3), dtype="float32"))
        >>> print(fast.explain().splitlines()[0])
        RNNCell: one step is 8 NumPy calls forwards and 8 backwards
        """
        return "\n\n".join(
            explain(made.title, made.program.plan, made.program.saved)
            for made in self._written("explain")
        )

    def graph(self, program: int = -1, **options: Any) -> Graph:
        """One step, drawn: what the one node of a walk has in it.

        Parameters
        ----------
        program : int
            Which of the programs; the last that was used if missing.
        **options
            As of `tinygrad_rnn.graph`.

        Returns
        -------
        Graph

        Examples
        --------
        >>> import numpy as np
        >>> import tinygrad_rnn as tg
        >>> fast = tg.compile(tg.nn.RNN(3, 4, rng=0))
        >>> output, state = fast(np.ones((5, 2, 3), dtype="float32"))
        >>> print(fast.graph().text(shapes=False).splitlines()[-1].split("=")[1].strip()[:5])
        tanh(
        """
        from ..draw import graph

        return graph(self._written("graph")[program].traced.outputs[0], **options)

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
        if name in self.__dict__ or not isinstance(self.target, Module):
            self.__dict__[name] = value
        else:
            setattr(self.target, name, value)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_programs": OrderedDict(), "_plain": set(), "refused": {}}

    def __repr__(self) -> str:
        return f"compile({self.target!r})"


def _shown(part: Any) -> str:
    """An entry of a key, for people."""
    if isinstance(part, tuple) and len(part) == 2 and isinstance(part[0], type):
        part = part[1]
    text = repr(part)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _as_it_is(cell: Any, inputs: Any, state: Any, reverse: bool) -> tuple[Any, Any]:
    token = scan_hook.set(None)
    try:
        return scan(cell, inputs, state, reverse=reverse)
    finally:
        scan_hook.reset(token)


def _form(x: Any, first: int) -> Any:
    """The shape, of an input without its first axis, which is time, and the dtype."""
    array = getattr(x, "array", x)
    if not isinstance(array, np.ndarray):
        return type(x)
    return array.shape[first:], array.dtype, isinstance(x, Value)


def _require_open(name: str, held: Held) -> None:
    """Refuse a cell that holds what can change without a word."""
    if held.closed:
        wanted, got = (
            "to see all that a cell holds, for its program is written for that",
            f"{describe(held.closed[0])}, which can change",
        )
        raise NotCompilable(
            refusal(
                name,
                wanted,
                got,
                "keep numbers in lists, dicts, arrays, attributes or Tensors, or hand them in",
            )
        )


def _title(cell: Any) -> str:
    """What a program is called: as its cell."""
    name = getattr(cell, "__name__", type(cell).__name__)
    return name if name.isidentifier() else "cell"
