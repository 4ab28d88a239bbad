"""Wrong calls of the engine: each raises an error that names the operation and the argument."""

import numpy as np
from helpers import leaf
from wrong_calls import (
    X,
    assert_refused,
    backward_onto,
    define,
    echo,
    every,
    loss,
    through,
    through_joined,
    used,
    weight,
)

import tinygrad_rnn as tg
from tinygrad_rnn import nn

AREAS = {
    "files": {
        "a masked array": (
            lambda: tg.save({"a": np.ma.array([1.0, 2.0], mask=[False, True])}, "none/x"),
            TypeError,
            r"save: argument state\['a'\]: .* got a MaskedArray; use .*x\.filled\(0\)",
        ),
        "load a number": (lambda: tg.load(5), TypeError, "load: argument path: .* got int 5"),
        "save a number": (
            lambda: tg.save(5, "weights.safetensors"),
            TypeError,
            "save: argument state: .* got int 5",
        ),
        "a file that is not there": (
            lambda: tg.load("/nonexistent/x.safetensors"),
            FileNotFoundError,
            r"load: argument path: .* got '/nonexistent/x\.safetensors', which is not a file",
        ),
        "a folder as a file": (
            lambda: tg.load("/tmp"),
            FileNotFoundError,
            "load: argument path: .* got '/tmp', which is not a file",
        ),
        "a list of arrays": (
            lambda: tg.save([X], "x.safetensors"),
            TypeError,
            r"save: argument state: .* got list \[array\(\[\[0\., 1\.\],",
        ),
        "text as an array": (
            lambda: tg.save({"a": "x"}, "x.safetensors"),
            TypeError,
            r"save: argument state\['a'\]: .* got str 'x'",
        ),
        "nothing as an array": (
            lambda: tg.save({"a": None}, "x.safetensors"),
            TypeError,
            r"save: argument state\['a'\]: .* got NoneType None",
        ),
        "complex numbers in a file": (
            lambda: tg.save({"a": X * 1j}, "x.safetensors"),
            TypeError,
            r"save: argument state\['a'\]: .* got complex64 \(3, 2\)",
        ),
        "a number as a name": (
            lambda: tg.save({1: X}, "x.safetensors"),
            TypeError,
            "save: argument state: .* got int 1",
        ),
        "the name that is taken": (
            lambda: tg.save({"__metadata__": X}, "x.safetensors"),
            ValueError,
            "save: argument state: .* got '__metadata__'",
        ),
        "a number as metadata": (
            lambda: tg.save({"a": X}, "x.safetensors", metadata={"a": 1}),
            TypeError,
            r"save: argument metadata\['a'\]: .* got int 1",
        ),
        "a list as metadata": (
            lambda: tg.save({"a": X}, "x.safetensors", metadata=[1]),
            TypeError,
            r"save: argument metadata: .* got list \[1\]",
        ),
        "no path": (
            lambda: tg.save({"a": X}, None),
            TypeError,
            "save: argument path: .* got NoneType None",
        ),
        "a module in place of its state": (
            lambda: tg.save(nn.Linear(2, 2), "x.safetensors"),
            TypeError,
            r"save: argument state: .* got Linear Linear\(2, 2\)",
        ),
    },
    "parallel": {
        "a number among the parameters": (
            lambda: tg.parallel.average_gradients([5], object()),
            TypeError,
            r"average_gradients: argument parameters\[0\]: .* got int 5",
        ),
        "a number as a communicator": (
            lambda: tg.parallel.average_gradients([weight()], 5),
            TypeError,
            "average_gradients: argument communicator: .* got int 5",
        ),
        "a module as parameters": (
            lambda: tg.parallel.broadcast(nn.Linear(2, 2), 5),
            TypeError,
            r"broadcast: argument parameters: .* got Linear Linear\(2, 2\)",
        ),
        "a number as parameters": (
            lambda: tg.parallel.broadcast(5, 5),
            TypeError,
            "broadcast: argument parameters: .* got int 5",
        ),
    },
    "derivatives": {
        "the gradient of an array": (
            lambda: tg.grad(X, weight()),
            TypeError,
            r"grad: argument output: .* got float32 \(3, 2\)",
        ),
        "the gradient by what has no part in it": (
            lambda: tg.grad(loss(), weight()),
            RuntimeError,
            r"grad: argument inputs\[0\]: .* got a Tensor of shape \(3,\), which the output does "
            "not depend on",
        ),
        "the gradient by nothing": (
            lambda: tg.grad(loss(), []),
            ValueError,
            "grad: argument inputs: .* got none",
        ),
        "the gradient by a constant": (
            lambda: tg.grad(loss(), tg.Tensor(X)),
            TypeError,
            r"grad: argument inputs\[0\]: .* got float32 \(3, 2\)",
        ),
        "the gradient of many numbers": (
            lambda: tg.grad((w := weight()) * 2, w),
            ValueError,
            "grad: argument gradient: .* got none",
        ),
        "a column that arrives at a vector": (
            lambda: tg.grad((w := weight()) * 2, w, grad_output=np.ones((3, 1))),
            ValueError,
            r"grad: argument gradient: .* got float64 \(3, 1\)",
        ),
        "the gradient of a function": (
            lambda: tg.grad(lambda x: x, X),
            TypeError,
            r"grad: argument output: .* got function <function <lambda>\.<l",
        ),
        "a function that leaves the graph": (
            lambda: tg.jacobian(lambda x: x.data, X),
            TypeError,
            r"jacobian: argument f: .* got float32 \(3, 2\)",
        ),
        "a Jacobian by integers": (
            lambda: tg.jacobian(lambda x: x * 2, [1, 2]),
            TypeError,
            r"Tensor: argument requires_grad: .* got int64 \(2,\)",
        ),
        "a Jacobian of a number": (
            lambda: tg.jacobian(5, X),
            TypeError,
            "jacobian: argument f: .* got int 5",
        ),
        "a pull of another shape": (
            lambda: tg.vjp(tg.exp, X)[1](np.ones(2)),
            ValueError,
            r"vjp: argument gradient: .* got float64 \(2,\)",
        ),
        "tangents of another shape": (
            lambda: tg.jvp(tg.exp, X, np.ones(2)),
            ValueError,
            r"jvp: argument tangents: .* got \[\(2,\)\]",
        ),
        "more tangents than inputs": (
            lambda: tg.jvp(tg.exp, (X,), (X, X)),
            ValueError,
            r"jvp: argument tangents: .* got \[\(3, 2\), \(3, 2\)\]",
        ),
        "a Hessian of many numbers": (
            lambda: tg.hvp(tg.exp, X, X),
            ValueError,
            "hvp: argument gradient: .* got none",
        ),
        "a check by integers": (
            lambda: tg.gradcheck(tg.exp, [1, 2]),
            TypeError,
            "gradcheck: argument inputs: .* got none",
        ),
        "a check of order 0": (
            lambda: tg.gradcheck(tg.exp, np.ones(2), order=0),
            ValueError,
            "gradcheck: argument order: .* got 0",
        ),
        "a check of an order of text": (
            lambda: tg.gradcheck(tg.exp, np.ones(2), order="2"),
            TypeError,
            "gradcheck: argument order: .* got str '2'",
        ),
        "a check without a step": (
            lambda: tg.gradcheck(tg.exp, np.ones(2), eps=0),
            ValueError,
            "gradcheck: argument eps: .* got 0",
        ),
        "a check with a step below 0": (
            lambda: tg.gradcheck(tg.exp, np.ones(2), eps=-1e-6),
            ValueError,
            "gradcheck: argument eps: .* got -1e-06",
        ),
        "a check that takes everything": (
            lambda: tg.gradcheck(tg.exp, np.ones(2), rtol=float("inf")),
            ValueError,
            "gradcheck: argument rtol: .* got inf",
        ),
        "a check with a seed for a generator": (
            lambda: tg.gradcheck(tg.exp, np.ones(2), rng=1),
            TypeError,
            "gradcheck: argument rng: .* got int 1",
        ),
        "a check of a number": (
            lambda: tg.gradcheck(5, np.ones(2)),
            TypeError,
            "gradcheck: argument f: .* got int 5",
        ),
        "a check of what leaves the graph": (
            lambda: tg.gradcheck(lambda x: x.data, np.ones(2)),
            TypeError,
            "gradcheck: argument f: .* got float64",
        ),
        "a check of what stops the gradient": (
            lambda: tg.gradcheck(lambda x: x.detach(), np.ones(2)),
            tg.GradcheckError,
            r"gradcheck: <lambda>: argument x\[0\]: .* got the derivative 0 \(tolerance 1\.4e-06",
        ),
    },
    "tensors": {
        "scope of a float": (
            lambda: tg.scope(1.5),
            TypeError,
            r"scope: argument parts\[0\]: .* got float 1.5",
        ),
        "scope of None": (
            lambda: tg.scope("gru", None),
            TypeError,
            r"scope: argument parts\[1\]: .* got None",
        ),
        "scope of a bool": (
            lambda: tg.scope(True),
            TypeError,
            r"scope: argument parts\[0\]: .* got bool True",
        ),
        "unknown default dtype": (
            lambda: tg.set_default_dtype("foo"),
            TypeError,
            "set_default_dtype: argument dtype: .* got str 'foo'",
        ),
        "unknown dtype": (
            lambda: tg.Tensor(X, dtype="foo"),
            TypeError,
            "Tensor: argument dtype: .* got str 'foo'",
        ),
        "astype of an unknown dtype": (
            lambda: tg.Tensor(X).astype("foo"),
            TypeError,
            "astype: argument dtype: .* got str 'foo'",
        ),
        "module to an unknown dtype": (
            lambda: nn.Linear(2, 1).astype("foo"),
            TypeError,
            "astype: argument dtype: .* got str 'foo'",
        ),
        "formula with an unknown name": (
            lambda: define("half({b})"),
            ValueError,
            r"op halved: argument formula: .*\{a\}.* got 'half\({b}\)'",
        ),
        "formula with an open brace": (
            lambda: define("half({a"),
            ValueError,
            "op halved: argument formula",
        ),
        "formula with a bare pair": (
            lambda: define("half({})"),
            ValueError,
            "op halved: argument formula",
        ),
        "a Tensor with gradients as data": (
            lambda: tg.Tensor(weight()),
            TypeError,
            r"Tensor: argument data: .*; use data\.detach\(\)\.numpy\(\), or tg\.stack",
        ),
        "a number with gradients as data": (
            lambda: tg.Tensor(weight().sum()),
            TypeError,
            r"Tensor: argument data: .*; use data\.item\(\), data\.detach",
        ),
        "op without parentheses": (
            lambda: tg.op(abs),
            TypeError,
            r"op: argument formula: expected the formula as text, got builtin.*with parentheses$",
        ),
        "formula that is no text": (
            lambda: define(3),
            TypeError,
            r"op: argument formula: .* got int 3",
        ),
        "shapes that are no text": (
            lambda: define("half({a})", shapes=(3,)),
            TypeError,
            r"op: argument shapes: expected text, got tuple",
        ),
        "a sample that is no function": (
            lambda: define("half({a})", sample=X),
            TypeError,
            r"op: argument sample: expected a function, or None, got float32",
        ),
        "a reference that is no function": (
            lambda: define("half({a})", reference=2.0),
            TypeError,
            r"op: argument reference: .* got float 2.0",
        ),
        "a domain of one number": (
            lambda: define("half({a})", domain=1),
            TypeError,
            r"op halved: argument domain: expected an open interval, .* got 1; write",
        ),
        "a domain from high to low": (
            lambda: define("half({a})", domain=(1, 0)),
            TypeError,
            r"op halved: argument domain: .* got \(1, 0\)",
        ),
        "a domain of text": (
            lambda: define("half({a})", domain="(0, inf)"),
            TypeError,
            r"op halved: argument domain",
        ),
        "a domain for another input": (
            lambda: define("half({a})", domain={"b": (0, 1)}),
            TypeError,
            r"op halved: argument domain: .* got {'b'",
        ),
        "an op of no function": (
            lambda: tg.op("half({a})")(3),
            TypeError,
            r"op: argument function: expected a function on arrays, got int 3",
        ),
        "a variadic rule with a short list": (
            lambda: through_joined(lambda g: [g]),
            TypeError,
            r"backward: argument rule of added: expected a list of 2, .* got a list of 1; return",
        ),
        "a variadic rule with a long list": (
            lambda: through_joined(lambda g: [g, g, g]),
            TypeError,
            r"backward: argument rule of added: .* got a list of 3",
        ),
        "a variadic rule with an array": (
            lambda: through_joined(lambda g: g),
            TypeError,
            r"backward: argument rule of added: .* got float64 \(3,\)",
        ),
        "a variadic rule with a generator": (
            lambda: through_joined(lambda g: (g for _ in range(2))),
            TypeError,
            r"backward: argument rule of added: .* got generator",
        ),
        "a variadic rule that gives nothing": (
            lambda: through_joined(lambda g: None),
            TypeError,
            r"backward: argument rule of added: .* got NoneType None",
        ),
        "a variadic rule with one that is no array": (
            lambda: through_joined(lambda g: [g, None]),
            TypeError,
            r"backward: argument rule of added: .* got NoneType None",
        ),
        "array of a class of its own": (
            lambda: tg.Tensor(X) * X.view(type("matrix", (np.ndarray,), {"mask": None})),
            TypeError,
            "multiply: argument b: .* got a matrix",
        ),
        "masked array as a factor": (
            lambda: tg.Tensor(X) * np.ma.array(X, mask=X > 2),
            TypeError,
            "multiply: argument b: .* got a MaskedArray",
        ),
        "Tensor of a masked array": (
            lambda: tg.Tensor(np.ma.array(X, mask=X > 2)),
            TypeError,
            "Tensor: argument data: .* masked",
        ),
        "number that no float holds": (
            lambda: tg.Tensor(X) * 10**400,
            OverflowError,
            "multiply: int too large",
        ),
        "number that the dtype does not hold": (
            lambda: tg.Tensor(np.ones(2, np.uint8)) + 300,
            OverflowError,
            "add: Python integer 300",
        ),
        "gradient of another shape": (
            lambda: backward_onto(np.ones((3, 1))),
            ValueError,
            r"Tensor\.grad: argument grad: .* of shape \(3,\), got float64 \(3, 1\)",
        ),
        "a number as a gradient": (
            lambda: backward_onto(5),
            TypeError,
            r"Tensor\.grad: argument grad: expected None, or an array .* got int 5; convert",
        ),
        "a Tensor as a gradient": (
            lambda: backward_onto(weight()),
            TypeError,
            r"Tensor\.grad: argument grad: .* got float64 \(3,\)",
        ),
        "text as a gradient": (
            lambda: backward_onto(np.array(["a"] * 3)),
            ValueError,
            r"Tensor\.grad: argument grad: .* got <U1 \(3,\)",
        ),
        "a number as a name": (
            lambda: setattr(weight(), "name", 3),
            TypeError,
            r"Tensor: argument name: expected text, or None, got int 3",
        ),
        "nothing as data": (
            lambda: setattr(weight(), "data", None),
            TypeError,
            r"Tensor: argument data: expected a rectangular array .* got NoneType None",
        ),
        "text as data": (
            lambda: setattr(tg.Tensor(1.0), "data", "5"),
            TypeError,
            r"Tensor: argument data: .* got str '5'",
        ),
        "floats as integer data": (
            lambda: setattr(tg.Tensor([1, 2]), "data", [1.5, 2.5]),
            ValueError,
            r"Tensor\.data: argument new value: .* int64 \(2,\), got float32 \(2,\)",
        ),
        "a number beyond the dtype as data": (
            lambda: setattr(tg.Tensor(np.zeros(1, np.int8)), "data", [300]),
            ValueError,
            r"Tensor: argument data: expected numbers that int8 can hold, got 300",
        ),
        "rule that gives nothing": (
            lambda: through(None),
            TypeError,
            "backward: argument rule of shrunk: .* got NoneType None",
        ),
        "rule that gives a number": (
            lambda: through(0.5),
            TypeError,
            "backward: argument rule of shrunk: .* got float 0.5",
        ),
        "a NumPy keyword that is not known": (
            lambda: np.einsum("ij,ij->", tg.Tensor(X), X, dtype=float),
            TypeError,
            "np.einsum: argument dtype=",
        ),
        "a Tensor of text": (
            lambda: tg.Tensor("a"),
            TypeError,
            "Tensor: argument data: .* got str 'a'",
        ),
        "a Tensor of nothing": (
            lambda: tg.Tensor(None),
            TypeError,
            "Tensor: argument data: .* got NoneType None",
        ),
        "a Tensor of different lengths": (
            lambda: tg.Tensor([[1.0], [1.0, 2.0]]),
            TypeError,
            r"Tensor: argument data: .* got list \[\[1\.0\], \[1\.0, 2\.0\]\]",
        ),
        "a Tensor of complex numbers": (
            lambda: tg.Tensor([1j]),
            TypeError,
            r"Tensor: argument data: .* got list \[1j\]",
        ),
        "gradients of integers": (
            lambda: tg.Tensor([1, 2], requires_grad=True),
            TypeError,
            r"Tensor: argument requires_grad: .* got int64 \(2,\)",
        ),
        "a Tensor of one with gradients": (
            lambda: tg.Tensor(weight()),
            TypeError,
            "Tensor: argument data: .* got one whose gradients would be lost",
        ),
        "a number as a name of a Tensor": (
            lambda: tg.Tensor(X, name=5),
            TypeError,
            "Tensor: argument name: .* got int 5",
        ),
        "requires_grad of text": (
            lambda: tg.Tensor(X, requires_grad="no"),
            TypeError,
            "Tensor: argument requires_grad: .* got str 'no'",
        ),
        "nan as an integer": (
            lambda: tg.Tensor([np.nan], dtype=int),
            ValueError,
            "Tensor: argument data: .* got nan",
        ),
        "more than a byte in a byte": (
            lambda: tg.Tensor([300], dtype="uint8"),
            ValueError,
            "Tensor: argument data: .* got 300",
        ),
        "data of another shape": (
            lambda: setattr(weight(), "data", np.ones((3, 1))),
            ValueError,
            r"Tensor\.data: argument new value: .* got float64 \(3, 1\)",
        ),
        "data of another dtype": (
            lambda: setattr(weight(), "data", np.ones(3, int)),
            ValueError,
            r"Tensor\.data: argument new value: .* got int64 \(3,\)",
        ),
        "data of a result": (
            lambda: setattr(weight() * 2, "data", np.ones(3)),
            TypeError,
            r"Tensor\.data: argument tensor: .* got the result of multiply",
        ),
        "the truth of many": (
            lambda: bool(leaf(3)),
            ValueError,
            r"bool: argument t: .* got float64 \(3,\)",
        ),
        "the item of many": (
            lambda: leaf(3).item(),
            ValueError,
            r"item: argument t: .* got float64 \(3,\)",
        ),
        "a float of many": (
            lambda: float(tg.Tensor(X)),
            ValueError,
            r"item: argument t: .* got float32 \(3, 2\)",
        ),
        "the length of a number": (
            lambda: len(tg.Tensor(1.0)),
            TypeError,
            r"len: argument t: .* got float32 \(\)",
        ),
        "a walk over a number": (
            lambda: list(tg.Tensor(1.0)),
            TypeError,
            r"iter: argument t: .* got float32 \(\)",
        ),
        "backward from many numbers": (
            lambda: (weight() * 2).backward(),
            ValueError,
            "backward: argument gradient: .* got none",
        ),
        "backward from a leaf": (
            lambda: tg.Tensor(1.0).backward(),
            RuntimeError,
            r"backward: argument output: .* got float32 \(\)",
        ),
        "backward from a column": (
            lambda: (weight() * 2).backward(np.ones((3, 1))),
            ValueError,
            r"backward: argument gradient: .* got float64 \(3, 1\)",
        ),
        "backward a second time": (
            lambda: used().backward(),
            RuntimeError,
            r"backward: argument Tensor \(shape \(\) made by sum\): .* got one that was used",
        ),
        "a sum of other sizes": (
            lambda: leaf(3, 2) + leaf(3),
            ValueError,
            "add: operands could not be broadcast together",
        ),
        "a product of other sizes": (
            lambda: leaf(3, 2) @ leaf(3, 2),
            ValueError,
            r"matmul: shapes \(3,2\) and \(3,2\) not aligned: 2 \(d",
        ),
        "places for fewer rows": (
            lambda: tg.gather(leaf(3, 2), [0, 1]),
            ValueError,
            r"gather: expected an array a with .*, and index .*, got index of shape \(2,\)",
        ),
        "a place in a number": (
            lambda: tg.gather(leaf(), 0),
            ValueError,
            r"gather: expected an array a with .*, and index .*, got index of shape \(\)",
        ),
        "a place below 0": (
            lambda: tg.gather(leaf(3, 2), [0, -1, 1]),
            IndexError,
            r"expected integers in \[0, 2\) in index, got -1",
        ),
        "half a place": (
            lambda: tg.gather(leaf(3, 2), [0, 0.5, 1]),
            IndexError,
            r"expected integers in \[0, 2\) in index, got dtype float",
        ),
        "a list of sequences of other lengths": (
            lambda: tg.scan(echo, [leaf(4, 1), leaf(6, 1)], leaf(1)),
            ValueError,
            "(?s)scan: argument inputs: expected at least one time step, .*"
            "put time on the first axis, and put several inputs in a tuple",
        ),
        "a number @ a matrix": (
            lambda: 2 @ leaf(3, 2),
            ValueError,
            "matmul: argument a: expected an array with .* one axis, got float64",
        ),
        "a matrix @ a number": (
            lambda: leaf(3, 2) @ 2.0,
            ValueError,
            "matmul: argument b: expected an array with .* one axis, got float",
        ),
        "a shape of another size": (
            lambda: leaf(3, 2).reshape(4),
            ValueError,
            "reshape: cannot reshape array of size 6 into shap",
        ),
        "a sum over no axis": (
            lambda: leaf(3, 2).sum(2),
            np.exceptions.AxisError,
            "sum: axis 2 is out of bounds for array of dim",
        ),
        "a sum over half an axis": (
            lambda: leaf(3, 2).sum(0.0),
            TypeError,
            "sum: 'float' object cannot be interpreted as ",
        ),
        "a softmax along no axis": (
            lambda: tg.softmax(leaf(3, 2), axis=2),
            np.exceptions.AxisError,
            "softmax: axis 2 is out of bounds for array of dim",
        ),
        "the largest of none": (
            lambda: leaf(0, 3).max(),
            ValueError,
            "max: zero-size array to reduction operation m",
        ),
        "the place of the largest of none": (
            lambda: leaf(0, 3).argmax(),
            ValueError,
            r"argmax: argument t: .* got float64 \(0, 3\)",
        ),
        "the place along no axis": (
            lambda: leaf(3, 2).argmax(5),
            np.exceptions.AxisError,
            "argmax: axis: axis 5 is out of bounds for array ",
        ),
        "any along no axis": (
            lambda: tg.any(leaf(3, 2), 5),
            np.exceptions.AxisError,
            "any: axis: axis 5 is out of bounds for array ",
        ),
        "axes to fewer places": (
            lambda: tg.moveaxis(leaf(3, 2), [0, 1], [0]),
            ValueError,
            r"moveaxis: argument destination: expected 2 axes, as in source, got 1: \[0\]",
        ),
        "an axis twice": (
            lambda: leaf(3, 2).transpose(0, 0),
            ValueError,
            "transpose: repeated axis in transpose; got a: float",
        ),
        "an axis that is not 1": (
            lambda: leaf(3, 2).squeeze(0),
            ValueError,
            "squeeze: cannot select an axis to squeeze out whi",
        ),
        "a broadcast to fewer": (
            lambda: tg.broadcast_to(leaf(3, 2), (2, 2)),
            ValueError,
            "broadcast_to: operands could not be broadcast together",
        ),
        "parts of different sizes": (
            lambda: tg.concatenate([leaf(3, 2), leaf(2, 3)], axis=0),
            ValueError,
            "concatenate: all the input array dimensions except fo",
        ),
        "bounds of text": (
            lambda: tg.clip(leaf(3), "a"),
            TypeError,
            "clip: ufunc 'maximum' did not contain a loop w",
        ),
        "letters of two sizes": (
            lambda: tg.einsum("ij,jk", leaf(3, 2), leaf(3, 2)),
            ValueError,
            "einsum: operands could not be broadcast together",
        ),
        "parts that are not equal": (
            lambda: tg.split(leaf(3, 2), 2),
            ValueError,
            "split: argument indices_or_sections: .* got 2",
        ),
        "half a part": (
            lambda: tg.split(leaf(3, 2), 1.5),
            TypeError,
            r"split: argument indices_or_sections: .* got float 1\.5",
        ),
        "a power of text": (lambda: leaf(3) ** "a", TypeError, "power: argument b: .* got str 'a'"),
        "integers as the default": (
            lambda: tg.set_default_dtype(int),
            TypeError,
            "set_default_dtype: argument dtype: .* got int64",
        ),
        "a function without a derivative": (
            lambda: np.linalg.qr(leaf(2, 2)),
            TypeError,
            r"np\.linalg\.qr: argument x: .* got a Tensor",
        ),
    },
}


@every(AREAS)
def test_a_wrong_call_of_the_engine_is_refused_by_name(call, error, message):
    assert_refused(call, error, message)


def test_wrong_calls_of_the_engine_have_rows_of_every_area():
    assert AREAS.keys() == {"files", "parallel", "derivatives", "tensors"}
    assert min(map(len, AREAS.values())) >= 4
