"""What the messages of the package tell people to write exists.

The suggestions for NumPy's functions, for names of other libraries and for files of other kinds are
run in `test_numpy_protocol`, `test_names_elsewhere` and `test_file_kinds`. Here, every name of this
library, of NumPy and of an extra that any message contains is looked up.
"""

import ast
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from layers import FILES, ROOT, parse

import tinygrad_rnn as tg

NAME = re.compile(r"(?<![\w.])(tg|np|nn|optim)\.([A-Za-z_][\w.]*\w)")
METHOD = re.compile(r"(?<![\w.`'\"])(?:[xtha]|y|weights?)\.([a-z_]+)\(")
OF_PYTORCH = {"contiguous"}  # in the line that converts a .pt file
EXTRA = re.compile(r"tinygrad_rnn\[(\w+)\]")
HOMES = {"tg": tg, "np": np, "nn": tg.nn, "optim": tg.optim}
TABLES_OF_FOREIGN_NAMES = {"names_elsewhere.py", "methods_elsewhere.py", "refused.py"}


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


SUGGESTED = [
    pytest.param(home, name, id=f"{path.relative_to(ROOT)}:{line}: {home}.{name}")
    for path in FILES
    if path.name not in TABLES_OF_FOREIGN_NAMES
    for line, text in messages_of(path)
    for home, name in NAME.findall(text)
]
METHODS = sorted(
    {
        name
        for path in FILES
        if path.name not in TABLES_OF_FOREIGN_NAMES and path.relative_to(ROOT).parts[0] != "compile"
        for _, text in messages_of(path)
        for name in METHOD.findall(text)
    }
)
EXTRAS = {extra for path in FILES for _, text in messages_of(path) for extra in EXTRA.findall(text)}


@pytest.mark.parametrize(("home", "name"), SUGGESTED)
def test_every_name_in_a_message_exists(home, name):
    found = HOMES[home]
    for part in name.split("."):
        found = getattr(found, part)


def test_many_messages_suggest_a_name():
    assert len(SUGGESTED) > 100
    assert len(METHODS) > 5


@pytest.mark.parametrize("name", METHODS)
def test_every_method_in_a_message_exists(name):
    kinds = (tg.Tensor, np.ndarray, np.ma.MaskedArray)
    assert any(hasattr(kind, name) for kind in kinds) or name in OF_PYTORCH


def test_every_extra_in_a_message_exists():
    project = tomllib.loads((Path(ROOT).parent / "pyproject.toml").read_text(encoding="utf-8"))
    assert EXTRAS
    assert project["project"]["optional-dependencies"].keys() >= EXTRAS
