"""The NumPy text of programs: it computes what the programs mean, in arrays that it reuses."""

import gc
import platform
import weakref

import numpy as np
import pytest
from helpers import mostly_studies
from programs import Builder, gru_step, program_by_chance, rnn_step, roll

from tinygrad_rnn.compile import numpy_text
from tinygrad_rnn.compile.instructions import Place, interpret
from tinygrad_rnn.compile.numpy_text import write_numpy


def check_equal(ours, theirs, source):
    """Assert equal types, shapes and, up to rounding, numbers."""
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(b, int | float | bool) and not isinstance(b, np.generic):
            assert type(a) is type(b), source
            assert a == pytest.approx(b, rel=1e-12), source
            continue
        assert isinstance(a, np.ndarray), source
        assert (a.dtype, a.shape) == (b.dtype, b.shape), source
        near = {"float64": 1e-10, "float32": 1e-3, "float16": 0.1}.get(str(a.dtype), 0)
        np.testing.assert_allclose(
            a.astype(float), b.astype(float), rtol=near, atol=near, err_msg=source
        )


@pytest.mark.parametrize("block", mostly_studies(range(20), 8))
def test_programs_by_chance_give_what_they_mean(block, monkeypatch):
    """In every second block all arrays count as large, so that dead ones are deleted."""
    if block % 2:
        monkeypatch.setattr(numpy_text, "LARGE", 0)
    for seed in range(block * 25, block * 25 + 25):
        check_program(*program_by_chance(seed))


def check_program(program, first, second):
    """Assert that a text is right, that it leaves its inputs alone, and that its results last."""
    with np.errstate(all="ignore"):
        written = write_numpy(program)
        expected, given = interpret(program, first), [np.copy(x) for x in first]
        ours = written.run(*first)
        check_equal(ours, expected, written.source)
        for a, b in zip(given, first, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=written.source)
        kept = [np.copy(y) for y in ours]
        check_equal(written.run(*second), interpret(program, second), written.source)
        for i, (a, b) in enumerate(zip(kept, ours, strict=True)):
            np.testing.assert_array_equal(a, b, err_msg=written.source)
            if isinstance(b, np.ndarray):
                for other in [*first, *ours[:i]]:
                    assert not np.shares_memory(b, other) or not b.size, written.source
                b[...] = 0  # no one else's array, and it may be written


RNN = """
def step(x, h_0, W, U):
    # x    float64 (5, 2, 3)
    # h_0  float64 (2, 4)
    # W    float64 (3, 4)
    # U    float64 (4, 4)
    T = 5
    xW = np.dot(x.reshape(10, 3), W).reshape(5, 2, 4)

    # through time, step by step
    hs = np.empty((T + 1, 2, 4), np.float64)
    hs[0] = h_0
    for t in range(T):
        h_prev = hs[t]
        h = np.tanh(xW[t] + h_prev.dot(U), out=hs[t + 1])         # h = tanh(x W + h U)

    # for all steps at once
    zero = np.zeros((2, 4), np.float64)
    U_T = U.T

    # back through time
    dU = np.zeros((4, 4), np.float64)
    dh_next = zero
    for t in reversed(range(T)):
        h = hs[t + 1]
        dh = one + dh_next
        slope = one - h * h
        da = dh * slope                                           # da = dh (1 - h^2)
        dh_prev = da.dot(U_T)
        product = hs[t].T.dot(da)
        dU += product
        dh_next = dh_prev

    return (hs[1:], dU)
"""


def test_a_plain_rnn_and_its_backpropagation_read_like_a_textbook():
    program, inputs = rnn_step(5, 2, 3, 4)
    source = write_numpy(program).source
    assert source[source.index("\ndef step") :] == RNN
    check_program(program, inputs, inputs)


def test_straight_lines_are_expressions():
    b = Builder()
    x, w = b.input("x", np.ones((2, 3))), b.input("w", np.ones(3))
    y = b("subtract", b("multiply", b("add", x, 1.0), w), b("negative", w), name="y")
    z = b("sum", b("power", y, 2), axis=(0, 1), keepdims=False, name="z")
    program, inputs = b.program(y, z, x, y)
    source = write_numpy(program).source
    assert source[source.index("    y =") :] == (
        "    y = (x + 1.0) * w - -w\n"
        "    z = (y ** 2).sum()\n\n"
        "    return (y, np.array(z), x.copy(), y.copy())\n"
    )
    check_program(program, inputs, inputs)


def test_transposed_arrays_are_written_shortly():
    b = Builder()
    x = b.input("x", np.ones((2, 3, 4)))
    orders = [(2, 1, 0), (0, 2, 1), (1, 0, 2)]
    program, inputs = b.program(*[b("negative", b("transpose", x, axes=axes)) for axes in orders])
    source = write_numpy(program).source
    for text in ("= -x.T\n", "= -x.mT\n", "= -x.transpose(1, 0, 2)\n"):
        assert text in source
    check_program(program, inputs, inputs)


def test_what_a_loop_keeps_is_written_into_arrays_that_are_made_before_it(monkeypatch):
    """An array that nothing reads any more is deleted, so that malloc has its memory again."""
    monkeypatch.setattr(numpy_text, "LARGE", 1 << 17)
    program, inputs = gru_step(32, 16, 64, 32)
    source = write_numpy(program).source
    for loop in source.split("    for t in ")[1:]:
        body = loop[: loop.index("\n\n")]
        assert "np.empty" not in body
        assert "] = " not in body
        assert "out=" in body
    assert "    del xW\n" in source
    check_program(program, inputs, [x * 0.5 for x in inputs])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc's malloc")
def test_calls_of_a_program_cost_no_page_faults():
    import resource  # Windows has none

    program, inputs = gru_step(32, 16, 64, 32)
    run = write_numpy(program).run
    for _ in range(3):
        run(*inputs)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        run(*inputs)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 200


def test_numbers_in_a_loop_are_arrays_that_are_made_once():
    """NumPy computes faster with an array of the right type than with a Python number."""
    b = Builder()
    h_0 = b.input("h_0", np.ones((2, 3), np.float32))
    with b.loop(3, (), [("h", h_0)]) as (loop, h):
        loop.states.append(b("multiply", b("add", h, 1), 0.25))
    program, inputs = b.program(program_loop(b).states[0].last)
    source = write_numpy(program).source
    assert "one = np.array(1, np.float32)\nnumber_0_25 = np.array(0.25, np.float32)\n" in source
    assert "h = (h + one) * number_0_25" in source
    check_program(program, inputs, [x * 2 for x in inputs])


def test_two_states_may_change_places():
    b = Builder()
    x, y = b.input("x", np.ones(2)), b.input("y", np.zeros(2))
    with b.loop(3, (), [("p", x), ("q", y)]) as (loop, p, q):
        loop.states += [q, p]
    program, inputs = b.program(*[state.last for state in program_loop(b).states])
    assert "p, q = q, p" in write_numpy(program).source
    check_program(program, inputs, [x * 2 for x in inputs])


def program_loop(b):
    """Return the last line of a program, which is a loop."""
    return b.lines[-1]


def test_what_a_program_expects_must_hold():
    b = Builder()
    x = b.input("x", np.ones(2))
    b("expect", b("all", b("greater", x, 0), axis=(0,), keepdims=False))
    program, inputs = b.program(b("square", x))
    run = write_numpy(program).run
    np.testing.assert_array_equal(run(*inputs)[0], [1, 1])
    with pytest.raises(run.__globals__["Expected"]):
        run(-inputs[0])


def test_a_program_leaves_no_cycle_behind():
    """Its helper functions are gone as soon as the function is."""
    b = Builder()
    x = b.input("x", np.ones(3))
    settings = {"function": roll, "positional": [Place(0)], "named": {"by": 1}}
    program, inputs = b.program(b("call", x, **settings))
    run = write_numpy(program).run
    np.testing.assert_array_equal(run(*inputs)[0], [1, 1, 1])
    helper = weakref.ref(run.__globals__["roll"])
    gc.disable()
    try:
        del run
        assert helper() is None
    finally:
        gc.enable()


def test_a_source_runs_on_its_own():
    program, inputs = rnn_step(3, 2, 2, 2)
    written, space = write_numpy(program), {}
    exec(written.source, space)
    for a, b in zip(space["step"](*inputs), written.run(*inputs), strict=True):
        np.testing.assert_array_equal(a, b)
