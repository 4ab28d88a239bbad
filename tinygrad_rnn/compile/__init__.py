"""Backpropagation through time as a program that can be read.

The modules in the order of the work: `trace` records one step of a cell, and `gradient`
differentiates it. `lower` turns both recordings into `lines`. `plan` gives each line the stage in
which it runs, and `passes` simplify the lines in the order of `build`. `program` writes the text,
with the help of `emit`, `buffers` and `helpers`. `jit` writes loops for Numba instead: they are
`nests` over `entries`. `scan_call` makes a program one node of a graph, and `layer` holds the class
that a user gets.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .. import check as checking
from ..errors import NotCompilable, argument_error, describe

if TYPE_CHECKING:
    from .layer import CompiledModule

__all__ = ["CompiledModule", "NotCompilable", "compile"]

BACKENDS = {"numpy": (), "numba": ("numba", "scipy")}
"""The packages that each backend needs besides NumPy. Numba's matrix products come from SciPy."""


def compile(
    target: Any, *, fallback: bool = False, backend: str = "numpy", check: int = 0
) -> CompiledModule:
    """Return a callable that runs every scan in `target` as a NumPy program derived from its cell.

    One step of the cell is traced and differentiated with the engine's own rules. Work that does
    not depend on the state, or in the backward pass on the carried gradient, is hoisted out of the
    loop and vectorised over time. The loop that remains is backpropagation through time as
    textbooks write it. The whole scan is one node of the graph.

    Parameters
    ----------
    target : Module, cell or function
        ``nn.GRU(...)``, or a model with recurrent layers in it; a cell
        ``(x, state) -> (output, state)`` for `scan`; or a function that calls `scan`.
    fallback : bool
        Run a cell that cannot be compiled step by step, instead of raising NotCompilable.
    backend : {"numpy", "numba"}
        How a program computes its loops: by calls of NumPy, or by loops over entries that Numba
        compiles. Numba takes some seconds in the first call, and is worth it for many steps on few
        numbers. It needs the extra ``jit``.

    Returns
    -------
    CompiledModule
        It has the parameters, the state dict and the attributes of the target. Results and
        gradients are equal up to rounding.

    Raises
    ------
    TypeError, ValueError
        If the target cannot be called, or no backend has this name.
    ImportError
        If the backend is not installed.
    NotCompilable
        When it is called: if a cell reads the values of Tensors, draws random numbers, or does not
        record the same ops in every run.

    Notes
    -----
    A program is written when a cell meets inputs and a state of new shapes or dtypes, and kept.
    Gradients of gradients run step by step, as without compiling. Numbers, settings and arrays that
    a cell holds are part of its program, which is written anew when they change. An array of more
    than 64 kB is compared by identity: a change of its entries goes unnoticed. So do changes of a
    value that a cell reads through ``globals()["name"]``, from a file or from the environment, and
    draws from a generator that the cell creates itself. Do not write into the results.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> gru = tg.nn.GRU(3, 4, rng=0)
    >>> fast = tg.compile(gru)
    >>> x = np.ones((5, 2, 3), dtype="float32")
    >>> output, state = fast(x)
    >>> bool(np.allclose(output.data, gru(x)[0].data))
    True
    >>> print(fast.source[fast.source.index("    for t in range(T)"):][:120])  # doctest: +ELLIPSIS
        for t in range(T):
            ... = np.dot(h_prev, ...
    """
    if not callable(target) or isinstance(target, type):
        expected = "a Module, a cell or a function that calls scan"
        fix = "pass nn.GRU(...), for example"
        raise argument_error("compile", "target", expected, describe(target), fix, TypeError)
    fallback = checking.flag("compile", "fallback", fallback)
    checks = checking.count("compile", "check", check, low=0)
    backend = checking.one_of("compile", "backend", backend, BACKENDS)
    missing = [package for package in BACKENDS[backend] if find_spec(package) is None]
    if missing:
        raise ImportError(
            f"compile: expected {' and '.join(missing)} for backend={backend!r}, got none; "
            "run: pip install 'tinygrad_rnn[jit]'"
        )
    from .layer import CompiledModule  # imported late, because it makes importing the library slow

    return CompiledModule(target, fallback, backend, checks)


if not TYPE_CHECKING:  # a type checker then reports names that the package does not have

    def __getattr__(name: str) -> Any:
        """Import `CompiledModule` on its first use."""
        if name == "CompiledModule":
            return import_module(f"{__name__}.layer").CompiledModule
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


class CallablePackage(ModuleType):
    """The type of this package: a call of the package is a call of its function `compile`.

    The package and its function have the same name. So ``tg.compile(model)`` calls the function,
    and ``tg.compile.CompiledModule`` is a name in the package.
    """

    __call__ = staticmethod(compile)

    def __reduce__(self) -> tuple[Any, ...]:
        return import_module, (self.__name__,)


__doc__, __wrapped__ = compile.__doc__, compile  # `help` and `inspect.signature` read them
sys.modules[__name__].__class__ = CallablePackage
