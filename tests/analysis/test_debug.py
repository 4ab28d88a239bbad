"""`tg.debug`: errors for writes to arrays of live graphs, and for the first NaN or Inf."""

import asyncio
import gc
import threading

import numpy as np
import pytest
from internals import EAGER, NonFiniteError, WrittenError, context, toposort

import tinygrad_rnn as tg


@pytest.fixture
def w():
    return tg.Tensor(np.ones(3, np.float32), requires_grad=True, name="w")


def line_of(mark):
    """Return the number of the line of this file that ends with a mark."""
    with open(__file__, encoding="utf-8") as file:  # noqa: PTH123
        return next(n for n, line in enumerate(file, 1) if line.rstrip().endswith(f"# {mark}"))


# -- writes ----------------------------------------------------------------------------------------


def to_a_parameter(w, a):
    y = (w * a).sum()  # recorded 1
    w.data[0] = 5  # written 1
    y.backward()


def to_a_constant(w, a):
    y = (w * a).sum()  # recorded 2
    a[...] = 5  # written 2
    y.backward()


def to_a_result_as_out(w, a):
    y = tg.exp(w)  # recorded 3
    np.add(a, a, out=y.data)  # written 3
    y.sum().backward()


def by_an_operator(w, a):
    y = (w * a).sum()  # recorded 4
    a += 1  # written 4
    y.backward()


def through_what_it_is_a_view_of(w, a):
    b = np.ones((2, 3), np.float32)
    y = (w * b[0]).sum()  # recorded 5
    b[0, 1] = 7  # written 5
    y.backward()


def through_a_view_made_before(w, a):
    view = a[1:]
    y = (w * a).sum()  # recorded 6
    view[0] = 7
    y.backward()  # written 6


WRITES = {
    to_a_parameter: "w.data",
    to_a_constant: "a",
    to_a_result_as_out: "y.data",
    by_an_operator: "a",
    through_what_it_is_a_view_of: "b",
    through_a_view_made_before: "through a view that was made before",
}


@pytest.mark.parametrize(
    ("number", "mistake"), list(enumerate(WRITES, 1)), ids=lambda x: getattr(x, "__name__", "")
)
def test_a_write_to_an_array_of_a_live_graph_names_both_places(number, mistake, w):
    with pytest.raises(WrittenError) as error, tg.debug():
        mistake(w, np.ones(3, np.float32))
    text = str(error.value)
    for mark in (f"recorded {number}", f"written {number}"):
        assert f"{__file__}, line {line_of(mark)}: " in text
    assert WRITES[mistake] in text
    assert w.grad is None


@pytest.mark.parametrize("mistake", list(WRITES), ids=lambda x: x.__name__)
def test_outside_of_the_block_nothing_is_observed(mistake, w):
    mistake(w, np.ones(3, np.float32))
    assert w.grad is not None
    assert context.get() == (True, (), EAGER)


def test_arrays_can_be_written_to_when_their_graph_is_gone(w):
    """Views and their bases too, after the graph and after the block; others stay read-only."""
    b, fixed = np.ones((2, 3), np.float32), np.ones(3, np.float32)
    fixed.flags.writeable = False
    gc.disable()
    try:
        with tg.debug():
            row = b[0]
            y = (w * row * b[1] * fixed).sum()
            y.backward()
            del y
            row[0] = b[1, 1] = w.data[0] = 2
            y = (w * row).sum()
            with pytest.raises(ValueError, match="read-only"):
                b[0, 0] = 3
            kept = y
        row[0] = b[1, 1] = w.data[0] = 3
        assert not fixed.flags.writeable
        kept.backward()
    finally:
        gc.enable()


def test_a_used_graph_does_not_lock_its_arrays(w):
    """A loop may write into the array of its batch while the last loss still has a name."""
    batch = np.ones(3, np.float32)
    with tg.debug():
        for n in range(3):
            batch[...] = n
            loss = (w * batch).sum()
            loss.backward()
        w.data[0] = 4
        loss = (w * w).sum()
        loss.backward(retain_graph=True)
        with pytest.raises(ValueError, match="read-only"):
            w.data[0] = 5


def test_a_row_stays_locked_as_long_as_one_graph_needs_it(w):
    b = np.ones((2, 3), np.float32)
    with tg.debug(nonfinite=False):
        row = b[0]
        first, second = (w * row).sum(), (w * b).sum()
        del first
        with pytest.raises(ValueError, match="read-only"):
            row[0] = 2
        del second
        row[0] = b[0, 1] = 2


def test_training_gives_the_same_weights_under_debug():
    """The library writes to no array of a live graph: layers, optimizers, grad.

    Under debug a compiled layer runs op by op, as the layer itself does.
    """
    found = []
    for block in (tg.debug(), None):
        layer, head = (
            tg.nn.GRU(3, 4, num_layers=2, bidirectional=True, dropout=0.2, rng=0),
            tg.nn.Linear(8, 2, rng=1),
        )
        parameters = [*layer.parameters(), *head.parameters()]
        optimizer = tg.optim.Adam(parameters, lr=0.1)
        x = np.random.default_rng(0).standard_normal((5, 2, 3)).astype(np.float32)

        def train(
            layer=layer, head=head, optimizer=optimizer, parameters=parameters, x=x, block=block
        ):
            state = None
            for fast in (layer, tg.compile(layer) if block else layer, layer):
                output, state = fast(x, state, lengths=[5, 3])
                loss = tg.nn.functional.cross_entropy(head(output), np.ones((5, 2), int))
                loss.backward()
                tg.nn.clip_grad_norm_(parameters, 0.5)
                optimizer.step()
                optimizer.zero_grad()
                state = tg.detach(state)
            y = (layer(x)[0] ** 2).sum()
            slopes = tg.grad(y, parameters[:4], create_graph=True)
            sum((s * s).sum() for s in slopes).backward()
            return [p.data for p in parameters]

        found.append(block(train)() if block else train())
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_other_errors_pass_through_the_block(w):
    """The block replaces neither the error of an array that was read-only before, nor any other."""
    fixed = np.ones(3)
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"), tg.debug():
        fixed[0] = 1
    with pytest.raises(KeyError), tg.debug():
        raise KeyError("x")


def of_several_statements(w, a, b):
    y = tg.where(a > 0, w, 0.0) * a; b[:] = 0; y.sum().backward()  # noqa: E702  # fmt: skip


def by_an_argument(w, a, b):
    y = w * a * b
    np.copyto(a, b)
    return y


def in_a_call_of_several_lines(w, a, b):
    y = w * a * b
    np.add(a, 1, out=b)
    return y


def through_what_a_call_returns(w, a, b):
    y = w * 2
    w.detach().numpy()[0] = 1
    return y


NAMED = {
    of_several_statements: "a write to b at",
    by_an_argument: "a write, perhaps to a or b, at",
    in_a_call_of_several_lines: "a write to b at",
    through_what_a_call_returns: "a write, perhaps to w, at",
}


@pytest.mark.parametrize("mistake", NAMED, ids=lambda x: x.__name__)
def test_a_message_says_perhaps_if_the_written_array_is_not_certain(mistake, w):
    a, b = np.ones(3, np.float32), np.ones(3, np.float32)
    with pytest.raises(WrittenError, match=f"got {NAMED[mistake]}"), tg.debug():
        mistake(w * b, a, b) if mistake is of_several_statements else mistake(w, a, b)


def to_a_row_that_is_free(w, ring):
    y = w * ring[0]
    ring[1] = 3
    return y


def to_a_view_of_a_row_that_is_free(w, ring):
    y = w * ring[0]
    np.add(ring[1], 1, out=ring[1])
    return y


def to_a_part_of_what_is_needed(w, ring):
    y = w * ring
    row = ring[1]
    row[0] = 3
    return y


def test_a_write_next_to_the_needed_part_of_an_array_has_its_own_message(w):
    """NumPy locks the whole array, the free row of a ring buffer too."""
    ring = np.ones((2, 3), np.float32)
    for mistake in (to_a_row_that_is_free, to_a_view_of_a_row_that_is_free):
        with (
            pytest.raises(
                WrittenError,
                match=r"no write to this array, because multiply .* used a part.*copy of the part",
            ),
            tg.debug(),
        ):
            mistake(w, ring)
    with (
        pytest.raises(
            WrittenError, match=r"expected the numbers that multiply at .* was computed with"
        ),
        tg.debug(),
    ):
        to_a_part_of_what_is_needed(w, ring)


class Interface:
    """An object of another library that gives access to its array."""

    def __init__(self, array):
        self.kept, self.__array_interface__ = array, array.__array_interface__


def with_a_strange_base(kind):
    whole = np.ones((4, 3), np.float32)
    made = {
        "dlpack": np.from_dlpack,
        "strides": lambda a: np.lib.stride_tricks.as_strided(a, (4, 3), (12, 4)),
        "interface": lambda a: np.asarray(Interface(a)),
        "bytearray": lambda a: np.frombuffer(bytearray(a.tobytes()), np.float32).reshape(4, 3),
    }
    return made[kind](whole)


@pytest.mark.parametrize("kind", ["dlpack", "strides", "interface", "bytearray"])
def test_arrays_that_numpy_cannot_unlock_are_not_locked(kind, w):
    """The backward pass detects a write to them. The block leaves them as writable as before."""
    a = with_a_strange_base(kind)
    opened = a.flags.writeable  # NumPy 2.1 only lets people read what comes by DLPack

    def computed():
        y = (tg.Tensor(a) @ w).sum() + (tg.Tensor(a[0]) * w).sum()
        return y.item(), {}["x"]

    def written():
        y = (tg.Tensor(a) @ w).sum()
        a[0] = 7
        y.backward()

    with pytest.raises(KeyError), tg.debug():
        computed()
    assert a.flags.writeable == opened
    with pytest.raises(WrittenError), tg.debug():
        written()
    assert a.flags.writeable == opened


# -- NaN and Inf -----------------------------------------------------------------------------------


def test_the_first_nan_of_an_op_names_op_inputs_and_line(w):

    def compute():
        z = tg.sqrt(w - 2)  # sqrt
        return tg.exp(z)

    with pytest.raises(NonFiniteError) as error, tg.debug(), np.errstate(all="ignore"):
        compute()
    text = str(error.value)
    expected = "argument sqrt: expected finite numbers, got nan at [0] of its result, from "
    assert f"{expected}a: float32 (3,) in [-1, -1]" in text
    assert f"{__file__}, line {line_of('sqrt')}: " in text


def test_the_first_inf_of_a_rule_names_the_line_of_its_op(w):
    zero = tg.Tensor(np.zeros(3, np.float32), requires_grad=True)

    def compute():
        y = tg.sqrt(zero)  # root
        return (y * w).sum()

    with pytest.raises(NonFiniteError) as error, tg.debug(), np.errstate(all="ignore"):
        compute().backward()
    text = str(error.value)
    expected = "debug, backward: argument sqrt: expected finite gradients, got inf at [0] of "
    assert f"{expected}a contribution to a" in text
    assert "by the rule g * (0.5 / y)" in text
    assert f"{__file__}, line {line_of('root')}: " in text
    assert zero.grad is None


def test_a_sum_of_contributions_that_overflows_is_seen():
    x = tg.Tensor(np.float32([0.0]), requires_grad=True)
    with (
        pytest.raises(NonFiniteError, match=r"inf at .* of a sum of contributions"),
        tg.debug(),
        np.errstate(all="ignore"),
    ):
        (x * np.float32(3e38) + x * np.float32(3e38) - x * np.float32(1e38)).backward([1.0])


def test_an_inf_in_a_contribution_names_the_input(w):
    parts = [w * 1, w * np.float32(3e38)]
    with (
        pytest.raises(
            NonFiniteError, match=r"inf at .* of a contribution to arrays\[1\]|to a by|to b by"
        ),
        tg.debug(),
        np.errstate(all="ignore"),
    ):
        tg.concatenate([parts[0], parts[1] * 1]).backward(np.full(6, 3e38, np.float32))


def test_a_nan_in_an_input_is_named_and_a_mask_of_minus_infinity_is_not_reported(w):
    with tg.debug():
        tg.softmax(w + np.array([0, -np.inf, 0], np.float32)).sum().backward()
    with (
        pytest.raises(
            NonFiniteError, match=r"nan at .0. of its result, which came in with targets"
        ),
        tg.debug(),
    ):
        w * tg.Tensor(np.array([np.nan, 1, 1], np.float32), name="targets")


def test_an_inf_that_another_did_not_bring_is_found(w):
    """Next to a mask of −∞, and in ops that combine several entries."""
    minus = np.array([0, 1, -np.inf], np.float32)
    many = tg.Tensor(np.array([[np.inf, 0, 0], [3e38, 3e38, 0]], np.float32))
    with np.errstate(all="ignore"):
        with (
            pytest.raises(NonFiniteError, match=r"exp: expected finite numbers, got inf at \[1\]"),
            tg.debug(),
        ):
            tg.exp(tg.Tensor(minus) * 1000)
        with (
            pytest.raises(NonFiniteError, match=r"sum: expected finite numbers, got inf at \[1\]"),
            tg.debug(),
        ):
            many.sum(axis=1)
        with (
            pytest.raises(NonFiniteError, match=r"multiply: .* got inf at \[0\] of its result"),
            tg.debug(),
        ):
            tg.where([True, False, True], tg.Tensor(np.float32([3e38] * 3)) * 1, -np.inf) * 2
    with tg.debug():
        for op in (
            tg.flip,
            tg.cumsum,
            tg.negative,
            tg.square,
            tg.log_softmax,
            lambda a: a.sum(),
            lambda a: tg.where(minus < 1, a, w),
        ):
            op(tg.Tensor(minus, requires_grad=True))
        tg.log(tg.Tensor([np.inf, 1.0]))
        1 / (tg.Tensor([np.inf, 1.0]) * -np.inf)


def test_a_grad_that_overflows_as_it_accumulates_is_found():
    x = tg.Tensor(np.float32([1]), requires_grad=True, name="x")

    def add_up():
        for _ in range(3):
            (x * np.float32([2e38])).sum().backward()  # adds up

    message = (
        r"argument x: .* inf at \[0\] of the sum of \.grad and the gradient that arrived.*adds up"
    )
    with pytest.raises(NonFiniteError, match=message), tg.debug(), np.errstate(all="ignore"):
        add_up()
    np.testing.assert_array_equal(x.grad, np.float32([2e38]))


def test_nan_is_reported_without_a_graph(w):
    with pytest.raises(NonFiniteError), tg.debug(), tg.no_grad(), np.errstate(all="ignore"):
        tg.log(w - 2)


def test_debug_can_check_writes_only_or_numbers_only(w):
    with tg.debug(nonfinite=False), np.errstate(all="ignore"):
        tg.log(w - 2)
    with tg.debug(writes=False):
        y = w * 2
        w.data[0] = 3
        y.sum().backward()
    with pytest.raises(
        TypeError, match="debug: argument writes: expected True or False, got int 1"
    ):
        tg.debug(writes=1)


def test_a_compiled_cell_runs_op_by_op_and_its_results_are_checked():
    """The error names the op and its line, as without compiling."""

    def cell(x, h):
        h = x * tg.exp(h)
        return h, h

    fast, x = tg.compile(cell), tg.Tensor(np.ones((8, 2), np.float32), requires_grad=True)
    with tg.debug():
        tg.scan(fast, x[:2], tg.Tensor(np.zeros(2, np.float32)))[0].sum().backward()
    with (
        pytest.raises(NonFiniteError, match=r"argument exp: .* h = x \* tg\.exp\(h\)"),
        tg.debug(),
        np.errstate(all="ignore"),
    ):
        tg.scan(fast, x, tg.Tensor(np.zeros(2, np.float32)))


def test_a_compiled_cell_whose_gradient_is_nan_is_found():
    def cell(x, h):
        h = tg.sqrt(h * 0) + x
        return h, h

    h = tg.Tensor(np.float32([0.1]), requires_grad=True)
    for scanned in (cell, tg.compile(cell)):
        with (
            pytest.raises(NonFiniteError, match="debug, backward"),
            tg.debug(),
            np.errstate(all="ignore"),
        ):
            tg.scan(scanned, tg.Tensor(np.ones((4, 1), np.float32)), h)[0].sum().backward()


# -- threads, tasks and nested blocks --------------------------------------------------------------


def test_a_block_observes_its_thread_and_its_task_only(w):
    found = []

    def elsewhere():
        with np.errstate(all="ignore"):
            found.append(tg.log(tg.Tensor([-1.0])).data)

    async def other():
        elsewhere()

    async def both():
        with tg.debug():
            await asyncio.sleep(0)
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()

    async def run():
        task = asyncio.create_task(other())
        await asyncio.gather(both(), task)

    asyncio.run(run())
    assert len(found) == 2
    assert context.get() == (True, (), EAGER)


def test_blocks_nest_and_decorate(w):
    block = tg.debug()
    with block, block, tg.debug(), pytest.raises(ValueError, match="read-only"):
        _ = w * 1, w.data.__setitem__(0, 1)
    w.data[0] = 2

    @tg.debug()
    def wrong(n):
        """Its text."""
        return wrong(n - 1) if n else tg.log(tg.Tensor([-1.0]))

    assert wrong.__doc__ == "Its text."
    with pytest.raises(NonFiniteError), np.errstate(all="ignore"):
        wrong(2)
    assert context.get() == (True, (), EAGER)


def test_an_inner_block_leaves_the_outer_one_intact(w):
    def used(block):
        with block:
            return (w * w).sum()

    def written(block):
        y = used(block) if isinstance(block, tg.debug) else block(used)(tg.debug(writes=False))
        w.data[0] = 5
        return y

    for block in (tg.debug(), tg.debug(writes=False), tg.debug(nonfinite=False)):
        with pytest.raises(WrittenError), tg.debug():
            written(block)
        with pytest.raises(WrittenError), block, tg.debug():
            written(tg.debug(nonfinite=False))
        with tg.debug(), pytest.raises(WrittenError), tg.debug():
            written(block)
    with pytest.raises(WrittenError), tg.debug():
        written(tg.debug())
    with pytest.raises(WrittenError), tg.debug():
        written(tg.debug().__call__)
    assert context.get() == (True, (), EAGER)
    w.data[0] = 6


def test_a_block_in_a_generator_ends_without_the_others(w):
    def numbers():
        with tg.debug():
            yield 1

    def wrong(several):
        assert not list(several)
        return tg.log(w - 2)

    several = numbers()
    next(several)
    with np.errstate(all="ignore"):
        with pytest.raises(NonFiniteError), tg.debug():
            wrong(several)
        with tg.debug():
            several = numbers()
            next(several)
        with pytest.raises(NonFiniteError):
            tg.log(w - 2)
        wrong(several)
    assert context.get() == (True, (), EAGER)


def test_debug_cannot_decorate_a_function_whose_body_runs_later():
    def generator():
        yield 1

    async def coroutine():
        pass

    async def both():
        yield 1

    for function in (generator, coroutine, both):
        name = function.__name__
        message = rf"debug: argument function: .*{name}; use `with tg\.debug\(\):` inside"
        with pytest.raises(TypeError, match=message):
            tg.debug()(function)


def test_many_graphs_leave_nothing_behind(w):
    """The block keeps no more than the live graphs need."""
    block, b = tg.debug(), np.ones((50, 3), np.float32)
    gc.disable()
    try:
        with block:
            for _ in range(20):
                sum((w * row).sum() for row in b).backward()
                w.grad = None
            assert not block.guard.held
            assert not block.alive
            assert not block.locations
            assert not block.guard.idle
    finally:
        gc.enable()


def test_a_gradient_of_one_number_is_checked():
    x = tg.Tensor(0.0, requires_grad=True)
    with tg.debug(), np.errstate(all="ignore"):
        y = tg.sqrt(x)
        with pytest.raises(
            NonFiniteError, match="argument sqrt: expected finite gradients, got inf"
        ):
            y.backward()
    assert x.grad is None


def test_the_ops_of_a_gradient_have_the_same_scopes_in_a_block(w):
    """The scopes change while the pass visits the graph, so a block must not run ahead of it."""

    def list_scopes():
        with tg.scope("first"):
            y = w * w
        with tg.scope("second"):
            z = (y * y).sum()
        slope = tg.grad(z, w, create_graph=True)
        return [[str(part) for part in value.node.scope] for value in toposort(slope)]

    plain = list_scopes()
    with tg.debug():
        assert list_scopes() == plain
    assert ["first", "gradient"] in plain
    assert ["second", "gradient"] in plain
