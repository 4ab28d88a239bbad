"""Parameter groups: parameters with settings of their own, in the form that PyTorch has.

A group is a dict: ``"params"`` is a list of parameters, and each other entry is a setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .. import check
from ..errors import argument_error, describe
from ..graph import recorder
from ..tensor import Tensor

Params = Iterable[Tensor | Mapping[str, Any]]
"""The type of the argument `params`: parameters, or groups."""
ORDERED = "pass module.parameters(), or a list"
"""The advice for a set, because a saved state needs the order."""
FLAGS = ("amsgrad", "centered", "nesterov")
"""The settings that are True or False."""
BELOW_ONE = ("alpha", "beta1", "beta2")
"""The settings that are the decay rate of a running mean."""


def split_groups(operation: str, params: Any) -> dict[str, Mapping[str, Any]]:
    """Return the groups in the argument `params`, each under the name that errors give it.

    Parameters without groups are one group, which is called ``params``.
    """
    if isinstance(params, Mapping):
        expected, got = "an iterable of Tensors, or a list of groups", describe(params)
        fix = "put the group into a list, or pass module.parameters()"
        raise argument_error(operation, "params", expected, got, fix, TypeError)
    items = check.ordered(operation, "params", params, ORDERED)
    if not any(isinstance(item, Mapping) for item in items):
        return {"params": {"params": items}}
    return {f"params[{i}]": item for i, item in enumerate(items)}


def complete_group(
    operation: str, argument: str, group: Any, defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a copy of a group with all settings; raise an error if a setting is unknown."""
    expected, fix = 'a dict with "params"', 'write {"params": [...], "lr": 0.1}, for example'
    group = check.instance(operation, argument, group, Mapping, expected, fix)
    if "params" not in group:
        raise argument_error(operation, argument, expected, describe(group), fix)
    for name in group.keys() - {"params", *defaults}:
        expected, known = "only settings that the optimizer has", ", ".join(defaults)
        fix = f"remove this entry; the settings are {known}"
        raise argument_error(operation, argument, expected, repr(name), fix)
    inner = argument if argument == "params" else f'{argument}["params"]'
    params = [group["params"]] if isinstance(group["params"], Tensor) else group["params"]
    return {**defaults, **group, "params": parameter_list(operation, inner, params)}


def parameter_list(operation: str, argument: str, params: Any) -> list[Tensor]:
    """Return a list of parameters; raise an error if an entry is not one, or occurs twice."""
    tensors = check.ordered(operation, argument, params, ORDERED)
    if not all(isinstance(p, Tensor) and p.node is None and p.requires_grad for p in tensors):
        got = ", ".join(map(describe, tensors))
        raise missing_parameters(operation, argument, got)
    fix = "remove the duplicate, or use module.parameters(), which yields each parameter once"
    check.unique(operation, argument, tensors, fix)
    return tensors


def missing_parameters(operation: str, argument: str, got: str) -> Exception:
    """Return the error for an argument without parameters, or with an entry that is not one."""
    expected = "at least one leaf Tensor with requires_grad=True, and nothing else"
    return argument_error(operation, argument, expected, got, "pass module.parameters()")


class Counted:
    """An attribute of an optimizer that each step changes, or a schedule. A recorder sees reads."""

    def __set_name__(self, owner: type, name: str):
        self.name = name

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        if optimizer is None:
            return self
        recorder().look(optimizer, self.name)
        return vars(optimizer)[f"_{self.name}"]

    def __set__(self, optimizer: Any, value: Any) -> None:
        vars(optimizer)[f"_{self.name}"] = value


class Setting:
    """A setting as an attribute of an optimizer.

    During a step, the attribute has the value of the group that is being updated. Between steps, it
    has the value of the first group. Assigning to it sets the value in every group.
    """

    def __set_name__(self, owner: type, name: str):
        self.name = name

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        if optimizer is None:
            return self
        recorder().look(optimizer, self.name)
        return optimizer.group[self.name]

    def __set__(self, optimizer: Any, value: Any) -> None:
        for group in optimizer.param_groups:
            group[self.name] = value


def checked_setting(operation: str, name: str, value: Any) -> Any:
    """Return a setting in Python's own types, which do not change the dtype of an array.

    Raises
    ------
    TypeError
        If the setting is not a number, or not a bool where the optimizer needs one.
    ValueError
        If a number is out of range, or `betas` are not two.
    """
    if name in FLAGS:
        return check.flag(operation, name, value)
    if name in BELOW_ONE:
        return float(check.number(operation, name, value, "a number in [0, 1)", below=1))
    if name != "betas":
        return float(check.number(operation, name, value))
    if not isinstance(value, Sequence) or len(value) != 2:
        expected, got = "two numbers in [0, 1)", describe(value)
        raise argument_error(operation, name, expected, got, "use (0.9, 0.999), for example")
    return tuple(checked_setting(operation, f"beta{i}", beta) for i, beta in enumerate(value, 1))
