"""What losses are made of: logits, targets and factors that fit, which positions count, and the reduction of all terms to one."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import check, ops
from ..errors import argument_error, describe
from ..tensor import Tensor


def mask_ignored(name: str, rows: Tensor, target: np.ndarray, ignore_index: int | None) -> Tensor:
    """The rows with zeros in those that do not count: nan and inf there, which no factor 0 takes away, reach neither loss nor gradient."""
    if ignore_index is None:
        return rows
    if not isinstance(ignore_index, int | np.integer) or isinstance(ignore_index, bool):
        wanted, fix = "an integer, or None", "use the number that stands for padding in the target"
        raise argument_error(
            name,
            "ignore_index",
            expected=wanted,
            got=describe(ignore_index),
            fix=fix,
            kind=TypeError,
        )
    ignored = target == ignore_index
    return ops.where(ignored[..., None], 0, rows) if ignored.any() else rows


def require_probabilities(name: str, target: Any, fix: str) -> None:
    """Refuse targets below 0 or above 1, by more than rounding. What is nan stays so, and the loss becomes it."""
    array = target.array if isinstance(target, Tensor) else target
    slack = 4 * np.finfo(array.dtype).eps
    wrong = (array < -slack) | (array > 1 + slack)
    if wrong.any():
        position = tuple(int(i) for i in np.argwhere(wrong)[0])
        got = f"{array[position]} at position {position}"
        raise argument_error(
            name, "target", expected="probabilities, from 0 to 1", got=got, fix=fix
        )


def require_distributions(name: str, target: Any, logits: Tensor) -> None:
    """Refuse rows of targets that are not 1 in sum, by more than the root of a rounding, as `numpy.random` does. A sum of nan is none."""
    array = target.array if isinstance(target, Tensor) else target
    slack = (
        max(float(np.finfo(dtype).eps) for dtype in (np.float32, array.dtype, logits.dtype)) ** 0.5
    )
    total = array.sum(axis=-1, dtype=np.float64)
    wrong = np.abs(total - 1) > slack
    if wrong.any():
        position = tuple(int(i) for i in np.argwhere(wrong)[0])
        got, fix = (
            f"{total[position]:.6g} at position {position}",
            "divide by the sum; for rows that should not count use ignore_index",
        )
        raise argument_error(name, "target", expected="distributions, 1 in sum", got=got, fix=fix)


def counted_positions(
    name: str, target: np.ndarray, classes: int, ignore_index: int | None
) -> tuple[Any, np.ndarray]:
    """Which positions count (None for all), and the targets with 0 where they do not."""
    counted = None if ignore_index is None else target != ignore_index
    safe = check.class_indices(
        name, "target", target if counted is None else np.where(counted, target, 0), classes
    )
    return counted, safe.astype(np.intp)


def position_weights(
    name: str,
    target: np.ndarray,
    log_p: Tensor,
    ignore_index: int | None,
    weight: np.ndarray | None,
) -> tuple[Any, np.ndarray]:
    """How much each position counts (None where all count alike), and the targets with 0 where they do not."""
    counted, safe = counted_positions(name, target, log_p.shape[-1], ignore_index)
    if weight is not None:
        return weight[safe] if counted is None else counted * weight[safe], safe
    return None if counted is None else counted.astype(log_p.dtype), safe


def weighted(loss: Tensor, share: Any) -> Tensor:
    """Each term times its share, if it has one."""
    return loss if share is None else drop_unused(loss, share) * share


def drop_unused(x: Tensor, factor: Any) -> Tensor:
    """`x`, but 0 where it is infinite and the factor takes nothing of it: 0 · log 0 is the 0 that is its limit, not nan.

    The term is not there then, so that neither `x` nor the factor, if it has gradients, gets one through it.
    """
    unused = np.isinf(x.array) & (getattr(factor, "array", factor) == 0)
    return ops.where(unused, 0, x) if unused.any() else x


def reduce_loss(name: str, loss: Tensor, reduction: str, share: Any = None) -> Tensor:
    """The loss of each position to what `reduction` asks for; a mean is weighted by `share`."""
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    if reduction != "mean":
        raise argument_error(
            name,
            "reduction",
            expected="'mean', 'sum' or 'none'",
            got=repr(reduction),
            fix="use one of these",
        )
    total = loss.size if share is None else share.sum()
    if total == 0:
        wanted, got = "at least one position that counts", "none, of which no mean exists"
        raise argument_error(
            name, "target", expected=wanted, got=got, fix="use reduction='sum', or skip the batch"
        )
    return loss.sum() / total


def as_logits(name: str, argument: str, logits: Any) -> Tensor:
    """Logits as a Tensor, of one class or more on the last axis."""
    logits = logits if isinstance(logits, Tensor) else Tensor(logits)
    if logits.ndim == 0 or logits.dtype.kind != "f" or not logits.shape[-1]:
        wanted, fix = (
            "floats of shape (..., classes), of one class or more",
            "put the classes on the last axis",
        )
        raise argument_error(name, argument, expected=wanted, got=describe(logits), fix=fix)
    return logits


def class_weight(name: str, weight: Any, logits: Tensor) -> np.ndarray | None:
    """A factor for each class, from 0 up, in the dtype of the logits."""
    if weight is None:
        return None
    weight = check.real_array(name, "weight", weight).astype(logits.dtype)
    if weight.shape != logits.shape[-1:]:
        wanted = f"one factor for each class, shape {logits.shape[-1:]}"
        raise argument_error(name, "weight", expected=wanted, got=describe(weight), fix="check it")
    return require_nonnegative(name, "weight", weight)


def match_shapes(name: str, input: Any, target: Any, argument: str = "input") -> tuple[Tensor, Any]:
    """Input and target as Tensor and Tensor or array, of one shape and the input's dtype."""
    input = input if isinstance(input, Tensor) else Tensor(input)
    check.floating(name, argument, input.array)
    target = as_plain(name, "target", target)
    if target.shape != input.shape:
        wanted = f"shape {input.shape}, that of the input"
        raise argument_error(
            name, "target", expected=wanted, got=describe(target), fix="use reshape"
        )
    return input, target if isinstance(target, Tensor) else target.astype(input.dtype, copy=False)


def as_plain(name: str, argument: str, x: Any) -> Any:
    """An array, of a Tensor without gradients too; a Tensor with gradients as it is."""
    return x if isinstance(x, Tensor) and x.requires_grad else check.real_array(name, argument, x)


def broadcast_weight(name: str, argument: str, x: Any, like: Tensor) -> np.ndarray:
    """A factor for each entry of `like`, refused if it is of a shape that would make more entries of it."""
    factor = check.real_array(name, argument, x)
    try:
        fits = np.broadcast_shapes(like.shape, factor.shape) == like.shape
    except ValueError:  # they do not broadcast at all
        fits = False
    if not fits:
        wanted, fix = f"a shape that broadcasts to {like.shape}", "give one factor for each entry"
        raise argument_error(name, argument, expected=wanted, got=describe(factor), fix=fix)
    return require_nonnegative(name, argument, factor.astype(like.dtype))


def require_nonnegative(name: str, argument: str, factor: np.ndarray) -> np.ndarray:
    """A factor of a loss, refused if it would reward mistakes."""
    if (factor < 0).any():
        got, fix = (
            str(factor.min()),
            "take reduction='none', and multiply by what may be negative, a reward for example",
        )
        raise argument_error(name, argument, expected="factors from 0 up", got=got, fix=fix)
    return factor


def target_error(name: str, target: Any, logits: Tensor) -> Exception:
    """What to say of a target whose shape or dtype is neither that of classes nor that of probabilities."""
    wanted, fix = f"integers of shape {logits.shape[:-1]}", "use reshape; nothing is broadcast"
    if target.shape == logits.shape:
        fix = "use target.argmax(axis=-1) for the classes of one-hot rows"
    if name == "cross_entropy":
        wanted += f" or probabilities of shape {logits.shape}"
        fix += ", or target.astype(float) for probabilities" if target.shape == logits.shape else ""
    return argument_error(name, "target", expected=wanted, got=describe(target), fix=fix)
