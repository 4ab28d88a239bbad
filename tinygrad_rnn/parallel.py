"""Data-parallel training: each process takes a part of the batch, and one call averages gradients.

This module needs the ``mpi`` extra: ``pip install 'tinygrad_rnn[mpi]'``.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

import numpy as np

from . import check
from .errors import argument_error, describe
from .tensor import Tensor

__all__ = ["average_gradients", "broadcast", "world"]


def world() -> Any:
    """Return ``COMM_WORLD``, the mpi4py communicator of all processes that were started together.

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
    try:
        return import_module("mpi4py.MPI").COMM_WORLD
    except (ImportError, RuntimeError) as error:
        raise ImportError(
            f"tg.parallel: expected mpi4py and an MPI library, got an import error ({error}); "
            "run: pip install 'tinygrad_rnn[mpi]'"
        ) from error


def average_gradients(parameters: Iterable[Tensor], communicator: Any = None) -> None:
    """Replace the gradients in every process by their mean over all processes.

    Call this between ``backward`` and ``step``, in every process, with the same parameters in the
    same order. Give every process an equally large part of the batch, and let its loss be the mean
    over that part. Then the result is the gradient of the mean loss over the whole batch.

    Parameters
    ----------
    parameters : iterable of Tensor
        The parameters whose gradients are averaged. If a gradient is None in some processes, it
        counts as zero there. If it is None in all processes, it stays None.
    communicator : mpi4py.MPI.Comm, optional
        The default is ``world()``, the communicator of all processes.

    Raises
    ------
    TypeError
        If `parameters` is not an iterable of Tensors, or `communicator` is not a communicator.
    ValueError
        If the number, shapes or dtypes of the parameters differ between processes. In that case no
        gradient is changed.

    Examples
    --------
    A single process has the whole batch, so its gradients do not change. Under ``mpiexec -n 2``
    the same lines average over two processes; see ``examples/data_parallel.py``.

    >>> import tinygrad_rnn as tg
    >>> model = tg.nn.Linear(2, 1, rng=0)
    >>> optimizer = tg.optim.SGD(model.parameters(), lr=0.1)
    >>> model(tg.Tensor([1.0, 2.0])).backward()
    >>> tg.parallel.average_gradients(model.parameters())
    >>> model.weight.grad
    array([[1., 2.]], dtype=float32)
    >>> optimizer.step()
    """
    parameters, communicator = _require_same_parameters(
        "average_gradients", parameters, communicator
    )
    has_grad = np.array([p.grad is not None for p in parameters], dtype=np.int64)
    for p, count in zip(parameters, communicator.allreduce(has_grad), strict=True):
        if count:
            total = np.empty(p.shape, p.dtype)
            local = np.zeros_like(total) if p.grad is None else np.ascontiguousarray(p.grad)
            communicator.Allreduce(local, total)
            p.grad = np.asarray(total / communicator.size)  # dividing a 0-d array gives a scalar


def broadcast(parameters: Iterable[Tensor], communicator: Any = None) -> None:
    """Copy the parameters of rank 0 to every process, so that all start with the same weights.

    Parameters
    ----------
    parameters : iterable of Tensor
        The parameters. Their number, shapes and dtypes must be the same in every process.
    communicator : mpi4py.MPI.Comm, optional
        The default is ``world()``, the communicator of all processes.

    Raises
    ------
    TypeError, ValueError
        As in `average_gradients`. In that case no parameter is changed.

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
    parameters, communicator = _require_same_parameters("broadcast", parameters, communicator)
    for p in parameters:
        array = np.array(p.data, order="C")
        communicator.Bcast(array, root=0)
        p.data = array


def _require_same_parameters(
    operation: str, parameters: Any, communicator: Any
) -> tuple[list[Tensor], Any]:
    """Return the parameters as a list, and the communicator; raise an error if either is unusable.

    All processes must have the same number of parameters, of the same shapes and dtypes.
    """
    fix = "pass model.parameters()"
    tensors = list(
        check.iterable(operation, "parameters", parameters, "an iterable of Tensors", fix)
    )
    for i, p in enumerate(tensors):
        check.instance(operation, f"parameters[{i}]", p, Tensor, "a Tensor", fix)
    communicator = world() if communicator is None else communicator
    if not all(hasattr(communicator, method) for method in ("allgather", "Allreduce", "Bcast")):
        got, fix = describe(communicator), "pass tg.parallel.world(), or None"
        expected = "a communicator of mpi4py"
        raise argument_error(operation, "communicator", expected, got, fix, TypeError)
    lists = communicator.allgather([(p.shape, str(p.dtype)) for p in tensors])
    if any(each != lists[0] for each in lists):
        got = f"{len({str(each) for each in lists})} different lists of shapes and dtypes"
        expected = "the same shapes and dtypes in all processes"
        fix = "build the same model in every process"
        raise argument_error(operation, "parameters", expected, got, fix)
    return tensors, communicator


def __dir__() -> list[str]:
    return __all__
