"""The names of PyTorch, JAX and Keras raise AttributeError, which says what to write instead.

Every suggestion is run, and compared with what PyTorch computes for the name itself; the script
``fixtures/record_names.py`` recorded that.
"""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
from helpers import leaf_with, together
from internals import methods_elsewhere, names_elsewhere

import tinygrad_rnn as tg

FIXTURES = Path(__file__).parents[1] / "fixtures"
NAMESPACE = {}
exec((FIXTURES / "record_names.py").read_text(encoding="utf-8"), NAMESPACE)
NUMBERS, EXPRESSIONS = NAMESPACE["NUMBERS"], NAMESPACE["EXPRESSIONS"]
RECORDED = dict(np.load(FIXTURES / "names.npz"))

HOMES = {
    "PACKAGE": tg,
    "TENSOR": tg.Tensor([1.0]),
    "MODULE": tg.nn.GRU(2, 3),
    "NN": tg.nn,
    "FUNCTIONAL": tg.nn.functional,
    "INIT": tg.nn.init,
    "OPTIM": tg.optim,
    "SCHEDULE": tg.optim.StepLR(tg.optim.SGD([leaf_with([1.0])], lr=0.1), 10),
    "PLATEAU": tg.optim.ReduceLROnPlateau(tg.optim.SGD([leaf_with([1.0])], lr=0.1)),
}
"""What has the names of each table not."""
TABLES = {**vars(names_elsewhere), **vars(methods_elsewhere)}
ENTRIES = [(table, name, hint) for table in HOMES for name, hint in TABLES[table].items()]
SENTENCES = ("leave it out", "it has no counterpart")
CODE = [entry for entry in ENTRIES if not entry[2].startswith(SENTENCES)]
COMPARED = [entry for entry in CODE if entry[1] in EXPRESSIONS.get(entry[0], {})]
A, B = NUMBERS["a"], NUMBERS["b"]
SQUARE = {"x": A @ A.T}
ARGUMENTS = {
    **{name: {"y": B.T} for name in ["mm", "bmm"]},
    **{name: {"y": B[0]} for name in ["mv", "broadcast_tensors"]},
    **{name: {"x": A[0], "y": B[0]} for name in ["ger", "inner", "vdot"]},
    **dict.fromkeys(["cholesky", "det", "diag", "inverse", "linalg", "logdet"], SQUARE),
    **dict.fromkeys(["matrix_power", "slogdet"], SQUARE),
    **{name: {"index": np.array([[2], [0]])} for name in ["gather", "take_along_dim"]},
    "addmm": {"x": np.ones(2, "float32"), "y": A, "z": B.T},
    "embedding": {"x": np.array([1, 0]), "y": A},
    "index_select": {"index": np.array([1, 0])},
}
"""The arguments of the calls that do not take two matrices of one shape."""
PLAIN = {
    "PACKAGE": {
        "argsort": lambda: np.argsort(A),
        "bool": lambda: np.zeros(0, "bool"),
        "double": lambda: np.zeros(0, "float64"),
        "float": lambda: np.zeros(0, "float32"),
        "half": lambda: np.zeros(0, "float16"),
        "int": lambda: np.zeros(0, "int32"),
        "int32": lambda: np.zeros(0, "int32"),
        "linalg": lambda: np.linalg.inv(A @ A.T),
        "value_and_grad": lambda: [(A**2).sum(), 2 * A],
        "var_mean": lambda: [((A - A.mean(0)) ** 2).sum(0) / (len(A) - 1), A.mean(0)],
        "eq": lambda: A == B,
        "ge": lambda: A >= B,
        "gt": lambda: A > B,
        "le": lambda: A <= B,
        "lt": lambda: A < B,
        "ne": lambda: A != B,
        "allclose": lambda: False,
        "equal": lambda: False,
        "isfinite": lambda: np.full((2, 3), True),
        "isinf": lambda: np.full((2, 3), False),
        "isnan": lambda: np.full((2, 3), False),
        "logical_and": lambda: np.full((2, 3), True),
        "logical_not": lambda: np.full((2, 3), False),
        "logical_or": lambda: np.full((2, 3), True),
        "nonzero": lambda: np.transpose(np.nonzero(A)),
    },
    "TENSOR": {
        "allclose": lambda: False,
        "equal": lambda: False,
        "isfinite": lambda: np.full((2, 3), True),
        "isinf": lambda: np.full((2, 3), False),
        "isnan": lambda: np.full((2, 3), False),
        "median": lambda: np.sort(A.ravel())[(A.size - 1) // 2],
        "nonzero": lambda: np.transpose(np.nonzero(A)),
        "slogdet": lambda: list(np.linalg.slogdet(A @ A.T)),
        "sort": lambda: [np.sort(A), np.argsort(A)],
    },
    "FUNCTIONAL": {"pad": lambda: np.concatenate([np.zeros((2, 1)), A, np.zeros((2, 2))], 1)},
    "NN": {
        "LeakyReLU": lambda: np.maximum(A, 0.01 * A),
        "LogSigmoid": lambda: np.log(1 / (1 + np.exp(-A))),
        "SiLU": lambda: A / (1 + np.exp(-A)),
    },
    "INIT": {
        "constant_": lambda: np.full((2, 3), 7.0),
        "ones_": lambda: np.ones((2, 3)),
        "zeros_": lambda: np.zeros((2, 3)),
        "uniform_": lambda: np.random.default_rng(0).uniform(0, 1, (2, 3)),
    },
}
"""What PyTorch computes, as its documentation says it, in NumPy."""
NOT_NAMED = ["diagflat", "dsplit", "hsplit", "resize", "scatter", "solve", "vsplit"]
"""Methods of PyTorch that mean something else than our functions, or that hardly anybody calls."""
ALIKE = {
    "double": ["float64"] * 4,
    "float": ["float32"] * 4,
    "half": ["float16"] * 4,
    "to": ["float64"] * 4,
}
"""For methods of a Module, the dtypes of its parameters afterwards."""


def surroundings(called=""):
    """Return what the suggestions use; for a suggestion about the name `called`, its arguments."""

    def cell(x, h):
        return h + x, h + x

    model = tg.nn.Sequential(tg.nn.Linear(3, 2, rng=0), tg.nn.Linear(2, 3, rng=1))
    x, y = (tg.Tensor(NUMBERS[name].copy()) for name in "ab")
    known = {"tg": tg, "np": np, "x": x, "y": y, "a": NUMBERS["a"], "f": tg.exp, "cell": cell}
    known |= {"mask": NUMBERS["mask"], "index": NUMBERS["index"], "model": model, "h": x[0] * 0}
    for argument, value in ARGUMENTS.get(called, {}).items():
        known[argument] = value if argument == "index" else tg.Tensor(value)
    optimizer = tg.optim.SGD(model.parameters(), lr=0.1)
    return {**known, "optimizer": optimizer, "schedule": tg.optim.StepLR(optimizer, 10)}


def evaluate(hint, known):
    """Return what a suggestion computes; that of ``mul_`` is an assignment to ``x``."""
    return eval(hint.removeprefix("x = "), known)


def as_arrays(value):
    """Return a result as a list of arrays."""
    if isinstance(value, list | tuple):
        return [array for each in value for array in as_arrays(each)]
    if isinstance(value, type | np.dtype):
        return [np.zeros(0, value)]
    return [value.data if isinstance(value, tg.Tensor) else np.asarray(value)]


@together("entry", ENTRIES)
def test_a_name_from_elsewhere_is_missing_and_names_ours(entry):
    table, name, hint = entry
    home = HOMES[table]
    assert not hasattr(home, name)
    assert name not in dir(home)
    with pytest.raises(AttributeError) as caught:
        getattr(home, name)
    assert f"has no attribute {name!r}; " in str(caught.value)
    sentence = hint if hint.startswith(SENTENCES) else f"write {hint}, for example"
    assert str(caught.value).endswith(f"; {sentence}")


@together("entry", CODE)
def test_what_is_suggested_runs(entry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known = surroundings(entry[1])
    tg.save(known["model"].state_dict(), "weights.safetensors")
    if entry[0] == "PLATEAU":
        known["schedule"] = tg.optim.ReduceLROnPlateau(known["optimizer"])
    if "(x * x)" in entry[2]:
        known["x"] = tg.Tensor(known["x"], requires_grad=True)
    with np.errstate(invalid="ignore", divide="ignore"):  # arctanh(1)
        evaluate(entry[2], known)


@together("entry", COMPARED)
def test_what_is_suggested_computes_what_pytorch_does(entry):
    table, name, hint = entry
    known = surroundings(name)
    if "(x * x)" in hint:
        known["x"] = tg.Tensor(known["x"], requires_grad=True)
    with np.errstate(invalid="ignore", divide="ignore"):  # arctanh(1)
        found = evaluate(hint, known)
    found = as_arrays(found(known["x"]) if name == "Identity" else found)
    expected = [
        array for key, array in RECORDED.items() if key.rpartition(".")[0] == f"{table}.{name}"
    ]
    assert [array.shape for array in found] == [array.shape for array in expected]
    assert [array.dtype for array in found] == [array.dtype for array in expected]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=1e-7)


@together("entry", [entry for entry in CODE if entry[1] in PLAIN.get(entry[0], {})])
def test_what_is_suggested_computes_what_the_name_means(entry):
    table, name, hint = entry
    known = surroundings(name)
    if "(x * x)" in hint:
        known["x"] = tg.Tensor(known["x"], requires_grad=True)
    found = as_arrays(evaluate(hint, known))
    expected = PLAIN[table][name]()
    expected = expected if isinstance(expected, list) else [expected]
    assert [array.shape for array in found] == [np.shape(array) for array in expected]
    assert [array.dtype.kind for array in found] == [np.asarray(a).dtype.kind for a in expected]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=1e-7)
        if isinstance(theirs, np.ndarray) and not theirs.size:
            assert ours.dtype == theirs.dtype


def test_pytorchs_svd_is_suggested_with_its_own_third_factor():
    x = surroundings()["x"]
    u, s, v = (part.data for part in evaluate(TABLES["TENSOR"]["svd"], {"tg": tg, "x": x}))
    assert v.shape == (3, 2)
    np.testing.assert_allclose(u * s @ v.T, A, rtol=1e-5)


@together("name", ["mm", "bmm"])
def test_products_are_suggested_for_the_operands_of_the_call(name):
    """On operands of random shapes: `mm` and `bmm` are no product with a transposed matrix."""
    r = np.random.default_rng(1)
    stack = (4,) if name == "bmm" else ()
    a, b = r.normal(size=(*stack, 2, 3)), r.normal(size=(*stack, 3, 5))
    for table in ("PACKAGE", "TENSOR"):
        hint = TABLES[table][name]
        found = evaluate(hint, {"tg": tg, "x": tg.Tensor(a), "y": tg.Tensor(b)})
        np.testing.assert_allclose(found.data, a @ b)


def test_the_parts_of_a_model_are_found_as_its_pytorch_names_say():
    known = surroundings()
    model = known["model"]
    assert evaluate(TABLES["MODULE"]["get_submodule"], known) is model[0]
    assert evaluate(TABLES["MODULE"]["named_children"], known) == [("0", model[0]), ("1", model[1])]
    model.register_buffer("seen", np.arange(3.0))
    [buffer] = evaluate(TABLES["MODULE"]["buffers"], known)
    np.testing.assert_array_equal(buffer, np.arange(3.0))


@together("name", names_elsewhere.LAYERS)
def test_a_layer_that_is_looked_for_in_the_package_leads_to_the_layer(name):
    assert evaluate(TABLES["PACKAGE"][name], {"tg": tg}) is getattr(tg.nn, name)


@pytest.mark.parametrize("name", ALIKE)
def test_a_module_is_converted_as_its_pytorch_name_says(name):
    known = surroundings()
    eval(TABLES["MODULE"][name], known)
    assert [str(p.dtype) for p in known["model"].parameters()] == ALIKE[name]


def test_a_module_is_frozen_as_its_pytorch_name_says():
    known = surroundings()
    assert all(p.requires_grad for p in known["model"].parameters())
    eval(TABLES["MODULE"]["requires_grad_"], known)
    assert not any(p.requires_grad for p in known["model"].parameters())


def test_no_table_has_a_name_that_is_ours():
    for table, home in HOMES.items():
        public = set(getattr(home, "__all__", dir(home)))
        assert not public & set(TABLES[table]), table


def test_the_default_dtype_that_is_suggested_is_set():
    before = tg.get_default_dtype()
    try:
        tg.set_default_dtype(np.float64)
        eval(TABLES["PACKAGE"]["set_default_tensor_type"], surroundings())
        assert tg.get_default_dtype() == np.float32
    finally:
        tg.set_default_dtype(before)


def test_every_function_that_pytorch_has_as_a_method_is_named():
    """A function of ours that is no method of a Tensor leads from the method to the function."""
    listed = set(str(RECORDED["methods"]).split())
    ours = set(tg.ops.__all__) - set(dir(tg.Tensor))
    assert sorted(listed & ours - set(TABLES["TENSOR"])) == NOT_NAMED


def test_size_is_a_number_and_its_call_names_shape():
    x = tg.Tensor(np.ones((2, 3)))
    assert (x.size, x.size + 1, f"{x.size}") == (6, 7, "6")
    assert isinstance(x.size, int)
    for wrong in (x.size, lambda: x.size(0)):
        with pytest.raises(AttributeError, match=r"write x\.shape"):
            wrong()


def test_names_elsewhere_do_not_disturb_copies_subclasses_and_errors_of_others():
    class Own(tg.Tensor):
        """A Tensor of a user, with a method that PyTorch has too."""

        def view(self, *shape):
            return self.reshape(*shape)

    x = Own([1.0, 2.0], requires_grad=True)
    assert (x * 2).view(2, 1).shape == (2, 1)
    assert "view" not in dir(tg.Tensor)
    assert {"reshape", "sum", "grad"} <= set(dir(x))
    for other in (copy.deepcopy(tg.Tensor([1.0])), pickle.loads(pickle.dumps(tg.Tensor([1.0])))):
        assert type(other) is tg.Tensor
    with pytest.raises(AttributeError, match=r"^'Tensor' object has no attribute 'nothing'"):
        _ = tg.Tensor([1.0]).nothing


def test_a_module_may_have_attributes_with_names_from_elsewhere():
    class Own(tg.nn.Module):
        """A module of a user."""

        def __init__(self):
            super().__init__()
            self.type = "own"

        def to(self, place):
            return place

    assert Own().to("there") == "there"
    assert Own().type == "own"
    with pytest.raises(AttributeError, match=r"^Own has no attribute 'weigth'$"):
        _ = Own().weigth
    with pytest.raises(AttributeError, match=r"GRU has no attribute 'to'; write model\.astype"):
        tg.compile(tg.nn.GRU(2, 3)).to("cpu")
