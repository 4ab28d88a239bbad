"""The optimizers: SGD, RMSprop, Adam and AdamW.

In the equations, w is the parameter, g its gradient and η the learning rate ``lr``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from .. import check
from ..errors import argument_error, describe
from ..tensor import Tensor
from .optimizer import Optimizer


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
        If `nesterov` is True and `momentum` is 0, or for a reason that `Optimizer` lists.

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

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ):
        super().__init__(params, lr, momentum=momentum, weight_decay=weight_decay)
        self.nesterov = check.flag("SGD", "nesterov", nesterov)
        if nesterov and not momentum:
            expected, fix = "a momentum above 0", "use momentum=0.9, for example"
            raise argument_error("SGD", "nesterov", expected, "momentum=0", fix)
        self.momentum, self.weight_decay = float(momentum), float(weight_decay)

    def state_names(self) -> set[str]:
        """Return ``{"velocity"}`` if the momentum is not 0, else an empty set."""
        return {"velocity"} if self.momentum else set()

    def update(self, w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
        """Return w − η g, or w − η v with momentum."""
        if self.weight_decay:
            g = g + self.weight_decay * w
        if self.momentum:
            v = self.momentum * state["velocity"] + g if "velocity" in state else g.copy()
            state["velocity"] = v
            g = g + self.momentum * v if self.nesterov else v
        return w - self.lr * g


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

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ):
        super().__init__(
            params, lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum
        )
        self.alpha, self.eps = float(alpha), float(eps)
        self.weight_decay, self.momentum = float(weight_decay), float(momentum)
        self.centered = check.flag("RMSprop", "centered", centered)

    def state_names(self) -> set[str]:
        """Return ``"square"``, ``"mean"`` if centered, and ``"velocity"`` if there is momentum."""
        optional = {"mean": self.centered, "velocity": self.momentum}
        return {"square", *(name for name, is_used in optional.items() if is_used)}

    def update(self, w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
        """Return w − η g / (√s + ε), or w − η v with momentum."""
        if self.weight_decay:
            g = g + self.weight_decay * w
        zero = np.zeros_like(w)
        s = state["square"] = self.alpha * state.get("square", zero) + (1 - self.alpha) * g * g
        if self.centered:
            m = state["mean"] = self.alpha * state.get("mean", zero) + (1 - self.alpha) * g
            s = np.maximum(s - m * m, 0)  # a variance, which rounding can make negative
        step = g / (np.sqrt(s) + self.eps)
        if self.momentum:
            step = state["velocity"] = self.momentum * state.get("velocity", zero) + step
        return w - self.lr * step


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
        If `betas` is not a sequence of length 2, or for a reason that `Optimizer` lists.

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

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ):
        self.betas = betas
        super().__init__(
            params, lr, beta1=self.beta1, beta2=self.beta2, eps=eps, weight_decay=weight_decay
        )
        self.beta1, self.beta2, self.eps = float(self.beta1), float(self.beta2), float(eps)
        self.weight_decay = float(weight_decay)
        self.amsgrad = check.flag(self.name, "amsgrad", amsgrad)

    @property
    def betas(self) -> tuple[float, float]:
        """The pair (β₁, β₂).

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> optimizer = tg.optim.Adam([tg.Tensor(1.0, requires_grad=True)])
        >>> optimizer.betas = 0.8, 0.99
        >>> optimizer.betas
        (0.8, 0.99)
        """
        return self.beta1, self.beta2

    @betas.setter
    def betas(self, betas: Sequence[float]) -> None:
        if not isinstance(betas, Sequence) or len(betas) != 2:
            name, fix = type(self).__name__, "use (0.9, 0.999), for example"
            expected, got = "two numbers in [0, 1)", describe(betas)
            raise argument_error(name, "betas", expected, got, fix)
        self.beta1, self.beta2 = betas

    def state_names(self) -> set[str]:
        """Return ``"t"``, ``"mean"`` and ``"square"``, and ``"largest"`` for amsgrad."""
        return {"t", "mean", "square"} | ({"largest"} if self.amsgrad else set())

    def update(self, w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
        """Return w − η m̂ / (√ŝ + ε)."""
        if self.weight_decay:
            g = g + self.weight_decay * w
        beta1, beta2 = self.betas
        zero = np.zeros_like(w)
        # Count steps for each parameter, because its means start when it first has a gradient.
        t = int(state.get("t", np.array(0))) + 1
        state["t"] = np.array(t)
        m = state["mean"] = beta1 * state.get("mean", zero) + (1 - beta1) * g
        s = state["square"] = beta2 * state.get("square", zero) + (1 - beta2) * g * g
        if self.amsgrad:
            s = state["largest"] = np.maximum(state.get("largest", s), s)
        return w - self.lr / (1 - beta1**t) * m / (np.sqrt(s / (1 - beta2**t)) + self.eps)


class AdamW(Adam):
    """Adam with weight decay decoupled from the gradient.

    ::

        w ← w − η λ w,   then the update of Adam

    Parameters
    ----------
    params, lr, betas, eps, amsgrad
        As in `Adam`.
    weight_decay : float
        λ, at least 0. It is stored as the attribute ``decay``.

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
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
    ):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)
        self.decay, self.weight_decay = self.weight_decay, 0.0
        self._settings = (*self._settings, "decay")

    def update(self, w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
        """Return Adam's update of (1 − η λ) w."""
        return super().update(w * (1 - self.lr * self.decay), g, state)
