"""The base class of all optimizers: parameters, their state, and saving and loading.

An optimizer changes a parameter only by assigning a new array to its `.data`. It never writes into
the old array, so everything that still refers to that array (a graph, for example) stays valid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from math import inf
from operator import is_not
from typing import Any

import numpy as np

from .. import check
from ..errors import argument_error, format_count
from ..errors.named_calls import NamedCalls
from ..graph import recorder
from ..serialize.file_kinds import require_arrays
from ..tensor import Tensor
from .parameter_groups import (
    Counted,
    Params,
    Setting,
    checked_setting,
    complete_group,
    missing_parameters,
    split_groups,
)


class Optimizer(NamedCalls):
    """Base class that holds the parameters, and the arrays that `update` keeps for each of them.

    A subclass defines `update`. If it keeps state, it also defines `state_names`, so that a loaded
    state can be checked.

    Parameters
    ----------
    params : iterable of Tensors, or list of dicts
        Leaves with ``requires_grad=True``. Each dict is a parameter group: ``"params"`` holds its
        Tensors, and the other entries are settings that differ for them.
    lr : float
        The learning rate η, at least 0. It may be changed at any time, by a schedule for example.
    **settings : float, bool or tuple
        Other settings. `update` finds them in `group`. They are checked here and before each step:
        a number must be at least 0, and ``betas`` and ``alpha`` must be below 1 too.

    Attributes
    ----------
    param_groups : list of dict
        The groups, with their parameters and with all settings. A setting may be changed here.
        ``optimizer.lr`` is the rate of the first group. Assigning to it sets the rate of all
        groups. The same holds for the other settings.
    group : dict
        During a step, this is the group of the parameter that is updated. Otherwise, it is the
        first group.

    Raises
    ------
    TypeError
        If `params` is not an iterable, or a setting is not a number.
    ValueError
        If there are no parameters, a setting is unknown, or a number is out of range. If a
        parameter is given twice, or is not a leaf that requires gradients.

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

    Biases often have no weight decay:

    >>> layer = tg.nn.Linear(2, 3)
    >>> groups = [{"params": layer.weight}, {"params": layer.bias, "weight_decay": 0}]
    >>> tg.optim.SGD(groups, lr=0.1, weight_decay=0.01)
    SGD(
      (0): 1 parameter, lr=0.1, momentum=0.0, weight_decay=0.01, nesterov=False
      (1): 1 parameter, lr=0.1, momentum=0.0, weight_decay=0.0, nesterov=False
    )
    """

    lr = Setting()
    steps, state, param_groups = Counted(), Counted(), Counted()

    def __init__(self, params: Params, lr: float, **settings: Any):
        self.name = type(self).__name__
        self.defaults = self._check_settings({"lr": lr, **settings})
        self._steps = 0
        self._state: list[dict[str, np.ndarray]] = []
        self._param_groups: list[dict[str, Any]] = []
        self._checked: list[list[Any]] = []
        for argument, group in split_groups(self.name, params).items():
            self._append_group(self.name, argument, group)
        if not self.params:
            raise missing_parameters(self.name, "params", "none")

    @property
    def params(self) -> list[Tensor]:
        """All parameters, in the order of the groups.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> w = tg.Tensor(1.0, requires_grad=True)
        >>> len(tg.optim.SGD([{"params": [w]}], lr=0.1).params)
        1
        """
        return list(chain.from_iterable(group["params"] for group in self._param_groups))

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add parameters with settings of their own.

        Parameters
        ----------
        param_group : dict
            ``"params"`` is an iterable of Tensors or one Tensor. Every other entry is a setting for
            these parameters. The settings that it lacks are those of the constructor.

        Raises
        ------
        TypeError
            If `param_group` is not a dict, its parameters are not an ordered iterable, or a setting
            has the wrong type. No group is added in that case.
        ValueError
            If it has no ``"params"``, a setting is unknown or out of range, or a parameter is not a
            leaf that requires gradients or is in another group. No group is added in that case.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> body, head = tg.nn.GRU(2, 3), tg.nn.Linear(3, 1)
        >>> optimizer = tg.optim.SGD(head.parameters(), lr=0.1)
        >>> optimizer.add_param_group({"params": body.parameters(), "lr": 0.01})
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.1, 0.01]
        """
        self._append_group(f"{self.name}.add_param_group", "param_group", param_group)

    def _append_group(self, operation: str, argument: str, group: Any) -> None:
        """Check a group, and append it with an empty state for each of its parameters."""
        group = complete_group(operation, argument, group, self.defaults)
        checked = self._check_group(group)
        for i, other in enumerate(self._param_groups):
            for p in set(group["params"]).intersection(other["params"]):
                expected = "parameters that are in no other group"
                got = f"{p.name or 'a Tensor'} of shape {p.shape}, which is in group {i} too"
                fix = "give each parameter in one group"
                raise argument_error(operation, argument, expected, got, fix)
        self._param_groups.append(group)
        self._checked.append(checked)
        self._state += [{} for _ in group["params"]]
        self.group = self._param_groups[0]

    def _check_group(self, group: dict[str, Any]) -> list[Any]:
        """Check the settings of a group, convert them to Python's own types, and return them."""
        settings = self._check_settings({name: group.get(name) for name in self.defaults})
        group.update(settings)
        return list(settings.values())

    def _check_settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings in Python's own types; raise an error if one is wrong."""
        return {name: checked_setting(self.name, name, v) for name, v in settings.items()}

    def __repr__(self) -> str:
        groups = []
        for group in self._param_groups:
            settings = "".join(f", {name}={group[name]!r}" for name in self.defaults)
            groups.append(format_count(len(group["params"]), "parameter") + settings)
        if len(groups) == 1:
            return f"{self.name}({groups[0]})"
        lines = "".join(f"\n  ({i}): {group}" for i, group in enumerate(groups))
        return f"{self.name}({lines}\n)"

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
        see = recorder().see
        for p in self.params:
            see(p)._grad = None

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
        params = self.params
        if len(params) != len(self._state):
            got, fix = format_count(len(params), "parameter"), "call optimizer.add_param_group"
            expected = f"the {len(self._state)} parameters that the optimizer was given"
            raise argument_error(self.name, "param_groups", expected, got, fix)
        # A schedule or the user may have changed the settings since the last step.
        for i, group in enumerate(self._param_groups):
            if any(map(is_not, map(group.get, self.defaults), self._checked[i])):
                self._checked[i] = self._check_group(group)
        recorder().optimize(self)

    def _update_all(self) -> None:
        """Update every parameter that has a gradient; the settings are checked."""
        self._steps += 1
        states = iter(self._state)
        for group in self._each_group():
            for p, state in zip(group["params"], states, strict=False):
                if (g := p.grad) is not None:
                    w, dtype = p.data, p.dtype
                    if dtype == np.float16:  # in which g² and Adam's ε are often 0
                        w, g = w.astype(np.float32), g.astype(np.float32)
                    new = self.update(w, g, state)
                    p.data = new if new.dtype is dtype else new.astype(dtype, copy=False)

    def _each_group(self) -> Iterator[dict[str, Any]]:
        """Yield each group. Until the next one, attributes such as `lr` have its values."""
        try:
            for group in self._param_groups:
                self.group = group
                yield group
        finally:
            self.group = self._param_groups[0]

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
        settings; pass them to the constructor again. If there are several groups, ``lr`` has one
        entry for each group, and ``sizes`` holds the number of parameters in each group.

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
        rates = [group["lr"] for group in self._param_groups]
        steps = {"steps": np.array(self.steps)}
        if len(rates) == 1:
            return {"lr": np.array(rates[0]), **steps, **arrays}
        sizes = np.array([len(group["params"]) for group in self._param_groups])
        return {"lr": np.array(rates), "sizes": sizes, **steps, **arrays}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore the saved state of an optimizer with the same class, settings and parameters.

        The groups must be the same too. First add those that were added to the saved optimizer.

        Parameters
        ----------
        state : mapping of str to ndarray
            The result of `state_dict`: the learning rate, the number of steps, and the state of
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
        # A schedule may have made a rate negative. The next step checks it.
        rates = np.atleast_1d(arrays["lr"])
        rates = [check.number(operation, "lr", x, "a finite number", low=-inf) for x in rates]
        steps = check.count(operation, "steps", arrays["steps"][()], low=0)
        for i, entries in enumerate(loaded):
            if "t" in entries:
                check.count(operation, f"{i}.t", entries["t"][()])
        self._steps, self._state = steps, loaded
        for group, rate in zip(self._param_groups, rates, strict=True):
            group["lr"] = float(rate)

    def _split_by_parameter(
        self, arrays: Mapping[str, np.ndarray]
    ) -> tuple[list[dict[str, np.ndarray]], list[str]]:
        """Return the state of each parameter, and a description of each entry that is wrong."""
        params, loaded = self.params, [{} for _ in self._state]
        names = [self.state_names() for group in self._each_group() for _ in group["params"]]
        known = {f"{i}.{name}": (i, name) for i, own in enumerate(names) for name in own}
        faults = [f"missing {key}" for key in ("lr", "steps") if key not in arrays]
        faults += self._group_faults(arrays)
        for key in arrays.keys() - {"lr", "steps", "sizes"}:
            array, (i, name) = arrays[key], known.get(key, (0, ""))
            if not name:
                faults.append(f"unexpected {key}")
            elif array.shape != (() if name == "t" else params[i].shape):
                faults.append(f"{key} {array.shape} for a parameter of shape {params[i].shape}")
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

    def _group_faults(self, arrays: Mapping[str, np.ndarray]) -> list[str]:
        """Return how the groups in a saved state differ from those of this optimizer."""
        own = [len(group["params"]) for group in self._param_groups]
        saved = arrays["sizes"].tolist() if "sizes" in arrays else [sum(own)]
        if saved != own:
            return [f"groups of {saved} parameters, not of {own}"]
        shape = (len(own),) if len(own) > 1 else ()
        is_wrong = "lr" in arrays and arrays["lr"].shape != shape
        return [f"lr {arrays['lr'].shape} for groups of {own} parameters"] if is_wrong else []

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
