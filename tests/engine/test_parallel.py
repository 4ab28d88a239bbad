"""Data-parallel training: several processes average their gradients."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg

EXAMPLE = Path(__file__).parents[2] / "examples" / "data_parallel.py"
MPIEXEC = Path(sys.executable).parent / "mpiexec"
DIFFERENT_PARAMETERS = (
    "argument parameters: expected the same shapes and dtypes in all processes, "
    "got 2 different lists"
)


def run_under_mpi(script, processes=2):
    found = subprocess.run(
        [MPIEXEC, "-n", str(processes), sys.executable, *script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return found.returncode, found.stdout + found.stderr


@pytest.mark.parametrize("processes", [1, 2])
def test_processes_with_parts_of_a_batch_train_like_one_with_the_whole(processes):
    code, output = run_under_mpi([str(EXAMPLE)], processes)
    assert code == 0, output
    lines = output.strip().splitlines()
    assert len(lines) == processes
    assert all(float(line.rsplit(" ", 1)[1]) < 1e-6 for line in lines)


MISSING = """
import numpy as np, tinygrad_rnn as tg
w, v, u = (tg.Tensor(np.ones(2), requires_grad=True) for _ in range(3))
rank = tg.parallel.world().rank
w.grad = np.full(2, 1.0 + rank)
if rank == 0:
    v.grad = np.ones(2)
tg.parallel.average_gradients([w, v, u])
assert w.grad.tolist() == [1.5, 1.5] and v.grad.tolist() == [0.5, 0.5] and u.grad is None
w.data = np.full(2, float(rank))
tg.parallel.broadcast([w])
assert w.data.tolist() == [0, 0]
one = tg.Tensor(1.0, requires_grad=True)
one.grad = np.array(2.0 * rank, dtype="float32")
tg.parallel.average_gradients([one])
assert isinstance(one.grad, np.ndarray) and one.grad.shape == () and one.grad == 1
wrong = [w] if rank else [w, v]
try:
    tg.parallel.average_gradients(wrong)
except ValueError as error:
    print(error)
assert w.grad.tolist() == [1.5, 1.5]
"""


def test_missing_gradients_count_as_zero_and_different_models_are_an_error():
    code, output = run_under_mpi(["-c", MISSING])
    assert code == 0, output
    assert output.count(f"average_gradients: {DIFFERENT_PARAMETERS}") == 2


DIFFERENT = """
import numpy as np, tinygrad_rnn as tg
rank = tg.parallel.world().rank
of_shape = np.arange(6.0).reshape((3, 2) if rank else (2, 3))
of_dtype = np.zeros(1) if rank else np.ones(2, "float32")
for p in (of_shape, of_dtype):
    w = tg.Tensor(p, requires_grad=True)
    try:
        tg.parallel.broadcast([w])
    except ValueError as error:
        print(error)
    assert np.array_equal(w.data, p)
"""


def test_parameters_of_different_shapes_are_not_broadcast():
    code, output = run_under_mpi(["-c", DIFFERENT])
    assert code == 0, output
    assert output.count(f"broadcast: {DIFFERENT_PARAMETERS}") == 4


@pytest.mark.parametrize("call", [tg.parallel.average_gradients, tg.parallel.broadcast])
def test_a_wrong_parameter_or_communicator_is_an_error(call):
    with pytest.raises(
        TypeError, match=rf"{call.__name__}: argument parameters\[0\]: expected a Tensor, got int 5"
    ):
        call([5], communicator=object())
    with pytest.raises(
        TypeError,
        match=rf"{call.__name__}: argument parameters: .* got GRU GRU\(3, 2\); "
        r"pass model.parameters\(\)",
    ):
        call(tg.nn.GRU(3, 2))
    with pytest.raises(
        TypeError,
        match=rf"{call.__name__}: argument communicator: "
        "expected a communicator of mpi4py, got int 3",
    ):
        call(tg.nn.GRU(3, 2).parameters(), 3)


def test_without_mpi_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", None)
    with pytest.raises(ImportError, match=r"tinygrad_rnn\[mpi\]"):
        tg.parallel.average_gradients([tg.Tensor(np.ones(1), requires_grad=True)])
