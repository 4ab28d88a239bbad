"""Initialisers: constant arrays, random arrays, and functions that start a layer gate by gate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf, prod, sqrt
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .. import check
from ..dtypes import get_default_dtype
from ..errors import argument_error, describe
from ..ops.missing_names import module_names
from ..ops.names_elsewhere import INIT

__all__ = [
    "fill_gates_", "gate_bias_", "generator", "kaiming_uniform", "normal", "ones", "orthogonal",
    "orthogonal_gates_", "uniform", "xavier_normal", "xavier_uniform", "zeros",
]  # fmt: skip
# This is a string, so that numpy.random is imported only when it is used.
Rng: TypeAlias = "np.random.Generator | int | None"


def generator(rng: Rng) -> np.random.Generator:
    """Return `rng` if it is a Generator, else a new Generator.

    If `rng` is an integer, it is the seed of the new Generator. If `rng` is None, the new Generator
    is unseeded.

    Parameters
    ----------
    rng : numpy.random.Generator, int or None

    Returns
    -------
    numpy.random.Generator

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> float(tg.nn.init.generator(0).random()) == float(tg.nn.init.generator(0).random())
    True
    """
    if rng is None or isinstance(rng, np.random.Generator):
        return rng or np.random.default_rng()
    return np.random.default_rng(check.count("generator", "rng (a seed)", rng, low=0))


def uniform(shape: tuple[int, ...], bound: float, rng: Rng = None) -> np.ndarray:
    """Return numbers drawn uniformly from [−bound, bound).

    ::

        W_ij ~ U(−bound, bound)

    Parameters
    ----------
    shape : tuple of int
    bound : float
        The largest absolute value, at least 0.
    rng : numpy.random.Generator or int, optional
        A Generator or a seed. The default is a new unseeded Generator.

    Returns
    -------
    ndarray
        An array of the default dtype. All initialisers return this dtype.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.uniform((2, 3), 0.1, rng=0).shape
    (2, 3)
    """
    bound = check.number("init", "bound", bound)
    return generator(rng).uniform(-bound, bound, as_shape(shape)).astype(get_default_dtype())


def normal(shape: tuple[int, ...], std: float = 1.0, rng: Rng = None) -> np.ndarray:
    """Return numbers from a normal distribution with mean 0.

    ::

        W_ij ~ N(0, std²)

    Parameters
    ----------
    shape : tuple of int
    std : float
        The standard deviation, at least 0.
    rng : numpy.random.Generator or int, optional

    Returns
    -------
    ndarray

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> round(float(tg.nn.init.normal((1000, 10), 0.5, rng=0).std()), 2)
    0.5
    """
    std = check.number("init", "std", std)
    return (generator(rng).standard_normal(as_shape(shape)) * std).astype(get_default_dtype())


def zeros(shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of zeros.

    ::

        W_ij = 0

    Parameters
    ----------
    shape : tuple of int

    Returns
    -------
    ndarray

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.zeros((2,))
    array([0., 0.], dtype=float32)
    """
    return np.zeros(as_shape(shape), get_default_dtype())


def ones(shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of ones.

    ::

        W_ij = 1

    Parameters
    ----------
    shape : tuple of int

    Returns
    -------
    ndarray

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.ones((2,))
    array([1., 1.], dtype=float32)
    """
    return np.ones(as_shape(shape), get_default_dtype())


def xavier_uniform(shape: tuple[int, ...], gain: float = 1.0, rng: Rng = None) -> np.ndarray:
    """Return uniform weights that preserve the variance of signals and gradients.

    A linear layer preserves both variances only if in = out; otherwise this is a compromise.

    ::

        W_ij ~ U(−b, b),   b = gain · √(6 / (in + out))

    Parameters
    ----------
    shape : tuple of int
        (out, in, ...). Sizes of further axes are multiplied into `in`.
    gain : float
        A factor that multiplies all weights, chosen for the nonlinearity that follows: 5/3 is
        common for tanh.
    rng : numpy.random.Generator or int, optional

    Returns
    -------
    ndarray

    References
    ----------
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks"
    (2010), equation 16.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> bool(abs(tg.nn.init.xavier_uniform((2, 4), rng=0)).max() <= 1)
    True
    """
    gain = check.number("init", "gain", gain)
    return uniform(shape, gain * sqrt(6 / max(sum(fans(shape)), 1)), rng)


def xavier_normal(shape: tuple[int, ...], gain: float = 1.0, rng: Rng = None) -> np.ndarray:
    """Return normally distributed weights with the variance of `xavier_uniform`.

    ::

        W_ij ~ N(0, s²),   s = gain · √(2 / (in + out))

    Parameters
    ----------
    shape : tuple of int
        (out, in, ...). Sizes of further axes are multiplied into `in`.
    gain : float
        A factor that multiplies all weights.
    rng : numpy.random.Generator or int, optional

    Returns
    -------
    ndarray

    References
    ----------
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks"
    (2010), equation 12.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> round(float(tg.nn.init.xavier_normal((100, 100), rng=0).std()), 2)
    0.1
    """
    gain = check.number("init", "gain", gain)
    return normal(shape, gain * sqrt(2 / max(sum(fans(shape)), 1)), rng)


def kaiming_uniform(shape: tuple[int, ...], gain: float = sqrt(2), rng: Rng = None) -> np.ndarray:
    """Return uniform weights that preserve the variance of signals in networks with relu.

    The gain √2 compensates for the relu, which halves the mean square.

    ::

        W_ij ~ U(−b, b),   b = gain · √(3 / in)

    Parameters
    ----------
    shape : tuple of int
        (out, in, ...). Sizes of further axes are multiplied into `in`.
    gain : float
        A factor that multiplies all weights: √2 for a relu.
    rng : numpy.random.Generator or int, optional

    Returns
    -------
    ndarray

    References
    ----------
    He et al., "Delving deep into rectifiers: surpassing human-level performance on ImageNet
    classification" (2015), equation 10.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> bool(abs(tg.nn.init.kaiming_uniform((2, 6), rng=0)).max() <= 1)
    True
    """
    gain = check.number("init", "gain", gain)
    return uniform(shape, gain * sqrt(3 / max(fans(shape)[1], 1)), rng)


def orthogonal(shape: tuple[int, ...], gain: float = 1.0, rng: Rng = None) -> np.ndarray:
    """Return a matrix with orthonormal rows or columns, times `gain`.

    With gain 1 and out ≥ in, the matrix preserves the norm of every vector, for example of a state.

    ::

        W Wᵀ = gain² I if out ≤ in,   Wᵀ W = gain² I if out ≥ in

    Parameters
    ----------
    shape : tuple of int
        (out, in, ...). Sizes of further axes are multiplied into `in`.
    gain : float
        A factor that multiplies all weights.
    rng : numpy.random.Generator or int, optional
        The source of the matrix, which is uniformly distributed over all such matrices.

    Returns
    -------
    ndarray

    References
    ----------
    Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks" (2014). The correction of signs that makes the distribution uniform is
    from Mezzadri, "How to generate random matrices from the classical compact groups" (2007).

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> w = tg.nn.init.orthogonal((3, 3), rng=0)
    >>> bool(np.allclose(w @ w.T, np.eye(3), atol=1e-6))
    True
    """
    return _orthogonal(shape, gain, rng).astype(get_default_dtype())


def _orthogonal(shape: tuple[int, ...], gain: float, rng: Rng) -> np.ndarray:
    """Return the matrix of `orthogonal` in float64."""
    (rows, columns), gain = fans(shape), check.number("init", "gain", gain)
    q, r = np.linalg.qr(generator(rng).standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    return (gain * (q if rows >= columns else q.T)).reshape(shape)


# -- gates of a layer that exists ------------------------------------------------------------------


def fill_gates_(
    layer: Any,
    parameter: str,
    initialiser: Callable[[tuple[int, ...]], Any],
    gates: str | None = None,
) -> Any:
    """Replace one parameter of every cell of a layer, gate by gate.

    A parameter stacks one block for each gate along the first axis. An initialiser that depends on
    the shape must therefore see each block alone: the fans of a stacked matrix are too large, and a
    stacked matrix that is orthogonal has no orthogonal blocks.

    ::

        W_g = initialiser(shape of W_g),   for each gate g

    Parameters
    ----------
    layer : Module
        An RNN, GRU or LSTM, a cell of these, or any Module that contains them.
    parameter : str
        ``"weight_ih"`` with blocks of shape (H, I), ``"weight_hh"`` with blocks of shape (H, H), or
        ``"bias_ih"`` or ``"bias_hh"`` with blocks of shape (H,).
    initialiser : callable
        ``initialiser(shape)`` returns the new block.
    gates : str, optional
        The letters of the gates, for example ``"if"``: h of an RNN; r, z, n of a GRU; i, f, g, o of
        an LSTM. By default all of them.

    Returns
    -------
    Module
        The layer.

    Raises
    ------
    ValueError
        If a cell has no such gate or parameter, or a block has another shape. Nothing is changed.
    TypeError
        If `layer` contains no cell, or an argument has the wrong type. Nothing is changed.

    References
    ----------
    The order of the blocks is that of `torch.nn.GRU` and `torch.nn.LSTM`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> gru = tg.nn.GRU(3, 2, rng=0)
    >>> gru = tg.nn.init.fill_gates_(gru, "weight_ih", tg.nn.init.zeros, "z")
    >>> (gru.weight_ih_l0.data == 0).all(axis=1)
    array([False, False,  True,  True, False, False])
    """
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    check.one_of("fill_gates_", "parameter", parameter, names)
    fix = "pass tg.nn.init.zeros, for example"
    check.callable("fill_gates_", "initialiser", initialiser, "a function of a shape", fix)
    check.instance("fill_gates_", "gates", gates, str | None, "letters of gates", 'write "f"')
    return _fill("fill_gates_", layer, {parameter: lambda gate, shape: initialiser(shape)}, gates)


def gate_bias_(layer: Any, **values: float) -> Any:
    """Set the bias of some gates to a number, in every cell of a layer.

    A bias of 1 in the forget gate f of an LSTM, or in the update gate z of a GRU, lets a new layer
    remember for longer: the gate starts near σ(1) = 0.73, where its derivative is still large.

    ::

        b_ig = value,   b_hg = 0,   for each gate g that is named

    Parameters
    ----------
    layer : Module
        As in `fill_gates_`.
    **values : float
        The letter of each gate, with the sum of its two biases.

    Returns
    -------
    Module
        The layer.

    Raises
    ------
    ValueError
        If a cell has no such gate or no biases. Nothing is changed.
    TypeError
        If `layer` contains no cell, or a value is not a number. Nothing is changed.

    References
    ----------
    Jozefowicz, Zaremba and Sutskever, "An empirical exploration of recurrent network architectures"
    (2015).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> lstm = tg.nn.init.gate_bias_(tg.nn.LSTM(3, 1, rng=0), f=1.0, i=0.0)
    >>> lstm.bias_ih_l0.data[:2], lstm.bias_hh_l0.data[:2]
    (array([0., 1.], dtype=float32), array([0., 0.], dtype=float32))
    """
    for gate, value in values.items():
        check.number("gate_bias_", gate, value, "a finite number", low=-inf, fix="write 1.0")
    blocks = {
        "bias_ih": lambda gate, shape: np.full(shape, values[gate]),
        "bias_hh": lambda gate, shape: zeros(shape),
    }
    return _fill("gate_bias_", layer, blocks, values)


def orthogonal_gates_(layer: Any, gain: float = 1.0, rng: Rng = None) -> Any:
    """Make the recurrent matrix of every gate orthogonal, in every cell of a layer.

    ::

        U_gᵀ U_g = gain² I,   for each gate g

    Parameters
    ----------
    layer : Module
        As in `fill_gates_`.
    gain : float
        A factor that multiplies all weights.
    rng : numpy.random.Generator or int, optional
        The source of the matrices; see `orthogonal`.

    Returns
    -------
    Module
        The layer.

    Raises
    ------
    TypeError
        If `layer` contains no cell.

    References
    ----------
    Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks" (2014).

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> gru = tg.nn.init.orthogonal_gates_(tg.nn.GRU(3, 2), rng=0)
    >>> for U in np.split(gru.weight_hh_l0.data, 3):
    ...     assert np.allclose(U.T @ U, np.eye(2), atol=1e-6)
    """
    gain, rng = check.number("orthogonal_gates_", "gain", gain), generator(rng)
    blocks = {"weight_hh": lambda gate, shape: _orthogonal(shape, gain, rng)}
    return _fill("orthogonal_gates_", layer, blocks, None)


def _fill(
    operation: str,
    layer: Any,
    blocks: Mapping[str, Callable[[str, tuple[int, ...]], Any]],
    gates: Iterable[str] | None,
) -> Any:
    """Fill the blocks of some gates in all cells of a layer, and return the layer.

    For each parameter, ``blocks[parameter](gate, shape)`` returns a block.
    """
    modules = layer.modules() if hasattr(layer, "modules") else ()
    cells = [module for module in modules if getattr(module, "letters", "")]
    expected, fix = "a Module with recurrent cells", "pass an RNN, GRU or LSTM, or one of its cells"
    check.require(cells, operation, "layer", expected, describe(layer), fix, TypeError)
    filled = [
        (cell, name, _fill_cell(operation, cell, name, block, gates))
        for cell in cells
        for name, block in blocks.items()
    ]
    for cell, name, array in filled:
        getattr(cell, name).data = array
    return layer


def _fill_cell(
    operation: str,
    cell: Any,
    name: str,
    block: Callable[[str, tuple[int, ...]], Any],
    gates: Iterable[str] | None,
) -> np.ndarray:
    """Return the new array of one parameter of a cell."""
    gates = list(cell.letters if gates is None else gates)
    for gate in gates:
        kind = type(cell).__name__
        expected, fix = f"the gates of a {kind}: {', '.join(cell.letters)}", "name one of these"
        check.require(gate in cell.letters, operation, "gates", expected, repr(gate), fix)
    parameter, fix = getattr(cell, name), "build the layer with bias=True"
    check.require(parameter is not None, operation, name, "a layer with biases", "none", fix)
    array, size = parameter.data.copy(), cell.hidden_size
    for gate in gates:
        rows = slice(size * cell.letters.index(gate), size * (cell.letters.index(gate) + 1))
        start = check.real_array(operation, "initialiser", block(gate, array[rows].shape))
        fix = "return an array of the shape that the function is called with"
        array[rows] = check.shape(operation, "initialiser", start, array[rows].shape, fix)
    return array


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (out, in) for a weight of this shape."""
    shape = as_shape(shape)
    if len(shape) < 2:
        expected, fix = "at least two axes (out, in)", "use tg.nn.init.uniform or tg.nn.init.normal"
        raise argument_error("init", "shape", expected, str(shape), fix)
    return shape[0], prod(shape[1:])


def as_shape(shape: Any) -> tuple[int, ...]:
    """Return `shape` as a tuple of sizes; an integer becomes a shape with one axis."""
    if isinstance(shape, int | np.integer):
        shape = (shape,)
    fix = "pass a tuple, for example weight.shape"
    check.instance("init", "shape", shape, tuple | list, "a tuple of integers", fix)
    return tuple(check.count("init", "shape", n, low=0) for n in shape)


if not TYPE_CHECKING:  # so that a type checker reports names that the module does not have
    __dir__, __getattr__ = module_names(__name__, INIT)
