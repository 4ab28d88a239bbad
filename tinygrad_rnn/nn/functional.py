"""Losses, and dropout: functions of Tensors, composed of ops.

Nan is passed on, never replaced: a nan among logits or targets that count makes the loss nan, as it does in every op, in
`max`, `relu` and `clip` too. What does not count is not read, so nan and inf there reach neither the loss nor a gradient: a row whose
target is ``ignore_index``, a time step behind the end of a sequence (``lengths``), an entry that dropout drops. A factor 0, of a
probability or a weight, takes away inf, for 0 · log 0 is 0, and with it the gradient of that term; nan it does not. Infinite logits
are taken at their limits where there is one; a softmax of inf, or of nothing but −inf, has none and is nan, with NumPy's warning.
"""

from __future__ import annotations

from math import nextafter
from typing import Any

import numpy as np

from .. import ops
from ..dtypes import as_numbers, require_flag, require_floating, require_number
from ..errors import complaint, describe
from ..tensor import Tensor
from .init import Rng, generator


def cross_entropy(
    logits: Any,
    target: Any,
    *,
    ignore_index: int | None = None,
    weight: Any = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """The cross-entropy −Σ_c p_c log softmax(logits)_c between logits and targets.

    Parameters
    ----------
    logits : Tensor of shape (..., C)
        Classes on the last axis.
    target : integers of shape (...), or probabilities of shape (..., C)
        The right class of each position, in [0, C); or a distribution over the classes, one-hot for example: each in [0, 1], and 1 in sum.
    ignore_index : int, optional
        Positions with this integer target do not count, and what stands in their rows of logits is not read. If it is all of them,
        the sum is 0 and the mean an error.
    weight : array of shape (C,), optional
        A factor for each class, from 0 up. The mean is then the weighted mean, as in PyTorch.
    label_smoothing : float in [0, 1]
        ε: the target becomes (1 − ε) p + ε / C.
    reduction : {"mean", "sum", "none"}
        "mean" is over the positions that count; if there are none it is an error, not nan.

    Returns
    -------
    Tensor: a number, or with "none" shape (...)

    Raises
    ------
    ValueError
        If a target is out of range or no distribution (the message names its position), a weight below 0, or shapes do not fit.
    TypeError
        If the target's dtype does not fit.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> loss = tg.nn.functional.cross_entropy(tg.Tensor([[10.0, 0.0], [0.0, 10.0]]), [0, 1])
    >>> f"{loss.item():.6f}"
    '0.000045'
    """
    name = "cross_entropy"
    logits = _logits(name, "logits", logits)
    classes = logits.shape[-1]
    up_to_one = {"below": nextafter(1, 2), "remedy": "0.1 is common"}
    label_smoothing = require_number(name, "label_smoothing", label_smoothing, "a number in [0, 1]", **up_to_one)
    weight = _class_weight(name, weight, logits)
    target = _plain(name, "target", target)
    if target.dtype.kind == "f" or isinstance(target, Tensor):
        if target.shape != logits.shape:
            raise ValueError(_unfit(name, target, logits))
        if ignore_index is not None:
            raise ValueError(
                complaint(
                    name, "ignore_index", expected="None with probability targets", got=str(ignore_index), remedy="use integer targets"
                )
            )
        _require_probabilities(name, target)
        _require_distributions(name, target, logits)
        p = target if isinstance(target, Tensor) else target.astype(logits.dtype, copy=False)
        p = p * (1 - label_smoothing) + label_smoothing / classes if label_smoothing else p
        p = p if weight is None else p * weight
        return _reduced(name, -(_used(ops.log_softmax(logits), p) * p).sum(axis=-1), reduction)
    if target.shape != logits.shape[:-1]:
        _counted(name, target, classes, ignore_index)
        raise ValueError(_unfit(name, target, logits))
    log_p = ops.log_softmax(_read(name, logits, target, ignore_index))
    share, safe = _shares(name, target, log_p, ignore_index, weight)
    loss = _weighed(-ops.pick(log_p, index=safe), share)
    if label_smoothing:
        counted = None if ignore_index is None else target != ignore_index
        spread = _weighed(-_weighed(log_p, weight).mean(axis=-1), counted)
        loss = _weighed(loss, 1 - label_smoothing) + spread * label_smoothing
    return _reduced(name, loss, reduction, share)


def nll_loss(
    log_probabilities: Any, target: Any, *, ignore_index: int | None = None, weight: Any = None, reduction: str = "mean"
) -> Tensor:
    """The negative log-likelihood −log p[target], of log-probabilities (..., C) and integer targets (...).

    Parameters, returns and errors as `cross_entropy`, which is this after `log_softmax`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.nll_loss(tg.Tensor([[-0.5, -1.0]]), [1])
    Tensor(1.)
    """
    name = "nll_loss"
    log_p = _logits(name, "log_probabilities", log_probabilities)
    weight = _class_weight(name, weight, log_p)
    target = as_numbers(name, "target", target)
    if target.shape != log_p.shape[:-1]:
        _counted(name, target, log_p.shape[-1], ignore_index)
        raise ValueError(_unfit(name, target, log_p))
    log_p = _read(name, log_p, target, ignore_index)
    share, safe = _shares(name, target, log_p, ignore_index, weight)
    return _reduced(name, _weighed(-ops.pick(log_p, index=safe), share), reduction, share)


def mse_loss(input: Any, target: Any, *, reduction: str = "mean") -> Tensor:
    """The squared error (input − target)². The shapes must be equal: nothing is broadcast.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.mse_loss(tg.Tensor([1.0, 2.0]), [1.0, 4.0])
    Tensor(2.)
    """
    input, target = _alike("mse_loss", input, target)
    difference = input - target
    return _reduced("mse_loss", difference * difference, reduction)


def binary_cross_entropy_with_logits(
    logits: Any, target: Any, *, weight: Any = None, pos_weight: Any = None, reduction: str = "mean"
) -> Tensor:
    """−t log σ(x) − (1 − t) log(1 − σ(x)), computed from x so that nothing overflows.

    Parameters
    ----------
    logits, target : arrays of one shape
        Targets are probabilities in [0, 1], 0 or 1 for example.
    weight : array that broadcasts to that shape, optional
        A factor for each entry, from 0 up.
    pos_weight : array that broadcasts to that shape, optional
        A factor for the first term, from 0 up.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.binary_cross_entropy_with_logits(tg.Tensor([1e4, -1e4]), [1.0, 0.0])
    Tensor(0.)
    """
    name = "binary_cross_entropy_with_logits"
    logits, target = _alike(name, logits, target, "logits")
    _require_probabilities(name, target)
    positive = target if pos_weight is None else target * _factor(name, "pos_weight", pos_weight, logits)
    negative = 1 - target
    loss = positive * _used(ops.softplus(-logits), positive) + negative * _used(ops.softplus(logits), negative)
    return _reduced(name, _weighed(loss, None if weight is None else _factor(name, "weight", weight, logits)), reduction)


def dropout(x: Any, p: float = 0.5, *, training: bool = True, rng: Rng = None) -> Any:
    """Zero each entry with probability p and multiply the others by 1/(1−p); unchanged if not `training`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.dropout(tg.Tensor([1.0, 2.0]), 0.5, training=False)
    Tensor([1., 2.])
    """
    check_probability("dropout", "p", p)
    training = require_flag("dropout", "training", training)
    x = x if isinstance(x, Tensor) else Tensor(x)
    require_floating("dropout", "x", x.data)
    if not training or p == 0:
        return x
    kept = generator(rng).random(x.shape) >= p
    return ops.where(kept, x, 0) * (1 / (1 - p))  # a factor 0 would make nan of inf, there and in the gradient


def check_probability(operation: str, argument: str, p: float) -> None:
    """Refuse what is not in [0, 1)."""
    require_number(operation, argument, p, "a probability in [0, 1)", below=1, remedy="0.5 is common")


def check_classes(operation: str, argument: str, index: np.ndarray, classes: int) -> np.ndarray:
    """`index`, refused if something in it is not an integer in [0, classes); −1 never means the last one. None at all are integers too."""
    if index.dtype.kind not in "iu" and index.size:
        raise TypeError(
            complaint(
                operation,
                argument,
                expected=f"integers in [0, {classes})",
                got=describe(index),
                remedy="use an integer dtype, np.int64 for example",
            )
        )
    wrong = (index < 0) | (index >= classes)
    if wrong.any():
        position = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            complaint(
                operation,
                argument,
                expected=f"integers in [0, {classes}), for there are {classes} classes",
                got=f"{index[position]} at position {position}",
                remedy="correct it, or use ignore_index for what should not count" if argument == "target" else "correct it",
            )
        )
    return index if index.size else index.astype(np.intp)


def _read(name: str, rows: Tensor, target: np.ndarray, ignore_index: int | None) -> Tensor:
    """The rows with zeros in those that do not count: nan and inf there, which no factor 0 takes away, reach neither loss nor gradient."""
    if ignore_index is None:
        return rows
    if not isinstance(ignore_index, int | np.integer) or isinstance(ignore_index, bool):
        wanted, remedy = "an integer, or None", "use the number that stands for padding in the target"
        raise TypeError(complaint(name, "ignore_index", expected=wanted, got=describe(ignore_index), remedy=remedy))
    ignored = target == ignore_index
    return ops.where(ignored[..., None], 0, rows) if ignored.any() else rows


def _require_probabilities(name: str, target: Any) -> None:
    """Refuse targets below 0 or above 1, by more than rounding. What is nan stays so, and the loss becomes it."""
    array = target.array if isinstance(target, Tensor) else target
    slack = 4 * np.finfo(array.dtype).eps if array.dtype.kind == "f" else 0
    wrong = (array < -slack) | (array > 1 + slack)
    if wrong.any():
        position = tuple(int(i) for i in np.argwhere(wrong)[0])
        got, remedy = f"{array[position]} at position {position}", "divide by the sum, say; classes are integers"
        raise ValueError(complaint(name, "target", expected="probabilities, from 0 to 1", got=got, remedy=remedy))


def _require_distributions(name: str, target: Any, logits: Tensor) -> None:
    """Refuse rows of targets that are not 1 in sum, by more than the root of a rounding, as `numpy.random` does. A sum of nan is none."""
    array = target.array if isinstance(target, Tensor) else target
    slack = max(float(np.finfo(dtype).eps) for dtype in (np.float32, array.dtype, logits.dtype)) ** 0.5
    total = array.sum(axis=-1, dtype=np.float64)
    wrong = np.abs(total - 1) > slack
    if wrong.any():
        position = tuple(int(i) for i in np.argwhere(wrong)[0])
        got, remedy = f"{total[position]:.6g} at position {position}", "divide by the sum; for rows that should not count use ignore_index"
        raise ValueError(complaint(name, "target", expected="distributions, 1 in sum", got=got, remedy=remedy))


def _counted(name: str, target: np.ndarray, classes: int, ignore_index: int | None) -> tuple[Any, np.ndarray]:
    """Which positions count (None for all), and the targets with 0 where they do not."""
    counted = None if ignore_index is None else target != ignore_index
    safe = check_classes(name, "target", target if counted is None else np.where(counted, target, 0), classes)
    return counted, safe.astype(np.intp)


def _shares(name: str, target: np.ndarray, log_p: Tensor, ignore_index: int | None, weight: np.ndarray | None) -> tuple[Any, np.ndarray]:
    """How much each position counts (None where all count alike), and the targets with 0 where they do not."""
    counted, safe = _counted(name, target, log_p.shape[-1], ignore_index)
    if weight is not None:
        return weight[safe] if counted is None else counted * weight[safe], safe
    return None if counted is None else counted.astype(log_p.dtype), safe


def _weighed(loss: Tensor, share: Any) -> Tensor:
    return loss if share is None else _used(loss, share) * share


def _used(x: Tensor, factor: Any) -> Tensor:
    """`x`, but 0 where it is infinite and the factor takes nothing of it: 0 · log 0 is the 0 that is its limit, not nan.

    The term is not there then, so that neither `x` nor the factor, if it has gradients, gets one through it.
    """
    unused = np.isinf(x.array) & (getattr(factor, "array", factor) == 0)
    return ops.where(unused, 0, x) if unused.any() else x


def _reduced(name: str, loss: Tensor, reduction: str, share: Any = None) -> Tensor:
    """The loss of each position to what `reduction` asks for; a mean is weighted by `share`."""
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    if reduction != "mean":
        raise ValueError(complaint(name, "reduction", expected="'mean', 'sum' or 'none'", got=repr(reduction), remedy="use one of these"))
    total = loss.size if share is None else share.sum()
    if total == 0:
        raise ValueError(
            complaint(
                name,
                "target",
                expected="at least one position that counts",
                got="none, of which no mean exists",
                remedy="use reduction='sum', or skip the batch",
            )
        )
    return loss.sum() / total


def _logits(name: str, argument: str, logits: Any) -> Tensor:
    logits = logits if isinstance(logits, Tensor) else Tensor(logits)
    if logits.ndim == 0 or logits.dtype.kind != "f" or not logits.shape[-1]:
        raise ValueError(
            complaint(
                name,
                argument,
                expected="floats of shape (..., classes), of one class or more",
                got=describe(logits),
                remedy="put the classes on the last axis",
            )
        )
    return logits


def _class_weight(name: str, weight: Any, logits: Tensor) -> np.ndarray | None:
    if weight is None:
        return None
    weight = as_numbers(name, "weight", weight).astype(logits.dtype)
    if weight.shape != logits.shape[-1:]:
        raise ValueError(
            complaint(
                name, "weight", expected=f"one factor for each class, shape {logits.shape[-1:]}", got=describe(weight), remedy="check it"
            )
        )
    return _not_below_0(name, "weight", weight)


def _alike(name: str, input: Any, target: Any, argument: str = "input") -> tuple[Tensor, Any]:
    """Input and target as Tensor and Tensor or array, of one shape and the input's dtype."""
    input = input if isinstance(input, Tensor) else Tensor(input)
    require_floating(name, argument, input.array)
    target = _plain(name, "target", target)
    if target.shape != input.shape:
        raise ValueError(
            complaint(name, "target", expected=f"shape {input.shape}, that of the input", got=describe(target), remedy="use reshape")
        )
    return input, target if isinstance(target, Tensor) else target.astype(input.dtype, copy=False)


def _plain(name: str, argument: str, x: Any) -> Any:
    """An array, of a Tensor without gradients too; a Tensor with gradients as it is."""
    return x if isinstance(x, Tensor) and x.requires_grad else as_numbers(name, argument, x)


def _factor(name: str, argument: str, x: Any, like: Tensor) -> np.ndarray:
    """A factor for each entry of `like`, refused if it is of a shape that would make more entries of it."""
    factor = as_numbers(name, argument, x)
    try:
        fits = np.broadcast_shapes(like.shape, factor.shape) == like.shape
    except ValueError:  # they do not broadcast at all
        fits = False
    if not fits:
        wanted, remedy = f"a shape that broadcasts to {like.shape}", "give one factor for each entry"
        raise ValueError(complaint(name, argument, expected=wanted, got=describe(factor), remedy=remedy))
    return _not_below_0(name, argument, factor.astype(like.dtype))


def _not_below_0(name: str, argument: str, factor: np.ndarray) -> np.ndarray:
    """A factor of a loss, refused if it would reward mistakes."""
    if (factor < 0).any():
        got, remedy = str(factor.min()), "take reduction='none', and multiply by what may be negative, a reward for example"
        raise ValueError(complaint(name, argument, expected="factors from 0 up", got=got, remedy=remedy))
    return factor


def _unfit(name: str, target: Any, logits: Tensor) -> str:
    wanted, remedy = f"integers of shape {logits.shape[:-1]}", "use reshape; nothing is broadcast"
    if target.shape == logits.shape:
        remedy = "use target.argmax(axis=-1) for the classes of one-hot rows"
    if name == "cross_entropy":
        wanted += f" or probabilities of shape {logits.shape}"
        remedy += ", or target.astype(float) for probabilities" if target.shape == logits.shape else ""
    return complaint(name, "target", expected=wanted, got=describe(target), remedy=remedy)
