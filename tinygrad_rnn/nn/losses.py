"""Losses: functions of Tensors, composed of ops.

Some values do not count. In a loss, these are the rows whose target is ``ignore_index``. In a
layer, they are the time steps beyond ``lengths``, and the entries of an input that dropout drops.
NaN and inf in these values reach neither the loss nor a gradient. A NaN in any other logit or
target makes the loss NaN, because every op propagates NaN, even `max`, `relu` and `clip`.

A term whose probability or weight is 0 is dropped even if it is infinite, because 0 · log 0 is 0 in
the limit. The term gets no gradient. A term that is NaN is not dropped. If a logit is infinite, the
loss has the value that it approaches as the logit tends to infinity. There is one exception: if a
logit of a softmax is inf, or all its logits are −inf, the loss is NaN, with NumPy's warning.

A loss of float16 numbers is computed in float32, and rounded to float16 at the end.
"""

from __future__ import annotations

from math import nextafter
from typing import Any

from .. import check, ops
from ..errors import argument_error
from ..errors.named_calls import explain_names
from ..tensor import Tensor
from . import loss_terms as terms


@explain_names
def cross_entropy(
    logits: Any,
    target: Any,
    *,
    ignore_index: int | None = None,
    weight: Any = None,
    label_smoothing: float = 0.0,
    reduction: terms.Reduction = "mean",
) -> Tensor:
    """Return the cross-entropy between targets and the softmax of logits.

    ::

        −Σ_c p_c log softmax(logits)_c,   p the target: one-hot of an integer, or a distribution

    Parameters
    ----------
    logits : Tensor of shape (..., C)
        The classes are the last axis.
    target : integers of shape (...), or probabilities of shape (..., C)
        The correct class of each position, in [0, C), or a distribution over the classes for each
        position: entries in [0, 1] that sum to 1, for example a one-hot row.
    ignore_index : int, optional
        Positions with this integer target do not count, and their logits are not read.
    weight : array of shape (C,), optional
        The nonnegative weight of each class. With integer targets, "mean" is then the weighted
        mean, as in PyTorch.
    label_smoothing : float in [0, 1]
        The ε in the smoothed target (1 − ε) p + ε / C, which replaces p.
    reduction : {"mean", "sum", "none"}
        "mean" is over the positions that count. If no position counts, the sum is 0, and the mean
        raises ValueError.

    Returns
    -------
    Tensor
        One number, or for "none" an array of shape (...), in the dtype of the logits.

    Raises
    ------
    ValueError
        If a target is out of range or not a distribution (the message names its position), a
        weight is negative, shapes do not fit, the mean is taken over no positions, or
        `ignore_index` is given with probability targets.
    TypeError
        If the dtype of the target is neither integer nor floating, or a setting has a wrong type.

    References
    ----------
    Bishop, "Pattern Recognition and Machine Learning" (2006), section 4.3.4. Label smoothing is
    from Szegedy et al., "Rethinking the Inception architecture for computer vision" (2016). The
    settings and the weighted mean are those of `torch.nn.functional.cross_entropy`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> loss = tg.nn.functional.cross_entropy(tg.Tensor([[10.0, 0.0], [0.0, 10.0]]), [0, 1])
    >>> f"{loss.item():.6f}"
    '0.000045'
    """
    name = "cross_entropy"
    logits, dtype = terms.as_logits(name, "logits", logits)
    limits = {"below": nextafter(1, 2), "fix": "use 0.1, for example"}  # 1 itself is allowed
    epsilon = check.number(name, "label_smoothing", label_smoothing, "a number in [0, 1]", **limits)
    weight = terms.as_class_weight(name, weight, logits)
    target = terms.as_constant_or_tracked(name, "target", target)
    if target.dtype.kind == "f" or isinstance(target, Tensor):
        if ignore_index is not None and target.shape == logits.shape:
            expected, got = "None with probability targets", str(ignore_index)
            fix = "leave out ignore_index, or use integer targets"
            raise argument_error(name, "ignore_index", expected, got, fix)
        p = terms.as_distributions(name, target, logits, dtype)
        p = p * (1 - epsilon) + epsilon / logits.shape[-1] if epsilon else p
        p = p if weight is None else p * weight
        log_p = terms.drop_unused(ops.log_softmax(logits), p)
        return terms.reduce_loss(name, -(log_p * p).sum(axis=-1), reduction, dtype)
    terms.require_target_shape(name, target, logits, ignore_index)
    log_p = ops.log_softmax(terms.mask_ignored(name, logits, target, ignore_index))
    weights, index = terms.position_weights(name, target, log_p, ignore_index, weight)
    loss = terms.weighted(-ops.gather(log_p, index=index), weights)
    if epsilon:
        counted = None if ignore_index is None else target != ignore_index
        uniform = terms.weighted(-terms.weighted(log_p, weight).mean(axis=-1), counted)
        loss = terms.weighted(loss, 1 - epsilon) + uniform * epsilon
    return terms.reduce_loss(name, loss, reduction, dtype, weights)


@explain_names
def nll_loss(
    log_probabilities: Any,
    target: Any,
    *,
    ignore_index: int | None = None,
    weight: Any = None,
    reduction: terms.Reduction = "mean",
) -> Tensor:
    """Return the negative log-likelihood.

    ::

        −log p[target]

    With integer targets and no label smoothing, `cross_entropy` is `log_softmax` followed by this
    loss.

    Parameters
    ----------
    log_probabilities : Tensor of shape (..., C)
    target : integers of shape (...)
    ignore_index, weight, reduction
        As in `cross_entropy`.

    Returns
    -------
    Tensor
        One number, or for "none" an array of shape (...).

    Raises
    ------
    ValueError, TypeError
        As in `cross_entropy`.

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
    log_p, dtype = terms.as_logits(name, "log_probabilities", log_probabilities)
    weight = terms.as_class_weight(name, weight, log_p)
    target = check.real_array(name, "target", target)
    terms.require_target_shape(name, target, log_p, ignore_index)
    log_p = terms.mask_ignored(name, log_p, target, ignore_index)
    weights, index = terms.position_weights(name, target, log_p, ignore_index, weight)
    loss = terms.weighted(-ops.gather(log_p, index=index), weights)
    return terms.reduce_loss(name, loss, reduction, dtype, weights)


@explain_names
def mse_loss(input: Any, target: Any, *, reduction: terms.Reduction = "mean") -> Tensor:
    """Return the mean squared error.

    ::

        (input − target)²

    Parameters
    ----------
    input, target : arrays of the same shape
        The arrays are not broadcast. A target that requires gradients gets a gradient too.
    reduction : {"mean", "sum", "none"}

    Returns
    -------
    Tensor
        One number, or for "none" an array of the shape of `input`, in its dtype.

    Raises
    ------
    ValueError
        If the shapes differ, or the mean is taken over no entries.
    TypeError
        If the dtype of `input` is not floating.

    References
    ----------
    Bishop, "Pattern Recognition and Machine Learning" (2006), section 3.1.1, which derives this
    loss from the likelihood of a normal distribution.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.mse_loss(tg.Tensor([1.0, 2.0]), [1.0, 4.0])
    Tensor(2.)
    """
    input, target, dtype = terms.match_shapes("mse_loss", input, target)
    difference = input - target
    return terms.reduce_loss("mse_loss", difference * difference, reduction, dtype)


@explain_names
def binary_cross_entropy_with_logits(
    logits: Any,
    target: Any,
    *,
    weight: Any = None,
    pos_weight: Any = None,
    reduction: terms.Reduction = "mean",
) -> Tensor:
    """Return the binary cross-entropy, computed from logits without overflow.

    ::

        weight · (−pos_weight · t log σ(x) − (1 − t) log(1 − σ(x))),   x the logit, t the target

    Parameters
    ----------
    logits : array of floats
    target : array of the same shape
        The probability of the positive class, in [0, 1]; 0 or 1 for example.
    weight, pos_weight : array that broadcasts to the shape of `logits`, optional
        The nonnegative weights of the equation. The default is 1.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of entries, whatever their weights.

    Returns
    -------
    Tensor
        One number, or for "none" an array of the shape of `logits`, in their dtype.

    Raises
    ------
    ValueError
        If a target is not in [0, 1] (the message names its position), shapes do not fit, a weight
        is negative, or the mean is taken over no entries.
    TypeError
        If the dtype of the logits is not floating.

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
    logits, target, dtype = terms.match_shapes(name, logits, target, "logits")
    terms.require_probabilities(name, target, "use (target + 1) / 2 if the labels are -1 and 1")
    positive, negative = target, 1 - target
    if pos_weight is not None:
        positive = target * terms.as_entry_weight(name, "pos_weight", pos_weight, logits)
    loss = terms.weighted(ops.softplus(-logits), positive)
    loss = loss + terms.weighted(ops.softplus(logits), negative)
    if weight is not None:
        weight = terms.as_entry_weight(name, "weight", weight, logits)
    return terms.reduce_loss(name, terms.weighted(loss, weight), reduction, dtype)
