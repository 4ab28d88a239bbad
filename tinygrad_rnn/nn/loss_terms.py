"""Helpers of the losses: checks of logits, targets and weights, and the reduction."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from .. import check, ops
from ..dtypes import widen
from ..errors import argument_error, describe
from ..graph import allow, expect, unwrap
from ..tensor import Tensor

Reduction = Literal["mean", "sum", "none"]
"""The values of the argument `reduction` of every loss."""

# -- ignored positions, weights and the reduction --------------------------------------------------


def mask_ignored(name: str, rows: Tensor, target: np.ndarray, ignore_index: int | None) -> Tensor:
    """Return `rows` with zeros where the target is `ignore_index`.

    This uses `where`, so NaN or inf in ignored rows cannot reach the loss or the gradient. A
    product with 0 would let them through, because 0 · inf is NaN.
    """
    if ignore_index is None:
        return rows
    if not isinstance(ignore_index, int | np.integer) or isinstance(ignore_index, bool):
        expected, got = "an integer, or None", describe(ignore_index)
        fix = "pass the integer that marks padding in the target"
        raise argument_error(name, "ignore_index", expected, got, fix, TypeError)
    ignored = target == ignore_index
    return ops.where(ignored[..., None], 0, rows) if allow(ignored.any()) else rows


def counted_positions(
    name: str, target: np.ndarray, classes: int, ignore_index: int | None
) -> tuple[Any, np.ndarray]:
    """Return a mask of the positions that count, and the targets with 0 at all other positions.

    If `ignore_index` is None, all positions count, and the mask is None.
    """
    counted = None if ignore_index is None else target != ignore_index
    index = target if counted is None else np.where(counted, target, 0)
    return counted, check.class_indices(name, "target", index, classes).astype(np.intp)


def position_weights(
    name: str,
    target: np.ndarray,
    log_p: Tensor,
    ignore_index: int | None,
    weight: np.ndarray | None,
) -> tuple[Any, np.ndarray]:
    """Return the weight of each position, and the targets.

    An ignored position has weight 0 and target 0. If `weight` and `ignore_index` are both None, the
    weights are None.
    """
    counted, index = counted_positions(name, target, log_p.shape[-1], ignore_index)
    if weight is not None:
        chosen = ops.getitem(weight, index)
        return chosen if counted is None else counted * chosen, index
    return None if counted is None else counted.astype(log_p.dtype), index


def weighted(loss: Tensor, weight: Any) -> Tensor:
    """Return each term times its weight; return the terms unchanged if `weight` is None."""
    return loss if weight is None else drop_unused(loss, weight) * weight


def drop_unused(x: Tensor, factor: Any) -> Tensor:
    """Return `x` with 0 where the factor is 0, except where `x` is NaN.

    In floating point, 0 · log 0 is NaN, although it is 0 in the limit. The product of 0 and an
    infinite incoming gradient is NaN too. A dropped term passes no gradient to `x`. If the factor
    is a Tensor, only infinite terms are dropped, because the factor of a finite term has a
    gradient.
    """
    unused = unwrap(factor) == 0
    unused = unused & (np.isinf(unwrap(x)) if isinstance(factor, Tensor) else ~np.isnan(unwrap(x)))
    return ops.where(unused, 0, x) if allow(unused.any()) else x


def reduce_loss(
    name: str, loss: Tensor, reduction: Reduction, dtype: np.dtype, weight: Any = None
) -> Tensor:
    """Return the loss of each position ("none"), the sum or the weighted mean, in this dtype.

    The terms in `loss` are already multiplied by their weights. The mean divides by the sum of
    `weight`, or by the number of terms if `weight` is None.
    """
    if check.one_of(name, "reduction", reduction, ("mean", "sum", "none")) == "mean":
        loss = _mean(name, loss, weight)
    elif reduction == "sum":
        loss = loss.sum()
    return loss if loss.dtype == dtype else loss.astype(dtype)


def _mean(name: str, loss: Tensor, weight: Any) -> Tensor:
    """Return the weighted mean; raise ValueError if no position counts."""
    total = loss.array.size if weight is None else weight.sum()
    if not expect(total != 0):
        expected, got = "at least one position that counts", "none, so the mean is undefined"
        fix = "use reduction='sum', or skip the batch"
        raise argument_error(name, "target", expected, got, fix)
    return loss.sum() / total


# -- logits and targets ----------------------------------------------------------------------------


def as_logits(name: str, argument: str, logits: Any) -> tuple[Tensor, np.dtype]:
    """Return logits as a Tensor that is at least float32, and the dtype that they had.

    Raises
    ------
    ValueError
        If they are not floats of shape (..., C).
    """
    logits = logits if isinstance(logits, Tensor) else Tensor(logits)
    if logits.ndim == 0 or logits.dtype.kind != "f" or not logits.shape[-1]:
        expected = "floats of shape (..., classes) with at least one class"
        fix = "use a floating dtype, and put the classes on the last axis"
        raise argument_error(name, argument, expected, describe(logits), fix)
    return widen(logits), logits.dtype


def as_constant_or_tracked(name: str, argument: str, x: Any) -> Any:
    """Return `x` unchanged if it is a Tensor that requires gradients, else as an array."""
    return x if isinstance(x, Tensor) and x.tracked else check.real_array(name, argument, x)


def match_shapes(
    name: str, input: Any, target: Any, argument: str = "input"
) -> tuple[Tensor, Any, np.dtype]:
    """Return the input as a Tensor that is at least float32, the target, and the input's dtype.

    A target stays unchanged if it is a Tensor that requires gradients. Any other target becomes an
    array with the dtype of the returned input.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    input = input if isinstance(input, Tensor) else Tensor(input)
    check.floating(name, argument, input.array)
    target = as_constant_or_tracked(name, "target", target)
    if target.shape != input.shape:
        expected = f"shape {input.shape}, that of the input"
        raise argument_error(name, "target", expected, describe(target), "reshape the target")
    wide = widen(input)
    if not isinstance(target, Tensor):
        target = target.astype(wide.dtype, copy=False)
    return wide, target, input.dtype


def require_target_shape(
    name: str, target: np.ndarray, logits: Tensor, ignore_index: int | None
) -> None:
    """Raise an error unless there is one integer target for each position."""
    if target.shape != logits.shape[:-1]:
        # This call raises a more specific error if a target is not a class.
        counted_positions(name, target, logits.shape[-1], ignore_index)
        raise target_error(name, target, logits)


def as_distributions(name: str, target: Any, logits: Tensor, dtype: np.dtype) -> Any:
    """Return probability targets in the dtype of the logits, or unchanged if they are a Tensor.

    Raises
    ------
    ValueError
        If the target does not have the shape of the logits, or a row is not a distribution.
    """
    if target.shape != logits.shape:
        raise target_error(name, target, logits)
    require_probabilities(name, target, "divide rows by their sum, or use integers for classes")
    require_distributions(name, target, dtype)
    return target if isinstance(target, Tensor) else target.astype(logits.dtype, copy=False)


def require_probabilities(name: str, target: Any, fix: str) -> None:
    """Raise ValueError if a target is outside [0, 1] by more than rounding. NaN is let through."""
    array = unwrap(target)
    slack = 4 * np.finfo(array.dtype).eps
    wrong = (array < -slack) | (array > 1 + slack)
    if not expect(~wrong.any()):
        position = check.first_position(wrong)
        got = f"{array[position]} at position {position}"
        raise argument_error(name, "target", "probabilities in [0, 1]", got, fix)


def require_distributions(name: str, target: Any, dtype: np.dtype) -> None:
    """Raise ValueError if a row does not sum to 1 within √ε. Rows that sum to NaN are let through.

    ε is the largest of three machine epsilons: those of float32, of the target's dtype, and of
    `dtype`, the dtype of the logits. `numpy.random.Generator.choice` also allows an error of √ε.
    """
    array = unwrap(target)
    epsilons = [float(np.finfo(dtype).eps) for dtype in (np.float32, array.dtype, dtype)]
    slack = max(epsilons) ** 0.5
    total = array.sum(axis=-1, dtype=np.float64)
    wrong = np.abs(total - 1) > slack
    if not expect(~wrong.any()):
        position = check.first_position(wrong)
        got = f"a sum of {total[position]:.6g} at position {position}"
        fix = "divide each row by its sum, or use integer targets and ignore_index for padding"
        raise argument_error(name, "target", "rows that sum to 1", got, fix)


def target_error(name: str, target: Any, logits: Tensor) -> Exception:
    """Return the error for a target whose shape or dtype fits neither classes nor probabilities."""
    expected = f"integers of shape {logits.shape[:-1]}"
    fix = "reshape the target, because a target is not broadcast"
    is_like_logits = target.shape == logits.shape
    if is_like_logits:
        fix = "use target.argmax(axis=-1) to turn one-hot rows into classes"
    if name == "cross_entropy":
        expected += f" or probabilities of shape {logits.shape}"
        fix += ", or target.astype(float) for probabilities" if is_like_logits else ""
    return argument_error(name, "target", expected, describe(target), fix)


# -- weights ---------------------------------------------------------------------------------------


def as_class_weight(name: str, weight: Any, logits: Tensor) -> np.ndarray | None:
    """Return the nonnegative weight of each class in the dtype of the logits, or None."""
    if weight is None:
        return None
    weight = check.real_array(name, "weight", weight).astype(logits.dtype)
    if weight.shape != logits.shape[-1:]:
        expected = f"one weight for each class, shape {logits.shape[-1:]}"
        fix = "pass as many weights as the last axis of the logits has entries"
        raise argument_error(name, "weight", expected, describe(weight), fix)
    return require_nonnegative(name, "weight", weight)


def as_entry_weight(name: str, argument: str, weight: Any, logits: Tensor) -> np.ndarray:
    """Return the nonnegative weight, which must broadcast to the shape of the logits."""
    factor = check.real_array(name, argument, weight)
    try:
        fits = np.broadcast_shapes(logits.shape, factor.shape) == logits.shape
    except ValueError:  # the shapes do not broadcast at all
        fits = False
    if not fits:
        expected = f"a shape that broadcasts to {logits.shape}"
        fix = "pass one number, or one weight for each entry"
        raise argument_error(name, argument, expected, describe(factor), fix)
    return require_nonnegative(name, argument, factor.astype(logits.dtype))


def require_nonnegative(name: str, argument: str, factor: np.ndarray) -> np.ndarray:
    """Return the weights; raise ValueError for a negative weight, which would reward mistakes."""
    if not expect(~(factor < 0).any()):
        fix = "to use weights of both signs, pass reduction='none' and multiply the result by them"
        raise argument_error(name, argument, "weights of at least 0", str(factor.min()), fix)
    return factor
