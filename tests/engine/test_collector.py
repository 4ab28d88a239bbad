"""The garbage collector is paused in scans and backward passes, and always resumes."""

import gc
import threading

import numpy as np
import pytest
from internals import collector_paused

import tinygrad_rnn as tg


@pytest.fixture(autouse=True)
def enabled_collector():
    """Run each test with the collector on, and turn it on again afterwards."""
    assert gc.isenabled()
    yield
    gc.enable()


def test_the_collector_is_off_in_the_block_and_on_after_it():
    with collector_paused():
        assert not gc.isenabled()
    assert gc.isenabled()


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_the_collector_resumes_after_an_error(kind):
    with pytest.raises(kind), collector_paused():
        raise kind
    assert gc.isenabled()


def test_only_the_outermost_block_resumes_the_collector():
    with collector_paused():
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_collector_that_the_user_turned_off_stays_off():
    gc.disable()
    with collector_paused():
        assert not gc.isenabled()
    assert not gc.isenabled()


@pytest.mark.parametrize("first_to_end", [0, 1])
def test_the_collector_is_on_after_overlapping_blocks_of_two_threads(first_to_end):
    entered, may_end = [threading.Event() for _ in range(2)], [threading.Event() for _ in range(2)]

    def pause(i):
        with collector_paused():
            entered[i].set()
            may_end[i].wait(10)

    threads = [threading.Thread(target=pause, args=(i,)) for i in range(2)]
    for i in range(2):
        threads[i].start()
        assert entered[i].wait(10)
    assert not gc.isenabled()
    for i in (first_to_end, 1 - first_to_end):
        may_end[i].set()
        threads[i].join(10)
    assert gc.isenabled()


def test_the_collector_is_on_after_many_blocks_in_several_threads():
    def pause():
        for _ in range(2000):
            with collector_paused():
                pass

    threads = [threading.Thread(target=pause) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert gc.isenabled()


# -- the users of the block ------------------------------------------------------------------------


def test_a_scan_pauses_the_collector():
    seen = []

    def cell(x, h):
        seen.append(gc.isenabled())
        return h + x, h + x

    tg.scan(cell, np.ones(3, "f4"), tg.Tensor(0.0))
    assert seen == [False] * 3
    assert gc.isenabled()


def test_the_collector_resumes_after_a_scan_whose_cell_fails():
    def cell(x, h):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tg.scan(cell, np.ones(3, "f4"), tg.Tensor(0.0))
    assert gc.isenabled()


@pytest.fixture
def watched(restored_registry):
    """Return an op, and a list in which its rule notes whether the collector is on."""
    seen = []

    @tg.op("same({a})")
    def same(a):
        return np.positive(a)

    return same.vjps(a=lambda g, y, a: (seen.append(gc.isenabled()), g)[1]), seen


PASSES = {
    "backward": lambda op, x: op(x).backward(),
    "grad": lambda op, x: tg.grad(op(x), x),
    "grad with a graph": lambda op, x: tg.grad(op(x), x, create_graph=True),
    "vjp": lambda op, x: tg.vjp(op, x)[1](1.0),
    "jvp": lambda op, x: tg.jvp(op, x, 1.0),
    "jacobian": lambda op, x: tg.jacobian(op, x),
    "hvp": lambda op, x: tg.hvp(op, x, 1.0),
}


@pytest.mark.parametrize("name", PASSES)
def test_a_backward_pass_pauses_the_collector(name, watched):
    op, seen = watched
    PASSES[name](op, tg.Tensor(2.0, requires_grad=True))
    assert set(seen) == {False}
    assert gc.isenabled()


@pytest.mark.parametrize("name", PASSES)
def test_the_collector_resumes_after_a_rule_that_fails(name, restored_registry):
    @tg.op("same({a})")
    def same(a):
        return np.positive(a)

    def fail(g, y, a):
        raise ZeroDivisionError

    same.vjps(a=fail)
    with pytest.raises(ZeroDivisionError):
        PASSES[name](same, tg.Tensor(2.0, requires_grad=True))
    assert gc.isenabled()
