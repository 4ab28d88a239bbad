"""The base class of all layers: named parameters, and modules inside modules."""

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
from ..serialize.file_kinds import require_arrays
from ..tensor import Tensor

call_hook: ContextVar[Callable[[Module, tuple[Any, ...], dict[str, Any]], Any] | None] = ContextVar(
    "tinygrad_rnn.call_hook", default=None
)
"""The function that a module's call runs in place of `forward`, or None.

The ONNX export sets it to record whole layers.
"""


class Module:
    """Base class of everything with parameters.

    A subclass assigns its parameters in `__init__` and computes its output in `forward`. A Tensor
    with ``requires_grad=True`` that no op computed becomes a parameter when it is assigned to an
    attribute. A Module that is assigned to an attribute becomes a submodule. Calling the module
    calls `forward` and records its ops under the name of the attribute that holds the module, so
    drawings can group the ops by module.

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
        attributes, class_name = self.__dict__, type(self).__name__
        if "_parameters" not in attributes:
            raise AttributeError(f"{class_name}: call super().__init__() before assigning {name}")
        is_leaf = isinstance(value, Tensor) and value.tracked and value.node is None
        parameter: Any = value if is_leaf else None
        if name in attributes["_parameters"] and parameter is not value:
            expected = "a leaf Tensor with requires_grad=True, or None"
            fix = f"assign to {name}.data to change the values of the parameter"
            raise argument_error(class_name, name, expected, describe(value), fix, TypeError)
        _require_no_hidden_modules(class_name, name, value)
        self._require_no_cycle(name, value)
        attributes["_parameters"].pop(name, None)
        attributes["_modules"].pop(name, None)
        if parameter is not None:
            attributes["_parameters"][name] = parameter
            parameter.name = parameter.name or name
        elif isinstance(value, Module):
            attributes["_modules"][name] = value
            value.__dict__["_scope"] = name
        attributes[name] = value

    def _require_no_cycle(self, name: str, value: Any) -> None:
        """Raise ValueError if `value` is a Module that contains this module."""
        if isinstance(value, Module) and self in value.modules():
            got = "this module itself"
            fix = "move the shared part into a third module, or pass the module to forward"
            if value is not self:
                got = f"a {type(value).__name__} that contains this module"
            expected = "a Module that does not contain this module"
            raise argument_error(type(self).__name__, name, expected, got, fix)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._parameters.pop(name, None)
        self._modules.pop(name, None)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output. Each subclass defines this method.

        Parameters
        ----------
        *args, **kwargs
            The arguments of the call.

        Returns
        -------
        anything
            The result of the call. Recurrent layers and cells return (output, state).

        Raises
        ------
        TypeError
            If the class does not define this method.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> class Double(tg.nn.Module):
        ...     def forward(self, x):
        ...         return 2 * x
        >>> Double()(tg.Tensor([1.0, 2.0]))
        Tensor([2., 4.])
        """
        name = type(self).__name__
        fix = f"define forward(self, ...) in {name}"
        raise TypeError(f"{name}: expected a method forward, got none; {fix}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        recording, here = context.get()
        call = ScopePart("call", self._scope, id(self), next(clock))
        token = context.set((recording, (*here, call)))
        hook = call_hook.get()
        try:
            return self.forward(*args, **kwargs) if hook is None else hook(self, args, kwargs)
        finally:
            context.reset(token)

    def children(self) -> Iterator[tuple[str, Module]]:
        """Yield the direct submodules as pairs of name and module."""
        yield from self._modules.items()

    def modules(self) -> Iterator[Module]:
        """Yield this module and all modules inside it, at any depth.

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
        """Yield each parameter once, as a pair of its name and Tensor: ``("layer.weight", …)``.

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
        """Yield (name, parameter); a shared parameter appears under each of its names."""
        yield from self._parameters.items()
        for prefix, child in self.children():
            for name, parameter in child._named():
                yield f"{prefix}.{name}", parameter

    def parameters(self) -> Iterator[Tensor]:
        """Yield each parameter once."""
        for _, parameter in self.named_parameters():
            yield parameter

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return a copy of the parameters: arrays by name, with PyTorch's names and layout.

        Returns
        -------
        dict of str to ndarray
            Pass it to `load_state_dict` or `tg.save`. Further training does not change it.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> state = tg.nn.Linear(2, 3, rng=0).state_dict()
        >>> {name: array.shape for name, array in state.items()}
        {'weight': (3, 2), 'bias': (3,)}
        """
        return {name: parameter.data.copy() for name, parameter in self._named()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Replace the values of all parameters with those in `state`.

        Parameters
        ----------
        state : mapping of str to array_like
            One array, Tensor or array_like for each parameter name, with the shape and dtype that
            the parameter has in this module. The values are copied.

        Raises
        ------
        ValueError
            If a name is missing or unknown, a shape or dtype differs, or a parameter with two names
            would get two different arrays. The module is not changed in these cases.
        TypeError
            If `state` is not a mapping, or a value is not an array of real numbers. The module is
            not changed in that case.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> first, second = tg.nn.Linear(2, 3, rng=0), tg.nn.Linear(2, 3, rng=1)
        >>> second.load_state_dict(first.state_dict())
        >>> x = tg.Tensor([1.0, 2.0])
        >>> bool((first(x) == second(x)).all())
        True
        """
        parameters, operation = dict(self._named()), f"{type(self).__name__}.load_state_dict"
        fix = "pass module.state_dict(), or the result of tg.load"
        arrays = {
            name: check.real_array(operation, name, x.data if isinstance(x, Tensor) else x)
            for name, x in require_arrays(operation, "state", state, fix).items()
        }
        _require_same_parameters(operation, parameters, arrays)
        _require_tied_equal(operation, parameters, arrays)
        for name, parameter in parameters.items():
            parameter.data = arrays[name].copy()

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to None.

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
        """Switch to training mode, or to evaluation mode if `mode` is False; return the module.

        Dropout acts only in training mode.

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
        """Switch to evaluation mode, in which dropout does nothing; return the module."""
        return self.train(False)

    def astype(self, dtype: DTypeLike) -> Self:
        """Convert all parameters to a floating dtype in place; return the module.

        The gradients of all parameters become None.

        Raises
        ------
        TypeError
            If the dtype is not floating. The module is not changed in that case.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> tg.nn.Linear(2, 3, rng=0).astype("float64").dtype
        dtype('float64')
        """
        dtype = check.floating_dtype("astype", dtype)
        for parameter in self.parameters():
            parameter.array = parameter.array.astype(dtype)
            parameter.data = parameter.array
            parameter.grad = None
        return self

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the parameters.

        Raises
        ------
        TypeError
            If there are no parameters.
        """
        for _, parameter in self._named():
            return parameter.dtype
        name, fix = type(self).__name__, "use the dtype of the input instead"
        raise TypeError(f"{name}.dtype: expected a module with parameters, got none; {fix}")

    def __repr__(self) -> str:
        lines = [f"\n({name}): {child!r}" for name, child in self.children()]
        children = "".join(line.replace("\n", "\n  ") for line in lines)
        end = "\n" if lines else ""
        return f"{type(self).__name__}({self.describe()}{children}{end})"

    def describe(self) -> str:
        """Return the text that `repr` shows between the parentheses.

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
    """Put a Module into evaluation mode inside the block; restore each submodule's mode afterwards.

    A `model` that is not a Module is left unchanged.
    """
    modules = list(model.modules()) if isinstance(model, Module) else []
    modes = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def _require_no_hidden_modules(class_name: str, name: str, value: Any) -> None:
    """Raise TypeError for a list, tuple or dict with a Module inside, at any depth.

    The parameters of such a Module would not be found.
    """
    rest = [] if isinstance(value, Module) else [value]
    while rest:
        item = rest.pop()
        if isinstance(item, Module):
            got = f"a {type(value).__name__} of Modules, whose parameters are not found there"
            fix = "use nn.ModuleList, or one attribute for each Module"
            raise argument_error(class_name, name, "a Module", got, fix, TypeError)
        if isinstance(item, list | tuple | dict):
            rest.extend(item.values() if isinstance(item, dict) else item)


def _require_same_parameters(
    operation: str, parameters: Mapping[str, Tensor], arrays: Mapping[str, np.ndarray]
) -> None:
    """Raise ValueError if the arrays differ from the parameters in names, shapes or dtypes."""
    faults = [f"missing {name} {p.shape}" for name, p in parameters.items() if name not in arrays]
    faults += [f"unexpected {name}" for name in arrays if name not in parameters]
    for name, p in parameters.items():
        array = arrays.get(name)
        if array is not None and (array.shape != p.shape or array.dtype != p.dtype):
            faults.append(f"{name} expected {p.dtype} {p.shape}, got {describe(array)}")
    if faults:
        expected, got = "one array for each parameter of the module", "; ".join(faults)
        fix = "build the module with the sizes of the arrays, or use module.astype(dtype)"
        raise argument_error(operation, "state", expected, got, fix)


def _require_tied_equal(
    operation: str, parameters: Mapping[str, Tensor], arrays: Mapping[str, np.ndarray]
) -> None:
    """Raise ValueError if a shared parameter would get different arrays under its names."""
    for name, parameter in parameters.items():
        names = [other for other in parameters if parameters[other] is parameter]
        if not all(np.array_equal(arrays[name], arrays[n], equal_nan=True) for n in names):
            expected = f"equal arrays for {' and '.join(names)}, which are one shared parameter"
            fix = "pass equal arrays, or do not share the parameter in the module"
            raise argument_error(operation, name, expected, "different arrays", fix)


def as_input(operation: str, x: Any, dtype: np.dtype, argument: str = "x") -> Tensor:
    """Return `x` as a Tensor; raise TypeError if its dtype differs from that of the parameters."""
    if isinstance(x, tuple) and any(isinstance(part, Tensor) for part in x):
        fix = "pass only the output, because a recurrent layer returns (output, state)"
        raise argument_error(
            operation, argument, "one Tensor", f"a tuple of {len(x)}", fix, TypeError
        )
    if not isinstance(x, Tensor):
        x = Tensor(x)
    if x.dtype != dtype:
        expected = f"dtype {dtype}, that of the parameters"
        fix = f"use {argument}.astype(np.{dtype})"
        if x.dtype.kind == "f":
            fix += f", or {operation.lower()}.astype(np.{x.dtype}) for the module"
        else:
            fix += "; tg.text.one_hot makes one-hot rows"
        raise argument_error(operation, argument, expected, describe(x), fix, TypeError)
    return x
