"""The gradient check: derivatives from the backward pass, compared with finite differences."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import check
from .blocks import enable_grad
from .errors import argument_error
from .errors.user_warning import warn_user
from .graph import toposort, unwrap
from .op import Op
from .ops import concatenate
from .tensor import Tensor
from .transforms import grad, vjp

__all__ = ["GradcheckError", "check_op", "gradcheck"]


class GradcheckError(AssertionError):
    """A derivative differs from its difference quotient, or a function changed its input."""


@dataclass(frozen=True)
class Tolerance:
    """The finite-difference step, and the error allowed in a derivative."""

    eps: float
    rtol: float
    atol: float

    def allowed(self, quotient: float) -> float:
        """Return the largest error allowed for this difference quotient."""
        return self.atol + self.rtol * abs(quotient)


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
    """Compare the gradient of ⟨u, f(inputs)⟩, where u is random, with central differences.

    Every entry of every input of floating dtype is checked.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns a Tensor or a tuple of Tensors: an op, a Module, or a
        composition of them.
    inputs : array_like
        Inputs of floating dtype are checked; use float64. All other inputs reach `f` as constant
        Tensors.
    order : int
        The highest order of derivative to check: 2 also checks the gradient of the gradient.
    eps : float, optional
        The step to either side. The default is 1e-6, or 1e-2 if an input has a floating dtype
        smaller than float64.
    rtol, atol : float, optional
        The largest error allowed is ``atol + rtol * |difference quotient|``. The defaults are 1e-5
        and 1e-7, or both 1e-2 if an input has a floating dtype smaller than float64.
    rng : numpy.random.Generator, optional
        The generator that draws u; by default, a generator with seed 0. If u were all ones, a
        transposed or missing factor could go unnoticed.

    Returns
    -------
    bool
        Always True. A failure raises GradcheckError.

    Raises
    ------
    GradcheckError
        If a derivative is wrong, or `f` writes into its inputs. The message names the op or
        function, the argument, the entry, both values and the tolerance.
    TypeError
        If no input has a floating dtype, `f` does not return Tensors, or a setting has the wrong
        type.
    ValueError
        If a setting is out of range.

    Warns
    -----
    UserWarning
        If an input is float32 or smaller, because differences in such a dtype are inaccurate.

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
    if rng is not None:
        kind, fix = np.random.Generator, "use np.random.default_rng(0)"
        check.instance("gradcheck", "rng", rng, kind, "a numpy.random.Generator", fix)
    arrays = [np.array(unwrap(x)) for x in inputs]
    small = [a.dtype for a in arrays if a.dtype.kind == "f" and a.dtype.itemsize < 8]
    tolerance = choose_tolerance(eps, rtol, atol, coarse=bool(small))
    if small:
        warn_user(f"gradcheck: differences in {small[0]} are too coarse; pass float64 inputs")
    if not any(a.dtype.kind == "f" for a in arrays):
        expected, fix = "at least one input of floating dtype", "pass np.array([1.0]), for example"
        raise argument_error("gradcheck", "inputs", expected, "none", fix, TypeError)
    name = getattr(f, "name", None) or getattr(f, "__name__", None) or repr(f)
    compare(f, arrays, order, tolerance, rng or np.random.default_rng(0), name)
    return True


def choose_tolerance(
    eps: float | None, rtol: float | None, atol: float | None, *, coarse: bool
) -> Tolerance:
    """Return the tolerance, with defaults in place of None; raise an error for a bad number."""
    defaults = (1e-2, 1e-2, 1e-2) if coarse else (1e-6, 1e-5, 1e-7)
    chosen = []
    settings = {"eps": eps, "rtol": rtol, "atol": atol}
    for (argument, value), default in zip(settings.items(), defaults, strict=True):
        if value is not None:
            low = 5e-324 if argument == "eps" else 0.0  # the smallest float above 0
            expected = "a finite number" + (" above 0" if low else ", at least 0")
            check.number("gradcheck", argument, value, expected, low=low)
        chosen.append(default if value is None else value)
    return Tolerance(*chosen)


def compare(
    f: Callable[..., Any],
    arrays: list[np.ndarray],
    order: int,
    tolerance: Tolerance,
    rng: np.random.Generator,
    name: str,
) -> None:
    """Compare each derivative with its difference quotient, up to derivatives of order `order`.

    Raises
    ------
    GradcheckError
        If a derivative differs by more than the tolerance, or if `f` writes into its arguments.
    """
    before = [a.copy() for a in arrays]
    output = join_outputs(f(*[Tensor(a) for a in arrays]))
    require_unchanged(name, before, arrays)
    u = Tensor(rng.standard_normal(output.shape))
    floating = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]

    def projected(*variables: Any) -> Tensor:
        """Return ⟨u, f⟩ as a function of the floating inputs."""
        by_index = dict(zip(floating, variables, strict=True))
        inputs = [by_index[i] if i in by_index else Tensor(a) for i, a in enumerate(arrays)]
        return (join_outputs(f(*inputs)) * u).sum()

    points = [arrays[i].copy() for i in floating]
    value, pull = vjp(projected, *points)
    gradients = pull(None)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    names = argument_names(f, len(arrays))
    for i, point, gradient in zip(floating, points, gradients, strict=True):
        for index, quotient in difference_quotients(projected, points, point, tolerance.eps):
            derivative, allowed = gradient.data[index], tolerance.allowed(quotient)
            if not abs(quotient - derivative) <= allowed:
                entry, operation = f"{names[i]}{list(index)}", f"gradcheck: {name}"
                expected = f"the difference quotient {quotient:.10g}"
                details = f"(tolerance {allowed:.1e}; ops: {list_ops(value)})"
                got = f"the derivative {derivative:.10g} {details}"
                fix = f"look for a wrong rule or a detach between {names[i]} and the output"
                if point.dtype.itemsize < 8:
                    fix = f"pass float64 inputs, because differences in {point.dtype} are coarse"
                raise argument_error(operation, entry, expected, got, fix, GradcheckError)
    if order > 1:

        def gradient_of_f(*variables: Tensor) -> Any:
            xs = [x if x.requires_grad else Tensor(x.data, requires_grad=True) for x in variables]
            return grad(projected(*xs), xs, create_graph=True)

        wider = Tolerance(tolerance.eps, tolerance.rtol, tolerance.atol * 10)
        compare(gradient_of_f, points, order - 1, wider, rng, f"gradient of {name}")


def difference_quotients(
    f: Callable[..., Tensor], points: list[np.ndarray], point: np.ndarray, eps: float
) -> Iterator[tuple[tuple[int, ...], float]]:
    """Yield (index, central difference quotient) for each entry of `point`, one of the `points`."""
    for index in np.ndindex(point.shape):
        middle = point[index]
        sides = []
        for step in (eps, -eps):
            point[index] = middle + step
            sides.append(f(*[Tensor(p.copy()) for p in points]).item())
        point[index] = middle
        yield index, (sides[0] - sides[1]) / (2 * eps)


def require_unchanged(name: str, before: list[np.ndarray], after: list[np.ndarray]) -> None:
    """Raise GradcheckError if a function has written into one of its arguments."""
    for i, (old, new) in enumerate(zip(before, after, strict=True)):
        if not np.array_equal(old, new, equal_nan=old.dtype.kind == "f"):
            raise argument_error(
                f"gradcheck: {name}",
                f"inputs[{i}]",
                "an array that the function does not change",
                "a changed array",
                "return a new array instead of writing into an input",
                GradcheckError,
            )


def join_outputs(outputs: Any) -> Tensor:
    """Return the entries of all outputs as one vector, so that one sum covers them."""
    if isinstance(outputs, Tensor):
        return outputs.reshape(-1)
    flat: list[Any] = []
    pending = list(outputs) if isinstance(outputs, Iterable) else [outputs]
    while pending:
        item = pending.pop(0)
        if isinstance(item, tuple | list):
            pending = [*item, *pending]
        elif isinstance(item, Tensor):
            flat.append(item.reshape(-1))
        else:
            expected, got = "a function that returns Tensors", type(item).__name__
            raise argument_error("gradcheck", "f", expected, got, "return a Tensor", TypeError)
    return concatenate(flat)


def argument_names(f: Callable[..., Any], n: int) -> list[str]:
    """Return the names of the `n` arguments of `f`, or of the op that it wraps."""
    f = getattr(f, "__wrapped__", f)
    if isinstance(f, Op) and not f.variadic:
        return list(f.inputs)
    code = getattr(f, "__code__", None)
    known = list(code.co_varnames[: code.co_argcount]) if code else []
    return [known[i] if i < len(known) else f"inputs[{i}]" for i in range(n)]


def list_ops(value: Tensor) -> str:
    """Return the names of the ops that `value` was computed with, as text of an error message."""
    nodes = [v.node for v in toposort(value) if v.node is not None] if value.node else []
    return ", ".join(sorted({node.op.name for node in nodes})) or "none"


class Sampler:
    """A source of sample inputs for an op, in float64: ``r(3, 4)`` or ``r.positive(3, 4)``.

    Entries of one array are distinct, and no entry is near zero, because max has kinks at equal
    entries, and abs and relu have kinks at zero.
    """

    def __init__(self, rng: np.random.Generator):
        self.rng = rng

    def __call__(self, *shape: int) -> np.ndarray:
        """Draw distinct numbers of either sign, with absolute values between 0.2 and 2."""
        return self.inside((-np.inf, np.inf), *shape)

    def positive(self, *shape: int) -> np.ndarray:
        """Draw distinct numbers between 0.2 and 2."""
        return self.inside((0, np.inf), *shape)

    def inside(self, domain: Any, *shape: int) -> np.ndarray:
        """Draw distinct numbers inside a domain (see `op`), away from 0 and the domain's ends."""
        n = int(np.prod(shape))
        steps = self.rng.permutation(n) + self.rng.uniform(0.25, 0.75, n)
        return place_inside(domain, steps.reshape(shape) / max(n, 1), self.rng)


def place_inside(domain: Any, units: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Map numbers in (0, 1) into an open interval, away from 0 and from the ends of the interval.

    The signs are random if the interval has numbers of both signs. The domain ``bool`` gives
    booleans.
    """
    if domain is bool:
        return np.asarray(units > 0.5)
    low, high = domain
    if low > 0 or high < 0:
        start, width = (low if low > 0 else max(low, high - 2)), min(2.0, high - low)
        return np.asarray(start + width * (0.1 + 0.8 * units))
    sizes = {sign: min(2.0, 0.8 * end) for sign, end in ((-1.0, -low), (1.0, high)) if end > 0}
    signs = rng.choice(list(sizes), units.shape)
    limits = np.where(signs > 0, sizes.get(1.0, 0.0), sizes.get(-1.0, 0.0))
    return np.asarray(signs * limits * (0.1 + 0.9 * units))


def is_elementwise(op: Op) -> bool:
    """Return True if an op works elementwise on arrays that broadcast, according to `Op.shapes`."""
    return not op.variadic and bool(re.fullmatch(r"\(…\)(, \(…\))* → \(…\)", op.shapes))


def cases(op: Op, rng: np.random.Generator) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Return the sample calls of an op, as pairs (arrays, settings).

    For an elementwise op without `sample`, the arrays are drawn from its domain.
    """
    draw = Sampler(rng)
    if op.sample is None:
        drawn = draw_elementwise(op, draw) if is_elementwise(op) else []
        return [(arrays, dict(op.defaults)) for arrays in drawn]
    samples = op.sample(draw)
    calls = []
    for sample in samples if isinstance(samples, list) else [samples]:
        *arrays, last = sample
        settings = last if isinstance(last, dict) else {}
        if not isinstance(last, dict):
            arrays.append(last)
        if op.variadic and len(arrays) == 1 and isinstance(arrays[0], tuple):
            arrays = list(arrays[0])
        calls.append((tuple(arrays), {**op.defaults, **settings}))
    return calls


def draw_elementwise(op: Op, draw: Sampler) -> list[tuple[np.ndarray, ...]]:
    """Draw arrays for one or two sample calls, with shapes that broadcast."""
    domains, n = domain_of_inputs(op), len(op.inputs)
    shapes = [[(3, 4)]]
    if n > 1:
        shapes = [[(3, 4)] * (n - 1) + [(4,)], ([(2, 1), (1, 3)] * n)[:n]]
    return [
        tuple(draw.inside(domain, *shape) for domain, shape in zip(domains, together, strict=True))
        for together in shapes
    ]


def domain_of_inputs(op: Op) -> list[Any]:
    """Return the domain of each input of an op, in order."""
    if isinstance(op.domain, dict):
        return [op.domain.get(name, (-np.inf, np.inf)) for name in op.inputs]
    return [op.domain] * len(op.inputs)


def check_op(op: Op, *, order: int = 2, rng: np.random.Generator | None = None) -> int:
    """Check the derivatives of an op, up to order `order`, at each of its samples.

    Parameters
    ----------
    op : Op
        A function made by ``tg.op``. Its ``sample`` gives the arguments to check it with. If it
        has no ``sample`` but works elementwise, arguments are drawn from its ``domain``.
    order : int
        The highest order of derivative to check; see `gradcheck`.
    rng : numpy.random.Generator, optional
        The generator for the samples and for `gradcheck`; by default, a generator with seed 0.

    Returns
    -------
    int
        The number of calls that were checked.

    Raises
    ------
    GradcheckError
        If a derivative differs from its difference quotient by more than the tolerance.
    ValueError
        If there are no arguments to check the op with.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.gradcheck import check_op
    >>> check_op(tg.tanh)
    1
    """
    rng = rng or np.random.default_rng(0)
    calls = cases(op, rng)
    if not calls:
        expected, fix = "at least one call to check", "give @op sample=lambda r: (r(3, 4),)"
        raise argument_error("check_op", op.name, expected, "none", fix)
    for arrays, params in calls:

        def call(*inputs: Any, params: dict[str, Any] = params) -> Any:
            return op(inputs, **params) if op.variadic else op(*inputs, **params)

        call.__name__ = op.name
        vars(call)["__wrapped__"] = op
        gradcheck(call, *arrays, order=order, rng=rng)
    return len(calls)
