"""Cells through time: layers one on another, in one direction or both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import ops
from ..dtypes import require_count
from ..errors import complaint, describe
from ..graph import scope
from ..scan import scan
from ..tensor import Tensor
from . import functional, init
from .cells import Cell, GRUCell, LSTMCell, RNNCell
from .layers import expect_last
from .module import Module, floating_input


class Recurrent(Module):
    """Any cell, walked through time by `scan`, stacked and in one direction or both.

    Parameters
    ----------
    cell : callable
        ``cell(input_size, rng)`` makes the `Cell` of one layer and direction.
    input_size, num_layers : int
    batch_first : bool
        Whether x and output are (B, T, ·) instead of (T, B, ·). States are not affected.
    dropout : float in [0, 1)
        In training, between layers: on the output of each but the last.
    bidirectional : bool
        Walk backwards too, with cells of its own, and put the two outputs side by side.
    rng : numpy.random.Generator or int, optional
        Where initial parameters and dropout are drawn from.

    Notes
    -----
    A parameter of the cell of layer k is called ``weight_ih_l{k}``, and in the backward direction
    ``weight_ih_l{k}_reverse``: PyTorch's names, so that state dicts are exchanged as they are.
    """

    def __init__(
        self,
        cell: Callable[[int, np.random.Generator], Cell],
        input_size: int,
        num_layers: int = 1,
        *,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        rng: init.Rng = None,
    ):
        super().__init__()
        require_count(type(self).__name__, "num_layers", num_layers)
        functional.check_probability(type(self).__name__, "dropout", dropout)
        self.batch_first, self.dropout, self.bidirectional = batch_first, dropout, bidirectional
        self.rng = init.generator(rng)
        self.directions = 2 if bidirectional else 1
        self.cells: list[list[Cell]] = []
        for k in range(num_layers):
            size = input_size if k == 0 else self.directions * self.cells[0][0].hidden_size
            self.cells.append([cell(size, self.rng) for _ in range(self.directions)])
        self.input_size, self.num_layers, self.hidden_size = input_size, num_layers, self.cells[0][0].hidden_size

    def children(self) -> Iterator[tuple[str, Module]]:
        """The cells, ``l0``, ``l0_reverse``, ``l1``, …; and the modules of a subclass."""
        yield from self._cells()
        yield from super().children()

    def _cells(self) -> Iterator[tuple[str, Cell]]:
        for k, cells in enumerate(self.cells):
            for cell, suffix in zip(cells, ("", "_reverse"), strict=False):
                yield f"l{k}{suffix}", cell

    def _named(self) -> Iterator[tuple[str, Tensor]]:
        for suffix, cell in self._cells():
            for name, parameter in cell._named():
                yield f"{name}_{suffix}", parameter
        yield from self._parameters.items()
        for prefix, module in self._modules.items():
            for name, parameter in module._named():
                yield f"{prefix}.{name}", parameter

    def __setattr__(self, name: str, value: Any) -> None:
        """Assigning ``weight_ih_l0`` replaces the parameter of the cell that it belongs to."""
        for suffix, cell in self._cells() if "cells" in self.__dict__ else ():
            own = name.removesuffix(f"_{suffix}")
            if own != name and own in cell._parameters:
                setattr(cell, own, value)
                return
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Tensor:
        if not name.startswith("_") and "cells" in self.__dict__:
            for known, parameter in self._named():
                if known == name:
                    return parameter
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def forward(self, x: Any, state: Any = None) -> tuple[Tensor, Any]:
        """Walk through the sequence.

        Parameters
        ----------
        x : Tensor of shape (T, B, I), or (T, I) for one sequence; (B, T, I) if `batch_first`
        state : Tensor of shape (layers · directions, B, H), or (layers · directions, H), optional
            Zeros if missing. An LSTM's is a tuple (h, c) of two such.

        Returns
        -------
        output : Tensor of shape (T, B, directions · H), or (T, directions · H)
            The last layer's output at every step.
        state : as `state`
            The last state of each layer and direction, in the order of the parameters.

        Raises
        ------
        ValueError
            If a shape does not fit, or there are no time steps.
        TypeError
            If a dtype is not that of the parameters.
        """
        name = type(self).__name__
        x = floating_input(name, x, self.dtype)
        if x.ndim not in (2, 3):
            raise ValueError(
                complaint(name, "x", expected=f"shape {self._layout(3)} or (T, {self.input_size})", got=describe(x), remedy="use reshape")
            )
        expect_last(name, x, self.input_size, "input_size")
        swap = self.batch_first and x.ndim == 3
        if swap:
            x = x.swapaxes(0, 1)
        if len(x) == 0:
            raise ValueError(
                complaint(name, "x", expected="at least one time step", got=describe(x), remedy="keep the state as it is instead")
            )
        states = self._states(name, state, x.shape[1:-1])
        last = []
        for k, cells in enumerate(self.cells):
            if k and self.dropout:
                x = functional.dropout(x, self.dropout, training=self.training, rng=self.rng)
            outputs = []
            for d, cell in enumerate(cells):
                with scope(f"layer {k}", *(("reverse",) if d else ())):
                    inputs, step = cell.unroll(x)
                    output, end = scan(step, inputs, states[k * self.directions + d], reverse=bool(d))
                outputs.append(output)
                last.append(end)
            x = ops.concatenate(outputs, axis=-1) if self.bidirectional else outputs[0]
        return x.swapaxes(0, 1) if swap else x, _stacked(last)

    def _states(self, name: str, state: Any, batch: tuple[int, ...]) -> list[Any]:
        """The initial state of each layer and direction."""
        cells = [cell for row in self.cells for cell in row]
        if state is None:
            return [cell.zero_state(batch) for cell in cells]
        whole = cells[0].check_state(name, state, (len(cells), *batch, self.hidden_size))
        if isinstance(whole, tuple):
            return [tuple(part[i] for part in whole) for i in range(len(cells))]
        return [whole[i] for i in range(len(cells))]

    def _layout(self, axes: int) -> str:
        return f"({'B, T' if self.batch_first else 'T, B'}, {self.input_size})" if axes == 3 else f"(T, {self.input_size})"

    def describe(self) -> str:
        """Sizes and options."""
        options = [f"{self.input_size}, {self.hidden_size}"]
        options += [f"num_layers={self.num_layers}"] if self.num_layers > 1 else []
        options += [f"{name}={value}" for name in ("batch_first", "dropout", "bidirectional") if (value := getattr(self, name))]
        return ", ".join(options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.describe()})"


class RNN(Recurrent):
    """The vanilla recurrent network: `RNNCell` through time.

    Parameters
    ----------
    input_size, hidden_size, num_layers : int
        I, H and the number of layers.
    nonlinearity : {"tanh", "relu"}
    bias, batch_first, dropout, bidirectional, rng
        As `Recurrent`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> output, state = tg.nn.RNN(3, 2, rng=0)(np.ones((7, 5, 3), dtype="float32"))
    >>> output.shape, state.shape
    ((7, 5, 2), (1, 5, 2))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        rng: init.Rng = None,
    ):
        def cell(size: int, rng: np.random.Generator) -> RNNCell:
            return RNNCell(size, hidden_size, bias, nonlinearity=nonlinearity, rng=rng)

        super().__init__(cell, input_size, num_layers, batch_first=batch_first, dropout=dropout, bidirectional=bidirectional, rng=rng)


class GRU(Recurrent):
    """The gated recurrent unit through time; see `GRUCell` for the equations and the two forms.

    Parameters
    ----------
    input_size, hidden_size, num_layers : int
        I, H and the number of layers.
    reset : {"after", "before"}
        Which form of the candidate; "after" is PyTorch's.
    bias, batch_first, dropout, bidirectional, rng
        As `Recurrent`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> gru = tg.nn.GRU(3, 2, rng=0)
    >>> output, state = gru(np.ones((7, 5, 3), dtype="float32"))
    >>> output.shape, state.shape
    ((7, 5, 2), (1, 5, 2))
    >>> [name for name, _ in gru.named_parameters()]
    ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0']
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        reset: str = "after",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        rng: init.Rng = None,
    ):
        def cell(size: int, rng: np.random.Generator) -> GRUCell:
            return GRUCell(size, hidden_size, bias, reset=reset, rng=rng)

        super().__init__(cell, input_size, num_layers, batch_first=batch_first, dropout=dropout, bidirectional=bidirectional, rng=rng)
        self.reset = reset


class LSTM(Recurrent):
    """The long short-term memory through time; see `LSTMCell` for the equations. The state is a tuple (h, c).

    Parameters
    ----------
    input_size, hidden_size, num_layers : int
        I, H and the number of layers.
    bias, batch_first, dropout, bidirectional, rng
        As `Recurrent`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> output, (h, c) = tg.nn.LSTM(3, 2, rng=0)(np.ones((7, 5, 3), dtype="float32"))
    >>> output.shape, h.shape, c.shape
    ((7, 5, 2), (1, 5, 2), (1, 5, 2))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        rng: init.Rng = None,
    ):
        def cell(size: int, rng: np.random.Generator) -> LSTMCell:
            return LSTMCell(size, hidden_size, bias, rng=rng)

        super().__init__(cell, input_size, num_layers, batch_first=batch_first, dropout=dropout, bidirectional=bidirectional, rng=rng)


def _stacked(states: list[Any]) -> Any:
    """The last states of all layers and directions along a new first axis; of tuples a tuple."""
    if isinstance(states[0], tuple):
        return tuple(ops.stack(column) for column in zip(*states, strict=True))
    return ops.stack(states) if len(states) > 1 else ops.expand_dims(states[0], axis=0)
