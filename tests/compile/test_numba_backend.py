"""The Numba backend: nests of loops over entries, compiled or not, give what programs mean."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from compiled_cells import LAYERS, assert_near, run_random_cell
from eager_twins import check_twins
from helpers import mostly_studies, state_parts
from programs import Builder, program_by_chance, rnn_step

import tinygrad_rnn as tg
from tinygrad_rnn.compile import nests, numba_cache, numba_text
from tinygrad_rnn.compile.instructions import Instruction, Loop, Program, Variable, interpret
from tinygrad_rnn.compile.into_loops import into_loops
from tinygrad_rnn.compile.numba_text import write_numba

CASES = runpy.run_path(str(Path(__file__).with_name("test_whole_steps.py")))["CASES"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Keep compiled functions apart from the user's, and from those of other tests."""
    monkeypatch.setenv("TINYGRAD_RNN_CACHE", str(tmp_path))
    monkeypatch.setattr(numba_cache, "_modules", {})


@pytest.fixture
def run_by_python(monkeypatch):
    """Let Python run the nests, which takes no time to compile."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)


@pytest.fixture
def loops_only(monkeypatch):
    """Compile the loops of small programs too, not the whole programs."""
    monkeypatch.setattr(numba_text, "SMALL", 0)


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
        near = {"float64": 1e-6, "float32": 1e-3, "float16": 0.1}.get(str(a.dtype), 0)
        np.testing.assert_allclose(
            a.astype(float), b.astype(float), rtol=near, atol=near, err_msg=source
        )


def check_program(program, first, second):
    """Assert that a text is right, that it leaves its inputs alone, and that its results last."""
    with np.errstate(all="ignore"):
        written = write_numba(program)
        given = [np.copy(x) for x in first]
        check_functions(written.source)
        ours = written.run(*first)
        check_equal(ours, interpret(program, first), written.source)
        for a, b in zip(given, first, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=written.source)
        kept = [np.copy(y) for y in ours]
        check_equal(written.run(*second), interpret(program, second), written.source)
        for i, (a, b) in enumerate(zip(kept, ours, strict=True)):
            np.testing.assert_array_equal(a, b, err_msg=written.source)
            for other in [*first, *ours[:i]] if isinstance(b, np.ndarray) and b.size else ():
                assert not np.shares_memory(b, other), written.source
    return written


def check_functions(source):
    """Assert that a text has each function once, and calls it."""
    source = re.sub("  # .*", "", source)
    *names, last = re.findall(r"^def (\w+)\(", source, re.MULTILINE)
    assert len({*names, last}) == len(names) + 1, source
    for name in names:
        assert len(re.findall(rf"(?<![\w.]){name}\b", source)) > 1, source


@pytest.mark.parametrize("form", ["loops", "between products", "whole"])
@pytest.mark.parametrize("block", mostly_studies(range(10), 3))
def test_programs_by_chance_give_what_they_mean(block, form, monkeypatch, run_by_python):
    monkeypatch.setattr(numba_text, "SMALL", 2**20 if form == "whole" else 0)
    if form == "between products":
        monkeypatch.setattr(numba_text, "LARGE", -1)
        monkeypatch.setattr(nests, "SMALL_PRODUCT", 0)
    for seed in range(block * 16, block * 16 + 16):
        check_program(*program_by_chance(1000 + seed, dtypes=("float64", "int64", "bool")))
        check_program(*program_by_chance(seed))


@pytest.mark.parametrize("block", mostly_studies(range(6), 2))
def test_random_cells_give_the_results_of_the_engine(block, run_by_python, loops_only):
    for seed in range(8 * block, 8 * (block + 1)):
        ours, theirs, _ = run_random_cell(seed, backend="numba")
        assert_near(ours[0], theirs[0])
        assert_near(ours[1], theirs[1])


@pytest.mark.parametrize("name", [*CASES][::2])
def test_whole_steps(name, run_by_python):
    make, data, options = CASES[name]
    check_twins(make, data, 3, backend="numba", **options)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_give_the_same_results_and_gradients(name, run_by_python, loops_only):
    """Two directions and lengths."""
    found = []
    for options in (None, {"backend": "numba"}):
        layer = LAYERS[name](bidirectional=True)
        x = np.random.default_rng(2).standard_normal((5, 4, 3)).astype("float32")
        x = tg.Tensor(x, requires_grad=True)
        run = tg.compile(layer, **options) if options else layer
        output, state = run(x, lengths=[5, 2, 3, 1])
        sum((y * y).sum() for y in (output, *state_parts(state))).backward()
        found.append([output.data, *(y.data for y in state_parts(state)), x.grad])
        found[-1] += [p.grad for p in layer.parameters()]
    assert all(a.dtype == b.dtype == np.float32 for a, b in zip(*found, strict=True))
    assert_near(found[1], found[0], 5e-6)


def test_numbers_of_any_size(run_by_python):
    b = Builder()
    x = b.input("x", np.linspace(-3, 3, 4))
    numbers = [0.5, -0.1234567, 0.1234567, 2, 3, -123456, 2**61, 1e300, np.inf, -np.inf]
    program, inputs = b.program(*[b("minimum", b("maximum", x, n), n) for n in numbers])
    check_program(program, inputs, inputs)


def test_numbers_that_count_as_true_are_one(run_by_python):
    b = Builder()
    x = b.input("x", np.linspace(-3, 3, 7))
    is_true = b("astype", x, dtype=np.dtype(bool))
    program, inputs = b.program(b("astype", is_true, dtype=np.dtype(float)))
    check_program(program, inputs, inputs)


def test_an_axis_of_one_costs_no_copy(run_by_python):
    b = Builder()
    x, y = b.input("x", np.ones((2, 1, 3))), b.input("y", np.ones((2, 3)))
    flat, deep = b("reshape", x, shape=(2, 3)), b("reshape", y, shape=(2, 1, 3))
    program, inputs = b.program(b("add", flat, y), b("multiply", deep, x))
    assert "reshape" not in check_program(program, inputs, inputs).source


def test_only_what_is_kept_over_time_has_the_length_of_the_loop(run_by_python, loops_only):
    program, inputs = rnn_step(2, 2, 3, 4)
    source = check_program(program, inputs, inputs).source
    assert " hs = np.empty((T + 1, 2, 4), np.float64)" in source
    assert " dh_prev_pair = np.empty((2, 2, 4), np.float64)" in source


# -- compiled --------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("error")
def test_products_of_views_are_compiled():
    b = Builder()
    x, w = b.input("x", np.random.default_rng(0).random((4, 3, 8))), b.input("w", np.ones((8, 6)))
    turned, rows = b("transpose", x, axes=(1, 0, 2)), b("reshape", x, shape=(12, 8))
    squares = b("matmul", b("transpose", rows, axes=(1, 0)), rows)
    program, inputs = b.program(b("matmul", turned, w), squares)
    source = check_program(program, inputs, inputs).source
    assert source.count("np.dot(") == source.count("np.ascontiguousarray(") == 2


def training_step(kind, **options):
    """Return a whole training step and what it changes."""
    model, head = getattr(tg.nn, kind)(3, 5, rng=0), tg.nn.Linear(5, 4, rng=1)
    parameters = [*model.parameters(), *head.parameters()]
    optimizer = tg.optim.SGD(parameters, lr=0.1)

    def step(x, y):
        loss = tg.nn.functional.cross_entropy(head(model(x)[0]), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return (tg.compile(step, **options) if options else step), parameters


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_a_new_length_or_batch_compiles_nothing(kind, loops_only):
    (fast, ours), (step, theirs) = training_step(kind, backend="numba"), training_step(kind)
    rng, counts = np.random.default_rng(0), []
    for T, B in ((11, 7), (13, 7), (11, 9), (6, 8)):
        x, y = rng.standard_normal((T, B, 3)).astype("float32"), rng.integers(0, 4, (T, B))
        assert fast(tg.Tensor(x), y).item() == pytest.approx(step(tg.Tensor(x), y).item(), rel=1e-5)
        functions = [f for m in numba_cache._modules.values() for f in m.values()]
        counts.append(sum(len(getattr(f, "signatures", ())) for f in functions))
    assert_near([p.data for p in ours], [p.data for p in theirs], 1e-5)
    assert len(set(counts)) == 1
    assert "@njit" in fast.source


def test_large_products_are_left_to_numpy(monkeypatch, loops_only):
    monkeypatch.setattr(numba_text, "LARGE", 0)
    monkeypatch.setattr(nests, "SMALL_PRODUCT", 0)
    (fast, ours), (step, theirs) = training_step("GRU", backend="numba"), training_step("GRU")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 2, 3)).astype("float32"), rng.integers(0, 4, (6, 2))
    assert fast(tg.Tensor(x), y).item() == pytest.approx(step(tg.Tensor(x), y).item(), rel=1e-5)
    assert_near([p.data for p in ours], [p.data for p in theirs], 1e-5)
    loop = fast.source.partition("\ndef step")[2].partition("for t in range(T):")[2]
    assert "np.dot(" in loop.splitlines()[1]
    assert "nest" in loop.splitlines()[4]


def test_compiled_functions_are_kept_on_disk(tmp_path):
    """A second process compiles nothing, and equal texts are one function."""
    text = (
        "import sys, numpy as np, tinygrad_rnn as tg\n"
        "from tinygrad_rnn.compile import numba_cache\n"
        "def cell(x, h):\n    h = tg.tanh(x + h)\n    return h, h\n"
        "x, h = tg.Tensor(np.ones((4, 2, 3), 'f4')), tg.Tensor(np.ones((2, 3), 'f4'))\n"
        "for _ in range(2):\n"
        "    y, _ = tg.scan(tg.compile(cell, backend='numba'), x, h)\n"
        "assert len(numba_cache._modules) == 1\n"
        "(module,) = numba_cache._modules.values()\n"
        "np.testing.assert_allclose(y.data, tg.scan(cell, x, h)[0].data, rtol=1e-6)\n"
        "made = [f for f in module.values() if hasattr(f, 'stats')]\n"
        "print(sum(n for f in made for n in f.stats.cache_hits.values()))\n"
    )
    (tmp_path / "run.py").write_text(text)
    env = {**os.environ, "PYTHONPATH": str(Path(tg.__file__).parents[1])}
    command = [sys.executable, tmp_path / "run.py"]
    hits = [int(subprocess.check_output(command, env=env)) for _ in range(2)]
    assert hits[0] == 0 < hits[1]
    (file,) = (tmp_path / "tinygrad_rnn" / "numba").glob("*.py")
    assert file.name.startswith("loops_")


def test_a_home_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TINYGRAD_RNN_CACHE", str(tmp_path / "file"))
    x = Variable("x", (3,), np.dtype("float64"))
    y = Variable("y", (3,), np.dtype("float64"))
    program = Program([x], [Instruction("negative", (x,), {}, y)], [y])
    np.testing.assert_array_equal(write_numba(program).run(np.arange(3.0))[0], -np.arange(3.0))


def test_a_file_of_compiled_functions_with_another_text_is_not_run(tmp_path, monkeypatch):
    b = Builder()
    program, (x,) = b.program(b("negative", b.input("x", np.arange(3.0))))
    for _ in range(2):
        monkeypatch.setattr(numba_cache, "_modules", {})
        np.testing.assert_array_equal(write_numba(program).run(x)[0], -x)
        (file,) = (tmp_path / "tinygrad_rnn" / "numba").glob("*.py")
        file.write_text("raise SystemExit")


@pytest.mark.parametrize("function", ["exp", "tanh"])
def test_exp_and_tanh_in_single_precision(function):
    """They are right to two units in the last place, compiled and not, and for any number."""
    compiled = numba.njit(fastmath={"contract"}, error_model="numpy")
    space = {"f32": np.float32, "np": np, "exp": compiled(numba_text.exp)}
    plain = getattr(numba_text, function)
    exec(f"tanh = {function}", space) if function == "exp" else None
    fast = compiled(type(plain)(plain.__code__, space))
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-s, s, 2000) for s in (1e-6, 0.3, 1, 9, 87)]).astype("float32")
    odd = np.array([np.nan, np.inf, -np.inf, 200, -200, 1e30, -1e30, 0, -0.0, 1e-40], "float32")
    with np.errstate(all="ignore"):
        true = getattr(np, function)(x.astype("float64"))
        for run in (plain, fast):
            found = np.array([run(v) for v in x], np.float64)
            np.testing.assert_array_equal(found, found.astype("float32"))
            assert np.abs(found / true - 1).max() < 2.5e-7
            found = np.array([run(v) for v in odd])
            np.testing.assert_allclose(found, getattr(np, function)(odd), rtol=3e-7)
        small = np.linspace(-103, -87, 200, dtype="float32")  # exp is below the normal numbers
        true = getattr(np, function)(small.astype("float64"))
        np.testing.assert_allclose([fast(v) for v in small], true, rtol=3e-7, atol=2e-45)


def test_maximum_keeps_nan_and_where_does_not():
    a, b = (Variable(name, (4,), np.dtype("float32")) for name in "ab")
    c = Variable("", (4,), np.dtype(bool))
    high, low, one = (Variable("", (4,), np.dtype("float32")) for _ in range(3))
    lines = [
        Instruction("maximum", (a, b), {}, high),
        Instruction("minimum", (a, b), {}, low),
        Instruction("isnan", (a,), {}, c),
        Instruction("where", (c, b, a), {}, one),
    ]
    program = Program([a, b], lines, [high, low, one])
    x = (
        np.array([1, np.nan, 3, np.nan], "float32"),
        np.array([np.nan, 2, -np.inf, np.nan], "float32"),
    )
    for ours, theirs in zip(write_numba(program).run(*x), interpret(program, x), strict=True):
        np.testing.assert_array_equal(ours, theirs)


# -- what cannot be compiled -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble])
def test_a_dtype_that_numba_lacks_stays_in_numpy(dtype):
    def cell(x, h):
        h = tg.tanh(x + h)
        return h, h

    x, h = tg.Tensor(np.ones((3, 2), dtype)), tg.Tensor(np.ones(2, dtype))
    fast = tg.compile(cell, backend="numba")
    np.testing.assert_array_equal(tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data)


def test_an_unknown_or_missing_backend_is_an_error(monkeypatch):
    with pytest.raises(
        ValueError, match=r"compile: argument backend: expected 'numpy' or 'numba', got 'jax'"
    ):
        tg.compile(tg.nn.GRU(1, 1), backend="jax")
    monkeypatch.setattr(sys.modules["tinygrad_rnn.compile"], "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"numba and scipy.*pip install 'tinygrad_rnn\[jit\]'"):
        tg.compile(tg.nn.GRU(1, 1), backend="numba")


# -- elementwise work that moves into loops --------------------------------------------------------


def test_what_only_a_loop_reads_is_computed_in_the_loop():
    """What another line reads too stays outside, as does what a loop reads as a whole."""
    x = Variable("x", (3, 2), np.dtype(float))
    a, b, ys, zs = (Variable(name, (3, 2), np.dtype(float)) for name in ("a", "b", "ys", "zs"))
    inside, other, y, z = (Variable("", (2,), np.dtype(float)) for _ in range(4))
    loop = Loop(3, False)
    loop.slices = [(inside, a), (other, b)]
    loop.body = [
        Instruction("add", (inside, other), {}, y),
        Instruction("sum", (b,), {"axis": (0,), "keepdims": False}, z),
    ]
    loop.stacks = [(y, ys), (z, zs)]
    lines = [Instruction("exp", (x,), {}, a), Instruction("sin", (x,), {}, b), loop]
    program = into_loops(Program([x], lines, [ys, zs]))
    assert [getattr(line, "function", "loop") for line in program.lines] == ["sin", "loop"]
    assert [line.function for line in program.lines[1].body] == ["exp", "add", "sum"]
    given = [np.random.default_rng(0).standard_normal((3, 2))]
    check_equal(interpret(program, given), interpret(Program([x], lines, [ys, zs]), given), "")


def test_one_row_for_all_steps_is_read_in_each_step():
    x, row = (Variable("", shape, np.dtype(float)) for shape in ((3, 2), (1, 2)))
    a, ys = (Variable("", (3, 2), np.dtype(float)) for _ in range(2))
    inside, y = (Variable("", (2,), np.dtype(float)) for _ in range(2))
    loop = Loop(3, False, [Instruction("exp", (inside,), {}, y)], [(inside, a)], [], [(y, ys)])
    program = Program([x, row], [Instruction("add", (x, row), {}, a), loop], [ys])
    given = [np.arange(6.0).reshape(3, 2), np.ones((1, 2))]
    moved = into_loops(program)
    assert [line.function for line in moved.lines[0].body] == ["index", "add", "exp"]
    check_equal(interpret(moved, given), interpret(program, given), "")


def test_a_loop_with_a_line_that_numba_lacks_stays_numpy(loops_only):
    def cell(x, h):
        h = tg.tanh(x + h[..., ::-1])
        return np.linalg.norm(h) * h, h

    x, h = tg.Tensor(np.ones((3, 2, 2))), tg.Tensor(np.eye(2))
    fast = tg.compile(lambda x, h: tg.scan(cell, x, h)[0], backend="numba")
    np.testing.assert_allclose(fast(x, h).data, tg.scan(cell, x, h)[0].data, rtol=1e-12)
