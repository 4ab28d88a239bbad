"""Data-parallel training: each process takes a part of the batch, and one call averages gradients.

This module needs the ``mpi`` extra: ``pip install 'tinygrad_rnn[mpi]'``.

An exception that ends one process ends all processes, because the others may wait for it. If a
process ends without an exception, by `sys.exit` for example, the calls of this module raise an
error in the others. A call of mpi4py itself, such as ``world().bcast``, learns of exceptions only:
after another end, it waits forever.
"""

from __future__ import annotations

import atexit
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from . import check
from .errors import argument_error
from .tensor import Tensor

__all__ = ["average_gradients", "broadcast", "world"]


def __dir__() -> list[str]:
    return __all__


ENDED: list[int] = []
"""The processes that have ended while this one needed them."""


def world() -> Any:
    """Return ``COMM_WORLD``, the mpi4py communicator of all processes that were started together.

    Call it in every process. From then on, an exception that ends one process ends all. If one ends
    in another way, `average_gradients` and `broadcast` raise an error in the others. Calls of the
    communicator itself, such as ``world().bcast(...)``, wait forever then.

    Returns
    -------
    mpi4py.MPI.Comm
        ``world().rank`` is the index of this process. ``world().size`` is the number of processes.

    Raises
    ------
    ImportError
        If mpi4py, or the MPI library that it needs, is not installed.

    Examples
    --------
    This example runs in one process, without ``mpiexec``.

    >>> import tinygrad_rnn as tg
    >>> world = tg.parallel.world()
    >>> world.rank, world.size
    (0, 1)

    Only one process has ``world.rank == 0``. Let that process write files.
    """
    mpi = _mpi()
    _say_goodbye_at_the_end(mpi)
    return mpi.COMM_WORLD


def average_gradients(
    parameters: Iterable[Tensor], communicator: Any = None, weight: float = 1.0
) -> None:
    """Replace the gradients in every process by their weighted mean over all processes.

    Call this between ``backward`` and ``step``, in every process, with the same parameters in the
    same order. If every process has an equally large part of the batch and its loss is the mean
    over that part, then the result is the gradient of the mean loss over the whole batch. If the
    parts are unequal, pass the size of this process's part as `weight`.

    ::

        g ← Σ w_k g_k / Σ w_k     over all processes k

    Parameters
    ----------
    parameters : iterable of Tensor
        The parameters whose gradients are averaged. If a gradient is None in some processes, it
        counts as zero there. If it is None in all processes, it stays None.
    communicator : mpi4py.MPI.Comm, optional
        The default is ``world()``, the communicator of all processes.
    weight : float
        w, the weight of this process, at least 0. A process without data has weight 0. Its
        gradients do not count, even if they are NaN.

    Raises
    ------
    TypeError
        If `parameters` is not an iterable of Tensors in a fixed order, `communicator` is not a
        communicator, or `weight` is not a number.
    ValueError
        If a gradient does not fit its parameter, `weight` is below 0, or the weights of all
        processes are 0. If the parameters differ between the processes in number, name, shape,
        dtype or order. If the call of another process raises an error.
    RuntimeError
        If another process has ended, or calls another function of this module.

    In each of these cases no gradient is changed, in any process.

    Examples
    --------
    A single process has the whole batch, so its gradients do not change. Under ``mpiexec -n 2``
    the same lines average over two processes; see ``examples/data_parallel.py``.

    >>> import tinygrad_rnn as tg
    >>> model = tg.nn.Linear(2, 1, rng=0)
    >>> optimizer = tg.optim.SGD(model.parameters(), lr=0.1)
    >>> model(tg.Tensor([1.0, 2.0])).backward()
    >>> tg.parallel.average_gradients(model.parameters(), weight=16)
    >>> model.weight.grad
    array([[1., 2.]], dtype=float32)
    >>> optimizer.step()
    """
    name = "average_gradients"

    def read(parameters: list[Tensor]) -> tuple[float, list[bool]]:
        return check.number(name, "weight", weight), [p.grad is not None for p in parameters]

    parameters, communicator, answers = _agree(name, parameters, communicator, read)
    largest = max(each for each, _ in answers)
    expected, fix = "a weight above 0 in some process", "give the size of each process's part"
    check.require(largest, name, "weight", expected, "0 in all processes", fix)
    # With factors of at most 1/n, no sum of n gradients overflows. A power of 2 rounds nothing.
    scale = 0.5 ** (len(answers) - 1).bit_length()
    factors = [each / largest * scale for each, _ in answers]
    factor, total = factors[communicator.rank], sum(factors)
    has_grad = np.any([each for _, each in answers], axis=0)
    for p, is_used in zip(parameters, has_grad, strict=True):
        if is_used:
            # At least float32, so that a sum of float16 does not overflow.
            dtype = np.result_type(p.dtype, np.float32)
            local, mean = np.zeros(p.shape, dtype), np.empty(p.shape, dtype)
            if p.grad is not None and factor:  # 0 times NaN is NaN
                np.multiply(p.grad, factor, out=local, dtype=dtype)
            communicator.Allreduce(local, mean)
            p.grad = np.asarray(mean / total, dtype=p.dtype)  # dividing a 0-d array gives a scalar


def broadcast(parameters: Iterable[Tensor], communicator: Any = None) -> None:
    """Copy the parameters of rank 0 to every process, so that all start with the same weights.

    Parameters
    ----------
    parameters : iterable of Tensor
        The parameters, in the same order in every process.
    communicator : mpi4py.MPI.Comm, optional
        The default is ``world()``, the communicator of all processes.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        As in `average_gradients`. In that case no parameter is changed, in any process.

    Examples
    --------
    Without a seed, every process draws its own weights. `broadcast` gives all processes the weights
    of rank 0.

    >>> import tinygrad_rnn as tg
    >>> model = tg.nn.Linear(2, 1)
    >>> tg.parallel.broadcast(model.parameters())
    >>> model.weight.shape
    (1, 2)
    """
    parameters, communicator, _ = _agree("broadcast", parameters, communicator, len)
    for p in parameters:
        array = np.array(p.data, order="C")
        communicator.Bcast(array, root=0)
        p.data = array


# -- what all processes agree on -------------------------------------------------------------------


def _agree(
    operation: str, parameters: Any, communicator: Any, read: Callable[[list[Tensor]], Any]
) -> tuple[list[Tensor], Any, list[Any]]:
    """Return the parameters, the communicator, and what `read` returned in each process.

    An error in one process is an error in all: a process that has found one tells the others.
    """
    tensors, description, answer, error = [], None, None, None
    try:
        tensors = _read_parameters(operation, parameters)
        description, answer = [_describe(p) for p in tensors], read(tensors)
    except Exception as raised:
        error = raised
    try:
        communicator = _read_communicator(operation, communicator)
    except (ImportError, TypeError) as raised:
        raise error or raised from None
    text = None if error is None else f"{type(error).__name__}: {error}"
    everyone = _gather(operation, communicator, (text, description, answer))
    if error is not None:
        raise error
    for rank, (text, _, _) in enumerate(everyone):
        if text:
            expected, got = "a call without errors in every process", f"an error in process {rank}"
            raise ValueError(f"{operation}: expected {expected}, got {got}: {text}")
    _require_same(operation, [each for _, each, _ in everyone])
    return tensors, communicator, [each for _, _, each in everyone]


def _read_parameters(operation: str, parameters: Any) -> list[Tensor]:
    """Return the parameters as a list; raise an error if they are not Tensors in a fixed order."""
    fix = "pass model.parameters()"
    tensors = check.ordered(operation, "parameters", parameters, fix)
    for i, p in enumerate(tensors):
        check.instance(operation, f"parameters[{i}]", p, Tensor, "a Tensor", fix)
    return tensors


def _read_communicator(operation: str, communicator: Any) -> Any:
    """Return the communicator, by default `world()`; raise TypeError if it is not one."""
    mpi = _mpi()
    communicator = world() if communicator is None else communicator
    expected, fix = "a communicator of mpi4py", "pass tg.parallel.world(), or None"
    return check.instance(operation, "communicator", communicator, mpi.Comm, expected, fix)


def _describe(p: Tensor) -> tuple[str | None, tuple[int, ...], str, bytes]:
    """Return what tells a parameter from others: name, shape, dtype and some of its numbers."""
    return p.name, p.shape, str(p.dtype), p.data.flat[:8].tobytes()


def _require_same(operation: str, lists: list[list[Any]]) -> None:
    """Raise ValueError if the parameters of the processes do not belong together.

    The values of parameters may differ, before `broadcast` for example. But if a process has
    exactly the values of process 0 in another order, its parameters are in the wrong order.
    """
    shapes = [[each[1:3] for each in theirs] for theirs in lists]
    if any(theirs != shapes[0] for theirs in shapes):
        expected = "the same shapes and dtypes in all processes"
        fix = "build the same model in every process"
        got = f"{len({str(theirs) for theirs in shapes})} different lists of shapes and dtypes"
        raise argument_error(operation, "parameters", expected, got, fix)
    for rank, theirs in enumerate(lists):
        is_moved = theirs != lists[0] and Counter(theirs) == Counter(lists[0])
        for i, (a, b) in enumerate(zip(theirs, lists[0], strict=True)):
            if a[0] != b[0] or (is_moved and a != b):
                expected = "the same parameters in the same order in all processes"
                ours, first = a[0] or "a Tensor", b[0] or "another"
                got = f"{ours} in process {rank}, {first} in process 0"
                fix = "pass model.parameters() in every process"
                raise argument_error(operation, f"parameters[{i}]", expected, got, fix)


def _gather(operation: str, communicator: Any, entry: Any) -> list[Any]:
    """Return the entries of all processes; raise RuntimeError if one has ended or differs."""
    everyone = [] if ENDED else _exchange(communicator, (operation, entry))
    ENDED.extend(rank for rank, each in enumerate(everyone) if each is None)
    if ENDED:
        raise RuntimeError(
            f"{operation}: expected a call in every process, got none in process {ENDED[0]}, "
            "which has ended; call it equally often in every process"
        )
    for rank, (other, _) in enumerate(everyone):
        if other != operation:
            raise RuntimeError(
                f"{operation}: expected the same call in every process, got {other} in process "
                f"{rank}; call the functions of tg.parallel in the same order in every process"
            )
    return [each for _, each in everyone]


def _exchange(communicator: Any, entry: Any) -> list[Any]:
    """Return the entries of all processes; the entry of a process that has ended is None.

    The processes first wait for each other in an `Ibarrier`. MPI pairs it only with an `Ibarrier`
    of the other processes, so a collective call of the user's code is never taken for this one.
    """
    communicator.Ibarrier().Wait()
    return communicator.allgather(entry)


# -- the end of a process --------------------------------------------------------------------------


def _mpi() -> Any:
    """Return mpi4py's module MPI; from now on an exception that ends this process ends all."""
    try:
        mpi = import_module("mpi4py.MPI")
    except (ImportError, RuntimeError) as error:
        raise ImportError(
            f"tg.parallel: expected mpi4py and an MPI library, got an import error ({error}); "
            "run: pip install 'tinygrad_rnn[mpi]'"
        ) from error
    _abort_after_an_exception(mpi)
    return mpi


@cache
def _abort_after_an_exception(mpi: Any) -> None:
    """Let an exception that ends this process end all processes, after its message is printed.

    Python stores an exception that ends the program, other than `SystemExit`, in `sys.last_value`.
    """

    def abort() -> None:
        if ENDED or hasattr(sys, "last_value"):
            import_module("mpi4py.run").set_abort_status(1)

    if mpi.COMM_WORLD.size > 1:
        atexit.register(abort)


@cache
def _say_goodbye_at_the_end(mpi: Any) -> None:
    """Tell the others when this process ends without an exception, and wait until they know.

    A process that still calls `average_gradients` reads the goodbye in place of an entry. Without
    the goodbye, that process would wait forever.
    """

    def say_goodbye() -> None:
        if not (ENDED or hasattr(sys, "last_value") or mpi.Is_finalized()):
            _exchange(mpi.COMM_WORLD, None)

    if mpi.COMM_WORLD.size > 1:
        atexit.register(say_goodbye)
