"""Parts of the losses: checked logits, targets and weights, and the reduction to one number."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import check, ops
from ..errors import argument_error, describe
from ..graph import unwrap
from ..tensor import Tensor

# -- which positions count, and how much -----------------------------------------------------------


def mask_ignored(name: str, rows: Tensor, target: np.ndarray, ignore_index: int | None) -> Tensor:
    """Zero out ignored rows.

    This uses `where`, so NaN or inf in them cannot reach the loss or the gradient (0 · inf is NaN).
    """
    if ignore_index is None:
        return rows
    if not isinstance(ignore_index, int | np.integer) or isinstance(ignore_index, bool):
        expected, got = "an integer, or None", describe(ignore_index)
        fix = "use the number that stands for padding in the target"
        raise argument_error(name, "ignore_index", expected, got, fix, TypeError)
    ignored = target == ignore_index
    return ops.where(ignored[..., None], 0, rows) if ignored.any() else rows


def counted_positions(
    name: str, target: np.ndarray, classes: int, ignore_index: int | None
) -> tuple[Any, np.ndarray]:
    """Return the mask of positions that count (None for all), and the targets with 0 elsewhere."""
    counted = None if ignore_index is None else target != ignore_index
    safe = target if counted is None else np.where(counted, target, 0)
    return counted, check.class_indices(name, "target", safe, classes).astype(np.intp)


def position_weights(
    name: str,
    target: np.ndarray,
    log_p: Tensor,
    ignore_index: int | None,
    weight: np.ndarray | None,
) -> tuple[Any, np.ndarray]:
    """Return the weight of each position (None if all are 1), and the targets.

    A position that does not count has weight 0 and target 0.
    """
    counted, safe = counted_positions(name, target, log_p.shape[-1], ignore_index)
    if weight is not None:
        return weight[safe] if counted is None else counted * weight[safe], safe
    return None if counted is None else counted.astype(log_p.dtype), safe


def weighted(loss: Tensor, share: Any) -> Tensor:
    """Return each term times its share; the terms themselves if there are no shares."""
    return loss if share is None else drop_unused(loss, share) * share


def drop_unused(x: Tensor, factor: Any) -> Tensor:
    """Return `x` with 0 where it is infinite and the factor is 0.

    0 · log 0 has the limit 0, but would be NaN. A dropped term passes no gradient to `x`, nor to
    the factor.
    """
    unused = np.isinf(x.array) & (unwrap(factor) == 0)
    return ops.where(unused, 0, x) if unused.any() else x


def reduce_loss(name: str, loss: Tensor, reduction: str, share: Any = None) -> Tensor:
    """Return the loss of each position ("none"), their sum, or their mean weighted by `share`."""
    if check.one_of(name, "reduction", reduction, ("mean", "sum", "none")) == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    total = loss.size if share is None else share.sum()
    if total == 0:
        expected, got = "at least one position that counts", "none, so no mean exists"
        fix = "use reduction='sum', or skip the batch"
        raise argument_error(name, "target", expected, got, fix)
    return loss.sum() / total


# -- logits and targets ----------------------------------------------------------------------------


def as_logits(name: str, argument: str, logits: Any) -> Tensor:
    """Return logits as a Tensor; raise ValueError without a last axis of one class or more."""
    logits = logits if isinstance(logits, Tensor) else Tensor(logits)
    if logits.ndim == 0 or logits.dtype.kind != "f" or not logits.shape[-1]:
        expected = "floats of shape (..., classes), of one class or more"
        fix = "make the classes the last axis"
        raise argument_error(name, argument, expected, describe(logits), fix)
    return logits


def as_constant_or_tracked(name: str, argument: str, x: Any) -> Any:
    """Return a Tensor with gradients unchanged, and anything else as an array."""
    return x if isinstance(x, Tensor) and x.tracked else check.real_array(name, argument, x)


def match_shapes(name: str, input: Any, target: Any, argument: str = "input") -> tuple[Tensor, Any]:
    """Return input and target with one shape and the input's dtype.

    The input becomes a Tensor. The target stays a Tensor if it has gradients; else it is an array.
    """
    input = input if isinstance(input, Tensor) else Tensor(input)
    check.floating(name, argument, input.array)
    target = as_constant_or_tracked(name, "target", target)
    if target.shape != input.shape:
        expected = f"shape {input.shape}, that of the input"
        raise argument_error(name, "target", expected, describe(target), "use reshape")
    return input, target if isinstance(target, Tensor) else target.astype(input.dtype, copy=False)


def require_target_shape(
    name: str, target: np.ndarray, logits: Tensor, ignore_index: int | None
) -> None:
    """Raise an error if there is not one integer target for each position."""
    if target.shape != logits.shape[:-1]:
        counted_positions(name, target, logits.shape[-1], ignore_index)  # its error is more exact
        raise target_error(name, target, logits)


def as_distributions(name: str, target: Any, logits: Tensor) -> Any:
    """Return probability targets in the dtype of the logits; a Tensor stays as it is.

    Raises
    ------
    ValueError
        If the shape is not that of the logits, or a row is not a distribution.
    """
    if target.shape != logits.shape:
        raise target_error(name, target, logits)
    require_probabilities(name, target, "divide by the sum; classes are integers")
    require_distributions(name, target, logits)
    return target if isinstance(target, Tensor) else target.astype(logits.dtype, copy=False)


def require_probabilities(name: str, target: Any, fix: str) -> None:
    """Raise ValueError for targets outside [0, 1] by more than rounding. NaN is let through."""
    array = unwrap(target)
    slack = 4 * np.finfo(array.dtype).eps
    wrong = (array < -slack) | (array > 1 + slack)
    if wrong.any():
        position = check.first_position(wrong)
        got = f"{array[position]} at position {position}"
        raise argument_error(name, "target", "probabilities, from 0 to 1", got, fix)


def require_distributions(name: str, target: Any, logits: Tensor) -> None:
    """Raise ValueError for rows that do not sum to 1 within √ε, the bound of `numpy.random`.

    Rows that sum to NaN are let through.
    """
    array = unwrap(target)
    epsilons = [float(np.finfo(dtype).eps) for dtype in (np.float32, array.dtype, logits.dtype)]
    slack = max(epsilons) ** 0.5
    total = array.sum(axis=-1, dtype=np.float64)
    wrong = np.abs(total - 1) > slack
    if wrong.any():
        position = check.first_position(wrong)
        got = f"{total[position]:.6g} at position {position}"
        fix = "divide by the sum; for rows that should not count use ignore_index"
        raise argument_error(name, "target", "distributions, 1 in sum", got, fix)


def target_error(name: str, target: Any, logits: Tensor) -> Exception:
    """Return the error for a target whose shape or dtype fits neither classes nor probabilities."""
    expected, fix = f"integers of shape {logits.shape[:-1]}", "use reshape; nothing is broadcast"
    is_like_logits = target.shape == logits.shape
    if is_like_logits:
        fix = "use target.argmax(axis=-1) for the classes of one-hot rows"
    if name == "cross_entropy":
        expected += f" or probabilities of shape {logits.shape}"
        fix += ", or target.astype(float) for probabilities" if is_like_logits else ""
    return argument_error(name, "target", expected, describe(target), fix)


# -- weights ---------------------------------------------------------------------------------------


def as_class_weight(name: str, weight: Any, logits: Tensor) -> np.ndarray | None:
    """Return one nonnegative weight for each class in the dtype of the logits; None for None."""
    if weight is None:
        return None
    weight = check.real_array(name, "weight", weight).astype(logits.dtype)
    if weight.shape != logits.shape[-1:]:
        expected = f"one factor for each class, shape {logits.shape[-1:]}"
        fix = "give as many factors as the last axis of the logits has entries"
        raise argument_error(name, "weight", expected, describe(weight), fix)
    return require_nonnegative(name, "weight", weight)


def as_entry_weight(name: str, argument: str, weight: Any, logits: Tensor) -> np.ndarray:
    """Return a nonnegative weight that broadcasts to the logits without adding entries."""
    factor = check.real_array(name, argument, weight)
    try:
        fits = np.broadcast_shapes(logits.shape, factor.shape) == logits.shape
    except ValueError:  # they do not broadcast at all
        fits = False
    if not fits:
        expected = f"a shape that broadcasts to {logits.shape}"
        fix = "give one factor for each entry"
        raise argument_error(name, argument, expected, describe(factor), fix)
    return require_nonnegative(name, argument, factor.astype(logits.dtype))


def require_nonnegative(name: str, argument: str, factor: np.ndarray) -> np.ndarray:
    """Return the weights if none is negative; else raise ValueError: they would reward mistakes."""
    if (factor < 0).any():
        fix = "use reduction='none' and multiply by rewards, which may be negative"
        raise argument_error(name, argument, "factors from 0 up", str(factor.min()), fix)
    return factor
