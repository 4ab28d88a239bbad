"""Gradient clipping, to be called between `backward` and the optimizer's step."""

from __future__ import annotations

from collections.abc import Iterable
from math import frexp, inf, isfinite
from typing import Any

import numpy as np

from .. import check
from ..dtypes import as_ndarray, widen
from ..errors import argument_error
from ..errors.named_calls import explain_names
from ..graph import allow, expect
from ..tensor import Tensor


@explain_names
def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, *, norm_type: float = 2.0
) -> float:
    """Scale all gradients by one factor, so that their joint norm is at most `max_norm`.

    ::

        g ← g · min(1, max_norm / (‖g‖ + 10⁻⁶))
        ‖g‖ = (Σ |gᵢ|^norm_type)^(1 / norm_type), over all entries of all gradients

    Parameters
    ----------
    parameters : Tensor or iterable of Tensors
        No parameter may occur twice. Parameters without a gradient are skipped. If no parameter
        has a gradient, the norm is 0.
    max_norm : float
        The largest norm allowed, a positive number.
    norm_type : float
        The exponent in the norm: 2 for the Euclidean norm, ``inf`` for the largest absolute entry.

    Returns
    -------
    float
        The norm before scaling.

    Raises
    ------
    ValueError
        If a gradient is not finite, the norm exceeds the range of float64, a parameter is given
        twice, or `max_norm` or `norm_type` is not positive. In these cases no gradient changes.
    TypeError
        If a parameter is not a Tensor.

    References
    ----------
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (2013),
    algorithm 1. PyTorch adds the same 10⁻⁶.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> w = tg.Tensor([0.0, 0.0], requires_grad=True)
    >>> w.grad = np.array([3.0, 4.0], dtype="float32")
    >>> tg.nn.clip_grad_norm_(w, 1.0)
    5.0
    >>> bool(np.allclose(w.grad, [0.6, 0.8]))
    True
    """
    with_grad = _with_gradients("clip_grad_norm_", parameters)
    _require_positive("clip_grad_norm_", "max_norm", max_norm, "use 1.0, for example")
    _require_positive("clip_grad_norm_", "norm_type", norm_type, "use 2.0, for example")
    total = _norm([g for _, g in with_grad], norm_type)
    if not expect((total > 0) & (total < inf)):  # powers may overflow where the norm does not
        total = _scaled_norm(with_grad, norm_type)
    factor = np.minimum(max_norm / (total + 1e-6), 1.0).item()
    if allow(factor < 1):
        for p, g in with_grad:
            p.grad = (widen(g) * factor).astype(p.dtype)
    return total.item()


def _norm(gradients: list[np.ndarray], norm_type: float) -> Any:
    """Return the joint norm, or inf or 0 if the sum of powers is out of the range of float64."""
    with np.errstate(over="ignore", under="ignore"):
        wide = [g.ravel().astype(np.float64) for g in gradients if g.size]
        if norm_type == 2:  # what NumPy computes, without its checks
            return np.sqrt(sum(g.dot(g) for g in wide))
        norms = [np.linalg.norm(g, norm_type) for g in wide]
        return np.linalg.norm(np.stack(norms), norm_type) if norms else np.float64(0)


def _scaled_norm(with_grad: list[tuple[Tensor, np.ndarray]], norm_type: float) -> np.float64:
    """Return the joint norm; while computing it, scale the largest entry to about 1.

    Raises
    ------
    ValueError
        If a gradient is not finite, or the norm exceeds the range of float64.
    """
    wide = [g.astype(np.float64) for _, g in with_grad]
    peak = float(np.max([np.abs(g).max(initial=0.0) for g in wide], initial=0.0))
    unit = 2.0 ** (frexp(peak)[1] - 1)  # a power of two, so that division is exact
    total = float(_norm([g / unit for g in wide], norm_type)) * unit if isfinite(peak) else peak
    if not isfinite(total):
        got = f"a norm of {total} from entries up to {peak:.3g}"
        for p, g in with_grad:
            if not np.isfinite(g.astype(np.float64)).all():
                got = f"{total} in the gradient of parameter {p.name or f'of shape {p.shape}'}"
                break
        expected = "finite gradients with a norm in the range of float64"
        fix = "lower the learning rate, or look for NaN and inf in the forward pass"
        raise argument_error("clip_grad_norm_", "parameters", expected, got, fix)
    return np.float64(total)


@explain_names
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Clip every entry of every gradient to [−clip_value, clip_value].

    Parameters
    ----------
    parameters : Tensor or iterable of Tensors
        Parameters without a gradient are skipped.
    clip_value : float
        The largest absolute value allowed, a positive number. An entry that is NaN stays NaN.

    Raises
    ------
    ValueError
        If `clip_value` is not positive, or a parameter is given twice.
    TypeError
        If a parameter is not a Tensor.

    References
    ----------
    Mikolov, "Statistical language models based on neural networks" (thesis, 2012).

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> w = tg.Tensor([0.0, 0.0], requires_grad=True)
    >>> w.grad = np.array([0.5, -4.0], dtype="float32")
    >>> tg.nn.clip_grad_value_(w, 1.0)
    >>> w.grad
    array([ 0.5, -1. ], dtype=float32)
    """
    with_grad = _with_gradients("clip_grad_value_", parameters)
    _require_positive("clip_grad_value_", "clip_value", clip_value, "use 1.0, for example")
    for p, g in with_grad:
        p.grad = as_ndarray(np.clip(g, -clip_value, clip_value)).astype(p.dtype)


def _require_positive(operation: str, argument: str, value: Any, fix: str) -> None:
    """Raise ValueError if the value is not a positive number."""
    if not isinstance(value, int | float | np.number) or isinstance(value, bool) or not value > 0:
        raise argument_error(operation, argument, "a positive number", repr(value), fix)


def _with_gradients(
    operation: str, parameters: Tensor | Iterable[Tensor]
) -> list[tuple[Tensor, np.ndarray]]:
    """Return the parameters that have a gradient, each with its gradient."""
    fix = "pass module.parameters()"
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    tensors = list(check.iterable(operation, "parameters", parameters, "Tensors", fix))
    for i, p in enumerate(tensors):
        check.instance(operation, f"parameters[{i}]", p, Tensor, "a Tensor", fix)
    fix = "remove the duplicate, or use module.parameters(), which yields each parameter once"
    check.unique(operation, "parameters", tensors, fix)
    return [(p, p.grad) for p in tensors if p.grad is not None]
