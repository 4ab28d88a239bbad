"""Derivatives as values: these functions return gradients and leave every ``.grad`` unchanged.

All of these functions call the same `backward_pass`. Their signatures follow JAX, torch.func and
torch.autograd. With `create_graph` the results have a graph of their own, so that they can be
differentiated again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np

from . import check
from .backward import backward_pass
from .blocks import enable_grad, scope
from .dtypes import as_ndarray
from .errors import argument_error, describe, messages
from .graph import Value, context, see, toposort
from .ops import stack
from .ops.collector import collector_paused
from .scope_part import GradientName, ScopePart
from .tensor import Tensor


@overload
def grad(  # pyright: ignore[reportOverlappingOverload]  # a Tensor is an iterable of Tensors
    output: Tensor, inputs: Tensor, *, grad_output: Any = None, create_graph: bool = False
) -> Tensor: ...
@overload
def grad(
    output: Tensor, inputs: Iterable[Tensor], *, grad_output: Any = None, create_graph: bool = False
) -> tuple[Tensor, ...]: ...
def grad(
    output: Tensor, inputs: Any, *, grad_output: Any = None, create_graph: bool = False
) -> Any:
    """Return the gradient of `output` with respect to `inputs`, without changing any ``.grad``.

    Parameters
    ----------
    output : Tensor
    inputs : Tensor or iterable of Tensors
        Leaves or intermediate tensors that `output` was computed from.
    grad_output : array_like or Tensor of output's shape, optional
        The cotangent of `output` (the gradient of a final result with respect to it), from which
        the backward pass starts. The default is 1; `output` must then be a single number.
    create_graph : bool
        If True, record the computation, so that the gradient can be differentiated and drawn.

    Returns
    -------
    Tensor or tuple of Tensors
        One gradient if `inputs` is a Tensor, otherwise a tuple. Each gradient has the shape and
        dtype of its input.

    Raises
    ------
    TypeError
        If `output` or one of the inputs is not a Tensor, or an input does not require gradients.
    ValueError
        If there are no inputs. If `grad_output` does not have the shape of `output`, or is missing
        although `output` is not a single number.
    RuntimeError
        If `output` does not require gradients or does not depend on one of the inputs. If an
        earlier ``backward()`` without ``retain_graph=True`` has used the graph.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> x = tg.Tensor(3.0, requires_grad=True)
    >>> slope = tg.grad(x**3, x, create_graph=True)
    >>> slope.item(), tg.grad(slope, x).item()
    (27.0, 18.0)
    """
    is_single = isinstance(inputs, Tensor) or not isinstance(inputs, Iterable)
    sources: tuple[Any, ...] = (inputs,) if is_single else tuple(inputs)
    check.instance("grad", "output", output, Tensor, "a Tensor", "pass a loss, for example")
    _require_some("grad", "inputs", sources)
    for i, x in enumerate(sources):
        if not (isinstance(x, Tensor) and x.tracked):
            expected = "a Tensor that requires gradients"
            fix = "create the Tensor with requires_grad=True"
            raise argument_error("grad", f"inputs[{i}]", expected, describe(x), fix, TypeError)
    sources = tuple(map(see, sources))
    gradients = _compute_gradients("grad", output, sources, grad_output, create_graph)
    for i, (x, g) in enumerate(zip(sources, gradients, strict=True)):
        if g is None:
            expected = "a Tensor that the output was computed from"
            got = f"{x.name or 'a Tensor'} of shape {x.shape}, which the output does not depend on"
            fix = "remove this Tensor from inputs; its gradient is zero"
            raise argument_error("grad", f"inputs[{i}]", expected, got, fix, RuntimeError)
    return gradients[0] if is_single else gradients


@enable_grad()
def vjp(f: Callable[..., Tensor], *primals: Any) -> tuple[Tensor, Callable[..., Any]]:
    """Return ``f(*primals)``, and the function v ↦ vᵀJ that pulls a cotangent back to the inputs.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns one Tensor.
    *primals : array_like
        The point at which to evaluate `f`. The dtypes must be floating; Python floats get the
        default dtype.

    Returns
    -------
    output : Tensor
    pull : callable
        ``pull(v)``, with v of the output's shape, returns a Tensor of the primal's shape, or a
        tuple of Tensors for several primals. An input that the output does not depend on gets
        zeros. ``pull(v, create_graph=True)`` records the computation, so that its result can be
        differentiated.

    Raises
    ------
    TypeError
        If `f` does not return a Tensor, or the dtype of a primal is not floating.
    ValueError
        If there are no primals. `pull` raises ValueError if v does not have the output's shape.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> y, pull = tg.vjp(tg.exp, [0.0, 1.0])
    >>> pull([1.0, 0.0])
    Tensor([1., 0.])
    """
    variables = _make_variables("vjp", primals)
    output = _call("vjp", f, variables)

    @enable_grad()
    def pull(v: Any, *others: Any, create_graph: bool = False) -> Any:
        if others:
            expected, got = (
                "one cotangent, of the shape of the output",
                f"{1 + len(others)} arguments",
            )
            fix = "pass one array of the shape of the output"
            raise argument_error("vjp", "v", expected, got, fix, TypeError)
        gradients = _compute_gradients_or_zeros("vjp", output, variables, v, create_graph)
        return gradients if len(primals) > 1 else gradients[0]

    return output, pull


@enable_grad()
def jvp(
    f: Callable[..., Tensor], primals: Any, tangents: Any, *, create_graph: bool = False
) -> tuple[Tensor, Tensor]:
    """Return ``f(*primals)`` and Jv, the derivative of `f` in the direction v = `tangents`.

    A backward pass is linear in the cotangent u that it starts from: it computes uᵀJ. The
    derivative of uᵀJv with respect to u is Jv, so forward mode needs no second set of rules.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns one Tensor.
    primals, tangents : array_like, or tuple of array_like for several inputs
        The point at which to evaluate `f`, and the direction v, which has the same shapes.
    create_graph : bool
        If True, record the computation, so that Jv can be differentiated.

    Returns
    -------
    output : Tensor
    product : Tensor
        Jv, of the output's shape.

    Raises
    ------
    ValueError
        If there are no primals, or the shapes of primals and tangents differ.
    TypeError
        If `f` does not return a Tensor, or the dtype of a primal is not floating.

    References
    ----------
    The method, which transposes twice, is from Townsend, "A new trick for calculating Jacobian
    vector products" (2017).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.jvp(lambda x: x * x, [1.0, 2.0], [1.0, 10.0])[1]
    Tensor([ 2., 40.])
    """
    variables = _make_variables("jvp", _as_tuple(primals))
    directions = _make_directions("jvp", variables, _as_tuple(tangents))
    output = _call("jvp", f, variables)
    u = Tensor(np.zeros_like(output.data), requires_grad=True)
    gradients = _compute_gradients_or_zeros("jvp", output, variables, u, create_graph=True)
    total = _compute_inner_product(gradients, directions)
    (product,) = _compute_gradients_or_zeros("jvp", total, (u,), None, create_graph)
    return output, product


@enable_grad()
def jacobian(f: Callable[..., Tensor], *inputs: Any, create_graph: bool = False) -> Any:
    """Return the Jacobian of ``f(*inputs)``: all its partial derivatives.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns one Tensor, of any shape. It runs once. Each entry of its
        output costs one backward pass.
    *inputs : array_like
        The point at which to evaluate `f`.
    create_graph : bool
        If True, record the computation, so that the result can be differentiated.

    Returns
    -------
    Tensor, or a tuple of Tensors for several inputs
        For each input, a Tensor of shape ``output.shape + input.shape``. It is zero if the output
        does not depend on that input.

    Raises
    ------
    ValueError
        If there are no inputs.
    TypeError
        If `f` does not return a Tensor, or the dtype of an input is not floating.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.jacobian(lambda x: x * x, [1.0, 2.0])
    Tensor([[2., 0.],
            [0., 4.]])
    """
    variables = _make_variables("jacobian", inputs, "inputs")
    output = _call("jacobian", f, variables)
    rows = [
        _compute_gradients_or_zeros(
            "jacobian", output, variables, unit_vector.reshape(output.shape), create_graph
        )
        for unit_vector in np.eye(output.size, dtype=output.dtype)
    ]
    jacobians = []
    for i, x in enumerate(variables):
        shape = output.shape + x.shape
        by_x = [row[i] for row in rows]
        jacobians.append(stack(by_x).reshape(shape) if by_x else Tensor(np.zeros(shape, x.dtype)))
    return tuple(jacobians) if len(inputs) > 1 else jacobians[0]


@enable_grad()
def hvp(
    f: Callable[..., Tensor], primals: Any, tangents: Any, *, create_graph: bool = False
) -> tuple[Tensor, Any]:
    """Return ``f(*primals)`` and the Hessian-vector product Hv = ∂(∇f · v)/∂x; v is `tangents`.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns one number.
    primals, tangents : array_like, or tuple of array_like for several inputs
        The point at which to evaluate `f`, and the vector v, which has the same shapes.
    create_graph : bool
        If True, record the computation, so that the product can be differentiated.

    Returns
    -------
    output : Tensor
    product : Tensor, or a tuple of Tensors for several inputs
        Hv, in the shapes of the primals. It takes two backward passes; the Hessian is never built.

    Raises
    ------
    ValueError
        If there are no primals, `f` returns more than one number, or the shapes of primals and
        tangents differ.
    TypeError
        If `f` does not return a Tensor, or the dtype of a primal is not floating.

    References
    ----------
    Pearlmutter, "Fast exact multiplication by the Hessian" (1994).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.hvp(lambda x: (x**3).sum(), [1.0, 2.0], [1.0, 0.0])[1]
    Tensor([6., 0.])
    """
    variables = _make_variables("hvp", _as_tuple(primals))
    directions = _make_directions("hvp", variables, _as_tuple(tangents))
    output = _call("hvp", f, variables)
    gradients = _compute_gradients_or_zeros("hvp", output, variables, None, create_graph=True)
    total = _compute_inner_product(gradients, directions)
    product = _compute_gradients_or_zeros("hvp", total, variables, None, create_graph)
    return output, product if len(variables) > 1 else product[0]


def _compute_gradients(
    operation: str, output: Tensor, inputs: tuple[Tensor, ...], grad_output: Any, create_graph: bool
) -> tuple[Tensor | None, ...]:
    """Return the gradient for each input; None for an input that `output` does not depend on."""
    cotangent: Any = messages.check_seed(operation, output, grad_output)
    if create_graph:
        is_tensor = isinstance(grad_output, Tensor)
        cotangent = grad_output.astype(output.dtype) if is_tensor else Tensor(cotangent)
    requested = set(inputs)
    with collector_paused(), scope():  # the scope() restores the scope that _enter_scopes changes
        order = toposort(output)
        visited = _enter_scopes(order) if create_graph else order
        arriving = backward_pass({output: cotangent}, visited, record=create_graph, interior=True)
        gradients = {}
        for value, g in arriving:
            if create_graph:
                GradientName.give(value, g)
            if value in requested:
                gradients[value] = g
    if create_graph:
        return tuple(gradients.get(x) for x in inputs)
    return tuple(
        Tensor(as_ndarray(gradients[x]).copy()) if x in gradients else None for x in inputs
    )


def _enter_scopes(order: list[Value]) -> Iterator[Value]:
    """Yield the values in order; before each, enter the scope "gradient" inside the value's scope.

    The ops that compute the gradient of a value are therefore recorded at that value's time step,
    and a drawing shows them beside the value.
    """
    for value in order:
        recording, _, recorder = context.get()
        recorded_in = getattr(value.node, "scope", ())  # a leaf has no node
        context.set((recording, (*recorded_in, ScopePart("gradient", "gradient")), recorder))
        yield value


def _compute_gradients_or_zeros(
    operation: str, output: Tensor, inputs: tuple[Tensor, ...], grad_output: Any, create_graph: bool
) -> tuple[Tensor, ...]:
    """Return the gradient for each input; zeros for an input that `output` does not depend on."""
    gradients: tuple[Tensor | None, ...] = (None,) * len(inputs)
    if output.tracked:
        gradients = _compute_gradients(operation, output, inputs, grad_output, create_graph)
    return tuple(
        Tensor(np.zeros_like(x.data)) if g is None else g
        for x, g in zip(inputs, gradients, strict=True)
    )


def _compute_inner_product(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Return Σ aᵢ · bᵢ, over all entries of all pairs."""
    products = [(x * y).sum() for x, y in zip(a, b, strict=True)]
    return stack(products).sum()


def _as_tuple(x: Any) -> tuple[Any, ...]:
    """Return `x` as a tuple if it is a tuple or a list with Tensors, else a tuple of `x` alone."""
    if isinstance(x, tuple) or (isinstance(x, list) and any(isinstance(i, Tensor) for i in x)):
        return tuple(x)
    return (x,)


def _call(operation: str, f: Callable[..., Any], variables: tuple[Tensor, ...]) -> Tensor:
    """Return ``f(*variables)``; raise TypeError if the result is not one Tensor."""
    expected = "a function that returns a Tensor"
    check.callable(operation, "f", f, expected, "pass an op, a Module or a function")
    fix = "return one Tensor; tg.concatenate joins several Tensors"
    return check.instance(operation, "f", f(*variables), Tensor, expected, fix)


def _require_some(operation: str, argument: str, inputs: tuple[Any, ...]) -> None:
    """Raise ValueError if `inputs` is empty."""
    if not inputs:
        expected, fix = "at least one input", "pass the inputs to differentiate with respect to"
        raise argument_error(operation, argument, expected, "none", fix)


def _make_variables(
    operation: str, primals: tuple[Any, ...], argument: str = "primals"
) -> tuple[Tensor, ...]:
    """Return new Tensors to differentiate with respect to, one for each primal.

    A primal that is not tracked becomes a leaf. For a tracked Tensor, the new Tensor is the result
    of a recorded reshape to the same shape, so that calls can be nested. The new Tensor has two
    further effects. If `f` also uses the original Tensor directly, that use counts as a constant.
    A Tensor that is given twice counts as two variables.
    """
    _require_some(operation, argument, primals)
    return tuple(
        x.reshape(x.shape) if isinstance(x, Tensor) and x.tracked else Tensor(x, requires_grad=True)
        for x in primals
    )


def _make_directions(
    operation: str, variables: tuple[Tensor, ...], tangents: tuple[Any, ...]
) -> tuple[Tensor, ...]:
    """Return the tangents as Tensors; raise ValueError unless they have the primals' shapes."""
    dtypes = [x.dtype for x in variables] + [None] * len(tangents)
    directions = tuple(
        v if isinstance(v, Tensor) else Tensor(v, dtype=dtype)
        for v, dtype in zip(tangents, dtypes, strict=False)
    )
    shapes = [x.shape for x in variables]
    if [v.shape for v in directions] != shapes:
        expected, got = f"the shapes {shapes} of the primals", str([v.shape for v in directions])
        fix = "pass one tangent for each primal, of the same shape as the primal"
        raise argument_error(operation, "tangents", expected, got, fix)
    return directions
