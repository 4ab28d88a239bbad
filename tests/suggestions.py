"""The expressions that error messages suggest: where the messages are, and how to read them."""

import ast
import importlib.util
import re
import sys
from pathlib import Path

from layers import FILES, parse, room_of

TESTS = Path(__file__).parent
TABLES_OF_FOREIGN_NAMES = {"names_elsewhere.py", "methods_elsewhere.py", "refused.py"}
OF_OTHER_PROGRAMS = {"render.py", "file_kinds.py", "wrong_kinds.py"}
FIX = re.compile(r"(?s)\bgot .*?; (.*)")
VERB = re.compile(r"\b(use|write|pass|call|give|take|convert|assign|select|replace|export)\b")
START = re.compile(r"(?<![\w.'\"}])(?=[A-Za-z_\[({~\d])")
ENGLISH = re.compile(r"[\w\])] +[(\[.@]|[\w.]-[A-Za-z\d]|\w -\d|^(use|is|are|of) |,$")
CODE = (ast.Call, ast.Subscript, ast.BinOp, ast.Attribute, ast.Compare)
NO_CODE = (ast.BoolOp, ast.IfExp, ast.Set, ast.In, ast.Is, ast.Not, ast.NotIn, ast.IsNot)


def messages_of(path):
    """Yield the strings of a file that are not docstrings, with their lines."""
    tree = parse(path)
    docs = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.lineno, node.value


def fix_in(text):
    """Return what a message says after the fault, or the whole text if it names no fault."""
    found = FIX.search(text)
    return found[1] if found else re.sub(r"(?s)\bgot .*", "", text)


def formatted_texts(path):
    """Yield the f-strings of a file, with x in place of the name of an argument."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                part.value
                if isinstance(part, ast.Constant)
                else ("x" if ast.unparse(part.value) in ("argument", "unknown") else " … ")
                for part in node.values
            )


def fixes_in_source():
    """Return the strings of the package that say what to write. Those of commands have no code."""
    left_out = TABLES_OF_FOREIGN_NAMES | OF_OTHER_PROGRAMS
    paths = [path for path in FILES if path.name not in left_out and room_of(path) != "app"]
    texts = {fix_in(text) for path in paths for _, text in messages_of(path)}
    texts |= {fix_in(text) for path in paths for text in formatted_texts(path)}
    return {text for text in texts if VERB.search(text)}


def fixes_of_wrong_calls():
    """Return the fixes in the errors of all tables of wrong calls."""
    fixes = set()
    for path in sorted(TESTS.glob("*/test_wrong_calls.py")):
        spec = importlib.util.spec_from_file_location(f"wrong_calls_of_{path.parent.name}", path)
        module = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str(path.parent))
        spec.loader.exec_module(module)
        sys.path.remove(str(path.parent))
        for table in module.AREAS.values():
            for call, *_ in table.values():
                try:
                    call()
                except Exception as error:
                    text = error.args[0] if isinstance(error, KeyError) else str(error)
                    fixes.add(fix_in(text))
    return fixes


def is_code(text):
    """Return whether a part of a sentence is an expression of Python, and no English."""
    if ENGLISH.search(text) or text != text.strip():
        return False
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError):
        return False
    nodes = list(ast.walk(tree))
    is_list = isinstance(tree.body, ast.Tuple) and not text.startswith("(")
    has_code = any(isinstance(node, CODE) for node in nodes)
    return has_code and not is_list and not any(isinstance(node, NO_CODE) for node in nodes)


def expressions_in(text):
    """Return the longest expressions in a sentence. A bare ``.sum()`` counts as ``x.sum()``."""
    text = re.sub(r"(?<=\s)\.(?=[a-z_]+\()", "x.", text)
    found, position = [], 0
    for start in START.finditer(text):
        if start.start() < position:
            continue
        for end in range(len(text), start.start(), -1):
            ends_a_word = not (text[end - 1].isalnum() and text[end : end + 1].isalnum())
            if ends_a_word and is_code(text[start.start() : end]):
                found.append(text[start.start() : end])
                position = end
                break
    return found
