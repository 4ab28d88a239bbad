"""The stubs are current, and they tell the truth: what a type checker finds is what a call returns.

`check_types.py` asks pyright and mypy themselves; ``.ci/run`` runs it.
"""

import ast
import rlcompleter
import runpy
import typing
from pathlib import Path
from types import UnionType

import numpy as np
import pytest
from helpers import together
from internals import registry
from stubs.sample_calls import sample_calls
from stubs.write_stubs import COMMAND, STUBS, overloads

import tinygrad_rnn as tg

HERE = Path(__file__).parent
SAMPLE_CALLS = list(sample_calls())


@pytest.mark.parametrize("path", STUBS, ids=lambda path: path.parent.name + "/" + path.name)
def test_the_stub_is_current(path):
    assert path.read_text(encoding="utf-8") == STUBS[path](), f"run: {COMMAND}"


def is_of(value, kind):
    """Return whether a value is of a type, as a type checker means it."""
    if kind is typing.Any:
        return True
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (UnionType, typing.Union):
        return any(is_of(value, each) for each in inner)
    if origin is np.ndarray:  # where NumPy returns a number, the stubs say array
        return isinstance(value, np.ndarray | np.generic)
    if origin is list:
        return isinstance(value, list) and all(is_of(each, inner[0]) for each in value)
    if origin is tuple and inner[-1] is ...:
        return isinstance(value, tuple) and all(is_of(each, inner[0]) for each in value)
    if origin is tuple:
        return len(value) == len(inner) and all(map(is_of, value, inner))
    return isinstance(value, origin or kind)


def test_every_right_call_returns_the_type_that_checkers_find(monkeypatch):
    seen = []

    def compare(value, kind):
        seen.append(kind)
        assert is_of(value, kind), f"expected {kind}, got {type(value)}"

    monkeypatch.setattr(typing, "assert_type", compare)
    runpy.run_path(str(HERE / "right_types.py"))
    assert len(seen) > 80


def test_the_comparison_of_types_can_fail():
    t = tg.Tensor([1.0])
    assert is_of((t, [t]), tuple[tg.Tensor, list[tg.Tensor]])
    assert not is_of((t, [1.0]), tuple[tg.Tensor, list[tg.Tensor]])
    assert not is_of(t, np.ndarray | None)
    assert not is_of((t, 1), tuple[tg.Tensor, ...])


PUBLIC_OPS = [op for op in registry.values() if getattr(tg, op.name, None) is op]


@pytest.mark.parametrize("op", PUBLIC_OPS, ids=lambda op: op.name)
def test_the_stub_of_an_op_takes_the_arguments_of_its_sample_calls(op):
    """Each way to call the op has the names of its inputs and settings, in the op's order."""
    for arguments, result in overloads(op):
        function = ast.parse(f"def call({arguments}) -> {result}: ...").body[0]
        names = [argument.arg for argument in function.args.args]
        assert names == [*op.inputs, *op.defaults]
        required = len(names) - len(function.args.defaults)
        assert names[required:] == [name for name in op.defaults if name not in op.required]


@together("name", sorted({name for name, _, _ in SAMPLE_CALLS}))
def test_a_function_that_returns_several_arrays_has_an_overload_that_says_so(name):
    results = [result for _, result in overloads(getattr(tg, name))]
    several = [r for r in results if r.startswith(("tuple", "list")) or r.endswith("Result")]
    for called, args, settings in SAMPLE_CALLS:
        if called == name and "Any" not in results:
            value = getattr(tg, name)(*args, **settings)
            assert several if isinstance(value, tuple | list) else len(several) < len(results)


def test_every_public_op_and_function_is_in_the_stub():
    stub = next(path for path in STUBS if path.parent.name == "ops")
    body = ast.parse(stub.read_text(encoding="utf-8")).body
    named = {node.target.id for node in body if isinstance(node, ast.AnnAssign)}
    named |= {node.name for node in body if isinstance(node, ast.FunctionDef)}
    assert set(tg.ops.__all__) <= named


def test_tab_completes_the_names_of_ops_layers_and_tensors():
    completer = rlcompleter.Completer({"tg": tg, "t": tg.Tensor([1.0])})
    for text, whole in {
        "tg.tan": "tg.tanh(",
        "t.soft": "t.softmax(",
        "tg.nn.GRUC": "tg.nn.GRUCell(",
    }.items():
        assert whole in [completer.complete(text, i) for i in range(3)]
