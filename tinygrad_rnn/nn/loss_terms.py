"""What losses are made of: logits, targets and factors that fit, which positions count, and the reduction of all terms to one."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..dtypes import as_numbers, check_classes, require_floating
from ..errors import complaint, describe
from ..tensor import Tensor


def only_read(name: str, rows: Tensor, target: np.ndarray, ignore_index: int | None) -> Tensor:
    """The rows with zeros in those that do not count: nan and inf there, which no factor 0 takes away, reach neither loss nor gradient."""
    if ignore_index is None:
        return rows
    if not isinstance(ignore_index, int | np.integer) or isinstance(ignore_index, bool):
        wanted, remedy = "an integer, or None", "use the number that stands for padding in the target"
        raise TypeError(complaint(name, "ignore_index", expected=wanted, got=describe(ignore_index), remedy=remedy))
    ignored = target == ignore_index
    return ops.where(ignored[..., None], 0, rows) if ignored.any() else rows


def require_probabilities(name: str, target: Any, remedy: str) -> None:
    """Refuse targets below 0 or above 1, by more than rounding. What is nan stays so, and the loss becomes it."""
    array = target.array if isinstance(target, Tensor) else target
    slack = 4 * np.finfo(array.dtype).eps
    wrong = (array < -slack) | (array > 1 + slack)
    if wrong.any():
        position = tuple(int(i) for i in np.argwhere(wrong)[0])
        got = f"{array[position]} at position {position}"
        raise ValueError(complaint(name, "target", expected="probabilities, from 0 to 1", got=got, remedy=remedy))


def require_distributions(name: str, target: Any, logits: Tensor) -> None:
    """Refuse rows of targets that are not 1 in sum, by more than the root of a rounding, as `numpy.random` does. A sum of nan is none."""
    array = target.array if isinstance(target, Tensor) else target
    slack = max(float(np.finfo(dtype).eps) for dtype in (np.float32, array.dtype, logits.dtype)) ** 0.5
    total = array.sum(axis=-1, dtype=np.float64)
    wrong = np.abs(total - 1) > slack
    if wrong.any():
        position = tuple(int(i) for i in np.argwhere(wrong)[0])
        got, remedy = f"{total[position]:.6g} at position {position}", "divide by the sum; for rows that should not count use ignore_index"
        raise ValueError(complaint(name, "target", expected="distributions, 1 in sum", got=got, remedy=remedy))


def which_count(name: str, target: np.ndarray, classes: int, ignore_index: int | None) -> tuple[Any, np.ndarray]:
    """Which positions count (None for all), and the targets with 0 where they do not."""
    counted = None if ignore_index is None else target != ignore_index
    safe = check_classes(name, "target", target if counted is None else np.where(counted, target, 0), classes)
    return counted, safe.astype(np.intp)


def shares(name: str, target: np.ndarray, log_p: Tensor, ignore_index: int | None, weight: np.ndarray | None) -> tuple[Any, np.ndarray]:
    """How much each position counts (None where all count alike), and the targets with 0 where they do not."""
    counted, safe = which_count(name, target, log_p.shape[-1], ignore_index)
    if weight is not None:
        return weight[safe] if counted is None else counted * weight[safe], safe
    return None if counted is None else counted.astype(log_p.dtype), safe


def weighed(loss: Tensor, share: Any) -> Tensor:
    """Each term times its share, if it has one."""
    return loss if share is None else without_unused(loss, share) * share


def without_unused(x: Tensor, factor: Any) -> Tensor:
    """`x`, but 0 where it is infinite and the factor takes nothing of it: 0 · log 0 is the 0 that is its limit, not nan.

    The term is not there then, so that neither `x` nor the factor, if it has gradients, gets one through it.
    """
    unused = np.isinf(x.array) & (getattr(factor, "array", factor) == 0)
    return ops.where(unused, 0, x) if unused.any() else x


def reduced(name: str, loss: Tensor, reduction: str, share: Any = None) -> Tensor:
    """The loss of each position to what `reduction` asks for; a mean is weighted by `share`."""
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    if reduction != "mean":
        raise ValueError(complaint(name, "reduction", expected="'mean', 'sum' or 'none'", got=repr(reduction), remedy="use one of these"))
    total = loss.size if share is None else share.sum()
    if total == 0:
        wanted, got = "at least one position that counts", "none, of which no mean exists"
        raise ValueError(complaint(name, "target", expected=wanted, got=got, remedy="use reduction='sum', or skip the batch"))
    return loss.sum() / total


def as_logits(name: str, argument: str, logits: Any) -> Tensor:
    """Logits as a Tensor, of one class or more on the last axis."""
    logits = logits if isinstance(logits, Tensor) else Tensor(logits)
    if logits.ndim == 0 or logits.dtype.kind != "f" or not logits.shape[-1]:
        wanted, remedy = "floats of shape (..., classes), of one class or more", "put the classes on the last axis"
        raise ValueError(complaint(name, argument, expected=wanted, got=describe(logits), remedy=remedy))
    return logits


def class_weight(name: str, weight: Any, logits: Tensor) -> np.ndarray | None:
    """A factor for each class, from 0 up, in the dtype of the logits."""
    if weight is None:
        return None
    weight = as_numbers(name, "weight", weight).astype(logits.dtype)
    if weight.shape != logits.shape[-1:]:
        wanted = f"one factor for each class, shape {logits.shape[-1:]}"
        raise ValueError(complaint(name, "weight", expected=wanted, got=describe(weight), remedy="check it"))
    return not_below_0(name, "weight", weight)


def both(name: str, input: Any, target: Any, argument: str = "input") -> tuple[Tensor, Any]:
    """Input and target as Tensor and Tensor or array, of one shape and the input's dtype."""
    input = input if isinstance(input, Tensor) else Tensor(input)
    require_floating(name, argument, input.array)
    target = as_plain(name, "target", target)
    if target.shape != input.shape:
        wanted = f"shape {input.shape}, that of the input"
        raise ValueError(complaint(name, "target", expected=wanted, got=describe(target), remedy="use reshape"))
    return input, target if isinstance(target, Tensor) else target.astype(input.dtype, copy=False)


def as_plain(name: str, argument: str, x: Any) -> Any:
    """An array, of a Tensor without gradients too; a Tensor with gradients as it is."""
    return x if isinstance(x, Tensor) and x.requires_grad else as_numbers(name, argument, x)


def factor_for(name: str, argument: str, x: Any, like: Tensor) -> np.ndarray:
    """A factor for each entry of `like`, refused if it is of a shape that would make more entries of it."""
    factor = as_numbers(name, argument, x)
    try:
        fits = np.broadcast_shapes(like.shape, factor.shape) == like.shape
    except ValueError:  # they do not broadcast at all
        fits = False
    if not fits:
        wanted, remedy = f"a shape that broadcasts to {like.shape}", "give one factor for each entry"
        raise ValueError(complaint(name, argument, expected=wanted, got=describe(factor), remedy=remedy))
    return not_below_0(name, argument, factor.astype(like.dtype))


def not_below_0(name: str, argument: str, factor: np.ndarray) -> np.ndarray:
    """A factor of a loss, refused if it would reward mistakes."""
    if (factor < 0).any():
        got, remedy = str(factor.min()), "take reduction='none', and multiply by what may be negative, a reward for example"
        raise ValueError(complaint(name, argument, expected="factors from 0 up", got=got, remedy=remedy))
    return factor


def unfit(name: str, target: Any, logits: Tensor) -> str:
    """What to say of a target whose shape or dtype is neither that of classes nor that of probabilities."""
    wanted, remedy = f"integers of shape {logits.shape[:-1]}", "use reshape; nothing is broadcast"
    if target.shape == logits.shape:
        remedy = "use target.argmax(axis=-1) for the classes of one-hot rows"
    if name == "cross_entropy":
        wanted += f" or probabilities of shape {logits.shape}"
        remedy += ", or target.astype(float) for probabilities" if target.shape == logits.shape else ""
    return complaint(name, "target", expected=wanted, got=describe(target), remedy=remedy)
