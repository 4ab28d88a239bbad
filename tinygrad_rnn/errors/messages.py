"""Checks and error messages of ops, Tensors and the backward pass.

A function called ``…_error`` returns an exception to raise, and so does `explain`. `input_names`
and `point_at` return text. The other functions raise if something is wrong; some return the value
that they have checked. This module reads the attributes of ops, nodes and Tensors, but does not
import their classes.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..scope_part import format_scope
from . import argument_error, describe
from .argument_names import name_error

# -- arguments -------------------------------------------------------------------------------------


def instance(operation: str, argument: str, value: Any, kinds: Any, expected: str, fix: str) -> Any:
    """Return `value` if it is an instance of `kinds`, else raise TypeError."""
    if not isinstance(value, kinds):
        raise argument_error(operation, argument, expected, describe(value), fix, TypeError)
    return value


def flag(operation: str, argument: str, value: Any) -> bool:
    """Return `value` if it is a bool; else raise TypeError, because bool("no") would be True."""
    fix = "write True or False, without quotes"
    return bool(instance(operation, argument, value, (bool, np.bool_), "True or False", fix))


def floating(operation: str, argument: str, array: np.ndarray) -> None:
    """Raise TypeError if an array cannot have a gradient, because its dtype is not floating."""
    if array.dtype.kind != "f":
        expected = "a floating dtype, because only floats have gradients"
        fix = "write 1.0 instead of 1, or give dtype=np.float32"
        raise argument_error(operation, argument, expected, describe(array), fix, TypeError)


def fits(operation: str, argument: str, array: np.ndarray, dtype: np.dtype) -> None:
    """Raise ValueError if an integer dtype cannot hold an entry of `array`, such as NaN."""
    limits = np.iinfo(dtype)
    above = array >= limits.max + 1.0 if array.dtype.kind == "f" else array > limits.max
    held = (array >= limits.min) & ~above
    if not held.all():
        expected, got = f"numbers that {dtype} can hold", str(array[~held].ravel()[0])
        fix = "use a wider dtype, or a floating one"
        raise argument_error(operation, argument, expected, got, fix)


def numbers_error(operation: str, argument: str, x: Any) -> Exception:
    """Return the TypeError for data that is not a plain, rectangular array of real numbers."""
    expected, got = "a rectangular array of real numbers", describe(x)
    fix = "stack Tensors with tg.stack, pad rows to one length, or convert to a real dtype"
    if isinstance(x, np.ndarray) and type(x) is not np.ndarray:
        expected, got = "a plain array", f"a {type(x).__name__}"
        fix = "use np.asarray(x), or x.filled(0) where entries are masked"
    return argument_error(operation, argument, expected, got, fix, TypeError)


# -- defining an op --------------------------------------------------------------------------------


def check_rules(op: Any, rules: Mapping[str, Any]) -> None:
    """Raise TypeError if a rule names an unknown input, or does not accept the op's arguments."""
    unknown = ", ".join(sorted(rules.keys() - set(op.inputs)))
    if unknown:
        known = ", ".join(op.inputs)
        raise TypeError(f"{op.name}.vjps: no input named {unknown}; the inputs are {known}")
    arrays = [] if op.variadic else op.inputs
    for name, rule in rules.items():
        got = describe(rule)
        try:
            signature = inspect.signature(rule)
            got = f"a rule with the signature {signature}"
            signature.bind("g", "y", *arrays, **op.defaults)
        except ValueError:  # a builtin without a signature
            continue
        except TypeError as error:
            taken = ["g", "y", *([f"*{op.inputs[0]}"] if op.variadic else arrays), *op.defaults]
            expected = f"a rule with the signature ({', '.join(taken)})"
            fix = "give it a parameter for every input and setting, even if it does not use them"
            raise argument_error(f"{op.name}.vjps", name, expected, got, fix, TypeError) from error


def unknown_op_error(name: str) -> Exception:
    """Return the error for a name that is not in the registry."""
    expected, fix = "the name of a defined op", "import the module that defines it first"
    return argument_error("op", "name", expected, repr(name), fix, KeyError)


# -- calling an op ---------------------------------------------------------------------------------


def call_error(op: Any, count: int, settings: Mapping[str, Any]) -> Exception:
    """Return the error for a call whose arguments do not fit the op's signature."""
    names = [*op.inputs, *op.defaults]
    for name in settings:
        if name not in names:
            return name_error(op.name, name, names)
    got = f"{count} positional arguments" + "".join(f", {name}=" for name in sorted(settings))
    return TypeError(f"{op.name}: got {got}; call it as {op.signature}")


def check_sequence(operation: str, argument: str, arrays: Any) -> tuple[Any, ...]:
    """Return arrays as a tuple; raise TypeError if they are not a sequence."""
    if not isinstance(arrays, Iterable) or getattr(arrays, "shape", None) == ():
        expected, fix = "a sequence of arrays", "put the arrays in a list"
        raise argument_error(operation, argument, expected, describe(arrays), fix, TypeError)
    return tuple(arrays)


def input_names(op: Any, n: int) -> Sequence[str]:
    """Return the names of `n` inputs; those of a variadic op are ``arrays[0]``, ``arrays[1]``, …"""
    return [f"{op.inputs[0]}[{i}]" for i in range(n)] if op.variadic else op.inputs


DTYPE_ERRORS = "did not contain a loop", "Integers to negative", "Python int", "boolean subtract"
"""Parts of NumPy's messages about a dtype. The fix of an op is about shapes."""


def explain(error: Exception, op: Any, inputs: Any, taken: int, params: Any) -> Exception:
    """Return NumPy's error with the op, its arguments and the fix added to the text.

    The first `taken` inputs were accepted; if there are more inputs, the next one is at fault.
    """
    if isinstance(params.get("keepdims"), str | type | np.dtype):
        flag(op.name, "keepdims", params["keepdims"])  # NumPy takes a dtype at this place
    if getattr(error, "explained", False):
        return error
    names = input_names(op, len(inputs))
    if taken < len(inputs):
        return numbers_error(op.name, names[taken], inputs[taken])
    got = ", ".join([f"{n}: {describe(x)}" for n, x in zip(names, inputs, strict=False)]) or "none"
    is_dtype = any(text in str(error) for text in DTYPE_ERRORS)
    fix = "convert with .astype(float) first" if is_dtype else op.fix
    reason = str(error).partition(", use the")[0]  # NumPy recommends ^, which Tensors lack
    text = f"{op.name}: {reason}; got {got}" + (f"; {fix}" if fix else "")
    # A subclass of TypeError may not accept a text as its only argument.
    better = (TypeError if isinstance(error, TypeError) else type(error))(text)
    better.explained = True  # type: ignore[attr-defined]
    return better


def check_has_rules(op: Any, inputs: Sequence[Any]) -> None:
    """Raise TypeError if the op has no derivative rule for an input that needs gradients."""
    names = op.inputs * len(inputs) if op.variadic else op.inputs  # one rule covers all inputs
    for name, x in zip(names, inputs, strict=True):
        if name not in op.rules and getattr(x, "tracked", False):
            expected = f"a constant, because {op.name} has no derivative with respect to it"
            fix = f"pass {name}.detach(), or add {name}=... to the call of {op.name}.vjps"
            got = "a Tensor that requires gradients"
            raise argument_error(op.name, name, expected, got, fix, TypeError)


# -- the backward pass -----------------------------------------------------------------------------


def point_at(x: Any) -> str:
    """Describe a value in a message: its name, its shape, and the op and scope that made it."""
    made = f" made by {x.node.op.name}" if x.node else ""
    where = f" in {format_scope(x.node.scope)}" if x.node and x.node.scope else ""
    return f"{x.name or 'Tensor'} (shape {x.array.shape}{made}{where})"


def used_error(y: Any) -> Exception:
    """Return the error for a second backward pass through a graph that was not retained."""
    expected = "a graph that no backward pass has gone through"
    fix = "pass state.detach() to the next batch (truncated BPTT); to run backward twice on one "
    fix += "graph, call backward(retain_graph=True) the first time"
    return argument_error("backward", point_at(y), expected, "one that was used", fix, RuntimeError)


def changed_error(x: Any, node: Any) -> Exception:
    """Return the error for a leaf that changed after an op had used it."""
    expected = f"a leaf as it was when {node.op.name} was computed"
    got = "one whose .data was assigned, or whose requires_grad was turned on, after that"
    fix = "call backward before an optimizer's step, and set requires_grad before computing"
    return argument_error("backward", point_at(x), expected, got, fix, RuntimeError)


def contribution_error(c: Any, x: Any, y: Any) -> Exception:
    """Return the error for a rule whose result is not an array or does not fit the input."""
    argument, expected = f"rule of {y.node.op.name}", f"an array that broadcasts to {x.array.shape}"
    is_array = hasattr(c, "shape")
    got, kind = (f"shape {c.shape}", ValueError) if is_array else (describe(c), TypeError)
    fix = "return g times the derivative, or leave out the rule if there is no derivative"
    return argument_error("backward", argument, expected, got, fix, kind)


def check_contributions(node: Any, contributions: Any) -> Any:
    """Return the contributions of a variadic op; raise TypeError unless each input has one."""
    is_list, n = isinstance(contributions, list | tuple), len(node.inputs)
    if not is_list or len(contributions) != n:
        expected = f"a list of {n}, one array for each input"
        got = f"a list of {len(contributions)}" if is_list else describe(contributions)
        fix = "return a list or tuple, with zeros for an input that has no gradient"
        raise argument_error("backward", f"rule of {node.op.name}", expected, got, fix, TypeError)
    return contributions


# -- Tensors ---------------------------------------------------------------------------------------


NO_GRADIENT = "compute it outside of tg.no_grad(), from tensors with requires_grad=True"


def check_leaf(operation: str, t: Any, kind: type[Exception] = TypeError) -> Any:
    """Return the Tensor `t` if it is a leaf; raise an error if an op made it."""
    if t.node is not None:
        got = f"the result of {t.node.op.name}"
        raise argument_error(operation, "tensor", "a leaf", got, "use tensor.detach()", kind)
    return t


def check_untracked(operation: str, argument: str, t: Any) -> Any:
    """Return `t` if it is untracked; raise TypeError if reading it would lose gradients."""
    if t.tracked:
        expected, got = "a Tensor without gradients", "one whose gradients would be lost"
        number = f"{argument}.item(), " if t.array.size == 1 else ""
        fix = f"use {number}{argument}.detach().numpy(), or tg.stack for a list of them"
        raise argument_error(operation, argument, expected, got, fix, TypeError)
    return t


def store_grad(t: Any, grad: np.ndarray | None) -> None:
    """Set the gradient of `t`; raise an error unless it is None or an array that fits `t`."""
    is_array = isinstance(grad, np.ndarray)
    fits = is_array and grad.shape == t.array.shape and grad.dtype.kind in "biuf"
    if grad is not None and not fits:
        expected = f"None, or an array of real numbers of shape {t.array.shape}"
        argument, kind = t.name or "grad", ValueError if is_array else TypeError
        fix = "convert it with np.asarray, or let backward compute it"
        raise argument_error("Tensor.grad", argument, expected, describe(grad), fix, kind)
    t._grad = grad


def store_name(t: Any, name: str | None) -> None:
    """Set the name of `t`; raise TypeError unless it is text or None."""
    if name is not None and type(name) is not str:
        instance("Tensor", "name", name, str, "text, or None", "use str(...)")
    t._name = name


def check_seed(operation: str, output: Any, gradient: Any) -> np.ndarray:
    """Return the gradient to start from, in the dtype of `output`: `gradient`, or 1 if it is None.

    Raises
    ------
    TypeError
        If `output` is not a Tensor.
    RuntimeError
        If `output` does not require gradients.
    ValueError
        If `gradient` does not fit `output`, or is None and `output` is not one number.
    """
    if not getattr(output, "tracked", False):
        argument = getattr(output, "name", "") or "output"
        expected = "a Tensor that requires gradients"
        kind = RuntimeError if hasattr(output, "tracked") else TypeError
        raise argument_error(operation, argument, expected, describe(output), NO_GRADIENT, kind)
    array = output.array
    if gradient is None:
        if array.size != 1:
            expected = f"an array of shape {array.shape}, because the output is not one number"
            fix = "reduce the output with .sum() or .mean(), or pass gradient= of its shape"
            raise argument_error(operation, "gradient", expected, "none", fix)
        return np.ones_like(array)
    given = getattr(gradient, "array", gradient)
    given = given if isinstance(given, np.ndarray) else np.asarray(given)
    if given.shape != array.shape or given.dtype.kind not in "biuf":
        expected, fix = f"{array.dtype} {array.shape}", "give it the shape of the output"
        raise argument_error(operation, "gradient", expected, describe(given), fix)
    return given.astype(array.dtype, copy=False)


def single_entry(operation: str, t: Any) -> Any:
    """Return the Tensor `t` if it has one entry, else raise ValueError."""
    if t.array.size != 1:
        fix = "reduce it with .sum(), .any() or .all(), or take .tolist()"
        raise argument_error(operation, "t", "a Tensor of one entry", describe(t), fix)
    return t


def has_axes(operation: str, t: Any) -> Any:
    """Return the Tensor `t` if it has an axis, else raise TypeError."""
    if not t.array.ndim:
        fix = "use t.item(), or t.reshape(1)"
        raise argument_error(operation, "t", "a Tensor with an axis", describe(t), fix, TypeError)
    return t
