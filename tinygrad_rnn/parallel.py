"""Training in several processes: each has a part of the batch, and one call averages their gradients. Needs the extra ``mpi``."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

import numpy as np

from .errors import argument_error, describe
from .tensor import Tensor

__all__ = ["average_gradients", "broadcast", "world"]


def world() -> Any:
    """The communicator of all processes that were started together, from `mpi4py`.

    Returns
    -------
    mpi4py.MPI.Comm
        ``world().rank`` is the number of this process, ``world().size`` how many there are.

    Raises
    ------
    ImportError
        If there is no mpi4py, or no MPI for it to run on.

    Examples
    --------
    In one process, started without ``mpiexec``:

    >>> import tinygrad_rnn as tg
    >>> world = tg.parallel.world()
    >>> world.rank, world.size
    (0, 1)

    In several, ``if world.rank == 0`` is true in one of them: the one to write files.
    """
    try:
        return import_module("mpi4py.MPI").COMM_WORLD
    except (ImportError, RuntimeError) as error:
        raise ImportError(
            f"tg.parallel: expected mpi4py and an MPI, got none ({error}); run: pip install 'tinygrad_rnn[mpi]'"
        ) from error


def average_gradients(parameters: Iterable[Tensor], communicator: Any = None) -> None:
    """Make every process's gradients the mean over all processes: with equal parts of a batch, the gradient of the whole.

    Call it between ``backward`` and ``step``, in every process, with the same parameters in the same order. Losses that are means
    over parts of equal size have the gradient of the mean over all as their mean.

    Parameters
    ----------
    parameters : iterable of Tensor
        A parameter without a gradient here counts as zero; without one anywhere it stays without.
    communicator : mpi4py.MPI.Comm, optional
        All processes if missing.

    Raises
    ------
    TypeError
        If something else than Tensors, or than a communicator, is given.
    ValueError
        If the processes have not parameters of the same shapes and dtypes. No gradient has changed then.

    Examples
    --------
    One process has the whole batch, and the mean is what it has. With ``mpiexec -n 2 python app/train.py`` the same lines average over
    two; see ``examples/data_parallel.py``.

    >>> import tinygrad_rnn as tg
    >>> model = tg.nn.Linear(2, 1, rng=0)
    >>> optimizer = tg.optim.SGD(model.parameters(), lr=0.1)
    >>> model(tg.Tensor([1.0, 2.0])).backward()
    >>> tg.parallel.average_gradients(model.parameters())
    >>> model.weight.grad
    array([[1., 2.]], dtype=float32)
    >>> optimizer.step()
    """
    own, everywhere = _agreed("average_gradients", parameters, communicator)
    given = everywhere.allreduce(np.array([p.grad is not None for p in own], dtype=np.int64))
    for p, count in zip(own, given, strict=True):
        if count:
            total = np.empty(p.shape, p.dtype)
            everywhere.Allreduce(
                np.zeros_like(total) if p.grad is None else np.ascontiguousarray(p.grad), total
            )
            p.grad = np.asarray(total / everywhere.size)  # of one number NumPy makes a scalar


def broadcast(parameters: Iterable[Tensor], communicator: Any = None) -> None:
    """Give every process the parameters of the first one: how to start alike, whatever was drawn or loaded.

    Parameters
    ----------
    parameters : iterable of Tensor
        In every process as many, of the same shapes and dtypes. Those of rank 0 are kept.
    communicator : mpi4py.MPI.Comm, optional
        All processes if missing.

    Raises
    ------
    TypeError, ValueError
        As `average_gradients`. No parameter has changed then.

    Examples
    --------
    Without a seed every process draws weights of its own. After this all have those of the first.

    >>> import tinygrad_rnn as tg
    >>> model = tg.nn.Linear(2, 1)
    >>> tg.parallel.broadcast(model.parameters())
    >>> model.weight.shape
    (1, 2)
    """
    own, everywhere = _agreed("broadcast", parameters, communicator)
    for p in own:
        array = np.array(p.data, order="C")
        everywhere.Bcast(array, root=0)
        p.data = array


def _agreed(operation: str, parameters: Any, communicator: Any) -> tuple[list[Tensor], Any]:
    """The parameters and the communicator, refused if they are none, or if the processes' differ in shapes or dtypes."""
    fix = "pass model.parameters()"
    if not isinstance(parameters, Iterable) or isinstance(parameters, Tensor):
        got = describe(parameters).replace("\n", " ")
        raise argument_error(
            operation,
            "parameters",
            expected="an iterable of Tensors",
            got=got,
            fix=fix,
            kind=TypeError,
        )
    own = list(parameters)
    for i, p in enumerate(own):
        if not isinstance(p, Tensor):
            raise argument_error(
                operation,
                f"parameters[{i}]",
                expected="a Tensor",
                got=describe(p),
                fix=fix,
                kind=TypeError,
            )
    everywhere = world() if communicator is None else communicator
    if not all(hasattr(everywhere, method) for method in ("allgather", "Allreduce", "Bcast")):
        wanted, fix = "a communicator of mpi4py", "pass tg.parallel.world(), or leave it out"
        raise argument_error(
            operation,
            "communicator",
            expected=wanted,
            got=describe(everywhere),
            fix=fix,
            kind=TypeError,
        )
    forms = everywhere.allgather([(p.shape, str(p.dtype)) for p in own])
    if any(form != forms[0] for form in forms):
        got = f"{len({str(form) for form in forms})} different lists of shapes and dtypes"
        fix = "build the same model everywhere"
        raise argument_error(
            operation, "parameters", expected="the same in all processes", got=got, fix=fix
        )
    return own, everywhere
