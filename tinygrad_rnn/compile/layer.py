"""The result of `compile`: a module, a cell or a function that runs as compiled programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import argument_error
from ..graph import EAGER, recorder
from ..nn.module import Module
from ..scan import run_loop, scan
from ..tensor import Tensor
from .compiled import Compiled
from .explain import explain
from .ready_program import ReadyProgram

if TYPE_CHECKING:
    from ..draw import Graph

__all__ = ["CompiledModule"]


class CompiledModule(Module):
    """A module, cell or function that runs as compiled programs, as `compile` returns it.

    It is called like its target, and has the parameters of its target.

    Attributes
    ----------
    target : callable
        The module, cell or function that was compiled.
    backend : str
        The backend of its programs: ``"numpy"`` or ``"numba"``.
    uncompiled : dict of str to str
        With ``fallback=True``: what runs step by step, and why.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> fast = tg.compile(tg.nn.GRU(3, 4, rng=0))
    >>> output, state = fast(np.ones((5, 2, 3), dtype="float32"))
    >>> fast.source.count("for t in ")
    2
    >>> fast.uncompiled, fast.hidden_size
    ({}, 4)
    """

    def __init__(
        self,
        target: Callable[..., Any],
        fallback: bool = False,
        backend: str = "numpy",
        check: int = 0,
    ):
        super().__init__()
        scope = _get(target, "_scope", _get(target, "__name__", "compiled"))
        options = {"backend": backend, "fallback": fallback, "check": check}
        self.__dict__.update(target=target, _options=options, _scope=scope, _runs={})

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the target as a compiled program."""
        if recorder() is not EAGER:  # a compiled function calls it
            return _forward(self.target, *args, **kwargs)
        run = self._runs.get("call")
        return (run or self._run("call", self._inner))(*args, **kwargs)

    @property
    def _inner(self) -> Callable[..., Any]:
        """The function to compile. It looks `forward` up in each run, so that a guard sees it."""
        return partial(_forward, self.target) if isinstance(self.target, Module) else self.target

    def _run(self, kind: str, function: Callable[..., Any]) -> Compiled:
        """Return the compiled form of a function of the target, which is kept."""
        if kind not in self._runs:
            self._runs[kind] = Compiled(function, _title(self.target), **self._options)
        return self._runs[kind]

    @property
    def training(self) -> bool:  # type: ignore[override]  # pyright: ignore
        """True if the target is in training mode.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> tg.compile(tg.nn.GRU(3, 4)).eval().training
        False
        """
        return _get(self.target, "training", True)

    # -- programs ----------------------------------------------------------------------------------

    @property
    def uncompiled(self) -> dict[str, str]:
        """The reasons why parts run step by step, with ``fallback=True``."""
        return {name: why for run in self._runs.values() for name, why in run.uncompiled.items()}

    @property
    def programs(self) -> tuple[ReadyProgram, ...]:
        """The programs that are kept, for each kind of call from the oldest to the newest.

        Examples
        --------
        >>> import numpy as np
        >>> import tinygrad_rnn as tg
        >>> fast = tg.compile(tg.nn.RNN(3, 4, rng=0))
        >>> for steps in (5, 6):
        ...     output, state = fast(np.ones((steps, 2, 3), dtype="float32"))
        >>> len(fast.programs)
        2
        """
        kinds = [found for run in self._runs.values() for found in run.programs.values()]
        return tuple(ready for found in kinds for ready in reversed(found))

    def _written(self, argument: str) -> list[ReadyProgram]:
        """Return the programs with different texts, or raise RuntimeError if there are none."""
        if not self.programs:
            operation = f"compile({type(self.target).__name__})"
            expected, fix = "a program that was written", "call it once, on data of the usual shape"
            raise argument_error(operation, argument, expected, "none yet", fix, RuntimeError)
        return list({ready.source: ready for ready in self.programs}.values())

    @property
    def source(self) -> str:
        """The text of all programs that were written so far, each different text once.

        Raises
        ------
        RuntimeError
            If it was not called yet. `explain` and `graph` raise it too.
        """
        return "\n\n".join(ready.source for ready in self._written("source"))

    def explain(self) -> str:
        """Describe each program: its loops, what they carry, and what they keep.

        Examples
        --------
        >>> import numpy as np
        >>> import tinygrad_rnn as tg
        >>> fast = tg.compile(tg.nn.RNN(3, 4, rng=0))
        >>> output, state = fast(np.ones((5, 2, 3), dtype="float32"))
        >>> print(fast.explain().splitlines()[1])
          Through time, 5 steps of 3 NumPy calls
        """
        return "\n\n".join(explain(ready) for ready in self._written("explain"))

    def graph(self, program: int = -1, **options: Any) -> Graph:
        """Draw a program, which is one box in other drawings: one node for each instruction.

        A loop is a frame around one step. Of a program with a backward part, the forward part is
        drawn.

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
        >>> {"t = 0 … 4"} <= {str(part) for node in fast.graph().nodes for part in node.scope}
        True
        """
        from ..draw import graph
        from .sketch import sketch

        named = self.target.named_parameters() if isinstance(self.target, Module) else ()
        names: Any = {parameter: name for name, parameter in named}
        return graph(sketch(self._written("graph")[program], names), **options)

    # -- the interface of the target ---------------------------------------------------------------

    def children(self) -> Iterator[tuple[str, Module]]:
        """Yield the names and submodules of the target.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> model = tg.nn.Sequential(tg.nn.Linear(2, 3), tg.nn.Dropout())
        >>> [name for name, child in tg.compile(model).children()]
        ['0', '1']
        """
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
            if name == "target":
                self._runs.clear()
        else:
            setattr(self.target, name, value)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_runs": {}}

    def __repr__(self) -> str:
        return f"compile({self.target!r})"


@run_loop.register
def _(cell: CompiledModule, inputs: Any, state: Any, reverse: bool) -> tuple[Any, Any]:
    """Run the loop of a scan of a compiled cell as a compiled program."""
    return cell._run("scan", partial(_scan, cell.target))(inputs, state, reverse)


def _scan(cell: Any, inputs: Any, state: Any, reverse: bool) -> tuple[Any, Any]:
    return scan(cell, inputs, state, reverse=reverse)


def _title(cell: Any) -> str:
    """Return the title of a program: the name of its cell."""
    name = str(_get(cell, "__name__", type(cell).__name__))
    return name if name.isidentifier() else "cell"


def _forward(target: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Call the `forward` that a module has now, or a function."""
    return (target.forward if isinstance(target, Module) else target)(*args, **kwargs)


def _get(x: Any, name: str, default: Any) -> Any:
    """Return an attribute, or a default if an object of the user's raises any error instead."""
    try:
        return getattr(x, name, default)
    except Exception:
        return default
