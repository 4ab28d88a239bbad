"""The base class of all optimizers: parameters, their state, and saving and loading.

An optimizer changes a parameter only by assigning a new array to its `.data`. It never writes into
the old array, so everything that still refers to that array (a graph, for example) stays valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from .. import check
from ..errors import argument_error, describe
from ..serialize.file_kinds import require_arrays
from ..tensor import Tensor


class Optimizer:
    """Base class that holds the parameters, and the arrays that `update` keeps for each of them.

    A subclass defines `update`. If it keeps state, it also defines `state_names`, so that a loaded
    state can be checked.

    Parameters
    ----------
    params : iterable of Tensors
        Leaves with ``requires_grad=True``.
    lr : float
        The learning rate η, at least 0. It may be changed at any time, by a schedule for example.
    **numbers : float
        Other settings, which the subclass stores under the same names. They are checked here and
        before each step: each must be at least 0. ``beta1``, ``beta2`` and ``alpha`` must be
        below 1 too.

    Raises
    ------
    TypeError
        If `params` is not an iterable, or a setting is not a number.
    ValueError
        If there are no parameters, or a number is out of range. If a parameter is given twice, or
        is not a leaf that requires gradients.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> class SignSGD(tg.optim.Optimizer):
    ...     def update(self, w, g, state):
    ...         return w - self.lr * np.sign(g)
    >>> w = tg.Tensor([1.0, -3.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> SignSGD([w], lr=0.5).step()
    >>> w.data
    array([ 0.5, -2.5], dtype=float32)
    """

    def __init__(self, params: Iterable[Tensor], lr: float, **numbers: float):
        self.name = type(self).__name__
        fix = "pass module.parameters(), or a list"
        self.params = list(
            check.iterable(self.name, "params", params, "an iterable of Tensors", fix)
        )
        if not self.params or not all(map(_is_parameter, self.params)):
            expected = "at least one leaf Tensor with requires_grad=True, and nothing else"
            got = ", ".join(describe(p) for p in self.params) or "none"
            fix = "pass module.parameters()"
            raise argument_error(self.name, "params", expected, got, fix)
        fix = "remove the duplicate, or use module.parameters(), which yields each parameter once"
        check.unique(self.name, "params", self.params, fix)
        self._settings = ("lr", *numbers)
        self._check_settings({"lr": lr, **numbers})
        self.lr = float(lr)
        self.steps = 0
        self.state: list[dict[str, np.ndarray]] = [{} for _ in self.params]

    def _check_settings(self, settings: Mapping[str, object]) -> None:
        """Raise TypeError if a setting is not a number, and ValueError if it is out of range."""
        for name, value in settings.items():
            if name in ("beta1", "beta2", "alpha"):
                check.number(self.name, name, value, "a number in [0, 1)", below=1)
            else:
                check.number(self.name, name, value)

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to None.

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
        """Update every parameter that has a gradient.

        Raises
        ------
        ValueError
            If a gradient is not an array of real numbers with the shape of its parameter, or a
            setting is now out of range. No parameter is changed in that case.
        TypeError
            If a setting is no longer a number. No parameter is changed in that case.

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
        # A schedule or the user may have changed the settings since the last step.
        self._check_settings({name: getattr(self, name, 0.0) for name in self._settings})
        self.steps += 1
        for p, state in zip(self.params, self.state, strict=True):
            if p.grad is not None:
                p.data = self.update(p.array, p.grad, state).astype(p.array.dtype, copy=False)

    def update(self, w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
        """Return the new value of a parameter. Each subclass defines this method.

        Parameters
        ----------
        w, g : ndarray
            The parameter and its gradient, of the same shape. Do not write into them.
        state : dict of ndarray
            The arrays that are kept for this parameter. The dict is empty before the first step.
            Store in it the arrays that the next step needs.

        Returns
        -------
        ndarray
            An array with the shape of w. `step` converts it to the dtype of w.

        Raises
        ------
        TypeError
            If the class does not define `update`.

        Examples
        --------
        >>> import numpy as np
        >>> import tinygrad_rnn as tg
        >>> sgd = tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=0.5)
        >>> sgd.update(np.array([1.0]), np.array([1.0]), {})
        array([0.5])
        """
        fix = f"define update(self, w, g, state) in {self.name}"
        raise TypeError(f"{self.name}: expected a method update, got none; {fix}")

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return the learning rate, the number of steps and the state of each parameter, by name.

        The result is a dict of arrays, which `tg.save` can write. It does not include the other
        settings; pass them to the constructor again.

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
        arrays = {
            f"{i}.{name}": array.copy()
            for i, state in enumerate(self.state)
            for name, array in state.items()
        }
        return {"lr": np.array(self.lr), "steps": np.array(self.steps), **arrays}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore the saved state of an optimizer with the same class, settings and parameters.

        Parameters
        ----------
        state : mapping of str to ndarray
            What `state_dict` returned: the learning rate, the number of steps, and the state of
            each parameter. It does not contain the parameters themselves.

        Raises
        ------
        ValueError
            If an entry is missing or unknown, an array has the wrong shape, or a number is out of
            range. The optimizer is not changed in that case.
        TypeError
            If `state` is not a mapping, a value is not an array of real numbers, or a number of
            steps is not an integer. The optimizer is not changed in that case.

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
        fix = "pass optimizer.state_dict(), or the result of tg.load"
        require_arrays(operation, "state", state, fix)
        arrays = {name: check.real_array(operation, str(name), a) for name, a in state.items()}
        loaded, faults = self._split_by_parameter(arrays)
        if faults:
            expected = "the state of an optimizer with the same class, settings and parameters"
            got = "; ".join(sorted(faults))
            fix = "build this optimizer in the same way as the saved optimizer"
            raise argument_error(operation, "state", expected, got, fix)
        lr = check.number(operation, "lr", arrays["lr"])
        steps = check.count(operation, "steps", arrays["steps"][()], low=0)
        for i, entries in enumerate(loaded):
            if "t" in entries:
                check.count(operation, f"{i}.t", entries["t"][()])
        self.lr, self.steps, self.state = float(lr), steps, loaded

    def _split_by_parameter(
        self, arrays: Mapping[str, np.ndarray]
    ) -> tuple[list[dict[str, np.ndarray]], list[str]]:
        """Return the state of each parameter, and a description of each entry that is wrong."""
        count = len(self.params)
        known = {f"{i}.{name}": (i, name) for i in range(count) for name in self.state_names()}
        loaded: list[dict[str, np.ndarray]] = [{} for _ in self.params]
        faults = [f"missing {key}" for key in ("lr", "steps") if key not in arrays]
        for key in arrays.keys() - {"lr", "steps"}:
            array, (i, name) = arrays[key], known.get(key, (0, ""))
            shape = self.params[i].shape
            if not name:
                faults.append(f"unexpected {key}")
            elif array.shape != (() if name == "t" else shape):
                faults.append(f"{key} {array.shape} for a parameter of shape {shape}")
            elif name in ("square", "largest") and (array < 0).any():
                faults.append(f"{key} with negative entries, but it is a mean of squares")
            else:
                loaded[i][name] = array.copy()
        # A parameter that never had a gradient has no entries. Any other parameter has all entries.
        stepped = {known[key][0] for key in arrays.keys() & known.keys()}
        faults += [
            f"missing {key}" for key, (i, _) in known.items() if i in stepped and key not in arrays
        ]
        return loaded, faults

    def state_names(self) -> set[str]:
        """Return the names of the arrays that `update` keeps for each parameter between steps.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> w = tg.Tensor(1.0, requires_grad=True)
        >>> tg.optim.SGD([w], lr=0.1).state_names()
        set()
        >>> tg.optim.SGD([w], lr=0.1, momentum=0.9).state_names()
        {'velocity'}
        """
        return set()


def _is_parameter(p: object) -> bool:
    """Return True if `p` is a leaf Tensor that requires gradients."""
    return isinstance(p, Tensor) and p.node is None and p.requires_grad
