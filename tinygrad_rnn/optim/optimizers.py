"""The optimizers. Each `update` is one equation: w is the parameter, g its gradient, η the learning rate ``lr``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from .. import check
from ..errors import argument_error, describe
from ..tensor import Tensor
from .optimizer import Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if that is wanted.

    ::

        g ← g + λ w
        v ← μ v + g                      v starts as the first g
        w ← w − η v                      nesterov: w ← w − η (g + μ v)

    Parameters
    ----------
    params, lr
        As `Optimizer`.
    momentum : float
        μ, at least 0. With 0 no v is kept: w ← w − η g.
    weight_decay : float
        λ, at least 0.
    nesterov : bool
        Look ahead. Needs a momentum.

    Raises
    ------
    ValueError
        If `nesterov` is True and `momentum` 0; and as `Optimizer`.

    References
    ----------
    Robbins and Monro, "A stochastic approximation method" (1951); Polyak, "Some methods of speeding up the convergence of iteration
    methods" (1964); Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013). The form, with η
    outside of v, is PyTorch's.

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
            raise argument_error(
                "SGD",
                "nesterov",
                expected="a momentum above 0",
                got="momentum=0",
                fix="momentum=0.9 is common",
            )
        self.momentum, self.weight_decay = float(momentum), float(weight_decay)

    def keeps(self) -> set[str]:
        """The velocity, if there is momentum."""
        return {"velocity"} if self.momentum else set()

    def update(self, w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
        """w − η g, or with the velocity v in the place of g."""
        if self.weight_decay:
            g = g + self.weight_decay * w
        if self.momentum:
            v = state["velocity"] = (
                self.momentum * state["velocity"] + g if "velocity" in state else g.copy()
            )
            g = g + self.momentum * v if self.nesterov else v
        return w - self.lr * g


class RMSprop(Optimizer):
    """Each entry's gradient divided by its running root mean square.

    ::

        g ← g + λ w
        s ← α s + (1 − α) g²             s starts as 0
        m ← α m + (1 − α) g              centered: √(s − m²) in place of √s
        w ← w − η g / (√s + ε)           momentum: v ← μ v + g / (√s + ε), w ← w − η v

    Parameters
    ----------
    params, lr
        As `Optimizer`.
    alpha : float in [0, 1)
        α.
    eps : float
        ε, at least 0.
    weight_decay : float
        λ, at least 0.
    momentum : float
        μ, at least 0.
    centered : bool
        Divide by a running standard deviation instead.

    References
    ----------
    Tieleman and Hinton, "Lecture 6.5: RMSprop" (2012). Centered: Graves, "Generating sequences with recurrent neural networks" (2013).

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
        self.alpha, self.eps, self.weight_decay, self.momentum = (
            float(alpha),
            float(eps),
            float(weight_decay),
            float(momentum),
        )
        self.centered = check.flag("RMSprop", "centered", centered)

    def keeps(self) -> set[str]:
        """The mean square, and as far as they are asked for the mean and the velocity."""
        return (
            {"square"}
            | ({"mean"} if self.centered else set())
            | ({"velocity"} if self.momentum else set())
        )

    def update(self, w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
        """w − η g / (√s + ε)."""
        if self.weight_decay:
            g = g + self.weight_decay * w
        zero = np.zeros_like(w)
        s = state["square"] = self.alpha * state.get("square", zero) + (1 - self.alpha) * g * g
        if self.centered:
            m = state["mean"] = self.alpha * state.get("mean", zero) + (1 - self.alpha) * g
            s = np.maximum(s - m * m, 0)  # a variance; rounding can make it negative
        step = g / (np.sqrt(s) + self.eps)
        if self.momentum:
            step = state["velocity"] = self.momentum * state.get("velocity", zero) + step
        return w - self.lr * step


class Adam(Optimizer):
    """Running means of gradient and squared gradient, corrected for their start at zero.

    ::

        g ← g + λ w
        m ← β₁ m + (1 − β₁) g
        s ← β₂ s + (1 − β₂) g²           amsgrad: in ŝ the largest s so far
        w ← w − η m̂ / (√ŝ + ε)           m̂ = m / (1 − β₁ᵗ),  ŝ = s / (1 − β₂ᵗ)

    t counts the steps of each parameter for itself.

    Parameters
    ----------
    params, lr
        As `Optimizer`.
    betas : tuple of two floats in [0, 1)
        β₁ and β₂.
    eps : float
        ε, at least 0.
    weight_decay : float
        λ, at least 0: a part of the gradient; see `AdamW` for the other way.
    amsgrad : bool
        Never let a step grow because s has shrunk.

    Raises
    ------
    ValueError
        If `betas` are not two numbers; and as `Optimizer`.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization" (2015); Reddi, Kale and Kumar, "On the convergence of Adam and beyond"
    (2018).

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
        self.weight_decay, self.amsgrad = (
            float(weight_decay),
            check.flag(self.name, "amsgrad", amsgrad),
        )

    @property
    def betas(self) -> tuple[float, float]:
        """β₁ and β₂.

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
            name, fix = type(self).__name__, "(0.9, 0.999) is common"
            raise argument_error(
                name, "betas", expected="two numbers in [0, 1)", got=describe(betas), fix=fix
            )
        self.beta1, self.beta2 = betas

    def keeps(self) -> set[str]:
        """The steps of this parameter, both means, and the largest mean square if it is asked for."""
        return {"t", "mean", "square"} | ({"largest"} if self.amsgrad else set())

    def update(self, w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
        """w − η m̂ / (√ŝ + ε)."""
        if self.weight_decay:
            g = g + self.weight_decay * w
        beta1, beta2 = self.betas
        zero = np.zeros_like(w)
        # A parameter's own count: one that had no gradient at first starts its means later than the others.
        t = int(state.get("t", np.array(0))) + 1
        state["t"] = np.array(t)
        m = state["mean"] = beta1 * state.get("mean", zero) + (1 - beta1) * g
        s = state["square"] = beta2 * state.get("square", zero) + (1 - beta2) * g * g
        if self.amsgrad:
            s = state["largest"] = np.maximum(state.get("largest", s), s)
        return w - self.lr / (1 - beta1**t) * m / (np.sqrt(s / (1 - beta2**t)) + self.eps)


class AdamW(Adam):
    """Adam with the weight decay apart from the gradient.

    ::

        w ← w − η λ w,   then the step of Adam

    Parameters
    ----------
    params, lr, betas, eps, amsgrad
        As `Adam`.
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
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
    ):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)
        self.decay, self.weight_decay = self.weight_decay, 0.0
        self._numbers = (*self._numbers, "decay")

    def update(self, w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
        """Adam's update of (1 − η λ) w."""
        return super().update(w * (1 - self.lr * self.decay), g, state)
