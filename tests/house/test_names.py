"""What Tab and ``import`` find: the public names, the lazy ones included, and nothing else."""

import copy
import importlib
import inspect
import pickle
import pydoc
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from unittest import mock

import pytest
from helpers import together

import tinygrad_rnn as tg

ROOT = Path(__file__).parents[2]


def run(code):
    """Run code in a new process and return what it printed."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


# -- dir -------------------------------------------------------------------------------------------


@together("name", [*dir(tg), ""])
def test_dir_of_what_tg_holds_is_its_public_names(name):
    module = getattr(tg, name) if name else tg
    if isinstance(module, ModuleType):
        assert dir(module) == sorted(set(module.__all__))
        assert all(hasattr(module, each) for each in dir(module))


def test_dir_has_the_lazy_names_before_their_first_use():
    shown = run("import tinygrad_rnn as tg; print(*dir(tg))").split()
    assert {"graph", "backward_steps", "bptt", "interop", "parallel", "compile"} <= set(shown)
    assert shown == dir(tg)


def test_every_name_that_the_documentation_uses_is_in_dir():
    folders = ("docs", "docs/howto", "docs/gallery")
    pages = [
        ROOT / "README.md",
        *(page for folder in folders for page in ROOT.glob(f"{folder}/*.md")),
    ]
    used = {
        name
        for page in pages
        for name in re.findall(r"\btg\.([A-Za-z_]\w*)\b(?!\.\w+\.md)", page.read_text("utf-8"))
    }
    assert len(used) > 20
    assert {name for name in used if name not in dir(tg) and not name.startswith("__")} == set()


# -- the function and the package compile ----------------------------------------------------------


def test_the_function_compile_does_not_hide_its_package():
    code = """
import tinygrad_rnn as tg
import tinygrad_rnn.compile
import tinygrad_rnn.compile as package
from tinygrad_rnn.compile import CompiledModule, compile
assert tinygrad_rnn.compile.CompiledModule is package.CompiledModule is CompiledModule
assert type(tg.compile(tg.nn.GRU(2, 3))) is type(compile(tg.nn.GRU(2, 3))) is CompiledModule
assert package.layer.CompiledModule is CompiledModule
print("compiled")
"""
    assert run(code) == "compiled"


def test_compile_is_described_like_a_function():
    function = vars(tg.compile)["compile"]
    assert inspect.signature(tg.compile) == inspect.signature(function)
    assert "target : Module, cell or function" in pydoc.plain(pydoc.render_doc(tg.compile))


def test_compile_can_be_pickled_and_copied():
    function = vars(tg.compile)["compile"]
    for each in (tg.compile, function):
        assert pickle.loads(pickle.dumps(each)) is each
        assert copy.deepcopy(each) is each


def test_names_in_the_package_compile_can_be_patched(monkeypatch):
    with (
        mock.patch("tinygrad_rnn.compile.BACKENDS", {"abacus": ()}),
        pytest.raises(ValueError, match="write backend='abacus'"),
    ):
        tg.compile(tg.tanh)
    monkeypatch.setattr("tinygrad_rnn.compile.compiled.MOST", 3)
    assert tg.compile.compiled.MOST == 3
    with mock.patch("tinygrad_rnn.compile", lambda x: x):
        assert tg.compile(1) == 1


def test_a_second_import_of_the_package_leaves_compile_a_function():
    code = """
import importlib, sys
import tinygrad_rnn as tg
importlib.reload(tg.compile)
assert callable(tg.compile)
del sys.modules["tinygrad_rnn.compile"]
import tinygrad_rnn.compile
print(tg.compile(tg.nn.GRU(2, 3)))
"""
    assert run(code) == "compile(GRU(2, 3))"


def test_tg_can_be_loaded_again_before_and_after_the_first_drawing():
    code = """
import importlib
import tinygrad_rnn as tg
importlib.reload(tg)
first = tg.graph
importlib.reload(tg)
print(tg.graph is first, tg.graph.__name__)
"""
    assert run(code) == "True graph"


def test_a_name_that_a_package_does_not_have_is_an_attribute_error():
    for module in (tg, tg.compile):
        with pytest.raises(AttributeError, match="has no attribute 'nothing_like_this'"):
            _ = module.nothing_like_this
    assert importlib.import_module("tinygrad_rnn.graph").Node
