"""Cells through time: layers one on another, in one direction or both."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import check, ops, tree
from ..errors import argument_error, describe
from ..graph import scope
from ..scan import scan, scan_hook
from ..tensor import Tensor
from . import functional, init
from .cells import Cell
from .layers import check_last_axis
from .module import Module, as_input
from .sequence_masks import (
    freeze_finished,
    length_mask,
    pad_with_first_step,
    sample_mask,
    with_state_dropout,
    with_zoneout,
    zero_finished,
)
from .stacked_states import stack_states, unstack_states

MAKER = "cell(input_size, rng) returns a Module, or a function of (x, state)"


class Recurrent(Module):
    """Any cell, walked through time by `scan`: stacked, in one direction or both, over sequences of any lengths.

    ::

        output[t], state[t] = cell(x[t], state[t − 1])

    Parameters
    ----------
    cell : callable
        ``cell(input_size, rng)`` makes the cell of one layer and direction: a `Module` or any function that is called
        ``output, state = cell(x, state)`` with x of shape (B, input_size). A Module's parameters are those of the layer.
        If it has them, ``hidden_size`` and ``zero_state(batch)`` say what it starts from, and `Cell.unroll` what need not wait.
    input_size : int
        I, the size of x.
    num_layers : int
        The second reads the output of the first, and so on.
    hidden_size : int, optional
        The size of the cell's output, and of its state if it has no ``zero_state``; the cell's own ``hidden_size`` if missing. It
        is the same in all layers and directions.
    batch_first : bool
        Whether x and output are (B, T, ·) instead of (T, B, ·). States are not affected.
    dropout : float in [0, 1)
        In training, between layers: on the output of each but the last, each entry for itself.
    input_dropout, state_dropout : float in [0, 1)
        In training, with one mask for the whole sequence (Gal and Ghahramani, 2016): on the input of each layer; on the state
        wherever it enters a product of an RNN, a GRU or an LSTM, and on all arrays of floats that other cells see of it.
    zoneout : float in [0, 1)
        In training, with this probability an entry of the state stays as it was; in evaluation, the mean of both
        (Krueger et al., 2017). It reaches an output that *is* a part of the new state, ``return h, h``; one that the cell
        computes from its new state, it has computed before zoneout acts. Integers in a state are left alone.
    bidirectional : bool
        Walk backwards too, with cells of its own, and put the two outputs side by side.
    rng : numpy.random.Generator or int, optional
        Where initial parameters and all dropout are drawn from.

    Raises
    ------
    TypeError
        If `cell` is a cell, and not a function that makes one, or a setting is of the wrong kind.
    ValueError
        If a size or a probability is out of range, or the cells differ in size.

    Notes
    -----
    A parameter of the cell of layer k is called ``weight_ih_l{k}``, and in the backward direction
    ``weight_ih_l{k}_reverse``: PyTorch's names, so that state dicts are exchanged as they are.

    References
    ----------
    `state_dropout` and `input_dropout`: Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent neural
    networks" (2016). `with_zoneout`: Krueger et al., "Zoneout: regularizing RNNs by randomly preserving hidden activations" (2017).

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> class Leaky(tg.nn.Module):
    ...     def __init__(self, input_size, rng):
    ...         super().__init__()
    ...         self.hidden_size, self.W = 3, tg.Tensor(tg.nn.init.uniform((input_size, 3), 1, rng), requires_grad=True)
    ...     def forward(self, x, h):
    ...         h = 0.9 * h + tg.tanh(x @ self.W)
    ...         return h, h
    >>> layer = tg.nn.Recurrent(Leaky, 2, num_layers=2, bidirectional=True, rng=0)
    >>> output, state = layer(np.ones((7, 5, 2), dtype="float32"), lengths=[7, 3, 0, 1, 7])
    >>> output.shape, state.shape
    ((7, 5, 6), (4, 5, 3))
    """

    def __init__(
        self,
        cell: Callable[[int, np.random.Generator], Any],
        input_size: int,
        num_layers: int = 1,
        *,
        hidden_size: int | None = None,
        batch_first: bool = False,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        state_dropout: float = 0.0,
        zoneout: float = 0.0,
        bidirectional: bool = False,
        rng: init.Rng = None,
    ):
        super().__init__()
        name = type(self).__name__
        check.count(name, "num_layers", num_layers)
        chances = {
            "dropout": dropout,
            "input_dropout": input_dropout,
            "state_dropout": state_dropout,
            "zoneout": zoneout,
        }
        for argument, p in chances.items():
            check.probability(name, argument, p)
        self.batch_first = check.flag(name, "batch_first", batch_first)
        self.bidirectional = check.flag(name, "bidirectional", bidirectional)
        self.directions = 2 if bidirectional else 1
        self.dropout, self.input_dropout, self.state_dropout, self.zoneout = chances.values()
        self.rng = init.generator(rng)
        self.cells: list[list[Any]] = []
        self.input_size, self.num_layers = check.count(name, "input_size", input_size), num_layers
        _require_maker(name, cell)
        for k in range(num_layers):
            size = input_size if k == 0 else self.directions * self.hidden_size
            self.cells.append([])
            for _ in range(self.directions):
                self.cells[k].append(cell(size, self.rng))
                self.hidden_size = hidden_size = _size_of(name, self.cells[k][-1], hidden_size)
        for title, parameter in self._named():
            parameter.name = title

    def children(self) -> Iterator[tuple[str, Module]]:
        """The cells, ``l0``, ``l0_reverse``, ``l1``, …; and the modules of a subclass.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> [name for name, cell in tg.nn.GRU(3, 2, num_layers=2, bidirectional=True, rng=0).children()]
        ['l0', 'l0_reverse', 'l1', 'l1_reverse']
        """
        yield from self._cells()
        yield from super().children()

    def _cells(self) -> Iterator[tuple[str, Module]]:
        for k, cells in enumerate(self.cells):
            for cell, suffix in zip(cells, ("", "_reverse"), strict=False):
                if isinstance(cell, Module):
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
                shape = cell._parameters[own].shape
                if isinstance(value, Tensor) and value.shape != shape:
                    fix = "build a layer of other sizes"
                    raise argument_error(
                        type(self).__name__,
                        name,
                        expected=f"shape {shape}",
                        got=describe(value),
                        fix=fix,
                    )
                setattr(cell, own, value)
                return
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Tensor:
        if not name.startswith("_") and "cells" in self.__dict__:
            for known, parameter in self._named():
                if known == name:
                    return parameter
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def forward(self, x: Any, state: Any = None, *, lengths: Any = None) -> tuple[Tensor, Any]:
        """Walk through the sequences.

        Parameters
        ----------
        x : Tensor of shape (T, B, I), or (T, I) for one sequence; (B, T, I) if `batch_first`
        state : Tensor of shape (layers · directions, B, H), or (layers · directions, H), optional
            Zeros if missing. An LSTM's is a tuple (h, c) of two such.
        lengths : integers of shape (B,), optional
            How many steps of each sequence count, from 0 to T, in any order. What stands behind them in x, nan too, has no
            effect; the output there is 0, and a state is that after the last step that counts. Backwards, a
            sequence is entered at its own end. The cell is called there too, on its first step once more, and what it gives
            is not used; its state must then be arrays with the batch on their first axis, and so must its output.

        Returns
        -------
        output : Tensor of shape (T, B, directions · H), or (T, directions · H)
            The last layer's output at every step; a tuple of such if the cell's output is a tuple.
        state : as `state`
            The last state of each layer and direction, in the order of the parameters.

        Raises
        ------
        ValueError
            If a shape does not fit, there are no time steps, a length is not in [0, T], or a state or an output of the cell is
            not what `lengths` or an option needs.
        TypeError
            If a dtype is not that of the parameters.

        Examples
        --------
        >>> import numpy as np
        >>> import tinygrad_rnn as tg
        >>> lstm = tg.nn.LSTM(3, 2, batch_first=True, rng=0)
        >>> output, (h, c) = lstm(np.ones((2, 7, 3), dtype="float32"), lengths=[7, 4])
        >>> output.shape, h.shape, bool((output.data[1, 4:] == 0).all())
        ((2, 7, 2), (1, 2, 2), True)
        """
        x = self._input(x)
        swap = self.batch_first and x.ndim == 3
        if swap:
            x = x.swapaxes(0, 1)
        name, batch = type(self).__name__, x.shape[1:-1]
        going = None if lengths is None else length_mask(name, lengths, len(x), batch)
        states = self._states(name, state, batch, x.dtype)
        last = []
        for k, cells in enumerate(self.cells):
            if k:
                x = self._between(x)
            outputs = []
            for d, cell in enumerate(cells):
                with scope(f"layer {k}", *(("reverse",) if d else ())):
                    output, end = self._walk(
                        cell, x, states[k * self.directions + d], bool(d), going
                    )
                outputs.append(output)
                last.append(end)
            if self.bidirectional or swap or going is not None:
                self._require_sequences(outputs, x.shape[:-1])
            x = (
                tree.map(lambda *parts: ops.concatenate(parts, axis=-1), *outputs)
                if self.bidirectional
                else outputs[0]
            )
        if going is not None:
            x = zero_finished(going, x)
        return tree.map(lambda part: part.swapaxes(0, 1), x) if swap else x, stack_states(
            name, last
        )

    def _between(self, x: Any) -> Any:
        """The output of one layer as the input of the next."""
        if isinstance(x, tuple):
            wanted, fix = (
                "one array as the output of each layer but the last",
                "put the parts side by side, or use one layer",
            )
            raise argument_error(
                type(self).__name__,
                "cell",
                expected=wanted,
                got=f"a tuple, {tree.describe(x)}",
                fix=fix,
            )
        return (
            functional.dropout(x, self.dropout, training=self.training, rng=self.rng)
            if self.dropout
            else x
        )

    def _require_sequences(self, outputs: list[Any], lead: tuple[int, ...]) -> None:
        """Refuse outputs that have lost the axis of the batch: nothing could tell the sequences apart, or put features side by side."""
        for part in tree.leaves(outputs):
            if part.ndim <= len(lead) or part.shape[: len(lead)] != lead:
                wanted = (
                    f"an output of shape ({', '.join([*map(str, lead[1:]), '...'])}) at each step"
                )
                got, fix = (
                    f"{part.dtype} {part.shape[1:]}",
                    "keep the axis of the batch, and one of features, if only of size 1",
                )
                raise argument_error(type(self).__name__, "cell", expected=wanted, got=got, fix=fix)

    def _input(self, x: Any) -> Tensor:
        """x as a Tensor, refused if its dtype or its shape does not fit."""
        name = type(self).__name__
        x = as_input(
            name,
            x,
            next((p.dtype for _, p in self._named()), np.asarray(getattr(x, "array", x)).dtype),
        )
        if x.ndim not in (2, 3):
            batch = "B, T" if self.batch_first else "T, B"
            wanted = f"shape ({batch}, {self.input_size}) or (T, {self.input_size})"
            raise argument_error(name, "x", expected=wanted, got=describe(x), fix="use reshape")
        check_last_axis(name, x, self.input_size, "input_size")
        if x.shape[1 if self.batch_first and x.ndim == 3 else 0] == 0:
            raise argument_error(
                name,
                "x",
                expected="at least one time step",
                got=describe(x),
                fix="keep the state as it is instead",
            )
        return x

    def _walk(
        self, cell: Any, x: Tensor, state: Any, reverse: bool, going: np.ndarray | None
    ) -> tuple[Any, Any]:
        """One layer in one direction: all that need not wait, then step by step."""
        if self.training and self.input_dropout:
            mask = sample_mask(self.input_dropout, x.shape[1:], x.dtype, self.rng)
            x = ops.where(mask, x, 0) * mask
        if going is not None:
            x = pad_with_first_step(going, x, reverse)
        name, drops, ours = (
            type(self).__name__,
            self.training and self.state_dropout,
            hasattr(cell, "unroll"),
        )
        if ours:
            shape = (*x.shape[1:-1], self.hidden_size)
            mask = sample_mask(self.state_dropout, shape, x.dtype, self.rng) if drops else None
            inputs, step = (
                cell.unroll(x, mask) if scan_hook.get() is None else _stepwise(cell, x, mask)
            )
        else:
            step, inputs = (
                with_state_dropout(name, cell, x, state, self.state_dropout, self.rng, len(x))
                if drops
                else (cell, x)
            )
        if self.zoneout:
            step, inputs = with_zoneout(
                name, step, inputs, state, self.zoneout, self.rng if self.training else None, len(x)
            )
        if going is not None:
            step, inputs = freeze_finished(name, step, inputs, state, going, again=not ours)
        return scan(step, inputs, state, reverse=reverse)

    def _states(self, name: str, state: Any, batch: tuple[int, ...], dtype: np.dtype) -> list[Any]:
        """The initial state of each layer and direction."""
        cells = [cell for row in self.cells for cell in row]
        if state is None:
            return [self._zero_state(cell, batch, dtype) for cell in cells]
        if hasattr(cells[0], "check_state"):
            whole = cells[0].check_state(name, state, (len(cells), *batch, self.hidden_size))
            return [tree.map(lambda part, i=i: part[i], whole) for i in range(len(cells))]
        return unstack_states(name, state, self._zero_state(cells[0], batch, dtype), len(cells))

    def _zero_state(self, cell: Any, batch: tuple[int, ...], dtype: np.dtype) -> Any:
        if hasattr(cell, "zero_state"):
            return cell.zero_state(batch)
        return Tensor(np.zeros((*batch, self.hidden_size), dtype), name="h")

    def describe(self) -> str:
        """Sizes and options."""
        options = [f"{self.input_size}, {self.hidden_size}"]
        options += [f"num_layers={self.num_layers}"] if self.num_layers > 1 else []
        known = (
            "batch_first",
            "dropout",
            "input_dropout",
            "state_dropout",
            "zoneout",
            "bidirectional",
        )
        options += [f"{name}={value}" for name in known if (value := getattr(self, name))]
        return ", ".join(options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.describe()})"


def _stepwise(cell: Any, x: Tensor, mask: Any) -> tuple[Any, Any]:
    """The inputs and the whole step of one of our cells: what need not wait is left to who walks. A mask joins the inputs."""

    def step(x: Any, state: Any) -> Any:
        now, rest = cell.unroll(*(x if isinstance(x, tuple) else (x,)))
        return rest(now, state)

    step.__name__ = type(cell).__name__
    return (x if mask is None else (x, np.broadcast_to(mask, (len(x), *mask.shape)))), step


def _require_maker(name: str, cell: Any) -> None:
    """Refuse what is a cell, or makes one of other arguments, in place of a function that makes one of (input_size, rng)."""
    fix = MAKER
    if (
        isinstance(cell, type)
        and issubclass(cell, Cell)
        and "hidden_size" in inspect.signature(cell).parameters
    ):
        fix = f"use lambda size, rng: tg.nn.{cell.__name__}(size, 8, rng=rng), say"
    elif callable(cell) and not isinstance(cell, Module):
        return
    wanted = "a function that makes a cell"
    raise argument_error(
        name,
        "cell",
        expected=wanted,
        got=describe(cell).replace("\n", " "),
        fix=fix,
        kind=TypeError,
    )


def _size_of(name: str, cell: Any, known: int | None) -> int:
    """The hidden size of a cell, refused if it cannot be called, has none, or another than is known."""
    if not callable(cell):
        raise argument_error(
            name,
            "cell",
            expected="a function that makes a cell",
            got=describe(cell),
            fix=MAKER,
            kind=TypeError,
        )
    size = check.count(name, "hidden_size", getattr(cell, "hidden_size", known))
    if known is not None and size != known:
        fix = "make all cells of one size, or a Recurrent for each layer"
        raise argument_error(
            name, "cell", expected=f"cells of hidden_size {known}", got=f"one of {size}", fix=fix
        )
    return size
