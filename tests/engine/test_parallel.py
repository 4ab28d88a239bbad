"""Data-parallel training: several processes average their gradients."""

import os
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

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
    """Return the exit code and the output. After a time limit, mpiexec ends its processes."""
    command = [MPIEXEC, "-n", str(processes), sys.executable, *script]
    with subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True) as started:
        try:
            limit = float(os.environ.get("MPI_SECONDS", 120))
            output, errors = started.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            started.terminate()  # if it were killed, its processes would run on
            raise
    return started.returncode, output + errors


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


ORDERS = """
import numpy as np, tinygrad_rnn as tg
rank = tg.parallel.world().rank
layer = tg.nn.GRU(3, 3, rng=0)  # all weights have one shape, and so have all biases
unnamed = [tg.Tensor(np.full(2, float(i)), requires_grad=True) for i in range(2)]
seeded = [*tg.nn.Linear(2, 2, rng=0).parameters(), *tg.nn.Linear(2, 2, rng=1).parameters()]
for parameters in ([*layer.parameters()][:2], [*layer.parameters()][2:], unnamed, seeded):
    for p in parameters:
        p.grad = np.full(p.shape, 1.0 + rank, p.dtype)
    before = [p.data for p in parameters]
    half = len(parameters) // 2
    moved = parameters[half:] + parameters[:half] if rank else parameters
    for call in (tg.parallel.broadcast, tg.parallel.average_gradients):
        try:
            call(moved)
        except ValueError as error:
            print(error, flush=True)
    assert all((p.grad == 1 + rank).all() for p in parameters)
    assert all(p.data is array for p, array in zip(parameters, before))
    tg.parallel.average_gradients(parameters)
    assert all((p.grad == 1.5).all() for p in parameters)
"""


def test_another_order_of_parameters_in_one_process_is_an_error_in_all():
    code, output = run_under_mpi(["-c", ORDERS])
    assert code == 0, output
    message = "expected the same parameters in the same order in all processes, got "
    assert output.count(message) == 2 * 2 * 4, output
    for own, other in (("weight_hh_l0", "weight_ih_l0"), ("a Tensor", "another")):
        assert f"got {own} in process 1, {other} in process 0; pass model.parameters()" in output


WRONG = """
import numpy as np, tinygrad_rnn as tg
rank = tg.parallel.world().rank
w = tg.Tensor(np.ones(2), requires_grad=True)
w.grad = np.ones(2)
average, broadcast = tg.parallel.average_gradients, tg.parallel.broadcast
def broken():
    yield w
    raise OSError("no file")
calls = [
    lambda: average([5] if rank else [w]),
    lambda: average(tg.nn.Linear(2, 2) if rank else [w]),
    lambda: average({w} if rank else [w]),
    lambda: average(broken() if rank else [w]),
    lambda: average([w], weight="1" if rank else 1),
    lambda: average([w], weight=-1 if rank else 1),
    lambda: average([w], weight=0),
    lambda: broadcast(5 if rank else [w]),
]
for i, call in enumerate(calls):
    try:
        call()
    except Exception as error:
        print(f"{i} {rank} {type(error).__name__}: {error}", flush=True)
average([w], weight=1 + rank)
assert w.grad.tolist() == [1, 1]
"""


def test_a_wrong_argument_in_one_process_is_an_error_in_all():
    code, output = run_under_mpi(["-c", WRONG])
    assert code == 0, output
    for line in (
        "0 1 TypeError: average_gradients: argument parameters[0]: expected a Tensor, got int 5",
        "1 1 TypeError: average_gradients: argument parameters: expected an iterable of Tensors",
        "2 1 TypeError: average_gradients: argument parameters: expected an iterable of Tensors in",
        "3 1 OSError: no file",
        "4 1 TypeError: average_gradients: argument weight: expected a finite number, at least 0",
        "5 1 ValueError: average_gradients: argument weight: expected a finite number, at least 0",
        "6 0 ValueError: average_gradients: argument weight: expected a weight above 0 in some",
        "6 1 ValueError: average_gradients: argument weight: expected a weight above 0 in some",
        "7 1 TypeError: broadcast: argument parameters: expected an iterable of Tensors, got int",
        *(
            f"{i} 0 ValueError: average_gradients: expected a call without errors in every "
            f"process, got an error in process 1: {error}: "
            for i, error in enumerate(["TypeError"] * 3 + ["OSError", "TypeError"])
        ),
        "7 0 ValueError: broadcast: expected a call without errors in every process, got an",
    ):
        assert line in output


WEIGHTS = """
import numpy as np, tinygrad_rnn as tg
world = tg.parallel.world()
rng = np.random.default_rng(0)
x, y = rng.standard_normal((7, 3)).astype("f"), rng.standard_normal((7, 1)).astype("f")
starts = [0, 4, 4, 7]  # the second process has no rows
part = slice(starts[world.rank], starts[world.rank + 1])
size = part.stop - part.start
def gradients(x, y, weight=None):
    layer = tg.nn.Linear(3, 1, rng=0)
    if len(x):
        tg.nn.functional.mse_loss(layer(x), y).backward()
    if weight is not None:
        tg.parallel.average_gradients(layer.parameters(), world, weight=weight)
    return [p.grad for p in layer.parameters()]
for a, b in zip(gradients(x[part], y[part], size), gradients(x, y)):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    assert a.dtype == b.dtype
half = tg.Tensor(np.ones(3, "float16"), requires_grad=True)
half.grad = np.full(3, 300, "float16")
tg.parallel.average_gradients([half], weight=1000)  # 3 * 300 * 1000 is not a float16
assert half.grad.dtype == "float16" and half.grad.tolist() == [300, 300, 300]
"""


def test_unequal_parts_with_their_sizes_as_weights_give_the_gradient_of_the_whole_batch():
    code, output = run_under_mpi(["-c", WEIGHTS], 3)
    assert code == 0, output


SIZES_OF_NUMBERS = """
import numpy as np, tinygrad_rnn as tg
world = tg.parallel.world()
rng = np.random.default_rng(world.rank)
for dtype, size in (("f", 3e38), ("f", 3e-38), ("d", 1.7e308), ("d", 1.0), ("e", 65504)):
    for weights in ([1, 1, 1], [1e308] * 3, [1e300, 1e-300, 1], [1e-320] * 3, [10**308, 0, 5e-324],
                    [np.float16(65504)] * 3):
        own = weights[world.rank]
        for gradient in (np.ones(4), rng.uniform(-1, 1, 4)):
            p = tg.Tensor(np.zeros(4, dtype), requires_grad=True)
            p.grad = (gradient * size).astype(dtype)
            parts = world.allgather(p.grad)
            tg.parallel.average_gradients([p], weight=own)
            wide = [np.longdouble(float(w)) for w in weights]
            mean = sum(w * part.astype("g") for w, part in zip(wide, parts)) / sum(wide)
            tolerance = 4 * float(np.finfo(dtype).eps)
            np.testing.assert_allclose(p.grad / size, mean / size, tolerance, tolerance)
            assert p.grad.dtype == dtype
"""


def test_weights_and_gradients_of_every_size_give_their_mean():
    code, output = run_under_mpi(["-c", SIZES_OF_NUMBERS], 3)
    assert code == 0, output


NO_WEIGHT = """
import numpy as np, tinygrad_rnn as tg
rank = tg.parallel.world().rank
p, q = (tg.Tensor(np.ones(2), requires_grad=True) for _ in range(2))
p.grad = np.full(2, [3.0, np.nan, np.inf][rank])
if rank == 1:
    q.grad = np.full(2, np.nan)
tg.parallel.average_gradients([p, q], weight=[2, 0, 0.0][rank])
assert p.grad.tolist() == [3, 3] and q.grad.tolist() == [0, 0]
p.grad = np.full(2, [3.0, np.nan, 1.0][rank])
tg.parallel.average_gradients([p])
assert np.isnan(p.grad).all()  # a nan that counts stays
"""


def test_a_process_of_weight_0_does_not_count_even_if_its_gradient_is_nan():
    code, output = run_under_mpi(["-c", NO_WEIGHT], 3)
    assert code == 0, output


OTHER_CALLS = """
import numpy as np, tinygrad_rnn as tg
rank = tg.parallel.world().rank
p = tg.Tensor(np.full(2, rank), requires_grad=True, dtype="d")
p.grad = np.full(2, 1.0 + rank)
average, broadcast = tg.parallel.average_gradients, tg.parallel.broadcast
for first, second in ((average, broadcast), (broadcast, average)):
    try:
        (second if rank else first)([p])
    except RuntimeError as error:
        print(f"{rank} {error}\\n", end="", flush=True)
assert (p.data == rank).all() and (p.grad == 1 + rank).all()
average([p])
assert (p.grad == 1.5).all()
"""


def test_different_calls_in_two_processes_are_an_error_in_both():
    code, output = run_under_mpi(["-c", OTHER_CALLS])
    assert code == 0, output
    names = ["average_gradients", "broadcast"]
    for own, other in (names, names[::-1]):
        for rank in range(2):
            expected = f"{own}: expected the same call in every process, got {other} in process"
            assert f"{rank} {expected} {1 - rank}; call the functions" in output


ENDING = """
import sys, time, tinygrad_rnn as tg
world, layer = tg.parallel.world(), tg.nn.Linear(2, 1, rng=0)
layer(tg.Tensor([1.0, 2.0])).backward()
for step in range({steps}):
    tg.parallel.average_gradients(layer.parameters())
print("before", flush=False)
if world.rank == 1:
    {end}
{wait}
print("after")
"""
AVERAGE = "tg.parallel.average_gradients(layer.parameters())"


@pytest.mark.parametrize(
    ("steps", "end", "wait", "message"),
    [
        (0, "raise ValueError('bad data')", AVERAGE, "ValueError: bad data"),
        (2, "raise ValueError('bad data')", "world.barrier()", "ValueError: bad data"),
        (2, "raise KeyboardInterrupt", "time.sleep(60)", "KeyboardInterrupt"),
        (0, "sys.exit('bad data')", AVERAGE, "bad data\n"),
        (
            2,
            "sys.exit()",
            "tg.parallel.broadcast(layer.parameters())",
            "RuntimeError: broadcast: expected a call in every process, "
            "got none in process 1, which has ended",
        ),
        (
            0,
            "tg.parallel.average_gradients(layer.parameters(), 3)",
            AVERAGE,
            "TypeError: average_gradients: argument communicator: ",
        ),
    ],
)
def test_a_process_that_ends_early_ends_all_with_its_message(steps, end, wait, message):
    code, output = run_under_mpi(["-c", ENDING.format(end=end, wait=wait, steps=steps)], 3)
    assert code != 0
    assert message in output
    assert "after" not in output
    assert "before" in output


def test_processes_that_end_at_different_times_end_well():
    code, output = run_under_mpi(
        ["-c", ENDING.format(end="pass", wait="time.sleep(world.rank / 4)", steps=1)], 3
    )
    assert (code, output.count("before"), output.count("after")) == (0, 3, 3)
    assert len("".join(output.split())) == 3 * len("beforeafter")


def test_some_processes_may_average_among_themselves_after_another_has_ended():
    script = """
import sys, time, numpy as np, tinygrad_rnn as tg
world = tg.parallel.world()
pair = world.Split(world.rank < 2)
if world.rank == 2:
    sys.exit()
time.sleep(0.5)
w = tg.Tensor(np.ones(2), requires_grad=True)
w.grad = np.full(2, float(world.rank))
tg.parallel.average_gradients([w], pair)
assert w.grad.tolist() == [0.5, 0.5]
"""
    code, output = run_under_mpi(["-c", script], 3)
    assert code == 0, output


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
