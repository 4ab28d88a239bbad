"""The passes keep what a program computes, and leave the lines that they should."""

import numpy as np
import pytest
from helpers import mostly_studies
from random_programs import Chance, count, gru, inputs_of, loops, run, validate, variable

from tinygrad_rnn.compile import matrix_layout
from tinygrad_rnn.compile.algebra import regroup_sums, separate_coefficients
from tinygrad_rnn.compile.composed_views import compose_views
from tinygrad_rnn.compile.constants import fold_constants
from tinygrad_rnn.compile.instructions import Instruction, Loop, Program, State, Variable, walk
from tinygrad_rnn.compile.joined_products import join_products, join_sums_of_products
from tinygrad_rnn.compile.matrix_layout import lay_out_matrices
from tinygrad_rnn.compile.motion import hoist_along_time, hoist_invariants, sink_along_time
from tinygrad_rnn.compile.parts_of_products import split_products
from tinygrad_rnn.compile.passes import CLEANING, PASSES, optimize
from tinygrad_rnn.compile.rewriting import copied, sort_lines, write
from tinygrad_rnn.compile.siblings import join_siblings
from tinygrad_rnn.compile.simplify import (
    eliminate_dead_code,
    propagate_copies,
    share_common_subexpressions,
)
from tinygrad_rnn.compile.slices import join_slices, stack_joined
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
def test_random_programs_compute_the_same(first, agree, monkeypatch):
    monkeypatch.setattr(matrix_layout, "SMALL", 2)
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
    assert [count(loop.body, "matmul") for loop in (forward, backward)] == [2, 2]
    assert len(backward.body) == 11
    assert not backward.sums


def test_the_backward_loop_of_a_gru_has_no_local_derivatives():
    *_, backward = loops(optimize(gru()))
    assert functions(backward.body) == [
        "add", "multiply", "matmul", "multiply", "multiply", "multiply", "multiply",
        "concatenate", "matmul", "add", "add",
    ]  # fmt: skip


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


def test_constants(agree):
    p = Build()
    number = p.multiply(p.add(1, 0.5), 2)
    y = p.multiply(p.input(2, dtype="float32"), number)
    program = p.program(y, number)
    new = agree(fold_constants, program)
    assert new.lines[-1].args[1] == 3.0
    assert new.outputs == program.outputs


def test_a_division_by_zero_is_left_to_the_run():
    p = Build()
    number = p.divide(1, 0)
    assert functions(fold_constants(p.program(number)).lines) == ["divide"]


def test_an_array_of_one_value_is_a_number(agree):
    p = Build()
    x, single = p.input(2, 3, dtype="float32"), np.dtype("float32")
    seed = p.divide(p.astype(1, dtype=single), 12)
    spread = p.copy(p.broadcast_to(p.reshape(seed, shape=(1, 1)), shape=(2, 3)))
    turned = p.negative(spread)
    ys = [p.multiply(turned, x), p.add(x, p.zeros(shape=(2, 3), dtype=single))]
    ys += [p.sum(turned, axis=(0,), keepdims=True), p.add(seed, p.input(2, 3)), p.add(seed, 1.5)]
    new = agree(fold_constants, p.program(*ys), rounding=0)
    for rewrite in CLEANING:
        new = rewrite(new)
    made = {line.out: line for line in new.lines}
    first, second, third, fourth, fifth = (made[y] for y in ys)
    assert first.args == (-0.083333336, x)
    assert second.args == (x, 0)
    assert made[third.args[0]].function == "broadcast_to"
    assert isinstance(fourth.args[0], Variable)  # the other array is in double precision
    assert (fifth.function, fifth.args) == ("astype", (1.5833334,))


def test_a_division_of_arrays_of_one_value_by_zero_is_left_to_the_run():
    p = Build()
    y = p.divide(p.astype(1, dtype=np.dtype("float32")), 0)
    assert functions(fold_constants(p.program(y)).lines) == ["astype", "divide"]


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
    new = eliminate_dead_code(agree(compose_views, p.program(twice, flat)))
    assert functions(new.lines) == ["transpose", "reshape"]
    assert new.lines[0].settings == {"axes": (2, 0, 1)}


def test_slices_come_last(agree):
    p = Build()
    x = p.input(2, 3, 4)
    columns = p.index(x, index=(..., slice(1, 3)))
    turned = p.transpose(columns, axes=(2, 0, 1))
    rows = p.reshape(columns, shape=(6, 2))
    twice = p.index(p.index(columns, index=(..., slice(1, 2))), index=slice(1, 2))
    mixed = p.reshape(columns, shape=(12,))
    new = eliminate_dead_code(agree(compose_views, p.program(turned, rows, twice, mixed)))
    assert functions(new.lines) == [
        "index", "transpose", "index", "reshape", "index", "index", "index", "reshape",
    ]  # fmt: skip
    made = {line.out: line for line in new.lines}
    assert made[made[rows].args[0]].settings == {"shape": (6, 4)}
    assert made[twice].settings == {"index": (slice(None), slice(None), slice(2, 3))}


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


def test_a_product_that_is_only_stacked_sinks(agree):
    p = Build(4)
    x, h, w, b = p.slice(3, 2), p.state(3, 2), p.input(2, 5), p.input(5)
    new = p.add(h, x)
    p.next(new)
    p.stack(p.tanh(p.add(p.matmul(new, w), b)))
    loop, *after = propagate_copies(agree(sink_along_time, p.program())).lines
    assert functions(loop.body) == ["add"]
    assert [kept for kept, _ in loop.stacks] == [new]
    assert functions(after)[:5] == ["reshape", "matmul", "reshape", "add", "tanh"]


def test_what_the_loop_reads_does_not_sink(agree):
    p = Build(4)
    h, w = p.state(3, 2), p.input(2, 2)
    product = p.matmul(h, w)
    p.stack(product)
    p.next(p.tanh(product))
    (loop,) = agree(sink_along_time, p.program()).lines
    assert functions(loop.body) == ["matmul", "tanh"]


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


# -- products --------------------------------------------------------------------------------------


def test_a_product_with_a_concatenation_is_split(agree):
    p = Build(3)
    x, h, w = p.slice(2, 3), p.state(2, 4), p.input(7, 4)
    p.next(p.tanh(p.matmul(p.concatenate(x, h, axis=-1), w)))
    new = agree(split_products, p.program())
    for rewrite in (hoist_invariants, hoist_along_time, eliminate_dead_code):
        new = rewrite(new)
    *before, loop = new.lines
    assert count(before, "matmul") == 1
    assert functions(loop.body) == ["matmul", "add", "tanh"]


def test_a_cell_with_one_weight_for_input_and_state(agree):
    p = Build(3)
    x, h, w = p.slice(2, 3), p.state(2, 4), p.input(7, 8)
    both = p.matmul(p.concatenate(x, h, axis=-1), w)
    gates = [p.tanh(p.index(both, index=(..., slice(k, k + 4)))) for k in (0, 4)]
    p.next(p.add(*gates))
    *before, loop = agree(optimize, p.program()).lines
    assert (count(before, "matmul"), count(loop.body, "matmul")) == (1, 1)
    assert count(loop.body, "concatenate") == 0


def test_a_product_that_is_read_in_slices_is_split(agree):
    p = Build(3, reverse=True)
    g, w = p.state(2, 3), p.input(3, 5)
    both = p.matmul(p.tanh(g), w)
    p.stack(p.index(both, index=(..., slice(0, 2))))
    p.next(p.index(both, index=(slice(None), slice(2, 5))))
    new = agree(split_products, p.program())
    for rewrite in (hoist_invariants, sink_along_time, eliminate_dead_code):
        new = rewrite(new)
    *_, loop = [line for line in new.lines if isinstance(line, Loop)]
    assert functions(loop.body) == ["tanh", "matmul"]
    assert count(new.lines, "matmul") == 2


def test_products_of_a_state_are_joined(agree):
    p = Build(3)
    h, w, u = p.state(2, 3), p.input(3, 3), p.input(3, 3)
    p.next(p.tanh(p.multiply(p.matmul(h, w), p.matmul(h, u))))
    *before, loop = agree(lambda q: hoist_invariants(join_products(q)), p.program()).lines
    assert functions(before) == ["concatenate"]
    assert functions(loop.body) == ["matmul", "index", "index", "multiply", "tanh"]


def test_slices_of_one_weight_are_not_copied(agree):
    p = Build(3)
    h, w = p.state(2, 3), p.input(6, 3)
    parts = [p.transpose(p.index(w, index=slice(k, k + 3)), axes=(1, 0)) for k in (3, 0)]
    p.next(p.tanh(p.multiply(*(p.matmul(h, part) for part in parts))))

    def joined(q):
        q = share_common_subexpressions(compose_views(hoist_invariants(q)))
        q = join_products(q)
        return eliminate_dead_code(hoist_invariants(q))

    *before, loop = agree(joined, p.program()).lines
    assert functions(before) == ["transpose"]
    assert count(loop.body, "matmul") == 1


def test_products_before_a_loop_are_joined_if_that_costs_little(agree):
    p = Build()
    x, small, large = p.input(50, 3), p.input(3, 4), p.input(3, 400)
    few = p.program(p.matmul(x, small), p.matmul(x, p.exp(small)))
    assert count(agree(join_products, few).lines, "matmul") == 1
    p.top = []
    many = p.program(p.matmul(x, large), p.matmul(x, p.exp(large)))
    assert count(agree(join_products, many).lines, "matmul") == 2


def test_products_that_depend_on_each_other_are_not_joined(agree):
    p = Build()
    x, w = p.input(2, 2), p.input(2, 2)
    first = p.matmul(x, w)
    new = agree(join_products, p.program(p.matmul(x, first)))
    assert count(new.lines, "matmul") == 2


def test_lines_are_sorted_and_a_circle_is_an_error():
    a, b, c = variable(), variable(), variable()
    lines = [Instruction("exp", (x,), {}, y) for x, y in ((b, c), (a, b))]
    assert sort_lines(lines) == lines[::-1]
    lines.append(Instruction("exp", (c,), {}, a))
    with pytest.raises(ValueError, match="order"):
        sort_lines(lines)


def test_a_sum_of_products_is_one_product(agree):
    p = Build(3, reverse=True)
    g, a, b, w = p.state(2, 3), p.slice(3), p.slice(3), p.input(6, 3)
    parts = [p.index(w, index=slice(k, k + 3)) for k in (0, 3)]
    terms = [p.matmul(p.multiply(g, c), part) for c, part in zip((a, b), parts, strict=True)]
    p.next(p.add(p.add(terms[1], g), terms[0]))
    new = agree(
        lambda q: eliminate_dead_code(join_sums_of_products(hoist_invariants(q))), p.program()
    )
    (loop,) = new.lines  # the weight is whole again
    assert functions(loop.body) == ["multiply", "multiply", "concatenate", "matmul", "add"]


def test_the_parts_of_a_concatenation_are_stacked_together(agree):
    p = Build(3)
    h, x = p.state(2, 2), p.slice(2, 2)
    a, b = p.tanh(h), p.add(h, x)
    both = p.concatenate(a, b, axis=1)
    p.next(p.matmul(both, p.input(4, 2)))
    p.stack(a)
    p.stack(b)
    loop, *after = agree(stack_joined, p.program()).lines
    assert [x for x, _ in loop.stacks] == [both]
    assert functions(after) == ["index", "index"]


def test_a_concatenation_of_slices_is_the_array(agree):
    p = Build()
    x, y = p.input(2, 6), p.input(2, 1)
    parts = [p.index(x, index=(..., slice(k, k + 2))) for k in (0, 2, 4)]
    whole, more = p.concatenate(*parts, axis=1), p.concatenate(y, *parts[1:], axis=1)
    new = agree(join_slices, p.program(p.exp(whole), more))
    for rewrite in CLEANING:
        new = rewrite(new)
    assert functions(new.lines) == ["index", "concatenate", "exp"] or functions(new.lines) == [
        "exp", "index", "concatenate",
    ]  # fmt: skip
    assert len(new.lines[-1].args) in (1, 2)


# -- siblings --------------------------------------------------------------------------------------


def cleaned(program):
    for rewrite in (join_slices, hoist_along_time, *CLEANING):
        program = rewrite(program)
    return program


def columns(p, x, width=2):
    return [p.index(x, index=(..., slice(k, k + width))) for k in range(0, x.shape[-1], width)]


def test_gates_that_are_neighbours_are_computed_together(agree):
    p = Build(3)
    h, w, x = p.state(2, 2), p.input(2, 6), p.input(3, 2, 6)
    parts = [write(p.top, "index", x, index=(..., slice(k, k + 2))) for k in (0, 2, 4)]
    slices = [variable(2, 2, name=name) for name in "rzn"]
    p.loop.slices += zip(slices, parts, strict=True)
    gates = [p.add(*pair) for pair in zip(columns(p, p.matmul(h, w)), slices, strict=True)]
    r, z = (p.reciprocal(p.add(1, p.exp(p.negative(gate)))) for gate in gates[:2])
    n = p.tanh(gates[2])
    p.next(p.add(p.multiply(n, r), p.multiply(z, h)))
    p.stack(r)
    p.stack(z)
    program = p.program()
    program.outputs[1:] = [write(program.lines, "multiply", *program.outputs[1:])]
    loop, *after = agree(lambda q: cleaned(join_siblings(q)), program).lines
    assert [f for f in functions(loop.body) if f != "index"] == [
        "matmul", "add", "negative", "exp", "add", "reciprocal", "tanh", "multiply", "multiply",
        "add",
    ]  # fmt: skip
    assert ([y.shape for y, _ in loop.stacks], functions(after)) == (
        [(2, 4)], ["index", "index", "multiply"],
    )  # fmt: skip


def test_biases_of_their_own_are_put_side_by_side(agree):
    p = Build()
    x, w = p.input(9, 3), p.input(3, 4)
    gates = columns(p, p.matmul(x, w))
    ys = [p.exp(p.add(gate, p.input(2))) for gate in gates]
    new = agree(lambda q: cleaned(join_siblings(q)), p.program(p.multiply(*ys)))
    assert functions(new.lines) == [
        "matmul", "concatenate", "add", "exp", "index", "index", "multiply",
    ]  # fmt: skip


def test_sums_of_columns_are_columns_of_one_sum(agree):
    p = Build()
    parts = columns(p, p.exp(p.input(3, 4)))
    sums = [p.sum(part, axis=(0,), keepdims=False) for part in parts]
    kept = [p.sum(part, axis=(1,), keepdims=True) for part in parts]
    program = p.program(p.negative(p.concatenate(*sums, axis=0)), p.add(*kept))
    new = agree(lambda q: cleaned(join_siblings(q)), program)
    assert functions(new.lines).count("sum") == 3
    assert functions(new.lines)[-1] == "add"
    assert count(new.lines, "concatenate") == 0


APART = {
    "functions": lambda p, a, b, x: [p.exp(a), p.tanh(b)],
    "orders": lambda p, a, b, x: [p.subtract(1, a), p.subtract(b, 1)],
    "numbers": lambda p, a, b, x: [p.add(a, 1), p.add(b, 1.0)],
    "the same argument": lambda p, a, b, x: [p.multiply(a, x), p.multiply(b, x)],
    "the axis of a sum": lambda p, a, b, x: [p.sum(y, axis=(1,), keepdims=True) for y in (a, b)],
    "the order of columns": lambda p, a, b, x: [p.add(a, b), p.add(b, a)],
}


@pytest.mark.parametrize("kind", APART)
def test_columns_that_do_not_fit_together_stay_apart(kind, agree):
    p = Build()
    parts = APART[kind](p, *columns(p, p.input(3, 4)), p.input(3, 2))
    program = p.program(p.concatenate(*parts, axis=1))
    new = agree(join_siblings, program)
    assert functions(new.lines) == functions(program.lines)


def test_outputs_and_what_is_reshaped_stay_arrays_of_their_own(agree):
    p = Build()
    x = p.input(3, 4)
    rows = [p.reshape(p.exp(y), shape=(6,)) for y in columns(p, x)]
    program = p.program(p.add(*rows), *[p.tanh(y) for y in columns(p, x)])
    new = agree(join_siblings, program)
    assert functions(new.lines) == functions(program.lines)


@pytest.mark.parametrize(("size", "copies"), [(63, 0), (64, 1)])
def test_a_large_transposed_matrix_is_copied_before_the_loop(size, copies, agree):
    p = Build(2)
    h, w = p.state(2, size), p.input(size, size)
    p.next(p.tanh(p.matmul(h, p.transpose(w, axes=(1, 0)))))
    new = agree(lambda q: lay_out_matrices(hoist_invariants(q)), p.program())
    assert functions(new.lines) == ["transpose", *["copy"] * copies, "loop"]
