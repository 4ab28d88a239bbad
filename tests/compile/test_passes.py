"""The passes keep what a program computes, and leave the lines that they should."""

import numpy as np
import pytest
from helpers import mostly_studies
from random_programs import Chance, count, gru, inputs_of, loops, run, validate, variable

from tinygrad_rnn.compile.algebra import regroup_sums, separate_coefficients
from tinygrad_rnn.compile.instructions import Instruction, Loop, Program, State, walk
from tinygrad_rnn.compile.motion import hoist_along_time, hoist_invariants
from tinygrad_rnn.compile.passes import CLEANING, PASSES, optimize
from tinygrad_rnn.compile.rewriting import copied, write
from tinygrad_rnn.compile.simplify import (
    eliminate_dead_code,
    propagate_copies,
    share_common_subexpressions,
)
from tinygrad_rnn.compile.sums import sum_over_time


@pytest.fixture
def agree(monkeypatch):
    """Return a function that applies a pass to a copy, and checks that the results are equal."""

    def check(rewrite, program, what="", seed=0, rounding=1e-12):
        validate(program)
        values = inputs_of(program, seed)
        new = rewrite(copied(program))
        validate(new)
        expected = run(program, values, monkeypatch)
        for result, old in zip(run(new, values, monkeypatch), expected, strict=True):
            assert np.shape(result) == np.shape(old), what
            scale = max(1, np.max(np.abs(old), initial=0))
            np.testing.assert_allclose(result, old, rounding, rounding * scale, err_msg=what)
        return new

    return check


def functions(lines):
    """Return the functions of the lines in their order, and "loop" for a loop."""
    return ["loop" if isinstance(line, Loop) else line.function for line in lines]


class Build:
    """A program in the making: ``p.add(a, b)`` writes a line, in the loop once there is one."""

    def __init__(self, steps=0, reverse=False):
        self.inputs, self.top, self.outputs = [], [], []
        self.loop = Loop(steps, reverse) if steps else None

    def __getattr__(self, function):
        lines = self.loop.body if self.loop else self.top
        return lambda *args, **settings: write(lines, function, *args, **settings)

    def effect(self, function, *args, **settings):
        lines = self.loop.body if self.loop else self.top
        lines.append(Instruction(function, args, settings, variable(*settings.get("shape", ()))))
        return lines[-1].out

    def input(self, *shape, dtype="float64"):
        self.inputs.append(variable(*shape, dtype=dtype))
        return self.inputs[-1]

    def slice(self, *shape):
        inside = variable(*shape)
        self.loop.slices.append((inside, self.input(self.loop.steps, *shape)))
        return inside

    def state(self, *shape):
        inside = variable(*shape)
        self.loop.states.append(State(self.input(*shape), inside, inside, variable(*shape)))
        self.outputs.append(self.loop.states[-1].last)
        return inside

    def next(self, *values):
        for state, value in zip(self.loop.states, values, strict=True):
            state.next = value

    def stack(self, x):
        self.loop.stacks.append((x, variable(self.loop.steps, *x.shape)))
        self.outputs.append(self.loop.stacks[-1][1])

    def add_up(self, x):
        self.loop.sums.append((x, variable(*x.shape)))
        self.outputs.append(self.loop.sums[-1][1])

    def program(self, *outputs):
        lines = [*self.top, *([self.loop] if self.loop else [])]
        return Program(self.inputs, lines, [*self.outputs, *outputs])


# -- any program -----------------------------------------------------------------------------------


@pytest.mark.parametrize("first", mostly_studies(range(0, 400, 40), 3))
def test_random_programs_compute_the_same(first, agree):
    for seed in range(first, first + 40):
        program = Chance(seed).program
        for rewrite in (*dict.fromkeys(PASSES), optimize):
            agree(rewrite, program, f"{rewrite.__name__}, seed {seed}", seed)
        validate(program)  # it is as it was


def test_passes_after_each_other_compute_the_same(agree):
    for seed in range(400, 430):
        program = Chance(seed).program
        for rewrite in PASSES:
            program = agree(rewrite, program, f"{rewrite.__name__}, seed {seed}", seed)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("steps", "batch"), [(5, 3), (1, 1), (2, 0)])
def test_gru(steps, batch, dtype, agree):
    program = gru(steps, batch, dtype=dtype)
    new = agree(optimize, program, rounding=1e-12 if dtype == "float64" else 1e-5)
    forward, backward = loops(new)
    assert [count(loop.body, "matmul") for loop in loops(program)] == [6, 12]
    assert [count(loop.body, "matmul") for loop in (forward, backward)] == [3, 6]
    assert not backward.sums


def test_the_backward_loop_of_a_gru_has_no_local_derivatives():
    *_, backward = loops(optimize(gru()))
    assert not {"subtract", "tanh", "exp", "negative"}.intersection(functions(backward.body))


def test_optimize_leaves_the_program_as_it_was():
    program = gru()
    before = [(line, list(line.uses)) for line in walk(program.lines)]
    optimize(program)
    assert before == [(line, line.uses) for line in walk(program.lines)]


# -- fewer lines -----------------------------------------------------------------------------------


def test_dead_code(agree):
    p = Build(3)
    x, h, unused = p.slice(2), p.state(2), p.state(2)
    p.tanh(x)
    new = p.add(x, h)
    p.next(new, p.add(unused, 1))
    p.stack(new)
    p.stack(p.exp(x))
    p.add_up(p.negative(x))
    program = p.program()
    program.outputs = program.outputs[:1]
    (loop,) = agree(eliminate_dead_code, program).lines
    assert functions(loop.body) == ["add"]
    assert (len(loop.states), len(loop.stacks), len(loop.sums), len(loop.slices)) == (1, 0, 0, 1)


def test_effects_stay_in_their_order():
    p = Build(2)
    x, h = p.slice(), p.state()
    p.effect("expect", p.greater(x, -9))
    p.effect("draw", p.input(), shape=(2,))
    p.effect("expect", p.less(h, 9))
    *_, loop = optimize(Program(p.inputs, [p.loop], [])).lines
    assert [f for f in functions(loop.body) if f in ("expect", "draw")] == [
        "expect", "draw", "expect",
    ]  # fmt: skip


def test_copies(agree):
    p = Build()
    x, y = p.input(2, 3), p.input(2, dtype="float32")
    copy = p.multiply(p.astype(p.copy(x), dtype=np.dtype("float64")), 1)
    view = p.reshape(
        p.transpose(p.index(copy, index=(slice(None), ...)), axes=(0, 1)), shape=(2, 3)
    )
    wider = p.multiply(p.astype(y, dtype=np.dtype("float64")), 1)
    program = p.program(p.exp(view), p.add(wider, 0))
    new = agree(lambda q: eliminate_dead_code(propagate_copies(q)), program)
    assert sorted(functions(new.lines)) == ["add", "astype", "exp"]


def test_an_output_shares_no_memory_with_an_input_or_another_output(agree):
    p = Build()
    x = p.input(2)
    y = p.exp(x)
    outputs = [p.copy(x), p.copy(y), y, p.copy(p.negative(x))]
    new = agree(lambda q: eliminate_dead_code(propagate_copies(q)), p.program(*outputs))
    assert functions(new.lines) == ["exp", "copy", "copy", "negative"]


def test_a_last_state_shares_no_memory_with_the_input_that_it_is_a_step_of(agree):
    p = Build(3)
    x, _ = p.slice(2), p.state(2)
    p.next(p.copy(x))
    new = agree(lambda q: eliminate_dead_code(propagate_copies(q)), p.program())
    assert functions(loops(new)[0].body) == ["copy"]


def test_a_stack_of_slices_and_a_state_that_stays(agree):
    p = Build(3)
    x, h, g = p.slice(2), p.state(2), p.state(2)
    p.next(h, p.add(p.multiply(g, h), x))
    p.stack(x)
    program = p.program()
    whole = program.outputs.pop()
    program.outputs.append(write(program.lines, "exp", whole))
    loop, _ = agree(lambda q: eliminate_dead_code(propagate_copies(q)), program).lines
    assert (len(loop.states), len(loop.stacks)) == (1, 0)


def test_a_stack_of_what_does_not_change_is_not_read(agree):
    p, q = Build(3), Build(3, reverse=True)
    w, h, g = p.input(2), p.state(2), q.state(2)
    p.next(p.multiply(h, w))
    p.stack(w)
    again = variable(2)
    q.loop.slices.append((again, p.outputs.pop()))
    q.next(q.multiply(g, again))
    program = Program([*p.inputs, *q.inputs], [p.loop, q.loop], [*p.outputs, *q.outputs])
    new = agree(lambda r: eliminate_dead_code(propagate_copies(r)), program)
    assert [(len(loop.stacks), len(loop.slices)) for loop in loops(new)] == [(0, 0), (0, 0)]


def test_views_are_composed(agree):
    p = Build()
    x = p.input(2, 3, 4)
    twice = p.transpose(p.transpose(x, axes=(1, 2, 0)), axes=(1, 2, 0))
    flat = p.reshape(p.reshape(x, shape=(6, 4)), shape=(24,))
    new = eliminate_dead_code(agree(propagate_copies, p.program(twice, flat)))
    assert functions(new.lines) == ["transpose", "reshape"]
    assert new.lines[0].settings == {"axes": (2, 0, 1)}


def test_common_subexpressions(agree):
    p = Build(2)
    a, h, g = p.input(3), p.state(3), p.state(3)
    x = p.slice(3)
    again = variable(3)
    p.loop.slices.append((again, p.loop.slices[0][1]))
    one = p.add(p.exp(x), a)
    two = p.add(a, p.exp(again))
    p.next(p.multiply(p.add(h, one), 1.0), p.multiply(p.add(g, two), 1))
    p.loop.states[1].start = p.loop.states[0].start
    for y in (one, two):
        p.stack(y)
        p.add_up(y)
    (loop,) = agree(share_common_subexpressions, p.program()).lines
    # 1 and 1.0 are different numbers: so are the states
    assert functions(loop.body) == ["exp", "add", "add", "multiply", "add", "multiply"]
    assert (len(loop.slices), len(loop.stacks), len(loop.sums)) == (1, 1, 1)


def test_draws_and_calls_are_not_shared():
    p = Build()
    x = p.input()
    ys = [p.effect("draw", x, shape=(2,)) for _ in range(2)]
    assert len(share_common_subexpressions(p.program(*ys)).lines) == 2


# -- out of loops ----------------------------------------------------------------------------------


def test_invariants_leave_all_loops_that_do_not_change_them(agree):
    inner = Build(2)
    w, h = inner.input(2, 2), inner.state(2)
    outer = Build(3)
    g = outer.state(2)
    a = inner.exp(inner.transpose(w, axes=(1, 0)))
    b = inner.tanh(g)
    inner.next(inner.add(inner.matmul(h, a), b))
    outer.loop.body.append(inner.loop)
    outer.next(inner.loop.states[0].last)
    outer.inputs += inner.inputs
    new = agree(hoist_invariants, outer.program())
    *before, loop = new.lines
    assert functions(before) == ["transpose", "exp"]
    assert functions(loop.body) == ["tanh", "loop"]
    assert functions(loop.body[1].body) == ["matmul", "add"]


@pytest.mark.parametrize("reverse", [False, True])
def test_a_product_with_the_input_becomes_one_product_of_all_rows(reverse, agree):
    p = Build(5, reverse)
    x, h, w, b = p.slice(3, 2), p.state(3, 4), p.input(2, 4), p.input(4)
    p.next(p.tanh(p.add(p.add(p.matmul(x, w), b), h)))
    new = agree(hoist_along_time, p.program())
    *before, loop = new.lines
    assert functions(before) == ["reshape", "matmul", "reshape", "add"]
    assert before[1].args[0].shape == (15, 2)
    assert functions(loop.body) == ["add", "tanh"]


def test_large_elementwise_work_stays_unless_a_product_needs_it(agree):
    p = Build(40)
    x, h, w = p.slice(40, 100), p.state(40, 2), p.input(100, 2)  # 1.28 MB over all steps
    p.next(p.add(p.add(h, p.matmul(p.exp(x), w)), p.sum(p.sin(x), axis=(1,), keepdims=True)))
    *before, loop = agree(hoist_along_time, p.program()).lines
    assert functions(before) == ["exp", "reshape", "matmul", "reshape"]
    assert functions(loop.body) == ["add", "sin", "sum", "add"]


def test_sums_of_products_are_one_product_after_the_loop(agree):
    p = Build(4, reverse=True)
    x, g, w = p.slice(3, 2), p.state(3, 5), p.input(5, 5)
    p.next(p.tanh(p.matmul(g, w)))
    p.add_up(p.matmul(p.transpose(g, axes=(1, 0)), x))
    p.add_up(p.transpose(p.matmul(p.transpose(x, axes=(1, 0)), g), axes=(1, 0)))
    p.add_up(p.sum(g, axis=(0,), keepdims=False))
    product = p.matmul(p.transpose(g, axes=(1, 0)), g)
    p.add_up(p.scatter(product, count=1, indices=[(slice(1, 6), slice(5))], shape=(6, 6)))
    new = agree(sum_over_time, p.program())
    for rewrite in CLEANING:
        new = rewrite(new)
    loop, *after = new.lines
    assert functions(loop.body) == ["matmul", "tanh"]
    assert (len(loop.sums), len(loop.stacks)) == (0, 1)
    assert count(after, "matmul") == 3
    assert all(12 in line.args[0].shape for line in after if line.function == "matmul")
    assert count(after, "sum") == 1


def test_a_long_sum_needs_no_recursion():
    p = Build(2)
    g, w = p.state(1, 1), p.input(1, 1)
    total = p.matmul(g, w)
    for _ in range(1200):
        total = p.add(total, p.matmul(g, w))
    p.add_up(total)
    loop, *after = eliminate_dead_code(sum_over_time(p.program(p.outputs.pop()))).lines
    assert (functions(loop.body), count(after, "add")) == ([], 1200)


# -- algebra ---------------------------------------------------------------------------------------


def test_terms_that_do_not_depend_on_the_state_are_added_first(agree):
    p = Build(3)
    x, h, w, b = p.slice(2, 2), p.state(2, 2), p.input(2, 2), p.input(2)
    p.next(p.tanh(p.add(p.add(p.matmul(h, w), x), b)))
    new = agree(lambda q: hoist_along_time(eliminate_dead_code(regroup_sums(q))), p.program())
    assert functions(new.lines) == ["add", "loop"]
    assert functions(new.lines[1].body) == ["matmul", "add", "tanh"]


def test_coefficients_of_a_gradient_are_local_derivatives(agree):
    p = Build(3, reverse=True)
    g, a, b, c = p.state(2), p.slice(2), p.slice(2), p.slice(2)
    left = p.multiply(p.negative(p.multiply(g, a)), b)
    p.next(p.add(p.multiply(p.subtract(left, p.multiply(c, g)), 0.5), p.multiply(g, b)))
    new = agree(lambda q: eliminate_dead_code(separate_coefficients(q)), p.program())
    *before, loop = hoist_along_time(new).lines
    assert functions(loop.body) == ["multiply"]
    assert functions(before).count("multiply") == 2
