"""The checker: derivatives from the rules against differences of the function itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from . import check
from .errors import argument_error, describe
from .graph import Value, enable_grad, toposort
from .op import Op
from .ops import concatenate
from .tensor import Tensor
from .transforms import grad, vjp

__all__ = ["GradcheckError", "check_op", "gradcheck"]


class GradcheckError(AssertionError):
    """A derivative that does not agree with the function."""


@enable_grad()
def gradcheck(
    f: Callable[..., Any],
    *inputs: Any,
    order: int = 1,
    eps: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    rng: np.random.Generator | None = None,
) -> bool:
    """Compare the gradient of ⟨u, f(inputs)⟩, for random u, with central differences in every entry of every input.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns a Tensor or a tuple of Tensors; an op, a Module, a composition.
    inputs : array_like
        Those of floating dtype are checked; others are passed on. Use float64.
    order : int
        1 for gradients; 2 also checks the gradient of the gradient, and so on.
    eps : float, optional
        The step to either side: 1e-6, and 1e-2 for smaller dtypes than float64.
    rtol, atol : float, optional
        The largest difference allowed is ``atol + rtol * |difference quotient|``: 1e-5 and 1e-7, for smaller dtypes 1e-2 and 1e-2.
    rng : numpy.random.Generator, optional
        Where u is drawn from. A u of ones would not notice a transposed or a missing factor.

    Returns
    -------
    bool
        True. A failure raises.

    Raises
    ------
    GradcheckError
        Names the op or function, the argument, the index of the entry, both values and the tolerance.
    TypeError
        If no input has a floating dtype, or a setting is of the wrong kind.

    Warns
    -----
    UserWarning
        If an input is float32 or smaller: differences are too coarse to compare with.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.gradcheck(tg.tanh, np.array([0.5, -1.0]), order=2)
    True
    """
    check.callable(
        "gradcheck", "f", f, "a function of Tensors", "pass an op, a Module or a function"
    )
    order = check.count("gradcheck", "order", order)
    for argument, number in (("eps", eps), ("rtol", rtol), ("atol", atol)):
        low = 5e-324 if argument == "eps" else 0.0  # the smallest number above 0
        if number is not None:
            check.number(
                "gradcheck",
                argument,
                number,
                "a finite number" + (" above 0" if low else ", at least 0"),
                low=low,
            )
    if rng is not None and not isinstance(rng, np.random.Generator):
        fix = "use np.random.default_rng(0), say"
        raise argument_error(
            "gradcheck",
            "rng",
            expected="a numpy.random.Generator",
            got=describe(rng),
            fix=fix,
            kind=TypeError,
        )
    rng = rng or np.random.default_rng(0)
    arrays = [np.array(x.array if isinstance(x, Value) else x) for x in inputs]
    small = [a.dtype for a in arrays if a.dtype.kind == "f" and a.dtype.itemsize < 8]
    if small:
        warnings.warn(
            f"gradcheck: differences in {small[0]} are too coarse; pass float64 inputs",
            stacklevel=2,
        )
    usual = (1e-2, 1e-2, 1e-2) if small else (1e-6, 1e-5, 1e-7)
    eps, rtol, atol = (
        default if given is None else given
        for given, default in zip((eps, rtol, atol), usual, strict=True)
    )
    if not any(a.dtype.kind == "f" for a in arrays):
        raise TypeError(
            "gradcheck: argument inputs: expected at least one of floating dtype, got none; write 1.0 instead of 1"
        )
    _check(
        f,
        arrays,
        order,
        eps,
        rtol,
        atol,
        rng,
        getattr(f, "name", None) or getattr(f, "__name__", None) or repr(f),
    )
    return True


def _check(
    f: Callable[..., Any],
    arrays: list[np.ndarray],
    order: int,
    eps: float,
    rtol: float,
    atol: float,
    rng: np.random.Generator,
    name: str,
) -> None:
    before = [a.copy() for a in arrays]
    output = _joined(f(*[Tensor(a) for a in arrays]))
    _require_unwritten(name, before, arrays)
    u = rng.standard_normal(output.shape)
    names = _names(f, len(arrays))
    floating = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]

    def projected(*some: Any) -> Tensor:
        """⟨u, f⟩ as a function of the floating inputs."""
        every: list[Any] = [Tensor(a) for a in arrays]
        for i, x in zip(floating, some, strict=True):
            every[i] = x
        return (_joined(f(*every)) * Tensor(u)).sum()

    points = [arrays[i].copy() for i in floating]
    value, pull = vjp(projected, *points)
    flows = pull(None)
    for i, point, flow in zip(
        floating, points, flows if isinstance(flows, tuple) else (flows,), strict=True
    ):
        for index in np.ndindex(point.shape):
            middle = point[index]
            sides = []
            for step in (eps, -eps):
                point[index] = middle + step
                sides.append(projected(*[Tensor(p.copy()) for p in points]).item())
            point[index] = middle
            quotient, derivative = (sides[0] - sides[1]) / (2 * eps), flow.data[index]
            tolerance = atol + rtol * abs(quotient)
            if not abs(quotient - derivative) <= tolerance:
                raise GradcheckError(
                    f"gradcheck: {name}: argument {names[i]}{list(index)}: expected the difference quotient {quotient:.10g}, got the "
                    f"derivative {derivative:.10g} (tolerance {tolerance:.1e}; ops: {_ops(value)}); "
                    f"look for a wrong rule, or a detach, on the way from {names[i]}"
                )
    if order > 1:

        def gradients(*some: Any) -> Any:
            return grad(projected(*some), [*some], create_graph=True)

        def recorded(*some: Tensor) -> Any:
            return gradients(
                *[x if x.requires_grad else Tensor(x.data, requires_grad=True) for x in some]
            )

        _check(recorded, points, order - 1, eps, rtol, atol * 10, rng, f"gradient of {name}")


def _require_unwritten(name: str, before: list[np.ndarray], after: list[np.ndarray]) -> None:
    """Refuse a function that has written into what it was given: whoever calls it next calls it with other numbers."""
    for i, (old, new) in enumerate(zip(before, after, strict=True)):
        if not np.array_equal(old, new, equal_nan=old.dtype.kind == "f"):
            raise GradcheckError(
                f"gradcheck: {name}: argument inputs[{i}]: expected an array that is only read, got one that it wrote into; "
                "make a new array in place of it"
            )


def _joined(outputs: Any) -> Tensor:
    """Every entry of every output in one vector: the sum over outputs becomes one sum."""
    if isinstance(outputs, Tensor):
        return outputs.reshape(-1)
    flat: list[Any] = []
    waiting = list(outputs) if isinstance(outputs, Iterable) else [outputs]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, tuple | list):
            waiting = [*item, *waiting]
        elif isinstance(item, Tensor):
            flat.append(item.reshape(-1))
        else:
            raise TypeError(
                f"gradcheck: argument f: expected a function that returns Tensors, got {type(item).__name__}; return a Tensor"
            )
    return concatenate(flat)


def _names(f: Callable[..., Any], n: int) -> list[str]:
    """What the arguments of `f`, or of what it wraps, are called."""
    f = getattr(f, "__wrapped__", f)
    if isinstance(f, Op) and not f.variadic:
        return list(f.inputs)
    code = getattr(f, "__code__", None)
    known = list(code.co_varnames[: code.co_argcount]) if code else []
    return [known[i] if i < len(known) else f"inputs[{i}]" for i in range(n)]


def _ops(value: Tensor) -> str:
    """The names of the ops between inputs and output, for the message."""
    return (
        ", ".join(sorted({v.node.op.name for v in toposort(value) if v.node is not None}))
        if value.node
        else "none"
    )


class Sampler:
    """What draws the sample inputs of an op: ``r(3, 4)``, ``r.positive(3, 4)``; all in float64.

    No two entries of one array are equal and none is near zero, where abs, relu and max have kinks.
    """

    def __init__(self, rng: np.random.Generator):
        self.rng = rng

    def __call__(self, *shape: int) -> np.ndarray:
        """An array of numbers between 0.2 and 2 in size, of either sign, distinct."""
        return np.asarray(self.positive(*shape) * self.rng.choice([-1.0, 1.0], shape))

    def positive(self, *shape: int) -> np.ndarray:
        """An array of distinct numbers between 0.2 and 2."""
        n = int(np.prod(shape))
        steps = self.rng.permutation(n) + self.rng.uniform(0.25, 0.75, n)
        return (0.2 + 1.8 * steps / max(n, 1)).reshape(shape)


def cases(op: Op, rng: np.random.Generator) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """The sample calls of an op: for each its arrays and its settings (all of them, defaults included)."""
    if op.sample is None:
        return []
    samples = op.sample(Sampler(rng))
    found = []
    for sample in samples if isinstance(samples, list) else [samples]:
        *arrays, last = sample
        settings = last if isinstance(last, dict) else {}
        if not isinstance(last, dict):
            arrays.append(last)
        if op.variadic and len(arrays) == 1 and isinstance(arrays[0], tuple):
            arrays = list(arrays[0])
        found.append((tuple(arrays), {**op.defaults, **settings}))
    return found


def check_op(op: Op, *, order: int = 2, rng: np.random.Generator | None = None) -> int:
    """Gradcheck every sample of one op, to second order.

    Parameters
    ----------
    op : Op
        A function made by ``tg.op``. Its ``sample`` says what it is called with; without one nothing is checked.
    order : int
        How often the function is differentiated; see `gradcheck`.
    rng : numpy.random.Generator, optional
        Where the samples are drawn from; a fixed seed if missing.

    Returns
    -------
    int
        How many calls were checked.

    Raises
    ------
    GradcheckError
        If a derivative does not agree with the differences.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.gradcheck import check_op
    >>> check_op(tg.tanh)
    1
    """
    rng = rng or np.random.default_rng(0)
    found = cases(op, rng)
    for arrays, params in found:

        def called(*inputs: Any, params: dict[str, Any] = params) -> Any:
            return op(inputs, **params) if op.variadic else op(*inputs, **params)

        called.__name__ = op.name
        vars(called)["__wrapped__"] = op
        gradcheck(called, *arrays, order=order, rng=rng)
    return len(found)
