"""The architecture is a test: rooms import downwards, names are unique, files stay short."""

import ast
import collections
import subprocess
import sys

import pytest
from internals import Node, Value, registry
from layers import (
    FILES,
    FILES_IN_ROOMS,
    LAYER_OF,
    LAYERS,
    RANK,
    ROOT,
    code_lines,
    file_graph,
    files_of,
    find_circles,
    imports,
    parse,
    room_graph,
    room_of,
    rooms_used,
    type_only_nodes,
)

import tinygrad_rnn


def name_below_root(path):
    """Return the path of a file below the package, to name a test."""
    return path.relative_to(ROOT).as_posix()


# The compiler is rewritten soon: its names and lines are not checked until then.
OUTSIDE_COMPILE = [path for path in FILES if room_of(path) != "compile"]


# -- layers ----------------------------------------------------------------------------------------


def test_there_are_seven_layers_and_every_room_is_in_one():
    assert len(LAYERS) == 7
    assert {room_of(path) for path in FILES_IN_ROOMS} == LAYER_OF.keys()


def test_there_are_at_most_24_rooms():
    assert len(LAYER_OF) <= 24


def test_imports_point_downwards():
    for path in FILES_IN_ROOMS:
        here = LAYER_OF[room_of(path)]
        for room in rooms_used(path):
            assert room in LAYER_OF, f"{path.name} imports {room}, which is in no layer"
            assert RANK[LAYER_OF[room]] <= RANK[here], (
                f"{room_of(path)} ({here}) imports {room} ({LAYER_OF[room]}), which is above it"
            )


@pytest.mark.parametrize("type_only", [False, True], ids=["at run time", "for types too"])
def test_rooms_do_not_import_in_circles(type_only):
    assert not find_circles(room_graph(type_only=type_only))


@pytest.mark.parametrize("type_only", [False, True], ids=["at run time", "for types too"])
def test_files_do_not_import_in_circles(type_only):
    assert not find_circles(file_graph(type_only=type_only))


def test_the_check_on_circles_can_fail():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}
    assert find_circles(graph) == {"b", "c"}
    assert not find_circles({"a": {"b", "c"}, "b": {"c"}, "c": set()})


def test_the_check_on_type_only_imports_can_fail():
    path = ROOT / "graph.py"
    tree = ast.parse("from . import ops\nif TYPE_CHECKING:\n    from .op import Op")
    assert rooms_used(path, tree) == {"ops"}
    assert rooms_used(path, tree, type_only=True) == {"ops", "op"}


@pytest.mark.parametrize("name", ["errors", "dtypes", "graph"])
def test_foundations_and_graph_import_no_ops(name):
    used = {room for path in files_of(name) for room in rooms_used(path)}
    assert used <= {"errors", "scope_part"}


def test_the_engine_names_no_op():
    assert "ops" not in rooms_used(ROOT / "backward.py")
    texts = {n.value for n in ast.walk(parse(ROOT / "backward.py")) if isinstance(n, ast.Constant)}
    assert not texts & set(registry)


# -- names and sizes -------------------------------------------------------------------------------


def repeated(names):
    """Return the names that occur more than once."""
    return sorted(name for name, times in collections.Counter(names).items() if times > 1)


def test_no_two_files_have_the_same_name():
    assert not repeated(path.name for path in OUTSIDE_COMPILE if path.name != "__init__.py")


def test_no_two_classes_have_the_same_name():
    nodes = (node for path in OUTSIDE_COMPILE for node in ast.walk(parse(path)))
    assert not repeated(node.name for node in nodes if isinstance(node, ast.ClassDef))


def test_no_file_is_over_250_code_lines():
    assert not [name_below_root(path) for path in OUTSIDE_COMPILE if code_lines(path) > 250]


def test_no_line_is_over_100_columns():
    assert not [
        (name_below_root(path), number)
        for path in OUTSIDE_COMPILE
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 100
    ]


def test_every_file_has_a_docstring():
    assert not [name_below_root(path) for path in FILES if not ast.get_docstring(parse(path))]


# -- other packages --------------------------------------------------------------------------------

NUMPY_ROOMS = [
    room
    for layer in ("foundations", "engine", "tensors")
    for room in LAYERS[layer]
    if room != "serialize"
]
"""The rooms that need nothing but NumPy and the standard library."""


def module_level_imports(path):
    """Return the top-level names that are imported when the file itself is imported."""
    tree = parse(path)
    skipped = type_only_nodes(tree)
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            skipped |= set(ast.walk(function))
    statements = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and node not in skipped
    ]
    return {name.split(".")[0] for name in imports(path, ast.Module(statements, []))}


ALWAYS_THERE = sys.stdlib_module_names | {"numpy", "tinygrad_rnn"}


def test_only_numpy_and_the_standard_library_at_import():
    outside_app = [path for path in FILES if room_of(path) != "app"]
    others = {name_below_root(p): module_level_imports(p) - ALWAYS_THERE for p in outside_app}
    assert not {name: imported for name, imported in others.items() if imported}


def test_the_core_needs_nothing_but_numpy():
    files = [path for path in FILES_IN_ROOMS if room_of(path) in NUMPY_ROOMS]
    assert len(files) > len(NUMPY_ROOMS)
    for path in files:
        others = {name.split(".")[0] for name in imports(path)} - ALWAYS_THERE
        assert not others, name_below_root(path)


def loaded_after(code):
    """Return the modules that a new process has loaded after some code."""
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
    heavy = {"rich", "graphviz", "safetensors", "argparse", "matplotlib", "torch", "onnx"}
    heavy |= {"hypothesis", "pytest", "asyncio", "subprocess", "pickle"}
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


# -- the engine ------------------------------------------------------------------------------------


def test_nodes_are_recorded_in_one_place():
    """Besides, the compiler makes the node of a loop and that of a call."""
    made = [
        name_below_root(path)
        for path in FILES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Node"
    ]
    assert made == ["compile/traced_graph.py", "op.py"]


def functions_that_recurse(tree):
    """Return the functions that call themselves and read a value's node or a node's inputs."""
    found = []
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        nodes = list(ast.walk(function))
        calls = [node.func for node in nodes if isinstance(node, ast.Call)]
        called = {getattr(call, "id", getattr(call, "attr", "")) for call in calls}
        read = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        is_special = function.name.startswith("__")
        if function.name in called and {"node", "inputs"} & read and not is_special:
            found.append(function.name)
    return found


def test_no_function_recurses_over_a_graph():
    found = {name_below_root(path): functions_that_recurse(parse(path)) for path in FILES}
    assert not {name: functions for name, functions in found.items() if functions}


def test_the_check_on_recursion_can_fail():
    walk = "def walk(v):\n    for x in v.node.inputs:\n        walk(x)"
    assert functions_that_recurse(ast.parse(walk)) == ["walk"]
    method = "class A:\n    def visit(self, v):\n        return [self.visit(x) for x in v.inputs]"
    assert functions_that_recurse(ast.parse(method)) == ["visit"]
    assert not functions_that_recurse(ast.parse(walk.replace("walk(x)", "stack.append(x)")))


# -- rules -----------------------------------------------------------------------------------------

RULES = {
    f"{op.name}-{name}": rule
    for op in registry.values()
    for name, rule in op.rules.items()
    if op.forward.__module__.startswith("tinygrad_rnn.")
}


def names_in(code):
    """Return the global names and attributes that some code uses, nested code included."""
    nested = [c for c in code.co_consts if hasattr(c, "co_names")]
    return {*code.co_names, *code.co_freevars}.union(*map(names_in, nested))


def test_rules_use_operators_methods_and_other_ops_only():
    for name, rule in RULES.items():
        assert not {"np", "numpy", "data", "array", "Tensor"} & names_in(rule.__code__), name
        assert rule.__name__ == "<lambda>", name
        assert not rule.__closure__, name


def test_the_check_on_rules_can_fail():
    assert "np" in names_in((lambda g, y, a: [np.sin(x) for x in a]).__code__)  # noqa: F821
    assert len(RULES) > 50


def test_references_point_one_way():
    """A node knows its inputs and a value its node, but not the reverse: no circle can arise."""
    assert {*Node.__slots__} == {"arrays", "index", "inputs", "op", "params", "scope", "used"}
    slots = {"__weakref__", "_grad", "_name", "array", "changed", "node", "tracked"}
    assert {*Value.__slots__} == slots
    assert tinygrad_rnn.Tensor.__slots__ == ()
    assert not hasattr(tinygrad_rnn.Tensor([1.0]), "__dict__")
