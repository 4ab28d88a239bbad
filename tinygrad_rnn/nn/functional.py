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

from .. import check, ops
from ..errors import argument_error
from ..tensor import Tensor
from . import loss_terms as terms
from .dropout import dropout

__all__ = ["binary_cross_entropy_with_logits", "cross_entropy", "dropout", "mse_loss", "nll_loss"]


def cross_entropy(
    logits: Any,
    target: Any,
    *,
    ignore_index: int | None = None,
    weight: Any = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """The cross-entropy between targets and the softmax of logits.

    ::

        −Σ_c p_c log softmax(logits)_c,   p the target: one-hot of an integer, or a distribution

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
    Tensor
        A number, or with "none" shape (...); of the dtype of the logits.

    Raises
    ------
    ValueError
        If a target is out of range or no distribution (the message names its position), a weight below 0, or shapes do not fit.
    TypeError
        If the target's dtype does not fit.

    References
    ----------
    Bishop, "Pattern Recognition and Machine Learning" (2006), section 4.3.4. Label smoothing: Szegedy et al., "Rethinking the
    Inception architecture for computer vision" (2016). Settings and means are those of `torch.nn.functional.cross_entropy`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> loss = tg.nn.functional.cross_entropy(tg.Tensor([[10.0, 0.0], [0.0, 10.0]]), [0, 1])
    >>> f"{loss.item():.6f}"
    '0.000045'
    """
    name = "cross_entropy"
    logits = terms.as_logits(name, "logits", logits)
    classes = logits.shape[-1]
    up_to_one = {"below": nextafter(1, 2), "fix": "0.1 is common"}
    label_smoothing = check.number(
        name, "label_smoothing", label_smoothing, "a number in [0, 1]", **up_to_one
    )
    weight = terms.class_weight(name, weight, logits)
    target = terms.as_plain(name, "target", target)
    if target.dtype.kind == "f" or isinstance(target, Tensor):
        if target.shape != logits.shape:
            raise terms.target_error(name, target, logits)
        if ignore_index is not None:
            wanted, fix = "None with probability targets", "use integer targets"
            raise argument_error(
                name, "ignore_index", expected=wanted, got=str(ignore_index), fix=fix
            )
        terms.require_probabilities(name, target, "divide by the sum, say; classes are integers")
        terms.require_distributions(name, target, logits)
        p = target if isinstance(target, Tensor) else target.astype(logits.dtype, copy=False)
        p = p * (1 - label_smoothing) + label_smoothing / classes if label_smoothing else p
        p = p if weight is None else p * weight
        return terms.reduce_loss(
            name, -(terms.drop_unused(ops.log_softmax(logits), p) * p).sum(axis=-1), reduction
        )
    if target.shape != logits.shape[:-1]:
        terms.counted_positions(name, target, classes, ignore_index)
        raise terms.target_error(name, target, logits)
    log_p = ops.log_softmax(terms.mask_ignored(name, logits, target, ignore_index))
    share, safe = terms.position_weights(name, target, log_p, ignore_index, weight)
    loss = terms.weighted(-ops.gather(log_p, index=safe), share)
    if label_smoothing:
        counted = None if ignore_index is None else target != ignore_index
        spread = terms.weighted(-terms.weighted(log_p, weight).mean(axis=-1), counted)
        loss = terms.weighted(loss, 1 - label_smoothing) + spread * label_smoothing
    return terms.reduce_loss(name, loss, reduction, share)


def nll_loss(
    log_probabilities: Any,
    target: Any,
    *,
    ignore_index: int | None = None,
    weight: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative log-likelihood: `cross_entropy` is this after `log_softmax`.

    ::

        −log p[target]

    Parameters
    ----------
    log_probabilities : Tensor of shape (..., C)
    target : integers of shape (...)
    ignore_index, weight, reduction
        As `cross_entropy`.

    Returns
    -------
    Tensor
        A number, or with "none" shape (...).

    Raises
    ------
    ValueError, TypeError
        As `cross_entropy`.

    References
    ----------
    Bishop, "Pattern Recognition and Machine Learning" (2006), section 4.3.4.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.nll_loss(tg.Tensor([[-0.5, -1.0]]), [1])
    Tensor(1.)
    """
    name = "nll_loss"
    log_p = terms.as_logits(name, "log_probabilities", log_probabilities)
    weight = terms.class_weight(name, weight, log_p)
    target = check.real_array(name, "target", target)
    if target.shape != log_p.shape[:-1]:
        terms.counted_positions(name, target, log_p.shape[-1], ignore_index)
        raise terms.target_error(name, target, log_p)
    log_p = terms.mask_ignored(name, log_p, target, ignore_index)
    share, safe = terms.position_weights(name, target, log_p, ignore_index, weight)
    return terms.reduce_loss(
        name, terms.weighted(-ops.gather(log_p, index=safe), share), reduction, share
    )


def mse_loss(input: Any, target: Any, *, reduction: str = "mean") -> Tensor:
    """The mean squared error.

    ::

        (input − target)²

    Parameters
    ----------
    input, target : arrays of one shape
        Nothing is broadcast. A target that is a Tensor with gradients gets one too.
    reduction : {"mean", "sum", "none"}

    Returns
    -------
    Tensor
        A number, or with "none" the shape of `input`; of its dtype.

    Raises
    ------
    ValueError
        If the shapes differ, or there is nothing to take a mean of.
    TypeError
        If `input` is not floating.

    References
    ----------
    Bishop, "Pattern Recognition and Machine Learning" (2006), section 3.1.1: the likelihood of a normal distribution.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.mse_loss(tg.Tensor([1.0, 2.0]), [1.0, 4.0])
    Tensor(2.)
    """
    input, target = terms.match_shapes("mse_loss", input, target)
    difference = input - target
    return terms.reduce_loss("mse_loss", difference * difference, reduction)


def binary_cross_entropy_with_logits(
    logits: Any, target: Any, *, weight: Any = None, pos_weight: Any = None, reduction: str = "mean"
) -> Tensor:
    """The cross-entropy of a yes or no, computed from the logit x so that nothing overflows.

    ::

        weight · (−pos_weight · t log σ(x) − (1 − t) log(1 − σ(x)))

    Parameters
    ----------
    logits : array of floats
    target : array of the same shape
        The probabilities t, in [0, 1], 0 or 1 for example.
    weight, pos_weight : array that broadcasts to that shape, optional
        As in the formula, from 0 up; 1 if missing.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of entries, whatever their weights.

    Returns
    -------
    Tensor
        A number, or with "none" the shape of `logits`; of their dtype.

    Raises
    ------
    ValueError
        If a target is not in [0, 1] (the message names its position), shapes do not fit, a weight is below 0, or there is nothing to take
        a mean of.
    TypeError
        If the logits are not floating.

    References
    ----------
    Bishop, "Pattern Recognition and Machine Learning" (2006), section 4.3.2.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.binary_cross_entropy_with_logits(tg.Tensor([1e4, -1e4]), [1.0, 0.0])
    Tensor(0.)
    """
    name = "binary_cross_entropy_with_logits"
    logits, target = terms.match_shapes(name, logits, target, "logits")
    terms.require_probabilities(name, target, "write (y + 1) / 2 for labels of -1 and 1, say")
    positive = (
        target
        if pos_weight is None
        else target * terms.broadcast_weight(name, "pos_weight", pos_weight, logits)
    )
    negative = 1 - target
    loss = terms.weighted(ops.softplus(-logits), positive) + terms.weighted(
        ops.softplus(logits), negative
    )
    share = None if weight is None else terms.broadcast_weight(name, "weight", weight, logits)
    return terms.reduce_loss(name, terms.weighted(loss, share), reduction)
