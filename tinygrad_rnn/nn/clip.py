"""Keeping gradients within bounds, between backward and the optimizer's step."""

from __future__ import annotations

from collections.abc import Iterable
from math import frexp, inf, isfinite
from typing import Any

import numpy as np

from .. import check
from ..errors import argument_error, describe
from ..tensor import Tensor


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, *, norm_type: float = 2.0
) -> float:
    """Scale all gradients by one factor so that the norm of all of them together is at most `max_norm`.

    ::

        g ← g · min(1, max_norm / (‖g‖ + 10⁻⁶)),   ‖g‖ = (Σ |gᵢ|^norm_type)^(1 / norm_type) over all entries of all gradients

    Parameters
    ----------
    parameters : Tensor or iterable of Tensors
        Each once, as for an optimizer; those without a gradient are passed over. If none has one the norm is 0.
    max_norm : float
        Above 0.
    norm_type : float
        2 for the Euclidean norm, ``inf`` for the largest entry.

    Returns
    -------
    float
        The norm before scaling.

    Raises
    ------
    ValueError
        If a gradient is not finite, or its norm is more than a float64 holds, or a parameter is given twice: nothing is scaled then. If
        `max_norm` or `norm_type` is not above 0.
    TypeError
        If something else than Tensors is given.

    References
    ----------
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (2013), algorithm 1. The 10⁻⁶ is PyTorch's.

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
    with_grad = _with_grad("clip_grad_norm_", parameters)
    for argument, value, usual in (("max_norm", max_norm, "1.0"), ("norm_type", norm_type, "2.0")):
        _require_positive("clip_grad_norm_", argument, value, f"{usual} is common")
    total = _norm([g for _, g in with_grad], norm_type)
    if (
        not 0 < total < inf
    ):  # a power may be out of range where the norm is not: once more, in units of about the largest entry
        wide = [g.astype(np.float64) for _, g in with_grad]
        peak = float(np.max([np.abs(g).max(initial=0.0) for g in wide], initial=0.0))
        unit = 2.0 ** (frexp(peak)[1] - 1)  # a power of two, which costs no digit
        total = _norm([g / unit for g in wide], norm_type) * unit if isfinite(peak) else peak
        if not isfinite(total):
            worst = [
                p.name or f"of shape {p.shape}"
                for p, g in with_grad
                if not np.isfinite(g.astype(np.float64)).all()
            ]
            raise argument_error(
                "clip_grad_norm_",
                "parameters",
                expected="finite gradients, and a norm that a float64 holds",
                got=f"{total} in the gradient of parameter {worst[0]}"
                if worst
                else f"{total}, of entries up to {peak:.3g}",
                fix="lower the learning rate, or look for what is not finite in the forward pass",
            )
    factor = max_norm / (total + 1e-6)
    if factor < 1:
        for p, g in with_grad:
            p.grad = (g * factor).astype(p.dtype)
    return total


def _norm(gradients: list[np.ndarray], norm_type: float) -> float:
    """The norm of all entries together; infinite, or 0, if the sum of their powers is beyond a float64."""
    with np.errstate(over="ignore", under="ignore"):
        norms = [
            np.linalg.norm(g.ravel().astype(np.float64), norm_type) for g in gradients if g.size
        ]
        return float(np.linalg.norm(norms, norm_type)) if norms else 0.0


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Cut every entry of every gradient to between −clip_value and clip_value.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensors
        Those without a gradient are passed over.
    clip_value : float
        Above 0. Nan stays nan.

    Raises
    ------
    ValueError
        If `clip_value` is not above 0.
    TypeError
        If something else than Tensors is given.

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
    with_grad = _with_grad("clip_grad_value_", parameters)
    _require_positive("clip_grad_value_", "clip_value", clip_value, "1.0 is common")
    for p, g in with_grad:
        p.grad = np.clip(g, -clip_value, clip_value).astype(p.dtype)


def _require_positive(operation: str, argument: str, value: Any, fix: str) -> None:
    """Refuse what is no number above 0."""
    if not isinstance(value, int | float | np.number) or isinstance(value, bool) or not value > 0:
        raise argument_error(
            operation, argument, expected="a positive number", got=repr(value), fix=fix
        )


def _with_grad(
    operation: str, parameters: Tensor | Iterable[Tensor]
) -> list[tuple[Tensor, np.ndarray]]:
    """The parameters that have a gradient, each with it."""
    if not isinstance(parameters, Iterable):  # a Tensor is one too
        wanted, fix = "Tensors", "pass module.parameters()"
        raise argument_error(
            operation,
            "parameters",
            expected=wanted,
            got=describe(parameters),
            fix=fix,
            kind=TypeError,
        )
    every = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for i, p in enumerate(every):
        if not isinstance(p, Tensor):
            fix = "pass module.parameters()"
            raise argument_error(
                operation,
                f"parameters[{i}]",
                expected="a Tensor",
                got=describe(p),
                fix=fix,
                kind=TypeError,
            )
    check.unique(
        operation,
        "parameters",
        every,
        "leave it out, or it would count twice; module.parameters() gives each once",
    )
    found = [(p, check.gradient(operation, p, i)) for i, p in enumerate(every)]
    return [(p, g) for p, g in found if g is not None]
