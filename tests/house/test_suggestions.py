"""What the messages of the package tell people to write exists, and runs.

The suggestions for NumPy's functions, for names of other libraries and for files of other kinds are
run in `test_numpy_protocol`, `test_names_elsewhere` and `test_file_kinds`. Here, every name of this
library, of NumPy and of an extra that any message contains is looked up. Every expression is run
that a message contains: a text in the source, or the error of a call in a table of wrong calls.
"""

import ast
import inspect
import os
import pathlib
import re
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pytest
from layers import FILES, ROOT
from suggestions import (
    TABLES_OF_FOREIGN_NAMES,
    expressions_in,
    fixes_in_source,
    fixes_of_wrong_calls,
    messages_of,
)

import tinygrad_rnn as tg

NAME = re.compile(r"(?<![\w.])(tg|np|nn|optim)\.([A-Za-z_][\w.]*\w)")
METHOD = re.compile(r"(?<![\w.`'\"])(?:[xtha]|y|weights?)\.([a-z_]+)\(")
OF_PYTORCH = {"contiguous"}  # in the line that converts a .pt file
EXTRA = re.compile(r"tinygrad_rnn\[(\w+)\]")
HOMES = {"tg": tg, "np": np, "nn": tg.nn, "optim": tg.optim}


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


# -- expressions -----------------------------------------------------------------------------------

NOT_RUN = {
    "x.detach().cpu().numpy()": "PyTorch has this",
    "layer.get_weights()": "Keras has this",
    "super().__init__()": "this runs inside of a class",
    "u+w": "this is an argument of chmod",
}
"""The expressions that do not run here, and why."""


def namespace():
    """Return what the names in the suggestions mean."""
    x, w = tg.Tensor([1, 2, 3]), tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    loss, model, text = (w * w).sum(), tg.nn.GRU(2, 2, rng=0), "a text"
    optimizer = tg.optim.SGD([w], 0.1)
    mask = np.array([True, False, True])
    return {
        **dict.fromkeys(["x", "y", "z", "a", "data", "reps", "state", "target", "tensor"], x),
        **dict.fromkeys(["w", "h", "weight", "weight_hh", "values", "arr", "array"], w),
        **dict.fromkeys(["model", "module", "layer", "gru", "linear"], model),
        "tg": tg, "np": np, "nn": tg.nn, "optim": tg.optim, "os": os, "pathlib": pathlib,
        "b": tg.Tensor(np.ones((3, 3), int)), "t": w[0], "loss": loss, "n": 1, "m": 3, "axis": 0,
        "index": 0, "indices": np.array([0, 1]), "condition": mask, "mask": mask, "batch": (2,),
        "dtype": np.float64, "optimizer": optimizer, "schedule": tg.optim.StepLR(optimizer, 2),
        "text": text, "vocab": tg.text.CharVocab(text), "path": "~/x", "name": "layer",
        "backward": loss.backward, "compile": tg.compile, "reshape": x.reshape,
        "zero_grad": model.zero_grad, "zero_state": tg.nn.GRUCell(2, 2).zero_state,
        "state_dict": model.state_dict, "compiled": tg.compile(model), "graph": tg.graph(loss),
        "Tensor": tg.Tensor, "activations": {},
    }  # fmt: skip


def run(expression, names):
    """Run an expression. If dots stand for arguments, look up the function and the other names."""
    tree = ast.parse(expression, mode="eval").body
    if isinstance(tree, ast.Call) and any(getattr(a, "value", 0) is ... for a in tree.args):
        function = eval(ast.unparse(tree.func), names)
        parameters = inspect.signature(function).parameters if function not in (str, int) else {}
        assert {keyword.arg for keyword in tree.keywords} <= set(parameters)
    else:
        eval(expression, names)


def fault_of(expression):
    """Return the error that a suggested expression raises, or None."""
    names = namespace()
    if ".filled(" in expression:  # said of masked arrays
        names["x"] = np.ma.array([1.0, 2.0], mask=[True, False])
    if ".item(" in expression:  # said of Tensors of one entry
        names["x"] = names["data"] = tg.Tensor(1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            run(expression, names)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return None


def test_every_expression_in_a_message_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = [*fixes_of_wrong_calls(), *fixes_in_source()]
    expressions = {found for text in texts for found in expressions_in(text)}
    faults = {found: fault for found in expressions if (fault := fault_of(found))}
    assert len(expressions) > 100
    assert {found: fault for found, fault in faults.items() if found not in NOT_RUN} == {}
    assert faults.keys() == NOT_RUN.keys()


def test_a_wrong_suggestion_is_found():
    (expression,) = expressions_in("use x.item(), or pass the state of the GRU (a tuple)")
    assert (expression, fault_of(expression)) == ("x.item()", None)
    assert expressions_in("reduce it with .sun(), for example") == ["x.sun()"]
    assert "sun" in fault_of("x.sun()")
    assert "retain" in fault_of("backward(retain=True)")
