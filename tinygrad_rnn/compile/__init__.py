"""Backpropagation through time as a program that can be read.

`trace` runs one step of a cell and `gradient` goes back through it; `lower` writes both down as `lines`; `plan` says when each line
runs, and `passes` make less of them, in the order that `build` gives; `program` makes a text of it, with the help of `emit`, `buffers`
and `helpers`, and `jit` one whose loops are `nests` over `entries`, for Numba; `walk` is the node that such a program is in a graph,
and `layer` what a user holds.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from .. import check
from ..errors import argument_error, describe

if TYPE_CHECKING:
    from .layer import CompiledModule

BACKENDS = {"numpy": (), "numba": ("numba", "scipy")}
"""What programs can be written for, and the packages that each needs besides NumPy: Numba takes its products from SciPy."""


def compile(target: Any, *, fallback: bool = False, backend: str = "numpy") -> CompiledModule:
    """`target`, used as before, but every walk through time in it runs as a NumPy program that was derived from the cell.

    One step of the cell is traced and differentiated with the engine's own rules; all that need not wait for the state, or
    backwards for the gradient carried, is moved out of the loop, where it is done for all time steps at once. What is left is
    backpropagation through time as textbooks write it. In the graph a walk is one node.

    Parameters
    ----------
    target : Module, cell or function
        ``nn.GRU(...)``, or a model with recurrent layers in it; a cell ``(x, state) -> (output, state)`` for `scan`; or a
        function that calls `scan`.
    fallback : bool
        Run a cell that cannot be compiled as it is, instead of refusing it.
    backend : {"numpy", "numba"}
        What the loops of a program are written for: calls of NumPy, or nests over entries that Numba compiles, which takes some
        seconds at the first call and is worth it where many steps of few numbers are to be walked. Needs the extra ``jit``.

    Returns
    -------
    CompiledModule
        With the parameters, the state dict and the attributes of the target; results and gradients are equal up to rounding.

    Raises
    ------
    TypeError, ValueError
        If the target cannot be called, or there is no such backend.
    ImportError
        If the backend is not installed.
    NotCompilable
        When it is called: if a cell looks at numbers, draws random ones, or does what was recorded in one run only.

    Notes
    -----
    A program is written when a cell meets inputs and a state of new shapes or dtypes, and kept. Gradients of gradients walk step
    by step, as without compiling. Numbers, settings and arrays that a cell holds are part of its program, which is written anew when
    they change; of an array of more than 64 kB only that it is another one is noticed. What a cell finds by ``globals()["name"]``,
    in a file or in the environment is not seen, nor a draw from a generator that it makes itself. Nothing may write into the results.

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
        wanted, fix = (
            "a Module, a cell or a function that walks through time",
            "pass nn.GRU(...), say",
        )
        raise argument_error(
            "compile", "target", expected=wanted, got=describe(target), fix=fix, kind=TypeError
        )
    fallback = check.flag("compile", "fallback", fallback)
    if not isinstance(backend, str) or backend not in BACKENDS:
        got, fix = repr(backend), "take one of them"
        raise argument_error(
            "compile", "backend", expected=" or ".join(map(repr, BACKENDS)), got=got, fix=fix
        )
    missing = [package for package in BACKENDS[backend] if find_spec(package) is None]
    if missing:
        raise ImportError(f"compile: expected {' and '.join(missing)} for backend={backend!r}, got none; "
                          "run: pip install 'tinygrad_rnn[jit]'")  # fmt: skip
    from .layer import CompiledModule  # not before it is needed: importing the library stays quick

    return CompiledModule(target, fallback, backend)
