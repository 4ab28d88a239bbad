"""A training step, or a part of one, as a NumPy program that can be read.

The modules in the order of the work: `tracer` runs a function once on the stand-ins of `traced`,
`loops` makes a scan one loop, and `backward_loops` makes its gradients another one.
`traced_function` holds the result: `instructions`, their inputs and effects. `passes` simplify
them, in the files `simplify`, `motion`, `over_time`, `sums` and `algebra`. `schedule` and `buffers`
plan the memory, and `numpy_text` writes the source with the help of `numpy_lines`, `formulas`,
`names` and `helpers`. `ready_program` runs it, as long as its `guards` hold; `node` makes a call
one node of a graph. `compiled` keeps the programs of a function, and `layer` holds the class that a
user gets.
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
    """Return a callable that runs `target` as one NumPy program.

    Compile a whole training step: a function that computes the loss, calls ``loss.backward()`` and
    ``optimizer.step()``, and returns the loss. The step runs once on stand-ins that record what it
    does. The program has straight lines with loops over time in them: forward, loss, backward,
    clipping and the optimizer. Work that does not depend on the state is hoisted out of the loops.

    A model, a layer, a loss, a cell for `scan` or any other function can be compiled too. Its call
    is then one node of the graph, with a program for the forward and one for the backward pass.

    Parameters
    ----------
    target : Module, cell or function
        It can also be used as a decorator, ``@tg.compile``.
    fallback : bool
        Run a function that cannot be compiled as it is, instead of raising NotCompilable. The
        attribute `uncompiled` of the result then says why.
    backend : {"numpy", "numba"}
        How a program computes its loops: by calls of NumPy, or as loops that Numba compiles. Numba
        takes some seconds in the first call, and is worth it for many steps on few numbers. It
        needs the extra ``jit``.
    check : int
        Run the plain function too in every `check`-th call, and raise RuntimeError if the results,
        the gradients or what the call changes differ by more than rounding. 0 is never.

    Returns
    -------
    CompiledModule
        It has the parameters, the state dict and the attributes of the target. Results and
        gradients are equal up to rounding.

    Raises
    ------
    TypeError, ValueError
        If the target cannot be called, or an option has a wrong value.
    ImportError
        If the backend is not installed.
    NotCompilable
        When it is called: if the target reads the numbers of an array into Python, as ``if``,
        ``float`` and ``tolist`` do; if it changes anything but Tensors, gradients and optimizers;
        or if it draws random numbers other than through the library's layers.

    Notes
    -----
    A program is written for the shapes and dtypes of the arguments, and kept. Parameters, arrays
    that the target captures, learning rates and the moments of an optimizer are read anew in each
    call. Plain Python values that it reads are compared before each call, and a changed value
    leads to another program. Not noticed are changes of a value that it reads from a file, from the
    environment, from a clock, from a generator that it makes itself, or through
    ``globals()["name"]``.

    Dropout draws the same masks as without compiling. Under `debug`, `nn.record` and other
    recorders the plain function runs. So do gradients of gradients, and calls in which a check of
    numbers fails. Do not write into the results.

    Examples
    --------
    A training step:

    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> gru = tg.nn.GRU(3, 4, rng=0)
    >>> optimizer = tg.optim.SGD(gru.parameters(), lr=0.1)
    >>> @tg.compile
    ... def step(x, y):
    ...     loss = ((gru(x)[0] - y) ** 2).mean()
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> x, y = np.ones((5, 2, 3), dtype="float32"), np.zeros((5, 2, 4), dtype="float32")
    >>> step(x, y).item() > step(x, y).item()
    True
    >>> step.source.count("for t in "), len(step.programs)
    (2, 1)

    A layer:

    >>> fast = tg.compile(gru)
    >>> output, state = fast(x)
    >>> bool(np.allclose(output.data, gru(x)[0].data))
    True
    >>> print(fast.source[fast.source.index("    for t in range(T)"):][:120])  # doctest: +ELLIPSIS
        for t in range(T):
            ... = ...
    """
    if not callable(target) or isinstance(target, type):
        expected = "a Module, a cell or a function"
        fix = "pass a training step or nn.GRU(...), for example"
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
