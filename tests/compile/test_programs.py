"""Programs: their text and names, their drawing, and the commands that write and run them."""

import ast
import subprocess
import sys

import numpy as np
import pytest
from compiled_cells import RandomCell, assert_near, results_and_gradients
from helpers import run_command
from internals import cli

import tinygrad_rnn as tg


def test_a_cell_may_use_the_names_that_a_program_uses_itself():
    """Parameters and values may be called t, t1, T or out."""

    class Cell(tg.nn.Module):
        def __init__(self):
            super().__init__()
            rng = np.random.default_rng(0)
            self.t1, self.t2, self.t, self.T, self.out = (
                tg.Tensor(rng.standard_normal((2, 2)), requires_grad=True) for _ in range(5)
            )

        def forward(self, x, h):
            h = tg.tanh((x @ self.t1 + h) @ self.t2 @ self.t + h @ self.T @ self.out)
            h.name = "t3"
            return h, h

    cell = Cell()
    x, h = (
        tg.Tensor(np.ones((3, 1, 2)), requires_grad=True, name="t"),
        tg.Tensor(np.ones((1, 2)), requires_grad=True, name="t1"),
    )
    theirs, ours = (
        results_and_gradients(cell, cell, x, h, False),
        results_and_gradients(tg.compile(cell), cell, x, h, False),
    )
    assert_near([*ours[0], *ours[1]], [*theirs[0], *theirs[1]], 1e-12)


def calls_of(written):
    """Return a list to which the text adds the arguments and results of each of its calls."""
    run, calls = written.run, []

    def recorded(*arguments):
        results = run(*arguments)
        calls.append((arguments, [np.array(y) for y in results]))
        return results

    written.run = recorded
    return calls


def test_a_program_runs_without_the_library(tmp_path):
    """Saved to a file, it gives the same numbers with NumPy alone."""
    for seed in (3, 11, 23, 40):
        cell = RandomCell(seed)
        rng = np.random.default_rng(seed)
        x = tg.Tensor(rng.standard_normal((4, cell.B, cell.I)), requires_grad=True)
        state = tg.Tensor(rng.standard_normal((cell.B, cell.H)), requires_grad=True, name="h")
        state = (state,) if cell.several else state
        fast = tg.compile(cell)
        with np.errstate(all="ignore"):
            results_and_gradients(cell, cell, x, state, reverse=False)
            results_and_gradients(fast, cell, x, state, reverse=False)
            (program,) = fast.programs
            texts = {"forward": program.forward, "backward": program.backward}
            calls = {name: calls_of(written) for name, written in texts.items()}
            results_and_gradients(fast, cell, x, state, reverse=False)
        (tmp_path / "program.py").write_text(fast.source)
        (tmp_path / "run.py").write_text(
            "import sys\nimport numpy as np\nimport program\n"
            "for name in ('forward', 'backward'):\n"
            "    given = np.load(f'{name}.npz')\n"
            "    given = [given[f'arr_{i}'] for i in range(len(given.files))]\n"
            "    np.savez(f'{name}_found.npz', *getattr(program, name)(*given))\n"
            "assert 'tinygrad_rnn' not in sys.modules\n"
        )
        for name, (*_, (arguments, _)) in calls.items():
            np.savez(tmp_path / f"{name}.npz", *arguments)
        subprocess.run([sys.executable, "-W", "ignore", "run.py"], cwd=tmp_path, check=True)
        for name, (*_, (_, results)) in calls.items():
            found = np.load(tmp_path / f"{name}_found.npz")
            for i, y in enumerate(results):
                np.testing.assert_allclose(found[f"arr_{i}"], y, rtol=1e-12, atol=1e-14)


def test_a_program_reads_like_a_textbook():
    """It uses the names of the cell, and its weight gradients are products over all steps.

    Only the recurrence is left in the loops.
    """
    fast = tg.compile(tg.nn.GRU(3, 4, rng=0))
    fast(np.ones((5, 2, 3), "float32"))
    forward, backward = fast.source.split("def backward")
    before, loop = forward.split("for t in range(T):")
    loop, _ = loop.split("# for all steps at once")
    assert "x_r" in before
    for name in ("r", "z", "n", "h"):
        assert f"        {name} = " in loop
    assert loop.count(".dot(") == 3
    assert "h_prev = " in loop
    assert "weight_ih" not in loop
    loop, after = backward.split("for t in reversed(range(T)):")[1].split("# for all steps at once")
    assert "dh_next" in loop
    assert loop.count(".dot(") == 3
    assert ".T" not in loop
    assert after.count(" @ ") + after.count("np.dot(") == 6  # of W and U of each gate
    words = fast.explain()
    for name in ("Through time, 5 steps", "Back through time", "x_n", "r, z, n, h"):
        assert name in words


def test_values_have_the_names_of_the_users_local_variables():
    """A gradient is named after its value, and a new parameter after the old one."""
    rng = np.random.default_rng(0)
    W_z, U_z, W_n, U_n = (
        tg.Tensor(rng.random((4, 4)), requires_grad=True, name=name)
        for name in ("W_z", "U_z", "W_n", "U_n")
    )
    optimizer = tg.optim.SGD([W_z, U_z, W_n, U_n], lr=0.1)

    def cell(x, h):
        gate = tg.sigmoid(x @ W_z + h @ U_z)
        candidate = tg.tanh(x @ W_n + h @ U_n)
        mixed = gate * h + (1 - gate) * candidate
        return mixed, mixed

    def step(x, start):
        outputs, _ = tg.scan(cell, x, start)
        outputs.name = "states"
        loss = (outputs * outputs).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    texts = []
    for profile in (None, lambda *_: None):
        fast, before = tg.compile(step), sys.getprofile()
        sys.setprofile(profile)
        try:
            fast(tg.Tensor(rng.random((3, 2, 4))), tg.Tensor(rng.random((2, 4))))
            assert sys.getprofile() is profile
        finally:
            sys.setprofile(before)
        texts.append(fast.source)
    for name in ("gate", "candidate", "mixed", "states", "loss", "dh", "dW_z", "U_n_new"):
        assert f" {name} = " in texts[0]
    assert " gate = " not in texts[1]
    assert " U_n_new = " in texts[1]


def test_values_without_a_name_are_named_after_what_they_are():
    def f(x):
        found = [np.reciprocal(n + np.exp(-x)) for n in (1, 2)]
        return [y * y for y in found]

    fast = tg.compile(f)
    fast(np.ones(3))
    assert " sigmoid = np.reciprocal(1 + " in fast.source
    assert " inverse = np.reciprocal(2 + " in fast.source


def test_a_whole_training_step_is_one_program():
    """Forward, loss, backward, clipping and the optimizer stand in one function."""
    layer, head = tg.nn.GRU(3, 4, rng=0), tg.nn.Linear(4, 2, rng=1)
    parameters = [*layer.parameters(), *head.parameters()]
    optimizer = tg.optim.Adam(parameters, lr=0.01)

    def step(x, y):
        loss = ((head(layer(x)[0]) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        tg.nn.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return loss

    fast = tg.compile(step)
    x, y = np.ones((5, 2, 3), "float32"), np.zeros((5, 2, 2), "float32")
    for _ in range(2):  # Adam has moments after the first step
        fast(x, y)
    first, source = (program.source for program in fast.programs)
    assert first != source
    assert "return" in fast.graph().text()
    assert source.count("def step(") == 1
    assert source.count("for t in range(T):") == 1
    assert source.count("for t in reversed(range(T)):") == 1
    assert "lr" in source.split("def step(")[1].split(")")[0]


def test_equal_layers_have_programs_with_equal_texts():
    texts = []
    for _ in range(2):
        fast = tg.compile(tg.nn.LSTM(3, 4, rng=0))
        fast(np.ones((5, 2, 3), "float32"))
        texts.append(fast.source)
    assert texts[0] == texts[1]


def test_a_program_includes_the_source_of_a_user_defined_op():
    """An op whose forward is more than an expression is called."""

    @tg.op("bump({a})")
    def compile_bump(a):
        y = np.zeros_like(a)
        y[a > 0] = a[a > 0] ** 2
        return y

    compile_bump.vjps(a=lambda g, y, a: g * (2 * tg.relu(a)))

    def cell(x, h):
        h = 0.5 * h + compile_bump(x + 0.1 * h)
        return h, h

    x = tg.Tensor(np.random.default_rng(0).standard_normal((4, 2, 3)), requires_grad=True)
    h = tg.Tensor(np.zeros((2, 3)), requires_grad=True)
    fast = tg.compile(cell)
    found = []
    for run in (cell, fast):
        x.grad = None
        (tg.scan(run, x, h)[0] ** 2).sum().backward()
        found.append(x.grad)
    assert_near([found[1]], [found[0]], 1e-12)
    assert "def compile_bump(a):" in fast.source


def test_a_drawing_of_a_program_says_whose_a_weight_is():
    fast = tg.compile(
        tg.nn.Sequential(tg.nn.Linear(3, 3, rng=0), tg.tanh, tg.nn.Linear(3, 3, rng=0))
    )
    fast(np.ones((2, 3), np.float32))
    drawn = {node.name for node in fast.graph().nodes if node.kind == "parameter"}
    assert drawn == {"0.weight", "0.bias", "2.weight", "2.bias"}


def test_a_function_may_have_a_name_that_programs_use():
    def np(x):
        return tg.tanh(x) * 2

    fast, x = tg.compile(np), tg.Tensor([1.0, 2.0])
    for other in (x, tg.Tensor([1.0, 2.0], requires_grad=True)):
        assert_near([fast(other).data], [np(x).data], 1e-6)
    assert "def np_(x):" in fast.programs[0].source


LIMIT = 0.5


def tame(a):
    return a / (1 + a * a)


def make_scaled(factor):
    """Return a function whose source is not enough to run it."""

    def compile_scaled(a):
        y = factor * a
        y[a > LIMIT] = tame(a[a > LIMIT])
        return y

    return compile_scaled


def compile_tamed(a):
    """Return a with the entries above a limit made smaller."""
    y = np.zeros_like(a)
    y[a > LIMIT] = tame(a[a > LIMIT])
    return y


def test_functions_that_a_program_calls_bring_what_they_need():
    """Other functions, constants and modules; one with a closure is handed over as it is."""
    x = np.linspace(-1, 1, 5)
    for function in (compile_tamed, make_scaled(2.0)):
        op = tg.op("needy({a})")(function)
        fast = tg.compile(lambda x, op=op: op(x))
        np.testing.assert_array_equal(fast(tg.Tensor(x)).data, function(x))
        assert ("def tame(a):" in fast.source) == (function is compile_tamed)


def test_a_program_without_loops_and_gradients_is_explained_in_one_line():
    fast = tg.compile(lambda x: np.tanh(x) + 1)
    fast(np.ones(3))
    assert fast.explain() == "cell: 2 NumPy calls"


def test_a_compiled_call_is_one_box_that_opens_into_its_program():
    fast = tg.compile(tg.nn.GRU(3, 4, rng=0))
    loss = fast(np.ones((50, 2, 3), "float32"))[0].sum()
    (box,) = [node for node in tg.graph(loss).nodes if node.text.startswith("GRU")]
    assert "GRU" in box.text
    assert "GRU(" in tg.graph(loss).text()
    inside = fast.graph(fold="names", parameters="hide")
    assert {"nₜ", "hₜ"} <= {node.name for node in inside.nodes}
    assert {"t = 0 … 49"} == {str(node.scope[0]) for node in inside.nodes if node.scope}
    assert "<svg" in inside.svg()


def test_looking_at_the_steps_of_a_compiled_call_is_an_error():
    output, _ = tg.compile(tg.nn.GRU(3, 4, rng=0))(np.ones((5, 2, 3), "float32"))
    for look in (lambda: tg.bptt.values(output), lambda: tg.bptt.flow(output.sum())):
        with pytest.raises(
            ValueError,
            match=r"a compiled call, which is one node; call the layer itself, compiled\.target",
        ):
            look()


def test_a_wrong_call_of_a_compiled_module_is_an_error():
    for target in (3, tg.nn.GRU):
        with pytest.raises(TypeError, match="compile: argument target: expected a Module"):
            tg.compile(target)
    fast = tg.compile(tg.nn.GRU(3, 4))
    for look in (lambda: fast.source, fast.explain):
        with pytest.raises(RuntimeError, match="none yet; call it once"):
            look()
    with pytest.raises(TypeError, match="expected dtype float32"):
        fast(np.ones((5, 2, 3)))
    with pytest.raises(ValueError, match="expected"):
        fast(np.ones((5, 2, 4), "float32"))
    with pytest.raises(ValueError, match="time step"):
        tg.scan(
            fast, tg.Tensor(np.ones((0, 2, 3), "float32")), tg.Tensor(np.zeros((2, 4), "float32"))
        )


@pytest.mark.parametrize(
    "cell",
    ["rnn", "gru", "gru-before", "lstm", "examples/cells.py:MGU", "examples/cells.py:LayerNormGRU"],
)
def test_the_compile_command_prints_a_program(cell, capsys, request):
    path = cell if "/" not in cell else str(request.config.rootpath / cell)
    assert cli.main(["compile", path, "--plain"]) == 0
    program = capsys.readouterr().out
    space = {}
    exec(program, space)
    assert callable(space["forward"])
    assert callable(space["backward"])
    assert cli.main(["compile", path, "--plain", "--backend", "numba"]) == 0
    assert "def forward(" in capsys.readouterr().out
    assert cli.main(["compile", path, "--explain"]) == 0
    assert "Back through time, 2 steps" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tree"], "expected rnn, gru, gru-before, lstm, or FILE.py:NAME, got 'tree'"),
        (["gru", "--backend", "c"], "--backend: invalid choice: 'c'"),
        (["gru", "--hidden", "0"], "--hidden: expected a positive integer, got 0"),
        (["nowhere.py:Cell"], "expected a Python file"),
        (["examples/cells.py:moving_average"], "expected a cell that runs, got TypeError"),
    ],
)
def test_the_compile_command_reports_a_wrong_argument_in_one_line(
    arguments, message, capsys, request, monkeypatch
):
    monkeypatch.chdir(request.config.rootpath)
    assert run_command("compile", *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_compiled_training_has_the_same_losses_and_resumes_to_the_same_bits(
    cell, tmp_path, capsys, monkeypatch
):
    """A run that resumes from a checkpoint stays compiled."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.txt").write_text("the cat sat on the mat and the dog sat on the log. " * 12)
    common = [
        "train",
        "cat.txt",
        "--cell",
        cell,
        "--hidden",
        "8",
        "--embedding",
        "4",
        "--batch-size",
        "4",
        "--steps",
        "10",
        "--plain",
    ]

    def losses():
        return [
            float(line.split("loss")[1].split()[0])
            for line in capsys.readouterr().out.splitlines()
            if "loss" in line
        ]

    assert cli.main([*common, "--epochs", "2", "--out", "plain.safetensors"]) == 0
    plain = losses()
    assert cli.main([*common, "--epochs", "2", "--compile", "--out", "whole.safetensors"]) == 0
    assert losses() == pytest.approx(plain, abs=2e-3)
    assert cli.main([*common, "--epochs", "1", "--compile", "--out", "parts.safetensors"]) == 0
    assert (
        cli.main(["train", "cat.txt", "--resume", "--epochs", "2", "--out", "parts.safetensors"])
        == 0
    )
    whole, parts = tg.load("whole.safetensors"), tg.load("parts.safetensors")
    for name, array in whole.items():
        np.testing.assert_array_equal(parts[name], array)


def test_names_that_python_normalises_to_one_are_kept_apart():
    def cell(x, h):
        a, b = h * 2, tg.exp(x) + h
        a.name, b.name = "h", "ℎ"
        n = tg.tanh(a - b) + a
        n.name = "n²"
        return n, n

    x, h = tg.Tensor(np.ones((3, 2))), tg.Tensor(np.ones(2))
    np.testing.assert_allclose(
        tg.scan(tg.compile(cell), x, h)[0].data, tg.scan(cell, x, h)[0].data, rtol=1e-6
    )


def test_a_tensor_name_never_becomes_code_of_a_program():
    steer = 'a"""\n    raise SystemExit\r\x0c\u2028 raise SystemExit #'
    W = tg.Tensor(np.eye(2, dtype="float32"), requires_grad=True, name=steer)

    def cell(x, h):
        h = tg.tanh(x + h @ W)
        x.name, h.name = steer, f"{steer})"
        return h, h

    fast, start = tg.compile(cell), tg.Tensor(np.zeros((1, 2), "float32"), name=steer)
    (output, _), (expected, _) = (
        tg.scan(run, tg.Tensor(np.ones((3, 1, 2), "float32")), start) for run in (fast, cell)
    )
    np.testing.assert_array_equal(output.data, expected.data)
    assert {n.id for n in ast.walk(ast.parse(fast.source)) if isinstance(n, ast.Name)}.isdisjoint(
        {"SystemExit"}
    )
