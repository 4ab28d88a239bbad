"""What the package's source never does: run text as code, unpickle, draw global random numbers."""

import ast

import pytest
from layers import FILES, ROOT, imports, parse, room_of


def name_below_root(path):
    """Return the path of a file below the package, to name it in an error."""
    return path.relative_to(ROOT).as_posix()


def test_only_the_app_prints():
    assert not [
        (name_below_root(path), node.lineno)
        for path in FILES
        if room_of(path) != "app"
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("print", "input")
    ]


def test_no_global_random_numbers():
    for path in FILES:
        nodes = ast.walk(parse(path))
        uses = [ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)]
        drawn = {u.split(".")[2] for u in uses if u.startswith(("np.random.", "numpy.random."))}
        others = drawn - {"Generator", "default_rng", "SeedSequence", "PCG64", "BitGenerator"}
        if name_below_root(path) == "compile/places.py":  # asks whether an object is a generator
            assert others <= {"RandomState"}
            continue
        assert not others, name_below_root(path)
        assert "random" not in set(imports(path)), name_below_root(path)


# -- code, pickles and programs --------------------------------------------------------------------

UNTRUSTED = {"pickle", "cPickle", "marshal", "shelve", "dbm", "dill", "cloudpickle", "joblib"}
UNTRUSTED |= {"yaml", "copyreg", "code", "codeop", "pty", "ctypes"}
"""Modules that turn bytes into objects or code. No file imports them, but one sets malloc."""
RUNNING = {"eval", "exec", "compile", "__import__", "execfile"}
LOADING = {"load", "fromfile", "memmap", "open_memmap", "loadtxt", "genfromtxt", "DataSource"}
STARTING = {"system", "popen", "startfile", "fork", "forkpty", "getoutput", "getstatusoutput"}
ALLOWED = {
    "compile/numpy_text.py": {
        "exec(compile(source, f'<compiled {title}>', 'exec'), space)",
        "compile(source, f'<compiled {title}>', 'exec')",
    },
    "compile/numba_text.py": {
        "exec(compile(rest, f'<compiled {title}>', 'exec'), space)",
        "compile(rest, f'<compiled {title}>', 'exec')",
    },
    "compile/numba_cache.py": {
        "exec(compile(f'{HEAD}\\n\\n{text}', '<compiled by Numba>', 'exec'), space)",
        "compile(f'{HEAD}\\n\\n{text}', '<compiled by Numba>', 'exec')",
    },
    "compile/ready_program.py": {"exec(f'def function({given}):\\n{body}', self.space)"},
    "draw/render.py": {
        "subprocess.run(command, input=dot.encode(), capture_output=True, check=False)"
    },
}
"""By file, the calls that may run something: a program that `compile` wrote, and Graphviz's dot."""


def dangerous_calls(tree):
    """Yield the calls that run text as code, start a program, or unpickle, as they are written."""
    from_our_package = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        settings = {word.arg: getattr(word.value, "value", None) for word in call.keywords}
        if isinstance(call.func, ast.Name):
            found = call.func.id in RUNNING - from_our_package
        elif isinstance(call.func, ast.Attribute):
            owner, name = ast.unparse(call.func.value), call.func.attr
            found = is_dangerous_method(owner, name, settings)
        else:
            found = False
        if found or settings.get("shell") or settings.get("allow_pickle"):
            yield ast.unparse(call)


def is_dangerous_method(owner, name, settings):
    """Return whether ``owner.name(…)`` runs text as code, starts a program, or unpickles."""
    if owner == "subprocess" or (owner == "builtins" and name in RUNNING):
        return True
    if owner == "os" and (name in STARTING or name.startswith(("exec", "spawn", "posix_spawn"))):
        return True
    is_numpy = owner in ("np", "numpy", "np.lib.format", "numpy.lib.format")
    if is_numpy and name in LOADING and settings.get("allow_pickle", 0) is not False:
        return True
    return name in ("create_subprocess_shell", "create_subprocess_exec", "read_pickle")


def test_nothing_is_unpickled_or_evaluated_and_no_program_is_started():
    for path in FILES:
        check_calls(path)


def check_calls(path):
    """Assert that a file calls nothing dangerous but what is allowed there."""
    tree = parse(path)
    untrusted = UNTRUSTED & {name.split(".")[0] for name in imports(path)}
    assert untrusted == ({"ctypes"} if name_below_root(path) == "compile/malloc.py" else set())
    allowed = ALLOWED.get(name_below_root(path), set())
    assert set(dangerous_calls(tree)) == allowed, name_below_root(path)
    # Such a function can be called by another name only if it is imported by name or passed on.
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert names & {"eval", "exec", "__import__"} <= ({"exec"} if allowed else set())
    imported_by_name = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in ("os", "subprocess", "builtins")
        for alias in node.names
    }
    starting = {*STARTING, *RUNNING, "run", "Popen", "call", "check_call", "check_output"}
    assert not imported_by_name & starting


def test_the_files_that_may_run_something_exist():
    assert {name_below_root(path) for path in FILES} >= set(ALLOWED)


DANGEROUS = [
    "eval(text)",
    "exec(text)",
    "compile(text, 'x', 'eval')",
    "__import__(name)",
    "builtins.eval(text)",
    "os.system(text)",
    "os.popen(text)",
    "os.execv(path, [])",
    "os.spawnl(0, path)",
    "subprocess.run(text, shell=True)",
    "subprocess.Popen([text])",
    "run(text, shell=True)",
    "np.load(path)",
    "np.load(path, allow_pickle=True)",
    "np.load(path, allow_pickle=wanted)",
    "numpy.fromfile(path)",
    "asyncio.create_subprocess_shell(text)",
]
HARMLESS = [
    "model.eval()",
    "np.load(path, allow_pickle=False)",
    "re.compile(text)",
    "tg.load(path)",
    "os.replace(a, b)",
]


@pytest.mark.parametrize("code", DANGEROUS)
def test_the_check_on_dangerous_calls_can_fail(code):
    assert list(dangerous_calls(ast.parse(f"def f():\n    return {code}")))


@pytest.mark.parametrize("code", HARMLESS)
def test_the_check_on_dangerous_calls_lets_others_pass(code):
    assert not list(dangerous_calls(ast.parse(code)))
