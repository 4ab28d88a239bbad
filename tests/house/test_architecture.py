"""The architecture is a test: layers import downwards, files stay short, and rules are made of ops."""

import ast
import io
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest
from internals import registry

import tinygrad_rnn

ROOT = Path(tinygrad_rnn.__file__).parent
LAYERS = {
    "foundations": "errors check dtypes tree",
    "engine": "graph op backward",
    "tensors": "ops tensor transforms gradcheck serialize parallel",
    "networks": "scan nn optim text",
    "looking": "analysis draw",
    "translating": "compile interop",
    "app": "app",
}
"""The seven layers from the ground up: each imports only from itself and from those before it."""
LAYER_OF = {room: layer for layer, rooms in LAYERS.items() for room in rooms.split()}
RANK = {layer: i for i, layer in enumerate(LAYERS)}
CORE = [room for layer in list(LAYERS)[:3] for room in LAYERS[layer].split() if room != "serialize"]
PRINTING = {"app"}
FILES = sorted(ROOT.rglob("*.py"))
every_file = pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(ROOT)) for p in FILES])


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def room_of(path):
    """The module or package directly under the root that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def for_type_checkers(tree):
    """The nodes under ``if TYPE_CHECKING:``, which never run."""
    blocks = [
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)
    ]
    return {inner for block in blocks for statement in block.body for inner in ast.walk(statement)}


def imports(path, tree=None):
    """What a file imports when it runs, anywhere in it, as absolute dotted names."""
    tree = tree or parsed(path)
    package = ("tinygrad_rnn", *path.relative_to(ROOT).parts[:-1])
    skipped = for_type_checkers(tree)
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            if (
                module.split(".")[0] == "tinygrad_rnn"
                and ROOT.parent.joinpath(*module.split(".")).is_dir()
            ):  # from . import x
                yield from (f"{module}.{alias.name}" for alias in node.names)
            else:
                yield module


def rooms_used(path, tree=None):
    """The rooms of the package that a file imports from, its own not counted."""
    names = [name.split(".") for name in imports(path, tree)]
    found = {
        parts[1] if len(parts) > 1 else "tinygrad_rnn"
        for parts in names
        if parts[0] == "tinygrad_rnn"
    }
    return found - {room_of(path)}


def circles(graph):
    """What is left of a graph of imports when everything that can be read in order is taken away: nothing, or circles."""
    left = {name: set(needs) for name, needs in graph.items()}
    while ready := {name for name, needs in left.items() if not needs & left.keys()}:
        left = {name: needs for name, needs in left.items() if name not in ready}
    return set(left)


# -- layers ------------------------------------------------------------------------------------------


def test_there_are_seven_layers_and_every_room_is_in_one():
    assert len(LAYERS) == 7
    assert {room_of(path) for path in FILES} - {"__init__"} == LAYER_OF.keys()
    assert len(LAYER_OF) <= 24


@pytest.mark.parametrize(
    "path", [p for p in FILES if p != ROOT / "__init__.py"], ids=lambda p: str(p.relative_to(ROOT))
)
def test_imports_point_downwards(path):
    here = LAYER_OF[room_of(path)]
    for room in rooms_used(path):
        assert room in LAYER_OF, f"{path.name} imports {room}, which is in no layer"
        assert RANK[LAYER_OF[room]] <= RANK[here], (
            f"{room_of(path)} ({here}) imports {room} ({LAYER_OF[room]}), which is above it"
        )


def test_rooms_do_not_import_in_circles():
    graph = {}
    for path in FILES:
        if path != ROOT / "__init__.py":
            graph.setdefault(room_of(path), set()).update(rooms_used(path))
    assert not circles(graph)


def test_the_check_on_circles_can_fail():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == {"a", "b", "c"}
    assert not circles({"a": {"b", "c"}, "b": {"c"}, "c": set()})


@pytest.mark.parametrize("name", ["errors", "dtypes", "graph"])
def test_the_foundations_import_no_maths(name):
    assert rooms_used(ROOT / f"{name}.py") <= {"errors", "check"}


def test_the_engine_names_no_op():
    assert "ops" not in rooms_used(ROOT / "backward.py")
    texts = {n.value for n in ast.walk(parsed(ROOT / "backward.py")) if isinstance(n, ast.Constant)}
    assert not texts & set(registry)


def test_files_do_not_import_in_circles():
    known = {}
    for path in FILES:
        parts = path.relative_to(ROOT).with_suffix("").parts
        known["tinygrad_rnn." + ".".join(parts)] = path
    graph = {}
    for name, path in known.items():
        if path.name == "__init__.py":
            continue
        needs = {each for each in imports(path) if each in known}
        graph[name] = needs - {name}
    assert not circles(graph)


# -- what is imported from elsewhere -----------------------------------------------------------------


def module_level_imports(path):
    """Names imported by the statements that run when the file is imported."""
    tree = parsed(path)
    inside = {
        n
        for f in ast.walk(tree)
        if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for n in ast.walk(f)
    }
    outside = ast.Module(
        [
            n
            for n in ast.walk(tree)
            if isinstance(n, ast.Import | ast.ImportFrom) and n not in inside
        ],
        [],
    )
    skipped = for_type_checkers(tree)
    outside.body = [n for n in outside.body if n not in skipped]
    return {name.split(".")[0] for name in imports(path, outside)}


@every_file
def test_only_numpy_and_the_standard_library_at_import(path):
    if room_of(path) != "app":
        assert module_level_imports(path) <= sys.stdlib_module_names | {"numpy", "tinygrad_rnn"}


@pytest.mark.parametrize(
    "path", [p for p in FILES if room_of(p) in CORE], ids=lambda p: str(p.relative_to(ROOT))
)
def test_the_core_needs_nothing_but_numpy(path):
    assert {name.split(".")[0] for name in imports(path)} <= sys.stdlib_module_names | {
        "numpy",
        "tinygrad_rnn",
    }


def loaded_after(code):
    run = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(run.stdout.split())


def test_import_loads_numpy_and_little_else():
    loaded = loaded_after("import tinygrad_rnn") - loaded_after("import numpy")
    heavy = {
        "rich",
        "graphviz",
        "safetensors",
        "argparse",
        "matplotlib",
        "torch",
        "onnx",
        "hypothesis",
        "pytest",
        "asyncio",
        "subprocess",
        "pickle",
    }
    assert not heavy & {name.split(".")[0] for name in loaded}
    assert {name.split(".")[0] for name in loaded if name.startswith("tinygrad")} == {
        "tinygrad_rnn"
    }
    assert {"tinygrad_rnn.op", "tinygrad_rnn.tensor", "tinygrad_rnn.transforms"} <= loaded


def test_the_check_on_imports_can_fail():
    assert "argparse" in loaded_after("import numpy, argparse")


def test_import_prints_and_warns_nothing():
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import tinygrad_rnn"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout + run.stderr == ""


# -- files -------------------------------------------------------------------------------------------


def code_lines(path):
    """How many lines of a file are neither blank, comment nor docstring."""
    text = path.read_text(encoding="utf-8")
    strings = [
        n
        for n in ast.walk(ast.parse(text))
        if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)
    ]
    prose = {line for n in strings for line in range(n.lineno, n.end_lineno + 1)}
    quiet = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    lines = {
        line for t in tokens if t.type not in quiet for line in range(t.start[0], t.end[0] + 1)
    }
    return len(lines - prose)


@every_file
def test_no_file_is_over_250_code_lines(path):
    if room_of(path) != "compile":
        assert code_lines(path) <= 250


@every_file
def test_every_file_says_what_it_is(path):
    assert ast.get_docstring(parsed(path))


@every_file
def test_only_the_app_prints(path):
    if room_of(path) not in PRINTING:
        calls = [
            n
            for n in ast.walk(parsed(path))
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
        ]
        assert not [n.lineno for n in calls if n.func.id in ("print", "input")]


@every_file
def test_no_global_random_numbers(path):
    uses = [ast.unparse(n) for n in ast.walk(parsed(path)) if isinstance(n, ast.Attribute)]
    drawn = {u.split(".")[2] for u in uses if u.startswith(("np.random.", "numpy.random."))}
    assert drawn <= {"Generator", "default_rng", "SeedSequence", "PCG64", "BitGenerator"}
    assert "random" not in set(imports(path))


UNTRUSTED = {
    "pickle",
    "cPickle",
    "marshal",
    "shelve",
    "dbm",
    "dill",
    "cloudpickle",
    "joblib",
    "yaml",
    "copyreg",
    "code",
    "codeop",
    "pty",
    "ctypes",
}
"""Modules that turn bytes into objects or code; none is imported anywhere."""
RUNNING = {"eval", "exec", "compile", "__import__", "execfile"}
LOADING = {"load", "fromfile", "memmap", "open_memmap", "loadtxt", "genfromtxt", "DataSource"}
STARTING = {"system", "popen", "startfile", "fork", "forkpty", "getoutput", "getstatusoutput"}
ALLOWED = {
    "compile/program.py": {
        "exec(compile(source, f'<compiled {self.title}>', 'exec'), space)",
        "compile(source, f'<compiled {self.title}>', 'exec')",
    },
    "draw/render.py": {
        "subprocess.run(command, input=dot.encode(), capture_output=True, check=False)"
    },
}
"""By file the calls that run something, each as it stands there: the program that `compile` wrote itself, and Graphviz's dot."""


def dangerous_calls(tree):
    """Calls that run text as code, start programs, or make objects of what a file says, as they are written."""
    compiled_by_us = {
        a.asname or a.name
        for n in ast.walk(tree)
        if isinstance(n, ast.ImportFrom) and n.level
        for a in n.names
    }
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
        settings = {k.arg: getattr(k.value, "value", None) for k in call.keywords}
        if isinstance(call.func, ast.Name):
            found = call.func.id in RUNNING - compiled_by_us
        elif isinstance(call.func, ast.Attribute):
            owner, name = ast.unparse(call.func.value), call.func.attr
            found = (
                owner == "subprocess"
                or (
                    owner == "os"
                    and (name in STARTING or name.startswith(("exec", "spawn", "posix_spawn")))
                )
                or (owner == "builtins" and name in RUNNING)
                or (
                    owner in ("np", "numpy", "np.lib.format", "numpy.lib.format")
                    and name in LOADING
                    and settings.get("allow_pickle", 0) is not False
                )
                or name in ("create_subprocess_shell", "create_subprocess_exec", "read_pickle")
            )
        else:
            found = False
        if found or settings.get("shell") or settings.get("allow_pickle"):
            yield ast.unparse(call)


@every_file
def test_nothing_is_unpickled_or_evaluated_and_no_program_is_started(path):
    tree = parsed(path)
    assert not UNTRUSTED & {name.split(".")[0] for name in imports(path)}
    allowed = ALLOWED.get(path.relative_to(ROOT).as_posix(), set())
    assert set(dangerous_calls(tree)) == allowed
    # Such a function can be called under another name only if it is imported by its own, or handed on.
    handed_on = {
        n.id
        for n in ast.walk(tree)
        if isinstance(n, ast.Name) and n.id in {"eval", "exec", "__import__"}
    }
    assert handed_on <= ({"exec"} if allowed else set())
    by_name = {
        a.name
        for n in ast.walk(tree)
        if isinstance(n, ast.ImportFrom) and n.module in ("os", "subprocess", "builtins")
        for a in n.names
    }
    assert not by_name & {*STARTING, *RUNNING, "run", "Popen", "call", "check_call", "check_output"}


def test_the_files_in_which_something_runs_are_there():
    assert {path.relative_to(ROOT).as_posix() for path in FILES} >= set(ALLOWED)


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


@pytest.mark.parametrize("code", DANGEROUS)
def test_the_check_on_dangerous_calls_can_fail(code):
    assert list(dangerous_calls(ast.parse(f"def f():\n    return {code}")))


@pytest.mark.parametrize(
    "code",
    [
        "model.eval()",
        "np.load(path, allow_pickle=False)",
        "re.compile(text)",
        "tg.load(path)",
        "os.replace(a, b)",
    ],
)
def test_the_check_on_dangerous_calls_lets_others_pass(code):
    assert not list(dangerous_calls(ast.parse(code)))


@every_file
def test_nodes_are_recorded_in_one_place(path):
    made = [
        n.lineno
        for n in ast.walk(parsed(path))
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "Node"
    ]
    assert len(made) == (1 if path == ROOT / "op.py" else 0)


# -- no recursion over graphs ------------------------------------------------------------------------


def recursive_over_graphs(tree):
    """Functions that call themselves and look at a value's node or a node's inputs."""
    found = []
    for f in ast.walk(tree):
        if not isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        called = {
            n.func.id if isinstance(n.func, ast.Name) else n.func.attr
            for n in ast.walk(f)
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Name | ast.Attribute)
        }
        looked_at = {n.attr for n in ast.walk(f) if isinstance(n, ast.Attribute)}
        if f.name in called and {"node", "inputs"} & looked_at and not f.name.startswith("__"):
            found.append(f.name)
    return found


@every_file
def test_no_function_recurses_over_a_graph(path):
    assert not recursive_over_graphs(parsed(path))


def test_the_check_on_recursion_can_fail():
    walk = "def walk(v):\n    for x in v.node.inputs:\n        walk(x)"
    assert recursive_over_graphs(ast.parse(walk)) == ["walk"]
    method = "class A:\n    def visit(self, v):\n        return [self.visit(x) for x in v.inputs]"
    assert recursive_over_graphs(ast.parse(method)) == ["visit"]
    assert not recursive_over_graphs(ast.parse(walk.replace("walk(x)", "stack.append(x)")))


# -- rules -------------------------------------------------------------------------------------------

RULES = {
    f"{op.name}-{name}": rule
    for op in registry.values()
    for name, rule in op.rules.items()
    if op.forward.__module__.startswith("tinygrad_rnn.")
}


def names_in(code):
    """Every global name and attribute that some code uses, in what is nested in it too."""
    nested = [c for c in code.co_consts if hasattr(c, "co_names")]
    return {*code.co_names, *code.co_freevars}.union(*map(names_in, nested))


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_rules_use_operators_methods_and_other_ops_only(rule):
    assert not {"np", "numpy", "data", "array", "Tensor"} & names_in(rule.__code__)
    assert rule.__name__ == "<lambda>"
    assert not rule.__closure__


def test_the_check_on_rules_can_fail():
    assert "np" in names_in((lambda g, y, a: [np.sin(x) for x in a]).__code__)  # noqa: F821
    assert len(RULES) > 50


def test_references_point_one_way():
    """A node knows its inputs; a value knows its node; nothing else is kept, so no circle can arise."""
    from internals import Node, Value

    assert set(Node.__slots__) == {"arrays", "index", "inputs", "op", "params", "scope", "used"}
    assert set(Value.__slots__) == {
        "__weakref__",
        "array",
        "changed",
        "grad",
        "name",
        "node",
        "tracked",
    }
    assert tinygrad_rnn.Tensor.__slots__ == ()
    assert not hasattr(tinygrad_rnn.Tensor([1.0]), "__dict__")
