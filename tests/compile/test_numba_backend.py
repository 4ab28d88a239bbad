"""The Numba backend: loops over entries, compiled or not, give the results of the engine."""

import subprocess
import sys
from types import FunctionType

import numpy as np
import pytest
from compiled_cells import LAYERS, assert_near, run_random_cell
from helpers import state_parts

import tinygrad_rnn as tg


@pytest.mark.parametrize("block", range(7))
def test_loop_nests_of_random_cells_give_the_results_of_the_engine(block, monkeypatch):
    """168 cells agree to 1e-10. Python runs the loops, without Numba."""
    monkeypatch.setattr(jit, "DECORATED", "")
    for seed in range(24 * block, 24 * (block + 1)):
        ours, theirs, _ = run_random_cell(seed, backend="numba")
        assert_near(ours[0], theirs[0])
        assert_near(ours[1], theirs[1])


def test_numba_compiles_random_cells():
    for seed in range(6):
        ours, theirs, fast = run_random_cell(seed, backend="numba")
        assert_near(ours[0], theirs[0])
        assert_near(ours[1], theirs[1])
        assert "@njit" in fast.source or "not compiled by Numba" in fast.source


@pytest.mark.study
def test_numba_compiles_many_random_cells():
    for seed in range(6, 90):
        ours, theirs, _ = run_random_cell(seed, backend="numba")
        assert_near(ours[0], theirs[0])
        assert_near(ours[1], theirs[1])


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_a_layer_compiled_by_numba_gives_the_results_of_the_layer(name):
    """Two directions and lengths, in single precision, with the exp and tanh of the program."""
    found = []
    for options in (None, {"backend": "numba"}):
        layer = LAYERS[name](bidirectional=True)
        x = tg.Tensor(
            np.random.default_rng(2).standard_normal((5, 4, 3)).astype("float32"),
            requires_grad=True,
        )
        output, state = (tg.compile(layer, **options) if options else layer)(
            x, lengths=[5, 2, 0, 1]
        )
        sum((y * y).sum() for y in (output, *state_parts(state))).backward()
        found.append(
            [
                output.data,
                *(y.data for y in state_parts(state)),
                x.grad,
                *(p.grad for p in layer.parameters()),
            ]
        )
    assert all(a.dtype == b.dtype == np.float32 for a, b in zip(*found, strict=True))
    assert_near(found[1], found[0], 2e-6)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(jit.exp, np.exp), (jit.tanh, np.tanh)], ids=["exp", "tanh"]
)
def test_exp_and_tanh_in_single_precision_are_right_to_two_units(ours, theirs):
    """The unit is the last place. Infinities, zeros and NaN are the same, compiled too."""
    import numba

    compiled = numba.njit(fastmath={"contract"}, error_model="numpy")
    space = {"f32": np.float32, "np": np, "exp": compiled(jit.exp)}
    fast = compiled(FunctionType(ours.__code__, space)) if ours is jit.tanh else space["exp"]
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-s, s, 2000) for s in (1e-6, 0.3, 1, 9, 87)]).astype("float32")
    with np.errstate(all="ignore"):
        true = theirs(x.astype("float64"))
        for run in (ours, fast):
            found = np.array([run(v) for v in x], np.float64)
            np.testing.assert_array_equal(found, found.astype("float32"))
            assert np.abs(found / true - 1).max() < 2.5e-7
            for v in (np.nan, np.inf, -np.inf, 200.0, -200.0, 0.0):
                np.testing.assert_array_equal(run(np.float32(v)), theirs(np.float32(v)))
        ends = np.linspace(87, 88.7, 100, dtype="float32")
        if ours is jit.exp:
            np.testing.assert_allclose(
                [ours(v) for v in (*ends, *-ends)],
                np.exp(np.concatenate([ends, -ends]).astype("f8")),
                rtol=3e-7,
            )


def test_a_loop_that_numba_cannot_compile_stays_in_numpy():
    """The program names the function that its loop calls."""

    def cell(x, h):
        h = tg.tanh(x + tg.logsumexp(h, axis=-1, keepdims=True))
        return h, h

    x, h = tg.Tensor(np.ones((3, 2, 4)), requires_grad=True), tg.Tensor(np.ones((2, 4)))
    fast = tg.compile(cell, backend="numba")
    np.testing.assert_allclose(tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data)
    assert "# not compiled by Numba, because it contains logsumexp" in fast.source


def test_a_program_for_numba_runs_without_the_library(tmp_path):
    fast = tg.compile(tg.nn.RNN(3, 4, rng=0), backend="numba")
    x = np.ones((5, 2, 3), "float32")
    with tg.no_grad():
        output, _ = fast(x)
    handed = [np.asarray(p.data) for p in fast.parameters()]
    np.savez(
        tmp_path / "handed.npz",
        **{name: p.data for name, p in fast.named_parameters()},
        x=x,
        output=output.data,
    )
    assert len(handed) == 4
    names = fast.source.partition("def forward(")[2].partition(")")[0].split(", ")
    call = ", ".join(
        {"xs": "z['x']", "h_0": "np.zeros((2, 4), np.float32)"}.get(n, f"z[{n!r}]") for n in names
    )
    (tmp_path / "program.py").write_text(
        f"{fast.source}\nz = np.load('handed.npz')\nys, _, _ = forward({call})\n"
        "assert abs(ys[0] - z['output']).max() < 1e-6\n"
        "import sys\nassert not any(name.startswith('tinygrad') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "program.py"], cwd=tmp_path, check=True, env={"PATH": ""})


def test_an_unknown_or_missing_backend_is_an_error(monkeypatch):
    with pytest.raises(
        ValueError, match=r"compile: argument backend: expected 'numpy' or 'numba', got 'jax'"
    ):
        tg.compile(tg.nn.GRU(1, 1), backend="jax")
    monkeypatch.setattr(sys.modules["tinygrad_rnn.compile"], "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"numba and scipy.*pip install 'tinygrad_rnn\[jit\]'"):
        tg.compile(tg.nn.GRU(1, 1), backend="numba")


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble])
def test_a_loop_in_a_dtype_that_numba_lacks_stays_in_numpy(dtype):
    def cell(x, h):
        h = tg.tanh(x + h)
        return h, h

    x, h = tg.Tensor(np.ones((3, 2), dtype)), tg.Tensor(np.ones(2, dtype))
    fast = tg.compile(cell, backend="numba")
    np.testing.assert_array_equal(tg.scan(fast, x, h)[0].data, tg.scan(cell, x, h)[0].data)
    assert f"because it contains {np.dtype(dtype)}" in fast.source
