"""The base class of all layers: named parameters, and modules inside modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import DTypeLike

from .. import check
from ..errors import argument_error, describe
from ..errors.named_calls import require_known
from ..graph import clock, context
from ..ops.methods_elsewhere import MODULE
from ..ops.missing_names import missing
from ..scope_part import ScopePart
from ..serialize.file_kinds import require_arrays
from ..tensor import Tensor
from .holder import Holder
from .state_checks import require_same_names, require_tied_equal

if TYPE_CHECKING:
    from .call_types import Arguments, HasForward, Result_co


class Module(Holder):
    """Base class of everything with parameters.

    A subclass assigns its parameters in `__init__` and computes its output in `forward`. A Tensor
    with ``requires_grad=True`` that no op computed becomes a parameter when it is assigned to an
    attribute. A Module that is assigned to an attribute becomes a submodule. Parameters and
    Modules may also be in lists, tuples, dicts and dataclasses, at any depth: they get the names
    ``layers.0``, ``layers.1`` and so on. A parameter or Module in another place, a set or a closure
    for example, is an error. A search cannot find a weight behind a global name, in an attribute
    of a Tensor, or behind more than a thousand other objects: such a weight is not trained.

    Calling the module calls `forward` and records its ops under the name of the attribute that
    holds the module, so drawings can group the ops by module.

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

    def __call__(
        self: HasForward[Arguments, Result_co], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result_co:
        recording, here, recorder = context.get()
        call = ScopePart("call", self._scope, id(self), next(clock))
        token = context.set((recording, (*here, call), recorder))
        try:
            return recorder.call(self, args, kwargs)
        except TypeError as error:
            require_known(error, type(self).__name__, self.forward, kwargs)
            raise
        finally:
            context.reset(token)

    @property
    def _original(self) -> Module:
        """The module that a call of this one counts as. A compiled module returns its target."""
        return self

    def register_buffer(self, name: str, value: Any, persistent: bool = True) -> None:
        """Add a buffer: an array that the module needs and that is not trained.

        A running mean is an example. A buffer is an attribute: read it, and assign a Tensor, an
        array or None to it.

        Parameters
        ----------
        name : str
            The name of the attribute.
        value : Tensor, array_like or None
            The first value. A Tensor must not require gradients.
        persistent : bool
            If True, `state_dict` contains the buffer and `load_state_dict` replaces it.

        Raises
        ------
        ValueError
            If the name is not an identifier, or the module has an attribute of this name.
        TypeError
            If `value` requires gradients or is not an array of numbers.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> class Count(tg.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.register_buffer("calls", 0)
        ...     def forward(self, x):
        ...         self.calls = self.calls + 1
        ...         return x
        >>> count = Count()
        >>> for _ in range(3):
        ...     y = count(tg.Tensor(1.0))
        >>> count.state_dict(), list(count.parameters())
        ({'calls': array(3)}, [])
        """
        operation = f"{type(self).__name__}.register_buffer"
        persistent = check.flag(operation, "persistent", persistent)
        if not isinstance(name, str) or not name.isidentifier() or hasattr(self, name):
            expected = "an identifier that is no attribute yet"
            fix = "choose another name, or assign to the attribute"
            raise argument_error(operation, "name", expected, repr(name), fix)
        self._add_buffer(name, value, persistent)

    if not TYPE_CHECKING:  # so that a type checker reports names that a module does not have

        def __getattr__(self, name: str) -> Any:
            raise missing(type(self).__name__, name, MODULE, self)

    def children(self) -> Iterator[tuple[str, Module]]:
        """Yield the direct submodules as pairs of name and module.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> gru = tg.nn.GRU(3, 2, num_layers=2, bidirectional=True, rng=0)
        >>> [name for name, cell in gru.children()]
        ['l0', 'l0_reverse', 'l1', 'l1_reverse']
        """
        self._refresh()
        yield from self._known_children()

    def _known_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the direct submodules without a search of the attributes."""
        yield from self._modules.items()

    def modules(self) -> Iterator[Module]:
        """Yield this module and all modules inside it, at any depth, each once.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> model = tg.nn.Sequential(tg.nn.Linear(2, 3, rng=0), tg.nn.Dropout(0.5))
        >>> [type(module).__name__ for module in model.modules()]
        ['Sequential', 'Linear', 'Dropout']
        """
        return (module for _, module in self.named_modules())

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module) for this module and all modules inside it, each once.

        The name of this module is empty. A module with two names has the first.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> model = tg.nn.Sequential(tg.nn.GRU(2, 3, rng=0), tg.nn.Dropout(0.5))
        >>> [name for name, module in model.named_modules()]
        ['', '0', '0.l0', '1']
        """
        seen: set[int] = set()
        for name, module in self._named_modules():
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def _named_modules(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module); a shared module appears under each of its names."""
        yield "", self
        for prefix, child in self.children():
            for name, module in child._named_modules():
                yield f"{prefix}.{name}" if name else prefix, module

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call a function with every module inside this one, then with this one; return this one.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> def start_at_zero(module):
        ...     if isinstance(module, tg.nn.Linear):
        ...         module.bias.data = tg.nn.init.zeros(module.bias.shape)
        ...
        >>> model = tg.nn.Sequential(tg.nn.Linear(2, 2), tg.tanh, tg.nn.Linear(2, 1))
        >>> model.apply(start_at_zero)[2].bias.data
        array([0.], dtype=float32)
        """
        fix = "pass a function of one module"
        check.callable(f"{type(self).__name__}.apply", "function", function, "a function", fix)
        self._apply(function)
        return self

    def _apply(self, function: Callable[[Module], Any]) -> None:
        for _, child in self.children():
            child._apply(function)
        function(self)

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Yield each parameter once, as a pair of its name and Tensor: ``("layer.weight", …)``.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> model = tg.nn.Sequential(tg.nn.Linear(2, 3, rng=0))
        >>> [(name, p.shape) for name, p in model.named_parameters()]
        [('0.weight', (3, 2)), ('0.bias', (3,))]
        """
        yield from _each_once(self._named())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Yield each buffer once, as a pair of its name and Tensor; see `register_buffer`.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> module = tg.nn.Module()
        >>> module.register_buffer("mean", [0.5, 1.0])
        >>> list(module.named_buffers())
        [('mean', Tensor([0.5, 1. ], dtype=float64))]
        """
        yield from _each_once(self._named("buffers"))

    def _named(self, kind: str = "parameters") -> Iterator[tuple[str, Tensor]]:
        """Yield (name, Tensor) for each Tensor of one kind, in this module and inside it.

        `Holder._own` lists the kinds. A shared parameter appears under each of its names.
        """
        yield from self._own(kind)
        for prefix, child in self._known_children():
            for name, tensor in child._named(kind):
                yield f"{prefix}.{name}", tensor

    def _state(self) -> dict[str, Tensor]:
        """Return what is saved, by name: the parameters and the persistent buffers."""
        state: dict[str, Tensor] = {}
        for name, tensor in (*self._named(), *self._named("persistent")):
            if state.setdefault(name, tensor) is not tensor:
                fix = "rename one of the attributes that hold them"
                raise self._error(name, "one Tensor of this name", "two", fix, ValueError)
        return state

    def parameters(self) -> Iterator[Tensor]:
        """Yield each parameter once."""
        return (parameter for _, parameter in self.named_parameters())

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return a copy of the parameters and buffers: arrays by name, as PyTorch names them.

        Buffers that are not persistent are left out.

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
        return {name: tensor.data.copy() for name, tensor in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Replace the values of all parameters and persistent buffers with those in `state`.

        Parameters
        ----------
        state : mapping of str to array_like
            One array, Tensor or array_like for each name, with the shape and dtype that the
            parameter or buffer has in this module. The values are copied.

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
        tensors, operation = self._state(), f"{type(self).__name__}.load_state_dict"
        fix = "pass module.state_dict(), or the result of tg.load"
        arrays = {
            name: check.real_array(operation, name, x.data if isinstance(x, Tensor) else x)
            for name, x in require_arrays(operation, "state", state, fix).items()
        }
        require_same_names(operation, tensors, arrays)
        require_tied_equal(operation, tensors, arrays)
        for name, tensor in tensors.items():
            tensor.data = arrays[name].copy()

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
        see = context.get()[2].see
        for parameter in self.parameters():
            see(parameter)._grad = None

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
        """Convert the parameters and the floating buffers to a floating dtype; return the module.

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
        floats = (buffer for _, buffer in self.named_buffers() if buffer.dtype.kind == "f")
        for tensor in (*self.parameters(), *floats):
            tensor.array = tensor.array.astype(dtype)
            tensor.data = tensor.array
            tensor.grad = None
        return self

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the parameters.

        Raises
        ------
        TypeError
            If there are no parameters.
        """
        for parameter in self._parameters.values():  # fast, because every call of a cell asks
            return parameter.dtype
        for _, parameter in self._named():
            return parameter.dtype
        name, fix = type(self).__name__, "use the dtype of the input instead"
        raise TypeError(f"{name}.dtype: expected a module with parameters, got none; {fix}")

    def __repr__(self) -> str:
        lines = [f"\n({name}): {child!r}" for name, child in self.children()]
        children = "".join(line.replace("\n", "\n  ") for line in lines)
        end = "\n" if lines else ""
        return f"{type(self).__name__}({self.describe()}{children}{end})"

    def _repr_html_(self) -> str:
        """Return the table of the modules and their parameters that a notebook shows."""
        from .layer_rows import module_table  # late, because `html` is slow to import

        return module_table(self)

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


def _each_once(named: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
    """Yield the pairs, but skip a pair if its Tensor came before."""
    seen: set[Tensor] = set()
    for name, tensor in named:
        if tensor not in seen:
            seen.add(tensor)
            yield name, tensor


def as_input(operation: str, x: Any, dtype: np.dtype, argument: str = "x") -> Tensor:
    """Return `x` as a Tensor; raise TypeError if its dtype differs from that of the parameters."""
    if isinstance(x, tuple) and any(isinstance(part, Tensor) for part in x):
        fix = "pass only the output, because a recurrent layer returns (output, state)"
        got = f"a tuple of {len(x)}"
        raise argument_error(operation, argument, "one Tensor", got, fix, TypeError)
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
