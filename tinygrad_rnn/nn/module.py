"""A Module: parameters by name, and modules within modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from .. import check
from ..errors import argument_error, describe
from ..graph import ScopePart, clock, context
from ..tensor import Tensor

call_hook: ContextVar[Callable[[Module, tuple[Any, ...], dict[str, Any]], Any] | None] = ContextVar(
    "tinygrad_rnn.watcher", default=None
)
"""What is called in place of `forward`, if anything: for who must see layers as wholes, to export them for example."""


class Module:
    """Base of everything with parameters. A subclass assigns them in `__init__` and computes in `forward`.

    A leaf Tensor with ``requires_grad=True`` that is assigned to an attribute becomes a parameter,
    a Module a submodule. Calling the module calls `forward`, inside a scope with its attribute's
    name, so that a drawing shows what belongs together.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> class Scale(tg.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = tg.Tensor(2.0, requires_grad=True)
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> Scale()(tg.Tensor([1.0, 2.0]))
    Tensor([2., 4.], has graph: multiply)
    >>> model = tg.nn.Sequential(Scale(), tg.nn.Dropout(0.5))
    >>> [name for name, child in model.children()], len(list(model.parameters())), model.dtype
    (['0', '1'], 1, dtype('float32'))
    >>> model.eval()(tg.Tensor([1.0, 2.0]))
    Tensor([2., 4.], has graph: multiply)
    """

    training: bool
    _parameters: dict[str, Tensor]
    _modules: dict[str, Module]
    _scope: str

    def __init__(self) -> None:
        self.__dict__.update(
            _parameters={}, _modules={}, training=True, _scope=type(self).__name__.lower()
        )

    def __setattr__(self, name: str, value: Any) -> None:
        known = self.__dict__
        if "_parameters" not in known:
            raise AttributeError(
                f"{type(self).__name__}: call super().__init__() before assigning {name}"
            )
        kind = type(self).__name__
        leaf = (
            value
            if isinstance(value, Tensor) and value.requires_grad and value.node is None
            else None
        )
        if name in known["_parameters"] and leaf is not value:
            wanted, fix = (
                "a leaf Tensor with requires_grad=True, or None",
                "assign parameter.data to change its numbers",
            )
            raise argument_error(
                kind, name, expected=wanted, got=describe(value), fix=fix, kind=TypeError
            )
        if isinstance(value, list | tuple | dict) and _holds_modules(value):
            raise argument_error(
                kind,
                name,
                expected="a Module",
                got=f"a {type(value).__name__} of them, whose parameters would not be found",
                fix="use nn.ModuleList",
                kind=TypeError,
            )
        if isinstance(value, Module) and self in value.modules():
            got = (
                "this module itself"
                if value is self
                else f"a {type(value).__name__} that has this module in it"
            )
            fix = "put what both use into a third module, or hand it to forward"
            raise argument_error(
                kind, name, expected="a Module without this one in it", got=got, fix=fix
            )
        known["_parameters"].pop(name, None)
        known["_modules"].pop(name, None)
        if leaf is not None:
            known["_parameters"][name] = leaf
            leaf.name = leaf.name or name
        elif isinstance(value, Module):
            known["_modules"][name] = value
            value.__dict__["_scope"] = name
        known[name] = value

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._parameters.pop(name, None)
        self._modules.pop(name, None)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; subclasses say how.

        Parameters
        ----------
        *args, **kwargs
            What the module is called with.

        Returns
        -------
        anything
            What the call returns. Recurrent layers and cells return (output, state).

        Raises
        ------
        TypeError
            If the class does not define it.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> class Double(tg.nn.Module):
        ...     def forward(self, x):
        ...         return 2 * x
        >>> Double()(tg.Tensor([1.0, 2.0]))
        Tensor([2., 4.])
        """
        raise TypeError(
            f"{type(self).__name__}: expected a method forward, got none; define it in the class"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        recording, here = context.get()
        call = ScopePart("call", self._scope, id(self), next(clock))
        token = context.set((recording, (*here, call)))
        watch = call_hook.get()
        try:
            return self.forward(*args, **kwargs) if watch is None else watch(self, args, kwargs)
        finally:
            context.reset(token)

    def children(self) -> Iterator[tuple[str, Module]]:
        """The submodules by name."""
        yield from self._modules.items()

    def modules(self) -> Iterator[Module]:
        """This module and all modules in it.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> model = tg.nn.Sequential(tg.nn.Linear(2, 3, rng=0), tg.nn.Dropout(0.5))
        >>> [type(module).__name__ for module in model.modules()]
        ['Sequential', 'Linear', 'Dropout']
        """
        yield self
        for _, child in self.children():
            yield from child.modules()

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """The parameters with their names, as ``layer.weight``; one that occurs twice comes once.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> model = tg.nn.Sequential(tg.nn.Linear(2, 3, rng=0))
        >>> [(name, p.shape) for name, p in model.named_parameters()]
        [('0.weight', (3, 2)), ('0.bias', (3,))]
        """
        seen: set[Tensor] = set()
        for name, parameter in self._named():
            if parameter not in seen:
                seen.add(parameter)
                yield name, parameter

    def _named(self) -> Iterator[tuple[str, Tensor]]:
        yield from self._parameters.items()
        for prefix, child in self.children():
            for name, parameter in child._named():
                yield f"{prefix}.{name}", parameter

    def parameters(self) -> Iterator[Tensor]:
        """The parameters, each once."""
        for _, parameter in self.named_parameters():
            yield parameter

    def state_dict(self) -> dict[str, np.ndarray]:
        """A copy of the parameters: arrays by name, PyTorch's names and layout.

        Returns
        -------
        dict of str to ndarray
            What `load_state_dict` takes and `tg.save` writes. Training on does not change it.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> state = tg.nn.Linear(2, 3, rng=0).state_dict()
        >>> {name: array.shape for name, array in state.items()}
        {'weight': (3, 2), 'bias': (3,)}
        """
        return {name: parameter.data.copy() for name, parameter in self._named()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the parameters from `state`: arrays, Tensors or anything NumPy reads, by name.

        Parameters
        ----------
        state : mapping of str to array_like
            All parameters, with the shapes and dtypes that they have here. The numbers are copied.

        Raises
        ------
        ValueError
            If a name is missing or unknown, or a shape or dtype differs. Nothing has changed then.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> one, other = tg.nn.Linear(2, 3, rng=0), tg.nn.Linear(2, 3, rng=1)
        >>> other.load_state_dict(one.state_dict())
        >>> x = tg.Tensor([1.0, 2.0])
        >>> bool((one(x) == other(x)).all())
        True
        """
        own = dict(self._named())
        operation = f"{type(self).__name__}.load_state_dict"
        state = check.mapping(
            operation, "state", state, "pass module.state_dict(), or what tg.load gives"
        )
        given = {
            name: check.real_array(
                operation, name, value.data if isinstance(value, Tensor) else value
            )
            for name, value in state.items()
        }
        faults = [f"missing {name} {p.shape}" for name, p in own.items() if name not in given]
        faults += [f"unexpected {name}" for name in given if name not in own]
        faults += [
            f"{name} expected {p.dtype} {p.shape}, got {describe(given[name])}"
            for name, p in own.items()
            if name in given and (given[name].shape != p.shape or given[name].dtype != p.dtype)
        ]
        if faults:
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: argument state: expected its parameters, got {'; '.join(faults)}; "
                "build the module with the sizes the weights have, or convert dtypes with module.astype(dtype)"
            )
        for name, parameter in own.items():
            shared = [other for other in own if own[other] is parameter]
            if not all(
                np.array_equal(given[name], given[other], equal_nan=True) for other in shared
            ):
                wanted, got = (
                    f"the same numbers under {' and '.join(shared)}, which are one parameter",
                    "different ones",
                )
                fix = "leave the module with a parameter for each, or give both the same"
                raise argument_error(operation, name, expected=wanted, got=got, fix=fix)
        for name, parameter in own.items():
            parameter.data = given[name].copy()

    def zero_grad(self) -> None:
        """Forget all gradients.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> linear = tg.nn.Linear(2, 1, rng=0)
        >>> linear(tg.Tensor([1.0, 2.0])).backward()
        >>> linear.weight.grad
        array([[1., 2.]], dtype=float32)
        >>> linear.zero_grad()
        >>> linear.weight.grad is None
        True
        """
        for parameter in self.parameters():
            parameter.grad = None

    def train(self, mode: bool = True) -> Self:
        """Switch to training, where dropout drops, or with `mode` False to evaluation; returns the module.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> dropout = tg.nn.Dropout(0.5)
        >>> dropout.eval().training, dropout.train().training
        (False, True)
        """
        mode = check.flag("train", "mode", mode)
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to evaluation, where dropout does nothing; returns the module."""
        return self.train(False)

    def astype(self, dtype: DTypeLike) -> Self:
        """Convert all parameters to a floating dtype, in place; gradients are forgotten. Returns the module.

        Raises
        ------
        TypeError
            If that is not floating. Nothing has changed then.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> tg.nn.Linear(2, 3, rng=0).astype("float64").dtype
        dtype('float64')
        """
        dtype = check.dtype("astype", dtype)
        if dtype.kind != "f":
            raise argument_error(
                "astype",
                "dtype",
                expected="a floating dtype",
                got=str(dtype),
                fix="use float32 or float64",
                kind=TypeError,
            )
        for parameter in self.parameters():
            parameter.array = parameter.array.astype(dtype)
            parameter.data = parameter.array
            parameter.grad = None
        return self

    @property
    def dtype(self) -> np.dtype:
        """The dtype of its parameters.

        Raises
        ------
        TypeError
            If it has none.
        """
        for _, parameter in self._named():
            return parameter.dtype
        raise TypeError(f"{type(self).__name__}: has no parameters, so no dtype")

    def __repr__(self) -> str:
        children = "".join(
            f"\n  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.children()
        )
        return f"{type(self).__name__}({self.describe()}{children + chr(10) if children else ''})"

    def describe(self) -> str:
        """What `repr` shows in the parentheses.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> linear = tg.nn.Linear(2, 3, rng=0)
        >>> linear.describe(), repr(linear)
        ('2, 3', 'Linear(2, 3)')
        """
        return ""


@contextmanager
def eval_mode(model: Any) -> Iterator[None]:
    """A block in which a Module is in evaluation mode; each part of it is as it was afterwards. Anything else is left alone."""
    before = (
        [(module, module.training) for module in model.modules()]
        if isinstance(model, Module)
        else []
    )
    try:
        for module, _ in before:
            module.training = False
        yield
    finally:
        for module, mode in before:
            module.training = mode


def _holds_modules(value: Any) -> bool:
    """Whether there is a Module in a list, a tuple or a dict, or in one of these inside of it."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Module):
            return True
        if isinstance(item, list | tuple | dict):
            waiting.extend(item.values() if isinstance(item, dict) else item)
    return False


def as_input(operation: str, x: Any, dtype: np.dtype, argument: str = "x") -> Tensor:
    """`x` as a Tensor, refused if its floating dtype is not the module's."""
    if isinstance(x, tuple) and any(isinstance(part, Tensor) for part in x):
        got, fix = (
            f"a tuple of {len(x)}",
            "a recurrent layer returns (output, state): hand on the output",
        )
        raise argument_error(
            operation, argument, expected="one Tensor", got=got, fix=fix, kind=TypeError
        )
    if not isinstance(x, Tensor):
        x = Tensor(x)
    if x.dtype != dtype:
        raise argument_error(
            operation,
            argument,
            expected=f"dtype {dtype}, that of the parameters",
            got=describe(x),
            fix=f"use {argument}.astype(np.{dtype}), or {operation.lower()}.astype(np.{x.dtype}) for the module"
            if x.dtype.kind == "f"
            else f"use {argument}.astype(np.{dtype}); one-hot rows come from tg.text.one_hot",
            kind=TypeError,
        )
    return x
