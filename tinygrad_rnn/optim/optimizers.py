"""The optimizers: SGD, RMSprop, Adam and AdamW.

In the equations, w is the parameter, g its gradient and η the learning rate ``lr``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..dtypes import as_ndarray
from ..errors import argument_error
from .optimizer import Optimizer
from .parameter_groups import Params, Setting


class SGD(Optimizer):
    """Stochastic gradient descent, optionally with momentum.

    ::

        g ← g + λ w
        v ← μ v + g                      at the first step v ← g
        w ← w − η v                      nesterov: w ← w − η (g + μ v)

    Parameters
    ----------
    params, lr
        As in `Optimizer`.
    momentum : float
        μ, at least 0. If μ is 0, there is no v, and the update is w ← w − η g.
    weight_decay : float
        λ, at least 0.
    nesterov : bool
        If True, use Nesterov momentum, which needs a momentum above 0.

    Raises
    ------
    ValueError
        If `nesterov` is True and `momentum` is 0, or in a case that `Optimizer` lists.

    References
    ----------
    Robbins and Monro, "A stochastic approximation method" (1951); Polyak, "Some methods of speeding
    up the convergence of iteration methods" (1964); Sutskever et al., "On the importance of
    initialization and momentum in deep learning" (2013). As in PyTorch, η is not a factor in v.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> w = tg.Tensor(1.0, requires_grad=True)
    >>> optimizer = tg.optim.SGD([w], lr=0.1)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> round(w.item(), 6)
    0.8
    """

    momentum = Setting()
    weight_decay = Setting()
    nesterov = Setting()

    def __init__(
        self,
        params: Params,
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ):
        super().__init__(
            params, lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov
        )

    def _check_settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Check each setting as in `Optimizer`; `nesterov` also needs a momentum above 0."""
        settings = super()._check_settings(settings)
        if settings["nesterov"] and not settings["momentum"]:
            expected, fix = "a momentum above 0", "use momentum=0.9, for example"
            raise argument_error(self.name, "nesterov", expected, "momentum=0", fix)
        return settings

    def state_names(self) -> set[str]:
        """Return ``{"velocity"}`` if the momentum is not 0, else an empty set."""
        return {"velocity"} if self.momentum else set()

    def update(self, w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
        """Return w − η g; with momentum, w − η v or w − η (g + μ v)."""
        group = self.group
        momentum, decay = group["momentum"], group["weight_decay"]
        if decay:
            g = g + decay * w
        if momentum:
            v = momentum * state["velocity"] + g if "velocity" in state else g.copy()
            state["velocity"] = v
            g = g + momentum * v if group["nesterov"] else v
        return w - group["lr"] * g


class RMSprop(Optimizer):
    """Gradient descent that divides each gradient entry by its running root mean square.

    ::

        g ← g + λ w
        s ← α s + (1 − α) g²             s starts as 0
        m ← α m + (1 − α) g              centered: √(s − m²) in place of √s
        w ← w − η g / (√s + ε)           momentum: v ← μ v + g / (√s + ε), w ← w − η v

    Parameters
    ----------
    params, lr
        As in `Optimizer`.
    alpha : float in [0, 1)
        α, the decay rate of the running means.
    eps : float
        ε, at least 0.
    weight_decay : float
        λ, at least 0.
    momentum : float
        μ, at least 0.
    centered : bool
        If True, divide by a running standard deviation instead of a root mean square.

    References
    ----------
    Tieleman and Hinton, "Lecture 6.5: RMSprop" (2012). Centered: Graves, "Generating sequences with
    recurrent neural networks" (2013).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> w = tg.Tensor(1.0, requires_grad=True)
    >>> optimizer = tg.optim.RMSprop([w], lr=0.1)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> round(w.item(), 4)
    0.0
    """

    alpha = Setting()
    eps = Setting()
    weight_decay = Setting()
    momentum = Setting()
    centered = Setting()

    def __init__(
        self,
        params: Params,
        lr: float = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ):
        super().__init__(
            params,
            lr,
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
            centered=centered,
        )

    def state_names(self) -> set[str]:
        """Return ``"square"``, ``"mean"`` if centered, and ``"velocity"`` if there is momentum."""
        optional = {"mean": self.centered, "velocity": self.momentum}
        return {"square", *(name for name, is_used in optional.items() if is_used)}

    def update(self, w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
        """Return w − η g / (√s + ε), or w − η v with momentum."""
        group = self.group
        alpha, momentum, decay = group["alpha"], group["momentum"], group["weight_decay"]
        if decay:
            g = g + decay * w
        s = state["square"] = alpha * _last(state, "square", w) + (1 - alpha) * g * g
        if group["centered"]:
            m = state["mean"] = alpha * _last(state, "mean", w) + (1 - alpha) * g
            s = np.maximum(s - m * m, 0)  # a variance, which rounding can make negative
        step = g / (np.sqrt(s) + group["eps"])
        if momentum:
            step = state["velocity"] = momentum * _last(state, "velocity", w) + step
        return w - group["lr"] * step


class Adam(Optimizer):
    """Gradient descent with running means of g and g², corrected for their start at zero.

    ::

        g ← g + λ w
        m ← β₁ m + (1 − β₁) g
        s ← β₂ s + (1 − β₂) g²           amsgrad: ŝ uses the largest s so far
        w ← w − η m̂ / (√ŝ + ε)           m̂ = m / (1 − β₁ᵗ),  ŝ = s / (1 − β₂ᵗ)

    t counts the steps of each parameter separately.

    Parameters
    ----------
    params, lr
        As in `Optimizer`.
    betas : tuple of two floats in [0, 1)
        β₁ and β₂, the decay rates of m and s.
    eps : float
        ε, at least 0.
    weight_decay : float
        λ, at least 0. λ w is added to the gradient; `AdamW` applies the decay separately.
    amsgrad : bool
        If True, use the largest s so far, so that steps cannot grow when s shrinks.

    Raises
    ------
    ValueError
        If `betas` is not a sequence of length 2, or in a case that `Optimizer` lists.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization" (2015); Reddi, Kale and Kumar, "On
    the convergence of Adam and beyond" (2018).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> w = tg.Tensor(1.0, requires_grad=True)
    >>> optimizer = tg.optim.Adam([w], lr=0.1)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> round(w.item(), 4)
    0.9
    """

    betas = Setting()
    eps = Setting()
    weight_decay = Setting()
    amsgrad = Setting()

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ):
        super().__init__(
            params, lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad
        )

    def state_names(self) -> set[str]:
        """Return ``"t"``, ``"mean"`` and ``"square"``, and ``"largest"`` for amsgrad."""
        return {"t", "mean", "square"} | ({"largest"} if self.amsgrad else set())

    def update(self, w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
        """Return w − η m̂ / (√ŝ + ε)."""
        decay = self.group["weight_decay"]
        return self._move(w, g + decay * w if decay else g, state)

    def _move(self, w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
        """Return the update of w without weight decay."""
        group = self.group
        beta1, beta2 = group["betas"]
        # Count steps for each parameter, because its means start when it first has a gradient.
        state["t"] = as_ndarray(state["t"] + 1) if "t" in state else np.array(1)
        t = state["t"].item()
        m = state["mean"] = beta1 * _last(state, "mean", w) + (1 - beta1) * g
        s = state["square"] = beta2 * _last(state, "square", w) + (1 - beta2) * g * g
        if group["amsgrad"]:
            s = state["largest"] = np.maximum(_last(state, "largest", w), s)
        return w - group["lr"] / (1 - beta1**t) * m / (np.sqrt(s / (1 - beta2**t)) + group["eps"])


class AdamW(Adam):
    """Adam with weight decay decoupled from the gradient.

    ::

        w ← w − η λ w,   then the update of Adam

    Parameters
    ----------
    params, lr, betas, eps, amsgrad
        As in `Adam`.
    weight_decay : float
        λ, at least 0.

    References
    ----------
    Loshchilov and Hutter, "Decoupled weight decay regularization" (2019).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> w = tg.Tensor(1.0, requires_grad=True)
    >>> optimizer = tg.optim.AdamW([w], lr=0.1)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> round(w.item(), 4)
    0.899
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
    ):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)

    def update(self, w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
        """Return Adam's update of (1 − η λ) w."""
        group = self.group
        return self._move(w * (1 - group["lr"] * group["weight_decay"]), g, state)


def _last(state: dict[str, np.ndarray], name: str, w: np.ndarray) -> np.ndarray:
    """Return an array of the last step, or zeros before the first step."""
    return state[name] if name in state else np.zeros_like(w)
