"""Take a protection out of the package's source: find a statement by its function, and replace it.

A removal is a table of ``fixtures/removals.toml``, named after the test that must fail without the
protection. Its keys:

- ``file``: a file of the package.
- ``function``: the qualified name of the function or class that holds the statement, for example
  ``Tensor.backward``. Without this key the whole file is searched.
- ``statement``: the statement to replace, for example ``total = total + g``. A text that ends with
  a colon is the first line of a compound statement, for example ``if faults:``; its block stays.
- ``expression``: the part of a statement to replace, for example ``node.used > 1``.
- ``replacement``: the new text. Without a statement and an expression it is inserted at the start
  of the function, class or file, after the docstring and the import of annotations.

Code is compared as a syntax tree, so a new format or a comment does not hide a statement. The
statement or expression must occur exactly once.
"""

import ast
import textwrap
import tomllib
from pathlib import Path

import tinygrad_rnn

PACKAGE = Path(tinygrad_rnn.__file__).parent
REMOVALS = tomllib.loads(
    (Path(__file__).parent / "fixtures" / "removals.toml").read_text(encoding="utf-8")
)
HEADERS = ast.If | ast.For | ast.While | ast.With | ast.FunctionDef | ast.ClassDef


def code_without(removal, source):
    """Return the source with the removal's replacement in it.

    Raises LookupError unless the function, and the statement in it, are found exactly once.
    """
    scope = find_scope(ast.parse(source), removal.get("function", ""))
    new = textwrap.dedent(removal["replacement"]).strip("\n")
    if "expression" in removal:
        node = find_once(ast.parse(removal["expression"], mode="eval").body, scope)
        return splice(source, start_of(node), end_of(node), new)
    if "statement" not in removal:
        start = start_of(first_statement(scope))
        return splice(source, start, start, new + "\n")
    text = removal["statement"].strip()
    if not text.endswith(":"):
        node = find_once(*ast.parse(text).body, scope)
        return splice(source, start_of(node), end_of(node), new)
    node = find_once(*ast.parse(f"{text} pass").body, scope, header_only=True)
    last = start_of(node.body[0])[0] - 1
    return splice(source, start_of(node), (last, len(source.splitlines()[last - 1].encode())), new)


def start_of(node):
    """Return the line and the column, in bytes, at which a node starts, decorators included."""
    first = min([node, *getattr(node, "decorator_list", [])], key=lambda part: part.lineno)
    return first.lineno, node.col_offset


def end_of(node):
    """Return the line and the column, in bytes, at which a node ends."""
    return node.end_lineno, node.end_col_offset


def find_scope(tree, name):
    """Return the function or class with this qualified name; for an empty name the whole tree."""
    for part in filter(None, name.split(".")):
        found = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == part
        ]
        if len(found) != 1:
            raise LookupError(f"{len(found)} definitions of {name}")
        (tree,) = found
    return tree


def find_once(wanted, scope, *, header_only=False):
    """Return the one node of the scope that says the same as `wanted`."""
    found = [
        node
        for node in ast.walk(scope)
        if type(node) is type(wanted) and dump(node, header_only) == dump(wanted, header_only)
    ]
    if len(found) != 1:
        raise LookupError(f"{len(found)} times: {ast.unparse(wanted)}")
    return found[0]


def dump(node, header_only):
    """Return the text of a syntax tree, to compare; of a header without its blocks."""
    if header_only and isinstance(node, HEADERS):
        blocks = {name: [] for name in ("body", "orelse") if name in node._fields}
        node = type(node)(**{**dict(ast.iter_fields(node)), **blocks})
    return ast.dump(node)


def first_statement(scope):
    """Return the first statement after the docstring and the import of annotations."""
    for node in scope.body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not is_docstring and "__future__" not in ast.unparse(node):
            return node
    raise LookupError("a body with no statement")


def splice(source, start, end, new):
    """Return the source with a new text between two places, indented like the line it starts in."""
    lines = source.splitlines(keepends=True)
    head = lines[start[0] - 1].encode()[: start[1]].decode()
    tail = lines[end[0] - 1].encode()[end[1] :].decode()
    indent = " " * (len(head) - len(head.lstrip(" ")))
    text = new.replace("\n", "\n" + indent)
    return "".join([*lines[: start[0] - 1], head, text, tail, *lines[end[0] :]])
