"""Derivatives as values: what `Tensor.backward` leaves in `.grad`, these return. All are the same reverse sweep.

Signatures follow JAX and torch.func. With `create_graph` the results have a graph of their own, so
that they can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from . import check
from .backward import backward_pass
from .errors import argument_error, describe
from .graph import ScopePart, Value, context, enable_grad, scope, toposort
from .ops import stack
from .tensor import Tensor, seed_cotangent


def grad(
    output: Tensor, inputs: Any, *, grad_output: Any = None, create_graph: bool = False
) -> Any:
    """The gradient of `output` with respect to `inputs`, without touching any ``.grad``.

    Parameters
    ----------
    output : Tensor
    inputs : Tensor or iterable of Tensors
        Leaves or interior tensors that `output` was computed from.
    grad_output : array_like or Tensor of output's shape, optional
        The gradient that arrives at `output`; 1 if that is one number.
    create_graph : bool
        Record the computation of the gradient, so that it can be differentiated, and drawn.

    Returns
    -------
    Tensor or tuple of Tensors, as `inputs`: of the same shapes and dtypes

    Raises
    ------
    TypeError
        If `output` or one of the inputs is not a Tensor, or an input does not require gradients.
    ValueError
        If there are no inputs.
    RuntimeError
        If `output` does not depend on one of the inputs, or a backward pass used the graph before.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> x = tg.Tensor(3.0, requires_grad=True)
    >>> slope = tg.grad(x**3, x, create_graph=True)
    >>> slope.item(), tg.grad(slope, x).item()
    (27.0, 18.0)
    """
    several = isinstance(inputs, Iterable) and not isinstance(inputs, Tensor)
    wanted: tuple[Any, ...] = tuple(inputs) if several else (inputs,)
    _require_tensor("grad", "output", output, "pass a loss, say")
    _require_some("grad", "inputs", wanted)
    for i, x in enumerate(wanted):
        if not (isinstance(x, Tensor) and x.requires_grad):
            raise argument_error(
                "grad",
                f"inputs[{i}]",
                expected="a Tensor that requires gradients",
                got=describe(x),
                fix="make it with requires_grad=True",
                kind=TypeError,
            )
    found = _swept("grad", output, wanted, grad_output, create_graph)
    for i, (x, g) in enumerate(zip(wanted, found, strict=True)):
        if g is None:
            raise argument_error(
                "grad",
                f"inputs[{i}]",
                expected="a Tensor that the output was computed from",
                got=f"{x.name or 'one'} of shape {x.shape} that it does not depend on",
                fix="leave it out; its gradient is zero",
                kind=RuntimeError,
            )
    return found if several else found[0]


@enable_grad()
def vjp(f: Callable[..., Tensor], *primals: Any) -> tuple[Tensor, Callable[..., Any]]:
    """``f(*primals)``, and the function v ↦ vᵀJ that pulls a gradient at the output back to the inputs.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns one Tensor.
    *primals : array_like
        Where to evaluate it. Floating dtypes; Python floats take the default dtype.

    Returns
    -------
    output : Tensor
    pull : callable
        ``pull(v)``, with v of the output's shape, returns a Tensor of the primal's shape, for several primals a tuple of them. An input
        that the output does not depend on gets zeros. ``pull(v, create_graph=True)`` records it.

    Raises
    ------
    TypeError
        If `f` does not return a Tensor, or a primal is not floating.
    ValueError
        If there are no primals; or when `pull` is called, if v has not the shape of the output.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> y, pull = tg.vjp(tg.exp, [0.0, 1.0])
    >>> pull([1.0, 0.0])
    Tensor([1., 0.])
    """
    variables = _variables("vjp", primals)
    output = _applied("vjp", f, variables)

    @enable_grad()
    def pull(v: Any, *others: Any, create_graph: bool = False) -> Any:
        if others:
            wanted, got = "one gradient, of the shape of the output", f"{1 + len(others)} arguments"
            raise argument_error(
                "vjp",
                "v",
                expected=wanted,
                got=got,
                fix="put them together as f puts its outputs together",
                kind=TypeError,
            )
        gradients = _gradients("vjp", output, variables, v, create_graph)
        return gradients if len(primals) > 1 else gradients[0]

    return output, pull


@enable_grad()
def jvp(
    f: Callable[..., Tensor], primals: Any, tangents: Any, *, create_graph: bool = False
) -> tuple[Tensor, Tensor]:
    """``f(*primals)`` and Jv: how fast the output changes as the inputs move along `tangents`.

    A reverse sweep is linear in the gradient u that it starts from: uᵀJ. Differentiating that with
    respect to u, along v, gives Jv; so the forward direction needs no second set of rules.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns one Tensor.
    primals, tangents : array_like, or tuples of them for several inputs
        Where to evaluate it, and in which direction to move: of the same shapes.
    create_graph : bool
        Record the computation of Jv, so that it can be differentiated.

    Returns
    -------
    output : Tensor
    product : Tensor
        Jv, of the output's shape.

    Raises
    ------
    ValueError
        If the shapes of primals and tangents differ.
    TypeError
        If `f` does not return a Tensor, or a primal is not floating.

    References
    ----------
    The transpose of the transpose: Townsend, "A new trick for calculating Jacobian vector products" (2017).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.jvp(lambda x: x * x, [1.0, 2.0], [1.0, 10.0])[1]
    Tensor([ 2., 40.])
    """
    variables = _variables("jvp", _tuple(primals))
    directions = _directions("jvp", variables, _tuple(tangents))
    output = _applied("jvp", f, variables)
    u = Tensor(np.zeros_like(output.data), requires_grad=True)
    total = _inner(_gradients("jvp", output, variables, u, create_graph=True), directions)
    return output, _gradients("jvp", total, (u,), None, create_graph)[0]


@enable_grad()
def jacobian(f: Callable[..., Tensor], *inputs: Any, create_graph: bool = False) -> Any:
    """All partial derivatives of ``f(*inputs)``: for each input an array of shape ``output.shape + input.shape``.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns one Tensor, of any shape. It runs once; each entry of its output takes one sweep.
    *inputs : array_like
        Where to evaluate it.
    create_graph : bool
        Record the computation, so that the result can be differentiated.

    Returns
    -------
    Tensor, or a tuple of Tensors for several inputs
        Zeros where the output does not depend on an input.

    Raises
    ------
    ValueError
        If there are no inputs.
    TypeError
        If `f` does not return a Tensor, or an input is not floating.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.jacobian(lambda x: x * x, [1.0, 2.0])
    Tensor([[2., 0.],
            [0., 4.]])
    """
    variables = _variables("jacobian", inputs, "inputs")
    output = _applied("jacobian", f, variables)
    rows = [
        _gradients("jacobian", output, variables, e.reshape(output.shape), create_graph)
        for e in np.eye(output.size, dtype=output.dtype)
    ]
    columns = [
        stack([row[i] for row in rows]).reshape(output.shape + x.shape)
        if rows
        else Tensor(np.zeros(output.shape + x.shape, x.dtype))
        for i, x in enumerate(variables)
    ]
    return tuple(columns) if len(inputs) > 1 else columns[0]


@enable_grad()
def hvp(
    f: Callable[..., Tensor], primals: Any, tangents: Any, *, create_graph: bool = False
) -> tuple[Tensor, Any]:
    """``f(*primals)``, one number, and the product of its Hessian with `tangents`: ∂(∇f · v)/∂x.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns one number.
    primals, tangents : array_like, or tuples of them for several inputs
        Where to evaluate it, and the vector v: of the same shapes.
    create_graph : bool
        Record the computation, so that the product can be differentiated.

    Returns
    -------
    output : Tensor
    product : Tensor, or a tuple of Tensors for several inputs
        Of the shapes of the primals. The Hessian itself is never made: two sweeps, whatever its size.

    Raises
    ------
    ValueError
        If `f` gives more than one number, or the shapes of primals and tangents differ.
    TypeError
        If `f` does not return a Tensor, or a primal is not floating.

    References
    ----------
    Pearlmutter, "Fast exact multiplication by the Hessian" (1994).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.hvp(lambda x: (x**3).sum(), [1.0, 2.0], [1.0, 0.0])[1]
    Tensor([6., 0.])
    """
    variables = _variables("hvp", _tuple(primals))
    directions = _directions("hvp", variables, _tuple(tangents))
    output = _applied("hvp", f, variables)
    total = _inner(_gradients("hvp", output, variables, None, create_graph=True), directions)
    product = _gradients("hvp", total, variables, None, create_graph)
    return output, product if len(variables) > 1 else product[0]


def _swept(
    operation: str, output: Tensor, wanted: tuple[Tensor, ...], grad_output: Any, create_graph: bool
) -> tuple[Tensor | None, ...]:
    """The gradients of `output` with respect to `wanted`; None where it does not depend on one."""
    start: Any = seed_cotangent(output, grad_output, operation)
    if create_graph:
        start = (
            grad_output.astype(output.dtype) if isinstance(grad_output, Tensor) else Tensor(start)
        )
    asked, order = set(wanted), toposort(output)
    with scope():  # after which the scope is as before
        arriving = backward_pass(
            {output: start},
            _where_made(order) if create_graph else order,
            record=create_graph,
            interior=True,
        )
        found = {value: g for value, g in arriving if value in asked}
    return tuple(
        None if x not in found else found[x] if create_graph else Tensor(np.array(found[x]))
        for x in wanted
    )


def _where_made(order: list[Value]) -> Iterator[Value]:
    """The values in this order; what is recorded while the turn of one lasts is recorded where that was, as part of its gradient.

    So a time step holds the gradients of what happened in it, and a drawing shows both side by side.
    """
    for value in order:
        recording, _ = context.get()
        context.set((recording, (*getattr(value.node, "scope", ()), ScopePart("gradient", "gradient"))))
        yield value


def _gradients(
    operation: str,
    output: Tensor,
    variables: tuple[Tensor, ...],
    grad_output: Any,
    create_graph: bool,
) -> tuple[Tensor, ...]:
    """As `_swept`, with zeros where the output does not depend on a variable."""
    found = (
        _swept(operation, output, variables, grad_output, create_graph)
        if output.requires_grad
        else (None,) * len(variables)
    )
    return tuple(
        Tensor(np.zeros_like(x.data)) if g is None else g
        for x, g in zip(variables, found, strict=True)
    )


def _inner(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Σ aᵢ · bᵢ over all entries of all pairs."""
    products = [(x * y).sum() for x, y in zip(a, b, strict=True)]
    return stack(products).sum()


def _tuple(x: Any) -> tuple[Any, ...]:
    """Several inputs come as a tuple, or as a list of Tensors; anything else is one input."""
    several = isinstance(x, tuple) or (
        isinstance(x, list) and any(isinstance(item, Tensor) for item in x)
    )
    return tuple(x) if several else (x,)


def _applied(operation: str, f: Callable[..., Any], variables: tuple[Tensor, ...]) -> Tensor:
    """f(*variables), refused if it is not one Tensor."""
    wanted = "a function that returns a Tensor"
    check.callable(operation, "f", f, wanted, "pass an op, a Module or a function")
    output = f(*variables)
    _require_tensor(
        operation,
        "f",
        output,
        "return a Tensor; tg.concatenate puts several together",
        wanted=wanted,
    )
    return output


def _require_tensor(
    operation: str, argument: str, x: Any, fix: str, wanted: str = "a Tensor"
) -> None:
    if not isinstance(x, Tensor):
        raise argument_error(
            operation, argument, expected=wanted, got=describe(x), fix=fix, kind=TypeError
        )


def _require_some(operation: str, argument: str, inputs: tuple[Any, ...]) -> None:
    if not inputs:
        raise argument_error(
            operation,
            argument,
            expected="at least one Tensor",
            got="none",
            fix="say what to differentiate by",
        )


def _variables(
    operation: str, primals: tuple[Any, ...], argument: str = "primals"
) -> tuple[Tensor, ...]:
    """What to differentiate with respect to: new leaves; of a tracked Tensor a copy in its graph, so that calls nest.

    The Tensor itself would not do: where f uses it besides its argument, that is a constant, and given twice it is two variables.
    """
    _require_some(operation, argument, primals)
    tracked = [isinstance(x, Tensor) and x.requires_grad for x in primals]
    return tuple(
        x.reshape(x.shape) if own else Tensor(x, requires_grad=True)
        for x, own in zip(primals, tracked, strict=True)
    )


def _directions(
    operation: str, variables: tuple[Tensor, ...], tangents: tuple[Any, ...]
) -> tuple[Tensor, ...]:
    """The tangents as Tensors, checked against the primals."""
    dtypes = [x.dtype for x in variables] + [None] * len(tangents)
    directions = tuple(
        v if isinstance(v, Tensor) else Tensor(v, dtype=dtype)
        for v, dtype in zip(tangents, dtypes, strict=False)
    )
    if [v.shape for v in directions] != [x.shape for x in variables]:
        raise argument_error(
            operation,
            "tangents",
            expected=f"shapes {[x.shape for x in variables]}, as the primals",
            got=str([v.shape for v in directions]),
            fix="give one tangent for each primal",
        )
    return directions
