"""Optimizers. Only they write parameters, and only by putting a new array in `.data`.

Each `update` is one equation: w is the parameter, g its gradient, η the learning rate ``lr``. The
old array is never written into, so what still refers to it (a graph, a copy for comparison) keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..dtypes import as_numbers, require_count, require_flag, require_number
from ..errors import complaint, describe
from ..looks import each_once, gradient_of
from ..tensor import Tensor


class Optimizer:
    """Base: holds the parameters and, for each, the arrays that its `update` keeps between steps.

    Parameters
    ----------
    params : iterable of Tensors
        Leaves with ``requires_grad=True``.
    lr : float
        The learning rate. May be changed at any time, by a schedule for example.

    Raises
    ------
    TypeError
        If `params` is no iterable, or a setting no number.
    ValueError
        If there are no parameters, one is given twice, or a number is out of range.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, **numbers: float):
        self.name = type(self).__name__
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            wanted, remedy = "an iterable of Tensors", "pass module.parameters(), or a list"
            raise TypeError(complaint(self.name, "params", expected=wanted, got=describe(params), remedy=remedy))
        self.params = list(params)
        if not self.params or any(not isinstance(p, Tensor) or p.node is not None or not p.requires_grad for p in self.params):
            raise ValueError(
                complaint(
                    self.name,
                    "params",
                    expected="at least one leaf Tensor with requires_grad=True, and no other",
                    got=", ".join(describe(p) for p in self.params) or "none",
                    remedy="pass module.parameters()",
                )
            )
        each_once(self.name, "params", self.params, "leave it out, or it would be stepped twice; module.parameters() gives each once")
        self._numbers = ("lr", *numbers)
        self._check({"lr": lr, **numbers})
        self.lr = float(lr)
        self.steps = 0
        self.state: list[dict[str, np.ndarray]] = [{} for _ in self.params]

    def _check(self, numbers: Mapping[str, object]) -> None:
        """Refuse a setting that is no number, or out of range."""
        for name, value in numbers.items():
            if name in ("beta1", "beta2", "alpha"):
                require_number(self.name, name, value, "a number in [0, 1)", below=1)
            else:
                require_number(self.name, name, value)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.params:
            p.grad = None

    def step(self) -> None:
        """Change every parameter that has a gradient.

        Raises
        ------
        ValueError
            If a gradient has not the shape of its parameter, or a setting was set to what is out of range. Nothing has changed then.
        TypeError
            If a setting was set to what is no number.
        """
        for i, p in enumerate(self.params):
            gradient_of(self.name, p, i)
        self._check({name: getattr(self, name, 0.0) for name in self._numbers})  # which a schedule, or a person, may have set since
        self.steps += 1
        for p, state in zip(self.params, self.state, strict=True):
            if p.grad is not None:
                p.data = self.update(p.array, p.grad, state).astype(p.array.dtype, copy=False)

    def update(self, w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
        """The new parameter; `state` is what this parameter keeps from step to step."""
        raise TypeError(f"{self.name}: expected a method update, got none; define it in the class")

    def state_dict(self) -> dict[str, np.ndarray]:
        """What steps have left behind, and the learning rate: arrays by name, for `tg.save`. Other settings are the constructor's."""
        kept = {f"{i}.{name}": array.copy() for i, state in enumerate(self.state) for name, array in state.items()}
        return {"lr": np.array(self.lr), "steps": np.array(self.steps), **kept}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from `state`, a `state_dict` of an optimizer of the same kind for the same parameters.

        Raises
        ------
        ValueError
            If a name, a shape or a number does not fit, or something is missing. Nothing has changed then.
        TypeError
            If something is no array of real numbers, or a count no integer. Nothing has changed then.
        """
        operation = f"{self.name}.load_state_dict"
        if not isinstance(state, Mapping):
            wanted, remedy = "a state_dict of an optimizer", "pass optimizer.state_dict(), or what tg.load gives of it"
            raise TypeError(complaint(operation, "state", expected=wanted, got=describe(state), remedy=remedy))
        known = {f"{i}.{name}": (i, name) for i in range(len(self.params)) for name in self.keeps()}
        given = {name: as_numbers(operation, str(name), array) for name, array in state.items()}
        loaded: list[dict[str, np.ndarray]] = [{} for _ in self.params]
        faults = [f"missing {name}" for name in ("lr", "steps") if name not in given]
        for key in given.keys() - {"lr", "steps"}:
            i, name = known.get(key, (0, ""))
            if not name:
                faults.append(f"unexpected {key}")
            elif given[key].shape != (() if name == "t" else self.params[i].shape):
                faults.append(f"{key} {given[key].shape} for a parameter of shape {self.params[i].shape}")
            elif name in ("square", "largest") and (given[key] < 0).any():
                faults.append(f"{key} below 0, which no square is")
            else:
                loaded[i][name] = given[key].copy()
        # A parameter that had no gradient yet has nothing; one that had has everything.
        begun = {known[key][0] for key in given.keys() & known.keys()}
        faults += [f"missing {key}" for key, (i, _) in known.items() if i in begun and key not in given]
        if faults:
            raise ValueError(
                complaint(
                    operation,
                    "state",
                    expected="that of the same optimizer with the same parameters",
                    got="; ".join(sorted(faults)),
                    remedy="build both alike",
                )
            )
        lr = require_number(operation, "lr", given["lr"])
        steps = require_count(operation, "steps", given["steps"][()], low=0)
        for i, kept in enumerate(loaded):
            if "t" in kept:
                require_count(operation, f"{i}.t", kept["t"][()])
        self.lr, self.steps, self.state = float(lr), steps, loaded

    def keeps(self) -> set[str]:
        """The names of what `update` keeps for each parameter from step to step."""
        return set()


class SGD(Optimizer):
    """Stochastic gradient descent: w − η g; with momentum μ, v ← μ v + g and w − η v.

    Parameters
    ----------
    params, lr
        As `Optimizer`.
    momentum : float
        μ.
    weight_decay : float
        λ: λ w is added to the gradient.
    nesterov : bool
        Look ahead: w − η (g + μ v).

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

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False):
        super().__init__(params, lr, momentum=momentum, weight_decay=weight_decay)
        self.nesterov = require_flag("SGD", "nesterov", nesterov)
        if nesterov and not momentum:
            raise ValueError(complaint("SGD", "nesterov", expected="a momentum above 0", got="momentum=0", remedy="momentum=0.9 is common"))
        self.momentum, self.weight_decay = float(momentum), float(weight_decay)

    def keeps(self) -> set[str]:
        """The velocity, if there is momentum."""
        return {"velocity"} if self.momentum else set()

    def update(self, w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
        """w − η g, or with the velocity v in the place of g."""
        if self.weight_decay:
            g = g + self.weight_decay * w
        if self.momentum:
            v = state["velocity"] = self.momentum * state["velocity"] + g if "velocity" in state else g.copy()
            g = g + self.momentum * v if self.nesterov else v
        return w - self.lr * g


class RMSprop(Optimizer):
    """Each entry's gradient divided by its running root mean square (Tieleman and Hinton, 2012).

    ``s ← α s + (1 − α) g²;  w − η g / (√s + ε)``

    Parameters
    ----------
    params, lr
        As `Optimizer`.
    alpha, eps : float
        α and ε.
    weight_decay, momentum : float
        λ and μ, as `SGD`.
    centered : bool
        Subtract the running mean: √(s − m²) with m ← α m + (1 − α) g.

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
        super().__init__(params, lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum)
        self.alpha, self.eps, self.weight_decay, self.momentum = float(alpha), float(eps), float(weight_decay), float(momentum)
        self.centered = require_flag("RMSprop", "centered", centered)

    def keeps(self) -> set[str]:
        """The mean square, and as far as they are asked for the mean and the velocity."""
        return {"square"} | ({"mean"} if self.centered else set()) | ({"velocity"} if self.momentum else set())

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
    """Running means of gradient and squared gradient, corrected for their start at zero (Kingma and Ba, 2015).

    ``m ← β₁ m + (1 − β₁) g;  s ← β₂ s + (1 − β₂) g²;  w − η m̂ / (√ŝ + ε)``
    where m̂ = m / (1 − β₁ᵗ) and ŝ = s / (1 − β₂ᵗ).

    Parameters
    ----------
    params, lr
        As `Optimizer`.
    betas : (float, float)
        β₁ and β₂.
    eps : float
        ε.
    weight_decay : float
        λ: λ w is added to the gradient; see `AdamW` for the other way.
    amsgrad : bool
        Use the largest s so far (Reddi et al., 2018).

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
        super().__init__(params, lr, beta1=self.beta1, beta2=self.beta2, eps=eps, weight_decay=weight_decay)
        self.beta1, self.beta2, self.eps = float(self.beta1), float(self.beta2), float(eps)
        self.weight_decay, self.amsgrad = float(weight_decay), require_flag(self.name, "amsgrad", amsgrad)

    @property
    def betas(self) -> tuple[float, float]:
        """β₁ and β₂."""
        return self.beta1, self.beta2

    @betas.setter
    def betas(self, betas: Sequence[float]) -> None:
        if not isinstance(betas, Sequence) or len(betas) != 2:
            name, remedy = type(self).__name__, "(0.9, 0.999) is common"
            raise ValueError(complaint(name, "betas", expected="two numbers in [0, 1)", got=describe(betas), remedy=remedy))
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
    """Adam with the weight decay apart from the gradient: w ← w − η λ w first (Loshchilov and Hutter, 2019).

    Parameters
    ----------
    params, lr, betas, eps, amsgrad
        As `Adam`.
    weight_decay : float
        λ.

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
