"""Layers that are not recurrent: Linear, Embedding, Dropout and LayerNorm.

This file also defines two containers of modules, Sequential and ModuleList.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import sqrt
from typing import Any, Generic, TypeVar, overload

import numpy as np

from .. import check, ops
from ..errors import argument_error, describe
from ..ops.methods_elsewhere import MODULE
from ..ops.missing_names import missing
from ..tensor import Tensor
from . import init
from .dropout import dropout
from .module import Module, as_input


class Linear(Module):
    """The affine map: a matrix product along the last axis, plus a bias.

    ::

        y = x Wᵀ + b

    Parameters
    ----------
    in_features : int
        The size of the last axis of x.
    out_features : int
        The size of the last axis of y.
    bias : bool
        If False, there is no b.
    rng : numpy.random.Generator or int, optional
        The source of the initial parameters, which are uniform in ±1/√in_features. They have the
        default dtype.

    Attributes
    ----------
    weight : Tensor of shape (out_features, in_features)
        W.
    bias : Tensor of shape (out_features,), or None
        b.

    References
    ----------
    Names, layout and initial values are those of `torch.nn.Linear`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.Linear(3, 2, rng=0)
    >>> layer(np.zeros((5, 3), dtype="float32")).shape
    (5, 2)
    """

    def __init__(
        self, in_features: int, out_features: int, *, bias: bool = True, rng: init.Rng = None
    ):
        super().__init__()
        self.in_features = check.count("Linear", "in_features", in_features, low=0)
        self.out_features = check.count("Linear", "out_features", out_features, low=0)
        rng, bound = init.generator(rng), 1 / sqrt(max(in_features, 1))
        weight = init.uniform((out_features, in_features), bound, rng)
        self.weight = Tensor(weight, requires_grad=True)
        self.bias = None
        if check.flag("Linear", "bias", bias):
            self.bias = Tensor(init.uniform((out_features,), bound, rng), requires_grad=True)

    def forward(self, x: Any) -> Tensor:
        """Map x of shape (..., in_features) to y of shape (..., out_features)."""
        x = as_input("Linear", x, self.weight.dtype)
        check_last_axis("Linear", x, self.in_features, "in_features")
        return ops.linear(x, self.weight, self.bias)

    def describe(self) -> str:
        """Return the text that `repr` shows in parentheses: the sizes and any ``bias=False``."""
        bias = "" if self.bias is not None else ", bias=False"
        return f"{self.in_features}, {self.out_features}{bias}"


class Embedding(Module):
    """A table with one row for each symbol. Rows are looked up, so no one-hot vectors are built.

    ::

        y = W[index] = one_hot(index) @ W

    Parameters
    ----------
    num_embeddings : int
        The number of symbols.
    embedding_dim : int
        The size of a row.
    rng : numpy.random.Generator or int, optional
        The source of the initial rows. Their entries are normally distributed with mean 0 and
        variance 1, as in PyTorch.

    Attributes
    ----------
    weight : Tensor of shape (num_embeddings, embedding_dim)
        W. The gradient of a row is the sum over all positions where the row is looked up.

    References
    ----------
    Bengio et al., "A neural probabilistic language model" (2003). Names and layout are those of
    `torch.nn.Embedding`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.nn.Embedding(4, 2, rng=0)([[0, 3, 3]]).shape
    (1, 3, 2)
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, *, rng: init.Rng = None):
        super().__init__()
        self.num_embeddings = check.count("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = check.count("Embedding", "embedding_dim", embedding_dim)
        weight = init.normal((num_embeddings, embedding_dim), rng=rng)
        self.weight = Tensor(weight, requires_grad=True)

    def forward(self, index: Any) -> Tensor:
        """Map integers of any shape (...) to rows of shape (..., embedding_dim)."""
        index = check.real_array("Embedding", "index", index)
        return self.weight[check.class_indices("Embedding", "index", index, self.num_embeddings)]

    def describe(self) -> str:
        """Return the text that `repr` shows in parentheses: the sizes."""
        return f"{self.num_embeddings}, {self.embedding_dim}"


class Dropout(Module):
    """Dropout: zeroing of random entries in training, the identity in evaluation.

    ::

        y = m ⊙ x / (1 − p),   each entry of m is 0 with probability p, else 1, independently

    Parameters
    ----------
    p : float in [0, 1)
        The probability of zeroing an entry.
    rng : numpy.random.Generator or int, optional
        The source of the mask m.

    References
    ----------
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> drop = tg.nn.Dropout(0.5, rng=0)
    >>> drop.eval()(tg.Tensor([1.0, 2.0]))
    Tensor([1., 2.])
    """

    def __init__(self, p: float = 0.5, *, rng: init.Rng = None):
        super().__init__()
        check.probability("Dropout", "p", p)
        self.p, self.rng = p, init.generator(rng)

    def forward(self, x: Any) -> Tensor:
        """Apply dropout to x of any shape; return the same shape."""
        return dropout(x, self.p, training=self.training, rng=self.rng)

    def describe(self) -> str:
        """Return the text that `repr` shows in parentheses: the probability."""
        return f"p={self.p}"


class LayerNorm(Module):
    """Layer normalisation: each example gets mean 0 and variance 1, then a learned scale and shift.

    ::

        y = (x − mean) / √(var + eps) ⊙ weight + bias

    Parameters
    ----------
    normalized_shape : int or tuple of int
        The sizes of the last axes. Mean and variance are taken over these axes. The variance is the
        mean of the squared deviations, without Bessel's correction.
    eps : float
        The number added to the variance, at least 0. With 0, an example whose entries are all equal
        gives NaN.

    Attributes
    ----------
    weight : Tensor of shape normalized_shape
        The scale, initially ones.
    bias : Tensor of shape normalized_shape
        The shift, initially zeros.

    Raises
    ------
    ValueError
        If `normalized_shape` has no axes, or a size or `eps` is out of range.

    References
    ----------
    Ba, Kiros and Hinton, "Layer normalization" (2016).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.nn.LayerNorm(2, eps=0.0)(tg.Tensor([1.0, 3.0])).detach()
    Tensor([-1.,  1.])
    """

    def __init__(self, normalized_shape: int | tuple[int, ...], *, eps: float = 1e-5):
        super().__init__()
        shape = normalized_shape
        shape = shape if isinstance(shape, tuple | list) else [shape]
        if not shape:
            fix = "pass the size of the last axis, for example x.shape[-1]"
            raise argument_error("LayerNorm", "normalized_shape", "at least one axis", "none", fix)
        name = "normalized_shape"
        self.normalized_shape = tuple(check.count("LayerNorm", name, n) for n in shape)
        self.eps = check.number("LayerNorm", "eps", eps)
        self.weight = Tensor(init.ones(self.normalized_shape), requires_grad=True)
        self.bias = Tensor(init.zeros(self.normalized_shape), requires_grad=True)

    def forward(self, x: Any) -> Tensor:
        """Normalise x of shape ``(..., *normalized_shape)``; return the same shape.

        Raises
        ------
        ValueError
            If the last axes of x do not have the shape `normalized_shape`.
        """
        x = as_input("LayerNorm", x, self.weight.dtype)
        n = len(self.normalized_shape)
        if x.shape[x.ndim - n :] != self.normalized_shape:
            expected = f"last axes {self.normalized_shape}"
            fix = "reshape x, or build the LayerNorm for the last axes of x"
            raise argument_error("LayerNorm", "x", expected, describe(x), fix)
        axes = tuple(range(-n, 0))
        centred = x - x.mean(axis=axes, keepdims=True)
        variance = (centred * centred).mean(axis=axes, keepdims=True)
        return centred / ops.sqrt(variance + self.eps) * self.weight + self.bias

    def describe(self) -> str:
        """Return the text that `repr` shows in parentheses: the shape and eps."""
        return f"{self.normalized_shape}, eps={self.eps}"


Result = TypeVar("Result")
"""The type of what the last step of a `Sequential` returns."""


class Sequential(Module, Generic[Result]):
    """Modules or other functions, applied in order: each gets the output of the previous one.

    ::

        y = fₙ(… f₂(f₁(x)))

    Parameters
    ----------
    *steps : callable
        Modules, or functions of one argument such as `tanh`. The index of a Module is the prefix of
        its parameters' names, as in ``0.weight``.

    Raises
    ------
    TypeError
        If an argument is not callable.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> model = tg.nn.Sequential(tg.nn.Linear(3, 4, rng=0), tg.tanh, tg.nn.Linear(4, 2, rng=1))
    >>> [name for name, _ in model.named_parameters()]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    @overload
    def __init__(self, *steps: *tuple[*tuple[Callable[..., Any], ...], Callable[..., Result]]): ...
    @overload
    def __init__(self: Sequential[Tensor], *steps: Callable[..., Tensor]): ...
    @overload
    def __init__(self: Sequential[Any], *steps: Callable[..., Any]): ...
    def __init__(self, *steps: Callable[..., Any]):
        super().__init__()
        for i, step in enumerate(steps):
            expected = "a Module or a function"
            fix = "pass each Module or function as a separate argument"
            check.callable("Sequential", f"steps[{i}]", step, expected, fix)
            setattr(self, str(i), step)
        self.steps = tuple(str(i) for i in range(len(steps)))

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, i: int) -> Callable[..., Any]:
        return getattr(self, self.steps[_check_index("Sequential", i, len(self))])

    def forward(self, x: Any) -> Result:
        """Apply all steps to x, in order."""
        for name in self.steps:
            x = getattr(self, name)(x)
        return x


class ModuleList(Module):
    """A list of Modules. Their parameters belong to the module that contains the list.

    In a plain list of Modules, parameters have the same names. But a ModuleList is itself a Module,
    so its `repr` shows the items.

    Parameters
    ----------
    modules : iterable of Module
        The initial items, in order. A ModuleList supports ``len``, iteration, and the reading,
        replacing and deleting of items by index. It cannot be called.

    Raises
    ------
    TypeError
        If `modules` is not iterable, or an item is not a Module.
    ValueError
        If an item contains the ModuleList.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> layers = tg.nn.ModuleList([tg.nn.Linear(2, 2, rng=k) for k in range(3)])
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)
    >>> layers[0] = tg.nn.Dropout(0.5)
    >>> del layers[1]
    >>> [name for name, _ in layers.named_parameters()], layers[0]
    (['1.weight', '1.bias'], Dropout(p=0.5))
    """

    _named_otherwise = frozenset({"_items"})

    def __init__(self, modules: Iterable[Module] = ()):
        super().__init__()
        fix = "pass a list of Modules"
        check.iterable("ModuleList", "modules", modules, "an iterable of Modules", fix)
        self._items: list[Module] = []
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> None:
        """Append a module.

        Raises
        ------
        TypeError
            If `module` is not a Module.
        ValueError
            If `module` contains the ModuleList.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> layers = tg.nn.ModuleList()
        >>> layers.append(tg.nn.Linear(2, 3))
        >>> layers[-1]
        Linear(2, 3)
        """
        self._items.append(self._as_item(module, len(self)))
        self._name_items()

    def __setitem__(self, index: int, module: Module) -> None:
        index = _check_index("ModuleList", index, len(self))
        self._items[index] = self._as_item(module, index)
        self._name_items()

    def __delitem__(self, index: int) -> None:
        del self._items[_check_index("ModuleList", index, len(self))]
        self._name_items()

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Module:
        return self._items[_check_index("ModuleList", index, len(self))]

    def __iter__(self) -> Iterator[Module]:
        return iter(self._items)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute, or replace an item by its name: ``"0"`` and so on."""
        if name.isdecimal():
            self[int(name)] = value
        else:
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        """Return an item by its name: ``"0"`` and so on."""
        items = self.__dict__.get("_items", ())
        if name.isdecimal() and int(name) < len(items):
            return items[int(name)]
        raise missing("ModuleList", name, MODULE, self)

    def _known_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the items as ``("0", module)`` and so on, then other submodules."""
        for i, module in enumerate(self._items):
            yield str(i), module
        yield from super()._known_children()

    def _as_item(self, module: Any, index: int) -> Module:
        """Return `module`; raise an error unless it is a Module that does not contain this list."""
        fix = "keep other objects in a plain list"
        check.instance("ModuleList", "module", module, Module, "a Module", fix)
        self._require_no_cycle(str(index), module)
        return module

    def _name_items(self) -> None:
        """Give each item a name, under which its ops are recorded: ``layers.0``, or its index."""
        own = self.__dict__["_scope"]
        before = "" if own == "modulelist" else f"{own}."
        for i, module in enumerate(self._items):
            module.__dict__["_scope"] = f"{before}{i}"


def _check_index(operation: str, i: Any, n: int) -> int:
    """Return `i` as an int; raise IndexError unless −n ≤ i < n, or TypeError for a non-integer.

    A negative index counts from the end.
    """
    if not isinstance(i, int | np.integer) or not -n <= i < n:
        kind = IndexError if isinstance(i, int | np.integer) else TypeError
        expected, fix = "the index of an item", "add a module first, because there are no items"
        if n:
            expected = f"an integer from {-n} to {n - 1}"
            fix = "use 0 for the first item, or -1 for the last"
        raise argument_error(operation, "i", expected, describe(i), fix, kind)
    return int(i)


def check_last_axis(operation: str, x: Tensor, size: int, name: str) -> None:
    """Raise ValueError if the last axis of x does not have the size that the module expects."""
    if x.ndim == 0 or x.shape[-1] != size:
        expected = f"a last axis of size {name}={size}"
        fix = f"reshape x, or build the module with another {name}"
        raise argument_error(operation, "x", expected, describe(x), fix)
