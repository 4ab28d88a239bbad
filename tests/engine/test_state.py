"""Threads, tasks, forks and copies get what each would get alone, and no global random numbers."""

import asyncio
import copy
import pickle
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers import TEXT, array_bits, train_and_sample
from internals import Architecture, Options, Trainer, backward, plain_scope

import tinygrad_rnn as tg
from tinygrad_rnn import nn

# -- threads and tasks -----------------------------------------------------------------------------


@pytest.mark.usefixtures("fast_thread_switches")
@pytest.mark.parametrize("compile", [False, True], ids=["as it is", "compiled"])
def test_models_trained_at_once_are_those_trained_one_after_the_other(compile):
    cells = ("lstm", "gru", "gru") if compile else ("rnn", "gru", "lstm", "gru")
    runs = [partial(train_and_sample, seed, cell, compile) for seed, cell in enumerate(cells)]
    alone = [run() for run in runs]
    with ThreadPoolExecutor(4) as pool:
        together = [future.result() for future in [pool.submit(run) for run in runs]]
    assert together == alone
    assert len({text for _, text in alone}) == len(cells)


def test_models_trained_in_tasks_that_take_turns_are_those_trained_one_after_the_other():
    async def run(seed, turns):
        with tg.scope("task", seed):
            gru, x = (
                nn.GRU(3, 4, rng=seed),
                np.random.default_rng(seed).standard_normal((5, 2, 3)).astype("f4"),
            )
            optimizer = tg.optim.Adam(gru.parameters())
            for _ in range(5):
                output, _ = gru(x)
                await asyncio.sleep(0)
                with tg.no_grad():
                    await asyncio.sleep(0)
                    assert not gru(x)[0].requires_grad
                assert plain_scope(output.node.scope)[:2] == ("task", seed)
                (output**2).sum().backward()
                await asyncio.sleep(0)
                optimizer.step()
                optimizer.zero_grad()
                turns.append(seed)
            return array_bits(gru.state_dict())

    async def both(turns):
        return await asyncio.gather(run(0, turns), run(1, turns))

    turns = []
    alone = [asyncio.run(run(seed, [])) for seed in (0, 1)]
    assert asyncio.run(both(turns)) == alone
    assert turns == [0, 1] * 5


def shared_leaf(work, threads=8):
    """The .grad of one leaf after `work` in several threads, each with a number of its own."""
    leaf = tg.Tensor(np.zeros(3), requires_grad=True)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(partial(work, leaf), range(1, threads + 1)))
    return leaf.grad


def go_back(leaf, number):
    for _ in range(200):
        (leaf * number).sum().backward()


def play_back(leaf, number):
    for _ in range(50):
        list(tg.backward_steps((leaf * number).sum()))


@pytest.mark.usefixtures("fast_thread_switches")
@pytest.mark.parametrize(
    ("work", "times"), [(go_back, 200), (play_back, 50)], ids=["backward", "backward_steps"]
)
def test_no_gradient_of_a_leaf_that_threads_share_is_lost(work, times):
    """The numbers are integers, whose sums are exact in any order."""
    np.testing.assert_array_equal(shared_leaf(work), np.full(3, times * sum(range(1, 9))))


class Yielding(np.ndarray):
    """Numbers during whose addition other threads have a turn."""

    def __add__(self, other):
        time.sleep(0.001)
        return np.asarray(self) + other


def test_no_gradient_is_lost_however_long_adding_takes():
    leaf = tg.Tensor(np.zeros(2), requires_grad=True)

    def work(_):
        for _ in range(10):
            (leaf * 1.0).sum().backward()
            with backward.accumulation_lock():
                leaf.grad = leaf.grad.view(Yielding)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    np.testing.assert_array_equal(np.asarray(leaf.grad), [40, 40])


# -- forks -----------------------------------------------------------------------------------------

FORKED = """
import os, signal, sys, threading
import numpy as np
sys.path[:0] = sys.argv[1:2]
import tinygrad_rnn as tg
from tinygrad_rnn import backward
from helpers import train_and_sample

def in_child(work):
    read, write = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(30)  # a child that waits for ever would outlive the test
        try:
            os.write(write, repr(work()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said

def carried_on():
    logits, _ = model(x)
    (logits ** 2).sum().backward()
    return [p.grad.tobytes() for p in model.parameters()]

# Before, after and beside a training in the parent, with a graph begun before the fork, and while
# a thread adds gradients.
here = [train_and_sample(1), train_and_sample(2, "lstm", True)]
children = [
    in_child(lambda: train_and_sample(1)),
    in_child(lambda: train_and_sample(2, "lstm", True)),
]
assert children == [repr(found) for found in here]
model, x = tg.nn.GRU(3, 4, rng=0), np.ones((5, 2, 3), "f4")
loss = (model(x)[0] ** 2).sum()
def finish():
    loss.backward()
    return [p.grad.tobytes() for p in model.parameters()]
held, done = threading.Event(), threading.Event()
def hold():
    with backward.accumulation_lock():
        held.set()
        done.wait(60)
thread = threading.Thread(target=hold)
thread.start()
held.wait(60)
child = in_child(finish)
done.set()
thread.join()
assert all(p.grad is None for p in model.parameters())
assert child == repr(finish())
different = {in_child(lambda: tg.nn.Linear(3, 3).weight.data.tobytes()) for _ in range(3)}
assert len(different) == 3  # without a seed each process draws from entropy of its own
"""


def test_a_fork_trains_and_writes_what_its_parent_does():
    command = [sys.executable, "-W", "ignore", "-c", FORKED, str(Path(__file__).parents[1])]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (0, "")


# -- random numbers --------------------------------------------------------------------------------

GLOBAL = sorted(
    {"seed"}.union(
        name
        for name, made in vars(np.random).items()
        if getattr(made, "__self__", None) is np.random.mtrand._rand
    )
)


def everything_random():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 2, 3)).astype("f4")
    layer = nn.GRU(3, 4, 2, dropout=0.5, zoneout=0.1, rng=0)
    drawn = [
        layer(x)[0].data,
        nn.Embedding(5, 3, rng=0).weight.data,
        nn.functional.dropout(x, 0.5, rng=1).data,
    ]
    drawn += [
        getattr(nn.init, name)((3, 4), rng=0)
        for name in ("xavier_uniform", "xavier_normal", "kaiming_uniform", "orthogonal")
    ]
    return (
        [array.tobytes() for array in drawn],
        train_and_sample(0),
        train_and_sample(0, "lstm", True),
    )


def test_there_are_global_functions_to_look_for():
    assert {
        "seed",
        "rand",
        "randn",
        "normal",
        "uniform",
        "choice",
        "shuffle",
        "permutation",
        "random_sample",
    } <= set(GLOBAL)


def test_global_random_numbers_are_never_drawn_nor_set(monkeypatch):
    before = everything_random()
    for name in GLOBAL:

        def fail(*args, name=name, **kwargs):
            raise AssertionError(f"np.random.{name} was called")

        monkeypatch.setattr(np.random, name, fail)
    state = random.getstate()
    assert everything_random() == before
    nn.Linear(2, 2)  # without a seed too
    assert random.getstate() == state


# -- copies ----------------------------------------------------------------------------------------

COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda x: pickle.loads(pickle.dumps(x))}
every_copy = pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
X = np.random.default_rng(5).standard_normal((4, 2, 3)).astype("f4")


class Doubled(nn.Module):
    """A module of one's own, with one layer under two names."""

    def __init__(self):
        super().__init__()
        self.first = self.second = nn.GRU(3, 3, rng=0)

    def forward(self, x):
        return self.second(self.first(x)[0])


def gru_cell(size, rng):
    return nn.GRUCell(size, 4, rng=rng)


MODULES = {
    "linear": lambda: nn.Linear(3, 4, rng=0),
    "rnn": lambda: nn.RNN(3, 4, 2, bidirectional=True, rng=0),
    "gru that drops": lambda: nn.GRU(3, 4, 2, dropout=0.3, zoneout=0.2, rng=0),
    "lstm": lambda: nn.LSTM(3, 4, rng=0),
    "any cell": lambda: nn.Recurrent(gru_cell, 3, rng=0),
    "sequential with an op in it": lambda: nn.Sequential(
        nn.Linear(3, 4, rng=0), tg.tanh, nn.LayerNorm(4)
    ),
    "one's own": Doubled,
    "compiled": lambda: tg.compile(nn.GRU(3, 4, rng=0)),
}


def loss_of(module):
    result = module(X)
    return ((result[0] if isinstance(result, tuple) else result) ** 2).sum()


@every_copy
@pytest.mark.parametrize("make", MODULES.values(), ids=MODULES)
@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used"])
def test_a_copy_of_a_module_computes_what_it_does_and_shares_nothing(make, used, duplicate):
    module = make()
    if used:
        loss_of(module).backward()
    twin = duplicate(module)
    assert array_bits(twin.state_dict()) == array_bits(module.state_dict())
    assert len(list(twin.parameters())) == len(list(module.parameters()))
    both = list(zip(module.parameters(), twin.parameters(), strict=True))
    for a, b in both:
        assert a is not b
        assert not np.shares_memory(a.data, b.data)
        assert (a.grad is None) == (b.grad is None) == (not used)
    for each in (module, twin):
        each.zero_grad()
        loss_of(each).backward()
    for a, b in both:
        np.testing.assert_array_equal(
            a.grad, b.grad
        )  # also of what drops: its generator was copied in its state
        assert not np.shares_memory(a.grad, b.grad)
        b.data = b.data + 1
        assert not np.array_equal(a.data, b.data)


OPTIMIZERS = {
    "sgd": lambda p: tg.optim.SGD(p, lr=0.1, momentum=0.9),
    "rmsprop": lambda p: tg.optim.RMSprop(p, centered=True),
    "adam": lambda p: tg.optim.Adam(p),
    "adamw": lambda p: tg.optim.AdamW(p),
}


@every_copy
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_module_copied_with_its_optimizer_and_schedule_trains_on_alike(make, duplicate):
    module = nn.GRU(3, 4, rng=0)
    optimizer = make(module.parameters())
    schedule = tg.optim.StepLR(optimizer, 2)

    def go_on(module, optimizer, schedule):
        for _ in range(3):
            optimizer.zero_grad()
            loss_of(module).backward()
            optimizer.step()
            schedule.step()
        return array_bits(module.state_dict()), optimizer.lr

    go_on(module, optimizer, schedule)
    twins = duplicate((module, optimizer, schedule))
    before = array_bits(module.state_dict())
    went = go_on(*twins)
    assert array_bits(module.state_dict()) == before != went[0]
    assert go_on(module, optimizer, schedule) == went


@every_copy
def test_a_copy_of_a_training_trains_on_alike(duplicate):
    options = Options(epochs=2, batch_size=2, steps=7)
    trainer = Trainer(TEXT, Architecture(hidden=6, embedding=4, layers=2, dropout=0.2), options)
    left = iter(range(5))
    trainer.run(stop=lambda: next(left, None) is None)
    twin = duplicate(trainer)
    assert trainer.run()
    assert twin.batch == 5
    assert twin.run()
    assert array_bits(twin.model.state_dict()) == array_bits(trainer.model.state_dict())


@every_copy
def test_what_was_seen_of_time_can_be_copied(duplicate):
    flow, values = (
        tg.bptt.flow(loss_of(nn.GRU(3, 4, rng=0))),
        tg.bptt.values(loss_of(nn.GRU(3, 4, rng=0))),
    )
    assert repr(duplicate(flow)) == repr(flow)
    for name in flow.gradients:
        np.testing.assert_array_equal(duplicate(flow).norms(name), flow.norms(name))
    twin = duplicate(values)
    assert twin.keys() == values.keys()
    for name, array in values.items():
        np.testing.assert_array_equal(twin[name], array)


@every_copy
def test_an_op_is_itself_wherever_it_is_held(duplicate):
    for op in (tg.tanh, tg.sum, tg.concatenate):
        assert duplicate([op])[0] is op


def test_a_pickled_op_that_is_not_defined_here_is_named():
    content = pickle.dumps(tg.tanh).replace(b"tanh", b"tonh")
    with pytest.raises(
        KeyError, match=r"op: argument name: .*'tonh'; import the module that defines it first"
    ):
        pickle.loads(content)


INTERIOR = {
    "a result": lambda: loss_of(nn.GRU(3, 4, rng=0)),
    "a state": lambda: nn.GRU(3, 4, rng=0)(X)[1],
    "a result in a list": lambda: [nn.Linear(3, 4, rng=0)(X)],
    "a drawing": lambda: tg.graph(loss_of(nn.GRU(3, 4, rng=0))),
    "steps backwards": lambda: list(tg.backward_steps(loss_of(nn.Linear(3, 4, rng=0)))),
    "a result of a compiled layer": lambda: tg.compile(nn.GRU(3, 4, rng=0))(X)[0],
}


@every_copy
@pytest.mark.parametrize("make", INTERIOR.values(), ids=INTERIOR)
def test_what_holds_a_graph_cannot_be_copied_and_says_so(make, duplicate):
    with pytest.raises(
        TypeError,
        match=r"(deepcopy|pickle): argument tensor: expected a leaf, got the result of .*; "
        r"use tensor\.detach",
    ):
        duplicate(make())
