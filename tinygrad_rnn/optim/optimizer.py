"""What all optimizers have in common: the parameters, what is kept of each, and how both are put on disk.

Only an optimizer writes parameters, and only by putting a new array in `.data`. The old array is never written into, so what still
refers to it (a graph, a copy for comparison) keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from .. import check
from ..errors import argument_error, describe
from ..tensor import Tensor


class Optimizer:
    """Base: holds the parameters and, for each, the arrays that its `update` keeps between steps.

    Parameters
    ----------
    params : iterable of Tensors
        Leaves with ``requires_grad=True``.
    lr : float
        The learning rate η, at least 0. May be changed at any time, by a schedule for example.
    **numbers : float
        Further settings of a subclass, to be checked: at least 0; ``beta1``, ``beta2`` and ``alpha`` below 1.

    Raises
    ------
    TypeError
        If `params` is no iterable, or a setting no number.
    ValueError
        If there are no parameters, one is given twice, or a number is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> class Signs(tg.optim.Optimizer):
    ...     def update(self, w, g, state):
    ...         return w - self.lr * np.sign(g)
    >>> w = tg.Tensor([1.0, -3.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> Signs([w], lr=0.5).step()
    >>> w.data
    array([ 0.5, -2.5], dtype=float32)
    """

    def __init__(self, params: Iterable[Tensor], lr: float, **numbers: float):
        self.name = type(self).__name__
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            wanted, fix = "an iterable of Tensors", "pass module.parameters(), or a list"
            raise argument_error(
                self.name, "params", expected=wanted, got=describe(params), fix=fix, kind=TypeError
            )
        self.params = list(params)
        if not self.params or any(
            not isinstance(p, Tensor) or p.node is not None or not p.requires_grad
            for p in self.params
        ):
            raise argument_error(
                self.name,
                "params",
                expected="at least one leaf Tensor with requires_grad=True, and no other",
                got=", ".join(describe(p) for p in self.params) or "none",
                fix="pass module.parameters()",
            )
        check.unique(
            self.name,
            "params",
            self.params,
            "leave it out, or it would be stepped twice; module.parameters() gives each once",
        )
        self._numbers = ("lr", *numbers)
        self._check({"lr": lr, **numbers})
        self.lr = float(lr)
        self.steps = 0
        self.state: list[dict[str, np.ndarray]] = [{} for _ in self.params]

    def _check(self, numbers: Mapping[str, object]) -> None:
        """Refuse a setting that is no number, or out of range."""
        for name, value in numbers.items():
            if name in ("beta1", "beta2", "alpha"):
                check.number(self.name, name, value, "a number in [0, 1)", below=1)
            else:
                check.number(self.name, name, value)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> w = tg.Tensor(1.0, requires_grad=True)
        >>> optimizer = tg.optim.SGD([w], lr=0.1)
        >>> (w * w).backward()
        >>> optimizer.zero_grad()
        >>> w.grad is None
        True
        """
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

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> w = tg.Tensor(1.0, requires_grad=True)
        >>> optimizer = tg.optim.SGD([w], lr=0.25)
        >>> for _ in range(2):
        ...     optimizer.zero_grad()
        ...     (w * w).backward()
        ...     optimizer.step()
        ...     print(w.item())
        0.5
        0.25
        """
        for i, p in enumerate(self.params):
            check.gradient(self.name, p, i)
        self._check(
            {name: getattr(self, name, 0.0) for name in self._numbers}
        )  # which a schedule, or a person, may have set since
        self.steps += 1
        for p, state in zip(self.params, self.state, strict=True):
            if p.grad is not None:
                p.data = self.update(p.array, p.grad, state).astype(p.array.dtype, copy=False)

    def update(self, w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
        """The new parameter; subclasses say which.

        Parameters
        ----------
        w, g : ndarray
            The parameter and its gradient, of one shape. Neither may be written into.
        state : dict of ndarray
            What this parameter keeps from step to step, empty at first.

        Returns
        -------
        ndarray
            Of the shape of w; its dtype is converted to that of w.

        Raises
        ------
        TypeError
            If the class does not define it.

        Examples
        --------
        >>> import numpy as np
        >>> import tinygrad_rnn as tg
        >>> sgd = tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=0.5)
        >>> sgd.update(np.array([1.0]), np.array([1.0]), {})
        array([0.5])
        """
        raise TypeError(f"{self.name}: expected a method update, got none; define it in the class")

    def state_dict(self) -> dict[str, np.ndarray]:
        """What steps have left behind, and the learning rate: arrays by name, for `tg.save`. Other settings are the constructor's.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> w = tg.Tensor(1.0, requires_grad=True)
        >>> optimizer = tg.optim.SGD([w], lr=0.5, momentum=0.9)
        >>> (w * w).backward()
        >>> optimizer.step()
        >>> {name: array.item() for name, array in optimizer.state_dict().items()}
        {'lr': 0.5, 'steps': 1, '0.velocity': 2.0}
        """
        kept = {
            f"{i}.{name}": array.copy()
            for i, state in enumerate(self.state)
            for name, array in state.items()
        }
        return {"lr": np.array(self.lr), "steps": np.array(self.steps), **kept}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from `state`, a `state_dict` of an optimizer of the same kind for the same parameters.

        Parameters
        ----------
        state : mapping of str to ndarray
            The learning rate, the number of steps, and what is kept of each parameter. The parameters are not in it.

        Raises
        ------
        ValueError
            If a name, a shape or a number does not fit, or something is missing. Nothing has changed then.
        TypeError
            If something is no array of real numbers, or a count no integer. Nothing has changed then.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> w = tg.Tensor(1.0, requires_grad=True)
        >>> first, second = tg.optim.Adam([w], lr=0.1), tg.optim.Adam([w], lr=0.5)
        >>> (w * w).backward()
        >>> first.step()
        >>> second.load_state_dict(first.state_dict())
        >>> second.lr, second.steps
        (0.1, 1)
        """
        operation = f"{self.name}.load_state_dict"
        if not isinstance(state, Mapping):
            wanted, fix = (
                "a state_dict of an optimizer",
                "pass optimizer.state_dict(), or what tg.load gives of it",
            )
            raise argument_error(
                operation, "state", expected=wanted, got=describe(state), fix=fix, kind=TypeError
            )
        known = {f"{i}.{name}": (i, name) for i in range(len(self.params)) for name in self.keeps()}
        given = {
            name: check.real_array(operation, str(name), array) for name, array in state.items()
        }
        loaded: list[dict[str, np.ndarray]] = [{} for _ in self.params]
        faults = [f"missing {name}" for name in ("lr", "steps") if name not in given]
        for key in given.keys() - {"lr", "steps"}:
            i, name = known.get(key, (0, ""))
            if not name:
                faults.append(f"unexpected {key}")
            elif given[key].shape != (() if name == "t" else self.params[i].shape):
                faults.append(
                    f"{key} {given[key].shape} for a parameter of shape {self.params[i].shape}"
                )
            elif name in ("square", "largest") and (given[key] < 0).any():
                faults.append(f"{key} below 0, which no square is")
            else:
                loaded[i][name] = given[key].copy()
        # A parameter that had no gradient yet has nothing; one that had has everything.
        begun = {known[key][0] for key in given.keys() & known.keys()}
        faults += [
            f"missing {key}" for key, (i, _) in known.items() if i in begun and key not in given
        ]
        if faults:
            raise argument_error(
                operation,
                "state",
                expected="that of the same optimizer with the same parameters",
                got="; ".join(sorted(faults)),
                fix="build both alike",
            )
        lr = check.number(operation, "lr", given["lr"])
        steps = check.count(operation, "steps", given["steps"][()], low=0)
        for i, kept in enumerate(loaded):
            if "t" in kept:
                check.count(operation, f"{i}.t", kept["t"][()])
        self.lr, self.steps, self.state = float(lr), steps, loaded

    def keeps(self) -> set[str]:
        """The names of what `update` keeps for each parameter from step to step.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> w = tg.Tensor(1.0, requires_grad=True)
        >>> tg.optim.SGD([w], lr=0.1).keeps(), tg.optim.SGD([w], lr=0.1, momentum=0.9).keeps()
        (set(), {'velocity'})
        """
        return set()
