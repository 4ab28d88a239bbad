"""The seven layers of the package, and how to read from its files what imports what.

`tests/house/test_architecture.py` checks the layers; `docs/_ext/architecture.py` draws them.
"""

import ast
import io
import tokenize
from functools import cache
from pathlib import Path

import tinygrad_rnn

ROOT = Path(tinygrad_rnn.__file__).parent
LAYERS = {
    "foundations": ["scope_part", "errors", "dtypes", "tree"],
    "engine": ["graph", "check", "blocks", "op", "backward"],
    "tensors": ["ops", "tensor", "transforms", "gradcheck", "serialize", "parallel"],
    "networks": ["scan", "nn", "optim", "text"],
    "looking": ["analysis", "draw"],
    "translating": ["compile", "interop"],
    "app": ["app"],
}
"""The layers from the ground up, and the rooms of each: modules and packages below the root.

A room imports only from its own layer and from the layers before it.
"""
LAYER_OF = {room: layer for layer, rooms in LAYERS.items() for room in rooms}
RANK = {layer: rank for rank, layer in enumerate(LAYERS)}
FILES = sorted(ROOT.rglob("*.py"))
FILES_IN_ROOMS = [
    path for path in FILES if path not in (ROOT / "__init__.py", ROOT / "__main__.py")
]


@cache
def parse(path):
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def room_of(path):
    """Return the room of a file: the module or package directly below the root."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def module_of(path):
    """Return the dotted name of a file's module."""
    return ".".join(("tinygrad_rnn", *path.relative_to(ROOT).with_suffix("").parts))


def files_of(room):
    """Return the files of a room, those of packages inside it included."""
    return [path for path in FILES_IN_ROOMS if room_of(path) == room]


# -- imports ---------------------------------------------------------------------------------------


def type_only_nodes(tree):
    """Return the nodes below ``if TYPE_CHECKING:``, which never run."""
    blocks = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ]
    return {inner for block in blocks for part in block.body for inner in ast.walk(part)}


def imports(path, tree=None, *, type_only=False):
    """Yield the absolute dotted names that a file imports, anywhere in it.

    Imports below ``if TYPE_CHECKING:`` count only with `type_only`. A `tree` that is given is read
    in the place of the whole file.
    """
    tree = tree or parse(path)
    skipped = set() if type_only else type_only_nodes(tree)
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from names_of_import(path, node)


def names_of_import(path, node):
    """Return the absolute names of the modules that ``from … import …`` imports."""
    package = ("tinygrad_rnn", *path.relative_to(ROOT).parts[:-1])
    base = package[: len(package) - node.level + 1] if node.level else ()
    module = ".".join((*base, *filter(None, [node.module])))
    is_our_package = (
        module.split(".")[0] == "tinygrad_rnn" and ROOT.parent.joinpath(*module.split(".")).is_dir()
    )
    return [f"{module}.{alias.name}" for alias in node.names] if is_our_package else [module]


def rooms_used(path, tree=None, *, type_only=False):
    """Return the rooms that a file imports from, except its own."""
    names = [name.split(".") for name in imports(path, tree, type_only=type_only)]
    ours = {(*name, "tinygrad_rnn")[1] for name in names if name[0] == "tinygrad_rnn"}
    return {room for room in ours if not room.startswith("__")} - {room_of(path)}


def room_graph(*, type_only=False):
    """Return the rooms that each room imports from."""
    graph = {room: set() for room in LAYER_OF}
    for path in FILES_IN_ROOMS:
        graph[room_of(path)] |= rooms_used(path, type_only=type_only)
    return graph


def file_graph(*, type_only=False):
    """Return the modules that each module imports; the ``__init__`` of a package is left out."""
    modules = {module_of(path): path for path in FILES if path.name != "__init__.py"}
    return {
        module: (set(imports(path, type_only=type_only)) & modules.keys()) - {module}
        for module, path in modules.items()
    }


def find_circles(graph):
    """Return the nodes of a graph that are on a circle, or on a path from one circle to another."""
    left = {name: set(needs) & graph.keys() for name, needs in graph.items()}
    while True:
        needed = set().union(*left.values())
        kept = {name: needs & left.keys() for name, needs in left.items() if name in needed}
        kept = {name: needs for name, needs in kept.items() if needs}
        if kept == left:
            return set(left)
        left = kept


# -- sizes -----------------------------------------------------------------------------------------


def code_lines(path):
    """Return the number of lines that are neither blank, comment nor docstring."""
    text = path.read_text(encoding="utf-8")
    strings = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    prose = {line for node in strings for line in range(node.lineno, node.end_lineno + 1)}
    no_code = {"COMMENT", "NL", "NEWLINE", "INDENT", "DEDENT", "ENDMARKER"}
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    lines = {
        line
        for token in tokens
        if tokenize.tok_name[token.type] not in no_code
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(lines - prose)
