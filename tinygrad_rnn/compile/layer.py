"""The result of `compile`: a module, a cell or a function whose scans run as programs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import tree
from ..errors import NotCompilable, argument_error, describe
from ..errors.user_warning import warn_user
from ..graph import Value
from ..nn.module import Module, call_hook
from ..scan import scan, scan_hook
from ..tensor import Tensor
from .capture import Held, captured
from .explain import explain
from .program import Program
from .scan_call import Compiled, asked, make, run
from .trace import refusal

if TYPE_CHECKING:
    from ..draw.figure import Graph

__all__ = ["CompiledModule"]
MANY = 8
"""Warn when one cell has more programs than this for arguments of the same shapes and dtypes."""

MOST = 64
"""The maximum number of programs that are kept; the oldest is dropped first."""


class CompiledModule(Module):
    """A module, cell or function whose scans run as compiled programs, as `compile` returns it.

    It is called like its target, and has the parameters of its target.

    Attributes
    ----------
    target : callable
        The module, cell or function that was compiled.
    backend : str
        The backend of its programs: ``"numpy"`` or ``"numba"``.
    refused : dict of str to str
        With ``fallback=True``: the cells that run step by step, and why.

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
        """Call the target, with every scan in it run as a compiled program."""
        inner = self.target.forward if isinstance(self.target, Module) else self.target
        if call_hook.get() is not None:  # a summary or a drawing watches the layers
            return inner(*args, **kwargs)
        token = scan_hook.set(self._scan)
        try:
            return inner(*args, **kwargs)
        finally:
            scan_hook.reset(token)

    def run_scan(self, cell: Any, inputs: Any, state: Any, reverse: bool) -> tuple[Any, Any]:
        """Run a `scan` whose cell is this object."""
        if call_hook.get() is not None:
            return _as_it_is(self.target, inputs, state, reverse)
        return self._scan(self.target, inputs, state, reverse)

    def _scan(self, cell: Any, inputs: Any, state: Any, reverse: bool) -> tuple[Any, Any]:
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
        """Return the program for a new cell or new shapes, or None if it falls back.

        Raises
        ------
        NotCompilable
            If the cell cannot be compiled, and there is no fallback.
        """
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
        made.held = cell, held  # the key holds ids of objects, which must stay alive
        self._programs[key] = made
        while len(self._programs) > MOST:
            self._programs.popitem(last=False)
        return made

    def _warn_of_many(self, name: str, key: Any) -> None:
        """Warn if one cell gets program after program for arguments of the same shapes and dtypes.

        The warning names the value that differs between the last two.
        """
        alike = [
            other for other in self._programs if other[1:] == key[1:] and other[0][:1] == key[0][:1]
        ]
        if len(alike) != MANY:
            return
        pairs = zip(alike[-1][0], key[0], strict=False)
        old, new = next((pair for pair in pairs if pair[0] != pair[1]), ("less", "more"))
        got = f"{MANY + 1} programs, the last two for {_shown(old)} and for {_shown(new)}"
        fix = "pass values that change as an input, a state or a Tensor"
        warn_user(argument_error(f"compile({name})", "cell", "one that stays the same", got, fix))

    # -- programs ----------------------------------------------------------------------------------

    def _written(self, argument: str) -> list[Compiled]:
        """Return the programs with different texts, or raise RuntimeError if there are none."""
        if not self._programs:
            operation = f"compile({type(self.target).__name__})"
            expected, fix = "a program that was written", "call it once, on data of the usual shape"
            raise argument_error(operation, argument, expected, "none yet", fix, RuntimeError)
        return list({made.program.source: made for made in self._programs.values()}.values())

    @property
    def programs(self) -> tuple[Program, ...]:
        """The programs that are kept, newest last.

        There is one for each cell, each shape and dtype of its arguments, and each choice of
        inputs that require gradients. Before the first call there are none. The 64 newest are
        kept. Each program has these attributes:

        - ``source``: its text, which runs on its own.
        - ``forward``: a function ``(*inputs, *states, *arguments) -> (outputs, states, saved)``
          of arrays. The arguments are named after the cell's parameters.
        - ``backward``: a function ``(*gradients of outputs, *gradients of states, *saved) ->
          gradients`` of the inputs, states and arguments. It is None if no gradient was needed.

        Examples
        --------
        >>> import numpy as np
        >>> import tinygrad_rnn as tg
        >>> fast = tg.compile(tg.nn.RNN(3, 4, rng=0))
        >>> fast.programs
        ()
        >>> for batch in (2, 2, 5):
        ...     output, state = fast(np.ones((7, batch, 3), dtype="float32"))
        >>> len(fast.programs)
        2
        >>> [program.source.count("for t in") for program in fast.programs]
        [2, 2]
        """
        return tuple(made.program for made in self._programs.values())

    @property
    def source(self) -> str:
        """The text of all programs that were written so far, each different text once.

        Raises
        ------
        RuntimeError
            If it was not called yet. `explain` and `graph` raise it too.
        """
        return "\n\n".join(made.program.source for made in self._written("source"))

    def explain(self) -> str:
        """Describe each program: the values that were hoisted out of its loops, and why.

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
        """Draw one step of a compiled scan, which is one node in other drawings.

        Parameters
        ----------
        program : int
            The index of the program among those with different texts; by default the newest.
        **options
            Options of `tinygrad_rnn.graph`.

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

    # -- the interface of the target ---------------------------------------------------------------

    def children(self) -> Iterator[tuple[str, Module]]:
        """Yield the names and submodules of the target."""
        if isinstance(self.target, Module):
            yield from self.target.children()

    def _named_modules(self) -> Iterator[tuple[str, Module]]:
        """Yield this module, the target by the same name, and all modules in it."""
        yield "", self
        if isinstance(self.target, Module):
            yield from self.target._named_modules()

    def _apply(self, function: Callable[[Module], Any]) -> None:
        if isinstance(self.target, Module):
            self.target._apply(function)
        function(self)

    def _add_buffer(self, name: str, value: Any, persistent: bool) -> None:
        owner = self.target if isinstance(self.target, Module) else super()
        owner._add_buffer(name, value, persistent)

    def _named(self, kind: str = "parameters") -> Iterator[tuple[str, Tensor]]:
        if isinstance(self.target, Module):
            yield from self.target._named(kind)
        else:
            fix = "write the function as a Module"
            self._require_found("target", self.target, fix=fix)

    @property
    def _original(self) -> Module:
        return self.target._original if isinstance(self.target, Module) else self

    def __dir__(self) -> list[str]:
        """Return the names of all attributes, with the public ones of the target."""
        public = {name for name in dir(self.target) if not name.startswith("_")}
        return sorted({*super().__dir__(), *public})

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
    """Return an entry of a key as short text for a message."""
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
    """Return the shape and the dtype; `first` is 1 for an input, to leave out the time axis."""
    array = getattr(x, "array", x)
    if not isinstance(array, np.ndarray):
        return type(x)
    return array.shape[first:], array.dtype, isinstance(x, Value)


def _require_open(name: str, held: Held) -> None:
    """Raise NotCompilable for a cell that holds an object which can change unnoticed."""
    if held.closed:
        expected = "objects that can be inspected, because the program depends on what a cell holds"
        got = f"{describe(held.closed[0])}, which can change"
        fix = "keep numbers in lists, dicts, arrays, attributes or Tensors, or pass them as inputs"
        raise NotCompilable(refusal(name, expected, got, fix))


def _title(cell: Any) -> str:
    """Return the title of a program: the name of its cell."""
    name = getattr(cell, "__name__", type(cell).__name__)
    return name if name.isidentifier() else "cell"
