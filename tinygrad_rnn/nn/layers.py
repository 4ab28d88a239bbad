"""Layers without time: Linear, Embedding, Dropout, LayerNorm; Sequential and ModuleList to hold modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import sqrt
from typing import Any

import numpy as np

from .. import check, ops
from ..errors import argument_error, describe
from ..tensor import Tensor
from . import init
from .dropout import dropout
from .module import Module, as_input


class Linear(Module):
    """The affine map: a matrix product with the last axis, and a bias.

    ::

        y = x Wᵀ + b

    Parameters
    ----------
    in_features : int
        The size of the last axis of x.
    out_features : int
        The size of the last axis of y.
    bias : bool
        Without it there is no b.
    rng : numpy.random.Generator or int, optional
        Weights and bias start uniform in ±1/√in_features, in the default dtype.

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
        self.weight = Tensor(
            init.uniform((out_features, in_features), bound, rng), requires_grad=True
        )
        self.bias = (
            Tensor(init.uniform((out_features,), bound, rng), requires_grad=True)
            if check.flag("Linear", "bias", bias)
            else None
        )

    def forward(self, x: Any) -> Tensor:
        """x (..., in_features) to y (..., out_features)."""
        x = as_input("Linear", x, self.weight.dtype)
        check_last_axis("Linear", x, self.in_features, "in_features")
        return ops.linear(x, self.weight, self.bias)

    def describe(self) -> str:
        """Sizes."""
        return f"{self.in_features}, {self.out_features}" + (
            "" if self.bias is not None else ", bias=False"
        )


class Embedding(Module):
    """A table with one row for each symbol.

    ::

        y = W[index] = one_hot(index) @ W, without the zeros

    Parameters
    ----------
    num_embeddings : int
        How many symbols.
    embedding_dim : int
        How long a row is.
    rng : numpy.random.Generator or int, optional
        Rows start normal with mean 0 and variance 1, as PyTorch's.

    Attributes
    ----------
    weight : Tensor of shape (num_embeddings, embedding_dim)
        W. The gradient of a row is the sum over all places where it was looked up.

    References
    ----------
    Bengio et al., "A neural probabilistic language model" (2003). Names and layout are those of `torch.nn.Embedding`.

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
        self.weight = Tensor(
            init.normal((num_embeddings, embedding_dim), rng=rng), requires_grad=True
        )

    def forward(self, index: Any) -> Tensor:
        """Integers of any shape (...) to rows (..., embedding_dim)."""
        index = check.real_array("Embedding", "index", index)
        return self.weight[check.class_indices("Embedding", "index", index, self.num_embeddings)]

    def describe(self) -> str:
        """Sizes."""
        return f"{self.num_embeddings}, {self.embedding_dim}"


class Dropout(Module):
    """In training, sets each entry to zero with probability p and makes up for it; in evaluation, the identity.

    ::

        y = m ⊙ x / (1 − p),   each entry of m drawn for itself: 0 with probability p, else 1

    Parameters
    ----------
    p : float in [0, 1)
    rng : numpy.random.Generator or int, optional
        Where the zeros are drawn from.

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

    def forward(self, x: Any) -> Any:
        """x of any shape, to the same shape."""
        return dropout(x, self.p, training=self.training, rng=self.rng)

    def describe(self) -> str:
        """The probability."""
        return f"p={self.p}"


class LayerNorm(Module):
    """Each example by itself brought to mean 0 and variance 1 over the last axes, then scaled and shifted.

    ::

        y = (x − mean) / √(var + eps) ⊙ weight + bias

    Parameters
    ----------
    normalized_shape : int or tuple of int
        The sizes of the last axes, over which mean and variance are taken. The variance divides by their number.
    eps : float
        At least 0; with 0 an example whose entries are all equal gives nan.

    Attributes
    ----------
    weight : Tensor of shape normalized_shape
        Ones at first.
    bias : Tensor of shape normalized_shape
        Zeros at first.

    Raises
    ------
    ValueError
        If `normalized_shape` has no axes, or a number is out of range.

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
        sizes = (
            normalized_shape if isinstance(normalized_shape, tuple | list) else (normalized_shape,)
        )
        self.normalized_shape = tuple(
            check.count("LayerNorm", "normalized_shape", n) for n in sizes
        )
        if not sizes:
            fix = "of one number the mean is itself; LayerNorm(1), say"
            raise argument_error(
                "LayerNorm", "normalized_shape", expected="at least one axis", got="none", fix=fix
            )
        self.eps = check.number("LayerNorm", "eps", eps)
        self.weight = Tensor(init.ones(self.normalized_shape), requires_grad=True)
        self.bias = Tensor(init.zeros(self.normalized_shape), requires_grad=True)

    def forward(self, x: Any) -> Tensor:
        """x of shape ``(..., *normalized_shape)``, to the same shape.

        Raises
        ------
        ValueError
            If the last axes of x are not `normalized_shape`.
        """
        x = as_input("LayerNorm", x, self.weight.dtype)
        n = len(self.normalized_shape)
        if x.shape[x.ndim - n :] != self.normalized_shape:
            raise argument_error(
                "LayerNorm",
                "x",
                expected=f"last axes {self.normalized_shape}",
                got=describe(x),
                fix="check normalized_shape",
            )
        axes = tuple(range(-n, 0))
        centred = x - x.mean(axis=axes, keepdims=True)
        variance = (centred * centred).mean(axis=axes, keepdims=True)
        return centred / ops.sqrt(variance + self.eps) * self.weight + self.bias

    def describe(self) -> str:
        """The shape."""
        return f"{self.normalized_shape}, eps={self.eps}"


class Sequential(Module):
    """Modules, or any functions, one after another: each gets the output of the one before.

    ::

        y = fₙ(… f₂(f₁(x)))

    Parameters
    ----------
    *steps : callable
        Modules, or functions of one argument such as `tanh`. A Module's parameters are found under its number: ``0.weight``.

    Raises
    ------
    TypeError
        If an argument cannot be called.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> model = tg.nn.Sequential(tg.nn.Linear(3, 4, rng=0), tg.tanh, tg.nn.Linear(4, 2, rng=1))
    >>> [name for name, _ in model.named_parameters()]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *steps: Callable[[Any], Any]):
        super().__init__()
        for i, step in enumerate(steps):
            if not callable(step):
                raise argument_error(
                    "Sequential",
                    f"steps[{i}]",
                    expected="a Module or a function",
                    got=describe(step),
                    fix="leave it out",
                    kind=TypeError,
                )
            setattr(self, str(i), step)
        self.steps = tuple(str(i) for i in range(len(steps)))

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, i: int) -> Callable[[Any], Any]:
        return getattr(self, self.steps[_at("Sequential", i, len(self))])

    def forward(self, x: Any) -> Any:
        """Through all of them."""
        for name in self.steps:
            x = getattr(self, name)(x)
        return x


class ModuleList(Module):
    """Modules in a list, whose parameters count as those of the module that holds it.

    Parameters
    ----------
    modules : iterable of Module
        Kept in order, under their numbers. It is a list to index, to measure and to walk through, and cannot be called.

    Raises
    ------
    TypeError
        If `modules` is not iterable, or one of them is no Module.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> layers = tg.nn.ModuleList([tg.nn.Linear(2, 2, rng=k) for k in range(3)])
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)
    >>> layers.append(tg.nn.Dropout(0.5))
    >>> layers[-1]
    Dropout(p=0.5)
    """

    def __init__(self, modules: Iterable[Module] = ()):
        super().__init__()
        if not isinstance(modules, Iterable):
            fix = "put it in a list"
            raise argument_error(
                "ModuleList",
                "modules",
                expected="several Modules",
                got=describe(modules),
                fix=fix,
                kind=TypeError,
            )
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> None:
        """Add a module at the end.

        Raises
        ------
        TypeError
            If it is no Module.
        """
        if not isinstance(module, Module):
            raise argument_error(
                "ModuleList",
                "module",
                expected="a Module",
                got=describe(module),
                fix="use a plain list for others",
                kind=TypeError,
            )
        setattr(self, str(len(self)), module)

    def __len__(self) -> int:
        return len(self._modules)

    def __getitem__(self, i: int) -> Module:
        return list(self._modules.values())[_at("ModuleList", i, len(self))]

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())


def _at(operation: str, i: Any, n: int) -> int:
    """The place of an item among n, counted from the end if it is negative."""
    if not isinstance(i, int | np.integer) or not -n <= i < n:
        error = IndexError if isinstance(i, int | np.integer) else TypeError
        raise argument_error(
            operation,
            "i",
            expected=f"an integer from {-n} to {n - 1}",
            got=describe(i),
            fix="it counts from 0",
            kind=error,
        )
    return int(i)


def check_last_axis(operation: str, x: Tensor, size: int, name: str) -> None:
    """Refuse an input whose last axis is not of the module's size."""
    if x.ndim == 0 or x.shape[-1] != size:
        raise argument_error(
            operation,
            "x",
            expected=f"a last axis of size {name}={size}",
            got=describe(x),
            fix=f"check {name}",
        )
